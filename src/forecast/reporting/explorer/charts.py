"""Pictures of a what-if: months with and without the levers, what each lever brings, the open pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast import wording
from forecast.data.schema import TOTAL, Company
from forecast.reporting.charts.axes import end_labels, money_axis, month_axis, row_axis, zero_line
from forecast.reporting.charts.canvas import Canvas, Caption, Drawing, chart, places
from forecast.reporting.charts.figure import Chart
from forecast.reporting.charts.style import BLUE, GREY, INK, MIST, RED
from forecast.reporting.pages.bookings.sentences import who

LEVER_WORDS = {
    "leads": "marketing's pipeline",
    "win_rate": "win rate",
    "cycle_time": "cycle time",
    "slippage": "slippage",
    "deals": "deals set by hand",
}
LABELS = {"base": "base", "scenario": "scenario", "range80": "80 % range"}
"""What is written in the picture of the months."""

_CENT = 0.005
"""Amounts below this are nothing: base and scenario differ by rounding at most."""

# -- months with and without the levers -----------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class WhatIf:
    """The months of one segment: period, base, scenario, and the 10 and 90 % quantiles of both."""

    rows: pd.DataFrame
    segment: str
    company: Company

    @property
    def largest(self) -> float:
        """The largest amount drawn; at least 1, so that an axis has a length."""
        return max(float(self.rows[["base", "scenario", "q90", "base_q90"]].max().max()), 1.0)


def what_if(table: pd.DataFrame, *, company: Company, as_of: Any, segment: str = TOTAL) -> Chart:
    """Draw the months of a scenario next to the base, each with its 80 % range.

    table : period, segment, base, scenario, quantiles of both, as `scenario.Scenario` holds it.
    """
    rows = table[table["segment"] == segment].reset_index(drop=True)
    record = WhatIf(rows=rows, segment=segment, company=company)
    heads = {
        "period": "month",
        "base": "base",
        "base_q10": "base low (80 %)",
        "base_q90": "base high (80 %)",
        "scenario": "scenario",
        "q10": "scenario low (80 %)",
        "q90": "scenario high (80 %)",
    }
    shown = rows[list(heads)].rename(columns=heads)
    return chart(
        record,
        draw_what_if,
        describe_what_if(record),
        table=shown,
        company=company,
        as_of=as_of,
        formats=dict.fromkeys(shown.columns[1:], wording.in_currency(company.currency)),
        by="x",
    )


def draw_what_if(canvas: Canvas, record: WhatIf) -> Drawing:
    """Draw two bars a month, base and scenario, each with a line from its 10 to its 90 % quantile."""
    figure, axes = canvas.axes(240 if canvas.narrow else 270, left=34, right=76)
    rows, x = record.rows, np.arange(len(record.rows), dtype=float)
    axes.bar(x - 0.2, rows["base"], 0.36, color=MIST, zorder=2)
    axes.bar(x + 0.2, rows["scenario"], 0.36, color=BLUE, zorder=2)
    axes.vlines(x - 0.2, rows["base_q10"], rows["base_q90"], color=GREY, linewidth=1.4, zorder=3)
    axes.vlines(x + 0.2, rows["q10"], rows["q90"], color=INK, linewidth=1.4, zorder=3)
    month_axis(axes, list(rows["period"]), calendar=record.company.periods)
    axes.set_ylim(0, record.largest * 1.08)
    money_axis(axes, record.largest, currency=record.company.currency)
    last = rows.iloc[-1]
    labels = [(float(last["base"]), LABELS["base"], GREY), (float(last["scenario"]), LABELS["scenario"], BLUE)]
    end_labels(axes, len(rows) - 0.5, [*labels, (float(last["q90"]), LABELS["range80"], INK)])
    return Drawing(figure=figure, marks=places(axes, x, rows["scenario"]))


def describe_what_if(record: WhatIf) -> Caption:
    """Return the words of the months with and without the levers."""
    currency, title = record.company.currency, finding(record.rows, segment=record.segment, company=record.company)
    unit = wording.axis_unit(record.largest, currency=currency)[1]
    tooltips = [
        wording.listed(
            wording.month(row["period"]),
            wording.named_amount("base", row["base"], currency=currency),
            wording.named_amount("scenario", row["scenario"], currency=currency),
            wording.named_range(row["q10"], row["q90"], currency=currency),
        )
        for row in record.rows.to_dict("records")
    ]
    return Caption(
        title=title,
        subtitle=f"Expected bookings by month, {unit}, {who(record.segment)}; grey: base, blue: scenario; lines: 80 % "
        "range",
        description=f"{title}. Two bars a month: the base and the scenario, each with its 80 % range.",
        tooltips=tooltips,
    )


def finding(table: pd.DataFrame, *, segment: str, company: Company) -> str:
    """Return the sentence of a what-if: by how much the months together change."""
    rows = table[table["segment"] == segment]
    before, after = float(rows["base"].sum()), float(rows["scenario"].sum())
    months = wording.plural(len(rows), "month")
    if abs(after - before) < _CENT:
        lever = "that moves bookings " if ranges_differ(rows) else ""
        return f"No lever {lever}is moved: {wording.money(before, currency=company.currency)} in {months}"
    change = wording.money(abs(after - before), currency=company.currency)
    moves = f"add {change} to" if after > before else f"take {change} from"
    return f"The levers {moves} {months}: {wording.money(after, currency=company.currency)} in all"


def ranges_differ(rows: pd.DataFrame) -> bool:
    """Return whether the 80 % range of base and scenario differ."""
    return bool((rows["q90"] - rows["q10"] - rows["base_q90"] + rows["base_q10"]).abs().gt(_CENT).any())


# -- what each lever brings -----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class LeverShares:
    """What each lever brings of the change, by its name in words; the amounts add up to the change."""

    names: Sequence[str]
    amounts: np.ndarray
    segment: str
    company: Company

    @property
    def largest(self) -> float:
        """The largest amount, up or down; at least 1, so that an axis has a length."""
        return max(float(np.abs(self.amounts).max(initial=0.0)), 1.0)


def shares(changes: pd.DataFrame, *, company: Company, as_of: Any, segment: str = TOTAL) -> Chart:
    """Draw what each lever brings of the change; the bars add up to it.

    changes : lever, change, as `Scenario.shares_of` gives them.
    """
    record = LeverShares(
        names=[LEVER_WORDS.get(lever, lever) for lever in changes["lever"]],
        amounts=changes["change"].to_numpy(dtype=float),
        segment=segment,
        company=company,
    )
    return chart(
        record,
        draw_shares,
        describe_shares(record),
        table=pd.DataFrame({"lever": record.names, "change": record.amounts}),
        company=company,
        as_of=as_of,
        formats={"change": lambda amount: wording.money(amount, currency=company.currency, sign=True)},
        by="y",
    )


def draw_shares(canvas: Canvas, record: LeverShares) -> Drawing:
    """Draw a bar a lever, red where it takes away, with its amount at the right end."""
    names, amounts = record.names, record.amounts
    figure, axes = canvas.axes(46 + 28 * len(names), left=150, right=70, top=6, bottom=26)
    y = np.arange(len(names), dtype=float)
    axes.barh(y, amounts, 0.6, color=[RED if amount < 0 else BLUE for amount in amounts], zorder=2)
    zero_line(axes, vertical=True)
    row_axis(axes, names)
    edge, falls, rises = record.largest * 1.15, (amounts < 0).any(), (amounts > 0).any()
    axes.set_xlim(-edge if falls else 0.0, edge if rises or not falls else 0.0)
    money_axis(axes, record.largest, currency=record.company.currency, axis="x", ticks=4)
    for row, amount in zip(y, amounts, strict=True):
        axes.annotate(
            _share_label(amount, currency=record.company.currency),
            (max(amount, 0.0), row),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=INK,
            annotation_clip=False,
        )
    return Drawing(figure=figure, marks=places(axes, amounts, y))


def describe_shares(record: LeverShares) -> Caption:
    """Return the words of the levers' shares."""
    currency, title = record.company.currency, shares_finding(record)
    unit = wording.axis_unit(record.largest, currency=currency)[1]
    return Caption(
        title=title,
        subtitle=f"Share of each lever in the change of all months, {unit}, {who(record.segment)}",
        description=f"{title}. Bars by lever add up to the change.",
        tooltips=[
            wording.listed(name, _share_label(amount, currency=currency))
            for name, amount in zip(record.names, record.amounts, strict=True)
        ],
    )


