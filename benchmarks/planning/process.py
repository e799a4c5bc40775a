"""Simulated panels of forecast errors whose truth is known, and what can go wrong in them.

The simple case: 48 months; 6, 8 or 12 segments of which 2, 2 and 3 never begin, start dates evenly spaced in months 24
to 36; signed relative errors of each series AR(1) with t5 innovations and a factor common to the segments; times the
segment's scale, a common and a regional volatility and a quarter-end pattern; the error of a segment-month is the mean
size over six series, or the size of one. The benchmark's errors follow the same volatilities and share part of the
surprise.

What goes wrong is a `Step`: a function of the panels and a random generator that returns the panels changed. Steps are
taken in order, so who begins when is decided before an effect is put in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from forecast.evaluation.planning.inference.randomisation import NEVER, Floats, Ints

MONTHS = 48
NEVERS = {6: 2, 8: 2, 12: 3}
CORRELATION = 0.30
AR = 0.35
SHARED_BY_SERIES = 0.50
SHARED_WITH_BENCHMARK = 0.20
SCALE, SCALE_SD = 0.30, 0.25
COMMON_SD, REGIONAL_SD, VOLATILITY_AR = 0.18, 0.30, 0.90
QUARTER_END = 1.25
SPELL_SD, SPELL_AR = 0.60, 0.85


@dataclass(frozen=True, kw_only=True, eq=False)
class Panels:
    """N panels of S segments and T months.

    error, benchmark : (N, S, T); error is NaN where nothing was submitted. dates : (N, S), month of the start, `NEVER`
    where there is none. truth : relative change of the mean error that joint planning brought about.
    """

    error: Floats
    benchmark: Floats
    dates: Ints
    truth: float = 0.0

    @property
    def begins(self) -> np.ndarray:
        """Which segments begin at all; (N, S, 1)."""
        return (self.dates < NEVER)[:, :, None]

    @property
    def since(self) -> Ints:
        """Months since the start, very negative for those that never begin; (N, S, T)."""
        months = np.arange(self.error.shape[-1])
        return np.asarray(months - np.where(self.begins, self.dates[:, :, None], 10**6))


Step = Callable[[Panels, np.random.Generator], Panels]


@dataclass(frozen=True)
class Scenario:
    """One process, and what happens in it.

    effect : share of the error that joint planning removes, put in after all steps.
    """

    name: str
    segments: int = 8
    series: int = 6
    effect: float = 0.0
    common_drift: float = 0.0
    regional_drift: float = 0.0
    shocks: bool = False
    worst_first: bool = False
    steps: tuple[Step, ...] = ()


def panels_of(scenario: Scenario, count: int, seed: int) -> Panels:
    """Return panels of a scenario, everything in it done."""
    panels, rng = simulate(scenario, count, seed), np.random.default_rng([seed, 6])
    for step in scenario.steps:
        panels = step(panels, rng)
    return cut(scenario.effect)(panels, rng) if scenario.effect else panels


def adoption_dates(segments: int) -> Ints:
    """Return the start months, evenly spaced in 24 to 36, then the segments that never begin; shape (S,)."""
    adopting = segments - NEVERS[segments]
    dates = np.round(np.linspace(24, 36, adopting)).astype(np.int64)
    return np.concatenate([dates, np.full(NEVERS[segments], NEVER)])


def series_ar(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Return AR(1) series with t5 innovations of unit variance and a factor common to segments (axis -2)."""
    common = rng.standard_t(5, (*shape[:-2], 1, shape[-1]))
    own = rng.standard_t(5, shape)
    step = (np.sqrt(CORRELATION) * common + np.sqrt(1 - CORRELATION) * own) / np.sqrt(5 / 3)
    out = np.empty(shape)
    out[..., 0] = step[..., 0]
    for t in range(1, shape[-1]):
        out[..., t] = AR * out[..., t - 1] + np.sqrt(1 - AR**2) * step[..., t]
    return out


def volatility(rng: np.random.Generator, shape: tuple[int, ...], sd: float) -> Floats:
    """Return a log volatility, AR(1) and normal; last axis months."""
    out = rng.standard_normal(shape)
    for t in range(1, shape[-1]):
        out[..., t] = VOLATILITY_AR * out[..., t - 1] + np.sqrt(1 - VOLATILITY_AR**2) * out[..., t]
    return np.asarray(sd * out)


