"""What could make a change of the errors look like an effect of joint planning, looked for one by one.

Each check asks for a sign that something else was going on, and has a p-value of its own. Where it finds one, the claim
is asked for once more in a way that the thing found cannot bring about; only a claim that does not survive this is
withheld. So a check that finds something by chance rarely costs a true claim.

| check | the sign | the claim must survive |
| --- | --- | --- |
| trend | errors of those that began moved apart from the others' year by year | the trend as a regressor |
| controls | those that never began moved apart while the others were beginning | that drift as a regressor |
| earlier spell | errors unusual more than six months before the starts, so as to make the claim | those set aside too |
| benchmark | the benchmark's own error changed at the starts, so as to make the claim | errors without the benchmark |
| missing | more months without a forecast on one side of the starts | the missing months at their worst |
| mean | (always asked) | the plain mean of the errors, which counts gross misses in full |

All are tested with the same assignments of the start dates as the effect; what the effect explains is taken out first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from forecast.evaluation.planning.inference.agreement import (
    Agreement,
    Regressors,
    Starts,
    one_sided,
    p_of_agreement,
    two_sided,
)
from forecast.evaluation.planning.inference.histories import MEAN, Histories, Innovations
from forecast.evaluation.planning.inference.randomisation import (
    ALPHA,
    PLACEBO,
    SET_ASIDE,
    Cells,
    Design,
    Floats,
    months_aside,
    treatment,
    window,
)

SOUGHT = {"trend": 0.25, "controls": 0.20, "earlier spell": 0.01, "benchmark": 0.075, "missing": 0.20}
"""Largest p-value at which a check counts as having found something; one-sided for earlier spell and benchmark."""

ONE_SIDED = ("earlier spell", "benchmark")
"""Checks whose p-value is of the side that could bring a claim about, where one is made; the others' of both."""

SURVIVES = {"trend": 0.05, "controls": 0.05, "earlier spell": 0.10, "benchmark": 0.01, "mean": 0.05}
"""Largest one-sided p-value at which a claim survives."""

SPELLS = ((-12, -7), (-9, -7), (-18, -7), (-24, -7))
"""Months before a start in which an earlier spell is looked for, beyond the six set aside anyway."""

