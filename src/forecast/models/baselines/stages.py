"""The industry's forecasts from the open pipeline: amount x odds of the stage, in the month the close is expected.

- `stage-weighted`: every open deal's amount x the share of deals seen in its stage that were won, booked in the month
  of its expected close date, as a report by close date does it: a deal whose month is past, or that has no date, is in
  none of the months ahead. What is created later is not in it.
- `stage-weighted-future`: that, plus what deals created after the origin brought on average at past origins.
- `stage-age`: the share of the amount in a stage at an age that was won n months later, plus the same average.

Every rate is learned from what was known, and again as of each past origin, so that past errors are honest ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast.data.known.coding import OPEN, WON
from forecast.data.known.ledger import KnownState
from forecast.data.schema import NotedTable
from forecast.models.baselines.series import draws_from_errors
from forecast.models.tables import abstain, bookings_in, from_draws, from_means, month_targets
from forecast.models.win.landmarks import Landmarks, States, open_states, seen_landmarks
from forecast.seeds import check_seed, generator

if TYPE_CHECKING:
    from forecast.data.known.snapshot import Snapshot

STAGE_WEIGHTED, STAGE_WEIGHTED_FUTURE, STAGE_AGE = "stage-weighted", "stage-weighted-future", "stage-age"
FEWEST_CLOSED = 10
"""Closed deals below which no odds are learned."""
AGE_EDGES = np.array([1.0, 2.0, 3.0, 6.0, 12.0])
"""Months that part the age groups of `stage-age`."""
LEARN_MONTHS = 36
"""Past origins that are learned from, those whose first month has not settled not counted."""
AVERAGED = 12
"""Past origins whose not yet created bookings are averaged."""
_FEWEST_AVERAGED = 3
_RATE_PRIOR = 5.0
_AGE_PRIOR = 20.0


@dataclass(frozen=True, kw_only=True)
class _Panel:
    """Open deals now and at O past origins, and bookings; targets are months 0..M-1 from the first one forecast.

    `stage` codes are 0..K-1, K where unknown. past : at past origins. `actual`, `booked_then` : (O, S, M), what
    was booked in the end (nan = not settled) and what was booked by the origin. `booked` : (S, M), now.
    `days` : (O + 1,), the past origins and now. `new` : (O, S, M), booked by deals created after the origin.
    `wait` : how many of the months that are over have not settled.
    """

    periods: np.ndarray
    stages: int
    local: np.ndarray
    now: States
    past: Landmarks
    days: np.ndarray
    actual: np.ndarray
    booked_then: np.ndarray
    booked: np.ndarray
    new: np.ndarray
    wait: int


def stage_weighted(
    snap: Snapshot, *, origins: Sequence[pd.Timestamp], months: int, seed: int = 0
) -> Iterator[NotedTable]:
    """Yield amount x odds of the stage in the month of the expected close; nothing for deals not yet created.

    Needs opportunity_history and 10 closed deals. Quantiles are from the errors of the same rule at past origins.
    origins : ascending, at the same position in their month, none after the snapshot's day.
    """
    return _along(snap, model=STAGE_WEIGHTED, origins=origins, months=months, seed=seed)


def stage_weighted_future(
    snap: Snapshot, *, origins: Sequence[pd.Timestamp], months: int, seed: int = 0
) -> Iterator[NotedTable]:
    """Yield `stage_weighted` plus the average bookings of deals created after past origins, by months ahead."""
    return _along(snap, model=STAGE_WEIGHTED_FUTURE, origins=origins, months=months, seed=seed)


def stage_age(snap: Snapshot, *, origins: Sequence[pd.Timestamp], months: int, seed: int = 0) -> Iterator[NotedTable]:
    """Yield the open pipeline x conversion by stage, age and months ahead, plus the average of the not yet created."""
    return _along(snap, model=STAGE_AGE, origins=origins, months=months, seed=seed)


def _along(
    snap: Snapshot, *, model: str, origins: Sequence[pd.Timestamp], months: int, seed: int
) -> Iterator[NotedTable]:
    check_seed(seed)
    ledger = snap.ledger
    calendar = ledger.calendar
    born = ledger.created_in[ledger.created_in > 0]
    wait = calendar.period(origins[0]) - calendar.last_settled(origins[0], settle_days=ledger.company.settle_days)
    begin = calendar.period(origins[0]) - LEARN_MONTHS - wait
    begin = min(max(begin, int(born.min()) if len(born) else begin), calendar.period(origins[0]))
    wanted = set(origins)
    past: dict[int, States] = {}
    for view in ledger.walk(ledger.days_like(origins[-1], first=begin)):
        now = open_states(view, ())
        if view.as_of in wanted:
            yield _forecast(view, past, now, model=model, months=months, seed=seed)
        past[view.first_target] = now


def _forecast(
    view: KnownState, past: Mapping[int, States], now: States, *, model: str, months: int, seed: int
) -> NotedTable:
    rng = generator(seed, {STAGE_WEIGHTED: 13, STAGE_WEIGHTED_FUTURE: 14, STAGE_AGE: 15}[model])
    periods, _ = month_targets(view, months)
    why = _why_not(view, model)
    if why:
        return abstain(view, model=model, months=months, notes=[why])
    panel = _panel(view, past, now, periods)
    pipeline = _by_age(panel) if model == STAGE_AGE else _by_expected_close(panel, _win_rates(view, panel))
    new = np.zeros_like(pipeline) if model == STAGE_WEIGHTED else _average_new(panel)
    if np.isnan(new[-1]).any():
        why = (
            f"{model} needs {_FEWEST_AVERAGED} past origins whose {months} months ahead have settled, to average over."
        )
        return abstain(view, model=model, months=months, notes=[why])
    parts = {"booked": panel.booked, "open_pipeline": pipeline[-1], "not_yet_created": new[-1]}
    mean = panel.booked + pipeline[-1] + new[-1]
    past_forecasts = panel.booked_then + pipeline[:-1] + new[:-1]
    draws = draws_from_errors(mean, past_forecasts, panel.actual, floor=panel.booked, rng=rng)
    if draws is None:
        why = f"{model}: too few past origins to learn its errors from, so there are no quantiles."
        return NotedTable(table=from_means(view, model=model, mean=mean, periods=periods, addends=parts), notes=(why,))
    return NotedTable(table=from_draws(view, model=model, draws=draws, periods=periods, mean=mean, addends=parts))


def _why_not(view: KnownState, model: str) -> str:
    if not view.ledger.has_history or not len(view.ledger.deal):
        return (
            f"{model} needs the table opportunity_history: the odds of a stage are learned from deals that passed it."
        )
    closed = int(((view.outcome != OPEN) & view.known).sum())
    if closed < FEWEST_CLOSED:
        return f"{model} needs {FEWEST_CLOSED} closed deals to learn odds from: {closed} are known."
    if not view.ledger.stages:
        return f"{model} needs stages in which deals are open: there is none."
    return ""


# -- the panel -----------------------------------------------------------------------------------------


def _panel(view: KnownState, past: Mapping[int, States], now: States, periods: np.ndarray) -> _Panel:
    seen = seen_landmarks(view, past, months=LEARN_MONTHS + view.months_settling)
    first = seen.origins + bool(view.at_month_end)  # target 0 of each past origin
    target = first[:, None] + np.arange(len(periods))[None, :]
    span = np.arange(first[0] if len(first) else periods[0], periods[-1] + 1)
    all_booked = bookings_in(view, span)
    came = all_booked[:, target - span[0]].transpose(1, 0, 2)
    settled = (target <= view.last_settled)[:, None, :]
    shape = (len(first), len(view.segments), len(periods))

    days = _days_at(view, seen.origins)
    won = view.won_deals
    segment, period = view.place_of_segment[view.segment[won]], view.closed_in[won]
    created, closed = view.ledger.created_on[won], view.closed_on[won]
    amount = np.nan_to_num(view.amount[won])
    then, new = np.zeros(shape), np.zeros(shape)
    if len(first):
        for step in range(len(periods)):
            origin = period - step - first[0]
            inside = (origin >= 0) & (origin < len(first)) & (segment >= 0)
            day = days[np.clip(origin, 0, len(first) - 1)]
            for out, chosen in ((then, inside & (closed <= day)), (new, inside & (created > day))):
                out[:, :, step] = _summed((origin[chosen], segment[chosen]), amount[chosen], shape[:2])
    return _Panel(
        periods=periods,
        stages=len(view.ledger.stages),
        local=view.place_of_segment,
        now=now,
        past=seen,
        days=np.append(days, view.day),
        actual=np.where(settled, came, np.nan),
        booked_then=then,
        booked=bookings_in(view, periods),
        new=np.where(settled, new, np.nan),
        wait=view.months_settling,
    )


def _summed(place: tuple[np.ndarray, ...], values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the sum of the values at each place of a table of this shape, in their order; 0 where there is none."""
    cell = np.ravel_multi_index(place, shape)
    return np.bincount(cell, values, minlength=int(np.prod(shape))).reshape(shape)


