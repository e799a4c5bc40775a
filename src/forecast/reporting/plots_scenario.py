"""Pictures of a what-if: months with and without the levers, and what each lever brings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from forecast.data.schema import TOTAL, Company
from forecast.reporting import words
from forecast.reporting.figure import Chart
from forecast.reporting.plots_axes import Canvas, chart, end_labels, money_axis, month_axis, row_axis, zero_line
from forecast.reporting.style import BLUE, GREY, INK, MIST, RED

LEVER_WORDS = {
    "leads": "marketing's pipeline",
    "win_rate": "win rate",
    "cycle_time": "cycle time",
    "slippage": "slippage",
    "deals": "deals set by hand",
}


def finding(table: pd.DataFrame, *, segment: str, company: Company) -> str:
    """Return the sentence of a what-if: by how much the months together change."""
    rows = table[table["segment"] == segment]
    before, after = float(rows["base"].sum()), float(rows["scenario"].sum())
    months = words.plural(len(rows), "month")
    if abs(after - before) < 0.005:
        return f"No lever is moved: {words.money(before, currency=company.currency)} in {months}"
    change = words.money(after - before, currency=company.currency, sign=True)
    return f"The levers change {months} by {change} to {words.money(after, currency=company.currency)}"


def what_if(table: pd.DataFrame, *, company: Company, as_of: Any, segment: str = TOTAL) -> Chart:
    """Draw the months of a scenario with its 80 % range beside the base.

    table : period, segment, base, scenario, quantiles, as `reporting.scenario.Scenario` holds it.
    """
    rows = table[table["segment"] == segment].reset_index(drop=True)
    x = np.arange(len(rows), dtype=float)
    largest = max(float(rows[["base", "scenario", "q90"]].max().max()), 1.0)
    unit = words.axis_unit(largest, currency=company.currency)[1]

    def draw(canvas: Canvas) -> Figure:
        figure, axes = canvas.axes(240 if canvas.narrow else 270, left=34, right=76)
        axes.bar(x - 0.2, rows["base"], 0.36, color=MIST, zorder=2)
        axes.bar(x + 0.2, rows["scenario"], 0.36, color=BLUE, zorder=2)
        axes.vlines(x + 0.2, rows["q10"], rows["q90"], color=INK, linewidth=1.4, zorder=3)
        month_axis(axes, list(rows["period"]), calendar=company.periods)
        axes.set_ylim(0, largest * 1.08)
        money_axis(axes, largest, currency=company.currency)
        last = rows.iloc[-1]
        labels = [(float(last["base"]), "base", GREY), (float(last["scenario"]), "scenario", BLUE)]
        end_labels(axes, len(rows) - 0.5, [*labels, (float(last["q90"]), "80 % range", INK)])
        return figure

    shown = rows[["period", "base", "scenario", "q10", "q90"]].rename(
        columns={"period": "month", "q10": "low (80 %)", "q90": "high (80 %)"}
    )
    money = {name: lambda value: words.money(value, currency=company.currency) for name in shown.columns[1:]}
    title = finding(table, segment=segment, company=company)
    return chart(
        draw,
        title=title,
        subtitle=f"Expected bookings by month, {unit}, {_who(segment)}; grey: base, blue: scenario with its 80 % range",
        description=f"{title}. Two bars a month: the base, and the scenario with its 80 % range.",
        table=shown,
        company=company,
        as_of=as_of,
        formats=money,
    )


def shares(shares_: pd.DataFrame, *, company: Company, as_of: Any) -> Chart:
    """Draw what each lever brings of the change of the total; the bars add up to it.

    shares_ : lever, change, as `reporting.scenario.Scenario` holds them.
    """
    values = shares_["change"].to_numpy(dtype=float)
    names = [LEVER_WORDS.get(lever, lever) for lever in shares_["lever"]]
    total = words.money(float(values.sum()), currency=company.currency, sign=True)
    largest = max(float(np.abs(values).max(initial=0.0)), 1.0)
    unit = words.axis_unit(largest, currency=company.currency)[1]
    moved = [name for name, value in zip(names, values, strict=True) if abs(value) >= 0.005]
    title = f"{words.joined(moved)} together bring {total}" if moved else "No lever is moved"
    title = title[0].upper() + title[1:]

    def draw(canvas: Canvas) -> Figure:
        figure, axes = canvas.axes(46 + 28 * len(names), left=150, right=70, top=6, bottom=26)
        y = np.arange(len(names), dtype=float)
        axes.barh(y, values, 0.6, color=[RED if value < 0 else BLUE for value in values], zorder=2)
        zero_line(axes, vertical=True)
        row_axis(axes, names)
        edge = largest * 1.15
        axes.set_xlim(
            -edge if (values < 0).any() else 0.0, edge if (values > 0).any() or not (values < 0).any() else 0.0
        )
        money_axis(axes, largest, currency=company.currency, axis="x", ticks=4)
        for row, value in zip(y, values, strict=True):
            label = words.money(value, currency=company.currency, sign=True) if abs(value) >= 0.005 else "0"
            axes.text(max(value, 0.0), row, f" {label}", va="center", color=INK, clip_on=False)
        return figure

    return chart(
        draw,
        title=title,
        subtitle=f"Share of each lever in the change of all months, {unit}, the whole company",
        description=f"{title}. Bars by lever add up to the change.",
        table=pd.DataFrame({"lever": names, "change": values}),
        company=company,
        as_of=as_of,
        formats={"change": lambda value: words.money(value, currency=company.currency, sign=True)},
    )


def _who(segment: str) -> str:
    return "all segments" if segment == TOTAL else words.label(segment)
