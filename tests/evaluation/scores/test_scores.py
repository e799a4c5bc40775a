"""Scores: by hand, as properties, against scikit-learn and statsmodels, and against published figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn import metrics

from forecast.calendar import Calendar, period_label
from forecast.data.schema import QUANTILE_COLUMNS, QUANTILES
from forecast.errors import DataError, ParameterError
from forecast.evaluation.scores import amounts, events, scoring
from forecast.evaluation.scores.amounts import crps_weights

# -- points: three rows by hand --------------------------------------------------------------------------

OBSERVED, PREDICTED = [100.0, 200.0, 0.0], [110.0, 150.0, 20.0]


def test_points_by_hand():
    # errors +10, -50, +20; observed together 300
    assert amounts.wape(OBSERVED, PREDICTED) == pytest.approx(80 / 300)
    assert amounts.bias(OBSERVED, PREDICTED) == pytest.approx(-20 / 300)
    assert amounts.mae(OBSERVED, PREDICTED) == pytest.approx(80 / 3)
    assert amounts.smape(OBSERVED, PREDICTED) == pytest.approx((2 * 10 / 210 + 2 * 50 / 350 + 2) / 3)
    # history 10, 20, 40, 20: steps of one 10, 20, 20 (mean 50/3); of two 30, 0 (mean 15)
    history = [10.0, 20.0, 40.0, 20.0]
    assert amounts.mase(OBSERVED, PREDICTED, history, season=1) == pytest.approx((80 / 3) / (50 / 3))
    assert amounts.mase(OBSERVED, PREDICTED, history, season=2) == pytest.approx((80 / 3) / 15)
    assert amounts.skill(0.3, 0.5) == pytest.approx(0.4)


def test_a_ratio_to_nothing_is_unknown_not_infinite():
    assert np.isnan(amounts.wape([0, 0], [1, 2]))
    assert np.isnan(amounts.bias([0, 0], [1, 2]))
    assert np.isnan(amounts.mase([1.0], [2.0], [5, 5, 5], season=1))
    assert np.isnan(amounts.skill(1, 0))
    assert np.isnan(amounts.mae([], []))
    assert amounts.smape([0], [0]) == 0


def test_missing_pairs_are_left_out_and_bad_input_is_named():
    assert amounts.wape([100, np.nan, 50], [90, 5, np.nan]) == pytest.approx(0.1)
    with pytest.raises(DataError, match="predicted"):
        amounts.wape([1, 2], ["1", "two"])
    with pytest.raises(ParameterError, match="shape"):
        amounts.wape([1, 2], [1, 2, 3])
    with pytest.raises(ParameterError, match="season"):
        amounts.mase([1], [1], [1, 2], season=0)


positive = st.floats(0.1, 1e6)


@given(arrays(float, 7, elements=positive), arrays(float, 7, elements=positive), st.floats(0.01, 100))
def test_ratios_do_not_know_the_currency(y, f, rate):
    assert amounts.wape(rate * y, rate * f) == pytest.approx(amounts.wape(y, f))
    assert abs(amounts.bias(y, f)) <= amounts.wape(y, f) + 1e-12
    assert 0 <= amounts.smape(y, f) <= 2


@pytest.mark.slow
@pytest.mark.parametrize("method", ["Naive", "sNaive", "Naive2", "SES", "024", "218", "249"])
def test_published_m4_weekly_figures(real_data: Path, method: str):
    folder = real_data / "m4_weekly"
    test = pd.read_csv(folder / "Weekly-test.csv", index_col=0)
    train = pd.read_csv(folder / "Weekly-train.csv.gz", index_col=0)
    submitted = pd.read_csv(folder / f"weekly_forecast_{method}.csv", index_col=0)
    # The submissions are in an order of their own.
    submitted = submitted.set_axis(submitted.index.str.strip()).loc[test.index]
    predicted = submitted.iloc[:, : test.shape[1]].astype(float).to_numpy()
    observed = test.to_numpy(dtype=float)
    history = [row[~np.isnan(row)] for row in train.to_numpy(dtype=float)]
    smape = np.mean([100 * amounts.smape(y, f) for y, f in zip(observed, predicted, strict=True)])
    mase = np.mean([amounts.mase(y, f, h, season=1) for y, f, h in zip(observed, predicted, history, strict=True)])
    published = pd.read_csv(folder / "published_results_by_frequency.csv", dtype={"method": str})
    published = published.set_index(published["method"].str.strip().str.lstrip("0"))
    row = published.loc[method.lstrip("0")]
    assert round(smape, 3) == pytest.approx(row["sMAPE_Weekly"], abs=1e-9)
    assert round(mase, 3) == pytest.approx(row["MASE_Weekly"], abs=1e-9)


# -- distributions ---------------------------------------------------------------------------------------


def test_quantile_scores_by_hand():
    assert amounts.pinball([10.0, 10.0], [8.0, 13.0], level=0.9).tolist() == pytest.approx([1.8, 0.3])
    # levels .25, .5, .75 stand for widths .375, .25, .375; y = 3 beside 1, 2, 5: losses .5, .5, .5
    assert crps_weights([0.25, 0.5, 0.75]).tolist() == pytest.approx([0.375, 0.25, 0.375])
    assert amounts.crps_from_quantiles(3.0, [1.0, 2.0, 5.0], levels=[0.25, 0.5, 0.75]) == pytest.approx(1.0)
    assert amounts.mean_pinball(3.0, [1.0, 2.0, 5.0], levels=[0.25, 0.5, 0.75]) == pytest.approx(0.5)
    # width 10; below by 2 at 80 %: 10 + 2/.2 * 2
    assert amounts.interval_score([5.0, -2.0, 11.0], 0.0, 10.0, nominal=0.8).tolist() == pytest.approx([10, 30, 20])
    inside = amounts.interval_coverage([0.0, 10.0, 10.1, np.nan], 0.0, 10.0)
    assert inside[:3].tolist() == [1, 1, 0]
    assert np.isnan(inside[3])


def test_pit_by_hand():
    q = [[0.0, 0.0, 0.0, 10.0, 20.0, 30.0, 40.0]] * 6
    pit = amounts.pit_from_quantiles([-1.0, 0.0, 5.0, 10.0, 35.0, 41.0], q)
    # below all: half of .025; on the mass of three: the middle of .025 to .25; halfway .25 to .5; on q50; beyond
    assert pit.tolist() == pytest.approx([0.0125, 0.1375, 0.375, 0.5, (0.9 + 0.975) / 2, 0.9875])


def test_crps_goes_to_the_closed_form_of_the_normal():
    taus = np.linspace(0.0005, 0.9995, 1000)
    q = stats.norm.ppf(taus, loc=3, scale=2)
    y = np.array([-2.0, 3.0, 4.5])
    z = (y - 3) / 2
    closed = 2 * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))
    got = amounts.crps_from_quantiles(y, np.tile(q, (3, 1)), levels=taus)
    np.testing.assert_allclose(got, closed, rtol=1e-3)


def test_seven_levels_score_a_normal_three_per_cent_low():
    y = np.random.default_rng(1).normal(size=200_000)
    q = np.tile(stats.norm.ppf(QUANTILES), (len(y), 1))
    assert amounts.crps_from_quantiles(y, q).mean() * np.sqrt(np.pi) == pytest.approx(0.971, abs=0.004)
    pit = amounts.pit_from_quantiles(y, q)
    assert pit.mean() == pytest.approx(0.5, abs=0.003)
    inside = [np.mean(pit < tau) for tau in QUANTILES]
    np.testing.assert_allclose(inside, QUANTILES, atol=0.004)


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_a_point_scores_its_distance(y, point):
    assert amounts.crps_from_quantiles(y, [point] * 7) == pytest.approx(abs(y - point), abs=1e-9)


@pytest.mark.parametrize("shift", [-0.5, 0.5])
def test_the_true_quantiles_score_best(shift):
    y = np.random.default_rng(2).normal(size=50_000)
    q = np.tile(stats.norm.ppf(QUANTILES), (len(y), 1))
    best = amounts.crps_from_quantiles(y, q).mean()
    assert best < amounts.crps_from_quantiles(y, q + shift).mean()
    assert best < amounts.crps_from_quantiles(y, q * (1 + shift)).mean()
    at = [amounts.interval_score(y, s * q[:, 1], s * q[:, 5], nominal=0.8).mean() for s in (1.0, 1.0 + shift)]
    assert at[0] < at[1]


@pytest.mark.parametrize("levels", [[], [0.5, 0.5], [0.9, 0.1], [0, 0.5], [0.5, 1]])
def test_levels_must_increase_within_0_and_1(levels):
    with pytest.raises(ParameterError, match="levels"):
        amounts.crps_from_quantiles([1.0], np.ones((1, len(levels))), levels=levels)


# -- events ----------------------------------------------------------------------------------------------


def test_event_scores_by_hand():
    happened, said = [1, 0, 1], [0.8, 0.4, 0.4]
    assert events.brier(happened, said) == pytest.approx((0.04 + 0.16 + 0.36) / 3)
    assert events.log_score(happened, said) == pytest.approx(-(np.log(0.8) + np.log(0.6) + np.log(0.4)) / 3)
    # pairs: .8 over .4, and a tie
    assert events.auc(happened, said) == pytest.approx(0.75)
    parts = events.brier_decomposition(happened, said, bins=10)
    # groups: .4 twice with rate 1/2; .8 once with rate 1; base rate 2/3
    assert parts.reliability == pytest.approx((2 * 0.1**2 + 0.2**2) / 3)
    assert parts.resolution == pytest.approx((2 * (1 / 6) ** 2 + (1 / 3) ** 2) / 3)
    assert parts.uncertainty == pytest.approx(2 / 9)
    assert parts.within == pytest.approx(0, abs=1e-15)


@pytest.fixture(scope="module")
def happenings() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    logit = rng.normal(-1, 1.2, 20_000)
    said = 1 / (1 + np.exp(-logit))
    happened = (rng.random(len(said)) < 1 / (1 + np.exp(-(0.3 + 0.7 * logit)))).astype(float)
    return happened, np.round(said, 3)


def test_events_against_scikit_learn(happenings):
    happened, said = happenings
    assert events.brier(happened, said) == pytest.approx(metrics.brier_score_loss(happened, said))
    assert events.log_score(happened, said) == pytest.approx(metrics.log_loss(happened, said))
    assert events.auc(happened, said) == pytest.approx(metrics.roc_auc_score(happened, said))


def test_calibration_recovers_the_line_and_agrees_with_statsmodels(happenings):
    import statsmodels.api as sm

    happened, said = happenings
    line = events.calibration(happened, said)
    assert line.intercept == pytest.approx(0.3, abs=0.06)
    assert line.slope == pytest.approx(0.7, abs=0.05)
    p = np.clip(said, 1e-6, 1 - 1e-6)
    x = np.log(p / (1 - p))
    reference = sm.Logit(happened, sm.add_constant(x)).fit(disp=0).params
    assert [line.intercept, line.slope] == pytest.approx(list(reference), abs=1e-6)
    large = sm.GLM(happened, np.ones(len(x)), family=sm.families.Binomial(), offset=x).fit().params
    assert line.in_the_large == pytest.approx(float(large[0]), abs=1e-6)


def test_the_interval_of_a_share():
    # By hand, z = 1.959964: none of ten, z^2/(10 + z^2); half of ten, .5 +- z/2 sqrt(10 + z^2)/(10 + z^2).
    assert events.share_interval(0, 10) == pytest.approx((0.0, 0.277533), abs=1e-6)
    assert events.share_interval(5, 10) == pytest.approx((0.236593, 0.763407), abs=1e-6)
    assert events.share_interval(10, 10)[0] == pytest.approx(1 - 0.277533, abs=1e-6)
    assert np.isnan(events.share_interval(0, 0)).all()
    for happened, n in ((-1, 10), (11, 10), (0, -1)):
        with pytest.raises(ParameterError, match="happened"):
            events.share_interval(happened, n)
    with pytest.raises(ParameterError, match="nominal"):
        events.share_interval(1, 2, nominal=95)


def test_the_interval_of_a_share_against_statsmodels():
    from statsmodels.stats.proportion import proportion_confint

    for happened, n, nominal in ((57, 249, 0.95), (1, 3, 0.8), (500, 1000, 0.99)):
        expected = proportion_confint(happened, n, alpha=1 - nominal, method="wilson")
        assert events.share_interval(happened, n, nominal=nominal) == pytest.approx(expected)


def test_brier_parts_add_up(happenings):
    parts = events.brier_decomposition(*happenings, bins=10)
    assert parts.brier == pytest.approx(parts.reliability - parts.resolution + parts.uncertainty + parts.within)
    assert abs(parts.within) < 0.002
    exact = events.brier_decomposition(happenings[0], np.round(happenings[1], 1), bins=1000)
    assert exact.within == pytest.approx(0, abs=1e-12)


def test_events_that_cannot_be_scored():
    assert np.isnan(events.auc([1, 1], [0.3, 0.4]))
    assert np.isnan(events.calibration([0, 0], [0.3, 0.4]).slope)
    assert np.isnan(events.calibration([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]).slope)  # no overlap
    assert events.log_score([1], [0.0]) == pytest.approx(-np.log(1e-15))
    with pytest.raises(DataError, match="probability"):
        events.brier([1, 0], [0.5, 1.2])
    with pytest.raises(DataError, match="happened"):
        events.brier([1, 2], [0.5, 0.2])


# -- one row a forecast, then ratios of sums -------------------------------------------------------------


def forecasts(rows: list[tuple], *, quantiles: bool = True) -> pd.DataFrame:
    """Return a forecast table from (model, origin, target, horizon, segment, mean, observed)."""
    names = ["model", "origin", "target_period", "horizon", "segment", "mean", "observed"]
    frame = pd.DataFrame(rows, columns=names)
    frame["origin"] = pd.to_datetime(frame["origin"])
    for column, level in zip(QUANTILE_COLUMNS, QUANTILES, strict=True):
        frame[column] = frame["mean"] * (0.5 + level) if quantiles else np.nan
    return frame


TRACK = forecasts(
    [
        ("pipeline", "2026-01-31", "2026-02", 1, "A", 90.0, 100.0),
        ("pipeline", "2026-01-31", "2026-02", 1, "B", 12.0, 10.0),
        ("pipeline", "2026-02-28", "2026-03", 1, "A", 130.0, 100.0),
        ("pipeline", "2026-02-28", "2026-03", 1, "B", np.nan, 10.0),
        ("pipeline", "2026-03-31", "2026-04", 1, "A", 130.0, np.nan),
        ("ets", "2026-01-31", "2026-02", 1, "A", 80.0, 100.0),
        ("ets", "2026-01-31", "2026-02", 1, "B", 30.0, 10.0),
        ("ets", "2026-02-28", "2026-03", 1, "B", 90.0, 10.0),
    ]
)


def test_score_and_summarise_by_hand():
    scored = scoring.score(TRACK)
    assert len(scored) == 7  # the row without an outcome is left out
    assert scored["error"].round(6).tolist()[:3] == [-10, 2, 30]
    assert scored["abstained"].sum() == 1
    # quantiles of the first: 90 x (.525 .6 .75 1 1.25 1.4 1.475); 100 lies in all three intervals
    first = scored.iloc[0]
    assert (first["in50"], first["in80"], first["in95"]) == (1, 1, 1)
    assert first["interval80"] == pytest.approx(90 * 0.8)
    assert first["pit"] == pytest.approx(0.5 + 0.25 * (100 - 90) / (90 * 0.25))
    table = scoring.summarise(scored, by=["model"]).set_index("model")
    ours = table.loc["pipeline"]
    assert (ours["n"], ours["abstained"], ours["observed"]) == (3, 1, 210)
    assert ours["wape"] == pytest.approx(42 / 210)
    assert ours["bias"] == pytest.approx(22 / 210)
    # Both have February only: ours 10 + 2, theirs 20 + 20.
    assert ours["n_common"] == 2
    assert ours["skill"] == pytest.approx(1 - 12 / 40)
    assert table.loc["ets", "skill"] == pytest.approx(0)
    assert table.loc["ets", "wape"] == pytest.approx(120 / 120)


def test_pooled_not_a_mean_of_ratios():
    table = scoring.summarise(scoring.score(TRACK), by=["model", "segment"]).set_index(["model", "segment"])
    each = table.loc["pipeline", "wape"]
    assert each["A"] == pytest.approx(40 / 200)
    assert each["B"] == pytest.approx(0.2)
    # ets on B: 20 of 10 and 80 of 10; the mean of the ratios would be 5, too, but of 2 and 8 weighted by money
    assert table.loc[("ets", "B"), "wape"] == pytest.approx(100 / 20)


def test_common_targets():
    common = scoring.common_targets(scoring.score(TRACK))
    assert len(common) == 4
    assert set(common["target_period"]) == {"2026-02"}
    with pytest.raises(ParameterError, match="did you mean 'pipeline'"):
        scoring.common_targets(scoring.score(TRACK), models=["pipelin"])


def test_scale_of_mase_ends_at_the_origin():
    periods = [f"{2023 + m // 12}-{m % 12 + 1:02d}" for m in range(40)]
    amounts = np.arange(40.0) ** 2
    actuals = pd.DataFrame({"period": periods, "segment": "A", "amount": amounts})
    track = forecasts(
        [
            ("ets", "2025-06-30", "2025-07", 1, "A", 900.0, 900.0 + 12),
            ("ets", "2025-06-15", "2025-07", 1, "A", 900.0, 900.0 + 12),
            ("ets", "2024-03-31", "2024-04", 1, "A", 900.0, 900.0 + 12),
            ("ets", "2025-06-30", "2025-07", 1, "B", 900.0, 900.0 + 12),
        ]
    )
    scored = scoring.score(track, actuals=actuals)
    steps = amounts[12:] - amounts[:-12]
    assert scored["scale"].iloc[0] == pytest.approx(steps[:18].mean())  # January 2024 to June 2025
    assert scored["scale"].iloc[1] == pytest.approx(steps[:17].mean())  # June had not ended
    assert np.isnan(scored["scale"].iloc[2])  # three steps are too few
    assert np.isnan(scored["scale"].iloc[3])
    changed = actuals.assign(amount=np.where(np.arange(40) > 29, 1e9, amounts))
    assert scoring.score(track, actuals=changed)["scale"].iloc[0] == pytest.approx(steps[:18].mean())


@pytest.mark.parametrize("pattern", ["4-4-5", "5-4-4", "month"])
def test_the_scale_ends_with_the_last_month_of_the_companys_calendar(pattern):
    calendar, first, months = Calendar(fiscal_year_start=2, pattern=pattern), 2023 * 12, 40
    labels = [period_label(first + m) for m in range(months)]
    amounts = np.arange(float(months)) ** 2
    actuals = pd.DataFrame({"period": labels, "segment": "A", "amount": amounts})
    rows = []
    for month in range(18, 39):
        end = calendar.end(first + month)
        rows.append(("ets", f"{end:%Y-%m-%d}", labels[month + 1], 1, "A", 0.0, 1.0))
        before = f"{end - pd.Timedelta(days=3):%Y-%m-%d}"  # the month is in progress
        rows += [("ets", before, labels[month + ahead], ahead, "A", 0.0, 1.0) for ahead in (0, 1)]
    track = forecasts(rows)
    steps = amounts[12:] - amounts[:-12]
    month = (track["target_period"].map(labels.index) - track["horizon"]).to_numpy()
    ended = month - (pd.to_datetime(track["origin"]) != [calendar.end(first + m) for m in month]).to_numpy()
    expected = [steps[: m - 11].mean() for m in ended]
    for known in (calendar, None):
        np.testing.assert_allclose(scoring.score(track, actuals=actuals, calendar=known)["scale"], expected)
    month_ends = track[track["horizon"] == 1].iloc[::2]
    scored = scoring.score(month_ends, actuals=actuals, calendar=calendar)
    np.testing.assert_allclose(scored["scale"], np.array(expected)[month_ends.index])


def test_scale_from_the_track_itself():
    rows = [
        (
            "ets",
            f"{2023 + (m - 1) // 12}-{(m - 1) % 12 + 1:02d}-28",
            f"{2023 + m // 12}-{m % 12 + 1:02d}",
            1,
            "A",
            5.0,
            m,
        )
        for m in range(1, 30)
    ]
    scored = scoring.score(forecasts(rows))
    # every seasonal step is 12; the 28th is no month end except in February
    assert scored["scale"].iloc[-1] == 12
    assert scored["scale"].isna().sum() > 12


def test_zero_bookings_give_unknown_ratios():
    track = forecasts([("ets", "2026-01-31", "2026-02", 1, "A", 5.0, 0.0)])
    row = scoring.summarise(scoring.score(track), by=["model"]).iloc[0]
    assert row[["wape", "bias", "crps"]].isna().all()
    assert row["n"] == 1
    # A forecast of nothing for nothing is no skill of 100 %, and a range from 0 that holds 0 did not hold.
    row_of = ("2026-01-31", "2026-02", 1, "A")
    both = forecasts([("ets", *row_of, 5.0, 0.0), ("seasonal-naive", *row_of, 0.0, 0.0)])
    both[list(QUANTILE_COLUMNS[:2])] = 0.0
    table = scoring.summarise(scoring.score(both), by=["model"])
    assert table[["skill", "skill_crps", "coverage50", "coverage80", "coverage95"]].isna().all(axis=None)


def test_submitted_forecasts_have_no_distribution_and_did_not_abstain():
    track = forecasts([("submitted-sales", "2026-01-31", "2026-02", 1, "A", 5.0, 4.0)], quantiles=False)
    row = scoring.summarise(scoring.score(track), by=["submitter"]).iloc[0]
    assert row["submitter"] == "sales"
    assert row["abstained"] == 0
    assert np.isnan(row["coverage80"])
    assert row["wape"] == pytest.approx(0.25)


def test_coverage_counts_forecasts_with_intervals_only():
    both = pd.concat([TRACK, forecasts([("pipeline", "2026-01-31", "2026-02", 1, "C", 1.0, 50.0)], quantiles=False)])
    row = scoring.summarise(scoring.score(both), by="model").set_index("model").loc["pipeline"]
    assert row["coverage80"] == pytest.approx(1.0)
    assert row["n"] == 4


def test_bad_requests_name_the_nearest():
    scored = scoring.score(TRACK)
    with pytest.raises(ParameterError, match="did you mean 'horizon'"):
        scoring.summarise(scored, by=["model", "horizn"])
    with pytest.raises(ParameterError, match="did you mean 'pipeline'"):
        scoring.summarise(scored, by=["model"], baseline="pipelines")
    with pytest.raises(ParameterError, match="at least one"):
        scoring.summarise(scored, by=[])
    with pytest.raises(ParameterError, match="'error'"):
        scoring.summarise(scored, by=["error"])
    with pytest.raises(DataError, match=r"track\.observed"):
        scoring.score(TRACK.drop(columns="observed"))
    with pytest.raises(DataError, match="text where a number"):
        scoring.score(TRACK.assign(mean=["x"] * len(TRACK)))
    with pytest.raises(DataError, match="twice"):
        scoring.score(pd.concat([TRACK, TRACK]))


def test_inputs_stay_as_they_were():
    before = TRACK.copy(deep=True)
    scoring.summarise(scoring.score(TRACK), by=["model", "horizon"])
    pd.testing.assert_frame_equal(TRACK, before)


def two_spans() -> pd.DataFrame:
    """Two months that miss by 10 either way, and the quarter made of them, which misses by nothing."""
    row = {"model": "ets", "origin": pd.Timestamp("2025-12-31"), "horizon": 1, "segment": "East"}
    targets = [("2026-01", 110.0, 100.0), ("2026-02", 90.0, 100.0), ("FY26 Q1", 200.0, 200.0)]
    return scoring.score(pd.DataFrame([row | dict(zip(SPANS, each, strict=True)) for each in targets]))


SPANS = ("target_period", "mean", "observed")


def test_months_and_quarters_summed_up_together_are_told():
    mixed = scoring.summarise(two_spans(), by=["model"])
    assert mixed["wape"].item() == pytest.approx(20 / 400)  # half of what the months miss by
    assert "sales count twice" in mixed.attrs["notes"][0]
    for by in (["model", "span"], ["target_period"]):
        assert "notes" not in scoring.summarise(two_spans(), by=by).attrs
    months = scoring.summarise(two_spans().query("span == 'month'"), by=["model"])
    assert months["wape"].item() == pytest.approx(20 / 200)
    assert "notes" not in months.attrs


def test_what_is_not_scored_is_sent_to_score():
    with pytest.raises(ParameterError, match=r"give forecast\.score\(track\)"):
        scoring.summarise(two_spans().drop(columns="abs_error"), by=["model"])
