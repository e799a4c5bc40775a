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
_JUDGED = 15_000
"""Deals on which columns that know the outcome are looked for."""


@dataclass(frozen=True)
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
        arrays = {name: getattr(self, name)[rows] for name in STATE_ARRAYS}
        factors = {name: codes[rows] for name, codes in self.factors.items()}
        return States(**arrays, factors=factors, numbers={name: x[rows] for name, x in self.numbers.items()})


STATE_ARRAYS = ("deal", "target", "segment", "stage", "amount", "age", "stage_age", "due", "overdue", "slips")


def joined(parts: list[States]) -> States:
    """Return states one after the other; `parts` is not empty."""
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in STATE_ARRAYS}
    factors = {name: np.concatenate([part.factors[name] for part in parts]) for name in parts[0].factors}
    numbers = {name: np.concatenate([part.numbers[name] for part in parts]) for name in parts[0].numbers}
    return States(**arrays, factors=factors, numbers=numbers)


@dataclass(frozen=True)
class Vocabulary:
    """The levels behind the codes, and the covariates in use: text columns, number columns.

    `amount` says whether the amount is one; `left_out` are columns that know the outcome, with the evidence.
    `kept` maps the codes of a text column (and NONE, last) to its columns in the design, NONE where a level has none.
    """

    stages: tuple[str, ...]
    segments: tuple[str, ...]
    factors: Mapping[str, tuple[str, ...]]
    numbers: tuple[str, ...] = ()
    amount: bool = True
    left_out: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, np.ndarray] = field(default_factory=dict)

    def width(self, name: str) -> int:
        """Return how many levels of a text column have a column of their own."""
        return int(self.kept[name].max(initial=NONE)) + 1

    def without(self, names: frozenset[str]) -> Vocabulary:
        """Return the vocabulary less some covariates."""
        factors = {name: levels for name, levels in self.factors.items() if name not in names}
        numbers = tuple(name for name in self.numbers if name not in names)
        return replace(
            self, factors=factors, numbers=numbers, kept={name: self.kept[name] for name in ("segment", *factors)}
        )


def vocabulary(view: KnownState) -> Vocabulary:
    """Return the levels of the columns known by a day.

    A text column of more than 40 levels keeps its 40 most frequent ones (owner keeps all). A column of one value, or
    of one number a stage (the CRM's probability, as a rule), says nothing more and is left out; so is one that knows
    the outcome (`data.leaks`), judged on what was known by the day.
    """
    ledger = view.ledger
    left_out = _leaks(view)
    told = ledger.day <= view.day
    factors: dict[str, tuple[str, ...]] = {}
    kept: dict[str, np.ndarray] = {}
    numbers: list[str] = []
    for name, column in ledger.columns.items():
        if name in left_out:
            continue
        values = _known_values(column, view, told)
        if _is_number(column, values):
            known = _as_numbers(column, values)
            known = known[np.isfinite(known)]
            varied = len(known) > 0 and known.min() < known.max()
            if column.recorded is not None and varied:
                varied = not _says_stage(ledger, _as_numbers(column, column.recorded), told)
            if varied:
                numbers.append(name)
            continue
        assert column.levels is not None
        counts = np.bincount(values[values != NONE], minlength=len(column.levels))
        order = np.argsort(-counts, kind="stable")
        order = order[counts[order] > 0]
        if len(order) > 1:
            chosen = np.sort(order if name == "owner" else order[:_MOST_LEVELS])
            lookup = np.full(len(column.levels) + 1, NONE)
            lookup[chosen] = np.arange(len(chosen))
            factors[name], kept[name] = column.levels, lookup
    # Segments that are not there yet have no column, so that a fit does not depend on what is born later.
    there = np.bincount(view.segment[view.known & (view.segment != NONE)], minlength=len(ledger.segments)) > 0
    kept["segment"] = np.append(np.where(there, np.cumsum(there) - 1, NONE), NONE)
    amount = "amount" not in left_out
    return Vocabulary(ledger.stages, ledger.segments, factors, tuple(numbers), amount, left_out, kept)


