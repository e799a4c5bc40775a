"""The verdict in plain words: computed from the numbers, never typed, and never louder than they are.

First why nothing can be identified, if so: before anything is computed, once the number of possible assignments is
known, and where a check withholds a claim. Then the sentences of the verdict, in order: the change of the mean error
with its interval, the change where gross misses count less if that reads otherwise, how often chance alone gives as
much and the two comparisons the number lies between, the placebo, and the six months before the starts. Where no
change is claimed, the first sentence holds the interval alone, and the number in the middle is called no finding.
Numbers are written by `forecast.wording`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from forecast.calendar import period_label
from forecast.data.submissions import ABSENT, TABLE
from forecast.errors import Problem
from forecast.evaluation.planning.assessment import Assessment
from forecast.evaluation.planning.estimate import relative_change
from forecast.evaluation.planning.inference.agreement import Change
from forecast.evaluation.planning.inference.checks import ONE_SIDED, Check
from forecast.evaluation.planning.inference.randomisation import ALPHA
from forecast.evaluation.planning.panel import ErrorPanel, nothing_after, short_record
from forecast.wording import THIN, cases, percent, plural

FEWEST_MONTHS = 3
"""Fewest months with errors for anything to be compared."""

STARTS = "joint_planning"
NO_STARTS = f"no table {STARTS} says when segments began to plan jointly"
"""Among the notes where there is no such table, or nothing in it."""

NOT_IDENTIFIED: Literal["not identified"] = "not identified"
NO_CHANGE: Literal["no detectable change"] = "no detectable change"

LEAST_END = 0.0001
"""An end of an interval that is not zero is never written as less: its side of zero must show."""

_DIFFER = 0.05
"""Difference of two relative changes that is too large to leave out."""

Numbers = tuple[float, float, float]
"""A change with the ends of its interval, as relative changes."""


def not_scored_sentence(problem: Problem) -> str:
    """Return the verdict's sentence where the forecasts that people submitted cannot be scored at all, and why."""
    why = f"{problem.table}: {problem.what}" if problem.table else problem.what
    if problem.table == TABLE:
        why = f"the forecasts that people submitted cannot be scored: {problem.what}"
        if problem.what == ABSENT:
            why = "no forecasts that people submitted are recorded"
    return f"Cannot tell whether planning together helped: {why}."


def no_comparison(panel: ErrorPanel, *, of: str = "errors") -> list[str]:
    """Return why nothing can be compared, if so, before anything is computed; of : what is compared, in the plural."""
    segments, months = panel.observed.shape
    if not segments or months < FEWEST_MONTHS:
        left = f"{plural(segments, 'segment')} over {plural(months, 'month')}"
        return [f"{of} of {left} are left to compare", *panel.notes]
    if not panel.adopting.any() and (panel.short or panel.ended):
        why = [short_record(panel.short)] * bool(panel.short) + [nothing_after(panel.ended)] * bool(panel.ended)
        return [f"{'; '.join(why)}, and no other segment began within the months with {of}"]
    if not panel.adopting.any() and NO_STARTS in panel.notes:
        return [NO_STARTS]
    if not panel.adopting.any():
        first, last = period_label(int(panel.months[0])), period_label(int(panel.months[-1]))
        return [f"no segment began to plan jointly between {first} and {last}, the months with {of}"]
    if segments == 1:
        return [f"{panel.segments[0]} is the only segment with {of}, and there is nothing to compare it with"]
    dates = np.unique(panel.dates)
    if len(dates) == 1:
        return [
            f"every segment began in {period_label(int(dates[0]))}, so that planning jointly cannot be separated"
            " from whatever else happened then"
        ]
    return []


def too_few_ways(panel: ErrorPanel, *, identified: bool, smallest_p: float, assignments: int) -> list[str]:
    """Return why no p-value could have been small enough, if so."""
    segments = len(panel.segments)
    if not identified:
        return [f"the start dates of the {plural(segments, 'segment')} leave nothing that separates before from after"]
    if smallest_p > ALPHA:
        ways = f"{assignments} way{'s' if assignments != 1 else ''}"
        return [
            f"with {plural(segments, 'segment')} and these start dates there are only {ways} to assign the dates, so "
            f"that chance alone gives any result in {cases(smallest_p)} cases"
        ]
    return []


def withheld_reason(check: Check, *, draws: int = 0) -> str:
    """Return why a claim is withheld, for one check that speaks against it, and of which sides its p-value is.

    draws : of how many assignments the p-value was counted, see `wording.cases`.
    """
    fact, consequence = _speaks_against(check)
    sides = "" if check.name in ONE_SIDED else ", up or down,"
    return f"{fact} (chance alone gives as much{sides} in {cases(check.p, draws=draws)} cases){consequence}"


