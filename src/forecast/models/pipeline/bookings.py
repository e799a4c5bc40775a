"""Booked + open pipeline + not yet created -> the distribution of bookings by month, quarter, segment and Total.

The mean of each addend is an expectation worked out; the quantiles come from joint draws in which every open deal is
a coin toss of its own, deals to come are a Poisson number of past amounts, and segments share an error as large as
past origins showed. So the Total's quantiles are its own, not a sum of quantiles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast.data.known.ledger import KnownState
from forecast.data.schema import ADDENDS, FORECAST_COLUMNS, NotedTable
from forecast.errors import DataError, ParameterError
from forecast.models.pipeline.corrections import (
    Corrections,
    IssuedForecast,
    PastForecasts,
    chance_of_new,
    closed_deals,
)
from forecast.models.pipeline.creation import COHORTS, Future, expected_wins
from forecast.models.pipeline.draws import draw_new, draw_open, draw_shared
from forecast.models.tables import abstain, bookings_in, from_draws, month_targets
from forecast.models.win.hazards import FEWEST_CLOSED, incidence, one_thread
from forecast.models.win.landmarks import STEPS, States, steps_of
from forecast.models.win.learn import Learner
from forecast.models.win.probabilities import (
    NOTHING_TO_LEARN,
    days_to_walk,
    filled_amounts,
    left_out_notes,
)
from forecast.seeds import check_seed

if TYPE_CHECKING:
    from forecast.data.known.snapshot import Snapshot

MODEL, MODEL_WITHOUT = "pipeline", "pipeline-sales-only"
MOST_MONTHS = 24
_COLUMNS = [*FORECAST_COLUMNS, *ADDENDS, "plan", "p_at_least_plan"]
MARKETINGS = frozenset({"lead_source", "lead_score"})
"""What marketing knows of a deal; `pipeline-sales-only` does without, and without the marketing table."""

FEWEST_MONTHS = 3
"""Complete months of records below which nothing is forecast."""


@dataclass(frozen=True, kw_only=True)
class Addends:
    """A forecast by segment and step: known bookings, expectations of the two others (R, S), and draws of their sum."""

    booked: np.ndarray
    open_pipeline: np.ndarray
    not_yet_created: np.ndarray
    draws: np.ndarray
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Components:
    """The components of a forecast, over n open deals, R segments and S steps.

    ids (n,) opportunity_id; segment (n,) codes; chance (n, S) to be won in each step; value (n, S) expected amount if
    won then; booked, new (R, S) amounts and wins (R, S) numbers of deals not yet created, marketed (R, S) the part of
    `new` from marketing's channels; pool, ratios, common, own as `bookings_draws` takes them.
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
    ParameterError : months or seed out of range.
    """
    return next(bookings_at_origins(snap, origins=[snap.as_of], months=months, seed=seed, marketing=marketing)).frame()


def bookings_at_origins(
    snap: Snapshot, *, origins: Sequence[pd.Timestamp], months: int = 6, seed: int = 0, marketing: bool = True
) -> Iterator[NotedTable]:
    """Yield the forecast of `forecast_bookings` at each of several origins, in one walk through the past.

    origins : ascending, at the same position in their month, none after the snapshot's day.
    """
    check_seed(seed)
    if isinstance(months, bool) or not isinstance(months, (int, np.integer)) or not 1 <= months <= MOST_MONTHS:
        raise ParameterError(f"months: {months!r} is not a whole number from 1 to {MOST_MONTHS}")
    model = MODEL if marketing else MODEL_WITHOUT
    for view, parts in components_at_origins(snap, origins=origins, steps=months, marketing=marketing):
        if isinstance(parts, DataError):
            empty = abstain(view, model=model, months=months, notes=[f"No forecast: {parts.problem.what}."])
            table = empty.table.assign(**dict.fromkeys(ADDENDS, np.nan))
            yield NotedTable(table=table[_COLUMNS], notes=empty.notes)
            continue
        drawn = draw(parts, seed=seed)
        table = from_draws(
            view,
            model=model,
            draws=drawn.draws + drawn.booked,
            periods=month_targets(view, months)[0],
            mean=drawn.booked + drawn.open_pipeline + drawn.not_yet_created,
            addends={name: getattr(drawn, name) for name in ADDENDS},
        )[_COLUMNS]
        yield NotedTable(table=table, notes=drawn.notes)


def components(snap: Snapshot, *, steps: int, marketing: bool = True) -> Components:
    """Return the components of a forecast, so that a what-if can change one and draw again.

    steps : months ahead, the month in progress not counted. Raises DataError where the data are too thin, saying what
    is needed.
    """
    _, parts = next(components_at_origins(snap, origins=[snap.as_of], steps=steps, marketing=marketing))
    if isinstance(parts, DataError):
        raise parts
    return parts


def components_at_origins(
    snap: Snapshot, *, origins: Sequence[pd.Timestamp], steps: int, marketing: bool
) -> Iterator[tuple[KnownState, Components | DataError]]:
    """Yield, for each origin, what was known then and the components of its forecast, or why there are none.

    Simple case: walk the past month by month; at each month's end the win model takes in what became known, the
    components of the forecast of that day are made, and their forecast is recorded, to be compared with what comes.
    The origins are the last of these days. Only they need more steps than the model has, and only they are yielded.
    """
    ledger = snap.ledger
    days, fit_from = days_to_walk(ledger, first=origins[0], last=origins[-1])
    wanted = set(origins)
    learner = Learner(without=frozenset() if marketing else MARKETINGS, fit_from=fit_from)
    past: PastForecasts | None = None
    for view in ledger.walk(days):
        modelled = steps_of(view)
        asked = steps + modelled - STEPS
        past = past or PastForecasts(ledger, steps=modelled)
        with one_thread():
            parts = _components(view, learner, past, ahead=asked if view.as_of in wanted else 0, marketing=marketing)
        if view.as_of in wanted:
            yield view, parts if isinstance(parts, DataError) else _cut(parts, view, steps=asked)


def _components(
    view: KnownState, learner: Learner, past: PastForecasts, *, ahead: int, marketing: bool
) -> Components | DataError:
    """Take in one more day; return the components over all segments of the ledger, or why there are none.

    ahead : steps wanted, 0 where only the record of past forecasts needs them.
    """
    modelled = steps_of(view)
    learned = learner.step(view)
    model, states = learned.model, learned.states
    amount, without = filled_amounts(view, states)
    past.observe(view, states.deal, amount)
    reason = _too_thin(view) if ahead or model is None else None
    if model is None or learned.logits is None or reason is not None:
        mend = "forecast from a later day, or bring a longer history"
        return DataError(reason or NOTHING_TO_LEARN, table="opportunities", mend=mend)
    steps = max(ahead, modelled)
    logits = learned.logits if learned.logits.shape[1] == steps else None
    chance = incidence(*model.hazards(states, steps=steps, logits=logits))[0]
    corrections = past.corrections(view, segments=len(view.segments))
    # Wins that will turn out to lie before the first step, because they were recorded late, are none of it.
    chance[:, 0] *= 1.0 - corrections.late
    future = expected_wins(view, steps=steps, marketing=marketing)
    parts = _corrected(view, states, chance, amount, corrections=corrections, future=future)
    past.record(view, _issued(parts, corrections, future, steps=modelled, closed=closed_deals(view)))
    notes = [f"Open deals have no skill over the base rate: {model.reason}."] if model.reason else []
    notes += left_out_notes(model)
    if without:
        notes.append(f"{without:,} open deals have no amount; the mean won amount of their segment stands in.")
    return replace(parts, notes=tuple(notes))


def _corrected(
    view: KnownState,
    states: States,
    chance: np.ndarray,
    amount: np.ndarray,
    *,
    corrections: Corrections,
    future: Future,
) -> Components:
    """Return the components over all segments of the ledger; `ids` are places in it.

    chance : (n, S), of a win of each open deal in each step. amount : (n,), today's. Past forecasts correct the value
    of open deals and of those to come.
    """
    steps = chance.shape[1]
    step = np.minimum(np.arange(steps), len(corrections.growth) - 1)
    target, settled = view.first_target, view.last_settled
    closed = view.closed_in[view.won_deals]
    lately = view.won_deals[(closed > settled + 1 - COHORTS) & (closed <= settled)]
    return Components(
        ids=states.deal,
        segment=states.segment,
        chance=chance,
        value=amount[:, None] * (corrections.growth * corrections.open_bias)[step],
        booked=bookings_in(view, target + np.arange(steps), everywhere=True),
        wins=future.wins[:, :steps],
        new=future.value[:, :steps] * corrections.future_bias[step],
        marketed=future.marketed[:, :steps] * corrections.future_bias[step],
        pool=np.nan_to_num(view.amount[lately]),
        ratios=corrections.ratios,
        common=corrections.common[step],
        own=corrections.own[step],
    )


def _issued(parts: Components, corrections: Corrections, future: Future, *, steps: int, closed: int) -> IssuedForecast:
    """Return what the components forecast for the first steps, as it is recorded.

    The variance of chance of an open deal: won with chance p, for its value v times a ratio of mean 1, it brings
    p v on average with variance p (1 + var(ratio) - p) v^2.
    """
    p, value = parts.chance[:, :steps], parts.value[:, :steps]
    inside, segments = parts.segment >= 0, len(parts.booked)

    def total(per_deal: np.ndarray) -> np.ndarray:
        columns = [np.bincount(parts.segment[inside], each[inside], minlength=segments) for each in per_deal.T]
        return np.stack(columns, axis=1)

    second_moment = 1.0 + float(parts.ratios.var())
    corrected = total(p * value)
    return IssuedForecast(
        closed=closed,
        booked=parts.booked[:, :steps],
        open_pipeline=corrected / corrections.open_bias[:steps],
        chance_open=total(p * (second_moment - p) * value**2),
        new=future.value[:, :steps],
        chance_new=chance_of_new(future, steps) * corrections.future_bias[:steps] ** 2,
        issued=corrected + parts.new[:, :steps],
    )


def _cut(parts: Components, view: KnownState, *, steps: int) -> Components:
    """Return the components of the segments known by the view's day and of the steps asked for, deals by their ids."""
    ids = view.ledger.ids_of(parts.ids)
    keep = np.flatnonzero(view.place_of_segment[:-1] >= 0)
    by_segment = {name: getattr(parts, name)[keep, :steps] for name in ("booked", "wins", "new", "marketed")}
    by_deal = {name: getattr(parts, name)[:, :steps] for name in ("chance", "value")}
    by_step = {name: getattr(parts, name)[:steps] for name in ("common", "own")}
    return replace(parts, ids=ids, segment=view.place_of_segment[parts.segment], **by_segment, **by_deal, **by_step)


