"""Hold one table against its declaration: columns, kinds, empty values, allowed values, bounds, key.

The checks are plain array work, because every notebook's kernel reads the log; the tests hold them against a
pandera schema built from the same declaration (docs/decisions/checks_without_pandera.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from forecast.data.checks.kinds import LOOKS, distinct, inferred, padded, plain, to_kind
from forecast.data.keys import key_order, labels
from forecast.data.schema import TABLES, TOTAL, Column, Company, Table
from forecast.data.text import coded
from forecast.errors import DataError, nearest

Severity = Literal["fatal", "warning", "info"]

LINE = "line"
"""Name of the index of a frame that came from a CSV file: its values are the file's line numbers."""

_SHOWN = 5


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the data. `rows` are the first few of `count`, as a user finds them."""

    severity: Severity
    table: str
    column: str
    what: str
    rows: tuple[str, ...] = ()
    count: int = 0
    mend: str = ""

    def error(self) -> DataError:
        """Return the exception that says the same."""
        return DataError(
            self.what,
            table=self.table,
            column=self.column or None,
            rows=self.rows,
            count=self.count,
            mend=self.mend or None,
        )


def rows_at(frame: pd.DataFrame, mask: np.ndarray, key: Sequence[str], column: str = "") -> tuple[str, ...]:
    """Return how a user finds the first rows of a mask: line of the file, or else key; with the value of `column`."""
    first = np.flatnonzero(np.asarray(mask))[:_SHOWN]
    shown = []
    for position in first:
        row = frame.iloc[int(position)]
        if frame.index.name == LINE:
            name = f"line {frame.index[int(position)]}"
        else:
            parts = [_text(row[part]) for part in key if part in frame]
            name = " / ".join(parts) if parts else f"row {int(position) + 1}"
        if column and column in frame and pd.notna(row[column]) and (frame.index.name == LINE or [column] != list(key)):
            name += f" ({_text(row[column])!r})"
        shown.append(name)
    return tuple(shown)


def _text(value: object) -> str:
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d" if value == value.normalize() else "%Y-%m-%dT%H:%M:%S")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


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
) -> list[Problem]:
    """Return the problem of the rows in `mask` as a list of one, or an empty list where there are none.

    `show` is the column whose value is shown beside each row, `column` itself by default.
    """
    mask = np.asarray(mask, dtype=bool)
    if not mask.any():
        return []
    rows = rows_at(frame, mask, TABLES[table].key, column if show is None else show)
    return [Problem(severity, table, column, what, rows, int(mask.sum()), mend)]


def check_table(name: str, raw: pd.DataFrame, company: Company) -> tuple[pd.DataFrame, list[Problem]]:
    """Return the table in its declared kinds, with the index it came with, and every problem found in it.

    Columns that could not be read are absent from what is returned where they are required and missing, and hold
    missing values where single values would not go; either way a fatal problem says so.
    """
    table = TABLES[name]
    found = _check_columns(table, raw)
    columns: dict[str, pd.Series] = {}
    if not raw.columns.is_unique:
        raw = raw.loc[:, ~raw.columns.duplicated()]
    for declared in _declared(table, raw):
        values = plain(raw[declared.name])
        typed, bad = to_kind(values, declared.kind, timezone=company.timezone)
        columns[declared.name] = typed = coded(typed)
        found += problem_at(
            raw,
            bad,
            table=name,
            column=declared.name,
            what=f"{'a value is' if bad.sum() == 1 else 'values are'} not {LOOKS[declared.kind]}",
            mend=f"write {LOOKS[declared.kind]}" + ("; leave it empty where it is not known" * declared.nullable),
        )
        found += _check_values(table, declared, raw, values, typed)
    if table.extra_columns:
        for extra in raw.columns.difference(list(columns), sort=False):
            columns[extra] = coded(inferred(plain(raw[extra]), timezone=company.timezone))
    # Nothing is copied that came typed: a log of millions of rows is there once.
    frame = pd.DataFrame(columns, index=raw.index, copy=False)
    found += _check_key(table, frame)
    return frame, found


def _declared(table: Table, raw: pd.DataFrame) -> list[Column]:
    """Return the declared columns that are there; a column history takes over from opportunities keeps its kind."""
    there = [column for column in table.columns if column.name in raw]
    if table.name == "opportunity_history":
        own = {column.name for column in table.columns}
        there += [
            replace(column, required=False, nullable=True)
            for column in TABLES["opportunities"].columns
            if column.name in raw and column.name not in own
        ]
    return there


def _check_columns(table: Table, raw: pd.DataFrame) -> list[Problem]:
    names = [str(name) for name in raw.columns]
    found = [
        Problem("fatal", table.name, name, "this column is there twice", (), names.count(name), "keep one of them")
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    known = {column.name for column in table.columns}
    unknown = [name for name in names if name not in known]
    for column in table.columns:
        if column.required and column.name not in names:
            hint = nearest(column.name, unknown)
            mend = f"add the column {column.name} ({column.meaning})"
            if hint.startswith("did you mean"):
                mend = f"{hint} Rename it to {column.name!r}"
            found.append(Problem("fatal", table.name, column.name, "this column is missing", (), 0, mend))
    optional = [column.name for column in table.columns if column.name not in names and not column.required]
    for name in unknown:
        hint = nearest(name, optional)
        close = hint.startswith("did you mean")
        if not table.extra_columns:
            mend = f"{hint} Rename it" if close else "take it out, or keep it as a remark: nothing reads it"
            found.append(Problem("warning", table.name, name, "this column is not known and is left out", (), 0, mend))
        elif close and table.name != "opportunity_history":
            found.append(
                Problem("warning", table.name, name, "looks like a misspelt column", (), 0, f"{hint} Rename it if so")
            )
    if raw.empty:
        severity: Severity = "fatal" if table.name == "opportunities" else "warning"
        mend = "put the rows in" if severity == "fatal" else "put the rows in, or take the file away"
        found.append(Problem(severity, table.name, "", "there are no rows in it", (), 0, mend))
    return found


def _check_values(
    table: Table, declared: Column, raw: pd.DataFrame, values: pd.Series, typed: pd.Series
) -> list[Problem]:
    found = []
    name = declared.name

    def add(mask: object, what: str, mend: str, severity: Severity = "fatal") -> None:
        found.extend(
            problem_at(
                raw,
                np.asarray(mask),
                table=table.name,
                column=name,
                what=what,
                mend=mend,
                severity=severity,
            )
        )

    missing = np.asarray(values.isna())
    if not declared.nullable and missing.any():
        add(missing, "this must not be empty", f"fill in {declared.meaning}, or take the rows out")
    if name == "segment":
        names = distinct(typed)
        reserved = set(names[names.str.strip().str.casefold() == TOTAL.casefold()])
        if reserved:
            add(
                typed.isin(reserved),
                f"{TOTAL!r} is reserved for the sum over segments",
                "rename the segment, or take out the rows if they are sums",
            )
        if table.name == "opportunity_history" and missing.any():
            add(missing, "this must not be empty", "fill in the segment in every row, or leave the column out")
    if declared.kind in ("text", "key"):
        loose = padded(typed)
        if loose:
            add(typed.isin(loose), "blanks around the text", "take the blanks out: 'North ' is not 'North'", "warning")
        if declared.values:
            wrong = [value for value in distinct(typed) if value not in declared.values]
            if wrong:
                hint = nearest(wrong[0].strip().lower(), declared.values)
                add(
                    typed.isin(wrong),
                    f"must be one of {', '.join(declared.values)}",
                    f"{wrong[0]!r}: {hint}",
                )
    if declared.kind in ("amount", "number"):
        numbers = typed.to_numpy()
        add(np.isinf(numbers), "is infinite", "write the number, or leave it empty where it is not known")
        if declared.minimum is not None:
            below = (numbers < declared.minimum) & ~np.isinf(numbers)
            what = "is negative" if declared.minimum == 0 else f"is below {declared.minimum:g}"
            add(below, what, "correct the sign, or take the rows out")
        most = 1.0 if declared.unit == "0 to 1" else declared.maximum
        if most is not None:
            mend = "write a share such as 0.25, not 25" if declared.unit == "0 to 1" else "correct it"
            add((numbers > most) & ~np.isinf(numbers), f"is above {most:g}", mend)
    return found


def _check_key(table: Table, frame: pd.DataFrame) -> list[Problem]:
    key = [name for name in table.key if name in frame]
    required = [name for name in table.key if table.column(name).required]  # type: ignore[union-attr]
    if not set(required) <= set(key):
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
