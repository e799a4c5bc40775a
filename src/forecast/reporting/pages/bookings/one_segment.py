"""What a segment will book: its headline, its record as counts, its open deals; the words of a segment's own page.

A claim is made only where a test with an error rate backs it: the alarms. The record is told as what was forecast and
what came.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from forecast import sources, wording
from forecast.calendar import is_quarter
from forecast.data.schema import TOTAL, Company
from forecast.reporting.charts.figure import Notes, Statement, TableView
from forecast.reporting.pages import quarters
from forecast.reporting.pages.bookings import sentences
from forecast.reporting.pages.bookings.prepare import MODEL, past_months

SHOWN = 15
"""Deals that a page shows; the rest is in the file."""

# -- sentences ------------------------------------------------------------------------------------------

NO_DEALS = "No deal of this segment is open."
OPEN_DEALS = "Open deals by what they should bring, as the odds say"
COMES_FROM = "What a deal is worth by its odds is its amount times its chance to be won."
RECORD = "What was forecast for each month a month before, and what was booked"
NO_RECORD = "No past month of this segment can be held against what came."
DEAL_HEADS = {
    "opportunity_id": "deal",
    "p_win": "odds",
    "expected_1": "next month",
    "expected_amount": "worth",
    "factors": "what drives it",
}
RECORD_HEADS = {
    "target_period": "month",
    "mean": "forecast",
    "q10": "low (80 %)",
    "q90": "high (80 %)",
    "observed": "booked",
}


def headline(segment: str, row: Mapping[str, Any] | None, *, company: Company) -> str:
    """Return the sentence that answers: `Iberia: we expect to book …`; row : as `headline_row` gives it."""
    answer = sentences.headline(row, company=company)
    return f"{wording.label(segment)}: {answer[:1].lower()}{answer[1:]}"


def deals_sentence(deals: pd.DataFrame, *, company: Company) -> str:
    """Return how many deals are open and what they should bring in the end; deals : the segment's rows."""
    known = deals[deals["expected_amount"].notna()]
    if known.empty:
        return NO_DEALS if deals.empty else wording.sentence("the open deals have no odds")
    worth = wording.money(sources.total(known, "expected_amount"), currency=company.currency)
    many = wording.plural(sources.count(known), "open deal")
    return wording.sentence(f"{many}, together worth {worth} by their odds")


def record_sentence(rows: pd.DataFrame) -> str:
    """Return how many months ended inside their range, as a count and no claim; rows : as `record_rows` gives them."""
    told = rows[rows["q10"].notna() & rows["q90"].notna()]
    if told.empty:
        return NO_RECORD
    inside = told[told["observed"].between(told["q10"], told["q90"])]
    count = f"{wording.in_full(sources.count(inside))} of {wording.in_full(sources.count(told))}"
    return wording.sentence(f"of the months forecast a month before, {count} ended inside the 80{wording.THIN}% range")


# -- what is shown --------------------------------------------------------------------------------------


def as_company(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a segment's rows as if it were the company, for what counts rows of `Total`."""
    out = rows.assign(segment=TOTAL)
    out.attrs = dict(rows.attrs)
    return out


def booked_before(backtest: pd.DataFrame, *, segment: str) -> pd.DataFrame:
    """Return the segment's settled months as past forecasts were held against them: period, segment, amount."""
    rows = backtest[(backtest["segment"] == segment) & backtest["observed"].notna()]
    rows = rows[~is_quarter(rows["target_period"])].drop_duplicates("target_period")
    table = pd.DataFrame({"period": rows["target_period"], "segment": segment, "amount": rows["observed"]})
    return past_months(table, segment=segment).assign(segment=segment)


def quarters_held(backtest: pd.DataFrame, *, as_of: Any, company: Company) -> str:
    """Return how many past ranges of the segment's quarters held, as the card of its range says it."""
    return quarters.stage_note(as_company(backtest), as_of=as_of, company=company)


def record_rows(backtest: pd.DataFrame, *, segment: str) -> pd.DataFrame:
    """Return the model's forecasts of the segment's months a month before, with what was booked; the latest first."""
    rows = backtest[(backtest["model"] == MODEL) & (backtest["segment"] == segment) & (backtest["horizon"] == 1)]
    rows = rows[~is_quarter(rows["target_period"]) & rows["observed"].notna() & rows["mean"].notna()]
    return rows.sort_values("target_period", ascending=False)


def record(backtest: pd.DataFrame, *, segment: str, company: Company) -> TableView:
    """List what was forecast and what came, folded away."""
    rows = record_rows(backtest, segment=segment)
    money = wording.in_currency(company.currency)
    formats = {**dict.fromkeys(("mean", "q10", "q90", "observed"), money), "target_period": wording.month}
    return TableView(rows, RECORD, columns=RECORD_HEADS, formats=formats, fold=RECORD)


def open_deals(deals: pd.DataFrame, *, company: Company) -> TableView | Notes:
    """List the open deals that should bring the most; deals : the segment's rows of the month's table."""
    known = deals[deals["expected_amount"].notna()]
    if known.empty:
        return Notes([])
    rows = known.sort_values(["expected_amount", "opportunity_id"], ascending=[False, True])
    money = wording.in_currency(company.currency)
    formats = {"p_win": wording.whole, "expected_1": money, "expected_amount": money}
    return TableView(rows, OPEN_DEALS, columns=DEAL_HEADS, formats=formats, most=SHOWN, stacks=True)


def conclusion(segment: str, row: Mapping[str, Any] | None, moved: str, *, company: Company) -> Statement:
    """Return what the page comes to: the headline, and what moved it."""
    return Statement(headline(segment, row, company=company), moved)
