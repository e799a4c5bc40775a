"""What a report would do, without doing it: data and parameters checked, which notebooks would run and why, lock, disk.

Data are read and checked as by a run, in a private copy where a run makes one; nothing is written.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from forecast.data.sources.private import private_folder
from forecast.data.sources.read import shown
from forecast.errors import ForecastError
from forecast.reporting.published import months
from forecast.reporting.published.compare import Cause, causes
from forecast.reporting.published.months import Published
from forecast.reporting.published.part import PARAMETER
from forecast.reporting.published.takeover import Takeover, takeover
from forecast.reporting.run import workspace
from forecast.reporting.run.prepare import (
    STAGES,
    Asked,
    Job,
    Stage,
    as_published,
    divided_by,
    notebooks_folder,
    prepare,
    read_notebooks,
    stages_from,
    with_values,
)
from forecast.reporting.run.progress import Quiet
from forecast.wording import joined

_ROOM = 3
"""So many times the month that stands must fit on the disk: the new one, and what is written on the way."""
_LEAST = 50_000_000


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What a report would do.

    data : how the data are called; files, size : how many there are, and their bytes.
    causes : what differs from what the month that stands is made from; None where none stands.
    notebooks : of each whether it would be taken over, from a run that failed or the month that stands. why : why those
    that run would.
    holder : who holds the folder. free : bytes on the disks; needed : about how many it takes.
    refused : why it could not be done now, empty where it could.
    """

    as_of: str
    data: str
    files: int
    size: int
    parameters: Mapping[str, Mapping[str, Any]]
    causes: Sequence[Cause] | None
    notebooks: Mapping[str, bool]
    why: str
    holder: str
    free: Mapping[str, int]
    needed: int
    refused: Sequence[str]

    def as_dict(self) -> dict[str, Any]:
        """Return it for a program to read."""
        return {
            "as_of": self.as_of,
            "data": {"name": self.data, "files": self.files, "bytes": self.size},
            "parameters": {name: dict(values) for name, values in self.parameters.items()},
            "differs": None if self.causes is None else [cause.as_dict() for cause in self.causes if cause.differs],
            "notebooks": {name: "take over" if kept else "run" for name, kept in self.notebooks.items()},
            "why": self.why,
            "lock": self.holder,
            "free_bytes": dict(self.free),
            "needed_bytes": self.needed,
            "refused": list(self.refused),
        }

    def lines(self) -> Iterator[str]:
        """Yield it for a person to read."""
        yield f"report of {self.as_of}, nothing is run"
        yield f"  data        {self.data}: {self.files:,} files, {self.size / 1e6:,.1f} MB, read and found right"
        yield f"  parameters  {_of_all(self.parameters)}"
        yield f"  notebooks   {self.why}"
        for name, kept in self.notebooks.items():
            yield f"    {'take over' if kept else 'run'}  {name}"
        yield f"  lock        {self.holder or 'free'}"
        room = ", ".join(f"{free / 1e9:,.1f} GB free for {what}" for what, free in self.free.items())
        yield f"  disk        {room}; it takes about {self.needed / 1e9:,.1f} GB"
        for line in self.refused:
            yield f"  NOT NOW     {line}"


# -- sentences ------------------------------------------------------------------------------------------

_NO_MONTH = "all would run: no such month stands"
_SAME = "all would run; the month stands as made from exactly this, so nothing would be published unless it differs"
_STANDS = "none would run: the month stands as published, made from exactly this; with --no-resume all would"
_OTHER = "all would run, and the version that stands would be kept: {what} differ from what it is made from"
_SOME = "some would run, the others be taken over from the month that stands: what changed or is asked for ({changed})"
_READERS = " and what asks for tables of that ({after})"
_CONTINUED = "those not yet finished would run: a run of exactly this report failed before"
_STATE_OF_OTHER = "; a run of something else has left work, which would go"
_HELD = "{holder} is writing there"
_FULL = "less than {needed:,.1f} GB free for {what}"
_NOT_WRITABLE = "{folder} cannot be written by this user"
_NO_PARENT = "the folder {folder} is not there; make it first"
_REPORTS, _TEMPORARY = "reports", "temporary files"


