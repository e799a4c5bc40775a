"""Shares of people: by hand, against scipy, and how often they tell of a change where there is none."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from forecast.evaluation.judgement import mean_of
from forecast.evaluation.people import shares as people
from forecast.evaluation.scores.comparison import FEWEST


def test_shares_of_people():
    reached = np.repeat([1.0, 0.0], [18, 12])
    assert people.of_share(reached, promised=0.6).p_value == 1.0
    few = people.of_share(reached[:5], promised=0.6)
    assert np.isnan(few.p_value)
    pooled = np.sqrt(0.5 * 0.5 * 2 / 30)
    found = people.of_shares(reached, np.repeat([1.0, 0.0], [12, 18]))
    assert found.p_value == pytest.approx(2 * stats.norm.sf(0.2 / pooled))
    assert np.isnan(people.of_shares(reached, reached[:3]).p_value)


def test_of_people_who_are_in_both_years_the_pairs_count():
    now = pd.Series([1.0] * 20 + [0.0] * 20, index=range(40))
    others = people.of_shares(now, pd.Series([1.0] * 12 + [0.0] * 28, index=range(100, 140)))
    assert others.p_value == people.of_shares(now.to_numpy(), [1.0] * 12 + [0.0] * 28).p_value
    # All 40 again, twelve of those who reach it now did so then: eight changed, all one way. By hand, p = .4:
    # var = .4 .6 2 / 40 - 2 (12 .36 - 8 .24 + 20 .16) / 1600 = .012 - .007 = .005
    again = people.of_shares(now, pd.Series([1.0] * 12 + [0.0] * 28, index=range(40)))
    assert again.p_value == pytest.approx(2 * stats.norm.sf(0.2 / np.sqrt(0.005)))
    shuffled = pd.Series([1.0] * 12 + [0.0] * 28, index=range(40)).sample(frac=1, random_state=3)
    assert people.of_shares(now, shuffled).p_value == pytest.approx(again.p_value)


@pytest.mark.slow
def test_shares_of_people_of_whom_most_are_in_both_years_differ_by_chance_as_often_as_stated():
    rng = np.random.default_rng(5)
    wrong = []
    for like in (-0.4, 0.6):  # a good year is followed by a higher quota, or good reps stay good
        z = rng.multivariate_normal([0, 0], [[1, like], [like, 1]], size=(1500, 60)) < -0.3
        pairs = [
            (pd.Series(one[:50, 0] * 1.0, index=range(50)), pd.Series(one[10:, 1] * 1.0, index=range(10, 60)))
            for one in z
        ]
        wrong.append(np.mean([people.of_shares(*pair).p_value <= 0.05 for pair in pairs]))
    assert max(wrong) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1500)


def test_of_units_that_share_the_luck_of_months_the_larger_p_value_counts():
    alone = people.of_shares(np.repeat([1.0, 0.0], [60, 40]), np.repeat([1.0, 0.0], [40, 60]))
    months = mean_of([0.7, 0.2, 0.6, 0.3, 0.7, 0.2, 0.5, 0.4], promised=0.4, value=0.6, target=0.4)
    both = people.with_shared_luck(alone, months)
    assert alone.p_value == pytest.approx(2 * stats.norm.sf(0.2 / np.sqrt(0.5 * 0.5 * 2 / 100)))
    assert both.p_value == months.p_value > 0.4
    assert (both.n, both.unit) == (100, "person")
    assert both.high - both.low == pytest.approx(months.high - months.low)
    assert (both.low + both.high) / 2 == pytest.approx(0.6)
    steady = mean_of([0.6, 0.6, 0.62, 0.59, 0.61, 0.61, 0.58, 0.6, 0.59, 0.6], promised=0.4, value=0.6, target=0.4)
    assert people.with_shared_luck(alone, steady).p_value == alone.p_value
    few = people.with_shared_luck(alone, mean_of([0.6] * 3, promised=0.4))
    assert np.isnan(few.p_value)
    assert (few.n, few.unit, few.fewest) == (3, "month", FEWEST)


@pytest.mark.slow
def test_reps_in_one_market_do_not_tell_of_a_change_too_often():
    rng, claimed = np.random.default_rng(11), {"alone": 0, "shared": 0}
    for _ in range(400):
        market = 0.5 * rng.standard_normal((2, 12, 1))  # of each month, for all reps
        reached = (rng.standard_normal((2, 12, 60)) + market > 0).astype(float)
        year = (reached.mean(axis=1) >= 0.5).astype(float)
        alone = people.of_shares(year[0], year[1])
        by_month = reached.mean(axis=2)
        months = mean_of(by_month[0], promised=by_month[1], value=alone.value, target=alone.promised)
        claimed["alone"] += alone.p_value <= 0.05
        claimed["shared"] += people.with_shared_luck(alone, months).p_value <= 0.05
    assert claimed["alone"] > 0.2 * 400
    assert claimed["shared"] <= 0.05 * 400 + 2 * np.sqrt(0.05 * 0.95 * 400)
