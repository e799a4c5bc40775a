"""Dates that are not what they say, each on a small log whose answer is worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audited import finding, many
from forecast.data.audit import dates
from forecast.data.audit.audit import audit
from forecast.data.checks.validation import validate
from forecast.data.schema import Company, Log
from forecast.wording import THIN as T

DAY = pd.Timedelta(days=1)


def found(log: Log) -> list[str]:
    return audit(log)["finding"].tolist()


def all_open(count: int, due: pd.Series | pd.Timestamp) -> Log:
    """Return a log of closed deals, and `count` open ones that are expected to close on given days."""
    log = many(200 + count, outcome=["won", "lost"] * 100 + ["open"] * count)
    frame = log.opportunities.copy()
    frame.loc[frame["outcome"] == "open", "expected_close_on"] = due
    return validate({"opportunities": frame}, Company())


def test_a_migration_stamps_hundreds_with_its_day():
    log = many(600)
    frame = log.opportunities.copy()
    frame.loc[:299, "created_on"] = pd.Timestamp("2024-01-01")
    stamped = finding(audit(validate({"opportunities": frame}, Company())), dates.ONE_DAY)
    assert stamped["evidence"] == "deals created: 300 on 1 January 2024, of 600; on no other day more than 1"
    assert (stamped["rank"], stamped["count"], stamped["column"]) == ("changes the answer", 300, "created_on")
    assert stamped["rows"].startswith("O00000, O00001")


def test_a_load_every_week_is_a_habit_and_chance_is_no_load():
    rng = np.random.default_rng(1)
    weekly = many(800, created_on=pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(800) // 40 * 7, unit="D"))
    assert dates.ONE_DAY not in found(weekly)
    by_chance = pd.Timestamp("2022-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 730, 5000)), unit="D")
    log = many(5000, created_on=by_chance, closed_on=by_chance + 30 * DAY, expected_close_on=by_chance + 30 * DAY)
    assert dates.ONE_DAY not in found(log)


@pytest.mark.parametrize(
    ("early", "years", "is_told"),
    [(1, 10, True), (2, 10, True), (3, 10, False), (1, 1, True), (1, 0.9, False)],
    ids=["one", "1 %", "more: they are the past", "a year", "a pause"],
)
def test_a_wrong_year_puts_a_deal_long_before_all_others(early: int, years: float, is_told: bool):
    # 200 deals from 1 January 2024 on, one a day: half of their time is 100 days, so a year decides.
    created = pd.Series(pd.date_range("2024-01-01", periods=200, freq="D").as_unit("us"))
    created[:early] = created[early] - pd.Timedelta(days=round(years * 366))
    log = many(200, created_on=created, closed_on=created + DAY)
    assert (dates.LONG_BEFORE in found(log)) == is_told
    if years == 10 and early == 1:
        row = finding(audit(log), dates.LONG_BEFORE)
        assert row["evidence"] == (
            "1 deal of 200, the last of them on 25 December 2013; "
            "the next on 2 January 2024, after 3,660 days without any"
        )
        assert (row["rank"], row["rows"], row["column"]) == ("changes the answer", "O00000", "created_on")


def test_in_a_long_past_two_years_are_a_pause():
    created = pd.Series(pd.date_range("2016-01-01", periods=200, freq="14D").as_unit("us"))  # seven years and a half
    created[0] -= pd.Timedelta(days=730)
    assert dates.LONG_BEFORE not in found(many(200, created_on=created, closed_on=created + DAY))


def test_creation_at_three_times_its_level():
    month = np.repeat(np.arange(26), [30] * 24 + [95, 20])
    created = np.datetime64("2024-01", "M") + month
    stamp = pd.Series(created.astype("datetime64[us]")) + pd.to_timedelta(np.arange(len(month)) % 28, unit="D")
    log = many(len(month), created_on=stamp, closed_on=stamp + DAY, expected_close_on=stamp + DAY)
    high = finding(audit(log), dates.LEVEL)
    assert high["evidence"] == "deals created: 95 in January 2026 (before: 30), the median month of the twelve before"
    assert high["rows"] == "2026-01"


def test_a_month_that_is_high_every_year_is_a_season():
    month = np.repeat(np.arange(26), [100 if at % 12 == 0 else 30 for at in range(26)])
    created = np.datetime64("2024-01", "M") + month
    stamp = pd.Series(created.astype("datetime64[us]")) + pd.to_timedelta(np.arange(len(month)) % 28, unit="D")
    log = many(len(month), created_on=stamp, closed_on=stamp + DAY, expected_close_on=stamp + DAY)
    assert dates.LEVEL not in found(log)


def test_placeholders_in_2099():
    far = finding(audit(all_open(40, pd.Timestamp("2099-12-31"))), dates.FAR_AHEAD)
    assert (far["rank"], far["count"]) == ("changes the answer", 40)
    assert far["evidence"].startswith(
        f"40 of 40 open deals with a date (100{T}%) lie more than 3 years ahead, 40 of them on 31 December 2099; "
    )
    one = all_open(40, pd.Series(pd.Timestamp("2025-02-10"), index=range(200, 240)).mask(np.arange(40) == 3))
    frame = one.opportunities.copy()
    frame.loc[203, "expected_close_on"] = pd.Timestamp("2099-01-01")
    single = finding(audit(validate({"opportunities": frame}, Company())), dates.FAR_AHEAD)
    assert single["rank"] == "cosmetic"  # one of forty moves no forecast


@pytest.mark.parametrize(
    ("day", "is_told"),
    [("2025-02-11", True), ("2025-02-28", False), ("2025-03-01", False), ("2025-03-31", False)],
)
def test_the_ends_of_a_month_are_where_deals_are_due(day: str, is_told: bool):
    assert (dates.SAME_DUE_DAY in found(all_open(40, pd.Timestamp(day)))) is is_told


def test_wins_alone_that_are_entered_once_they_are_decided():
    """A sixth of the closed deals were closed at once, but they are a third of those that were won."""
    log = many(120)
    at_once = (log.opportunities["outcome"] == "won") & (np.arange(120) % 3 == 0)
    frame = log.opportunities.assign(
        closed_on=log.opportunities["closed_on"].mask(at_once, log.opportunities["created_on"])
    )
    row = finding(audit(validate({"opportunities": frame}, Company())), dates.CLOSED_AT_ONCE)
    assert (row["evidence"], row["count"]) == (f"20 of 60 won deals (33{T}%)", 20)


def test_due_before_created_and_closed_on_the_day_of_creation():
    log = many(100)
    frame = log.opportunities.assign(expected_close_on=log.opportunities["created_on"] - DAY)
    frame.loc[:29, "closed_on"] = frame.loc[:29, "created_on"]
    table = audit(validate({"opportunities": frame}, Company()))
    assert finding(table, dates.DUE_BEFORE)["evidence"] == f"100 of 100 deals with a date (100{T}%)"
    at_once = finding(table, dates.CLOSED_AT_ONCE)
    assert (at_once["evidence"], at_once["count"]) == (f"30 of 100 closed deals (30{T}%)", 30)
    few = frame.assign(closed_on=frame["created_on"] + pd.to_timedelta(1 * (np.arange(100) >= 20), unit="D"))
    assert dates.CLOSED_AT_ONCE not in found(validate({"opportunities": few}, Company()))


def test_records_that_end_before_the_day_looked_at():
    frame = many(200).opportunities
    last = frame["closed_on"].max()
    stale = Company(extracted_on=last + 78 * DAY)
    ends = finding(audit(validate({"opportunities": frame}, stale)), dates.ENDS_EARLY)
    assert ends["evidence"] == (
        "the last is of 17 August 2024, 78 days before 3 November 2024; in the year before it no two were more than 1 "
        "day apart"
    )
    assert ends["rank"] == "changes the answer"
    fresh = Company(extracted_on=last + 14 * DAY)
    assert dates.ENDS_EARLY not in found(validate({"opportunities": frame}, fresh))


def test_history_may_end_before_the_deals_do():
    frame = many(400).opportunities
    company = Company(extracted_on=frame["closed_on"].max())
    rows = frame.assign(recorded_at=frame["created_on"].dt.tz_localize("UTC"), stage="Open")
    history = rows[rows["created_on"] < "2024-10-01"][
        ["opportunity_id", "recorded_at", "stage", "amount", "expected_close_on"]
    ]
    table = audit(validate({"opportunities": frame, "opportunity_history": history}, company))
    early = finding(table, dates.ENDS_EARLY)
    assert (early["table"], early["column"]) == ("opportunity_history", "recorded_at")
    assert early["evidence"].startswith("the last is of 30 September 2024, 156 days before ")


def test_an_export_of_the_middle_of_a_month_where_nobody_said_so():
    frame = many(200).opportunities  # the last is closed on 17 August
    ends = finding(audit(validate({"opportunities": frame}, Company())), dates.ENDS_EARLY)
    assert ends["evidence"].startswith("the last is of 17 August 2024, 14 days before 31 August 2024")
    late = frame[frame["closed_on"] <= "2024-07-24"]
    assert dates.ENDS_EARLY not in found(validate({"opportunities": late}, Company()))  # seven days
