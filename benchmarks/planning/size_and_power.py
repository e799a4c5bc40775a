"""How often the planning verdict is wrong where nothing changed, and how often it sees a change that is there.

Simulates panels of forecast errors, all of a scenario at once, and asks the library's own code
(`forecast.evaluation.planning.ratio`) for every one of them. Run it with
`python -m benchmarks.planning.size_and_power`; the table goes to standard output, as Markdown.

The process (docs/methods/planning.md): 48 months; 6, 8 or 12 segments of which 2, 2 and 3 never adopt, dates evenly
spaced in months 24 to 36; signed relative errors of each series AR(1) with t5 innovations and a factor common to the
segments; times the segment's scale, a common and a regional volatility and a quarter-end pattern; the error of a
segment-month is the mean size over six series, or the size of one. The benchmark's errors follow the same volatilities,
and share part of the surprise. The effect multiplies the official errors from adoption on.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
from forecast.evaluation.planning.ratio import Ratios, estimate_ratio, p_value_at, point_estimate

from benchmarks.seeds import SIZE_AND_POWER
from forecast.evaluation.planning.estimate import checks, designs, slope
from forecast.evaluation.planning.inference.randomisation import ALPHA, NEVER, Cells, assignments
from forecast.evaluation.planning.panel import FLOOR, OFFSET, ErrorPanel

MONTHS = 48
NEVERS = {6: 2, 8: 2, 12: 3}
CORRELATION = 0.30
AR = 0.35
SHARED_BY_SERIES = 0.50
SHARED_WITH_BENCHMARK = 0.20
SCALE, SCALE_SD = 0.30, 0.25
COMMON_SD, REGIONAL_SD, VOLATILITY_AR = 0.18, 0.30, 0.90
QUARTER_END = 1.25


@dataclass(frozen=True)
class Scenario:
    """effect = share of the error that joint planning removes."""

    name: str
    segments: int = 8
    series: int = 6
    effect: float = 0.0
    common_drift: float = 0.0
    regional_drift: float = 0.0
    shocks: bool = False
    bad_spell: float = 0.0
    chosen_after_bad_spell: bool = False
    worst_first: bool = False


SCENARIOS = (
    Scenario("stationary, 6 segments", segments=6),
    Scenario("stationary, 8 segments"),
    Scenario("stationary, 12 segments", segments=12),
    Scenario("common drift", common_drift=-0.5),
    Scenario("regional drift", regional_drift=0.5),
    Scenario("shared shocks", shocks=True),
    Scenario("worst segments adopt first", worst_first=True),
    Scenario("errors 65 % higher in the six months before each start", bad_spell=0.5),
    Scenario("start chosen after the segment's worst half-year", chosen_after_bad_spell=True),
    Scenario("one series: stationary, 6 segments", segments=6, series=1),
    Scenario("one series: stationary, 8 segments", series=1),
    Scenario("one series: stationary, 12 segments", segments=12, series=1),
    Scenario("one series: common drift", series=1, common_drift=-0.5),
    Scenario("one series: regional drift", series=1, regional_drift=0.5),
    Scenario("one series: shared shocks", series=1, shocks=True),
    Scenario("one series: worst segments adopt first", series=1, worst_first=True),
    Scenario("one series: errors 65 % higher in the six months before each start", series=1, bad_spell=0.5),
    Scenario("one series: start chosen after the segment's worst half-year", series=1, chosen_after_bad_spell=True),
    Scenario("30 % cut, 6 segments", segments=6, effect=0.3),
    Scenario("30 % cut, 8 segments", effect=0.3),
    Scenario("30 % cut, 12 segments", segments=12, effect=0.3),
    Scenario("50 % cut, 8 segments", effect=0.5),
    Scenario("one series: 30 % cut, 6 segments", segments=6, series=1, effect=0.3),
    Scenario("one series: 30 % cut, 8 segments", series=1, effect=0.3),
    Scenario("one series: 30 % cut, 12 segments", segments=12, series=1, effect=0.3),
    Scenario("one series: 50 % cut, 8 segments", series=1, effect=0.5),
)


def adoption_dates(segments: int) -> np.ndarray:
    """Return the adoption months, evenly spaced in 24 to 36, then the segments that never adopt; shape (S,)."""
    adopting = segments - NEVERS[segments]
    dates = np.round(np.linspace(24, 36, adopting)).astype(np.int64)
    return np.concatenate([dates, np.full(NEVERS[segments], NEVER)])


def series_ar(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return AR(1) series with t5 innovations of unit variance and a factor common to segments (axis -2)."""
    common = rng.standard_t(5, (*shape[:-2], 1, shape[-1]))
    own = rng.standard_t(5, shape)
    step = (np.sqrt(CORRELATION) * common + np.sqrt(1 - CORRELATION) * own) / np.sqrt(5 / 3)
    out = np.empty(shape)
    out[..., 0] = step[..., 0]
    for t in range(1, shape[-1]):
        out[..., t] = AR * out[..., t - 1] + np.sqrt(1 - AR**2) * step[..., t]
    return out


def volatility(rng: np.random.Generator, shape: tuple[int, ...], sd: float) -> np.ndarray:
    """Return a log volatility, AR(1) and normal; last axis months."""
    out = rng.standard_normal(shape)
    for t in range(1, shape[-1]):
        out[..., t] = VOLATILITY_AR * out[..., t - 1] + np.sqrt(1 - VOLATILITY_AR**2) * out[..., t]
    return sd * out


