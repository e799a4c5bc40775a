"""Win probabilities: constant hazards recovered, no skill where there is none, words that fit, thin data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import forecast
import maven
from companies import make_snapshot, plain_company
from forecast.data.known.enough import FEWEST_CLOSED
from forecast.data.schema import ODDS_COLUMNS, deal_columns
from forecast.errors import ParameterError
from forecast.models.pipeline.deals import win_probabilities
from forecast.models.win.probabilities import fit_win_model, odds_table

CHANCES = [f"p_win_{h}" for h in range(1, 7)] + ["p_win"]


@pytest.fixture(scope="module")
def snap(sample):
    return forecast.snapshot(forecast.read(sample), as_of="2025-06-30")


@pytest.fixture(scope="module")
def deals(snap):
    return win_probabilities(snap, seed=0)


def odds(snap) -> pd.DataFrame:
    """Return the odds alone, without what they bring: `test_table_of_the_contract` holds that they are the same."""
    today = fit_win_model(snap)
    return odds_table(today.view, today.states, today.model).table


@pytest.mark.slow
def test_constant_hazards_are_recovered():
    w, lose = 0.12, 0.18
    table = win_probabilities(
        make_snapshot("2022-12-31", plain_company(deals=6000, months=36, seed=1, won=w, lost=lose))
    )
    h = np.arange(1, 7)
    # Won in h months at constant hazards: w / (w + l) (1 - (1 - w - l)^h); ever: w / (w + l).
    expected = np.append(w / (w + lose) * (1 - (1 - w - lose) ** h), w / (w + lose))
    np.testing.assert_allclose(table[CHANCES].mean(), expected, atol=0.02)
    assert table.attrs["notes"][0].startswith("No skill over the base rate")
    assert table["factors"].str.startswith("base rate").all()


@pytest.mark.slow
def test_an_effect_put_in_is_found():
    first = plain_company(deals=3000, months=36, seed=2, won=0.20, lost=0.10)
    second = plain_company(deals=3000, months=36, seed=3, won=0.08, lost=0.22)
    second["opportunity_id"] = "P" + second["opportunity_id"]
    both = pd.concat([first.assign(product="Easy"), second.assign(product="Hard")], ignore_index=True)
    snap = make_snapshot("2022-12-31", both)
    model = fit_win_model(snap).model
    assert model.informed
    table = win_probabilities(snap).merge(both[["opportunity_id", "product"]])
    ever = table.groupby("product")["p_win"].mean()
    np.testing.assert_allclose(ever, [0.20 / 0.30, 0.08 / 0.30], atol=0.04)
    assert table.loc[table["product"] == "Easy", "factors"].str.contains("product Easy (for)", regex=False).all()
    assert table.loc[table["product"] == "Hard", "factors"].str.contains("product Hard (against)", regex=False).all()


@pytest.mark.slow
def test_table_of_the_contract(snap, deals):
    assert list(deals.columns) == list(deal_columns(range(1, 7)))
    today = fit_win_model(snap)
    pd.testing.assert_frame_equal(deals[list(ODDS_COLUMNS)], odds_table(today.view, today.states, today.model).table)
    open_ids = snap.opportunities.loc[snap.opportunities["outcome"] == "open", "opportunity_id"]
    assert deals["opportunity_id"].tolist() == sorted(open_ids)
    chances = deals[CHANCES].to_numpy()
    assert ((chances >= 0) & (chances <= 1)).all()
    assert (np.diff(chances, axis=1) >= 0).all()
    known = snap.opportunities.set_index("opportunity_id").loc[deals["opportunity_id"]]
    assert deals["segment"].tolist() == known["segment"].tolist()
    worth = deals["expected_amount"] / (deals["p_win"] * known["amount"].to_numpy())  # the corrections alone
    assert worth.between(0.8, 1.1).all()
    assert worth.std() < 0.03
    assert deals["factors"].str.count(";").max() == 4
    for text in deals["factors"]:
        assert all(
            factor.endswith(("(for)", "(against)")) or factor.startswith("close to") for factor in text.split("; ")
        )
    # How long a deal has been in a stage speaks for one stage and against another: the phrase names the stage.
    assert deals["factors"].str.contains("months in Negotiation").any()
    assert not deals["factors"].str.contains("in its stage").any()
    assert (deals["p_win_6"] <= deals["p_win_low"] + 1e-12).all()
    assert (deals["p_win_low"] <= deals["p_win"] + 1e-12).all()
    assert (deals["p_win"] <= deals["p_win_high"] + 1e-12).all()


@pytest.mark.slow
def test_probabilities_beat_the_base_rate_of_the_stage_and_are_calibrated(sample):
    """By what was won in the following three months, which the snapshots do not hold."""
    log = forecast.read(sample)
    last = forecast.snapshot(log, as_of="2026-10-31").opportunities.set_index("opportunity_id")
    chances, won, rates = [], [], []
    for origin, end in (("2024-11-30", "2025-02-28"), ("2025-06-30", "2025-09-30"), ("2026-03-31", "2026-06-30")):
        snap = forecast.snapshot(log, as_of=origin)
        then, table = snap.opportunities.set_index("opportunity_id"), odds(snap)
        known = last.loc[table["opportunity_id"]]
        won.append(((known["outcome"] == "won") & (known["closed_on"] <= end)).to_numpy().astype(float))
        chances.append(table["p_win_3"].to_numpy())
        # The share won of the same stage, with hindsight, which favours it.
        stage = then.loc[table["opportunity_id"], "stage"].to_numpy()
        rates.append(pd.Series(won[-1]).groupby(stage).transform("mean").to_numpy())
    p, y, rate = (np.concatenate(part) for part in (chances, won, rates))
    losses = [-(y * np.log(q) + (1 - y) * np.log(1 - q)).mean() for q in (p, np.clip(rate, 1e-6, 1 - 1e-6))]
    assert losses[0] < losses[1]
    assert p.sum() == pytest.approx(y.sum(), rel=0.08)


@pytest.mark.slow
def test_deterministic_and_blind_to_names(snap, deals):
    pd.testing.assert_frame_equal(win_probabilities(snap, seed=5), deals)
    renamed = snap.opportunities.copy()
    renamed["segment"] = "x" + renamed["segment"]
    events = snap.events.assign(segment="x" + snap.events["segment"])
    joint = snap.joint_planning.assign(segment="x" + snap.joint_planning["segment"])
    other = replace(make_like(snap, renamed), joint_planning=joint, events=events)
    np.testing.assert_allclose(win_probabilities(other)[CHANCES], deals[CHANCES], rtol=1e-6)


def make_like(snap, opportunities):
    return replace(snap, opportunities=opportunities, segments=tuple(sorted(opportunities["segment"].unique())))


@pytest.mark.slow
def test_in_the_middle_of_a_month_the_rest_of_it_counts(sample):
    log = forecast.read(sample)
    table, ahead = (odds(forecast.snapshot(log, as_of=day)) for day in ("2025-06-10", "2025-05-31"))
    # By the end of July: seven weeks from 10 June, against two months from the end of May.
    assert 0.8 < table["p_win_1"].mean() / ahead["p_win_2"].mean() < 1.25


def test_too_few_closed_deals_abstain_with_a_reason():
    few = plain_company(deals=12, months=3, seed=1, won=0.1, lost=0.1)
    assert (few["outcome"] != "open").sum() < FEWEST_CLOSED
    table = win_probabilities(make_snapshot("2020-03-31", few))
    assert table[CHANCES].isna().all().all()
    assert table["factors"].str.contains("too few closed deals").all()
    assert "at least 10" in table.attrs["notes"][0]


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_only_wins_or_only_losses_still_give_an_answer(outcome: str):
    deals = plain_company(deals=200, months=12, seed=4, won=0.2 * (outcome == "won"), lost=0.2 * (outcome == "lost"))
    table = win_probabilities(make_snapshot("2020-12-31", deals))
    assert table[CHANCES].notna().all().all()
    if outcome == "won":
        # A fifth is won each month, and the oldest deals seen are some ten months old: nothing is claimed beyond.
        assert (table["p_win"] >= table["p_win_6"]).all()
        assert (table["p_win"] > 1 - 0.8**6).all()
        assert (table["p_win_high"] > 0.95).all()
    else:
        assert (table["p_win_high"] < 0.1).all()
    assert "the base rate by age is given to all" in table.attrs["notes"][0]


@pytest.mark.parametrize("seed", [-1, 1.5, "0", True])
def test_a_wrong_seed_is_refused(snap, seed):
    with pytest.raises(ParameterError, match="seed"):
        win_probabilities(snap, seed=seed)


@pytest.mark.slow
def test_on_real_data_without_signal_it_says_so(real_data, tmp_path):
    log = forecast.read(maven.build(real_data / "maven_crm", tmp_path / "maven"))
    snap = forecast.snapshot(log, as_of="2017-09-30")
    table = win_probabilities(snap)
    assert table.attrs["notes"][0].startswith("No skill over the base rate")
    # Deals of the same age, in months, have the same chance, whoever sells what to whom.
    age = (snap.as_of - snap.opportunities.loc[snap.opportunities["outcome"] == "open", "created_on"]).dt.days
    young = table[(age < 15).to_numpy()]
    assert young["p_win_3"].nunique() == 1
    assert "close_value" not in fit_win_model(snap).model.words.numbers


@pytest.mark.slow
@pytest.mark.parametrize("as_of", ["2017-04-30", "2017-06-30", "2017-09-30"])
def test_without_signal_the_chances_are_the_base_rates(real_data, tmp_path, as_of: str):
    log = forecast.read(maven.build(real_data / "maven_crm", tmp_path / "maven"))
    snap = forecast.snapshot(log, as_of=as_of)
    table = win_probabilities(snap)
    later = log.opportunities.set_index("opportunity_id").loc[table["opportunity_id"], "outcome"]
    won, done = (later == "won").to_numpy(), (later != "open").to_numpy()
    closed = snap.opportunities.loc[snap.opportunities["outcome"] != "open", "outcome"]
    base = (closed == "won").mean()
    # Among those that closed, in the steps modelled, the chances are the share of all closed deals.
    today = fit_win_model(snap)
    assert today.model is not None
    hazards = today.model.hazards(today.states, steps=6)
    share = hazards[0].sum(axis=1) / np.sum(hazards, axis=(0, 2))
    losses = [-np.where(won, np.log(x), np.log(1 - x))[done].mean() for x in (share, np.full(len(share), base))]
    assert losses[0] - losses[1] < 0.005
    # Many never close, and that is seen of the older ones: the chances are nearer than the share of the closed.
    assert ((table["p_win"] - won) ** 2).mean() < ((base - won) ** 2).mean()
    assert (table["p_win_6"] <= table["p_win"] + 1e-12).all()
