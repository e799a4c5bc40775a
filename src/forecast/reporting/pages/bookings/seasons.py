"""Trend and season of past bookings: the months taken apart, drawn, and described.

Months in which the pipeline was still filling are left out. Where two full years do not remain, the page says that it
cannot tell; a part that chance would show as well is neither drawn nor claimed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from forecast import sources, wording
from forecast.calendar import is_quarter, parse_periods
from forecast.data.schema import TOTAL, Company
from forecast.errors import DataError
from forecast.models.baselines.decomposition import SHUFFLES, YEAR, Decomposition, seasonal_trend
from forecast.reporting.charts.axes import end_labels, money_axis, money_formats, month_axis
from forecast.reporting.charts.canvas import Canvas, Caption, Drawing, chart, places
from forecast.reporting.charts.figure import Format, Notes, Statement, TableView, Together
from forecast.reporting.charts.flags import flags_of
from forecast.reporting.charts.style import BOOKED, TREND, WITH_SEASON
from forecast.reporting.pages.bookings.prepare import past_months
from forecast.reporting.pages.bookings.sentences import NOT_RANKED

Row = Mapping[str, Any] | None
"""Of the headline, as `headline_row` gives it."""


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


def seasons(
    booked: pd.DataFrame,
    *,
    company: Company,
    as_of: Any,
    filled_from: int = 0,
    seed: int = 0,
    events: pd.DataFrame | None = None,
) -> Together | Statement:
    """Draw the settled months with their trend and season, and say how much of either is more than chance.

    booked : period, segment, amount of months as known on as_of; those that have not settled by then are left out.
    filled_from : the first period that counts, see `pipeline_filled_from`. events : to be flagged, as `dated` gives
    them.
    """
    try:
        record = prepare_seasons(booked, company=company, as_of=as_of, filled_from=filled_from, seed=seed)
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
        flags=flags_of(events, record.periods, company=company, name="seasons"),
    )
    heads, formats = STRENGTH_HEADS, STRENGTH_FORMATS
    strengths = TableView(record.strengths, STRENGTHS, columns=heads, formats=formats, fold=STRENGTHS)
    return Together(
        picture,
        Statement(record.parts.note, years_compared(record) if record.has_trend else "", kind="note"),
        strengths,
    )


def prepare_seasons(
    booked: pd.DataFrame, *, company: Company, as_of: Any, filled_from: int = 0, seed: int = 0
) -> Seasons:
    """Return the settled months taken apart. Raises DataError where they are fewer than two years."""
    months = settled_months(booked, company=company, as_of=as_of, filled_from=filled_from)
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


def settled_months(booked: pd.DataFrame, *, company: Company, as_of: Any, filled_from: int = 0) -> pd.Series:
    """Return what the company booked in each settled month, by month (`PeriodIndex`), in order.

    booked, filled_from : as `seasons` takes them.
    """
    last = company.periods.last_settled(pd.Timestamp(as_of), settle_days=company.settle_days)
    months = past_months(booked, segment=TOTAL)
    periods = parse_periods(months["period"])
    months = months[(periods >= filled_from) & (periods <= last)]
    return pd.Series(months["amount"].to_numpy(float), index=pd.PeriodIndex(months["period"], freq="M"))


def past_alone(
    ahead: pd.DataFrame,
    booked: pd.DataFrame,
    row: Mapping[str, Any] | None,
    benchmark: pd.DataFrame,
    *,
    company: Company,
) -> Together | Notes:
    """Return our months next to those of two models that know no deal, and what these say of the quarter.

    Nothing where the past is too short for one.

    ahead : our months (target_period, mean), and where the past was long enough `alone`. booked : as `seasons` takes
    it. row : of the headline. benchmark : the month's table.
    """
    if ahead.empty or "alone" not in ahead:
        return Notes([])
    formats: dict[str, Format] = dict.fromkeys(("mean", "alone", "benchmark"), wording.in_currency(company.currency))
    table = opinions(ahead, booked, row, benchmark, company=company)
    view = TableView(table, ALONE_CAPTION, columns=ALONE_HEADS, formats=formats)
    return Together(view, Statement(_opinions_differ(table, currency=company.currency), kind="note"))


def opinions(
    ahead: pd.DataFrame,
    booked: pd.DataFrame,
    row: Mapping[str, Any] | None,
    benchmark: pd.DataFrame,
    *,
    company: Company,
) -> pd.DataFrame:
    """Return target_period, mean, alone and benchmark of the months ahead, and of the headline's quarter.

    Parameters as `past_alone` takes them. A quarter is what its months before these have brought, and these.
    """
    table = ahead[["target_period", "mean", "alone"]].reset_index(drop=True)
    table.attrs = {}
    if row is not None and row["target_period"] not in set(table["target_period"]):
        periods = pd.Series(parse_periods(table["target_period"]), index=table.index)
        quarter = company.periods.quarter_of(int(periods.iloc[0]))
        within = company.periods.quarter_periods(quarter)
        if company.periods.quarter_label(quarter) == row["target_period"] and within[-1] in set(periods):
            past = past_months(booked, segment=TOTAL)
            known = parse_periods(past["period"])
            before = past.loc[np.isin(known, within) & (known < int(periods.iloc[0])), "amount"].sum()
            alone = before + table.loc[periods.isin(within), "alone"].sum(skipna=False)
            table.loc[len(table)] = [row["target_period"], sources.bare(row["mean"]), alone]
    totals = benchmark[benchmark["segment"] == TOTAL].drop_duplicates("target_period").set_index("target_period")
    return sources.named(table.assign(benchmark=table["target_period"].map(totals["mean"])), "past_alone")


def _opinions_differ(table: pd.DataFrame, *, currency: str) -> str:
    """Return what this model and the benchmark say of the quarter, and what tells them apart."""
    last = sources.row(table.iloc[-1:])
    if not is_quarter(pd.Series([sources.plain(last["target_period"])])).all() or pd.isna(last["benchmark"]):
        return ALONE_NOTE
    alone, other = (wording.money(last[name], currency=currency) for name in ("alone", "benchmark"))
    return OPINIONS.format(last["target_period"], alone, other, ALONE_NOTE)


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

ALONE_HEADS = {
    "target_period": "month",
    "mean": "expected",
    "alone": "from past months alone",
    "benchmark": "benchmark",
}
ALONE_CAPTION = "A second opinion that knows no deal: exponential smoothing of the settled months"
OPINIONS = "For {}, with what is booked of it, it gives {}, the benchmark {}. {}"
ALONE_NOTE = "Both smooth past months: this one the company's sum, the benchmark each segment by itself and in ratios."

STRENGTHS = "Trend and season next to what chance would show"
STRENGTH_HEADS = {"part": "", "strength": "of how months vary", "by_chance": "as much in random order"}
STRENGTH_FORMATS: dict[str, Format] = {
    "strength": wording.percent,
    "by_chance": partial(wording.cases, draws=SHUFFLES + 1),
}

MOST_NAMED = 4
"""As many months are named as the strongest at most."""

UNKNOWN = "We cannot say whether bookings have a trend or a season of the year."
TOO_SHORT = (
    "Trend and season can be told apart once two full years have settled, without the first months of a record, in "
    "which the pipeline was still filling. That the months of a quarter differ is no season of the year: a forecast "
    "goes by it where past wins show it."
)


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
    """Return which of the two parts is more than chance, and which month is the strongest where that can be ranked."""
    if record.has_trend and record.has_season:
        return f"Bookings have a trend and a season: {_strongest(record)}"
    if record.has_trend:
        return "Bookings have a trend, but no season beyond chance"
    if record.has_season:
        return f"Bookings have a season, but no trend beyond chance: {_strongest(record)}"
    return "Neither a trend nor a season is more than chance"


def _strongest(record: Seasons) -> str:
    """Return the names of the months in which the season is highest: `December is the strongest month`."""
    first = record.parts.strongest
    names = [wording.month(record.periods[month - YEAR]).partition(" ")[0] for month in first]
    if len(names) == 1:
        return f"{names[0]} is the strongest month"
    if len(names) <= MOST_NAMED:
        return f"{wording.joined(names)} are the strongest months, {NOT_RANKED}"
    return f"its strongest months are {NOT_RANKED}"


def years_compared(record: Seasons) -> str:
    """Return what the last two years brought, in amounts: the trend's test is of all months, not of these two years."""
    before, last = (
        wording.money(sources.total(year, "booked"), currency=record.company.currency)
        for year in (record.table.iloc[-2 * YEAR : -YEAR], record.table.iloc[-YEAR:])
    )
    return f"The last twelve settled months brought {last}, the twelve before {before}."


def _tooltips(record: Seasons) -> list[str]:
    currency, tooltips = record.company.currency, []
    for row in sources.records(record.table):
        booked = wording.named_amount("booked", row["booked"], currency=currency)
        trend = wording.named_amount("trend", row["trend"], currency=currency) if record.has_trend else ""
        season = wording.named_amount("season", row["seasonal"], currency=currency, sign=True)
        tooltips.append(wording.listed(wording.month(row["month"]), booked, trend, season if record.has_season else ""))
    return tooltips
