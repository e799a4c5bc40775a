"""The planning verdict on errors that nobody simulated: day-ahead load forecasts of US balancing authorities.

    python -m benchmarks.planning.real_errors --data DIR [--sets 1000] [--curve | --parts 20] [--out rows.csv]

DIR holds monthly.csv and adoption.csv of eia930 (its PROVENANCE.md says where they come from). None of the authorities
taken ever joined a joint market within the data, so nothing began: the starts are made up. A set is 10 authorities, of
which 7 begin in months 24 to 42, by lot, or at each start the one of those left whose last 3, 6 or 12 months were the
worst against its own earlier record, in logs. No effect is put in, or a cut of 30 % from the start on.

`--curve` asks the first sets once more with other rules: how large the p-value of each comparison alone may be.
`--parts` asks sets from random parts of the authorities, 14 of them each, to see how much the figures owe to any.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.planning.process import worst_begin
from benchmarks.planning.verdicts import (
    HEADING,
    IN_FULL,
    Bars,
    Row,
    append,
    judge,
    largest_single_p,
    line,
    panel_of,
    read,
    row_of,
    write,
)
from benchmarks.seeds import REAL_ERRORS
from forecast.evaluation.planning.inference.randomisation import NEVER, Floats, Ints

FIRST, LAST, FEWEST_HOURS = "2015-08", "2020-06", 400
OTHER_SCOPE = ("PSEI", "CHPD", "AEC", "FPC", "SPA", "TEPC")
"""Authorities whose forecast measures something else than the actual."""

UNITS, BEGIN, STARTS, SUBSET = 10, 7, (24, 42), 14
EFFECT = 0.3
LIMITS = (0.05, 0.08, 0.10)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Who begins first: whoever had the worst last `months`, by lot where that is 0. effect : share removed."""

    name: str
    months: int
    effect: float


ORDERS = (("by lot", 0), ("worst 3 months first", 3), ("worst 6 months first", 6), ("worst 12 months first", 12))
CASES = tuple(
    Case(name=f"{order}, 30 % cut" if effect else order, months=months, effect=effect)
    for effect in (0.0, EFFECT)
    for order, months in ORDERS
)


@dataclass(frozen=True, kw_only=True, eq=False)
class RealErrors:
    """The authorities, and their errors and benchmark errors as shares of the load; (U, T), NaN where missing."""

    units: list[str]
    error: Floats
    benchmark: Floats


def load(folder: Path) -> RealErrors:
    """Read the authorities that never joined within the data and whose forecast and actual are of one scope."""
    adoption = pd.read_csv(folder / "adoption.csv")
    joined = set(adoption.loc[adoption["adopted_on"].str[:7] <= LAST, "segment"])
    table = pd.read_csv(folder / "monthly.csv")
    table = table[table["period"].between(FIRST, LAST) & (table["hours"] >= FEWEST_HOURS)]
    table = table[~table["segment"].isin(joined | set(OTHER_SCOPE))]
    months = pd.period_range(FIRST, LAST, freq="M").strftime("%Y-%m")
    shares = table.assign(error=table["abs_f"] / table["load"], benchmark=table["abs_n"] / table["load"])
    error, benchmark = (
        shares.pivot(index="segment", columns="period", values=name).reindex(columns=months)
        for name in ("error", "benchmark")
    )
    return RealErrors(units=list(error.index), error=error.to_numpy(), benchmark=benchmark.to_numpy())


def starts_of(error: Floats, months: int, rng: np.random.Generator) -> Ints:
    """Return who begins when, of the authorities of a set: by lot where months is 0; (S,)."""
    starts = np.round(np.linspace(*STARTS, BEGIN)).astype(np.int64)
    if months:
        return worst_begin(error, starts, months)
    dates = np.full(len(error), NEVER)
    dates[rng.permutation(len(error))[:BEGIN]] = starts
    return dates


