"""Hold one table against its declaration: columns, kinds, empty values, allowed values, bounds, key.

The checks are plain array work: a value that does not fit is found while its column is read into its kind, with the
line it stands on and the mend, which an engine that checks the typed table afterwards cannot name
(docs/decisions/checks_without_pandera.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from forecast.data.checks.columns import check_columns
from forecast.data.checks.kinds import LOOKS, are_day_numbers, as_kind, days_at_midnight_utc, unread_zones
from forecast.data.codes import distinct, key_order, labels, padded, repeats
from forecast.data.schema import TABLES, TOTAL, Column, Company, Kind, Table
from forecast.data.zones import ambiguity
from forecast.errors import ROWS_LISTED, Problem, Severity, nearest, shortened

BEGINS = "partitions"
"""Under this attribute a raw table keeps the names of its partitions, each with the number of its first row."""

LINE = "line"
"""Name of the index of a frame that came from a CSV file: its values are the file's line numbers."""

_Found = Callable[..., list[Problem]]
"""`problem_at` with the table and column filled in."""


def check_table(name: str, raw: pd.DataFrame, company: Company) -> tuple[pd.DataFrame, list[Problem]]:
    """Return the table in its declared kinds, with the index it came with, and every problem found in it.

    Columns that could not be read are absent from what is returned where they are required and missing, and hold
    missing values where single values would not go; either way a fatal problem says so.
    """
    table = TABLES[name]
    found = check_columns(table, raw)
    columns: dict[str, pd.Series] = {}
    if not raw.columns.is_unique:
        raw = raw.loc[:, ~raw.columns.duplicated()]
    for name_of, declared in _taken(table, raw).items():
        kind = None if declared is None else declared.kind
        values, dates = _dates_alone(raw[name_of], kind, company, name, str(name_of))
        found += dates
        typed, bad = as_kind(values, kind, timezone=company.timezone)
        columns[name_of] = typed
        if declared is not None:
            found += _check_values(table, declared, raw, typed, bad, company=company)
    # Nothing is copied that came typed: a log of millions of rows is there once.
    frame = pd.DataFrame(columns, index=raw.index, copy=False)
    frame.attrs = raw.attrs  # in which partition a row lies
    found += _check_key(table, frame)
    frame.attrs = {}
    return frame, found


def _dates_alone(
    values: pd.Series, kind: Kind | None, company: Company, table: str, column: str
) -> tuple[pd.Series, list[Problem]]:
    """Return a column of dates without the midnight UTC that all of them bear, and that this was done."""
    days = days_at_midnight_utc(values) if kind in ("date", None) and company.timezone != "UTC" else None
    if days is None:
        return values, []
    what = f"every value is midnight UTC: read as dates, not as moments in {company.timezone}"
    return days, [Problem(severity="info", table=table, column=column, what=what)]


def problem_at(
    frame: pd.DataFrame,
    mask: np.ndarray,
    *,
    table: str,
    column: str,
    what: str,
    mend: str,
    severity: Severity = "fatal",
    show: str | None = None,
    evidence: str = "",
) -> list[Problem]:
    """Return the problem of the rows in `mask` as a list of one, or an empty list where there are none.

    `show` is the column whose value each row is listed with, `column` itself by default; `evidence` the numbers it
    rests on.
    """
    mask = np.asarray(mask, dtype=bool)
    if not mask.any():
        return []
    rows = _rows_at(frame, mask, TABLES[table].key, column if show is None else show)
    return [
        Problem(
            severity=severity,
            table=table,
            column=column,
            what=what,
            rows=rows,
            count=int(mask.sum()),
            mend=mend,
            evidence=evidence,
        )
    ]


def _rows_at(frame: pd.DataFrame, mask: np.ndarray, key: Sequence[str], column: str = "") -> tuple[str, ...]:
    """Return how a user finds the first rows of a mask: line of the file, or else key; with the value of `column`."""
    first = np.flatnonzero(np.asarray(mask))[:ROWS_LISTED]
    shown = []
    named = [name for name in dict.fromkeys([*key, column]) if name in frame]
    for position in first:
        row = {name: frame[name].iloc[int(position)] for name in named}
        if frame.index.name == LINE:
            name = f"line {frame.index[int(position)]}"
        else:
            parts = [_text(row[part]) for part in key if part in row]
            name = " / ".join(parts) if parts else f"row {int(position) + 1}"
        if column in row and pd.notna(row[column]) and (frame.index.name == LINE or [column] != list(key)):
            name += f" ({_text(row[column])!r})"
        shown.append(name + _partition(frame, int(position)))
    return tuple(shown)


def _partition(frame: pd.DataFrame, row: int) -> str:
    """Return in which partition a row lies; nothing where the table is one file."""
    begins = frame.attrs.get(BEGINS, {})
    inside = [name for name, begin in begins.items() if begin <= row]
    return f" in {inside[-1]}" if inside else ""


def _text(value: object) -> str:
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d" if value == value.normalize() else "%Y-%m-%dT%H:%M:%S")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return shortened(str(value))


# -- columns --------------------------------------------------------------------------------------------


def _taken(table: Table, raw: pd.DataFrame) -> dict[str, Column | None]:
    """Return the columns that are read, declared ones first; None for one of the company's own.

    A column that history takes over from opportunities is of the same kind there.
    """
    declared = {column.name: column for column in table.columns}
    if table.name == "opportunity_history":
        for column in TABLES["opportunities"].columns:
            declared.setdefault(column.name, replace(column, required=False, nullable=True))
    taken: dict[str, Column | None] = {name: column for name, column in declared.items() if name in raw}
    if table.extra_columns:
        taken |= dict.fromkeys(name for name in raw.columns if name not in taken)
    return taken


