"""Theta averaged over smoothing constants and scales, and its pool with exponential smoothing, from every origin.

Theta (Assimakopoulos & Nikolopoulos, *Int. J. Forecasting* 16, 2000, 521-530) is simple exponential smoothing with a
drift of half the slope of the straight line through the series (Hyndman & Billah, *Int. J. Forecasting* 19, 2003,
287-290). After n months x, free of their season, the level started at the first:

    l_1 = x_1,    l_t = l_{t-1} + alpha (x_t - l_{t-1})
    theta_h = l_n + b/2 (h - 1 + (1 - (1 - alpha)^n) / alpha),    b = the slope of x by least squares

Simple case: one series on one log scale, from one origin. Theta is made with every alpha of a grid, and the forecasts
are averaged in the series' own unit, weighted by how well each alpha foresaw the months known. Three complications:

Which log scale? log(y + c) with a small c treats changes as per cent; a month without a booking is then far below all
others. With a large c it is a month like others, and changes count in amounts. The series says which: c is a part of
the grid, and the weight is the likelihood of the months themselves, not of their logs,

    log w_h(alpha, c) = - (n - 1)/2 log SSE(alpha, c) - sum_t log(y_t + c) - (12 + 2 h) alpha

whose second term is the Jacobian of the logs (Box & Cox, *J. Royal Statistical Society* B 26, 1964, 211-252).

How steady is the level? The last term is a prior that prefers steady ones, the more the further ahead: one month ahead
a restless level does little harm, a year ahead it does.

Which season? What is expected is that of the smoothing Theta is pooled with, known on one scale: a year of typical
months is made from it, which has logs on every scale. A series departs from it as far as its own months insist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecast.models.baselines.smoothing import ALPHAS, PERIOD

SHARES = (0.03, 0.2, 1.0)
"""What is added to the months before logs are taken, as shares of a typical month."""
STEADINESS = (12.0, 2.0)
"""The prior of alpha falls as exp(-(12 + 2 h) alpha), h months ahead."""
_LEAST_SQUARES = 1e-8
_KEPT = float(np.exp(-0.2 / PERIOD))
"""What a month weighs in the season, a month later: a year ago it weighs exp(-.2) = .82 of today's."""
_FEWEST_EACH = 2
_LEAST_MONTH = 1e-3
"""Of a typical month, below which no month of the typical year falls."""


@dataclass(frozen=True, kw_only=True)
class ThetaPath:
    """Theta with each smoothing constant, on the scale of z; nan where a series has no data yet.

    theta : (series, origins, A, ahead). level : (series, origins, A), reached, free of season. squares : (series,
    origins, A), of the one-step errors summed. slope : (series, origins), a month, of the straight line.
    """

    theta: np.ndarray
    level: np.ndarray
    squares: np.ndarray
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
    """Forecast every series from every origin with every smoothing constant.

    Parameters
    ----------
    z : (series, months), logs as a rule; leading nan = the series did not exist yet; no nan after that.
    origins : (O,), positions of the last month seen by each. ahead : months to forecast.
    season : (series, O, PERIOD) by month of year, in the units of z, as each origin knows it; none by default.
    first_month : month of year of z's first column, 0 to 11.
    alphas : (A,), smoothing constants, above 0 and at most 1.
    """
    origins, tried = np.asarray(origins), np.asarray(alphas, dtype=np.float64)
    rows, start = np.arange(len(z)), np.isnan(z).sum(axis=1)
    lengths = origins[None, :] - start[:, None] + 1
    by_month = np.zeros((len(z), len(origins), PERIOD)) if season is None else season
    first = np.minimum(start, z.shape[1] - 1)
    opening = z[rows, first, None] - by_month[rows, :, (first_month + first) % PERIOD]  # (S, O)
    level = np.repeat(opening[:, :, None], len(tried), axis=2)
    squares, tilt = np.zeros_like(level), np.zeros_like(opening)
    for t in range(int(origins.max(initial=-1)) + 1):
        x = z[:, t, None] - by_month[:, :, (first_month + t) % PERIOD]
        seen = (t > start)[:, None] & (t <= origins)[None, :]
        error = np.where(seen[:, :, None], x[:, :, None] - level, 0.0)
        squares += error**2
        level += tried * error
        tilt += np.where(seen, ((t - start)[:, None] - (lengths - 1) / 2) * (x - opening), 0.0)
    alive, n = lengths >= 1, np.maximum(lengths, 1)
    slope = np.where(alive, tilt / np.where(n > 1, n * (n**2 - 1.0) / 12, 1.0), np.nan)
    drift = np.arange(ahead) + ((1 - (1 - tried) ** n[:, :, None]) / tried)[:, :, :, None]
    months = (first_month + origins[:, None] + 1 + np.arange(ahead)) % PERIOD
    put_back = np.take_along_axis(by_month, np.broadcast_to(months, (*by_month.shape[:2], ahead)), axis=2)
    reached = np.where(alive[:, :, None], level, np.nan)
    theta = reached[:, :, :, None] + 0.5 * slope[:, :, None, None] * drift + put_back[:, :, None]
    return ThetaPath(theta=theta, level=reached, squares=squares, slope=slope)


