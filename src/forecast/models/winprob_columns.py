"""Which columns earn their place in a fitted win model, and the model without the others.

A column's gain is Wald's statistic (A. Wald, *Transactions of the American Mathematical Society* 54, 1943): with b its
coefficients and V their covariance, b' V^-1 b is about twice the log likelihood they add. It must beat what chance
would bring, two for each coefficient (Akaike 1974). A deal's month is looked at from up to `steps` origins, which are
not independent, so the gain is divided by that. Only rows of the past are in it.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from forecast.models.hazards import Encoding

_EACH = 2.0
"""What a coefficient must bring in twice the log likelihood."""


def idle_columns(code: Encoding, beta: np.ndarray, gram: tuple[np.ndarray, np.ndarray]) -> tuple[str, ...]:
    """Return the optional columns that do not earn their place, in the order of the design.

    Parameters
    ----------
    code : the encoding the model was fitted with. beta : (columns, 2). gram : penalised information of each cause.
    """
    owned = {
        name: code.layout[block][:2]
        for name, block in [
            *((name, f"is {name}") for name in code.words.factors if name != "owner"),
            *((name, f"x {name}") for name in code.words.numbers),
        ]
    }
    if not owned:
        return ()
    covariances = [cho_solve(cho_factor(each, check_finite=False), np.eye(code.width)) for each in gram]
    idle = []
    for name, (at, width) in owned.items():
        here = slice(at, at + width)
        gain = sum(
            float(beta[here, cause] @ np.linalg.solve(covariance[here, here], beta[here, cause]))
            for cause, covariance in enumerate(covariances)
        )
        if gain / code.steps <= _EACH * width * len(covariances):
            idle.append(name)
    return tuple(idle)


def without_columns(
    code: Encoding, names: tuple[str, ...], beta: np.ndarray, gram: tuple[np.ndarray, np.ndarray]
) -> tuple[Encoding, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Return encoding, coefficients and information without some columns.

    The optimum with their coefficients at 0 follows from the quadratic about the optimum with them:
    beta_k + G_kk^-1 G_kd beta_d over the columns kept (k) and dropped (d); exact to second order, and beta_d is small.
    """
    smaller = Encoding(code.words.idle_without(names), code.calendar, code.steps, code.centre, code.scale, code.rich)
    gone = np.zeros(code.width, dtype=bool)
    for block in code.layout.keys() - smaller.layout.keys():
        at, width, _ = code.layout[block]
        gone[at : at + width] = True
    kept = ~gone
    betas, grams = [], []
    for cause, each in enumerate(gram):
        inner = each[np.ix_(kept, kept)]
        shift = cho_solve(cho_factor(inner, check_finite=False), each[np.ix_(kept, gone)] @ beta[gone, cause])
        betas.append(beta[kept, cause] + shift)
        grams.append(inner)
    return smaller, np.column_stack(betas), (grams[0], grams[1])
