"""How the forecast of a quarter moved from month to month, in sentences; right for one month, no plan and no change."""

from __future__ import annotations

from typing import Any

import pandas as pd

from forecast import wording
from forecast.data.schema import Company
from forecast.reporting.charts import tooltips


def when(as_of: Any, *, beside: Any = None) -> str:
    """Return `in October`, or `on 15 October` where the day is not a month's last; with the year where it differs."""
    day = pd.Timestamp(as_of)
    year = "" if beside is not None and pd.Timestamp(beside).year == day.year else f" {day.year}"
    name = wording.day(day).split()[1]
    return f"in {name}{year}" if day.is_month_end else f"on {day.day} {name}{year}"


def movement_finding(table: pd.DataFrame, *, company: Company, observed: float | None = None, as_of: Any = None) -> str:
    """Return how the forecast of one quarter moved, as a title.

    table : as_of (dates, rising), target_period, mean; one row a month. observed : what was booked, where settled.
    as_of : the day that is now, by default that of the last row.
    """
    known = table[table["mean"].notna()] if len(table) else table
    if known.empty:
        return "No month has a forecast of the quarter"
    quarter = str(known["target_period"].iloc[0])
    first, last = known.iloc[0], known.iloc[-1]
    amount = lambda value: wording.money(value, currency=company.currency)  # noqa: E731
    then = when(first["as_of"], beside=last["as_of"])
    if wording.known(observed):
        return f"{quarter} brought {amount(observed)}; {then} we expected {amount(first['mean'])}"
    if len(known) == 1:
        return f"We expect to book {amount(first['mean'])} in {quarter}"
    before, after = amount(first["mean"]), amount(last["mean"])
    old = as_of is not None and pd.Timestamp(as_of) != last["as_of"]
    if before == after:
        return f"The forecast of {quarter} {'stayed at' if old else 'is'} {after}, as it was {then}"
    verb = "rose" if last["mean"] > first["mean"] else "fell"
    now = when(last["as_of"], beside=first["as_of"]) if old else "now"
    return f"The forecast of {quarter} {verb} from {before} {then} to {after} {now}"


def one_month(table: pd.DataFrame) -> tuple[str, str]:
    """Return what stands in place of the picture where only one month has a forecast of the quarter."""
    quarter = str(table["target_period"].iloc[0])
    return (
        f"How the forecast of {quarter} moves shows from the second month on.",
        f"So far it was made once, {when(table['as_of'].iloc[0])}.",
    )


def movement_description(table: pd.DataFrame, *, company: Company, observed: float | None = None) -> str:
    """Return every month's forecast with its range, in words."""
    said = [mark(row, company=company) + "." for row in table.to_dict("records")]
    if wording.known(observed):
        said.append(f"Booked: {wording.money(observed, currency=company.currency)}.")
    return " ".join(said)


def mark(row: Any, *, company: Company) -> str:
    """Return what one month's forecast of the quarter says: expected, range, booked by then, plan."""
    currency = company.currency
    booked = row.get("booked")
    return tooltips.values(
        f"As of {wording.day(row['as_of'])}",
        tooltips.amount("expected", row["mean"], currency=currency),
        tooltips.span(row.get("q10"), row.get("q90"), currency=currency),
        tooltips.amount("booked by then", booked, currency=currency) if wording.known(booked) and booked else "",
        tooltips.amount("plan", row.get("plan"), currency=currency),
    )
