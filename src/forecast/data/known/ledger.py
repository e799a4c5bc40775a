"""What was known on any day: opportunities and history, sorted and coded once, then walked day by day.

The simple case: every change of a deal is a row of history, and on a day a deal stands as its last row by then says.
The complications, each met where it is named:

- a closure recorded later than it happened, or one that was undone and came again (`Ledger._closing_day`);
- a deal without any row, of which creation and closure alone are known (`Ledger.closes_without_row`);
- a deal whose rows never close it although it is closed in the end: it closes on its closing day, too.

A log has one ledger (`ledger_of`); a snapshot has one of its own, made of what the snapshot shows, so that a model that
walks through its past cannot meet what was recorded later.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd

from forecast.calendar import Calendar
from forecast.data.codes import dictionary_of, from_codes, row_codes
from forecast.data.known.archive import Archive
from forecast.data.known.coding import NO_DAY, NONE, OPEN, WON, PeriodTable, day_number
from forecast.data.known.events import Events
from forecast.data.known.kept import KeptWalk
from forecast.data.known.recorded import outcomes_as_read_on, recorded_history, recorded_opportunities
from forecast.data.schema import OUTCOMES, Company, Log
from forecast.errors import ParameterError

_Made = TypeVar("_Made")

MANY, BEFORE = 10, 3
"""Deals or rows of a month that chance does not leave out, in one of e^10; and so many months before show it."""

_CLOSURES_EXPECTED = 10.0
_WEEKEND = 3
"""Days into a month on which the first record may lie and the month still be recorded from its beginning."""


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
    known: np.ndarray
    outcome: np.ndarray
    closed_in: np.ndarray
    closed_on: np.ndarray
    amount: np.ndarray
    last_row: np.ndarray
    segment: np.ndarray
    segments: tuple[str, ...]
    place_of_segment: np.ndarray

    def once(self, make: Callable[[KnownState], _Made]) -> _Made:
        """Return what is made of this day, made once however often it is asked for; to be read only."""
        if make not in self._made:
            self._made[make] = make(self)
        return cast("_Made", self._made[make])

    @cached_property
    def _made(self) -> dict[Callable[[KnownState], Any], Any]:
        return {}

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
        """Whether this is the ledger's last day."""
        return self.as_of == self.ledger.last_day

    @cached_property
    def period(self) -> int:
        """The period the day lies in."""
        return self.calendar.period(self.as_of)

    @cached_property
    def at_month_end(self) -> bool:
        """Whether the day is the last of its period, so that no month is in progress."""
        return self.as_of == self.calendar.end(self.period)

    @property
    def first_target(self) -> int:
        """The first period that is not over: the next one at a month's end, else the one in progress."""
        return self.period + bool(self.at_month_end)

    @property
    def quarter_position(self) -> int:
        """The place of the first target in its fiscal quarter: 0, 1 or 2."""
        return self.calendar.quarter_position(self.first_target)

    @property
    def last_complete(self) -> int:
        """The last period that is over."""
        return self.first_target - 1

    @property
    def last_settled(self) -> int:
        """The last period whose closures have had the company's settle days to be recorded."""
        return self.calendar.last_settled(self.as_of, settle_days=self.company.settle_days)

    @cached_property
    def events(self) -> Events:
        """The events of the company known by then; without any where it has no such table."""
        return self.ledger.events.as_of(self.day)

    @cached_property
    def closures_recorded_from(self) -> int:
        """The first period whose closures are recorded, 0 where there is no doubt about any.

        A log may hold deals from before the first closure it recorded. Periods in which ten closures or more would be
        expected at the rate seen later, and none is there, are taken as not recorded.
        """
        born = self.ledger.created_in
        closed = self.known & (self.outcome != OPEN) & (self.closed_in > 0)
        if not closed.any():
            return 0
        start = int(self.closed_in[closed].min())
        known = self.known & (born > 0)
        months_open = np.where(closed, self.closed_in, self.period)[known] - born[known]
        rate = closed.sum() / max(np.maximum(months_open, 0).sum() + 0.5 * known.sum(), 1.0)
        months_before = np.maximum(start - born[known], 0).sum()
        return start if rate * months_before >= _CLOSURES_EXPECTED else 0

    @cached_property
    def bookings_complete_from(self) -> int:
        """The first period whose bookings are recorded from its beginning.

        Simple case: the period of the log's first record; the one after it where that came later than a weekend into
        it. Where deals are older than the first closure recorded (`closures_recorded_from`), the first closure counts.
        """
        first, begins = self.closures_recorded_from, day_number(self.ledger.first_day)
        if first:
            begins = int(self.closed_on[self.known & (self.closed_in == first)].min())
        else:
            first = self.calendar.period(self.ledger.first_day)
        return first + bool(begins >= day_number(self.calendar.start(first)) + _WEEKEND)

    @property
    def months_settling(self) -> int:
        """How many periods are over and have not settled."""
        return self.last_complete - self.last_settled

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

    @cached_property
    def planned_from(self) -> np.ndarray:
        """The period from which each segment of the ledger plans jointly, as known by then; `planned.NEVER` else."""
        return self.ledger.starts.as_of(self.day, segments=len(self.ledger.segments))

    def submitted(self, *, since: pd.Timestamp = pd.Timestamp.min) -> pd.DataFrame | None:
        """Return the rows of `submitted_forecasts` known by then, maybe only those since a day; None without it."""
        frame = self.ledger.tables.get("submitted_forecasts")
        if frame is None:
            return None
        days, as_of = frame["submitted_on"].to_numpy(), self.as_of.to_datetime64()
        return frame[((days <= as_of) | self.is_last) & (days >= since.to_datetime64())]


