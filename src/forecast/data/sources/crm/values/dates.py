"""Dates and times as exports write them -> days and moments.

The simple case: ISO dates, and ISO timestamps with their offset. The complications, each met where it is named:

- day and month in numbers (`31/10/2026`): the order is one for a column, told by a day over 12 (`_ordered`);
- a time without an offset is the company's local time (`_instants`);
- a zone by its name is read where it is one zone (`2026-10-25 02:30 CEST`, `_offset`);
- a date written as midnight UTC is that date in every zone (`days`, `moments`);
- months by name, two-digit years, am and pm, seconds or milliseconds since 1970 (`_parsed`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from forecast.data.codes import by_text, dictionary_of, held_texts, is_coded, row_codes, text_column, used
from forecast.data.sources.crm.values.reading import Cells, Order, Reading, cells
from forecast.data.zones import ABBREVIATION, ambiguity, minutes_east
from forecast.errors import DataError
from forecast.wording import plural

_DAY_LENGTH = 86_400_000_000
"""Microseconds."""
_UNITS = {9: 1_000_000, 10: 1_000_000, 12: 1_000, 13: 1_000, 16: 1}
"""Digits of a count since 1970 -> microseconds in one of it: seconds, milliseconds, microseconds."""
_CENTURY_ENDS = 70
_NEVER = np.datetime64("NaT", "us")
_US, _UTC = np.dtype("datetime64[us]"), "datetime64[us, UTC]"

_TIME = (
    r"(?:(?:[Tt]|\s*,\s*|\s+at\s+|\s+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})"
    r"(?:[.,](?P<fraction>\d{1,9}))?)?\s*(?P<half>[AaPp]\.?[Mm]\.?)?)?"
)
_ZONE = rf"(?:\s*(?P<zone>[Zz]|[+-]\d{{2}}(?::?\d{{2}})?|{ABBREVIATION})(?:\s+UTC)?)?"
_WEEKDAY = r"(?:[^\W\d]{2,9}\.?,?\s+)?"
_NAME = r"(?P<name>[^\W\d_]{3,10})\.?"
_YEAR = r"(?P<year>\d{4}|\d{2})"
_FORMS = {
    "iso": re.compile(rf"(?P<year>\d{{4}})[-/.](?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}}){_TIME}{_ZONE}"),
    "number": re.compile(rf"(?P<first>\d{{1,2}})(?P<sign>[-/.])\s?(?P<other>\d{{1,2}})[-/.]\s?{_YEAR}{_TIME}{_ZONE}"),
    "name_day": re.compile(rf"{_WEEKDAY}{_NAME}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+{_YEAR}{_TIME}{_ZONE}"),
    "day_name": re.compile(
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})(?:\.|st|nd|rd|th)?[\s-]+{_NAME}[\s,-]+{_YEAR}{_TIME}{_ZONE}"
    ),
    "program": re.compile(
        rf"{_WEEKDAY}{_NAME}\s+(?P<day>\d{{1,2}}){_TIME}(?:\s+(?P<zone>{ABBREVIATION}))?\s+(?P<year>\d{{4}})"
    ),
    "compact": re.compile(rf"(?P<year>(?:19|20)\d{{2}})(?P<month>\d{{2}})(?P<day>\d{{2}}){_TIME}{_ZONE}"),
}
_SINCE_1970 = re.compile(r"(\d{9,10}|\d{12,13}|\d{16})(?:\.0+)?")
_NUMBER = _FORMS["number"]

# The first letters of the months' names in the languages that CRMs print most.
_MONTHS = {
    1: "jan ene gen",
    2: "feb fév fev",
    3: "mar mär mrz mrt",
    4: "apr avr abr",
    5: "may mai mei mag",
    6: "jun juin giu",
    7: "jul juil lug",
    8: "aug aoû aou ago",
    9: "sep set",
    10: "oct okt out ott",
    11: "nov",
    12: "dec dez déc dic",
}
_BY_NAME = {start: number for number, starts in _MONTHS.items() for start in starts.split()}
_ORDER_NAMES = {"dmy": "day first", "mdy": "month first"}


@dataclass(frozen=True, kw_only=True)
class _Parsed:
    """The distinct values of a column: clock (wall clock as written, microseconds), offset (minutes, nan where none is
    written), timed (whether a time is written)."""

    cells: Cells
    clock: np.ndarray
    offset: np.ndarray
    timed: np.ndarray


def moments(values: pd.Series, reading: Reading, *, column: str) -> pd.Series:
    """Return timestamps as UTC (datetime64[us, UTC]); a date, and a time without an offset, is the company's local one.

    A column of which every value is midnight UTC holds dates: each begins at the company's own midnight.

    Raises DataError for what is no date, or where day and month cannot be told apart, with the first rows.
    """
    at = _quick_moments(values)
    as_given = isinstance(values.dtype, pd.DatetimeTZDtype) and str(values.dtype) == _UTC
    if at is None:
        parsed = _parsed(values, reading, column)
        there = ~np.isnat(parsed.clock)
        midnight = parsed.timed & (parsed.offset == 0) & _is_midnight(parsed.clock)
        dates_only = bool(there.any()) and bool(midnight[there].all())
        at = parsed.cells.spread(parsed.clock if dates_only else _instants(parsed), _NEVER).to_numpy()
    else:
        known = at[~np.isnat(at)]
        dates_only = bool(len(known)) and bool(_is_midnight(known[:1]).all()) and bool(_is_midnight(known).all())
    if dates_only and reading.timezone != "UTC":
        reading.say(column, "every value is midnight UTC: read as dates, not as the evening before")
        at = _localised(at, reading.timezone)
    elif as_given:
        return values
    return pd.Series(pd.DatetimeIndex(at).tz_localize("UTC"), index=values.index)


def days(values: pd.Series, reading: Reading, *, column: str, timed: bool = False) -> pd.Series:
    """Return dates (datetime64[us], midnight): a date as it stands, a timestamp's date in the company's timezone.

    timed : whether the CRM keeps a time in this field. Where it keeps a date alone, midnight in whatever zone is that
        date; where it keeps a time, only if every value of the column is midnight UTC.
    """
    quick = _quick_days(values)
    if quick is not None:
        return pd.Series(quick, index=values.index)
    if timed:
        found = _days_of_texts(values, reading.timezone)
        if found is not None:
            return found
        return local_days(moments(values, reading, column=column), reading.timezone)
    parsed = _parsed(values, reading, column)
    as_written = ~parsed.timed | _is_midnight(parsed.clock)
    local = parsed.clock.copy()
    if not as_written.all():
        at = pd.Series(pd.DatetimeIndex(_instants(parsed)).tz_localize("UTC"))
        local[~as_written] = local_days(at, reading.timezone).to_numpy()[~as_written]
    return parsed.cells.spread(local, _NEVER)


def local_days(moments: pd.Series, timezone: str) -> pd.Series:
    """Return the day of each moment in a timezone (datetime64[us], midnight)."""
    if timezone == "UTC" and str(moments.dtype) == _UTC:
        at = moments.array.asi8.view(_US)
        return pd.Series(at.astype("datetime64[D]").astype(_US), index=moments.index, copy=False)
    return moments.dt.tz_convert(timezone).dt.tz_localize(None).dt.normalize().astype("datetime64[us]")


def _is_midnight(clock: np.ndarray) -> np.ndarray:
    return clock.view(np.int64) % _DAY_LENGTH == 0


# -- quick roads: everything in one ISO form -------------------------------------------------------------


def _quick_moments(values: pd.Series) -> np.ndarray | None:
    """Return UTC moments (datetime64[us]) where every value is ISO with an offset; None otherwise."""
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return values.dt.tz_convert("UTC").array.asi8.view(f"datetime64[{values.dt.unit}]").astype(_US, copy=False)
    if values.dtype != "str":
        return None
    try:
        at = by_text(values, lambda text: text.cast(pa.timestamp("us", "UTC")))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return at.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False)


def _quick_days(values: pd.Series) -> np.ndarray | None:
    """Return days where every value is YYYY-MM-DD, or typed without a time; None otherwise."""
    if pd.api.types.is_datetime64_dtype(values.dtype):
        days = values.to_numpy().astype(_US, copy=False)
        return days if not (days[~np.isnat(days)].view(np.int64) % _DAY_LENGTH).any() else None
    if values.dtype != "str" or _begins_with_time(values):
        return None
    try:
        read = by_text(values, lambda text: text.cast(pa.date32()))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return read.to_numpy(zero_copy_only=False).astype("datetime64[us]")


def _begins_with_time(values: pd.Series) -> bool:
    """Return whether the first text is longer than a date, so that not all can be dates."""
    texts = held_texts(values)
    return bool(len(texts)) and len(texts[0].as_py() or "") > len("2026-10-31")


def _days_of_texts(values: pd.Series, timezone: str) -> pd.Series | None:
    """Return the local days of a column held as codes, each text looked at once; None where they are not all ISO with
    an offset, or all are midnight UTC, so that they are dates."""
    if not is_coded(values):
        return None
    held = used(dictionary_of(values))
    at = _quick_moments(text_column(pa.chunked_array([held.dictionary])))
    if at is None or _is_midnight(at[~np.isnat(at)]).all():
        return None
    read = local_days(pd.Series(at).dt.tz_localize("UTC"), timezone).to_numpy()
    return pd.Series(np.append(read, _NEVER)[row_codes(held)], index=values.index, copy=False)


# -- the careful road ------------------------------------------------------------------------------------


def _parsed(values: pd.Series, reading: Reading, column: str) -> _Parsed:
    if pd.api.types.is_datetime64_dtype(values.dtype):
        values = values.dt.strftime("%Y-%m-%d %H:%M:%S.%f").astype("str")
    given = cells(values, reading, column)
    texts = given.texts
    clock = np.full(len(texts), _NEVER)
    offset, timed = np.full(len(texts), np.nan), np.zeros(len(texts), dtype=bool)
    for name, pattern in _FORMS.items():
        places = np.flatnonzero(~given.empty & np.isnat(clock))
        places = places[texts.iloc[places].str.fullmatch(pattern).to_numpy(dtype=bool)]
        if not len(places):
            continue
        parts = texts.iloc[places].str.extract(rf"^{pattern.pattern}$")
        parts.index = pd.Index(places)
        if name == "number":
            parts = _ordered(parts, given)
        clock[places], timed[places] = _clock(parts)
        offset[places] = _offset(parts, given)
    places = np.flatnonzero(~given.empty & np.isnat(clock))
    since = texts.iloc[places].str.fullmatch(_SINCE_1970).to_numpy(dtype=bool)
    for place in places[since]:
        digits = texts.iloc[place].partition(".")[0]
        clock[place] = np.datetime64(int(digits) * _UNITS[len(digits)], "us")
        offset[place], timed[place] = 0.0, True
    bad = np.isnat(clock) & ~given.empty
    if bad.any():
        raise given.refusal("values are no dates", bad, mend=_mend(texts[bad]))
    return _Parsed(cells=given, clock=clock, offset=offset, timed=timed)


def _mend(texts: pd.Series) -> str:
    if texts.str.fullmatch(r"\d{5}(?:\.\d+)?").all():
        return "a spreadsheet's day numbers: format the column as a date, then save it again"
    return "export dates as 2026-10-31 or 2026-10-31T17:05:00Z"


def _clock(parts: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the clock, and whether a time is written, of the parts of dates; NaT where there is no such day."""
    year = parts["year"].astype("int64")
    year += np.where(parts["year"].str.len() == 2, np.where(year < _CENTURY_ENDS, 2000, 1900), 0)
    month = _month(parts["name"]) if "name" in parts else parts["month"].astype("int64")
    day = parts["day"].astype("int64")
    fields = pd.DataFrame({"year": year, "month": month, "day": day})
    timed = parts["hour"].notna().to_numpy()
    date = pd.to_datetime(fields, errors="coerce").to_numpy().astype("datetime64[us]")
    hour = parts["hour"].fillna("0").astype("int64").to_numpy()
    half = parts["half"].str.lower().str[:1].fillna("").to_numpy(dtype=object)
    twelve = np.isin(half, ["a", "p"])
    wrong = (hour > 23) | (twelve & ((hour > 12) | (hour < 1)))
    hour = np.where(twelve, hour % 12 + np.where(half == "p", 12, 0), hour)
    minute, second = (parts[name].fillna("0").astype("int64").to_numpy() for name in ("minute", "second"))
    wrong |= (minute > 59) | (second > 59)
    fraction = parts["fraction"].fillna("").str.ljust(6, "0").str[:6].replace("", "0").astype("int64").to_numpy()
    clock = date + ((hour * 3600 + minute * 60 + second) * 1_000_000 + fraction).astype("timedelta64[us]")
    clock[wrong] = np.datetime64("NaT", "us")
    return clock, timed


