"""The bookings forecast: addends and draws by hand, properties of the table, no sight of the future, thin data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import forecast
from companies import make_snapshot, plain_company
from forecast.data.schema import ADDENDS, FORECAST_COLUMNS, QUANTILE_COLUMNS, TOTAL
from forecast.errors import ParameterError
from forecast.models.pipeline.bookings import forecast_bookings
from forecast.models.pipeline.corrections import Unsure, _Errors, _with_prior, shared_errors
from forecast.models.pipeline.draws import draw_new, draw_open, draw_shared
from walks import kept_walks


@pytest.fixture(scope="module")
def log(sample):
    return forecast.read(sample)


@pytest.fixture(scope="module")
def snap(log):
    return forecast.snapshot(log, as_of="2026-03-31")


@pytest.fixture(scope="module")
def table(snap):
    return forecast_bookings(snap, months=6, seed=3)


def check(table: pd.DataFrame) -> None:
    """Hold what is always true of a forecast that did not abstain."""
    assert list(table.columns) == [*FORECAST_COLUMNS, *ADDENDS, "plan", "p_at_least_plan"]
    numbers = table[["mean", *QUANTILE_COLUMNS, *ADDENDS]].to_numpy()
    assert np.isfinite(numbers).all()
    assert (numbers >= 0).all()
    np.testing.assert_allclose(table[list(ADDENDS)].sum(axis=1), table["mean"], rtol=1e-9)
    quantiles = table[list(QUANTILE_COLUMNS)].to_numpy()
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert (quantiles[:, 0] >= table["booked"] - 1e-6).all()
    parts = table[table["segment"] != TOTAL].groupby("target_period")[["mean", *ADDENDS]].sum()
    total = table[table["segment"] == TOTAL].set_index("target_period")[["mean", *ADDENDS]]
    pd.testing.assert_frame_equal(parts.sort_index(), total.sort_index(), check_like=True)
    assert table["p_at_least_plan"].dropna().between(0, 1).all()


# -- draws ---------------------------------------------------------------------------------------------


def test_open_deals_are_coin_tosses():
    rng = np.random.default_rng(1)
    n = 30
    chance = rng.dirichlet([1, 1, 4], n)[:, :2]
    value = np.round(rng.lognormal(3, 1, (n, 2)))
    draws = draw_open(chance, value, np.zeros(n, dtype=int), segments=1, ratios=np.ones(1), seed=1, draws=40_000)
    # Poisson binomial, weighted: mean sum pA, variance sum p(1-p)A^2; two steps exclude each other.
    mean, variance = (chance * value).sum(axis=0), (chance * (1 - chance) * value**2).sum(axis=0)
    np.testing.assert_allclose(draws.mean(axis=0)[0], mean, atol=4 * np.sqrt(variance.max() / 40_000))
    np.testing.assert_allclose(draws.var(axis=0)[0], variance, rtol=0.05)
    covariance = -(chance[:, 0] * chance[:, 1] * value[:, 0] * value[:, 1]).sum()
    assert np.cov(draws[:, 0].T)[0, 1] == pytest.approx(covariance, rel=0.25)


def test_one_giant_deal_is_shown_as_the_coin_toss_it_is():
    draws = draw_open(
        np.array([[0.3]]), np.array([[1e6]]), np.zeros(1, dtype=int), segments=1, ratios=np.ones(1), seed=1
    )
    assert set(np.unique(draws)) == {0.0, 1e6}
    assert (draws > 0).mean() == pytest.approx(0.3, abs=0.03)


def test_many_small_deals_are_drawn_together_with_the_same_moments():
    n = 3000
    chance, value = np.full((n, 1), 0.2), np.full((n, 1), 10.0)
    draws = draw_open(chance, value, np.zeros(n, dtype=int), segments=1, ratios=np.ones(1), seed=1)[:, 0, 0]
    assert draws.mean() == pytest.approx(6000, rel=0.01)
    assert draws.var() == pytest.approx(n * 0.16 * 100, rel=0.12)


def test_deals_to_come_are_a_compound_poisson():
    pool = np.array([50.0, 100.0, 350.0])
    wins, value = np.array([[4.0, 90.0]]), np.array([[400.0, 18_000.0]])
    draws = draw_new(wins, value, pool=pool, seed=1, draws=40_000)[:, 0]
    second = (pool**2).mean() / pool.mean() ** 2  # 1 + cv^2
    np.testing.assert_allclose(draws.mean(axis=0), value[0], rtol=0.02)
    np.testing.assert_allclose(draws.var(axis=0), wins[0] * (value[0] / wins[0]) ** 2 * second, rtol=0.05)


def test_shared_errors_have_mean_one_and_bind_segments_together():
    factor = draw_shared(np.array([0.04]), np.array([0.01]), segments=2, seed=1, draws=100_000)[:, :, 0]
    np.testing.assert_allclose(factor.mean(axis=0), 1.0, atol=0.005)
    logs = np.log(factor)
    np.testing.assert_allclose(logs.var(axis=0), 0.05, rtol=0.03)
    assert np.corrcoef(logs.T)[0, 1] == pytest.approx(0.8, abs=0.01)


def test_shared_errors_put_in_are_recovered():
    rng = np.random.default_rng(5)
    segments, origins, steps = 8, 2000, 3
    forecast_ = np.broadcast_to(rng.uniform(50, 150, (segments, 1, 1)), (segments, origins, steps)).copy()
    common, own = 0.02, 0.03
    z = np.sqrt(common) * rng.standard_normal((1, origins, steps))
    z = z + np.sqrt(own) * rng.standard_normal((segments, origins, steps)) - (common + own) / 2
    actual = forecast_ * np.exp(z) + 5 * rng.standard_normal(forecast_.shape)
    found = shared_errors(forecast_, actual, np.full(forecast_.shape, 25.0), np.ones((origins, steps), dtype=bool))
    np.testing.assert_allclose(found[0], common + own, rtol=0.25)
    np.testing.assert_allclose(found[1], common, rtol=0.25)


def test_shared_errors_by_hand():
    # Two segments, one origin, three steps. F = 10 and 20, e = 3 and -1, V = 1: sum e^2 - V = 8 over sum F^2 = 500 is
    # .016; the total's e^2 - V is 4 - 2 = 2, so common = (2 - .016 * 500) / (900 - 500) = -.015: below 0, as chance
    # (or a move from one to the other) explains more. The steps are alike, so smoothing changes nothing.
    forecast_ = np.broadcast_to(np.array([10.0, 20.0])[:, None, None], (2, 1, 3))
    actual = forecast_ + np.array([3.0, -1.0])[:, None, None]
    both, common = shared_errors(forecast_, actual, np.ones((2, 1, 3)), np.ones((1, 3)))
    np.testing.assert_allclose(both, 0.016)
    np.testing.assert_allclose(common, -0.015)


def test_what_is_known_of_levels_is_no_error_of_the_forecast():
    # As by hand above, with .01 of the log error known to be common and none a segment's own: sum e^2 - V - .01 F^2 is
    # 3, over 500 .006; the total's is 2 - .01 * 900 = -7, so common = (-7 - .006 * 500) / 400 = -.025.
    forecast_ = np.broadcast_to(np.array([10.0, 20.0])[:, None, None], (2, 1, 3))
    actual = forecast_ + np.array([3.0, -1.0])[:, None, None]
    both, common = shared_errors(forecast_, actual, np.ones((2, 1, 3)), np.ones((1, 3)), common=np.full((1, 3), 0.01))
    np.testing.assert_allclose(both, 0.006)
    np.testing.assert_allclose(common, -0.025)


def test_ranges_are_wide_while_a_level_is_unsure_and_only_there():
    # A thousand past origins said .004 and .001 in common; today segment 1 may have jumped.
    six = np.ones(6)
    errors = _Errors(open_bias=six, future_bias=six, both=0.004 * six, common=0.001 * six, origins=1000 * six)
    quiet = Unsure.of(None, segments=2, steps=6)
    common, own = _with_prior(errors, closed=10_000, level=quiet)
    np.testing.assert_allclose(common, 0.001, rtol=0.01)
    np.testing.assert_allclose(own, 0.003, rtol=0.01)
    level = Unsure(common=0.002 * six, own=np.array([[0.0], [0.05]]) * six)
    wider, one = _with_prior(errors, closed=10_000, level=level)
    np.testing.assert_allclose(wider, 0.003, rtol=0.01)
    np.testing.assert_allclose(one[0], 0.003, rtol=0.01)
    np.testing.assert_allclose(one[1], 0.053, rtol=0.01)
    # Past errors that were smaller than levels were thought to be unsure do not make today's sure.
    small = replace(errors, both=-0.06 * six, common=0 * six)
    both = sum(_with_prior(small, closed=10_000, level=level))
    np.testing.assert_allclose(both[1], 0.026, rtol=0.01)


def test_shared_errors_follow_a_line_to_its_ends():
    # Squared errors of 1, 2, ... 6 % of F^2, no chance: a line through the steps goes through its ends as well.
    size = np.sqrt(np.arange(1, 7) / 100)
    forecast_ = np.full((2, 1, 6), 100.0)
    actual = forecast_ * (1 + np.array([1.0, -1.0])[:, None, None] * size)
    both, _ = shared_errors(forecast_, actual, np.zeros((2, 1, 6)), np.ones((1, 6)))
    np.testing.assert_allclose(both, np.arange(1, 7) / 100)
    # Months ahead that nobody knows yet take after the last known one.
    unknown = np.array([[1.0, 1, 1, 0, 0, 0]])
    both, _ = shared_errors(forecast_, actual, np.zeros((2, 1, 6)), unknown)
    assert both[0] == pytest.approx(0.01)
    assert (both[3:] > 0.02).all()


# -- the table -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_table_of_the_contract(table):
    check(table)
    months = table[table["target_period"].str.contains("-")]
    assert months.groupby("target_period")["horizon"].first().to_dict() == {
        f"2026-{m:02d}": m - 3 for m in range(4, 10)
    }
    quarters = table[table["target_period"].str.contains("Q")]
    assert quarters.groupby("target_period")["horizon"].first().to_dict() == {"FY26 Q2": 1, "FY26 Q3": 2}
    assert set(table["model"]) == {"pipeline"}
    assert table["plan"].notna().all()
    assert (table["booked"] == 0).all()


@pytest.mark.slow
def test_quarters_are_their_months(table):
    months = table[table["target_period"].isin(["2026-04", "2026-05", "2026-06"])]
    quarter = table[table["target_period"] == "FY26 Q2"].set_index("segment")
    sums = months.groupby("segment")[["mean", "plan"]].sum()
    np.testing.assert_allclose(quarter.loc[sums.index, ["mean", "plan"]], sums, rtol=1e-9)
    # Its quantiles come from the joint draws: narrower than the sum of the months' quantiles.
    assert quarter.loc[TOTAL, "q90"] < months.loc[months["segment"] == TOTAL, "q90"].sum()
    total, parts = quarter.loc[TOTAL], quarter.drop(index=TOTAL)
    assert total["q90"] - total["mean"] < (parts["q90"] - parts["mean"]).sum()


@pytest.mark.slow
def test_in_the_middle_of_a_month_booked_is_known(log):
    snap = forecast.snapshot(log, as_of="2026-02-17")
    table = forecast_bookings(snap, months=2, seed=0)
    check(table)
    deals = snap.opportunities
    won = deals[(deals["outcome"] == "won") & (deals["closed_on"] >= "2026-02-01")]
    now = table[(table["horizon"] == 0) & (table["target_period"] == "2026-02")].set_index("segment")
    assert now.loc[TOTAL, "booked"] == pytest.approx(won["amount"].sum())
    assert now.loc["Alps", "booked"] == pytest.approx(won.loc[won["segment"] == "Alps", "amount"].sum())
    # A quarter in progress holds January's bookings too.
    quarter = table[(table["target_period"] == "FY26 Q1") & (table["segment"] == TOTAL)].iloc[0]
    both = deals[(deals["outcome"] == "won") & (deals["closed_on"] >= "2026-01-01")]["amount"].sum()
    assert quarter["booked"] == pytest.approx(both)
    assert quarter["horizon"] == 0


@pytest.mark.slow
def test_mean_agrees_with_the_draws(table):
    # A spread of quantiles cannot give the mean exactly; the trapezoid of the seven is within a few percent.
    total = table[table["segment"] == TOTAL]
    middle = (total["q25"] + total["q50"] + total["q75"]) / 3
    np.testing.assert_allclose(middle, total["mean"], rtol=0.05)


@pytest.mark.slow
def test_deterministic_by_seed(snap, table):
    with kept_walks():  # the second seed draws from what the first has learned; neither is the walk of `table`
        again, other = (forecast_bookings(snap, months=6, seed=seed) for seed in (3, 4))
    pd.testing.assert_frame_equal(again, table)
    np.testing.assert_allclose(other["mean"], table["mean"], rtol=1e-12)
    assert (other["q50"] != table["q50"]).any()


@pytest.mark.slow
def test_the_order_of_rows_and_the_names_of_segments_do_not_matter(snap, table):
    deals = snap.opportunities.assign(segment="z" + snap.opportunities["segment"])
    marketing = snap.marketing.assign(segment="z" + snap.marketing["segment"]).sample(frac=1, random_state=1)
    joint = snap.joint_planning.assign(segment="z" + snap.joint_planning["segment"])
    names = tuple(f"z{name}" for name in snap.segments)
    tables = {"opportunities": deals, "marketing": marketing, "joint_planning": joint, "plan": None}
    tables["events"] = snap.events.assign(segment="z" + snap.events["segment"])
    other = forecast_bookings(replace(snap, **tables, segments=names), months=6, seed=3)
    np.testing.assert_allclose(other["mean"], table["mean"], rtol=1e-6)
    np.testing.assert_allclose(other["q90"], table["q90"], rtol=1e-6)


@pytest.mark.slow
def test_marketing_is_used_where_it_is_there(snap, table):
    without = forecast_bookings(snap, months=6, seed=3, marketing=False)
    assert set(without["model"]) == {"pipeline-sales-only"}
    far = table["horizon"] == 6
    assert not np.allclose(without.loc[far, "not_yet_created"], table.loc[far, "not_yet_created"], rtol=1e-3)
    # Lead scores and lead sources are marketing's too, so the open pipeline is judged without them.
    near = table["horizon"] == 1
    assert not np.allclose(without.loc[near, "open_pipeline"], table.loc[near, "open_pipeline"], rtol=1e-3)
    np.testing.assert_allclose(without["open_pipeline"].sum(), table["open_pipeline"].sum(), rtol=0.1)


@pytest.mark.parametrize("months", [0, 25, 1.5, "6", True])
def test_wrong_months_are_refused(snap, months):
    with pytest.raises(ParameterError, match="months"):
        forecast_bookings(snap, months=months)


# -- the future is out of sight -------------------------------------------------------------------------


def altered(log, day: str, seed: int = 1):
    """Return the log with everything recorded after a day changed, deleted or added to."""
    rng = np.random.default_rng(seed)
    tables = {name: frame.copy() for name, frame in log.tables.items()}
    cut = pd.Timestamp(day)
    local = tables["opportunity_history"]["recorded_at"].dt.tz_convert(log.company.timezone).dt.tz_localize(None)
    history = tables["opportunity_history"]
    later = (local.dt.normalize() > cut).to_numpy()
    history.loc[later, "amount"] *= rng.lognormal(0, 1, int(later.sum()))
    history.loc[later, "expected_close_on"] += pd.Timedelta(days=40)
    history.loc[later & history["stage"].eq("Closed won"), "stage"] = "Closed lost"
    tables["opportunity_history"] = history[~later | (rng.random(len(history)) < 0.7)].reset_index(drop=True)

    deals = tables["opportunities"]
    known = set(history.loc[~later, "opportunity_id"])
    closed_before = set(history.loc[~later & history["stage"].str.startswith("Closed"), "opportunity_id"])
    moving = ~deals["opportunity_id"].isin(closed_before).to_numpy()
    deals.loc[moving, "amount"] *= 3.0
    deals.loc[moving, ["stage", "outcome"]] = ["Qualification", "open"]
    deals.loc[moving, ["closed_on", "promised_on", "delivered_on"]] = pd.NaT
    deals.loc[moving, "lost_reason"] = None
    new = ~deals["opportunity_id"].isin(known).to_numpy()
    gone = new & (rng.random(len(deals)) < 0.5)
    tables["opportunities"] = deals[~gone].reset_index(drop=True)
    stays = tables["opportunity_history"]["opportunity_id"].isin(tables["opportunities"]["opportunity_id"])
    tables["opportunity_history"] = tables["opportunity_history"][stays].reset_index(drop=True)

    leads = tables["leads"]
    tables["leads"] = leads[(leads["created_on"] <= cut) | (rng.random(len(leads)) < 0.5)].reset_index(drop=True)
    later = tables["marketing"]["period"] > day[:7]
    tables["marketing"].loc[later, "leads"] += 500
    later = tables["submitted_forecasts"]["submitted_on"] > cut
    tables["submitted_forecasts"].loc[later, "amount"] *= 2
    return replace(log, tables=tables)


@pytest.mark.slow
def test_what_is_recorded_later_changes_no_byte(log):
    """In the middle of a month; on more days, and of every model, it is held in `tests/whole/test_no_future`."""
    day = "2025-11-13"
    seen = forecast.snapshot(log, as_of=day)
    later = altered(log, day)
    other = forecast.snapshot(later, as_of=day)
    assert len(later.opportunities) < len(log.opportunities) - 300
    assert forecast_bookings(seen).to_csv() == forecast_bookings(other).to_csv()


# -- odd companies ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_steady_company_is_forecast_at_its_level():
    deals = plain_company(deals=9600, months=48, seed=1, won=0.1, lost=0.1, segments=2)
    table = forecast_bookings(make_snapshot("2023-12-31", deals), months=6)
    check(table)
    # 200 deals a month, half of them won in the end, 100 each: 10,000 a month once the pipeline is full.
    total = table[(table["segment"] == TOTAL) & table["target_period"].str.contains("-")]
    np.testing.assert_allclose(total["mean"], 10_000, rtol=0.1)
    assert (total["q2.5"] < 10_000).all()
    assert (total["q97.5"] > 10_000).all()
    assert total["plan"].isna().all()
    assert total["p_at_least_plan"].isna().all()


@pytest.mark.parametrize(
    "company",
    [
        {"deals": 300, "months": 12, "won": 0.0},
        {"deals": 300, "months": 12, "lost": 0.0},
        {"deals": 60, "months": 4, "segments": 3},
        {"deals": 400, "months": 30, "amount": 1e9},
    ],
    ids=["nothing won", "nothing lost", "three months", "billions"],
)
def test_odd_companies_get_numbers(company):
    deals = plain_company(seed=7, **company)
    last = pd.Period("2020-01", "M") + company["months"] - 1
    check(forecast_bookings(make_snapshot(str(last.end_time.date()), deals), months=6))


@pytest.mark.slow
def test_nothing_open_and_a_segment_born_last_month():
    deals = plain_company(deals=600, months=24, seed=8)
    deals = deals[deals["outcome"] != "open"]
    new = pd.DataFrame(
        {
            "opportunity_id": ["Z1", "Z2"],
            "created_on": ["2021-12-05", "2021-12-20"],
            "closed_on": None,
            "outcome": "open",
            "segment": "Newland",
            "amount": [500.0, np.nan],
        }
    )
    check(forecast_bookings(make_snapshot("2021-12-31", deals)))
    table = forecast_bookings(make_snapshot("2021-12-31", pd.concat([deals, new])))
    check(table)
    assert table.loc[table["segment"] == "Newland", "open_pipeline"].max() > 0
    assert "1 open deal has no amount" in table.attrs["notes"][-1]


def test_thin_data_abstain_with_a_reason():
    deals = plain_company(deals=8, months=6, seed=1)
    table = forecast_bookings(make_snapshot("2020-06-30", deals), months=3)
    assert table[["mean", *QUANTILE_COLUMNS]].isna().all().all()
    assert len(table) == 3 * 2 + 2
    assert "at least 10 are needed" in table.attrs["notes"][0]
