"""Turn a column as it came (text of a CSV file, or whatever a Parquet file held) into its declared kind.

Every function returns the typed values and a mask of the values that would not go; nothing is guessed.
Text columns are parsed once per distinct value, since a log repeats its dates and numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from forecast.data.codes import by_level, coded, dictionary_of, is_coded, text_of
from forecast.data.schema import FIRST_DAY, NO_DAY_FROM, Kind
from forecast.data.zones import ABBREVIATION, minutes_east

# What a value of each kind looks like, for the sentence that says how to mend it.
LOOKS = {
    "key": "text",
    "text": "text",
    "date": "a date such as 2026-10-31",
    "timestamp": "a timestamp such as 2026-10-31T17:05:00 (company time) or 2026-10-31T17:05:00Z",
    "period": "a month such as 2026-10",
    "amount": "a number such as 12500.50, without currency sign or thousands separator",
    "number": "a number such as 12500.50, without thousands separator",
}

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_STAMP = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?")
_AWARE = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)? ?(Z|z|[+-]\d{2}(:?\d{2})?)")
_NAMED_ZONE = re.compile(
    rf"(\d{{4}}-\d{{2}}-\d{{2}}[T ]\d{{2}}:\d{{2}}(?::\d{{2}}(?:\.\d{{1,9}})?)?) ?({ABBREVIATION})"
)
_MIDNIGHT_UTC = re.compile(r" *\d{4}-\d{2}-\d{2}[T ]00:00(:00(\.0{1,9})?)? ?(Z|z|[+-]00(:?00)?) *")
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_INFINITY = re.compile(r"[+-]?[iI][nN][fF]([iI][nN][iI][tT][yY])?")
_PLAIN_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d+)?([eE][+-]?\d+)?")  # not 007, not a 16-digit identifier

_DAY_LENGTH = 86_400_000_000
"""Microseconds."""


def as_kind(values: pd.Series, kind: Kind | None, *, timezone: str) -> tuple[pd.Series, np.ndarray]:
    """Return a column in its kind, and a mask (n,) of the values that do not fit it, which are then missing.

    kind : None for a column nobody declared: numbers or dates where every value is one, text otherwise.
    timezone : the company's. Timestamps without an offset are read in it (of two occurrences in the hour a clock is put
        back the first; a time skipped when it is put forward moves to the next that exists), and the date of a
        timestamp with an offset is its date there.

    Text that does not fit a period stays as it is; empty text is missing.
    """
    values = _plain(values)
    if kind is None:
        typed, bad = _inferred(values, timezone), np.zeros(len(values), dtype=bool)
    elif kind in ("key", "text"):
        typed, bad = _text(values)
    elif kind in ("amount", "number"):
        typed, bad = _number(values)
    elif kind == "period":
        typed, bad = _period(values)
    elif kind == "date":
        typed, bad = _date(values, timezone)
    else:
        typed, bad = _timestamp(values, timezone)
    return coded(typed), bad


def _inferred(values: pd.Series, timezone: str) -> pd.Series:
    if values.dtype != "str":
        if pd.api.types.is_bool_dtype(values.dtype):
            return values.map({True: "true", False: "false"}).astype("str")
        if pd.api.types.is_numeric_dtype(values.dtype):
            return values.astype("float64")
        if isinstance(values.dtype, pd.DatetimeTZDtype) or pd.api.types.is_datetime64_dtype(values.dtype):
            return _date(values, timezone)[0]
        return values.astype("str")
    some = values.dropna()
    if some.empty:
        return values
    if _matches(some, _PLAIN_NUMBER).all():
        return _number(values)[0]
    if _matches(some, _DAY).all():
        dates, bad = _date(values, timezone)
        return values if bad.any() else dates
    return values


def _plain(values: pd.Series) -> pd.Series:
    """Return the column with Python objects, categories and Arrow types taken out; empty text is missing."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    if isinstance(values.dtype, pd.ArrowDtype):
        values = pd.Series(pa.array(values).to_pandas(date_as_object=False), index=values.index)
    if values.dtype == object:
        inside = pd.api.types.infer_dtype(values, skipna=True)
        if inside in ("date", "datetime", "datetime64"):
            values = pd.to_datetime(values)
        elif inside in ("decimal", "floating", "integer", "mixed-integer-float"):
            values = pd.to_numeric(values.astype("float64"))
        elif inside == "boolean":
            values = values.map({True: "true", False: "false"}).astype("str")
        else:
            values = values.where(values.isna(), values.map(str)).astype("str")
    if pd.api.types.is_string_dtype(values.dtype) and values.dtype != "str":
        values = values.astype("str")
    if values.dtype == "str":
        blank = _answers(values, lambda text: pc.or_(pc.utf8_is_space(text), pc.equal(pc.binary_length(text), 0)))
        if blank.any():
            values = values.mask(blank)
    return values


