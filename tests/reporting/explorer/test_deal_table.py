"""The open deals of the explorer: filters, order and sums by hand on three deals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.data.schema import Company
from forecast.errors import ParameterError
from forecast.reporting.explorer import scenario as what_if
from forecast.reporting.explorer import sentences
from forecast.reporting.explorer.deal_table import (
    by_month,
    by_stage,
    chosen,
    in_order,
    open_deals,
    share_of_open,
)
from forecast.reporting.explorer.scenario import Levers
from forecast.reporting.explorer.sentences import SORTS
from forecast.wording import THIN
from scenarios import two_deals
from tiny import tiny_company


@pytest.fixture(scope="module")
def snap(tmp_path_factory):
    """Open at the end of March 2026: O6 South Propose Core 1,500 due April 15, O7 North Propose Plus 700 due May 1,
    O8 South Qualify Core 3,000 due June 30."""
    return forecast.snapshot(forecast.read(tiny_company(tmp_path_factory.mktemp("t") / "data")), as_of="2026-03-31")


@pytest.fixture(scope="module")
def deals(snap):
    chances = forecast.win_probabilities(snap)
    chances = chances.assign(
        p_win=[0.5, 0.4, 0.1],
        expected_amount=[750.0, 280.0, 300.0],
        factors=["in Propose (for)", "owner Rep 1 (against)", ""],
    )
    return open_deals(snap, chances)


def ids(frame: pd.DataFrame) -> list[str]:
    return frame["opportunity_id"].tolist()


def test_open_deals_are_those_that_are_open(snap, deals):
    assert ids(deals) == ["O6", "O7", "O8"]
    assert deals["stage"].tolist() == ["Propose", "Propose", "Qualify"]
    assert deals["p_win"].tolist() == [0.5, 0.4, 0.1]
    assert (snap.opportunities["outcome"] != "open").any()


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["O6", "O7", "O8"]),
        ({"segment": "South"}, ["O6", "O8"]),
        ({"segment": "Total", "product": "Core"}, ["O6", "O8"]),
        ({"product": "Core", "stage": "Propose"}, ["O6"]),
        ({"owner": "Rep 1"}, ["O7"]),
        ({"text": "o6"}, ["O6"]),
        ({"text": "REP south qualify"}, ["O8"]),
        ({"text": "owner"}, ["O7"]),
        ({"text": ".*"}, []),
        ({"text": "["}, []),
        ({"segment": "East"}, []),
    ],
)
def test_filters(deals, filters, expected):
    before = deals.copy()
    assert ids(chosen(deals, **filters)) == expected
    pd.testing.assert_frame_equal(deals, before)


def test_order(deals):
    assert ids(in_order(deals, "amount")) == ["O8", "O6", "O7"]
    assert ids(in_order(deals, "amount", descending=False)) == ["O7", "O6", "O8"]
    assert ids(in_order(deals, "opportunity_id")) == ["O8", "O7", "O6"]
    unknown = deals.assign(p_win=[np.nan, 0.4, 0.4])
    assert ids(in_order(unknown, "p_win")) == ["O7", "O8", "O6"]  # ties by name, the unknown last
    assert ids(in_order(unknown, "p_win", descending=False)) == ["O7", "O8", "O6"]
    for name in SORTS:
        assert len(in_order(deals, name)) == 3
    with pytest.raises(ParameterError, match="cannot be sorted by 'factors'"):
        in_order(deals, "factors")


def test_by_stage_in_the_order_of_the_stages(snap, deals):
    table = by_stage(deals, snap.stages)
    assert table.to_dict("list") == {
        "stage": ["Qualify", "Propose"],
        "deals": [1, 2],
        "amount": [3000.0, 2200.0],
        "expected_amount": [300.0, 1030.0],
    }
    assert by_stage(deals, snap.stages.iloc[:0])["stage"].tolist() == ["Propose", "Qualify"]
    assert by_stage(deals.iloc[:0], snap.stages).empty


def test_by_month_adds_up(snap, deals):
    table = by_month(deals, snap, months=2).set_index("month")
    assert table.index.tolist() == ["overdue", "2026-04", "2026-05", "later"]
    assert table["deals"].tolist() == [0, 1, 1, 1]
    assert table["amount"].tolist() == [0.0, 1500.0, 700.0, 3000.0]
    assert table["expected_amount"].sum() == deals["expected_amount"].sum()
    moved = deals.assign(expected_close_on=pd.to_datetime(["2026-03-30", None, "2026-04-01"]).astype("datetime64[us]"))
    table = by_month(moved, snap, months=2).set_index("month")
    assert table["deals"].to_dict() == {"overdue": 1, "2026-04": 1, "2026-05": 0, "later": 0, "no date": 1}
    today = deals.assign(expected_close_on=pd.to_datetime(["2026-03-31", None, "2026-04-01"]).astype("datetime64[us]"))
    table = by_month(today, snap, months=1).set_index("month")  # what is due on the day itself is not past its date
    assert table["deals"].to_dict() == {"overdue": 0, "2026-03": 1, "2026-04": 1, "later": 0, "no date": 1}
    assert by_month(deals.iloc[:0], snap, months=1)["deals"].sum() == 0


def test_by_month_has_the_month_in_progress(tmp_path: Path):
    snap = forecast.snapshot(forecast.read(tiny_company(tmp_path / "data")), as_of="2026-03-20")
    deals = open_deals(snap, forecast.win_probabilities(snap))
    assert by_month(deals, snap, months=1)["month"].tolist() == ["overdue", "2026-03", "2026-04", "later"]


# A brings .7 x 100, B .4 x 1,000; with the win rate up by a tenth, a tenth more.
def test_share_of_open_by_hand():
    given = two_deals()
    assert share_of_open(given, Levers(win_rate=0.1), pd.Series(["B"])) == pytest.approx((400.0, 440.0))
    assert share_of_open(given, Levers(leads=1.0), pd.Series(["A", "B"])) == pytest.approx((470.0, 470.0))
    assert share_of_open(given, Levers(won=("A",)), pd.Series(["A"])) == pytest.approx((70.0, 100.0))
    assert share_of_open(given, Levers(), pd.Series([], dtype="str")) == (0.0, 0.0)
    with pytest.raises(ParameterError):
        share_of_open(given, Levers(win_rate=9), pd.Series(["A"]))


@pytest.mark.slow
def test_products_add_up_to_the_open_pipeline(sample):
    snap = forecast.snapshot(forecast.read(sample), as_of="2026-10-31")
    given = what_if.base(snap)
    levers = Levers(win_rate=0.2, slippage=0.5)
    rows = snap.opportunities[snap.opportunities["outcome"] == "open"]
    parts = [
        share_of_open(given, levers, rows.loc[rows["product"] == name, "opportunity_id"])
        for name in rows["product"].unique()
    ]
    whole = share_of_open(given, levers, rows["opportunity_id"])
    assert np.sum(parts, axis=0) == pytest.approx(whole)


def test_what_is_not_known_is_not_said_to_be_nothing():
    table = pd.DataFrame({"month": ["later", "no date"], "deals": [0, 38], "amount": [0.0, 1.57e6]})
    company, nan = Company(currency="EUR"), float("nan")
    unknown = sentences.pipeline_finding(table.assign(expected_amount=[0.0, nan]), company=company)
    assert unknown == f"38 open deals hold €1.57{THIN}m; what they should bring in the end is not known"
    none = table.assign(amount=[0.0, nan], deals=[0, 1], expected_amount=[0.0, nan])
    assert sentences.pipeline_finding(none, company=company) == (
        "1 open deal holds an amount that is not known; what it should bring in the end is not known"
    )
    known = sentences.pipeline_finding(table.assign(expected_amount=[0.0, 2e5]), company=company)
    assert known == f"38 open deals hold €1.57{THIN}m and should bring €200{THIN}k in the end"
    deals = pd.DataFrame({"amount": [nan], "expected_amount": [nan], "p_win": [nan]})
    assert sentences.counted(deals, currency="EUR", most=200) == "1 open deal, amount not known."
