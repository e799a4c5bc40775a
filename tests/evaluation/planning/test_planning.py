"""Did joint planning help: errors by hand, the permutation test against brute force, published effects, bad input."""

from __future__ import annotations

import importlib
import itertools
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.calendar import Calendar, period_label
from forecast.data.schema import ERROR_COLUMNS
from forecast.data.submissions import official_forecasts
from forecast.errors import DataError, ParameterError
from forecast.evaluation.planning.effect import Effects, effects, event_study, planning_effect, planning_errors
from forecast.evaluation.planning.errors import errors_in_detail
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
from forecast.evaluation.planning.ratio import (
    Ratios,
    confidence_interval,
    neighbour_mean,
    p_value_at,
    point_estimate,
    scale_to_unit_mean,
)
from forecast.wording import MINUS as M
from forecast.wording import THIN as T
from logs import log_of
from panels import DATES, START, panel_of

# -- the permutation test --------------------------------------------------------------------------------


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


# -- the verdict -----------------------------------------------------------------------------------------


def test_a_cut_is_found_and_its_size_is_in_the_interval():
    effect = planning_effect(*panel_of(cut=0.4))
    assert effect.verdict == "improved"
    assert effect.interval[0] < -0.4 < effect.interval[1] < 0
    assert effect.p_value <= 0.05
    assert effect.n_assignments == math.factorial(8) // 2
    assert effect.smallest_p == pytest.approx(1 / effect.n_assignments)
    assert f"fell by {abs(round(100 * effect.relative_change))}{T}%" in effect.sentence
    assert "significant" not in effect.sentence


def test_a_rise_is_told_as_a_rise():
    effect = planning_effect(*panel_of(cut=-0.6))
    assert effect.verdict == "worsened"
    assert effect.relative_change > 0.3
    assert "rose by" in effect.sentence


@pytest.mark.parametrize("cut", [0.4, 0.0, -0.6])
def test_numbers_in_the_sentence_are_written_as_on_every_page(cut: float):
    # The sentence is a chart's description too: a hyphen for a minus sign would be read out as a dash there.
    effect = planning_effect(*panel_of(cut=cut))
    assert not re.search(r"-\d|\d %", effect.sentence)
    low = f"{M}{abs(round(100 * effect.interval[0]))}" if effect.interval[0] < 0 else round(100 * effect.interval[0])
    assert f"95{T}% interval {low if cut >= 0 else f'+{low}'}{T}% to" in effect.sentence


def test_no_change_is_not_called_one():
    effect = planning_effect(*panel_of(cut=0.0, seed=2))
    assert effect.verdict == "no detectable change"
    assert effect.interval[0] < 0 < effect.interval[1]
    assert effect.p_value > 0.05


def test_the_effect_is_the_same_whatever_the_units_and_order():
    errors, adoption = panel_of(cut=0.3)
    one = planning_effect(errors, adoption)
    doubled = errors.assign(error=errors["error"] * 2).sample(frac=1, random_state=1)
    two = planning_effect(doubled, adoption.iloc[::-1])
    assert two.relative_change == pytest.approx(one.relative_change)
    assert two.p_value == one.p_value
    assert two.interval == pytest.approx(one.interval)


def least_squares(errors: pd.DataFrame, adoption: pd.DataFrame, *, effect: float = 0.0) -> tuple[float, float]:
    """Return theta of the logs, and the treatment's coefficient once errors are over exp(effect); by other means."""
    frame = errors.merge(adoption, on="segment").sort_values(["segment", "period"], ignore_index=True)
    adopted = pd.to_datetime(frame["adopted_on"]).dt.strftime("%Y-%m")
    month = pd.PeriodIndex(frame["period"], freq="M").asi8
    event = month - pd.PeriodIndex(adopted, freq="M").asi8
    after = (adopted.notna() & (event >= 0)).to_numpy(dtype=float)
    aside = (adopted.notna() & (event >= -6) & (event < 0)).to_numpy(dtype=float)
    dummies = pd.get_dummies(frame[["segment", "period"]], dtype=float).to_numpy()

    def beta(y: np.ndarray, *x: np.ndarray) -> np.ndarray:
        return np.linalg.lstsq(np.column_stack([*x, dummies]), y, rcond=None)[0][: len(x)]

    def scaled(values: np.ndarray) -> np.ndarray:
        out = pd.Series(values)
        for _ in range(12):
            out = out / out.groupby(frame["segment"]).transform("mean")
            out = out / out.groupby(frame["period"]).transform("mean")
        return out.to_numpy()

    own = scaled(frame["benchmark_error"].to_numpy() ** 0.7)
    wide = frame.assign(own=own).pivot_table(index="segment", columns="period", values="own").T
    five = wide.rolling(5, center=True, min_periods=1)
    near = ((five.sum() - wide) / (five.count() - 1)).unstack().dropna().to_numpy()
    y = scaled((frame["error"].to_numpy() / np.exp(effect * after)) ** 0.7)
    rest = y - np.column_stack([own, near]) @ beta(y, own, near)
    theta = beta(np.log(np.maximum(frame["error"], 0.005)).to_numpy(), np.log(frame["benchmark_error"] + 0.02))
    return float(theta[0]), float(beta(rest, after, aside)[0])


