"""Whether a figure is as promised: each test by hand, against a library, and in simulation; one level over a page."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

from forecast.errors import DataError, ParameterError
from forecast.evaluation import judgement
from forecast.evaluation.judgement import (
    Estimate,
    coverage,
    judge,
    mean_of,
    odds_in_the_end,
    odds_level,
    odds_of_last_day,
    odds_slope,
)
from forecast.evaluation.scores.comparison import diebold_mariano, holm
from forecast.evaluation.scores.events import wins_in_the_end, wins_interval

NAN = float("nan")


def estimate(value: float, p_value: float, **facts: Any) -> Estimate:
    given = {"promised": 0.0, "low": value - 0.1, "high": value + 0.1, "n": 20, "unit": "month", "fewest": 8, **facts}
    return Estimate(value=value, p_value=p_value, **given)


# -- one level over a page --------------------------------------------------------------------------------


def test_equal_weights_are_holms():
    p = np.array([0.01, 0.04, NAN, 0.03, 0.2])
    np.testing.assert_allclose(judgement.weighted_holm(p, np.ones(5)), holm(p))


def test_weights_by_hand():
    # p / w: 0.01 and 0.02 / 3, so the second comes first: 4 x .02 / 3; then 1 x .01, which may not be below it.
    np.testing.assert_allclose(judgement.weighted_holm([0.01, 0.02], [1, 3]), [0.08 / 3, 0.08 / 3])
    # 5 x .001 / 4, then 1 x .04
    np.testing.assert_allclose(judgement.weighted_holm([0.001, 0.04], [4, 1]), [0.00125, 0.04])


def test_all_false_claims_of_a_page_together_are_held_to_the_level():
    rng = np.random.default_rng(1)
    for weights in ([1.0] * 8, [6.0, 3.0, *[0.5] * 6]):
        claimed = [(judgement.weighted_holm(rng.random(8), weights) <= 0.05).any() for _ in range(4000)]
        assert np.mean(claimed) == pytest.approx(0.05, abs=0.012)


def test_what_may_be_said_of_an_estimate():
    found = judge({"high": estimate(0.5, 0.001), "low": estimate(-0.5, 0.001), "open": estimate(0.2, 0.3)})
    assert [found[name].verdict for name in ("high", "low", "open")] == ["above", "below", "unclear"]
    assert found["high"].is_apart
    assert found["high"].p_page == pytest.approx(0.003)
    assert not found["open"].is_apart


def test_as_promised_needs_an_interval_that_says_so():
    near = {"value": 0.01, "p_value": 0.8, "margin": 0.1}
    narrow, wide = estimate(**near, low=-0.05, high=0.07), estimate(**near, low=-0.2, high=0.2)
    assert judge({0: narrow})[0].verdict == "as promised"
    assert judge({0: wide})[0].verdict == "unclear"
    assert judge({0: estimate(0.01, 0.8, low=-0.001, high=0.02)})[0].verdict == "unclear"  # without a margin never


@pytest.mark.parametrize("p_value", [NAN, 0.0001])
def test_below_the_fewest_units_nothing_is_said(p_value: float):
    assert judge({0: estimate(5.0, p_value, n=7)})[0].verdict == "too few"


def test_nonsense_is_refused():
    with pytest.raises(ParameterError):
        judge({0: estimate(0.1, 0.1)}, level=0.0)
    with pytest.raises(ParameterError):
        judge({0: estimate(0.1, 0.1, weight=0.0)})
    with pytest.raises(DataError):
        judgement.weighted_holm([1.2], [1.0])
    with pytest.raises(DataError, match="0 nor 1"):
        odds_level([0.5], [0.5], [1])
    with pytest.raises(DataError, match="outside"):
        odds_slope([1.0], [1.5], [1])
    with pytest.raises(ParameterError):
        odds_level([1.0], [0.5, 0.5], [1])
    with pytest.raises(ParameterError):
        coverage([1.0], [1, 2], nominal=0.8)
    with pytest.raises(ParameterError):
        coverage([1.0], [1], nominal=1.0)


# -- odds -------------------------------------------------------------------------------------------------


def test_the_level_by_hand():
    # 40 deals at one half on 4 days, 7, 5, 6 and 6 of 10 won: the gap is -.1, alone its error is sqrt(10) / 40.
    day = np.repeat(range(4), 10)
    won = np.concatenate([np.arange(10) < count for count in (7, 5, 6, 6)]).astype(float)
    found = odds_level(won, np.full(40, 0.5), day)
    assert found.value == pytest.approx(-0.1)
    assert (found.n, found.unit) == (4, "day")
    by_day = stats.ttest_1samp([-2.0, 0.0, -1.0, -1.0], 0.0).pvalue
    alone = 2 * stats.norm.sf(0.1 / (np.sqrt(10) / 40))
    assert found.p_value == pytest.approx(max(by_day, alone))


@pytest.mark.parametrize(("deals", "days"), [(29, 4), (300, 3)])
def test_the_level_needs_deals_and_days(deals: int, days: int):
    found = odds_level(np.arange(deals) % 2, np.full(deals, 0.5), np.arange(deals) % days)
    assert np.isnan(found.p_value)
    assert judge({0: found})[0].verdict == "too few"


def draw(rng: np.random.Generator, n: int, *, slope: float = 1.0, days: int = 5) -> tuple[Any, Any, Any]:
    true, day = rng.normal(-0.5, 1.0, n), np.arange(n) % days
    return (rng.random(n) < expit(true)).astype(float), expit(slope * true), day


def test_the_slope_is_that_of_a_regression_with_a_level_a_day():
    won, p, day = draw(np.random.default_rng(3), 400)
    found = odds_slope(won, p, day)
    columns = np.column_stack([logit(p), *(day == at for at in range(5))]).astype(float)
    fitted = GLM(won, columns, family=Binomial()).fit()
    assert found.value == pytest.approx(fitted.params[0], abs=1e-6)
    np.testing.assert_allclose((found.low, found.high), fitted.conf_int()[0], atol=1e-5)
    restrained = GLM(won, columns[:, 1:], offset=logit(p), family=Binomial()).fit()
    ratio = stats.chi2.sf(2 * (fitted.llf - restrained.llf), 1)  # near the score test where there is much to go by
    assert found.p_value == pytest.approx(ratio, rel=0.1)


def test_what_a_day_brings_to_all_deals_does_not_move_the_slope():
    rng = np.random.default_rng(4)
    found = []
    for _ in range(200):
        true, day = rng.normal(-0.5, 1.0, 400), np.arange(400) % 5
        won = (rng.random(400) < expit(true + rng.normal(0, 1.0, 5)[day])).astype(float)
        found.append(odds_slope(won, expit(true), day).p_value <= 0.05)
    assert np.mean(found) == pytest.approx(0.05, abs=0.045)


def test_half_the_slope_is_found_and_no_slope_is_made_up():
    rng = np.random.default_rng(5)
    half = [judge({0: odds_slope(*draw(rng, 300, slope=0.5))})[0].verdict for _ in range(200)]
    assert np.mean([verdict == "above" for verdict in half]) >= 0.9
    right = [judge({0: odds_slope(*draw(rng, 300))})[0].is_apart for _ in range(400)]
    assert np.mean(right) <= 0.08


def days_with(won: list[int], *, deals: int = 100) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return odds of one half, and so many wins on each day."""
    happened = np.concatenate([np.arange(deals) < wins for wins in won]).astype(float)
    return happened, np.full(len(happened), 0.5), np.repeat(np.arange(len(won)), deals)


