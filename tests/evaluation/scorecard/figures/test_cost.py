"""What selling costs: every figure by hand on a company of seven deals, and what is said where a table is missing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.evaluation.scorecard.definition import as_table
from forecast.evaluation.scorecard.figures import cost
from forecast.evaluation.scorecard.figures.cost import Flow, bought_in_first_year, left_out, new_customers, velocity_of
from forecast.evaluation.scorecard.known import Known, known_of
from forecast.evaluation.scorecard.spans import Span, year_of
from logs import log_of, table

OPPORTUNITIES = """
opportunity_id created_on segment stage amount expected_close_on closed_on outcome account_id
O1 2021-08-01 A Won 100 2022-01-20 2022-01-20 won K1
O2 2023-05-01 A Won 400 2023-06-20 2023-06-20 won K2
O3 2024-01-01 A Won 200 2024-02-20 2024-02-20 won K3
O4 2024-06-01 A Won 100 2024-08-20 2024-08-20 won K3
O5 2025-01-01 A Won 300 2025-03-20 2025-03-20 won K4
O6 2025-02-01 B Won 500 2025-06-20 2025-06-20 won K2
O7 2025-02-01 B Lost 50 2025-06-20 2025-06-20 lost K5
O8 2025-11-01 B Qualify 70 2026-02-20 . open K6
"""
STAGES = """
stage position outcome
Qualify 1 open
Won 2 won
Lost 3 lost
"""
COSTS = """
period segment function amount
2024-02 A sales 30
2024-02 A marketing 60
2025-03 A sales 60
2025-03 A marketing 20
2025-06 B sales 100
2025-06 B marketing 20
2025-06 B delivery 999
"""


def known(*, without: str = "", blank: bool = False) -> Known:
    deals = table(OPPORTUNITIES)
    if blank:
        deals.loc[deals["opportunity_id"] == "O6", "account_id"] = None
    tables = {"opportunities": deals, "stages": table(STAGES), "costs": table(COSTS)}
    if without in deals:
        tables["opportunities"] = deals.drop(columns=without)
    tables = {name: frame for name, frame in tables.items() if name != without}
    log = log_of(tables, extracted_on=pd.Timestamp("2025-12-31"))
    return known_of(log, forecast.snapshot(log, as_of="2025-12-31"))


def figures(of: Known) -> pd.DataFrame:
    found = as_table(cost.cost_of_sales(of, year_of(of.snap).now))
    return found.set_index(["figure", "definition", "segment"])


def test_every_figure_by_hand():
    found = figures(known())
    both = "sales and marketing"
    # 2025: 80 in March for 300, 120 in June for 500; other months have no costs recorded.
    assert found.loc[("cost of sales", both, "Total"), "value"] == pytest.approx(200 / 800)
    assert found.loc[("cost of sales", "sales alone", "Total"), "value"] == pytest.approx(160 / 800)
    assert found.loc[("cost of sales", both, "B"), "value"] == pytest.approx(120 / 500)
    assert found.loc[("cost of sales", both, "Total"), "n"] == 2
    assert found.loc[("cost of sales", f"{both}, the year before", "Total"), "value"] == pytest.approx(90 / 200)
    assert found.loc[("cost per won deal", both, "Total"), "value"] == pytest.approx(200 / 2)
    # K4 bought for the first time; K2 last bought in June 2023, 24 months before: still known.
    assert found.loc[("cost per new customer", both, "Total"), "value"] == pytest.approx(200 / 1)
    new = found.loc["new customers"]["value"]
    assert new.to_dict() == {
        ("no order in the 24 months before", "Total"): 1,
        ("no order in the 24 months before, the year before", "Total"): 1,
    }
    # Customers won in 2024: K3 for 200, and 100 more six months later: 90 comes back in 12 x 90 / 300 months.
    payback = found.loc[("payback", "in bookings", "Total")]
    assert payback["value"] == pytest.approx(12 * 90 / 300)
    assert (payback["first"], payback["last"]) == ("2024-01", "2024-12")
    assert (found["first"] != "").all()


def test_an_interval_has_months_as_units():
    row = figures(known()).loc[("cost of sales", "sales and marketing", "Total")]
    # r = .25; residuals 80 - 75 and 120 - 125; s = sqrt(2 / 1 x 50) / 800; t of 1 degree is 12.71.
    assert row["high"] - row["value"] == pytest.approx(12.7062 * np.sqrt(100) / 800, rel=1e-4)


def test_who_is_new_is_told_by_as_many_months_of_look_back():
    wins = known().wins
    span = Span(first=2025 * 12, last=2025 * 12 + 11)
    assert new_customers(wins, span, look_back=24)["account_id"].tolist() == ["K4"]
    assert new_customers(wins, span, look_back=12)["account_id"].tolist() == ["K4", "K2"]
    year = Span(first=2024 * 12, last=2024 * 12 + 11)
    first_year = bought_in_first_year(wins, new_customers(wins, year, look_back=24))
    assert first_year["amount"].tolist() == [200, 100]
    assert set(first_year["period"]) == {2024 * 12 + 1}


def test_velocity_by_hand_and_its_interval():
    flow = Flow(
        open=np.array([30.0, 50.0]),
        closed=np.array([10.0, 10.0]),
        won=np.array([4.0, 6.0]),
        priced=np.array([4.0, 6.0]),
        amount=np.array([400.0, 600.0]),
        cycle=np.array([8.0, 12.0]),
    )
    # 40 open x 1/2 won x 100 / 2 months.
    assert velocity_of(flow) == pytest.approx(1000)
    assert np.isnan(left_out(flow)).all()  # of two months nothing can be left out
    longer = Flow(**{name: np.tile(getattr(flow, name), 6) for name in vars(flow)})
    low, high = left_out(longer)
    assert low < 1000 < high
    same = Flow(**{name: np.full(12, value) for name, value in zip(vars(flow), (40, 10, 5, 5, 500, 10.0), strict=True)})
    assert left_out(same) == pytest.approx((1000, 1000))


@pytest.mark.parametrize(
    ("without", "figure", "why"),
    [
        ("costs", "cost of sales", "needs costs"),
        ("costs", "payback", "needs costs"),
        ("account_id", "cost per new customer", "needs account_id in opportunities"),
        ("account_id", "payback", "needs account_id in opportunities"),
    ],
)
def test_what_the_tables_lack_is_named(without: str, figure: str, why: str):
    rows = figures(known(without=without)).loc[figure]
    assert rows["value"].isna().all()
    assert rows["missing"].iloc[0] == why


def test_one_rule_of_who_is_new_holds_for_every_figure():
    rows = figures(known())
    named = rows[rows.index.get_level_values("figure").isin(["cost per new customer", "payback", "new customers"])]
    assert named["means"].str.contains("24 months before").all()
    # Payback of the year before is of customers of 2023, with fewer months before them: it would find more to be new.
    then = rows.loc[("payback", "in bookings, the year before", "Total")]
    assert np.isnan(then["value"])
    assert then["missing"] == "needs 24 months of wins before these to tell who is new"


def test_where_many_wins_name_no_customer_new_ones_are_not_counted():
    found = figures(known(blank=True))
    rows = found[found.index.get_level_values("figure").isin(["new customers", "cost per new customer"])]
    rows = rows[rows["first"] == "2025-01"]
    assert len(rows) == 3
    assert rows["value"].isna().all()
    assert rows["missing"].str.contains("of the wins name no customer").all()


def test_every_row_has_its_number_or_a_reason():
    for row in cost.cost_of_sales(known(), year_of(known().snap).now):
        assert (row.n > 0 and np.isfinite(row.value)) or row.missing, row
