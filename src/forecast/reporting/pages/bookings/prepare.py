"""What the charts of bookings draw: rows of the forecast table picked, and put into records once.

Nothing here is a sentence and nothing draws; `sentences` describes these records and `charts` draws them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast import wording
from forecast.data.schema import TOTAL, Company

MODEL = "pipeline"


@dataclass(frozen=True, kw_only=True)
class Fan:
    """Months of one segment: those past as booked, those ahead as forecast.

    past : period, amount; may be empty. ahead : rows of the forecast table, one a month, in order. plan : one a month
    ahead, NaN where there is none.
    """

    past: pd.DataFrame
    ahead: pd.DataFrame
    plan: np.ndarray
    segment: str
    company: Company

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
) -> Fan:
    """Return the months of a segment; of those past the last `months_back` before the first month ahead.

    bookings : a forecast table. actuals : period, segment, amount, settled; added up over segments for Total.
    """
    ahead = months_of(bookings, segment=segment)
    past = past_months(actuals, segment=segment).tail(months_back)
    past = past[past["period"] < ahead["target_period"].iloc[0]] if len(ahead) else past.iloc[:0]
    plan = ahead["plan"].to_numpy(float) if "plan" in ahead else np.full(len(ahead), np.nan)
    return Fan(past=past, ahead=ahead, plan=plan, segment=segment, company=company)


def months_of(bookings: pd.DataFrame, *, segment: str = TOTAL) -> pd.DataFrame:
    """Return our forecast of one segment's months, in order."""
    rows = bookings[(bookings["model"] == MODEL) & (bookings["segment"] == segment)]
    rows = rows[rows["target_period"].str.contains("-")]
    return rows.sort_values("target_period", ignore_index=True)


def past_months(actuals: pd.DataFrame | None, *, segment: str = TOTAL) -> pd.DataFrame:
    """Return period and amount of settled months, in order; segments are added up for `Total`."""
    if actuals is None or actuals.empty:
        return pd.DataFrame({"period": pd.Series(dtype="str"), "amount": pd.Series(dtype="float64")})
    rows = actuals if segment == TOTAL else actuals[actuals["segment"] == segment]
    return rows.groupby("period", as_index=False)["amount"].sum().sort_values("period", ignore_index=True)


def headline_row(bookings: pd.DataFrame, *, period: str = "", segment: str = TOTAL) -> pd.Series | None:
    """Return the row of a period; by default of the quarter in progress (else the next, else the next month)."""
    rows = bookings[(bookings["model"] == MODEL) & (bookings["segment"] == segment)]
    if period:
        rows = rows[rows["target_period"] == period]
    elif rows["target_period"].str.startswith("FY").any():
        rows = rows[rows["target_period"].str.startswith("FY")]
    return None if rows.empty else rows.sort_values(["horizon", "target_period"]).iloc[0]


def segment_rows(bookings: pd.DataFrame, *, period: str = "") -> pd.DataFrame:
    """Return the segments' rows of a period (as `headline_row` picks it), `gap` = mean - plan, most behind first."""
    total = headline_row(bookings, period=period)
    if total is None:
        return bookings.iloc[:0].assign(gap=np.nan, plan=np.nan)
    rows = bookings[(bookings["model"] == MODEL) & (bookings["segment"] != TOTAL)]
    rows = rows[rows["target_period"] == total["target_period"]]
    rows = rows if "plan" in rows else rows.assign(plan=np.nan)
    rows = rows.assign(gap=rows["mean"] - rows["plan"])
    order = (rows["gap"] / rows["plan"].where(rows["plan"] > 0)).rename("order")
    return rows.assign(order=order).sort_values(["order", "segment"], ignore_index=True).drop(columns="order")
