"""What the survey said, and which of our figures may stand beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from forecast.errors import DataError, ParameterError
from forecast.evaluation.scorecard.benchmarks import LABEL, benchmark, benchmarks, beside, read_benchmarks
from forecast.evaluation.scorecard.definition import Definition
from forecast.evaluation.scorecard.measures import ROWS

QUOTA = Definition(figure="reps at quota", definition="wins", means="", unit="share", of="reps")


def test_the_figures_are_those_that_are_quoted():
    of_the_survey = [(each.figure, each.value, each.denominator) for each in benchmarks() if each.label == LABEL]
    assert of_the_survey == [
        ("reps at quota", 0.60, "reps"),
        ("formal sales process", 0.37, "companies"),
        ("existing business", 0.63, "revenue"),
        ("new business", 0.37, "revenue"),
        ("forecast accuracy", 0.38, "companies"),
        ("close rate", 0.48, "proposals written"),
    ]
    later = [(each.value, each.year, each.label) for each in benchmarks() if each.label != LABEL]
    assert later == [
        (0.466, "2016", "self-reported, 2016, not audited"),
        (0.473, "2018-19", "self-reported, 2018-19, not audited"),
    ]
    assert benchmark("new business").value + benchmark("existing business").value == pytest.approx(1)


def test_each_figure_says_the_number_it_holds_and_where_it_comes_from():
    for each in benchmarks():
        assert f"{100 * each.value:g} %" in each.says
        assert all(getattr(each, name) for name in ("n", "source", "confidence", "compare_with", "denominator"))


def test_the_rows_of_the_scorecard_hold_the_survey_s_own_figures():
    by_text = {each.says: each.value for each in benchmarks()}
    held = [row for row in ROWS if row.survey_text]
    assert len(held) == 4
    assert all(by_text[row.survey_text] == row.survey for row in held)
    assert all(row.survey_is_apart == bool(row.survey_of) for row in held)


def test_only_shares_of_the_same_thing_are_ranked():
    theirs = benchmark("reps at quota")
    assert beside(QUOTA, theirs).standing == "ranked"
    found = beside(replace(QUOTA, of="segments"), theirs)
    assert (found.standing, found.why) == ("beside", "ours is a share of segments, the survey's a share of reps")
    assert beside(replace(QUOTA, of=""), theirs).standing == "beside"
    assert beside(replace(QUOTA, unit="ratio"), theirs).standing == "apart"
    assert beside(QUOTA, benchmark("existing business")).standing == "apart"


def test_a_figure_that_is_not_there_and_entries_that_cannot_be_right():
    with pytest.raises(ParameterError, match="reps at quota"):
        benchmark("reps at quotas")
    with pytest.raises(ParameterError, match="reps at quota of deals"):
        benchmark("reps at quota", denominator="deals")
    text = Path(read_benchmarks.__code__.co_filename).with_name("survey.toml").read_text(encoding="utf-8")
    with pytest.raises(DataError, match=r"60\.0 share is no"):
        read_benchmarks(text.replace("value = 0.60", "value = 60.0"))
    with pytest.raises(DataError, match="'year'"):
        read_benchmarks(text.replace('year = "2016"\n', ""))
    with pytest.raises(DataError, match="is an address"):
        read_benchmarks(text.replace("CSO Insights, later study", "https://example.org"))
