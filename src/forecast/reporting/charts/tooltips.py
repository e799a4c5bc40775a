"""What a chart says of one of its marks, when it is pointed at or stepped to: a name, a colon, a few values.

The words and the digits are those of the page; what is not known is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forecast import wording
from forecast.wording import listed as values
from forecast.wording import named_amount as amount
from forecast.wording import named_range as span
from forecast.wording import named_share as share

__all__ = ["amount", "forecast", "share", "span", "values"]


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
