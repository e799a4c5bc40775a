"""What the commands do but `report`: read, ask the library, write or print.

`bookings`, `deals`, `backtest` and `planning` write one file and print on stderr what its reader must know; `check` and
`params` print; `simulate` writes a data folder. What the library needs is imported when a command runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

import forecast
from forecast.cli import clock
from forecast.errors import MachineError, ParameterError, nearest

if TYPE_CHECKING:
    from forecast.data.known.snapshot import Snapshot
    from forecast.data.schema import Log, NotedTable

_TABLE_SUFFIXES = (".csv", ".parquet")


# -- one file -------------------------------------------------------------------------------------------


def bookings(
    data: str,
    *,
    as_of: str,
    model: str,
    out: Path,
    months: int,
    seed: int,
    where: str = "",
    nothing_since: bool = False,
) -> None:
    """Write the bookings forecast of a forecaster."""
    from forecast.models.registry import at_origins

    _check_out(out)
    forecaster = at_origins(model)  # an unknown one is refused before the data are read
    snap = _snapshot(data, as_of, where=where, nothing_since=nothing_since)
    _write(next(iter(forecaster(snap, origins=[snap.as_of], months=months, seed=seed))), out)


def deals(
    data: str, *, as_of: str, out: Path, months: int, seed: int, where: str = "", nothing_since: bool = False
) -> None:
    """Write the open deals with their win probabilities and what they are expected to bring."""
    from forecast.models.pipeline.deals import deals_table

    _check_out(out)
    snap = _snapshot(data, as_of, where=where, nothing_since=nothing_since)
    _write(deals_table(snap, months=months, seed=seed), out)


def _snapshot(data: str, as_of: str, *, where: str, nothing_since: bool) -> Snapshot:
    """Read the data and return what was known on the day that is asked for, of all deals or of those of a condition."""
    from forecast.data.asked_day import covering, day_asked

    log = forecast.read(data)
    day = day_asked(as_of, log, now=clock.now())
    log = covering(log, day, nothing_since=nothing_since)
    return forecast.snapshot(_part(log, where), as_of=day)


def _part(log: Log, where: str) -> Log:
    """Return the log of the deals that a condition picks, and print what was left out with the others."""
    if not where:
        return log
    part = forecast.select(log, where=where)
    _print_notes(str(note) for note in part.notes[len(log.notes) :])
    return part


def backtest(
    data: str,
    *,
    first: str,
    last: str,
    step: int,
    models: list[str],
    months: int,
    seed: int,
    out: Path,
    workers: int = 1,
    dask: str = "",
    where: str = "",
) -> None:
    """Write the forecasts of past month ends with what happened."""
    from forecast.data.known.recorded import for_forecasters
    from forecast.data.memory import give_back
    from forecast.evaluation.backtest import month_ends, track_record
    from forecast.models.registry import forecaster, own_or_name
    from forecast.models.spread.spread import check_places

    _check_out(out)
    check_places(workers=workers, dask=dask)
    names = [name.strip() for name in models if name.strip()]
    if not names:
        raise ParameterError("--models names no model")
    for name in names:
        if name != "submitted":
            forecaster(name)  # an unknown one is refused before the data are read
    log = _part(forecast.read(data), where)
    if all(isinstance(own_or_name(name), str) for name in names):  # a model of one's own may look at all of it
        log = for_forecasters(log)
    give_back()
    ends = month_ends(log, first=first, last=last, step=step)
    places: dict[str, Any] = {"workers": workers, "dask": dask}
    _write(track_record(log, origins=ends, models=names, months=months, seed=seed, **places), out)


def planning(data: str, *, backtest: Path | None, seed: int, out: Path, where: str = "") -> None:
    """Write whether joint planning helped, as JSON."""
    if out.suffix.lower() != ".json":
        raise ParameterError(f"{out.name!r} must end in .json")
    _check_folder(out)
    from forecast.evaluation.planning.study import planning_study
    from forecast.reporting.month import results

    track = None if backtest is None else results.read_table(backtest)
    log = _part(forecast.read(data), where)
    study = planning_study(log, track=track, seed=seed)
    text = json.dumps(study.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    results.write_text(text + "\n", out)
    effect = study.effect
    left_out = (
        f"{count:,} {'segment-month is' if count == 1 else 'segment-months are'} left out: {reason}"
        for reason, count in effect.dropped.items()
    )
    _print_notes([*effect.reasons, *left_out])
    typer.echo(f"planning: {effect.verdict} ({out})")


def _check_out(out: Path) -> None:
    """Refuse what cannot be written before anything is computed."""
    from forecast.reporting.month.results import table_suffix

    table_suffix(out)
    _check_folder(out)


def _check_folder(out: Path) -> None:
    if not out.parent.is_dir():
        raise MachineError(f"{out}: the folder {out.parent} is not there; make it first")
    if out.is_dir():
        raise ParameterError(f"{out}: this is a folder; name a file")


def _write(result: NotedTable, out: Path) -> None:
    from forecast.reporting.month.results import write_table

    write_table(result.table, out)
    _print_notes(result.notes)
    rows = len(result.table)
    typer.echo(f"table: {out} ({rows:,} {'row' if rows == 1 else 'rows'})")


def _print_notes(notes: Iterable[str]) -> None:
    """Print what a reader of the file must know, one a line, apart from what a script may read."""
    for note in notes:
        typer.echo(f"note: {note}", err=True)


# -- what is printed -----------------------------------------------------------------------------------


def check(data: str, *, output: str, where: str = "") -> int:
    """Print every problem of the data, worst first, as text or JSON; return 1 where one is fatal, else 0."""
    from forecast.data.audit.findings import findings

    found = findings(data, part=(lambda log: forecast.select(log, where=where)) if where else None)
    as_json = output == "json"
    typer.echo(json.dumps(found.as_dict(), indent=2, ensure_ascii=False, allow_nan=False) if as_json else found.text())
    return 1 if found.is_fatal else 0


def params(notebook: str | None, folder: Path | None) -> None:
    """Print the parameters of one notebook or of all."""
    from forecast.reporting.run.parameters import notebook_parameters
    from forecast.reporting.run.prepare import notebooks_folder

    files = {file.stem: file for file in sorted(notebooks_folder(folder).glob("*.ipynb"))}
    if notebook is not None:
        name = Path(notebook).name.removesuffix(".ipynb")
        if name not in files:
            raise ParameterError(f"there is no notebook {name!r}; {nearest(name, files)}")
        files = {name: files[name]}
    for number, (name, file) in enumerate(files.items()):
        rows = [
            (parameter.name, parameter.type, json.dumps(parameter.default), parameter.allowed, parameter.meaning)
            for parameter in notebook_parameters(file)
        ]
        typer.echo(("\n" if number else "") + name)
        print_rows([("parameter", "type", "default", "allowed", "meaning"), *rows] if rows else [("(none)",)])


def print_rows(rows: list[tuple[str, ...]], *, indent: str = "  ") -> None:
    """Print a table, each column as wide as its widest cell."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        typer.echo(indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