def simulate(scenario: Scenario, panels: int, seed: int) -> Panels:
    """Return panels with nothing but the process itself."""
    rng = np.random.default_rng([seed, 5])
    dates, months = adoption_dates(scenario.segments), np.arange(MONTHS)
    s, k = scenario.segments, scenario.series
    shape = (panels, k, s, MONTHS)
    surprise = series_ar(rng, shape)
    shared = series_ar(rng, (panels, 1, s, MONTHS))

    def blend(own: Floats) -> Floats:
        return np.asarray(np.sqrt(SHARED_BY_SERIES) * shared + np.sqrt(1 - SHARED_BY_SERIES) * own)

    official = blend(surprise)
    other = blend(series_ar(rng, shape))
    benchmark = np.sqrt(SHARED_WITH_BENCHMARK) * official + np.sqrt(1 - SHARED_WITH_BENCHMARK) * other
    log_scale = np.log(SCALE) + SCALE_SD * rng.standard_normal((panels, s))
    if scenario.worst_first:
        log_scale = -np.sort(-log_scale, axis=1)
    both = volatility(rng, (panels, 1, MONTHS), COMMON_SD) + volatility(rng, (panels, s, MONTHS), REGIONAL_SD)
    both = both + np.where(months % 3 == 2, np.log(QUARTER_END), 0.0)
    both = both + scenario.common_drift * months / MONTHS
    both = both + scenario.regional_drift * rng.standard_normal((panels, s, 1)) * months / MONTHS
    if scenario.shocks:
        both = both + np.where(rng.random((panels, 1, MONTHS)) < 0.06, np.log(2.0), 0.0)
    level = np.exp(log_scale[:, :, None] + both)
    error, benchmark = np.abs(official).mean(axis=1) * level, np.abs(benchmark).mean(axis=1) * level
    return Panels(error=error, benchmark=benchmark, dates=np.tile(dates, (panels, 1)))


# -- who begins when -------------------------------------------------------------------------------------


def after_worst_half_year(panels: Panels, _: np.random.Generator) -> Panels:
    """Each segment that begins does so in the month of 24 to 36 that follows its own worst six months."""
    sums = np.cumsum(np.pad(panels.error, ((0, 0), (0, 0), (1, 0))), axis=-1)
    spell = sums[..., 24:37] - sums[..., 18:31]
    return replace(panels, dates=np.where(panels.dates == NEVER, NEVER, 24 + spell.argmax(axis=-1)))


def worst_first(months: int) -> Step:
    """At each start the segment begins that has had the worst last `months`, against its own record, in logs."""

    def step(panels: Panels, _: np.random.Generator) -> Panels:
        starts = [np.sort(row[row < NEVER]) for row in panels.dates]
        dates = [worst_begin(error, when, months) for error, when in zip(panels.error, starts, strict=True)]
        return replace(panels, dates=np.array(dates))

    return step


def worst_begin(error: Floats, starts: Ints, months: int) -> Ints:
    """Return who begins when: at each start the segment, of those left, with the worst last months; (S,).

    error : (S, T), NaN where missing. The mean log error of the last `months` less that of all months before them.
    """
    dates = np.full(len(error), NEVER)
    with np.errstate(divide="ignore"):
        logs = np.log(error)
    for start in starts:
        left = np.flatnonzero(dates == NEVER)
        recent, before = logs[left, start - months : start], logs[left, : start - months]
        dates[left[np.nanargmax(np.nanmean(recent, axis=1) - np.nanmean(before, axis=1))]] = start
    return dates


# -- what happens to the errors --------------------------------------------------------------------------


def spells(panels: Panels, rng: np.random.Generator) -> Panels:
    """Official and benchmark errors have bad and good spells of their own that last some months."""
    factors = []
    for errors in (panels.error, panels.benchmark):
        log_factor = rng.standard_normal(errors.shape)
        for t in range(1, errors.shape[-1]):
            log_factor[..., t] = SPELL_AR * log_factor[..., t - 1] + np.sqrt(1 - SPELL_AR**2) * log_factor[..., t]
        factors.append(np.exp(SPELL_SD * log_factor))
    return replace(panels, error=panels.error * factors[0], benchmark=panels.benchmark * factors[1])


def level_shifts(panels: Panels, rng: np.random.Generator) -> Panels:
    """Levels of official and of benchmark errors are drawn anew in one month of 12, each by itself, then stay."""
    factors = []
    for errors in (panels.error, panels.benchmark):
        drawn, anew = SPELL_SD * rng.standard_normal(errors.shape), rng.random(errors.shape) < 1 / 12
        anew[..., 0] = True
        last = np.maximum.accumulate(np.where(anew, np.arange(errors.shape[-1]), 0), axis=-1)
        factors.append(np.exp(np.take_along_axis(drawn, last, axis=-1)))
    return replace(panels, error=panels.error * factors[0], benchmark=panels.benchmark * factors[1])


def cut(effect: float) -> Step:
    """Joint planning removes a share of the error from the start on."""
    return lambda panels, _: _from_start(panels, np.where(panels.since >= 0, 1.0 - effect, 1.0))


def growing(effect: float, months: int = 12) -> Step:
    """The share removed grows from nothing at the start to the effect after `months`."""

    def step(panels: Panels, _: np.random.Generator) -> Panels:
        return _from_start(panels, 1.0 - effect * np.clip((panels.since + 1) / months, 0.0, 1.0))

    return step


