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

from forecast.data.schema import ADDENDS, FORECAST_COLUMNS
from forecast.errors import DataError, ParameterError
from forecast.models.bookings_draws import draw_new, draw_open, draw_shared
from forecast.models.bookings_errors import learn
from forecast.models.creation import COHORTS, expected_wins
from forecast.models.features import present
from forecast.models.hazards import incidence
from forecast.models.tables import NOTES, abstain, bookings_in, from_draws, month_targets
from forecast.models.winprob import FEWEST_CLOSED, check_seed, filled_amounts, fit_win_model

if TYPE_CHECKING:
    from forecast.data.snapshots import Snapshot

MODEL, MODEL_WITHOUT = "pipeline", "pipeline-sales-only"
MOST_MONTHS = 24
_COLUMNS = [*FORECAST_COLUMNS, *ADDENDS, "plan", "p_at_least_plan"]
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


@dataclass(frozen=True)
class Components:
    """What a forecast is made of, over n open deals, R segments and S steps.

    ids (n,); segment (n,) codes; chance (n, S) to be won in each step; value (n, S) expected amount if won then;
    booked, new (R, S) amounts and wins (R, S) numbers of deals not yet created, marketed (R, S) the part of `new` from
    marketing's channels; pool, ratios, common, own as `bookings_draws` takes them.
    """

    ids: np.ndarray
    segment: np.ndarray
    chance: np.ndarray
    value: np.ndarray
    booked: np.ndarray
    wins: np.ndarray
    new: np.ndarray
    marketed: np.ndarray
    pool: np.ndarray
    ratios: np.ndarray
    common: np.ndarray
    own: np.ndarray
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
    `attrs["notes"]` says what a reader must know; on too thin data the numbers are nan and it says what is needed.

    Raises
    ------
    ParameterError : months or seed out of range.
    """
    check_seed(seed)
    if isinstance(months, bool) or not isinstance(months, (int, np.integer)) or not 1 <= months <= MOST_MONTHS:
        raise ParameterError(f"months: {months!r} is not a whole number from 1 to {MOST_MONTHS}")
    periods, _ = month_targets(snap, months)
    model = MODEL if marketing else MODEL_WITHOUT
    try:
        made_of = components(snap, steps=len(periods), marketing=marketing)
    except DataError as error:
        table = abstain(snap, model=model, months=months, notes=[f"No forecast: {error.what}."])
        table[list(ADDENDS)] = np.nan
        return table[_COLUMNS]
    parts = draw(made_of, seed=seed)
    addends = {
        "booked": parts.booked,
        "open_pipeline": parts.open_pipeline,
        "not_yet_created": parts.not_yet_created,
    }
    table = from_draws(
        snap,
        model=model,
        draws=parts.draws + parts.booked,
        periods=periods,
        mean=parts.booked + parts.open_pipeline + parts.not_yet_created,
        addends=addends,
    )[_COLUMNS]
    table.attrs[NOTES] = list(parts.notes)
    return table


def components(snap: Snapshot, *, steps: int, marketing: bool = True) -> Components:
    """Return what a forecast is made of, so that a what-if can change a part and draw again.

    steps : months forecast, the month in progress included. Raises DataError where the data are too thin, saying what
    is needed.
    """
    target = snap.period + bool(snap.at_month_end)
    deals, calendar = snap.opportunities, snap.calendar
    reason = _too_thin(snap)
    model = fit_win_model(snap) if reason is None else None
    if model is None:
        reason = reason or "no deal was open at a past month's end, so nothing can be learned"
        raise DataError(reason, table="opportunities", mend="forecast from a later day, or bring a longer history")
    born = calendar.period_of(deals["created_on"])
    first = int(np.min(born, where=born > 0, initial=target))
    lately = (deals["outcome"] == "won").to_numpy() & (calendar.period_of(deals["closed_on"]) > target - COHORTS)
    future = expected_wins(snap, steps=max(steps, model.panel.steps), marketing=marketing, part=_part(snap))
    lessons = learn(snap, model, future, first_period=first)
    states = present(snap, model.words)
    amount, without = filled_amounts(snap, states)
    step = np.minimum(np.arange(steps), len(lessons.growth) - 1)
    notes = []
    if model.reason:
        notes.append(f"Open deals have no skill over the base rate: {model.reason}.")
    if without:
        notes.append(f"{without:,} open deals have no amount; the mean won amount of their segment stands in.")
    return Components(
        ids=deals.loc[(deals["outcome"] == "open").to_numpy(), "opportunity_id"].to_numpy(dtype=object),
        segment=states.segment,
        chance=incidence(*model.hazards(states, steps=steps))[0],
        value=amount[:, None] * lessons.growth[step] * lessons.open_bias[step],
        booked=bookings_in(snap, target + np.arange(steps)),
        wins=future.wins[:, -1, :steps],
        new=future.value[:, -1, :steps] * lessons.future_bias[step],
        marketed=future.marketed[:, -1, :steps] * lessons.future_bias[step],
        pool=np.nan_to_num(deals["amount"].to_numpy(float)[lately]),
        ratios=lessons.ratios,
        common=lessons.common[step],
        own=lessons.own[step],
        notes=tuple(notes),
    )


def draw(parts: Components, *, seed: int) -> Addends:
    """Return the expectations of a forecast's parts and joint draws of what is still to come."""
    segments, steps = parts.booked.shape
    open_mean = np.zeros((segments, steps))
    np.add.at(open_mean, parts.segment, parts.chance * parts.value)
    draws = draw_open(parts.chance, parts.value, parts.segment, segments=segments, ratios=parts.ratios, seed=seed)
    draws += draw_new(parts.wins, parts.new, pool=parts.pool, seed=seed)
    draws *= draw_shared(parts.common, parts.own, segments=segments, seed=seed)
    return Addends(parts.booked, open_mean, parts.new, draws, parts.notes)


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
