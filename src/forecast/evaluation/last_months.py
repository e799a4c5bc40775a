"""The last months alone: is a figure of them as promised, whatever the months before them were like?

A change that began a few months ago is averaged away by the months before it: of twelve differences of which six are
new, the mean is half of the change, and their scatter holds the change as well. So the last months are asked about for
themselves, and the noise is taken about both means.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import stdtr

from forecast.errors import ParameterError
from forecast.evaluation.judgement import Estimate, of_test
from forecast.evaluation.scores.amounts import as_floats
from forecast.evaluation.scores.comparison import FEWEST, PairedTest, resemblance

LEAST_PART = 3
"""Fewest months of late, and of those before, for a test of the months of late."""


def mean_of_late(
    values: Any, *, promised: Any, late: Any, value: float, target: float, weight: float = 1.0
) -> Estimate:
    """Return the mean of the last months alone, held against what was promised of them; the others tell the noise.

    Simple case: differences d = values - promised of T months, the last m of which are late. Their mean has the
    variance s2 v(m), where months are as like their neighbours as `resemblance` of the rest says (rho, 0.5 at least):
    v(n) = (1 + 2 sum over k < n of (1 - k / n) rho^k) / n. s2 comes from both parts, each about its own mean, so that a
    change between them is no noise: sum of squares / (m (1 - v(m)) + (T - m) (1 - v(T - m))); then t with T - 2 degrees
    of freedom. Of months that correlate by .5 it is as large as stated, of months of their own it is careful.

    values, promised : (T,) in time order; months that are NaN in either are left out. late : (T,) bool, the last of
    them. value, target : what is shown of both. Too few below FEWEST months, or LEAST_PART of either part.
    """
    first, second = as_floats(values, "values").ravel(), as_floats(promised, "promised").ravel()
    is_late = np.asarray(late, dtype=bool).ravel()
    if not first.shape == second.shape == is_late.shape:
        raise ParameterError(f"values, promised and late have shapes {first.shape}, {second.shape}, {is_late.shape}")
    known = ~(np.isnan(first) | np.isnan(second))
    d, is_late = (first - second)[known], is_late[known]
    n, m, nan = len(d), int(is_late.sum()), float("nan")
    if n < FEWEST or min(m, n - m) < LEAST_PART:
        few = PairedTest(statistic=nan, df=0, p_value=nan, mean_difference=nan, n=min(n, FEWEST - 1))
        return of_test(few, value=value, promised=target, weight=weight)
    mean, rest = float(d[is_late].mean()), np.where(is_late, d - d[is_late].mean(), d - d[~is_late].mean())
    if (rest**2).sum() <= 1e-24 * max(1.0, float((d**2).sum())):
        p_value = 1.0 if np.allclose(d[is_late], 0) else 2.0 ** (1 - m)  # no noise at all: signs are counted
        test = PairedTest(statistic=nan, df=n - 2, p_value=p_value, mean_difference=mean, n=n)
        return of_test(test, value=value, promised=target, weight=weight)
    rho = resemblance(rest)
    freed = m * (1 - _variance_of_mean(m, rho)) + (n - m) * (1 - _variance_of_mean(n - m, rho))
    statistic = mean / float(np.sqrt((rest**2).sum() / freed * _variance_of_mean(m, rho)))
    p_value = float(2 * stdtr(n - 2, -abs(statistic)))
    test = PairedTest(statistic=statistic, df=n - 2, p_value=p_value, mean_difference=mean, n=n)
    return of_test(test, value=value, promised=target, weight=weight)


def _variance_of_mean(n: int, rho: float) -> float:
    """Return the variance of the mean of n months of variance 1 whose neighbours correlate by rho (AR(1))."""
    apart = np.arange(1, n)
    return float(1 + 2 * ((1 - apart / n) * rho**apart).sum()) / n
