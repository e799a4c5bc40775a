"""Exponential smoothing of many short series, from every origin, in one pass.

Simple case: one series, one smoothing, one origin. Level, trend and season are updated month by month with a part of
each error, and the forecast is the level reached, plus the trend fading out, plus the season of the month. Three
complications: the states before the first month are unknown (solved for), the smoothing is unknown (a grid, averaged),
and every month is an origin (cumulative sums, so that each month's answer falls out on the way).

One fixed specification on a transformed scale (logs, as a rule): additive error, damped trend, additive season that
does not change, ETS(A,Ad,A) with gamma = 0 (Hyndman, Koehler, Ord & Snyder, *Forecasting with Exponential Smoothing*,
2008, ch. 2-6):

    z_t = l_{t-1} + phi b_{t-1} + s_t + e_t,    l_t = l_{t-1} + phi b_{t-1} + alpha e_t,    b_t = phi b_{t-1} + beta e_t

The errors are linear in the initial states x0 = (l_0, b_0, s_1..s_12): e = e0 - X x0. So x0 is not searched for but
solved for, with a normal prior that shrinks trend and season towards none (a ridge). Smoothing and shrinkage come from
a grid whose points are weighted by their marginal likelihood (the level's prior is flat) and a prior that prefers
steady levels: steadier than the best point.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np

PERIOD = 12
PHI = 0.95
ALPHAS = (0.02, 0.06, 0.12, 0.2, 0.3, 0.45, 0.65, 0.9)
BETAS = (0.0, 0.1)
"""Smoothing of the trend, as a share of alpha."""
TREND_SPREADS = (0.0, 0.1)
SEASON_SPREADS = (0.0, 0.35, 1.0, 3.0, 9.0)
"""Prior standard deviations of the initial trend and of the seasonal terms, in standard deviations of the error."""
RESTLESSNESS = 6.0
"""The prior of alpha falls as exp(-6 alpha): months that err alike are not a level that moves."""
FEWEST_SEASON = 24
FEWEST_TREND = 8
_NONE = 1e8
_FLAT = 1e-6
_LEAST_SQUARES = 1e-8
"""Added to sums of squares, so that a constant series is not infinitely likely."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Points of the grid: alpha, beta (P,) of the recursions; and with them, G pairs of a recursion and a prior.

    `of` (G,) is the recursion of each pair, `precision` (G, 2 + PERIOD) of its initial states in units of the error's,
    `prior` (G,) its log weight; `seasonal` and `trended` (G,) say whether season and trend are let in.
    """

    alpha: np.ndarray
    beta: np.ndarray
    of: np.ndarray
    precision: np.ndarray
    prior: np.ndarray
    seasonal: np.ndarray
    trended: np.ndarray


@dataclass(frozen=True, kw_only=True)
class EtsPath:
    """Forecasts on the transformed scale; nan where a series has no data yet. `ets_path` fills the arrays.

    location : (series, origins, ahead). covariance : (series, origins, ahead, ahead), of the months ahead.
    sigma : (series, origins), one-step standard deviation of the error. length : (series, origins), months seen.
    weights : (series, origins, G), of the grid's points. season : (series, origins, PERIOD), by month of year.
    """

    location: np.ndarray
    covariance: np.ndarray
    sigma: np.ndarray
    length: np.ndarray
    weights: np.ndarray
    season: np.ndarray


def recursion(
    z: np.ndarray,
    *,
    alpha: np.ndarray | float,
    beta: np.ndarray | float,
    phi: float = PHI,
    level: np.ndarray | float = 0.0,
    trend: np.ndarray | float = 0.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the one-step errors, (..., n), and the level and trend after each month, (..., n), of z, (..., n).

    `z` is free of season; alpha, beta, level and trend broadcast against its leading axes.
    """
    shape = np.broadcast_shapes(z.shape[:-1], np.shape(alpha), np.shape(beta), np.shape(level), np.shape(trend))
    errors, levels, trends = (np.empty((*shape, z.shape[-1])) for _ in range(3))
    l, b = np.broadcast_to(level, shape), np.broadcast_to(trend, shape)  # noqa: E741
    for t in range(z.shape[-1]):
        b = phi * b
        l = l + b  # noqa: E741
        e = z[..., t] - l
        l, b = l + alpha * e, b + beta * e  # noqa: E741
        errors[..., t], levels[..., t], trends[..., t] = e, l, b
    return errors, levels, trends


