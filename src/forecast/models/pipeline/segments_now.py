"""Segments that closed or were split off, in what is learned of deals to come.

Simple case: each segment goes on, and nothing is changed here. A segment that closed creates no more deals, and what
became of its deals says nothing of the others: they did not fail, they were given up. A segment that was split off
another one converts as that one does until it has wins of its own, and the other goes on at the level left to it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.known.ledger import KnownState
from forecast.data.known.segment_breaks import closed_segments, new_segments
from forecast.errors import shortened
from forecast.wording import day, plural


def goes_on(view: KnownState) -> np.ndarray:
    """Return which segments of the ledger have not closed, as known on a day; (R,) bool."""
    out = np.ones(len(view.ledger.segments), dtype=bool)
    out[[each.segment for each in closed_segments(view)]] = False
    return out


def as_if_split_before(view: KnownState, created: np.ndarray, periods: np.ndarray) -> np.ndarray:
    """Return deals created by month (R, G, T) as if segments had been split before the first of them.

    What another one created before the split counts as far as it was left to it. periods : (T,).
    """
    out = created
    for each in new_segments(view):
        if each.of is not None and each.before > 0:
            before = periods < view.calendar.period(pd.Timestamp(np.datetime64(each.day, "D")))
            out = out.copy() if out is created else out
            out[each.of][:, before] *= min(each.after / each.before, 1.0)
    return out


def inherited(view: KnownState) -> dict[int, int]:
    """Return the segment each one was split off, where one is known; codes."""
    return {each.segment: each.of for each in new_segments(view) if each.of is not None}


def what_became_of_segments(view: KnownState) -> list[str]:
    """Return what a reader of a forecast must know: segments that closed, or were split off, and what was done."""
    names = [shortened(name) for name in view.ledger.segments]
    closed = [
        f"{names[each.segment]} closed after {_date(each.last)}: no deal to come is forecast for it, and what became "
        f"of its last {plural(len(each.lost), 'deal')} teaches nothing about others."
        for each in closed_segments(view)
    ]
    split = [
        f"{names[each.segment]} begins on {_date(each.day)}, when {names[each.of]} fell from {each.before:,.0f} to "
        f"{each.after:,.0f} new deals a month: it is taken to have been split off it, converts as it does until it has "
        "wins of its own, and what the other created before counts as far as it was left to it."
        for each in new_segments(view)
        if each.of is not None
    ]
    return [*closed, *split]


def _date(days: int) -> str:
    return day(pd.Timestamp(np.datetime64(days, "D")))
