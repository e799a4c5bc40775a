"""How far the planning verdict carries: each segment left out, and the power simulated from its own months."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from forecast.calendar import Calendar
from forecast.errors import ParameterError
from forecast.evaluation.planning.assessment import assess
from forecast.evaluation.planning.effect import planning_effect
from forecast.evaluation.planning.inference.randomisation import Cells
from forecast.evaluation.planning.limits import (
    CUTS,
    detectable_change,
    leave_one_out,
    otherwise,
    power,
    scale_to_unit_mean,
)
from forecast.evaluation.planning.panel import ErrorPanel, error_panel
from panels import panel_of

WAYS = 1_000


def laid_out(errors: pd.DataFrame, adoption: pd.DataFrame) -> ErrorPanel:
    return error_panel(errors, adoption, calendar=Calendar())


# -- other data ------------------------------------------------------------------------------------------


def test_the_first_months_are_those_from_each_start_on():
    errors, adoption = panel_of(dates=(20, 26, None), months=30, seed=3)
    panel = laid_out(errors, adoption)
    gone = panel.without_first(2)
    lost = {
        (panel.segments[s], int(panel.months[t]))
        for s, t in zip(*np.nonzero(panel.observed & ~gone.observed), strict=True)
    }
    first = int(panel.months[0])
    assert lost == {("S00", first + 20), ("S00", first + 21), ("S01", first + 26), ("S01", first + 27)}
    assert panel.without_first(0).observed.all()
    assert np.array_equal(np.isnan(gone.benchmark), ~gone.observed)
    with pytest.raises(ParameterError, match="is not a whole number from 0 on"):
        panel.without_first(-1)


@pytest.mark.slow
def test_looked_at_otherwise_is_the_effect_of_what_is_left():
    panel = laid_out(*panel_of(cut=0.3, seed=4))
    one = leave_one_out(panel, permutations=WAYS, seed=2).set_index("segment").loc["S05"]
    assert otherwise(panel, without="S05", permutations=WAYS, seed=2) == pytest.approx(one.to_dict())
    # the change came at once and stayed: without the first months it is about the same
    later = otherwise(panel, first=3, permutations=WAYS, seed=2)
    assert later["interval_low"] < -0.3 < later["interval_high"]
    with pytest.raises(ParameterError, match="is no segment of the study; did you mean 'S05'"):
        otherwise(panel, without="S5", seed=2)


@pytest.mark.slow
def test_a_change_that_lasted_two_months_is_gone_without_them():
    errors, adoption = panel_of(cut=0.0, seed=6)
    starts = adoption.set_index("segment")["adopted_on"]
    since = (pd.PeriodIndex(errors["period"], freq="M") - pd.PeriodIndex(errors["segment"].map(starts), freq="M")).map(
        lambda gap: getattr(gap, "n", -1)
    )
    short = errors.assign(error=errors["error"].where(~np.isin(since, (0, 1)), errors["error"] * 0.02))
    panel, plain = laid_out(short, adoption), laid_out(errors, adoption)
    left = otherwise(panel, first=2, permutations=WAYS, seed=2)
    assert left == pytest.approx(otherwise(plain, first=2, permutations=WAYS, seed=2))


# -- one segment less ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("missing", [0.0, 0.08])
def test_left_out_is_the_effect_of_the_others(missing: float):
    errors, adoption = panel_of(cut=0.3, seed=4, missing=missing)
    table = leave_one_out(laid_out(errors, adoption), permutations=WAYS, seed=2).set_index("segment")
    assert list(table.index) == [f"S{i:02d}" for i in range(8)]
    for name in ("S00", "S05", "S07"):
        rest = planning_effect(
            errors[errors["segment"] != name], adoption[adoption["segment"] != name], permutations=WAYS, seed=2
        )
        row = table.loc[name]
        midway = (math.log1p(rest.given_record) + math.log1p(rest.set_aside)) / 2
        assert row["relative_change"] == pytest.approx(math.expm1(midway))
        assert row["p_value"] == rest.p_value
        assert row["interval_low"] < row["relative_change"] < row["interval_high"]
        # Where a check withholds the claim of the others alone, their answer shows no interval.
        if rest.verdict != "not identified":
            assert row["relative_change"] == pytest.approx(rest.relative_change)
            assert (row["interval_low"], row["interval_high"]) == pytest.approx(rest.interval)


def test_where_the_others_tell_nothing_the_row_says_so():
    # Of five, two begin together and two not at all: without the one that begins alone the dates give no small p-value.
    errors, adoption = panel_of(dates=(20, 26, 26, None, None), seed=3)
    table = leave_one_out(laid_out(errors, adoption), permutations=WAYS, seed=0).set_index("segment")
    alone = table.loc["S00"]
    assert math.isnan(alone["relative_change"])
    assert (alone["interval_low"], alone["interval_high"], alone["p_value"]) == (-1.0, math.inf, 1.0)
    # Two segments: with one less there is nothing to compare with.
    pair = leave_one_out(laid_out(*panel_of(dates=(20, None))), permutations=WAYS, seed=0)
    assert pair["relative_change"].isna().all()
    assert pair["p_value"].eq(1.0).all()


# -- what could have shown -------------------------------------------------------------------------------


def test_detectable_by_hand():
    table = pd.DataFrame(
        {
            "segments": [8] * 4 + [16] * 4,
            "relative_change": [-0.1, -0.2, -0.3, -0.4] * 2,
            "power": [0.2, 0.6, 0.5, 1.0, 0.9, 1.0, 1.0, 1.0],
        }
    )
    # .8 lies half way between .6 (a dip to .5 is noise) at -.3 and 1.0 at -.4.
    assert detectable_change(table, segments=8) == pytest.approx(-0.35)
    assert detectable_change(table, segments=16) == -0.1
    assert math.isnan(detectable_change(table, segments=4))
    assert math.isnan(detectable_change(table[table["relative_change"] > -0.25], segments=8))


def test_sizes_relative_to_segment_and_month_by_hand():
    whole = Cells(np.ones((2, 3), dtype=bool))
    product = np.outer([2.0, 5.0], [1.0, 3.0, 7.0])
    assert scale_to_unit_mean(whole, product) == pytest.approx(np.ones((2, 3)))
    # One round on (1 2; 3 6) with the last cell missing: segment means 1.5 and 3, then month means 5/6 and 4/3.
    holed = Cells(np.array([[True, True], [True, False]]))
    got = scale_to_unit_mean(holed, np.array([[1.0, 2.0], [3.0, 99.0]]))
    assert got[1, 1] == 0
    assert got[:, 0].mean() == pytest.approx(1)
    assert got[0, 1] == pytest.approx(1)
    nothing = scale_to_unit_mean(whole, np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]))
    assert nothing[0].tolist() == [0, 0, 0]
    assert np.isfinite(nothing).all()
    random = scale_to_unit_mean(whole, np.random.default_rng(1).random((4, 2, 3)))
    assert random.mean(axis=1) == pytest.approx(np.ones((4, 3)))
    assert random.mean(axis=2) == pytest.approx(np.ones((4, 2)), abs=1e-4)


def improved(panels: int, cut: float, *, seed: int) -> float:
    """Return how often both comparisons show an improvement, on the process of `panel_of` with a cut."""
    found = [assess(laid_out(*panel_of(cut=cut, seed=seed + i)), permutations=500, seed=0) for i in range(panels)]
    return float(np.mean([one.claims < 0 for one in found]))


@pytest.mark.long
def test_the_power_simulated_is_the_power_there_is():
    simulated = []
    for seed in range(12):
        panel = laid_out(*panel_of(seed=300 + seed))
        simulated.append(power(panel, effect=0.0, seed=seed, times=(1,)).set_index("relative_change")["power"])
    mean = pd.concat(simulated, axis=1).mean(axis=1)
    for cut in (0.15, 0.25):
        actual = improved(150, cut, seed=9_000)
        assert 0.2 < actual < 0.98
        assert mean[-cut] == pytest.approx(actual, abs=0.08)


@pytest.mark.slow
def test_more_segments_show_more_and_a_larger_fall_shows_more():
    panel = laid_out(*panel_of(seed=6))
    table = power(panel, effect=0.0, seed=1)
    wide = table.pivot(index="relative_change", columns="segments", values="power")
    assert list(wide.columns) == [8, 16, 32]
    assert sorted(-wide.index) == list(CUTS)
    assert (np.diff(wide.sort_index(ascending=False).to_numpy(), axis=0) > -0.06).all()
    assert (np.diff(wide.to_numpy(), axis=1) > -0.06).all()
    falls = [detectable_change(table, segments=n) for n in (8, 16, 32)]
    assert -0.5 < falls[0] < falls[1] < falls[2] < 0


@pytest.mark.slow
def test_an_effect_that_is_there_is_taken_out_first():
    # The same company with its errors cut by 60 % from the starts on: known, the power is as without the cut.
    without, with_ = laid_out(*panel_of(seed=8)), laid_out(*panel_of(seed=8, cut=0.6))
    plain = power(without, effect=0.0, seed=1, times=(1,))
    known = power(with_, effect=math.log(0.4), seed=1, times=(1,))
    assert known["power"].to_numpy() == pytest.approx(plain["power"].to_numpy())
    unknown = power(with_, effect=0.0, seed=1, times=(1,))
    assert detectable_change(unknown, segments=8) < detectable_change(known, segments=8) - 0.05


@pytest.mark.slow
def test_missing_months_and_zero_errors_are_borne():
    errors, adoption = panel_of(seed=8, missing=0.1)
    errors.loc[errors.index % 9 == 0, "error"] = 0.0
    panel = laid_out(errors, adoption)
    before = panel.error.copy()
    table = power(panel, effect=0.0, seed=0, times=(1, 2))
    assert table["power"].between(0, 1).all()
    assert -0.7 < detectable_change(table, segments=8) < -0.15
    np.testing.assert_array_equal(panel.error, before)
    pd.testing.assert_frame_equal(table, power(panel, effect=0.0, seed=0, times=(1, 2)))
    assert not table.equals(power(panel, effect=0.0, seed=1, times=(1, 2)))


@pytest.mark.parametrize("dates", [(20,), (20, 20, 20), (None, None)])
def test_where_nothing_can_be_compared_there_is_no_power(dates):
    assert power(laid_out(*panel_of(dates=dates)), effect=0.0, seed=0).empty


def test_too_few_segments_show_nothing_and_twice_as_many_something():
    # Three segments can be dealt out in six ways: no p-value is below 1/6, whatever the fall.
    table = power(laid_out(*panel_of(dates=(20, 28, None), seed=2)), effect=0.0, seed=0, times=(1, 2))
    assert table.loc[table["segments"] == 3, "power"].eq(0).all()
    assert math.isnan(detectable_change(table, segments=3))
    assert detectable_change(table, segments=6) < 0
