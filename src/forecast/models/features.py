"""A snapshot as landmark rows: what each deal looked like at past origins, and what became of it.

A landmark is a deal that was open on a past day (van Houwelingen & Putter, *Dynamic Prediction in Clinical Survival
Analysis*, 2012). The past days stand at the same position in their month as `as_of` in its own, so that a forecast
in the middle of a month learns from middles of months. Steps count the months ahead: step 0 is the first month that
is not over (the next one at a month's end, the rest of the month in progress otherwise).
Only what the snapshot holds is read; a deal still open at `as_of` is censored there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from forecast.data.snapshots import Snapshot

NONE = -1
"""Code of an unknown level."""

UNDATED = -999
"""`due` of a deal without an expected close date."""

STEPS = 6
"""Months ahead that are modelled one by one; later ones repeat the last."""

NO_EVENT = 10_000
MONTH = 30.4375

_CORE = ("opportunity_id", "recorded_at", "recorded_on", "stage", "outcome", "amount", "expected_close_on", "segment")
_FIXED = ("type", "lead_source", "product", "owner", "lead_score", "units")
_MOST_LEVELS = 40


@dataclass(frozen=True)
class States:
    """Deals, each as it stood on one day; every array has shape (n,).

    `deal` is the row in `snapshot.opportunities`; `stage` and `segment` are codes into `stages` and `segments`
    (NONE = unknown); `amount` is in the reporting currency (nan = unknown); `age` and `stage_age` are in months (nan
    without history); `due` is the month of the expected close less the month of step 0; `overdue` says that the
    expected close has passed; `target` is the period of step 0.
    """

    deal: np.ndarray
    target: np.ndarray
    segment: np.ndarray
    stage: np.ndarray
    amount: np.ndarray
    age: np.ndarray
    stage_age: np.ndarray
    due: np.ndarray
    overdue: np.ndarray
    slips: np.ndarray
    factors: Mapping[str, np.ndarray]
    numbers: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.deal)

    def take(self, rows: np.ndarray) -> States:
        """Return the states of some rows (indices or a mask)."""
        arrays = {name: getattr(self, name)[rows] for name in _STATE_ARRAYS}
        factors = {name: codes[rows] for name, codes in self.factors.items()}
        return States(**arrays, factors=factors, numbers={name: x[rows] for name, x in self.numbers.items()})


_STATE_ARRAYS = ("deal", "target", "segment", "stage", "amount", "age", "stage_age", "due", "overdue", "slips")


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


@dataclass(frozen=True)
class Vocabulary:
    """The levels behind the codes of one snapshot: stages in order, segments, text columns, number columns."""

    stages: tuple[str, ...]
    segments: tuple[str, ...]
    factors: Mapping[str, tuple[str, ...]]
    numbers: tuple[str, ...] = ()
    carried: frozenset[str] = field(default=frozenset())


def vocabulary(snap: Snapshot) -> Vocabulary:
    """Return the levels of a snapshot's columns, each sorted, stages by position.

    Columns are those fixed at creation and those history carries. A text column of more than 40 levels keeps its 40
    most frequent ones (owner keeps all). A column of one value, or of one number a stage (the CRM's probability, as a
    rule), says nothing more and is left out.
    """
    deals, history = snap.opportunities, snap.history
    stages: tuple[str, ...] = ()
    if snap.has_history:
        table = snap.stages.sort_values(["position", "stage"])
        stages = tuple(table.loc[table["outcome"] == "open", "stage"])
    carried = [] if history is None else [name for name in history.columns if name not in _CORE]
    fixed = [name for name in (*_FIXED, *snap.company.fixed_at_creation) if name in deals.columns and name not in _CORE]
    factors: dict[str, tuple[str, ...]] = {}
    numbers: list[str] = []
    for name in dict.fromkeys([*fixed, *carried]):
        column = history[name] if history is not None and name in carried else deals[name]
        if pd.api.types.is_numeric_dtype(column):
            if column.nunique() > 1 and not (name in carried and _says_stage(history, name)):
                numbers.append(name)
        elif not pd.api.types.is_datetime64_any_dtype(column):
            counts = column.dropna().astype(str).value_counts()
            counts = counts.iloc[np.lexsort([counts.index.to_numpy(dtype=object), -counts.to_numpy()])]
            kept = counts.index if name == "owner" else counts.index[:_MOST_LEVELS]
            if len(kept) > 1:
                factors[name] = tuple(sorted(kept))
    return Vocabulary(stages, tuple(snap.segments), factors, tuple(numbers), frozenset(carried))


def _says_stage(history: pd.DataFrame | None, name: str) -> bool:
    """Say whether a number carried by history follows from the stage."""
    assert history is not None
    values = history[name].dropna()
    pairs = pd.DataFrame({"stage": history.loc[values.index, "stage"], name: values}).drop_duplicates()
    return not pairs["stage"].duplicated().any()


def present(snap: Snapshot, words: Vocabulary) -> States:
    """Return the open deals of a snapshot as they stand at `as_of`, in the order of `snap.opportunities`."""
    deals = snap.opportunities
    rows = np.flatnonzero((deals["outcome"] == "open").to_numpy())
    n, target = len(rows), snap.period + bool(snap.at_month_end)
    here = deals.iloc[rows]
    today = _days([snap.as_of])[0]
    known = snap.has_history
    empty = np.full(n, np.nan)
    expected = _days(here["expected_close_on"]) if known else np.full(n, _NAT)
    return States(
        deal=rows,
        target=np.full(n, target),
        segment=_codes(here["segment"], words.segments),
        stage=_codes(here["stage"], words.stages) if known else np.full(n, NONE),
        amount=here["amount"].to_numpy(float),
        age=_months(today - _days(here["created_on"])),
        stage_age=_months(today - _days(here["stage_since"])) if known else empty,
        due=_due(snap, expected, np.full(n, target)),
        overdue=(expected <= today) & (expected != _NAT),
        slips=np.nan_to_num(here["slips"].to_numpy(float)).astype(np.int64) if known else np.zeros(n, dtype=np.int64),
        factors={name: _codes(here[name], levels) for name, levels in words.factors.items()},
        numbers={name: here[name].to_numpy(float) for name in words.numbers},
    )


def origin_days(snap: Snapshot, *, months: int = 36) -> tuple[np.ndarray, np.ndarray]:
    """Return the past origins at the position of `as_of` in its month: periods and days (since 1970), ascending."""
    calendar = snap.calendar
    first = calendar.period_of(snap.opportunities["created_on"])
    first = first[first > 0]
    earliest = int(first.min()) if len(first) else snap.period
    periods = np.arange(max(snap.period - months, earliest), snap.period)
    starts = _days([calendar.start(int(period)) for period in [*periods, snap.period, snap.period + 1]])
    lengths = np.diff(starts)
    if snap.at_month_end:
        return periods, starts[1:-1] - 1
    done = (_days([snap.as_of])[0] - starts[-2] + 1) / lengths[-1]
    elapsed = np.clip(np.rint(done * lengths[:-1]), 1, lengths[:-1] - 1).astype(np.int64)
    return periods, starts[:-2] + elapsed - 1


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
    created = _days(deals["created_on"])
    closed = np.where(deals["outcome"].to_numpy() == "open", np.iinfo(np.int64).max, _days(deals["closed_on"]))
    created = np.where(created == _NAT, np.iinfo(np.int64).max, created)
    deal, origin = _pairs(np.searchsorted(days, created), np.searchsorted(days, closed))
    n = len(deal)
    unknown = np.full(n, np.nan)
    states = States(
        deal=deal,
        target=target[origin],
        segment=_codes(deals["segment"], words.segments)[deal],
        stage=np.full(n, NONE),
        amount=deals["amount"].to_numpy(float)[deal] if "amount" in snap.company.fixed_at_creation else unknown,
        age=_months(days[origin] - created[deal]),
        stage_age=unknown,
        due=np.full(n, UNDATED),
        overdue=np.zeros(n, dtype=bool),
        slips=np.zeros(n, dtype=np.int64),
        factors={name: _codes(deals[name], levels)[deal] for name, levels in words.factors.items()},
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
    final = np.where(silent, _days(deals["closed_on"]), final)
    deal, origin = _pairs(np.searchsorted(days, first_seen), np.searchsorted(days, final))
    span = int(max(row_days.max(initial=0), last_day)) + 1
    row = np.searchsorted(owner_of_row * span + row_days, deal * span + days[origin], side="right") - 1
    is_open = ~shut[row]
    deal, origin, row = deal[is_open], origin[is_open], row[is_open]
    since, slips = _runs(history, owner_of_row, row_days)
    expected = _days(history["expected_close_on"])[row]
    created = _days(deals["created_on"])
    created = np.where(created == _NAT, first_seen, created)
    segments = history if "segment" in history.columns else None
    codes = {}
    for name, levels in words.factors.items():
        codes[name] = _codes(history[name], levels)[row] if name in words.carried else _codes(deals[name], levels)[deal]
    numbers = {}
    for name in words.numbers:
        carried = name in words.carried
        numbers[name] = history[name].to_numpy(float)[row] if carried else deals[name].to_numpy(float)[deal]
    states = States(
        deal=deal,
        target=target[origin],
        segment=(
            _codes(deals["segment"], words.segments)[deal]
            if segments is None
            else _codes(segments["segment"], words.segments)[row]
        ),
        stage=_codes(history["stage"], words.stages)[row],
        amount=history["amount"].to_numpy(float)[row],
        age=_months(days[origin] - created[deal]),
        stage_age=_months(days[origin] - since[row]),
        due=_due(snap, expected, target[origin]),
        overdue=(expected <= days[origin]) & (expected != _NAT),
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
    day = _days(history["recorded_on"])
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
    expected = _days(history["expected_close_on"])
    # A date that was empty in between is compared with the last one known.
    known = np.maximum.accumulate(np.where(new | (expected != _NAT), np.arange(n), 0)) if n else np.arange(0)
    filled = expected[known]
    later = np.zeros(n, dtype=np.int64)
    later[1:] = (filled[1:] > filled[:-1]) & ~new[1:] & (filled[:-1] != _NAT)
    total = np.cumsum(later)
    first = np.maximum.accumulate(np.where(new, np.arange(n), 0)) if n else np.arange(0)
    return since, total - total[first]


def _pairs(start: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (row, origin) for every origin in [start, stop) of each row, in the order of the rows."""
    counts = np.maximum(stop - start, 0)
    row = np.repeat(np.arange(len(start)), counts)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts - start, counts)


