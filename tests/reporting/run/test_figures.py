"""A page's own tables are written with it, and each of its numbers leads to a cell."""

from __future__ import annotations

import pandas as pd
import pytest

from forecast import sources, wording
from forecast.reporting.charts.figure import Statement, TableView
from forecast.reporting.month.results import Results
from forecast.reporting.run.figures import with_tables


@pytest.fixture
def results(tmp_path):
    results = Results(tmp_path / "tables")
    results.write("bookings", pd.DataFrame({"segment": ["A", "B"], "mean": [1.5e6, 2e6], "plan": [1e6, 4e6]}))
    return results


def test_a_cell_is_shown_as_it_is(results):
    row = sources.row(results.read("bookings"))
    page = with_tables(Statement(f"{wording.money(row['mean'])} come")._repr_html_(), name="page07", results=results)
    assert '<span data-src="bookings:0:mean|money">1.5\u202fm</span> come' in page
    assert "page07_figures" not in results


def test_what_was_worked_out_becomes_a_row_of_the_figures(results):
    row = sources.row(results.read("bookings"), 1)
    html = Statement(f"{wording.percent(row['mean'] / row['plan'])} of plan")._repr_html_()
    page = with_tables(html, name="page07", results=results)
    assert '<span data-src="page07_figures:0:value|percent">50\u202f%</span>' in page
    [figure] = results.read("page07_figures").to_dict("records")
    assert figure["value"] == 0.5
    assert figure["text"] == "50\u202f%"
    assert figure["made_from"] == "(bookings:1:mean/bookings:1:plan)"


def test_a_table_that_a_page_shows_is_written_with_it(results):
    view = sources.named(pd.DataFrame({"lead": ["one"], "wape": [0.25]}), "accuracy")
    shown = TableView(view, "How near", formats={"wape": wording.percent})
    page = with_tables(shown._repr_html_(), name="page04", results=results)
    assert 'data-table="page04_accuracy"' in page
    assert "data-rows" not in page
    assert '<td class="n" data-src="page04_accuracy:0:wape|percent">25\u202f%</td>' in page
    assert results.read("page04_accuracy").equals(view)


def test_two_tables_of_one_name_must_be_one(results):
    one, other = (TableView(sources.named(pd.DataFrame({"n": [n]}), "same"), "One")._repr_html_() for n in (1, 2))
    with_tables(one + one, name="page01", results=results)
    with pytest.raises(ValueError, match="two tables of the page are called 'page01_same'"):
        with_tables(one + other, name="page01", results=results)


def test_a_number_that_leads_nowhere_stops_the_page(results):
    gone = sources.sourced(1.0, "(gone:0:mean*2)")
    with pytest.raises(Exception, match="gone"):
        with_tables(Statement(wording.money(gone))._repr_html_(), name="page01", results=results)
