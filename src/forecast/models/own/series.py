"""What a snapshot knows as monthly series: bookings and leads, a column a segment."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.calendar import parse_periods, period_labels
from forecast.data.known.snapshot import Snapshot
from forecast.models.tables import known_bookings


def monthly_bookings(snap: Snapshot) -> pd.DataFrame:
    """Return what was booked by month and segment, from the first record to the last month that is over.

    Index: the months' first days (freq MS), as statsmodels and most others like it; a fiscal month stands for the one
    it is named after. Columns: the segments. Amounts in the reporting currency, 0 where nothing was booked.

    >>> monthly_bookings(snap).sum(axis=1).tail(3)  # doctest: +SKIP
    """
    periods, amounts = known_bookings(snap.state, complete=True)
    return pd.DataFrame(amounts.T, index=_months(periods), columns=pd.Index(snap.state.segments, dtype="str"))


def monthly_leads(snap: Snapshot) -> pd.DataFrame:
    """Return the leads by month and segment that are known, of months that are over; all zero where none are.

    From the table marketing, else counted in leads. Index and columns as `monthly_bookings`, which it is aligned with.
    """
    bookings = monthly_bookings(snap)
    if snap.marketing is not None:
        rows = snap.marketing[["period", "segment", "leads"]]
    elif snap.leads is not None:
        period = period_labels(snap.calendar.period_of(snap.leads["created_on"]))
        rows = pd.DataFrame({"period": period, "segment": snap.leads["segment"], "leads": 1.0})
    else:
        return bookings * 0.0
    wide = rows.pivot_table(index="period", columns="segment", values="leads", aggfunc="sum", fill_value=0.0)
    wide.index = _months(parse_periods(wide.index))
    return wide.reindex(index=bookings.index, columns=bookings.columns).fillna(0.0)


def ahead(series: pd.DataFrame, steps: int, *, lag: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a table of series `lag` months before each month: of the months there are, and of the next `steps`.

    Simple case: what came `lag` months before a month is known. Two complications: before the first `lag` months
    nothing was (they are filled with the first value), and where the month looked at lies ahead its place is taken by
    the mean of the last twelve months. By hand, lag 1: of 1, 2, 3 the past is 1, 1, 2 and the next step 3.
    """
    index = pd.date_range(series.index[0], periods=len(series) + steps, freq="MS")
    longer = series.reindex(index)
    longer.iloc[len(series) :] = series.iloc[-12:].mean().to_numpy()
    moved = longer.shift(lag).bfill()
    return moved.iloc[: len(series)], moved.iloc[len(series) :]


def _months(periods: np.ndarray) -> pd.DatetimeIndex:
    labels = period_labels(periods)
    return pd.DatetimeIndex(pd.to_datetime([f"{label}-01" for label in labels]), freq="MS" if len(labels) else None)
