"""The survey's questions on the page: ours with its interval, what may be compared, and what changed."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

import forecast
from forecast import sources
from forecast.evaluation.planning.verdict import NO_CHANGE, NOT_IDENTIFIED
from forecast.evaluation.scorecard.definition import Definition, as_table
from forecast.evaluation.scorecard.figures.since_joint import CHANGED
from forecast.reporting.charts.canvas import Canvas
from forecast.reporting.charts.figure import Chart, Statement
from forecast.reporting.pages.scorecard import amounts, answers
from forecast.wording import THIN as T

REPS = Definition(
    figure="reps at quota",
    definition="over the span",
    means="reps whose wins reached the sum of their quotas",
    unit="share",
    of="reps",
    value=0.41,
    low=0.31,
    high=0.53,
    n=75,
    n_of="rep",
    first="2025-11",
    last="2026-10",
)
WON = Definition(
    figure="close rate",
    definition="won/(won+lost), cohorts, by count",
    means="deals won in the end",
    unit="share",
    of="deals closed",
    value=0.566,
    low=0.554,
    high=0.577,
    n=9831,
    n_of="deal",
)
PROPOSALS = replace(WON, definition="won/proposals, cohorts, by count", value=0.82, low=0.81, high=0.83, n=5304)
UNKNOWN = replace(REPS, figure="forecast accuracy", value=float("nan"), missing="needs submitted_forecasts")


@pytest.fixture
def company():
    return forecast.read("data/sample").company


def test_each_question_is_answered_by_the_definition_nearest_to_it():
    five = answers.prepare_five(as_table([WON, PROPOSALS, REPS, UNKNOWN]))
    assert list(five.table["name"]) == ["reps at quota", "proposals won"]
    assert list(five.table["value"]) == [0.41, 0.82]
    assert list(five.table["survey"]) == [0.60, 0.48]
    # Reps are reps; deals closed are not the proposals that companies wrote.
    assert list(five.table["standing"]) == ["ranked", "beside"]


def test_the_first_definition_answers_where_the_nearest_is_not_known():
    five = answers.prepare_five(as_table([WON, replace(PROPOSALS, missing="needs is_proposal in stages")]))
    assert list(five.table["definition"]) == [WON.definition]
    assert list(five.table["name"]) == ["close rate"]  # not the proposals won


def test_of_a_segment_nothing_is_told_of_the_company():
    assert answers.prepare_five(as_table([replace(REPS, segment="Iberia")])).table.empty


def test_the_table_says_of_how_many_and_whether_they_can_be_compared():
    shown = answers.beside_table(as_table([REPS, PROPOSALS]), currency="EUR").frame
    assert list(shown["ours"]) == [f"41{T}% (31–53{T}%)", f"82{T}% (81–83{T}%)"]
    assert list(map(sources.plain, shown["n"])) == ["75 reps, Nov 25 to Oct 26", "5,304 deals"]
    assert shown["question"].iloc[0] == "reps at quota: over the span"
    assert shown["compared"].iloc[0] == "yes"
    assert shown["compared"].iloc[1].startswith("not ranked: ours is a share of deals closed")


def test_every_definition_is_folded_away_under_its_figure():
    folds = answers.every_definition(as_table([REPS, WON, PROPOSALS, UNKNOWN]), currency="EUR")
    assert [line for line, _ in folds.parts] == ["Reps at quota", "Close rate, counted in 2 ways"]
    assert list(folds.parts[1][1].frame["definition"]) == [WON.definition, PROPOSALS.definition]


def test_the_year_before_stands_beside_its_figure():
    before = replace(REPS, definition="over the span, the year before", value=0.5, low=0.4, high=0.6)
    view = answers.every_definition(as_table([REPS, before]), currency="EUR").parts[0][1]
    assert list(view.frame["before"]) == [f"50{T}% (40–60{T}%)"]
    assert "before" in view.columns
    alone = answers.every_definition(as_table([REPS]), currency="EUR").parts[0][1]
    assert "before" not in alone.columns


def test_the_picture_has_a_mark_for_each_share(company):
    table = as_table([REPS, PROPOSALS])
    picture = answers.five(table, "a finding", company=company, as_of="2026-10-31")
    assert isinstance(picture, Chart)
    drawn = answers.draw_five(Canvas(width=700), answers.prepare_five(table))
    assert [mark.visible for mark in drawn.marks] == [True, True]
    (narrow,) = answers.draw_five(Canvas(width=350), answers.prepare_five(table)).figure.axes
    legend = [text for text in narrow.texts if text.get_text() in (answers.OURS_LABEL, answers.SURVEY_LABEL)]
    boxes = [text.get_window_extent() for text in legend]
    assert len(boxes) == 2
    assert not boxes[0].overlaps(boxes[1])
    assert max(box.x1 for box in boxes) <= narrow.figure.bbox.x1
    shown = [text.get_text() for text in narrow.texts]
    assert f"41{T}% (31–53{T}%)" in map(sources.plain, shown)  # told where a dot may hide it
    caption = answers.describe_five(answers.prepare_five(table), "a finding")
    assert f"reps at quota: ours 41{T}% (31–53{T}%), survey 60{T}%." in sources.plain(caption.description)
    assert len(caption.tooltips) == len(drawn.marks)
    assert "self-reported, 2006-07, not audited" in caption.subtitle


def test_without_an_answer_the_page_says_so(company):
    nothing = answers.five(as_table([UNKNOWN]), "a finding", company=company, as_of="2026-10-31")
    assert isinstance(nothing, Statement)
    assert answers.NOTHING in repr(nothing)


def test_no_change_is_claimed_that_chance_could_make():
    quiet = replace(REPS, before=0.43, after=0.37, change=-0.04, change_low=-0.16, change_high=0.08, change_p=0.5)
    quiet = replace(quiet, verdict=NO_CHANGE)
    assert answers.changed_sentence(as_table([quiet])) == (
        "Of 1 measure asked about (reps at quota) none is shown to have changed since joint planning began."
    )
    found = replace(WON, before=0.5, after=0.6, change=0.1, change_low=0.05, change_high=0.15, change_p=0.01)
    found = replace(found, verdict=CHANGED)
    sentence = answers.changed_sentence(as_table([quiet, found]))
    assert sentence == (
        "Changed since joint planning began, beyond chance: close rate, won/(won+lost), cohorts, by count "
        "(+10 percentage points). Of 1 measure more none is shown to have."
    )
    shown = answers.changes(as_table([quiet, found]), currency="EUR").frame
    assert list(shown["verdict"]) == ["not shown", "yes"]
    assert shown["change"].iloc[0] == "−4 points (−16 points to +8 points)"


def test_measures_are_counted_and_each_is_called_what_it_is():
    row = replace(REPS, verdict=NO_CHANGE, before=0.4, after=0.4, change=0.0, change_low=-0.1, change_high=0.1)
    several = [
        row,
        replace(row, figure="forecast accuracy", definition="months within 10 %"),
        replace(row, figure="existing business", definition="by type"),
        replace(row, figure="existing business", definition="bought in the 12 months before"),
        replace(row, figure="close rate", definition="won within 6 months of creation, by count"),
    ]
    assert answers.changed_sentence(as_table(several)) == (
        "Of 5 measures of four figures asked about (reps at quota, forecast accuracy by hits, coarser than the size "
        "of errors, existing business and deals won within six months of creation) none is shown to have changed "
        "since joint planning began."
    )
    shown = answers.changes(as_table(several), currency="EUR").frame["definition"]
    assert sources.plain(shown.iloc[-1]) == "deals won within 6 months of creation, by count"  # no close rate


def test_what_cannot_be_told_is_said_so():
    open_ended = replace(REPS, verdict=NOT_IDENTIFIED, why="every segment began in 2024-03")
    alone = answers.changed_sentence(as_table([open_ended]))
    assert sources.plain(alone).endswith("joint planning began cannot be told: every segment began in 2024-03.")
    shown = answers.changes(as_table([open_ended]), currency="EUR").frame
    assert list(shown["verdict"]) == ["cannot tell"]  # the sentence says why, once
    other = replace(WON, verdict=NOT_IDENTIFIED, why="two segments are not enough")
    several = sources.plain(answers.changed_sentence(as_table([open_ended, other])))
    assert several.endswith(
        "cannot be told: of reps at quota, over the span, every segment began in 2024-03; the page on the scorecard "
        "has the reason of each of the others."
    )
    shown = answers.changes(as_table([open_ended, other]), currency="EUR").frame
    assert list(map(sources.plain, shown["verdict"])) == [
        "cannot tell: every segment began in 2024-03",
        "cannot tell: two segments are not enough",
    ]
    quiet = replace(WON, verdict=NO_CHANGE, change=0.0, change_low=-0.1, change_high=0.1, change_p=1.0)
    mixed = sources.plain(answers.changed_sentence(as_table([quiet, open_ended])))
    assert mixed.endswith("Of 1 measure it cannot be told: every segment began in 2024-03.")
    assert answers.changed_sentence(as_table([REPS])) == answers.NO_STARTS
    assert answers.of_sizes(as_table([open_ended])) == []
    assert answers.of_sizes(as_table([replace(open_ended, figure="forecast accuracy")])) == [answers.OF_SIZES]


def test_a_value_in_its_unit():
    assert amounts.value_in(0.5, "share", currency="EUR") == f"50{T}%"
    assert amounts.value_in(30_000.0, "money", currency="EUR") == f"€30{T}k"
    assert amounts.value_in(1.5, "months", currency="EUR") == "1.5 months of bookings"
    assert pd.notna(amounts.value_in(2.0, "ratio", currency="EUR"))


def test_the_cost_of_sales_is_told_in_per_cent_wherever_it_stands():
    reps = replace(REPS, definition="attainment: 50 %", unit="ratio", of="", value=0.898, low=0.773, high=1.01)
    view = answers.every_definition(as_table([reps, REPS]), currency="EUR").parts[0][1]
    assert list(view.frame["ours"]) == [f"89.8{T}% (77.3{T}% to 101.0{T}%)", f"41{T}% (31–53{T}%)"]
    cost = replace(REPS, figure="cost of sales", definition="marketing alone", unit="ratio", of="")
    cost = replace(cost, value=0.0294, low=0.0247, high=0.034, n=12, n_of="month")
    view = answers.every_definition(as_table([cost]), currency="EUR").parts[0][1]
    assert list(view.frame["ours"]) == [f"2.9{T}% (2.5{T}% to 3.4{T}%)"]
