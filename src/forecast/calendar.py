"""Months and fiscal quarters: where a date falls, where a period starts and ends, what it is called.

A period is an integer, `12 * year + month - 1`, so that arithmetic on months is arithmetic on integers.
With the pattern `month` it is the calendar month; with `4-4-5`, `4-5-4` or `5-4-4` it is the fiscal month of that
many weeks, still named after the calendar month it stands for. The retail fiscal year starts on the Monday
nearest the first day of the start month; in a 53-week year the last month has one week more.
A fiscal year is named after the calendar year in which it ends: with `fiscal_year_start=4`, FY26 ends in March 2026.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from forecast.errors import ParameterError

NO_PERIOD = -1
"""What `period_of` gives for a missing date."""

PATTERNS = {"month": None, "4-4-5": (4, 4, 5), "4-5-4": (4, 5, 4), "5-4-4": (5, 4, 4)}

_MONTH = re.compile(r"^(\d{4})-(0[1-9]|1[0-2])$")
_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """The company's calendar.

    Parameters
    ----------
    fiscal_year_start : month in which the fiscal year starts, 1 to 12.
    pattern : one of `PATTERNS`.
    """

    fiscal_year_start: int = 1
    pattern: str = "month"

    def __post_init__(self) -> None:
        if self.pattern not in PATTERNS:
            raise ParameterError(f"calendar: {self.pattern!r} is not one of {', '.join(PATTERNS)}")
        if not 1 <= self.fiscal_year_start <= 12:
            raise ParameterError(f"fiscal_year_start: {self.fiscal_year_start} is not a month from 1 to 12")

    # -- dates -> periods ------------------------------------------------------------------------------

    def period_of(self, dates: Any) -> np.ndarray:
        """Return the period of each date; shape (n,), int64, `NO_PERIOD` where the date is missing."""
        index = pd.DatetimeIndex(pd.Series(dates).array if not isinstance(dates, pd.DatetimeIndex) else dates)
        out = np.full(len(index), NO_PERIOD, dtype=np.int64)
        known = ~np.asarray(index.isna())
        if not known.any():
            return out
        if PATTERNS[self.pattern] is None:
            out[known] = np.asarray(index.year[known], dtype=np.int64) * 12 + np.asarray(index.month[known]) - 1
            return out
        years = np.asarray(index.year[known])
        first = (int(years.min()) - 1) * 12
        starts = self._retail_starts(first, int(years.max() + 2) * 12)
        days = index[known].values.astype("datetime64[D]")
        out[known] = first + np.searchsorted(starts, days, side="right") - 1
        return out

    def period(self, date: Any) -> int:
        """Return the period of one date."""
        day = pd.Timestamp(date)
        if PATTERNS[self.pattern] is None and not pd.isna(day):
            return day.year * 12 + day.month - 1  # a single date needs no index
        return int(self.period_of([day])[0])

    # -- periods -> dates ------------------------------------------------------------------------------

    def start(self, period: int) -> pd.Timestamp:
        """Return the first day of a period."""
        if PATTERNS[self.pattern] is None:
            return pd.Timestamp(year=period // 12, month=period % 12 + 1, day=1).as_unit("us")
        return pd.Timestamp(self._retail_starts(period, period + 1)[0]).as_unit("us")

    def end(self, period: int) -> pd.Timestamp:
        """Return the last day of a period (midnight at its start, like every date here)."""
        return self.start(period + 1) - pd.Timedelta(days=1)

    def settles_on(self, period: int, *, settle_days: int) -> pd.Timestamp:
        """Return the day on which the bookings of a period count as settled: `settle_days` after its last day."""
        return self.end(period) + pd.Timedelta(days=settle_days)

    def last_settled(self, as_of: pd.Timestamp, *, settle_days: int) -> int:
        """Return the last period that had settled by the end of a day: the last whose end + settle_days <= as_of."""
        return self.period(as_of - pd.Timedelta(days=settle_days - 1)) - 1

    def parse_day(self, text: Any) -> pd.Timestamp:
        """Read a DATE: an ISO day, or a month such as `2026-10`, which means its last day."""
        if isinstance(text, pd.Timestamp):
            return text.normalize().as_unit("us")
        value = str(text).strip()
        if _MONTH.match(value):
            return self.end(parse_period(value))
        if _DAY.match(value):
            try:
                return pd.Timestamp(value).as_unit("us")
            except ValueError:
                pass
        raise ParameterError(f"{value!r} is not a date; write a day such as 2026-10-31 or a month such as 2026-10")

    # -- quarters --------------------------------------------------------------------------------------

    def quarter_of(self, period: Any) -> Any:
        """Return the fiscal quarter, `4 * fiscal_year + quarter - 1`, of a period or an array of periods."""
        fiscal = np.asarray(period) - (self.fiscal_year_start - 1)
        year = fiscal // 12 + (1 if self.fiscal_year_start > 1 else 0)
        quarter = year * 4 + (fiscal % 12) // 3
        return int(quarter) if np.ndim(quarter) == 0 else quarter

    def quarter_position(self, period: Any) -> Any:
        """Return 0, 1 or 2: the first, second or third month of its fiscal quarter."""
        position = (np.asarray(period) - (self.fiscal_year_start - 1)) % 3
        return int(position) if np.ndim(position) == 0 else position

    def quarter_periods(self, quarter: int) -> tuple[int, int, int]:
        """Return the three periods of a fiscal quarter."""
        year = quarter // 4 - (1 if self.fiscal_year_start > 1 else 0)
        first = year * 12 + (quarter % 4) * 3 + self.fiscal_year_start - 1
        return first, first + 1, first + 2

    def first_day_of_year(self, date: Any) -> pd.Timestamp:
        """Return the first day of the fiscal year that a date lies in."""
        quarter = int(self.quarter_of(self.period(date)))
        return self.start(self.quarter_periods(quarter - quarter % 4)[0])

    def quarter_label(self, quarter: int) -> str:
        """Return `FY26 Q3`."""
        return f"FY{quarter // 4 % 100:02d} Q{quarter % 4 + 1}"

    # -- the retail calendar ---------------------------------------------------------------------------

    def _retail_starts(self, first: int, last: int) -> np.ndarray:
        """Return the start days of periods first..last-1, datetime64[D]."""
        weeks = PATTERNS[self.pattern]
        assert weeks is not None
        return _retail_starts(self.fiscal_year_start, weeks, first, last)


@lru_cache(maxsize=64)
def _retail_starts(start_month: int, weeks: tuple[int, ...], first: int, last: int) -> np.ndarray:
    within = np.concatenate([[0], np.cumsum(np.tile(weeks, 4))[:-1]])
    offset = start_month - 1
    starts = np.empty(last - first, dtype="datetime64[D]")
    for period in range(first, last):
        year, month = divmod(period - offset, 12)
        anchor = np.datetime64(f"{year:04d}-{start_month:02d}-01", "D")
        weekday = (anchor.astype(np.int64) + 3) % 7  # 0 = Monday; 1970-01-01 was a Thursday
        monday = anchor - weekday if weekday <= 3 else anchor + (7 - weekday)
        starts[period - first] = monday + int(within[month]) * 7
    return starts


def parse_period(text: str) -> int:
    """Read `2026-10` as a period."""
    match = _MONTH.match(str(text).strip())
    if not match:
        raise ParameterError(f"{text!r} is not a month; write it as 2026-10")
    return int(match[1]) * 12 + int(match[2]) - 1


def period_label(period: int) -> str:
    """Write a period as `2026-10`."""
    return f"{period // 12:04d}-{period % 12 + 1:02d}"


def year_before(label: str) -> str:
    """Return the same month or quarter a year before.

    >>> year_before("2026-03"), year_before("FY26 Q4")
    ('2025-03', 'FY25 Q4')
    """
    if is_quarter([label]).all():
        return f"FY{(int(label[2:4]) - 1) % 100:02d}{label[4:]}"
    return period_label(parse_period(label) - 12)


def is_quarter(labels: Any) -> np.ndarray:
    """Return which target periods are fiscal quarters (`FY26 Q3`), not months (`2026-10`); shape (n,), bool."""
    return pd.Series(labels, dtype="str").str.startswith("FY").to_numpy(dtype=bool)


def period_labels(periods: Any) -> list[str]:
    """Write an array of periods as labels."""
    return [period_label(int(period)) for period in periods]


def parse_periods(texts: Any) -> np.ndarray:
    """Read labels such as `2026-10` as periods; shape (n,), int64."""
    return np.array([parse_period(text) for text in texts], dtype=np.int64)
