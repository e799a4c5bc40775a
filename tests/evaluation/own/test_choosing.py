"""Month ends to choose on and to judge on: no month counts in both, and most are for judging."""

from __future__ import annotations

import pytest

from forecast.errors import ParameterError
from forecast.evaluation.own.choosing import apart


def test_by_hand():
    assert apart(list(range(10)), months=3, judged=4) == ([0, 1, 2, 3], [6, 7, 8, 9])
    assert apart(list(range(10)), months=1, judged=4) == ([0, 1, 2, 3, 4, 5], [6, 7, 8, 9])


def test_of_few_two_in_three_are_for_judging():
    early, later = apart(list(range(11)), months=3, judged=18)
    assert (early, later) == ([0, 1, 2], [5, 6, 7, 8, 9, 10])
    assert apart(["only"], months=3) == ([], ["only"])


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 12, 40])
@pytest.mark.parametrize("months", [1, 3, 6])
def test_no_month_counts_twice(count: int, months: int):
    days = list(range(count))
    early, later = apart(days, months=months, judged=18)
    chosen = {day + ahead for day in early for ahead in range(1, months + 1)}
    judged = {day + ahead for day in later for ahead in range(1, months + 1)}
    assert not chosen & judged
    assert all(month <= later[0] for month in chosen)
    assert set(later) <= set(days)
    assert len(later) == min(18, max(1, 2 * (count - months + 1) // 3), count)


@pytest.mark.parametrize("wrong", [{"months": 0}, {"months": 1.5}, {"months": 3, "judged": True}])
def test_what_is_no_count_is_refused(wrong: dict[str, int]):
    with pytest.raises(ParameterError, match="is not a whole number above 0"):
        apart([1, 2, 3], **wrong)
