"""Columns as numbers: days and periods, codes of levels, runs of a deal's rows, deals by day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from forecast.calendar import Calendar, parse_periods
from forecast.data.codes import by_level, dictionary_of, places

OPEN, WON, LOST = range(3)
NONE = -1
"""Code of an unknown level."""
NO_DAY = np.iinfo(np.int32).min
"""A missing day; days are counted since 1970, int32."""
PART = 1 << 20
"""Rows that are worked on at once where what is made of them on the way is wider than they are."""


def in_parts(*arrays: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield arrays of one length in parts of `PART` rows."""
    for at in range(0, len(arrays[0]), PART):
        yield tuple(each[at : at + PART] for each in arrays)


@dataclass(frozen=True, kw_only=True)
class Column:
    """A covariate: codes into `levels` (NONE = unknown), or numbers (nan = unknown) where `levels` is None.

    `fixed` (n,) holds the opportunities' values, `recorded` (m,) those of the history rows where history carries it,
    both as codes in the smallest integers that hold them.
    Text is read as numbers as long as every value known is one, whatever is written later: `parsed` holds the number
    of each level (and of NONE, last), nan where it is none.
    """

    fixed: np.ndarray
    recorded: np.ndarray | None
    levels: tuple[str, ...] | None
    parsed: np.ndarray | None = None

    def as_numbers(self, values: np.ndarray) -> np.ndarray:
        """Return values of the column as numbers, nan where they are none."""
        return values if self.parsed is None else self.parsed[values]


def days_of(values: pd.Series) -> np.ndarray:
    """Return dates as days since 1970, int32, NO_DAY where missing."""
    moment = values.to_numpy(dtype="datetime64[us]").view(np.int64)
    days = (moment // _DAY_LENGTH).astype(np.int32)
    days[moment == _NO_MOMENT] = NO_DAY
    return days


def day_number(stamp: pd.Timestamp) -> int:
    """Return one date as days since 1970."""
    return int(stamp.to_datetime64().astype("datetime64[D]").astype(np.int64))


def dates_of(days: np.ndarray) -> np.ndarray:
    """Return days since 1970 as dates, datetime64[us], NaT for NO_DAY; the reverse of `days_of`."""
    dates = days.astype("datetime64[D]").astype("datetime64[us]")
    dates[days == NO_DAY] = np.datetime64("NaT", "us")
    return dates


def as_small(values: np.ndarray) -> np.ndarray:
    """Return whole numbers of 0 or more as the smallest unsigned integers that hold the largest of them; (n,).

    Never as 0 - x or x - y of two of them: what falls below 0 would turn round.

    >>> as_small(np.array([0, 255])).dtype, as_small(np.array([0, 256])).dtype
    (dtype('uint8'), dtype('uint16'))
    """
    if len(values) and int(values.min()) < 0:
        raise ValueError(f"{int(values.min())} is below 0")
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))


_DAY_LENGTH = 86_400_000_000
"""Microseconds."""
_NO_MOMENT = np.iinfo(np.int64).min


