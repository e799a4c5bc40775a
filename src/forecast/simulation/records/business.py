"""The rest of the simulated company: plan, adoption of joint planning, quotas, costs, delivery, currencies."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.calendar import period_labels
from forecast.simulation import parameters as par
from forecast.simulation.demand import Staff
from forecast.simulation.parameters import Clock, Settings, generator
from forecast.simulation.pipeline import calendar_factors
from forecast.simulation.records.organisation import Seats
from forecast.simulation.records.tables import dates, texts

PLAN_GROWTH, PLAN_ERROR = 1.10, 0.07
STRETCH = 1.08
"""Sum of the quotas of a segment over its plan."""
CAPACITY_MONTHS_AHEAD = 6
ANNOUNCED = (100, 200)
"""Days between the announcement of joint planning and its first month, so before the first joint forecast is made."""
FUNCTIONS = ("sales", "marketing", "delivery")


def make_business_tables(
    settings: Settings,
    clock: Clock,
    staff: Staff,
    seats: Seats,
    actual: np.ndarray,
    spend: np.ndarray,
    opportunities: pd.DataFrame,
) -> dict[str, pd.DataFrame]:
    """Return plan, joint_planning, quotas, costs, delivery and currencies.

    `actual` (G, M) settled bookings, `spend` (G, months) of marketing, `opportunities` the table of the log.
    """
    rng = generator(settings, "business")
    actual = actual[:, : settings.months]
    planned = make_plan(rng, settings, actual)
    return {
        "plan": _long(settings, "amount", np.round(planned, -2)),
        "joint_planning": _joint_planning(settings, clock, staff),
        "quotas": _quotas(settings, staff, seats, planned),
        "costs": _costs(rng, settings, staff, actual, spend),
        "delivery": _delivery(rng, settings, actual, opportunities),
        "currencies": _currencies(settings),
    }


def make_plan(rng: np.random.Generator, settings: Settings, actual: np.ndarray) -> np.ndarray:
    """Return the plan by month, from the first month of the log to the end of the last planned year; (G, months).

    A calendar year is planned in October, from the twelve months that ended in September, grown by PLAN_GROWTH, spread
    by the usual season and off by PLAN_ERROR; where fewer months are known, from those, the first year from the first
    twelve months that follow.
    """
    count, months = actual.shape
    first_year, last = settings.start_period // 12, settings.start_period + months - 1
    last_year = last // 12 + (1 if last % 12 >= 8 else 0)
    season = calendar_factors()[:, 1].reshape(12, par.TICKS).mean(axis=1)
    out = np.full((count, (last_year + 1) * 12 - settings.start_period), np.nan)
    for year in range(first_year, last_year + 1):
        known = min(max(year * 12 - 3 - settings.start_period, 0), months)
        base = actual[:, max(known - 12, 0) : known] if known >= 9 else actual[:, 3:15]
        level = base.mean(axis=1) * (PLAN_GROWTH if known >= 9 else 0.95)
        level = level * np.exp(PLAN_ERROR * rng.standard_normal(count))
        index = np.arange(12) + year * 12 - settings.start_period
        inside = index >= 0
        out[:, index[inside]] = level[:, None] * season[None, inside]
    return out


def _long(settings: Settings, name: str, values: np.ndarray) -> pd.DataFrame:
    """Return values (G, months) as rows by period and segment."""
    count, months = values.shape
    labels = period_labels(settings.start_period + np.arange(months))
    return pd.DataFrame(
        {
            "period": texts(labels, np.repeat(np.arange(months), count)),
            "segment": texts(settings.names, np.tile(np.arange(count), months)),
            name: values.T.ravel(),
        }
    )


def announced_on(settings: Settings, clock: Clock, staff: Staff) -> np.ndarray:
    """Return the day on which each segment's joint planning is announced, (G,); -1 where it never begins."""
    day = clock.month_start[np.maximum(staff.adopted, 0)]
    notice = generator(settings, "organisation").spawn(2)[1].integers(*ANNOUNCED, settings.segments)
    return np.where(staff.adopted >= 0, day - notice, -1)


def _joint_planning(settings: Settings, clock: Clock, staff: Staff) -> pd.DataFrame:
    begins = staff.adopted >= 0
    day = np.where(begins, clock.month_start[np.maximum(staff.adopted, 0)], -1)
    table = pd.DataFrame(
        {
            "segment": texts(settings.names, np.arange(settings.segments)),
            "adopted_on": dates(day),
            "announced_on": dates(announced_on(settings, clock, staff)),
        }
    )
    change = settings.change("adopt")
    return table if change is None or change.announced else table.drop(columns="announced_on")


