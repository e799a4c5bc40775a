"""Randomisation inference over adoption dates: arrays of errors in; a coefficient, a p-value and an interval out.

The question asked of the data: had the same adoption dates been assigned to the segments at random, how often would
the coefficient have been as far from zero? No distribution of the errors is assumed, and the handful of segments is
the sample size, as it should be.

The simple case: every cell (segment x month) is there and the treatment is the only regressor. Take segment and month
means out of the outcome `y`; the coefficient is the sum of what is left over the treated cells, divided by the squared
length of the treatment without its means. Do it for each assignment of the dates to segments; the p-value is the share
of assignments whose coefficient is at least as large as the observed one.

The complications:

- Other regressors (the months set aside). With M the projection that takes out segment and month means, and X the
  regressors, the coefficients are `(X'MX)^-1 X'My`; only the first row of the inverse is needed.
- Missing cells. M projects on the cells that are there, and X'MX is another for each assignment.
- Thousands of assignments. A regressor is a sum over segments of one row that depends on that segment's date only, so
  `X'My` is a sum of entries of a small table (regressor x segment x date) made once: all assignments are one matrix
  product.
- An assignment that leaves nothing to estimate from has the coefficient NaN and counts as at least as large.

Panels can be stacked before the last two axes.
"""

from __future__ import annotations

from functools import lru_cache
from math import factorial, prod

import numpy as np
from numpy.typing import NDArray

from forecast.seeds import generator

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NEVER = 1 << 40
"""The adoption month of a segment that has not adopted."""

ALPHA = 0.05

SET_ASIDE = 6
"""Months before a start that count neither as before nor as after."""

PLACEBO = (-12, -7)
"""First and last month, counted from a start, in which there can be no effect."""

_TOLERANCE = 1e-9
_RIDGE = 1e-13


def assignments(dates: Ints, *, limit: int = 25_000, seed: int = 0) -> Ints:
    """Return which date each segment gets in each assignment; shape (P, S), indices into the sorted distinct dates.

    All distinct assignments where there are at most `limit`, else `limit` of them. The first is always the actual one,
    the one that happened; where they are drawn, the others come from `seed`.
    """
    return _assignments(tuple(int(date) for date in dates), limit, seed)


@lru_cache(maxsize=32)
def _assignments(dates: tuple[int, ...], limit: int, seed: int) -> Ints:
    distinct, actual = np.unique(np.array(dates), return_inverse=True)
    counts = np.bincount(actual, minlength=len(distinct))
    number = factorial(len(dates)) // prod(factorial(int(count)) for count in counts)
    if number <= limit:
        rows = _every_order(counts)
        is_actual = (rows == actual).all(axis=1)
        rows = np.concatenate([rows[is_actual], rows[~is_actual]])
    else:
        random = generator(seed, 71).permuted(np.tile(actual, (limit - 1, 1)), axis=1)
        rows = np.concatenate([actual[None, :], random])
    rows.setflags(write=False)
    return rows


def _every_order(counts: Ints) -> Ints:
    """Return every distinct order of labels of which label i occurs counts[i] times; (number, sum of counts)."""
    rows, left = np.zeros((1, 0), dtype=np.int64), counts[None, :]
    for _ in range(int(counts.sum())):
        parent, label = np.nonzero(left > 0)
        rows = np.column_stack([rows[parent], label])
        left = left[parent]
        left[np.arange(len(left)), label] -= 1
    return rows


def treatment(dates: Ints, months: Ints) -> Floats:
    """Return 1 from the adoption month on, else 0; shape (dates, months)."""
    return (months[None, :] >= dates[:, None]).astype(np.float64)


def window(dates: Ints, months: Ints, *, first: int, last: int) -> Floats:
    """Return 1 in the months `first` to `last` counted from adoption (both within, -1 = the month before)."""
    event = months[None, :] - dates[:, None]
    return ((event >= first) & (event <= last)).astype(np.float64)


def months_aside(dates: Ints, months: Ints, count: int) -> list[Floats]:
    """Return a window for each of the last `count` months before adoption, the earliest first.

    As regressors they leave those months out of a comparison.
    """
    return [window(dates, months, first=-back, last=-back) for back in range(count, 0, -1)]


