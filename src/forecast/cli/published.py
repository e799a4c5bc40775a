"""The commands about months that are published: `verify`; each reads the folder of reports, none makes a forecast."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

ReportsFolder = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the reports.")]
Json = Annotated[bool, typer.Option("--json", help="For a program to read.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(short_help="Say whether published files are unchanged.")(verify)


def verify(out: ReportsFolder = Path("reports"), as_json: Json = False) -> None:
    """Say of every published month, and every version kept, whether its files are as they were published.

    Names each file that is changed, missing or extra, and follows the chain in which each month's manifest holds the
    hash of the one published before it. Ends with 1 where anything is not, or cannot be told. It is no signature: keep
    the last line elsewhere to notice a folder that was made anew as a whole.

    Example: forecast verify --out reports
    """
    from forecast.errors import ParameterError
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