def test_the_last_day_by_hand():
    # 100 deals at .5: sqrt(sum p (1 - p)) = 5. The days before lie 5, 5 and 10 off, z = 1, -1 and 2: usual sqrt(2).
    found = odds_of_last_day(*days_with([45, 55, 40, 25]))
    assert found.value == pytest.approx(0.25)
    assert (found.n, found.unit, found.fewest) == (4, "day", 4)
    assert found.p_value == pytest.approx(2 * stats.t.sf(5 / np.sqrt(2), 3))
    half = stats.t.ppf(0.975, 3) * np.sqrt(2) * 5 / 100
    assert (found.low, found.high) == pytest.approx((0.25 - half, 0.25 + half))
    # Where the days before came true to the deal, the luck of the deals alone counts.
    assert odds_of_last_day(*days_with([50, 50, 50, 40])).p_value == pytest.approx(2 * stats.norm.sf(2))
    # What was always so is no change.
    assert odds_of_last_day(*days_with([40] * 8)).p_value > 0.3
    # Days that overlap say less.
    overlapping = odds_of_last_day(*days_with([45, 55, 40, 25]), overlap=2)
    assert overlapping.p_value == pytest.approx(2 * stats.t.sf(5 / np.sqrt(2), 1))


@pytest.mark.parametrize(
    ("won", "deals", "unit"), [([5, 5, 5, 5], 10, "deal"), ([50, 50, 50], 100, "day"), ([0, 0, 0, 0], 100, "day")]
)
def test_the_last_day_is_not_judged_on_too_little(won, deals, unit):
    happened, p, day = days_with(won, deals=deals)
    found = odds_of_last_day(happened, p if any(won) else p * 0.02, day)
    assert np.isnan(found.p_value)
    assert found.unit == unit
    assert judge({0: found})[0].verdict == "too few"
    assert judge({0: odds_of_last_day([], [], [])})[0].verdict == "too few"


