"""Leaks, the next order after a late one, whose plan was nearer and what can be delivered: by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

import forecast
from companies import make_snapshot
from forecast.data.known.snapshot import Snapshot
from forecast.evaluation.scorecard.funnel.incidence import Share, share_of
from forecast.evaluation.scorecard.funnel.leaks import (
    DIFFERENCE,
    ELSEWHERE,
    LATE,
    NEVER,
    ON_TIME,
    again_rows,
    chance_of_none,
    difference,
    leak_rows,
)
from forecast.evaluation.scorecard.funnel.plans import capacity_rows, plan_rows
from forecast.evaluation.scorecard.funnel.rows import FUNNEL_COLUMNS, PARTS, FunnelRow
from forecast.evaluation.scorecard.funnel.table import scorecard_funnel
from forecast.evaluation.scores.comparison import diebold_mariano


def total(rows: list[FunnelRow]) -> dict[str, FunnelRow]:
    return {row.step: row for row in rows if row.segment == "Total"}


def orders(on_time: int, late: int, again_on_time: int, again_late: int) -> Snapshot:
    """Accounts with a first order promised for March 2024, on time or a week late; some buy again in the autumn."""
    n = on_time + late
    again = [*range(again_on_time), *range(on_time, on_time + again_late)]
    first = pd.DataFrame({"opportunity_id": [f"O{i:04}" for i in range(n)], "account_id": [f"A{i}" for i in range(n)]})
    first = first.assign(created_on="2023-12-01", closed_on="2024-01-15", promised_on="2024-03-10")
    first["delivered_on"] = np.where(np.arange(n) < on_time, "2024-03-08", "2024-03-17")
    second = pd.DataFrame({"opportunity_id": [f"P{i:04}" for i in again], "account_id": [f"A{i}" for i in again]})
    second = second.assign(created_on="2024-08-01", closed_on="2024-10-01", promised_on=None, delivered_on=None)
    deals = pd.concat([first, second], ignore_index=True).assign(outcome="won", stage="Closed won")
    for name in ("promised_on", "delivered_on"):
        deals[name] = pd.to_datetime(deals[name]).astype("datetime64[us]")
    return make_snapshot("2026-01-31", deals)


def test_late_orders_and_the_next_one_by_hand():
    found = total(again_rows(orders(200, 100, 80, 20)))
    assert found[ON_TIME].value == pytest.approx(0.4)
    assert found[LATE].value == pytest.approx(0.2)
    apart = found[DIFFERENCE]
    assert (apart.value, apart.n) == (pytest.approx(-0.2), 300)
    low, high = confint_proportions_2indep(20, 100, 80, 200, method="newcomb", compare="diff")
    assert (apart.low, apart.high) == pytest.approx((low, high), abs=1e-6)
    assert apart.p_value < 0.001
    assert "no effect of being late" in apart.means
    assert "cannot tell" not in apart.means


def test_a_difference_that_may_be_none_is_said_to_be_open():
    apart = total(again_rows(orders(60, 40, 20, 12)))[DIFFERENCE]
    assert apart.low < 0 < apart.high
    assert apart.p_value > 0.05
    assert "cannot tell" in apart.means


def test_too_few_late_orders_tell_nothing():
    apart = total(again_rows(orders(60, 5, 20, 2)))[DIFFERENCE]
    assert np.isnan(apart.value)
    assert "fewer than 10" in apart.missing
    without = orders(60, 20, 20, 2)
    without = replace(without, opportunities=without.opportunities.drop(columns="account_id"))
    assert "needs account_id" in total(again_rows(without))[DIFFERENCE].missing


def test_difference_of_shares_by_hand():
    apart = difference(Share(value=0.3, low=0.2, high=0.42), Share(value=0.5, low=0.4, high=0.6))
    assert (apart.value, apart.low, apart.high) == pytest.approx((-0.2, -0.2 - 0.02**0.5, -0.2 + 0.0244**0.5))


@pytest.mark.parametrize("late", [8, 10, 12, 14, 16, 18])
def test_the_p_value_of_a_difference_is_below_5_percent_where_the_interval_leaves_out_0(late: int):
    apart = difference(share_of(np.arange(60) < late), share_of(np.arange(90) < 36))
    assert (chance_of_none(apart) < 0.05) == (apart.high < 0)
    assert chance_of_none(replace(apart, value=-apart.value, low=-apart.high, high=-apart.low)) == pytest.approx(
        chance_of_none(apart)
    )
    assert np.isnan(chance_of_none(Share()))


def leads(snap: Snapshot, **columns: object) -> Snapshot:
    frame = pd.DataFrame({"lead_id": [f"L{i}" for i in range(40)], "segment": "North", **columns})
    for name in ("created_on", "worked_on", "rejected_on"):
        frame[name] = pd.to_datetime(frame[name]).astype("datetime64[us]")
    return replace(snap, leads=frame)


def test_leaks_by_hand():
    # Of 40 leads 10 are worked at once, 10 after 5 days, 10 are rejected unworked after 20 days, 10 are left.
    worked = ["2024-03-01"] * 10 + ["2024-03-06"] * 10 + [None] * 20
    rejected = [None] * 20 + ["2024-03-21"] * 10 + [None] * 10
    # Of the rejected, four are accounts that bought in October.
    accounts = [None] * 20 + [f"A{i}" for i in range(4)] + [f"Z{i}" for i in range(6)] + [None] * 10
    snap = leads(
        orders(20, 20, 5, 0), created_on="2024-03-01", worked_on=worked, rejected_on=rejected, account_id=accounts
    )
    found = total(leak_rows(snap))
    assert found["worked within a day"].value == pytest.approx(10 / 40)
    assert found["worked within a week"].value == pytest.approx(20 / 40)
    never = found[NEVER]
    assert (never.value, never.n) == (pytest.approx(10 / 40), 40)
    expected = share_of([True] * 10 + [False] * 30)
    assert (never.low, never.high) == pytest.approx((expected.low, expected.high))
    assert (found[ELSEWHERE].value, found[ELSEWHERE].n) == (pytest.approx(4 / 10), 10)


def test_leaks_say_what_would_tell():
    snap = orders(20, 20, 5, 0)
    assert {row.missing for row in leak_rows(snap)} == {"needs leads"}
    bare = leads(snap, created_on="2024-03-01", worked_on=[None] * 40, rejected_on=["2024-03-04"] * 40)
    found = total(leak_rows(bare))
    assert found[NEVER].missing == "needs worked_on in leads"
    assert found[ELSEWHERE].missing == "needs account_id in leads"


def scored(months: int) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    rows = []
    for t in range(months):
        for segment in ("A", "B"):
            for model, spread in (("submitted-sales", 30.0), ("submitted-marketing", 10.0)):
                error = float(rng.normal(0, spread))
                target = f"{2024 + t // 12}-{t % 12 + 1:02}"
                origin = (pd.Period(target) - 1).end_time.normalize()
                rows.append((model, origin, target, 1, segment, 100.0 + error, 100.0, error, abs(error), "month"))
    names = ["model", "origin", "target_period", "horizon", "segment", "mean", "observed", "error", "abs_error", "span"]
    return pd.DataFrame(rows, columns=names)


def test_whose_plan_was_nearer_by_the_paired_test():
    table = scored(24)
    found = total(plan_rows(table, segments=("A", "B")))
    row = found["sales against marketing"]
    wide = table.assign(t=table["target_period"]).pivot_table(index="t", columns="model", values="abs_error")
    test = diebold_mariano(wide["submitted-sales"], wide["submitted-marketing"])
    assert row.value == pytest.approx(test.mean_difference / 100)
    assert row.value > 0
    assert (row.low > 0) == (test.p_value < 0.05)
    assert row.p_value >= test.p_value
    assert row.n == 24
    assert "submitted_forecasts" in found["sales against joint"].missing
    few = total(plan_rows(scored(5), segments=("A", "B")))["sales against marketing"]
    assert "needs 8 months" in few.missing
    assert all(row.missing for row in plan_rows(None, segments=("A",)))


@pytest.mark.slow
def test_the_chance_to_exceed_capacity_is_of_the_forecast_s_own_draws(sample: Path):
    snap = forecast.snapshot(forecast.read(sample), as_of="2026-10-31")
    table = forecast.forecast_bookings(snap, months=2, seed=3)
    rows = table[table["target_period"].isin(["2026-11", "2026-12"]) & (table["segment"] != "Total")]
    # A capacity a little under the plan: more than that is booked where at least the plan is, or nearly.
    capacity = rows[["target_period", "segment", "plan"]].rename(columns={"target_period": "period"})
    capacity = capacity.assign(capacity=capacity.pop("plan") - 1e-6)
    found = capacity_rows(replace(snap, delivery=capacity), months=2, seed=3)
    told = {(row.segment, row.cohort): row for row in found}
    expected = table[table["target_period"].isin(["2026-11", "2026-12"])].set_index(["segment", "target_period"])
    assert len(told) == len(expected)
    for key, row in told.items():
        assert row.value == pytest.approx(expected.loc[key, "p_at_least_plan"], abs=1e-9)
        assert row.n == 2000
    assert {row.missing for row in capacity_rows(replace(snap, delivery=None), months=2)} == {
        "needs capacity in delivery"
    }
    first = capacity.iloc[1:]
    partly = {(row.segment, row.cohort): row for row in capacity_rows(replace(snap, delivery=first), months=2, seed=3)}
    assert "every segment" in partly["Total", "2026-11"].missing


def test_the_table_has_every_part_and_a_number_or_a_reason():
    table = scorecard_funnel(orders(60, 40, 20, 12), months=1)
    assert tuple(table.columns) == FUNNEL_COLUMNS
    assert set(table["part"]) == set(PARTS)
    assert (table["value"].isna() == (table["missing"] != "")).all()
