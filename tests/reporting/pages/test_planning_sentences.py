"""What page 05 says beside the verdict: right at none, one and many, and never louder than the numbers."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from forecast import sources
from forecast.data.schema import Company
from forecast.evaluation.planning.secondary import OUTCOMES
from forecast.reporting.pages.planning import charts, checks, limits
from forecast.reporting.pages.planning import others as others_page
from forecast.reporting.pages.planning import sentences as planning_sentences
from forecast.reporting.pages.planning.prepare import prepare_effect, prepare_segments
from forecast.wording import MINUS as M
from forecast.wording import THIN as T

NAN = float("nan")


def row(verdict: str = "no detectable change", **more: object) -> dict[str, object]:
    told = {"verdict": verdict, "relative_change": -0.2, "interval_low": -0.46, "interval_high": 0.14, "n_segments": 8}
    return told | {"detectable_change": NAN, "detectable_twice": NAN, "decided_by": ""} | more


@pytest.mark.parametrize(
    ("here", "twice", "title", "says"),
    [
        (
            -0.38,
            -0.27,
            f"Had every segment improved by 38{T}%, it would most likely show",
            f"With 16 segments 27{T}% would be enough",
        ),
        (-0.38, NAN, f"Had every segment improved by 38{T}%, it would most likely show", "More months"),
        (
            NAN,
            -0.27,
            f"No fall of all segments would show; with 16 one of 27{T}%",
            f"With 16 segments, had every segment that began improved by 27{T}%, it would show in four of five cases.",
        ),
        (NAN, NAN, "No fall of all segments, however large, would show", "More months"),
    ],
)
def test_what_could_have_shown(here, twice, title, says):
    told = row(detectable_change=here, detectable_twice=twice)
    assert limits.power_finding(told) == title
    assert says in planning_sentences.detectable_sentence(told)
    assert says in planning_sentences.next_step(told)


def test_what_would_change_a_claim():
    steady = row("improved", left_out_low=-0.35, left_out_high=-0.2)
    assert f"No single segment decides it: without any one of them it lies between {M}35{T}% and {M}20{T}%." in (
        planning_sentences.next_step(steady)
    )
    assert limits.left_out_finding(steady) == f"Leaving one out gives {M}35{T}% to {M}20{T}%"
    shaky = steady | {"decided_by": "North; South"}
    assert "without North or South the data would show no detectable change" in planning_sentences.next_step(shaky)
    assert limits.left_out_finding(shaky) == "Leaving out North or South would change the answer"
    # Where nothing is claimed, a segment without which something would be is no reason to claim it.
    told = planning_sentences.next_step(row(decided_by="North", left_out_low=-0.3, left_out_high=0.1))
    assert "Leaving out North could change the answer: with so few segments, rely on it neither way." in told
    assert limits.left_out_finding(row()) == "Cannot tell whether one segment decides"


def test_not_identified_says_what_would_identify():
    told = planning_sentences.next_step(row("not identified", detectable_twice=-0.3))
    assert "More segments that begin in different months" in told
    assert f"had every segment that began improved by 30{T}%, it would show in four of five cases" in told
    assert "fall" not in planning_sentences.next_step(row("not identified"))


def others(*verdicts: str, change: float = 0.1) -> pd.DataFrame:
    known = [verdict != "not identified" for verdict in verdicts]
    return pd.DataFrame(
        {
            "outcome": OUTCOMES[: len(verdicts)],
            "before": 0.5,
            "after": 0.4,
            "change": [change if there else NAN for there in known],
            "interval_low": [-math.inf if not there else change - 0.1 for there in known],
            "interval_high": [math.inf if not there else change + 0.1 for there in known],
            "p_value": [0.01 if there else NAN for there in known],
            "p_holm": [0.02 if there else NAN for there in known],
            "verdict": verdicts,
            "reason": ["" if there else "no history" for there in known],
        }
    )


def test_the_other_outcomes():
    none = others_page.others(others(*["no detectable change"] * 4))
    assert none[0] == "Nothing else shows a change beyond luck."
    assert none[1] == f"Four outcomes named in advance were looked at. {others_page.ONE_LEVEL}"
    one = others_page.others(others("changed", "no detectable change", change=-0.11))
    assert one[0] == f"Bias changed by {M}11.0 percentage points; it is part of the errors, not a second change."
    lost = others_page.others(others("not identified", "not identified"))
    assert lost[0] == "Cannot tell whether anything else changed."
    assert lost[1] == "Bias is not known (no history); interval coverage is not known (no history)."
    assert "changed by" not in lost[0]
    shown = others_page.others_shown(others("changed", "not identified"))
    assert shown["interval"].tolist() == ["0.0 to +20.0", "cannot tell"]
    assert shown["before"].tolist() == [f"50.0{T}%", f"50.0{T}%"]  # not those at the top, which add up money
    assert shown["change"].tolist() == ["+10.0", "–"]
    html = others_page.planning_others(others("changed", "not identified"), row())._repr_html_()
    assert "change against others, points" in html  # so that 31 -> 30 and a change of nothing stand together
    assert html.count(others_page.AGAINST_OTHERS) == html.count(others_page.AT_THE_TOP) == 1
    assert html.index(others_page.AGAINST_OTHERS) < html.index("<details")
    assert "nan" not in html
    assert "inf" not in html.replace("info", "")


def worth(**more: object) -> pd.DataFrame:
    told = {"when": ["before", "after"], "n": [40, 30], "wape_without": [0.5, 0.4], "wape_with": [0.49, 0.3]}
    return pd.DataFrame(told | {"added": [0.01, 0.1], "p_value": [0.4, 0.01], "p_holm": [0.4, 0.02]} | more)


def test_what_marketing_was_worth():
    first, more = others_page.information(worth())
    assert first == (
        "Knowing marketing changed the model’s miss, one to three months ahead: 10.0 percentage points off since the "
        "start."
    )
    assert more == "The parts have different months: a difference between them is no effect."
    first, _ = others_page.information(worth(added=[0.01, -0.1]))
    assert "10.0 percentage points more since the start" in first
    first, _ = others_page.information(worth(p_holm=[0.4, NAN]))
    assert first == "Knowing marketing shows no difference to the model beyond luck, one to three months ahead."
    assert others_page.information(worth().iloc[:0])[0].startswith("Cannot tell")
    assert others_page.information_shown(worth())["added"].tolist() == ["+1.0", "+10.0"]
    assert "nan" not in others_page.planning_information(worth(p_holm=[0.4, NAN]))._repr_html_()


def test_the_words_of_the_effect_s_chart():
    identified = row(
        "improved",
        n_assignments=1000,
        p_value=0.001,
        dip=0.1,
        dip_p_value=0.004,
        placebo=NAN,
        sentence=f"It fell by {M}20{T}%.",
    )
    shown = prepare_effect(identified)
    caption = planning_sentences.describe_effect(shown, identified)
    assert caption.description == f"It fell by {M}20{T}%."
    assert f"95{T}% interval {M}46{T}% to +14{T}%" in caption.subtitle
    assert list(caption.tooltips) == [
        f"Since the start: errors {M}20{T}%; 95{T}% interval {M}46{T}% to +14{T}%; by chance in at most "
        "1 of 1,000 cases",
        f"Last six months before: errors +10{T}%; by chance in 40 of 10,000 cases",
    ]
    quiet = identified | {"verdict": "no detectable change", "p_value": 0.25}
    shown = prepare_effect(quiet)
    assert math.isnan(shown.rows[0].change)  # drawn as an interval without a point that leans to a side
    assert planning_sentences.describe_effect(shown, quiet).tooltips[0] == (
        f"Since the start: 95{T}% interval {M}46{T}% to +14{T}%; by chance in 25 of 100 cases"
    )
    unknown = identified | {"verdict": "not identified"}
    caption = planning_sentences.describe_effect(prepare_effect(unknown), unknown)
    assert "not identified" in caption.subtitle
    assert caption.tooltips[0] == f"Association: errors {M}20{T}%"  # no interval and no chance, which would be a claim
    assert prepare_effect({"verdict": "not identified"}) is None


def test_segments_that_wait_are_drawn_over_the_same_months_as_the_others():
    table = pd.DataFrame({"segment": ["W", "B", "A"], "adopted": ["", "2024-03", "2024-01"], "error_before": 0.4})
    table = table.assign(error_after=[NAN, 0.3, 0.2], error_early=0.5, error_late=[0.6, NAN, NAN])
    errors = prepare_segments(table)
    assert list(errors.rows["segment"]) == ["A", "B", "W"]
    assert list(errors.pairs) == [(0.4, 0.2), (0.4, 0.3), (0.5, 0.6)]
    caption = planning_sentences.describe_segments(errors)
    assert caption.title == "Relative to bookings, errors fell in both segments, which alone proves nothing"
    assert f"W: 50{T}% in the earlier and 60{T}% in the later months, has not begun." in caption.description
    assert f"A: 40{T}% before, 20{T}% after it began in January 2024." in caption.description


@pytest.mark.parametrize(
    ("p", "p_page", "said"),
    [
        (0.4, 1.0, "yes"),
        (0.0501, 0.1, "yes"),
        (0.01, 0.05, "no"),
        (0.01, 0.06, "not claimed"),
        (0.001, 1.0, "not claimed"),
        (NAN, NAN, "–"),
    ],
)
def test_whether_it_could_be_luck(p, p_page, said):
    assert others_page.luck(p, p_page) == said


@pytest.mark.parametrize(
    ("began", "count", "said"),
    [
        (6, 8, "Six of eight segments have begun; two have not and serve for comparison."),
        (1, 2, "One of two segments has begun; one has not and serves for comparison."),
        (3, 3, "All three segments have begun."),
        (0, 3, ""),  # others may have begun and be left out: the verdict's reason says so
    ],
)
def test_who_began(began, count, said):
    assert planning_sentences.who_began(row(n_adopting=began, n_segments=count)) == said
    assert planning_sentences.who_began({"verdict": "not identified"}) == ""
    counted = planning_sentences.who_began(row(n_adopting=began, n_segments=count, n_months=48))
    assert counted == (f"{said} Their errors cover 48 months." if said else "")


def test_who_began_counts_those_compared_where_others_are_left_out():
    short = row(n_adopting=2, n_segments=5, reasons="A and B began with fewer than 12 months of errors: left out")
    assert planning_sentences.who_began(short).startswith("Two of five compared segments have begun; three have not")


def test_the_brief_verdict_keeps_a_check_that_speaks_against_it():
    told = row(
        "improved",
        n_adopting=6,
        answer=f"Errors fell by 20{T}% (95{T}% interval {M}30{T}% to {M}8{T}%).",
        more="By chance in 1 of 100 cases.",
    )
    first, more = planning_sentences.brief(told)
    assert first == f"Errors fell by 20{T}% (95{T}% interval {M}30{T}% to {M}8{T}%)."
    assert "By chance" not in more
    assert more.startswith("Six of eight segments")
    bad = told | {"placebo": -0.19, "placebo_p_value": 0.01}
    assert (
        f"{M}19{T}% (chance alone gives as much in 1 of 100 cases): distrust the number. "
        in f"{planning_sentences.brief(bad)[1]} "
    )
    luck = told | {"placebo": -0.19, "placebo_p_value": 0.2}
    there = "there seven to twelve months before each segment's own start, when it could show no effect."
    assert f"Much the same difference was {there}" in planning_sentences.brief(luck)[1]
    assert f"A difference the other way was {there}" in planning_sentences.brief(luck | {"placebo": 0.19})[1]
    unclaimed = told | {"verdict": "no detectable change", "placebo": -0.19, "placebo_p_value": 0.2}
    assert "seven to twelve months" not in planning_sentences.brief(unclaimed)[1]  # there is no number to rely on
    drifts = {"trend_p_value": 0.003, "controls_p_value": 0.008, "benchmark_p_value": 0.2, "missing_p_value": NAN}
    signs = "There are signs of something else too (a trend of those that began and a drift of those that never began);"
    assert signs in planning_sentences.brief(told | drifts)[1]
    assert signs not in planning_sentences.brief(told | drifts | {"verdict": "no detectable change"})[1]
    spell = {"dip": 0.55, "dip_p_value": 0.0001}  # it may have lasted: a leader must know of it
    for verdict in ("improved", "no detectable change"):
        assert (
            f"errors were worse than usual (+55{T}%)."
            in planning_sentences.brief(told | spell | {"verdict": verdict})[1]
        )
    assert planning_sentences.brief(told | {"dip": 0.55, "dip_p_value": 0.06}) == (first, more)
    for quiet in ({"placebo": -0.05, "placebo_p_value": 0.2}, {"placebo": NAN, "placebo_p_value": NAN}):
        assert planning_sentences.brief(told | quiet) == (first, more)


@pytest.mark.parametrize(
    ("verdict", "change", "title"),
    [
        ("improved", -0.3, f"Mean errors fell by 30{T}% against segments not planning together"),
        ("worsened", 0.3, f"Mean errors rose by 30{T}% against segments not planning together"),
        ("no detectable change", -0.3, "No detectable change in errors when planning together"),
        ("not identified", -0.3, "Cannot tell whether planning together helped"),
        ("not identified", NAN, "Cannot tell whether planning together helped"),
    ],
)
def test_an_improvement_is_claimed_only_where_the_verdict_says_so(verdict, change, title):
    row = {
        "verdict": verdict,
        "relative_change": change,
        "interval_low": -0.5,
        "interval_high": 0.1,
        "answer": f"A {M}3{T}%, without Dr. Who.",  # a name may end like a sentence
        "more": "B.",
    }
    assert planning_sentences.finding(row) == title
    first, rest = planning_sentences.parts(row)
    assert first == f"A {M}3{T}%, without Dr. Who."
    assert rest.startswith("B.")
    if verdict != "improved":
        everything = " ".join([title, planning_sentences.next_step(row)]).lower()
        assert "improve" not in everything
        assert "fell" not in everything


def test_where_nothing_is_claimed_the_interval_says_what_goes_with_the_data():
    told = row(mean_change=-0.11, mean_interval_low=-0.321, mean_interval_high=0.13, detectable_change=-0.35)
    says = planning_sentences.detectable_sentence(told)
    assert says.startswith(
        f"Anything from a fall of 32{T}% to a rise of 13{T}% fits the data; its middle depends on how months are "
        f"weighed: no finding. Had every segment that began improved by 35{T}%, these data would have shown it in "
        "four of five cases; of those the checks withhold up to one in five."
    )
    assert "unlikely" not in says
    assert f"from a fall of 32{T}%" in planning_sentences.brief(told | {"n_adopting": 6})[1]
    open_ends = row(mean_change=-0.1, mean_interval_low=-1.0, mean_interval_high=math.inf)
    assert planning_sentences.interval_sentence(open_ends) == "Any change at all fits the data."
    upwards = row(mean_change=-0.1, mean_interval_low=-0.4, mean_interval_high=math.inf)
    assert f"from a fall of 40{T}% to any rise" in planning_sentences.interval_sentence(upwards)
    # Where the interval leaves out no change, it says nothing of the kind.
    assert (
        planning_sentences.interval_sentence(row(mean_change=-0.1, mean_interval_low=-0.2, mean_interval_high=-0.01))
        == ""
    )


def withheld(*names: str, **more: object) -> dict[str, object]:
    facts = {"mean_change": -0.3, "mean_interval_low": -0.45, "mean_interval_high": -0.1, "p_value": 0.01}
    reason = f"Cannot tell whether planning jointly changed forecast errors: the comparison shows {M}30{T}%, but x."
    known = {"trend_p_value": 0.03, "earlier_spell_p_value": 0.2, "controls_p_value": 0.5, "benchmark_p_value": NAN}
    base = row("not identified", withheld="; ".join(names), answer=reason, more="Association.", n_adopting=6)
    return base | facts | known | {"missing_p_value": 1.0, "n_assignments": 1000} | more


def test_a_withheld_claim_is_told_with_its_reason_and_what_would_let_it_stand():
    told = withheld("trend")
    assert planning_sentences.finding(told) == "Cannot tell whether planning together helped"
    assert planning_sentences.parts(told)[1].startswith("Association. Six of eight segments have begun")
    first, more = planning_sentences.brief(told)
    assert first.endswith(f"the comparison shows {M}30{T}%, but x.")
    assert "still follow that trend" in more
    assert "More segments that begin in different months" not in more
    _, several = planning_sentences.brief(withheld("trend", "controls", "mean"))
    assert "Two more checks speak against it. More months after the starts would show whether the errors" in several
    assert "gross misses" not in several
    assert "One more check speaks" in planning_sentences.brief(withheld("trend", "mean"))[1]
    both = planning_sentences.next_step(withheld("benchmark", "missing"))
    assert "A benchmark that did not change" in both
    assert "The missing forecasts" in both
    # A fall that size would be withheld here too.
    power = limits.power_finding(told | {"detectable_change": -0.32})
    assert power == f"But for the checks, a fall of 32{T}% of all would show"
    assert limits.none_left(told) == "No change is claimed that a single segment could decide."
    shown = prepare_effect(told)
    assert [(each.what, each.change, each.low, each.high) for each in shown.rows] == [("withheld", -0.3, -0.45, -0.1)]
    assert not shown.changed
    caption = planning_sentences.describe_effect(shown, told)
    assert "a check speaks against it, so no change is claimed" in caption.subtitle
    assert "by chance in 1 of 100 cases" in caption.tooltips[0]


def test_the_checks_say_what_follows_no_louder_than_the_verdict():
    follows = list(checks.checks_shown(withheld("trend"))["follows"])
    none = "no sign found"
    assert follows == ["a sign of it; the claim is withheld", none, none, "nothing to look at", none]
    gross = checks.checks_shown(withheld("mean"))  # asked of every claim; its own row where it withholds one
    assert gross["follows"].iloc[-1] == "it does not; the claim is withheld"
    assert gross["chance"].iloc[-1] == "–"
    assert len(gross) == len(follows) + 1
    limits = [f"up to {limit} of 100" for limit in ("25", "1", "20", "7.5", "20")]
    assert gross["limit"].tolist() == [*limits, "–"]
    claimed = withheld(verdict="improved")
    assert checks.checks_shown(claimed)["follows"].iloc[0] == "a sign of it; the change holds without it"
    quiet = withheld(verdict="no detectable change")
    assert checks.checks_shown(quiet)["follows"].iloc[0] == "a sign of it; no claim is made"
    faint = quiet | {"trend_p_value": 0.12, "controls_p_value": 0.16}  # the checks ask before a claim would be made
    assert list(checks.checks_shown(faint)["follows"])[:3:2] == ["a hint of it; no claim is made"] * 2
    assert checks.checks_shown(faint)["chance"].iloc[0] == "12 of 100"
    spell = quiet | {"earlier_spell_p_value": 0.03}  # of three spells that are looked for
    assert checks.checks_shown(spell)["follows"].iloc[1] == "a hint of it, too faint to count"
    assert (
        "gives as much, up or down. Where a change would be claimed, the second" in checks.checks(faint)._repr_html_()
    )
    assert "nan" not in checks.checks(claimed)._repr_html_()
    assert "Nothing can be checked" in checks.checks(row("not identified", n_assignments=0))._repr_html_()


def test_both_changes_are_drawn_where_they_read_otherwise():
    near = row("improved", mean_change=-0.22, mean_interval_low=-0.4, mean_interval_high=-0.02, interval_high=-0.05)
    assert [each.what for each in prepare_effect(near).rows] == ["effect"]
    assert prepare_effect(near).rows[0].change == -0.22  # the number to read is that of the mean error
    assert f"Mean errors fell by 22{T}%" in planning_sentences.finding(near)
    far = near | {"mean_change": -0.1}
    assert [(each.what, each.change) for each in prepare_effect(far).rows] == [("effect", -0.1), ("tested", -0.2)]
    one_side = near | {"mean_interval_high": 0.01}
    shown = prepare_effect(one_side)
    assert [each.what for each in shown.rows] == ["effect", "tested"]
    both = f"Where gross misses count less, the change is {M}20{T}% (95{T}% interval {M}46{T}% to {M}5{T}%)"
    assert both in planning_sentences.brief(one_side)[1]
    assert both not in planning_sentences.brief(near)[1]
    names = planning_sentences.effect_names(shown)
    assert names == ["Since the start", "Gross misses count less"]


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (-0.5, -0.00003, f"{M}50{T}% to {M}0.01{T}%"),
        (0.00002, 0.004, f"+0.01{T}% to +0.4{T}%"),
        (-0.5, 0.1, f"{M}50{T}% to +10{T}%"),
        (-1.0, math.inf, "any change is possible"),
        (-0.5, math.inf, f"{M}50{T}% upwards"),
        (-1.0, 0.1, f"down to no errors at all, up to +10{T}%"),
    ],
)
def test_open_intervals_are_named(low, high, told):
    assert planning_sentences.interval({"interval_low": low, "interval_high": high}) == told


def test_why_no_power_is_shown_is_the_true_reason():
    nobody = limits.no_power({"n_segments": 5, "n_adopting": 0})
    assert nobody[0] == "Cannot tell how large a change would have shown"
    assert nobody[1].startswith("No segment that is scored has begun")
    assert limits.no_power({"n_segments": 5, "n_adopting": 5})[1] == limits.NO_POWER
    assert planning_sentences.no_months({"n_segments": 5, "n_adopting": 0}) == nobody[1]
    assert planning_sentences.no_months({"n_segments": 5, "n_adopting": 5}) == planning_sentences.NO_MONTHS


def test_why_the_worth_of_marketing_is_not_shown_is_the_true_reason():
    none = pd.DataFrame(columns=["when", "added", "p_holm"])
    assert (
        "forecasts that people submitted are scored, and there are none" in others_page.planning_information(none).more
    )


def test_a_sign_of_something_else_is_told_wherever_the_verdict_stands():
    drifts = row("improved", n_adopting=6, controls_p_value=0.04, left_out_low=-0.35, left_out_high=-0.2, answer="A.")
    signs = (
        "There is a sign of something else too (a drift of those that never began); the change holds without it, but"
    )
    for said in (
        planning_sentences.brief(drifts)[1],
        planning_sentences.parts(drifts)[1],
        planning_sentences.closing(drifts),
    ):
        assert said.count(signs) == 1
    decided = drifts | {"decided_by": "North"}
    assert planning_sentences.closing(decided).startswith(signs)
    assert signs not in planning_sentences.closing(drifts | {"verdict": "no detectable change"})
    hint, faint = {"trend_p_value": 0.2457}, {"earlier_spell_p_value": 0.03}  # as the checks mark them
    assert planning_sentences.closing(drifts | hint | faint).startswith(
        "There is a sign of something else too (a drift of those that never began) and a hint (a trend of those that "
        "began); the change holds without any one of them, but rely on the number less."
    )
    assert planning_sentences.closing(drifts | hint | {"controls_p_value": 0.3}).startswith(
        "There is a hint of something else too (a trend of those that began); the change holds without it. No"
    )
    assert "more than six months before" in planning_sentences.closing(drifts | {"earlier_spell_p_value": 0.01})
    placebo = drifts | {"placebo": -0.3, "placebo_p_value": 0.01, "dip": 0.4, "dip_p_value": 0.01}
    assert "distrust the number" in planning_sentences.closing(placebo)  # the conclusion is no surer than the verdict
    assert "errors were worse than usual" in planning_sentences.closing(placebo)
    floor = placebo | {"placebo_p_value": 0.001, "n_assignments": 1000}
    assert "in at most 1 of 1,000 cases): distrust the number" in planning_sentences.closing(floor)


def test_chances_are_no_smaller_than_the_draws_allow():
    told = row("improved", p_value=0.0001, n_assignments=10_000, relative_change=-0.3, interval_high=-0.1)
    names = ("relative_change", "interval_low", "interval_high", "mean_change", "mean_interval_low")
    table = pd.DataFrame([{"segment": "N"} | {f"left_out_{name}": -0.3 for name in names}])
    table = table.assign(left_out_mean_interval_high=-0.1, left_out_p_value=0.001)
    html = limits.left_out(table, told, company=Company(name="C"), as_of=pd.Timestamp("2026-10-31"))._repr_html_()
    assert "at most 1 of 10,000" in html
    assert "at most 1 of 1,000<" in html
    assert checks.checks_shown(told | {"trend_p_value": 0.0001})["chance"].iloc[0] == "at most 1 of 10,000"


def test_where_nothing_is_claimed_no_segment_left_out_leans_to_a_side():
    quiet = row(p_value=0.4, mean_change=-0.07, mean_interval_low=-0.27, mean_interval_high=0.11, left_out_low=-0.1)
    assert limits.left_out_finding(quiet) == "Without any one segment there is still no detectable change"


def test_the_data_of_the_segments_hold_what_is_drawn_of_those_that_wait():
    table = pd.DataFrame({"segment": ["W", "A"], "adopted": ["", "2024-01"], "error_before": 0.239, "change": NAN})
    table = table.assign(error_after=[NAN, 0.24], error_early=[0.51, NAN], error_late=[0.62, NAN])
    shown = charts.planning_segments(
        table.assign(benchmark_before=NAN, benchmark_after=NAN),
        company=Company(name="C"),
        as_of=pd.Timestamp("2026-10-31"),
    )
    html = shown._repr_html_()
    assert f"51{T}%" in html
    assert f"62{T}%" in html
    heads = [patch for patch in shown.figure.axes[0].collections if len(patch.get_offsets()) == 1]
    x = sorted(float(patch.get_offsets()[0][0]) for patch in heads if float(patch.get_offsets()[0][1]) == 0)
    assert len(x) == 2  # too near for an arrow, which would point back: its mark, and the head to the right of it
    assert x[0] == pytest.approx(0.239)
    assert x[1] > 0.239


def test_the_swings_are_of_the_months_shown_and_so_are_their_data():
    table = pd.DataFrame({"event_time": range(-30, 31), "n_segments": 6, "n_controls": 2, "supported": True})
    table["relative_change"] = [0.01 * at for at in range(-30, 31)]
    shown = charts.event_study(table, row(), company=Company(name="C"), as_of=pd.Timestamp("2026-10-31"))
    assert f"from {M}18{T}% to +18{T}%" in sources.plain(shown.title)
    assert "up to 18 months from a start" in sources.plain(shown.subtitle)
    assert len(shown.table) == 37
    assert sources.table_of(shown.table).endswith("months")
    assert sources.table_of(shown.table) != "planning_months"
