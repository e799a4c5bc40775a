"""Which part of an export a file is, by its name or else by its columns; and the day in its name.

Simple case: `deals.csv` is called what the CRM's module calls it. A screen export is not: HubSpot writes
`hubspot-crm-exports-my-view-2026-10-31-1.csv`, Dynamics `My Open Opportunities 10-31-2026 3-15-22 PM.xlsx`, a browser
adds ` (1)`. The day is taken off the name, and a file that the name does not explain is recognised by its columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

import pandas as pd

_PREFIX = re.compile(r"^(?:salesforce|sf|hubspot|hs|dynamics365|dynamics|d365|stghubspot|stgsalesforce|stg)(?=.)")
_SUFFIX = re.compile(r"(?:data|export)$")
_SCREEN = re.compile(r"^(?:hubspot-crm-exports-)?(?:all[-_ ])?", re.IGNORECASE)
_COPY = re.compile(r"\s*\(\d+\)$")
_PART = re.compile(r"[-_ ]*(?:part|teil)?[-_ ]*\(?\d{1,3}\)?$", re.IGNORECASE)
_ISO_DAY = re.compile(r"[-_ ](\d{4})-?(\d{2})-?(\d{2})(?:[-_ ]\d{1,3})?$")
# A Dynamics view: the day and the time of day as the user's language writes them.
_LOCAL_DAY = re.compile(r"[-_ ](\d{1,2})[-.](\d{1,2})[-.](\d{4})(?:[-_ ][\d\-. ]+(?:[AP]\.?M\.?)?)?$", re.IGNORECASE)


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """Return a name as it is compared: small letters and digits alone, without what connectors add to it."""
    base, _, annotation = str(name).partition("@")
    if "formattedvalue" in annotation.lower():
        base += "_name"  # Dataverse gives an option's or a lookup's text in a column next to its code
    text = re.sub(r"[^a-z0-9]", "", base.lower())
    return re.sub(r"^propert(?:y|ies)(?=.)", "", text)


def stems_of(stem: str) -> list[str]:
    """Return what a file's name may mean, the most literal first, as `plain` compares it.

    >>> stems_of("hubspot-crm-exports-all-deals-2026-10-31")[-1]
    'deals'
    """
    bare = _ISO_DAY.sub("", _COPY.sub("", stem))
    bare = _LOCAL_DAY.sub("", bare)
    found = [plain(stem), plain(bare), plain(_PART.sub("", bare))]
    found += [_SUFFIX.sub("", _PREFIX.sub("", text)) for text in found]
    found.append(plain(_SCREEN.sub("", bare)))
    return list(dict.fromkeys(found))


def day_in(stem: str) -> pd.Timestamp | None:
    """Return the day that a file's name carries; None where it has none, or where day and month could be either.

    >>> day_in("hubspot-crm-exports-my-view-2024-08-27-1")
    Timestamp('2024-08-27 00:00:00')
    >>> day_in("Open Opportunities 10-11-2026 3-15-22 PM") is None
    True
    """
    bare = _COPY.sub("", stem)
    iso = _ISO_DAY.search(bare)
    if iso:
        return _day(*iso.groups())
    local = _LOCAL_DAY.search(bare)
    if local is None:
        return None
    first, second, year = local.groups()
    if int(first) > 12:
        return _day(year, second, first)
    return _day(year, first, second) if int(second) > 12 or first == second else None


def _day(year: str, month: str, day: str) -> pd.Timestamp | None:
    try:
        return pd.Timestamp(year=int(year), month=int(month), day=int(day))
    except ValueError:
        return None


_IDENTIFIER = r"\{?[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F-]{22}\}?"
_VALUE = re.compile(rf"{_IDENTIFIER}|\d{{4}}-\d\d-\d\d(?:[T ][\d:.+Z-]*)?|[-+]?[\d.,]+|True|False")


def values_among(columns: Iterable[object]) -> list[str]:
    """Return the first names of columns that are values, where most are: such a file has no header.

    >>> values_among(["2026-09-01T08:00:00Z", "1000.00", "Open"])
    ['2026-09-01T08:00:00Z', '1000.00']
    """
    names = [str(column) for column in columns if str(column)]
    values = [name for name in names if _VALUE.fullmatch(re.sub(r"\.\d+$", "", name)) or _VALUE.fullmatch(name)]
    return values[:3] if len(values) > 1 and len(values) > len(names) / 2 else []


def has_columns(columns: Iterable[object], wanted: Mapping[str, tuple[str, ...]], needed: Iterable[str]) -> bool:
    """Return whether a file has every needed column under one of its names.

    columns : the file's. wanted : our column -> what it may be called. needed : ours that must be there.
    """
    there = {plain(str(column)) for column in columns}
    return all(any(plain(name) in there for name in wanted[ours]) for ours in needed)
