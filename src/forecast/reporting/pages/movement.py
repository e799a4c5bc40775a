"""The picture of how the forecast of a quarter moved from month to month, each as it was made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator

from forecast import wording
from forecast.data.schema import Company
from forecast.reporting.charts.axes import Canvas, chart, empty, end_labels, money_axis, money_formats
from forecast.reporting.charts.figure import Chart, Statement
from forecast.reporting.charts.style import BLUE, DASHES, INK, RED
from forecast.reporting.pages import movement_sentences


def movement(table: pd.DataFrame, *, company: Company, as_of: Any, observed: float | None = None) -> Chart | Statement:
    """Draw one quarter's forecasts by the day they were made on, with their ranges, plan, and what was booked.

    table : as_of, target_period, mean, q10, q90 and, where known, q2.5, q97.5, booked, plan; one row a month, rising.
    observed : what was booked, where the quarter is settled.
    """
    known = table[table["mean"].notna()].reset_index(drop=True) if len(table) else table
    title = movement_sentences.movement_finding(known, company=company, observed=observed, as_of=as_of)
    if len(known) < 2:
        return empty(*movement_sentences.one_month(known)) if len(known) else empty(title, "Nothing can be compared.")
    known = known.assign(plan=known.get("plan", np.nan))
    x = date2num(known["as_of"]).astype(float)
    plan = known["plan"].to_numpy(float)
    ends = known[[name for name in ("q2.5", "q97.5", "q10", "q90", "mean", "plan") if name in known]].to_numpy(float)
    low, high = float(np.nanmin(ends)), float(np.nanmax(ends))
    if wording.known(observed):
        low, high = min(low, float(observed or 0.0)), max(high, float(observed or 0.0))
    unit = wording.axis_unit(high, currency=company.currency)[1]
    margin = (high - low) * 0.08 or abs(high) * 0.1 or 1.0

    def draw(canvas: Canvas) -> Figure:
        figure, axes = canvas.axes(250, left=44, right=84 if canvas.narrow else 96, top=14, bottom=40)
        if {"q2.5", "q97.5"} <= set(known):
            axes.vlines(x, known["q2.5"], known["q97.5"], color=BLUE, alpha=0.3, linewidth=2, zorder=2)
        axes.vlines(x, known["q10"], known["q90"], color=BLUE, alpha=0.45, linewidth=9, zorder=2, capstyle="butt")
        axes.plot(x, known["mean"], color=BLUE, marker="o", markersize=6, linewidth=1.4, zorder=4)
        wide = float(x[-1] - x[0])
        edge = x[-1] + 0.08 * wide
        if np.isfinite(plan).any():
            axes.plot([*x, edge], [*plan, plan[-1]], color=INK, linewidth=1.8, drawstyle="steps-post", zorder=3)
        axes.set_xlim(x[0] - 0.08 * wide, edge)
        axes.set_ylim(low - margin, high + margin)
        money_axis(axes, high, currency=company.currency)
        labels = [(float(known["mean"].iloc[-1]), "expected", BLUE), (float(plan[-1]), "plan", INK)]
        labels.append((float(known["q90"].iloc[-1]), f"80{wording.THIN}% range", BLUE))
        if wording.known(observed):
            axes.axhline(float(observed or 0.0), color=RED, linewidth=1.8, linestyle=DASHES[1], zorder=3)
            labels.append((float(observed or 0.0), "booked", RED))
        end_labels(axes, edge + 0.015 * wide, labels)
        _days(axes, known["as_of"], x, most=4 if canvas.narrow else 9)
        for place, row in zip(x, known.to_dict("records"), strict=True):
            canvas.say(axes, place, row["mean"], movement_sentences.mark(row, company=company))
        return figure

    columns = [name for name in ("as_of", "q10", "mean", "q90", "booked", "plan") if name in known]
    shown = known[columns].dropna(axis=1, how="all")
    shown = shown.rename(columns={"as_of": "as of", "q10": "low (80 %)", "mean": "expected", "q90": "high (80 %)"})
    shown = shown.rename(columns={"booked": "booked by then"})
    return chart(
        draw,
        title=title,
        subtitle=f"Forecast of {known['target_period'].iloc[0]} by the day it was made, {unit}, all segments; "
        "the axis does not start at zero",
        description=f"{title}. {movement_sentences.movement_description(known, company=company, observed=observed)}",
        table=shown,
        company=company,
        as_of=as_of,
        formats={**money_formats(shown, company), "as of": wording.day},
        by="x",
    )


def _days(axes: Any, days: pd.Series, x: np.ndarray, *, most: int) -> None:
    """Name the days of the marks, at most so many, the last one always; the year under the first and where it turns."""
    step = -(-len(x) // most)
    shown = sorted(range(len(x) - 1, -1, -step))
    labels, year = [], 0
    for i in shown:
        day = pd.Timestamp(days.iloc[i])
        labels.append(f"{day.day} {wording.day(day).split()[1][:3]}" + (f"\n{day.year}" if day.year != year else ""))
        year = day.year
    axes.xaxis.set_major_locator(FixedLocator([float(x[i]) for i in shown]))
    axes.xaxis.set_major_formatter(FixedFormatter(labels))
