"""What every forecaster writes: the forecast table, from draws or from single numbers; and what is booked already.

Arrays are segments x months here: segments sorted as in the snapshot, months as `month_targets` gives them. Quarters
and `Total` are sums of the same draws, so that their quantiles come from the joint distribution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forecast.calendar import NO_PERIOD, period_labels
from forecast.data.schema import ADDENDS, FORECAST_COLUMNS, QUANTILE_COLUMNS, QUANTILES, TOTAL, NotedTable
from forecast.errors import ParameterError

if TYPE_CHECKING:
    from forecast.data.known.ledger import KnownState
    from forecast.data.known.snapshot import Snapshot

MOST_MONTHS = 60
Addends = Mapping[str, np.ndarray]
"""The parts of a forecast by the names of `ADDENDS`, each (segments, months)."""


def month_targets(state: KnownState | Snapshot, months: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the periods forecast and their horizons, both (M,) int64; the month in progress comes first mid-month.

    Raises
    ------
    ParameterError : months is not a whole number from 1 to 60.
    """
    if isinstance(months, bool) or not isinstance(months, (int, np.integer)) or not 1 <= months <= MOST_MONTHS:
        raise ParameterError(f"months: {months!r} is not a whole number from 1 to {MOST_MONTHS}")
    horizons = np.arange(1 if state.at_month_end else 0, months + 1, dtype=np.int64)
    return state.period + horizons, horizons


