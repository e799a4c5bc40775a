"""The win model as a scikit-learn classifier: scikit-learn's own checks, odds near those of the model, by time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator

import forecast
from forecast.adapters.sklearn import WinClassifier, challenger
from forecast.data.checks.validation import validate
from forecast.data.schema import Company, Log
from forecast.evaluation.scores.deals import deal_track
from forecast.evaluation.scores.events import auc, brier
from forecast.simulation.company import simulate

EXPECTED_TO_FAIL: dict[str, str] = {}
"""Checks of scikit-learn that it need not pass, each with its reason: there is none."""


@pytest.fixture(scope="module")
def log() -> Log:
    made = simulate(opportunities=2500, months=40, seed=8, segments=3)
    return validate(made.tables, Company(**{**made.company, "fixed_at_creation": ()}))


@pytest.fixture(scope="module")
def seen(log: Log) -> pd.DataFrame:
    """Return landmarks of 18 month ends, told by the end of the log."""
    ends = pd.date_range("2025-01-31", periods=18, freq="ME")
    return forecast.landmarks(log, origins=list(ends), horizon=3).dropna(subset=["won"])


@pytest.mark.slow
def test_it_passes_the_checks_of_scikit_learn():
    found = check_estimator(WinClassifier(), expected_failed_checks=EXPECTED_TO_FAIL, on_fail="raise", on_skip=None)
    assert sum(each["status"] == "passed" for each in found) >= 50
    assert len(EXPECTED_TO_FAIL) <= 5


@pytest.mark.slow
def test_of_the_same_deals_it_says_about_what_the_win_model_says(log: Log, seen: pd.DataFrame):
    """It learns from landmarks whose months had settled by the day, as the win model does."""
    day = "2026-06-30"
    asked = [each for each in seen["origin"].unique() if each <= pd.Timestamp("2026-03-31")]
    past = forecast.landmarks(log, origins=asked, horizon=3, as_of=day)
    track = deal_track(log, as_of="2026-10-31", origins=[day], horizon=3)
    today = forecast.landmarks(log, origins=[day], horizon=3)
    past = past.dropna(subset=["won"])
    p = pd.Series(WinClassifier().fit(past, past["won"]).predict_proba(today)[:, 1], index=today["opportunity_id"])
    both = track.assign(other=track["opportunity_id"].map(p))
    assert np.corrcoef(both["p"], both["other"])[0, 1] > 0.85
    assert abs(both["p"].mean() - both["other"].mean()) < 0.06
    assert auc(both["won"], both["other"]) > auc(both["won"], both["p"]) - 0.06


@pytest.mark.slow
def test_it_is_cross_validated_by_time_and_sits_in_a_pipeline(seen: pd.DataFrame):
    model: Any = WinClassifier()
    by_origin = cross_val_score(model, seen, seen["won"], groups=seen["origin"], cv=GroupKFold(3), scoring="roc_auc")
    assert by_origin.min() > 0.65
    later = cross_val_score(model, seen, seen["won"], cv=TimeSeriesSplit(3), scoring="roc_auc")  # sorted by origin
    assert later.min() > 0.6
    kept = ["stage", "amount", "age", "months_to_close", "lead_source"]
    some = ColumnTransformer([("kept", "passthrough", kept)], verbose_feature_names_out=False)
    pipeline = make_pipeline(some.set_output(transform="pandas"), WinClassifier()).fit(seen, seen["won"])
    assert auc(seen["won"], pipeline.predict_proba(seen)[:, 1]) > 0.65
    bare = make_pipeline(FunctionTransformer(lambda X: X[["age", "slips"]].to_numpy()), WinClassifier())
    assert bare.fit(seen, seen["won"]).predict_proba(seen).shape == (len(seen), 2)


@pytest.mark.slow
def test_it_may_be_its_own_challenger(log: Log):
    mine = challenger(WinClassifier(), encode=False, calibration="none", months=12)
    table = mine(forecast.snapshot(log, as_of="2026-05-31"), horizon=3)
    assert table["p"].between(0, 1).all()
    assert table["p"].nunique() > 20


def test_chances_are_those_of_a_logistic_regression_where_the_score_is_the_number():
    """Normal numbers keep their order and shape, so that little but the ridge is between the two."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(4000, 2))
    y = rng.random(4000) < 1 / (1 + np.exp(-(0.5 + x @ [1.0, -0.5])))
    ours, theirs = WinClassifier().fit(x, y), LogisticRegression(C=1e3).fit(x, y)
    p, q = (model.predict_proba(x)[:, 1] for model in (ours, theirs))
    assert np.abs(p - q).max() < 0.08
    assert abs(brier(y.astype(float), p) - brier(y.astype(float), q)) < 2e-3


def test_noise_weighs_next_to_nothing_and_what_is_unknown_moves_nothing():
    rng = np.random.default_rng(5)
    table = pd.DataFrame({"stage": rng.choice(["Early", "Late"], 2000), "noise": rng.normal(size=2000)})
    y = rng.random(2000) < np.where(table["stage"] == "Late", 0.6, 0.2)
    model = WinClassifier().fit(table, y)
    assert model.idle_ == ("noise",)
    new = pd.DataFrame({"stage": ["Late", "Early", "Never seen", None], "noise": [np.nan] * 4})
    p = model.predict_proba(new)[:, 1]
    assert p[:2] == pytest.approx([0.6, 0.2], abs=0.04)
    assert p[2] == p[3]
    shuffled = table.sample(frac=1, random_state=1)
    again = WinClassifier().fit(shuffled, y[shuffled.index]).predict_proba(new)[:, 1]
    np.testing.assert_allclose(again, p, atol=1e-3)


def test_ids_dates_and_the_answer_are_not_looked_at():
    rng = np.random.default_rng(1)
    n = 600
    table = pd.DataFrame(
        {
            "opportunity_id": [f"O{number}" for number in range(n)],
            "account_id": "A",
            "product": pd.Series([None] * n, dtype="str"),
            "stage": rng.choice(["Early", "Late"], n),
            "amount": rng.lognormal(9, 1, n),
            "created_on": pd.Timestamp("2025-01-01"),
            "won": (rng.random(n) < 0.3).astype(float),
        }
    )
    model = WinClassifier().fit(table, table["won"])
    other = table.assign(opportunity_id="X", account_id="B", created_on=pd.Timestamp("2020-01-01"), won=1.0)
    np.testing.assert_array_equal(model.predict_proba(table), model.predict_proba(other))


@pytest.mark.parametrize(
    ("y", "message"),
    [([0, 1, 2] * 10, "Only binary"), ([1] * 30, "only one class"), ([0, 1] * 10, "X has 30 rows, y has 20")],
)
def test_bad_input(y: list[int], message: str):
    table = pd.DataFrame({"stage": ["Early", "Late", "Early"] * 10})
    with pytest.raises(ValueError, match=message):
        WinClassifier().fit(table, y)
