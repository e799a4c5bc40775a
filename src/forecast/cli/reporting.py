"""`forecast report`: the months that are asked for, one after the other, with record, retries and notification.

The options are declared here, so that `app` stays the list of commands.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecast.cli import clock
from forecast.errors import TRANSIENT, ForecastError, MachineError, ParameterError

if TYPE_CHECKING:
    from forecast.reporting.published.record import Record

_LOG_FORMATS = ("text", "json")
TRIAL = "trial"
"""The folder of what was tried with --only, below the folder of reports: no month is there."""
_NOTIFY_SECONDS = 60
_IDENTIFYING = ("months", "seed", "parameters", "scenario", "notebooks", "by", "where")
"""What a month is made from besides data and day."""
_PLANNED = (
    "seed",
    "parameters",
    "scenario",
    "resume",
    "notebooks",
    "redacted",
    "salt_file",
    "from_notebook",
    "by",
    "where",
    "stages",
)
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 60.0
"""Seconds before the first retry, twice as many before each that follows, up to the longest."""

Days = Annotated[
    list[str],
    typer.Option(
        "--as-of",
        metavar="DATE",
        help="The day whose knowledge is used; a month means its last day; or `last-month`, `today`. "
        "May be repeated, or a list with commas: one report each, in that order.",
    ),
]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="A notebook's parameter (`forecast params`)."),
]
ParametersFile = Annotated[
    Path | None,
    typer.Option("--parameters", metavar="FILE", help="Parameters by name, as TOML or YAML (.toml, .yaml, .yml)."),
]
Scenario = Annotated[
    Path | None,
    typer.Option("--scenario", metavar="FILE", help="What-if that 00_explore saved, for its page of the month."),
]
Resume = Annotated[
    bool, typer.Option("--resume/--no-resume", help="Continue where a run failed; run nothing where nothing changed.")
]
Jobs = Annotated[int, typer.Option("--jobs", metavar="N", min=1, max=16, help="How many notebooks run at once.")]
CellSeconds = Annotated[
    float, typer.Option("--cell-seconds", metavar="S", min=1, help="A cell that takes longer fails.")
]
Wait = Annotated[
    float, typer.Option("--wait", metavar="S", min=0, help="How long to wait for another run in the same folder.")
]
Timeout = Annotated[
    float | None, typer.Option("--timeout", metavar="S", min=1, help="The whole command is stopped after so long.")
]
Retries = Annotated[
    int,
    typer.Option("--retries", metavar="N", min=0, max=20, help=f"Try again after {', '.join(TRANSIENT.values())}."),
]
Notify = Annotated[
    str | None,
    typer.Option("--notify", metavar="CMD", help="Run in the end, whatever came of a month, with its status.json."),
]
LogFormat = Annotated[
    str, typer.Option("--log-format", metavar="FORMAT", help="text, or json: one object a line, on standard error.")
]
Only = Annotated[
    str | None,
    typer.Option("--only", metavar="NOTEBOOK", help="Only this one and what it reads from, in OUT/trial; no month."),
]
FromNotebook = Annotated[
    str | None,
    typer.Option("--from-notebook", metavar="NOTEBOOK", help="Run this and all that read from it, if finished too."),
]
By = Annotated[
    str | None, typer.Option("--by", metavar="segment", help="Also a page of every segment, in segments/ of the month.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only say what would run and why: data, parameters, lock, disk.")
]
Redact = Annotated[
    bool, typer.Option("--redact", help="Pseudonyms for deals, accounts and owners, in every file of the month.")
]
SaltFile = Annotated[
    Path | None,
    typer.Option(
        "--salt-file",
        metavar="FILE",
        help="Secret of the pseudonyms, made where it is not there: the same every month; else new in every run.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress; errors still show.")]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of each month: `options` go to the report as they are, the rest is the command's."""

    data: str
    out: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    retries: int = 0
    notify: Sequence[str] = ()
    as_json: bool = False
    quiet: bool = False

    @property
    def redacted(self) -> bool:
        """Whether names are replaced."""
        return bool(self.options["redacted"])


