"""The errors of each segment as a history of innovations, with an effect of joint planning taken out.

The simple case: log errors, less what is usual for the segment and for the month, less what the benchmark's errors
explain. If joint planning multiplies errors by exp(x), dividing by exp(x) where it was in force leaves errors that no
date has touched.

The complications:

- The logarithm of a single error has a long left tail (a forecast that happened to be nearly right), the error itself a
  long right one. So it is the log of (error over the segment's mean, plus c), and c is that of `SHIFTS` at which a
  given change in per cent stands out most from what is left. The plain mean, `c = inf`, is asked for as well.
- A benchmark error is scaled the same way; it and the mean of its neighbours, two months to each side, are covariates.
- Which structure the errors have over time (`persistence`), and which c, is chosen anew for every x, without the dates:
  so a test of x stays exact whatever is chosen.
- A month that is missing is filled with what its segment's other months lead to expect: like everything else, without
  the dates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.evaluation.planning.inference.persistence import Fit, Structures, best_structure, slopes_under, structures
from forecast.evaluation.planning.inference.randomisation import Cells, Floats, Ints

SHIFTS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""What is added to an error over its segment's mean before the logarithm."""

MEAN = np.inf
"""The shift that stands for no logarithm at all."""

BENCHMARK_SHIFT = 0.1
"""The shift for the benchmark's error where it is looked at by itself."""

NEIGHBOURS = 2
"""Months before and after whose benchmark errors help to tell how hard a month was."""