# -- a data folder -------------------------------------------------------------------------------------


def simulate(
    out: Path,
    *,
    opportunities: int,
    months: int,
    end: str,
    seed: int,
    effect: float,
    giant: bool,
    steady: bool,
    segments: int,
    changes: list[str],
) -> None:
    """Simulate a company and write its data folder."""
    from forecast.simulation.changes.kinds import parse_change
    from forecast.simulation.company import simulate as make
    from forecast.simulation.company import write

    refuse_foreign(out)
    company = make(
        opportunities=opportunities,
        months=months,
        end=end,
        seed=seed,
        effect=effect,
        giant=giant,
        steady=steady,
        segments=segments,
        changes=[parse_change(each) for each in changes],
    )
    fill_folder(out, lambda folder: write(company, folder))
    typer.echo(f"data: {out} ({len(company.tables['opportunities']):,} opportunities)")


def refuse_foreign(out: Path) -> None:
    """Refuse a folder that holds something else than a company's data, or that has no place to be."""
    if not out.parent.is_dir():
        raise MachineError(f"{out}: the folder {out.parent} is not there; make it first")
    if out.exists() and not out.is_dir():
        raise ParameterError(f"{out}: this is a file, not a folder")
    if not out.is_dir() or not any(out.iterdir()):
        return
    from forecast.data.sources.filling import is_unfinished

    ours = is_unfinished(out) or any((out / f"opportunities{suffix}").is_file() for suffix in _TABLE_SUFFIXES)
    if not ours:
        raise ParameterError(f"{out}: this folder holds something else than a company's data; give an empty one")


def fill_folder(out: Path, fill: Callable[[Path], object]) -> None:
    """Let `fill` write the files of a data folder into a temporary one next to it, and move them in when all are there.

    A table that is there under the other ending (.csv, .parquet) or that the new company lacks is removed.
    """
    from forecast.data.schema import TABLES
    from forecast.data.sources.filling import being_filled
    from forecast.data.sources.private import OWNED, make_private

    try:
        temporary = make_private(f".{out.name}-", within=out.parent)
        try:
            fill(temporary.path)
            files = [file for file in temporary.path.iterdir() if file.name != OWNED]
            made = {file.name for file in files}
            with being_filled(out):
                for file in files:
                    file.replace(out / file.name)
                for table in TABLES:
                    for suffix in _TABLE_SUFFIXES:
                        if f"{table}{suffix}" not in made:
                            (out / f"{table}{suffix}").unlink(missing_ok=True)
        finally:
            temporary.remove()
    except OSError as error:
        raise MachineError(f"{out}: cannot be written ({error.strerror or error})") from None
