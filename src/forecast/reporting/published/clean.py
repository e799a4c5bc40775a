"""Old months, old versions and what dead runs left are removed; what was removed is written into the book first.

What stays: the newest months with their versions and the records of their runs, and the unfinished work of a run that
failed, if its month is not older than they are: the next run continues it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from forecast.errors import ParameterError
from forecast.reporting.published import book, months, runs
from forecast.reporting.published.months import Published
from forecast.reporting.run import pages, workspace

_HALF_WRITTEN = re.compile(r"^\..+-\d+-\d+\.[a-z]+$")
"""What is written whole or not at all is called so until it is whole."""


@dataclass(frozen=True, kw_only=True)
class Waste:
    """One thing to remove: a folder or file, what it is in words, and how many bytes it takes.

    month : the published month or version that it is; None for what was never published.
    """

    path: Path
    what: str
    size: int
    month: Published | None = None


def waste(out: Path, *, keep: int, keep_versions: int | None = None) -> list[Waste]:
    """Return what `clean` would remove, in the order in which it does. Raises ParameterError, MachineError.

    keep : how many of the newest months stay, at least 1. keep_versions : how many replaced versions of each month that
        stays, the newest first; None for all.
    """
    if keep < 1:
        raise ParameterError(f"keep: {keep} is not at least 1")
    if keep_versions is not None and keep_versions < 0:
        raise ParameterError(f"keep_versions: {keep_versions} is less than 0")
    folder = months.folder_of_reports(out)
    there = [month for month in months.standing(folder) if month.sha256]
    if not there:
        raise ParameterError(f"{folder}: no month is published here")
    old, stay = there[:-keep], there[-keep:]
    oldest = stay[0].as_of
    found = [_waste(month.folder, f"month {month.as_of}", month) for month in old]
    for month in months.replaced(folder):
        newer = [each for each in months.replaced(folder, month.as_of) if each.number > month.number]
        too_many = keep_versions is not None and len(newer) >= keep_versions
        if month.as_of < oldest or too_many:
            found.append(_waste(month.folder, f"version {month.version} of {month.as_of}", month))
    return [*found, *_leftovers(folder, oldest)]


def clean(out: Path, *, keep: int, keep_versions: int | None = None) -> list[Waste]:
    """Remove what `waste` finds, and return it; the folder of reports is locked meanwhile.

    Raises ParameterError, and MachineError where a run is under way or a file cannot be removed.
    """
    folder = months.folder_of_reports(out)
    waste(folder, keep=keep, keep_versions=keep_versions)  # what is wrong with the request is told before the lock
    with workspace.locked(folder, "forecast clean"):
        for path in _entries(folder / ".work"):
            if _awaits_return(path):
                workspace.recover(workspace.Month(out=folder, as_of=path.stem))
        found = waste(folder, keep=keep, keep_versions=keep_versions)
        gone = [each.month for each in found if each.month is not None]
        noted = book.read_to_change(folder)
        if gone and noted.frame is None:
            raise ParameterError(
                f"{folder}: {book.BOOK} does not say how to write the list of months; make a report here, then clean"
            )
        if gone:
            _note(folder, noted, gone)
        for each in found:
            _remove(each.path, folder)
        if gone and noted.frame is not None:
            pages.write_index(folder, company=noted.frame.company, logo=noted.frame.logo)
            book.note_index(folder, noted.frame)
    return found


def _note(folder: Path, noted: book.Book, gone: Sequence[Published]) -> None:
    """Write into the book what is about to be removed, so that nobody misses it."""
    listed = {each.link for each in noted.removed}
    removed = [
        book.Removed(link=month.link, previous=month.previous, reason="clean")
        for month in gone
        if month.sha256 and month.link not in listed
    ]
    last = noted.last or book.end_of_chain(noted, months.everything(folder))
    book.write(folder, replace(noted, last=last, index="", removed=(*noted.removed, *removed)))


def _remove(path: Path, folder: Path) -> None:
    """Remove a file, or a folder in one step for who looks at it."""
    with workspace.machine(f"{path} cannot be removed"):
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
            return
        if path.parent.name != ".work":
            aside = folder / ".work" / "removed"
            aside.parent.mkdir(exist_ok=True)
            shutil.rmtree(aside, ignore_errors=True)
            path = path.rename(aside)
        shutil.rmtree(path)
    for empty in (folder / ".work", folder / "failed", folder / months.VERSIONS, folder / runs.RUNS):
        for each in (*empty.glob("*"), empty):
            if each.is_dir() and not any(each.iterdir()):
                each.rmdir()


# -- what dead runs left --------------------------------------------------------------------------------


def _leftovers(folder: Path, oldest: str) -> Iterator[Waste]:
    """Yield what no run needs any more; `oldest` is the first month that stays."""
    for path in _entries(folder / ".work"):
        if _awaits_return(path):
            continue
        if not (months.is_day(path.name) and path.name >= oldest):
            yield _waste(path, "left by a run that was killed" if months.is_day(path.name[:10]) else "left over")
    for path in _entries(folder / "failed"):
        if months.is_day(path.name) and path.name < oldest:
            yield _waste(path, f"pages of a failed run of {path.name}")
    for path in _entries(folder / runs.RUNS):
        record = runs.recorded(path)
        if record.as_of[:10] < oldest[: len(record.as_of)] and record.status != "running":
            yield _waste(path, f"record of a run of {record.as_of}")
    for path in _entries(folder):
        if _HALF_WRITTEN.match(path.name) and path.is_file():
            yield _waste(path, "half written")


def _awaits_return(path: Path) -> bool:
    """Return whether a folder in `.work` is the last good month of a run that was killed while it swapped."""
    return path.suffix == ".old" and months.is_day(path.stem) and not (path.parents[1] / path.stem).exists()


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _waste(path: Path, what: str, month: Published | None = None) -> Waste:
    files = [path] if not path.is_dir() or path.is_symlink() else [each for each in path.rglob("*") if each.is_file()]
    return Waste(path=path, what=what, size=sum(file.lstat().st_size for file in files), month=month)
