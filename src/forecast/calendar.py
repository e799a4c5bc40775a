"""Months and fiscal quarters: where a date falls, where a period starts and ends, what it is called.

A period is an integer, `12 * year + month - 1`, so that arithmetic on months is arithmetic on integers. Three kinds:

- with the pattern `month` it is the calendar month;
- with `4-4-5`, `4-5-4` or `5-4-4` it is the fiscal month of that many weeks, still named after the calendar month it
  stands for. The fiscal year starts on a weekday, and ends on the day before that weekday which is nearest to the last
  day of the month before the start month, or the last in it; in a 53-week year the last month has one week more;
- with the company's own periods it starts on the day that its table says.

A fiscal year is named after the calendar year in which it ends, or in which it starts: with `fiscal_year_start=4`, the
year to March 2026 is FY26, or FY25.
"""

from __future__ import annotations

import itertools
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

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
YEAR_ENDS = ("nearest", "last")
"""A fiscal year of weeks ends on the weekday nearest to a month's end, or on the last one in the month."""
NAMED_BY = ("end", "start")
"""A fiscal year is named after the calendar year it ends in, or starts in."""

_MONTH = re.compile(r"^(\d{4})-(0[1-9]|1[0-2])$")
_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """The company's calendar.

    Parameters
    ----------
    fiscal_year_start : month in which the fiscal year starts, 1 to 12.
    pattern : one of `PATTERNS`.
    week_starts_on : first day of a week, one of `WEEKDAYS`; of patterns of weeks.
    year_ends : one of `YEAR_ENDS`; of patterns of weeks.
    year_named_by : one of `NAMED_BY`.
    own : the company's own periods instead of a pattern: (period, first day in days since 1970), periods ascending by
        one, at least twelve. Before and after them each period is as long as the same one of the nearest year in them.
    """

    fiscal_year_start: int = 1
    pattern: str = "month"
    week_starts_on: str = "monday"
    year_ends: str = "nearest"
    year_named_by: str = "end"
    own: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if self.pattern not in PATTERNS:
            raise ParameterError(f"calendar: {self.pattern!r} is not one of {', '.join(PATTERNS)}")
        if not 1 <= self.fiscal_year_start <= 12:
            raise ParameterError(f"fiscal_year_start: {self.fiscal_year_start} is not a month from 1 to 12")
        for name, known in (("week_starts_on", WEEKDAYS), ("year_ends", YEAR_ENDS), ("year_named_by", NAMED_BY)):
            if getattr(self, name) not in known:
                raise ParameterError(f"{name}: {getattr(self, name)!r} is not one of {', '.join(known)}")
        days = [day for _, day in self.own]
        if self.own and (len(days) < 12 or any(later <= day for day, later in itertools.pairwise(days))):
            raise ParameterError("own periods: they must be twelve at least, in order of their first days")

    @property
    def by_month(self) -> bool:
        """Whether its periods are the calendar's months."""
        return PATTERNS[self.pattern] is None and not self.own

    # -- dates -> periods ------------------------------------------------------------------------------

    def period_of(self, dates: Any) -> np.ndarray:
        """Return the period of each date; shape (n,), int64, `NO_PERIOD` where the date is missing."""
        index = pd.DatetimeIndex(pd.Series(dates).array if not isinstance(dates, pd.DatetimeIndex) else dates)
        out = np.full(len(index), NO_PERIOD, dtype=np.int64)
        known = ~np.asarray(index.isna())
        if not known.any():
            return out
        if self.by_month:
            out[known] = np.asarray(index.year[known], dtype=np.int64) * 12 + np.asarray(index.month[known]) - 1
            return out
        days = index[known].values.astype("datetime64[D]")
        years = np.asarray(index.year[known])
        first, last = (int(years.min()) - 1) * 12, int(years.max() + 2) * 12
        starts = self._starts(first, last)
        while starts[0] > days.min() or starts[-1] <= days.max():  # own periods may lie years from their names
            first, last = first - 24, last + 24
            starts = self._starts(first, last)
        out[known] = first + np.searchsorted(starts, days, side="right") - 1
        return out

    def period(self, date: Any) -> int:
        """Return the period of one date."""
        day = pd.Timestamp(date)
        if self.by_month and not pd.isna(day):
            return day.year * 12 + day.month - 1  # a single date needs no index
        return int(self.period_of([day])[0])

    # -- periods -> dates ------------------------------------------------------------------------------

    def start(self, period: int) -> pd.Timestamp:
        """Return the first day of a period."""
        if self.by_month:
            return pd.Timestamp(year=period // 12, month=period % 12 + 1, day=1).as_unit("us")
        return pd.Timestamp(self._starts(period, period + 1)[0]).as_unit("us")

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
        try:
            if _MONTH.match(value):
                return self.end(parse_period(value))
            if _DAY.match(value):
                return pd.Timestamp(value).as_unit("us")
        except (ValueError, OverflowError):  # no such day, or of no year that can be counted
            pass
        raise ParameterError(f"{value!r} is not a date; write a day such as 2026-10-31 or a month such as 2026-10")

    # -- quarters --------------------------------------------------------------------------------------

    def quarter_of(self, period: Any) -> Any:
        """Return the fiscal quarter, `4 * fiscal_year + quarter - 1`, of a period or an array of periods."""
        fiscal = np.asarray(period) - (self.fiscal_year_start - 1)
        year = fiscal // 12 + self._named_later
        quarter = year * 4 + (fiscal % 12) // 3
        return int(quarter) if np.ndim(quarter) == 0 else quarter

    def quarter_position(self, period: Any) -> Any:
        """Return 0, 1 or 2: the first, second or third month of its fiscal quarter."""
        position = (np.asarray(period) - (self.fiscal_year_start - 1)) % 3
        return int(position) if np.ndim(position) == 0 else position

    def quarter_periods(self, quarter: int) -> tuple[int, int, int]:
        """Return the three periods of a fiscal quarter."""
        year = quarter // 4 - self._named_later
        first = year * 12 + (quarter % 4) * 3 + self.fiscal_year_start - 1
        return first, first + 1, first + 2

    def first_day_of_year(self, date: Any) -> pd.Timestamp:
        """Return the first day of the fiscal year that a date lies in."""
        quarter = int(self.quarter_of(self.period(date)))
        return self.start(self.quarter_periods(quarter - quarter % 4)[0])

    def quarter_label(self, quarter: int) -> str:
        """Return `FY26 Q3`."""
        return f"FY{quarter // 4 % 100:02d} Q{quarter % 4 + 1}"

    @property
    def _named_later(self) -> int:
        """By how many years the name of a fiscal year lies after the calendar year it starts in."""
        return int(self.fiscal_year_start > 1 and self.year_named_by == "end")

    # -- first days of what is no calendar month -------------------------------------------------------

    def _starts(self, first: int, last: int) -> np.ndarray:
        """Return the first days of periods first..last-1, datetime64[D]."""
        if self.own:
            return _own_starts(self.own, first, last)
        weeks = PATTERNS[self.pattern]
        assert weeks is not None
        weekday = WEEKDAYS.index(self.week_starts_on)
        return _week_starts(self.fiscal_year_start, weeks, weekday, self.year_ends == "nearest", first, last)


@lru_cache(maxsize=64)
def _week_starts(
    start_month: int, weeks: tuple[int, ...], weekday: int, nearest: bool, first: int, last: int
) -> np.ndarray:
    """Return the first days of fiscal months of weeks, datetime64[D]; weekday : 0 = Monday, on which weeks start."""
    within = np.concatenate([[0], np.cumsum(np.tile(weeks, 4))[:-1]])
    starts = np.empty(last - first, dtype="datetime64[D]")
    for period in range(first, last):
        year, month = divmod(period - (start_month - 1), 12)
        anchor = np.datetime64(f"{year:04d}-{start_month:02d}-01", "D")
        # The year before ends on or before the day before the anchor, so that this one starts on it or up to six days
        # before; where that is more than three, the weekday after the anchor is nearer.
        back = int(anchor.astype(np.int64) + 3 - weekday) % 7  # 1970-01-01 was a Thursday
        start = anchor - back if back <= 3 or not nearest else anchor + (7 - back)
        starts[period - first] = start + int(within[month]) * 7
    return starts


@lru_cache(maxsize=64)
def _own_starts(own: tuple[tuple[int, int], ...], first: int, last: int) -> np.ndarray:
    """Return the first days of the company's own periods, and of those before and after them, datetime64[D].

    Simple case: the table says it. Beyond its ends a period is as long as the same one of the nearest year in the
    table.
    """
    begin, days = own[0][0], [day for _, day in own]
    length = [later - day for day, later in itertools.pairwise(days)]
    # The last one's end is not in the table: as a year before, or so that the one year has 52 weeks.
    length.append(length[-12] if len(length) >= 12 else max(364 - sum(length), 21))
    after, before = length[-12:], length[:12]
    while begin + len(days) < last:
        k = len(days) - len(own)  # periods beyond the table so far
        days.append(days[-1] + (length[-1] if not k else after[(k - 1) % 12]))
    k = 0
    while begin > first:
        days.insert(0, days[0] - before[-1 - k % 12])
        begin, k = begin - 1, k + 1
    return np.array(days[first - begin : last - begin], dtype="datetime64[D]")


def parse_period(text: str) -> int:
    """Read `2026-10` as a period."""
    return _period_of(str(text))


@lru_cache(maxsize=10_000)  # columns hold the same few hundred months again and again
def _period_of(text: str) -> int:
    match = _MONTH.match(text.strip())
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
    """Read labels such as `2026-10` as periods; shape (n,), int64. Of a column each different label is read once."""
    if not isinstance(texts, pd.Series):
        return np.array([parse_period(text) for text in texts], dtype=np.int64)
    codes, labels = pd.factorize(texts)
    periods = np.array([parse_period(label) for label in labels], dtype=np.int64)
    if (codes < 0).any():
        parse_period("nan")  # a missing label is none
    return periods[codes]
