"""What a database costs beyond files: `report` and `forecast.read` from PostgreSQL against the same from Parquet.

A company's tables are put into a folder of Parquet files and into a PostgreSQL started for it, in the same types. Both
are read in turn, round after round, so that a noisy machine disturbs both alike; medians of CPU seconds are compared,
of the command with all it starts, and beside it of the server. Peak memory is that of the process that reads.

    python -m benchmarks.speed.databases --data data/sample --rounds 3
    python -m benchmarks.speed.databases --data ../company-of-a-million --reading-only
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pyarrow as pa
import pyarrow.parquet as papq

import forecast
from benchmarks.results import record
from benchmarks.speed.report import ROOT, environment

if TYPE_CHECKING:
    from servers import Server

_PEAK = "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"
_READ = "import forecast; log = forecast.read({location!r}); " + _PEAK
_NOTHING = "import forecast.data.sources.files; " + _PEAK


def tables_of(data: str) -> dict[str, pa.Table]:
    """Return the tables of a company in the types a database has."""
    found = {}
    for name, frame in forecast.read(data).tables.items():
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
        columns = {}
        for field, column in zip(table.schema, table.columns, strict=True):
            text = pa.types.is_dictionary(field.type) or pa.types.is_large_string(field.type)
            day = pa.types.is_timestamp(field.type) and field.type.tz is None
            columns[field.name] = column.cast(pa.string() if text else pa.date32() if day else field.type)
        found[name] = pa.table(columns)
    return found


class Clock:
    """CPU seconds of commands with all they start, and of the server meanwhile."""

    def __init__(self, server: Server) -> None:
        self._postmaster = next(
            process
            for process in psutil.process_iter(["cmdline"])
            if str(server.folder / "data") in (process.info["cmdline"] or [])
        )

    def server(self) -> float:
        """Return the CPU seconds of the server: of its processes, and of those that have ended."""
        total = 0.0
        for process in [self._postmaster, *self._postmaster.children()]:
            times = process.cpu_times()
            total += times.user + times.system
        ended = self._postmaster.cpu_times()
        return total + ended.children_user + ended.children_system

    def run(self, command: list[str]) -> tuple[float, float, str]:
        """Run a command; return its CPU seconds, the server's, and what it printed."""
        started, before = self.server(), resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return cpu, self.server() - started, done.stdout


def measure(clock: Clock, locations: dict[str, str], *, rounds: int, as_of: str, case: str, reading_only: bool) -> None:
    """Measure, print and record."""
    rows: list[tuple[str, str, float, str]] = []
    jobs = {"read": lambda where: [sys.executable, "-c", _READ.format(location=where)]}
    if not reading_only:
        jobs["report"] = lambda where: [
            sys.executable,
            "-m",
            "forecast",
            "report",
            "--data",
            where,
            "--as-of",
            as_of,
            "-q",
        ]
    bare = statistics.median(clock.run([sys.executable, "-c", _NOTHING])[0] for _ in range(rounds))
    print(f"{'':10}{'from':12}{'CPU s':>8}{'server':>8}{'ratio':>8}{'with server':>12}{'peak MB':>9}")
    for job, command in jobs.items():
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in locations}
        peaks: dict[str, float] = {}
        with tempfile.TemporaryDirectory() as out:
            for number in range(rounds + (rounds > 1)):
                for name, where in locations.items():
                    asked = [*command(where), "--out", f"{out}/{name}-{number}"] if job == "report" else command(where)
                    cpu, server, said = clock.run(asked)
                    if number or rounds == 1:  # the first of several warms the file cache
                        seconds[name].append((cpu, server))
                    peaks[name] = float(said) / 1024 if job == "read" else 0.0
        cpu_of = {name: statistics.median(pair[0] for pair in pairs) for name, pairs in seconds.items()}
        all_of = {name: statistics.median(sum(pair) for pair in pairs) for name, pairs in seconds.items()}
        for name in locations:
            less = bare if job == "read" else 0.0
            ratio = (cpu_of[name] - less) / (cpu_of["Parquet"] - less)
            whole = (all_of[name] - less) / (cpu_of["Parquet"] - less)
            server = all_of[name] - cpu_of[name]
            peak = f"{peaks[name]:>9.0f}" if job == "read" else ""
            print(
                f"{job:10}{name:12}{cpu_of[name] - less:>8.2f}{server:>8.2f}{ratio:>8.2f}{whole:>12.2f}{peak}",
                flush=True,
            )
            rows += [
                (case, f"{job} from {name}", cpu_of[name] - less, "CPU s"),
                (case, f"{job} from {name}, ratio", ratio, ""),
            ]
            rows += [(case, f"{job} from {name}, server", server, "CPU s")]
            rows += [(case, f"{job} from {name}, peak", peaks[name], "MB")] if job == "read" else []
    record("databases", rows)


def main() -> None:
    """Load a company into files and a server, and measure both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="data/sample")
    parser.add_argument("--as-of", default="2026-10-31")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--reading-only", action="store_true", help="no report, `forecast.read` alone")
    options = parser.parse_args()
    sys.path.append(str(ROOT / "tests"))
    from servers import PASSWORD, running

    tables = tables_of(options.data)
    case = f"{len(tables['opportunities']):,} opportunities"
    with running() as server, tempfile.TemporaryDirectory() as folder:
        settings = (Path(options.data) / "company.toml").read_text(encoding="utf-8")
        (Path(folder) / "files").mkdir()
        (Path(folder) / "files" / "company.toml").write_text(settings, encoding="utf-8")
        address = server.address("postgres")
        (Path(folder) / "our.toml").write_text(f'database = "{address}"\n{settings}', encoding="utf-8")
        for name, table in tables.items():
            papq.write_table(table, Path(folder) / "files" / f"{name}.parquet")
            server.load("postgres", {name: table})
        server.run("postgres", "VACUUM ANALYZE", "CHECKPOINT")
        del tables
        os.environ["PGPASSWORD"] = PASSWORD
        locations = {"Parquet": f"{folder}/files", "PostgreSQL": f"{folder}/our.toml"}
        measure(
            Clock(server),
            locations,
            rounds=options.rounds,
            as_of=options.as_of,
            case=case,
            reading_only=options.reading_only,
        )


if __name__ == "__main__":
    main()
