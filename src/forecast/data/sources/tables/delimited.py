"""A text file with a separator -> its rows as text, each with the line of the file on which it begins."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from forecast.data.checks.table import LINE
from forecast.data.codes import from_chunks
from forecast.data.sources.tables.raw import named
from forecast.data.sources.tables.separator import CALLED
from forecast.errors import DataError

Header = Callable[[Sequence[Sequence[str]]], int]
"""Which of the first rows holds the names of the columns: 0 for the first. A report has titles above it."""

HEAD = 40
"""So many rows are shown to a `Header`."""

_FIRST_BYTES = 1 << 14
_BLOCK = 1 << 20
_LONGEST_BLOCK = 1 << 30


def read_rows(
    data: bytes, separator: str, *, file: str, table: str, ragged: bool, header: Header | None, above: int = 0
) -> pd.DataFrame:
    """Return the rows of a text in UTF-8; empty values are missing, the index is the line on which each begins.

    Parameters
    ----------
    ragged : whether a row may have fewer values than there are columns (the rest is missing), as the foot of a report
        has; or more, if these are empty.
    header : says which row names the columns; by default the first.
    above : lines that stood above the text in the file.

    Raises DataError with the lines of rows of another length, or where a quote is never closed.
    """
    if b'"' in data and _count(data, '"') % 2:
        _check_quotes(data, separator, file=file, table=table)
    names, begins, lines_above = _names(data, separator, header)
    body = memoryview(data)[begins:]
    first = above + lines_above + 1
    values, broken = _parsed(body, len(names), separator, file=file, table=table)
    if broken and ragged:
        frame, lines, broken = _ragged(bytes(body), len(names), separator)
    elif not broken:
        lines = _lines(body, values)
        frame = pd.DataFrame(
            dict(enumerate(map(from_chunks, values.columns))), index=pd.RangeIndex(len(values)), copy=False
        )
    if broken:
        begin = _starts(np.frombuffer(body, dtype=np.uint8))
        raise DataError(
            f"rows with more or fewer values than the {len(names)} columns",
            table=table,
            rows=[f"line {_at(begin, row - 1) + first} ({count} values)" for row, count in broken],
            mend=f"put text that holds {_one(separator)} in double quotes",
        )
    frame.columns = pd.Index(names)
    frame.index = pd.Index(lines + first, name=LINE)
    if ragged or all(column.null_count for column in values.columns):
        return without_blank_rows(frame)
    return frame


def without_blank_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that hold a value; a spreadsheet leaves rows of separators behind."""
    blank = np.ones(len(frame), dtype=bool)
    for column in range(frame.shape[1]):
        blank &= frame.iloc[:, column].isna().to_numpy()
        if not blank.any():
            return frame
    return frame.loc[~blank]


def _at(lines: np.ndarray, row: int) -> int:
    return int(lines[row]) if row < len(lines) else row


def _one(separator: str) -> str:
    return {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}.get(separator, f"the sign {separator}")


def _names(data: bytes, separator: str, header: Header | None) -> tuple[list[str], int, int]:
    """Return the names of the columns, the byte at which the rows begin, and how many lines stand above them."""
    head = _FIRST_BYTES
    while True:
        text = data[:head].decode("utf-8", errors="ignore")
        with _long_values(len(text)):
            reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
            rows = [(record, reader.line_num) for record in islice(reader, 1 if header is None else HEAD)]
        filled = [(record, line) for record, line in rows if record]
        if not filled:
            return [], len(data), 0
        record, line = filled[0 if header is None else header([record for record, _ in filled])]
        begins = _after_lines(data, line)
        if begins < head or head >= len(data):
            return record, begins, line
        head *= 16


def _after_lines(data: bytes, lines: int) -> int:
    """Return the byte behind so many line ends; CR, LF and CRLF are one each."""
    at = seen = 0
    for end in islice(re.finditer(rb"\r\n|\r|\n", data), lines):
        at = end.end()
        seen += 1
    return at if seen == lines else len(data)


def _parsed(
    body: memoryview, columns: int, separator: str, *, file: str, table: str
) -> tuple[pa.Table, list[tuple[int, int]]]:
    """Return the rows as text, and number (from 1, blank lines not counted) and length of those of another length."""
    names = [f"c{number}" for number in range(columns)]
    broken: list[tuple[int, int]] = []

    def note_row(row: pacsv.InvalidRow) -> str:
        broken.append((row.number or 0, row.actual_columns))
        return "skip"

    block = _BLOCK
    while True:
        try:
            read = pacsv.read_csv(
                pa.BufferReader(pa.py_buffer(body)),
                read_options=pacsv.ReadOptions(use_threads=False, column_names=names, block_size=block),
                parse_options=pacsv.ParseOptions(
                    delimiter=separator, newlines_in_values=True, invalid_row_handler=note_row
                ),
                convert_options=pacsv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    strings_can_be_null=True,
                    null_values=[""],
                    quoted_strings_can_be_null=True,
                ),
            )
        except pa.ArrowInvalid as error:
            said = str(error)
            if "Empty CSV" in said:
                return pa.table({name: pa.array([], pa.string()) for name in names}), broken
            if "straddling" in said and block < min(len(body), _LONGEST_BLOCK):
                block *= 16  # a row longer than a block
                broken.clear()
                continue
            raise DataError(
                f"{named(file, table)} cannot be read as CSV ({first_line(error)})",
                table=table,
                mend="write the file again",
            ) from error
        return read, broken


