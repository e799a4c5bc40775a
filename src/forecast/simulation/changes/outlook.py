"""What a changed company's deals are expected to bring: the recursions of the oracle along a course and a drift.

Simple case: no drift. Then deals move along the rates known to come, and what `simulation.truth` does for a company
that stays as it is holds with one factor more. With a drift a deal's state is its level together with the rung of its
segment, which moves at the start of each month: exact too, as the drift is a chain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.simulation import parameters as par
from forecast.simulation.changes.regime import Course, Regime
from forecast.simulation.parameters import Settings
from forecast.simulation.pipeline import chances


@dataclass(frozen=True, kw_only=True, eq=False)
class Outlook:
    """What is known at a month end of the months to come.

    month : the origin's. course : expected, a drift aside. log_rate : (K,), what each rung adds to the log rate of
    winning, K = 1 without a drift. transition : (K, K), from month to month. rung : (G,), each segment's now.
    """

    settings: Settings
    month: int
    course: Course
    log_rate: np.ndarray
    transition: np.ndarray
    rung: np.ndarray

    def chances(self, factors: np.ndarray, level: int, segment: np.ndarray, step: int) -> tuple[np.ndarray, ...]:
        """Return the chances of advance, won and lost of deals at a level, by rung; (K, n) each.

        factors : (n, 3) from `rates`. segment : (n,). step : ticks after the origin, from 0.
        """
        tick = (self.month + 1) * par.TICKS + step
        changed, turned = self.course.moves(segment, tick)
        rungs, n = len(self.log_rate), len(factors)
        by_rung = np.repeat((factors * changed)[None], rungs, axis=0)
        by_rung[:, :, 1] *= np.exp(self.log_rate)[:, None]
        flat = chances(
            by_rung.reshape(-1, 3),
            np.full(rungs * n, level),
            self.settings.tick_of_year(tick),
            kind=self.settings.kind,
            turned=np.tile(turned, rungs),
        )
        return tuple(each.reshape(rungs, n) for each in flat)


def make_outlook(settings: Settings, regime: Regime, *, month: int, day: int) -> Outlook:
    """Return what is known at the end of a month, its last day counted from 1970-01-01."""
    drift, count = regime.drift, settings.segments
    return Outlook(
        settings=settings,
        month=month,
        course=regime.known(day),
        log_rate=np.zeros(1) if drift is None else drift.log_rate,
        transition=np.ones((1, 1)) if drift is None else drift.transition,
        rung=np.zeros(count, dtype=np.int64) if drift is None else drift.rung[:, month],
    )


def open_wins(
    outlook: Outlook, factors: np.ndarray, level: np.ndarray, segment: np.ndarray, *, months: int
) -> np.ndarray:
    """Return the chance of a win in each of the next months of deals that are open; shape (months, n).

    factors : (n, 3) from `rates`; level, segment : (n,).
    """
    n = len(level)
    state = np.zeros((par.LEVELS, len(outlook.log_rate), n))
    state[level, outlook.rung[segment], np.arange(n)] = 1.0
    out = np.zeros((months, n))
    for step in range(months * par.TICKS):
        if step % par.TICKS == 0:
            state = np.einsum("kj,lkn->ljn", outlook.transition, state)
        arriving = np.zeros(state.shape[1:])
        for at in range(par.LEVELS):
            advance, won, lost = outlook.chances(factors, at, segment, step)
            here = state[at].copy()
            out[step // par.TICKS] += (here * won).sum(axis=0)
            state[at] = here * (1.0 - advance - won - lost) + arriving
            arriving = here * advance
    return out


def new_wins(outlook: Outlook, factors: np.ndarray, segment: int, *, months: int) -> np.ndarray:
    """Return the chance that a deal created in a month to come is won in a later one, or the same.

    factors : (n, 3) of kinds of deals, from `rates`. Shape (starts, months of creation, months of the win, K, n): each
    starts at level 0 or 1, and K is the segment's rung in the month of creation (see `rungs_to_come`); zero where the
    win would come before.
    """
    n, rungs = len(factors), len(outlook.log_rate)
    where = np.full(n, segment)
    # Backwards: the chance of a win in each month to come, (months, levels, rungs, n), of a deal before a tick's moves.
    value = np.zeros((months, par.LEVELS, rungs, n))
    out = np.zeros((2, months, months, rungs, n))
    for step in reversed(range(months * par.TICKS)):
        month = step // par.TICKS
        # A deal created in this tick moves from the next on, in the next month perhaps from another rung.
        if (step + 1) % par.TICKS == 0:
            value = np.einsum("kj,mljn->mlkn", outlook.transition, value)
        out[:, month] += value[:, :2].swapaxes(0, 1) / par.TICKS
        for at in range(par.LEVELS):
            advance, won, lost = outlook.chances(factors, at, where, step)
            value[:, at] *= 1.0 - advance - won - lost
            if at + 1 < par.LEVELS:
                # The level above has not been replaced yet: it still holds the chances after this tick.
                value[:, at] += advance * value[:, at + 1]
            value[month, at] += won
    return out


def rungs_to_come(outlook: Outlook, segment: int, *, months: int) -> np.ndarray:
    """Return the law of a segment's rung in each of the next months; shape (months, K)."""
    law = np.zeros(len(outlook.log_rate))
    law[outlook.rung[segment]] = 1.0
    out = np.empty((months, len(law)))
    for month in range(months):
        law = law @ outlook.transition
        out[month] = law
    return out


def same_outlook(outlook: Outlook, months: int) -> np.ndarray:
    """Return for each segment the first one whose deals have the same months before them, a drift aside; (G,)."""
    first, last = (outlook.month + 1) * par.TICKS, (outlook.month + 1 + months) * par.TICKS
    course = outlook.course
    rate = course.rate[:, first:last]
    rows = np.column_stack([rate.reshape(len(rate), -1), course.turned[:, first:last]])
    _, index, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return index[np.ravel(inverse)]
