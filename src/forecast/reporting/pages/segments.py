"""Pictures of the segments: each beside its plan, and their months in panels of one scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from forecast import wording
from forecast.data.schema import TOTAL, Company
from forecast.reporting.charts import tooltips
from forecast.reporting.charts.axes import Canvas, chart, empty, money_axis, money_formats, row_axis, width_of
from forecast.reporting.charts.figure import Chart, Statement
from forecast.reporting.charts.style import BLUE, INK, MIST, PAPER, SOFT
from forecast.reporting.pages.bookings import sentences as bookings_sentences
from forecast.reporting.pages.bookings.prepare import months_of, past_months, segment_rows


def segments(bookings: pd.DataFrame, *, company: Company, as_of: Any, period: str = "") -> Chart | Statement:
    """Draw each segment's range beside its plan, as shares of plan, furthest behind first."""
    rows = segment_rows(bookings, period=period)
    title = bookings_sentences.segments_finding(rows, company=company)
    known = rows[(rows["plan"] > 0) & rows["q50"].notna()] if "plan" in rows else rows.iloc[:0]
    if known.empty:
        return empty(title, "There is no plan to hold the segments against.")
    share = known[["q2.5", "q10", "q25", "q50", "q75", "q90", "q97.5"]].div(known["plan"], axis=0)
    names = list(known["segment"])
    y = np.arange(len(known), dtype=float)
    chances = known["p_at_least_plan"].to_numpy() if "p_at_least_plan" in known else np.full(len(known), np.nan)

    def draw(canvas: Canvas) -> Figure:
        left, right = width_of(names, most=14 if canvas.narrow else 24), 58
        figure, axes = canvas.axes(60 + 26 * len(known), left=left, right=right, top=32, bottom=24)
        axes.hlines(y, share["q2.5"], share["q97.5"], color=BLUE, alpha=0.3, linewidth=3, zorder=2)
        axes.hlines(y, share["q10"], share["q90"], color=BLUE, alpha=0.45, linewidth=9, zorder=2, capstyle="butt")
        axes.scatter(share["q50"], y, s=46, color=BLUE, edgecolor=PAPER, linewidth=1, zorder=4)
        axes.axvline(1.0, color=INK, linewidth=1.6, zorder=3)
        row_axis(axes, names, most=14 if canvas.narrow else 24)
        low, high = float(share["q2.5"].min()), float(share["q97.5"].max())
        axes.set_xlim(max(0.0, min(low, 0.8)) - 0.02, min(max(high, 1.2), 3.0) + 0.02)
        axes.xaxis.set_major_formatter(lambda value, _: wording.percent(value))
        axes.xaxis.set_major_locator(_shares(canvas))
        axes.grid(True, axis="x")
        axes.text(1.0, -0.72, "plan", ha="center", va="bottom", color=INK, clip_on=False)
        edge = axes.get_xlim()[1]
        axes.text(edge, -0.72, "  chance", va="bottom", color=SOFT, clip_on=False)
        for i, value in enumerate(chances):
            axes.text(
                edge,
                y[i],
                f"  {wording.chance(value).replace('less than', '<').replace('more than', '>')}",
                va="center",
                color=INK,
                clip_on=False,
            )
        for i, row in enumerate(known.to_dict("records")):
            said = tooltips.forecast(row["segment"], row, currency=company.currency)
            canvas.say(axes, min(row["q50"] / row["plan"], edge), i, said)
        return figure

    table = known[[c for c in ("segment", "mean", "q10", "q90", "plan", "p_at_least_plan") if c in known]]
    table = table.rename(columns={"q10": "low (80 %)", "q90": "high (80 %)"})
    return chart(
        draw,
        title=title,
        subtitle=f"Bookings of {known['target_period'].iloc[0]} as a share of plan: median, 80 % and 95 % range",
        description=f"{title}. " + bookings_sentences.segments_description(known, company=company),
        table=table,
        by="y",
        company=company,
        as_of=as_of,
        formats=money_formats(table, company, p="p_at_least_plan"),
    )


