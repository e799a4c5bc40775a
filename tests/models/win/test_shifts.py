"""Levels that move: the filter against statsmodels, what is still stays, what jumps is followed, and by how much."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit
from statsmodels.tsa.statespace.mlemodel import MLEModel

from forecast.models.win.change.shifts import (
    MONTHS,
    MonthCounts,
    _filtered,
    _hypotheses,
    _smoothed,
    by_form,
    evidence_of,
    expected_under,
    local_level,
    shift_of,
)

AHEAD = np.arange(1, 7)


def level_of(observed: np.ndarray, variance: float = 0.01):
    return local_level(np.atleast_2d(observed), np.full(np.atleast_2d(observed).shape, variance), ahead=AHEAD)


# -- one level ------------------------------------------------------------------------------------------


def test_the_filter_by_hand():
    # One month seen at .3 with variance .01 of a level drawn from N(0, .5^2): .3 x .25 / .26, variance .25 x .01 / .26.
    which = _hypotheses(2)
    jump = int(np.flatnonzero((which.jump == 1) & (which.scatter == 0))[0])
    mean, spread, evidence = _filtered(np.array([[0.0, 0.3]]), np.full((1, 2), 0.01), which)
    assert mean[1, jump, 0] == pytest.approx(0.3 * 0.25 / 0.26)
    assert spread[1, jump, 0] == pytest.approx(0.25 * 0.01 / 0.26)
    by_hand = -0.5 * np.log(0.01) - 0.5 * (np.log(0.26) + 0.09 / 0.26)
    assert evidence[jump, 0] == pytest.approx(by_hand)


def test_the_filter_and_the_smoother_are_those_of_statsmodels():
    rng = np.random.default_rng(1)
    observed, variance = rng.normal(0, 0.2, 24), rng.uniform(0.005, 0.03, 24)
    which = _hypotheses(24)
    at = int(np.flatnonzero(which.wanders & (which.scatter == 0.1))[1])
    mean, spread, evidence = _filtered(observed[None], variance[None], which)
    phi, noise = which.phi[at], which.noise[at]
    model = MLEModel(observed, k_states=1)
    model.ssm["design", 0, 0], model.ssm["transition", 0, 0], model.ssm["selection", 0, 0] = 1.0, phi, 1.0
    model.ssm["state_cov"] = np.full((1, 1, 24), noise[-1])
    model.ssm["obs_cov"] = (variance + 0.1**2)[None, None]
    model.ssm.initialize_known(np.zeros(1), np.array([[noise[0]]]))
    reference = model.ssm.smooth()
    np.testing.assert_allclose(mean[:, at, 0], reference.filtered_state[0], rtol=1e-8)
    np.testing.assert_allclose(spread[:, at, 0], reference.filtered_state_cov[0, 0], rtol=1e-8)
    np.testing.assert_allclose(_smoothed(mean, spread, which)[:, at, 0], reference.smoothed_state[0], rtol=1e-8)
    # statsmodels counts log 2 pi a month, which all hypotheses share.
    assert evidence[at, 0] - 12 * np.log(2 * np.pi) == pytest.approx(reference.llf)


def test_a_month_in_which_nothing_was_seen_changes_nothing():
    observed, variance = np.array([[0.1, 9.0, 0.2]]), np.array([[0.01, np.inf, 0.01]])
    which = _hypotheses(3)
    still = which.phi == 1.0
    one = _filtered(observed, variance, which)
    other = _filtered(np.where(np.isfinite(variance), observed, -5.0), variance, which)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)
    assert still.any()


def test_of_still_levels_hardly_any_moves():
    # 400 series of chance alone: the mean square of what is carried ahead, over that of the noise of one month.
    rng = np.random.default_rng(2)
    found = [level_of(rng.normal(0, 0.1, MONTHS)) for _ in range(400)]
    ahead = np.array([each.ahead[0, 0] for each in found])
    moved = np.array([each.moved[0] for each in found])
    assert np.sqrt(np.mean(ahead**2)) < 0.1 * 0.1
    assert (moved > 0.5).mean() < 0.01


@pytest.mark.parametrize("size", [-0.6, 0.4])
@pytest.mark.parametrize("since", [1, 4])
def test_a_jump_is_followed_at_once(size: float, since: int):
    rng = np.random.default_rng(3)
    observed = rng.normal(0, 0.05, MONTHS)
    observed[-since:] += size
    level = level_of(observed, 0.05**2)
    assert level.ahead[0, 0] == pytest.approx(size, abs=0.12)
    assert level.moved[0] > 0.85
    if since == 4:
        assert level.jumped[0].argmax() == level.jumped.shape[1] - 4
        np.testing.assert_allclose(level.path[0, :-5], 0.0, atol=0.05)


def test_levels_that_wander_are_followed_together_and_fade_ahead():
    rng = np.random.default_rng(4)
    truth = np.zeros((8, MONTHS))
    for t in range(1, MONTHS):
        truth[:, t] = 0.95 * truth[:, t - 1] + rng.normal(0, 0.3 * np.sqrt(1 - 0.95**2), 8)
    observed = truth + rng.normal(0, 0.1, truth.shape)
    level = local_level(observed, np.full(truth.shape, 0.01), ahead=AHEAD)
    last = np.sqrt(np.mean((level.ahead[:, 0] - truth[:, -1]) ** 2))
    assert last < 0.1
    assert np.abs(level.ahead[:, -1]).sum() < np.abs(level.ahead[:, 0]).sum()
    assert (level.moved > 0.9).all()


def test_how_unsure_a_level_is_agrees_with_how_far_off_it_turns_out_to_be():
    # 60 families of 20 levels that wander as one of the hypotheses has it, six months beyond what was seen.
    rng = np.random.default_rng(6)
    size, keep, noise = 0.4, 0.9, 0.15
    squares, said = np.zeros(6), np.zeros(6)
    for _ in range(60):
        truth = np.zeros((20, MONTHS + 6))
        truth[:, 0] = rng.normal(0, size, 20)
        for t in range(1, MONTHS + 6):
            truth[:, t] = keep * truth[:, t - 1] + rng.normal(0, size * np.sqrt(1 - keep**2), 20)
        seen = truth[:, :MONTHS] + rng.normal(0, noise, (20, MONTHS))
        level = local_level(seen, np.full(seen.shape, noise**2), ahead=AHEAD)
        squares += ((level.ahead - truth[:, MONTHS:]) ** 2).mean(axis=0)
        said += level.variance.mean(axis=0)
    np.testing.assert_allclose(said / squares, 1.0, atol=0.12)
    assert (np.diff(said) > 0).all()


def test_a_still_level_is_hardly_unsure_and_one_that_may_have_jumped_is():
    rng = np.random.default_rng(7)
    still = rng.normal(0, 0.1, (50, MONTHS))
    jumped = still.copy()
    jumped[:, -1] -= 0.3
    variance = np.full((1, MONTHS), 0.01)
    sure, unsure = (
        np.mean([local_level(each[None], variance, ahead=AHEAD).variance[0, 0] for each in group])
        for group in (still, jumped)
    )
    assert sure < 0.01 * 0.1
    assert unsure > 10 * sure


# -- forms of a change ----------------------------------------------------------------------------------


def test_no_shift_is_no_change_also_where_chances_are_at_their_bound():
    logits = np.array([[-2.0, -3.0], [4.0, 3.0], [-40.0, 0.0]])
    none = np.zeros_like(logits)
    np.testing.assert_array_equal(by_form(logits, none, none, np.array([0.5, 0.5])), logits)


def test_the_forms_by_hand():
    won, lost = 0.2, 0.1
    logits = logit(np.array([[won, lost]]))
    half = np.array([[np.log(0.5), 0.0]])
    rates = expit(by_form(logits, half, np.zeros((1, 2)), np.array([1.0, 0.0])))
    # The odds of a win in the month are halved, those of a loss stay.
    np.testing.assert_allclose(rates, [[0.125 / 1.125, 0.1]])
    # As many close, and half of the wins are lost instead.
    shares = expit(by_form(logits, np.zeros((1, 2)), half[:, ::-1], np.array([0.0, 1.0])))
    np.testing.assert_allclose(shares, [[0.1, 0.2]])
    both = expit(by_form(logits, half, half[:, ::-1], np.array([0.5, 0.5])))
    np.testing.assert_allclose(both, (rates + shares) / 2)


def counts(won: float, lost: float, *, expected: tuple[float, float] = (100.0, 200.0)) -> MonthCounts:
    """Return a month of one segment and one stage, beside the empty ones."""
    seen, mean = np.zeros((2, 2, 1, 2)), np.zeros((2, 2, 1, 2))
    seen[0, 0, 0], mean[0, 0, 0] = (won, lost), expected
    return MonthCounts(seen=seen, expected=mean, information=mean * 0.9)


def test_the_evidence_of_a_form_is_its_poisson_likelihood():
    month = counts(50, 250)
    none, half = np.zeros((2, 2, 1, 2)), np.zeros((2, 2, 1, 2))
    half[0, 0, 0, 1] = np.log(0.5)
    np.testing.assert_allclose(expected_under(month, none, half)[1, 0, 0, 0], [50, 250])
    rates, shares = evidence_of(month, none, half)
    assert shares - rates == pytest.approx(50 * np.log(50 / 100) - 50 + 250 * np.log(250 / 200) - 250 + 300)


def test_a_fall_of_the_share_won_is_found_in_both_forms():
    months = {month: counts(100, 200) for month in range(100, 120)}
    months |= {month: counts(50, 250) for month in range(120, 124)}
    shift = shift_of(months, first_target=124, steps=6, evidence=np.zeros(2))
    assert shift is not None
    found = expected_under(counts(0, 0), shift.rates[..., 0, :], shift.shares[..., 0, :])
    np.testing.assert_allclose(found[:, 0, 0, 0], [[50, 250], [50, 250]], rtol=0.05)
    assert shift.moved > 0.99
    assert shift.won == pytest.approx(np.log(0.5) / 0.9, abs=0.1)


def test_a_segment_that_moves_alone_moves_alone():
    rng = np.random.default_rng(5)
    months = {}
    for month in range(24):
        mean = np.zeros((5, 3, 1, 2))
        mean[:4, :2] = 30.0, 60.0
        factor = np.ones((5, 3, 1, 2))
        if month >= 18:
            factor[1, ..., 0] = 0.5
        months[month] = MonthCounts(seen=rng.poisson(mean * factor).astype(float), expected=mean, information=mean)
    shift = shift_of(months, first_target=24, steps=6, evidence=np.zeros(2))
    assert shift is not None
    won = shift.rates[:4, :2, 0, 0, 0].mean(axis=1)
    assert won[1] == pytest.approx(np.log(0.5), abs=0.2)
    np.testing.assert_allclose(np.delete(won, 1), 0.0, atol=0.1)
    np.testing.assert_allclose(shift.rates[:4, :2, 0, 0, 1], 0.0, atol=0.1)


def test_a_source_that_moves_alone_moves_alone_and_its_segments_stay():
    # Of four sources one brings half of the wins from the 18th month on, in all segments alike.
    rng = np.random.default_rng(8)
    months = {}
    for month in range(24):
        mean = np.zeros((4, 3, 5, 2))
        mean[:3, :2, :4] = 15.0, 30.0
        factor = np.ones_like(mean)
        if month >= 18:
            factor[:, :, 2, 0] = 0.5
        months[month] = MonthCounts(seen=rng.poisson(mean * factor).astype(float), expected=mean, information=mean)
    shift = shift_of(months, first_target=24, steps=6, evidence=np.zeros(2))
    assert shift is not None
    assert shift.rates.shape == (4, 3, 5, 6, 2)
    won = shift.rates[:3, :2, :4, 0, 0]
    assert won[:, :, 2].mean() == pytest.approx(np.log(0.5), abs=0.2)
    np.testing.assert_allclose(np.delete(won, 2, axis=2), 0.0, atol=0.15)
    assert np.ptp(won.mean(axis=(1, 2))) < 0.05


def test_less_than_a_year_tells_nothing():
    assert (
        shift_of({month: counts(50, 200) for month in range(11)}, first_target=11, steps=6, evidence=np.zeros(2))
        is None
    )


def test_a_doubtful_month_moves_less():
    months = {month: counts(100, 200) for month in range(23)}
    sure, doubtful = counts(70, 200), replace(counts(70, 200), doubt=0.2**2)
    found = [shift_of(months | {23: last}, first_target=24, steps=6, evidence=np.zeros(2)) for last in (sure, doubtful)]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].won < 2 * found[1].won < 0