def _of_all(parameters: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the parameters that all notebooks share by value, and how many others there are."""
    named: dict[str, set[str]] = {}
    for values in parameters.values():
        for name, value in values.items():
            named.setdefault(name, set()).add(json.dumps(value, default=str))
    alike = {name: next(iter(values)) for name, values in named.items() if len(values) == 1}
    told = [f"{name} {alike[name]}" for name in ("months", "seed") if name in alike]
    return ", ".join([*told, f"{len(named) - len(told)} more, all allowed"])


# -- planning -------------------------------------------------------------------------------------------


def planned(
    data: str | os.PathLike[str],
    *,
    day: Asked,
    out: Path,
    months_ahead: int = 6,
    seed: int = 0,
    parameters: Mapping[str, Any] | None = None,
    scenario: str | os.PathLike[str] | None = None,
    resume: bool = True,
    notebooks: str | os.PathLike[str] | None = None,
    stages: Sequence[Stage] = STAGES,
    redacted: bool = False,
    salt_file: Path | None = None,
    from_notebook: str | None = None,
    by: str | None = None,
    where: str = "",
) -> Planned:
    """Return what a report would do; the arguments are those of a report.

    A secret of pseudonyms that is not there yet is not made. Raises ParameterError, DataError, MachineError as the run
    would.
    """
    anew = frozenset() if from_notebook is None else stages_from(from_notebook, stages)
    standard = {"data": os.fspath(data), "as_of": day.first_guess, "months": months_ahead, "seed": seed}
    standard[PARAMETER] = where
    asked = with_values(
        read_notebooks(notebooks_folder(notebooks), (*stages, *divided_by(by))),
        standard=standard,
        given=parameters or {},
        scenario=scenario,
    )
    salt = salt_file if salt_file is not None and salt_file.is_file() else None
    with private_folder() as private:
        job = prepare(asked, data=data, day=day, out=out, private=private, redacted=redacted, salt_file=salt)
        standing = months.read(job.month.final)
        found = _planned(job, standing, name=shown(data), resume=resume, anew=anew)
    if not resume or redacted or anew or stages is not STAGES:
        return found
    with contextlib.suppress(ForecastError, OSError):  # then it is run, and says so
        stands = as_published(
            data,
            as_of=day.as_of,
            out=out,
            months=months_ahead,
            seed=seed,
            parameters=parameters,
            scenario=scenario,
            notebooks=notebooks,
            now=day.now,
            by=by,
            where=where,
            progress=Quiet(),
        )
        if stands:
            return replace(found, notebooks=dict.fromkeys(found.notebooks, True), why=_STANDS)
    return found


def _planned(job: Job, standing: Published, *, name: str, resume: bool, anew: frozenset[str]) -> Planned:
    out = job.month.out
    run = {**job.notebooks, **({job.each.stage.name: job.each} if job.each is not None else {})}
    place = next(iter(job.notebooks.values())).values.get("data", "")
    paths = [Path(place) / file for file in job.made_from["fingerprints"]["data"]]
    size = sum(path.stat().st_size for path in paths if path.is_file())
    differs = causes(standing.manifest, job.made_from) if standing.sha256 else None
    finished, of_other = _finished(job, resume=resume)
    finished = [notebook for notebook in finished if notebook not in anew]
    found = takeover(job, anew=anew) if resume and not _is_continued(job) else None
    month = sum(path.stat().st_size for path in standing.folder.rglob("*") if path.is_file()) if standing.sha256 else 0
    needed = max(_ROOM * month, _LEAST)
    free = {_REPORTS: _free(out), _TEMPORARY: _free(Path(tempfile.gettempdir()))}
    holder = lock_holder(out)
    refused = [_HELD.format(holder=holder)] if holder else []
    refused += [_FULL.format(needed=needed / 1e9, what=what) for what, there in free.items() if there < needed]
    if not out.parent.is_dir():
        refused.append(_NO_PARENT.format(folder=out.parent))
    elif not _writable(_nearest(out)):
        refused.append(_NOT_WRITABLE.format(folder=_nearest(out)))
    return Planned(
        as_of=job.month.as_of,
        data=name,
        files=len(paths),
        size=size,
        parameters={name: notebook.published for name, notebook in run.items()},
        causes=differs,
        notebooks={name: name in (found.kept if found else finished) for name in run},
        why=_of_some(found) if found else _why(differs, finished, of_other=of_other),
        holder=holder,
        free=free,
        needed=needed,
        refused=refused,
    )


def _is_continued(job: Job) -> bool:
    return workspace.State.is_of(job.month, workspace.combined(job.made_from))


def _of_some(found: Takeover) -> str:
    """Return why some notebooks would run and the others be taken over from the month that stands."""
    after = [name for name in found.run if name not in found.changed]
    return _SOME.format(changed=joined(found.changed)) + (_READERS.format(after=joined(after)) if after else "")


def _why(differs: Sequence[Cause] | None, finished: Sequence[str], *, of_other: bool) -> str:
    if finished:
        return _CONTINUED
    found = [cause.what for cause in differs or () if cause.differs is not False]
    told = _NO_MONTH if differs is None else _OTHER.format(what=", ".join(found)) if found else _SAME
    return told + (_STATE_OF_OTHER if of_other else "")


def _finished(job: Job, *, resume: bool) -> tuple[list[str], bool]:
    """Return the notebooks that a run of exactly this report has finished, and whether work of another lies there."""
    file = job.month.work / workspace.STATE
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
        mine = saved["fingerprint"] == workspace.combined(job.made_from)
        return (sorted(saved["finished"]) if mine and resume else []), not mine
    except (OSError, ValueError, KeyError, TypeError):
        return [], False


def lock_holder(out: Path) -> str:
    """Return who holds a folder of reports; empty where nobody does."""
    try:
        with (out / ".lock").open("rb") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return handle.read(1000).decode("utf-8", "replace").strip() or workspace.SOMEBODY
    except OSError:
        pass
    return ""


def _writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def _free(folder: Path) -> int:
    return shutil.disk_usage(_nearest(folder)).free


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest above it that is there."""
    return next(each for each in (folder, *folder.absolute().parents) if each.is_dir())
