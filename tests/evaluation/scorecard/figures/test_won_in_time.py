"""The share won within six months of creation: by hand, whoever closes losses, and what a young record cannot say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.data.known.snapshot import snapshot
from forecast.data.schema import Log
from forecast.evaluation.scorecard.figures.intervals import wilson
from forecast.evaluation.scorecard.figures.won_in_time import DEFINITION, created, monthly, won_in_time
from forecast.evaluation.scorecard.known import known_of
from forecast.evaluation.scorecard.spans import Span, year_of
from forecast.simulation.company import simulate
from logs import log_of, table

# In January six months end with June, so that a win on 30 June counts and one on 1 July does not.
DEALS = """
opportunity_id created_on segment stage amount expected_close_on closed_on outcome
in_time 2025-01-01 A Won 10 2025-03-10 2025-06-30 won
too_late 2025-01-31 A Won 10 2025-03-10 2025-07-01 won
lost 2025-01-20 A Lost 10 2025-03-10 2025-02-10 lost
open 2025-01-01 A Qualify 10 2025-06-10 . open
at_once 2025-02-28 B Won 10 2025-02-10 2025-02-28 won
later 2025-03-10 B Lost 10 2025-06-10 2025-09-10 lost
young 2025-04-01 B Won 10 2025-05-10 2025-05-10 won
"""
STAGES = """
stage position outcome
Qualify 1 open
Won 2 won
Lost 3 lost
"""


def log_with(deals: str) -> Log:
    tables = {"opportunities": table(deals), "stages": table(STAGES)}
    return log_of(tables, extracted_on=pd.Timestamp("2025-12-31"))


def known_on(day: str, *, log: Log | None = None):
    log = log or log_with(DEALS)
    return known_of(log, snapshot(log, as_of=day))


def test_by_hand():
    known = known_on("2025-09-30")  # settled through August, so that deals of March have been seen for six months
    deals = created(known)
    assert set(deals["period"]) == {2025 * 12 + month for month in (0, 1, 2)}
    rows = {row.segment: row for row in won_in_time(known, year_of(known.snap).now)}
    assert {name: (row.value, row.n) for name, row in rows.items()} == {
        "Total": (pytest.approx(2 / 6), 6),
        "A": (pytest.approx(1 / 4), 4),
        "B": (pytest.approx(1 / 2), 2),
    }
    assert (rows["Total"].first, rows["Total"].last) == ("2025-01", "2025-03")
    assert rows["Total"].definition == DEFINITION
    low, high = wilson(2 / 6, 6)
    assert rows["Total"].low <= low < high <= rows["Total"].high  # months differ, so it is no narrower
    assert np.isnan(rows["A"].low)  # of one month nothing is known of how they differ


def test_by_month():
    (series,) = monthly(known_on("2025-09-30"), Span(first=2025 * 12, last=2025 * 12 + 11))
    values = series.values.set_index(["segment", "period"])["value"].to_dict()
    assert values == {("A", "2025-01"): 0.25, ("B", "2025-02"): 1.0, ("B", "2025-03"): 0.0}
    assert not monthly(known_on("2025-09-30"), Span(first=2025 * 12 + 3, last=2025 * 12 + 11))


def test_losses_that_nobody_closes_change_nothing():
    tidy = won_in_time(known_on("2025-09-30"), Span(first=0, last=0))
    left = DEALS.replace("Lost 10 2025-03-10 2025-02-10 lost", "Qualify 10 2025-03-10 . open")
    untidy = won_in_time(known_on("2025-09-30", log=log_with(left)), Span(first=0, last=0))
    assert [(row.value, row.low, row.n) for row in tidy if row.segment != "A"] == [
        (row.value, row.low, row.n) for row in untidy if row.segment != "A"
    ]


def test_a_record_younger_than_six_months_says_so():
    rows = won_in_time(known_on("2025-05-31"), Span(first=0, last=0))
    assert all("6 months old" in row.missing and np.isnan(row.value) for row in rows)


@pytest.mark.slow
def test_on_a_simulated_company_it_is_the_share_counted_from_its_tables():
    made = simulate(opportunities=2_000, months=36, end="2026-10", seed=3)
    from forecast.data.known.snapshot import snapshot as at

    log = log_of(made.tables, extracted_on=pd.Timestamp("2026-10-31"))
    known = known_of(log, at(log, as_of="2026-10-31"))
    (total, *_) = won_in_time(known, year_of(known.snap).now)
    deals = made.tables["opportunities"]
    born = pd.to_datetime(deals["created_on"]).dt.to_period("M")
    here = (born >= pd.Period(total.first, "M")) & (born <= pd.Period(total.last, "M"))
    closed = pd.to_datetime(deals["closed_on"]).dt.to_period("M")
    won = (deals["outcome"] == "won") & (closed <= born + 5)
    assert total.n == here.sum()
    assert total.value == pytest.approx(won[here].mean())