def shares_finding(record: LeverShares) -> str:
    """Return which levers are moved and what they bring or cost: `Win rate and slippage together bring €1.2 m`."""
    moved = [name for name, amount in zip(record.names, record.amounts, strict=True) if abs(amount) >= _CENT]
    if not moved:
        return "No lever is moved"
    change = float(record.amounts.sum())
    verb = "bring" if change >= 0 else "cost"
    if len(moved) > 1:
        verb = f"together {verb}"
    elif moved != [LEVER_WORDS["deals"]]:  # the deals are many, every other lever is one
        verb += "s"
    names = wording.joined(moved)
    return f"{names[0].upper()}{names[1:]} {verb} {wording.money(abs(change), currency=record.company.currency)}"


def _share_label(amount: float, *, currency: str) -> str:
    return wording.money(amount, currency=currency, sign=True) if abs(amount) >= _CENT else "0"


# -- the open pipeline ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Open deals by month of expected close: month, deals, amount, expected_amount; `who` : whose, in words."""

    rows: pd.DataFrame
    who: str
    company: Company

    @property
    def largest(self) -> float:
        """The largest amount of a month; at least 1, so that an axis has a length."""
        return max(float(self.rows["amount"].max()), 1.0)


def pipeline(table: pd.DataFrame, *, company: Company, as_of: Any, who: str) -> Chart:
    """Draw the open pipeline by month of expected close: its amount, and what its chances make of it.

    table : month, deals, amount, expected_amount, as `deals.by_month` returns it. who : whose, in words.
    """
    record = Pipeline(rows=table, who=who, company=company)
    return chart(
        record,
        draw_pipeline,
        describe_pipeline(record),
        table=table.rename(columns={"expected_amount": "amount × chance"}),
        company=company,
        as_of=as_of,
        formats=dict.fromkeys(("amount", "amount × chance"), wording.in_currency(company.currency)),
        by="x",
    )


