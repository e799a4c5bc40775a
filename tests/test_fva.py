"""Forecast value added: the ladder on the same targets, and the paired test by hand, by simulation, by properties."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from forecast.calendar import period_label
from forecast.errors import DataError, ParameterError
from forecast.evaluation.fva import diebold_mariano, habits, value_added
from forecast.evaluation.scores import score


def test_paired_test_by_hand():
    # T = 8, m = 2. d = 1 + cos(2 pi t / 8) + cos(4 pi t / 8): each of the two ordinates is |4|^2 / 8 = 2.
    t = np.arange(8)
    d = 1 + np.cos(2 * np.pi * t / 8) + np.cos(4 * np.pi * t / 8)
    test = diebold_mariano(d + 5, np.full(8, 5.0))
    assert test.df == 4
    assert test.statistic == pytest.approx(np.sqrt(8) / np.sqrt(2))
    assert test.p_value == pytest.approx(2 * stats.t.sf(2, 4))
    assert test.mean_difference == pytest.approx(1)


def test_paired_test_is_odd_and_has_no_unit():
    rng = np.random.default_rng(1)
    one, two = rng.gamma(2, size=(2, 40))
    there, back = diebold_mariano(one, two), diebold_mariano(two, one)
    assert there.statistic == pytest.approx(-back.statistic)
    assert there.p_value == pytest.approx(back.p_value)
    assert diebold_mariano(1000 * one, 1000 * two).p_value == pytest.approx(there.p_value)
    assert there.df == 6


def test_degrees_of_freedom():
    for size, df in ((8, 4), (26, 4), (27, 6), (63, 6), (64, 8)):
        assert diebold_mariano(np.random.default_rng(size).normal(size=size), np.zeros(size)).df == df


@pytest.mark.parametrize("ar", [0.0, 0.5])
def test_size_of_the_paired_test(ar: float):
    rng = np.random.default_rng(2)
    d = rng.normal(size=(2_000, 48))
    for t in range(1, 48):
        d[:, t] = ar * d[:, t - 1] + np.sqrt(1 - ar**2) * d[:, t]
    rejected = np.mean([diebold_mariano(row, np.zeros(48)).p_value <= 0.05 for row in d])
    assert rejected == pytest.approx(0.05, abs=0.025 if ar else 0.015)
    usual = np.abs(np.sqrt(48) * d.mean(axis=1) / d.std(axis=1)) > 1.96
    assert ar == 0 or usual.mean() > 0.2


def test_nothing_to_test():
    assert np.isnan(diebold_mariano([1, 2], [1, 2]).p_value)
    assert diebold_mariano(np.arange(9.0), np.arange(9.0)).p_value == 1
    with pytest.raises(ParameterError, match="same targets"):
        diebold_mariano([1, 2], [1])
    with pytest.raises(DataError, match="empty"):
        diebold_mariano([1, np.nan], [1, 2])


@pytest.fixture
def scored() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    rows = []
    spread = {"seasonal-naive": 60, "stage-weighted": 40, "pipeline": 15, "submitted-sales": 30, "submitted-joint": 12}
    for month in range(24):
        for segment in ("A", "B"):
            for model, sd in spread.items():
                if model == "submitted-joint" and month < 12:
                    continue
                error = 10 + rng.normal(0, sd) if model == "submitted-sales" else rng.normal(0, sd)
                origin = pd.Timestamp("2024-01-31") + pd.offsets.MonthEnd(month)
                rows.append((model, origin, period_label(12 * 2024 + month + 1), 1, segment, 100 + error, 100.0))
    names = ["model", "origin", "target_period", "horizon", "segment", "mean", "observed"]
    return score(pd.DataFrame(rows, columns=names))


def test_ladder_compares_on_the_same_targets(scored: pd.DataFrame):
    table = value_added(scored).set_index("step")
    # no pipeline-sales-only in this track: the steps from and to it are not there
    assert table.index.tolist() == ["stage-weighted", "submitted-sales", "submitted-joint"]
    joint = table.loc["submitted-joint"]
    assert (joint["n"], joint["months"]) == (24, 12)
    both = scored[scored["target_period"] > "2025-01"]
    sales = both.loc[both["model"] == "submitted-sales", "abs_error"].sum() / 2400
    assert joint["wape_before"] == pytest.approx(sales)
    assert joint["added"] == pytest.approx(joint["wape_before"] - joint["wape"])
    assert joint["added"] > 0.05
    assert table.loc["submitted-sales", "added"] < 0
    assert table.loc["submitted-sales", "statistic"] < 0
    assert table.loc["stage-weighted", "p_value"] < 0.2


def test_habits(scored: pd.DataFrame):
    table = habits(scored).set_index("submitter")
    sales = scored[scored["model"] == "submitted-sales"]
    assert table.loc["sales", "bias"] == pytest.approx(sales["error"].sum() / 4800)
    assert table.loc["sales", "share_over"] == pytest.approx((sales["error"] > 0).mean())
    with pytest.raises(ParameterError, match="region"):
        habits(scored, by=["region"])
