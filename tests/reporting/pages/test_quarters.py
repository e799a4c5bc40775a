"""What was said of quarters before they began, and how the forecast moved: by hand, at none and unknown."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from forecast.data.schema import Company
from forecast.reporting.charts.figure import TableView
from forecast.reporting.pages import quarters
from forecast.sources import plain
from forecast.wording import THIN as T

EURO = Company(name="Test", currency="EUR")
NAN = float("nan")


def track(*rows: tuple[str, str, int, float, float, float, float]) -> pd.DataFrame:
    """Return forecasts of the Total: origin, quarter, horizon, mean, low, high, observed."""
    table = pd.DataFrame(rows, columns=["origin", "target_period", "horizon", "mean", "q10", "q90", "observed"])
    table["origin"] = pd.to_datetime(table["origin"])
    return table.assign(model="pipeline", segment="Total", plan=4e6, p_at_least_plan=0.5)


TRACK = track(
    ("2026-02-28", "FY26 Q2", 1, 9e6, 8e6, 10e6, 4.4e6),  # an earlier forecast of the same quarter
    ("2026-03-31", "FY26 Q2", 1, 4.8e6, 3.9e6, 5.8e6, 4.4e6),
    ("2026-04-30", "FY26 Q2", 0, 4.7e6, 4.1e6, 5.4e6, 4.4e6),
    ("2026-06-30", "FY26 Q3", 1, 4.7e6, 4.0e6, 5.5e6, 3.9e6),
    ("2026-09-30", "FY26 Q4", 1, 4.9e6, 4.4e6, 5.5e6, NAN),
)


def test_the_last_quarters_as_they_were_forecast_before_they_began():
    table = quarters.closed_quarters(TRACK)
    assert table["quarter"].tolist() == ["FY26 Q2", "FY26 Q3"]
    assert table["expected"].tolist() == [4.8e6, 4.7e6]
    assert table["booked"].tolist() == [4.4e6, 3.9e6]
    assert table["inside"].tolist() == ["yes", "no"]
    told = plain(quarters.quarters_finding(table))
    day = f"80{T}% range given the day before it began"
    assert told == f"FY26 Q3 ended below the {day}; before it the one quarter ended inside its own"
    assert plain(quarters.quarters_finding(table.iloc[:1])) == (f"The one settled quarter ended inside the {day}")
    above = table.iloc[1:].assign(booked=9e6)
    assert quarters.quarters_finding(above) == f"FY26 Q3 ended above the {day}"
    shown = TableView(table, told, **quarters.columns(EURO), right=["inside"])._repr_html_()
    cells = re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", shown.split("<tbody>")[1])
    assert cells[7:] == ["FY26 Q3", f"€4.7{T}m", f"€4{T}m", f"€5.5{T}m", f"€3.9{T}m", "no", f"€4{T}m"]


EIGHT = track(
    ("2024-01-31", "FY24 Q1", 0, 4e6, 3e6, 5e6, 4e6),
    ("2024-04-30", "FY24 Q2", 0, 4e6, 3e6, 5e6, 4e6),
    ("2024-07-31", "FY24 Q3", 0, 4e6, 3e6, 5e6, 4e6),
    ("2024-10-31", "FY24 Q4", 0, 4e6, 3e6, 5e6, 4e6),
    ("2025-01-31", "FY25 Q1", 0, 4e6, 3e6, 5e6, 4e6),
    ("2025-04-30", "FY25 Q2", 0, 4e6, 3e6, 5e6, 4e6),
    ("2025-07-31", "FY25 Q3", 0, 4e6, 3e6, 5e6, 4e6),
    ("2025-10-31", "FY25 Q4", 0, 4e6, 3e6, 5e6, 6e6),
    ("2025-09-30", "FY25 Q4", 1, 4e6, 1e6, 2e6, 6e6),  # before it began
    ("2025-11-30", "FY25 Q4", 0, 4e6, 5e6, 7e6, 6e6),  # two months into it
    ("2026-01-31", "FY26 Q1", 0, 4e6, 3e6, 5e6, NAN),  # not settled
    ("2026-01-31", "FY26 Q2", 1, 4e6, 3e6, 5e6, NAN),
)


@pytest.mark.parametrize(
    ("as_of", "rows", "said"),
    [
        ("2026-01-31", EIGHT, "given one month into a quarter, 7 of 8 held; the latest, FY25 Q4, did not"),
        ("2026-02-27", EIGHT, "given one month into a quarter, 7 of 8 held; the latest, FY25 Q4, did not"),
        ("2026-01-31", EIGHT.iloc[:7], "given one month into a quarter, 7 of 7 held"),
        ("2026-01-31", EIGHT.iloc[1:], "given one month into a quarter, 6 of 7 held"),  # too few to tell from one
        ("2026-02-28", EIGHT, "given two months into a quarter, 1 of 1 held"),
        ("2026-03-31", EIGHT, "given before a quarter began, 0 of 1 held"),
        ("2026-03-30", EIGHT, "given two months into a quarter, 1 of 1 held"),
        ("2026-03-31", EIGHT.iloc[:7], ""),
    ],
)
def test_ranges_of_quarters_are_counted_at_today_s_stage(as_of, rows, said):
    assert quarters.stage_note(rows, as_of=as_of, company=EURO) == said


def test_the_count_of_ranges_leads_to_its_rows():
    from forecast.sources import cited, of_file

    note = quarters.stage_note(of_file(EIGHT, "backtest"), as_of="2026-01-31", company=EURO)
    assert cited(note) == ["count(backtest:0-6:origin)|in_full", "count(backtest:0-7:origin)|in_full"]


def test_misses_are_counted_over_all_settled_quarters():
    ends = [3e6, 6e6, 4e6, 4.1e6, 4.2e6, 9e6]
    rows = [
        (f"202{4 + i // 4}-0{1 + i % 4}-28", f"FY2{4 + i // 4} Q{1 + i % 4}", 1, 4e6, 3.5e6, 4.5e6, end)
        for i, end in enumerate(ends)
    ]
    table = quarters.closed_quarters(track(*rows))
    told = plain(quarters.quarters_finding(table))
    day = "given the day before"
    assert told == (
        f"FY25 Q2 ended above the 80{T}% range {day} it began; before it three of five quarters ended inside theirs"
    )
    assert len(table) == len(ends)
    # Quarters that one after the other missed on the same side are one thing; another side is another.
    told = plain(
        quarters.quarters_finding(
            table.assign(booked=[4e6, 4e6, 3e6, 5e6, 3e6, 2e6], inside=[*"yy", *"nnnn"]).replace(
                {"inside": {"y": "yes", "n": "no"}}
            )
        )
    )
    assert told == (
        f"FY25 Q1 and FY25 Q2 ended below the 80{T}% ranges {day} they began; before them two of four quarters ended "
        "inside theirs"
    )


def test_ranges_that_are_not_there_are_not_judged():
    empty = TRACK.assign(q10=NAN, q90=NAN).drop(columns="plan")
    table = quarters.closed_quarters(empty)
    assert table["inside"].tolist() == ["unknown", "unknown"]
    assert quarters.quarters_finding(table) == "No quarter has settled whose forecast was made before it began"
    shown = TableView(table, "", **quarters.columns(EURO))._repr_html_()
    assert "nan" not in shown
    assert shown.count(">–<") == 6
    nothing = quarters.closed_quarters(TRACK.iloc[:0])
    assert nothing.empty
    assert "Nothing to show" in TableView(nothing, "", **quarters.columns(EURO))._repr_html_()


THEN = "Computed as of 30 September, the forecast of FY26 Q4 would have been"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"target_period": "FY26 Q4", "mean": 4.7e6, "p_at_least_plan": 0.32},
            f"{THEN} €4.9{T}m (50{T}% likely to reach plan); now €4.7{T}m (32{T}% likely to reach plan).",
        ),
        (
            {"target_period": "FY26 Q4", "mean": 4.7e6, "p_at_least_plan": NAN},
            f"{THEN} €4.9{T}m (50{T}% likely to reach plan); now €4.7{T}m.",
        ),
        ({"target_period": "FY27 Q4", "mean": 4.7e6}, ""),
        ({"target_period": "FY26 Q4", "mean": NAN}, ""),
        (None, ""),
    ],
)
def test_how_the_forecast_moved(row, said):
    assert quarters.moved(TRACK, row, company=EURO) == said
