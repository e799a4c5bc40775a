"""The log-mean Divisia index: by hand, against the integral it comes from, and what holds for any numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from forecast.errors import ParameterError
from forecast.evaluation.scorecard.revenue.lmdi import count_parts, factor_parts, log_mean, settled_to_cents


def parts(before: list[float], after: list[float]) -> np.ndarray:
    """Return the parts of one cell."""
    x0, x1 = np.array(before)[:, None], np.array(after)[:, None]
    with np.errstate(invalid="ignore"):
        v0, v1 = (np.nan_to_num(np.prod(x, axis=0)) for x in (x0, x1))
    return factor_parts(x0, x1, value_before=v0, value_after=v1)[:, 0]


def test_the_log_mean_by_hand():
    assert log_mean(np.array([np.e]), np.array([1.0])) == pytest.approx(np.e - 1)
    assert log_mean(np.array([5.0]), np.array([5.0])) == pytest.approx(5)
    assert log_mean(np.array([0.0]), np.array([5.0])) == 0
    assert log_mean(np.array([1.0]), np.array([1 + 1e-12])) == pytest.approx(1, abs=1e-12)


@given(st.floats(1e-6, 1e9), st.floats(1e-6, 1e9))
def test_the_log_mean_lies_between_the_geometric_and_the_arithmetic_mean(a: float, b: float):
    mean = float(log_mean(np.array([a]), np.array([b]))[0])
    assert np.sqrt(a * b) * (1 - 1e-9) <= mean <= (a + b) / 2 * (1 + 1e-9)
    assert mean == float(log_mean(np.array([b]), np.array([a]))[0])


def test_two_factors_by_hand():
    # Twice the customers at half the price: 20 before and after. L(20, 20) = 20, log 2 = 0.6931.
    assert parts([2, 10], [4, 5]) == pytest.approx([20 * np.log(2), -20 * np.log(2)])
    # 2 x 3 -> 4 x 3: all of it is the first.
    assert parts([2, 3], [4, 3]) == pytest.approx([6, 0])
    # 2 x 3 -> 4 x 6, both doubled: half each of 24 - 6.
    assert parts([2, 3], [4, 6]) == pytest.approx([9, 9])


def test_it_is_the_integral_along_the_path_on_which_all_factors_grow_at_a_constant_rate():
    # The Divisia index: the part of factor k is the integral of v d(log xk). On that path it has this closed form.
    before, after = np.array([3.0, 1.7, 22.0, 41.0]), np.array([2.5, 2.1, 19.0, 55.0])
    found = parts(list(before), list(after))
    for k, rate in enumerate(np.log(after / before)):
        integral = quad(lambda t: np.prod(before * (after / before) ** t), 0, 1)[0] * rate
        assert found[k] == pytest.approx(integral, rel=1e-9)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([0, np.nan, np.nan], [4, 5, 2], [40, 0, 0]),  # nobody bought before: the number of customers explains it all
        ([4, 5, 2], [0, np.nan, np.nan], [-40, 0, 0]),
        ([4, 0, np.nan], [4, 5, 2], [0, 40, 0]),  # the same customers, of whom none had this product
        ([4, 5, 0], [2, 5, 2], [0, 0, 20]),  # given away before, at a price since
        ([0, np.nan, np.nan], [0, np.nan, np.nan], [0, 0, 0]),
    ],
)
def test_a_factor_that_is_zero_takes_all(before: list[float], after: list[float], expected: list[float]):
    assert parts(before, after) == pytest.approx(expected)


def test_a_zero_is_the_limit_of_small_values():
    # Ang and Liu 2007: with a small value in place of the zero the parts tend to these, though slowly (as 1 / log).
    near = [np.array([parts([4, small, 3], [5, 6, 2])]) for small in (1e-20, 1e-100, 1e-300)]
    away = [np.abs(found - np.array([0, 60, 0])).max() for found in near]
    assert away[0] > away[1] > away[2]
    assert away[2] < 0.1


@given(st.lists(st.tuples(st.floats(0.01, 1e4), st.floats(0.01, 1e4)), min_size=1, max_size=6))
def test_parts_are_exact_and_turn_their_sign_with_time(factors: list[tuple[float, float]]):
    before, after = (list(side) for side in zip(*factors, strict=True))
    found, change = parts(before, after), np.prod(after) - np.prod(before)
    scale = max(np.prod(after), np.prod(before), 1e-300)
    assert found.sum() == pytest.approx(change, abs=1e-9 * scale)
    assert parts(after, before) == pytest.approx(-found, abs=1e-12 * scale)


def test_bad_values_are_told():
    one = np.ones((1, 1))
    with pytest.raises(ParameterError, match="must not be negative"):
        factor_parts(one, one, value_before=np.array([-1.0]), value_after=np.array([1.0]))
    with pytest.raises(ParameterError, match="none of its factors is"):
        factor_parts(one, one, value_before=np.array([0.0]), value_after=np.array([1.0]))


def test_who_came_and_who_went_by_hand():
    # 2 customers -> 4, five came and three went, and the number explains 20: 10 each.
    counts = np.array([[5.0], [-3.0]])
    ends = {"before": np.array([2.0]), "after": np.array([4.0])}
    assert count_parts(np.array([20.0]), counts=counts, worth=np.array([28.0]), **ends).ravel().tolist() == [50, -30]
    # As many came as went: each is worth L(v, v) / 4.
    ends["before"] = np.array([4.0])
    found = count_parts(np.array([0.0]), counts=np.array([[3.0], [-3.0]]), worth=np.array([40.0]), **ends)
    assert found.ravel().tolist() == [30, -30]


@settings(max_examples=200)
@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=8), st.integers(-2, 2))
def test_cents_add_up_and_do_not_mind_the_direction(values: list[float], off: int):
    given_parts = np.array(values)[:, None]
    total = np.array([int(np.rint(given_parts.sum())) + off])
    cents = settled_to_cents(given_parts, total)
    assert cents.sum() == total[0]
    assert (settled_to_cents(-given_parts, -total) == -cents).all()
    if off == 0:
        assert np.abs(cents - given_parts).max() <= 1 + 1e-6


def test_what_explains_nothing_gets_no_cent():
    assert settled_to_cents(np.array([[0.0], [10.5], [0.0]]), np.array([11])).ravel().tolist() == [0, 11, 0]
