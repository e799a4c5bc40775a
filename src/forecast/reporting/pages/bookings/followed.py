"""What the forecast reckons with, in words: joint planning, levels that moved, months, close dates, events.

All is read from the month's table `followed`. It says what is in the numbers of the page, and claims nothing of the
company: `levels` does, where an alarm is on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import pandas as pd

from forecast import sources, wording
from forecast.data.schema import TOTAL
from forecast.models.pipeline.followed import EVENT, KEPT, LEVEL, LOSSES, PLANNED, SEASON, SOURCE, TO_COME, WINS
from forecast.reporting.charts.figure import Notes, Statement, Together

LEAD = "The forecast takes into account, beside each deal's own stage, age, dates and amount:"
NOTHING = "The forecast takes nothing for changed: the company is expected to go on as it was."
NO_CLAIM = (
    "All this is in the numbers of this page, and none of it is a finding. What the record shows of a change stands at "
    "the top, and of planning together on the page about it, where each is tested."
)

TOLD, TOLD_OF_PLANNING, TOLD_OF_MONTHS, TOLD_OF_COMING = 0.05, 0.1, 0.15, 0.15
"""From which change on it is told: what is smaller is neither seen nor acted on; months of the year differ anyway."""

APART = 0.1
"""By how much a segment or a source must differ from all deals to be named."""

KEPT_SHARE, KEPT_TIMES = 0.4, 2.0
"""Share of due deals won just then, and times the share of all, from which on close dates are told to be kept."""

_MOST_NAMED = 4


def followed_notes(table: pd.DataFrame) -> Together:
    """Return what the forecast reckons with as a list, then what it does not say; or that there is nothing.

    table : the month's table `followed`.
    """
    told = followed_sentences(table)
    return Together(Notes(told, LEAD), Statement(NO_CLAIM, kind="note")) if told else Together(Statement(NOTHING))


def followed_sentences(table: pd.DataFrame) -> list[str]:
    """Return what the forecast reckons with, a sentence each; none where all of it is small.

    table : the month's table `followed`.
    """
    return [sentence for kind, words in _WORDS.items() for sentence in words(table[table["kind"] == kind])]


def _by(change: float) -> str:
    return wording.change(change, up="up by", down="down by", same="as many")


def _between(rows: pd.DataFrame) -> str:
    """Return `up by 9 %`, or of several rows that differ `up by 9 % to up by 12 %`, the least first."""
    low, high = (_by(sources.aggregate(rows, "change", how)) for how in ("min", "max"))
    return low if sources.plain(low) == sources.plain(high) else f"{low} to {high}"


def _both(rows: pd.DataFrame) -> str:
    """Return what becomes of wins and losses: `wins up by 9 %, losses as many`."""
    return ", ".join(f"{of} {_between(rows[rows['of'] == of])}" for of in (WINS, LOSSES))


def _planned(rows: pd.DataFrame) -> list[str]:
    if rows.empty or rows["change"].abs().max() < TOLD_OF_PLANNING:
        return []
    one = rows[rows["of"] == WINS]
    begun = wording.joined(
        [f"{wording.label(row['name'])} since {wording.month(row['period'])}" for row in sources.records(one)]
    )
    return [f"Joint planning ({begun}): {_both(rows)} a month, compared with the same deals without it."]


def _level(rows: pd.DataFrame) -> list[str]:
    total = rows[rows["name"] == TOTAL]
    told = []
    if len(total) and total["change"].abs().max() >= TOLD:
        told.append(
            f"The level of all deals, as the last months show it: {_both(total)} a month, compared with what "
            "the years before would give."
        )
    return told + _apart(rows, "In {}, all told, {}.")


def _source(rows: pd.DataFrame) -> list[str]:
    return _apart(rows, "Of deals from {}, all told, {}.")


def _apart(rows: pd.DataFrame, words: str) -> list[str]:
    """Return the segments or sources whose wins have moved otherwise than those of most, the furthest first."""
    wins = rows[(rows["of"] == WINS) & (rows["name"] != TOTAL)]
    if len(wins) < 2:
        return []
    away = ((1 + wins["change"]) / (1 + wins["change"].median()) - 1).abs()
    names = list(wins.loc[away[away >= APART].sort_values(ascending=False).index, "name"][:_MOST_NAMED])
    return [words.format(wording.label(name), _both(rows[rows["name"] == name])) for name in names]


def _season(rows: pd.DataFrame) -> list[str]:
    told = sources.records(rows[rows["change"].abs() >= TOLD_OF_MONTHS])
    if not told:
        return []
    months = wording.joined([f"{wording.month(row['period'])} {_by(row['change'])}" for row in told])
    return [
        f"The month of the year, beside its place in the quarter: wins of {months}, compared with an average month."
    ]


def _kept(rows: pd.DataFrame) -> list[str]:
    total = rows[rows["name"] == TOTAL]
    if total.empty:
        return []
    usual = sources.row(total)["share"]
    told = rows[(rows["share"] >= KEPT_SHARE) & (rows["share"] >= KEPT_TIMES * sources.bare(usual))]
    return [
        f"Close dates that are kept ({_column_and_level(row['name'])}): of {wording.plural(row['deals'], 'open deal')} "
        f"due in the months ahead {wording.percent(row['share'], digits=0)} are expected to be won in just that month; "
        f"of all that are due {wording.percent(usual, digits=0)}."
        for row in sources.records(told.sort_values("share", ascending=False))
    ]


def _column_and_level(name: str) -> str:
    """Return `lead source Renewal` of `lead_source: Renewal`."""
    column, _, level = name.partition(": ")
    return f"{column.replace('_', ' ')} {wording.label(level)}"


def _event(rows: pd.DataFrame) -> list[str]:
    told = []
    for kind, part in rows.groupby("name", sort=True):
        if part["change"].abs().max() >= TOLD:
            first, last = (wording.month(part["period"].agg(end)) for end in ("min", "max"))
            when = first if first == last else f"{first} to {last}"
            told.append(f"Events, {wording.label(str(kind))} ({when}): the odds of {_both(part)}.")
    return told


def _to_come(rows: pd.DataFrame) -> list[str]:
    told = rows[rows["change"].abs() >= TOLD_OF_COMING]
    told = told.loc[told["change"].abs().sort_values(ascending=False, kind="stable").index[:_MOST_NAMED]]
    return [
        f"Deals not yet created ({_column_and_level(row['name'])}): wins {_by(row['change'])}, as the youngest deals "
        "show, compared with those of the last three years."
        for row in sources.records(told)
    ]


_WORDS: Mapping[str, Callable[[pd.DataFrame], list[str]]] = MappingProxyType(
    {PLANNED: _planned, LEVEL: _level, SOURCE: _source, SEASON: _season, KEPT: _kept, EVENT: _event, TO_COME: _to_come}
)
