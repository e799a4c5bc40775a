"""Pictures of whether planning together helped: the effect with its checks, before and after, by segment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from forecast import wording
from forecast.data.schema import Company
from forecast.reporting.charts import tooltips
from forecast.reporting.charts.axes import Canvas, chart, empty, row_axis, share_axis, width_of, zero_line
from forecast.reporting.charts.figure import Chart, Statement
from forecast.reporting.charts.style import AXIS, BLUE, GREY, INK, MIST, PAPER, SOFT
from forecast.reporting.pages.planning import sentences as planning_sentences

SET_ASIDE = 6
_COLUMNS = 142
"""Pixels right of the effect's axis, for its two columns of figures."""
_AGAINST = "change against segments still waiting"
_EDGE = 1.5
"""Changes beyond +150 % leave the axis, with an arrow."""


def effect(row: Mapping[str, Any], *, company: Company, as_of: Any) -> Chart | Statement:
    """Draw the estimate with its interval, zero, and the checks before adoption, on one axis.

    row : the planning table's row: relative_change, interval_low, interval_high, placebo, dip, p-values, verdict.
    """
    title = planning_sentences.finding(row)
    change = float(row.get("relative_change", np.nan))
    if not wording.known(change):
        return empty(title, str(row.get("sentence", "")))
    identified = row.get("verdict") != "not identified"
    low, high = float(row.get("interval_low", -1.0)), float(row.get("interval_high", np.inf))
    first = ("Since the start" if identified else "Association", change, row.get("p_value") if identified else None)
    points: list[tuple[str, float, Any]] = [first]
    for name, label in (("dip", "1–6 months before"), ("placebo", "7–12 months before")):
        if wording.known(row.get(name)):
            points.append((label, float(row[name]), row.get(f"{name}_p_value")))
    shown = [abs(v) for _, v, _ in points] + [abs(v) for v in (low, high) if wording.known(v)]
    reach = min(max([*shown, 0.3]) * 1.08, _EDGE)

    def draw(canvas: Canvas) -> Figure:
        names = [name for name, _, _ in points]
        left = 14 if canvas.narrow else width_of(names) + 20
        tall = 96 + (44 if canvas.narrow else 34) * len(points)
        figure, axes = canvas.axes(tall, left=left, right=_COLUMNS, top=28, bottom=26)
        axes.axvspan(-2, 0, color=MIST, alpha=0.22, linewidth=0, zorder=0)
        y, above = np.arange(len(points)), 0.2 if canvas.narrow else 0.5  # on a phone the names stand above the rows
        axes.vlines(np.zeros(len(y)), y - above, y + 0.5, color=AXIS, linewidth=1.2, zorder=1.5)
        colour = BLUE if row.get("verdict") in ("improved", "worsened") else GREY
        if identified:
            a, b = max(low, -reach), min(high, reach)
            axes.hlines(0, a, b, color=colour, linewidth=4, alpha=0.55, zorder=2)
            for end, value, marker in ((a, low, "<"), (b, high, ">")):
                if value < -reach or value > reach:
                    axes.scatter([end], [0], marker=marker, s=60, color=colour, zorder=3)
        row_axis(axes, ["" for _ in names] if canvas.narrow else names)
        axes.set_xlim(-reach, reach)
        share_axis(axes, axis="x", ticks=4 if canvas.narrow else 6, sign=True)
        pixel = 2 * reach / (canvas.width - left - _COLUMNS)
        column: Any = {"va": "center", "ha": "right", "clip_on": False}
        for i, (name, value, p) in enumerate(points):
            look: Any = (
                {"color": colour, "s": 90}
                if i == 0
                else {"facecolor": PAPER, "edgecolor": GREY, "linewidth": 2, "s": 60}
            )
            where = float(np.clip(value, -reach, reach))
            axes.scatter([where], [i], zorder=4, marker="o" if i == 0 else "D", **look)
            axes.text(reach + 50 * pixel, i, wording.percent(value, sign=True), color=INK, **column)
            axes.text(reach + (_COLUMNS - 6) * pixel, i, _of_hundred(p), color=INK if i == 0 else SOFT, **column)
            if canvas.narrow:
                axes.text(-reach, i - 0.36, f" {name}", va="center", color=INK)
            interval_said = (
                f"95{wording.THIN}% interval {planning_sentences.interval(row)}" if i == 0 and identified else ""
            )
            change_said = tooltips.share("errors", value, sign=True)
            canvas.say(axes, where, i, tooltips.values(name, change_said, interval_said, _by_lot(p)))
        for place, head in ((50, "change"), (_COLUMNS - 6, "chance alone")):
            axes.text(reach + place * pixel, -0.72, head, color=SOFT, va="bottom", ha="right", clip_on=False)
        axes.text(-reach, -0.72, "◂ smaller errors", ha="left", va="bottom", color=SOFT)
        axes.text(reach, -0.72, "larger ▸", ha="right", va="bottom", color=SOFT)
        return figure

    table = pd.DataFrame(
        [
            {
                "what": points[0][0],
                "change": change,
                "from": low if identified else np.nan,
                "to": high if identified else np.nan,
                "p-value": row.get("p_value") if identified else np.nan,
            },
            *(
                {
                    "what": label,
                    "change": row[name],
                    "from": np.nan,
                    "to": np.nan,
                    "p-value": row.get(f"{name}_p_value"),
                }
                for name, label in (("dip", "1–6 months before"), ("placebo", "7–12 months before"))
                if wording.known(row.get(name))
            ),
        ]
    )
    signed = lambda v: wording.percent(v, sign=True) if wording.known(v) else "–"  # noqa: E731
    interval = planning_sentences.interval(row) if identified else "not identified"
    return chart(
        draw,
        title=title,
        subtitle=f"Change of the forecast error against segments not yet planning together; 95 % interval {interval}; "
        "diamonds: before anybody began",
        description=str(row.get("sentence", title)),
        table=table,
        by="y",
        company=company,
        as_of=as_of,
        formats={
            "change": signed,
            "from": signed,
            "to": signed,
            "p-value": lambda v: f"{v:.3f}" if wording.known(v) else "–",
        },
    )


