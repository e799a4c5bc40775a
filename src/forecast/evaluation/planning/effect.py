"""Did joint planning help: the effect on forecast errors, its interval, its checks and a verdict in plain words.

Errors of segments that have begun to plan jointly are compared with those of segments that have not yet, in two ways
that must agree: given what each segment's own record leads to expect, and with the six months before each start set
aside; what moves with a frozen benchmark's errors is taken out of both (`histories`). The start dates are assigned at
random, many times, to see how often chance alone makes the two agree as strongly (`agreement`). A claim that something
else could have brought about as well is withheld (`checks`). Then, and where no arrangement of the data could have
given a p-value of .05 or less, the verdict is `not identified`.
docs/methods/planning.md has the why and the false-positive rates measured.

The tables that go with the verdict come first: by segment, by months since adoption, and the association. The effect on
segment s in month t is what changed in s since its base months less what changed, over the same months, in the segments
that are still clean in t: that have not adopted, nor come near it. With one base month, the last before adoption, its
mean over the segments of one adoption month is ATT(g,t) of Callaway and Sant'Anna (2021, J. Econometrics 225, eq. 2.8
and 2.9 without covariates); with the mean of all months before the set-aside ones as base it is the same with less
noise. A cell without a clean segment has no effect: it stays NaN and is marked, never filled.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from forecast.calendar import Calendar, period_label
from forecast.data.schema import Told
from forecast.errors import ParameterError
from forecast.evaluation.planning.assessment import Assessment, assess
from forecast.evaluation.planning.errors import planning_errors
from forecast.evaluation.planning.estimate import relative_change
from forecast.evaluation.planning.inference.agreement import Change
from forecast.evaluation.planning.inference.randomisation import NEVER, SET_ASIDE, Floats, Ints
from forecast.evaluation.planning.panel import FLOOR, OFFSET, ErrorPanel, error_panel, logs
from forecast.evaluation.planning.verdict import (
    NO_CHANGE,
    NOT_IDENTIFIED,
    interval_of,
    no_comparison,
    sentences,
    too_few_ways,
    withheld_reason,
)
from forecast.seeds import check_seed


def before_and_after(panel: ErrorPanel) -> tuple[np.ndarray, np.ndarray]:
    """Return which cells are before (without those set aside) and after adoption; each (S, T), False if never."""
    event = panel.months[None, :] - panel.dates[:, None]
    adopts = (panel.dates < NEVER)[:, None] & panel.observed
    return adopts & (event < -SET_ASIDE), adopts & (event >= 0)


def association(panel: ErrorPanel) -> float:
    """Return by how much the error changed relative to the benchmark's from before to after adoption.

    exp(mean over adopting segments of [mean after - mean before] of log error - log benchmark error) - 1; NaN where no
    segment has both. It compares a segment with itself only: whatever else happened then is in it.
    """
    before, after = before_and_after(panel)
    # Where nothing lies before the months set aside, those are better than no before at all.
    event = panel.months[None, :] - panel.dates[:, None]
    fallback = panel.observed & (panel.dates < NEVER)[:, None] & (event < 0)
    before = np.where(before.any(axis=1, keepdims=True), before, fallback)
    relative = np.log(np.maximum(np.nan_to_num(panel.error), FLOOR)) - np.log(np.nan_to_num(panel.benchmark) + OFFSET)
    change = _mean(relative, after) - _mean(relative, before)
    known = ~np.isnan(change)
    return math.expm1(float(change[known].mean())) if known.any() else float("nan")


def segment_effects(panel: ErrorPanel, y: Floats) -> Effects:
    """Return effects on y (S, T) against segments not yet adopted, base = every month before those set aside."""
    values = np.where(panel.observed, y, np.nan)
    return effects(values, panel.dates, panel.months, set_aside=SET_ASIDE, control="not yet", base="mean")


def by_segment(panel: ErrorPanel, found: Effects) -> pd.DataFrame:
    """Return one row a segment: months and mean errors before and after, and its effect as relative change.

    error_early, error_late : mean errors before the median start of the segments that began, and from it on: what
    changed for those that have not begun, over about the same months.
    """
    before, after = before_and_after(panel)
    never = (panel.dates == NEVER)[:, None] | (panel.dates > (panel.months[-1] if len(panel.months) else 0))[:, None]
    before = np.where(never, panel.observed, before)
    effect = np.expm1(_mean(np.nan_to_num(found.effect), after & ~np.isnan(found.effect)))
    starts = panel.dates[panel.adopting]
    middle = float(np.median(starts)) if len(starts) else np.inf
    late = panel.observed & (panel.months[None, :] >= middle)
    return pd.DataFrame(
        {
            "segment": pd.Series(panel.segments, dtype="str"),
            "adopted": pd.Series([period_label(int(d)) if d < NEVER else "" for d in panel.dates], dtype="str"),
            "months_before": before.sum(axis=1),
            "months_after": after.sum(axis=1),
            "error_before": _mean(np.nan_to_num(panel.error), before),
            "error_after": _mean(np.nan_to_num(panel.error), after),
            "benchmark_before": _mean(np.nan_to_num(panel.benchmark), before),
            "benchmark_after": _mean(np.nan_to_num(panel.benchmark), after),
            "change": effect,
            "error_early": _mean(np.nan_to_num(panel.error), panel.observed & ~late),
            "error_late": _mean(np.nan_to_num(panel.error), late),
        }
    )


def event_study(found: Effects) -> pd.DataFrame:
    """Return the effect by months since adoption, one row a month.

    event_time, estimate (mean log difference over segments; NaN where unsupported), relative_change, n_segments,
    n_controls (the fewest any of them is compared with), supported.
    """
    adopts = found.dates < NEVER
    event = found.event[adopts]
    rows = []
    for time in np.unique(event) if adopts.any() else []:
        cell = found.effect[adopts][event == time]
        known = ~np.isnan(cell)
        controls = found.controls[adopts][event == time]
        estimate = float(cell[known].mean()) if known.any() else np.nan
        fewest = int(controls[known].min()) if known.any() else 0
        rows.append((int(time), estimate, int(known.sum()), fewest, bool(known.any())))
    out = pd.DataFrame(rows, columns=["event_time", "estimate", "n_segments", "n_controls", "supported"])
    out.insert(2, "relative_change", np.expm1(out["estimate"].astype(np.float64)))
    return out


Control = Literal["not yet", "never"]
Base = Literal["last", "mean"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Effects:
    """effect (S, T), NaN without support or for segments that never adopt; controls (S, T), how many were clean.

    event (S, T): months since adoption. dates (S,) as given.
    """

    effect: Floats
    controls: Ints
    event: Ints
    dates: Ints


def effects(
    y: Floats, dates: Ints, months: Ints, *, set_aside: int = 0, control: Control = "not yet", base: Base = "last"
) -> Effects:
    """Return the effect on every segment and month.

    Parameters
    ----------
    y : (S, T), NaN where missing. dates : (S,), `NEVER` where not yet. months : (T,), increasing.
    set_aside : months before adoption that are neither base nor clean.
    control : `not yet` = segments that in month t have not come within `set_aside` months of adoption; `never`.
    base : `last` = the last month before those set aside; `mean` = the mean of all of them.
    """
    if control not in ("not yet", "never") or base not in ("last", "mean"):
        raise ParameterError(f"control {control!r} or base {base!r} is unknown: not yet, never; last, mean")
    shape = y.shape
    effect, controls = np.full(shape, np.nan), np.zeros(shape, dtype=np.int64)
    clean_until = dates - set_aside
    clean = (dates == NEVER)[:, None] | ((months[None, :] < clean_until[:, None]) & (control == "not yet"))
    for date in np.unique(dates[dates < NEVER]):
        members = np.flatnonzero(dates == date)
        before = np.flatnonzero(months < date - set_aside)
        if base == "last":
            before = before[-1:]
        if not len(before):
            continue
        level = _mean(y[:, before], ~np.isnan(y[:, before]))
        change = y - level[:, None]
        # A control must be clean over the base months too; for `not yet` the later of base and t decides.
        usable = clean & clean[:, before].all(axis=1)[:, None] & ~np.isnan(change)
        usable[members] = False
        count = usable.sum(axis=0)
        mean = np.where(count > 0, np.where(usable, change, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
        effect[members] = change[members] - mean
        controls[members] = count
    event = months[None, :] - dates[:, None]
    return Effects(effect=effect, controls=controls, event=event, dates=dates)


def _mean(values: Floats, where: np.ndarray) -> Floats:
    """Return the mean of each row over the cells given; (S, T), (S, T) -> (S,), NaN where there is none."""
    count = where.sum(axis=1)
    return np.where(count > 0, np.where(where, values, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)


__all__ = ["PlanningEffect", "planning_effect", "planning_errors"]

PERMUTATIONS = 10_000
Verdict = Literal["improved", "worsened", "no detectable change", "not identified"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PlanningEffect(Told):
    """The answer, with everything that qualifies it.

    relative_change : change of the errors, -0.30 = they fell by 30 %, on the scale of the test, on which gross misses
        count less; the association where not identified. interval : 95 %; unbounded ends are -1 and inf.
    mean_change, mean_interval : the same of the plain mean of the errors, what WAPE is made of: the number to read; the
        interval holds `interval` too. NaN and unbounded where nothing can be compared; kept where a claim is withheld.
    given_record, set_aside : the change as each of the two comparisons shows it (`agreement`): against what each
        segment's own record led to expect, and with the six months before each start set aside.
    p_value : two-sided, of no effect. verdict : see `Verdict`.
    earlier_spell_p_value, trend_p_value, controls_p_value, benchmark_p_value, missing_p_value : of the checks
        (`checks`), those of earlier spell and benchmark in the direction that could bring a claim about; NaN where
        there is nothing to look at. A claim that one of them speaks against is withheld: `not identified`, with the
        reason.
    placebo_p_value, placebo : the same comparison in months -12..-7 before adoption, where there can be no effect.
    dip_p_value, dip : the months -6..-1, set aside; positive = errors were higher just before the start.
    smallest_p : the smallest p-value that this pattern of adoption dates can give at all.
    association : change of the error relative to the benchmark's from before to after, in the adopting segments only
        (geometric mean over segments); no cause may be read from it.
    n_segments, n_adopting, n_months, n_assignments : how many segments, of them adopting, months, assignments.
    theta : how much of a log change of the benchmark's error the official error follows (for the tables only).
    by_segment : segment, adopted (period, empty = not yet), months_before, months_after, error_before, error_after,
        benchmark_before, benchmark_after (means without the months set aside), change (effect against segments not yet
        adopted, as relative change; NaN where none), error_early, error_late (before and from the median start on).
    event_study : event_time, estimate (mean log difference), relative_change, n_segments, n_controls, supported.
    sentence : the verdict in plain words; answer : its first sentence.
    reasons : why it is not identified, and what else must be known.
    withheld : names of the checks for which a claim is withheld; none where nothing is withheld.
    dropped : reason -> segment-months left out.
    """

    relative_change: float
    interval: tuple[float, float]
    mean_change: float
    mean_interval: tuple[float, float]
    given_record: float
    set_aside: float
    p_value: float
    verdict: Verdict
    placebo_p_value: float
    dip_p_value: float
    earlier_spell_p_value: float
    trend_p_value: float
    controls_p_value: float
    benchmark_p_value: float
    missing_p_value: float
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
    answer: str
    reasons: tuple[str, ...]
    withheld: tuple[str, ...]
    dropped: dict[str, int]
    by_segment: pd.DataFrame
    event_study: pd.DataFrame

    def _told(self) -> tuple[str, dict[str, str]]:
        low, high = self.interval
        facts = {
            "answer": self.answer,
            "change": f"{self.relative_change:+.3f}, 95 % from {low:+.3f} to {high:+.3f}",
            "p-value": f"{self.p_value:.2g}; the smallest there can be is {self.smallest_p:.2g}",
            "of": f"{self.n_adopting:,} of {self.n_segments:,} segments began, {self.n_months:,} months",
            "withheld": ", ".join(self.withheld),
            "reasons": "; ".join(self.reasons),
            "next": "effect.sentence, effect.by_segment, effect.event_study, effect.to_dict()",
        }
        return f"Did planning together help: {self.verdict}", facts

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
    notes: Sequence[str] | None = None,
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
    notes : which segments `errors` leaves out whole, and why; by default what `planning_errors` noted likewise. They
        stand among the `reasons`.

    Raises DataError for input that cannot be read as such (see `error_panel`), ParameterError for the options.

    Examples
    --------
    >>> import forecast
    >>> log = forecast.read("data/sample")
    >>> effect = forecast.planning_effect(forecast.planning_errors(log), log.tables["joint_planning"])
    >>> effect.verdict, effect.interval[0] < effect.relative_change < effect.interval[1]
    ('improved', True)
    """
    seed = check_seed(seed)
    if isinstance(permutations, bool) or not isinstance(permutations, (int, np.integer)) or permutations < 1_000:
        raise ParameterError(f"permutations: {permutations!r} is not a whole number of 1,000 or more")
    if dropped is None:
        dropped = errors.attrs.get("dropped", {})
    if notes is None:
        notes = errors.attrs.get("notes", ())
    panel = error_panel(errors, adoption, calendar=calendar or Calendar(), dropped=dropped)
    panel = dataclasses.replace(panel, notes=(*notes, *panel.notes))
    reasons, found = no_comparison(panel), None
    if not reasons:
        found = assess(panel, permutations=int(permutations), seed=seed)
        reasons = too_few_ways(
            panel, identified=found.identified, smallest_p=found.smallest_p, assignments=found.assignments
        )
        reasons = reasons or [withheld_reason(check, draws=found.assignments) for check in found.withheld]
    return _effect(panel, found, reasons)


