"""Theta and flat smoothing in one pass, and the pool: by hand, what must be true, and against statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.tsa.forecasting.theta import ThetaModel, ThetaModelResults
from statsmodels.tsa.holtwinters import SimpleExpSmoothing
from statsmodels.tsa.seasonal import seasonal_decompose

from forecast.models.baselines.smoothing import PERIOD, THETA_ALPHAS, ets_path, pooled, theta_path

AHEAD = 6


def series(n: int, seed: int = 0, season: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng([seed, 7])
    level = 10 + 0.03 * np.arange(n) + np.cumsum(rng.normal(0, 0.2, n))
    return level + np.resize(rng.normal(0, season, PERIOD), n) + rng.normal(0, 0.3, n)


def at_the_end(z: np.ndarray, **options):
    """Return the path of one series from its last month."""
    return theta_path(z[None], origins=np.array([len(z) - 1]), ahead=AHEAD, **options)


# -- by hand --------------------------------------------------------------------------------------------


def test_by_hand():
    # x = 1, 3, 2, alpha .5: level 1, then 1 + .5 x 2 = 2, then 2. Slope: (-1 x 1 + 0 x 3 + 1 x 2) / 2 = .5.
    # Drift in the first month: (1 - .5^3) / .5 = 1.75; each month adds half the slope, .25.
    path = theta_path(np.array([[1.0, 3.0, 2.0]]), origins=np.array([2]), ahead=3, alphas=[0.5])
    np.testing.assert_allclose(path.slope, [[0.5]])
    np.testing.assert_allclose(path.flat[0, 0], [2, 2, 2])
    np.testing.assert_allclose(path.theta[0, 0], [2.4375, 2.6875, 2.9375])


def test_the_smoothing_constant_is_that_of_the_least_errors():
    # x = 0, 1, 1: errors 1 and 1 - alpha; the largest constant is best. x = 0, 1, -1: 1 and -1 - alpha; the smallest.
    path = theta_path(np.array([[0.0, 1.0, 1.0], [0.0, 1.0, -1.0]]), origins=np.array([2]), ahead=1)
    np.testing.assert_allclose(path.alpha[:, 0], [THETA_ALPHAS[-1], THETA_ALPHAS[0]])


def test_two_months_and_one():
    path = theta_path(np.array([[4.0, 6.0]]), origins=np.array([0, 1]), ahead=2, alphas=[0.5])
    np.testing.assert_allclose(path.slope, [[0, 2]])
    np.testing.assert_allclose(path.theta[0], [[4, 4], [5 + 1.5, 5 + 2.5]])  # level 5, drift 2 x .75 x (1 - .25) / .5


def test_the_pool_is_the_median_month_by_month():
    z = np.array([[1.0, 3.0, 2.0]])
    path = theta_path(z, origins=np.array([2]), ahead=2)
    given = np.stack([path.flat[0] - 1, path.theta[0] + 1, (path.flat[0] + path.theta[0]) / 2])
    of = np.repeat(z, 3, axis=0)
    found = pooled(of, given, origins=np.array([2]), season=np.zeros((3, 1, PERIOD)))
    np.testing.assert_allclose(found, np.stack([path.flat[0], path.theta[0], given[2]]))


# -- what must be true ------------------------------------------------------------------------------------


def test_a_straight_line_is_continued_with_half_its_slope():
    line = 5 + 0.3 * np.arange(40.0)
    path = at_the_end(line)
    np.testing.assert_allclose(path.slope, 0.3)
    np.testing.assert_allclose(np.diff(path.theta[0, 0]), 0.15)
    # The drift's constant undoes half of what the level lags behind: from the end of the line half a step is left.
    lag = 0.3 * (1 - 0.95) / 0.95
    np.testing.assert_allclose(path.flat[0, 0], line[-1] - lag)
    np.testing.assert_allclose(path.theta[0, 0, 0], line[-1] - lag + 0.15 / 0.95)


def test_a_constant_goes_on():
    path = at_the_end(np.full(15, 3.0))
    np.testing.assert_allclose(path.theta, 3)
    np.testing.assert_allclose(path.flat, 3)


@given(st.floats(-20, 20), st.floats(0.01, 50), st.integers(0, 50))
def test_a_constant_added_is_added_and_a_scale_scales(added: float, scale: float, seed: int):
    z, season = series(30, seed=seed), np.random.default_rng(seed).normal(size=(1, 1, PERIOD))
    one, other = at_the_end(z, season=season), at_the_end(added + scale * z, season=scale * season)
    np.testing.assert_allclose(other.alpha, one.alpha)
    np.testing.assert_allclose(other.theta, added + scale * one.theta, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(other.flat, added + scale * one.flat, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("first_month", [0, 5, 11])
def test_a_season_known_is_taken_out_and_put_back(first_month: int):
    z, season = series(31, seed=3), np.random.default_rng(3).normal(size=PERIOD)
    of_year = (first_month + np.arange(31 + AHEAD)) % PERIOD
    plain = at_the_end(z)
    path = at_the_end(z + season[of_year[:31]], season=season[None, None], first_month=first_month)
    np.testing.assert_allclose(path.theta[0, 0], plain.theta[0, 0] + season[of_year[31:]])
    np.testing.assert_allclose(path.flat[0, 0], plain.flat[0, 0] + season[of_year[31:]])


def test_every_origin_sees_its_own_past_only():
    z = np.stack([series(50, seed=s, season=0.5) for s in range(4)])
    z[2, :17] = np.nan
    origins = np.arange(10, 50)
    season = np.random.default_rng(1).normal(size=(4, 40, PERIOD))
    path = theta_path(z, origins=origins, ahead=AHEAD, season=season, first_month=3)
    for k in (0, 7, 13, 39):
        cut, known = z[:, : origins[k] + 1], season[:, [k]]
        alone = theta_path(cut, origins=origins[[k]], ahead=AHEAD, season=known, first_month=3)
        for name in ("theta", "flat", "alpha", "slope"):
            np.testing.assert_array_equal(getattr(path, name)[:, k], getattr(alone, name)[:, 0])


def test_a_series_starts_when_it_starts_and_touches_no_other():
    z = series(30, seed=4)
    late = np.stack([series(40, seed=5), np.concatenate([np.full(10, np.nan), z])])
    both = theta_path(late, origins=np.array([8, 10, 39]), ahead=AHEAD)
    alone = theta_path(z[None], origins=np.array([0, 29]), ahead=AHEAD)
    assert np.isnan(both.theta[1, 0]).all()
    assert np.isnan(both.flat[1, 0]).all()
    np.testing.assert_array_equal(both.theta[1, 1:], alone.theta[0])
    np.testing.assert_array_equal(both.slope[1, 1:], alone.slope[0])


@pytest.mark.filterwarnings("error")
def test_the_pool_of_series_without_data_is_empty_and_nothing_is_changed():
    z = np.stack([np.full(9, np.nan), np.arange(9.0)])
    origins = np.array([8])
    path = ets_path(z, origins=origins, ahead=2)
    kept = z.copy(), path.location.copy(), path.season.copy()
    found = pooled(z, path.location, origins=origins, season=path.season)
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1]).all()
    for before, after in zip(kept, (z, path.location, path.season), strict=True):
        np.testing.assert_array_equal(before, after)


# -- statsmodels --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.05, 0.4, 0.95, 1.0])
def test_flat_smoothing_is_statsmodels(alpha: float):
    z = series(48)
    model = SimpleExpSmoothing(z, initialization_method="known", initial_level=z[0])
    fitted = model.fit(smoothing_level=alpha, optimized=False)
    np.testing.assert_allclose(at_the_end(z, alphas=[alpha]).flat[0, 0], fitted.forecast(AHEAD), rtol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_theta_is_statsmodels_at_its_smoothing_constant(seed: int):
    """Both start the level at the first point and take the line by least squares, so nothing is left to differ."""
    z = series(30 + 7 * seed, seed=seed)
    fitted = ThetaModel(z, deseasonalize=False).fit()
    ours = at_the_end(z, alphas=[fitted.params["alpha"]])
    np.testing.assert_allclose(ours.slope[0, 0], fitted.params["b0"], rtol=1e-9)
    np.testing.assert_allclose(ours.theta[0, 0], fitted.forecast(AHEAD, theta=2), rtol=1e-10)


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.95])
def test_theta_is_statsmodels_at_a_constant_of_ours_on_its_seasonally_adjusted_series(alpha: float):
    z = series(60, seed=8, season=1.0)
    model = ThetaModel(z, period=PERIOD, use_test=False, method="additive")
    season = np.asarray(seasonal_decompose(z, model="add", period=PERIOD).seasonal)[:PERIOD]
    b0, _ = model.fit().params
    adjusted = z - np.resize(season, 60)
    smoothed = SimpleExpSmoothing(adjusted, initialization_method="known", initial_level=adjusted[0])
    one_step = smoothed.fit(smoothing_level=alpha, optimized=False).forecast(1)
    theirs = ThetaModelResults(b0, alpha, None, one_step, season, False, model).forecast(AHEAD, theta=2)
    ours = at_the_end(z, season=season[None, None], alphas=[alpha])
    np.testing.assert_allclose(ours.theta[0, 0], theirs, rtol=1e-10)


def test_the_grid_fits_no_worse_than_statsmodels():
    for seed in range(5):
        z = series(60, seed=seed)
        model = SimpleExpSmoothing(z, initialization_method="known", initial_level=z[0])
        alpha = at_the_end(z).alpha[0, 0]
        ours, theirs = model.fit(smoothing_level=alpha, optimized=False), model.fit()
        assert ours.sse <= 1.01 * theirs.sse
