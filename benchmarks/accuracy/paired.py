"""Does the paired test keep its level on real series? Two forecasters made equal by exchanging their labels.

    python -m benchmarks.accuracy.paired [--data DIR]

DIR, by default the folder that FORECAST_REAL_DATA names, holds `m1/M1_monthly.csv` (M1 competition, monthly) and
`eia930/monthly.csv` (day-ahead forecasts of electric load and their naive benchmark, by month).

Simple case: the loss of one forecaster less that of the other, month by month. Which of the two is called the first is
drawn by lot anew for every block of months, so neither is better, while within a block the months resemble each other
as they really do. How often does the test call one of them better? And how often does it find 12 or 23 months whose
mean is moved by one standard deviation of a month?
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.results import record
from benchmarks.seeds import PAIRED
from forecast.evaluation.scores.comparison import diebold_mariano

SETS = 2_000
LEADS, RECORD = 6, 24
"""Lead times averaged, and months of the record, of the M1 series."""

LENGTHS, BLOCKS, TOGETHER = (12, 23), (6, 12), (1, 6)
"""Months compared, months of a block, and series averaged (the segments of a company)."""

WAYS: Mapping[str, float | None] = {"ours": None, "plain Daniell": 0.0}
"""The test, and the same without what is raised for neighbours."""


def m1_losses(path: Path) -> np.ndarray:
    """Return absolute errors of three plain forecasters over the mean of the record; (series, 3, RECORD).

    Last year's month; the same plus the last month's change on its year before; the same plus the year's. Mean over
    1 to LEADS months ahead, from every month end.
    """
    table = pd.read_csv(path).sort_values(["series", "t"])
    found = []
    for _, part in table.groupby("series"):
        y = part["value"].to_numpy(np.float64)
        if len(y) < RECORD + LEADS + 36:
            continue
        at = np.arange(len(y) - RECORD, len(y))
        losses = np.zeros((3, RECORD))
        for lead in range(1, LEADS + 1):
            last = at - lead  # the newest month known
            month = y[last - 1] - y[last - 13]
            year = np.array([y[end - 12 : end].mean() - y[end - 24 : end - 12].mean() for end in last])
            for which, change in enumerate((0.0, month, year)):
                losses[which] += np.abs(y[at - 12] + change - y[at]) / LEADS
        found.append(losses / max(np.abs(y[-RECORD:]).mean(), 1e-12))
    return np.array([each for each in found if each.max() < 5])


def eia_losses(path: Path) -> np.ndarray:
    """Return errors of load forecasts and of the naive benchmark, each over its own mean; (authorities, 2, months)."""
    table = pd.read_csv(path)
    table = table[(table["period"] >= "2015-08") & (table["period"] <= "2020-06") & (table["hours"] >= 400)]
    ratios = [
        table.assign(loss=table[name] / table["load"]).pivot(index="segment", columns="period", values="loss")
        for name in ("abs_f", "abs_n")
    ]
    whole = ratios[0].notna().all(axis=1) & ratios[1].notna().all(axis=1)
    both = np.stack([each[whole].to_numpy() for each in ratios], axis=1)
    return np.asarray(both / both.mean(axis=2, keepdims=True))


def draw(losses: np.ndarray, rng: np.random.Generator, *, months: int, block: int, together: int) -> np.ndarray:
    """Return the mean loss difference of `together` series, labels exchanged by lot block by block; (months,)."""
    length = losses.shape[2]
    first, second = rng.choice(losses.shape[1], 2, replace=False)
    some = losses[rng.choice(len(losses), together, replace=False)]
    number = (np.arange(length) + rng.integers(0, block, (together, 1))) // block
    sign = np.take_along_axis(rng.choice([-1.0, 1.0], (together, number.max() + 1)), number, axis=1)
    start = rng.integers(0, length - months + 1)
    return np.asarray(((some[:, first] - some[:, second]) * sign).mean(axis=0)[start : start + months])


def measure(name: str, losses: np.ndarray, rng: np.random.Generator, *, sets: int) -> list[tuple[str, str, float]]:
    """Return case, what is counted and its share: claims at 5 % and at .5 %, and what is found at .5 %."""
    rows = []
    for months in LENGTHS:
        p: dict[str, list[float]] = {}
        for i in range(sets):
            how = {"block": BLOCKS[i % 2], "together": TOGETHER[i // 2 % 2]}
            d = draw(losses, rng, months=months, **how)
            for way, alike in WAYS.items():
                p.setdefault(f"{way}: claims", []).append(diebold_mariano(d, 0 * d, alike=alike).p_value)
                moved = diebold_mariano(d + d.std(), 0 * d, alike=alike)
                p.setdefault(f"{way}: found", []).append(moved.p_value)
        for what, values in p.items():
            shares = {level: float(np.mean(np.array(values) <= level)) for level in (0.05, 0.005)}
            rows += [(f"{name}, {months} months", f"{what} at {level}", share) for level, share in shares.items()]
    return rows


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual = Path(os.environ.get("FORECAST_REAL_DATA", "../shared/data"))
    parser.add_argument("--data", type=Path, default=usual, help="folder of the public data sets")
    parser.add_argument("--seed", type=int, help="of the draws, instead of the reported one")
    given = parser.parse_args()
    rng = np.random.default_rng(PAIRED if given.seed is None else given.seed)
    for name, losses in (
        ("M1 monthly", m1_losses(given.data / "m1" / "M1_monthly.csv")),
        ("load forecasts", eia_losses(given.data / "eia930" / "monthly.csv")),
    ):
        rows = measure(name, losses, rng, sets=SETS)
        for case, what, value in rows:
            print(f"{case:28s} {what:32s} {value:6.1%} ({np.sqrt(value * (1 - value) / SETS):.1%})", flush=True)
        if given.seed is None:
            record("paired test", [(case, what, value, "share") for case, what, value in rows])


if __name__ == "__main__":
    main()
