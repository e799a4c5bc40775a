"""Ranges about another mean: values by hand, and how often they hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import lognorm

from forecast.data.schema import QUANTILES
from forecast.models.combined.ranges import moved, power_needed, widened
from forecast.models.tables import chance_of

LAW = np.array([1.0, 2, 3, 4, 5, 8, 16])


def test_what_is_to_come_is_multiplied():
    # 10 is booked, 4 more are expected, and 8 by the other mean: twice as much is to come everywhere.
    found = moved(10 + LAW, mean=np.array(14.0), booked=np.array(10.0), to=np.array(18.0))
    assert found.tolist() == (10 + 2 * LAW).tolist()


def test_the_same_mean_moves_nothing():
    found = moved(10 + LAW, mean=np.array(14.0), booked=np.array(10.0), to=np.array(14.0))
    assert found == pytest.approx(10 + LAW)


def test_where_nothing_was_to_come_the_law_is_exponential():
    found = moved(np.full(7, 10.0), mean=np.array(10.0), booked=np.array(10.0), to=np.array(12.0))
    assert found[3] == pytest.approx(10 + 2 * np.log(2))
    assert (np.diff(found) > 0).all()


def test_a_power_widens_and_keeps_the_median_the_order_and_what_is_certain():
    wide = widened(10 + LAW, booked=np.array(10.0), power=np.array(1.5))
    assert wide[3] == pytest.approx(14)
    assert wide[0] < 11
    assert wide[-1] > 26
    assert (np.diff(wide) > 0).all()
    assert (wide >= 10).all()
    assert widened(np.full(7, 10.0), booked=np.array(10.0), power=np.array(2.0)).tolist() == [10.0] * 7


def test_a_segment_that_mostly_books_nothing_keeps_its_zeros():
    rare = np.array([0.0, 0, 0, 0, 0, 5, 9])
    assert widened(rare, booked=np.array(0.0), power=np.array(2.0)).tolist() == [0, 0, 0, 0, 0, 10, 18]
    assert widened(rare, booked=np.array(0.0), power=np.array(0.5)).tolist() == rare.tolist()


@pytest.mark.parametrize(("truth", "wanted"), [(0.4, 1.0), (0.6, 1.5), (0.3, 0.75)])
def test_the_power_is_the_one_that_holds(truth: float, wanted: float):
    # Ranges of a log-normal of .4; what came has `truth`. Of 400 months the prior's six weigh little.
    rng = np.random.default_rng(1)
    quantiles = np.tile(lognorm(0.4, scale=100).ppf(QUANTILES), (2000, 1))
    came = 100 * np.exp(truth * rng.standard_normal(2000))
    months = np.repeat(np.arange(400), 5)
    power = power_needed(came, quantiles, booked=np.zeros(2000), months=months, weight=np.ones(2000))
    assert power == pytest.approx(wanted, rel=0.06)
    wide = widened(quantiles, booked=np.zeros(2000), power=np.full(2000, power))
    assert ((came >= wide[:, 1]) & (came <= wide[:, 5])).mean() == pytest.approx(0.8, abs=0.03)


def test_nothing_settled_needs_no_power():
    nothing = power_needed(
        np.full(3, np.nan), np.tile(LAW, (3, 1)), booked=np.zeros(3), months=np.arange(3), weight=np.ones(3)
    )
    assert nothing == 1.0


def test_the_chance_of_the_plan_by_hand():
    amounts = np.array([4.0, 0.5, 20.0, 6.5, np.nan])
    found = chance_of(amounts, np.tile(LAW, (5, 1)))
    assert found[:4].tolist() == pytest.approx([0.5, 0.9875, 0.0125, 1 - (0.75 + 0.15 * 0.5)])
    assert np.isnan(found[4])
    certain = np.full((3, 7), 5.0)
    assert chance_of(np.array([4.0, 5.0, 6.0]), certain).tolist() == [1.0, 1.0, 0.0]
