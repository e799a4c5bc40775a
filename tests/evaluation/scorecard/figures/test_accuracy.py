"""How near forecasts of quarters come: by hand on two segments and five quarters."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd
import pytest

from forecast.data.known.snapshot import snapshot
from forecast.data.schema import Log
from forecast.evaluation.scorecard.figures.accuracy import accuracy, monthly, quarter_forecasts
from forecast.evaluation.scorecard.known import Known, known_of
from forecast.evaluation.scorecard.spans import Span, year_of
from logs import log_of

MONTHS = [f"{year}-{month:02d}" for year in (2024, 2025) for month in range(1, 13)]


def company(*, submitted: bool = True, category: str | None = None, since: int = 12) -> Log:
    """Return two segments that book 100 a month. Sales forecast a quarter in the month before it and in its first:
    108 a month for A, 130 for B; in the first month 100 for both. Marketing forecasts 120 for both."""
    deals = [
        {"segment": s, "created_on": f"{m}-02", "closed_on": f"{m}-20", "account_id": f"{s}{m}"}
        for s in "AB"
        for m in MONTHS
    ]
    opportunities = pd.DataFrame(deals).assign(stage="Won", outcome="won", amount="100")
    opportunities["expected_close_on"] = opportunities["closed_on"]
    opportunities["opportunity_id"] = [f"O{i}" for i in range(len(opportunities))]
    tables = {"opportunities": opportunities}
    rows = []
    for at in range(since, 24, 3):
        for segment, amount in (("A", 108), ("B", 130)):
            for target in MONTHS[at : at + 3]:
                told = {"target_period": target, "segment": segment}
                rows.append({**told, "submitted_on": f"{MONTHS[at - 1]}-15", "submitter": "sales", "amount": amount})
                rows.append({**told, "submitted_on": f"{MONTHS[at]}-05", "submitter": "sales", "amount": 100})
                rows.append({**told, "submitted_on": f"{MONTHS[at]}-05", "submitter": "Marketing", "amount": 120})
    if submitted:
        frame = pd.DataFrame(rows).astype("str")
        tables["submitted_forecasts"] = frame if category is None else frame.assign(category=category)
    return log_of(tables, extracted_on=pd.Timestamp("2026-01-31"))


def known(log: Log, as_of: str = "2026-01-31") -> tuple[Known, Span]:
    snap = snapshot(log, as_of=as_of)
    return known_of(log, snap), year_of(snap).now


def rows_of(log: Log, as_of: str = "2026-01-31") -> pd.DataFrame:
    return pd.DataFrame(accuracy(*known(log, as_of))).set_index("definition")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("quarters within 5 %, official, made in the month before it", 0),
        ("quarters within 10 %, official, made in the month before it", 1 / 2),  # 324 for 300; 390 for 300 is not
        ("quarters within 20 %, official, made in the month before it", 1 / 2),
        ("quarters within 50 %, official, made in the month before it", 1),
        ("quarters within 5 %, official, made in its first month", 1),
        ("quarters within 20 %, marketing, made in its first month", 1),
        ("quarters within 10 %, marketing, made in its first month", 0),
        ("quarters within 10 %, sales, made in the month before it", 1 / 2),
    ],
)
def test_by_hand(name: str, value: float):
    row = rows_of(company()).loc[name]
    assert (row["value"], row["n"], row["of"], row["n_of"]) == (value, 8, "segment-quarters", "segment-quarter")
    assert (row["first"], row["last"]) == ("2025-01", "2025-12")
    assert row["low"] <= value <= row["high"]


def test_months_by_lead_time():
    rows = rows_of(company())
    # February to December 2025. In the first month of a quarter all three months are forecast right; in the month
    # before, A's are 8 % off.
    known = (("in the month itself", 1, 6), ("2 months before", 12 / 16, 16), ("3 months before", 1 / 2, 8))
    for made, value, n in known:
        row = rows.loc[f"months within 10 %, official, made {made}"]
        assert (row["value"], row["n"]) == (pytest.approx(value), n)
    # Before each month began: of the first months that of the month before, of the others that of the first month.
    assert rows.loc["months within 10 %, official, made before it began", "value"] == pytest.approx((3 + 16) / 22)


def test_a_quarter_counts_once_all_of_it_has_settled_and_was_forecast():
    made, _ = known(company(), as_of="2025-12-31")  # December has not settled
    assert made.snap.company.settle_days == 7
    quarters = quarter_forecasts(made)
    assert quarters["quarter"].nunique() == 3
    log = company()
    rows = log.tables["submitted_forecasts"]
    kept = rows[(rows["target_period"] != "2025-05").to_numpy()].reset_index(drop=True)
    tables = {**log.tables, "submitted_forecasts": kept}
    made, _ = known(Log(tables=tables, company=log.company, extracted_on=log.extracted_on))
    assert quarter_forecasts(made)["quarter"].nunique() == 3


def test_by_segment_and_month():
    values = monthly(*known(company()))[0].values
    assert set(values["value"]) == {0.0, 1.0}
    assert len(values) == values[["segment", "period"]].drop_duplicates().shape[0]


@pytest.mark.parametrize(
    ("log", "why"),
    [
        (company(submitted=False), "needs submitted_forecasts"),
        (company(category="pipeline"), "none is 'commit'"),
    ],
)
def test_without_forecasts_that_count_it_says_why(log: Log, why: str):
    rows = rows_of(log)
    assert rows["missing"].str.contains(why).all()
    assert rows["value"].isna().all()
    assert monthly(*known(log)) == []


def test_a_rep_who_submits_is_no_row():
    log = company()
    tables = {**log.tables, "opportunities": log.tables["opportunities"].assign(owner="Marketing ")}
    rows = rows_of(Log(tables=tables, company=log.company, extracted_on=log.extracted_on))
    assert not rows.index.str.contains("marketing").any()
    assert rows.index.str.contains("sales").any()


def test_of_amounts_in_another_unit_no_accuracy_is_told():
    log = company(since=3)  # 21 months tell another unit
    rows = log.tables["submitted_forecasts"]
    in_thousands = rows.assign(amount=rows["amount"].where(rows["submitter"] != "sales", rows["amount"] / 1_000))
    tables = {**log.tables, "submitted_forecasts": in_thousands}
    wrong = rows_of(Log(tables=tables, company=log.company, extracted_on=log.extracted_on))
    official = wrong[wrong.index.str.contains("official")]
    assert official["value"].isna().all()
    assert official["missing"].str.contains("forecasts for A and B measure something else than what is booked").all()


def test_nothing_settled_yet():
    rows = rows_of(company(), as_of="2025-01-31")
    assert rows["value"].isna().all()
    assert (rows["missing"] != "").all()


def test_where_all_last_forecasts_are_of_the_month_before_they_are_one_row():
    log = company()
    rows = log.tables["submitted_forecasts"]
    later = rows[(rows["submitter"] == "sales").to_numpy()].reset_index(drop=True)
    submitted = pd.concat(
        [later.assign(target_period=month, submitted_on=pd.Timestamp(f"{before}-15")) for before, month in _MONTHLY],
        ignore_index=True,
    ).drop_duplicates(["segment", "target_period"], ignore_index=True)
    tables = {**log.tables, "submitted_forecasts": submitted}
    found = rows_of(Log(tables=tables, company=log.company, extracted_on=log.extracted_on))
    months = found[found.index.str.startswith("months")]
    assert list(months["n"]) == [22, 0, 0, 0]  # before it began; in it, 2 and 3 months before there is none
    assert not found.index.str.endswith("made 1 month before").any()


_MONTHLY = list(pairwise(MONTHS))[11:]
"""Each month of 2025, after the one before it."""


@pytest.mark.parametrize("alone", [True, False])
def test_lead_times_are_those_that_somebody_submits(alone: bool):
    log = company()
    rows = log.tables["submitted_forecasts"]
    early = rows[(rows["submitter"] == "sales").to_numpy()].reset_index(drop=True)
    early = early.assign(submitted_on=early["submitted_on"] - pd.Timedelta(days=120))  # about four months earlier
    others = rows[(rows["submitter"] == "sales").to_numpy()] if alone else rows
    tables = {**log.tables, "submitted_forecasts": pd.concat([others, early], ignore_index=True)}
    found = rows_of(Log(tables=tables, company=log.company, extracted_on=log.extracted_on))
    far = [name for name in found.index if name.startswith("quarters within 10 %, sales")]
    assert [name for name in far if "made 5 months before" in name]
    assert len([name for name in far if "in the month before it" in name]) == (0 if alone else 1)
    assert found.loc["quarters within 10 %, official, made in the month before it", "n"] == 8
