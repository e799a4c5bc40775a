"""The canonical tables: their columns, keys, units and meaning; `Company` and `Log`.

This module only declares. `checks` holds a set of tables against the declaration, `sources` bring tables from
somewhere, and `known` answers what was known on a day. Dates are `datetime64[us]` at midnight, timestamps
`datetime64[us, UTC]`, periods text such as `2026-10`, amounts and measures float64, all else `str`, or codes of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import pandas as pd

from forecast.calendar import Calendar
from forecast.display import Told as Told
from forecast.display import counted, named
from forecast.errors import Problem

Kind = Literal["key", "text", "date", "timestamp", "period", "amount", "number"]

AMOUNT_FIXED = "stage and close date of a past day are unknown: only creation, amount and closure are known"
"""What the absence of the history switches off where the amount is fixed at creation."""

FIRST_DAY, NO_DAY_FROM = pd.Timestamp("1900-01-01"), pd.Timestamp("2200-01-01")
"""The first day that a date may be, and the first that it may not: beyond them lies what a slip of the pen wrote."""

TOTAL = "Total"
"""The reserved name of the sum over segments."""

UNASSIGNED = "Unassigned"
"""What an import calls the segment of rows whose segment nothing says."""

WORKED_OUT = ("stage_since", "slips", "recorded_on")
"""What a snapshot works out for each day: a company's own column of such a name is not among its columns."""

OUTCOMES = ("open", "won", "lost")

