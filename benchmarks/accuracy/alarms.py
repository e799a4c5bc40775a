"""How often alarms on the track record are false, and how soon they sound after a change.

    python -m benchmarks.accuracy.alarms              simulated companies, with nothing and with a change put in
    python -m benchmarks.accuracy.alarms --real     the habit alarms on errors of real forecasters (eia930)
    python -m benchmarks.accuracy.alarms --world DIR  one company from its tables

A company of 72 months is looked at in 24 months one after the other, each time with the record of the 24 month ends
before, as a monthly report does. In the broken ones a share of the wins from the thirteenth look on is turned into
losses, by lot, in all segments or in one; submitters go on as if nothing had happened. The forecasts are kept in
benchmarks/.cache/alarms, so that the looks can be counted again.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

import forecast
from benchmarks.accuracy.tracks import log_of
from benchmarks.results import record
from benchmarks.seeds import ALARMS
from forecast.calendar import is_quarter, parse_period, period_labels
from forecast.data.schema import TOTAL, Log
from forecast.evaluation.alarms import habit_bets, limit, watch
from forecast.evaluation.lately import alarms
from forecast.simulation.company import Simulation, simulate

CACHE = Path(__file__).parents[1] / ".cache" / "alarms"
OPPORTUNITIES, MONTHS, END = 24_000, 72, "2026-10"
LOOKS, RECORD, BEFORE, EARLIER = 24, 23, 12, 18
"""Looks at a company, settled months in the record of each, looks before the change, months that people's reaches back
beyond the first of them."""

CASES = {"still": 0.0, "half": 0.5, "third": 0.3, "segment": 0.5}
COMPANIES = {"still": 40, "half": 20, "third": 12, "segment": 12}
"""Share of wins lost from the change on, and companies measured, by case; `segment`: in one of them."""

WITHIN = (1, 2, 3, 4, 5, 6, 9, 12)


def track_of(case: str, seed: int) -> pd.DataFrame:
    """Return the forecasts of months, one ahead, of our model, the benchmark and people; made once and kept."""
    path = CACHE / f"{case}-{seed}.parquet"
    if not path.exists():
        company = simulate(opportunities=OPPORTUNITIES, months=MONTHS, end=END, seed=seed)
        if CASES[case]:
            company = broken(company, case, seed)
        table = forecasts_of(log_of(company), last=parse_period(END) - 2, looks=LOOKS, seed=seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        table.to_parquet(path)
    return pd.read_parquet(path)


def forecasts_of(log: Log, *, last: int, looks: int, seed: int) -> pd.DataFrame:
    """Return forecasts one month ahead: of the model and the benchmark as far as records reach, of people `EARLIER`.

    last : the last origin, a period; the month after it has settled.
    """
    ours, people = range(last - looks - RECORD + 2, last + 1), range(last - looks - RECORD - EARLIER + 2, last + 1)
    asked = ((period_labels(ours), ["pipeline", "ets"]), (period_labels(people), ["submitted"]))
    parts = [forecast.backtest(log, origins=days, models=names, months=1, seed=seed) for days, names in asked]
    table = pd.concat(parts, ignore_index=True)
    return table[~is_quarter(table["target_period"])]


def broken(company: Simulation, case: str, seed: int) -> Simulation:
    """Return a company in which a share of the wins from the day of the change on are losses."""
    rng, month = np.random.default_rng(seed), parse_period(END) - (LOOKS - BEFORE)
    deals, history = (company.tables[name].copy() for name in ("opportunities", "opportunity_history"))
    day = pd.Timestamp(str(period_labels([month])[0]))
    hit = (deals["outcome"] == "won") & (deals["closed_on"] >= day) & (rng.random(len(deals)) < CASES[case])
    if case == "segment":
        names = company.settings.names
        hit &= deals["segment"] == names[seed % len(names)]
    deals.loc[hit, ["outcome", "stage"]] = ["lost", "Closed lost"]
    rows = history["opportunity_id"].isin(deals.loc[hit, "opportunity_id"]) & (history["stage"] == "Closed won")
    history.loc[rows, ["stage", "probability", "forecast_category"]] = ["Closed lost", 0.0, "Omitted"]
    tables = {**company.tables, "opportunities": deals, "opportunity_history": history}
    return dataclasses.replace(company, tables=tables)


def looks_at(track: pd.DataFrame) -> pd.DataFrame:
    """Return the table of alarms at each look, with its number and the last month settled then."""
    scored = forecast.score(track)
    months = sorted(scored.loc[scored["model"] == "pipeline", "target_period"].unique())
    parts = []
    for look, end in enumerate(range(RECORD, len(months) + 1)):
        part = scored[scored["target_period"].isin(months[end - RECORD : end])]
        past = scored[scored["target_period"] <= months[end - 1]]
        parts.append(alarms(part, past=past).assign(look=look, month=months[end - 1]))
    return pd.concat(parts, ignore_index=True)


def family(table: pd.DataFrame) -> pd.Series:
    """Return whose budget each row draws on: people, segments, or the company and what is asked."""
    company = "company " + table["kind"]
    names = company.where(table["segment"] == TOTAL, "segments")
    return names.mask(table["model"].str.startswith("submitted-"), "people")


def begun(table: pd.DataFrame) -> pd.Series:
    """Return where an alarm begins: it is on and was not at the look before."""
    order = table.sort_values("look")
    keys = [name for name in ("company", "model", "segment", "kind") if name in order]
    earlier = order.groupby(keys)["alarm"].shift(fill_value=False)
    return (order["alarm"] & ~earlier).reindex(table.index)


def measure(case: str, seeds: Iterable[int]) -> list[tuple[str, str, float, str]]:
    """Print and return a case's figures: alarms a company, or companies under alarm within months of the change."""
    seeds = list(seeds)
    table = pd.concat([looks_at(track_of(case, seed)).assign(company=seed) for seed in seeds], ignore_index=True)
    table = table.assign(family=family(table), begun=begun(table))
    names = ["company too high", "company too low", "company ranges", "people", "segments"]
    rows = []
    if case == "still":
        count = table.groupby("family")["begun"].sum().reindex(names, fill_value=0) / len(seeds)
        per_company = table.groupby("company")["begun"].sum()
        rows = [(case, f"false alarms a company, {name}", float(value), "") for name, value in count.items()]
        rows.append((case, "false alarms a company", float(per_company.mean()), ""))
        rows.append((case, "standard error", float(per_company.std() / len(seeds) ** 0.5), ""))
        rows.append((case, "companies with any", float((per_company > 0).mean()), ""))
        rows.append((case, "companies with more than one", float((per_company > 1).mean()), ""))
        headline = table[table["family"].str.startswith("company too")].groupby("company")["begun"].sum()
        rows.append((case, "companies whose headline was ever under alarm", float((headline > 0).mean()), ""))
    else:
        for name in names:
            on = table[(table["family"] == name) & table["alarm"] & (table["look"] >= BEFORE)]
            first = on.groupby("company")["look"].min() - BEFORE + 1
            rows += [(case, f"{name} within {m}", float((first <= m).sum() / len(seeds)), "") for m in WITHIN]
    for row in rows:
        print(f"{row[0]:8s} {row[1]:55s} {row[2]:.3f}", flush=True)
    return rows


