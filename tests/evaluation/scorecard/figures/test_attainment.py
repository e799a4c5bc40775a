"""Quota attainment by hand on five reps, its intervals, and what is said where nobody has a quota."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from forecast.data.known.snapshot import snapshot
from forecast.data.schema import Log
from forecast.evaluation.scorecard.figures.attainment import GROUPS, attainment, monthly, tenure_of
from forecast.evaluation.scorecard.known import Known, known_of
from forecast.evaluation.scorecard.spans import Span, year_of
from logs import log_of, table

DEALS = """
opportunity_id created_on segment owner stage amount expected_close_on closed_on outcome
O1 2023-01-10 A Ann Won 10 2023-02-20 2023-02-20 won
O2 2025-01-05 A Ann Won 60 2025-03-10 2025-03-10 won
O3 2025-01-05 A Ann Won 60 2025-05-10 2025-05-10 won
O4 2024-02-05 B Bob Won 99 2025-03-10 2025-03-10 won
O5 2025-03-05 B Cid Won 50 2025-04-10 2025-04-10 won
O6 2025-03-05 B Cid Lost 90 2025-04-10 2025-04-10 lost
O7 2023-08-05 B Dot Won 30 2025-12-10 2025-12-10 won
O8 2025-10-05 B Eve Won 30 2026-01-10 2026-01-10 won
"""
QUOTAS = """
owner period quota
Ann 2025-03 100
Ann 2025-05 20
Bob 2025-03 100
Cid 2025-04 50
Dot 2025-12 10
Eve 2025-12 10
Eve 2026-01 10
"""


def company(*, quotas: str | None = QUOTAS, hired: dict[str, str] | None = None) -> Log:
    tables = {"opportunities": table(DEALS)}
    if quotas is not None:
        rows = table(quotas)
        tables["quotas"] = rows if hired is None else rows.assign(hired_on=rows["owner"].map(hired))
    return log_of(tables, extracted_on=pd.Timestamp("2026-01-31"))


def known(log: Log, as_of: str = "2025-12-31") -> tuple[Known, Span]:
    snap = snapshot(log, as_of=as_of)
    return known_of(log, snap), year_of(snap).now


def rows_of(log: Log, as_of: str = "2025-12-31") -> pd.DataFrame:
    return pd.DataFrame(attainment(*known(log, as_of))).set_index("definition")


def test_by_hand():
    # 2025: Ann 120 of 120, Bob 99 of 100, Cid 50 of 50, Dot 30 of 10, Eve 0 of 10 (the win of January is not of 2025).
    rows = rows_of(company())
    year = rows.loc["over the span"]
    assert (year["value"], year["n"], year["n_of"], year["of"]) == (3 / 5, 5, "rep", "reps")
    assert (year["low"], year["high"]) == pytest.approx(proportion_confint(3, 5, method="wilson"))
    assert (year["first"], year["last"]) == ("2025-01", "2025-12")
    assert rows.loc["attainment: mean", "value"] == pytest.approx((1 + 0.99 + 1 + 3 + 0) / 5)
    assert rows.loc["attainment: 50 %", "value"] == 1
    # Months: Ann missed March (60 of 100) and made May, Bob missed, Cid and Dot made theirs, Eve missed.
    month = rows.loc["by month"]
    assert (month["value"], month["n"], month["of"]) == (3 / 6, 6, "rep-months")
    assert month["low"] < 0.5 < month["high"]


def test_tenure_is_from_the_first_deal_or_quota_unless_the_log_is_too_short_to_tell():
    # The middle of 2025 is between June and July. Ann was there when the log began, 29 months before; Bob is in month
    # 16, Cid and Eve came this year, Dot in August 2023, 22 months before.
    made, span = known(company())
    found = tenure_of(made, span, pd.Index(["Ann", "Bob", "Cid", "Dot", "Eve"]))
    assert found.tolist() == [GROUPS[2], GROUPS[1], GROUPS[0], GROUPS[1], GROUPS[0]]
    rows = rows_of(company())
    assert rows.loc[f"by tenure: {GROUPS[0]}", ["value", "n"]].tolist() == [0.5, 2]
    assert rows.loc[f"by tenure: {GROUPS[1]}", ["value", "n"]].tolist() == [0.5, 2]
    assert rows.loc[f"by tenure: {GROUPS[2]}", ["value", "n"]].tolist() == [1, 1]
    hired = {"Ann": "2025-02-01", "Bob": "2020-02-01"}
    made, span = known(company(hired=hired))
    assert tenure_of(made, span, pd.Index(["Ann", "Bob"])).tolist() == [GROUPS[0], GROUPS[2]]


def test_who_was_there_when_a_short_log_began_has_no_known_tenure():
    log = company()
    late = log.tables["opportunities"]
    tables = {**log.tables, "opportunities": late[late["created_on"] >= "2025-01-01"].reset_index(drop=True)}
    made, span = known(Log(tables=tables, company=log.company, extracted_on=log.extracted_on))
    assert tenure_of(made, span, pd.Index(["Ann", "Eve"])).tolist() == [GROUPS[3], GROUPS[0]]


def test_by_segment_and_month():
    values = monthly(*known(company()))[0].values
    found = {(row.segment, row.period): row.value for row in values.itertuples()}
    assert found == {
        ("A", "2025-03"): 0,
        ("A", "2025-05"): 1,
        ("B", "2025-03"): 0,
        ("B", "2025-04"): 1,
        ("B", "2025-12"): 0.5,
    }


@pytest.mark.parametrize(
    ("quotas", "why"),
    [(None, "needs quotas"), ("owner period quota\nAnn 2023-02 5", "nobody has a quota in these months")],
)
def test_without_quotas_every_row_says_why(quotas, why):
    rows = rows_of(company(quotas=quotas))
    assert rows["missing"].str.contains(why).all()
    assert rows["value"].isna().all()
    assert (rows["n"] == 0).all()
    if quotas is None:
        assert monthly(*known(company(quotas=None))) == []


def test_attainment_does_not_depend_on_the_unit_of_money():
    log = company()
    tables = {name: frame.copy() for name, frame in log.tables.items()}
    tables["opportunities"]["amount"] *= 7
    tables["quotas"]["quota"] *= 7
    scaled = rows_of(Log(tables=tables, company=log.company, extracted_on=log.extracted_on))
    pd.testing.assert_frame_equal(scaled, rows_of(log))
    assert np.isfinite(scaled.loc["attainment: mean", ["low", "high"]].astype(float)).all()
