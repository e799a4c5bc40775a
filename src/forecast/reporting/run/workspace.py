"""One run of one month: where it works, its lock, what it can take over from a run that failed, and publication.

A run works in `<out>/.work/<as_of>/` and swaps that folder in for `<out>/<as_of>/` when it is whole. What a
failed notebook showed stays in `<out>/failed/<as_of>/`. Nothing else in `<out>` is touched.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forecast.errors import MachineError
from forecast.reporting.month.results import write_text

_STATE = "state.json"


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
def locked(out: Path, who: str) -> Iterator[None]:
    """Hold the folder of reports for one run; it is made where it is not there, its parent is not.

    Raises MachineError where another run holds it, naming that run. The lock ends with the process, however it ends.
    """
    if not out.parent.is_dir():
        raise MachineError(f"{out}: the folder {out.parent} is not there; make it first")
    with machine(f"{out} cannot be used for reports"):
        out.mkdir(exist_ok=True)
        handle = os.open(out / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 1000).decode("utf-8", "replace").strip() or "another run"
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


class State:
    """Which notebooks of a run are finished, written to its work folder after each, so that a re-run continues.

    `fingerprint` says what the work was made from; work made from anything else is thrown away.
    """

    def __init__(self, month: Month, fingerprint: str) -> None:
        self._file = month.work / _STATE
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
            for name in ("tables", "notebooks", "analysis"):
                (month.work / name).mkdir(parents=True, exist_ok=True)
        state._save()
        return state

    def finish(self, notebook: str, measured: Mapping[str, Any]) -> None:
        """Note that a notebook is finished, with what was measured."""
        self.finished[notebook] = dict(measured)
        self._save()

    def _save(self) -> None:
        saved = {"fingerprint": self._fingerprint, "finished": self.finished}
        write_text(json.dumps(saved, indent=1) + "\n", self._file)


def publish(month: Month) -> None:
    """Swap the finished work in for the month; a reader finds the old month or the new one, never a mixture.

    A run that is killed between the two renames is mended by `recover` in the next.
    """
    with machine(f"{month.final} cannot be replaced"):
        (month.work / _STATE).unlink(missing_ok=True)
        shutil.rmtree(month.old, ignore_errors=True)
        try:
            if month.final.exists():
                month.final.rename(month.old)
            month.work.rename(month.final)
        except BaseException:
            recover(month)
            raise
        shutil.rmtree(month.old, ignore_errors=True)
        shutil.rmtree(month.failed, ignore_errors=True)
        for empty in (month.work.parent, month.failed.parent):
            with contextlib.suppress(OSError):
                empty.rmdir()


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
