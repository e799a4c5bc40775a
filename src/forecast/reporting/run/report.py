"""The main job: check everything, run the notebooks side by side, make their pages, publish the month.

Nothing is run before the parameters and the data have been found right, nothing is published before all of it is
made, and what is finished is kept for a re-run.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forecast.data.schema import Company
from forecast.errors import MachineError, NotebookError, ParameterError, nearest
from forecast.reporting.month.results import write_text
from forecast.reporting.run import export, manifest, pages, workspace
from forecast.reporting.run import scenario as scenario_input
from forecast.reporting.run.engine import Execution, Kernels, run_notebook
from forecast.reporting.run.parameters import Parameter, check, notebook_parameters
from forecast.reporting.run.progress import Progress, Quiet

CELL_SECONDS = 3600.0
"""A cell that takes longer than this has lost its way."""

_OPTIONS = {"data": "--data", "as_of": "--as-of", "months": "--months", "seed": "--seed", "tables": "--out"}


@dataclass(frozen=True)
class Stage:
    """One notebook of the report and the notebooks whose tables it reads."""

    name: str
    after: tuple[str, ...] = ()
    kind: str = "analysis"


# In the order in which they are taken up: the longest first, so that the others fit beside it.
STAGES = (
    Stage("04_track_record"),
    Stage("03_bookings"),
    Stage("01_data_audit"),
    Stage("02_win_probability"),
    Stage("05_joint_planning", after=("04_track_record",)),
    Stage("00_explore", after=("02_win_probability", "05_joint_planning")),
    Stage("06_scorecard", after=("02_win_probability", "03_bookings", "04_track_record", "05_joint_planning")),
    Stage(
        "07_leadership_brief",
        after=(
            "01_data_audit",
            "02_win_probability",
            "03_bookings",
            "04_track_record",
            "05_joint_planning",
            "06_scorecard",
        ),
        kind="leader",
    ),
)


@dataclass
class _Job:
    """All that is known of a report before its first notebook starts."""

    month: workspace.Month
    stages: Sequence[Stage]
    files: Mapping[str, Path]
    declared: Mapping[str, list[Parameter]]
    values: dict[str, dict[str, Any]]
    data: str
    cell_seconds: float
    titles: dict[str, str] = field(default_factory=dict)
    company: Company = field(default_factory=Company)
    logo: str = ""
    hide: list[Path] = field(default_factory=list)
    private: Path | None = None
    made_from: dict[str, Any] = field(default_factory=dict)


def report(
    data: str | os.PathLike[str],
    *,
    as_of: str,
    out: str | os.PathLike[str] = "reports",
    months: int = 6,
    seed: int = 0,
    parameters: Mapping[str, Any] | None = None,
    scenario: str | os.PathLike[str] | None = None,
    resume: bool = True,
    jobs: int = 2,
    notebooks: str | os.PathLike[str] | None = None,
    stages: Sequence[Stage] = STAGES,
    cell_seconds: float = CELL_SECONDS,
    progress: Progress | None = None,
    kernels: Kernels | None = None,
    redacted: bool = False,
    salt_file: str | os.PathLike[str] | None = None,
) -> Path:
    """Make the report of one month and return its leader's page, `<out>/<as_of>/index.html`.

    Parameters
    ----------
    data : data folder, as `forecast.read` takes it.
    as_of : the day whose knowledge is used, or a month, which means its last day.
    out : folder of reports; made where it is not there.
    months, seed, parameters : passed to every notebook that has a parameter of that name.
    scenario : a file of parameters for 00_explore, as `scenario_file.write_scenario` writes it.
    resume : take over the notebooks that a failed run of exactly this report has finished.
    jobs : how many notebooks run at once.
    notebooks : folder of the notebooks; by default that of the project.
    cell_seconds : a cell that takes longer fails.
    kernels : where kernels come from, already open, to make several reports with one; by default of its own.
    redacted : make it from a copy of the data in which deals, accounts, owners and free text carry pseudonyms.
    salt_file : the secret of the pseudonyms, made where it is not there; with it they are the same in every month. By
        default one is drawn for this run and never written.

    Raises
    ------
    ParameterError, DataError : before any notebook runs and before anything is written.
    NotebookError : a notebook failed; the last good month is as it was.
    MachineError : the folder is locked by another run, the disk is full, …
    """
    if jobs < 1:
        raise ParameterError(f"jobs: {jobs} is not at least 1")
    if salt_file is not None and not redacted:
        raise ParameterError("a salt is of use in a redacted report only: give --redact too")
    folder = notebooks_folder(notebooks)
    files = {stage.name: folder / f"{stage.name}.ipynb" for stage in stages}
    declared = {name: notebook_parameters(file) for name, file in files.items()}
    standard = {"data": os.fspath(data), "as_of": as_of, "months": months, "seed": seed}
    values = _values(declared, standard, parameters or {}, scenario_input.read(scenario))
    with (
        _terminable(),
        _private() if redacted else nullcontext() as private,
        nullcontext(kernels) if kernels else Kernels() as source,
        progress or Quiet() as shown,
    ):
        # The kernels' libraries load in a process of their own while the data are read here.
        day, job = _prepare(
            Path(os.fspath(data)), as_of, Path(out), stages, files, declared, values, cell_seconds, private, salt_file
        )
        with workspace.locked(job.month.out, f"the report of {day}"):
            state = workspace.State.open(job.month, manifest.combined(job.made_from), resume=resume)
            if redacted:  # what a run with names has left there
                shutil.rmtree(job.month.failed, ignore_errors=True)
            shown.plan([stage.name for stage in stages], pages.seconds_of_last_run(job.month.out))
            _run(job, state, source, shown, jobs)
            _write_manifest(job, state)
            workspace.publish(job.month)
            pages.write_index(job.month.out, company=job.company, logo=job.logo)
    return job.month.final / "index.html"


def notebooks_folder(given: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of the notebooks: the given one, else the project's, else `notebooks` here or above."""
    if given is not None:
        if not Path(given).is_dir():
            raise ParameterError(f"{Path(given)}: there is no such folder of notebooks")
        return Path(given)
    here = Path.cwd()
    for base in (Path(__file__).parents[4], here, *here.parents):
        if (base / "notebooks" / f"{STAGES[-1].name}.ipynb").is_file():
            return base / "notebooks"
    raise ParameterError("the notebooks are not found; give their folder with --notebooks")


