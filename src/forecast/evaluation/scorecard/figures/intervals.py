"""95 % intervals of shares, ratios and quantiles, each with the units that it rests on.

Simple case: n people or deals, each on its own; then a share has Wilson's interval (`share`). Two complications. Deals
of one month share their luck, so that they tell less than so many separate ones: their number is divided by the design
effect of the months (`share_by`). And an amount over an amount, such as existing business over revenue, has neither a
whole number of cases nor one size of them: its units are months (`ratio`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import bdtr, stdtrit

from forecast.errors import ParameterError
from forecast.evaluation.scores.amounts import as_floats
from forecast.evaluation.scores.events import share_interval

FEWEST = 2
"""Fewest units, such as months, for an interval: of one nothing is known of how they differ."""

_NORMAL95 = 1.959963984540054

Interval = tuple[float, float]
NONE: Interval = (float("nan"), float("nan"))


def share(happened: Any) -> Interval:
    """Return the interval of the share of separate cases, (n,) 0 or 1 each (Wilson 1927); NaN where there is none.

    Of 45 in 60: .63 to .84. Raises ParameterError where a case is neither 0 nor 1.
    """
    cases = _cases(happened)
    return share_interval(round(cases.sum()), len(cases))


def share_by(happened: Any, unit: Any) -> Interval:
    """Return the interval of a share whose cases come in units, such as the deals of a month; NaN with one unit.

    Wilson's interval with the number of cases over the design effect in place of the number of cases. The design effect
    is the variance of the share among units over that of separate cases (Kish 1965), times the square of Student's t of
    units - 1 degrees over the normal, since few units tell it; never less than 1 (Korn and Graubard 1998, Survey
    Methodology 24).

    happened : (n,) 0 or 1. unit : (n,) labels.
    """
    cases = _cases(happened)
    code = np.unique(np.asarray(unit), return_inverse=True)[1]
    if code.shape != cases.shape:
        raise ParameterError(f"happened has shape {cases.shape} and unit {code.shape}; they must be the same")
    n, count = len(cases), int(code.max()) + 1 if len(code) else 0
    if count < FEWEST:
        return NONE
    part = float(cases.mean())
    rest = np.bincount(code, cases - part, count)
    alone = n * part * (1 - part)
    effect = count / (count - 1) * float(np.sum(rest**2)) / alone if alone > 0 else 1.0
    wider = (float(stdtrit(count - 1, 0.975)) / _NORMAL95) ** 2
    return wilson(part, n / max(1.0, effect * wider))


def wilson(part: float, n: float, *, quantile: float = _NORMAL95) -> Interval:
    """Return (p + q^2 / 2n +- q sqrt(p (1 - p) / n + q^2 / 4n^2)) / (1 + q^2 / n) of a share p of n cases.

    n : above 0, need not be whole. quantile : q, of the normal or of Student's t. Wilson 1927, J. Am. Stat. Assoc. 22.

    >>> low, high = wilson(0.75, 60)
    >>> round(low, 3), round(high, 3)
    (0.628, 0.842)
    """
    if not 0 <= part <= 1 or not n > 0:
        raise ParameterError(f"a share of {part} in {n} cases is none")
    square = quantile**2
    middle = part + square / (2 * n)
    half = quantile * float(np.sqrt(part * (1 - part) / n + square / (4 * n**2)))
    below, above = (middle - half) / (1 + square / n), (middle + half) / (1 + square / n)
    return max(0.0, below) if part > 0 else 0.0, min(1.0, above) if part < 1 else 1.0


def ratio(over: Any, under: Any, *, is_share: bool = False) -> Interval:
    """Return the interval of sum(over) / sum(under), the units being months, accounts or the like; (m,) each.

    r = sum y / sum x; its variance is m / (m - 1) sum (y - r x)^2 / (sum x)^2 (Cochran 1977, Sampling Techniques, 6.3),
    with Student's t of m - 1 degrees. NaN with fewer than two units, where nothing lies beneath, and where no unit
    differs, so that nothing is known of how they do. is_share : whether it is a share, y being a part of x: then
    Wilson's interval of as many cases as would have that variance, whose ends stay within 0 and 1.
    """
    y, x = as_floats(over, "over").ravel(), as_floats(under, "under").ravel()
    if y.shape != x.shape:
        raise ParameterError(f"over has shape {y.shape} and under {x.shape}; they must be the same")
    count, total = len(y), float(x.sum())
    if count < FEWEST or total <= 0:
        return NONE
    found = float(y.sum()) / total
    error = float(np.sqrt(count / (count - 1) * np.sum((y - found * x) ** 2))) / total
    if error <= 1e-12 * max(1.0, abs(found)):
        return NONE
    t = float(stdtrit(count - 1, 0.975))
    if is_share and 0 < found < 1:
        return wilson(found, found * (1 - found) / error**2, quantile=t)
    return found - t * error, found + t * error


def mean(values: Any) -> Interval:
    """Return the interval of the mean of separate values, (n,), by Student's t; NaN with fewer than two."""
    v = as_floats(values, "values").ravel()
    return ratio(v, np.ones(len(v)))


def quantile(values: Any, q: float) -> Interval:
    """Return the interval of the q-quantile of separate values, (n,): between two of them, whatever they are
    distributed like (Conover 1999, Practical Nonparametric Statistics, 3.2).

    The number of values below the true quantile is binomial (n, q): the ends are the r-th and the s-th smallest value
    with a chance of at most 2.5 % outside on each side. NaN where even the smallest or largest value is too near.
    """
    if not 0 < q < 1:
        raise ParameterError(f"q: {q} is not between 0 and 1")
    v = np.sort(as_floats(values, "values").ravel())
    n, nan = len(v), float("nan")
    if not n:
        return NONE
    below = bdtr(np.arange(n), n, q)  # P(at most k of n are below)
    rank = int(np.searchsorted(below, 0.025, side="right"))  # the largest r with P(fewer than r below) <= 2.5 %
    above = int(np.searchsorted(below, 0.975, side="left"))  # the smallest s with P(s or more below) <= 2.5 %
    return float(v[rank - 1]) if rank >= 1 else nan, float(v[above]) if above < n else nan


def _cases(happened: Any) -> np.ndarray:
    cases = as_floats(happened, "happened").ravel()
    if not np.isin(cases, (0, 1)).all():
        raise ParameterError("happened: a case is neither 0 nor 1")
    return cases
