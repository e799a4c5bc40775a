"""The segments: each against its plan, and the months of all in panels of one scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from forecast import sources, wording
from forecast.calendar import is_quarter
from forecast.data.schema import QUANTILE_COLUMNS, TOTAL, Company
from forecast.reporting.charts.axes import money_axis, money_formats, row_axis, width_of
from forecast.reporting.charts.canvas import Canvas, Caption, Drawing, Place, chart, empty, places
from forecast.reporting.charts.figure import Chart, Statement
from forecast.reporting.charts.flags import NO_FLAGS, Flags, draw_flags, panel_flags
from forecast.reporting.charts.style import BOOKED, FORECAST, INK, PAPER, PLAN, RANGE80, RANGE95, SOFT
from forecast.reporting.pages.bookings.prepare import MODEL, Fan, headline_row, prepare_fan
from forecast.reporting.pages.bookings.sentences import MEANS, booked_amount, booked_of, forecast_tooltip

# -- each against its plan ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Standings:
    """The segments of a period that have a plan, furthest behind first.

    rows : of the forecast table. shares : the quantiles over plan, one row a segment. chances : of reaching plan, NaN
    where not known.
    """

    rows: pd.DataFrame
    shares: pd.DataFrame
    chances: list[float]
    company: Company

    @property
    def names(self) -> list[str]:
        """The segments, from the top down."""
        return list(self.rows["segment"])

    @property
    def limits(self) -> tuple[float, float]:
        """The ends of the axis of shares: 80 to 120 % of plan and whatever lies outside, up to three times the plan."""
        low, high = float(self.shares["q2.5"].min()), float(self.shares["q97.5"].max())
        return max(0.0, min(low, 0.8)) - 0.02, min(max(high, 1.2), 3.0) + 0.02


def segments(bookings: pd.DataFrame, *, company: Company, as_of: Any, period: str = "") -> Chart | Statement:
    """Draw each segment's range and its plan, as shares of plan, furthest behind first."""
    rows = segment_rows(bookings, period=period)
    title = segments_finding(rows, company=company)
    standings = prepare_segments(rows, company=company)
    if standings.rows.empty:
        return empty(title, NO_PLAN)
    return chart(
        standings,
        draw_segments,
        describe_segments(standings, title=title),
        table=standings.rows,
        heads=STANDINGS_HEADS,
        company=company,
        as_of=as_of,
        formats=money_formats(standings.rows, company, p="p_at_least_plan"),
        by="y",
    )


def segment_rows(bookings: pd.DataFrame, *, period: str = "") -> pd.DataFrame:
    """Return the segments' rows of a period (as `headline_row` picks it), `gap` = mean - plan, most behind first."""
    total = headline_row(bookings, period=period)
    if total is None:
        return bookings.iloc[:0].assign(gap=np.nan, plan=np.nan)
    rows = bookings[(bookings["model"] == MODEL) & (bookings["segment"] != TOTAL)]
    rows = rows[rows["target_period"] == total["target_period"]]
    rows = rows if "plan" in rows else rows.assign(plan=np.nan)
    rows = rows.assign(gap=rows["mean"] - rows["plan"])
    order = (rows["gap"] / rows["plan"].where(rows["plan"] > 0)).rename("order")
    return rows.assign(order=order).sort_values(["order", "segment"]).drop(columns="order")


def prepare_segments(rows: pd.DataFrame, *, company: Company) -> Standings:
    """Return those segments whose plan and range are known. rows : as `segment_rows` gives them."""
    known = rows[(rows["plan"] > 0) & rows["q50"].notna()]
    return Standings(
        rows=known,
        shares=known[list(QUANTILE_COLUMNS)].div(known["plan"], axis=0),
        chances=sources.column(known, "p_at_least_plan") if "p_at_least_plan" in known else [np.nan] * len(known),
        company=company,
    )


