"""Pictures of a what-if: months with and without the levers, what each lever brings, the open pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from forecast import sources, wording
from forecast.data.schema import TOTAL, Company
from forecast.reporting.charts.axes import end_labels, money_axis, month_axis, row_axis, zero_line
from forecast.reporting.charts.canvas import Canvas, Drawing, chart, places
from forecast.reporting.charts.figure import Chart, Notes, Statement, TableView
from forecast.reporting.charts.flags import flags_of
from forecast.reporting.charts.style import FALL, FORECAST, FULL_VALUE, GRID, INK, NARROW, NOT_MOVED, RISE, WIDE
from forecast.reporting.explorer import sentences
from forecast.reporting.explorer.compare import ALL, Comparison
from forecast.reporting.explorer.scenario import CENT, LEVERS, RELATIVE, Levers
from forecast.reporting.explorer.sentences import LABELS, LEVER_WORDS

ON_PAGE, IN_LAB = (WIDE, NARROW), (480,)
"""Widths of a chart's drawings: on a page, and in the explorer, where one serves the column beside the levers."""

# -- months with and without the levers -----------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class WhatIf:
    """The months of one segment: period, base, scenario, and the 10 and 90 % quantiles of both."""

    rows: pd.DataFrame
    company: Company

    @property
    def largest(self) -> float:
        """The largest amount drawn; at least 1, so that an axis has a length."""
        return max(float(self.rows[["base", "scenario", "q90", "base_q90"]].max().max()), 1.0)


def what_if(
    table: pd.DataFrame,
    *,
    company: Company,
    as_of: Any,
    segment: str = TOTAL,
    events: pd.DataFrame | None = None,
    widths: Sequence[int] = ON_PAGE,
) -> Chart:
    """Draw the months of a scenario next to the base, each with its 80 % range.

    table : period, segment, base, scenario, quantiles of both, as `scenario.Scenario` holds it. events : to be flagged,
    as `dated` gives them. widths : as `chart` takes them.
    """
    rows = sources.named(table[table["segment"] == segment], "what_if")
    record = WhatIf(rows=rows, company=company)
    amounts = list(sentences.WHAT_IF_HEADS)[1:]
    return chart(
        record,
        draw_what_if,
        sentences.describe_what_if(rows, segment=segment, company=company, largest=record.largest),
        table=rows,
        heads=sentences.WHAT_IF_HEADS,
        company=company,
        as_of=as_of,
        formats=dict.fromkeys(amounts, wording.in_currency(company.currency)),
        by="x",
        flags=flags_of(events, list(rows["period"]), company=company, name="what_if", segment=segment),
        widths=widths,
    )


def draw_what_if(canvas: Canvas, record: WhatIf) -> Drawing:
    """Draw two bars a month, base and scenario, each with a line from its 10 to its 90 % quantile."""
    figure, axes = canvas.axes(240 if canvas.narrow else 270, left=34, right=76)
    rows, x = record.rows, np.arange(len(record.rows), dtype=float)
    axes.bar(x - 0.2, rows["base"], 0.36, **FULL_VALUE.area, zorder=2)
    axes.bar(x + 0.2, rows["scenario"], 0.36, **FORECAST.area, zorder=2)
    axes.vlines(x - 0.2, rows["base_q10"], rows["base_q90"], color=INK, linewidth=1.4, zorder=3)
    axes.vlines(x + 0.2, rows["q10"], rows["q90"], color=INK, linewidth=1.4, zorder=3)
    month_axis(axes, list(rows["period"]), calendar=record.company.periods)
    axes.set_ylim(0, record.largest * 1.08)
    money_axis(axes, record.largest, currency=record.company.currency)
    last = rows.iloc[-1]
    labels = [
        (float(last["base"]), LABELS["base"], FULL_VALUE.name),
        (float(last["scenario"]), LABELS["scenario"], FORECAST.name),
    ]
    end_labels(axes, len(rows) - 0.5, [*labels, (float(last["q90"]), LABELS["range80"], INK)])
    return Drawing(figure=figure, marks=places(axes, x, rows["scenario"]))


# -- what each lever brings -----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class LeverShares:
    """What each lever brings of the change: lever (in words), moved, change; the amounts add up to the change."""

    rows: pd.DataFrame
    company: Company

    @property
    def names(self) -> list[str]:
        """The levers in words."""
        return list(self.rows["lever"])

    @property
    def amounts(self) -> np.ndarray:
        """What each brings."""
        return self.rows["change"].to_numpy(dtype=float)

    @property
    def largest(self) -> float:
        """The largest amount, up or down; at least 1, so that an axis has a length."""
        return max(float(np.abs(self.amounts).max(initial=0.0)), 1.0)


