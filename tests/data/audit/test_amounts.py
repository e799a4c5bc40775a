"""Amounts that are not what they seem, each on a small log whose answer is worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audited import finding, many
from forecast.data.audit import amounts
from forecast.data.audit.audit import audit
from forecast.data.checks.amounts import OTHER_AMOUNT
from forecast.data.checks.validation import validate
from forecast.data.schema import Company, Log
from forecast.wording import MINUS
from forecast.wording import THIN as T


def spread(deals: int, *, seed: int = 0) -> np.ndarray:
    return np.round(np.random.default_rng(seed).lognormal(8, 1, deals), 2)


def found(log: Log) -> list[str]:
    return audit(log)["finding"].tolist()


def with_history(frame: pd.DataFrame, **columns: object) -> Log:
    """Return the log of deals whose one row of history says what they are today, but for `columns`."""
    rows = frame.assign(recorded_at=frame["created_on"].dt.tz_localize("UTC"))
    history = rows[["opportunity_id", "recorded_at", "stage", "amount", "expected_close_on"]].assign(**columns)
    return validate({"opportunities": frame, "opportunity_history": history}, Company())


def test_a_lost_decimal_point_stands_alone():
    worth = spread(1000)
    worth[500] = worth.max() * 30
    log = many(1000, amount=worth)
    alone = finding(audit(log), amounts.STANDS_ALONE)
    assert (alone["rank"], alone["rows"], alone["count"]) == ("changes the answer", "O00500", 1)
    assert amounts.STANDS_ALONE not in found(many(1000, amount=spread(1000)))


@pytest.mark.parametrize("seed", range(20))
def test_a_heavy_tail_is_no_slip(seed: int):
    tail = np.random.default_rng(seed).pareto(1.2, 600) + 1
    assert amounts.STANDS_ALONE not in found(many(600, amount=1000 * tail))


def test_months_and_segments_in_another_unit():
    worth = spread(900)
    month = pd.to_timedelta(np.arange(900), unit="D") + pd.Timestamp("2024-01-01")
    in_cents = np.where(month.to_period("M") == pd.Period("2024-05"), 100 * worth, worth)
    odd = finding(audit(many(900, amount=in_cents)), amounts.ANOTHER_SIZE)
    assert odd["rows"] == "2024-05"
    assert "times in 2024-05" in odd["evidence"]
    assert amounts.ANOTHER_SIZE not in found(many(900, amount=worth))
    segment = np.resize(["North", "South", "East"], 900)
    in_thousands = np.where(segment == "South", worth / 1000, worth)
    odd = finding(audit(many(900, amount=in_thousands, segment=segment)), amounts.SEGMENT_SIZE)
    assert odd["rows"] == "South"
    assert "1/" in odd["evidence"]
    assert amounts.SEGMENT_SIZE not in found(many(900, amount=np.where(segment == "South", worth / 20, worth)))


def test_all_amounts_the_same():
    same = finding(audit(many(60)), amounts.ALL_EQUAL)
    assert same["evidence"] == "100 in all 60 deals that have one: bookings are then a number of deals"
    assert amounts.ALL_EQUAL not in found(many(60, amount=spread(60)))


def test_what_is_there_today_is_what_history_said_last():
    frame = many(300, amount=spread(300)).opportunities
    assert amounts.NOT_AS_RECORDED not in found(with_history(frame))
    thousand = finding(audit(with_history(frame, amount=1000 * frame["amount"])), OTHER_AMOUNT)
    assert thousand["evidence"].endswith("by their last rows, 1,000 times; 300 rows were read")
    assert (thousand["rank"], thousand["column"]) == ("changes the answer", "amount")
    one = frame["amount"].where(frame.index != 7, frame["amount"] + 1)
    slight = finding(audit(with_history(frame, amount=one)), OTHER_AMOUNT)
    assert (slight["rank"], slight["rows"].split()[0]) == ("cosmetic", "O00007")


def test_deals_worth_nothing():
    worth = np.where(np.arange(100) < 10, 0.0, spread(100))
    nothing = finding(audit(many(100, amount=worth)), amounts.NOTHING)
    assert (nothing["rank"], nothing["count"]) == ("changes the answer", 10)
    assert nothing["evidence"] == f"0 for 10 of 100 deals with an amount (10{T}%), 0 of them open"
    one = finding(audit(many(100, amount=np.where(np.arange(100) < 1, 0.0, worth + 1))), amounts.NOTHING)
    assert one["rank"] == "cosmetic"


def test_an_open_deal_is_unheard_of_beyond_three_times_the_largest_that_closed():
    worth = np.append(spread(99), 0.0)
    outcome = ["won", "lost"] * 49 + ["won", "open"]
    for times, rank in ((2.9, "cosmetic"), (3.1, "changes the answer")):
        worth[-1] = times * worth[:-1].max()
        table = audit(many(100, outcome=outcome, amount=worth))
        assert finding(table, "open deals larger than an average month's bookings")["rank"] == rank


def test_a_second_column_of_nearly_the_same_sums_is_named():
    paid = np.where(np.arange(80) % 4, 108.0, 90.0)  # of the deals won, every other one
    second = finding(audit(many(80, paid=paid)), amounts.SECOND_AMOUNT)
    assert (second["rank"], second["column"], second["count"]) == ("cosmetic", "paid", 40)
    assert f"over 40 won deals it adds up to 3.96{T}k, amount to 4{T}k ({MINUS}1{T}%)" in second["evidence"]
    for same in (100.0, 3_000.0):  # the amount itself, and another quantity altogether
        assert amounts.SECOND_AMOUNT not in found(many(80, paid=same))
