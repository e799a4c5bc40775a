"""Joint planning on the leader's page: no number that could be taken for a finding where nothing can be told."""

from __future__ import annotations

import pandas as pd
import pytest

from forecast import sources
from forecast.data.schema import Company
from forecast.reporting.pages.planning.brief import brief, conclusion, joint_and_sales
from forecast.reporting.pages.planning.prepare import planning_row
from forecast.reporting.pages.track.under_alarm import within
from forecast.wording import THIN as T

PAGE = {"company": Company(name="C"), "as_of": pd.Timestamp("2026-10-31")}
STEP = {"step": "submitted-joint", "before": "submitted-sales", "lag": 0, "n": 300, "months": 23}
STEP |= {
    "wape_before": 0.78,
    "wape": 0.56,
    "added": 0.22,
    "statistic": 12.2,
    "df": 4,
    "p_value": 0.0003,
    "agreeing": 15,
}
ALARM = {"model": "pipeline", "segment": "Total", "kind": "too high", "alarm": True, "first": "2026-05"}
ALARM |= {"last": "2026-09", "evidence": 200.0, "limit": 120.0}
PEOPLES = ALARM | {"model": "submitted-joint", "alarm": False, "first": "2026-08"}
ALARMS = pd.DataFrame([ALARM, PEOPLES])
NOTHING = pd.DataFrame({"by": [], "part": []})


def row(**facts: object) -> dict[str, object]:
    told = {"verdict": "not identified", "answer": "Cannot tell, says Dr. Who & Co.", "more": "Errors changed by 12 %."}
    table = pd.DataFrame([told | {"sentence": "", "relative_change": -0.12, "reasons": "", "withheld": ""} | facts])
    return planning_row(sources.of_file(table, "planning"))


@pytest.mark.parametrize("facts", [{}, {"n_segments": 5, "n_adopting": 0, "needs": "joint_planning"}])
def test_without_forecasts_or_starts_there_is_nothing_on_the_page(facts):
    assert brief(row(**facts), NOTHING, pd.DataFrame([STEP]), ALARMS, **PAGE)._repr_html_() == ""
    assert conclusion(row(**facts), None)._repr_html_() == ""


def test_where_it_cannot_be_told_no_change_is_shown():
    html = brief(row(n_segments=5, n_adopting=0), NOTHING, pd.DataFrame([STEP]), ALARMS, **PAGE)._repr_html_()
    assert "Cannot tell, says Dr. Who &amp; Co." in html
    assert "12" not in html
    assert "<figure" not in html


@pytest.mark.parametrize(
    ("p", "said"),
    [
        (0.004, "the joint one less, beyond luck (23 months)."),
        (0.4, "the joint one less in 15 of 23 months, which is not proven."),
    ],
)
def test_the_joint_forecast_against_sales_own_of_the_same_months(p, said):
    steps = pd.DataFrame([STEP | {"step": "pipeline", "before": "ets", "p_holm": 1.0}, STEP | {"p_holm": p}])
    (line,) = joint_and_sales(sources.of_file(steps, "value_added"))
    missed = f"the joint forecast missed 56{T}% and sales’ own 78{T}%"
    assert sources.plain(line).startswith(f"Of the same months and segments, {missed}: {said}")
    assert sources.cited(line)[0] == "value_added:1:wape|percent"
    assert joint_and_sales(steps.iloc[:1]) == []


def test_under_alarm_it_is_said_what_the_months_after_hold():
    said = ["“After” holds the months since May 2026, in which the model’s forecasts have been too high."]
    assert within(ALARMS, "After") == said
    assert "in which the model’s ranges have not held." in within(ALARMS.assign(kind="ranges"), "After")[0]
    assert within(ALARMS.assign(alarm=False), "After") == []
    ended = pd.DataFrame([ALARM, PEOPLES | {"last": "2026-04"}])  # nobody submitted any more
    assert within(ended, "After") == within(ALARMS.iloc[:1], "After") == []
