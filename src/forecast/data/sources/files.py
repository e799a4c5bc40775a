"""A folder of files with the canonical names, or one workbook, and company.toml -> `Log`.

A file is read as it is (`tables.read`): its encoding, separator and decimal sign are the reader's business, and what it
decided is a note of the log. Here is what a location consists of: which file or sheet is which table, what is there
twice, misspelt, or none of ours.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import SequenceMatcher
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.data.checks import validation
from forecast.data.checks.validation import validate
from forecast.data.schema import TABLES, Company, Log, Table
from forecast.data.sources.company import FILE, company_from, read_company
from forecast.data.sources.filling import is_unfinished, unfinished
from forecast.data.sources.tables.content import read_bytes
from forecast.data.sources.tables.delimited import check_names
from forecast.data.sources.tables.header import TitlesAbove, has_key, in_our_spelling, spelling_note
from forecast.data.sources.tables.ours import in_our_form
from forecast.data.sources.tables.partitions import is_partitioned, read_partitions, table_named
from forecast.data.sources.tables.raw import WORKBOOK, RawTable, ending, is_table, stem
from forecast.data.sources.tables.read import is_workbook, read_tables
from forecast.data.sources.tables.workbook import Workbook
from forecast.errors import DataError, Problem, did_you_mean

_COMPANY = "company"

_NOT_OURS = (".", "~$")
"""How the names of hidden files begin, and of those that Excel lays beside an open workbook."""

_NEEDED = "it is the one table that is needed"
_FOLDERS_LOOKED_INTO = 50

_VERY_NEAR = 0.88
"""Names at least so alike (1 = the same) are one name misspelt, whatever the file holds."""


@dataclass(kw_only=True)
class Location:
    """What a folder or workbook holds, as far as it could be read.

    folder : the folder, or the one in which the workbook lies: company.toml and the logo are looked for there.
    tables : our tables, text with the lines of their files as index, or typed (Parquet). files : which file each is in.
    company : what company.toml or the sheet `company` says. notes : what was decided, and what is none of ours.
    errors : what could not be read.
    """

    folder: Path
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    company: Company = field(default_factory=Company)
    notes: list[Problem] = field(default_factory=list)
    errors: list[DataError] = field(default_factory=list)


def read(location: str | os.PathLike[str]) -> Log:
    """Read and validate the tables of a folder or workbook.

    Parameters
    ----------
    location : the folder, or a workbook (.xlsx) with a sheet for each table. A relative one is looked for in the
        working directory, then in each folder above it, so that the same `data/sample` works from a notebook and from
        the command line.

    Raises
    ------
    DataError : the folder, a file or a value is not as the data dictionary (data/README.md) says.
    """
    place = locate(location)
    found = read_location(place)
    if found.errors:
        raise found.errors[0]
    log = validate(found.tables, found.company, source=str(place), keep=False)
    return replace(log, notes=(*log.notes, *found.notes)) if found.notes else log


def read_raw(place: Path) -> tuple[dict[str, pd.DataFrame], Company]:
    """Read the tables of a folder or workbook as they are: text with file lines as index, Parquet as typed.

    Returns the tables by name, and the company. Raises DataError for the first file that cannot be read.
    """
    found = read_location(place)
    if found.errors:
        raise found.errors[0]
    return found.tables, found.company


def problems_in(location: str | os.PathLike[str]) -> list[Problem]:
    """Return every problem of a location: files that cannot be read as well as what is wrong in those that can."""
    return examine(location)[1]


def examine(location: str | os.PathLike[str]) -> tuple[Log | None, list[Problem]]:
    """Return the log of a location, None where a problem is fatal, and every problem as `problems_in` gives them."""
    place = locate(location)
    read_in = read_location(place)
    found = [error.problem for error in read_in.errors]
    unread = {problem.table for problem in found}
    log, inside = validation.examine(read_in.tables, read_in.company, source=str(place), keep=False)
    found += [problem for problem in inside if problem.table not in unread] + read_in.notes
    if log is None or any(problem.severity == "fatal" for problem in found):
        return None, found
    return replace(log, notes=(*log.notes, *read_in.notes)), found


def locate(location: str | os.PathLike[str]) -> Path:
    """Return the folder or workbook a location names; a relative one is tried here and then in each folder above."""
    path = Path(location).expanduser()
    here = Path.cwd()
    tried = [path] if path.is_absolute() else [base / path for base in (here, *here.parents)]
    for candidate in tried:
        if candidate.is_dir() or (candidate.is_file() and ending(candidate) in WORKBOOK):
            return candidate
    for candidate in tried:
        if candidate.exists():
            raise DataError(f"{candidate} is a file", mend="name the folder that holds opportunities.csv")
    raise DataError(
        f"there is no folder {str(location)!r}",
        mend="name a folder with opportunities.csv or opportunities.parquet; `forecast simulate` makes one to try",
    )


def read_location(place: Path) -> Location:
    """Return what a folder or workbook holds; what cannot be read is among its errors."""
    found = Location(folder=place if place.is_dir() else place.parent)
    try:
        found.company = read_company(found.folder)
    except DataError as error:
        found.errors.append(error)
    if place.is_dir() and is_unfinished(place):
        found.errors.insert(0, unfinished(place))
    if place.is_dir():
        _read_folder(place, found)
    else:
        _attempt(found, partial(_read_workbook, place, found))
    if "opportunities" not in found.tables and not found.errors:
        where = f"add a sheet of this name; {_NEEDED}" if place.is_file() else _where_it_may_be(place)
        found.errors.append(
            DataError(
                f"this table is missing in {place}",
                table="opportunities",
                mend=where,
            )
        )
    return found


def _where_it_may_be(folder: Path) -> str:
    """Return the mend where a folder has no opportunities: a folder below it that has, else to add them."""
    below = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(_NOT_OURS)]
    for path in below[:_FOLDERS_LOOKED_INTO]:
        if any(_is_table(file) and stem(file) == "opportunities" for file in path.iterdir()):
            return f"it is in {path.name!r} below: name {folder / path.name}"
    return f"add opportunities.csv or opportunities.parquet; {_NEEDED}"


def _is_table(path: Path) -> bool:
    return is_partitioned(path) if path.is_dir() else is_table(path)


# -- a folder ------------------------------------------------------------------------------------------


def _read_folder(folder: Path, found: Location) -> None:
    paths = [path for path in sorted(folder.iterdir()) if not path.name.startswith(_NOT_OURS)]
    parted = [path for path in paths if is_partitioned(path)]
    candidates = [path for path in paths if is_table(path) and path not in parted]
    files = [path for path in candidates if path.is_file()]
    found.errors += _misspelt(paths, files)
    found.errors += [_no_file(path) for path in candidates if path not in files and stem(path) in TABLES]
    others = []
    for path in sorted([*files, *parted]):
        if path in parted:
            _attempt(found, partial(_take_partitions, found, path))
        elif ending(path) in WORKBOOK:
            _attempt(found, partial(_read_workbook_beside, path, found))
        elif stem(path) in TABLES:
            _attempt(found, partial(_take_file, found, path))
        elif ending(path) != ".txt":
            others.append(path.name)
        if path.is_symlink() and path in found.files.values() and not _is_inside(path, folder):
            what = f"{path.name} is a link out of the folder, to {path.resolve()}"
            found.notes.append(Problem(severity="info", table=stem(path), what=what))
    old = [path for path in paths if path.suffix.lower() in (".xls", ".xlsb", ".ods") and path.stem in TABLES]
    found.errors += [_old_workbook(path) for path in old]
    misspelt = {error.problem.table for error in found.errors}
    others = [name for name in others if stem(Path(name)) not in misspelt]
    if others:
        what = f"files that are none of our tables are not read: {', '.join(others)}"
        found.notes.append(Problem(severity="info", what=what))


def _attempt(found: Location, step: Callable[[], None]) -> None:
    try:
        step()
    except DataError as error:
        found.errors.append(error)


def _take_file(found: Location, path: Path) -> None:
    header = TitlesAbove(TABLES[stem(path)])
    raw = read_tables(path, table=stem(path), typed=True, header=header)[0]
    _take(found, path, replace(raw, notes=(*raw.notes, *header.note(raw.file))))


def _take_partitions(found: Location, path: Path) -> None:
    _take(found, path, read_partitions(path, table=table_named(path)))


def _take(found: Location, path: Path, raw: RawTable, *, name: str = "") -> None:
    """Take a raw table as the table of its name, in our form. Raises DataError."""
    name = name or raw.name
    if name in found.files:
        first = found.files[name]
        both = f"{first.name} and {path.name}" if first != path else f"two sheets of {path.name}"
        raise DataError(f"there is {both} for this table", table=name, mend="keep the one that holds, delete the other")
    found.files[name] = path
    raw = _in_our_spelling(replace(raw, frame=_without_empty(raw.frame)), TABLES[name])
    check_names([str(column) for column in raw.frame.columns], separator=raw.separator, file=path.name, table=name)
    frame, notes = in_our_form(raw, TABLES[name])
    found.tables[name] = frame
    found.notes += [Problem(severity="info", table=name, what=note) for note in (*raw.notes, *notes)]


def _in_our_spelling(raw: RawTable, table: Table) -> RawTable:
    """Return the table with columns such as `Created On` under our names, and that this was done."""
    renamed = in_our_spelling([str(name) for name in raw.frame.columns], table)
    if not renamed:
        return raw
    frame = raw.frame.rename(columns=renamed)
    return replace(raw, frame=frame, notes=(*raw.notes, *spelling_note(raw.file, renamed)))


def _without_empty(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns but those without a name and values, which a separator at the end of each line makes."""
    if "" not in frame.columns:
        return frame
    kept = [place for place, name in enumerate(frame.columns) if name or frame.iloc[:, place].notna().any()]
    return frame.iloc[:, kept]


