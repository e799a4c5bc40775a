"""What the report costs beyond its cells: `forecast report` against the same cells as one plain script.

Both run in this order again and again in one go, so that a noisy machine disturbs both alike; medians of CPU seconds
(of the process and all it started) and of wall seconds are compared, never single runs. Memory is measured in a run
of its own, as the highest sum over the whole process tree of the memory each process has for itself plus its share
of what is shared (PSS, Linux), because looking costs time.

    python -m benchmarks.speed.report --rounds 5
    python -m benchmarks.speed.report --rounds 3 --against ff5d463    the report of a commit, in the same rounds
    python -m benchmarks.speed.report --memory 3                      only the report's memory, in three runs

With `--write` the figures go into results.csv too.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import psutil

from benchmarks.results import record

ROOT = Path(__file__).resolve().parents[2]
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def environment() -> dict[str, str]:
    """Return the environment both sides run in: one BLAS thread, and compiled modules are written."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, **THREADS, "MPLBACKEND": "Agg"}


def plain_script(data: str, as_of: str, tables: str) -> str:
    """Return every code cell of the notebooks, in order of their names, the run's parameters set, as one script.

    07 reads what 01 to 06 wrote, 00 stands alone: so 00 goes last, as in the report.
    """
    values = {"data": data, "as_of": as_of, "tables": tables}
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    paths = paths[1:] + paths[:1]
    parts = []
    for path in paths:
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type != "code":
                continue
            source = cell.source
            ast.parse(source)
            parts.append(f"# {path.stem}: {cell.id}\n{source}")
            if "parameters" in cell.metadata.get("tags", []):
                parts.append("\n".join(f"{name} = {value!r}" for name, value in values.items()))
    return "from IPython.display import display\n" + "\n\n".join(parts) + "\n"


def run(command: list[str], *, root: Path = ROOT) -> tuple[float, float]:
    """Run a command of the project in `root` to its end; return CPU seconds, children included, and wall seconds."""
    before, start = os.times(), time.perf_counter()
    env = {**environment(), "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"}
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, os.times()
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return cpu, wall


def against(commit: str, command: list[str], *, rounds: int) -> dict[str, float]:
    """Return the median CPU seconds of the report at a commit and as it is, run in turns, and their ratio."""
    seconds: dict[str, list[float]] = {"then": [], "now": []}
    with tempfile.TemporaryDirectory() as folder:
        then = Path(folder) / "then"
        subprocess.run(["git", "worktree", "add", "--detach", str(then), commit], cwd=ROOT, check=True)
        try:
            for number in range(rounds):
                for name, root in (("then", then), ("now", ROOT)):
                    seconds[name].append(run([*command, "--out", f"{folder}/{name}-{number}"], root=root)[0])
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(then)], cwd=ROOT, check=True)
    found = {name: statistics.median(values) for name, values in seconds.items()}
    return {**found, "ratio": found["now"] / found["then"]}


def peak_memory(command: list[str]) -> float:
    """Run a command to its end; return the highest PSS of its process tree in MB."""
    process = psutil.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        total = 0
        try:
            for member in [process, *process.children(recursive=True)]:
                try:
                    total += member.memory_full_info().pss
                except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                    continue
        except psutil.NoSuchProcess:
            break
        peak = max(peak, total)
        time.sleep(0.05)
    return peak / 1e6


def import_cost(rounds: int) -> float:
    """Return the CPU seconds of `import forecast` beyond those of an empty Python, medians."""
    costs: dict[str, list[float]] = {"pass": [], "import forecast": []}
    for _ in range(rounds):
        for code, seconds in costs.items():
            seconds.append(run([sys.executable, "-c", code])[0])
    return statistics.median(costs["import forecast"]) - statistics.median(costs["pass"])


