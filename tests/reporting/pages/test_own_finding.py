"""What is said of a model of one's own: no louder than its paired tests, on month ends it was not chosen on."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from forecast.evaluation.value_added import value_added
from forecast.reporting.pages.value_added.own import own_finding

MONTHS = pd.period_range("2025-01", periods=24, freq="M").astype(str)


def scored(mine: np.ndarray, ets: np.ndarray, pipeline: np.ndarray) -> pd.DataFrame:
    """Return scored rows of one segment that books 100 a month, with these errors."""
    rows = [
        {"model": name, "origin": month, "target_period": month, "horizon": 1, "segment": "East", "observed": 100.0}
        | {"mean": 100.0 + error, "error": error, "abs_error": abs(error), "span": "month", "level": "segment"}
        for name, errors in (("mine", mine), ("ets", ets), ("pipeline", pipeline))
        for month, error in zip(MONTHS, errors, strict=False)
    ]
    return pd.DataFrame(rows)


def said(mine: np.ndarray, ets: np.ndarray, pipeline: np.ndarray, *, tried: int = 3, chosen_on: int = 12) -> str:
    steps = value_added(scored(mine, ets, pipeline), ladder=[("mine", "ets"), ("mine", "pipeline")])
    return re.sub(r"<[^>]+>|\s+", " ", own_finding(steps, tried=tried, chosen_on=chosen_on)._repr_html_())


@pytest.fixture
def noise() -> np.random.Generator:
    return np.random.default_rng(5)


def test_what_the_test_shows_is_said_with_its_chance(noise):
    small, large = 10 + noise.uniform(0, 2, 24), 30 + noise.uniform(0, 2, 24)
    text = said(small, large, small + noise.normal(0, 1, 24))
    assert "On month ends that were not used to choose it, this model, segment by segment, misses by 11" in text
    assert "in 24 of 24 months" in text
    assert "of 10,000 cases, allowing for the 2 comparisons here" in text
    assert "It was picked from 3 models on 12 month ends before" in text


def test_a_model_that_misses_by_more_is_told_so(noise):
    small, large = 10 + noise.uniform(0, 2, 24), 30 + noise.uniform(0, 2, 24)
    text = said(large, small, small)
    assert "more in 24 of 24 months" in text
    assert "Cannot tell" not in text


def test_what_luck_could_have_made_cannot_be_told(noise):
    one, other = noise.uniform(5, 40, (2, 24))
    text = said(one, other, one + 1)
    assert "Cannot tell whether this model misses by less than the benchmark" in text
    assert "which chance alone gives in" in text
    assert "On month ends" not in text


def test_few_months_are_too_few():
    text = said(np.full(7, 1.0), np.full(7, 50.0), np.full(7, 2.0), chosen_on=0)
    assert "Cannot tell" in text
    assert "7 months are too few to tell" in text
    assert "It was not picked from others" in text


def test_where_nothing_has_settled_nothing_is_said():
    empty = np.array([])
    assert "none of its forecasts has settled" in said(np.full(9, 1.0), empty, empty)
    assert "none of its forecasts has settled" in said(empty, np.full(9, 1.0), empty)


def test_noise_is_seldom_called_a_difference():
    noise = np.random.default_rng(11)
    claimed = 0
    for _ in range(200):
        one, other, third = noise.gamma(2.0, 10.0, (3, 20))
        claimed += "On month ends" in said(one, other, third)
    assert claimed <= 15  # of 200 at one level of 5 %, over two comparisons
