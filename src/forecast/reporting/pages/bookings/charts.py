"""Pictures of what will be booked: months with their range, the addends, the chance of reaching plan, segments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from forecast import wording
from forecast.data.schema import ADDENDS, QUANTILE_COLUMNS, QUANTILES, TOTAL, Company
from forecast.reporting.charts import tooltips
from forecast.reporting.charts.axes import (
    chart,
    end_labels,
    money_axis,
    money_formats,
    month_axis,
)
from forecast.reporting.charts.canvas import Canvas, Drawing, empty, places
from forecast.reporting.charts.canvas import chart as canvas_chart
from forecast.reporting.charts.figure import Chart, Statement
from forecast.reporting.charts.style import BANDS, BLUE, GREY, INK, MIST, PAPER, SOFT
from forecast.reporting.pages.bookings import sentences as bookings_sentences
from forecast.reporting.pages.bookings.prepare import Fan, headline_row, months_of, prepare_fan

_ADDEND_LOOK = {"booked": (1.0, BLUE), "open_pipeline": (0.45, BLUE), "not_yet_created": (1.0, PAPER)}
ADDEND_WORDS = {"booked": "booked", "open_pipeline": "open pipeline", "not_yet_created": "not yet created"}
DOTS = 20


def bookings_fan(
    bookings: pd.DataFrame,
    *,
    company: Company,
    as_of: Any,
    actuals: pd.DataFrame | None = None,
    segment: str = TOTAL,
    months_back: int = 12,
) -> Chart | Statement:
    """Draw past months as booked and the months ahead as median, 50/80/95 % bands, what is booked already, and plan.

    bookings : a forecast table. actuals : settled actuals (period, segment, amount), summed over segments for Total.
    """
    fan = prepare_fan(bookings, company=company, actuals=actuals, segment=segment, months_back=months_back)
    caption = bookings_sentences.describe_fan(fan)
    if not fan.has_range:
        return empty(caption.title, "No range is known for any month ahead.")
    columns = ["target_period", "q10", "q50", "mean", "q90", "plan", "p_at_least_plan"]
    table = fan.ahead[[name for name in columns if name in fan.ahead]].rename(
        columns={"target_period": "month", "q10": "low (80 %)", "q50": "median", "q90": "high (80 %)"}
    )
    formats = money_formats(table, company, p="p_at_least_plan")
    return canvas_chart(fan, draw_fan, caption, table=table, company=company, as_of=as_of, formats=formats, by="x")


def draw_fan(canvas: Canvas, fan: Fan) -> Drawing:
    """Draw bars for months past, bands and a line for months ahead, a dash for each plan."""
    figure, axes = canvas.axes(250 if canvas.narrow else 300, left=34, right=78 if canvas.narrow else 96)
    shown = len(fan.past) if not canvas.narrow else min(6, len(fan.past))
    ahead, x, last = fan.ahead, fan.x, fan.ahead.iloc[-1]
    axes.bar(np.arange(len(fan.past)), fan.past["amount"], width=0.62, color=MIST, zorder=2)
    _draw_bands(axes, fan)
    if "booked" in ahead and (ahead["booked"] > 0).any():
        axes.bar(x, ahead["booked"], width=0.62, color=BLUE, zorder=2.5)
    axes.plot(x, ahead["q50"], color=BLUE, marker="o", markersize=5, zorder=4)
    axes.hlines(fan.plan, x - 0.34, x + 0.34, color=INK, linewidth=2, zorder=5)
    month_axis(axes, fan.periods, calendar=fan.company.periods)
    axes.set_xlim(len(fan.past) - shown - 0.6, len(fan.periods) - 0.4)
    axes.set_ylim(0, fan.largest * 1.06)
    money_axis(axes, fan.largest, currency=fan.company.currency)
    labels = [
        (float(last["q50"]), "median", BLUE),
        (float(last["q90"]), "80 % range", BLUE),
        (float(last["q97.5"]), "95 % range", SOFT),
        (float(fan.plan[-1]), "plan", INK),
    ]
    end_labels(axes, len(fan.periods) - 0.52, labels)
    if len(fan.past):
        highest = float(fan.past["amount"].max())
        axes.text(len(fan.past) - shown - 0.35, highest, "booked", color=SOFT, va="bottom")
    marks = places(axes, range(len(fan.periods)), [*fan.past["amount"], *ahead["q50"]])
    return Drawing(figure=figure, marks=marks)


def _draw_bands(axes: Axes, fan: Fan) -> None:
    """Draw the 50, 80 and 95 % ranges, one over the other; a band needs two months, one month gets bars instead."""
    for _, low, high, alpha in BANDS:
        axes.fill_between(fan.x, fan.ahead[low], fan.ahead[high], color=BLUE, alpha=alpha, linewidth=0, zorder=2)
    if len(fan.x) > 1:
        return
    for nominal, low, high, alpha in BANDS:
        left, width = fan.x[0] - 0.12 - nominal / 400, 0.24 + nominal / 200
        bottom, top = float(fan.ahead[low].iloc[0]), float(fan.ahead[high].iloc[0])
        axes.add_patch(Rectangle((left, bottom), width, top - bottom, color=BLUE, alpha=alpha, linewidth=0))


def addends(bookings: pd.DataFrame, *, company: Company, as_of: Any, segment: str = TOTAL) -> Chart | Statement:
    """Draw the three addends of each month ahead, one on the other: booked, open pipeline, not yet created."""
    ahead = months_of(bookings, segment=segment)
    title = bookings_sentences.addends_finding(ahead)
    names = [name for name in ADDENDS if name in ahead]
    if ahead.empty or not names or ahead[names].isna().all(axis=None):
        return empty(title, "The parts of the forecast are not known.")
    x = np.arange(len(ahead), dtype=float)
    parts = {name: ahead[name].fillna(0.0).to_numpy() for name in names}
    total = np.sum(list(parts.values()), axis=0)
    largest = max(float(total.max()), 1.0)
    unit = wording.axis_unit(largest, currency=company.currency)[1]

    def draw(canvas: Canvas) -> Figure:
        figure, axes = canvas.axes(230 if canvas.narrow else 260, left=34, right=104 if canvas.narrow else 120)
        below = np.zeros(len(ahead))
        labels = []
        for name in names:
            alpha, colour = _ADDEND_LOOK[name]
            axes.bar(x, parts[name], 0.66, below, color=colour, alpha=alpha, linewidth=0, zorder=2)
            outline = parts[name] > 0
            axes.bar(x[outline], parts[name][outline], 0.66, below[outline], fill=False, edgecolor=BLUE, zorder=3)
            if parts[name][-1] > 0:
                labels.append((below[-1] + parts[name][-1] / 2, ADDEND_WORDS[name], BLUE))
            elif parts[name].max() > 0 and name == "booked":
                first = int(np.argmax(parts[name] > 0))
                axes.text(x[first], parts[name][first], "booked", color=BLUE, ha="center", va="bottom")
            below = below + parts[name]
        for i, value in enumerate(total):
            axes.text(
                x[i], value + largest * 0.015, wording.money(value, digits=2), ha="center", va="bottom", color=INK
            )
            there = [n for n in names if parts[n][i]]
            said = [tooltips.amount(ADDEND_WORDS[n], parts[n][i], currency=company.currency) for n in there]
            whole = tooltips.amount("expected", value, currency=company.currency)
            month = wording.month(ahead["target_period"].iloc[i])
            canvas.say(axes, x[i], value, tooltips.values(month, whole, *said))
        month_axis(axes, list(ahead["target_period"]), calendar=company.periods)
        axes.set_ylim(0, largest * 1.12)
        money_axis(axes, largest, currency=company.currency)
        end_labels(axes, len(ahead) - 0.55, labels)
        return figure

    table = ahead[["target_period", *names, "mean"]].rename(columns={"target_period": "month", **ADDEND_WORDS})
    return chart(
        draw,
        title=title,
        subtitle=f"Expected bookings by month, {unit}, {bookings_sentences.who(segment)}",
        description=f"{title}. " + bookings_sentences.addends_description(ahead, company=company),
        table=table,
        by="x",
        company=company,
        as_of=as_of,
        formats=money_formats(table, company),
    )


def plan_dots(
    bookings: pd.DataFrame, *, company: Company, as_of: Any, period: str = "", segment: str = TOTAL
) -> Chart | Statement:
    """Draw a period's bookings as 20 equally likely outcomes, those that reach plan filled (a quantile dot plot).

    Kay et al. (2016, CHI): most readers judge a chance better by counting dots than from a curve.
    """
    row = headline_row(bookings, period=period, segment=segment)
    title = bookings_sentences.plan_finding(row, company=company)
    if row is None or not wording.known(row.get("q50")):
        return empty(title, "No range is known.")
    levels, values = list(QUANTILES), [float(row[name]) for name in QUANTILE_COLUMNS]
    plan, p = float(row.get("plan", np.nan)), float(row.get("p_at_least_plan", np.nan))
    if wording.known(plan) and wording.known(p) and values[0] < plan < values[-1] and 0 < p < 1:
        levels, values = _with_knot(levels, values, 1 - p, plan)
    at = (np.arange(DOTS) + 0.5) / DOTS
    outcome = np.interp(at, levels, values)
    reached = at >= 1 - p if wording.known(p) else np.zeros(DOTS, dtype=bool)
    unit = wording.axis_unit(float(outcome.max()), currency=company.currency)[1]

    def draw(canvas: Canvas) -> Figure:
        columns = 11 if canvas.narrow else 15
        figure, axes = canvas.axes(190, left=12, right=12, top=26, bottom=24)
        low, high = (
            min(values[0], plan if wording.known(plan) else values[0]),
            max(values[-1], plan if wording.known(plan) else 0),
        )
        width = (high - low) / columns or 1.0
        origin = plan if wording.known(plan) else low
        column = np.floor((outcome - origin) / width).astype(int)
        column = np.where(reached, np.maximum(column, 0), np.minimum(column, -1)) if wording.known(p) else column
        height = np.array([int((column[:i] == column[i]).sum()) for i in range(DOTS)])
        axes.set_xlim(low - 1.2 * width, high + 1.2 * width)
        tall = max(int(height.max()) + 1, 3)
        box = axes.get_position()
        px = min((canvas.width * box.width) / (columns + 2.4), 190 * box.height / tall) * 0.84
        size = px**2
        where = origin + (column + 0.5) * width
        axes.scatter(
            where[~reached], height[~reached] + 0.5, s=size, facecolor=PAPER, edgecolor=GREY, linewidth=1.6, zorder=3
        )
        axes.scatter(
            where[reached], height[reached] + 0.5, s=size, facecolor=BLUE, edgecolor=BLUE, linewidth=1.6, zorder=3
        )
        axes.set_ylim(0, 190 * box.height / (px / 0.84))
        if wording.known(plan):
            axes.axvline(plan, color=INK, linewidth=2, zorder=2)
            side = "left" if (plan - low) < (high - low) * 0.6 else "right"
            gap = width * 0.15 * (1 if side == "left" else -1)
            label = f"plan {wording.money(plan, currency=company.currency)}"
            top = axes.get_ylim()[1]
            axes.text(plan + gap, top * 1.02, label, ha=side, va="bottom", color=INK, clip_on=False)
        money_axis(axes, high, currency=company.currency, axis="x", ticks=4 if canvas.narrow else 6)
        axes.set_yticks([])
        for i in range(DOTS):
            reach = ("reaches plan" if reached[i] else "short of plan") if wording.known(p) else ""
            amount = tooltips.amount("", outcome[i], currency=company.currency)
            said = tooltips.values(f"Outcome {i + 1} of {DOTS}", amount, reach)
            canvas.say(axes, where[i], height[i] + 0.5, said)
        return figure

    filled = "; filled: plan is reached" if wording.known(p) else ""
    table = pd.DataFrame({"outcome": np.arange(1, DOTS + 1), "bookings": outcome, "reaches plan": reached})
    return chart(
        draw,
        title=title,
        subtitle=f"{DOTS} equally likely outcomes of {row['target_period']}, {unit}" + filled,
        description=f"{title}. The outcomes: {wording.money_range(outcome[0], outcome[-1], currency=company.currency)}.",  # noqa: E501
        table=table,
        company=company,
        as_of=as_of,
        formats={"bookings": lambda v: wording.money(v, currency=company.currency)},
    )


# -- how ------------------------------------------------------------------------------------------------


def _with_knot(levels: list[float], values: list[float], level: float, value: float) -> tuple[list[float], list[float]]:
    """Return the quantile function through one more point, still rising: knots that contradict it give way."""
    kept = [
        (a, b) for a, b in zip(levels, values, strict=True) if (a < level and b <= value) or (a > level and b >= value)
    ]
    kept = sorted([*kept, (level, value)])
    return [a for a, _ in kept], [b for _, b in kept]
