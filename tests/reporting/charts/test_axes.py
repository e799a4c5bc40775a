"""Labels find a place that covers no line; tooltips lie where their marks are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.data.schema import Company
from forecast.reporting.charts.canvas import Box, Canvas, Caption, Drawing, boxes_near, chart, first_free, places
from forecast.reporting.charts.figure import Chart

FRAME = Box(0, 0, 400, 300)


def test_a_free_end_is_taken_and_a_line_through_it_moves_the_label():
    mine = np.array([[10.0, 100.0], [100.0, 100.0]])
    boxes = boxes_near([(10.0, 100.0), (100.0, 100.0)], width=60, height=14)
    assert first_free(boxes, lines=[mine], own=0, taken=[], inside=FRAME) == boxes[0]
    other = np.array([[10.0, 104.0], [300.0, 104.0]])  # runs on where the label would stand, above mine
    below = first_free(boxes, lines=[mine, other], own=0, taken=[], inside=FRAME)
    assert below.high < 100
    again = first_free(boxes, lines=[mine, other], own=0, taken=[below], inside=FRAME)
    assert again.right <= below.left or again.left >= below.right or again.high <= below.low or again.low >= below.high


def test_where_everything_is_taken_the_least_covered_place_is():
    boxes = boxes_near([(50.0, 50.0)], width=20, height=10)
    lines = [np.array([[0.0, y], [400.0, y]]) for y in np.arange(0.0, 300.0, 4.0)]
    assert first_free(boxes, lines=lines, own=0, taken=[], inside=FRAME) in boxes


@given(st.lists(st.tuples(st.floats(20, 380), st.floats(40, 260)), min_size=1, max_size=5))
def test_a_free_place_is_found_if_there_is_one(points: list[tuple[float, float]]):
    line = np.array(sorted(points))
    boxes = boxes_near([tuple(p) for p in line], width=40, height=12)
    found = first_free(boxes, lines=[line], own=0, taken=[], inside=FRAME)

    def covers(box: Box) -> bool:
        return any(box.left < x < box.right and box.low < y < box.high for x, y in line)

    assert covers(found) <= all(covers(box) for box in boxes)


def test_a_tooltip_lies_where_its_mark_is():
    marks = [(0, 0), (10, 1), (5, 0.5), (11, 0.5), (5, np.nan), (5, None), (5, 0.5)]
    texts = [f"{x} {y}" for x, y in marks[:-1]] + [""]

    def draw(canvas: Canvas, marks: list) -> Drawing:
        figure, axes = canvas.axes(200, left=40, right=80, top=20, bottom=30)
        axes.set_xlim(0, 10)
        axes.set_ylim(0, 1)
        return Drawing(figure=figure, marks=places(axes, *zip(*marks, strict=True)))

    def drawn(texts: list[str]) -> Chart:
        caption = Caption(title="T", subtitle="S", description="D", tooltips=texts)
        company = Company(name="C")
        return chart(marks, draw, caption, table=pd.DataFrame(), heads={}, company=company, as_of="2026-10-31")

    shown = drawn(texts).tooltips
    assert [tip.text for tip in shown] == ["0 0", "10 1", "5 0.5"]  # not outside the axes, not without a place or text
    assert [(tip.x, tip.y) for tip in shown] == [pytest.approx(place) for place in ((40, 170), (640, 20), (340, 95))]
    with pytest.raises(ValueError, match="shorter"):
        drawn(texts[:-1])  # a caption that forgets a mark would put every text after it in the wrong place