# -- dates and codes -----------------------------------------------------------------------------------

_NAT = np.iinfo(np.int64).min


def _days(dates: object) -> np.ndarray:
    """Return dates as days since 1970, int64, `_NAT` where missing; shape (n,)."""
    index = dates if isinstance(dates, pd.Series) else pd.Series(pd.DatetimeIndex(dates))  # type: ignore[arg-type]
    return index.to_numpy(dtype="datetime64[D]").astype(np.int64)


def _months(days: np.ndarray) -> np.ndarray:
    """Return a number of days as months, at least 0; nan where it came from a missing date."""
    return np.where(np.abs(days) > 10**9, np.nan, np.maximum(days, 0) / MONTH)


def _due(snap: Snapshot, expected: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return how many months after step 0 the expected close falls (negative = before), UNDATED where missing."""
    if not len(expected):
        return np.zeros(0, dtype=np.int64)
    dated = expected != _NAT
    days, inverse = np.unique(np.where(dated, expected, 0), return_inverse=True)
    periods = snap.calendar.period_of(pd.DatetimeIndex(days.astype("datetime64[D]").astype("datetime64[s]")))
    return np.where(dated, periods[inverse] - target, UNDATED)


def _codes(column: pd.Series, levels: tuple[str, ...]) -> np.ndarray:
    """Return the position of each text in `levels` (NONE where it is not there), int64."""
    codes, found = pd.factorize(column)
    lookup = pd.Index(list(levels), dtype=object).get_indexer(pd.Index(found.astype(str), dtype=object))
    return np.append(lookup, NONE)[codes]
