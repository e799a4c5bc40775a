"""Did errors change at the starts: two comparisons that must agree, and how often chance alone makes them agree.

The simple case, given the record. A segment begins; what its errors do from then on is compared with what its own past,
and the errors of the others in the same months, led to expect. Whoever begins because its errors were bad is compared
with what follows bad errors anyway. This is right if who begins depends on past errors only (sequential ignorability),
and wrong where a bad spell ends with the start for another reason.

The second comparison sets the six months before each start aside and compares the months from the start on with those
before: it knows nothing of a spell that ends with the start, and it is wrong where a spell lasts. The two bracket the
truth (Ding and Li 2019, Political Analysis 27). So a change is claimed only where both show it, in the same direction.

How often chance makes them agree: the start dates are assigned to the segments anew, many times. Of each assignment the
smaller of its two standardised coefficients counts, zero where the signs differ. The p-value is the share of
assignments that agree at least as strongly; it is never below `BOTH` times the larger p-value of either alone, since
where dates were not given by lot one of the two may be wrong. A hypothesis x is tested by taking exp(x) out of the
errors first; the interval holds the x that are not rejected, the estimate lies midway between those of the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.evaluation.planning.inference.histories import MEAN, Histories, Innovations
from forecast.evaluation.planning.inference.randomisation import ALPHA, SET_ASIDE, Floats, Ints, months_aside, treatment

BOTH = ALPHA / 0.08
"""Neither comparison alone may have a p-value above .08 where a change is claimed."""

LIMIT = 32.0
"""Largest change that is looked at, in logs: beyond it there is no error left, or nothing else."""

_TOLERANCE = 1e-9
_CLOSE = 1e-9
_GRID = np.concatenate([[0.0], 0.06 * (LIMIT / 0.06) ** (np.arange(16) / 15)])
_STEPS = 0.05 * (LIMIT / 0.05) ** (np.arange(12) / 11)
_HALVES, _POINTS, _NARROWED = 3, 5, 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Regressors:
    """What a comparison regresses innovations on: the first is asked for, the others are taken out of it.

    rows : (R, J, T), regressor r of a segment that begins at the j-th distinct date.
    """

    rows: Floats


class Starts:
    """The start dates under every assignment, and the comparisons made on them.

    Parameters
    ----------
    dates : (J,) distinct, sorted. months : (T,). assigned : (P, S) of `assignments`; the actual one first.
    histories : whose structures the innovations are made with.
    """

    def __init__(self, dates: Ints, months: Ints, assigned: Ints, histories: Histories) -> None:
        self.dates, self.months, self.assigned = dates, months, assigned
        self._whiten = histories.structures.whiten
        self._onehot = (assigned[:, :, None] == np.arange(len(dates))).reshape(len(assigned), -1).astype(np.float64)
        self._made: dict[tuple[Regressors, int], tuple[Floats, float, Floats]] = {}
        after = treatment(dates, months)
        self.given_record = Regressors(rows=after[None])
        self.set_aside = Regressors(rows=np.stack([after, *months_aside(dates, months, SET_ASIDE)]))

    def length(self, of: Regressors, structure: int) -> float:
        """Return the squared length of what the other regressors leave of the first; 0 where nothing is left."""
        return self._row(of, structure)[1]

    def precision(self, of: Regressors) -> Floats:
        """Return that length for every structure; (M,)."""
        return np.array([self.length(of, m) for m in range(len(self._whiten))])

    def identified(self) -> bool:
        """Return whether the treatment moves apart from months, segments and the months set aside."""
        both = (self.given_record, self.set_aside)
        return all(self.length(of, 0) > 0 for of in both)

    def smallest_p(self) -> float:
        """Return the smallest p-value any data could give: where assignments are the actual one again.

        An assignment counts as that where its treatment, as the comparison sees it, is the actual one up to its sign.
        """
        alike = []
        for of in (self.given_record, self.set_aside):
            row, length, _ = self._row(of, 0)
            actual = row[self.assigned[0]]
            table = (actual - actual.mean(axis=0)) @ row.T
            alike.append((self._onehot @ table.ravel()) / max(length, _CLOSE))
        same = [np.abs(each) >= 1 - 1e-7 for each in alike]
        together = same[0] & same[1] & (alike[0] * alike[1] > 0)
        return float(max(together.mean(), BOTH * max(each.mean() for each in same)))

    def coefficients(self, of: Regressors, innovations: Innovations, *, actual_only: bool = False) -> Floats:
        """Return the first regressor's coefficient under every assignment, the actual one first; (K, P) or (K, 1)."""
        out = np.empty((len(innovations.values), 1 if actual_only else len(self._onehot)))
        onehot = self._onehot[:1] if actual_only else self._onehot
        for structure in np.unique(innovations.structure):
            row, length, _ = self._row(of, int(structure))
            which = innovations.structure == structure
            table = innovations.values[which] @ row.T
            out[which] = (table.reshape(len(table), -1) @ onehot.T) / length if length > 0 else 0.0
        return out

    def without_others(self, of: Regressors, innovations: Innovations) -> Innovations:
        """Return innovations less what the other regressors explain under the actual assignment.

        For a check that must not mistake the effect for a sign of something else (Freedman and Lane 1983).
        """
        values = innovations.values.copy()
        for structure in np.unique(innovations.structure):
            _, _, others = self._row(of, int(structure))
            which = innovations.structure == structure
            gram = np.einsum("rst,qst->rq", others, others)
            slopes = np.einsum("kst,rst->kr", values[which], others) @ np.linalg.pinv(gram, hermitian=True)
            values[which] -= np.einsum("kr,rst->kst", slopes, others)
        return Innovations(
            values=values,
            structure=innovations.structure,
            shift=innovations.shift,
            variance=innovations.variance,
            response=innovations.response,
        )

    def _row(self, of: Regressors, structure: int) -> tuple[Floats, float, Floats]:
        """Return what is left of the first regressor as rows by date (J, T), its squared length, and the others.

        Nothing is missing, so the length is the same whichever segment gets which date.
        """
        key = (of, structure)
        if key not in self._made:
            whiten = self._whiten[structure]
            actual = of.rows[:, self.assigned[0], :] @ whiten.T
            actual = actual - actual.mean(axis=1, keepdims=True)
            gram = np.einsum("rst,qst->rq", actual, actual)
            slopes = np.linalg.pinv(gram[1:, 1:], hermitian=True) @ gram[1:, 0] if len(of.rows) > 1 else np.zeros(0)
            weights = np.concatenate([[1.0], -slopes])
            length = float(weights @ gram[:, 0])
            length = length if length > 1e-7 * max(float(gram[0, 0]), _CLOSE) else 0.0
            self._made[key] = np.einsum("r,rjt->jt", weights, of.rows) @ whiten.T, length, actual[1:]
        return self._made[key]


