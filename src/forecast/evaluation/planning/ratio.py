"""The effect on errors as a ratio: each error over what is usual for its segment and month, and its randomisation test.

The simple case. Divide errors by a factor for each segment and one for each month until both have mean 1. The
coefficient of the treatment on what is left is the statistic; its p-value is the share of assignments of the dates with
a statistic at least as large. If joint planning multiplies errors by exp(x), dividing by exp(x) where it was in force
gives errors that no date has touched: doing all of it again on these tests the hypothesis x, exactly. The estimate is
the x at which the treated months look like all others; the interval holds the x that are not rejected.

The complications:

- The logarithm of a single error has a long left tail (a forecast that happened to be nearly right weighs as much as a
  gross miss), so there are no logs here, and errors are taken to the power .7, which keeps gross misses in bounds.
- Both means cannot be made 1 in one step: segments and months take turns (iterative proportional fitting: Deming and
  Stephan 1940).
- Some months are harder for everybody in a segment. What the benchmark's errors, scaled likewise, explain linearly, in
  the month itself and on average in its neighbours, is taken off.
- No formula gives estimate and interval: the first is found by bisection, the ends by search outwards.

Panels, or values of x, can be stacked before the last two axes. See docs/decisions/ratios_not_logs.md.
"""

from __future__ import annotations

import numpy as np

from forecast.evaluation.planning.estimate import Effect, Estimate, estimate_panel
from forecast.evaluation.planning.panel import ErrorPanel, logs
from forecast.evaluation.planning.randomisation import ALPHA, Cells, Design, Floats, p_value

POWER = 0.7
"""Errors are taken to this power: 1 would be best with one series, less where errors were gross before the start."""

ROUNDS = 12
"""How often segments and months are brought back to mean 1 in turn."""

NEIGHBOURS = 2
"""Months before and after whose benchmark errors help to tell how hard a month was."""

LIMIT = 32.0
"""Largest change that is looked at, in logs: beyond it there is no error left, or nothing else."""

_ROUNDING = 1e-12
_HALVINGS = 40
_STEPS = 0.04 * (LIMIT / 0.04) ** (np.arange(15) / 14)
_NARROWINGS, _POINTS = 4, 7


def estimate_ratio(panel: ErrorPanel, *, permutations: int, seed: int) -> Estimate:
    """Return the estimate of one panel of errors: effect and interval as ratios, placebo and dip in logs."""

    def effect(design: Design, _: Floats) -> Effect:
        ratios = Ratios(design.cells, panel.error, panel.benchmark, design.actual[0])
        delta = float(point_estimate(ratios, design))
        p = float(p_value_at(ratios, design, 0.0))
        low, high = confidence_interval(ratios, design, delta)
        if p > ALPHA:  # no change is not rejected, so it belongs to the interval, however it was rounded
            low, high = min(low, 0.0), max(high, 0.0)
        return Effect(delta=delta, low=low, high=high, p=p)

    return estimate_panel(panel, *logs(panel), effect=effect, permutations=permutations, seed=seed)


class Ratios:
    """Errors of a panel, or of many alike, from which an effect can be taken out.

    Parameters
    ----------
    cells : the cells observed, (S, T).
    error, benchmark : (..., S, T), >= 0; what stands in cells that are not observed does not matter.
    treated : (S, T), 1 where joint planning was in force.
    """

    def __init__(self, cells: Cells, error: Floats, benchmark: Floats, treated: Floats) -> None:
        self.cells, self.treated = cells, treated
        self.error = np.where(cells.observed, error, 0.0)
        own = scale_to_unit_mean(cells, np.where(cells.observed, benchmark, 0.0) ** POWER)
        pair = np.stack([own, neighbour_mean(cells, own)], axis=-3)
        self._covariates = cells.demean(np.where(cells.observed, pair, 0.0))
        gram = np.einsum("...kst,...lst->...kl", self._covariates, self._covariates)
        self._inverse = np.linalg.pinv(gram, rcond=1e-9, hermitian=True)

    def outcome(self, effect: Floats | float) -> Floats:
        """Return what is left of the errors over exp(effect), about a mean of 1; (..., S, T), 0 where not observed.

        effect : a number, or an array that goes with the axes before (S, T).
        """
        x = np.asarray(effect, dtype=np.float64)[..., None, None]
        untouched = (self.error * np.exp(-x * self.treated)) ** POWER
        scaled = self.cells.demean(scale_to_unit_mean(self.cells, untouched))
        moments = np.einsum("...kst,...st->...k", self._covariates, scaled)
        slopes = np.einsum("...kl,...l->...k", self._inverse, moments)
        residual = scaled - np.einsum("...k,...kst->...st", slopes, self._covariates)
        # Where nothing is left, rounding is no evidence.
        return np.where(np.abs(residual) < _ROUNDING, 0.0, residual)


