"""Discrete competing-risk hazards: the chance that a deal still open is won, or lost, in the n-th month ahead.

One logistic regression a cause on landmark rows (deal, origin, step), ridge-penalised, fitted by Newton's method
(Tutz & Schmid, *Modeling Discrete Time-to-Event Data*, 2016, ch. 8; Hastie, Tibshirani & Friedman, *The Elements of
Statistical Learning*, 4.4.1). Newton needs only sums over rows, so the same code can run over chunks.
A row of the design is a handful of (column, value) pairs: `Encoding.pieces` gives them, everything else follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

from forecast.models.win.normal_scores import NormalScores, normal_scores
from forecast.models.win.rows import NONE, UNDATED, States, Vocabulary

if TYPE_CHECKING:
    from forecast.calendar import Calendar

AGE_EDGES = np.array([1.0, 2.0, 3.0, 6.0, 12.0])
"""Months that part the age groups."""

SEASON_RIDGE = 600.0
"""Months of the year are thought to differ by some 7 % beyond their place in the quarter (a precision of 200), and a
win is in the rows of some three landmarks."""

_DUE_SPAN = 3
_DUE_LEVELS = 2 * _DUE_SPAN + 2
OWNER_PRIOR = 10.0
"""Information (sum of p (1 - p)) an owner must bring for half of the effect seen to be believed."""

MOST_CLOSED = 0.97
"""Chance to close in one month that no deal exceeds."""

_CHUNK = 2048

Piece = tuple[str, np.ndarray, np.ndarray | None]


@dataclass(frozen=True)
class Encoding:
    """How states become columns. `terms` names the term of each column, `ridge` its penalty; both shape (columns,).

    `centre` and `spread` standardise log amount (spread inf = it does not vary); `scores` map the number columns that
    vary. With `rich=False` only step, quarter position and age are there: the base rate by age.
    """

    words: Vocabulary
    calendar: Calendar
    steps: int
    centre: float
    spread: float
    scores: Mapping[str, NormalScores]
    rich: bool = True

    @cached_property
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
                widths["stage_age:stage"] = (stages, 3.0)
            if self.words.amount and np.isfinite(self.spread):
                widths["amount"] = (1, 1.0)
                widths["amount:step"] = (self.steps, 1.0)
                if stages:
                    widths["amount:stage"] = (stages, 1.0)
            widths["segment"] = (self.words.width("segment"), 1.0)
            for name in self.words.factors:
                if name != "owner":
                    widths[f"is {name}"] = (self.words.width(name), 1.0)
            for name in self.scores:
                widths[f"x {name}"] = (1, 1.0)
        out, at = {}, 0
        for name, (width, ridge) in widths.items():
            out[name] = (at, width, ridge)
            at += width
        return out

    @cached_property
    def width(self) -> int:
        """Number of columns."""
        return sum(width for _, width, _ in self.layout.values())

    @cached_property
    def ridge(self) -> np.ndarray:
        """Penalty of each column, shape (columns,)."""
        return np.concatenate([np.full(width, ridge) for _, width, ridge in self.layout.values()])

    def fixed_pieces(self, states: States) -> Iterator[Piece]:
        """Yield (term, column, value) a state: what is the same in every step. An unknown level points past the end."""
        layout, none = self.layout, self.width

        def level(name: str, codes: np.ndarray) -> np.ndarray:
            return np.where(codes == NONE, none, layout[name][0] + codes)

        age = states.age
        yield "age", level("age", np.where(np.isnan(age), NONE, np.searchsorted(AGE_EDGES, age, side="right"))), None
        if not self.rich:
            return
        if "stage" in layout:
            yield "stage", level("stage", states.stage), None
            yield "due", np.full(len(states), layout["overdue"][0]), states.overdue.astype(float)
            yield "slips", np.full(len(states), layout["slips"][0]), np.log1p(states.slips)
            waited = np.nan_to_num(np.log1p(states.stage_age))
            yield "stage_age", level("stage_age:stage", states.stage), waited
        if "amount" in layout:
            size = self.size(states)
            yield "amount", np.full(len(states), layout["amount"][0]), size
            if "amount:stage" in layout:
                yield "amount", level("amount:stage", states.stage), size
        yield "segment", level("segment", self.words.kept["segment"][states.segment]), None
        for name in self.words.factors:
            if name != "owner":
                yield name, level(f"is {name}", self.words.kept[name][states.factors[name]]), None
        for name, score in self.scores.items():
            yield name, np.full(len(states), layout[f"x {name}"][0]), score(states.numbers[name])

    def step_pieces(self, states: States, rows: np.ndarray, step: np.ndarray) -> Iterator[Piece]:
        """Yield (term, column, value) a row, `rows` indexing `states`: what depends on the step."""
        layout, none = self.layout, self.width
        last = np.minimum(step, self.steps - 1)
        early = np.minimum(step, 2)
        yield "step", layout["step"][0] + last, None
        target = states.target[rows] + step
        yield "quarter", layout["quarter"][0] + self.calendar.quarter_position(target) + 3 * (step > 0), None
        yield "quarter", layout["season"][0] + target % 12, None
        if not self.rich:
            return
        if "stage" in layout:
            stage = states.stage[rows].astype(np.int64)
            at = np.where(stage == NONE, none, layout["stage:step"][0] + stage * self.steps + last)
            yield "stage", at, None
            due = states.due[rows]
            away = np.where(due == UNDATED, _DUE_SPAN + 1, np.clip(due - step, -_DUE_SPAN, _DUE_SPAN))
            yield "due", layout["due"][0] + (away + _DUE_SPAN) * 3 + early, None
            waited = np.nan_to_num(np.log1p(states.stage_age))[rows]
            yield "stage_age", layout["stage_age"][0] + (step >= 2), waited
        if "amount" in layout:
            size = self.size(states)[rows]
            yield "amount", layout["amount:step"][0] + last, size

    def size(self, states: States) -> np.ndarray:
        """Return log amounts less their mean over their spread, 0 where unknown."""
        return np.nan_to_num((np.log1p(states.amount) - self.centre) / self.spread)

    def matrix(self, states: States, rows: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Return the dense design, shape (rows, columns), float32."""
        pieces: list[tuple[np.ndarray, np.ndarray | None, np.ndarray | None]]
        pieces = [(column, value, rows) for _, column, value in self.fixed_pieces(states)]
        pieces += [(column, value, None) for _, column, value in self.step_pieces(states, rows, step)]
        out = np.zeros((len(rows), self.width + 1), dtype=np.float32)
        # In parts that stay in the cache while every piece is put in its place.
        for at in range(0, len(rows), _CHUNK):
            part = slice(at, at + _CHUNK)
            chunk = out[part]
            index = np.arange(len(chunk))
            for column, value, where in pieces:
                here = part if where is None else where[part]
                chunk[index, column[here]] = 1.0 if value is None else value[here]
        return out[:, :-1]

    def logits(self, states: States, beta: np.ndarray, *, steps: int) -> np.ndarray:
        """Return the linear predictors of several causes, (n, steps, causes); `beta` is (columns, causes)."""
        padded = np.vstack([beta, np.zeros(beta.shape[1])])

        def effect(column: np.ndarray, value: np.ndarray | None) -> np.ndarray:
            # `take` is some ten times as quick as an index where rows are short.
            each = padded.take(column, axis=0)
            return each if value is None else each * value[:, None]

        fixed = np.zeros((len(states), beta.shape[1]))
        for _, column, value in self.fixed_pieces(states):
            fixed += effect(column, value)
        everyone = np.arange(len(states))
        out = np.empty((len(states), steps, beta.shape[1]))
        for step in range(steps):
            total = fixed.copy()
            for _, column, value in self.step_pieces(states, everyone, np.full(len(states), step)):
                total += effect(column, value)
            out[:, step] = total
        return out

    def by_term(self, states: States, rows: np.ndarray, step: np.ndarray, beta: np.ndarray) -> dict[str, np.ndarray]:
        """Return what each term adds to the logit, shape (rows,) each; `beta` has shape (columns,)."""
        padded = np.append(beta, 0.0)
        out: dict[str, np.ndarray] = {}
        pieces = [(term, column, value, rows) for term, column, value in self.fixed_pieces(states)]
        every = np.arange(len(rows))
        pieces += [(term, column, value, every) for term, column, value in self.step_pieces(states, rows, step)]
        for term, column, value, where in pieces:
            part = (padded[column] if value is None else padded[column] * value)[where]
            out[term] = out[term] + part if term in out else part
        return out


