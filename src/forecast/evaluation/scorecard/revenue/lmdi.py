"""How much of a change each factor of a product explains: the log-mean Divisia index, LMDI-I, exactly.

Simple case: an amount is a product of factors, v = x1 * x2 * ... * xK, before and after. Factor k explains

  L(v1, v0) * log(xk1 / xk0), with L(a, b) = (a - b) / (log a - log b) and L(a, a) = a

of v1 - v0. The parts sum to the change without a rest, they change their sign where before and after change places,
and those of cells sum to those of the whole (Ang 2005, Energy Policy 33; Ang 2015, Energy Policy 86). One complication:
a factor that is zero on one side has no logarithm. As it goes to nothing, its part goes to the whole change and the
parts of all others to nothing (the analytical limits of Ang and Liu 2007, Energy Policy 35), so it is given all of it;
what hangs on it (orders per customer, where there is no customer) has no value on that side and explains nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forecast.errors import ParameterError
from forecast.evaluation.scores.amounts import Floats, as_floats

Cents = NDArray[np.int64]


def log_mean(first: Floats, second: Floats) -> Floats:
    """Return the logarithmic mean of two arrays of numbers from 0 on, in their unit; 0 where either is 0.

    It lies between the geometric and the arithmetic mean, and does not mind the order of the two.

    >>> log_mean(np.array([8.0, 5.0, 0.0]), np.array([2.0, 5.0, 3.0])).round(3)
    array([4.328, 5.   , 0.   ])
    """
    a, b = np.broadcast_arrays(as_floats(first, "first"), as_floats(second, "second"))
    both = (a > 0) & (b > 0)
    log_a, log_b = (np.log(values, out=np.zeros(a.shape), where=both) for values in (a, b))
    half = np.abs(log_a - log_b) / 2
    # (a - b) / log(a / b) = sqrt(a b) sinh(h) / h, with h half the log of the ratio: nothing cancels where a is near b.
    spread = np.divide(np.sinh(half), half, out=np.ones(a.shape), where=half > 1e-9)
    return np.where(both, np.exp((log_a + log_b) / 2) * spread, 0.0)


def factor_parts(before: Floats, after: Floats, *, value_before: Floats, value_after: Floats) -> Floats:
    """Return how much of the change of each cell's value each factor explains, in the unit of the value; (K, cells).

    before, after : (K, cells), the factors, from 0 on, in an order in which each has a value where those ahead of it
    are not 0: customers, then orders per customer. NaN where it has none. value_before, value_after : (cells,), their
    products.

    The parts of a cell sum to value_after - value_before. Raises ParameterError for negative values, and for a change
    from or to a value of 0 of which no factor is 0.

    >>> factor_parts(
    ...     np.array([[2.0], [10.0]]), np.array([[4.0], [10.0]]),
    ...     value_before=np.array([20.0]), value_after=np.array([40.0]),
    ... ).round(2)
    array([[20.],
           [ 0.]])
    """
    x0, x1 = as_floats(before, "before"), as_floats(after, "after")
    v0, v1 = as_floats(value_before, "value_before"), as_floats(value_after, "value_after")
    if (v0 < 0).any() or (v1 < 0).any():
        raise ParameterError("value_before and value_after must not be negative; a credit has no share in a product")
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(x1) - np.log(x0)
    both = (v0 > 0) & (v1 > 0)
    parts = np.where(both, log_mean(v1, v0) * np.where(both, logs, 0.0), 0.0)

    # One side is nothing: the first factor that is 0 on a side takes all of the change.
    lone = (v0 > 0) != (v1 > 0)
    is_zero = (x0 == 0) | (x1 == 0)
    if (lone & ~is_zero.any(axis=0)).any():
        raise ParameterError("a value is 0 on one side and none of its factors is; give the factor that is 0")
    takes_all = (np.cumsum(is_zero, axis=0) == 1) & is_zero
    return np.where(lone & takes_all, v1 - v0, parts)


def count_parts(part: Floats, *, counts: Floats, before: Floats, after: Floats, worth: Floats) -> Floats:
    """Return the part that a number of people explains, shared out to those who came and those who went.

    Simple case: each of them is worth the same, the part over the change of their number. Where as many came as went
    the number explains nothing and each is worth its limit, L(v1, v0) / number.

    part : (cells,), what the number explains. counts : (groups, cells), how many came (positive) and went (negative);
    they sum to after - before. before, after : (cells,) the number. worth : (cells,) L(v1, v0). Shape (groups, cells).

    >>> count_parts(np.array([20.0]), counts=np.array([[5.0], [-3.0]]), before=np.array([2.0]), after=np.array([4.0]),
    ...             worth=np.array([28.85])).ravel()
    array([ 50., -30.])
    """
    change = as_floats(after, "after") - as_floats(before, "before")
    each = np.divide(worth, after, out=np.zeros(change.shape), where=after > 0)
    each = np.divide(part, change, out=each, where=change != 0)
    return counts * each


def settled_to_cents(parts: Floats, totals: Cents) -> Cents:
    """Return parts in whole cents that sum to totals in whole cents, each within a cent where the parts do too.

    By largest remainder: each part is rounded down, and the cents left over go to those that lost most by it. Parts of
    the other sign give cents of the other sign.

    parts : (K, cells), in cents. totals : (cells,).

    >>> settled_to_cents(np.array([[33.4], [33.3], [33.3]]), np.array([100])).ravel()
    array([34, 33, 33])
    """
    if not parts.size:
        return np.zeros(parts.shape, dtype=np.int64)
    # Which of two equal remainders comes first must not hang on the direction of time: the total is made positive, or,
    # where it is 0, the first part that is not.
    first = np.take_along_axis(parts, np.argmax(parts != 0, axis=0)[None], axis=0)[0]
    sign = np.where(np.where(totals == 0, first, totals) < 0, -1, 1)
    turned = parts * sign
    down = np.floor(turned)
    remainder = np.where(turned == 0, -1.0, turned - down)  # what explains nothing gets a cent last
    left = totals * sign - down.sum(axis=0).astype(np.int64)
    rank = np.argsort(np.argsort(-remainder, axis=0, kind="stable"), axis=0, kind="stable")
    each, more = np.divmod(left, len(parts))
    return (down.astype(np.int64) + each + (rank < more)) * sign
