"""Trend and season of past bookings: shown where they are more than chance, and not claimed where they are not."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecast.calendar import period_labels
from forecast.data.schema import Company
from forecast.errors import DataError
from forecast.reporting.charts.figure import Chart, Statement, Together
from forecast.reporting.pages.bookings.seasons import (
    Seasons,
    opinions,
    past_alone,
    prepare_seasons,
    seasons,
    seasons_finding,
    settled_months,
)
from forecast.sources import plain
from forecast.wording import THIN as T

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
            "Bookings have a trend and a season: January is the strongest month",
            2,
        ),
        (
            1e6 + 2e4 * np.arange(MONTHS) + NOISE,
            "Bookings have a trend, but no season beyond chance",
            1,
        ),
        (1e6 + WAVE + NOISE, "Bookings have a season, but no trend beyond chance: January is the strongest month", 1),
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


AHEAD = pd.DataFrame({"target_period": ["2026-12", "2027-01"], "mean": [1.2e6, 1.1e6]})
NO_BENCHMARK = pd.DataFrame({"segment": [], "target_period": [], "mean": []})


def test_the_past_alone_next_to_our_months():
    html = past_alone(AHEAD.assign(alone=[0.8e6, np.nan]), booked(WAVE), None, NO_BENCHMARK, company=EURO)._repr_html_()
    for cell in (f"€1.2{T}m", f"€800{T}k", "–"):
        assert cell in html
    assert html.count("Both smooth past months") == 1
    assert "nan" not in html
    # too short a past for a model of it
    assert past_alone(AHEAD, booked(WAVE), None, NO_BENCHMARK, company=EURO)._repr_html_() == ""
    nothing = AHEAD.iloc[:0].assign(alone=1.0)
    assert past_alone(nothing, booked(WAVE), None, NO_BENCHMARK, company=EURO)._repr_html_() == ""


def test_two_opinions_without_deals_are_told_with_both_totals_of_the_quarter():
    # October and November 2026 brought 1 and 2 m; with .8 m in December the quarter brings 3.8 m.
    past = booked(np.r_[np.zeros(MONTHS - 1), 1e6, 2e6]).query("period >= '2026-10'")
    benchmark = pd.DataFrame({"segment": ["A", "Total"], "target_period": ["FY26 Q4"] * 2, "mean": [1e6, 4.1e6]})
    row, ahead = {"target_period": "FY26 Q4", "mean": 4.2e6}, AHEAD.assign(alone=[0.8e6, 0.7e6])
    table = opinions(ahead, past, row, benchmark, company=EURO)
    assert table.iloc[-1][["mean", "alone", "benchmark"]].tolist() == pytest.approx([4.2e6, 3.8e6, 4.1e6])
    html = plain(past_alone(ahead, past, row, benchmark, company=EURO)._repr_html_())
    assert f"For FY26 Q4, with what is booked of it, it gives €3.8{T}m, the benchmark €4.1{T}m." in re.sub(
        "<[^>]+>", "", html
    )
    # a quarter that the months ahead do not fill has no row
    assert len(opinions(ahead, past, row | {"target_period": "FY27 Q1"}, benchmark, company=EURO)) == len(ahead)


def test_months_in_which_the_pipeline_was_filling_are_no_trend():
    ramp = np.r_[np.linspace(0, 1e6, 12), 1e6 + NOISE[12:]]
    filled = 2023 * 12 + 10
    parts = [prepare_seasons(booked(ramp), company=EURO, as_of="2026-11-30", filled_from=at) for at in (0, filled)]
    assert [each.has_trend for each in parts] == [True, False]
    assert parts[1].periods[0] == "2023-11"
    with pytest.raises(DataError):
        prepare_seasons(booked(ramp[:35]), company=EURO, as_of="2026-11-30", filled_from=filled)


def test_two_months_as_strong_are_too_near_to_rank():
    two = np.where(np.isin(np.arange(MONTHS) % 12, [2, 5]), 6e5, 0.0)
    title = plain(shown(1e6 + two + NOISE)[0].title)
    assert title.endswith("January and April are the strongest months, too near to rank")
    all_near = replace_season(prepare_seasons(booked(1e6 + two + NOISE), company=EURO, as_of="2026-11-30"))
    assert seasons_finding(all_near).endswith("its strongest months are too near to rank")


def replace_season(record: Seasons) -> Seasons:
    """The same, with a remainder in which no month of the year stands out."""
    return replace(record, parts=replace(record.parts, remainder=record.parts.remainder * 100))


def test_the_least_chance_that_shuffles_can_show_is_called_that():
    amounts = 1e6 + 2e4 * np.arange(MONTHS) + WAVE + NOISE
    strengths = seasons(booked(amounts), company=EURO, as_of="2026-11-30").parts[2]
    assert plain(strengths._repr_html_()).count("at most 1 of 100") == 2
    # the last twelve months against the twelve before, by hand: 2e4 a month more, twelve months apart
    note = shown(amounts)[1]
    before, last = (f"€{amounts[at].sum() / 1e6:.3g}{T}m" for at in (slice(-24, -12), slice(-12, None)))
    assert plain(note.more) == f"The last twelve settled months brought {last}, the twelve before {before}."
    assert shown(1e6 + WAVE + NOISE)[1].more == ""  # no trend, no years compared
