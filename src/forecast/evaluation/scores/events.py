"""Scores of probabilities of events: Brier and its decomposition, log score, AUC, calibration.

`probability` in [0, 1] and `happened` in {0, 1}, both of shape (n,).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from forecast.errors import DataError, ParameterError
from forecast.evaluation.scores.amounts import Floats, paired

_CLIP = 1e-15


def _events(happened: Any, probability: Any) -> tuple[Floats, Floats]:
    y, p = paired(happened, probability)
    if ((p < 0) | (p > 1)).any():
        raise DataError("is outside 0 to 1", column="probability", rows=np.flatnonzero((p < 0) | (p > 1)).tolist())
    if not np.isin(y, (0, 1)).all():
        raise DataError("is neither 0 nor 1", column="happened", rows=np.flatnonzero(~np.isin(y, (0, 1))).tolist())
    return y, p


def brier(happened: Any, probability: Any) -> float:
    """Return mean (p - y)^2; [0, 1], lower is better, .25 for always saying one half (Brier 1950)."""
    y, p = _events(happened, probability)
    return float(np.mean((p - y) ** 2)) if len(y) else float("nan")


@dataclass(frozen=True)
class BrierParts:
    """brier = reliability - resolution + uncertainty + within.

    reliability: how far what happened is from what was said (0 is best); resolution: how far the groups differ from
    the base rate (more is better); uncertainty: base rate x (1 - base rate), no merit of the forecast;
    within: what grouping unequal probabilities hides (0 where all in a group are equal).
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
        return BrierParts(*(float("nan"),) * 5)
    group = np.minimum((p * bins).astype(np.int64), bins - 1)
    n = np.bincount(group, minlength=bins)
    used = n > 0
    said = np.bincount(group, p, bins)[used] / n[used]
    came = np.bincount(group, y, bins)[used] / n[used]
    share, rate = n[used] / len(y), y.mean()
    score = float(np.mean((p - y) ** 2))
    reliability = float(np.sum(share * (said - came) ** 2))
    resolution = float(np.sum(share * (came - rate) ** 2))
    uncertainty = float(rate * (1 - rate))
    return BrierParts(score, reliability, resolution, uncertainty, score - reliability + resolution - uncertainty)


def log_score(happened: Any, probability: Any) -> float:
    """Return -mean log of the probability given to what happened, natural log; [0, inf), lower is better.

    Probabilities are kept 1e-15 away from 0 and 1, so that one wrong certainty costs 34.5 and not everything
    (Good 1952).
    """
    y, p = _events(happened, probability)
    if not len(y):
        return float("nan")
    p = np.clip(p, _CLIP, 1 - _CLIP)
    return float(-np.mean(np.where(y == 1, np.log(p), np.log1p(-p))))


def auc(happened: Any, probability: Any) -> float:
    """Return the chance that one that happened was given more than one that did not, ties counting half.

    [0, 1], higher is better, .5 = no order at all; NaN where all or none happened. It says nothing about calibration
    (Hanley and McNeil 1982).
    """
    y, p = _events(happened, probability)
    events = int(y.sum())
    if events in (0, len(y)):
        return float("nan")
    _, inverse, counts = np.unique(p, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[y == 1].sum() - events * (events + 1) / 2) / (events * (len(y) - events)))


@dataclass(frozen=True)
class Calibration:
    """What `logit P(happened) = intercept + slope x logit(probability)` says of a set of probabilities.

    slope 1 and intercept 0 are best; slope < 1: the probabilities are too extreme. `in_the_large` is the intercept
    with the slope held at 1: > 0 means that more happened than was said. n = how many events.
    """

    intercept: float
    slope: float
    in_the_large: float
    n: int


def calibration(happened: Any, probability: Any) -> Calibration:
    """Fit the calibration line by maximum likelihood (Cox 1958; Van Calster et al. 2016). NaN where not identified.

    Not identified: all or none happened, all probabilities are one, or the two groups do not overlap.
    """
    y, p = _events(happened, probability)
    nan = float("nan")
    if not len(y) or y.min() == y.max():
        return Calibration(nan, nan, nan, len(y))
    x = np.log(np.clip(p, 1e-6, 1 - 1e-6)) - np.log1p(-np.clip(p, 1e-6, 1 - 1e-6))
    large = _newton(y, np.ones((len(y), 1)), x)
    overlap = x[y == 1].min() < x[y == 0].max() and x[y == 0].min() < x[y == 1].max()
    if np.ptp(x) == 0 or not overlap:
        return Calibration(nan, nan, float(large[0]), len(y))
    line = _newton(y, np.column_stack([np.ones_like(x), x]), np.zeros_like(x))
    return Calibration(float(line[0]), float(line[1]), float(large[0]), len(y))


def _newton(y: Floats, design: Floats, offset: Floats) -> Floats:
    """Return the maximum-likelihood coefficients of a logit; steps are halved until the likelihood rises."""

    def likelihood(beta: Floats) -> float:
        z = offset + design @ beta
        return float(np.sum(y * z - np.logaddexp(0, z)))

    beta = np.zeros(design.shape[1])
    best = likelihood(beta)
    for _ in range(100):
        mean = 1 / (1 + np.exp(-np.clip(offset + design @ beta, -500, 500)))
        gradient = design.T @ (y - mean)
        if np.abs(gradient).max() < 1e-10 * len(y):
            break
        weights = np.maximum(mean * (1 - mean), 1e-12)
        step = np.linalg.solve(design.T @ (design * weights[:, None]), gradient)
        while likelihood(beta + step) < best - 1e-12 * abs(best) and np.abs(step).max() > 1e-12:
            step = step / 2
        beta = beta + step
        best = likelihood(beta)
    return beta
