"""The forecaster `combined`: what past origins teach about whom to believe, by months ahead.

At each origin the forecasts of the WINDOW month ends before it, as every forecaster made them then, are held against
what had settled by the origin (`record`); their errors give the weights (`weights`), and the ranges (`ranges`).
With fewer than FEWEST settled months it is `pipeline`; where `pipeline` abstains it abstains. Months, quarters,
segments and Total add up, and nothing is below what is booked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast.data.schema import FORECAST_COLUMNS, QUANTILE_COLUMNS, NotedTable
from forecast.data.submissions import submitters
from forecast.models.combined.ranges import moved, power_needed, widened
from forecast.models.combined.record import Issued, Record, aligned, issued, record_of
from forecast.models.combined.weights import DISCOUNT, FEWEST, Lessons, learn
from forecast.models.registry import SUBMITTED, at_origins
from forecast.models.tables import abstain, chance_of, from_means, month_targets, quarter_targets

if TYPE_CHECKING:
    from forecast.data.known.ledger import KnownState, Ledger
    from forecast.data.known.snapshot import Snapshot

MODEL, FIRST, LEVELLED = "combined", "pipeline", "pipeline-levelled"
COMPONENTS = (FIRST, "ets", "seasonal-naive", "stage-weighted-future")
"""The models that are combined; everybody who submits is one more."""
WINDOW = 24
"""Past origins that teach."""
FIRST_MONTHS = 12
"""Months of history before the first of them: with less no forecaster knows the year."""
NEXT_RANGE = 0.3
"""What the ranges of a horizon count for the horizon next to it."""
WEIGHT_COLUMNS = ("origin", "horizon", "model", "weight", "habit", "statistic", "enters", "months")

Made = Mapping[str, Mapping[pd.Timestamp, NotedTable]]
"""Forecast tables by forecaster and origin."""


@dataclass(frozen=True, kw_only=True)
class Combination:
    """The forecast of a day, and the weights in it.

    weights : WEIGHT_COLUMNS, a row a horizon and forecaster: weight (mean over segments, by what is forecast for them;
    they sum to 1 over a horizon), habit (what the forecast is multiplied by first), statistic (of the test that what it
    says differently made past errors smaller; nan = not tested), enters, and months (settled ones it is judged by).
    """

    forecast: NotedTable
    weights: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(WEIGHT_COLUMNS)))


def combined_at_origins(
    snap: Snapshot, *, origins: Sequence[pd.Timestamp], months: int = 6, seed: int = 0
) -> Iterator[NotedTable]:
    """Yield the forecast table of `combined` at each of several origins, in one walk of each forecaster.

    origins : ascending, at the same position in their month, none after the snapshot's day.

    Raises
    ------
    ParameterError : months or seed is out of range.
    """
    for each in combinations(snap, origins=origins, months=months, seed=seed):
        yield each.forecast


def combinations(
    snap: Snapshot, *, origins: Sequence[pd.Timestamp], months: int = 6, seed: int = 0, made: Made | None = None
) -> Iterator[Combination]:
    """Yield the combination at each origin, as `combined_at_origins`.

    made : forecasts that are there already, by forecaster and origin, of the same months ahead and seed; only what is
    missing in them is made.
    """
    names = component_names(snap)
    days = origins_needed(snap.ledger, origins)
    tables = components_made(snap, days, names=names, months=months, seed=seed, made=made)

    @cache  # each origin learns from those before it: a table is asked for again and again
    def at(name: str, day: pd.Timestamp, steps: int) -> Issued:
        return issued(tables[name][day].table, months=steps)

    for view in snap.ledger.walk(origins):
        yield _combine(view, tables, at, days=days, months=months)


def component_names(snap: Snapshot) -> tuple[str, ...]:
    """Return the forecasters that are combined: `COMPONENTS`, then everybody who submitted."""
    return (*COMPONENTS, *(f"{SUBMITTED}-{name}" for name in submitters(snap.submitted_forecasts)))


def origins_needed(ledger: Ledger, origins: Sequence[pd.Timestamp]) -> list[pd.Timestamp]:
    """Return the origins and the past ones they learn from, ascending."""
    calendar = ledger.calendar
    earliest = calendar.period(ledger.first_day) + FIRST_MONTHS
    first = max(calendar.period(origins[0]) - WINDOW, earliest)
    last = calendar.period(origins[-1])
    days = ledger.days_like(origins[-1], first=min(first, last))
    taught = {calendar.period(day) - back for day in origins for back in range(1, WINDOW + 1)}
    kept = {day for day in days if calendar.period(day) in taught and calendar.period(day) >= earliest}
    return sorted(kept | set(origins))


def components_made(
    snap: Snapshot,
    days: Sequence[pd.Timestamp],
    *,
    names: Sequence[str],
    months: int,
    seed: int,
    made: Made | None = None,
) -> dict[str, dict[pd.Timestamp, NotedTable]]:
    """Return the tables of forecasters at days, by name and day; what `made` lacks is made in one walk each."""
    out: dict[str, dict[pd.Timestamp, NotedTable]] = {}
    for name in names:
        there = dict(made[name]) if made is not None and name in made else {}
        lacking = [day for day in days if day not in there]
        if lacking:
            there.update(zip(lacking, at_origins(name)(snap, origins=lacking, months=months, seed=seed), strict=True))
        out[name] = there
    return out


def as_made(frames: Iterable[pd.DataFrame]) -> dict[str, dict[pd.Timestamp, NotedTable]]:
    """Return forecast tables of several models and origins by model and origin, as `combinations` takes them.

    frames : forecast tables as a backtest or a forecaster gives them, rows in their order.
    """
    made: dict[str, dict[pd.Timestamp, NotedTable]] = {}
    for frame in frames:
        for (model, day), rows in frame.groupby(["model", "origin"], sort=False):
            made.setdefault(str(model), {})[pd.Timestamp(day)] = NotedTable(table=rows.reset_index(drop=True))
    return made


def _combine(
    view: KnownState,
    tables: Mapping[str, Mapping[pd.Timestamp, NotedTable]],
    at: Callable[[str, pd.Timestamp, int], Issued],
    *,
    days: list[pd.Timestamp],
    months: int,
) -> Combination:
    """Return the combination of one day from the forecasters' tables of it and of the days before it.

    at : the first months of a forecaster's table of a day as arrays.
    """
    periods, _ = month_targets(view, months)
    steps = len(periods)
    own = tables[FIRST][view.as_of]
    now = {name: at(name, view.as_of, steps) for name in tables}
    if np.isnan(now[FIRST].mean[:-1]).any() or not view.segments:
        return Combination(forecast=abstain(view, model=MODEL, months=months, notes=own.notes))
    calendar = view.calendar
    before = [day for day in days if 1 <= view.period - calendar.period(day) <= WINDOW]
    names = [FIRST, *(name for name in tables if name != FIRST and _spoke(tables[name], [*before, view.as_of]))]
    people = np.array([name.startswith(f"{SUBMITTED}-") for name in names])
    past = [{name: at(name, day, steps) for name in names} for day in before]
    record = record_of(view, past, names=names, people=people) if past else None
    lessons = None if record is None else learn(record)
    if record is None or lessons is None:
        why = f"fewer than {FEWEST} months that were forecast before have settled: it is {FIRST} alone."
        table = own.table.assign(model=pd.Series([MODEL] * len(own.table), index=own.table.index, dtype="str"))
        return Combination(forecast=NotedTable(table=_columns(table), notes=(*own.notes, why)))
    forecasts = np.stack([aligned(now[name].mean[:-1], now[name].segments, view.segments) for name in (FIRST, *names)])
    booked = now[FIRST].booked[:-1]
    weights = _weights(lessons, forecasts)
    table = from_means(view, model=MODEL, mean=_mean(weights, lessons, forecasts, booked), periods=periods)
    quantiles = _quantiles(view, own.table, table, powers=_powers(view, lessons, record, past), steps=len(periods))
    table[list(QUANTILE_COLUMNS)] = quantiles
    table["p_at_least_plan"] = chance_of(table["plan"].to_numpy(), quantiles)
    facts = _facts(view, (FIRST, LEVELLED, *names[1:]), weights, forecasts[0], lessons, record)
    return Combination(forecast=NotedTable(table=_columns(table), notes=own.notes), weights=facts)


def _columns(table: pd.DataFrame) -> pd.DataFrame:
    return table[[*FORECAST_COLUMNS, "plan", "p_at_least_plan"]]


def _spoke(tables: Mapping[pd.Timestamp, NotedTable], days: Sequence[pd.Timestamp]) -> bool:
    return any(tables[day].table["mean"].notna().any() for day in days)


# -- means -----------------------------------------------------------------------------------------------


def _weights(lessons: Lessons, forecasts: np.ndarray) -> np.ndarray:
    """Return the weight of each forecaster where those speak who have a number, (F, S, H); forecasts : (F, S, H)."""
    speaks = np.isfinite(forecasts)
    out = np.zeros(forecasts.shape)
    for ahead in range(forecasts.shape[2]):
        patterns, which = np.unique(speaks[:, :, ahead], axis=1, return_inverse=True)
        found = [lessons.weights(ahead, pattern) for pattern in patterns.T]
        out[:, :, ahead] = np.stack(found, axis=1)[:, np.ravel(which)]
    return out


def _mean(weights: np.ndarray, lessons: Lessons, forecasts: np.ndarray, booked: np.ndarray) -> np.ndarray:
    """Return the combination's mean, (S, H): never below what is booked; (F, S, H) and (S, H)."""
    level = np.nan_to_num(forecasts) * lessons.habit[:, None, None]
    return np.maximum((weights * level).sum(axis=0), booked)


