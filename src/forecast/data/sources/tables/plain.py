"""A text file in the plainest form -> its columns in their kinds at once, without being text first.

An API or a connector writes a million rows all alike: commas, one header line, moments with their offset, days as
2026-10-31, numbers as 12500.5. Arrow then reads each column into its kind while it parts the line, and leaves out
columns that nobody needs. The file's first rows say whether it may be such a file; a single row further down that is
not ends the attempt, and `read` reads the whole file as text, with every question that text raises.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv

from forecast.data.checks.table import LINE
from forecast.data.codes import column_of, from_dictionary, text_column
from forecast.data.sources.tables import separator
from forecast.data.sources.tables.content import LARGEST, kind_of
from forecast.data.sources.tables.delimited import HEAD, Header
from forecast.data.sources.tables.raw import DELIMITED, RawTable, ending, is_gzip, stem
from forecast.errors import DataError

Plain = Literal["moment", "day", "number", "key", "text"]
"""What a column is read as: UTC moments, days, float64, text that repeats and names rows of another table, text."""

_HEAD = 1 << 16
_BLOCK = 1 << 19
_FEWEST_COLUMNS = 2

_MARK = b"\xef\xbb\xbf"
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:?\d\d)")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_WHOLE = re.compile(r"[+-]?\d{1,15}")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
_DECIMALS = re.compile(r"\.\d{1,2}$|\.\d{4,}|^[+-]?0\.|\d{4,}\.")
"""A point that parts decimals, not thousands: one such value in a column decides for all of it."""

_TEXT, _CODES = pa.large_string(), pa.dictionary(pa.int32(), pa.string())


class _NotPlainError(Exception):
    """The file is of another form further down."""


@dataclass(frozen=True, kw_only=True)
class _Start:
    """How a file begins: the names of its columns, whole rows (text), and whether values are quoted."""

    names: list[str]
    rows: list[list[str]]
    quoted: bool


def read_plain(
    path: Path, *, columns: Callable[[Sequence[str]], Mapping[str, Plain]], header: Header | None = None
) -> RawTable | None:
    """Return the table of a file in the plainest form; None where it is of another, or cannot be read.

    Parameters
    ----------
    columns : the file's columns -> those that are read, and what each is. One that does not begin so is read as text.
    header : says which of the first rows holds the names; a file with titles above them is not plain.

    The frame has rows by their line, as `read_file` gives them; its text is not trimmed. `names` are all columns of
    the file, also those that are not read.
    """
    try:
        start = _start(path, header)
        if start is None:
            return None
        kinds = columns(start.names)
        read = _parsed(path, start, {name: _type(start, name, kind) for name, kind in kinds.items()})
    except (_NotPlainError, pa.ArrowInvalid, pa.ArrowKeyError, OSError, UnicodeDecodeError, csv.Error, DataError):
        return None
    found = {name: _column(read.column(name), kind) for name, kind in kinds.items()}
    if any(column is None for column in found.values()):
        return None
    frame = pd.DataFrame(found, copy=False).set_axis(pd.RangeIndex(2, read.num_rows + 2, name=LINE))
    return RawTable(
        name=stem(path), file=path.name, frame=frame, encoding="utf-8", separator=",", names=tuple(start.names)
    )


def _start(path: Path, header: Header | None) -> _Start | None:
    """Return how a file begins; None where it is no text parted by commas, or its first line does not name columns."""
    if ending(path) not in DELIMITED or is_gzip(path) or path.stat().st_size > LARGEST:
        return None
    with path.open("rb") as file:
        head = file.read(_HEAD + 1).removeprefix(_MARK)
    if not head or b"\0" in head or kind_of(head) != "text" or separator.declared(head)[0]:
        return None
    if separator.recognised(head, file=path.name, table=path.name) != ",":
        return None
    whole = len(head) <= _HEAD - len(_MARK)
    text = head.decode("utf-8", errors="strict" if whole else "ignore")
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True)) if whole else _whole_rows(text)
    if len(rows) < _FEWEST_COLUMNS or (header is not None and header(rows[:HEAD])):
        return None
    names = rows[0]
    if len(names) < _FEWEST_COLUMNS or len(set(names)) < len(names) or any(name != name.strip() for name in names):
        return None
    if "" in names or "\n" in "".join(names) or any(len(row) != len(names) for row in rows):
        return None
    return _Start(names=names, rows=rows[1:], quoted='"' in text)


def _whole_rows(text: str) -> list[list[str]]:
    """Return the rows of the beginning of a text, but the last, which breaks off."""
    rows: list[list[str]] = []
    try:
        rows.extend(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        return rows  # it breaks off inside quotes
    return rows[:-1]


def _type(start: _Start, name: str, kind: Plain) -> pa.DataType:
    """Return what a column is read as, by its first values: as its kind where all of them are."""
    place = start.names.index(name)
    values = [row[place] for row in start.rows if row[place]]
    if values and kind == "moment" and _all(values, _MOMENT):
        return pa.timestamp("us", "UTC")
    if values and kind == "day" and _all(values, _DAY):
        return pa.date32()
    if values and kind == "number" and _all(values, _WHOLE):
        return pa.int64()
    if values and kind == "number" and _all(values, _NUMBER) and any(map(_DECIMALS.search, values)):
        return pa.float64()
    return _CODES if kind == "key" or 2 * len(set(values)) <= len(values) else _TEXT


def _all(values: Sequence[str], pattern: re.Pattern[str]) -> bool:
    return all(pattern.fullmatch(value) for value in values)


class _Watched(io.RawIOBase):
    """A file that is looked through while it is read: it ends the attempt at what a plain one does not have."""

    def __init__(self, path: Path, *, quoted: bool) -> None:
        """quoted : whether values may stand in quotes; its quotes and line ends are counted then."""
        self._file = path.open("rb", buffering=0)
        self._quoted = quoted
        self.quotes = self.lines = 0
        self._last = b""

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes. Raises `_NotPlainError`."""
        part = self._file.read(size)
        if b"\0" in part or (not self._quoted and b'"' in part):
            raise _NotPlainError
        if self._quoted:
            signs = np.frombuffer(part, dtype=np.uint8)
            self.quotes += int(np.count_nonzero(signs == ord('"')))
            self.lines += int(np.count_nonzero(signs == ord("\n")))
            self._last = part[-1:] or self._last
        return part

    def is_row_a_line(self, rows: int) -> bool:
        """Return whether so many rows and a header stand on as many lines, with each quote closed."""
        lines = self.lines + (self._last != b"\n")
        return not self._quoted or (self.quotes % 2 == 0 and lines == rows + 1)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def _parsed(path: Path, start: _Start, types: Mapping[str, pa.DataType]) -> pa.Table:
    """Return the columns of a file as Arrow reads them. Raises `_NotPlainError` or ArrowInvalid."""
    with _Watched(path, quoted=start.quoted) as file:
        read = pacsv.read_csv(
            pa.PythonFile(file, mode="r"),
            read_options=pacsv.ReadOptions(use_threads=False, column_names=start.names, skip_rows=1, block_size=_BLOCK),
            parse_options=pacsv.ParseOptions(
                quote_char='"' if start.quoted else False, newlines_in_values=start.quoted, ignore_empty_lines=False
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=dict(types),
                include_columns=list(types),
                strings_can_be_null=True,
                null_values=[""],
                quoted_strings_can_be_null=True,
            ),
        )
        if not read.num_rows or not file.is_row_a_line(read.num_rows) or _has_blank_row(read):
            raise _NotPlainError
    return read


