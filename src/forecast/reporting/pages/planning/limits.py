"""How far the planning verdict carries: one segment less, how large a change would have shown."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from forecast import sources, wording
from forecast.data.schema import Company
from forecast.evaluation.planning.limits import LEFT_OUT_ASSIGNMENTS, WANTED
from forecast.reporting.charts.axes import row_axis, share_axis, width_of, zero_line
from forecast.reporting.charts.canvas import Canvas, Caption, Drawing, chart, empty
from forecast.reporting.charts.figure import Chart, Statement, Together
from forecast.reporting.charts.style import AXIS, CHANGED, INK, OTHER_SIZES, OWN_SIZE, SHADE, SMALL, SOFT, UNPROVEN
from forecast.reporting.pages.planning import sentences
from forecast.reporting.pages.planning.charts import name_sides, signed
from forecast.reporting.pages.planning.prepare import (
    CHANCES,
    LeftOut,
    Power,
    draws,
    is_answerable,
    is_claimed,
    is_withheld,
    prepare_left_out,
)

Shown = Chart | Statement | Together

_LOOKS = [(OWN_SIZE, 2.6), *((mark, 1.8) for mark in OTHER_SIZES)]
"""Mark and width of each size of company, the company's own first."""

_KEYS = {False: (0.0, 0.3, 0.6), True: (0.0, 0.48, 0.74)}
"""Where along the axis their keys begin, on a page and on a phone."""


def left_out(table: pd.DataFrame | None, row: Mapping[str, Any], *, company: Company, as_of: Any) -> Shown:
    """Draw the effect with its interval without each segment in turn, under the one with all.

    table : `planning_segments`. row : the planning table's row.
    """
    if not is_answerable(row):
        return Together()
    shown = prepare_left_out(table, row)
    if shown is None:
        return empty(left_out_finding(row), none_left(row))
    return chart(
        shown,
        draw_left_out,
        describe_left_out(shown, row),
        table=sources.named(shown.table.assign(what=left_out_names(shown)), "left_out"),
        heads=LEFT_OUT_HEADS,
        company=company,
        as_of=as_of,
        formats={
            **dict.fromkeys(("mean_change", "mean_interval_low", "mean_interval_high"), signed),
            "p_value": partial(_left_out_chance, draws=draws(row)),
        },
    )


def _left_out_chance(p: Any, *, draws: int) -> str:
    """Return how often chance alone gives as much; with one segment left out it is counted of fewer assignments."""
    fewer = min(LEFT_OUT_ASSIGNMENTS, draws)
    return sentences.chance_alone(p, draws=draws if p < (1 - 1e-9) / max(fewer, 1) else fewer)


def draw_left_out(canvas: Canvas, shown: LeftOut) -> Drawing:
    """Draw an interval a row, with its mark and number where a change is claimed; that of all segments stands out."""
    most, reach, names = 18 if canvas.narrow else 28, shown.reach, left_out_names(shown)
    left = width_of(names, most=most)
    figure, axes = canvas.axes(60 + 24 * len(names), left=left, right=56, top=28, bottom=26)
    axes.axvspan(-2, 0, **SHADE.area, zorder=0)
    zero_line(axes, vertical=True)
    for at, row in enumerate(shown.rows):
        change, low, high = row["mean_change"], row["mean_interval_low"], row["mean_interval_high"]
        is_all = at == 0
        mark = CHANGED if is_all and shown.changed else UNPROVEN
        axes.hlines(at, max(low, -reach), min(high, reach), **mark.bar, linewidth=4 if is_all else 2)
        if not shown.changed:
            continue  # without a claim there is no point that leans to a side
        axes.scatter([float(np.clip(change, -reach, reach))], [at], **mark.points, s=80 if is_all else 40, zorder=3)
        axes.text(reach, at, f"  {signed(change)}", va="center", color=INK if is_all else SOFT, clip_on=False)
    row_axis(axes, names, most=most)
    axes.set_xlim(-reach, reach)
    share_axis(axes, axis="x", ticks=4 if canvas.narrow else 6, sign=True)
    right = "" if canvas.narrow else sentences.LABELS["larger errors"]
    name_sides(axes, reach, right=right, zero=not canvas.narrow)
    return Drawing(figure=figure)


def power(table: pd.DataFrame | None, row: Mapping[str, Any], *, company: Company, as_of: Any) -> Shown:
    """Draw how often a fall of the errors would have been seen, for this company and for larger ones like it.

    table : segments, relative_change (negative), power. row : the planning table's row.
    """
    if not is_answerable(row):
        return Together()
    if table is None or table.empty:
        return empty(*no_power(row))
    shown = Power(table=table)
    wide = table.pivot(index="relative_change", columns="segments", values="power").sort_index(ascending=False)
    wide.columns = wide.columns.astype(str)
    return chart(
        shown,
        draw_power,
        describe_power(shown, row),
        table=sources.named(wide.reset_index(), "power"),
        heads=power_heads(shown),
        company=company,
        as_of=as_of,
        formats={"relative_change": signed, **dict.fromkeys(map(str, shown.sizes), wording.short_chance)},
    )


