"""A snapshot as landmark rows: what each deal looked like at past origins, and what became of it.

A landmark is a deal that was open on a past day (van Houwelingen & Putter, *Dynamic Prediction in Clinical Survival
Analysis*, 2012). The past days stand at the same position in their month as `as_of` in its own, so that a forecast
in the middle of a month learns from middles of months. Steps count the months ahead: step 0 is the first month that
is not over (the next one at a month's end, the rest of the month in progress otherwise).
Only what the snapshot holds is read; a deal still open at `as_of` is censored there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast.models.features_states import (
    NAT,
    NONE,
    UNDATED,
    States,
    Vocabulary,
    codes_of,
    days_of,
    due_in,
    months_of,
    present,
    vocabulary,
)

if TYPE_CHECKING:
    from forecast.data.snapshots import Snapshot

__all__ = [
    "NONE",
    "NO_EVENT",
    "STEPS",
    "UNDATED",
    "Landmarks",
    "States",
    "Vocabulary",
    "first_recorded",
    "landmarks",
    "origin_days",
    "present",
    "vocabulary",
]

STEPS = 6
"""Months ahead that are modelled one by one; later ones repeat the last."""

NO_EVENT = 10_000
_CLOSURES_EXPECTED = 10.0


@dataclass(frozen=True)
class Landmarks:
    """States at past origins and what became of them; arrays have shape (n,).

    `event` is the step in which the deal closed (NO_EVENT where it has not), `won` whether it closed as won,
    `observed` how many steps had ended by `as_of` (a later closure is not looked at). `origins` are the periods of
    the past origins, ascending; `origin` indexes them.
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

    def rows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return one row a landmark and step at risk: landmark, step, won, lost; shapes (rows,)."""
        last = np.minimum(np.minimum(self.event + 1, self.observed), self.steps)
        landmark = np.repeat(np.arange(len(last)), last)
        step = np.arange(len(landmark)) - np.repeat(np.cumsum(last) - last, last)
        closed = self.event[landmark] == step
        return landmark, step, closed & self.won[landmark], closed & ~self.won[landmark]


def origin_days(snap: Snapshot, *, months: int = 36) -> tuple[np.ndarray, np.ndarray]:
    """Return the past origins at the position of `as_of` in its month: periods and days (since 1970), ascending.

    They begin where closures are recorded (`first_recorded`).
    """
    calendar = snap.calendar
    born = calendar.period_of(snap.opportunities["created_on"])
    earliest = int(born[born > 0].min()) if (born > 0).any() else snap.period
    earliest = max(earliest, first_recorded(snap) - bool(snap.at_month_end))
    periods = np.arange(max(snap.period - months, earliest), snap.period)
    starts = days_of([calendar.start(int(period)) for period in [*periods, snap.period, snap.period + 1]])
    lengths = np.diff(starts)
    if snap.at_month_end:
        return periods, starts[1:-1] - 1
    done = (days_of([snap.as_of])[0] - starts[-2] + 1) / lengths[-1]
    elapsed = np.clip(np.rint(done * lengths[:-1]), 1, lengths[:-1] - 1).astype(np.int64)
    return periods, starts[:-2] + elapsed - 1


def first_recorded(snap: Snapshot) -> int:
    """Return the first month whose closures are recorded, 0 where there is no doubt about any.

    A log may hold deals from before the first closure it kept. Months in which ten closures or more would be expected
    at the rate seen later, and none is there, are taken as not recorded.
    """
    deals, calendar = snap.opportunities, snap.calendar
    born, closed = calendar.period_of(deals["created_on"]), calendar.period_of(deals["closed_on"])
    shut = (deals["outcome"] != "open").to_numpy() & (closed > 0)
    if not shut.any():
        return 0
    start = int(closed[shut].min())
    known = born > 0
    lived = np.where(shut, closed, snap.period)[known] - born[known]
    rate = shut.sum() / max(np.maximum(lived, 0).sum() + 0.5 * known.sum(), 1.0)
    silent = np.maximum(start - born[known], 0).sum()
    return start if rate * silent >= _CLOSURES_EXPECTED else 0


def landmarks(snap: Snapshot, words: Vocabulary, *, months: int = 36) -> Landmarks:
    """Return the deals that were open at the last `months` past origins, with what became of them.

    A closure dated before the origin it was still open at (it was recorded late) counts in step 0.
    """
    deals = snap.opportunities
    periods, days = origin_days(snap, months=months)
    steps = STEPS + (not snap.at_month_end)
    ahead = int(bool(snap.at_month_end))
    if snap.has_history and snap.history is not None and len(snap.history):
        states, origin = _past_states(snap, words, periods + ahead, days)
    else:
        states, origin = _past_ages(snap, words, periods + ahead, days)
    closed = deals["outcome"].to_numpy() != "open"
    when = np.where(closed, snap.calendar.period_of(deals["closed_on"]), -1)
    step = np.maximum(when[states.deal] - states.target, 0)
    step[when[states.deal] < 0] = NO_EVENT
    last = snap.period if snap.at_month_end else snap.period - 1
    observed = np.clip(last - states.target + 1, 0, steps)
    won = (deals["outcome"].to_numpy() == "won")[states.deal]
    return Landmarks(states, origin, step, won, observed, periods, steps)


# -- states of the past --------------------------------------------------------------------------------


def _past_ages(snap: Snapshot, words: Vocabulary, target: np.ndarray, days: np.ndarray) -> tuple[States, np.ndarray]:
    """Without history: open from creation to closure, and nothing else is known of the past."""
    deals = snap.opportunities
    created = days_of(deals["created_on"])
    closed = np.where(deals["outcome"].to_numpy() == "open", np.iinfo(np.int64).max, days_of(deals["closed_on"]))
    created = np.where(created == NAT, np.iinfo(np.int64).max, created)
    deal, origin = _pairs(np.searchsorted(days, created), np.searchsorted(days, closed))
    n = len(deal)
    unknown = np.full(n, np.nan)
    states = States(
        deal=deal,
        target=target[origin],
        segment=codes_of(deals["segment"], words.segments)[deal],
        stage=np.full(n, NONE),
        amount=deals["amount"].to_numpy(float)[deal] if "amount" in snap.company.fixed_at_creation else unknown,
        age=months_of(days[origin] - created[deal]),
        stage_age=unknown,
        due=np.full(n, UNDATED),
        overdue=np.zeros(n, dtype=bool),
        slips=np.zeros(n, dtype=np.int64),
        factors={name: codes_of(deals[name], levels)[deal] for name, levels in words.factors.items()},
        numbers={name: deals[name].to_numpy(float)[deal] for name in words.numbers},
    )
    return states, origin


def _past_states(snap: Snapshot, words: Vocabulary, target: np.ndarray, days: np.ndarray) -> tuple[States, np.ndarray]:
    """With history: the last row recorded by the end of each origin, of the deals that were then open."""
    deals, history = snap.opportunities, snap.history
    assert history is not None
    owner_of_row, row_days, order = _history_index(deals, history)
    history = history.iloc[order] if order is not None else history
    starts = np.searchsorted(owner_of_row, np.arange(len(deals)))
    ends = np.searchsorted(owner_of_row, np.arange(len(deals)), side="right")
    listed = ends > starts
    last_day = days[-1] if len(days) else 0
    first_seen = np.where(listed, row_days[np.minimum(starts, len(row_days) - 1)], last_day + 1)
    # A deal is looked at from its first row to its last closure; in between its state says whether it was open.
    shut = history["outcome"].to_numpy() != "open"
    final = np.where(listed & shut[ends - 1], row_days[ends - 1], np.iinfo(np.int64).max)
    # Where history never says that a closed deal was closed, its closing date does.
    silent = listed & ~shut[ends - 1] & (deals["outcome"] != "open").to_numpy()
    final = np.where(silent, days_of(deals["closed_on"]), final)
    deal, origin = _pairs(np.searchsorted(days, first_seen), np.searchsorted(days, final))
    span = int(max(row_days.max(initial=0), last_day)) + 1
    row = np.searchsorted(owner_of_row * span + row_days, deal * span + days[origin], side="right") - 1
    is_open = ~shut[row]
    deal, origin, row = deal[is_open], origin[is_open], row[is_open]
    since, slips = _runs(history, owner_of_row, row_days)
    expected = days_of(history["expected_close_on"])[row]
    created = days_of(deals["created_on"])
    created = np.where(created == NAT, first_seen, created)
    segments = history if "segment" in history.columns else None
    codes = {}
    for name, levels in words.factors.items():
        codes[name] = (
            codes_of(history[name], levels)[row] if name in words.carried else codes_of(deals[name], levels)[deal]
        )
    numbers = {}
    for name in words.numbers:
        carried = name in words.carried
        numbers[name] = history[name].to_numpy(float)[row] if carried else deals[name].to_numpy(float)[deal]
    states = States(
        deal=deal,
        target=target[origin],
        segment=(
            codes_of(deals["segment"], words.segments)[deal]
            if segments is None
            else codes_of(segments["segment"], words.segments)[row]
        ),
        stage=codes_of(history["stage"], words.stages)[row],
        amount=history["amount"].to_numpy(float)[row],
        age=months_of(days[origin] - created[deal]),
        stage_age=months_of(days[origin] - since[row]),
        due=due_in(snap, expected, target[origin]),
        overdue=(expected <= days[origin]) & (expected != NAT),
        slips=slips[row],
        factors=codes,
        numbers=numbers,
    )
    return states, origin


def _history_index(deals: pd.DataFrame, history: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return, for history sorted by deal and day: the deal of each row, its day, and the order if it had to be sorted.

    Both tables are sorted by opportunity_id, so only the places where the id changes are looked up.
    """
    ids = history["opportunity_id"]
    starts = np.flatnonzero((ids != ids.shift()).to_numpy())
    which = pd.Index(deals["opportunity_id"]).get_indexer(pd.Index(ids.iloc[starts]))
    owner = np.repeat(which, np.diff([*starts, len(ids)]))
    day = days_of(history["recorded_on"])
    if (owner >= 0).all() and (np.diff(owner) >= 0).all():
        return owner, day, None
    order = np.lexsort([history["recorded_at"].to_numpy(), owner])
    order = order[owner[order] >= 0]
    return owner[order], day[order], order


