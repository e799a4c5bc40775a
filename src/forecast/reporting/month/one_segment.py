"""One segment's part of a month's tables: the rows that are its own, read where the month left them, or made.

    part = of_segment("Iberia", data="data/sample", tables="reports/2026-10-31/tables", as_of="2026-10-31")
    part.bookings, part.backtest, part.alarms, ...

Nothing is fitted where the month's tables are there, nor are the data read, but company.toml. A folder that holds one
segment's rows alone (`divided`) gives the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.data.known.snapshot import snapshot
from forecast.data.schema import TOTAL, Company
from forecast.data.selection.reading import read
from forecast.data.selection.select import called
from forecast.data.sources.company import read_company
from forecast.errors import ParameterError, nearest
from forecast.evaluation.scores.scoring import BASELINE
from forecast.models.pipeline.bookings import MODEL
from forecast.models.registry import SUBMITTED
from forecast.reporting.charts.flags import dated
from forecast.reporting.month import tables as month_tables
from forecast.reporting.month.results import Results

_BY_SEGMENT = ("bookings", "benchmark", "backtest", "alarms", "deals", "levels_found")
_BY_NODE = ("changes_forecast", "changes_forecast_ends")
_WHOLE = ("notes", "events")
NAMES = (*_BY_SEGMENT, *_BY_NODE, *_WHOLE)
"""The tables of which a segment has a part."""
SEGMENT = "segment"
"""The level of a cause that is of a segment."""


@dataclass(frozen=True, kw_only=True)
class OneSegment:
    """What a month knows of one segment: its rows of `NAMES`; of `alarms` also those of the company's forecast."""

    segment: str
    company: Company
    as_of: pd.Timestamp
    bookings: pd.DataFrame
    benchmark: pd.DataFrame
    backtest: pd.DataFrame
    alarms: pd.DataFrame
    deals: pd.DataFrame
    levels_found: pd.DataFrame
    changes_forecast: pd.DataFrame
    changes_forecast_ends: pd.DataFrame
    notes: pd.DataFrame
    events: pd.DataFrame


def of_segment(
    segment: str = "",
    *,
    data: str | os.PathLike[str],
    as_of: str | pd.Timestamp,
    tables: str | os.PathLike[str] = "",
    where: str = "",
    months: int = 6,
    seed: int = 0,
) -> OneSegment:
    """Return what a month knows of a segment.

    segment : its name; empty for the one that should bring the most. data, where : as `read` takes them. tables :
    the folder of the month's tables; what is not there is made, and written there unless it is "". months, seed : as
    the tables take them. Raises ParameterError for a segment that the day does not know, and what the makers raise.
    """
    results = Results(tables)
    log = None if all(name in results for name in NAMES) else read(data, where=where)
    if log is None:
        found = {name: results.read(name) for name in NAMES}
        company = read_company(Path(data)) if Path(data).is_dir() else read(data).company
        company = called(company, where) if where else company
    else:
        asked: dict[str, Any] = {"as_of": as_of, "months": months, "seed": seed, "results": results}
        found = {name: month_tables.table(name, log, **asked) for name in NAMES if name in month_tables.MAKERS}
        found["events"] = results.get("events", lambda: dated(snapshot(log, as_of=as_of)))
        company = log.company
    known = segments_of(found["bookings"])
    if segment and segment not in known:
        raise ParameterError(f"segment: {segment!r} is not known on that day; {nearest(segment, known)}")
    chosen = segment or next(iter(known), "")
    rows = {name: rows_of(name, frame, chosen) for name, frame in found.items()}
    return OneSegment(segment=chosen, company=company, as_of=company.periods.parse_day(as_of), **rows)


def segments_of(bookings: pd.DataFrame) -> list[str]:
    """Return the segments of a forecast table, what should bring the most first; bookings : the month's table."""
    rows = bookings[(bookings["model"] == MODEL) & (bookings["segment"] != TOTAL)]
    sums = rows.fillna({"mean": 0.0}).groupby("segment")["mean"].sum()
    return [
        str(name) for name in sums.reset_index().sort_values(["mean", "segment"], ascending=[False, True])["segment"]
    ]


def rows_of(name: str, frame: pd.DataFrame, segment: str) -> pd.DataFrame:
    """Return the rows of a month's table that are of a segment, in their order and with their places."""
    if name == "notes":
        return frame
    if name == "events":
        return frame[frame["segment"].isna() | (frame["segment"] == segment)]
    if name in _BY_NODE:
        return frame[(frame["level"] == SEGMENT) & (frame["node"] == segment)]
    mine = frame["segment"] == segment
    if name == "alarms":
        mine |= (frame["segment"] == TOTAL) & (frame["model"] == MODEL)
    if name == "backtest":
        mine &= frame["model"].isin([MODEL, BASELINE]) | frame["model"].str.startswith(f"{SUBMITTED}-")
    return frame[mine]


def divided(results: Results, segments: Iterable[str]) -> Iterator[tuple[str, Mapping[str, pd.DataFrame]]]:
    """Yield each segment with its rows of the month's tables; results : the folder of these, with all of `NAMES`.

    The rows count anew from 0: they are files of their own.
    """
    whole = {name: results.read(name) for name in NAMES}
    places = {name: _places(name, frame) for name, frame in whole.items()}
    for segment in segments:
        parts = {}
        for name, frame in whole.items():
            at = places[name]
            near = frame if at is None else frame.loc[[*at.get(segment, []), *at.get(TOTAL, [])]].sort_index()
            parts[name] = rows_of(name, near, segment).reset_index(drop=True)
        yield segment, parts


def _places(name: str, frame: pd.DataFrame) -> Mapping[str, list[int]] | None:
    """Return the labels of each segment's rows of a table, so that no segment looks at all of them."""
    if name in _WHOLE:
        return None
    named = frame["node"] if name in _BY_NODE else frame["segment"]
    wanted = named[named != TOTAL] if name != "alarms" else named
    return {str(segment): list(labels) for segment, labels in wanted.groupby(wanted).groups.items()}
