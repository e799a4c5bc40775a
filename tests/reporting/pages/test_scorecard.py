"""What the pages say of the scorecard: compared with the survey, and with a year ago."""

from __future__ import annotations

import pandas as pd
import pytest

from forecast.reporting.pages import scorecard
from forecast.wording import THIN as T

NAN = float("nan")


def test_the_scorecard():
    table = pd.DataFrame(
        {
            "measure": ["a", "b", "c"],
            "ours": [0.5, NAN, 30_000.0],
            "survey": [0.4, 0.6, NAN],
            "unit": ["share", "share", "money"],
            "previous": [0.4, NAN, 20_000.0],
            "change": [0.1, NAN, 10_000.0],
            "note": "",
        }
    )
    assert scorecard.finding(table) == "Above the survey on a"
    assert scorecard.missing(table).startswith("Unknown: b.")
    shown = scorecard.shown(table, currency="EUR")
    assert list(shown["ours"]) == [f"50{T}%", "unknown", f"€30{T}k"]
    assert list(shown["change"]) == ["+10 points", "–", f"+50{T}%"]
    assert scorecard.year_sentences(table) == ["Higher than a year ago: a and c."]


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        ((0.5, 0.5, 0.5), "Compared with the survey, one above, one about the same and one below"),
        ((0.1, 0.1, 0.1), "Compared with the survey, three below"),
        ((0.9, 0.9, 0.9), "Compared with the survey, three above"),
        ((0.41, 0.505, NAN), "Compared with the survey, two about the same"),
    ],
)
def test_the_survey_is_no_contest(ours, said):
    table = pd.DataFrame({"measure": ["a", "b", "c"], "ours": ours, "survey": [0.4, 0.5, 0.6]})
    assert scorecard.finding(table) == said
