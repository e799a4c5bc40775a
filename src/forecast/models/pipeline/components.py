"""What a forecast is made of: of each open deal the chance to be won in each month and its value then, and the rest.

Simple case: a deal is expected to bring its chance times its amount. Past forecasts correct both, deal by deal: amounts
grow until the win, the value was over- or underestimated, and a win recorded late lies before the first month. What is
summed, drawn, listed by deal or moved in a what-if are these numbers; nothing is corrected after them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast import wording
from forecast.data.known.enough import MORE_RECORD, NOTHING_TO_LEARN, closed_deals, too_thin
from forecast.data.known.kept import KeptWalk
from forecast.data.known.ledger import KnownState, Ledger
from forecast.data.known.mended import what_was_done
from forecast.data.schema import FURTHEST_MONTH
from forecast.errors import DataError, ParameterError
from forecast.models.pipeline.cohorts import COHORTS
from forecast.models.pipeline.conversion import YOUNG, YoungDeals
from forecast.models.pipeline.corrections import (
    Corrections,
    IssuedForecast,
    PastForecasts,
    Unsure,
    chance_of_new,
)
from forecast.models.pipeline.creation import Future, expected_wins
from forecast.models.pipeline.segments_now import what_became_of_segments
from forecast.models.tables import bookings_in
from forecast.models.win.amounts import LikeDeals, amount_bounds, amount_notes, beyond_notes, counted, like_deals
from forecast.models.win.hazards import incidence, one_thread
from forecast.models.win.landmarks import STEPS, States, steps_of
from forecast.models.win.learn import Learned, Learner, WinModel
from forecast.models.win.probabilities import (
    chances_ahead,
    days_to_walk,
    left_out_notes,
)

if TYPE_CHECKING:
    from forecast.data.known.snapshot import Snapshot


MARKETINGS = frozenset({"lead_source", "lead_score"})
"""What marketing knows of a deal; `pipeline-sales-only` does without, and without the marketing table."""

MOST_KEPT = 60_000
"""Deals of which every stop of a walk is kept: some 2 MB a stop."""


@dataclass(frozen=True, kw_only=True)
class Components:
    """The components of a forecast, over n open deals, R segments and S steps.

    ids (n,) opportunity_id; segment (n,) codes; chance (n, S) to be won in each step; won_before (n,) the chance that
    a deal is won already, in a month before the first step, and not yet recorded; value (n, S) expected amount if won
    in a step; booked, new (R, S) amounts and wins (R, S) numbers of deals not yet created, marketed (R, S) the part of
    `new` from marketing's channels; pool, ratios, common, own as the draws take them.
    """

    ids: np.ndarray
    segment: np.ndarray
    chance: np.ndarray
    won_before: np.ndarray
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

    @property
    def open_by_deal(self) -> np.ndarray:
        """The bookings expected of each open deal in each step, (n, S)."""
        return expected_bookings(self.chance, self.value)

    @property
    def open_pipeline(self) -> np.ndarray:
        """The bookings expected of the open deals, summed by segment, (R, S)."""
        return by_segment(self.open_by_deal, self.segment, segments=len(self.booked))


def expected_bookings(chance: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Return the bookings expected of each deal in each step: its chance to be won then, times its value; (n, S)."""
    return chance * value


def expected_in_the_end(
    chance: np.ndarray, value: np.ndarray, *, won_before: np.ndarray, ever: np.ndarray
) -> np.ndarray:
    """Return what each deal is expected to bring in the end, (n,).

    Simple case: what it brings in the steps. Two parts come on top: a win that lies before the first step and was not
    yet recorded, at the value of the first, and one after the last step, at the value of the last.

    chance, value : (n, S), S at least 1. won_before, ever : (n,) chances, of the former and of a win at any time.
    """
    after = np.maximum(ever - won_before - chance.sum(axis=1), 0.0)
    return expected_bookings(chance, value).sum(axis=1) + won_before * value[:, 0] + after * value[:, -1]


def by_segment(by_deal: np.ndarray, segment: np.ndarray, *, segments: int) -> np.ndarray:
    """Return sums over the deals of each segment, (R, S); a deal without a segment (NONE) counts nowhere.

    by_deal : (n, S). segment : (n,), codes.
    """
    inside = segment >= 0
    columns = [np.bincount(segment[inside], each[inside], minlength=segments) for each in by_deal.T]
    return np.stack(columns, axis=1)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """One day of the walk: what was known, what the win model had learned, and the components of its forecast.

    parts : over all segments of the ledger and all steps modelled at least, `ids` places in it; or why there are none.
    corrections, future : what past forecasts taught by then, and what is expected of deals not yet created; None where
    there are no parts.
    like : what won deals like it brought, which stands in where a deal's own amount is not known.
    amount_notes : what a reader must know of that. asked : steps that are forecast.
    """

    view: KnownState
    learned: Learned
    like: LikeDeals
    amount_notes: tuple[str, ...]
    parts: Components | DataError
    corrections: Corrections | None
    future: Future | None
    asked: int

    def forecast(self) -> Components | DataError:
        """Return the components of the segments known by the day and of the steps asked for, deals by their ids."""
        if isinstance(self.parts, DataError):
            return self.parts
        return _cut(self.parts, self.view, steps=self.asked)