def _is_inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _no_file(path: Path) -> DataError:
    what = "is a link that leads nowhere" if path.is_symlink() and not path.exists() else "is no file"
    return DataError(f"{path.name} {what}", table=stem(path), mend="put the file itself there, or take it away")


def _old_workbook(path: Path) -> DataError:
    return DataError(f"{path.name} is a workbook of another kind", table=path.stem, mend="save it as .xlsx")


def _misspelt(paths: list[Path], files: list[Path]) -> list[DataError]:
    """Return an error for each file whose name is nearly that of company.toml or a table, where that is not there.

    A near name alone is none: accounts.csv is not a misspelt `costs`. The file has the columns of that table, too.
    """
    absent = set(TABLES) - {stem(path) for path in files} - {table_named(path) for path in paths if path.is_dir()}
    errors = []
    if not any(path.name == FILE for path in paths):
        near = [path for path in paths if path.suffix == ".toml" and did_you_mean(path.stem.lower(), [_COMPANY])]
        errors += [
            DataError(f"looks like a misspelt {FILE}", table=path.name, mend=f"rename it to {FILE}") for path in near
        ]
    for path in files:
        name = stem(path)
        hint = did_you_mean(name.lower(), absent) if name not in TABLES else ""
        if hint and ending(path) != ".txt" and _is_meant(path, hint.split("'")[1]):
            errors.append(
                DataError(
                    f"{path.name} looks like a misspelt table: {hint}",
                    table=name,
                    mend="rename the file; or give it another name or another folder if it is none of ours",
                )
            )
    return errors


