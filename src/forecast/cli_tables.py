"""What the commands `bookings`, `deals`, `backtest` and `planning` do: read, ask the library, write one file."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import typer

import forecast
from forecast.errors import MachineError, ParameterError
from forecast.reporting.results import read_table, table_suffix, write_table, write_text


def bookings(data: str, *, as_of: str, out: Path, months: int, seed: int) -> None:
    """Write the bookings forecast."""
    _check_out(out)
    snap = forecast.snapshot(forecast.read(data), as_of=as_of)
    _write(forecast.forecast_bookings(snap, months=months, seed=seed), out)


def deals(data: str, *, as_of: str, out: Path, seed: int) -> None:
    """Write the open deals with their win probabilities."""
    _check_out(out)
    snap = forecast.snapshot(forecast.read(data), as_of=as_of)
    _write(forecast.win_probabilities(snap, seed=seed), out)


def backtest(
    data: str, *, first: str, last: str, step: int, models: list[str], months: int, seed: int, out: Path
) -> None:
    """Write the forecasts of past month ends beside what happened."""
    from forecast.evaluation.backtest import month_ends
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
    _write(forecast.backtest(log, origins=ends, models=names, months=months, seed=seed), out)


def planning(data: str, *, backtest: Path | None, seed: int, out: Path) -> None:
    """Write whether joint planning helped, as JSON."""
    if out.suffix.lower() != ".json":
        raise ParameterError(f"{out.name!r} must end in .json")
    _check_folder(out)
    from forecast.reporting import month

    track = None if backtest is None else read_table(backtest)
    log = forecast.read(data)
    effect = month.planning_effect(log, track=track, seed=seed)
    text = json.dumps(jsonable(effect), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(text + "\n", out)
    typer.echo(f"planning: {effect.verdict} ({out})")


def jsonable(value: Any) -> Any:
    """Return a value as JSON can hold it: what is not a finite number becomes null, tables become lists of rows."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, pd.DataFrame):
        return jsonable(value.to_dict("records"))
    if isinstance(value, pd.Series):
        return jsonable(value.to_dict())
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return jsonable(value.tolist())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item) for item in value]
    if isinstance(value, pd.Timestamp):
        return None if pd.isna(value) else str(value.date())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or value is pd.NaT:
        return None
    return value if isinstance(value, (str, int, bool)) else str(value)


def _check_out(out: Path) -> None:
    """Refuse what cannot be written before anything is computed."""
    table_suffix(out)
    _check_folder(out)


def _check_folder(out: Path) -> None:
    if not out.parent.is_dir():
        raise MachineError(f"{out}: the folder {out.parent} is not there; make it first")
    if out.is_dir():
        raise ParameterError(f"{out}: this is a folder; name a file")


def _write(table: pd.DataFrame, out: Path) -> None:
    write_table(table, out)
    typer.echo(f"table: {out} ({len(table):,} rows)")
