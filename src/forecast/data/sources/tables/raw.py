"""`RawTable`: what stands in one file or sheet, before anybody says what it means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

DELIMITED = (".csv", ".tsv", ".txt")
"""Text files with a separator; each may be compressed, with `.gz` behind it."""

WORKBOOK = (".xlsx", ".xlsm")

PARQUET = ".parquet"

_GZIP = ".gz"


@dataclass(frozen=True, kw_only=True)
class RawTable:
    """What stands in one file, or in one sheet of a workbook.

    name : what the table is called: the file's name without its endings, or the sheet's.
    file : where a user finds it: `Opportunity.csv`, or `export.xlsx, sheet 'Deals'`.
    frame : the rows. All text, empty cells missing, the index (named `line`) says on which line of the file or row of
        the sheet each begins; columns are named as they are there, twice or not at all where that is so. A Parquet
        file has columns of its own types and rows counted from 0.
    encoding, separator : how a text file was read: `utf-8`, `utf-16-le`, `cp1252`, … and `,` `;` `\\t` `|`; else empty.
    decimal : `,` or `.` where numbers in the text show which sign stands before the decimals; empty where none does.
    notes : what was decided for the user, with its evidence.
    names : all columns of a file of which some were not read, or were read into their kinds at once (`plain`).
    """

    name: str
    file: str
    frame: pd.DataFrame
    encoding: str = ""
    separator: str = ""
    decimal: str = ""
    notes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def ending(path: Path) -> str:
    """Return what kind of file a name promises, in small letters and without `.gz`: `.csv` for `Deals.CSV.gz`."""
    name = path.name.lower()
    return Path(name.removesuffix(_GZIP)).suffix


def stem(path: Path) -> str:
    """Return the name without its endings: `Deals` for `Deals.CSV.gz`."""
    name = path.name[: -len(_GZIP)] if is_gzip(path) else path.name
    return Path(name).stem


def is_gzip(path: Path) -> bool:
    """Return whether a name says that its content is compressed."""
    return path.name.lower().endswith(_GZIP)


def is_table(path: Path) -> bool:
    """Return whether a file's name says that it may hold a table; a `.parquet.gz` or `.xlsx.gz` does not."""
    kind = ending(path)
    return kind in DELIMITED or (not is_gzip(path) and (kind == PARQUET or kind in WORKBOOK))


def named(file: str, table: str) -> str:
    """Return how a message calls the file: by its name, or `the file` where the message begins with it already."""
    return "the file" if table == file else file
