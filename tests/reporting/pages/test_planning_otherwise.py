"""One sensitivity of the study of joint planning in words: never a verdict, and the study's own beside it."""

from __future__ import annotations

import re

import pytest

from forecast.reporting.charts.figure import Statement
from forecast.reporting.pages.planning.otherwise import looked_at, otherwise_statement

CLAIMED = {
    "verdict": "improved",
    "answer": "Mean forecast errors fell by 35 %.",
    "p_value": 0.0001,
    "n_assignments": 10_000,
}
OPEN = {"verdict": "no detectable change", "answer": "No detectable change.", "p_value": 0.44, "n_assignments": 10_000}
LEFT = {"mean_change": -0.37, "mean_interval_low": -0.66, "mean_interval_high": -0.1, "p_value": 0.004}
NOTHING = dict.fromkeys(("mean_change", "mean_interval_low", "mean_interval_high"), float("nan")) | {"p_value": 1.0}


def said(statement: Statement) -> str:
    html = re.sub(r"<style.*?</style>", "", statement._repr_html_(), flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))


def test_a_number_stands_beside_the_verdict_and_its_chance():
    text = said(otherwise_statement(CLAIMED, LEFT, without="East", first=3))
    assert text.strip().startswith(
        "Without East and with the first 3 months from each start on set aside: mean errors fell by 37"
    )
    assert "in 40 of 10,000 cases" in text
    assert "no verdict" in text
    assert "The verdict, fixed before looking: Mean forecast errors fell by 35 %." in text
    assert "would appear in at most 1 of 10,000 cases" in text


def test_where_nothing_is_claimed_no_number_leans_to_a_side():
    text = said(otherwise_statement(OPEN, LEFT, first=1))
    assert text.strip().startswith("With the first month from each start on set aside: no change is claimed (95")
    assert "37" not in text
    assert "in 44 of 100 cases" in text


def test_where_nothing_is_left_that_is_said():
    assert "nothing can be told" in said(otherwise_statement(CLAIMED, NOTHING))
    assert said(otherwise_statement(CLAIMED, NOTHING)).strip().startswith("With every segment and month")


@pytest.mark.parametrize("row", [CLAIMED, OPEN])
def test_without_a_study_there_is_none_to_look_at(row: dict[str, object]):
    assert "There is no study" in said(looked_at(row, None, seed=0))
