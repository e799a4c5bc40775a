"""Columns as numbers: days, codes of levels, runs of a deal's rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from forecast.calendar import Calendar
from forecast.data.checks_keys import places
from forecast.data.coded_text import dictionary_of, row_codes

OPEN, WON, LOST = range(3)
NONE = -1
"""Code of an unknown level."""
NO_DAY = np.iinfo(np.int32).min
"""A missing day; days are counted since 1970, int32."""


@dataclass(frozen=True)
class Column:
    """A covariate: codes into `levels` (NONE = unknown), or numbers (nan = unknown) where `levels` is None.

    `fixed` (n,) holds the opportunities' values, `told` (m,) those of the history rows where history carries it.
    Text is read as numbers as long as every value known is one, whatever is written later: `parsed` holds the number
    of each level (and of NONE, last), nan where it is none.
    """

    fixed: np.ndarray
    told: np.ndarray | None
    levels: tuple[str, ...] | None
    parsed: np.ndarray | None = None


def days_of(values: pd.Series) -> np.ndarray:
    """Return dates as days since 1970, int32, NO_DAY where missing."""
    days = values.to_numpy(dtype="datetime64[D]").astype(np.int64)
    return np.where(days == np.iinfo(np.int64).min, NO_DAY, days).astype(np.int32)


_WIDE = 40_000
"""Days; a span beyond it is not worth a table."""


def periods_of(calendar: Calendar, days: np.ndarray) -> np.ndarray:
    """Return the period of each day, 0 where there is none."""
    if not len(days):
        return np.zeros(0, dtype=np.int32)
    given = days != NO_DAY
    if not given.any():
        return np.zeros(len(days), dtype=np.int32)
    first, last = int(days[given].min()), int(days[given].max())
    if last - first < _WIDE:
        # A table of all days between: looking up costs less than sorting.
        some, place = np.arange(first, last + 1), np.where(given, days - first, 0)
    else:
        some, place = np.unique(np.where(given, days, first), return_inverse=True)
    stamps = pd.DatetimeIndex(some.astype("datetime64[D]").astype("datetime64[s]"))
    out = calendar.period_of(stamps).astype(np.int32)[place]
    out[~given] = 0
    return out


def factorized(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Return codes (NONE where missing) and the levels in order of appearance."""
    found = dictionary_of(column.astype("str") if column.dtype == object else column)
    order = found.indices.dictionary_encode()  # levels that do not occur are left out
    codes = np.asarray(pc.fill_null(order.indices, NONE)).astype(np.int32, copy=False)
    return codes, [str(level) for level in found.dictionary.take(order.dictionary).to_pylist()]


def codes_of(column: pd.Series, levels: tuple[str, ...]) -> np.ndarray:
    """Return the place of each text in `levels`, NONE where it is not in it."""
    found = dictionary_of(column.astype("str") if column.dtype == object else column)
    place = {level: k for k, level in enumerate(levels)}
    lookup = np.array([*(place.get(level, NONE) for level in found.dictionary.to_pylist()), NONE], dtype=np.int32)
    return lookup[row_codes(found)]


def column_of(fixed: pd.Series | None, told: pd.Series | None, n: int) -> Column | None:
    """Return a covariate, None where it is neither text nor number."""
    sample = fixed if fixed is not None else told
    assert sample is not None
    if pd.api.types.is_datetime64_any_dtype(sample):
        return None
    if pd.api.types.is_numeric_dtype(sample):
        values = np.full(n, np.nan) if fixed is None else fixed.to_numpy(np.float64)
        return Column(values, None if told is None else told.to_numpy(np.float64), None)
    parts = [None if x is None else factorized(x) for x in (fixed, told)]
    levels = tuple(sorted({level for part in parts if part is not None for level in part[1]}))
    place = {level: k for k, level in enumerate(levels)}

    def recoded(part: tuple[np.ndarray, list[str]] | None) -> np.ndarray | None:
        if part is None:
            return None
        lookup = np.array([*(place[level] for level in part[1]), NONE], dtype=np.int32)
        return lookup[part[0]]

    values = recoded(parts[0])
    parsed = pd.to_numeric(pd.Series([*levels, None], dtype=object), errors="coerce").to_numpy(np.float64)
    return Column(np.full(n, NONE, dtype=np.int32) if values is None else values, recoded(parts[1]), levels, parsed)


def owners(ids: pd.Series, history: pd.DataFrame) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the deal of each history row, sorted by deal and time, and the order if it had to be sorted."""
    owner = places(history["opportunity_id"], ids)
    if (owner >= 0).all() and (np.diff(owner) >= 0).all() and _in_time(owner, history["recorded_at"]):
        return owner, None
    order = np.lexsort([history["recorded_at"].to_numpy(), owner])
    order = order[owner[order] >= 0]
    return owner[order], order


def _in_time(owner: np.ndarray, when: pd.Series) -> bool:
    stamp = pd.DatetimeIndex(when).asi8
    return bool(((owner[1:] != owner[:-1]) | (stamp[1:] >= stamp[:-1])).all())


def run_start(new: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the first row of the run of equal values that each row is in; `new` marks a deal's first row."""
    starts = new.copy()
    starts[1:] |= values[1:] != values[:-1]
    return np.maximum.accumulate(np.where(starts, np.arange(len(new)), 0)) if len(new) else np.zeros(0, dtype=np.int64)


def slips_of(new: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return how often the expected close had moved later by each row; empty dates in between are passed over."""
    here = np.arange(len(new))
    given = expected != NO_DAY
    first = np.maximum.accumulate(np.where(new, here, 0))
    latest = np.maximum.accumulate(np.where(given, here, -1))
    before = np.append(-1, latest[:-1])
    moved = given & (before >= first) & (expected > expected[np.maximum(before, 0)])
    total = np.append(0, np.cumsum(moved))
    return (total[here + 1] - total[first]).astype(np.int32)