class Ledger(Archive):
    """The archive of all deals, and what was known of them on any day."""

    @cached_property
    def events(self) -> Events:
        """The events known on the last day, coded by its segments and products."""
        product = self.columns.get("product")
        products = () if product is None or product.levels is None else product.levels
        return Events.of(self.tables.get("events"), segments=self.segments, products=products, calendar=self.calendar)

    def as_of(self, day: str | pd.Timestamp) -> KnownState:
        """Return what was known at the end of one day.

        Parameters
        ----------
        day : such as 2026-10-31, or a month such as 2026-10, which means its last day.

        Raises
        ------
        ParameterError : day is no date, later than the last day, or earlier than the first record.
        """
        stamp = self.calendar.parse_day(day)
        if stamp > self.last_day:
            raise ParameterError(
                f"as_of {stamp:%Y-%m-%d} is later than the log's last day, {self.last_day:%Y-%m-%d}; "
                "what happened since is not in it; ask as of that day, or say when the export was made: extracted_on "
                "in company.toml, --extracted-on of an import"
            )
        state = next(self._as_read_on(stamp).walk([stamp]))
        if not state.known.any():
            raise ParameterError(
                f"as_of {stamp:%Y-%m-%d} is earlier than the log's first record, {self.first_day:%Y-%m-%d}: "
                "nothing was known"
            )
        return state

    def days_like(self, as_of: pd.Timestamp, *, first: int) -> list[pd.Timestamp]:
        """Return the days to walk: at the position of `as_of` in its period, from period `first` to its own, ascending.

        Simple case: `as_of` ends its period, and so does each day. In the middle of a period, as much of each is over.
        """
        calendar = self.calendar
        period = calendar.period(as_of)
        if as_of == calendar.end(period):
            return [calendar.end(p) for p in range(first, period)] + [as_of]
        ends = [calendar.end(p) for p in range(first - 1, period + 1)]
        share_over = (as_of - ends[-2]).days / (ends[-1] - ends[-2]).days
        days = []
        for before, end in itertools.pairwise(ends[:-1]):
            length = (end - before).days
            over = min(max(round(share_over * length), 1), length - 1)
            days.append((before + pd.Timedelta(days=over)).as_unit("us"))
        return [*days, as_of]

    def walk(self, days: Iterable[pd.Timestamp]) -> Iterator[KnownState]:
        """Yield what was known at the end of each day, in one pass over the history.

        days : ascending, none after the last day; else ValueError. What stages mean is as on the last day.
        """
        # Simple case: the rows recorded since the day before are read, and each deal stands as its last row says.
        standing = _Standing.before_the_first_day(self)
        # Deals that no row brings in or closes wait for the day of their creation or closure.
        appearing = _Queue(np.flatnonzero(self.appears_on != NO_DAY), self.appears_on)
        closing = _Queue(
            np.flatnonzero(self.closes_without_row & (self.final_closed_on != NO_DAY)), self.final_closed_on
        )
        read_up_to: int | None = None
        for stamp in days:
            day = day_number(stamp)
            if stamp > self.last_day or (read_up_to is not None and day < read_up_to):
                raise ValueError(f"{stamp:%Y-%m-%d}: days must ascend and end by {self.last_day:%Y-%m-%d}")
            standing.appear(appearing.due(day))
            new_rows = self._rows_recorded(after=read_up_to, until=day)
            moved = self._read_rows(standing, new_rows, day) if len(new_rows) else new_rows

            # A row recorded after the closing day of a deal that no row closes does not open it again.
            again = moved[self.closes_without_row[moved] & (self.final_closed_on[moved] != NO_DAY)]
            again = again[self.final_closed_on[again] <= day]
            self._close(standing, np.concatenate([closing.due(day, standing.known), again]))
            yield self._state(standing, stamp, day)
            read_up_to = day

    @cached_property
    def kept(self) -> dict[frozenset[str], KeptWalk]:
        """Walks through all of it that are kept for others, by the columns that their models do without."""
        return {}

    @cached_property
    def appears_on(self) -> np.ndarray:
        """The day on which a deal is known without a row of history, NO_DAY where its first row brings it in; (n,).

        Simple case: a deal with rows is known from the first of them, one without any from the day of its creation. A
        deal that was created in a month in which no row of any deal was written is known at the month's end, when that
        can be said.
        """
        out = np.where(self.has_rows, NO_DAY, self.created_on)
        for period in self.silent_months:
            end = day_number(self.calendar.end(period))
            born = self.has_rows & (self.created_in == period) & (self.stamped_on <= end)
            out[born & (self.day[self.first_row] > end if len(self.day) else False)] = end
        return out

    @cached_property
    def silent_months(self) -> tuple[int, ...]:
        """The periods in which ten deals or more were created and no row of history was written.

        Of the three periods with rows before it each has ten rows or more. Nothing of this hangs on later records.
        """
        if not len(self.day):
            return ()
        periods = PeriodTable.over(self.calendar, self.day, self.stamped_on)
        stamped, rows = periods.of(self.stamped_on), periods.of(self.day)
        first = int(rows.min())
        counts = np.bincount(rows - first)
        born = np.bincount(stamped[stamped >= first] - first, minlength=len(counts))
        found = []
        for at in np.flatnonzero((counts == 0) & (born[: len(counts)] >= MANY)):
            before = counts[:at][counts[:at] > 0][-BEFORE:]
            if len(before) == BEFORE and before.min() >= MANY:
                found.append(first + int(at))
        return tuple(found)

    def _rows_recorded(self, *, after: int | None, until: int) -> np.ndarray:
        """Return the rows recorded after one day and until another, in the order of the history."""
        # Every row is looked at for each day: to keep the order of days would take as much memory as a column more.
        new = self.day <= until
        if after is not None:
            new &= self.day > after
        return np.flatnonzero(new)

    def _read_rows(self, standing: _Standing, rows: np.ndarray, day: int) -> np.ndarray:
        """Let deals stand as the last of their new rows says; return these deals."""
        deal = self.deal[rows]
        is_last = np.append(deal[1:] != deal[:-1], True)
        deals, last = deal[is_last], rows[is_last]
        standing.appear(deals)
        standing.last_row[deals] = last
        standing.amount[deals] = self.value[last]
        if self.recorded_segment is not None:
            standing.segment[deals] = self.recorded_segment[last]
        standing.close(deals, self.result[last], self._closing_day(deals, last, day))
        return deals

    def _closing_day(self, deals: np.ndarray, last: np.ndarray, day: int) -> np.ndarray:
        """Return the closing day of deals with the last rows given, as known on a day; NO_DAY where these are open.

        Simple case: the closure was recorded on the day it happened, and that day is it. Two complications: a closure
        entered later than it happened (its own day counts, once it has come), and a deal closed, reopened and closed
        again (the day on the last day belongs to its last closure: an earlier one counts on the day it was recorded).
        Where each row carries a closing day of its own, there is nothing to find out.
        """
        result, recorded = self.result[last], self.day[self.outcome_row(last)]
        if self.recorded_closed_on is not None:
            given = self.recorded_closed_on[last]
            usable = given != NO_DAY
        else:
            given = self.final_closed_on[deals]
            same_closure = self.outcome_row(last) == self.final_outcome_row[deals]
            usable = (given != NO_DAY) & (given <= day) & (self.final_outcome[deals] == result) & same_closure
        return np.where(result == OPEN, NO_DAY, np.where(usable, given, recorded))

    def _close(self, standing: _Standing, deals: np.ndarray) -> None:
        """Close deals that no row closes, as they stand on the last day; only what has no row takes its amount too."""
        standing.close(deals, self.final_outcome[deals], self.final_closed_on[deals])
        rowless = deals[~self.has_rows[deals]]
        standing.amount[rowless] = self.final_amount[rowless]

    def _state(self, standing: _Standing, stamp: pd.Timestamp, day: int) -> KnownState:
        """Return a copy of how deals stand."""
        amount = standing.amount.copy()
        if stamp == self.last_day:
            rowless = standing.known & ~self.has_rows
            amount[rowless] = self.final_amount[rowless]
        exists = standing.segment_exists
        if self.recorded_segment is not None:  # a deal may have left a segment
            inside = standing.segment[standing.known & (standing.segment != NONE)]
            exists = np.bincount(inside, minlength=len(self.segments)) > 0
        return KnownState(
            ledger=self,
            as_of=stamp,
            day=day,
            known=standing.known.copy(),
            outcome=standing.outcome.copy(),
            closed_in=standing.closed_in.copy(),
            closed_on=standing.closed_on.copy(),
            amount=amount,
            last_row=standing.last_row.copy(),
            segment=self.final_segment if self.recorded_segment is None else standing.segment.copy(),
            segments=tuple(name for name, there in zip(self.segments, exists, strict=False) if there),
            place_of_segment=np.append(np.where(exists, np.cumsum(exists) - 1, NONE), NONE),  # NONE maps to NONE
        )

    def _as_read_on(self, day: pd.Timestamp) -> Ledger:
        """Return the ledger with stages read as they stood on a day; itself where the company says what they mean."""
        if not self.meaning_follows_deals or not len(self.deal):
            return self
        outcome = outcomes_as_read_on(
            day_number(day),
            deal=self.deal,
            recorded_on=self.day,
            stage=row_codes(dictionary_of(self.history["stage"])),
            outcome=self.result,
            closed_on=self.final_closed_on,
        )
        history = self.history.assign(outcome=from_codes(outcome, OUTCOMES))
        return replace(self, history=history, meaning_follows_deals=False)


