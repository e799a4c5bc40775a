"""CPU time and memory of a backtest of 30 origins against what an analyst would write, and how both grow.

    python -m benchmarks.speed.backtest [--sizes 20000,60000,200000,1000000] [--repeats 3] [--analyst 20000,200000]

Ours is `forecast.backtest` of `pipeline` on a log in memory: snapshot, replay, both causes, draws, tables and settled
actuals included. The analyst's is `analyst.backtest` on the same tables; at 200,000 it runs at every sixth of the 30
origins, and its time is multiplied by six (that this is fair shows at 20,000, where both are measured). Each of our
timings is a process of its own, medians of the repeats; memory is the peak of that process (resident set), reading the
log from Parquet included. The exponent is the slope of log CPU on log opportunities.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

# One thread for both sides: on matrices this small more of them only cost CPU.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import numpy as np
import pandas as pd

import forecast
from benchmarks.results import record
from benchmarks.speed import analyst

ORIGINS, EVERY = 30, 6
ROOT = Path(__file__).resolve().parents[2]
CLEAR_REFS, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def origins(log: forecast.Log) -> list[pd.Timestamp]:
    """Return the last 30 month ends of a log."""
    ends = pd.date_range(end=log.extracted_on, periods=ORIGINS, freq="ME")
    return [day.as_unit("us") for day in ends]


def ours(folder: str) -> dict[str, float]:
    """Read a log and backtest it; return seconds and megabytes."""
    forget_peak()
    start = time.process_time()
    log = forecast.read(folder)
    read = time.process_time() - start
    after_read = peak_memory()
    start = time.process_time()
    forecast.backtest(log, origins=origins(log), models=["pipeline"], seed=0)
    took = time.process_time() - start
    return {"read": read, "backtest": took, "memory read": after_read, "memory": peak_memory()}


def forget_peak() -> None:
    """Let the peak begin anew: a process starts with that of the one which started it (Linux, proc(5))."""
    if CLEAR_REFS.exists():
        CLEAR_REFS.write_text("5")


def peak_memory() -> float:
    """Return the peak of the resident set in MB of 2^20 bytes."""
    if STATUS.exists():
        line = next(text for text in STATUS.read_text().splitlines() if text.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_a_process(folder: str) -> dict[str, float]:
    """Return what `ours` measures in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.speed.backtest", "--one", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def theirs(folder: str, *, every: int) -> float:
    """Return the analyst's CPU seconds for 30 origins, measured at every n-th."""
    log = forecast.read(folder)
    some = origins(log)[every - 1 :: every]
    start = time.process_time()
    analyst.backtest(dict(log.tables), some, log.company.timezone)
    return (time.process_time() - start) * ORIGINS / len(some)


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="20000,60000,200000,1000000")
    parser.add_argument("--analyst", default="20000,200000")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.one:
        print(json.dumps(ours(options.one)))
        return
    sizes = [int(text) for text in options.sizes.split(",")]
    rows: list[tuple[str, str, float, str]] = []
    cpu: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as place:
        for size in sizes:
            folder = Path(place) / str(size)
            subprocess.run(
                [sys.executable, "-m", "forecast", "simulate", "--out", str(folder)]  # noqa: RUF005
                + ["--opportunities", str(size), "--seed", str(options.seed)],
                check=True,
                capture_output=True,
            )
            runs = [in_a_process(str(folder)) for _ in range(options.repeats if size < 10**6 else 1)]
            found = {name: float(np.median([run[name] for run in runs])) for name in runs[0]}
            cpu[size] = found["backtest"]
            print(f"{size:>9,}: " + ", ".join(f"{name} {value:,.2f}" for name, value in found.items()), flush=True)
            case = f"{size} opportunities"
            rows += [(case, "backtest CPU", found["backtest"], "s"), (case, "read CPU", found["read"], "s")]
            rows += [(case, "peak memory", found["memory"], "MB")]
            if str(size) in options.analyst.split(","):
                every = 1 if size <= 20_000 else EVERY
                slow = theirs(str(folder), every=every)
                rows += [(case, "analyst CPU", slow, "s"), (case, "ratio", slow / found["backtest"], "x")]
                print(f"           analyst {slow:,.1f} s, {slow / found['backtest']:.1f} x", flush=True)
                if every == 1:
                    scaled = theirs(str(folder), every=EVERY)
                    rows.append((case, "analyst CPU, scaled", scaled, "s"))
                    print(f"           analyst at every {EVERY}th origin, scaled: {scaled:,.1f} s", flush=True)
    if len(cpu) > 1:
        slope = float(np.polyfit(np.log(list(cpu)), np.log(list(cpu.values())), 1)[0])
        rows.append((f"{min(cpu)} to {max(cpu)}", "exponent of CPU", slope, ""))
        print(f"CPU grows as opportunities^{slope:.2f}")
    record("backtest speed", rows)


if __name__ == "__main__":
    main()
