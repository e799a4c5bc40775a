"""The share won and the closings by age where no column tells: by hand, against scipy, put in and recovered."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gamma, hypergeom

from companies import make_snapshot, plain_company
from forecast.models.win.base_rate import (
    AGES,
    FEWEST_CLOSINGS,
    age_in_months,
    by_season_alone,
    closing_pace,
    closings_by_age,
    pace_by_age,
    shrunk_shares,
    split_by_share,
    win_shares,
)
from forecast.models.win.factors import AVERAGE, age_alone
from forecast.models.win.landmarks import Rows, open_states
from forecast.models.win.probabilities import chance_ever, chances, fit_win_model, odds_table, older_note


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
    split_won, split_lost = split_by_share(won, lost, states, shares=shares, pace=np.ones((AGES + 1, 1)))
    np.testing.assert_allclose(split_won + split_lost, 0.3)
    np.testing.assert_allclose(split_won[0], 0.3 * 0.3)
    np.testing.assert_allclose(split_won[1], 0.3 * shares[age_in_months(states.age[1] + np.array([0.5, 1.5]))])
    assert age_in_months(np.array([0.0, 0.99, 1.0, 500.0])).tolist() == [0, 0, 1, AGES - 1]


# -- closings by age ------------------------------------------------------------------------------------


def test_the_pace_of_an_age_is_the_mean_of_a_rate_whose_prior_is_the_younger_age():
    seen, expected = np.array([20.0, 3.0, 0.0, 5.0]), np.array([15.0, 8.0, 0.0, 5.0])
    pace = pace_by_age(seen, expected)
    assert pace[0] == pytest.approx((20 + 3) / (15 + 3))  # all: 28 seen, 28 expected, so that the prior is 3 of 3
    prior = gamma(3 + FEWEST_CLOSINGS, scale=1 / (8 + FEWEST_CLOSINGS / pace[0]))  # of pace[0] with 3 closings
    assert pace[1] == pytest.approx(prior.mean())
    assert pace[2] == pace[1]  # nothing expected, nothing learned: as the younger age
    assert pace[3] == pytest.approx((5 + 3 * pace[2]) / (5 + 3))


def test_ages_at_which_none_closed_come_near_zero_and_never_reach_it():
    seen, expected = np.array([100.0, *np.zeros(30)]), np.full(31, 100.0)
    pace = pace_by_age(seen, expected)
    assert (np.diff(pace) < 0).all()
    np.testing.assert_allclose(pace[5:], 0.5 / (100 * np.arange(5, 31) + FEWEST_CLOSINGS))
    assert (pace_by_age(np.zeros(3), np.zeros(3)) == 1).all()


def test_a_later_age_at_which_deals_close_again_is_believed():
    seen, expected = np.array([100.0, 0.0, 0.0, 50.0]), np.full(4, 50.0)
    assert pace_by_age(seen, expected)[3] == pytest.approx(50 / 53, abs=0.01)


def test_age_and_step_are_told_apart_and_an_unknown_age_has_the_pace_of_all():
    by_age, by_step = np.where(np.arange(AGES) < 4, 2.0, 0.5), np.array([0.5, 1.0, 2.0])
    expected = np.random.default_rng(3).uniform(1e4, 2e4, size=(AGES, 3))
    pace = closing_pace(np.stack([expected * np.outer(by_age, by_step), expected]))
    np.testing.assert_allclose(pace[:AGES], np.outer(by_age, by_step), rtol=2e-3)
    assert pace.shape == (AGES + 1, 3)
    assert (expected * pace[AGES]).sum() == pytest.approx((expected * np.outer(by_age, by_step)).sum(), rel=2e-3)


def test_closings_are_counted_at_the_age_in_their_month_once_a_month():
    view = next(
        iter(
            make_snapshot("2020-06-30", plain_company(deals=40, months=6, seed=1)).ledger.walk(
                [pd.Timestamp("2020-06-30")]
            )
        )
    )
    states = open_states(view).take(np.array([0, 1]))
    states.age[:] = 2.2, np.nan
    rows = Rows(
        states=states,
        landmark=np.array([0, 0, 1]),
        step=np.array([0, 1, 0]),
        won=np.array([False, True, True]),
        lost=np.zeros(3, dtype=bool),
        weight=np.array([1.0, 2.0, 1.0]),
        offset=np.zeros((3, 2), dtype=np.float32),
    )
    seen, expected = closings_by_age(rows, np.full(3, 0.3), steps=6)
    # A deal aged 2.2 is 2.7 in the middle of the first month, seen from 3 origins, and 3.7 in that of the next, from 4.
    assert (seen[3, 1], seen.sum()) == (0.5, 0.5)
    assert (expected[2, 0], expected[3, 1]) == (pytest.approx(0.1), pytest.approx(0.15))
    assert expected.sum() == pytest.approx(0.25)


def test_what_is_left_without_ages_and_steps_is_the_season_at_a_level_of_its_own():
    snap = make_snapshot("2021-12-31", plain_company(deals=600, months=24, seed=7, won=0.2, lost=0.1))
    model = fit_win_model(snap).model
    assert model is not None
    layout, rng = model.code.layout, np.random.default_rng(2)
    beta = rng.normal(size=model.beta.shape)
    for shift in (0.0, 3.0):  # a higher step's and age's level leaves no trace
        at = {name: slice(first, first + width) for name, (first, width, _) in layout.items()}
        moved = beta.copy()
        moved[at["step"]] += shift
        moved[at["age"]] -= shift
        out = by_season_alone(model.code, moved)
        assert (out[at["age"]] == 0).all()
        np.testing.assert_allclose(np.exp(out[at["step"]]).sum(axis=1), 0.001)
        np.testing.assert_array_equal(out[at["season"]], beta[at["season"]])


def company_that_stops(*, seed: int, deals: int = 2400) -> pd.DataFrame:
    """Return deals of which half close within four months of their creation and the others never do."""
    table = plain_company(deals=deals, months=36, seed=seed)
    rng = np.random.default_rng(seed)
    born = pd.to_datetime(table["created_on"])
    closed_on = born + pd.to_timedelta(rng.integers(5, 120, size=deals), unit="D")
    closes = (rng.random(deals) < 0.5) & (closed_on <= pd.Timestamp("2022-12-31"))
    how = np.where(rng.random(deals) < 0.6, "won", "lost")
    return table.assign(
        closed_on=closed_on.where(closes), outcome=pd.Series(np.where(closes, how, "open"), dtype="str")
    )


@pytest.mark.slow
def test_deals_older_than_any_that_closed_are_not_given_the_chance_of_the_others():
    table = company_that_stops(seed=11)
    known = table[pd.to_datetime(table["created_on"]) <= "2022-06-30"]
    later = known["closed_on"] > pd.Timestamp("2022-06-30")
    known = known.assign(closed_on=known["closed_on"].mask(later), outcome=known["outcome"].mask(later, "open"))
    snap = make_snapshot("2022-06-30", known)
    today = fit_win_model(snap)
    assert today.model is not None
    assert not today.model.informed
    ever, by_month = chance_ever(today.view, today.model, today.states), chances(today.view, today.model, today.states)
    age = today.states.age
    old = age > 6
    assert old.sum() > 500
    assert ever.p[old].max() < 0.005
    assert (ever.high[old] > ever.p[old]).all()
    came = table.set_index("opportunity_id").loc[today.view.ledger.ids_of(today.states.deal)]
    won = ((came["outcome"] == "won") & (came["closed_on"] <= pd.Timestamp("2022-09-30"))).to_numpy()
    for of_age in (age <= 2, (age > 2) & (age <= 4), age > 4):
        sd = np.sqrt(max(won[of_age].sum(), 1))
        assert abs(by_month[of_age, 2].sum() - won[of_age].sum()) < 2.5 * sd


# -- what is said of it ---------------------------------------------------------------------------------


def test_an_age_speaks_for_a_deal_whose_chance_lies_above_the_mean_of_all():
    said = age_alone(np.array([0.4, 1.2, 7.0, 13.0, np.nan]), np.array([0.47, 0.19, 0.01, 0.0, 0.24]))
    assert said == [
        "open for less than a month (for)",
        "open for 1 month (for)",
        "open for 7 months (against)",
        "open for 13 months (against)",
        "age not known (for)",
    ]
    assert age_alone(np.array([2.0, 3.0]), np.array([0.3, 0.3])) == [AVERAGE, AVERAGE]


def test_the_signs_agree_with_the_chances_of_a_table():
    deals = plain_company(deals=600, months=24, seed=7, won=0.2, lost=0.1)
    today = fit_win_model(make_snapshot("2021-12-31", deals))
    table = odds_table(today.view, today.states, today.model)
    frame, mean = table.table, table.table["p_win"].mean()
    assert frame["factors"].str.startswith("base rate by age: ").all()
    for_it, against = (frame["factors"].str.endswith(sign) for sign in ("(for)", "(against)"))
    assert (frame.loc[for_it, "p_win"] > mean).all()
    assert (frame.loc[against, "p_win"] < mean).all()
    assert for_it.any()


@pytest.mark.parametrize(
    ("wins", "said"), [(2.6, "3 wins are expected"), (1.2, "1 win is expected"), (0.3, "hardly a win is expected")]
)
def test_how_many_wins_are_expected_of_deals_older_than_any_that_closed(wins: float, said: str):
    note = older_note(1291, 1589, oldest=4.53, wins=wins)
    assert note == (
        f"1,291 of 1,589 open deals are older than any deal was when it closed (4.5 months): {said} of them in the end."
    )