@pytest.mark.parametrize("shared", [0.0, 0.3])
def test_the_last_day_of_odds_that_are_right_is_rarely_called_wrong(shared):
    rng, found = np.random.default_rng(11), []
    for _ in range(400):
        day, true = np.repeat(np.arange(8), 100), rng.normal(-0.8, 1.0, 800)
        luck = rng.normal(0, shared, 8)[day] if shared else 0.0
        p = expit(true * np.sqrt(1 + (shared * 0.588) ** 2) + luck)  # whose mean over luck is expit(true)
        found.append(odds_of_last_day(rng.random(800) < p, expit(true), day).p_value <= 0.05)
    assert np.mean(found) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 400)


def test_odds_all_alike_have_no_slope():
    assert np.isnan(odds_slope(np.arange(60) % 2, np.full(60, 0.5), np.zeros(60)).p_value)
    days = np.repeat(np.array(["2026-01-31", "2026-04-30"], dtype="datetime64[us]"), 30)
    for won in (0.0, 1.0):  # on no day did some happen and some not
        assert np.isnan(odds_slope(np.full(60, won), np.linspace(0.1, 0.9, 60), days).p_value)
    assert np.isnan(odds_slope([], [], days[:0]).p_value)
    some = odds_slope(np.r_[np.arange(30) % 2, np.zeros(30)], np.linspace(0.1, 0.9, 60), days)
    assert some.n == 30  # the other day says nothing


def test_days_that_overlap_say_less():
    won, p, day = draw(np.random.default_rng(6), 400, slope=0.6)
    assert odds_slope(won, p, day, overlap=2).p_value > odds_slope(won, p, day).p_value
    assert odds_level(won, p, day, overlap=2).p_value > odds_level(won, p, day).p_value


def test_wins_by_a_day_are_held_against_those_expected_by_then():
    # 100 deals at .4, of which 25 were won: 15 fewer than expected, in 100.
    found = odds_in_the_end(25, 40, 100 * 0.24, deals=100)
    error = np.sqrt(2 * 24) / 100
    assert (found.value, found.n) == (pytest.approx(0.15), 100)
    assert (found.low, found.high) == pytest.approx((0.15 - 1.96 * error, 0.15 + 1.96 * error), abs=1e-4)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(0.15 / error))
    # 100 expected, spread 50, known to 97 to 104: luck is 19.6, and what is not known is added in squares.
    wide = wins_interval(100, 50, deals=200, low=97, high=104)
    assert wide == pytest.approx((100 - np.hypot(19.6, 3), 100 + np.hypot(19.6, 4)), abs=1e-2)
    assert wins_in_the_end([0.5, 0.5], [0.4, 0.5], [0.5, 0.5]) == (1.0, 0.0, 2.0)  # of two deals nothing is known
    assert wins_interval(40, 24, deals=100) == pytest.approx((40 - 196 * error, 40 + 196 * error), abs=1e-2)
    verdicts = [judge({0: odds_in_the_end(won, 40, 24, deals=100)})[0].verdict for won in (15, 38, 65)]
    assert verdicts == ["above", "unclear", "below"]


def test_where_few_are_won_as_promised_means_near_to_these_few():
    # 115 instead of 100, of 10,000 deals: .0015 of the deals, but .15 of the wins.
    assert judge({0: odds_in_the_end(115, 100, 99, deals=10_000)})[0].verdict == "unclear"
    assert judge({0: odds_in_the_end(10_050, 10_000, 5000, deals=20_000)})[0].verdict == "as promised"


