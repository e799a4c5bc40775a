"""Hand-overs by hand: who passes, after how long, and what the rows say where a table is missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import forecast
from companies import make_snapshot
from forecast.data.known.snapshot import Snapshot
from forecast.evaluation.scorecard.close_rates import close_rates
from forecast.evaluation.scorecard.definition import as_table as close_rates_table
from forecast.evaluation.scorecard.funnel import hand_overs as hand_overs_module
from forecast.evaluation.scorecard.funnel.hand_overs import STEPS, hand_over_rows, hand_overs, without_lead_rows
from forecast.evaluation.scorecard.funnel.leaks import again_rows
from forecast.evaluation.scorecard.funnel.rows import ALL, HAND_OVER, FunnelRow, as_table
from logs import log_of, random_tables

AS_OF = "2026-01-07"


def days(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(
        **{name: pd.to_datetime(frame[name]).astype("datetime64[us]") for name in frame if name.endswith("_on")}
    )


def company(times: int = 1) -> Snapshot:
    """Twenty leads of March 2025: 15 worked after 2 days, 5 never; of the 15, 5 rejected after 10 days and 10 qualified
    after 20; each a deal after 22 days. Of the 10 deals 8 get a proposal after 30 days; 6 are won after 60 days, two
    lost after 50, the others stay open. Promised 40 days after the win: 4 on time on the day, 2 late by 5 days. The
    same so many `times`; and a deal of 2023 was lost in February, when the record begins.
    """
    start = pd.Timestamp("2025-03-03")
    leads = pd.DataFrame({"lead_id": np.arange(20 * times).astype(str), "created_on": start, "segment": "North"})
    number, block = np.arange(20 * times) % 20, np.arange(20 * times) // 20
    leads["worked_on"] = np.where(number < 15, start + pd.Timedelta(days=2), pd.NaT)
    leads["rejected_on"] = np.where((number >= 10) & (number < 15), start + pd.Timedelta(days=12), pd.NaT)
    leads["qualified_on"] = np.where(number < 10, start + pd.Timedelta(days=20), pd.NaT)
    leads["opportunity_id"] = [f"O{10 * b + i:03}" if i < 10 else None for i, b in zip(number, block, strict=True)]

    created, each = start + pd.Timedelta(days=22), np.arange(10 * times)
    n, ids = each % 10, [f"O{i:03}" for i in each]
    won, lost = n < 6, (n >= 6) & (n < 8)
    closed = np.where(won, created + pd.Timedelta(days=60), np.where(lost, created + pd.Timedelta(days=50), pd.NaT))
    deals = pd.DataFrame({"opportunity_id": ids, "created_on": created, "closed_on": closed})
    deals["outcome"] = np.where(won, "won", np.where(lost, "lost", "open"))
    deals["stage"] = np.where(won, "Closed won", np.where(lost, "Closed lost", "Early"))
    deals["account_id"] = [f"A{i}" for i in each]
    promised = created + pd.Timedelta(days=100)
    deals["promised_on"] = np.where(won, promised, pd.NaT)
    late = promised + pd.Timedelta(days=5)
    deals["delivered_on"] = np.where(n < 4, promised, np.where(won, late, pd.NaT))
    old = {"opportunity_id": "P", "created_on": pd.Timestamp("2023-06-01"), "closed_on": pd.Timestamp("2025-02-03")}
    deals = pd.concat([deals, pd.DataFrame([old | {"outcome": "lost", "stage": "Closed lost"}])], ignore_index=True)
    rows = [(ids[i], created, "Early") for i in each]
    rows += [(ids[i], created + pd.Timedelta(days=30), "Late") for i in each if n[i] < 8]
    rows += [(ids[i], closed[i], deals["stage"][i]) for i in each if won[i] or lost[i]]
    history = pd.DataFrame(rows, columns=["opportunity_id", "recorded_on", "stage"])
    history = history.assign(recorded_on=pd.to_datetime(history["recorded_on"]), amount=100.0)
    history["expected_close_on"] = "2025-12-31"
    history = history.sort_values(["opportunity_id", "recorded_on"], ignore_index=True)
    snap = make_snapshot(AS_OF, days(deals), history)
    stages = snap.stages.assign(is_proposal=snap.stages["stage"] == "Late")
    return replace(snap, leads=days(leads), stages=stages)


def by_step(rows: list[FunnelRow], cohort: str = ALL) -> dict[str, FunnelRow]:
    return {row.step: row for row in rows if row.segment == "Total" and row.cohort == cohort}


@pytest.fixture(scope="module")
def found() -> dict[str, FunnelRow]:
    return by_step(hand_over_rows(company(20)))


@pytest.mark.parametrize(
    ("step", "passed", "n", "median"),
    [
        ("lead to worked", 15 / 20, 400, 2),
        ("worked to qualified", 10 / 15, 300, 18),
        ("qualified to opportunity", 1.0, 200, 2),
        ("opportunity to proposal", 8 / 10, 200, 30),
        ("proposal to won", 6 / 8, 160, 30),
        ("won to delivered on time", 4 / 6, 120, 40),
    ],
)
def test_by_hand(found: dict[str, FunnelRow], step: str, passed: float, n: int, median: float):
    row = found[step]
    assert (row.value, row.n, row.median_days) == (pytest.approx(passed), n, median)
    assert row.low < row.value <= row.high
    assert row.missing == ""


def test_fewer_than_ten_are_not_a_share():
    found = by_step(hand_over_rows(company()))
    for step in STEPS[4:]:
        assert np.isnan(found[step].value)
        assert "fewer than 10" in found[step].missing


def test_what_ended_is_as_recorded():
    each = {one.step: one.journeys for one in hand_overs(company())}
    assert [int((each["proposal to won"].ended == code).sum()) for code in (1, 2)] == [6, 2]
    delivered = each["won to delivered on time"]
    assert [int((delivered.ended == code).sum()) for code in (1, 2)] == [4, 2]
    assert set(delivered.days[delivered.ended == 1]) == {40.0}
    assert set(delivered.days[delivered.ended == 2]) == {41.0}  # late from the day after the one promised
    assert len(each["delivered on time to bought again"]) == 4


def test_the_next_order_is_the_next_win_of_the_account():
    snap = company()
    again = snap.opportunities.iloc[[0]].assign(opportunity_id="O99", closed_on=pd.Timestamp("2025-09-01"))
    again = again.assign(promised_on=pd.NaT, delivered_on=pd.NaT)
    deals = pd.concat([snap.opportunities, days(again)], ignore_index=True).sort_values("opportunity_id")
    each = {one.step: one.journeys for one in hand_overs(replace(snap, opportunities=deals))}
    bought = each["delivered on time to bought again"]
    delivered = pd.Timestamp("2025-03-03") + pd.Timedelta(days=122)
    assert bought.days[bought.ended == 1].tolist() == [(pd.Timestamp("2025-09-01") - delivered).days]


def test_opportunities_that_no_lead_names_by_hand():
    snap = company(3)
    assert snap.leads is not None
    (row,) = [row for row in without_lead_rows(snap) if row.segment == "Total"]
    assert (row.value, row.n) == (0.0, 30)  # the deal of 2023 is older than the first lead
    # Of each block of ten deals four lose their lead: 12 of 30.
    unnamed = snap.leads["opportunity_id"].isin([f"O{10 * block + i:03}" for block in range(3) for i in range(4)])
    fewer = replace(snap, leads=snap.leads.assign(opportunity_id=snap.leads["opportunity_id"].mask(unnamed)))
    (row,) = [row for row in without_lead_rows(fewer) if row.segment == "Total"]
    assert (row.value, row.n, row.missing) == (pytest.approx(0.4), 30, "")
    assert row.low < 0.4 < row.high
    for lacking, why in (
        (None, "needs leads"),
        (snap.leads.drop(columns="opportunity_id"), "needs opportunity_id in leads"),
    ):
        assert {row.missing for row in without_lead_rows(replace(snap, leads=lacking))} == {why}


def test_cohorts_are_the_quarters_of_setting_out():
    rows = hand_over_rows(company())
    quarter = by_step(rows, "FY25 Q1")
    assert quarter["lead to worked"].n == 20
    assert quarter["lead to worked"].last == "2025-03"
    assert by_step(rows, "FY25 Q4")["lead to worked"].n == 0
    assert {row.part for row in rows} == {HAND_OVER}
    assert set(as_table(rows)["segment"]) == {"North", "Total"}


def test_young_journeys_cannot_be_told():
    snap = company()
    leads = pd.concat([snap.leads.assign(created_on=pd.Timestamp("2025-12-20"), worked_on=pd.NaT)] * 2)
    leads["worked_on"] = pd.to_datetime(np.where(np.arange(40) < 15, "2025-12-24", None))
    row = by_step(hand_over_rows(replace(snap, leads=leads)))["lead to worked"]
    assert np.isnan(row.value)
    assert "cannot tell" in row.missing
    assert row.n == 40


def test_promises_of_deals_that_were_not_won_are_none():
    snap = company()
    won = snap.opportunities["outcome"] == "won"
    deals = snap.opportunities.assign(
        promised_on=snap.opportunities["created_on"].where(~won), delivered_on=snap.opportunities["created_on"]
    )
    found = by_step(hand_over_rows(replace(snap, opportunities=deals)))
    assert found["won to delivered on time"].missing == "needs promised_on and delivered_on in opportunities"


def test_each_step_says_which_table_would_bring_it():
    snap = company()
    bare = snap.opportunities.drop(columns=["promised_on", "delivered_on", "account_id"])
    found = by_step(hand_over_rows(replace(snap, leads=None, history=None, opportunities=bare)))
    assert [found[step].missing for step in STEPS] == [
        *["needs leads"] * 3,
        *["needs opportunity_history, and is_proposal in stages"] * 2,
        "needs promised_on and delivered_on in opportunities",
        "needs account_id, promised_on and delivered_on in opportunities",
    ]
    unworked = replace(snap, leads=snap.leads.drop(columns="worked_on"))
    assert by_step(hand_over_rows(unworked))["worked to qualified"].missing == "needs worked_on in leads"


@pytest.mark.parametrize("past", range(4))
def test_the_future_does_not_reach_a_row(past: int):
    made = []
    for future in (1, 2):
        log = log_of(random_tables(past, future, as_of=AS_OF, deals=40))
        snap = forecast.snapshot(log, as_of=AS_OF)
        made.append(
            (
                as_table([*hand_over_rows(snap), *without_lead_rows(snap), *again_rows(snap)]),
                close_rates_table(close_rates(snap)),
            )
        )
    for one, other in zip(*made, strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_how_many_were_followed_for_all_of_the_days_is_counted(monkeypatch: pytest.MonkeyPatch):
    # All 80 accounts are delivered to 181 days before the end of what is followed; a quarter of them now 10 days later.
    snap = company(20)
    deals = snap.opportunities.copy()
    of_a_quarter = deals["account_id"].isin([f"A{10 * block + i}" for block in range(5) for i in range(10)])
    for name in ("promised_on", "delivered_on"):
        deals.loc[of_a_quarter, name] += pd.Timedelta(days=10)
    monkeypatch.setattr(hand_overs_module, "YEAR_DAYS", 180)
    row = by_step(hand_over_rows(replace(snap, opportunities=deals)))[STEPS[-1]]
    assert (row.n, row.n_followed, row.missing) == (80, 60, "")
    assert {each.n_followed for step, each in by_step(hand_over_rows(snap)).items() if step != STEPS[-1]} == {0}