def _leaks(view: KnownState) -> dict[str, str]:
    """Return the columns history does not carry that know the outcome, and the evidence."""
    ledger, deals = view.ledger, np.flatnonzero(view.known)
    deals = deals[np.argsort(ledger.created_on[deals], kind="stable")]
    deals = deals[:: 1 + len(deals) // _JUDGED]
    frame = {}
    for name, column in ledger.columns.items():
        if column.recorded is None:
            values = column.fixed[deals]
            plain = _is_number(column, values)
            frame[name] = _as_numbers(column, values) if plain else np.where(values == NONE, np.nan, values)
    if "amount" in view.company.fixed_at_creation:
        frame["amount"] = view.amount[deals]
    if not frame:
        return {}
    found = outcome_leaks(pd.DataFrame(frame), np.array(OUTCOMES)[view.outcome[deals]])
    return dict(zip(found["column"], found["evidence"], strict=True))


def _is_number(column: Column, values: np.ndarray) -> bool:
    """Say whether a column holds numbers, judged by the values known."""
    if column.levels is None or column.parsed is None:
        return True
    seen = np.unique(values[values != NONE])
    return len(seen) > 0 and bool(np.isfinite(column.parsed[seen]).all())


def _may_be_number(column: Column) -> bool:
    return column.parsed is None or bool(np.isfinite(column.parsed).any())


def _as_numbers(column: Column, values: np.ndarray) -> np.ndarray:
    return values if column.parsed is None else column.parsed[values]


def _known_values(column: Column, view: KnownState, told: np.ndarray) -> np.ndarray:
    if column.recorded is not None:
        return column.recorded[told]
    return column.fixed[view.known]


def _says_stage(ledger: Ledger, values: np.ndarray, told: np.ndarray) -> bool:
    """Say whether a number carried by history follows from the stage, closing stages told apart by their result."""
    use = told & np.isfinite(values)
    stage = np.where(ledger.stage[use] == NONE, len(ledger.stages) + ledger.result[use], ledger.stage[use])
    low, high = np.full(len(ledger.stages) + 3, np.inf), np.full(len(ledger.stages) + 3, -np.inf)
    np.minimum.at(low, stage, values[use])
    np.maximum.at(high, stage, values[use])
    return bool((low >= high).all())


def present(view: KnownState, names: Iterable[str] | None = None) -> States:
    """Return the open deals of a view as they stand, in the ledger's order, with the columns named (default: all)."""
    ledger, deals = view.ledger, view.open_deals
    n = len(deals)
    row = view.last_row[deals]
    has = row >= 0
    at = np.where(has, row, 0)
    stage, expected = np.full(n, NONE, dtype=np.int16), np.full(n, NO_DAY, dtype=np.int32)
    stage_age, slips = np.full(n, np.nan), np.zeros(n, dtype=np.int32)
    if len(ledger.deal):
        stage[has], expected[has] = ledger.stage[row[has]], ledger.expected[row[has]]
        stage_age[has] = np.maximum(view.day - ledger.since[row[has]], 0) / MONTH
        slips[has] = ledger.slips[row[has]]
    if view.is_last and ledger.has_history:
        stage[~has] = ledger.stage_on_last_day[deals[~has]]
        expected[~has] = ledger.expected_on_last_day[deals[~has]]
    created = ledger.created_on[deals]
    if len(ledger.deal):
        first = ledger.day[ledger.first_row[deals]]
        created = np.where((created == NO_DAY) & has, first, created)
    age = np.where(created == NO_DAY, np.nan, np.maximum(view.day - created.astype(np.int64), 0) / MONTH)
    due = np.full(n, UNDATED, dtype=np.int32)
    dated = expected != NO_DAY
    due[dated] = ledger.close_dates.of(expected[dated]) - view.first_target
    used = ledger.columns if names is None else {name: ledger.columns[name] for name in names}
    values = {name: _values(column, deals, at, has, view) for name, column in used.items()}
    return States(
        deal=deals,
        target=np.full(n, view.first_target, dtype=np.int32),
        segment=view.segment[deals],
        stage=stage,
        amount=view.amount[deals],
        age=age,
        stage_age=stage_age,
        due=due,
        overdue=dated & (expected <= view.day),
        slips=slips,
        factors={name: x for name, x in values.items() if used[name].levels is not None},
        numbers={name: _as_numbers(used[name], x) for name, x in values.items() if _may_be_number(used[name])},
    )


def _values(column: Column, deals: np.ndarray, row: np.ndarray, has: np.ndarray, view: KnownState) -> np.ndarray:
    """Return a covariate of some deals: as their last rows tell it where history carries it, else as fixed."""
    if column.recorded is None:
        return column.fixed[deals]
    unknown = NONE if column.levels is not None else np.nan
    untold = column.fixed[deals] if view.is_last else unknown
    if not len(column.recorded):
        return np.where(has, unknown, untold)
    return np.where(has, column.recorded[row].astype(column.fixed.dtype), untold)
