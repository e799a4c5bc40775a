"""One run of one month: where it works, what it is made from, its lock, what it can take over, and publication.

A run works in `<out>/.work/<as_of>/` and swaps that folder in for `<out>/<as_of>/` when it is whole. What a
failed notebook showed stays in `<out>/failed/<as_of>/`. Nothing else in `<out>` is touched. Fingerprints of the data,
the code and the notebooks, and versions of packages, say what a month was made from; no clock and no paths.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import socket
import stat
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import forecast
from forecast.data.sources.tables.partitions import files_of
from forecast.errors import MachineError
from forecast.reporting.month import swap
from forecast.reporting.month.results import write_atomic, write_text

STATE = "state.json"
SOMEBODY = "another run"
_HALF_WRITTEN = re.compile(r"^\..+-\d+-\d+\.[a-z]+$")
"""What is written whole or not at all is called so until it is whole."""
_LOOK_AGAIN = 0.2
"""Seconds between two looks at a lock that another run holds."""
_FILE, _FOLDER = 0o644, 0o755
"""What is published may be read by whoever may open the folder of reports, whatever the umask of the run was."""


@dataclass(frozen=True, kw_only=True)
class Month:
    """The folders of one month below the folder of reports."""

    out: Path
    as_of: str

    @property
    def final(self) -> Path:
        """Where the month is when it is whole."""
        return self.out / self.as_of

    @property
    def work(self) -> Path:
        """Where it is made."""
        return self.out / ".work" / self.as_of

    @property
    def old(self) -> Path:
        """Where the month before it waits while it is swapped in."""
        return self.out / ".work" / f"{self.as_of}.old"

    @property
    def failed(self) -> Path:
        """Where the partial pages of a failed run stay."""
        return self.out / "failed" / self.as_of


@contextlib.contextmanager
def machine(what: str) -> Iterator[None]:
    """Turn what the machine refuses (disk full, not writable) into a MachineError that says what was being done."""
    try:
        yield
    except OSError as error:
        file = f": {error.filename}" if error.filename else ""
        raise MachineError(f"{what}: {error.strerror or error}{file}") from None


@contextlib.contextmanager
def locked(out: Path, who: str, *, wait: float = 0.0, waits: Callable[[str], object] | None = None) -> Iterator[None]:
    """Hold the folder of reports for one run; it is made where it is not there, its parent is not.

    wait : how many seconds to wait for another run to end; `waits` hears for which, once. Raises MachineError where it
    still holds the folder then. The lock ends with the process, however it ends.
    """
    if not out.parent.is_dir():
        raise MachineError(f"{out}: the folder {out.parent} is not there; make it first")
    with machine(f"{out} cannot be used for reports"):
        new = not out.exists()
        out.mkdir(exist_ok=True)
        if new:
            out.chmod(stat.S_IMODE(out.stat().st_mode) | _FOLDER)
        handle = os.open(out / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            _lock(handle, wait, waits)
        except BlockingIOError:
            holder = _holder(handle)
            raise MachineError(f"{out}: {holder} is writing here; wait for it to end, or give another --out") from None
        except OSError as error:
            raise MachineError(f"{out}: cannot be locked ({error.strerror}); give an --out on a local disk") from None
        with machine(f"{out} cannot be written"):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{who} (process {os.getpid()} on {socket.gethostname()})\n".encode(), 0)
        yield
        with contextlib.suppress(OSError):
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _lock(handle: int, wait: float, waits: Callable[[str], object] | None) -> None:
    """Lock a file, at the latest after so many seconds. Raises BlockingIOError where another still holds it then."""
    end = time.monotonic() + wait
    told = False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if (left := end - time.monotonic()) <= 0:
                raise
        if waits is not None and not told:
            waits(_holder(handle))
            told = True
        time.sleep(min(_LOOK_AGAIN, left))


def _holder(handle: int) -> str:
    return os.pread(handle, 1000, 0).decode("utf-8", "replace").strip() or SOMEBODY


class State:
    """Which notebooks of a run are finished, written to its work folder after each, so that a re-run continues.

    `fingerprint` says what the work was made from; work made from anything else is thrown away.
    """

    def __init__(self, month: Month, fingerprint: str) -> None:
        self._file = month.work / STATE
        self._fingerprint = fingerprint
        self.finished: dict[str, dict[str, Any]] = {}

    @classmethod
    def open(cls, month: Month, fingerprint: str, *, resume: bool) -> State:
        """Take over the work of a failed run, or start afresh where there is none, it differs or `resume` is off."""
        recover(month)
        state = cls(month, fingerprint)
        saved = _read(state._file) if resume else {}
        with machine(f"{month.work} cannot be written"):
            if saved.get("fingerprint") == fingerprint:
                state.finished = saved["finished"]
            else:
                shutil.rmtree(month.work, ignore_errors=True)
            without_half_written(month.work)
            for name in ("tables", "notebooks", "analysis"):
                (month.work / name).mkdir(parents=True, exist_ok=True)
        state._save()
        return state

    @staticmethod
    def is_of(month: Month, fingerprint: str) -> bool:
        """Return whether work of a run lies there that was made from the same."""
        return _read(month.work / STATE).get("fingerprint") == fingerprint

    def forget(self, notebooks: Collection[str]) -> None:
        """Take notebooks for not finished; what they are made from is the same, so their tables still hold.

        Pages of segments read from them all: with any notebook they are made again.
        """
        kept = {name: value for name, value in self.finished.items() if name not in notebooks}
        self.finished = {name: value for name, value in kept.items() if not notebooks or "/" not in name}
        self._save()

    def finish(self, notebook: str, measured: Mapping[str, Any]) -> None:
        """Note that a notebook is finished, with what was measured."""
        self.finished[notebook] = dict(measured)
        self._save()

    def _save(self) -> None:
        saved = {"fingerprint": self._fingerprint, "finished": self.finished}
        write_text(json.dumps(saved, indent=1) + "\n", self._file)


def publish(month: Month) -> None:
    """Swap the finished work in for the month; a reader finds the old month or the new one, never a mixture.

    All of it is on the disk before. Where two names cannot be exchanged in one step, a run that is killed between two
    renames is mended by `sweep` in the next, of whichever month.
    """
    with machine(f"{month.final} cannot be replaced"):
        (month.work / STATE).unlink(missing_ok=True)
        without_half_written(month.work)
        readable(month.work)
        swap.on_disk(month.work)
        shutil.rmtree(month.old, ignore_errors=True)
        if not (month.final.exists() and swap.exchanged(month.work, month.final)):
            _rename_twice(month)
        swap.name_on_disk(month.final)
    clear(month)


def clear(month: Month) -> None:
    """Remove the work and the failures of a month that stands, and their folders where no other month has any."""
    for path in (month.work, month.failed):
        shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(OSError):
            path.parent.rmdir()


def _rename_twice(month: Month) -> None:
    """Put the month that stands aside and the work in its place."""
    try:
        if month.final.exists():
            month.final.rename(month.old)
        month.work.rename(month.final)
    except BaseException:
        recover(month)
        raise
    shutil.rmtree(month.old, ignore_errors=True)


def sweep(month: Month) -> None:
    """Mend what runs of any month left that were killed; the folder of reports is locked by a run of this month.

    A month that was put aside goes back where it was. What was put aside for a month that stands, and work that no run
    can continue, is removed; the unfinished work of another month stays.
    """
    work = month.work.parent
    for path in sorted(work.iterdir()) if work.is_dir() else ():
        other = Month(out=month.out, as_of=path.name.partition(".")[0])
        if path == other.old:
            recover(other)
        if path.exists() and not (path / STATE).is_file():
            shutil.rmtree(path, ignore_errors=True)
    with machine(f"{month.out} cannot be written"):
        for path in month.out.iterdir():
            if _HALF_WRITTEN.match(path.name) and path.is_file():
                path.unlink(missing_ok=True)


def without_half_written(folder: Path) -> None:
    """Remove what a kernel or a run that was killed had begun to write in a folder: its name begins with a dot."""
    for path in folder.rglob(".*"):
        if path.is_file():
            path.unlink(missing_ok=True)


def readable(path: Path) -> None:
    """Let others read a published file, or a folder and all below it; what else they may do with it stays."""
    for each in (path, *(path.rglob("*") if path.is_dir() else ())):
        each.chmod(stat.S_IMODE(each.stat().st_mode) | (_FOLDER if each.is_dir() else _FILE))


def write_published(text: str, file: Path) -> None:
    """Write a text file that others may read, whole or not at all. Raises MachineError."""

    def write(temporary: Path) -> None:
        temporary.write_text(text, encoding="utf-8")
        readable(temporary)

    write_atomic(file, write)


def recover(month: Month) -> None:
    """Put the last good month back where a run was killed while it swapped."""
    with machine(f"{month.final} cannot be put back"):
        if month.old.exists() and not month.final.exists():
            month.old.rename(month.final)


def _read(file: Path) -> dict[str, Any]:
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return saved if isinstance(saved, dict) and isinstance(saved.get("finished"), dict) else {}


_PACKAGES = (
    "ipykernel",
    "matplotlib",
    "nbclient",
    "nbconvert",
    "numpy",
    "pandas",
    "papermill",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "statsmodels",
)
_CODE = (".py", ".j2", ".css", ".js", ".json")


def data_fingerprints(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a data folder, partitions included, by name; of nothing hidden."""
    return {file.relative_to(folder).as_posix(): file_fingerprint(file) for file in files_of(folder)}


