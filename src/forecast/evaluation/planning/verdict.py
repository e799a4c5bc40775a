"""The verdict in plain words: computed from the numbers, never typed, and never louder than they are.

First why nothing can be identified, if so: before anything is computed, and once the number of possible assignments is
known. Then the sentences of the verdict, in order: the number with its interval, how often chance alone gives as much,
and the two checks before the start. Numbers are written by `forecast.wording`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from forecast.calendar import period_label
from forecast.data.submissions import ABSENT, TABLE
from forecast.errors import Problem
from forecast.evaluation.planning.estimate import Estimate
from forecast.evaluation.planning.panel import ErrorPanel
from forecast.evaluation.planning.randomisation import ALPHA
from forecast.wording import THIN, cases, percent

FEWEST_MONTHS = 3
"""Fewest months with errors for anything to be compared."""

_PLACEBO = "In the 7 to 12 months before the starts, when nothing had begun (a placebo), the same comparison shows"


def not_scored_sentence(problem: Problem) -> str:
    """Return the verdict's sentence where the forecasts that people submitted cannot be scored at all, and why."""
    why = f"{problem.table}: {problem.what}" if problem.table else problem.what
    if problem.table == TABLE:
        why = f"the forecasts that people submitted cannot be scored: {problem.what}"
        if problem.what == ABSENT:
            why = f"no forecasts that people submitted are recorded; {TABLE} brings them"
    return f"Cannot tell whether planning together helped: {why}."


def no_comparison(panel: ErrorPanel) -> list[str]:
    """Return why nothing can be compared, if so, before anything is computed."""
    segments, months = panel.observed.shape
    if not segments or months < FEWEST_MONTHS:
        return [f"errors of {segments} segments over {months} months are left to compare", *panel.notes]
    if not panel.adopting.any():
        first, last = period_label(int(panel.months[0])), period_label(int(panel.months[-1]))
        return [f"no segment began to plan jointly between {first} and {last}, the months with errors"]
    if segments == 1:
        return [f"{panel.segments[0]} is the only segment with errors, and there is nothing to compare it with"]
    dates = np.unique(panel.dates)
    if len(dates) == 1:
        return [
            f"every segment began in {period_label(int(dates[0]))}, so that planning jointly cannot be separated"
            " from whatever else happened then"
        ]
    return []


def too_few_ways(panel: ErrorPanel, found: Estimate) -> list[str]:
    """Return why no p-value could have been small enough, if so."""
    segments = len(panel.segments)
    if not found.identified:
        return [f"the start dates of the {segments} segments leave nothing that separates before from after"]
    if found.smallest_p > ALPHA:
        ways = f"{found.assignments} way{'s' if found.assignments != 1 else ''}"
        return [
            f"with {segments} segments and these start dates there are only {ways} to assign the dates, so that"
            f" chance alone gives any result in {cases(found.smallest_p)} cases"
        ]
    return []


def sentence(
    *,
    verdict: str,
    change: float,
    interval: tuple[float, float],
    p_value: float,
    placebo: tuple[float, float],
    dip: tuple[float, float],
    reasons: Sequence[str],
) -> str:
    """Return the verdict with its number, its interval and its two checks.

    change : relative, -0.3 = errors fell by 30 %. placebo, dip : relative change and p-value, NaN where there is none.
    """
    if verdict == "not identified":
        text = f"Cannot tell whether planning jointly changed forecast errors: {'; '.join(reasons)}."
        return " ".join([text, *_association(change)])
    return " ".join(
        [
            f"{_opening(verdict, change)} ({interval_words(*interval)}).",
            f"If start dates had been assigned at random, a change this large would appear in {cases(p_value)} cases.",
            placebo_sentence(change, *placebo),
            dip_sentence(*dip),
        ]
    )


def interval_ends(low: float, high: float) -> str:
    """Write the ends of an interval on a relative change; a change cannot be less than -1, no errors at all."""
    if low <= -1 and math.isinf(high):
        return "any change is possible"
    if math.isinf(high):
        return f"{percent(low, sign=True)} upwards"
    if low <= -1:
        return f"down to no errors at all, up to {percent(high, sign=True)}"
    return f"{percent(low, sign=True)} to {percent(high, sign=True)}"


def interval_words(low: float, high: float) -> str:
    """Write an interval on a relative change with its name; an interval open at both ends needs none."""
    ends = interval_ends(low, high)
    return ends if low <= -1 and math.isinf(high) else f"95{THIN}% interval {ends}"


def _opening(verdict: str, change: float) -> str:
    when = "when segments began to plan jointly"
    if verdict == "improved":
        return f"Forecast errors fell by {percent(abs(change))} {when}"
    if verdict == "worsened":
        return f"Forecast errors rose by {percent(abs(change))} {when}"
    return f"No detectable change in forecast errors: {percent(change, sign=True)} {when}"


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
    """Return whether the placebo, though chance may have made it, is at least half the change; False for NaN."""
    return math.isfinite(placebo) and abs(placebo) >= abs(change) / 2 and round(100 * placebo) != 0


def placebo_sentence(change: float, placebo: float, p: float) -> str:
    """Return what the same comparison shows 7 to 12 months before the starts."""
    if math.isnan(p):
        return "There are too few months before the starts for a placebo."
    shown = f"{percent(placebo, sign=True)} (chance alone gives as much in {cases(p)} cases)"
    if placebo_contradicts(p):
        return f"But {_PLACEBO[0].lower()}{_PLACEBO[1:]} {shown}: distrust the number."
    if placebo_is_as_large(change, placebo):
        return f"{_PLACEBO} {shown}: a reason to rely on the number less."
    return f"{_PLACEBO} {shown}."


def dip_sentence(dip: float, p: float) -> str:
    """Return what is known of the six months before the starts, which are set aside."""
    if math.isnan(p):
        return "The six months before the starts cannot be checked."
    shown = percent(dip, sign=True)
    if p <= ALPHA:
        spell = "worse" if dip > 0 else "better"
        return f"In the six months before the starts errors were {spell} than usual ({shown}); they are set aside."
    return f"The six months before the starts were not unusual ({shown}); they are set aside."