@pytest.mark.parametrize("missing", [0.0, 0.05])
def test_the_estimate_leaves_a_coefficient_of_nought(missing: float):
    errors, adoption = panel_of(cut=0.3, missing=missing, seed=4)
    effect = planning_effect(errors, adoption)
    theta, coefficient = least_squares(errors, adoption)
    assert effect.theta == pytest.approx(theta, abs=1e-9)
    assert coefficient < -0.2
    delta = math.log1p(effect.relative_change)
    assert least_squares(errors, adoption, effect=delta)[1] == pytest.approx(0, abs=1e-8)
    assert least_squares(errors, adoption, effect=delta + 0.01)[1] < -1e-3


@pytest.mark.slow
def test_the_p_value_by_dealing_out_the_dates_by_hand():
    errors, adoption = panel_of(cut=0.25, seed=8, dates=(20, 25, 30, 34, None), months=40)
    dates = list(adoption["adopted_on"])
    sizes = {}
    for ways in set(itertools.permutations(range(5))):
        dealt = adoption.assign(adopted_on=[dates[i] for i in ways])
        sizes[ways] = abs(least_squares(errors, dealt)[1])
    actual = sizes[tuple(range(5))]
    by_hand = np.mean([size >= actual * (1 - 1e-9) for size in sizes.values()])
    assert 0 < by_hand < 1
    assert planning_effect(errors, adoption).p_value == pytest.approx(by_hand)


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


def test_months_around_by_hand():
    observed = np.array([[True, True, True, True, True], [True, False, False, False, True]])
    values = np.array([[1.0, 2.0, 3.0, 4.0, 5.0], [7.0, 9.0, 9.0, 9.0, 8.0]])
    got = neighbour_mean(Cells(observed), values)
    assert got[0].tolist() == [2.5, (1 + 3 + 4) / 3, (1 + 2 + 4 + 5) / 4, (2 + 3 + 5) / 3, 3.5]
    # 1, what is usual, where none of the two months on either side is there.
    assert got[1].tolist() == [1, 7, 7.5, 8, 1]


def ratios_of(seed: int, missing: float = 0.0, *, effect: float = 0.0) -> tuple[Ratios, Design]:
    """Return a panel of six segments of which four adopt, noisy and heavy-tailed, with its design of 360 ways."""
    rng = np.random.default_rng(seed)
    dates, months = np.array([8, 10, 13, 16, NEVER, NEVER]), np.arange(24)
    panel = Cells(rng.random((6, 24)) >= missing)
    kinds = np.unique(dates)
    rows = np.stack([treatment(kinds, months), window(kinds, months, first=-3, last=-1)])
    design = Design(panel, rows, assignments(dates))
    error, benchmark = np.abs(rng.standard_t(4, (2, 6, 24)))
    return Ratios(panel, error * np.exp(effect * design.actual[0]), benchmark, design.actual[0]), design


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.1]))
def test_the_interval_of_ratios_holds_what_is_not_rejected(seed: int, missing: float):
    ratios, design = ratios_of(seed, missing)
    estimate = float(point_estimate(ratios, design))
    assert float(p_value_at(ratios, design, estimate)) == 1
    low, high = confidence_interval(ratios, design, estimate)
    assert low < estimate < high
    for edge, outwards in ((low, -1), (high, 1)):
        if math.isfinite(edge):
            assert float(p_value_at(ratios, design, edge)) <= 0.05
            assert float(p_value_at(ratios, design, edge - outwards * 2e-3)) > 0.05
    beyond = np.concatenate([low - np.linspace(0, 3, 40), high + np.linspace(0, 3, 40)])
    assert (p_value_at(ratios, design, beyond[np.isfinite(beyond)]) <= 0.05).all()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.1]))
