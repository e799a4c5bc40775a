"""A company with two months published and newer data, the month to come of these, and what must hold after a fault.

`made` makes it once; each fault gets a copy. The run that a fault is done to publishes 2026-03-31 again, by the newer
data, as version 2: it must keep version 1, exchange the folders and go on with the chain, which is all that can go
wrong. What is right is what an undisturbed run of the same command has made in another copy, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.runs import Disk, Run, left_running, start, temporary
from forecast.reporting.published.verify import verify

REPORT = ("report", "--data", "data", "--as-of", "2026-03", "--notebooks", "notebooks", "--quiet")
MONTH, BEFORE = "2026-03-31", "2026-02-28"
MENDED_BY_THE_NEXT = "the next report mends it"
"""How the sentences of `forecast verify` end on the list of months, where a run ended between month and list."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder with the company, and what stands there: the hash of every file of every month, as published.

    expected, operations, seconds : files, changes of files and time of an undisturbed run. stages : of its report.
    trace, readings : the operations of such a run, one notebook at a time, where each of them is refused (`sweeps`).
    """

    folder: Path
    command: Sequence[str]
    published: dict[str, str]
    expected: dict[str, str] = field(default_factory=dict)
    operations: int = 0
    seconds: float = 0.0
    fresh: bool = False
    stages: tuple[str, ...] = ()
    trace: tuple[Any, ...] = ()
    readings: tuple[Any, ...] = ()

    @property
    def out(self) -> Path:
        """The folder of reports."""
        return self.folder / "reports"

    def copy(self, folder: Path) -> Place:
        """Return the same place in another folder, nothing of which has been run."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Place(**{**self.__dict__, "folder": folder})

    def run(self, *more: str, **options: object) -> Run:
        """Start the run that makes the month."""
        return start(self.folder, *self.command, *more, fresh=self.fresh, stages=self.stages, **options)  # type: ignore[arg-type]


def prepared(
    folder: Path,
    *,
    command: Sequence[str],
    older: Sequence[str],
    fresh: bool,
    disk: Disk,
    stages: tuple[str, ...] = (),
) -> Place:
    """Return a place whose data, notebooks and published months lie in a folder: the newer data are put in `data`, and
    what an undisturbed run makes of them is kept as what is expected.

    older : the months as they are published by the data as they lie there. The files of `newer` replace them then.
    """
    for as_of in older:
        arguments = [as_of if each == "2026-03" else each for each in command]
        done = start(folder, *arguments, fresh=fresh, stages=stages).wait()
        assert done.code == 0, done.said
    (folder / "before").mkdir()
    for file in (folder / "newer").iterdir():
        if (folder / "data" / file.name).exists():
            shutil.copy2(folder / "data" / file.name, folder / "before")
        shutil.copy2(file, folder / "data" / file.name)
    place = Place(folder=folder, command=command, published=hashes(folder / "reports"), fresh=fresh, stages=stages)
    whole = place.copy(folder.with_name(f"{folder.name}-whole"))
    disk.set(0, below=[whole.folder])
    done = whole.run(disk=disk).wait()
    assert done.code == 0, done.said
    assert verify(whole.out).unchanged
    expected = hashes(whole.out)
    return Place(**{**place.__dict__, "expected": expected, "operations": disk.count, "seconds": done.seconds})


def hashes(out: Path) -> dict[str, str]:
    """Return the hash of every published file in a folder of reports, by its path: months, versions, the list."""
    files = [file for file in sorted(out.rglob("*")) if file.is_file()]
    named = {file.relative_to(out).as_posix(): file for file in files}
    kept = {name: file for name, file in named.items() if name[:4].isdigit() or name.startswith(("versions/", "index"))}
    return {name: file_hash(file) for name, file in kept.items()}


