"""The months the scorecard looks at: the last twelve that have ended, the twelve before, and what was won in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.calendar import parse_periods, period_label
from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import TOTAL

YEAR = 12
"""Months compared with as many before."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """Months first..last, both within."""

    first: int
    last: int

    def has(self, periods: object) -> np.ndarray:
        """Return which of the periods lie in the span."""
        values = np.asarray(periods)
        return (values >= self.first) & (values <= self.last)

    def rows(self, frame: pd.DataFrame | None) -> pd.DataFrame | None:
        """Return the rows of a table with text `period` that lie in the span; no rows of `Total`."""
        if frame is None:
            return None
        rows = frame[self.has(parse_periods(frame["period"]))]
        return rows[rows["segment"] != TOTAL] if "segment" in rows.columns else rows

    @property
    def first_label(self) -> str:
        """The first month as text, as `Definition.first` is."""
        return period_label(self.first)

    @property
    def last_label(self) -> str:
        """The last month as text."""
        return period_label(self.last)


@dataclass(frozen=True, kw_only=True)
class Year:
    """The last months that have ended by a day, at most twelve of them, the twelve before, and what is recorded.

    begins : the first month whose bookings are all recorded; `now` begins no earlier. has_before : whether all of
    `before` is recorded, so that the two can be compared.
    """

    now: Span
    before: Span
    begins: int

    @property
    def has_before(self) -> bool:
        """Whether the log holds the twelve months before."""
        return self.before.first >= self.begins


def year_of(snap: Snapshot) -> Year:
    """Return the twelve months that ended last by the day of a snapshot, and the twelve before."""
    last = snap.period if snap.at_month_end else snap.period - 1
    begins = max(
        snap.calendar.period(snap.opportunities["created_on"].min()),
        snap.ledger.as_of(snap.as_of).closures_recorded_from,
    )
    now = Span(first=min(max(last - YEAR + 1, begins), last), last=last)
    return Year(now=now, before=Span(first=last - 2 * YEAR + 1, last=last - YEAR), begins=begins)


def wins_of(snap: Snapshot) -> pd.DataFrame:
    """Return the opportunities known won, with `period`, the month they closed in."""
    opportunities = snap.opportunities
    wins = opportunities[opportunities["outcome"] == "won"].copy()
    return wins.assign(period=snap.calendar.period_of(wins["closed_on"]))
