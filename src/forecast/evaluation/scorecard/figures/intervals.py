"""95 % intervals of shares, ratios and quantiles, each with the units that it rests on.

Simple case: n people or deals, each on its own; then a share has Wilson's interval (`share`). Two complications. Deals
of one month share their luck, so that they tell less than so many separate ones: their number is divided by the design
effect of the months (`share_by`). And an amount over an amount, such as existing business over revenue, has neither a
whole number of cases nor one size of them: its units are months (`ratio`, `share_of_amounts`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import bdtr, stdtrit

from forecast.errors import ParameterError
from forecast.evaluation.scorecard.funnel.incidence import steadied
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


def ratio(over: Any, under: Any) -> Interval:
    """Return the interval of sum(over) / sum(under), the units being months, accounts or the like; (m,) each.

    r = sum y / sum x; its variance is m / (m - 1) sum (y - r x)^2 / (sum x)^2 (Cochran 1977, Sampling Techniques, 6.3),
    with Student's t of m - 1 degrees. NaN with fewer than two units, where nothing lies beneath, and where no unit
    differs, so that nothing is known of how they do.
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
    half = float(stdtrit(count - 1, 0.975)) * error
    return found - half, found + half


def share_of_amounts(happened: Any, amount: Any, unit: Any) -> Interval:
    """Return the interval of the share of an amount, such as of won value, that fell on the cases that happened.

    Simple case: amounts all alike in units such as months; then the variance of the ratio of their sums, as in `ratio`,
    and Wilson's interval of as many cases as would have it, so that the ends stay within 0 and 1. But a few large
    amounts make that variance, and it is too small wherever none of them came to the rarer side. So it is averaged with
    that of as many equal amounts as these come to (Kish 1965), as `steadied` does
    it, and the quantile is Student's t at the fewer of
    the two, units and equal amounts.

    happened : (n,) 0 or 1. amount : (n,), credits below 0; their sum above 0. unit : (n,) labels. NaN with fewer than
    two units, and where all or nothing happened and so nothing is known of how units differ.
    """
    cases, a = _cases(happened), as_floats(amount, "amount").ravel()
    labels, code = np.unique(np.asarray(unit), return_inverse=True)
    if not cases.shape == a.shape == code.shape:
        raise ParameterError(f"happened, amount and unit have shapes {cases.shape}, {a.shape} and {code.shape}")
    count, total = len(labels), float(a.sum())
    if count < FEWEST or total <= 0:
        return NONE
    y, x = np.bincount(code, a * cases, count), np.bincount(code, a, count)
    found = float(y.sum()) / total
    if not 0 < found < 1:
        return NONE
    seen = count / (count - 1) * float(np.sum((y - found * x) ** 2)) / total**2
    equal, squares = total**2 / float(a @ a), float(a @ a) ** 2 / float(np.sum(a**4))
    variance = steadied(seen, found, seen_in=min(float(count), squares), equal=equal)
    t = float(stdtrit(max(min(float(count), equal) - 1, 1.0), 0.975))
    return wilson(found, found * (1 - found) / variance, quantile=t)


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