def _is_meant(path: Path, table: str) -> bool:
    """Return whether a file of a near name holds that table: it has its key, or nearly its name and cannot be read."""
    try:
        columns = read_tables(path, typed=True)[0].frame.columns
    except DataError:
        return SequenceMatcher(None, stem(path).lower(), table).ratio() > _VERY_NEAR
    return set(TABLES[table].key) <= set(map(str, columns))


# -- a workbook ----------------------------------------------------------------------------------------


def _read_workbook(path: Path, found: Location) -> None:
    """Take the sheets that are called like our tables; or the one sheet of a workbook that is called like one.

    Raises DataError where it cannot be read.
    """
    name = stem(path)
    called = name if name in TABLES else path.name
    data = read_bytes(path, table=called)
    if not is_workbook(data, path, table=called):
        if name in TABLES:
            _take(found, path, read_tables(path, table=name)[0])
        else:
            found.notes.append(_no_table_in(path))
        return
    book = Workbook(data, file=path.name, table=called)
    ours = {sheet: sheet.strip().lower().replace(" ", "_").replace("-", "_") for sheet in book.names}
    if not any(name in TABLES for name in ours.values()):
        if name in TABLES:
            _take_only_sheet(found, path, book, name)
        else:
            found.notes.append(_no_table_in(path))
        return
    for sheet, name in ours.items():
        if name in TABLES:
            _attempt(found, partial(_take_sheet, found, path, book, sheet, name))
        elif name == _COMPANY:
            _attempt(found, partial(_take_company, found, book, sheet))
    others = [sheet for sheet, name in ours.items() if name not in TABLES and name != _COMPANY]
    if others:
        what = f"sheets of {path.name} that are none of our tables are not read: {', '.join(others)}"
        found.notes.append(Problem(severity="info", what=what))


