"""The verdict in words: no louder than its numbers, relative to whom, and a withheld claim with its reason."""

from __future__ import annotations

import math

import pytest

from forecast.evaluation.planning.assessment import Assessment
from forecast.evaluation.planning.inference.agreement import Change
from forecast.evaluation.planning.inference.checks import Check
from forecast.evaluation.planning.verdict import (
    dip_sentence,
    interval_end,
    interval_ends,
    placebo_sentence,
    reads_otherwise,
    sentences,
    withheld_reason,
)
from forecast.wording import MINUS as M
from forecast.wording import THIN as T


def change(estimate: float, low: float, high: float, *, p: float = 0.01, apart: float = 0.0) -> Change:
    """A change in per cent, its ends, and how far the two comparisons lie from it, as logs."""
    middle, *ends = (math.log1p(value) for value in (estimate, low, high))
    return Change(given_record=middle + apart, set_aside=middle - apart, p=p, low=ends[0], high=ends[1])


def words(verdict: str, *, tested: Change, mean: Change, checks: tuple[Check, ...] = ()) -> str:
    found = Assessment(theta=0.0, assignments=1000, change=tested, mean=mean, claims=-1, checks=checks)
    return " ".join(sentences(verdict=verdict, found=found, association=-0.4, reasons=[]))


FALL = change(-0.3, -0.45, -0.1)


def test_the_number_to_read_is_that_of_the_mean_error_and_says_relative_to_whom():
    said = words("improved", tested=FALL, mean=change(-0.27, -0.43, -0.08, apart=0.1))
    first = f"Mean forecast errors fell by 27{T}% where segments began to plan jointly, relative to those that had not"
    assert said.startswith(
        f"{first} (95{T}% interval {M}43{T}% to {M}8{T}%). If start dates had been assigned at random"
    )
    assert "gross misses" not in said  # three points apart: one number is enough
    # .73 times exp(+-.1) = .807 and .661: the two comparisons between which the number lies.
    assert f"led to expect {M}19{T}%, with the six months before each start set aside {M}34{T}%" in said
    rose = words("worsened", tested=change(0.4, 0.1, 0.8), mean=change(0.44, 0.12, 0.85))
    assert rose.startswith(
        f"Mean forecast errors rose by 44{T}% where segments began to plan jointly, relative to those"
    )


def test_two_comparisons_that_disagree_show_nothing():
    apart = change(0.2, -0.3, 2.2, p=1.0, apart=-0.4)
    said = words("no detectable change", tested=apart, mean=apart)
    assert said.startswith(
        "No detectable change in forecast errors where segments began to plan jointly, relative to those that had not "
        f"(95{T}% interval {M}30{T}% to +220{T}%). The middle estimate, +20{T}%, is no finding: it lies midway between "
        "two comparisons that disagree, so that nothing is shown: against what each segment's"
    )
    assert f"led to expect {M}20{T}%, with the six months before each start set aside +79{T}%" in said
    assert "at random" not in said


def test_where_no_change_is_claimed_no_number_is_told_as_one():
    quiet = change(0.4, -0.13, 1.5, p=0.28)
    said = words("no detectable change", tested=quiet, mean=quiet)
    first, second, *_ = said.split(". ")
    assert "40" not in first
    assert second == (
        f"The middle estimate, +40{T}%, is no finding: if start dates had been assigned at random, a change this large "
        "would appear in 28 of 100 cases"
    )
    wide = words("no detectable change", tested=quiet, mean=change(0.55, -0.2, 1.9))
    assert f"Where gross misses count less: 95{T}% interval {M}13{T}% to +150{T}%; the verdict rests on this." in wide


@pytest.mark.parametrize("mean", [change(-0.2, -0.4, -0.02), change(-0.27, -0.45, 0.01)])
def test_both_changes_are_told_where_they_read_otherwise(mean):
    said = words("improved", tested=FALL, mean=mean)
    assert f"Where gross misses count less, the change is {M}30{T}% (95{T}% interval {M}45{T}% to {M}10{T}%)" in said


@pytest.mark.parametrize(
    ("mean", "tested", "both"),
    [
        ((-0.3, -0.4, -0.1), (-0.34, -0.5, -0.1), False),
        ((-0.3, -0.4, -0.1), (-0.36, -0.5, -0.1), True),
        ((-0.3, -0.4, 0.0), (-0.3, -0.4, -0.001), True),
        ((0.02, -0.4, 0.5), (-0.02, -0.5, 0.4), False),
        ((math.nan, -1.0, math.inf), (-0.3, -0.4, -0.1), False),
        ((math.inf, -1.0, math.inf), (math.inf, -1.0, math.inf), False),
    ],
)
def test_when_both_are_shown(mean, tested, both):
    assert reads_otherwise(mean, tested) is both