def event_study(
    table: pd.DataFrame | None, row: Mapping[str, Any], *, company: Company, as_of: Any, reach: int = 18
) -> Chart | Statement:
    """Draw the effect by months since the start, the months before in the same picture.

    table : event_time, relative_change, n_segments, n_controls, supported.
    """
    title = planning_sentences.finding(row)
    rows = table[table["event_time"].between(-reach, reach)] if table is not None and len(table) else None
    known = rows[rows["relative_change"].notna()] if rows is not None else None
    if known is None or known.empty:
        return empty(title, "No month has both segments that plan together and segments that do not.")
    before, after = known[known["event_time"] < 0], known[known["event_time"] >= 0]

    def draw(canvas: Canvas) -> Figure:
        figure, axes = canvas.axes(280, left=52, right=10, top=28, bottom=40)
        axes.axvspan(-SET_ASIDE - 0.5, -0.5, color=MIST, alpha=0.3, linewidth=0, zorder=0)
        zero_line(axes)
        axes.axvline(-0.5, color=INK, linewidth=1.4, zorder=1.5)
        for frame, colour, marker in ((before, GREY, "D"), (after, BLUE, "o")):
            size = 16 + 9 * frame["n_segments"].clip(upper=8)
            axes.scatter(
                frame["event_time"],
                frame["relative_change"].clip(upper=_EDGE),
                s=size,
                color=colour,
                marker=marker,
                zorder=3,
                linewidth=0,
            )
        share_axis(axes, sign=True)
        low, high = float(known["relative_change"].min()), float(known["relative_change"].clip(upper=_EDGE).max())
        axes.set_ylim(min(low, -0.3) * 1.1, max(high, 0.3) * 1.1)
        axes.set_xlim(float(known["event_time"].min()) - 0.8, float(known["event_time"].max()) + 0.8)
        axes.set_xlabel("months since the start", loc="left")
        top = axes.get_ylim()[1]
        axes.text(-0.3, top, "start", color=INK, va="bottom")
        for event in known.sort_values("event_time").to_dict("records"):
            canvas.say(axes, event["event_time"], min(event["relative_change"], _EDGE), _event_words(event))
        if float(known["event_time"].min()) < -4:
            axes.text(-0.8, top, "set aside", color=SOFT, va="bottom", ha="right")
        return figure

    table_shown = known[["event_time", "relative_change", "n_segments", "n_controls"]].rename(
        columns={
            "event_time": "months since start",
            "relative_change": "change",
            "n_segments": "segments",
            "n_controls": "compared with",
        }
    )
    return chart(
        draw,
        title=_months_title(known),
        subtitle="Change of the error against segments not yet planning together; larger marks: more segments",
        description=(
            f"{wording.plural(len(before), 'month')} before the start and {wording.plural(len(after), 'month')} after it; "  # noqa: E501
            f"{int((after['relative_change'] < 0).sum())} of those after it lie below zero. {title}."
        ),
        table=table_shown,
        by="x",
        company=company,
        as_of=as_of,
        formats={"change": lambda v: wording.percent(v, sign=True)},
    )


def _months_title(known: pd.DataFrame) -> str:
    values = known["relative_change"].to_numpy(dtype=np.float64)
    low, high = wording.percent(float(values.min()), sign=True), wording.percent(float(values.max()), sign=True)
    return f"Single months swing from {low} to {high}: read the whole"