def _values(
    declared: Mapping[str, list[Parameter]],
    standard: Mapping[str, Any],
    given: Mapping[str, Any],
    scenario: Mapping[str, Any],
) -> dict[str, dict[str, Any]]:
    """Return the parameters of each notebook, checked and typed; those of a scenario go to 00_explore alone."""
    scenario_input.check_given(scenario, given, declared)
    known = {parameter.name for parameters in declared.values() for parameter in parameters}
    for name in given:
        if name in _OPTIONS:
            raise ParameterError(f"{name} has an option of its own: give {_OPTIONS[name]}")
        if name not in known:
            raise ParameterError(f"no notebook has a parameter {name!r}; {nearest(name, known)}")
    values = {}
    for notebook, parameters in declared.items():
        names = {parameter.name for parameter in parameters}
        mine = {name: value for name, value in {**standard, **given}.items() if name in names}
        mine.update(scenario if notebook == scenario_input.NOTEBOOK else {})
        values[notebook] = check(mine, parameters, where=notebook)
    return values


def _prepare(
    data: Path,
    as_of: str,
    out: Path,
    stages: Sequence[Stage],
    files: Mapping[str, Path],
    declared: Mapping[str, list[Parameter]],
    values: dict[str, dict[str, Any]],
    cell_seconds: float,
    private: Path | None,
    salt_file: str | os.PathLike[str] | None,
) -> tuple[str, _Job]:
    """Read and check the data, and settle what the month is made from. Writes nothing but the redacted copy."""
    from forecast.data.sources.files import locate, read
    from forecast.data.sources.redact import read_salt, redact

    log = read(data)
    end = log.extracted_on
    moment = log.company.periods.parse_day(as_of)
    if moment > end:
        raise ParameterError(f"as_of: {moment.date()} is after the last day of the data, {end.date()}")
    day = str(moment.date())
    scenario_input.check_day(scene := values.get(scenario_input.NOTEBOOK, {}), log, as_of=day)
    place = locate(data)
    job = _Job(workspace.Month(out, day), stages, files, declared, values, str(data), cell_seconds)
    job.company = log.company
    picture = (place / log.company.logo).resolve() if log.company.logo else None
    job.logo = export.logo(picture if picture and picture.is_relative_to(place.resolve()) else None)
    job.hide = pages.folders_to_hide(place.resolve())
    if private is not None:
        # From here on nothing knows the names: kernels, fingerprints and pages see the copy only.
        salt = read_salt(None if salt_file is None else Path(salt_file), outside=out)
        job.private, place, original = private, private / "data", place
        scene.update(scenario_input.renamed(scene, redact(original, place, log=log, salt=salt)))
        job.hide += [private, private.resolve()]
        for mine in values.values():
            mine.update({"data": str(place)} if "data" in mine else {})
    contents = {name: json.loads(file.read_text(encoding="utf-8")) for name, file in files.items()}
    for stage in stages:
        names = {parameter.name for parameter in declared[stage.name]}
        known = {"as_of": day, "tables": str(job.month.work / "tables")}
        values[stage.name].update({name: value for name, value in known.items() if name in names})
        job.titles[stage.name] = export.heading(contents[stage.name], stage.name)
    job.made_from = {
        "as_of": day,
        "redacted": private is not None,
        "parameters": {name: _as_published(job, name) for name in files},
        "fingerprints": {
            "data": manifest.data_fingerprints(place),
            "code": manifest.code_fingerprint(),
            "notebooks": {name: manifest.notebook_fingerprint(content) for name, content in contents.items()},
        },
        "versions": manifest.versions(),
    }
    return day, job


