"""Trend and season of past bookings: the months taken apart, drawn, and described.

Where two full years are not known, the page says that it cannot tell; a part that chance would show as well is neither
drawn nor claimed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from forecast import sources, wording
from forecast.calendar import parse_periods
from forecast.data.schema import TOTAL, Company
from forecast.errors import DataError
from forecast.models.baselines.decomposition import YEAR, Decomposition, seasonal_trend
from forecast.reporting.charts.axes import end_labels, money_axis, money_formats, month_axis
from forecast.reporting.charts.canvas import Canvas, Caption, Drawing, chart, places
from forecast.reporting.charts.figure import Format, Notes, Statement, TableView, Together
from forecast.reporting.charts.style import BOOKED, TREND, WITH_SEASON
from forecast.reporting.pages.bookings.prepare import past_months


@dataclass(frozen=True, kw_only=True)
class Seasons:
    """Settled months of the company, two years of them or more, and their parts.

    periods : of the months. booked : (months,). parts : trend, seasonal and remainder, which add up to `booked`.
    table : month and all of these. strengths : part (trend, season), strength and by_chance, of `parts`.
    """

    periods: list[str]
    booked: np.ndarray
    parts: Decomposition
    table: pd.DataFrame
    strengths: pd.DataFrame
    company: Company

    @property
    def has_trend(self) -> bool:
        """Whether the months in random order would rarely show a trend as strong."""
        return self.parts.has_trend

    @property
    def has_season(self) -> bool:
        """Whether the months in random order would rarely show a season as strong."""
        return self.parts.has_season

    @property
    def largest(self) -> float:
        """The largest amount drawn; at least 1, so that an axis has a length."""
        return max(float(self.booked.max()), float((self.parts.trend + self.parts.seasonal).max()), 1.0)


def seasons(booked: pd.DataFrame, *, company: Company, as_of: Any, seed: int = 0) -> Together | Statement:
    """Draw the settled months with their trend and season, and say how much of either is more than chance.

    booked : period, segment, amount of months as known on as_of; those that have not settled by then are left out.
    """
    try:
        record = prepare_seasons(booked, company=company, as_of=as_of, seed=seed)
    except DataError:
        return Statement(UNKNOWN, TOO_SHORT, kind="abstain")
    picture = chart(
        record,
        draw_seasons,
        describe_seasons(record),
        table=record.table,
        heads=HEADS,
        company=company,
        as_of=as_of,
        formats=money_formats(record.table, company),
        by="x",
    )
    heads, formats = STRENGTH_HEADS, STRENGTH_FORMATS
    strengths = TableView(record.strengths, STRENGTHS, columns=heads, formats=formats, fold=STRENGTHS)
    return Together(picture, Statement(record.parts.note, kind="note"), strengths)


def prepare_seasons(booked: pd.DataFrame, *, company: Company, as_of: Any, seed: int = 0) -> Seasons:
    """Return the settled months taken apart. Raises DataError where they are fewer than two years."""
    months = settled_months(booked, company=company, as_of=as_of)
    amounts = months.to_numpy(float)
    parts, periods = seasonal_trend(amounts, seed=seed), list(months.index.astype("str"))
    columns = {name: getattr(parts, name) for name in ("trend", "seasonal", "remainder")}
    strength, by_chance = [parts.trend_strength, parts.season_strength], [parts.trend_by_chance, parts.season_by_chance]
    strengths = pd.DataFrame({"part": ["trend", "season"], "strength": strength, "by_chance": by_chance})
    strengths = sources.named(strengths, "strengths")
    trend, season = sources.records(strengths)
    return Seasons(
        periods=periods,
        booked=amounts,
        parts=replace(
            parts,
            trend_strength=trend["strength"],
            season_strength=season["strength"],
            trend_by_chance=trend["by_chance"],
            season_by_chance=season["by_chance"],
        ),
        table=sources.named(pd.DataFrame({"month": periods, "booked": amounts, **columns}), "seasons"),
        strengths=strengths,
        company=company,
    )


def settled_months(booked: pd.DataFrame, *, company: Company, as_of: Any) -> pd.Series:
    """Return what the company booked in each settled month, by month (`PeriodIndex`), in order; booked as `seasons`."""
    last = company.periods.last_settled(pd.Timestamp(as_of), settle_days=company.settle_days)
    months = past_months(booked, segment=TOTAL)
    months = months[parse_periods(months["period"]) <= last]
    return pd.Series(months["amount"].to_numpy(float), index=pd.PeriodIndex(months["period"], freq="M"))


def past_alone(ahead: pd.DataFrame, *, company: Company) -> Together | Notes:
    """Return our months next to those of a model that knows no deal, and what tells it from the benchmark.

    Nothing where the past is too short for one.

    ahead : our months (target_period, mean), and where the past was long enough `alone`.
    """
    if ahead.empty or "alone" not in ahead:
        return Notes([])
    formats: dict[str, Format] = dict.fromkeys(("mean", "alone"), wording.in_currency(company.currency))
    table = ahead[["target_period", "mean", "alone"]]
    table.attrs = {}
    view = TableView(sources.named(table, "past_alone"), ALONE_CAPTION, columns=ALONE_HEADS, formats=formats)
    return Together(view, Statement(ALONE_NOTE, kind="note"))


def draw_seasons(canvas: Canvas, record: Seasons) -> Drawing:
    """Draw a bar a month, the trend as a line, trend and season as dashes; only what is more than chance."""
    figure, axes = canvas.axes(210 if canvas.narrow else 230, left=34, right=78 if canvas.narrow else 110)
    x, parts, labels = np.arange(len(record.periods), dtype=float), record.parts, []
    axes.bar(x, record.booked, width=0.7, **BOOKED.area, zorder=2)
    if record.has_season:
        level = parts.trend if record.has_trend else np.full(len(x), record.booked.mean())
        repeated = level + parts.seasonal
        axes.plot(x, repeated, **WITH_SEASON.line, linewidth=1.2, zorder=3)
        labels.append((float(repeated[-1]), LABELS["season"], WITH_SEASON.name))
    if record.has_trend:
        axes.plot(x, parts.trend, **TREND.line, linewidth=2.2, zorder=4)
        labels.append((float(parts.trend[-1]), LABELS["trend"], TREND.name))
    month_axis(axes, record.periods, calendar=record.company.periods, most=6 if canvas.narrow else 12)
    axes.set_ylim(0, record.largest * 1.06)
    money_axis(axes, record.largest, currency=record.company.currency)
    end_labels(axes, len(x) - 0.4, labels)
    return Drawing(figure=figure, marks=places(axes, x, record.booked))


# -- sentences ------------------------------------------------------------------------------------------

LABELS = {"trend": "trend", "season": "with season"}
"""What is written in the picture."""

HEADS = {"month": "month", "booked": "booked", "trend": "trend", "seasonal": "season", "remainder": "remainder"}
"""What stands over the columns of its table."""

ALONE_HEADS = {"target_period": "month", "mean": "expected", "alone": "from past months alone"}
ALONE_CAPTION = "A second opinion that knows no deal: exponential smoothing of the settled months"
ALONE_NOTE = (
    "The benchmark knows no deal either, but smooths each segment by itself and in ratios, this one the company's sum "
    "in amounts: after a sudden change the two can lie far apart."
)

STRENGTHS = "Trend and season next to what chance would show"
STRENGTH_HEADS = {"part": "", "strength": "of how months vary", "by_chance": "as much in random order"}
STRENGTH_FORMATS: dict[str, Format] = {"strength": wording.percent, "by_chance": wording.cases}

UNKNOWN = "We cannot say whether bookings have a trend or a season."
TOO_SHORT = "Trend and season can be told apart once two full years have settled."


def describe_seasons(record: Seasons) -> Caption:
    """Return the words of the months taken apart."""
    currency, title = record.company.currency, seasons_finding(record)
    unit = wording.axis_unit(record.largest, currency=currency)[1]
    drawn = "; bars: booked" + (", line: trend" if record.has_trend else "")
    drawn += ", dashes: with the season" if record.has_season else ""
    span = f"{wording.month(record.periods[0])} to {wording.month(record.periods[-1])}"
    return Caption(
        title=title,
        subtitle=f"Settled bookings by month, {unit}, all segments{drawn}",
        description=f"{title}. A bar a month from {span}. {record.parts.note}",
        tooltips=_tooltips(record),
    )


def seasons_finding(record: Seasons) -> str:
    """Return which of the two parts is more than chance.

    The trend is compared over the last year and the year before: the first months of a record are often too low,
    since deals made before it began are not in it.
    """
    years = record.table.iloc[-2 * YEAR : -YEAR], record.table.iloc[-YEAR:]
    before, last = (sources.aggregate(year, "trend", "mean") for year in years)
    moved = wording.change(last / before - 1 if before > 0 else None)
    trend = f"The trend's mean {moved}, last twelve months against the twelve before"
    if record.has_trend and record.has_season:
        return f"{trend}; {_strongest(record)} is the strongest month"
    if record.has_trend:
        return f"{trend}; no season beyond chance"
    if record.has_season:
        return f"{_strongest(record)} is the strongest month every year; no trend beyond chance"
    return "Neither a trend nor a season is more than chance"


def _strongest(record: Seasons) -> str:
    """Return the name of the month in which the season is highest: `December`."""
    highest = record.periods[int(np.argmax(record.parts.seasonal[-YEAR:])) - YEAR]
    return wording.month(highest).partition(" ")[0]


def _tooltips(record: Seasons) -> list[str]:
    currency, tooltips = record.company.currency, []
    for row in sources.records(record.table):
        booked = wording.named_amount("booked", row["booked"], currency=currency)
        trend = wording.named_amount("trend", row["trend"], currency=currency) if record.has_trend else ""
        season = wording.named_amount("season", row["seasonal"], currency=currency, sign=True)
        tooltips.append(wording.listed(wording.month(row["month"]), booked, trend, season if record.has_season else ""))
    return tooltips