def _has_blank_row(read: pa.Table) -> bool:
    """Return whether a row holds nothing in any column, as a blank line does."""
    blank = np.ones(read.num_rows, dtype=bool)
    for column in read.columns:
        if not column.null_count:
            return False
        blank &= np.asarray(column.is_null())
    return bool(blank.any())


def _column(values: pa.ChunkedArray, kind: Plain) -> pd.Series | None:
    """Return a column as pandas has it; None where a number is none (`nan`, `inf`)."""
    if pa.types.is_dictionary(values.type):
        found = values.unify_dictionaries().combine_chunks()
        found = found.chunk(0) if isinstance(found, pa.ChunkedArray) else found
        if kind != "key":
            return from_dictionary(found)
        return column_of(pa.DictionaryArray.from_arrays(found.indices, found.dictionary.cast(_TEXT)))
    if values.type == _TEXT:
        return text_column(values)
    if pa.types.is_timestamp(values.type):
        clock = values.cast(pa.timestamp("us")).to_numpy()
        return pd.Series(clock, copy=False).dt.tz_localize("UTC")
    if pa.types.is_date32(values.type):
        return pd.Series(values.cast(pa.timestamp("us")).to_numpy(), copy=False)
    numbers = values.cast(pa.float64()).to_numpy()
    return pd.Series(numbers, copy=False) if np.isfinite(numbers).sum() == len(values) - values.null_count else None
