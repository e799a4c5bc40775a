"""Breaks in the record as known on a day: creation stamped anew, another CRM, stages renamed, months not recorded.

Simple case: deals are created day by day, every change is a row, a stage keeps its name, and nothing is found. Each
break is told by what it leaves behind and chance does not:

- hundreds of deals created on one day: *stamped anew* where their history begins before it, *begun anew* where it
  begins that day in the middle of the pipeline;
- a stage whose last row lies just before another one's first, at one position in the company's order: *renamed*;
- months in which deals were created and closed, and no row was written: *unrecorded*.

All of it is read off what was known on the day, so that a model that asks cannot see what came later. Bounds: see
docs/methods/data_audit.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.data.codes import dictionary_of, row_codes
from forecast.data.known.broken import Breaks, Load, Renamed
from forecast.data.known.coding import NO_DAY, OPEN, count_by_period
from forecast.data.known.ledger import BEFORE, MANY, KnownState, Ledger

LOADS_AT_MOST = 3
"""So many days may each hold a load of deals; more are a habit of the company's."""

_TIMES_OTHERS, _FEWEST, _OF_A_MONTH = 3, 20, 0.25
_BEGAN_BEFORE = 0.5
_UNDER_WAY, _TIMES_USUAL = 0.25, 2.0
_OFTEN, _GONE_ROWS, _GONE_DAYS, _PAUSES, _RATE = 20, 20.0, 7, 10.0, 2.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Loads:
    """Days on which far more deals were created than on any other.

    days, sizes : of each, the largest first. most : deals of the next day. deals : (n,) whether one is of them.
    """

    days: tuple[int, ...]
    sizes: tuple[int, ...]
    most: int
    deals: np.ndarray


def loads_of(created: np.ndarray, *, usual: float) -> Loads:
    """Return the days that hold a load of deals: at most three, none of them near any other day.

    created : (n,) days since 1970. usual : deals created in a usual month.
    """
    first = int(created.min(initial=0))
    of_day = np.bincount(created - first)
    distinct = first + np.flatnonzero(of_day)
    counts = of_day[distinct - first]
    order = np.argsort(-counts, kind="stable")
    sizes = np.append(counts[order], 0)
    loads = 0
    for number in range(1, min(LOADS_AT_MOST, len(order)) + 1):
        size, next_size = sizes[number - 1], sizes[number]
        if size >= _TIMES_OTHERS * next_size and size >= _FEWEST and size >= _OF_A_MONTH * usual:
            loads = number
    days = distinct[order[:loads]]
    return Loads(
        days=tuple(int(day) for day in days),
        sizes=tuple(int(size) for size in sizes[:loads]),
        most=int(sizes[loads]),
        deals=np.isin(created, days) if loads else np.zeros(len(created), dtype=bool),
    )


def find_breaks(view: KnownState, stages: pd.DataFrame | None) -> Breaks:
    """Return the breaks in the record known on a day; stages : as the company gives them, None where it does not."""
    loads = _loads(view)
    return Breaks(
        stamped=tuple(stamped_anew(view, loads)),
        begun=tuple(begun_anew(view, loads)),
        renamed=() if stages is None else tuple(renamed_stages(view, stages)),
        unrecorded=tuple(unrecorded_months(view)),
    )


# -- deals created on one day ---------------------------------------------------------------------------


def stamped_anew(view: KnownState, loads: list[Load]) -> list[Load]:
    """Return the loads of deals whose history begins before the day that `opportunities` says they were created on."""
    ledger = view.ledger
    began = _first_days(ledger)
    return [
        Load(day=load.day, deals=load.deals[before])
        for load in loads
        if (before := began[load.deals] < load.day).mean() >= _BEGAN_BEFORE
    ]


def begun_anew(view: KnownState, loads: list[Load]) -> list[Load]:
    """Return the loads of deals whose history begins on the day of the load, in the middle of the pipeline.

    A quarter of them begin in another stage than deals usually do, and twice as large a share as of the others: what a
    campaign brings in a day begins where all deals begin.
    """
    ledger = view.ledger
    if not loads:
        return []
    began, stage = _first_days(ledger), _first_stages(ledger)
    rest = view.known & ledger.has_rows
    rest[np.concatenate([load.deals for load in loads])] = False
    if not rest.any():
        return []
    usual = int(np.bincount(stage[rest] + 1).argmax()) - 1
    share = float((stage[rest] != usual).mean())
    found = []
    for load in loads:
        anew = load.deals[began[load.deals] == load.day]
        if len(anew) >= max(_FEWEST, _BEGAN_BEFORE * len(load.deals)):
            under_way = float((stage[anew] != usual).mean())
            if under_way >= max(_UNDER_WAY, _TIMES_USUAL * share):
                found.append(Load(day=load.day, deals=anew))
    return found