class Cells:
    """The cells observed, and the projection that takes out segment and month means over them.

    Parameters
    ----------
    observed : shape (S, T); False where the cell is missing.
    """

    def __init__(self, observed: NDArray[np.bool_]) -> None:
        self.observed = np.asarray(observed, dtype=bool)
        self.balanced = bool(self.observed.all())
        if not self.balanced:
            segments, months = self.observed.shape
            row, column = np.nonzero(self.observed)
            dummies = np.zeros((len(row), segments + months))
            dummies[np.arange(len(row)), row] = 1
            dummies[np.arange(len(row)), segments + column] = 1
            self._dummies, self._means = dummies, np.linalg.pinv(dummies.T @ dummies) @ dummies.T

    def demean(self, y: Floats) -> Floats:
        """Return y without segment and month means; shape (..., S, T), zero in cells that are missing."""
        if self.balanced:
            within: Floats = y - y.mean(axis=-1, keepdims=True)
            return within - within.mean(axis=-2, keepdims=True)
        cells = y[..., self.observed]
        out = np.zeros(y.shape)
        out[..., self.observed] = cells - (cells @ self._means.T) @ self._dummies.T
        return out

    def fitted(self, y: Floats) -> Floats:
        """Return what segment and month explain of y, also in cells that are missing; (..., S, T)."""
        if self.balanced:
            return y - self.demean(y)
        segments = self.observed.shape[0]
        levels = y[..., self.observed] @ self._means.T
        fitted: Floats = levels[..., :segments, None] + levels[..., None, segments:]
        return fitted


class Design:
    """The regressors on a panel under every assignment of the dates; the coefficient of the first is asked for.

    Parameters
    ----------
    cells : the cells observed, (S, T).
    regressors : (R, J, T), regressor r of a segment that adopts at the j-th distinct date (sorted).
    assigned : (P, S), from `assignments`; the actual assignment first.

    Attributes
    ----------
    actual : (R, S, T), the regressors under the actual assignment; zero in cells that are missing.
    identified : whether the first regressor moves apart from segments, months and the other regressors.
    norm : (P,) or (1,), squared length of what is left of the first regressor; the same for all without missing cells.
    """

    def __init__(self, cells: Cells, regressors: Floats, assigned: Ints) -> None:
        self.cells, self.regressors, self.assigned = cells, regressors, assigned
        dates = regressors.shape[1]
        self._onehot = (assigned[:, :, None] == np.arange(dates)).reshape(len(assigned), -1).astype(np.float64)
        self.actual = np.where(cells.observed, regressors[:, assigned[0], :], 0.0)
        if cells.balanced:
            # Row and column means of a regressor are the same whichever segment gets which row, hence so is X'MX.
            gram = np.einsum("rst,qst->rq", cells.demean(self.actual), self.actual)[None]
        else:
            gram = _gram_by_assignment(cells, regressors, assigned)
        self._weights, self.norm = _first_of_inverse(gram)
        self.identified = bool(self.norm[0] > _TOLERANCE * max(1.0, float(gram[0, 0, 0])))

    def coefficients(self, y: Floats) -> Floats:
        """Return the first regressor's coefficient under each assignment; y (..., S, T) -> (..., P).

        The first entry is the actual assignment. NaN where the assignment leaves nothing to estimate from.
        """
        clean = self.cells.demean(np.where(self.cells.observed, y, 0.0))
        if len(self._weights) == 1:
            # X'MX is the same for all: weigh the regressors first, then one table (segment x date) is enough.
            weighted = np.einsum("r,rjt->jt", self._weights[0], self.regressors)
            table = np.einsum("...st,jt->...sj", clean, weighted, optimize=True)
            return table.reshape(*y.shape[:-2], -1) @ self._onehot.T
        count = self.regressors.shape[0]
        table = np.einsum("...st,rjt->...rsj", clean, self.regressors, optimize=True)
        moments = table.reshape(*y.shape[:-2], count, -1) @ self._onehot.T
        return np.einsum("...rp,pr->...p", moments, np.broadcast_to(self._weights, (len(self.assigned), count)))

    def actual_coefficients(self, y: Floats) -> Floats:
        """Return the coefficients of all regressors under the actual assignment; y (..., S, T) -> (..., R)."""
        clean = self.cells.demean(self.actual)
        gram = np.einsum("rst,qst->rq", clean, self.actual)
        moments = np.einsum("rst,...st->...r", clean, np.where(self.cells.observed, y, 0.0))
        return moments @ np.linalg.pinv(gram, hermitian=True)

    def smallest_p(self) -> float:
        """Return the smallest p-value any data could give: the share of assignments that are the actual one again.

        An assignment counts as the same where its residual treatment is the actual one up to sign and scale: then the
        two coefficients are equally large whatever the data. 1 where the treatment is not identified.
        """
        if not self.identified:
            return 1.0
        weights = self._weights[0] * self.norm[0]
        residual = self.cells.demean(np.einsum("r,rst->st", weights, self.actual))
        with np.errstate(invalid="ignore"):
            alike = self.coefficients(residual) ** 2 * self.norm / self.norm[0]
        return float(np.mean(~(alike < 1 - 1e-7)))


