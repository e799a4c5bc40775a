"""The effect on errors as a ratio: each error over what is usual for its segment and month, and its randomisation test.

The logarithm of a single error has a long left tail: a forecast that happened to be nearly right weighs as much as a
gross miss, and with one series most of what there is to see is lost. So errors, to the power of .7 here, which keeps
gross misses in bounds, are divided by a factor for each segment and one for each month until both have mean 1
(iterative proportional fitting: Deming and Stephan 1940), the benchmark's errors likewise; what those explain linearly,
in the month itself and in the months around it, is taken off. The coefficient of the treatment on what is left is the
statistic.

Under the hypothesis that joint planning multiplies errors by exp(x), dividing by exp(x) where it was in force gives
errors that no date has touched, and everything is computed from these: dealing out the dates again is exact for any x.
The estimate is the x that leaves a coefficient of nought; the interval holds the x that are not rejected.
Panels, or values of x, can be stacked before the last two axes. See docs/decisions/ratios_not_logs.md.
"""

from __future__ import annotations

import numpy as np

from forecast.evaluation.planning.logs import Estimate, judged
from forecast.evaluation.planning.randomisation import ALPHA, Design, Floats, Ints, Panel, p_value

POWER = 0.7
"""Errors are taken to this power: 1 would be best with one series, less where errors were gross before the start."""

ROUNDS = 12
"""How often segments and months are brought back to mean 1 in turn."""

AROUND = 2
"""Months before and after whose benchmark errors help to tell how hard a month was."""

LIMIT = 32.0
"""Largest change that is looked at, in logs: beyond it there is no error left, or nothing else."""

_ROUNDING = 1e-12
_HALVINGS = 40
_STEPS = 0.04 * (LIMIT / 0.04) ** (np.arange(15) / 14)
_NARROWINGS, _POINTS = 4, 7


def relative(panel: Panel, sizes: Floats) -> Floats:
    """Return sizes over a factor of each segment and each month, such that both have mean 1; (..., S, T).

    sizes : >= 0. Cells that are not observed are 0, and so are segments and months where all is 0. The months come
    last: their means are 1 exactly, those of segments nearly.
    """
    out = np.where(panel.observed, sizes, 0.0)
    months, segments = panel.observed.sum(axis=1)[:, None], panel.observed.sum(axis=0)[None, :]
    for _ in range(ROUNDS):
        for axis, count in ((-1, months), (-2, segments)):
            total = out.sum(axis=axis, keepdims=True)
            out = out * np.where(total > 0, count / np.where(total > 0, total, 1.0), 0.0)
    return out


def around(panel: Panel, values: Floats) -> Floats:
    """Return the mean of values over the `AROUND` months before and after, without the month itself; (..., S, T).

    1, the mean of all, where none of them was observed.
    """
    months = np.arange(panel.observed.shape[1])
    apart = np.abs(months[:, None] - months[None, :])
    near = ((apart > 0) & (apart <= AROUND)).astype(np.float64)
    count = panel.observed.astype(np.float64) @ near
    total = np.where(panel.observed, values, 0.0) @ near
    return np.where(count > 0, total / np.maximum(count, 1.0), 1.0)


class Ratios:
    """Errors of a panel, or of many alike, from which an effect can be taken out.

    Parameters
    ----------
    panel : the cells observed, (S, T).
    error, benchmark : (..., S, T), >= 0; what stands in cells that are not observed does not matter.
    treated : (S, T), 1 where joint planning was in force.
    """

    def __init__(self, panel: Panel, error: Floats, benchmark: Floats, treated: Floats) -> None:
        self.panel, self.treated = panel, treated
        self.error = np.where(panel.observed, error, 0.0)
        own = relative(panel, np.where(panel.observed, benchmark, 0.0) ** POWER)
        pair = np.stack([own, around(panel, own)], axis=-3)
        self._covariates = panel.demean(np.where(panel.observed, pair, 0.0))
        gram = np.einsum("...kst,...lst->...kl", self._covariates, self._covariates)
        self._inverse = np.linalg.pinv(gram, rcond=1e-9, hermitian=True)

    def outcome(self, effect: Floats | float) -> Floats:
        """Return what is left of the errors over exp(effect), about a mean of 1; (..., S, T), 0 where not observed.

        effect : a number, or an array that goes with the axes before (S, T).
        """
        by = np.asarray(effect, dtype=np.float64)[..., None, None]
        untouched = (self.error * np.exp(-by * self.treated)) ** POWER
        left = self.panel.demean(relative(self.panel, untouched))
        moments = np.einsum("...kst,...st->...k", self._covariates, left)
        slopes = np.einsum("...kl,...l->...k", self._inverse, moments)
        out = left - np.einsum("...k,...kst->...st", slopes, self._covariates)
        # Where nothing is left, rounding is no evidence.
        return np.where(np.abs(out) < _ROUNDING, 0.0, out)


