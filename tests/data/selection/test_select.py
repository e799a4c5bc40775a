"""A part of a log: by hand on a small company, then held against the whole on the sample."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.data.selection.at_creation import at_creation
from forecast.data.selection.select import select
from forecast.errors import ParameterError
from logs import STAGES, log_of, table

DEALS = table(
    """
    opportunity_id created_on segment stage   amount expected_close_on closed_on  outcome product owner own
    A              2025-01-10 North   Won     120    2025-03-31        2025-03-20 won     Core    Ann   x
    B              2025-02-10 North   Qualify 200    2025-06-30        .          open    Plus    Bob   y
    C              2025-03-10 South   Lost    300    2025-05-31        2025-05-15 lost    Core    Bob   x
    D              2025-04-10 South   Propose 400    2025-07-31        .          open    .       Ann   y
    """
)
HISTORY = table(
    """
    opportunity_id recorded_at          stage   amount expected_close_on owner
    A              2025-01-10T09:00:00Z Qualify 100    2025-03-31        Ann
    A              2025-03-20T09:00:00Z Won     120    2025-03-31        Ann
    B              2025-02-10T09:00:00Z Qualify 200    2025-06-30        Ann
    B              2025-04-10T09:00:00Z Qualify 200    2025-06-30        Bob
    C              2025-03-10T09:00:00Z Qualify 250    2025-05-31        Bob
    C              2025-05-15T09:00:00Z Lost    300    2025-05-31        Bob
    D              2025-04-10T09:00:00Z Qualify 400    2025-07-31        Ann
    """
)
BESIDE = {
    "plan": table("period segment amount\n2025-01 North 10\n2025-05 North 20\n2025-05 South 30"),
    "quotas": table("owner period quota\nAnn 2025-05 100\nBob 2025-05 200"),
    "leads": table(
        "lead_id created_on segment channel opportunity_id\n"
        "L1 2025-01-05 North Web A\nL2 2025-05-05 North Web .\nL3 2025-03-01 South Web C"
    ),
    "marketing": table("period segment leads\n2025-01 North 3\n2025-05 South 4"),
    "submitted_forecasts": table(
        "submitted_on target_period segment submitter amount\n"
        "2025-01-31 2025-02 North sales 5\n2025-04-30 2025-05 South sales 6"
    ),
    "joint_planning": table("segment adopted_on\nNorth 2025-03-01\nSouth ."),
    "events": table(
        "from to segment product kind text\n2025-01-05 2025-01-06 North . fair Fair\n"
        "2025-02-01 . . Plus launch Launch\n2025-03-01 . South . price Price"
    ),
}


@pytest.fixture(scope="module")
def log():
    tables = {"opportunities": DEALS, "opportunity_history": HISTORY, "stages": STAGES, **BESIDE}
    return log_of(tables, name="Small", extracted_on=pd.Timestamp("2025-05-31"))


def ids(log) -> str:
    return "".join(log.opportunities["opportunity_id"])


def test_a_deal_is_seen_as_it_was_created(log):
    then = at_creation(log)
    assert list(then["amount"]) == [100, 200, 250, 400]
    assert list(then["owner"]) == ["Ann", "Ann", "Bob", "Ann"]
    assert set(then["stage"]) == {"Qualify"}
    assert not {"outcome", "closed_on", "own"} & set(then)


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ({"segment": "North"}, "AB"),
        ({"segment": ["North", "South"]}, "ABCD"),
        ({"product": "Core"}, "AC"),
        ({"owner": "Ann"}, "ABD"),  # B was hers when it came in
        ({"owner": "Ann", "segment": "South"}, "D"),
        ({"since": "2025-04"}, "BCD"),
        ({"since": "2025-05-16"}, "BD"),
        ({"until": "2025-03"}, "ABC"),
        ({"where": "amount >= 250"}, "CD"),
        ({"where": "product = 'Core' AND created_on > '2025-02-01'"}, "C"),
        ({"where": lambda deals: deals["amount"] < 250}, "AB"),
        ({"where": np.array([True, False, False, True])}, "AD"),
        ({"since": "2025-02", "until": "2025-04-30", "product": "Plus"}, "B"),
    ],
)
def test_the_deals_that_are_left(log, asked, left):
    part = select(log, **asked)
    assert ids(part) == left
    history = part.tables["opportunity_history"]
    assert set(history["opportunity_id"]) <= set(left)
    if "until" not in asked:
        assert set(history["opportunity_id"]) == set(left)


def test_a_whole_segment_keeps_what_is_of_it(log):
    part = select(log, segment="North")
    assert list(part.tables["plan"]["amount"]) == [10, 20]
    assert list(part.tables["leads"]["lead_id"]) == ["L1", "L2"]
    assert list(part.tables["joint_planning"]["segment"]) == ["North"]
    assert list(part.tables["events"]["text"]) == ["Fair", "Launch"]
    assert "quotas" not in part  # Ann and Bob sell in the South too
    assert part.company.name == "Small (segment North)"
    assert part.extracted_on == log.extracted_on


def test_of_a_part_of_a_segment_nothing_is_told_that_is_of_the_whole(log):
    part = select(log, product="Core")
    assert set(part.tables) == {"opportunities", "opportunity_history", "stages", "joint_planning", "events"}
    assert list(part.tables["events"]["text"]) == ["Fair", "Price"]
    told = "\n".join(str(note) for note in part.notes)
    for name in ("plan", "leads", "marketing", "submitted_forecasts"):
        assert name in told
    assert "of North and South left out" in told


def test_all_deals_of_an_owner_keep_the_quota(log):
    # Bob has one of Ann's today, which the quota of Bob is about too.
    part = select(log, owner="Ann")
    assert list(part.tables["quotas"]["owner"]) == ["Ann"]
    assert any("1 deal had another owner later" in str(note) for note in part.notes)


def test_the_last_months_keep_what_is_about_them(log):
    part = select(log, since="2025-04")
    assert list(part.tables["plan"]["period"]) == ["2025-05", "2025-05"]
    assert list(part.tables["leads"]["lead_id"]) == ["L2"]
    assert list(part.tables["submitted_forecasts"]["target_period"]) == ["2025-05"]
    assert "events" not in part  # all of them were over


def test_until_a_day_is_what_was_known_then(log):
    part = select(log, until="2025-03")
    deals = part.opportunities.set_index("opportunity_id")
    assert part.extracted_on == part.company.extracted_on == pd.Timestamp("2025-03-31")
    assert deals.loc["C", "outcome"] == "open"
    assert deals.loc["C", "amount"] == 250
    assert pd.isna(deals.loc["C", "closed_on"])
    assert part.tables["opportunity_history"]["recorded_at"].max() < pd.Timestamp("2025-04-01", tz="UTC")
    assert deals["own"].isna().all()  # nobody knows what it was then
    with pytest.raises(ParameterError, match="later than the log's last day"):
        forecast.snapshot(part, as_of="2025-04-30")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"segment": "Nrth"}, "did you mean 'North'?"),
        ({"product": ["Core", "Cor"]}, "there is no product 'Cor': did you mean 'Core'?"),
        ({"owner": ""}, "owner: '' is not a name"),
        ({"segment": []}, "is not a name or a list of names"),
        ({"since": "2025-09"}, "is after the log's last day, 2025-05-31"),
        ({"since": "soon"}, "soon"),
        ({"until": "2026-01"}, "later than the log's last day"),
        ({"until": "2024-01"}, "earlier than the log's first record"),
        ({"where": "outcome = 'won'"}, "has seen the future"),
        ({"where": "closed_on < '2025-05-01'"}, "has seen the future"),
        ({"where": "own = 'x'"}, "own may not be used: it is today's value"),
        ({"where": lambda deals: deals["outcome"] == "won"}, "outcome may not be used"),
        ({"where": lambda deals: deals["nothing"] == "won"}, "nothing may not be used"),
        ({"where": lambda deals: deals["amount"]}, "says true or false of 4 deals"),
        ({"where": [True, False]}, "says true or false of 4 deals"),
        (
            {"where": pd.Series([True, False, True, False], index=list("abcd"))},
            "a mask of 4 rows is not over the 4 deals",
        ),
        ({"where": np.zeros(4, dtype=bool)}, "no deal is left by a part of the deals"),
        ({"segment": "North", "owner": "Bob"}, "no deal is left by segment North and owner Bob"),
    ],
)
def test_what_cannot_be_is_refused_in_words(log, asked, said):
    with pytest.raises(ParameterError) as error:
        select(log, **asked)
    assert said in str(error.value)


def test_a_mask_says_what_it_may_have_seen(log):
    part = select(log, where=log.opportunities["outcome"] == "won")
    assert any("has seen the future" in str(note) for note in part.notes)


def test_without_history_todays_values_are_not_known_to_be_of_then():
    bare = log_of({"opportunities": DEALS, "stages": STAGES}, extracted_on=pd.Timestamp("2025-05-31"))
    with pytest.raises(ParameterError, match="amount may not be used: it is today's value"):
        select(bare, where="amount > 1")
    fixed = log_of(
        {"opportunities": DEALS, "stages": STAGES},
        extracted_on=pd.Timestamp("2025-05-31"),
        fixed_at_creation=("amount", "own"),
    )
    assert ids(select(fixed, where="amount > 250 AND own = 'x'")) == "C"


def test_nothing_asked_is_the_log_itself_and_it_is_not_touched(log):
    assert select(log) is log
    before = {name: frame.copy(deep=True) for name, frame in log.tables.items()}
    select(log, segment="North", since="2025-02", where="amount > 1")
    for name, frame in before.items():
        pd.testing.assert_frame_equal(log.tables[name], frame)


# -- held against the whole, on a company that is not made by hand ------------------------------------------


@pytest.fixture(scope="module")
def sample(root):
    return forecast.read(root / "data" / "sample")


def test_a_condition_at_reading_is_the_same_part(root, sample):
    picked = forecast.read(root / "data" / "sample", where="product = 'Core'")
    part = forecast.select(sample, where="product = 'Core'")
    assert picked.company == part.company
    for name, frame in part.tables.items():
        pd.testing.assert_frame_equal(picked.tables[name], frame)


def test_the_parts_are_the_whole(sample):
    segments = sorted(sample.opportunities["segment"].unique())
    parts = [select(sample, segment=name) for name in segments]
    for name in ("opportunities", "opportunity_history", "plan", "marketing", "submitted_forecasts", "costs"):
        assert sum(len(part.tables[name]) for part in parts) == len(sample.tables[name])


def test_a_log_until_a_day_knows_what_the_whole_knew(sample):
    part = select(sample, until="2025-06")
    for day in ("2025-06-30", "2025-01-31"):
        then, now = forecast.snapshot(sample, as_of=day), forecast.snapshot(part, as_of=day)
        # amounts are in the reporting currency by then, so that the column is gone
        pd.testing.assert_frame_equal(
            then.opportunities.drop(columns=["currency"], errors="ignore"), now.opportunities, check_dtype=False
        )
        assert then.segments == now.segments


def test_what_was_booked_since_is_what_was_booked(sample):
    # Deals closed before are gone; those that closed since are all there, however old they are.
    part = select(sample, since="2025-01")
    whole, cut = forecast.settled_actuals(sample), forecast.settled_actuals(part)
    both = whole.merge(cut, on=["segment", "period"], suffixes=("", "_cut"))
    both = both[both["period"] >= "2025-01"]
    assert len(both) > 100
    assert (both["amount"] == both["amount_cut"]).all()
