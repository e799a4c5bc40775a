"""Booked + open pipeline + not yet created -> the distribution of bookings by month, quarter, segment and Total.

The mean of each addend is an expectation worked out; the quantiles come from joint draws in which every open deal is
a coin toss of its own, deals to come are a Poisson number of past amounts, and segments share an error as large as
past origins showed. So the Total's quantiles are its own, not a sum of quantiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast.calendar import parse_periods, period_label
from forecast.data.schema import ADDENDS, FORECAST_COLUMNS, QUANTILE_COLUMNS, QUANTILES, TOTAL
from forecast.errors import ParameterError
from forecast.models.bookings_draws import draw_new, draw_open, draw_shared
from forecast.models.bookings_errors import learn
from forecast.models.creation import COHORTS, expected_wins
from forecast.models.features import present
from forecast.models.hazards import incidence
from forecast.models.winprob import FEWEST_CLOSED, check_seed, filled_amounts, fit_win_model

if TYPE_CHECKING:
    from forecast.data.snapshots import Snapshot

MODEL, MODEL_WITHOUT = "pipeline", "pipeline-sales-only"
MOST_MONTHS = 24
FEWEST_MONTHS = 3
"""Complete months of records below which nothing is forecast."""


@dataclass(frozen=True)
class Addends:
    """A forecast by segment and step: known bookings, expectations of the two others (R, S), and draws of their sum."""

    booked: np.ndarray
    open_pipeline: np.ndarray
    not_yet_created: np.ndarray
    draws: np.ndarray
    notes: tuple[str, ...] = ()


def forecast_bookings(snap: Snapshot, *, months: int = 6, seed: int = 0, marketing: bool = True) -> pd.DataFrame:
    """Return the forecast of bookings.

    Parameters
    ----------
    snap : a snapshot. months : months ahead, 1 to 24; the month in progress comes on top where there is one.
    seed : of the draws, an integer >= 0. marketing : whether marketing's leads may be used.

    Returns
    -------
    FORECAST_COLUMNS, booked, open_pipeline, not_yet_created (they add up to `mean`), plan, p_at_least_plan; one row a
    segment (and `Total`) and month, then the same for each fiscal quarter whose months are all past or forecast.
    Amounts are in the reporting currency, at least 0; quantiles never fall and are at least what is booked.
    `attrs["notes"]` says what a reader must know. On too thin data the numbers are nan and the notes say what is needed.

    Raises
    ------
    ParameterError : months or seed out of range.
    """
    check_seed(seed)
    if isinstance(months, bool) or not isinstance(months, (int, np.integer)) or not 1 <= months <= MOST_MONTHS:
        raise ParameterError(f"months: {months!r} is not a whole number from 1 to {MOST_MONTHS}")
    steps = months + (not snap.at_month_end)
    parts = _addends(snap, steps=steps, seed=seed, marketing=marketing)
    return _table(snap, parts, MODEL if marketing else MODEL_WITHOUT)


def _addends(snap: Snapshot, *, steps: int, seed: int, marketing: bool) -> Addends:
    """Compute every part of the forecast."""
    booked = np.zeros((len(snap.segments), steps))
    target = snap.period + bool(snap.at_month_end)
    deals, calendar = snap.opportunities, snap.calendar
    is_won = (deals["outcome"] == "won").to_numpy()
    closed = calendar.period_of(deals["closed_on"])
    paid = np.nan_to_num(deals["amount"].to_numpy(float))
    code = pd.Index(list(snap.segments)).get_indexer(pd.Index(deals["segment"]))
    now = is_won & (closed == target)
    np.add.at(booked[:, 0], code[now], paid[now])
    reason = _too_thin(snap)
    model = fit_win_model(snap) if reason is None else None
    if model is None:
        reason = reason or "no deal was open at a past month's end, so nothing can be learned"
        unknown = np.full(booked.shape, np.nan)
        return Addends(booked, unknown, unknown, np.full((1, *booked.shape), np.nan), (f"No forecast: {reason}.",))
    first = int(np.min(closed_periods := calendar.period_of(deals["created_on"]), where=closed_periods > 0, initial=target))
    future = expected_wins(snap, steps=max(steps, model.panel.steps), marketing=marketing, part=_part(snap))
    lessons = learn(snap, model, future, first_period=first)
    states = present(snap, model.words)
    amount, without = filled_amounts(snap, states)
    chance, _ = incidence(*model.hazards(states, steps=steps))
    step = np.minimum(np.arange(steps), len(lessons.growth) - 1)
    value = amount[:, None] * lessons.growth[step] * lessons.open_bias[step]
    wins, new = future.wins[:, -1, :steps], future.value[:, -1, :steps] * lessons.future_bias[step]
    segments = len(snap.segments)
    open_mean = np.zeros((segments, steps))
    np.add.at(open_mean, states.segment, chance * value)
    pool = paid[is_won & (closed > target - COHORTS) & (paid > 0)]
    draws = draw_open(chance, value, states.segment, segments=segments, ratios=lessons.ratios, seed=seed)
    draws += draw_new(wins, new, pool=pool, seed=seed)
    draws *= draw_shared(lessons.common[step], lessons.own[step], segments=segments, seed=seed)
    notes = []
    if model.reason:
        notes.append(f"Open deals have no skill over the base rate: {model.reason}.")
    if without:
        notes.append(f"{without:,} open deals have no amount; the mean won amount of their segment stands in.")
    return Addends(booked, open_mean, new, draws, tuple(notes))


def _too_thin(snap: Snapshot) -> str | None:
    """Return why no forecast can be made, or None."""
    deals = snap.opportunities
    closed = int((deals["outcome"] != "open").sum())
    if closed < FEWEST_CLOSED:
        return f"only {closed} closed deals are known, at least {FEWEST_CLOSED} are needed"
    created = snap.calendar.period_of(deals["created_on"])
    created = created[created > 0]
    last = snap.period if snap.at_month_end else snap.period - 1
    complete = last - int(created.min()) + 1 if len(created) else 0
    if complete < FEWEST_MONTHS:
        return f"only {max(complete, 0)} complete months are recorded, at least {FEWEST_MONTHS} are needed"
    return None


def _part(snap: Snapshot) -> float:
    """Return how much of its month is over at as_of; 0 at a month's end, where the next month is untouched."""
    if snap.at_month_end:
        return 0.0
    start, end = snap.calendar.start(snap.period), snap.calendar.start(snap.period + 1)
    return ((snap.as_of - start).days + 1) / (end - start).days