def theta_mixture(
    y: np.ndarray,
    shift: np.ndarray,
    *,
    origins: np.ndarray,
    ahead: int,
    season: np.ndarray,
    first_month: int = 0,
    alphas: Sequence[float] = ALPHAS,
    shares: Sequence[float] = SHARES,
    steadiness: tuple[float, float] = STEADINESS,
) -> np.ndarray:
    """Forecast every series from every origin; (series, O, ahead), in the unit of y, at least 0, nan without data.

    Parameters
    ----------
    y : (series, months), at least 0; leading nan = the series did not exist yet; no nan after that.
    shift : (series,), above 0, a typical month: that of the scale log(y + shift) on which the season is known.
    origins : (O,), positions of the last month seen by each. ahead : months to forecast.
    season : (series, O, PERIOD) by month of year, on the scale log(y + shift), as each origin knows it; nan as 0.
    first_month : month of year of y's first column, 0 to 11.
    alphas, shares : the grid: smoothing constants, above 0 and at most 1, and additions, above 0, as shares of shift.
    steadiness : of the prior of alpha, exp(-(first + second x months ahead) alpha).
    """
    origins, tried = np.asarray(origins), np.asarray(alphas, dtype=np.float64)
    units = y / shift[:, None]
    lengths = origins[None, :] - np.isnan(y).sum(axis=1)[:, None] + 1  # (S, O)
    freedom = np.maximum(lengths - 1, 0)[:, :, None]
    year = _typical_year(units, lengths, origins=origins, season=np.nan_to_num(season), first_month=first_month)
    each, likely = [], []
    for share in shares:
        z, by_month = np.log(units + share), np.log(year + share)
        by_month -= by_month.mean(axis=2, keepdims=True)
        by_month += own_season(z, by_month, origins=origins, first_month=first_month)
        path = theta_path(z, origins=origins, ahead=ahead, season=by_month, first_month=first_month, alphas=alphas)
        jacobian = -np.nancumsum(z, axis=1)[:, origins, None]
        each.append(np.maximum(np.exp(path.theta) - share, 0.0))
        likely.append(jacobian - 0.5 * freedom * np.log(path.squares + _LEAST_SQUARES))
    near, far = steadiness
    prior = -(near + far * np.arange(1, ahead + 1)) * np.tile(tried, len(shares))[:, None]
    weights = np.concatenate(likely, axis=2)[:, :, :, None] + prior
    weights = np.exp(weights - weights.max(axis=2, keepdims=True))
    mixed = (weights * np.concatenate(each, axis=2)).sum(axis=2) / weights.sum(axis=2)
    return mixed * shift[:, None, None]


