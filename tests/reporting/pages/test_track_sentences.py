"""What the pages say of the track record: how far forecasts miss, beyond luck or not."""

from __future__ import annotations

import pandas as pd
import pytest

from forecast.models.registry import MODELS
from forecast.reporting.pages.track import sentences as track_sentences
from forecast.wording import THIN as T

NAN = float("nan")


def scores(*rows: tuple[str, int, float, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["model", "horizon", "wape", "skill"])
    return table.assign(span="month", level="segment", n=10, coverage80=0.8, bias=0.0, observed=1.0)


def test_every_forecaster_has_a_name_of_its_own_on_a_page():
    names = [track_sentences.model_name(model) for model in (*MODELS, "submitted-sales", "submitted-joint")]
    assert len(set(names)) == len(names)
    assert track_sentences.model_name("ets-theta") == "benchmark and Theta"


def test_the_track_record():
    table = scores(("pipeline", 1, 0.3, 0.2), ("pipeline", 2, 0.5, -0.1), ("ets", 1, 0.4, 0.0))
    assert track_sentences.accuracy_finding(table) == (
        f"One month ahead the model misses segments by 30{T}%, the benchmark 40{T}%"
    )
    told = track_sentences.accuracy_sentences(table)
    assert told[0].startswith(f"One month ahead the model misses a segment’s month by 30{T}%, the benchmark by 37{T}%;")
    assert "too few" in told[0]
    assert "as promised" in told[1]
    assert track_sentences.accuracy_finding(table.iloc[:0]) == "There is no track record yet"
    assert track_sentences.accuracy_sentences(table.iloc[:0]) == [
        "No past forecast has settled yet, so we cannot say how accurate forecasts are."
    ]
    people = scores(("pipeline", 1, 0.3, 0.2), ("submitted-joint", 1, 0.55, -0.1), ("ets", 1, 0.4, 0.0))
    told = track_sentences.accuracy_sentences(people)
    assert told[1] == f"The joint forecast misses by 55{T}% one month ahead, the benchmark by 50{T}% (10 forecasts)."


@pytest.mark.parametrize(
    ("skills", "p", "said"),
    [
        (
            (0.2, 0.3),
            (0.01, 0.05),
            f"At every lead time the model misses a segment’s month by less than the benchmark, beyond luck: "
            f"20{T}% to 30{T}% less.",
        ),
        (
            (0.2, 0.3),
            (0.01, 0.2),
            f"The model misses a segment’s month one month ahead by 20{T}% less than the benchmark, beyond luck; "
            "2 months ahead luck could have made the difference.",
        ),
        (
            (0.2, -0.3),
            (0.01, 0.02),
            f"The model misses a segment’s month one month ahead by 20{T}% less than the benchmark and 2 months "
            f"ahead by 30{T}% more than the benchmark, beyond luck.",
        ),
        (
            (0.2, 0.3),
            (0.06, 0.9),
            f"One month ahead the model misses a segment’s month by 30{T}%, the benchmark by 37{T}%; luck could have "
            "made the difference, also further ahead.",
        ),
        (
            (-0.2, 0.3),
            (0.06, NAN),
            f"One month ahead the model misses a segment’s month by 30{T}%, the benchmark by 25{T}%; luck could have "
            "made the difference, also further ahead.",
        ),
        (
            (-0.2, -0.2),
            (NAN, NAN),
            f"One month ahead the model misses a segment’s month by 30{T}%, the benchmark by 25{T}%; the months are "
            "too few to tell that from luck, also further ahead.",
        ),
    ],
)
def test_a_skill_is_claimed_only_beyond_luck(skills, p, said):
    table = scores(*(("pipeline", at, 0.3, skill) for at, skill in enumerate(skills, start=1))).assign(p_holm=p)
    assert track_sentences.accuracy_sentences(table)[0] == said
    assert track_sentences.company_sentence(table) == ""
    company = track_sentences.company_sentence(table.assign(level="total"))
    assert company == said.replace("a segment’s month", "the company’s month")
