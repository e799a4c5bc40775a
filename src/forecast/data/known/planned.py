"""From which month on each segment plans jointly, as far as it was known on a day.

Simple case: a start is known on the day itself. The complication: one that was announced is known from that day on, and
so is its month.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.calendar import Calendar
from forecast.data.known.coding import NO_DAY, NONE, codes_of, days_of

NEVER = 1_000_000
"""The period from which a segment plans jointly where no start is known."""


@dataclass(frozen=True, kw_only=True)
class Starts:
    """The k starts of joint planning: segment (codes), the period each lies in, and the day it was known; (k,)."""

    segment: np.ndarray
    period: np.ndarray
    known_on: np.ndarray

    @classmethod
    def of(cls, table: pd.DataFrame | None, segments: tuple[str, ...], calendar: Calendar) -> Starts:
        """Return the starts of a table `joint_planning`, none where it is absent; rows without a start are left out."""
        if table is None or not len(table):
            none = np.zeros(0, dtype=np.int64)
            return cls(segment=none, period=none, known_on=none)
        adopted = days_of(table["adopted_on"]).astype(np.int64)
        announced = days_of(table["announced_on"]) if "announced_on" in table else np.full(len(table), NO_DAY)
        segment = codes_of(table["segment"], segments)
        use = (adopted != NO_DAY) & (segment != NONE)
        known_on = np.where(announced == NO_DAY, adopted, np.minimum(adopted, announced))
        period = calendar.period_of(pd.DatetimeIndex(table["adopted_on"][use]))
        return cls(segment=segment[use], period=np.asarray(period, dtype=np.int64), known_on=known_on[use])

    def as_of(self, day: int, *, segments: int) -> np.ndarray:
        """Return the period from which each segment plans jointly as known at the end of a day, (segments,)."""
        out = np.full(segments, NEVER)
        here = self.known_on <= day
        np.minimum.at(out, self.segment[here], self.period[here])
        return out
