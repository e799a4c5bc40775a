"""The main job: check everything, run the notebooks side by side, make their pages, publish the month.

Nothing is run before the parameters and the data have been found right (`prepare`), nothing is published before all of
it is made, and a re-run takes over the notebooks that were finished.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecast.data.asked_day import Asked
from forecast.data.memory import give_back
from forecast.data.sources.private import private_folder
from forecast.errors import MachineError, ParameterError
from forecast.models.spread.spread import are_several
from forecast.reporting.month.results import NOTED, noted
from forecast.reporting.pages.fiscal import fiscal_months
from forecast.reporting.published.part import PARAMETER
from forecast.reporting.published.takeover import contradicted, take_over, takeover
from forecast.reporting.run import export, pages, publication, workspace
from forecast.reporting.run.kernels import Kernels
from forecast.reporting.run.prepare import (
    STAGES,
    Job,
    Notebook,
    Stage,
    divided_by,
    notebooks_folder,
    prepare,
    read_notebooks,
    stages_from,
    with_values,
)
from forecast.reporting.run.progress import Progress, Quiet
from forecast.reporting.run.stopping import terminable

if TYPE_CHECKING:
    from forecast.reporting.run.engine import Execution
    from forecast.reporting.segments.month import Places

CELL_SECONDS = 3600.0
"""A cell that takes longer than this has lost its way."""
MOST_CELL_SECONDS = 1e7


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
    now: dt.datetime | None = None,
    nothing_since: bool = False,
    wait: float = 0.0,
    from_notebook: str | None = None,
    by: str | None = None,
    where: str = "",
    workers: int = 1,
    dask: str = "",
) -> Path:
    """Make the report of one month and return its leader's page, `<out>/<as_of>/index.html`.

    data, as_of, months, seed, parameters, scenario : what it is about, as `forecast report` explains them.
    resume : take over what a failed run of exactly this finished. from_notebook : but this and all that read from it.
    jobs, cell_seconds : how many notebooks run at once, how long a cell may take. notebooks, stages : their folder, by
    default the project's, and which to run. kernels : where kernels come from, open; by default of its own. redacted,
    salt_file : replace names by pseudonyms, by a secret that lasts, or is drawn for this run. now : what
    `last-month` or `today` refers to, with its zone. wait : seconds to wait for another run. nothing_since : nothing
    happened between the last record and as_of; else data that end long before it are refused.
    where : its deals, as `select` takes it. by : `segment` for a page of each; workers, dask : who makes these.

    Raises ParameterError, DataError before a notebook runs; NotebookError, MachineError leave the last good month.
    """
    _check_options(jobs, cell_seconds, salted=salt_file is not None, redacted=redacted)
    anew = frozenset() if from_notebook is None else stages_from(from_notebook, stages)
    day = Asked(as_of=as_of, now=now, nothing_since=nothing_since)
    standard = {"data": os.fspath(data), "as_of": day.first_guess, "months": months, "seed": seed, PARAMETER: where}
    asked = read_notebooks(notebooks_folder(notebooks), (*stages, *_divided(by, workers=workers, dask=dask)))
    asked = with_values(asked, standard=standard, given=parameters or {}, scenario=scenario)
    with (
        terminable(),
        private_folder() as private,
        nullcontext(kernels) if kernels else Kernels() as source,  # its libraries load while the data are read here
        progress or Quiet() as display,
    ):
        places = _places(source, workers=workers, dask=dask) if by else None
        job = prepare(asked, data=data, day=day, out=Path(out), private=private, redacted=redacted, salt_file=salt_file)
        display.about(job.made_from)
        run = _Run(job=job, kernels=source, display=display, jobs=jobs, cell_seconds=cell_seconds, places=places)
        with workspace.locked(job.month.out, f"the report of {job.month.as_of}", wait=wait, waits=display.waits):
            _make(run, resume=resume, anew=anew)
    return job.month.final / ("index.html" if _has_leader(job) else _href(list(job.notebooks.values())[-1].stage))


def _divided(by: str | None, *, workers: int, dask: str) -> tuple[Stage, ...]:
    """Return the stages that are run for each part of the month. Raises ParameterError for places without work."""
    each = divided_by(by)
    if are_several(workers=workers, dask=dask) and not each:
        raise ParameterError("workers and dask make pages of segments: give --by segment too, or --jobs for notebooks")
    return each


def _has_leader(job: Job) -> bool:
    return any(notebook.stage.kind == "leader" for notebook in job.notebooks.values())


def _check_options(jobs: int, cell_seconds: float, *, salted: bool, redacted: bool) -> None:
    """Raise ParameterError for what a run cannot be asked."""
    if jobs < 1:
        raise ParameterError(f"jobs: {jobs} is not at least 1")
    if not 1 <= cell_seconds <= MOST_CELL_SECONDS:
        raise ParameterError(f"cell_seconds: {cell_seconds:g} is not from 1 to {MOST_CELL_SECONDS:,.0f}")
    if salted and not redacted:
        raise ParameterError("a salt is of use in a redacted report only: give --redact too")


def _places(kernels: Kernels, *, workers: int, dask: str) -> Places:
    from forecast.reporting.segments.month import Places

    return Places(kernels=kernels, workers=workers, dask=dask)


@dataclass(frozen=True, kw_only=True)
class _Run:
    """One run of a job: where its kernels come from, who sees how far it is, how many notebooks go at once."""

    job: Job
    kernels: Kernels
    display: Progress
    jobs: int
    cell_seconds: float
    places: Places | None
    finishing: threading.Lock = field(default_factory=threading.Lock)


def _make(run: _Run, *, resume: bool, anew: frozenset[str] = frozenset()) -> None:
    """Run what is not finished and publish the month; the folder of reports is locked."""
    give_back()  # of the data only what the job says is needed from here on
    job = run.job
    workspace.sweep(job.month)
    made_from = workspace.combined(job.made_from)
    if resume and not workspace.State.is_of(job.month, made_from) and (found := takeover(job, anew=anew)):
        take_over(job, found)
    state = workspace.State.open(job.month, made_from, resume=resume)
    state.forget(anew)
    if job.redacted:  # what a run with names has left there
        shutil.rmtree(job.month.failed, ignore_errors=True)
    planned = [*job.notebooks, *([] if job.each is None else [job.each.stage.name])]
    run.display.plan(planned, pages.seconds_of_last_run(job.month.out))
    _walk_once(run, [one for name, one in job.notebooks.items() if name not in state.finished])
    _run_all(run, state)
    if contradicted(state.finished):
        state = workspace.State.open(job.month, made_from, resume=False)
        _run_all(run, state)
    finished: Mapping[str, Mapping[str, Any]] = state.finished
    if run.places is not None:
        from forecast.reporting.segments.month import make_pages, measured  # they load what draws and forecasts

        make_pages(job, state, places=run.places, display=run.display, cell_seconds=run.cell_seconds)
        finished = measured(state.finished)
    job.reading.check(last=True)
    pages.write_glossary(job.month.work, company=job.company, logo=job.logo)
    link, new = publication.publish(job, finished)
    run.display.published({**link.as_dict(), "new": new})


def _walk_once(run: _Run, notebooks: Sequence[Notebook]) -> None:
    """Have the data read and walked through once for the notebooks to come, where several read them."""
    asked = {(str(one.values["data"]), str(one.values.get(PARAMETER, ""))) for one in notebooks if "data" in one.names}
    if len(notebooks) > 1 and len(asked) == 1:
        ((data, where),) = asked
        run.kernels.walk(data, run.job.month.as_of, where=where)


# -- running ---------------------------------------------------------------------------------------------


def _run_all(run: _Run, state: workspace.State) -> None:
    """Run every notebook that is not finished, each after those it reads from; raises when one fails."""
    waiting = [one for name, one in run.job.notebooks.items() if name not in state.finished]
    for name in run.job.notebooks:
        if name in state.finished:
            run.display.end(name, "kept", 0.0)
    running: dict[Future[Execution], Notebook] = {}
    failed: list[tuple[Notebook, Execution]] = []
    refused: list[MachineError] = []
    with ThreadPoolExecutor(run.jobs) as pool:
        try:
            while waiting or running:
                unfinished = {one.stage.name for one in (*waiting, *running.values())}
                ready = [one for one in waiting if not unfinished.intersection(one.stage.after)]
                for notebook in ready[: run.jobs - len(running)] if not (failed or refused) else []:
                    waiting.remove(notebook)
                    running[pool.submit(_run_one, run, notebook, state)] = notebook
                if not running:
                    break
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    notebook = running.pop(future)
                    try:
                        execution = future.result()
                    except MachineError as error:
                        refused.append(error)
                    else:
                        failed += [(notebook, execution)] if execution.failure is not None else []
        except BaseException:
            run.kernels.close()  # so that the threads come back
            raise
    if refused:
        raise refused[0]
    if failed:
        run.job.reading.check(last=True)  # else that is what failed
        _raise(run.job, *failed[0])


def _run_one(run: _Run, notebook: Notebook, state: workspace.State) -> Execution:
    """Run one notebook and write its notebook and page, or the page of its failure."""
    from forecast.reporting.run.engine import run_notebook  # takes a second, so not before the data are right

    name = notebook.stage.name
    run.display.begin(name)
    notes = run.job.private / f"{name}.tables"
    notes.unlink(missing_ok=True)
    execution = run_notebook(
        notebook.file,
        notebook.values,
        kernels=run.kernels,
        on_cell=lambda number, cells: run.display.cell(name, number, cells),
        cell_seconds=run.cell_seconds,
        environment={NOTED: str(notes)},
    )
    if execution.failure is None:
        _write(run.job, notebook, execution)
        peak = None if execution.peak_mb is None else round(execution.peak_mb, 1)
        with run.finishing:
            run.job.reading.check()  # no run may take over what has seen other data
            measured = {"seconds": round(execution.seconds, 2), "peak_memory_mb": peak}
            state.finish(name, {**measured, **noted(notes)})
        run.display.end(name, "done", execution.seconds)
        give_back()  # of the page's tables and text
    elif not run.kernels.closed:  # else it was stopped from outside: nothing failed
        _write(run.job, notebook, execution)
        run.display.end(name, "failed", execution.seconds)
    return execution


def _write(job: Job, notebook: Notebook, execution: Execution) -> None:
    """Write the executed notebook and its page into the month, or where failures lie."""
    name, month = notebook.stage.name, job.month
    failed = execution.failure is not None
    executed = pages.with_failure(execution) if failed else execution.notebook
    tidied = pages.tidy(executed, notebook.published, hide=job.hide)
    frame = export.Page(
        kind=notebook.stage.kind,
        title=notebook.title,
        notebook=name,
        company=job.company.name,
        report=job.company.title,
        footer=job.company.footer,
        calendar=fiscal_months(job.company, as_of=month.as_of),
        as_of=month.as_of,
        parameters=pages.parameter_rows(notebook.declared, notebook.published),
        pages=() if failed else _links(job, notebook.stage),
        logo=job.logo,
        redacted=job.redacted,
    )
    pages.write_notebook(tidied, (month.failed if failed else month.work / "notebooks") / f"{name}.ipynb")
    if failed:
        pages.write_page(tidied, frame, month.failed / f"{name}.html")
    else:
        pages.write_page(tidied, frame, month.work / _href(notebook.stage), tables=month.work / "tables")


def _href(stage: Stage) -> str:
    return "index.html" if stage.kind == "leader" else f"analysis/{stage.name}.html"


def _links(job: Job, here: Stage) -> list[dict[str, str]]:
    """Return the month's pages as seen from one of them: the leader's first, then the analyses by name."""
    up = "" if here.kind == "leader" else "../"
    ordered = sorted(job.notebooks.values(), key=lambda one: (one.stage.kind != "leader", one.stage.name))
    found = [{"name": one.stage.name, "title": one.title, "href": up + _href(one.stage)} for one in ordered]
    if job.each is None:
        return found
    from forecast.reporting.segments.month import link

    return [*found, link(up)]


def _raise(job: Job, notebook: Notebook, execution: Execution) -> None:
    failure = execution.failure
    assert failure is not None
    name = notebook.stage.name
    told = replace(failure, message=failure.message.replace(f"{job.private}{os.sep}", ""))
    raise pages.error_of(told, notebook=name, page=job.month.failed / f"{name}.html")
