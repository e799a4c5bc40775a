"""The challenger: what was put in is found, nothing is made of noise or of the future, bad input is refused."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

import forecast
from companies import make_snapshot, plain_company
from forecast.data.schema import Log
from forecast.errors import ParameterError
from forecast.evaluation.scores.deals import deal_track, second_opinion
from forecast.evaluation.scores.events import auc
from forecast.models.win.challenger import KINDS, challenger_probabilities
from futures import another_future, eventful
from logs import log_of

MONTHS = 48
FIRST = 2021 * 12


def label(period: int, day: int) -> str:
    return f"{period // 12:04d}-{period % 12 + 1:02d}-{day:02d}"


@cache
def driven_by_stage_and_amount(seed: int, *, deals: int = 2500, signal: float = 1.0) -> Log:
    """Return a company whose deals are won or lost with chances set by stage and amount; with signal 0, by neither.

    A deal starts in Qualify, may move to Propose on a 15th, and closes on a 20th. Per month it closes with chance .3;
    as won with logit  signal x (1.5 x [Propose] - 1.2 x log(amount / 1000)) - .7.
    """
    rng = np.random.default_rng([seed, 41])
    rows, table = [], []
    for number in range(deals):
        born, amount = FIRST + int(rng.integers(MONTHS)), float(np.round(1000 * np.exp(rng.standard_normal())))
        state = {"opportunity_id": f"O{number:05d}", "amount": amount, "expected_close_on": label(born + 3, 20)}
        rows.append(state | {"recorded_at": label(born, 5) + "T09:00:00", "stage": "Qualify"})
        stage, outcome, closed = "Qualify", "open", None
        for month in range(born + 1, FIRST + MONTHS):
            if stage == "Qualify" and rng.random() < 0.35:
                stage = "Propose"
                rows.append(state | {"recorded_at": label(month, 15) + "T09:00:00", "stage": stage})
            if rng.random() < 0.3:
                logit = signal * (1.5 * (stage == "Propose") - 1.2 * np.log(amount / 1000)) - 0.7
                outcome = "won" if rng.random() < 1 / (1 + np.exp(-logit)) else "lost"
                closed = label(month, 20)
                rows.append(state | {"recorded_at": closed + "T09:00:00", "stage": outcome.capitalize()})
                break
        shown = stage if outcome == "open" else outcome.capitalize()
        deal = state | {"created_on": label(born, 5), "segment": "North", "stage": shown, "closed_on": closed}
        table.append(deal | {"outcome": outcome, "owner": f"Rep {rng.integers(5)}"})
    names = ["Qualify", "Propose", "Won", "Lost"]
    stages = pd.DataFrame({"stage": names, "position": [1, 2, 3, 4], "outcome": ["open", "open", "won", "lost"]})
    tables = {"opportunities": pd.DataFrame(table), "opportunity_history": pd.DataFrame(rows), "stages": stages}
    # Every closure is recorded on its day, so that the last months have settled as they end.
    return log_of(tables, extracted_on=pd.Timestamp("2024-12-31"), settle_days=0)


@cache
def tracked(signal: float, kind: str) -> pd.DataFrame:
    """Return both models' odds on nine days three months apart."""
    days = [str((pd.Timestamp("2024-09-30") - pd.offsets.MonthEnd(3 * k)).date()) for k in range(8, -1, -1)]
    log = driven_by_stage_and_amount(7, signal=signal)
    return deal_track(log, as_of="2024-12-31", origins=days, horizon=3, challenger=kind)


def _as_odds(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_what_drives_wins_is_found(kind: str):
    track = tracked(1.0, kind)
    # What is known of a deal orders the odds of a win as the company's own rule does, as far as it is known that day.
    deals = driven_by_stage_and_amount(7).opportunities.set_index("opportunity_id")
    amount = deals["amount"].loc[track["opportunity_id"]].to_numpy()
    truth = 1.5 * (track["stage"] == "Propose").to_numpy() - 1.2 * np.log(amount / 1000)
    best, ours, theirs = (auc(track["won"], score) for score in (_as_odds(truth), track["p"], track["p_challenger"]))
    assert best > 0.65
    assert abs(ours - best) < 0.03
    assert abs(theirs - best) < 0.03
    assert abs(theirs - ours) < 0.03
    # As many as it forecasts are won: within four standard errors of as many coin tosses.
    p = track["p_challenger"]
    assert abs(p.sum() - track["won"].sum()) < 4 * np.sqrt((p * (1 - p)).sum())


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_of_noise_nothing_is_claimed_for_the_challenger(kind: str):
    track = tracked(0.0, kind)
    opinion = second_opinion(track)
    assert opinion.days == 9
    assert auc(track["won"], track["p_challenger"]) < 0.60
    assert not (opinion.test.p_value < 0.05 and opinion.test.mean_difference > 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_what_happens_later_changes_nothing(kind: str):
    tables, about = eventful(seed=3, opportunities=1500)
    day = "2024-09-30"
    futures = [another_future(tables, day, about, seed=seed) for seed in (1, 2)]
    about = about | {"fixed_at_creation": tuple(about["fixed_at_creation"])}
    odds = [
        challenger_probabilities(forecast.snapshot(log_of(made, **about), as_of=day), kind=kind)
        for made in (tables, *futures)
    ]
    assert odds[0]["p"].notna().all()
    for other in odds[1:]:
        pd.testing.assert_frame_equal(odds[0], other, check_exact=True)


def test_by_the_end_of_a_later_month_more_are_won():
    snap = make_snapshot("2022-12-31", plain_company(deals=6000, months=36, seed=1, won=0.12, lost=0.18))
    means = [challenger_probabilities(snap, horizon=h)["p"].mean() for h in (1, 3, 6)]
    # Won in h months at constant hazards: w / (w + l) (1 - (1 - w - l)^h). The effect of December is learned from two
    # past Decembers, some 560 deals each: a standard error of .013.
    np.testing.assert_allclose(means, 0.4 * (1 - 0.7 ** np.array([1, 3, 6])), atol=0.04)


def test_it_is_deterministic_and_sorted():
    snap = make_snapshot("2022-06-30", plain_company(deals=800, months=30, seed=2))
    first, again = (challenger_probabilities(snap, kind="boosting", seed=4) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    assert first["opportunity_id"].is_monotonic_increasing
    assert first["p"].between(0, 1).all()


def test_too_few_to_learn_from_give_no_number():
    few = plain_company(deals=12, months=3, seed=1, won=0.1, lost=0.1)
    table = challenger_probabilities(make_snapshot("2020-03-31", few))
    assert len(table)
    assert table["p"].isna().all()
    # Won or lost alone: there is nothing to tell apart.
    lost = plain_company(deals=200, months=12, seed=4, won=0.0, lost=0.2)
    assert challenger_probabilities(make_snapshot("2020-12-31", lost))["p"].isna().all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "forest"}, "kind: 'forest'"),
        ({"horizon": 0}, "horizon: 0"),
        ({"horizon": 7}, "horizon: 7"),
        ({"horizon": True}, "horizon: True"),
        ({"seed": -1}, "seed: -1"),
    ],
)
def test_bad_input_is_refused(wrong: dict[str, object], message: str):
    snap = make_snapshot("2020-12-31", plain_company(deals=50, months=12, seed=1))
    with pytest.raises(ParameterError, match=message):
        challenger_probabilities(snap, **wrong)