def test_whichever_way_was_the_real_one_at_most_five_of_a_hundred_are_rejected(seed: int, missing: float):
    # The heart of it: without an effect each way of dealing out the dates is as good as any other.
    ratios, design = ratios_of(seed, missing)
    size = np.abs(design.coefficients(ratios.outcome(0.0)))
    p = (size[None, :] >= size[:, None] * (1 - 1e-9)).mean(axis=1)
    assert p[0] == pytest.approx(float(p_value_at(ratios, design, 0.0)))
    assert np.mean(p <= 0.05) <= 0.05


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.floats(-1.5, 1.5))
def test_an_effect_put_in_moves_estimate_and_interval_by_itself(seed: int, effect: float):
    (plain, design), (moved, _) = ratios_of(seed), ratios_of(seed, effect=effect)
    one, two = float(point_estimate(plain, design)), float(point_estimate(moved, design))
    assert two - one == pytest.approx(effect, abs=1e-8)
    assert float(p_value_at(moved, design, effect)) == float(p_value_at(plain, design, 0.0))
    shifted, before = confidence_interval(moved, design, two), confidence_interval(plain, design, one)
    for edge, other in zip(shifted, before, strict=True):
        assert edge == pytest.approx(other + effect, abs=1e-6)


def test_panels_stacked_give_what_each_gives_alone():
    singles = [ratios_of(seed) for seed in (1, 2, 3)]
    design = singles[0][1]
    rng = [np.random.default_rng(seed) for seed in (1, 2, 3)]
    drawn = []
    for one in rng:
        one.random((6, 24))
        drawn.append(np.abs(one.standard_t(4, (2, 6, 24))))
    error, benchmark = np.stack(drawn, axis=1)
    stacked = Ratios(design.cells, error, benchmark, design.actual[0])
    effects_found = point_estimate(stacked, design)
    assert effects_found == pytest.approx([float(point_estimate(ratios, design)) for ratios, _ in singles], abs=1e-9)
    assert p_value_at(stacked, design, np.array([0.0, 0.1, -0.2])) == pytest.approx(
        [float(p_value_at(ratios, design, x)) for (ratios, _), x in zip(singles, (0.0, 0.1, -0.2), strict=True)]
    )


def test_what_makes_a_segment_or_a_month_harder_does_not_matter():
    errors, adoption = panel_of(cut=0.3)
    one = planning_effect(errors, adoption)
    hard = errors["segment"].map({f"S{i:02d}": 1 + i for i in range(8)})
    months = errors["period"].map({period: 0.5 + (i % 7) for i, period in enumerate(sorted(errors["period"].unique()))})
    two = planning_effect(errors.assign(error=errors["error"] * hard * months), adoption)
    assert two.relative_change == pytest.approx(one.relative_change, abs=1e-5)
    assert two.interval == pytest.approx(one.interval, abs=1e-4)


@pytest.mark.slow
def test_the_effect_is_recovered():
    found = [planning_effect(*panel_of(cut=0.3, seed=100 + seed)).relative_change for seed in range(40)]
    assert np.median(found) == pytest.approx(-0.3, abs=0.03)


def test_zero_errors_are_valid():
    errors, adoption = panel_of(cut=0.3)
    errors.loc[::50, "error"] = 0.0
    assert math.isfinite(planning_effect(errors, adoption).relative_change)
    effect = planning_effect(errors.assign(error=0.0), adoption)
    assert effect.verdict == "no detectable change"
    assert effect.relative_change == pytest.approx(0)
    assert effect.p_value == 1
    assert effect.interval == (-1, math.inf)


@pytest.mark.parametrize("missing", [0.0, 0.05])
def test_errors_that_never_vary_show_nothing(missing: float):
    errors, adoption = panel_of(missing=missing)
    effect = planning_effect(errors.assign(error=0.3), adoption)
    assert effect.verdict == "no detectable change"
    assert effect.p_value == 1
    assert effect.relative_change == pytest.approx(0, abs=1e-6)


