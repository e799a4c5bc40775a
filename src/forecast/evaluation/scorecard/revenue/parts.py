"""What was won in two spans of months, and the change between them in parts, to the cent.

Simple case: the revenue of a product in a segment is

  customers x orders per customer x share of the orders that are for the product x units per order x price per unit

with the customers and their orders counted in the segment; `lmdi` gives each factor its part of the change. Cells,
segments by products, are settled to the cent one by one, so that the parts of products, of segments and of the company
add up whatever is summed.

Complications, each met by a part of its own, so that nothing is dropped: deals that name no customer, and credits
(negative amounts), have the change of their own sum; of deals without units the price and the units of an order fold
into the size of the deal, and `recording` is what the share of such deals explains; deals without an amount are no
revenue, and are counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecast.evaluation.scorecard.revenue.lmdi import Cents, count_parts, factor_parts, log_mean, settled_to_cents
from forecast.evaluation.scores.amounts import Floats, ratio

FACTORS = ("customers", "frequency", "mix", "recording", "units", "price", "deal_size")
"""What explains the revenue from known customers, each hanging on those before it; `price` and `units` of deals with
units, `deal_size` of those without."""

ALONE = ("account_unknown", "credits")
"""What is no product of factors: the change of its sum stands by itself."""

CUSTOMERS = ("new", "regained", "lost", "kept")
"""Customers who bought after and never before; after, and before the months compared; before alone; in both."""

WITH_UNITS, WITHOUT_UNITS, NO_ACCOUNT, CREDIT = range(4)
_GROUPS = 4

Flags = NDArray[np.bool_]
Codes = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Sold:
    """What was won, as arrays over deals; codes of segments and products from 0, of accounts -1 where unknown."""

    segment: Codes
    product: Codes
    account: Codes
    amount: Floats
    units: Floats
    segments: tuple[str, ...]
    products: tuple[str, ...]

    @property
    def group(self) -> Codes:
        """How each deal is taken apart: WITH_UNITS, WITHOUT_UNITS, NO_ACCOUNT or CREDIT."""
        group = np.where(self.units > 0, WITH_UNITS, WITHOUT_UNITS)
        group = np.where(self.account < 0, NO_ACCOUNT, group)
        return np.where(self.amount < 0, CREDIT, group)


@dataclass(frozen=True, kw_only=True)
class Side:
    """What was won in one of the two spans. R segments, P products; money in cents.

    money : (R, P, groups) whole cents. orders : (R, P, groups) deals with an amount. units : (R, P). customers : (R,).
    without_amount : (R, P) deals.
    """

    money: Cents
    orders: Floats
    units: Floats
    customers: Floats
    without_amount: Floats


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The change between two spans in parts, whole cents, each (R, P).

    factors : FACTORS and ALONE by name; they sum to the change. customers : CUSTOMERS by name; they sum to the factor
    `customers`. buyers : CUSTOMERS and ALONE by name, what came from whom; they sum to the change too. counts :
    CUSTOMERS by name, how many (R,).
    """

    before: Side
    after: Side
    factors: Mapping[str, Cents]
    customers: Mapping[str, Cents]
    buyers: Mapping[str, Cents]
    counts: Mapping[str, Floats]

    @property
    def change(self) -> Cents:
        """What the revenue of each segment and product changed by, in whole cents; (R, P)."""
        return self.after.money.sum(axis=2) - self.before.money.sum(axis=2)


def sold(wins: pd.DataFrame, *, segments: tuple[str, ...]) -> Sold:
    """Return deals as arrays; wins : segment, amount, [product, account_id, units]; a blank product is one of its own.

    The order of the rows does not matter.
    """

    def codes(name: str) -> tuple[Codes, tuple[str, ...]]:
        if name not in wins.columns:
            return np.full(len(wins), -1, dtype=np.int64), ()
        found, names = pd.factorize(wins[name], sort=True)
        return found.astype(np.int64), tuple(map(str, names))

    product, products = codes("product")
    blank = product < 0
    units = wins["units"] if "units" in wins.columns else pd.Series(np.nan, index=wins.index)
    return Sold(
        segment=pd.Index(segments).get_indexer(wins["segment"]).astype(np.int64),
        product=np.where(blank, len(products), product),
        account=codes("account_id")[0],
        amount=wins["amount"].to_numpy(dtype=np.float64),
        units=units.to_numpy(dtype=np.float64),
        segments=segments,
        products=(*products, "") if blank.any() else products,
    )


