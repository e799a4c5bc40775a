"""One ridge logistic regression, fitted by Newton's method: the rows are here, or in blocks anywhere.

Newton needs of the rows nothing but three sums over them: the loss, its gradient, and the information. Sums add up over
blocks of rows, so `fit_logistic` (one array) and `fit_by_blocks` (blocks held by other processes) take the same steps.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

_CHUNK, _LONG_CHUNK = 2048, 4096
"""Rows that are added at once, of the information and of the gradient; the second is a multiple of the first."""
_MOST_STEPS = 30
_SHORTEST_STEP = 1e-4


@dataclass(frozen=True, kw_only=True)
class LogisticFit:
    """Coefficients (columns,), and the penalised information  sum w p (1 - p) x x' + diag(ridge)  (columns, columns).

    The information is that of the last step at which it was summed, near the coefficients.
    """

    beta: np.ndarray
    information: np.ndarray


def fit_logistic(
    design: np.ndarray,
    outcome: np.ndarray,
    *,
    ridge: np.ndarray,
    weight: np.ndarray | None = None,
    offset: np.ndarray | None = None,
    start: np.ndarray | None = None,
    tolerance: float = 1e-5,
) -> LogisticFit:
    """Fit a ridge logistic regression by Newton's method, to rows that are here.

    Simple case: with p the chances by the coefficients so far, a step goes to where the quadratic about them is least,
    beta <- beta + H^-1 (sum w x (y - p) - ridge beta),  H = sum w p (1 - p) x x' + diag(ridge).  Three complications:
    a step from far away may overshoot, so it is halved until the likelihood rises enough; H is most of the work and
    changes little near the end, so it is summed anew only while steps do not shrink fast; and `design` may be in
    single precision, so the gradient is summed in float64 and only the path, not the answer, feels it.

    design : (rows, columns). outcome : (rows,) 0 or 1. ridge : (columns,), of the penalty sum ridge beta^2 / 2.
    weight : (rows,), 1 where left out. offset : (rows,), what stands in the linear predictor as it is, 0 where left
    out. start : (columns,) where to begin. tolerance : ends where the next step would
    gain less log likelihood than this, grown by a thousandth a row.
    """
    y = np.asarray(outcome, dtype=design.dtype)
    w = np.ones(len(design)) if weight is None else weight
    beta = np.zeros(design.shape[1]) if start is None else start.astype(float)
    return _newton(_Here(design, y, w, offset), ridge=ridge, start=beta, tolerance=tolerance)


class _Sums(Protocol):
    """What Newton's method asks of rows; a place is whatever the sums at some coefficients are made from."""

    rows: int

    def loss(self, beta: np.ndarray) -> tuple[float, Any]:
        """Return the loss at coefficients, without the penalty, and the place."""
        ...

    def gradient(self, place: Any) -> np.ndarray:
        """Return  sum w x (y - p)  there, (columns,)."""
        ...

    def information(self, place: Any) -> np.ndarray:
        """Return  sum w p (1 - p) x x'  there, (columns, columns)."""
        ...


def _newton(sums: _Sums, *, ridge: np.ndarray, start: np.ndarray, tolerance: float) -> LogisticFit:
    """Return the fit; see `fit_logistic`."""
    beta = start

    def objective(beta: np.ndarray) -> tuple[float, Any]:
        loss, place = sums.loss(beta)
        return loss + float(0.5 * ridge @ beta**2), place

    value, place = objective(beta)
    factor, gain_before = None, np.inf
    for _ in range(_MOST_STEPS):
        gradient = sums.gradient(place) - ridge * beta
        if factor is None:
            information = sums.information(place)
            information[np.diag_indices(len(beta))] += ridge + 1e-8 * (1 + information.diagonal())
            factor = cho_factor(information, check_finite=False)
        move = cho_solve(factor, gradient, check_finite=False)
        gain = float(gradient @ move)
        if gain < tolerance * (1 + 1e-3 * sums.rows):
            return LogisticFit(beta=beta + move, information=information)
        share, value, place = _halved_until_lower(objective, beta, move, value=value, gain=gain)
        beta = beta + share * move
        if share < 1.0 or gain > 0.05 * gain_before:
            factor = None
        gain_before = gain
    return LogisticFit(beta=beta, information=information)


def _halved_until_lower(
    objective: Callable[[np.ndarray], tuple[float, Any]],
    beta: np.ndarray,
    move: np.ndarray,
    *,
    value: float,
    gain: float,
) -> tuple[float, float, Any]:
    """Return the share of a move to go (1, 1/2, 1/4, ...), and the objective and the place there.

    value : of the objective now. gain : what the move would gain if the objective were as steep all the way.
    """
    share = 1.0
    while True:
        trial, place = objective(beta + share * move)
        if trial <= value - 1e-4 * share * gain or share < _SHORTEST_STEP:
            return share, trial, place
        share /= 2


