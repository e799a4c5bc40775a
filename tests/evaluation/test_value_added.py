"""Forecast value added: the ladder on the same targets, and the paired test by hand, by simulation, by properties."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from forecast.calendar import period_label
from forecast.errors import DataError, ParameterError
from forecast.evaluation.scores.comparison import LIKE, MOST_LIKE, diebold_mariano, holm, resemblance
from forecast.evaluation.scores.scoring import score
from forecast.evaluation.value_added import LADDER, habits, ladder_of, skill_tests, value_added


def test_paired_test_by_hand():
    # T = 8, m = 2. d = 1 + cos(2 pi t / 8) + cos(4 pi t / 8): each of the two ordinates is |4|^2 / 8 = 2. Neighbours
    # correlate by (2.828 - 1.414) / 8 = .177, corrected (8 x .177 + 1) / 5 = .48, so .5 stands. There the ordinates
    # are .25 / (1.25 - cos 45) = .4605 and .25 / 1.25 = .2 of that at frequency 0: the variance is 2 / .3303.
    t = np.arange(8)
    d = 1 + np.cos(2 * np.pi * t / 8) + np.cos(4 * np.pi * t / 8)
    test = diebold_mariano(d + 5, np.full(8, 5.0))
    assert test.df == 4
    assert test.statistic == pytest.approx(np.sqrt(8) / np.sqrt(2 / 0.33026), rel=1e-4)
    assert test.p_value == pytest.approx(2 * stats.t.sf(test.statistic, 4))
    assert test.mean_difference == pytest.approx(1)
    apart = diebold_mariano(d + 5, np.full(8, 5.0), alike=0.0)
    assert (apart.df, apart.statistic) == (4, pytest.approx(np.sqrt(8) / np.sqrt(2)))


def test_how_like_neighbours_are_by_hand():
    # 1, 2, 3, 4 less their mean: (1.5 x .5 - .5 x .5 + .5 x 1.5) / 5 = .25, corrected (4 x .25 + 1) / 1 = 2: the most.
    assert resemblance([1.0, 2.0, 3.0, 4.0]) == MOST_LIKE
    assert resemblance([1.0, -1.0] * 6) == LIKE
    # 0 x 4, 1 x 4, 0 x 4: 11 pairs of 12 months less 1/3: 8 within (6 of 1/9, 3 of 4/9), two of -2/9: 14/9 over 24/9.
    block = np.repeat([0.0, 1.0, 0.0], 4)
    assert resemblance(block) == pytest.approx((12 * (6 / 9 + 12 / 9 - 4 / 9) / (24 / 9) + 1) / 9)
    assert resemblance(7 - 3 * block) == pytest.approx(resemblance(block))


def test_with_many_months_it_is_daniell_s_test():
    """What is raised for neighbours goes to nothing as months get many: the plain ratio of mean and ordinates."""
    d = np.random.default_rng(4).normal(size=40_000) + 0.01
    spectrum = np.abs(np.fft.rfft(d - d.mean())[1:201]) ** 2 / len(d)
    plain = np.sqrt(len(d)) * d.mean() / np.sqrt(spectrum.mean())
    assert diebold_mariano(d, np.zeros(len(d))).statistic == pytest.approx(plain, rel=1e-3)


def test_paired_test_is_odd_and_has_no_unit():
    rng = np.random.default_rng(1)
    one, two = rng.gamma(2, size=(2, 40))
    there, back = diebold_mariano(one, two), diebold_mariano(two, one)
    assert there.statistic == pytest.approx(-back.statistic)
    assert there.p_value == pytest.approx(back.p_value)
    assert diebold_mariano(1000 * one, 1000 * two).p_value == pytest.approx(there.p_value)
    assert there.df == 12


def test_degrees_of_freedom():
    for size, df in ((8, 4), (9, 6), (15, 6), (16, 8), (24, 8), (25, 10), (63, 14), (64, 16)):
        assert diebold_mariano(np.random.default_rng(size).normal(size=size), np.zeros(size)).df == df


def neighbours(rng: np.random.Generator, count: int, months: int, ar: float) -> np.ndarray:
    """Return loss differences of nothing on the whole, (count, months), autocorrelation ar and variance 1."""
    d = rng.normal(size=(count, months))
    for t in range(1, months):
        d[:, t] = ar * d[:, t - 1] + np.sqrt(1 - ar**2) * d[:, t]
    return d


@pytest.mark.parametrize("months", [12, 23, 48])
@pytest.mark.parametrize("ar", [0.0, 0.5])
def test_size_of_the_paired_test(ar: float, months: int):
    d = neighbours(np.random.default_rng(2), 2_000, months, ar)
    p = np.array([diebold_mariano(row, np.zeros(months)).p_value for row in d])
    # Two standard errors above the level stated; far out too, where tests of a whole page are held to one level.
    assert np.mean(p <= 0.05) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 2_000)
    assert np.mean(p <= 0.005) <= 0.005 + 2 * np.sqrt(0.005 * 0.995 / 2_000)
    usual = np.abs(np.sqrt(months) * d.mean(axis=1) / d.std(axis=1)) > 1.96
    assert ar == 0 or usual.mean() > 0.2


def test_what_is_apart_is_found():
    d = neighbours(np.random.default_rng(3), 500, 23, 0.3) + 1
    assert np.mean([diebold_mariano(row, np.zeros(23)).p_value <= 0.05 for row in d]) > 0.7


def test_nothing_to_test():
    assert np.isnan(diebold_mariano([1, 2], [1, 2]).p_value)
    assert diebold_mariano(np.arange(9.0), np.arange(9.0)).p_value == 1
    with pytest.raises(ParameterError, match="same targets"):
        diebold_mariano([1, 2], [1])
    with pytest.raises(ParameterError, match="alike"):
        diebold_mariano(np.arange(9.0), np.ones(9), alike=1.0)
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
    table = value_added(scored, ladder=ladder_of(scored["model"]))
    # no pipeline-sales-only in this track: the model stands against the stage-weighted pipeline there is
    people = ["submitted-sales", "submitted-joint", "submitted-joint"]
    assert table["step"].tolist() == ["stage-weighted", "pipeline", *people]
    assert table["before"].tolist()[-2:] == ["pipeline", "submitted-sales"]
    table = table.drop_duplicates("step", keep="last").set_index("step")
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
    assert (table["n"] == [24, 48]).all()
    assert (table["months"] == [12, 24]).all()


def test_a_habit_is_tested_on_the_errors_of_months(scored: pd.DataFrame):
    table = habits(scored, by=["submitter"]).set_index("submitter")
    sales = scored[scored["model"] == "submitted-sales"]
    by_month = sales.groupby("target_period")["error"].mean()
    test = diebold_mariano(by_month, np.zeros(24))
    assert table.loc["sales", "p_value"] == pytest.approx(test.p_value)
    assert test.statistic > 0  # too high is positive
    assert (table["p_holm"] >= table["p_value"]).all()
    few = habits(scored[scored["target_period"] <= "2024-06"], by=["submitter"]).set_index("submitter")
    assert np.isnan(few.loc["sales", "p_value"])
    assert few.loc["sales", "months"] == 5
    assert habits(scored[scored["submitter"] == ""]).empty


def test_holm_by_hand():
    # 3 x .01 = .03; 2 x .02 = .04; 1 x .03 = .03, but no smaller than the one before it: .04
    assert holm([0.03, 0.01, np.nan, 0.02]) == pytest.approx([0.04, 0.03, np.nan, 0.04], nan_ok=True)
    assert holm([0.6, 0.7]) == pytest.approx([1, 1])
    assert holm([]).shape == (0,)
    for wrong in ([1.2], [-0.1]):
        with pytest.raises(DataError, match="between 0 and 1"):
            holm(wrong)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_holm_agrees_with_statsmodels(count: int):
    p = np.random.default_rng(count).uniform(0, 0.3, count)
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def plain(rows: list[tuple[str, str, str, int, float, float]]) -> pd.DataFrame:
    """Score forecasts of one segment: model, origin, target, horizon, said, observed."""
    frame = pd.DataFrame(rows, columns=["model", "origin", "target_period", "horizon", "mean", "observed"])
    return score(frame.assign(origin=pd.to_datetime(frame["origin"]), segment="A"))


def test_people_stand_beside_what_the_model_said_a_month_before_them():
    rows = [
        ("pipeline", "2026-01-31", "2026-03", 2, 130.0, 100.0),  # what people could have had: 30 off
        ("pipeline", "2026-02-28", "2026-03", 1, 101.0, 100.0),  # made after them
        ("submitted-sales", "2026-02-28", "2026-03", 1, 90.0, 100.0),
        ("submitted-joint", "2026-02-28", "2026-03", 1, 95.0, 100.0),
    ]
    same, before = (value_added(plain(rows), lag=lag).drop_duplicates("step", keep="last") for lag in (0, 1))
    same, before = same.set_index("step"), before.set_index("step")
    assert same.loc["submitted-sales", "added"] == pytest.approx(0.01 - 0.10)
    assert before.loc["submitted-sales", "added"] == pytest.approx(0.30 - 0.10)
    assert before.loc["submitted-sales", ["lag", "n"]].tolist() == [1, 1]
    # from people to people nothing is moved
    assert before.loc["submitted-joint", ["lag", "added"]].tolist() == pytest.approx([0, 0.05])
    # two origins in one month: the last one stands for it
    twice = [("pipeline", "2026-01-15", "2026-03", 2, 200.0, 100.0), *rows]
    assert value_added(plain(twice), lag=1).set_index("step").loc["submitted-sales", "wape_before"] == pytest.approx(
        0.3
    )
    assert value_added(plain(rows), lag=2)["step"].tolist() == ["submitted-joint"]
    with pytest.raises(ParameterError, match="negative"):
        value_added(plain(rows), lag=-1)


def test_the_ladder_has_a_step_for_everybody_who_submitted():
    people = tuple(step for step in LADDER if step[0].startswith("submitted-"))
    models = ["seasonal-naive", "stage-weighted", "stage-weighted-future", "pipeline", "pipeline-sales-only"]
    assert ladder_of([*models, "submitted-sales"]) == LADDER
    assert ladder_of([*models, "submitted-finance"]) == (*LADDER, ("submitted-finance", "pipeline"))
    # joint forecasts are held against the model as well as against sales' own
    assert people[-2:] == (("submitted-joint", "pipeline"), ("submitted-joint", "submitted-sales"))


def test_the_model_stands_against_a_stage_weighted_pipeline_with_the_deals_to_come():
    fair, bare = "stage-weighted-future", "stage-weighted"
    both = ["seasonal-naive", bare, fair, "pipeline-sales-only", "pipeline"]
    assert ("pipeline-sales-only", fair) in ladder_of(both)
    assert all(bare not in step for step in ladder_of(both))
    # where there is none with deals to come the bare one is all there is; without a model without marketing, ours
    assert ("pipeline-sales-only", bare) in ladder_of([each for each in both if each != fair])
    assert ladder_of(["pipeline", fair])[:2] == ((fair, "seasonal-naive"), ("pipeline", fair))
    assert ladder_of(["pipeline", bare])[:2] == ((bare, "seasonal-naive"), ("pipeline", bare))


def test_months_that_differ_the_way_of_the_sum_are_counted():
    rows = []
    for month, (before, after) in enumerate(((30.0, 20.0), (30.0, 20.0), (30.0, 40.0), (30.0, 30.0)), start=1):
        target = {"origin": f"2025-{month:02}-28", "target_period": f"2025-{month + 1:02}", "horizon": 1}
        for model, error in (("seasonal-naive", before), ("stage-weighted-future", after)):
            rows.append((model, *target.values(), 100.0 + error, 100.0))
    (row,) = value_added(plain(rows)).to_dict("records")
    assert (row["months"], row["agreeing"]) == (4, 2)  # less in sum, and less in two of four; one is a tie
    turned = [(names.get(model, model), *rest) for model, *rest in rows for names in [SWAPPED]]
    (row,) = value_added(plain(turned)).to_dict("records")
    assert row["added"] < 0
    assert row["agreeing"] == 2


SWAPPED = {"seasonal-naive": "stage-weighted-future", "stage-weighted-future": "seasonal-naive"}


@pytest.mark.long
@pytest.mark.slow
def test_a_ladder_of_equals_is_seldom_said_to_add_anything():
    """Forecasts of one accuracy, errors that last: any step is claimed in about one ladder of twenty at most."""
    rng = np.random.default_rng(4)
    models = list(dict.fromkeys(["seasonal-naive", *(step for step, _ in LADDER)]))
    months, segments, repeats = 24, 3, 200
    names = pd.MultiIndex.from_product([models, range(months), list("ABC")], names=["model", "t", "segment"]).to_frame(
        index=False
    )
    names["target_period"] = [period_label(12 * 2024 + t) for t in names["t"]]
    names["origin"] = pd.Timestamp("2024-01-31") + pd.to_timedelta(names["t"] * 30, unit="D")
    names = names.assign(horizon=1, span="month", observed=100.0)
    claimed = 0
    for _ in range(repeats):
        e = rng.normal(size=(len(models), months, segments))
        for t in range(1, months):
            e[:, t] = 0.4 * e[:, t - 1] + np.sqrt(1 - 0.16) * e[:, t]
        error = 30 * e.ravel()
        table = value_added(names.assign(error=error, mean=100 + error, abs_error=np.abs(error)))
        claimed += bool((table["p_holm"] <= 0.05).any())
    assert len(table) == len(LADDER) == 8
    assert claimed / repeats <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repeats)


def test_skill_is_tested_by_lead_time_beside_the_benchmark():
    rng = np.random.default_rng(8)
    rows = []
    for month in range(24):
        for horizon in (1, 2):
            for segment in ("East", "West"):
                period, y = f"{2024 + month // 12}-{month % 12 + 1:02d}", 100.0 + rng.normal(0, 5)
                origin = str((pd.Period(period) - horizon).end_time.date())
                rows.append(("ets", origin, period, horizon, segment, y + rng.normal(0, 30), y))
                spread = 10 if horizon == 1 else 30
                rows.append(("pipeline", origin, period, horizon, segment, y + rng.normal(0, spread), y))
    names = ["model", "origin", "target_period", "horizon", "segment", "mean", "observed"]
    found = score(pd.DataFrame(rows, columns=names))
    table = skill_tests(found).set_index(["model", "level", "horizon"])
    assert list(table.index) == [("pipeline", "segment", 1), ("pipeline", "segment", 2)]
    near = found[(found["horizon"] == 1) & (found["level"] == "segment")]
    mean = near.groupby(["model", "target_period"])["abs_error"].mean()
    test = diebold_mariano(mean["ets"], mean["pipeline"])
    row = table.loc[("pipeline", "segment", 1)]
    assert (row["statistic"], row["p_value"]) == pytest.approx((test.statistic, test.p_value))
    assert row["p_value"] < 0.01 < 0.1 < table.loc[("pipeline", "segment", 2), "p_value"]
    assert table["p_holm"].to_numpy() == pytest.approx(holm(table["p_value"].to_numpy()))
    assert skill_tests(found[found["model"] == "pipeline"]).empty
    few = skill_tests(found[found["target_period"] <= "2024-05"])
    assert few["p_holm"].isna().all()


@pytest.mark.long
@pytest.mark.slow
def test_equals_are_seldom_said_to_have_skill():
    claimed = 0
    for seed in range(200):
        rng = np.random.default_rng([seed, 3])
        rows = []
        for month in range(23):
            for horizon in range(1, 7):
                y = 100 + rng.normal(0, 10)
                for model in ("ets", "pipeline"):
                    period = str(pd.Period("2024-01") + month)
                    rows.append((model, "2023-12-31", period, horizon, "East", "segment", y, abs(rng.normal(0, 30))))
        names = ["model", "origin", "target_period", "horizon", "segment", "level", "observed", "abs_error"]
        frame = pd.DataFrame(rows, columns=names).assign(span="month", mean=0.0)
        frame["error"] = frame["abs_error"]
        claimed += bool((skill_tests(frame)["p_holm"] <= 0.05).any())
    assert claimed <= 18  # 5 % of 200 is 10; more than 18 would be seen less than once in 100 times
