"""Exponential smoothing in one pass, against statsmodels and against dense linear algebra."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

from forecast.models.baselines.series import _mean_above, transform
from forecast.models.baselines.smoothing import (
    FEWEST_SEASON,
    FEWEST_TREND,
    PERIOD,
    PHI,
    RESTLESSNESS,
    ets_path,
    grid,
    recursion,
)
from forecast.models.baselines.theta import pooled, theta_mixture


def series(n: int, seed: int = 0, season: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng([seed, 5])
    level = np.cumsum(rng.normal(0, 0.2, n))
    return level + np.resize(rng.normal(0, season, PERIOD), n) + rng.normal(0, 0.5, n)


@pytest.mark.parametrize("damped", [True, False])
def test_the_recursion_is_statsmodels(damped):
    z = series(48)
    phi = 0.9 if damped else 1.0
    model = ETSModel(
        pd.Series(z),
        error="add",
        trend="add",
        damped_trend=damped,
        initialization_method="known",
        initial_level=0.4,
        initial_trend=-0.1,
    )
    fitted = model.smooth([0.3, 0.05, phi] if damped else [0.3, 0.05])
    errors, level, trend = recursion(z, alpha=0.3, beta=0.05, phi=phi, level=0.4, trend=-0.1)
    np.testing.assert_allclose(errors, fitted.resid, atol=1e-8)
    np.testing.assert_allclose(level, fitted.level, atol=1e-8)
    np.testing.assert_allclose(trend, fitted.slope, atol=1e-8)


def test_a_fixed_season_is_statsmodels_with_gamma_0():
    z, season = series(48), np.arange(12.0)
    model = ETSModel(
        pd.Series(z),
        error="add",
        trend="add",
        damped_trend=True,
        seasonal="add",
        seasonal_periods=12,
        initialization_method="known",
        initial_level=0.4,
        initial_trend=0.1,
        initial_seasonal=season.tolist(),
    )
    fitted = model.smooth([0.3, 0.03, 0.0, PHI])
    errors, level, trend = recursion(z - np.tile(season, 4), alpha=0.3, beta=0.03, level=0.4, trend=0.1)
    np.testing.assert_allclose(errors, fitted.resid, atol=1e-8)
    ahead = level[-1] + np.cumsum(PHI ** np.arange(1, 7)) * trend[-1] + season[:6]
    np.testing.assert_allclose(ahead, fitted.forecast(6), atol=1e-8)


def test_the_recursion_by_hand():
    # l0 = 10, b0 = 0: expects 10, sees 14, error 4; level 10 + .5 x 4 = 12, trend .1 x 4 = .4.
    # Then expects 12 + .9 x .4 = 12.36, sees 12.36.
    errors, level, trend = recursion(np.array([14.0, 12.36]), alpha=0.5, beta=0.1, phi=0.9, level=10.0)
    np.testing.assert_allclose(errors, [4, 0])
    np.testing.assert_allclose(level, [12, 12.36])
    np.testing.assert_allclose(trend, [0.4, 0.36])


def dense(z: np.ndarray, ahead: int, prior: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return location, covariance and weights by conditioning one joint normal at every point of the grid."""
    points, n = grid(), len(z)
    total = n + ahead
    damped = np.cumsum(PHI ** np.arange(1, total + 1))
    design = np.zeros((total, 2 + PERIOD))
    design[:, 0], design[:, 1] = 1.0, damped
    design[np.arange(total), 2 + np.arange(total) % PERIOD] = 1.0
    start = np.concatenate([[0.0, 0.0], prior])
    found, covs, logs = [], [], []
    for g, p in enumerate(points.of):
        a, b = points.alpha[p], points.beta[p]
        impulse = np.eye(total)
        for lag in range(1, total):
            impulse += (a + b * (damped[lag - 1])) * np.eye(total, k=-lag)
        v = design @ np.diag(1 / points.precision[g]) @ design.T + impulse @ impulse.T
        left = z - (design @ start)[:n]
        weighed = np.linalg.solve(v[:n, :n], left)
        scale = left @ weighed
        logs.append(
            -0.5 * np.linalg.slogdet(v[:n, :n])[1] - 0.5 * (n - 1) * np.log(scale + 1e-8) - RESTLESSNESS * a
            if not (points.seasonal[g] and n < FEWEST_SEASON) and not (points.trended[g] and n < FEWEST_TREND)
            else -np.inf
        )
        found.append((design @ start)[n:] + v[n:, :n] @ weighed)
        covs.append(scale / (n - 1) * (v[n:, n:] - v[n:, :n] @ np.linalg.solve(v[:n, :n], v[:n, n:])))
    weights = np.exp(np.array(logs) - max(logs))
    weights /= weights.sum()
    mean = weights @ np.array(found)
    off = np.array(found) - mean
    cov = np.einsum("g,ghi->hi", weights, np.array(covs)) + np.einsum("g,gh,gi->hi", weights, off, off)
    return mean, cov, weights


