"""A ledger as landmark rows: what each deal looked like at past origins, and what became of it.

A landmark is a deal that was open on a past day (van Houwelingen & Putter, *Dynamic Prediction in Clinical Survival
Analysis*, 2012). The past days stand at the same position in their month as the last one, so that a forecast
in the middle of a month learns from middles of months. Steps count the months ahead: step 0 is the first month that
is not over (the next one at a month's end, the rest of the month in progress otherwise).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.data.known.coding import NONE, OPEN, WON
from forecast.data.known.ledger import KnownState, Ledger
from forecast.models.win.states import UNDATED, States, Vocabulary, joined, present, vocabulary

__all__ = [
    "NONE",
    "NO_EVENT",
    "STEPS",
    "UNDATED",
    "Landmarks",
    "Rows",
    "States",
    "Vocabulary",
    "first_recorded",
    "joined",
    "landmarks",
    "month_rows",
    "past_days",
    "present",
    "steps_of",
    "vocabulary",
]

STEPS = 6
"""Months ahead that are modelled one by one; later ones repeat the last."""

NO_EVENT = 10_000
_CLOSURES_EXPECTED = 10.0


def steps_of(view: KnownState) -> int:
    """Return how many steps are modelled: six months, and the rest of the month in progress where there is one."""
    return STEPS + (not view.at_month_end)


def past_days(ledger: Ledger, as_of: pd.Timestamp, *, first: int) -> list[pd.Timestamp]:
    """Return the days at the position of `as_of` in its period, from period `first` to its own, ascending."""
    calendar = ledger.calendar
    period = calendar.period(as_of)
    if as_of == calendar.end(period):
        return [calendar.end(p) for p in range(first, period)] + [as_of]
    starts = [calendar.start(p) for p in range(first, period + 2)]
    done = ((as_of - starts[-2]).days + 1) / (starts[-1] - starts[-2]).days
    out = []
    for start, following in itertools.pairwise(starts[:-1]):
        length = (following - start).days
        elapsed = min(max(round(done * length), 1), length - 1)
        out.append((start + pd.Timedelta(days=elapsed - 1)).as_unit("us"))
    return [*out, as_of]


def first_recorded(view: KnownState) -> int:
    """Return the first month whose closures are recorded, 0 where there is no doubt about any.

    A log may hold deals from before the first closure it kept. Months in which ten closures or more would be expected
    at the rate seen later, and none is there, are taken as not recorded.
    """
    born = view.ledger.created_in
    shut = view.known & (view.outcome != OPEN) & (view.closed_in > 0)
    if not shut.any():
        return 0
    start = int(view.closed_in[shut].min())
    known = view.known & (born > 0)
    lived = np.where(shut, view.closed_in, view.period)[known] - born[known]
    rate = shut.sum() / max(np.maximum(lived, 0).sum() + 0.5 * known.sum(), 1.0)
    silent = np.maximum(start - born[known], 0).sum()
    return start if rate * silent >= _CLOSURES_EXPECTED else 0


@dataclass(frozen=True)
class Landmarks:
    """States at past origins and what became of them; arrays have shape (n,).

    `event` is the step in which the deal closed (NO_EVENT where it has not), `won` whether it closed as won,
    `observed` how many steps had ended (a later closure is not looked at). `origins` are the periods of the past
    origins, ascending; `origin` indexes them.
    """

    states: States
    origin: np.ndarray
    event: np.ndarray
    won: np.ndarray
    observed: np.ndarray
    origins: np.ndarray
    steps: int

    def __len__(self) -> int:
        return len(self.states)


def landmarks(view: KnownState, past: Mapping[int, States], *, months: int = 36) -> Landmarks:
    """Return the deals that were open at the last `months` past origins, with what became of them by the view's day.

    past : by step 0's period, the states at each past origin. They begin where closures are recorded. A closure dated
    before the origin it was still open at (it was recorded late) counts in step 0.
    """
    steps, ahead = steps_of(view), int(view.at_month_end)
    begin = max(view.period - months, first_recorded(view) - ahead)
    chosen = [target for target in sorted(past) if begin <= target - ahead < view.period]
    states = joined([past[target] for target in chosen]) if chosen else present(view, ()).take(np.zeros(0, dtype=int))
    sizes = [len(past[target]) for target in chosen]
    step = _step(view, states)
    observed = np.clip(view.last_complete - states.target + 1, 0, steps)
    return Landmarks(
        states,
        np.repeat(np.arange(len(chosen)), sizes),
        step,
        view.outcome[states.deal] == WON,
        observed,
        np.array(chosen, dtype=np.int64) - ahead,
        steps,
    )


def _step(view: KnownState, states: States) -> np.ndarray:
    closed = view.closed_in[states.deal]
    return np.where(closed > 0, np.maximum(closed - states.target, 0), NO_EVENT)


@dataclass(frozen=True)
class Rows:
    """Rows (deal, landmark, step) that share a target month: what a fit needs of them.

    `landmark` (k,) indexes `states`, one a row at least; step, won, lost (k,); weight (k,) is how many rows of its kind
    a row stands for.
    """

    states: States
    landmark: np.ndarray
    step: np.ndarray
    won: np.ndarray
    lost: np.ndarray
    weight: np.ndarray

    def __len__(self) -> int:
        return len(self.landmark)


def month_rows(
    view: KnownState, past: Mapping[int, States], target: int, *, most_events: int, most_quiet: int
) -> Rows | None:
    """Return the rows of a target month from the landmarks of the months before it, as known at the view's day.

    past : by step 0's period, the states at each past origin. Of the rows with an event, and of the quiet ones, about
    `most_events` and `most_quiet` are kept, chosen by a hash of deal, month and step, so that the choice is the same
    from whichever day it is looked at; their weights make up for the others. None where there is no landmark.
    """
    which, steps, events, wins, parts = [], [], [], [], []
    offset = 0
    for ahead in range(steps_of(view)):
        states = past.get(target - ahead)
        if states is None or not len(states):
            continue
        event = _step(view, states)
        at_risk = np.flatnonzero(event >= ahead)
        happened = event[at_risk] == ahead
        which.append(at_risk + offset)
        steps.append(np.full(len(at_risk), ahead, dtype=np.int64))
        events.append(happened)
        wins.append(happened & (view.outcome[states.deal[at_risk]] == WON))
        parts.append(states)
        offset += len(states)
    if not parts:
        return None
    pool = joined(parts) if len(parts) > 1 else parts[0]
    landmark, step, happened, won = (np.concatenate(x) for x in (which, steps, events, wins))
    shares = [
        min(1.0, most / max(int(n), 1)) for most, n in ((most_quiet, (~happened).sum()), (most_events, happened.sum()))
    ]
    share = np.array(shares)[happened.astype(int)]
    if min(shares) < 1.0:
        drawn = _uniform(view.ledger.hashes[pool.deal[landmark]], target * 64 + step)
        kept = np.flatnonzero(drawn < share)
        landmark, step, happened, won, share = landmark[kept], step[kept], happened[kept], won[kept], share[kept]
        used, landmark = np.unique(landmark, return_inverse=True)
        pool = pool.take(used)
    return Rows(pool, landmark, step, won, happened & ~won, 1.0 / share)


def _uniform(key: np.ndarray, salt: np.ndarray) -> np.ndarray:
    """Return a number in [0, 1) for each key and salt (the finaliser of SplitMix64: Steele, Lea & Flood 2014)."""
    with np.errstate(over="ignore"):
        x = key + salt.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)).astype(np.float64) * 2.0**-53