def _read_workbook_beside(path: Path, found: Location) -> None:
    """Take what a workbook in a folder holds; one that cannot be read and is not called like a table is left alone."""
    try:
        _read_workbook(path, found)
    except DataError as error:
        if stem(path) in TABLES:
            raise
        what = f"{path.name} is not read: {error.problem.what}"
        found.notes.append(Problem(severity="info", what=what))


def _no_table_in(path: Path) -> Problem:
    what = f"{path.name} is not read: neither it nor a sheet of it is called like one of our tables"
    return Problem(severity="info", what=what)


def _take_sheet(found: Location, path: Path, book: Workbook, sheet: str, name: str) -> None:
    _take(found, path, _sheet(book, sheet, name))


def _sheet(book: Workbook, sheet: str, name: str) -> RawTable:
    """Return a sheet as the table of a name, without titles above it."""
    header = TitlesAbove(TABLES[name])
    raw = book.read(sheet, name=name, table=name, header=header)
    return replace(raw, notes=(*raw.notes, *header.note(raw.file)))


def _take_only_sheet(found: Location, path: Path, book: Workbook, name: str) -> None:
    """Take the sheet that holds the table of a workbook called like it: its only one, or the one with its columns.

    Raises DataError where several have them, or none of several has.
    """
    sheets = {sheet: _sheet(book, sheet, name) for sheet in book.names}
    filled = {sheet: raw for sheet, raw in sheets.items() if raw.frame.shape[1]}
    fitting = [sheet for sheet, raw in filled.items() if has_key(list(map(str, raw.frame.columns)), TABLES[name])]
    if len(filled) > 1 and not fitting:
        what = f"no sheet of {path.name} has the columns of this table: {', '.join(filled)}"
        raise DataError(what, table=name, mend=f"call the sheet that holds it {name!r}")
    if len(fitting) > 1:
        what = f"sheets of {path.name} all have the columns of this table: {', '.join(fitting)}"
        raise DataError(what, table=name, mend="put their rows into one sheet, or take the others out")
    sheet = (fitting or list(filled) or list(sheets))[0]
    others = [one for one in filled if one != sheet]
    if others:
        what = f"sheet {sheet!r} of {path.name} is taken, by its columns; not read: {', '.join(others)}"
        found.notes.append(Problem(severity="info", table=name, what=what))
    _take(found, path, sheets[sheet], name=name)


def _take_company(found: Location, book: Workbook, sheet: str) -> None:
    """Take the company from a sheet of two columns, key and value. Raises DataError."""
    raw = book.read(sheet, name=_COMPANY, table=_COMPANY)
    if (found.folder / FILE).exists():
        raise DataError(f"there is {FILE} and a sheet {_COMPANY!r}", table=_COMPANY, mend="keep one of them")
    rows = [list(map(str, raw.frame.columns)), *raw.frame.astype(object).itertuples(index=False, name=None)]
    pairs = {str(row[0]).strip(): row[1] for row in rows if len(row) > 1 and pd.notna(row[0]) and pd.notna(row[1])}
    pairs.pop("key", None)
    found.company = company_from(_values(pairs), folder=found.folder)


def _values(pairs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the texts of a sheet as the values company.toml would hold: whole numbers, lists, yes and no."""
    usual = {one.name: getattr(Company(), one.name) for one in fields(Company)}
    found: dict[str, Any] = {}
    for key, value in pairs.items():
        text, kind = str(value).strip(), type(usual.get(key))
        if kind is bool:
            found[key] = {"true": True, "false": False}.get(text.lower(), text)
        elif kind is int:
            found[key] = int(text) if text.isdecimal() else text
        elif kind is tuple:
            found[key] = [part.strip() for part in text.split(",") if part.strip()]
        else:
            found[key] = text
    return found
