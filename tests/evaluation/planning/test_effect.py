"""Did joint planning help: the verdict and its numbers, the tables with it, what cannot be told, published effects."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.calendar import period_label
from forecast.errors import ParameterError
from forecast.evaluation.planning.effect import Effects, effects, event_study, planning_effect
from forecast.evaluation.planning.inference.randomisation import NEVER
from forecast.wording import MINUS as M
from forecast.wording import THIN as T
from panels import START, panel_of

# -- the verdict -----------------------------------------------------------------------------------------


def test_a_cut_is_found_and_its_size_is_in_the_interval():
    effect = planning_effect(*panel_of(cut=0.4))
    assert effect.verdict == "improved"
    assert effect.interval[0] < -0.4 < effect.interval[1] < 0
    assert effect.mean_interval[0] < -0.4 < effect.mean_interval[1] < 0
    assert effect.p_value <= 0.05
    assert effect.n_assignments == 10_000 < math.factorial(8) // 2
    assert effect.smallest_p == pytest.approx(1 / effect.n_assignments)
    assert f"fell by {abs(round(100 * effect.mean_change))}{T}%" in effect.sentence
    assert "significant" not in effect.sentence
    lower, upper = sorted((effect.given_record, effect.set_aside))
    assert lower <= effect.relative_change <= upper < 0
    whole = planning_effect(*panel_of(cut=0.4), permutations=25_000)
    assert whole.n_assignments == math.factorial(8) // 2
    assert whole.smallest_p == pytest.approx(1 / whole.n_assignments)


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
    end = effect.mean_interval[0]
    low = f"{M}{abs(round(100 * end))}" if end < 0 else round(100 * end)
    assert f"95{T}% interval {low if cut >= 0 else f'+{low}'}{T}% to" in effect.sentence


def test_no_change_is_not_called_one():
    effect = planning_effect(*panel_of(cut=0.0, seed=2))
    assert effect.verdict == "no detectable change"
    assert effect.interval[0] < 0 < effect.interval[1]
    assert effect.p_value > 0.05


@pytest.mark.parametrize("factor", [2.0, 1_000.0, 1e-6])
@pytest.mark.parametrize("missing", [0.0, 0.08])
def test_the_effect_is_the_same_whatever_the_units_and_order(factor: float, missing: float):
    errors, adoption = panel_of(cut=0.3, missing=missing)
    one = planning_effect(errors, adoption, permutations=2_000)
    scaled = errors.assign(error=errors["error"] * factor, benchmark_error=errors["benchmark_error"] / factor)
    two = planning_effect(scaled.sample(frac=1, random_state=1), adoption.iloc[::-1], permutations=2_000)
    for name in ("relative_change", "interval", "mean_change", "mean_interval", "given_record", "set_aside", "placebo"):
        assert getattr(two, name) == pytest.approx(getattr(one, name), rel=1e-8), name
    p_values = [name for name in one.to_dict() if name.endswith("p_value")]
    assert len(p_values) == 8
    assert [getattr(two, name) for name in p_values] == [getattr(one, name) for name in p_values]


def test_the_effect_is_the_same_whatever_segments_are_called():
    # Another name is another row of the panel: the assignments come in another order, and nothing else changes.
    errors, adoption = panel_of(cut=0.3, dates=(20, 24, 28, 32, None, None))
    one = planning_effect(errors, adoption)
    names = dict(zip(sorted(adoption["segment"]), ["F", "B", "E", "A", "D", "C"], strict=True))
    renamed = (frame.assign(segment=frame["segment"].map(names)) for frame in (errors, adoption))
    two = planning_effect(*renamed)
    assert two.n_assignments == one.n_assignments == 360
    assert two.p_value == one.p_value
    for name in ("relative_change", "interval", "mean_change", "mean_interval", "trend_p_value", "benchmark_p_value"):
        assert getattr(two, name) == pytest.approx(getattr(one, name), rel=1e-8), name


def test_theta_is_that_of_least_squares():
    errors, adoption = panel_of(cut=0.3, missing=0.05, seed=4)
    logs = np.log(np.maximum(errors["error"], 0.005)), np.log(errors["benchmark_error"] + 0.02)
    dummies = pd.get_dummies(errors[["segment", "period"]], dtype=float)
    beta = np.linalg.lstsq(np.column_stack([logs[1], dummies]), logs[0], rcond=None)[0]
    assert planning_effect(errors, adoption).theta == pytest.approx(beta[0], abs=1e-9)


def test_how_hard_a_segment_is_does_not_matter_and_how_hard_a_month_is_hardly():
    errors, adoption = panel_of(cut=0.3)
    one = planning_effect(errors, adoption)
    hard = errors["segment"].map({f"S{i:02d}": 1 + i for i in range(8)})
    two = planning_effect(errors.assign(error=errors["error"] * hard), adoption)
    assert two.relative_change == pytest.approx(one.relative_change, abs=1e-9)
    assert two.mean_interval == pytest.approx(one.mean_interval, abs=1e-9)
    # Months up to 13 times as hard as others: a mean error and log(error + c) see hard months more than easy ones.
    months = errors["period"].map({period: 0.5 + (i % 7) for i, period in enumerate(sorted(errors["period"].unique()))})
    three = planning_effect(errors.assign(error=errors["error"] * hard * months), adoption)
    assert three.verdict == one.verdict
    assert three.relative_change == pytest.approx(one.relative_change, abs=0.03)
    assert three.mean_change == pytest.approx(one.mean_change, abs=0.03)


@pytest.mark.long
@pytest.mark.slow
def test_the_effect_is_recovered():
    found = [planning_effect(*panel_of(cut=0.3, seed=100 + seed), permutations=1_000) for seed in range(40)]
    for name in ("relative_change", "mean_change", "given_record", "set_aside"):
        assert np.median([getattr(effect, name) for effect in found]) == pytest.approx(-0.3, abs=0.03), name


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
    assert effect.mean_change == -1
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


@pytest.mark.slow
def test_the_seed_matters_only_where_assignments_are_drawn():
    errors, adoption = panel_of(cut=0.3)
    full, again = (planning_effect(errors, adoption, seed=seed, permutations=25_000) for seed in (1, 2))
    assert full.to_dict() == again.to_dict()
    drawn = [planning_effect(errors, adoption, seed=seed, permutations=2_000) for seed in (1, 1, 2)]
    assert drawn[0].to_dict() == drawn[1].to_dict()
    assert drawn[0].interval != drawn[2].interval
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


def test_unknown_controls_are_refused():
    with pytest.raises(ParameterError, match="control"):
        effects(np.zeros((2, 4)), np.array([2, NEVER]), np.arange(4), control="all")  # type: ignore[arg-type]


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
