"""How a simulated company's process changes over its months: laid out as factors on what it would have been.

Simple case: a change puts a factor on rates, creation or amounts from a day on, and the oracle knows it from the day
it is announced or else happens. Two oddities: the month of the year has been known for ever, and a drift is a hidden
state of which only the past is known and whose future is a law.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.stats import binom

from forecast.calendar import parse_period
from forecast.simulation import parameters as par
from forecast.simulation.changes.kinds import Change
from forecast.simulation.parameters import Clock, Settings, generator

NEVER, EVER = 2**40, -(2**40)
"""Days on which a change that does not come, or was always there, begins."""
ABOUT = (0.50, 0.68)
"""Where in the log a change begins whose month is not given."""

ADVANCE_SOONER, LOST_SOONER, WON_MOVES = (0.10, 0.25), (0.20, 0.40), (0.05, 0.12)
"""Joint planning, by segment: log rates of advance and loss grow by so much, evenly drawn; mean and sd of winning's."""
WON_IN = np.array([0.40, 0.50, 0.70, 0.60, 0.65, 0.75, 0.50, 0.55, 0.80, 1.00, 2.60, 3.50])
PAID_IN = np.array([0.92, 0.95, 1.00, 0.96, 0.97, 1.02, 0.95, 0.95, 1.02, 0.98, 1.08, 1.12])
CREATED_IN = np.array([1.10, 1.05, 1.00, 1.00, 1.00, 0.95, 0.80, 0.75, 1.15, 1.20, 1.10, 0.80])
"""Month of the year: factors on the rate of winning, on what a won deal pays, and on creation."""
SEASON_SD = 0.10
"""How far a company's months are from these, in logs."""
RUNGS, PERSISTENCE = 13, 0.95
"""A drift climbs and descends a ladder of so many rungs, an AR(1) of this persistence a month (Rouwenhorst 1995)."""
JUNK_MONTHS = 6
NOTICE = (20, 60)
"""Days between the announcement of other prices and their first day."""
LOST_AT_ONCE = 100.0
"""Factor on the rate of loss in a segment that closed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Course:
    """Factors on the process; G segments, M simulated months, T ticks, C channels.

    rate : (G, T, 3), on the rates of advance, won and lost. turned : (G, T), share of the wins that are lost instead.
    creation : (G, MAX_LAG + M), on leads and on other creation, from MAX_LAG months before the log on. size, paid :
    (G, M), on the amount of a deal at creation and on what it pays when it is won. junk : (G, C, MAX_LAG + M), junk
    leads as a multiple of the usual leads.
    """

    rate: np.ndarray
    turned: np.ndarray
    creation: np.ndarray
    size: np.ndarray
    paid: np.ndarray
    junk: np.ndarray

    @classmethod
    def still(cls, settings: Settings) -> Course:
        """Return the course of a company in which nothing changes."""
        count, months = settings.segments, settings.simulated_months
        return cls(
            rate=np.ones((count, months * par.TICKS, 3)),
            turned=np.zeros((count, months * par.TICKS)),
            creation=np.ones((count, par.MAX_LAG + months)),
            size=np.ones((count, months)),
            paid=np.ones((count, months)),
            junk=np.zeros((count, par.N_CHANNELS, par.MAX_LAG + months)),
        )

    def combined(self, other: Course) -> Course:
        """Return both together."""
        return Course(
            rate=self.rate * other.rate,
            turned=1.0 - (1.0 - self.turned) * (1.0 - other.turned),
            creation=self.creation * other.creation,
            size=self.size * other.size,
            paid=self.paid * other.paid,
            junk=self.junk + other.junk,
        )

    def where(self, segments: np.ndarray, settings: Settings) -> Course:
        """Return this course in the segments chosen, (G,) bool, and no change in the others."""
        still = Course.still(settings)
        parts = {}
        for each in fields(self):
            ours, usual = getattr(self, each.name), getattr(still, each.name)
            parts[each.name] = np.where(segments.reshape(-1, *[1] * (usual.ndim - 1)), ours, usual)
        return Course(**parts)

    def moves(self, segment: np.ndarray, tick: int) -> tuple[np.ndarray, np.ndarray]:
        """Return factors on the rates, (n, 3), and the share turned, (n,), of deals of the segments in a tick."""
        return self.rate[segment, tick], self.turned[segment, tick]


@dataclass(frozen=True, kw_only=True, eq=False)
class Shift:
    """One change laid out: what it does, the day it begins and the day it is known from, (G,) each, by segment.

    before : what is expected as long as it is not known; None = that nothing changes.
    """

    change: Change
    course: Course
    begins: np.ndarray
    known_from: np.ndarray
    before: Course | None = None

    def known(self, day: int, settings: Settings) -> Course:
        """Return what is expected of the change from what was known on a day."""
        known = self.known_from <= day
        course = self.course.where(known, settings)
        return course if self.before is None else course.combined(self.before.where(~known, settings))


@dataclass(frozen=True, kw_only=True, eq=False)
class Drift:
    """The wandering rate of winning: the rung of each segment by month, (G, M), and what the rungs mean.

    log_rate : (RUNGS,), added to the log rate of winning; its mean factor is 1. transition : (RUNGS, RUNGS), the chance
    of each rung a month later.
    """

    rung: np.ndarray
    log_rate: np.ndarray
    transition: np.ndarray

    @property
    def factor(self) -> np.ndarray:
        """The factor on the rate of winning of each segment and month; (G, M)."""
        return np.exp(self.log_rate[self.rung])


@dataclass(frozen=True, kw_only=True, eq=False)
class Regime:
    """Everything that changes in a company's process."""

    settings: Settings
    shifts: tuple[Shift, ...]
    drift: Drift | None

    def known(self, day: int) -> Course:
        """Return the course that is expected from what was known on a day, a drift aside."""
        course = Course.still(self.settings)
        for shift in self.shifts:
            course = course.combined(shift.known(day, self.settings))
        return course

    @cached_property
    def actual(self) -> Course:
        """What does happen, with the drift."""
        course = self.known(NEVER - 1)
        if self.drift is None:
            return course
        rate = course.rate.copy()
        rate[:, :, 1] *= np.repeat(self.drift.factor, par.TICKS, axis=1)
        return replace(course, rate=rate)

    def table(self) -> pd.DataFrame:
        """Return what changes, by kind and segment: size, begins, known_from; the days empty where it always was so."""
        rows = [
            (each.change.kind, name, each.change.amount, each.begins[g], each.known_from[g])
            for each in self.shifts
            for g, name in enumerate(self.settings.names)
            if each.begins[g] < NEVER
        ]
        drift = self.settings.change("drift")
        if drift is not None:
            rows += [(drift.kind, name, drift.amount, EVER, EVER) for name in self.settings.names]
        table = pd.DataFrame(rows, columns=["kind", "segment", "size", "begins", "known_from"])
        for column in ("begins", "known_from"):
            table[column] = pd.to_datetime(table[column].where(table[column] > EVER), unit="D")
        return table

    def shift(self, kind: str) -> Shift | None:
        """Return the change of a kind as laid out; None where there is none."""
        return next((each for each in self.shifts if each.change.kind == kind), None)


