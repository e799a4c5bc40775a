"""The checks that can withhold a claim: where each speaks, where it finds something and the claim survives, by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import pytest

from forecast.calendar import period_label
from forecast.data.schema import ERROR_COLUMNS
from forecast.evaluation.planning.assessment import Assessment, assess
from forecast.evaluation.planning.effect import PlanningEffect, planning_effect
from forecast.evaluation.planning.inference.checks import SOUGHT, Evidence, all_checks, dip
from forecast.evaluation.planning.inference.randomisation import NEVER, treatment, window
from forecast.evaluation.planning.panel import ErrorPanel
from forecast.evaluation.planning.verdict import withheld_reason
from panels import START, agreement_on

DATES = np.array([24, 26, 28, 31, 33, 36, NEVER, NEVER])
MONTHS = np.arange(48)
BEGINS = (DATES < NEVER)[:, None]
SINCE = np.where(BEGINS, MONTHS[None, :] - np.where(BEGINS, DATES[:, None], 0), -999)
AFTER = SINCE >= 0
NAMES = ("trend", "controls", "earlier spell", "benchmark", "missing", "mean")


def errors_of(seed: int, *, cut: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """Return errors and benchmark errors (8, 48) of an ordinary company, cut from the starts on."""
    rng = np.random.default_rng(seed)
    error, benchmark = 0.3 * np.abs(rng.standard_t(5, (2, 8, 48, 6))).mean(axis=-1)
    return error * np.where(AFTER, 1 - cut, 1.0), benchmark, rng


def trend(seed: int, *, cut: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Errors of those that begin fall by 20 % a year, all the time."""
    error, benchmark, _ = errors_of(seed, cut=cut)
    return error * np.where(BEGINS, 0.8 ** (np.maximum(SINCE, -48) / 12), 1.0), benchmark


