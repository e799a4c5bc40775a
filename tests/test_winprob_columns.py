"""A column that tells nothing is left out, one that does stays; the model without it is that of a fit without it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from companies import make_snapshot, plain_company
from forecast.data.schema import Company
from forecast.models.hazards import Encoding
from forecast.models.winprob import fit_win_model, win_probabilities
from forecast.models.winprob_columns import idle_columns, without_columns


def company_with(seed: int, *, deals: int = 3000):
    table = plain_company(deals=deals, months=36, seed=seed)
    rng = np.random.default_rng(seed + 100)
    won = (table["outcome"] == "won").to_numpy()
    table["heat"] = rng.normal(size=deals) + 0.5 * won
    table["noise"] = rng.normal(size=deals)
    table["mood"] = np.where(rng.random(deals) < 0.2 + 0.3 * won, "warm", "cold")
    table["colour"] = rng.choice(["red", "green", "blue"], size=deals)
    return make_snapshot("2022-12-31", table, company=Company(fixed_at_creation=("heat", "noise", "mood", "colour")))


def test_what_tells_stays_and_what_does_not_goes():
    snap = company_with(31)
    words = fit_win_model(snap)[1].words
    assert words.numbers == ("heat",)
    assert "mood" in words.factors
    assert {"noise", "colour"} <= set(words.idle)
    notes = " ".join(win_probabilities(snap).attrs["notes"])
    assert "Added nothing to what the rest tells, and is not used: " in notes
    assert "noise" in notes


def test_a_column_of_noise_is_hardly_ever_kept():
    kept = sum("noise" not in fit_win_model(company_with(seed, deals=900))[1].words.idle for seed in range(40, 60))
    assert kept <= 2


def test_walds_statistic_by_hand():
    # A text of two levels and two numbers. Information diagonal: the gain is the sum of beta^2 x information.
    # A number must bring more than 2 for each of two causes, times 2 steps: 8.
    words = SimpleNamespace(factors={"is_it": ("a", "b")}, numbers=("x", "z"))
    layout = {"step": (0, 1, 0.01), "is is_it": (1, 2, 1.0), "x x": (3, 1, 1.0), "x z": (4, 1, 1.0)}
    code = SimpleNamespace(words=words, layout=layout, width=5, steps=2)
    gram = np.diag([50.0, 10.0, 10.0, 100.0, 100.0])
    beta = np.zeros((5, 2))
    beta[3] = 0.2, 0.2  # 0.04 x 100 x 2 = 8: not more than 8
    beta[4] = 0.2, 0.21  # 4 + 4.41 = 8.41
    beta[1:3] = 0.5  # 0.25 x 10 x 4 = 10, of 16 wanted
    assert idle_columns(code, beta, (gram, gram)) == ("is_it", "x")


def test_the_model_without_a_column_is_that_of_a_fit_without_it():
    snap = company_with(33)
    _, model, _ = fit_win_model(snap)
    _, given, _ = fit_win_model(snap, without=frozenset({*model.words.idle}))
    assert isinstance(model.code, Encoding)
    assert model.code.layout == given.code.layout
    # Beside coefficients whose standard errors are some .05.
    np.testing.assert_allclose(model.beta, given.beta, atol=0.01)


def test_nothing_to_drop_changes_nothing():
    snap = company_with(34)
    _, model, _ = fit_win_model(snap)
    grams = tuple(np.diag(np.full(model.code.width, 10.0)) for _ in range(2))
    code, beta, _ = without_columns(model.code, (), model.beta, grams)
    assert code.layout == model.code.layout
    assert beta == pytest.approx(model.beta)