def shares(
    changes: pd.DataFrame,
    levers: Levers,
    *,
    company: Company,
    as_of: Any,
    segment: str = TOTAL,
    widths: Sequence[int] = ON_PAGE,
) -> Chart:
    """Draw what each lever brings of the change; the bars add up to it.

    changes : lever, change, as `Scenario.shares_of` gives them. levers : as they were moved. widths : as `chart` takes
    them.
    """
    rows = lever_rows(changes, levers)
    record = LeverShares(rows=rows, company=company)
    return chart(
        record,
        draw_shares,
        sentences.describe_shares(rows, segment=segment, company=company, largest=record.largest),
        table=rows,
        heads=sentences.SHARES_HEADS,
        company=company,
        as_of=as_of,
        formats={
            "moved": lambda share: wording.percent(share, sign=True),
            "change": lambda amount: wording.money(amount, currency=company.currency, sign=True),
        },
        by="y",
        widths=widths,
    )


def lever_rows(changes: pd.DataFrame, levers: Levers) -> pd.DataFrame:
    """Return lever (in words), moved (a share; NaN where it is none) and change, the table `levers` of the page."""
    names = [LEVER_WORDS.get(lever, lever) for lever in changes["lever"]]
    amounts = changes["change"].astype(float)
    amounts = amounts.where(amounts.abs() >= CENT, 0.0)
    moved = [getattr(levers, lever) if lever in RELATIVE else np.nan for lever in changes["lever"]]
    return sources.named(pd.DataFrame({"lever": names, "moved": moved, "change": amounts}), "levers")


def draw_shares(canvas: Canvas, record: LeverShares) -> Drawing:
    """Draw a bar a lever, red where it takes away, with its amount at the right end."""
    names, amounts = record.names, record.amounts
    figure, axes = canvas.axes(46 + 28 * len(names), left=150, right=70, top=6, bottom=26)
    y = np.arange(len(names), dtype=float)
    axes.barh(y, amounts, 0.6, color=[(FALL if amount < 0 else RISE).colour for amount in amounts], zorder=2)
    zero_line(axes, vertical=True)
    row_axis(axes, names)
    edge, falls, rises = record.largest * 1.15, (amounts < 0).any(), (amounts > 0).any()
    axes.set_xlim(-edge if falls else 0.0, edge if rises or not falls else 0.0)
    money_axis(axes, record.largest, currency=record.company.currency, axis="x", ticks=4)
    for row, amount in zip(y, sources.column(record.rows, "change"), strict=True):
        axes.annotate(
            sentences.share_label(amount, currency=record.company.currency),
            (max(amount, 0.0), row),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=INK,
            annotation_clip=False,
        )
    return Drawing(figure=figure, marks=places(axes, amounts, y))


# -- the open pipeline ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Open deals by month of expected close: month, deals, amount, expected_amount."""

    rows: pd.DataFrame
    company: Company

    @property
    def largest(self) -> float:
        """The largest amount of a month; at least 1, so that an axis has a length."""
        return max(float(self.rows["amount"].max()), 1.0)


def pipeline(
    table: pd.DataFrame,
    *,
    company: Company,
    as_of: Any,
    whose: str,
    segment: str = TOTAL,
    events: pd.DataFrame | None = None,
    widths: Sequence[int] = ON_PAGE,
) -> Chart:
    """Draw the open pipeline by month of expected close: its amount, and what it should bring in the end.

    table : month, deals, amount, expected_amount, as `by_month` of the table of deals returns it. whose : in words.
    events : to be flagged, as `dated` gives them, of the company and of a segment. widths : as `chart` takes them.
    """
    rows = sources.named(table, "pipeline_by_month")
    record = Pipeline(rows=rows, company=company)
    return chart(
        record,
        draw_pipeline,
        sentences.describe_pipeline(rows, whose=whose, company=company, largest=record.largest),
        table=rows,
        heads=sentences.PIPELINE_HEADS,
        company=company,
        as_of=as_of,
        formats=dict.fromkeys(("amount", "expected_amount"), wording.in_currency(company.currency)),
        by="x",
        flags=flags_of(events, list(rows["month"]), company=company, name="pipeline_by_month", segment=segment),
        widths=widths,
    )


def draw_pipeline(canvas: Canvas, record: Pipeline) -> Drawing:
    """Draw a bar a month for the amount, and within it what these deals should bring in the end."""
    figure, axes = canvas.axes(240 if canvas.narrow else 250, left=40, right=12)
    rows, x = record.rows, np.arange(len(record.rows), dtype=float)
    axes.bar(x, rows["amount"], 0.62, **FULL_VALUE.area, zorder=2)
    axes.bar(x, rows["expected_amount"], 0.62, **FORECAST.area, zorder=3)
    axes.set_xticks(x, [wording.short_month(month).replace(" ", "\n") for month in rows["month"]])
    axes.set_xlim(-0.6, len(x) - 0.4)
    axes.set_ylim(0, record.largest * 1.08)
    money_axis(axes, record.largest, currency=record.company.currency)
    return Drawing(figure=figure, marks=places(axes, x, rows["amount"]))


