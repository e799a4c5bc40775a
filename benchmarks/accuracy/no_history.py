"""What a forecast is worth where a company has no history, and what one lost decimal point does.

At each of several quarter ends a company is exported as its CRM then stood: today's values of each deal, no history.
The next quarter is forecast from that export (its last day), from one made a day later (the quarter's end is then a
past day), and with history; all are held against what came.

`python -m benchmarks.accuracy.no_history sample sim:7203 world:adopt --absurd`
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import forecast
from benchmarks.accuracy.tracks import log_of
from benchmarks.seeds import NO_HISTORY
from forecast.data.known.recorded import recorded_opportunities
from forecast.data.schema import Log
from forecast.simulation.company import simulate

WORLDS = Path("../shared/worlds")
KINDS = ("last_day", "day_after", "with_history")


def company_of(name: str) -> Log:
    """Return a company by name: sample, sim:SEED, giant:SEED or world:NAME."""
    kind, _, which = name.partition(":")
    if kind == "sample":
        return forecast.read("data/sample")
    if kind == "world":
        return forecast.read(WORLDS / which / "data")
    return log_of(simulate(opportunities=20_000, seed=int(which), giant=kind == "giant"))


def export_of(log: Log, day: pd.Timestamp) -> Log:
    """Return what an export of opportunities alone holds on a day: today's values, in the reporting currency."""
    table = forecast.snapshot(log, as_of=day).opportunities
    table = table.drop(columns=[name for name in ("stage_since", "slips", "currency") if name in table])
    return Log(tables={"opportunities": table}, company=log.company, extracted_on=day)


def next_months(log: Log, day: pd.Timestamp, *, months: int = 3) -> float:
    """Return the mean forecast of the months after a day."""
    table = forecast.forecast_bookings(forecast.snapshot(log, as_of=day), months=6, seed=0)
    rows = table[(table["segment"] == "Total") & ~table["target_period"].str.startswith("FY")]
    return float(rows.loc[rows["horizon"].between(1, months), "mean"].sum())


def quarter_ends(log: Log, *, count: int) -> Iterator[int]:
    """Yield the periods that end a quarter whose next one has settled, latest first."""
    calendar = log.company.periods
    last = calendar.last_settled(log.extracted_on, settle_days=log.company.settle_days) - 3
    while calendar.quarter_position(last + 1) != 0:
        last -= 1
    yield from range(last, last - 3 * count, -3)


def record(log: Log, *, count: int) -> pd.DataFrame:
    """Return a row a quarter end: KINDS, each the forecast of the next quarter, and actual."""
    deals, calendar = recorded_opportunities(log), log.company.periods
    won = deals[deals["outcome"] == "won"]
    closed_in = calendar.period_of(won["closed_on"])
    rows = []
    for period in quarter_ends(log, count=count):
        day = calendar.end(period)
        inside = (closed_in > period) & (closed_in <= period + 3)
        rows.append(
            {
                "quarter_end": day,
                "last_day": next_months(export_of(log, day), day),
                "day_after": next_months(export_of(log, day + pd.Timedelta(days=1)), day),
                "with_history": next_months(log, day),
                "actual": float(won["amount"].to_numpy()[inside].sum()),
            }
        )
    return pd.DataFrame(rows)


def spoiled(log: Log, deal: str, *, factor: float = 100.0) -> Log:
    """Return a log in which the amount of one deal is a hundred times what it was, in history too."""
    tables = dict(log.tables)
    for name in ("opportunities", "opportunity_history"):
        if name in tables:
            table = tables[name]
            amount = table["amount"].where(table["opportunity_id"] != deal, factor * table["amount"])
            tables[name] = table.assign(amount=amount)
    return replace(log, tables=tables)


def absurd(log: Log) -> dict[int, float]:
    """Return by how much a usual won deal at a hundred times its amount moves six months; by months since it closed."""
    day, deals = log.extracted_on, log.opportunities
    base, won = next_months(log, day, months=6), deals[deals["outcome"] == "won"]
    out = {}
    for months in (1, 3, 8, 14, 24):
        until = day - pd.DateOffset(months=months)
        some = won[(won["closed_on"] <= until) & (won["closed_on"] > until - pd.DateOffset(months=1))]
        if len(some):
            usual = (some["amount"] - won["amount"].mean()).abs().idxmin()
            out[months] = next_months(spoiled(log, some.loc[usual, "opportunity_id"]), day, months=6) / base - 1.0
    return out


def main() -> None:
    """Run, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("companies", nargs="*", default=["sample", *(f"sim:{seed}" for seed in NO_HISTORY)])
    parser.add_argument("--quarters", type=int, default=6)
    parser.add_argument("--absurd", action="store_true", help="also one won deal at a hundred times its amount")
    arguments = parser.parse_args()
    found = []
    for name in arguments.companies:
        log = company_of(name)
        table = record(log, count=arguments.quarters)
        found.append(table.assign(company=name))
        total = table["actual"].sum()
        jump = (table["last_day"] / table["day_after"] - 1.0).abs().max()
        for kind in KINDS:
            error = table[kind] - table["actual"]
            print(f"{name:14s} {kind:13s} bias {error.sum() / total:+.3f} wape {error.abs().sum() / total:.3f}")
        print(f"{name:14s} largest difference of the last day from the same day read a day later {jump:.3f}")
        if arguments.absurd:
            for what, each in (("with history", log), ("without", export_of(log, log.extracted_on))):
                moved = {months: round(change, 3) for months, change in absurd(each).items()}
                print(f"{name:14s} one amount x 100, by months since it closed, {what}: {moved}", flush=True)
    whole = pd.concat(found)
    for kind in KINDS:
        error = whole[kind] - whole["actual"]
        scale = whole.groupby("company")["actual"].transform("sum")
        print(f"all {kind}: mean bias {np.sum(error / scale) / whole['company'].nunique():+.3f}", end="; ")
        print(f"mean wape {np.sum(error.abs() / scale) / whole['company'].nunique():.3f}")


if __name__ == "__main__":
    main()
