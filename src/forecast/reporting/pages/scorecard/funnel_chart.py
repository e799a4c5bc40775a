"""The funnel as a picture: who passes each hand-over, with its 95 % interval, and after how long.

    funnel = prepare_funnel(rows)             # one row a hand-over, of the company over all cohorts
    draw_funnel(canvas, funnel)               # a bar to the share that passes, its interval, and a line of days
    describe_funnel(funnel, title)            # subtitle, description, tooltips

A hand-over that cannot be followed keeps its place and says so: what lies behind it may still be known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from forecast import sources, wording
from forecast.data.schema import Company
from forecast.reporting.charts.axes import share_axis
from forecast.reporting.charts.canvas import Canvas, Caption, Drawing, chart, places
from forecast.reporting.charts.figure import Chart, Folds, Format, TableView
from forecast.reporting.charts.style import AXIS, COUNT, GRID, INK, OURS, SMALL, SOFT

# -- sentences ------------------------------------------------------------------------------------------

HEADS = {
    "step": "hand-over",
    "value": "pass",
    "low": "from (95 % interval)",
    "high": "to",
    "median_days": "half of these by day",
    "q90_days": "nine in ten by day",
    "n": "how many began",
}
COHORT_HEADS = {
    "cohort": "began in",
    "value": "pass (95 % interval)",
    "median_days": "half of these by day",
    "q90_days": "nine in ten by day",
    "n": "how many began",
}
SUBTITLE = (
    "Share of those that began in {} to {} that passes, with 95 % intervals, and days by which half and nine in ten "
    "of these had passed; those still on their way count as long as they were seen"
)
PASSES, DAYS = "pass, of how many", "days: half – nine in ten"
UNKNOWN = "cannot be followed"
SET_OUT = "{} of {}"
WAITED = "half by day {}, nine in ten by day {}"
TOLD = "{} pass ({}) of {}"
BY_COHORT = "{}, by the quarter in which they began"
LEAD = "By the quarter in which they began:"


# -- one row a hand-over ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """What is drawn. table : the company's rows of hand-overs over all cohorts, in their order, also those that are not
    known."""

    table: pd.DataFrame

    @property
    def known(self) -> pd.DataFrame:
        """The hand-overs that can be followed."""
        return self.table[self.table["value"].notna()]

    @property
    def longest(self) -> float:
        """The most days by which nine in ten had passed."""
        return float(self.known["q90_days"].max())


def prepare_funnel(rows: pd.DataFrame) -> Funnel:
    """Return what is drawn of hand-overs; rows : of the company over all cohorts."""
    return Funnel(table=rows)


# -- the picture ----------------------------------------------------------------------------------------


def funnel(rows: pd.DataFrame, title: str, *, company: Company, as_of: Any) -> Chart:
    """Draw who passes each hand-over and after how long.

    rows : hand-overs of the company over all cohorts, of which one at least is known. title : the finding.
    """
    found = prepare_funnel(rows)
    share: Format = _share
    days: Format = _days
    formats = dict.fromkeys(("value", "low", "high"), share) | dict.fromkeys(("median_days", "q90_days"), days)
    formats["n"] = wording.in_full
    return chart(
        found,
        draw_funnel,
        describe_funnel(found, title),
        table=found.known,
        heads=HEADS,
        company=company,
        as_of=as_of,
        formats=formats,
        by="y",
    )


_NAME, _WAITED = -0.3, 0.27
"""How far above a bar its name stands and below it, on a phone, the days, as a share of a row."""


def draw_funnel(canvas: Canvas, funnel: Funnel) -> Drawing:
    """Draw a row a hand-over: its name over a bar to the share that passes; beside it, on a phone below, the days."""
    rows = sources.records(funnel.table)
    pitch, top, bottom = (58 if canvas.narrow else 44), 30, 24
    height = top + bottom + pitch * len(rows)
    width = canvas.width if canvas.narrow else 0.66 * canvas.width
    figure, axes = canvas.axes(height, left=18, right=canvas.width - width + 66, top=top, bottom=bottom)
    _frame(axes, len(rows), title=PASSES)
    axes.set_xlim(0, 1)
    share_axis(axes, axis="x")
    for at, row in enumerate(rows):
        axes.text(0, at + _NAME, row["step"], color=INK, va="center")
        _draw_share(axes, at, row)
    if canvas.narrow:
        for at, row in enumerate(rows):
            axes.text(0, at + _WAITED, _waited(row), color=SOFT, fontsize=SMALL, va="center")
    else:
        left = (width + 26) / canvas.width
        beside = figure.add_axes((left, bottom / height, 1 - left - 44 / canvas.width, 1 - (top + bottom) / height))
        _draw_days(beside, funnel, rows)
    followed = [place for place, row in enumerate(rows) if wording.known(row["value"])]
    return Drawing(figure=figure, marks=places(axes, funnel.known["value"], followed))


def _frame(axes: Axes, count: int, *, title: str) -> None:
    """Give the axes a place for each row from the top down, and a name above the first."""
    axes.set_ylim(count - 0.5, -0.6)
    axes.yaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    axes.annotate(
        title,
        (0, 1),
        xycoords=axes.transAxes,
        xytext=(0, 8),
        textcoords="offset points",
        color=SOFT,
        va="bottom",
    )


def _draw_share(axes: Axes, at: int, row: Mapping[str, Any]) -> None:
    """Draw a bar to the share that passes, with its interval and of how many; or the words that it is not known."""
    if not wording.known(row["value"]):
        axes.text(0, at, UNKNOWN, color=SOFT, va="center")
        return
    axes.hlines(at, 0, 1, color=AXIS, linewidth=0.4, zorder=1)
    axes.barh(at, row["value"], height=0.26, **OURS.area, zorder=1.5)
    axes.hlines(at, row["low"], row["high"], color=OURS.colour, linewidth=3, zorder=2)
    axes.scatter([row["value"]], [at], s=52, **OURS.points, zorder=3, clip_on=False)
    axes.annotate(
        SET_OUT.format(wording.percent(row["value"]), wording.in_full(row["n"])),
        (1, at + _NAME),
        xytext=(58, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        color=OURS.name,
    )


def _draw_days(axes: Axes, funnel: Funnel, rows: list[dict[str, Any]]) -> None:
    """Draw a line of days for each hand-over: a dot where half of those that pass had passed, to where nine in ten
    had."""
    _frame(axes, len(rows), title=DAYS)
    ticks = MaxNLocator(4, steps=[1, 2, 5, 10], integer=True)
    longest = max(funnel.longest, 1.0) if wording.known(funnel.longest) else 1.0
    axes.set_xlim(0, ticks.tick_values(0, longest)[-1])  # no line runs past the last tick
    axes.xaxis.set_major_locator(ticks)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: wording.number(value)))
    axes.grid(True, axis="x", color=GRID)
    for at, row in enumerate(rows):
        if not wording.known(row["q90_days"]):
            continue
        axes.hlines(at, row["median_days"], row["q90_days"], **COUNT.line, linewidth=2, zorder=2)
        axes.scatter([row["median_days"]], [at], s=40, **COUNT.points, zorder=3, clip_on=False)
        axes.text(0, at + _NAME, _short(row), color=COUNT.name, va="center")


# -- sentences of the picture -----------------------------------------------------------------------------


def describe_funnel(funnel: Funnel, title: str) -> Caption:
    """Return the words of the picture."""
    rows = sources.records(funnel.known)
    told = [_told(row) for row in rows]
    unknown = [f"{row['step']}: {UNKNOWN}." for row in sources.records(funnel.table[funnel.table["value"].isna()])]
    when = (wording.month(end) for end in (min(row["first"] for row in rows), max(row["last"] for row in rows)))
    return Caption(
        title=title,
        subtitle=SUBTITLE.format(*when),
        description=" ".join([f"{title}.", *(f"{text}." for text in told), *unknown]),
        tooltips=told,
    )


def _told(row: Mapping[str, Any]) -> str:
    share, interval = wording.percent(row["value"]), wording.percents(row["low"], row["high"])
    passes = TOLD.format(share, interval, wording.plural(row["n"], row["n_of"]))
    return wording.listed(row["step"], *filter(None, [passes, _waited(row)]))


def _waited(row: Mapping[str, Any]) -> str:
    if not wording.known(row["median_days"]):
        return ""
    return WAITED.format(wording.number(row["median_days"]), wording.number(row["q90_days"]))


def _short(row: Mapping[str, Any]) -> str:
    return f"{wording.number(row['median_days'])}–{wording.number(row['q90_days'])}"


# -- by quarter -------------------------------------------------------------------------------------------


def by_cohort(rows: pd.DataFrame) -> Folds:
    """Show each hand-over of the company quarter by quarter, folded away behind its name; rows : of quarters."""
    parts = []
    for step, of_step in rows.groupby("step", sort=False):
        if of_step["value"].isna().all():
            continue
        told = sources.records(of_step)
        shown = pd.DataFrame(
            {
                "cohort": of_step["cohort"],
                "value": [_cell(of_step, at, row) for at, row in zip(of_step.index, told, strict=True)],
                "median_days": [_days(row["median_days"]) for row in told],
                "q90_days": [_days(row["q90_days"]) for row in told],
                "n": [wording.in_full(row["n"]) for row in told],
            },
            index=of_step.index,
        )
        line = sources.capitalised(str(step))
        right = ["median_days", "q90_days", "n"]
        caption, formats = BY_COHORT.format(line), dict.fromkeys(COHORT_HEADS, str)
        view = TableView(shown, caption, columns=COHORT_HEADS, formats=formats, right=right, stacks=True)
        parts.append((line, view))
    return Folds(parts, LEAD)


def _cell(rows: pd.DataFrame, at: Any, row: Mapping[str, Any]) -> str:
    """Return who passes, with the interval; where it cannot be told, why."""
    if not wording.known(row["value"]):
        return sources.quoted(rows, at, "missing")
    return f"{wording.percent(row['value'])} ({wording.percents(row['low'], row['high'])})"


def _share(value: Any) -> str:
    return wording.percent(value) if wording.known(value) else "–"


def _days(value: Any) -> str:
    return wording.number(value) if wording.known(value) else "–"
