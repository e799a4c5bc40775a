"""What moved the mean of a company: which segments and which products sold more, each asked by itself.

Simple case: prices stay as they are and a segment that sells at 300 has a larger share of the units, one that sells at
100 a smaller one. Then the mean price rises by the shares alone. The complications: prices change as well, so the
shares are weighed at the prices before and at those after, and only what both agree on is told; a segment that sold
nothing in one of the spans has the price of the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from forecast.evaluation.scorecard.revenue.parts import WITH_UNITS, WITHOUT_UNITS, Flags, Side
from forecast.evaluation.scores.amounts import Floats, ratio

_NOTHING = 1e-9
"""A move smaller than this share of the mean is the rounding of sums."""


@dataclass(frozen=True, kw_only=True)
class Mean:
    """A mean of cells, R segments by P products: `over` is summed over the sum of `under`, (R, P) each, from 0 on.

    Of a price per unit `over` is the money and `under` the units.
    """

    over: Floats
    under: Floats

    @property
    def value(self) -> float:
        """The mean over all cells; NaN where there is nothing in them."""
        return float(ratio(self.over.sum(), self.under.sum()))


@dataclass(frozen=True, kw_only=True)
class Moved:
    """How far the shares alone moved a mean, in its unit: those of the segments, and those of the products in them."""

    segments: float
    products: float


def moved_by_shares(before: Mean, after: Mean) -> Moved:
    """Return how far a mean moved since other segments, and in them other products, had a larger share of it.

    Each is the smaller of two moves, with the means of the cells before and with those after; 0 where these have two
    signs, so that what is told holds with either. A segment that is in one of the spans alone moves no products.

    By hand: 10 units at 100 and 10 at 300; then 5 and 15 at the same prices. The mean goes from 200 to 250.

    >>> then = Mean(over=np.array([[1000.0], [3000.0]]), under=np.array([[10.0], [10.0]]))
    >>> now = Mean(over=np.array([[500.0], [4500.0]]), under=np.array([[5.0], [15.0]]))
    >>> moved_by_shares(then, now)
    Moved(segments=50.0, products=0.0)
    """
    whole = before.value
    if not (np.isfinite(whole) and np.isfinite(after.value)):
        return Moved(segments=float("nan"), products=float("nan"))
    segments = [Mean(over=each.over.sum(axis=1), under=each.under.sum(axis=1)) for each in (before, after)]
    shares = [each.under / each.under.sum() for each in segments]
    of_segments = [(shares[1] - shares[0]) @ means for means in _means(*segments)]
    inside = [ratio(cells.under, of.under[:, None]) for cells, of in zip((before, after), segments, strict=True)]
    change = np.nan_to_num(inside[1] - inside[0])
    of_products = [
        share @ (change * means).sum(axis=1) for share, means in zip(shares, _means(before, after), strict=True)
    ]
    least = _NOTHING * abs(whole)
    return Moved(segments=_agreed(*of_segments, least=least), products=_agreed(*of_products, least=least))


def _means(before: Mean, after: Mean) -> list[Floats]:
    """Return the means of the cells before and after, each with the other's where a cell is empty; 0 where both are."""
    then, now = (ratio(each.over, each.under) for each in (before, after))
    return [np.nan_to_num(np.where(np.isnan(one), other, one)) for one, other in ((then, now), (now, then))]


def _agreed(first: float, second: float, *, least: float) -> float:
    """Return the smaller of two moves; 0 where their signs differ or one is next to nothing."""
    if min(abs(first), abs(second)) <= least or first * second < 0:
        return 0.0
    return float(min(first, second, key=abs))


def means_of(side: Side, cells: Flags) -> Mapping[str, Mean]:
    """Return the means that the company's own figures are, by component; cells : (R, P), which are in them.

    Customers are counted in their segments, so that orders per customer have no products.
    """
    orders, money = side.orders * cells[:, :, None], side.money * cells[:, :, None] / 100
    of_segments = cells.any(axis=1)
    every = side.orders[:, :, [WITH_UNITS, WITHOUT_UNITS]].sum(axis=(1, 2)) * of_segments
    units = side.units * cells
    return {
        "frequency": Mean(over=every[:, None], under=(side.customers * of_segments)[:, None]),
        "units": Mean(over=units, under=orders[:, :, WITH_UNITS]),
        "price": Mean(over=money[:, :, WITH_UNITS], under=units),
        "deal_size": Mean(over=money[:, :, WITHOUT_UNITS], under=orders[:, :, WITHOUT_UNITS]),
    }
