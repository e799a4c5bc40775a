"""The command about a model of one's own: `leaktest`."""

from __future__ import annotations

from typing import Annotated

import typer

from forecast.cli import limits


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(short_help="Say whether a model sees the future.")(limits.limited(leaktest))


def leaktest(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="package.module:function, or the name of a model.")],
    data: Annotated[str, typer.Option("--data", metavar="DIR", help="A folder of CSV or Parquet files.")],
    days: Annotated[
        str, typer.Option("--days", metavar="DATES", help="Days or months to ask about, with commas between.")
    ] = "",
    months: Annotated[int, typer.Option("--months", metavar="N", min=1, max=24, help="How many months ahead.")] = 3,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="The same seed gives the same numbers.")] = 0,
) -> None:
    """Say whether a model sees the future: it must say the same of a day whatever comes after it.

    The model is imported afresh in processes that find the data as they are, and in others in which only a copy with
    another future after the day exists, also where the model looks for the files itself. Forecasts are compared byte
    for byte. Ends with 1 where they differ, where they are not the same twice, or where it cannot be told; what it
    cannot see says docs/your_own_model.md.

    Example: forecast leaktest my_models:recent --data data/sample

    Example: forecast leaktest my_models:recent --data data/sample --days 2025-12,2026-03
    """
    from forecast.evaluation.own.leaktest import leaktest as run

    asked = [day.strip() for day in days.split(",") if day.strip()]
    (found,) = run([model], data=data, days=asked, months=months, seed=seed)
    for line in found.lines():
        typer.echo(line)
    raise typer.Exit(0 if found.clean else 1)