def two_sided(coefficients: Floats) -> Floats:
    """Return the share of assignments at least as far from zero as the actual one; (K, P) -> (K,)."""
    return np.mean(np.abs(coefficients) >= np.abs(coefficients[:, :1]) * (1 - _TOLERANCE), axis=1)


def one_sided(coefficients: Floats, sign: Floats | float) -> Floats:
    """Return the share of assignments at least as far to the side of `sign`; (K, P), (K,) -> (K,)."""
    signed = coefficients * np.broadcast_to(np.asarray(sign, dtype=np.float64), (len(coefficients),))[:, None]
    return np.mean(signed >= signed[:, :1] - _TOLERANCE * np.abs(signed[:, :1]), axis=1)


def p_of_agreement(given_record: Floats, set_aside: Floats) -> Floats:
    """Return the p-value of no change from the coefficients of both comparisons; (K, P) twice -> (K,)."""
    standardised = [_standardised(each) for each in (given_record, set_aside)]
    smaller = np.minimum(np.abs(standardised[0]), np.abs(standardised[1]))
    agreed = np.where(standardised[0] * standardised[1] > 0, smaller, 0.0)
    together = np.mean(agreed >= agreed[:, :1] * (1 - _TOLERANCE), axis=1)
    alone = np.maximum(two_sided(given_record), two_sided(set_aside))
    return np.maximum(together, BOTH * alone)


