"""A workbook (.xlsx) -> its sheets as raw tables of text.

What a cell holds is written as our files write it: 1000, 12.5, true, 2026-10-31, 2026-10-31T17:05:00. Excel's dates are
numbers with a format, counted from 1900 or 1904 as the workbook says. Before a sheet is opened its cells are looked
through: one far off would make a table that fills the memory, and a formula's error or a formula never calculated would
look like an empty cell.
"""

from __future__ import annotations

import datetime as dt
import io
import posixpath
import re
import xml.etree.ElementTree as ET
import zipfile
import zlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

from forecast.data.checks.table import LINE
from forecast.data.sources.tables.content import CHUNK, is_bomb, too_large
from forecast.data.sources.tables.delimited import HEAD, Header, first_line
from forecast.data.sources.tables.raw import RawTable, named
from forecast.errors import ROWS_LISTED, DataError

MOST_CELLS = 40_000_000
"""Cells of the rectangle that a sheet's values span; a million rows of 40 columns."""

_SPARSE = 50
"""A rectangle above a million cells has a value in one of so many at least; else a cell far off makes it so large."""

PASSWORD_MEND = "take the password off: save a copy without it"
_MEND = "open it in Excel and save it again as .xlsx, or as CSV UTF-8"
_EXACT = 1e15
"""Excel keeps 15 digits of a number."""

_MIDNIGHT = dt.time()

# Parts of a sheet's XML; some programs write each name with a prefix (`x:c`).
_OPEN, _VALUE = rb"<(?:\w+:)?c\b", rb"<(?:\w+:)?v"
_COLUMNS = re.compile(_OPEN + rb"[^>]*?\br=[\"']([A-Z]{1,3})\d{1,7}[\"'][^>]*(?<!/)>")
_ROWS = re.compile(_OPEN + rb"[^>]*?\br=[\"'][A-Z]{1,3}(\d{1,7})[\"'][^>]*(?<!/)>")
_PLACED = re.compile(_OPEN + rb"[^>]*?\br\s*=")
_WELL_PLACED = re.compile(_OPEN + rb"[^>]*?\br=[\"'][A-Z]{1,3}[1-9]\d{0,6}[\"']")
_ANY_ERROR, _ANY_FORMULA = re.compile(rb"\bt=[\"']e[\"']"), re.compile(rb"<(?:\w+:)?f\b")
_REFERENCE = re.compile(rb"\br=[\"']([A-Z]{1,3}\d{1,7})[\"']")
_ERROR = re.compile(_OPEN + rb"([^>]*\bt=[\"']e[\"'][^>]*)>.*?" + _VALUE + rb">([^<]*)<", re.DOTALL)
_FORMULA = re.compile(
    _OPEN
    + rb"([^>]*)>\s*<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*(?:"
    + _VALUE
    + rb"\s*/>|"
    + _VALUE
    + rb"></|</(?:\w+:)?c>)"
)
_TEXT = re.compile(rb"\bt=[\"'](?:str|inlineStr)[\"']")


