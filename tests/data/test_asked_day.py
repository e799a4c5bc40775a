"""Which day is asked for: a word stands for it where the company is, and data that end before it are refused."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pandas as pd
import pytest

from forecast.calendar import Calendar
from forecast.data.asked_day import covering, day_asked, is_named, last_month_end
from forecast.errors import ParameterError
from logs import log_of, table

DEALS = """
opportunity_id created_on segment stage   amount expected_close_on closed_on  outcome
O1             2026-01-05 North   Won     100    2026-02-10        2026-02-12 won
O2             2026-01-20 North   Lost    50     2026-03-01        2026-03-04 lost
O3             2026-02-03 South   Qualify 70     2026-05-01        .          open
"""
HISTORY = """
opportunity_id recorded_at          stage   amount expected_close_on
O1             2026-01-06T09:00:00Z Qualify 100    2026-02-10
O1             2026-02-12T09:00:00Z Won     100    2026-02-10
O2             2026-01-20T09:00:00Z Qualify 50     2026-03-01
O2             2026-03-04T09:00:00Z Lost    50     2026-03-01
O3             2026-02-03T09:00:00Z Qualify 70     2026-03-01
O3             2026-03-20T23:30:00Z Qualify 70     2026-05-01
"""


def log(*, history: bool = False, **company):
    tables = {"opportunities": table(DEALS)}
    if history:
        tables["opportunity_history"] = table(HISTORY)
    return log_of(tables, **company)


@pytest.mark.parametrize(
    ("as_of", "now", "zone", "day"),
    [
        ("2026-03", None, "UTC", "2026-03-31"),
        ("2026-03-07", "2030-01-01T00:00+00:00", "UTC", "2026-03-07"),
        ("today", "2026-03-07T12:00+00:00", "UTC", "2026-03-07"),
        ("last-month", "2026-03-01T00:10+00:00", "UTC", "2026-02-28"),
        ("last-month", "2026-03-31T23:50+00:00", "UTC", "2026-02-28"),  # the 31st is not over
        ("last-month", "2026-03-31T23:50+00:00", "Asia/Tokyo", "2026-03-31"),  # there it is
        ("last-month", "2026-04-01T02:00+00:00", "America/New_York", "2026-02-28"),
        ("Last-Month", "2026-01-03T06:00+01:00", "UTC", "2025-12-31"),
    ],
)
def test_the_day_that_is_meant(as_of, now, zone, day):
    found = day_asked(as_of, log(timezone=zone), now=None if now is None else dt.datetime.fromisoformat(now))
    assert found == pd.Timestamp(day)


def test_last_month_follows_the_companys_calendar():
    calendar = Calendar(pattern="4-4-5", fiscal_year_start=2)
    for day in pd.date_range("2026-01-01", "2026-12-31"):
        end = last_month_end(day, calendar)
        assert end < day <= calendar.end(calendar.period(end) + 1)
        assert calendar.end(calendar.period(end)) == end


@pytest.mark.parametrize("now", [None, dt.datetime(2026, 3, 7, 12)])
def test_a_word_needs_a_moment_with_its_zone(now):
    assert is_named("today")
    assert not is_named("2026-03")
    assert not is_named(202603)
    with pytest.raises(ParameterError, match="give the moment, with its zone"):
        day_asked("today", log(), now=now)


@pytest.mark.parametrize(
    ("history", "day", "said"),
    [
        (False, "2026-03-13", None),  # nine days after the last record
        (False, "2026-03-14", "the data end on 2026-03-04, 10 days before 2026-03-14"),
        (False, "2026-02-20", None),  # there is one after it
        (
            False,
            "2026-04-01",
            "2026-04-01 is after the last day of the data, 2026-03-31; the last record is of 2026-03-04",
        ),
        (True, "2026-03-30", None),  # the last row of history is of 21 March in Berlin
        (True, "2026-03-31", "the data end on 2026-03-21, 10 days before"),
    ],
)
def test_data_that_end_before_the_day_are_refused(history, day, said):
    of = log(history=history, timezone="Europe/Berlin")
    if said is None:
        assert covering(of, pd.Timestamp(day)) is of
        return
    with pytest.raises(ParameterError) as error:
        covering(of, pd.Timestamp(day))
    assert said in str(error.value)
    assert "--nothing-since" in str(error.value)
    reaching = covering(of, pd.Timestamp(day), nothing_since=True)
    assert reaching.extracted_on == reaching.company.extracted_on == pd.Timestamp(day)
    assert of.company.extracted_on is None


def test_somebody_said_until_when_the_data_go():
    of = log(extracted_on=pd.Timestamp("2026-06-30"))
    assert covering(of, pd.Timestamp("2026-06-30")) is of
    with pytest.raises(ParameterError, match="after the last day of the data, 2026-06-30"):
        covering(of, pd.Timestamp("2026-07-01"))


def test_a_day_before_anything_was_known_is_refused():
    for history, first in ((False, "2026-01-05"), (True, "2026-01-06")):
        of = log(history=history)
        of = replace(of, company=replace(of.company, extracted_on=pd.Timestamp("2026-03-31")))
        assert covering(of, pd.Timestamp(first)) is of
        with pytest.raises(ParameterError, match="earlier than the log's first record"):
            covering(of, pd.Timestamp(first) - pd.Timedelta(days=1), nothing_since=True)