@dataclass(frozen=True, kw_only=True)
class _Ground:
    """What a change is laid out on; `adopted`, `announced_on` and `weight` as in `make_regime`."""

    settings: Settings
    clock: Clock
    adopted: np.ndarray
    announced_on: np.ndarray
    weight: np.ndarray
    rng: np.random.Generator

    def months(self) -> np.ndarray:
        """Return the simulated months counted from MAX_LAG before the log."""
        return np.arange(-par.MAX_LAG, self.settings.simulated_months)

    def month_of(self, change: Change) -> int:
        """Return the month with which a change begins: the one given, or a drawn one."""
        low, high = (round(share * self.settings.months) for share in ABOUT)
        drawn = int(self.rng.integers(low, high + 1))
        return drawn if change.month is None else parse_period(change.month) - self.settings.start_period

    def segments_of(self, change: Change, *, one: bool = False) -> np.ndarray:
        """Return which segments a change concerns, (G,): the one given, or all, or a drawn one."""
        drawn = int(self.rng.integers(self.settings.segments))
        if change.segment is not None:
            drawn = self.settings.names.index(change.segment)
        elif not one:
            return np.ones(self.settings.segments, dtype=bool)
        return np.arange(self.settings.segments) == drawn

    def shift(
        self, change: Change, course: Course, *, segments: np.ndarray, day: int, announced_on: int | None = None
    ) -> Shift:
        """Return a change that begins on one day in some segments."""
        begins = np.where(segments, day, NEVER)
        known_from = begins if announced_on is None else np.where(segments, announced_on, NEVER)
        return Shift(change=change, course=course.where(segments, self.settings), begins=begins, known_from=known_from)