def _as_published(job: _Job, name: str) -> dict[str, Any]:
    """Return a notebook's parameters as seen from the finished month, without the paths of this machine."""
    values = dict(job.values[name])
    if "tables" in values:
        values["tables"] = "../tables"
    if "data" in values:
        values["data"] = Path(job.data).name if Path(job.data).is_absolute() else job.data
    return values


# -- running ---------------------------------------------------------------------------------------------


def _run(job: _Job, state: workspace.State, kernels: Kernels, shown: Progress, jobs: int) -> None:
    """Run every notebook that is not finished, each after those it reads from; raises when one fails."""
    waiting = [stage for stage in job.stages if stage.name not in state.finished]
    for stage in job.stages:
        if stage.name in state.finished:
            shown.end(stage.name, "kept", 0.0)
    running: dict[Future[Execution], Stage] = {}
    failed: list[tuple[Stage, Execution]] = []
    with ThreadPoolExecutor(jobs) as pool:
        try:
            while waiting or running:
                still = {stage.name for stage in (*waiting, *running.values())}
                ready = [stage for stage in waiting if not still.intersection(stage.after)]
                for stage in ready[: jobs - len(running)] if not failed else []:
                    waiting.remove(stage)
                    running[pool.submit(_stage, job, stage, state, kernels, shown)] = stage
                if not running:
                    break
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    stage, execution = running.pop(future), future.result()
                    if execution.failure is not None:
                        failed.append((stage, execution))
        except BaseException:
            kernels.close()  # so that the threads come back
            raise
    if failed:
        _raise(job, *failed[0])