# -- the table -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Target:
    """One period of the table: its label, horizon, the steps it is made of, and its months."""

    label: str
    horizon: int
    steps: list[int]
    periods: list[int]


def _targets(snap: Snapshot, steps: int) -> list[_Target]:
    """Return the months forecast, then the quarters whose months are all past or forecast."""
    calendar = snap.calendar
    first = snap.period + bool(snap.at_month_end)
    out = [_Target(period_label(first + s), first + s - snap.period, [s], [first + s]) for s in range(steps)]
    here = calendar.quarter_of(snap.period)
    for quarter in range(calendar.quarter_of(first), calendar.quarter_of(first + steps - 1) + 1):
        periods = calendar.quarter_periods(quarter)
        if periods[-1] < first + steps:
            ahead = [period - first for period in periods if period >= first]
            out.append(_Target(calendar.quarter_label(quarter), quarter - here, ahead, list(periods)))
    return out


def _past_bookings(snap: Snapshot) -> dict[int, np.ndarray]:
    """Return known bookings by segment (R,) of each past period of the quarter in progress."""
    deals = snap.opportunities
    is_won = (deals["outcome"] == "won").to_numpy()
    closed = snap.calendar.period_of(deals["closed_on"])
    paid = np.nan_to_num(deals["amount"].to_numpy(float))
    code = pd.Index(list(snap.segments)).get_indexer(pd.Index(deals["segment"]))
    last = snap.period if snap.at_month_end else snap.period - 1
    out = {}
    for period in range(last - 2, last + 1):
        which = is_won & (closed == period)
        out[period] = np.bincount(code[which], paid[which], minlength=len(snap.segments))
    return out


def _plans(snap: Snapshot) -> dict[tuple[int, str], float]:
    """Return the plan of each period and segment."""
    if snap.plan is None:
        return {}
    keys = zip(parse_periods(snap.plan["period"]).tolist(), snap.plan["segment"], strict=True)
    return dict(zip(keys, snap.plan["amount"].to_numpy(float).tolist(), strict=True))


def _table(snap: Snapshot, parts: Addends, model: str) -> pd.DataFrame:
    """Lay out the forecast table."""
    names = [*snap.segments, TOTAL]
    past, plans = _past_bookings(snap), _plans(snap)
    blocks = []
    for target in _targets(snap, parts.booked.shape[1]):
        booked = parts.booked[:, target.steps].sum(axis=1)
        for period in target.periods:
            booked = booked + past.get(period, 0.0)
        addends = [booked, *(part[:, target.steps].sum(axis=1) for part in (parts.open_pipeline, parts.not_yet_created))]
        table = np.column_stack([np.append(part, part.sum()) for part in addends])
        draws = parts.draws[:, :, target.steps].sum(axis=2)
        draws = np.column_stack([draws, draws.sum(axis=1)]) + table[:, 0]
        plan = np.array([[plans.get((period, name), np.nan) for period in target.periods] for name in snap.segments])
        plan = plan.sum(axis=1) if len(plan) else np.zeros(0)
        plan = np.append(plan, plan.sum() if len(plan) else np.nan)
        reached = np.where(np.isnan(plan) | np.isnan(draws[0]), np.nan, (draws >= plan).mean(axis=0))
        frame = pd.DataFrame(
            {
                "model": pd.Series([model] * len(names), dtype="str"),
                "origin": pd.Series([snap.as_of] * len(names)).astype("datetime64[us]"),
                "target_period": pd.Series([target.label] * len(names), dtype="str"),
                "horizon": np.full(len(names), target.horizon, dtype=np.int64),
                "segment": pd.Series(names, dtype="str"),
                "mean": table.sum(axis=1),
            }
        )
        frame[list(QUANTILE_COLUMNS)] = np.quantile(draws, QUANTILES, axis=0).T
        frame[list(ADDENDS)] = table
        frame["plan"], frame["p_at_least_plan"] = plan, reached
        blocks.append(frame)
    out = pd.concat(blocks, ignore_index=True)[[*FORECAST_COLUMNS, *ADDENDS, "plan", "p_at_least_plan"]]
    out.attrs["notes"] = list(parts.notes)
    return out