@pytest.mark.parametrize(("n", "expects"), [(5, False), (15, False), (30, False), (30, True)])
def test_the_path_is_one_joint_normal_conditioned_at_every_point_of_the_grid(n, expects):
    z = series(40, seed=n)
    prior = np.random.default_rng(n).normal(size=PERIOD) if expects else np.zeros(PERIOD)
    path = ets_path(z[None], origins=np.array([n - 1, 39]), ahead=4, season=np.stack([prior, prior]))
    location, covariance, weights = dense(z[:n], 4, prior)
    np.testing.assert_allclose(path.weights[0, 0], weights, atol=2e-4)
    np.testing.assert_allclose(path.location[0, 0], location, atol=2e-4)
    np.testing.assert_allclose(path.covariance[0, 0], covariance, rtol=2e-3, atol=1e-5)


def test_every_origin_sees_its_own_past_only():
    z = np.stack([series(50, seed=s) for s in range(4)])
    z[2, :17] = np.nan
    origins = np.arange(20, 50)
    path = ets_path(z, origins=origins, ahead=6, first_month=3)
    for which in (0, 13, 29):
        alone = ets_path(z[:, : origins[which] + 1], origins=origins[[which]], ahead=6, first_month=3)
        np.testing.assert_allclose(path.location[:, which], alone.location[:, 0], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(path.covariance[:, which], alone.covariance[:, 0], rtol=1e-9, atol=1e-12)


def test_series_do_not_touch_each_other_and_start_when_they_start():
    z = np.stack([series(40, seed=1), series(40, seed=2)])
    late = np.concatenate([np.full(10, np.nan), z[1]])[None]
    both = ets_path(z, origins=np.array([39]), ahead=3, first_month=10)
    alone = ets_path(late, origins=np.array([49]), ahead=3)
    np.testing.assert_allclose(both.location[1], alone.location[0])
    np.testing.assert_allclose(both.season[1], alone.season[0])


def test_smoothing_is_recovered_and_fits_no_worse_than_statsmodels():
    rng = np.random.default_rng(3)
    e = rng.normal(0, 1, 300)
    z = 5 + e + 0.3 * np.concatenate([[0.0], np.cumsum(e)[:-1]])  # ETS(A,N,N), alpha .3
    path = ets_path(z[None], origins=np.array([299]), ahead=1)
    points = grid()
    weights = np.bincount(points.of, weights=path.weights[0, 0], minlength=len(points.alpha))
    assert abs(weights @ points.alpha - 0.3) < 0.08
    best = points.alpha[weights.argmax()]
    free, _, _ = recursion(z, alpha=best, beta=0.0)
    response = -recursion(np.zeros(300), alpha=best, beta=0.0, level=1.0)[0]
    left = free - response * (response @ free) / (response @ response)
    fitted = ETSModel(pd.Series(z), error="add").fit(disp=False)
    assert (left**2).sum() <= 1.01 * fitted.sse
    assert abs(path.location[0, 0, 0] - fitted.forecast(1).iloc[0]) < 0.15


def test_a_clean_season_is_carried_on():
    shape = np.sin(np.arange(12)) * 3
    z = np.tile(shape, 3) + 7
    path = ets_path(z[None], origins=np.array([35]), ahead=12)
    np.testing.assert_allclose(path.location[0, 0], shape + 7, atol=0.02)
    # The season is thought at most 9 errors wide (one standard deviation), so the error is not thought to be nothing.
    assert 0.05 < path.sigma[0, 0] < 0.15
    np.testing.assert_allclose(path.season[0, 0], shape - shape.mean(), atol=0.05)


def test_thin_series():
    z = np.array([[np.nan] * 9, [np.nan] * 8 + [2.0], [3.0] * 9])
    path = ets_path(z, origins=np.array([7, 8]), ahead=2)
    assert np.isnan(path.location[0]).all()
    assert np.isnan(path.location[1, 0]).all()
    np.testing.assert_allclose(path.location[1, 1], 2, atol=1e-4)
    np.testing.assert_allclose(path.location[2, 1], 3, atol=1e-4)
    assert path.length.tolist() == [[0, 0], [0, 1], [8, 9]]


def sample_of_m1(folder, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the last 36 points of every so many-th monthly series, the 6 to come, and the scale of MASE."""
    table = pd.read_csv(folder / "m1" / "M1_monthly.csv")
    seen, came = [], []
    for _, one in table.groupby("series", sort=False):
        train, test = (one.loc[one["part"] == part, "value"].to_numpy() for part in ("train", "test"))
        if len(train) >= 36 and len(test) >= 6 and abs(train[-24:] - train[-36:-12]).sum() > 0:
            seen.append(train[-36:])
            came.append(test[:6])
    step = max(len(seen) // count, 1)
    y, future = np.array(seen)[::step][:count], np.array(came)[::step][:count]
    return y, future, np.abs(y[:, 12:] - y[:, :-12]).mean(axis=1)


def our_mean(y: np.ndarray) -> np.ndarray:
    z, shift = transform(y)
    path = ets_path(z, origins=np.array([y.shape[1] - 1]), ahead=6)
    spread = np.sqrt(np.einsum("shh->sh", path.covariance[:, 0]))
    return _mean_above(path.location[:, 0], spread, np.broadcast_to(shift[:, None], spread.shape))


def pool_median(y: np.ndarray) -> np.ndarray:
    z, shift = transform(y)
    origins = np.array([y.shape[1] - 1])
    path = ets_path(z, origins=origins, ahead=6)
    theta = theta_mixture(y, shift, origins=origins, ahead=6, season=path.season)
    return np.exp(pooled(path.location, theta, shift=shift)[:, 0]) - shift[:, None]


@pytest.mark.slow
def test_better_than_seasonal_naive_on_m1(real_data):
    y, future, scale = sample_of_m1(real_data, 600)
    mase = (np.abs(our_mean(y) - future).mean(axis=1) / scale).mean()
    naive = (np.abs(y[:, -12:-6] - future).mean(axis=1) / scale).mean()
    assert naive == pytest.approx(0.99, abs=0.01)
    assert mase < 0.70
    assert (np.abs(pool_median(y) - future).mean(axis=1) / scale).mean() < 0.69


@pytest.mark.slow
def test_better_than_ets_by_aicc_on_m1(real_data):
    y, future, scale = sample_of_m1(real_data, 30)
    theirs = np.stack([_by_aicc(one) for one in y])
    forecasts = (our_mean(y), pool_median(y), theirs)
    ours_mase, pool_mase, their_mase = ((np.abs(f - future).mean(axis=1) / scale).mean() for f in forecasts)
    assert ours_mase < their_mase
    assert pool_mase < their_mase


def _by_aicc(y: np.ndarray) -> np.ndarray:
    """Return the forecast of the additive-error ETS of lowest AICc on the same scale, its median back-transformed."""
    z, shift = transform(y[None])
    best, forecast = np.inf, None
    for trend, damped in ((None, False), ("add", False), ("add", True)):
        for seasonal in (None, "add"):
            model = ETSModel(
                pd.Series(z[0]),
                error="add",
                trend=trend,
                damped_trend=damped,
                seasonal=seasonal,
                seasonal_periods=12 if seasonal else None,
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fitted = model.fit(disp=False)
            if np.isfinite(fitted.aicc) and fitted.aicc < best:
                best, forecast = fitted.aicc, fitted.forecast(6).to_numpy()
    assert forecast is not None
    return np.maximum(np.exp(forecast) - shift[0], 0)
