"""Deals as they stand on a day: their state as arrays, and the levels behind the codes.

A column is a covariate where it is fixed at creation (the optional columns of `opportunities`, those the company
lists) or where history carries it; without history stage, amount and dates of the past are unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from forecast.data.audit.leaks import outcome_leaks
from forecast.data.known.coding import NO_DAY, NONE, Column
from forecast.data.known.ledger import KnownState, Ledger
from forecast.data.schema import OUTCOMES

UNDATED = -999
"""`due` of a deal without an expected close date."""

MONTH = 30.4375
_MOST_LEVELS = 40
_LEAK_SAMPLE = 15_000
"""Deals on which columns that know the outcome are looked for."""


@dataclass(frozen=True, kw_only=True)
class States:
    """Deals, each as it stood on one day; every array has shape (n,).

    `deal` is the opportunity's place in the ledger; `stage` and `segment` are codes into the ledger's (NONE = unknown);
    `amount` is in the reporting currency (nan = unknown); `age` and `stage_age` are in months (nan without history);
    `due` is the month of the expected close less the month of step 0; `overdue` says that the expected close has
    passed; `target` is the period of step 0.
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
        arrays = {name: getattr(self, name)[rows] for name in _ARRAYS}
        factors = {name: codes[rows] for name, codes in self.factors.items()}
        return States(**arrays, factors=factors, numbers={name: x[rows] for name, x in self.numbers.items()})


_ARRAYS = ("deal", "target", "segment", "stage", "amount", "age", "stage_age", "due", "overdue", "slips")


def joined(parts: list[States]) -> States:
    """Return states one after the other; `parts` is not empty."""
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS}
    factors = {name: np.concatenate([part.factors[name] for part in parts]) for name in parts[0].factors}
    numbers = {name: np.concatenate([part.numbers[name] for part in parts]) for name in parts[0].numbers}
    return States(**arrays, factors=factors, numbers=numbers)


# -- the open deals of a day ---------------------------------------------------------------------------


