"""Every operation on files of a run, each refused in a run of its own: the disk is full from it on, or it alone fails.

An undisturbed run writes down what it does to files, one notebook at a time, so that the order is the same in every
run, but for a few neighbours, and the n-th operation is the same one. The disk is full at each write. Of what fails
alone `places` picks one of each kind, the first and the last of them: an operation, and the file it is done to
(numbers, days and the names of notebooks left out); with `every` all are tried.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from faults.faults import Case
from faults.place import Found, Place, answered, survived
from faults.runs import COUNT, FULL, ONCE, READING, Disk, Run

ONE_BY_ONE = ("--jobs", "1")
_RANDOM = re.compile(
    r"(?<=-(?:data|ours)-)[a-z0-9_]{8}|(?<=-kernels-)[a-z0-9_]{8}|(?<=/tmp/)[a-z0-9_]{8}$|(?<=\.ours-)[a-z0-9_]{8}"
)
_NOTEBOOK = re.compile(r"#_[a-z_]+")
_MANY = ("unlink", "rmdir", "chmod", "fsync", "link", "mkdir")
"""What is done to whole folders, file by file: one kind a folder."""
NEVER = 1 << 60
"""The number of an operation that no run comes to."""
NEIGHBOURS = 4
"""How far the order of two operations may differ between runs: the log is written by the run, and what a kernel no
longer needs is removed by another process meanwhile."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation of a run: its place in the order, whether it needs room, what it is, on which file (no numbers)."""

    number: int
    needs: str
    what: str
    file: str


def plain(path: str, folder: Path) -> str:
    """Return a path below a place's folder without what differs from run to run."""
    return re.sub(r"\d+", "#", _RANDOM.sub("X", path.replace(str(folder), "")))


def traced(place: Place, disk: Disk, *more: str, readings: bool = False) -> tuple[Operation, ...]:
    """Return the operations of an undisturbed run in a place, which is spent then."""
    disk.set(READING if readings else COUNT, at=NEVER, below=[place.folder], trace=True)
    done = place.run(*more, disk=disk).wait()
    assert done.code == 0, done.said
    found = disk.traced()
    disk.set(COUNT)
    return tuple(
        Operation(number=number, needs=needs, what=what, file=plain(path, place.folder))
        for number, needs, what, path in found
    )


def places(operations: Sequence[Operation], *, every: bool) -> list[Operation]:
    """Return one operation of each kind, the first and the last of its kind; or every one."""
    kinds: dict[tuple[str, str], list[Operation]] = {}
    for each in operations:
        kinds.setdefault((each.what, _kind(each)), []).append(each)
    ends = {each.number: each for kind in kinds.values() for each in (kind[0], kind[-1])}
    return list(operations) if every else [ends[number] for number in sorted(ends)]


def _kind(each: Operation) -> str:
    """Return which files an operation is done to: one without numbers and a notebook's name, or all of a folder."""
    file = _NOTEBOOK.sub("N", each.file)
    folder, _, name = file.rpartition("/")
    return file if each.what not in _MANY or name.startswith(".") else "/".join(folder.split("/")[:4])


def need_room(place: Place, every: bool) -> list[Operation]:  # noqa: ARG001
    """Return the writes of a run, each of them: what a full disk refuses."""
    return [each for each in place.trace if each.needs == "room"]


def change_files(place: Place, every: bool) -> list[Operation]:
    """Return what a run changes on files, names and their being on the disk included."""
    return places(place.trace, every=every)


def read_files(place: Place, every: bool) -> list[Operation]:
    """Return the readings of a run: of the data, the notebooks, and what has been published."""
    return places(place.readings, every=every)


def full_from(case: Case) -> Found:
    """Let the disk be full from a write on to the end of the run; then there is room again."""
    return _refused(case, FULL, how=errno.ENOSPC)


def fails_once(case: Case) -> Found:
    """Let one operation alone fail: for want of room where it needs any, else by an error of the disk."""
    return _refused(case, ONCE, how=errno.ENOSPC if operation(case).needs == "room" else errno.EIO)


def unreadable_once(case: Case) -> Found:
    """Let one reading fail by an error of the disk."""
    return _refused(case, READING, how=errno.EIO)


def operation(case: Case) -> Operation:
    """Return the operation that this time is about."""
    assert isinstance(case.target, Operation)
    return case.target


def refused(case: Case, mode: int, *, how: int, more: Sequence[str] = ()) -> tuple[Run, str]:
    """Run with an operation refused; return the run, and what is wrong where another one was hit."""
    wanted = operation(case)
    case.disk.set(mode, at=wanted.number, below=[case.place.folder], how=how)
    run = case.place.run(*more, disk=case.disk).wait()
    what, _, path = case.disk.first_hit.partition(" ")
    case.disk.set(COUNT)
    was = what, plain(path, case.place.folder)
    near = neighbours(case.place.readings if mode == READING else case.place.trace, wanted)
    return run, "" if was in near else f"hit {' '.join(was)}, not {wanted.what} {wanted.file}"


def neighbours(trace: Sequence[Operation], wanted: Operation) -> set[tuple[str, str]]:
    """Return what is done, and to which file, at an operation and at the few before and after it."""
    beside = (each for each in trace if abs(each.number - wanted.number) <= NEIGHBOURS)
    return {(wanted.what, wanted.file), *((each.what, each.file) for each in beside)}


def _refused(case: Case, mode: int, *, how: int) -> Found:
    run, missed = refused(case, mode, how=how, more=ONE_BY_ONE)
    codes = {FULL: (0, 4), ONCE: (0, 3, 4), READING: (0, 1, 3, 4)}[mode]  # a kernel that cannot begin ends with 3
    found = answered(run, codes, "error: ")
    found.answer += [missed] if missed else []
    found.note = f"{operation(case).what} {operation(case).file}: {run.code}"
    return survived(case.place, run=run, found=found)


Cases = Callable[[Place, bool], list[Operation]]
