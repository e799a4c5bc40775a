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


def test_the_last_column_is_redone_by_hand_from_the_figures_shown():
    found = levels.prepare_levels(WHOLE, ["all"])
    shown = levels.levels_shown(found).set_index("what")
    assert shown.loc["Miss"].tolist() == [
        arrow("71", "49"),
        arrow("75", "53"),
        arrow("52", "53"),
        arrow("71", "57"),
        "0",  # (49 - 71) - (53 - 75), though unrounded it is -2.0
    ]
    assert shown.loc["Bias", "began"] == arrow("+4", f"{M}2")
    assert shown.loc["Bias", "waits"] == arrow("0", "+5")
    assert shown.loc["Bias", "difference"] == f"{M}11"
    assert shown.loc["Ranges that held"].tolist() == [arrow("75", "82"), "–", "–", "–", "–"]
    assert levels.levels_finding(found) == (
        f"Where segments began, the miss went from 71{T}% to 49{T}%; from 75{T}% to 53{T}% where they have not."
    )
    more = levels.levels_more(found, QUIET)
    assert more.startswith(
        f"(49 {M} 71) {M} (53 {M} 75) = 0: nothing apart in this sum. The same sum of the benchmark, which "
        "plans nothing: +15. The"
    )


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (0.39, f"(39 {M} 71) {M} (53 {M} 75) = {M}10: 10 points down where segments began. This need"),
        (0.5, f"(50 {M} 71) {M} (53 {M} 75) = +1: 1 point up where segments began. This need"),
    ],
)
def test_the_sum_is_written_out(after, says):
    found = levels.prepare_levels(table(*measure("miss", "people", (0.7149, after), (0.7451, 0.5349))), ["all"])
    assert levels.levels_more(found, QUIET).startswith(f"{says} not come from planning together.")
    assert not any(word in levels.levels_finding(found) for word in ("improved", "helped", "fell", "rose"))


@pytest.mark.parametrize(
    ("verdict", "better", "says"),
    [
        ("no detectable change", True, "This need not come from planning together."),
        ("not identified", True, "Whether planning together did this cannot be told."),
        ("improved", True, "There is more than chance in this."),
        ("worsened", False, "There is more than chance in this."),
        ("improved", False, "The verdict finds a change that this does not show."),
        ("worsened", True, "The verdict finds a change that this does not show."),
    ],
)
def test_the_difference_is_never_left_without_what_may_be_made_of_it(verdict, better, says):
    after = 0.39 if better else 0.5
    found = levels.prepare_levels(table(*measure("miss", "people", (0.7149, after), (0.7451, 0.5349))), ["all"])
    assert f"where segments began. {says} The verdict, which follows" in levels.levels_more(found, {"verdict": verdict})


def test_where_every_segment_has_begun_there_is_nothing_to_compare_with():
    alone = table(MISS[0], BIAS[0])
    found = levels.prepare_levels(alone, ["all"])
    assert levels.levels_finding(found).endswith("; no segment is left that has not begun.")
    assert levels.levels_more(found, QUIET) == (
        f"{levels.COUNTS_OTHERWISE} It is in per cent of the miss, which changed here by {M}32{T}% where segments "
        "began."
    )
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
    assert f'<td role="cell" class="n" data-head="benchmark, not begun">{arrow("71", "57")}</td>' in html
    assert html.count('role="rowheader"') == 3


def test_lead_times_and_submitters_one_measure_after_the_other():
    parts = [
        *measure("miss", "people", (0.5, 0.4), (0.5, 0.4), "lead time", "0"),
        *measure("bias", "people", (0.5, 0.4), (0.5, 0.4), "lead time", "0"),
        *measure("miss", "people", (0.5, 0.4), (0.5, 0.4), "lead time", "2"),
        *measure("miss", "people", (NAN, 0.4), (NAN, NAN), "submitter", "joint"),
    ]
    view = levels.level_parts(table(*parts), QUIET)
    assert arrow("50", "40") in view._repr_html_()  # no line ends within it
    assert view.frame["what"].tolist() == [
        "Miss, same month",
        "Miss, two months ahead",
        "Miss, joint",
        "Bias, same month",
    ]
    assert view.frame["began"].iloc[2] == arrow("–", "40")
    explained = levels.levels_explained(WHOLE)
    assert any("October 2024" in line for line in explained)
    assert any("3 segments began and 3 segments did not" in line for line in explained)
