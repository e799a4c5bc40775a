"""Forecasts of simulated companies at the origins of `ends`, cached, so that scoring them again costs nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import forecast
from benchmarks.accuracy.ends import AHEAD, FIRST, cached_ends, origins_of
from forecast.data.schema import QUANTILE_COLUMNS, Log
from forecast.models import registry
from forecast.simulation.company import Simulation, simulate, write

CACHE = Path(__file__).parents[1] / ".cache" / "tracks"
PRIOR = 5.0
MODELS = tuple(name for name in registry.MODELS if not name.endswith("-statsmodels"))
"""The forecasters of the figures of record; the second opinions cost twenty times as much."""


def log_of(company: Simulation) -> Log:
    """Return a simulated company as a log, as read from its files."""
    with tempfile.TemporaryDirectory() as folder:
        write(company, folder)
        return forecast.read(folder)


def track(
    opportunities: int, seed: int, *, giant: bool, tag: str, models: tuple[str, ...] = MODELS, with_ets: bool = True
) -> pd.DataFrame:
    """Return forecasts and ends: model, origin, horizon, segment, mean, quantiles, actual, oracle, ets_*."""
    kind = f"{opportunities}-{seed}" + ("-giant" if giant else "")
    path = CACHE / tag / f"{kind}.parquet"
    if path.exists():
        return pd.read_parquet(path)
    company = simulate(opportunities=opportunities, seed=seed, giant=giant)
    fixed = cached_ends(company, with_ets=with_ets)
    table = forecast.backtest(
        log_of(company), origins=origins_of(company), models=list(models), months=AHEAD, seed=seed
    )
    table = table[~table["target_period"].str.startswith("FY")]
    columns = ["model", "origin", "horizon", "segment", "mean", *QUANTILE_COLUMNS]
    out = table[columns].assign(origin=table["origin"].dt.strftime("%Y-%m"))
    out = out.merge(fixed, on=["origin", "horizon", "segment"], how="inner", validate="many_to_one")
    assert len(out) == len(table)
    path.parent.mkdir(parents=True, exist_ok=True)
    out.assign(seed=seed).to_parquet(path)
    return out.assign(seed=seed)


def deals(opportunities: int, seed: int, *, tag: str, every: int = 4) -> pd.DataFrame:
    """Return each open deal's chances at every n-th origin, those that two base rates give, and what happened.

    Columns: origin, horizon (1, 3, 6), p (won by its end), stage_rate, finer_rate (stage x age x month in the quarter),
    won. Both rates are those of the deals open at the month ends before the origin whose months ahead were over by
    then, shrunk by 5 deals to the overall rate (the finer one to the stage's).
    """
    path = CACHE / tag / f"deals-{opportunities}-{seed}.parquet"
    if path.exists():
        return pd.read_parquet(path)
    company = simulate(opportunities=opportunities, seed=seed)
    log = log_of(company)
    table = log.opportunities.set_index("opportunity_id")
    won_in = np.where(table["outcome"] == "won", _months(table["closed_on"]), 10**6)
    won_in = pd.Series(won_in, index=table.index)
    labels = origins_of(company)
    start = company.settings.start_period
    states = {month: _open(log, start, month) for month in range(6, FIRST + len(labels))}
    parts = []
    for place in range(0, len(labels), every):
        month = FIRST + place
        chances = forecast.win_probabilities(forecast.snapshot(log, as_of=labels[place]))
        now = states[month].join(chances.set_index("opportunity_id"), how="inner")
        for horizon in (1, 3, 6):
            past = pd.concat([states[m] for m in range(max(6, month - 36), month - horizon + 1)])
            happened = won_in.loc[past.index].to_numpy() <= start + past["month"].to_numpy() + horizon
            rates = _rates(past.assign(won=happened), now)
            truth = won_in.loc[now.index].to_numpy() <= start + month + horizon
            parts.append(
                pd.DataFrame(
                    {
                        "origin": labels[place],
                        "horizon": horizon,
                        "p": now[f"p_win_{horizon}"].to_numpy(),
                        "stage_rate": rates[0],
                        "finer_rate": rates[1],
                        "won": truth,
                    }
                )
            )
    out = pd.concat(parts, ignore_index=True).assign(seed=seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    out.to_parquet(path)
    return out


def _months(days: pd.Series) -> np.ndarray:
    return np.nan_to_num(days.dt.year * 12 + days.dt.month - 1, nan=0).astype(np.int64)


def _open(log: Log, start: int, month: int) -> pd.DataFrame:
    """Return stage, age group and month in the quarter of the next month of the deals open at a month end, by id."""
    period = start + month
    day = pd.Timestamp(year=period // 12, month=period % 12 + 1, day=1) + pd.offsets.MonthEnd(0)
    now = forecast.snapshot(log, as_of=day).opportunities
    now = now[now["outcome"] == "open"]
    age = (day - now["created_on"]).dt.days / 30.4375
    return pd.DataFrame(
        {
            "stage": now["stage"].to_numpy(),
            "age": np.searchsorted([1.0, 2.0, 3.0, 6.0, 12.0], age),
            "position": (period + 1) % 3,
            "month": month,
        },
        index=pd.Index(now["opportunity_id"]),
    )


def _rates(past: pd.DataFrame, now: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    overall = past["won"].mean()
    by_stage = past.groupby("stage")["won"].agg(["sum", "size"])
    stage = (by_stage["sum"] + PRIOR * overall) / (by_stage["size"] + PRIOR)
    rough = stage.reindex(now["stage"]).fillna(overall).to_numpy()
    cell = ["stage", "age", "position"]
    finer = past.groupby(cell)["won"].agg(["sum", "size"]).reindex(pd.MultiIndex.from_frame(now[cell]), fill_value=0)
    return rough, (finer["sum"].to_numpy() + PRIOR * rough) / (finer["size"].to_numpy() + PRIOR)
