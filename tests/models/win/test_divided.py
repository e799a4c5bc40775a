"""A fit by sums over blocks of rows: the coefficients of one process, two processes and a cluster."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import forecast
from clusters import running
from forecast.models.logistic import Block, blocks_of, fit_by_blocks, fit_logistic
from forecast.models.win import learn
from forecast.models.win.hazards import Divided, Fit, fit_in_full
from forecast.simulation.company import simulate, write


def test_two_blocks_by_hand_are_the_whole():
    rng = np.random.default_rng(3)
    design = np.column_stack([np.ones(101), rng.normal(size=(101, 2))])
    y, weight, offset = rng.random(101) < 0.4, rng.random(101), rng.normal(size=101) * 0.1
    whole = blocks_of(design, y, weight=weight, offset=offset, count=2)
    assert [len(block) for block in whole] == [101]  # of few rows one block
    cut = [slice(0, 50), slice(50, 101)]
    facts = {"design": design, "outcome": y.astype(float), "weight": weight, "offset": offset}
    blocks = [Block(**{name: values[part] for name, values in facts.items()}) for part in cut]

    def each(function: Any, *arguments: Any) -> list[Any]:
        return [function(block, *arguments) for block in blocks]

    ridge, start = np.full(3, 0.5), np.zeros(3)
    whole = fit_logistic(design, y, ridge=ridge, weight=weight, offset=offset, tolerance=1e-12)
    parts = fit_by_blocks(each, rows=101, ridge=ridge, start=start, tolerance=1e-12)
    np.testing.assert_allclose(parts.beta, whole.beta, atol=1e-12)
    np.testing.assert_allclose(parts.information, whole.information, rtol=1e-12)
    # At the optimum the gradient of the penalised likelihood is nought, by its own formula.
    p = 1 / (1 + np.exp(-(design @ parts.beta + offset)))
    assert np.abs(design.T @ (weight * (y - p)) - ridge * parts.beta).max() < 1e-9


def test_blocks_are_all_rows_in_their_order():
    rows = 20_000
    design = np.arange(rows, dtype=np.float32)[:, None]
    blocks = blocks_of(design, design[:, 0] > 9, weight=design[:, 0], offset=design[:, 0], count=3)
    assert [len(block) for block in blocks] == [8192, 4096, 7712]
    assert np.array_equal(np.concatenate([block.design for block in blocks]), design)
    assert [len(block) for block in blocks_of(design, design[:, 0], weight=design, offset=design, count=9)] == (
        [4096, 4096, 4096, 4096, 3616]
    )


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[Any, ...], dict[str, Any], Fit]:
    """Return what the model of a company's day asks of its last fit in full, and that fit."""
    folder = tmp_path_factory.mktemp("divided")
    write(simulate(opportunities=2500, months=42, seed=11), folder)
    log = forecast.read(folder)
    found: list[Any] = []

    def note(*positional: Any, **named: Any) -> Fit:
        fit = fit_in_full(*positional, **named)
        found.append((positional, named, fit))
        return fit

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(learn, "fit_in_full", note)
        forecast.win_probabilities(forecast.snapshot(log, as_of=log.extracted_on), seed=0)
    return found[-1]


@pytest.mark.slow
def test_coefficients_of_one_process_two_and_a_cluster_agree(asked: tuple[Any, ...]):
    positional, named, undivided = asked
    assert undivided.informed
    fits = {"here": fit_in_full(*positional, **named, divided=Divided(blocks=4))}
    fits["processes"] = fit_in_full(*positional, **named, divided=Divided(blocks=4, workers=2))
    with running() as cluster:
        fits["dask"] = fit_in_full(*positional, **named, divided=Divided(blocks=4, dask=cluster.address))
    for where, fit in fits.items():
        # The same blocks give the same bits wherever they are; other blocks differ by the rounding of sums.
        assert np.array_equal(fit.beta, fits["here"].beta), where
        assert np.abs(fit.beta - undivided.beta).max() < 1e-8, where
        assert fit.informed