def half_improve(effect: float) -> Step:
    """Every second of the segments that begin improves; the others stay as they are."""

    def step(panels: Panels, _: np.random.Generator) -> Panels:
        second = panels.begins & (np.cumsum(panels.begins, axis=1) % 2 == 1)
        return _from_start(panels, np.where(second & (panels.since >= 0), 1.0 - effect, 1.0))

    return step


def spill_over(effect: float) -> Step:
    """From the first start on, those that have not begun get half the effect."""

    def step(panels: Panels, _: np.random.Generator) -> Panels:
        months = np.arange(panels.error.shape[-1])
        under_way = months >= panels.dates.min(axis=1)[:, None, None]
        changed = _from_start(panels, np.where(panels.since >= 0, 1.0 - effect, 1.0))
        half = np.where(under_way & (panels.since < 0), 1.0 - effect / 2, 1.0)
        return replace(changed, error=changed.error * half)

    return step


def trend(a_year: float, *, until_start: bool = False) -> Step:
    """Errors of those that begin fall by a share a year: throughout, or until their start only."""

    def step(panels: Panels, _: np.random.Generator) -> Panels:
        since = np.minimum(panels.since, 0) if until_start else panels.since
        years = np.where(panels.begins, since / 12.0, 0.0)
        return replace(panels, error=panels.error * (1.0 - a_year) ** years)

    return step


def bad_spell(months: int) -> Step:
    """Errors are 65 % higher in the months before each start, and as before from it on."""

    def step(panels: Panels, _: np.random.Generator) -> Panels:
        spell = (panels.since >= -months) & (panels.since < 0)
        return replace(panels, error=panels.error * np.where(spell, np.exp(0.5), 1.0))

    return step


def controls_worsen(panels: Panels, _: np.random.Generator) -> Panels:
    """Errors of those that never begin rise by half while the others begin."""
    share = np.clip((np.arange(panels.error.shape[-1]) - 24) / 12.0, 0.0, 1.0)
    return replace(panels, error=panels.error * np.where(panels.begins, 1.0, 1.5**share))


def controls_jump(panels: Panels, _: np.random.Generator) -> Panels:
    """Errors of those that never begin are 40 % higher from month 30 on."""
    late = np.arange(panels.error.shape[-1]) >= 30
    return replace(panels, error=panels.error * np.where(~panels.begins & late, 1.4, 1.0))


def benchmark_improves(panels: Panels, _: np.random.Generator) -> Panels:
    """The benchmark's errors fall by 40 % from each start on; people's stay."""
    return replace(panels, benchmark=panels.benchmark * np.where(panels.since >= 0, 0.6, 1.0))


def follow_benchmark(panels: Panels, _: np.random.Generator) -> Panels:
    """People err as the benchmark does: four fifths of their error are its own."""
    return replace(panels, error=0.2 * panels.error + 0.8 * panels.benchmark)


def hard_months_missing(panels: Panels, _: np.random.Generator) -> Panels:
    """From the start on nothing is submitted for hard months: those like the worst fifth of the segment's months."""
    hard = panels.error > np.quantile(panels.error, 0.8, axis=-1, keepdims=True)
    return replace(panels, error=np.where(hard & (panels.since >= 0), np.nan, panels.error))


def hard_months_missing_before(panels: Panels, _: np.random.Generator) -> Panels:
    """Until the start nothing is submitted for hard months; from then on everything is."""
    hard = panels.error > np.quantile(panels.error, 0.8, axis=-1, keepdims=True)
    return replace(panels, error=np.where(hard & (panels.since < 0) & panels.begins, np.nan, panels.error))


def more_spread(panels: Panels, rng: np.random.Generator) -> Panels:
    """From the start on errors spread more, with the mean unchanged: times a lognormal of mean 1 and sd .8 in logs."""
    factor = np.exp(0.8 * rng.standard_normal(panels.error.shape) - 0.8**2 / 2)
    return replace(panels, error=panels.error * np.where(panels.since >= 0, factor, 1.0))


def gross_misses(panels: Panels, rng: np.random.Generator) -> Panels:
    """From the start on 6 % of the errors are five times as large, and all others 12 % smaller: the mean rises."""
    factor = np.where(rng.random(panels.error.shape) < 0.06, 5.0, 0.88)
    changed = replace(panels, error=panels.error * np.where(panels.since >= 0, factor, 1.0))
    return replace(changed, truth=0.06 * 5.0 + 0.94 * 0.88 - 1.0)


def _from_start(panels: Panels, factor: Floats) -> Panels:
    """Return panels with errors times a factor; the truth is its mean over the months with joint planning."""
    truth = float(factor[panels.since >= 0].mean() - 1.0)
    return replace(panels, error=panels.error * factor, truth=truth)