# -- rows that are here --------------------------------------------------------------------------------


class _Here:
    """Sums over rows that are here; a place is the linear predictor of each."""

    def __init__(self, design: np.ndarray, y: np.ndarray, weight: np.ndarray, offset: np.ndarray | None) -> None:
        self.design, self.y, self.weight = design, y, weight
        self.beyond: Any = 0.0 if offset is None else offset.astype(design.dtype)
        self.rows = len(design)

    def loss(self, beta: np.ndarray) -> tuple[float, np.ndarray]:
        eta = self.design @ beta.astype(self.design.dtype) + self.beyond
        return float(self.weight @ (softplus(eta) - self.y * eta)), eta

    def gradient(self, place: np.ndarray) -> np.ndarray:
        p = expit(place.astype(float))
        return _product(self.design, self.weight * (self.y - p))

    def information(self, place: np.ndarray) -> np.ndarray:
        p = expit(place.astype(float))
        return gram_of(self.design, self.weight * p * (1 - p))


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
    for at in range(0, len(vector), _LONG_CHUNK):
        total += vector[at : at + _LONG_CHUNK].astype(design.dtype) @ design[at : at + _LONG_CHUNK]
    return total


def row_losses(eta: np.ndarray, outcomes: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return -log likelihood of each row, summed over causes, in nats; eta (rows, causes)."""
    return np.sum([softplus(eta[:, k]) - y * eta[:, k] for k, y in enumerate(outcomes)], axis=0)


# -- rows in blocks ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Block:
    """Some rows of a fit: design (rows, columns), outcome (rows,) of the design's precision, weight, offset (rows,)."""

    design: np.ndarray
    outcome: np.ndarray
    weight: np.ndarray
    offset: np.ndarray

    def __len__(self) -> int:
        return len(self.weight)


Each = Callable[..., list[Any]]
"""Asks every block: `each(function, *arguments)` returns `function(block, *arguments)` of each, in their order."""


def blocks_of(
    design: np.ndarray, outcome: np.ndarray, *, weight: np.ndarray, offset: np.ndarray, count: int
) -> list[Block]:
    """Return rows in `count` blocks of about the same size, one after the other; of few rows in fewer.

    They are cut where the sums over rows that are here begin a new chunk. Within a chunk the design may be added in
    single precision; cut elsewhere, the rounding of that would lead along another path, and to an answer as near
    the optimum that differs by some 1e-4.
    """
    cuts = np.unique((np.linspace(0, len(design), count + 1) / _LONG_CHUNK).round().astype(int) * _LONG_CHUNK)
    cuts = np.unique(np.append(cuts[cuts < len(design)], len(design)))
    y = np.asarray(outcome, dtype=design.dtype)
    return [
        Block(design=design[a:b], outcome=y[a:b], weight=weight[a:b], offset=offset[a:b])
        for a, b in itertools.pairwise(cuts)
    ]


def fit_by_blocks(
    each: Each, *, rows: int, ridge: np.ndarray, start: np.ndarray, tolerance: float = 1e-5
) -> LogisticFit:
    """Fit a ridge logistic regression to rows that are held in blocks, by sums over these.

    each : asks every block, wherever it is held. rows : how many all blocks have. The rest as `fit_logistic`.

    The sums are added in the order of the blocks, so that the answer is the same to the bit wherever they are held; to
    another number of blocks it differs by the rounding of sums.
    """
    return _newton(_Blocks(each, rows=rows), ridge=ridge, start=start.astype(float), tolerance=tolerance)


class _Blocks:
    """Sums over blocks; a place is the coefficients themselves."""

    def __init__(self, each: Each, *, rows: int) -> None:
        self.each, self.rows = each, rows

    def loss(self, beta: np.ndarray) -> tuple[float, np.ndarray]:
        return float(sum(self.each(_loss, beta))), beta

    def gradient(self, place: np.ndarray) -> np.ndarray:
        return np.sum(self.each(_gradient, place), axis=0)

    def information(self, place: np.ndarray) -> np.ndarray:
        return np.sum(self.each(_information, place), axis=0)


def _sums(block: Block) -> _Here:
    return _Here(block.design, block.outcome, block.weight, block.offset)


def _loss(block: Block, beta: np.ndarray) -> float:
    return _sums(block).loss(beta)[0]


def _gradient(block: Block, beta: np.ndarray) -> np.ndarray:
    sums = _sums(block)
    return sums.gradient(sums.loss(beta)[1])


def _information(block: Block, beta: np.ndarray) -> np.ndarray:
    sums = _sums(block)
    return sums.information(sums.loss(beta)[1])