def parts_of(deals: Sold, *, before: Flags, after: Flags, earlier: Flags) -> Parts:
    """Return the change of what was won between two spans, in parts.

    before, after, earlier : (n,), which deals were won in either span, and before both.
    """
    sides = _side(deals, before), _side(deals, after)
    here = [_buys(deals, which) for which in (before, after, earlier)]
    groups = _who(*here)
    shape = len(deals.segments), np.prod(here[0].shape[1:], dtype=int)
    counts = {name: has.reshape(shape).sum(axis=1).astype(np.float64) for name, has in groups.items()}
    factors, customers = _factors(*sides, counts)
    return Parts(
        before=sides[0],
        after=sides[1],
        factors=factors,
        customers=customers,
        buyers=_buyers(deals, sides, (before, after), groups),
        counts=counts,
    )


# -- what was won -----------------------------------------------------------------------------------------


def _side(deals: Sold, which: Flags) -> Side:
    """Return what was won in one span; deals of other segments than those listed are none of it."""
    shape = len(deals.segments), len(deals.products), _GROUPS
    cell = (deals.segment * shape[1] + deals.product) * _GROUPS + deals.group
    here = which & (deals.segment >= 0)
    has = here & np.isfinite(deals.amount)
    countable = has & (deals.group == WITH_UNITS)
    customers = _buys(deals, which).sum(axis=1)
    return Side(
        money=_to_cents(_summed(cell[has], deals.amount[has], size=int(np.prod(shape)))).reshape(shape),
        orders=np.bincount(cell[has], minlength=int(np.prod(shape))).astype(np.float64).reshape(shape),
        units=_summed(cell[countable] // _GROUPS, deals.units[countable], size=shape[0] * shape[1]).reshape(shape[:2]),
        customers=customers.astype(np.float64),
        without_amount=np.bincount(cell[here & ~has] // _GROUPS, minlength=shape[0] * shape[1])
        .astype(np.float64)
        .reshape(shape[:2]),
    )


def _summed(cell: Codes, values: Floats, *, size: int) -> Floats:
    """Return sums by cell that are the same to the last bit whatever the order of the rows."""
    order = np.lexsort((values, cell))
    return np.bincount(cell[order], values[order], minlength=size).astype(np.float64)


def _to_cents(sums: Floats) -> Cents:
    """Return sums in whole cents that add up to the whole sum in whole cents."""
    total = np.rint(np.array([sums.sum() * 100])).astype(np.int64)
    return settled_to_cents(np.round(sums * 100, 6)[:, None], total)[:, 0]


def _named(deals: Sold) -> Flags:
    """Return which deals are orders of a customer who is known; (n,)."""
    return np.isfinite(deals.amount) & (deals.group <= WITHOUT_UNITS) & (deals.segment >= 0)


def _buys(deals: Sold, which: Flags) -> Flags:
    """Return which customers buy in which segment; (R, accounts)."""
    has = which & _named(deals)
    out = np.zeros((len(deals.segments), int(deals.account.max(initial=-1)) + 1), dtype=bool)
    out[deals.segment[has], deals.account[has]] = True
    return out


def _who(before: Flags, after: Flags, earlier: Flags) -> dict[str, Flags]:
    """Return which customers are CUSTOMERS, by name, each (R, accounts)."""
    came = after & ~before
    found = came & ~earlier, came & earlier, before & ~after, before & after
    return dict(zip(CUSTOMERS, found, strict=True))


# -- the change in parts ----------------------------------------------------------------------------------


def _factors(before: Side, after: Side, counts: Mapping[str, Floats]) -> tuple[dict[str, Cents], dict[str, Cents]]:
    """Return FACTORS and ALONE in whole cents by name, and CUSTOMERS of the first; each (R, P)."""
    cells = before.units.shape
    factors = {name: np.zeros(cells, dtype=np.int64) for name in (*FACTORS, *ALONE)}
    customers = {name: np.zeros(cells, dtype=np.int64) for name in CUSTOMERS}
    for group, last in ((WITH_UNITS, ("units", "price")), (WITHOUT_UNITS, ("deal_size",))):
        names = (*FACTORS[:4], *last)
        money = [side.money[:, :, group].ravel() for side in (before, after)]
        chains = [_chain(side, group) for side in (before, after)]
        v0, v1 = (cents.astype(np.float64) for cents in money)
        parts = factor_parts(*chains, value_before=v0, value_after=v1)
        settled = settled_to_cents(parts, money[1] - money[0])
        for name, part in zip(names, settled, strict=True):
            factors[name] += part.reshape(cells)
        shared = _shared_out(parts[0], settled[0], chains, counts, worth=log_mean(v1, v0))
        for name, part in shared.items():
            customers[name] += part.reshape(cells)
    for name, group in zip(ALONE, (NO_ACCOUNT, CREDIT), strict=True):
        factors[name] = after.money[:, :, group] - before.money[:, :, group]
    return factors, customers


def _chain(side: Side, group: int) -> Floats:
    """Return the factors of a group's revenue, cells flat; (K, R x P). NaN where one has no value."""
    shape = side.units.shape
    orders = side.orders[:, :, [WITH_UNITS, WITHOUT_UNITS]]
    of_cell, of_product, of_segment = side.orders[:, :, group], orders.sum(axis=2), orders.sum(axis=(1, 2))
    money = side.money[:, :, group].astype(np.float64)
    number = np.broadcast_to(side.customers[:, None], shape)
    frequency = np.broadcast_to(ratio(of_segment, side.customers)[:, None], shape)
    first = [number, frequency, ratio(of_product, of_segment[:, None]), ratio(of_cell, of_product)]
    last = [ratio(side.units, of_cell), ratio(money, side.units)] if group == WITH_UNITS else [ratio(money, of_cell)]
    return np.stack([factor.ravel() for factor in (*first, *last)])


def _shared_out(
    part: Floats, cents: Cents, chains: list[Floats], counts: Mapping[str, Floats], *, worth: Floats
) -> dict[str, Cents]:
    """Return what the number of customers explains by who came and who went, whole cents by name; (cells,)."""
    products = len(part) // max(len(counts["new"]), 1)
    number = {name: np.repeat(counts[name], products) for name in ("new", "regained", "lost")}
    came, went = number["new"] + number["regained"], -number["lost"]
    both = count_parts(part, counts=np.stack([came, went]), before=chains[0][0], after=chains[1][0], worth=worth)
    gained, lost = settled_to_cents(both, cents)
    share = ratio(number["new"], came)
    new = np.where(came > 0, np.nan_to_num(share) * gained, 0.0)
    first, again = settled_to_cents(np.stack([new, gained - new]), gained)
    return {"new": first, "regained": again, "lost": lost, "kept": np.zeros_like(lost)}


def _buyers(
    deals: Sold, sides: tuple[Side, Side], spans: tuple[Flags, Flags], groups: Mapping[str, Flags]
) -> dict[str, Cents]:
    """Return what revenue changed with each of CUSTOMERS and ALONE, whole cents by name; (R, P)."""
    cells = sides[0].units.shape
    named = _named(deals)
    parts = []
    for has in groups.values():
        theirs = named.copy()
        theirs[named] = has[deals.segment[named], deals.account[named]]
        cell = deals.segment * cells[1] + deals.product
        then, now = (
            _summed(cell[theirs & span], deals.amount[theirs & span], size=cells[0] * cells[1]) for span in spans
        )
        parts.append((now - then) * 100)
    then_money, now_money = (side.money[:, :, [WITH_UNITS, WITHOUT_UNITS]].sum(axis=2) for side in sides)
    stacked = np.stack(parts).round(6)
    settled = settled_to_cents(stacked, (now_money - then_money).ravel())
    by_name = {name: part.reshape(cells) for name, part in zip(CUSTOMERS, settled, strict=True)}
    for name, group in zip(ALONE, (NO_ACCOUNT, CREDIT), strict=True):
        by_name[name] = sides[1].money[:, :, group] - sides[0].money[:, :, group]
    return by_name
