"""Shares of people, held against a figure or against each other: do more of them reach it than chance brings?

Simple case: different people, each with their own luck. Two complications: most people are in both years, and one
market moves all of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

from forecast.evaluation.judgement import Estimate, binomial_p
from forecast.evaluation.scores.amounts import as_floats
from forecast.evaluation.scores.comparison import FEWEST
from forecast.evaluation.scores.events import share_interval

_NORMAL95 = 1.959963984540054


def of_share(happened: Any, *, promised: float) -> Estimate:
    """Return a share of people, held against a share, by the exact binomial test; (n,) 0 or 1."""
    h = as_floats(happened, "happened").ravel()
    n, nan = len(h), float("nan")
    facts: dict[str, Any] = {"promised": promised, "n": n, "unit": "person", "fewest": FEWEST}
    if n < FEWEST:
        return Estimate(**facts, value=float(h.mean()) if n else nan, low=nan, high=nan, p_value=nan)
    low, high = share_interval(round(h.sum()), n)
    return Estimate(**facts, value=float(h.mean()), low=low, high=high, p_value=binomial_p(round(h.sum()), n, promised))


def of_shares(now: Any, before: Any) -> Estimate:
    """Return a share of people, held against another share, by the two-sample test of shares; (n,), (m,) 0 or 1.

    Simple case: different people; pooled variance, so about normal from some ten on (FEWEST on each side). Of two
    Series the index names the people: the k who are in both resemble themselves, which is taken off the variance as
    2 k cov / (n m), cov their mean product of deviations from the pooled share (Derrick et al. 2015).
    """
    first, second = as_floats(now, "now").ravel(), as_floats(before, "before").ravel()
    n, nan = min(len(first), len(second)), float("nan")
    facts: dict[str, Any] = {"n": n, "unit": "person", "fewest": FEWEST}
    if n < FEWEST:
        value, promised = (float(part.mean()) if len(part) else nan for part in (first, second))
        return Estimate(**facts, value=value, promised=promised, low=nan, high=nan, p_value=nan)
    pooled = float(np.concatenate([first, second]).mean())
    variance = pooled * (1 - pooled) * (1 / len(first) + 1 / len(second))
    if isinstance(now, pd.Series) and isinstance(before, pd.Series):
        both = pd.concat([now, before], axis=1, join="inner").to_numpy(dtype=np.float64) - pooled
        variance -= 2 * float((both[:, 0] * both[:, 1]).sum()) / (len(first) * len(second))
    error = float(np.sqrt(max(variance, 0.0)))
    value, promised = float(first.mean()), float(second.mean())
    p_value = float(2 * ndtr(-abs(value - promised) / error)) if error > 0 else 1.0
    half = _NORMAL95 * error
    return Estimate(**facts, value=value, promised=promised, low=value - half, high=value + half, p_value=p_value)


def with_shared_luck(alone: Estimate, by_month: Estimate) -> Estimate:
    """Return an estimate that holds both as if each unit had its own luck and as if all units of a month shared theirs.

    Simple case: reps of one company sell into one market, so a good year lifts many of them over their quotas at once;
    counted as separate people they would tell of a change too often. The larger p-value of both counts, and the wider
    interval; where either test could not be made, there is none, and n, unit and fewest are of that one.

    >>> from forecast.evaluation.judgement import mean_of
    >>> alone = of_shares([1] * 60 + [0] * 40, [1] * 40 + [0] * 60)
    >>> months = mean_of([0.7, 0.2, 0.6, 0.3, 0.7, 0.2, 0.5, 0.4], promised=0.4, value=0.6, target=0.4)
    >>> round(alone.p_value, 3), round(with_shared_luck(alone, months).p_value, 2)
    (0.005, 0.49)
    """
    if np.isnan(alone.p_value) or np.isnan(by_month.p_value):
        few = alone if np.isnan(alone.p_value) else by_month
        nan = float("nan")
        return replace(alone, p_value=nan, low=nan, high=nan, n=few.n, unit=few.unit, fewest=few.fewest)
    half = float(np.nanmax([part.high - part.low for part in (alone, by_month)])) / 2
    p_value = max(alone.p_value, by_month.p_value)
    return replace(alone, p_value=p_value, low=alone.value - half, high=alone.value + half)
