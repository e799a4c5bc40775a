"""What the components of the change of bookings are called, and the rows of the month's table that tell of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from forecast import sources, wording
from forecast.evaluation.scorecard.revenue.decomposition import (
    BY_FACTOR,
    BY_PRODUCTS,
    BY_SEGMENTS,
    BY_YEAR,
    COMPANY,
    SEGMENT,
    WHOLE,
)
from forecast.evaluation.scorecard.revenue.parts import ALONE, FACTORS
from forecast.reporting.pages.scorecard.amounts import value_in

# -- sentences --------------------------------------------------------------------------------------------

NAMES = {
    "customers": "customers who bought",
    "frequency": "orders per customer",
    "units": "units per order",
    "price": "price per unit",
    "deal_size": "size of an order",
    "mix": "mix of products",
    "recording": "orders with units",
    "account_unknown": "no customer named",
    "credits": "credits",
}
"""How each component is called at its bar, in the order of the bars."""
assert set(NAMES) == {*FACTORS, *ALONE}

WAYS = {
    "customers": ("more customers bought", "fewer customers bought"),
    "frequency": ("each ordered more often", "each ordered less often"),
    "units": ("orders had more units", "orders had fewer units"),
    "price": ("prices rose", "prices fell"),
    "deal_size": ("orders grew", "orders shrank"),
    "mix": ("products with dearer orders sold more", "products with dearer orders sold less"),
    "recording": ("more is known of units in orders", "less is known of units in orders"),
    "account_unknown": ("deals that name no customer brought more", "deals that name no customer brought less"),
    "credits": ("credits took less", "credits took more"),
}
"""What is said of each where it added to bookings, and where it took from them."""

WITHIN = "within segments and products"
"""Added where a component goes against its own figure of the whole company, which the mix of segments moves too."""

ELSEWHERE = {
    "customers": ("more where each buys for less", "fewer where each buys for less"),
    "frequency": (
        "more of the customers were in {} that order often",
        "fewer of the customers were in {} that order often",
    ),
    "units": (
        "more of the orders were of {} with many units an order",
        "fewer of the orders were of {} with many units an order",
    ),
    "price": ("more of the units were of dearer {}", "fewer of the units were of dearer {}"),
    "deal_size": (
        "more of the orders were of {} with dearer orders",
        "fewer of the orders were of {} with dearer orders",
    ),
}
"""Why the figure of the whole company rose, or fell, where the component goes against it; of which shares it is so."""

SHARES = {BY_SEGMENTS: "segments", BY_PRODUCTS: "products"}
OTHER_WEIGHTS = "the bar weighs segments and products by what they bring, the figure over all by their number"
"""Said where neither share alone moved the figure of the whole company its way."""

UNITS = {"customers": "count", "frequency": "ratio", "units": "ratio", "price": "money", "deal_size": "money"}
"""What the component's own figure is; of the others it is no figure of its own."""

# -- the rows of the table --------------------------------------------------------------------------------


def revenue_of(table: pd.DataFrame) -> dict[str, Any] | None:
    """Return the row of the company's revenue in a year; None where there is no year before."""
    rows = rows_of(table, WHOLE)
    return rows[0] if rows and wording.known(rows[0]["amount"]) else None


def rows_of(table: pd.DataFrame, split: str) -> list[dict[str, Any]]:
    """Return the rows of a split of the company's change in a year."""
    here = (table["comparison"] == BY_YEAR) & (table["level"] == COMPANY) & (table["split"] == split)
    return sources.records(table[here])


def segments_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return what the revenue of each segment changed by in a year, a row each."""
    return table[(table["comparison"] == BY_YEAR) & (table["level"] == SEGMENT) & (table["split"] == WHOLE)]


def row_of(table: pd.DataFrame, split: str, component: str) -> dict[str, Any] | None:
    """Return the row of one component of a split of the company's change in a year."""
    return next((row for row in rows_of(table, split) if row["component"] == component), None)


def components_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the components that moved anything, the largest first."""
    rows = [row for row in rows_of(table, BY_FACTOR) if wording.known(row["amount"]) and row["amount"]]
    return sorted(rows, key=lambda row: -abs(sources.bare(row["amount"])))


def is_against(row: Mapping[str, Any]) -> bool:
    """Return whether a component took where its own figure of the whole company rose, or added where that fell."""
    own = sources.bare(row["to_value"]) - sources.bare(row["from_value"])
    return row["component"] in UNITS and wording.known(own) and own != 0 and (own > 0) != (row["amount"] > 0)


def why_against(table: pd.DataFrame, row: Mapping[str, Any]) -> str:
    """Return why a component can go against its own figure of the whole company: which shares moved that its way.

    Named are only shares that by themselves moved it so, by a tenth of its change at least.
    """
    name, rose = row["component"], not row["amount"] > 0
    if name not in ELSEWHERE:
        return OTHER_WEIGHTS
    text = ELSEWHERE[name][not rose]
    if "{}" not in text:
        return text
    own = sources.bare(row["to_value"]) - sources.bare(row["from_value"])
    named = []
    for split, noun in SHARES.items():
        found = row_of(table, split, name)
        moved = 0.0 if found is None else sources.bare(found["to_value"]) - sources.bare(found["from_value"])
        if moved * own > 0 and abs(moved) >= _TOLD_OF_CHANGE * abs(own):
            named.append(noun)
    return text.format(wording.joined(named)) if named else OTHER_WEIGHTS


_TOLD_OF_CHANGE = 0.1
"""What moved the figure of the whole company by less than this share of its change is not said to have moved it."""


def ends_of(row: Mapping[str, Any], *, currency: str) -> str:
    """Return a component's own figure before and since, `2,133 → 2,190`; nothing where it is none."""
    if row["component"] not in UNITS:
        return ""
    unit = UNITS[row["component"]]
    ends = (value_in(row[end], unit, currency=currency) for end in ("from_value", "to_value"))
    return f"{wording.THIN}→{wording.THIN}".join(ends)
