"""The record before an alarm began and since, in words: sentences, titles, and nothing without an alarm."""

from __future__ import annotations

import pandas as pd

from forecast.evaluation.judgement import Estimate, Finding
from forecast.reporting.charts.canvas import Caption
from forecast.reporting.pages.track import parted
from forecast.reporting.pages.track.sentences import coverage_finding
from forecast.wording import THIN as T

NAN = float("nan")


def part(model: str = "pipeline", level: str = "total", **changed: object) -> dict[str, object]:
    row = {"model": model, "level": level, "horizon": 1, "n": 23, "first": "2026-05"}
    row |= {
        "n_before": 18,
        "wape_before": 0.18,
        "bias_before": -0.006,
        "coverage80_before": 15 / 18,
        "skill_before": 0.3,
    }
    row |= {"n_since": 5, "wape_since": 1.54, "bias_since": 1.54, "coverage80_since": 0.0, "skill_since": -0.14}
    return row | {"months_before": 18, "months_since": 5} | changed


NONE = pd.DataFrame([part()]).iloc[:0]


def test_each_part_has_its_own_figures():
    table = pd.DataFrame([part(), part("ets", wape_before=0.25, wape_since=1.35), part(level="segment")])
    before, since = (text.replace(T, " ") for text in parted.parted_sentences(table, level="total"))
    assert before == (
        "Before May 2026 (18 months), one month ahead, the model missed the company’s month by 18 % (the benchmark by "
        "25 %), forecast 0.6 % less than was booked in sum and its 80 % ranges held 15 of 18."
    )
    assert since == (
        "Since May 2026 (5 months), one month ahead, the model missed the company’s month by 154 % (the benchmark by "
        "135 %), forecast 154 % more than was booked in sum and its 80 % ranges held 0 of 5."
    )
    segments = parted.parted_sentences(table, level="segment")
    assert not any("in sum" in text or "benchmark" in text for text in segments)  # in sum they are the company
    new = pd.DataFrame([part(n_before=0, wape_before=NAN, bias_before=NAN, coverage80_before=NAN)])
    assert len(parted.parted_sentences(new, level="total")) == 1
    assert parted.in_sum(0.001) == "what was booked"


def test_people_before_and_since():
    sales, joint = (part(f"submitted-{name}", "segment", coverage80_before=NAN) for name in ("sales", "joint"))
    assert parted.people_parted(pd.DataFrame([sales, joint, part()])) == (
        f"Before May 2026 → since, people missed a segment’s month: the joint forecast by 18{T}→{T}154{T}% and "
        f"sales’ forecast by 18{T}→{T}154{T}%."
    )
    assert parted.people_parted(pd.DataFrame([part()])) == ""


def test_a_title_is_told_in_two_parts():
    table = pd.DataFrame([part(), part(level="segment")])
    plain = Caption(title="pooled", subtitle="", description="pooled.", tooltips=[])
    told = parted.in_two_parts(plain, table, level="segment", relative=False)
    assert told.title == f"One month ahead the model missed segments by 18{T}% before May 2026, by 154{T}% since"
    assert told.description.startswith(told.title)
    assert told.subtitle.endswith(parted.LINES)  # what is drawn is not parted
    assert "pooled" not in told.description
    relative = parted.in_two_parts(plain, table, level="total", relative=True).title
    assert relative == f"One month ahead the model’s miss was 70{T}% of the benchmark’s before May 2026, 114{T}% since"
    assert parted.in_two_parts(plain, NONE, level="segment", relative=False) is plain
    assert parted.in_two_parts(plain, table.assign(skill_since=NAN), level="total", relative=True) is plain


def test_months_are_counted_apart():
    rows = pd.DataFrame({"target_period": ["2026-03", "2026-04", "2026-05"], "q10": 1.0, "q90": 3.0})
    rows["observed"] = [2.0, 0.0, 0.0]
    assert coverage_finding(rows, since="2026-05") == (
        f"1 of 2 months before May 2026 ended inside the 80{T}% range, 0 of 1 since"
    )
    assert coverage_finding(rows, since="2026-03") == coverage_finding(rows)
    assert coverage_finding(rows) == f"1 of 3 months ended inside their 80{T}% range"


def test_without_an_alarm_nothing_is_parted():
    assert parted.since_of(NONE) == parted.together(NONE) == ""
    assert parted.together(pd.DataFrame([part()])) == ", before and since May 2026 together"
    assert parted.parted_sentences(NONE, level="total") == []
    assert parted.over_all_sentence({}) == ""


def test_what_holds_of_both_levels_is_said_once():
    facts = {"promised": 0.0, "low": -0.1, "high": 0.3, "p_value": 0.4, "unit": "month", "fewest": 8}
    found = Finding(estimate=Estimate(value=0.1, n=23, agreeing=16, **facts), p_page=0.9, verdict="unclear")
    few = Finding(estimate=Estimate(value=0.1, n=7, **facts), p_page=NAN, verdict="too few")
    over = "Model against benchmark, over both parts and all lead times together"
    assert parted.over_all_sentence({"skill total": few, "skill segment": few}) == (
        f"{over}: too few to tell (7 months; 8 are needed)."
    )
    assert parted.over_all_sentence({"skill total": found}) == (
        f"{over}: the model misses the company’s month less in 16 of 23 months, which is not proven."
    )
    apart = Finding(estimate=found.estimate, p_page=0.01, verdict="above")
    both = parted.over_all_sentence({"skill total": found, "skill segment": apart})
    assert f"the model misses a segment’s month by 10{T}% less than the benchmark, beyond luck (23 months)." in both
