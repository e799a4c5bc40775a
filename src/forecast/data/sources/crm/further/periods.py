"""Which months a row of quotas or forecasts is for.

Simple case: a start date on the first of a month, each month having one. The complications: the period is named by an
identifier (the file of periods says its days); periods are quarters; and with fiscal months of weeks a period begins on
another day than the first. Whether a start date begins a month or a quarter is said by its end, else by the distances
between the starts; one start alone does not say it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from forecast.calendar import NO_PERIOD
from forecast.data.sources.crm.further.beside import Beside, LeftAside, in_cents
from forecast.data.sources.crm.values.dates import days
from forecast.data.sources.crm.values.reading import Order, Reading
from forecast.wording import plural

_QUARTER = 3
_NUMBERS = r"^(\d{1,2})[/.-](\d{1,2})[/.-]\d{2,4}$"
_ENDS = "export the end of each period (EndDate), or the file Period with Id, StartDate and EndDate"


def periods_of(beside: Beside, role: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return `first` (period, int64) and `months` (1 or 3) of each row, those without a start left out and counted.

    frame : rows of the role with [starts, ends, period]. Raises LeftAside where the rows do not say their months.
    """
    starts, ends = _days(beside, role, frame)
    undated = starts.isna()
    if undated.all():
        raise LeftAside(f"its rows do not say their month: export StartDate; else {_ENDS}")
    if undated.any():
        beside.say(role, f"{plural(int(undated.sum()), 'row')} without a period: left out")
    starts, ends = starts[~undated], ends[~undated]
    calendar = beside.calendar
    first = calendar.period_of(starts)
    begins = starts.map({one: calendar.start(calendar.period(one)) for one in starts.unique()})
    off = starts[(starts != begins).to_numpy()]
    if len(off):
        raise LeftAside(
            f"{off.iloc[0]:%Y-%m-%d} is not the first day of a month: where fiscal months are weeks, say `calendar` in "
            "company.toml; else export the first day of each month"
        )
    return pd.DataFrame({"first": first, "months": _months(beside, first, ends)}, index=starts.index)


def _days(beside: Beside, role: str, frame: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return the first and the last day of each row's period, missing where nothing says it."""
    reading, called = beside.export.reading(role), beside.export.columns[role]
    none = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[us]")
    starts = none
    if "starts" in frame:
        starts = days(frame["starts"], _in_order(frame["starts"], reading, called["starts"]), column=called["starts"])
    ends = days(frame["ends"], reading, column=called["ends"]) if "ends" in frame else none
    listed = beside.export.get("periods")
    if listed is None or "period" not in frame:
        return starts, ends
    reading, called = beside.export.reading("periods"), beside.export.columns["periods"]
    once = listed.drop_duplicates("period").set_index("period")
    begins = days(once["starts"], reading, column=called["starts"])
    starts = starts.fillna(frame["period"].map(begins).astype("datetime64[us]"))
    if "ends" in once:
        lasts = days(once["ends"], reading, column=called["ends"])
        ends = ends.fillna(frame["period"].map(lasts).astype("datetime64[us]"))
    return starts, ends


def _in_order(values: pd.Series, reading: Reading, column: str) -> Reading:
    """Return how start dates are read: with day or month first, where only one makes them the first of a month."""
    parts = values.dropna().str.extract(_NUMBERS).dropna()
    if reading.order is not None or parts.empty or len(parts) < values.notna().sum():
        return reading
    ones = (parts.astype("int64") == 1).all()
    if ones[0] == ones[1]:
        return reading
    order: Order = "dmy" if ones[0] else "mdy"
    first = "day" if ones[0] else "month"
    reading.say(column, f"read with the {first} first, since each period begins on the first of a month")
    return replace(reading, order=order)


def _months(beside: Beside, first: np.ndarray, ends: pd.Series) -> np.ndarray:
    """Return how many months each period has: as its end says, else as the distances between all starts show."""
    calendar, known = beside.calendar, ends.notna().to_numpy()
    out = np.zeros(len(first), dtype=np.int64)
    last = calendar.period_of(ends)
    out[known] = last[known] - first[known] + 1
    lasts = ends.map({one: calendar.end(calendar.period(one)) for one in ends.dropna().unique()})
    odd = known & ((ends != lasts).to_numpy() | ~np.isin(out, (1, _QUARTER)))
    if odd.any():
        place = int(np.flatnonzero(odd)[0])
        begin = calendar.start(int(first[place]))
        raise LeftAside(
            f"a period from {begin:%Y-%m-%d} to {ends.iloc[place]:%Y-%m-%d} is neither a month nor a quarter"
        )
    if not known.all():
        out[~known] = _from_distances(np.unique(first[first != NO_PERIOD]), beside)
    return out


def _from_distances(starts: np.ndarray, beside: Beside) -> int:
    """Return 1 or 3: the months between the starts (periods, sorted) that are there."""
    if len(starts) < 2:
        day = beside.calendar.start(int(starts[0]))
        raise LeftAside(f"it cannot be told whether {day:%Y-%m-%d} begins a month or a quarter: {_ENDS}")
    return _QUARTER if int(np.gcd.reduce(np.diff(starts))) % _QUARTER == 0 else 1


def by_month(rows: pd.DataFrame, amount: str) -> pd.DataFrame:
    """Return a row a month, `period`: a quarter's amount in three equal parts, in cents, that sum to it.

    rows : first, months, and any further columns, which are repeated.
    """
    count = rows["months"].to_numpy()
    place = np.repeat(np.arange(len(rows)), count)
    within = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
    out = rows.iloc[place].reset_index(drop=True)
    whole = out[amount].to_numpy(dtype=np.float64)
    parts = in_cents(whole, (within + 1) / count[place], place)
    return out.assign(**{amount: np.where(count[place] == 1, whole, parts), "period": out["first"].to_numpy() + within})