def make_regime(
    settings: Settings, clock: Clock, *, adopted: np.ndarray, announced_on: np.ndarray, weight: np.ndarray
) -> Regime | None:
    """Lay out the changes of the process; None where there are none.

    adopted, announced_on : (G,), the month with which each segment's joint planning begins, -1 = never, and the day on
    which it is announced. weight : (G,), the share of each segment in creation.
    """
    kinds = list(_LAID_OUT)
    shifts = []
    # Every kind has random numbers of its own, so that one change can come or go without moving another.
    streams = generator(settings, "changes").spawn(len(kinds) + 1)
    for change in settings.changes:
        if change.kind in _LAID_OUT:
            rng = streams[kinds.index(change.kind)]
            ground = _Ground(
                settings=settings, clock=clock, adopted=adopted, announced_on=announced_on, weight=weight, rng=rng
            )
            shifts.append(_LAID_OUT[change.kind](ground, change))
    wanders = settings.change("drift")
    drift = None if wanders is None else make_drift(streams[-1], settings, wanders.amount)
    if not shifts and drift is None:
        return None
    return Regime(settings=settings, shifts=tuple(shifts), drift=drift)


def _adopt(ground: _Ground, change: Change) -> Shift:
    """Joint planning: from its month on deals move faster, are lost sooner, and won a little more or less."""
    settings, adopted = ground.settings, ground.adopted
    count = settings.segments
    advance = ground.rng.uniform(*ADVANCE_SOONER, count)
    won = ground.rng.normal(*WON_MOVES, count)
    lost = ground.rng.uniform(*LOST_SOONER, count)
    factor = np.exp(change.amount * np.column_stack([advance, won, lost]))
    since = (ground.months()[None, par.MAX_LAG :] >= adopted[:, None]) & (adopted[:, None] >= 0)
    rate = np.where(np.repeat(since, par.TICKS, axis=1)[:, :, None], factor[:, None, :], 1.0)
    begins = np.where(adopted >= 0, ground.clock.month_start[np.maximum(adopted, 0)], NEVER)
    known_from = np.where(adopted >= 0, ground.announced_on, NEVER) if change.announced else begins
    course = replace(Course.still(settings), rate=rate)
    return Shift(change=change, course=course, begins=begins, known_from=known_from)


def _break(ground: _Ground, change: Change) -> Shift:
    """From one day on a share of the deals that would have been won are lost instead."""
    first = ground.month_of(change) * par.TICKS
    first += int(ground.rng.integers(par.TICKS)) if change.month is None else 0
    still = Course.still(ground.settings)
    turned = np.where(np.arange(still.turned.shape[1]) >= first, 1.0 - change.amount, still.turned)
    day = int(ground.clock.working[first].min())
    return ground.shift(change, replace(still, turned=turned), segments=ground.segments_of(change), day=day)


def _seasonal(ground: _Ground, change: Change) -> Shift:
    """Winning, what is paid and creation follow the month of the year, as they always have."""
    settings = ground.settings
    own = np.exp(SEASON_SD * ground.rng.standard_normal((2, 12)))
    won, created = (WON_IN * own[0]) ** change.amount, (CREATED_IN * own[1]) ** change.amount
    of_year = (settings.start_period + ground.months()) % 12
    inside = of_year[par.MAX_LAG :]
    still = Course.still(settings)
    rate = still.rate.copy()
    rate[:, :, 1] = np.repeat((won / won.mean())[inside], par.TICKS)[None, :]
    course = replace(
        still,
        rate=rate,
        creation=still.creation * (created / created.mean())[of_year],
        paid=still.paid * (PAID_IN**change.amount)[inside],
    )
    return ground.shift(change, course, segments=ground.segments_of(change), day=EVER)


