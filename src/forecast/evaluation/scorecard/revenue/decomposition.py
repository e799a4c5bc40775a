"""Do we sell more? What revenue changed by between two spans of months, in parts: more people, more often, for more.

Two comparisons. `year`: the last twelve months that have ended against the twelve before. `joint planning`: of each
segment that plans jointly the twelve months from its start (or as many as have ended) against the same months a year
before, and beside each start the segments that never joined, over the same months. That is an accounting split of what
was booked and says nothing about what caused it: the effect of planning is asked of `evaluation.planning`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.calendar import period_label
from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import TOTAL
from forecast.evaluation.scorecard.revenue.lmdi import Cents
from forecast.evaluation.scorecard.revenue.parts import (
    ALONE,
    CREDIT,
    CUSTOMERS,
    FACTORS,
    NO_ACCOUNT,
    WITH_UNITS,
    WITHOUT_UNITS,
    Flags,
    Parts,
    Side,
    Sold,
    parts_of,
    sold,
)
from forecast.evaluation.scorecard.revenue.shares import Moved, means_of, moved_by_shares
from forecast.evaluation.scorecard.spans import YEAR, Span, wins_of, year_of
from forecast.evaluation.scores.amounts import ratio

COLUMNS = (
    *("comparison", "level", "node", "split", "component", "amount", "share", "from_value", "to_value"),
    *("n_before", "n_after", "before", "after", "missing"),
)
BY_YEAR, BY_PLANNING = "year", "joint planning"
COMPANY, SEGMENT, PRODUCT, BESIDE = "company", "segment", "product", "beside"
WHOLE, BY_FACTOR, BY_CUSTOMER, BY_BUYER = "total", "factor", "customers", "buyer"
"""What the parts of a split sum to: those of `factor` and of `buyer` to the total, of `customers` to that factor."""

BY_SEGMENTS, BY_PRODUCTS = "shares of segments", "shares of products"
"""Splits without amounts: how far these shares alone moved a mean of the company, `to_value` less `from_value`."""

NO_PRODUCT = "no product"

_NEEDS = {
    "units": "units in opportunities",
    "price": "units in opportunities",
    "mix": "product in opportunities",
    "customers": "account_id in opportunities",
    "frequency": "account_id in opportunities",
}


def scorecard_decomposition(snap: Snapshot) -> pd.DataFrame:
    """Return what revenue changed by, in parts, to the cent; as known on the day of a snapshot.

    Returns
    -------
    comparison (`year`, `joint planning`), level (`company`, `segment`, `product`, and `beside`: the segments that never
    joined, in the months of the start of the segment that is the node), node (its name; `Total`), split and component:

    - `total`: `revenue`, the change that the parts sum to;
    - `factor`: `customers`, `frequency` (orders per customer), `mix` (products' shares of the orders), `recording` (the
      share of orders with units), `units` per order, `price` per unit, `deal_size` (of orders without units),
      `account_unknown`, `credits`, and `amount_unknown`, which is counted and is no money;
    - `customers`: `new`, `regained`, `lost`, `kept`: the factor `customers` by who came and who went;
    - `buyer`: the change by whom it came from: customers new, regained, lost, kept, and those two that stand alone;
    - `shares of segments`, `shares of products`: of the company alone and without an amount, how far other shares of
      segments, and of products in them, moved its `frequency`, `units`, `price` and `deal_size`: from what it was
      (from_value) to what it would have become by them (to_value);

    amount (reporting currency, whole cents; NaN where it cannot be known), share (of the revenue before), from_value,
    to_value (the component's own figure: customers, orders per customer, units per order, price; NaN where it is none),
    n_before, n_after (on how many deals, or of customers how many, it rests), before, after (the months, as text),
    missing (why it is not known and what would bring it; else empty).

    Amounts of segments sum to those of the company, amounts of products too, in every component, to the cent. One row
    of a comparison that cannot be made says why.
    """
    wins = wins_of(snap)
    periods = wins["period"].to_numpy(dtype=np.int64)
    deals = sold(wins, segments=tuple(snap.segments))
    rows = [*_of_year(snap, deals, periods), *_of_planning(snap, deals, periods)]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = dict.fromkeys(("amount", "share", "from_value", "to_value"), float)
    return table.astype({**numbers, "n_before": int, "n_after": int})


Row = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """A comparison: what it is called, its months as text, and what the log cannot say of it."""

    comparison: str
    before: str
    after: str
    missing: Mapping[str, str]


def _of_year(snap: Snapshot, deals: Sold, periods: np.ndarray) -> Iterator[Row]:
    year = year_of(snap)
    asked = _asked(BY_YEAR, snap, before=year.before, after=year.now, begins=year.begins)
    if not year.has_before:
        recorded = f"bookings are recorded from {period_label(year.begins)} on"
        yield _unknown(asked, f"{recorded}; the twelve months before need wins in opportunities from then")
        return
    earlier = periods < year.before.first
    parts = parts_of(deals, before=year.before.has(periods), after=year.now.has(periods), earlier=earlier)
    yield from _nodes(parts, deals, asked)


def _of_planning(snap: Snapshot, deals: Sold, periods: np.ndarray) -> Iterator[Row]:
    """Yield the rows of the segments that joined, their sums, and beside each those that never did."""
    starts, never = _starts(snap)
    year = year_of(snap)
    windows = {
        segment: window
        for segment, start in starts.items()
        if (window := _window(start, last=year.now.last)) is not None and window[0].first >= year.begins
    }
    if not windows:
        asked = _Asked(comparison=BY_PLANNING, before="", after="", missing={})
        why = "no segment has planned jointly for a month, with twelve recorded before; needs joint_planning"
        yield _unknown(asked, why)
        return
    first = np.full(len(deals.segments), np.iinfo(np.int64).max)
    months = np.zeros(len(deals.segments), dtype=np.int64)
    for segment, (before, after) in windows.items():
        at = deals.segments.index(segment)
        first[at], months[at] = before.first, after.last - after.first + 1
    own, length = first[deals.segment], months[deals.segment]
    since = periods - own
    parts = parts_of(
        deals,
        before=(since >= 0) & (since < length),
        after=(since >= YEAR) & (since < YEAR + length),
        earlier=since < 0,
    )
    own_months = {
        segment: _asked(BY_PLANNING, snap, before=before, after=after, begins=year.begins)
        for segment, (before, after) in windows.items()
    }
    whole = _Asked(
        comparison=BY_PLANNING,
        before="each segment's months a year before",
        after="each segment's months from its start on",
        missing=_never_named(snap),
    )
    yield from _nodes(parts, deals, whole, own=own_months)
    if never.any():
        yield from _beside(snap, deals, periods, windows=windows, never=never, begins=year.begins)


def _beside(
    snap: Snapshot,
    deals: Sold,
    periods: np.ndarray,
    *,
    windows: Mapping[str, tuple[Span, Span]],
    never: Flags,
    begins: int,
) -> Iterator[Row]:
    """Yield the rows of the segments that never joined, in the months of each start; never : (R,)."""
    theirs = never[deals.segment]
    for segment, (before, after) in windows.items():
        parts = parts_of(
            deals,
            before=theirs & before.has(periods),
            after=theirs & after.has(periods),
            earlier=theirs & (periods < before.first),
        )
        asked = _asked(BY_PLANNING, snap, before=before, after=after, begins=begins)
        yield from _rows(parts, np.ones(parts.change.shape, dtype=bool), level=BESIDE, node=segment, asked=asked)


def _starts(snap: Snapshot) -> tuple[dict[str, int], Flags]:
    """Return the month in which each segment began to plan jointly, and which segments have no start; (R,)."""
    table = snap.joint_planning
    if table is None:
        return {}, np.ones(len(snap.segments), dtype=bool)
    begun = table[table["adopted_on"].notna() & table["segment"].isin(snap.segments)]
    periods = snap.calendar.period_of(begun["adopted_on"])
    starts = dict(zip(begun["segment"], map(int, periods), strict=True))
    return starts, np.array([segment not in starts for segment in snap.segments])


def _window(start: int, *, last: int) -> tuple[Span, Span] | None:
    """Return the months of a start, as many of twelve as have ended by `last`, and the same a year before."""
    months = min(YEAR, last - start + 1)
    if months < 1:
        return None
    return Span(first=start - YEAR, last=start - YEAR + months - 1), Span(first=start, last=start + months - 1)


# -- what the log cannot say ------------------------------------------------------------------------------


def _asked(comparison: str, snap: Snapshot, *, before: Span, after: Span, begins: int) -> _Asked:
    missing = _never_named(snap)
    if before.first <= begins:
        since = f"wins are recorded from {period_label(begins)} on"
        missing |= {"regained": f"{since}: who bought before that counts as new; needs earlier wins in opportunities"}
    return _Asked(comparison=comparison, before=_months(before), after=_months(after), missing=missing)


def _months(span: Span) -> str:
    first, last = period_label(span.first), period_label(span.last)
    return first if first == last else f"{first} to {last}"


def _never_named(snap: Snapshot) -> dict[str, str]:
    """Return which components the company's table has no column for, by name, and what would bring them."""
    missing = {}
    for name, needs in _NEEDS.items():
        column = needs.split(" ")[0]
        if column not in snap.opportunities.columns or not snap.opportunities[column].notna().any():
            missing[name] = f"needs {needs}"
    if "customers" in missing:
        without_customers = dict.fromkeys((*FACTORS, *CUSTOMERS), missing["customers"])
        return {**without_customers, **missing}
    return missing


def _unknown(asked: _Asked, why: str) -> Row:
    """Return the one row of a comparison that cannot be made."""
    row = dict.fromkeys(("amount", "share", "from_value", "to_value"), float("nan"))
    named = {"comparison": asked.comparison, "level": COMPANY, "node": TOTAL, "split": WHOLE, "component": "revenue"}
    return {**named, **row, "n_before": 0, "n_after": 0, "before": asked.before, "after": asked.after, "missing": why}


# -- parts become rows ------------------------------------------------------------------------------------


def _nodes(parts: Parts, deals: Sold, asked: _Asked, *, own: Mapping[str, _Asked] | None = None) -> Iterator[Row]:
    """Yield the rows of the company, of its segments and of its products; own : the segments to tell of, and when."""
    everything = np.ones(parts.change.shape, dtype=bool)
    yield from _rows(parts, everything, level=COMPANY, node=TOTAL, asked=asked)
    yield from _by_shares(parts, everything, asked)
    for at, segment in enumerate(deals.segments):
        if own is None or segment in own:
            cells = everything & (np.arange(len(everything)) == at)[:, None]
            yield from _rows(parts, cells, level=SEGMENT, node=segment, asked=asked if own is None else own[segment])
    if len(deals.products) > 1:
        for at, product in enumerate(deals.products):
            cells = everything & (np.arange(len(deals.products)) == at)
            yield from _rows(parts, cells, level=PRODUCT, node=product or NO_PRODUCT, asked=asked)


def _rows(parts: Parts, cells: Flags, *, level: str, node: str, asked: _Asked) -> Iterator[Row]:
    """Yield the rows of a node; cells : (R, P), which segments and products are in it."""
    figures = [_figures(side, cells) for side in (parts.before, parts.after)]
    revenue = int(parts.before.money[cells].sum())
    people = {name: int(number[cells.any(axis=1)].sum()) for name, number in parts.counts.items()}

    def row(split: str, component: str, cents: Cents | None) -> Row:
        (then, n_before), (now, n_after) = (figure[component] for figure in figures)
        why = asked.missing.get(component, "")
        if split in (BY_CUSTOMER, BY_BUYER) and component in CUSTOMERS:
            ends = (component in ("lost", "kept"), component in ("new", "regained", "kept"))
            n_before, n_after = (people[component] if there else 0 for there in ends)
            then, now = (float(n_before), float(n_after)) if split == BY_CUSTOMER else (np.nan, np.nan)
        amount = np.nan if cents is None or (why and component != "regained") else int(cents[cells].sum()) / 100
        return {
            "comparison": asked.comparison,
            "level": level,
            "node": node,
            "split": split,
            "component": component,
            "amount": amount,
            "share": ratio(amount * 100, revenue),
            "from_value": then,
            "to_value": now,
            "n_before": n_before,
            "n_after": n_after,
            "before": asked.before,
            "after": asked.after,
            "missing": why,
        }

    yield row(WHOLE, "revenue", parts.change)
    for name in (*FACTORS, *ALONE):
        yield row(BY_FACTOR, name, parts.factors[name])
    yield row(BY_FACTOR, "amount_unknown", np.zeros_like(parts.change))
    for name in CUSTOMERS:
        yield row(BY_CUSTOMER, name, parts.customers[name])
    for name in (*CUSTOMERS, *ALONE):
        yield row(BY_BUYER, name, parts.buyers[name])


def _by_shares(parts: Parts, cells: Flags, asked: _Asked) -> Iterator[Row]:
    """Yield how far the shares of segments, and of products in them, moved each mean of the company."""
    then, now = (means_of(side, cells) for side in (parts.before, parts.after))
    figures = [_figures(side, cells) for side in (parts.before, parts.after)]
    for name in then:
        moved = Moved(segments=np.nan, products=np.nan)
        if not asked.missing.get(name, ""):
            moved = moved_by_shares(then[name], now[name])
        for split, by in ((BY_SEGMENTS, moved.segments), (BY_PRODUCTS, moved.products)):
            yield {
                "comparison": asked.comparison,
                "level": COMPANY,
                "node": TOTAL,
                "split": split,
                "component": name,
                "amount": float("nan"),
                "share": float("nan"),
                "from_value": then[name].value,
                "to_value": then[name].value + by,
                "n_before": figures[0][name][1],
                "n_after": figures[1][name][1],
                "before": asked.before,
                "after": asked.after,
                "missing": asked.missing.get(name, ""),
            }


def _figures(side: Side, cells: Flags) -> dict[str, tuple[float, int]]:
    """Return each component's own figure in one span, and on how many deals it rests.

    Customers are counted in each segment they buy in, and of a product they are those of its segments: so they are in
    the parts too.
    """
    of_segments = cells.any(axis=1)
    customers = side.customers[of_segments].sum()
    all_orders = side.orders[of_segments][:, :, [WITH_UNITS, WITHOUT_UNITS]].sum()
    orders, money = side.orders[cells].sum(axis=0), side.money[cells].sum(axis=0) / 100
    named, units = orders[[WITH_UNITS, WITHOUT_UNITS]].sum(), side.units[cells].sum()
    nothing = float("nan")
    found = {
        "revenue": (money.sum(), orders.sum()),
        "customers": (customers, customers),
        "frequency": (ratio(all_orders, customers), all_orders),
        "mix": (ratio(named, all_orders) if not cells[of_segments].all() else nothing, named),
        "recording": (ratio(orders[WITH_UNITS], named), named),
        "units": (ratio(units, orders[WITH_UNITS]), orders[WITH_UNITS]),
        "price": (ratio(money[WITH_UNITS], units), orders[WITH_UNITS]),
        "deal_size": (ratio(money[WITHOUT_UNITS], orders[WITHOUT_UNITS]), orders[WITHOUT_UNITS]),
        "account_unknown": (money[NO_ACCOUNT], orders[NO_ACCOUNT]),
        "credits": (money[CREDIT], orders[CREDIT]),
        "amount_unknown": (nothing, side.without_amount[cells].sum()),
        **dict.fromkeys(CUSTOMERS, (nothing, 0)),
    }
    return {name: (float(value), int(n)) for name, (value, n) in found.items()}
