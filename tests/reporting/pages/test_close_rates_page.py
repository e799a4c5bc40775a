"""Close rates on the page: the finding, what cannot be told, and the picture."""

from __future__ import annotations

import pandas as pd

from forecast import sources
from forecast.data.schema import Company
from forecast.evaluation.scorecard.close_rates import ALL_ENDED, COHORT, DECIDED, FIGURE, NAIVE, definition_of
from forecast.evaluation.scorecard.definition import Definition, as_table
from forecast.reporting.charts.figure import Chart, Statement
from forecast.reporting.pages.scorecard import close_rates as page
from forecast.wording import THIN as T

NAN = float("nan")
PAGE = {"company": Company(name="C", currency="EUR"), "as_of": pd.Timestamp("2026-10-31")}
WHY = "cannot tell: 29 % are open; closing what is lost would tell"


def table(**values: tuple[float, float]) -> pd.DataFrame:
    """Return rows of won/(won+lost) and of all that ended, (naive, cohort) each, known within 2 points."""
    rows = []
    for rate, both in ((DECIDED, values["decided"]), (ALL_ENDED, values["ended"])):
        for way, value in zip((NAIVE, COHORT), both, strict=True):
            name = definition_of(rate, way, "count")
            rows.append(
                Definition(
                    figure=FIGURE,
                    definition=name,
                    means="deals",
                    unit="share",
                    value=value,
                    low=value - 0.02,
                    high=value + 0.02,
                    n=1000,
                    n_of="deal",
                    first="2024-11",
                    last="2026-10",
                    missing=WHY if value != value else "",
                )
            )
            rows.append(Definition(figure=FIGURE, definition=name, means="deals", unit="share", segment="A", value=0.9))
    return as_table(rows)


def test_where_they_agree_the_title_says_so():
    rates = page.prepare_rates(table(decided=(0.56, 0.57), ended=(0.46, 0.47)))
    assert page.title_of(rates) == page.ALIKE
    assert rates.names == [DECIDED, ALL_ENDED]
    assert len(rates.table) == 4  # the company alone


def test_a_difference_within_wide_ranges_is_not_called_none():
    wide = table(decided=(0.66, 0.56), ended=(0.46, 0.47))
    rates = page.prepare_rates(wide.assign(low=wide["value"] - 0.1, high=wide["value"] + 0.1))
    assert page.title_of(rates) == page.OPEN


def test_where_they_differ_beyond_their_ranges_the_title_says_by_how_much():
    rates = page.prepare_rates(table(decided=(0.70, 0.60), ended=(0.50, 0.48)))
    said = sources.plain(page.title_of(rates))
    assert said == f"Deals closed say we win 70{T}%, cohorts 60{T}%, of deals won or lost"


def test_where_deals_left_open_hide_it_the_closed_stand_against_all_that_set_out():
    shown = table(decided=(0.72, NAN), ended=(0.60, 0.51))
    rates = page.prepare_rates(shown)
    assert sources.plain(page.title_of(rates)) == f"Deals closed say we win 72{T}%, but of all that began 51{T}%"
    assert page.reasons(shown) == [
        "Deals won or lost, by cohort: cannot tell: 29 % are open; closing what is lost would tell."
    ]
    described = sources.plain(page.describe_rates(rates).description)
    assert f"deals won or lost, by cohort: {page.UNKNOWN}" in described
    assert page.title_of(page.prepare_rates(table(decided=(0.52, NAN), ended=(0.51, 0.51)))) == page.HIDDEN


def test_it_is_drawn_with_a_tooltip_for_each_mark():
    picture = page.close_rates(table(decided=(0.72, NAN), ended=(0.60, 0.51)), **PAGE)
    assert isinstance(picture, Chart)
    assert len(picture.tooltips) == 3  # a rate that cannot be told has no mark
    assert {"value", "low", "high"} <= set(picture.formats)
    assert "cannot be told" in picture.plots()[0].picture


def test_without_any_rate_it_says_why():
    nothing = page.close_rates(table(decided=(NAN, NAN), ended=(NAN, NAN)), **PAGE)
    assert isinstance(nothing, Statement)
    assert "cannot be told" in nothing.sentence
    assert "closing what is lost" in nothing.more


def test_a_close_rate_that_is_not_drawn_says_by_its_own_name_why_it_is_not_known():
    other = Definition(figure=FIGURE, definition="won within 6 months, by count", means="m", unit="share", missing=WHY)
    (why,) = page.reasons(as_table([other]))
    assert sources.plain(why) == f"Won within 6 months, by count: {WHY}."