def test_errors_that_end_altogether():
    errors, adoption = panel_of(cut=1.0)
    effect = planning_effect(errors, adoption)
    assert effect.verdict == "improved"
    assert effect.relative_change == -1
    assert effect.interval == pytest.approx((-1, -1))
    assert f"100{T}%" in effect.sentence


def test_a_bad_spell_before_the_start_is_seen_and_not_taken_for_an_effect():
    effect = planning_effect(*panel_of(before=0.7, seed=3))
    assert effect.verdict == "no detectable change"
    assert effect.dip_p_value <= 0.05
    assert effect.dip > 0.5
    assert "worse than usual" in effect.sentence


def test_a_difference_before_the_start_shows_in_the_placebo():
    errors, adoption = panel_of(seed=5)
    period = pd.PeriodIndex(errors["period"], freq="M").asi8
    start = errors["segment"].map(adoption.set_index("segment")["adopted_on"].str[:7])
    begun = start.notna().to_numpy()
    event = period - pd.PeriodIndex(start.fillna("2000-01"), freq="M").asi8
    early = begun & (event >= -12) & (event <= -7)
    effect = planning_effect(errors.assign(error=np.where(early, errors["error"] * 2, errors["error"])), adoption)
    assert effect.placebo_p_value <= 0.05
    assert effect.placebo > 0.5
    assert "distrust" in effect.sentence
    assert planning_effect(errors, adoption).placebo_p_value > 0.05


def test_the_seed_matters_only_where_assignments_are_drawn():
    errors, adoption = panel_of(cut=0.3)
    assert planning_effect(errors, adoption, seed=1).p_value == planning_effect(errors, adoption, seed=2).p_value
    drawn = [planning_effect(errors, adoption, seed=seed, permutations=2_000) for seed in (1, 1, 2)]
    assert drawn[0].interval == drawn[1].interval != drawn[2].interval
    full = planning_effect(errors, adoption)
    assert drawn[0].interval == pytest.approx(full.interval, abs=0.03)


def test_tables_beside_the_verdict():
    errors, adoption = panel_of(cut=0.5)
    effect = planning_effect(errors, adoption)
    table = effect.by_segment.set_index("segment")
    assert table.loc["S00", ["adopted", "months_before", "months_after"]].tolist() == ["2024-01", 18, 24]
    mean = errors[(errors["segment"] == "S00") & (errors["period"] >= "2024-01")]["error"].mean()
    assert table.loc["S00", "error_after"] == pytest.approx(mean)
    assert table["change"].iloc[:6].mean() == pytest.approx(-0.5, abs=0.12)
    assert table["change"].iloc[6:].isna().all()
    story = effect.event_study.set_index("event_time")
    assert story.loc[0, "n_segments"] == 6
    assert story.loc[0:11, "relative_change"].mean() == pytest.approx(-0.5, abs=0.12)
    assert abs(story.loc[-12:-7, "estimate"].mean()) < 0.2


def test_cells_without_a_control_are_marked_not_filled():
    errors, adoption = panel_of(cut=0.5, dates=(20, 24, 28, 32, 36))
    story = planning_effect(errors, adoption).event_study.set_index("event_time")
    late = story[~story["supported"]]
    assert len(late)
    assert late["estimate"].isna().all()
    assert (story.loc[story["supported"], "n_controls"] > 0).all()


def test_json():
    effect = planning_effect(*panel_of(cut=0.3))
    told = json.loads(json.dumps(effect.to_dict(), allow_nan=False))
    assert told["verdict"] == effect.verdict
    assert told["interval"] == list(effect.interval)
    assert len(told["by_segment"]) == 8
    errors, adoption = panel_of(dates=(24, None))
    told = json.loads(json.dumps(planning_effect(errors, adoption).to_dict(), allow_nan=False))
    assert told["interval"] == [-1.0, None]


