"""How a chart comes about: three functions with one record of what is drawn between them.

    fan = prepare_fan(bookings, ...)       # all numbers, once; nothing is computed after this
    draw_fan(canvas, fan) -> Drawing       # marks only
    describe_fan(fan) -> Caption           # title, subtitle, description, and a tooltip for every mark
    chart(fan, draw_fan, describe_fan(fan), table=..., heads=..., company=..., as_of=...)

`chart` draws twice, for a page's column and for a phone. A drawing says where its marks are, the caption what each of
them means; the two lists have one length and one order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forecast import wording
from forecast.data.schema import Company
from forecast.reporting.charts.figure import Chart, Format, Statement, Tooltip
from forecast.reporting.charts.flags import NO_FLAGS, Flags, draw_flags
from forecast.reporting.charts.style import NARROW, WIDE, drawing

Record = TypeVar("Record")


class Place(NamedTuple):
    """Where a mark is, in pixels from the drawing's top left corner; `visible` is false outside the axes."""

    x: float
    y: float
    visible: bool


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure, and where the marks are that have a tooltip, in the order of the caption's `tooltips`."""

    figure: Figure
    marks: Sequence[Place] = ()


@dataclass(frozen=True, kw_only=True)
class Caption:
    """The words of a chart.

    title : the finding, a sentence without its full stop. subtitle : measure, unit, who, when. description : shape and
    key values, for those who cannot see the picture. tooltips : one text a mark, in the order of `Drawing.marks`; an
    empty text is not shown.
    """

    title: str
    subtitle: str
    description: str
    tooltips: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """How wide a drawing is, in pixels, whether it is for a phone, and the flags that need room at its top."""

    width: int
    flags: Flags = NO_FLAGS

    @property
    def narrow(self) -> bool:
        """Whether it is for a phone."""
        return self.width < 500

    def axes(
        self, height: float, *, left: float = 44, right: float = 12, top: float = 14, bottom: float = 34
    ) -> tuple[Figure, Axes]:
        """Return a figure of this width with one set of axes, all in pixels; higher where there are flags."""
        height, top = height + self.flags.height, top + self.flags.height
        figure = Figure(figsize=(self.width / 72, height / 72))
        box = (
            left / self.width,
            bottom / height,
            max(self.width - left - right, 20) / self.width,
            max(height - top - bottom, 20) / height,
        )
        return figure, figure.add_axes(box)


def place(axes: Axes, x: Any, y: Any) -> Place:
    """Return where the mark at (x, y), in the units of `axes`, is on the drawing.

    For after the limits of the axes are set. A mark whose place is not known (missing, NaN) is not visible.
    """
    if not (wording.known(x) and wording.known(y)):
        return Place(x=0.0, y=0.0, visible=False)
    (left, right), (low, high) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
    across, up = axes.transData.transform((float(x), float(y))) * 72.0 / axes.figure.dpi
    height = axes.figure.bbox.height * 72.0 / axes.figure.dpi
    return Place(x=float(across), y=float(height - up), visible=bool(left <= x <= right and low <= y <= high))


def places(axes: Axes, x: Sequence[Any] | np.ndarray, y: Sequence[Any] | np.ndarray | pd.Series) -> list[Place]:
    """Return where marks are, one for each pair of x and y in the units of `axes`; see `place`."""
    return [place(axes, across, up) for across, up in zip(x, y, strict=True)]


def chart(
    record: Record,
    draw: Callable[[Canvas, Record], Drawing],
    caption: Caption,
    *,
    table: pd.DataFrame,
    heads: Mapping[str, str],
    company: Company,
    as_of: Any,
    formats: Mapping[str, Format] | None = None,
    by: str = "",
    flags: Flags = NO_FLAGS,
    widths: Sequence[int] = (WIDE, NARROW),
) -> Chart:
    """Draw a record for a page's column and for a phone, and put its caption, data and source to it.

    table : the data of the chart; heads : what stands over its columns, in order, those without are not shown;
    formats : how they are worded. by : as `Chart` takes it. flags : of an axis of time, for the axes drawn first.
    widths : of the two drawings; a single one where the picture's column is known.
    """
    with drawing():
        canvases = (Canvas(width=width, flags=flags) for width in widths)
        drawings = [_drawn(_flagged(draw(canvas, record), flags), caption) for canvas in canvases]
    wide, narrow = drawings[0], drawings[1] if len(drawings) > 1 else None
    return Chart(
        figure=wide[0],
        title=caption.title,
        subtitle=caption.subtitle,
        description=" ".join(filter(None, [caption.description, flags.description])),
        table=table,
        source=wording.source(company, as_of),
        narrow=None if narrow is None else narrow[0],
        heads=heads,
        formats=formats or {},
        tooltips=wide[1],
        tooltips_narrow=() if narrow is None else narrow[1],
        by=by,
        flags=flags.sentences,
        flagged=flags.titled(caption.title),
    )


