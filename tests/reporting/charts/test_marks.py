"""One mark for one thing on all charts: marks stand in `charts/style.py`, and charts draw with these alone."""

from __future__ import annotations

import ast
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from forecast.data.schema import Company
from forecast.reporting.charts import style
from forecast.reporting.charts.figure import Chart
from forecast.reporting.pages.track.charts import accuracy
from house import SOURCE, modules

LOOKS = {"alpha", "c", "color", "edgecolor", "facecolor", "linestyle", "ls", "marker"}
NONE = {"none"}  # what is not drawn has no look
RAW = {"BLUE", "DASHES", "GREEN", "GREY", "MARKERS", "MIST", "PURPLE", "RED"}
DRAWING = {
    name: path
    for name, path in modules(SOURCE / "reporting").items()
    if name not in ("charts/style", "charts/svg") and "style" in path.read_text(encoding="utf-8")
}


def own_looks(source: str) -> list[str]:
    """Return the looks that a module gives to marks itself, and the colours, dashes and shapes that it takes raw."""
    found = []
    for node in ast.walk(ast.parse(source)):
        pairs: list[tuple[Any, Any]] = []
        if isinstance(node, ast.keyword):
            pairs = [(node.arg, node.value)]
        elif isinstance(node, ast.Dict):
            pairs = [(getattr(key, "value", None), value) for key, value in zip(node.keys, node.values, strict=True)]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").endswith("charts.style"):
            found += [f"{node.lineno}: {alias.name}" for alias in node.names if alias.name in RAW]
        elif isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "style" and node.attr in RAW:
            found.append(f"{node.lineno}: {node.attr}")
        found += [
            f"{value.lineno}: {look}={ast.unparse(value)}"
            for look, value in pairs
            if look in LOOKS and _is_literal(value) and getattr(value, "value", "") not in NONE
        ]
    return found


def _is_literal(value: ast.expr) -> bool:
    parts = value.elts if isinstance(value, ast.Tuple | ast.List) else [value]
    parts = [part for each in parts for part in ([each.body, each.orelse] if isinstance(each, ast.IfExp) else [each])]
    return any(isinstance(part, ast.Constant | ast.Tuple) for part in parts)


@pytest.mark.parametrize("module", DRAWING)
def test_charts_have_no_looks_of_their_own(module: str):
    found = own_looks(DRAWING[module].read_text(encoding="utf-8"))
    assert not found, f"reporting/{module} draws what `charts/style.py` should: {found}"


def test_the_walk_sees_a_look():
    assert len(DRAWING) >= 10
    assert own_looks("axes.plot(x, color='#fff', linestyle=(0, (1, 1)), marker='o' if a else 'D')") != []
    assert own_looks("look = {'linestyle': ':'}") == ["1: linestyle=':'"]
    assert own_looks("from forecast.reporting.charts.style import BLUE, INK") == ["1: BLUE"]
    assert own_looks("axes.plot(x, **style.BENCHMARK.series, edgecolor='none', color=INK)") == []


def test_forecasts_that_are_compared_differ_by_more_than_colour():
    compared = [style.FORECAST, style.BENCHMARK, style.JOINT, style.SALES, style.MARKETING, *style.OTHER_MODELS]
    looks = [(str(mark.dash), mark.marker) for mark in compared]
    assert all(one != other for one, other in combinations(looks, 2))


def test_marks_can_be_seen_and_their_names_read():
    marks = [mark for mark in vars(style).values() if isinstance(mark, style.Mark)]
    assert len(marks) >= 20
    for mark in marks:
        if mark.opacity == 1 and mark.colour != style.MIST:
            assert style.contrast(mark.colour, style.PAPER) >= 3
        assert style.contrast(mark.name, style.PAPER) >= 4.5


def scores(models: list[str]) -> pd.DataFrame:
    rows = [(model, horizon, 0.3 + 0.05 * place) for place, model in enumerate(models) for horizon in (1, 2, 3)]
    table = pd.DataFrame(rows, columns=["model", "horizon", "wape"])
    return table.assign(
        span="month", level="segment", n=10, bias=0.0, coverage80=0.8, skill=0.1, observed=1.0, p_holm=1.0
    )


def benchmark_s_look(figure: Figure, wape: float) -> tuple[Any, ...]:
    line = next(line for line in figure.axes[0].lines if np.isclose(line.get_ydata()[0], wape))
    return to_hex(line.get_color()), line.get_linestyle(), line.get_marker()


@pytest.mark.parametrize(
    "others", [[], ["submitted-joint", "submitted-sales"], ["seasonal-naive", "stage-weighted-future"]]
)
def test_the_benchmark_looks_the_same_whoever_is_next_to_it(others: list[str]):
    models = ["pipeline", *others, "ets"]
    shown = accuracy(scores(models), company=Company(name="C"), as_of=pd.Timestamp("2026-10-31"))
    assert isinstance(shown, Chart)
    expected = Figure().add_subplot().plot([0, 1], [0, 1], **style.BENCHMARK.series)[0]
    look = benchmark_s_look(shown.figure, 0.3 + 0.05 * (len(models) - 1))
    assert look == (to_hex(expected.get_color()), expected.get_linestyle(), expected.get_marker())