@lru_cache(maxsize=1)
def grid() -> Grid:
    """Return the fixed grid."""
    alpha, share = (axis.ravel() for axis in np.meshgrid(ALPHAS, BETAS, indexing="ij"))
    axes = np.meshgrid(np.arange(len(alpha)), TREND_SPREADS, SEASON_SPREADS, indexing="ij")
    of, trend, season = (axis.ravel() for axis in axes)
    used = (share[of] == 0) | (trend > 0)  # a trend that moves must be there
    of, trend, season = of[used], trend[used], season[used]
    precision = np.full((len(of), 2 + PERIOD), _FLAT)
    precision[:, 1] = np.where(trend > 0, 1 / np.maximum(trend, 1e-9) ** 2, _NONE)
    precision[:, 2:] = np.where(season > 0, 1 / np.maximum(season, 1e-9) ** 2, _NONE)[:, None]
    return Grid(
        alpha=alpha,
        beta=alpha * share,
        of=of,
        precision=precision,
        prior=-RESTLESSNESS * alpha[of],
        seasonal=season > 0,
        trended=trend > 0,
    )


def ets_path(
    z: np.ndarray,
    *,
    origins: np.ndarray,
    ahead: int,
    first_month: int = 0,
    season: np.ndarray | None = None,
) -> EtsPath:
    """Forecast every series from every origin.

    Parameters
    ----------
    z : (series, months), transformed; leading nan = the series did not exist yet; no nan after that.
    origins : (O,), positions of the last month seen by each. ahead : months to forecast.
    first_month : month of year of z's first column, 0 to 11.
    season : (O, PERIOD) by month of year: what each origin expects the seasonal terms to be; none by default.
    """
    start = np.isnan(z).sum(axis=1)
    lengths = origins[None, :] - start[:, None] + 1
    sums = _sums(z, start, longest=int(max(lengths.max(initial=1), 1)))
    shape = (len(z), len(origins))
    out = EtsPath(
        location=np.full((*shape, ahead), np.nan),
        covariance=np.full((*shape, ahead, ahead), np.nan),
        sigma=np.full(shape, np.nan),
        length=np.maximum(lengths, 0),
        weights=np.zeros((*shape, len(grid().of))),
        season=np.full((*shape, PERIOD), np.nan),
    )
    # Series and origins with equally many months share everything that depends on the length alone.
    for length in np.unique(lengths[lengths >= 1]):
        i, o = np.nonzero(lengths == length)
        by_place = ((first_month + start[i])[:, None] + np.arange(PERIOD)) % PERIOD
        prior = np.zeros((len(i), 2 + PERIOD))
        if season is not None:
            prior[:, 2:] = season[o[:, None], by_place]
        found = _posterior(int(length), ahead, sums=sums.after(int(length), rows=i), prior=prior)
        out.location[i, o], out.covariance[i, o], out.sigma[i, o], out.weights[i, o] = found[:4]
        out.season[i[:, None], o[:, None], by_place] = found[4]
    return out


@dataclass(frozen=True, kw_only=True)
class _Sums:
    """What a series says of its initial states, for each recursion, summed up to each month; from zero states.

    squares : (series, P, months), of the errors. cross : (series, P, months, X), errors x responses to the states.
    level, trend : (series, P, months), states reached. After `after`: rows instead of series, and no axis of months.
    """

    squares: np.ndarray
    cross: np.ndarray
    level: np.ndarray
    trend: np.ndarray

    def after(self, months: int, *, rows: np.ndarray) -> _Sums:
        """Return the sums over the first months of some series."""
        return _Sums(**{each.name: getattr(self, each.name)[rows, :, months - 1] for each in fields(self)})


def _sums(z: np.ndarray, start: np.ndarray, *, longest: int) -> _Sums:
    """Run every recursion over every series once, each series from its own first month on."""
    points = grid()
    aligned = np.zeros((len(z), 1, longest))
    for row, first in enumerate(start):
        here = z[row, first : first + longest]
        aligned[row, 0, : len(here)] = here
    errors, levels, trends = recursion(aligned, alpha=points.alpha, beta=points.beta)
    response = _responses(_rounded(longest))[0][:, :longest]
    return _Sums(
        squares=np.cumsum(errors**2, axis=-1),
        cross=np.cumsum(response[None] * errors[..., None], axis=2),
        level=levels,
        trend=trends,
    )


