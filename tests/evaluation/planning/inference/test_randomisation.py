"""Assignments of the start dates, the coefficient under each, and its interval: by hand and by least squares."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.evaluation.planning.inference.randomisation import (
    NEVER,
    Cells,
    Design,
    assignments,
    invert,
    p_value,
    treatment,
    window,
)


def test_every_assignment_once_and_the_actual_one_first():
    picks = assignments(np.array([7, 3, NEVER, NEVER]))
    assert picks.shape == (12, 4)
    assert picks[0].tolist() == [1, 0, 2, 2]
    assert {tuple(row) for row in picks} == set(itertools.permutations([1, 0, 2, 2]))
    drawn = assignments(np.arange(12), limit=1_000, seed=4)
    assert drawn.shape == (1_000, 12)
    assert drawn[0].tolist() == list(range(12))
    assert (np.sort(drawn, axis=1) == np.arange(12)).all()
    assert (drawn == assignments(np.arange(12), limit=1_000, seed=4)).all()
    assert (drawn != assignments(np.arange(12), limit=1_000, seed=5)).any()


def test_two_by_two_by_hand():
    # One adopts in the second of two months: (5 - 2) - (4 - 3) = 2; the mirror image is -2.
    y = np.array([[2.0, 5.0], [3.0, 4.0]])
    dates, months = np.array([1, NEVER]), np.arange(2)
    design = Design(Cells(np.ones((2, 2), dtype=bool)), treatment(np.unique(dates), months)[None], assignments(dates))
    assert design.coefficients(y).tolist() == pytest.approx([2, -2])
    assert p_value(design.coefficients(y)) == 1.0
    assert design.smallest_p() == 1.0


@pytest.mark.parametrize("missing", [0.0, 0.08])
def test_coefficients_are_those_of_least_squares_with_dummies(missing: float):
    rng = np.random.default_rng(5)
    dates, months = np.array([10, 12, 15, NEVER, NEVER]), np.arange(24)
    observed = rng.random((5, 24)) >= missing
    y = rng.normal(size=(5, 24))
    kinds, picks = np.unique(dates), assignments(dates)
    rows = np.stack([treatment(kinds, months), window(kinds, months, first=-6, last=-1)])
    got = Design(Cells(observed), rows, picks).coefficients(y)
    segment, month = np.nonzero(observed)
    dummies = np.column_stack([segment[:, None] == np.arange(5), month[:, None] == np.arange(24)]).astype(float)
    for i in range(0, len(picks), 7):
        x = rows[:, picks[i], :][:, observed].T
        beta = np.linalg.lstsq(np.column_stack([x, dummies]), y[observed], rcond=None)[0]
        assert got[i] == pytest.approx(beta[0], abs=1e-7)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.1]))
def test_the_interval_holds_exactly_what_is_not_rejected(seed: int, missing: float):
    rng = np.random.default_rng(seed)
    dates, months = np.array([8, 10, 13, 16, NEVER, NEVER]), np.arange(24)
    kinds = np.unique(dates)
    rows = np.stack([treatment(kinds, months), window(kinds, months, first=-3, last=-1)])
    design = Design(Cells(rng.random((6, 24)) >= missing), rows, assignments(dates))
    a, c = design.coefficients(rng.normal(size=(6, 24))), design.coefficients(design.actual[0])
    assert c[0] == pytest.approx(1)
    low, high = invert(a, c)
    assert low <= a[0] <= high
    step = 1e-6
    for edge, outwards in ((low, -step), (high, step)):
        if math.isfinite(edge):
            assert p_value(a - (edge - outwards) * c) > 0.05
            assert p_value(a - (edge + outwards) * c) <= 0.05
    if missing == 0:
        grid = np.linspace(a[0] - 4, a[0] + 4, 161)
        inside = np.array([p_value(a - x * c) > 0.05 for x in grid])
        assert (inside == ((grid >= low) & (grid <= high))).all()


def test_shifting_the_outcome_by_the_effect_shifts_the_interval():
    rng = np.random.default_rng(6)
    dates, months = np.array([8, 10, 13, 16, NEVER, NEVER]), np.arange(24)
    design = Design(Cells(np.ones((6, 24), dtype=bool)), treatment(np.unique(dates), months)[None], assignments(dates))
    y, d = rng.normal(size=(6, 24)), design.actual[0]
    c = design.coefficients(d)
    one, two = invert(design.coefficients(y), c), invert(design.coefficients(y - 0.7 * d), c)
    assert np.subtract(one, two).tolist() == pytest.approx([0.7, 0.7])


def test_unbounded_where_nothing_can_be_rejected():
    dates, months = np.array([5, 7, NEVER]), np.arange(12)
    design = Design(Cells(np.ones((3, 12), dtype=bool)), treatment(np.unique(dates), months)[None], assignments(dates))
    y = np.random.default_rng(7).normal(size=(3, 12))
    assert design.smallest_p() == pytest.approx(1 / 6)
    assert invert(design.coefficients(y), design.coefficients(design.actual[0])) == (-math.inf, math.inf)


def test_published_difference_in_differences(real_data: Path):
    # Proposition 99: two-way fixed effects on 39 states, 1970-2000, California from 1989.
    wide = pd.read_csv(real_data / "causal_panel" / "california_prop99.csv", index_col=0)
    months = wide.index.to_numpy(dtype=np.int64)
    dates = np.where(wide.columns == "California", 1989, NEVER)
    panel = Cells(np.ones((39, len(months)), dtype=bool))
    design = Design(panel, treatment(np.unique(dates), months)[None], assignments(dates))
    coefficients = design.coefficients(wide.to_numpy().T)
    assert coefficients[0] == pytest.approx(-27.349, abs=5e-4)
    assert len(coefficients) == 39
    assert p_value(coefficients) * 39 == pytest.approx(round(float(p_value(coefficients)) * 39))
