"""Competing-risk hazards: the fit against other libraries, the recursion by hand, and what was put in recovered."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info, threadpool_limits

from forecast.models.logistic import fit_logistic, row_losses
from forecast.models.win.hazards import MOST_CLOSED, both_hazards, incidence, one_thread


def some_rows(n: int = 3000, columns: int = 5, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    design = np.column_stack([np.ones(n), rng.standard_normal((n, columns - 1))])
    beta = np.linspace(-2.0, 1.0, columns)
    return design, rng.random(n) < 1 / (1 + np.exp(-design @ beta)), beta


def test_fit_agrees_with_scikit_learn():
    design, y, _ = some_rows()
    ours = fit_logistic(design, y, ridge=np.full(5, 2.0)).beta
    theirs = LogisticRegression(C=0.5, fit_intercept=False, solver="newton-cholesky", tol=1e-10).fit(design, y)
    np.testing.assert_allclose(ours, theirs.coef_[0], atol=1e-5)


def test_fit_without_penalty_agrees_with_statsmodels():
    design, y, _ = some_rows(seed=2)
    weight = np.random.default_rng(3).integers(1, 4, len(y)).astype(float)
    ours = fit_logistic(design, y, ridge=np.zeros(5), weight=weight).beta
    theirs = sm.GLM(y.astype(float), design, family=sm.families.Binomial(), freq_weights=weight).fit(tol=1e-12)
    np.testing.assert_allclose(ours, theirs.params, atol=1e-5)


def test_single_precision_and_a_far_start_come_to_the_same_place():
    design, y, _ = some_rows(seed=4)
    ridge = np.full(5, 0.5)
    double = fit_logistic(design, y, ridge=ridge).beta
    single = fit_logistic(design.astype(np.float32), y, ridge=ridge, start=np.array([3.0, -3.0, 3.0, -3.0, 3.0])).beta
    np.testing.assert_allclose(single, double, atol=2e-4)


def test_coefficients_put_in_are_recovered():
    design, y, beta = some_rows(n=60_000, seed=6)
    ours = fit_logistic(design, y, ridge=np.full(5, 0.01)).beta
    error = np.sqrt(np.diag(np.linalg.inv((design * 0.1).T @ (design * 0.1) * 1.0)))  # p(1-p) is above .01 here
    assert (np.abs(ours - beta) < 4 * error).all()
    np.testing.assert_allclose(ours, beta, atol=0.05)


def test_no_event_at_all_gives_a_hazard_near_zero():
    design = np.ones((50, 1))
    beta = fit_logistic(design, np.zeros(50), ridge=np.array([0.01])).beta
    assert -10 < beta[0] < -4


def test_incidence_by_hand():
    won, lost = np.array([[0.2, 0.5, 0.1]]), np.array([[0.3, 0.1, 0.0]])
    p, still_open = incidence(won, lost)
    # Open after step 0: .5; after step 1: .5 x .4 = .2; so .2, .5 x .5, .2 x .1; left .2 x .9.
    np.testing.assert_allclose(p, [[0.2, 0.25, 0.02]])
    np.testing.assert_allclose(still_open, [0.18])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(-40, 40), st.floats(-40, 40)), min_size=1, max_size=12))
def test_probabilities_stay_probabilities(logits: list[tuple[float, float]]):
    eta = np.array(logits)
    won, lost = both_hazards(eta[None, :, 0], eta[None, :, 1])
    assert ((won + lost) <= 1 + 1e-12).all()
    p, still_open = incidence(won, lost)
    assert (p >= 0).all()
    assert (p.sum(axis=1) + still_open <= 1 + 1e-9).all()


def test_the_information_is_that_of_the_logistic_likelihood():
    design, y, _ = some_rows(seed=7)
    weight = np.linspace(0.5, 2.0, len(y))
    fit = fit_logistic(design, y, ridge=np.full(5, 2.0), weight=weight, tolerance=1e-12)
    p = 1 / (1 + np.exp(-design @ fit.beta))
    by_hand = design.T @ (design * (weight * p * (1 - p))[:, None]) + 2.0 * np.eye(5)
    # It is summed a step before the end.
    np.testing.assert_allclose(fit.information, by_hand, rtol=0.03, atol=0.01 * by_hand.max())


def test_something_is_always_left_open():
    won, lost = both_hazards(np.array([[3.0]]), np.array([[3.0]]))
    assert won + lost == pytest.approx(MOST_CLOSED)
    assert won == pytest.approx(lost)


def test_log_loss_by_hand():
    eta = np.log(np.array([[1.0, 1.0], [0.25, 4.0]]))  # p = .5, .5 and .2, .8
    losses = row_losses(eta, (np.array([True, False]), np.array([False, True])))
    np.testing.assert_allclose(losses, [-2 * np.log(0.5), -2 * np.log(0.8)])


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_inside_there_is_one_thread_and_afterwards_as_many_as_before():
    np.ones((2, 2)) @ np.ones((2, 2))
    with threadpool_limits(limits=2, user_api="blas"):
        with one_thread():
            assert blas_threads() == {1}
            with one_thread():
                assert blas_threads() == {1}
            assert blas_threads() == {1}
        assert blas_threads() == {2}