CREDITS = ("keep", "leave-out")
"""What is done with opportunities of a negative amount: they are subtracted, or are not there."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a canonical table.

    `required` columns must be there; `nullable` ones may be empty; `minimum` bounds numbers from below;
    `values` lists what a text may be.
    """

    name: str
    kind: Kind
    meaning: str
    required: bool = True
    nullable: bool = False
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Table:
    """One canonical table: its key (unique together; none where rows may repeat), its columns, and what its absence
    switches off (empty where nothing does without it: no page shows the table yet)."""

    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    without: str
    extra_columns: bool = False

    def column(self, name: str) -> Column | None:
        """Return the column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)


def _needed(
    name: str,
    kind: Kind,
    meaning: str,
    *,
    nullable: bool = False,
    unit: str = "",
    minimum: float | None = None,
    values: tuple[str, ...] = (),
) -> Column:
    return Column(name=name, kind=kind, meaning=meaning, nullable=nullable, unit=unit, minimum=minimum, values=values)


def _optional(name: str, kind: Kind, meaning: str, *, unit: str = "", minimum: float | None = None) -> Column:
    return Column(name=name, kind=kind, meaning=meaning, required=False, nullable=True, unit=unit, minimum=minimum)


_SEGMENT = _needed("segment", "text", "the unit in which joint planning is adopted and forecasts are submitted")
_PERIOD = _needed("period", "period", "month, written 2026-10")

TABLES: Mapping[str, Table] = MappingProxyType(
    {
        table.name: table
        for table in (
            Table(
                name="opportunities",
                meaning="one row an opportunity, with today's values",
                key=("opportunity_id",),
                columns=(
                    _needed("opportunity_id", "key", "the opportunity"),
                    _needed(
                        "created_on",
                        "date",
                        "day the opportunity was created; rows without it are left out and reported",
                        nullable=True,
                    ),
                    _SEGMENT,
                    _needed("stage", "text", "stage today"),
                    _needed("amount", "amount", "value today; below 0 for a credit", nullable=True, unit="money"),
                    _needed("expected_close_on", "date", "expected close date today", nullable=True),
                    _needed("closed_on", "date", "day it was won or lost; empty while open", nullable=True),
                    _needed("outcome", "text", "open, won or lost", values=OUTCOMES),
                    _optional("type", "text", "new or existing business"),
                    _optional("lead_source", "text", "where the opportunity came from"),
                    _optional("product", "text", "what is sold"),
                    _optional("owner", "text", "who sells it"),
                    _optional("account_id", "text", "the customer"),
                    _optional("lead_score", "number", "score of the lead when it was handed over"),
                    _optional("currency", "text", "currency of amount, where it is not the reporting currency"),
                    _optional("units", "number", "how many are sold", minimum=0),
                    _optional("lost_reason", "text", "why it was lost"),
                    _optional("promised_on", "date", "day delivery was promised for"),
                    _optional("delivered_on", "date", "day it was delivered"),
                ),
                without="nothing can be forecast",
                extra_columns=True,
            ),
            Table(
                name="opportunity_history",
                meaning="the state of an opportunity after each change; the first row is its state at creation",
                key=("opportunity_id", "recorded_at"),
                columns=(
                    _needed("opportunity_id", "key", "the opportunity"),
                    _needed("recorded_at", "timestamp", "when the CRM learned it"),
                    _needed("stage", "text", "stage from then on"),
                    _needed("amount", "amount", "value from then on", nullable=True, unit="money"),
                    _needed("expected_close_on", "date", "expected close date from then on", nullable=True),
                    _optional("probability", "number", "probability the CRM showed", unit="0 to 1", minimum=0),
                    _optional("forecast_category", "text", "forecast category the seller chose"),
                    _optional("owner", "text", "who sells it from then on"),
                    _optional("segment", "text", "segment from then on"),
                ),
                without="stage, amount and close date of a past day are unknown: only creation and closure are known",
                extra_columns=True,
            ),
            Table(
                name="stages",
                meaning="the stages in order",
                key=("stage",),
                columns=(
                    _needed("stage", "key", "name of the stage"),
                    _needed("position", "number", "order of the stage, from 1"),
                    _needed("outcome", "text", "open, won or lost", values=OUTCOMES),
                    _optional("probability", "number", "probability the CRM gives the stage", unit="0 to 1", minimum=0),
                    _optional("is_proposal", "text", "true where a proposal is out at this stage"),
                ),
                without="stages are ordered by how often they end in a win, and proposals cannot be told",
            ),
            Table(
                name="stage_changes",
                meaning="stages that got another name, from a day on",
                key=("old", "from"),
                columns=(
                    _needed("from", "date", "first day of the new name; from it on a forecast reads the two as one"),
                    _needed("old", "text", "the name until then"),
                    _needed("new", "text", "the name since; one of `stages` where there is such a table"),
                ),
                without="",
            ),
            Table(
                name="leads",
                meaning="one row a marketing lead",
                key=("lead_id",),
                columns=(
                    _needed("lead_id", "key", "the lead"),
                    _needed("created_on", "date", "day the lead came in"),
                    _SEGMENT,
                    _needed("channel", "text", "where it came from"),
                    _optional("worked_on", "date", "day sales first worked it"),
                    _optional("qualified_on", "date", "day it was qualified"),
                    _optional("rejected_on", "date", "day it was rejected"),
                    _optional("opportunity_id", "text", "the opportunity it became"),
                    _optional("account_id", "text", "the account it came from"),
                ),
                without="how marketing's leads are worked and handed over cannot be shown",
                extra_columns=True,
            ),
            Table(
                name="marketing",
                meaning="marketing's activity by month, known when the month has ended",
                key=("period", "segment", "channel"),
                columns=(
                    _PERIOD,
                    _SEGMENT,
                    _optional("channel", "text", "where the leads came from"),
                    _needed("leads", "number", "leads in the month", unit="count", minimum=0),
                    _optional("lead_score", "number", "mean score of the leads"),
                    _optional("spend", "amount", "money spent", unit="money", minimum=0),
                ),
                without="what the leads of a month say of pipeline to come cannot be used",
                extra_columns=True,
            ),
            Table(
                name="submitted_forecasts",
                meaning="what people said they would book",
                key=("submitted_on", "target_period", "segment", "submitter", "category"),
                columns=(
                    _needed("submitted_on", "date", "day it was submitted"),
                    _needed("target_period", "period", "month it is for"),
                    _SEGMENT,
                    _needed("submitter", "text", "sales, marketing, joint, …; capitals make no difference"),
                    _optional("category", "text", "commit, best case, …; where there are categories, commit counts"),
                    _needed("amount", "amount", "bookings expected", unit="money", minimum=0),
                    _optional("reason", "text", "why it is not the base, as the submitter wrote it"),
                    _optional("base", "amount", "the number that was changed", unit="money", minimum=0),
                ),
                without="the track record of people's forecasts and the effect of joint planning cannot be shown",
            ),
            Table(
                name="plan",
                meaning="planned bookings",
                key=("period", "segment"),
                columns=(_PERIOD, _SEGMENT, _needed("amount", "amount", "planned bookings", unit="money", minimum=0)),
                without="the chance of reaching plan cannot be shown",
            ),
            Table(
                name="joint_planning",
                meaning="when each segment began to plan jointly",
                key=("segment",),
                columns=(
                    _SEGMENT,
                    _needed("adopted_on", "date", "first day; empty = not yet", nullable=True),
                    _optional("announced_on", "date", "day the start was made known; without it, on the day itself"),
                ),
                without="whether joint planning helped cannot be asked",
            ),
            Table(
                name="quotas",
                meaning="quota by owner and month",
                key=("owner", "period"),
                columns=(
                    _needed("owner", "key", "who sells"),
                    _PERIOD,
                    _needed("quota", "amount", "bookings asked", unit="money", minimum=0),
                    _optional("hired_on", "date", "day the owner began to sell, the same in all months"),
                ),
                without="the share of reps who made quota cannot be shown",
            ),
            Table(
                name="costs",
                meaning="cost by month, segment and function",
                key=("period", "segment", "function"),
                columns=(
                    _PERIOD,
                    _SEGMENT,
                    _needed("function", "text", "whose cost", values=("sales", "marketing", "delivery")),
                    _needed("amount", "amount", "cost", unit="money", minimum=0),
                ),
                without="the cost of sales cannot be shown",
            ),
            Table(
                name="delivery",
                meaning="what can be built or served",
                key=("period", "segment"),
                columns=(
                    _PERIOD,
                    _SEGMENT,
                    _needed("capacity", "amount", "bookings that can be delivered", unit="money", minimum=0),
                    _optional("delivered_on_time", "number", "share delivered on time", unit="0 to 1", minimum=0),
                    _optional("satisfaction", "number", "customer satisfaction"),
                ),
                without="bookings cannot be held against what can be delivered",
            ),
            Table(
                name="events",
                meaning="what the company did or met: a price change, a campaign, a reorganisation",
                key=(),
                columns=(
                    _needed("from", "date", "first day"),
                    _optional("to", "date", "last day; empty = for good, or not known yet"),
                    _optional("segment", "text", "the segment it is about; empty = all"),
                    _optional("product", "text", "the product it is about; empty = all"),
                    _needed("kind", "text", "what sort of event, in the company's words"),
                    _needed("text", "text", "what happened, in a sentence"),
                    _optional("announced_on", "date", "day it became known, with its end; without it, its first day"),
                ),
                without="",
            ),
            Table(
                name="hierarchy",
                meaning="what a segment, owner or product belongs to, from a day on",
                key=("of", "node", "from"),
                columns=(
                    _needed("of", "text", "what is placed", values=("segment", "owner", "product")),
                    _needed("node", "text", "its name"),
                    _needed("from", "date", "first day it belongs there"),
                    _needed("parent", "text", "what it belongs to"),
                    _optional("to", "date", "last day it belongs there; empty = until further notice"),
                ),
                without="",
            ),
            Table(
                name="currencies",
                meaning="plan rates, frozen for a fiscal year",
                key=("currency", "from"),
                columns=(
                    _needed("currency", "key", "ISO code"),
                    _needed("plan_rate", "number", "reporting currency per unit of this currency", minimum=0),
                    _optional("from", "date", "first day of the rate; empty = from the beginning"),
                ),
                without="every amount is taken to be in the reporting currency",
            ),
            Table(
                name="periods",
                meaning="the company's own fiscal months, where neither calendar months nor a pattern of weeks are",
                key=("period",),
                columns=(
                    _needed("period", "period", "name of the fiscal month, 2026-10 after 2026-09"),
                    _needed("first_day", "date", "its first day; it lasts until the next one begins"),
                    _optional("label", "text", "what the company calls it"),
                    _optional("quarter", "number", "its fiscal quarter, 1 to 4, to be compared with ours", minimum=1),
                    _optional("year", "number", "its fiscal year, to be compared with ours", minimum=1900),
                ),
                without="",
            ),
        )
    }
)


@dataclass(frozen=True, kw_only=True)
class Company:
    """What `company.toml` says; every field has a default: `Company(name="Ours", currency="EUR")`."""

    name: str = "The company"
    currency: str = ""
    timezone: str = "UTC"
    fiscal_year_start: int = 1
    calendar: str = "month"
    week_starts_on: str = "monday"
    year_ends: str = "nearest"
    year_named_by: str = "end"
    logo: str = ""
    title: str = "Sales forecast"
    footer: str = ""
    extracted_on: pd.Timestamp | None = None
    settle_days: int = 7
    fixed_at_creation: tuple[str, ...] = ()
    one_currency: bool = False
    negative_amounts: str = "keep"
    own_periods: tuple[tuple[int, int], ...] = ()
    """The table `periods`, once it has been read, as `Calendar.own`; no key of company.toml."""

    @property
    def periods(self) -> Calendar:
        """The company's calendar of months and fiscal quarters."""
        return Calendar(
            fiscal_year_start=self.fiscal_year_start,
            pattern=self.calendar,
            week_starts_on=self.week_starts_on,
            year_ends=self.year_ends,
            year_named_by=self.year_named_by,
            own=self.own_periods,
        )