def _flagged(done: Drawing, flags: Flags) -> Drawing:
    """Return a drawing with flags over the axes that were drawn first."""
    if flags.marks:
        draw_flags(done.figure.axes[0], flags)
    return done


def _drawn(done: Drawing, caption: Caption) -> tuple[Figure, list[Tooltip]]:
    """Return a figure and its tooltips; a drawing without marks has none."""
    pairs = zip(done.marks, caption.tooltips, strict=True) if done.marks else ()
    return done.figure, [Tooltip(x=mark.x, y=mark.y, text=text) for mark, text in pairs if mark.visible and text]


def empty(what: str, why: str) -> Statement:
    """Return, in place of a chart, what cannot be shown and why."""
    return Statement(wording.sentence(what), wording.sentence(why), kind="nothing")


# -- where a label can stand ----------------------------------------------------------------------------

_STEP = 2.0
"""Pixels between the points of a line when it is asked whether a label covers it."""

_CLEAR = 2.0
"""Pixels a label keeps from every line."""

_SHIFTS = (0.0, -4.0, 4.0, -8.0, 8.0, -12.0, 12.0)
"""Pixels by which a label at the end of its line may stand higher or lower than it."""

_GRID = 6.0
"""Pixels between the places that are tried all over a frame."""


class Box(NamedTuple):
    """A rectangle in pixels."""

    left: float
    low: float
    right: float
    high: float


def boxes_near(points: Sequence[tuple[float, float]], *, width: float, height: float, gap: float = 9.0) -> list[Box]:
    """Return where a label of a line may stand, best first: right of its end, then above and below its points.

    points : the line's points in pixels, in order. The end is tried first, a little higher and lower too, so that lines
    that end close together can all be named there; then the points before it.
    """
    x, y = points[-1]
    lows = [y - height / 2 + shift for shift in _SHIFTS]
    boxes = [Box(x + gap, low, x + gap + width, low + height) for low in lows]
    for x, y in reversed(points):
        for low in (y + gap, y - gap - height):
            boxes += [Box(left, low, left + width, low + height) for left in (x - width, x - width / 2, x)]
    return boxes


def boxes_inside(inside: Box, end: tuple[float, float], *, width: float, height: float) -> list[Box]:
    """Return the places for a label all over a frame, those nearest to the end of its line first."""
    lefts = np.arange(inside.left, inside.right - width, _GRID)
    lows = np.arange(inside.low, inside.high - height, _GRID)
    boxes = [Box(float(left), float(low), float(left + width), float(low + height)) for left in lefts for low in lows]
    return sorted(boxes, key=lambda box: distance(box, np.array([end])))


def first_free(
    boxes: Sequence[Box], *, lines: Sequence[np.ndarray], own: int, taken: Sequence[Box], inside: Box
) -> tuple[Box, bool]:
    """Return the first box inside a frame that touches no line and no other box, and whether there is one; else the
    one that touches least.

    lines : arrays of shape (points, 2) in pixels. own : which of them is named: of free boxes, one that is nearer to
    another line than to this comes last.
    """
    dense = [_dense(line) for line in lines]
    dots = np.concatenate(dense)
    others = np.concatenate([np.full((1, 2), np.inf), *(line for i, line in enumerate(dense) if i != own)])

    def touched(box: Box) -> float:
        x, y = dots[:, 0], dots[:, 1]
        near = (x > box.left - _CLEAR) & (x < box.right + _CLEAR) & (y > box.low - _CLEAR) & (y < box.high + _CLEAR)
        out = box.left < inside.left or box.right > inside.right or box.low < inside.low or box.high > inside.high
        stray = distance(box, others) < distance(box, dense[own])
        return int(near.sum()) + 100 * sum(_overlap(box, other) for other in taken) + 1000 * out + 0.5 * stray

    best = min(boxes, key=touched)  # the first of the least
    return best, touched(best) < 1


def _overlap(one: Box, other: Box) -> bool:
    return one.left < other.right and other.left < one.right and one.low < other.high and other.low < one.high


def distance(box: Box, dots: np.ndarray) -> float:
    """Return how far a box is from the nearest of some points."""
    across = np.maximum(np.maximum(box.left - dots[:, 0], dots[:, 0] - box.right), 0.0)
    along = np.maximum(np.maximum(box.low - dots[:, 1], dots[:, 1] - box.high), 0.0)
    return float(np.hypot(across, along).min())


def _dense(line: np.ndarray) -> np.ndarray:
    """Return points along a line, no further than two pixels apart."""
    if len(line) < 2:
        return line
    lengths = np.hypot(*np.diff(line, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    at = np.linspace(0.0, along[-1], max(int(along[-1] / _STEP), 2))
    return np.column_stack([np.interp(at, along, line[:, 0]), np.interp(at, along, line[:, 1])])