def _answers(values: pd.Series, asked: Callable[[pa.Array], pa.Array]) -> np.ndarray:
    """Return what is answered for each text, False where it is missing; asked once a level where there are codes."""
    if not is_coded(values):
        return np.asarray(pc.fill_null(asked(text_of(values)), False))
    found = dictionary_of(values)
    answer = np.asarray(pc.fill_null(asked(found.dictionary), False))
    return by_level(found, answer, missing=False) if answer.any() else np.zeros(len(values), dtype=bool)


def _matches(text: pd.Series, pattern: re.Pattern[str]) -> np.ndarray:
    """Return which values match the whole pattern; missing ones do not."""
    return _answers(text, lambda given: pc.match_substring_regex(given, pattern=f"^(?:{pattern.pattern})$"))


def _distinct(values: pd.Series) -> tuple[np.ndarray, pd.Series]:
    """Return codes (-1 = missing) and the distinct values, stripped of surrounding blanks."""
    codes, distinct = pd.factorize(values)
    return codes, pd.Series(distinct, dtype="str").str.strip()


def _text(values: pd.Series) -> tuple[pd.Series, np.ndarray]:
    good = np.zeros(len(values), dtype=bool)
    if values.dtype == "str":
        return values, good
    missing = values.isna()
    if pd.api.types.is_bool_dtype(values.dtype):
        out = values.map({True: "true", False: "false"}).astype("str")
    elif pd.api.types.is_float_dtype(values.dtype) and (values.dropna() % 1 == 0).all():
        out = values.astype("Int64").astype("str")  # identifiers that a missing value had turned into floats
    else:
        out = values.astype("str")
    return out.mask(missing), good


def _number(values: pd.Series) -> tuple[pd.Series, np.ndarray]:
    missing = np.asarray(values.isna())
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values.astype("float64"), np.zeros(len(values), dtype=bool)
    out = np.full(len(values), np.nan)
    if values.dtype != "str":
        return pd.Series(out, index=values.index), ~missing
    codes, text = _distinct(values)
    parsed = np.full(len(text), np.nan)
    fits = _matches(text, _NUMBER)
    # Arrow's parser is exact to the last bit, so that CSV and Parquet give the same number.
    parsed[fits] = np.asarray(pc.cast(pc.replace_substring_regex(pa.array(text[fits]), r"^\+", ""), pa.float64()))
    infinite = _matches(text, _INFINITY)
    parsed[infinite] = np.inf
    if len(text):
        out = np.where(codes >= 0, parsed[codes], np.nan)
    return pd.Series(out, index=values.index), ~missing & np.isnan(out)


def _period(values: pd.Series) -> tuple[pd.Series, np.ndarray]:
    if isinstance(values.dtype, pd.PeriodDtype) or pd.api.types.is_datetime64_any_dtype(values.dtype):
        return values.dt.strftime("%Y-%m").astype("str"), np.zeros(len(values), dtype=bool)
    if values.dtype != "str":
        values = values.astype("str").mask(values.isna())
    text = values.str.strip()
    return text, np.asarray(values.notna()) & ~_matches(text, _MONTH)


def _date(values: pd.Series, timezone: str) -> tuple[pd.Series, np.ndarray]:
    missing = np.asarray(values.isna())
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        values = values.dt.tz_convert(timezone).dt.tz_localize(None)
    if pd.api.types.is_datetime64_dtype(values.dtype):
        days = values.astype("datetime64[us]")
        moment = days.to_numpy().view("int64")
        within = moment % _DAY_LENGTH != 0
        if within.any() and (within & (moment != pd.NaT.value)).any():
            days = days.dt.normalize()
    elif values.dtype == "str":
        codes, text = _distinct(values)
        parsed = pd.Series(pd.NaT, index=text.index, dtype="datetime64[us]")
        day = _matches(text, _DAY)
        parsed[day] = pd.to_datetime(text[day], format="%Y-%m-%d", errors="coerce").astype("datetime64[us]")
        if not day.all():
            stamp = ~day
            local = _stamps(text[stamp], timezone).dt.tz_convert(timezone).dt.tz_localize(None)
            parsed[stamp] = local.dt.normalize().astype("datetime64[us]")
        taken = parsed.to_numpy()[codes] if len(text) else np.full(len(codes), np.datetime64("NaT", "us"))
        days = pd.Series(np.where(codes >= 0, taken, np.datetime64("NaT", "us")), index=values.index)
    else:
        days = pd.Series(pd.NaT, index=values.index, dtype="datetime64[us]")
    return _in_range(days, missing)