def draw_pipeline(canvas: Canvas, record: Pipeline) -> Drawing:
    """Draw a bar a month for the amount, and within it the amount times the chance."""
    figure, axes = canvas.axes(240 if canvas.narrow else 250, left=40, right=12)
    rows, x = record.rows, np.arange(len(record.rows), dtype=float)
    axes.bar(x, rows["amount"], 0.62, color=MIST, zorder=2)
    axes.bar(x, rows["expected_amount"], 0.62, color=BLUE, zorder=3)
    axes.set_xticks(x, [wording.short_month(month).replace(" ", "\n") for month in rows["month"]])
    axes.set_xlim(-0.6, len(x) - 0.4)
    axes.set_ylim(0, record.largest * 1.08)
    money_axis(axes, record.largest, currency=record.company.currency)
    return Drawing(figure=figure, marks=places(axes, x, rows["amount"]))


def describe_pipeline(record: Pipeline) -> Caption:
    """Return the words of the open pipeline."""
    currency, title = record.company.currency, pipeline_finding(record.rows, company=record.company)
    unit = wording.axis_unit(record.largest, currency=currency)[1]
    return Caption(
        title=title,
        subtitle=f"Open deals by month of expected close, {unit}, {record.who}; grey: amount, blue: amount × chance",
        description=f"{title}. One bar a month of expected close, and within it the amount times the chance to win.",
        tooltips=[
            wording.listed(
                wording.month(row["month"]),
                wording.named_amount(f"{wording.plural(row['deals'], 'deal')},", row["amount"], currency=currency),
                wording.named_amount("by the chances", row["expected_amount"], currency=currency),
            )
            for row in record.rows.to_dict("records")
        ],
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
