"""How much of a difference between people is theirs: each figure drawn towards the mean of all, the more the noisier.

Simple case: two people, one measured well, one badly. The badly measured figure is mostly luck, so it says little, and
the mean of both says more of that person than the figure itself. How far it goes to the mean follows from how far the
figures lie apart beyond their errors (`partial_pooling`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from forecast.errors import DataError, ParameterError
from forecast.evaluation.scores.amounts import Floats, as_floats

_STEPS = 200


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """mean : of all, weighted. spread : the standard deviation of what is really there between them, 0 where the
    figures lie no further apart than their errors alone make them. shrunk : (n,), each figure drawn to the mean."""

    mean: float
    spread: float
    shrunk: Floats


def partial_pooling(values: Any, errors: Any) -> Pooled:
    """Return figures drawn towards their mean, by the normal-normal model with its spread learned from the figures.

        figure_j ~ N(true_j, error_j^2),  true_j ~ N(mean, spread^2)
        shrunk_j = mean + spread^2 / (spread^2 + error_j^2) (figure_j - mean)

    mean : weighted by 1 / (spread^2 + error_j^2). spread^2 solves sum (figure_j - mean)^2 / (spread^2 + error_j^2)
    = n - 1, and is 0 where the sum is smaller already at 0 (Paule and Mandel 1982; the iteration of DerSimonian and
    Kacker 2007, Contemporary Clinical Trials 28). With equal errors the shrinkage is that of Efron and Morris (1975,
    JASA 70), but for n - 1 where they have n - 3.

    values : (n,) figures. errors : (n,) their standard errors, above 0; NaN where there is none: such a figure counts
    for nothing in the mean and is drawn to it whole. NaN figures stay NaN. A single figure has no other to be drawn to.

    What it assumes: beforehand nobody is known to be different from the others; the errors are normal, known and one
    figure's own. People who forecast the same months share their luck, which makes them look more alike than they are.

    Raises ParameterError where the shapes differ, DataError where an error is not above 0.

    >>> found = partial_pooling([0.2, 0.0], [0.1, 0.1])
    >>> found.shrunk.round(2).tolist()
    [0.15, 0.05]
    """
    y, s = as_floats(values, "values").ravel(), as_floats(errors, "errors").ravel()
    if y.shape != s.shape:
        raise ParameterError(f"{len(y)} figures and {len(s)} errors: each figure needs its own")
    if (s <= 0).any() or np.isinf(s).any():
        raise DataError("a standard error is not above 0 and finite", column="errors", mend="leave it empty")
    known = ~(np.isnan(y) | np.isnan(s))
    if not known.any():
        nan = float("nan")
        return Pooled(mean=nan, spread=nan, shrunk=np.full(len(y), nan))
    variance = _spread_squared(y[known], s[known] ** 2)
    mean = _mean(y[known], s[known] ** 2 + variance)
    kept = np.where(known, variance / (variance + np.where(known, s, 1.0) ** 2), 0.0)
    shrunk = np.where(np.isnan(y), np.nan, mean + kept * (np.nan_to_num(y) - mean))
    return Pooled(mean=mean, spread=float(np.sqrt(variance)), shrunk=shrunk)


def _mean(y: Floats, variance: Floats) -> float:
    return float(np.sum(y / variance) / np.sum(1 / variance))


def _spread_squared(y: Floats, error_squared: Floats) -> float:
    """Return the variance between the true figures, by Newton's steps from 0, which never pass the solution."""
    found = 0.0
    for _ in range(_STEPS):
        weight = 1 / (error_squared + found)
        off = (y - _mean(y, error_squared + found)) ** 2
        excess = float(np.sum(weight * off)) - (len(y) - 1)
        if excess <= 1e-12 * len(y):
            break
        found += excess / float(np.sum(weight**2 * off))
    return found
