"""Pictures of what will be booked: months with their range, the addends, the chance of reaching plan, segments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from forecast import sources, wording
from forecast.data.schema import TOTAL, Company
from forecast.reporting.charts.axes import end_labels, money_axis, money_formats, month_axis
from forecast.reporting.charts.canvas import Canvas, Drawing, chart, empty, places
from forecast.reporting.charts.figure import Chart, Statement
from forecast.reporting.charts.flags import flags_of
from forecast.reporting.charts.style import (
    BANDS,
    BOOKED,
    FORECAST,
    INK,
    NOT_CREATED,
    OPEN_PIPELINE,
    PLAN,
    RANGE80,
    SHORT_OF_PLAN,
    SOFT,
)
from forecast.reporting.pages.bookings import sentences
from forecast.reporting.pages.bookings.prepare import (
    Addends,
    Fan,
    Outcomes,
    headline_row,
    prepare_addends,
    prepare_fan,
    prepare_outcomes,
)

_ADDENDS = {"booked": BOOKED, "open_pipeline": OPEN_PIPELINE, "not_yet_created": NOT_CREATED}


def bookings_fan(
    bookings: pd.DataFrame,
    *,
    company: Company,
    as_of: Any,
    actuals: pd.DataFrame | None = None,
    segment: str = TOTAL,
    months_back: int = 12,
    since: str = "",
    events: pd.DataFrame | None = None,
) -> Chart | Statement:
    """Draw past months as booked and the months ahead as median, 50/80/95 % bands, what is booked already, and plan.

    bookings : a forecast table. actuals : settled actuals (period, segment, amount), summed over segments for Total.
    since : the first month of an alarm; a phone then shows months before it too. events : to be flagged, as `dated`
    gives them.
    """
    fan = prepare_fan(bookings, company=company, actuals=actuals, segment=segment, months_back=months_back, since=since)
    caption = sentences.describe_fan(fan)
    if not fan.has_range:
        return empty(caption.title, sentences.NO_MONTHS)
    return chart(
        fan,
        draw_fan,
        caption,
        table=fan.table,
        heads=sentences.MONTHS_HEADS,
        company=company,
        as_of=as_of,
        formats=money_formats(fan.table, company, p="p_at_least_plan"),
        by="x",
        flags=flags_of(events, fan.periods, company=company, name="months", segment=segment),
    )


def draw_fan(canvas: Canvas, fan: Fan) -> Drawing:
    """Draw bars for months past, bands and a line for months ahead, a dash for each plan."""
    figure, axes = canvas.axes(250 if canvas.narrow else 300, left=34, right=78 if canvas.narrow else 96)
    shown = len(fan.past) if not canvas.narrow else fan.months_on_a_phone
    ahead, x, last, words = fan.ahead, fan.x, fan.ahead.iloc[-1], sentences.LABELS
    axes.bar(np.arange(len(fan.past)), fan.past["amount"], width=0.62, **BOOKED.area, zorder=2)
    _draw_bands(axes, fan)
    if "booked" in ahead and (ahead["booked"] > 0).any():
        axes.bar(x, ahead["booked"], width=0.62, **BOOKED.area, zorder=2.5)
    axes.plot(x, ahead["q50"], **FORECAST.series, markersize=5, zorder=4)
    axes.hlines(fan.plan, x - 0.34, x + 0.34, **PLAN.line, linewidth=2, zorder=5)
    month_axis(axes, fan.periods, calendar=fan.company.periods)
    axes.set_xlim(len(fan.past) - shown - 0.6, len(fan.periods) - 0.4)
    axes.set_ylim(0, fan.largest * 1.06)
    money_axis(axes, fan.largest, currency=fan.company.currency)
    labels = [
        (float(last["q50"]), words["median"], FORECAST.name),
        (float(last["q90"]), words["range80"], RANGE80.name),
        (float(last["q97.5"]), words["range95"], SOFT),
        (float(fan.plan[-1]), words["plan"], PLAN.name),
    ]
    end_labels(axes, len(fan.periods) - 0.52, labels)
    if len(fan.past):
        highest = float(fan.past["amount"].max())
        axes.text(len(fan.past) - shown - 0.35, highest, words["booked"], color=SOFT, va="bottom")
    marks = places(axes, range(len(fan.periods)), [*fan.past["amount"], *ahead["q50"]])
    return Drawing(figure=figure, marks=marks)


def _draw_bands(axes: Axes, fan: Fan) -> None:
    """Draw the 50, 80 and 95 % ranges, one over the other; a band needs two months, one month gets bars instead."""
    for _, low, high, alpha in BANDS:
        axes.fill_between(fan.x, fan.ahead[low], fan.ahead[high], **(FORECAST.area | {"alpha": alpha}), zorder=2)
    if len(fan.x) > 1:
        return
    for nominal, low, high, alpha in BANDS:
        left, width = fan.x[0] - 0.12 - nominal / 400, 0.24 + nominal / 200
        bottom, top = float(fan.ahead[low].iloc[0]), float(fan.ahead[high].iloc[0])
        axes.add_patch(Rectangle((left, bottom), width, top - bottom, **(FORECAST.area | {"alpha": alpha})))


def addends(
    bookings: pd.DataFrame,
    *,
    company: Company,
    as_of: Any,
    segment: str = TOTAL,
    events: pd.DataFrame | None = None,
) -> Chart | Statement:
    """Draw the three addends of each month ahead, one on the other: booked, open pipeline, not yet created.

    events : to be flagged, as `dated` gives them.
    """
    parts = prepare_addends(bookings, company=company, segment=segment)
    if not parts.known:
        return empty(sentences.addends_finding(parts.ahead), sentences.NO_ADDENDS)
    return chart(
        parts,
        draw_addends,
        sentences.describe_addends(parts),
        table=parts.ahead,
        heads=sentences.ADDENDS_HEADS,
        company=company,
        as_of=as_of,
        formats=money_formats(parts.ahead, company)
        | {name: sentences.part_of_month(parts) for name in parts.parts}
        | {"booked": sentences.booked_so_far(company)},
        by="x",
        flags=flags_of(
            events, list(parts.ahead["target_period"]), company=company, name="months_ahead", segment=segment
        ),
    )


def draw_addends(canvas: Canvas, addends: Addends) -> Drawing:
    """Draw a bar a month, its parts stacked and named at the last one, its sum above."""
    figure, axes = canvas.axes(230 if canvas.narrow else 260, left=34, right=104 if canvas.narrow else 120)
    x, below, labels = np.arange(len(addends.ahead), dtype=float), np.zeros(len(addends.ahead)), []
    for name, known_amounts in addends.parts.items():
        amounts = np.nan_to_num(known_amounts)  # what is not known has no bar, and no sum over it
        axes.bar(x, amounts, 0.66, below, **_ADDENDS[name].area, zorder=2)
        outline = amounts > 0
        axes.bar(x[outline], amounts[outline], 0.66, below[outline], fill=False, edgecolor=FORECAST.colour, zorder=3)
        if amounts[-1] > 0:
            labels.append((below[-1] + amounts[-1] / 2, sentences.ADDEND_WORDS[name], _ADDENDS[name].name))
        elif amounts.max() > 0 and name == "booked":  # only months before the last have any: named at the first
            first = int(np.argmax(amounts > 0))
            word = sentences.ADDEND_WORDS[name]
            axes.text(x[first], amounts[first], word, color=_ADDENDS[name].name, ha="center", va="bottom")
        below = below + amounts
    for place, total, mean in zip(x, addends.total, sources.column(addends.ahead, "mean"), strict=True):
        if wording.known(total):
            above = total + addends.largest * 0.015
            axes.text(place, above, wording.money(mean, digits=2), ha="center", va="bottom", color=INK)
    month_axis(axes, list(addends.ahead["target_period"]), calendar=addends.company.periods)
    axes.set_ylim(0, addends.largest * 1.12)
    money_axis(axes, addends.largest, currency=addends.company.currency)
    end_labels(axes, len(x) - 0.55, labels)
    return Drawing(figure=figure, marks=places(axes, x, addends.total))


def plan_dots(
    bookings: pd.DataFrame, *, company: Company, as_of: Any, period: str = "", segment: str = TOTAL
) -> Chart | Statement:
    """Draw a period's bookings as 20 equally likely outcomes, those that reach plan filled (a quantile dot plot).

    Kay et al. (2016, CHI): most readers judge a chance better by counting dots than from a curve.
    """
    row = headline_row(bookings, period=period, segment=segment)
    title = sentences.plan_finding(row)
    if row is None or not wording.known(row.get("q50")):
        return empty(title, sentences.NO_OUTCOMES)
    outcomes = prepare_outcomes(row, company=company)
    return chart(
        outcomes,
        draw_outcomes,
        sentences.describe_outcomes(outcomes, title=title),
        table=outcomes.table if outcomes.has_chance else outcomes.table.drop(columns="reached"),
        heads=sentences.OUTCOMES_HEADS,
        company=company,
        as_of=as_of,
        formats={"bookings": wording.in_currency(company.currency)},
    )


_DOTS_HEIGHT = 190


def draw_outcomes(canvas: Canvas, outcomes: Outcomes) -> Drawing:
    """Draw a dot for each outcome, stacked in columns of equal width that begin at plan, and a line at plan."""
    columns = 11 if canvas.narrow else 15
    figure, axes = canvas.axes(_DOTS_HEIGHT, left=12, right=12, top=26, bottom=24)
    plan, reached, has_plan = outcomes.plan, outcomes.reached, outcomes.has_plan
    low, high = (
        (min(outcomes.low, plan), max(outcomes.high, plan)) if has_plan else (outcomes.low, max(outcomes.high, 0))
    )
    width = (high - low) / columns or 1.0
    x, y = _stacked(outcomes, start=plan if has_plan else low, width=width)
    axes.set_xlim(low - 1.2 * width, high + 1.2 * width)
    box = axes.get_position()
    tallest = max(y.max() + 0.5, 3)
    pixels = min((canvas.width * box.width) / (columns + 2.4), _DOTS_HEIGHT * box.height / tallest)
    dot: Any = {"s": (pixels * 0.84) ** 2, "linewidth": 1.6, "zorder": 3}
    axes.scatter(x[~reached], y[~reached], **SHORT_OF_PLAN.points, **dot)
    axes.scatter(x[reached], y[reached], **FORECAST.points, **dot)
    axes.set_ylim(0, _DOTS_HEIGHT * box.height / pixels)
    if has_plan:
        axes.axvline(plan, **PLAN.line, linewidth=2, zorder=2)
        left = (plan - low) < (high - low) * 0.6
        label = sentences.plan_label(outcomes)
        at = (plan + width * (0.15 if left else -0.15), axes.get_ylim()[1] * 1.02)
        axes.text(*at, label, ha="left" if left else "right", va="bottom", color=INK, clip_on=False)
    money_axis(axes, high, currency=outcomes.company.currency, axis="x", ticks=4 if canvas.narrow else 6)
    axes.set_yticks([])
    return Drawing(figure=figure, marks=places(axes, x, y))


def _stacked(outcomes: Outcomes, *, start: float, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle of each dot: the column its amount falls in, and how many dots are below it there.

    Columns are `width` wide and one begins at `start`. An outcome that reaches plan stands right of it, also where
    rounding would put it left.
    """
    column = np.floor((outcomes.amounts - start) / width).astype(int)
    if outcomes.has_chance:
        column = np.where(outcomes.reached, np.maximum(column, 0), np.minimum(column, -1))
    below = np.array([int((column[:i] == column[i]).sum()) for i in range(len(column))])
    return start + (column + 0.5) * width, below + 0.5
