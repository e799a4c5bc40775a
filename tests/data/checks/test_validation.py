"""What is refused, what is noted, and that whatever is broken in a table is found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.data.checks.table import check_table
from forecast.data.checks.validation import problems, validate
from forecast.data.schema import TABLES, Company
from forecast.data.sources.files import read
from forecast.errors import DataError
from logs import STAGES, log_of, table

OPPORTUNITIES = table(
    """
    opportunity_id created_on segment stage   amount expected_close_on closed_on  outcome
    A              2026-01-10 East    Won     120    2026-04-30        2026-03-30 won
    B              2026-02-10 West    Propose 60     2026-04-30        .          open
    C              2026-02-11 West    Lost    61     2026-04-30        2026-04-29 lost
    """
)
HISTORY = table(
    """
    opportunity_id recorded_at         stage   amount expected_close_on
    A              2026-01-10T09:00:00 Qualify 100    2026-03-31
    A              2026-03-30T09:00:00 Won     120    2026-04-30
    B              2026-02-10T09:00:00 Propose 60     2026-04-30
    C              2026-02-11T09:00:00 Propose 61     2026-04-30
    C              2026-04-29T09:00:00 Lost    61     2026-04-30
    """
)
GOOD = {"opportunities": OPPORTUNITIES, "opportunity_history": HISTORY, "stages": STAGES}


def changed(name: str, row: int, **values: str | None) -> dict[str, pd.DataFrame]:
    """Return the good tables with values of one row of one of them changed."""
    frame = GOOD[name].copy()
    for column, value in values.items():
        if column not in frame:
            frame[column] = pd.Series([None] * len(frame), dtype="str")
        frame.loc[row, column] = value
    return GOOD | {name: frame}


def test_good_tables_have_no_problem_and_no_note():
    assert problems(GOOD, Company()) == []
    log = validate(GOOD, Company(), source="here")
    assert log.notes == ()
    assert log.source == "here"
    assert log.extracted_on == pd.Timestamp("2026-04-30")


def test_the_kinds_of_the_log():
    log = log_of(GOOD)
    assert log.opportunities.dtypes.astype(str).to_dict() == {
        "opportunity_id": "str",
        "created_on": "datetime64[us]",
        "segment": "str",
        "stage": "str",
        "amount": "float64",
        "expected_close_on": "datetime64[us]",
        "closed_on": "datetime64[us]",
        "outcome": "str",
    }
    assert str(log.tables["opportunity_history"]["recorded_at"].dtype) == "datetime64[us, UTC]"


def test_nothing_given_is_altered():
    before = {name: frame.copy(deep=True) for name, frame in GOOD.items()}
    log_of(GOOD)
    for name, frame in GOOD.items():
        pd.testing.assert_frame_equal(frame, before[name])


FATAL = {
    "open with a day it closed": (
        changed("opportunities", 1, closed_on="2026-03-01"),
        "opportunities.closed_on: open, but with a day it closed\n  rows: B ('2026-03-01')",
    ),
    "won without an amount": (
        changed("opportunities", 0, amount=None),
        "opportunities.amount: won, but without an amount\n  rows: A ('won')",
    ),
    "stage against outcome": (
        changed("opportunities", 2, stage="Won"),
        "opportunities.outcome: stage and outcome contradict each other ('Won' means won)\n  rows: C ('lost')",
    ),
    "infinite": (changed("opportunities", 1, amount="inf"), "opportunities.amount: is infinite\n  rows: B ('inf')"),
    "empty segment": (changed("opportunities", 1, segment="  "), "opportunities.segment: this must not be empty"),
    "reserved in any casing": (changed("opportunities", 1, segment="TOTAL "), "'Total' is reserved"),
    "history of nobody": (
        changed("opportunity_history", 4, opportunity_id="X"),
        "opportunity_history.opportunity_id: history of opportunities that are not in opportunities\n  rows: X",
    ),
    "two states at once": (
        changed("opportunity_history", 1, recorded_at="2026-01-10T09:00:00"),
        "opportunity_history.opportunity_id, recorded_at: the key is there more than once\n"
        "  rows: A / 2026-01-10T09:00:00",
    ),
    "an empty segment in history": (
        changed("opportunity_history", 0, segment="East"),
        "opportunity_history.segment: this must not be empty",
    ),
    "a share above one": (
        changed("opportunity_history", 0, probability="25"),
        "opportunity_history.probability: is above 1\n  rows: A / 2026-01-10T09:00:00 ('25')\n"
        "  mend: write a share such as 0.25, not 25",
    ),
    "a date before our time": (
        changed("opportunities", 1, created_on="0206-02-10"),
        "opportunities.created_on: a value is not a date such as 2026-10-31\n  rows: B ('0206-02-10')",
    ),
    "an American date": (changed("opportunity_history", 0, recorded_at="1/10/2026"), "is not a timestamp such as"),
    "a bare year": (changed("opportunities", 1, created_on="2026"), "opportunities.created_on: a value is not a date"),
    "a month as a date": (changed("opportunities", 1, created_on="2026-02"), "a value is not a date"),
    "hexadecimal": (changed("opportunities", 1, amount="0x1F"), "opportunities.amount: a value is not a number"),
    "not a number": (changed("opportunities", 1, amount="NaN"), "opportunities.amount: a value is not a number"),
}


@pytest.mark.parametrize("name", FATAL)
def test_what_is_refused(name):
    tables, message = FATAL[name]
    with pytest.raises(DataError) as error:
        log_of(tables)
    assert message in str(error.value)
    assert "mend:" in str(error.value)
    assert problems(tables, Company())[0].severity == "fatal"


RATES = table("currency plan_rate\nUSD 0.9\nEUR 1")


@pytest.mark.parametrize(
    ("tables", "company", "message"),
    [
        (changed("opportunities", 0, currency="UDS"), {}, "'UDS': did you mean 'USD'?"),
        ({"currencies": RATES.assign(plan_rate=["0", "1"])}, {}, "currencies.plan_rate: is zero\n  rows: USD"),
        ({"currencies": RATES.assign(plan_rate=["-1", "1"])}, {}, "currencies.plan_rate: is negative\n  rows: USD"),
        ({"currencies": RATES}, {"currency": "USD"}, "USD is the reporting currency, so its rate is 1"),
        (
            {},
            {"fixed_at_creation": ("amuont",)},
            "no column 'amuont' in opportunities\n  mend: correct",
        ),
        (
            {},
            {"extracted_on": pd.Timestamp("2026-04-28")},
            "opportunities.closed_on: later than extracted_on, 2026-04-28\n  rows: C ('2026-04-29')",
        ),
        ({"plans": RATES}, {}, "plans: no table of this name is known\n  mend: did you mean 'plan'?"),
    ],
)
def test_what_is_refused_between_tables(tables, company, message):
    both = GOOD | {"currencies": RATES} | tables
    with pytest.raises(DataError) as error:
        log_of(both, **company)
    assert message in str(error.value)


def test_a_message_names_three_problems_and_counts_the_rest():
    frame = OPPORTUNITIES.assign(amount="1e308", segment="Total", created_on="x", outcome="Won", expected_close_on="y")
    with pytest.raises(DataError) as error:
        log_of({"opportunities": frame})
    text = str(error.value)
    assert text.count("mend:") == 3
    assert "`forecast check` lists them all" in text
    assert error.value.problem.table == "opportunities"
    fatal = [problem for problem in problems({"opportunities": frame}, Company()) if problem.severity == "fatal"]
    assert {problem.column for problem in fatal} >= {"amount", "segment", "created_on", "outcome", "expected_close_on"}


def test_the_first_five_rows_and_how_many_there_are():
    many = pd.concat([OPPORTUNITIES.iloc[[1]].assign(opportunity_id=f"N{i}", amount="1e16") for i in range(8)])
    with pytest.raises(DataError, match=r"rows: N0 \('1e16'\), N1 .* N4 \('1e16'\) and 3 more"):
        log_of({"opportunities": pd.concat([OPPORTUNITIES, many])})


class TestNotes:
    def test_rows_without_a_creation_date_are_left_out_with_their_history(self):
        log = log_of(changed("opportunities", 1, created_on=None))
        assert log.opportunities["opportunity_id"].tolist() == ["A", "C"]
        assert log.tables["opportunity_history"]["opportunity_id"].tolist() == ["A", "A", "C", "C"]
        (note,) = log.notes
        assert note.what == "1 opportunity without a creation date is left out, with 1 row of history, all of them open"
        assert (note.table, note.column, note.rows, note.count) == ("opportunities", "created_on", ("B",), 1)

    def test_all_without_a_creation_date_is_fatal(self):
        with pytest.raises(DataError, match="3 opportunities without a creation date"):
            log_of({"opportunities": OPPORTUNITIES.assign(created_on=None)})

    @pytest.mark.parametrize(
        ("tables", "what"),
        [
            (changed("opportunities", 0, created_on="2026-01-12"), "history begins before the opportunity was created"),
            (changed("opportunities", 2, closed_on="2026-04-30"), "closed later than its closure was recorded"),
            (changed("opportunities", 1, lead_sorce="web"), "looks like a misspelt column"),
            (changed("opportunities", 1, segment="West "), "blanks around the text"),
            (GOOD | {"opportunity_history": HISTORY.iloc[:2]}, "opportunities without a row in opportunity_history"),
            (GOOD | {"opportunity_history": HISTORY.iloc[:4]}, "closed, but history has no row that says so"),
            (
                GOOD | {"plan": table("period segment amount\n2026-04 Wset 5")},
                "segments without any opportunity: 'Wset'",
            ),
            (GOOD | {"stages": STAGES.assign(colour="red")}, "this column is not known and is left out"),
            (GOOD | {"plan": table("period segment amount")}, "there are no rows in it"),
            (
                GOOD
                | {"leads": table("lead_id created_on segment channel worked_on\n1 2026-02-02 West web 2026-02-01")},
                "before the lead came in",
            ),
            (changed("opportunities", slice(None), currency="USD"), ""),
        ],
    )
    def test_what_is_noted(self, tables, what):
        notes = [note.what for note in log_of(tables).notes]
        assert any(note.startswith(what) for note in notes) if what else notes == []

    def test_a_table_without_rows_counts_as_absent(self):
        assert "plan" not in log_of(GOOD | {"plan": table("period segment amount")})


class TestKinds:
    @pytest.mark.parametrize(
        ("text", "day"),
        [
            ("2026-02-28", "2026-02-28"),
            (" 2026-02-28 ", "2026-02-28"),
            ("2026-02-28T23:30:00", "2026-02-28"),
            ("2026-02-28 23:30", "2026-02-28"),
            ("2026-02-28T23:30:00Z", "2026-03-01"),  # half past midnight in Berlin
            ("2026-02-28T23:30:00-05:00", "2026-03-01"),
            ("2024-02-29", "2024-02-29"),
        ],
    )
    def test_dates(self, text, day):
        log = log_of(changed("opportunities", 1, expected_close_on=text), timezone="Europe/Berlin")
        assert log.opportunities["expected_close_on"][1] == pd.Timestamp(day)

    def test_numbers_are_read_to_the_last_bit(self):
        texts = ["0.1", "1e3", "123456789.123456789"]
        frame = OPPORTUNITIES.assign(amount=texts)
        assert log_of({"opportunities": frame}).opportunities["amount"].tolist() == [float(text) for text in texts]

    def test_columns_nobody_declared_become_what_all_their_values_are(self):
        extra = OPPORTUNITIES.assign(
            size=["1", "2.5", None],
            since=["2020-01-01", None, "2021-01-01"],
            zip=["01067", "10115", "80331"],
            when=["2020-01-01", "soon", None],
        )
        frame = log_of({"opportunities": extra}).opportunities
        assert [str(frame[name].dtype) for name in ("size", "since", "zip", "when")] == [
            "float64",
            "datetime64[us]",
            "str",
            "str",
        ]

    def test_typed_frames_come_to_the_same_log(self):
        typed = OPPORTUNITIES.assign(
            created_on=pd.to_datetime(OPPORTUNITIES["created_on"]).dt.date,
            closed_on=pd.to_datetime(OPPORTUNITIES["closed_on"]),
            amount=OPPORTUNITIES["amount"].astype(int),
            segment=OPPORTUNITIES["segment"].astype("category"),
        )
        history = HISTORY.assign(recorded_at=pd.to_datetime(HISTORY["recorded_at"]).dt.tz_localize("Asia/Tokyo"))
        text = HISTORY.assign(recorded_at=HISTORY["recorded_at"] + "+09:00")
        one = log_of(GOOD | {"opportunities": typed, "opportunity_history": history})
        other = log_of(GOOD | {"opportunity_history": text})
        for name in GOOD:
            pd.testing.assert_frame_equal(one.tables[name], other.tables[name])

    def test_identifiers_that_came_as_numbers_are_text(self):
        typed = OPPORTUNITIES.assign(opportunity_id=[1, 2, 3], account_id=[7.0, np.nan, 9.0])
        frame = log_of({"opportunities": typed}).opportunities
        assert frame["opportunity_id"].tolist() == ["1", "2", "3"]
        assert frame["account_id"].tolist()[0] == "7"
        assert frame["account_id"].isna().tolist() == [False, True, False]


# -- any mixture of what can be wrong with a table ------------------------------------------------------

BREAKS = {
    "amount": [-2e15, np.inf, np.nan],
    "segment": ["Total", None, "total"],
    "outcome": ["Open", None],
    "opportunity_id": ["O1", None],
    "stage": [None],
    "units": [-1.0],
}


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    breaks=st.lists(
        st.sampled_from([(name, i) for name, values in BREAKS.items() for i in range(len(values))]), max_size=4
    ),
    places=st.lists(st.integers(2, 9), min_size=4, max_size=4, unique=True),
)
def test_every_column_that_was_broken_is_found_and_no_other(breaks, places):
    frame = pd.DataFrame(
        {
            "opportunity_id": [f"O{i}" for i in range(10)],
            "created_on": pd.Timestamp("2026-01-01"),
            "segment": "East",
            "stage": "Qualify",
            "amount": 1.0,
            "expected_close_on": pd.NaT,
            "closed_on": pd.NaT,
            "outcome": "open",
            "units": 1.0,
        }
    )
    for (name, which), place in zip(breaks, places, strict=False):
        frame.loc[place, name] = BREAKS[name][which]
    _, found = check_table("opportunities", frame, Company())
    ours = {problem.column for problem in found if problem.severity == "fatal"}
    expected = {name for name, which in breaks if not (name == "amount" and np.isnan(BREAKS[name][which] or 0))}
    assert ours == expected


def test_the_tables_of_the_sample_have_no_problem_when_checked_again(sample):
    log = read(sample)
    assert set(log.tables) == set(TABLES) - {"periods", "stage_changes"}  # a calendar that we know; names that stay
    for name, frame in log.tables.items():
        again, found = check_table(name, frame, log.company)
        assert found == []
        pd.testing.assert_frame_equal(again, frame)
