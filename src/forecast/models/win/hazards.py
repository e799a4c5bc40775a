"""Discrete competing-risk hazards: the chance that a deal still open is won, or lost, in the n-th month ahead.

One logistic regression a cause, ridge-penalised, fitted by Newton's method (Tutz & Schmid, *Modeling Discrete
Time-to-Event Data*, 2016, ch. 8; Hastie, Tibshirani & Friedman, *The Elements of Statistical Learning*, 4.4.1). Newton
needs only sums over rows, so the same code can run over chunks.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit
from threadpoolctl import ThreadpoolController

MOST_CLOSED = 0.97
"""Chance to close in one month that no deal exceeds."""

_CHUNK = 2048
_MOST_STEPS = 30
_SHORTEST_STEP = 1e-4

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]
"""From coefficients to what is minimised, and the linear predictor of each row."""


# -- fitting -------------------------------------------------------------------------------------------


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
    start: np.ndarray | None = None,
    tolerance: float = 1e-6,
) -> LogisticFit:
    """Fit a ridge logistic regression by Newton's method.

    Simple case: with p the chances by the coefficients so far, a step goes to where the quadratic about them is least,
    beta <- beta + H^-1 (sum w x (y - p) - ridge beta),  H = sum w p (1 - p) x x' + diag(ridge).  Three complications:
    a step from far away may overshoot, so it is halved until the likelihood rises enough; H is most of the work and
    changes little near the end, so it is summed anew only while steps do not shrink fast; and `design` may be in
    single precision, so the gradient is summed in float64 and only the path, not the answer, feels it.

    design : (rows, columns). outcome : (rows,) 0 or 1. ridge : (columns,), of the penalty sum ridge beta^2 / 2.
    weight : (rows,), 1 where left out. start : (columns,) where to begin. tolerance : ends where the next step would
    gain less log likelihood than this, grown by a thousandth a row.
    """
    y = np.asarray(outcome, dtype=design.dtype)
    w = np.ones(len(design)) if weight is None else weight
    beta = np.zeros(design.shape[1]) if start is None else start.astype(float)
    objective = _penalised_loss(design, y, w, ridge)
    value, eta = objective(beta)
    factor, gain_before = None, np.inf
    for _ in range(_MOST_STEPS):
        p = expit(eta.astype(float))
        gradient = _product(design, w * (y - p)) - ridge * beta
        if factor is None:
            information = gram_of(design, w * p * (1 - p))
            information[np.diag_indices(len(beta))] += ridge + 1e-8 * (1 + information.diagonal())
            factor = cho_factor(information, check_finite=False)
        move = cho_solve(factor, gradient, check_finite=False)
        gain = float(gradient @ move)
        if gain < tolerance * (1 + 1e-3 * len(design)):
            return LogisticFit(beta=beta + move, information=information)
        share, value, eta = _halved_until_lower(objective, beta, move, value=value, gain=gain)
        beta = beta + share * move
        if share < 1.0 or gain > 0.05 * gain_before:
            factor = None
        gain_before = gain
    return LogisticFit(beta=beta, information=information)


def _penalised_loss(design: np.ndarray, y: np.ndarray, weight: np.ndarray, ridge: np.ndarray) -> Objective:
    def objective(beta: np.ndarray) -> tuple[float, np.ndarray]:
        eta = design @ beta.astype(design.dtype)
        return float(weight @ (softplus(eta) - y * eta) + 0.5 * ridge @ beta**2), eta

    return objective


def _halved_until_lower(
    objective: Objective, beta: np.ndarray, move: np.ndarray, *, value: float, gain: float
) -> tuple[float, float, np.ndarray]:
    """Return the share of a move to go (1, 1/2, 1/4, ...), and the objective and the linear predictor there.

    value : of the objective now. gain : what the move would gain if the objective were as steep all the way.
    """
    share = 1.0
    while True:
        trial, eta = objective(beta + share * move)
        if trial <= value - 1e-4 * share * gain or share < _SHORTEST_STEP:
            return share, trial, eta
        share /= 2


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


def one_thread() -> AbstractContextManager[object]:
    """Return a context in which BLAS computes on one thread; what was set before comes back after it.

    The matrices of a fit are some hundred columns wide. On them the threads of a BLAS mostly wait for each other: a
    walk on two threads was measured to take three times the CPU and half as long again. The sums also differ in the
    last digit with the number of threads, so that one thread is also what makes two machines agree.
    """
    return _threads().limit(limits=1, user_api="blas")


@cache
def _threads() -> ThreadpoolController:
    # Looks up the libraries loaded; numpy's and scipy's are by the time this is called.
    return ThreadpoolController()


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