_ROUNDING = 1e-11
_FILLED_BY = 0.5, 0.8
"""Share of what lasts in an error, and its correlation from month to month, by which a missing month is filled."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Innovations:
    """Innovations of the panels stacked, each under the structure that fits it best.

    values : (K, S, T), without the mean over segments. structure, shift : (K,). variance : (K,) of an innovation.
    response : (K,), by how much an outcome moves for a small change of the errors by the factor exp(x), per x.
    """

    values: Floats
    structure: Ints
    shift: Floats
    variance: Floats
    response: Floats


class Histories:
    """The errors of one panel, from which effects can be taken out.

    Parameters
    ----------
    observed : (S, T). months : (T,), increasing. error, benchmark : (S, T), >= 0, or (K, S, T) for panels alike.
    treated : (S, T), 1 where joint planning was in force.
    """

    def __init__(self, observed: np.ndarray, months: Ints, error: Floats, benchmark: Floats, treated: Floats) -> None:
        self.structures: Structures = structures(months)
        self.treated = treated
        self._cells, self._fill = Cells(observed), _filling(observed, months)
        self._observed = observed
        self._error = np.where(observed, error, 0.0)
        self._benchmark = np.where(observed, benchmark, 0.0)
        distance = np.abs(months[:, None] - months[None, :])
        near = ((distance > 0) & (distance <= NEIGHBOURS)).astype(np.float64)
        self._near = near / np.maximum(near.sum(axis=0), 1.0)
        self._pairs: dict[float, Floats] = {}

    def innovations(self, effects: Floats, *, precision: Floats, benchmark: bool = True) -> Innovations:
        """Return the innovations at the shift of `SHIFTS` at which a change of the errors stands out most.

        effects : (K,), taken out of the errors. precision : (M,), by structure, how well a change that lasts is told
        (the squared length of the treatment's innovations). benchmark : whether the benchmark's errors are covariates.
        """
        best: Innovations | None = None
        stands_out = np.zeros(0)
        for shift in SHIFTS:
            found = self.at_shift(effects, shift=shift, benchmark=benchmark)
            clear = found.response * np.sqrt(precision[found.structure] / found.variance)
            if best is None:
                best, stands_out = found, clear
                continue
            better = clear > stands_out * (1 + 1e-9)
            stands_out = np.where(better, clear, stands_out)
            best = _either(better, found, best)
        assert best is not None
        return best

    def at_shift(self, effects: Floats, *, shift: float, benchmark: bool = True) -> Innovations:
        """Return the innovations of the errors at one shift; `MEAN` for the errors themselves."""
        taken_out = self._error * np.exp(-np.asarray(effects, dtype=np.float64)[:, None, None] * self.treated)
        outcome, response = self._outcome(taken_out, shift)
        covariates = np.zeros((len(outcome), 0, *outcome.shape[1:]))
        if benchmark:
            pair = self._covariates(shift)
            covariates = np.broadcast_to(pair, (len(outcome), *pair.shape[-3:]))
        return self._innovations(outcome, covariates, response=response, shift=shift)

    def under(self, *, structure: int, shift: float) -> Innovations:
        """Return the innovations of the errors as they are, under a structure and a shift already chosen."""
        outcome, response = self._outcome(self._error if self._error.ndim == 3 else self._error[None], shift)
        pair = self._covariates(shift)
        covariates = np.broadcast_to(pair, (len(outcome), *pair.shape[-3:]))
        whiten = self.structures.whiten[structure]
        slopes, variance = slopes_under(outcome @ whiten.T, covariates @ whiten.T)
        left = outcome - np.einsum("kc,kcst->kst", slopes, covariates)
        return Innovations(
            values=np.where(np.abs(left) < _ROUNDING, 0.0, left) @ whiten.T,
            structure=np.full(len(outcome), structure),
            shift=np.full(len(outcome), shift),
            variance=variance,
            response=response,
        )

    def of_benchmark(self) -> Innovations:
        """Return the innovations of the benchmark's own errors; K = 1, or the panels stacked."""
        errors = self._benchmark if self._benchmark.ndim == 3 else self._benchmark[None]
        outcome, response = self._outcome(errors, BENCHMARK_SHIFT)
        none = np.zeros((len(outcome), 0, *outcome.shape[1:]))
        return self._innovations(outcome, none, response=response, shift=BENCHMARK_SHIFT)

    def _innovations(self, outcome: Floats, covariates: Floats, *, response: Floats, shift: float) -> Innovations:
        fit: Fit = best_structure(self.structures, outcome, covariates)
        left = outcome - np.einsum("kc,kcst->kst", fit.slopes, covariates)
        left = np.where(np.abs(left) < _ROUNDING, 0.0, left)  # where nothing is left, rounding is no evidence
        values = np.einsum("kut,kst->ksu", self.structures.whiten[fit.structure], left)
        return Innovations(
            values=values,
            structure=fit.structure,
            shift=np.full(len(outcome), shift),
            variance=fit.variance,
            response=response,
        )

    def _outcome(self, errors: Floats, shift: float) -> tuple[Floats, Floats]:
        """Return scaled errors, filled, without the mean of each month; (K, S, T) and the response (K,)."""
        ratio = errors / _means(errors, self._observed)
        count = max(int(self._observed.sum()), 1)
        if np.isinf(shift):
            values, moves = ratio, ratio
        else:
            values, moves = np.log(ratio + shift), ratio / (ratio + shift)
        response = np.where(self._observed, moves, 0.0).sum(axis=(-2, -1)) / count
        return self._filled(values), response

    def _covariates(self, shift: float) -> Floats:
        """Return the benchmark's scaled errors and their neighbours' mean; (..., 2, S, T)."""
        if shift not in self._pairs:
            own, _ = self._outcome(self._benchmark, shift)
            self._pairs[shift] = np.stack([own, own @ self._near], axis=-3)
        return self._pairs[shift]

    def _filled(self, values: Floats) -> Floats:
        """Fill missing months from the segment's others, and take out the mean over segments of each month."""
        if self._fill is not None:
            left = self._cells.demean(np.where(self._observed, values, 0.0))
            usual = self._cells.fitted(np.where(self._observed, values, 0.0))
            expected = usual + np.einsum("stu,...su->...st", self._fill, left)
            values = np.where(self._observed, values, expected)
        return values - values.mean(axis=-2, keepdims=True)


def _means(errors: Floats, observed: np.ndarray) -> Floats:
    """Return each segment's mean over the months observed, 1 where there is nothing; (..., S, 1)."""
    count = np.maximum(observed.sum(axis=-1, keepdims=True), 1)
    means = np.where(observed, errors, 0.0).sum(axis=-1, keepdims=True) / count
    return np.where(means > 0, means, 1.0)


def _filling(observed: np.ndarray, months: Ints) -> Floats | None:
    """Return for each segment what its months observed lead to expect of all, (S, T, T); None where none is missing."""
    if observed.all():
        return None
    share, correlation = _FILLED_BY
    distance = np.abs(months[:, None] - months[None, :]).astype(np.float64)
    variance = (1 - share) * np.eye(len(months)) + share * correlation**distance
    out = np.zeros((len(observed), len(months), len(months)))
    for s, there in enumerate(observed):
        inside = np.flatnonzero(there)
        if len(inside):
            inverse = np.linalg.inv(variance[np.ix_(inside, inside)])
            out[s][:, inside] = share * correlation ** distance[:, inside] @ inverse
    return out


def _either(where: np.ndarray, one: Innovations, other: Innovations) -> Innovations:
    """Return the innovations of one where `where` (K,) is true, else of the other."""
    return Innovations(
        values=np.where(where[:, None, None], one.values, other.values),
        structure=np.where(where, one.structure, other.structure),
        shift=np.where(where, one.shift, other.shift),
        variance=np.where(where, one.variance, other.variance),
        response=np.where(where, one.response, other.response),
    )