def draw(parts: Components, *, seed: int) -> Addends:
    """Return the expectations of a forecast's parts and joint draws of what is still to come."""
    segments, steps = parts.booked.shape
    open_mean = np.zeros((segments, steps))
    np.add.at(open_mean, parts.segment, parts.chance * parts.value)
    draws = draw_open(parts.chance, parts.value, parts.segment, segments=segments, ratios=parts.ratios, seed=seed)
    draws += draw_new(parts.wins, parts.new, pool=parts.pool, seed=seed)
    draws *= draw_shared(parts.common, parts.own, segments=segments, seed=seed)
    return Addends(
        booked=parts.booked, open_pipeline=open_mean, not_yet_created=parts.new, draws=draws, notes=parts.notes
    )


def _too_thin(view: KnownState) -> str | None:
    """Return why no forecast can be made, or None."""
    closed = closed_deals(view)
    if closed < FEWEST_CLOSED:
        return f"only {closed} closed deals are known, at least {FEWEST_CLOSED} are needed"
    born = view.ledger.created_in[view.known]
    born = born[born > 0]
    complete = view.last_complete - int(born.min()) + 1 if len(born) else 0
    if complete < FEWEST_MONTHS:
        return f"only {max(complete, 0)} complete months are recorded, at least {FEWEST_MONTHS} are needed"
    return None