# -- ranges ----------------------------------------------------------------------------------------------


def _powers(
    view: KnownState, lessons: Lessons, record: Record, past: Sequence[Mapping[str, Issued]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the power of the ranges of segments and of the Total by months ahead, each (H,).

    They are those that past forecasts with today's weights would have needed.
    """
    first = [at[FIRST] for at in past]
    quantiles = np.stack([aligned(at.quantiles[:-1], at.segments, view.segments) for at in first])
    booked, mean = (
        np.stack([aligned(part[:-1], at.segments, view.segments) for at, part in zip(first, parts, strict=True)])
        for parts in ([at.booked for at in first], [at.mean for at in first])
    )
    forecasts = np.concatenate([record.forecasts[:1], record.forecasts])
    flat = forecasts.reshape(len(forecasts), -1, forecasts.shape[3])
    was = _mean(_weights(lessons, flat), lessons, flat, booked.reshape(flat.shape[1:])).reshape(mean.shape)
    about = moved(quantiles, mean=mean, booked=booked, to=was)
    whole_mean, whole_booked, whole_to = (np.nansum(part, axis=1) for part in (mean, booked, was))
    whole = np.stack([at.quantiles[-1] for at in first])
    about_whole = moved(whole, mean=whole_mean, booked=whole_booked, to=whole_to)
    ahead = record.actual.shape[2]
    segments = [_power(record, record.actual, about, booked, step=h) for h in range(ahead)]
    came = record.actual.sum(axis=1, keepdims=True)
    total = [_power(record, came, about_whole[:, None], whole_booked[:, None], step=h) for h in range(ahead)]
    return np.array(segments), np.array(total)


def _power(record: Record, actual: np.ndarray, quantiles: np.ndarray, booked: np.ndarray, *, step: int) -> float:
    """Return the power for one number of months ahead; those next to it count as well. (O, S, H), (O, S, H, 7)."""
    weight = np.where(record.settled, DISCOUNT ** (record.last - record.target), 0.0)
    weight = weight * NEXT_RANGE ** np.abs(np.arange(weight.shape[1]) - step)
    shape = actual.shape
    return power_needed(
        actual.ravel(),
        quantiles.reshape(-1, quantiles.shape[-1]),
        booked=booked.ravel(),
        months=np.broadcast_to(record.target[:, None, :], shape).ravel(),
        weight=np.broadcast_to(weight[:, None, :], shape).ravel(),
    )


def _quantiles(
    view: KnownState, own: pd.DataFrame, table: pd.DataFrame, *, powers: tuple[np.ndarray, np.ndarray], steps: int
) -> np.ndarray:
    """Return the quantiles of each row, (n, 7); own : `pipeline`'s table, with the same rows.

    A quarter has the power of its last month.
    """
    numbers = {name: own[name].to_numpy(dtype=np.float64) for name in ("mean", "booked")}
    each = len(view.segments) + 1
    targets = len(own) // each
    periods = view.first_target + np.arange(steps)
    quarters, _ = quarter_targets(view, periods)
    ends = np.array([view.calendar.quarter_periods(int(quarter))[2] for quarter in quarters], dtype=np.int64)
    step = np.concatenate([np.arange(steps), ends - view.first_target])
    assert len(step) == targets
    power = np.concatenate([np.repeat(powers[0][step][:, None], each - 1, axis=1), powers[1][step][:, None]], axis=1)
    quantiles = own[list(QUANTILE_COLUMNS)].to_numpy(dtype=np.float64)
    about = moved(quantiles, **numbers, to=table["mean"].to_numpy(dtype=np.float64))
    return widened(about, booked=numbers["booked"], power=power.ravel())


# -- what it was made of -----------------------------------------------------------------------------------


def _facts(
    view: KnownState,
    names: Sequence[str],
    weights: np.ndarray,
    first: np.ndarray,
    lessons: Lessons,
    record: Record,
) -> pd.DataFrame:
    """Return WEIGHT_COLUMNS; first : (S, H), `pipeline`'s forecast."""
    share = np.maximum(first, 0.0) + 1e-9
    mean = (weights * share).sum(axis=1) / share.sum(axis=0)
    horizons = view.first_target - view.period + np.arange(first.shape[1])
    months = (record.settled & np.isfinite(record.forecasts[0]).any(axis=1)).sum(axis=0)
    count = len(names)
    return pd.DataFrame(
        {
            "origin": np.full(count * len(horizons), view.as_of.to_datetime64().astype("datetime64[us]")),
            "horizon": np.repeat(horizons, count),
            "model": pd.Series(list(names) * len(horizons), dtype="str"),
            "weight": mean.T.ravel(),
            "habit": np.tile(lessons.habit, len(horizons)),
            "statistic": np.tile(lessons.statistic, len(horizons)),
            "enters": np.tile(lessons.enters, len(horizons)),
            "months": np.repeat(months, count),
        }
    )[list(WEIGHT_COLUMNS)]