def _standardised(coefficients: Floats) -> Floats:
    spread = np.sqrt(np.mean(coefficients**2, axis=1, keepdims=True))
    return coefficients / np.where(spread > 0, spread, 1.0)


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of the errors in logs: the estimates of both comparisons and midway, p-value and 95 % interval."""

    given_record: float
    set_aside: float
    p: float
    low: float
    high: float

    @property
    def estimate(self) -> float:
        """The middle of the two; infinite where either is."""
        return (self.given_record + self.set_aside) / 2


class Agreement:
    """The test on one panel: p-value, estimate and interval. `mean` looks at the errors themselves, not at logs."""

    def __init__(self, starts: Starts, histories: Histories, *, mean: bool = False) -> None:
        self.starts, self._histories, self._mean = starts, histories, mean
        self._precision = starts.precision(starts.given_record)

    def innovations(self, effects: Floats) -> Innovations:
        """Return the innovations with effects (K,) taken out."""
        if self._mean:
            return self._histories.at_shift(effects, shift=MEAN)
        return self._histories.innovations(effects, precision=self._precision)

    def p_value(self, effects: Floats) -> Floats:
        """Return the p-value of the hypothesis that the effect is x, for each x (K,) -> (K,)."""
        left = self.innovations(effects)
        both = [self.starts.coefficients(of, left) for of in (self.starts.given_record, self.starts.set_aside)]
        return p_of_agreement(*both)

    def change(self) -> Change:
        """Return the estimates, the p-value of no change, and the interval of the x that are not rejected."""
        one, other = self._estimates()
        middle = (one + other) / 2 if np.isfinite(one) and np.isfinite(other) else one if np.isinf(one) else other
        p = float(self.p_value(np.zeros(1))[0])
        low, high = self._interval(float(np.clip(middle, -LIMIT, LIMIT)))
        if p > ALPHA:  # no change is not rejected, so it belongs to the interval, however it was rounded
            low, high = min(low, 0.0), max(high, 0.0)
        return Change(given_record=one, set_aside=other, p=p, low=low, high=high)

    def _estimates(self) -> tuple[float, float]:
        """Return the x at which each comparison's coefficient is zero: it falls as more is taken out.

        The step in which it changes its sign is narrowed down twice, then taken as a straight line.
        """
        grid = np.concatenate([-_GRID[:0:-1], _GRID])
        found = self._coefficients(grid)
        roots = []
        for side in range(2):
            values = found[side]
            if not values.any():
                roots.append(0.0)
                continue
            last = np.flatnonzero(values > 0)
            at = int(last[-1]) if len(last) else -1
            if at == len(grid) - 1 or at == -1:
                roots.append(np.inf if at >= 0 else -np.inf)
                continue
            near, far, ends = grid[at], grid[at + 1], values[at : at + 2]
            for _ in range(_NARROWED):
                between = np.linspace(near, far, _POINTS + 2)
                values = np.concatenate([ends[:1], self._coefficients(between[1:-1])[side], ends[1:]])
                at = int(np.argmin(values > 0)) - 1
                near, far, ends = between[at], between[at + 1], values[at : at + 2]
            roots.append(near + (far - near) * ends[0] / (ends[0] - ends[1]))
        return float(roots[0]), float(roots[1])

    def _coefficients(self, effects: Floats) -> Floats:
        left = self.innovations(effects)
        both = (self.starts.given_record, self.starts.set_aside)
        return np.stack([self.starts.coefficients(of, left, actual_only=True)[:, 0] for of in both])

    def _interval(self, home: float) -> tuple[float, float]:
        """Return the ends: from the estimate outwards on both sides, then narrowed down and rounded outwards."""
        sides = np.array([[-1.0], [1.0]])
        steps = np.concatenate([[0.0], _STEPS])
        inside = self._not_rejected(home + sides * _STEPS)
        last = np.where(inside.any(axis=1), len(_STEPS) - np.argmax(inside[:, ::-1], axis=1), 0)
        endless = (last == len(_STEPS)) | (np.abs(home) >= LIMIT) & (np.sign(home) == sides[:, 0])
        near, far = steps[last], steps[np.minimum(last + 1, len(_STEPS))]
        for _ in range(_HALVES):
            between = near[:, None] + (far - near)[:, None] * np.arange(1, _POINTS + 1) / (_POINTS + 1)
            inside = self._not_rejected(home + sides * between)
            edges = np.column_stack([near, between, far])
            last = np.where(inside.any(axis=1), _POINTS - np.argmax(inside[:, ::-1], axis=1), 0)
            near, far = edges[[0, 1], last], edges[[0, 1], last + 1]
        ends = np.where(endless, np.inf, far)
        return float(home - ends[0]), float(home + ends[1])

    def _not_rejected(self, effects: Floats) -> np.ndarray:
        return np.asarray(self.p_value(effects.ravel()) > ALPHA).reshape(effects.shape)
