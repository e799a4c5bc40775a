"""Booked + open pipeline + not yet created -> the distribution of bookings by month, quarter, segment and Total.

The mean of each addend is an expectation worked out; the quantiles come from joint draws in which every open deal is
a coin toss of its own, deals to come are a Poisson number of past amounts, and segments share an error as large as
past origins showed. So the Total's quantiles are its own, not a sum of quantiles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast.data.known.snapshot import expect_snapshot
from forecast.data.schema import ADDENDS, FORECAST_COLUMNS, NotedTable
from forecast.errors import DataError
from forecast.models.pipeline.components import Components, Origin, components_at_origins
from forecast.models.pipeline.draws import draw_new, draw_open, draw_shared
from forecast.models.tables import abstain, from_draws, month_targets
from forecast.seeds import check_seed

if TYPE_CHECKING:
    from forecast.data.known.snapshot import Snapshot

MODEL, MODEL_WITHOUT = "pipeline", "pipeline-sales-only"
_COLUMNS = [*FORECAST_COLUMNS, *ADDENDS, "plan", "p_at_least_plan"]


@dataclass(frozen=True, kw_only=True)
class Addends:
    """A forecast by segment and step: known bookings, expectations of the two others (R, S), and draws of their sum."""

    booked: np.ndarray
    open_pipeline: np.ndarray
    not_yet_created: np.ndarray
    draws: np.ndarray
    notes: tuple[str, ...] = ()


def forecast_bookings(snap: Snapshot, *, months: int = 6, seed: int = 0, marketing: bool = True) -> pd.DataFrame:
    """Return the forecast of bookings by the model `pipeline`; without marketing it is `pipeline-sales-only`.

    Parameters
    ----------
    snap : a snapshot. months : months ahead, 1 to 24; the month in progress comes on top where there is one.
    seed : of the draws, an integer >= 0. marketing : whether what marketing knows may be used: the
        marketing table, lead sources and lead scores.

    Returns
    -------
    FORECAST_COLUMNS, booked, open_pipeline, not_yet_created (they add up to `mean`), plan, p_at_least_plan; one row a
    segment (and `Total`) and month, then the same for each fiscal quarter whose months are all past or forecast.
    Amounts are in the reporting currency, at least 0; quantiles never fall and are at least what is booked.
    `attrs["notes"]` says what a reader must know; on too thin data the numbers are nan and it says what is needed.

    Raises
    ------
    ParameterError : months or seed out of range, or snap is no snapshot.

    Examples
    --------
    >>> import forecast
    >>> snap = forecast.snapshot(forecast.read("data/sample"), as_of="2026-10-31")
    >>> table = forecast.forecast_bookings(snap, months=3, seed=0)
    >>> total = table[table["segment"] == "Total"]
    >>> list(total["target_period"])
    ['2026-11', '2026-12', '2027-01', 'FY26 Q4']
    >>> bool((total["q10"] <= total["mean"]).all() and (total["mean"] <= total["q90"]).all())
    True
    """
    expect_snapshot(snap, call="forecast_bookings")
    return next(bookings_at_origins(snap, origins=[snap.as_of], months=months, seed=seed, marketing=marketing)).frame()


def bookings_at_origins(
    snap: Snapshot, *, origins: Sequence[pd.Timestamp], months: int = 6, seed: int = 0, marketing: bool = True
) -> Iterator[NotedTable]:
    """Yield the forecast of `forecast_bookings` at each of several origins, in one walk through the past.

    origins : ascending, at the same position in their month, none after the snapshot's day.
    """
    check_seed(seed)
    model = MODEL if marketing else MODEL_WITHOUT
    for origin in components_at_origins(snap, origins=origins, steps=months, marketing=marketing):
        table = table_of(origin, drawn_at(origin, seed=seed), model=model, months=months)
        del origin  # as where it comes from
        yield table


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """The forecast of a day with its draws. segments : (R,), those of the draws. addends : or why there are none."""

    table: NotedTable
    segments: tuple[str, ...]
    addends: Addends | DataError


def drawn_bookings(snap: Snapshot, *, months: int = 6, seed: int = 0) -> Drawn:
    """Return the forecast of `forecast_bookings` with its draws, for what else is asked of these."""
    check_seed(seed)
    origin = next(components_at_origins(snap, origins=[snap.as_of], steps=months, marketing=True))
    addends = drawn_at(origin, seed=seed)
    table = table_of(origin, addends, months=months)
    return Drawn(table=table, segments=tuple(origin.view.segments), addends=addends)


def drawn_at(origin: Origin, *, seed: int) -> Addends | DataError:
    """Return the expectations and draws of the forecast of a day, or why there is none."""
    parts = origin.forecast()
    return parts if isinstance(parts, DataError) else draw(parts, seed=seed)


def table_of(origin: Origin, drawn: Addends | DataError, *, model: str = MODEL, months: int) -> NotedTable:
    """Return the table of `forecast_bookings` of a day; drawn : as `drawn_at` gives it."""
    if isinstance(drawn, DataError):
        empty = abstain(origin.view, model=model, months=months, notes=[f"No forecast: {drawn.problem.what}."])
        table = empty.table.assign(**dict.fromkeys(ADDENDS, np.nan))
        return NotedTable(table=table[_COLUMNS], notes=empty.notes)
    table = from_draws(
        origin.view,
        model=model,
        draws=drawn.draws + drawn.booked,
        periods=month_targets(origin.view, months)[0],
        mean=drawn.booked + drawn.open_pipeline + drawn.not_yet_created,
        addends={name: getattr(drawn, name) for name in ADDENDS},
    )[_COLUMNS]
    return NotedTable(table=table, notes=drawn.notes)


def draw(parts: Components, *, seed: int) -> Addends:
    """Return the expectations of a forecast's parts and joint draws of what is still to come."""
    segments = len(parts.booked)
    draws = draw_open(parts.chance, parts.value, parts.segment, segments=segments, ratios=parts.ratios, seed=seed)
    draws += draw_new(parts.wins, parts.new, pool=parts.pool, seed=seed)
    draws *= draw_shared(parts.common, parts.own, segments=segments, seed=seed)
    return Addends(
        booked=parts.booked,
        open_pipeline=parts.open_pipeline,
        not_yet_created=parts.new,
        draws=draws,
        notes=parts.notes,
    )