def _side_by_side(options: argparse.Namespace, case: str) -> None:
    """Measure the report and its cells as one script in turns, print a table, keep the figures."""
    with tempfile.TemporaryDirectory() as folder:
        out, tables, script = Path(folder) / "reports", Path(folder) / "tables", Path(folder) / "cells.py"
        report = [sys.executable, "-m", "forecast", "report", "--data", options.data, "--as-of", options.as_of]
        cells = [sys.executable, str(script)]
        seconds: dict[str, list[tuple[float, float]]] = {"report": [], "cells": []}
        for number in range(options.rounds + 1):
            # A folder of its own each time: both must compute what they would otherwise find.
            script.write_text(plain_script(options.data, options.as_of, f"{tables}-{number}"), encoding="utf-8")
            measured = {"report": run([*report, "--out", f"{out}-{number}"]), "cells": run(cells)}
            if number:  # the first round warms the file cache
                for name, pair in measured.items():
                    seconds[name].append(pair)
        memory = {"report": peak_memory([*report, "--out", str(out)])}
        script.write_text(plain_script(options.data, options.as_of, f"{tables}-memory"), encoding="utf-8")
        memory["cells"] = peak_memory(cells)

    cpu = {name: statistics.median(pair[0] for pair in pairs) for name, pairs in seconds.items()}
    wall = {name: statistics.median(pair[1] for pair in pairs) for name, pairs in seconds.items()}
    figures = {
        "rounds": options.rounds,
        "cpu_seconds": cpu,
        "wall_seconds": wall,
        "cpu_ratio": cpu["report"] / cpu["cells"],
        "wall_ratio": wall["report"] / wall["cells"],
        "peak_memory_mb": memory,
        "import_forecast_cpu_seconds": import_cost(max(options.rounds, 5)),
    }
    print(f"{'':24}{'report':>10}{'cells':>10}{'ratio':>8}{'asked':>8}")
    print(f"{'CPU s (median)':24}{cpu['report']:>10.1f}{cpu['cells']:>10.1f}{figures['cpu_ratio']:>8.2f}{'<= 3':>8}")
    print(
        f"{'wall s (median)':24}{wall['report']:>10.1f}{wall['cells']:>10.1f}{figures['wall_ratio']:>8.2f}{'<= 3':>8}"
    )
    print(f"{'peak memory MB':24}{memory['report']:>10.0f}{memory['cells']:>10.0f}{'':>8}{'< 800':>8}")
    print(f"{'import forecast, CPU s':24}{figures['import_forecast_cpu_seconds']:>10.3f}{'':>18}{'< 0.2':>8}")
    if options.write:
        rows = [(f"{name}, CPU", seconds, "s") for name, seconds in cpu.items()]
        rows += [(f"{name}, peak memory", most, "MB") for name, most in memory.items()]
        record("speed_report", [(case, *row) for row in rows])
    results = ROOT / "benchmarks" / "results"
    results.mkdir(exist_ok=True)
    (results / "report_speed.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Measure, print a table, and keep the figures in benchmarks/results/."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", default="data/sample")
    parser.add_argument("--as-of", default="2026-10-31")
    parser.add_argument("--against", metavar="COMMIT", help="compare the CPU of the report with that of a commit")
    parser.add_argument("--memory", metavar="RUNS", type=int, help="look at the memory of the report alone")
    parser.add_argument("--write", action="store_true", help="put the figures into results.csv")
    options = parser.parse_args()
    case = f"{options.data}, {options.as_of}"
    if options.against:
        command = [sys.executable, "-m", "forecast", "report", "--data", str((ROOT / options.data).resolve())]
        found = against(options.against, [*command, "--as-of", options.as_of, "-q"], rounds=options.rounds)
        print(f"CPU s: {found['then']:.1f} at {options.against}, {found['now']:.1f} now, ratio {found['ratio']:.2f}")
        if options.write:
            ratio = (case, f"report, CPU to that of {options.against}", found["ratio"], "x")
            record("speed_report", [(case, "report, CPU", found["now"], "s"), ratio])
        return
    if options.memory:
        report = [sys.executable, "-m", "forecast", "report", "--data", options.data, "--as-of", options.as_of]
        with tempfile.TemporaryDirectory() as folder:
            peaks = [peak_memory([*report, "--out", f"{folder}/{number}"]) for number in range(options.memory)]
        print(f"peak memory MB: {', '.join(f'{peak:.0f}' for peak in peaks)}")
        if options.write:
            record("speed_report", [(case, "report, peak memory", max(peaks), "MB")])
        return
    _side_by_side(options, case)


if __name__ == "__main__":
    main()