def counted_days(days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different days, ascending, and how often each is there; (k,) both.

    >>> counted_days(np.array([7, 5, 7], dtype=np.int32))
    (array([5, 7], dtype=int32), array([1, 2]))
    """
    if not len(days):
        return days, np.zeros(0, dtype=np.int64)
    first, last = int(days.min()), int(days.max())
    if last - first > np.iinfo(np.uint16).max:
        return np.unique(days, return_counts=True)
    counts = np.zeros(last - first + 1, dtype=np.int64)
    for at in range(0, len(days), PART):  # in parts, since each is copied in a wider kind
        counts += np.bincount(days[at : at + PART] - first, minlength=len(counts))
    there = np.flatnonzero(counts)
    return (there + first).astype(days.dtype), counts[there]


class PeriodTable:
    """The periods of all days from a first to a last one, to look up many times."""

    def __init__(self, calendar: Calendar, first: int, last: int) -> None:
        self._first = first
        # The day that is missing stands at the end, where the place -1 finds it.
        self._periods = np.append(_periods(calendar, np.arange(first, last + 1)), np.int32(0))

    @classmethod
    def over(cls, calendar: Calendar, *columns: np.ndarray | None) -> PeriodTable:
        """Return the table of the days of several columns."""
        ends = [day for days in columns if days is not None for day in _span(days)]
        return cls(calendar, min(ends, default=0), max(ends, default=0))

    def of(self, days: np.ndarray) -> np.ndarray:
        """Return the period of each day, 0 where there is none; each day lies between the first and the last."""
        place = days - self._first
        place[days == NO_DAY] = -1
        return self._periods[place]


def _span(days: np.ndarray) -> list[int]:
    given = days[days != NO_DAY]
    return [int(given.min()), int(given.max())] if len(given) else []


def _periods(calendar: Calendar, days: np.ndarray) -> np.ndarray:
    stamps = pd.DatetimeIndex(days.astype("datetime64[D]").astype("datetime64[s]"))
    return calendar.period_of(stamps).astype(np.int32)


def factorized(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Return codes (NONE where missing) and the levels in order of appearance."""
    found = dictionary_of(column.astype("str") if column.dtype == object else column)
    order = found.indices.dictionary_encode()  # levels that do not occur are left out
    codes = np.asarray(pc.fill_null(order.indices, NONE)).astype(np.int32, copy=False)
    return codes, [str(level) for level in found.dictionary.take(order.dictionary).to_pylist()]


def codes_of(column: pd.Series, levels: tuple[str, ...], *, kind: type[np.signedinteger] = np.int32) -> np.ndarray:
    """Return the place of each text in `levels`, NONE where it is not in it; (n,) integers of a kind."""
    found = dictionary_of(column.astype("str") if column.dtype == object else column)
    place = {level: k for k, level in enumerate(levels)}
    lookup = np.array([place.get(level, NONE) for level in found.dictionary.to_pylist()], dtype=kind)
    return by_level(found, lookup, missing=NONE)


def column_of(fixed: pd.Series | None, recorded: pd.Series | None, n: int) -> Column | None:
    """Return a covariate, None where it is neither text nor number."""
    sample = fixed if fixed is not None else recorded
    assert sample is not None
    if pd.api.types.is_datetime64_any_dtype(sample):
        return None
    if pd.api.types.is_numeric_dtype(sample):
        values = np.full(n, np.nan) if fixed is None else fixed.to_numpy(np.float64)
        by_row = None if recorded is None else recorded.to_numpy(np.float64)
        return Column(fixed=values, recorded=by_row, levels=None)
    parts = [None if x is None else factorized(x) for x in (fixed, recorded)]
    levels = tuple(sorted({level for part in parts if part is not None for level in part[1]}))
    place = {level: k for k, level in enumerate(levels)}

    def in_levels(part: tuple[np.ndarray, list[str]] | None, kind: np.dtype) -> np.ndarray | None:
        return None if part is None else np.array([*(place[level] for level in part[1]), NONE], dtype=kind)[part[0]]

    kind = np.min_scalar_type(-len(levels) - 1)
    values = in_levels(parts[0], kind)
    parsed = pd.to_numeric(pd.Series([*levels, None], dtype=object), errors="coerce").to_numpy(np.float64)
    return Column(
        fixed=np.full(n, NONE, dtype=kind) if values is None else values,
        recorded=in_levels(parts[1], kind),
        levels=levels,
        parsed=parsed,
    )


@dataclass(frozen=True, kw_only=True)
class Marketing:
    """The k rows of the marketing table as numbers: period, segment and channel (codes, NONE = unknown), leads; (k,).

    `channels` are the levels behind `channel`, none where the table has no such column.
    """

    period: np.ndarray
    segment: np.ndarray
    channel: np.ndarray
    leads: np.ndarray
    channels: tuple[str, ...]

    @classmethod
    def of(cls, table: pd.DataFrame | None, segments: tuple[str, ...]) -> Marketing:
        """Return the rows of the table, none where it is absent."""
        if table is None or not len(table):
            none = np.zeros(0, dtype=np.int64)
            return cls(period=none, segment=none, channel=none, leads=np.zeros(0), channels=())
        codes, labels = factorized(table["period"])
        channel, channels = factorized(table["channel"]) if "channel" in table else (np.full(len(table), NONE), [])
        return cls(
            period=parse_periods(labels)[codes],
            segment=codes_of(table["segment"], segments),
            channel=channel,
            leads=table["leads"].to_numpy(np.float64),
            channels=tuple(channels),
        )


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
    here = np.arange(len(new), dtype=np.int32)
    here[~starts] = 0
    return np.maximum.accumulate(here, out=here) if len(new) else here


def rows_into_run(new: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return how many rows of its run of equal values lie before each row, as `as_small`; `new` as for `run_start`."""
    start = run_start(new, values)
    return as_small(np.subtract(np.arange(len(new), dtype=np.int32), start, out=start))


def slips_of(new: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return how often the expected close had moved later by each row; empty dates in between are passed over."""
    count = len(new)
    moved = np.zeros(count, dtype=bool)
    given = expected != NO_DAY
    if given.all():
        moved[1:] = ~new[1:] & (expected[1:] > expected[:-1])
    else:
        rows = np.flatnonzero(given)
        deal = np.cumsum(new, dtype=np.int32)[rows]
        dates = expected[rows]
        moved[rows[1:]] = (deal[1:] == deal[:-1]) & (dates[1:] > dates[:-1])
    total = np.cumsum(moved, dtype=np.int32)
    starts = np.flatnonzero(new)
    # The first row of a deal has not moved, so that the count there is that of all deals before.
    return total - np.repeat(total[starts], np.diff(starts, append=count))


def count_by_period(calendar: Calendar, days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the periods that some days lie in, ascending, and how many of the days lie in each; (m,) both.

    days : (n,) days since 1970, n at least 1.
    """
    first = int(days.min())
    counts = np.bincount(days - first)
    there = np.flatnonzero(counts)
    stamps = pd.DatetimeIndex((first + there).astype("datetime64[D]").astype("datetime64[us]"))
    periods, place = np.unique(calendar.period_of(stamps), return_inverse=True)
    return periods, np.bincount(place, counts[there]).astype(np.int64)
