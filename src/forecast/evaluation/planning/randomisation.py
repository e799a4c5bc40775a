"""Randomisation inference over adoption dates: arrays of errors in, a coefficient, a p-value and an interval out.

The question asked of the data: had the same adoption dates been dealt out to the segments by lot, how often would
the coefficient have been as far from zero? No distribution of the errors is assumed, and the handful of segments is
the sample size, as it should be.

Everything is linear in the outcome `y` (segments x months). With M the projection that takes out segment and month
means over the cells observed, and X(a) the regressors (treatment, set-aside months, ...) that the assignment `a` of
dates to segments makes, the coefficients are `(X'MX)^-1 X'My`. Since a regressor is a sum over segments of one row that
depends on that segment's date only, `X'My` is a sum of entries of a small table (regressor x segment x date) made once,
and so is `X'MX`: 20,000 assignments are one matrix product. Panels can be stacked before the last two axes.
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
_TOLERANCE = 1e-9
_HAIR = 1e-13


@lru_cache(maxsize=32)
def _assignments(dates: tuple[int, ...], limit: int, seed: int) -> Ints:
    kinds, labels = np.unique(np.array(dates), return_inverse=True)
    counts = np.bincount(labels, minlength=len(kinds))
    total = factorial(len(dates)) // prod(factorial(int(count)) for count in counts)
    if total <= limit:
        rows, left = np.zeros((1, 0), dtype=np.int64), counts[None, :]
        for _ in dates:
            parent, label = np.nonzero(left > 0)
            rows = np.column_stack([rows[parent], label])
            left = left[parent]
            left[np.arange(len(left)), label] -= 1
        identity = (rows == labels).all(axis=1)
        rows = np.concatenate([rows[identity], rows[~identity]])
    else:
        random = generator(seed, 71).permuted(np.tile(labels, (limit - 1, 1)), axis=1)
        rows = np.concatenate([labels[None, :], random])
    rows.setflags(write=False)
    return rows


def assignments(dates: Ints, *, limit: int = 25_000, seed: int = 0) -> Ints:
    """Return which date each segment gets in each assignment; shape (P, S), indices into the sorted distinct dates.

    All distinct assignments where there are at most `limit`, else `limit` of them: the first, always, is the one
    that happened, the others are drawn with `seed`.
    """
    return _assignments(tuple(int(date) for date in dates), limit, seed)


def treatment(dates: Ints, months: Ints) -> Floats:
    """Return 1 from the adoption month on, else 0; shape (dates, months)."""
    return (months[None, :] >= dates[:, None]).astype(np.float64)


def window(dates: Ints, months: Ints, *, first: int, last: int) -> Floats:
    """Return 1 in the months `first` to `last` counted from adoption (both within, -1 = the month before)."""
    event = months[None, :] - dates[:, None]
    return ((event >= first) & (event <= last)).astype(np.float64)


class Panel:
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


class Design:
    """The regressors on a panel under every assignment of the dates; the coefficient of the first is asked for.

    Parameters
    ----------
    panel : the cells observed, (S, T).
    rows : (R, J, T), regressor r of a segment that adopts at the j-th distinct date (sorted).
    picks : (P, S), from `assignments`.

    Attributes
    ----------
    identified : whether the first regressor moves apart from segments, months and the other regressors.
    norm : (P,) or (1,), squared length of what is left of the first regressor; the same for all without missing cells.
    """

    def __init__(self, panel: Panel, rows: Floats, picks: Ints) -> None:
        self.panel, self.rows, self.picks = panel, rows, picks
        regressors, dates, months = rows.shape
        segments = panel.observed.shape[0]
        self._onehot = (picks[:, :, None] == np.arange(dates)).reshape(len(picks), -1).astype(np.float64)
        self.actual = np.where(panel.observed, rows[:, picks[0], :], 0.0)
        if panel.balanced:
            # Row and column means of a regressor are the same however its rows are dealt out, hence so is X'MX.
            gram = np.einsum("rst,qst->rq", panel.demean(self.actual), self.actual)[None]
        else:
            placed: np.ndarray = np.zeros((regressors, segments, dates, segments, months))
            here = np.arange(segments)
            placed[:, here, :, here, :] = rows[None]
            placed = np.where(panel.observed, placed, 0.0).reshape(regressors, segments * dates, segments, months)
            inner = np.einsum("rast,qbst->abrq", panel.demean(placed), placed, optimize=True)
            gram = _summed_over_pairs(inner.reshape(segments, dates, segments, dates, regressors, regressors), picks)
        self._row, self.norm = _first_of_inverse(gram)
        self.identified = bool(self.norm[0] > _TOLERANCE * max(1.0, float(gram[0, 0, 0])))

    def coefficients(self, y: Floats) -> Floats:
        """Return the first regressor's coefficient under each assignment; y (..., S, T) -> (..., P).

        The first entry is the assignment that happened. NaN where the assignment leaves nothing to estimate from.
        """
        clean = self.panel.demean(np.where(self.panel.observed, y, 0.0))
        regressors = self.rows.shape[0]
        if len(self._row) == 1:
            table = np.einsum("...st,jt->...sj", clean, np.einsum("r,rjt->jt", self._row[0], self.rows), optimize=True)
            return table.reshape(*y.shape[:-2], -1) @ self._onehot.T
        table = np.einsum("...st,rjt->...rsj", clean, self.rows, optimize=True)
        moments = table.reshape(*y.shape[:-2], regressors, -1) @ self._onehot.T
        return np.einsum("...rp,pr->...p", moments, np.broadcast_to(self._row, (len(self.picks), regressors)))

    def estimate(self, y: Floats) -> Floats:
        """Return all coefficients of the assignment that happened; y (..., S, T) -> (..., R)."""
        clean = self.panel.demean(self.actual)
        gram = np.einsum("rst,qst->rq", clean, self.actual)
        moments = np.einsum("rst,...st->...r", clean, np.where(self.panel.observed, y, 0.0))
        return moments @ np.linalg.pinv(gram, hermitian=True)

    def smallest_p(self) -> float:
        """Return the smallest p-value any data could give: the share of assignments that are the actual one again.

        An assignment counts as the same where its residual treatment is the actual one up to sign and scale: then the
        two coefficients are equally large whatever the data. 1 where the treatment is not identified.
        """
        if not self.identified:
            return 1.0
        weights = self._row[0] * self.norm[0]
        left = self.panel.demean(np.einsum("r,rst->st", weights, self.actual))
        with np.errstate(invalid="ignore"):
            alike = self.coefficients(left) ** 2 * self.norm / self.norm[0]
        return float(np.mean(~(alike < 1 - 1e-7)))


def _summed_over_pairs(inner: Floats, picks: Ints) -> Floats:
    """Return, for each assignment, the sum of inner[k, date of k, s, date of s] over segments k, s: (P, R, R)."""
    segments, dates, *_, size = inner.shape
    out = np.zeros((len(picks), size, size))
    for k in range(segments):
        for s in range(k, segments):
            table = inner[k, :, s].reshape(dates * dates, size, size)
            table = table if k == s else table + table.transpose(0, 2, 1)
            out += table[picks[:, k] * dates + picks[:, s]]
    return out


def _first_of_inverse(gram: Floats) -> tuple[Floats, Floats]:
    """Return the first row of each inverse, (P, R), and its Schur complement, (P,); NaN where that is nothing."""
    count, size, _ = gram.shape
    scale = np.maximum(gram[:, 0, 0], 1.0)
    if size == 1:
        weights, norm = np.ones((count, 1)), gram[:, 0, 0]
    else:
        # A hair on the diagonal lets a regressor that is empty (nobody has such months) drop out by itself.
        others = gram[:, 1:, 1:] + _HAIR * np.eye(size - 1) * scale[:, None, None]
        slopes = np.linalg.solve(others, gram[:, 1:, :1])[:, :, 0]
        weights = np.concatenate([np.ones((count, 1)), -slopes], axis=1)
        norm = gram[:, 0, 0] - np.einsum("pr,pr->p", gram[:, 0, 1:], slopes)
    with np.errstate(divide="ignore", invalid="ignore"):
        row = weights / np.where(norm > _TOLERANCE * scale, norm, np.nan)[:, None]
    return row, norm


def p_value(coefficients: Floats) -> Floats:
    """Return the share of assignments at least as far from zero as the first; (..., P) -> (...), two-sided.

    An assignment that has no coefficient counts as at least as far.
    """
    size = np.abs(coefficients)
    actual = size[..., :1]
    with np.errstate(invalid="ignore"):
        return np.mean(~(size < actual * (1 - _TOLERANCE)), axis=-1)


def p_at(coefficients: Floats, of_treatment: Floats, value: float) -> Floats:
    """Return the p-value of the hypothesis that the effect is `value`; (..., P) -> (...)."""
    return p_value(coefficients - value * of_treatment)


def invert(coefficients: Floats, of_treatment: Floats, *, alpha: float = ALPHA) -> tuple[float, float]:
    """Return the smallest interval that holds every effect not rejected at `alpha`; (P,), (P,) -> (low, high).

    Under the hypothesis that the effect is x the assignment i gives `a_i - c_i x` and the actual one `a - x`; i is at
    least as far from zero where `((a_i - a) + (1 - c_i) x) ((a_i + a) - (1 + c_i) x) >= 0`, between or beyond two
    roots. The p-value as a function of x is therefore a count that steps at those roots and nowhere else: the ends
    are exact, no grid is searched. They are infinite where the p-value stays above alpha.
    """
    a, c = coefficients, of_treatment
    actual = a[0]
    undefined = np.isnan(a) | np.isnan(c)
    curve, slope = 1 - c**2, 2 * (actual - a * c)
    level = np.abs(curve) < _TOLERANCE
    flat = undefined | (level & (np.abs(slope) < _TOLERANCE * (1 + np.abs(actual))))
    flat[0] = level[0] = True  # the actual assignment is as far as itself, whatever the effect
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (actual - a) / (1 - c), (actual + a) / (1 + c)
        step = (actual**2 - a**2) / slope
    low, high = np.minimum(first, second), np.maximum(first, second)
    between, beyond = ~level & ~undefined & (curve > 0), ~level & ~undefined & (curve < 0)
    rising, falling = level & ~flat & (slope > 0), level & ~flat & (slope < 0)
    starts = np.sort(np.concatenate([low[between], high[beyond], step[rising]]))
    ends = np.sort(np.concatenate([high[between], low[beyond], step[falling]]))
    from_the_left = int(flat.sum() + beyond.sum() + falling.sum())
    at_the_right = int(flat.sum() + beyond.sum() + rising.sum())
    needed = alpha * len(a)

    def count(x: Floats) -> Ints:
        upto, before = np.searchsorted(starts, x, side="right"), np.searchsorted(ends, x, side="left")
        return from_the_left + upto - before

    lower, upper = starts[count(starts) > needed], ends[count(ends) > needed]
    left = -np.inf if from_the_left > needed else (float(lower[0]) if len(lower) else actual)
    right = np.inf if at_the_right > needed else (float(upper[-1]) if len(upper) else actual)
    return float(left), float(right)
