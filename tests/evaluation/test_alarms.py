"""Sequential alarms: bets by hand and fair under the null, evidence against a published run length, bad input."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.special import ndtr
from statsmodels.tsa.stattools import acf

from forecast.errors import DataError, ParameterError
from forecast.evaluation import alarms
from forecast.evaluation.alarms import SHARES, habit_bets, limit, persistence, range_bets, side_bets, watch

NAN = float("nan")


# -- evidence and limits --------------------------------------------------------------------------------


def test_evidence_by_hand():
    # Every look doubles the money: those who began at looks 1, 2 and 3 own 8, 4 and 2 after the third.
    doubled = watch([[2.0], [2.0], [2.0]], limit=14)
    assert doubled.evidence.tolist() == [2, 6, 14]
    assert doubled.is_on
    assert doubled.start == 0
    assert not watch([[2.0]] * 3, limit=14.1).is_on
    # Only the last two beginnings count: 4 + 2.
    assert watch([[2.0]] * 3, limit=6, window=2).evidence.tolist() == [2, 6, 6]
    # Half of the money on either strategy: (2 + .5) / 2, then (4 + .25) / 2 + (2 + .5) / 2.
    assert watch([[2.0, 0.5]] * 2, limit=1).evidence.tolist() == [1.25, 3.375]
    # The months it speaks of begin where the bets began to win.
    assert watch([[0.5], [0.5], [3.0], [3.0]], limit=1).start == 2
    assert watch([[1.2], [1.2], [3.0], [3.0]], limit=1).start == 2  # what came before added little
    assert watch([[0.0], [0.0]], limit=1).start == 1
    assert not watch(np.ones((0, 1)), limit=1).is_on


def test_evidence_follows_the_recursion_of_shiryaev_and_roberts():
    paid = np.random.default_rng(1).lognormal(size=(30, 1))
    expected, value = [], 0.0
    for pays in paid[:, 0]:
        value = (1 + value) * pays
        expected.append(value)
    assert watch(paid, limit=1, window=30).evidence == pytest.approx(expected)


@pytest.mark.slow
def test_the_run_length_is_the_published_one():
    # Likelihood ratios of a normal mean moved by theta = 1: the mean run to a false alarm is about limit / zeta, with
    # zeta = 2 / theta^2 exp(-2 sum Phi(-theta sqrt(k) / 2) / k) = .560 (Pollak 1987, Annals of Statistics 15).
    k = np.arange(1, 400)
    zeta = 2 * np.exp(-2 * (ndtr(-np.sqrt(k) / 2) / k).sum())
    assert zeta == pytest.approx(0.5604, abs=1e-3)
    rng, runs = np.random.default_rng(2), []
    for _ in range(400):
        evidence = watch(np.exp(rng.standard_normal((600, 1)) - 0.5), limit=56, window=600).evidence
        over = np.flatnonzero(evidence >= 56)
        runs.append(over[0] + 1 if len(over) else 600)
    assert np.mean(runs) == pytest.approx(56 / zeta, rel=0.13)  # a standard error is a twentieth
    assert np.mean(runs) > 56  # the promise: at most one false alarm in as many looks as the limit


def test_all_alarms_together_keep_the_budget():
    assert sum(SHARES.values()) == pytest.approx(1)
    assert limit("people too low", watched=3) == pytest.approx(24 * 3 / 0.12)
    rates = [1 / limit(family) for family in SHARES]  # false alarms a look, at most
    assert 24 * sum(rates) == pytest.approx(1)
    assert 5 / limit("segments too high", watched=5) == pytest.approx(1 / limit("segments too high"))
    with pytest.raises(ParameterError, match="has no share"):
        limit("weather")
    with pytest.raises(ParameterError, match="not 1 or more"):
        limit("later", watched=0)


# -- bets -----------------------------------------------------------------------------------------------


def test_bets_on_the_side_by_hand():
    paid = side_bets([0.05, 0.95, NAN], too_high=True)
    assert paid[0] == pytest.approx([ndtr(-1.2816 + 1) / 0.1, ndtr(-1.2816 + 2) / 0.1], rel=1e-4)
    assert paid[1, 0] == pytest.approx(ndtr(-1.2816 - 1) / 0.1, rel=1e-3)
    assert paid[2].tolist() == [1, 1]
    assert side_bets([0.95], too_high=False) == pytest.approx(paid[:1])


@pytest.mark.parametrize("earlier", [[], [0.05] * 11, [0.5] * 11, [0.95] * 6 + [0.2] * 5])
@pytest.mark.parametrize("too_high", [True, False])
def test_bets_on_the_side_are_fair_to_honest_forecasts(earlier: list[float], too_high: bool):
    # Each bin's pay, weighed by its probability under an honest forecast, is 1; a worse record earlier makes it less.
    middles, chances = [0.05, 0.175, 0.375, 0.625, 0.825, 0.95], np.array([0.1, 0.15, 0.25, 0.25, 0.15, 0.1])
    window = [side_bets([*earlier, *[0.5] * 11, middle], too_high=too_high)[-1] for middle in middles]
    mean = chances @ np.array(window)
    assert (mean <= 1 + 1e-12).all()
    if not earlier:
        assert mean == pytest.approx([1, 1])


def test_what_was_always_so_pays_less():
    was_fine, was_high = [0.5] * 11, [0.05] * 5 + [0.5] * 6
    now = [0.05] * 12
    fine, high = (watch(side_bets([*before, *now], too_high=True), limit=1) for before in (was_fine, was_high))
    assert high.evidence[-1] < fine.evidence[-1] / 100
    # By hand: the price of the lowest bin is (10 x .1 + 5) / (10 + 11).
    assert side_bets([*was_high, *now], too_high=True)[-1, 0] == pytest.approx(ndtr(-0.2816) / (6 / 21), rel=1e-4)


def test_bets_on_ranges_by_hand():
    assert range_bets([0, 1, NAN]) == pytest.approx(np.array([[2.5, 4], [0.625, 0.25], [1, 1]]))
    # Fair: a fifth of honest ranges fail.
    assert 0.2 * range_bets([0])[0] + 0.8 * range_bets([1])[0] == pytest.approx([1, 1])
    six_failed = watch(range_bets([1] * 17 + [0] * 6), limit=limit("company ranges"))
    assert six_failed.is_on
    assert six_failed.start == 17


def test_ranks_pay_fairly_in_every_order():
    # Over all orders of exchangeable errors the product of what their ranks pay is 1 on average: a martingale. With
    # ties too.
    for values in ([1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 2.0, 2.0, 3.0, 3.0]):
        products = [
            np.prod([alarms._rank_pays(np.array(order[: t + 1])) for t in range(5)], axis=0)
            for order in permutations(values)
        ]
        assert np.mean(products, axis=0) == pytest.approx([1, 1])


def test_a_habit_is_no_change():
    errors = np.random.default_rng(3).standard_t(3, 23)
    assert habit_bets(errors + 40) == pytest.approx(habit_bets(errors))  # always forty too high
    assert habit_bets(errors * 7) == pytest.approx(habit_bets(errors))
    assert (habit_bets(errors[:5]) == 1).all()  # too few to know a habit
    with_gap = np.insert(errors, 9, NAN)
    assert with_gap.shape == (24,)
    assert habit_bets(with_gap)[9].tolist() == [1, 1]
    assert np.delete(habit_bets(with_gap), 9, axis=0) == pytest.approx(habit_bets(errors))


def test_a_changed_habit_is_found_and_its_beginning():
    rng, found, starts = np.random.default_rng(4), 0, []
    least = limit("people too high", watched=3)
    for _ in range(60):
        errors = rng.standard_normal(47)
        errors[-6:] += 3
        alarm = watch(habit_bets(errors), limit=least)
        found += alarm.is_on
        starts.append(alarm.start)
        assert not watch(habit_bets(-errors), limit=least).is_on
    assert found >= 48
    assert np.median(starts) == 41


def test_persistence_is_the_autocorrelation_of_ranks():
    rng = np.random.default_rng(5)
    errors = np.cumsum(rng.standard_normal(40)) * 0.3 + rng.standard_normal(40)
    ranks = errors.argsort().argsort()
    assert persistence(errors) == pytest.approx(min(0.7, acf(ranks, nlags=1, adjusted=False)[1]))
    assert persistence([1.0, -1.0] * 10) == 0  # what swings is not taken to persist
    assert persistence(np.arange(30.0)) == 0.7
    assert persistence([3.0, 3.0]) == 0
    assert persistence([]) == 0


def test_errors_that_carry_over_give_no_more_alarms_than_the_budget():
    # Series whose errors carry over (.5): looked at once after 23 months, an alarm is rare.
    rng, on = np.random.default_rng(6), 0
    for _ in range(150):
        errors = rng.standard_normal(23)
        for t in range(1, 23):
            errors[t] += 0.5 * errors[t - 1]
        on += watch(habit_bets(errors), limit=limit("people too high")).is_on
    assert on <= 6


def test_bad_input_is_refused():
    with pytest.raises(ParameterError, match="shape"):
        watch([1.0, 2.0], limit=1)
    with pytest.raises(ParameterError, match="window"):
        watch([[1.0]], limit=1, window=0)
    for bad in ([[-1.0]], [[NAN]]):
        with pytest.raises(DataError, match="negative or missing"):
            watch(bad, limit=1)
    with pytest.raises(DataError, match="not a number"):
        side_bets(["high"], too_high=True)
    for bad in ([1.2], [-0.1]):
        with pytest.raises(DataError, match="between 0 and 1"):
            side_bets(bad, too_high=True)
    with pytest.raises(DataError, match="0 and 1"):
        range_bets([0.5])
    with pytest.raises(ParameterError, match="nominal"):
        range_bets([1], nominal=1)