def real_errors(folder: Path) -> list[tuple[str, str, float, str]]:
    """Return habit alarms in 24 looks at a company, were each authority of eia930 a submitter of one of three."""
    table = pd.read_csv(folder / "eia930" / "monthly.csv")
    other_scope = ["PSEI", "CHPD", "AEC", "FPC", "SPA", "TEPC", "NSB"]
    whole = table[(table["hours"] >= 400) & table["period"].between("2015-08", "2020-06")]
    whole = whole[~whole["segment"].isin(other_scope)]
    errors = (whole["bias"] / (whole["bias"] + 2 * whole["load"])).to_numpy()
    wide = whole.assign(error=errors).pivot(index="period", columns="segment", values="error")
    rows = []
    for people in (1, 3):
        alarms_begun = looks = 0
        for name in wide:
            series = wide[name].to_numpy()
            parts = [series[:end] for end in range(RECORD, len(series) + 1) if np.isfinite(series[end - 1])]
            parts = [part for part in parts if np.isfinite(part).sum() >= RECORD - 6]
            looks += len(parts)
            for sign, kind in ((1.0, "too high"), (-1.0, "too low")):
                least = limit(f"people {kind}", watched=people)
                on = np.array([watch(habit_bets(sign * part), limit=least).is_on for part in parts], dtype=bool)
                alarms_begun += int((on & ~np.concatenate([[False], on[:-1]])).sum()) if len(on) else 0
        value = alarms_begun / looks * LOOKS * people
        rows.append(("eia930", f"alarms in 24 looks, {people} who submit", value, ""))
        print(f"{wide.shape[1]} series, {looks} looks, {people} who submit: {value:.2f} alarms in 24 looks")
    return rows


def world(folder: Path) -> None:
    """Print every alarm that begins in a company read from its tables, looked at over its last months."""
    log = forecast.read(folder)
    last = log.company.periods.last_settled(log.extracted_on, settle_days=log.company.settle_days)
    table = looks_at(forecasts_of(log, last=last - 1, looks=31, seed=0))
    table = table.assign(begun=begun(table))
    columns = ["month", "model", "segment", "kind", "n", "n_side", "low", "high", "wape", "wape_benchmark"]
    print(f"{table['look'].nunique()} looks, {int(table['begun'].sum())} alarms")
    print(table.loc[table["begun"], columns].round(2).to_string(index=False))


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=list(CASES), action="append", help="default all")
    parser.add_argument("--first-seed", type=int, default=ALARMS[0], help="of as many as the case has")
    parser.add_argument("--make", action="store_true", help="make the forecasts, look at nothing")
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--world", type=Path)
    asked = parser.parse_args()
    if asked.world is not None:
        world(asked.world)
        return
    if asked.real:
        record("accuracy.alarms", real_errors(Path(os.environ.get("FORECAST_REAL_DATA", "../shared/data"))))
        return
    for case in asked.case or CASES:
        seeds = range(asked.first_seed, asked.first_seed + COMPANIES[case])
        if asked.make:
            for seed in seeds:
                track_of(case, seed)
        else:
            rows = measure(case, seeds)
            if asked.first_seed == ALARMS[0]:
                record("accuracy.alarms", rows)


if __name__ == "__main__":
    main()
