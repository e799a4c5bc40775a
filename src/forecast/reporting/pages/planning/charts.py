"""Pictures of whether planning together helped: the effect with its checks, month by month, by segment."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from forecast import sources, wording
from forecast.data.schema import Company
from forecast.evaluation.planning.inference.randomisation import SET_ASIDE
from forecast.reporting.charts.axes import row_axis, share_axis, width_of, zero_line
from forecast.reporting.charts.canvas import Canvas, Drawing, chart, empty, places
from forecast.reporting.charts.figure import Chart, Statement, Together
from forecast.reporting.charts.style import AXIS, BEFORE_START, CHANGED, INK, NOT_BEGUN, SHADE, SOFT, UNPROVEN, Mark
from forecast.reporting.pages.planning import sentences
from forecast.reporting.pages.planning.prepare import (
    EARLIER,
    EDGE,
    EffectRows,
    Months,
    Row,
    SegmentErrors,
    is_answerable,
    prepare_effect,
    prepare_months,
    prepare_segments,
)

_COLUMNS = 178
"""Pixels right of the effect's axis, for its two columns of figures."""

_CHANGE_COLUMN, _CHANCE_COLUMN = 50, _COLUMNS - 6
"""Where these columns end, in pixels from the axis."""


def signed(value: Any) -> str:
    """Return a change with its sign, for a column; a dash where there is none."""
    return wording.percent(value, sign=True) if wording.known(value) else "–"


def effect(row: Mapping[str, Any], *, company: Company, as_of: Any) -> Chart | Statement | Together:
    """Draw the estimate with its interval, zero, and the checks before adoption, on one axis.

    row : the planning table's row, see `prepare_effect`. Nothing where no forecast or no start is recorded at all: the
    verdict says so once for all of the page.
    """
    shown = prepare_effect(row) if is_answerable(row) else None
    if shown is None and not is_answerable(row):
        return Together()
    if shown is None:
        return empty(sentences.finding(row), str(row.get("sentence", "")))
    table: dict[str, list[Any]] = {"what": sentences.effect_names(shown)}
    table |= {"change": [each.change for each in shown.rows], "p_value": [each.p for each in shown.rows]}
    table |= {"from": [each.low for each in shown.rows], "to": [each.high for each in shown.rows]}
    return chart(
        shown,
        draw_effect,
        sentences.describe_effect(shown, row),
        table=sources.named(pd.DataFrame(table), "effect"),
        heads=sentences.EFFECT_HEADS,
        company=company,
        as_of=as_of,
        formats={
            **dict.fromkeys(("change", "from", "to"), signed),
            "p_value": partial(sentences.chance_alone, draws=shown.draws),
        },
        by="y",
    )


def draw_effect(canvas: Canvas, shown: EffectRows) -> Drawing:
    """Draw a mark a row, an effect with its interval, and two columns of figures next to them."""
    count, reach, names = len(shown.rows), shown.reach, sentences.effect_names(shown)
    left = 14 if canvas.narrow else width_of(names) + 20
    tall = 96 + (44 if canvas.narrow else 34) * count
    figure, axes = canvas.axes(tall, left=left, right=_COLUMNS, top=28, bottom=26)
    axes.axvspan(-2, 0, **SHADE.area, zorder=0)
    y, above = np.arange(count), 0.2 if canvas.narrow else 0.5  # on a phone the names stand above the rows
    axes.vlines(np.zeros(count), y - above, y + 0.5, color=AXIS, linewidth=1.2, zorder=1.5)
    row_axis(axes, [""] * count if canvas.narrow else names)
    axes.set_xlim(-reach, reach)
    share_axis(axes, axis="x", ticks=4 if canvas.narrow else 6, sign=True)
    mark = CHANGED if shown.changed else UNPROVEN
    x = np.clip([row.change for row in shown.rows], -reach, reach)
    for at, row in enumerate(shown.rows):
        if wording.known(row.low):
            _draw_interval(axes, row, at, reach=reach, mark=mark)
        earlier = row.what in EARLIER
        look = BEFORE_START if earlier else mark
        if not wording.known(row.change):
            continue  # an interval in which nothing is claimed has no point that leans to a side
        axes.scatter(x[at], at, zorder=4, **look.points, s=60 if earlier else 90, linewidth=2 if earlier else 0)
    if canvas.narrow:
        for at, name in enumerate(names):
            axes.text(-reach, at - 0.36, f" {name}", va="center", color=INK)
    _write_columns(axes, shown, pixel=2 * reach / (canvas.width - left - _COLUMNS))
    name_sides(axes, reach, right=sentences.LABELS["larger"], zero=not canvas.narrow)
    return Drawing(figure=figure, marks=places(axes, np.nan_to_num(x), y))