def draw_power(canvas: Canvas, shown: Power) -> Drawing:
    """Draw a line a size of company over the true fall of the errors, and the line of 4 in 5."""
    figure, axes = canvas.axes(280, left=48, right=20, top=34, bottom=42)
    for at, (size, (mark, width)) in enumerate(zip(shown.sizes, _LOOKS, strict=False)):
        line = shown.line(size)
        name = power_line(size, own=at == 0)
        look: Any = {**mark.line, "linewidth": width}
        axes.plot(-line["relative_change"], line["power"], **look)
        along = _KEYS[canvas.narrow][at]
        axes.plot([along, along + 0.07], [1.07, 1.07], transform=axes.transAxes, clip_on=False, **look)
        axes.text(along + 0.09, 1.07, name, transform=axes.transAxes, color=INK, fontsize=SMALL, va="center")
    axes.axhline(WANTED, color=AXIS, linewidth=1.2, zorder=1.5)
    axes.text(CHANCES[0] + 0.005, WANTED + 0.015, sentences.LABELS["wanted"], color=SOFT, va="bottom")
    share_axis(axes, axis="x", ticks=5)
    share_axis(axes, axis="y", ticks=5)
    axes.set_xlim(*CHANCES)
    axes.set_ylim(0, 1.04)
    axes.set_xlabel(sentences.LABELS["fall"], loc="left")
    return Drawing(figure=figure)


# -- sentences ----------------------------------------------------------------------------------------

LEFT_OUT_HEADS = {
    "what": "what",
    "mean_change": "change",
    "mean_interval_low": "from",
    "mean_interval_high": "to",
    "p_value": "chance alone",
}
"""What stands over the columns of the effect without each segment."""

NO_SIZE = "Cannot tell how large a change would have shown"
NO_POWER = "The start dates leave nothing that could be compared, however many months are added."
"""What stands in place of the power, and why."""


def left_out_finding(row: Mapping[str, Any]) -> str:
    """Return the title of the effect without each segment in turn."""
    if not wording.known(row.get("left_out_low")):
        return "Cannot tell whether one segment decides"
    if decided := sentences.decided_by(row):
        # Without a claim the checks, which may withhold one, have not been asked.
        return f"Leaving out {decided} {'would' if is_claimed(row) else 'could'} change the answer"
    if not is_claimed(row):
        return "Without any one segment there is still no detectable change"
    ends = [wording.percent(row[name], sign=True) for name in ("left_out_low", "left_out_high")]
    return f"Leaving one out gives {ends[0]} to {ends[1]}"


def none_left(row: Mapping[str, Any]) -> str:
    """Return why the effect is not shown without each segment in turn."""
    if row.get("verdict") == "not identified":
        return "No change is claimed that a single segment could decide."
    return "With any one segment less, no effect could be estimated at all."


def left_out_names(shown: LeftOut) -> list[str]:
    """Return what each row of the effect without one segment is called: `all segments`, `without North`."""
    return ["all segments", *(f"without {wording.label(name, most=16)}" for name in shown.segments[1:])]


def describe_left_out(shown: LeftOut, row: Mapping[str, Any]) -> Caption:
    """Return the words of the effect without each segment in turn. row : the planning table's row."""
    title = left_out_finding(row)
    subtitle = (
        f"Change of the mean forecast error with one segment left out, 95{wording.THIN}% intervals; the chance counts "
        "gross misses less, as the verdict does"
    )
    if not is_claimed(row):
        return Caption(title=title, subtitle=subtitle, description=f"{title}.")
    first, last = (wording.label(shown.segments[at]) for at in (1, -1))
    whole, least, most = (wording.percent(shown.rows[at]["mean_change"], sign=True) for at in (0, 1, -1))
    return Caption(
        title=title,
        subtitle=subtitle,
        description=f"{title}. With all segments the change is {whole}; without {first} it is {least}, without {last} "
        f"{most}.",
    )


def power_finding(row: Mapping[str, Any]) -> str:
    """Return the title of how much these data could have shown."""
    here, twice = row.get("detectable_change"), row.get("detectable_twice")
    if wording.known(here) and is_withheld(row):
        return f"But for the checks, a fall of {sentences.sized(here)} of all would show"
    if wording.known(here):
        return f"Had every segment improved by {sentences.sized(here)}, it would most likely show"
    if wording.known(twice):
        return f"No fall of all segments would show; with {sentences.doubled(row)} one of {sentences.sized(twice)}"
    return "No fall of all segments, however large, would show"


def no_power(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return what stands in place of the power, and why: nobody began, or nothing to compare."""
    if not row.get("n_adopting"):
        return NO_SIZE, sentences.NOBODY_BEGAN
    return power_finding(row), NO_POWER


def power_heads(shown: Power) -> dict[str, str]:
    """Return what stands over the columns of the power: the true change, then one for each size of company."""
    return {"relative_change": "true change", **{str(size): wording.plural(size, "segment") for size in shown.sizes}}


def power_line(size: int, *, own: bool) -> str:
    """Return the name of a line of the power: `9 segments` of the company's own, `18` of a larger one."""
    return wording.plural(size, "segment") if own else wording.number(size)


def describe_power(shown: Power, row: Mapping[str, Any]) -> Caption:
    """Return the words of how often a fall would have shown. row : the planning table's row."""
    title = power_finding(row)
    each = [
        f"with {wording.plural(size, 'segment')} a fall of three tenths in all that began shows "
        f"{wording.chance(shown.at(size, -0.3))} of the time"
        for size in shown.sizes
    ]
    return Caption(
        title=title,
        subtitle="How often both comparisons would show an improvement, before the checks, by how far errors truly fell"
        " in every segment that began; simulated from this company’s own months",
        description=f"{title}. {wording.sentence(wording.joined(each))}",
    )
