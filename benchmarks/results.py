"""Measured figures: benchmarks/results.csv, one row a figure, with the commit and the machine."""

from __future__ import annotations

import csv
import os
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path

PATH = Path(__file__).parent / "results.csv"
COLUMNS = ("benchmark", "case", "measure", "value", "unit", "commit", "machine")


def record(benchmark: str, rows: Iterable[tuple[str, str, float, str]]) -> None:
    """Write rows of (case, measure, value, unit); earlier rows of the same benchmark, case and measure are replaced."""
    found = {}
    if PATH.exists():
        with PATH.open(newline="", encoding="utf-8") as file:
            found = {(row["benchmark"], row["case"], row["measure"]): row for row in csv.DictReader(file)}
    commit = _commit()
    for case, measure, value, unit in rows:
        values = (benchmark, case, measure, f"{value:.6g}", unit, commit, machine())
        found[benchmark, case, measure] = dict(zip(COLUMNS, values, strict=True))
    with PATH.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(found[key] for key in sorted(found))


def machine() -> str:
    """Return the processor and how many cores there are."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores"


def _commit() -> str:
    asked = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    done = subprocess.run(asked, cwd=PATH.parent, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
