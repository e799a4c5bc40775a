"""What the charts of bookings draw: rows of the forecast table picked, and put into records once.

Nothing here is a sentence and nothing draws; `sentences` describes these records and `charts` draws them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast import sources, wording
from forecast.calendar import is_quarter
from forecast.data.schema import ADDENDS, QUANTILE_COLUMNS, QUANTILES, TOTAL, Company

MODEL = "pipeline"
ABSTENTION = "abstention"
"""What the note of a month is about that says why there is no forecast."""

BEFORE_ALARM = 4
"""Months drawn before the first of an alarm, at least."""

DOTS = 20
"""Outcomes that a period's bookings are drawn as."""


@dataclass(frozen=True, kw_only=True)
class Fan:
    """Months of one segment: those past as booked, those ahead as forecast.

    past : period, amount; may be empty. ahead : rows of the forecast table, one a month, in order. plan : one a month
    ahead, NaN where there is none. table : both as they are shown, one row a month. since : the first month of an
    alarm, empty without one.
    """

    past: pd.DataFrame
    ahead: pd.DataFrame
    table: pd.DataFrame
    plan: np.ndarray
    segment: str
    company: Company
    since: str = ""

    @property
    def months_on_a_phone(self) -> int:
        """How many months past are drawn where there is little room: six, and under an alarm those before it too."""
        under_alarm = int((self.past["period"] >= self.since).sum()) if self.since else 0
        return min(len(self.past), max(6, under_alarm + BEFORE_ALARM if under_alarm else 0))

    @property
    def periods(self) -> list[str]:
        """All months, past and ahead; a month's position in this list is its place on the axis."""
        return [*self.past["period"], *self.ahead["target_period"]]

    @property
    def x(self) -> np.ndarray:
        """Positions of the months ahead."""
        return np.arange(len(self.past), len(self.past) + len(self.ahead), dtype=float)

    @property
    def largest(self) -> float:
        """The largest amount drawn; at least 1, so that an axis has a length."""
        return float(np.nanmax([*self.ahead["q97.5"], *self.past["amount"], *self.plan, 1.0]))

    @property
    def unit(self) -> str:
        """The unit of the axis of amounts, in words."""
        return wording.axis_unit(self.largest, currency=self.company.currency)[1]

    @property
    def has_range(self) -> bool:
        """Whether any month ahead has a forecast to draw."""
        return bool(self.ahead["q50"].notna().any())


def prepare_fan(
    bookings: pd.DataFrame,
    *,
    company: Company,
    actuals: pd.DataFrame | None = None,
    segment: str = TOTAL,
    months_back: int = 12,
    since: str = "",
) -> Fan:
    """Return the months of a segment; of those past the last `months_back` before the first month ahead.

    bookings : a forecast table. actuals : period, segment, amount, settled; added up over segments for Total.
    """
    ahead = months_of(bookings, segment=segment)
    past = past_months(actuals, segment=segment).tail(months_back)
    past = past[past["period"] < ahead["target_period"].iloc[0]] if len(ahead) else past.iloc[:0]
    plan = ahead["plan"].to_numpy(float) if "plan" in ahead else np.full(len(ahead), np.nan)
    table = sources.named(months_table(past, ahead, segment=segment), "months")
    return Fan(past=past, ahead=ahead, table=table, plan=plan, segment=segment, company=company, since=since)


def months_table(past: pd.DataFrame, ahead: pd.DataFrame, *, segment: str) -> pd.DataFrame:
    """Return months past and ahead as one table: segment, target_period, booked, and of those ahead what is forecast.

    past : period, amount. ahead : rows of the forecast table. Of a month that has not begun nothing can be
    booked: there it is missing, not 0.
    """
    columns = [name for name in ("q10", "q50", "mean", "q90", "plan", "p_at_least_plan") if name in ahead]
    before = pd.DataFrame({"target_period": past["period"], "booked": past["amount"]})
    after = ahead.reindex(columns=["target_period", "booked", *columns])
    after.attrs = {}
    after["booked"] = after["booked"].mask((after["booked"] == 0) & (ahead["horizon"] >= 1))
    table = pd.concat([part for part in (before, after) if len(part)] or [after], ignore_index=True)
    table.insert(0, "segment", segment)
    return table


@dataclass(frozen=True, kw_only=True)
class Addends:
    """The months ahead of one segment as the sum of three parts.

    parts : name of the addend -> its amounts, one a month, NaN where unknown; in the order in which they are stacked.
    """

    ahead: pd.DataFrame
    parts: Mapping[str, np.ndarray]
    segment: str
    company: Company

    @property
    def total(self) -> np.ndarray:
        """What all parts of a month add up to; NaN where one is not known."""
        return np.sum(list(self.parts.values()), axis=0)

    @property
    def largest(self) -> float:
        """The largest sum; at least 1, so that an axis has a length."""
        return float(np.nanmax([*self.total, 1.0]))

    @property
    def least(self) -> float:
        """A thousandth of the largest sum, as a round number: of what a part brings below it, no digits are told."""
        return float(10.0 ** np.floor(np.log10(self.largest / 1000)))

    @property
    def known(self) -> bool:
        """Whether any part of any month is known."""
        return bool(len(self.ahead)) and bool(self.ahead[list(self.parts)].notna().any(axis=None))


