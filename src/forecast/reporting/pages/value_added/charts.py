"""The picture of the ladder of forecasts: how far each step misses, and what it adds to the step before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from forecast import wording
from forecast.data.schema import Company
from forecast.reporting.charts.axes import share_axis
from forecast.reporting.charts.canvas import Canvas, Drawing, chart, empty, places
from forecast.reporting.charts.figure import Chart, Format, Statement
from forecast.reporting.charts.style import BLUE, GREY, INK, RED, SOFT
from forecast.reporting.pages.track.sentences import model_name
from forecast.reporting.pages.value_added.prepare import Ladder, is_joint, prepare_ladder, verdict
from forecast.reporting.pages.value_added.sentences import (
    describe_ladder,
    ladder_sentences,
    luck,
    more,
    step_name,
    step_note,
)

_ROW = 66
_COLOURS = {"better": BLUE, "worse": RED}


def ladder(table: pd.DataFrame, *, company: Company, as_of: Any) -> Chart | Statement:
    """Draw each step's miss as a bar, the miss of the step before on the same months as a tick, and what it added.

    table : as `value_added` gives it. Blue bars are better than the step before beyond chance, red ones worse, grey
    ones not told apart; the words next to each bar say the same.
    """
    steps = prepare_ladder(table)
    caption = describe_ladder(steps)
    if not steps.rows:
        return empty(caption.title, ladder_sentences(table.iloc[:0])[0])
    names = {"step": "step", "before": "compared with", "n": "forecasts", "months": "months"}
    names |= {"wape_before": "its miss", "wape": "miss", "added": "added", "p_holm": "could be luck?"}
    shown = pd.DataFrame(steps.rows)[list(names)].rename(columns=names)
    formats: dict[str, Format] = dict.fromkeys(("step", "compared with"), model_name)
    formats |= dict.fromkeys(("its miss", "miss"), wording.whole)
    formats |= {"added": more, "could be luck?": luck}
    return chart(steps, draw_ladder, caption, table=shown, company=company, as_of=as_of, formats=formats, by="y")


def draw_ladder(canvas: Canvas, steps: Ladder) -> Drawing:
    """Draw a bar and a tick for each step, its name over the bar and between them what it adds."""
    figure, axes = canvas.axes(60 + _ROW * len(steps.rows), left=16, right=12, top=28, bottom=28)
    for place, row in enumerate(steps.rows):
        _draw_step(axes, place, row, largest=steps.largest, most=52 if canvas.narrow else 90)
    axes.set_ylim(len(steps.rows) - 0.78, -0.72)
    axes.set_xlim(0, steps.largest * 1.14)
    axes.set_yticks([])
    axes.spines["bottom"].set_visible(False)
    share_axis(axes, axis="x", ticks=4 if canvas.narrow else 6)
    axes.text(0, -0.86, "▬ its miss   ┃ of what it is compared with, same months", va="bottom", color=SOFT)
    misses = [row["wape"] for row in steps.rows]
    return Drawing(figure=figure, marks=places(axes, misses, range(len(misses))))


def _draw_step(axes: Axes, place: int, row: Mapping[Any, Any], *, largest: float, most: int) -> None:
    """Draw one step; joint next to sales' forecasts stays grey, whatever its test shows."""
    found = "unclear" if is_joint(row) else verdict(row)
    axes.barh(place, row["wape"], height=0.24, color=_COLOURS.get(found, GREY), alpha=0.85, zorder=2)
    axes.vlines(row["wape_before"], place - 0.15, place + 0.15, color=INK, linewidth=3, zorder=3)
    end = max(row["wape"], row["wape_before"] if abs(row["added"]) < 0.16 * largest else 0.0)
    axes.text(end + 0.015 * largest, place, wording.percent(row["wape"]), va="center", color=INK)
    axes.text(0, place - 0.51, step_name(row), va="center", color=INK, fontweight="bold")
    axes.text(0, place - 0.28, wording.label(step_note(row), most=most), va="center", color=_COLOURS.get(found, SOFT))
