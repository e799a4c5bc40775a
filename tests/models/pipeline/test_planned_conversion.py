"""Deals created where planning is joint are won at other ages: by hand, recovered, and none by chance alone."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from forecast.models.pipeline.conversion import Conversion, _planned_ages

MONTHS, AGES, START = 24, 3, 12
CREATED, RATE = 100.0, 0.1


def company(
    by_age: np.ndarray, *, starts: int = START, created: float = CREATED, chance: np.random.Generator | None = None
):
    """Return a view, cohorts and conversion: two segments of which the second plans jointly from a month on.

    by_age : (A,), factors on the wins at each age of deals created from then on.
    """
    calendar = SimpleNamespace(quarter_position=lambda periods: np.asarray(periods) % 3)
    never = 10**6
    view = SimpleNamespace(calendar=calendar, planned_from=np.array([never, starts]), closures_recorded_from=0)
    periods = np.arange(MONTHS)
    jointly = view.planned_from[:, None] <= periods
    factor = np.where(jointly[:, :, None], by_age, 1.0)
    settled = (periods[:, None] + np.arange(AGES)) < MONTHS
    won = created * RATE * factor * settled
    won = won if chance is None else chance.poisson(won).astype(float)
    seen = SimpleNamespace(
        periods=periods, created=np.full((2, 1, MONTHS), created), won=won[:, None], settled=MONTHS - 1
    )
    learned = Conversion(rate=np.full((2, 1, AGES), RATE), position=np.ones(3), month=np.ones(12))
    return view, seen, learned


def test_by_hand():
    # 12, 11 and 10 months of 10 wins are expected at each age; half as many again came at once, half as many at last:
    # 340 of 330, which is taken off.
    found = _planned_ages(*company(np.array([1.5, 1.0, 0.5])))
    expected, won = np.array([120.0, 110.0, 100.0]) * 340 / 330, np.array([180.0, 110.0, 50.0])
    growth = np.log((won + 0.5) / (expected + 0.5))
    tau2 = ((growth**2 * (expected + 0.5)).sum() - 2) / (expected + 0.5).sum()
    np.testing.assert_allclose(found, np.exp(growth * tau2 / (tau2 + 1 / (expected + 0.5))))
    np.testing.assert_allclose(found, np.array([1.5, 1.0, 0.5]) * 330 / 340, atol=0.06)


def test_what_nobody_began_or_nothing_changed_has_no_factor():
    assert _planned_ages(*company(np.array([1.5, 1.0, 0.5]), starts=10**6)) is None
    assert _planned_ages(*company(np.ones(AGES))) is None
    assert _planned_ages(*company(np.full(AGES, 0.55))) is None  # a break of all ages is no other age at a win


def test_by_chance_alone_hardly_ever_and_little():
    rng = np.random.default_rng(1)
    found = [_planned_ages(*company(np.ones(AGES), chance=rng)) for _ in range(400)]
    some = [each for each in found if each is not None]
    assert len(some) < 0.07 * len(found)
    assert all(np.abs(np.log(each)).max() < 0.35 for each in some)


def test_what_is_put_in_comes_back_the_nearer_the_more_deals_there_are():
    rng, truth = np.random.default_rng(2), np.array([1.3, 1.0, 0.7])
    errors = []
    for created in (100.0, 1000.0):
        found = [_planned_ages(*company(truth, created=created, chance=rng)) for _ in range(100)]
        errors.append(np.mean([np.abs(np.log((1.0 if each is None else each) / truth)).mean() for each in found]))
    assert errors[1] < 0.03 < errors[0] < 0.25


def test_the_rate_of_a_month_is_lifted_only_where_planning_was_joint():
    learned = Conversion(
        rate=np.full((2, 1, AGES), RATE), position=np.ones(3), month=np.ones(12), planned=np.array([1.5, 1.0, 0.5])
    )
    jointly = np.array([False, True])
    assert learned.rate_where(jointly, age=0).ravel().tolist() == pytest.approx([0.1, 0.15])
    assert learned.rate_where(jointly, age=2).ravel().tolist() == pytest.approx([0.1, 0.05])
