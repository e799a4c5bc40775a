"""The list of segments and a segment's part of a month: values by hand, sums to the cent, numbers lead to cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.data.schema import Company
from forecast.reporting.month.one_segment import rows_of, segments_of
from forecast.reporting.month.results import Results
from forecast.reporting.pages.bookings import one_segment
from forecast.reporting.run import figures
from forecast.reporting.segments.listed import linked, listed, segments_sentence, segments_table
from one_truth import page_faults

COMPANY = Company(name="C", currency="EUR")
NAMES = {"A/B": "a-b", "Zürich": "zurich", "C": "c"}


def forecast(model: str = "pipeline") -> pd.DataFrame:
    means = {"A/B": 1000.25, "Zürich": 2000.50, "C": np.nan, "Total": 3000.75}
    rows = [
        {"model": model, "target_period": period, "horizon": horizon, "segment": segment, "mean": mean, "plan": 10.0}
        for period, horizon in (("2026-11", 1), ("FY26 Q4", 0))
        for segment, mean in means.items()
    ]
    table = pd.DataFrame(rows).assign(p_at_least_plan=0.5)
    return table.assign(**{name: table["mean"] * share for name, share in (("q10", 0.8), ("q50", 1.0), ("q90", 1.2))})


@pytest.fixture
def results(tmp_path: Path) -> Results:
    found = Results(tmp_path / "tables")
    found.write("bookings", forecast())
    ends = [("company", "Total", 2900.75), ("segment", "A/B", 1100.25), ("owner", "A/B", 1.0)]
    rows = [
        {"target_period": "FY26 Q4", "level": level, "node": node, "before": before} for level, node, before in ends
    ]
    found.write("changes_forecast_ends", pd.DataFrame(rows).assign(after=[3000.75, 1000.25, 5.0]))
    return found


def test_the_sum_of_the_segments_is_the_companys_number_to_the_cent(results: Results):
    table = segments_table(results, NAMES)
    assert list(table["segment"]) == ["Zürich", "A/B", "C", "Total"]
    parts, total = table[table["segment"] != "Total"], table[table["segment"] == "Total"]
    assert round(parts["mean"].sum(), 2) == round(total["mean"].iloc[0], 2) == 3000.75
    assert list(table["page"]) == ["zurich.html", "a-b.html", "c.html", ""]
    # by hand: 1000.25 - 1100.25; of Zürich and C the day before knew nothing
    assert table.set_index("segment")["change"].to_dict() == pytest.approx(
        {"Zürich": np.nan, "A/B": -100.0, "C": np.nan, "Total": 100.0}, nan_ok=True
    )


def test_the_list_says_what_is_there_and_leads_to_pages_and_cells(results: Results, tmp_path: Path):
    table = results.write("segments", segments_table(results, NAMES))
    assert "3 segments, which together are expected to book" in repr(listed(table, company=COMPANY))
    html = linked(listed(table, company=COMPANY)._repr_html_(), table)
    assert [html.count(f'<a href="{name}.html">') for name in NAMES.values()] == [1, 1, 1]
    assert "nan" not in html
    page = tmp_path / "index.html"
    page.write_text(figures.with_tables(html, name="segments", results=results), encoding="utf-8")
    assert page_faults(page, tmp_path / "tables") == []


def test_without_a_forecast_it_says_so(results: Results):
    empty = forecast().assign(mean=np.nan, q10=np.nan, q90=np.nan)
    results.write("bookings", empty)
    table = segments_table(results, NAMES)
    assert segments_sentence(table, company=COMPANY) == "No segment can be forecast."
    assert "nan" not in listed(table, company=COMPANY)._repr_html_()


def test_a_segments_rows_are_its_own():
    assert segments_of(forecast()) == ["Zürich", "A/B", "C"]
    alarms = pd.DataFrame(
        {"segment": ["Total", "Total", "C", "A/B"], "model": ["pipeline", "submitted-x", "pipeline", "x"]}
    )
    assert list(rows_of("alarms", alarms, "C").index) == [0, 2]
    events = pd.DataFrame({"segment": [None, "C", "A/B"], "kind": ["a", "b", "c"]})
    assert list(rows_of("events", events, "C")["kind"]) == ["a", "b"]
    ends = pd.DataFrame({"level": ["segment", "owner", "segment"], "node": ["C", "C", "A/B"]})
    assert list(rows_of("changes_forecast", ends, "C").index) == [0]
    past = pd.DataFrame({"segment": ["C"] * 3 + ["Total"], "model": ["pipeline", "ets", "stage-age", "pipeline"]})
    assert list(rows_of("backtest", past, "C").index) == [0, 1]


def test_its_record_and_its_deals_by_hand():
    past = pd.DataFrame(
        {
            "model": "pipeline",
            "segment": "C",
            "horizon": 1,
            "target_period": ["2026-08", "2026-09", "2026-10"],
            "mean": [10.0, 10.0, 10.0],
            "q10": [8.0, 8.0, 8.0],
            "q90": [12.0, 12.0, 12.0],
            "observed": [9.0, 13.0, np.nan],
        }
    )
    rows = one_segment.record_rows(past, segment="C")
    assert list(rows["target_period"]) == ["2026-09", "2026-08"]
    assert "1 of 2 ended inside" in one_segment.record_sentence(rows)
    assert one_segment.record_sentence(rows.iloc[:0]) == one_segment.NO_RECORD
    deals = pd.DataFrame({"opportunity_id": ["O1", "O2"], "expected_amount": [100.0, 50.0], "p_win": [0.5, 0.1]})
    assert one_segment.deals_sentence(deals, company=COMPANY) == "2 open deals, together worth €150 by their odds."
    assert one_segment.deals_sentence(deals.iloc[:0], company=COMPANY) == one_segment.NO_DEALS
