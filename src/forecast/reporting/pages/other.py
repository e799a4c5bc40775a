"""Pictures of the scorecard, and of what the tables cover."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.dates import date2num
from matplotlib.figure import Figure

from forecast import wording
from forecast.data.schema import Company
from forecast.reporting.charts import tooltips
from forecast.reporting.charts.axes import Canvas, chart, empty, row_axis, share_axis, width_of
from forecast.reporting.charts.figure import Chart, Statement
from forecast.reporting.charts.style import AXIS, BLUE, GREY, INK, SOFT
from forecast.reporting.pages import scorecard as scorecard_sentences


def scorecard(table: pd.DataFrame, *, company: Company, as_of: Any) -> Chart | Statement:
    """Draw our shares beside the survey's, on one axis from nothing to all.

    table : measure, ours, unit, survey, survey_text, previous.
    """
    title = scorecard_sentences.finding(table)
    rows = table[table["survey"].notna()].reset_index(drop=True) if len(table) else table
    if rows.empty:
        return empty(title, "None of the survey's figures is here.")
    names = [str(name) for name in rows["measure"]]

    def draw(canvas: Canvas) -> Figure:
        left = width_of(names)
        figure, axes = canvas.axes(70 + 34 * len(rows), left=left, right=22, top=34, bottom=24)
        for i, row in rows.iterrows():
            axes.hlines(i, 0, 1, color=AXIS, linewidth=0.6, zorder=1)
            axes.scatter([row["survey"]], [i], marker="|", s=240, color=GREY, linewidth=3, zorder=2)
            if wording.known(row["ours"]):
                axes.hlines(
                    i,
                    min(row["ours"], row["survey"]),
                    max(row["ours"], row["survey"]),
                    color=BLUE,
                    alpha=0.3,
                    linewidth=5,
                    zorder=1.5,
                )
                axes.scatter([row["ours"]], [i], s=80, color=BLUE, zorder=3, clip_on=False)
                axes.text(row["ours"], i - 0.27, wording.percent(row["ours"]), ha="center", va="bottom", color=BLUE)
            else:
                axes.text(1.0, i - 0.1, "ours unknown", ha="right", va="bottom", color=SOFT)
            said = (tooltips.share("ours", row["ours"]), tooltips.share("survey", row["survey"]))
            before = tooltips.share("ours 12 months before", row["previous"])
            place = row["ours"] if wording.known(row["ours"]) else row["survey"]
            canvas.say(axes, place, i, tooltips.values(row["measure"], *said, before))
        row_axis(axes, names)
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(len(rows) - 0.5, -0.75)
        share_axis(axes, axis="x")
        axes.text(0, -0.95, "●  ours", color=BLUE, va="bottom")
        axes.text(0.16 if not canvas.narrow else 0.3, -0.95, "┃ the survey's companies", color=SOFT, va="bottom")
        return figure

    shown = rows[["measure", "ours", "survey", "survey_text", "previous"]]
    said = " ".join(
        f"{row['measure']}: ours {wording.percent(row['ours'])}, survey {wording.percent(row['survey'])}."
        for _, row in rows.iterrows()
    )
    return chart(
        draw,
        title=title,
        subtitle="Shares of the last 12 months beside the survey's",
        description=f"{title}. {said}",
        by="y",
        table=shown.rename(columns={"survey_text": "the survey says", "previous": "12 months before"}),
        company=company,
        as_of=as_of,
        formats=dict.fromkeys(
            ("ours", "survey", "12 months before"), lambda v: wording.percent(v) if wording.known(v) else "–"
        ),
    )


def timeline(table: pd.DataFrame, *, company: Company, as_of: Any) -> Chart | Statement:
    """Draw from when to when each table speaks, and the day whose knowledge is used.

    table : table, first, last (dates), rows; empty dates for a table without any.
    """
    rows = table[table["first"].notna()].reset_index(drop=True) if len(table) else table
    absent = int((table["rows"] == 0).sum()) if len(table) else 0
    if rows.empty:
        return empty("No table has dates", "Nothing can be placed in time.")
    years = (rows["last"].max() - rows["first"].min()).days / 365.25
    title = f"The tables cover {wording.number(round(years, 1))} years"
    title += f"; {wording.plural(absent, 'table')} {'is' if absent == 1 else 'are'} absent" if absent else ""
    names = [str(name).replace("_", " ") for name in rows["table"]]
    first, last = (date2num(rows[name]) for name in ("first", "last"))
    day = float(date2num(pd.Timestamp(as_of)))

    def draw(canvas: Canvas) -> Figure:
        left = width_of(names)
        figure, axes = canvas.axes(56 + 24 * len(rows), left=left, right=80, top=26, bottom=24)
        y = np.arange(len(rows))
        axes.hlines(y, first, last, color=BLUE, alpha=0.6, linewidth=9, zorder=2)
        axes.axvline(day, color=INK, linewidth=1.4, zorder=3)
        row_axis(axes, names)
        axes.xaxis_date()
        low, high = float(first.min()), float(max(last.max(), day))
        axes.set_xlim(low, high)
        from matplotlib.dates import DateFormatter, YearLocator

        axes.xaxis.set_major_locator(YearLocator(1 if years < 8 and not canvas.narrow else 2 if years < 16 else 5))
        axes.xaxis.set_major_formatter(DateFormatter("%Y"))
        axes.grid(True, axis="x")
        axes.text(day, -0.72, "as of", ha="right" if day > (low + high) / 2 else "left", va="bottom", color=INK)
        axes.text(high, -0.72, "   rows", va="bottom", color=SOFT, clip_on=False)
        for i, count in enumerate(rows["rows"]):
            axes.text(high, i, f"   {count:,}", va="center", color=SOFT, clip_on=False)
        return figure

    return chart(
        draw,
        title=title,
        subtitle="First to last date of each table, and its rows",
        description=f"{title}. "
        + " ".join(
            f"{n}: {wording.day(a)} to {wording.day(b)}."
            for n, a, b in zip(names, rows["first"], rows["last"], strict=True)
        ),
        table=table,
        company=company,
        as_of=as_of,
    )