@dataclass(kw_only=True)
class _Standing:
    """How deals stand in the course of a walk, which changes the arrays in place; as `KnownState` names them."""

    known: np.ndarray
    outcome: np.ndarray
    closed_in: np.ndarray
    closed_on: np.ndarray
    amount: np.ndarray
    last_row: np.ndarray
    segment: np.ndarray
    segment_exists: np.ndarray
    periods: PeriodTable

    @classmethod
    def before_the_first_day(cls, ledger: Ledger) -> _Standing:
        """Return the standing of a day on which nothing is known yet."""
        n = ledger.size
        fixed = "amount" in ledger.company.fixed_at_creation
        return cls(
            known=np.zeros(n, dtype=bool),
            outcome=np.zeros(n, dtype=np.int8),
            closed_in=np.zeros(n, dtype=np.int32),
            closed_on=np.full(n, NO_DAY, dtype=np.int32),
            amount=ledger.final_amount.copy() if fixed else np.full(n, np.nan),
            last_row=np.full(n, -1, dtype=np.int32),
            segment=ledger.final_segment if ledger.recorded_segment is None else ledger.final_segment.copy(),
            segment_exists=np.zeros(len(ledger.segments), dtype=bool),
            periods=ledger.closing_periods,
        )

    def appear(self, deals: np.ndarray) -> None:
        """Let deals be known."""
        self.known[deals] = True
        segment = self.segment[deals]
        self.segment_exists[segment[segment != NONE]] = True

    def close(self, deals: np.ndarray, outcome: np.ndarray, day: np.ndarray) -> None:
        """Give deals an outcome and its day; OPEN and NO_DAY open them again."""
        self.outcome[deals] = outcome
        self.closed_on[deals] = day
        self.closed_in[deals] = self.periods.of(day)