# -- cannot tell -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dates", "reason"),
    [
        ((24, 24, 24, 24), "every segment began in 2024-01"),
        ((24,), "the only segment"),
        ((24, None), "only 2 ways"),
        ((24, 24), "every segment began"),
        ((24, 27, 30), "only 6 ways"),
        ((None, None, None), "no segment began"),
        ((70, 80, None), "no segment began"),
    ],
)
def test_not_identified(dates: tuple[int | None, ...], reason: str):
    effect = planning_effect(*panel_of(cut=0.5, dates=dates))
    assert effect.verdict == "not identified"
    assert reason in effect.sentence
    assert reason in effect.reasons[0]
    assert effect.interval == (-1.0, math.inf)
    if any(date is not None and date < 48 for date in dates):
        assert effect.relative_change == effect.association == pytest.approx(-0.5, abs=0.2)
        assert "association" in effect.sentence
    else:
        assert math.isnan(effect.relative_change)


def test_smallest_p_decides_not_the_data():
    # 4 segments at different months: 24 ways, one in 24 is below .05; two of them tied: 12 ways are not.
    assert planning_effect(*panel_of(dates=(20, 24, 28, 32))).verdict != "not identified"
    tied = planning_effect(*panel_of(dates=(20, 24, 28, 28)))
    assert tied.verdict == "not identified"
    assert tied.smallest_p == pytest.approx(1 / 12)


def test_adoption_in_the_first_month_leaves_the_segment_out():
    effect = planning_effect(*panel_of(cut=0.4, dates=(0, *DATES)))
    assert effect.n_segments == 8
    assert any("S00 began at or before the first month" in reason for reason in effect.reasons)
    assert effect.verdict == "improved"


def test_adoption_after_the_data_counts_as_not_yet():
    errors, adoption = panel_of(cut=0.4)
    adoption.loc[7, "adopted_on"] = "2031-05-01"
    effect = planning_effect(errors, adoption)
    assert any("S07 began after 2025-12" in reason for reason in effect.reasons)
    assert effect.n_adopting == 6


def test_a_segment_without_errors_is_named():
    errors, adoption = panel_of(cut=0.4)
    effect = planning_effect(errors[errors["segment"] != "S01"], adoption)
    assert "no errors for S01: left out" in effect.reasons
    assert effect.n_segments == 7
    unknown = planning_effect(errors, adoption[adoption["segment"] != "S07"])
    assert any("S07 not in joint_planning" in reason for reason in unknown.reasons)


@pytest.mark.slow
def test_missing_months_and_empty_errors():
    errors, adoption = panel_of(cut=0.4, missing=0.1)
    whole = planning_effect(errors, adoption)
    assert whole.verdict == "improved"
    errors = pd.concat([errors, pd.DataFrame([("S00", "2026-05", np.nan, 0.3)], columns=list(ERROR_COLUMNS))])
    effect = planning_effect(errors, adoption)
    assert effect.dropped == {"error or benchmark error is empty": 1}
    assert effect.relative_change == pytest.approx(whole.relative_change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e, a: (e.assign(error=-e["error"]), a), r"errors\.error: is negative"),
        (lambda e, a: (e.assign(error=np.inf), a), "infinite"),
        (lambda e, a: (e.assign(error=["0.1"] * (len(e) - 1) + ["a lot"]), a), "'a lot'"),
        (lambda e, a: (e.assign(benchmark_error="x"), a), r"errors\.benchmark_error"),
        (lambda e, a: (e.drop(columns="benchmark_error"), a), r"benchmark_error: the column is missing"),
        (lambda e, a: (e.assign(period="May"), a), "'May' is not a month"),
        (lambda e, a: (pd.concat([e, e.head(2)]), a), "twice"),
        (lambda e, a: (e, a.drop(columns="adopted_on")), "adopted_on"),
        (lambda e, a: (e, a.assign(adopted_on="soon")), "S00: 'soon'"),
        (lambda e, a: (e, a.assign(adopted_on=7)), "numbers where dates"),
        (lambda e, a: (e, pd.concat([a, a])), "twice"),
    ],
)
def test_bad_input_is_refused_by_name(change, message: str):
    with pytest.raises(DataError, match=message):
        planning_effect(*change(*panel_of()))


@pytest.mark.parametrize("options", [{"seed": -1}, {"seed": 1.5}, {"permutations": 10}, {"permutations": "all"}])
def test_bad_options_are_refused(options: dict):
    with pytest.raises(ParameterError, match=next(iter(options))):
        planning_effect(*panel_of(), **options)


