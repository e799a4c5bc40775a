"""What a chart says of one of its marks, when it is pointed at or stepped to: a name, a colon, a few values.

The words and the digits are those of the page; what is not known is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forecast import wording


def values(name: Any, *parts: str, most: int = 60) -> str:
    """Return `name: one; two`, without the parts that are empty."""
    said = "; ".join(part for part in parts if part)
    title = wording.label(name, most=most)
    return f"{title}: {said}" if said else title


def amount(what: str, value: Any, *, currency: str, sign: bool = False) -> str:
    """Return `plan €4.9 m`, or nothing where the amount is not known."""
    return f"{what} {wording.money(value, currency=currency, sign=sign)}".strip() if wording.known(value) else ""


def share(what: str, value: Any, *, sign: bool = False) -> str:
    """Return `plan reached 31 %`, or nothing where the share is not known."""
    return f"{what} {wording.percent(value, sign=sign)}".strip() if wording.known(value) else ""


def span(low: Any, high: Any, *, currency: str, nominal: int = 80) -> str:
    """Return `80 % range €3.7–4.6 m`, or nothing where an end is not known."""
    if not (wording.known(low) and wording.known(high)):
        return ""
    return f"{nominal}{wording.THIN}% range {wording.money_range(low, high, currency=currency)}"


def forecast(name: Any, row: Mapping[str, Any], *, currency: str) -> str:
    """Return what a forecast row says: median, 80 % range, what is booked of it, plan and the chance of reaching it."""
    booked = row.get("booked")
    plan = amount("plan", row.get("plan"), currency=currency)
    chance = row.get("p_at_least_plan")
    return values(
        name,
        amount("median", row.get("q50"), currency=currency),
        span(row.get("q10"), row.get("q90"), currency=currency),
        amount("booked already", booked, currency=currency) if wording.known(booked) and booked else "",
        f"{plan} ({wording.chance(chance)} likely)" if plan and wording.known(chance) else plan,
    )