def file_hash(file: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


# -- what must hold ---------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class Found:
    """What was found after a fault; each list says in words what does not hold."""

    intact: list[str] = field(default_factory=list)
    next_run: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    answer: list[str] = field(default_factory=list)
    lost: float = 0.0
    note: str = ""

    @property
    def problems(self) -> list[str]:
        """All that does not hold."""
        return [*self.answer, *self.intact, *self.next_run, *self.left]


def survived(
    place: Place, *, run: Run, found: Found | None = None, aside: bool = False, old_too: bool = False
) -> Found:
    """Return what holds after a fault: months intact, the next run right to the byte, nothing left running or lying.

    run : the one that the fault was done to; where it ended with 0 the month is made. found : what was found of its
    answer. aside : the month may have been put aside, between two renames. old_too : the month may have come out as it
    stands.
    """
    found = found or Found()
    found.left += [f"still runs: {command}" for command in left_running(place.folder)]
    with _put_back(place) if aside else nullcontext():
        found.intact += _intact(place, made=run.code == 0 and not old_too)
    following = place.run().wait()
    if following.code != 0:
        found.next_run.append(f"the next run ended with {following.code}: {following.said[-500:]}")
    found.next_run += _identical(place)
    found.left += [f"still runs: {command}" for command in left_running(place.folder)]
    found.left += left_lying(place)
    found.lost = max(0.0, run.seconds + following.seconds - place.seconds)
    return found


@contextmanager
def _put_back(place: Place) -> Iterator[None]:
    """Look at the months as if one that was put aside were in its place; the next run has to put it there."""
    aside, final = place.out / ".work" / f"{MONTH}.old", place.out / MONTH
    moved = aside.exists() and not final.exists()
    if moved:
        aside.rename(final)
    yield
    if moved:
        final.rename(aside)


def _intact(place: Place, *, made: bool) -> list[str]:
    """Return what is wrong with the published months before anything else has run; made : the month must be new."""
    now = hashes(place.out)
    older = {name: value for name, value in place.published.items() if name.startswith(BEFORE)}
    wrong = [f"changed: {name}" for name, value in older.items() if now.get(name) != value]
    month = {name: value for name, value in now.items() if name.startswith(MONTH)}
    first = {name: value for name, value in place.published.items() if name.startswith(MONTH)}
    new = _without_measures(month, MONTH) == _without_measures(place.expected, MONTH)
    if not new and (made or month != first):
        wrong.append(f"{MONTH} is {'not' if made else 'neither what stood there nor'} what was to come")
    told = verify(place.out)
    wrong += [f"verify: {each.month.name}" for each in told.checked if not each.unchanged]
    return wrong + [f"verify: {problem}" for problem in told.problems if not problem.endswith(MENDED_BY_THE_NEXT)]


def _identical(place: Place) -> list[str]:
    """Return what differs from what an undisturbed run has made, and what `forecast verify` finds."""
    told = verify(place.out)
    return [*differing(place), *([f"verify: {line}" for line in told.lines()] if not told.unchanged else [])]


def differing(place: Place, *, of: Sequence[str] = ("",)) -> list[str]:
    """Return the files of these folders that are not what an undisturbed run makes, five at most."""
    now, expected = _without_measures(hashes(place.out)), _without_measures(place.expected)
    names = sorted(name for name in now.keys() | expected.keys() if now.get(name) != expected.get(name))
    return [f"differs: {name}" for name in names if name.startswith(tuple(of))][:5]


def _without_measures(found: dict[str, str], month: str = "") -> dict[str, str]:
    """Return hashes without those of manifests, which hold what each run cost, of all that begins with `month`."""
    return {
        name: value
        for name, value in found.items()
        if name.startswith(month) and not (name.startswith(MONTH) and name.endswith("manifest.json"))
    }


def left_lying(place: Place) -> list[str]:
    """Return what lies where nothing may be left: TMPDIR, `.work`, half-written files."""
    wrong = [f"left in {folder.name}: {path.name}" for folder in temporary(place.folder) for path in folder.glob("*")]
    hidden = [path.relative_to(place.out).as_posix() for path in place.out.rglob(".*") if path.name != ".lock"]
    return wrong + [f"left in reports: {name}" for name in sorted(hidden)]


def answered(run: Run, codes: Sequence[int], words: str = "") -> Found:
    """Return what is wrong with how a run ended: its exit code, what it said, a traceback."""
    found = Found()
    if run.code not in codes:
        found.answer.append(f"ended with {run.code}, not {codes}: {run.said[-800:]}")
    elif run.code and run.code > 0 and words not in run.said:
        found.answer.append(f"does not say {words!r}: {run.said[-500:]}")
    if "Traceback" in run.said:
        found.answer.append(f"a traceback: {run.said[-800:]}")
    return found


def facts(place: Place) -> dict[str, object]:
    """Return the status of the last run, as `forecast runs` reads it."""
    files = sorted((place.out / "runs").glob("*/status.json"), key=lambda file: file.stat().st_mtime_ns)
    return dict(json.loads(files[-1].read_text(encoding="utf-8"))) if files else {}