def draw_segments(canvas: Canvas, standings: Standings) -> Drawing:
    """Draw a row a segment: its 95 and 80 % range, its median, the plan as one line, its chance at the edge."""
    names, shares, most = standings.names, standings.shares, 14 if canvas.narrow else 24
    y = np.arange(len(names), dtype=float)
    figure, axes = canvas.axes(60 + 26 * len(y), left=width_of(names, most=most), right=58, top=32, bottom=24)
    axes.hlines(y, shares["q2.5"], shares["q97.5"], **RANGE95.bar, linewidth=3, zorder=2)
    axes.hlines(y, shares["q10"], shares["q90"], **RANGE80.bar, linewidth=9, zorder=2, capstyle="butt")
    axes.scatter(shares["q50"], y, s=46, **(FORECAST.points | {"edgecolor": PAPER}), linewidth=1, zorder=4)
    axes.axvline(1.0, **PLAN.line, linewidth=1.6, zorder=3)
    row_axis(axes, names, most=most)
    axes.set_xlim(*standings.limits)
    axes.xaxis.set_major_formatter(lambda value, _: wording.percent(value))
    axes.xaxis.set_major_locator(MaxNLocator(4 if canvas.narrow else 7, steps=[1, 2, 2.5, 5, 10]))
    axes.grid(True, axis="x")
    axes.text(1.0, -0.72, LABELS["plan"], ha="center", va="bottom", color=INK, clip_on=False)
    edge = axes.get_xlim()[1]
    axes.text(edge, -0.72, f"  {LABELS['chance']}", va="bottom", color=SOFT, clip_on=False)
    for row, chance in zip(y, standings.chances, strict=True):
        axes.text(edge, row, f"  {wording.short_chance(chance)}", va="center", color=INK, clip_on=False)
    return Drawing(figure=figure, marks=places(axes, np.minimum(shares["q50"], edge), y))


# -- the months of all ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Panels:
    """The months of every segment that has a range; one `Fan` each, by name, and all their months as one table.

    flags : of each segment, by name; none where it is not in them.
    """

    fans: Mapping[str, Fan]
    table: pd.DataFrame
    company: Company
    flags: Mapping[str, Flags] = field(default_factory=dict)

    @property
    def largest(self) -> float:
        """The largest amount of any panel: all share one scale."""
        fans = self.fans.values()
        ends = [*(fan.ahead["q90"].max() for fan in fans), *(fan.past["amount"].max() for fan in fans)]
        return float(np.nanmax(ends))


def small_multiples(
    bookings: pd.DataFrame,
    *,
    company: Company,
    as_of: Any,
    actuals: pd.DataFrame | None = None,
    months_back: int = 9,
    events: pd.DataFrame | None = None,
) -> Chart | Statement:
    """Draw the months of every segment in panels of one scale. events : to be flagged, as `dated` gives them."""
    panels = prepare_panels(bookings, company=company, actuals=actuals, months_back=months_back)
    months = {name: fan.periods for name, fan in panels.fans.items()}
    panels = replace(panels, flags=panel_flags(events, months, company=company, name="segment_months"))
    title = largest_finding(bookings, company=company)
    if not panels.fans:
        return empty(title, NO_RANGE)
    return chart(
        panels,
        draw_panels,
        describe_panels(panels, title=title),
        table=panels.table,
        heads=PANELS_HEADS,
        company=company,
        as_of=as_of,
        formats=money_formats(panels.table, company, p="p_at_least_plan"),
        flags=replace(next(iter(panels.flags.values())), marks=()),
    )


def prepare_panels(
    bookings: pd.DataFrame, *, company: Company, actuals: pd.DataFrame | None = None, months_back: int = 9
) -> Panels:
    """Return a fan for each segment whose range is known, by name."""
    fans = {
        name: prepare_fan(bookings, company=company, actuals=actuals, segment=name, months_back=months_back)
        for name in sorted(set(bookings["segment"]) - {TOTAL})
    }
    fans = {name: fan for name, fan in fans.items() if fan.has_range}
    tables = [fan.table for fan in fans.values()]
    table = sources.named(pd.concat(tables, ignore_index=True), "segment_months") if tables else bookings.iloc[:0]
    ends = np.cumsum([0, *map(len, tables)])
    placed = {
        name: replace(fan, table=table.iloc[first:last])
        for (name, fan), first, last in zip(fans.items(), ends[:-1], ends[1:], strict=True)
    }
    return Panels(fans=placed, table=table, company=company)


