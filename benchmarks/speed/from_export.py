"""From a CRM's export to the leader's page, stage by stage: import, check, report; wall and CPU seconds, peak memory.

A simulated company of 200,000 opportunities is written as Salesforce exports it (Opportunity, OpportunityHistory with
about a million rows, users, stages, currencies), and then the commands of docs/your_data.md are run on it. Seconds are
those of the command with all it starts, medians over rounds; memory is the highest PSS of its process tree, looked at
in a run of its own, since looking costs time.

    python -m benchmarks.speed.from_export --rounds 3
    python -m benchmarks.speed.from_export --keep ../company --stages import check --rounds 1
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.results import record
from benchmarks.speed.report import ROOT, peak_memory, run

FORECAST = [sys.executable, "-m", "forecast"]
LAST_DAY = "2026-10-31"
STAGES = ("import", "check", "report")


def write_export(folder: Path, *, opportunities: int, seed: int, history: str) -> None:
    """Simulate a company and write it as Salesforce's export, into folder/export."""
    sys.path.append(str(ROOT / "tests"))
    from crm_forms import deals_of, salesforce_api

    simulated, export = folder / "simulated", folder / "export"
    asked = ["--out", str(simulated), "--opportunities", str(opportunities), "--seed", str(seed)]
    folder.mkdir(parents=True, exist_ok=True)
    run([*FORECAST, "simulate", *asked])
    export.mkdir()
    salesforce_api(deals_of(simulated), export, history=history)


def commands(folder: Path) -> dict[str, list[str]]:
    """Return the command of each stage."""
    ours, reports = str(folder / "ours"), str(folder / "reports")
    return {
        "import": [*FORECAST, "import", "salesforce", str(folder / "export"), "--out", ours],
        "check": [*FORECAST, "check", "--data", ours],
        "report": [*FORECAST, "report", "--data", ours, "--as-of", LAST_DAY, "--out", reports, "--no-resume", "-q"],
    }


def measure(command: list[str], *, rounds: int, memory: bool) -> tuple[float, float, float]:
    """Return wall seconds, CPU seconds (medians) and peak MB of a command; NaN for memory that is not looked at."""
    pairs = [run(command) for _ in range(rounds)]
    wall, cpu = (statistics.median(pair[place] for pair in pairs) for place in (1, 0))
    return wall, cpu, peak_memory(command) if memory else math.nan


def main() -> None:
    """Measure, print a table, and keep the figures in benchmarks/results.csv."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--opportunities", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--history", choices=("states", "fields"), default="states")
    parser.add_argument("--stages", nargs="*", choices=STAGES, default=STAGES, help="which to measure")
    parser.add_argument("--no-memory", action="store_true", help="seconds alone")
    parser.add_argument("--keep", type=Path, help="a folder for the export, used again where it is there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        if not (folder / "export").is_dir():
            write_export(folder, opportunities=options.opportunities, seed=options.seed, history=options.history)
        sizes = {file.name: sum(1 for _ in file.open("rb")) - 1 for file in (folder / "export").glob("*.csv")}
        print(", ".join(f"{name} {rows:,}" for name, rows in sorted(sizes.items())), flush=True)
        case, rows = f"{options.opportunities:,} opportunities, {options.history}", []
        for stage in options.stages:
            found = measure(commands(folder)[stage], rounds=options.rounds, memory=not options.no_memory)
            wall, cpu, peak = found
            print(f"{stage:8}{wall:>8.1f} s wall {cpu:>8.1f} s CPU {peak:>8.0f} MB", flush=True)
            named = zip(("wall s", "CPU s", "MB"), found, strict=True)
            rows += [(case, f"{stage}, {unit}", value, unit) for unit, value in named if not math.isnan(value)]
    record("from_export", rows)


if __name__ == "__main__":
    main()