def _junk(ground: _Ground, change: Change) -> Shift:
    """For six months a channel brings many leads more, which become deals as often and come to nothing."""
    month = ground.month_of(change)
    channel = int(ground.rng.integers(par.N_CHANNELS))
    during = (ground.months() >= month) & (ground.months() < month + JUNK_MONTHS)
    still = Course.still(ground.settings)
    junk = still.junk.copy()
    junk[:, channel] = np.where(during, change.amount, 0.0)
    day = int(ground.clock.month_start[month])
    return ground.shift(change, replace(still, junk=junk), segments=ground.segments_of(change), day=day)


def _price(ground: _Ground, change: Change) -> Shift:
    """Deals created from a month on are offered at other prices; at higher ones fewer deals are won, open ones too."""
    month = ground.month_of(change)
    notice = int(ground.rng.integers(*NOTICE))
    still, since = Course.still(ground.settings), ground.months()[par.MAX_LAG :] >= month
    rate = still.rate.copy()
    rate[:, :, 1] = np.repeat(np.where(since, 1.0 / (1.0 + change.amount), 1.0), par.TICKS)[None, :]
    course = replace(still, rate=rate, size=still.size * np.where(since, 1.0 + change.amount, 1.0))
    day = int(ground.clock.month_start[month])
    segments = ground.segments_of(change)
    return ground.shift(
        change, course, segments=segments, day=day, announced_on=day - notice if change.announced else None
    )


def _closed(ground: _Ground, change: Change) -> Shift:
    """A segment creates nothing any more and loses what is open."""
    month = ground.month_of(change)
    still, since = Course.still(ground.settings), np.arange(ground.settings.simulated_months) >= month
    by_tick = np.repeat(since, par.TICKS)
    rate = still.rate.copy()
    rate[:, by_tick, 2] = LOST_AT_ONCE
    course = replace(
        still,
        rate=rate,
        turned=np.where(by_tick, 1.0, still.turned),
        creation=np.where(ground.months() >= month, 0.0, still.creation),
    )
    day = int(ground.clock.month_start[month])
    return ground.shift(change, course, segments=ground.segments_of(change, one=True), day=day)


def _split(ground: _Ground, change: Change) -> Shift:
    """A segment begins; until then its neighbour in the alphabet had created its deals along with its own."""
    month = ground.month_of(change)
    new = ground.segments_of(change, one=True)
    place = int(np.argmax(new))
    carrier = np.arange(len(new)) == (place - 1 if place else 1)
    weight = ground.weight
    still = Course.still(ground.settings)
    both = 1.0 + weight[place] / weight[carrier]
    alone = np.where(new[:, None], 0.0, np.where(carrier[:, None], both, still.creation))
    course = replace(still, creation=np.where(ground.months() < month, alone, still.creation))
    day = int(ground.clock.month_start[month])
    shift = ground.shift(change, course, segments=new | carrier, day=day)
    return replace(shift, before=replace(still, creation=alone).where(new | carrier, ground.settings))


_LAID_OUT: dict[str, Callable[[_Ground, Change], Shift]] = {
    "adopt": _adopt,
    "break": _break,
    "seasonal": _seasonal,
    "junk": _junk,
    "price": _price,
    "closed": _closed,
    "split": _split,
}


def make_drift(rng: np.random.Generator, settings: Settings, sd: float) -> Drift:
    """Let the log rate of winning of each segment wander.

    A rung is the number of RUNGS - 1 coins that show heads; each month every coin is kept with chance (1 + persistence)
    / 2 and turned over otherwise. So the rungs are binomial in the long run, and their law months ahead is exact.
    """
    coins, keep = RUNGS - 1, (1.0 + PERSISTENCE) / 2.0
    shape = (settings.segments, settings.simulated_months)
    rung = np.empty(shape, dtype=np.int64)
    rung[:, 0] = rng.binomial(coins, 0.5, shape[0])
    for month in range(1, shape[1]):
        heads = rung[:, month - 1]
        rung[:, month] = rng.binomial(heads, keep) + rng.binomial(coins - heads, 1.0 - keep)
    places = np.arange(RUNGS)
    log_rate = sd * (2.0 * places - coins) / np.sqrt(coins)
    log_rate -= np.log(binom.pmf(places, coins, 0.5) @ np.exp(log_rate))
    transition = np.array(
        [
            np.convolve(binom.pmf(places[: k + 1], k, keep), binom.pmf(places[: RUNGS - k], coins - k, 1.0 - keep))
            for k in places
        ]
    )
    return Drift(rung=rung, log_rate=log_rate, transition=transition)
