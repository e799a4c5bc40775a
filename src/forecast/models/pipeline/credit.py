"""Who gets the credit for a difference: each cause its mean contribution over all orders in which they may have come.

With v(C) the value once the causes in C have acted, cause i gets the mean of v(C + i) - v(C) over all orders (Shapley,
*A value for n-person games*, 1953). Amounts of money add up, so that there each order says the same. The chance of
reaching plan does not: the more it hangs on a hair, the more each cause moves it. So it needs v(C) for every set of
causes (`chances`), and these come from the two forecasts' own draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import comb


def shapley(values: np.ndarray) -> np.ndarray:
    """Return each cause's mean contribution over all orders.

    values : (2^k, ...), the value of each set of causes, in which cause i is the bit 2^i. Returns (k, ...), which sums
    to values[-1] - values[0]. A cause that changes no set's value gets exactly nought.

    >>> shapley(np.array([0.0, 1.0, 2.0, 5.0]))  # together they bring 2 more than each alone, and share it
    array([2., 3.])
    """
    count = len(values)
    causes = count.bit_length() - 1
    flat = values.reshape(count, -1)
    out = np.empty((causes, flat.shape[1]))
    sets = np.arange(count)
    size = np.array([int(each).bit_count() for each in sets])
    for i in range(causes):
        without = sets[sets >> i & 1 == 0]
        # the share of all orders in which a set comes before i, and the others after it
        orders = 1.0 / (causes * comb(causes - 1, size[without]))
        out[i] = orders @ (flat[without | 1 << i] - flat[without])
    return out.reshape(causes, *values.shape[1:])


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """A node's bookings in a period as one forecast has them.

    mean : expected. ahead : what of it is not booked yet. variance : of that, by chance alone. shared : on top, the
    variance of the errors that deals have in common. draws : (D,), ascending. chance : of reaching plan, as published.
    """

    mean: float
    ahead: float
    variance: float
    shared: float
    draws: np.ndarray
    chance: float

    @property
    def spread(self) -> float:
        """The standard deviation, never quite nought."""
        return float(np.sqrt(max(self.variance + self.shared, 0.0)) + 1e-6 * (abs(self.mean) + 1.0))


def chances(
    before: Outlook, after: Outlook, *, plan: float, mean: np.ndarray, ahead: np.ndarray, variance: np.ndarray
) -> np.ndarray:
    """Return the chance of reaching plan once the causes of each set have acted, (2^k,), as `shapley` takes it.

    Simple case: the causes shift the expectation, and the spread and shape stay; the draws of the first forecast are
    shifted, and counted. The complications: causes change the spread too (a deal that was a coin toss is won), and the
    shape. Mean and variance of each set are sums of the causes' pieces. The shape is the first forecast's, the second's
    as far as the causes in the set moved the variance, draw by draw in the order of their size: the same random number
    for both. With no cause it is the one forecast, with all of them the other, to the last digit.

    mean, ahead, variance : (k,), what each cause added; the three sum to `after` - `before`.
    """
    sets = np.arange(2 ** len(mean))
    member = (sets[:, None] >> np.arange(len(mean)) & 1).astype(float)
    weight = np.abs(variance) if np.abs(variance).sum() > 0 else np.abs(mean)
    share = member @ weight / max(weight.sum(), 1e-300)
    relative = [day.shared / day.ahead**2 if day.ahead > 0 else 0.0 for day in (before, after)]
    to_come = np.maximum(before.ahead + member @ ahead, 0.0)
    by_chance = np.maximum(before.variance + member @ variance, 0.0)
    centre = before.mean + member @ mean
    shared = to_come**2 * ((1.0 - share) * relative[0] + share * relative[1])
    spread = np.sqrt(by_chance + shared) + 1e-6 * (np.abs(centre) + 1.0)
    shapes = [(day.draws - day.mean) / day.spread for day in (before, after)]
    out = _share_above((plan - centre) / spread, *shapes, share=share)
    out[0], out[-1] = before.chance, after.chance
    return out


def _share_above(bound: np.ndarray, first: np.ndarray, second: np.ndarray, *, share: np.ndarray) -> np.ndarray:
    """Return the share of (1 - share) first + share second that is at least the bound, for each bound; halving.

    first, second : (D,), ascending; so are their mixtures.
    """
    low, high = np.zeros(len(bound), dtype=np.int64), np.full(len(bound), len(first), dtype=np.int64)
    while (low < high).any():
        middle = np.minimum((low + high) // 2, len(first) - 1)
        below = (1.0 - share) * first[middle] + share * second[middle] < bound
        searching = low < high
        low = np.where(searching & below, middle + 1, low)
        high = np.where(searching & ~below, middle, high)
    return 1.0 - low / len(first)
