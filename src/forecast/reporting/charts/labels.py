"""Where a label can stand without covering a line: boxes and lines in pixels, no drawing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_STEP = 2.0


class Box(NamedTuple):
    """A rectangle in pixels."""

    left: float
    low: float
    right: float
    high: float


def around(points: Sequence[tuple[float, float]], *, width: float, height: float, gap: float = 9.0) -> list[Box]:
    """Return where a label of a line may stand, best first: right of its end, then above and below its points.

    points : the line's points in pixels, in order. The end is tried first, then the points before it.
    """
    x, y = points[-1]
    boxes = [Box(x + gap, y - height / 2, x + gap + width, y + height / 2)]
    for x, y in reversed(points):
        for low in (y + gap, y - gap - height):
            boxes += [Box(left, low, left + width, low + height) for left in (x - width, x - width / 2, x)]
    return boxes


def first_free(
    boxes: Sequence[Box], *, lines: Sequence[np.ndarray], own: int, taken: Sequence[Box], inside: Box
) -> Box:
    """Return the first box inside a frame that touches no line and no other box; else the one that touches least.

    lines : arrays of shape (points, 2) in pixels. own : which of them is named: of free boxes, one that is nearer to
    another line than to this comes last.
    """
    dense = [_dense(line) for line in lines]
    dots = np.concatenate(dense)
    others = np.concatenate([np.full((1, 2), np.inf), *(line for i, line in enumerate(dense) if i != own)])

    def touched(box: Box) -> float:
        x, y = dots[:, 0], dots[:, 1]
        on_lines = int(((x > box.left) & (x < box.right) & (y > box.low) & (y < box.high)).sum())
        out = box.left < inside.left or box.right > inside.right or box.low < inside.low or box.high > inside.high
        stray = _away(box, others) < _away(box, dense[own])
        return on_lines + 100 * sum(_overlap(box, other) for other in taken) + 1000 * out + 0.5 * stray

    return min(boxes, key=touched)  # the first of the least


def _overlap(one: Box, other: Box) -> bool:
    return one.left < other.right and other.left < one.right and one.low < other.high and other.low < one.high


def _away(box: Box, dots: np.ndarray) -> float:
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
