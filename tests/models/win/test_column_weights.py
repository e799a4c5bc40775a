"""Columns earn their weight: the ridge learned from the rows, and number columns as normal scores."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import multivariate_normal, norm, rankdata

import forecast
from companies import make_snapshot, plain_company
from forecast.models.logistic import fit_logistic
from forecast.models.win.encoding import normal_scores
from forecast.models.win.hazards import learned_ridge
from forecast.models.win.probabilities import chances_ahead, fit_win_model
from forecast.simulation.company import simulate, write


def code_of(widths: dict[str, int], *, ridge: float = 1.0, steps: int = 2) -> SimpleNamespace:
    """An encoding as far as `learned_ridge` looks at it; two steps: information counts in full."""
    layout, at = {}, 0
    for name, width in widths.items():
        layout[name] = (at, width, ridge)
        at += width
    return SimpleNamespace(layout=layout, ridge=np.full(at, ridge), steps=steps)


def gaussian(design: np.ndarray, y: np.ndarray, code) -> tuple[np.ndarray, np.ndarray]:
    """Return the ridge fit of a linear regression with noise 1, and its penalised information."""
    gram = design.T @ design + np.diag(code.ridge)
    return np.linalg.solve(gram, design.T @ y), gram


def test_one_column_by_hand():
    # One column, information g = 100, unpenalised estimate b = .3, so z^2 = g b^2 = 9. MacKay's fixed point is
    # ridge = (g + ridge) / z^2, that is ridge = g / (z^2 - 1) = 12.5 and b shrinks by 1 - 1 / z^2 to .2667.
    code = code_of({"x": 1}, ridge=1.0)
    gram = np.array([[101.0]])
    beta = np.array([[100 * 0.3 / 101] * 2])
    learned = learned_ridge(code, beta, (gram, gram), blocks=["x"])
    assert learned.ridge["x"] == pytest.approx(12.5, rel=1e-4)
    assert learned.beta[0] == pytest.approx([0.3 * 8 / 9] * 2, rel=1e-4)
    assert learned.determined["x"] == pytest.approx(2 * 8 / 9, rel=1e-4)
    # Seen from six origins the same numbers are worth a third: z^2 = 3.
    third = learned_ridge(code_of({"x": 1}, steps=6), beta, (gram, gram), blocks=["x"])
    assert third.beta[0] == pytest.approx([0.3 * 2 / 3] * 2, rel=1e-3)


def test_the_others_follow_as_in_a_fit_with_the_ridge_learned():
    rng = np.random.default_rng(4)
    design = rng.standard_normal((200, 9)) @ (np.eye(9) + 0.3)
    y = design @ rng.standard_normal(9) * 0.3 + rng.standard_normal(200)
    code = code_of({"step": 3, "is x": 4, "age": 2})
    beta, gram = gaussian(design, y, code)
    learned = learned_ridge(code, np.column_stack([beta, beta]), (gram, gram), blocks=["is x"])
    ridge = code.ridge.copy()
    ridge[3:7] = learned.ridge["is x"]
    again = np.linalg.solve(design.T @ design + np.diag(ridge), design.T @ y)
    assert learned.beta[:, 0] == pytest.approx(again, rel=1e-3, abs=1e-5)


def test_less_than_chance_weighs_nothing():
    code = code_of({"x": 1})
    gram = np.array([[101.0]])
    beta = np.array([[100 * 0.05 / 101] * 2])  # z^2 = .25
    learned = learned_ridge(code, beta, (gram, gram), blocks=["x"])
    assert abs(learned.beta).max() < 1e-4
    assert learned.determined["x"] < 0.01


def test_the_ridge_maximises_the_marginal_likelihood():
    # Reference: the evidence N(y; 0, I + X X' / alpha) maximised by scipy, both causes sharing alpha.
    rng = np.random.default_rng(3)
    design = rng.standard_normal((120, 8))
    y = [design @ (0.35 * rng.standard_normal(8)) + rng.standard_normal(120) for _ in range(2)]
    code = code_of({"is x": 8})
    fits = [gaussian(design, each, code) for each in y]
    learned = learned_ridge(
        code, np.column_stack([beta for beta, _ in fits]), (fits[0][1], fits[1][1]), blocks=["is x"]
    )

    def evidence(log_alpha: float) -> float:
        covariance = np.eye(120) + design @ design.T / np.exp(log_alpha)
        return -sum(multivariate_normal.logpdf(each, cov=covariance) for each in y)

    best = np.exp(minimize_scalar(evidence, bounds=(-5, 10), method="bounded").x)
    assert learned.ridge["is x"] == pytest.approx(best, rel=1e-3)
    again = [np.linalg.solve(design.T @ design + best * np.eye(8), design.T @ each) for each in y]
    assert learned.beta == pytest.approx(np.column_stack(again), rel=2e-3, abs=1e-5)


def test_a_spread_put_in_is_found():
    rng = np.random.default_rng(5)
    effects = 0.4 * rng.standard_normal((2, 30))
    level, noise = rng.integers(0, 30, 40_000), rng.integers(0, 30, 40_000)
    design = np.column_stack([np.ones(40_000), np.eye(30)[level], np.eye(30)[noise]])
    code = code_of({"step": 1, "is told": 30, "is idle": 30})
    fits = []
    for each in effects:
        y = rng.random(40_000) < 1 / (1 + np.exp(2.0 - each[level]))
        beta = fit_logistic(design, y.astype(float), ridge=code.ridge, tolerance=1e-10).beta
        p = 1 / (1 + np.exp(-design @ beta))
        fits.append((beta, (design * (p * (1 - p))[:, None]).T @ design + np.diag(code.ridge)))
    learned = learned_ridge(
        code, np.column_stack([b for b, _ in fits]), (fits[0][1], fits[1][1]), blocks=["is told", "is idle"]
    )
    assert 1 / np.sqrt(learned.ridge["is told"]) == pytest.approx(0.4, rel=0.15)  # 60 draws: 9 % standard error
    assert learned.determined["is told"] > 50
    unshrunk = np.column_stack([b for b, _ in fits])
    assert abs(learned.beta[31:]).max() < 0.25 * abs(unshrunk[31:]).max()
    # Shrunk estimates are nearer to the truth than those with ridge 1.
    before, after = (
        (b[1:31].T - b[1:31].mean(axis=0)[:, None]) for b in (np.column_stack([b for b, _ in fits]), learned.beta)
    )
    truth = effects - effects.mean(axis=1, keepdims=True)
    assert ((after - truth) ** 2).sum() < ((before - truth) ** 2).sum()


@given(st.floats(0.0, 4.0))
def test_nothing_jumps_at_the_border(z: float):
    # As the evidence passes through what chance would show, the coefficient moves little.
    def shrunk(z: float) -> float:
        gram = np.array([[101.0]])
        beta = np.array([[100 * z / 10 / 101] * 2])
        return float(learned_ridge(code_of({"x": 1}), beta, (gram, gram), blocks=["x"]).beta[0, 0])

    assert 0 <= shrunk(z) <= z / 10
    assert abs(shrunk(z + 0.01) - shrunk(z)) < 0.01


# -- normal scores -------------------------------------------------------------------------------------


def test_scores_by_hand():
    # Ranks .5, 1.5, 3 (two equal), of 4: quantiles of 1/8, 3/8, 3/4; then mean 0 and variance 1.
    score = normal_scores(np.array([10.0, 20.0, 500.0, 500.0, np.nan]))
    assert score is not None
    raw = norm.ppf([1 / 8, 3 / 8, 3 / 4, 3 / 4])
    assert score(np.array([10.0, 20.0, 500.0, 500.0])) == pytest.approx((raw - raw.mean()) / raw.std())
    assert score(np.array([np.nan, 1e9, -1e9])) == pytest.approx([0.0, *score(np.array([500.0, 10.0]))])


def test_scores_are_those_of_the_ranks():
    rng = np.random.default_rng(1)
    x = np.exp(2 * rng.standard_normal(5000))
    score = normal_scores(x)
    assert score is not None
    raw = norm.ppf((rankdata(x) - 0.5) / len(x))
    off = np.abs(score(x) - raw / raw.std())
    # 64 knots; in the outermost hundredth they stand further apart than the values.
    assert off[np.abs(raw) < 2.5].max() < 0.03
    assert off.max() < 0.1


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60))
def test_scores_rise_and_are_standard(values: list[float]):
    x = np.array(values)
    score = normal_scores(x)
    if len(np.unique(x)) < 2:
        assert score is None
        return
    assert score is not None
    z = score(np.sort(x))
    assert (np.diff(z) >= 0).all()
    assert z.mean() == pytest.approx(0, abs=1e-8)
    assert z.std() == pytest.approx(1, abs=1e-8)


def test_nothing_known_gives_no_scores():
    assert normal_scores(np.array([np.nan, np.nan])) is None
    assert normal_scores(np.array([3.0, 3.0, np.nan])) is None


# -- in the model --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_column_of_noise_weighs_nothing_and_one_that_tells_does(tmp_path):
    company = simulate(opportunities=6000, months=48, seed=31, segments=4)
    write(company, tmp_path)
    log = forecast.read(tmp_path)
    deals = log.tables["opportunities"]
    rng = np.random.default_rng(7)
    won = (deals["outcome"] == "won").to_numpy()
    noise = np.array(["red", "green", "blue", "grey", "white", "black"])[rng.integers(0, 6, len(deals))]
    hint = np.exp(2 * (0.5 * won + rng.standard_normal(len(deals))))
    tables = dict(log.tables) | {"opportunities": deals.assign(colour=noise, hint=hint)}
    listed = replace(log.company, fixed_at_creation=(*log.company.fixed_at_creation, "colour", "hint"))
    told = replace(log, tables=tables, company=listed)
    snap = forecast.snapshot(told, as_of="2025-12-31")
    today = fit_win_model(snap)
    model, states = today.model, today.states
    assert model is not None
    assert "colour" in model.idle
    assert "hint" not in model.idle
    at, width, _ = model.code.layout["is colour"]
    assert abs(model.beta[at : at + width]).max() < 0.03
    place = model.code.layout["x hint"][0]
    assert model.beta[place, 0] - model.beta[place, 1] > 0.2
    notes = forecast.win_probabilities(snap).attrs["notes"]
    assert any("colour" in note and "chance" in note for note in notes)
    assert len(states)


def test_whose_close_dates_are_kept_is_learned_by_source():
    # Two sources; the deals of the one are won in the month they say, those of the other whenever chance will have it.
    deals = plain_company(deals=3000, months=36, seed=11, won=0.15, lost=0.05)
    created = pd.to_datetime(deals["created_on"])
    renewal = np.arange(len(deals)) % 2 == 0
    due = created + pd.offsets.MonthBegin(3)
    due_on = due.dt.strftime("%Y-%m-%d")
    over = due <= "2022-12-31"
    how = np.where(np.arange(len(deals)) % 12 == 0, "lost", "won")
    deals["lead_source"] = np.where(renewal, "Renewal", "Web")
    deals["closed_on"] = deals["closed_on"].mask(renewal, due_on.where(over))
    deals["outcome"] = deals["outcome"].mask(renewal, pd.Series(np.where(over, how, "open"), dtype="str"))
    deals["expected_close_on"] = due_on
    born = pd.DataFrame(
        {
            "opportunity_id": deals["opportunity_id"],
            "recorded_on": deals["created_on"],
            "stage": "Early",
            "amount": 100.0,
            "expected_close_on": due_on,
        }
    )
    stage = deals["outcome"].map({"won": "Closed won", "lost": "Closed lost"})
    ended = born.assign(recorded_on=deals["closed_on"], stage=stage)
    history = pd.concat([born, ended[deals["outcome"] != "open"]], ignore_index=True)
    today = fit_win_model(make_snapshot("2022-12-31", deals, history))
    chance = chances_ahead(today.view, today.model, today.states, steps=6)
    source = np.array(today.model.words.factors["lead_source"])[today.states.factors["lead_source"]]
    for step in range(2):
        now_due = today.states.due == step
        assert chance[now_due & (source == "Renewal"), step].mean() > 0.7
        assert chance[now_due & (source == "Web"), step].mean() < 0.35
