"""How much each group of columns is worth: its ridge learned from the rows, so that what tells nothing weighs nothing.

Type-II maximum likelihood by MacKay's fixed point (D. MacKay, *Neural Computation* 4, 1992; Tipping, *JMLR* 1, 2001).
A block of w columns with coefficients b is thought to be drawn from N(0, 1 / alpha). With gamma = w - alpha tr(V) the
number of its coefficients that the rows determine, and V its posterior covariance,

    alpha = gamma / sum b^2.

A block that says no more than chance would ends with b = 0: it has not earned its place. Nothing jumps: as the evidence
fades the coefficients shrink to 0 (for one column the positive-part James-Stein estimate), so a column at the
border does not come and go. All of it happens on the quadratic about a fit, without another look at the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.lapack import dpotrf, dpotri

from forecast.models.win.hazards import Encoding

_ITERATIONS = 12
_LEAST, _MOST = 0.1, 1e7


@dataclass(frozen=True)
class Learned:
    """A fit with the ridge of some blocks learned.

    beta (columns, 2), exact to second order; by block its ridge, and in `told` how many of its coefficients the rows
    determine, both causes together.
    """

    ridge: dict[str, float]
    beta: np.ndarray
    told: dict[str, float]


def learned_ridge(
    code: Encoding, beta: np.ndarray, gram: tuple[np.ndarray, np.ndarray], *, blocks: Sequence[str]
) -> Learned:
    """Return a fit with the ridge of some blocks learned; both causes share a block's ridge.

    Parameters
    ----------
    code : the encoding the model was fitted with. beta : (columns, 2), its optimum with the ridge of `code`.
    gram : penalised information of each cause, (columns, columns).
    blocks : names of blocks, as in `code.layout`, one at least; the others keep their ridge.
    """
    spans, at = {}, 0
    for name in blocks:
        spans[name] = slice(at, at + code.layout[name][1])
        at += code.layout[name][1]
    chosen = np.concatenate([np.arange(code.layout[name][0], sum(code.layout[name][:2])) for name in blocks])
    others = np.setdiff1d(np.arange(len(beta)), chosen)
    ridge = code.ridge[chosen].astype(float)
    # The others' coefficients follow from these, so the search is among these alone (Schur's complement).
    reduced, target, back = [], [], []
    for cause, each in enumerate(gram):
        follow = cho_solve(cho_factor(each[np.ix_(others, others)], check_finite=False), each[np.ix_(others, chosen)])
        inner = each[np.ix_(chosen, chosen)] - each[np.ix_(chosen, others)] @ follow
        target.append(inner @ beta[chosen, cause])
        reduced.append(inner - np.diag(ridge))
        back.append(follow)
    # A deal's month is looked at from several origins, which are not independent: information counts that much less.
    repeats = code.steps / 2
    told: dict[str, float] = {}
    for _ in range(_ITERATIONS):
        inverse = [_inverse(each + np.diag(ridge)) for each in reduced]
        found = np.column_stack([each @ part for each, part in zip(inverse, target, strict=True)])
        loose = np.sum([each.diagonal() for each in inverse], axis=0)
        for name, span in spans.items():
            told[name] = float(2 * (span.stop - span.start) - ridge[span] @ loose[span])
            size = max(float((found[span] ** 2).sum()), 1e-12)
            ridge[span] = np.clip(repeats * told[name] / size, _LEAST, _MOST)
    out = beta.copy()
    for cause, (each, part, follow) in enumerate(zip(reduced, target, back, strict=True)):
        out[chosen, cause] = _inverse(each + np.diag(ridge)) @ part
        out[others, cause] -= follow @ (out[chosen, cause] - beta[chosen, cause])
    return Learned({name: float(ridge[span.start]) for name, span in spans.items()}, out, told)


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Return the inverse of a symmetric positive definite matrix."""
    factor, failed = dpotrf(matrix, lower=0)
    if failed:
        return np.linalg.pinv(matrix)
    upper = dpotri(factor, lower=0)[0]
    return np.triu(upper) + np.triu(upper, 1).T
