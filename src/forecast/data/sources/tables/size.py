"""How many rows a data folder has, and about how much memory a command takes with them, without reading them.

Parquet says its rows; those of a text file are its bytes over the length of its first lines. What a row takes was
measured (docs/scale.md): the log itself, and what a command makes of it. It is the least that such data take, so that
what is refused could not have been done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as papq

from forecast.data.sources.tables.partitions import files_of, table_of_file
from forecast.data.sources.tables.raw import DELIMITED, PARQUET, ending, is_gzip

_LONG = ("opportunities", "opportunity_history", "leads")
_HEAD = 1 << 16

_BYTES: Mapping[str, int] = {"opportunities": 100, "opportunity_history": 40, "leads": 60}
"""Of a row in memory, once it is read."""

_BASE = 150e6
"""Bytes of Python with its libraries."""

_TIMES: Mapping[str, float] = {"check": 2.0, "backtest": 1.6, "report": 3.0}
"""How often the bytes of the log a command takes at its peak, at least; others as `_OTHERWISE`."""
_OTHERWISE = 2.0


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows of the three tables that may be long."""

    opportunities: int = 0
    opportunity_history: int = 0
    leads: int = 0

    def in_words(self) -> str:
        """Return them as a message says it."""
        return f"{self.opportunities:,} opportunities with {self.opportunity_history:,} rows of history"


def rows_in(place: Path) -> Rows:
    """Return the rows of a data folder, about."""
    counts = dict.fromkeys(_LONG, 0)
    for file in files_of(place):
        name = table_of_file(file, place)
        if name in counts:
            counts[name] += _rows(file)
    return Rows(**counts)


def needed(rows: Rows, command: str) -> float:
    """Return about how many bytes a command takes at its peak with so many rows, at least.

    >>> round(needed(Rows(opportunities=1_000_000, opportunity_history=4_000_000), "check") / 1e6)
    670
    """
    log = sum(_BYTES[name] * getattr(rows, name) for name in _LONG)
    return _BASE + _TIMES.get(command, _OTHERWISE) * log


def _rows(file: Path) -> int:
    try:
        if ending(file) == PARQUET:
            return int(papq.read_metadata(file).num_rows)
        if ending(file) in DELIMITED and not is_gzip(file):
            with file.open("rb") as text:
                head = text.read(_HEAD)
            lines = head.count(b"\n") or 1
            return max(round(file.stat().st_size * lines / max(len(head), 1)) - 1, 0)
    except (OSError, pa.ArrowException, ValueError):  # whoever reads it will say
        pass
    return 0
