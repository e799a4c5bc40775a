"""Discrete competing-risk hazards: the chance that a deal still open is won, or lost, in the n-th month ahead.

One logistic regression a cause on landmark rows (deal, origin, step), ridge-penalised, fitted by Newton's method
(Tutz & Schmid, *Modeling Discrete Time-to-Event Data*, 2016, ch. 8; Hastie, Tibshirani & Friedman, *The Elements of
Statistical Learning*, 4.4.1). Newton needs only sums over rows, so the same code can run over chunks.
A row of the design is a handful of (column, value) pairs: `Encoding.pieces` gives them, everything else follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

from forecast.models.features import NONE, UNDATED, States, Vocabulary

if TYPE_CHECKING:
    from forecast.calendar import Calendar

AGE_EDGES = np.array([1.0, 2.0, 3.0, 6.0, 12.0])
"""Months that part the age groups."""

SEASON_RIDGE = 2000.0
"""Months of the year differ by some 7 % beyond their place in the quarter, and rows of a deal are not independent."""

_DUE_SPAN = 3
_DUE_LEVELS = 2 * _DUE_SPAN + 2
OWNER_PRIOR = 10.0
"""Information (sum of p (1 - p)) an owner must bring for half of the effect seen to be believed."""

Piece = tuple[str, np.ndarray, np.ndarray | None]


@dataclass(frozen=True)
class Encoding:
    """How states become columns. `terms` names the term of each column, `ridge` its penalty; both shape (columns,).

    `centre` and `scale` standardise log amount and the number columns. With `rich=False` only step, quarter position
    and age are there: the base rate by age.
    """

    words: Vocabulary
    calendar: Calendar
    steps: int
    centre: dict[str, float]
    scale: dict[str, float]
    rich: bool = True

    @property
    def layout(self) -> dict[str, tuple[int, int, float]]:
        """Each block of columns: first column, width, ridge."""
        stages, widths = len(self.words.stages), {}
        widths["step"] = (self.steps, 0.01)
        widths["quarter"] = (6, 0.5)
        widths["season"] = (12, SEASON_RIDGE)
        widths["age"] = (len(AGE_EDGES) + 1, 1.0)
        if self.rich:
            if stages:
                widths["stage"] = (stages, 0.1)
                widths["stage:step"] = (stages * self.steps, 1.0)
                widths["due"] = (_DUE_LEVELS * 3, 1.0)
                widths["overdue"] = (1, 1.0)
                widths["slips"] = (1, 1.0)
                widths["stage_age"] = (2, 1.0)
            if np.isfinite(self.scale["amount"]):
                widths["amount"] = (1, 1.0)
                widths["amount:step"] = (3, 1.0)
                if stages:
                    widths["amount:stage"] = (stages, 1.0)
            widths["segment"] = (len(self.words.segments), 1.0)
            for name, levels in self.words.factors.items():
                if name != "owner":
                    widths[f"is {name}"] = (len(levels), 1.0)
            for name in self.words.numbers:
                widths[f"x {name}"] = (1, 1.0)
        out, at = {}, 0
        for name, (width, ridge) in widths.items():
            out[name] = (at, width, ridge)
            at += width
        return out

    @property
    def width(self) -> int:
        """Number of columns."""
        return sum(width for _, width, _ in self.layout.values())

    @property
    def ridge(self) -> np.ndarray:
        """Penalty of each column, shape (columns,)."""
        return np.concatenate([np.full(width, ridge) for _, width, ridge in self.layout.values()])

    def pieces(self, states: States, rows: np.ndarray, step: np.ndarray) -> Iterator[Piece]:
        """Yield (term, column, value) a row; `rows` index `states`. An unknown level points past the last column."""
        layout, none = self.layout, self.width
        last = np.minimum(step, self.steps - 1)
        early = np.minimum(step, 2)

        def level(name: str, codes: np.ndarray) -> np.ndarray:
            return np.where(codes == NONE, none, layout[name][0] + codes)

        yield "step", layout["step"][0] + last, None
        target = states.target[rows] + step
        yield "quarter", layout["quarter"][0] + self.calendar.quarter_position(target) + 3 * (step > 0), None
        yield "quarter", layout["season"][0] + target % 12, None
        age = states.age[rows]
        yield "age", level("age", np.where(np.isnan(age), NONE, np.searchsorted(AGE_EDGES, age, side="right"))), None
        if not self.rich:
            return
        if "stage" in layout:
            stage = states.stage[rows]
            yield "stage", level("stage", stage), None
            yield "stage", level("stage:step", np.where(stage == NONE, NONE, stage * self.steps + last)), None
            due = states.due[rows]
            away = np.where(due == UNDATED, _DUE_SPAN + 1, np.clip(due - step, -_DUE_SPAN, _DUE_SPAN))
            yield "due", layout["due"][0] + (away + _DUE_SPAN) * 3 + early, None
            yield "due", np.full(len(rows), layout["overdue"][0]), states.overdue[rows].astype(float)
            yield "slips", np.full(len(rows), layout["slips"][0]), np.log1p(states.slips[rows])
            waited = np.nan_to_num(np.log1p(states.stage_age))[rows]
            yield "stage_age", layout["stage_age"][0] + (step >= 2), waited
        if "amount" in layout:
            size = self.standard("amount", np.log1p(states.amount))[rows]
            yield "amount", np.full(len(rows), layout["amount"][0]), size
            yield "amount", layout["amount:step"][0] + early, size
            if "amount:stage" in layout:
                yield "amount", level("amount:stage", states.stage[rows]), size
        yield "segment", level("segment", states.segment[rows]), None
        for name in self.words.factors:
            if name != "owner":
                yield name, level(f"is {name}", states.factors[name][rows]), None
        for name in self.words.numbers:
            yield name, np.full(len(rows), layout[f"x {name}"][0]), self.standard(name, states.numbers[name])[rows]

    def standard(self, name: str, values: np.ndarray) -> np.ndarray:
        """Return values less their mean over their spread, 0 where unknown."""
        return np.nan_to_num((values - self.centre[name]) / self.scale[name])

    def matrix(self, states: States, rows: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Return the dense design, shape (rows, columns), float32."""
        out = np.zeros((len(rows), self.width + 1), dtype=np.float32)
        index = np.arange(len(rows))
        for _, column, value in self.pieces(states, rows, step):
            out[index, column] = 1.0 if value is None else value
        return out[:, :-1]

    def logits(self, states: States, rows: np.ndarray, step: np.ndarray, beta: np.ndarray) -> np.ndarray:
        """Return the linear predictors of several causes; `beta` is (columns, causes), the answer (rows, causes)."""
        padded = np.vstack([beta, np.zeros(beta.shape[1])])
        total = np.zeros((len(rows), beta.shape[1]))
        for _, column, value in self.pieces(states, rows, step):
            total += padded[column] if value is None else padded[column] * value[:, None]
        return total

    def by_term(self, states: States, rows: np.ndarray, step: np.ndarray, beta: np.ndarray) -> dict[str, np.ndarray]:
        """Return what each term adds to the logit, shape (rows,) each; `beta` has shape (columns,)."""
        padded = np.append(beta, 0.0)
        out: dict[str, np.ndarray] = {}
        for term, column, value in self.pieces(states, rows, step):
            part = padded[column] if value is None else padded[column] * value
            out[term] = out[term] + part if term in out else part
        return out


