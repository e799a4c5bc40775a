"""Differences in words: as a reader would redo them from the figures shown, and with the cells they are made of."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from forecast import sources, wording
from forecast.reporting.pages import differences
from forecast.wording import MINUS as M
from forecast.wording import THIN as T

NAN = math.nan
ENDS = (0.4913, 0.7135, 0.5322, 0.7478)


def test_two_amounts_have_the_same_digits():
    assert differences.from_to(41.95e6, 44.16e6, currency="EUR") == f"from €42.0 to 44.2{T}m"
    assert differences.from_to(900e3, 1.25e6, currency="EUR") == f"from €0.90 to 1.25{T}m"
    assert differences.from_to(-1e6, 2e6, currency="EUR") == f"from €{M}1 to 2{T}m"
    assert differences.from_to(NAN, 2e6) == "–"


@pytest.mark.parametrize(
    ("form", "said"),
    [("", f"{M}0.7"), ("size", "0.7 points"), ("share", f"{M}3{T}%")],  # .6886 over .7117 is .9675
)
def test_a_difference_of_changes_is_taken_before_rounding(form, said):
    assert differences.apart(*ENDS, form=form) == said
    assert differences.apart(*ENDS[:3], NAN, form=form) == "–"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [(0.2422, 0.1918, f"{M}21{T}%"), (0.2727, 0.2894, f"+6{T}%"), (0.1, NAN, "–"), (0.0, 0.2, "–")],
)
def test_how_far_a_share_moved_as_a_share_of_itself(before, after, said):
    assert differences.relative(before, after) == said


def test_a_share_of_nothing_is_not_known():
    assert differences.apart(0.2, 0.0, 0.3, 0.4, form="share") == "–"
    assert differences.apart(0.2, 0.1, 0.0, 0.4, form="share") == "–"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [(0.2727, 0.2894, "+1.7"), (0.04, -0.02, f"{M}6.0"), (0.1, NAN, "–"), (0.2, 0.2, "0.0")],
)
def test_by_how_many_points_a_share_moved(before, after, said):
    assert differences.moved_by(before, after) == said


@pytest.mark.parametrize(
    ("before", "after", "said"), [(0.125, 0.114, f"{M}1 point"), (0.1, NAN, "–"), (0.2, 0.2, "0 points")]
)
def test_points_between_two_shares(before, after, said):
    assert differences.points_between(before, after) == said


def test_a_difference_carries_its_cells_and_is_worded_anew_from_them():
    table = sources.of_file(pd.DataFrame({"value": [*ENDS, NAN]}), "planning_levels")
    cells = sources.column(table, "value")
    texts = {
        differences.apart(*cells[:4], form="share"): cells[:4],
        differences.points_between(*cells[:2]): cells[:2],
        differences.moved_by(*cells[:2]): cells[:2],
        differences.relative(*cells[:2]): cells[:2],
    }
    for text, given in texts.items():
        expressions, rounding = sources.split(sources.cited(text)[0])
        values = [sources.evaluate(each, lambda _: table) for each in expressions]
        assert values == [sources.bare(each) for each in given]
        assert wording.rounded(values, rounding) == sources.plain(text)


def test_what_is_not_known_beside_a_cell_is_evaluated_as_not_known():
    table = sources.of_file(pd.DataFrame({"value": [0.4]}), "planning_levels")
    text = wording.moved(NAN, sources.cell(table, 0, "value"))
    expressions, rounding = sources.split(sources.cited(text)[0])
    values = [sources.evaluate(each, lambda _: table) for each in expressions]
    assert math.isnan(values[0])
    assert wording.rounded(values, rounding) == sources.plain(text)
