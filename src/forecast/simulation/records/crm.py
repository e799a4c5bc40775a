"""What the simulated CRM shows of the deals: stages updated late, optimistic close dates that slip, late closures.

Expected close dates come from what the seller could know (the hidden level, quality and size), never from luck still to
come; so nothing that is recorded knows more than the hidden state.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from forecast.simulation import parameters as par
from forecast.simulation.changes.contracts import Contracts
from forecast.simulation.changes.regime import Shift
from forecast.simulation.demand import Staff
from forecast.simulation.parameters import Clock, Kind, Settings, generator
from forecast.simulation.pipeline import WON, Deals, OpenDeals, Pipeline, rates

_DAYS_A_TICK = 365.25 / 48.0
JOINTLY_KEPT = 1.1
_WON_STAGE, _LOST_STAGE = len(par.OPEN_STAGES), len(par.OPEN_STAGES) + 1


@dataclass(frozen=True, kw_only=True)
class Records:
    """The CRM's rows, sorted by deal and time: (n,) each.

    `day` (local) and `second` of that day when it was recorded; `effective` the day it happened, which is earlier for
    closures recorded late; `stage` a position in `STAGES`; `amount` in whole units of the segment's currency;
    `expected` the close date entered, `owner` the seller.
    """

    deal: np.ndarray
    day: np.ndarray
    second: np.ndarray
    effective: np.ndarray
    stage: np.ndarray
    amount: np.ndarray
    expected: np.ndarray
    owner: np.ndarray

    def chosen(self, which: np.ndarray) -> Records:
        """Return some of the rows: a mask or positions."""
        return Records(**{each.name: getattr(self, each.name)[which] for each in fields(self)})


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """What the CRM shows of every deal at a moment of the run, (n,) each. The run writes into these arrays."""

    stage: np.ndarray
    amount: np.ndarray
    expected: np.ndarray
    owner: np.ndarray

    def rows(self, deal: np.ndarray, *, day: np.ndarray, effective: np.ndarray) -> dict[str, np.ndarray]:
        """Return the rows that record some deals as they are shown now."""
        return {
            "deal": deal,
            "day": day,
            "effective": effective,
            "stage": self.stage[deal],
            "amount": self.amount[deal],
            "expected": self.expected[deal],
            "owner": self.owner[deal],
        }


def remaining_ticks(level: np.ndarray, factors: np.ndarray, *, kind: Kind = par.ORDINARY) -> np.ndarray:
    """Return how many ticks a deal that keeps going will take to close, on average; shape (n,)."""
    to_go = np.concatenate([np.cumsum((1.0 / par.ADVANCE[:-1])[::-1])[::-1], [0.0]])
    last = kind.won[-1] * factors[:, 1] + kind.lost[-1] * factors[:, 2]
    return to_go[level] / factors[:, 0] + 1.0 / last


def make_records(
    settings: Settings, clock: Clock, staff: Staff, pipeline: Pipeline, joint: Shift | None = None
) -> Records:
    """Write the CRM's rows from the deals' paths.

    Simple case: in each tick the deals created in it are entered, the open ones are looked at, and those that closed
    are closed. Each of the three writes rows only where something that is shown changed.

    joint : joint planning where it changes the process, and with it how sellers keep their records; None = it does not.
    """
    rng = generator(settings, "desk")
    deals = pipeline.deals
    n = len(deals.segment)
    desk, factors = staff, rates(deals.quality, deals.size)
    usual = factors
    in_local = settings.rates[deals.segment]
    shown = _Shown(
        stage=np.zeros(n, dtype=np.int8),
        amount=np.zeros(n),
        expected=np.zeros(n, dtype=np.int64),
        owner=deals.owner.copy(),
    )
    closing = np.argsort(deals.closed_tick, kind="stable")
    bounds = np.searchsorted(deals.closed_tick[closing], np.arange(len(pipeline.paths) + 1))
    rows: list[dict[str, np.ndarray]] = []
    for tick, path in enumerate(pipeline.paths):
        is_new = deals.tick[path.deal] == tick
        local = OpenDeals(
            deal=path.deal, level=path.level, amount=np.maximum(1.0, np.round(path.amount / in_local[path.deal]))
        )
        if joint is not None:
            desk = jointly_kept(staff, joint.begins <= clock.working[tick].min(), joint.change.amount)
            factors = usual * joint.course.rate[deals.segment, tick]
        rows.append(
            _enter(rng, desk, shown, local.chosen(is_new), factors=factors, created=deals.day, kind=settings.kind)
        )
        open_deals = local.chosen(~is_new)
        day = clock.draw_day(rng, np.full(len(open_deals.deal), tick))
        rows.append(_look_after(rng, desk, shown, open_deals, factors=factors, day=day, kind=settings.kind))
        closed = closing[bounds[tick] : bounds[tick + 1]]
        day = clock.draw_day(rng, np.full(len(closed), tick))
        paid = np.round(deals.closed_amount[closed] / in_local[closed])
        rows.append(_close(rng, shown, closed, is_won=deals.outcome[closed] == WON, paid=paid, day=day))
    columns = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    second = rng.integers(8 * 3600, 18 * 3600 + 1800, len(columns["deal"]))
    return Records(**columns, second=second).chosen(np.lexsort((columns["day"], columns["deal"])))


def with_renewals(settings: Settings, records: Records, deals: Deals, contracts: Contracts) -> Records:
    """Return the rows with those of the renewals, which are the last of the deals.

    A renewal is entered as a proposal for the day it is due, is negotiated in the second half of its time, and closes
    on its day: nobody moves the date.
    """
    rng = generator(settings, "contracts").spawn(2)[1]
    n, created, closed = len(contracts.due), contracts.created, contracts.closed
    deal = len(deals.segment) - n + np.arange(n)
    half = created + ((0.4 + 0.3 * rng.random(n)) * (contracts.due - created)).astype(np.int64)
    late = np.where(rng.random(n) < par.LATE_CHANCE, rng.integers(1, par.LATE_DAYS + 1, n), 0)
    still_open = half < closed
    always = np.ones(n, dtype=bool)
    amount = np.round(contracts.amount / settings.rates[contracts.segment])
    parts = []
    for stage, day, effective, expected, there in (
        (np.full(n, 2), created, created, contracts.due, always),
        (np.full(n, 3), half, half, contracts.due, still_open),
        (np.where(contracts.is_won, _WON_STAGE, _LOST_STAGE), closed + late, closed, closed, always),
    ):
        row = Records(
            deal=deal,
            day=day,
            second=rng.integers(8 * 3600, 18 * 3600 + 1800, n),
            effective=effective,
            stage=stage.astype(np.int8),
            amount=amount,
            expected=expected,
            owner=deals.owner[deal],
        )
        parts.append(row.chosen(there))
    every = {
        each.name: np.concatenate([getattr(part, each.name) for part in (records, *parts)]) for each in fields(Records)
    }
    return Records(**every).chosen(np.lexsort((every["day"], every["deal"])))


def jointly_kept(staff: Staff, segments: np.ndarray, size: float) -> Staff:
    """Return the sellers as they keep records where segments, (G,) bool, plan jointly: sooner, and nearer to the truth.

    size : 0 changes nothing, 1 takes two thirds off what they miss.
    """
    missed = np.where(segments[staff.owner_segment], np.exp(-JOINTLY_KEPT * size), 1.0)
    return replace(
        staff,
        owner_tidy=1.0 - missed * (1.0 - staff.owner_tidy),
        owner_diligence=1.0 - missed * (1.0 - staff.owner_diligence),
        owner_optimism=staff.owner_optimism**missed,
        owner_spread=staff.owner_spread * missed,
    )


def _enter(
    rng: np.random.Generator,
    staff: Staff,
    shown: _Shown,
    new: OpenDeals,
    *,
    factors: np.ndarray,
    created: np.ndarray,
    kind: Kind,
) -> dict[str, np.ndarray]:
    """Enter the deals created in a tick, on the day of their creation."""
    deal, day = new.deal, created[new.deal]
    shown.stage[deal], shown.amount[deal] = new.level // 2, new.amount
    ticks = remaining_ticks(new.level, factors[deal], kind=kind)
    shown.expected[deal] = _guess(rng, staff, shown.owner[deal], day, ticks)
    return shown.rows(deal, day=day, effective=day)


def _look_after(
    rng: np.random.Generator,
    staff: Staff,
    shown: _Shown,
    path: OpenDeals,
    *,
    factors: np.ndarray,
    day: np.ndarray,
    kind: Kind,
) -> dict[str, np.ndarray]:
    """Let sellers update stage, owner, close date and amount of open deals, or not; only those touched get a row."""
    deal, owner = path.deal, shown.owner[path.deal]
    stage = _restage(rng, staff.owner_tidy[owner], shown.stage[deal], path.level)
    restaged = stage != shown.stage[deal]
    handed = rng.random(len(deal)) < par.REASSIGNED
    receiver = _colleague(rng, staff, owner)
    passed = (shown.expected[deal] < day) & (rng.random(len(deal)) < staff.owner_diligence[owner])
    redated = passed | (restaged & (rng.random(len(deal)) < 0.5)) | (rng.random(len(deal)) < 0.03)
    touched = restaged | handed | redated | (path.amount != shown.amount[deal])
    shown.stage[deal], shown.amount[deal] = stage, path.amount
    shown.owner[deal] = np.where(handed, receiver, owner)
    again = deal[redated]
    ticks = remaining_ticks(path.level[redated], factors[again], kind=kind)
    shown.expected[again] = _guess(rng, staff, shown.owner[again], day[redated], ticks)
    return shown.rows(deal[touched], day=day[touched], effective=day[touched])


def _close(
    rng: np.random.Generator, shown: _Shown, deal: np.ndarray, *, is_won: np.ndarray, paid: np.ndarray, day: np.ndarray
) -> dict[str, np.ndarray]:
    """Close the deals that closed in a tick; a share of them is recorded some days late."""
    shown.stage[deal] = np.where(is_won, _WON_STAGE, _LOST_STAGE)
    shown.amount[deal] = np.where(is_won, paid, shown.amount[deal])
    shown.expected[deal] = day
    late = np.where(rng.random(len(deal)) < par.LATE_CHANCE, rng.integers(1, par.LATE_DAYS + 1, len(deal)), 0)
    return shown.rows(deal, day=day + late, effective=day)


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
    days = (
        ticks * _DAYS_A_TICK * staff.owner_optimism[owner] * np.exp(staff.owner_spread[owner] * rng.standard_normal(n))
    )
    date = day + np.maximum(3, np.round(days)).astype(np.int64)
    date -= np.maximum((date + 3) % 7 - 4, 0)
    month = date.astype("datetime64[D]").astype("datetime64[M]")
    month_end = (month + 1).astype("datetime64[D]").astype(np.int64) - 1
    quarter = month - month.astype(np.int64) % 3
    quarter_end = (quarter + 3).astype("datetime64[D]").astype(np.int64) - 1
    u = rng.random(n)
    return np.where(u < 0.40, month_end, np.where(u < 0.55, quarter_end, date))
