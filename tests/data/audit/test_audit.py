"""The audit, finding by finding, on small logs whose answer is worked out by hand; the leak detector on random ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

import forecast
from audited import finding, many
from forecast.data.audit.amounts import tail_index
from forecast.data.audit.audit import AUDIT_COLUMNS, OWN_COLUMN, audit
from forecast.data.audit.history import BEGINS_LATE, JUMPS, OFF_BY_DAYS, settles_after
from forecast.data.audit.leaks import LEAK_COLUMNS, blocked_auc, leaking, leaks, outcome_leaks
from forecast.data.audit.names import near_duplicates
from forecast.data.audit.pipeline import column_words
from forecast.data.checks.validation import validate
from forecast.data.schema import Company
from forecast.errors import ParameterError
from forecast.wording import MINUS as M
from forecast.wording import THIN as T
from tiny import COMPANY, HISTORY, OPPORTUNITIES, edited, tiny_company

# -- the table -----------------------------------------------------------------------------------------


def test_a_clean_company_has_only_missing_tables(tmp_path: Path):
    table = audit(forecast.read(tiny_company(tmp_path)))
    assert list(table.columns) == list(AUDIT_COLUMNS)
    left = table[table["finding"] != "there is no such table"]["finding"].tolist()
    # Four deals have closed; an open one of 3,000 beats an average month; both segments have a handful of wins; March
    # had none.
    assert left == [
        "too little is known to forecast from",
        "open deals larger than an average month's bookings",
        "segments with fewer than 30 won deals",
        "months in which nothing was won",
    ]
    assert str(table["count"].dtype) == "int64"
    assert set(table["rank"]) <= {"changes the answer", "cosmetic", "absent"}
    ranks = table["rank"].map({"changes the answer": 0, "cosmetic": 1, "absent": 2})
    assert ranks.is_monotonic_increasing


@pytest.mark.slow
def test_the_sample_has_no_leak_and_settles_in_time(sample: Path):
    log = forecast.read(sample)
    assert leaks(log).empty
    table = audit(log)
    assert finding(table, "closures are recorded late")["rank"] == "cosmetic"
    assert not (table["finding"] == "one name written in several ways").any()


def test_missing_tables_say_what_they_switch_off(tmp_path: Path):
    table = audit(forecast.read(tiny_company(tmp_path, history=None, stages=None, plan=None)))
    rows = table[table["finding"] == "there is no such table"].set_index("table")
    assert rows.loc["opportunity_history", "rank"] == "changes the answer"
    assert rows.loc["plan", "rank"] == "absent"
    assert "only creation and closure are known" in rows.loc["opportunity_history", "evidence"]
    assert rows.loc["plan", "evidence"] == "the chance of reaching plan cannot be shown"
    assert "recorded_at" in rows.loc["opportunity_history", "mend"]
    assert "currencies" not in rows.index  # nothing is in another currency


def test_a_column_of_its_own_in_history_is_named(tmp_path: Path):
    lines = HISTORY.splitlines()
    text = "\n".join(
        [f"{lines[0]},probability,loaded_by", *(f"{line},0.5,{'ab'[k % 2]}" for k, line in enumerate(lines[1:]))]
    )
    table = audit(forecast.read(tiny_company(tmp_path, history=text + "\n")))
    row = finding(table, OWN_COLUMN)
    assert (row["column"], row["rank"], row["evidence"]) == ("loaded_by", "cosmetic", "2 different values in 16 rows")


def test_as_of_moves_what_is_judged(tmp_path: Path):
    log = forecast.read(tiny_company(tmp_path))
    assert not (audit(log)["finding"] == "open deals past their expected close date").any()
    then = audit(log, as_of="2026-01-21")
    # O2 was expected on 2025-12-20 (its history never says otherwise) and was lost on 22 January.
    stale = finding(then, "open deals past their expected close date")
    assert stale["rows"] == "O2"
    assert stale["evidence"].startswith(f"1 of 5 open deals with a date (20{T}%), worth €800; overdue by 32 days")
    with pytest.raises(ParameterError, match="later than the log's last day"):
        audit(log, as_of="2026-04-30")


# -- findings ------------------------------------------------------------------------------------------


def test_late_closures_and_what_settle_days_would_cover_them():
    deals = 40
    log = many(deals, outcome=["won"] * deals, closed_on=pd.Timestamp("2024-03-30"), created_on="2024-01-02")
    # Of 40 equal wins closed on 30 March 36 are recorded that day, 3 on 5 April, 1 on 12 April.
    days = np.array([0] * 36 + [6] * 3 + [13])
    start = log.opportunities.assign(recorded_at=pd.Timestamp("2024-01-02T09:00Z"), stage="Open")
    close = log.opportunities.assign(
        recorded_at=pd.Timestamp("2024-03-30T09:00Z") + pd.to_timedelta(days, unit="D"), stage="Won"
    )
    history = pd.concat([start, close])[["opportunity_id", "recorded_at", "stage", "amount", "expected_close_on"]]
    company = Company(extracted_on=pd.Timestamp("2024-06-30"))
    tables = {"opportunities": log.opportunities, "opportunity_history": history}
    late = finding(audit(validate(tables, company)), "closures are recorded late")
    assert late["rank"] == "changes the answer"
    wins, arrives = (
        f"of 40 wins (2{T}%) of months ended by 31 March 2024",
        f"10{T}% of a month's bookings arrives after it",
    )
    assert late["evidence"] == (
        f"1 {wins} was recorded more than 7 days after its month had ended; {arrives}, 2{T}% more than 7 days "
        f"after, and 99{T}% is in after 12 days"
    )
    assert late["mend"].startswith("set settle_days = 12 in company.toml")  # 12 April is 12 days after 31 March
    assert late["count"] == 1
    enough = Company(extracted_on=pd.Timestamp("2024-06-30"), settle_days=12)
    in_time = finding(audit(validate(tables, enough)), "closures are recorded late")
    assert in_time["rank"] == "cosmetic"
    assert in_time["evidence"].startswith(
        f"4 of 40 wins (10{T}%) of months ended by 31 March 2024 were recorded after "
    )
    assert in_time["count"] == 4  # the rows are those that the evidence begins with


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(-30, 40), st.floats(0.1, 100)), min_size=1, max_size=60))
def test_settling_leaves_no_more_than_was_tolerated(arrivals: list[tuple[int, float]]):
    days, amount = np.array([day for day, _ in arrivals]), np.array([value for _, value in arrivals])
    enough = settles_after(days, amount, 0.01)
    assert amount[days > enough].sum() <= 0.01 * amount.sum() + 1e-6
    assert enough == 0 or amount[days > enough - 1].sum() > 0.01 * amount.sum() - 1e-6


def test_amounts_revised_after_closing(tmp_path: Path):
    later = HISTORY + "O3,2026-02-20T09:00:00Z,Won,2000,2026-01-31\n"
    folder = tiny_company(tmp_path, history=later, opportunities=edited(OPPORTUNITIES, 4, amount="2000"))
    row = finding(audit(forecast.read(folder)), "amounts revised after the fact")
    assert row["rows"] == "O3"
    assert row["evidence"] == (
        f"1 of 3 wins (33{T}%) had their amount changed after they closed; bookings changed by {M}€500 ({M}11{T}%)"
    )


def test_amounts_changed_at_closing_and_reopened_deals(tmp_path: Path):
    again = HISTORY.replace("O2,2026-01-22T11:00:00Z,Lost", "O2,2025-11-22T11:00:00Z,Lost")
    again = again.replace("O5,2026-02-25T15:00:00Z,Won,900", "O5,2026-02-25T15:00:00Z,Won,600")
    again += "O2,2025-12-22T11:00:00Z,Propose,800,2026-01-20\nO2,2026-01-22T11:00:00Z,Lost,800,2026-01-20\n"
    folder = tiny_company(tmp_path, history=again, opportunities=edited(OPPORTUNITIES, 6, amount="600"))
    table = audit(forecast.read(folder))
    row = finding(table, "amounts change when a deal is won")
    assert row["rows"] == "O5"
    # 1,200 + 2,500 + 600 of 1,200 + 2,500 + 900.
    assert "0.67 times it (median); all wins together at 0.93 times" in row["evidence"]
    assert f"1 of 3 wins (33{T}%) known by 31 March 2026 closed at another amount" in row["evidence"]
    assert finding(table, "deals reopened")["rows"] == "O2"


def test_labels_that_differ_by_blanks_case_and_signs():
    counts = {"GTX Pro": 5, "GTXPro": 3, "gtx-pro": 1, "MG Special": 7, "A-12": 1, "A12": 1, "1-2": 1, "12": 1}
    assert near_duplicates(counts) == [{"A-12": 1, "A12": 1}, {"GTX Pro": 5, "GTXPro": 3, "gtx-pro": 1}]
    assert near_duplicates({"Rep 001": 1, "Rep 010": 1, "Straße": 1, "STRASSE": 2})[0] == {
        "STRASSE": 2,
        "Straße": 1,
    }


def test_labels_are_compared_between_tables(tmp_path: Path):
    plan = "period,segment,amount\n2026-04,north,1000\n2026-04,South,1500\n"
    row = finding(audit(forecast.read(tiny_company(tmp_path, plan=plan))), "one name written in several ways")
    assert (row["table"], row["column"]) == ("opportunities, plan", "segment")
    assert row["evidence"] == "'North' (4 rows), 'north' (1 row)"
    assert row["mend"].startswith("write 'North' throughout")


def test_one_deal_dominates_and_open_giants():
    amount = np.r_[np.full(99, 100.0), 9_900.0]
    log = many(100, outcome=["won"] * 99 + ["won"], amount=amount)
    row = finding(audit(log), "one deal dominates the bookings")
    assert f"9.9{T}k, 50{T}% of all that was won and 99 times the median" in row["evidence"]
    assert row["rows"] == "O00099"
    log = many(60, outcome=["won"] * 59 + ["open"], amount=np.r_[np.full(59, 100.0), 50_000.0])
    assert finding(audit(log), "open deals larger than an average month's bookings")["rows"] == "O00059"


def test_an_average_month_is_of_all_months_of_record_and_not_of_those_with_a_win_alone():
    # One win of 600 in twelve months of record: 50 a month.
    created = ["2024-01-10"] * 3 + ["2024-12-05"]
    outcome, closed = ["won", "open", "open", "open"], [pd.Timestamp("2024-06-10"), pd.NaT, pd.NaT, pd.NaT]
    frame = many(4, outcome=outcome, amount=[600.0, 40.0, 60.0, 900.0], created_on=created, closed_on=closed)
    log = validate(dict(frame.tables), Company(extracted_on=pd.Timestamp("2024-12-31"), currency="EUR"))
    row = finding(audit(log), "open deals larger than an average month's bookings")
    assert row["evidence"] == "2 open deals, the largest €900 = 18.0 average months of €50 (1 win in 12 months)"
    assert "read the range rather than the mean" in row["mend"]


def test_the_amount_fixed_at_creation_is_known_of_a_past_day(tmp_path: Path):
    company = COMPANY + 'fixed_at_creation = ["amount"]\n'
    log = forecast.read(tiny_company(tmp_path, history=None, company=company))
    (row,) = audit(log).query("table == 'opportunity_history'")["evidence"]
    assert row == "stage and close date of a past day are unknown: only creation, amount and closure are known"
    last, past = (forecast.snapshot(log, as_of=day).notes[0] for day in ("2026-03-31", "2026-02-28"))
    assert last.endswith("of any earlier day only creation, amount and closure are known, and no forecast uses more.")
    assert "open on 28 February 2026 only the creation and the amount are known, not the stage" in past


def test_open_deals_left_out_come_first_with_their_part_of_what_is_open(tmp_path: Path):
    undated = edited(edited(OPPORTUNITIES, 9, created_on=""), 5, created_on="")
    folder = tiny_company(tmp_path, opportunities=undated, history=None)
    table = audit(forecast.read(folder))
    assert table["finding"].tolist()[:2] == [
        "too little is known to forecast from",
        "2 opportunities without a creation date are left out, 1 of them open",
    ]
    # O8, 3,000 of 5,200.
    told = table["evidence"][1].replace(T, " ")
    assert told == "1 of 3 open deals (33 %), €3 k or 58 % of the open amount; 6 rows were read"


def test_what_a_file_calls_a_column_or_a_month_is_put_in_words():
    assert column_words("expected_close_on") == "expected close date"
    assert column_words("close_value") == "close value"


def test_hills_tail_index():
    # Exact quantiles of a Pareto law of index 1.5; a lognormal's tail is lighter.
    uniform = (np.arange(20_000) + 0.5) / 20_000
    assert tail_index((1 - uniform) ** (-1 / 1.5)) == pytest.approx(1.5, rel=0.01)
    by_hand = np.r_[np.ones(399), np.full(20, np.e)]  # 20 of 419 are e times the next one: mean log excess 1
    assert tail_index(by_hand) == pytest.approx(1.0)
    assert np.isnan(tail_index(np.ones(1000)))
    assert np.isnan(tail_index(np.arange(1.0, 100.0)))


def test_thin_segments_gaps_lookalikes_and_cleared_days():
    deals = 80
    outcome = ["won"] * 35 + ["lost"] * 40 + ["won"] * 5
    segment = np.where(np.arange(deals) < 75, "North", "South")
    created = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.r_[np.arange(75), np.arange(200, 205)], unit="D")
    account = [f"Account {number}" for number in range(deals)]
    account[1], created_on = account[0], pd.Series(created)
    created_on[1] = created_on[0]
    closed_on = pd.Series(created_on + pd.Timedelta(days=30))
    closed_on[40:75] = pd.Timestamp("2024-06-28")
    table = audit(
        many(deals, outcome=outcome, segment=segment, created_on=created_on, closed_on=closed_on, account_id=account)
    )
    thin = finding(table, "segments with fewer than 30 won deals")
    assert thin["evidence"] == "won deals: South 5, of 2 segments"
    assert finding(table, "months in which nothing was created")["rows"] == "2024-04, 2024-05, 2024-06, 2024-08"
    assert finding(table, "deals that look alike")["rows"] == "O00000, O00001"
    cleared = finding(table, "many deals lost on one day")
    assert cleared["evidence"] == "35 on 28 June 2024, of 40 losses"
    assert cleared["count"] == 35


def test_amounts_of_their_own_tell_deals_apart_where_no_account_does():
    log = many(60, amount=np.arange(60) + 1000.25)
    twice = pd.concat(
        [log.opportunities, log.opportunities.iloc[:5].assign(opportunity_id=[f"N{k}" for k in range(5)])]
    )
    found = finding(audit(validate({"opportunities": twice}, Company())), "deals that look alike")
    assert (found["rank"], found["count"]) == ("changes the answer", 10)
    listed = twice.assign(amount=1000.0)  # a price list: equal amounts say nothing
    assert not (audit(validate({"opportunities": listed}, Company()))["finding"] == "deals that look alike").any()


def test_a_company_that_closes_its_books_once_a_month_cleared_nothing():
    """All of 400 losses are on the last day of a month, 20 or 40 a month: no day stands out."""
    months = pd.date_range("2024-01-31", periods=19, freq="ME")
    closed_on = np.repeat(months.to_numpy(), [40, *[20] * 18])
    log = many(400, outcome=["lost"] * 400, closed_on=closed_on, created_on=pd.Timestamp("2024-01-02"))
    assert not (audit(log)["finding"] == "many deals lost on one day").any()


@pytest.mark.parametrize(("lost", "is_told"), [(0, True), (2, True), (3, False), (60, False)])
def test_losses_that_nobody_records(lost: int, is_told: bool):
    """Of 60 won deals 3 losses are 5 %: below that they are hardly recorded. Open deals of a year ago are over, too."""
    outcome = ["won"] * 60 + ["lost"] * lost + ["open"] * 40
    log = many(len(outcome), outcome=outcome)
    table = audit(log)
    assert (table["finding"] == "losses are hardly recorded").any() == is_told
    if lost == 0:
        row = finding(table, "losses are hardly recorded")
        assert row["evidence"].startswith("60 won, 0 lost; ")
        assert row["evidence"].endswith(" of 40 open deals are older than any was when it was won (30 days)")


def test_far_fewer_deals_of_late():
    # Thirty deals a month for a year, ten in each of the last two months: the export lacks the youngest.
    per_month = [30] * 12 + [10, 10]
    created = [pd.Timestamp("2024-01-15") + pd.DateOffset(months=m) for m, n in enumerate(per_month) for _ in range(n)]
    deals = len(created)
    log = many(deals, created_on=created, closed_on=pd.Series(created) + pd.Timedelta(days=10))
    row = finding(audit(log), "far fewer deals created lately")
    assert (
        row["evidence"]
        == "deals created: 10 in January 2025 and 10 in February 2025; the median month of the last 13 has 30"
    )
    assert not (audit(log, as_of="2025-01-20")["finding"] == "far fewer deals created lately").any()


def test_few_deals_a_month_that_stop_altogether_are_seen_too():
    start = pd.Timestamp("2024-01-15")
    created = [start + pd.DateOffset(months=month) for month in range(20) for _ in range(13)]
    company = Company(extracted_on=pd.Timestamp("2025-11-30"))
    frame = many(len(created), created_on=created, closed_on=pd.Timestamp("2025-11-20")).opportunities
    late = finding(audit(validate({"opportunities": frame}, company)), "far fewer deals created lately")
    assert late["rows"] == "2025-09, 2025-10, 2025-11"
    one_less = Company(extracted_on=pd.Timestamp("2025-09-30"))
    by_chance = frame.assign(closed_on=pd.Timestamp("2025-09-20"))
    rare = audit(validate({"opportunities": by_chance.iloc[::3]}, one_less))["finding"].tolist()
    assert "far fewer deals created lately" not in rare  # four a month: an empty one is chance


@pytest.mark.parametrize(
    ("per_month", "rank"),
    [
        ([18, 7, 8, 0, 15, 15, 9], "changes the answer"),  # medians 8 and 15, of all six 12
        ([6, 6, 6, 0, 20, 20, 20], "cosmetic"),  # it was just beginning
        ([9, 9, 9, 0, 9, 9, 9], "cosmetic"),
    ],
)
def test_a_month_without_new_deals_among_months_with_many(per_month: list[int], rank: str):
    created = [pd.Timestamp("2024-01-15") + pd.DateOffset(months=m) for m, n in enumerate(per_month) for _ in range(n)]
    log = many(len(created), created_on=created, closed_on=pd.Series(created) + pd.Timedelta(days=3))
    row = finding(audit(log), "months in which nothing was created")
    assert (row["rank"], row["rows"]) == (rank, "2024-04")


def test_history_that_begins_late_and_amounts_that_jump():
    frame = many(100, amount=np.linspace(1234.5, 9876.5, 100)).opportunities
    rows = frame.assign(recorded_at=frame["created_on"].dt.tz_localize("UTC"))
    names = ["opportunity_id", "recorded_at", "stage", "amount", "expected_close_on"]
    later = rows.assign(recorded_at=rows["recorded_at"] + pd.Timedelta(days=1))
    slip = rows.assign(amount=rows["amount"].where(rows.index != 7, rows["amount"] / 100))
    history = pd.concat([slip, later])[names]
    table = audit(validate({"opportunities": frame, "opportunity_history": history}, Company()))
    jump = finding(table, JUMPS)
    assert (jump["rank"], jump["rows"]) == ("changes the answer", "O00007")
    assert jump["evidence"].startswith("1 step in 1 deal of 100, the largest from 18.46 to 1,845.55")
    assert not (table["finding"] == BEGINS_LATE).any()
    switched_on = rows.assign(recorded_at=rows["recorded_at"].max())[names]
    table = audit(validate({"opportunities": frame, "opportunity_history": switched_on}, Company()))
    assert finding(table, BEGINS_LATE)["count"] == 68  # created 32 days before the last deal, or earlier


@pytest.mark.parametrize(
    ("days", "named"),
    [
        ([31] * 11 + [0] * 9, "North: 31 days in 55\u202f% of 20 deals"),
        ([3] * 20, "North: 3 days in 100\u202f% of 20 deals"),
        ([31] * 9 + [0] * 11, None),  # less than half
        ([2] * 20, None),  # entered over the weekend
        ([31] * 19, None),  # few
        (list(range(20)), None),  # no fixed number
    ],
)
def test_creation_dates_of_a_segment_shifted_as_a_whole(days: list[int], named: str | None):
    """By hand: history begins so many days after creation in segment North, on the very day in all others."""
    segment = ["North"] * len(days) + ["South"] * 80
    frame = many(len(segment), segment=segment).opportunities
    gap = pd.to_timedelta([*days, *[0] * 80], unit="D")
    rows = frame.assign(recorded_at=(frame["created_on"] + gap).dt.tz_localize("UTC"))
    names = ["opportunity_id", "recorded_at", "stage", "amount", "expected_close_on"]
    table = audit(validate({"opportunities": frame, "opportunity_history": rows[names]}, Company()))
    if named is None:
        assert not (table["finding"] == OFF_BY_DAYS).any()
    else:
        off = finding(table, OFF_BY_DAYS)
        assert (off["rank"], off["evidence"]) == ("changes the answer", named)


def test_empty_columns_and_open_deals_without_a_date():
    outcome = ["won", "lost", "open", "open"] * 25
    expected = pd.Series(pd.Timestamp("2025-01-01"), index=range(100)).mask(pd.Series(outcome) == "open")
    expected[2] = pd.Timestamp("2025-01-01")
    table = audit(many(100, outcome=outcome, expected_close_on=expected, lead_score=np.nan))
    row = finding(table, "open deals without an expected close date")
    assert row["evidence"].startswith(f"empty for 49 of 50 open deals (98{T}%)")
    nothing = audit(many(100, outcome=outcome, expected_close_on=pd.NaT))
    bare = finding(nothing, "this column is empty")
    assert bare["evidence"] == "in all 100 rows; no date of its own then says in which month a deal closes"
    assert bare["mend"] == "fill it in while the deal is open"
    empty = finding(table, "this column is empty")
    assert (empty["rank"], empty["column"], empty["count"]) == ("cosmetic", "lead_score", 100)


# -- leaks ---------------------------------------------------------------------------------------------


def test_each_sign_of_a_leak_with_its_numbers():
    outcome = np.array(["won"] * 60 + ["lost"] * 40 + ["open"] * 50)
    rng = np.random.default_rng([3, 1])
    order = rng.permutation(150)
    outcome = outcome[order]
    won, closed = outcome == "won", outcome != "open"
    frame = pd.DataFrame(
        {
            "paid": np.where(won, 10.0 + rng.random(150), np.where(closed, 0.0, np.nan)),
            "contract": pd.Series(np.where(won, "signed", None), dtype="str"),
            "closing_note": pd.Series(np.where(closed, [f"text {i}" for i in range(150)], None), dtype="str"),
            "duration": np.where(closed, np.where(won, 300, 100) + rng.normal(0, 60, 150), np.nan),
            "owner": pd.Series([f"Rep {i % 7}" for i in range(150)], dtype="str"),
            "lead_score": rng.normal(0, 1, 150) + won,
        }
    )
    found = outcome_leaks(frame, outcome)
    assert list(found.columns) == list(LEAK_COLUMNS)
    assert list(zip(found["column"], found["kind"], strict=True)) == [
        ("paid", "value"),
        ("contract", "missing"),
        ("duration", "separates"),
        ("closing_note", "closing"),
    ]
    assert list(leaking(frame, outcome).items()) == list(zip(found["column"], found["evidence"], strict=True))
    told = found.set_index("column")["evidence"]
    assert told["paid"] == "0 for 40 of 40 lost, > 0 for 60 of 60 won; empty for all 50 open"
    assert told["contract"] == "empty for 0 of 60 won, 40 of 40 lost, 50 of 50 open"
    assert told["closing_note"] == "filled for 100 of 100 closed, for 0 of 50 open"
    assert "empty for all 50 open" in told["duration"]


def test_a_strong_column_that_open_deals_have_is_no_leak():
    rng = np.random.default_rng([3, 2])
    outcome = rng.choice(["won", "lost", "open"], 900)
    score = rng.normal(0, 1, 900) + 3 * (outcome == "won") + 1.5 * (outcome == "open")
    assert outcome_leaks(pd.DataFrame({"score": score}), outcome).empty
    hidden = np.where(outcome == "open", np.nan, score)
    assert outcome_leaks(pd.DataFrame({"score": hidden}), outcome)["kind"].tolist() == ["separates"]


@pytest.mark.parametrize("seed", range(20))
def test_honest_columns_are_not_flagged(seed: int):
    rng = np.random.default_rng([4, seed])
    deals = 2_000
    outcome = rng.choice(["won", "lost", "open"], deals, p=[0.2, 0.5, 0.3])
    frame = pd.DataFrame(
        {
            "owner": pd.Series(rng.choice([f"Rep {i}" for i in range(150)], deals), dtype="str"),
            "account": pd.Series([f"Account {i}" for i in rng.integers(0, 1500, deals)], dtype="str"),
            "score": np.where(rng.random(deals) < 0.3, np.nan, rng.normal(0, 1, deals) + (outcome == "won")),
            "units": rng.poisson(2, deals).astype(float),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, deals), unit="D"),
        }
    )
    assert outcome_leaks(frame, outcome).empty


def test_one_owner_who_lost_everything_is_no_leak():
    outcome = np.array(["lost"] * 40 + ["won", "lost"] * 400)
    owner = pd.Series(["Rep 99"] * 40 + [f"Rep {i // 2 % 10}" for i in range(800)], dtype="str")
    assert outcome_leaks(pd.DataFrame({"owner": owner}), outcome).empty


def test_a_drifting_base_rate_is_no_leak():
    rng = np.random.default_rng([5])
    share = np.repeat([0.05, 0.95], 2_000)
    outcome = np.where(rng.random(4_000) < share, "won", "lost")
    indicator = share + rng.normal(0, 0.01, 4_000)
    assert roc_auc_score(outcome == "won", indicator) > 0.9
    assert outcome_leaks(pd.DataFrame({"indicator": indicator}), outcome).empty


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=99))
def test_the_auc_of_one_block_is_scikit_learns(pairs: list[tuple[int, bool]]):
    score, won = np.array([pair[0] for pair in pairs], dtype=float), np.array([pair[1] for pair in pairs])
    auc, low = blocked_auc(score, won)
    if won.all() or not won.any():
        assert np.isnan(auc)
    else:
        assert auc == pytest.approx(roc_auc_score(won, score))
        assert low <= auc + 1e-12


def test_hanley_and_mcneils_bound_by_hand():
    # 10 wins and 10 losses, AUC 0.75: Q1 = .6, Q2 = .642857, variance = (.1875 + 9 * .0375 + 9 * .080357) / 100.
    score = np.r_[np.zeros(5), np.ones(5), np.ones(5), np.ones(5)]
    won = np.r_[np.zeros(10, dtype=bool), np.ones(10, dtype=bool)]
    auc, low = blocked_auc(score, won)
    assert auc == 0.75
    assert auc - low == pytest.approx(1.96 * np.sqrt((0.1875 + 9 * 0.0375 + 9 * 0.0803571) / 100), rel=1e-5)


def test_what_is_known_by_date_is_not_examined(tmp_path: Path):
    log = forecast.read(tiny_company(tmp_path))
    assert leaks(log).empty
    zero = many(200, amount=np.tile([100.0, 0.0], 100))
    assert leaks(zero)["column"].tolist() == ["amount"]  # without history today's amount is all there is
    with pytest.raises(ParameterError, match="'maybe' is not one of won, lost, open"):
        outcome_leaks(pd.DataFrame({"a": [1.0]}), ["maybe"])
    with pytest.raises(ParameterError, match="2 values for 1 rows"):
        outcome_leaks(pd.DataFrame({"a": [1.0]}), ["won", "lost"])


def test_one_late_win_was_recorded_late(tmp_path: Path):
    late = HISTORY.replace("O5,2026-02-25T15:00:00Z,Won", "O5,2026-03-02T15:00:00Z,Won")
    row = finding(audit(forecast.read(tiny_company(tmp_path, history=late))), "closures are recorded late")
    assert row["evidence"].startswith("1 of 3 wins (")
    assert " was recorded " in row["evidence"]
