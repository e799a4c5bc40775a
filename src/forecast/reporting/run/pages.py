"""The pages of a month: executed notebooks tidied and written, the page of a failure, the index of months.

The index also shows how the forecast of a quarter moved over the finished months. For that only tables that the months
left behind are read, and nothing of them is taken on trust: a month without them, with tables of another version or
with a damaged file is left out.
"""

from __future__ import annotations

import copy
import datetime as dt
import json
import re
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forecast import sources
from forecast.calendar import is_quarter
from forecast.data.schema import TOTAL, Company
from forecast.errors import MachineError, NotebookError
from forecast.reporting.month.results import Results, write_text
from forecast.reporting.pages.bookings.prepare import MODEL
from forecast.reporting.published import months as published
from forecast.reporting.run import export, figures, links, workspace
from forecast.reporting.run.parameters import Parameter

if TYPE_CHECKING:
    from forecast.reporting.charts.figure import Chart, Statement
    from forecast.reporting.run.engine import Execution, Failure

_INJECTED = "injected-parameters"
_ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")
EVENTS = "events"
"""The table of a month that holds what is flagged."""

_WIDGET = "application/vnd.jupyter.widget-view+json"

# -- sentences ------------------------------------------------------------------------------------------

NOT_RUN = "# The notebook did not run"
"""The heading of a page whose notebook did not start."""

# -- pages ----------------------------------------------------------------------------------------------
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
                nbformat.v4.new_markdown_cell(NOT_RUN),
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


def write_page(notebook: Any, frame: export.Page, file: Path, *, tables: Path | None = None) -> None:
    """Write the page of a notebook, whole or not at all, and the tables that are its own; it leads to those it shows.

    tables : the folder of the month's tables, where every number of the page has its cell; None for a page that failed.
    """
    with _RENDERING:
        html = export.page(notebook, frame)
    if tables is not None:
        name = f"page{frame.notebook[:2]}"
        html = figures.with_tables(html, name=name, results=Results(tables))
        published = {file.stem for file in tables.glob("*.csv")}
        html = links.with_tables(html, published, page_name=name, up=frame.up)
        html = links.with_terms(html, frame.up + links.GLOSSARY)
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


def write_glossary(month: Path, *, company: Company, logo: str = "") -> None:
    """Write the page of a month's folder that says what the words of its pages mean."""
    with _RENDERING:
        html = export.glossary_page(company=company.name, report=company.title, logo=logo)
    write_text(html, month / links.GLOSSARY)


def months(out: Path) -> list[dict[str, Any]]:
    """Return the finished months in a folder of reports, newest first, each with its headline."""
    found = []
    for folder in sorted((path for path in out.iterdir() if _is_day(path.name)), reverse=True):
        if (folder / "index.html").is_file() and (folder / "manifest.json").is_file():
            facts = _facts(folder / "tables" / "headline.json")
            headline = facts.get("headline", "")
            found.append(
                {
                    "as_of": folder.name,
                    "href": f"{folder.name}/index.html",
                    "headline": headline if isinstance(headline, str) else "",
                    "caveats": but if isinstance(but := facts.get("caveats", ""), str) else "",
                    "facts": facts,
                    "versions": _versions(out, folder.name),
                }
            )
    return found


def _is_day(name: str) -> bool:
    """Return whether a folder is named by a day of the calendar, as the suite writes it."""
    try:
        return dt.date.fromisoformat(name).isoformat() == name
    except ValueError:
        return False


def _versions(out: Path, as_of: str) -> list[dict[str, Any]]:
    """Return the versions of a month that were replaced and are kept, the latest first."""
    kept = [month for month in published.replaced(out, as_of) if (month.folder / "index.html").is_file()]
    hrefs = [(month.version, f"{month.folder.relative_to(out).as_posix()}/index.html") for month in kept]
    return [{"number": number, "href": href} for number, href in reversed(hrefs)]


def write_index(out: Path, *, company: Company, logo: str = "") -> None:
    """Write the page that lists the months and shows how the forecast moved between them."""
    from forecast.reporting.run.pages import movements

    listed = months(out)
    alike = [month["as_of"] for month in listed if month["facts"].get("currency", company.currency) == company.currency]
    moved = movements(out, alike, company=company)
    words = f"{listed[0]['as_of']}/{links.GLOSSARY}" if listed else ""
    frame: dict[str, Any] = {"company": company.name, "report": company.title, "footer": company.footer, "logo": logo}
    with _RENDERING:
        html = export.months_page(
            listed, **frame, moved=moved, words=words if words and (out / words).is_file() else ""
        )
    workspace.write_published(html, out / "index.html")


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
    except (OSError, ValueError) as error:
        published.refuse_failing(error, file)
        return {}
    return facts if isinstance(facts, dict) else {}


def _first_line(source: str) -> str:
    """Return the first line of code in a cell, for the message of its failure."""
    lines = [line.strip() for line in source.splitlines() if line.strip() and not line.strip().startswith("#")]
    return lines[0] if lines else ""


