"""The forecaster `combined`: adds up, knows no future, is the pipeline alone where nothing says otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.data.checks.validation import validate
from forecast.data.known.settled import settled_actuals
from forecast.data.schema import FORECAST_COLUMNS, QUANTILE_COLUMNS, TOTAL, Company, Log
from forecast.evaluation.backtest import backtest
from forecast.models.combined.combination import (
    FIRST_MONTHS,
    WINDOW,
    combinations,
    component_names,
    origins_needed,
)
from forecast.models.registry import forecaster
from forecast.simulation.company import simulate

pytestmark = pytest.mark.slow

MONTHS = 3
DAY = "2026-07-31"


@pytest.fixture(scope="module")
def company():
    return simulate(opportunities=2500, months=48, seed=12, segments=3)


@pytest.fixture(scope="module")
def log(company) -> Log:
    return validate(company.tables, Company(**{**company.company, "fixed_at_creation": ()}))


@pytest.fixture(scope="module")
def snap(log):
    return forecast.snapshot(log, as_of=DAY)


@pytest.fixture(scope="module")
def found(snap):
    return next(combinations(snap, origins=[snap.as_of], months=MONTHS, seed=1))


@pytest.fixture(scope="module")
def track(log) -> pd.DataFrame:
    return backtest(
        log, origins=["2026-04-30", DAY], models=["combined", "submitted", "pipeline"], months=MONTHS, seed=1
    )


def test_the_table_is_a_forecast_table(found):
    table = found.forecast.table
    assert tuple(table.columns) == (*FORECAST_COLUMNS, "plan", "p_at_least_plan")
    assert set(table["model"]) == {"combined"}
    quantiles = table[list(QUANTILE_COLUMNS)].to_numpy()
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=1) >= 0).all()


def test_segments_and_months_add_up(snap, found):
    table = found.forecast.table
    by = table.assign(total=table["segment"] == TOTAL).groupby(["target_period", "total"])["mean"].sum().unstack()
    assert by[True].to_numpy() == pytest.approx(by[False].to_numpy())
    quarter = table[table["target_period"].str.contains("Q") & (table["segment"] == TOTAL)].iloc[0]
    first, second, third = "2026-07", "2026-08", "2026-09"
    assert quarter["target_period"] == "FY26 Q3"
    months = table[table["segment"] == TOTAL].set_index("target_period")["mean"]
    won = snap.opportunities[snap.opportunities["outcome"] == "won"]
    past = won.loc[won["closed_on"].dt.strftime("%Y-%m") == first, "amount"].sum()
    assert quarter["mean"] == pytest.approx(past + months[second] + months[third])


def test_weights_are_shares_by_horizon_and_say_who_was_tested(found, snap):
    weights = found.weights
    assert weights.groupby("horizon")["weight"].sum().to_numpy() == pytest.approx(1.0)
    assert (weights["weight"] >= 0).all()
    assert (weights.loc[~weights["enters"], "weight"] == 0).all()
    assert set(weights["model"]) == {*component_names(snap), "pipeline-levelled"}
    assert weights["horizon"].tolist() == sorted(weights["horizon"].tolist())


def test_each_number_lies_between_those_it_is_made_of(snap, found):
    names = [*component_names(snap), "pipeline-levelled"]
    tables = {name: forecaster(name.removesuffix("-levelled"))(snap, months=MONTHS, seed=1) for name in names}
    for horizon, weights in found.weights.groupby("horizon"):
        habit = weights.set_index("model")["habit"]
        said = []
        for name in habit.index:
            table = tables[name]
            rows = table[(table["horizon"] == horizon) & ~table["target_period"].str.contains("Q")]
            said.append(rows.set_index("segment")["mean"] * habit[name])
        table = found.forecast.table
        rows = table[(table["horizon"] == horizon) & ~table["target_period"].str.contains("Q")]
        mine = rows.set_index("segment")["mean"].drop(TOTAL)
        all_said = pd.concat(said, axis=1).loc[mine.index]
        assert (mine >= all_said.min(axis=1) - 1e-6).all()
        assert (mine <= all_said.max(axis=1) + 1e-6).all()


def test_the_backtest_gives_what_the_forecaster_gives_alone(track, found):
    part = track[(track["model"] == "combined") & (track["origin"] == DAY)].reset_index(drop=True)
    alone = found.forecast.table
    assert part["mean"].to_numpy() == pytest.approx(alone["mean"].to_numpy(), rel=1e-6)
    assert part["q90"].to_numpy() == pytest.approx(alone["q90"].to_numpy(), rel=1e-3)


def test_the_backtest_keeps_to_what_was_asked(track):
    names = ["combined", "submitted-joint", "submitted-marketing", "submitted-sales", "pipeline"]
    assert track["origin"].nunique() == 2
    assert list(dict.fromkeys(track["model"])) == names


def test_the_others_stay_what_they_are_without_it(log, track):
    alone = backtest(log, origins=["2026-04-30", DAY], models=["pipeline"], months=MONTHS, seed=1)
    beside = track[track["model"] == "pipeline"].reset_index(drop=True)
    for name in ("mean", "q10", "q90"):
        assert beside[name].to_numpy() == pytest.approx(alone[name].to_numpy(), rel=1e-3)


def test_what_comes_later_changes_nothing(company, found):
    tables = dict(company.tables)
    deals = tables["opportunities"].copy()
    later = pd.to_datetime(deals["closed_on"]) > DAY
    deals.loc[later, "amount"] = 9e6
    submitted = tables["submitted_forecasts"].copy()
    after = pd.to_datetime(submitted["submitted_on"]) > DAY
    submitted.loc[after, "amount"] = 1.0
    history = tables["opportunity_history"].copy()
    history.loc[pd.to_datetime(history["recorded_at"]) > f"{DAY} 23:59", "amount"] = 9e6
    changed = {**tables, "opportunities": deals, "submitted_forecasts": submitted, "opportunity_history": history}
    other = validate(changed, Company(**{**company.company, "fixed_at_creation": ()}))
    assert later.any()
    assert after.any()
    again = next(combinations(forecast.snapshot(other, as_of=DAY), origins=[pd.Timestamp(DAY)], months=MONTHS, seed=1))
    pd.testing.assert_frame_equal(again.forecast.table, found.forecast.table)
    pd.testing.assert_frame_equal(again.weights, found.weights)


def test_a_person_who_knows_gets_weight_and_one_who_guesses_gets_none(log):
    # Sales' forecasts replaced by what came within 5 %; marketing's by numbers without any knowledge.
    actual = settled_actuals(log).set_index(["segment", "period"])["amount"]
    rows = log.tables["submitted_forecasts"]
    rows = rows[rows["submitter"].isin(["sales", "marketing"])].copy()
    rng = np.random.default_rng(4)
    truth = actual.reindex(pd.MultiIndex.from_frame(rows[["segment", "target_period"]])).to_numpy()
    rows["amount"] = np.where(
        rows["submitter"] == "sales",
        truth * np.exp(0.05 * rng.standard_normal(len(rows))),
        rng.uniform(1e4, 9e5, len(rows)),
    )
    rows = rows[np.isfinite(truth)]
    other = replace(log, tables={**log.tables, "submitted_forecasts": rows})
    snap = forecast.snapshot(other, as_of="2026-06-30")
    weights = next(combinations(snap, origins=[snap.as_of], months=MONTHS, seed=1)).weights
    by = weights[weights["horizon"] == 1].set_index("model")["weight"]
    assert by["submitted-sales"] > 0.85
    assert by["submitted-marketing"] == 0.0


def test_a_young_company_has_the_pipeline_alone_and_says_so():
    young = simulate(opportunities=900, months=24, seed=3, segments=2)
    log = validate(young.tables, Company(**{**young.company, "fixed_at_creation": ()}))
    end = log.company.periods
    first = end.period(log.opportunities["created_on"].min())
    snap = forecast.snapshot(log, as_of=end.end(first + FIRST_MONTHS + 4))
    table = forecaster("combined")(snap, months=MONTHS, seed=1)
    pipeline = forecaster("pipeline")(snap, months=MONTHS, seed=1)
    for name in ("mean", *QUANTILE_COLUMNS):
        assert table[name].to_numpy() == pytest.approx(pipeline[name].to_numpy(), nan_ok=True)
    assert "pipeline alone" in " ".join(table.attrs["notes"])


def test_where_the_pipeline_abstains_it_abstains_and_says_why(log):
    first = log.company.periods.period(log.opportunities["created_on"].min())
    snap = forecast.snapshot(log, as_of=log.company.periods.end(first + 1))
    table = forecaster("combined")(snap, months=MONTHS, seed=1)
    assert table["mean"].isna().all()
    assert table.attrs["notes"] == forecaster("pipeline")(snap, months=MONTHS, seed=1).attrs["notes"]


def test_in_the_middle_of_a_month_it_learns_from_such_days_and_keeps_what_is_booked(log):
    snap = forecast.snapshot(log, as_of="2026-06-17")
    days = origins_needed(snap.ledger, [snap.as_of])
    assert len(days) == WINDOW + 1
    assert {day.day for day in days} <= {16, 17, 18}  # as far through the month
    table = forecaster("combined")(snap, months=MONTHS, seed=1)
    pipeline = forecaster("pipeline")(snap, months=MONTHS, seed=1)
    assert table["horizon"].min() == 0
    assert (table["mean"] >= pipeline["booked"] - 1e-6).all()
    assert (table["q2.5"] >= pipeline["booked"] - 1e-6).all()