def components(snap: Snapshot, *, steps: int, marketing: bool = True) -> Components:
    """Return the components of a forecast, so that a what-if can change one and draw again.

    steps : months ahead, the month in progress not counted. Raises DataError where the data are too thin, saying what
    is needed.
    """
    parts = next(components_at_origins(snap, origins=[snap.as_of], steps=steps, marketing=marketing)).forecast()
    if isinstance(parts, DataError):
        raise parts
    return parts


def components_at_origins(
    snap: Snapshot, *, origins: Sequence[pd.Timestamp], steps: int, marketing: bool
) -> Iterator[Origin]:
    """Yield, for each origin, what was known then and the components of its forecast, or why there are none.

    Simple case: walk the past month by month; at each month's end the win model takes in what became known, the
    components of the forecast of that day are made, and their forecast is recorded, to be compared with what comes.
    The origins are the last of these days. Only they need more steps than the model has, and only they are yielded.

    Raises
    ------
    ParameterError : steps is not a whole number from 1 to 24.
    """
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or not 1 <= steps <= FURTHEST_MONTH:
        raise ParameterError(f"months: {steps!r} is not a whole number from 1 to {FURTHEST_MONTH}")
    ledger, wanted = snap.ledger, set(origins)
    days, fit_from = days_to_walk(ledger, first=origins[0], last=origins[-1])
    kept = ledger.kept.get(_without(marketing))
    if kept is not None and kept.begins(days, fit_from=fit_from) and kept.has(origins):
        stops = [_asked_anew(kept.stops[day], steps=steps) for day in origins]
        if all(stops):
            yield from filter(None, stops)
            return
    learner = Learner(without=_without(marketing), fit_from=fit_from)
    for origin in _walk(
        ledger, days, learner, steps=steps, marketing=marketing, is_asked=lambda view: view.as_of in wanted
    ):
        if origin.view.as_of in wanted:
            yield origin
        del origin  # before the next day is walked to: what was known of millions of deals would be there twice


def keep_walks(snap: Snapshot, *, most: int = MOST_KEPT) -> None:
    """Walk through a snapshot's past once with and once without what marketing knows, and keep both walks for others.

    Whatever is asked of the snapshot then, and of past days that its walk passes, is read off it: the same to the bit.
    Of more than `most` deals the last two days alone are kept, with marketing's knowledge: all would take the memory.
    """
    ledger = snap.ledger
    large = ledger.size > most
    for marketing in (True,) if large else (True, False):
        if _without(marketing) in ledger.kept:
            continue
        days, fit_from = days_to_walk(ledger)
        learner = Learner(without=_without(marketing), fit_from=fit_from)
        stops = {}
        # A day on which the forecast abstains is asked by nobody: its record would be another than a forecast's.
        for origin in _walk(
            ledger, days, learner, steps=STEPS, marketing=marketing, is_asked=lambda view: too_thin(view) is None
        ):
            if not large or origin.view.as_of in days[-2:]:
                stops[origin.view.as_of] = origin
            del origin
        first = next(iter(ledger.walk(days[:1]))).first_target
        ledger.kept[_without(marketing)] = KeptWalk(
            days=tuple(days), first_target=first, fit_from=fit_from, stops=stops, months=learner.months
        )


def _without(marketing: bool) -> frozenset[str]:
    return frozenset() if marketing else MARKETINGS


def _asked_anew(origin: Origin, *, steps: int) -> Origin | None:
    """Return a stop of a walk as if it had been asked for so many months ahead; None where it was asked for fewer."""
    asked = steps + steps_of(origin.view) - STEPS
    return replace(origin, asked=asked) if asked <= origin.asked else None


def _walk(
    ledger: Ledger,
    days: Sequence[pd.Timestamp],
    learner: Learner,
    *,
    steps: int,
    marketing: bool,
    is_asked: Callable[[KnownState], bool],
) -> Iterator[Origin]:
    """Yield every day of a walk; `is_asked` says which are forecast `steps` months ahead."""
    past: PastForecasts | None = None
    for view in ledger.walk(days):
        modelled = steps_of(view)
        asked = steps + modelled - STEPS
        past = past or PastForecasts(ledger, steps=modelled)
        with one_thread():
            origin = _origin(view, learner, past, asked=asked if is_asked(view) else 0, marketing=marketing)
        del view
        yield origin
        del origin