_WORST = 0.25
"""Share of a segment's months whose mean stands for what a missing month may hide."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check: its value (a relative change, where it is one) and p-value, and whether the claim is withheld for it.

    NaN where there is nothing to look at. months : first and last month of an earlier spell, counted from the start.
    """

    name: str
    value: float
    p: float
    withholds: bool = False
    months: tuple[int, int] = PLACEBO


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What the checks look at, of one panel.

    agreement, histories, starts : the test of the effect. innovations : of the errors as they are, K = 1. observed,
    error, treated : (S, T). sign : of the claim: -1 errors fell, 1 they rose, 0 where none is made.
    """

    agreement: Agreement
    histories: Histories
    starts: Starts
    innovations: Innovations
    observed: np.ndarray
    error: Floats
    benchmark: Floats
    sign: float


def all_checks(of: Evidence) -> tuple[Check, ...]:
    """Return every check, in the order of the table above; a claim is withheld where any says so."""
    return (_trend(of), _controls(of), _earlier_spell(of), _benchmark(of), _missing(of), _mean(of))


def dip(of: Evidence) -> Check:
    """Return whether errors were unusual in the six months before the starts; it withholds nothing."""
    return _sign(of, "dip", [_months(of, (-SET_ASIDE, -1)), _after(of)])


def placebo(of: Evidence) -> Check:
    """Return whether errors were unusual 7 to 12 months before the starts, either way; it withholds nothing."""
    return _sign(of, "placebo", [_months(of, PLACEBO), _after(of), *_months_aside(of, SET_ASIDE)])


def _after(of: Evidence) -> Floats:
    return treatment(of.starts.dates, of.starts.months)


def _months(of: Evidence, ends: tuple[int, int]) -> Floats:
    return window(of.starts.dates, of.starts.months, first=ends[0], last=ends[1])


def _months_aside(of: Evidence, months: int) -> list[Floats]:
    return months_aside(of.starts.dates, of.starts.months, months)


def _since(of: Evidence) -> tuple[Floats, np.ndarray]:
    """Return years since each distinct start (J, T), zero for those that never began, and which began (J, 1)."""
    began = (of.starts.dates <= of.starts.months[-1])[:, None]
    distance = of.starts.months[None, :] - np.where(began, of.starts.dates[:, None], 0)
    return np.where(began, distance / 12.0, 0.0), began


def _trend(of: Evidence) -> Check:
    trend, _ = _since(of)
    found = _sign(of, "trend", [trend, _after(of), *_months_aside(of, SET_ASIDE)])
    return _withheld(of, found, [_after(of), trend])


def _controls(of: Evidence) -> Check:
    _, began = _since(of)
    first, last = (float(edge) for edge in (of.starts.dates[began[:, 0]].min(), of.starts.dates[began[:, 0]].max()))
    share = np.clip((of.starts.months - first) / max(last - first, 1.0), 0.0, 1.0)
    moved = np.where(began, 0.0, share[None, :])
    found = _sign(of, "controls", [moved, _after(of), *_months_aside(of, SET_ASIDE)])
    return _withheld(of, found, [_after(of), moved])


def _earlier_spell(of: Evidence) -> Check:
    """Look where the claim could come from: an improvement from errors that were high before, and the other way."""
    if not of.sign:
        return replace(placebo(of), name="earlier spell")
    found = []
    for ends in SPELLS:
        rows = [_months(of, ends), _after(of), *_months_aside(of, SET_ASIDE)]
        sign = replace(_sign(of, "earlier spell", rows, side=-of.sign), months=ends)
        aside = [_after(of), *_months_aside(of, max(-ends[0], -PLACEBO[0]))]
        found.append(_withheld(of, sign, aside))
    speaking = [each for each in found if each.withholds] or [each for each in found if not math.isnan(each.p)]
    return min(speaking or found, key=lambda each: each.p)


def _benchmark(of: Evidence) -> Check:
    """Look where the claim could come from: errors less what the benchmark explains fall where the benchmark's rise."""
    own = of.histories.of_benchmark()
    coefficients = of.starts.coefficients(of.starts.given_record, own)
    value = _relative(coefficients, own)
    p = float(one_sided(coefficients, -of.sign)[0] if of.sign else two_sided(coefficients)[0])
    found = of.sign != 0 and p <= SOUGHT["benchmark"] and bool(np.any(coefficients[0, 0]))
    return Check(name="benchmark", value=value, p=p, withholds=found and not _survives_without_benchmark(of))


def _survives_without_benchmark(of: Evidence) -> bool:
    given_record = of.starts.given_record
    left = of.histories.innovations(np.zeros(1), precision=of.starts.precision(given_record), benchmark=False)
    return bool(one_sided(of.starts.coefficients(given_record, left), of.sign)[0] <= SURVIVES["benchmark"])


def _missing(of: Evidence) -> Check:
    """Look at the share of months missing, from each segment's first month with an error to the panel's last."""
    since_first = np.maximum.accumulate(of.observed, axis=1)
    absent = since_first & ~of.observed
    if not absent.any():
        return Check(name="missing", value=0.0, p=1.0)
    design = Design(Cells(since_first), _after(of)[None], of.starts.assigned)
    coefficients = design.coefficients(absent.astype(np.float64))[None]
    # Where an assignment leaves nothing to compare, it counts as at least as much.
    coefficients = np.where(np.isnan(coefficients), np.inf, coefficients)
    value, p = float(coefficients[0, 0]), float(two_sided(coefficients)[0])
    found = of.sign != 0 and p <= SOUGHT["missing"] and value != 0
    withholds = bool(found and not _survives_missing(of, absent, after=value > 0))
    return Check(name="missing", value=value, p=p, withholds=withholds)