class Workbook:
    """A workbook in memory: the names of its sheets, and each as a raw table. The file is not touched again.

    Raises DataError where it is damaged, protected by a password, no workbook, or made to fill the memory.
    """

    def __init__(self, data: bytes, *, file: str, table: str) -> None:
        self.file, self.table = file, table
        self._parts = _checked(data, file=file, table=table)
        try:
            self._book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        except PasswordError as error:
            raise self._refused(
                "is protected by a password", "take the password off: save a copy without it"
            ) from error
        except (CalamineError, ValueError, OSError) as error:
            raise self._refused(f"cannot be read as a workbook ({first_line(error)})", _MEND) from error

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The sheets of cells that a user sees, in their order; hidden ones hold what programs keep for themselves."""
        return tuple(
            sheet.name
            for sheet in self._book.sheets_metadata
            if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible
        )

    def read(self, sheet: str, *, name: str, table: str, header: Header | None = None) -> RawTable:
        """Return a sheet as a raw table called `name`; `table` is what errors call it, `header` as in `read_rows`."""
        where = f"{self.file}, sheet {sheet!r}"
        self._look_through(sheet, table=table)
        rows = _rows(self._book, sheet, file=self.file, table=table)
        filled = rows[:HEAD]
        if not filled:
            return RawTable(name=name, file=where, frame=pd.DataFrame())
        first = [[_name(cell) for cell in row] for _, row in filled]
        number, _ = filled[0 if header is None else header(first)]
        frame, notes = _frame(rows, number, where=where)
        return RawTable(name=name, file=where, frame=frame, decimal=".", notes=notes)

    def _look_through(self, sheet: str, *, table: str) -> None:
        """Raise DataError where a sheet spans too many cells, or holds an error or a formula never calculated."""
        content = self._parts.get(sheet)
        if content is None:
            raise self._refused(f"has a sheet {sheet!r} that is not in it: it is damaged", _MEND)
        _check_extent(content, sheet, file=self.file, table=table)
        errors = []
        if _ANY_ERROR.search(content):
            errors = [(_place(match[1]), match[2].decode()) for match in _ERROR.finditer(content)]
        if errors:
            raise DataError(
                f"sheet {sheet!r} of {self.file} holds errors of formulas",
                table=table,
                rows=[f"cell {place} ({text})" for place, text in errors[:ROWS_LISTED]],
                count=len(errors),
                mend="mend the formula, or empty the cell, and save again",
            )
        never = []
        if _ANY_FORMULA.search(content):
            never = [_place(match[1]) for match in _FORMULA.finditer(content) if not _TEXT.search(match[1])]
        if never:
            raise DataError(
                f"sheet {sheet!r} of {self.file} holds formulas that were never calculated",
                table=table,
                rows=[f"cell {place}" for place in never[:ROWS_LISTED]],
                count=len(never),
                mend="open it in Excel, let it calculate, and save it again",
            )

    def _refused(self, what: str, mend: str) -> DataError:
        return DataError(f"{named(self.file, self.table)} {what}", table=self.table, mend=mend)


# -- the file ------------------------------------------------------------------------------------------


def _checked(data: bytes, *, file: str, table: str) -> dict[str, bytes]:
    """Return the XML of each sheet by the sheet's name; what is unpacked is counted while it is read.

    Raises DataError where the file is damaged, no workbook, or grows beyond what a table of its size can be.
    """
    subject = named(file, table)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            names = set(packed.namelist())
            if "xl/workbook.xml" not in names:
                raise DataError(f"{subject} is an archive, but no .xlsx workbook", table=table, mend=_MEND)
            total = 0
            parts: dict[str, bytes] = {}
            for name in packed.namelist():
                if not name.endswith((".xml", ".rels")):
                    continue
                kept = name.startswith(("xl/worksheets/", "xl/workbook.xml", "xl/_rels/"))
                pieces = []
                with packed.open(name) as part:
                    while piece := part.read(CHUNK):
                        total += len(piece)
                        if is_bomb(total, len(data)):
                            raise too_large(file, table)
                        if kept:
                            pieces.append(piece)
                parts[name] = b"".join(pieces)
            return _by_sheet(parts)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        if "encrypted" in str(error) or "password" in str(error):
            raise DataError(
                f"{subject} is protected by a password",
                table=table,
                mend=PASSWORD_MEND,
            ) from error
        raise DataError(
            f"{subject} is damaged or half written ({first_line(error)})", table=table, mend="export or copy it again"
        ) from error
    except (ET.ParseError, KeyError) as error:
        raise DataError(
            f"{subject} cannot be read as a workbook ({first_line(error)})", table=table, mend=_MEND
        ) from error


def _by_sheet(parts: dict[str, bytes]) -> dict[str, bytes]:
    """Return the XML of each sheet by the sheet's name, as workbook.xml and its relations say."""
    targets = {
        one.attrib["Id"]: posixpath.normpath(posixpath.join("/xl", one.attrib["Target"])).lstrip("/")
        for one in ET.fromstring(parts["xl/_rels/workbook.xml.rels"])
    }
    found = {}
    for one in ET.fromstring(parts["xl/workbook.xml"]).iter():
        if one.tag.rpartition("}")[2] == "sheet":
            relation = next((value for key, value in one.attrib.items() if key.rpartition("}")[2] == "id"), "")
            content = parts.get(targets.get(relation, ""))
            if content is not None:
                found[one.attrib["name"]] = content
    return found


