"""Are the odds honest: what was said of deals on past days, beside what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binom

from forecast.data.known.snapshot import Snapshot, snapshot
from forecast.data.schema import HORIZONS, Log
from forecast.errors import ParameterError
from forecast.models.win.probabilities import win_probabilities

CHANCE = 0.95


def deal_track(
    log: Log, *, as_of: str | pd.Timestamp, origins: Sequence[str], horizon: int = 3, seed: int = 0
) -> pd.DataFrame:
    """Return what was said of every deal open on past days, and whether it was won within `horizon` months.

    Parameters
    ----------
    log : the company's tables. as_of : the day from which outcomes are judged: nothing later is used.
    origins : past days (ISO); those whose `horizon` months have not all ended by `as_of` are left out.
    horizon : months, 1 to 6. seed : as `win_probabilities` takes it.

    Returns
    -------
    DataFrame with origin (date), opportunity_id, segment, stage, p (0 to 1), won (0.0 or 1.0); deals without a
    probability are left out.

    Raises
    ------
    ParameterError : horizon is out of range, or a day is no date.
    """
    if not 1 <= horizon <= HORIZONS:
        raise ParameterError(f"horizon: {horizon} is not a whole number from 1 to {HORIZONS}")
    now = snapshot(log, as_of=as_of)
    parts = [_judged(snapshot(log, as_of=day), now, horizon, seed) for day in origins if _over(log, day, now, horizon)]
    empty = {"origin": "datetime64[us]", "opportunity_id": "str", "segment": "str", "stage": "str"}
    if not parts:
        frame = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in empty.items()})
        return frame.assign(p=pd.Series(dtype="float64"), won=pd.Series(dtype="float64"))
    return pd.concat(parts, ignore_index=True)


def _over(log: Log, day: str, now: Snapshot, horizon: int) -> bool:
    calendar = log.company.periods
    return calendar.end(calendar.period(calendar.parse_day(day)) + horizon) <= now.as_of


def _judged(then: Snapshot, now: Snapshot, horizon: int, seed: int) -> pd.DataFrame:
    said = win_probabilities(then, seed=seed)[["opportunity_id", f"p_win_{horizon}"]]
    said = said.set_axis(["opportunity_id", "p"], axis=1).dropna(subset=["p"])
    then_known = then.opportunities.set_index("opportunity_id")[["segment", "stage"]]
    became = now.opportunities.set_index("opportunity_id")[["outcome", "closed_on"]]
    frame = said.join(then_known, on="opportunity_id").join(became, on="opportunity_id")
    end = then.calendar.end(then.period + horizon)
    frame["won"] = ((frame["outcome"] == "won") & (frame["closed_on"] <= end)).astype("float64")
    frame.insert(0, "origin", then.as_of)
    return frame[["origin", "opportunity_id", "segment", "stage", "p", "won"]]


def reliability(happened: Any, probability: Any, *, bins: int = 10) -> pd.DataFrame:
    """Return what was said against what happened, in bins that hold about as many deals each.

    Parameters
    ----------
    happened : (n,) 0 or 1. probability : (n,) 0 to 1. bins : at most so many; equal probabilities share a bin.

    Returns
    -------
    DataFrame with said (mean probability), happened (share), n (int64), band_low, band_high: between them the share
    would lie 95 % of the time if every probability of the bin were its mean (Bröcker and Smith 2007, consistency bars;
    exact binomial).

    Raises
    ------
    ParameterError : lengths differ, a probability is outside 0 to 1, or bins is below 1.
    """
    y, p = np.asarray(happened, dtype=np.float64), np.asarray(probability, dtype=np.float64)
    if y.shape != p.shape or y.ndim != 1:
        raise ParameterError(f"happened and probability differ in shape: {y.shape} and {p.shape}")
    if bins < 1:
        raise ParameterError(f"bins: {bins} is not 1 or more")
    if len(p) and not (p.min() >= 0 and p.max() <= 1):
        raise ParameterError("a probability is not between 0 and 1")
    columns = ["said", "happened", "n", "band_low", "band_high"]
    if not len(p):
        return pd.DataFrame({name: pd.Series(dtype="float64") for name in columns}).astype({"n": "int64"})
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]))
    code = np.searchsorted(edges, p, side="right")
    groups = pd.DataFrame({"said": p, "happened": y, "code": code}).groupby("code")
    out = groups[["said", "happened"]].mean().reset_index(drop=True)
    n = groups.size().to_numpy(dtype=np.int64)
    tail = (1 - CHANCE) / 2
    low, high = (binom.ppf(level, n, out["said"].to_numpy()) / n for level in (tail, 1 - tail))
    return out.assign(n=n, band_low=low, band_high=high)[columns]