COMPANY_KEYS = tuple(field.name for field in fields(Company) if field.name != "own_periods")
"""The keys of company.toml."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Log(Told):
    """A validated set of tables. `extracted_on` is the log's last day; tables that are absent are not in `tables`.

    `notes` are the problems that are not fatal: rows left out, values read with a doubt.
    Treat the frames as read-only: everything that works on them copies first.
    """

    tables: Mapping[str, pd.DataFrame]
    company: Company
    extracted_on: pd.Timestamp
    source: str = ""
    notes: tuple[Problem, ...] = ()

    def __contains__(self, name: str) -> bool:
        return name in self.tables

    @cached_property
    def kept(self) -> dict[pd.Timestamp, Any]:
        """Snapshots of the log by their day, where somebody keeps them for others: `snapshot` hands these out."""
        return {}

    def get(self, name: str) -> pd.DataFrame | None:
        """Return the table of that name, or None where the company has none."""
        return self.tables.get(name)

    @property
    def opportunities(self) -> pd.DataFrame:
        """The one table that is always there."""
        return self.tables["opportunities"]

    def _told(self) -> tuple[str, dict[str, str]]:
        deals, still = self.opportunities, int((self.opportunities["outcome"] == "open").sum())
        facts = {
            "opportunities": f"{len(deals):,}, {still:,} of them open",
            "until": f"{self.extracted_on:%Y-%m-%d}",
            "segments": named(sorted(deals["segment"].dropna().unique())),
            "tables": counted({name: rows for name, rows in self.tables.items() if rows is not deals}),
            "missing": ", ".join(self.missing),
            "notes": f"{len(self.notes):,} in log.notes" * bool(self.notes),
        }
        return f"Log of {self.company.name}", facts | {"next": 'forecast.snapshot(log, as_of="…")'}

    @property
    def missing(self) -> dict[str, str]:
        """What each absent table would have brought: table -> what its absence switches off; not those without use.

        Rates of currencies have no use where every amount is in the reporting currency.
        """
        absent = {name: table.without for name, table in TABLES.items() if name not in self.tables and table.without}
        if "opportunities" in self.tables and "currency" not in self.opportunities:
            absent.pop("currencies", None)
        if "opportunity_history" in absent and "amount" in self.company.fixed_at_creation:
            absent["opportunity_history"] = AMOUNT_FIXED
        return absent


# -- what comes out ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NotedTable:
    """A table, and the sentences its reader must know: why a forecaster abstains, which rows have no number.

    Inside the library results travel as this record, because what hangs on a DataFrame is lost on the way.
    """

    table: pd.DataFrame
    notes: tuple[str, ...] = ()

    def frame(self) -> pd.DataFrame:
        """Return the table as the public functions hand it out: a DataFrame with the notes in `attrs["notes"]`."""
        frame = self.table.copy(deep=False)
        frame.attrs["notes"] = list(self.notes)
        return frame


QUANTILES = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
QUANTILE_COLUMNS = ("q2.5", "q10", "q25", "q50", "q75", "q90", "q97.5")

FORECAST_KEY = ("model", "origin", "target_period", "horizon", "segment")
FORECAST_COLUMNS = (*FORECAST_KEY, "mean", *QUANTILE_COLUMNS)
ADDENDS = ("booked", "open_pipeline", "not_yet_created")
"""A forecast table has `FORECAST_COLUMNS`, then, where they apply, ADDENDS, plan, p_at_least_plan, observed.

