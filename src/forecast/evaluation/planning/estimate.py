"""The effect on an outcome that effects add to, such as a share: a coefficient and its randomisation test.

With D = 1 from a start on and Q = 1 in the months set aside before it, the effect is the coefficient of D given Q,
segments and months. No logarithm, no benchmark. How the effect on errors is found is another matter (`agreement`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from forecast.evaluation.planning.inference.randomisation import (
    SET_ASIDE,
    Cells,
    Design,
    Floats,
    assignments,
    invert,
    p_value,
    treatment,
    window,
)
from forecast.evaluation.planning.panel import ErrorPanel


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """An effect with its 95 % interval and p-value of no effect; NaN where there is nothing to estimate from.

    smallest_p : see `Design.smallest_p`. assignments : how many were looked at. identified : whether the treatment
    moves apart from segments, months and the set-aside months at all.
    """

    assignments: int
    identified: bool
    delta: float = math.nan
    low: float = -math.inf
    high: float = math.inf
    p: float = math.nan
    smallest_p: float = 1.0


def estimate_levels(panel: ErrorPanel, *, permutations: int, seed: int) -> Estimate:
    """Return the effect on `error` of the panel, as it is.

    permutations : how many assignments are looked at, at most. seed : of the assignments drawn.
    """
    assigned = assignments(panel.dates, limit=permutations, seed=seed)
    distinct = np.unique(panel.dates)
    after = treatment(distinct, panel.months)
    aside = window(distinct, panel.months, first=-SET_ASIDE, last=-1)
    design = Design(Cells(panel.observed), np.stack([after, aside]), assigned)
    if not design.identified:
        return Estimate(assignments=len(assigned), identified=False)
    coefficients = design.coefficients(np.nan_to_num(panel.error))
    low, high = invert(coefficients, design.coefficients(design.actual[0]))
    return Estimate(
        assignments=len(assigned),
        identified=True,
        delta=float(coefficients[0]),
        low=low,
        high=high,
        p=float(p_value(coefficients)),
        smallest_p=design.smallest_p(),
    )


def slope(cells: Cells, outcome: Floats, covariate: Floats) -> Floats:
    """Return the slope of the outcome on the covariate, both without segment and month means; (..., S, T) -> (...).

    0 where the covariate does not move.
    """
    x, y = cells.demean(covariate), cells.demean(outcome)
    xx = np.einsum("...st,...st->...", x, x)
    xy = np.einsum("...st,...st->...", x, y)
    return np.where(xx > 1e-12, xy / np.where(xx > 1e-12, xx, 1.0), 0.0)


def relative_change(log_change: float) -> float:
    """Return exp(x) - 1; infinite where it overflows."""
    return math.inf if log_change > 700 else math.expm1(log_change)
