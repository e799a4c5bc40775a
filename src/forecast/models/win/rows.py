"""A ledger as landmark rows: what each deal looked like at past origins, and what became of it.

A landmark is a deal that was open on a past day (van Houwelingen & Putter, *Dynamic Prediction in Clinical Survival
Analysis*, 2012). The past days stand at the same position in their month as the last one, so that a forecast
in the middle of a month learns from middles of months. Steps count the months ahead: step 0 is the first month that
is not over (the next one at a month's end, the rest of the month in progress otherwise).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from forecast.data.known.coding import WON
from forecast.data.known.ledger import KnownState
from forecast.models.win.states import States, joined, open_states

STEPS = 6
"""Months ahead that are modelled one by one; later ones repeat the last."""

NO_EVENT = 10_000
"""`event` of a deal that has not closed."""


def steps_of(view: KnownState) -> int:
    """Return how many steps are modelled: six months, and the rest of the month in progress where there is one."""
    return STEPS + (not view.at_month_end)


def closing_step(view: KnownState, states: States) -> np.ndarray:
    """Return the step in which each deal closed, as known at the view's day; NO_EVENT where it has not, (n,).

    A closure dated before the origin at which the deal still looked open (it was recorded late) counts in step 0.
    """
    closed = view.closed_in[states.deal]
    return np.where(closed > 0, np.maximum(closed - states.target, 0), NO_EVENT)


# -- a row a deal and origin ---------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
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

    past : by step 0's period, the states at each past origin. They begin where closures are recorded.
    """
    steps, ahead = steps_of(view), int(view.at_month_end)
    begin = max(view.period - months, view.closures_recorded_from - ahead)
    chosen = [target for target in sorted(past) if begin <= target - ahead < view.period]
    none = open_states(view, ()).take(np.zeros(0, dtype=int))
    states = joined([past[target] for target in chosen]) if chosen else none
    sizes = [len(past[target]) for target in chosen]
    return Landmarks(
        states=states,
        origin=np.repeat(np.arange(len(chosen)), sizes),
        event=closing_step(view, states),
        won=view.outcome[states.deal] == WON,
        observed=np.clip(view.last_complete - states.target + 1, 0, steps),
        origins=np.array(chosen, dtype=np.int64) - ahead,
        steps=steps,
    )


# -- a row a deal, origin and step ---------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
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

    Simple case: a deal that was still open when the month began, once for each past origin from which the month lay
    within the steps; it was won in the month, lost in it, or neither. The complication: where these are many, about
    `most_events` of those with an event and `most_quiet` of the others are drawn, and weighted to stand for all. The
    draw is by a hash of deal, month and step, so that it is the same from whichever day it is looked at.

    past : by step 0's period, the states at each past origin. None where there is no landmark.
    """
    landmark, step, happened, won, parts = [], [], [], [], []
    offset = 0
    for ahead in range(steps_of(view)):
        states = past.get(target - ahead)
        if states is None or not len(states):
            continue
        event = closing_step(view, states)
        at_risk = np.flatnonzero(event >= ahead)
        in_month = event[at_risk] == ahead
        landmark.append(at_risk + offset)
        step.append(np.full(len(at_risk), ahead, dtype=np.int64))
        happened.append(in_month)
        won.append(in_month & (view.outcome[states.deal[at_risk]] == WON))
        parts.append(states)
        offset += len(states)
    if not parts:
        return None
    events, wins = np.concatenate(happened), np.concatenate(won)
    rows = Rows(
        states=joined(parts) if len(parts) > 1 else parts[0],
        landmark=np.concatenate(landmark),
        step=np.concatenate(step),
        won=wins,
        lost=events & ~wins,
        weight=np.ones(len(events)),
    )
    return _thinned(rows, view.ledger.hashes, target, most_events=most_events, most_quiet=most_quiet)


def _thinned(rows: Rows, hashes: np.ndarray, target: int, *, most_events: int, most_quiet: int) -> Rows:
    """Return about so many of the rows with an event and of the others, weighted by the inverse of their share."""
    event = rows.won | rows.lost
    quiet_share = min(1.0, most_quiet / max(int((~event).sum()), 1))
    event_share = min(1.0, most_events / max(int(event.sum()), 1))
    if min(quiet_share, event_share) == 1.0:
        return rows
    share = np.where(event, event_share, quiet_share)
    draw = np.flatnonzero(_uniform(hashes[rows.states.deal[rows.landmark]], target * 64 + rows.step) < share)
    used, landmark = np.unique(rows.landmark[draw], return_inverse=True)
    return Rows(
        states=rows.states.take(used),
        landmark=landmark,
        step=rows.step[draw],
        won=rows.won[draw],
        lost=rows.lost[draw],
        weight=1.0 / share[draw],
    )


def stacked(parts: list[Rows]) -> Rows:
    """Return the rows of several months one after the other; `parts` is not empty."""
    if len(parts) == 1:
        return parts[0]
    offsets = np.cumsum([0, *(len(part.states) for part in parts)])[:-1]
    return Rows(
        states=joined([part.states for part in parts]),
        landmark=np.concatenate([part.landmark + offset for part, offset in zip(parts, offsets, strict=True)]),
        step=np.concatenate([part.step for part in parts]),
        won=np.concatenate([part.won for part in parts]),
        lost=np.concatenate([part.lost for part in parts]),
        weight=np.concatenate([part.weight for part in parts]),
    )


def _uniform(key: np.ndarray, salt: np.ndarray) -> np.ndarray:
    """Return a number in [0, 1) for each key and salt (the finaliser of SplitMix64: Steele, Lea & Flood 2014)."""
    with np.errstate(over="ignore"):
        x = key + salt.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)).astype(np.float64) * 2.0**-53
