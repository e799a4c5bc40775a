"""Errors and dates as people hand them over: what is refused, what is left out and named, what is no claim."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.calendar import period_label
from forecast.data.schema import ERROR_COLUMNS
from forecast.errors import DataError
from forecast.evaluation.planning.effect import planning_effect
from panels import START, panel_of

# -- left out and named ----------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [0, 1, 11])
def test_a_segment_with_too_short_a_record_is_left_out_and_named(start: int):
    without = planning_effect(*panel_of(cut=0.4, seed=2))
    errors, adoption = panel_of(cut=0.4, seed=2)
    early = errors[errors["segment"] == "S00"].assign(segment="Early", error=0.3)
    begun = pd.DataFrame({"segment": ["Early"], "adopted_on": [f"{period_label(START + start)}-05"]})
    effect = planning_effect(pd.concat([errors, early]), pd.concat([adoption, begun]))
    assert "Early began with fewer than 12 months of errors before the start: left out" in effect.reasons
    assert effect.n_segments == 8
    assert effect.verdict == without.verdict == "improved"
    assert effect.interval == without.interval
    assert effect.mean_change == without.mean_change


def test_twelve_months_before_a_start_are_enough_and_months_without_an_error_do_not_count():
    errors, adoption = panel_of(cut=0.4, dates=(12, 20, 26, 31, None, None))
    assert planning_effect(errors, adoption).n_segments == 6
    gone = (errors["segment"] == "S00") & (errors["period"] == period_label(START + 5))
    effect = planning_effect(errors[~gone], adoption)
    assert effect.n_segments == 5
    assert any("S00 began with fewer than 12 months" in reason for reason in effect.reasons)


@pytest.mark.parametrize("dates", [(1, None, None, None), (3, 6, 9, None), (2, 2, 2, 2), (1, 4)])
def test_where_every_segment_that_begins_has_too_short_a_record_nothing_is_claimed(dates):
    effect = planning_effect(*panel_of(cut=0.9, dates=dates))
    assert effect.verdict == "not identified"
    assert "began with fewer than 12 months of errors before the start" in effect.sentence
    assert "no segment began to plan jointly" not in effect.sentence
    assert len(set(effect.reasons)) == len(effect.reasons)


def test_a_segment_whose_own_errors_end_before_its_start_is_left_out_and_named():
    without = planning_effect(*panel_of(cut=0.4, seed=2))
    errors, adoption = panel_of(cut=0.4, seed=2)
    ended = errors[(errors["segment"] == "S00") & (errors["period"] < period_label(START + 20))]
    begun = pd.DataFrame({"segment": ["Ended"], "adopted_on": [f"{period_label(START + 20)}-05"]})
    effect = planning_effect(pd.concat([errors, ended.assign(segment="Ended")]), pd.concat([adoption, begun]))
    assert "Ended began after the last month with errors of its own: left out" in effect.reasons
    assert effect.n_segments == 8
    assert effect.interval == without.interval


def test_one_month_from_the_start_on_is_enough_to_stay():
    errors, adoption = panel_of(cut=0.4)
    gone = (errors["segment"] == "S00") & (errors["period"] > period_label(START + 24))
    assert planning_effect(errors[~gone], adoption).n_segments == 8


def test_where_only_segments_whose_errors_end_before_their_start_begin_nothing_is_claimed():
    errors, adoption = panel_of(dates=(20, None, None, None))
    gone = (errors["segment"] == "S00") & (errors["period"] >= period_label(START + 20))
    effect = planning_effect(errors[~gone], adoption)
    assert effect.verdict == "not identified"
    assert "S00 began after the last month with errors of its own: left out" in effect.sentence


def test_adoption_after_the_data_counts_as_not_yet():
    errors, adoption = panel_of(cut=0.4)
    adoption.loc[7, "adopted_on"] = "2031-05-01"
    effect = planning_effect(errors, adoption)
    assert any("S07 began after 2025-12" in reason for reason in effect.reasons)
    assert effect.n_adopting == 6


def test_a_segment_without_errors_is_named():
    errors, adoption = panel_of(cut=0.4)
    effect = planning_effect(errors[errors["segment"] != "S01"], adoption)
    assert "no errors for S01: left out" in effect.reasons
    assert effect.n_segments == 7
    unknown = planning_effect(errors, adoption[adoption["segment"] != "S07"])
    assert any("S07 not in joint_planning" in reason for reason in unknown.reasons)


@pytest.mark.slow
def test_missing_months_and_empty_errors():
    errors, adoption = panel_of(cut=0.4, missing=0.1)
    whole = planning_effect(errors, adoption)
    assert whole.verdict == "improved"
    errors = pd.concat([errors, pd.DataFrame([("S00", "2026-05", np.nan, 0.3)], columns=list(ERROR_COLUMNS))])
    effect = planning_effect(errors, adoption)
    assert effect.dropped == {"error or benchmark error is empty": 1}
    assert effect.relative_change == pytest.approx(whole.relative_change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e, a: (e.assign(error=-e["error"]), a), r"errors\.error: is negative"),
        (lambda e, a: (e.assign(error=np.inf), a), "infinite"),
        (lambda e, a: (e.assign(error=["0.1"] * (len(e) - 1) + ["a lot"]), a), "'a lot'"),
        (lambda e, a: (e.assign(benchmark_error="x"), a), r"errors\.benchmark_error"),
        (lambda e, a: (e.drop(columns="benchmark_error"), a), r"benchmark_error: the column is missing"),
        (lambda e, a: (e.assign(period="May"), a), "'May' is not a month"),
        (lambda e, a: (pd.concat([e, e.head(2)]), a), "twice"),
        (lambda e, a: (e, a.drop(columns="adopted_on")), "adopted_on"),
        (lambda e, a: (e, a.assign(adopted_on="soon")), "S00: 'soon'"),
        (lambda e, a: (e, a.assign(adopted_on=7)), "numbers where dates"),
        (lambda e, a: (e, pd.concat([a, a])), "twice"),
    ],
)
def test_bad_input_is_refused_by_name(change, message: str):
    with pytest.raises(DataError, match=message):
        planning_effect(*change(*panel_of()))


def test_no_errors_at_all():
    errors, adoption = panel_of()
    effect = planning_effect(errors.head(0), adoption)
    assert effect.verdict == "not identified"
    assert "errors of no segments over no months are left" in effect.sentence