def _speaks_against(check: Check) -> tuple[str, str]:
    """Return what a check found, and what follows from it; the second begins with what joins it to the first."""
    size, moved = percent(abs(check.value)), "risen" if check.value > 0 else "fallen"
    since, other = ("after", "before") if check.value > 0 else ("before", "after")
    left = "what is left may be chance"
    texts = {
        "trend": (
            f"errors of the segments that began had {moved} by an estimated {size} a year against the others'",
            f", and without that trend {left}",
        ),
        "controls": (
            f"errors of the segments that never began had {moved} by an estimated {size}, against the others',"
            " while these were beginning",
            f", and without that {left}",
        ),
        "earlier spell": (
            f"errors were {size} {'higher' if check.value > 0 else 'lower'} than usual already 7 to {-check.months[0]}"
            " months before the starts",
            f", and with those months set aside too {left}",
        ),
        "benchmark": (
            f"the benchmark's own error, the yardstick here, has {moved} by an estimated {size} where segments began,"
            " against the others",
            f", and without the benchmark {left}",
        ),
        "missing": (
            f"more months are without a forecast {since} the starts than {other}",
            ", and the missing ones could hide the whole change",
        ),
        "mean": ("the plain mean of the errors, in which gross misses count in full, does not show the change", ""),
    }
    return texts[check.name]


def sentences(
    *,
    verdict: str,
    found: Assessment | None,
    association: float,
    reasons: Sequence[str],
) -> list[str]:
    """Return the verdict with its numbers, their intervals and the checks; the first sentence is the answer.

    found : None where nothing could be compared. association : see `PlanningEffect`. reasons : why not identified.
    """
    if (
        found is None
        or found.change is None
        or found.mean is None
        or (verdict == NOT_IDENTIFIED and not found.withheld)
    ):
        text = f"Cannot tell whether planning jointly changed forecast errors: {'; '.join(reasons)}."
        return [text, *_association(association)]
    mean, change = found.mean, found.change
    read, tested = ((relative_change(each.estimate), *interval_of(each)) for each in (mean, change))
    if verdict == NOT_IDENTIFIED:
        return _withheld(found.withheld, read, tested)
    placebo, dip, claimed = found.placebo or found.check("placebo"), found.dip, verdict != NO_CHANGE
    draws = found.assignments
    said = [
        _opening(verdict, read),
        without_gross_misses(read, tested, claimed=claimed),
        _bracket(mean, change, claimed=claimed, draws=draws),
        placebo_sentence(read[0], placebo.value, placebo.p, claimed=claimed, draws=draws),
        dip_sentence(*((dip.value, dip.p) if dip else (math.nan, math.nan)), draws=draws),
    ]
    return [each for each in said if each]


def _withheld(checks: Sequence[Check], read: Numbers, tested: Numbers) -> list[str]:
    """Return the sentences of a claim that is withheld: what speaks against it first, and only then its numbers."""
    first, *others = checks
    besides = [f"Besides, {_speaks_against(check)[0]}." for check in others]
    both = f" or {_numbers(*tested)} where gross misses count less" if reads_otherwise(read, tested) else ""
    return [
        f"Cannot tell whether planning jointly changed forecast errors: {''.join(_speaks_against(first))}.",
        *besides,
        f"What the two comparisons show, {_numbers(*read)}{both}, is therefore no finding.",
    ]


def interval_of(change: Change) -> tuple[float, float]:
    """Return the ends of the interval as relative changes."""
    return relative_change(change.low), relative_change(change.high)


def _signed(log_change: float) -> str:
    """Write a change; one without an end, where nearly all errors before are zero, has no number."""
    return percent(relative_change(log_change), sign=True) if log_change < math.inf else "larger than can be measured"


def _bracket(mean: Change, change: Change, *, claimed: bool, draws: int) -> str:
    """Return how often chance gives as much, and what each of the two comparisons shows, between which the number lies.

    Where they point in different ways, that is all there is to say: no assignment agrees less. Where no change is
    claimed, the number is called no finding before anything else.
    """
    both = (
        f"against what each segment's own past led to expect {_signed(mean.given_record)}, with the six months before"
        f" each start set aside {_signed(mean.set_aside)}."
    )
    middle = f"The middle estimate, {_signed(mean.estimate)}, is no finding:"
    if all(each.given_record * each.set_aside < 0 for each in (mean, change)):
        return f"{middle} it lies midway between two comparisons that disagree, so that nothing is shown: {both}"
    often = cases(change.p, draws=draws)
    chance = f"f start dates had been assigned at random, a change this large would appear in {often} cases."
    if claimed:
        return f"I{chance} The number lies midway between two comparisons: {both}"
    return f"{middle} i{chance} It lies midway between two comparisons: {both}"


def _numbers(change: float, low: float, high: float) -> str:
    size = percent(change, sign=True) if change < math.inf else "larger than can be measured"
    return f"{size} ({interval_words(low, high)})"


