"""Intervals of shares, ratios and quantiles: by hand, against statsmodels, and how often they hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from forecast.errors import ParameterError
from forecast.evaluation.scorecard.figures import intervals


def cases(happened: int, n: int) -> np.ndarray:
    return np.arange(n) < happened


@given(st.integers(1, 200), st.data())
def test_the_share_of_separate_cases_is_wilson_s(n: int, data: st.DataObject):
    happened = data.draw(st.integers(0, n))
    reference = proportion_confint(happened, n, method="wilson")
    assert intervals.share(cases(happened, n)) == pytest.approx(reference)
    assert intervals.wilson(happened / n, n) == pytest.approx(reference, abs=1e-12)


def test_a_share_by_hand():
    # p = 1/2 of 4, q = 1.96: (.5 + .4802 +- 1.96 sqrt(.0625 + .0600)) / 1.9604
    low, high = intervals.wilson(0.5, 4)
    assert (low, high) == pytest.approx((0.1500, 0.8500), abs=1e-4)
    assert intervals.share(cases(0, 0)) == pytest.approx((np.nan, np.nan), nan_ok=True)


def test_cases_of_one_month_count_as_one():
    # Ten deals a month, all won or all lost: six months are six cases.
    month = np.repeat(np.arange(6), 10)
    together = intervals.share_by(month % 2, month)
    alone = intervals.share_by(np.tile([0, 1], 30), month)
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])
    # The design effect by hand: rests +-5, 6/5 x 6 x 25 / (60 / 4) = 12, times (t of 5 degrees 2.5706 / 1.96)^2.
    assert together == pytest.approx(intervals.wilson(0.5, 60 / (12 * (2.570582 / 1.959964) ** 2)))
    assert alone == pytest.approx(intervals.wilson(0.5, 60))
    assert np.isnan(intervals.share_by([1, 0], [7, 7])).all()
    all_of_them = intervals.share_by([1, 1, 1, 1], [1, 1, 2, 2])
    assert all_of_them[1] == 1
    assert all_of_them[0] < 1


def test_a_ratio_by_hand():
    # 3/10 over two months of 10 and 10 with 2 and 4: rests -1 and 1, error sqrt(2 x 2) / 20 = .1, t of 1 degree 12.706.
    assert intervals.ratio([2, 4], [10, 10]) == pytest.approx((0.3 - 1.2706, 0.3 + 1.2706), abs=1e-3)
    assert np.isnan(intervals.ratio([2], [10])).all()
    assert np.isnan(intervals.ratio([1, 2], [10, 20])).all()  # no unit differs
    assert np.isnan(intervals.ratio([0, 0], [0, 0])).all()
    values = np.array([3.0, 5.0, 10.0])
    half = 4.302653 * values.std(ddof=1) / np.sqrt(3)
    assert intervals.mean(values) == pytest.approx((6 - half, 6 + half))


def test_a_share_of_amounts_by_hand():
    # 2 and 4 of 10 and 10, as above: variance .01. The amounts 2, 8, 4, 6 come to 400 / 120 = 3.33 equal ones, which
    # have .21 / 3.33 = .063; seen in 2 months and 4 more: (2 x .01 + 4 x .063) / 6. t of 1 degree, there are 2 months.
    found = intervals.share_of_amounts([1, 0, 1, 0], [2, 8, 4, 6], ["A", "A", "B", "B"])
    variance = (2 * 0.01 + 4 * 0.063) / 6
    assert found == pytest.approx(intervals.wilson(0.3, 0.21 / variance, quantile=12.706205))
    assert np.isnan(intervals.share_of_amounts([1, 0], [2, 8], ["A", "A"])).all()
    assert np.isnan(intervals.share_of_amounts([1, 1], [2, 8], ["A", "B"])).all()
    assert np.isnan(intervals.share_of_amounts([1, 0], [2, -8], ["A", "B"])).all()
    with pytest.raises(ParameterError, match="shapes"):
        intervals.share_of_amounts([1, 0], [2, 8, 1], ["A", "B"])


def test_the_ends_of_a_share_of_amounts_change_places_with_its_rest():
    rng = np.random.default_rng(4)
    happened, amount, unit = rng.random(40) < 0.3, np.exp(rng.normal(0, 1.3, 40)), rng.integers(0, 12, 40)
    low, high = intervals.share_of_amounts(happened, amount, unit)
    assert intervals.share_of_amounts(~happened, amount, unit) == pytest.approx((1 - high, 1 - low))
    assert intervals.share_of_amounts(happened, 7 * amount, unit) == pytest.approx((low, high))


@pytest.mark.slow
@pytest.mark.parametrize(("deals", "share", "spread"), [(2, 0.2, 1.3), (6, 0.05, 1.3), (6, 0.2, 0.8), (30, 0.2, 1.3)])
def test_shares_of_a_few_large_amounts_are_held_as_often_as_stated(deals: int, share: float, spread: float):
    # Twelve months of so many deals each, amounts with a long tail; by months alone .80 to .94 held.
    rng, held = np.random.default_rng(7), []
    for _ in range(1500):
        unit = np.repeat(np.arange(12), rng.poisson(deals, 12))
        happened, amount = rng.random(len(unit)) < share, np.exp(rng.normal(0, spread, len(unit)))
        low, high = intervals.share_of_amounts(happened, amount, unit)
        if not np.isnan(low):
            held.append(low <= share <= high)
    assert 0.93 <= np.mean(held) <= 0.985


@given(st.integers(1, 120), st.sampled_from([0.1, 0.5, 0.9]))
def test_a_quantile_lies_outside_at_most_one_time_in_forty_on_each_side(n: int, q: float):
    low, high = intervals.quantile(np.arange(1, n + 1), q)
    below = binom(n, q)
    if np.isnan(low):
        assert below.cdf(0) > 0.025
    else:  # the low-th value is too high where fewer than low lie below the quantile
        assert below.cdf(low - 1) <= 0.025 < below.cdf(low)
    if np.isnan(high):
        assert below.cdf(n - 1) < 0.975
    else:  # the high-th value is too low where high or more lie below it
        assert below.sf(high - 1) <= 0.025 + 1e-12
        assert high == 1 or below.sf(high - 2) > 0.025


def test_the_ends_move_with_the_values():
    values = np.array([4.0, 1.0, 3.0, 2.0, 8.0, 9.0, 7.0, 6.0, 5.0, 10.0])
    low, high = intervals.quantile(values, 0.5)
    assert (low, high) == (2, 9)  # 10 values: P(at most 1 below) = 1.1 %
    assert intervals.quantile(3 * values, 0.5) == (6, 27)


@pytest.mark.parametrize(
    "call",
    [
        lambda: intervals.share([0.5]),
        lambda: intervals.share_by([1, 0], [1]),
        lambda: intervals.wilson(1.5, 3),
        lambda: intervals.wilson(0.5, 0),
        lambda: intervals.ratio([1], [1, 2]),
        lambda: intervals.quantile([1], 1.0),
    ],
)
def test_what_is_no_share_is_refused(call):
    with pytest.raises(ParameterError):
        call()


@pytest.mark.slow
def test_intervals_hold_where_months_share_their_luck():
    rng = np.random.default_rng(601)
    held = {"share": 0, "ratio": 0, "quantile": 0}
    month = np.repeat(np.arange(12), 15)
    for _ in range(1_000):
        luck = rng.beta(6, 4, 12)
        low, high = intervals.share_by(rng.random(180) < luck[month], month)
        held["share"] += low <= 0.6 <= high
        size = rng.lognormal(0, 0.5, (12, 30))
        low, high = intervals.ratio((size * (rng.random((12, 30)) < 0.4)).sum(axis=1), size.sum(axis=1))
        held["ratio"] += low <= 0.4 <= high
        low, high = intervals.quantile(rng.exponential(size=60), 0.5)
        held["quantile"] += low <= np.log(2) <= high
    assert 936 <= held["share"] <= 970
    assert 936 <= held["ratio"] <= 970
    assert 945 <= held["quantile"] <= 985  # ranks are whole: a little more than 95 %