def _offset(parts: pd.DataFrame, given: Cells) -> np.ndarray:
    """Return minutes east of UTC; nan where no zone is written. Refused where a zone's name may mean several."""
    zone = parts["zone"].str.upper()
    out = np.full(len(zone), np.nan)
    sign = zone.str.extract(r"^([+-])(\d{2}):?(\d{2})?$")
    number = sign[1].notna().to_numpy()
    minutes = sign[1].fillna("0").astype("int64") * 60 + sign[2].fillna("0").astype("int64")
    out[number] = np.where(sign[0] == "-", -minutes, minutes)[number]
    for name in zone[~number].dropna().unique():
        here = np.asarray(zone == name)
        out[here] = _east(name, _mask(parts, given, here), given)
    return out


def _east(zone: str, mask: np.ndarray, given: Cells) -> int:
    """Return how many minutes a zone is east of UTC, by its name."""
    if zone in ("Z", "UTC", "GMT"):
        return 0
    east = minutes_east(zone, given.reading.timezone)
    if east is None:
        mend = "set the company's timezone in company.toml, or export times with an offset: 2026-10-31T17:05:00-06:00"
        raise given.refusal(f"times in {zone} cannot be read: {ambiguity(zone)}", mask, mend=mend)
    return east


def _month(names: pd.Series) -> pd.Series:
    """Return the number of each month by the first letters of its name; 0 (no month) where it is none."""
    small = names.str.lower()
    longer = small.str[:4].map(_BY_NAME)
    return longer.fillna(small.str[:3].map(_BY_NAME)).fillna(0).astype("int64")


