"""The whole test on one panel: exact on any data, bad input answered, and how often it errs on real forecasters."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.calendar import period_label
from forecast.data.schema import ERROR_COLUMNS
from forecast.evaluation.planning.assessment import Assessment, assess
from forecast.evaluation.planning.effect import planning_effect
from forecast.evaluation.planning.inference.randomisation import NEVER, assignments
from forecast.evaluation.planning.panel import ErrorPanel
from panels import START, panel_of


def panel(error: np.ndarray, benchmark: np.ndarray, dates: np.ndarray) -> ErrorPanel:
    return ErrorPanel(
        segments=tuple(f"S{i:02d}" for i in range(len(error))),
        months=np.arange(error.shape[1]),
        error=error,
        benchmark=np.where(np.isnan(error), np.nan, benchmark),
        dates=dates,
    )


# -- exact -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=3, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.15]))
def test_of_all_ways_the_dates_could_have_been_given_at_most_five_in_a_hundred_claim_anything(
    seed: int, missing: float
):
    # Errors of any kind: with spells, levels, gross misses and seasons, and nothing to do with the dates.
    rng = np.random.default_rng(seed)
    error = (
        np.exp(np.cumsum(0.3 * rng.standard_t(3, (4, 36)), axis=1))
        * rng.random((4, 1))
        * (1 + (np.arange(36) % 12 == 0))
    )
    error = np.where(rng.random((4, 36)) < missing, np.nan, error)
    benchmark = np.abs(rng.standard_t(3, (4, 36)))
    dates = np.array([16, 20, 24, NEVER])
    ways = np.unique(dates)[assignments(dates)]
    found = [assess(panel(error, benchmark, way), permutations=1_000, seed=0) for way in ways]
    claimed = [one.change is not None and one.change.p <= 0.05 for one in found]
    assert len(claimed) == 24
    assert np.mean(claimed) <= 0.05
    assert sum(bool(one.claims) for one in found) == sum(claimed)


def test_the_same_seed_gives_the_same_numbers_and_nothing_given_is_changed():
    errors, adoption = panel_of(cut=0.3, missing=0.05)
    copies = errors.copy(deep=True), adoption.copy(deep=True)
    one, two = (planning_effect(errors, adoption, seed=3, permutations=1_000).to_dict() for _ in range(2))
    assert one == two
    pd.testing.assert_frame_equal(errors, copies[0])
    pd.testing.assert_frame_equal(adoption, copies[1])


# -- an answer with its reason, whatever is given --------------------------------------------------------


def company(dates: tuple[int | None, ...], *, months: int = 48, seed: int = 3) -> tuple[pd.DataFrame, pd.DataFrame]:
    return panel_of(cut=0.4, seed=seed, dates=dates, months=months)


STRANGE = {
    "eight months before the first start": company((8, 20, 26, 30, None, None)),
    "one that begins in month 2": company((2, 24, 26, 28, 31, None, None)),
    "two months": company((1, 1, None, None), months=2),
    "all dates equal": company((24,) * 6),
    "one control": company((20, 23, 26, 29, 32, None)),
    "no control": company((20, 23, 26, 29, 32, 35)),
    "one segment": company((24,)),
    "one that begins, one that does not": company((24, None)),
    "all in the last month": company((47, 47, None, None, None, None)),
    "one month after the last start": company((40, 43, 45, 47, None, None)),
}


@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("kind", ["as they are", "all zero", "constant", "zero before", "one error alone", "huge"])
@pytest.mark.parametrize("benchmark", ["as it is", "all zero"])
def test_whatever_is_given_there_is_an_answer(name: str, kind: str, benchmark: str):
    errors, adoption = STRANGE[name]
    early = errors["period"] < period_label(START + 20)
    error = {
        "as they are": errors["error"],
        "all zero": 0.0 * errors["error"],
        "constant": 0.0 * errors["error"] + 0.3,
        "zero before": errors["error"].where(~early, 0.0),
        "one error alone": errors["error"].where(errors.index == len(errors) - 1, 0.0),
        "huge": errors["error"] * 1e200,
    }[kind]
    errors = errors.assign(error=error)
    if benchmark == "all zero":
        errors = errors.assign(benchmark_error=0.0)
    effect = planning_effect(errors, adoption, permutations=1_000)
    assert effect.verdict in ("improved", "worsened", "no detectable change", "not identified")
    if effect.verdict == "not identified":
        assert effect.reasons
        assert effect.sentence.startswith("Cannot tell")
        assert effect.interval == (-1.0, math.inf)
    if kind in ("all zero", "constant"):
        assert effect.verdict in ("no detectable change", "not identified")
        assert effect.p_value == 1
    if effect.verdict in ("improved", "worsened"):
        assert effect.p_value <= 0.05
        assert not effect.interval[0] <= 0 <= effect.interval[1]
        assert np.sign(effect.relative_change) == (-1 if effect.verdict == "improved" else 1)
        assert effect.given_record * effect.set_aside > 0
    assert "nan" not in effect.sentence.lower()
    assert all("nan" not in reason.lower() for reason in effect.reasons)
    effect.to_dict()


@pytest.mark.parametrize("missing", [0.3, 0.6, 0.9])
def test_a_panel_that_is_mostly_holes_claims_nothing_it_has_not_seen(missing: float):
    for seed in range(3):
        effect = planning_effect(*panel_of(missing=missing, seed=seed), permutations=1_000)
        assert effect.verdict in ("no detectable change", "not identified")


# -- on forecasters who never changed anything -----------------------------------------------------------

# Day-ahead load forecasts of authorities that joined no market within these months, without those whose forecast is of
# another scope and one that stops (PROVENANCE.md there), and without those that miss more than four months.
SCOPE = ("PSEI", "CHPD", "AEC", "FPC", "SPA", "TEPC", "NSB")
LAST_MONTH = "2020-06"
UNITS, BEGIN, FIRST, LAST = 10, 7, 24, 42


@pytest.fixture(scope="module")
def authorities(real_data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return errors and benchmark errors (S, 59); NaN in the few months that are missing."""
    folder = real_data / "eia930"
    frame = pd.read_csv(folder / "monthly.csv", dtype={"period": "str"})
    frame = frame[(frame["period"] >= "2015-08") & (frame["period"] <= LAST_MONTH) & (frame["hours"] >= 400)]
    adoption = pd.read_csv(folder / "adoption.csv", dtype="str")
    joined = adoption.loc[adoption["adopted_on"].str[:7] <= LAST_MONTH, "segment"]
    frame = frame[~frame["segment"].isin([*joined, *SCOPE])]
    wide = [
        frame.assign(value=frame[name] / frame["load"]).pivot(index="segment", columns="period", values="value")
        for name in ("abs_f", "abs_n")
    ]
    whole = wide[0].notna().sum(axis=1) >= 55
    assert whole.sum() >= 15
    return wide[0][whole].to_numpy(), wide[1][whole].to_numpy()