def _runs(history: pd.DataFrame, owner: np.ndarray, day: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each history row the day its stage was entered and how often the close date had been moved later."""
    n = len(owner)
    new = np.ones(n, dtype=bool)
    new[1:] = owner[1:] != owner[:-1]
    stage = pd.factorize(history["stage"])[0]
    entered = new.copy()
    entered[1:] |= stage[1:] != stage[:-1]
    since = day[np.maximum.accumulate(np.where(entered, np.arange(n), 0))] if n else day
    expected = days_of(history["expected_close_on"])
    # A date that was empty in between is compared with the last one known.
    known = np.maximum.accumulate(np.where(new | (expected != NAT), np.arange(n), 0)) if n else np.arange(0)
    filled = expected[known]
    later = np.zeros(n, dtype=np.int64)
    later[1:] = (filled[1:] > filled[:-1]) & ~new[1:] & (filled[:-1] != NAT)
    total = np.cumsum(later)
    first = np.maximum.accumulate(np.where(new, np.arange(n), 0)) if n else np.arange(0)
    return since, total - total[first]


def _pairs(start: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (row, origin) for every origin in [start, stop) of each row, in the order of the rows."""
    counts = np.maximum(stop - start, 0)
    row = np.repeat(np.arange(len(start)), counts)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts - start, counts)
