"""Classifiers as challengers of the win model: chances that hold, nothing of the future, bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

import forecast
from forecast.adapters.sklearn import challenger, covariates, encoded
from forecast.data.checks.validation import validate
from forecast.data.schema import Company, Log
from forecast.errors import ParameterError
from forecast.evaluation.scores.deals import deal_track, second_opinion
from forecast.simulation.company import simulate

ORIGINS = ["2026-01-31", "2026-03-31", "2026-05-31"]


@pytest.fixture(scope="module")
def log() -> Log:
    made = simulate(opportunities=2500, months=40, seed=8, segments=3)
    return validate(made.tables, Company(**{**made.company, "fixed_at_creation": ()}))


@pytest.mark.slow
def test_a_classifier_stands_beside_the_win_model(log: Log):
    mine = challenger(LogisticRegression(max_iter=1000))
    track = deal_track(log, as_of="2026-10-31", origins=ORIGINS, horizon=3, challenger=mine)
    assert track["p_challenger"].between(0, 1).all()
    assert track["origin"].nunique() == 3
    opinion = second_opinion(track)
    table = opinion.table.set_index("model")
    assert table.loc["challenger", "auc"] > 0.6
    assert table.loc["challenger", "n"] == table.loc["ours", "n"]


@pytest.mark.slow
def test_calibration_makes_chances_of_what_is_too_sure(log: Log):
    """Naive Bayes takes each column for new evidence; calibrated on later origins it is right on the whole."""
    snap = forecast.snapshot(log, as_of="2026-05-31")
    raw, calibrated = (
        challenger(GaussianNB(), calibration=how)(snap, horizon=3).set_index("opportunity_id")["p"]
        for how in ("none", "sigmoid")
    )
    came = forecast.landmarks(log, origins=["2026-05-31"], horizon=3).set_index("opportunity_id")["won"]
    losses = [float(((p - came.reindex(p.index)) ** 2).mean()) for p in (raw, calibrated)]
    assert losses[1] < losses[0]
    assert abs(calibrated.mean() - came.mean()) < 0.1 < ((raw > 0.99) | (raw < 0.01)).mean()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_forest_and_what_comes_later_changes_nothing(log: Log):
    mine = challenger(RandomForestClassifier(n_estimators=20, min_samples_leaf=20), months=12)
    snap = forecast.snapshot(log, as_of="2026-03-31")
    first, again, other = (mine(snap, horizon=2, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert (first["p"] != other["p"]).any()
    assert first["opportunity_id"].is_monotonic_increasing
    tables = {name: frame.copy() for name, frame in log.tables.items()}
    later = tables["opportunities"]["created_on"] > "2026-03-31"
    gone = set(tables["opportunities"].loc[later, "opportunity_id"])
    for name in ("opportunities", "opportunity_history"):
        tables[name] = tables[name][~tables[name]["opportunity_id"].isin(gone)].reset_index(drop=True)
    less = Log(tables=tables, company=log.company, extracted_on=log.extracted_on)
    pd.testing.assert_frame_equal(mine(forecast.snapshot(less, as_of="2026-03-31"), horizon=2, seed=1), first)


def test_what_a_classifier_may_look_at(log: Log):
    seen = forecast.landmarks(log, origins=["2026-01-31"])
    columns = covariates(seen, without=frozenset({"owner"}))
    assert not {"won", "origin", "opportunity_id", "account_id", "created_on", "owner"} & set(columns.columns)
    assert {"stage", "amount", "age", "lead_source"} <= set(columns.columns)
    fitted = encoded(LogisticRegression(max_iter=500)).fit(columns, seen["won"])
    assert fitted.predict_proba(columns).shape == (len(seen), 2)


def test_with_too_little_to_learn_from_it_says_nothing(log: Log):
    mine = challenger(LogisticRegression())
    table = mine(forecast.snapshot(log, as_of=log.opportunities["created_on"].min() + pd.Timedelta(days=60)), horizon=3)
    assert table["p"].isna().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classifier": LinearSVC()}, "LinearSVC has no predict_proba"),
        ({"classifier": object()}, "object has no predict_proba"),
        ({"classifier": LogisticRegression(), "calibration": "platt"}, "calibration: 'platt'"),
        ({"classifier": LogisticRegression(), "later": 1.0}, "later: 1.0"),
        ({"classifier": LogisticRegression(), "months": 1}, "months: 1"),
    ],
)
def test_bad_input(options, message):
    classifier = options.pop("classifier")
    with pytest.raises(ParameterError, match=message):
        challenger(classifier, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda deals: deals[["opportunity_id"]], "DataFrame without these columns"),
        (lambda deals: deals.assign(p=1.2), "on 2026-03-31 what it said of"),
        (lambda deals: deals.assign(p="high"), "on 2026-03-31 what it said of"),
        (lambda deals: pd.concat([deals, deals]).assign(p=0.5), "on 2026-03-31 what it said of"),
        (lambda deals: np.full(len(deals), 0.5), "ndarray without these columns"),
    ],
)
def test_a_second_opinion_of_ones_own_must_be_one(log: Log, answer, message):
    def mine(snap, *, horizon, seed):  # noqa: ARG001
        return answer(snap.opportunities[snap.opportunities["outcome"] == "open"][["opportunity_id"]])

    with pytest.raises(ParameterError, match=message):
        deal_track(log, as_of="2026-10-31", origins=["2026-03-31"], challenger=mine)