def pooled(location: np.ndarray, theta: np.ndarray, *, shift: np.ndarray) -> np.ndarray:
    """Return the mean of a forecast and Theta by month, (series, O, ahead), on the scale of the forecast.

    The mean is taken in the series' unit, of medians that are at least 0. nan stays nan.

    Parameters
    ----------
    location : (series, O, ahead), on the scale log(y + shift), such as that of `EtsPath`. shift : (series,), above 0.
    theta : (series, O, ahead), in the unit of y, from `theta_mixture`.
    """
    added = shift[:, None, None]
    return np.log((np.maximum(np.exp(location) - added, 0.0) + theta) / 2 + added)


def _typical_year(
    units: np.ndarray, lengths: np.ndarray, *, origins: np.ndarray, season: np.ndarray, first_month: int
) -> np.ndarray:
    """Return typical months of the year, (S, O, PERIOD), in units of shift, whose logs after + 1 differ by the season.

    The level is that of the last year known to an origin, free of its season.
    """
    z = np.log(units + 1.0)
    months = (first_month + np.arange(z.shape[1])) % PERIOD
    back = np.maximum(origins[:, None] - np.arange(PERIOD), 0)  # (O, PERIOD)
    last = z[:, back] - np.take_along_axis(season, np.broadcast_to(months[back], season.shape), axis=2)
    known = np.arange(PERIOD) < lengths[:, :, None]
    level = np.where(known, last, 0.0).sum(axis=2) / np.maximum(known.sum(axis=2), 1)
    return np.maximum(np.exp(level[:, :, None] + season) - 1.0, _LEAST_MONTH)


def own_season(z: np.ndarray, expected: np.ndarray, *, origins: np.ndarray, first_month: int = 0) -> np.ndarray:
    """Return how a series' own season differs from what is expected, as far as it does by more than chance.

    Months less their centred average over a year, averaged by month of the year, recent years counting more. The
    differences from `expected` are shrunk by the share of their variance that the scatter of the months does not
    explain (James & Stein, *Proc. 4th Berkeley Symposium* 1961): 0 where it explains all of it.

    Parameters
    ----------
    z : (series, months), logs; leading nan. expected : (series, O, PERIOD) by month of year, about 0.
    origins : (O,), positions of the last month seen. first_month : month of year of z's first column, 0 to 11.
    """
    half, n = PERIOD // 2, z.shape[1]
    out = np.zeros_like(expected)
    weights = np.concatenate([[0.5], np.ones(PERIOD - 1), [0.5]]) / PERIOD
    count, counts, total, squares, months = (np.zeros((len(z), PERIOD)) for _ in range(5))
    for t in range(half, n - half):
        off = z[:, t] - z[:, t - half : t + half + 1] @ weights
        known = np.isfinite(off)
        off = np.where(known, off, 0.0)
        count, counts, total, squares = count * _KEPT, counts * _KEPT**2, total * _KEPT, squares * _KEPT
        month = (first_month + t) % PERIOD
        for sums, more in ((count, known), (counts, known), (total, off), (squares, off**2), (months, known)):
            sums[:, month] += more
        # What an origin knows of months half a year before it: it has their whole year.
        for k in np.flatnonzero(origins == t + half):
            out[:, k] = _beyond_scatter(count, counts, total, squares, months, expected[:, k])
    return out


def _beyond_scatter(
    count: np.ndarray,
    counts: np.ndarray,
    total: np.ndarray,
    squares: np.ndarray,
    months: np.ndarray,
    expected: np.ndarray,
) -> np.ndarray:
    """Return the shrunk differences, (S, PERIOD), from weighted sums by month; 0 with less than two of each month."""
    whole = (months >= _FEWEST_EACH).all(axis=1)
    weight = np.maximum(count, 1e-12)
    mean = total / weight
    differ = mean - mean.mean(axis=1, keepdims=True) - expected
    seen = np.maximum(months.sum(axis=1), PERIOD + 1)
    left = np.maximum(squares - weight * mean**2, 0.0).sum(axis=1) / weight.sum(axis=1) * seen / (seen - PERIOD)
    chance = left * (counts / weight**2).mean(axis=1)
    beyond = np.maximum((differ**2).sum(axis=1) / (PERIOD - 1) - chance, 0.0)
    share = np.where(whole, beyond / np.maximum(beyond + chance, 1e-12), 0.0)
    return share[:, None] * differ
