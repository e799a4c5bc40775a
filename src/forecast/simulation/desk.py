"""What the simulated CRM shows of the deals: stages updated late, optimistic close dates that slip, late closures.

Expected close dates come from what the seller could know (the hidden level, quality and size), never from luck still to
come; so nothing that is recorded knows more than the hidden state.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.simulation import parameters as par
from forecast.simulation.clock import Clock, rates
from forecast.simulation.demand import Staff
from forecast.simulation.parameters import Settings, generator
from forecast.simulation.pipeline import WON, Pipeline

_DAYS_A_TICK = 365.25 / 48.0
_WON_STAGE, _LOST_STAGE = len(par.OPEN_STAGES), len(par.OPEN_STAGES) + 1


@dataclass(frozen=True)
class Records:
    """The CRM's rows, sorted by deal and time: (n,) each.

    `day` (local) and `second` of that day when it was recorded; `effective` the day it happened, which is earlier for
    closures recorded late; `stage` a position in `STAGES`; `amount` in whole units of the segment's currency.
    """

    deal: np.ndarray
    day: np.ndarray
    second: np.ndarray
    effective: np.ndarray
    stage: np.ndarray
    amount: np.ndarray
    expected: np.ndarray
    owner: np.ndarray


def remaining_ticks(level: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return how many ticks a deal that keeps going will take to close, on average; shape (n,)."""
    to_go = np.concatenate([np.cumsum((1.0 / par.ADVANCE[:-1])[::-1])[::-1], [0.0]])
    last = par.WON[-1] * factors[:, 1] + par.LOST[-1] * factors[:, 2]
    return to_go[level] / factors[:, 0] + 1.0 / last


def keep_records(settings: Settings, clock: Clock, staff: Staff, pipeline: Pipeline) -> Records:
    """Write the CRM's rows from the deals' paths."""
    rng = generator(settings, "desk")
    deals, rate = pipeline.deals, settings.rates
    n = len(deals.segment)
    factors = rates(deals.quality, deals.size)
    stage = np.zeros(n, dtype=np.int8)
    amount = np.zeros(n)
    expected = np.zeros(n, dtype=np.int64)
    owner = deals.owner.copy()
    closing = np.argsort(deals.closed_tick, kind="stable")
    bounds = np.searchsorted(deals.closed_tick[closing], np.arange(len(pipeline.paths) + 1))
    rows: list[tuple[np.ndarray, ...]] = []

    for tick, path in enumerate(pipeline.paths):
        is_new = deals.tick[path.deal] == tick
        local = np.maximum(1.0, np.round(path.amount / rate[deals.segment[path.deal]]))

        who, level = path.deal[is_new], path.level[is_new]
        stage[who], amount[who] = level // 2, local[is_new]
        expected[who] = _guess(rng, staff, owner[who], deals.day[who], remaining_ticks(level, factors[who]))
        rows.append(_row(who, deals.day[who], deals.day[who], stage, amount, expected, owner))

        who, level, local = path.deal[~is_new], path.level[~is_new], local[~is_new]
        day = clock.draw_day(rng, np.full(len(who), tick))
        moved = _restage(rng, staff.owner_tidy[owner[who]], stage[who], level)
        restaged = moved != stage[who]
        handed = rng.random(len(who)) < par.REASSIGNED
        receiver = _colleague(rng, staff, owner[who])
        passed = (expected[who] < day) & (rng.random(len(who)) < staff.owner_diligence[owner[who]])
        redated = passed | (restaged & (rng.random(len(who)) < 0.5)) | (rng.random(len(who)) < 0.03)
        touched = restaged | handed | redated | (local != amount[who])
        stage[who], amount[who] = moved, local
        owner[who] = np.where(handed, receiver, owner[who])
        again, since = who[redated], day[redated]
        expected[again] = _guess(rng, staff, owner[again], since, remaining_ticks(level[redated], factors[again]))
        rows.append(_row(who[touched], day[touched], day[touched], stage, amount, expected, owner))

        who = closing[bounds[tick] : bounds[tick + 1]]
        day = clock.draw_day(rng, np.full(len(who), tick))
        is_won = deals.outcome[who] == WON
        stage[who] = np.where(is_won, _WON_STAGE, _LOST_STAGE)
        paid = np.round(deals.closed_amount[who] / rate[deals.segment[who]])
        amount[who] = np.where(is_won, paid, amount[who])
        expected[who] = day
        late = np.where(rng.random(len(who)) < par.LATE_CHANCE, rng.integers(1, par.LATE_DAYS + 1, len(who)), 0)
        rows.append(_row(who, day + late, day, stage, amount, expected, owner))

    deal, recorded, effective, stages, amounts, dates, owners = (
        np.concatenate(parts) for parts in zip(*rows, strict=True)
    )
    second = rng.integers(8 * 3600, 18 * 3600 + 1800, len(deal))
    order = np.lexsort((recorded, deal))
    return Records(
        deal=deal[order],
        day=recorded[order],
        second=second[order],
        effective=effective[order],
        stage=stages[order],
        amount=amounts[order],
        expected=dates[order],
        owner=owners[order],
    )


def _row(
    who: np.ndarray,
    recorded: np.ndarray,
    effective: np.ndarray,
    stage: np.ndarray,
    amount: np.ndarray,
    expected: np.ndarray,
    owner: np.ndarray,
) -> tuple[np.ndarray, ...]:
    return who, recorded, effective, stage[who], amount[who], expected[who], owner[who]


def _restage(rng: np.random.Generator, tidy: np.ndarray, shown: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Return the stage after a seller looked, or did not: late when it moved, now and then one too early."""
    true = level // 2
    look = rng.random(len(shown)) < tidy
    hopes = (rng.random(len(shown)) < 0.01) & (shown == true) & (shown < _WON_STAGE - 1)
    return np.where((shown != true) & look, true, np.where(hopes, shown + 1, shown)).astype(np.int8)


def _colleague(rng: np.random.Generator, staff: Staff, owner: np.ndarray) -> np.ndarray:
    """Return another seller of the same segment for each owner."""
    segment = staff.owner_segment[owner]
    first = np.searchsorted(staff.owner_segment, np.arange(staff.owner_segment[-1] + 1))
    team = np.bincount(staff.owner_segment)
    shift = 1 + (rng.random(len(owner)) * (team[segment] - 1)).astype(np.int64)
    return first[segment] + (owner - first[segment] + shift) % team[segment]


def _guess(rng: np.random.Generator, staff: Staff, owner: np.ndarray, day: np.ndarray, ticks: np.ndarray) -> np.ndarray:
    """Return the close dates that sellers enter: optimistic, noisy, mostly the end of a month or quarter."""
    n = len(owner)
    days = ticks * _DAYS_A_TICK * staff.owner_optimism[owner] * np.exp(0.35 * rng.standard_normal(n))
    date = day + np.maximum(3, np.round(days)).astype(np.int64)
    date -= np.maximum((date + 3) % 7 - 4, 0)
    month = date.astype("datetime64[D]").astype("datetime64[M]")
    month_end = (month + 1).astype("datetime64[D]").astype(np.int64) - 1
    quarter = month - month.astype(np.int64) % 3
    quarter_end = (quarter + 3).astype("datetime64[D]").astype(np.int64) - 1
    u = rng.random(n)
    return np.where(u < 0.40, month_end, np.where(u < 0.55, quarter_end, date))