def scale_to_unit_mean(cells: Cells, sizes: Floats) -> Floats:
    """Return sizes over a factor of each segment and each month, such that both have mean 1; (..., S, T).

    sizes : >= 0. Cells that are not observed are 0, and so are segments and months where all is 0. The months come
    last: their means are 1 exactly, those of segments nearly.
    """
    out = np.where(cells.observed, sizes, 0.0)
    months, segments = cells.observed.sum(axis=1)[:, None], cells.observed.sum(axis=0)[None, :]
    for _ in range(ROUNDS):
        for axis, count in ((-1, months), (-2, segments)):
            total = out.sum(axis=axis, keepdims=True)
            out = out * np.where(total > 0, count / np.where(total > 0, total, 1.0), 0.0)
    return out


def neighbour_mean(cells: Cells, values: Floats) -> Floats:
    """Return the mean of values over the `NEIGHBOURS` months before and after, the month itself left out; (..., S, T).

    1, the mean of all, where none of them was observed.
    """
    months = np.arange(cells.observed.shape[1])
    distance = np.abs(months[:, None] - months[None, :])
    near = ((distance > 0) & (distance <= NEIGHBOURS)).astype(np.float64)
    count = cells.observed.astype(np.float64) @ near
    total = np.where(cells.observed, values, 0.0) @ near
    return np.where(count > 0, total / np.maximum(count, 1.0), 1.0)


def point_estimate(ratios: Ratios, design: Design) -> Floats:
    """Return the log change of the errors at which the treated months look like all others.

    Found by bisection, since the statistic falls as more of the effect is taken out: double the distance from 0 until
    the statistic changes its sign, then halve. Shape of the panels stacked, () for one; +-inf where no change up to
    `LIMIT` is large enough. design : with the actual assignment first, or alone.
    """
    actual = Design(design.cells, design.regressors, design.assigned[:1])

    def statistic(effect: Floats) -> Floats:
        return actual.coefficients(ratios.outcome(effect))[..., 0]

    start = statistic(np.zeros(ratios.error.shape[:-2]))
    sign = np.sign(start)
    near, far = np.zeros(start.shape), sign / 2
    while True:
        too_near = (statistic(far) * sign > 0) & (np.abs(far) < LIMIT)
        if not too_near.any():
            break
        near, far = np.where(too_near, far, near), np.where(too_near, 2 * far, far)
    endless = statistic(far) * sign > 0
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        too_near = statistic(middle) * sign > 0
        near, far = np.where(too_near, middle, near), np.where(too_near, far, middle)
    return np.where(endless, np.copysign(np.inf, sign), (near + far) / 2)


def p_value_at(ratios: Ratios, design: Design, effect: Floats | float) -> Floats:
    """Return the p-value of the hypothesis that the effect is `effect` (see `Ratios.outcome`)."""
    return p_value(design.coefficients(ratios.outcome(effect)))


def confidence_interval(ratios: Ratios, design: Design, estimate: float) -> tuple[float, float]:
    """Return the smallest interval that holds the effects not rejected at 5 %, of one panel.

    From the estimate outwards, on both sides at once: look at steps that grow with the distance, up to `LIMIT`; the end
    lies between the last step not rejected and the next one. Narrow that gap down to a 4,096th and round outwards.
    The complications: an end is infinite where the last step is not rejected, and where the estimate is.
    """
    home, reach = (estimate, _STEPS) if np.isfinite(estimate) else (np.copysign(LIMIT, estimate), 2 * _STEPS)

    def not_rejected(effects: Floats) -> np.ndarray:
        return np.asarray(p_value_at(ratios, design, effects.ravel()) > ALPHA).reshape(effects.shape)

    sides = np.array([[-1.0], [1.0]])
    steps = np.concatenate([[0.0], reach])
    inside = not_rejected(home + sides * reach)
    # Step 0 is the estimate itself, at which the statistic is 0: it is never rejected.
    last = np.where(inside.any(axis=1), len(reach) - np.argmax(inside[:, ::-1], axis=1), 0)
    endless = (last == len(reach)) | (np.isinf(estimate) & (np.sign(estimate) == sides[:, 0]))

    near, far = steps[last], steps[np.minimum(last + 1, len(reach))]
    for _ in range(_NARROWINGS):
        between = near[:, None] + (far - near)[:, None] * np.arange(1, _POINTS + 1) / (_POINTS + 1)
        inside = not_rejected(home + sides * between)
        edges = np.column_stack([near, between, far])
        last = np.where(inside.any(axis=1), _POINTS - np.argmax(inside[:, ::-1], axis=1), 0)
        near, far = edges[[0, 1], last], edges[[0, 1], last + 1]
    ends = np.where(endless, np.inf, far)
    return float(home - ends[0]), float(home + ends[1])