def _days_at(view: KnownState, origins: np.ndarray) -> np.ndarray:
    """Return the day of each past origin, since 1970."""
    if not len(origins):
        return np.zeros(0, dtype=np.int64)
    days = view.ledger.days_like(view.as_of, first=int(origins[0]))[:-1]
    return np.array([day.to_datetime64() for day in days], dtype="datetime64[D]").astype(np.int64)[: len(origins)]


def _states(panel: _Panel) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return past and present states in a row, and the origin of each (the present's is O)."""
    past, now = panel.past.states, panel.now
    names = ("segment", "stage", "amount", "age", "due")
    both = {name: np.concatenate([getattr(past, name), getattr(now, name)]) for name in names}
    both["segment"] = panel.local[both["segment"]]
    both["stage"] = np.where(both["stage"] >= 0, both["stage"], panel.stages)
    known = np.isfinite(both["amount"])
    both["amount"] = np.where(known, both["amount"], both["amount"][known].mean() if known.any() else 0.0)
    return both, np.concatenate([panel.past.origin, np.full(len(now), len(panel.past.origins))])


# -- the rules -----------------------------------------------------------------------------------------


def _win_rates(view: KnownState, panel: _Panel) -> np.ndarray:
    """Return the share won of the closed deals seen in each stage, as of each origin, (O + 1, K + 1).

    Shares are shrunk to the share of all by as much as 5 deals; the last column is that of all.
    """
    ledger, count = view.ledger, panel.stages
    passed = (ledger.day <= view.day) & (ledger.stage >= 0)
    seen = np.zeros((len(view.outcome), count), dtype=bool)
    seen[ledger.deal[passed], ledger.stage[passed]] = True
    deal, stage = np.nonzero(seen)
    every = np.flatnonzero(view.known)
    deal, stage = np.concatenate([deal, every]), np.concatenate([stage, np.full(len(every), count)])
    closed = view.outcome[deal] != OPEN
    deal, stage = deal[closed], stage[closed]
    from_origin = np.searchsorted(panel.days, view.closed_on[deal])  # the first origin by which it was closed
    shape = (len(panel.days) + 1, count + 1)
    ended = _summed((from_origin, stage), np.ones(len(deal)), shape)
    won = _summed((from_origin, stage), view.outcome[deal] == WON, shape)
    ended, won = np.cumsum(ended, axis=0)[:-1], np.cumsum(won, axis=0)[:-1]
    overall = (won[:, -1:] + 0.5) / (ended[:, -1:] + 2.0)
    return (won + _RATE_PRIOR * overall) / (ended + _RATE_PRIOR)


def _by_expected_close(panel: _Panel, rates: np.ndarray) -> np.ndarray:
    """Return amount x rate by segment and month of the expected close, (O + 1, S, M); overdue deals are in none.

    Booking overdue deals in the first month doubles its error where close dates slip.
    """
    state, origin = _states(panel)
    step = state["due"]  # below 0 where overdue or without a date
    keep = (step >= 0) & (step < len(panel.periods)) & (state["segment"] >= 0)
    value = state["amount"] * rates[origin, state["stage"]]
    shape = (len(rates), len(panel.booked), len(panel.periods))
    return _summed((origin[keep], state["segment"][keep], step[keep]), value[keep], shape)


def _by_age(panel: _Panel) -> np.ndarray:
    """Return amount x conversion by stage, age and months ahead, (O + 1, S, M), as learned by each origin.

    The conversion is a share of amounts, shrunk to the stage's by as much as 20 typical deals.
    """
    state, origin = _states(panel)
    count, ahead = len(panel.past.origins), len(panel.periods)
    group = np.searchsorted(AGE_EDGES, np.nan_to_num(state["age"]), side="right")
    shape = (count + 1, panel.stages + 1, len(AGE_EDGES) + 1)
    held = np.zeros(shape)
    np.add.at(held, (origin, state["stage"], group), state["amount"])
    brought = np.zeros((*shape, ahead))
    n = len(panel.past)
    hit = np.flatnonzero(panel.past.won & (panel.past.event < ahead))
    np.add.at(brought, (origin[hit], state["stage"][hit], group[hit], panel.past.event[hit]), state["amount"][hit])
    # What origin q held is known to have brought m months later from origin q + m + 1 on, or `wait` origins later.
    exposed, converted = np.zeros_like(brought), np.zeros_like(brought)
    for step in range(ahead):
        until = max(count - step - panel.wait, 0)
        known = count + 1 - until
        exposed[known:, ..., step] = np.cumsum(held[:until], axis=0)
        converted[known:, ..., step] = np.cumsum(brought[:until, ..., step], axis=0)
    typical = max(float(state["amount"][:n].mean()) if n else 1.0, 1e-9)
    own = converted.sum(axis=2, keepdims=True) / np.maximum(exposed.sum(axis=2, keepdims=True), typical)
    prior = _AGE_PRIOR * typical
    share = (converted + prior * own) / (exposed + prior)
    out = np.zeros((count + 1, len(panel.booked), ahead))
    keep = state["segment"] >= 0
    value = state["amount"][:, None] * share[origin, state["stage"], group]
    np.add.at(out, (origin[keep], state["segment"][keep]), value[keep])
    return out


def _average_new(panel: _Panel) -> np.ndarray:
    """Return the mean of `new` over the last 12 origins whose month had settled by each origin, (O + 1, S, M)."""
    count, segments, ahead = panel.new.shape
    out = np.full((count + 1, segments, ahead), np.nan)
    total = np.concatenate([np.zeros((1, segments, ahead)), np.cumsum(np.nan_to_num(panel.new), axis=0)])
    for step in range(ahead):
        stop = np.arange(count + 1) - step - panel.wait  # origins before this one are known
        begin = np.maximum(stop - AVERAGED, 0)
        enough = stop - begin >= _FEWEST_AVERAGED
        sums = total[np.maximum(stop, 0), :, step] - total[begin, :, step]
        out[enough, :, step] = (sums / np.maximum(stop - begin, 1)[:, None])[enough]
    return out
