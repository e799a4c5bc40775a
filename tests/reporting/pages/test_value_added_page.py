"""Words on value added, people's changes and late wins: never louder than the test, right at none, one and many."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from forecast import sources, wording
from forecast.data.schema import Company
from forecast.evaluation.scores.scoring import score
from forecast.evaluation.value_added import CHANGE_COLUMNS, COLUMNS, value_added
from forecast.reporting.pages.value_added import ladder as ladder_page
from forecast.reporting.pages.value_added import people as people_page

T, M = wording.THIN, wording.MINUS
NAN = float("nan")


def ladder(*rows: tuple[str, str, float, float]) -> pd.DataFrame:
    """Return steps: step, before, added, corrected p-value; the step before misses by half."""
    table = pd.DataFrame(rows, columns=["step", "before", "added", "p_holm"])
    table = table.assign(n=100, months=23, wape_before=0.5, df=4, p_value=table["p_holm"], statistic=table["added"])
    table["agreeing"] = 18
    table["wape"], table["lag"] = 0.5 - table["added"], (table["before"] == "pipeline").astype(int)
    return table[list(COLUMNS)]


BETTER = ("pipeline-sales-only", "stage-weighted", 0.2, 0.001)
WORSE = ("submitted-sales", "pipeline", -0.2, 0.01)
UNCLEAR = ("pipeline", "pipeline-sales-only", 0.1, 0.06)
JOINT = ("submitted-joint", "submitted-sales", 0.2, 0.001)
UNTESTED = ("stage-weighted", "seasonal-naive", 0.3, NAN)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((), "There are no two forecasts of the same months yet"),
        ((UNTESTED,), "Too few months to tell what any step adds"),
        ((UNCLEAR,), "No step shows a difference beyond chance"),
        ((UNCLEAR, UNTESTED), "No step shows a difference beyond chance"),
        ((BETTER,), "Of one comparison, one is closer, beyond chance"),
        ((BETTER, BETTER), "Of two comparisons, two are closer, beyond chance"),
        ((WORSE, UNCLEAR), "Of two comparisons, one is further off, beyond chance"),
        ((BETTER, WORSE, UNCLEAR), "Of three comparisons, one is closer and one further off, beyond chance"),
        ((BETTER, WORSE, JOINT), "Of three comparisons, two are closer and one further off, beyond chance"),
        ((JOINT, UNCLEAR), "Of two comparisons, one is closer, beyond chance"),
        ((JOINT,), "Only joint and sales’ forecasts can be compared: who was closer, not why"),
    ],
)
def test_the_ladder_in_a_title(rows, said):
    assert ladder_page.ladder_finding(ladder(*rows)) == said
    assert len(said.split()) <= 14


def test_a_sentence_for_each_step():
    said = ladder_page.ladder_sentences(ladder(BETTER, WORSE, UNCLEAR, UNTESTED))
    assert said[0] == (
        f"The model without marketing misses by 30{T}%, stage-weighted by 50{T}%: 20 percentage points less, in 18 "
        "of 23 months; beyond luck."
    )
    assert said[1].endswith(
        f"the model of the month end before by 50{T}%: 20 percentage points more, in 18 of 23 months; beyond luck."
    )
    assert said[2] == (
        f"The model misses by 40{T}%, the model without marketing by 50{T}%: 10 percentage points less, in 18 of 23 "
        "months; not proven."
    )
    assert said[3].endswith("; too few months to tell (23 months).")
    assert said[4].startswith("Each miss here is of all segments and of all lead times")
    assert said[5].startswith("Three comparisons were tested")
    assert said[6].startswith("People are compared with the model’s forecast of the month end before theirs, some days")
    assert len(said) == 7
    one = ladder_page.ladder_sentences(ladder(BETTER))
    assert len(one) == 1  # with one comparison there is nothing from which it could differ
    tiny = ladder_page.step_sentence(ladder(("stage-weighted", "seasonal-naive", 0.001, 0.01)).to_dict("records")[0])
    assert "less than 1 percentage point less" in tiny


def test_what_joint_forecasts_add_is_not_what_planning_together_did():
    joint = ladder(JOINT)
    assert any("not whether planning together helped" in said for said in ladder_page.ladder_sentences(joint))
    # It is counted as what it is, a comparison; its bar has no colour and says so.
    assert ladder_page.step_note(joint.to_dict("records")[0]).endswith("; beyond luck: closer, not why")
    said = "The joint forecast missed by {} than sales’ own in the same months{}; that shows who was closer, not why."
    assert ladder_page.joint_sentence(joint) == said.format("20 points less", "")
    unclear = ladder_page.joint_sentence(joint.assign(p_value=0.2, p_holm=0.2))
    assert unclear == said.format("20 points less", ", which is not proven")
    few = ladder_page.joint_sentence(joint.assign(p_value=NAN, p_holm=NAN))
    assert few == "Too few months to tell the joint forecast from sales’ own (23 months)."
    assert ladder_page.joint_sentence(ladder(BETTER)) == ""


@pytest.mark.parametrize("row", [UNCLEAR, UNTESTED, ("pipeline", "stage-weighted", 0.2, 0.0501), ("a", "b", 0.0, 0.01)])
def test_what_is_not_told_apart_is_never_said_to_help_or_hurt(row):
    table = ladder(row)
    note = ladder_page.step_note(table.to_dict("records")[0])
    everything = " ".join([ladder_page.ladder_finding(table), *ladder_page.ladder_sentences(table), note])
    # A difference may be named, with its months and that it is not proven; never as a finding.
    named = re.findall(r"points? (?:less|more)[^.]*", everything)
    assert all("not proven" in each for each in named)
    assert not re.search(r"is closer|are closer|further off|beyond luck", everything)
    assert ladder_page.verdict(table.to_dict("records")[0]) in ("unclear", "untested")


def test_the_title_counts_all_rows_that_are_tested_and_drawn():
    steps = ladder_page.prepare_ladder(ladder(BETTER, JOINT))
    assert len(steps.drawn) == 2
    assert "Of two comparisons, two are closer" in ladder_page.describe_ladder(steps).title
    assert "Two comparisons were tested; a difference" in " ".join(ladder_page.ladder_sentences(steps.table))
    pooled = ladder_page.prepare_ladder(ladder(UNCLEAR), pooled=", before and since May 2026 together")
    assert ladder_page.describe_ladder(pooled).subtitle.endswith("before and since May 2026 together; lower is better")


def test_where_the_pooled_miss_and_the_test_point_in_different_ways_nothing_is_claimed():
    row = ladder(BETTER).assign(statistic=-3.0).to_dict("records")[0]
    assert ladder_page.verdict(row) == "unclear"


def test_the_words_take_what_the_functions_give():
    empty = score(
        pd.DataFrame(columns=["model", "origin", "target_period", "horizon", "segment", "mean", "observed"]).astype(
            {"model": "str", "target_period": "str", "segment": "str"}
        )
    )
    assert ladder_page.ladder_finding(value_added(empty)).startswith("There are no two")


def people(*rows: tuple[str, float, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["submitter", "bias", "p_holm"])
    return table.assign(n=10, share_over=0.6, wape=0.5, months=23, statistic=table["bias"], p_value=table["p_holm"])


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((), "Nobody’s forecasts have settled yet"),
        ((("sales", 0.3, NAN),), "Too few months to tell whether anybody forecasts too high or too low"),
        ((("sales", 0.3, 0.2),), "Nobody forecasts too high or too low beyond chance"),
        (
            (("sales", 0.3, 0.01), ("joint", 0.9, 0.2)),
            f"Sales forecasts too high, by 30{T}% in sum, all lead times together",
        ),
        (
            (("sales", 0.3, 0.01), ("joint", 0.1, 0.01), ("marketing", -0.2, 0.01)),
            f"Sales and joint forecast too high, by 30{T}% and 10{T}% in sum; marketing forecasts too low, by 20{T}% "
            "in sum, all lead times together",
        ),
    ],
)
def test_habits(rows, said):
    assert people_page.habits_finding(people(*rows)) == said


def test_a_habit_and_an_alarm_on_it_agree():
    alarms = pd.DataFrame(
        [("submitted-sales", "too high", True), ("submitted-joint", "too low", False), ("pipeline", "too high", True)],
        columns=["model", "kind", "alarm"],
    )
    unclear = people(("sales", 0.68, 0.2), ("joint", 0.1, 0.3))
    assert people_page.habits_finding(unclear, alarms) == (
        "Nobody forecasts too high or too low beyond chance over all months; sales forecasts too high of late, an "
        "alarm says"
    )
    shown = repr(people_page.what_people_change(unclear, changes(), submitted=True, alarms=alarms))
    assert "of late no" in shown
    assert people_page.TOGETHER in shown
    two = pd.concat([alarms, alarms.iloc[:1].assign(model="submitted-joint")])
    assert people_page.habits_finding(unclear, two).endswith("sales and joint forecast too high of late, an alarm says")
    # Whoever is named over all months is not named again.
    clear = people(("sales", 0.68, 0.001))
    assert people_page.habits_finding(clear, alarms) == people_page.habits_finding(clear)
    pooled = people_page.what_people_change(
        clear, changes(), submitted=True, alarms=alarms, pooled=", before and since"
    )
    assert repr(pooled).count("lead times, before and since") == 2  # the sentence and the table


def test_a_habit_needs_months_and_money_to_agree():
    table = people(("sales", 0.3, 0.01)).assign(statistic=-3.0)
    assert people_page.habits_finding(table) == "Nobody forecasts too high or too low beyond chance"


def changes(*rows: tuple[str, str, float, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["submitter", "kind", "added", "p_holm"])
    table = table.assign(n=40, months=12, share_better=0.25, wape_before=0.4, df=4, p_value=table["p_holm"])
    table["agreeing"] = 9
    return table.assign(wape=0.4 - table["added"], statistic=table["added"])[list(CHANGE_COLUMNS)]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((), "No forecast of people can be compared with the model’s yet"),
        (
            (("sales", "up small", -0.2, NAN),),
            "Too few months to tell whether people’s changes missed by less than the model",
        ),
        (
            (("sales", "up small", -0.2, 0.06),),
            "No kind of change missed by less or by more than the model beyond chance",
        ),
        (
            (("sales", "up small", -0.2, 0.01), ("joint", "up small", -0.1, 0.01)),
            "Small upward changes (by sales and joint) missed by more than the model, beyond chance",
        ),
        (
            (("sales", "up large", -0.2, 0.01), ("sales", "down large", 0.1, 0.01)),
            "Large upward changes (by sales) missed by more than the model; large downward changes (by sales) "
            "missed by less than the model, beyond chance",
        ),
    ],
)
def test_changes_in_a_title(rows, said):
    assert people_page.adjustments_finding(changes(*rows)) == said


def test_changes_say_in_how_many_months_they_were_so_and_where_that_stands():
    table = sources.of_file(changes(("sales", "up small", -0.2, 0.5)), "adjustments")
    nothing = pd.DataFrame({"alarm": [False], "model": ["pipeline"], "kind": ["too high"]})
    shown = people_page.what_people_change(people(("sales", 0.3, 0.2)), table, submitted=True, alarms=nothing)
    html = shown._repr_html_()
    assert "adjustments:0:agreeing|in_full" in html
    assert "adjustments:0:months|in_full" in html
    assert "adjustments:0:so" not in html


def test_changes_in_sentences():
    clear = people_page.adjustments_sentences(
        changes(("sales", "up small", -0.2, 0.01), ("sales", "up large", -0.1, 0.5))
    )
    assert clear[0] == (
        f"Small upward changes by sales (40) miss by 60{T}%, the model by 40{T}%; 25{T}% of them came closer."
    )
    assert clear[1].startswith(
        "The difference in the other row of the table is not proven, or months are too few; the table"
    )
    assert "not who forecasts better" in clear[-1]
    still = people_page.adjustments_sentences(changes(("sales", "up small", -0.2, 0.5)))
    small = f"Small upward changes by sales: 25{T}% of 40 came closer than the model"
    assert still == [f"{small}; not proven.", people_page.CHANGES_CAVEAT]
    both = people_page.adjustments_sentences(changes(("sales", "up small", -0.2, 0.5), ("joint", "up small", 0.0, 0.9)))
    assert both[0] == (
        f"Small upward changes by sales and joint together: 25{T}% of 80 came closer than the model; not proven for "
        "any of them."
    )
    few = people_page.adjustments_sentences(changes(("sales", "up small", -0.2, NAN)))
    assert few == [f"{small}; too few months to tell more.", people_page.CHANGES_CAVEAT]
    assert people_page.adjustments_sentences(changes()) == []


def test_where_nobodys_forecasts_can_be_scored_one_line_says_so():
    none = people_page.what_people_change(people(), changes(), submitted=False)
    assert repr(none) == people_page.NOT_SUBMITTED
    assert repr(people_page.what_people_change(people(), changes(), submitted=True)) == people_page.NOT_SETTLED
    alone = people_page.what_people_change(people(("sales", 0.3, 0.01)), changes(), submitted=True)
    assert repr(alone).startswith("Sales forecasts too high")
    assert "Changes against the model" not in repr(alone)
    both = people_page.what_people_change(
        people(("sales", 0.3, 0.01)), changes(("sales", "up small", -0.2, 0.5)), submitted=True
    )
    assert people_page.CHANGES_CAPTION in repr(both)
    pooled = people_page.what_people_change(
        people(("sales", 0.3, 0.01)), changes(("sales", "up small", -0.2, 0.5)), submitted=True, pooled=", before"
    )
    assert f"{people_page.CHANGES_CAPTION}, before" in repr(pooled)


def late(*rows: tuple[int, int, float, float, int]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["won", "late", "won_amount", "late_amount", "backdated"])
    table["quarter"] = [f"FY26 Q{place + 1}" for place in range(len(rows))]
    return table.assign(late_amount_share=table["late_amount"] / table["won_amount"].replace(0, np.nan))


def test_late_wins():
    assert people_page.late_finding(late()).startswith("Late wins cannot be counted")
    assert people_page.late_sentences(late()) == []
    nothing = late((0, 0, 0.0, 0.0, 0), (0, 0, 0.0, 0.0, 0))
    assert people_page.late_finding(nothing) == "Nothing was won in 2 settled quarters"
    assert people_page.late_sentences(nothing) == []
    none = late((5, 0, 50.0, 0.0, 0))
    assert people_page.late_finding(none) == "Every deal won was known three weeks into its quarter, as open or as won"
    assert people_page.late_finding(late((1, 0, 9.0, 0.0, 0))).startswith("The one deal won was known")
    assert people_page.late_sentences(none) == ["5 deals won in 1 quarter, FY26 Q1."]
    some = late((10, 1, 100.0, 5.0, 1), (10, 0, 100.0, 0.0, 0))
    assert people_page.late_finding(some) == f"2{T}% of the amount won was in no pipeline three weeks into its quarter"
    told = people_page.late_sentences(some)
    assert told[0].startswith(f"Of 20 deals won in 2 quarters, FY26 Q1 to FY26 Q2, one (5{T}%) was known neither")
    assert told[1] == f"By quarter that was 0{T}% to 5{T}% of the amount."
    assert told[2].startswith("1 of them has a creation date")
    unpriced = late((4, 1, 0.0, 0.0, 0))
    assert people_page.late_finding(unpriced).startswith(f"25{T}% of the deals won")


def test_figures_of_the_tables():
    assert [ladder_page.luck(p) for p in (NAN, 0.00001, 0.0501)] == ["too few months", "no", "yes"]
    assert ladder_page.more(-0.34) == f"{M}34 points"
    shown = people_page.late_columns(Company(name="C", currency="EUR"))
    names, formats = shown["columns"], shown["formats"]
    assert set(formats) <= set(names)
    assert formats["won_amount"](1500.0) == f"€1.5{T}k"
