"""Numbers held as small as they go: none turns round, and what is worked out in parts is as if worked out at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import forecast
from companies import make_snapshot
from forecast.data.known import coding
from forecast.data.known.coding import NONE, as_small, column_of, in_parts, rows_into_run, run_start
from forecast.data.known.ledger import ledger_of
from forecast.data.known.recorded import for_forecasters
from forecast.data.schema import Company, Log
from forecast.models.pipeline import cohorts

EDGES = (0, 1, 127, 128, 255, 256, 65_535, 65_536, 2**31 - 1)


def test_whole_numbers_are_as_small_as_the_largest_of_them_by_hand():
    kinds = ["uint8"] * 5 + ["uint16", "uint16", "uint32", "uint32"]
    assert [as_small(np.array([0, edge])).dtype.name for edge in EDGES] == kinds
    assert as_small(np.zeros(0, dtype=np.int32)).dtype == np.uint8


@pytest.mark.parametrize("largest", EDGES)
def test_none_of_them_changes(largest: int):
    values = np.random.default_rng(largest).integers(0, largest, 500, endpoint=True)
    assert (as_small(values).astype(np.int64) == values).all()


def test_what_is_below_nothing_is_refused():
    with pytest.raises(ValueError, match="-1 is below 0"):
        as_small(np.array([3, -1]))


@pytest.mark.parametrize("run", [1, 3, 255, 256, 257, 70_000])
def test_rows_into_a_run_lead_back_to_its_first_row(run: int):
    values = np.repeat([0, 1, 1, 0], [run, 2, run, 1])
    new = np.zeros(len(values), dtype=bool)
    new[[0, run + 1]] = True  # the second deal begins in the middle of a run of equal values
    assert (np.arange(len(values)) - rows_into_run(new, values) == run_start(new, values)).all()


@pytest.mark.parametrize("times", [3, 300])
def test_a_deal_that_slips_hundreds_of_times_is_counted_to_the_last(times: int):
    days = pd.date_range("2024-01-01", periods=times, freq="D")
    moved = {"recorded_on": days, "expected_close_on": days + pd.Timedelta(days=30)}
    history = pd.DataFrame({"opportunity_id": "A", "stage": "Early", "amount": 5.0, **moved})
    deals = pd.DataFrame({"opportunity_id": ["A"], "created_on": ["2024-01-01"], "outcome": ["open"]})
    view = make_snapshot("2025-06-30", deals, history).state
    assert view.ledger.slips[view.last_row].tolist() == [times - 1]
    assert view.ledger.since(view.last_row) == view.ledger.day[0]  # in its stage from the first row on
    assert view.ledger.outcome_row(view.last_row).tolist() == [0]


@pytest.mark.parametrize("levels", [1, 126, 127, 128, 129, 300, 40_000])
def test_codes_of_any_number_of_levels_are_those_levels(levels: int):
    names = [f"level {k:05d}" for k in range(levels)]
    fixed = pd.Series([*names, None, names[-1]], dtype="str")
    found = column_of(fixed, pd.Series([None, *names[::-1]], dtype="str"), len(fixed))
    assert found.levels == tuple(names)
    assert found.fixed.tolist() == [*range(levels), NONE, levels - 1]
    assert found.recorded.tolist() == [NONE, *range(levels)[::-1]]
    assert np.where(found.fixed == NONE, levels, found.fixed).tolist() == [*range(levels), levels, levels - 1]


def test_parts_are_all_of_it_in_order(monkeypatch):
    monkeypatch.setattr(coding, "PART", 3)
    parts = list(in_parts(np.arange(8), np.arange(8) % 2))
    assert [len(a) for a, _ in parts] == [3, 3, 2]
    assert np.concatenate([a for a, _ in parts]).tolist() == list(range(8))


@pytest.mark.parametrize("part", [5, 10_000])
def test_sums_in_parts_are_those_of_all_at_once_to_the_bit(monkeypatch, part: int):
    monkeypatch.setattr(cohorts, "PART", part)
    rng = np.random.default_rng(2)
    cell, which, weights = rng.integers(0, 6, 900), rng.random(900) < 0.7, rng.lognormal(10.0, 3.0, 900)
    weights[::50] = np.nan
    found = cohorts.sums_by(lambda here: cell[here], which, 6, weights)
    assert (found == np.bincount(cell[which], np.nan_to_num(weights[which]), minlength=6)).all()
    assert (cohorts.sums_by(lambda here: cell[here], which, 6) == np.bincount(cell[which], minlength=6)).all()


# -- amounts that are there once ---------------------------------------------------------------------------


@pytest.fixture
def log() -> Log:
    opportunities = pd.DataFrame(
        {
            "opportunity_id": ["A", "B", "C"],
            "created_on": pd.to_datetime(["2024-01-02", "2024-01-03", "2024-01-04"]).as_unit("us"),
            "segment": "North",
            "stage": "Early",
            "amount": [0.1, 200.0, np.nan],
            "expected_close_on": pd.to_datetime(["2024-03-01"] * 3).as_unit("us"),
            "closed_on": pd.to_datetime([None] * 3).as_unit("us"),
            "outcome": "open",
            "currency": ["USD", None, "EUR"],
        }
    )
    history = opportunities[["opportunity_id", "stage", "amount", "expected_close_on"]].assign(
        recorded_at=pd.to_datetime(["2024-01-02", "2024-01-03", "2024-01-04"], utc=True).as_unit("us")
    )
    rates = pd.DataFrame({"currency": ["USD", "EUR"], "plan_rate": [0.3, 1.0]})
    tables = {"opportunities": opportunities, "opportunity_history": history, "currencies": rates}
    return Log(company=Company(currency="EUR"), tables=tables, extracted_on=pd.Timestamp("2024-01-31").as_unit("us"))


def test_amounts_of_a_lean_log_are_those_the_ledger_converts(log: Log):
    lean, whole = for_forecasters(log), ledger_of(log)
    assert lean.opportunities["amount"].tolist()[:2] == [0.1 * 0.3, 200.0]
    for given, converted in (("opportunities", whole.opportunities), ("opportunity_history", whole.history)):
        np.testing.assert_array_equal(lean.tables[given]["amount"], converted["amount"])
        assert "currency" not in lean.tables[given]
    assert log.opportunities["amount"].tolist()[:2] == [0.1, 200.0]  # the log given is as it was
    np.testing.assert_array_equal(ledger_of(lean).value, whole.value)
    assert lean.missing == log.missing


def test_amounts_at_rates_that_change_wait_for_the_day_that_is_asked(log: Log):
    dated = log.tables["currencies"].assign(**{"from": pd.to_datetime([None, "2024-01-01"]).as_unit("us")})
    asked = replace(log, tables={**log.tables, "currencies": dated})
    assert for_forecasters(asked).opportunities["currency"].tolist()[0] == "USD"
    own = replace(log, company=Company(currency="EUR", fixed_at_creation=("currency",)))
    assert "currency" in for_forecasters(own).opportunities


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Tokyo", "America/New_York"])
def test_a_lean_log_has_days_in_place_of_moments_and_its_ledger_shares_them(log: Log, zone: str):
    late = log.tables["opportunity_history"]["recorded_at"] + pd.Timedelta(hours=23, minutes=30)
    history = log.tables["opportunity_history"].assign(recorded_at=late)
    there = replace(
        log, company=replace(log.company, timezone=zone), tables={**log.tables, "opportunity_history": history}
    )
    lean = for_forecasters(there)
    whole, own = ledger_of(there), ledger_of(lean)
    assert own.day.tolist() == whole.day.tolist()
    assert own.history["recorded_on"].tolist() == whole.history["recorded_on"].tolist()
    moments = (own.history[name].array.view("int64") for name in ("recorded_on", "recorded_at"))
    assert np.shares_memory(*moments)
    assert there.company.timezone == zone
    assert there.tables["opportunity_history"]["recorded_at"].tolist() == late.tolist()


def test_rows_out_of_order_keep_their_moments(log: Log):
    history = log.tables["opportunity_history"].iloc[::-1].reset_index(drop=True)
    lean = for_forecasters(replace(log, tables={**log.tables, "opportunity_history": history}))
    assert lean.tables["opportunity_history"]["recorded_at"].tolist() == history["recorded_at"].tolist()


def test_moments_that_begin_days_serve_as_days_and_cannot_be_written(log: Log):
    when, held = log.tables["opportunity_history"]["recorded_at"], ledger_of(log).history["recorded_on"]
    assert held.tolist() == when.dt.tz_localize(None).tolist()
    assert np.shares_memory(held.array.view("int64"), when.array.view("int64"))
    noon = when + pd.Timedelta(hours=12)
    for zone, moment, days in (
        ("UTC", noon, [2, 3, 4]),
        ("Asia/Tokyo", noon, [2, 3, 4]),
        ("Asia/Tokyo", when, [2, 3, 4]),
    ):
        history = log.tables["opportunity_history"].assign(recorded_at=moment)
        there = replace(log, company=Company(timezone=zone), tables={**log.tables, "opportunity_history": history})
        assert ledger_of(there).history["recorded_on"].dt.day.tolist() == days
    there = replace(log, company=Company(timezone="America/New_York"))
    assert ledger_of(there).history["recorded_on"].dt.day.tolist() == [1, 2, 3]
    snap = forecast.snapshot(log, as_of="2024-01-31")
    with pytest.raises(ValueError, match=r"Incompatible|read-only"):
        snap.history.loc[0, "recorded_on"] = pd.Timestamp("2030-01-01")
    assert when.tolist() == log.tables["opportunity_history"]["recorded_at"].tolist()
