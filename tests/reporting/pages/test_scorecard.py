"""What the pages say of the scorecard: compared with the survey, and with a year ago."""

from __future__ import annotations

import pandas as pd
import pytest

from forecast import sources
from forecast.reporting.pages.scorecard import card as scorecard
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
            "against_late": ["above", "", "below"],
            "late": [0.6, NAN, 10_000.0],
            "late_previous": [0.4, NAN, 20_000.0],
            "late_first": "2026-05",
            "last": "2026-10",
            "year_n": [12, 0, 11],
            "n_of": ["month", "person", "month"],
            "previous_n": 12,
            "missing": ["", "needs quotas", ""],
            "bound": "",
            "ours_n": 12,
            "months": 12,
        }
    )
    assert scorecard.finding(table) == "Compared with the survey, we are above in a"
    assert scorecard.missing(table) == ["B: needs quotas."]
    short = scorecard.shown(table.assign(ours_n=11), currency="EUR")
    assert list(short["ours"]) == [f"50{T}% (11 months)", f"€30{T}k"]
    people = scorecard.shown(table.assign(n_of="person", ours_n=75, previous_n=82), currency="EUR")
    assert (people["ours"][0], people["previous"][0]) == (f"50{T}% (75 reps)", f"40{T}% (82 reps)")
    shown = scorecard.shown(table, currency="EUR")  # what is not known is told once, above
    assert list(shown["ours"]) == [f"50{T}%", f"€30{T}k"]
    assert list(shown["change"]) == ["+10 points", f"+50{T}%"]
    assert list(shown["luck"]) == ["no", f"of late no (€20{T}k{T}→{T}€10{T}k)"]
    explained = scorecard.year_explained(table)
    assert "over 12 months (c: 11) and over the last six alone" in explained
    assert scorecard.year_sentences(table, currency="EUR") == [
        f"Higher than the year before, beyond luck: a (40{T}→{T}50{T}%).",
        "In May 2026 to October 2026 lower than in the same months a year before, beyond luck: "
        f"c (€20{T}k{T}→{T}€10{T}k).",
        explained,
    ]
    answer = scorecard.year_answer(table, currency="EUR")
    assert answer.sentence.startswith("Higher than the year before")
    assert answer.more.startswith("In May 2026 to October 2026 lower than")
    assert explained not in answer.more
    quiet = table.assign(against_year=["unclear", "", "unclear"], against_late=["unclear", "", "unclear"])
    assert scorecard.year_sentences(quiet, currency="")[0] == "No figure has provably changed."
    assert scorecard.changed_sentences(quiet, currency="") == []
    same = scorecard.year_sentences(quiet.assign(previous=quiet["ours"]), currency="")
    assert same == [scorecard.year_explained(quiet)]  # what has not changed at all has no change that could be open


def test_the_page_opens_with_bookings_and_the_cost_of_selling():
    measures = ["more revenue: bookings", "lower cost: cost of sales per booked"]
    table = pd.DataFrame({"measure": measures, "ours": [44.2e6, 0.187], "change": [0.05, -0.02]})
    table = table.assign(unit=["money", "ratio"], against_year="unclear", against_late="", survey=NAN, months=12)
    answer = scorecard.lead(table.assign(against_survey=""), currency="EUR")
    assert sources.plain(answer.sentence) == (
        f"Bookings rose by 5{T}% on the year before, which may be luck; selling cost 18.7{T}% of what was booked."
    )
    assert answer.more.startswith("Nothing can be compared with the survey yet.")
    proven = scorecard.lead(table.assign(against_year="above", previous=1.0, against_survey=""), currency="EUR")
    assert f"rose by 5{T}% on the year before, beyond luck; selling" in proven.sentence
    short = table.assign(against_year="", months=5, first="2026-06", last="2026-10", against_survey="")
    told = scorecard.lead(short, currency="EUR").sentence
    assert told.startswith(f"€44.2{T}m were booked in 5 months; selling cost")
    without = scorecard.lead(table.iloc[:0].assign(against_survey=""), currency="EUR")
    assert without.sentence == "Nothing can be compared with the survey yet."


def test_the_cost_of_sales_is_a_percentage_and_its_change_points():
    table = pd.DataFrame({"measure": ["lower cost: cost of sales per booked"], "ours": 0.1872, "previous": 0.1904})
    table = table.assign(unit="ratio", change=-0.0168, note="", against_year="unclear", against_late="unclear")
    table = table.assign(bound="", ours_n=12, previous_n=12, months=12, n_of="month")
    (row,) = scorecard.shown(table, currency="EUR").to_dict("records")
    assert (row["ours"], row["previous"], row["change"]) == (f"18.7{T}%", f"19.0{T}%", "−0.3 points")


