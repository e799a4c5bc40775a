"""What the pages say of win probabilities: whether they came true, how well they tell deals apart, what is open."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.data.schema import Company
from forecast.evaluation.scores.comparison import PairedTest
from forecast.evaluation.scores.deals import SecondOpinion
from forecast.reporting.pages import odds
from forecast.wording import THIN as T


def reliability(happened: list[float]) -> pd.DataFrame:
    forecast = np.array([0.2, 0.5, 0.8])
    band = {"band_low": forecast - 0.05, "band_high": forecast + 0.05}
    return pd.DataFrame({"probability": forecast, "happened": happened, "n": 100, **band})


def test_calibration():
    assert odds.calibration_finding(reliability([0.21, 0.5, 0.79])).startswith("The odds are honest")
    assert odds.calibration_finding(reliability([0.05, 0.3, 0.5])).startswith("The odds are too high: forecast 50")
    assert odds.calibration_finding(reliability([0.4, 0.5, 0.6])) == (
        "The odds are right on the whole, but not at every level"
    )
    assert odds.calibration_finding(reliability([0.2] * 3).iloc[:0]) == "The odds cannot be checked yet"


def test_what_a_probability_means_for_one_deal():
    assert odds.calibration_sentence(reliability([0.0, 0.5, 0.9])) == (  # of 100: 0 to z^2/(100 + z^2) = 3.7 %
        f"Of 100 deals given about 20{T}%, 0{T}% were won (95{T}% interval 0{T}% to 4{T}%); that decides nothing about "
        "any one of them."
    )
    assert odds.calibration_sentence(reliability([0.2] * 3).iloc[:0]).startswith("Too few deals have closed")


def test_how_well_the_odds_tell_deals_apart():
    past = pd.DataFrame({"origin": ["2026-01-31"] * 4, "p": [0.9, 0.8, 0.3, 0.2], "won": [1.0, 1.0, 0.0, 0.0]})
    checked, apart, better = odds.skill_sentences(past, within="won within 3 months")
    assert checked == (f"4 probabilities of 1 day were checked; 50{T}% of these deals came true (won within 3 months).")
    assert f"100{T}% of the time" in apart
    assert better.startswith("They are 82")  # 1 - mean of .01 .04 .09 .04 over .25
    worse = past.assign(p=[0.2, 0.3, 0.8, 0.9])
    assert odds.skill_sentences(worse, within="won")[2].startswith("They are no better than")
    assert odds.skill_sentences(past.assign(won=1.0), within="won")[0].startswith("Too few deals have closed")


def test_the_open_deals_by_step_of_their_probability():
    deals = pd.DataFrame({"p_win": [0.0, 0.05, 1.0, np.nan], "expected_amount": [0.0, 1e6, 2e6, 5e6]})
    steps = odds.prepare_deal_odds(deals, company=Company(name="C", currency="EUR"))
    assert list(steps.counts) == [2, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert list(steps.amounts[[0, 9]]) == [1e6, 2e6]
    caption = odds.describe_deal_odds(steps)
    assert caption.description.endswith("1 deal has a chance of one half or more.")
    assert caption.tooltips[0].startswith("0 % to 10 %: 2 deals")
    assert caption.tooltips[1] == ""


def opinion(*, difference: float, p_value: float, days: int = 9) -> SecondOpinion:
    test = PairedTest(statistic=0.0, df=4, p_value=p_value, mean_difference=difference, n=days)
    table = pd.DataFrame(
        {"model": ["ours", "challenger"], "brier": [0.145, 0.147], "log_loss": 0.44, "auc": 0.8, "slope": 1.0}
    )
    curves = pd.DataFrame({"model": ["ours", "challenger"], "probability": [0.2, 0.3], "happened": [0.25, 0.2]})
    return SecondOpinion(table=table.assign(slope=1.0, n=2485), curves=curves, days=days, test=test)


def test_a_challenger_is_called_nearer_on_a_test_alone():
    nan = float("nan")
    cannot = "Cannot tell whether our odds or those of gradient boosting are nearer to what came"
    for unsure in (opinion(difference=-0.5, p_value=nan, days=4), opinion(difference=0.5, p_value=0.051)):
        assert odds.second_opinion_finding(unsure, kind="boosting") == cannot
    ours, theirs = opinion(difference=-0.002, p_value=0.03), opinion(difference=0.002, p_value=0.03)
    finding = odds.second_opinion_finding(ours, kind="logistic")
    assert finding == "Our odds are nearer to what came than those of a plain logistic regression"
    finding = odds.second_opinion_finding(theirs, kind="logistic")
    assert finding == "The odds of a plain logistic regression are nearer to what came than ours"
    assert "would appear in 3 of 100 cases; one is claimed at 5 of 100 or fewer" in odds.second_opinion_sentence(ours)
    few = odds.second_opinion_sentence(opinion(difference=0.0, p_value=nan, days=4))
    assert "2,485 probabilities of 4 days" in few
    assert "needs 8 days or more" in few


def test_a_second_opinion_is_shown_where_there_is_one():
    shown = odds.second_opinion_view(opinion(difference=0.0, p_value=0.5), kind="logistic")._repr_html_()
    assert "plain logistic regression" in shown
    assert "Brier score" in shown
    assert odds.second_opinion_view(None, kind="none")._repr_html_() == ""


@pytest.mark.parametrize(("horizon", "sentences"), [(1, 0), (3, 0), (4, 1), (6, 1)])
def test_days_whose_wins_overlap_are_named(horizon, sentences):
    found = odds.overlap_sentences(horizon)
    assert len(found) == sentences
    assert all(f"3 months apart and wins of {horizon} months count for each" in sentence for sentence in found)


def test_day_by_day():
    days = pd.DataFrame({"origin": pd.to_datetime(["2026-01-31", "2026-04-30"]), "deals": [10, 1], "p": [0.3, 0.1]})
    html = odds.days_view(days.assign(won=[0.2, 0.0], auc=[0.75, float("nan")]))._repr_html_()
    for cell in ("2026-01-31", f"75{T}%", "2026-04-30", "–"):
        assert cell in html
    assert odds.days_view(days.iloc[:0])._repr_html_() == ""
