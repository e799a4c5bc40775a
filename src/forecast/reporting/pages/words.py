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
    """What is said of a figure above its promise, below it, as promised (empty: never said), and in doubt.

    `{unproven}` in what is said in doubt: the side it fell on all the same, and in how many months.
    """

    above: str
    below: str
    unclear: str
    promised: str = ""


RANGES = Words(
    above="more often than promised, so they are too wide",
    below="less often than promised, so they are too narrow",
    promised="as promised",
    unclear="too few months to prove that eight in ten is kept",
)
SKILL = Words(
    above="{} less than the benchmark, beyond luck",
    below="{} more than the benchmark, beyond luck",
    unclear="{unproven}",
)
BIAS = Words(above="too much", below="too little", unclear="which luck could have made")
LEVEL = Words(
    above="The odds are too high",
    below="The odds are too low",
    promised="On the whole the odds are right to within five points",
    unclear="Nothing speaks against the odds; too little to call them honest",
)
ODDS_THEN = "On the days checked nothing speaks against the odds"
"""What is said of odds that came true so far while an alarm on the forecast speaks against those of today."""

LATELY = Words(
    above="Lately the odds are too high",
    below="Lately the odds are too low",
    unclear="luck could have made the difference",
)
SLOPE = Words(
    above="high ones are too low and low ones too high",
    below="high ones are too high and low ones too low",
    promised="they are honest",
    unclear="nothing speaks against them",
)
USE = Words(
    above="The odds are {} better than giving every deal the same probability (Brier score)",
    below="The odds are {} worse than giving every deal the same probability (Brier score)",
    unclear="Whether they are better than giving every deal the same probability cannot be told (Brier score)",
)
EVER = Words(
    above="more were expected than were won: too high",
    below="fewer were expected than were won: too low",
    promised="right to within a tenth of those expected",
    unclear="nothing speaks against the odds, and it is too little to call them honest",
)
EVER_AT_ALL = Words(
    above="of deals open on {}, {}, the odds of a win by {} were too high",
    below="of deals open on {}, {}, the odds of a win by {} were too low",
    unclear="",
)
"""Said of one past day, since each is asked by itself: the day, of how many it is one, and until when wins counted."""
NEARER = Words(
    above="The odds of {} are nearer to what came than ours",
    below="Our odds are nearer to what came than those of {}",
    unclear="Cannot tell whether our odds or those of {} are nearer to what came",
)
WHICH_IS_NEARER = "Which of the two is nearer"
APART = Words(
    above="so far the model, which misses {} less than the benchmark, beyond luck",
    below="so far the benchmark; the model misses {} more, beyond luck",
    unclear="so far the model missed {unproven}",
)
HABIT = Words(above="too high", below="too low", unclear="neither too high nor too low beyond chance")
LESS, MORE = "less", "more"
STEP = Words(above=LESS, below=MORE, unclear="{unproven}")
STEPS = Words(above="closer", below="further off", unclear="No step shows a difference")
CHANGE = Words(above="missed by less than the model", below="missed by more than the model", unclear="{unproven}")
OVERRIDES = Words(
    above="missed by less than the numbers they changed",
    below="missed by more than the numbers they changed",
    unclear="{unproven}",
)
PAST_CHANGES = Words(
    above="closer, beyond luck",
    below="further off, beyond luck",
    unclear="whether they came closer cannot be told",
)
"""Said of what people submitted, against the number they changed."""

BEYOND_CHANCE = "beyond chance"
BEYOND_LUCK = "beyond luck"
NOT_PROVEN = "not proven"
STEP_CODES: Mapping[str, str] = MappingProxyType({"above": "better", "below": "worse", "too few": "untested"})
"""What a step is called in code, by the verdict on what it takes off the miss; all else is `unclear`."""

JOINT = Words(
    above="the joint one less, beyond luck",
    below="the joint one more, beyond luck",
    unclear="the joint one {unproven}",
)
PLANS_NEARER = Words(
    above="{1} was nearer than {0} on the same {2}: by {3} of what was booked ({4} to {5})",
    below="{0} was nearer than {1} on the same {2}: by {3} of what was booked ({4} to {5})",
    unclear="Whether {0} or {1} was nearer on the same {2} cannot be told",
)
"""Said of two plans for the same months: their names, the months, by how much and its interval."""

SURVEY = Words(above="above", below="below", unclear=NOT_PROVEN)
SURVEY_SIDES: Mapping[str, str] = MappingProxyType({"above": "higher", "below": "lower", "same": "about the same"})
"""On which side of the survey's a figure lies that is not proven, both as shown."""
SURVEY_UNPROVEN = "{} than the survey, but {} are too few for this page’s strict test"
NO_CHANGE = "no change is proven"
YEAR = Words(
    above="Higher than the year before, beyond luck",
    below="Lower than the year before, beyond luck",
    unclear="no change that is proven",
)
PROVEN = Words(above=BEYOND_LUCK, below=BEYOND_LUCK, unclear="which may be luck")
"""Said after how far a figure moved against the year before."""

NO_FIGURE, NONE_CHANGED = "No figure has provably changed", "none has provably changed"
LATE = Words(
    above="higher than in the same months a year before, beyond luck",
    below="lower than in the same months a year before, beyond luck",
    unclear="",
)
COULD_BE_LUCK = Words(above="no", below="no", unclear="yes")
OF_LATE_NOT = "of late no"
LUCK_ALONE = Words(
    above="the change of {} is beyond luck",
    below="the change of {} is beyond luck",
    unclear="the change of {} may be luck",
)
"""Said of the change of one figure against the year before; what the figure is called."""

TOO_FEW = "too few to tell"
ODDS_TOO_FEW = f"Whether the odds are honest: {TOO_FEW}"
UNITS: Mapping[str, str] = MappingProxyType({"month": "month", "day": "day", "deal": "deal", "person": "rep"})


def evaluated(finding: Finding, words: Words, *parts: str) -> str:
    """Return the words of a finding, and what they rest on: `as promised (24 months)`.

    parts : what stands in the braces of the words. Below the fewest units it is `too few to tell (3 months; 8 are
    needed)`, whatever the figure. In doubt of two forecasts: `less in 17 of 23 months, which is not proven`.
    """
    if finding.verdict == "unclear" and "{unproven}" in words.unclear:
        return words.unclear.format(*parts, unproven=unproven(finding))
    return f"{word(finding.verdict, words).format(*parts)} ({rests_on(finding)})"


def unproven(finding: Finding) -> str:
    """Return the side on which a difference fell that luck could have made: `less in 17 of 23 months, which is not
    proven`."""
    estimate = finding.estimate
    if estimate.value == estimate.promised:
        return f"the same ({rests_on(finding)})"
    side = LESS if estimate.value > estimate.promised else MORE
    if not wording.known(estimate.agreeing):
        return f"{side}, which is {NOT_PROVEN} ({rests_on(finding)})"
    return f"{side} {in_months(estimate.agreeing, estimate.n)}, which is {NOT_PROVEN}"


def in_months(agreeing: float, months: int) -> str:
    """Return in how many months it was so: `in 17 of 23 months`."""
    return f"in {wording.in_full(agreeing)} of {wording.plural(months, UNITS['month'])}"


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
