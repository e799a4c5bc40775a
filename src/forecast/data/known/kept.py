"""A walk through a company's past that is kept, so that whoever needs a day of it finds it there.

Simple case: the forecast of a day, the odds of its deals, what moved them and the forecasts of past month ends all rest
on one walk along the same days, with the same models fitted at the same stops. It is walked once, and its stops are
kept on the ledger. Whoever needs other days, a model without some columns, or one that is fitted from another month on,
walks anew: the numbers are the same to the bit either way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True, kw_only=True)
class KeptWalk:
    """The stops of a walk along `days` whose models are fitted from the period `fit_from` on.

    stops : by day, what was worked out there, with `view` and `learned`; maybe of the last days alone. first_target :
    the first period that was not over on the first day. months : the settled months as the last day knows them.
    """

    days: tuple[pd.Timestamp, ...]
    first_target: int
    fit_from: int
    stops: Mapping[pd.Timestamp, Any]
    months: Any

    def begins(self, days: Sequence[pd.Timestamp], *, fit_from: int) -> bool:
        """Say whether it begins with a walk along these days: same stops, models fitted in the same months.

        By hand: along the days 1, 2, 3 with a first target of 2 it begins with a walk along 1, 2, whether that fits
        from 1 or from 2 on, since no model can be fitted before its first stop; along 2, 3 it does not.
        """
        first = self.first_target
        return tuple(days) == self.days[: len(days)] and max(fit_from, first) == max(self.fit_from, first)

    def has(self, days: Sequence[pd.Timestamp]) -> bool:
        """Say whether the stops of all these days are kept."""
        return all(day in self.stops for day in days)
