"""The funnel on the page: where most is lost, what leaks, whose plan was nearer, and what cannot be told."""

from __future__ import annotations

import pandas as pd

from forecast import sources
from forecast.evaluation.scorecard.funnel.hand_overs import STEPS
from forecast.evaluation.scorecard.funnel.leaks import DIFFERENCE, NEVER, ON_TIME
from forecast.evaluation.scorecard.funnel.rows import AGAIN, CAPACITY, HAND_OVER, LEAK, PLAN, FunnelRow, as_table
from forecast.reporting.charts.figure import TableView
from forecast.reporting.pages.scorecard import funnel as page
from forecast.wording import THIN as T


def row(part: str, step: str, value: float = float("nan"), **more: object) -> FunnelRow:
    known = {"low": value - 0.02, "high": value + 0.02, "n": 200, "n_of": "lead", "means": f"what {step} counts"}
    return FunnelRow(part=part, step=step, value=value, **{**known, **more})


def table(*rows: FunnelRow) -> pd.DataFrame:
    return as_table(rows)


def test_the_answer_is_the_hand_over_that_fewest_pass():
    passed = zip(STEPS, (0.85, 0.34, 1.0, 0.55, 0.82, 0.61, 0.01), strict=True)
    shown = page.shown(table(*(row(HAND_OVER, step, value, median_days=6.0) for step, value in passed)))
    assert sources.plain(page.answer(table(row(HAND_OVER, STEPS[0], 0.85), row(HAND_OVER, STEPS[1], 0.34)))) == (
        f"Most is lost between worked and qualified (34{T}% pass)."
    )
    assert "34" in repr(shown)
    close = table(row(HAND_OVER, STEPS[0], 0.35), row(HAND_OVER, STEPS[1], 0.34))
    assert sources.plain(page.answer(close)) == (
        f"Most is lost between worked and qualified (34{T}% pass) or between lead and worked (35{T}% pass)."
    )
    (view,) = [part for part in shown.parts if isinstance(part, TableView)]
    assert len(view.grid().rows) == len(STEPS)


def test_a_quarter_and_a_segment_do_not_stand_for_the_company():
    rows = table(
        row(HAND_OVER, STEPS[0], 0.9),
        row(HAND_OVER, STEPS[0], 0.1, segment="A"),
        row(HAND_OVER, STEPS[0], 0.2, cohort="Q"),
    )
    assert len(page.company_rows(rows, HAND_OVER)) == 1


def test_leaks_with_what_they_rest_on():
    (told,) = page.remarks(table(row(LEAK, NEVER, 0.15)))
    assert sources.plain(told) == f"What never worked counts: 15{T}% (13–17{T}%, 200 leads)."


def test_a_plan_is_nearer_only_where_the_test_says_so():
    near = row(PLAN, "sales against joint", 0.08, p_value=0.01, n=19, n_of="month")
    far = row(PLAN, "sales against marketing", -0.07, p_value=0.5, n=19, n_of="month")
    told = [sources.plain(text) for text in page.remarks(table(near, far))]
    assert told == [
        f"The joint plan was nearer than sales’ own plan on the same 19 months: by 8{T}% of what was booked "
        f"(6{T}% to 10{T}%).",
        "Whether sales’ own plan or marketing’s plan was nearer on the same 19 months cannot be told.",
    ]


def test_months_that_may_exceed_what_can_be_delivered():
    rows = table(row(CAPACITY, "above", 0.26, cohort="2026-11"), row(CAPACITY, "above", 0.98, cohort="2026-12"))
    assert sources.plain(page.capacity_sentence(rows)) == (
        f"Chance that bookings exceed what can be delivered: November 2026 26{T}% and December 2026 98{T}%."
    )


def test_late_orders_are_called_no_cause():
    few = row(AGAIN, DIFFERENCE, -0.10, low=-0.15, high=-0.05, n_of="account")
    told = sources.plain(page.again_sentence(table(row(AGAIN, ON_TIME, 0.4, n_of="account"), few)))
    assert "200 accounts" in told
    assert page.FEWER in told
    assert page.NO_EFFECT in told
    open_ = row(AGAIN, DIFFERENCE, -0.01, low=-0.05, high=0.03, n_of="account")
    assert page.NOT_TOLD in page.again_sentence(table(open_))


def test_without_anything_it_says_what_would_bring_it():
    bare = table(*(row(HAND_OVER, step, missing="needs leads") for step in STEPS[:3]))
    assert page.NOTHING in repr(page.shown(bare))
    assert page.remarks(bare) == []
    (why,) = page.reasons(bare)
    assert sources.plain(why) == ("Lead to worked, worked to qualified and qualified to opportunity: needs leads.")
