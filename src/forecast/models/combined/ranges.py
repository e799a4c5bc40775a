"""Ranges of the combination: the shape of `pipeline`'s, about another mean, as wide as past errors ask for.

What is still to come is q - booked. Simple case: its quantiles are those of `pipeline`, times the ratio of the two
means. Then they are raised to a power about their median: above 1 they are wider, below 1 narrower; what is certain
(booked already, or nothing to come) stays certain, and nothing falls below what is booked. The power is learned: each
past outcome needed a certain power to lie just inside the 80 % range about the combination's mean of then, and another
for the 95 % range; the powers that would have held 80 and 95 of 100 past outcomes are averaged, and shrunk towards 1.
"""

from __future__ import annotations

import numpy as np

from forecast.data.schema import QUANTILES

LOW80, MEDIAN, HIGH80 = (QUANTILES.index(level) for level in (0.1, 0.5, 0.9))
_RANGES = ((LOW80, HIGH80, 0.8), (0, len(QUANTILES) - 1, 0.95))
PRIOR_MONTHS = 6.0
"""Months that say the ranges are as wide as they should be, beside those seen."""
_NARROWEST, _WIDEST = 0.3, 2.5


def moved(quantiles: np.ndarray, *, mean: np.ndarray, booked: np.ndarray, to: np.ndarray) -> np.ndarray:
    """Return quantiles about another mean: what is to come is multiplied, (..., 7).

    quantiles : (..., 7). mean, booked, to : (...), the mean they belong to, what is booked, and the other mean. Where
    nothing is to come by the first mean but something by the other, its law is taken to be exponential.
    """
    ahead, other = mean - booked, np.maximum(to - booked, 0.0)
    some = ahead > 1e-9 * np.maximum(np.abs(mean), 1.0)
    ratio = np.where(some, other / np.where(some, ahead, 1.0), 1.0)
    come = np.maximum(quantiles - booked[..., None], 0.0) * ratio[..., None]
    exponential = other[..., None] * -np.log1p(-np.array(QUANTILES))
    return booked[..., None] + np.where(some[..., None], come, exponential)


def widened(quantiles: np.ndarray, *, booked: np.ndarray, power: np.ndarray) -> np.ndarray:
    """Return quantiles with what is to come raised to a power about its median, (..., 7); power : (...).

    >>> widened(np.array([1.0, 2, 3, 4, 5, 8, 16]), booked=np.array(0.0), power=np.array(2.0)).tolist()
    [0.25, 1.0, 2.25, 4.0, 6.25, 16.0, 64.0]
    """
    come = np.maximum(quantiles - booked[..., None], 0.0)
    middle = come[..., MEDIAN : MEDIAN + 1]
    # Where the median is that nothing comes, there is nothing to raise about: the upper quantiles are multiplied.
    about = np.where(middle > 0, middle, 1.0)
    raised = np.where(middle > 0, about * (come / about) ** power[..., None], come * np.maximum(power[..., None], 1.0))
    return booked[..., None] + raised


def power_needed(
    actual: np.ndarray, quantiles: np.ndarray, *, booked: np.ndarray, months: np.ndarray, weight: np.ndarray
) -> float:
    """Return the power under which ranges would have held as often as they say, shrunk towards 1.

    actual, booked, weight : (n,); outcomes that are nan do not count. quantiles : (n, 7), about the combination's mean.
    months : (n,) the target periods, of which as many count as there are different ones.
    """
    known = np.isfinite(actual) & np.isfinite(quantiles).all(axis=1) & (weight > 0)
    seen = len(np.unique(months[known]))
    if not seen:
        return 1.0
    come = np.maximum(actual[known] - booked[known], 0.0)
    ahead = np.maximum(quantiles[known] - booked[known, None], 0.0)
    found = []
    for low, high, share in _RANGES:
        needed = _needed(come, ahead[:, low], ahead[:, MEDIAN], ahead[:, high])
        found.append(float(np.log(np.clip(_quantile(needed, weight[known], share), _NARROWEST, _WIDEST))))
    return float(np.exp(np.mean(found) * seen / (seen + PRIOR_MONTHS)))


def _needed(come: np.ndarray, low: np.ndarray, middle: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the power at which each outcome lies on the end of its range, (n,); 0 inside any, inf outside all."""
    small = 1e-12

    def ratio(far: np.ndarray, end: np.ndarray) -> np.ndarray:
        beyond = np.log(np.maximum(far, small) / np.maximum(middle, small))
        reach = np.log(np.maximum(end, small) / np.maximum(middle, small))
        inside = np.abs(beyond) <= 1e-12
        possible = np.abs(reach) > 1e-12
        return np.where(inside, 0.0, np.where(possible, beyond / np.where(possible, reach, 1.0), np.inf))

    return np.where(come >= middle, ratio(come, high), ratio(come, low))


def _quantile(values: np.ndarray, weight: np.ndarray, level: float) -> float:
    """Return the least value that with those below it has `level` of the weight."""
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weight[order]) / weight.sum()
    return float(values[order][min(int(np.searchsorted(share, level - 1e-12)), len(order) - 1)])
