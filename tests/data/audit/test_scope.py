"""Forecasts of another scope: found where they are, on real and on made forecasts, and not where people just guess."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.data.audit.audit import misleading
from forecast.data.audit.scope import other_scope, settled_by_month, submitters_of_other_scope
from forecast.data.checks.validation import validate
from forecast.data.schema import Company, Log
from forecast.errors import DataError
from forecast.evaluation.planning.effect import planning_effect
from forecast.evaluation.planning.errors import planning_errors
from forecast.simulation.company import simulate

FIRST, LAST, FEWEST_HOURS = "2015-08", "2020-06", 400
JOINS = {"AZPS": "2016-10", "PSEI": "2016-10", "PGE": "2017-10", "IPCO": "2018-04", "BANC": "2019-04"}


def authorities(folder: Path) -> dict[str, pd.DataFrame]:
    table = pd.read_csv(folder / "eia930" / "monthly.csv")
    table = table[table["period"].between(FIRST, LAST) & (table["hours"] >= FEWEST_HOURS)]
    return dict(list(table.groupby("segment")))


def guesses(rng: np.random.Generator, months: int, *, spread: float, memory: float) -> np.ndarray:
    """Return log ratios of a forecaster whose errors last: AR(1)."""
    out = rng.standard_normal(months)
    for month in range(1, months):
        out[month] = memory * out[month - 1] + np.sqrt(1 - memory**2) * out[month]
    return spread * out


def shares(make, *, sets: int = 200, seed: int = 0) -> dict[str | None, float]:
    """Return how often each kind is found in many forecasts and actuals."""
    rng = np.random.default_rng(seed)
    found = [other_scope(*make(rng)) for _ in range(sets)]
    kinds = [None if scope is None else scope.kind for scope in found]
    return {kind: kinds.count(kind) / sets for kind in (None, "far", "steady", "jump")}


# -- real forecasters ----------------------------------------------------------------------------------


@pytest.mark.parametrize("known_start", [False, True])
def test_the_real_forecasters_of_another_scope_are_found_and_no_other(real_data: Path, known_start: bool):
    found = {}
    for name, table in authorities(real_data).items():
        load = table["load"].to_numpy()
        start = int((table["period"] < JOINS[name]).sum()) if known_start and name in JOINS else None
        scope = other_scope(load + table["bias"].to_numpy(), load, start=start)
        if scope:
            found[name] = scope.kind
    # SPA is of another scope too, but its totals agree: the check cannot see it.
    assert found == {"AEC": "far", "CHPD": "far", "PSEI": "far", "FPC": "steady", "TEPC": "jump"}


# -- made forecasts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bias", "spread", "memory"),
    [(1.0, 0.2, 0.65), (1.3, 0.1, 0.0), (1.3, 0.3, 0.65), (0.75, 0.1, 0.35), (1.0, 0.6, 0.35)],
)
def test_optimism_and_long_spells_are_no_other_scope(bias: float, spread: float, memory: float):
    def make(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return bias * np.exp(guesses(rng, 42, spread=spread, memory=memory)), np.ones(42)

    assert 1 - shares(make)[None] <= 0.015


@pytest.mark.parametrize("deals", [0.3, 2.0])
def test_small_segments_with_large_deals_are_no_other_scope(deals: float):
    def make(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        actual = np.array([rng.lognormal(0, 1.5, n).sum() for n in rng.poisson(deals, 30)])
        return np.full(30, 1.2 * deals * np.exp(1.5**2 / 2)), actual

    assert 1 - shares(make)[None] <= 0.03


@pytest.mark.parametrize(("factor", "spread", "kind"), [(2.0, 0.2, "far"), (0.001, 0.5, "far"), (0.8, 0.015, "steady")])
def test_another_unit_is_found(factor: float, spread: float, kind: str):
    def make(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return factor * np.exp(guesses(rng, 36, spread=spread, memory=0.35)), np.ones(36)

    assert shares(make)[kind] >= 0.9


def test_a_jump_is_found_where_it_is():
    rng = np.random.default_rng(1)
    ratio = np.exp(guesses(rng, 40, spread=0.1, memory=0.35) + np.log(2) * (np.arange(40) >= 22))
    scope = other_scope(ratio, np.ones(40))
    assert scope is not None
    assert (scope.kind, scope.months[0]) == ("jump", 22)
    assert scope.ratio == pytest.approx(2, rel=0.1)
    assert other_scope(1 / ratio, np.ones(40)).ratio == pytest.approx(0.5, rel=0.1)


def test_a_bias_that_ends_when_joint_planning_begins_is_no_jump():
    rng = np.random.default_rng(2)
    ratio = np.exp(guesses(rng, 40, spread=0.05, memory=0.35) + np.log(1.45) * (np.arange(40) < 20))
    assert other_scope(ratio, np.ones(40)).kind == "jump"
    assert other_scope(ratio * 0.9, np.ones(40), start=20) is None


def test_too_few_months_and_no_ratio_find_nothing():
    assert other_scope(np.full(17, 5.0), np.ones(17)) is None
    assert other_scope(np.full(30, 5.0), np.zeros(30)) is None
    assert other_scope(np.full(30, np.nan), np.ones(30)) is None
    assert other_scope(np.zeros(0), np.zeros(0), start=0) is None
    assert other_scope(np.zeros(30), np.ones(30)).kind == "far"


# -- a company -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return dict(simulate(opportunities=6_000, months=48, seed=2, segments=4).tables)


def log_with(tables: dict[str, pd.DataFrame], *, wrong: str | None, submitters: tuple[str, ...]) -> Log:
    """Return the company; the submitters give one segment in thousands."""
    frame = tables["submitted_forecasts"].copy()
    rows = (frame["segment"] == wrong) & frame["submitter"].isin(submitters)
    frame["amount"] = frame["amount"].where(~rows, frame["amount"] / 1000)
    return validate(dict(tables, submitted_forecasts=frame), Company(currency="EUR"))


@pytest.mark.slow
def test_a_submitter_in_thousands_is_a_warning_and_left_out_by_name(tables: dict[str, pd.DataFrame]):
    name = sorted(tables["submitted_forecasts"]["segment"].unique())[0]
    log = log_with(tables, wrong=name, submitters=("sales",))
    problems = [problem for problem in misleading(log) if "measure something else" in problem.what]
    assert [problem.severity for problem in problems] == ["warning"]
    text = str(problems[0])
    assert name in text
    assert "'sales'" in text
    assert "0.0013 times" in text
    assert "mend: submit amounts of what is booked" in text
    assert problems[0].rows[0].startswith("20")

    errors = planning_errors(log)
    assert name not in set(errors["segment"])
    assert any(name in reason and "sales" in reason for reason in errors.attrs["dropped"])
    effect = planning_effect(errors, log.tables["joint_planning"])
    assert any(name in reason and "0.0013 times" in reason for reason in effect.reasons)
    assert any(name in reason for reason in effect.dropped)


@pytest.mark.slow
def test_marketings_scope_is_a_warning_and_changes_no_official_error(tables: dict[str, pd.DataFrame]):
    name = sorted(tables["submitted_forecasts"]["segment"].unique())[0]
    log = log_with(tables, wrong=name, submitters=("marketing",))
    assert [p for p in misleading(log) if "measure something else" in p.what]
    pd.testing.assert_frame_equal(planning_errors(log), planning_errors(log_with(tables, wrong=None, submitters=())))


def test_where_every_segment_is_of_another_scope_no_error_is_made_up(tables: dict[str, pd.DataFrame]):
    frame = tables["submitted_forecasts"]
    log = validate(dict(tables, submitted_forecasts=frame.assign(amount=frame["amount"] / 1000)), Company())
    with pytest.raises(DataError, match="and so it is in every segment"):
        planning_errors(log)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_nothing_is_found_in_simulated_companies(seed: int):
    made = simulate(opportunities=20_000, seed=seed)
    log = validate(dict(made.tables), Company(currency="EUR"))
    actuals = settled_by_month(log, log.extracted_on)
    assert submitters_of_other_scope(log, as_of=log.extracted_on, actuals=actuals) == []
