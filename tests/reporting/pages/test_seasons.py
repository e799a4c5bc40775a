"""Trend and season of past bookings: shown where they are more than chance, and not claimed where they are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.calendar import period_labels
from forecast.data.schema import Company
from forecast.reporting.charts.figure import Chart, Statement, Together
from forecast.reporting.pages.bookings.seasons import past_alone, seasons, settled_months
from forecast.sources import plain
from forecast.wording import THIN as T

YEARS = "last twelve months against the twelve before"
EURO = Company(name="C", currency="EUR")
MONTHS = 48
WAVE = np.where(np.arange(MONTHS) % 12 == 2, 6e5, 0.0)  # the third month of a year that begins in November: January
NOISE = np.random.default_rng(5).normal(0, 3e4, MONTHS)


def booked(amounts: np.ndarray) -> pd.DataFrame:
    """Months from November 2022 on, in two segments."""
    periods = list(period_labels(range(2022 * 12 + 10, 2022 * 12 + 10 + len(amounts))))
    halves = [pd.DataFrame({"period": periods, "segment": name, "amount": amounts / 2}) for name in ("A", "B")]
    return pd.concat(halves, ignore_index=True)


def shown(amounts: np.ndarray, as_of: str = "2026-11-30") -> tuple[Chart, Statement]:
    part = seasons(booked(amounts), company=EURO, as_of=as_of)
    assert isinstance(part, Together)
    chart, note, _ = part.parts
    assert isinstance(chart, Chart)
    assert isinstance(note, Statement)
    return chart, note


def lines(chart: Chart) -> int:
    return len([line for line in chart.figure.axes[0].get_lines() if len(line.get_xdata()) > 2])


@pytest.mark.parametrize(
    ("amounts", "title", "drawn"),
    [
        (
            1e6 + 2e4 * np.arange(MONTHS) + WAVE + NOISE,
            f"The trend's mean rose by 15{T}%, {YEARS}; January is the strongest month",
            2,
        ),
        (
            1e6 + 2e4 * np.arange(MONTHS) + NOISE,
            f"The trend's mean rose by 15{T}%, {YEARS}; no season beyond chance",
            1,
        ),
        (1e6 + WAVE + NOISE, "January is the strongest month every year; no trend beyond chance", 1),
        (np.full(MONTHS, 1e6), "Neither a trend nor a season is more than chance", 0),
        (np.zeros(MONTHS), "Neither a trend nor a season is more than chance", 0),
    ],
)
def test_a_part_is_claimed_and_drawn_only_where_it_is_more_than_chance(amounts, title, drawn):
    chart, note = shown(amounts)
    assert plain(chart.title) == title
    assert lines(chart) == drawn
    assert note.sentence
    assert len(chart.tooltips) == len(chart.tooltips_narrow) == MONTHS
    assert "nan" not in chart._repr_html_()


def test_the_parts_of_a_month_add_up_to_it():
    table = shown(1e6 + WAVE + NOISE)[0].table
    assert (table["trend"] + table["seasonal"] + table["remainder"]).tolist() == pytest.approx(table["booked"].tolist())


def test_a_month_that_has_not_settled_is_left_out():
    amounts = 1e6 + WAVE + NOISE
    assert len(shown(amounts, as_of="2026-10-31")[0].table) == MONTHS - 1  # October 2026 settles on 7 November


@pytest.mark.parametrize("months", [0, 1, 23])
def test_of_less_than_two_years_it_cannot_tell(months):
    part = seasons(booked(np.full(months, 1e6)), company=EURO, as_of="2026-11-30")
    assert isinstance(part, Statement)
    assert part.kind == "abstain"
    assert "two full years" in part.more


def test_the_settled_months_are_of_the_whole_company():
    months = settled_months(booked(np.arange(1.0, 13.0)), company=EURO, as_of="2023-10-31")
    assert months.tolist() == pytest.approx(list(range(1, 12)))  # October 2023 settles on 7 November
    assert list(months.index.astype(str)[:2]) == ["2022-11", "2022-12"]


def test_the_past_alone_next_to_our_months():
    ahead = pd.DataFrame({"target_period": ["2026-12", "2027-01"], "mean": [1.2e6, 1.1e6]})
    html = past_alone(ahead.assign(alone=[0.8e6, np.nan]), company=EURO)._repr_html_()
    for cell in (f"€1.2{T}m", f"€800{T}k", "–"):
        assert cell in html
    assert html.count("The benchmark knows no deal either") == 1  # and says something else: the page says why
    assert "nan" not in html
    assert past_alone(ahead, company=EURO)._repr_html_() == ""  # too short a past for a model of it
    assert past_alone(ahead.iloc[:0].assign(alone=1.0), company=EURO)._repr_html_() == ""
