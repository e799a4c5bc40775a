"""The cumulative incidence: by hand, against statsmodels, and what it says where losses are never closed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.duration.survfunc import CumIncidenceRight
from statsmodels.stats.proportion import proportion_confint

from forecast.errors import ParameterError
from forecast.evaluation.scorecard.figures import intervals
from forecast.evaluation.scorecard.funnel.incidence import (
    MOST_OPEN,
    cumulative_incidence,
    followed_to,
    share_of,
    with_to_come,
)


def test_by_hand():
    # Won at 1 and 3, lost at 2, one open since 2: F1 = 1/4 + 1/2 x 1/1, F2 = 3/4 x 1/3.
    seen = cumulative_incidence([1, 2, 2, 3], [1, 2, 0, 1])
    np.testing.assert_allclose(seen.reached, [[0.25, 0.25, 0.75], [0.0, 0.25, 0.25]])
    assert seen.still_open == pytest.approx(0.0)
    assert seen.waited(0.3) == 1
    assert seen.waited(0.5) == 3
    assert seen.ended_by(0.5) == 2
    assert seen.of_ended().value == pytest.approx(0.75)
    # A weight of two is two deals, as far as the share goes.
    doubled = cumulative_incidence([1, 1, 2, 2, 3], [1, 1, 2, 0, 1])
    heavy = cumulative_incidence([1, 2, 2, 3], [1, 2, 0, 1], weight=[2, 1, 1, 1])
    np.testing.assert_allclose(doubled.reached, heavy.reached)


def _random(seed: int, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    time = np.ceil(rng.exponential(60, n))
    followed = rng.integers(1, 200, n)
    return np.minimum(time, followed), np.where(time <= followed, rng.integers(1, 3, n), 0)


def test_the_curve_and_its_spread_are_those_of_statsmodels():
    for seed in range(3):
        time, cause = _random(seed)
        theirs = CumIncidenceRight(np.append(time, 999), np.append(cause, 0))  # the last one stays, else theirs is NaN
        seen = cumulative_incidence(np.append(time, 999), np.append(cause, 0))
        at = np.searchsorted(theirs.times, seen.times)
        for end in (0, 1):
            np.testing.assert_allclose(seen.reached[end], theirs.cinc[end][at], atol=1e-12)
        for until in (20, 60, 120):
            part, place = cumulative_incidence(time, cause, until=until), np.searchsorted(theirs.times, until + 1) - 1
            for end in (0, 1):
                se = np.sqrt(part.added[end] @ part.added[end])
                assert se == pytest.approx(theirs.cinc_se[end][place], rel=0.03)


def test_what_each_adds_is_the_derivative_by_its_weight():
    time, cause = _random(7, 40)
    seen = cumulative_incidence(time, cause)
    for i in range(0, 40, 7):
        weight = np.ones(40)
        weight[i] += 1e-6
        moved = cumulative_incidence(time, cause, weight=weight)
        np.testing.assert_allclose(
            (moved.reached[:, -1] - seen.reached[:, -1]) / 1e-6, seen.added[:, i], atol=1e-5, rtol=1e-4
        )


def test_where_all_were_followed_it_is_wilsons_interval():
    share = share_of([True] * 12 + [False] * 28)
    low, high = proportion_confint(12, 40, method="wilson")
    assert (share.value, share.low, share.high) == pytest.approx((0.3, low, high))
    none = share_of([False] * 20)
    assert (none.low, none.high) == pytest.approx(proportion_confint(0, 20, method="wilson"), abs=1e-9)
    assert np.isnan(share_of([]).value)


def test_by_value_the_spread_is_that_of_a_ratio_of_sums():
    rng = np.random.default_rng(3)
    yes, value = rng.random(400) < 0.3, rng.lognormal(0, 1, 400)
    p = (value * yes).sum() / value.sum()
    seen = cumulative_incidence(np.ones(400), np.where(yes, 1, 2), weight=value)
    assert seen.share().value == pytest.approx(p)
    assert (seen.added[0] ** 2).sum() == pytest.approx(((value * (yes - p)) ** 2).sum() / value.sum() ** 2)


@given(st.integers(0, 10_000))
def test_shares_add_up_and_lie_in_their_intervals(seed: int):
    time, cause = _random(seed, 30)
    seen = cumulative_incidence(time, cause)
    np.testing.assert_allclose(seen.reached.sum(axis=0) + seen.open, 1.0)
    share = seen.share()
    assert 0 <= share.low <= share.value <= share.high <= 1


def test_losses_that_are_never_closed_do_not_raise_the_rate():
    # Of 1,000 deals 510 are won and 490 lost within half a year; of the losses 60 % stay open for ever. All were
    # created more than a year ago. The deals closed say 72 %; followed from their creation, 51 %.
    rng = np.random.default_rng(1)
    followed = rng.integers(400, 700, 1000)
    cause = np.repeat([1, 2, 0], [510, 196, 294])
    time = np.where(cause > 0, rng.integers(10, 180, 1000), followed)
    seen = cumulative_incidence(time, cause, until=followed_to(followed))
    naive = share_of(cause[cause > 0] == 1)
    assert naive.value == pytest.approx(0.72, abs=0.005)
    assert naive.low > 0.51
    assert seen.share().value == pytest.approx(0.51)
    assert seen.still_open == pytest.approx(0.294)
    assert seen.to_come < 0.015


def test_without_any_loss_a_tenth_is_a_tenth_once_the_rest_are_old():
    rng = np.random.default_rng(2)
    followed = rng.integers(400, 700, 500)
    cause = np.repeat([1, 0], [50, 450])
    time = np.where(cause > 0, rng.integers(10, 180, 500), followed)
    seen = cumulative_incidence(time, cause, until=followed_to(followed))
    assert share_of(cause[cause > 0] == 1).value == 1.0
    assert seen.share().value == pytest.approx(0.10)
    assert seen.to_come < 0.03


def test_deals_that_are_merely_slow_cannot_be_told_from_those_left_open():
    # The same tenth is won, but half as many again could be: wins still come at the oldest ages.
    rng = np.random.default_rng(3)
    followed = np.full(500, 180)
    cause = np.repeat([1, 0], [50, 450])
    time = np.where(cause > 0, rng.integers(10, 180, 500), followed)
    assert cumulative_incidence(time, cause).to_come > MOST_OPEN


def test_the_oldest_age_is_one_to_which_enough_were_followed():
    assert np.isnan(followed_to(np.arange(9)))
    assert followed_to(np.arange(1, 11)) == 1
    assert followed_to(np.arange(1, 1001)) == 951  # one in twenty


def test_what_is_wrong_is_said():
    with pytest.raises(ParameterError, match="not two rows"):
        cumulative_incidence([1.0], [1, 2])
    with pytest.raises(ParameterError, match="0 or more"):
        cumulative_incidence([np.nan], [1])
    with pytest.raises(ParameterError, match="from 1 to 2"):
        cumulative_incidence([1.0], [3])
    with pytest.raises(ParameterError, match="above 0"):
        cumulative_incidence([1.0], [1], weight=[0.0])
    assert cumulative_incidence([], []).share().high == 1.0


def test_what_ended_long_ago_adds_next_to_nothing_by_hand():
    # Of forty 30 ended on the first day, ten are open after 100 days. Younger half: 30 in 30 x 1 + 10 x 50 days, at
    # least 20.24 of them (chi-squared); older: none in 500 days, at most 3.69. The rate falls to .00738 / .03819 = .193
    # of itself, so that 50 x .193 x 1.193 = 11.5 days at .00738 remain: 1 - exp(-.0851) of the quarter that is open.
    seen = cumulative_incidence(np.repeat([1.0, 100.0], [30, 10]), np.repeat([1, 0], [30, 10]), until=100.0)
    least, most = stats.chi2.ppf(0.025, 60) / 2 / 530, stats.chi2.ppf(0.975, 2) / 2 / 500
    fall = most / least
    assert fall == pytest.approx(0.193, abs=1e-3)
    assert seen.likely_to_come == pytest.approx(0.25 * -np.expm1(-most * 50 * fall * (1 + fall)))
    assert seen.likely_to_come == pytest.approx(0.0204, abs=1e-4)
    assert seen.to_come == pytest.approx(0.25 * -np.expm1(-most * 100))
    assert with_to_come(seen).high == pytest.approx(seen.share().high + seen.likely_to_come)


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 5.0))
def test_no_more_is_likely_to_come_than_may_come_at_most(seed: int, shape: float):
    rng = np.random.default_rng(seed)
    time, followed = 100 * rng.weibull(shape, 200), rng.uniform(20, 200, 200)
    cause = np.where(time <= followed, rng.integers(1, 3, 200), 0)
    seen = cumulative_incidence(np.minimum(time, followed), cause, until=followed_to(followed))
    assert 0 <= seen.likely_to_come <= seen.to_come * (1 + 1e-12)


def test_where_the_rate_has_not_fallen_all_that_may_come_is_likely():
    # One a day comes all along: nothing says that they stop.
    time, cause = (
        np.append(np.arange(1.0, 101.0), np.full(300, 100.0)),
        np.append(np.ones(100, int), np.zeros(300, int)),
    )
    seen = cumulative_incidence(time, cause, until=100.0)
    assert seen.likely_to_come == pytest.approx(seen.to_come)


def test_the_interval_of_a_share_by_weight_by_hand():
    # One large deal lost, two small ones, one of them won: weights 4, 1, 1, so 36/18 = 2 equal ones, and by their
    # squares 18^2 / 258 = 1.256. The share is 1/6, its variance seen ((4/6)^2 + (5/6)^2 + (1/6)^2) / 36 = .0324, that
    # of two equal ones (1/6) (5/6) / 2 = .0694: averaged 1.256 to 4, .0606, which 2.29 deals would have.
    found = share_of([False, True, False], weight=[4.0, 1.0, 1.0])
    seen = ((4 / 6) ** 2 + (5 / 6) ** 2 + (1 / 6) ** 2) / 36
    averaged = (324 / 258 * seen + 4 * 5 / 72) / (324 / 258 + 4)
    t = 12.706205  # of one degree
    low, high = intervals.wilson(1 / 6, 5 / 36 / averaged, quantile=t)
    assert (found.value, found.low, found.high) == pytest.approx((1 / 6, low, high))


def test_equal_weights_change_nothing_but_the_quantile():
    yes = np.arange(60) < 20
    found = share_of(yes, weight=np.full(60, 7.0))
    t = stats.t.ppf(0.975, 59)
    assert (found.low, found.high) == pytest.approx(intervals.wilson(1 / 3, 60, quantile=t))


def test_shares_by_value_of_few_deals_lie_in_their_intervals():
    # Sixty deals with a long tail of amounts; large ones are won less often. Of 400 companies 95 % less two standard
    # errors is .928; without the variance of equal deals it would be .93 and less.
    rng = np.random.default_rng(11)

    def deals(n: int) -> tuple[np.ndarray, np.ndarray]:
        amount = np.exp(0.65 * rng.standard_normal(n) + rng.exponential(0.4, n))
        return amount, rng.random(n) < 1 / (1 + np.exp(0.8 + 0.3 * np.log(amount)))

    amount, won = deals(2_000_000)
    true = amount[won].sum() / amount.sum()
    held = 0
    for _ in range(400):
        amount, won = deals(60)
        found = share_of(won, weight=amount)
        held += found.low <= true <= found.high
    assert held / 400 >= 0.928
