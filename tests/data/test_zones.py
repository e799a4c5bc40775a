"""Zones by their names: by hand, and in a folder's timestamps."""

from __future__ import annotations

from pathlib import Path

import pytest

import forecast
from forecast.data.zones import ambiguity, minutes_east
from forecast.errors import DataError
from tiny import HISTORY, tiny_company

ZONED = HISTORY.replace("O6,2026-02-20T09:00:00Z", "O6,2026-02-20 09:00:00 {zone}")


@pytest.mark.parametrize(
    ("name", "timezone", "minutes"),
    [
        ("CEST", "UTC", 120),
        ("MEZ", "UTC", 60),
        ("CST", "America/Chicago", -360),
        ("CST", "Asia/Shanghai", 480),
        ("CST", "Europe/Berlin", None),
        ("PST", "America/Los_Angeles", -480),
        ("IST", "Asia/Kolkata", 330),
        ("JST", "UTC", 540),
        ("XYZ", "UTC", None),
    ],
)
def test_how_far_east_a_name_is(name: str, timezone: str, minutes: int | None):
    assert minutes_east(name, timezone) == minutes


def test_what_a_name_may_mean_is_said():
    assert ambiguity("CST").startswith("CST is UTC-06:00 in America/Chicago, UTC-05:00 in America/Havana, UTC+08:00 in")
    assert ambiguity("XYZ") == "XYZ is no time zone that is known"


def test_a_folders_times_in_a_named_zone_are_read(tmp_path: Path):
    log = forecast.read(tiny_company(tmp_path, history=ZONED.format(zone="CET")))
    history = log.tables["opportunity_history"]
    assert history["recorded_at"].astype(str).str.contains("2026-02-20 08:00:00").sum() == 1


def test_a_folders_times_in_a_zone_of_several_meanings_are_refused_by_name(tmp_path: Path):
    with pytest.raises(DataError, match=r"(?s)recorded_at.*09:00:00 CST.*CST is UTC-06:00 in America/Chicago"):
        forecast.read(tiny_company(tmp_path, history=ZONED.format(zone="CST")))