def code_fingerprint() -> str:
    """Return one SHA-256 over the library's files, their names and contents."""
    base = Path(forecast.__file__).parent
    parts = ((file.relative_to(base).as_posix().encode(), file.read_bytes()) for file in code_files())
    return _sum(part for pair in parts for part in pair)


def code_files() -> list[Path]:
    """Return the library's files, sorted."""
    base = Path(forecast.__file__).parent
    return sorted(file for file in base.rglob("*") if file.suffix in _CODE and "__pycache__" not in file.parts)


def notebook_fingerprint(notebook: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the cells of a notebook, whatever outputs it was saved with."""
    cells = [
        [cell["cell_type"], "".join(cell["source"]), sorted(cell.get("metadata", {}).get("tags", []))]
        for cell in notebook["cells"]
    ]
    return _sum([json.dumps(cells).encode()])


def file_fingerprint(file: Path) -> str:
    """Return the SHA-256 of a file."""
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise MachineError(f"{file.name}: cannot be read ({error.strerror})") from None


def versions() -> dict[str, str]:
    """Return the versions of Python, of this suite and of what numbers and pages depend on."""
    found = {"python": platform.python_version(), "forecast": forecast.__version__}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def combined(made_from: Mapping[str, Any]) -> str:
    """Return one SHA-256 over everything a month is made from."""
    return _sum([json.dumps(made_from, sort_keys=True, default=str).encode()])


def _sum(parts: Iterable[bytes]) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "big"))
        total.update(part)
    return total.hexdigest()
