"""The scorecard: every measure by hand on a company of six deals, and what it says where a table is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.data.schema import Log
from forecast.errors import ParameterError
from forecast.evaluation.scorecard.card import COLUMNS, COVERED, FOUND, LATE, scorecard, still_needed
from forecast.evaluation.scorecard.measures import within_share
from logs import log_of, table
from tiny import tiny_company

OPPORTUNITIES = """
opportunity_id created_on segment stage amount expected_close_on closed_on outcome
O1 2024-01-10 A Won 100 2024-11-20 2024-11-20 won
O2 2024-11-05 A Won 300 2025-02-10 2025-02-10 won
O3 2024-11-05 A Won 200 2025-06-15 2025-06-15 won
O4 2024-12-05 A Lost 50 2025-08-15 2025-08-15 lost
O5 2025-01-05 A Won 500 2025-10-20 2025-10-20 won
O6 2025-03-05 A Qualify 70 2025-12-15 . open
"""
DETAILS = """
opportunity_id type owner account_id units promised_on delivered_on
O1 new Ann K1 10 2024-12-20 2024-12-19
O2 existing Ann K1 20 2025-03-10 2025-03-20
O3 new Bob K2 20 2025-07-15 2025-07-15
O4 new Bob K3 5 . .
O5 new Ann K1 10 2025-12-20 .
O6 new Bob K4 5 . .
"""
HISTORY = """
opportunity_id recorded_at stage amount expected_close_on
O1 2024-01-10T09:00:00 Qualify 100 2024-11-20
O1 2024-06-10T09:00:00 Propose 100 2024-11-20
O1 2024-11-20T09:00:00 Won     100 2024-11-20
O2 2024-11-05T09:00:00 Propose 300 2025-02-10
O2 2025-02-10T09:00:00 Won     300 2025-02-10
O3 2024-11-05T09:00:00 Qualify 200 2025-06-15
O3 2025-06-15T09:00:00 Won     200 2025-06-15
O4 2024-12-05T09:00:00 Qualify  50 2025-08-15
O4 2025-03-05T09:00:00 Propose  50 2025-08-15
O4 2025-08-15T09:00:00 Lost     50 2025-08-15
O5 2025-01-05T09:00:00 Qualify 500 2025-10-20
O5 2025-05-05T09:00:00 Propose 500 2025-10-20
O5 2025-10-20T09:00:00 Won     500 2025-10-20
O6 2025-03-05T09:00:00 Qualify  70 2025-12-15
"""
STAGES = """
stage position outcome is_proposal
Qualify 1 open false
Propose 2 open true
Won 3 won false
Lost 4 lost false
"""
SUBMITTED = """
submitted_on target_period segment submitter amount
2025-01-15 2025-02 A sales 500
2025-01-20 2025-02 A sales 320
2025-02-03 2025-02 A sales 300
2025-05-15 2025-06 A sales 250
2025-06-01 2025-06 A sales 200
2025-09-15 2025-10 A sales 505
2025-06-03 2025-07 A sales 10
"""
QUOTAS = """
owner period quota
Ann 2025-02 500
Ann 2025-10 300
Bob 2025-06 201
Bob 2024-06 1
"""
COSTS = """
period segment function amount
2025-02 A sales 120
2025-03 A marketing 80
2025-03 A delivery 900
2024-09 A sales 50
"""
DELIVERY = """
period segment capacity
2025-02 A 400
2025-06 A 100
"""


def company(*, without: tuple[str, ...] = ()) -> Log:
    """Return the company; its trailing year is 2024-12 to 2025-11, before it 2023-12 to 2024-11."""
    tables = {
        "opportunities": table(OPPORTUNITIES).merge(table(DETAILS), on="opportunity_id"),
        "opportunity_history": table(HISTORY),
        "stages": table(STAGES),
        "submitted_forecasts": table(SUBMITTED),
        "quotas": table(QUOTAS),
        "costs": table(COSTS),
        "delivery": table(DELIVERY),
    }
    kept = {name: frame for name, frame in tables.items() if name not in without}
    return log_of(kept, extracted_on=pd.Timestamp("2025-12-31"))


@pytest.fixture(scope="module")
def card() -> pd.DataFrame:
    return scorecard(company(), as_of="2025-12-10").set_index("measure")


def test_columns_and_period(card: pd.DataFrame):
    assert tuple(card.reset_index().columns) == (*COLUMNS, *COVERED, *LATE, *FOUND)
    assert set(card["months"]) == {12}
    assert set(card["period"]) == {"2024-12 to 2025-11"}


@pytest.mark.parametrize(
    ("measure", "ours"),
    [
        # Forecasts made before their month: February 320 for 300 (6.7 % off), June 250 for 200 (25 %), October 505 for
        # 500 (1 %), July 10 for nothing. Settled by 10 December: through November.
        ("forecast accuracy", 2 / 4),
        ("reps at quota", 1 / 2),  # Ann 800 of 800, Bob 200 of 201
        ("forecasts submitted in time", 4 / 12),
        ("formal sales process", 2 / 4),  # O4 and O5; O2 began at the second stage, O3 skipped it
        ("existing business", 300 / 1000),
        ("proposals won", 2 / 3),  # O2, O5 won, O4 lost; O3 was won without a proposal
        ("more people: customers who bought", 2),
        ("more often: orders per customer", 3 / 2),
        ("more money: mean deal", 1000 / 3),
        ("more money: price per unit", 1000 / 50),
        ("lower cost: cost of sales per booked", 200 / 1000),
        ("delivery: on time", 2 / 3),  # O1 and O3 in time, O2 late; O5 is not due yet
        ("delivery: bookings against capacity", 500 / 500),
    ],
)
def test_measures_by_hand(card: pd.DataFrame, measure: str, ours: float):
    assert card.loc[measure, "ours"] == pytest.approx(ours)


def test_survey_stands_beside(card: pd.DataFrame):
    shown = card["survey"].dropna()
    assert shown.tolist() == [0.38, 0.60, 0.37, 0.63, 0.48]
    assert "48 % of the proposals they wrote on average" in card.loc["proposals won", "survey_text"]
    assert np.isnan(card.loc["forecasts submitted in time", "survey"])  # no formal sales process


def test_change_against_the_year_before():
    log = company()
    early = scorecard(log, as_of="2025-12-10").set_index("measure")
    # The log starts in January 2024: the twelve months before December 2024 are not whole.
    assert early["change"].isna().all()
    assert early["note"].str.contains("does not hold the 12 months before").all()
    later = scorecard(log, as_of="2025-12-31").set_index("measure")
    assert later.loc["more money: mean deal", "period"] == "2025-01 to 2025-12"
    assert later.loc["more money: mean deal", "previous"] == 100
    assert later.loc["more money: mean deal", "change"] == pytest.approx((1000 / 3) / 100 - 1)
    assert later.loc["existing business", "change"] == pytest.approx(0.3 - 0)


def test_accuracy_is_compared_with_the_months_a_year_before_that_have_settled_now():
    # November 2025 has not settled by 30 November: of 2024 its forecast, which hit, does not count either.
    told = """
