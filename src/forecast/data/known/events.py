"""What a company did or met, as known on a day: the rows of `events` whose day has come, and as numbers for models.

Simple case: an event is known from its first day on, and its end once that has come. One that was announced is known
from the day of the announcement on, with its end; announced only after it had begun, it is not known before that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from forecast.calendar import Calendar
from forecast.data.codes import by_key
from forecast.data.known.coding import NO_DAY, NONE, codes_of, days_of

LASTING = 1_000_000
"""The period in which an event ends that has no end, or none that is known."""

MONTHS = 32
"""Months ahead that `Events.months_of` tells one by one."""

MOST_KINDS = 24
"""Kinds that `Events.months_of` tells apart: those known first."""


def known_from(events: pd.DataFrame) -> pd.Series:
    """Return the day from which each event is known: its announcement, else its first day.

    events : `from` and, where the table has it, announced_on; (n,) dates come back.
    """
    if "announced_on" not in events:
        return events["from"]
    return events["announced_on"].fillna(events["from"])


def known_events(events: pd.DataFrame | None, *, day: pd.Timestamp) -> pd.DataFrame | None:
    """Return the events known at the end of a day, sorted by all columns; None where the company has no such table.

    events : the table as it was read. A row that stands there twice comes once. A `to` that lies ahead is empty where
    nothing was announced: nobody knew it that day.

    Example: a campaign from 1 March to 30 June without announcement is known on 31 March, and ends some day.
    """
    if events is None:
        return None
    known = events[(known_from(events) <= day).to_numpy()]
    if "to" in known:
        told = known["to"] <= day
        if "announced_on" in known:
            told |= known["announced_on"].notna()
        known = known.assign(to=known["to"].where(told))
    # In an order of its own: that of the table as it was read goes by ends that are not known yet.
    return by_key(known.drop_duplicates(), [str(column) for column in known])


@dataclass(frozen=True, kw_only=True, eq=False)
class Events:
    """The k events of a company as numbers, by first period, then last; (k,) each.

    first, last : the periods in which it begins and ends; last is `LASTING` where it has no end that is known. segment,
    product, kind : codes, NONE where it is about all segments or products. known_on, end_known_on : the days, counted
    since 1970, from which the event and its end are known.
    kinds : the levels behind `kind`, each as it is written, but for capitals and blanks around it.

    Arrays are read-only by convention.
    """

    first: np.ndarray
    last: np.ndarray
    segment: np.ndarray
    product: np.ndarray
    kind: np.ndarray
    known_on: np.ndarray
    end_known_on: np.ndarray
    kinds: tuple[str, ...]

    @classmethod
    def of(
        cls, table: pd.DataFrame | None, *, segments: tuple[str, ...], products: tuple[str, ...], calendar: Calendar
    ) -> Events:
        """Return the events of a table, as `known_events` gives it; none where it is absent.

        segments, products : the levels behind the codes. An event about a segment or product that is none of them is
        left out: no deal is of it.
        """
        if table is None or not len(table):
            none = np.zeros(0, dtype=np.int64)
            return cls(
                first=none, last=none, segment=none, product=none, kind=none, known_on=none, end_known_on=none, kinds=()
            )
        about = {"segment": segments, "product": products}
        use = np.ones(len(table), dtype=bool)
        for name, levels in about.items():
            use &= np.asarray(table[name].isna() | table[name].isin(levels)) if name in table else True
        table = table[use].sort_values("from", kind="stable", ignore_index=True)
        codes = {
            name: codes_of(table[name], levels) if name in table else np.full(len(table), NONE, dtype=np.int32)
            for name, levels in about.items()
        }
        written = table["kind"].astype("str").str.strip().str.casefold()
        kinds = tuple(sorted(written.unique()))
        ends = table["to"] if "to" in table else pd.Series(pd.NaT, index=table.index, dtype="datetime64[us]")
        known_on, last_day = days_of(known_from(table)).astype(np.int64), days_of(ends).astype(np.int64)
        told = np.asarray(table["announced_on"].notna()) if "announced_on" in table else np.zeros(len(table), bool)
        has_end = last_day != NO_DAY
        last = np.full(len(table), LASTING)
        last[has_end] = calendar.period_of(pd.DatetimeIndex(ends[has_end]))
        return cls(
            first=np.asarray(calendar.period_of(pd.DatetimeIndex(table["from"])), dtype=np.int64),
            last=last,
            segment=codes["segment"],
            product=codes["product"],
            kind=codes_of(written, kinds),
            known_on=known_on,
            end_known_on=np.where(told | ~has_end, known_on, np.maximum(known_on, last_day)),
            kinds=kinds,
        )

    def months_of(self, *, segment: np.ndarray, product: np.ndarray, target: int) -> np.ndarray:
        """Return in which months each kind of event concerns each deal, (n, kinds) uint32: bit s for `target` + s.

        Simple case: an event without segment and product concerns every deal from its first month to its last. One
        about a segment, a product or both concerns deals of these alone. What lies beyond MONTHS ahead is not told,
        and an event without a known end concerns nobody: what stays is a new level, not a few months.
        The kinds stand in the order in which they became known, at most MOST_KINDS of them.

        segment, product : (n,) codes, NONE where a deal has none. target : the period of bit 0.
        """
        shape = (len(segment), min(len(self.kinds), MOST_KINDS))
        place = {kind: at for at, kind in enumerate(self.by_first_known[:MOST_KINDS])}
        begin, end = np.maximum(self.first - target, 0), np.minimum(self.last - target, MONTHS - 1)
        ahead = np.flatnonzero(self.has_end & (begin <= end))
        if not len(ahead):
            return np.broadcast_to(np.uint32(0), shape)  # of thousands of deals it takes no memory
        out = np.zeros(shape, dtype=np.uint32)
        for event in ahead:
            months = np.uint32((1 << int(end[event]) + 1) - (1 << int(begin[event])))
            concerned = np.ones(len(segment), dtype=bool)
            for about, of_deal in ((self.segment[event], segment), (self.product[event], product)):
                if about != NONE:
                    concerned &= of_deal == about
            kind = self.kinds[self.kind[event]]
            if kind in place:
                out[concerned, place[kind]] |= months
        return out

    @property
    def has_end(self) -> np.ndarray:
        """Which events have an end that is known, (k,) bool."""
        return np.asarray(self.last != LASTING)

    @cached_property
    def by_first_known(self) -> tuple[str, ...]:
        """The kinds of these events in the order in which they became known, then by name."""
        order = np.lexsort((self.kind, self.known_on))
        return tuple(dict.fromkeys(self.kinds[code] for code in self.kind[order]))

    def as_of(self, day: int) -> Events:
        """Return the events known at the end of a day, since 1970, each once; an end not known yet is `LASTING`."""
        known = self.known_on <= day
        last = np.where(self.end_known_on <= day, self.last, LASTING)
        columns = (self.first, last, self.segment, self.product, self.kind, self.known_on)
        # Two that differ in an end alone are one until it is known: else what is known would tell of what is not.
        rows = np.unique(np.stack([column[known] for column in columns]), axis=1)
        first, last, segment, product, kind, known_on = rows
        return Events(
            first=first,
            last=last,
            segment=segment,
            product=product,
            kind=kind,
            known_on=known_on,
            end_known_on=np.full(len(first), day),
            kinds=self.kinds,
        )
