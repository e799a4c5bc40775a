"""What the pages say of the scorecard: compared with the survey, and with a year ago."""

from __future__ import annotations

import pandas as pd
import pytest

from forecast import sources
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
            "change": [0.1, NAN, 0.5],
            "note": "",
            "against_survey": ["above", "", ""],
            "against_year": ["above", "", "unclear"],
            "year_n": [12, 0, 11],
            "n_of": ["month", "person", "month"],
            "missing": ["", "needs quotas", ""],
            "bound": "",
            "ours_n": 12,
            "months": 12,
        }
    )
    assert scorecard.finding(table) == "Compared with the survey on a: above"
    assert scorecard.missing(table) == ["B: needs quotas."]
    shown = scorecard.shown(table, currency="EUR")  # what is not known is told once, above
    assert list(shown["ours"]) == [f"50{T}%", f"€30{T}k"]
    assert list(shown["change"]) == ["+10 points", f"+50{T}%"]
    assert list(shown["n"]) == ["12 months", "11 months"]
    assert scorecard.year_sentences(table) == [
        "Higher than a year ago, beyond luck: a.",
        "No change that luck could not have made: c.",
        scorecard.YEAR_EXPLAINED,
    ]


def test_no_figure_is_called_higher_for_being_so_and_no_hope_is_a_name():
    table = pd.DataFrame(
        {"measure": ["proposals won", "lower cost: cost of sales", "more people: customers won", "d"]}
    ).assign(against_year=["unclear", "above", "below", "too few"])
    higher, lower, open_ones, few, _ = scorecard.year_sentences(table)
    assert higher == "Higher than a year ago, beyond luck: cost of sales."
    assert lower == "Lower than a year ago, beyond luck: customers won."
    assert open_ones.endswith(": proposals won.")
    assert few == "Too few to tell: d."
    none = scorecard.year_sentences(table.assign(against_year=""))
    assert none == ["There is no year before to compare with."]


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (("above", "unclear", "below"), "Compared with the survey, one above, one below and one too near to tell"),
        (("below", "below", "below"), "Compared with the survey, three below"),
        (("above", "above", "above"), "Compared with the survey, three above"),
        (("unclear", "too few", "unclear"), "Compared with the survey, two too near to tell and one too few to tell"),
    ],
)
def test_the_survey_is_no_contest(verdicts, said):
    table = pd.DataFrame({"measure": ["a", "b", "c"], "ours": 0.5, "survey": 0.4, "against_survey": verdicts})
    assert scorecard.finding(table) == said


def test_a_year_that_is_not_all_recorded_and_a_figure_that_rests_on_little():
    table = pd.DataFrame(
        {
            "measure": ["accuracy", "existing business", "mean deal"],
            "ours": [0.33, 0.98, 26_000.0],
            "unit": ["share", "share", "money"],
            "previous": NAN,
            "change": NAN,
            "note": "",
            "against_year": "",
            "year_n": 0,
            "n_of": "month",
            "bound": ["", "at least", ""],
            "ours_n": [1, 10, 1],
            "months": 10,
            "first": "2017-03",
            "last": "2017-12",
        }
    )
    shown = scorecard.shown(table, currency="EUR")
    assert list(shown["ours"]) == ["too few to tell (1 month)", f"at least 98{T}%", f"€26{T}k (1 month)"]
    assert scorecard.covered_sentence(table) == (
        "Bookings are recorded from March 2017 on: the figures of the last twelve months are of 10 months."
    )
    view = scorecard.figures(table, currency="EUR")
    assert "Our figures, now and a year ago (March 2017 to December 2017)" in sources.plain(view._repr_html_())
    assert "last twelve months" not in view._repr_html_()
    assert scorecard.covered_sentence(table.assign(months=12)) == ""
    # The least that a figure can be is compared with the survey's only where it is above.
    least = table.assign(survey=0.5, against_survey="").iloc[[1]]
    assert scorecard.finding(least) == "Nothing can be compared with the survey yet"
