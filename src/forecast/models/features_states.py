"""Deals as they stand on a day: their state as arrays, and the levels behind the codes.

A column is a covariate where it is fixed at creation (the optional columns of `opportunities`, those the company
lists) or where history carries it; without history stage, amount and dates of the past are unknown.
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

MONTH = 30.4375
NAT = np.iinfo(np.int64).min

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
    today = days_of([snap.as_of])[0]
    known = snap.has_history
    empty = np.full(n, np.nan)
    expected = days_of(here["expected_close_on"]) if known else np.full(n, NAT)
    return States(
        deal=rows,
        target=np.full(n, target),
        segment=codes_of(here["segment"], words.segments),
        stage=codes_of(here["stage"], words.stages) if known else np.full(n, NONE),
        amount=here["amount"].to_numpy(float),
        age=months_of(today - days_of(here["created_on"])),
        stage_age=months_of(today - days_of(here["stage_since"])) if known else empty,
        due=due_in(snap, expected, np.full(n, target)),
        overdue=(expected <= today) & (expected != NAT),
        slips=np.nan_to_num(here["slips"].to_numpy(float)).astype(np.int64) if known else np.zeros(n, dtype=np.int64),
        factors={name: codes_of(here[name], levels) for name, levels in words.factors.items()},
        numbers={name: here[name].to_numpy(float) for name in words.numbers},
    )


# -- dates and codes -----------------------------------------------------------------------------------


def days_of(dates: object) -> np.ndarray:
    """Return dates as days since 1970, int64, `NAT` where missing; shape (n,)."""
    index = dates if isinstance(dates, pd.Series) else pd.Series(pd.DatetimeIndex(dates))
    return index.to_numpy(dtype="datetime64[D]").astype(np.int64)


def months_of(days: np.ndarray) -> np.ndarray:
    """Return a number of days as months, at least 0; nan where it came from a missing date."""
    return np.where(np.abs(days) > 10**9, np.nan, np.maximum(days, 0) / MONTH)


def due_in(snap: Snapshot, expected: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return how many months after step 0 the expected close falls (negative = before), UNDATED where missing."""
    if not len(expected):
        return np.zeros(0, dtype=np.int64)
    dated = expected != NAT
    days, inverse = np.unique(np.where(dated, expected, 0), return_inverse=True)
    periods = snap.calendar.period_of(pd.DatetimeIndex(days.astype("datetime64[D]").astype("datetime64[s]")))
    return np.where(dated, periods[inverse] - target, UNDATED)


def codes_of(column: pd.Series, levels: tuple[str, ...]) -> np.ndarray:
    """Return the position of each text in `levels` (NONE where it is not there), int64."""
    codes, found = pd.factorize(column)
    lookup = pd.Index(list(levels), dtype=object).get_indexer(pd.Index(found.astype(str), dtype=object))
    return np.append(lookup, NONE)[codes]
