"""Why nothing can be identified, in words: before anything is computed, and once the ways to deal dates are known."""

from __future__ import annotations

import numpy as np

from forecast.calendar import period_label
from forecast.evaluation.planning.logs import Estimate
from forecast.evaluation.planning.panel import ErrorPanel
from forecast.evaluation.planning.randomisation import ALPHA

FEWEST_MONTHS = 3
"""Fewest months with errors for anything to be compared."""


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
            f"every segment began in {period_label(int(dates[0]))}, so that nothing tells planning jointly from"
            " whatever else happened then"
        ]
    return []


def too_few_ways(panel: ErrorPanel, found: Estimate) -> list[str]:
    """Return why no p-value could have been small enough, if so."""
    segments = len(panel.segments)
    if not found.identified:
        return [f"the start dates of the {segments} segments leave nothing that tells before from after"]
    if found.smallest_p > ALPHA:
        ways = f"{found.assignments} way{'s' if found.assignments != 1 else ''}"
        return [
            f"with {segments} segments and these start dates there are only {ways} to deal the dates out, so that"
            f" chance alone reaches any result {round(100 * found.smallest_p)} of 100 times"
        ]
    return []
