"""Did joint planning help: the effect on forecast errors, its interval, its checks and a verdict in plain words.

Errors of segments that have begun to plan jointly are compared with those of segments that have not yet; what a
frozen benchmark missed in the same months is taken off first. Then the start dates are assigned at random, many
times, to see how often chance alone gives as much (`ratio`, `randomisation`). The months just before a start are set
aside, because segments often begin after a bad spell and what follows a bad spell looks better by itself. Where no
arrangement of the data could have given a p-value of .05 or less, the verdict is `not identified`.
docs/methods/planning.md has the why and the false-positive rates measured.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from forecast.calendar import Calendar
from forecast.errors import ParameterError
from forecast.evaluation.planning.errors import planning_errors
from forecast.evaluation.planning.estimate import Estimate, relative_change
from forecast.evaluation.planning.panel import ErrorPanel, error_panel, logs
from forecast.evaluation.planning.randomisation import ALPHA
from forecast.evaluation.planning.ratio import estimate_ratio
from forecast.evaluation.planning.tables import association, by_segment, event_study, segment_effects
from forecast.evaluation.planning.verdict import no_comparison, sentence, too_few_ways
from forecast.seeds import check_seed

__all__ = ["PlanningEffect", "planning_effect", "planning_errors"]

PERMUTATIONS = 25_000
Verdict = Literal["improved", "worsened", "no detectable change", "not identified"]


@dataclass(frozen=True, kw_only=True, eq=False)
class PlanningEffect:
    """The answer, with everything that qualifies it.

    relative_change : change of the error, -0.30 = errors fell by 30 %; the association where not identified.
    interval : 95 % on relative_change; unbounded ends are -1 and inf.
    p_value : two-sided, of no effect. verdict : see `Verdict`.
    placebo_p_value, placebo : the same comparison in months -12..-7 before adoption, where there can be no effect.
    dip_p_value, dip : the months -6..-1, set aside; positive = errors were higher just before the start.
    smallest_p : the smallest p-value that this pattern of adoption dates can give at all.
    association : change of the error relative to the benchmark's from before to after, in the adopting segments only
        (geometric mean over segments); no cause may be read from it.
    n_segments, n_adopting, n_months, n_assignments : how many segments, of them adopting, months, assignments.
    theta : how much of a log change of the benchmark's error the official error follows (for checks and tables).
    by_segment : segment, adopted (period, empty = not yet), months_before, months_after, error_before, error_after,
        benchmark_before, benchmark_after (means without the months set aside), change (effect against segments not yet
        adopted, as relative change; NaN where none), error_early, error_late (before and from the median start on).
    event_study : event_time, estimate (mean log difference), relative_change, n_segments, n_controls, supported.
    sentence : the verdict in plain words. reasons : why it is not identified, and what else must be known.
    dropped : reason -> segment-months left out.
    """

    relative_change: float
    interval: tuple[float, float]
    p_value: float
    verdict: Verdict
    placebo_p_value: float
    dip_p_value: float
    placebo: float
    dip: float
    smallest_p: float
    association: float
    n_segments: int
    n_adopting: int
    n_months: int
    n_assignments: int
    theta: float
    sentence: str
    reasons: tuple[str, ...]
    dropped: dict[str, int]
    by_segment: pd.DataFrame
    event_study: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as JSON can hold them: tables as lists of rows, what is not finite as None."""
        return {field.name: json_ready(getattr(self, field.name)) for field in dataclasses.fields(self)}


def planning_effect(
    errors: pd.DataFrame,
    adoption: pd.DataFrame,
    *,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
    calendar: Calendar | None = None,
    dropped: Mapping[str, int] | None = None,
) -> PlanningEffect:
    """Return whether errors changed when segments began to plan jointly.

    Parameters
    ----------
    errors : segment, period (2026-10), error, benchmark_error: what `planning_errors` gives; errors are >= 0.
    adoption : segment, adopted_on (empty = not yet); the month it falls in is the first with joint planning.
    seed : of the assignments drawn where there are more than `permutations` of them; else without meaning.
    permutations : how many assignments of the dates to segments are looked at, at most.
    calendar : the company's, to tell the month adopted_on falls in; calendar months by default.
    dropped : reason -> segment-months left out of `errors` already; by default what `planning_errors` noted in
        `errors.attrs["dropped"]`.

    Raises DataError for input that cannot be read as such (see `error_panel`), ParameterError for the options.
    """
    seed = check_seed(seed)
    if isinstance(permutations, bool) or not isinstance(permutations, (int, np.integer)) or permutations < 1_000:
        raise ParameterError(f"permutations: {permutations!r} is not a whole number of 1,000 or more")
    if dropped is None:
        dropped = errors.attrs.get("dropped", {})
    panel = error_panel(errors, adoption, calendar=calendar or Calendar(), dropped=dropped)
    reasons, estimate = no_comparison(panel), None
    if not reasons:
        estimate = estimate_ratio(panel, permutations=int(permutations), seed=seed)
        reasons = too_few_ways(panel, estimate)
    return _effect(panel, estimate, reasons)


def _effect(panel: ErrorPanel, estimate: Estimate | None, reasons: list[str]) -> PlanningEffect:
    """Put the numbers together; not identified where there are reasons."""
    related = association(panel)
    verdict: Verdict = "not identified"
    change, interval, p = related, (-1.0, math.inf), 1.0
    found = estimate or Estimate(theta=math.nan, assignments=0, identified=False)
    if not reasons:
        change, interval = relative_change(found.delta), (relative_change(found.low), relative_change(found.high))
        verdict, p = _verdict(found), found.p
    placebo, dip = relative_change(found.placebo), relative_change(found.dip)
    outcome, covariate = logs(panel)
    cells = segment_effects(panel, outcome - (found.theta if estimate else 0.0) * covariate)
    return PlanningEffect(
        relative_change=change,
        interval=interval,
        p_value=p,
        verdict=verdict,
        placebo_p_value=found.placebo_p,
        dip_p_value=found.dip_p,
        placebo=placebo,
        dip=dip,
        smallest_p=found.smallest_p,
        association=related,
        n_segments=len(panel.segments),
        n_adopting=int(panel.adopting.sum()),
        n_months=len(panel.months),
        n_assignments=found.assignments,
        theta=found.theta,
        sentence=sentence(
            verdict=verdict,
            change=change,
            interval=interval,
            p_value=p,
            placebo=(placebo, found.placebo_p),
            dip=(dip, found.dip_p),
            reasons=reasons,
        ),
        reasons=(*reasons, *panel.notes),
        dropped=panel.dropped,
        by_segment=by_segment(panel, cells),
        event_study=event_study(cells),
    )


def _verdict(found: Estimate) -> Verdict:
    """Return the verdict on an effect that is identified: a change only where p-value and interval both show one."""
    if found.p <= ALPHA and (found.low > 0 or found.high < 0):
        return "improved" if found.delta < 0 else "worsened"
    return "no detectable change"


def json_ready(value: Any) -> Any:
    """Return a value as JSON can hold it: tables as lists of rows, what is not finite as None."""
    if isinstance(value, pd.DataFrame):
        return [{str(k): json_ready(v) for k, v in row.items()} for row in value.to_dict("records")]
    if isinstance(value, dict):
        return {str(k): json_ready(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [json_ready(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