def days_at_midnight_utc(values: pd.Series) -> pd.Series | None:
    """Return the dates of a column in which every value is midnight UTC, a date that a program wrote as a moment; None
    where one is not. West of Greenwich their day in the company's timezone would be the day before.

    Example: 2026-03-31T00:00:00Z is 31 March in New York too, where all other values are at midnight as well.
    """
    values = _plain(values)
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        at = values.dt.tz_convert("UTC").dt.tz_localize(None)
        some = at.dropna()
        return at.astype("datetime64[us]") if len(some) and (some == some.dt.normalize()).all() else None
    some = values.dropna()
    if values.dtype != "str" or some.empty or not _matches(some.iloc[:1], _MIDNIGHT_UTC)[0]:
        return None
    if not _matches(some, _MIDNIGHT_UTC).all():
        return None
    codes, text = _distinct(values)
    read = pd.to_datetime(text.str[:10], format="%Y-%m-%d", errors="coerce").astype("datetime64[us]").to_numpy()
    days = pd.Series(np.where(codes >= 0, read[codes], np.datetime64("NaT", "us")), index=values.index)
    return None if (days.isna() & values.notna()).any() else days


def are_day_numbers(values: pd.Series, bad: np.ndarray) -> bool:
    """Return whether what is no date, by the mask (n,), are all numbers of five digits: days since 1900, or 1904."""
    shown = _plain(values[bad])
    if not len(shown):
        return False
    text = shown.astype("str").str.strip().str.replace(r"\.0+$", "", regex=True)
    return bool(text.str.fullmatch(r"[1-9]\d{4}(?:\.\d+)?").all())


def _timestamp(values: pd.Series, timezone: str) -> tuple[pd.Series, np.ndarray]:
    missing = np.asarray(values.isna())
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        out = values.dt.tz_convert("UTC")
    elif pd.api.types.is_datetime64_dtype(values.dtype):
        out = _localised(values, timezone)
    elif values.dtype == "str":
        out = _stamps(values.str.strip(), timezone)
    else:
        out = pd.Series(pd.NaT, index=values.index, dtype="datetime64[us, UTC]")
    return _in_range(out.astype("datetime64[us, UTC]"), missing)


def _stamps(text: pd.Series, timezone: str) -> pd.Series:
    """Return ISO dates and timestamps as UTC, NaT where the text is none."""
    out = pd.Series(pd.NaT, index=text.index, dtype="datetime64[us, UTC]")
    aware = _matches(text, _AWARE)
    if aware.any():
        read = pd.to_datetime(text[aware].str.upper(), format="ISO8601", utc=True, errors="coerce")
        out[aware] = read.astype("datetime64[us, UTC]")
    if aware.all():
        return out
    naive = _matches(text, _STAMP) | _matches(text, _DAY)
    if naive.any():
        read = pd.to_datetime(text[naive], format="ISO8601", errors="coerce")
        out[naive] = _localised(read, timezone)
    named = ~aware & _matches(text, _NAMED_ZONE)
    if named.any():
        out[named] = _in_named_zones(text[named], timezone)
    return out


def _in_named_zones(text: pd.Series, timezone: str) -> pd.Series:
    """Return timestamps with the name of a zone (`CEST`) as UTC; NaT where a name may mean several zones."""
    parts = text.str.extract(_NAMED_ZONE)
    east = {name: minutes_east(name, timezone) for name in parts[1].unique()}
    clock = pd.to_datetime(parts[0], format="ISO8601", errors="coerce").astype("datetime64[us]")
    minutes = pd.to_timedelta(parts[1].map(east).astype("float64"), unit="min")
    return (clock - minutes).dt.tz_localize("UTC").astype("datetime64[us, UTC]")


def unread_zones(values: pd.Series, bad: np.ndarray, timezone: str) -> list[str]:
    """Return the names of zones that stand in values that could not be read, the mask (n,), and may mean several."""
    shown = _plain(values[bad])
    if shown.dtype != "str":
        return []
    names = shown.str.strip().str.extract(_NAMED_ZONE)[1].dropna().unique()
    return [str(name) for name in names if minutes_east(name, timezone) is None]


def _localised(values: pd.Series, timezone: str) -> pd.Series:
    first = np.ones(len(values), dtype=bool)
    local = values.astype("datetime64[us]").dt.tz_localize(timezone, ambiguous=first, nonexistent="shift_forward")
    return local.dt.tz_convert("UTC")


def _in_range(values: pd.Series, missing: np.ndarray) -> tuple[pd.Series, np.ndarray]:
    """Take out dates that only a slip of the pen can have produced, such as 0206-10-31 or 9999-12-31."""
    moment = values.array.asi8
    first, last = (day.as_unit(values.dt.unit).asm8.view("int64") for day in (FIRST_DAY, NO_DAY_FROM))
    if len(moment) and moment.min() >= first and moment.max() < last:  # none is missing, either
        return values, np.zeros(len(values), dtype=bool)
    zone = "UTC" if isinstance(values.dtype, pd.DatetimeTZDtype) else None
    fits = (values >= FIRST_DAY.tz_localize(zone)) & (values < NO_DAY_FROM.tz_localize(zone))
    bad = ~missing & ~np.asarray(fits)
    return (values.mask(bad) if bad.any() else values), bad
