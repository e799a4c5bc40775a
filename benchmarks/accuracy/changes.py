"""How near forecasts come to what can be known while a company changes, kind by kind.

Each company is simulated with one kind of change (docs/methods/simulation.md) and forecast at 12 month ends, two months
apart; segment-month errors are pooled over segments, origins and companies before any ratio. The gap is that between
`ets` and the oracle. Origins before a dated change say nothing of it and are counted apart: "since" are those from the
month in which it begins, "later" those from the fourth month on. Where joint planning begins segment by segment, rows
are counted by the months from the segment's start to the origin. Of the Total only coverage is given, with its standard
error over companies; and in how many companies a model misses by more than 1.05 times `ets` or seasonal naive.

`python -m benchmarks.accuracy.changes --report --kinds still,break` prints, and records with --report.
`--worlds ../shared/worlds` takes the companies of another simulator there instead.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

import forecast
from benchmarks.accuracy.tracks import log_of
from benchmarks.results import record
from benchmarks.seeds import CHANGES, CHANGES_OF
from forecast.data.schema import TOTAL, Log
from forecast.simulation.changes.kinds import Change
from forecast.simulation.company import Simulation, simulate
from forecast.simulation.truth import expected_bookings

KINDS = ("still", "adopt", "break", "seasonal", "drift", "junk", "renewals", "price")
ORIGINS = tuple(str(period) for period in pd.period_range("2024-06", "2026-04", freq="2M"))
HORIZONS = (1, 3, 6)
LATER = 3
"""Months after the one in which a change began from which on it must have been followed."""

SINCE_START = {
    "before a start": (-999, -1),
    "months 0 to 5": (0, 5),
    "months 6 to 11": (6, 11),
    "month 12 on": (12, 999),
}
"""Months from a segment's start of joint planning to the origin, by the name of the span."""

KEYS = ["origin", "target_period", "segment"]
RIVALS = ("ets", "seasonal-naive")


def company(kind: str, seed: int, *, opportunities: int) -> tuple[Log, pd.DataFrame, str]:
    """Return a simulated company, its oracle (KEYS, horizon, oracle), and the month its change begins ("" = none)."""
    made = simulate(
        opportunities=opportunities, seed=seed, changes=() if kind in ("still", "giant") else Change(kind=kind),
        giant=kind == "giant",
    )  # fmt: skip
    return log_of(made), oracle_of(made), _begins(made)


def _begins(made: Simulation) -> str:
    begins = pd.to_datetime(made.changes["begins"]).dropna()
    return f"{begins.min():%Y-%m}" if len(begins) else ""


def oracle_of(made: Simulation) -> pd.DataFrame:
    """Return the oracle at every origin, segments alone: KEYS, horizon, oracle."""
    parts = [expected_bookings(made, origin).assign(origin=origin) for origin in ORIGINS]
    table = pd.concat(parts, ignore_index=True).rename(columns={"mean": "oracle"})
    return table[table["segment"] != TOTAL]


def world(folder: Path) -> tuple[Log, pd.DataFrame, str]:
    """Return a company of another simulator, as `company` does; when its change begins is not told."""
    table = pd.read_csv(folder / "oracle.csv", dtype={"target_period": str, "origin": str})
    oracle = table.assign(origin=table["origin"].str[:7]).drop(columns="observed")
    return forecast.read(folder / "data"), oracle, ""


def rows(log: Log, oracle: pd.DataFrame, *, models: list[str]) -> pd.DataFrame:
    """Return a row a segment (and the Total), month and model with the oracle, the rivals and what came.

    Months not settled are left out; the oracle of the Total is not known. since_start : months from the segment's start
    of joint planning to the origin, NaN without one.
    """
    origins = sorted(oracle["origin"].unique())
    track = forecast.backtest(log, origins=origins, models=[*RIVALS, *models], seed=0)
    track = track[track["observed"].notna()]
    track = track.assign(origin=track["origin"].astype(str).str[:7], target_period=track["target_period"].astype(str))
    own = track.loc[~track["model"].isin(RIVALS)].drop(columns="horizon")
    for rival in RIVALS:
        its = track.loc[track["model"] == rival, [*KEYS, "mean"]].rename(columns={"mean": rival})
        own = own.merge(its, on=KEYS)
    months = oracle.drop_duplicates(["origin", "target_period"])[["origin", "target_period", "horizon"]]
    own = own.merge(months, on=["origin", "target_period"]).merge(oracle[[*KEYS, "oracle"]], on=KEYS, how="left")
    starts = log.get("joint_planning")
    if starts is None:
        return own.assign(since_start=np.nan)
    begun = pd.PeriodIndex(pd.to_datetime(starts["adopted_on"]), freq="M")
    by_segment = pd.Series(np.where(begun.isna(), np.nan, begun.asi8), index=starts["segment"])
    return own.assign(since_start=pd.PeriodIndex(own["origin"], freq="M").asi8 - own["segment"].map(by_segment))


