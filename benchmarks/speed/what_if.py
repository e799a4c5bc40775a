"""How soon the explorer of 00_explore answers: from a lever moved to the new picture, on the sample.

A move is what a slider let go does in the kernel: the scenario, Shapley's shares, the draws, two charts as SVG. Only
the tab that is shown is drawn; what another tab takes when it is looked at is measured too. What the browser adds (some
milliseconds to put the picture in its place) and the moment in which further moves are awaited are not in it.

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

    _look(explorer, 2)
    deals = [deal for _, deal in explorer.table.rows.options]
    _look(explorer, 0)
    actions: dict[str, Callable[[int], object]] = {
        "a lever": lambda i: _set(explorer.levers["win_rate"], (i % 9 + 1) / 20),
        "another lever, all moved": lambda i: _set(explorer.levers["slippage"], (i % 9 + 1) / 4),
        "a deal won, then What if": lambda i: (_look(explorer, 2), _take(explorer, deals[i % 200]), _look(explorer, 0)),
        "a segment": lambda i: _next(explorer.segment, i),
        "a product": lambda i: _next(explorer.product, i),
        "a segment in Pipeline": lambda i: (_look(explorer, 1), _next(explorer.segment, i)),
        "a segment in Deals": lambda i: (_look(explorer, 2), _next(explorer.segment, i)),
        "a product in Deals": lambda i: (_look(explorer, 2), _next(explorer.product, i)),
        "a lever in Scenarios": lambda i: (_look(explorer, 3), _set(explorer.levers["win_rate"], (i % 9 + 1) / 20)),
        "a segment in every tab": lambda i: (_next(explorer.segment, i), *(_look(explorer, tab) for tab in range(4))),
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


def _next(box: object, i: int) -> None:
    _set(box, box.options[i % len(box.options)][1])  # type: ignore[attr-defined]


def _look(explorer: Explorer, tab: int) -> None:
    explorer.tabs.selected_index = tab


def _take(explorer: Explorer, deal: str) -> None:
    explorer.table.rows.value = deal
    explorer.table.outcome.value = "lost" if explorer.table.outcome.value == "won" else "won"


if __name__ == "__main__":
    main()