def test_a_withheld_claim_says_first_what_speaks_against_it_and_then_that_its_number_is_no_finding():
    trend = Check(name="trend", value=-0.2, p=0.02, withholds=True)
    gross = Check(name="mean", value=math.nan, p=0.4, withholds=True)
    said = words("not identified", tested=FALL, mean=FALL, checks=(trend,))
    first, second, *_ = said.split(". ")
    assert first == (
        "Cannot tell whether planning jointly changed forecast errors: errors of the segments that began had fallen by "
        f"an estimated 20{T}% a year against the others', and without that trend what is left may be chance"
    )
    assert second == (
        f"What the two comparisons show, {M}30{T}% (95{T}% interval {M}45{T}% to {M}10{T}%), is therefore no finding."
    )
    said = words("not identified", tested=FALL, mean=change(0.02, -0.3, 0.5), checks=(trend, gross))
    assert said.startswith(f"{first}. Besides, the plain mean of the errors, in which gross misses count in full, does")
    assert f"show, +2{T}%" in said
    both = f" or {M}30{T}% (95{T}% interval {M}45{T}% to {M}10{T}%) where gross misses count less, is therefore"
    assert both in said


@pytest.mark.parametrize("name", ["trend", "controls", "earlier spell", "benchmark", "missing", "mean"])
def test_every_check_has_its_reason(name):
    said = withheld_reason(Check(name=name, value=0.2, p=0.03, withholds=True))
    sides = "" if name in ("earlier spell", "benchmark") else ", up or down,"
    assert f"(chance alone gives as much{sides} in 3 of 100 cases)" in said
    assert "nan" not in withheld_reason(Check(name=name, value=-0.2, p=0.03))


def test_the_placebo_is_plain_english_and_knows_that_others_may_have_begun():
    said = placebo_sentence(-0.3, -0.02, 0.7, claimed=True)
    assert said == (
        "The same comparison 7 to 12 months before each segment's own start, when it could show no effect (a placebo), "
        f"gives {M}2{T}% (chance alone gives as much in 70 of 100 cases)."
    )
    assert placebo_sentence(-0.3, -0.2, 0.3, claimed=True).endswith(": a reason to rely on the number less.")
    assert placebo_sentence(-0.01, 0.03, 0.8, claimed=True).endswith("cases).")  # small, however small the change
    assert placebo_sentence(-0.3, -0.2, 0.3, claimed=False).endswith("cases).")  # there is no number to rely on
    against = placebo_sentence(-0.3, -0.3, 0.01, claimed=False)
    assert against.startswith("But the same comparison")
    assert against.endswith(": distrust the number.")
    # The check asks one way and at another level: that the change stands with those months set aside is not known.
    assert placebo_sentence(-0.3, -0.3, 0.01, claimed=True).endswith(": distrust the number.")
    assert placebo_sentence(-0.3, math.nan, math.nan, claimed=True).startswith("There are too few months")


@pytest.mark.parametrize(
    ("value", "said"),
    [(-0.00001, f"{M}0.01{T}%"), (0.00001, f"+0.01{T}%"), (0.0, f"0{T}%"), (-0.004, f"{M}0.4{T}%"), (0.2, f"+20{T}%")],
)
def test_an_end_that_is_not_nought_never_reads_nought(value, said):
    assert interval_end(value) == said
    assert interval_ends(-0.5, value) == f"{M}50{T}% to {said}"


def test_a_change_without_an_end_is_written_in_words():
    endless = Change(given_record=0.1, set_aside=math.inf, p=0.4, low=-0.5, high=math.inf)
    found = Assessment(theta=0.0, assignments=100, change=endless, mean=endless)
    said = " ".join(sentences(verdict="no detectable change", found=found, association=math.nan, reasons=[]))
    assert "unknown" not in said
    assert "The middle estimate, larger than can be measured, is no finding" in said


def test_the_months_before_the_starts_are_told_with_their_chance():
    assert dip_sentence(0.09, 0.26) == (
        f"In the six months before the starts errors were 9{T}% above usual (chance alone gives as much in 26 of "
        "100 cases)."
    )
    assert f"8{T}% below usual" in dip_sentence(-0.08, 0.3)
    assert dip_sentence(0.55, 0.001).endswith(f"errors were worse than usual (+55{T}%).")


def test_a_chance_is_no_smaller_than_the_assignments_allow():
    told = words("improved", tested=change(-0.3, -0.45, -0.1, p=0.001), mean=FALL)
    assert "a change this large would appear in at most 1 of 1,000 cases" in told
    against = placebo_sentence(-0.3, -0.3, 0.001, claimed=True, draws=1000)
    assert "in at most 1 of 1,000 cases" in against
    assert "in at most 1 of 1,000 cases" in withheld_reason(Check(name="trend", value=0.2, p=0.001), draws=1000)