def encoding(words: Vocabulary, calendar: Calendar, states: States, *, steps: int, rich: bool = True) -> Encoding:
    """Return the encoding whose means and spreads come from `states`."""
    values = {"amount": np.log1p(states.amount), **states.numbers}
    centre, scale = {}, {}
    for name, x in values.items():
        known = x[np.isfinite(x)]
        centre[name] = float(known.mean()) if len(known) else 0.0
        spread = float(known.std()) if len(known) else 0.0
        scale[name] = spread if spread > 1e-9 * (1 + abs(centre[name])) else np.inf
    return Encoding(words, calendar, steps, centre, scale, rich)


# -- fitting -------------------------------------------------------------------------------------------


def fit_logistic(
    design: np.ndarray,
    outcome: np.ndarray,
    *,
    ridge: np.ndarray,
    weight: np.ndarray | None = None,
    offset: np.ndarray | None = None,
    start: np.ndarray | None = None,
    tolerance: float = 1e-6,
    most: int = 30,
) -> np.ndarray:
    """Return the coefficients that minimise  -(weighted) log likelihood + sum(ridge * beta^2) / 2.

    Parameters
    ----------
    design : shape (rows, columns). outcome : shape (rows,), 0 or 1. ridge : shape (columns,), at least 0.
    weight : of each row, shape (rows,). offset : added to the logit, shape (rows,). start : first guess, (columns,).

    Steps are halved where a full one would not lower the objective. The Gram matrix is summed in the precision of
    `design`, the gradient in float64, so that only the path, not the answer, feels single precision.
    """
    n, width = design.shape
    beta = np.zeros(width) if start is None else start.astype(float)
    y = np.asarray(outcome, dtype=float)
    base = np.zeros(n) if offset is None else offset
    w = np.ones(n) if weight is None else weight

    def objective(candidate: np.ndarray) -> tuple[float, np.ndarray]:
        eta = design @ candidate.astype(design.dtype) + base
        return float(w @ (np.logaddexp(0, eta) - y * eta) + 0.5 * ridge @ candidate**2), eta

    value, eta = objective(beta)
    factor, before = None, np.inf
    for _ in range(most):
        p = expit(eta)
        gradient = _product(design, w * (y - p)) - ridge * beta
        # The Gram matrix is most of the work and changes little near the end: it is kept while steps shrink fast.
        if factor is None:
            weighted = design * np.sqrt(w * p * (1 - p)).astype(design.dtype)[:, None]
            gram = (weighted.T @ weighted).astype(float)
            gram[np.diag_indices(width)] += ridge + 1e-8 * (1 + gram.diagonal())
            factor = cho_factor(gram, check_finite=False)
        move = cho_solve(factor, gradient, check_finite=False)
        promised = float(gradient @ move)
        if promised < tolerance * (1 + 1e-3 * n):
            return beta + move
        share = 1.0
        while True:
            trial, trial_eta = objective(beta + share * move)
            if trial <= value - 1e-4 * share * promised or share < 1e-4:
                break
            share /= 2
        beta, value, eta = beta + share * move, trial, trial_eta
        if share < 1.0 or promised > 0.05 * before:
            factor = None
        before = promised
    return beta


