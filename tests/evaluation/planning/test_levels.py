"""Accuracy before and after, by hand: who counts, which months, and the sums."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from forecast.calendar import period_labels
from forecast.evaluation.planning.levels import FORECAST_COLUMNS, LEVEL_COLUMNS, before_and_after

FIRST = 24_276  # 2023-01
NAN = math.nan


def month(at: int) -> str:
    return str(period_labels([FIRST + at])[0])


def rows(segment: str, months: dict[int, tuple[float, float]], **more: object) -> pd.DataFrame:
    """One forecast a month: month -> (forecast, actual); the benchmark says 100, with a range of 50 to 150."""
    told = [{"segment": segment, "period": month(at), "forecast": f, "actual": a} for at, (f, a) in months.items()]
    usual = {"lead": 1, "submitter": "sales", "official": True, "benchmark": 100.0, "low": 90.0, "high": 110.0}
    usual |= {"benchmark_low": 50.0, "benchmark_high": 150.0}
    return pd.DataFrame(told).assign(**(usual | more))[list(FORECAST_COLUMNS)]


def adoption(**starts: int | None) -> pd.DataFrame:
    days = [None if at is None else f"{month(at)}-05" for at in starts.values()]
    return pd.DataFrame({"segment": list(starts), "adopted_on": pd.to_datetime(days)})


def value(table: pd.DataFrame, *key: str, part: str = "", by: str = "all", what: str = "value") -> float:
    measure, of, group, when = key
    rows = table[(table["by"] == by) & (table["part"] == part) & (table["measure"] == measure) & (table["of"] == of)]
    return float(rows[(rows["group"] == group) & (rows["when"] == when)][what].iloc[0])


# A begins in month 10: months 0 to 3 are before, 4 to 9 left out, 10 and later after. B has not begun.
A = {0: (120, 100), 3: (60, 100), 4: (999, 100), 9: (999, 100), 10: (110, 100), 12: (330, 300)}
B = {0: (50, 100), 3: (100, 100), 5: (999, 100), 10: (90, 100), 11: (100, 100)}


def test_miss_bias_and_ranges_by_hand():
    table = before_and_after(pd.concat([rows("A", A), rows("B", B)]), adoption(A=10, B=None))
    assert list(table.columns) == list(LEVEL_COLUMNS)
    # A before: |20| + |-40| over 200; 20 - 40 over 200. After: 10 + 30 over 400, both too much.
    assert value(table, "miss", "people", "began", "before") == pytest.approx(60 / 200)
    assert value(table, "bias", "people", "began", "before") == pytest.approx(-20 / 200)
    assert value(table, "miss", "people", "began", "after") == pytest.approx(40 / 400)
    assert value(table, "bias", "people", "began", "after") == pytest.approx(40 / 400)
    # The benchmark says 100 each time: 0 of 200 before; after it lacks 200 of 400.
    assert value(table, "miss", "benchmark", "began", "before") == 0
    assert value(table, "bias", "benchmark", "began", "after") == pytest.approx(-200 / 400)
    # B's months are parted at the start of A, month 10, with the same six left out.
    assert value(table, "miss", "people", "not begun", "before") == pytest.approx(50 / 200)
    assert value(table, "miss", "people", "not begun", "after") == pytest.approx(10 / 200)
    # Ranges of the model hold 100, not 300; those of the benchmark likewise.
    assert value(table, "ranges held", "model", "began", "before") == 1
    assert value(table, "ranges held", "model", "began", "after") == 0.5
    assert value(table, "ranges held", "benchmark", "began", "after") == 0.5
    assert value(table, "miss", "people", "began", "after", what="forecasts") == 2
    assert table.loc[table["group"] == "not begun", "parted_at"].unique().tolist() == [month(10)]
    assert table.loc[table["group"] == "began", "parted_at"].unique().tolist() == [""]


def test_a_start_after_the_last_month_is_none_yet_and_the_median_parts_the_others():
    three = [rows(name, B) for name in ("W", "X")]
    two = [rows("A", A), rows("C", {0: (100, 100), 1: (100, 100), 9: (100, 100), 11: (150, 100)})]
    table = before_and_after(pd.concat([*three, *two]), adoption(A=10, C=9, W=None, X=60))
    waits = table[table["group"] == "not begun"]
    assert waits["segments"].max() == 2
    assert waits["parted_at"].unique().tolist() == [month(10)]  # between 9 and 10: the first month that is later
    assert value(table, "miss", "people", "began", "after") == pytest.approx((40 + 0 + 50) / (400 + 200))


def test_a_segment_without_both_sides_is_in_neither():
    late = {11: (500, 100), 12: (500, 100)}
    table = before_and_after(pd.concat([rows("A", A), rows("B", B), rows("L", late)]), adoption(A=10, B=None, L=11))
    assert value(table, "miss", "people", "began", "after") == pytest.approx(40 / 400)
    assert value(table, "miss", "people", "began", "after", what="segments") == 1
    for starts in ({"A": None, "B": None}, {"A": 1, "B": None}, {}):
        assert before_and_after(pd.concat([rows("A", A), rows("B", B)]), adoption(**starts)).empty
    assert before_and_after(rows("A", A).iloc[:0], adoption(A=10)).empty


def test_by_lead_time_and_by_submitter():
    near, far = rows("A", A), rows("A", A, lead=2, low=NAN, high=NAN).assign(forecast=0.0)
    joint = rows("A", {10: (100, 100), 12: (300, 300)}, submitter="joint")
    both = near.assign(official=~near["period"].isin(joint["period"]))
    table = before_and_after(pd.concat([both, joint, far]), adoption(A=10))
    assert value(table, "miss", "people", "began", "after", by="lead time", part="1") == 0  # the joint one is official
    assert value(table, "miss", "people", "began", "after", by="lead time", part="2") == 1
    assert math.isnan(value(table, "ranges held", "model", "began", "after", by="lead time", part="2"))
    assert value(table, "miss", "people", "began", "after", by="all") == pytest.approx(400 / 800)
    # Sales' own forecasts count as theirs, official or not; joint has nothing before its start.
    sales = value(table, "miss", "people", "began", "after", by="submitter", part="sales")
    assert sales == pytest.approx((40 + 400) / 800)
    assert value(table, "miss", "people", "began", "after", by="submitter", part="joint") == 0
    own = table[(table["by"] == "submitter") & (table["part"] == "joint")]
    assert set(own["when"]) == {"after"}
    assert set(table.loc[table["by"] == "submitter", "measure"]) == {"miss", "bias"}


def test_nothing_booked_is_not_divided_by():
    table = before_and_after(rows("A", {0: (5, 0), 3: (5, 0), 10: (5, 100)}), adoption(A=10))
    assert math.isnan(value(table, "miss", "people", "began", "before"))
    assert value(table, "miss", "people", "began", "after") == pytest.approx(0.95)
