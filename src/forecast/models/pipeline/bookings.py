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

from forecast.data.known.coding import OPEN
from forecast.data.known.ledger import KnownState
from forecast.data.schema import ADDENDS, FORECAST_COLUMNS, NotedTable
from forecast.errors import DataError, ParameterError
from forecast.models.pipeline.creation import COHORTS, Future, expected_wins
from forecast.models.pipeline.draws import draw_new, draw_open, draw_shared
from forecast.models.pipeline.lessons import Lessons, Said, Track, chance_of_new
from forecast.models.tables import abstain, bookings_in, from_draws, month_targets
from forecast.models.win.fit import FEWEST_CLOSED
from forecast.models.win.hazards import incidence, one_thread
from forecast.models.win.learn import Learner, WinModel
from forecast.models.win.probabilities import (
    NOTHING_TO_LEARN,
    days_to_walk,
    filled_amounts,
    left_out_notes,
)
from forecast.models.win.rows import STEPS, steps_of
from forecast.models.win.states import States
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
    return next(bookings_along(snap, origins=[snap.as_of], months=months, seed=seed, marketing=marketing)).frame()


def bookings_along(
    snap: Snapshot, *, origins: Sequence[pd.Timestamp], months: int = 6, seed: int = 0, marketing: bool = True
) -> Iterator[NotedTable]:
    """Yield what `forecast_bookings` would have said at each of several origins, in one walk through the past.

    origins : ascending, at the same position in their month, none after the snapshot's day.
    """
    check_seed(seed)
    if isinstance(months, bool) or not isinstance(months, (int, np.integer)) or not 1 <= months <= MOST_MONTHS:
        raise ParameterError(f"months: {months!r} is not a whole number from 1 to {MOST_MONTHS}")
    model = MODEL if marketing else MODEL_WITHOUT
    for view, made_of in components_along(snap, origins=origins, steps=months, marketing=marketing):
        if isinstance(made_of, DataError):
            empty = abstain(view, model=model, months=months, notes=[f"No forecast: {made_of.problem.what}."])
            table = empty.table.assign(**dict.fromkeys(ADDENDS, np.nan))
            yield NotedTable(table=table[_COLUMNS], notes=empty.notes)
            continue
        parts = draw(made_of, seed=seed)
        addends = {
            "booked": parts.booked,
            "open_pipeline": parts.open_pipeline,
            "not_yet_created": parts.not_yet_created,
        }
        table = from_draws(
            view,
            model=model,
            draws=parts.draws + parts.booked,
            periods=month_targets(view, months)[0],
            mean=parts.booked + parts.open_pipeline + parts.not_yet_created,
            addends=addends,
        )[_COLUMNS]
        yield NotedTable(table=table, notes=tuple(parts.notes))


def components(snap: Snapshot, *, steps: int, marketing: bool = True) -> Components:
    """Return what a forecast is made of, so that a what-if can change a part and draw again.

    steps : months ahead, the month in progress not counted. Raises DataError where the data are too thin, saying what
    is needed.
    """
    _, made_of = next(components_along(snap, origins=[snap.as_of], steps=steps, marketing=marketing))
    if isinstance(made_of, DataError):
        raise made_of
    return made_of


def components_along(
    snap: Snapshot, *, origins: Sequence[pd.Timestamp], steps: int, marketing: bool
) -> Iterator[tuple[KnownState, Components | DataError]]:
    """Yield the view of each origin, and what its forecast is made of or why there is none."""
    ledger = snap.ledger
    days, fit_from = days_to_walk(ledger, first=origins[0], last=origins[-1])
    wanted = set(origins)
    learner = Learner(without=frozenset() if marketing else MARKETINGS, fit_from=fit_from)
    track: Track | None = None
    for view in ledger.walk(days):
        modelled = steps_of(view)
        asked = steps + modelled - STEPS
        track = track or Track(ledger, steps=modelled)
        with one_thread():
            made_of = _components(view, learner, track, ahead=asked if view.as_of in wanted else 0, marketing=marketing)
        if view.as_of in wanted:
            yield view, made_of if isinstance(made_of, DataError) else _cut(made_of, view, steps=asked)


