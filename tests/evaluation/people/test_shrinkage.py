"""Figures drawn towards their mean: by hand, against statsmodels and published examples, and with bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.meta_analysis import combine_effects

from forecast.errors import DataError, ParameterError
from forecast.evaluation.people.shrinkage import partial_pooling

# Efron and Morris 1975, JASA 70, table 1: hits of 18 players in their first 45 times at bat, and what they estimate.
HITS = np.array([18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7])
JAMES_STEIN = [0.290, 0.286, 0.281, 0.277, 0.273, 0.273, 0.268, 0.264, 0.259, 0.259]
JAMES_STEIN += [0.254, 0.254, 0.254, 0.254, 0.254, 0.249, 0.244, 0.239]


def test_by_hand():
    # mean .1; (.1^2 + .1^2) / (spread^2 + .01) = 1, so spread^2 = .01 and half of each distance stays
    found = partial_pooling([0.2, 0.0], [0.1, 0.1])
    assert (found.mean, found.spread) == (pytest.approx(0.1), pytest.approx(0.1))
    assert found.shrunk == pytest.approx([0.15, 0.05])


def test_figures_no_further_apart_than_their_errors_are_one():
    found = partial_pooling([0.1, 0.0], [0.1, 0.1])  # .005 / .01 is below 1 already
    assert found.spread == 0
    assert found.shrunk == pytest.approx([0.05, 0.05])


def test_eight_schools():
    # Rubin 1981, J. Educational Statistics 6: the schools lie no further apart than chance; together 7.7.
    effects, errors = [28, 8, -3, 7, -1, 1, 18, 12], [15, 10, 16, 11, 9, 11, 10, 18]
    found = partial_pooling(effects, errors)
    assert found.spread == 0
    assert found.shrunk == pytest.approx([7.7] * 8, abs=0.05)


def test_batting_averages():
    # They take y = sqrt(45) arcsin(2 share - 1), whose error is 1. With equal errors the distance to the mean that goes
    # is ours times (n - 3) / (n - 1).
    y = np.sqrt(45) * np.arcsin(2 * HITS / 45 - 1)
    gone = (y - partial_pooling(y, np.ones(18)).shrunk) * (18 - 3) / (18 - 1)
    assert (np.sin((y - gone) / np.sqrt(45)) + 1) / 2 == pytest.approx(JAMES_STEIN, abs=0.0006)


def test_as_statsmodels():
    rng, same = np.random.default_rng(4), 0
    for _ in range(20):
        errors = rng.uniform(0.5, 1.5, int(rng.integers(2, 12)))
        figures = rng.normal(0, 2, len(errors)) + errors * rng.standard_normal(len(errors))
        ours = partial_pooling(figures, errors)
        over = np.sum((figures - ours.mean) ** 2 / (errors**2 + ours.spread**2)) - (len(errors) - 1)
        assert over == pytest.approx(0, abs=1e-6) if ours.spread > 0 else over <= 0
        theirs = combine_effects(figures, errors**2, method_re="iterated", maxiter=1000, atol=1e-10)
        same += abs(ours.spread**2 - max(theirs.tau2, 0)) < 1e-6 and abs(ours.mean - theirs.mean_effect_re) < 1e-6
    assert same >= 17  # theirs does not always arrive


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.floats(0.01, 1)), min_size=1, max_size=8),
)
def test_a_figure_lies_between_itself_and_the_mean(pairs):
    figures, errors = np.array(pairs).T
    found = partial_pooling(figures, errors)
    low, high = np.minimum(figures, found.mean), np.maximum(figures, found.mean)
    assert (found.shrunk >= low - 1e-9).all()
    assert (found.shrunk <= high + 1e-9).all()


def test_the_noisier_the_nearer_to_the_mean():
    found = partial_pooling([0.3, 0.3, -0.3, -0.1], [0.05, 0.2, 0.05, 0.05])
    assert found.shrunk[0] > found.shrunk[1]


def test_without_an_error_it_is_the_mean_of_the_others():
    found = partial_pooling([0.2, 0.0, 0.9, np.nan], [0.1, 0.1, np.nan, 0.1])
    assert found.shrunk[:3] == pytest.approx([0.15, 0.05, 0.1])
    assert np.isnan(found.shrunk[3])
    assert np.isnan(partial_pooling([0.9], [np.nan]).shrunk).all()
    assert partial_pooling([0.4], [0.1]).shrunk == pytest.approx([0.4])  # none to be drawn to
    assert partial_pooling([], []).shrunk.shape == (0,)


def test_shrunk_figures_are_nearer_to_the_truth():
    rng = np.random.default_rng(9)
    raw, shrunk = [], []
    for _ in range(200):
        true, errors = rng.normal(0.05, 0.05, 6), rng.uniform(0.05, 0.15, 6)
        figures = true + errors * rng.standard_normal(6)
        raw.append(np.mean((figures - true) ** 2))
        shrunk.append(np.mean((partial_pooling(figures, errors).shrunk - true) ** 2))
    assert np.mean(shrunk) < 0.6 * np.mean(raw)


def test_bad_input():
    with pytest.raises(ParameterError, match="2 figures and 1 errors"):
        partial_pooling([0.1, 0.2], [0.1])
    for wrong in (0.0, -1.0, np.inf):
        with pytest.raises(DataError, match="not above 0"):
            partial_pooling([0.1], [wrong])
