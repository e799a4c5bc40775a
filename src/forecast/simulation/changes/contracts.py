"""Contracts that are renewed on a known day: deals beside the others, whose close date is kept.

Simple case: a contract is due every year on the same day, most of them on 1 January. Months ahead a deal is opened for
it, with that day as its close date, and on the day it is won. One in eight is lost instead, on a day between; then
another customer's contract takes its place, for which a deal is opened for the same day a year later.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from forecast.simulation import parameters as par
from forecast.simulation.demand import Staff
from forecast.simulation.parameters import Clock, Settings, generator
from forecast.simulation.pipeline import LOST, WON, Deals

RENEWED = 0.88
JANUARY = 0.7
"""Share of the contracts that are due on 1 January; the others on the first day of any month."""
OPENED_AHEAD = (90, 180)
"""Days between the creation of a renewal and the day it is due."""
AMOUNT_SD, GROWTH = 0.5, (0.03, 0.05)
LEAST = 8
"""Contracts of a segment at least."""
PRODUCT = par.PRODUCTS.index("Service")


@dataclass(frozen=True, kw_only=True, eq=False)
class Contracts:
    """One element a renewal (n,), in order of the day of creation.

    due : the day it is won on. amount : what it brings then, reporting currency. created, closed : days; a renewal that
    is lost closes at some day after its creation and no later than it is due. customer : an own number for each.
    """

    segment: np.ndarray
    customer: np.ndarray
    due: np.ndarray
    amount: np.ndarray
    created: np.ndarray
    closed: np.ndarray
    is_won: np.ndarray

    def expected(self, settings: Settings, clock: Clock, month: int, months: int) -> np.ndarray:
        """Return what the renewals due in the months after a month are expected to bring; (segments, months).

        The day they are due and their amount are settled the year before. Of those open the chance grows with every
        day on which they might have been lost and were not.
        """
        today = int(clock.month_start[month + 1]) - 1
        ahead = np.searchsorted(clock.month_start, self.due, side="right") - 1 - (month + 1)
        waits = (ahead >= 0) & (ahead < months) & ((self.created > today) | (self.closed > today))
        to_come = np.clip((self.due - today) / (self.due - self.created), 0.0, 1.0)
        chance = RENEWED / (RENEWED + (1.0 - RENEWED) * to_come)
        cell = self.segment[waits] * months + ahead[waits]
        value = np.bincount(cell, (chance * self.amount)[waits], minlength=settings.segments * months)
        return value.reshape(settings.segments, months)


def make_contracts(settings: Settings, clock: Clock, deals: Deals) -> Contracts | None:
    """Draw the contracts and what becomes of each renewal; None where the company has none.

    deals : the others, whose bookings say how large the contracts are.
    """
    change = settings.change("renewals")
    if change is None:
        return None
    rng = generator(settings, "contracts")
    won = deals.outcome == WON
    years = settings.simulated_months / 12.0
    booked = np.bincount(deals.segment[won], deals.closed_amount[won], minlength=settings.segments) / years
    wins = np.bincount(deals.segment[won], minlength=settings.segments) / years
    count = np.maximum(LEAST, np.round(change.amount * wins)).astype(int)
    segment = np.repeat(np.arange(settings.segments), count)
    usual = change.amount * booked / (RENEWED * count)
    month_due = np.where(rng.random(len(segment)) < JANUARY, 0, rng.integers(0, 12, len(segment)))
    customer = np.arange(len(segment))
    amount = _first_amounts(rng, usual[segment])
    parts = []
    for year in range(settings.start_period // 12, (settings.start_period + settings.simulated_months) // 12 + 1):
        period = year * 12 + month_due - settings.start_period
        inside = (period >= 0) & (period < settings.simulated_months)
        due = clock.month_start[np.where(inside, period, 0)]
        created = due - rng.integers(*OPENED_AHEAD, len(due))
        is_won = rng.random(len(due)) < RENEWED
        lost_on = created + 1 + (rng.random(len(due)) * (due - created)).astype(np.int64)
        part = Contracts(
            segment=segment,
            customer=customer,
            due=due,
            amount=_whole(settings, segment, amount),
            created=created,
            closed=np.where(is_won, due, lost_on),
            is_won=is_won,
        )
        parts.append(_chosen(part, inside & (created >= clock.month_start[0])))
        growth = np.exp(rng.normal(*GROWTH, len(due)))
        amount = np.where(is_won, amount * growth, _first_amounts(rng, usual[segment]))
        customer = np.where(is_won, customer, customer.max() + 1 + np.arange(len(due)))
    every = {each.name: np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Contracts)}
    return _chosen(Contracts(**every), np.argsort(every["created"], kind="stable"))


def _first_amounts(rng: np.random.Generator, usual: np.ndarray) -> np.ndarray:
    return usual * np.exp(AMOUNT_SD * rng.standard_normal(len(usual)) - 0.5 * AMOUNT_SD**2)


def _whole(settings: Settings, segment: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """Return amounts in whole units of the segments' currencies."""
    unit = settings.rates[segment]
    return np.maximum(1.0, np.round(amount / unit)) * unit


def _chosen(contracts: Contracts, which: np.ndarray) -> Contracts:
    return Contracts(**{each.name: getattr(contracts, each.name)[which] for each in fields(contracts)})


def with_contracts(settings: Settings, clock: Clock, staff: Staff, deals: Deals, contracts: Contracts) -> Deals:
    """Return the deals with the renewals behind them."""
    rng = generator(settings, "contracts").spawn(1)[0]
    n = len(contracts.due)
    team = np.bincount(staff.owner_segment, minlength=settings.segments)
    seat = (rng.random(n) * team[contracts.segment]).astype(np.int64)
    first_day = clock.working.min(axis=1)
    scale = par.MEDIAN_AMOUNT * staff.scale[contracts.segment]
    renewals = {
        "segment": contracts.segment,
        "source": np.full(n, par.EXISTING),
        "product": np.full(n, PRODUCT),
        "owner": np.searchsorted(staff.owner_segment, contracts.segment) + seat,
        "account": deals.account.max() + 1 + contracts.customer,
        "lead": np.full(n, -1),
        "score": np.full(n, np.nan),
        "quality": np.zeros(n),
        "size": np.log(contracts.amount / scale),
        "amount": contracts.amount,
        "start": np.zeros(n, dtype=np.int64),
        "tick": np.searchsorted(first_day, contracts.created, side="right") - 1,
        "day": contracts.created,
        "outcome": np.where(contracts.is_won, WON, LOST).astype(np.int8),
        "closed_tick": np.searchsorted(first_day, contracts.closed, side="right") - 1,
        "closed_amount": np.where(contracts.is_won, contracts.amount, np.nan),
        "due": contracts.due,
    }
    return Deals(**{name: np.concatenate([getattr(deals, name), values]) for name, values in renewals.items()})
