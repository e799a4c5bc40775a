"""How often a change of the share won is claimed where there is none, and how soon one is found.

    python -m benchmarks.accuracy.levels              simulated companies, with nothing and with a change put in
    python -m benchmarks.accuracy.levels --case break

A company of 72 months is walked through once. Each month's expectation is the one made before it, so the record as it
stood at each of the last 24 looks is the beginning of the last one. Changes begin with the thirteenth look. Records are
kept in benchmarks/.cache/levels, so that the looks can be counted again.
"""

from __future__ import annotations

import argparse
import dataclasses
import pickle
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

import forecast
from benchmarks.accuracy.tracks import log_of
from benchmarks.results import record
from benchmarks.seeds import LEVELS
from forecast.calendar import parse_period, period_labels
from forecast.data.schema import TOTAL
from forecast.evaluation.levels import found
from forecast.models.win.levels import Levels, levels_at_days
from forecast.simulation.changes.kinds import Change
from forecast.simulation.company import simulate

CACHE = Path(__file__).parents[1] / ".cache" / "levels"
OPPORTUNITIES, MONTHS, END = 20_000, 72, "2026-10"
LOOKS, BEFORE = 24, 12
WITHIN = (1, 2, 3, 4, 6, 9, 12)

BEGINS = str(period_labels([parse_period(END) - LOOKS + BEFORE])[0])
CASES = {
    "still": (),
    "break": (Change(kind="break", size=0.55, month=BEGINS),),
    "third": (Change(kind="break", size=0.7, month=BEGINS),),
    "segment": (Change(kind="break", size=0.5, month=BEGINS),),
    "drift": (Change(kind="drift"),),
    "seasonal": (Change(kind="seasonal"),),
    "adopt": (Change(kind="adopt"),),
    "junk": (Change(kind="junk", month=BEGINS),),
}
COMPANIES = {"still": 60, "break": 12, "third": 12, "segment": 12, "drift": 12, "seasonal": 12, "adopt": 12, "junk": 12}
"""Changes and companies measured, by case; `segment`: in one of them."""


def levels_of(case: str, seed: int) -> Levels:
    """Return the record of a company as of its end; walked through once and kept."""
    path = CACHE / f"{case}-{seed}.pickle"
    if not path.exists():
        changes = CASES[case]
        if case == "segment":
            names = simulate(opportunities=500, months=24, end=END, seed=seed).settings.names
            changes = (dataclasses.replace(changes[0], segment=names[seed % len(names)]),)
        company = simulate(opportunities=OPPORTUNITIES, months=MONTHS, end=END, seed=seed, changes=changes)
        snap = forecast.snapshot(log_of(company), as_of=END)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(next(levels_at_days(snap, days=[snap.as_of]))))
    made = pickle.loads(path.read_bytes())
    assert isinstance(made, Levels)
    return made


def looks_at(levels: Levels) -> pd.DataFrame:
    """Return what was found at each look, with its number (1 = the first of the change) and its last settled month."""
    parts = []
    for end in range(len(levels.periods) - LOOKS + 1, len(levels.periods) + 1):
        cut = dataclasses.replace(
            levels, periods=levels.periods[:end], seen=levels.seen[:end], expected=levels.expected[:end]
        )
        look = int(cut.periods[-1]) - parse_period(BEGINS) + 1
        parts.append(found(cut).assign(look=look))
    return pd.concat(parts, ignore_index=True)


def measure(case: str, seeds: Iterable[int]) -> list[tuple[str, str, float, str]]:
    """Print and return a case's figures: alarms a company in 24 looks, or companies under alarm within months."""
    seeds = list(seeds)
    table = pd.concat([looks_at(levels_of(case, seed)).assign(company=seed) for seed in seeds], ignore_index=True)
    family = np.where(table["segment"] == TOTAL, "company ", "segments ") + table["kind"]
    earlier = table.groupby(["company", "segment", "kind"])["alarm"].shift(fill_value=False)
    table = table.assign(family=family, begun=table["alarm"] & ~earlier)
    rows = []
    for name in ("company fewer", "company more", "segments fewer", "segments more"):
        part = table[table["family"] == name]
        rows.append((case, f"alarms a company, {name}", float(part["begun"].sum() / len(seeds)), ""))
        rows.append((case, f"companies with any, {name}", float(part.groupby("company")["alarm"].any().mean()), ""))
        if case in ("break", "third", "segment", "junk"):
            first = part[part["alarm"] & (part["look"] >= 1)].groupby("company")["look"].min()
            rows += [(case, f"{name} within {m}", float((first <= m).sum() / len(seeds)), "") for m in WITHIN]
    if case in ("break", "third"):
        on = table[(table["family"] == "company fewer") & table["alarm"]]
        first = on.sort_values("look").drop_duplicates("company")
        for name, part in (("when found", first), ("at the end", on[on["look"] == on["look"].max()])):
            apart = part["first"].map(parse_period) - parse_period(BEGINS)
            rows.append((case, f"month found is that of the change, {name}", float((apart == 0).mean()), ""))
            rows.append((case, f"month found is within one, {name}", float((apart.abs() <= 1).mean()), ""))
    for row in rows:
        print(f"{row[0]:8s} {row[1]:55s} {row[2]:.3f}", flush=True)
    return rows


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=list(CASES), action="append", help="default all")
    parser.add_argument("--first-seed", type=int, default=LEVELS[0], help="of as many as the case has")
    parser.add_argument("--companies", type=int, help="default as many as the case has")
    asked = parser.parse_args()
    for case in asked.case or CASES:
        seeds = range(asked.first_seed, asked.first_seed + (asked.companies or COMPANIES[case]))
        rows = measure(case, seeds)
        if asked.first_seed == LEVELS[0] and not asked.companies:
            record("accuracy.levels", rows)


if __name__ == "__main__":
    main()
