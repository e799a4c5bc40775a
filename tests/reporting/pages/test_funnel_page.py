"""The funnel on the page: where most is lost, what leaks, whose plan was nearer, and what cannot be told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from forecast import sources
from forecast.data.schema import Company
from forecast.evaluation.lately import ALARM_COLUMNS
from forecast.evaluation.scorecard.funnel.hand_overs import NO_LEAD, STEPS
from forecast.evaluation.scorecard.funnel.leaks import DIFFERENCE, ELSEWHERE, NEVER, ON_TIME
from forecast.evaluation.scorecard.funnel.rows import (
    AGAIN,
    CAPACITY,
    HAND_OVER,
    LEAK,
    PLAN,
    SOURCE,
    FunnelRow,
    as_table,
)
from forecast.reporting.charts.canvas import Canvas
from forecast.reporting.charts.figure import Chart, Folds
from forecast.reporting.pages.scorecard import funnel as page
from forecast.reporting.pages.scorecard import funnel_chart
from forecast.wording import THIN as T

WHEN: dict[str, Any] = {"company": Company(name="C"), "as_of": pd.Timestamp("2026-10-31")}

ALARM: dict[str, Any] = {"model": "pipeline", "segment": "Total", "kind": "too high", "alarm": True, "first": "2026-05"}
ALARM |= {"last": "2026-09", "evidence": 500.0, "limit": 120.0, "n": 5, "n_side": 5}
UNDER_ALARM = pd.DataFrame([ALARM], columns=list(ALARM_COLUMNS)).astype({"alarm": bool})
CALM = UNDER_ALARM.assign(alarm=False)


def row(part: str, step: str, value: float = float("nan"), **more: object) -> FunnelRow:
    known = {"low": value - 0.02, "high": value + 0.02, "n": 200, "n_of": "lead", "means": f"what {step} counts"}
    known |= {"first": "2024-10", "last": "2026-09"}
    return FunnelRow(part=part, step=step, value=value, **{**known, **more})


def table(*rows: FunnelRow) -> pd.DataFrame:
    return as_table(rows)


def passing(*shares: float, n: int = 1000) -> list[FunnelRow]:
    """Hand-overs that such shares of n pass, each within 2 points."""
    return [row(HAND_OVER, step, value, n=n, median_days=6.0) for step, value in zip(STEPS, shares, strict=False)]


def test_the_answer_is_where_most_leads_are_lost_by_number():
    # Of 16,000 leads 15 % are lost, of 14,000 worked 66 %: 9,240. That 1 % buys again is no loss of leads.
    counts = (16_000, 14_000, 5_000, 9_000, 5_000, 4_000, 2_000)
    shares = (0.85, 0.34, 1.0, 0.55, 0.82, 0.61, 0.01)
    rows = [
        row(HAND_OVER, step, value, n=n, n_of="account" if step == STEPS[-1] else "lead", n_followed=1136)
        for step, value, n in zip(STEPS, shares, counts, strict=True)
    ]
    shown = page.shown(table(*rows), **WHEN)
    assert sources.plain(page.answer(table(*rows))) == (
        "Most leads are lost, rejected or left undecided, between worked and qualified: "
        f"an estimated 9,240 of 14,000 (34{T}% pass)."
    )
    assert (
        f"Of 2,000 accounts with a first delivery on time in these months, an estimated 1{T}% order again within a "
        "year: 1,136 of them were followed for all of it, the others as long as they were seen."
    ) in repr(shown)
    (all_of_them,) = [replace(each, n_followed=2_000) for each in rows[-1:]]
    assert page.ordered_again(table(all_of_them)) == (
        f"Of 2,000 accounts with a first delivery on time in these months, 1{T}% ordered again within a year."
    )
    (picture,) = [part for part in shown.parts if isinstance(part, Chart)]
    assert picture.title == page.title_of(table(*rows)) == "Most leads are lost between worked and qualified"
    assert len(picture.data.grid().rows) == len(picture.tooltips) == len(picture.tooltips_narrow) == len(STEPS)


def test_few_of_few_are_not_most():
    # 10 % of 10,000 are more than 50 % of 500.
    rows = [
        row(HAND_OVER, step, value, n=n)
        for step, value, n in zip(STEPS, (0.9, 0.5, 1.0), (10_000, 500, 250), strict=False)
    ]
    assert "between lead and worked: an estimated 1,000 of 10,000" in sources.plain(page.answer(table(*rows)))


def test_hand_overs_that_may_be_it_as_well_are_named():
    assert page.title_of(table(*passing(0.35, 0.34, 0.9))).endswith("worked and qualified, or between lead and worked")
    assert sources.plain(page.answer(table(*passing(0.35, 0.34, 0.9)))) == (
        "Most leads are lost, rejected or left undecided, between worked and qualified: "
        f"an estimated 660 of 1,000 (34{T}% pass), or between lead "
        f"and worked: an estimated 650 of 1,000 (35{T}% pass)."
    )


def test_where_a_hand_over_is_not_known_none_is_called_the_one_of_all():
    two = page.answer(table(*passing(0.85, 0.34)))
    assert "Of the hand-overs that are known, most leads are lost, rejected or left undecided, between worked" in two
    one = sources.plain(page.answer(table(*passing(0.85), row(HAND_OVER, STEPS[1], missing="needs qualified_on"))))
    assert one == f"Of 1,000 leads, 85{T}% passed from lead to worked."
    deals = sources.plain(page.answer(table(*passing(*[0.9] * 3, 0.55, 0.82)[3:])))
    assert deals == f"Most deals are lost between opportunity and proposal: an estimated 450 of 1,000 (55{T}% pass)."
    last = page.shown(table(row(HAND_OVER, STEPS[-1], 0.4, n_of="account", n_followed=200)), **WHEN)
    assert repr(last).startswith(
        f"Of 200 accounts with a first delivery on time in these months, 40{T}% ordered again within a year."
    )
    assert repr(last).count("ordered again") == 1


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
    near = row(PLAN, "sales against joint", 0.08, p_value=0.004, n=19, n_of="month")
    far = row(PLAN, "sales against marketing", -0.07, p_value=0.5, n=19, n_of="month")
    told = repr(page.behind(table(near, far), CALM)).strip().splitlines()
    assert [line.removeprefix("- ") for line in told] == [
        page.NEARER,
        f"The joint forecast was nearer than sales’ own forecast on the same 19 months: by 8{T}% of what was booked "
        f"(6{T}% to 10{T}%).",
        "Whether sales’ own forecast or marketing’s forecast was nearer on the same 19 months cannot be told: so far "
        f"sales’ own forecast was, by 7.0{T}% of what was booked (+5.0{T}% to +9.0{T}%), not proven by this page’s "
        "strict test.",
    ]


def test_months_that_will_probably_exceed_what_can_be_delivered_come_first():
    months = {"2026-11": 0.26, "2026-12": 0.98, "2027-03": 0.94}
    rows = table(*(row(CAPACITY, "above", value, cohort=month) for month, value in months.items()))
    assert [sources.plain(text) for text in page.capacity_sentences(rows, CALM)] == [
        f"In December 2026 and March 2027 bookings will probably exceed what can be delivered (98{T}%, 94{T}%).",
        f"The chance of it in the other months: November 2026 26{T}%.",
        f"{page.SEGMENTS}.",
    ]
    calm = [sources.plain(text) for text in page.capacity_sentences(rows[rows["value"] <= 0.5], CALM)]
    assert calm == [f"{page.IMPROBABLE}.", f"The chance of it: November 2026 26{T}%.", f"{page.SEGMENTS}."]
    even = table(row(CAPACITY, "above", 0.5, cohort="2026-11"))
    assert sources.plain(page.capacity_sentences(even, CALM)[0]) == f"{page.IMPROBABLE}."
    assert len(page.capacity_sentences(rows[rows["value"] > 0.5], CALM)) == 2
    assert (
        page.capacity_sentences(table(row(CAPACITY, "above", cohort="2026-11", missing="needs capacity")), CALM) == []
    )


def test_under_an_alarm_no_month_is_said_to_be_probable():
    months = {"2026-11": 0.26, "2026-12": 0.98}
    rows = table(*(row(CAPACITY, "above", value, cohort=month) for month, value in months.items()))
    doubt, chances = (sources.plain(text) for text in page.capacity_sentences(rows, UNDER_ALARM))
    assert doubt == (
        "An alarm stands against the forecast behind these chances, so do not plan with them: the model’s forecasts "
        "have been too high since May 2026."
    )
    assert chances == (
        f"By that forecast the chance that bookings exceed what can be delivered is: November 2026 26{T}% and "
        f"December 2026 98{T}%."
    )
    assert "probably" not in repr(page.behind(rows, UNDER_ALARM))
    assert page.capacity_sentences(rows.iloc[:0], UNDER_ALARM) == []
    of_a_segment = UNDER_ALARM.assign(segment="Iberia")
    assert page.capacity_sentences(rows, of_a_segment) == page.capacity_sentences(rows, CALM)


def test_capacity_and_plans_stand_under_lines_of_their_own():
    rows = [row(LEAK, NEVER, 0.15), row(CAPACITY, "above", 0.98, cohort="2026-12")]
    rows += [row(PLAN, "sales against joint", 0.08, p_value=0.004, n=19, n_of="month")]
    told = repr(page.behind(table(*rows, row(LEAK, ELSEWHERE, missing="needs account_id in leads")), CALM))
    places = [
        told.index(text) for text in (page.BEHIND, "15", page.DELIVERY, "December", page.NEARER, "joint forecast")
    ]
    assert places == sorted(places)
    assert told.endswith("Rejected, then won elsewhere: needs account_id in leads.")


def test_the_leader_reads_the_answer_and_the_months_without_chances_under_an_alarm():
    rows = table(*passing(0.85, 0.34, 1.0), row(CAPACITY, "above", 0.98, cohort="2026-12"))
    lost, exceeded = (sources.plain(text) for text in page.brief(rows))
    assert lost.startswith("Most leads are lost between worked and qualified")
    assert exceeded == f"In December 2026 bookings will probably exceed what can be delivered (98{T}%)."
    assert len(page.brief(rows, chances=False)) == 1
    assert page.brief(table(row(HAND_OVER, STEPS[0], missing="needs leads"))) == []


def test_opportunities_without_a_lead_say_why_more_set_out_than_came():
    (told,) = page.remarks(table(row(SOURCE, NO_LEAD, 0.4778, n=9831, n_of="opportunity")))
    assert sources.plain(told).startswith(f"4,697 of 9,831 opportunities come from no lead (48{T}%), so that")
    assert page.remarks(table(row(SOURCE, NO_LEAD, 0.0, n=9831, n_of="opportunity"))) == []


def test_late_orders_are_called_no_cause():
    few = row(AGAIN, DIFFERENCE, -0.10, low=-0.15, high=-0.05, n_of="account", p_value=0.0001, first="2022-02")
    on_time = row(AGAIN, ON_TIME, 0.4, n_of="account", first="2022-03")
    told = sources.plain(page.again_sentence(table(on_time, few)))
    assert "200 accounts" in told
    assert page.FEWER in told
    assert page.NO_EFFECT in told
    assert "These are all first orders since February 2022, late or not, followed from the day promised" in told
    open_ = row(AGAIN, DIFFERENCE, -0.01, low=-0.05, high=0.03, n_of="account", p_value=0.6)
    assert f"{page.NOT_TOLD}:" in page.again_sentence(table(open_))


def test_a_difference_is_claimed_at_its_part_of_the_page_s_level_alone():
    near = row(AGAIN, DIFFERENCE, -0.10, low=-0.19, high=-0.01, n_of="account", p_value=0.03)
    assert f"{page.NOT_TOLD} {page.BY_TEST}:" in page.again_sentence(table(near))
    plan = row(PLAN, "sales against joint", 0.08, p_value=0.03, n=19, n_of="month")
    assert "cannot be told" in repr(page.behind(table(plan), CALM))


def test_without_anything_it_says_what_would_bring_it():
    bare = table(*(row(HAND_OVER, step, missing="needs leads") for step in STEPS[:3]))
    assert page.NOTHING in repr(page.shown(bare, **WHEN))
    assert page.remarks(bare) == []
    (why,) = page.reasons(bare)
    assert sources.plain(why) == ("Lead to worked, worked to qualified and qualified to opportunity: needs leads.")


def test_the_picture_tells_each_hand_over_with_its_interval_and_its_days():
    rows = table(row(HAND_OVER, STEPS[0], 0.85, median_days=6.0, q90_days=32.0), row(HAND_OVER, STEPS[3], 0.55, n=90))
    funnel = funnel_chart.prepare_funnel(rows)
    caption = funnel_chart.describe_funnel(funnel, "a finding")
    assert [sources.plain(text) for text in caption.tooltips] == [
        f"lead to worked: 85{T}% pass (83–87{T}%) of 200 leads; half by day 6, nine in ten by day 32",
        f"opportunity to proposal: 55{T}% pass (53–57{T}%) of 90 leads",  # nothing is told of days that are not known
    ]
    assert "October 2024 to September 2026" in caption.subtitle
    for width in (720, 350):
        drawn = funnel_chart.draw_funnel(Canvas(width=width), funnel)
        assert [mark.visible for mark in drawn.marks] == [True, True]
        first, second = drawn.marks
        assert first.y < second.y
        assert first.x > second.x


def test_no_line_of_days_runs_past_the_last_tick():
    rows = table(row(HAND_OVER, STEPS[-1], 0.01, median_days=286.0, q90_days=345.0))
    drawn = funnel_chart.draw_funnel(Canvas(width=720), funnel_chart.prepare_funnel(rows))
    days = drawn.figure.axes[1]
    assert days.get_xlim() == (0, 400)
    assert max(days.get_xticks()) == 400


def test_a_hand_over_that_cannot_be_followed_keeps_its_place_in_the_picture():
    rows = table(*passing(0.85), row(HAND_OVER, STEPS[1], missing="needs qualified_on"), *passing(0.9)[:0])
    caption = funnel_chart.describe_funnel(funnel_chart.prepare_funnel(rows), "a finding")
    assert caption.description.endswith("worked to qualified: cannot be followed.")
    assert len(caption.tooltips) == 1
    drawn = funnel_chart.draw_funnel(Canvas(width=720), funnel_chart.prepare_funnel(rows))
    assert len(drawn.marks) == 1
    assert any(text.get_text() == funnel_chart.UNKNOWN for text in drawn.figure.axes[0].texts)


def test_quarters_stand_folded_away_with_what_cannot_be_told_yet():
    quarters = [row(HAND_OVER, STEPS[0], 0.8, cohort="FY25 Q1", n=90), row(HAND_OVER, STEPS[0], cohort="FY25 Q2")]
    late = "cannot tell: 20 % are still open"
    quarters[1] = row(HAND_OVER, STEPS[0], cohort="FY25 Q2", missing=late)
    shown = page.shown(table(*passing(0.85, 0.34, 1.0), *quarters), **WHEN)
    (folds,) = [part for part in shown.parts if isinstance(part, Folds)]
    ((line, view),) = folds.parts  # the other hand-overs have no quarters
    assert line == "Lead to worked"
    assert list(view.frame["cohort"]) == ["FY25 Q1", "FY25 Q2"]
    assert [sources.plain(cell) for cell in view.frame["value"]] == [f"80{T}% (78–82{T}%)", late]
    assert list(view.frame["median_days"]) == ["–", "–"]