def _product(design: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Return design' vector, summed in chunks so that single precision does not add up its errors."""
    total = np.zeros(design.shape[1])
    for at in range(0, len(vector), 4096):
        total += vector[at : at + 4096].astype(design.dtype) @ design[at : at + 4096]
    return total


def shrunk_effects(codes: np.ndarray, y: np.ndarray, p: np.ndarray, *, levels: int, prior: float) -> np.ndarray:
    """Return one effect a level on the logit: a Newton step from zero under a N(0, 1/prior) prior; shape (levels,).

    `codes` NONE belongs to no level. A level without rows has effect 0.
    """
    known = codes != NONE
    excess = np.bincount(codes[known], weights=(y - p)[known], minlength=levels)
    information = np.bincount(codes[known], weights=(p * (1 - p))[known], minlength=levels)
    return excess / (information + prior)


# -- from hazards to probabilities ---------------------------------------------------------------------


def incidence(won: np.ndarray, lost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the chance to be won in each step and to be still open after the last.

    won, lost : hazards, shape (n, steps). Returns shapes (n, steps) and (n,):
    P_h = w_h * prod_{k<h} (1 - w_k - l_k)  (cumulative incidence, Kalbfleisch & Prentice 2002, 8.2).
    """
    stay = np.clip(1.0 - won - lost, 0.0, 1.0)
    before = np.ones_like(won)
    before[:, 1:] = np.cumprod(stay, axis=1)[:, :-1]
    return won * before, before[:, -1] * stay[:, -1] if won.shape[1] else np.ones(len(won))


def both_hazards(eta_won: np.ndarray, eta_lost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return hazards from logits; where the two would exceed 1 together they share it."""
    won, lost = expit(eta_won), expit(eta_lost)
    excess = np.maximum(won + lost, 1.0)
    return won / excess, lost / excess


def log_loss(won: np.ndarray, lost: np.ndarray, is_won: np.ndarray, is_lost: np.ndarray) -> float:
    """Return the mean of -log of the probability given to what happened (won, lost or open), in nats."""
    p = np.where(is_won, won, np.where(is_lost, lost, 1.0 - won - lost))
    return float(-np.log(np.maximum(p, 1e-12)).mean())
