"""The commands about months that are published: `runs`, `verify`, `compare`, `replay`, `clean`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from forecast.cli import limits
from forecast.errors import ParameterError

ReportsFolder = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the reports.")]
Json = Annotated[bool, typer.Option("--json", help="For a program to read.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(short_help="List the runs and what came of them.")(runs)
    app.command(short_help="Say whether published files are unchanged.")(verify)
    app.command(short_help="Say what differs between two months.")(compare)
    app.command(short_help="Make a past month with today's code, beside it.")(limits.limited(replay))
    app.command(short_help="Remove old months and what dead runs left.")(clean)


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


def compare(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="A month or day; `2026-10@1` is its version 1.")],
    now: Annotated[str, typer.Argument(metavar="NOW", help="The month or version to hold against it.")],
    out: ReportsFolder = Path("reports"),
    as_json: Json = False,
) -> None:
    """Say which numbers differ between two published months, table by table, and what may have done it.

    Both manifests say by which data, code, notebooks, libraries and parameters a month was made. Where only one of
    these differs, it did it; where several do, that is said.

    Example: forecast compare 2026-09 2026-10 --out reports
    """
    from forecast.reporting.published import months
    from forecast.reporting.published.compare import compare as run

    folder = months.folder_of_reports(out)
    found = run(months.find(folder, before), months.find(folder, now))
    if as_json:
        typer.echo(_json(found.as_dict()))
    else:
        for line in found.lines():
            typer.echo(line)


def replay(
    month: Annotated[
        str, typer.Argument(metavar="MONTH", help="A published month or day; `2025-06@1` is its version 1.")
    ],
    data: Annotated[str, typer.Option("--data", metavar="DIR", help="The data, as for a report.")],
    out: ReportsFolder = Path("reports"),
    jobs: Annotated[
        int, typer.Option("--jobs", metavar="N", min=1, max=16, help="How many notebooks run at once.")
    ] = 2,
    notebooks: Annotated[
        Path | None, typer.Option("--notebooks", metavar="DIR", help="Folder of the notebooks.")
    ] = None,
    salt_file: Annotated[
        Path | None, typer.Option("--salt-file", metavar="FILE", help="Secret of the pseudonyms of a redacted month.")
    ] = None,
    nothing_since: Annotated[
        bool, typer.Option("--nothing-since", help="Nothing happened between the last record and the month's day.")
    ] = False,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress; errors still show.")] = False,
) -> None:
    """Make a past month as of then with today's code, and say what differs from what was published.

    Uses the parameters of the published month and of the data only what was known on its day. Nothing is published: it
    is made in a private folder that is removed afterwards.

    Example: forecast replay 2025-06 --data data/sample --out reports
    """
    from forecast.reporting.published.replay import replayed
    from forecast.reporting.run.progress import progress

    with replayed(
        out,
        month,
        data=data,
        jobs=jobs,
        notebooks=notebooks,
        progress=progress(quiet=quiet),
        salt_file=salt_file,
        nothing_since=nothing_since,
    ) as found:
        for line in found.left_out:
            typer.echo(f"note: not replayed: {line}", err=True)
        if as_json:
            typer.echo(_json({**found.comparison.as_dict(), "left_out": list(found.left_out)}))
        else:
            for line in found.comparison.lines():
                typer.echo(line)


def clean(
    keep: Annotated[int, typer.Option("--keep", metavar="N", min=1, help="How many of the newest months stay.")],
    out: ReportsFolder = Path("reports"),
    versions: Annotated[
        int | None,
        typer.Option("--versions", metavar="M", min=0, help="How many replaced versions of a month stay; else all."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
) -> None:
    """Remove all but the newest months, with their versions and records, and what dead runs left; say what.

    What was removed is noted, so that `forecast verify` does not miss it. The unfinished work of a run that failed
    stays where its month is not older than those that stay: the next run continues it.

    Example: forecast clean --out reports --keep 24 --dry-run
    """
    from forecast.reporting.published import clean as cleaning

    do = cleaning.waste if dry_run else cleaning.clean
    found = do(out, keep=keep, keep_versions=versions)
    for each in found:
        typer.echo(f"{'would remove' if dry_run else 'removed'}: {each.path} ({each.what}, {_size(each.size)})")
    total = sum(each.size for each in found)
    typer.echo(f"{'to remove' if dry_run else 'removed'}: {len(found):,} in all, {_size(total)}")


def _size(count: int) -> str:
    """Return a number of bytes in words."""
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count / 1e3:,.1f} kB"


def _json(facts: object) -> str:
    return json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False)
