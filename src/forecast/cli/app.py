"""`forecast …`: the command line, a thin skin over the library.

Each command imports what it needs when it runs, so that help comes at once. Exit codes: 0 done, 1 the data or a
parameter is wrong, 2 the command itself was, 3 a notebook failed, 4 the machine would not (or a defect of ours).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from forecast.cli import imports, limits, own, published, reporting, streams
from forecast.data import memory
from forecast.errors import ForecastError, MachineError
from forecast.reporting.run.stopping import terminable

_FORMATS = ("text", "json")

app = typer.Typer(
    name="forecast",
    help="Sales forecasts, and whether planning together made them better.\n\n"
    "Exit codes: 0 done, 1 the data or a parameter is wrong, 2 usage, 3 a notebook failed, 4 the machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

Data = Annotated[
    str, typer.Option("--data", metavar="DIR", help="Folder or workbook of tables, or the address of a database.")
]
AsOf = Annotated[
    str,
    typer.Option(
        "--as-of",
        metavar="DATE",
        help="The day whose knowledge is used; a month means its last day; or `last-month`, `today`.",
    ),
]
NothingSince = Annotated[
    bool, typer.Option("--nothing-since", help="Nothing happened between the last record and the day of --as-of.")
]
Where = Annotated[
    str,
    typer.Option(
        "--where", metavar="SQL", help="Only the deals that a condition picks, such as \"product = 'GTX Plus'\"."
    ),
]
Months = Annotated[int, typer.Option("--months", metavar="N", min=1, max=24, help="How many months ahead.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="The same seed gives the same numbers.")]
OutFile = Annotated[Path, typer.Option("--out", metavar="FILE", help="Result, ending in .csv or .parquet.")]
Notebooks = Annotated[Path | None, typer.Option("--notebooks", metavar="DIR", help="Folder of the notebooks.")]

Format = Annotated[
    str, typer.Option("--format", metavar="FORMAT", help="text to read, json for a program; the same findings.")
]

Workers = Annotated[
    int,
    typer.Option(
        "--workers", metavar="N", min=1, max=256, help="Processes of this machine among which work is spread."
    ),
]
Dask = Annotated[
    str, typer.Option("--dask", metavar="ADDRESS", help="A Dask scheduler, tcp://HOST:PORT, whose workers do the work.")
]

# Options of `report` alone.
ReportsFolder = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the reports.")]


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a defect.")] = False,
) -> None:
    if debug:
        os.environ["FORECAST_DEBUG"] = "1"
    if version:
        from forecast import __version__

        typer.echo(f"forecast {__version__}")
        raise typer.Exit


@app.command(short_help="Make the month's report: pages, tables, manifest.")
@limits.limited
def report(
    data: Data,
    as_of: reporting.Days,
    out: ReportsFolder = Path("reports"),
    months: Months = 6,
    seed: Seed = 0,
    parameter: reporting.Parameters = None,
    parameters: reporting.ParametersFile = None,
    scenario: reporting.Scenario = None,
    resume: reporting.Resume = True,
    jobs: reporting.Jobs = 2,
    notebooks: Notebooks = None,
    cell_seconds: reporting.CellSeconds = 3600,
    wait: reporting.Wait = 0,
    timeout: reporting.Timeout = None,
    retries: reporting.Retries = 0,
    notify: reporting.Notify = None,
    redact: reporting.Redact = False,
    salt_file: reporting.SaltFile = None,
    nothing_since: NothingSince = False,
    log_format: reporting.LogFormat = "text",
    only: reporting.Only = None,
    from_notebook: reporting.FromNotebook = None,
    by: reporting.By = None,
    where: Where = "",
    workers: Workers = 1,
    dask: Dask = "",
    dry_run: reporting.DryRun = False,
    quiet: reporting.Quiet = False,
) -> None:
    """Make the month's report: all notebooks, HTML pages, tables, manifest, index of months.

    Writes OUT/<as_of>/ and OUT/index.html, and of each run OUT/runs/<when>_<month>/. A run that fails leaves the last
    good month, keeps the page of the notebook that failed in OUT/failed/, and is continued by running it again.

    Example: forecast report --data data/sample --as-of 2026-10-31 --out reports
    """
    memory.from_one_store()  # before anything of Arrow is loaded
    options = {
        "months": months,
        "seed": seed,
        "parameters": reporting.parameters_of(parameters, parameter or []),
        "scenario": scenario,
        "resume": resume,
    }
    options |= {"notebooks": notebooks, "cell_seconds": cell_seconds, "jobs": jobs}
    options |= {"wait": wait, "nothing_since": nothing_since, "redacted": redact, "salt_file": salt_file}
    options |= {"from_notebook": from_notebook, "by": by, "where": where, "workers": workers, "dask": dask}
    request = reporting.Request(
        data=data,
        out=out,
        options=options,
        retries=retries,
        notify=reporting.command_of(notify),
        as_json=reporting.is_json(log_format),
        quiet=quiet,
    )
    request = reporting.trial(request, only)
    reporting.run(request, reporting.days_of(as_of), timeout=timeout, dry_run=dry_run)


@app.command(short_help="List every problem of the data.")
@limits.limited
def check(data: Data, where: Where = "", output: Format = "text") -> None:
    """List every problem of the data: fatal, changes the answer, cosmetic; each with its rows and its mend.

    Ends with 1 if any is fatal.

    Example: forecast check --data data/sample --format json
    """
    from forecast.cli.commands import check as run

    if output not in _FORMATS:
        raise typer.BadParameter(f"{output!r} is not one of {', '.join(_FORMATS)}", param_hint="--format")
    raise typer.Exit(run(data, where=where, output=output))


@app.command(short_help="Write the bookings forecast.")
@limits.limited
def bookings(
    data: Data,
    as_of: AsOf,
    out: OutFile,
    where: Where = "",
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="Whose forecast: pipeline, combined, ets, submitted-sales, …")
    ] = "pipeline",
    months: Months = 6,
    seed: Seed = 0,
    nothing_since: NothingSince = False,
) -> None:
    """Write the bookings forecast: months and quarters, segments and Total, with quantiles.

    Example: forecast bookings --data data/sample --as-of 2026-10 --months 6 --out bookings.csv

    Example: forecast bookings --data data/sample --as-of 2026-10 --model combined --out combined.csv
    """
    from forecast.cli.commands import bookings as run

    about: dict[str, Any] = {"as_of": as_of, "where": where, "nothing_since": nothing_since}
    run(data, model=model, out=out, months=months, seed=seed, **about)


@app.command(short_help="Write the open deals' win probabilities.")
@limits.limited
def deals(
    data: Data,
    as_of: AsOf,
    out: OutFile,
    where: Where = "",
    months: Months = 6,
    seed: Seed = 0,
    nothing_since: NothingSince = False,
) -> None:
    """Write every open deal with its win probabilities, what it is expected to bring by month, and what drives them.

    Example: forecast deals --data data/sample --as-of 2026-10-31 --out deals.csv
    """
    from forecast.cli.commands import deals as run

    about: dict[str, Any] = {"as_of": as_of, "where": where, "nothing_since": nothing_since}
    run(data, out=out, months=months, seed=seed, **about)


@app.command(short_help="Write past forecasts with what happened.")
@limits.limited
def backtest(
    data: Data,
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="First origin, a month.")],
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="Last origin, a month.")],
    out: OutFile,
    where: Where = "",
    step: Annotated[int, typer.Option("--step", metavar="N", min=1, help="Months from one origin to the next.")] = 1,
    models: Annotated[
        str, typer.Option("--models", metavar="NAMES", help="Models, with commas between.")
    ] = "pipeline,ets,seasonal-naive,stage-weighted",
    months: Months = 6,
    seed: Seed = 0,
    workers: Workers = 1,
    dask: Dask = "",
) -> None:
    """Write the forecasts as they would have been made at past month ends, with what happened.

    Example: forecast backtest --data data/sample --from 2025-06 --to 2026-04 --models pipeline,ets --out track.parquet

    Example: forecast backtest --data data/sample --from 2025-06 --to 2026-04 --workers 2 --out track.parquet
    """
    from forecast.cli.commands import backtest as run

    run(
        data,
        first=first,
        last=last,
        where=where,
        step=step,
        models=models.split(","),
        months=months,
        seed=seed,
        out=out,
        workers=workers,
        dask=dask,
    )


@app.command(short_help="Say whether joint planning helped.")
@limits.limited
def planning(
    data: Data,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Result, ending in .json.")],
    backtest: Annotated[
        Path | None,
        typer.Option("--backtest", metavar="FILE", help="A backtest that holds `ets`; without it one is made."),
    ] = None,
    where: Where = "",
    seed: Seed = 0,
) -> None:
    """Say whether forecasts got better when sales and marketing began to plan together, as JSON.

    Example: forecast planning --data data/sample --backtest track.parquet --out planning.json
    """
    from forecast.cli.commands import planning as run

    run(data, backtest=backtest, where=where, seed=seed, out=out)


@app.command(short_help="Make a company whose truth is known.")
def simulate(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Data folder to write.")],
    opportunities: Annotated[
        int, typer.Option("--opportunities", metavar="N", min=100, help="How many, about.")
    ] = 20_000,
    months: Annotated[int, typer.Option("--months", metavar="N", min=24, max=240, help="Length of its history.")] = 60,
    end: Annotated[str, typer.Option("--end", metavar="MONTH", help="Its last month.")] = "2026-10",
    seed: Seed = 1,
    effect: Annotated[
        float,
        typer.Option("--effect", metavar="X", min=0, max=1, help="Share of the error that joint planning removes."),
    ] = 0.3,
    giant: Annotated[bool, typer.Option("--giant", help="Amounts with a Pareto tail: a few giant deals.")] = False,
    steady: Annotated[
        bool, typer.Option("--steady", help="Many middling deals, and people who know them: the kind of data/sample.")
    ] = False,
    segments: Annotated[int, typer.Option("--segments", metavar="N", min=2, max=20, help="How many segments.")] = 8,
    change: Annotated[
        list[str] | None,
        typer.Option("--change", metavar="KIND[=SIZE][@MONTH][/SEGMENT]", help="What changes in it; may be repeated."),
    ] = None,
) -> None:
    """Make a company whose truth is known: every table, with history and submitted forecasts.

    Writes into an empty folder, or over a data folder that is there; into no other. It stays as it is unless a --change
    is asked for; docs/methods/simulation.md lists their kinds.

    Example: forecast simulate --out data/changed --change break=0.5@2025-03 --change adopt

    Example: forecast simulate --out data/twin --steady --segments 12 --seed 9001 --effect 0
    """
    from forecast.cli.commands import simulate as run

    run(
        out,
        opportunities=opportunities,
        months=months,
        end=end,
        seed=seed,
        effect=effect,
        giant=giant,
        steady=steady,
        segments=segments,
        changes=change or [],
    )


@app.command(short_help="Make a data folder to start from.")
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
) -> None:
    """Make a data folder to start from: a commented company.toml, every table empty, and a tiny example.

    Example: forecast init data/ours
    """
    from forecast.data.sources.starter import start_folder

    start_folder(folder)
    typer.echo(f"data folder: {folder}")
    typer.echo("  company.toml  what the suite must know of the company; every key is explained")
    typer.echo(f"  empty/        every table with its columns: fill those you have, and move them up to {folder}")
    typer.echo(f"  example/      a tiny company: forecast check --data {folder / 'example'}")


@app.command("import", short_help="Make a data folder from a CRM's exports.")
def import_(
    kind: imports.Kind,
    source: imports.Source,
    out: imports.DataOut,
    mapping: imports.MappingFile = None,
    dates: imports.Dates = None,
    extracted_on: imports.ExtractedOn = None,
    segment_from: imports.SegmentFrom = None,
    one_currency: imports.OneCurrency = False,
    negative: imports.Negative = "keep",
    guess: imports.Guess = False,
) -> None:
    """Make a data folder from the exports of a CRM; other tables in the folder (a plan, marketing) stay.

    Example: forecast import salesforce exports/2026-10 --out data/ours --segment-from Region__c

    Example: forecast import generic deals.csv --out data/ours --mapping deals.mapping.toml
    """
    if guess:
        imports.guess_mapping(kind, source, out, mapping=mapping, dates=dates)
        return
    imports.import_(
        kind,
        source,
        out,
        mapping=mapping,
        dates=dates,
        extracted_on=extracted_on,
        segment_from=segment_from,
        one_currency=one_currency,
        negative=negative,
    )


@app.command(short_help="List the parameters of the notebooks.")
def params(
    notebook: Annotated[str | None, typer.Argument(metavar="[NOTEBOOK]", help="Name, such as 03_bookings.")] = None,
    notebooks: Notebooks = None,
) -> None:
    """List the parameters of the notebooks: type, default, allowed values, meaning.

    Example: forecast params 03_bookings
    """
    from forecast.cli.commands import params as run

    run(notebook, notebooks)


published.register(app)
own.register(app)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; always ends with SystemExit, whose code is the contract's.

    SIGTERM ends it as Ctrl-C does, so that what was copied for the run is taken away. Messages that cannot be written
    are dropped.
    """
    with streams.forgiving() as out:
        try:
            _main(arguments)
        except SystemExit as end:
            lost = "" if end.code else streams.lost_result(out, sys.argv[1:] if arguments is None else arguments)
            if lost:
                _fail(lost, MachineError.exit_code)
            raise


def _main(arguments: list[str] | None) -> None:
    try:
        with terminable():
            app(args=arguments)
    except ForecastError as error:
        _fail(str(error), error.exit_code)
    except OSError as error:
        if _debugging():
            raise
        file = f": {error.filename}" if error.filename else ""
        _fail(f"{error.strerror or error}{file}", MachineError.exit_code)
    except MemoryError:
        _fail("there is not enough memory", MachineError.exit_code)
    except Exception as error:
        if _debugging():
            raise
        message = f"{type(error).__name__}: {error}".splitlines()[0]
        _fail(f"a defect of this program: {message}\n  `forecast --debug …` shows where", MachineError.exit_code)


def _debugging() -> bool:
    return os.environ.get("FORECAST_DEBUG", "") not in ("", "0")


def _fail(message: str, code: int) -> None:
    try:
        print(f"error: {message}", file=sys.stderr)
    finally:
        sys.exit(code)