def quarter_targets(state: KnownState, periods: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the fiscal quarters that past months and the months forecast cover, and their horizons, (Q,) int64.

    Horizon 0 is the quarter in progress, 1 the next; on a quarter's last day there is no 0.
    """
    quarters = np.unique(np.asarray(state.calendar.quarter_of(periods), dtype=np.int64))
    last = np.array([state.calendar.quarter_periods(int(quarter))[2] for quarter in quarters], dtype=np.int64)
    quarters = quarters[last <= periods[-1]]
    return quarters, quarters - state.calendar.quarter_of(state.period)


def bookings_in(state: KnownState, periods: np.ndarray, *, everywhere: bool = False) -> np.ndarray:
    """Return the amounts won in each period, as known; (segments, len(periods)).

    Segments are the state's, or with `everywhere` the ledger's.
    """
    won = state.won_deals
    segment = state.segment[won] if everywhere else state.place_of_segment[state.segment[won]]
    closed = state.closed_in[won]
    span = np.arange(int(periods.min()), int(periods.max()) + 1) if len(periods) else np.zeros(0, dtype=np.int64)
    keep = np.flatnonzero((segment >= 0) & (closed >= periods.min(initial=10**9)) & (closed <= periods.max(initial=0)))
    count = len(state.ledger.segments) if everywhere else len(state.segments)
    if not len(keep):
        return np.zeros((count, len(periods)))
    cell = segment[keep] * len(span) + closed[keep] - span[0]
    paid = np.nan_to_num(state.amount[won[keep]])
    return np.bincount(cell, paid, minlength=count * len(span)).reshape(count, len(span))[:, periods - span[0]]


def known_bookings(state: KnownState, *, complete: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return the bookings known by month: periods (T,) from the first record on, and amounts (segments, T).

    The last period is that of as_of; with `complete` it is the last one that had ended.
    """
    seen = np.concatenate([state.ledger.created_in[state.known], state.closed_in[state.known]])
    seen = seen[seen > 0]
    last = state.last_complete if complete else state.period
    first = min(int(seen.min()), last + 1) if len(seen) else last + 1
    periods = np.arange(first, last + 1, dtype=np.int64)
    return periods, bookings_in(state, periods)


def from_draws(
    state: KnownState,
    *,
    model: str,
    draws: np.ndarray,
    periods: np.ndarray,
    mean: np.ndarray | None = None,
    addends: Addends | None = None,
) -> pd.DataFrame:
    """Return the forecast table of joint draws of bookings by month.

    Parameters
    ----------
    draws : (n, segments, M), the whole bookings of each month, what is booked already included.
    periods : (M,), from `month_targets`.
    mean : (segments, M); the mean of the draws by default.
    addends : `ADDENDS` by name, each (segments, M), which sum to `mean`; none by default.

    Raises
    ------
    ValueError : shapes do not fit, or a draw is not a number.
    """
    draws = np.asarray(draws, dtype=np.float64)
    shape = (len(state.segments), len(periods))
    if draws.ndim != 3 or draws.shape[1:] != shape or not np.isfinite(draws).all():
        raise ValueError(f"draws: {draws.shape} is not (n, {shape[0]}, {shape[1]}), or a draw is not finite")
    point = draws.mean(axis=0) if mean is None else np.asarray(mean, dtype=np.float64)
    columns, past = _rows(state, model=model, mean=point, periods=periods, addends=addends)
    plan = columns["plan"]
    # One row a target: months, then quarters; the draws last, so that sorting runs along memory.
    by_target = np.moveaxis(draws, 0, 2).transpose(1, 0, 2)
    quarters, _ = quarter_targets(state, periods)
    parts = [by_target]
    if len(quarters):
        inside = np.asarray(state.calendar.quarter_of(periods))[None, :] == quarters[:, None]
        summed = np.stack([by_target[mask].sum(axis=0) for mask in inside])
        parts.append(summed + past.T[:, :, None])
    values = np.concatenate(parts)
    values = np.concatenate([values, values.sum(axis=1, keepdims=True)], axis=1).reshape(len(plan), -1)
    values.sort(axis=1)
    columns.update(zip(QUANTILE_COLUMNS, quantiles_of(values).T, strict=True))
    reached = (values >= plan[:, None]).mean(axis=1)
    columns["p_at_least_plan"] = np.where(np.isnan(plan), np.nan, reached)
    return pd.DataFrame(columns)


def quantiles_of(values: np.ndarray) -> np.ndarray:
    """Return the quantiles of `QUANTILES` of each row of draws, (k, 7). values : (k, n), each row ascending."""
    place = np.array(QUANTILES) * (values.shape[1] - 1)
    below = np.floor(place).astype(np.int64)
    low, high = values[:, below], values[:, np.minimum(below + 1, values.shape[1] - 1)]
    return np.clip(low + (high - low) * (place - below), low, high)


def from_means(
    state: KnownState,
    *,
    model: str,
    mean: np.ndarray,
    periods: np.ndarray,
    addends: Addends | None = None,
) -> pd.DataFrame:
    """Return the forecast table of single numbers, (segments, M), nan where there is none: quantiles stay empty.

    A total or a quarter is given only where all its parts are.
    """
    mean = np.asarray(mean, dtype=np.float64)
    return pd.DataFrame(_rows(state, model=model, mean=mean, periods=periods, addends=addends)[0])


def chance_of(amount: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Return the chance of at least an amount, (n,), nan where there is none; quantiles : (n, 7).

    Straight lines between quantiles; beyond the outer ones half the outer probability, since nothing is known there.
    """
    out = np.full(len(amount), np.nan)
    levels = np.array(QUANTILES)
    for row in np.flatnonzero(np.isfinite(amount) & np.isfinite(quantiles).all(axis=1)):
        q, x = quantiles[row], amount[row]
        if x <= q[0]:
            out[row] = 1.0 if q[0] == q[-1] and x <= q[0] else 1 - levels[0] / 2
        elif x > q[-1]:
            out[row] = 0.0 if q[0] == q[-1] else levels[0] / 2
        else:
            at = int(np.searchsorted(q, x, side="left"))
            out[row] = 1 - (levels[at - 1] + (levels[at] - levels[at - 1]) * (x - q[at - 1]) / (q[at] - q[at - 1]))
    return out


def abstain(state: KnownState, *, model: str, months: int, notes: Sequence[str]) -> NotedTable:
    """Return a forecast table without numbers, with notes that say why."""
    periods, _ = month_targets(state, months)
    table = from_means(state, model=model, mean=np.full((len(state.segments), len(periods)), np.nan), periods=periods)
    return NotedTable(table=table, notes=tuple(notes))


def _rows(
    state: KnownState, *, model: str, mean: np.ndarray, periods: np.ndarray, addends: Addends | None
) -> tuple[dict[str, Any], np.ndarray]:
    """Return the columns of the table, with its means, addends and plan, and what past months of each quarter booked.

    The latter is (segments, Q).
    """
    calendar, segments = state.calendar, state.segments
    quarters, quarter_horizons = quarter_targets(state, periods)
    ahead = np.array([calendar.quarter_periods(int(quarter)) for quarter in quarters], dtype=np.int64).reshape(-1, 3)
    gone = np.where(ahead < periods[0], ahead, NO_PERIOD)
    before = np.unique(gone[gone != NO_PERIOD])
    matches = (gone[:, :, None] == before).any(axis=1)  # quarter x past month
    past = bookings_in(state, before) @ matches.T.astype(float)
    inside = np.asarray(calendar.quarter_of(periods))[:, None] == quarters[None, :]

    def column(values: np.ndarray, gone: np.ndarray | float) -> np.ndarray:
        """Return values by (segment, month) as one column, with the sums over quarters and segments."""
        if values.shape != (len(segments), len(periods)):
            raise ValueError(f"{values.shape} is not (segments, months) = {(len(segments), len(periods))}")
        summed = np.stack([values[:, mask].sum(axis=1) for mask in inside.T], axis=1) if len(quarters) else past
        wide = np.concatenate([values, summed + gone], axis=1)
        return _with_total(wide).T.ravel()

    labels = period_labels(periods) + [calendar.quarter_label(int(quarter)) for quarter in quarters]
    horizons = np.concatenate([periods - state.period, quarter_horizons]).astype(np.int64)
    each = len(segments) + 1
    rows = len(labels) * each
    span = np.arange(min(periods[0], ahead.min(initial=periods[0])), periods[-1] + 1)
    plan = _plan(state, span)
    plan = np.concatenate([plan[:, periods - span[0]], plan[:, ahead - span[0]].sum(axis=2)], axis=1)
    columns: dict[str, Any] = {
        "model": pd.Series([model] * rows, dtype="str"),
        "origin": np.full(rows, state.as_of.to_datetime64().astype("datetime64[us]")),
        "target_period": pd.Series([label for label in labels for _ in range(each)], dtype="str"),
        "horizon": np.repeat(horizons, each),
        "segment": pd.Series([*segments, TOTAL] * len(labels), dtype="str"),
        "mean": column(mean, past),
        **{name: np.full(rows, np.nan) for name in QUANTILE_COLUMNS},
    }
    assert tuple(columns) == FORECAST_COLUMNS
    for name in ADDENDS if addends is not None else ():
        values = np.asarray(addends[name], dtype=np.float64)  # type: ignore[index]
        columns[name] = column(values, past if name == "booked" else 0.0)
    columns["plan"] = _with_total(plan).T.ravel()
    columns["p_at_least_plan"] = np.full(rows, np.nan)
    return columns, past


def _with_total(values: np.ndarray) -> np.ndarray:
    """Return values with the sum over segments below them, nan where there is no segment."""
    total = values.sum(axis=0, keepdims=True) if len(values) else np.full((1, values.shape[1]), np.nan)
    return np.concatenate([values, total])


def _plan(state: KnownState, periods: np.ndarray) -> np.ndarray:
    """Return the plan of each segment and period, nan where there is none; (segments, len(periods))."""
    out = np.full((len(state.segments), len(periods)), np.nan)
    period, code, amount = state.ledger.plan
    place, segment = pd.Index(periods).get_indexer(pd.Index(period)), state.place_of_segment[code]
    rows = np.flatnonzero((place >= 0) & (segment >= 0))
    out[segment[rows], place[rows]] = amount[rows]
    return out
