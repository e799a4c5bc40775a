"""Weights: values by hand, properties, an external solver, and who gets nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from forecast.models.combined.record import Record
from forecast.models.combined.weights import FEWEST, encompassing, habits, learn, least_squares

ORIGINS, SEGMENTS, AHEAD = 24, 5, 3


def record(forecasts: np.ndarray, actual: np.ndarray, *, people: tuple[bool, ...] = ()) -> Record:
    """Return a record in which all but the targets of the last month have settled."""
    target = 100 + np.arange(forecasts.shape[1])[:, None] + np.arange(forecasts.shape[3])[None, :]
    last = 100 + forecasts.shape[1] - 2
    return Record(
        forecasts=forecasts,
        actual=np.where((target <= last)[:, None, :], actual, np.nan),
        target=target,
        last=last,
        size=np.full(forecasts.shape[2], 100.0),
        people=np.array(people or (False,) * len(forecasts)),
    )


def world(seed: int = 1, **errors: float) -> tuple[np.ndarray, np.ndarray]:
    """Return forecasts (F, O, S, H), one of errors of each size, and what came, (O, S, H): means of 100."""
    rng = np.random.default_rng(seed)
    by_target = 100 + 20 * rng.standard_normal((ORIGINS + AHEAD, SEGMENTS))
    actual = np.stack([by_target[h : h + ORIGINS] for h in range(AHEAD)], axis=2)
    said = [actual + size * rng.standard_normal(actual.shape) for size in errors.values()]
    return np.stack(said), actual


# -- the least squares -------------------------------------------------------------------------------------


def test_two_errors_by_hand():
    # Errors of variance 4 and 1 that do not correlate: the optimum is 1/5 and 4/5 (Bates and Granger 1969).
    # d = e_2 - e_1: its variance is 5, its covariance with e_1 is -4.
    assert least_squares(np.array([[5.0]]), np.array([-4.0]), ridge=np.zeros(1))[0] == pytest.approx(0.8)


def test_one_that_is_worse_and_says_the_same_gets_nothing():
    # e_2 = e_1 + more noise: d does not correlate with e_1, or in the same direction.
    assert least_squares(np.array([[2.0]]), np.array([0.3]), ridge=np.zeros(1))[0] == 0.0


@pytest.mark.parametrize("seed", range(6))
def test_the_least_is_the_one_a_general_optimiser_finds(seed: int):
    rng = np.random.default_rng(seed)
    root, covers = rng.standard_normal((8, 4)), rng.standard_normal(4) * 2
    products, ridge = root.T @ root, rng.random(4)
    matrix = products + np.diag(ridge)
    found = least_squares(products, covers, ridge=ridge)
    constraint = {"type": "ineq", "fun": lambda w: 1 - w.sum()}
    best = minimize(
        lambda w: w @ matrix @ w + 2 * covers @ w,
        np.full(4, 0.2),
        jac=lambda w: 2 * matrix @ w + 2 * covers,
        bounds=[(0, None)] * 4,
        constraints=[constraint],
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert found == pytest.approx(best.x, abs=1e-4)
    assert (found >= 0).all()
    assert found.sum() <= 1 + 1e-9


# -- what a record teaches -----------------------------------------------------------------------------------


def test_weights_are_shares():
    forecasts, actual = world(first=30, second=20, third=40)
    lessons = learn(record(forecasts, actual))
    assert lessons is not None
    for ahead in range(AHEAD):
        for speaks in (np.ones(4, dtype=bool), np.array([True, True, False, True]), np.array([True] + [False] * 3)):
            weights = lessons.weights(ahead, speaks)
            assert weights.sum() == pytest.approx(1.0)
            assert (weights >= 0).all()
            assert (weights[~speaks] == 0).all()


def test_two_that_know_different_things_share_as_their_precision():
    # Independent errors of sd 30 and 30: half and half, less what is shrunk towards the first.
    forecasts, actual = world(first=30, second=30)
    weights = learn(record(forecasts, actual)).weights(0, np.ones(3, dtype=bool))
    assert 0.3 < weights[2] < 0.55


def test_one_that_is_far_better_gets_nearly_all():
    forecasts, actual = world(first=40, second=4)
    weights = learn(record(forecasts, actual, people=(False, True))).weights(0, np.ones(3, dtype=bool))
    assert weights[2] > 0.9


def test_without_evidence_all_is_the_first_ones():
    forecasts, actual = world(first=10, second=60)
    lessons = learn(record(forecasts, actual))
    assert lessons.weights(0, np.ones(3, dtype=bool)).tolist() == [1.0, 0.0, 0.0]


def test_too_few_settled_months_teach_nothing():
    forecasts, actual = world(first=30, second=5)
    short = FEWEST  # the target one month ahead of the last origin has not settled
    assert learn(record(forecasts[:, :short], actual[:short])) is None
    assert learn(record(forecasts[:, : short + 1], actual[: short + 1])) is not None


def test_who_copies_with_noise_gets_nothing_and_rarely_enters():
    # A person who says what the model says, a third off at random: of 60 companies few let such a one in.
    entered = 0
    for seed in range(60):
        forecasts, actual = world(seed=seed, first=30)
        rng = np.random.default_rng([seed, 1])
        copied = forecasts[0] * np.exp(0.3 * rng.standard_normal(forecasts[0].shape))
        lessons = learn(record(np.stack([forecasts[0], copied]), actual, people=(False, True)))
        entered += lessons.weights(0, np.ones(3, dtype=bool))[2] > 0
    assert entered <= 8  # 5 % of 60 is 3; more than 8 happens once in a hundred times


def test_many_who_add_nothing_let_no_more_in_than_one():
    entered = 0
    for seed in range(30):
        forecasts, actual = world(seed=seed, first=30)
        rng = np.random.default_rng([seed, 2])
        noise = forecasts[0] * np.exp(0.3 * rng.standard_normal((10, *forecasts[0].shape)))
        lessons = learn(record(np.concatenate([forecasts, noise]), actual, people=(False,) + (True,) * 10))
        entered += lessons.enters[2:].any()
    assert entered <= 6


def test_a_person_who_says_what_a_model_says_adds_nothing_to_it():
    forecasts, actual = world(first=30, second=15)
    rng = np.random.default_rng(3)
    copied = forecasts[1] * np.exp(0.2 * rng.standard_normal(forecasts[1].shape))
    lessons = learn(record(np.concatenate([forecasts, copied[None]]), actual, people=(False, False, True)))
    assert lessons.enters.tolist()[2:] == [True, False]


def test_one_who_is_silent_somewhere_counts_where_he_speaks():
    forecasts, actual = world(first=40, second=5)
    forecasts[1, :, :2], forecasts[1, :, :, 2] = np.nan, np.nan  # two segments, and three months ahead
    lessons = learn(record(forecasts, actual, people=(False, True)))
    everyone = np.ones(3, dtype=bool)
    assert lessons.weights(0, everyone)[2] > 0.85
    assert lessons.weights(2, everyone)[2] == 0.0  # never heard so far ahead
    assert lessons.weights(0, np.array([True, True, False])).tolist()[2] == 0.0


def test_a_new_segment_and_an_unsettled_month_teach_nothing():
    forecasts, actual = world(first=30, second=20)
    plain = learn(record(forecasts, actual)).weights(0, np.ones(3, dtype=bool))
    with_new = np.concatenate([forecasts, np.full((2, ORIGINS, 1, AHEAD), np.nan)], axis=2)
    more = np.concatenate([actual, np.full((ORIGINS, 1, AHEAD), np.nan)], axis=1)
    assert learn(record(with_new, more)).weights(0, np.ones(3, dtype=bool)) == pytest.approx(plain)


def test_one_giant_outcome_does_not_rule():
    forecasts, actual = world(first=30, second=20)
    plain = learn(record(forecasts, actual)).weights(0, np.ones(3, dtype=bool))
    struck = actual.copy()
    struck[3, 2, 0] = 1e6
    weights = learn(record(forecasts, struck)).weights(0, np.ones(3, dtype=bool))
    assert weights.sum() == pytest.approx(1.0)
    assert plain[2] > 0.4


# -- habits and evidence ---------------------------------------------------------------------------------------


def test_a_habit_is_taken_out_as_far_as_it_was_seen():
    _, actual = world(first=1)
    said = np.stack([actual, 1.25 * actual])
    found = habits(record(said, actual))
    months = ORIGINS - 1  # settled target months; the prior is six that say he has none
    assert found[0] == pytest.approx(1.0)
    assert found[1] == pytest.approx(0.8 ** (months / (months + 6)))


def test_the_first_at_its_usual_level_is_one_of_those_that_may_enter():
    # Always 40 % too high: what mends it is to be a third lower, and nobody else is needed.
    forecasts, actual = world(first=8)
    lessons = learn(record(1.4 * forecasts, actual))
    weights = lessons.weights(0, np.ones(2, dtype=bool))
    mended = weights[0] + weights[1] * lessons.habit[1]
    assert mended == pytest.approx(1 / 1.4, abs=0.08)


def test_the_statistic_of_one_month_one_segment_by_hand():
    # One segment, one month ahead, 8 months; b and its error from the sums of a regression through 0.
    rng = np.random.default_rng(5)
    error, difference = rng.standard_normal(8), rng.standard_normal(8)
    slope = -(difference @ error) / (difference @ difference)
    residual = error + slope * difference
    score = -difference * residual
    variance = score @ score
    autocovariances = [score[lag:] @ score[:-lag] for lag in (1,)]
    variance = max(variance + 2 * 0.5 * autocovariances[0], variance) * 8 / 7
    shape = (8, 1, 1)
    found, freedom = encompassing(
        error.reshape(shape),
        difference.reshape(shape),
        np.ones(shape, dtype=bool),
        np.ones(shape),
        np.arange(8).reshape(8, 1),
    )
    assert freedom == 7
    assert found == pytest.approx(slope * (difference @ difference) / np.sqrt(variance))


def test_too_few_months_are_no_evidence():
    shape = (FEWEST - 1, 2, 1)
    found, freedom = encompassing(
        np.ones(shape), -np.ones(shape), np.ones(shape, dtype=bool), np.ones(shape), np.arange(FEWEST - 1)[:, None]
    )
    assert np.isnan(found)
    assert freedom == 0
