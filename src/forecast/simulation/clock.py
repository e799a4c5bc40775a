"""The simulated company's clock: ticks, the working days in them, and what the calendar does to the rates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from forecast.simulation import parameters as par
from forecast.simulation.parameters import Settings

EPOCH = np.datetime64("1970-01-01", "D")


@dataclass(frozen=True)
class Clock:
    """Days are counted from 1970-01-01; a tick is a quarter of a month.

    `working` (ticks, 7) holds the working days of each tick, filled up with its last one; `count` (ticks,) how many.
    `month_start` (months + 1,) the first day of each simulated month.
    """

    start_period: int
    working: np.ndarray
    count: np.ndarray
    first_day: np.ndarray
    month_start: np.ndarray
    log_months: int

    @property
    def last_day(self) -> int:
        """The last day of the log."""
        return int(self.month_start[self.log_months]) - 1

    def draw_day(self, rng: np.random.Generator, tick: np.ndarray) -> np.ndarray:
        """Return a working day of each tick, drawn evenly; shape like `tick`."""
        pick = (rng.random(np.shape(tick)) * self.count[tick]).astype(np.int64)
        return self.working[tick, pick]


def make_clock(settings: Settings) -> Clock:
    """Lay out the ticks of the simulated months."""
    months = settings.simulated_months
    periods = settings.start_period + np.arange(-par.MAX_LAG, months + 1)
    starts = (periods - 1970 * 12).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    month_start = starts[par.MAX_LAG :]
    length = np.diff(month_start)
    cuts = (np.arange(par.TICKS + 1)[None, :] * length[:, None]) // par.TICKS
    first = (month_start[:-1, None] + cuts[:, :-1]).ravel()
    size = np.diff(cuts, axis=1).ravel()
    days = first[:, None] + np.arange(8)[None, :]
    is_work = ((days + 3) % 7 < 5) & (np.arange(8)[None, :] < size[:, None])
    count = is_work.sum(axis=1)
    order = np.argsort(~is_work, axis=1, kind="stable")
    working = np.take_along_axis(days, order, axis=1)
    return Clock(settings.start_period, working, count, first, month_start, settings.months)


@lru_cache(maxsize=1)
def calendar_factors() -> np.ndarray:
    """Return the factors on advance, won and lost by tick of the year; shape (48, 3).

    The won factors average 1 over the year, so that the calendar moves wins in time and does not add any.
    """
    month = np.repeat(np.arange(12), par.TICKS)
    tick = np.tile(np.arange(par.TICKS), 12)
    won = par.WON_MONTH[month] * par.WON_TICK[tick]
    won = won * np.where((month % 3 == 2) & (tick == par.TICKS - 1), par.QUARTER_END_RUSH, 1.0)
    advance = par.ADVANCE_MONTH[month]
    lost = par.LOST_MONTH[month]
    factors = np.column_stack([advance, won, lost])
    return factors / factors.mean(axis=0)


def rates(quality: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return the factors that a deal's quality and log size put on advance, won and lost; shape (n, 3)."""
    return np.exp(np.multiply.outer(quality, par.QUALITY_EFFECT) + np.multiply.outer(size, par.SIZE_EFFECT))


def chances(factors: np.ndarray, level: np.ndarray, tick_of_year: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the chances of advance, won and lost in one tick: competing exponential risks; each of shape (n,).

    `factors` (n, 3) from `rates`, `level` (n,) of hidden progress.
    """
    calendar = calendar_factors()[tick_of_year]
    advance = par.ADVANCE[level] * factors[:, 0] * calendar[0]
    won = par.WON[level] * factors[:, 1] * calendar[1]
    lost = par.LOST[level] * factors[:, 2] * calendar[2]
    total = advance + won + lost
    share = -np.expm1(-total) / np.maximum(total, 1e-300)
    return advance * share, won * share, lost * share
