"""Pictures of how far the planning verdict carries: without each segment, and how large a change would have shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from forecast import wording
from forecast.data.schema import Company
from forecast.reporting.charts.axes import Canvas, chart, empty, row_axis, share_axis, width_of, zero_line
from forecast.reporting.charts.figure import Chart, Format, Notes, Statement, TableView, Together
from forecast.reporting.charts.style import AXIS, BLUE, GREY, INK, MIST, SMALL, SOFT
from forecast.reporting.pages.planning import sentences as planning_sentences

_EDGE = 1.5
_WANTED = 0.8


def left_out(table: pd.DataFrame | None, row: Mapping[str, Any], *, company: Company, as_of: Any) -> Chart | Statement:
    """Draw the effect with its interval without each segment in turn, under the one with all.

    table : segment, relative_change, interval_low, interval_high, p_value. row : the planning table's row.
    """
    title = planning_sentences.left_out_finding(row)
    known = table[table["relative_change"].notna()] if table is not None and len(table) else None
    if known is None or known.empty:
        return empty(title, "With any one segment less, nothing could be told at all.")
    known = known.sort_values("relative_change", ignore_index=True)
    whole = {"relative_change": row["relative_change"], "interval_low": row["interval_low"]}
    whole |= {"interval_high": row["interval_high"], "p_value": row["p_value"], "segment": "all segments"}
    rows = pd.concat([pd.DataFrame([whole]), known], ignore_index=True)[list(known.columns)]
    names = ["all segments", *(f"without {wording.label(name, most=16)}" for name in known["segment"])]
    ends = rows[["interval_low", "interval_high"]].to_numpy(dtype=np.float64)
    reach = float(min(max(np.abs(ends[np.isfinite(ends)]).max(initial=0.3) * 1.08, 0.3), _EDGE))

    def draw(canvas: Canvas) -> Figure:
        most = 18 if canvas.narrow else 28
        left = width_of(names, most=most)
        figure, axes = canvas.axes(60 + 24 * len(rows), left=left, right=56, top=28, bottom=26)
        axes.axvspan(-2, 0, color=MIST, alpha=0.22, linewidth=0, zorder=0)
        zero_line(axes, vertical=True)
        for i, (low, high) in enumerate(ends):
            value = float(rows["relative_change"].iloc[i])
            colour = BLUE if i == 0 and row.get("verdict") in ("improved", "worsened") else GREY
            axes.hlines(i, max(low, -reach), min(high, reach), color=colour, linewidth=4 if i == 0 else 2, alpha=0.6)
            place = float(np.clip(value, -reach, reach))
            axes.scatter([place], [i], color=colour, s=80 if i == 0 else 40, marker="o" if i == 0 else "D", zorder=3)
            said = wording.percent(value, sign=True)
            axes.text(reach, i, f"  {said}", va="center", color=INK if i == 0 else SOFT, clip_on=False)
        row_axis(axes, names, most=most)
        axes.set_xlim(-reach, reach)
        share_axis(axes, axis="x", ticks=4 if canvas.narrow else 6, sign=True)
        axes.text(-reach, -0.72, "◂ smaller errors", ha="left", va="bottom", color=SOFT)
        if not canvas.narrow:
            axes.text(reach, -0.72, "larger errors ▸", ha="right", va="bottom", color=SOFT)
        return figure

    signed = lambda v: wording.percent(v, sign=True) if wording.known(v) else "–"  # noqa: E731
    shown = rows.assign(segment=names).rename(columns={"segment": "what", "relative_change": "change"})
    shown = shown.rename(columns={"interval_low": "from", "interval_high": "to", "p_value": "p-value"})
    return chart(
        draw,
        title=title,
        subtitle="Change of the forecast error with one segment left out, 95 % intervals",
        description=(
            f"{title}. With all segments the change is {signed(row['relative_change'])}; without "
            f"{wording.label(known['segment'].iloc[0])} it is {signed(known['relative_change'].iloc[0])}, without "
            f"{wording.label(known['segment'].iloc[-1])} {signed(known['relative_change'].iloc[-1])}."
        ),
        table=shown,
        company=company,
        as_of=as_of,
        formats={"change": signed, "from": signed, "to": signed, "p-value": lambda v: f"{v:.3f}"},
    )


def power(table: pd.DataFrame | None, row: Mapping[str, Any], *, company: Company, as_of: Any) -> Chart | Statement:
    """Draw how often a fall of the errors would have been seen, for this company and for larger ones like it.

    table : segments, relative_change (negative), power. row : the planning table's row.
    """
    title = planning_sentences.power_finding(row)
    if table is None or table.empty:
        return empty(title, "The start dates leave nothing that could be compared, however many months are added.")
    sizes = sorted(table["segments"].unique())
    looks = [(BLUE, "-", 2.6), (GREY, (0, (5, 2)), 1.8), (GREY, (0, (1, 1.5)), 1.8)]

    def draw(canvas: Canvas) -> Figure:
        figure, axes = canvas.axes(280, left=48, right=20, top=34, bottom=42)
        for size, (colour, dash, width) in zip(sizes, looks, strict=False):
            line = table[table["segments"] == size].sort_values("relative_change", ascending=False)
            line = line[line["relative_change"] >= -0.605]
            name = f"{size:,} segments" if size == sizes[0] else f"{size:,}"
            axes.plot(
                -line["relative_change"], line["power"], color=colour, linestyle=dash, linewidth=width, label=name
            )
        axes.axhline(_WANTED, color=AXIS, linewidth=1.2, zorder=1.5)
        axes.text(0.055, _WANTED + 0.015, "4 of 5", color=SOFT, va="bottom")
        share_axis(axes, axis="x", ticks=5)
        share_axis(axes, axis="y", ticks=5)
        axes.set_xlim(0.05, 0.6)
        axes.set_ylim(0, 1.04)
        axes.set_xlabel("true fall of the errors", loc="left")
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(0.0, 1.0),
            borderaxespad=0.2,
            ncols=len(sizes),
            frameon=False,
            fontsize=SMALL,
            labelcolor=INK,
            handlelength=2.4,
        )
        return figure

    wide = table.pivot(index="relative_change", columns="segments", values="power").sort_index(ascending=False)
    wide.columns = [f"{size:,} segments" for size in wide.columns]
    shown = wide.reset_index().rename(columns={"relative_change": "true change"})
    said = [
        f"with {size:,} segments a fall of 30{wording.THIN}% shows {wording.percent(_at(table, size, -0.3))} of the time"  # noqa: E501
        for size in sizes
    ]
    return chart(
        draw,
        title=title,
        subtitle="How often companies like this one would have been told “improved”, by how far errors truly fell; "
        "simulated from this company’s own months",
        description=f"{title}. {wording.sentence(wording.joined(said))}",
        table=shown,
        company=company,
        as_of=as_of,
        formats={
            "true change": lambda v: wording.percent(v, sign=True),
            **dict.fromkeys(wide.columns, wording.whole),
        },
    )


def planning_others(table: pd.DataFrame | None) -> Together | Statement:
    """Show whether anything else changed: the finding and the secondary outcomes, before and after."""
    if table is None:
        return empty("Nothing else can be compared", "No forecasts were submitted.")
    heads = {"outcome": "", "before": "before", "after": "after", "change": "left, points"}
    heads |= {"interval": "95 % interval", "chance": "could be luck?"}
    formats: dict[str, Format] = {
        "before": wording.percent,
        "after": wording.percent,
        "chance": planning_sentences.luck,
    }
    shown = planning_sentences.others_shown(table)
    caption = "What else may have changed with planning together"
    rows = TableView(shown, caption, heads, formats, right=list(heads)[1:])
    explained = Notes(planning_sentences.others_explained(table), "What these measure", fold=True)
    return Together(Statement(*planning_sentences.others(table)), rows, explained)


def planning_information(table: pd.DataFrame | None) -> Together | Statement:
    """Show what knowing marketing was worth to the model, before and after the starts."""
    if table is None or table.empty:
        return empty("What knowing marketing is worth cannot be told", "No month has forecasts of both models.")
    heads = {"when": "", "forecasts": "forecasts", "without": "miss without", "with": "miss with"}
    heads |= {"added": "taken off, points", "chance": "could be luck?"}
    formats: dict[str, Format] = {
        "without": wording.percent,
        "with": wording.percent,
        "chance": planning_sentences.luck,
    }
    shown = planning_sentences.information_shown(table)
    caption = "How far the model misses, without and with marketing"
    rows = TableView(shown, caption, heads, formats, right=list(heads)[1:])
    return Together(Statement(*planning_sentences.information(table)), rows)


def _at(table: pd.DataFrame, size: int, change: float) -> float:
    rows = table[(table["segments"] == size) & np.isclose(table["relative_change"], change)]
    return float(rows["power"].iloc[0]) if len(rows) else float("nan")
