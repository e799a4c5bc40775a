"""Deals as they stood on past days, and what became of them: what the models learn from.

Simple case: on a past day look at every open deal as it then stood (`open_states`); later, once a month has settled,
ask which of these deals were won or lost in it (`month_rows`). A deal looked at so is a landmark (van Houwelingen &
Putter, *Dynamic Prediction in Clinical Survival Analysis*, 2012). The complications:

- the past days stand at the same position in their month as the last one, so that a forecast in the middle of a month
  learns from middles of months;
- steps count the months ahead: step 0 is the first month that is not over (the next one at a month's end, the rest of
  the month in progress otherwise);
- a column is a covariate where it is fixed at creation (the optional columns of `opportunities`, those the company
  lists) or where history carries it; without history stage, amount and dates are unknown on every day, the last too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from forecast.data.known.coding import NO_DAY, NONE, WON, Column
from forecast.data.known.ledger import KnownState
from forecast.data.known.planned import NEVER
from forecast.data.known.segment_breaks import given_up_with_their_segment

STEPS = 6
"""Months ahead that are modelled one by one; later ones repeat the last."""

UNDATED = -999
"""`due` of a deal without an expected close date."""

NO_EVENT = 10_000
"""`event` of a deal that has not closed."""

MONTH = 30.4375


def steps_of(view: KnownState) -> int:
    """Return how many steps are modelled: six months, and the rest of the month in progress where there is one."""
    return STEPS + (not view.at_month_end)


@dataclass(frozen=True, kw_only=True)
class States:
    """Deals, each as it stood on one day; every array has shape (n,).

    `deal` is the opportunity's place in the ledger; `stage` and `segment` are codes into the ledger's (NONE = unknown);
    `amount` is in the reporting currency (nan = unknown); `age` and `stage_age` are in months (nan without history);
    `due` is the month of the expected close less the month of step 0; `overdue` says that the expected close has
    passed; `planned_from` is the period from which its segment plans jointly, as known on the day (NEVER = not known);
    `events` (n, kinds) says in which months from step 0 on an event of a kind concerns the deal, as known on the day
    (`Events.months_of`); `target` is the period of step 0, and `quarter_position` its place in the fiscal quarter
    (0, 1, 2).
    """

    deal: np.ndarray
    target: np.ndarray
    quarter_position: np.ndarray
    segment: np.ndarray
    stage: np.ndarray
    amount: np.ndarray
    age: np.ndarray
    stage_age: np.ndarray
    due: np.ndarray
    overdue: np.ndarray
    slips: np.ndarray
    planned_from: np.ndarray
    events: np.ndarray
    factors: Mapping[str, np.ndarray]
    numbers: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.deal)

    def take(self, rows: np.ndarray) -> States:
        """Return the states of some rows (indices or a mask)."""
        arrays = {name: getattr(self, name)[rows] for name in _ARRAYS}
        factors = {name: codes[rows] for name, codes in self.factors.items()}
        return States(**arrays, factors=factors, numbers={name: x[rows] for name, x in self.numbers.items()})


_ARRAYS = (
    "deal",
    "target",
    "quarter_position",
    "segment",
    "stage",
    "amount",
    "age",
    "stage_age",
    "due",
    "overdue",
    "slips",
    "planned_from",
    "events",
)


def joined(parts: list[States]) -> States:
    """Return states one after the other; `parts` is not empty."""
    if len(parts) == 1:
        return parts[0]
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS}
    factors = {name: np.concatenate([part.factors[name] for part in parts]) for name in parts[0].factors}
    numbers = {name: np.concatenate([part.numbers[name] for part in parts]) for name in parts[0].numbers}
    return States(**arrays, factors=factors, numbers=numbers)


# -- the open deals of a day ---------------------------------------------------------------------------


def open_states(view: KnownState, names: Iterable[str] | None = None) -> States:
    """Return the open deals of a day as they stand, in the ledger's order.

    Simple case: a deal's last row of history says where it stands. Two complications: of a deal without a row only
    what is fixed at creation is known, also on the last day, when `opportunities` holds today's values: a model that
    has seen no past day with them would take them for something else; and a deal without a creation date is as old as
    its first row.

    names : the covariates wanted; by default all.
    """
    ledger, deals = view.ledger, view.open_deals
    n = len(deals)
    row = view.last_row[deals]
    has_row = row >= 0
    stage, expected = np.full(n, NONE, dtype=np.int16), np.full(n, NO_DAY, dtype=np.int32)
    stage_age, slips = np.full(n, np.nan), np.zeros(n, dtype=np.int32)
    if len(ledger.deal):
        last = row[has_row]
        stage[has_row], expected[has_row] = ledger.stage[last], ledger.expected[last]
        stage_age[has_row] = np.maximum(view.day - ledger.since(last), 0) / MONTH
        slips[has_row] = ledger.slips[last]
    amount = view.amount[deals]
    if "amount" not in view.company.fixed_at_creation:
        amount = np.where(has_row, amount, np.nan)

    due = np.full(n, UNDATED, dtype=np.int32)
    dated = expected != NO_DAY
    due[dated] = ledger.close_dates.of(expected[dated]) - view.first_target
    used = ledger.columns if names is None else {name: ledger.columns[name] for name in names}
    values = {name: _values(column, deals, row) for name, column in used.items()}
    return States(
        deal=deals.astype(np.int32),
        target=np.broadcast_to(np.int32(view.first_target), n),
        quarter_position=np.broadcast_to(np.int32(view.quarter_position), n),
        segment=view.segment[deals],
        stage=stage,
        amount=amount,
        age=_ages(view, deals, has_row),
        stage_age=stage_age,
        due=due,
        overdue=dated & (expected <= view.day),
        slips=slips,
        planned_from=np.append(view.planned_from, NEVER).astype(np.int32)[view.segment[deals]],
        events=_events(view, deals, row),
        factors={name: x for name, x in values.items() if used[name].levels is not None},
        numbers={name: used[name].as_numbers(x) for name, x in values.items() if _may_be_number(used[name])},
    )


def _events(view: KnownState, deals: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Return in which months the events known by the day concern some deals, as `States.events`; row : their last."""
    product = view.ledger.columns.get("product")
    if product is None or product.levels is None or not len(view.events.kinds):
        of_deal = np.full(len(deals), NONE)
    else:
        of_deal = _values(product, deals, row)
    return view.events.months_of(segment=view.segment[deals], product=of_deal, target=view.first_target)


