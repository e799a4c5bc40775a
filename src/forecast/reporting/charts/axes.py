"""The axes of every chart and the labels of its lines.

Months, money, shares and rows with names, in round numbers and few ticks. Labels stand at the ends of lines, are moved
apart where they would touch, and cover no line; where they can stand is found from boxes and lines in pixels alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MaxNLocator

from forecast import wording
from forecast.calendar import Calendar, parse_period
from forecast.data.schema import Company
from forecast.reporting.charts.canvas import Box, boxes_inside, boxes_near, distance, first_free
from forecast.reporting.charts.figure import Format
from forecast.reporting.charts.style import AXIS, GRID, INK, PAPER, SMALL

_TICK_GAP = 5.0
"""Pixels between the label of a tick and the axes, and left of the label."""


def money_axis(axes: Axes, largest: float, *, currency: str, axis: str = "y", ticks: int = 5) -> str:
    """Put round amounts on an axis, without units, and return the unit for the subtitle.

    Beside a drawing's only axes the longest amount has room: they begin further right where it takes that. For after
    the limits are set.
    """
    scale, unit = wording.axis_unit(largest, currency=currency)
    target = axes.yaxis if axis == "y" else axes.xaxis
    target.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 2.5, 5, 10]))
    target.set_major_formatter(FuncFormatter(lambda value, _: wording.number(round(value / scale, 6))))
    axes.grid(True, axis=axis, color=GRID)  # type: ignore[arg-type]
    figure = axes.get_figure(root=True)
    if axis == "y" and figure is not None and len(figure.axes) == 1:
        _leave_room(axes, width=72 * figure.get_size_inches()[0])
    return unit


def _leave_room(axes: Axes, *, width: float) -> None:
    """Let axes begin where the longest label of their ticks has room to the left; width : of the drawing, in pixels."""
    low, high = axes.get_ylim()
    ticks = [value for value in axes.yaxis.get_major_locator()() if low <= value <= high]
    labels = axes.yaxis.get_major_formatter().format_ticks(ticks)
    wanted = (_TICK_GAP + max((_long(label, SMALL) for label in labels), default=0.0)) / width
    box = axes.get_position()
    if box.x0 < wanted < box.x1:
        axes.set_position((wanted, box.y0, box.x1 - wanted, box.height))


def money_formats(table: pd.DataFrame, company: Company, *, p: str = "") -> dict[str, Format]:
    """Return how the amounts of a table are worded, and its column `p` of probabilities."""
    numbers = [name for name in table.columns if pd.api.types.is_float_dtype(table[name].dtype)]
    formats: dict[str, Format] = {
        name: lambda v: wording.money(v, currency=company.currency) for name in numbers if name != p
    }
    if p in table:
        formats[p] = wording.chance
    return formats


def share_axis(axes: Axes, *, axis: str = "y", ticks: int = 5, sign: bool = False) -> None:
    """Put round percentages on an axis."""
    target = axes.yaxis if axis == "y" else axes.xaxis
    target.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 2.5, 5, 10]))
    target.set_major_formatter(FuncFormatter(lambda value, _: wording.percent(round(value, 6), sign=sign)))
    axes.grid(True, axis=axis, color=GRID)  # type: ignore[arg-type]


def month_axis(axes: Axes, periods: Sequence[str], *, calendar: Calendar | None = None, most: int = 12) -> None:
    """Name months under an axis whose values are positions in `periods`; the year where it begins; quarters marked."""
    every = next(step for step in (1, 2, 3, 6, 12, 24, 48) if len(periods) / step <= most)
    offset = next((i for i, period in enumerate(periods) if (parse_period(period) % 12) % every == 0), 0)
    shown = list(range(offset % every, len(periods), every))
    labels, year = [], ""
    for i in shown:
        year_before, year = year, periods[i][:4]
        labels.append(wording.short_month(periods[i]) + (f"\n{year}" if year != year_before else ""))
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_major_formatter(FixedFormatter(labels))
    axes.set_xlim(-0.6, len(periods) - 0.4)
    if calendar is not None and every == 1:
        for i, period in enumerate(periods):
            if i and calendar.quarter_position(parse_period(period)) == 0:
                axes.axvline(i - 0.5, color=GRID, linewidth=1, zorder=0)


def zero_line(axes: Axes, *, vertical: bool = False, at: float = 0.0) -> None:
    """Draw the line of zero, stronger than the grid."""
    (axes.axvline if vertical else axes.axhline)(at, color=AXIS, linewidth=1.2, zorder=1.5)


def row_axis(axes: Axes, names: Sequence[str], *, most: int = 24) -> None:
    """Name rows from the top down; the axis's values are positions in `names`."""
    axes.yaxis.set_major_locator(FixedLocator(range(len(names))))
    axes.yaxis.set_major_formatter(FixedFormatter([wording.label(name, most=most) for name in names]))
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.spines["bottom"].set_visible(False)


