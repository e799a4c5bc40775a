"""The ladder of forecasts: how far each step misses, and what it adds to the step before."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from forecast import wording
from forecast.data.schema import Company
from forecast.reporting.charts import tooltips
from forecast.reporting.charts.axes import Canvas, chart, empty, share_axis
from forecast.reporting.charts.figure import Chart, Statement
from forecast.reporting.charts.style import BLUE, GREY, INK, RED, SOFT
from forecast.reporting.pages.track.sentences import model_name
from forecast.reporting.pages.value_added import sentences as value_added_sentences

_ROW = 66
_COLOURS = {"better": BLUE, "worse": RED, "unclear": GREY, "untested": GREY}


def ladder(table: pd.DataFrame, *, company: Company, as_of: Any) -> Chart | Statement:
    """Draw each step's miss as a bar, the miss of the step before on the same months as a tick, and what it added.

    table : as `value_added` gives it. Blue bars are better than the step before beyond chance, red ones worse, grey
    ones not told apart; the words beside each bar say the same.
    """
    title = value_added_sentences.ladder_finding(table)
    rows = table[table["wape"].notna() & table["wape_before"].notna()].reset_index(drop=True)
    if rows.empty:
        return empty(title, value_added_sentences.ladder_sentences(table.iloc[:0])[0])
    records = rows.to_dict("records")
    top = float(rows[["wape", "wape_before"]].to_numpy().max()) or 1.0

    def draw(canvas: Canvas) -> Figure:
        figure, axes = canvas.axes(60 + _ROW * len(rows), left=16, right=12, top=28, bottom=28)
        for i, row in enumerate(records):
            found = "unclear" if value_added_sentences.is_joint(row) else value_added_sentences.verdict(row)
            axes.barh(i, row["wape"], height=0.24, color=_COLOURS[found], alpha=0.85, zorder=2)
            axes.vlines(row["wape_before"], i - 0.15, i + 0.15, color=INK, linewidth=3, zorder=3)
            end = max(row["wape"], row["wape_before"] if abs(row["added"]) < 0.16 * top else 0.0)
            axes.text(end + 0.015 * top, i, wording.percent(row["wape"]), va="center", color=INK)
            name = model_name(str(row["step"]))
            axes.text(0, i - 0.51, name[0].upper() + name[1:], va="center", color=INK, fontweight="bold")
            said = (tooltips.share("misses by", row["wape"]), value_added_sentences.step_note(row))
            canvas.say(axes, row["wape"], i, tooltips.values(name[0].upper() + name[1:], *said))
            note = wording.label(value_added_sentences.step_note(row), most=52 if canvas.narrow else 90)
            axes.text(0, i - 0.28, note, va="center", color=_COLOURS[found] if found in ("better", "worse") else SOFT)
        axes.set_ylim(len(rows) - 0.78, -0.72)
        axes.set_xlim(0, top * 1.14)
        axes.set_yticks([])
        axes.spines["bottom"].set_visible(False)
        share_axis(axes, axis="x", ticks=4 if canvas.narrow else 6)
        axes.text(0, -0.86, "▬ its miss   ┃ of what it is compared with, same months", va="bottom", color=SOFT)
        return figure

    shown = rows[["step", "before", "n", "months", "wape_before", "wape", "added", "p_holm"]]
    return chart(
        draw,
        title=title,
        subtitle="Miss as a share of what was booked (WAPE), each segment’s months; lower is better",
        description=f"{title}. " + " ".join(value_added_sentences.ladder_sentences(table)),
        by="y",
        table=shown.rename(
            columns={
                "before": "beside",
                "n": "forecasts",
                "wape_before": "beside it",
                "wape": "missed",
                "p_holm": "could be luck?",
            }
        ),
        company=company,
        as_of=as_of,
        formats={
            "step": model_name,
            "beside": model_name,
            "beside it": wording.whole,
            "missed": wording.whole,
            "added": value_added_sentences.more,
            "could be luck?": value_added_sentences.luck,
        },
    )
