"""The forecast table: targets, sums over quarters and segments, quantiles from joint draws."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from companies import make_snapshot
from forecast.data.schema import ADDENDS, FORECAST_COLUMNS, QUANTILE_COLUMNS, QUANTILES, Company
from forecast.errors import ParameterError
from forecast.models.tables import (
    abstain,
    bookings_in,
    from_draws,
    from_means,
    known_bookings,
    month_targets,
    quarter_targets,
)

OCTOBER = 2026 * 12 + 9


def won(rows: list[tuple[str, str, str, float]]) -> pd.DataFrame:
    """Return won deals: segment, created_on, closed_on, amount."""
    frame = pd.DataFrame(rows, columns=["segment", "created_on", "closed_on", "amount"])
    frame.insert(0, "opportunity_id", [f"O{i:03d}" for i in range(len(frame))])
    return frame.assign(outcome="won", stage="Closed won")


THREE = won(
    [
        ("East", "2026-07-10", "2026-08-03", 100.0),
        ("East", "2026-08-02", "2026-10-09", 30.0),
        ("West", "2026-09-01", "2026-10-15", 7.0),
    ]
)


def snap_at(as_of: str, company: Company | None = None, plan: pd.DataFrame | None = None):
    return make_snapshot(as_of, THREE, company=company, plan=plan).state


@pytest.mark.parametrize(
    ("as_of", "months", "periods", "horizons", "quarters", "quarter_horizons"),
    [
        ("2026-10-31", 2, [1, 2], [1, 2], ["FY26 Q4"], [0]),
        ("2026-10-31", 5, [1, 2, 3, 4, 5], [1, 2, 3, 4, 5], ["FY26 Q4", "FY27 Q1"], [0, 1]),
        ("2026-10-15", 1, [0, 1], [0, 1], [], []),
        ("2026-10-15", 2, [0, 1, 2], [0, 1, 2], ["FY26 Q4"], [0]),
        ("2026-12-31", 3, [3, 4, 5], [1, 2, 3], ["FY27 Q1"], [1]),
    ],
)
def test_targets(as_of, months, periods, horizons, quarters, quarter_horizons):
    snap = snap_at(as_of)
    found, ahead = month_targets(snap, months)
    assert (found - OCTOBER).tolist() == periods
    assert ahead.tolist() == horizons
    numbers, counted = quarter_targets(snap, found)
    assert [snap.calendar.quarter_label(int(number)) for number in numbers] == quarters
    assert counted.tolist() == quarter_horizons


def test_quarters_are_the_companys():
    snap = snap_at("2026-10-31", Company(fiscal_year_start=2))
    periods, _ = month_targets(snap, 3)
    numbers, horizons = quarter_targets(snap, periods)
    # FY27 runs from February 2026 to January 2027; its fourth quarter from November on.
    assert [snap.calendar.quarter_label(int(number)) for number in numbers] == ["FY27 Q4"]
    assert horizons.tolist() == [1]


@pytest.mark.parametrize("months", [0, -1, 61, 2.5, True])
def test_months_out_of_range_are_refused(months):
    with pytest.raises(ParameterError, match=r"months: .* is not a whole number from 1 to 60"):
        month_targets(snap_at("2026-10-31"), months)


def test_known_bookings_by_hand():
    periods, amounts = known_bookings(snap_at("2026-10-31"))
    assert (periods - OCTOBER).tolist() == [-3, -2, -1, 0]
    assert amounts.tolist() == [[0, 100, 0, 30], [0, 0, 0, 7]]
    periods, amounts = known_bookings(snap_at("2026-10-20"), complete=True)
    assert (periods - OCTOBER).tolist() == [-3, -2, -1]
    assert amounts.tolist() == [[0, 100, 0], [0, 0, 0]]
    assert bookings_in(snap_at("2026-10-20"), np.array([OCTOBER, OCTOBER - 2])).tolist() == [[30, 100], [7, 0]]


def test_a_deal_without_amount_books_nothing():
    deals = THREE.assign(amount=[np.nan, 30.0, 7.0])
    assert known_bookings(make_snapshot("2026-10-31", deals).state)[1].sum() == 37


def rows(table: pd.DataFrame, target: str, column: str) -> list[float]:
    return table.loc[table["target_period"] == target, column].tolist()


def test_a_table_by_hand():
    plan = pd.DataFrame({"period": ["2026-10", "2026-11", "2026-12"] * 2, "segment": ["East"] * 3 + ["West"] * 3})
    plan["amount"] = [40.0, 20.0, 10.0, 7.0, 10.0, 5.0]
    snap = snap_at("2026-10-31", plan=plan)
    # Three draws, in which West has what East lacks: the Total of November is 30 for sure.
    november = np.array([[10.0, 20.0], [20.0, 10.0], [30.0, 0.0]])
    december = np.array([[4.0, 8.0], [4.0, 8.0], [4.0, 8.0]])
    draws = np.stack([november, december], axis=2)
    table = from_draws(snap, model="test", draws=draws, periods=np.array([OCTOBER + 1, OCTOBER + 2]))
    assert tuple(table.columns) == (*FORECAST_COLUMNS, "plan", "p_at_least_plan")
    assert table["segment"].tolist() == ["East", "West", "Total"] * 3
    assert table["horizon"].tolist() == [1] * 3 + [2] * 3 + [0] * 3
    assert rows(table, "2026-11", "mean") == [20, 10, 30]
    assert rows(table, "2026-11", "q50") == [20, 10, 30]
    assert rows(table, "2026-11", "q2.5")[2] == rows(table, "2026-11", "q97.5")[2] == 30
    assert rows(table, "2026-11", "p_at_least_plan") == [pytest.approx(2 / 3), pytest.approx(2 / 3), 1]
    # The quarter holds October's 30 and 7, booked already; plan 70 and 22.
    assert rows(table, "FY26 Q4", "mean") == [54, 25, 79]
    assert rows(table, "FY26 Q4", "q50") == [54, 25, 79]
    assert rows(table, "FY26 Q4", "plan") == [70, 22, 92]
    assert rows(table, "FY26 Q4", "p_at_least_plan") == [0, pytest.approx(2 / 3), 0]
    assert (table["origin"] == pd.Timestamp("2026-10-31")).all()
    assert str(table["origin"].dtype) == "datetime64[us]"
    assert table["horizon"].dtype == np.int64


def test_quantiles_are_numpys():
    snap = snap_at("2026-10-31")
    draws = np.random.default_rng(4).gamma(0.3, 50, (501, 2, 2))
    table = from_draws(snap, model="test", draws=draws, periods=np.array([OCTOBER + 1, OCTOBER + 2]))
    found = table[list(QUANTILE_COLUMNS)].to_numpy()
    np.testing.assert_allclose(found[0], np.quantile(draws[:, 0, 0], QUANTILES), rtol=1e-12)
    np.testing.assert_allclose(found[5], np.quantile(draws[:, :, 1].sum(axis=1), QUANTILES), rtol=1e-12)
    np.testing.assert_allclose(found[8], np.quantile(draws.sum(axis=(1, 2)) + 37, QUANTILES), rtol=1e-12)
    assert (np.diff(found, axis=1) >= 0).all()


def test_addends_sum_to_the_mean_also_in_quarters():
    snap = snap_at("2026-10-20")
    periods, _ = month_targets(snap, 2)
    rng = np.random.default_rng(0)
    parts = {name: rng.gamma(2, 10, (2, 3)) for name in ADDENDS}
    mean = sum(parts.values())
    table = from_draws(
        snap, model="test", draws=mean[None] * np.ones((5, 1, 1)), periods=periods, mean=mean, addends=parts
    )
    np.testing.assert_allclose(table[list(ADDENDS)].sum(axis=1), table["mean"])
    assert table["plan"].isna().all()
    assert table["p_at_least_plan"].isna().all()


def test_single_numbers_give_sums_only_where_every_part_is_there():
    snap = snap_at("2026-10-31")
    mean = np.array([[1.0, 2.0], [np.nan, 4.0]])
    table = from_means(snap, model="test", mean=mean, periods=np.array([OCTOBER + 1, OCTOBER + 2]))
    np.testing.assert_equal(rows(table, "2026-11", "mean"), [1, np.nan, np.nan])
    np.testing.assert_equal(rows(table, "2026-12", "mean"), [2, 4, 6])
    np.testing.assert_equal(rows(table, "FY26 Q4", "mean"), [33, np.nan, np.nan])
    assert table[list(QUANTILE_COLUMNS)].isna().all(axis=None)


@pytest.mark.parametrize("segments", [("East", "West"), ()])
def test_abstaining_leaves_no_number_and_a_reason(segments):
    snap = snap_at("2026-10-31")
    snap = snap if segments else next(snap.ledger.walk([pd.Timestamp("2010-10-31")]))  # before the first record
    result = abstain(snap, model="test", months=3, notes=["too little is known"])
    table = result.table
    assert len(table) == 4 * (len(segments) + 1)
    assert table["mean"].isna().all()
    assert result.notes == ("too little is known",)
    assert result.frame().attrs["notes"] == ["too little is known"]
    assert not table.attrs


@pytest.mark.parametrize("bad", [np.ones((3, 2, 4)), np.ones((2, 2)), np.full((3, 2, 2), np.nan)])
def test_draws_that_do_not_fit_are_refused(bad):
    with pytest.raises(ValueError, match="draws"):
        from_draws(snap_at("2026-10-31"), model="test", draws=bad, periods=np.array([OCTOBER + 1, OCTOBER + 2]))
