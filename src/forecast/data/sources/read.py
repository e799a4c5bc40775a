"""The log of a location: a folder of files, a workbook, a database, or a TOML file that names a database.

Simple case: a folder, whose files are read where they are. A database is first copied into a folder of Parquet files
that only this user can read and that is gone afterwards: all of it is read at one moment and in one order, and from
there on it is a folder like any other.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pandas as pd

from forecast.data.schema import Company, Log
from forecast.data.sources import files
from forecast.data.sources.company import FILE, text_ending_on, write_company
from forecast.data.sources.database.place import Place, is_address, place_in, place_of
from forecast.data.sources.private import private_folder
from forecast.data.sources.tables.partitions import files_of
from forecast.errors import MachineError, Problem


def read(location: str | os.PathLike[str]) -> Log:
    """Read and validate the tables of a location.

    Parameters
    ----------
    location : a folder; a workbook; a database, such as `postgresql://host/sales?schema=crm` or
        `duckdb:///sales.duckdb`; or a TOML file that names a database. A relative path is looked for in the working
        directory, then in each folder above it, so that the same `data/sample` works from a notebook and from the
        command line.

    Raises
    ------
    DataError : the location, a file or a value is not as the data dictionary (data/README.md) says.
    ParameterError : the address of a database is none, or holds a password.
    MachineError : the database cannot be reached, was lost while it was read, or may not be read.
    """
    place = database_of(location)
    if place is None:
        return files.read(location)
    with in_files(location) as folder:
        return replace(files.read(folder), source=place.label)


def examine(location: str | os.PathLike[str]) -> tuple[Log | None, list[Problem]]:
    """Return the log of a location, None where a problem is fatal, and every problem: also of what cannot be read.

    Raises as `read` does where there is nothing at the location, or the database cannot be read.
    """
    place = database_of(location)
    if place is None:
        return files.examine(location)
    with in_files(location) as folder:
        log, found = files.examine(folder)
    return (None if log is None else replace(log, source=place.label)), found


@contextmanager
def in_files(location: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a location as files: a folder or workbook as it is, a database as a copy that is gone in the end.

    Whoever reads a location more than once reads it here, and sees the same rows each time. Raises as `read` does.
    """
    if database_of(location) is None:
        yield files.locate(location)
        return
    with private_folder() as folder:
        yield copied(location, folder / "data")


def copied(location: str | os.PathLike[str], into: Path) -> Path:
    """Copy a database or a workbook into a folder that is not there yet, as Parquet files; return that folder.

    A folder is returned as it is. Raises as `read` does; a copy is whole or not there.
    """
    place = database_of(location)
    if place is None:
        found = files.locate(location)
        return found if found.is_dir() else _unpacked(found, into)
    from forecast.data.sources.database.fetch import fetch

    fetch(place, into)
    return into


def ending_on(place: Path, into: Path, *, company: Company, day: pd.Timestamp) -> Path:
    """Copy the files of a folder, with a company.toml that says until when the data go.

    place : a folder. into : not there yet. company : its company, whose logo is copied. Returns `into`.
    """
    try:
        into.mkdir()
        for file in files_of(place):
            if file.name != FILE:
                copy = into / file.relative_to(place)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
        if company.logo:
            logo = into / company.logo
            logo.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(place / company.logo, logo)
        text = (place / FILE).read_text(encoding="utf-8-sig") if (place / FILE).is_file() else ""
        (into / FILE).write_text(text_ending_on(text, day), encoding="utf-8")
    except OSError as error:
        raise MachineError(f"the copy of the data cannot be written ({error.strerror or error})") from None
    return into


def database_of(location: str | os.PathLike[str]) -> Place | None:
    """Return the database that a location is or names; None where it is a folder or a workbook."""
    if isinstance(location, str) and is_address(location):
        return place_of(location)
    if Path(location).suffix.lower() == ".toml" and (file := _found(Path(location).expanduser())) is not None:
        return place_in(file)
    return None


def shown(location: str | os.PathLike[str]) -> str:
    """Return how pages and the manifest call a location: without the paths of this machine, without an address."""
    place = database_of(location)
    if place is not None:
        return place.label
    path = Path(location)
    return path.name if path.is_absolute() else str(path)


def _unpacked(workbook: Path, into: Path) -> Path:
    """Write the tables of a workbook as Parquet files, text as it stands there, company.toml and the logo."""
    tables, company = files.read_raw(workbook)
    try:
        into.mkdir(parents=True)
        for name, frame in tables.items():
            frame.reset_index(drop=True).to_parquet(into / f"{name}.parquet")
        write_company(company, into, beside=workbook.parent)
    except OSError as error:
        raise MachineError(f"the copy of the data cannot be written ({error.strerror or error})") from None
    return into


def _found(path: Path) -> Path | None:
    here = Path.cwd()
    tried = [path] if path.is_absolute() else [base / path for base in (here, *here.parents)]
    return next((candidate for candidate in tried if candidate.is_file()), None)