# -- scenarios side by side -----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Scenarios of all months together: scenario, mean, q10, q90, change; the base first."""

    rows: pd.DataFrame
    company: Company

    @property
    def largest(self) -> float:
        """The largest amount drawn; at least 1, so that an axis has a length."""
        return max(float(self.rows[["mean", "q90"]].max().max()), 1.0)


def side_by_side(
    given: Comparison, *, company: Company, as_of: Any, widths: Sequence[int] = ON_PAGE
) -> list[Chart | Statement | TableView | Notes]:
    """Return scenarios as a chart, a table, and what is to be said of them; or why none is compared."""
    said = [sentences.about(name, why, left_out=True) for name, why in given.left_out.items()]
    said += [sentences.about(name, why, left_out=False) for name, why in given.remarks.items()]
    if len(given.names) == 1:
        return [Statement(sentences.NONE_COMPARED, kind="abstain"), Notes(said)]
    table = compared_table(given, company=company)
    return [
        compared(given, company=company, as_of=as_of, widths=widths),
        TableView(table, sentences.COMPARED_CAPTION, right=given.names),
        Notes(said),
    ]


def compared(given: Comparison, *, company: Company, as_of: Any, widths: Sequence[int] = ON_PAGE) -> Chart:
    """Draw scenarios side by side: the expected bookings of all months, each with its 80 % range."""
    record = Compared(rows=given.whole, company=company)
    months = given.table["period"].nunique() - 1
    return chart(
        record,
        draw_compared,
        sentences.describe_compared(
            record.rows, months=months, segment=given.segment, company=company, largest=record.largest
        ),
        table=record.rows,
        heads=sentences.COMPARED_HEADS,
        company=company,
        as_of=as_of,
        formats={
            **dict.fromkeys(("mean", "q10", "q90"), wording.in_currency(company.currency)),
            "change": partial(_signed, currency=company.currency),
        },
        by="y",
        widths=widths,
    )


def draw_compared(canvas: Canvas, record: Compared) -> Drawing:
    """Draw a point a scenario with a line from its 10 to its 90 % quantile, the base in grey and as a line."""
    rows = record.rows
    names = [wording.label(name, most=18) for name in rows["scenario"]]
    figure, axes = canvas.axes(46 + 34 * len(rows), left=14 + 7 * max(map(len, names)), right=145, top=6, bottom=26)
    y, means = np.arange(len(rows), dtype=float), rows["mean"].to_numpy(dtype=float)
    marks = [NOT_MOVED, *[FORECAST] * (len(rows) - 1)]
    axes.axvline(means[0], color=GRID, linewidth=2, zorder=1)
    axes.hlines(y, rows["q10"], rows["q90"], color=[mark.name for mark in marks], linewidth=2, zorder=2)
    for row, mean, mark in zip(y, means, marks, strict=True):
        axes.plot(mean, row, marker=mark.marker, color=mark.name, markersize=7, zorder=3)
    row_axis(axes, names)
    low, high = float(rows["q10"].min()), float(rows["q90"].max())
    room = max(0.05 * (high - low), 1.0)
    axes.set_xlim(max(low - room, 0.0) if low >= 0 else low - room, high + room)
    money_axis(axes, record.largest, currency=record.company.currency, axis="x", ticks=4)
    for place, row in zip(y, sources.records(rows), strict=True):
        axes.annotate(
            sentences.compared_label(row, currency=record.company.currency),
            (1.0, place),
            xycoords=axes.get_yaxis_transform(),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=INK,
            annotation_clip=False,
        )
    return Drawing(figure=figure, marks=places(axes, means, y))


def compared_table(given: Comparison, *, company: Company) -> pd.DataFrame:
    """Return scenarios side by side in words: a column each; the shares of the levers add up to the difference."""
    currency, months = company.currency, [period for period in given.table["period"].unique() if period != ALL]
    money, signed = partial(wording.money, currency=currency), partial(_signed, currency=currency)
    rows, whole = sentences.COMPARED_ROWS, given.whole
    table = {
        sentences.all_months(len(months)): [money(amount) for amount in whole["mean"]],
        rows["range"]: [
            wording.money_range(low, high, currency=currency)
            for low, high in zip(whole["q10"], whole["q90"], strict=True)
        ],
        rows["change"]: [signed(change) for change in whole["change"]],
    }
    for lever in LEVERS:
        shares = given.by_lever.loc[given.by_lever["lever"] == lever, "change"]
        if shares.abs().max() >= CENT:
            table[rows["share"].format(LEVER_WORDS[lever])] = [signed(share) for share in shares]
    for month in months:
        means = given.table.loc[given.table["period"] == month, "mean"]
        table[wording.month(month)] = [money(mean) for mean in means]
    frame = pd.DataFrame(table.values(), columns=given.names)
    frame.insert(0, sentences.BOOKINGS, list(table))
    return frame


def _signed(amount: float, *, currency: str) -> str:
    """Return a difference with its sign, and one below a cent as nothing."""
    some = abs(amount) >= CENT
    return wording.money(amount if some else 0.0, currency=currency, sign=some)
