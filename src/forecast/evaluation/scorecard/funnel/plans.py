"""Whose plan was nearer, for the same months; and whether what is to be booked can be delivered."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from forecast import wording
from forecast.calendar import parse_periods, period_labels
from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import TOTAL
from forecast.errors import DataError
from forecast.evaluation.scorecard.funnel.rows import CAPACITY, PLAN, FunnelRow
from forecast.evaluation.scores.comparison import FEWEST, diebold_mariano, holm, paired_targets
from forecast.models.pipeline.bookings import Drawn, drawn_bookings
from forecast.models.tables import month_targets

SUBMITTERS = ("sales", "marketing", "joint")
_TAIL = 0.975


def plan_rows(scored: pd.DataFrame | None, *, segments: tuple[str, ...]) -> list[FunnelRow]:
    """Return for each two of SUBMITTERS whose forecasts of the same targets were nearer, in all and by segment.

    scored : what `score` gave of a backtest in which submitters stand; None or without them = the rows say so. The
    value is the mean absolute error of the first less that of the second, as a share of the mean booked: above 0 the
    second was nearer. Interval and p_value are those of `diebold_mariano` on the errors averaged by target month;
    p_value is corrected over all rows (Holm).
    """
    rows = []
    for first, second in itertools.combinations(SUBMITTERS, 2):
        pair = _pair(scored, first, second)
        rows += [_compared(pair, first, second, segment=segment) for segment in (None, *segments)]
    adjusted = holm([row.p_value for row in rows])
    return [replace(row, p_value=float(p)) for row, p in zip(rows, adjusted, strict=True)]


def _pair(scored: pd.DataFrame | None, first: str, second: str) -> pd.DataFrame | None:
    if scored is None:
        return None
    rows = scored[(scored["span"] == "month") & (scored["segment"] != TOTAL) & scored["error"].notna()]
    pair = paired_targets(rows, f"submitted-{second}", f"submitted-{first}")
    return None if pair.empty else pair


def _compared(pair: pd.DataFrame | None, first: str, second: str, *, segment: str | None) -> FunnelRow:
    step = f"{first} against {second}"
    means = (
        f"mean error of {first} less that of {second} on the same months, as a share of the mean booked; above 0 "
        f"{second} was nearer"
    )
    name = TOTAL if segment is None else segment
    if pair is not None and segment is not None:
        pair = pair[pair["segment"] == segment]
    if pair is None or pair.empty:
        why = f"no month was forecast by both {first} and {second}; needs submitted_forecasts of both"
        return FunnelRow(part=PLAN, step=step, means=means, segment=name, unit="ratio", n_of="month", missing=why)
    errors = pair.assign(t=parse_periods(pair["target_period"]))
    by_month = errors.groupby("t")[["abs_error_before", "abs_error", "observed"]].mean()
    test = diebold_mariano(by_month["abs_error_before"], by_month["abs_error"])
    size, months = float(by_month["observed"].abs().mean()), period_labels(by_month.index)
    about = FunnelRow(
        part=PLAN,
        step=step,
        means=means,
        segment=name,
        unit="ratio",
        n=len(by_month),
        n_of="month",
        first=months[0],
        last=months[-1],
    )
    if np.isnan(test.statistic) or not size > 0:
        why = f"needs {FEWEST} months forecast by both, {wording.number(len(by_month))} are there"
        return replace(about, missing=why if test.n < FEWEST else "their errors never differ")
    value = test.mean_difference / size
    half = float(stdtrit(test.df, _TAIL)) * abs(value / test.statistic)
    return replace(about, value=value, low=value - half, high=value + half, p_value=test.p_value)


# -- bookings and what can be delivered ------------------------------------------------------------------


def capacity_rows(snap: Snapshot, *, months: int = 6, seed: int = 0, forecast: Drawn | None = None) -> list[FunnelRow]:
    """Return the chance that a month's bookings exceed what can be delivered, by segment and Total.

    From the same draws as `forecast_bookings` with these months and seed, what is booked already included. A Total is
    given where every segment has a capacity. There is no interval: the chance is itself what the draws say. forecast :
    the same forecast, where it is made already.
    """
    periods = month_targets(snap, months)[0]
    labels, names = period_labels(periods), (*snap.segments, TOTAL)
    capacity = _capacity(snap, periods)
    drawn, why = None, ""
    if capacity is None:
        why = "needs capacity in delivery"
    elif np.isnan(capacity).all():
        why = "delivery holds no capacity of the months ahead"
    else:
        made = drawn_bookings(snap, months=months, seed=seed) if forecast is None else forecast
        found = made.addends
        if isinstance(found, DataError):
            why = f"there is no forecast: {found.problem.what}"
        else:
            drawn = _by_name(found.draws + found.booked, made.segments, snap.segments)
    rows = []
    for m, label in enumerate(labels):
        for s, name in enumerate(names):
            row = FunnelRow(
                part=CAPACITY,
                step="bookings above capacity",
                means="chance that the month’s bookings are more than can be delivered",
                segment=name,
                cohort=label,
                n_of="draw",
                first=label,
                last=label,
                missing=why,
            )
            if drawn is not None and capacity is not None:
                row = _above(row, drawn[:, s, m], float(capacity[s, m]))
            rows.append(row)
    return rows


def _by_name(drawn: np.ndarray, of: tuple[str, ...], wanted: tuple[str, ...]) -> np.ndarray:
    """Return draws (n, R, M) of some segments as those of others, 0 where there is none, and their sum last."""
    out = np.zeros((len(drawn), len(wanted) + 1, drawn.shape[2]))
    for s, name in enumerate(wanted):
        if name in of:
            out[:, s] = drawn[:, of.index(name)]
    out[:, -1] = drawn.sum(axis=1)
    return out


def _above(row: FunnelRow, drawn: np.ndarray, capacity: float) -> FunnelRow:
    if np.isnan(capacity):
        which = "every segment" if row.segment == TOTAL else "this segment"
        return replace(row, missing=f"delivery holds no capacity of {which} in this month")
    return replace(row, value=float((drawn > capacity).mean()), n=len(drawn))


def _capacity(snap: Snapshot, periods: np.ndarray) -> np.ndarray | None:
    """Return what can be delivered, by segment and Total, and period; (S + 1, M), NaN where it is not known."""
    delivery = snap.delivery
    if delivery is None or "capacity" not in delivery or not delivery["capacity"].notna().any():
        return None
    wide = delivery.pivot_table(index="segment", columns="period", values="capacity", aggfunc="sum", min_count=1)
    wide = wide.reindex(index=list(snap.segments), columns=period_labels(periods)).to_numpy(dtype=np.float64)
    return np.concatenate([wide, wide.sum(axis=0, keepdims=True)])