def encoding(words: Vocabulary, calendar: Calendar, states: States, *, steps: int, rich: bool = True) -> Encoding:
    """Return the encoding whose mean, spread and scores come from `states`."""
    sizes = np.log1p(states.amount[np.isfinite(states.amount)])
    centre, spread = (float(sizes.mean()), float(sizes.std())) if len(sizes) else (0.0, 0.0)
    scores = {name: normal_scores(states.numbers[name]) for name in words.numbers} if rich else {}
    return Encoding(
        words,
        calendar,
        steps,
        centre,
        spread if spread > 1e-9 * (1 + abs(centre)) else np.inf,
        {name: score for name, score in scores.items() if score is not None},
        rich,
    )


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
    return newton(
        design, outcome, ridge=ridge, weight=weight, offset=offset, start=start, tolerance=tolerance, most=most
    )[0]


def newton(
    design: np.ndarray,
    outcome: np.ndarray,
    *,
    ridge: np.ndarray,
    weight: np.ndarray | None = None,
    offset: np.ndarray | None = None,
    start: np.ndarray | None = None,
    tolerance: float = 1e-6,
    most: int = 30,
) -> tuple[np.ndarray, np.ndarray]:
    """Return what `fit_logistic` does, and the penalised information  sum w p (1 - p) x x' + diag(ridge)  near it.

    The information, (columns, columns), is that of the last step at which it was summed.
    """
    n, width = design.shape
    beta = np.zeros(width) if start is None else start.astype(float)
    y = np.asarray(outcome, dtype=design.dtype)
    w = np.ones(n) if weight is None else weight

    def objective(candidate: np.ndarray) -> tuple[float, np.ndarray]:
        eta = design @ candidate.astype(design.dtype)
        if offset is not None:
            eta = eta + offset
        return float(w @ (softplus(eta) - y * eta) + 0.5 * ridge @ candidate**2), eta

    value, eta = objective(beta)
    factor, before, gram = None, np.inf, np.zeros((width, width))
    for _ in range(most):
        p = expit(eta.astype(float))
        gradient = _product(design, w * (y - p)) - ridge * beta
        # The Gram matrix is most of the work and changes little near the end: it is kept while steps shrink fast.
        if factor is None:
            gram = gram_of(design, w * p * (1 - p))
            gram[np.diag_indices(width)] += ridge + 1e-8 * (1 + gram.diagonal())
            factor = cho_factor(gram, check_finite=False)
        move = cho_solve(factor, gradient, check_finite=False)
        promised = float(gradient @ move)
        if promised < tolerance * (1 + 1e-3 * n):
            return beta + move, gram
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
    return beta, gram


