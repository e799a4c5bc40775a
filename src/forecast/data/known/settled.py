"""Settled actuals: what each month booked, as the log had it `settle_days` after the month ended."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from forecast.calendar import Calendar, period_labels
from forecast.data.known.history import WON, Archive, archive
from forecast.data.schema import Log
from forecast.errors import ParameterError


def settled_actuals(log: Log, *, settle_days: int | None = None, kept: Archive | None = None) -> pd.DataFrame:
    """Return bookings by month and segment as recorded `settle_days` after each month's end.

    Parameters
    ----------
    log : a validated log.
    settle_days : days a month is given to settle; the company's by default.
    kept : the log's archive, where there is one already.

    Returns
    -------
    DataFrame with period (text), segment, amount (reporting currency), deals (int64): every segment in every month from
    the first record to the last month that has settled by the log's end, zeros included; no rows of `Total`.

    Raises
    ------
    ParameterError : settle_days is negative.
    """
    days = log.company.settle_days if settle_days is None else settle_days
    if days < 0:
        raise ParameterError(f"settle_days: {days} is negative")
    calendar = log.company.periods
    kept = archive(log) if kept is None else kept
    won = _wins(kept, calendar, days)
    first = calendar.period(kept.opportunities["created_on"].min())
    if len(kept.recorded_on):
        first = min(first, calendar.period(kept.recorded_on.min()))
    last = calendar.last_settled(log.extracted_on, settle_days=days)
    segments = sorted(set(kept.opportunities["segment"].unique()) | set(won["segment"].unique()))
    return by_month(won, periods=range(first, last + 1), segments=segments)


def by_month(won: pd.DataFrame, *, periods: range, segments: Sequence[str]) -> pd.DataFrame:
    """Return period (text), segment, amount and deals of wins (period, segment, amount), zeros included."""
    grid = pd.MultiIndex.from_product([periods, segments], names=["period", "segment"])
    sums = won.groupby(["period", "segment"])["amount"].agg(["sum", "size"]).reindex(grid, fill_value=0)
    return pd.DataFrame(
        {
            "period": pd.Series(period_labels(grid.get_level_values(0)), dtype="str"),
            "segment": pd.Series(grid.get_level_values(1), dtype="str"),
            "amount": sums["sum"].to_numpy(dtype=np.float64),
            "deals": sums["size"].to_numpy(dtype=np.int64),
        }
    )


def _wins(kept: Archive, calendar: Calendar, days: int) -> pd.DataFrame:
    """Return period, segment, amount of every win that stood when its period settled."""
    base = kept.opportunities
    closed_on = base["closed_on"].to_numpy().astype("datetime64[us]")
    # Wins that history does not tell of are recorded on the day they took effect.
    told = np.flatnonzero((kept.today == WON) & ~kept.says_closure)
    parts = []
    if kept.history is not None:
        parts = _told_by_history(kept, calendar, days, closed_on)
    parts.append((calendar.period_of(closed_on[told]), base["segment"].take(told), kept.amount[told]))
    return pd.DataFrame(
        {
            "period": np.concatenate([part[0] for part in parts]),
            "segment": pd.concat([part[1] for part in parts], ignore_index=True),
            "amount": np.concatenate([part[2] for part in parts]),
        }
    )


def _told_by_history(
    kept: Archive, calendar: Calendar, days: int, closed_on: np.ndarray
) -> list[tuple[np.ndarray, pd.Series, np.ndarray]]:
    history = kept.history
    assert history is not None
    position, recorded_on, outcome = kept.position, kept.recorded_on, kept.outcome
    m = len(position)
    won = np.flatnonzero(outcome == WON)
    following = np.minimum(won + 1, max(m - 1, 0))
    goes_on = (following > won) & (position[following] == position[won])
    # A row stands until the next one is recorded.
    until = np.where(goes_on, recorded_on[following], np.datetime64("9999-12-31", "us"))
    new = won[(won == 0) | (position[won - 1] != position[won]) | (outcome[won - 1] != WON)]
    since = recorded_on[new[np.searchsorted(new, won, side="right") - 1]]

    if "closed_on" in history:
        given = history["closed_on"].to_numpy().astype("datetime64[us]")[won]
        belongs = ~np.isnat(given)
    else:
        given = closed_on[position[won]]
        belongs = (kept.today[position[won]] == WON) & ~np.isnat(given)
    segment = (
        history["segment"].take(won) if "segment" in history else kept.opportunities["segment"].take(position[won])
    )

    def settles(dates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        period = calendar.period_of(dates)
        distinct, inverse = np.unique(period, return_inverse=True)
        ends = [
            calendar.settles_on(int(value), settle_days=days).to_datetime64().astype("datetime64[us]")
            if value >= 0
            else np.datetime64("NaT", "us")
            for value in distinct
        ]
        return period, np.array(ends, dtype="datetime64[us]")[inverse]

    def stands(at: np.ndarray) -> np.ndarray:
        return (recorded_on[won] <= at) & (at < until)

    parts = []
    period, at = settles(given)
    counted = belongs & stands(at)
    parts.append((period[counted], segment[counted], kept.history_amount[won][counted]))
    period, at = settles(since)
    early = "closed_on" in history
    counted = stands(at) & (~belongs | ((given > at) & (not early)))
    parts.append((period[counted], segment[counted], kept.history_amount[won][counted]))
    return parts