def error_of(failure: Failure, *, notebook: str, page: Path) -> MachineError | NotebookError:
    """Return the error of a notebook that failed: the machine's where a disk or the like did it, else the notebook's.

    page : its page as far as it came.
    """
    if failure.kind == "machine" or failure.message.startswith(("MachineError", "OSError: [Errno 28]")):
        return MachineError(f"{notebook}: {failure.message}\n  the page as far as it came: {page}")
    line = _first_line(failure.source)
    return NotebookError(
        failure.message + (f"\n  in: {line}" if line else ""),
        notebook=notebook,
        cell=failure.cell,
        partial=str(page),
        transient="kernel" if failure.kind == "kernel" and failure.lost else "",
    )


_NEEDED = ("model", "segment", "target_period", "horizon", "mean", "q10", "q90")
_AMOUNTS = ("mean", "q2.5", "q10", "q90", "q97.5", "booked", "plan")


def forecasts(out: Path, days: Sequence[str]) -> pd.DataFrame:
    """Return the company's quarters as each month forecast them.

    days : names of the months' folders in `out`. Columns: as_of (date), target_period, horizon (quarters), mean,
    q2.5, q10, q90, q97.5, booked, plan (floats; missing where a month does not have them); rising by as_of. Each row
    is labelled by its place, such as `2026-10-31/bookings:17`.
    """
    parts = [_quarters(out / day / "tables" / "bookings.parquet", day) for day in sorted(days)]
    parts = [part for part in parts if len(part)]
    return sources.gathered(parts) if parts else _none()


def settled(out: Path, day: str, quarter: str) -> float | None:
    """Return what a quarter brought, as the backtest of a month has it, or None where it is not settled there."""
    table = _read(out / day / "tables" / "backtest.parquet")
    if table is None or not {"segment", "target_period", "observed"} <= set(table):
        return None
    table = sources.of_file(table, f"{day}/backtest")
    rows = table[(table["segment"] == TOTAL) & (table["target_period"] == quarter)]
    known = rows[pd.to_numeric(rows["observed"], errors="coerce").notna()]
    return sources.cell(known, known.index[-1], "observed") if len(known) else None


def movements(out: Path, days: Sequence[str], *, company: Company) -> list[Chart | Statement]:
    """Return how the newest month's quarter moved from month to month, and the quarter before it where it was seen to.

    Nothing where no month can be read; a sentence where only one has forecast the quarter.
    """
    from forecast.reporting.charts.figure import Statement
    from forecast.reporting.pages import quarters  # what draws is loaded when the notebooks are through

    table = forecasts(out, days)
    if table.empty:
        return []
    newest = table["as_of"].max()
    now = table[table["as_of"] == newest].sort_values("horizon")["target_period"].iloc[0]
    events = _events(out, f"{newest:%Y-%m-%d}")
    shown: list[Chart | Statement] = []
    rows = table[table["target_period"] == now]
    if len(rows) == 1:
        shown.append(Statement(*quarters.one_month(rows), kind="note"))
    else:
        shown.append(quarters.movement(rows, company=company, as_of=newest, events=events))
    earlier = table[(table["target_period"] < now) & (table["horizon"] == 0)]
    if len(earlier):
        before = str(earlier["target_period"].max())
        rows = table[table["target_period"] == before]
        observed = settled(out, f"{newest:%Y-%m-%d}", before)
        if len(rows) > 1:
            shown.append(quarters.movement(rows, company=company, as_of=newest, observed=observed, events=events))
    return shown


def _quarters(file: Path, day: str) -> pd.DataFrame:
    table = _read(file)
    if table is None or not set(_NEEDED) <= set(table):
        return _none()
    table = sources.of_file(table, f"{day}/bookings")
    rows = table[(table["model"] == MODEL) & (table["segment"] == TOTAL)]
    rows = rows[is_quarter(rows["target_period"])]
    table = pd.DataFrame({"as_of": pd.Timestamp(day), "target_period": rows["target_period"].astype(str)})
    for name in ("horizon", *_AMOUNTS):
        table[name] = pd.to_numeric(rows[name], errors="coerce") if name in rows else float("nan")
    table = table.astype(dict.fromkeys(("horizon", *_AMOUNTS), "float64"))
    table = table.replace([np.inf, -np.inf], np.nan)
    table.attrs = dict(rows.attrs)
    return table[table["mean"].notna()].drop_duplicates("target_period")


def _events(out: Path, day: str) -> pd.DataFrame | None:
    """Return the events that a month knew, None where it left none that can be read."""
    from forecast.reporting.charts.flags import KINDS

    table = _read(out / day / "tables" / f"{EVENTS}.parquet")
    if table is None or not set(KINDS) <= set(table):
        return None
    try:
        return sources.of_file(table.astype(dict(KINDS)), f"{day}/{EVENTS}")
    except (ValueError, TypeError):
        return None


def _read(file: Path) -> pd.DataFrame | None:
    """Return a month's table, or None where it is not there or not readable as one."""
    try:
        return pd.read_parquet(file)
    except (OSError, ValueError, TypeError, KeyError, NotImplementedError) as error:  # pyarrow's are among these
        published.refuse_failing(error, file)
        return None


def _none() -> pd.DataFrame:
    columns: dict[str, Any] = {"as_of": "datetime64[us]", "target_period": "str", "horizon": "float64"}
    columns |= dict.fromkeys(_AMOUNTS, "float64")
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