def width_of(names: Sequence[str], *, most: int = 24, pixel: float = 7.0) -> float:
    """Return about how many pixels the longest of some names needs."""
    return 14 + pixel * max((len(wording.label(name, most=most)) for name in names), default=0)


# -- labels ---------------------------------------------------------------------------------------------


def end_labels(
    axes: Axes, x: float, labels: Sequence[tuple[float, str, str]], *, gap: float = 15.0, size: float = SMALL
) -> list[tuple[float, float, str]]:
    """Write (y, text, colour) at x, right of the axes, moved apart to `gap` pixels where they would touch.

    Returns (x, y, text) of each as it stands.
    """
    shown = [entry for entry in labels if wording.known(entry[0])]
    if not shown:
        return []
    height = axes.get_window_extent().height
    low, high = axes.get_ylim()
    per_pixel = (high - low) / height
    wanted = [entry[0] / per_pixel for entry in shown]
    placed = [y * per_pixel for y in spread(wanted, gap=gap, low=low / per_pixel, high=high / per_pixel)]
    for (_, text, colour), y in zip(shown, placed, strict=True):
        label = axes.text(x, y, text, color=colour, fontsize=size, va="center", ha="left", clip_on=False)
        label.set_bbox({"facecolor": PAPER, "edgecolor": "none", "pad": 1.0})  # a line behind it must not strike it out
    return [(x, y, text) for (_, text, _), y in zip(shown, placed, strict=True)]


def line_labels(
    axes: Axes,
    lines: Sequence[tuple[np.ndarray, str, str]],
    *,
    named: Sequence[int],
    standing: Sequence[tuple[float, float, str]] = (),
    size: float = SMALL,
) -> None:
    """Write the names of those lines that end inside the axes where they cover no line, as near their end as they can.

    Simple case: there is room beside the line. Where there is none, the name stands in the nearest free place of the
    picture, and a thin line leads to it.

    lines : (points of shape (n, 2) in the units of the axes, name, colour), all that are drawn. named : which of them.
    standing : (x, y, name) of labels that are there already. For after the limits are set.
    """
    drawn = [axes.transData.transform(points) for points, _, _ in lines]
    frame = axes.get_window_extent()
    inside = Box(left=frame.x0, low=frame.y0, right=axes.figure.bbox.width, high=frame.y1 + 4)
    taken = []
    for x, y, name in standing:
        left, middle = (float(value) for value in axes.transData.transform((x, y)))
        right = left + _long(name, size)
        taken.append(Box(left=left, low=middle - size, right=right, high=middle + size))
    for i in named:
        _, name, colour = lines[i]
        box, beside = _place_of(name, drawn=drawn, own=i, taken=taken, inside=inside, size=size)
        taken.append(box)
        to_units = axes.transData.inverted().transform
        x, y = to_units((box.left, (box.low + box.high) / 2))
        axes.text(x, y, name, color=colour, fontsize=size, va="center", ha="left", zorder=5)
        if not beside:
            end = drawn[i][-1]
            edge = np.clip(end, (box.left, box.low), (box.right, box.high))  # where the box is nearest to the end
            axes.plot(*to_units([end, edge]).T, color=colour, linewidth=0.8, zorder=2)


def _place_of(
    name: str, *, drawn: Sequence[np.ndarray], own: int, taken: Sequence[Box], inside: Box, size: float
) -> tuple[Box, bool]:
    """Return where the name of a line stands in pixels, and whether that is beside its line."""
    wide, high = _long(name, size), size + 3
    points = [(float(x), float(y)) for x, y in drawn[own]]
    near = boxes_near(points, width=wide, height=high)
    box, is_free = first_free(near, lines=drawn, own=own, taken=taken, inside=inside)
    if is_free:
        return box, True
    anywhere = [box, *boxes_inside(inside, points[-1], width=wide, height=high)]
    box, is_free = first_free(anywhere, lines=drawn, own=own, taken=taken, inside=inside)
    return box, not is_free or distance(box, drawn[own]) <= size


def _long(name: str, size: float) -> float:
    """Return about how many pixels a name takes."""
    return 0.6 * size * len(name)


def spread(wanted: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """Return positions nearest the wanted ones, in their order, at least `gap` apart, inside low..high where they fit.

    Least squares under an order: with i * gap taken off the i-th, neighbours that would cross are pooled to their mean.
    """
    order = np.argsort(np.asarray(wanted, dtype=float), kind="stable")
    shift = gap * np.arange(len(order))
    pools: list[tuple[float, int]] = []
    for value in np.asarray(wanted, dtype=float)[order] - shift:
        mean, count = float(value), 1
        while pools and pools[-1][0] > mean:
            before, many = pools.pop()
            mean, count = (before * many + mean * count) / (many + count), many + count
        pools.append((mean, count))
    free = np.concatenate([np.full(count, mean) for mean, count in pools]) if pools else np.zeros(0)
    top = max(high - gap * (len(order) - 1), low)
    out = np.empty(len(order))
    out[order] = np.clip(free, low, top) + shift
    return [float(value) for value in out]