`origin` is a date, `horizon` int64 (months, or quarters on the rows of quarters), amounts float64.
"""

HORIZONS = 6
"""Months by whose ends the chances of a deal are given."""

FURTHEST_MONTH = 24
"""Months that can be forecast, at most."""

ODDS_COLUMNS = (
    "opportunity_id",
    "p_win",
    "p_win_low",
    "p_win_high",
    *(f"p_win_{horizon}" for horizon in range(1, HORIZONS + 1)),
    "factors",
)


def deal_columns(horizons: Iterable[int]) -> tuple[str, ...]:
    """Return the columns of the table of open deals; horizons : the months forecast, 0 being the one in progress.

    `p_win` is the chance of a win in the end, `p_win_low` and `p_win_high` its 95 % range; `p_win_1`, … are chances by
    the end of a month, cumulative. `expected_1`, … are the bookings expected of the deal in that month alone,
    unrounded, in the reporting currency: over the open deals of a segment they add up to its `open_pipeline`.
    `expected_amount` is what it is expected to bring in the end.
    """
    expected = (f"expected_{horizon}" for horizon in horizons)
    return ("opportunity_id", "segment", *ODDS_COLUMNS[1:-1], *expected, "expected_amount", "factors")


ERROR_COLUMNS = ("segment", "period", "error", "benchmark_error")
