"""Scores of probabilities of events: Brier and its decomposition, log score, AUC, calibration.

`probability` in [0, 1] and `happened` in {0, 1}, both of shape (n,). The scores are scikit-learn's, the calibration
line is a statsmodels GLM and the interval of a share is statsmodels' too; what is ours are the edges: nothing to score,
one outcome alone, a certainty that was wrong. Both libraries are imported where they are used, so that whoever scores
no event does not wait for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import bdtr, bdtrik, expit, logit

from forecast.errors import DataError, ParameterError
from forecast.evaluation.scores.amounts import Floats, paired

SHARED_LUCK = 2.0
"""How much larger the variance of a day's wins is than that of deals with luck of their own: deals that close in the
same months share it, and one day cannot tell how much."""

_NORMAL95 = 1.959963984540054
_CLIP = 1e-15
_CLIP_LINE = 1e-6
"""How near to 0 and 1 a probability counts in the calibration line: at 0 itself its logit is infinite."""


def _events(happened: Any, probability: Any) -> tuple[Floats, Floats]:
    y, p = paired(happened, probability)
    if ((p < 0) | (p > 1)).any():
        raise DataError("is outside 0 to 1", column="probability", rows=np.flatnonzero((p < 0) | (p > 1)).tolist())
    if not np.isin(y, (0, 1)).all():
        raise DataError("is neither 0 nor 1", column="happened", rows=np.flatnonzero(~np.isin(y, (0, 1))).tolist())
    return y, p


def brier(happened: Any, probability: Any) -> float:
    """Return mean (p - y)^2; [0, 1], lower is better, .25 for one half every time (Brier 1950). NaN without events."""
    from sklearn.metrics import brier_score_loss

    y, p = _events(happened, probability)
    return float(brier_score_loss(y, p, labels=[0, 1])) if len(y) else float("nan")


@dataclass(frozen=True, kw_only=True)
class BrierParts:
    """brier = reliability - resolution + uncertainty + within.

    reliability: how far shares are from probabilities (0 is best); resolution: how far the groups differ from the base
    rate (more is better); uncertainty: base rate x (1 - base rate), no merit of the forecast; within: what grouping
    unequal probabilities hides (0 where all in a group are equal).
    """

    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within: float


def brier_decomposition(happened: Any, probability: Any, *, bins: int = 10) -> BrierParts:
    """Split the Brier score over groups of equal width (Murphy 1973; Stephenson et al. 2008 for `within`)."""
    if bins < 1:
        raise ParameterError(f"bins: {bins} is not 1 or more")
    y, p = _events(happened, probability)
    if not len(y):
        nan = float("nan")
        return BrierParts(brier=nan, reliability=nan, resolution=nan, uncertainty=nan, within=nan)
    group = np.minimum((p * bins).astype(np.int64), bins - 1)
    n = np.bincount(group, minlength=bins)
    used = n > 0
    forecast = np.bincount(group, p, bins)[used] / n[used]
    observed = np.bincount(group, y, bins)[used] / n[used]
    share, rate = n[used] / len(y), y.mean()
    score = brier(y, p)
    reliability = float(np.sum(share * (forecast - observed) ** 2))
    resolution = float(np.sum(share * (observed - rate) ** 2))
    uncertainty = float(rate * (1 - rate))
    return BrierParts(
        brier=score,
        reliability=reliability,
        resolution=resolution,
        uncertainty=uncertainty,
        within=score - reliability + resolution - uncertainty,
    )


def log_score(happened: Any, probability: Any) -> float:
    """Return -mean log of the probability given to what happened, natural log; [0, inf), lower is better.

    Probabilities are held 1e-15 away from 0 and 1, so that one wrong certainty costs 34.5 and not everything
    (Good 1952).
    """
    from sklearn.metrics import log_loss

    y, p = _events(happened, probability)
    return float(log_loss(y, np.clip(p, _CLIP, 1 - _CLIP), labels=[0, 1])) if len(y) else float("nan")


def auc(happened: Any, probability: Any) -> float:
    """Return the chance that one that happened was given more than one that did not, ties counting half.

    [0, 1], higher is better, .5 = no order at all; NaN where all or none happened. It says nothing about calibration
    (Hanley and McNeil 1982).
    """
    from sklearn.metrics import roc_auc_score

    y, p = _events(happened, probability)
    return float(roc_auc_score(y, p)) if 0 < y.sum() < len(y) else float("nan")


def share_interval(happened: int, n: int, *, nominal: float = 0.95) -> tuple[float, float]:
    """Return the interval of the true share of cases that happen, of which `happened` of `n` did (Wilson 1927).

    Both ends in [0, 1]; NaN where there is no case. It takes the cases for independent: of cases that share their luck
    it is too narrow. Raises ParameterError unless 0 <= happened <= n and 0 < nominal < 1.
    """
    from statsmodels.stats.proportion import proportion_confint

    if not 0 <= happened <= n:
        raise ParameterError(f"happened: {happened} is not from 0 to {n}")
    if not 0 < nominal < 1:
        raise ParameterError(f"nominal: {nominal} is not between 0 and 1")
    if not n:
        return float("nan"), float("nan")
    low, high = proportion_confint(happened, n, alpha=1 - nominal, method="wilson")
    return float(low), float(high)


def wins_interval(
    expected: float, spread: float, *, deals: int, low: float | None = None, high: float | None = None
) -> tuple[float, float]:
    """Return between what numbers the wins of one day's deals lie 95 % of the time if their chances are right.

    expected, spread : sums of p and of p (1 - p) over the deals. low, high : where `expected` is known to a 95 % range
    only, its ends. By the normal, with SHARED_LUCK times the variance, and what is not known of `expected` added in
    squares, side by side; within 0 and `deals`. By hand: 100 expected, spread 50, 97 to 104: luck is 1.96 * 10 = 19.6
    either way, so 100 - sqrt(19.6^2 + 3^2) = 80.2 to 100 + sqrt(19.6^2 + 4^2) = 120.0.
    """
    luck = _NORMAL95 * float(np.sqrt(SHARED_LUCK * spread))
    below = float(np.hypot(luck, 0.0 if low is None else expected - low))
    above = float(np.hypot(luck, 0.0 if high is None else high - expected))
    return max(expected - below, 0.0), min(expected + above, float(deals))


def wins_in_the_end(p: Any, low: Any, high: Any) -> tuple[float, float, float]:
    """Return how many deals are expected to be won in the end, and between what numbers it is 95 % of the time.

    p, low, high : (n,) each deal's chance, and its 95 % range. The range holds the luck of the deals as well.
    """
    chance = np.asarray(p, dtype=np.float64)
    ends = {"low": float(np.sum(low)), "high": float(np.sum(high))}
    expected = float(chance.sum())
    return (expected, *wins_interval(expected, float((chance * (1 - chance)).sum()), deals=len(chance), **ends))


def binomial_quantile(level: float, n: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return the smallest k with P(Binomial(n, p) <= k) >= level; what scipy.stats.binom.ppf gives, without its import.

    `bdtrik` solves for a k between whole numbers, and has no answer where 0 is it.
    """
    k = np.where(bdtr(0, n, p) >= level, 0.0, np.ceil(bdtrik(level, n, p)))
    below = np.maximum(k - 1, 0)
    return np.where(bdtr(below, n, p) >= level, below, k)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What `logit P(happened) = intercept + slope x logit(probability)` says of a set of probabilities.

    slope 1 and intercept 0 are best; slope < 1: the probabilities are too extreme. `in_the_large` is the intercept
    with the slope held at 1: > 0 means that more happened than was forecast. n = how many events.
    """

    intercept: float
    slope: float
    in_the_large: float
    n: int


def calibration(happened: Any, probability: Any) -> Calibration:
    """Fit the calibration line by maximum likelihood (Cox 1958; Van Calster et al. 2016). NaN where not identified.

    Not identified: all or none happened, all probabilities are one, or the two groups do not overlap.
    """
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM

    y, p = _events(happened, probability)
    nan = float("nan")
    if not len(y) or y.min() == y.max():
        return Calibration(intercept=nan, slope=nan, in_the_large=nan, n=len(y))
    x = logit(np.clip(p, _CLIP_LINE, 1 - _CLIP_LINE))
    # The intercept under a slope of 1 is where as many are expected as happened: one root of a rising function.
    large = float(brentq(lambda a: expit(x + a).sum() - y.sum(), -50 - x.max(), 50 - x.min(), xtol=1e-12))
    overlap = x[y == 1].min() < x[y == 0].max() and x[y == 0].min() < x[y == 1].max()
    if np.ptp(x) == 0 or not overlap:
        return Calibration(intercept=nan, slope=nan, in_the_large=large, n=len(y))
    line = GLM(y, np.column_stack([np.ones_like(x), x]), family=Binomial())
    intercept, slope = line.fit(tol_criterion="params", tol=1e-10).params
    return Calibration(intercept=float(intercept), slope=float(slope), in_the_large=large, n=len(y))
