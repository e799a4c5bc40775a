"""company.toml -> `Company`: every key optional, every value checked."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import shutil
import tomllib
import unicodedata
import zoneinfo
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from forecast.calendar import NAMED_BY, PATTERNS, WEEKDAYS, YEAR_ENDS
from forecast.data.schema import COMPANY_KEYS, CREDITS, FIRST_DAY, NO_DAY_FROM, Company
from forecast.errors import DataError, did_you_mean, nearest

FILE = "company.toml"

MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "name": "the company's name, as pages show it",
        "currency": "reporting currency, e.g. `EUR`; what amounts are in where `currency` is empty",
        "timezone": "where days begin and end, a name of the IANA list such as `Europe/Berlin`",
        "fiscal_year_start": "month in which the fiscal year starts, 1 to 12",
        "calendar": "`month`, or fiscal months of weeks: `4-4-5`, `4-5-4`, `5-4-4`; see also the table `periods`",
        "week_starts_on": "of months of weeks: `monday`, `tuesday`, … `sunday`; the year ends on the day before",
        "year_ends": "of months of weeks: on the weekday `nearest` to the end of a month, or on the `last` in that "
        "month; the month is the one before `fiscal_year_start`",
        "year_named_by": "a fiscal year bears the calendar year of its `end`, or of its `start`",
        "logo": "a picture (png, jpg, gif, webp) in this folder for the head of the pages; never an address",
        "title": "what the pages call the report, one line of at most 60 characters",
        "footer": "what stands at the foot of the pages instead of where the numbers come from, at most 400 characters",
        "extracted_on": "last day of the data; by default the last day of the month of its last record",
        "settle_days": "days after a month's end at which its bookings count as settled",
        "fixed_at_creation": "columns of `opportunities` whose value was known when the opportunity was created",
        "one_currency": "`true`: all amounts are in one currency, whatever the column `currency` says; needs no rates",
        "negative_amounts": "credits and downsell: `keep` (bookings subtract them), or `leave-out` (they are not "
        "there)",
    }
)
"""What each key of company.toml means, as the data dictionary and a new folder say it."""

# The columns that say how an opportunity ended can never have been known when it was created.
NEVER_FIXED = ("opportunity_id", "created_on", "stage", "outcome", "closed_on", "lost_reason", "delivered_on")

# The first bytes of the pictures a page can show.
_RASTER = {
    ".png": b"\x89PNG\r\n\x1a\n",
    ".jpg": b"\xff\xd8\xff",
    ".jpeg": b"\xff\xd8\xff",
    ".gif": b"GIF8",
    ".webp": b"RIFF",
}


def read_company(folder: Path) -> Company:
    """Read company.toml of a folder, or return the defaults where there is none.

    Raises DataError for an unreadable file, an unknown key, or a value that is not what the key takes.
    """
    path = folder / FILE
    if not path.exists():
        return Company()
    try:
        values = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8 (byte {error.start:,})", table=FILE, mend="save the file as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"cannot be read: {error}", table=FILE, mend='write lines such as name = "Acme"') from error
    return company_from(values, folder=folder)


def company_from(values: Mapping[str, Any], *, folder: Path | None = None) -> Company:
    """Return the company of a mapping with the keys of company.toml; `folder` is where a logo must lie."""
    for key in values:
        if key not in COMPANY_KEYS:
            raise DataError("this key is not known", table=FILE, column=key, mend=nearest(key, COMPANY_KEYS))
    taken = dict(values)
    for key in ("name", "currency", "timezone", "logo", "title", "footer"):
        if key in taken and not isinstance(taken[key], str):
            _refuse(key, taken[key], "text in quotes")
    for key, most in (("title", 60), ("footer", 400)):
        if key in taken:
            taken[key] = _line(key, taken[key], most)
    if "timezone" in taken:
        _check_timezone(taken["timezone"])
    _check_calendar(taken)
    _check_whole(taken, "fiscal_year_start", 1, 12)
    _check_whole(taken, "settle_days", 0, 366)
    if taken.get("negative_amounts", "keep") not in CREDITS:
        _refuse("negative_amounts", taken["negative_amounts"], f"one of {', '.join(CREDITS)}")
    if not isinstance(taken.get("one_currency", False), bool):
        _refuse("one_currency", taken["one_currency"], "true or false, without quotes")
    if "extracted_on" in taken:
        taken["extracted_on"] = _day(taken["extracted_on"])
    if "fixed_at_creation" in taken:
        taken["fixed_at_creation"] = _columns(taken["fixed_at_creation"])
    if taken.get("logo"):
        _check_logo(taken["logo"], folder)
    return Company(**taken)


def _refuse(key: str, value: Any, wanted: str, *, hint: str = "") -> None:
    mend = f"{hint} Write {wanted}" if hint else f"write {wanted}"
    raise DataError(f"{value!r} is not {wanted}", table=FILE, column=key, mend=mend)


def _check_calendar(values: dict[str, Any]) -> None:
    """Refuse what is no calendar; capitals make no difference in the words of one."""
    words = {"calendar": PATTERNS, "week_starts_on": WEEKDAYS, "year_ends": YEAR_ENDS, "year_named_by": NAMED_BY}
    for key, known in words.items():
        if key not in values:
            continue
        word = values[key].strip().lower() if isinstance(values[key], str) else values[key]
        if word not in tuple(known):
            hint = did_you_mean(word, known) if isinstance(word, str) else ""
            _refuse(key, values[key], f"one of {', '.join(known)}", hint=hint)
        values[key] = word
    for key in ("week_starts_on", "year_ends"):
        if key in values and PATTERNS[values.get("calendar", "month")] is None:
            raise DataError(
                "months of a calendar have no weeks, so that this key says nothing",
                table=FILE,
                column=key,
                mend='write calendar = "4-4-5" (or 4-5-4, 5-4-4) too, or take this key out',
            )


def _check_whole(values: Mapping[str, Any], key: str, low: int, high: int) -> None:
    value = values.get(key, low)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        _refuse(key, value, f"a whole number from {low} to {high}")


def _line(key: str, value: str, most: int) -> str:
    """Return one line of text for the pages; refuses more lines, marks that are not seen, and too long a text."""
    text = value.strip()
    if any(unicodedata.category(sign) in ("Cc", "Cf", "Zl", "Zp") for sign in text):
        _refuse(key, value, "one line of text, without line breaks, tabs or invisible marks")
    if len(text) > most:
        _refuse(key, f"{text[:20]}…", f"a text of at most {most} characters (it has {len(text):,})")
    if key == "title" and not text:
        _refuse(key, value, "a title, such as Sales forecast")
    return text


def _check_timezone(value: str) -> None:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise DataError(
            f"{value!r} is not a known timezone",
            table=FILE,
            column="timezone",
            mend=f"write a name of the IANA list such as Europe/Berlin; {nearest(value, _zones(value))}",
        ) from error


def _zones(value: str) -> set[str]:
    zones = zoneinfo.available_timezones()
    near = {zone for zone in zones if zone.lower()[:3] == value.lower()[:3]}
    return near if 0 < len(near) < len(zones) else {"UTC", "Europe/Berlin", "America/New_York"}


def _day(value: Any) -> pd.Timestamp:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        with contextlib.suppress(ValueError):
            value = dt.date.fromisoformat(value)
    if (
        isinstance(value, dt.datetime)
        or not isinstance(value, dt.date)
        or not FIRST_DAY.date() <= value < NO_DAY_FROM.date()
    ):
        _refuse("extracted_on", value, "a date such as 2026-10-31")
    return pd.Timestamp(value).as_unit("us")


def _columns(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        _refuse("fixed_at_creation", value, 'a list of columns such as ["amount", "region_size"]')
    for name in value:
        if name in NEVER_FIXED:
            raise DataError(
                f"{name!r} cannot be fixed at creation: it changes until the opportunity has ended",
                table=FILE,
                column="fixed_at_creation",
                mend="take it out of the list",
            )
    return tuple(dict.fromkeys(value))


def _check_logo(value: str, folder: Path | None) -> None:
    wanted = "a picture (png, jpg, gif, webp) in the folder of the data, such as logo.png"
    if "://" in value or value.startswith(("data:", "//")) or Path(value).is_absolute():
        _refuse("logo", value, wanted + ", never an address")
    if folder is None:
        return
    path = (folder / value).resolve()
    if folder.resolve() not in path.parents:
        _refuse("logo", value, wanted)
    magic = _RASTER.get(path.suffix.lower())
    if magic is None:
        _refuse("logo", value, wanted)
    if not path.is_file():
        raise DataError(f"there is no file {value!r}", table=FILE, column="logo", mend="put it next to company.toml")
    with path.open("rb") as file:
        if not file.read(12).startswith(magic or b""):
            _refuse("logo", value, f"a {path.suffix.lower()[1:]} picture")


def text_ending_on(text: str, day: pd.Timestamp) -> str:
    """Return the text of a company.toml with its `extracted_on` set anew; every other line stays.

    >>> text_ending_on('name = "Acme"', pd.Timestamp("2026-10-31"))
    'name = "Acme"\\nextracted_on = 2026-10-31\\n'
    """
    lines = [line for line in text.splitlines(keepends=True) if not line.lstrip().startswith("extracted_on")]
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    return "".join([*lines, f"extracted_on = {day:%Y-%m-%d}\n"])


def write_company(company: Company, into: Path, *, beside: Path | None = None) -> None:
    """Write the company.toml of a company into a folder, and its logo, which lies in `beside` or is there already."""
    if company.logo and beside is not None:
        logo = Path(company.logo)
        shutil.copyfile(beside / logo, into / logo.name)
        company = replace(company, logo=logo.name)
    (into / FILE).write_text(company_text(company), encoding="utf-8")


def company_text(company: Company) -> str:
    """Return the text of a company.toml that gives this company: the keys that are not as by default."""
    usual = Company()
    changed = {key: getattr(company, key) for key in COMPANY_KEYS if getattr(company, key) != getattr(usual, key)}
    return "".join(f"{key} = {_toml(value)}\n" for key, value in changed.items())


def _toml(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.date):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml(str(key))} = {_toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return repr(value)
