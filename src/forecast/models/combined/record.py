"""What the forecasters said at past origins, and what came of it, as known on one day.

Simple case: at each of the last WINDOW month ends every forecaster gave a number for each segment and month ahead, and
most of these months have settled since. Three complications: a forecaster is silent for some segments, months or
origins (nan); segments came later than some origins (nan); the latest targets have not settled (nan).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast.data.schema import ADDENDS, QUANTILE_COLUMNS, TOTAL
from forecast.models.tables import bookings_in

if TYPE_CHECKING:
    from forecast.data.known.ledger import KnownState

SIZE_MONTHS = 12
"""Settled months whose mean is a segment's size."""
_LEAST_SIZE = 0.02
"""Of the largest segment's size; a segment that books next to nothing must not rule by its relative errors."""


@dataclass(frozen=True, kw_only=True)
class Issued:
    """A forecast table of one day as arrays: rows are segments and then the Total, columns the months ahead.

    mean, booked : (S + 1, H), nan = none. quantiles : (S + 1, H, 7).
    """

    segments: tuple[str, ...]
    mean: np.ndarray
    booked: np.ndarray
    quantiles: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Record:
    """Past forecasts of F forecasters (the first is `pipeline`) at O origins, by segment and months ahead.

    forecasts : (F, O, S, H), nan where silent. actual : (O, S, H), nan where not settled by the day.
    target : (O, H) int64, the period forecast. last : the last settled period. size : (S,), money a month, above 0.
    people : (F,) bool, which of them are submitters.
    """

    forecasts: np.ndarray
    actual: np.ndarray
    target: np.ndarray
    last: int
    size: np.ndarray
    people: np.ndarray

    @property
    def settled(self) -> np.ndarray:
        """Which targets have settled, (O, H) bool."""
        return self.target <= self.last


def issued(table: pd.DataFrame, *, months: int) -> Issued:
    """Return the rows of months of a forecast table of one origin; months : how many there are, H.

    The table has its rows by target, then segment, the Total last, as every forecaster writes it.
    """
    names = table["segment"].to_numpy()
    each = int(np.flatnonzero(names == TOTAL)[0]) + 1
    rows = table.iloc[: each * months]

    def wide(values: np.ndarray) -> np.ndarray:
        return np.moveaxis(values.reshape(months, each, *values.shape[1:]), 0, 1)

    booked = rows[ADDENDS[0]].to_numpy(dtype=np.float64) if ADDENDS[0] in rows else np.full(len(rows), np.nan)
    return Issued(
        segments=tuple(names[: each - 1]),
        mean=wide(rows["mean"].to_numpy(dtype=np.float64)),
        booked=wide(booked),
        quantiles=wide(rows[list(QUANTILE_COLUMNS)].to_numpy(dtype=np.float64)),
    )


def aligned(values: np.ndarray, names: Sequence[str], segments: Sequence[str]) -> np.ndarray:
    """Return values by segment, (S', ...), for other segments, (S, ...): nan for those that have none."""
    if tuple(names) == tuple(segments):
        return np.array(values, order="C")  # laid out as below, on which the last bit of sums depends
    place = pd.Index(names).get_indexer(pd.Index(segments))
    out = np.full((len(segments), *values.shape[1:]), np.nan)
    out[place >= 0] = values[place[place >= 0]]
    return out


def record_of(
    view: KnownState, past: Sequence[Mapping[str, Issued]], *, names: Sequence[str], people: np.ndarray
) -> Record:
    """Return the record as known on a day.

    past : what each forecaster issued at each past origin, one a month, the last a month before the day; not empty.
    names : the forecasters, `pipeline` first. people : (F,) bool.
    """
    segments, ahead = view.segments, past[0][names[0]].mean.shape[1]
    forecasts = np.stack([[aligned(at[name].mean[:-1], at[name].segments, segments) for at in past] for name in names])
    first = view.first_target - np.arange(len(past), 0, -1)
    target = first[:, None] + np.arange(ahead)[None, :]
    last = view.last_settled
    periods = np.arange(int(target.min()), int(target.max()) + 1)
    came = bookings_in(view, periods)
    came[:, (periods > last) | (periods < view.bookings_complete_from)] = np.nan
    back = np.arange(last - SIZE_MONTHS + 1, last + 1)
    size = np.abs(bookings_in(view, back)).mean(axis=1)
    return Record(
        forecasts=forecasts,
        actual=came[:, target - periods[0]].transpose(1, 0, 2),
        target=target,
        last=last,
        size=np.maximum(size, max(_LEAST_SIZE * float(size.max(initial=0.0)), 1e-9)),
        people=people,
    )