def _origin(view: KnownState, learner: Learner, past: PastForecasts, *, asked: int, marketing: bool) -> Origin:
    """Take in one more day; return what it knows and its components.

    asked : steps wanted, 0 where only the record of past forecasts needs them.
    """
    learned = learner.step(view)
    states = learned.states
    bounds = amount_bounds(view, states)
    like = like_deals(view, states, bounds)
    amount = like.amounts(states)
    # What a single amount teaches is bounded: all that is learned is learned from amounts as far as they count.
    lesson = _lesson(view, states, amount, bounds)
    past.observe(lesson.view, states.deal, lesson.amount)
    parts, corrections, future = _components(
        view, learned, past, amount=amount, lesson=lesson, asked=asked, marketing=marketing
    )
    notes = [*amount_notes(view, states, amount), *beyond_notes(view, lesson.view.amount)] if asked else []
    if asked and not isinstance(parts, DataError):
        told = [*what_was_done(view.ledger), *what_became_of_segments(view)]
        parts = replace(parts, notes=(*parts.notes, *notes, *told))
    return Origin(
        view=view,
        learned=learned,
        like=like,
        amount_notes=tuple(notes),
        parts=parts,
        corrections=corrections,
        future=future,
        asked=asked,
    )


@dataclass(frozen=True, kw_only=True)
class _Lesson:
    """What a day teaches later ones: its view and the amounts of its open deals (n,), each as far as it counts."""

    view: KnownState
    amount: np.ndarray


def _lesson(view: KnownState, states: States, amount: np.ndarray, bounds: np.ndarray) -> _Lesson:
    """Return a day and its amounts as far as they count; themselves where none lies beyond its bound."""
    everywhere, of_open = counted(view.amount, view.segment, bounds), counted(amount, states.segment, bounds)
    return _Lesson(
        view=view if np.array_equal(everywhere, view.amount, equal_nan=True) else replace(view, amount=everywhere),
        amount=amount if np.array_equal(of_open, amount, equal_nan=True) else of_open,
    )


def _components(
    view: KnownState,
    learned: Learned,
    past: PastForecasts,
    *,
    amount: np.ndarray,
    lesson: _Lesson,
    asked: int,
    marketing: bool,
) -> tuple[Components | DataError, Corrections | None, Future | None]:
    """Return the components over all segments of the ledger and what is in them, and record their forecast.

    Where there are none, why.
    """
    model, states = learned.model, learned.states
    reason = too_thin(view) if asked or model is None else None
    if model is None or learned.logits is None or reason is not None:
        return DataError(reason or NOTHING_TO_LEARN, table="opportunities", mend=MORE_RECORD), None, None
    modelled = steps_of(view)
    steps = max(asked, modelled)
    logits = learned.logits if learned.logits.shape[1] == steps else None
    chance = chances_ahead(view, model, states, steps=steps, logits=logits)
    shift = 0.0 if model.shift is None else model.shift.won
    level = Unsure.of(model.shift, segments=len(view.ledger.segments), steps=modelled)
    corrections = past.corrections(lesson.view, segments=len(view.segments), shift=shift, level=level)
    young = _young(view, learned, model)
    future = expected_wins(lesson.view, steps=steps, marketing=marketing, young=young)
    recorded = _corrected(lesson.view, states, chance, lesson.amount, corrections=corrections, future=future)
    issued = _issued(recorded, corrections, future, steps=modelled, closed=closed_deals(view), shift=shift, level=level)
    past.record(view, issued)
    parts = recorded
    if lesson.view is not view or lesson.amount is not amount:
        parts = replace(recorded, value=priced(chance, amount, corrections)[1], booked=_booked(view, steps))
    notes = [f"The odds of open deals have no skill over the base rate: {model.reason}."] if model.reason else []
    return replace(parts, notes=(*notes, *left_out_notes(model), *_credits(view))), corrections, future


def _young(view: KnownState, learned: Learned, model: WinModel) -> YoungDeals | None:
    """Return what the win model says of the youngest open deals, with levels as it learned them and as they moved."""
    if learned.plain is None or learned.logits is None:
        return None
    born = view.ledger.created_in[learned.states.deal]
    young = np.flatnonzero((born >= view.first_target - YOUNG) & (born < view.first_target))
    states, steps = learned.states.take(young), learned.plain.shape[1]
    won, lost = model.hazards(states, steps=steps, logits=learned.plain[young])
    moved = np.ones((len(view.ledger.segments), steps))
    if model.shift is not None:
        now = model.hazards(states, steps=steps, logits=learned.logits[young])[0]
        before, after = (by_segment(each, states.segment, segments=len(moved)) for each in (won, now))
        moved = np.divide(after, before, out=moved, where=before > 0)
    return YoungDeals(deal=states.deal, chance=incidence(won, lost)[0], moved=moved)