def simulate(scenario: Scenario, panels: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return errors (panels, S, T), benchmark errors (panels, S, T) and dates (S,)."""
    rng = np.random.default_rng([seed, 5])
    dates, months = adoption_dates(scenario.segments), np.arange(MONTHS)
    s, k = scenario.segments, scenario.series
    shape = (panels, k, s, MONTHS)
    surprise = series_ar(rng, shape)
    shared = series_ar(rng, (panels, 1, s, MONTHS))

    def blend(own: np.ndarray) -> np.ndarray:
        return np.sqrt(SHARED_BY_SERIES) * shared + np.sqrt(1 - SHARED_BY_SERIES) * own

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
    event = months[None, :] - dates[:, None]
    own = scenario.bad_spell * ((event >= -6) & (event <= -1))
    cut = np.where(event >= 0, 1.0 - scenario.effect, 1.0)
    level = np.exp(log_scale[:, :, None] + both)
    error = np.abs(official).mean(axis=1) * level * np.exp(own) * cut
    return error, np.abs(benchmark).mean(axis=1) * level, dates


@dataclass(frozen=True, kw_only=True)
class Row:
    """Shares of panels, and means over them."""

    scenario: Scenario
    panels: int
    improved: float
    worsened: float
    coverage: float
    median_change: float
    placebo: float
    dip: float
    seconds: float

    @property
    def rejected(self) -> float:
        return self.improved + self.worsened


def run(scenario: Scenario, *, panels: int, seed: int, block: int = 250, permutations: int = 25_000) -> Row:
    """Return how the library judges `panels` panels of a scenario."""
    began = time.process_time()
    if scenario.chosen_after_bad_spell:
        return run_one_by_one(scenario, panels=panels, seed=seed, began=began)
    p, covered, delta = [], [], []
    for start in range(0, panels, block):
        count = min(block, panels - start)
        error, benchmark, dates = simulate(scenario, count, seed * 1_000 + start)
        cells, months = Cells(np.ones(error.shape[1:], dtype=bool)), np.arange(MONTHS)
        picks = assignments(dates, limit=permutations, seed=seed)
        of = designs(cells, dates, months, picks)
        outcome, covariate = np.log(np.maximum(error, FLOOR)), np.log(benchmark + OFFSET)
        y = outcome - slope(cells, outcome, covariate)[:, None, None] * covariate
        ratios = Ratios(cells, error, benchmark, of.treatment.actual[0])
        truth = np.full(count, np.log(1 - scenario.effect))
        p.append(p_value_at(ratios, of.treatment, np.zeros(count)))
        covered.append(p_value_at(ratios, of.treatment, truth) > ALPHA)
        delta.append(point_estimate(ratios, of.treatment))
        if start == 0:
            before = checks(of, y)
    pv, d = np.concatenate(p), np.concatenate(delta)
    return Row(
        scenario=scenario,
        panels=panels,
        improved=float(np.mean((pv <= ALPHA) & (d < 0))),
        worsened=float(np.mean((pv <= ALPHA) & (d > 0))),
        coverage=float(np.mean(np.concatenate(covered))),
        median_change=float(np.expm1(np.median(d))),
        placebo=float(np.mean(before.placebo.p <= ALPHA)),
        dip=float(np.mean(before.dip.p <= ALPHA)),
        seconds=time.process_time() - began,
    )


def choose_dates(error: np.ndarray, dates: np.ndarray) -> np.ndarray:
    """Return, for every adopting segment, the month of 24 to 36 that follows its worst six months; (S,)."""
    sums = np.cumsum(np.pad(error, ((0, 0), (1, 0))), axis=1)
    spell = sums[:, 24:37] - sums[:, 18:31]
    return np.where(dates == NEVER, NEVER, 24 + spell.argmax(axis=1))


def run_one_by_one(scenario: Scenario, *, panels: int, seed: int, began: float) -> Row:
    """Return the same where every panel has dates of its own."""
    errors, benchmarks, dates = simulate(scenario, panels, seed * 1_000)
    truth = np.log(1 - scenario.effect)
    results = []
    for error, benchmark in zip(errors, benchmarks, strict=True):
        panel = ErrorPanel(
            segments=tuple(f"S{i:02d}" for i in range(len(error))),
            months=np.arange(MONTHS),
            error=error,
            benchmark=benchmark,
            dates=choose_dates(error, dates),
        )
        found = estimate_ratio(panel, permutations=2_500, seed=seed)
        hit = found.p <= ALPHA
        inside = found.low <= truth <= found.high
        checked = (found.placebo_p <= ALPHA, found.dip_p <= ALPHA)
        results.append((hit and found.delta < 0, hit and found.delta > 0, inside, found.delta, *checked))
    table = np.array(results, dtype=np.float64)
    improved, worsened, covers, _, placebo, dip = table.mean(axis=0)
    middle = float(np.expm1(np.median(table[:, 3])))
    return Row(
        scenario=scenario,
        panels=panels,
        improved=improved,
        worsened=worsened,
        coverage=covers,
        median_change=middle,
        placebo=placebo,
        dip=dip,
        seconds=time.process_time() - began,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--panels", type=int, default=4_000)
    parser.add_argument("--seed", type=int, default=SIZE_AND_POWER)
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    options = parser.parse_args()
    print("| scenario | panels | improved | worsened | either | interval covers | median change | placebo | dip |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for scenario in SCENARIOS:
        if options.only in scenario.name:
            row = run(scenario, panels=options.panels, seed=options.seed)
            figures = (row.improved, row.worsened, row.rejected, row.coverage)
            shown = " | ".join(f"{100 * value:.1f} %" for value in figures)
            rest = f"{100 * row.median_change:+.0f} % | {100 * row.placebo:.1f} % | {100 * row.dip:.1f} %"
            print(f"| {scenario.name} | {row.panels:,} | {shown} | {rest} |", flush=True)


if __name__ == "__main__":
    main()