def _ages(view: KnownState, deals: np.ndarray, has_row: np.ndarray) -> np.ndarray:
    """Return the months since creation, else since the first row of history; nan where neither is known, or where a
    deal began anew in another CRM."""
    ledger = view.ledger
    created = ledger.created_on[deals]
    if len(ledger.deal):
        first_day = ledger.day[ledger.first_row[deals]]
        created = np.where((created == NO_DAY) & has_row & ~ledger.begun_anew[deals], first_day, created)
    return np.where(created == NO_DAY, np.nan, np.maximum(view.day - created.astype(np.int64), 0) / MONTH)


def _values(column: Column, deals: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Return a covariate of some deals: of their last row where history carries it (-1: none, unknown), or as fixed."""
    if column.recorded is None:
        return column.fixed[deals]
    has_row = row >= 0
    unknown = NONE if column.levels is not None else np.nan
    if not len(column.recorded):
        return np.full(len(deals), unknown, dtype=column.fixed.dtype)
    return np.where(has_row, column.recorded[np.where(has_row, row, 0)].astype(column.fixed.dtype), unknown)


def _may_be_number(column: Column) -> bool:
    return column.parsed is None or bool(np.isfinite(column.parsed).any())


# -- what became of them: a row a deal and origin ------------------------------------------------------


def closing_step(view: KnownState, states: States) -> np.ndarray:
    """Return the step in which each deal closed, as known by the view's day; NO_EVENT where it has not, (n,).

    A closure dated before the origin at which the deal still looked open (it was recorded late) counts in step 0.
    """
    closed = view.closed_in[states.deal]
    return np.where(closed > 0, np.maximum(closed - states.target, 0), NO_EVENT)


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


def seen_landmarks(view: KnownState, past: Mapping[int, States], *, months: int = 36) -> Landmarks:
    """Return the deals that were open at the last `months` past origins, with what became of them by the view's day.

    past : by step 0's period, the states at each past origin. They begin where closures are recorded.
    """
    steps, ahead = steps_of(view), int(view.at_month_end)
    begin = max(view.period - months, view.closures_recorded_from - ahead)
    chosen = [target for target in sorted(past) if begin <= target - ahead < view.period]
    chosen = [target for target in chosen if target - ahead not in view.ledger.unsound]
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


# -- what became of them: a row a deal, origin and step ------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class AtRisk:
    """The deals of one past origin that were still open when a month began, and what became of them in it.

    `step` counts the months from the origin to that month. `deal` (k,), one a deal at risk, indexes `states`, all that
    were open at the origin; `won` and `lost` (k,) are bool. `offset` (k, 2) is what the forecast made at the origin had
    in its logits beyond the model's columns; None where nothing.
    """

    step: int
    states: States
    deal: np.ndarray
    won: np.ndarray
    lost: np.ndarray
    offset: np.ndarray | None = None


def at_risk(view: KnownState, past: Mapping[int, States], month: int, *, steps: int | None = None) -> list[AtRisk]:
    """Return what became of deals in a target month, one record a past origin with open deals; the nearest comes first.

    Simple case: a deal that was still open when the month began was won in it, lost in it, or neither, as known at the
    view's day. It counts once for each past origin from which the month lay within the steps, and at which the open
    deals can be told as they were; not where it was given up because its segment closed.

    past : by step 0's period, the states at each past origin. steps : how many of the nearest are looked at.
    """
    found, given_up = [], given_up_with_their_segment(view)
    for step in range(steps_of(view) if steps is None else steps):
        states = past.get(month - step)
        if states is None or not len(states) or month - step - int(view.at_month_end) in view.ledger.unsound:
            continue
        event = closing_step(view, states)
        deal = np.flatnonzero(event >= step)
        closed = event[deal] == step
        if given_up.any():
            told = ~(closed & given_up[states.deal[deal]])
            deal, closed = deal[told], closed[told]
        won = closed & (view.outcome[states.deal[deal]] == WON)
        found.append(AtRisk(step=step, states=states, deal=deal, won=won, lost=closed & ~won))
    return found


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows (deal, landmark, step) that share a target month: what a fit needs of them.

    `landmark` (k,) indexes `states`, one a row at least; step, won, lost (k,); weight (k,) is how many rows of its kind
    a row stands for; offset (k, 2), float32, is what stands in the logits of won and lost beyond the columns.
    """

    states: States
    landmark: np.ndarray
    step: np.ndarray
    won: np.ndarray
    lost: np.ndarray
    weight: np.ndarray
    offset: np.ndarray

    def __len__(self) -> int:
        return len(self.landmark)


def month_rows(parts: list[AtRisk], month: int, *, hashes: np.ndarray, most_events: int, most_quiet: int) -> Rows:
    """Return the rows of a target month; `parts`, what became of the deals at risk in it, is not empty.

    Simple case: a row a deal at risk and origin. The complication: where these are many, about `most_events` of those
    with an event and `most_quiet` of the others are drawn, and weighted to stand for all. The draw is by a hash of
    deal, month and step, so that it is the same from whichever day it is looked at.

    hashes : of each deal of the ledger.
    """
    events = sum(int((part.won | part.lost).sum()) for part in parts)
    quiet = sum(len(part.deal) for part in parts) - events
    event_share, quiet_share = min(1.0, most_events / max(events, 1)), min(1.0, most_quiet / max(quiet, 1))
    if min(quiet_share, event_share) == 1.0:
        return stacked([_rows_of(part) for part in parts])
    # Origin by origin: of all at once, the states of millions of deals would be copied for the few that are drawn.
    shares = {"event_share": event_share, "quiet_share": quiet_share}
    return stacked([_thinned(_rows_of(part), hashes, month, **shares) for part in parts])


def _rows_of(part: AtRisk) -> Rows:
    """Return a row for each deal at risk, as seen from one origin."""
    return Rows(
        states=part.states,
        landmark=part.deal,
        step=np.full(len(part.deal), part.step, dtype=np.int64),
        won=part.won,
        lost=part.lost,
        weight=np.ones(len(part.deal)),
        offset=np.zeros((len(part.deal), 2), dtype=np.float32) if part.offset is None else part.offset,
    )


def _thinned(rows: Rows, hashes: np.ndarray, target: int, *, event_share: float, quiet_share: float) -> Rows:
    """Return a share of the rows with an event and one of the others, drawn, and weighted by its inverse."""
    share = np.where(rows.won | rows.lost, event_share, quiet_share)
    draw = np.flatnonzero(_uniform(hashes[rows.states.deal[rows.landmark]], target * 64 + rows.step) < share)
    used, landmark = np.unique(rows.landmark[draw], return_inverse=True)
    return Rows(
        states=rows.states.take(used),
        landmark=landmark,
        step=rows.step[draw],
        won=rows.won[draw],
        lost=rows.lost[draw],
        weight=1.0 / share[draw],
        offset=rows.offset[draw],
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
        offset=np.concatenate([part.offset for part in parts]),
    )


def _uniform(key: np.ndarray, salt: np.ndarray) -> np.ndarray:
    """Return a number in [0, 1) for each key and salt (the finaliser of SplitMix64: Steele, Lea & Flood 2014)."""
    with np.errstate(over="ignore"):
        x = key + salt.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)).astype(np.float64) * 2.0**-53
