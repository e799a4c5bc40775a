"""The table of docs/scale.md and its two pictures, from the figures that `sizes` recorded.

python -m benchmarks.scale.page
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmarks.results import PATH
from forecast.reporting.charts.canvas import Canvas
from forecast.reporting.charts.style import AXIS, BLUE, GREY, GRID, INK, MARKERS, PAPER, drawing
from forecast.reporting.charts.svg import svg

DOCS = Path(__file__).resolve().parents[2] / "docs"
BEGIN, END = "<!-- measured: python -m benchmarks.scale.page -->", "<!-- end of what was measured -->"
STEPS = {
    "read": "read and check for errors",
    "check": "`forecast check`",
    "snapshot": "snapshot",
    "fit": "win model",
    "bookings": "bookings",
    "backtest": "backtest, 30 origins",
    "report": "whole report",
}
"""Steps and what they are called, each with what it needs before."""

_FROM = 200_000
_NAMES = {20_000: "20,000", 200_000: "200,000", 1_000_000: "1 m", 10_000_000: "10 m"}
_SHOWN = ("read", "check", "backtest", "report")
_LABELS = {"read": "read", "check": "check", "backtest": "backtest", "report": "report"}

Figures = Mapping[tuple[str, str], Mapping[int, float]]
"""By step and measure (CPU, memory): opportunities asked for -> seconds or MB."""


def figures() -> Figures:
    """Return what is recorded."""
    found: dict[tuple[str, str], dict[int, float]] = {}
    with PATH.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            step, _, measure = row["measure"].partition(" ")
            if row["benchmark"] == "scale" and step in STEPS:
                found.setdefault((step, measure), {})[int(row["case"].split()[0])] = float(row["value"])
    return {key: dict(sorted(values.items())) for key, values in found.items()}


def exponent(values: Mapping[int, float]) -> float:
    """Return the slope of log values on log sizes from 200,000 on; nan where there are fewer than two.

    >>> round(exponent({200_000: 2.0, 1_000_000: 10.0}), 6)
    1.0
    """
    sizes = [size for size in values if size >= _FROM]
    if len(sizes) < 2:
        return float("nan")
    return float(np.polyfit(np.log(sizes), np.log([values[size] for size in sizes]), 1)[0])


def table(found: Figures) -> str:
    """Return CPU seconds, memory and exponents as a table in Markdown."""
    sizes = sorted({size for values in found.values() for size in values})
    heads = [f"{_NAMES[size]}: CPU s" for size in sizes] + ["exponent"] + [f"{_NAMES[size]}: MB" for size in sizes]
    lines = [f"| step, with what it needs | {' | '.join(heads)} |", "| --- |" + " --- |" * len(heads)]
    for step, name in STEPS.items():
        cpu, memory = found.get((step, "CPU"), {}), found.get((step, "memory"), {})
        slope = exponent(cpu)
        cells = [f"{cpu[size]:,.1f}" if size in cpu else "–" for size in sizes]
        cells.append(f"{slope:.2f}" if np.isfinite(slope) else "–")
        cells += [f"{memory[size]:,.0f}" if size in memory else "–" for size in sizes]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def picture(found: Figures, measure: str, *, title: str, unit: str, ticks: list[float]) -> str:
    """Return a picture of a measure against size, both in logarithms, as SVG."""
    with drawing():
        figure, axes = Canvas(width=640).axes(330, left=58, right=92, top=20, bottom=44)
        figure.patch.set_facecolor(PAPER)
        axes.set_xscale("log")
        axes.set_yscale("log")
        ends = []
        for number, step in enumerate(_SHOWN):
            values = found.get((step, measure), {})
            if not values:
                continue
            colour = BLUE if step == "report" else INK if step == "backtest" else GREY
            axes.plot(list(values), list(values.values()), color=colour, marker=MARKERS[number], markersize=5)
            ends.append((np.log(list(values.values())[-1]), _LABELS[step], colour, list(values)[-1]))
        sizes = sorted({size for values in found.values() for size in values})
        axes.set_xlim(sizes[0] * 0.8, sizes[-1] * 1.15)
        axes.set_ylim(ticks[0], ticks[-1])
        for axis, places, names in (
            (axes.xaxis, sizes, [_NAMES[size] for size in sizes]),
            (axes.yaxis, ticks, [f"{tick:,g}" for tick in ticks]),
        ):
            shown = dict(zip(places, names, strict=True))
            axis.set_major_locator(FixedLocator(places))
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter(FuncFormatter(lambda value, _, shown=shown: shown.get(value, "")))
        axes.grid(True, axis="y", color=GRID)
        axes.text(0, 1.02, unit, transform=axes.transAxes, color=INK)
        axes.text(0.5, -0.12, "opportunities", transform=axes.transAxes, color=AXIS, ha="center")
        for level, name, colour, size in ends:
            axes.text(size * 1.06, np.exp(level), name, color=colour, va="center", clip_on=False)
        last = {step: list(found[step, measure].items())[-1] for step in _SHOWN if (step, measure) in found}
        said = "; ".join(f"{_LABELS[step]} {value:,.0f} at {_NAMES[size]}" for step, (size, value) in last.items())
        return svg(figure, title=title, description=f"{unit}, by opportunities, both axes logarithmic: {said}.")


def main() -> None:
    """Write the table and the pictures."""
    found = figures()
    page = DOCS / "scale.md"
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{table(found)}\n\n{END}{after}", encoding="utf-8")
    drawn = {
        "cpu": picture(
            found, "CPU", title="CPU grows more slowly than the company", unit="CPU seconds", ticks=[1, 10, 100, 1000]
        ),
        "memory": picture(
            found,
            "memory",
            title="Memory grows with the company",
            unit="MB",
            ticks=[100, 300, 1000, 3000, 10000, 30000],
        ),
    }
    for name, content in drawn.items():
        (DOCS / "pictures" / f"scale_{name}.svg").write_text(content + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