def _effect(panel: ErrorPanel, found: Assessment | None, reasons: list[str]) -> PlanningEffect:
    """Put the numbers together; not identified where there are reasons."""
    related = association(panel)
    verdict = NOT_IDENTIFIED if reasons else _verdict(found)
    outcome, covariate = logs(panel)
    cells = segment_effects(panel, outcome - (found.theta if found else 0.0) * covariate)
    said = sentences(verdict=verdict, found=found, association=related, reasons=reasons)
    return PlanningEffect(
        verdict=verdict,
        association=related,
        n_segments=len(panel.segments),
        n_adopting=int(panel.adopting.sum()),
        n_months=len(panel.months),
        sentence=" ".join(said),
        answer=said[0],
        reasons=tuple(dict.fromkeys((*reasons, *panel.notes))),
        withheld=tuple(check.name for check in found.withheld) if found and reasons else (),
        dropped=panel.dropped,
        by_segment=by_segment(panel, cells),
        event_study=event_study(cells),
        **_numbers(found, association=related, identified=not reasons),
    )


def _numbers(found: Assessment | None, *, association: float, identified: bool) -> dict[str, Any]:
    """Return the numbers of the effect by attribute; the association for the effect where it is not identified."""
    nothing = Change(given_record=math.nan, set_aside=math.nan, p=1.0, low=-math.inf, high=math.inf)
    change = found.change if found and found.change else nothing
    mean = found.mean if found and found.mean else nothing
    of = found or Assessment(theta=math.nan, assignments=0)
    placebo, dip = of.placebo or of.check("placebo"), of.dip or of.check("dip")
    return {
        "relative_change": relative_change(change.estimate) if identified else association,
        "interval": interval_of(change) if identified else (-1.0, math.inf),
        "mean_change": relative_change(mean.estimate),
        "mean_interval": interval_of(mean),
        "given_record": relative_change(change.given_record),
        "set_aside": relative_change(change.set_aside),
        "p_value": change.p if identified or of.withheld else 1.0,
        "placebo": placebo.value,
        "placebo_p_value": placebo.p,
        "dip": dip.value,
        "dip_p_value": dip.p,
        "earlier_spell_p_value": of.check("earlier spell").p,
        "trend_p_value": of.check("trend").p,
        "controls_p_value": of.check("controls").p,
        "benchmark_p_value": of.check("benchmark").p,
        "missing_p_value": of.check("missing").p,
        "smallest_p": of.smallest_p,
        "n_assignments": of.assignments,
        "theta": of.theta,
    }


def _verdict(found: Assessment | None) -> Verdict:
    """Return the verdict on an effect that is identified: a change only where p-value and interval both show one."""
    if found is None or found.change is None or not found.claims:
        return NO_CHANGE
    if found.claims < 0 and found.change.high < 0:
        return "improved"
    return "worsened" if found.claims > 0 and found.change.low > 0 else NO_CHANGE


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
