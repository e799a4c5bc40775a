"""Evaluative words: the one function that writes them, from a finding and never from a number alone.

`forecast.evaluation.judgement` decides what may be said of a figure; here it becomes words, with what it rests on. A
test reads every text of `forecast.reporting` and lets no other place call a figure better, honest or too wide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from forecast import wording
from forecast.evaluation.judgement import Finding, Verdict

# -- sentences ------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Words:
    """What is said of a figure above its promise, below it, as promised (empty: never said), and in doubt."""

    above: str
    below: str
    unclear: str
    promised: str = ""


RANGES = Words(
    above="more often than promised, so they are too wide",
    below="less often than promised, so they are too narrow",
    promised="as promised",
    unclear="whether that is as promised cannot be told",
)
SKILL = Words(
    above="{} less than the benchmark, beyond luck",
    below="{} more than the benchmark, beyond luck",
    unclear="luck could have made the difference",
)
BIAS = Words(above="too much", below="too little", unclear="which luck could have made")
LEVEL = Words(
    above="The odds are too high",
    below="The odds are too low",
    promised="The odds are honest",
    unclear="Nothing speaks against the odds; too little to call them honest",
)
SLOPE = Words(
    above="high ones are too low and low ones too high",
    below="high ones are too high and low ones too low",
    promised="they are honest",
    unclear="nothing speaks against them",
)
USE = Words(
    above="They are {} better than giving every deal the same probability (Brier score)",
    below="They are {} worse than giving every deal the same probability (Brier score)",
    unclear="Whether they are better than giving every deal the same probability cannot be told (Brier score)",
)
EVER = Words(
    above="more were expected than were won: too high",
    below="fewer were expected than were won: too low",
    promised="as many were won as were expected",
    unclear="nothing speaks against the odds, and it is too little to call them honest",
)
EVER_AT_ALL = Words(
    above="the odds of a win ever are too high",
    below="the odds of a win ever are too low",
    unclear="",
)
NEARER = Words(
    above="The odds of {} are nearer to what came than ours",
    below="Our odds are nearer to what came than those of {}",
    unclear="Cannot tell whether our odds or those of {} are nearer to what came",
)
WHICH_IS_NEARER = "Which of the two is nearer"
APART = Words(
    above="so far the model, which misses {} less than the benchmark, beyond luck",
    below="so far the benchmark; the model misses {} more, beyond luck",
    unclear="luck could have made the difference so far",
)
HABIT = Words(above="too high", below="too low", unclear="neither too high nor too low beyond chance")
STEP = Words(above="less", below="more", unclear="no clear difference")
STEP_CODES: Mapping[str, str] = MappingProxyType({"above": "better", "below": "worse", "too few": "untested"})
"""What a step is called in code, by the verdict on what it takes off the miss; all else is `unclear`."""

JOINT = Words(
    above="the joint one less, beyond luck",
    below="the joint one more, beyond luck",
    unclear="luck could have made the difference",
)
SURVEY = Words(above="above", below="below", unclear="too near to tell")
YEAR = Words(
    above="Higher than the year before, beyond luck",
    below="Lower than the year before, beyond luck",
    unclear="Luck could have made the change of",
)
LATE = Words(
    above="higher than in the same months a year before, beyond luck",
    below="lower than in the same months a year before, beyond luck",
    unclear="",
)
COULD_BE_LUCK = Words(above="no", below="no", unclear="yes")
OF_LATE_NOT = "of late no"

TOO_FEW = "too few to tell"
ODDS_TOO_FEW = f"Whether the odds are honest: {TOO_FEW}"
UNITS: Mapping[str, str] = MappingProxyType({"month": "month", "day": "day", "deal": "deal", "person": "rep"})


def evaluated(finding: Finding, words: Words, *parts: str) -> str:
    """Return the words of a finding, and what they rest on: `as promised (24 months)`.

    parts : what stands in the braces of the words. Below the fewest units it is `too few to tell (3 months; 8 are
    needed)`, whatever the figure.
    """
    return f"{word(finding.verdict, words).format(*parts)} ({rests_on(finding)})"


def word(verdict: Verdict, words: Words) -> str:
    """Return the words of a verdict alone, for a list or a column that states what it rests on once."""
    if verdict == "as promised":
        return words.promised or words.unclear
    return {"above": words.above, "below": words.below, "unclear": words.unclear, "too few": TOO_FEW}[verdict]


def rests_on(finding: Finding) -> str:
    """Return what a finding rests on: `24 months`, or `3 months; 8 are needed`."""
    estimate = finding.estimate
    count = wording.plural(estimate.n, UNITS[estimate.unit])
    needed = f"; {wording.in_full(estimate.fewest)} are needed"
    return count + (needed if finding.verdict == "too few" and estimate.n < estimate.fewest else "")
