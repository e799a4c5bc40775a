"""A snapshot's past played back: what was known at the end of each of many days, as arrays, in one pass.

A snapshot holds every row of history recorded by its day; what was known earlier follows from the rows recorded by
then. `Ledger` sorts and codes a snapshot once; `views` walks through days in order and applies the rows recorded since
the day before, so that any number of days costs one pass. A view tells what `snapshot(log, as_of=day)` tells (a test
holds the two against each other) and nothing of what was recorded later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from forecast.calendar import Calendar
from forecast.data.codes import dictionary_of, row_codes
from forecast.data.known.coding import (
    NO_DAY,
    NONE,
    OPEN,
    WON,
    Column,
    PeriodTable,
    Queue,
    codes_of,
    column_of,
    days_of,
    factorized,
    in_order,
    owners,
    run_start,
    slips_of,
)
from forecast.data.schema import Company

_STATE = ("opportunity_id", "recorded_at", "recorded_on", "stage", "outcome", "amount", "expected_close_on", "segment")
_NOT_COVARIATES = (*_STATE, "closed_on", "account_id")
"""The state is read apart; an account's name says who it is, not how its deals go."""
_FIXED = ("type", "lead_source", "product", "owner", "lead_score", "units")

_HASHED = 65_536
"""Ids that are turned into text at a time."""


@dataclass(frozen=True, kw_only=True)
class KnownState:
    """What was known at the end of a day, over all n opportunities of the ledger, known or not.

    known : (n,) bool.
    outcome : (n,) int8, OPEN, WON or LOST.
    closed_in, closed_on : (n,) period (0) and day (NO_DAY) of the closure, the values in brackets where none is known.
    amount : (n,) in the reporting currency, nan where unknown.
    last_row : (n,) the deal's last row of history by then, -1 where there is none.
    segment : (n,) code into `ledger.segments`.
    segments : those with a known opportunity, sorted; `place_of_segment` maps codes to places in it, NONE = not there.

    Arrays are read-only by convention.
    """

    ledger: Ledger
    as_of: pd.Timestamp
    day: int
    period: int
    at_month_end: bool
    known: np.ndarray
    outcome: np.ndarray
    closed_in: np.ndarray
    closed_on: np.ndarray
    amount: np.ndarray
    last_row: np.ndarray
    segment: np.ndarray
    segments: tuple[str, ...]
    place_of_segment: np.ndarray

    @property
    def company(self) -> Company:
        """The company."""
        return self.ledger.company

    @property
    def calendar(self) -> Calendar:
        """The company's calendar."""
        return self.ledger.calendar

    @property
    def is_last(self) -> bool:
        """Whether this is the day of the snapshot replayed."""
        return self.as_of == self.ledger.last_day

    @property
    def first_target(self) -> int:
        """The first period that is not over: the next one at a month's end, else the one in progress."""
        return self.period + bool(self.at_month_end)

    @property
    def last_complete(self) -> int:
        """The last period that is over."""
        return self.first_target - 1

    @property
    def last_settled(self) -> int:
        """The last period whose closures have had the company's settle days to be recorded."""
        return self.calendar.last_settled(self.as_of, settle_days=self.company.settle_days)

    @cached_property
    def elapsed(self) -> float:
        """How much of the period in progress is over; 0 at a month's end, where the next one is untouched."""
        if self.at_month_end:
            return 0.0
        start, end = self.calendar.start(self.period), self.calendar.start(self.period + 1)
        return ((self.as_of - start).days + 1) / (end - start).days

    @cached_property
    def open_deals(self) -> np.ndarray:
        """The opportunities known and open, ascending."""
        return np.flatnonzero(self.known & (self.outcome == OPEN))

    @cached_property
    def won_deals(self) -> np.ndarray:
        """The opportunities known as won, ascending."""
        return np.flatnonzero(self.outcome == WON)

    def emptied(self, as_of: pd.Timestamp) -> KnownState:
        """Return a view of a day on which nothing was known: no opportunity, no segment."""
        period = self.calendar.period(as_of)
        return replace(
            self,
            as_of=as_of,
            period=period,
            at_month_end=as_of == self.calendar.end(period),
            known=np.zeros_like(self.known),
            outcome=np.zeros_like(self.outcome),
            segments=(),
            place_of_segment=np.full_like(self.place_of_segment, NONE),
        )

    def rows_of(self, table: str) -> pd.DataFrame | None:
        """Return the rows of `marketing` or `submitted_forecasts` known by then; `plan` as it is; None where absent."""
        frame = self.ledger.tables.get(table)
        if frame is None or table == "plan" or self.is_last:
            return frame
        if table == "submitted_forecasts":
            return frame[(frame["submitted_on"] <= self.as_of).to_numpy()]
        return frame[self.ledger.marketing_periods <= self.last_complete]


