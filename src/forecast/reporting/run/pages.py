"""The pages of a month: executed notebooks tidied and written, the page of a failure, the index of months."""

from __future__ import annotations

import copy
import json
import re
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecast.data.schema import Company
from forecast.reporting.month.results import write_text
from forecast.reporting.run import export
from forecast.reporting.run.parameters import Parameter

if TYPE_CHECKING:
    from forecast.reporting.run.engine import Execution

_INJECTED = "injected-parameters"
_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$")
_ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")
_WIDGET = "application/vnd.jupyter.widget-view+json"
_RENDERING = threading.Lock()  # the exporter is one, the threads that need it are several


def tidy(notebook: Any, parameters: Mapping[str, Any], *, hide: Sequence[Path] = ()) -> Any:
    """Return an executed notebook as it is published: the same run gives the same bytes on any machine.

    papermill's clock times go, the injected cell gets `parameters` (paths as they are seen from the finished
    month) and a fixed id, and the folders of `hide` are cut off paths in what the notebook showed.
    """
    tidied = copy.deepcopy(notebook)
    for facts in ("papermill", "widgets"):  # a widget lives in a kernel; its state names itself at random
        tidied.metadata.pop(facts, None)
    for cell in tidied.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if _INJECTED in cell.metadata.get("tags", []):
            cell["id"] = _INJECTED
            cell.source = "# Parameters of this run\n" + "\n".join(f"{k} = {v!r}" for k, v in parameters.items())
        if cell.cell_type == "code":
            for output in cell.outputs:
                _without_chance(output.get("data", {}))
            cell.outputs = _without_paths(cell.outputs, hide)
    return tidied


def _without_chance(data: dict[str, Any]) -> None:
    """Take what differs from run to run out of an output: addresses in memory, names of widgets."""
    if _WIDGET in data:
        data[_WIDGET] = {"model_id": ""}
    if isinstance(data.get("text/plain"), str):
        data["text/plain"] = _ADDRESS.sub("", data["text/plain"])


def _without_paths(outputs: Any, hide: Sequence[Path]) -> Any:
    text = json.dumps(outputs, ensure_ascii=False)
    shorter = text
    for folder in sorted({str(path) for path in hide}, key=len, reverse=True):
        if len(folder) > 1:
            shorter = shorter.replace(json.dumps(folder, ensure_ascii=False)[1:-1] + "/", "")
    if shorter == text:
        return outputs
    import nbformat

    return [nbformat.from_dict(output) for output in json.loads(shorter)]


def folders_to_hide(data: Path) -> list[Path]:
    """Return the folders whose names are of no interest to a reader: of the data, the code, Python and the run."""
    return [Path.cwd(), data.parent, Path(export.__file__).parents[3], Path(sys.prefix), Path.home()]


def with_failure(execution: Execution) -> Any:
    """Return the notebook as far as it came, with an error shown in the cell where its kernel ended."""
    import nbformat.v4

    notebook = execution.notebook
    failure = execution.failure
    if notebook is None or failure is None:
        return nbformat.v4.new_notebook(
            cells=[
                nbformat.v4.new_markdown_cell("# The notebook did not run"),
                _stopped(failure.message if failure else ""),
            ]
        )
    if failure.kind != "cell" and failure.cell is not None:
        injected = [_INJECTED in cell.metadata.get("tags", []) for cell in notebook.cells]
        numbers = [position for position, ours in enumerate(injected) if not ours]
        cell = notebook.cells[numbers[failure.cell - 1]]
        if cell.cell_type == "code":
            cell.outputs.extend(_stopped(failure.message).outputs)
    return notebook


def _stopped(message: str) -> Any:
    """Return an empty cell that shows an error; its message may come from anywhere, so it is text, not Markdown."""
    import nbformat.v4

    error = nbformat.v4.new_output("error", ename="Stopped", evalue=message, traceback=[message])
    return nbformat.v4.new_code_cell("", outputs=[error])


def write_notebook(notebook: Any, file: Path) -> None:
    """Write a notebook, whole or not at all; without the widgets, whose kernel is gone."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(_WIDGET, None)
    write_text(json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n", file, parents=True)


def write_page(notebook: Any, frame: export.Page, file: Path) -> None:
    """Write the page of a notebook, whole or not at all."""
    with _RENDERING:
        html = export.page(notebook, frame)
    write_text(html, file, parents=True)


def parameter_rows(parameters: Sequence[Parameter], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a page's table of parameters: name, value, meaning, what is allowed."""
    return [
        {
            "name": parameter.name,
            "value": _plain(values.get(parameter.name, parameter.default)),
            "meaning": parameter.meaning,
            "allowed": parameter.allowed,
        }
        for parameter in parameters
    ]


def _plain(value: Any) -> str:
    if value in ("", []):
        return "(empty)"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def months(out: Path) -> list[dict[str, Any]]:
    """Return the finished months in a folder of reports, newest first, each with its headline."""
    found = []
    for folder in sorted((path for path in out.iterdir() if _DAY.match(path.name)), reverse=True):
        if (folder / "index.html").is_file() and (folder / "manifest.json").is_file():
            facts = _facts(folder / "tables" / "headline.json")
            headline = facts.get("headline", "")
            found.append(
                {
                    "as_of": folder.name,
                    "href": f"{folder.name}/index.html",
                    "headline": headline if isinstance(headline, str) else "",
                    "facts": facts,
                }
            )
    return found


def write_index(out: Path, *, company: Company, logo: str = "") -> None:
    """Write the page that lists the months and shows how the forecast moved between them."""
    from forecast.reporting.month.movements import movements

    listed = months(out)
    alike = [month["as_of"] for month in listed if month["facts"].get("currency", company.currency) == company.currency]
    moved = movements(out, alike, company=company)
    with _RENDERING:
        html = export.months_page(
            listed, company=company.name, report=company.title, footer=company.footer, logo=logo, moved=moved
        )
    write_text(html, out / "index.html")


def seconds_of_last_run(out: Path) -> dict[str, float]:
    """Return the seconds each notebook took in the newest month, for the progress display."""
    for month in months(out) if out.is_dir() else []:
        measured = _facts(out / month["as_of"] / "manifest.json").get("notebooks", {})
        with_seconds = {name: facts.get("seconds") for name, facts in measured.items() if isinstance(facts, dict)}
        return {name: value for name, value in with_seconds.items() if isinstance(value, (int, float))}
    return {}


def _facts(file: Path) -> dict[str, Any]:
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def first_line(source: str) -> str:
    """Return the first line of code in a cell, for the message of its failure."""
    lines = [line.strip() for line in source.splitlines() if line.strip() and not line.strip().startswith("#")]
    return lines[0] if lines else ""