def controls(seed: int, *, cut: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Errors of those that never begin rise by 80 % while the others are beginning."""
    error, benchmark, _ = errors_of(seed, cut=cut)
    return error * np.where(BEGINS, 1.0, 1.8 ** np.clip((MONTHS - 24) / 12, 0, 1)), benchmark


def spell(seed: int, *, cut: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Errors are doubled 7 to 12 months before each start."""
    error, benchmark, _ = errors_of(seed, cut=cut)
    return error * np.where((SINCE >= -12) & (SINCE < -6), 2.0, 1.0), benchmark


def harder_benchmark(seed: int, *, cut: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """The benchmark's errors double from each start on."""
    error, benchmark, _ = errors_of(seed, cut=cut)
    return error, benchmark * np.where(AFTER, 2.0, 1.0)


def easier_benchmark(seed: int, *, cut: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """The benchmark's errors are halved from each start on: against it people look worse, not better."""
    error, benchmark, _ = errors_of(seed, cut=cut)
    return error, benchmark * np.where(AFTER, 0.5, 1.0)


def hard_months_hidden(seed: int, *, cut: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """The fifth of months that is worst is not submitted after a start."""
    error, benchmark, _ = errors_of(seed, cut=cut)
    relative = error / np.median(error, axis=1, keepdims=True)
    hard = relative > np.quantile(relative, 0.8, axis=1, keepdims=True)
    return np.where(hard & AFTER, np.nan, error), benchmark


def hard_months_hidden_before(seed: int, *, cut: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Of those that begin, the third of months that is worst is not submitted until the start."""
    error, benchmark, _ = errors_of(seed, cut=cut)
    hard = error > np.quantile(error, 2 / 3, axis=1, keepdims=True)
    return np.where(hard & BEGINS & ~AFTER, np.nan, error), benchmark


def spell_until_start(seed: int, *, months: int) -> tuple[np.ndarray, np.ndarray]:
    """Errors are 65 % higher in the months before each start, and as before from it on."""
    error, benchmark, _ = errors_of(seed)
    return error * np.where((-months <= SINCE) & ~AFTER, 1.65, 1.0), benchmark


def gross(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """After a start most months are better by 30 %, and one in 16 is nine times as bad."""
    error, benchmark, rng = errors_of(seed)
    rare = rng.random(error.shape) < 1 / 16
    return error * np.where(AFTER, np.where(rare, 9.0, 0.7), 1.0), benchmark


Made = tuple[np.ndarray, np.ndarray]


def panel_of_arrays(made: Made, *, dates: np.ndarray = DATES) -> ErrorPanel:
    error, benchmark = made
    names = tuple(f"S{i}" for i in range(len(error)))
    gap = np.where(np.isnan(error), np.nan, benchmark)
    return ErrorPanel(segments=names, months=np.arange(error.shape[1]), error=error, benchmark=gap, dates=dates)


def assessed(made: Made, *, dates: np.ndarray = DATES) -> Assessment:
    return assess(panel_of_arrays(made, dates=dates), permutations=1_000, seed=0)


def answer(made: Made) -> PlanningEffect:
    error, benchmark = made
    rows = [
        (f"S{s}", period_label(START + t), error[s, t], benchmark[s, t])
        for s in range(8)
        for t in range(48)
        if not np.isnan(error[s, t])
    ]
    days = [f"{period_label(START + int(date))}-05" if date < NEVER else None for date in DATES]
    adoption = pd.DataFrame({"segment": [f"S{s}" for s in range(8)], "adopted_on": days})
    return planning_effect(pd.DataFrame(rows, columns=list(ERROR_COLUMNS)), adoption, permutations=1_000)


# -- where a check speaks, and where the claim survives it -----------------------------------------------


@pytest.mark.parametrize(
    ("check", "made", "words"),
    [
        ("trend", trend(0), "had fallen by"),
        ("controls", controls(8), "errors of the segments that never began had risen by"),
        ("earlier spell", spell(0), "already 7 to 12 months before the starts"),
        ("benchmark", harder_benchmark(11, cut=0.3), "and without the benchmark what is left may be chance"),
        ("missing", hard_months_hidden(0), "more months are without a forecast after the starts"),
        ("mean", gross(6), "the plain mean of the errors, in which gross misses count in full"),
    ],
)
def test_a_claim_is_withheld_with_its_reason(check: str, made: Made, words: str):
    found = assessed(made)
    assert found.claims == -1
    assert found.change is not None
    assert found.change.p <= 0.05
    assert [each.name for each in found.withheld] == [check]
    effect = answer(made)
    assert effect.verdict == "not identified"
    assert words in effect.reasons[0]
    assert effect.sentence.startswith("Cannot tell whether planning jointly changed forecast errors")
    assert words in effect.sentence
    assert effect.relative_change == effect.association
    assert effect.interval == (-1.0, math.inf)
    # What the comparison shows stays there to read.
    assert math.isfinite(effect.mean_change)
    assert effect.p_value <= 0.05


@pytest.mark.parametrize(
    ("check", "make", "seed", "cut"),
    [
        ("trend", trend, 1, 0.5),
        ("controls", controls, 1, 0.5),
        ("earlier spell", spell, 0, 0.5),
        ("benchmark", harder_benchmark, 0, 0.5),
        ("missing", hard_months_hidden, 4, 0.3),
    ],
)
def test_a_check_finds_something_and_the_claim_survives(check: str, make: Callable[..., Made], seed: int, cut: float):
    found = assessed(make(seed, cut=cut))
    assert found.claims == -1
    assert found.check(check).p <= SOUGHT[check]
    assert found.withheld == ()
    effect = answer(make(seed, cut=cut))
    assert effect.verdict == "improved"
    assert effect.interval[1] < 0


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_where_nothing_speaks_against_a_claim_no_check_does(missing: float):
    error, benchmark, rng = errors_of(1, cut=0.5)
    found = assessed((np.where(rng.random(error.shape) < missing, np.nan, error), benchmark))
    assert found.claims == -1
    assert [each.name for each in found.checks] == list(NAMES)
    assert found.withheld == ()
    for name, largest in SOUGHT.items():
        assert found.check(name).p > largest


@pytest.mark.slow
def test_a_worsening_is_withheld_as_well():
    # Errors were much lower 7 to 12 months before each start, and then as usual again.
    lower = np.where((SINCE >= -12) & (SINCE < -6), 0.4, 1.0)
    found = [assessed((error * lower, benchmark)) for error, benchmark, _ in map(errors_of, range(8))]
    assert 1 in [one.claims for one in found]
    for one in found:
        assert one.claims == 0 or [each.name for each in one.withheld][-1] == "earlier spell"


@pytest.mark.slow
def test_months_missing_before_the_starts_are_looked_at_like_those_after():
    found = [assessed(hard_months_hidden_before(seed)) for seed in range(12)]
    claims = [one for one in found if one.claims]
    assert len(claims) >= 3
    for one in claims:
        assert one.claims == 1
        assert one.check("missing").value < 0
        assert "missing" in [each.name for each in one.withheld]


@pytest.mark.slow
@pytest.mark.parametrize(("months", "words"), [(9, "already 7 to 9 months"), (18, "already 7 to 18 months")])
def test_a_spell_that_ends_with_the_start_is_named_by_the_months_it_lasted(months: int, words: str):
    found = [assessed(spell_until_start(seed, months=months)) for seed in range(6)]
    speaking = [each for one in found for each in one.withheld if each.name == "earlier spell"]
    assert speaking
    assert any(words in withheld_reason(each) for each in speaking)


def test_without_a_claim_nothing_is_withheld():
    for seed in (2, 3, 4, 5):
        found = assessed(trend(seed))
        assert found.claims == 0
        assert found.check("trend").p <= 0.02
        assert found.withheld == ()


# -- by hand ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["trend", "controls", "earlier spell", "dip"])
def test_a_sign_is_the_coefficient_of_least_squares_on_innovations(name: str):
    dates = np.array([20, 23, 27, NEVER, NEVER])
    months = np.arange(36)
    rng = np.random.default_rng(6)
    error, benchmark = np.abs(rng.standard_t(5, (2, 5, 36)))
    agreement = agreement_on(error, benchmark, dates)
    left = agreement.innovations(np.zeros(1))
    histories = agreement._histories
    of = Evidence(
        agreement=agreement,
        histories=histories,
        starts=agreement.starts,
        innovations=left,
        observed=np.ones((5, 36), dtype=bool),
        error=error,
        benchmark=benchmark,
        sign=0.0,
    )
    found = {each.name: each for each in (*all_checks(of), dip(of))}[name]
    whiten = histories.structures.whiten[left.structure[0]]

    def row(of_dates: np.ndarray, which: str) -> np.ndarray:
        starts = np.where(of_dates < NEVER, of_dates, 0)[:, None]
        begins = (of_dates < NEVER)[:, None]
        return {
            "trend": np.where(begins, (months - starts) / 12, 0.0),
            "controls": np.where(begins, 0.0, np.clip((months - 20) / 7, 0, 1)),
            "earlier spell": window(of_dates, months, first=-12, last=-7),
            "dip": window(of_dates, months, first=-6, last=-1),
            "after": treatment(of_dates, months),
        }[which]

    def flat(values: np.ndarray) -> np.ndarray:
        return ((values - values.mean(axis=0)) @ whiten.T).ravel()

    aside = [window(dates, months, first=-k, last=-k) for k in range(1, 7)] if name != "dip" else []
    others = np.column_stack([flat(each) for each in (row(dates, "after"), *aside)])
    y = left.values[0].ravel()
    x = flat(row(dates, name))
    beta = np.linalg.lstsq(np.column_stack([x, others]), y, rcond=None)[0]
    assert found.value == pytest.approx(math.expm1(beta[0] / left.response[0]))
    # The p-value: what the others explain is taken out of the errors, then the dates are dealt out, all of them anew.
    clean = y - others @ np.linalg.lstsq(others, y, rcond=None)[0]
    sizes = []
    for way in agreement.starts.assigned:
        dealt = agreement.starts.dates[way]
        asides = [window(dealt, months, first=-k, last=-k) for k in range(1, 7)] if name != "dip" else []
        design = np.column_stack([flat(each) for each in (row(dealt, name), row(dealt, "after"), *asides)])
        sizes.append(abs(np.linalg.lstsq(design, clean, rcond=None)[0][0]))
    assert len(sizes) == 60
    assert found.p == pytest.approx(np.mean(np.array(sizes) >= sizes[0] * (1 - 1e-9)))


def test_the_missing_check_by_hand():
    # Of four segments the first begins half way, and half of its months from then on are missing.
    dates, rng = np.array([20, NEVER, NEVER, NEVER]), np.random.default_rng(1)
    error, benchmark = np.abs(rng.standard_t(5, (2, 4, 40)))
    error[0, 30:] = np.nan
    found = assessed((error, benchmark), dates=dates).check("missing")
    assert found.value == pytest.approx(0.5)
    assert found.p == pytest.approx(1 / 4)
    error[1, 30:] = np.nan
    again = assessed((error, benchmark), dates=dates).check("missing")
    assert again.value == pytest.approx(0.5 - 0.5 / 3)
    assert again.p == 1  # with the dates of the third or fourth it would be as much less


def test_months_before_a_segments_first_error_are_not_missing():
    # It enters ten months late, and after its start a fifth of its months is not submitted: that must not cancel.
    error, benchmark = hard_months_hidden(4)
    late = error.copy()
    for segment, first in ((0, 10), (2, 9), (5, 12)):
        late[segment, :first] = np.nan
    whole, entered = assessed((error, benchmark)).check("missing"), assessed((late, benchmark)).check("missing")
    assert whole.p <= 0.01
    assert entered.p <= 0.01
    assert entered.value == pytest.approx(whole.value, abs=0.03)
    # Entering late by itself is nothing to look at.
    plain = errors_of(4)[0]
    plain[0, :10] = np.nan
    alone = assessed((plain, benchmark)).check("missing")
    assert (alone.value, alone.p) == (0.0, 1.0)


@pytest.mark.slow
def test_the_benchmark_check_says_how_much_it_moved():
    found = [assessed(harder_benchmark(seed)).check("benchmark").value for seed in range(12)]
    assert np.median(found) == pytest.approx(1.0, abs=0.2)
    found = [assessed(easier_benchmark(seed)).check("benchmark").value for seed in range(12)]
    assert np.median(found) == pytest.approx(-0.5, abs=0.1)


@pytest.mark.slow
def test_the_trend_check_says_how_much_a_year():
    found = [assessed(trend(seed)).check("trend").value for seed in range(12)]
    assert np.median(found) == pytest.approx(-0.2, abs=0.06)
    assert np.median([assessed(controls(seed)).check("controls").value for seed in range(12)]) > 0.5


# -- nothing to look at ----------------------------------------------------------------------------------


def test_where_there_is_nothing_to_look_at_a_check_is_nan_and_withholds_nothing():
    error, benchmark, _ = errors_of(3, cut=0.6)
    # Everybody begins: there are no controls to have moved.
    found = assessed((error, benchmark), dates=np.array([24, 26, 28, 31, 33, 36, 38, 40]))
    assert math.isnan(found.check("controls").p)
    assert math.isnan(found.check("controls").value)
    assert not found.check("controls").withholds
    # One month earlier than the set-aside ones: no placebo.
    short = assessed((error[:, 18:], benchmark[:, 18:]), dates=np.where(DATES < NEVER, 6, NEVER))
    assert math.isnan(short.check("earlier spell").p)
    assert math.isnan(short.check("trend").p) or short.check("trend").p > 0
    assert math.isnan(Assessment(theta=0.0, assignments=1).check("trend").p)
    assert not Assessment(theta=0.0, assignments=1).check("trend").withholds


@pytest.mark.parametrize("benchmark", [np.zeros((8, 48)), np.full((8, 48), 0.3)])
def test_a_benchmark_that_never_moves_speaks_against_nothing(benchmark: np.ndarray):
    error, _, _ = errors_of(2, cut=0.5)
    found = assessed((error, benchmark))
    assert found.check("benchmark").p == 1
    assert found.check("benchmark").value == 0
    assert found.claims == -1
    assert found.withheld == ()


def test_errors_that_are_all_nought_leave_no_check_with_anything_found():
    found = assessed((np.zeros((8, 48)), errors_of(1)[1]))
    assert found.claims == 0
    assert found.withheld == ()
    for name in ("trend", "controls", "earlier spell", "missing", "mean"):
        assert found.check(name).p == 1


# -- how often -------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize(
    ("make", "most"),
    [
        (trend, 0.10),
        (controls, 0.15),
        (spell, 0.05),
        (partial(spell_until_start, months=9), 0.10),
        (partial(spell_until_start, months=18), 0.10),
        (hard_months_hidden, 0.09),
        (hard_months_hidden_before, 0.09),
        (gross, 0.12),
    ],
)
def test_what_a_check_is_for_is_rarely_claimed(make: Callable[..., Made], most: float):
    panels = 120
    found = [assessed(make(5_000 + seed)) for seed in range(panels)]
    claimed = np.mean([one.claims != 0 and not one.withheld for one in found])
    assert claimed <= most + 3 * math.sqrt(most * (1 - most) / panels)