def small_multiples(
    bookings: pd.DataFrame, *, company: Company, as_of: Any, actuals: pd.DataFrame | None = None, months_back: int = 9
) -> Chart | Statement:
    """Draw the months of every segment in panels of one scale."""
    names = sorted(set(bookings["segment"]) - {TOTAL})
    frames = {name: months_of(bookings, segment=name) for name in names}
    frames = {name: frame for name, frame in frames.items() if len(frame) and frame["q50"].notna().any()}
    title = bookings_sentences.largest_finding(bookings, company=company)
    if not frames:
        return empty(title, "No segment has a range.")
    pasts = {name: past_months(actuals, segment=name).tail(months_back) for name in frames}
    largest = float(
        np.nanmax([*(f["q90"].max() for f in frames.values()), *(p["amount"].max() for p in pasts.values())])
    )
    unit = wording.axis_unit(largest, currency=company.currency)[1]

    def draw(canvas: Canvas) -> Figure:
        columns = 2 if canvas.narrow else 4
        rows = -(-len(frames) // columns)
        top, cell, gap = 24, 92, 46
        height = rows * (cell + gap) + 8
        figure = Figure(figsize=(canvas.width / 72, height / 72))
        wide = (canvas.width - 34 - 12 * columns) / columns
        for i, (name, frame) in enumerate(frames.items()):
            row, column = divmod(i, columns)
            left = (34 + column * (wide + 12)) / canvas.width
            bottom = 1 - (top + (row + 1) * cell + row * gap) / height
            axes = figure.add_axes((left, bottom, wide / canvas.width, cell / height))
            past = pasts[name][pasts[name]["period"] < frame["target_period"].iloc[0]]
            x = np.arange(len(past), len(past) + len(frame))
            axes.bar(np.arange(len(past)), past["amount"], 0.7, color=MIST, zorder=2)
            axes.fill_between(x, frame["q10"], frame["q90"], color=BLUE, alpha=0.28, linewidth=0, zorder=2)
            axes.plot(x, frame["q50"], color=BLUE, linewidth=1.8, zorder=3)
            if "plan" in frame:
                axes.hlines(frame["plan"], x - 0.36, x + 0.36, color=INK, linewidth=1.3, zorder=4)
            periods = [*past["period"], *frame["target_period"]]
            ends = [0, len(periods) - 1]
            axes.set_xticks(ends, [wording.short_month(periods[e], year=True) for e in ends])
            for tick, side in zip(axes.get_xticklabels(), ("left", "right"), strict=True):
                tick.set(ha=side)
            axes.set_xlim(-0.5, len(periods) - 0.5)
            axes.set_ylim(0, largest * 1.05)
            money_axis(axes, largest, currency=company.currency, ticks=3)
            if column:
                axes.tick_params(axis="y", labelleft=False)
            axes.set_title(wording.label(name, most=22), loc="left", fontsize=12.5, color=INK, pad=5)
            for j, (period, value) in enumerate(zip(past["period"], past["amount"], strict=True)):
                booked = tooltips.amount("booked", value, currency=company.currency)
                canvas.say(axes, j, value, tooltips.values(f"{wording.label(name)}, {wording.month(period)}", booked))
            for k, ahead in zip(x, frame.to_dict("records"), strict=True):
                where = f"{wording.label(name)}, {wording.month(ahead['target_period'])}"
                canvas.say(axes, k, ahead["q50"], tooltips.forecast(where, ahead, currency=company.currency))
        return figure

    table = pd.concat(frames.values())[["segment", "target_period", "q10", "q50", "q90"]]
    table = table.rename(columns={"target_period": "month", "q10": "low (80 %)", "q50": "median", "q90": "high (80 %)"})
    return chart(
        draw,
        title=title,
        subtitle=f"Bookings by month, {unit}, one scale; bars: booked, band: 80 % range, dash: plan",
        description=f"{title}. One panel for each of {wording.plural(len(frames), 'segment')}: {wording.joined(frames)}.",  # noqa: E501
        table=table,
        company=company,
        as_of=as_of,
        formats=money_formats(table, company),
    )


# -- how ------------------------------------------------------------------------------------------------


def _shares(canvas: Canvas) -> Any:
    return MaxNLocator(4 if canvas.narrow else 7, steps=[1, 2, 2.5, 5, 10])
