"""Theta in one pass, averaged, and pooled: by hand, what must be true, and against statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.tsa.forecasting.theta import ThetaModel, ThetaModelResults
from statsmodels.tsa.holtwinters import SimpleExpSmoothing
from statsmodels.tsa.seasonal import seasonal_decompose

from forecast.models.baselines.smoothing import ALPHAS, PERIOD
from forecast.models.baselines.theta import SHARES, own_season, pooled, theta_mixture, theta_path

AHEAD = 6


def series(n: int, seed: int = 0, season: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng([seed, 7])
    level = 10 + 0.03 * np.arange(n) + np.cumsum(rng.normal(0, 0.2, n))
    return level + np.resize(rng.normal(0, season, PERIOD), n) + rng.normal(0, 0.3, n)


def at_the_end(z: np.ndarray, **options):
    """Return the path of one series from its last month."""
    return theta_path(z[None], origins=np.array([len(z) - 1]), ahead=AHEAD, **options)


def bookings(n: int, seed: int = 0) -> np.ndarray:
    return 50 * np.exp(series(n, seed=seed, season=0.3) - 10)


NO_SEASON = np.zeros((1, 1, PERIOD))


# -- by hand --------------------------------------------------------------------------------------------


def test_by_hand():
    # x = 1, 3, 2, alpha .5: level 1, then 1 + .5 x 2 = 2, then 2; errors 2 and 0. Slope: (-1 x 1 + 1 x 2) / 2 = .5.
    # Drift in the first month: (1 - .5^3) / .5 = 1.75; each month adds half the slope, .25.
    path = theta_path(np.array([[1.0, 3.0, 2.0]]), origins=np.array([2]), ahead=3, alphas=[0.5])
    np.testing.assert_allclose(path.slope, [[0.5]])
    np.testing.assert_allclose(path.level, [[[2]]])
    np.testing.assert_allclose(path.squares, [[[4]]])
    np.testing.assert_allclose(path.theta[0, 0, 0], [2.4375, 2.6875, 2.9375])


def test_two_months_and_one():
    path = theta_path(np.array([[4.0, 6.0]]), origins=np.array([0, 1]), ahead=2, alphas=[0.5])
    np.testing.assert_allclose(path.slope, [[0, 2]])
    np.testing.assert_allclose(path.theta[0, :, 0], [[4, 4], [5 + 1.5, 5 + 2.5]])  # drift 2 x .75 x (1 - .25) / .5


def test_the_mixture_by_hand():
    # Each of two constants on each of two scales, weighted by likelihood x Jacobian x prior, averaged in the own unit.
    y, shift, steadiness = [2.0, 6.0, 3.0, 5.0], 4.0, (1.5, 0.5)
    summed, weights = np.zeros(2), np.zeros(2)
    for share in (0.5, 2.0):
        x = [np.log(one / shift + share) for one in y]
        slope = np.polyfit(range(4), x, 1)[0]
        for alpha in (0.2, 0.6):
            level, squares = x[0], 0.0
            for one in x[1:]:
                squares += (one - level) ** 2
                level += alpha * (one - level)
            drift = slope / 2 * (np.arange(2) + (1 - (1 - alpha) ** 4) / alpha)
            likely = squares ** (-3 / 2) * np.exp(-sum(x))
            weight = likely * np.exp(-(1.5 + 0.5 * np.array([1, 2])) * alpha)
            summed, weights = summed + weight * shift * (np.exp(level + drift) - share), weights + weight
    options = {"alphas": [0.2, 0.6], "shares": [0.5, 2.0], "steadiness": steadiness}
    found = theta_mixture(np.array([y]), np.array([shift]), origins=np.array([3]), ahead=2, season=NO_SEASON, **options)
    np.testing.assert_allclose(found[0, 0], summed / weights, rtol=1e-6)


def test_the_pool_is_the_mean_in_the_own_unit():
    # exp(log 4) - 1 = 3, with 5 of Theta: 4. Below 0 counts as 0: with 2 of Theta, 1. Empty stays empty.
    location = np.log(np.array([[[4.0, 0.5, np.nan]]]))
    found = pooled(location, np.array([[[5.0, 2.0, np.nan]]]), shift=np.array([1.0]))
    np.testing.assert_allclose(np.exp(found) - 1, [[[4, 1, np.nan]]])


def test_the_own_season_by_hand():
    # Brute force: months less their centred year, weighted exp(-.2 a year), one origin; the share beyond scatter.
    z, expected = series(64, seed=2, season=0.5), np.random.default_rng(2).normal(0, 0.1, PERIOD)
    expected -= expected.mean()
    weights = np.array([0.5] + [1.0] * 11 + [0.5]) / 12
    off = {t: z[t] - (z[t - 6 : t + 7] * weights).sum() for t in range(6, 58)}
    weight = {t: np.exp(-0.2 * (57 - t) / 12) for t in off}
    mean, part, each = np.zeros(12), np.zeros(12), np.zeros(12)
    for month in range(12):
        mine = [t for t in off if (3 + t) % 12 == month]
        each[month] = sum(weight[t] for t in mine)
        mean[month] = sum(weight[t] * off[t] for t in mine) / each[month]
        part[month] = sum(weight[t] ** 2 for t in mine) / each[month] ** 2
    left = sum(weight[t] * (off[t] - mean[(3 + t) % 12]) ** 2 for t in off) / each.sum() * 52 / (52 - 12)
    differ, chance = mean - mean.mean() - expected, left * part.mean()
    beyond = max((differ**2).sum() / 11 - chance, 0)
    found = own_season(z[None], expected[None, None], origins=np.array([63]), first_month=3)
    np.testing.assert_allclose(found[0, 0], differ * beyond / (beyond + chance), rtol=1e-9)


# -- what must be true ------------------------------------------------------------------------------------


def test_a_straight_line_is_continued_with_half_its_slope():
    line = 5 + 0.3 * np.arange(40.0)
    path = at_the_end(line)
    assert ALPHAS[-1] == 0.9
    np.testing.assert_allclose(path.slope, 0.3)
    np.testing.assert_allclose(np.diff(path.theta[0, 0]), 0.15)
    # The drift's constant undoes half of what the level lags behind: from the end of the line half a step is left.
    lag = 0.3 * (1 - 0.9) / 0.9
    np.testing.assert_allclose(path.level[0, 0, -1], line[-1] - lag)
    np.testing.assert_allclose(path.theta[0, 0, -1, 0], line[-1] - lag + 0.15 / 0.9)


def test_a_constant_goes_on():
    path = at_the_end(np.full(15, 3.0))
    np.testing.assert_allclose(path.theta, 3)
    np.testing.assert_allclose(path.squares, 0)
    y, shift, origins = np.full((1, 40), 3.0), np.array([2.0]), np.array([39])
    np.testing.assert_allclose(theta_mixture(y, shift, origins=origins, ahead=4, season=NO_SEASON), 3)


@given(st.floats(-20, 20), st.floats(0.01, 50), st.integers(0, 50))
def test_a_constant_added_is_added_and_a_scale_scales(added: float, scale: float, seed: int):
    z, season = series(30, seed=seed), np.random.default_rng(seed).normal(size=(1, 1, PERIOD))
    one, other = at_the_end(z, season=season), at_the_end(added + scale * z, season=scale * season)
    np.testing.assert_allclose(other.theta, added + scale * one.theta, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(other.level, added + scale * one.level, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("first_month", [0, 5, 11])
def test_a_season_known_is_taken_out_and_put_back(first_month: int):
    z, season = series(31, seed=3), np.random.default_rng(3).normal(size=PERIOD)
    of_year = (first_month + np.arange(31 + AHEAD)) % PERIOD
    plain = at_the_end(z)
    path = at_the_end(z + season[of_year[:31]], season=season[None, None], first_month=first_month)
    np.testing.assert_allclose(path.theta[0, 0], plain.theta[0, 0] + season[of_year[31:]])
    np.testing.assert_allclose(path.squares, plain.squares)


@given(st.floats(1e-3, 1e6), st.integers(0, 50))
def test_another_currency_changes_nothing_but_the_unit(rate: float, seed: int):
    y, season = bookings(40, seed=seed)[None], np.random.default_rng(seed).normal(0, 0.2, (1, 1, PERIOD))
    options = {"origins": np.array([39]), "ahead": AHEAD, "season": season}
    one = theta_mixture(y, np.array([50.0]), **options)
    other = theta_mixture(y * rate, np.array([50.0 * rate]), **options)
    np.testing.assert_allclose(other, rate * one, rtol=1e-9)


@pytest.mark.parametrize("first_month", [0, 7])
def test_on_its_own_scale_the_expected_season_is_taken_as_it_is(first_month: int):
    # Twenty months are too few for a season of the series' own, so the mixture of one point is Theta with the season.
    y, season = 100 + bookings(20, seed=6)[None], np.random.default_rng(6).normal(0, 0.2, (1, 1, PERIOD))
    season -= season.mean()
    options = {"origins": np.array([19]), "ahead": AHEAD, "season": season, "first_month": first_month}
    found = theta_mixture(y, np.array([50.0]), alphas=[0.3], shares=[1.0], **options)
    path = theta_path(np.log(y / 50 + 1), alphas=[0.3], **options)
    np.testing.assert_allclose(found, 50 * (np.exp(path.theta[:, :, 0]) - 1))


def test_the_months_say_on_which_scale_they_are():
    # Noise of 30 % around a level that grows tenfold is one of logs; months without a booking are not outliers in logs.
    rng = np.random.default_rng(4)
    growing = 10 ** np.linspace(0, 1, 60) * np.exp(rng.normal(0, 0.3, 60))
    gaps = np.where(rng.random(60) < 0.2, 0.0, 5 + rng.normal(0, 0.3, 60))
    for y, share in ((growing, SHARES[0]), (gaps, SHARES[-1])):
        options = {"origins": np.array([59]), "ahead": 3, "season": NO_SEASON}
        every = theta_mixture(y[None], np.array([y.mean()]), **options)
        alone = theta_mixture(y[None], np.array([y.mean()]), shares=[share], **options)
        np.testing.assert_allclose(every, alone, rtol=0.02)


def test_a_season_is_found_where_there_is_one_and_not_in_noise():
    true = np.random.default_rng(5).normal(0, 1, PERIOD)
    true -= true.mean()
    noise = np.random.default_rng(6).normal(0, 0.3, (200, 72))
    origins, none = np.array([71]), np.zeros((200, 1, PERIOD))
    found = own_season(noise + np.resize(true, 72), none, origins=origins)[:, 0]
    assert np.sqrt(((found - true) ** 2).mean()) < 0.2  # five years of noise of .3: .15
    assert np.sqrt((own_season(noise, none, origins=origins) ** 2).mean()) < 0.05
    known = own_season(noise + np.resize(true, 72), none + true, origins=origins)
    assert np.sqrt((known**2).mean()) < 0.05
    assert (own_season(noise[:, :35], none, origins=np.array([34])) == 0).all()  # less than two years with their year


def test_every_origin_sees_its_own_past_only():
    z = np.stack([series(50, seed=s, season=0.5) for s in range(4)])
    z[2, :17] = np.nan
    origins = np.arange(10, 50)
    season = np.random.default_rng(1).normal(size=(4, 40, PERIOD))
    path = theta_path(z, origins=origins, ahead=AHEAD, season=season, first_month=3)
    for k in (0, 7, 13, 39):
        cut, known = z[:, : origins[k] + 1], season[:, [k]]
        alone = theta_path(cut, origins=origins[[k]], ahead=AHEAD, season=known, first_month=3)
        for name in ("theta", "level", "squares", "slope"):
            np.testing.assert_array_equal(getattr(path, name)[:, k], getattr(alone, name)[:, 0])


def test_every_origin_of_the_mixture_sees_its_own_past_only():
    y, shift = np.stack([bookings(60, seed=s) for s in range(4)]), np.full(4, 50.0)
    y[2, :17], y[3, ::5] = np.nan, 0.0
    origins = np.arange(10, 60)
    season = np.random.default_rng(1).normal(0, 0.2, size=(4, 50, PERIOD))
    found = theta_mixture(y, shift, origins=origins, ahead=AHEAD, season=season, first_month=3)
    for k in (0, 7, 33, 49):
        options = {"origins": origins[[k]], "season": season[:, [k]], "first_month": 3}
        alone = theta_mixture(y[:, : origins[k] + 1], shift, ahead=AHEAD, **options)
        np.testing.assert_allclose(found[:, k], alone[:, 0], rtol=1e-9)


def test_a_series_starts_when_it_starts_and_touches_no_other():
    z = series(30, seed=4)
    late = np.stack([series(40, seed=5), np.concatenate([np.full(10, np.nan), z])])
    both = theta_path(late, origins=np.array([8, 10, 39]), ahead=AHEAD)
    alone = theta_path(z[None], origins=np.array([0, 29]), ahead=AHEAD)
    assert np.isnan(both.theta[1, 0]).all()
    assert np.isnan(both.level[1, 0]).all()
    np.testing.assert_array_equal(both.theta[1, 1:], alone.theta[0])
    np.testing.assert_array_equal(both.slope[1, 1:], alone.slope[0])


@pytest.mark.filterwarnings("error")
def test_a_series_without_data_is_empty_and_nothing_is_changed():
    y, shift, origins = np.stack([np.full(9, np.nan), np.arange(9.0)]), np.array([1.0, 4.0]), np.array([8])
    season = np.full((2, 1, PERIOD), np.nan)
    kept = y.copy(), shift.copy(), season.copy()
    found = theta_mixture(y, shift, origins=origins, ahead=2, season=season)
    assert np.isnan(found[0]).all()
    assert (found[1] > 0).all()
    for before, after in zip(kept, (y, shift, season), strict=True):
        np.testing.assert_array_equal(before, after)


# -- statsmodels --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.05, 0.4, 0.95, 1.0])
def test_flat_smoothing_is_statsmodels(alpha: float):
    z = series(48)
    model = SimpleExpSmoothing(z, initialization_method="known", initial_level=z[0])
    fitted = model.fit(smoothing_level=alpha, optimized=False)
    np.testing.assert_allclose(at_the_end(z, alphas=[alpha]).level[0, 0], fitted.forecast(1), rtol=1e-12)
    np.testing.assert_allclose(at_the_end(z, alphas=[alpha]).squares[0, 0], fitted.sse, rtol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_theta_is_statsmodels_at_its_smoothing_constant(seed: int):
    """Both start the level at the first point and take the line by least squares, so nothing is left to differ."""
    z = series(30 + 7 * seed, seed=seed)
    fitted = ThetaModel(z, deseasonalize=False).fit()
    ours = at_the_end(z, alphas=[fitted.params["alpha"]])
    np.testing.assert_allclose(ours.slope[0, 0], fitted.params["b0"], rtol=1e-9)
    np.testing.assert_allclose(ours.theta[0, 0, 0], fitted.forecast(AHEAD, theta=2), rtol=1e-10)


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
    np.testing.assert_allclose(ours.theta[0, 0, 0], theirs, rtol=1e-10)