# -- values ---------------------------------------------------------------------------------------------


def _check_values(
    table: Table, declared: Column, raw: pd.DataFrame, typed: pd.Series, bad: np.ndarray, *, company: Company
) -> list[Problem]:
    """Return what is wrong with the values of one column; `bad` are those that would not go into its kind."""
    at = partial(problem_at, raw, table=table.name, column=declared.name)
    missing = np.asarray(typed.isna()) & ~bad
    what = f"{'a value is' if bad.sum() == 1 else 'values are'} not {LOOKS[declared.kind]}"
    found = at(bad, what=what, mend=_how_to_write(declared, raw[declared.name], bad, company))
    if not declared.nullable:
        found += at(missing, what=_EMPTY, mend=f"fill in {declared.meaning}, or take the rows out")
    if declared.kind in ("amount", "number"):
        found += _check_numbers(at, declared, typed.to_numpy())
    if declared.kind in ("text", "key"):
        found += _check_text(at, declared, typed)
    if declared.name == "segment" and table.name == "opportunity_history":
        found += at(missing, what=_EMPTY, mend="fill in the segment in every row, or leave the column out")
    return found


def _how_to_write(declared: Column, values: pd.Series, bad: np.ndarray, company: Company) -> str:
    """Return how to write the values of a mask, which would not go into their column's kind."""
    if declared.kind in ("date", "timestamp") and bad.any():
        if are_day_numbers(values, bad):
            return "they look like a spreadsheet's day numbers: format the column as a date there, then save it again"
        zones = unread_zones(values, bad, company.timezone)
        if zones:
            return f"{ambiguity(zones[0])}: write the offset (-06:00), or set the company's timezone in company.toml"
    return f"write {LOOKS[declared.kind]}" + ("; leave it empty where it is not known" * declared.nullable)


_EMPTY = "this must not be empty"

_MOST = 1e15
"""An amount or number beyond this is none: no deal is as large in any currency, and to sums of it cents are lost."""


def _check_numbers(at: _Found, declared: Column, numbers: np.ndarray) -> list[Problem]:
    share = declared.unit == "0 to 1"
    most = 1.0 if share else declared.maximum
    lowest = -_MOST if declared.minimum is None else max(declared.minimum, -_MOST)
    highest = _MOST if most is None else min(most, _MOST)
    if not len(numbers) or not (np.fmin.reduce(numbers) < lowest or np.fmax.reduce(numbers) > highest):
        return []
    infinite = np.isinf(numbers)
    found = at(infinite, what="is infinite", mend="write the number, or leave it empty where it is not known")
    vast = (np.abs(numbers) > _MOST) & ~infinite
    found += at(vast, what=f"is beyond any sum of money (above {_MOST:.0e})", mend="write the amount as it was agreed")
    if declared.minimum is not None:
        what = "is negative" if declared.minimum == 0 else f"is below {declared.minimum:g}"
        below = (numbers < declared.minimum) & ~infinite
        found += at(below, what=what, mend="correct the sign, or take the rows out")
    if most is not None:
        mend = "write a share such as 0.25, not 25" if share else "correct it"
        found += at((numbers > most) & ~infinite, what=f"is above {most:g}", mend=mend)
    return found


def _check_text(at: _Found, declared: Column, typed: pd.Series) -> list[Problem]:
    found: list[Problem] = []
    names = distinct(typed) if declared.values or declared.name == "segment" else []
    reserved = [name for name in names if name.strip().casefold() == TOTAL.casefold()]
    if reserved and declared.name == "segment":
        found += at(
            np.asarray(typed.isin(reserved)),
            what=f"{TOTAL!r} is reserved for the sum over segments",
            mend="rename the segment, or take out the rows if they are sums",
        )
    loose = padded(typed)
    if loose:
        found += at(
            np.asarray(typed.isin(loose)),
            what="blanks around the text",
            mend="take the blanks out: 'North ' is not 'North'",
            severity="warning",
        )
    wrong = [name for name in names if name not in declared.values] if declared.values else []
    if wrong:
        found += at(
            np.asarray(typed.isin(wrong)),
            what=f"must be one of {', '.join(declared.values)}",
            mend=f"{shortened(wrong[0])!r}: {nearest(wrong[0].strip().lower(), declared.values)}",
        )
    return found


def _check_key(table: Table, frame: pd.DataFrame) -> list[Problem]:
    key = [name for name in table.key if name in frame]
    required = [column.name for column in table.columns if column.name in table.key and column.required]
    if not key or not set(required) <= set(key):
        return []
    if len(key) == 1 and frame[key[0]].dtype == "str" and not repeats(frame[key[0]]):
        return []
    numbers = [labels(frame[name]) for name in key]
    order = key_order(numbers)
    same = np.ones(max(len(frame) - 1, 0), dtype=bool)
    for number in numbers:
        number = number if order is None else number[order]
        same &= number[1:] == number[:-1]
    twice = np.append(same, False)[: len(frame)]
    twice[1:] |= same
    if order is not None:
        twice[order] = twice.copy()
    twice &= np.asarray(frame[required].notna().all(axis=1))
    mend = "keep one of them" if len(key) == 1 else f"keep one row for each {', '.join(key)}"
    if table.name == "opportunity_history":
        mend = "two states at one moment cannot be put in order: keep the later one, or write the exact times"
    return problem_at(
        frame,
        twice,
        table=table.name,
        column=", ".join(key),
        what="the key is there more than once",
        mend=mend,
        show=key[0],
    )