def _credits(view: KnownState) -> list[str]:
    """Return a sentence on deals of a negative amount, which the forecast subtracts; none where there are none."""
    parts = []
    for name, deals in (("won", view.won_deals), ("open", view.open_deals)):
        amount = view.amount[deals]
        amount = amount[amount < 0]
        if len(amount):
            total = wording.money(float(amount.sum()), currency=view.company.currency)
            parts.append(f"{wording.plural(len(amount), f'{name} deal')} of {total} in all")
    return [f"Credits are subtracted: {' and '.join(parts)} with a negative amount."] if parts else []


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
    of open deals and of those to come. Wins that will turn out to lie before the first step, because they were recorded
    late, are none of it.
    """
    steps = chance.shape[1]
    step = np.minimum(np.arange(steps), len(corrections.growth) - 1)
    within, value = priced(chance, amount, corrections)
    settled = view.last_settled
    closed = view.closed_in[view.won_deals]
    lately = view.won_deals[(closed > settled + 1 - COHORTS) & (closed <= settled)]
    return Components(
        ids=states.deal,
        segment=states.segment,
        chance=within,
        won_before=chance[:, 0] * corrections.late,
        value=value,
        booked=_booked(view, steps),
        wins=future.wins[:, :steps],
        new=future.value[:, :steps] * corrections.future_bias[step],
        marketed=future.marketed[:, :steps] * corrections.future_bias[step],
        pool=np.nan_to_num(view.amount[lately]),
        ratios=corrections.ratios,
        common=corrections.common[step],
        own=corrections.own[:, step],
    )


def _booked(view: KnownState, steps: int) -> np.ndarray:
    """Return what is booked already in each step, by segment of the ledger; (R, S)."""
    return bookings_in(view, view.first_target + np.arange(steps), everywhere=True)


def priced(chance: np.ndarray, amount: np.ndarray, corrections: Corrections) -> tuple[np.ndarray, np.ndarray]:
    """Return the chance of each open deal to be won in each step, and its value then, both corrected; (n, S) each.

    chance : (n, S), as the win model gives it. amount : (n,), today's. Steps beyond those corrected repeat the last.
    """
    within = np.column_stack([chance[:, :1] * (1.0 - corrections.late), chance[:, 1:]])
    step = np.minimum(np.arange(chance.shape[1]), len(corrections.growth) - 1)
    return within, amount[:, None] * (corrections.growth * corrections.open_bias)[step]


def _issued(
    parts: Components, corrections: Corrections, future: Future, *, steps: int, closed: int, shift: float, level: Unsure
) -> IssuedForecast:
    """Return what the components forecast for the first steps, as it is recorded.

    The variance of chance of an open deal: won with chance p, for its value v times a ratio of mean 1, it brings
    p v on average with variance p (1 + var(ratio) - p) v^2.
    """
    p, value = parts.chance[:, :steps], parts.value[:, :steps]
    second_moment = 1.0 + float(parts.ratios.var())
    corrected = parts.open_pipeline[:, :steps]
    variance = by_segment(p * (second_moment - p) * value**2, parts.segment, segments=len(parts.booked))
    return IssuedForecast(
        closed=closed,
        shift=shift,
        level=level,
        booked=parts.booked[:, :steps],
        open_pipeline=corrected / corrections.open_bias[:steps],
        chance_open=variance,
        new=future.value[:, :steps],
        chance_new=chance_of_new(future, steps) * corrections.future_bias[:steps] ** 2,
        issued=corrected + parts.new[:, :steps],
    )


def _cut(parts: Components, view: KnownState, *, steps: int) -> Components:
    """Return the components of the segments known by the view's day and of the steps asked for, deals by their ids."""
    ids = view.ledger.ids_of(parts.ids)
    keep = np.flatnonzero(view.place_of_segment[:-1] >= 0)
    of_segments = {name: getattr(parts, name)[keep, :steps] for name in ("booked", "wins", "new", "marketed", "own")}
    of_deals = {name: getattr(parts, name)[:, :steps] for name in ("chance", "value")}
    common, segment = parts.common[:steps], view.place_of_segment[parts.segment]
    return replace(parts, ids=ids, segment=segment, common=common, **of_segments, **of_deals)
