"""Which shares moved a mean: by hand, and what holds for any cells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.evaluation.scorecard.revenue.shares import Mean, Moved, moved_by_shares


def mean(units: list[list[float]], prices: list[list[float]]) -> Mean:
    under = np.array(units, dtype=np.float64)
    return Mean(over=under * np.array(prices, dtype=np.float64), under=under)


def test_dearer_products_may_sell_more_while_dearer_segments_sell_less():
    # Segment A has X at 10 and Y at 30, B both at 100. A's units go from 10 and 10 to 6 and 24, B's from 20 to 10.
    prices = [[10, 30], [100, 100]]
    then, now = mean([[10, 10], [10, 10]], prices), mean([[6, 24], [5, 5]], prices)
    assert (then.value, now.value) == (60, pytest.approx(44.5))
    moved = moved_by_shares(then, now)
    # Segments: A from 1/2 to 3/4. With A's mean of before (20) -20, with that of after (26) -18.5: the smaller.
    assert moved.segments == pytest.approx(-18.5)
    # Products in A: Y from 1/2 to 4/5, so A's mean rises by 6; A is 1/2 of the units before and 3/4 after.
    assert moved.products == pytest.approx(3.0)


def test_what_one_year_s_prices_say_and_the_other_s_do_not_is_not_told():
    # B has the larger share after; it was dearer before, and is cheaper now.
    then, now = mean([[10], [10]], [[10], [20]]), mean([[5], [15]], [[20], [10]])
    assert moved_by_shares(then, now).segments == 0.0


def test_a_segment_of_one_year_alone_has_the_price_of_that_year_and_moves_no_products():
    moved = moved_by_shares(mean([[10, 10], [0, 0]], [[1, 3], [0, 0]]), mean([[10, 10], [0, 20]], [[1, 3], [0, 8]]))
    assert moved == Moved(segments=3.0, products=0.0)


def test_of_nothing_nothing_is_known():
    empty = mean([[0.0]], [[0.0]])
    moved = moved_by_shares(empty, mean([[1.0]], [[2.0]]))
    assert np.isnan([moved.segments, moved.products]).all()


CELL = st.integers(min_value=1, max_value=50)
CELLS = st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=3, max_size=3)


@settings(max_examples=100, deadline=None)
@given(CELLS, CELLS, CELLS)
def test_at_the_same_prices_shares_explain_all_and_a_level_of_prices_nothing(units_then, units_now, prices):
    then, now = mean(units_then, prices), mean(units_now, prices)
    there, back = moved_by_shares(then, now), moved_by_shares(now, then)
    assert (there.segments, there.products) == (
        pytest.approx(-back.segments, abs=1e-9),
        pytest.approx(-back.products, abs=1e-9),
    )
    if there.segments > 0 and there.products > 0:
        assert now.value > then.value
    same = moved_by_shares(then, mean(units_then, (2 * np.array(prices)).tolist()))
    assert same == Moved(segments=0.0, products=0.0)
