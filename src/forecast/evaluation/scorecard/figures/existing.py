"""New and existing business: by what the CRM calls it, and by whether the account had bought before.

Simple case: each deal won has a type, `new` or `existing`, and the share of won value that is existing is the figure.
Without types, or beside them, a win is existing where its account bought in the months before. How many months are
looked back at decides the answer, so they are the same for every win and in both years compared: then a log of two
years and one of five say the same of the same company. The complication: a log of deals created from some month on
lacks the wins of older deals, so the look-back must lie in months whose wins are whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from forecast.calendar import period_label, period_labels
from forecast.evaluation.scorecard.definition import Definition
from forecast.evaluation.scorecard.figures import intervals
from forecast.evaluation.scorecard.figures.since_joint import Monthly
from forecast.evaluation.scorecard.known import Known
from forecast.evaluation.scorecard.measures import LOOK_BACK, of_customers, typed_existing
from forecast.evaluation.scorecard.spans import Span

FIGURE, NEW = "existing business", "new business"

LOOK_BACKS = (LOOK_BACK, 24, 36)
"""Months looked back at."""

WHOLE = 0.99
"""Share of the wins that are won by an age after which a log of deals created from some month on lacks no win."""

YEAR_BEFORE = ", the year before"
BY_TYPE = "by type"
"""By earlier orders the share is the least it can be, since who bought longer ago counts as new; so `of` names it apart
from the survey's share of revenue, and the two are not ranked."""


@dataclass(frozen=True, kw_only=True)
class _Wins:
    """Wins of which it is known whether they are existing business: period, amount, existing; of all, what share by
    value that is; why they are not known, where they are not."""

    table: pd.DataFrame
    known_share: float = 1.0
    missing: str = ""


def existing_business(known: Known, span: Span) -> list[Definition]:
    """Return the share of existing and of new business by type and by each look-back, of the span and the year before.

    Intervals: by value that of a ratio with the months as units, since a month's wins share their luck; by count
    Wilson's with the number of wins over the design effect of the months.
    """
    before = Span(first=span.last - 23, last=span.last - 12)
    rows = []
    for name in (BY_TYPE, *map(by_purchase, LOOK_BACKS)):
        for months, suffix in ((span, ""), (before, YEAR_BEFORE)):
            wins = _wins(known, name, months, is_before=months is before)
            rows += [row for by in ("value", "count") for row in _rows(f"{name}, by {by}{suffix}", by, wins, months)]
    return rows


def by_purchase(months: int) -> str:
    """Return the name of the definition by an earlier purchase at most so many months before."""
    return f"bought in the {months} months before"


def whole_from(known: Known) -> int:
    """Return the first month whose wins are all in the log but for one in a hundred.

    Simple case: the log holds every closing of some months (`closures_recorded_from`), and it is the first of them.
    Else it holds the deals created from its first month on, of which the older a win is the more are missing: it is as
    many months later as 99 in 100 of the wins took from creation.
    """
    born = known.snap.calendar.period(known.snap.opportunities["created_on"].min())
    if known.begins > born or known.wins.empty:
        return known.begins
    took = known.wins["period"].to_numpy() - known.snap.calendar.period_of(known.wins["created_on"])
    return born + int(np.ceil(np.quantile(took, WHOLE)))


def monthly(known: Known, span: Span) -> list[Monthly]:
    """Return the share of won value that is existing, by segment and month, by type and by the shortest look-back."""
    out = []
    for name in (BY_TYPE, by_purchase(LOOK_BACK)):
        first = max(span.first, whole_from(known) + (0 if name == BY_TYPE else LOOK_BACK))
        if first > span.last:
            continue
        wins = _wins(known, name, Span(first=first, last=span.last))
        if wins.missing or wins.table.empty:
            continue
        table = wins.table.assign(old=wins.table["amount"].where(wins.table["existing"], 0.0))
        sums = table.groupby(["segment", "period"])[["old", "amount"]].sum().reset_index()
        sums = sums[sums["amount"] > 0]
        values = sums.assign(value=sums["old"] / sums["amount"], period=period_labels(sums["period"]))
        values = values[["segment", "period", "value"]]
        out.append(Monthly(figure=FIGURE, definition=f"{name}, by value", values=values))
    return out