def test_too_few_deals_or_deals_that_are_certain_say_nothing_of_a_win_ever():
    assert judge({0: odds_in_the_end(9, 9, 6, deals=29)})[0].verdict == "too few"
    assert np.isnan(odds_in_the_end(990, 999, 1.0, deals=1000).p_value)
    for won, expected, spread in ((11, 5, 2), (5, 11, 2), (5, 5, -1), (np.nan, 5, 2)):
        with pytest.raises(DataError):
            odds_in_the_end(won, expected, spread, deals=10)


# -- ranges -----------------------------------------------------------------------------------------------


def test_one_range_a_month_is_the_binomial_test():
    held = (np.arange(23) < 11).astype(float)
    found = coverage(held, np.arange(23), nominal=0.8)
    assert found.p_value == pytest.approx(2 * stats.binom.cdf(11, 23, 0.8))
    every = coverage(np.ones(23), np.arange(23), nominal=0.8)
    assert every.p_value == pytest.approx(2 * 0.8**23)
    assert judge({0: coverage(np.ones(3), np.arange(3), nominal=0.8)})[0].verdict == "too few"


def test_segments_of_one_month_share_its_luck():
    month = np.repeat(np.arange(20), 8)
    together = np.repeat((np.arange(20) < 12).astype(float), 8)  # all segments of a month hold, or none
    found = coverage(together, month, nominal=0.8)
    months = stats.ttest_1samp(np.repeat([1.0, 0.0], [12, 8]), 0.8).pvalue
    assert found.p_value == pytest.approx(months)
    assert found.p_value > 100 * judgement.binomial_p(96, 160, 0.8)
    assert coverage(np.ones(160), month, nominal=0.8).p_value == pytest.approx(2 * 0.8**20)


def test_a_share_just_as_promised_is_no_narrower_for_it():
    # 16 of 20 months hold with all their segments: just 80 %, and known no better than from 20 ranges.
    found = coverage(np.repeat((np.arange(20) < 16).astype(float), 8), np.repeat(np.arange(20), 8), nominal=0.8)
    assert found.p_value == 1.0
    assert found.high - found.low > 0.35
    assert judge({0: found})[0].verdict == "unclear"


def test_ranges_further_ahead_overlap():
    for held in ((np.arange(24) % 4 < 2).astype(float), (np.arange(24) % 5 < 2).astype(float)):
        alone = coverage(held, np.arange(24), nominal=0.8)
        assert coverage(held, np.arange(24), nominal=0.8, overlap=6).p_value > alone.p_value


def test_right_ranges_are_rarely_called_wrong():
    rng, wrong, narrow = np.random.default_rng(7), [], []
    month = np.repeat(np.arange(23), 8)
    for _ in range(500):
        errors = (rng.normal(size=(23, 8)) + rng.normal(size=(23, 1))).ravel() / np.sqrt(2)
        wrong.append(coverage(np.abs(errors) < 1.2816, month, nominal=0.8).p_value <= 0.05)
        narrow.append(coverage(np.abs(errors) < 0.6408, month, nominal=0.8).p_value <= 0.05)
    assert np.mean(wrong) <= 0.07
    assert np.mean(narrow) >= 0.95


# -- means ------------------------------------------------------------------------------------------------


def test_a_mean_is_tested_as_two_forecasts_are():
    values = np.array([1.0, 2.0, 0.5, 1.5, 2.5, 1.0, 2.0, 0.0, 1.0])
    found, test = mean_of(values, promised=0.5), diebold_mariano(values, np.full(9, 0.5))
    assert found.p_value == test.p_value
    assert found.value == pytest.approx(values.mean())
    half = stats.t.ppf(0.975, test.df) * (values.mean() - 0.5) / test.statistic
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half))


def test_months_that_are_all_as_far_away_are_counted():
    assert mean_of(np.ones(12), promised=0.4).p_value == pytest.approx(2 / 2**12)
    assert mean_of(np.ones(12), promised=1.0).p_value == 1.0
    assert np.isnan(mean_of(np.ones(5), promised=0.4).p_value)
    assert mean_of(np.tile([1.0, 1.0, 0.0, 0.0], 6), promised=0.1).p_value == 1.0  # a rhythm hides the variance


def test_where_sums_and_months_point_in_different_ways_nothing_is_said():
    rng = np.random.default_rng(8)
    values = 1.0 + rng.normal(0, 0.1, 12)
    assert mean_of(values).p_value < 0.01
    assert mean_of(values, value=-0.2, target=0.0).p_value == 1.0