def spans(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield all rows, and where a change begins on a day those since it and those from its fourth month on."""
    yield "all", table
    dated = table[table["begins"] != ""]
    if len(dated):
        origin, begins = (pd.PeriodIndex(dated[name], freq="M").asi8 for name in ("origin", "begins"))
        yield "since", dated[origin - begins >= 0]
        yield "later", dated[origin - begins >= LATER]
    if (table["kind"] == "adopt").any():
        for name, (low, high) in SINCE_START.items():
            yield name, table[table["since_start"].between(low, high)]


def figures(table: pd.DataFrame) -> dict[str, float]:
    """Return, by horizon, the share of the gap closed, bias, the oracle's bias, and coverage; rows of one model."""
    out = {}
    for h in HORIZONS:
        here = table[table["horizon"] == h]
        part = here[here["segment"] != TOTAL]
        if part.empty:
            continue
        seen = part["observed"].sum()
        error = {name: (part[name] - part["observed"]).abs().sum() / seen for name in ("mean", "oracle", "ets")}
        out[f"gap closed, h {h}"] = (error["ets"] - error["mean"]) / (error["ets"] - error["oracle"])
        out[f"bias, h {h}"] = part["mean"].sum() / seen - 1
        out[f"bias of the oracle, h {h}"] = part["oracle"].sum() / seen - 1
        for nominal, low, high in ((80, "q10", "q90"), (95, "q2.5", "q97.5")):
            inside = (part["observed"] >= part[low]) & (part["observed"] <= part[high])
            out[f"{nominal} % coverage, h {h}"] = float(inside.mean())
        out[f"bias of the median, h {h}"] = part["q50"].sum() / seen - 1
        total = here[here["segment"] == TOTAL]
        if len(total):
            inside = (
                ((total["observed"] >= total["q10"]) & (total["observed"] <= total["q90"]))
                .groupby(total["seed"])
                .mean()
            )
            out[f"80 % coverage of the Total, h {h}"] = float(inside.mean())
            out[f"80 % coverage of the Total, standard error, h {h}"] = float(inside.std(ddof=1) / np.sqrt(len(inside)))
        for rival in RIVALS:
            missed = (part[["mean", rival]].sub(part["observed"], axis=0)).abs().groupby(part["seed"]).sum()
            out[f"companies at most 1.05 times {rival}, h {h}"] = float((missed["mean"] <= 1.05 * missed[rival]).mean())
            out[f"WAPE over {rival}, h {h}"] = float(missed["mean"].sum() / missed[rival].sum())
    return out


def main() -> None:
    """Run, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--seeds", default="601,602,603", help="of design; --report takes those that figures come from")
    parser.add_argument("--opportunities", type=int, default=60_000)
    parser.add_argument("--models", default="pipeline")
    parser.add_argument("--worlds", type=Path, help="a folder of companies with data/ and oracle.csv")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--save", type=Path, help="folder for the rows of each kind, to look at again")
    options = parser.parse_args()
    seeds = [int(text) for text in options.seeds.split(",")]
    if options.worlds:
        names = [(each.name, [0]) for each in sorted(options.worlds.iterdir()) if (each / "oracle.csv").exists()]
    else:
        of_report = {kind: list(CHANGES_OF.get(kind, CHANGES)) for kind in options.kinds.split(",")}
        names = [(kind, of_report[kind] if options.report else seeds) for kind in of_report]
    for kind, chosen in names:
        parts = []
        for seed in chosen:
            log, oracle, begins = (
                world(options.worlds / kind)
                if options.worlds
                else company(kind, seed, opportunities=options.opportunities)
            )
            parts.append(
                rows(log, oracle, models=options.models.split(",")).assign(seed=seed, begins=begins, kind=kind)
            )
        table = pd.concat(parts, ignore_index=True)
        if options.save:
            options.save.mkdir(parents=True, exist_ok=True)
            table.to_parquet(options.save / f"{kind}.parquet")
        for model, own in table.groupby("model"):
            for span, part in spans(own):
                found = figures(part)
                print(_line(f"{kind}, {model}, {span}", found, companies=part["seed"].nunique()), flush=True)
                if options.report:
                    case = f"{kind}, {span}, {options.opportunities} opportunities, {part['seed'].nunique()} companies"
                    record("changes", [(case, f"{name}, {model}", value, "") for name, value in found.items()])


def _line(name: str, found: dict[str, float], *, companies: int) -> str:
    def each(figure: str, form: str) -> str:
        return " / ".join(format(found.get(f"{figure}, h {h}", np.nan), form) for h in HORIZONS)

    return (
        f"{name} ({companies}): gap {each('gap closed', '.2f')}; bias {each('bias', '+.3f')} "
        f"(oracle {each('bias of the oracle', '+.3f')}); "
        f"80 % {each('80 % coverage', '.2f')}; 95 % {each('95 % coverage', '.2f')}; "
        f"Total {each('80 % coverage of the Total', '.2f')}; median {each('bias of the median', '+.3f')}; "
        f"over ets {each('WAPE over ets', '.2f')} ({each('companies at most 1.05 times ets', '.2f')}); "
        f"over seasonal naive {each('WAPE over seasonal-naive', '.2f')} "
        f"({each('companies at most 1.05 times seasonal-naive', '.2f')})"
    )


if __name__ == "__main__":
    main()
