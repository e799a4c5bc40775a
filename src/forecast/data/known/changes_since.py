"""What changed in the quarter ahead since the month before: `changes` between a snapshot and an earlier day."""

from __future__ import annotations

import pandas as pd

from forecast.data.known.changes import changes, moves
from forecast.data.known.snapshot import Snapshot, snapshot
from forecast.data.schema import Log, NotedTable
from forecast.errors import DataError, ParameterError

COLUMNS = ("bar", "amount", "deals", "open_pipeline", "booked", "since", "period")


def changes_since(log: Log, snap: Snapshot, *, since: str = "") -> pd.DataFrame:
    """Return the waterfall of the quarter in progress (on a quarter's last day: of the next) since an earlier day.

    Parameters
    ----------
    log, snap : the company's tables, and what was known on the later day.
    since : the earlier day or month; by default the end of the month before.

    Returns
    -------
    What `changes` gives, with `since` (date) and `period` (the quarter's label) in every row. Without rows where it is
    not known what was expected on the earlier day; `attrs["notes"]` then says why.

    Raises
    ------
    ParameterError : `since` is given and is no date, or not before the later day.
    """
    day, quarter = _span(snap, since)
    try:
        table = changes(snapshot(log, as_of=day), snap, quarter=quarter)
    except (DataError, ParameterError) as error:
        out = pd.DataFrame({name: pd.Series(dtype="float64") for name in COLUMNS})
        out = out.astype({"bar": "str", "deals": "int64", "since": "datetime64[us]", "period": "str"})
        why = error.problem.what if isinstance(error, DataError) else str(error)
        return NotedTable(table=out, notes=(why,)).frame()
    table = table.assign(since=day, period=snap.calendar.quarter_label(quarter))
    return NotedTable(table=table[list(COLUMNS)]).frame()


def moves_since(log: Log, snap: Snapshot, *, since: str = "") -> pd.DataFrame:
    """Return the deals behind each bar of `changes_since`, see `moves`; none where that has no rows."""
    day, quarter = _span(snap, since)
    try:
        return moves(snapshot(log, as_of=day), snap, quarter=quarter)
    except (DataError, ParameterError):
        text = {name: pd.Series(dtype="str") for name in ("bar", "opportunity_id", "segment")}
        return pd.DataFrame(
            {**text, **dict.fromkeys(("amount", "open_pipeline", "booked", "value"), pd.Series(dtype="float64"))}
        )


def _span(snap: Snapshot, since: str) -> tuple[pd.Timestamp, int]:
    """Return the earlier day and the quarter looked at."""
    calendar = snap.calendar
    day = calendar.parse_day(since) if since else calendar.end(snap.period - 1)
    if day >= snap.as_of:
        raise ParameterError(f"since: {day:%Y-%m-%d} is not before {snap.as_of:%Y-%m-%d}")
    return day, int(calendar.quarter_of(snap.period + snap.at_month_end))
