"""Renewals of contracts, and breaks in the record alone: each is there as asked, and nothing else has changed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from forecast.simulation import parameters as par
from forecast.simulation.changes.contracts import Contracts
from forecast.simulation.changes.kinds import Change
from forecast.simulation.company import Simulation, simulate

RECORD = ("migration", "newcrm", "rename", "unrecorded")
"""Kinds that break the record alone."""


def changed(kind: str, *, size: float | None = None, opportunities: int = 8000, month: str | None = None) -> Simulation:
    return simulate(opportunities=opportunities, seed=21, changes=Change(kind=kind, size=size, month=month))


# -- renewals ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_renewals_come_on_their_day():
    company, without = changed("renewals", size=0.3, opportunities=20_000), simulate(opportunities=20_000, seed=21)
    contracts, deals = company.truth.contracts, company.truth.pipeline.deals
    assert contracts is not None
    n = len(contracts.due)
    assert len(deals.segment) - n == len(without.truth.pipeline.deals.segment)
    table = company.tables["opportunities"].set_index("opportunity_id")
    shown = table[table["lead_source"] == "Renewal"]
    assert (shown["type"] == "existing").all()
    over = shown[shown["outcome"] != "open"]
    won = over[over["outcome"] == "won"]
    share = len(won) / len(over)  # those lost early are over before their day
    assert share == pytest.approx(0.88, abs=3.5 * np.sqrt(0.88 * 0.12 / len(over)))
    history = company.tables["opportunity_history"]
    dates = history[history["opportunity_id"].isin(won.index)].groupby("opportunity_id")["expected_close_on"]
    assert (dates.nunique() == 1).all()
    assert (dates.first() == won["closed_on"]).all()
    january = (won["closed_on"].dt.month == 1) & (won["closed_on"].dt.day == 1)
    assert january.mean() == pytest.approx(0.725, abs=0.06)
    assert (won["closed_on"].dt.day == 1).all()
    # Contracts bring what was asked for, as a share of the rest: five years of them, growing by 3 % a year.
    brought, rest = deals.closed_amount[-n:], without.truth.actual
    whole_years = (contracts.due >= company.truth.clock.month_start[2]) & (
        contracts.due < company.truth.clock.month_start[62]
    )
    assert np.nansum(brought[whole_years]) / 5 == pytest.approx(0.3 * rest.sum() / 6, rel=0.15)
    np.testing.assert_allclose(company.truth.actual.sum() - rest.sum(), np.nansum(brought), rtol=1e-9)


def test_what_renewals_are_expected_to_bring_by_hand():
    company = simulate(opportunities=100, months=24, segments=2)
    first = company.truth.clock.month_start
    due, opened = int(first[12]), int(first[12]) - 100
    contracts = Contracts(
        segment=np.array([0, 0, 1, 1]),
        customer=np.arange(4),
        due=np.array([due, due, due, int(first[13])]),
        amount=np.array([100.0, 10.0, 50.0, 20.0]),
        created=np.array([opened, due - 20, opened, int(first[12]) + 10]),
        closed=np.array([due, due, opened + 5, int(first[13])]),
        is_won=np.array([True, True, False, True]),
    )
    # At the end of month 11: a day of a hundred is left to the first, one of twenty to the second, the third is lost.
    left = [0.88 / (0.88 + 0.12 * share) for share in (1 / 100, 1 / 20)]
    expected = contracts.expected(company.settings, company.truth.clock, 11, 2)
    np.testing.assert_allclose(expected, [[100 * left[0] + 10 * left[1], 0.0], [0.0, 20 * 0.88]])


# -- the record -------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", RECORD)
def test_a_break_in_the_record_leaves_what_happens_as_it_is(kind: str):
    company, still = changed(kind, month="2025-03", opportunities=2000), simulate(opportunities=2000, seed=21)
    np.testing.assert_array_equal(company.truth.actual, still.truth.actual)
    day = pd.Timestamp("2025-03-01")
    assert company.changes[["kind", "begins"]].to_numpy().tolist() == [[kind, day]]
    edited = {name for name, table in company.tables.items() if not table.equals(still.tables[name])}
    wanted = {
        "migration": {"opportunities"},
        "newcrm": {"opportunities", "opportunity_history"},
        "rename": {"opportunities", "opportunity_history", "stages"},
        "unrecorded": {"opportunity_history"},
    }
    assert edited == wanted[kind]


@pytest.mark.slow
def test_a_migration_stamps_the_day_on_what_was_open():
    company, still = changed("newcrm", size=0.8, month="2025-03"), simulate(opportunities=8000, seed=21)
    day = pd.Timestamp("2025-03-01")
    before, after = still.tables["opportunities"], company.tables["opportunities"]
    was_open = (before["created_on"] < day) & ~(before["closed_on"] <= day)
    moved = after["created_on"] != before["created_on"]
    assert (after["created_on"][moved] == day).all()
    assert not moved[~was_open].any()
    count = was_open.sum()
    assert moved.sum() / count == pytest.approx(0.8, abs=3.5 * np.sqrt(0.16 / count))
    first = company.tables["opportunity_history"].groupby("opportunity_id")["recorded_at"].min()
    assert (
        first.reindex(after["opportunity_id"][moved]).dt.tz_convert(par.TIMEZONE).dt.strftime("%F %T")
        == "2025-03-01 06:00:00"
    ).all()
    # A deal is in the state it was in.
    history, moment = still.tables["opportunity_history"], pd.Timestamp("2025-03-01", tz=par.TIMEZONE)
    state = history[history["recorded_at"] < moment].groupby("opportunity_id")[["stage", "amount"]].last()
    ours = company.tables["opportunity_history"].groupby("opportunity_id")[["stage", "amount"]].first()
    ids = after["opportunity_id"][moved]
    assert_frame_equal(ours.loc[ids], state.loc[ids])


@pytest.mark.slow
def test_a_stage_is_renamed_and_months_are_not_recorded():
    renamed = changed("rename", month="2025-03", opportunities=2000).tables
    history = renamed["opportunity_history"]
    when = history.groupby("stage")["recorded_at"].agg(["min", "max"])
    day = pd.Timestamp("2025-03-01", tz="UTC")
    assert when.loc["Proposal", "max"] < day < when.loc["Offer", "min"]
    assert renamed["stages"]["stage"].tolist()[2:4] == ["Proposal", "Offer"]
    assert renamed["stages"]["position"].tolist()[2:4] == [3.0, 3.0]
    months = changed("unrecorded", size=2, month="2025-03", opportunities=2000).tables["opportunity_history"]
    counted = months["recorded_at"].dt.strftime("%Y-%m").value_counts()
    assert "2025-04" not in counted.index
    assert min(counted["2025-02"], counted["2025-05"]) > 50


@pytest.mark.slow
def test_a_segment_that_is_not_there_has_no_rows():
    company = simulate(
        opportunities=1000,
        seed=21,
        changes=[
            Change(kind="closed", month="2025-01", segment="East"),
            Change(kind="split", month="2024-06", segment="South"),
        ],
    )
    for name in ("plan", "marketing", "costs", "delivery", "submitted_forecasts"):
        table = company.tables[name]
        months = table.rename(columns={"target_period": "period"}).groupby("segment")["period"]
        assert months.max()["East"] == "2024-12", name
        assert months.min()["South"] == "2024-06", name
        assert months.max()["South"] > "2025-12", name
    table = company.changes
    assert table.loc[table["kind"] == "closed", "segment"].tolist() == ["East"]
