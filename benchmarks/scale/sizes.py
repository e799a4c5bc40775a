"""What reading, checking, a snapshot, a fit, bookings, a backtest and the whole report cost by the size of a company.

Each step is a process of its own on a company that `company.py` wrote (`DIR/20000`, `DIR/200000`, …; made where it is
not there): CPU seconds of it and all it started, and the most memory of them together, what they share counted once. A
step contains those before it: a fit reads. The exponent is the slope of log CPU on log opportunities above 200,000.

    python -m benchmarks.scale.sizes /tmp/companies --sizes 20000,200000,1000000
    python -m benchmarks.scale.sizes /tmp/companies --sizes 10000000 --steps read,backtest
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

import forecast
from benchmarks.results import record
from benchmarks.scale.company import make
from benchmarks.scale.measuring import measured

ORIGINS = 30
STEPS = ("read", "check", "snapshot", "fit", "bookings", "backtest", "report")
_AS_OF = "2026-10-31"
_FIRST = "2024-05"


def _bookings(log: forecast.Log) -> pd.DataFrame:
    return forecast.forecast_bookings(_snapshot(log), months=6, seed=0)


def _fit(log: forecast.Log) -> pd.DataFrame:
    return forecast.win_probabilities(_snapshot(log), seed=0)


def _snapshot(log: forecast.Log) -> forecast.Snapshot:
    return forecast.snapshot(log, as_of=_AS_OF)


_IN_PYTHON: Mapping[str, Callable[[forecast.Log], object]] = {
    "read": lambda log: log,
    "snapshot": _snapshot,
    "fit": _fit,
    "bookings": _bookings,
}


def command(step: str, data: Path, out: Path) -> list[str]:
    """Return the command of a step on a company; what it writes goes to `out`."""
    if step in _IN_PYTHON:
        return [sys.executable, "-m", "benchmarks.scale.sizes", str(data), "--step", step]
    asked = {
        "check": [],
        "backtest": ["--from", _FIRST, "--to", _AS_OF[:7], "--models", "pipeline", "--out", f"{out}.parquet"],
        "report": ["--as-of", _AS_OF, "--out", str(out), "--no-resume", "-q"],
    }[step]
    return [sys.executable, "-m", "forecast", step, "--data", str(data), *asked]


def main() -> None:
    """Make companies that are not there, measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the companies")
    parser.add_argument("--sizes", default="20000,200000,1000000")
    parser.add_argument("--steps", default=",".join(STEPS))
    parser.add_argument("--step", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        warnings.simplefilter("ignore")
        _IN_PYTHON[options.step](forecast.read(options.folder))
        return
    for size in map(int, options.sizes.split(",")):
        data = options.folder / str(size)
        if not data.exists():
            make(data, opportunities=size)
        for step in options.steps.split(","):
            out = options.folder / f"{step}-{size}"
            cost = measured(command(step, data, out), log=options.folder / f"{step}-{size}.log")
            print(
                f"{size:>10,} {step:9} CPU {cost.cpu:8.1f} s, {cost.memory:8.0f} MB, wall {cost.wall:6.0f} s",
                flush=True,
            )
            if cost.code:
                sys.exit(f"{step} of {size:,} ended with {cost.code}: see {options.folder}/{step}-{size}.log")
            case = f"{size} opportunities"
            rows = [(case, f"{step} CPU", cost.cpu, "s"), (case, f"{step} memory", cost.memory, "MB")]
            record("scale", [*rows, (case, f"{step} wall", cost.wall, "s")])


if __name__ == "__main__":
    main()
