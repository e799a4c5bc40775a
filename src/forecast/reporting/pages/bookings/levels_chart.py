"""The picture of the share won: each month beside what was expected of it, and from where on it is another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast import sources, wording
from forecast.data.schema import TOTAL, Company
from forecast.reporting.charts import style
from forecast.reporting.charts.axes import month_axis, share_axis
from forecast.reporting.charts.canvas import Canvas, Caption, Drawing, chart, empty, places
from forecast.reporting.charts.figure import Chart, Statement
from forecast.reporting.charts.flags import flags_of
from forecast.reporting.pages.bookings import levels as sentences

MONTHS = 24
"""Settled months that are drawn."""


@dataclass(frozen=True, kw_only=True)
class Won:
    """The share won of the company's months.

    rows : of the month's table `levels`, the last months of the company that have a share. since : the first month of
    an alarm on the company, else empty. title : what the record says.
    """

    rows: pd.DataFrame
    since: str
    title: str
    company: Company

    @property
    def changed(self) -> np.ndarray:
        """Which months the alarm speaks of, (T,) bool."""
        return self.rows["period"].to_numpy() >= self.since if self.since else np.zeros(len(self.rows), dtype=bool)


def prepare_won(levels: pd.DataFrame, found: pd.DataFrame, *, company: Company) -> Won:
    """Return what is drawn of the month's tables `levels` and `levels_found`."""
    rows = levels[(levels["segment"] == TOTAL) & levels["expected_share"].notna() & (levels["closed"] > 0)]
    on = found[(found["segment"] == TOTAL) & found["alarm"]]
    return Won(
        rows=rows.tail(MONTHS),
        since="" if on.empty else str(on["first"].iloc[0]),
        title=sentences.record_title(found),
        company=company,
    )


def describe_won(won: Won) -> Caption:
    """Return the words of the picture."""
    return Caption(
        title=won.title,
        subtitle=sentences.SUBTITLE,
        description=sentences.description(won.rows, won.title),
        tooltips=sentences.tooltips(won.rows),
    )


def share_won(
    levels: pd.DataFrame, found: pd.DataFrame, *, company: Company, as_of: Any, events: pd.DataFrame | None = None
) -> Chart | Statement:
    """Draw the share won of each month, what was expected of it, and where it is another one since.

    levels, found : the month's tables `levels` and `levels_found`. events : to be flagged, as `dated` gives them. A
    sentence where less than a year has settled.
    """
    won = prepare_won(levels, found, company=company)
    if len(won.rows) < sentences.FEWEST:
        return empty(sentences.NO_RECORD, sentences.TOO_SHORT)
    shares = ("share", "expected_share", "low", "high")
    return chart(
        won,
        draw_won,
        describe_won(won),
        table=won.rows,
        heads=sentences.HEADS,
        company=company,
        as_of=as_of,
        formats=dict.fromkeys(shares, wording.whole),
        flags=flags_of(events, list(won.rows["period"]), company=company, name="share_won"),
        by="x",
    )


def draw_won(canvas: Canvas, won: Won) -> Drawing:
    """Draw the band of chance and the line expected, a dot for each month, a diamond from the change on."""
    figure, axes = canvas.axes(220, left=44, right=10, top=24)
    rows, x, changed = won.rows, np.arange(len(won.rows), dtype=float), won.changed
    share = rows["share"].to_numpy(float)
    axes.fill_between(x, rows["low"].to_numpy(float), rows["high"].to_numpy(float), **style.CHANCE_BAND.area, zorder=1)
    axes.plot(x, rows["expected_share"].to_numpy(float), **style.FORECAST.line, linewidth=2, zorder=2)
    size = 26 if canvas.narrow else 40
    axes.scatter(x[~changed], share[~changed], s=size, **style.BOOKED.points, zorder=4)
    axes.scatter(x[changed], share[changed], s=size, **style.OUTSIDE.points, linewidth=2, zorder=4)
    if changed.any():
        axes.axvline(x[changed][0] - 0.5, **style.EVENT.line, linewidth=1.2, zorder=1.5)
    month_axis(axes, list(rows["period"]), calendar=won.company.periods, most=6 if canvas.narrow else 12)
    top = float(np.nanmax([share.max(), rows["high"].max()])) * 1.06
    axes.set_ylim(0, top)
    share_axis(axes)
    marks = {"won": ("●", style.BOOKED), "expected": ("▬", style.FORECAST)}
    words = [(f"{mark} {sentences.LABELS[name]}", look.name) for name, (mark, look) in marks.items()]
    if changed.any():
        words.append((f"◇ {sentences.LABELS['changed']}", style.OUTSIDE.name))
    for share_of_width, (text, colour) in zip((0.0, 0.18, 0.45), words, strict=False):
        label = axes.text(-0.5 + len(x) * share_of_width, top * 1.03, text, color=colour, va="bottom")
        label.set_bbox({"facecolor": style.PAPER, "edgecolor": "none", "pad": 1.0})
    return Drawing(figure=figure, marks=places(axes, x, sources.column(rows, "share")))
