"""A raw table with our columns, as a country's spreadsheet wrote it -> numbers and dates as our files write them.

Only what can be read in one way is rewritten: `1.234,56` where the table's numbers show a decimal comma, `31.10.2026`
where a day above 12 or that comma shows that the day comes first. What nothing decides is refused, or left to be
refused by the checks, with its line.
"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from forecast.data.checks.table import LINE
from forecast.data.schema import Kind, Table
from forecast.data.sources.tables.decimals import decimal_sign, with_points
from forecast.data.sources.tables.raw import RawTable
from forecast.errors import DataError

_NUMBERS: tuple[Kind, ...] = ("amount", "number")
_DATES: tuple[Kind, ...] = ("date", "timestamp")

_THREE = r"^\s*[+-]?\d{1,3}[.,]\d{3}\s*$"
_TIME = r"(?P<time>[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?"
_DOTTED = rf"^\s*(?P<day>\d{{1,2}})[./](?P<month>\d{{1,2}})[./](?P<year>\d{{4}}){_TIME}\s*$"
_TO_ISO = (
    (_DOTTED, r"\3-0\2-0\1\4"),
    (r"^(\d{4})-0?(\d{2})-0?(\d{2})", r"\1-\2-\3"),
    (r"^(\d{4}-\d{2}-\d{2})[T ](\d):", r"\1T0\2:"),
)
"""Patterns and what replaces them: 1.2.2026 8:05 becomes 2026-01-02 with noughts before, then without, then T08:05."""


def in_our_form(raw: RawTable, table: Table) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the table with numbers and dates as our files write them, and notes on what was read in another form.

    A table with commas between its columns comes as it is, as do Parquet and the numbers of a sheet.

    Raises DataError where an amount such as 1.234 may be a thousand or one, and nothing in the table decides.
    """
    if raw.separator == "," or raw.frame.index.name != LINE:
        return raw.frame, ()
    kinds = {column.name: column.kind for column in table.columns}
    frame = raw.frame.copy(deep=False)
    numbers = [name for name in frame if kinds.get(str(name)) in _NUMBERS]
    decimal = ""
    if raw.separator:
        decimal = decimal_sign(frame[numbers]) or decimal_sign(frame)
        if not decimal:
            _check_thousands(frame[numbers], raw, table.name)
    days_first = _days_first(frame, kinds, decimal)
    dates, shown = [], ""
    for name in frame:
        kind = kinds.get(str(name))
        values = frame[name]
        if values.dtype != "str":
            continue
        if raw.separator and (kind in _NUMBERS or (kind is None and decimal and _all_numbers(values, decimal))):
            frame[name] = with_points(values, decimal)
        elif days_first and (kind in _DATES or (kind is None and _all_match(values, _DOTTED))):
            written = _iso(values)
            if not written.equals(values):
                dates.append(str(name))
                shown = "31/10/2026" if "/" in str(values[_matches(values, _DOTTED)].iloc[0]) else "31.10.2026"
            frame[name] = written
    notes = [f"{raw.file}: dates such as {shown} are read day first in {', '.join(dates)}"] if dates else []
    return frame, tuple(notes)


def _check_thousands(numbers: pd.DataFrame, raw: RawTable, table: str) -> None:
    """Raise DataError for numbers of three digits behind a sign, where no other number shows what the sign is."""
    for name in numbers:
        doubtful = _matches(numbers[name], _THREE)
        if doubtful.any():
            first = numbers[name][doubtful]
            value = str(first.iloc[0]).strip()
            plain = value.replace(".", "").replace(",", "")
            raise DataError(
                f"{value} may be {plain} or {value.replace(',', '.')}, and nothing in {raw.file} decides",
                table=table,
                column=str(name),
                rows=[f"{LINE} {line} ({one!r})" for line, one in first.head().items()],
                count=len(first),
                mend="save amounts without a sign between thousands",
            )


def _days_first(frame: pd.DataFrame, kinds: dict[str, Kind], decimal: str) -> bool:
    """Return whether 31.10.2026 or 31/10/2026 have their day first: a day is above 12, or numbers have a comma."""
    seen = False
    for name in frame:
        if kinds.get(str(name)) in (*_DATES, None) and frame[name].dtype == "str":
            parts = pc.extract_regex(_array(frame[name]), _DOTTED)
            days, months = (pc.cast(pc.struct_field(parts, part), pa.int32()) for part in ("day", "month"))
            if pc.any(pc.greater(months, 12)).as_py():
                return False
            seen |= bool(pc.any(pc.greater(days, 12)).as_py())
    return seen or decimal == ","


def _iso(values: pd.Series) -> pd.Series:
    """Return text with its dates with dots or strokes as ISO dates, hours in two digits."""
    text = _array(values)
    dotted = pc.match_substring_regex(text, _DOTTED)
    written = text
    for pattern, replacement in _TO_ISO:
        written = pc.replace_substring_regex(written, pattern, replacement)
    text = pc.if_else(dotted, written, text)
    return pd.Series(text, index=values.index, name=values.name, dtype="str")


def _all_numbers(values: pd.Series, decimal: str) -> bool:
    thousands = "." if decimal == "," else ","
    sign = "," if decimal == "," else r"\."
    return _all_match(values, rf"^\s*[+-]?(?:\d{{1,3}}(?:[{thousands}]\d{{3}})+|\d+)?(?:{sign}\d+)?\s*$")


def _all_match(values: pd.Series, pattern: str) -> bool:
    some = values.dropna()
    return bool(len(some)) and bool(_matches(some, pattern).all())


def _matches(values: pd.Series, pattern: str) -> pd.Series:
    found = pc.fill_null(pc.match_substring_regex(_array(values), pattern), False)
    return pd.Series(found.to_numpy(zero_copy_only=False), index=values.index)


def _array(values: pd.Series) -> pa.Array:
    return pa.array(values, pa.large_string(), from_pandas=True)
