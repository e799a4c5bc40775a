"""The table `periods` -> the company's calendar, and what is wrong with the table.

A month that is missing, or a day in two months, would put bookings where nobody looks for them, so all of it is fatal;
what the table does not reach is supposed (`Calendar.own`) and said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from forecast.calendar import PATTERNS, Calendar, parse_periods, period_label
from forecast.data.checks.table import problem_at
from forecast.data.schema import FURTHEST_MONTH, Company
from forecast.errors import ParameterError, Problem

TABLE = "periods"
FEWEST = 12
SHORTEST, LONGEST = 20, 45
"""Days of a fiscal month: four to six weeks, or a month."""
YEAR = (357, 378)
"""Days of twelve of them: a year, give or take a week."""

_KEYS = ("fiscal_year_start", "year_named_by")


def with_own_periods(tables: Mapping[str, pd.DataFrame], company: Company) -> tuple[Company, list[Problem]]:
    """Return the company with the calendar of its table of periods, and every problem of the table.

    tables : typed, with `periods`. The company comes back as it was where a problem is fatal.
    """
    if PATTERNS[company.calendar] is not None:
        what = f"calendar in company.toml says {company.calendar}, and this table says where periods begin"
        return company, [Problem(table=TABLE, what=what, mend="take the table out, or calendar and the keys of weeks")]
    frame = tables[TABLE].dropna(subset=["period", "first_day"])
    if len(frame) < len(tables[TABLE]) or frame["period"].duplicated().any():
        return company, []  # a problem of its own says so
    if len(frame) < FEWEST:
        what = f"{len(frame)} periods: a year has twelve"
        return company, [Problem(table=TABLE, what=what, mend="write the periods of at least one year")]
    try:
        number = parse_periods(frame["period"])
    except ParameterError:
        return company, _thirteenth(frame)
    order = np.argsort(number, kind="stable")
    frame, number = frame.iloc[order], number[order]
    found = _out_of_line(frame, number)
    if found:
        return company, found
    days = frame["first_day"].to_numpy().astype("datetime64[D]").astype(np.int64)
    own = replace(company, own_periods=tuple(zip(number.tolist(), days.tolist(), strict=True)))
    wrong = _other_names(frame, number, own.periods)
    return (company, wrong) if wrong else (own, _reach(tables, number, own.periods))


def _thirteenth(frame: pd.DataFrame) -> list[Problem]:
    """Return that a year has a thirteenth period: seasons, quarters and plans here are of twelve."""
    beyond = frame["period"].astype("str").str.fullmatch(r"\d{4}-(?:1[3-9]|[2-9]\d)").to_numpy(dtype=bool)
    what = "a year of thirteen periods cannot be told: quarters are three periods each, and a season twelve"
    mend = "write twelve periods a year; of thirteen, join two"
    return problem_at(frame, beyond, table=TABLE, column="period", what=what, mend=mend)


def _out_of_line(frame: pd.DataFrame, number: np.ndarray) -> list[Problem]:
    """Return periods that are left out, and those that are no months; frame by period, number : (n,) of them."""
    gap = np.flatnonzero(np.diff(number) != 1)
    if len(gap):
        missing = period_label(int(number[gap[0]]) + 1)
        what = f"{missing} is missing between {frame['period'].iloc[gap[0]]} and {frame['period'].iloc[gap[0] + 1]}"
        return [Problem(table=TABLE, column="period", what=what, mend="write every period, one after the other")]
    length = frame["first_day"].diff().dt.days.to_numpy()[1:]
    odd = (length < SHORTEST) | (length > LONGEST)
    if not odd.any():
        return _no_years(frame)
    at = int(np.flatnonzero(odd)[0])
    return problem_at(
        frame,
        np.append(odd, False),
        table=TABLE,
        column="first_day",
        what=f"{frame['period'].iloc[at]} would last {int(length[at]):,} days, until {frame['period'].iloc[at + 1]} "
        f"begins on {frame['first_day'].iloc[at + 1]:%Y-%m-%d}",
        mend=f"write first days that are {SHORTEST} to {LONGEST} days apart",
    )


def _no_years(frame: pd.DataFrame) -> list[Problem]:
    """Return that twelve periods are no year: a year of thirteen periods cannot be told in months and quarters."""
    length = frame["first_day"].diff(FEWEST).dt.days.to_numpy()[FEWEST:]
    odd = (length < YEAR[0]) | (length > YEAR[1])
    if not odd.any():
        return []
    at = int(np.flatnonzero(odd)[0])
    what = f"the twelve periods from {frame['period'].iloc[at]} last {int(length[at])} days, not a year"
    mend = "write twelve periods a year; of thirteen, join two"
    return problem_at(frame, np.append(odd, np.zeros(FEWEST)), table=TABLE, column="first_day", what=what, mend=mend)


def _other_names(frame: pd.DataFrame, number: np.ndarray, calendar: Calendar) -> list[Problem]:
    """Return that the table puts a period into another quarter or year than the company's calendar does."""
    ours = np.asarray(calendar.quarter_of(number))
    said = {"quarter": ours % 4 + 1, "year": ours // 4}
    for column, value in said.items():
        if column not in frame:
            continue
        given = frame[column].to_numpy(dtype=np.float64)
        other = ~np.isnan(given) & (given != value) & ~((column == "year") & (given == value % 100))
        if other.any():
            at = int(np.flatnonzero(other)[0])
            label, mend = frame["period"].iloc[at], _fitting(frame, number, calendar)
            what = f"{label} is of {column} {given[at]:g} here, and of {value[at]} by {' and '.join(_KEYS)}"
            return problem_at(frame, other, table=TABLE, column=column, what=what, mend=mend)
    return []


def _fitting(frame: pd.DataFrame, number: np.ndarray, calendar: Calendar) -> str:
    """Return the keys of company.toml with which quarters and years are as the table says, where there are any."""
    for start in range(1, 13):
        for named in ("end", "start"):
            asked = replace(calendar, fiscal_year_start=start, year_named_by=named)
            ours = np.asarray(asked.quarter_of(number))
            fits = [
                np.isin(frame[column].to_numpy(dtype=np.float64) - value, [0]) | frame[column].isna().to_numpy()
                for column, value in (("quarter", ours % 4 + 1), ("year", ours // 4))
                if column in frame
            ]
            if np.all(fits):
                return f'write fiscal_year_start = {start} and year_named_by = "{named}" in company.toml'
    return "write quarters of three periods each, and four of them to a year"


def _reach(tables: Mapping[str, pd.DataFrame], number: np.ndarray, calendar: Calendar) -> list[Problem]:
    """Return that the record begins before the table, or that forecasts reach beyond it."""
    created = tables["opportunities"]["created_on"].dropna() if "opportunities" in tables else pd.Series(dtype="str")
    if not len(created):
        return []
    first, last = calendar.period(created.min()), calendar.period(created.max())
    found = []
    if first < number[0]:
        found.append(f"the record begins in {period_label(first)}, the table with {period_label(int(number[0]))}")
    if last + 1 > number[-1]:
        found.append(f"the record ends in {period_label(last)}, the table with {period_label(int(number[-1]))}")
    return [
        Problem(
            severity="warning",
            table=TABLE,
            column="first_day",
            what=f"{what}: each period outside it is taken to be as long as the same one of the nearest year in it",
            mend=f"write the periods from the first record to {FURTHEST_MONTH} months after the last",
        )
        for what in found
    ]