def _survives_missing(of: Evidence, absent: np.ndarray, *, after: bool) -> bool:
    """Return whether the claim stands with the months missing on one side as bad for it as they may have been.

    absent : (S, T), the months missing. after : whether more are missing from the starts on, or before them.
    """
    begins = of.histories.treated.any(axis=1, keepdims=True)
    hidden = absent & begins & ((of.histories.treated > 0) == after)
    high = (of.sign < 0) == after  # what hides a rise after the start, or a worse time before it
    error, benchmark, observed = of.error.copy(), of.benchmark.copy(), of.observed | hidden
    for s in np.flatnonzero(hidden.any(axis=1)):
        known = np.sort(of.error[s, of.observed[s]])
        count = max(math.ceil(_WORST * len(known)), 1)
        error[s, hidden[s]] = known[-count:].mean() if high else known[:count].mean()
        benchmark[s, hidden[s]] = of.benchmark[s, of.observed[s]].mean()
    starts = of.starts
    filled = Histories(observed, starts.months, error, benchmark, of.histories.treated)
    left = Agreement(starts, filled).innovations(np.zeros(1))
    both = [starts.coefficients(each, left) for each in (starts.given_record, starts.set_aside)]
    return bool(p_of_agreement(*both)[0] <= ALPHA and np.sign(both[0][0, 0]) == of.sign)


def _mean(of: Evidence) -> Check:
    left = of.histories.at_shift(np.zeros(1), shift=MEAN)
    coefficients = of.starts.coefficients(of.starts.given_record, left)
    p = float(two_sided(coefficients)[0])
    survives = of.sign == 0 or one_sided(coefficients, of.sign)[0] <= SURVIVES["mean"]
    return Check(name="mean", value=math.nan, p=p, withholds=not survives)


def _sign(of: Evidence, name: str, rows: list[Floats], *, side: float = 0.0) -> Check:
    """Return the coefficient of the first row given the others; the others are taken out before dates are moved.

    side : of which the p-value is, both where it is 0.
    """
    regressors = Regressors(rows=np.stack(rows))
    structure = int(of.innovations.structure[0])
    if of.starts.length(regressors, structure) <= 0:
        return Check(name=name, value=math.nan, p=math.nan)
    left = of.starts.without_others(regressors, of.innovations)
    coefficients = of.starts.coefficients(regressors, left)
    p = float(one_sided(coefficients, side)[0] if side else two_sided(coefficients)[0])
    return Check(name=name, value=_relative(coefficients, of.innovations), p=p)


def _relative(coefficients: Floats, innovations: Innovations) -> float:
    """Return the actual assignment's coefficient as a relative change of the errors."""
    log_change = float(coefficients[0, 0]) / max(float(innovations.response[0]), 1e-9)
    return float(np.expm1(np.clip(log_change, -700, 700)))


def _withheld(of: Evidence, found: Check, surviving: list[Floats]) -> Check:
    """Return the check, which withholds a claim where it found something that the claim does not survive.

    surviving : rows of the regressors with which the claim is asked for again.
    """
    # With few ways to assign the dates no p-value is small: then the most unusual of all of them speaks.
    largest = max(SOUGHT[found.name], (1 + 1e-9) / len(of.starts.assigned))
    speaks = of.sign != 0 and found.p <= largest  # False for NaN, where there is nothing to look at
    return replace(found, withholds=bool(speaks and not _survives(of, surviving, SURVIVES[found.name])))


def _survives(of: Evidence, rows: list[Floats], largest: float) -> bool:
    regressors = Regressors(rows=np.stack(rows))
    if of.starts.length(regressors, int(of.innovations.structure[0])) <= 0:
        return False
    coefficients = of.starts.coefficients(regressors, of.innovations)
    return bool(one_sided(coefficients, of.sign)[0] <= largest)
