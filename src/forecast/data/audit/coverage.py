"""From when to when each table speaks, and how many rows it has."""

from __future__ import annotations

import pandas as pd

from forecast.data.schema import TABLES, Log

_COUNTED = ("date", "timestamp", "period")


def coverage(log: Log) -> pd.DataFrame:
    """Return one row a canonical table: table, first, last (dates), rows (int64), without (what its absence means).

    first and last are of the table's first column of dates, timestamps or periods (a period counts from its first day
    to its last); empty for a table that is absent, empty or has no dates.
    """
    calendar = log.company.periods
    rows = []
    for name, table in TABLES.items():
        frame = log.get(name)
        first, last = pd.NaT, pd.NaT
        column = next((c for c in table.columns if c.kind in _COUNTED and frame is not None and c.name in frame), None)
        if frame is not None and column is not None:
            values = frame[column.name].dropna()
            if len(values) and column.kind == "period":
                first, last = calendar.parse_day(values.min()), calendar.parse_day(values.max())
                first = calendar.start(calendar.period(first))
            elif len(values):
                first, last = values.min(), values.max()
                if column.kind == "timestamp":
                    first, last = first.tz_localize(None).normalize(), last.tz_localize(None).normalize()
        rows.append((name, first, last, 0 if frame is None else len(frame), "" if frame is not None else table.without))
    out = pd.DataFrame(rows, columns=["table", "first", "last", "rows", "without"])
    return out.astype({"table": "str", "without": "str", "rows": "int64"}).astype(
        {"first": "datetime64[us]", "last": "datetime64[us]"}
    )