def run(name: str, data: RealErrors, case: Case, *, sets: int, seed: int, in_full: int = IN_FULL) -> Row:
    """Return how the library judges `sets` sets drawn from the authorities."""
    began = time.process_time()
    answers = []
    for i in range(sets):
        rng = np.random.default_rng([seed, i])
        drawn = rng.permutation(len(data.units))[:UNITS]
        error, benchmark = data.error[drawn], data.benchmark[drawn]
        dates = starts_of(error, case.months, rng)
        after = np.arange(error.shape[1]) >= dates[:, None]
        panel = panel_of(error * np.where(after, 1 - case.effect, 1.0), benchmark, dates)
        answers.append(judge(panel, truth=-case.effect, seed=i, in_full=i < in_full))
    return row_of(name, answers, truth=-case.effect, began=began)


def bars(case: Case, sets: int) -> Bars:
    """Return what was asked for."""
    coverage = (0.90, 1.0) if case.months else (0.93, 0.97)
    if case.effect:
        return Bars(power=None if case.months else 0.60, coverage=coverage)
    return Bars(false=0.10 if case.months else 0.05 + 2 * float(np.sqrt(0.05 * 0.95 / sets)), coverage=coverage)


def plain(data: RealErrors, cases: Sequence[Case], *, sets: int, seed: int) -> Iterator[tuple[Case, Row]]:
    """Return the rows of the table."""
    for case in cases:
        yield case, run(case.name, data, case, sets=sets, seed=seed)


def curve(data: RealErrors, cases: Sequence[Case], *, sets: int, seed: int) -> Iterator[tuple[Case, Row]]:
    """Return the rows of the trade-off curve, on the first of the same sets."""
    for limit in LIMITS:
        with largest_single_p(limit):
            for case in cases:
                name = f"{case.name}, single p up to {limit:g}"
                yield case, run(name, data, case, sets=sets, seed=seed, in_full=0)


def subsets(data: RealErrors, cases: Sequence[Case], *, parts: int, sets: int, seed: int) -> Iterator[tuple[Case, Row]]:
    """Return the rows of random parts of the authorities."""
    for part in range(parts):
        left = np.sort(np.random.default_rng([seed, 1, part]).permutation(len(data.units))[:SUBSET])
        chosen = RealErrors(units=[data.units[u] for u in left], error=data.error[left], benchmark=data.benchmark[left])
        for case in cases:
            name = f"{case.name}, part {part + 1}"
            yield case, run(name, chosen, case, sets=sets, seed=seed + 10_000 * (part + 1), in_full=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", type=int, default=1_000)
    parser.add_argument("--curve", action="store_true", help="the trade-off curve instead of the table")
    parser.add_argument("--parts", type=int, default=0, help="so many random parts of the authorities instead")
    parser.add_argument("--seed", type=int, default=REAL_ERRORS)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--out", type=Path, help="CSV to which rows are added")
    parser.add_argument("--write", type=Path, help="put the rows of a CSV into results.csv, and run nothing")
    options = parser.parse_args()
    if options.write:
        write("planning_real_errors", read(options.write).values())
        return
    data = load(options.data)
    cases = [case for case in CASES if options.only in case.name]
    about = {"sets": options.sets, "seed": options.seed}
    if options.parts:
        rows = subsets(data, cases, parts=options.parts, **about)
    else:
        rows = curve(data, cases, **about) if options.curve else plain(data, cases, **about)
    print(f"{len(data.units)} authorities: {', '.join(data.units)}\n\n{HEADING}")
    claims: dict[str, list[float]] = {}
    for case, row in rows:
        print(line(row, bars(case, row.panels)), flush=True)
        claims.setdefault(case.name, []).append(100 * row.rejected)
        if options.out:
            append(options.out, row)
    if options.parts:
        for name, shares in claims.items():
            print(f"{name}: {min(shares):.0f} / {np.median(shares):.0f} / {max(shares):.0f} % claimed")


if __name__ == "__main__":
    main()
