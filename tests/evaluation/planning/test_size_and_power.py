"""The simulated panels that the planning verdict is measured on, and shares of its verdicts on some of them."""

from __future__ import annotations

import dataclasses
import importlib
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from forecast.evaluation.planning.inference.randomisation import NEVER


@pytest.fixture
def process(root: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(root)
    return importlib.import_module("benchmarks.planning.process")


def test_each_step_does_what_it_is_called(process: ModuleType):
    rng, panels = np.random.default_rng(1), process.panels_of(process.Scenario("still"), 40, 3)
    after, begins = panels.since >= 0, np.broadcast_to(panels.begins, panels.error.shape)
    assert after[0].sum(axis=1).tolist() == [24, 22, 19, 17, 14, 12, 0, 0]

    cut = process.cut(0.3)(panels, rng)
    assert cut.truth == pytest.approx(-0.3)
    assert np.allclose(cut.error / panels.error, np.where(after, 0.7, 1.0))
    half = process.half_improve(0.3)(panels, rng)
    assert (half.error[0] < panels.error[0]).any(axis=1).tolist() == [
        True,
        False,
        True,
        False,
        True,
        False,
        False,
        False,
    ]
    growing = process.growing(0.3)(panels, rng).error / panels.error
    assert growing[0, 0, [23, 24, 29, 35, 47]] == pytest.approx([1, 0.975, 0.85, 0.7, 0.7])
    spilt = process.spill_over(0.3)(panels, rng).error / panels.error
    assert spilt[0, :, 30] == pytest.approx([0.7, 0.7, 0.7, 0.85, 0.85, 0.85, 0.85, 0.85])

    falls = process.trend(0.1)(panels, rng).error / panels.error
    assert falls[0, 0, [12, 24, 36]] == pytest.approx([1 / 0.9, 1, 0.9])
    assert falls[0, 7] == pytest.approx(np.ones(48))
    stops = process.trend(0.1, until_start=True)(panels, rng).error / panels.error
    assert stops[0, 0, [12, 24, 36]] == pytest.approx([1 / 0.9, 1, 1])
    worse = process.controls_worsen(panels, rng).error / panels.error
    assert np.allclose(worse[begins], 1)
    assert worse[0, 7, [24, 30, 36]] == pytest.approx([1, math.sqrt(1.5), 1.5])

    moved = process.benchmark_improves(panels, rng)
    assert (moved.error == panels.error).all()
    assert np.allclose(moved.benchmark / panels.benchmark, np.where(after, 0.6, 1.0))
    missing = np.isnan(process.hard_months_missing(panels, rng).error)
    assert not missing[~after].any()
    assert 0.1 < missing[after].mean() < 0.3
    spread, gross = process.more_spread(panels, rng), process.gross_misses(panels, rng)
    assert spread.error[after].mean() == pytest.approx(panels.error[after].mean(), rel=0.06)
    assert gross.truth == pytest.approx(0.127, abs=1e-3)
    assert gross.error[after].mean() == pytest.approx(1.127 * panels.error[after].mean(), rel=0.06)


def test_the_worst_begin_first(process: ModuleType):
    error = np.ones((3, 12))
    error[1, 3:6] = 2.0  # the worst last three months at month 6, though segment 2 misses more throughout
    error[2] = 5.0
    error[0, 6:9] = 1.5
    assert process.worst_begin(error, np.array([6, 9]), 3).tolist() == [9, 6, NEVER]


def test_spells_last(process: ModuleType):
    logs = np.log(process.panels_of(process.Scenario("spells", steps=(process.spells,)), 60, 3).error)
    logs = logs - logs.mean(axis=-1, keepdims=True)
    assert (logs[..., 1:] * logs[..., :-1]).mean() / (logs**2).mean() > 0.5


@pytest.mark.long
@pytest.mark.slow
def test_shares_of_verdicts(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(root)
    bench = importlib.import_module("benchmarks.planning.size_and_power")
    still = bench.run(bench.Scenario("stationary"), panels=200, seed=21)
    error = math.sqrt(0.05 * 0.95 / 200)
    assert still.rejected < 0.05 + 3 * error
    assert abs(still.coverage - 0.95) < 3 * error
    cut = bench.run(bench.Scenario("30 % cut", effect=0.3), panels=60, seed=22)
    assert cut.improved > 0.85 - 3 * math.sqrt(0.85 * 0.15 / 60)
    assert cut.worsened == 0
    assert cut.median_change == pytest.approx(-0.3, abs=0.05)


@pytest.mark.slow
def test_rows_are_the_same_whoever_judges(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(root)
    bench = importlib.import_module("benchmarks.planning.size_and_power")
    asked = {"panels": 5, "seed": 23, "block": 2, "permutations": 1000}
    scenario = bench.Scenario("spells", steps=(bench.process.spells,), effect=0.3)
    rows = [bench.run(scenario, **asked, workers=workers) for workers in (1, 2)]
    alone, spread = (dataclasses.replace(row, seconds=0.0) for row in rows)
    assert spread == alone
    assert rows[1].seconds > 0