def centre(ratios: Ratios, design: Design) -> Floats:
    """Return the effect that leaves a coefficient of nought; the shape of the panels stacked, () for one.

    design : with the actual assignment alone, or first. Infinite where no change up to `LIMIT` is large enough.
    """
    actual = Design(design.panel, design.rows, design.picks[:1])

    def at(effect: Floats) -> Floats:
        return actual.coefficients(ratios.outcome(effect))[..., 0]

    start = at(np.zeros(ratios.error.shape[:-2]))
    sign = np.sign(start)
    near, far = np.zeros(start.shape), sign / 2
    while True:
        short = (at(far) * sign > 0) & (np.abs(far) < LIMIT)
        if not short.any():
            break
        near, far = np.where(short, far, near), np.where(short, 2 * far, far)
    endless = at(far) * sign > 0
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        short = at(middle) * sign > 0
        near, far = np.where(short, middle, near), np.where(short, far, middle)
    return np.where(endless, np.copysign(np.inf, sign), (near + far) / 2)


def p_of(ratios: Ratios, design: Design, effect: Floats | float) -> Floats:
    """Return the p-value of the hypothesis that the effect is `effect` (see `Ratios.outcome`)."""
    return p_value(design.coefficients(ratios.outcome(effect)))


def interval(ratios: Ratios, design: Design, estimate: float) -> tuple[float, float]:
    """Return the smallest interval that holds the effects not rejected at 5 %, of one panel.

    Looked for at steps that grow with the distance from the estimate, up to `LIMIT`, and narrowed down to a 4,096th of
    the step, rounded outwards. Infinite where the last step is not rejected.
    """
    home, reach = (estimate, _STEPS) if np.isfinite(estimate) else (np.copysign(LIMIT, estimate), 2 * _STEPS)

    def kept(points: Floats) -> np.ndarray:
        return np.asarray(p_of(ratios, design, points.ravel()) > ALPHA).reshape(points.shape)

    sides = np.array([[-1.0], [1.0]])
    steps = np.concatenate([[0.0], reach])
    inside = kept(home + sides * reach)
    # The estimate itself leaves a coefficient of nought and is never rejected.
    last = np.where(inside.any(axis=1), len(reach) - np.argmax(inside[:, ::-1], axis=1), 0)
    endless = (last == len(reach)) | (np.isinf(estimate) & (np.sign(estimate) == sides[:, 0]))
    near, far = steps[last], steps[np.minimum(last + 1, len(reach))]
    for _ in range(_NARROWINGS):
        between = near[:, None] + (far - near)[:, None] * np.arange(1, _POINTS + 1) / (_POINTS + 1)
        inside = kept(home + sides * between)
        edges = np.column_stack([near, between, far])
        last = np.where(inside.any(axis=1), _POINTS - np.argmax(inside[:, ::-1], axis=1), 0)
        near, far = edges[[0, 1], last], edges[[0, 1], last + 1]
    ends = np.where(endless, np.inf, far)
    return float(home - ends[0]), float(home + ends[1])


def estimate_ratio(
    error: Floats,
    benchmark: Floats,
    observed: np.ndarray,
    dates: Ints,
    months: Ints,
    *,
    permutations: int,
    seed: int,
    logs: tuple[Floats, Floats],
) -> Estimate:
    """Return the estimate of one panel; error, benchmark, observed (S, T), dates (S,), months (T,).

    logs : log errors and log benchmark errors, (S, T) each: placebo and dip are looked for in these.
    """

    def effect(main: Design, _: Floats) -> tuple[float, float, float, float]:
        ratios = Ratios(main.panel, error, benchmark, main.actual[0])
        found = float(centre(ratios, main))
        p = float(p_of(ratios, main, 0.0))
        low, high = interval(ratios, main, found)
        return (found, min(low, 0.0), max(high, 0.0), p) if p > ALPHA else (found, low, high, p)

    return judged(*logs, observed, dates, months, permutations=permutations, seed=seed, effect=effect)
