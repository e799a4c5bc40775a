"""What the commands `bookings`, `deals`, `backtest` and `planning` do: read, ask the library, write one file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import typer

import forecast
from forecast.data.schema import NotedTable
from forecast.errors import MachineError, ParameterError
from forecast.reporting.month.results import read_table, table_suffix, write_table, write_text


def bookings(data: str, *, as_of: str, out: Path, months: int, seed: int) -> None:
    """Write the bookings forecast."""
    from forecast.models.pipeline.bookings import bookings_along

    _check_out(out)
    snap = forecast.snapshot(forecast.read(data), as_of=as_of)
    _write(next(bookings_along(snap, origins=[snap.as_of], months=months, seed=seed)), out)


def deals(data: str, *, as_of: str, out: Path, seed: int) -> None:
    """Write the open deals with their win probabilities."""
    from forecast.models.win.probabilities import deal_probabilities

    _check_out(out)
    snap = forecast.snapshot(forecast.read(data), as_of=as_of)
    _write(deal_probabilities(snap, seed=seed), out)


def backtest(
    data: str, *, first: str, last: str, step: int, models: list[str], months: int, seed: int, out: Path
) -> None:
    """Write the forecasts of past month ends with what happened."""
    from forecast.evaluation.backtest import month_ends, track_record
    from forecast.models.registry import forecaster

    _check_out(out)
    names = [name.strip() for name in models if name.strip()]
    if not names:
        raise ParameterError("--models names no model")
    for name in names:
        if name != "submitted":
            forecaster(name)  # an unknown one is refused before the data are read
    log = forecast.read(data)
    ends = month_ends(log, first=first, last=last, step=step)
    _write(track_record(log, origins=ends, models=names, months=months, seed=seed), out)


def planning(data: str, *, backtest: Path | None, seed: int, out: Path) -> None:
    """Write whether joint planning helped, as JSON."""
    if out.suffix.lower() != ".json":
        raise ParameterError(f"{out.name!r} must end in .json")
    _check_folder(out)
    from forecast.evaluation.planning.study import planning_study

    track = None if backtest is None else read_table(backtest)
    log = forecast.read(data)
    study = planning_study(log, track=track, seed=seed)
    text = json.dumps(study.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(text + "\n", out)
    effect = study.effect
    left_out = (f"{count:,} segment-months are left out: {reason}" for reason, count in effect.dropped.items())
    _print_notes([*effect.reasons, *left_out])
    typer.echo(f"planning: {effect.verdict} ({out})")


def _check_out(out: Path) -> None:
    """Refuse what cannot be written before anything is computed."""
    table_suffix(out)
    _check_folder(out)


def _check_folder(out: Path) -> None:
    if not out.parent.is_dir():
        raise MachineError(f"{out}: the folder {out.parent} is not there; make it first")
    if out.is_dir():
        raise ParameterError(f"{out}: this is a folder; name a file")


def _write(result: NotedTable, out: Path) -> None:
    write_table(result.table, out)
    _print_notes(result.notes)
    typer.echo(f"table: {out} ({len(result.table):,} rows)")


def _print_notes(notes: Iterable[str]) -> None:
    """Print what a reader of the file must know, one a line, apart from what a script may read."""
    for note in notes:
        typer.echo(f"note: {note}", err=True)