def _quotas(settings: Settings, staff: Staff, seats: Seats, planned: np.ndarray) -> pd.DataFrame:
    """Return the quota of whoever holds a seat in a month: the seat's share of the segment's plan."""
    months = planned.shape[1]
    owners = len(staff.owner_segment)
    quota = STRETCH * planned[staff.owner_segment] * staff.owner_weight[:, None]
    labels = period_labels(settings.start_period + np.arange(months))
    seat, month = np.tile(np.arange(owners), months), np.repeat(np.arange(months), owners)
    second = (seats.handed_over[seat] >= 0) & (month >= seats.handed_over[seat])
    holder = np.where(second, seats.second[seat], seats.first[seat])
    return pd.DataFrame(
        {
            "owner": texts(seats.names, holder),
            "period": texts(labels, month),
            "quota": np.round(quota.T.ravel(), -2),
            "hired_on": dates(seats.hired[holder]),
        }
    )


def _costs(
    rng: np.random.Generator, settings: Settings, staff: Staff, actual: np.ndarray, spend: np.ndarray
) -> pd.DataFrame:
    count, months = actual.shape
    reps = np.bincount(staff.owner_segment, minlength=count)[:, None]
    pay = 1.02 ** (np.arange(months) / 12.0)[None, :]
    mean = actual.mean(axis=1, keepdims=True)
    noise = np.exp(0.04 * rng.standard_normal((3, count, months)))
    salary = 0.12 * mean / reps
    sales = (salary * reps * pay + 0.05 * actual) * noise[0]
    marketing = (spend + 0.02 * mean * pay) * noise[1]
    delivery = (0.18 * mean * pay + 0.22 * _lagged(actual, 2)) * noise[2]
    labels = period_labels(settings.start_period + np.arange(months))
    cost = np.stack([sales, marketing, delivery])
    function, period, segment = (axis.ravel() for axis in np.indices((3, months, count)))
    order = np.lexsort((function, segment, period))
    function, period, segment = function[order], period[order], segment[order]
    return pd.DataFrame(
        {
            "period": texts(labels, period),
            "segment": texts(settings.names, segment),
            "function": texts(FUNCTIONS, function),
            "amount": np.round(cost[function, segment, period]),
        }
    )


def _lagged(values: np.ndarray, lag: int) -> np.ndarray:
    out = np.zeros_like(values)
    out[:, lag:] = values[:, :-lag]
    return out


def _delivery(
    rng: np.random.Generator, settings: Settings, actual: np.ndarray, opportunities: pd.DataFrame
) -> pd.DataFrame:
    """Capacity follows the bookings of the year before in yearly steps; the shares come from the opportunities."""
    count, months = actual.shape
    index = np.arange(months + CAPACITY_MONTHS_AHEAD)
    steps = index // 12 * 12
    known = np.stack([actual[:, max(s - 12, 0) : s].mean(axis=1) if s else actual[:, 3:15].mean(axis=1) for s in steps])
    capacity = 1.2 * known.T * np.exp(0.05 * rng.standard_normal((count, 1)))
    table = _long(settings, "capacity", np.round(capacity, -2))
    promised = opportunities["promised_on"]
    due = promised.notna()
    on_time = (opportunities["delivered_on"] <= promised)[due].astype(float)
    period = promised[due].dt.strftime("%Y-%m")
    share = on_time.groupby([period, opportunities.loc[due, "segment"]]).mean().round(3)
    key = pd.MultiIndex.from_frame(table[["period", "segment"]])
    late = share.reindex(key).to_numpy()
    ended = np.repeat(index < months, count)
    table["delivered_on_time"] = np.where(ended, late, np.nan)
    mood = 6.8 + 1.8 * table["delivered_on_time"].to_numpy() + 0.25 * rng.standard_normal(len(table))
    table["satisfaction"] = np.round(np.clip(mood, 1.0, 10.0), 1)
    return table


def _currencies(settings: Settings) -> pd.DataFrame:
    used = sorted({par.CURRENCY.get(name, "EUR") for name in settings.names} | {"EUR"})
    return pd.DataFrame(
        {"currency": pd.Series(used, dtype="str"), "plan_rate": np.array([par.PLAN_RATE[code] for code in used])}
    )
