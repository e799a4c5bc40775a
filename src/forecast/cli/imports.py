"""`forecast import`: read an export, say what was decided, write the data folder; or draft a mapping file for one.

The options are declared here, so that `app` stays the list of commands.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecast.cli.commands import refuse_foreign
from forecast.errors import MachineError, ParameterError

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("salesforce", "hubspot", "dynamics", "generic")
_ORDERS = ("dmy", "mdy", "iso")
_NEGATIVE = ("keep", "leave-out")


def _one_of(known: tuple[str, ...], value: str | None) -> str | None:
    """Return the value, or refuse it as wrong usage."""
    if value is not None and value not in known:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(known)}")
    return value


Kind = Annotated[
    str,
    typer.Argument(
        metavar="KIND",
        callback=lambda value: _one_of(KINDS, value),
        help="Whose export: salesforce, hubspot, dynamics, or generic (any other, by a mapping file).",
    ),
]
Source = Annotated[Path, typer.Argument(metavar="SRC", help="Folder of the export's files, or one file.")]
DataOut = Annotated[Path, typer.Option("--out", metavar="DIR", help="Data folder to write.")]
MappingFile = Annotated[
    Path | None,
    typer.Option("--mapping", metavar="FILE", help="What the export calls things (docs/mapping.md); before the CRM's."),
]
Dates = Annotated[
    str | None,
    typer.Option(
        "--dates",
        metavar="dmy|mdy|iso",
        callback=lambda value: _one_of(_ORDERS, value),
        help="The order of day and month in numbers, where the data do not decide it.",
    ),
]
ExtractedOn = Annotated[
    str | None,
    typer.Option("--extracted-on", metavar="DATE", help="The day of the export; else the day of its last change."),
]
SegmentFrom = Annotated[
    str | None, typer.Option("--segment-from", metavar="COLUMN", help="The CRM's column that becomes the segment.")
]
OneCurrency = Annotated[
    bool, typer.Option("--one-currency", help="All amounts are in one currency, whatever the export says.")
]
Negative = Annotated[
    str,
    typer.Option(
        "--negative",
        metavar="keep|leave-out",
        callback=lambda value: _one_of(_NEGATIVE, value),
        help="Whether deals below 0 (credits, downsells) come over; bookings subtract them.",
    ),
]
Guess = Annotated[
    bool,
    typer.Option("--guess", help="Draft a mapping file (FILE of --mapping, else DIR.mapping.toml); import nothing."),
]


def _day(text: str) -> pd.Timestamp:
    """Return the day of --extracted-on."""
    import pandas as pd

    try:
        return pd.Timestamp(dt.date.fromisoformat(text)).as_unit("us")
    except ValueError:
        raise ParameterError(f"--extracted-on {text!r} is not a date such as 2026-10-31") from None


def guess_mapping(kind: str, source: Path, out: Path, *, mapping: Path | None, dates: str | None) -> None:
    """Draft a mapping file for an export; print what it rests on and what is left. Nothing is imported."""
    if kind != "generic":
        raise ParameterError(f"--guess drafts a mapping for generic; {kind}'s names are known: import without it")
    if not source.exists():
        raise ParameterError(f"{source}: there is no such folder or file")
    file = out.parent / f"{out.name}.mapping.toml" if mapping is None else mapping
    if file.exists():
        raise ParameterError(f"{file}: this file is there, and a draft never writes over one; name another: --mapping")
    from forecast.data.sources.crm.importing import draft_mapping

    drafted = draft_mapping(source, dates=dates)  # type: ignore[arg-type]
    try:
        file.write_text(drafted.text, encoding="utf-8")
    except OSError as error:
        raise MachineError(f"{file}: cannot be written ({error.strerror or error})") from None
    for line in drafted.report:
        typer.echo(line)
    typer.echo(f"draft: {file}")
    then = f"forecast import generic {source} --out {out} --mapping {file}"
    if drafted.left:
        left = "\n  ".join(drafted.left)
        raise ParameterError(f"the draft cannot be used yet; say in {file}:\n  {left}\n  then: {then}")
    typer.echo(f"read it, then: {then}")


def import_(
    kind: str,
    source: Path,
    out: Path,
    *,
    mapping: Path | None,
    dates: str | None,
    extracted_on: str | None,
    segment_from: str | None,
    one_currency: bool,
    negative: str,
) -> None:
    """Turn an export into a data folder; say what was mended and what was not brought over."""
    if not source.exists():
        raise ParameterError(f"{source}: there is no such folder or file")
    if mapping is not None and not mapping.is_file():
        raise ParameterError(f"{mapping}: there is no such mapping file; draft one with --guess")
    refuse_foreign(out)
    from forecast.data.sources.crm.export import Choices
    from forecast.data.sources.crm.importing import read_export
    from forecast.data.sources.into_folder import into, write_folder

    choices = Choices(
        dates=dates,  # type: ignore[arg-type]
        extracted_on=None if extracted_on is None else _day(extracted_on),
        one_currency=one_currency,
        negative=negative,  # type: ignore[arg-type]
    )
    result = read_export(kind, source, segment_column=segment_from, company_in=out, choices=choices, mapping=mapping)
    try:
        result = into(result, out)
        write_folder(result, out)
    except OSError as error:
        raise MachineError(f"{out}: cannot be written ({error.strerror or error})") from None
    for note in result.notes:
        typer.echo(f"note    {note}")
    rows = ", ".join(f"{name} {len(table):,}" for name, table in result.tables.items())
    typer.echo(f"data: {out} ({rows})")
    last_day = tomllib.loads(result.company)["extracted_on"]
    typer.echo(f"then: forecast report --data {out} --as-of {last_day}")
