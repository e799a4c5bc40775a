"""The questions behind the words of a page: what each is asked of, and that all of a page are corrected together."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import binom

from forecast.evaluation import questions
from forecast.evaluation.judgement import weighted_holm
from forecast.evaluation.scores.comparison import diebold_mariano
from forecast.evaluation.scores.scoring import score
from forecast.evaluation.value_added import adjustments, habits, ladder_of, value_added

MONTHS, NAMES = 23, ("A", "B", "C", "Total")
LEVELS = (2.5, 10, 25, 50, 75, 90, 97.5)


@cache
def track(*, bias: float = 0.0, noise: float = 10.0, width: float = 12.816, seed: int = 1) -> pd.DataFrame:
    """Return scored forecasts of two lead times by the model, the benchmark and sales."""
    rng, rows = np.random.default_rng(seed), []
    periods = pd.period_range("2024-01", periods=MONTHS, freq="M")
    for lead in (1, 2):
        for name in NAMES:
            observed = 100 + rng.normal(0, 5, MONTHS)
            for model, size, shift in (("pipeline", 10.0, bias), ("ets", noise, 0.0), ("submitted-sales", 10.0, 0.0)):
                mean = observed - rng.normal(0, size, MONTHS) + shift
                rows.append(
                    pd.DataFrame(
                        {
                            "model": model,
                            "origin": (periods - lead).to_timestamp(how="end").normalize(),
                            "target_period": periods.astype(str),
                            "horizon": lead,
                            "segment": name,
                            "mean": mean,
                            **{
                                f"q{level}": mean + (level - 50) / 40 * width
                                for level in (2.5, 10, 25, 50, 75, 90, 97.5)
                            },
                            "observed": observed,
                        }
                    )
                )
    return score(pd.concat(rows, ignore_index=True))


def found_in(scored: pd.DataFrame) -> dict[str, questions.Finding]:
    steps = value_added(scored, ladder=ladder_of(scored["model"]), lag=1)
    return questions.of_record(scored, steps, habits(scored, by=["submitter"]), adjustments(scored))


@cache
def found_of(**broken: float) -> dict[str, questions.Finding]:
    """Return what is found in `track`."""
    return found_in(track(**broken))


def test_each_question_is_asked_of_its_own_rows():
    scored = track()
    found = found_of()
    ours = scored[(scored["model"] == "pipeline") & (scored["horizon"] == 1)]
    total = ours[ours["segment"] == "Total"]
    ranges = found["ranges total"].estimate
    assert (ranges.value, ranges.n) == (total["in80"].mean(), MONTHS)
    held = int(total["in80"].sum())
    assert ranges.p_value == pytest.approx(
        min(1.0, 2 * min(binom.cdf(held, MONTHS, 0.8), binom.sf(held - 1, MONTHS, 0.8)))
    )
    segments = ours[ours["segment"] != "Total"]
    bias = found["bias"].estimate
    assert bias.value == pytest.approx(segments["error"].sum() / segments["observed"].sum())
    by_month = segments.groupby("target_period")["error"].mean()
    assert bias.p_value == pytest.approx(diebold_mariano(by_month, np.zeros(MONTHS)).p_value)


def test_all_questions_of_a_page_are_corrected_together():
    found = found_of()
    estimates = [finding.estimate for finding in found.values()]
    corrected = weighted_holm([e.p_value for e in estimates], [e.weight for e in estimates])
    np.testing.assert_allclose([finding.p_page for finding in found.values()], corrected)
    assert {"skill segment", "skill total", "ranges segment", "bias", "habit 0", "step 0"} <= set(found)
    assert set(questions.WEIGHTS) - {"odds slope", "odds level", "odds lately", "change", "override"} <= set(found)


@pytest.mark.parametrize(
    ("broken", "question", "verdict"),
    [
        ({"noise": 40.0}, "skill segment", "above"),
        ({"noise": 2.0}, "skill segment", "below"),
        ({"bias": 30.0}, "bias", "above"),
        ({"width": 3.0}, "ranges segment", "below"),
        ({"width": 3.0}, "ranges total", "below"),
    ],
)
def test_what_is_broken_is_found(broken, question, verdict):
    assert found_of(**broken)[question].verdict == verdict


def test_without_forecasts_every_question_is_too_few():
    found = found_in(track().iloc[:0])
    assert {finding.verdict for finding in found.values()} == {"too few"}


def test_findings_come_back_from_their_table():
    found = found_of()
    table = questions.as_table(found)
    pd.testing.assert_frame_equal(questions.as_table(questions.from_rows(table.to_dict("records"))), table)
    assert table["question"].is_unique


def test_a_months_tables_carry_the_correction_of_the_page():
    scored = track()
    steps = value_added(scored, ladder=ladder_of(scored["model"]), lag=1)
    found = questions.of_record(scored, steps, habits(scored, by=["submitter"]), adjustments(scored))
    page = questions.with_page(steps, found, "step")
    assert list(page["p_holm"]) == [found[f"step {i}"].p_page for i in range(len(steps))]
    assert (page["p_holm"] >= steps["p_holm"] - 1e-12).all()


def test_the_page_of_the_odds():
    rng = np.random.default_rng(3)
    true, day = rng.normal(-0.8, 1.0, 1200), np.arange(1200) % 8
    past = pd.DataFrame({"origin": day, "p": expit(true), "won": (rng.random(1200) < expit(true)).astype(float)})
    p = past["p"]
    ended = pd.DataFrame({"won": [past["won"].sum()], "expected_by": [p.sum()], "spread": [(p * (1 - p)).sum()]})
    ended = ended.assign(deals=1200.0)
    found = questions.of_odds(past, ended, horizon=3)
    assert found["odds level"].verdict == found["odds slope"].verdict == "as promised"
    assert found["odds use"].verdict == "above"
    assert found["odds lately"].verdict == "unclear"
    # On the last day half of the wins are missing: all days together do not show it, that day does.
    lost = past["won"].where((day < 7) | (np.arange(1200) % 16 < 8), 0.0)
    broken = questions.of_odds(past.assign(won=lost), ended, horizon=3)
    assert not broken["odds level"].is_apart
    assert broken["odds lately"].verdict == "above"
    assert "second opinion" not in found
    worse = questions.of_odds(past.assign(p=expit(0.5 * true)), ended, horizon=3, opinion=diebold_mariano([1.0], [1.0]))
    assert worse["odds slope"].verdict == "above"
    assert worse["second opinion"].verdict == "too few"
    empty = questions.of_odds(past.iloc[:0], ended.iloc[:0], horizon=3)
    assert {finding.verdict for finding in empty.values()} == {"too few"}
