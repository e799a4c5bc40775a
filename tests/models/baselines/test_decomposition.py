"""Bookings taken apart: parts that are known, statsmodels by hand, and noise that must not be called a season."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.tsa.seasonal import STL

from forecast.errors import DataError, ParameterError
from forecast.models.baselines.decomposition import RARE, seasonal_trend
from forecast.wording import THIN

SEASON = np.array([-4.0, -2.0, 1.0, 3.0, 5.0, 2.0, 0.0, -1.0, -3.0, -2.0, 0.0, 1.0])  # sums to 0


def company(months: int, *, slope: float = 0.0, season: float = 0.0, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng([seed, 3])
    return 100.0 + slope * np.arange(months) + season * np.resize(SEASON, months) + noise * rng.standard_normal(months)


@pytest.mark.parametrize(("months", "explained"), [(24, "99.9 %"), (31, "100 %"), (60, "99.9 %")])
def test_known_parts_are_found(months, explained):
    parts = seasonal_trend(company(months, slope=0.5, season=2.0))
    np.testing.assert_allclose(parts.trend, 100.0 + 0.5 * np.arange(months), atol=0.25)
    np.testing.assert_allclose(parts.seasonal, 2.0 * np.resize(SEASON, months), atol=0.25)
    np.testing.assert_allclose(parts.remainder, 0.0, atol=0.1)
    assert min(parts.trend_strength, parts.season_strength) > 0.999
    assert max(parts.trend_by_chance, parts.season_by_chance) == 1 / 100
    assert parts.note == (
        f"A strong trend: it explains {explained} of how months vary once the season is taken out. "
        f"A strong season: it explains {explained} of how months vary around the trend."
    ).replace(" %", f"{THIN}%")


def test_it_is_statsmodels_stl_with_a_constant_season():
    bookings = company(40, slope=0.3, season=1.0, noise=4.0)
    found = STL(bookings, period=12, seasonal=401, seasonal_deg=0).fit()
    parts = seasonal_trend(bookings)
    np.testing.assert_array_equal(parts.trend, found.trend)
    np.testing.assert_array_equal(parts.seasonal, found.seasonal)
    np.testing.assert_array_equal(parts.remainder, found.resid)
    assert parts.season_strength == pytest.approx(1 - found.resid.var() / (found.seasonal + found.resid).var())
    assert parts.trend_strength == pytest.approx(1 - found.resid.var() / (found.trend + found.resid).var())
    # The season of a month is the same every year, but for what R's "periodic" would still average away.
    assert np.abs(parts.seasonal[12:] - parts.seasonal[:-12]).max() < 0.02


def test_a_season_without_a_trend_and_a_trend_without_a_season():
    season = seasonal_trend(company(48, season=1.0, noise=1.0))
    assert season.season_by_chance <= RARE < season.trend_by_chance
    assert season.note.startswith("No trend beyond chance: the same months in random order show one as strong in ")
    trend = seasonal_trend(company(48, slope=0.3, noise=1.0))
    assert trend.trend_by_chance <= RARE < trend.season_by_chance
    assert "A strong trend" in trend.note
    assert "No season beyond chance" in trend.note


@pytest.mark.parametrize(
    ("trend", "season", "has"),
    [(0.02, 0.5, (True, False)), (0.04, 0.5, (False, False)), (0.04, 0.02, (True, True)), (0.04, 0.04, (False, False))],
)
def test_two_looks_at_one_series_are_held_to_one_level(trend, season, has):
    parts = replace(seasonal_trend(company(24)), trend_by_chance=trend, season_by_chance=season)
    assert (parts.has_trend, parts.has_season) == has
    assert ("No trend beyond chance" in parts.note, "No season beyond chance" in parts.note) == (not has[0], not has[1])


@pytest.mark.slow
@pytest.mark.parametrize("months", [24, 36])
def test_noise_is_rarely_called_a_season(months):
    # The strength alone would mislead: of noise it is .55 in two years and .34 in three, in the median.
    parts = [seasonal_trend(company(months, noise=1.0, seed=seed)) for seed in range(40)]
    assert np.median([each.season_strength for each in parts]) > 0.25
    assert np.mean([each.season_by_chance <= RARE for each in parts]) <= 0.1
    assert np.mean([each.trend_by_chance <= RARE for each in parts]) <= 0.1


@pytest.mark.parametrize("months", [0, 1, 12, 23])
def test_fewer_than_two_years_are_refused(months):
    with pytest.raises(DataError, match=f"{months} complete months of bookings are known.*24"):
        seasonal_trend(np.ones(months))


@pytest.mark.parametrize("value", [0.0, 7.5, 1e9])
def test_months_that_are_all_the_same_have_neither(value):
    parts = seasonal_trend(np.full(36, value))
    np.testing.assert_array_equal(parts.trend, value)
    assert not parts.seasonal.any()
    assert not parts.remainder.any()
    assert parts.trend_strength == parts.season_strength == 0
    assert "No trend" in parts.note
    assert "No season" in parts.note


@pytest.mark.parametrize("bad", [np.full(36, np.nan), np.r_[np.ones(35), np.inf], np.ones((3, 36))])
def test_what_is_not_one_series_of_numbers_is_an_error(bad):
    with pytest.raises(ValueError, match="one series of finite numbers"):
        seasonal_trend(bad)


def test_the_same_seed_gives_the_same_and_a_bad_one_is_refused():
    bookings = company(36, season=0.2, noise=2.0)
    before = bookings.copy()
    one, two = seasonal_trend(bookings, seed=3), seasonal_trend(bookings, seed=3)
    assert (one.trend_by_chance, one.season_by_chance) == (two.trend_by_chance, two.season_by_chance)
    np.testing.assert_array_equal(bookings, before)
    with pytest.raises(ParameterError, match="seed"):
        seasonal_trend(bookings, seed=-1)


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.floats(0, 1e9), min_size=24, max_size=50),
    st.floats(0.01, 1e4),
)
def test_parts_add_up_and_scale(months, factor):
    bookings = np.array(months)
    parts = seasonal_trend(bookings)
    size = max(bookings.max(), 1e-300)
    np.testing.assert_allclose(parts.trend + parts.seasonal + parts.remainder, bookings, atol=1e-9 * size)
    for share in (parts.trend_strength, parts.season_strength):
        assert 0 <= share <= 1
    larger = seasonal_trend(bookings * factor)
    np.testing.assert_allclose(larger.seasonal, parts.seasonal * factor, atol=1e-7 * size * factor)


def test_the_strongest_month_is_ranked_by_tukeys_range_of_twelve():
    # Four years, a remainder of +-1: scatter sqrt(48 / 32) = 1.22, and by the published table q(.05; 12, 32) is 4.98
    # (12, 30: 5.00; 12, 40: 4.90), so months differ from 4.98 x 1.22 / 2 = 3.05 on.
    parts = replace(
        seasonal_trend(company(48, season=1.0)),
        remainder=np.resize([1.0, -1.0], 48),
        seasonal=np.resize([10.0, 7.1, 6.8] + [0.0] * 9, 48),
    )
    assert parts.strongest.tolist() == [0, 1]


def test_without_a_remainder_the_highest_month_is_the_strongest():
    parts = replace(seasonal_trend(company(31)), seasonal=np.resize(SEASON, 31), remainder=np.zeros(31))
    assert parts.strongest.tolist() == [np.argmax(np.resize(SEASON, 31)[-12:])]
