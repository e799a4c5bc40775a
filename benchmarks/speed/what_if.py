"""How soon the explorer of 00_explore answers: from a lever moved to the new picture, on the sample.

A move is what a slider let go does in the kernel: the scenario, Shapley's shares, the draws, two charts as SVG, wide
and narrow. What the browser adds (some milliseconds to put the picture in its place) is not in it.

    python -m benchmarks.speed.what_if --moves 40 [--record]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import forecast
from benchmarks.results import record
from forecast.reporting.explorer.explorer import Explorer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="data/sample")
    parser.add_argument("--as-of", default="2026-10-31")
    parser.add_argument("--moves", type=int, default=40)
    parser.add_argument("--record", action="store_true", help="write the figures into results.csv")
    given = parser.parse_args()
    log = forecast.read(given.data)
    begin = time.perf_counter()
    explorer = Explorer(log, as_of=given.as_of)
    print(f"opened in {time.perf_counter() - begin:.2f} s, {len(explorer.deals()):,} open deals")

    deals = [deal for _, deal in explorer.table.rows.options]
    actions: dict[str, Callable[[int], None]] = {
        "a lever": lambda i: _set(explorer.levers["win_rate"], (i % 9 + 1) / 20),
        "another lever, all moved": lambda i: _set(explorer.levers["slippage"], (i % 9 + 1) / 4),
        "a deal won": lambda i: _take(explorer, deals[i % len(deals)]),
        "a segment": lambda i: _set(explorer.segment, explorer.segment.options[i % len(explorer.segment.options)][1]),
        "a product": lambda i: _set(explorer.product, explorer.product.options[i % len(explorer.product.options)][1]),
    }
    explorer.levers["leads"].value = explorer.levers["cycle_time"].value = 0.1
    rows = []
    for name, act in actions.items():
        wall, cpu = [], []
        for i in range(given.moves):
            before, used = time.perf_counter(), time.process_time()
            act(i + 1)
            wall.append(time.perf_counter() - before)
            cpu.append(time.process_time() - used)
        median, used = statistics.median(wall), statistics.median(cpu)
        print(f"{name:26} median {median:.3f} s, largest {max(wall):.3f} s; CPU {used:.3f} s")
        rows += [(name, "median", median, "s"), (name, "CPU", used, "s")]
    if given.record:
        record("what_if", rows)


def _set(widget: object, value: object) -> None:
    widget.value = value  # type: ignore[attr-defined]


def _take(explorer: Explorer, deal: str) -> None:
    explorer.table.rows.value = deal
    explorer.table.outcome.value = "lost" if explorer.table.outcome.value == "won" else "won"


if __name__ == "__main__":
    main()
