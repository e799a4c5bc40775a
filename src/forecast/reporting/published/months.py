"""The published months of a folder of reports, as they lie there: which there are, and what their manifests say.

A month is `<out>/<as_of>/`. When it is made again and comes out otherwise, the version that leaders saw stays in
`<out>/versions/<as_of>/<number>/`. Nothing here writes.
"""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forecast.errors import MachineError, ParameterError, nearest

_OF_THE_DISK = frozenset({errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, getattr(errno, "ESTALE", errno.EIO)})
MANIFEST = "manifest.json"
VERSIONS = "versions"
"""The folder of the versions that a later one replaced."""

_MONTH = re.compile(r"^\d{4}-\d{2}$")


@dataclass(frozen=True, kw_only=True)
class Published:
    """One version of one month: the one that stands, or (`replaced`) one before it.

    manifest : what `manifest.json` says; empty where it cannot be read, and `problem` says why. sha256 : of that file.
    unreadable : it is there, and the machine does not let it be read; what it says is not known then.
    """

    folder: Path
    as_of: str
    manifest: Mapping[str, Any]
    sha256: str
    replaced: bool = False
    number: int = 1
    problem: str = ""
    unreadable: bool = False

    @property
    def version(self) -> int:
        """How often the month had been made when this was published, from 1."""
        found = self.manifest.get("version", self.number)
        return found if isinstance(found, int) else self.number

    @property
    def name(self) -> str:
        """What it is called in a list: its day, and the version where it is not the one that stands."""
        return f"{self.as_of} version {self.version}" if self.replaced else self.as_of

    @property
    def files(self) -> Mapping[str, str] | None:
        """SHA-256 of each file by its path in the folder; None where the manifest lists none."""
        found = self.manifest.get("files")
        return found if isinstance(found, dict) else None

    @property
    def previous(self) -> Link | None:
        """What was published before it; None for the first, and for months made before this was noted."""
        return Link.read(self.manifest.get("previous"))

    @property
    def link(self) -> Link:
        """How what is published next refers to it."""
        return Link(as_of=self.as_of, version=self.version, sha256=self.sha256)


@dataclass(frozen=True, kw_only=True)
class Link:
    """One publication by its day, version and the SHA-256 of its manifest."""

    as_of: str
    version: int
    sha256: str

    @classmethod
    def read(cls, facts: Any) -> Link | None:
        """Return a link that was written as JSON; None where there is none or it is damaged."""
        if not isinstance(facts, dict):
            return None
        as_of, version, sha256 = facts.get("as_of"), facts.get("version"), facts.get("sha256")
        if not (isinstance(as_of, str) and isinstance(version, int) and isinstance(sha256, str)):
            return None
        return cls(as_of=as_of, version=version, sha256=sha256)

    def as_dict(self) -> dict[str, Any]:
        """Return it as it is written."""
        return {"as_of": self.as_of, "version": self.version, "sha256": self.sha256}


def folder_of_reports(out: str | os.PathLike[str]) -> Path:
    """Return the folder of reports. Raises ParameterError where there is none."""
    folder = Path(out)
    if not folder.is_dir():
        raise ParameterError(f"{folder}: there is no such folder of reports; give the one that was --out of a report")
    return folder


def is_day(name: str) -> bool:
    """Return whether a folder is called like a month: by the day of its report, as the suite writes it."""
    try:
        return dt.date.fromisoformat(name).isoformat() == name
    except ValueError:
        return False


def standing(out: Path) -> list[Published]:
    """Return the months that stand, oldest first; a folder called like one counts, whatever it holds."""
    return [*newest_first(out)][::-1]


def newest_first(out: Path) -> Iterator[Published]:
    """Yield the same months, each read when it is asked for: who wants the last need not read a thousand."""
    return (read(path) for path in reversed(_folders(out)) if is_day(path.name))


def replaced(out: Path, as_of: str | None = None) -> list[Published]:
    """Return the versions that were replaced, of one month or of all: by month, the first first."""
    found = []
    for month in _folders(out / VERSIONS):
        if is_day(month.name) and as_of in (None, month.name):
            numbered = [path for path in _folders(month) if path.name.isdecimal()]
            numbered.sort(key=lambda path: int(path.name))
            found += [read(path, as_of=month.name, number=int(path.name)) for path in numbered]
    return found


def everything(out: Path) -> list[Published]:
    """Return all versions of all months: those that stand, then those that were replaced."""
    return [*standing(out), *replaced(out)]


def find(out: Path, name: str) -> Published:
    """Return the month of that name: a day such as 2026-10-31, or a month that has one report.

    With `@` and a number it is that version of it (`2026-10@1`), else the one that stands. Raises ParameterError where
    there is none, there are several, or its manifest cannot be read.
    """
    name, at, number = name.partition("@")
    days = [path.name for path in _folders(out) if is_day(path.name)]
    found = [day for day in days if day == name or (_MONTH.match(name) and day.startswith(f"{name}-"))]
    if not found:
        raise ParameterError(f"{out}: there is no month {name!r}; {nearest(name, days)}")
    if len(found) > 1:
        raise ParameterError(f"{out}: {name} has several reports ({', '.join(found)}); name the day")
    month = read(out / found[0])
    if at:
        versions = {str(each.version): each for each in (*replaced(out, month.as_of), month)}
        if number not in versions:
            raise ParameterError(f"{out}: {month.as_of} has no version {number!r}; known: {', '.join(versions)}")
        month = versions[number]
    if month.problem:
        raise ParameterError(f"{month.folder}: {month.problem}; make the month again")
    return month


def read(folder: Path, *, as_of: str = "", number: int = 1) -> Published:
    """Return what lies in a month's folder; as_of, number : of a version that was replaced."""
    manifest, sha256, problem, unreadable = {}, "", "", False
    try:
        content = (folder / MANIFEST).read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        manifest = json.loads(content)
        if not isinstance(manifest, dict):
            manifest, problem = {}, f"its {MANIFEST} is damaged"
    except FileNotFoundError:
        problem = f"it has no {MANIFEST}"
    except OSError as error:
        problem, unreadable = f"its {MANIFEST} cannot be read ({error.strerror or error})", True
    except ValueError:
        problem = f"its {MANIFEST} cannot be read (it is damaged)"
    return Published(
        folder=folder,
        as_of=as_of or folder.name,
        manifest=manifest,
        sha256=sha256,
        replaced=bool(as_of),
        number=number,
        problem=problem,
        unreadable=unreadable,
    )


def refuse_failing(error: Exception, file: Path) -> None:
    """Raise MachineError where a file was not read because the disk or the machine failed.

    A file that is missing, damaged or not allowed is told as such; of one that may be right in the next moment nothing
    can be said, least of all on a page.
    """
    if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
        raise MachineError(f"{file}: cannot be read ({error.strerror or error})") from None


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a month's folder but its manifest, by path, sorted.

    What is no regular file has the hash "". Raises MachineError where a file cannot be read.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name == MANIFEST or (path.is_dir() and not path.is_symlink()):
            continue
        found[name] = _sha256(path) if path.is_file() and not path.is_symlink() else ""
    return found


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise MachineError(f"{file}: cannot be read ({error.strerror})") from None


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise MachineError(f"{folder}: cannot be read ({error.strerror})") from None