def test_inputs_stay_as_they_were():
    errors, adoption = panel_of()
    copies = errors.copy(deep=True), adoption.copy(deep=True)
    planning_effect(errors, adoption)
    pd.testing.assert_frame_equal(errors, copies[0])
    pd.testing.assert_frame_equal(adoption, copies[1])


def test_no_errors_at_all():
    errors, adoption = panel_of()
    effect = planning_effect(errors.head(0), adoption)
    assert effect.verdict == "not identified"
    assert "0 segments" in effect.sentence


# -- published effects -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mpdta(real_data: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    frame = pd.read_csv(real_data / "mpdta" / "mpdta.csv")
    wide = frame.pivot_table(index="countyreal", columns="year", values="lemp")
    group = frame.groupby("countyreal")["first.treat"].first().reindex(wide.index).to_numpy()
    return wide.to_numpy(), np.where(group == 0, NEVER, group).astype(np.int64), wide.columns.to_numpy(dtype=np.int64)


def averages(found: Effects, months: np.ndarray) -> tuple[pd.Series, dict[str, float]]:
    """Return ATT(g,t) from the start on, and the four averages of Callaway and Sant'Anna (2021, section 3)."""
    row, column = np.nonzero((found.event >= 0) & (found.dates[:, None] < NEVER) & ~np.isnan(found.effect))
    cells = pd.DataFrame({"segment": row, "group": found.dates[row], "period": months[column]})
    cells = cells.assign(event=found.event[row, column], value=found.effect[row, column])
    groups = cells.groupby("group")
    figures = {
        "simple": cells["value"].mean(),
        "group": np.average(groups["value"].mean(), weights=groups["segment"].nunique()),
        "dynamic": cells.groupby("event")["value"].mean().mean(),
        "calendar": cells.groupby("period")["value"].mean().mean(),
    }
    return cells.groupby(["group", "period"])["value"].mean(), figures


def test_published_att_by_group_and_time(mpdta):
    # Callaway and Sant'Anna 2021, minimum wage and teen employment, never-treated controls, no covariates.
    att = averages(effects(*mpdta, control="never"), mpdta[2])[0].round(4)
    assert att.loc[2004].tolist() == [-0.0105, -0.0704, -0.1373, -0.1008]
    assert att.loc[2006].tolist() == [-0.0046, -0.0412]
    assert att.loc[2007].tolist() == [-0.0261]


def test_published_averages(mpdta):
    never, later = effects(*mpdta, control="never"), effects(*mpdta)
    figures = {"simple": (-0.03995, -0.03976), "group": (-0.0310, -0.03046), "dynamic": (-0.0772, -0.0774)}
    for kind, (of_never, of_later) in {**figures, "calendar": (-0.0417, -0.0443)}.items():
        assert averages(never, mpdta[2])[1][kind] == pytest.approx(of_never, abs=6e-5)
        assert averages(later, mpdta[2])[1][kind] == pytest.approx(of_later, abs=6e-5)
    by_event = event_study(never).set_index("event_time")["estimate"].round(4)
    assert by_event.loc[0:3].tolist() == [-0.0199, -0.0510, -0.1373, -0.1008]


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


def test_unknown_controls_are_refused():
    with pytest.raises(ParameterError, match="control"):
        effects(np.zeros((2, 4)), np.array([2, NEVER]), np.arange(4), control="all")  # type: ignore[arg-type]


# -- what an error is ------------------------------------------------------------------------------------


def company(submitted: list[tuple], *, months: int = 15, amounts: dict[str, float] | None = None):
    """Return a log: A books 100 a month and B 50 (or `amounts`), from 2025-01; submitted as given."""
    rows = []
    for month in range(months):
        label = period_label(12 * 2025 + month)
        for segment, amount in (amounts or {"A": 100.0, "B": 50.0}).items():
            rows.append(
                (f"{segment}{month}", f"{label}-01", segment, "Won", str(amount), f"{label}-20", f"{label}-20", "won")
            )
    names = ["opportunity_id", "created_on", "segment", "stage", "amount", "expected_close_on", "closed_on", "outcome"]
    table = pd.DataFrame(
        submitted, columns=["submitted_on", "target_period", "segment", "submitter", "category", "amount"]
    )
    tables = {"opportunities": pd.DataFrame(rows, columns=names, dtype="str")}
    tables["submitted_forecasts"] = table.astype("str").replace({"None": None, "nan": None})
    last = period_label(12 * 2025 + months)
    return log_of(tables, extracted_on=pd.Timestamp(f"{last}-28"))