def planning_segments(table: pd.DataFrame | None, *, company: Company, as_of: Any) -> Chart | Statement:
    """Draw each segment's mean error before and after its start; segments that have not begun stand below."""
    if table is None:
        return empty("No segment has errors to show", "No forecasts were submitted.")
    title = _segments_title(table)
    rows = table[table["error_before"].notna() | table["error_after"].notna()] if len(table) else table
    if rows.empty:
        return empty(title, "No segment has errors to show.")
    begun = rows[rows["adopted"] != ""].sort_values("adopted")
    rows = pd.concat([begun, rows[rows["adopted"] == ""].sort_values("segment")], ignore_index=True)
    names = list(rows["segment"])
    sizes = [name for name in ("error_before", "error_after", "error_early", "error_late") if name in rows]
    largest = float(np.nanmax(rows[sizes].to_numpy(dtype=np.float64)))

    def draw(canvas: Canvas) -> Figure:
        left = width_of(names, most=14 if canvas.narrow else 24)
        right = 74
        figure, axes = canvas.axes(64 + 26 * len(rows), left=left, right=right, top=30, bottom=26)
        for i, row in rows.iterrows():
            a, b = row["error_before"], row["error_after"]
            waits = not row["adopted"]
            if waits:  # the same months as the others', for comparison
                a, b = row.get("error_early", np.nan), row.get("error_late", np.nan)
            if wording.known(a) and wording.known(b):
                arrow = {"arrowstyle": "-|>", "color": GREY, "linewidth": 2, "shrinkA": 4, "shrinkB": 0}
                axes.annotate("", xy=(b, i), xytext=(a, i), arrowprops=arrow | ({"linestyle": ":"} if waits else {}))
            if wording.known(a):
                axes.scatter([a], [i], s=46, facecolor=PAPER, edgecolor=GREY, linewidth=2, zorder=3)
            note = wording.short_month(row["adopted"], year=True) if row["adopted"] else "not yet"
            errors = (tooltips.share("before", a), tooltips.share("after", b))
            began = f"began {wording.month(row['adopted'])}" if row["adopted"] else "has not begun"
            canvas.say(axes, b if wording.known(b) else a, i, tooltips.values(row["segment"], *errors, began))
            axes.text(
                largest * 1.05, i, f"  {note}", va="center", color=SOFT if not row["adopted"] else INK, clip_on=False
            )
        row_axis(axes, names, most=14 if canvas.narrow else 24)
        axes.set_xlim(0, largest * 1.05)
        share_axis(axes, axis="x", ticks=4 if canvas.narrow else 6)
        axes.text(largest * 1.05, -0.72, "  start", va="bottom", color=SOFT, clip_on=False)
        said = "○ before ➤ after" if canvas.narrow else "○ before   ➤ after   ┈➤ not begun, earlier and later months"
        axes.text(0, -0.72, said, va="bottom", color=SOFT)
        return figure

    figures = ["error_before", "error_after", "benchmark_before", "benchmark_after"]
    shown = rows[["segment", "adopted", *figures, "change"]].rename(columns={"change": _AGAINST})
    percents = dict.fromkeys(figures, wording.percent)
    return chart(
        draw,
        title=title,
        subtitle="Mean forecast error as a share of usual bookings; dotted: segments that have not begun, before and "
        "after the middle start",
        description=f"{title}. " + " ".join(_segment_words(row) for _, row in rows.iterrows()),
        table=shown,
        by="y",
        company=company,
        as_of=as_of,
        formats={**percents, _AGAINST: lambda v: wording.percent(v, sign=True) if wording.known(v) else "–"},
    )


def _segments_title(table: pd.DataFrame) -> str:
    both = table.dropna(subset=["error_before", "error_after"]) if len(table) else table
    both = both[both["adopted"] != ""] if len(both) else both
    if both.empty:
        return "No segment has errors before and after its start"
    fell = int((both["error_after"] < both["error_before"]).sum())
    return f"Errors fell in {wording.of_all(fell, len(both), 'segment')}, which alone proves nothing"


def _segment_words(row: pd.Series) -> str:
    before, after = wording.percent(row["error_before"]), wording.percent(row["error_after"])
    began = f"began {wording.month(row['adopted'])}, after it {after}" if row["adopted"] else "has not begun"
    return f"{wording.label(row['segment'])}: {before} before, {began}."


def _event_words(event: Mapping[str, Any]) -> str:
    """Return what a month of the event study says."""
    when = int(event["event_time"])
    side = "before" if when < 0 else "after"
    name = f"{wording.plural(abs(when), 'month')} {side} the start" if when else "The first month"
    many = wording.plural(event["n_segments"], "segment")
    beside = f"{many} beside {wording.number(event['n_controls'])} not yet planning together"
    return tooltips.values(name, tooltips.share("errors", event["relative_change"], sign=True), beside)


def _of_hundred(p: Any) -> str:
    """Return how often chance alone would show as much: `25 of 100`, `12 of 10,000`."""
    return wording.cases(float(p)) if wording.known(p) else "–"


def _by_lot(p: Any) -> str:
    return f"by chance {_of_hundred(p)} times" if wording.known(p) else ""
