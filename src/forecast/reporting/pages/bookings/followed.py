"""What the forecast reckons with, in words: joint planning, levels that moved, months, close dates, events, new deals.

All is read from the month's table `followed`. It says what is in the numbers of the page, and claims nothing of the
company: `levels` does, where an alarm is on, and its answer stands beneath.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pandas as pd

from forecast import sources, wording
from forecast.data.schema import TOTAL
from forecast.models.pipeline.followed import (
    CREATED,
    EVENT,
    KEPT,
    LEVEL,
    LOSSES,
    PLANNED,
    SEASON,
    SOURCE,
    TO_COME,
    WINS,
)
from forecast.reporting.charts.figure import Notes, Statement, Together
from forecast.reporting.pages.bookings.levels import record_title

# -- sentences ------------------------------------------------------------------------------------------

LEAD = "What the forecast takes into account beyond each deal's own stage, age, dates and amount, where it is much:"
NOTHING = "The forecast takes nothing into account that is much beyond each deal's own stage, age, dates and amount."
NO_FINDING = (
    "These are working assumptions of the model, likely rather than proven. One thing is tested "
    "every month, the share of deals won in the company and in each segment: {}."
)
NO_VERDICT = "What planning together has done for forecasts is tested on the page about it"

TOLD, TOLD_OF_PLANNING, TOLD_OF_MONTHS, TOLD_OF_COMING, TOLD_OF_CREATED = 0.05, 0.1, 0.15, 0.15, 0.75
"""From which change on it is told: what is smaller is neither seen nor acted on; months of the year differ anyway."""

APART = 0.1
"""By how much a segment or a source must differ from all deals to be named."""

KEPT_SHARE, KEPT_TIMES = 0.6, 2.0
"""Share of due deals won just then, and times the share of the others, from which on close dates hold."""

OF_ONE = "{}, going by the last months: in a month {}, compared with what earlier years would give."

_MOST_NAMED = 4


def followed_notes(table: pd.DataFrame, found: pd.DataFrame) -> Together:
    """Return what the forecast reckons with as a list, or that there is nothing; then what the record shows.

    table, found : the month's tables `followed` and `levels_found`.
    """
    told = followed_sentences(table)
    more = Statement(NO_FINDING.format(record_title(found)), kind="note")
    return Together(Notes(told, LEAD) if told else Statement(NOTHING), more)


def followed_sentences(table: pd.DataFrame) -> list[str]:
    """Return what the forecast reckons with, a sentence each; none where all of it is small.

    table : the month's table `followed`.
    """
    return [sentence for kind, words in _WORDS.items() for sentence in words(table[table["kind"] == kind])]


def _more(change: Any, what: str) -> str:
    """Return `47 % fewer wins` of -.47, `wins unchanged` of what is under half a per cent."""
    if abs(sources.bare(change)) < 0.005:
        return f"{what} unchanged"
    return f"{wording.percents(change, change)} {'more' if sources.bare(change) > 0 else 'fewer'} {what}"


def _between(rows: pd.DataFrame, what: str) -> str:
    """Return `9 % more wins`, or of several rows that differ `9–12 % more wins`."""
    low, high = (sources.aggregate(rows, "change", how) for how in ("min", "max"))
    if sources.bare(low) * sources.bare(high) > 0 and min(abs(sources.bare(low)), abs(sources.bare(high))) >= 0.005:
        return f"{wording.percents(low, high)} {'more' if sources.bare(low) > 0 else 'fewer'} {what}"
    return _more(low, what) if sources.bare(low) == sources.bare(high) else f"{_more(low, what)} to {_more(high, what)}"


def _both(rows: pd.DataFrame) -> str:
    """Return what becomes of wins and losses: `9 % more wins, losses unchanged`."""
    return ", ".join(_between(rows[rows["of"] == of], of) for of in (WINS, LOSSES))


def _planned(rows: pd.DataFrame) -> list[str]:
    if rows.empty or rows["change"].abs().max() < TOLD_OF_PLANNING:
        return []
    one = sources.records(rows[rows["of"] == WINS])
    begun = wording.joined([f"{wording.label(row['name'])} since {wording.month(row['period'])}" for row in one])
    return [
        f"Joint planning ({begun}): in a month {_both(rows)}, compared with the same deals without it. {NO_VERDICT}."
    ]


def _level(rows: pd.DataFrame) -> list[str]:
    total = rows[rows["name"] == TOTAL]
    told = []
    if len(total) and total["change"].abs().max() >= TOLD:
        told.append(
            f"All open deals, going by the last months: in a month {_both(total)}, compared with what "
            "earlier years would give."
        )
    return told + _apart(rows, f"Open deals in {OF_ONE}")


def _source(rows: pd.DataFrame) -> list[str]:
    return _apart(rows, f"Open deals from {OF_ONE}")


def _apart(rows: pd.DataFrame, words: str) -> list[str]:
    """Return the segments or sources whose wins have moved otherwise than those of most, the furthest first."""
    wins = rows[(rows["of"] == WINS) & (rows["name"] != TOTAL)]
    if len(wins) < 2:
        return []
    away = ((1 + wins["change"]) / (1 + wins["change"].median()) - 1).abs()
    names = list(wins.loc[away[away >= APART].sort_values(ascending=False).index, "name"][:_MOST_NAMED])
    return [words.format(wording.label(name), _both(rows[rows["name"] == name])) for name in names]


def _season(rows: pd.DataFrame) -> list[str]:
    if rows.empty or rows["rest"].abs().max() < TOLD_OF_MONTHS:
        return []
    months = [f"{_more(row['change'], WINS)} in {wording.month(row['period'])}" for row in sources.records(rows)]
    return [f"The season: {wording.joined(months)}, of as many open deals and compared with an average month."]


def _kept(rows: pd.DataFrame) -> list[str]:
    told = rows[(rows["share"] >= KEPT_SHARE) & ~(rows["share"] < KEPT_TIMES * rows["rest"])]
    return [
        f"Close dates hold for {_column_and_level(row['name'])}: of {wording.plural(row['deals'], 'open deal')} due "
        f"in the months ahead {wording.percent(row['share'], digits=0)} are expected to be won in the month they are "
        "due" + (f", of the others {wording.percent(row['rest'], digits=0)}." if wording.known(row["rest"]) else ".")
        for row in sources.records(told.sort_values("share", ascending=False))
    ]


def _column_and_level(name: str) -> str:
    """Return `lead source Renewal` of `lead_source: Renewal`."""
    column, _, level = name.partition(": ")
    return f"{column.replace('_', ' ')} {wording.label(level)}"


def _where(name: str) -> str:
    """Return `in Alps` of `segment: Alps`, `from Content` of `source: Content`."""
    column, _, level = name.partition(": ")
    return f"{'in' if column == 'segment' else 'from'} {wording.label(level)}"


def _event(rows: pd.DataFrame) -> list[str]:
    told = []
    for kind, part in rows.groupby("name", sort=True):
        if part["change"].abs().max() >= TOLD:
            first, last = (wording.month(part["period"].agg(end)) for end in ("min", "max"))
            when = first if first == last else f"{first} to {last}"
            told.append(
                f"Events, {wording.label(str(kind))} ({when}): in a month {_both(part)}, compared "
                "with the same months without."
            )
    return told


def _to_come(rows: pd.DataFrame) -> list[str]:
    return [
        f"Deals still to be created {_where(row['name'])}: {_more(row['change'], WINS)}, going by the "
        "deals of the last three months, compared with as many deals of the last three years."
        for row in _largest(rows, TOLD_OF_COMING)
    ]


def _created(rows: pd.DataFrame) -> list[str]:
    return [
        f"As recorded: {_more(row['change'], 'deals')} were created a month {_where(row['name'])} in "
        "the last three months than in the twelve before."
        for row in _largest(rows, TOLD_OF_CREATED)
    ]


def _largest(rows: pd.DataFrame, least: float) -> list[dict[str, Any]]:
    """Return the rows whose change is at least so large, the largest first, a few of them."""
    told = rows[rows["change"].abs() >= least]
    order = told["change"].abs().sort_values(ascending=False, kind="stable").index[:_MOST_NAMED]
    return sources.records(told.loc[order])


_WORDS: Mapping[str, Callable[[pd.DataFrame], list[str]]] = MappingProxyType(
    {
        PLANNED: _planned,
        LEVEL: _level,
        SOURCE: _source,
        SEASON: _season,
        KEPT: _kept,
        EVENT: _event,
        CREATED: _created,
        TO_COME: _to_come,
    }
)
