"""All segments' pages of a month: divided among workers, written as they come, taken over where a run failed before.

Simple case: one after the other, in kernels of the run. With several workers, or a cluster, a piece of work is a few
segments, so that what a kernel needs is loaded once for them. A page that fails ends the run, as any notebook does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from forecast.data.sources.company import FILE
from forecast.models.spread.spread import are_several, spread
from forecast.reporting.month.one_segment import divided, segments_of
from forecast.reporting.month.results import ASKED, WROTE, Results, write_atomic
from forecast.reporting.pages.fiscal import fiscal_months
from forecast.reporting.run import export, figures, links, pages, workspace
from forecast.reporting.run.kernels import Kernels
from forecast.reporting.run.prepare import LISTED, Job
from forecast.reporting.run.progress import Progress
from forecast.reporting.segments.listed import TITLE, linked, listed, segments_table
from forecast.reporting.segments.names import file_names
from forecast.reporting.segments.page import FOLDER, NOTEBOOK, Asked, Made, Piece, make, one, packed

_FEWEST, _MOST, _PIECES = 4, 50, 4
"""Segments of a piece of work, at least and at most, and how many pieces a worker should get."""
_CLUSTER = 8
"""So many workers a cluster is thought to have, when work is divided."""

# -- sentences ------------------------------------------------------------------------------------------

OF = "{notebook} of {segment}"
"""How a page that failed is called."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """Who makes the pages: the run's own kernels, so many processes, or the workers of a cluster."""

    kernels: Kernels
    workers: int = 1
    dask: str = ""


def make_pages(job: Job, state: workspace.State, *, places: Places, display: Progress, cell_seconds: float) -> None:
    """Make the pages of all segments and the page that lists them; what a failed run has finished is kept.

    The month's tables are there. Raises NotebookError for the first page that fails, MachineError as `spread` does.
    """
    results = Results(job.month.work / "tables")
    names = file_names(segments_of(results.read("bookings")))
    todo = [segment for segment, name in names.items() if not _is_there(job, state, name)]
    asked = _asked(job, cell_seconds=cell_seconds)
    display.begin(NOTEBOOK)

    def take(made: Sequence[Made]) -> None:
        for each in made:
            if each.failure is not None:
                _raise(job, each)
            _write(job.month.work / FOLDER, each.files)
            job.reading.check()  # no run may take over what has seen other data
            peak = None if each.peak_mb is None else round(each.peak_mb, 1)
            facts: dict[str, Any] = {"seconds": round(each.seconds, 2), "peak_memory_mb": peak, ASKED: [], WROTE: []}
            state.finish(_key(each.name), facts)
        there = sum(_key(name) in state.finished for name in names.values())
        display.cell(NOTEBOOK, max(there, 1), max(len(names), 1))

    pieces = [
        Piece(segment=segment, name=names[segment], tables={name: packed(rows) for name, rows in parts.items()})
        for segment, parts in divided(results, todo)
    ]
    if are_several(workers=places.workers, dask=places.dask):
        size = piece_size(len(pieces), workers=_CLUSTER if places.dask else places.workers)
        parts = [pieces[at : at + size] for at in range(0, len(pieces), size)]
        where: dict[str, Any] = {"workers": places.workers, "dask": places.dask}
        spread(make, parts, **where, shared=(asked,), on_result=lambda _, made: take(made))
    else:
        for piece in pieces:
            take([one(piece, asked, kernels=places.kernels)])
    _write_list(job, results, names)
    display.end(NOTEBOOK, "done" if todo else "kept", measured(state.finished)[NOTEBOOK]["seconds"])