def _ordered(parts: pd.DataFrame, given: Cells) -> pd.DataFrame:
    """Return the parts with month and day, in the one order that the column, or else the file, or --dates shows."""
    first, other = parts["first"].astype("int64").to_numpy(), parts["other"].astype("int64").to_numpy()
    day_first, month_first = ((_mask(parts, given, over)) for over in (first > 12, other > 12))
    asked, shown = given.reading.order, _shown(day_first, month_first, given)
    if asked is not None and asked != shown and (shown or asked == "iso"):
        wrong = {"dmy": day_first, "mdy": month_first, None: _mask(parts, given, np.ones(len(parts), dtype=bool))}
        mend = f"say --dates {shown or 'dmy or mdy'}, or export the column again"
        raise given.refusal(f"values do not fit --dates {asked}", wrong[shown], mend=mend)
    _check_short_years(parts, given)
    dotted = bool((parts["sign"] == ".").all())
    order = shown or asked or ("dmy" if dotted else _witness(given.reading, given.column))
    if order is None:
        raise _undecided(parts, given)
    if shown is not None:
        proof = given.rows(day_first if shown == "dmy" else month_first)[0]
        given.say(f"read with the {_ORDER_NAMES[shown]}, as {proof} shows")
    elif asked is None and dotted:
        given.say(f"read with the day first, since dots part it ({given.texts[parts.index[0]]!r})")
    day, month = (first, other) if order == "dmy" else (other, first)
    return parts.assign(day=day, month=month)


