"""The archive of all deals: opportunities and history, sorted, each column as numbers once somebody asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd

from forecast.calendar import Calendar, parse_periods
from forecast.data.codes import dictionary_of, row_codes
from forecast.data.known.broken import Breaks
from forecast.data.known.coding import (
    NO_DAY,
    OPEN,
    Column,
    Marketing,
    PeriodTable,
    as_small,
    codes_of,
    column_of,
    count_by_period,
    dates_of,
    days_of,
    owners,
    rows_into_run,
    slips_of,
)
from forecast.data.known.planned import Starts
from forecast.data.known.recorded import FIXED, STATE
from forecast.data.schema import OUTCOMES, TABLES, WORKED_OUT, Company

_NOT_COVARIATES = (*("opportunity_id", "stage", "amount", "expected_close_on", "segment", "closed_on"), "account_id")
"""The state is read apart; an account's name says who it is, not how its deals go."""

_KEY = ("opportunity_id", "recorded_at", "recorded_on", "outcome", "currency")
"""Of history: whose row it is, and what follows from its other columns."""

NO_BREAKS = Breaks()

_MOST_CLOSED, _LONGEST, _MONTH = 0.95, 24, 30.4375

_HASHED = 65_536
"""Ids that are turned into text at a time."""

_NO_HISTORY = pd.DataFrame(
    {
        "opportunity_id": pd.Series(dtype="str"),
        "recorded_at": pd.Series(dtype="datetime64[us, UTC]"),
        "recorded_on": pd.Series(dtype="datetime64[us]"),
        "stage": pd.Series(dtype="str"),
        "outcome": pd.Series(dtype="str"),
        "amount": pd.Series(dtype="float64"),
        "expected_close_on": pd.Series(dtype="datetime64[us]"),
    }
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Archive:
    """Opportunities and their history, sorted by deal and time, and their columns as numbers; see `of`.

    opportunities : (n rows) as they stand on the last day; `final_...` are their columns as numbers.
    history : (m rows) by opportunity, then recorded_at; without rows where the company has none.
    deal : (m,) the opportunity of each row, its place in `opportunities`.
    segments, stages : the levels behind their codes; of stages the open ones, in the company's order.
    meaning_follows_deals : whether the company does not say what its stages mean, so that this is read off each day's.
    tables : `marketing`, `submitted_forecasts`, `plan`, `joint_planning` and others, as known on the last day.
    breaks : the breaks in the record that are known; what is read here is read with them in mind.
    """

    company: Company
    last_day: pd.Timestamp
    opportunities: pd.DataFrame
    history: pd.DataFrame
    has_history: bool
    deal: np.ndarray
    segments: tuple[str, ...]
    stages: tuple[str, ...]
    meaning_follows_deals: bool
    tables: Mapping[str, pd.DataFrame | None]
    breaks: Breaks = NO_BREAKS

    @classmethod
    def of(
        cls,
        *,
        company: Company,
        last_day: pd.Timestamp,
        opportunities: pd.DataFrame,
        history: pd.DataFrame | None,
        segments: tuple[str, ...],
        stages: tuple[str, ...] = (),
        meaning_follows_deals: bool = False,
        tables: Mapping[str, pd.DataFrame | None] | None = None,
    ) -> Self:
        """Return the records of opportunities sorted by id, and of history in any order, as `recorded` gives them.

        Rows of history of an unknown opportunity are left out; last_day is the day on which all of it is known.
        """
        rows = _NO_HISTORY if history is None else history
        deal, order = owners(opportunities["opportunity_id"], rows)
        rows = rows if order is None else rows.take(order)
        return cls(
            company=company,
            last_day=last_day,
            opportunities=opportunities,
            history=rows.reset_index(drop=True),
            has_history=history is not None,
            deal=deal,
            segments=segments,
            stages=stages if history is not None else (),
            meaning_follows_deals=meaning_follows_deals,
            tables={} if tables is None else tables,
        )

    @property
    def calendar(self) -> Calendar:
        """The company's calendar."""
        return self.company.periods

    @property
    def size(self) -> int:
        """The number of opportunities, n."""
        return len(self.opportunities)

    @cached_property
    def first_day(self) -> pd.Timestamp:
        """The day of the first record, before which nothing was known."""
        created = self.opportunities["created_on"][~self.has_rows].min()
        recorded = self.history["recorded_on"].min()
        return min(day for day in (created, recorded) if not pd.isna(day))

    @cached_property
    def plan(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Period, segment (code, NONE where no deal has it) and amount of each row of the table `plan`, (m,) each."""
        table = self.tables.get("plan")
        if table is None or table.empty:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0)
        codes, names = pd.factorize(table["period"])
        segment = pd.Index(self.segments).get_indexer(pd.Index(table["segment"]))
        return parse_periods(names)[codes], segment, table["amount"].to_numpy(dtype=np.float64)

    # -- opportunities as numbers ----------------------------------------------------------------------

    @cached_property
    def stamped_on(self) -> np.ndarray:
        """The day of creation each deal bears, NO_DAY where it bears none; (n,)."""
        return days_of(self.opportunities["created_on"])

    @cached_property
    def created_on(self) -> np.ndarray:
        """The day each deal was created, NO_DAY where unknown; (n,).

        Simple case: it is the day that the deal bears. Where history begins before, the day was stamped anew since, and
        the deal is as old as its first row; of one that began anew in another CRM it is not known.
        """
        stamped, first = self.stamped_on, np.full(self.size, NO_DAY, dtype=self.stamped_on.dtype)
        first[self.has_rows] = self.day[self.first_row[self.has_rows]]
        earlier = (stamped != NO_DAY) & (first != NO_DAY) & (first < stamped)
        if not earlier.any() and not self.begun_anew.any():
            return stamped
        return np.where(self.begun_anew, NO_DAY, np.where(earlier, first, stamped))

    @cached_property
    def begun_anew(self) -> np.ndarray:
        """Which deals began anew in another CRM, so that nobody knows when they were created; (n,) bool."""
        out = np.zeros(self.size, dtype=bool)
        for load in self.breaks.begun:
            out[load.deals] = True
        return out

    @cached_property
    def half_seen(self) -> frozenset[int]:
        """The periods before another CRM began in which deals that were open then are missing.

        Those of its deals that closed before are there, and look as if all closed soon. The periods reach as far back
        as 95 of 100 deals took to close, at most two years.
        """
        if not self.breaks.begun:
            return frozenset()
        closed = (self.final_closed_on != NO_DAY) & (self.created_on != NO_DAY)
        days = self.final_closed_on[closed].astype(np.int64) - self.created_on[closed]
        months = int(np.clip(np.ceil(np.quantile(days, _MOST_CLOSED) / _MONTH), 1, _LONGEST)) if len(days) else 1
        out: set[int] = set()
        for load in self.breaks.begun:
            first = self.calendar.period(pd.Timestamp(np.datetime64(load.day, "D")))
            out |= set(range(first - months, first))
        return frozenset(out)

    @cached_property
    def unsound(self) -> frozenset[int]:
        """The periods at whose ends the open deals cannot be told as they were: nothing is learned from them."""
        return self.half_seen | frozenset(self.breaks.unrecorded)

    @cached_property
    def created_in(self) -> np.ndarray:
        """The period of its creation, 0 or less where unknown; (n,) int32."""
        dates = self.opportunities["created_on"]
        if self.created_on is not self.stamped_on:
            dates = pd.Series(dates_of(self.created_on), index=dates.index)
        return self.calendar.period_of(dates).astype(np.int32)

    @cached_property
    def rows_by_month(self) -> tuple[np.ndarray, np.ndarray]:
        """The periods in which rows of history were written, ascending, and how many in each; (m,) both."""
        return count_by_period(self.calendar, self.day)

    @cached_property
    def final_outcome(self) -> np.ndarray:
        """The outcome on the last day; (n,) int8."""
        return codes_of(self.opportunities["outcome"], OUTCOMES, kind=np.int8)

    @cached_property
    def final_closed_on(self) -> np.ndarray:
        """The closing day as it stands on the last day; (n,)."""
        return days_of(self.opportunities["closed_on"])

    @cached_property
    def final_amount(self) -> np.ndarray:
        """The amount on the last day; (n,)."""
        return self.opportunities["amount"].to_numpy(np.float64)

    @cached_property
    def final_segment(self) -> np.ndarray:
        """The segment on the last day; (n,) codes."""
        return codes_of(self.opportunities["segment"], self.segments)

    @cached_property
    def final_stage(self) -> np.ndarray:
        """The open stage on the last day; (n,) codes."""
        return codes_of(self.opportunities["stage"], self.stages)

    @cached_property
    def final_expected(self) -> np.ndarray:
        """The expected close on the last day; (n,) days."""
        return days_of(self.opportunities["expected_close_on"])

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
    def recorded_columns(self) -> tuple[str, ...]:
        """The columns that history carries, in its order; none where the company has no history."""
        return tuple(name for name in self.history if name not in _KEY) if self.has_history else ()

    @cached_property
    def fixed_columns(self) -> tuple[str, ...]:
        """The optional columns of `opportunities` that count as fixed at creation: history does not carry them."""
        listed = [name for name in self.company.fixed_at_creation if name not in (*STATE, "segment")]
        taken = {*self.recorded_columns, "currency"}
        return tuple(
            name for name in dict.fromkeys([*FIXED, *listed]) if name in self.opportunities and name not in taken
        )

    @cached_property
    def own_columns(self) -> tuple[str, ...]:
        """The company's own columns of `opportunities` that hold today's values alone.

        History does not carry them, and nobody says that they are fixed at creation: what they were on a past day is
        not known, and no model of ours looks at them.
        """
        declared = (column.name for column in TABLES["opportunities"].columns)
        taken = {*declared, *WORKED_OUT, *self.recorded_columns, *self.company.fixed_at_creation}
        return tuple(name for name in self.opportunities if name not in taken)

    # -- history as numbers ----------------------------------------------------------------------------

    @cached_property
    def day(self) -> np.ndarray:
        """The day each row was recorded; (m,)."""
        return days_of(self.history["recorded_on"])

    @cached_property
    def result(self) -> np.ndarray:
        """What the stage of each row means; (m,) int8, OPEN, WON or LOST."""
        return codes_of(self.history["outcome"], OUTCOMES, kind=np.int8)

    @cached_property
    def stage(self) -> np.ndarray:
        """The open stage of each row, NONE where a deal does not stay open in it; (m,) codes."""
        return codes_of(self.history["stage"], self.stages, kind=np.int16)

    @cached_property
    def value(self) -> np.ndarray:
        """The amount each row gives; (m,)."""
        return self.history["amount"].to_numpy(np.float64)

    @cached_property
    def expected(self) -> np.ndarray:
        """The expected close each row gives; (m,) days."""
        return days_of(self.history["expected_close_on"])

    @cached_property
    def recorded_closed_on(self) -> np.ndarray | None:
        """The closing day each row gives, where history carries it; (m,)."""
        return days_of(self.history["closed_on"]) if "closed_on" in self.history else None

    @cached_property
    def recorded_segment(self) -> np.ndarray | None:
        """The segment each row gives, where history carries it; (m,) codes."""
        return codes_of(self.history["segment"], self.segments) if "segment" in self.history else None

    @cached_property
    def is_first(self) -> np.ndarray:
        """Whether a row is its deal's first; (m,)."""
        return np.append(True, self.deal[1:] != self.deal[:-1])[: len(self.deal)]

    @cached_property
    def first_row(self) -> np.ndarray:
        """The first row of each deal, 0 where it has none; (n,)."""
        out = np.zeros(self.size, dtype=np.int32)
        out[self.deal[self.is_first]] = np.flatnonzero(self.is_first)
        return out

    @cached_property
    def has_rows(self) -> np.ndarray:
        """Whether a deal has any row; (n,)."""
        return np.bincount(self.deal, minlength=self.size) > 0

    def since(self, rows: np.ndarray) -> np.ndarray:
        """Return the day on which the deal entered the stage it is in at some rows; (k,)."""
        return self.day[rows - self._rows_in_stage[rows]]

    @cached_property
    def _rows_in_stage(self) -> np.ndarray:
        """How many rows before each one the deal had already been in its stage, one after the other; (m,) as_small."""
        return rows_into_run(self.is_first, row_codes(dictionary_of(self.history["stage"])))

    @cached_property
    def slips(self) -> np.ndarray:
        """How often the expected close had moved later by each row; (m,) unsigned, see `as_small`."""
        return as_small(slips_of(self.is_first, self.expected))

    def outcome_row(self, rows: np.ndarray) -> np.ndarray:
        """Return the row at which the outcome of some rows began: the first of the run of rows that share it; (k,)."""
        return rows - self._rows_of_outcome[rows]

    @cached_property
    def _rows_of_outcome(self) -> np.ndarray:
        """How many rows before each one had its outcome, one after the other; (m,) as_small."""
        return rows_into_run(self.is_first, self.result)

    @cached_property
    def final_outcome_row(self) -> np.ndarray:
        """The row at which the outcome that stands in the end began, -1 where a deal has no row; (n,)."""
        out = np.full(self.size, -1, dtype=np.int32)
        last = np.flatnonzero(np.append(self.is_first[1:], True)[: len(self.deal)])
        out[self.deal[last]] = self.outcome_row(last)
        return out

    @cached_property
    def closes_without_row(self) -> np.ndarray:
        """Whether a deal is closed on the last day though no row of history says so: its closing day does; (n,)."""
        says = np.bincount(self.deal[self.result != OPEN], minlength=self.size) > 0
        return ~says & (self.final_outcome != OPEN)

    @cached_property
    def closing_periods(self) -> PeriodTable:
        """The periods of all days on which a deal may count as closed."""
        return PeriodTable.over(self.calendar, self.final_closed_on, self.day, self.recorded_closed_on)

    @cached_property
    def close_dates(self) -> PeriodTable:
        """The periods of all expected close dates, those of history and those of the last day."""
        return PeriodTable.over(self.calendar, self.expected, self.final_expected)

    # -- what else models look at ----------------------------------------------------------------------

    @cached_property
    def columns(self) -> dict[str, Column]:
        """The covariates by name: what is fixed at creation, and what history carries beside the state."""
        by_row = [name for name in self.recorded_columns if name not in _NOT_COVARIATES and len(self.deal)]
        fixed = [name for name in FIXED if name != "currency"] + list(self.company.fixed_at_creation)
        fixed = [name for name in fixed if name in self.opportunities and name not in _NOT_COVARIATES]
        made = {
            name: column_of(self.opportunities.get(name), self.history[name] if name in by_row else None, self.size)
            for name in dict.fromkeys([*fixed, *by_row])
        }
        return {name: column for name, column in made.items() if column is not None}

    @cached_property
    def marketing(self) -> Marketing:
        """The marketing table as numbers; without rows where there is none."""
        return Marketing.of(self.tables.get("marketing"), self.segments)

    @cached_property
    def starts(self) -> Starts:
        """The starts of joint planning; none where there is no such table."""
        return Starts.of(self.tables.get("joint_planning"), self.segments, self.calendar)
