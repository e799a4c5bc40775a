"""Starts of joint planning as known on a day."""

from __future__ import annotations

import numpy as np
import pandas as pd

import forecast
from companies import plain_company
from forecast.calendar import parse_period
from forecast.data.known.coding import day_number
from forecast.data.known.planned import NEVER, Starts
from forecast.data.schema import Company
from logs import log_of

SEGMENTS = ("Alps", "Benelux", "Nordics")
TABLE = pd.DataFrame(
    {
        "segment": ["Nordics", "Alps", "Benelux"],
        "adopted_on": pd.to_datetime(["2024-03-10", "2024-06-01", None]),
        "announced_on": pd.to_datetime([None, "2024-01-15", None]),
    }
)


def starts(day: str, table: pd.DataFrame | None = TABLE) -> list[int]:
    calendar = Company(name="C", currency="EUR", timezone="UTC").periods
    found = Starts.of(table, SEGMENTS, calendar)
    return found.as_of(day_number(pd.Timestamp(day)), segments=3).tolist()


def test_a_start_is_known_from_its_announcement_or_from_its_day():
    march, june = parse_period("2024-03"), parse_period("2024-06")
    assert starts("2024-01-14") == [NEVER, NEVER, NEVER]
    assert starts("2024-01-15") == [june, NEVER, NEVER]
    assert starts("2024-03-09") == [june, NEVER, NEVER]
    assert starts("2024-03-10") == [june, NEVER, march]


def test_without_announcements_and_without_a_table():
    assert starts("2024-03-31", TABLE.drop(columns="announced_on"))[0] == NEVER
    assert starts("2030-01-01", None) == [NEVER, NEVER, NEVER]


def test_a_snapshot_shows_a_start_to_come_only_where_it_was_announced():
    deals = plain_company(deals=200, months=24, seed=1, segments=2)
    names = sorted(deals["segment"].unique())
    table = pd.DataFrame(
        {"segment": names, "adopted_on": ["2021-08-01", "2021-09-01"], "announced_on": ["2021-02-01", None]}
    )
    deals = deals.assign(stage="Open", expected_close_on=deals["created_on"])
    log = log_of({"opportunities": deals, "joint_planning": table})
    snap = forecast.snapshot(log, as_of="2021-03-31")
    assert snap.joint_planning["adopted_on"].notna().tolist() == [True, False]
    assert snap.state.planned_from.tolist() == [parse_period("2021-08"), NEVER]
    early = forecast.snapshot(log, as_of="2021-01-31")
    assert early.joint_planning["adopted_on"].isna().all()
    np.testing.assert_array_equal(early.state.planned_from, NEVER)