def _mask(parts: pd.DataFrame, given: Cells, chosen: np.ndarray) -> np.ndarray:
    """Return a mask over the column's distinct values of the chosen parts."""
    mask = np.zeros(len(given.texts), dtype=bool)
    mask[parts.index[chosen]] = True
    return mask


def _shown(day_first: np.ndarray, month_first: np.ndarray, given: Cells) -> Order | None:
    """Return the order that a number over 12 shows, None where there is none; refused where two contradict."""
    if (day_first & month_first).any():
        raise given.refusal("values are no dates", day_first & month_first, mend=_mend(given.texts))
    if day_first.any() and month_first.any():
        raise given.refusal(
            "some values have the day first, others the month",
            day_first | month_first,
            rows=given.rows(day_first)[:2] + given.rows(month_first)[:2],
            mend="export the column again in one form, best as 2026-10-31",
        )
    return "dmy" if day_first.any() else "mdy" if month_first.any() else None


def _check_short_years(parts: pd.DataFrame, given: Cells) -> None:
    """Refuse two-digit years where the first number looks more like the year than the last."""
    short = (parts["year"].str.len() == 2).to_numpy()
    if short.any() and parts.loc[short, "first"].nunique() < parts.loc[short, "year"].nunique():
        raise given.refusal(
            "years of two digits, and it cannot be told which number is the year",
            _mask(parts, given, short),
            mend="export the column with years of four digits",
        )


