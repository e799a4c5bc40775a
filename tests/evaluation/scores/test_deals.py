"""Said against happened: by hand, against scipy, and blind to the future."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, binomtest
from sklearn.calibration import calibration_curve

import forecast
from forecast.errors import ParameterError
from forecast.evaluation.scores.deals import (
    EVER_COLUMNS,
    calibration_curves,
    deal_track,
    ever_track,
    past_due_record,
    reliability,
    second_opinion,
)
from forecast.evaluation.scores.events import wins_in_the_end
from tiny import tiny_company


def test_reliability_by_hand():
    table = reliability([0, 0, 1, 1, 0, 1], [0.1, 0.2, 0.3, 0.7, 0.8, 0.9], bins=2)
    np.testing.assert_allclose(table["probability"], [0.2, 0.8])
    np.testing.assert_allclose(table["happened"], [1 / 3, 2 / 3])
    assert list(table["n"]) == [3, 3]


def test_equal_probabilities_share_a_bin_and_none_is_lost():
    table = reliability([1, 0, 0, 0], [0.25] * 4, bins=10)
    assert table[["probability", "happened", "n"]].to_numpy().tolist() == [[0.25, 0.25, 4]]
    assert reliability([], []).empty


def test_the_band_holds_what_an_exact_test_would_not_reject():
    n, p = 200, 0.3
    table = reliability(np.zeros(n), np.full(n, p))
    low, high = (round(table[name].item() * n) for name in ("band_low", "band_high"))
    # Equal tails of 2.5 %: the ends are inside by a one-sided exact test, one step beyond them is not.
    assert (
        binomtest(low, n, p, alternative="less").pvalue > 0.025 >= binomtest(low - 1, n, p, alternative="less").pvalue
    )
    assert (
        binomtest(high + 1, n, p, alternative="greater").pvalue
        <= 0.025
        < binomtest(high, n, p, alternative="greater").pvalue
    )


def test_the_band_is_the_binomial_quantile_at_every_edge():
    for p in (0.0, 1e-9, 0.004, 0.3, 0.5, 0.999, 1.0):
        for n in (1, 2, 37, 4000):
            table = reliability(np.zeros(n), np.full(n, p))
            band = table[["band_low", "band_high"]].to_numpy()[0] * n
            np.testing.assert_allclose(band, binom.ppf([0.025, 0.975], n, table["probability"][0]), atol=1e-9)


def test_reliability_agrees_with_scikit_learn():
    # Where no probability lies on an edge between bins: scikit-learn gives such a one to the bin below, ours above.
    rng = np.random.default_rng(4)
    p = rng.uniform(size=1000)
    happened = rng.uniform(size=1000) < p
    table = reliability(happened, p)
    share, mean = calibration_curve(happened, p, n_bins=10, strategy="quantile")
    np.testing.assert_allclose(table["happened"], share)
    np.testing.assert_allclose(table["probability"], mean)
    assert table["n"].sum() == 1000


def test_honest_odds_lie_in_the_band_as_often_as_it_says():
    rng = np.random.default_rng(3)
    p = rng.uniform(size=40_000)
    table = reliability(rng.uniform(size=p.size) < p, p, bins=200)
    inside = table["happened"].between(table["band_low"], table["band_high"]).mean()
    assert 0.91 <= inside <= 1.0
    shifted = reliability(rng.uniform(size=p.size) < 0.7 * p, p, bins=20)
    assert shifted["happened"].between(shifted["band_low"], shifted["band_high"]).mean() < 0.3


@pytest.mark.parametrize(
    ("happened", "probability", "bins", "message"),
    [([1], [0.5, 0.5], 10, "shape"), ([1], [1.5], 10, "not between 0 and 1"), ([1], [0.5], 0, "bins")],
)
def test_what_cannot_be_judged_is_refused(happened, probability, bins, message):
    with pytest.raises(ParameterError, match=message):
        reliability(happened, probability, bins=bins)


@pytest.mark.slow
def test_a_win_ever_is_held_against_what_the_deals_became(sample: Path):
    log = forecast.read(sample)
    table = ever_track(log, as_of="2026-10-31", origins=["2025-10-31", "2026-10-31"])
    assert list(table.columns) == list(EVER_COLUMNS)
    assert table["origin"].tolist() == [pd.Timestamp("2025-10-31")]  # after the other no month has settled
    row = table.iloc[0]
    then = forecast.win_probabilities(forecast.snapshot(log, as_of="2025-10-31"), seed=0)
    assert row["deals"] == len(then)
    expected = wins_in_the_end(then["p_win"], then["p_win_low"], then["p_win_high"])
    assert tuple(row[["expected", "expected_low", "expected_high"]]) == pytest.approx(expected)
    # October 2026 has not had its seven days: what came is counted to the end of September.
    assert row["until"] == pd.Timestamp("2026-09-30")
    assert then["p_win_6"].sum() <= row["expected_by"] <= row["expected"]
    became = log.opportunities.set_index("opportunity_id").loc[then["opportunity_id"]]
    by_then = became["closed_on"] <= "2026-09-30"
    assert row["won"] == ((became["outcome"] == "won") & by_then).sum()
    assert row["open"] == (~by_then).sum()
    assert row["late"] == (by_then & (became["closed_on"] > "2026-03-31")).sum()
    assert row["chance_low"] < row["won"] < row["chance_high"]
    six = ever_track(log, as_of="2026-05-10", origins=["2025-10-31"]).iloc[0]
    assert six["expected_by"] == pytest.approx(then["p_win_6"].sum())  # six months have settled by 10 May


def test_without_a_day_to_look_at_there_is_nothing_to_check(tmp_path: Path):
    log = forecast.read(tiny_company(tmp_path))
    none = ever_track(log, as_of="2026-03-31", origins=["2025-12-31", "2026-03-31"])  # one closed deal, and today
    assert none.empty
    assert list(none.columns) == list(EVER_COLUMNS)
    with pytest.raises(ParameterError):
        ever_track(log, as_of="2026-03-31", origins=["no day"])


@pytest.mark.slow
def test_deals_are_judged_by_what_had_happened_by_then(sample: Path):
    log = forecast.read(sample)
    track = deal_track(log, as_of="2026-09-30", origins=["2026-03-31", "2026-07-31"], horizon=3)
    assert track["origin"].unique().tolist() == [pd.Timestamp("2026-03-31")]  # three months after July have not ended
    deals = log.opportunities.set_index("opportunity_id").loc[track["opportunity_id"]]
    won = (deals["outcome"] == "won") & (deals["closed_on"] <= pd.Timestamp("2026-06-30"))
    np.testing.assert_array_equal(track["won"], won.to_numpy().astype(float))
    assert track["p"].between(0, 1).all()
    none = deal_track(log, as_of="2026-09-30", origins=["2026-08-31"], horizon=3)
    assert none.empty
    assert none.attrs["why"].startswith("No day that is checked, from a year after the first deal on, lies far enough")
    early = deal_track(log, as_of="2026-09-30", origins=[str(log.opportunities["created_on"].min().date())], horizon=3)
    assert early.attrs["why"].startswith("On ")
    assert "No win probability: too few closed deals to tell" in early.attrs["why"]
    # September is over on its last day, and has settled seven days later.
    for as_of, settled in (("2026-09-30", False), ("2026-10-06", False), ("2026-10-07", True)):
        assert deal_track(log, as_of=as_of, origins=["2026-08-31"], horizon=1).empty != settled
    with pytest.raises(ParameterError, match="horizon: 7"):
        deal_track(log, as_of="2026-09-30", origins=[], horizon=7)


# -- a second opinion ----------------------------------------------------------------------------------


def track_of(p: np.ndarray, other: np.ndarray, won: np.ndarray, *, days: int) -> pd.DataFrame:
    origin = pd.date_range("2024-01-31", periods=days, freq="QE").repeat(len(p) // days)
    return pd.DataFrame({"origin": origin, "p": p, "p_challenger": other, "won": won.astype(float)})


def test_a_second_opinion_by_hand():
    track = track_of(np.array([0.2, 0.8]), np.array([0.4, 0.6]), np.array([False, True]), days=2)
    opinion = second_opinion(track)
    np.testing.assert_allclose(opinion.table["brier"], [0.04, 0.16])
    assert opinion.table["auc"].tolist() == [1.0, 1.0]
    assert opinion.test.mean_difference == pytest.approx(-0.12)
    assert np.isnan(opinion.test.p_value)  # two days are no test
    assert opinion.days == 2


def test_the_mean_difference_is_that_of_the_table():
    rng = np.random.default_rng(5)
    p, won = rng.uniform(size=400), rng.uniform(size=400) < 0.4
    track = track_of(p, rng.uniform(size=400), won, days=8)
    track = track.drop(index=range(30)).reset_index(drop=True)  # days of different size
    opinion = second_opinion(track)
    assert opinion.test.mean_difference == pytest.approx(-opinion.table["brier"].diff().iloc[1])


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("days", [8, 12])
def test_of_two_equally_good_models_one_is_rarely_called_nearer(days: int):
    """Each errs by noise of its own, and all deals of a day are pushed the same way; nominal 5 %."""
    rng = np.random.default_rng([6, days])
    claims, runs = 0, 1500
    for _ in range(runs):
        truth = rng.uniform(0.1, 0.6, days * 50)
        day = rng.normal(0, 0.1, days).repeat(50)
        won = rng.uniform(size=truth.size) < np.clip(truth + day, 0, 1)
        ours, other = (np.clip(truth + rng.normal(0, 0.1, truth.size), 0, 1) for _ in range(2))
        track = track_of(ours, other, won, days=days)
        claims += second_opinion(track).test.p_value < 0.05
    assert claims / runs < 0.05 + 4 * np.sqrt(0.05 * 0.95 / runs)


def test_a_nearer_model_is_found():
    rng = np.random.default_rng(8)
    truth = rng.uniform(0.1, 0.9, 12 * 200)
    won = rng.uniform(size=truth.size) < truth
    opinion = second_opinion(track_of(np.full(truth.size, 0.5), truth, won, days=12))
    assert opinion.test.p_value < 0.01
    assert opinion.test.mean_difference > 0


def test_calibration_curves_by_hand():
    won = pd.Series([0.0, 1.0, 0.0, 1.0])
    models = {"ours": pd.Series([0.1, 0.2, 0.6, 0.9]), "challenger": pd.Series([0.9, 0.6, 0.2, 0.1])}
    curves = calibration_curves(won, models, bins=2)
    assert curves["model"].tolist() == ["ours", "ours", "challenger", "challenger"]
    np.testing.assert_allclose(curves["probability"], [0.15, 0.75, 0.15, 0.75])
    np.testing.assert_allclose(curves["happened"], [0.5, 0.5, 0.5, 0.5])
    assert list(calibration_curves(won[:0], {"ours": won[:0]}).columns) == ["model", "probability", "happened"]


def test_without_a_challenger_there_is_no_second_opinion(sample: Path):
    log = forecast.read(sample)
    with pytest.raises(ParameterError, match="challenger: 'forest'"):
        deal_track(log, as_of="2026-09-30", origins=[], challenger="forest")
    alone = deal_track(log, as_of="2026-09-30", origins=["2026-08-31"])
    assert "p_challenger" not in alone
    with pytest.raises(ParameterError, match="no challenger"):
        second_opinion(alone)
    empty = second_opinion(deal_track(log, as_of="2026-09-30", origins=["2026-08-31"], challenger="logistic"))
    assert empty.days == 0
    assert empty.table[["brier", "log_loss", "auc"]].isna().all().all()


@pytest.mark.slow
def test_both_models_are_asked_of_the_same_deals(sample: Path):
    log = forecast.read(sample)
    asked = {"as_of": "2026-09-30", "origins": ["2025-12-31"], "horizon": 3}
    alone, both = deal_track(log, **asked), deal_track(log, **asked, challenger="logistic")
    pd.testing.assert_frame_equal(both.drop(columns="p_challenger"), alone)
    assert both["p_challenger"].between(0, 1).all()


def test_what_became_of_deals_past_their_date_by_hand(tmp_path: Path):
    log = forecast.read(tiny_company(tmp_path / "a"))
    found = past_due_record(log, as_of="2026-03-31", origins=["2025-12-31", "2026-02-12"])
    # past their date: O2 on the first day, O4 on the second; both were lost. Not: O3, O4, O5 and O5, O6, O7.
    assert found.drop(columns="share_won").values.tolist() == [["yes", 2, 0, 0], ["no", 6, 3, 2]]
    assert list(found["share_won"]) == [0.0, 0.5]
    none = past_due_record(log, as_of="2026-03-31", origins=[])
    assert none["deals"].tolist() == [0, 0]
    assert none["share_won"].isna().all()
    with pytest.raises(ParameterError):
        past_due_record(log, as_of="2026-03-31", origins=["no day"])
    # without a history nobody knows what dates deals had then
    log = forecast.read(tiny_company(tmp_path / "b", history=None))
    found = past_due_record(log, as_of="2026-03-31", origins=["2025-12-31"])
    assert found["deals"].tolist() == [0, 0]
