"""The table that opens page 05: the last column is what a reader gets from the figures shown, and no word says why."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from forecast.evaluation.planning.levels import LEVEL_COLUMNS
from forecast.reporting.pages.planning import levels
from forecast.wording import MINUS as M
from forecast.wording import THIN as T

NAN = math.nan


def table(*rows: tuple[str, str, str, str, str, float, float]) -> pd.DataFrame:
    """Rows of by, part, measure, of, group, before, after as `planning_levels`."""
    told = [
        (*row[:5], when, value, 40, 3, "2024-10" if row[4] == "not begun" else "")
        for row in rows
        for when, value in (("before", row[5]), ("after", row[6]))
        if not math.isnan(value)
    ]
    return pd.DataFrame(told, columns=list(LEVEL_COLUMNS))


def measure(
    name: str, of: str, began: tuple[float, float], waits: tuple[float, float], by: str = "all", part: str = ""
):
    return (by, part, name, of, "began", *began), (by, part, name, of, "not begun", *waits)


MISS = measure("miss", "people", (0.7149, 0.4851), (0.7451, 0.5349))
BIAS = measure("bias", "people", (0.04, -0.02), (0.003, 0.05))
HELD = measure("ranges held", "model", (0.75, 0.82), (NAN, NAN))
OTHER = measure("miss", "benchmark", (0.52, 0.53), (0.71, 0.57))
QUIET = {"verdict": "no detectable change", "n_segments": 8}
WHOLE = table(*MISS, *BIAS, *HELD, *OTHER)


def arrow(before: str, after: str) -> str:
    return f"{before}{T}→{T}{after}{T}%"


def test_the_last_column_is_the_difference_of_changes_before_rounding():
    found = levels.prepare_levels(WHOLE, ["all"])
    shown = levels.levels_shown(found).set_index("what")
    assert shown.loc["Miss"].tolist() == [
        arrow("71.5", "48.5"),
        arrow("74.5", "53.5"),
        arrow("52.0", "53.0"),
        arrow("71.0", "57.0"),
        f"{M}2.0",  # -22.98 - (-21.02), not 0, which whole figures would give
    ]
    assert shown.loc["Bias", "began"] == arrow("+4.0", f"{M}2.0")
    assert shown.loc["Bias", "waits"] == arrow("+0.3", "+5.0")
    assert shown.loc["Bias", "difference"] == f"{M}10.7"
    assert shown.loc["Ranges that held"].tolist() == [arrow("75.0", "82.0"), "–", "–", "–", "–"]
    assert levels.levels_finding(found) == (
        f"Where segments began, the miss went from 71{T}% to 49{T}%; from 75{T}% to 53{T}% where they have not."
    )
    more = levels.levels_more(found, QUIET)
    assert more == (
        f"{M}23.0 points where segments began, {M}21.0 where they have not: 2.0 points apart. The benchmark, "
        "which plans nothing, moved 15.0 points apart; the table alone proves nothing. This need not come from "
        "planning together. "
        f"The verdict, which follows, {levels.COMPARES_MORE}."
    )


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (0.39, f"{M}32.5 points where segments began, {M}21.0 where they have not: 11.5 points apart. This need"),
        (0.5, f"{M}21.5 points where segments began, {M}21.0 where they have not: 0.5 points apart. This need"),
    ],
)
def test_both_changes_are_written_out(after, says):
    found = levels.prepare_levels(table(*measure("miss", "people", (0.7149, after), (0.7451, 0.5349))), ["all"])
    assert levels.levels_more(found, QUIET).startswith(f"{says} not come from planning together.")
    assert not any(word in levels.levels_finding(found) for word in ("improved", "helped", "fell", "rose"))


def test_the_verdict_s_number_is_bridged_to_that_of_the_table():
    people = measure("miss", "people", (0.2422, 0.1918), (0.2727, 0.2894))
    found = levels.prepare_levels(table(*people), ["all"])
    more = levels.levels_more(found, {"verdict": "improved", "mean_change": -0.346})
    # .1918 / .2422 over .2894 / .2727 is .746
    assert more.endswith(
        f"6.7 points apart. In per cent: {M}21{T}% against +6{T}%, the one relative to the other {M}25{T}%. "
        f"The verdict’s {M}35{T}% {levels.COMPARES_MORE}."
    )
    quiet = levels.levels_more(found, QUIET | {"mean_change": -0.07})
    assert f"{M}7{T}%" not in quiet  # no number is bridged to where none is claimed
    assert "In per cent" not in quiet


@pytest.mark.parametrize(
    ("verdict", "better", "says"),
    [
        ("no detectable change", True, "This need not come from planning together."),
        ("not identified", True, "Whether planning together did this cannot be told."),
        ("improved", True, " In per cent: "),
        ("worsened", False, " In per cent: "),
        ("improved", False, "The verdict finds a change that this does not show."),
        ("worsened", True, "The verdict finds a change that this does not show."),
    ],
)
def test_the_difference_is_never_left_without_what_may_be_made_of_it(verdict, better, says):
    after = 0.39 if better else 0.55
    found = levels.prepare_levels(table(*measure("miss", "people", (0.7149, after), (0.7451, 0.5349))), ["all"])
    more = levels.levels_more(found, {"verdict": verdict, "mean_change": -0.2})
    assert says in more
    assert "more than chance" not in more  # what the verdict says of its own number is not said of the table's


def test_where_every_segment_has_begun_there_is_nothing_to_compare_with():
    alone = table(MISS[0], BIAS[0])
    found = levels.prepare_levels(alone, ["all"])
    assert levels.levels_finding(found).endswith("; no segment is left that has not begun.")
    assert levels.levels_more(found, QUIET) == f"The verdict, which follows, {levels.COMPARES_MORE}."
    assert levels.levels_more(found, {}).startswith("Whether planning together changed anything cannot be told. The")
    assert levels.levels_shown(found)["difference"].tolist() == ["–", "–"]
    html = levels.levels(alone, QUIET)._repr_html_()
    assert "nan" not in html
    assert "3 segments began." in html


def test_nothing_to_show_says_why():
    for nothing in (None, WHOLE.iloc[:0]):
        assert "cannot be compared" in levels.levels(nothing, QUIET)._repr_html_()
        assert "cannot be compared" in levels.level_parts(nothing, QUIET)._repr_html_()
        # Without forecasts of people, or without a table of starts, the verdict says so once for all of the page.
        for row in ({}, QUIET | {"needs": "joint_planning"}):
            assert levels.levels(nothing, row)._repr_html_() == levels.level_parts(nothing, row)._repr_html_() == ""


def test_each_figure_of_a_stacked_row_carries_its_head():
    html = levels.levels(WHOLE, QUIET)._repr_html_()
    assert 'class="scroll stacks"' in html
    assert f'<td role="cell" class="n" data-head="benchmark, not begun">{arrow("71.0", "57.0")}</td>' in html
    assert html.count('role="rowheader"') == 3


def test_lead_times_and_submitters_one_measure_after_the_other():
    parts = [
        *measure("miss", "people", (0.5, 0.4), (0.5, 0.4), "lead time", "0"),
        *measure("bias", "people", (0.5, 0.4), (0.5, 0.4), "lead time", "0"),
        *measure("miss", "people", (0.5, 0.4), (0.5, 0.4), "lead time", "2"),
        *measure("miss", "people", (NAN, 0.4), (NAN, NAN), "submitter", "joint"),
    ]
    both = levels.level_parts(table(*parts), QUIET)
    assert arrow("50.0", "40.0") in both._repr_html_()  # no line ends within it
    assert levels.MONTHS_AHEAD in both._repr_html_()
    view = both.parts[0]
    assert view.frame["what"].tolist() == [
        "Miss, same month",
        "Miss, two months ahead",
        "Miss, joint",
        "Bias, same month",
    ]
    assert view.frame["began"].iloc[2] == arrow("–", "40.0")
    explained = levels.levels_explained(WHOLE)
    assert any("October 2024" in line for line in explained)
    assert any("3 segments began and 3 segments did not" in line for line in explained)