def _undecided(parts: pd.DataFrame, given: Cells) -> DataError:
    example = parts.iloc[0]
    year = example["year"] if len(example["year"]) == 4 else f"20{example['year']}"
    first, other = int(example["first"]), int(example["other"])
    return given.refusal(
        f"no value has a day over 12, so that day and month cannot be told apart: {given.texts[parts.index[0]]!r} is "
        f"{year}-{other:02d}-{first:02d} or {year}-{first:02d}-{other:02d}",
        _mask(parts, given, np.ones(len(parts), dtype=bool)),
        mend="say which: --dates dmy (day first) or --dates mdy (month first)",
    )


def _witness(reading: Reading, column: str) -> Order | None:
    """Return the order that the other columns of the file show, None where they show none or disagree.

    An export writes all its dates in one form.
    """
    if reading.frame is None:
        return None
    shown: dict[Order, str] = {}
    for place, name in enumerate(reading.frame.columns):
        values = reading.frame.iloc[:, place]
        if values.dtype != "str" or not values.first_valid_index() is not None:
            continue
        texts = pd.Series(values.dropna().unique(), dtype="str").str.strip()
        if not len(texts) or not _NUMBER.fullmatch(texts.iloc[0]) or not texts.str.fullmatch(_NUMBER).all():
            continue
        parts = texts.str.extract(rf"^{_NUMBER.pattern}$")[["first", "other"]].astype("int64")
        if (parts["first"] > 12).any():
            shown["dmy"] = str(name)
        if (parts["other"] > 12).any():
            shown["mdy"] = str(name)
    if len(shown) != 1:
        return None
    order, name = next(iter(shown.items()))
    reading.say(column, f"read with the {_ORDER_NAMES[order]}, as in {name} of the same file")
    return order


# -- zones -----------------------------------------------------------------------------------------------


def _instants(parsed: _Parsed) -> np.ndarray:
    """Return UTC (datetime64[us]); what has no offset is local time."""
    reading, given = parsed.cells.reading, parsed.cells
    aware = ~np.isnan(parsed.offset)
    shift = np.where(aware, parsed.offset, 0).astype(np.int64) * 60_000_000
    at = parsed.clock - shift.astype("timedelta64[us]")
    naive = ~aware & ~np.isnat(parsed.clock)
    if (naive & parsed.timed).any():
        zone, own = reading.naive_zone, not reading.from_connector
        why = "the company's local time" if own else "a connector's tables are in UTC"
        hint = "; if that is not yours, set timezone in company.toml" if own and zone == "UTC" else ""
        given.say(f"times without an offset are read in {zone}: {why}{hint}")
    for mask, zone in ((naive & parsed.timed, reading.naive_zone), (naive & ~parsed.timed, reading.timezone)):
        if mask.any():
            at[mask] = _localised(parsed.clock[mask], zone, given=given)
    return at


def _localised(clock: np.ndarray, zone: str, *, given: Cells | None = None) -> np.ndarray:
    """Return wall clocks of a zone as UTC: of an hour that comes twice the first, a skipped one moved on."""
    if zone == "UTC":
        return clock
    wall = pd.DatetimeIndex(clock)
    first = np.ones(len(wall), dtype=bool)
    at = wall.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
    if given is not None:
        second = wall.tz_localize(zone, ambiguous=~first, nonexistent="shift_forward")
        twice = int(np.sum(np.asarray(at != second) & ~np.asarray(wall.isna())))
        moved = int(np.sum(np.asarray(at.tz_localize(None) != wall) & ~np.asarray(wall.isna())))
        if twice:
            lie = plural(twice, "time lies", "times lie")
            given.say(f"{lie} in the hour that comes twice when clocks go back: the first is taken")
        if moved:
            lie = plural(moved, "time lies", "times lie")
            given.say(f"{lie} in the hour skipped when clocks go forward: moved to its end")
    return at.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]")
