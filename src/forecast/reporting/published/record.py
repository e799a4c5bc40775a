"""What becomes of a run is written down while it goes: `<out>/runs/<when>_<as_of>/status.json` and `run.log` beside it.

The published month has no clock in it, so that a re-run gives the same bytes; times stand here and only here. The
moment comes from a clock that the command line hands in. Writing a record never ends a run: where the disk will not
take it, the run goes on, and its exit code says what became of the month.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from forecast.data.sources.private import Private, make_private, sweep
from forecast.errors import DataError, ForecastError, MachineError, NotebookError, ParameterError
from forecast.reporting.month.results import write_text
from forecast.reporting.published.runs import LOG, RUNS, STATUS, fingerprint, headline
from forecast.reporting.run.progress import Progress
from forecast.reporting.run.stopping import Stopped

Clock = Callable[[], dt.datetime]
"""Returns this moment, with its zone."""

_LINES_KEPT = 10_000
_OURS = "forecast-"
"""How all temporary folders of a run are called."""
_ELSEWHERE = f"{_OURS}status-"
"""How the temporary folder is called that holds the status where no reports can be written."""
_NAME = re.compile(r"[^0-9A-Za-z-]")
_NOT_KEPT = "what was wrong names rows of data with names, and is not kept of a redacted run: it went to standard error"


class Record:
    """Hears how a run goes, passes it on to a display, and writes what became of it.

    Parameters
    ----------
    out : the folder of reports. It is written to where it is one (or is not there yet), else not at all.
    as_of : the month as it was asked for. clock : the moment. display : who else hears.
    as_json : lines of the log are JSON, one object a line. echo : where each line goes too; with `quiet` errors alone.
    redacted : messages about data with names are not kept.
    """

    def __init__(
        self,
        out: Path,
        *,
        as_of: str,
        clock: Clock,
        display: Progress,
        as_json: bool = False,
        echo: TextIO | None = None,
        quiet: bool = False,
        redacted: bool = False,
    ) -> None:
        self.echo, self.quiet = echo, quiet
        self.out, self.clock, self.display, self.as_json, self.redacted = out, clock, display, as_json, redacted
        self.folder: Path | None = None
        self._temporary: Private | None = None
        self._lock = threading.Lock()
        self._log: TextIO | None = None
        self._lines: list[str] = []
        self._start = time.perf_counter()
        self._began: dt.datetime | None = None
        self.facts: dict[str, Any] = {"as_of": as_of, "asked": as_of, "status": "running", "notebooks": {}}

    # -- what a run tells --------------------------------------------------------------------------------

    def about(self, facts: Mapping[str, Any]) -> None:
        """Hear which day it is, and by which data and code the month is made."""
        prints = facts.get("fingerprints", {})
        self.facts |= {
            "as_of": facts["as_of"],
            "data": fingerprint(prints.get("data")),
            "code": prints.get("code", ""),
            "forecast": facts.get("versions", {}).get("forecast", ""),
        }
        self._write("settled", as_of=facts["as_of"], data=self.facts["data"], code=self.facts["code"])
        self._save()
        self.display.about(facts)

    def plan(self, stages: Sequence[str], expected: Mapping[str, float]) -> None:
        """Hear the stages."""
        self.facts["notebooks"] = {stage: {"outcome": "not run"} for stage in stages}
        self._save()  # the folder of reports is there by now
        self.display.plan(stages, expected)

    def begin(self, stage: str) -> None:
        """Hear that a stage starts."""
        self._write("start", notebook=stage)
        self.display.begin(stage)

    def cell(self, stage: str, number: int, cells: int) -> None:
        """Hear that a cell starts."""
        self.display.cell(stage, number, cells)

    def end(self, stage: str, outcome: str, seconds: float) -> None:
        """Hear that a stage ended."""
        self.facts["notebooks"][stage] = {"outcome": outcome, "seconds": round(seconds, 2)}
        self._write(outcome, notebook=stage, seconds=round(seconds, 2))
        self.display.end(stage, outcome, seconds)

    def waits(self, holder: str) -> None:
        """Hear that the run waits for another one."""
        self._write("wait", holder=holder)
        self.display.waits(holder)

    def retries(self, why: str, *, after: float) -> None:
        """Hear that the month is tried again, why, and after how many seconds."""
        self.facts["retries"] = self.facts.get("retries", 0) + 1
        self._write("retry", message=why, after=after)

    def published(self, facts: Mapping[str, Any]) -> None:
        """Hear what stands now: version, manifest, and whether it is new."""
        self.facts |= {"version": facts["version"], "manifest": facts["sha256"], "new": facts["new"]}
        self._write("published" if facts["new"] else "unchanged", version=facts["version"], manifest=facts["sha256"])
        self.display.published(facts)

    # -- beginning and end -------------------------------------------------------------------------------

    def __enter__(self) -> Record:
        self.display.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self.display.__exit__(kind, error, trace)

    @contextlib.contextmanager
    def kept(self) -> Iterator[Record]:
        """Keep the record from beginning to end of what runs inside, whatever comes of it."""
        sweep(_OURS)  # what runs left that were killed when their month was published: this one may have nothing to do
        _sweep_records(self.out)
        self._began = self.clock()
        self.facts["started"] = _moment(self._began)
        self._write("run", asked=self.facts["asked"])
        self._save()
        try:
            yield self
        except BaseException as error:
            self._finish(error)
            raise
        self._finish(None)

    def _finish(self, error: BaseException | None) -> None:
        self.facts |= _outcome(error, redacted=self.redacted)
        if error is None:
            self.facts["status"] = "published" if self.facts.pop("new", True) else "unchanged"
            self.facts["headline"] = headline(self.out / str(self.facts["as_of"]))
        else:
            self._write("error", message=self.facts["message"], told=str(error))
        self.facts["ended"] = _moment(self.clock())
        self.facts["seconds"] = round(time.perf_counter() - self._start, 2)
        ended = {name: self.facts[name] for name in ("status", "exit_code", "seconds")}
        self._write("end", **ended)
        self._save(last=True)
        with contextlib.suppress(OSError):
            if self._log is not None:
                self._log.close()

    def status_file(self) -> Path:
        """Return the file that says what became of the run; in a temporary folder where no reports can be written.

        Raises MachineError where it can be written nowhere. `forget` removes the temporary folder.
        """
        if self.folder is not None and (self.folder / STATUS).is_file():
            return self.folder / STATUS
        try:
            self._temporary = make_private(_ELSEWHERE)
        except OSError as error:
            raise MachineError(f"no temporary folder can be made ({error.strerror}); set TMPDIR") from None
        file = self._temporary.path / STATUS
        write_text(_json(self.facts), file)
        return file

    def forget(self) -> None:
        """Remove what `status_file` had to write elsewhere."""
        if self._temporary is not None:
            self._temporary.remove()

    # -- writing -----------------------------------------------------------------------------------------

    def _save(self, *, last: bool = False) -> None:
        """Write the status, if the folder is one of reports by now."""
        with contextlib.suppress(OSError, MachineError):
            if self._place(last=last) is not None:
                assert self.folder is not None
                write_text(_json(self.facts), self.folder / STATUS)

    def _write(self, event: str, *, told: str = "", **facts: Any) -> None:
        """Add a line to the log; kept until there is a folder for it. told : the message that `echo` gets instead."""
        moment = _moment(self.clock())
        line = self._line(moment, event, facts)
        if self.echo is not None and (event == "error" or not self.quiet):
            with contextlib.suppress(OSError, ValueError):
                shown = {**facts, "message": told} if told else facts
                print(self._line(moment, event, shown), file=self.echo, flush=True)
        with self._lock, contextlib.suppress(OSError, MachineError):
            self._lines = [*self._lines[-_LINES_KEPT:], line]
            if self._place() is not None and self._log is not None:
                self._log.write("".join(f"{each}\n" for each in self._lines))
                self._log.flush()
                self._lines = []

    def _line(self, moment: str, event: str, facts: Mapping[str, Any]) -> str:
        if self.as_json:
            return json.dumps({"time": moment, "event": event, **facts}, ensure_ascii=False)
        return " ".join([moment, event, *(f"{name}={_plain(value)}" for name, value in facts.items() if value != "")])

    def _place(self, *, last: bool = False) -> Path | None:
        """Return the folder of this record, made when the folder of reports is one; None as long as it is not.

        A folder that holds anything but reports is left alone until a run has taken its lock there. One that is not
        there is made in the end (`last`) at the latest, if its parent is there.
        """
        if self.folder is not None:
            return self.folder
        ours = any((self.out / name).exists() for name in (".lock", RUNS))
        empty = not self.out.exists() or (self.out.is_dir() and not any(self.out.iterdir()))
        if not (ours or (last and empty and self.out.parent.is_dir())):
            return None
        self.out.mkdir(exist_ok=True)
        self.folder = self._new_folder()
        self._log = (self.folder / LOG).open("a", encoding="utf-8")
        fcntl.flock(self._log, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held as long as the run lives, whatever ends it
        return self.folder

    def _new_folder(self) -> Path:
        """Make a folder named by moment and month; a clock that was set back may have used the name already."""
        assert self._began is not None
        asked = _NAME.sub("", str(self.facts["asked"]))[:20] or "unknown"
        name = f"{self._began.astimezone(dt.UTC):%Y-%m-%dT%H-%M-%SZ}_{asked}"
        (self.out / RUNS).mkdir(exist_ok=True)
        for again in range(1, 1000):
            folder = self.out / RUNS / (name if again == 1 else f"{name}_{again}")
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                return folder
        raise MachineError(f"{self.out / RUNS}: too many runs are called {name}")


def _sweep_records(out: Path) -> None:
    """Remove the status files that runs had half written when they were killed: whose process is gone."""
    with contextlib.suppress(OSError):
        for path in (out / RUNS).glob(f"*/.{Path(STATUS).stem}-*-*.json"):
            process = path.name.split("-")[1]
            try:
                os.kill(int(process), 0)
            except (ProcessLookupError, OverflowError):
                path.unlink(missing_ok=True)
            except (OSError, ValueError):  # another user's, or no file of ours
                continue


def _outcome(error: BaseException | None, *, redacted: bool) -> dict[str, Any]:
    """Return status, exit code and message of how a run ended."""
    if error is None:
        return {"exit_code": 0}
    if isinstance(error, KeyboardInterrupt):
        return {"status": "stopped", "exit_code": 130, "message": "stopped by Ctrl-C"}
    if isinstance(error, SystemExit):
        return {
            "status": "stopped",
            "exit_code": error.code if isinstance(error.code, int) else 1,
            "message": "stopped",
        }
    if isinstance(error, ForecastError):
        refused = isinstance(error, (DataError, ParameterError))
        facts: dict[str, Any] = {
            "status": "refused" if refused else "failed",
            "exit_code": error.exit_code,
            "message": _NOT_KEPT if redacted and refused else str(error),
        }
        if isinstance(error, NotebookError):
            facts |= {"notebook": error.notebook, "cell": error.cell, "page": error.partial}
        return facts
    if isinstance(error, Stopped):
        return {"status": "stopped", "exit_code": MachineError.exit_code, "message": str(error)}
    message = f"{type(error).__name__}: {error}".splitlines()[0]
    return {"status": "failed", "exit_code": MachineError.exit_code, "message": message}


def _moment(moment: dt.datetime) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def _json(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _plain(value: Any) -> str:
    """Return a value on one line."""
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if re.search(r"\s", text) else text