submitted_on target_period segment submitter amount
2025-09-15 2025-10 A sales 505
2025-10-15 2025-11 A sales 100
2024-09-15 2024-10 A sales 505
2024-10-15 2024-11 A sales 100
"""
    early = "O0 2023-01-10 A Lost 5 2023-02-20 2023-02-20 lost"
    tables = {"opportunities": table(f"{OPPORTUNITIES}{early}"), "submitted_forecasts": table(told)}
    log = log_of(tables, extracted_on=pd.Timestamp("2025-12-31"))
    row = scorecard(log, as_of="2025-11-30").set_index("measure").loc["forecast accuracy"]
    assert (row["ours"], row["ours_n"]) == (1.0, 1)
    assert (row["previous"], row["previous_n"]) == (0.0, 1)
    assert row["note"].endswith("; November 2025 has not settled yet")
    assert "settled" not in scorecard(log, as_of="2025-12-31").set_index("measure").loc["reps at quota", "note"]


def test_shares_of_different_things_are_not_compared(card: pd.DataFrame):
    for measure in ("forecast accuracy", "formal sales process", "proposals won"):
        assert card.loc[measure, "against_survey"] == ""
        assert card.loc[measure, "of"] != card.loc[measure, "survey_of"] != ""
    assert card.loc["reps at quota", ["of", "survey_of"]].tolist() == ["", ""]


def test_nothing_later_than_as_of_is_known():
    past = scorecard(company(), as_of="2025-09-30").set_index("measure")
    assert past.loc["more money: mean deal", "ours"] == pytest.approx(600 / 3)
    assert past.loc["proposals won", "ours"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("missing", "measure"),
    [
        ("submitted_forecasts", "forecast accuracy"),
        ("submitted_forecasts", "forecasts submitted in time"),
        ("quotas", "reps at quota"),
        ("opportunity_history", "proposals won"),
        ("opportunity_history", "formal sales process"),
        ("stages", "proposals won"),
        ("costs", "lower cost: cost of sales per booked"),
        ("delivery", "delivery: bookings against capacity"),
    ],
)
def test_a_missing_table_is_named(missing: str, measure: str):
    row = scorecard(company(without=(missing,)), as_of="2025-12-10").set_index("measure").loc[measure]
    assert np.isnan(row["ours"])
    assert np.isnan(row["change"])
    assert missing in row["note"]


def test_existing_business_without_types_counts_earlier_wins():
    log = company()
    tables = dict(log.tables)
    tables["opportunities"] = tables["opportunities"].drop(columns="type")
    row = scorecard(
        Log(tables=tables, company=log.company, extracted_on=log.extracted_on), as_of="2025-12-10"
    ).set_index("measure")
    # K1 had bought in November 2024: 300 and 500 are existing, K2's 200 is new.
    assert row.loc["existing business", "ours"] == pytest.approx(0.8)
    # Who bought before 2024 counts as new: 80 % is the least it can be. A test of it could only say above.
    assert row.loc["existing business", "bound"] == "at least"
    assert row.loc["existing business", "note"].endswith("or before the log began, counts as new")
    assert row.loc["existing business", "ours_n"] == 3
    assert (row["bound"] == "at least").sum() == 1
    typed = scorecard(log, as_of="2025-12-10").set_index("measure")
    assert (typed["bound"] == "").all()
    assert (row.loc["existing business", "of"], typed.loc["existing business", "of"]) == (
        "",
        "by the CRM’s type of deal",
    )
    by_type = "by the deal’s type in the CRM; by orders of the account in the 12 months before at least 80 %"
    assert typed.loc["existing business", "note"].startswith(f"won value from existing customers, {by_type}")


def test_the_least_a_share_can_be_is_not_below_and_not_compared_with_a_year_whose_customers_were_newer():
    # Of ten customers a month two buy every month and eight only once; wins begin in January 2024.
    rows = [
        (f"O{month}-{i}", f"2024-01-0{1 + i % 9}", month, f"K{month if i % 5 else 0}-{i}")
        for month in range(24)
        for i in range(10)
    ]
    deals = pd.DataFrame(
        {
            "opportunity_id": [name for name, *_ in rows],
            "created_on": pd.to_datetime([created for _, created, *_ in rows]),
            "segment": "A",
            "stage": "Won",
            "amount": 100.0,
            "closed_on": [pd.Timestamp(2024 + month // 12, month % 12 + 1, 20) for _, _, month, _ in rows],
            "outcome": "won",
            "account_id": [account for *_, account in rows],
        }
    )
    deals["expected_close_on"] = deals["closed_on"]
    log = log_of({"opportunities": deals}, extracted_on=pd.Timestamp("2025-12-31"))
    row = scorecard(log, as_of="2025-12-31").set_index("measure").loc["existing business"]
    assert row["ours"] == pytest.approx(0.2)  # below the survey's 63 %, were it not the least it can be
    assert (row["bound"], row["against_survey"], row["against_year"]) == ("at least", "", "")
    assert np.isnan(row["previous"])
    assert "more of the customers of the 12 months before count as new" in row["note"]


def test_the_model_beside_the_people():
    scored = pd.DataFrame(
        {
            "model": ["pipeline"] * 4 + ["ets"],
            "horizon": [1, 1, 2, 1, 1],
            "segment": ["A", "A", "A", "Total", "A"],
            "target_period": ["2025-02", "2025-06", "2025-06", "2025-06", "2025-06"],
            "observed": [300.0, 200.0, 200.0, 200.0, 200.0],
            "mean": [310.0, 300.0, 200.0, 200.0, 200.0],
        }
    )
    row = scorecard(company(), as_of="2025-12-10", scores=scored).set_index("measure")
    assert row.loc["forecast accuracy of the model", "ours"] == 0.5
    with pytest.raises(ParameterError, match="'horizon'"):
        scorecard(company(), as_of="2025-12-10", scores=scored.drop(columns="horizon"))


def test_within_share():
    assert within_share(np.array([100.0, 100.0, 0.0, 0.0]), np.array([110.0, 110.1, 0.0, 1.0])) == 0.5
    assert np.isnan(within_share(np.array([]), np.array([])))


def test_only_opportunities():
    log = log_of({"opportunities": table(OPPORTUNITIES)}, extracted_on=pd.Timestamp("2025-12-31"))
    row = scorecard(log, as_of="2025-12-10").set_index("measure")
    assert row["ours"].notna().sum() == 2  # bookings and the mean deal
    assert row.loc["more money: mean deal", "ours"] == pytest.approx(1000 / 3)


def test_as_of_later_than_the_log_is_refused():
    with pytest.raises(ParameterError, match="later than the log"):
        scorecard(company(), as_of="2026-05-31")


def test_months_before_closures_were_recorded_are_not_covered():
    # Forty deals of January 2025, of which closures are recorded from June 2025 on, five a month.
    closed = [f"2025-{month:02d}-15" for month in range(6, 12) for _ in range(5)]
    lines = [f"O{i} 2025-01-01 A Won 100 {day} {day} won" for i, day in enumerate(closed)]
    head = OPPORTUNITIES.strip().splitlines()[0]
    log = log_of({"opportunities": table("\n".join([head, *lines]))}, extracted_on=pd.Timestamp("2025-12-31"))
    row = scorecard(log, as_of="2025-11-30").set_index("measure").loc["more money: mean deal"]
    assert (row["first"], row["last"], row["months"], row["ours_n"]) == ("2025-06", "2025-11", 6, 6)
    assert row["period"] == "2025-06 to 2025-11"


def test_what_a_measure_still_needs_is_what_is_not_there(tmp_path: Path):
    log = forecast.read(tiny_company(tmp_path))
    snap = forecast.snapshot(log, as_of=log.extracted_on)
    assert still_needed("opportunity_history, and is_proposal in stages", snap) == "is_proposal in stages"
    assert still_needed("quotas, and owner in opportunities", snap) == "quotas"
    assert still_needed("owner in opportunities", snap) == "owner in opportunities"  # else it would need nothing
    either = "promised_on and delivered_on in opportunities, or delivery"
    assert still_needed(either, snap) == either