def _draw_interval(axes: Axes, row: Row, at: int, *, reach: float, mark: Mark) -> None:
    """Draw the interval of a row; an end that leaves the axis gets an arrow."""
    low, high = max(row.low, -reach), min(row.high, reach)
    axes.hlines(at, low, high, **mark.bar, linewidth=4, zorder=2)
    for end, value, marker in ((low, row.low, "<"), (high, row.high, ">")):
        if abs(value) > reach:
            axes.scatter([end], [at], marker=marker, s=60, color=mark.colour, zorder=3)


def _write_columns(axes: Axes, shown: EffectRows, *, pixel: float) -> None:
    """Write each row's change, and how often chance alone gives as much, right of the axis; pixel : in its units."""
    style: Any = {"va": "center", "ha": "right", "clip_on": False}
    change, chance = (shown.reach + column * pixel for column in (_CHANGE_COLUMN, _CHANCE_COLUMN))
    for at, row in enumerate(shown.rows):
        axes.text(change, at, signed(row.change), color=INK, **style)
        axes.text(chance, at, sentences.chance_alone(row.p, draws=shown.draws), color=SOFT if at else INK, **style)
    for place, head in ((change, sentences.LABELS["change"]), (chance, sentences.LABELS["chance"])):
        axes.text(place, -0.72, head, color=SOFT, va="bottom", ha="right", clip_on=False)


def name_sides(axes: Axes, reach: float, *, right: str, zero: bool) -> None:
    """Write above an axis of changes on which side errors are smaller, and what its line is where there is room.

    right : the other side's name, may be empty. zero : whether there is room for the line's.
    """
    if zero:
        axes.text(0, -0.72, sentences.LABELS["none"], ha="center", va="bottom", color=SOFT)
    axes.text(-reach, -0.72, f"◂ {sentences.LABELS['smaller']}", ha="left", va="bottom", color=SOFT)
    if right:
        axes.text(reach, -0.72, f"{right} ▸", ha="right", va="bottom", color=SOFT)


def event_study(
    table: pd.DataFrame | None, row: Mapping[str, Any], *, company: Company, as_of: Any, reach: int = 18
) -> Chart | Statement | Together:
    """Draw the effect by months since the start, the months before in the same picture.

    table : event_time, relative_change, n_segments, n_controls, supported.
    """
    if not is_answerable(row):
        return Together()
    months = prepare_months(table, reach=reach)
    if months.rows.empty:
        return empty(sentences.finding(row), sentences.no_months(row))
    months = Months(rows=sources.named(months.rows, "months"))
    return chart(
        months,
        draw_months,
        sentences.describe_months(months, row),
        table=months.rows,
        heads=sentences.MONTHS_HEADS,
        company=company,
        as_of=as_of,
        formats={"relative_change": signed},
        by="x",
    )


def draw_months(canvas: Canvas, months: Months) -> Drawing:
    """Draw a mark a month, larger for more segments; the start as a line, the months set aside shaded."""
    figure, axes = canvas.axes(280, left=52, right=10, top=28, bottom=40)
    axes.axvspan(-SET_ASIDE - 0.5, -0.5, **SHADE.area, zorder=0)
    zero_line(axes)
    axes.axvline(-0.5, color=INK, linewidth=1.4, zorder=1.5)
    for rows, mark in ((months.before, BEFORE_START), (months.after, UNPROVEN)):
        size = 16 + 9 * rows["n_segments"].clip(upper=8)
        y = rows["relative_change"].clip(upper=EDGE)
        axes.scatter(rows["event_time"], y, s=size, **mark.points, zorder=3, linewidth=1.6)
    share_axis(axes, sign=True)
    x, drawn = months.rows["event_time"], months.drawn
    axes.set_ylim(min(float(drawn.min()), -0.3) * 1.1, max(float(drawn.max()), 0.3) * 1.1)
    axes.set_xlim(float(x.min()) - 0.8, float(x.max()) + 0.8)
    axes.set_xlabel(sentences.LABELS["months"], loc="left")
    top = axes.get_ylim()[1]
    axes.text(-0.3, top, sentences.LABELS["start"], color=INK, va="bottom")
    if float(x.min()) < -4:
        axes.text(-0.8, top, sentences.LABELS["set aside"], color=SOFT, va="bottom", ha="right")
    return Drawing(figure=figure, marks=places(axes, x, drawn))