def regular(**amounts: float) -> list[tuple]:
    """Sales submit for this month and the next, on the 3rd, from 2025-10 to 2026-03."""
    out = []
    for month in range(9, 15):
        for horizon in (0, 1):
            target = period_label(12 * 2025 + month + horizon)
            for segment, amount in amounts.items():
                day = f"{period_label(12 * 2025 + month)}-03"
                out.append((day, target, segment, "sales", None, amount + 10 * horizon))
    return out


def benchmark(value: float, *, months: range = range(6, 15), segments: str = "AB") -> pd.DataFrame:
    rows = [
        ("ets", Calendar().end(12 * 2025 + month), period_label(12 * 2025 + month + h), h, s, value + 100 * h)
        for month in months
        for h in range(1, 5)
        for s in segments
    ]
    return pd.DataFrame(rows, columns=["model", "origin", "target_period", "horizon", "segment", "mean"])


def test_errors_by_hand():
    log = company(regular(A=120.0, B=50.0))
    detail = errors_in_detail(log, benchmark(20.0))
    assert detail.horizons == (0, 1)
    assert detail.benchmark_origins == ()
    table = detail.errors.set_index(["segment", "period"])
    # A, December 2025: horizon 0 said 120, horizon 1 said 130, booked 100, divisor 100: (.2 + .3) / 2
    assert table.loc[("A", "2025-12"), "error"] == pytest.approx(0.25)
    assert table.loc[("B", "2025-12"), "error"] == pytest.approx((0 + 0.2) / 2)
    # On 3 December the last month end is November's: one ahead says 120; on 3 November it was October's: 220.
    assert table.loc[("A", "2025-12"), "benchmark_error"] == pytest.approx((0.2 + 1.2) / 2)
    assert table.index.get_level_values("period").min() == "2025-12"
    # October has horizon 0 alone and fewer than 12 months; November has both, but still no divisor.
    assert detail.dropped == {"no divisor: fewer than 12 months of bookings": 4}
    errors = planning_errors(log, benchmark(20.0))
    assert list(errors.columns) == list(ERROR_COLUMNS)
    assert errors.attrs["horizons"] == [0, 1]


def test_joint_replaces_sales_and_the_last_submission_of_a_month_counts():
    rows = regular(A=120.0, B=50.0)
    rows += [("2025-12-03", "2025-12", "A", "joint", None, 300.0), ("2025-12-20", "2025-12", "A", "joint", None, 105.0)]
    rows += [
        ("2025-12-28", "2025-12", "A", "sales", None, 999.0),
        ("2025-12-28", "2025-12", "A", "marketing", None, 1.0),
    ]
    official = official_forecasts(company(rows))
    row = official[(official["segment"] == "A") & (official["target"] == 12 * 2025 + 11) & (official["horizon"] == 0)]
    assert row[["submitter", "amount"]].to_numpy().tolist() == [["joint", 105.0]]
    detail = errors_in_detail(company(rows), benchmark(20.0))
    table = detail.errors.set_index(["segment", "period"])
    assert table.loc[("A", "2025-12"), "error"] == pytest.approx((0.05 + 0.3) / 2)
    assert detail.submitters["joint"] == 1
    # joint submitted on the 20th: still the benchmark of the end of November
    assert table.loc[("A", "2025-12"), "benchmark_error"] == pytest.approx((0.2 + 1.2) / 2)


def test_commit_where_categories_exist():
    rows = [(day, target, s, who, "Commit", amount) for day, target, s, who, _, amount in regular(A=120.0, B=50.0)]
    rows += [(day, target, s, who, "best case", 2 * amount) for day, target, s, who, _, amount in rows]
    table = planning_errors(company(rows), benchmark(20.0)).set_index(["segment", "period"])
    assert table.loc[("A", "2025-12"), "error"] == pytest.approx(0.25)
    other = [(*row[:4], "upside", row[5]) for row in rows if row[4] == "best case"]
    with pytest.raises(DataError, match="none is 'commit'"):
        planning_errors(company(other), benchmark(20.0))


