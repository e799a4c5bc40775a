"""Why a forecast moved: five deals worked out by hand, and who gets the credit where causes act together."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from forecast.data.known.snapshot import snapshot
from forecast.models.pipeline.causes import CAUSES, Day, pieces
from forecast.models.pipeline.components import Components, Origin, priced
from forecast.models.pipeline.corrections import Corrections
from forecast.models.pipeline.credit import Outlook, chances, shapley
from forecast.models.win.amounts import amount_bounds, like_deals
from forecast.models.win.hazards import incidence
from forecast.models.win.landmarks import open_states
from forecast.models.win.learn import Learned
from logs import STAGES, log_of, table

# Between the end of July and the end of August 2026; the quarter is July to September.
# A moves on a stage, is pulled in from October to September and grows from 100 to 200; B (50) is won for 60;
# C (40) is created; D (10) passes from West to East; E (70) is lost; K (15) was won in July and stays.
DEALS = table(
    """
    opportunity_id created_on segment stage   amount expected_close_on closed_on  outcome
    A              2026-06-01 East    Propose 200    2026-09-30        .          open
    B              2026-07-01 East    Won     60     2026-09-30        2026-08-15 won
    C              2026-08-10 East    Qualify 40     2026-09-30        .          open
    D              2026-07-20 East    Qualify 10     2026-10-31        .          open
    E              2026-07-01 East    Lost    70     2026-09-30        2026-08-20 lost
    K              2026-06-01 East    Won     15     2026-07-31        2026-07-20 won
    """
)
HISTORY = table(
    """
    opportunity_id recorded_at segment stage   amount expected_close_on
    A              2026-06-01  East    Qualify 100    2026-10-31
    A              2026-08-05  East    Propose 200    2026-09-30
    B              2026-07-01  East    Qualify 50     2026-09-30
    B              2026-08-15  East    Won     60     2026-09-30
    C              2026-08-10  East    Qualify 40     2026-09-30
    D              2026-07-20  West    Qualify 10     2026-10-31
    D              2026-08-10  East    Qualify 10     2026-10-31
    E              2026-07-01  East    Qualify 70     2026-09-30
    E              2026-08-20  East    Lost    70     2026-09-30
    K              2026-06-01  East    Qualify 15     2026-07-31
    K              2026-07-20  East    Won     15     2026-07-31
    """
)
QUARTER = np.arange(2026 * 12 + 6, 2026 * 12 + 9)


@dataclass(frozen=True)
class Stub:
    """A model that wins a deal each month with .1, .2 more in Propose, .1 more where due, .05 less from 2.5 months on.

    extra : what it has learned on top.
    """

    extra: float

    def hazards(self, states, *, steps: int, logits=None):  # noqa: ARG002
        won = 0.1 + 0.2 * states.stage + 0.1 * (states.due <= 0) - 0.05 * (states.age > 2.5) + self.extra
        won = np.repeat(won[:, None], steps, axis=1)
        return won, np.zeros_like(won)


def day_of(snap, as_of: str, *, extra: float) -> Day:
    view = snap.ledger.as_of(as_of)
    states, model, steps = open_states(view), Stub(extra), 6
    one = np.ones(steps)
    corrections = Corrections(
        growth=one, late=0.0, ratios=np.ones(1), open_bias=one, future_bias=one, common=0 * one, own=0 * one[None]
    )
    chance, value = priced(incidence(*model.hazards(states, steps=steps))[0], states.amount, corrections)
    new = np.full((len(snap.ledger.segments), steps), 5.0)
    parts = Components(
        ids=states.deal,
        segment=states.segment,
        chance=chance,
        won_before=np.zeros(len(states)),
        value=value,
        booked=0 * new,
        wins=new / 5.0,
        new=new,
        marketed=0 * new,
        pool=np.ones(3),
        ratios=np.ones(1),
        common=0 * one,
        own=0 * new,
    )
    learned = Learned(states=states, model=model)  # type: ignore[arg-type]
    origin = Origin(
        view=view,
        learned=learned,
        like=like_deals(view, states, amount_bounds(view, states)),
        amount_notes=(),
        parts=parts,
        corrections=corrections,
        future=None,
        asked=steps,
    )
    return Day(origin=origin, parts=parts, periods=(QUARTER,))


@pytest.fixture(scope="module")
def by_hand():
    log = log_of({"opportunities": DEALS, "opportunity_history": HISTORY, "stages": STAGES})
    snap = snapshot(log, as_of="2026-08-31")
    before, after = day_of(snap, "2026-07-31", extra=0.0), day_of(snap, "2026-08-31", extra=0.1)
    found = pieces(before, after, taught=before.origin)
    ids, segments = snap.ledger.ids_of(found.deal), np.array(snap.ledger.segments)[found.segment]
    keys = zip(ids, np.where(found.deal < 0, "", segments), np.array(CAUSES)[found.cause], strict=True)
    sums: dict[tuple[str, str, str], float] = {}
    for (deal, segment, cause), amount in zip(keys, found.worth.expected[:, 0], strict=True):
        key = (deal if segment else "", segment, cause)
        sums[key] = sums.get(key, 0.0) + amount
    return sums, before, after


def test_each_piece_is_what_a_pencil_gives(by_hand):
    sums, _, _ = by_hand
    expected = {
        # A: 100 x (.1 + .9 x .1) = 19; a month older, September alone, at .05: 5; then 65 more to 200 x .35 = 70.
        ("A", "East", "older"): 5 - 19,
        # The mean over the six orders of: stage +.2, due +.1, amount x 2, on 100 x .05.
        ("A", "East", "stage"): (2 * 20 + 20 + 40 + 2 * 40) / 6,
        ("A", "East", "close_date"): (2 * 10 + 10 + 20 + 2 * 20) / 6,
        ("A", "East", "amount"): (2 * 5 + 25 + 15 + 2 * 35) / 6,
        ("A", "East", "learned"): 200 * 0.1,
        ("B", "East", "won"): 60 - 50 * 0.19,
        ("C", "East", "created"): 40 * 0.2,
        ("C", "East", "learned"): 40 * 0.1,
        ("D", "West", "older"): 10 * (0.1 - 0.19),
        ("D", "West", "restated"): -10 * 0.1,
        ("D", "East", "restated"): 10 * 0.1,
        ("D", "East", "learned"): 10 * 0.1,
        ("E", "East", "lost"): -70 * 0.19,
        # One month less of 5 to come in East; West is gone with its only deal, and 10 with it.
        ("", "", "not_yet_created"): -5.0 - 10.0,
    }
    assert sums.keys() == expected.keys()
    for key, amount in expected.items():
        assert sums[key] == pytest.approx(amount, abs=1e-12), key


def test_the_pieces_sum_to_the_difference_of_the_forecasts(by_hand):
    sums, before, after = by_hand
    # July: K booked 15; A, B, D, E at .19 of 100, 50, 10, 70; 10 to come in each of two segments.
    assert before.parts.open_by_deal[:, :2].sum() == pytest.approx(0.19 * 230)
    then = 15 + 0.19 * 230 + 2 * 10
    # August: 75 booked; A 200 x .45, C 40 x .3, D 10 x .2; 5 to come in the one segment there is.
    assert after.parts.open_by_deal[:, 0].sum() == pytest.approx(104.0)
    now = 75 + 104 + 5
    assert sum(sums.values()) == pytest.approx(now - then, abs=1e-12)


def test_the_amounts_at_both_ends_have_the_variance_of_coins(by_hand):
    _, before, _ = by_hand
    worth = before.forecast_of(before.view.open_deals)
    # A: one coin over two months, won with .19 for 100.
    assert worth.variance[0, 0] == pytest.approx(0.19 * 0.81 * 100**2)


# -- who gets the credit ---------------------------------------------------------------------------------


def over_all_orders(values: np.ndarray) -> np.ndarray:
    """Return the mean contribution of each cause by going through all orders one by one."""
    causes = len(values).bit_length() - 1
    orders = list(itertools.permutations(range(causes)))
    total = np.zeros(causes)
    for order in orders:
        acted = 0
        for cause in order:
            total[cause] += values[acted | 1 << cause] - values[acted]
            acted |= 1 << cause
    return total / len(orders)


def test_credit_is_the_gloves_of_the_textbook():
    # Two left gloves and one right one, a pair is worth 1: Shapley gives 1/6, 1/6, 4/6 (Osborne & Rubinstein 1994, 14).
    values = np.array([float((c & 4) > 0 and (c & 3) > 0) for c in range(8)])
    np.testing.assert_allclose(shapley(values), [1 / 6, 1 / 6, 4 / 6], atol=1e-15)


@given(st.integers(1, 6).flatmap(lambda k: st.lists(st.floats(-1e6, 1e6), min_size=2**k, max_size=2**k)))
@settings(max_examples=40, deadline=None)
def test_credit_is_the_mean_over_all_orders_and_leaves_no_rest(values: list[float]):
    given_values = np.array(values)
    credit = shapley(given_values)
    np.testing.assert_allclose(credit, over_all_orders(given_values), rtol=1e-9, atol=1e-6)
    assert credit.sum() == pytest.approx(values[-1] - values[0], rel=1e-9, abs=1e-6)
    # Told backwards, each cause takes back what it gave.
    np.testing.assert_allclose(shapley(given_values[::-1]), -credit, rtol=1e-9, atol=1e-6)


def test_a_cause_that_changes_nothing_gets_nothing():
    values = np.random.default_rng(1).normal(size=8)
    with_idle = np.array([values[(c & 1) | (c >> 1 & 6)] for c in range(16)])  # bit 1 changes nothing
    credit = shapley(with_idle)
    assert credit[1] == 0.0
    np.testing.assert_allclose(np.delete(credit, 1), shapley(values), atol=1e-15)


def outlook(mean: float, spread: float, *, plan: float, booked: float = 0.0) -> Outlook:
    draws = np.sort(mean + spread * np.random.default_rng(4).standard_normal(2000))
    return Outlook(
        mean=mean,
        ahead=mean - booked,
        variance=spread**2,
        shared=0.0,
        draws=draws,
        chance=float((draws >= plan).mean()),
    )


def test_chances_of_sets_are_those_of_shifted_normals():
    # Reference: the normal distribution, whose chance of reaching plan is known for every mean and variance.
    plan, before, after = 100.0, outlook(90, 10, plan=100.0), outlook(103, 5, plan=100.0)
    mean, variance = np.array([8.0, 5.0]), np.array([-60.0, -15.0])
    found = chances(before, after, plan=plan, mean=mean, ahead=mean, variance=variance)
    exact = [norm.sf(100, 90, 10), norm.sf(100, 98, 40**0.5), norm.sf(100, 95, 85**0.5), norm.sf(100, 103, 5)]
    np.testing.assert_allclose(found, exact, atol=0.025)  # 2,000 draws: a standard error of .011
    assert (found[0], found[-1]) == (before.chance, after.chance)


def test_a_coin_that_has_landed_moves_the_chance_by_what_it_hung_on():
    # 60 booked and one deal of 50, won with .4; plan 100. It is won: the chance rises from .4 to 1, all of it `won`.
    coin = np.sort(60 + 50 * (np.arange(2000) >= 1200))
    before = Outlook(mean=80.0, ahead=20.0, variance=600.0, shared=0.0, draws=coin.astype(float), chance=0.4)
    after = Outlook(mean=110.0, ahead=0.0, variance=0.0, shared=0.0, draws=np.full(2000, 110.0), chance=1.0)
    moved = {"mean": np.array([30.0, 0.0]), "ahead": np.array([-20.0, 0.0]), "variance": np.array([-600.0, 0.0])}
    np.testing.assert_allclose(shapley(chances(before, after, plan=100.0, **moved)), [0.6, 0.0], atol=1e-12)