def _stage(job: _Job, stage: Stage, state: workspace.State, kernels: Kernels, shown: Progress) -> Execution:
    """Run one notebook and write its notebook and page, or the page of its failure."""
    name = stage.name
    shown.begin(name)
    execution = run_notebook(
        job.files[name],
        job.values[name],
        kernels=kernels,
        on_cell=lambda number, cells: shown.cell(name, number, cells),
        cell_seconds=job.cell_seconds,
    )
    about = export.Page(
        kind=stage.kind,
        title=job.titles[name],
        notebook=name,
        company=job.company.name,
        report=job.company.title,
        footer=job.company.footer,
        as_of=job.month.as_of,
        parameters=pages.shown(job.declared[name], _as_published(job, name)),
        pages=_pages(job, stage) if execution.failure is None else (),
        logo=job.logo,
        redacted=job.private is not None,
    )
    if execution.failure is not None:
        if kernels.closed:  # stopped from outside: nothing failed
            return execution
        partial = pages.tidy(pages.with_failure(execution), _as_published(job, name), hide=job.hide)
        pages.write_notebook(partial, job.month.failed / f"{name}.ipynb")
        pages.write_page(partial, about, job.month.failed / f"{name}.html")
        shown.end(name, "failed", execution.seconds)
        return execution
    done = pages.tidy(execution.notebook, _as_published(job, name), hide=job.hide)
    pages.write_notebook(done, job.month.work / "notebooks" / f"{name}.ipynb")
    pages.write_page(done, about, job.month.work / _page(stage))
    peak = None if execution.peak_mb is None else round(execution.peak_mb, 1)
    with _FINISHING:
        state.finish(name, {"seconds": round(execution.seconds, 2), "peak_memory_mb": peak})
    shown.end(name, "done", execution.seconds)
    return execution


_FINISHING = threading.Lock()


def _page(stage: Stage) -> str:
    return "index.html" if stage.kind == "leader" else f"analysis/{stage.name}.html"


def _pages(job: _Job, here: Stage) -> list[dict[str, str]]:
    """Return the month's pages as seen from one of them: the leader's first, then the analyses by name."""
    up = "" if here.kind == "leader" else "../"
    ordered = sorted(job.stages, key=lambda stage: (stage.kind != "leader", stage.name))
    return [{"name": stage.name, "title": job.titles[stage.name], "href": up + _page(stage)} for stage in ordered]


def _raise(job: _Job, stage: Stage, execution: Execution) -> None:
    failure = execution.failure
    assert failure is not None
    what = failure.what if job.private is None else failure.what.replace(f"{job.private}{os.sep}", "")
    page = str(job.month.failed / f"{stage.name}.html")
    if failure.kind == "machine" or failure.what.startswith(("MachineError", "OSError: [Errno 28]")):
        raise MachineError(f"{stage.name}: {what}\n  the page as far as it came: {page}")
    line = pages.first_line(failure)
    where = f"\n  in: {line}" if line else ""
    raise NotebookError(f"{what}{where}", notebook=stage.name, cell=failure.cell, partial=page)


def _write_manifest(job: _Job, state: workspace.State) -> None:
    seeds = {name: values["seed"] for name, values in job.values.items() if "seed" in values}
    measured = {name: state.finished[name] for name in sorted(state.finished)}
    manifest = {"company": job.company.name, **job.made_from, "seeds": seeds, "notebooks": measured}
    text = json.dumps(manifest, indent=2, ensure_ascii=False, sort_keys=True)
    write_text(text + "\n", job.month.work / "manifest.json")


@contextmanager
def _private() -> Iterator[Path]:
    """Make a folder that only this user can read; it is gone when the run ends, however it ends."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="forecast-redacted-"))
    except OSError as error:
        raise MachineError(f"no temporary folder can be made ({error.strerror}); set TMPDIR") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end a run as Ctrl-C does, with its kernels, where the main thread can hear it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise SystemExit(143)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