def _loads(view: KnownState) -> list[Load]:
    """Return the loads among the deals known and created by the day; none without history, which alone tells them."""
    ledger = view.ledger
    if not ledger.has_history:
        return []
    dated = np.flatnonzero(view.known & (ledger.stamped_on != NO_DAY) & (ledger.stamped_on <= view.day))
    if not len(dated):
        return []
    created = ledger.stamped_on[dated]
    usual = float(np.median(count_by_period(ledger.calendar, created)[1]))
    return [Load(day=day, deals=dated[created == day]) for day in sorted(loads_of(created, usual=usual).days)]


def _first_days(ledger: Ledger) -> np.ndarray:
    """Return the day of each deal's first row, a day beyond all where it has none; (n,) int64."""
    out = np.full(ledger.size, np.iinfo(np.int64).max)
    out[ledger.has_rows] = ledger.day[ledger.first_row[ledger.has_rows]]
    return out


def _first_stages(ledger: Ledger) -> np.ndarray:
    """Return the code of the stage of each deal's first row, as history holds it, -1 without one; (n,)."""
    out = np.full(ledger.size, -1)
    out[ledger.has_rows] = row_codes(dictionary_of(ledger.history["stage"]))[ledger.first_row[ledger.has_rows]]
    return out


# -- renamed stages -------------------------------------------------------------------------------------


def renamed_stages(view: KnownState, stages: pd.DataFrame) -> list[Renamed]:
    """Return open stages that ended where another one began, at the same position in the company's order.

    The two names share no day but the last and first, and are as frequent within a factor of 2; the old one stays
    silent where 20 rows of it were to be expected, and its pauses were a tenth as long.

    stages : stage, position, outcome, as the company gives them.
    """
    ledger = view.ledger
    if stages.loc[stages["outcome"] == "open", "position"].is_unique:
        return []
    known = ledger.day <= view.day
    held = dictionary_of(ledger.history["stage"])
    codes, names = row_codes(held), held.dictionary.to_pylist()
    use = known & (codes >= 0)
    codes, days = codes[use], ledger.day[use].astype(np.int64)
    if not len(codes):
        return []
    first, last = np.full(len(names), np.iinfo(np.int64).max), np.full(len(names), np.iinfo(np.int64).min)
    np.minimum.at(first, codes, days)
    np.maximum.at(last, codes, days)
    rows = np.bincount(codes, minlength=len(names))
    span = np.maximum(last - first + 1.0, 1.0)
    rate = rows / span
    place = {name: (row.position, row.outcome) for row in stages.itertuples() for name in (row.stage,)}
    pairs = []
    for old, new in ((a, b) for a in np.flatnonzero(rows >= _OFTEN) for b in np.flatnonzero(rows >= _OFTEN)):
        at = place.get(names[old])
        if old == new or at is None or at != place.get(names[new]) or at[1] != "open":
            continue
        gap, silent = int(first[new] - last[old]), int(days.max() - last[old])
        near = 0 <= gap <= max(_GONE_DAYS, _PAUSES / rate[old])
        gone = silent >= max(_GONE_DAYS, _PAUSES / rate[old]) and rate[old] * silent >= _GONE_ROWS
        if near and gone and 1 / _RATE <= rate[new] / rate[old] <= _RATE:
            pairs.append((gap, Renamed(old=names[old], new=names[new], old_last=int(last[old]), day=int(first[new]))))
    return _each_once([each for _, each in sorted(pairs, key=lambda pair: pair[0])])


def _each_once(pairs: list[Renamed]) -> list[Renamed]:
    """Return the pairs in which neither name has been paired before."""
    olds: set[str] = set()
    news: set[str] = set()
    out = []
    for each in pairs:
        if each.old not in olds and each.new not in news:
            olds.add(each.old)
            news.add(each.new)
            out.append(each)
    return sorted(out, key=lambda each: each.day)


# -- months without rows --------------------------------------------------------------------------------


def unrecorded_months(view: KnownState) -> list[int]:
    """Return the periods that are over, in which ten deals or more were created or closed, and no row was written.

    Of the three months with rows before it each had ten rows or more, so that chance explains none in one of e^10.
    Months before the first row are none: history began with it.
    """
    ledger = view.ledger
    if not ledger.has_history or not len(ledger.day):
        return []
    # What lies before the day's own month was known by then, so that all of it may be counted at once.
    months, counts = ledger.rows_by_month
    first, last = int(months[0]), view.last_complete
    if last <= first:
        return []
    rows = _by_month(months, first, last, counts)
    closed = view.known & (view.outcome != OPEN)
    born = ledger.created_in[view.known & (ledger.created_on <= view.day)]
    events = _by_month(born, first, last) + _by_month(view.closed_in[closed], first, last)
    found = []
    for at in np.flatnonzero((rows == 0) & (events >= MANY)):
        before = rows[:at][rows[:at] > 0][-BEFORE:]
        if len(before) == BEFORE and before.min() >= MANY:
            found.append(first + int(at))
    return found


def _by_month(periods: np.ndarray, first: int, last: int, counts: np.ndarray | None = None) -> np.ndarray:
    """Return how many of the periods are each one from first to last; counts : how often each stands for itself."""
    inside = (periods >= first) & (periods <= last)
    weights = None if counts is None else counts[inside]
    return np.bincount(periods[inside] - first, weights, minlength=last - first + 1)
