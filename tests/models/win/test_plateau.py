"""What past deals say of a win beyond the months modelled: how many deals of an age were won in the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight

import forecast
import maven
from companies import make_snapshot, plain_company
from forecast.data.known.ledger import KnownState
from forecast.models.win.landmarks import open_states
from forecast.models.win.plateau import FEWEST_SEEN, SeenAges, ages_at, in_the_end, seen_ages
from forecast.models.win.probabilities import FAR, chance_ever, chances_ahead, fit_win_model, older_than_any_closed


def known(as_of: str, deals: pd.DataFrame) -> KnownState:
    return next(iter(make_snapshot(as_of, deals).ledger.walk([pd.Timestamp(as_of)])))


def counted(age: np.ndarray, status: np.ndarray) -> SeenAges:
    """What is seen of deals that leave at an age (whole months): 1 won, 2 lost, 0 still open after it."""
    ages = int(age.max()) + 1
    at_risk = np.array([(age >= k).sum() for k in range(ages)])
    won, lost = (np.bincount(age[status == how], minlength=ages) for how in (1, 2))
    return SeenAges(at_risk=at_risk, won=won, lost=lost)


# -- by hand -------------------------------------------------------------------------------------------

SIX = pd.DataFrame(
    {
        "opportunity_id": list("ABCDEF"),
        "created_on": ["2024-01-10", "2024-01-20", "2024-02-05", "2024-02-25", "2024-03-03", "2024-03-30"],
        "closed_on": ["2024-01-31", "2024-03-15", "2024-03-20", None, "2024-04-02", None],
        "outcome": ["won", "lost", "won", "open", "won", "open"],
    }
)
"""By the months after creation: A won at 0, B lost at 2, C won at 1, E won at 1; D and F are open."""


def test_six_deals_by_hand():
    # Settled to the end of May. At risk at 0: all six, at 1: all but A, at 2: B, D, F, at 3: D alone (F was created in
    # March: its ages 0 to 2 are April's and May's too), which is fewer than three.
    seen = seen_ages(known("2024-06-10", SIX), months=60)
    assert seen.at_risk.tolist() == [6, 5, 3]
    assert seen.won.tolist() == [1, 2, 0]
    assert seen.lost.tolist() == [0, 0, 1]
    ends = in_the_end(seen)
    # Open at 2: none is won. Open at 1: 2 of 5. New: 1 of 6, and of the other 5 in 6 again 2 of 5.
    np.testing.assert_allclose(ends.won, [1 / 6 + 5 / 6 * 2 / 5, 2 / 5, 0, 0])
    np.testing.assert_allclose(ends.closed, [1 / 6 + 5 / 6 * (2 / 5 + 3 / 5 / 3), 2 / 5 + 3 / 5 / 3, 1 / 3, 0])


def test_what_has_not_settled_is_not_looked_at():
    # On 4 April, March has not had its seven days: only January and February count, and nothing of E.
    seen = seen_ages(known("2024-04-04", SIX), months=60)
    assert seen.at_risk.tolist() == [4]
    assert (seen.won.tolist(), seen.lost.tolist()) == ([1], [0])


def test_only_the_last_months_count_and_a_deal_older_than_they_comes_in_late():
    # March and April alone: A is gone; B and the others count at the ages they were open at in these months.
    seen = seen_ages(known("2024-05-08", SIX), months=2)
    assert seen.at_risk.tolist() == [2, 4]  # E and F in March; C and D in March, E and F in April; B, D at 2 are two
    assert (seen.won.tolist(), seen.lost.tolist()) == ([0, 2], [0, 0])


def test_beyond_what_was_seen_and_of_unknown_age_nothing_is_claimed():
    ends = in_the_end(SeenAges(at_risk=np.array([40, 20]), won=np.array([10, 5]), lost=np.array([10, 5])))
    at = ends.at(np.array([0, 1, 2, 99, -1]))
    np.testing.assert_allclose(at.won, [0.25 + 0.5 * 0.25, 0.25, 0, 0, 0])
    assert at.low[2:].tolist() == [0, 0, 0]
    assert (at.high[2:] > 0.2).all()
    view = known("2024-06-10", SIX)
    states = open_states(view)
    assert ages_at(view, states, month=view.first_target).tolist() == [4, 3]


def test_the_range_where_no_win_was_seen_is_by_the_rule_of_three():
    # 1,000 deals followed for ten months, none closes: at most 3.69 wins in the 5,000 deal-months of the older half.
    ends = in_the_end(SeenAges(at_risk=np.full(10, 1000), won=np.zeros(10, int), lost=np.zeros(10, int)))
    assert ends.won.max() == 0
    np.testing.assert_allclose(ends.high, 1 - np.exp(-3.6889 / 5000 * 10), rtol=1e-4)


def test_with_nothing_seen_nothing_is_known():
    ends = in_the_end(SeenAges(at_risk=np.zeros(0, int), won=np.zeros(0, int), lost=np.zeros(0, int)))
    assert (ends.won.tolist(), ends.low.tolist(), ends.high.tolist()) == ([0], [0], [1])


# -- properties ----------------------------------------------------------------------------------------


def test_chances_are_chances():
    rng = np.random.default_rng(3)
    for _ in range(200):
        at_risk = rng.integers(FEWEST_SEEN, 60, rng.integers(1, 30))
        won = rng.binomial(at_risk, rng.random() * 0.5)
        lost = rng.binomial(at_risk - won, rng.random() * 0.5)
        ends = in_the_end(SeenAges(at_risk=at_risk, won=won, lost=lost))
        assert (ends.won >= 0).all()
        assert (ends.won <= ends.closed + 1e-12).all()
        assert (ends.closed <= 1 + 1e-12).all()
        assert (ends.low <= ends.won).all()
        assert (ends.won <= ends.high + 1e-12).all()
        assert (ends.high <= 1).all()


# -- against another library ---------------------------------------------------------------------------


def test_the_chance_of_a_new_deal_is_statsmodels_cumulative_incidence_and_so_is_its_error():
    rng = np.random.default_rng(5)
    age, status = rng.geometric(0.2, 400) - 1, rng.integers(0, 3, 400)
    ends = in_the_end(counted(age, status))
    theirs = CumIncidenceRight(age + 1, status)
    assert ends.won[0] == pytest.approx(theirs.cinc[0][-1], abs=1e-12)
    assert ends.closed[0] == pytest.approx(theirs.cinc[0][-1] + theirs.cinc[1][-1], abs=1e-12)
    logits = np.log([ends.won[0] / (1 - ends.won[0]), ends.low[0] / (1 - ends.low[0])])
    error = (logits[0] - logits[1]) / 1.959964 * ends.won[0] * (1 - ends.won[0])
    assert error == pytest.approx(theirs.cinc_se[0][-1], rel=0.05)  # theirs is Aalen's, ours of the delta method


def test_without_losses_it_is_one_less_the_plateau_of_kaplan_and_meier_with_late_entry():
    rng = np.random.default_rng(6)
    age, entry = rng.integers(1, 12, 300), rng.integers(0, 6, 300)
    age, entry = age[entry < age], entry[entry < age]
    won = rng.random(len(age)) < 0.4
    at_risk = np.array([((age >= k) & (entry <= k)).sum() for k in range(12)])
    seen = SeenAges(at_risk=at_risk, won=np.bincount(age[won], minlength=12), lost=np.zeros(12, int))
    theirs = SurvfuncRight(age + 1.0, won.astype(int), entry=entry + 0.5)
    assert in_the_end(seen).won[0] == pytest.approx(1 - theirs.surv_prob[-1], abs=1e-12)


# -- what was put in comes out -------------------------------------------------------------------------


def test_the_share_ever_won_is_recovered_where_losses_are_not_recorded():
    """A tenth of the leads is ever won, most within half a year; the rest stays open; two years are seen."""
    rng = np.random.default_rng(8)
    held, shares = 0, []
    for _ in range(200):
        created, wait = rng.integers(0, 24, 3000), rng.geometric(0.25, 3000)
        ever = rng.random(3000) < 0.1
        last = 23 - created  # the oldest age a lead was seen at
        age, status = np.minimum(np.where(ever, wait, 99), last), (ever & (wait <= last)).astype(int)
        ends = in_the_end(counted(age, status))
        shares.append(ends.won[0])
        held += ends.low[0] <= 0.1 <= ends.high[0]
    assert np.mean(shares) == pytest.approx(0.1, abs=0.002)
    assert held >= 186  # 95 %, less two standard errors


def funnel(seed: int) -> pd.DataFrame:
    """8,000 leads of a year, nearly a tenth of them won ever, and no loss recorded."""
    rng = np.random.default_rng(seed)
    created = np.datetime64("2023-01-01") + np.sort(rng.integers(0, 365, 8000))
    wait = np.where(rng.random(8000) < 0.7, rng.gamma(1.5, 15, 8000), rng.gamma(1.0, 120, 8000)).astype(int) + 1
    won = rng.random(8000) < 0.09
    return pd.DataFrame(
        {
            "opportunity_id": [f"L{i:04d}" for i in range(8000)],
            "created_on": created,
            "closed_on": np.where(won, created + wait, np.datetime64("NaT")),
            "outcome": np.where(won, "won", "open"),
        }
    )


@pytest.mark.slow
def test_a_funnel_whose_losses_nobody_records():
    expected = came = 0.0
    for seed in range(1, 5):
        deals, as_of = funnel(seed), pd.Timestamp("2023-12-31")
        later = deals["closed_on"] > as_of
        then = deals.assign(closed_on=deals["closed_on"].mask(later), outcome=deals["outcome"].mask(later, "open"))
        snap = make_snapshot("2023-12-31", then)
        table = forecast.win_probabilities(snap)
        assert len(table) > 7000
        assert later.sum() < table["p_win_high"].sum()
        assert table["p_win"].max() < 0.2
        assert ((table["p_win_6"] <= table["p_win_low"] + 1e-12) & (table["p_win_low"] <= table["p_win"])).all()
        assert "No loss is recorded, so an open deal may be a lost one" in " ".join(table.attrs["notes"])
        expected, came = expected + table["p_win"].sum(), came + later.sum()
    assert expected == pytest.approx(came, rel=0.15)  # some 400 of 29,000

    # Month by month no more is claimed than in the end.
    today = fit_win_model(snap)
    assert today.model is not None
    by_month = chances_ahead(today.view, today.model, today.states, steps=FAR)
    ever = chance_ever(today.view, today.model, today.states)
    assert (by_month.sum(axis=1) <= ever.p + 1e-12).all()
    np.testing.assert_allclose(np.cumsum(by_month, axis=1)[:, 5], table["p_win_6"])


def test_deals_of_an_age_keep_together_what_was_seen_of_them():
    snap = make_snapshot("2021-12-31", plain_company(deals=1500, months=24, seed=7, won=0.08, lost=0.08))
    today = fit_win_model(snap)
    view, states, model = today.view, today.states, today.model
    assert model is not None
    ever = chance_ever(view, model, states)
    seen = in_the_end(seen_ages(view, months=60)).at(ages_at(view, states, month=view.first_target + 6))
    within = chances_ahead(view, model, states, steps=6).sum(axis=1)
    won, lost = model.hazards(states, steps=6)
    still_open = np.prod(1 - won - lost, axis=1)
    assert (ever.p - within).sum() == pytest.approx((still_open * seen.won).sum(), rel=0.02)


@pytest.mark.slow
def test_on_real_data_no_win_is_claimed_at_ages_at_which_none_was_seen(real_data: Path, tmp_path: Path):
    log = forecast.read(maven.build(real_data / "maven_crm", tmp_path / "maven"))
    snap = forecast.snapshot(log, as_of="2017-12-31")
    table = forecast.win_probabilities(snap)
    today = fit_win_model(snap)
    older, oldest = older_than_any_closed(today.view, today.states)
    assert (older.sum(), round(oldest, 1)) == (1291, 4.5)
    old = today.states.age > oldest
    np.testing.assert_allclose(table["p_win"][old], table["p_win_6"][old])
    assert table["p_win"][old].sum() < 5  # 128 where the hazards knew ages in groups, 977 where they went on for ever
    notes = " ".join(table.attrs["notes"])
    assert "1,291 of 1,589 open deals are older than any deal was when it closed (4.5 months): 2 wins are" in notes