def _wins(known: Known, name: str, months: Span, *, is_before: bool = False) -> _Wins:
    """Return the wins of some months that a definition can tell. is_before : whether they are the year before."""
    wins = known.wins[months.has(known.wins["period"])]
    wins = wins[wins["amount"].notna()]
    none = wins.iloc[:0]
    column = "type" if name == BY_TYPE else "account_id"
    if column not in wins.columns or not known.wins[column].notna().any():
        return _Wins(table=none, missing=f"needs {column} in opportunities")
    first = months.first
    if name == BY_TYPE:
        # Of a year before the wins must be whole, since those that are missing are the slow ones.
        begins = whole_from(known) if is_before else known.begins
        if months.first < begins:
            return _Wins(table=none, missing=f"needs the wins from {period_label(months.first)} on; {_whole(begins)}")
        told = wins["type"].notna()
        existing = typed_existing(wins)
    else:
        back = next(each for each in LOOK_BACKS if by_purchase(each) == name)
        whole = whole_from(known)
        if first - back < whole:
            return _Wins(table=none, missing=f"needs the wins from {period_label(first - back)} on; {_whole(whole)}")
        told = wins["account_id"].notna()
        existing = of_customers(known.wins, months=back).loc[wins.index]
    if not told.any():
        lacking = "a type" if name == BY_TYPE else "an account"
        return _Wins(table=none, missing=f"no deal won in these months has {lacking}")
    total = float(wins["amount"].sum())
    share = float(wins.loc[told, "amount"].sum()) / total if total > 0 else float("nan")
    return _Wins(table=wins.assign(existing=existing)[told], known_share=share)


def _whole(begins: int) -> str:
    return f"the log's are whole from {period_label(begins)}"


def _rows(name: str, by: str, wins: _Wins, months: Span) -> list[Definition]:
    """Return the row of existing business and that of new business, which is the rest."""
    what = "won value" if by == "value" else "deals won"
    means = f"{what} of type existing, renewal, expansion or upsell"
    if not name.startswith(BY_TYPE):
        means = f"{what} of accounts that {name.split(',')[0]}"
    if wins.known_share < WHOLE:
        means += f"; of the {100 * wins.known_share:.0f} % of won value of which that is recorded"
    row = Definition(
        figure=FIGURE,
        definition=name,
        means=means,
        unit="share",
        of=("revenue" if by == "value" else "deals won") + ("" if name.startswith(BY_TYPE) else ", by earlier orders"),
        n_of="deal",
        first=period_label(months.first),
        last=period_label(months.last),
        missing=wins.missing,
    )
    if not wins.missing:
        row = _measured(row, by, wins.table, months)
    new = replace(row, figure=NEW, means=f"{what} less {means}", value=1 - row.value)
    return [row, replace(new, low=1 - row.high, high=1 - row.low)]


def _measured(row: Definition, by: str, table: pd.DataFrame, months: Span) -> Definition:
    existing, period = table["existing"].to_numpy(dtype=bool), table["period"].to_numpy() - months.first
    if by == "count":
        low, high = intervals.share_by(existing, period)
        return replace(row, value=float(existing.mean()), low=low, high=high, n=len(table))
    count = months.last - months.first + 1
    amount = table["amount"].to_numpy(dtype=np.float64)
    over, under = (np.bincount(period, part, count) for part in (np.where(existing, amount, 0.0), amount))
    if under.sum() <= 0:
        return replace(row, missing="nothing was won in these months")
    if not 0 <= over.sum() <= under.sum():
        return replace(row, missing="credits outweigh what was sold of one kind, so that there is no share")
    low, high = intervals.share_of_amounts(existing, amount, period)
    return replace(row, value=float(over.sum() / under.sum()), low=low, high=high, n=len(table))