def begun(error: np.ndarray, rng: np.random.Generator, *, worst: int) -> np.ndarray:
    """Return start months: by lot, or each time whoever's last `worst` months were the worst for it; (S,)."""
    months = np.round(np.linspace(FIRST, LAST, BEGIN)).astype(np.int64)
    dates = np.full(len(error), NEVER)
    if not worst:
        dates[rng.permutation(len(error))[:BEGIN]] = months
        return dates
    logs = np.log(error)
    for month in months:
        recent = np.nanmean(logs[:, month - worst : month], axis=1) - np.nanmean(logs[:, : month - worst], axis=1)
        dates[int(np.where(dates == NEVER, recent, -np.inf).argmax())] = month
    return dates


def on_authorities(
    authorities: tuple[np.ndarray, np.ndarray], *, sets: int, worst: int, cut: float = 0.0, seed: int
) -> list[Assessment]:
    rng = np.random.default_rng(seed)
    found = []
    for number in range(sets):
        pick = rng.permutation(len(authorities[0]))[:UNITS]
        error, benchmark = (values[pick] for values in authorities)
        dates = begun(error, rng, worst=worst)
        moved = error * np.where(np.arange(error.shape[1])[None, :] >= dates[:, None], 1 - cut, 1.0)
        found.append(assess(panel(moved, benchmark, dates), permutations=1_000, seed=number))
    return found


def claimed(found: list[Assessment]) -> np.ndarray:
    return np.array([one.claims if not one.withheld else 0 for one in found])


def most(rate: float, sets: int) -> float:
    """Return the share that a rate exceeds by chance in about one of a thousand studies of so many sets."""
    return rate + 3 * math.sqrt(rate * (1 - rate) / sets)


@pytest.mark.long
@pytest.mark.parametrize(("worst", "rate"), [(0, 0.05), (3, 0.10), (6, 0.10), (12, 0.10)])
def test_false_claims_on_real_forecasters_are_rare(authorities, worst: int, rate: float):
    found = on_authorities(authorities, sets=150, worst=worst, seed=930 + worst)
    assert np.mean(claimed(found) != 0) <= most(rate, 150)


@pytest.mark.long
def test_a_change_put_into_real_forecasters_is_found(authorities):
    found = on_authorities(authorities, sets=100, worst=0, cut=0.3, seed=931)
    assert np.mean(claimed(found) == -1) >= 0.60 - 3 * math.sqrt(0.6 * 0.4 / 100)
    assert not (claimed(found) == 1).any()
    held = [one.change.low <= math.log(0.7) <= one.change.high for one in found if one.change]
    assert np.mean(held) >= 0.93 - 3 * math.sqrt(0.93 * 0.07 / 100)
    spelled = on_authorities(authorities, sets=100, worst=6, cut=0.3, seed=932)
    assert np.mean(claimed(spelled) == -1) >= 0.10
    assert not (claimed(spelled) == 1).any()


@pytest.mark.slow
def test_real_forecasters_are_read_as_the_whole_answer_reads_them(authorities):
    error, benchmark = (values[:8] for values in authorities)
    dates = begun(error, np.random.default_rng(1), worst=0)
    rows = [
        (f"S{s:02d}", period_label(START + t), error[s, t], benchmark[s, t])
        for s in range(8)
        for t in range(error.shape[1])
        if not np.isnan(error[s, t])
    ]
    days = [f"{period_label(START + int(date))}-01" if date < NEVER else None for date in dates]
    adoption = pd.DataFrame({"segment": [f"S{s:02d}" for s in range(8)], "adopted_on": days})
    effect = planning_effect(pd.DataFrame(rows, columns=list(ERROR_COLUMNS)), adoption, permutations=1_000)
    found = assess(panel(error, benchmark, dates), permutations=1_000, seed=0)
    assert found.change is not None
    assert effect.p_value == found.change.p
    assert effect.given_record == pytest.approx(math.expm1(found.change.given_record))
