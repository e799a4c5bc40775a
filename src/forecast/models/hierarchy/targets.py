"""The months and quarters of a forecast by level, and how months add up to quarters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.calendar import NO_PERIOD, period_labels
from forecast.data.known.ledger import KnownState
from forecast.models.tables import month_targets, quarter_targets


@dataclass(frozen=True, kw_only=True)
class Targets:
    """The S months forecast and the Q quarters they complete, with the B past months of these.

    before : (B,), periods : (S,). inside (Q, S), gone (Q, B) : which months make up each quarter. labels, horizons :
    (S + Q,), of months, then of quarters.
    """

    before: np.ndarray
    periods: np.ndarray
    inside: np.ndarray
    gone: np.ndarray
    labels: list[str]
    horizons: np.ndarray

    @classmethod
    def of(cls, view: KnownState, months: int) -> Targets:
        """Return those of a day; months : ahead, the month in progress not counted."""
        calendar = view.calendar
        periods, horizons = month_targets(view, months)
        quarters, ahead = quarter_targets(view, periods)
        three = np.array([calendar.quarter_periods(int(each)) for each in quarters], dtype=np.int64).reshape(-1, 3)
        past = np.where(three < periods[0], three, NO_PERIOD)
        before = np.unique(past[past != NO_PERIOD])
        return cls(
            before=before,
            periods=periods,
            inside=(np.asarray(calendar.quarter_of(periods))[None, :] == quarters[:, None]).astype(float),
            gone=(past[:, :, None] == before).any(axis=1).astype(float),
            labels=period_labels(periods) + [calendar.quarter_label(int(each)) for each in quarters],
            horizons=np.concatenate([horizons, ahead]).astype(np.int64),
        )

    @property
    def all_months(self) -> np.ndarray:
        """Past months of the quarters, then the months forecast; (B + S,), one after the other where there are any."""
        return np.concatenate([self.before, self.periods])

    def whole(self, booked: np.ndarray) -> np.ndarray:
        """Return what is booked by month and quarter, (..., S + Q). booked : (..., B + S)."""
        past, ahead = booked[..., : len(self.before)], booked[..., len(self.before) :]
        return np.concatenate([ahead, ahead @ self.inside.T + past @ self.gone.T], axis=-1)

    def ahead(self, values: np.ndarray) -> np.ndarray:
        """Return what is to come by month and quarter, (..., S + Q). values : (..., S)."""
        return np.concatenate([values, values @ self.inside.T], axis=-1)
