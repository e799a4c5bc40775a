"""What could make a change of the errors look like an effect of joint planning, looked for one by one.

Each check asks for a sign that something else was going on, and has a p-value of its own. Where it finds one, the claim
is asked for once more in a way that the thing found cannot bring about; only a claim that does not survive this is
withheld. So a check that finds something by chance rarely costs a true claim.

| check | the sign | the claim must survive |
| --- | --- | --- |
| trend | errors of those that began moved apart from the others' year by year | the trend as a regressor |
| controls | those that never began moved apart while the others were beginning | that drift as a regressor |
| earlier spell | errors unusual 7 to 12 months before the starts (the placebo) | twelve months set aside, not six |
| benchmark | the benchmark's own error changed at the starts, so as to make the claim | nothing: withheld |
| missing | more months without a forecast after the starts | the missing months at their worst |
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
from forecast.evaluation.planning.inference.histories import Histories, Innovations
from forecast.evaluation.planning.inference.randomisation import (
    ALPHA,
    PLACEBO,
    SET_ASIDE,
    Cells,
    Design,
    Floats,
    treatment,
    window,
)

SOUGHT = {"trend": 0.15, "controls": 0.20, "earlier spell": 0.05, "benchmark": 0.075, "missing": 0.10}
"""Largest p-value at which a check counts as having found something; one-sided for benchmark and missing."""

SURVIVES = 0.05
"""Largest one-sided p-value at which a claim survives."""

_WORST = 0.25
"""Share of a segment's months whose mean stands for what a missing month may hide."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check: its value (a relative change, where it is one) and p-value, and whether the claim is withheld for it.

    NaN where there is nothing to look at.
    """

    name: str
    value: float
    p: float
    withholds: bool = False


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
    aside = window(of.starts.dates, of.starts.months, first=-SET_ASIDE, last=-1)
    return _sign(of, "dip", [aside, _after(of)])


def _after(of: Evidence) -> Floats:
    return treatment(of.starts.dates, of.starts.months)


def _months_aside(of: Evidence, months: int) -> list[Floats]:
    dates, at = of.starts.dates, of.starts.months
    return [window(dates, at, first=-back, last=-back) for back in range(months, 0, -1)]


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
    earlier = window(of.starts.dates, of.starts.months, first=PLACEBO[0], last=PLACEBO[1])
    found = _sign(of, "earlier spell", [earlier, _after(of), *_months_aside(of, SET_ASIDE)])
    return _withheld(of, found, [_after(of), *_months_aside(of, -PLACEBO[0])])


def _benchmark(of: Evidence) -> Check:
    own = of.histories.of_benchmark()
    coefficients = of.starts.coefficients(of.starts.given_record, own)
    value = float(np.expm1(np.clip(coefficients[0, 0] / max(float(own.response[0]), 1e-9), -700, 700)))
    # Errors less what the benchmark explains fall where the benchmark's rise.
    harmful = of.sign != 0 and one_sided(coefficients, -of.sign)[0] <= SOUGHT["benchmark"]
    moved = bool(np.any(coefficients[0, 0]))
    p = float(two_sided(coefficients)[0])
    return Check(name="benchmark", value=value, p=p, withholds=bool(harmful and moved))


def _missing(of: Evidence) -> Check:
    """Look at the share of months missing, from each segment's first month with an error to the panel's last."""
    since_first = np.maximum.accumulate(of.observed, axis=1)
    absent = (since_first & ~of.observed).astype(np.float64)
    if not absent.any():
        return Check(name="missing", value=0.0, p=1.0)
    design = Design(Cells(since_first), _after(of)[None], of.starts.assigned)
    coefficients = design.coefficients(absent)[None]
    # Where an assignment leaves nothing to compare, it counts as at least as much.
    coefficients = np.where(np.isnan(coefficients), np.inf, coefficients)
    p = float(two_sided(coefficients)[0])
    more = one_sided(coefficients, 1.0)[0] <= SOUGHT["missing"] and coefficients[0, 0] > 0
    withholds = bool(of.sign != 0 and more and not _survives_missing(of))
    return Check(name="missing", value=float(coefficients[0, 0]), p=p, withholds=withholds)


def _survives_missing(of: Evidence) -> bool:
    """Return whether the claim stands with the months missing after a start as bad for it as they may have been."""
    hidden = ~of.observed & (of.histories.treated > 0)
    error, benchmark, observed = of.error.copy(), of.benchmark.copy(), of.observed | hidden
    for s in np.flatnonzero(hidden.any(axis=1)):
        known = np.sort(of.error[s, of.observed[s]])
        count = max(math.ceil(_WORST * len(known)), 1)
        error[s, hidden[s]] = known[-count:].mean() if of.sign < 0 else known[:count].mean()
        benchmark[s, hidden[s]] = of.benchmark[s, of.observed[s]].mean()
    starts = of.starts
    filled = Histories(observed, starts.months, error, benchmark, of.histories.treated)
    left = Agreement(starts, filled).innovations(np.zeros(1))
    both = [starts.coefficients(each, left) for each in (starts.given_record, starts.set_aside)]
    return bool(p_of_agreement(*both)[0] <= ALPHA and np.sign(both[0][0, 0]) == of.sign)


def _mean(of: Evidence) -> Check:
    left = of.histories.at_shift(np.zeros(1), shift=np.inf)
    coefficients = of.starts.coefficients(of.starts.given_record, left)
    p = float(two_sided(coefficients)[0])
    survives = of.sign == 0 or one_sided(coefficients, of.sign)[0] <= SURVIVES
    return Check(name="mean", value=math.nan, p=p, withholds=not survives)


def _sign(of: Evidence, name: str, rows: list[Floats]) -> Check:
    """Return the coefficient of the first row given the others; the others are taken out before dates are moved."""
    regressors = Regressors(rows=np.stack(rows))
    structure = int(of.innovations.structure[0])
    if of.starts.length(regressors, structure) <= 0:
        return Check(name=name, value=math.nan, p=math.nan)
    left = of.starts.without_others(regressors, of.innovations)
    coefficients = of.starts.coefficients(regressors, left)
    value = float(coefficients[0, 0] / max(float(of.innovations.response[0]), 1e-9))
    return Check(name=name, value=float(np.expm1(np.clip(value, -700, 700))), p=float(two_sided(coefficients)[0]))


def _survives(of: Evidence, rows: list[Floats]) -> bool:
    regressors = Regressors(rows=np.stack(rows))
    if of.starts.length(regressors, int(of.innovations.structure[0])) <= 0:
        return False
    coefficients = of.starts.coefficients(regressors, of.innovations)
    return bool(one_sided(coefficients, of.sign)[0] <= SURVIVES)


def _withheld(of: Evidence, found: Check, surviving: list[Floats]) -> Check:
    """Return the check, which withholds a claim where it found something that the claim does not survive.

    surviving : rows of the regressors with which the claim is asked for again.
    """
    speaks = of.sign != 0 and found.p <= SOUGHT[found.name]  # False for NaN, where there is nothing to look at
    return replace(found, withholds=bool(speaks and not _survives(of, surviving)))