def run(request: Request, days: Sequence[str], *, timeout: float | None, dry_run: bool = False) -> None:
    """Make the report of each day, or say what it would do; raises typer.Exit with the code of what came of them.

    One month: its error is the command's. Several: what fails for data, parameters or a notebook is told, and the next
    is made; the machine and a signal end it. The code is the highest.
    """
    from forecast.reporting.run.stopping import limited

    code = 0
    if dry_run:
        _plan(request, days)
    if request.out.name == TRIAL and request.out.parent.parent.is_dir():
        with contextlib.suppress(OSError):  # what cannot be written is told by the run
            request.out.parent.mkdir(exist_ok=True)
    start = time.monotonic()
    continues = "starts anew" if request.redacted and request.options["salt_file"] is None else "continues"
    with _stopping(then=continues):
        for day in days:
            try:
                left = None if timeout is None else max(timeout - (time.monotonic() - start), 0.01)
                with limited(left, of=timeout):
                    page = _one(request, day)
            except ForecastError as error:
                if not request.as_json:  # else the log has it
                    typer.echo(f"error: {f'{day}: ' if len(days) > 1 else ''}{error}", err=True)
                code = max(code, error.exit_code)
                if isinstance(error, MachineError):
                    break
            else:
                typer.echo(f"report: {page}")
    if code:
        raise typer.Exit(code)


def _plan(request: Request, days: Sequence[str]) -> None:
    """Say what the report of each day would do; raises typer.Exit with 4 where one could not be made now."""
    from forecast.reporting.published.planned import planned
    from forecast.reporting.run.prepare import Asked

    refused = False
    for day in days:
        options = {name: request.options[name] for name in _PLANNED if name in request.options}
        found = planned(
            request.data,
            day=Asked(as_of=day, now=clock.now(), nothing_since=request.options["nothing_since"]),
            out=request.out,
            months_ahead=request.options["months"],
            **options,
        )
        if request.as_json:
            typer.echo(json.dumps(found.as_dict(), ensure_ascii=False, allow_nan=False))
        else:
            for line in found.lines():
                typer.echo(line)
        refused = refused or bool(found.refused)
    raise typer.Exit(MachineError.exit_code if refused else 0)


def trial(request: Request, only: str | None) -> Request:
    """Return the request of one notebook and what it reads from, which is made beside the months; or the same."""
    from forecast.reporting.run.prepare import stages_of

    if only is None:
        return request
    if request.options["from_notebook"] is not None:
        raise ParameterError("--only and --from-notebook exclude each other")
    if request.options["by"] is not None:
        raise ParameterError("--only and --by exclude each other: the pages of segments read from all notebooks")
    stages = stages_of(Path(only).name.removesuffix(".ipynb"))
    options = {**request.options, "stages": stages}
    return replace(request, out=request.out / TRIAL, options=options)


def _one(request: Request, day: str) -> Path:
    """Make one month, with its record, and tell who is to be notified."""
    from forecast.reporting.published.record import Record
    from forecast.reporting.run.progress import Quiet as Silent
    from forecast.reporting.run.progress import progress

    record = Record(
        request.out,
        as_of=day,
        clock=clock.now,
        display=Silent() if request.as_json else progress(quiet=request.quiet),
        as_json=request.as_json,
        echo=sys.stderr if request.as_json else None,
        quiet=request.quiet,
        redacted=request.redacted,
    )
    try:
        with record.kept():
            return _tried(request, day, record)
    finally:
        if request.notify:
            _notify(request.notify, record)


