"""Is one forecast closer than another? On the same targets, with a paired test, and with many tests held to one level.

Simple case: two models forecast the same months; the one with the smaller sum of absolute errors is closer, and
`diebold_mariano` says whether that is more than luck. Two complications: a model can stand against people who spoke a
month earlier (`paired_targets` with a lag), and of twenty tests one is likely to claim something (`holm`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtr

from forecast.calendar import parse_periods
from forecast.errors import DataError, ParameterError
from forecast.evaluation.scores.amounts import as_floats, ratio
from forecast.evaluation.scores.scoring import TARGET

FEWEST = 8
"""Fewest target months for a test."""

LIKE, MOST_LIKE = 0.5, 0.9
"""Least and largest autocorrelation of neighbouring months that a test allows for: loss differences of months of real
series have .1 to .5, forecasts of several lead times together up to .8."""

FIGURES = ("n", "months", "wape_before", "wape", "added", "statistic", "df", "p_value", "agreeing")
"""What `compare` gives."""


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """statistic ~ t(df) if both are equally accurate; positive = the second is more accurate. p_value two-sided."""

    statistic: float
    df: int
    p_value: float
    mean_difference: float
    n: int


def diebold_mariano(first_loss: Any, second_loss: Any, *, alike: float | None = None) -> PairedTest:
    """Test whether two forecasts of the same targets are equally accurate; losses in time order, shape (T,).

    Simple case: months of their own. Then every ordinate of the periodogram of d = first - second estimates the
    variance of sqrt(T) mean(d), and the mean of the first m = floor(sqrt(T)) of them is a variance with 2m degrees of
    freedom: sqrt(T) mean(d) / sigma ~ t(2m) (Diebold and Mariano 1995; Daniell's estimator with fixed m: Coroneo and
    Iacone 2020, J. Appl. Econometrics 35).

    Complication: months resemble their neighbours, and of one or two years even the first ordinates lie far from the
    frequency 0 that counts, so the variance comes out too small and the test claims too much. They are therefore
    raised by what they would fall short of it if neighbours were as like each other as `resemblance` says: at least
    LIKE. Where months are their own the test is careful (size 1-3 %), where neighbours correlate up to .5 it is 4-5 %.

    alike : how like neighbours are taken to be, 0 to below 1, where that is known: 0 for days so far apart that no
    month counts twice; by default `resemblance` says.

    NaN where T < 8; where the losses never differ the statistic is NaN and the p-value 1.
    """
    first, second = as_floats(first_loss, "first_loss").ravel(), as_floats(second_loss, "second_loss").ravel()
    if first.shape != second.shape:
        raise ParameterError(f"{len(first)} losses against {len(second)}: a paired test needs the same targets")
    if np.isnan(first).any() or np.isnan(second).any():
        raise DataError("a loss is empty; leave the target out of both", column="first_loss, second_loss")
    if alike is not None and not 0 <= alike < 1:
        raise ParameterError(f"alike: {alike} is not between 0 and 1")
    difference = first - second
    size, nan = len(difference), float("nan")
    mean = float(difference.mean()) if size else nan
    if size < FEWEST:
        return PairedTest(statistic=nan, df=0, p_value=nan, mean_difference=mean, n=size)
    df = degrees_of_freedom(size)
    spectrum = np.abs(np.fft.rfft(difference - mean)[1 : df // 2 + 1]) ** 2 / size
    if spectrum.mean() <= 1e-24 * max(1.0, float(np.mean(difference**2))):
        same = 1.0 if np.allclose(difference, 0) else nan
        return PairedTest(statistic=nan, df=df, p_value=same, mean_difference=mean, n=size)
    rho = resemblance(difference) if alike is None else alike
    variance = float(spectrum.mean()) / _share_seen(size, df // 2, rho)
    statistic = float(np.sqrt(size) * mean / np.sqrt(variance))
    p_value = float(2 * stdtr(df, -abs(statistic)))
    return PairedTest(statistic=statistic, df=df, p_value=p_value, mean_difference=mean, n=size)


def degrees_of_freedom(months: int) -> int:
    """Return the degrees of freedom of `diebold_mariano` with so many months: twice the ordinates it takes."""
    return 2 * math.isqrt(int(months))


def resemblance(values: Any) -> float:
    """Return how like each other neighbours are taken to be, LIKE to MOST_LIKE; (T,), T above 3, not all the same.

    The autocorrelation r of neighbours is too small in short records by about (1 + 3 rho) / T (Kendall 1954,
    Biometrika 41), so (T r + 1) / (T - 3) stands for it. Of a year or two it says little, hence the least value.
    """
    y = as_floats(values, "values").ravel()
    y = y - y.mean()
    size, r = len(y), float(y[1:] @ y[:-1] / (y @ y))
    return min(max((size * r + 1) / (size - 3), LIKE), MOST_LIKE)


def _share_seen(size: int, ordinates: int, rho: float) -> float:
    """Return the mean of the first ordinates over that at frequency 0, where neighbours correlate by rho (AR(1))."""
    at = 2 * np.pi * np.arange(1, ordinates + 1) / size
    return float(((1 - rho) ** 2 / (1 - 2 * rho * np.cos(at) + rho**2)).mean())


def holm(p_values: Any) -> np.ndarray:
    """Return p-values adjusted so that among all of them a false claim is made with the chance each states; (n,).

    p_(i) -> max over j <= i of min(1, (m - j + 1) p_(j)), m = number of tests made (Holm 1979, Scand. J. Statistics 6).
    NaN, a test that could not be made, stays NaN and is not counted. Raises DataError outside [0, 1].
    """
    p = as_floats(p_values, "p_values").ravel()
    made = ~np.isnan(p)
    if ((p[made] < 0) | (p[made] > 1)).any():
        raise DataError("a p-value is not between 0 and 1", column="p_values")
    adjusted = np.full(len(p), np.nan)
    ascending = np.flatnonzero(made)[np.argsort(p[made])]
    # statsmodels says the same of them, but collects all of the program's garbage at each call.
    adjusted[ascending] = np.maximum.accumulate(np.arange(len(ascending), 0, -1) * p[ascending]).clip(max=1.0)
    return adjusted


def paired_targets(rows: pd.DataFrame, step: str, before: str, *, lag: int = 0) -> pd.DataFrame:
    """Return the targets of `step` that `before` forecast too, `lag` months earlier: both means and absolute errors.

    rows : scored rows of months. Returns the key, observed, mean and abs_error of the step, mean_before and
    abs_error_before. With a lag the last origin in the month `lag` months before the step's stands for that month.
    """
    values = ["mean", "abs_error"]
    now, then = (rows.loc[rows["model"] == name, [*TARGET, "observed", *values]] for name in (step, before))
    if lag == 0:
        return now.merge(then[[*TARGET, *values]], on=list(TARGET), suffixes=("", "_before"), validate="one_to_one")
    keys = ["made_in", "target_period", "segment"]
    now = now.assign(made_in=parse_periods(now["target_period"]) - now["horizon"].to_numpy() - lag)
    then = then.assign(made_in=parse_periods(then["target_period"]) - then["horizon"].to_numpy())
    last = then.sort_values("origin").drop_duplicates(keys, keep="last")
    both = now.merge(last[[*keys, *values]], on=keys, suffixes=("", "_before"), validate="many_to_one")
    return both.drop(columns="made_in")


def compare(pair: pd.DataFrame) -> dict[str, float]:
    """Return `FIGURES` of what `paired_targets` gave, at least one row: who was closer, by how much, beyond luck.

    n targets, months (target months among them), wape_before, wape, added = wape_before - wape; statistic, df and
    p_value of `diebold_mariano` on the absolute errors averaged by target month; and agreeing, how many of the months
    differ the way that `added` does (by hand: losses 3, 3, 3 before and 2, 2, 4, added > 0: two of three).
    """
    by_month = pair.assign(t=parse_periods(pair["target_period"])).groupby("t")[["abs_error_before", "abs_error"]]
    losses = by_month.mean()
    test = diebold_mariano(losses["abs_error_before"], losses["abs_error"])
    size = pair["observed"].abs().sum()
    wape_before, wape = ratio(pair["abs_error_before"].sum(), size), ratio(pair["abs_error"].sum(), size)
    way = np.sign(losses["abs_error_before"] - losses["abs_error"]) == np.sign(wape_before - wape)
    return {
        "n": len(pair),
        "months": len(losses),
        "wape_before": wape_before,
        "wape": wape,
        "added": wape_before - wape,
        "statistic": test.statistic,
        "df": test.df,
        "p_value": test.p_value,
        "agreeing": int(way.sum()),
    }
