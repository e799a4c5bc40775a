"""How often the planning verdict is wrong where nothing changed, and how often it sees a change that is there.

    python -m benchmarks.planning.size_and_power [--only TEXT] [--part 1/2] [--workers 2] [--out rows.csv]

Simulates panels of forecast errors (`process`), with what can go wrong in them, and asks the library for its verdict
on every one (`verdicts`). The table goes to standard output, as Markdown, with what misses its bar in bold; `--out`
gathers rows, and `--show rows.csv` prints a table of rows gathered by several runs (with `--write` into results.csv).
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

from benchmarks.planning import process
from benchmarks.planning.process import NEVERS, Scenario, panels_of
from benchmarks.planning.verdicts import (
    HEADING,
    IN_FULL,
    PERMUTATIONS,
    Answer,
    Bars,
    Row,
    append,
    judge,
    line,
    panel_of,
    read,
    row_of,
    write,
)
from benchmarks.seeds import SIZE_AND_POWER
from forecast.models.spread.spread import spread

__all__ = ["NEVERS", "Scenario", "run"]

USUAL = (0.93, 0.97)
AFTER_SPELL = (0.90, 1.00)


def _null(name: str, *, coverage: tuple[float, float] = USUAL, **about: object) -> list[tuple[Scenario, Bars]]:
    """Return a scenario of today's without effect, with six series and with one; 5 % + 2 s.e. are allowed (`bars`)."""
    bars = Bars(false=0.05, coverage=coverage)
    return [
        (Scenario(name, **about), bars),  # type: ignore[arg-type]
        (Scenario(f"one series: {name}", series=1, **about), bars),  # type: ignore[arg-type]
    ]


def _cut(name: str, power: float | None, **about: object) -> tuple[Scenario, Bars]:
    return Scenario(name, **about), Bars(power=power, coverage=USUAL)  # type: ignore[arg-type]


def _hostile(name: str, allowed: float | None, *steps: process.Step, **about: object) -> tuple[Scenario, Bars]:
    return Scenario(name, steps=steps, **about), Bars(false=allowed)  # type: ignore[arg-type]


STILL = (
    *_null("stationary, 6 segments", segments=6),
    *_null("stationary, 8 segments"),
    *_null("stationary, 12 segments", segments=12),
    *_null("common drift", common_drift=-0.5),
    *_null("regional drift", regional_drift=0.5),
    *_null("shared shocks", shocks=True),
    *_null("worst segments begin first", worst_first=True),
    *_null(
        "errors 65 % higher in the six months before each start", coverage=AFTER_SPELL, steps=(process.bad_spell(6),)
    ),
    *_null(
        "start chosen after the segment's worst half-year",
        coverage=AFTER_SPELL,
        steps=(process.after_worst_half_year,),
    ),
)
CUTS = (
    _cut("30 % cut, 6 segments", 0.82, segments=6, effect=0.3),
    _cut("30 % cut, 8 segments", 0.89, effect=0.3),
    _cut("30 % cut, 12 segments", 0.918, segments=12, effect=0.3),
    _cut("50 % cut, 8 segments", None, effect=0.5),
    _cut("one series: 30 % cut, 6 segments", None, segments=6, series=1, effect=0.3),
    _cut("one series: 30 % cut, 8 segments", 0.287, series=1, effect=0.3),
    _cut("one series: 30 % cut, 12 segments", None, segments=12, series=1, effect=0.3),
    _cut("one series: 50 % cut, 8 segments", None, series=1, effect=0.5),
)
SPELLS = tuple(
    (Scenario(f"{what}: {who}", steps=(*lasting, *order)), Bars(false=allowed, coverage=coverage))
    for what, lasting in (("spells that last", (process.spells,)), ("level shifts", (process.level_shifts,)))
    for who, order, allowed, coverage in (
        ("by lot", (), 0.05, USUAL),
        *((f"worst {k} months first", (process.worst_first(k),), 0.10, AFTER_SPELL) for k in (3, 6, 12)),
    )
)
SPELLS_CUT = tuple(
    (Scenario(f"spells that last: {who}, 30 % cut", effect=0.3, steps=(process.spells, *order)), Bars())
    for who, order in (("by lot", ()), ("worst 6 months first", (process.worst_first(6),)))
)
HOSTILE = (
    _hostile("errors of those that begin fall 10 % a year", 0.08, process.trend(0.1)),
    _hostile("errors of those that begin fall 20 % a year", 0.10, process.trend(0.2)),
    _hostile("errors fall 10 % a year until each start", 0.08, process.trend(0.1, until_start=True)),
    _hostile("errors fall 20 % a year until each start", 0.10, process.trend(0.2, until_start=True)),
    _hostile("errors 65 % higher in the year before each start", 0.10, process.bad_spell(12)),
    _hostile("errors 65 % higher in the 9 months before each start", 0.10, process.bad_spell(9)),
    _hostile("errors 65 % higher in the 18 months before each start", 0.10, process.bad_spell(18)),
    _hostile("errors 65 % higher in the 24 months before each start", None, process.bad_spell(24)),
    _hostile("controls worsen by half while the others begin", 0.09, process.controls_worsen),
    _hostile("controls jump by 40 %", 0.09, process.controls_jump),
    _hostile("benchmark 40 % better from each start on", 0.07, process.benchmark_improves),
    _hostile("the same, people follow the benchmark", 0.10, process.follow_benchmark, process.benchmark_improves),
    _hostile("hard months not submitted after the start", 0.09, process.hard_months_missing),
    _hostile("hard months not submitted before the start", 0.09, process.hard_months_missing_before),
    _hostile("same mean error, more spread", 0.12, process.more_spread),
    _hostile("rare gross misses: mean error 13 % up", None, process.gross_misses),
)
PARTIAL = (
    _hostile("half the segments improve by 30 %", None, process.half_improve(0.3)),
    _hostile("effect grows to 30 % over 12 months", None, process.growing(0.3)),
    _hostile("30 % cut, half of it spills over", None, process.spill_over(0.3)),
)
SCENARIOS = (*STILL, *SPELLS, *HOSTILE, *CUTS, *SPELLS_CUT, *PARTIAL)


