"""The fixed ends that accuracy is measured between: the oracle, and statsmodels' ETS by AICc, of simulated companies.

    python -m benchmarks.accuracy.ends --opportunities 20000 --seeds 2,3,4 [--giant]

Neither depends on a model of ours, so they are computed once a company and cached in benchmarks/.cache/ends. Origins
are the month ends 30 to 53 of 60 (counted from 0), so that six months ahead lie inside the log. `ets_median` and
`ets_mean` are the median and the mean of the lognormal that the smoothing of log bookings gives; see `hardness.ets`.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.accuracy.hardness import SKIPPED, ets
from forecast.calendar import period_label
from forecast.simulation.company import Simulation, simulate
from forecast.simulation.truth import expected_bookings

CACHE = Path(__file__).parents[1] / ".cache" / "ends"
FIRST, ORIGINS, AHEAD = 30, 24, 6


def origins_of(company: Simulation) -> list[str]:
    """Return the months whose ends are the origins."""
    start = company.settings.start_period
    return [period_label(start + month) for month in range(FIRST, FIRST + ORIGINS)]


def ends(company: Simulation, *, with_ets: bool = True) -> pd.DataFrame:
    """Return one row an origin, horizon and segment (and Total): actual, oracle, ets_median, ets_mean."""
    actual = company.truth.actual
    actual = np.vstack([actual, actual.sum(axis=0)])
    names = [*company.settings.names, "Total"]
    parts = []
    for month, label in zip(range(FIRST, FIRST + ORIGINS), origins_of(company), strict=True):
        oracle = expected_bookings(company, label)["mean"].to_numpy().reshape(AHEAD, -1).T
        for g, name in enumerate(names):
            median = mean = np.full(AHEAD, np.nan)
            if with_ets:
                median, mean = ets(actual[g, SKIPPED : month + 1], AHEAD)
            parts.append(
                pd.DataFrame(
                    {
                        "origin": label,
                        "horizon": np.arange(1, AHEAD + 1),
                        "segment": name,
                        "actual": actual[g, month + 1 : month + 1 + AHEAD],
                        "oracle": oracle[g],
                        "ets_median": median,
                        "ets_mean": mean,
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def path_of(opportunities: int, seed: int, *, giant: bool = False, with_ets: bool = True) -> Path:
    """Return the file in which the ends of a company are cached."""
    kind = ("-giant" if giant else "") + ("" if with_ets else "-oracle")
    return CACHE / f"{opportunities}-{seed}{kind}.parquet"


def cached_ends(company: Simulation, *, with_ets: bool = True) -> pd.DataFrame:
    """Return the ends of a company, from the cache where they are there."""
    settings = company.settings
    path = path_of(settings.opportunities, settings.seed, giant=settings.giant, with_ets=with_ets)
    whole = path_of(settings.opportunities, settings.seed, giant=settings.giant)
    for known in (path, whole):
        if known.exists():
            return pd.read_parquet(known)
    table = ends(company, with_ets=with_ets)
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(path)
    return table


def main() -> None:
    """Compute and cache."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opportunities", type=int, default=20_000)
    parser.add_argument("--seeds", required=True)
    parser.add_argument("--giant", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for seed in [int(text) for text in options.seeds.split(",")]:
        clock = time.process_time()
        cached_ends(simulate(opportunities=options.opportunities, seed=seed, giant=options.giant))
        print(f"{options.opportunities} seed {seed}: {time.process_time() - clock:.0f} CPU s", flush=True)


if __name__ == "__main__":
    main()
