"""How often ranges by level hold what came, and how far forecasts by level were off, on simulated companies.

`python -m benchmarks.accuracy.by_level` prints both by level and horizon: of companies in which some seats go to a new
seller (`steady`), sellers hand deals to each other, and one segment moves to another region; and how many sums over the
children of a node differ from the node's by a cent.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from benchmarks.seeds import BY_LEVEL
from forecast.data.checks.validation import validate
from forecast.data.schema import ADDENDS, Company
from forecast.evaluation.backtest import month_ends
from forecast.evaluation.by_level import backtest_by_level
from forecast.simulation.company import simulate

HORIZONS = (1, 3, 6)
BANDS = {"50 %": ("q25", "q75"), "80 %": ("q10", "q90"), "95 %": ("q2.5", "q97.5")}
MONTHS = 60
FIRST, STEP, COUNT = 30, 3, 9


def track(seed: int, *, opportunities: int = 20_000, steady: bool = True) -> pd.DataFrame:
    """Return the forecasts by level of nine origins, a quarter apart, of one company, with what came."""
    made = simulate(opportunities=opportunities, months=MONTHS, seed=seed, segments=12, steady=steady)
    log = validate(made.tables, Company(extracted_on=pd.Timestamp(made.company["extracted_on"])))
    calendar = log.company.periods
    last = calendar.period(log.extracted_on)
    ends = [calendar.end(last - MONTHS + FIRST + STEP * number) for number in range(COUNT)]
    days = month_ends(log, first=f"{ends[0]:%Y-%m}", last=f"{ends[-1]:%Y-%m}", step=STEP)
    return backtest_by_level(log, origins=days).assign(seed=seed)


def differences(table: pd.DataFrame) -> tuple[int, int]:
    """Return how many sums over children differ from their node's by half a cent or more, and how many were made."""
    there = table[table["q50"].notna()]
    keys = ["seed", "origin", "of", "target_period"]
    wrong = made = 0
    above = there["path"].where(there["level"] > 0, "").str.rpartition(" > ")[0]
    own = there.assign(path=there["path"].where(there["level"] > 0, ""))
    for name in ("mean", *ADDENDS):
        children = there[there["level"] > 0].groupby([*[there[key] for key in keys], above])[name].sum()
        children = children.groupby(level=list(range(5))).sum()
        nodes = own.set_index([*keys, "path"])[name]
        compared = (children - nodes.reindex(children.index)).abs()
        wrong, made = wrong + int((compared >= 0.005).sum()), made + len(compared)
    return wrong, made


def coverage(table: pd.DataFrame) -> pd.DataFrame:
    """Return by tree, kind and horizon how many of the bands held what came, and how far the expectation was off."""
    settled = table.dropna(subset=["observed"])
    there = settled[settled["q50"].notna()]
    inside = {
        band: (there["observed"] >= there[low] - 1e-6) & (there["observed"] <= there[high] + 1e-6)
        for band, (low, high) in BANDS.items()
    }
    by = ["of", "kind", "horizon"]
    rates = there.assign(**inside).groupby(by)[list(BANDS)].mean()
    error = (settled["mean"] - settled["observed"]).abs().groupby([settled[name] for name in by]).sum()
    came = settled.groupby(by)["observed"].sum()
    return rates.assign(wape=error / came, n=there.groupby(by).size())


def main() -> None:
    """Print the figures of the seeds asked for, by default those of record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="*", default=list(BY_LEVEL))
    parser.add_argument("--out", default="")
    asked = parser.parse_args()
    table = pd.concat([track(seed) for seed in asked.seeds], ignore_index=True)
    if asked.out:
        table.to_parquet(asked.out)
    wrong, made = differences(table)
    print(f"sums that differ by a cent: {wrong} of {made:,}")
    found = coverage(table[table["horizon"].isin(HORIZONS)])
    print(found.to_string(float_format=lambda value: f"{value:.3f}"))
    print(f"seeds {asked.seeds}, {np.unique(table['origin']).size} origins each")


if __name__ == "__main__":
    main()