class _Queue:
    """Deals waiting for their day; one whose day has come but who is not ready waits on."""

    def __init__(self, deals: np.ndarray, days: np.ndarray) -> None:
        """Let deals wait for their days."""
        order = np.argsort(days[deals], kind="stable")
        self._deals, self._days, self._at = deals[order], days[deals[order]], 0
        self._waiting = deals[:0]

    def due(self, day: int, ready: np.ndarray | None = None) -> np.ndarray:
        """Return the deals whose day has come by now, of those not returned before; with `ready` only who is."""
        stop = int(np.searchsorted(self._days, self._days.dtype.type(day), side="right"))
        come = np.concatenate([self._waiting, self._deals[self._at : stop]])
        self._at = stop
        if ready is None:
            return come
        self._waiting = come[~ready[come]]
        return come[ready[come]]


def ledger_of(log: Log) -> Ledger:
    """Return a log's ledger: all that was ever recorded, known on the log's last day."""
    opportunities = recorded_opportunities(log)
    history = recorded_history(log, opportunities)
    segments = set(opportunities["segment"].dropna().unique())
    if history is not None and "segment" in history:
        segments |= set(history["segment"].dropna().unique())
    return Ledger.of(
        company=log.company,
        last_day=log.extracted_on,
        opportunities=opportunities,
        history=history,
        segments=tuple(sorted(segments)),
        meaning_follows_deals="stages" not in log,
    )


def one_walk_each(log: Log, days: list[pd.Timestamp]) -> list[list[pd.Timestamp]]:
    """Return days, ascending, in groups that one walk can serve: all month ends together, each other day alone.

    Where the company does not say what its stages mean, that is read off each day's deals: every day goes alone.
    """
    calendar = log.company.periods
    if "stages" not in log and "opportunity_history" in log:
        return [[day] for day in days]
    ends = [day for day in days if day == calendar.end(calendar.period(day))]
    return ([ends] if ends else []) + [[day] for day in days if day not in set(ends)]
