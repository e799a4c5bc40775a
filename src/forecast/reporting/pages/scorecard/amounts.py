"""How a figure of the scorecard is written: in its unit, and with its 95 % interval; one home for all its pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forecast import wording
from forecast.evaluation.scorecard.figures.attainment import FIGURE as ATTAINMENT
from forecast.evaluation.scorecard.figures.cost import COST
from forecast.evaluation.scorecard.measures import CAPACITY, COST_OF_SALES

PERCENTAGE = "percentage"
"""The unit of a ratio that is told in per cent, with a decimal, for it moves little in a year; it may be above 100."""

IN_PERCENT = (ATTAINMENT, COST, COST_OF_SALES, CAPACITY)
"""The figures and measures whose ratios are such."""

# -- sentences --------------------------------------------------------------------------------------------


OF_SELLING = ("cost of sales", "cost of selling")
"""What the tables call what selling costs, and what pages do: to many readers the first is the cost of what is sold."""


def called(name: str) -> str:
    """Return what a figure or a measure of the tables is called on a page.

    >>> called("lower cost: cost of sales per booked")
    'lower cost: cost of selling per booked'
    """
    return name.replace(*OF_SELLING)


def unit_of(row: Mapping[Any, Any]) -> str:
    """Return in which unit a figure is told; row : of `scorecard_definitions` (figure) or `scorecard` (measure)."""
    name = row["figure"] if "figure" in row else row["measure"]
    return PERCENTAGE if row["unit"] == "ratio" and name in IN_PERCENT else str(row["unit"])


def value_in(value: float | None, unit: str, *, currency: str) -> str:
    """Return a figure of the scorecard in its unit.

    >>> value_in(0.187, PERCENTAGE, currency="EUR").replace("\\u202f", " ")
    '18.7 %'
    """
    if not wording.known(value):
        return wording.UNKNOWN
    if unit == "share":
        return wording.percent(value)
    if unit == PERCENTAGE:
        return wording.percent(value, places=1)
    if unit == "money":
        return wording.money(value, currency=currency)
    return f"{wording.number(value)} months of bookings" if unit == "months" else wording.number(value)


def value_of(row: Mapping[Any, Any], *, currency: str) -> str:
    """Return the value of a row of `scorecard_definitions` in its unit."""
    return value_in(row["value"], unit_of(row), currency=currency)


def with_range(row: Mapping[str, Any], *, currency: str) -> str:
    """Return `41 % (31–53 %)`: the value of a row in its unit, and its interval where there is one.

    None is shown of a level of which both ends are the same.
    """
    value = value_of(row, currency=currency)
    is_known = wording.known(row["low"]) and wording.known(row["high"])
    if not is_known or (row["unit"] != "share" and row["low"] == row["value"] == row["high"]):
        return value
    return f"{value} ({_range(row['low'], row['high'], unit_of(row), currency=currency)})"


def _range(low: Any, high: Any, unit: str, *, currency: str) -> str:
    """Return the ends of an interval: `31–53 %`, `€3.33–4.16 k`, `16.7 % to 20.7 %`, `2.26 to 3.07`."""
    if unit == "share":
        return wording.percents(low, high)
    if unit == "money":
        return wording.money_range(low, high, currency=currency)
    if unit == PERCENTAGE:
        return " to ".join(value_in(end, unit, currency=currency) for end in (low, high))
    return f"{wording.number(low)} to {wording.number(high)}"