def prepare_addends(bookings: pd.DataFrame, *, company: Company, segment: str = TOTAL) -> Addends:
    """Return the parts of a segment's months ahead. bookings : a forecast table."""
    ahead = months_of(bookings, segment=segment)
    parts = {name: ahead[name].to_numpy(float) for name in ADDENDS if name in ahead}
    return Addends(ahead=ahead, parts=parts, segment=segment, company=company)


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """A period's bookings as equally likely outcomes, rising.

    amounts : (DOTS,). reached : whether an outcome reaches plan. table : outcome (from 1), bookings, reached; a row
    each. low, high : the ends of the distribution as drawn. plan, chance : of reaching it; NaN where not known.
    """

    period: str
    table: pd.DataFrame
    amounts: np.ndarray
    reached: np.ndarray
    low: float
    high: float
    plan: float
    chance: float
    company: Company

    @property
    def has_plan(self) -> bool:
        """Whether the period has a plan."""
        return wording.known(self.plan)

    @property
    def has_chance(self) -> bool:
        """Whether the chance of reaching plan is known."""
        return wording.known(self.chance)


def prepare_outcomes(row: Mapping[str, Any], *, company: Company) -> Outcomes:
    """Return a forecast row's outcomes: its quantiles, read off at the middles of DOTS equal slices of probability.

    The chance of reaching plan is one more known point of the distribution, so that as many dots lie beyond plan as the
    chance says.
    """
    levels, values = list(QUANTILES), [float(row[name]) for name in QUANTILE_COLUMNS]
    plan, chance = row.get("plan", np.nan), row.get("p_at_least_plan", np.nan)
    inside = wording.known(plan) and values[0] < plan < values[-1]
    if inside and wording.known(chance) and 0 < chance < 1:
        levels, values = _with_knot(levels, values, level=1 - sources.bare(chance), value=sources.bare(plan))
    slices = (np.arange(DOTS) + 0.5) / DOTS
    amounts = np.interp(slices, levels, values)
    reached = slices >= 1 - sources.bare(chance) if wording.known(chance) else np.zeros(DOTS, dtype=bool)
    table = pd.DataFrame({"outcome": np.arange(1, DOTS + 1), "bookings": amounts, "reached": reached})
    return Outcomes(
        period=str(row["target_period"]),
        table=sources.named(table, "outcomes"),
        amounts=amounts,
        reached=reached,
        low=values[0],
        high=values[-1],
        plan=plan,
        chance=chance,
        company=company,
    )


def _with_knot(
    levels: Sequence[float], values: Sequence[float], *, level: float, value: float
) -> tuple[list[float], list[float]]:
    """Return the quantile function through one more point, still rising: points that contradict it give way."""
    consistent = [
        (a, b) for a, b in zip(levels, values, strict=True) if (a < level and b <= value) or (a > level and b >= value)
    ]
    points = sorted([*consistent, (level, value)])
    return [a for a, _ in points], [b for _, b in points]


def months_of(bookings: pd.DataFrame, *, segment: str = TOTAL) -> pd.DataFrame:
    """Return our forecast of one segment's months, in order."""
    rows = bookings[(bookings["model"] == MODEL) & (bookings["segment"] == segment)]
    rows = rows[~is_quarter(rows["target_period"])]
    return rows.sort_values("target_period")


def past_months(actuals: pd.DataFrame | None, *, segment: str = TOTAL) -> pd.DataFrame:
    """Return period and amount of settled months, in order; segments are added up for `Total`."""
    if actuals is None or actuals.empty:
        return pd.DataFrame({"period": pd.Series(dtype="str"), "amount": pd.Series(dtype="float64")})
    rows = actuals if segment == TOTAL else actuals[actuals["segment"] == segment]
    return rows.groupby("period", as_index=False)["amount"].sum().sort_values("period", ignore_index=True)


def headline_row(
    bookings: pd.DataFrame, *, period: str = "", segment: str = TOTAL, notes: pd.DataFrame | None = None
) -> dict[str, Any] | None:
    """Return the row of a period; by default of the quarter in progress (else the next, else the next month).

    notes : the month's table. Returns column -> value, whose numbers know their cells where the table is one of the
    month, and `why` there is no forecast, empty where there is one.
    """
    rows = bookings[(bookings["model"] == MODEL) & (bookings["segment"] == segment)]
    if period:
        rows = rows[rows["target_period"] == period]
    elif is_quarter(rows["target_period"]).any():
        rows = rows[is_quarter(rows["target_period"])]
    if rows.empty:
        return None
    return {**sources.row(rows.sort_values(["horizon", "target_period"])), "why": _why(notes)}


def _why(notes: pd.DataFrame | None) -> str:
    """Return why there is no forecast, as the month's notes have it; empty where they do not say."""
    if notes is None:
        return ""
    told = notes[notes["about"] == ABSTENTION]
    return sources.quoted(told, told.index[0], "note") if len(told) else ""