def without_gross_misses(mean: Numbers, tested: Numbers, *, claimed: bool) -> str:
    """Return the sentence of the change on the scale of the test where it must be shown too; empty else.

    mean, tested : see `reads_otherwise`. claimed : whether a change is claimed; else no number is written as one.
    """
    if not reads_otherwise(mean, tested):
        return ""
    if claimed:
        return f"Where gross misses count less, the change is {_numbers(*tested)}; the verdict rests on this."
    return f"Where gross misses count less: {interval_words(*tested[1:])}; the verdict rests on this."


def reads_otherwise(mean: Numbers, tested: Numbers) -> bool:
    """Return whether the change of the mean error and that on the scale of the test must both be shown.

    Each is (change, low, high) as relative changes. True where they differ by more than five points, or where the
    interval of only one leaves out no change. False where either is not known.
    """
    if math.isnan(mean[0]) or math.isnan(tested[0]):
        return False
    leaves_out = [low > 0 or high < 0 for _, low, high in (mean, tested)]
    apart = mean[0] != tested[0] and abs(mean[0] - tested[0]) > _DIFFER  # two that are infinite are the same
    return leaves_out[0] != leaves_out[1] or apart


def interval_ends(low: float, high: float) -> str:
    """Write the ends of an interval on a relative change; a change cannot be less than -1, no errors at all."""
    if low <= -1 and math.isinf(high):
        return "any change is possible"
    if math.isinf(high):
        return f"{interval_end(low)} upwards"
    if low <= -1:
        return f"down to no errors at all, up to {interval_end(high)}"
    return f"{interval_end(low)} to {interval_end(high)}"


def interval_end(value: float) -> str:
    """Write an end of an interval on a relative change; what is not zero is rounded away from it, so is never 0."""
    return percent(value, sign=True, least=LEAST_END)


def interval_words(low: float, high: float) -> str:
    """Write an interval on a relative change with its name; an interval open at both ends needs none."""
    ends = interval_ends(low, high)
    return ends if low <= -1 and math.isinf(high) else f"95{THIN}% interval {ends}"


def _opening(verdict: str, read: Numbers) -> str:
    """Return the verdict; a number stands in it only where a change is claimed, else the interval alone."""
    when = "where segments began to plan jointly, relative to those that had not"
    if verdict == NO_CHANGE:
        return f"No detectable change in forecast errors {when} ({interval_words(*read[1:])})."
    moved = f"{'fell' if verdict == 'improved' else 'rose'} by {percent(abs(read[0]))}"
    return f"Mean forecast errors {moved} {when} ({interval_words(*read[1:])})."


def _association(change: float) -> list[str]:
    """Return what is known where nothing is identified; no sentence where there is no number either."""
    if math.isnan(change):
        return []
    return [
        f"In the segments that began, errors relative to the benchmark changed by {percent(change, sign=True)} from"
        " before to after; that is an association, from which no cause may be read."
    ]


def placebo_contradicts(p: float) -> bool:
    """Return whether the placebo speaks against the verdict: a difference beyond chance where there can be none."""
    return p <= ALPHA  # False for NaN, where there is no placebo


def placebo_is_as_large(change: float, placebo: float) -> bool:
    """Return whether the placebo, though chance may have made it, is at least half the change; False for NaN.

    A placebo of up to five points is small, however small the change.
    """
    return math.isfinite(placebo) and abs(placebo) >= abs(change) / 2 and abs(placebo) > _DIFFER


def placebo_sentence(change: float, placebo: float, p: float, *, claimed: bool, draws: int = 0) -> str:
    """Return what the same comparison shows 7 to 12 months before the starts. claimed : whether a change is claimed.

    draws : of how many assignments p was counted, see `wording.cases`.
    """
    if math.isnan(p):
        return "There are too few months before the starts for a placebo."
    found = (
        "he same comparison 7 to 12 months before each segment's own start, when it could show no effect (a placebo)"
    )
    shown = (
        f"{found}, gives {percent(placebo, sign=True)} (chance alone gives as much in {cases(p, draws=draws)} cases)"
    )
    if placebo_contradicts(p):
        return f"But t{shown}: distrust the number."
    if claimed and placebo_is_as_large(change, placebo):
        return f"T{shown}: a reason to rely on the number less."
    return f"T{shown}."


def dip_sentence(dip: float, p: float, *, draws: int = 0) -> str:
    """Return what is known of the six months before the starts, which one of the two comparisons sets aside.

    draws : of how many assignments p was counted, see `wording.cases`.
    """
    if math.isnan(p):
        return "The six months before the starts cannot be checked."
    if p <= ALPHA:
        spell = "worse" if dip > 0 else "better"
        return f"In the six months before the starts errors were {spell} than usual ({percent(dip, sign=True)})."
    usual = f"{percent(abs(dip))} {'above' if dip > 0 else 'below'} usual"
    chance = f"chance alone gives as much in {cases(p, draws=draws)} cases"
    return f"In the six months before the starts errors were {usual} ({chance})."
