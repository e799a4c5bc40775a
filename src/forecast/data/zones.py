"""Zones of time by their abbreviations: `2026-10-25 02:30 CEST`.

The simple case: the company's own time has that name in winter or summer (`CEST` in Berlin), and it is that. Otherwise
an abbreviation is read where all places on earth that use it are as far from UTC (`JST`), and not where two are not:
`CST` is said in Chicago, Havana and Shanghai.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

ABBREVIATION = r"[A-Z]{3,5}"
"""What an abbreviation looks like."""
_WINTER_AND_SUMMER = (datetime(2025, 1, 15, 12), datetime(2025, 7, 15, 12))
_TRANSLATED = {"MEZ": "CET", "MESZ": "CEST", "OEZ": "EET", "OESZ": "EEST"}
_WELL_KNOWN = (
    *("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Havana"),
    *("Europe/London", "Europe/Dublin", "Europe/Berlin", "Asia/Jerusalem", "Asia/Kolkata", "Asia/Shanghai"),
    *("Asia/Manila", "Asia/Tokyo", "Australia/Sydney"),
)
"""Named before all others, for readers."""


def minutes_east(abbreviation: str, timezone: str) -> int | None:
    """Return how many minutes an abbreviation is east of UTC, by the company's timezone or by its one meaning; None
    where it has several, or none.

    Example: `CST` is -360 for a company in America/Chicago, 480 in Asia/Shanghai, None in Europe/Berlin.
    """
    name = _TRANSLATED.get(abbreviation, abbreviation)
    own = _names_of(timezone).get(name)
    if own is not None:
        return own
    meanings = _meanings().get(name, {})
    return next(iter(meanings)) if len(meanings) == 1 else None


def ambiguity(abbreviation: str) -> str:
    """Return what an abbreviation that was not read may mean, for an error's sentence.

    Example: `CST is UTC-06:00 in America/Chicago, UTC+08:00 in Asia/Shanghai`.
    """
    meanings: Mapping[int, str] = _meanings().get(abbreviation, {})
    if not meanings:
        return f"{abbreviation} is no time zone that is known"
    return f"{abbreviation} is " + ", ".join(f"{_offset(east)} in {place}" for east, place in sorted(meanings.items()))


def _offset(minutes: int) -> str:
    return f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


@cache
def _names_of(timezone: str) -> dict[str, int]:
    """Return the names of a zone's time in winter and summer, and the minutes each is east of UTC."""
    zone = ZoneInfo(timezone)
    return {str(zone.tzname(day)): _minutes(zone, day) for day in _WINTER_AND_SUMMER}


def _minutes(zone: ZoneInfo, day: datetime) -> int:
    east = zone.utcoffset(day)
    return 0 if east is None else int(east.total_seconds()) // 60


@cache
def _meanings() -> dict[str, dict[int, str]]:
    """Return each abbreviation's minutes east of UTC, with one place that uses it so."""
    out: dict[str, dict[int, str]] = defaultdict(dict)
    places = available_timezones()
    others = sorted(place for place in places if "/" in place and not place.startswith("Etc/"))
    for timezone in (*(place for place in _WELL_KNOWN if place in places), *others):
        for name, east in _names_of(timezone).items():
            if re.fullmatch(ABBREVIATION, name):
                out[name].setdefault(east, timezone)
    return {"UTC": {0: "Etc/UTC"}, "GMT": {0: "Europe/London"}, **out}