def _gram_by_assignment(cells: Cells, regressors: Floats, assigned: Ints) -> Floats:
    """Return X'MX of each assignment, (P, R, R), where cells are missing.

    X is a sum over segments of the rows their dates give, so X'MX is a sum over pairs of segments of entries of a table
    (segment and its date x segment and its date), made once.
    """
    count, dates, months = regressors.shape
    segments = cells.observed.shape[0]
    placed: np.ndarray = np.zeros((count, segments, dates, segments, months))
    own = np.arange(segments)
    placed[:, own, :, own, :] = regressors[None]
    placed = np.where(cells.observed, placed, 0.0).reshape(count, segments * dates, segments, months)
    inner = np.einsum("rast,qbst->abrq", cells.demean(placed), placed, optimize=True)
    inner = inner.reshape(segments, dates, segments, dates, count, count)
    out = np.zeros((len(assigned), count, count))
    for k in range(segments):
        for s in range(k, segments):
            table = inner[k, :, s].reshape(dates * dates, count, count)
            table = table if k == s else table + table.transpose(0, 2, 1)
            out += table[assigned[:, k] * dates + assigned[:, s]]
    return out


def _first_of_inverse(gram: Floats) -> tuple[Floats, Floats]:
    """Return the first row of each inverse, (P, R), and its Schur complement, (P,); NaN where that is nothing."""
    count, size, _ = gram.shape
    scale = np.maximum(gram[:, 0, 0], 1.0)
    if size == 1:
        weights, norm = np.ones((count, 1)), gram[:, 0, 0]
    else:
        # A tiny ridge lets a regressor that is empty (nobody has such months) drop out by itself.
        others = gram[:, 1:, 1:] + _RIDGE * np.eye(size - 1) * scale[:, None, None]
        slopes = np.linalg.solve(others, gram[:, 1:, :1])[:, :, 0]
        weights = np.concatenate([np.ones((count, 1)), -slopes], axis=1)
        norm = gram[:, 0, 0] - np.einsum("pr,pr->p", gram[:, 0, 1:], slopes)
    with np.errstate(divide="ignore", invalid="ignore"):
        row = weights / np.where(norm > _TOLERANCE * scale, norm, np.nan)[:, None]
    return row, norm


def p_value(coefficients: Floats) -> Floats:
    """Return the share of assignments at least as far from zero as the observed one; (..., P) -> (...), two-sided.

    The observed coefficient is the first; it counts as well, so that the p-value is never zero.
    """
    observed, permuted = np.abs(coefficients[..., :1]), np.abs(coefficients)
    with np.errstate(invalid="ignore"):
        # Not ">=": an assignment without a coefficient (NaN) counts as at least as large.
        at_least_as_large = ~(permuted < observed * (1 - _TOLERANCE))
    return np.mean(at_least_as_large, axis=-1)


def invert(coefficients: Floats, of_treatment: Floats, *, alpha: float = ALPHA) -> tuple[float, float]:
    """Return the smallest interval that holds every effect not rejected at `alpha`; (P,), (P,) -> (low, high).

    coefficients, of_treatment : of the outcome and of the treatment itself, by assignment, the actual one first.

    Under the hypothesis that the effect is x, assignment i gives `a_i - c_i x` and the actual one `a - x`. The simple
    case, an assignment unlike the actual one (|c_i| < 1): i is at least as large where x lies between two roots. The
    p-value as a function of x is therefore a count that steps at those roots and nowhere else: the ends are exact, no
    grid is searched. The complications: |c_i| > 1, at least as large beyond two roots; |c_i| = 1, on one side of a
    single root, or everywhere; NaN, everywhere. The ends are infinite where the p-value stays above alpha.
    """
    a, c = coefficients, of_treatment
    observed = a[0]
    undefined = np.isnan(a) | np.isnan(c)
    # at least as large where ((a_i - a) + (1 - c_i) x) ((a_i + a) - (1 + c_i) x) >= 0
    curve, slope = 1 - c**2, 2 * (observed - a * c)
    level = np.abs(curve) < _TOLERANCE
    everywhere = undefined | (level & (np.abs(slope) < _TOLERANCE * (1 + np.abs(observed))))
    everywhere[0] = level[0] = True  # the actual assignment is as large as itself, whatever the effect
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (observed - a) / (1 - c), (observed + a) / (1 + c)
        single = (observed**2 - a**2) / slope
    low, high = np.minimum(first, second), np.maximum(first, second)
    between, beyond = ~level & ~undefined & (curve > 0), ~level & ~undefined & (curve < 0)
    rising, falling = level & ~everywhere & (slope > 0), level & ~everywhere & (slope < 0)

    starts = np.sort(np.concatenate([low[between], high[beyond], single[rising]]))
    ends = np.sort(np.concatenate([high[between], low[beyond], single[falling]]))
    at_the_left = int(everywhere.sum() + beyond.sum() + falling.sum())
    at_the_right = int(everywhere.sum() + beyond.sum() + rising.sum())
    needed = alpha * len(a)

    def count(x: Floats) -> Ints:
        upto, before = np.searchsorted(starts, x, side="right"), np.searchsorted(ends, x, side="left")
        return at_the_left + upto - before

    lower, upper = starts[count(starts) > needed], ends[count(ends) > needed]
    left = -np.inf if at_the_left > needed else (float(lower[0]) if len(lower) else observed)
    right = np.inf if at_the_right > needed else (float(upper[-1]) if len(upper) else observed)
    return float(left), float(right)