def _tried(request: Request, day: str, record: Record) -> Path:
    """Make one month, again after an error that may pass by itself, as often as is asked; or find it made already."""
    if page := _found(request, day, record):
        return page
    from forecast.reporting.run.report import report

    for tries in range(request.retries + 1):
        try:
            return report(request.data, as_of=day, out=request.out, progress=record, now=clock.now(), **request.options)
        except ForecastError as error:
            if not error.transient or tries == request.retries:
                raise
            pause = min(_FIRST_PAUSE * 2**tries, _LONGEST_PAUSE)
            record.retries(str(error), after=pause)
            if not (request.quiet or request.as_json):
                typer.echo(f"again in {pause:g} s, after {TRANSIENT[error.transient]}: {error}", err=True)
            time.sleep(pause)
    raise AssertionError("the last try returns or raises")


def _found(request: Request, day: str, record: Record) -> Path | None:
    """Return the page of the month where it was published from exactly this, so that there is nothing to make."""
    from forecast.reporting.run.prepare import as_published

    some_anew = request.options["from_notebook"] is not None or "stages" in request.options
    if not request.options["resume"] or request.redacted or some_anew:
        return None
    asked = {name: request.options[name] for name in _IDENTIFYING}
    try:
        page = as_published(request.data, as_of=day, out=request.out, now=clock.now(), progress=record, **asked)
    except (ForecastError, OSError):  # the run says it, as it always does
        return None
    if page and not (request.quiet or request.as_json):
        typer.echo("unchanged: published from exactly this, so nothing was run; --no-resume makes it again", err=True)
    return page


def _notify(command: Sequence[str], record: Record) -> None:
    """Run a command with the path of the status; what becomes of it changes nothing."""
    try:
        subprocess.run(
            [*command, str(record.status_file())], timeout=_NOTIFY_SECONDS, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError, MachineError) as error:
        with contextlib.suppress(OSError):
            typer.echo(f"note: nobody was notified ({error})", err=True)
    finally:
        record.forget()


@contextlib.contextmanager
def _stopping(*, then: str) -> Iterator[None]:
    """Say what a stopped run leaves behind and what the same command does, and end with the signal's exit code."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as stop:
        typer.echo(f"stopped; the last good month is as it was, and the same command {then}", err=True)
        code = stop.code if isinstance(stop, SystemExit) and isinstance(stop.code, int) else 130
        raise typer.Exit(code) from None


# -- what is asked --------------------------------------------------------------------------------------


def days_of(given: Sequence[str]) -> list[str]:
    """Return the days that are asked for, one each. Raises ParameterError for one that is asked for twice, and none."""
    days = [day.strip() for text in given for day in text.split(",") if day.strip()]
    if not days:
        raise ParameterError("--as-of names no day")
    for day in days:
        if days.count(day) > 1:
            raise ParameterError(f"--as-of: {day} is given twice")
    return days


def is_json(log_format: str) -> bool:
    """Return whether the log is to be JSON; another format than the two is wrong usage."""
    if log_format not in _LOG_FORMATS:
        raise typer.BadParameter(f"{log_format!r} is not one of {', '.join(_LOG_FORMATS)}", param_hint="--log-format")
    return log_format == "json"


def command_of(text: str | None) -> list[str]:
    """Return the words of a command as a shell would divide them; it is run without one."""
    if text is None:
        return []
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ParameterError(f"--notify: {text!r} is not a command ({error})") from None
    if not words:
        raise ParameterError("--notify names no command")
    return words


def parameters_of(file: Path | None, texts: Sequence[str]) -> dict[str, Any]:
    """Return the parameters of a file and those that are given one by one; none may be given twice."""
    from forecast.reporting.run.parameters import parameters_file

    found = {} if file is None else parameters_file(file)
    for name, value in _pairs(texts).items():
        if name in found:
            raise ParameterError(f"{name} is given twice: by --parameters and by --parameter")
        found[name] = value
    return found


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    """Read NAME=VALUE."""
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ParameterError(f"{text!r} is not NAME=VALUE")
        if name.strip() in pairs:
            raise ParameterError(f"{name.strip()} is given twice")
        pairs[name.strip()] = value
    return pairs