def open_states(view: KnownState, names: Iterable[str] | None = None) -> States:
    """Return the open deals of a view as they stand, in the ledger's order.

    Simple case: a deal's last row of history says where it stands. Two complications: a deal without history shows
    what `opportunities` holds, on the last day only, since that is today's; and a deal without a creation date is as
    old as its first row.

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
        stage_age[has_row] = np.maximum(view.day - ledger.since[last], 0) / MONTH
        slips[has_row] = ledger.slips[last]
    if view.is_last and ledger.has_history:
        stage[~has_row] = ledger.final_stage[deals[~has_row]]
        expected[~has_row] = ledger.final_expected[deals[~has_row]]

    due = np.full(n, UNDATED, dtype=np.int32)
    dated = expected != NO_DAY
    due[dated] = ledger.close_dates.of(expected[dated]) - view.first_target
    used = ledger.columns if names is None else {name: ledger.columns[name] for name in names}
    values = {name: _values(column, deals, row, view) for name, column in used.items()}
    return States(
        deal=deals,
        target=np.full(n, view.first_target, dtype=np.int32),
        segment=view.segment[deals],
        stage=stage,
        amount=view.amount[deals],
        age=_ages(view, deals, has_row),
        stage_age=stage_age,
        due=due,
        overdue=dated & (expected <= view.day),
        slips=slips,
        factors={name: x for name, x in values.items() if used[name].levels is not None},
        numbers={name: _as_numbers(used[name], x) for name, x in values.items() if _may_be_number(used[name])},
    )


def _ages(view: KnownState, deals: np.ndarray, has_row: np.ndarray) -> np.ndarray:
    """Return the months since creation; nan where neither the creation nor a row of history is known."""
    ledger = view.ledger
    created = ledger.created_on[deals]
    if len(ledger.deal):
        first_day = ledger.day[ledger.first_row[deals]]
        created = np.where((created == NO_DAY) & has_row, first_day, created)
    return np.where(created == NO_DAY, np.nan, np.maximum(view.day - created.astype(np.int64), 0) / MONTH)


def _values(column: Column, deals: np.ndarray, row: np.ndarray, view: KnownState) -> np.ndarray:
    """Return a covariate of some deals: of their last row where history carries it (-1 = no row), else as fixed."""
    if column.recorded is None:
        return column.fixed[deals]
    has_row = row >= 0
    unknown = NONE if column.levels is not None else np.nan
    without_row = column.fixed[deals] if view.is_last else unknown
    if not len(column.recorded):
        return np.where(has_row, unknown, without_row)
    return np.where(has_row, column.recorded[np.where(has_row, row, 0)].astype(column.fixed.dtype), without_row)


# -- the columns in use --------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """The levels behind the codes, and the covariates in use: text columns, number columns.

    `amount` says whether the amount is one; `left_out` are columns that know the outcome, with the evidence.
    `places` maps the codes of a text column (and NONE, last) to its columns in the design, NONE where a level has none.
    """

    stages: tuple[str, ...]
    segments: tuple[str, ...]
    factors: Mapping[str, tuple[str, ...]]
    numbers: tuple[str, ...] = ()
    amount: bool = True
    left_out: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, np.ndarray] = field(default_factory=dict)

    def width(self, name: str) -> int:
        """Return how many levels of a text column have a column of their own."""
        return int(self.places[name].max(initial=NONE)) + 1

    def without(self, names: frozenset[str]) -> Vocabulary:
        """Return the vocabulary less some covariates."""
        factors = {name: levels for name, levels in self.factors.items() if name not in names}
        numbers = tuple(name for name in self.numbers if name not in names)
        places = {name: self.places[name] for name in ("segment", *factors)}
        return replace(self, factors=factors, numbers=numbers, places=places)


def vocabulary(view: KnownState) -> Vocabulary:
    """Return the levels of the columns known by a day.

    A text column of more than 40 levels keeps its 40 most frequent ones (owner keeps all). Left out are a column of
    one value, one of one number a stage (the CRM's probability, as a rule), and one that knows the outcome
    (`data.audit.leaks`) by what was known that day.
    """
    ledger = view.ledger
    left_out = _leaks(view)
    recorded = ledger.day <= view.day
    factors: dict[str, tuple[str, ...]] = {}
    places = {"segment": _segment_places(view)}
    numbers: list[str] = []
    for name, column in ledger.columns.items():
        if name in left_out:
            continue
        values = column.fixed[view.known] if column.recorded is None else column.recorded[recorded]
        if _is_number(column, values):
            if _number_helps(ledger, column, values, recorded):
                numbers.append(name)
            continue
        assert column.levels is not None
        frequent = _frequent(values, len(column.levels), most=None if name == "owner" else _MOST_LEVELS)
        if len(frequent) > 1:
            places[name] = np.full(len(column.levels) + 1, NONE)
            places[name][frequent] = np.arange(len(frequent))
            factors[name] = column.levels
    return Vocabulary(
        stages=ledger.stages,
        segments=ledger.segments,
        factors=factors,
        numbers=tuple(numbers),
        amount="amount" not in left_out,
        left_out=left_out,
        places=places,
    )


def _segment_places(view: KnownState) -> np.ndarray:
    """Return the design's column of each segment code; NONE for segments not yet born: no fit depends on these."""
    counts = np.bincount(view.segment[view.known & (view.segment != NONE)], minlength=len(view.ledger.segments))
    exists = counts > 0
    return np.append(np.where(exists, np.cumsum(exists) - 1, NONE), NONE)


def _frequent(values: np.ndarray, levels: int, *, most: int | None) -> np.ndarray:
    """Return the codes that occur, ascending; of more than `most` the most frequent."""
    counts = np.bincount(values[values != NONE], minlength=levels)
    order = np.argsort(-counts, kind="stable")
    return np.sort(order[counts[order] > 0][:most])


def _leaks(view: KnownState) -> dict[str, str]:
    """Return the columns history does not carry that know the outcome, and the evidence."""
    ledger, deals = view.ledger, np.flatnonzero(view.known)
    deals = deals[np.argsort(ledger.created_on[deals], kind="stable")]
    deals = deals[:: 1 + len(deals) // _LEAK_SAMPLE]
    frame = {}
    for name, column in ledger.columns.items():
        if column.recorded is None:
            values = column.fixed[deals]
            is_number = _is_number(column, values)
            frame[name] = _as_numbers(column, values) if is_number else np.where(values == NONE, np.nan, values)
    if "amount" in view.company.fixed_at_creation:
        frame["amount"] = view.amount[deals]
    if not frame:
        return {}
    found = outcome_leaks(pd.DataFrame(frame), np.array(OUTCOMES)[view.outcome[deals]])
    return dict(zip(found["column"], found["evidence"], strict=True))


def _is_number(column: Column, values: np.ndarray) -> bool:
    """Say whether a column holds numbers, by the values known."""
    if column.levels is None or column.parsed is None:
        return True
    seen = np.unique(values[values != NONE])
    return len(seen) > 0 and bool(np.isfinite(column.parsed[seen]).all())


def _may_be_number(column: Column) -> bool:
    return column.parsed is None or bool(np.isfinite(column.parsed).any())


def _as_numbers(column: Column, values: np.ndarray) -> np.ndarray:
    return values if column.parsed is None else column.parsed[values]


def _number_helps(ledger: Ledger, column: Column, values: np.ndarray, recorded: np.ndarray) -> bool:
    """Say whether a number column varies, and does not merely repeat the stage."""
    known = _as_numbers(column, values)
    known = known[np.isfinite(known)]
    varies = len(known) > 0 and known.min() < known.max()
    if column.recorded is None or not varies:
        return bool(varies)
    return not _follows_from_stage(ledger, _as_numbers(column, column.recorded), recorded)


def _follows_from_stage(ledger: Ledger, values: np.ndarray, recorded: np.ndarray) -> bool:
    """Say whether a number carried by history has one value a stage; closing stages are one for each result."""
    use = recorded & np.isfinite(values)
    stage = np.where(ledger.stage[use] == NONE, len(ledger.stages) + ledger.result[use], ledger.stage[use])
    low, high = np.full(len(ledger.stages) + 3, np.inf), np.full(len(ledger.stages) + 3, -np.inf)
    np.minimum.at(low, stage, values[use])
    np.maximum.at(high, stage, values[use])
    return bool((low >= high).all())
