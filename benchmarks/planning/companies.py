"""The whole road from submitted forecasts to the planning verdict, on companies whose truth is known.

    python -m benchmarks.planning.companies [--opportunities 20000] [--seeds 8001,8002]

Each company of `forecast simulate` is made with its effect (.3) and without one (its zero-effect twin); both go through
`planning_errors` and `planning_effect` as a user's would. The twins differ in the amounts of `joint` alone, so the true
change of the errors is known to the cell: the errors of the months with joint planning in the one company over those in
the other. It is a little less than the effect, since the first three months have forecasts still made apart. `--write`
puts the figures into results.csv.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

import forecast
from benchmarks.accuracy.tracks import log_of
from benchmarks.results import record
from benchmarks.seeds import PLANNING
from forecast.simulation.company import simulate

EFFECT = 0.3


def verdicts(opportunities: int, seed: int) -> pd.DataFrame:
    """Return two rows, with the effect and without: effect, truth, change and mean change with interval, p, verdict."""
    errors, rows, track = {}, [], None
    for effect in (EFFECT, 0.0):
        log = log_of(simulate(opportunities=opportunities, seed=seed, effect=effect))
        if track is None:
            # The benchmark sees bookings alone, and these are the same in both.
            origins = pd.date_range(end=log.extracted_on.normalize(), periods=61, freq="ME").strftime("%Y-%m-%d")
            track = forecast.backtest(log, origins=list(origins[13:]), models=["ets"], months=4, seed=seed)
        errors[effect] = forecast.planning_errors(log, track)
        adoption = log.tables["joint_planning"]
        found = forecast.planning_effect(errors[effect], adoption, seed=seed)
        change = (found.relative_change, *found.interval, found.mean_change, *found.mean_interval)
        rows.append((effect, *change, found.p_value, found.verdict))
    both = errors[EFFECT].merge(errors[0.0], on=["segment", "period"], suffixes=("", "_twin"), validate="one_to_one")
    start = both["segment"].map(adoption.set_index("segment")["adopted_on"])
    joint = start.notna() & (both["period"] >= start.dt.strftime("%Y-%m"))
    truth = both.loc[joint, "error"].sum() / both.loc[joint, "error_twin"].sum() - 1
    table = pd.DataFrame(
        rows, columns=["effect", "change", "low", "high", "mean_change", "mean_low", "mean_high", "p", "verdict"]
    )
    return table.assign(seed=seed, truth=np.where(table["effect"] > 0, truth, 0.0))


def figures(table: pd.DataFrame) -> dict[str, float]:
    """Return shares of verdicts, coverage of the truth and of -effect, and medians."""
    verdict = table["verdict"]
    return {
        "improved": float((verdict == "improved").mean()),
        "worsened": float((verdict == "worsened").mean()),
        "not identified": float((verdict == "not identified").mean()),
        "interval covers the truth": float(table["truth"].between(table["low"], table["high"]).mean()),
        "mean's interval covers the truth": float(table["truth"].between(table["mean_low"], table["mean_high"]).mean()),
        "mean's interval covers -effect": float(
            (-table["effect"]).between(table["mean_low"], table["mean_high"]).mean()
        ),
        "median change": float(table["change"].median()),
        "median mean change": float(table["mean_change"].median()),
        "median truth": float(table["truth"].median()),
        "median width of the mean's interval": float((table["mean_high"] - table["mean_low"]).median()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--opportunities", type=int, default=20_000)
    parser.add_argument("--seeds", default=",".join(map(str, PLANNING)))
    parser.add_argument("--out", default="", help="CSV of every company's verdicts")
    parser.add_argument("--write", action="store_true", help="put the figures into results.csv")
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    began = time.process_time()
    table = pd.concat([verdicts(options.opportunities, seed) for seed in seeds], ignore_index=True)
    if options.out:
        table.to_csv(options.out, index=False)
    rows = []
    print("| effect | " + " | ".join(figures(table)) + " |")
    print("| --- |" + " --- |" * len(figures(table)))
    for effect, part in table.groupby("effect", sort=False):
        found = figures(part)
        print(f"| {100 * effect:.0f} % | " + " | ".join(f"{100 * value:.1f} %" for value in found.values()) + " |")
        case = f"{options.opportunities} opportunities, {len(part)} companies, effect {effect:g}"
        rows += [(case, name, value, "") for name, value in found.items()]
    print(f"{len(seeds)} companies, twice: {time.process_time() - began:.0f} CPU s")
    if options.write:
        record("planning_companies", rows)


if __name__ == "__main__":
    main()
