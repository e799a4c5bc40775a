"""Labels find a place that covers no line; tooltips lie where their marks are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.data.schema import Company
from forecast.reporting.charts.axes import line_labels, money_axis
from forecast.reporting.charts.canvas import (
    Box,
    Canvas,
    Caption,
    Drawing,
    boxes_near,
    chart,
    distance,
    first_free,
    places,
)
from forecast.reporting.charts.figure import Chart

FRAME = Box(0, 0, 400, 300)


def test_a_free_end_is_taken_and_a_line_through_it_moves_the_label():
    mine = np.array([[10.0, 100.0], [100.0, 100.0]])
    boxes = boxes_near([(10.0, 100.0), (100.0, 100.0)], width=60, height=14)
    assert first_free(boxes, lines=[mine], own=0, taken=[], inside=FRAME) == (boxes[0], True)
    other = np.array([[10.0, 104.0], [300.0, 104.0]])  # runs on where the label would stand, above mine
    below, _ = first_free(boxes, lines=[mine, other], own=0, taken=[], inside=FRAME)
    assert below.high < 100
    again, _ = first_free(boxes, lines=[mine, other], own=0, taken=[below], inside=FRAME)
    assert again.right <= below.left or again.left >= below.right or again.high <= below.low or again.low >= below.high


def test_where_everything_is_taken_the_least_covered_place_is():
    boxes = boxes_near([(50.0, 50.0)], width=20, height=10)
    lines = [np.array([[0.0, y], [400.0, y]]) for y in np.arange(0.0, 300.0, 4.0)]
    box, is_free = first_free(boxes, lines=lines, own=0, taken=[], inside=FRAME)
    assert box in boxes
    assert not is_free


@pytest.mark.parametrize("width", [390, 720])
@pytest.mark.parametrize("last", [3, 6])
def test_names_of_lines_that_end_close_together_lie_on_no_line_and_on_no_other_name(width: int, last: int):
    ends = {
        "marketing": [108, 109, 86],
        "sales": [92, 84, 79],
        "joint": [67, 59, 62],
        "model": [53, 61, 56, 57, 58, 65],
    }
    _, axes = Canvas(width=width).axes(270, left=44, right=84, bottom=40)
    axes.set_xlim(1, 6)
    axes.set_ylim(0, 118)
    lines = [(np.column_stack([np.arange(1.0, len(y) + 1), y]), f"{name}’s forecast", "k") for name, y in ends.items()]
    lines.append((np.array([[1.0, 100.0], [last, 100.0]]), "benchmark", "k"))
    line_labels(axes, lines, named=[0, 1, 2], size=12)
    boxes = {}
    for text in axes.texts:
        x, y = axes.transData.transform(text.get_position())
        boxes[text.get_text()] = Box(x, y - 7, x + 6 * len(text.get_text()), y + 7)
    assert len(boxes) == 3
    assert not axes.lines, "all stand beside their lines"
    for name, box in boxes.items():
        dots = np.concatenate([axes.transData.transform(_along(points)) for points, _, _ in lines])
        assert distance(box, dots) > 0, name
        others = [other for key, other in boxes.items() if key != name]
        assert not any(
            box.low < o.high and o.low < box.high and box.left < o.right and o.left < box.right for o in others
        )


def _along(points: np.ndarray) -> np.ndarray:
    at = np.linspace(0, len(points) - 1, 400)
    return np.column_stack([np.interp(at, np.arange(len(points)), column) for column in points.T])


def test_a_name_without_room_beside_its_line_is_led_to_it():
    _, axes = Canvas(width=390).axes(270, left=44, right=12, bottom=40)
    axes.set_xlim(0, 10)
    axes.set_ylim(0, 100)
    lines = [(np.array([[0.0, float(y)], [10.0, float(y)]]), f"line {y}", "k") for y in range(2, 60, 5)]
    line_labels(axes, lines, named=[2], size=12)
    (text,) = axes.texts
    assert text.get_position()[1] > 60, "above all lines"
    (lead,) = axes.lines
    assert lead.get_ydata()[0] == pytest.approx(12), "from the end of its own line"


@given(st.lists(st.tuples(st.floats(20, 380), st.floats(40, 260)), min_size=1, max_size=5))
def test_a_free_place_is_found_if_there_is_one(points: list[tuple[float, float]]):
    line = np.array(sorted(points))
    boxes = boxes_near([tuple(p) for p in line], width=40, height=12)
    found, _ = first_free(boxes, lines=[line], own=0, taken=[], inside=FRAME)

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


@pytest.mark.parametrize(("largest", "moves"), [(960_000.0, True), (1_900_000.0, False), (96_000.0, False)])
def test_the_longest_amount_beside_an_axis_has_room(largest: float, moves: bool):
    # By hand: 1,000 is five signs of .6 x 12 pixels and a gap of 5, 41 where there were 34; 0.5 and 100 fit.
    figure, axes = Canvas(width=390).axes(250, left=34, right=78)
    axes.set_ylim(0, largest * 1.06)
    money_axis(axes, largest, currency="EUR")
    figure.canvas.draw()
    box = axes.get_position()
    assert box.x0 * 390 == pytest.approx(41 if moves else 34)
    assert box.x1 * 390 == pytest.approx(390 - 78)
    assert min(label.get_window_extent().x0 for label in axes.get_yticklabels()) >= 0
