"""The share won by age where no column tells who wins: by hand, against scipy, put in and recovered, nothing told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import hypergeom

from companies import make_snapshot, plain_company
from forecast.models.win.base_rate import AGES, age_in_months, shrunk_shares, split_by_share, win_shares
from forecast.models.win.landmarks import open_states
from forecast.models.win.probabilities import chance_ever, chances, fit_win_model


def test_two_ages_by_hand():
    # A month closes 4 deals of each age and wins 3 and 1: O - E = 1 and -1, V = 1/4 * 4 * 4/7 = 4/7. Ages differ by a
    # variance of (2 * 1/4 - 2 * 4/7 / 4) / (8 - 32/8) = 3/56; V / n^2 = 1/28, so each share counts by 3/5.
    shares = shrunk_shares(np.array([[3], [1]]), np.array([[4], [4]]), overall=0.5)
    np.testing.assert_allclose(shares, [0.5 + 0.6 * 0.25, 0.5 - 0.6 * 0.25])


def test_the_variance_of_chance_is_that_of_dealing_wins_out_at_random():
    # Ages differ by nothing but chance here, so that what is left of a share is 1 - V / (its own squared excess) at
    # two ages of equal size: V is read back and compared.
    closed, won = np.array([[12], [12]]), np.array([[9], [3]])
    weight = (shrunk_shares(won, closed, overall=0.5)[0] - 0.5) / 0.25
    variance = hypergeom(24, 12, 12).var()
    between = (2 * 9 / 12 - 2 * variance / 12) / 12
    assert weight == pytest.approx(between / (between + variance / 144), rel=1e-12)


def test_months_that_differ_do_not_pass_for_ages_that_do():
    # Young deals close in a bad month and old ones in a good one; within a month all ages fare alike.
    closed = np.array([[90, 10], [10, 90]])
    won = np.array([[18, 8], [2, 72]])
    np.testing.assert_allclose(shrunk_shares(won, closed, overall=0.5), 0.5)


def test_nothing_jumps_where_evidence_begins():
    closed = np.full((2, 1), 1000)
    chance = np.sqrt(hypergeom(2000, 1000, 1000).var())
    steps = [shrunk_shares(np.array([[500 + k], [500 - k]]), closed, overall=0.5)[0] for k in range(60)]
    assert steps[int(chance)] == 0.5
    assert (np.diff(steps) >= 0).all()
    assert np.diff(steps).max() < 0.003
    assert steps[-1] == pytest.approx(0.559, abs=0.01)


def test_an_age_at_which_nothing_closed_has_the_share_of_all():
    shares = shrunk_shares(np.array([[90], [10], [0]]), np.array([[100], [100], [0]]), overall=0.5)
    assert shares[2] == 0.5
    np.testing.assert_allclose(shares[:2], [0.9, 0.1], atol=0.02)
    assert (shrunk_shares(np.zeros((3, 0)), np.zeros((3, 0)), overall=0.25) == 0.25).all()


def company_with_ages(*, seed: int) -> pd.DataFrame:
    """Return deals that close at one a month in six: those of the first three months mostly lost, later ones won."""
    deals = plain_company(deals=1500, months=48, seed=seed, won=1 / 12, lost=1 / 12)
    rng = np.random.default_rng(seed)
    age = (pd.to_datetime(deals["closed_on"]) - pd.to_datetime(deals["created_on"])).dt.days / 30.4
    share = np.where(age < 3, 0.2, 0.8)
    how = np.where(rng.random(len(deals)) < share, "won", "lost")
    return deals.assign(outcome=pd.Series(np.where(deals["outcome"] == "open", "open", how), dtype="str"))


def test_shares_put_in_are_recovered():
    view = make_snapshot("2023-12-31", company_with_ages(seed=5)).ledger
    shares = win_shares(next(iter(view.walk([view.last_day]))))
    assert shares.shape == (AGES + 1,)
    np.testing.assert_allclose(shares[[1, 2]], 0.2, atol=0.06)  # nobody closes in the first month
    np.testing.assert_allclose(shares[[3, 4, 5, 6, 7]], 0.8, atol=0.1)


@pytest.mark.slow
def test_odds_follow_the_age_where_it_tells_and_the_months_add_up_to_no_more_than_ever():
    today = fit_win_model(make_snapshot("2023-12-31", company_with_ages(seed=5)))
    assert today.model is not None
    assert not today.model.informed
    ever = chance_ever(today.view, today.model, today.states).p
    by_month = chances(today.view, today.model, today.states)
    # A deal a month old closes within the next two months in 11 of 36 cases, and is won then in 1 of 5, later in 4.
    young, old = ever[today.states.age < 1], ever[(today.states.age > 3) & (today.states.age < 7)]
    assert young.mean() == pytest.approx(0.2 * 11 / 36 + 0.8 * 25 / 36, abs=0.06)
    assert old.mean() == pytest.approx(0.8, abs=0.05)
    assert (by_month[:, -1] <= ever + 1e-12).all()


def test_hazards_are_shared_out_and_a_deal_of_unknown_age_has_the_share_of_all():
    deals = plain_company(deals=40, months=6, seed=1)
    view = next(iter(make_snapshot("2020-06-30", deals).ledger.walk([pd.Timestamp("2020-06-30")])))
    states = open_states(view)
    states.age[0] = np.nan
    shares = np.append(np.linspace(0, 1, AGES), 0.3)
    won, lost = np.full((len(states), 2), 0.1), np.full((len(states), 2), 0.2)
    split_won, split_lost = split_by_share(won, lost, states, shares=shares)
    np.testing.assert_allclose(split_won + split_lost, 0.3)
    np.testing.assert_allclose(split_won[0], 0.3 * 0.3)
    np.testing.assert_allclose(split_won[1], 0.3 * shares[age_in_months(states.age[1] + np.array([0.5, 1.5]))])
    assert age_in_months(np.array([0.0, 0.99, 1.0, 500.0])).tolist() == [0, 0, 1, AGES - 1]
