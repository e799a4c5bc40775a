"""What a model of one's own came to, on month ends that were not used to choose it: one finding in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from forecast import sources, wording
from forecast.reporting.charts.figure import Statement
from forecast.reporting.pages.track.prepare import BENCHMARK
from forecast.reporting.pages.track.sentences import model_name
from forecast.reporting.pages.value_added.ladder import verdict
from forecast.reporting.pages.words import NOT_PROVEN, STEP, TOO_FEW, in_months

_SHOWN = ("better", "worse")
"""Verdicts that claim a difference."""

# -- sentences ----------------------------------------------------------------------------------------

NOTHING = "Cannot tell what this model is worth: none of its forecasts has settled beside the benchmark’s"
UNTESTED = "Cannot tell whether this model misses by less than the benchmark: {}, {} (8 are needed)"
UNPROVEN = "Cannot tell whether this model misses by less than the benchmark: {}, {}"
APART = "On month ends that were not used to choose it, this model, segment by segment, {}"
MISSES = "misses by {} and the benchmark by {}, {} {} {}"
CHANCE = "If both were equally far off, chance alone would give as large a gap in {} cases, allowing for the {} here."
BY_CHANCE = "which chance alone gives in {} cases"
BESIDE = "Beside {}, on the same months, it misses by {} {} {}, {}."
PICKED = "It was picked from {} on {} before; what it missed there flatters it, since it was picked by that."
UNPICKED = "It was not picked from others by how they came out: there were too few month ends before."


def own_finding(steps: pd.DataFrame, *, tried: int, chosen_on: int) -> Statement:
    """Return the finding on a model of one's own, no louder than its paired tests.

    Parameters
    ----------
    steps : what `value_added` gives of the steps from other forecasts to the model, that from the benchmark among them,
        on month ends that were not used to choose it. tried : of how many models it was chosen. chosen_on : on how many
        month ends; none where it was not.

    Returns
    -------
    One sentence: less or more than the benchmark only where the test shows it after the correction for all steps, else
    that it cannot be told, with its p-value. Beside it how it stands to the others, and how it was chosen.
    """
    rows = [row for row in sources.records(steps) if wording.known(row["wape"]) and wording.known(row["wape_before"])]
    picked = PICKED.format(wording.plural(tried, "model"), wording.plural(chosen_on, "month end"))
    rest = [picked if chosen_on and tried > 1 else UNPICKED]
    first = next((row for row in rows if row["before"] == BENCHMARK), None)
    if first is None:
        return Statement(f"{NOTHING}.", kind="nothing")
    found, misses = verdict(first), _misses(first)
    others = [_beside(row) for row in rows if row["before"] != BENCHMARK and verdict(row) != "untested"]
    if found == "untested":
        months = f"{wording.plural(first['months'], 'month')} are {TOO_FEW}"
        return Statement(f"{UNTESTED.format(f'it {misses}', months)}.", " ".join(rest), kind="abstain")
    cases = wording.cases(first["p_holm"])
    if found not in _SHOWN:
        return Statement(
            f"{UNPROVEN.format(f'it {misses}', BY_CHANCE.format(cases))}.", " ".join([*others, *rest]), kind="abstain"
        )
    chance = CHANCE.format(cases, wording.plural(len(steps), "comparison"))
    return Statement(f"{APART.format(misses)}.", " ".join([chance, *others, *rest]))


def _misses(row: Mapping[Any, Any]) -> str:
    """Return by how much the model and the benchmark miss: `misses by 21 % and the benchmark by 35 %, 14 points …`."""
    miss, before = wording.percent(row["wape"]), wording.percent(row["wape_before"])
    return MISSES.format(miss, before, *_size(row), in_months(row["agreeing"], row["months"]))


def _beside(row: Mapping[Any, Any]) -> str:
    """Return how the model stands to another forecast than the benchmark."""
    doubt = NOT_PROVEN if verdict(row) == "unclear" else BY_CHANCE.format(wording.cases(row["p_holm"]))
    often = in_months(row["agreeing"], row["months"])
    return BESIDE.format(model_name(str(row["before"])), *_size(row), often, doubt)


def _size(row: Mapping[Any, Any]) -> tuple[str, str]:
    """Return how far two misses are apart, and on which side the model's lies."""
    return wording.gap(row["added"], short=True), STEP.below if row["added"] < 0 else STEP.above
