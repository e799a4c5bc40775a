"""`read_file` and `read_tables`: a file as people have it -> raw tables.

    table = read_file(Path("Opportunity.csv"))      # a text file with a separator, or Parquet: one table
    tables = read_tables(Path("export.xlsx"))       # any file: one table, or one a sheet

What a file is, is seen in its bytes, whatever its name says.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from forecast.data.sources.tables import encoding, separator
from forecast.data.sources.tables.content import kind_of, read_bytes
from forecast.data.sources.tables.decimals import decimal_sign
from forecast.data.sources.tables.delimited import Header, read_rows
from forecast.data.sources.tables.raw import RawTable, named, stem
from forecast.errors import DataError

_EMPTY_MEND = "write the table again, or take the file away"


def read_file(path: Path, *, table: str = "", ragged: bool = False, header: Header | None = None) -> RawTable:
    """Read one file into a raw table.

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
    table = table or path.name
    data = read_bytes(path, table=table)
    if not data or data.isspace():
        raise DataError(f"{named(path.name, table)} is empty", table=table, mend=_EMPTY_MEND)
    kind = kind_of(data)
    if kind == "text":
        return read_text(data, name=stem(path), file=path.name, table=table, ragged=ragged, header=header)
    raise DataError(
        f"{named(path.name, table)} is no text with columns but {kind}", table=table, mend="export it as CSV"
    )


def read_tables(path: Path, *, ragged: bool = False, header: Header | None = None) -> list[RawTable]:
    """Read one file into raw tables: one, or one for each sheet of a workbook; parameters and errors as `read_file`."""
    return [read_file(path, ragged=ragged, header=header)]


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
    frame = without_blank_rows(frame)
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


def without_blank_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that hold a value; a spreadsheet leaves rows of separators behind."""
    blank = np.ones(len(frame), dtype=bool)
    for column in range(frame.shape[1]):
        blank &= frame.iloc[:, column].isna().to_numpy()
        if not blank.any():
            return frame
    return frame.loc[~blank]