def measured(finished: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what was measured of each notebook; all segments' pages are one: their seconds together, the top peak."""
    found = {name: dict(facts) for name, facts in finished.items() if not name.startswith(f"{FOLDER}/")}
    own = [facts for name, facts in finished.items() if name.startswith(f"{FOLDER}/")]
    if own:
        peaks = [facts["peak_memory_mb"] for facts in own if facts["peak_memory_mb"] is not None]
        seconds = round(sum(facts["seconds"] for facts in own), 2)
        found[NOTEBOOK] = {"seconds": seconds, "peak_memory_mb": max(peaks, default=None), "pages": len(own)}
    return found


def link(up: str) -> dict[str, str]:
    """Return the link to the page that lists the segments; up : how the month's folder is reached."""
    return {"name": FOLDER, "title": TITLE, "href": f"{up}{FOLDER}/index.html"}


def _key(name: str) -> str:
    return f"{FOLDER}/{name}"


def _is_there(job: Job, state: workspace.State, name: str) -> bool:
    return _key(name) in state.finished and (job.month.work / FOLDER / f"{name}.html").is_file()


def piece_size(count: int, *, workers: int) -> int:
    """Return how many segments a piece of work has, of so many for so many workers."""
    return min(max(math.ceil(count / (_PIECES * workers)), _FEWEST), _MOST)


def _asked(job: Job, *, cell_seconds: float) -> Asked:
    """Return what the pages share."""
    notebook = job.each
    assert notebook is not None
    toml = Path(notebook.values["data"]) / FILE
    with workspace.machine("company.toml cannot be read"):
        company = toml.read_bytes() if toml.is_file() else None
    return Asked(
        notebook=notebook.content,
        values=notebook.values,
        published=notebook.published,
        declared=notebook.declared,
        frame=_frame(job, title=notebook.title, name=NOTEBOOK),
        company=company,
        cell_seconds=cell_seconds,
    )


def _frame(job: Job, *, title: str, name: str) -> export.Page:
    """Return what stands around a page in the folder of segments."""
    leader = [one for one in job.notebooks.values() if one.stage.kind == "leader"]
    pages_ = [{"name": one.stage.name, "title": one.title, "href": "../index.html"} for one in leader]
    return export.Page(
        kind="analysis",
        title=title,
        notebook=name,
        company=job.company.name,
        report=job.company.title,
        footer=job.company.footer,
        calendar=fiscal_months(job.company, as_of=job.month.as_of),
        as_of=job.month.as_of,
        pages=[*pages_, {**link("../"), "href": "index.html"}],
        logo=job.logo,
        redacted=job.redacted,
    )


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a folder, each whole or not at all. Raises MachineError."""
    for name, content in files.items():
        write_atomic(folder / name, partial(_fill, content=content), parents=True)


def _fill(file: Path, *, content: bytes) -> None:
    file.write_bytes(content)


def _write_list(job: Job, results: Results, names: Mapping[str, str]) -> None:
    """Write the table of the segments and the page that lists them."""
    import nbformat.v4

    table = results.write(LISTED, segments_table(results, names))
    shown = listed(table, company=job.company)._repr_html_()
    output = nbformat.v4.new_output("display_data", data={"text/html": linked(shown, table)})
    cells = [nbformat.v4.new_markdown_cell(f"# {TITLE}"), nbformat.v4.new_code_cell("", outputs=[output])]
    notebook = nbformat.v4.new_notebook(cells=cells)
    page = export.page(notebook, _frame(job, title=TITLE, name=FOLDER))
    page = figures.with_tables(page, name=LISTED, results=results)
    page = links.with_terms(page, f"../{links.GLOSSARY}")
    _write(job.month.work / FOLDER, {"index.html": page.encode("utf-8")})


def _raise(job: Job, made: Made) -> None:
    """Write the page of a failure where failures lie, and raise what a notebook that failed raises."""
    folder = job.month.failed / FOLDER
    _write(folder, made.files)
    who = OF.format(notebook=NOTEBOOK, segment=made.segment)
    job.reading.check(last=True)  # else that is what failed
    raise pages.error_of(made.failure, notebook=who, page=folder / f"{made.name}.html")