def softplus(eta: np.ndarray) -> np.ndarray:
    """Return log(1 + exp(eta)) in the precision of `eta`; plain ufuncs, which numpy vectorises."""
    return np.maximum(eta, 0) + np.log1p(np.exp(-np.abs(eta)))


def gram_of(design: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return sum of weight x x' over the rows, (columns, columns) float64; summed in parts that stay in the cache."""
    root = np.sqrt(weight).astype(design.dtype)
    total = np.zeros((design.shape[1], design.shape[1]))
    for at in range(0, len(root), _CHUNK):
        part = design[at : at + _CHUNK] * root[at : at + _CHUNK, None]
        total += part.T @ part
    return total


def _product(design: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Return design' vector, summed in chunks so that single precision does not add up its errors."""
    total = np.zeros(design.shape[1])
    for at in range(0, len(vector), 4096):
        total += vector[at : at + 4096].astype(design.dtype) @ design[at : at + 4096]
    return total


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
    """Return hazards from logits; where the two together would leave next to nothing open they share what there is."""
    won, lost = expit(eta_won), expit(eta_lost)
    excess = np.maximum((won + lost) / MOST_CLOSED, 1.0)
    return won / excess, lost / excess


def row_losses(eta: np.ndarray, outcomes: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return -log likelihood of each row, summed over causes, in nats; eta (rows, causes)."""
    return np.sum([softplus(eta[:, k]) - y * eta[:, k] for k, y in enumerate(outcomes)], axis=0)
