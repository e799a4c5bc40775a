"""Scores of point forecasts: arrays in, one number out.

`error = predicted - observed` everywhere, so a positive bias is an over-forecast. Money keeps its unit; the ratios have
none. A denominator of zero gives NaN, never infinity: a ratio to nothing says nothing. Formulas, ranges and
references are collected in docs/methods/scores.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.errors import DataError, ParameterError

Floats = NDArray[np.float64]


def as_floats(values: Any, name: str) -> Floats:
    """Return `values` as a float array; text or anything else that is no number raises DataError naming it."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError("holds something that is not a number", column=name, mend="give numbers only") from error


def paired(observed: Any, predicted: Any) -> tuple[Floats, Floats]:
    """Return two float arrays of one shape without the pairs in which either is missing; shapes (n,)."""
    left, right = as_floats(observed, "observed"), as_floats(predicted, "predicted")
    if left.shape != right.shape:
        raise ParameterError(f"observed has shape {left.shape} and predicted {right.shape}; they must be the same")
    left, right = left.ravel(), right.ravel()
    known = ~(np.isnan(left) | np.isnan(right))
    return left[known], right[known]


def ratio(numerator: Any, denominator: Any) -> Any:
    """Divide; NaN where the denominator is zero or missing. Works on numbers and arrays."""
    top, bottom = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    out = np.full(np.broadcast_shapes(top.shape, bottom.shape), np.nan)
    np.divide(top, bottom, out=out, where=np.broadcast_to((bottom != 0) & ~np.isnan(bottom), out.shape))
    return float(out) if out.ndim == 0 else out


def wape(observed: Any, predicted: Any) -> float:
    """Return the pooled weighted absolute percentage error, sum|e| / sum|observed|; range [0, inf), lower is better.

    It is the absolute error of all the forecasts together as a share of all the money together, so that a small
    segment's bad month weighs what it cost (Kolassa and Schütz 2007, Foresight 6).
    """
    y, f = paired(observed, predicted)
    return ratio(np.abs(f - y).sum(), np.abs(y).sum())


def bias(observed: Any, predicted: Any) -> float:
    """Return sum e / sum observed; (-inf, inf), 0 is best, positive means over-forecast."""
    y, f = paired(observed, predicted)
    return ratio((f - y).sum(), y.sum())


def mae(observed: Any, predicted: Any) -> float:
    """Return the mean absolute error, in the unit of the observed; [0, inf), lower is better."""
    y, f = paired(observed, predicted)
    return float(np.abs(f - y).mean()) if len(y) else float("nan")


def smape(observed: Any, predicted: Any) -> float:
    """Return the mean of 2|e| / (|observed| + |predicted|); [0, 2], lower is better.

    A pair of zeros is a perfect forecast and counts 0. Here for comparison with published tables only: it punishes
    under-forecasts more than over-forecasts (Makridakis 1993, Int. J. Forecasting 9; M4 prints it times 100).
    """
    y, f = paired(observed, predicted)
    if not len(y):
        return float("nan")
    size = np.abs(y) + np.abs(f)
    return float(np.where(size > 0, 2 * np.abs(f - y) / np.where(size > 0, size, 1), 0.0).mean())


def naive_scale(history: Any, *, season: int = 12, power: int = 1) -> float:
    """Return mean |y_t - y_(t-season)|^power over a history; shape (T,), NaN where T <= season.

    `power` 1 is the denominator of MASE, 2 that of RMSSE. Months that are missing are left out of the mean.
    """
    if season < 1:
        raise ParameterError(f"season: {season} is not 1 or more")
    y = as_floats(history, "history").ravel()
    if len(y) <= season:
        return float("nan")
    steps = np.abs(y[season:] - y[:-season]) ** power
    return float(np.nanmean(steps)) if np.isfinite(steps).any() else float("nan")


def mase(observed: Any, predicted: Any, history: Any, *, season: int = 12) -> float:
    """Return the mean absolute scaled error; [0, inf), lower is better, 1 = as good as seasonal naive in the history.

    `history` is the data up to the origin, and nothing later (Hyndman and Koehler 2006, Int. J. Forecasting 22).
    """
    return ratio(mae(observed, predicted), naive_scale(history, season=season))


def rmsse(observed: Any, predicted: Any, history: Any, *, season: int = 12) -> float:
    """Return the root mean squared scaled error; [0, inf), lower is better (M5, Makridakis et al. 2022)."""
    y, f = paired(observed, predicted)
    if not len(y):
        return float("nan")
    return float(np.sqrt(ratio(np.mean((f - y) ** 2), naive_scale(history, season=season, power=2))))


def relative_error(errors: Any, benchmark_errors: Any) -> float:
    """Return sum|e| / sum|e of the benchmark| over the pairs where both are known; [0, inf), below 1 is better."""
    e, b = paired(errors, benchmark_errors)
    return ratio(np.abs(e).sum(), np.abs(b).sum())


def skill(score: float, baseline: float) -> float:
    """Return 1 - score / baseline of a score that is lower the better; (-inf, 1], above 0 beats the baseline.

    Both must have been computed on the same targets. NaN where the baseline is perfect.
    """
    return 1.0 - ratio(score, baseline)
