"""Theta and flat smoothing of many seasonally adjusted series, from every origin in one pass; and their median.

Theta (Assimakopoulos & Nikolopoulos, *Int. J. Forecasting* 16, 2000, 521-530) is simple exponential smoothing with a
drift of half the slope of the straight line through the series (Hyndman & Billah, *Int. J. Forecasting* 19, 2003,
287-290). After n months, the level started at the first:

    l_1 = x_1,    l_t = l_{t-1} + alpha (x_t - l_{t-1}),    flat_h = l_n
    theta_h = l_n + b/2 (h - 1 + (1 - (1 - alpha)^n) / alpha),    b = the slope of x by least squares

with x = z - season, and the season put back. alpha is that of a grid with the least sum of squared one-step errors. All
that an origin uses, season, slope, alpha and level, is made from the months up to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecast.models.baselines.ets import PERIOD

ALPHAS = tuple(k / 20 for k in range(1, 20))
"""Smoothing constants tried: .05 to .95."""


@dataclass(frozen=True, kw_only=True)
class ThetaPath:
    """Forecasts on the scale of z; nan where a series has no data yet.

    theta, flat : (series, origins, ahead), with half the drift and without. alpha, slope : (series, origins), the
    smoothing constant chosen, and the slope a month of the straight line.
    """

    theta: np.ndarray
    flat: np.ndarray
    alpha: np.ndarray
    slope: np.ndarray


def theta_path(
    z: np.ndarray,
    *,
    origins: np.ndarray,
    ahead: int,
    season: np.ndarray | None = None,
    first_month: int = 0,
    alphas: Sequence[float] = ALPHAS,
) -> ThetaPath:
    """Forecast every series from every origin.

    Parameters
    ----------
    z : (series, months), logs as a rule; leading nan = the series did not exist yet; no nan after that.
    origins : (O,), positions of the last month seen by each. ahead : months to forecast.
    season : (series, O, PERIOD) by month of year, in the units of z, as each origin knows it; none by default.
    first_month : month of year of z's first column, 0 to 11.
    alphas : smoothing constants to choose from, above 0 and at most 1; of equals the first is taken.
    """
    origins, tried = np.asarray(origins), np.asarray(alphas, dtype=np.float64)
    rows, start = np.arange(len(z)), np.isnan(z).sum(axis=1)
    lengths = origins[None, :] - start[:, None] + 1
    by_month = np.zeros((len(z), len(origins), PERIOD)) if season is None else season
    last = z.shape[1] - 1
    first = np.minimum(start, last)
    opening = z[rows, first, None] - by_month[rows, :, (first_month + first) % PERIOD]  # (S, O)
    level = np.repeat(opening[:, :, None], len(tried), axis=2)
    squares = np.zeros_like(level)
    tilt = np.zeros_like(opening)
    for t in range(int(origins.max(initial=-1)) + 1):
        x = z[:, t, None] - by_month[:, :, (first_month + t) % PERIOD]
        seen = (t > start)[:, None] & (t <= origins)[None, :]
        error = np.where(seen[:, :, None], x[:, :, None] - level, 0.0)
        squares += error**2
        level += tried * error
        place = (t - start)[:, None] - (lengths - 1) / 2
        tilt += np.where(seen, place * (x - opening), 0.0)
    best = squares.argmin(axis=2)
    reached = np.take_along_axis(level, best[:, :, None], axis=2)[:, :, 0]
    alive = lengths >= 1
    n = np.maximum(lengths, 1)
    slope = np.where(alive, tilt / np.where(n > 1, n * (n**2 - 1.0) / 12, 1.0), np.nan)
    alpha = np.where(alive, tried[best], np.nan)
    months = (first_month + origins[:, None] + 1 + np.arange(ahead)) % PERIOD
    flat = np.where(alive, reached, np.nan)[:, :, None] + np.take_along_axis(by_month, months[None], axis=2)
    drift = np.arange(ahead) + ((1 - (1 - alpha) ** n) / alpha)[:, :, None]
    return ThetaPath(theta=flat + 0.5 * slope[:, :, None] * drift, flat=flat, alpha=alpha, slope=slope)


def pooled(
    z: np.ndarray, location: np.ndarray, *, origins: np.ndarray, season: np.ndarray, first_month: int = 0
) -> np.ndarray:
    """Return the median of a forecast, Theta and flat smoothing by month, (series, O, ahead), on the scale of z.

    Parameters
    ----------
    location : (series, O, ahead), the forecast pooled with the two, such as that of `ets.Path`; nan stays nan.
    z, origins, season, first_month : as `theta_path` takes them.
    """
    path = theta_path(z, origins=origins, ahead=location.shape[2], season=season, first_month=first_month)
    return np.median([location, path.theta, path.flat], axis=0)
