"""Pictures of a what-if: the open pipeline, months with and without the levers, and what each lever brings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from forecast import wording
from forecast.data.schema import TOTAL, Company
from forecast.reporting.charts import tooltips
from forecast.reporting.charts.axes import Canvas, chart, end_labels, money_axis, month_axis, row_axis, zero_line
from forecast.reporting.charts.figure import Chart
from forecast.reporting.charts.style import BLUE, GREY, INK, MIST, RED

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
    months = wording.plural(len(rows), "month")
    if abs(after - before) < 0.005:
        lever = "that moves bookings " if ranges_differ(rows) else ""
        return f"No lever {lever}is moved: {wording.money(before, currency=company.currency)} in {months}"
    change = wording.money(abs(after - before), currency=company.currency)
    moves = f"add {change} to" if after > before else f"take {change} from"
    return f"The levers {moves} {months}: {wording.money(after, currency=company.currency)} in all"


def ranges_differ(rows: pd.DataFrame) -> bool:
    """Return whether the 80 % range of base and scenario differ."""
    return bool((rows["q90"] - rows["q10"] - rows["base_q90"] + rows["base_q10"]).abs().gt(0.005).any())


def what_if(table: pd.DataFrame, *, company: Company, as_of: Any, segment: str = TOTAL) -> Chart:
    """Draw the months of a scenario beside the base, each with its 80 % range.

    table : period, segment, base, scenario, quantiles of both, as `reporting.scenario.Scenario` holds it.
    """
    rows = table[table["segment"] == segment].reset_index(drop=True)
    x = np.arange(len(rows), dtype=float)
    largest = max(float(rows[["base", "scenario", "q90", "base_q90"]].max().max()), 1.0)
    unit = wording.axis_unit(largest, currency=company.currency)[1]

    def draw(canvas: Canvas) -> Figure:
        figure, axes = canvas.axes(240 if canvas.narrow else 270, left=34, right=76)
        axes.bar(x - 0.2, rows["base"], 0.36, color=MIST, zorder=2)
        axes.bar(x + 0.2, rows["scenario"], 0.36, color=BLUE, zorder=2)
        axes.vlines(x - 0.2, rows["base_q10"], rows["base_q90"], color=GREY, linewidth=1.4, zorder=3)
        axes.vlines(x + 0.2, rows["q10"], rows["q90"], color=INK, linewidth=1.4, zorder=3)
        month_axis(axes, list(rows["period"]), calendar=company.periods)
        axes.set_ylim(0, largest * 1.08)
        money_axis(axes, largest, currency=company.currency)
        for i, row in rows.iterrows():
            span = tooltips.span(row["q10"], row["q90"], currency=company.currency)
            sums = (tooltips.amount(n, row[n], currency=company.currency) for n in ("base", "scenario"))
            canvas.say(axes, i, row["scenario"], tooltips.values(wording.month(row["period"]), *sums, span))
        last = rows.iloc[-1]
        labels = [(float(last["base"]), "base", GREY), (float(last["scenario"]), "scenario", BLUE)]
        end_labels(axes, len(rows) - 0.5, [*labels, (float(last["q90"]), "80 % range", INK)])
        return figure

    columns = {
        "period": "month",
        "base": "base",
        "base_q10": "base low (80 %)",
        "base_q90": "base high (80 %)",
        "scenario": "scenario",
        "q10": "scenario low (80 %)",
        "q90": "scenario high (80 %)",
    }
    shown = rows[list(columns)].rename(columns=columns)
    money = {name: lambda value: wording.money(value, currency=company.currency) for name in shown.columns[1:]}
    title = finding(table, segment=segment, company=company)
    return chart(
        draw,
        title=title,
        subtitle=f"Expected bookings by month, {unit}, {_who(segment)}; grey: base, blue: scenario; lines: 80 % range",
        description=f"{title}. Two bars a month: the base and the scenario, each with its 80 % range.",
        table=shown,
        company=company,
        as_of=as_of,
        formats=money,
        by="x",
    )


def shares(shares_: pd.DataFrame, *, company: Company, as_of: Any, segment: str = TOTAL) -> Chart:
    """Draw what each lever brings of the change; the bars add up to it.

    shares_ : lever, change, as `reporting.scenario.Scenario` holds them.
    """
    values = shares_["change"].to_numpy(dtype=float)
    names = [LEVER_WORDS.get(lever, lever) for lever in shares_["lever"]]
    total = wording.money(abs(float(values.sum())), currency=company.currency)
    largest = max(float(np.abs(values).max(initial=0.0)), 1.0)
    unit = wording.axis_unit(largest, currency=company.currency)[1]
    moved = [name for name, value in zip(names, values, strict=True) if abs(value) >= 0.005]
    many, verb = len(moved) > 1 or moved == [LEVER_WORDS["deals"]], "bring" if values.sum() >= 0 else "cost"
    verb = f"together {verb}" if len(moved) > 1 else verb if many else f"{verb}s"
    title = f"{wording.joined(moved)} {verb} {total}" if moved else "No lever is moved"
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
            label = wording.money(value, currency=company.currency, sign=True) if abs(value) >= 0.005 else "0"
            canvas.say(axes, value, row, tooltips.values(names[int(row)], label))
            axes.annotate(
                label,
                (max(value, 0.0), row),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                color=INK,
                annotation_clip=False,
            )
        return figure

    return chart(
        draw,
        title=title,
        subtitle=f"Share of each lever in the change of all months, {unit}, {_who(segment)}",
        description=f"{title}. Bars by lever add up to the change.",
        table=pd.DataFrame({"lever": names, "change": values}),
        company=company,
        as_of=as_of,
        formats={"change": lambda value: wording.money(value, currency=company.currency, sign=True)},
        by="y",
    )


def pipeline(table: pd.DataFrame, *, company: Company, as_of: Any, who: str) -> Chart:
    """Draw the open pipeline by month of expected close: its amount, and what its chances make of it.

    table : month, deals, amount, expected_amount, as `scenario_deals.by_month` returns it. who : whose, in words.
    """
    x = np.arange(len(table), dtype=float)
    largest = max(float(table["amount"].max()), 1.0)
    unit = wording.axis_unit(largest, currency=company.currency)[1]
    title = pipeline_finding(table, company=company)
    names = [wording.short_month(month) for month in table["month"]]

    def draw(canvas: Canvas) -> Figure:
        figure, axes = canvas.axes(240 if canvas.narrow else 250, left=40, right=12)
        axes.bar(x, table["amount"], 0.62, color=MIST, zorder=2)
        axes.bar(x, table["expected_amount"], 0.62, color=BLUE, zorder=3)
        turned = [name.replace(" ", "\n") for name in names]
        axes.set_xticks(x, turned)
        for i, row in table.iterrows():
            chances = tooltips.amount("by the chances", row["expected_amount"], currency=company.currency)
            open_ = tooltips.amount(
                wording.plural(row["deals"], "deal") + ",", row["amount"], currency=company.currency
            )
            canvas.say(axes, i, row["amount"], tooltips.values(wording.month(row["month"]), open_, chances))
        axes.set_xlim(-0.6, len(x) - 0.4)
        axes.set_ylim(0, largest * 1.08)
        money_axis(axes, largest, currency=company.currency)
        return figure

    return chart(
        draw,
        title=title,
        subtitle=f"Open deals by month of expected close, {unit}, {who}; grey: amount, blue: amount × chance",
        description=f"{title}. One bar a month of expected close, and within it the amount times the chance to win.",
        table=table.rename(columns={"expected_amount": "amount × chance"}),
        company=company,
        as_of=as_of,
        formats={name: wording.in_currency(company.currency) for name in ("amount", "amount × chance")},
        by="x",
    )


def pipeline_finding(table: pd.DataFrame, *, company: Company) -> str:
    """Return how much is open, and what it is worth by the chances."""
    count, amount, expected = (float(table[name].sum()) for name in ("deals", "amount", "expected_amount"))
    if not count:
        return "No deal is open here"
    money = wording.money(amount, currency=company.currency)
    worth = wording.money(expected, currency=company.currency)
    holds = "holds" if count == 1 else "hold"
    return f"{wording.plural(count, 'open deal')} {holds} {money}, worth {worth} by the chances to win"


def _who(segment: str) -> str:
    return "all segments" if segment == TOTAL else wording.label(segment)