def _posterior(
    n: int, ahead: int, *, sums: _Sums, prior: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return location, covariance, sigma, weights and season of R rows of one length, mixed over the grid.

    Least squares with a ridge: the initial states of each grid point are its prior plus `shift`, the sum of squares
    left gives the point's likelihood, and forecasts of all points are averaged by likelihood x prior.
    sums : of R rows, no axis of months. prior : (R, X), expected initial states.
    """
    points, known = grid(), _system(n, ahead)
    expected = (known.products @ prior.T).transpose(2, 0, 1)  # (R, P, X)
    sse = sums.squares + ((expected - 2 * sums.cross) * prior[:, None, :]).sum(axis=2)
    rest = (sums.cross - expected)[:, points.of]  # (R, G, X)
    shift = (known.inverse @ rest.transpose(1, 2, 0)).transpose(2, 0, 1)
    left = np.maximum(sse[:, points.of] - (shift * rest).sum(axis=2), 0.0) + _LEAST_SQUARES
    freedom = max(n - 1, 1)
    likely = points.prior - 0.5 * known.logdet - 0.5 * freedom * np.log(left)
    likely[:, (points.seasonal & (n < FEWEST_SEASON)) | (points.trended & (n < FEWEST_TREND))] = -np.inf
    weights = np.exp(likely - likely.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)

    base = sums.level[:, :, None] + np.cumsum(PHI ** np.arange(1, ahead + 1)) * sums.trend[:, :, None]  # (R, P, H)
    start = prior[:, None, :] + shift
    each = base[:, points.of] + (known.effect[points.of] @ start.transpose(1, 2, 0)).transpose(2, 0, 1)
    variance = left / freedom
    location = (weights[:, :, None] * each).sum(axis=1)
    covariance = ((weights * variance) @ known.unsure.reshape(len(points.of), -1)).reshape(-1, ahead, ahead)
    off = each - location[:, None, :]
    covariance += (weights[:, :, None] * off).transpose(0, 2, 1) @ off
    sigma = np.sqrt((weights * variance).sum(axis=1))
    season = (weights[:, :, None] * start[:, :, 2:]).sum(axis=1)
    return location, covariance, sigma, weights, season


@dataclass(frozen=True, kw_only=True)
class _System:
    """What depends on the grid, the length n and the months ahead alone.

    products : (P, X, X), X'X of the errors' responses to the initial states. inverse : (G, X, X), of products +
    precision; logdet : (G,), of the same less that of the precision. effect : (P, H, X), of initial states on the
    months ahead. unsure : (G, H, H), covariance of the months ahead in units of the error's variance.
    """

    products: np.ndarray
    inverse: np.ndarray
    logdet: np.ndarray
    effect: np.ndarray
    unsure: np.ndarray


@lru_cache(maxsize=160)
def _system(n: int, ahead: int) -> _System:
    points = grid()
    response, level, trend = (array[:, :n] for array in _responses(_rounded(n)))
    products = response.transpose(0, 2, 1) @ response
    gram = products[points.of] + points.precision[:, :, None] * np.eye(2 + PERIOD)
    logdet = np.linalg.slogdet(gram)[1] - np.log(points.precision).sum(axis=1)
    inverse = np.linalg.inv(gram)
    damping = np.cumsum(PHI ** np.arange(1, ahead + 1))
    effect = level[:, n - 1, None, :] + damping[:, None] * trend[:, n - 1, None, :]
    months = np.arange(ahead)
    effect[:, months, 2 + (n + months) % PERIOD] += 1.0
    # Month h's error holds its own and c_j = alpha + beta (phi + ... + phi^j) of the one j months before.
    lag = months[:, None] - months[None, :]
    c = points.alpha[:, None] + points.beta[:, None] * np.concatenate([[0.0], damping])[None, :ahead]
    far = np.where(lag > 0, c[:, np.maximum(lag, 0)], 1.0 * (lag == 0))
    noise = far @ far.transpose(0, 2, 1)
    states = effect[points.of] @ inverse @ effect[points.of].transpose(0, 2, 1)
    return _System(products=products, inverse=inverse, logdet=logdet, effect=effect, unsure=noise[points.of] + states)


@lru_cache(maxsize=4)
def _responses(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how expectations, and the level and trend reached, answer to the initial states; (P, n, X) each.

    A state's part in what is expected is minus the errors of a series of zeros that starts from it; a seasonal term's
    is that of the series it adds.
    """
    points = grid()
    alpha, beta = points.alpha[:, None], points.beta[:, None]
    unit = np.eye(2)
    e, l, b = recursion(np.zeros((1, 1, n)), alpha=alpha, beta=beta, level=unit[0], trend=unit[1])  # noqa: E741
    pulse = (np.arange(n)[None, :] % PERIOD == np.arange(PERIOD)[:, None]).astype(float)
    es, ls, bs = recursion(pulse[None], alpha=alpha, beta=beta)
    return tuple(  # type: ignore[return-value]
        np.concatenate(pair, axis=1).transpose(0, 2, 1) for pair in ((-e, es), (l, -ls), (b, -bs))
    )


def _rounded(n: int) -> int:
    """Return a length that many share."""
    return -(-n // 72) * 72
