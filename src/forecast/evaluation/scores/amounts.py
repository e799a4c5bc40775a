"""Scores of forecasts of amounts: arrays in, numbers out. First of points, then of distributions given by quantiles.

`error = predicted - observed` everywhere, so a positive bias is an over-forecast. Money keeps its unit; the ratios have
none. A denominator of zero gives NaN, never infinity: a ratio to nothing says nothing. Arrays of quantiles have the
levels on the last axis: shape (..., K), with observed of shape (...). Formulas, ranges and references are collected in
docs/methods/scores.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.data.schema import QUANTILES
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


# -- points ---------------------------------------------------------------------------------------------


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


def naive_scale(history: Any, *, season: int = 12) -> float:
    """Return mean |y_t - y_(t-season)| over a history, the denominator of MASE; shape (T,), NaN where T <= season.

    Months that are missing are left out of the mean.
    """
    if season < 1:
        raise ParameterError(f"season: {season} is not 1 or more")
    y = as_floats(history, "history").ravel()
    if len(y) <= season:
        return float("nan")
    steps = np.abs(y[season:] - y[:-season])
    return float(np.nanmean(steps)) if np.isfinite(steps).any() else float("nan")


def mase(observed: Any, predicted: Any, history: Any, *, season: int = 12) -> float:
    """Return the mean absolute scaled error; [0, inf), lower is better, 1 = as good as seasonal naive in the history.

    `history` is the data up to the origin, and nothing later (Hyndman and Koehler 2006, Int. J. Forecasting 22).
    """
    return ratio(mae(observed, predicted), naive_scale(history, season=season))


def skill(score: float, baseline: float) -> float:
    """Return 1 - score / baseline of a score that is lower the better; (-inf, 1], above 0 beats the baseline.

    Both must have been computed on the same targets. NaN where the baseline is perfect.
    """
    return 1.0 - ratio(score, baseline)


# -- distributions given by quantiles ----------------------------------------------------------------------


def check_levels(levels: Any) -> Floats:
    """Return quantile levels as an array; ParameterError unless they increase strictly within (0, 1)."""
    taus = as_floats(levels, "levels").ravel()
    if not len(taus) or taus[0] <= 0 or taus[-1] >= 1 or (np.diff(taus) <= 0).any():
        raise ParameterError(f"levels must increase strictly between 0 and 1, not {taus.tolist()}")
    return taus


def _both(observed: Any, quantiles: Any, levels: Any) -> tuple[Floats, Floats, Floats]:
    y, q, taus = as_floats(observed, "observed"), as_floats(quantiles, "quantiles"), check_levels(levels)
    if q.shape != (*y.shape, len(taus)):
        raise ParameterError(f"quantiles have shape {q.shape}; {(*y.shape, len(taus))} is wanted: one column a level")
    return y, q, taus


def pinball(observed: Any, quantile: Any, *, level: float) -> Floats:
    """Return the quantile loss max(level (y - q), (level - 1)(y - q)) of each forecast, without the factor 2.

    Unit of the observed; [0, inf), lower is better; its expectation is least at the true quantile
    (Koenker and Bassett 1978; Gneiting and Raftery 2007, section 6).
    """
    tau = check_levels([level])[0]
    gap = as_floats(observed, "observed") - as_floats(quantile, "quantile")
    return np.maximum(tau * gap, (tau - 1) * gap)


def crps_weights(levels: Any = QUANTILES) -> Floats:
    """Return the width of (0, 1) for which each level stands: from midpoint to midpoint, ending at 0 and 1."""
    taus = check_levels(levels)
    edges = np.concatenate([[0.0], (taus[1:] + taus[:-1]) / 2, [1.0]])
    return np.diff(edges)


def crps_from_quantiles(observed: Any, quantiles: Any, *, levels: Any = QUANTILES) -> Floats:
    """Return 2 sum_k w_k pinball_k, the continuous ranked probability score integrated over the levels given.

    CRPS = 2 * integral of the pinball loss over (0, 1); `w` = `crps_weights`. A forecast that is one point scores
    |y - point|. Unit of the observed; [0, inf), lower is better (Gneiting and Ranjan 2011, eq. 17). With the seven
    levels of the forecast table a normal forecast scores 3 % less than with the integral in closed form, so compare
    it with figures made from the same levels only.
    """
    y, q, taus = _both(observed, quantiles, levels)
    gap = y[..., None] - q
    losses = np.maximum(taus * gap, (taus - 1) * gap)
    return 2 * (losses @ crps_weights(taus))


def mean_pinball(observed: Any, quantiles: Any, *, levels: Any = QUANTILES) -> Floats:
    """Return the plain mean of the pinball losses over the levels; unit of the observed, lower is better."""
    y, q, taus = _both(observed, quantiles, levels)
    gap = y[..., None] - q
    return np.maximum(taus * gap, (taus - 1) * gap).mean(axis=-1)


def interval_coverage(observed: Any, lower: Any, upper: Any) -> Floats:
    """Return 1 where lower <= observed <= upper, 0 where not, NaN where any is missing. Its mean is the coverage."""
    y, low, high = as_floats(observed, "observed"), as_floats(lower, "lower"), as_floats(upper, "upper")
    inside = ((y >= low) & (y <= high)).astype(np.float64)
    return np.where(np.isnan(y) | np.isnan(low) | np.isnan(high), np.nan, inside)


def interval_score(observed: Any, lower: Any, upper: Any, *, nominal: float) -> Floats:
    """Return (u - l) + 2/a (l - y)+ + 2/a (y - u)+, a = 1 - nominal: the width, and a fine for each miss.

    Unit of the observed; [0, inf), lower is better (Winkler 1972; Gneiting and Raftery 2007, eq. 43).
    """
    if not 0 < nominal < 1:
        raise ParameterError(f"nominal: {nominal} is not between 0 and 1")
    y, low, high = as_floats(observed, "observed"), as_floats(lower, "lower"), as_floats(upper, "upper")
    fine = 2 / (1 - nominal)
    return (high - low) + fine * np.maximum(low - y, 0) + fine * np.maximum(y - high, 0)


def pit_from_quantiles(observed: Any, quantiles: Any, *, levels: Any = QUANTILES) -> Floats:
    """Return where the observed fell in the forecast distribution, 0 to 1; uniform if the forecast is honest.

    Between two quantiles the distribution function is a straight line. Beyond the outer quantiles nothing is known
    but the side: half the outer probability is given. Where the observed sits on a point mass (several quantiles are
    equal to it) the middle of the levels it spans (Dawid 1984; Czado, Gneiting and Held 2009 for the middle).
    """
    y, q, taus = _both(observed, quantiles, levels)
    below, upto = (q < y[..., None]).sum(axis=-1), (q <= y[..., None]).sum(axis=-1)
    last = len(taus) - 1
    left = np.clip(below - 1, 0, last)
    right = np.clip(below, 0, last)
    q_left = np.take_along_axis(q, left[..., None], axis=-1)[..., 0]
    q_right = np.take_along_axis(q, right[..., None], axis=-1)[..., 0]
    span = np.where(q_right > q_left, q_right - q_left, 1.0)
    line = taus[left] + (taus[right] - taus[left]) * np.clip((y - q_left) / span, 0, 1)
    mass_low = taus[np.clip(below, 0, last)]
    mass_high = taus[np.clip(upto - 1, 0, last)]
    out = np.where(upto > below, (mass_low + mass_high) / 2, line)
    out = np.where(upto == 0, taus[0] / 2, out)
    out = np.where(below == len(taus), (1 + taus[-1]) / 2, out)
    return np.where(np.isnan(y) | np.isnan(q).any(axis=-1), np.nan, out)