def test_the_only_submitter_is_official_but_not_one_of_several():
    rows = [(*row[:3], "regional head", *row[4:]) for row in regular(A=120.0, B=50.0)]
    assert len(planning_errors(company(rows), benchmark(20.0))) == 8
    with pytest.raises(DataError, match="none is official"):
        planning_errors(company([*rows, (*rows[0][:3], "finance", *rows[0][4:])]), benchmark(20.0))


def test_a_month_whose_horizon_is_missing_is_dropped_and_counted():
    rows = [
        row
        for row in regular(A=120.0, B=50.0)
        if not (row[0][:7] == "2026-01" and row[1] == "2026-01" and row[2] == "A")
    ]
    detail = errors_in_detail(company(rows), benchmark(20.0))
    assert detail.dropped["a horizon was not submitted"] == 1
    assert ("A", "2026-01") not in detail.errors.set_index(["segment", "period"]).index


def test_a_horizon_that_is_submitted_now_and_then_is_no_series():
    rows = [*regular(A=120.0, B=50.0), ("2025-12-03", "2026-02", "A", "sales", None, 1.0)]
    assert errors_in_detail(company(rows), benchmark(20.0)).horizons == (0, 1)


def test_a_segment_that_books_nothing_is_dropped_and_counted():
    detail = errors_in_detail(company(regular(A=120.0, B=50.0), amounts={"A": 100.0, "B": 0.0}), benchmark(20.0))
    assert set(detail.errors["segment"]) == {"A"}
    assert detail.dropped["divisor is zero: nothing booked in 12 months"] == 4


def test_as_of_hides_what_came_later():
    log = company(regular(A=120.0, B=50.0))
    errors = planning_errors(log, benchmark(20.0), as_of="2026-02-15")
    assert sorted(errors["period"].unique()) == ["2025-12", "2026-01"]
    assert planning_errors(log, benchmark(20.0), as_of="2026-02-06")["period"].max() == "2025-12"
    with pytest.raises(ParameterError, match="later than the log"):
        planning_errors(log, benchmark(20.0), as_of="2027-01-01")


def test_without_submitted_forecasts():
    log = company(regular(A=120.0, B=50.0))
    tables = {name: frame for name, frame in log.tables.items() if name != "submitted_forecasts"}
    with pytest.raises(DataError, match="submitted_forecasts"):
        planning_errors(replace(log, tables=tables), benchmark(20.0))


# -- size and power --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_size_and_power(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(root)
    bench = importlib.import_module("benchmarks.planning.size_and_power")
    panels = 600
    still = bench.run(bench.Scenario("stationary"), panels=panels, seed=21, permutations=5_000)
    error = math.sqrt(0.05 * 0.95 / panels)
    assert abs(still.rejected - 0.05) < 3 * error
    assert abs(still.coverage - 0.95) < 3 * error
    cut = bench.run(bench.Scenario("30 % cut", effect=0.3), panels=panels, seed=22, permutations=5_000)
    assert cut.improved > 0.85 - 3 * math.sqrt(0.85 * 0.15 / panels)
    assert cut.worsened == 0
    assert cut.median_change == pytest.approx(-0.3, abs=0.02)
    one = bench.run(bench.Scenario("one series", series=1, effect=0.3), panels=panels, seed=23, permutations=5_000)
    assert one.improved > 0.29
    assert one.median_change == pytest.approx(-0.3, abs=0.04)


def test_by_segment_shows_what_changed_for_those_who_wait():
    errors, adoption = panel_of(cut=0.5, seed=3, dates=(24, 30, 36, None), months=48)
    table = planning_effect(errors, adoption).by_segment.set_index("segment")
    middle = period_label(START + 30)
    for name, row in table.iterrows():
        own = errors[errors["segment"] == name]
        assert row["error_early"] == pytest.approx(own.loc[own["period"] < middle, "error"].mean())
        assert row["error_late"] == pytest.approx(own.loc[own["period"] >= middle, "error"].mean())
    nobody, none_yet = panel_of(dates=(None, None), months=12)
    waiting = planning_effect(nobody, none_yet).by_segment
    assert waiting["error_late"].isna().all()
    assert waiting["error_early"].notna().all()