def _ragged(body: bytes, columns: int, separator: str) -> tuple[pd.DataFrame, np.ndarray, list[tuple[int, int]]]:
    """Return rows, lines (from 0) and rows that are too long, where some rows are shorter; slower than `_parsed`."""
    rows: list[list[str | None]] = []
    lines: list[int] = []
    broken: list[tuple[int, int]] = []
    start = number = 0
    with _long_values(len(body)):
        reader = csv.reader(io.StringIO(body.decode("utf-8"), newline=""), delimiter=separator)
        for record in reader:
            if record:
                number += 1
                if any(record[columns:]):
                    broken.append((number, len(record)))
                rows.append([value or None for value in record[:columns]] + [None] * (columns - len(record)))
                lines.append(start)
            start = reader.line_num
    arrays = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    table = pa.table(arrays, names=[f"c{number}" for number in range(columns)])
    return table.to_pandas(), np.array(lines, dtype=np.int64), broken


def _lines(body: memoryview, values: pa.Table) -> np.ndarray:
    """Return how many lines stand before each row. Simple case: one row a line.

    Two complications: values that hold line ends, and blank lines. Then the line ends outside quotes are looked for.
    """
    data = np.frombuffer(body, dtype=np.uint8)
    rows = len(values)
    ends = _count_ends(body)
    if ends == rows:
        return np.arange(rows)
    within = np.zeros(rows, dtype=np.int64)
    for column in values.columns:
        if pc.any(pc.match_substring_regex(column, "[\r\n]")).as_py():
            within += np.asarray(pc.fill_null(pc.count_substring_regex(column, "\r\n|\r|\n"), 0)).astype(np.int64)
    if ends == rows + within.sum():
        return np.cumsum(within + 1) - within - 1
    lines = _starts(data)
    return lines if len(lines) == rows else np.arange(rows)


def _count_ends(body: memoryview) -> int:
    """Return how many lines a text has."""
    if not len(body):
        return 0
    last = body[-1:].tobytes() in (b"\n", b"\r")
    feeds = _count(body, "\n")
    returns = 0
    if feeds == 0 or b"\r" in body.obj:  # type: ignore[operator]
        data = np.frombuffer(body, dtype=np.uint8)
        back = data == ord("\r")
        returns = int(back.sum() - (back[:-1] & (data[1:] == ord("\n"))).sum())
    return feeds + returns + (not last)


def _count(data: bytes | memoryview, sign: str) -> int:
    """Return how often a sign of ASCII is there; several times faster than counting in bytes where there are many."""
    signs = np.frombuffer(data, dtype=np.uint8)
    parts = range(0, len(signs), _BLOCK)  # of a size that stays near the processor
    return sum(int(np.count_nonzero(signs[start : start + _BLOCK] == ord(sign))) for start in parts)


def _starts(data: np.ndarray) -> np.ndarray:
    """Return how many lines stand before each row that is not blank, from line ends outside quotes."""
    feed, back = data == ord("\n"), data == ord("\r")
    end = feed.copy()
    end[:-1] |= back[:-1] & ~feed[1:]
    end[-1:] |= back[-1:]
    quoted = np.bitwise_xor.accumulate((data == ord('"')).view(np.uint8)).view(bool)
    at = np.flatnonzero(end & ~quoted)
    begins = np.concatenate([[0], at + 1])
    until = np.concatenate([at, [len(data)]])
    # A carriage return before the line feed belongs to the line end.
    filled = (until - begins) > ((until > begins) & back[np.maximum(until - 1, 0)])
    return np.concatenate([[0], np.cumsum(end)])[begins[filled]].astype(np.int64)


def _check_quotes(data: bytes, separator: str, *, file: str, table: str) -> None:
    """Raise DataError where a quote is opened and never closed: all that follows would be one value."""
    with _long_values(len(data)):
        reader = csv.reader(io.StringIO(data.decode("utf-8"), newline=""), delimiter=separator, strict=True)
        line = 1
        try:
            for _ in reader:
                line = reader.line_num + 1
        except csv.Error as error:
            if "unexpected end" not in str(error):
                return
            raise DataError(
                f"{named(file, table)} opens a quote and never closes it: it is half written, or a quote is missing",
                table=table,
                rows=[f"line {line}"],
                mend="export the file again, or close the quote",
            ) from error


@contextmanager
def _long_values(length: int) -> Iterator[None]:
    """Let Python's reader take values of any length; it refuses those above 128 KB."""
    before = csv.field_size_limit(max(length, 1 << 17))
    try:
        yield
    finally:
        csv.field_size_limit(before)


def first_line(error: BaseException) -> str:
    """Return what another library says went wrong, short and on one line."""
    return re.sub(r"\s+", " ", str(error).splitlines()[0] if str(error) else type(error).__name__)[:200]


def check_names(names: Sequence[str], *, separator: str, file: str, table: str) -> None:
    """Raise DataError where columns share a name or one has none."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError("this column is there twice", table=table, column=name, mend="keep one of them")
        seen.add(name)
    if "" in seen:
        number = list(names).index("") + 1
        raise DataError(
            f"column {number} of {named(file, table)} has no name", table=table, mend="name it, or take it out"
        )
    other = next((sign for sign in CALLED if len(names) == 1 and sign != separator and sign in names[0]), None)
    if other:
        raise DataError(
            f"the columns of {named(file, table)} are separated by {CALLED[other]}", table=table, mend="add its rows"
        )