def bars(of: Bars, panels: int) -> Bars:
    """Return bars with two standard errors added to the nominal 5 %."""
    if of.false != 0.05:
        return of
    return Bars(false=0.05 + 2 * math.sqrt(0.05 * 0.95 / panels), power=of.power, coverage=of.coverage)


def run(
    scenario: Scenario,
    *,
    panels: int,
    seed: int,
    block: int = 250,
    permutations: int = PERMUTATIONS,
    workers: int = 1,
    dask: str = "",
) -> Row:
    """Return how the library judges `panels` panels of a scenario; workers, dask : who judges blocks of them."""
    shared = (scenario, panels, seed, block, permutations)
    found = spread(_block, range(0, panels, block), workers=workers, dask=dask, shared=shared)
    answers = [answer for _, judged, _ in found for answer in judged]
    truths = [truth for truth, *_ in found]
    began = time.process_time() - sum(seconds for *_, seconds in found)
    return row_of(scenario.name, answers, truth=sum(truths) / len(truths), began=began)


def _block(
    start: int, scenario: Scenario, panels: int, seed: int, block: int, permutations: int
) -> tuple[float, list[Answer], float]:
    """Return the truth of one block of panels, from number `start` on, how the library judges each, and CPU seconds."""
    began = time.process_time()
    drawn = panels_of(scenario, min(block, panels - start), seed * 1_000 + start // block)
    answers = [
        judge(
            panel_of(error, benchmark, dates),
            truth=drawn.truth,
            seed=start + i,
            in_full=start + i < IN_FULL,
            permutations=permutations,
        )
        for i, (error, benchmark, dates) in enumerate(zip(drawn.error, drawn.benchmark, drawn.dates, strict=True))
    ]
    return drawn.truth, answers, time.process_time() - began


def show(path: Path, *, keep: bool) -> None:
    """Print the table of rows gathered, in the order of the scenarios."""
    found = read(path)
    print(HEADING)
    for scenario, asked in SCENARIOS:
        if scenario.name in found:
            print(line(found[scenario.name], bars(asked, found[scenario.name].panels)))
    if keep:
        write("planning_size_and_power", found.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--panels", type=int, default=1_000)
    parser.add_argument("--still", type=int, default=4_000, help="panels of the first scenarios, without effect")
    parser.add_argument("--seed", type=int, default=SIZE_AND_POWER)
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    parser.add_argument("--part", default="1/1", help="i/n: every n-th scenario, from the i-th on")
    parser.add_argument("--workers", type=int, default=1, help="processes that judge blocks of panels")
    parser.add_argument("--dask", default="", help="the address of a Dask scheduler whose workers do")
    parser.add_argument("--out", type=Path, help="CSV to which rows are added")
    parser.add_argument("--show", type=Path, help="print the table of a CSV, and run nothing")
    parser.add_argument("--write", action="store_true", help="with --show: put the rows into results.csv")
    options = parser.parse_args()
    if options.show:
        show(options.show, keep=options.write)
        return
    part, parts = (int(each) for each in options.part.split("/"))
    chosen = [each for each in SCENARIOS if options.only in each[0].name][part - 1 :: parts]
    print(HEADING)
    for scenario, asked in chosen:
        panels = options.still if any(scenario is each for each, _ in STILL) else options.panels
        row = run(scenario, panels=panels, seed=options.seed, workers=options.workers, dask=options.dask)
        print(line(row, bars(asked, row.panels)), flush=True)
        if options.out:
            append(options.out, row)


if __name__ == "__main__":
    main()
