"""`read_file` and `read_tables`: a file as people have it -> raw tables.

    table = read_file(Path("Opportunity.csv"))      # a text file with a separator, or Parquet: one table
    tables = read_tables(Path("export.xlsx"))       # any file: one table, or one a sheet

What a file is, is seen in its bytes, whatever its name says.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from forecast.data.sources.tables import encoding, separator
from forecast.data.sources.tables.content import kind_of, read_bytes
from forecast.data.sources.tables.decimals import decimal_sign
from forecast.data.sources.tables.delimited import Header, read_rows
from forecast.data.sources.tables.parquet import as_text, read_parquet
from forecast.data.sources.tables.raw import PARQUET, RawTable, ending, named, stem
from forecast.data.sources.tables.workbook import PASSWORD_MEND, Workbook
from forecast.errors import DataError

_AS_WORKBOOK = "open it in Excel and save it as .xlsx, or as CSV UTF-8"
_NEITHER = {
    "ole": ("is a workbook of Excel 97-2003", _AS_WORKBOOK),
    "html": ("is a web page (HTML) under that name", _AS_WORKBOOK),
    "xml": ("is XML under that name", _AS_WORKBOOK),
    "parquet": ("is Parquet under another name", "name it .parquet"),
}
"""What a file may be instead of text or a workbook, and the mend."""

_EMPTY_MEND = "write the table again, or take the file away"


def read_file(path: Path, *, table: str = "", ragged: bool = False, header: Header | None = None) -> RawTable:
    """Read one file into a raw table; of a workbook the one sheet with anything in it.

    Parameters
    ----------
    table : what errors call it; by default the file's name.
    ragged : whether rows may be shorter than the header, as the foot of a report is; else they are refused.
    header : says which of the first rows holds the names of the columns, for a report with titles above it.

    Raises
    ------
    DataError : the file is empty, damaged or no table, or its bytes do not say how it is to be read; with the line.
    MachineError : the machine would not let it be read.
    """
    found = read_tables(path, table=table, ragged=ragged, header=header)
    if len(found) > 1:
        names = ", ".join(one.file.rpartition("sheet ")[2] for one in found)
        raise DataError(
            f"{named(path.name, table or path.name)} has several sheets with something in them: {names}",
            table=table or path.name,
            mend="keep one table in a workbook, or name its sheets after the tables",
        )
    return found[0]


def read_tables(
    path: Path, *, table: str = "", ragged: bool = False, header: Header | None = None, typed: bool = False
) -> list[RawTable]:
    """Read one file into raw tables: one, or one for each sheet of a workbook that has anything in it.

    A workbook's only table is called after its file; of several each after its sheet.

    typed : whether the columns of a Parquet file keep their types; else they are written as text too.

    Other parameters and errors as in `read_file`.
    """
    table = table or path.name
    if ending(path) == PARQUET:
        frame = read_parquet(path, table=table)
        return [RawTable(name=stem(path), file=path.name, frame=frame if typed else as_text(frame))]
    data = read_bytes(path, table=table)
    if is_workbook(data, path, table=table):
        return _sheets(Workbook(data, file=path.name, table=table), path, header)
    return [read_text(data, name=stem(path), file=path.name, table=table, ragged=ragged, header=header)]


def is_workbook(data: bytes, path: Path, *, table: str) -> bool:
    """Return whether a file's bytes are a workbook's; else they are text.

    Raises DataError where they are neither: a web page or an old workbook under a name that promises a table.
    """
    if not data or data.isspace():
        raise DataError(f"{named(path.name, table)} is empty", table=table, mend=_EMPTY_MEND)
    kind = kind_of(data)
    what = _NEITHER.get(kind)
    if kind == "ole" and "EncryptedPackage".encode("utf-16-le") in data:
        what = "is protected by a password", PASSWORD_MEND
    if what:
        raise DataError(f"{named(path.name, table)} {what[0]}", table=table, mend=what[1])
    return kind == "zip"


def _sheets(book: Workbook, path: Path, header: Header | None) -> list[RawTable]:
    found = [book.read(sheet, name=sheet, table=path.name, header=header) for sheet in book.names]
    filled = [one for one in found if one.frame.shape[1]]
    if not filled:
        raise DataError(f"{named(path.name, book.table)} is empty", table=book.table, mend=_EMPTY_MEND)
    return [replace(filled[0], name=stem(path))] if len(filled) == 1 else filled


def read_text(
    data: bytes, *, name: str, file: str, table: str, ragged: bool = False, header: Header | None = None
) -> RawTable:
    """Return the raw table of a text file's bytes; parameters and errors as in `read_file`."""
    text, called, note = encoding.to_utf8(data, file=file, table=table)
    sign, begins = separator.declared(text)
    above = 1 if begins else 0
    text = text[begins:]
    if not text or text.isspace():
        raise DataError(f"{named(file, table)} is empty", table=table, mend=_EMPTY_MEND)
    sign = sign or separator.recognised(text, file=file, table=table)
    frame = read_rows(text, sign, file=file, table=table, ragged=ragged, header=header, above=above)
    decimal = "" if sign == "," else decimal_sign(frame)
    return RawTable(
        name=name,
        file=file,
        frame=frame,
        encoding=called,
        separator=sign,
        decimal=decimal,
        notes=tuple(one for one in (note, _separated(file, sign, decimal)) if one),
    )


def _separated(file: str, sign: str, decimal: str) -> str:
    if sign == ",":
        return ""
    called = separator.CALLED.get(sign, f"the sign {sign}")
    numbers = {",": ", and a comma before the decimals", ".": ", and a point before the decimals"}.get(decimal, "")
    return f"{file}: read as columns separated by {called}{numbers}"
