"""The months looked at: those settled as expected of them, the newest with what is recorded of it by its end."""

from __future__ import annotations

import numpy as np
import pytest

import forecast
from companies import make_snapshot, plain_company
from forecast.models.win.change.months import Expected, Months
from forecast.models.win.landmarks import AtRisk, at_risk, open_states
from forecast.models.win.probabilities import fit_win_model
from forecast.simulation.changes.kinds import Change
from forecast.simulation.company import simulate, write


@pytest.fixture(scope="module")
def fitted():
    return fit_win_model(make_snapshot("2021-12-31", plain_company(deals=900, months=24, seed=3, won=0.2, lost=0.1)))


def part_of(fitted, *, won: int, lost: int) -> AtRisk:
    """Return what became of the open deals of the day: the first are won, the next lost."""
    n = len(fitted.states)
    deal = np.arange(n)
    return AtRisk(step=0, states=fitted.states, deal=deal, won=deal < won, lost=(deal >= won) & (deal < won + lost))


def test_the_newest_month_is_held_against_what_is_recorded_by_its_end(fitted):
    code, beta = fitted.model.code, fitted.model.beta
    months = Months()
    first = int(fitted.states.target[0])
    for month in range(first, first + 15):
        early, late = part_of(fitted, won=8, lost=10), part_of(fitted, won=10, lost=10)
        months.shift({month: early}, code=code, beta=beta, first_target=month + 1, steps=6)
        logits = code.logits(fitted.states, beta, steps=1)[:, 0]
        months.settle(month, late, Expected(logits=logits, shift=None), code=code)
    share, doubt = months._recorded_by_the_end()
    np.testing.assert_allclose(share, [0.8, 1.0], atol=0.01)
    assert doubt == pytest.approx(0.0, abs=1e-12)


def test_a_month_after_which_nothing_settled_is_left_out(fitted):
    months = Months()
    target = int(fitted.states.target[0])
    shift = months.shift(
        {target: part_of(fitted, won=5, lost=5)},
        code=fitted.model.code,
        beta=fitted.model.beta,
        first_target=target + 1,
        steps=6,
    )
    assert shift is None
    assert months._recorded_by_the_end() is None


def test_at_risk_of_the_nearest_origin_alone():
    view = make_snapshot("2020-12-31", plain_company(deals=300, months=12, seed=1, won=0.2, lost=0.1)).state
    past = {view.first_target: open_states(view)}
    assert [part.step for part in at_risk(view, past, view.first_target, steps=1)] == [0]


@pytest.mark.long
@pytest.mark.slow
def test_the_shift_of_a_company_whose_wins_fall_by_half_is_found(tmp_path):
    made = simulate(opportunities=12_000, months=60, seed=31, changes=Change(kind="break", size=0.5, month="2025-09"))
    write(made, tmp_path)
    log = forecast.read(tmp_path)
    before, after = (
        fit_win_model(forecast.snapshot(log, as_of=day)).model.shift for day in ("2025-08-31", "2026-02-28")
    )
    assert abs(before.won) < 0.05
    assert before.moved < 0.2
    assert after.moved > 0.95
    # Half of the wins are left; in a month a deal is won or lost, so that the odds fall by a little more.
    assert after.won == pytest.approx(np.log(0.5), abs=0.2)
