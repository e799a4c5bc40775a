"""The log of a location, or of the part of it that a condition picks, as every command and notebook reads it.

A log that somebody has read already may be held for the next reader in the same process, or in one forked from it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from forecast.data.schema import Log
from forecast.data.selection.select import select
from forecast.data.sources import files
from forecast.data.sources.read import database_of
from forecast.data.sources.read import read as read_all
from forecast.data.sources.tables.partitions import files_of


def read(location: str | os.PathLike[str], *, where: str = "") -> Log:
    """Read and validate the tables of a location.

    Parameters
    ----------
    location : a folder; a workbook; a database, such as `postgresql://host/sales?schema=crm` or
        `duckdb:///sales.duckdb`; or a TOML file that names a database. A relative path is looked for in the working
        directory, then in each folder above it, so that the same `data/sample` works from a notebook and from the
        command line.
    where : an SQL condition that picks deals, as `select` takes it; empty: all of them.

    Raises
    ------
    DataError : the location, a file or a value is not as the data dictionary (data/README.md) says.
    ParameterError : the address of a database is none, or holds a password; the condition cannot be read.
    MachineError : the database cannot be reached, was lost while it was read, or may not be read.

    Examples
    --------
    >>> import forecast
    >>> log = forecast.read("data/sample")
    >>> log.company.name, f"{len(log.opportunities):,}", f"{log.extracted_on:%Y-%m-%d}"
    ('Sample Company', '21,408', '2026-10-31')
    >>> forecast.read("data/sample", where="product = 'Core'").company.name
    "Sample Company (product = 'Core')"
    """
    if database_of(location) is None and (log := _held(files.locate(location), where)):
        return log
    log = read_all(location)
    return select(log, where=where) if where else log


@dataclass(frozen=True, kw_only=True)
class Held:
    """The log of a folder, and how the folder stood before it was read: `stamps`, as `_stamps` gives them."""

    place: Path
    where: str
    stamps: tuple[tuple[str, int, int, int], ...]
    log: Log


def read_to_hold(location: str | os.PathLike[str], *, where: str = "") -> Held:
    """Read a folder, to be held for a later `read` (`hold`). Raises as `read` does."""
    place = files.locate(location)
    stamps = _stamps(place)  # before it is read: what changes meanwhile must not be missed
    return Held(place=place, where=where, stamps=stamps, log=read(place, where=where))


def hold(held: Held) -> None:
    """Hold a log for the next `read` of its folder in this process or in one forked from it.

    Simple case: nobody touches the folder, and the next reader gets this log, once; whoever reads again reads anew. A
    folder in which any file was changed, added or taken away since is read anew, too, and so is another part of it.
    """
    _for_the_next.append(held)


_for_the_next: list[Held] = []


def _held(place: Path, where: str) -> Log | None:
    """Return the log held for a folder, and hold it no longer; None where the folder is not as it was."""
    held = _for_the_next.pop() if _for_the_next else None
    is_it = held is not None and held.place == place and held.where == where and held.stamps == _stamps(place)
    return held.log if held is not None and is_it else None


def _stamps(place: Path) -> tuple[tuple[str, int, int, int], ...]:
    """Return name, size, time of the last change and place on the disk of each file of a folder, or of a workbook."""
    entries = [*sorted(place.iterdir()), *_partitions(place)] if place.is_dir() else [place]
    facts = ((str(entry.relative_to(place.parent)), entry.stat()) for entry in entries if entry.exists())
    return tuple((name, each.st_size, each.st_mtime_ns, each.st_ino) for name, each in facts)


def _partitions(folder: Path) -> list[Path]:
    return [file for file in files_of(folder) if file.parent != folder]