def draw_panels(canvas: Canvas, panels: Panels) -> Drawing:
    """Draw a panel a segment, two or four in a row."""
    columns, top, cell, gap = 2 if canvas.narrow else 4, 24, 92, 46
    height = -(-len(panels.fans) // columns) * (cell + gap) + 8
    width = (canvas.width - 34 - 12 * columns) / columns
    figure = Figure(figsize=(canvas.width / 72, height / 72))
    marks: list[Place] = []
    for i, fan in enumerate(panels.fans.values()):
        row, column = divmod(i, columns)
        left = (34 + column * (width + 12)) / canvas.width
        bottom = 1 - (top + (row + 1) * cell + row * gap) / height
        axes = figure.add_axes((left, bottom, width / canvas.width, cell / height))
        flags = panels.flags.get(fan.segment, NO_FLAGS)
        room = max((each.height for each in panels.flags.values()), default=0.0) / cell
        marks += _draw_panel(axes, fan, flags, largest=panels.largest, room=room)
        if column:
            axes.tick_params(axis="y", labelleft=False)
    return Drawing(figure=figure, marks=marks)


def _draw_panel(axes: Axes, fan: Fan, flags: Flags, *, largest: float, room: float) -> list[Place]:
    """Draw one segment: bars for months past, a band and a line for months ahead, a dash for each plan; its flags.

    room : the part of the panel that the flags of any panel need at its top.
    """
    past, ahead, x = fan.past["amount"], fan.ahead, fan.x
    axes.bar(np.arange(len(past)), past, 0.7, **BOOKED.area, zorder=2)
    axes.fill_between(x, ahead["q10"], ahead["q90"], **RANGE80.area, zorder=2)
    axes.plot(x, ahead["q50"], **FORECAST.line, linewidth=1.8, zorder=3)
    if "plan" in ahead:
        axes.hlines(fan.plan, x - 0.36, x + 0.36, **PLAN.line, linewidth=1.3, zorder=4)
    ends = [0, len(fan.periods) - 1]
    axes.set_xticks(ends, [wording.short_month(fan.periods[end], year=True) for end in ends])
    for tick, side in zip(axes.get_xticklabels(), ("left", "right"), strict=True):
        tick.set(ha=side)
    axes.set_xlim(-0.5, len(fan.periods) - 0.5)
    axes.set_ylim(0, largest * 1.05 / (1 - room))
    money_axis(axes, largest, currency=fan.company.currency, ticks=3)
    draw_flags(axes, flags, inside=True)
    axes.set_title(wording.label(fan.segment, most=22), loc="left", fontsize=12.5, color=INK, pad=5)
    return places(axes, range(len(fan.periods)), [*past, *ahead["q50"]])


# -- sentences ------------------------------------------------------------------------------------------

LABELS = {"plan": "plan", "chance": "chance"}
"""What is written in the picture of the segments against plan."""

STANDINGS_HEADS = {
    "segment": "segment",
    "mean": "mean",
    "q10": "low (80 %)",
    "q90": "high (80 %)",
    "plan": "plan",
    "p_at_least_plan": "p at least plan",
}
PANELS_HEADS = {
    "segment": "segment",
    "target_period": "month",
    "booked": "booked",
    "q10": "low (80 %)",
    "q50": "median",
    "q90": "high (80 %)",
}
"""What stands over the columns of each table."""

NO_PLAN = "There is no plan to compare the segments with."
NO_RANGE = "No segment has a range."


def segments_finding(rows: pd.DataFrame, *, company: Company) -> str:
    """Return the title of the segments: who is behind plan, by how much."""
    known = rows[rows["gap"].notna()] if len(rows) else rows
    if known.empty:
        return "Segments cannot be compared with a plan"
    behind = known[known["gap"] < 0]
    count = sources.capitalised(wording.of_all(sources.count(behind), sources.count(known), "segment"))
    if behind.empty:
        all_of_them = sources.capitalised(wording.of_all(sources.count(known), sources.count(known), "segment"))
        who = f"{wording.label(known['segment'].iloc[0])} is" if len(known) == 1 else f"{all_of_them} are"
        return f"{who} expected to reach plan"
    worst = sources.row(behind.loc[[behind["gap"].idxmin()]])
    short = wording.money(worst["plan"] - worst["mean"], currency=company.currency)
    if len(behind) == 1 and len(known) > 1:
        return f"Only {wording.label(worst['segment'])} is expected below plan, by {short}"
    if len(known) == 1:
        return f"{wording.label(worst['segment'])} is expected below plan, by {short}"
    return f"{count} are expected below plan, {wording.label(worst['segment'])} by {short}"


def describe_segments(standings: Standings, *, title: str) -> Caption:
    """Return the words of the segments against plan; title : as `segments_finding` gives it."""
    rows, currency = sources.records(standings.rows), standings.company.currency
    return Caption(
        title=title,
        subtitle=f"Bookings of {rows[0]['target_period']} as a share of plan: median, 80 % range, 95 % range{MEANS}",
        description=f"{title}. {' '.join(_segment_sentence(row, currency=currency) for row in rows)}",
        tooltips=[forecast_tooltip(row["segment"], row, currency=currency) for row in rows],
    )


def _segment_sentence(row: Mapping[Any, Any], *, currency: str) -> str:
    expected, plan = wording.money(row["mean"], currency=currency), wording.money(row["plan"], currency=currency)
    chance = row.get("p_at_least_plan")
    odds = f", chance {wording.chance(chance)}" if wording.known(chance) else ""
    return f"{wording.label(row['segment'])}: {expected} expected, plan {plan}{odds}."


def largest_finding(bookings: pd.DataFrame, *, company: Company) -> str:
    """Return which segment should bring the most over the months ahead."""
    rows = bookings[(bookings["model"] == MODEL) & (bookings["segment"] != TOTAL)]
    rows = rows[~is_quarter(rows["target_period"]) & rows["mean"].notna()]
    sums = rows.groupby("segment")["mean"].sum()
    if sums.empty:
        return "The segments' months cannot be forecast"
    best = sums.idxmax()
    amount, whole = sources.total(rows[rows["segment"] == best], "mean"), sources.total(rows, "mean")
    of_all = f", {wording.share(amount, whole)} of all segments" if whole > 0 and len(sums) > 1 else ""
    worth = wording.money(amount, currency=company.currency)
    return f"{wording.label(best)} should bring {worth} in the months ahead{of_all}"


def describe_panels(panels: Panels, *, title: str) -> Caption:
    """Return the words of the panels; title : as `largest_finding` gives it."""
    currency = panels.company.currency
    unit = wording.axis_unit(panels.largest, currency=currency)[1]
    tooltips = []
    for name, fan in panels.fans.items():
        for row in sources.records(booked_of(fan)):
            where = f"{wording.label(name)}, {wording.month(row['target_period'])}"
            tooltips.append(wording.listed(where, booked_amount(row, currency=currency)))
        for row in sources.records(fan.ahead):
            where = f"{wording.label(name)}, {wording.month(row['target_period'])}"
            tooltips.append(forecast_tooltip(where, row, currency=currency))
    one_each = "One panel for each segment"
    return Caption(
        title=title,
        subtitle=f"Bookings by month, {unit}, one scale; bars: booked, band: 80 % range, dash: plan",
        description=f"{title}. {one_each}: {wording.joined(panels.fans)}.",
        tooltips=tooltips,
    )