def _components(
    view: KnownState, learner: Learner, track: Track, *, ahead: int, marketing: bool
) -> Components | DataError:
    """Take in one more view; return the components over all segments of the ledger, or why there are none.

    ahead : steps wanted, 0 where only the track needs them.
    """
    modelled = steps_of(view)
    learned = learner.step(view)
    model, states = learned.model, learned.states
    amount, without = filled_amounts(view, states)
    track.step(view, states.deal, amount)
    reason = _too_thin(view) if ahead or model is None else None
    if model is None or learned.logits is None or reason is not None:
        mend = "forecast from a later day, or bring a longer history"
        return DataError(reason or NOTHING_TO_LEARN, table="opportunities", mend=mend)
    steps = max(ahead, modelled)
    segments = len(view.ledger.segments)
    lessons = track.lessons(view, segments=len(view.segments))
    future = expected_wins(view, steps=steps, marketing=marketing)
    made_of = _made_of(view, model, states, learned.logits, amount, lessons, future, steps=steps)
    closed = int(((view.outcome != OPEN) & view.known).sum())
    track.keep(view, _said(made_of, lessons, future, steps=modelled, segments=segments, closed=closed))
    notes = [f"Open deals have no skill over the base rate: {model.reason}."] if model.reason else []
    notes += left_out_notes(model)
    if without:
        notes.append(f"{without:,} open deals have no amount; the mean won amount of their segment stands in.")
    return replace(made_of, notes=tuple(notes))


def _made_of(
    view: KnownState,
    model: WinModel,
    states: States,
    logits: np.ndarray,
    amount: np.ndarray,
    lessons: Lessons,
    future: Future,
    *,
    steps: int,
) -> Components:
    """Return the components over all segments of the ledger; `ids` are places in it."""
    step = np.minimum(np.arange(steps), len(lessons.growth) - 1)
    target = view.first_target
    lately = view.won_deals[view.closed_in[view.won_deals] > target - COHORTS]
    chance = incidence(*model.hazards(states, steps=steps, logits=logits if logits.shape[1] == steps else None))[0]
    chance[:, 0] *= 1.0 - lessons.late
    return Components(
        ids=states.deal,
        segment=states.segment,
        chance=chance,
        value=amount[:, None] * (lessons.growth * lessons.open_bias)[step],
        booked=bookings_in(view, target + np.arange(steps), everywhere=True),
        wins=future.wins[:, :steps],
        new=future.value[:, :steps] * lessons.future_bias[step],
        marketed=future.marketed[:, :steps] * lessons.future_bias[step],
        pool=np.nan_to_num(view.amount[lately]),
        ratios=lessons.ratios,
        common=lessons.common[step],
        own=lessons.own[step],
    )


def _said(parts: Components, lessons: Lessons, future: Future, *, steps: int, segments: int, closed: int) -> Said:
    """Return what the components say of the first steps, for the track."""
    p, value = parts.chance[:, :steps], parts.value[:, :steps]
    inside = parts.segment >= 0

    def total(per_deal: np.ndarray) -> np.ndarray:
        columns = [np.bincount(parts.segment[inside], each[inside], minlength=segments) for each in per_deal.T]
        return np.stack(columns, axis=1)

    noise = 1.0 + float(parts.ratios.var())
    corrected = total(p * value)
    new = parts.new[:, :steps]
    return Said(
        closed=closed,
        booked=parts.booked[:, :steps],
        open_pipeline=corrected / lessons.open_bias[:steps],
        chance_open=total(p * (noise - p) * value**2),
        new=future.value[:, :steps],
        chance_new=chance_of_new(future, steps) * lessons.future_bias[:steps] ** 2,
        issued=corrected + new,
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
    return Addends(parts.booked, open_mean, parts.new, draws, parts.notes)


def _too_thin(view: KnownState) -> str | None:
    """Return why no forecast can be made, or None."""
    closed = int(((view.outcome != OPEN) & view.known).sum())
    if closed < FEWEST_CLOSED:
        return f"only {closed} closed deals are known, at least {FEWEST_CLOSED} are needed"
    born = view.ledger.created_in[view.known]
    born = born[born > 0]
    complete = view.last_complete - int(born.min()) + 1 if len(born) else 0
    if complete < FEWEST_MONTHS:
        return f"only {max(complete, 0)} complete months are recorded, at least {FEWEST_MONTHS} are needed"
    return None
