"""The commands about months that are published: `runs`, `verify`; each reads the folder of reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from forecast.errors import ParameterError

ReportsFolder = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the reports.")]
Json = Annotated[bool, typer.Option("--json", help="For a program to read.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(short_help="List the runs and what came of them.")(runs)
    app.command(short_help="Say whether published files are unchanged.")(verify)


def runs(out: ReportsFolder = Path("reports"), as_json: Json = False) -> None:
    """List the runs, newest first: month, when, how long, what came of it, by which data and code, the headline.

    Runs that failed, were stopped or killed, or are under way are listed too, with what went wrong. Each has a folder
    OUT/runs/<when>_<month>/ with status.json and run.log; months without one are listed by their manifest.

    Example: forecast runs --out reports
    """
    from forecast.cli.commands import print_rows
    from forecast.reporting.published.runs import HEADS
    from forecast.reporting.published.runs import runs as run

    found = run(out)
    if as_json:
        typer.echo(_json([each.as_dict() for each in found]))
    elif not found:
        raise ParameterError(f"{out}: no run has written here")
    else:
        print_rows([HEADS, *(each.cells() for each in found)], indent="")


def verify(out: ReportsFolder = Path("reports"), as_json: Json = False) -> None:
    """Say of every published month, and every version kept, whether its files are as they were published.

    Names each file that is changed, missing or extra, and follows the chain in which each month's manifest holds the
    hash of the one published before it. Ends with 1 where anything is not, or cannot be told. It is no signature: keep
    the last line elsewhere to notice a folder that was made anew as a whole.

    Example: forecast verify --out reports
    """
    from forecast.reporting.published.verify import verify as run

    found = run(out)
    if not found.checked and not found.problems:
        raise ParameterError(f"{out}: no month is published here")
    if as_json:
        typer.echo(_json(found.as_dict()))
    else:
        for line in found.lines():
            typer.echo(line)
    raise typer.Exit(0 if found.unchanged else 1)


def _json(facts: object) -> str:
    return json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False)