class Ledger:
    """A snapshot, sorted and coded once.

    ids (n,) hashed, created (n,) day, born (n,) period of creation (0 or less where unknown); history rows (m,) sorted
    by opportunity and time: deal, day, stage (code into the open stages, NONE where a deal does not stay open in it),
    result (int8), value (amount), expected (day), since (day its stage was entered), slips (times the close date had
    moved later). `columns` are the covariates by name.
    """

    def __init__(
        self,
        *,
        company: Company,
        last_day: pd.Timestamp,
        opportunities: pd.DataFrame,
        history: pd.DataFrame | None,
        stages: pd.DataFrame,
        segments: tuple[str, ...],
        tables: Mapping[str, pd.DataFrame | None],
    ) -> None:
        self.company, self.last_day, self.tables = company, last_day, tables
        self.calendar = company.periods
        self.segments = segments
        self.opportunities = deals = opportunities
        self.size = len(deals)
        table = stages.sort_values(["position", "stage"])
        self.has_history = history is not None
        self.stages = tuple(table.loc[table["outcome"] == "open", "stage"]) if self.has_history else ()
        self.created_on = days_of(deals["created_on"])
        self.created_in = self.calendar.period_of(deals["created_on"]).astype(np.int32)
        self._outcome = codes_of(deals["outcome"], ("open", "won", "lost"), kind=np.int8)
        self._closed_day = days_of(deals["closed_on"])
        self._amount = deals["amount"].to_numpy(np.float64)
        self._segment = codes_of(deals["segment"], self.segments)
        self._expected = days_of(deals["expected_close_on"])
        self._history(history)
        self._columns()
        self.has_rows = np.zeros(self.size, dtype=bool)
        self.has_rows[self.deal] = True
        # Opportunities whose closure history does not tell: they close on their closing day.
        says = np.zeros(self.size, dtype=bool)
        says[self.deal[self.result != OPEN]] = True
        self._silent = ~says & (self._outcome != OPEN)
        self._amount_is_fixed = "amount" in company.fixed_at_creation

    def ids_of(self, deals: np.ndarray) -> np.ndarray:
        """Return the opportunity_id of some deals, object; all of them as text would take much memory."""
        return self.opportunities["opportunity_id"].iloc[deals].to_numpy(dtype=object)

    @cached_property
    def hashes(self) -> np.ndarray:
        """A number a deal, uint64, from its id alone."""
        out = np.empty(self.size, dtype=np.uint64)
        for at in range(0, self.size, _HASHED):
            part = np.arange(at, min(at + _HASHED, self.size))
            out[part] = pd.util.hash_array(self.ids_of(part), categorize=False)
        return out

    @cached_property
    def stage_on_last_day(self) -> np.ndarray:
        """The open stage that `opportunities` shows on the last day, for those without history; (n,) codes."""
        return codes_of(self.opportunities["stage"], self.stages)

    @property
    def expected_on_last_day(self) -> np.ndarray:
        """The expected close that `opportunities` shows on the last day; (n,) days."""
        return self._expected

    @cached_property
    def close_dates(self) -> PeriodTable:
        """The periods of all expected close dates, those of history and those of the last day."""
        return PeriodTable.over(self.calendar, self.expected, self._expected)

    @cached_property
    def marketing_periods(self) -> np.ndarray:
        """The period of each row of the marketing table."""
        frame = self.tables.get("marketing")
        if frame is None:
            return np.zeros(0, dtype=np.int64)
        labels, codes = np.unique(frame["period"].to_numpy(dtype=object).astype(str), return_inverse=True)
        numbers = np.array([int(text[:4]) * 12 + int(text[5:7]) - 1 for text in labels], dtype=np.int64)
        return numbers[codes] if len(labels) else np.zeros(0, dtype=np.int64)

    @cached_property
    def marketing_channels(self) -> tuple[np.ndarray, tuple[str, ...]]:
        """The channel of each row of the marketing table as a code, and the channels; NONE where there is none."""
        frame = self.tables.get("marketing")
        if frame is None or "channel" not in frame:
            return np.full(0 if frame is None else len(frame), NONE), ()
        codes, names = factorized(frame["channel"])
        return codes, tuple(names)

    @cached_property
    def marketing_segments(self) -> np.ndarray:
        """The segment of each row of the marketing table, as a code."""
        frame = self.tables.get("marketing")
        return np.zeros(0, dtype=np.int64) if frame is None else codes_of(frame["segment"], self.segments)

    def _history(self, history: pd.DataFrame | None) -> None:
        n = self.size
        if history is None or not len(history):
            none = np.zeros(0, dtype=np.int32)
            self.deal = self.day = self.expected = self.since = self.slips = none
            self.stage, self.result, self.value = none.astype(np.int16), none.astype(np.int8), none.astype(float)
            self.order = self.first_row = none
            self._since_outcome, self._told_closed, self._told_segment = none, None, None
            self._stood = none.astype(bool)
            return
        self.deal, order = deal, _ = owners(self.opportunities["opportunity_id"], history)
        history = history if order is None else history.take(order)
        self.day = days_of(history["recorded_on"])
        self.stage = codes_of(history["stage"], self.stages, kind=np.int16)
        self.result = codes_of(history["outcome"], ("open", "won", "lost"), kind=np.int8)
        self.value = history["amount"].to_numpy(np.float64)
        self.expected = days_of(history["expected_close_on"])
        new = np.ones(len(deal), dtype=bool)
        new[1:] = deal[1:] != deal[:-1]
        self.since = self.day[run_start(new, row_codes(dictionary_of(history["stage"])))]
        run = run_start(new, self.result)
        self._since_outcome = self.day[run]
        ends = np.flatnonzero(np.append(new[1:], True))
        # Whether the outcome of a row is the one that stood in the end, with no other in between.
        self._stood = run == np.repeat(run[ends], np.diff(ends, prepend=-1))
        self.slips = slips_of(new, self.expected)
        self._told_closed = days_of(history["closed_on"]) if "closed_on" in history.columns else None
        self._told_segment = codes_of(history["segment"], self.segments) if "segment" in history.columns else None
        self.order = in_order(self.day)
        self.first_row = np.zeros(n, dtype=np.int32)
        self.first_row[deal[new]] = np.flatnonzero(new)
        self._sorted_history = history

    def _columns(self) -> None:
        deals = self.opportunities
        history = self._sorted_history if len(self.deal) else None
        carried = [] if history is None else [name for name in history.columns if name not in _NOT_COVARIATES]
        fixed = [
            name for name in (*_FIXED, *self.company.fixed_at_creation) if name in deals and name not in _NOT_COVARIATES
        ]
        self.columns: dict[str, Column] = {}
        for name in dict.fromkeys([*fixed, *carried]):
            told = history[name] if history is not None and name in carried else None
            column = deals.get(name, None)
            made = column_of(column, told, self.size)
            if made is not None:
                self.columns[name] = made
        self.carried = frozenset(carried)
        self._sorted_history = None

    def walk(self, days: Iterable[pd.Timestamp]) -> Iterator[KnownState]:
        """Yield what was known at the end of each day; days ascending, none after the snapshot's."""
        n = self.size
        outcome, closed_day = np.zeros(n, dtype=np.int8), np.full(n, NO_DAY, dtype=np.int32)
        row = np.full(n, -1, dtype=np.int32)
        amount = self._amount.copy() if self._amount_is_fixed else np.full(n, np.nan)
        closed = np.zeros(n, dtype=np.int32)
        segment = self._segment if self._told_segment is None else self._segment.copy()
        known = np.zeros(n, dtype=bool)
        bare = ~self.has_rows
        newly = Queue(np.flatnonzero(bare & (self.created_on != NO_DAY)), self.created_on)
        silent = Queue(np.flatnonzero(self._silent & (self._closed_day != NO_DAY)), self._closed_day)
        periods = PeriodTable.over(self.calendar, self._closed_day, self._since_outcome, self._told_closed)
        done, first = 0, int(self.day.min()) if len(self.day) else 0
        recorded = np.append(0, np.cumsum(np.bincount(self.day - first)))
        there = np.zeros(len(self.segments) + 1, dtype=bool)  # the last for code NONE
        at = -(10**9)
        for stamp in days:
            day = int(stamp.to_datetime64().astype("datetime64[D]").astype(np.int64))
            if day < at or stamp > self.last_day:
                raise ValueError(f"{stamp:%Y-%m-%d}: days must ascend and end by {self.last_day:%Y-%m-%d}")
            at = day
            stop = int(recorded[min(max(day - first + 1, 0), len(recorded) - 1)])
            fresh, done = np.sort(self.order[done:stop]), stop
            bare_now = newly.due(day)
            known[bare_now] = True
            there[segment[bare_now]] = True
            if len(fresh):
                deal = self.deal[fresh]
                ends = np.flatnonzero(np.append(deal[1:] != deal[:-1], True))  # the last row of each deal
                touched, last = deal[ends], fresh[ends]
                known[touched] = True
                row[touched] = last
                outcome[touched] = self.result[last]
                amount[touched] = self.value[last]
                if self._told_segment is not None:
                    segment[touched] = self._told_segment[last]
                effective = self._effective(touched, last, day)
                closed_day[touched] = effective
                closed[touched] = periods.of(effective)
                there[segment[touched]] = True
            ended = silent.due(day, known)
            if len(fresh):
                # A row recorded after the closing day of a deal that history never closes does not open it again.
                late = touched[self._silent[touched] & (self._closed_day[touched] != NO_DAY)]
                ended = np.concatenate([ended, late[self._closed_day[late] <= day]])
            if len(ended):
                outcome[ended] = self._outcome[ended]
                closed_day[ended] = self._closed_day[ended]
                closed[ended] = periods.of(self._closed_day[ended])
                untold = ended[~self.has_rows[ended]]
                amount[untold] = self._amount[untold]
            if self._told_segment is not None:  # a deal may have left a segment
                there = np.bincount(segment[known & (segment >= 0)], minlength=len(there)) > 0
            yield self._view(stamp, day, known, outcome, closed, closed_day, amount, row, segment, there[:-1])

    def as_of(self, day: pd.Timestamp) -> KnownState:
        """Return what was known at the end of one day."""
        return next(self.walk([day]))

    def _effective(self, deals: np.ndarray, last: np.ndarray, day: int) -> np.ndarray:
        """Return the closing day of deals whose last rows are given; NO_DAY where these are open.

        It is the closing day known in the end where it belongs to this closure and had come, else the day on which the
        closure was recorded.
        """
        result = self.result[last]
        given = self._closed_day[deals] if self._told_closed is None else self._told_closed[last]
        if self._told_closed is None:
            usable = (given != NO_DAY) & (given <= day) & (self._outcome[deals] == result) & self._stood[last]
        else:
            usable = given != NO_DAY
        return np.where(result == OPEN, NO_DAY, np.where(usable, given, self._since_outcome[last]))

    def _view(
        self,
        stamp: pd.Timestamp,
        day: int,
        known: np.ndarray,
        outcome: np.ndarray,
        closed: np.ndarray,
        closed_day: np.ndarray,
        amount: np.ndarray,
        row: np.ndarray,
        segment: np.ndarray,
        there: np.ndarray,
    ) -> KnownState:
        value = amount.copy()
        if stamp == self.last_day:
            untold = known & ~self.has_rows
            value[untold] = self._amount[untold]
        local = np.where(there, np.cumsum(there) - 1, NONE)
        period = self.calendar.period(stamp)
        return KnownState(
            ledger=self,
            as_of=stamp,
            day=day,
            period=period,
            at_month_end=stamp == self.calendar.end(period),
            known=known.copy(),
            outcome=outcome.copy(),
            closed_in=closed.copy(),
            closed_on=closed_day.copy(),
            amount=value,
            last_row=row.copy(),
            segment=segment if self._told_segment is None else segment.copy(),
            segments=tuple(name for name, seen in zip(self.segments, there, strict=True) if seen),
            place_of_segment=np.append(local, NONE),  # so that code NONE maps to NONE
        )