def test_no_figure_is_called_higher_for_being_so_and_no_hope_is_a_name():
    table = pd.DataFrame(
        {"measure": ["proposals won", "lower cost: cost of sales", "more people: customers who bought", "d"]}
    ).assign(against_year=["unclear", "above", "below", "too few"], against_late="unclear")
    table = table.assign(unit="count", previous=2.0, ours=3.0, n_of="month", year_n=12, months=12)
    higher, lower, open_ones, few, _ = scorecard.year_sentences(table, currency="")
    assert higher == f"Higher than the year before, beyond luck: cost of selling (2{T}→{T}3)."
    assert lower.startswith("Lower than the year before, beyond luck: customers who bought (")
    assert open_ones == "Of the other 1 figure none has provably changed."
    assert few == "Too few to tell: d."
    none = scorecard.year_sentences(table.assign(against_year=""), currency="")
    assert none == ["There is no year before to compare with."]


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (("above", "unclear", "below"), "we are above in a; below in c; higher, not proven, in b"),
        (("below", "below", "below"), "we are below in a, b and c"),
        (("unclear", "too few", "unclear"), "we are higher, not proven, in a and c; too few to tell: b"),
        (("", "", "below"), "we are below in c"),
    ],
)
def test_each_figure_is_named_on_the_side_of_the_survey_where_it_lies(verdicts, said):
    table = pd.DataFrame({"measure": ["a", "b", "c"], "ours": 0.5, "survey": 0.4, "against_survey": verdicts})
    assert scorecard.finding(table) == f"Compared with the survey, {said}"


def test_what_is_not_proven_is_lower_or_higher_as_shown():
    table = pd.DataFrame({"measure": ["a", "b"], "ours": [0.17, 0.377], "survey": 0.38, "against_survey": "unclear"})
    assert scorecard.finding(table) == "Compared with the survey, we are lower, not proven, in a; about the same in b"
    table = table.assign(bound="", of="", survey_of="", survey_n=11, n_of="month")
    assert scorecard.survey_sentences(table) == [
        f"Lower than the survey, but 11 months are too few for this page’s strict test: a (17{T}%, the survey 38{T}%).",
        f"About the same as the survey: b (38{T}%, the survey 38{T}%).",
        "The survey’s figures are self-reported, 2006-07, not audited.",
    ]


def test_each_figure_stands_beside_the_surveys_and_what_says_something_else_is_not_compared():
    table = pd.DataFrame(
        {
            "measure": ["reps at quota", "proposals won", "existing business", "accuracy"],
            "ours": [0.24, 0.37, 0.25, 0.47],
            "survey": [0.6, 0.48, 0.63, 0.38],
            "against_survey": ["below", "", "", ""],
            "bound": ["", "", "at least", ""],
            "of": ["", "of our proposals decided", "", "of our segment-months"],
            "survey_of": ["", "of proposals written", "", "of companies above a threshold"],
        }
    )
    assert scorecard.survey_sentences(table) == [
        f"Below the survey: reps at quota (24{T}%, the survey 60{T}%).",
        f"Not comparable: proposals won (37{T}% of our proposals decided, the survey 48{T}% of proposals written), "
        f"existing business (at least 25{T}%, the survey 63{T}%) and "
        f"accuracy (47{T}% of our segment-months, the survey 38{T}% of companies above a threshold).",
        "The survey’s figures are self-reported, 2006-07, not audited.",
    ]


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
    assert "Our figures (March 2017 to December 2017)" in sources.plain(view._repr_html_())
    assert "last twelve months" not in view._repr_html_()
    assert "a year before" not in view._repr_html_()
    assert "could be luck?" not in view._repr_html_()
    assert scorecard.covered_sentence(table.assign(months=12)) == ""
    # The least that a figure can be is compared with the survey's only where it is above.
    least = table.assign(survey=0.5, against_survey="").iloc[[1]]
    assert scorecard.finding(least) == "Nothing can be compared with the survey yet"


def test_where_luck_could_have_made_every_change_a_brief_table_says_so_once():
    table = pd.DataFrame(
        {
            "measure": ["customers who bought", "mean deal"],
            "ours": [2190.0, 20_000.0],
            "unit": ["count", "money"],
            "previous": [2133.0, 19_300.0],
            "change": [0.03, 0.04],
            "note": "",
            "against_year": "unclear",
            "against_late": ["unclear", ""],
            "year_n": 12,
            "n_of": "month",
            "bound": "",
            "ours_n": 12,
            "months": 12,
            "late": 5.0,
            "late_previous": 4.0,
            "first": "2025-11",
            "last": "2026-10",
        }
    )
    told = sources.plain(scorecard.figures(table, currency="EUR", caption="What we sell", brief=True)._repr_html_())
    assert "What we sell: no change is proven" in told
    assert "could be luck?" not in told
    assert "could be luck?" in scorecard.figures(table, currency="EUR")._repr_html_()  # row by row where there is room
    for one in (table.assign(against_year=["above", "unclear"]), table.assign(against_late=["below", ""])):
        told = scorecard.figures(one, currency="EUR", caption="What we sell", brief=True)._repr_html_()
        assert "could be luck?" in told
        assert "no change is proven" not in told


def test_what_is_sold_is_told_without_revenue_and_what_people_do():
    names = ["forecasts submitted in time", "more revenue: bookings", "more people: customers who bought"]
    table = pd.DataFrame({"measure": [*names, "lower cost: cost of sales per booked", "delivery: on time"]})
    table["survey"] = NAN
    assert list(scorecard.of_sales(table)["measure"]) == [
        "more people: customers who bought",
        "lower cost: cost of sales per booked",
        "delivery: on time",
    ]
