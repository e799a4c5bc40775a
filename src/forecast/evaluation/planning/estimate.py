"""The estimate on one panel: the effect with its interval, and two checks of the months before adoption; arrays only.

Every estimate is made the same way (`estimate_panel`); how the effect itself is found differs. For an outcome that
effects add to, such as a share, it is a coefficient (`estimate_levels`). For errors it is a ratio
(`ratio.estimate_ratio`), and the two checks are made on log errors.

With D = 1 from adoption on and Q = 1 in the months set aside before it: `y = outcome - theta covariate`, theta the
slope between the two, both without segment and month means, computed without the treatment. The effect is the
coefficient of D given Q, segments and months; the dip is that of Q given D; the placebo that of the months before,
given D and Q. The reasons are in docs/methods/planning.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from forecast.evaluation.planning.panel import ErrorPanel
from forecast.evaluation.planning.randomisation import (
    Cells,
    Design,
    Floats,
    Ints,
    assignments,
    invert,
    p_value,
    treatment,
    window,
)

SET_ASIDE = 6
"""Months before adoption that count neither as before nor as after."""

PLACEBO = (-12, -7)
"""First and last month, counted from adoption, in which there can be no effect."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What the data tell, in logs where the outcome is errors; NaN where there is nothing to estimate from.

    delta, low, high, p : effect, its 95 % interval, p-value of no effect. placebo, dip : with their p-values.
    theta : slope on the covariate. smallest_p : see `Design.smallest_p`. assignments : how many were looked at.
    identified : whether the treatment moves apart from segments, months and the set-aside months at all.
    """

    theta: float
    assignments: int
    identified: bool
    delta: float = math.nan
    low: float = -math.inf
    high: float = math.inf
    p: float = math.nan
    placebo: float = math.nan
    placebo_p: float = math.nan
    dip: float = math.nan
    dip_p: float = math.nan
    smallest_p: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Effect:
    """An effect with the ends of its 95 % interval and the p-value of no effect."""

    delta: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Designs:
    """The designs whose first regressor is the treatment, the months set aside (dip), the months before (placebo)."""

    treatment: Design
    dip: Design
    placebo: Design


@dataclass(frozen=True, kw_only=True, eq=False)
class Check:
    """The coefficient of a check and its p-value; the shape of the panels stacked, () for one. NaN for none."""

    value: Floats
    p: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Checks:
    """Two checks of the months before adoption: the earlier ones (placebo), and those set aside (dip)."""

    placebo: Check
    dip: Check


def estimate_levels(panel: ErrorPanel, *, permutations: int, seed: int) -> Estimate:
    """Return the estimate for an outcome that effects add to: `error` of the panel, as it is, without a covariate."""

    def effect(design: Design, y: Floats) -> Effect:
        coefficients = design.coefficients(y)
        low, high = invert(coefficients, design.coefficients(design.actual[0]))
        return Effect(delta=float(coefficients[0]), low=low, high=high, p=float(p_value(coefficients)))

    outcome = np.nan_to_num(panel.error)
    return estimate_panel(panel, outcome, np.zeros_like(outcome), effect=effect, permutations=permutations, seed=seed)


def estimate_panel(
    panel: ErrorPanel,
    outcome: Floats,
    covariate: Floats,
    *,
    effect: Callable[[Design, Floats], Effect],
    permutations: int,
    seed: int,
) -> Estimate:
    """Return the estimate of one panel whose effect is found by `effect`; placebo and dip are those of the outcome.

    Parameters
    ----------
    panel : which cells are observed, the dates and the months. outcome, covariate : (S, T), finite.
    effect : takes the design of the treatment and the outcome less what the covariate explains, (S, T).
    permutations : how many assignments are looked at, at most. seed : of the assignments drawn.
    """
    cells = Cells(panel.observed)
    assigned = assignments(panel.dates, limit=permutations, seed=seed)
    of = designs(cells, panel.dates, panel.months, assigned)
    theta = float(slope(cells, outcome, covariate))
    if not of.treatment.identified:
        return Estimate(theta=theta, assignments=len(assigned), identified=False)
    y = outcome - theta * covariate
    found, before = effect(of.treatment, y), checks(of, y)
    return Estimate(
        theta=theta,
        assignments=len(assigned),
        identified=True,
        delta=found.delta,
        low=found.low,
        high=found.high,
        p=found.p,
        placebo=float(before.placebo.value),
        placebo_p=float(before.placebo.p),
        dip=float(before.dip.value),
        dip_p=float(before.dip.p),
        smallest_p=of.treatment.smallest_p(),
    )


def designs(cells: Cells, dates: Ints, months: Ints, assigned: Ints) -> Designs:
    """Return the three designs; dates (S,), months (T,), assigned (P, S) of `assignments`."""
    distinct = np.unique(dates)
    after = treatment(distinct, months)
    aside = window(distinct, months, first=-SET_ASIDE, last=-1)
    earlier = window(distinct, months, first=PLACEBO[0], last=PLACEBO[1])
    return Designs(
        treatment=Design(cells, np.stack([after, aside]), assigned),
        dip=Design(cells, np.stack([aside, after]), assigned),
        placebo=Design(cells, np.stack([earlier, after, aside]), assigned),
    )


def slope(cells: Cells, outcome: Floats, covariate: Floats) -> Floats:
    """Return theta; outcome and covariate (..., S, T) -> (...). 0 where the covariate does not move."""
    x, y = cells.demean(covariate), cells.demean(outcome)
    xx = np.einsum("...st,...st->...", x, x)
    xy = np.einsum("...st,...st->...", x, y)
    return np.where(xx > 1e-12, xy / np.where(xx > 1e-12, xx, 1.0), 0.0)


def checks(of: Designs, y: Floats) -> Checks:
    """Return the two checks of an outcome; y (..., S, T).

    A check must not mistake the effect itself for a sign of something else: what the other regressors explain is taken
    out before the dates are assigned anew (Freedman and Lane 1983).
    """
    design = of.treatment
    treatment_only = Design(design.cells, design.regressors[:1], design.assigned[:1])
    without_effect = y - np.einsum("...r,rst->...st", treatment_only.actual_coefficients(y), treatment_only.actual)
    without_either = y - np.einsum("...r,rst->...st", design.actual_coefficients(y), design.actual)
    return Checks(placebo=_check(of.placebo, without_either), dip=_check(of.dip, without_effect))


def _check(design: Design, y: Floats) -> Check:
    if not design.identified:
        nothing = np.full(y.shape[:-2], np.nan)
        return Check(value=nothing, p=nothing)
    coefficients = design.coefficients(y)
    return Check(value=coefficients[..., 0], p=p_value(coefficients))


def relative_change(log_change: float) -> float:
    """Return exp(x) - 1; infinite where it overflows."""
    return math.inf if log_change > 700 else math.expm1(log_change)
