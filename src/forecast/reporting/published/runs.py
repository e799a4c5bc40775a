"""The runs of a folder of reports, newest first: month, when, how long, what came of it, by which data and code.

Each run wrote down what became of it (`record`). One that could not, because it was killed, is known by its log, which
no process holds any more. Months that no record tells of (made before there were any, or not by the command line) are
listed by their manifest.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forecast.reporting.published import months
from forecast.reporting.published.months import Published

RUNS, STATUS, LOG = "runs", "status.json", "run.log"

_SHOWN = 8
"""So many digits of a fingerprint tell one from another at sight."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run, or a month of which no run is recorded.

    status : `published`, `unchanged` (it came out as it stood), `refused` (data or a parameter), `failed` (a notebook,
        the machine), `stopped` (a signal it heard), `killed` (one it could not), `running`.
    started, seconds : when (UTC, ISO), how long; "" and None where nobody wrote it down.
    data, code : SHA-256 of all data files, of the code. text : the headline, or what went wrong.
    stands : whether the month as it stands was published by this run.
    """

    as_of: str
    status: str
    started: str = ""
    seconds: float | None = None
    exit_code: int | None = None
    data: str = ""
    code: str = ""
    forecast: str = ""
    version: int | None = None
    manifest: str = ""
    text: str = ""
    folder: str = ""
    stands: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return it for a program to read."""
        return {
            "as_of": self.as_of,
            "status": self.status,
            "exit_code": self.exit_code,
            "started": self.started,
            "seconds": self.seconds,
            "version": self.version,
            "stands": self.stands,
            "data": self.data,
            "code": self.code,
            "forecast": self.forecast,
            "manifest": self.manifest,
            "headline" if self.status in ("published", "unchanged") else "message": self.text,
            "record": self.folder,
        }

    def cells(self) -> tuple[str, ...]:
        """Return it as the cells of a row, in the order of `HEADS`."""
        code = f" ({self.exit_code})" if self.exit_code else ""
        made = [f"{name} {value[:_SHOWN]}" for name, value in (("data", self.data), ("code", self.code)) if value]
        version = f" v{self.version}" if self.version and self.version > 1 else ""
        first = self.text.splitlines()[0] if self.text else ""
        when = self.started.replace("T", " ").removesuffix("Z")
        return (self.as_of, when or "-", took(self.seconds), f"{self.status}{code}{version}", ", ".join(made), first)


HEADS = ("month", "when (UTC)", "took", "status", "made from", "headline, or what went wrong")


def runs(out: Path) -> list[Run]:
    """Return the runs of a folder of reports, newest first, then months without a record. Raises ParameterError."""
    folder = months.folder_of_reports(out)
    there = months.everything(folder)
    stands = {month.sha256 for month in there if not month.replaced and month.sha256}
    told_of = [recorded(path, stands) for path in _records(folder)]
    told_of.sort(key=lambda run: (run.started, run.folder), reverse=True)
    told = {run.manifest for run in told_of}
    untold = [month for month in there if month.sha256 and month.sha256 not in told]
    untold.sort(key=lambda month: (month.as_of, month.version), reverse=True)
    return [*told_of, *(_untold(month) for month in untold)]


def _records(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in (folder / RUNS).iterdir() if path.is_dir())
    except OSError:
        return []


def recorded(folder: Path, stands: Collection[str] = ()) -> Run:
    """Return what the record of a run says; of one that is damaged what its name says.

    stands : hashes of the manifests of the months that stand.
    """
    facts: Mapping[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        facts = json.loads((folder / STATUS).read_text(encoding="utf-8"))
    facts = facts if isinstance(facts, dict) else {}
    status = _text(facts, "status") or "running"
    if status == "running" and not _alive(folder / LOG):
        status = "killed"
    seconds, code, version = facts.get("seconds"), facts.get("exit_code"), facts.get("version")
    return Run(
        as_of=_text(facts, "as_of") or folder.name.partition("_")[2],
        status=status,
        started=_text(facts, "started"),
        seconds=float(seconds) if isinstance(seconds, (int, float)) else None,
        exit_code=code if isinstance(code, int) else None,
        data=_text(facts, "data"),
        code=_text(facts, "code"),
        forecast=_text(facts, "forecast"),
        version=version if isinstance(version, int) else None,
        manifest=_text(facts, "manifest"),
        text=_text(facts, "headline") or _text(facts, "message"),
        folder=f"{RUNS}/{folder.name}",
        stands=status == "published" and _text(facts, "manifest") in stands,
    )


def _untold(month: Published) -> Run:
    """Return a month of which no run is recorded, as its manifest has it."""
    prints = month.manifest.get("fingerprints")
    prints = prints if isinstance(prints, dict) else {}
    versions = month.manifest.get("versions")
    return Run(
        as_of=month.as_of,
        status="published",
        data=fingerprint(prints.get("data")),
        code=str(prints.get("code", "")),
        forecast=str(versions.get("forecast", "")) if isinstance(versions, dict) else "",
        version=month.version,
        manifest=month.sha256,
        text=headline(month.folder),
        stands=not month.replaced,
    )


def headline(month: Path) -> str:
    """Return the headline that a month's folder holds; empty where there is none."""
    try:
        facts = json.loads((month / "tables" / "headline.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return _text(facts, "headline") if isinstance(facts, dict) else ""


def fingerprint(files: Any) -> str:
    """Return one SHA-256 over the fingerprints of several files; empty where there are none."""
    if not isinstance(files, dict) or not files:
        return ""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def took(seconds: float | None) -> str:
    """Return a time in words: `0.4 s`, `12 s`, `6 min 52 s`, `1 h 5 min`; `-` where it is not known."""
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _alive(log: Path) -> bool:
    """Return whether a process still holds the log of its run."""
    try:
        with log.open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _text(facts: Mapping[str, Any], name: str) -> str:
    found = facts.get(name, "")
    return found if isinstance(found, str) else ""
