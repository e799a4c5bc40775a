"""Has a figure changed since joint planning began? Asked of every figure that segments have by month, all at one level.

There is no inference of its own here: each is a panel of segments by months as the secondary outcomes of joint planning
are (`planning.secondary.level_change`), with the months before each start set aside, the random assignments of the
start dates and `not identified` where these leave nothing to tell. Holm's correction over all figures asked at once
keeps the chance of any claim on a company without effect at its part of the page's level (`one_level`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from forecast.calendar import Calendar
from forecast.data.schema import TOTAL
from forecast.evaluation.judgement import weighted_holm
from forecast.evaluation.planning.effect import PERMUTATIONS
from forecast.evaluation.planning.panel import value_panel
from forecast.evaluation.planning.secondary import level_change
from forecast.evaluation.planning.verdict import NO_CHANGE, NO_STARTS, NOT_IDENTIFIED
from forecast.evaluation.scorecard.definition import Definition
from forecast.evaluation.scorecard.one_level import SINCE_JOINT

CHANGED = "changed"


@dataclass(frozen=True, kw_only=True, eq=False)
class Monthly:
    """A figure by segment and month, under one definition.

    figure, definition : of the `Definition` whose change it tells. values : segment, period (text), value; a month
    without a value is not there.
    """

    figure: str
    definition: str
    values: pd.DataFrame


def with_changes(
    rows: Sequence[Definition],
    series: Sequence[Monthly],
    adoption: pd.DataFrame | None,
    *,
    calendar: Calendar,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
) -> list[Definition]:
    """Return the rows with before, after, change, its interval, p-value and verdict where there is a series for them.

    Parameters
    ----------
    rows : of all segments; those of single segments stay as they are.
    series : of each figure asked about.
    adoption : segment, adopted_on, as known; None where no table says when segments began.
    seed, permutations : of the random assignments, as `planning_effect` takes them.

    Returns
    -------
    `change` is in the figure's own unit (a share: .05 = 5 points); before, after are means over the segments that have
    both. change_p : corrected over all series (Holm 1979). verdict : `changed` where it is at most SINCE_JOINT, `no
    detectable change`, or `not identified` with the reason in `why`.
    """
    found: dict[tuple[str, str], dict[str, object]] = {}
    for each in series:
        name = (each.figure, each.definition)
        if adoption is None or adoption.empty:
            found[name] = {"verdict": NOT_IDENTIFIED, "reason": NO_STARTS}
            continue
        panel = value_panel(each.values, adoption, calendar=calendar)
        found[name] = level_change(each.definition, panel, permutations=permutations, seed=seed)
    p = np.array([facts.get("p_value", np.nan) for facts in found.values()], dtype=np.float64)
    corrected = dict(zip(found, weighted_holm(p, np.ones(len(p))), strict=True)) if len(p) else {}
    return [
        _with_change(row, found[name], float(corrected[name]))
        if (name := (row.figure, row.definition)) in found and row.segment == TOTAL and not row.missing
        else row
        for row in rows
    ]


def _with_change(row: Definition, facts: dict[str, object], p: float) -> Definition:
    if facts["verdict"] == NOT_IDENTIFIED:
        ends = {name: facts[name] for name in ("before", "after") if name in facts}
        return replace(row, verdict=NOT_IDENTIFIED, why=facts["reason"], **ends)  # type: ignore[arg-type]
    return replace(
        row,
        before=facts["before"],  # type: ignore[arg-type]
        after=facts["after"],  # type: ignore[arg-type]
        change=facts["change"],  # type: ignore[arg-type]
        change_low=facts["interval_low"],  # type: ignore[arg-type]
        change_high=facts["interval_high"],  # type: ignore[arg-type]
        change_p=p,
        verdict=CHANGED if p <= SINCE_JOINT else NO_CHANGE,
    )
