"""One segment's page, made where there is room: its tables, its notebook run, the page exported.

A piece of work holds all that it needs, so that it may be done on a machine that has neither data nor month: the
segment's rows of the month's tables, and company.toml. It hands back files, which whoever asked writes into the month.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.data.sources.company import FILE
from forecast.data.sources.private import private_folder
from forecast.reporting.month.results import Results
from forecast.reporting.run import export, figures, links, pages
from forecast.reporting.run.kernels import Kernels

NOTEBOOK = "10_segment"
"""The notebook that is run for each segment."""
FOLDER = "segments"
"""The folder of a month that holds the pages."""
_TABLES = "tables"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What all pages share.

    notebook : its content as JSON. values : of its parameters; published : as the finished month shows them. declared :
    its parameters. frame : what stands around each page. company : the text of company.toml, None where there is none.
    """

    notebook: Mapping[str, Any]
    values: Mapping[str, Any]
    published: Mapping[str, Any]
    declared: Sequence[Any]
    frame: export.Page
    company: bytes | None
    cell_seconds: float


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A segment, how its files are called, and its rows of the month's tables, as Parquet by name."""

    segment: str
    name: str
    tables: Mapping[str, bytes]


@dataclass(frozen=True, kw_only=True)
class Made:
    """What came of a segment's page: its files by their path in the folder of pages, and the failure, if any.

    Of a page that failed the files are the page and the notebook as far as they came.
    """

    segment: str
    name: str
    files: Mapping[str, bytes]
    seconds: float
    peak_mb: float | None
    failure: Any = None


def packed(frame: pd.DataFrame) -> bytes:
    """Return a table as the bytes of a Parquet file."""
    file = io.BytesIO()
    frame.to_parquet(file, index=False)
    return file.getvalue()


def make(pieces: Sequence[Piece], asked: Asked) -> list[Made]:
    """Make the pages of some segments, one after the other, in kernels of their own; ends with the first that fails."""
    made: list[Made] = []
    with Kernels() as kernels:
        for piece in pieces:
            made.append(one(piece, asked, kernels=kernels))
            if made[-1].failure is not None:
                break
    return made


def one(piece: Piece, asked: Asked, *, kernels: Kernels) -> Made:
    """Make the page of one segment."""
    from forecast.reporting.run.engine import run_notebook  # takes a second

    with private_folder() as place:
        results = Results(place / _TABLES)
        for name, content in piece.tables.items():
            results.write(name, pd.read_parquet(io.BytesIO(content)))
        (place / "data").mkdir()
        if asked.company is not None:
            (place / "data" / FILE).write_bytes(asked.company)
        file = place / f"{NOTEBOOK}.ipynb"
        file.write_text(json.dumps(asked.notebook), encoding="utf-8")
        own = {"segment": piece.segment, "data": str(place / "data"), "tables": str(place / _TABLES)}
        ran = run_notebook(file, {**asked.values, **own}, kernels=kernels, cell_seconds=asked.cell_seconds)
        failed = ran.failure is not None
        executed = pages.with_failure(ran) if failed else ran.notebook
        shown = {**asked.published, "segment": piece.segment, "tables": _TABLES}
        tidied = pages.tidy(executed, shown, hide=[place, place.resolve()])
        rows = pages.parameter_rows(asked.declared, shown)
        frame = replace(asked.frame, title=piece.segment, part=piece.segment, parameters=rows)
        if failed:
            pages.write_notebook(tidied, place / "out" / f"{NOTEBOOK}.ipynb")
            pages.write_page(tidied, frame, place / "out" / f"{piece.name}.html")
        else:
            pages.write_notebook(tidied, place / "out" / piece.name / f"{NOTEBOOK}.ipynb")
            _write(tidied, frame, place / "out" / f"{piece.name}.html", up=f"{piece.name}/", results=results)
        files = {path.relative_to(place / "out").as_posix(): path.read_bytes() for path in _files(place / "out")}
        if not failed:
            for table in sorted((place / _TABLES).glob("*.csv")):
                files[f"{piece.name}/{_TABLES}/{table.name}"] = table.read_bytes()
    return Made(
        segment=piece.segment,
        name=piece.name,
        files=files,
        seconds=ran.seconds,
        peak_mb=ran.peak_mb,
        failure=ran.failure,
    )


def _write(notebook: Any, frame: export.Page, file: Path, *, up: str, results: Results) -> None:
    """Write a page whose numbers lead to the segment's own tables; up : how their folder's parent is reached."""
    name = f"page{NOTEBOOK[:2]}"
    html = figures.with_tables(export.page(notebook, frame), name=name, results=results)
    assert results.folder is not None
    tables = {table.stem for table in results.folder.glob("*.csv")}
    html = links.with_tables(html, tables, page_name=name, up=up)
    html = links.with_terms(html, frame.up + links.GLOSSARY)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(html, encoding="utf-8")


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