def planning_segments(table: pd.DataFrame | None, *, company: Company, as_of: Any) -> Chart | Statement | Together:
    """Draw each segment's mean error before and after its start; segments that have not begun stand below.

    table : `planning_segments`; without it nothing.
    """
    if table is None:
        return Together()
    errors = prepare_segments(table)
    if errors.rows.empty:
        return empty(sentences.segments_finding(table), sentences.NO_ERRORS)
    shares = [name for name in sentences.SEGMENTS_HEADS if name.startswith(("error_", "benchmark_"))]
    return chart(
        errors,
        draw_segments,
        sentences.describe_segments(errors),
        table=errors.rows,
        heads=sentences.SEGMENTS_HEADS,
        company=company,
        as_of=as_of,
        formats={**dict.fromkeys(shares, wording.percent), "change": signed},
        by="y",
    )


def draw_segments(canvas: Canvas, errors: SegmentErrors) -> Drawing:
    """Draw an arrow a segment from its first to its second error, dotted where it has not begun, and its start."""
    names, most = list(errors.rows["segment"]), 14 if canvas.narrow else 24
    left = width_of(names, most=most)
    figure, axes = canvas.axes(64 + 26 * len(names), left=left, right=_STARTS, top=30, bottom=26)
    right = errors.largest * 1.05 or 1.0  # every error may be zero
    for at, (adopted, (first, second)) in enumerate(zip(errors.rows["adopted"], errors.pairs, strict=True)):
        waits = not adopted
        if wording.known(first) and wording.known(second):
            _draw_arrow(axes, (first, second), at, pixel=right / (canvas.width - left - _STARTS), dotted=waits)
        if wording.known(first):
            axes.scatter([first], [at], s=46, **BEFORE_START.points, linewidth=2, zorder=3)
        start = sentences.LABELS["not yet"] if waits else wording.short_month(adopted, year=True)
        axes.text(right, at, f"  {start}", va="center", color=SOFT if waits else INK, clip_on=False)
    row_axis(axes, names, most=most)
    axes.set_xlim(0, right)
    share_axis(axes, axis="x", ticks=4 if canvas.narrow else 6)
    axes.text(right, -0.72, f"  {sentences.LABELS['start']}", va="bottom", color=SOFT, clip_on=False)
    key = [f"◇ {sentences.LABELS['before']}", f"➤ {sentences.LABELS['after']}"]
    key.append(f"┈➤ {sentences.LABELS['waits in short' if canvas.narrow else 'waits']}")
    axes.text(0, -0.72, (" " if canvas.narrow else "   ").join(key), va="bottom", color=SOFT)
    x = [second if wording.known(second) else first for first, second in errors.pairs]
    return Drawing(figure=figure, marks=places(axes, x, np.arange(len(names))))


_STARTS = 74
"""Pixels right of the errors' axis, for the starts."""

_HEAD = 12
"""Pixels an arrow needs for its head; what moved by less has the head beside its mark, else it would point back."""


def _draw_arrow(axes: Axes, errors: tuple[float, float], at: int, *, pixel: float, dotted: bool) -> None:
    """Draw an arrow from one error to the next, or its head alone where they are too near; pixel : in errors."""
    first, second = errors
    if abs(second - first) < _HEAD * pixel:
        side = 1 if second >= first else -1
        marker = ">" if side > 0 else "<"
        axes.scatter([first + side * _HEAD * pixel], [at], marker=marker, s=30, color=NOT_BEGUN.colour, zorder=4)
        return
    arrow: dict[str, Any] = {"arrowstyle": "-|>", "color": NOT_BEGUN.colour, "linewidth": 2, "shrinkA": 4, "shrinkB": 0}
    look = arrow | ({"linestyle": NOT_BEGUN.dash} if dotted else {})
    axes.annotate("", xy=(second, at), xytext=(first, at), arrowprops=look)
