"""Whether the last months alone are as promised: by hand, what is found and what is not, and what says nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from forecast.errors import ParameterError
from forecast.evaluation.judgement import judge, mean_of
from forecast.evaluation.last_months import mean_of_late

NAN = float("nan")
LATE = np.arange(12) >= 6
"""The last six of twelve months."""


def test_the_last_months_alone_by_hand():
    # Residuals +-1, +-2 about both means; neighbours are taken to correlate by .5: v(6) = .390625.
    d = np.array([1, -1, 2, -2, 1, -1, -4, -6, -3, -7, -4, -6], dtype=float)
    found = mean_of_late(d, promised=np.zeros(12), late=LATE, value=-5.0, target=0.0)
    variance = 24 / (12 * (1 - 0.390625)) * 0.390625
    assert found.p_value == pytest.approx(2 * stats.t.sf(5 / np.sqrt(variance), 10))
    assert (found.value, found.promised, found.n) == (-5.0, 0.0, 12)
    # Shown figures that point the other way say nothing; months that are not known are left out.
    assert mean_of_late(d, promised=np.zeros(12), late=LATE, value=5.0, target=0.0).p_value == 1.0
    known = mean_of_late(np.append(d, NAN), promised=np.zeros(13), late=np.append(LATE, True), value=-5, target=0)
    assert known.p_value == found.p_value


def test_half_a_year_of_change_is_found_though_the_half_before_had_none():
    rng = np.random.default_rng(4)
    d = rng.normal(0, 0.06, 12) - 0.3 * LATE
    late = mean_of_late(d, promised=np.zeros(12), late=LATE, value=-0.3, target=0.0)
    assert late.p_value < 0.001 < 0.1 < mean_of(d).p_value


@pytest.mark.parametrize("alike", [0.0, 0.5])
def test_the_last_months_alone_rarely_claim_what_is_not_there(alike: float):
    rng, claimed = np.random.default_rng(5), []
    for _ in range(2000):
        d = rng.normal(0, 1, 32)
        for t in range(1, 32):
            d[t] += alike * d[t - 1]
        found = mean_of_late(d[20:], promised=np.zeros(12), late=LATE, value=d[26:].mean(), target=0.0)
        claimed.append(found.p_value <= 0.05)
    assert np.mean(claimed) <= 0.05 + 2 * 0.005


def test_too_few_months_or_none_before_say_nothing_of_the_last():
    few = {"value": 1.0, "target": 0.0}
    seven, none = np.arange(7) >= 1, np.ones(12, dtype=bool)
    for late in (seven, none):
        found = mean_of_late(np.ones(len(late)), promised=np.zeros(len(late)), late=late, **few)
        assert judge({0: found})[0].verdict == "too few"
    same = mean_of_late(np.ones(12), promised=np.ones(12), late=LATE, value=1.0, target=1.0)
    assert judge({0: same})[0].verdict == "unclear"  # a process followed in every month of both years
    steady = mean_of_late(1.0 * ~LATE, promised=np.ones(12), late=LATE, value=0.0, target=1.0)
    assert steady.p_value == 2.0**-5
    with pytest.raises(ParameterError, match="shapes"):
        mean_of_late(np.ones(12), promised=np.ones(11), late=LATE, value=1.0, target=1.0)
