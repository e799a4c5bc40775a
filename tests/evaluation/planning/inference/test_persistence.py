"""How errors hang together over time: by hand, against Kalman filter, restricted likelihood and GLS, and recovered."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.linalg import null_space
from scipy.stats import multivariate_normal

from forecast.evaluation.planning.inference import persistence
from forecast.evaluation.planning.inference.persistence import (
    FADING,
    SEASON,
    Structures,
    best_structure,
    slopes_under,
    structures,
)


def variance_of(shares: np.ndarray, months: np.ndarray) -> np.ndarray:
    """Return the variance of a history of months by the words of the module, one pair of months after another."""
    out = np.zeros((len(months), len(months)))
    for i, one in enumerate(months):
        for j, other in enumerate(months):
            apart = abs(int(one) - int(other))
            parts = [float(apart == 0), *(phi**apart for phi in FADING)]
            parts.append(SEASON ** (apart / 12) if apart % 12 == 0 else 0.0)
            out[i, j] = np.dot(shares, parts)
    return out


def number_of(of: Structures, shares: tuple[float, ...]) -> int:
    return int(np.flatnonzero((of.shares == np.array(shares)).all(axis=1))[0])


def without_months(values: np.ndarray) -> np.ndarray:
    return values - values.mean(axis=-2, keepdims=True)


def exact_level(monkeypatch: pytest.MonkeyPatch, months: np.ndarray, level: float) -> Structures:
    """Return the structures with another variance of the level before anything is known."""
    monkeypatch.setattr(persistence, "_LEVEL", level)
    return persistence._structures.__wrapped__(tuple(int(month) for month in months))


def test_two_months_by_hand():
    # Variance of two months with nothing shared but the level: 101 each, 100 in common.
    of = structures(np.array([7, 8]))
    whiten = of.whiten[number_of(of, (1, 0, 0, 0, 0))]
    assert whiten @ np.array([10.1, 10.0]) == pytest.approx([10.1 / 101**0.5, 0.0])
    # The second month is expected at 100/101 of the first and varies by 101 - 100^2 / 101 = 201/101.
    assert whiten[1] == pytest.approx([-100 / 101 / (201 / 101) ** 0.5, 1 / (201 / 101) ** 0.5])
    assert of.log_determinant[number_of(of, (1, 0, 0, 0, 0))] == pytest.approx(np.log(101**2 - 100**2))
    # With half of it fading by .8 a month: .4 more in common.
    assert np.exp(of.log_determinant[number_of(of, (0.5, 0, 0.5, 0, 0))]) == pytest.approx(101**2 - 100.4**2)


def test_every_structure_is_a_mixture_with_some_noise():
    of = structures(np.arange(5))
    assert of.shares.sum(axis=1).tolist() == [1.0] * len(of.shares)
    assert len({tuple(row) for row in of.shares}) == len(of.shares)
    assert (of.shares[:, 0] + of.shares[:, 1] > 0).all()
    assert (of.shares[:, -1] <= 0.5).all()


@pytest.mark.parametrize("months", [np.arange(30), np.array([3, 4, 6, 7, 18, 19, 30, 31])])
def test_whitening_takes_the_variance_to_one_also_with_months_between_missing(months: np.ndarray):
    of = structures(months)
    for number, shares in enumerate(of.shares):
        variance = variance_of(shares, months) + 100.0
        whiten = of.whiten[number]
        assert np.triu(whiten, 1) == pytest.approx(0)
        assert whiten @ variance @ whiten.T == pytest.approx(np.eye(len(months)), abs=1e-7)
        assert of.log_determinant[number] == pytest.approx(np.linalg.slogdet(variance)[1])
        assert of.precision[number] == pytest.approx((whiten.T @ whiten).ravel())


def test_an_innovation_is_what_the_months_before_did_not_lead_to_expect():
    months, rng = np.arange(16), np.random.default_rng(3)
    of, y = structures(months), rng.normal(size=16)
    for number in (5, 20, len(of.shares) - 1):
        variance = variance_of(of.shares[number], months) + 100.0
        got = of.whiten[number] @ y
        for t in range(1, 16):
            weights = np.linalg.solve(variance[:t, :t], variance[:t, t])
            left = variance[t, t] - weights @ variance[:t, t]
            assert got[t] == pytest.approx((y[t] - weights @ y[:t]) / left**0.5, abs=1e-8)


def test_innovations_are_those_of_the_kalman_filter(monkeypatch: pytest.MonkeyPatch):
    y = np.random.default_rng(8).normal(size=40)
    of = exact_level(monkeypatch, np.arange(40), 0.0)
    number = number_of(of, (0, 1, 0, 0, 0))
    found = sm.tsa.SARIMAX(y, order=(1, 0, 0), trend="n").smooth([FADING[0], 1 - FADING[0] ** 2])
    innovations = of.whiten[number] @ y
    assert innovations == pytest.approx(found.standardized_forecasts_error[0], abs=1e-8)
    likelihood = -0.5 * (40 * np.log(2 * np.pi) + of.log_determinant[number] + innovations @ innovations)
    assert likelihood == pytest.approx(found.llf)
    # Noise and a spell together are ARMA(1,1): the same likelihood from the state space of a sum.
    number = number_of(of, (0.5, 0, 0.5, 0, 0))
    model = sm.tsa.UnobservedComponents(y, irregular=True, autoregressive=1)
    found = model.smooth([0.5, 0.5 * (1 - 0.8**2), 0.8])
    assert of.whiten[number] @ y == pytest.approx(found.standardized_forecasts_error[0], abs=1e-8)


def restricted(variance: np.ndarray, values: np.ndarray) -> float:
    """Return the restricted log likelihood at its best scale: of contrasts that know no level and no month.

    values : (S, T).
    """
    across, along = null_space(np.ones((1, len(values)))).T, null_space(np.ones((1, values.shape[1]))).T
    contrasts, inner = across @ values @ along.T, along @ variance @ along.T
    scale = np.einsum("st,tu,su->", contrasts, np.linalg.inv(inner), contrasts) / contrasts.size
    return float(multivariate_normal(cov=scale * inner).logpdf(contrasts).sum())


@pytest.mark.parametrize("phi", [0.0, 0.6, 0.95])
def test_the_structure_chosen_has_the_highest_restricted_likelihood(phi: float, monkeypatch: pytest.MonkeyPatch):
    months, rng = np.arange(24), np.random.default_rng(11)
    variance = 0.3 * np.eye(24) + phi ** np.abs(np.subtract.outer(months, months))
    y = without_months(rng.normal(size=(5, 24)) @ np.linalg.cholesky(variance).T)
    of = structures(months)
    likelihood = np.array([restricted(variance_of(shares, months), y) for shares in of.shares])
    nothing = np.zeros((1, 0, 5, 24))
    wide = exact_level(monkeypatch, months, 1e7)
    assert best_structure(wide, y[None], nothing).structure[0] == likelihood.argmax()
    # A level that varies by 100 is nearly, not wholly, unknown.
    chosen = best_structure(of, y[None], nothing).structure[0]
    assert likelihood[chosen] > likelihood.max() - 0.1


def test_slopes_and_what_is_left_are_those_of_generalised_least_squares():
    months, rng = np.array([0, 1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 13]), np.random.default_rng(2)
    segments, length = 4, len(months)
    covariates = rng.normal(size=(2, segments, length))
    y = 0.8 * covariates[0] - 0.3 * covariates[1] + rng.normal(size=(segments, length))
    of = structures(months)
    fit = best_structure(of, without_months(y)[None], without_months(covariates)[None])
    shares = of.shares[fit.structure[0]]
    sigma = np.kron(np.eye(segments), variance_of(shares, months) + 100.0)
    dummies = np.tile(np.eye(length), (segments, 1))
    model = sm.GLS(y.ravel(), np.column_stack([covariates.reshape(2, -1).T, dummies]), sigma=sigma).fit()
    assert fit.slopes[0] == pytest.approx(model.params[:2])
    freedom = (segments - 1) * (length - 1)
    assert fit.variance[0] == pytest.approx(model.ssr / freedom)
    # The same from innovations.
    whiten = of.whiten[fit.structure[0]]
    pair = without_months(covariates)[None] @ whiten.T
    slopes, variance = slopes_under(without_months(y)[None] @ whiten.T, pair)
    assert slopes == pytest.approx(fit.slopes)
    assert variance == pytest.approx(fit.variance)


def test_a_covariate_that_never_moves_drops_out():
    rng, of = np.random.default_rng(4), structures(np.arange(12))
    y = without_months(rng.normal(size=(1, 4, 12)))
    moving = without_months(rng.normal(size=(1, 1, 4, 12)))
    alone = best_structure(of, y, moving)
    both = best_structure(of, y, np.concatenate([moving, np.zeros_like(moving)], axis=1))
    assert both.structure == alone.structure
    assert both.slopes[0] == pytest.approx([alone.slopes[0, 0], 0.0], abs=1e-6)


def test_panels_stacked_give_what_each_gives_alone():
    rng, of = np.random.default_rng(5), structures(np.arange(20))
    y = without_months(np.cumsum(rng.normal(size=(3, 5, 20)) * np.array([1, 0, 0.3])[:, None, None], axis=2))
    y = without_months(y + rng.normal(size=(3, 5, 20)))
    x = without_months(rng.normal(size=(3, 1, 5, 20)))
    stacked = best_structure(of, y, x)
    for k in range(3):
        alone = best_structure(of, y[k : k + 1], x[k : k + 1])
        assert stacked.structure[k] == alone.structure[0]
        assert stacked.slopes[k] == pytest.approx(alone.slopes[0])
        assert stacked.variance[k] == pytest.approx(alone.variance[0])


@pytest.mark.parametrize("values", [np.zeros((1, 3, 6)), np.zeros((1, 1, 6))])
def test_nothing_left_or_a_single_segment_is_borne(values: np.ndarray):
    fit = best_structure(structures(np.arange(6)), values, np.zeros((1, 0, *values.shape[1:])))
    assert np.isfinite(fit.variance).all()
    assert (fit.variance > 0).all()


@pytest.mark.slow
def test_how_long_spells_last_is_recovered():
    # AR(1) histories of eight segments: the correlation with the month before that the structure chosen implies.
    months, of = np.arange(48), structures(np.arange(48))
    distance = np.abs(np.subtract.outer(months, months))
    lag_one = of.shares @ np.array([0.0, *FADING, 0.0])
    for phi in (0.0, 0.35, 0.65, 0.8):
        rng = np.random.default_rng(int(100 * phi))
        root = np.linalg.cholesky(phi**distance)
        y = without_months(rng.normal(size=(60, 8, 48)) @ root.T)
        found = lag_one[best_structure(of, y, np.zeros((60, 0, 8, 48))).structure]
        assert np.median(found) == pytest.approx(phi, abs=0.1)
    # A year's pattern of each segment's own shows as season.
    rng = np.random.default_rng(7)
    pattern = np.tile(rng.normal(size=(60, 8, 12)), (1, 1, 4)) + rng.normal(size=(60, 8, 48))
    season = of.shares[best_structure(of, without_months(pattern), np.zeros((60, 0, 8, 48))).structure, -1]
    assert np.mean(season == 0.5) > 0.9
