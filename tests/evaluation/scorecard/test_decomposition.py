"""What revenue changed by, in parts: by hand on a small company, and what holds for any deals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import forecast
from forecast.evaluation.scorecard.revenue.decomposition import (
    BY_PRODUCTS,
    BY_SEGMENTS,
    COLUMNS,
    scorecard_decomposition,
)
from forecast.evaluation.scorecard.revenue.parts import ALONE, CUSTOMERS, FACTORS, Parts, parts_of, sold
from logs import log_of, random_tables, table

SEGMENTS = ("A", "B")
DEALS = """
year segment product account_id amount units
0 A X K1 100 10
0 A X K2 100 10
1 A X K2 150 10
1 A X K3 150 10
1 A X K4 150 10
1 A X K4 150 10
"""


def frame_of(text: str) -> pd.DataFrame:
    frame = table(text)
    return frame.assign(**{name: frame[name].astype(float) for name in ("year", "amount", "units")})


def split(frame: pd.DataFrame, *, turned: bool = False) -> Parts:
    """Return the parts of a frame of deals of year 0 and 1, and of -1, long before; `turned`: from 1 to 0."""
    year, (then, now) = frame["year"].to_numpy(), ((1, 0) if turned else (0, 1))
    return parts_of(sold(frame, segments=SEGMENTS), before=year == then, after=year == now, earlier=year < 0)


def totals(parts: Parts) -> dict[str, float]:
    return {name: cents.sum() / 100 for name, cents in parts.factors.items() if cents.any()}


def test_one_product_by_hand():
    # 200 -> 600: customers 2 -> 3, orders each 1 -> 4/3, units 10 -> 10, price 10 -> 15; L = 400 / log 3 = 364.0957.
    found = split(frame_of(DEALS))
    mean = 400 / np.log(3)
    expected = {
        "customers": mean * np.log(3 / 2),
        "frequency": mean * np.log(4 / 3),
        "price": mean * np.log(15 / 10),
    }
    assert totals(found) == pytest.approx(expected, abs=0.01)
    # Two came (K3, K4) and one went (K1); each is worth the customers' part over the one more that there are.
    each = expected["customers"]
    people = {name: cents.sum() / 100 for name, cents in found.customers.items()}
    assert people == pytest.approx({"new": 2 * each, "regained": 0, "lost": -each, "kept": 0}, abs=0.02)
    assert {name: number.sum() for name, number in found.counts.items()} == {
        "new": 2,
        "regained": 0,
        "lost": 1,
        "kept": 1,
    }
    # From whom: K3 150 and K4 300, K1's 100 gone, K2 50 more.
    buyers = {name: cents.sum() / 100 for name, cents in found.buyers.items() if cents.any()}
    assert buyers == {"new": 450, "lost": -100, "kept": 50}


def test_who_bought_long_before_is_regained():
    found = split(frame_of(f"{DEALS.rstrip()}\n-1 A X K4 5 1\n"))
    assert found.counts["regained"].sum() == 1
    assert found.buyers["regained"].sum() == 300_00


def test_a_product_of_one_year_alone_is_mix():
    # 10 orders of X at 100; then 10 of X and 10 of Y at 300 by the same ten customers.
    rows = [f"{year} A {product} K{k} {amount} 1" for k in range(10) for year, product, amount in
            ((0, "X", 100), (1, "X", 100), (1, "Y", 300))]  # fmt: skip
    found = split(frame_of("\n".join(["year segment product account_id amount units", *rows])))
    of_y = {name: cents[0, 1] / 100 for name, cents in found.factors.items() if cents.any()}
    assert of_y["mix"] == 3000
    of_x = {name: cents[0, 0] / 100 for name, cents in found.factors.items()}
    assert of_x["frequency"] == pytest.approx(1000 * np.log(2), abs=0.01)  # twice the orders, half of them X
    assert of_x["mix"] == pytest.approx(-1000 * np.log(2), abs=0.01)


def test_blank_accounts_stand_by_themselves_and_nothing_is_dropped():
    # Today's customers x orders x mean deal of such a company leaves out what names nobody.
    found = split(frame_of(f"{DEALS.rstrip()}\n0 A X . 70 1\n1 A X . 1000 1\n1 B X . 30.25 1\n"))
    assert found.factors["account_unknown"].sum() == 960_25
    assert found.change.sum() == 1360_25
    assert sum(cents.sum() for cents in found.factors.values()) == 1360_25


def test_deals_without_units_have_a_size():
    # Nobody counts units: 2 customers at 100, then 3 with 4 orders at 150.
    frame = frame_of(DEALS).assign(units=np.nan)
    mean = 400 / np.log(3)
    expected = {
        "customers": mean * np.log(3 / 2),
        "frequency": mean * np.log(4 / 3),
        "deal_size": mean * np.log(15 / 10),
    }
    assert totals(split(frame)) == pytest.approx(expected, abs=0.01)
    # Units are recorded from the second year on: neither price nor size can be told from the recording.
    frame = frame_of(DEALS)
    frame.loc[frame["year"] == 0, "units"] = np.nan
    found = totals(split(frame))
    assert found["recording"] == pytest.approx(400)
    assert set(found) == {"recording"}


def test_deals_without_an_amount_are_counted_and_credits_stand_by_themselves():
    frame = frame_of(f"{DEALS.rstrip()}\n1 A X K9 . 1\n1 A X K8 -40 1\n")
    found = split(frame)
    assert found.after.without_amount.sum() == 1
    assert found.factors["credits"].sum() == -40_00
    assert found.after.customers.sum() == 3  # neither K9 nor K8 ordered anything for money
    assert found.change.sum() == 360_00


# -- what holds for any deals -------------------------------------------------------------------------------

deal = st.fixed_dictionaries(
    {
        "year": st.sampled_from([-1.0, 0.0, 1.0]),
        "segment": st.sampled_from(SEGMENTS),
        "product": st.sampled_from(["X", "Y", "Z", None]),
        "account_id": st.sampled_from(["K1", "K2", "K3", "K4", None]),
        "amount": st.one_of(st.integers(-2_000, 1_000_000).map(lambda cents: cents / 100), st.just(np.nan)),
        "units": st.sampled_from([1.0, 3.0, 20.0, np.nan]),
    }
)
deals = st.lists(deal, min_size=1, max_size=25).map(pd.DataFrame)


@settings(max_examples=150, deadline=None)
@given(deals)
def test_it_is_exact_in_every_cell(frame: pd.DataFrame):
    found = split(frame)
    assert (sum(found.factors.values()) == found.change).all()
    assert (sum(found.buyers.values()) == found.change).all()
    assert (sum(found.customers.values()) == found.factors["customers"]).all()
    for year, side in ((0, found.before), (1, found.after)):
        for at, segment in enumerate(SEGMENTS):
            booked = frame.loc[(frame["year"] == year) & (frame["segment"] == segment), "amount"].sum()
            assert side.money[at].sum() == round(booked * 100)


@settings(max_examples=150, deadline=None)
@given(deals)
def test_it_turns_its_sign_with_time(frame: pd.DataFrame):
    there, back = split(frame), split(frame, turned=True)
    for name in (*FACTORS, *ALONE):
        assert (there.factors[name] == -back.factors[name]).all(), name
    came = there.customers["new"] + there.customers["regained"]
    assert (came == -back.customers["lost"]).all()


@settings(max_examples=100, deadline=None)
@given(deals, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(frame: pd.DataFrame, random):
    order = list(range(len(frame)))
    random.shuffle(order)
    one, other = split(frame), split(frame.iloc[order])
    assert all((one.factors[name] == other.factors[name]).all() for name in one.factors)
    assert all((one.customers[name] == other.customers[name]).all() for name in CUSTOMERS)


@settings(max_examples=50, deadline=None)
@given(deals)
def test_other_segments_do_not_change_a_segments_parts(frame: pd.DataFrame):
    alone = frame.assign(product=frame["product"].fillna("none"))
    whole, own = split(alone), split(alone[alone["segment"] == "A"])
    assert all(whole.factors[name][0].sum() == own.factors[name][0].sum() for name in whole.factors)


def test_fractions_of_a_cent_add_up_to_the_whole():
    frame = pd.DataFrame(
        {"year": [0.0] * 3 + [1.0] * 3, "segment": "A", "product": list("XYZ") * 2, "account_id": "K1"}
    ).assign(amount=[1.004] * 3 + [2.004] * 3, units=1.0)
    found = split(frame)
    assert found.before.money.sum() == 301
    assert found.after.money.sum() == 601


# -- the table ----------------------------------------------------------------------------------------------

OPPORTUNITIES = """
opportunity_id created_on segment stage amount expected_close_on closed_on outcome product account_id units
O1 2023-01-10 A Won 100 2023-02-20 2023-02-20 won X K1 10
O2 2024-01-05 A Won 100 2024-03-10 2024-03-10 won X K1 10
O3 2024-01-05 A Won 100 2024-06-15 2024-06-15 won X K2 10
O4 2025-01-05 A Won 600 2025-03-15 2025-03-15 won Y K1 30
O5 2025-01-05 B Won 500 2025-10-20 2025-10-20 won X K3 10
O6 2024-01-05 B Won 400 2024-10-20 2024-10-20 won X . 10
O7 2025-03-05 A Qualify 70 2025-12-15 . open X K4 1
"""
STAGES = """
stage position outcome
Qualify 1 open
Won 2 won
Lost 3 lost
"""
STARTS = """
segment adopted_on
A 2025-02-01
B .
"""


def snap(*, as_of: str = "2025-12-31", without: str = "", starts: str | None = STARTS):
    tables = {"opportunities": table(OPPORTUNITIES).drop(columns=[without] if without else []), "stages": table(STAGES)}
    if starts is not None:
        tables["joint_planning"] = table(starts)
    return forecast.snapshot(log_of(tables, extracted_on=pd.Timestamp("2025-12-31")), as_of=as_of)


def test_the_table_by_hand():
    found = scorecard_decomposition(snap())
    assert tuple(found.columns) == COLUMNS
    year = found[found["comparison"] == "year"].set_index(["level", "node", "split", "component"])
    assert year.loc[("company", "Total", "total", "revenue"), ["amount", "from_value", "to_value"]].tolist() == [
        500,
        600,
        1100,
    ]
    assert set(year["before"]) == {"2024-01 to 2024-12"}
    assert year.loc[("company", "Total", "factor", "account_unknown"), "amount"] == -400
    assert year.loc[("segment", "B", "factor", "customers"), "amount"] == 500
    assert year.loc[("product", "Y", "factor", "mix"), "amount"] == 600
    assert year.loc[("segment", "A", "customers", "lost"), "n_before"] == 1
    planning = found[found["comparison"] == "joint planning"].set_index(["level", "node", "split", "component"])
    whole = ("segment", "A", "total", "revenue")
    assert planning.loc[whole, ["from_value", "to_value", "before", "after"]].tolist() == [
        200,
        600,
        "2024-02 to 2024-12",
        "2025-02 to 2025-12",
    ]
    beside = ("beside", "A", "total", "revenue")
    assert planning.loc[beside, ["from_value", "to_value"]].tolist() == [400, 500]
    assert "B" not in planning.loc["segment"].index.get_level_values(0)


def test_the_table_says_which_shares_moved_a_mean():
    # Units: A has 20 of 20 at 10, since B's names no customer; then A 30 at 20 (Y) and B 10 at 50 (X). B has no price
    # of its own before, so that of after: the mean of 10, or of 20, and 50 at 3 to 1 is 10, or 7.5, above A's alone.
    found = scorecard_decomposition(snap())
    here = (found["comparison"] == "year") & found["split"].isin([BY_SEGMENTS, BY_PRODUCTS])
    rows = found[here].set_index(["split", "component"])
    assert rows.loc[(BY_SEGMENTS, "price"), ["from_value", "to_value"]].tolist() == [10, 17.5]
    # In A X gave way to Y, at 10 and 20: X's price is 10 in both, Y's 20. Weighed by A's share, all before and 3 of 4
    # after, that is 10 or 7.5.
    assert rows.loc[(BY_PRODUCTS, "price"), ["from_value", "to_value"]].tolist() == [10, 17.5]
    assert rows["amount"].isna().all()
    assert set(rows.index.get_level_values("component")) == {"frequency", "units", "price", "deal_size"}
    unnamed = scorecard_decomposition(snap(without="units"))
    price = unnamed[(unnamed["component"] == "price") & (unnamed["split"] == BY_SEGMENTS)]
    assert set(price["missing"]) == {"needs units in opportunities"}
    assert price["to_value"].isna().all()


def test_levels_add_up_to_the_cent():
    found = scorecard_decomposition(snap())
    found = found[~found["split"].isin([BY_SEGMENTS, BY_PRODUCTS])]  # these have no amounts
    sums = found.pivot_table(
        index=["comparison", "split", "component"], columns="level", values="amount", aggfunc="sum"
    )
    cents = (sums * 100).round(6)
    assert (cents["company"] == cents["segment"]).all()
    assert (cents["company"] == cents["product"]).all()


def test_what_the_tables_lack_is_named():
    found = scorecard_decomposition(snap(without="units"))
    units = found[(found["component"] == "units") & (found["level"] == "company")]
    assert set(units["missing"]) == {"needs units in opportunities"}
    assert units["amount"].isna().all()
    nobody = scorecard_decomposition(snap(without="account_id"))
    company = nobody[(nobody["comparison"] == "year") & (nobody["level"] == "company")].set_index(
        ["split", "component"]
    )
    assert company.loc[("factor", "account_unknown"), "amount"] == 500
    assert company.loc[("factor", "customers"), "missing"] == "needs account_id in opportunities"


def test_a_log_too_short_says_so():
    found = scorecard_decomposition(snap(as_of="2024-06-30", starts=None))
    assert found["amount"].isna().all()
    assert len(found) == 2
    assert "bookings are recorded from 2023-0" in found["missing"].iloc[0]
    assert "needs joint_planning" in found["missing"].iloc[1]


def test_a_company_that_won_nothing_has_revenue_of_nothing():
    tables = {"opportunities": table(OPPORTUNITIES).query("opportunity_id == 'O7'"), "stages": table(STAGES)}
    log = log_of(tables, extracted_on=pd.Timestamp("2027-12-31"))
    found = scorecard_decomposition(forecast.snapshot(log, as_of="2027-12-31"))
    assert found.loc[found["split"] == "total", "amount"].dropna().tolist() in ([0.0, 0.0], [0.0])


def test_nothing_later_is_known():
    early = scorecard_decomposition(snap(as_of="2025-06-30"))
    year = early[(early["comparison"] == "year") & (early["split"] == "total") & (early["level"] == "company")]
    assert year["to_value"].tolist() == [1000]  # without October's deal


@pytest.mark.parametrize("future", [1, 2])
def test_what_is_recorded_later_changes_nothing(future: int):
    # Two companies with one past and other futures say the same of a day.
    day = "2025-12-31"
    tables = [random_tables(4, other, as_of=day, deals=40) for other in (0, future)]
    found = []
    for each in tables:
        sold = each["opportunities"].assign(
            account_id=[f"K{number % 7}" for number in range(len(each["opportunities"]))],
            product=[f"P{number % 3}" for number in range(len(each["opportunities"]))],
        )
        log = log_of({**each, "opportunities": sold}, extracted_on=pd.Timestamp("2026-03-31"))
        found.append(scorecard_decomposition(forecast.snapshot(log, as_of=day)))
    pd.testing.assert_frame_equal(*found)
