"""What an error is: by hand, from submissions and a benchmark, and what is left out and counted."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from forecast.calendar import Calendar, period_label
from forecast.data.schema import ERROR_COLUMNS
from forecast.data.submissions import official_forecasts
from forecast.errors import DataError, ParameterError
from forecast.evaluation.planning.effect import planning_errors
from forecast.evaluation.planning.errors import errors_in_detail
from logs import log_of


def company(submitted: list[tuple], *, months: int = 15, amounts: dict[str, float] | None = None):
    """Return a log: A books 100 a month and B 50 (or `amounts`), from 2025-01; submitted as given."""
    rows = []
    for month in range(months):
        label = period_label(12 * 2025 + month)
        for segment, amount in (amounts or {"A": 100.0, "B": 50.0}).items():
            rows.append(
                (f"{segment}{month}", f"{label}-01", segment, "Won", str(amount), f"{label}-20", f"{label}-20", "won")
            )
    names = ["opportunity_id", "created_on", "segment", "stage", "amount", "expected_close_on", "closed_on", "outcome"]
    table = pd.DataFrame(
        submitted, columns=["submitted_on", "target_period", "segment", "submitter", "category", "amount"]
    )
    tables = {"opportunities": pd.DataFrame(rows, columns=names, dtype="str")}
    tables["submitted_forecasts"] = table.astype("str").replace({"None": None, "nan": None})
    last = period_label(12 * 2025 + months)
    return log_of(tables, extracted_on=pd.Timestamp(f"{last}-28"))


def regular(**amounts: float) -> list[tuple]:
    """Sales submit for this month and the next, on the 3rd, from 2025-10 to 2026-03."""
    out = []
    for month in range(9, 15):
        for horizon in (0, 1):
            target = period_label(12 * 2025 + month + horizon)
            for segment, amount in amounts.items():
                day = f"{period_label(12 * 2025 + month)}-03"
                out.append((day, target, segment, "sales", None, amount + 10 * horizon))
    return out


def benchmark(value: float, *, months: range = range(6, 15), segments: str = "AB") -> pd.DataFrame:
    rows = [
        ("ets", Calendar().end(12 * 2025 + month), period_label(12 * 2025 + month + h), h, s, value + 100 * h)
        for month in months
        for h in range(1, 5)
        for s in segments
    ]
    return pd.DataFrame(rows, columns=["model", "origin", "target_period", "horizon", "segment", "mean"])


def test_errors_by_hand():
    log = company(regular(A=120.0, B=50.0))
    detail = errors_in_detail(log, benchmark(20.0))
    assert detail.horizons == (0, 1)
    assert detail.benchmark_origins == ()
    table = detail.errors.set_index(["segment", "period"])
    # A, December 2025: horizon 0 said 120, horizon 1 said 130, booked 100, divisor 100: (.2 + .3) / 2
    assert table.loc[("A", "2025-12"), "error"] == pytest.approx(0.25)
    assert table.loc[("B", "2025-12"), "error"] == pytest.approx((0 + 0.2) / 2)
    # On 3 December the last month end is November's: one ahead says 120; on 3 November it was October's: 220.
    assert table.loc[("A", "2025-12"), "benchmark_error"] == pytest.approx((0.2 + 1.2) / 2)
    assert table.index.get_level_values("period").min() == "2025-12"
    # October has horizon 0 alone and fewer than 12 months; November has both, but still no divisor.
    assert detail.dropped == {"no divisor: fewer than 12 months of bookings": 4}
    errors = planning_errors(log, benchmark(20.0))
    assert list(errors.columns) == list(ERROR_COLUMNS)
    assert errors.attrs["horizons"] == [0, 1]


def test_joint_replaces_sales_and_the_last_submission_of_a_month_counts():
    rows = regular(A=120.0, B=50.0)
    rows += [("2025-12-03", "2025-12", "A", "joint", None, 300.0), ("2025-12-20", "2025-12", "A", "joint", None, 105.0)]
    rows += [
        ("2025-12-28", "2025-12", "A", "sales", None, 999.0),
        ("2025-12-28", "2025-12", "A", "marketing", None, 1.0),
    ]
    official = official_forecasts(company(rows))
    row = official[(official["segment"] == "A") & (official["target"] == 12 * 2025 + 11) & (official["horizon"] == 0)]
    assert row[["submitter", "amount"]].to_numpy().tolist() == [["joint", 105.0]]
    detail = errors_in_detail(company(rows), benchmark(20.0))
    table = detail.errors.set_index(["segment", "period"])
    assert table.loc[("A", "2025-12"), "error"] == pytest.approx((0.05 + 0.3) / 2)
    assert detail.submitters["joint"] == 1
    # joint submitted on the 20th: still the benchmark of the end of November
    assert table.loc[("A", "2025-12"), "benchmark_error"] == pytest.approx((0.2 + 1.2) / 2)


def test_commit_where_categories_exist():
    rows = [(day, target, s, who, "Commit", amount) for day, target, s, who, _, amount in regular(A=120.0, B=50.0)]
    rows += [(day, target, s, who, "best case", 2 * amount) for day, target, s, who, _, amount in rows]
    table = planning_errors(company(rows), benchmark(20.0)).set_index(["segment", "period"])
    assert table.loc[("A", "2025-12"), "error"] == pytest.approx(0.25)
    other = [(*row[:4], "upside", row[5]) for row in rows if row[4] == "best case"]
    with pytest.raises(DataError, match="none is 'commit'"):
        planning_errors(company(other), benchmark(20.0))


def test_the_only_submitter_is_official_but_not_one_of_several():
    rows = [(*row[:3], "regional head", *row[4:]) for row in regular(A=120.0, B=50.0)]
    assert len(planning_errors(company(rows), benchmark(20.0))) == 8
    with pytest.raises(DataError, match="none is official"):
        planning_errors(company([*rows, (*rows[0][:3], "finance", *rows[0][4:])]), benchmark(20.0))


def test_a_month_whose_horizon_is_missing_is_dropped_and_counted():
    rows = [
        row
        for row in regular(A=120.0, B=50.0)
        if not (row[0][:7] == "2026-01" and row[1] == "2026-01" and row[2] == "A")
    ]
    detail = errors_in_detail(company(rows), benchmark(20.0))
    assert detail.dropped["a horizon was not submitted"] == 1
    assert ("A", "2026-01") not in detail.errors.set_index(["segment", "period"]).index


def test_a_horizon_that_is_submitted_now_and_then_is_no_series():
    rows = [*regular(A=120.0, B=50.0), ("2025-12-03", "2026-02", "A", "sales", None, 1.0)]
    assert errors_in_detail(company(rows), benchmark(20.0)).horizons == (0, 1)


def test_a_segment_that_books_nothing_is_dropped_and_counted():
    detail = errors_in_detail(company(regular(A=120.0, B=50.0), amounts={"A": 100.0, "B": 0.0}), benchmark(20.0))
    assert set(detail.errors["segment"]) == {"A"}
    assert detail.dropped["divisor is zero: nothing booked in 12 months"] == 4


def test_as_of_hides_what_came_later():
    log = company(regular(A=120.0, B=50.0))
    errors = planning_errors(log, benchmark(20.0), as_of="2026-02-15")
    assert sorted(errors["period"].unique()) == ["2025-12", "2026-01"]
    assert planning_errors(log, benchmark(20.0), as_of="2026-02-06")["period"].max() == "2025-12"
    with pytest.raises(ParameterError, match="later than the log"):
        planning_errors(log, benchmark(20.0), as_of="2027-01-01")


def test_without_submitted_forecasts():
    log = company(regular(A=120.0, B=50.0))
    tables = {name: frame for name, frame in log.tables.items() if name != "submitted_forecasts"}
    with pytest.raises(DataError, match="submitted_forecasts"):
        planning_errors(replace(log, tables=tables), benchmark(20.0))