def _check_extent(content: bytes, sheet: str, *, file: str, table: str) -> None:
    """Raise DataError where the values of a sheet span more cells than a table has."""
    if len(_PLACED.findall(content)) != len(_WELL_PLACED.findall(content)):
        raise DataError(
            f"sheet {sheet!r} of {file} has a cell that is nowhere in a sheet: it is damaged", table=table, mend=_MEND
        )
    rows = _ROWS.findall(content)
    cells, last = len(rows), max(map(int, set(rows)), default=1)
    widest = max(set(_COLUMNS.findall(content)), key=_number, default=b"A")
    columns = _number(widest) + 1
    span = last * columns
    if span > MOST_CELLS or (span > 1_000_000 and span > _SPARSE * cells):
        raise DataError(
            f"sheet {sheet!r} of {file} spans {last:,} rows and {columns:,} columns, with {cells:,} cells in them",
            table=table,
            rows=[f"row {last}, column {widest.decode()}"],
            mend="delete the rows and columns around the table, and save again; a larger table as CSV or Parquet",
        )


def _number(letters: bytes) -> int:
    """Return a column's number from 0: 25 for `Z`, 26 for `AA`."""
    number = 0
    for letter in letters:
        number = 26 * number + letter - ord("A") + 1
    return number - 1


def _place(attributes: bytes) -> str:
    found = _REFERENCE.search(attributes)
    return found[1].decode() if found else "without a place"


# -- cells ---------------------------------------------------------------------------------------------


def _rows(book: CalamineWorkbook, sheet: str, *, file: str, table: str) -> list[tuple[int, list[Any]]]:
    """Return the rows of a sheet that hold anything, each with its number as the user sees it."""
    try:
        read = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
    except (CalamineError, ValueError, OSError) as error:
        raise DataError(
            f"sheet {sheet!r} of {file} cannot be read ({first_line(error)})", table=table, mend=_MEND
        ) from error
    return [(number, row) for number, row in enumerate(read, start=1) if row.count("") < len(row)]


def _frame(
    rows: Sequence[tuple[int, Sequence[Any]]], header: int, *, where: str
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the rows below the header as text, without columns that hold nothing, and notes."""
    names = [_name(cell) for number, row in rows if number == header for cell in row]
    below = [(number, row) for number, row in rows if number > header]
    columns: list[pa.Array] = []
    kept: list[str] = []
    long: list[str] = []
    for position, name in enumerate(names):
        cells = [row[position] for _, row in below]
        if not name and cells.count("") == len(cells):
            continue
        columns.append(pa.array(_texts(cells), pa.large_string()))
        kept.append(name)
        if float in set(map(type, cells)) and any(isinstance(cell, float) and abs(cell) >= _EXACT for cell in cells):
            long.append(name)
    frame = pa.table(columns, names=[f"c{number}" for number in range(len(kept))]).to_pandas()
    frame.columns = pd.Index(kept, dtype="str" if kept else object)
    frame.index = pd.Index(np.array([number for number, _ in below], dtype=np.int64), name=LINE)
    notes = [f"{where}: {name} holds numbers of 16 digits or more, of which Excel keeps 15" for name in long]
    return frame, tuple(notes)


def _name(cell: object) -> str:
    return _texts([cell])[0] or ""


def _texts(cells: Sequence[Any]) -> list[str | None]:
    """Return the cells of a column as text, None where they are empty.

    >>> _texts([100.0, 0.5, True, "", dt.date(2026, 10, 31)])
    ['100', '0.5', 'true', None, '2026-10-31']
    """
    if set(map(type, cells)) <= {str}:
        return [cell or None for cell in cells]
    whole_days = not any(isinstance(cell, dt.datetime) and cell.time() != _MIDNIGHT for cell in cells)
    return [_text(cell, whole_days=whole_days) for cell in cells]


def _text(cell: Any, *, whole_days: bool) -> str | None:
    if isinstance(cell, str):
        return cell or None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float | int):
        return str(int(cell)) if abs(cell) < _EXACT * 1e6 and cell == int(cell) else repr(cell)
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat() if whole_days else cell.isoformat()
    if isinstance(cell, dt.date):
        return cell.isoformat() if whole_days else f"{cell.isoformat()}T00:00:00"
    return str(cell)
