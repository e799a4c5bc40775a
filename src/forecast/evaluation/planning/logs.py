"""Effect, interval, placebo and dip of an outcome that effects add to, such as log errors; arrays only.

The verdict on errors takes its effect and interval from `planning_ratio`, the placebo and the dip from here.
With `D` = 1 from adoption on and `Q` = 1 in the months set aside before it:
`y* = log error - theta log benchmark error`, theta the slope between the two, both without segment and month means,
computed without the treatment; delta = coefficient of D given Q, segments and months. See docs/methods/planning.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from forecast.evaluation.planning.randomisation import (
    Design,
    Floats,
    Ints,
    Panel,
    assignments,
    invert,
    p_value,
    treatment,
    window,
)

SET_ASIDE = 6
PLACEBO = (-12, -7)


@dataclass(frozen=True)
class Estimate:
    """What the data say, in logs; NaN where there is nothing to estimate from.

    delta, low, high, p : effect, its 95 % interval, p-value of no effect. placebo, dip : with their p-values.
    theta : slope on the benchmark. smallest_p : see `Design.smallest_p`. assignments : how many were looked at.
    identified : whether the treatment moves apart from segments, months and the set-aside months at all.
    """

    delta: float
    low: float
    high: float
    p: float
    placebo: float
    placebo_p: float
    dip: float
    dip_p: float
    theta: float
    smallest_p: float
    assignments: int
    identified: bool


def slope(panel: Panel, outcome: Floats, covariate: Floats) -> Floats:
    """Return theta; outcome and covariate (..., S, T) -> (...). 0 where the covariate does not move."""
    x, y = panel.demean(covariate), panel.demean(outcome)
    size = np.einsum("...st,...st->...", x, x)
    both = np.einsum("...st,...st->...", x, y)
    return np.where(size > 1e-12, both / np.where(size > 1e-12, size, 1.0), 0.0)


def designs(panel: Panel, dates: Ints, months: Ints, picks: Ints) -> tuple[Design, Design, Design]:
    """Return the designs whose first regressor is the treatment, the dip and the placebo."""
    kinds = np.unique(dates)
    after = treatment(kinds, months)
    before = window(kinds, months, first=-SET_ASIDE, last=-1)
    earlier = window(kinds, months, first=PLACEBO[0], last=PLACEBO[1])
    return (
        Design(panel, np.stack([after, before]), picks),
        Design(panel, np.stack([before, after]), picks),
        Design(panel, np.stack([earlier, after, before]), picks),
    )


def estimate(
    outcome: Floats,
    covariate: Floats,
    observed: np.ndarray,
    dates: Ints,
    months: Ints,
    *,
    permutations: int,
    seed: int,
) -> Estimate:
    """Return the estimate of one panel; outcome, covariate, observed (S, T), dates (S,), months (T,)."""

    def effect(main: Design, y: Floats) -> tuple[float, float, float, float]:
        coefficients = main.coefficients(y)
        low, high = invert(coefficients, main.coefficients(main.actual[0]))
        return float(coefficients[0]), low, high, float(p_value(coefficients))

    return judged(outcome, covariate, observed, dates, months, permutations=permutations, seed=seed, effect=effect)


def judged(
    outcome: Floats,
    covariate: Floats,
    observed: np.ndarray,
    dates: Ints,
    months: Ints,
    *,
    permutations: int,
    seed: int,
    effect: Callable[[Design, Floats], tuple[float, float, float, float]],
) -> Estimate:
    """Return the estimate of one panel whose effect is found by `effect`; placebo and dip are those of the outcome.

    effect : (design of the treatment, outcome less what the covariate explains (S, T)) -> delta, low, high, p.
    """
    panel = Panel(observed)
    picks = assignments(dates, limit=permutations, seed=seed)
    main, dip, placebo = designs(panel, dates, months, picks)
    theta = float(slope(panel, outcome, covariate))
    nan = float("nan")
    if not main.identified:
        return Estimate(nan, -np.inf, np.inf, nan, nan, nan, nan, nan, theta, 1.0, len(picks), False)
    y = outcome - theta * covariate
    delta, low, high, p = effect(main, y)
    (dip_value, dip_p), (placebo_value, placebo_p) = checks(main, dip, placebo, y)
    return Estimate(
        delta,
        low,
        high,
        p,
        float(placebo_value),
        float(placebo_p),
        float(dip_value),
        float(dip_p),
        theta,
        main.smallest_p(),
        len(picks),
        True,
    )


def change(log_change: float) -> float:
    """Return exp(x) - 1; infinite where it overflows."""
    return math.inf if log_change > 700 else math.expm1(log_change)


def checks(
    main: Design, dip: Design, placebo: Design, y: Floats
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Return value and p-value of the dip, then of the placebo; y (..., S, T) -> each (...). NaN where there is none.

    A check must not mistake the effect itself for a sign of something else: what the other regressors explain is taken
    out before the dates are dealt out again (Freedman and Lane 1983).
    """
    treatment_only = Design(main.panel, main.rows[:1], main.picks[:1])
    without_effect = y - np.einsum("...r,rst->...st", treatment_only.estimate(y), treatment_only.actual)
    without_either = y - np.einsum("...r,rst->...st", main.estimate(y), main.actual)
    return _check(dip, without_effect), _check(placebo, without_either)


def _check(design: Design, y: Floats) -> tuple[Floats, Floats]:
    if not design.identified:
        nothing = np.full(y.shape[:-2], np.nan)
        return nothing, nothing
    coefficients = design.coefficients(y)
    return coefficients[..., 0], p_value(coefficients)
