"""The page that lists the segments: what each should book, its range, plan, and by how much the forecast moved.

Its numbers are a table of the month, `segments`; the sum of the segments is the company's number.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from forecast import sources, wording
from forecast.data.schema import TOTAL, Company
from forecast.reporting.charts.figure import Statement, TableView, Together
from forecast.reporting.month.one_segment import SEGMENT, segments_of
from forecast.reporting.month.results import Results
from forecast.reporting.pages.bookings.prepare import MODEL, headline_row

# -- sentences ------------------------------------------------------------------------------------------

TITLE = "What will each segment book?"
HEADS = {
    "segment": "segment",
    "mean": "expected",
    "q10": "low (80 %)",
    "q90": "high (80 %)",
    "plan": "plan",
    "p_at_least_plan": "chance of plan",
    "change": "since last month",
}
NO_FORECAST = "No segment can be forecast."
_ROW = re.compile(r'<th scope="row"([^>]*)>(.*?)</th>', re.DOTALL)


def segments_table(results: Results, names: Mapping[str, str]) -> pd.DataFrame:
    """Return a row a segment, then `Total`: segment, page, target_period, mean, quantiles, plan, chance, change.

    results : the month's tables. names : segment -> how its page is called. change : of the mean, since the end of the
    month before; nan where that day knew none.
    """
    bookings, ends = results.read("bookings"), results.read("changes_forecast_ends")
    row = headline_row(bookings)
    period = "" if row is None else str(row["target_period"])
    ours = bookings[(bookings["model"] == MODEL) & (bookings["target_period"] == period)].set_index("segment")
    shown = ours["mean"].reindex(segments_of(bookings)).sort_values(ascending=False, kind="stable")
    order = [*shown.index, TOTAL]
    columns = ["target_period", "mean", "q10", "q50", "q90", "plan", "p_at_least_plan"]
    out = ours.reindex(order)[[name for name in columns if name in ours]].rename_axis("segment").reset_index()
    ends = ends[ends["target_period"] == period]
    moved = (ends["after"] - ends["before"]).groupby([ends["level"], ends["node"]]).first()
    where = [("company", TOTAL) if name == TOTAL else (SEGMENT, name) for name in order]
    change = moved.reindex(pd.MultiIndex.from_tuples(where)).to_numpy(float) if len(moved) else np.nan
    pages = [f"{names[name]}.html" if name in names else "" for name in order]
    return out.assign(change=change, page=pd.Series(pages, dtype="str"))


def segments_sentence(table: pd.DataFrame, *, company: Company) -> str:
    """Return what the segments come to together: the company's number."""
    total = table[table["segment"] == TOTAL]
    if total.empty or not wording.known(total["mean"].iloc[0]):
        return NO_FORECAST
    row = sources.row(total)
    many = wording.plural(sources.count(table[table["segment"] != TOTAL]), "segment")
    amount = wording.money(row["mean"], currency=company.currency)
    return wording.sentence(
        f"{many}, which together are expected to book {amount} in {wording.month(row['target_period'])}"
    )


def listed(table: pd.DataFrame, *, company: Company) -> Together:
    """Return the page's sentence and table; table : of the month, as `Results` gives it."""
    money = wording.in_currency(company.currency)
    formats: dict[str, Any] = dict.fromkeys(("mean", "q10", "q90", "plan"), money)
    formats |= {"p_at_least_plan": wording.chance, "change": _signed(company)}
    known = table["target_period"].dropna()
    caption = f"Bookings of {wording.month(known.iloc[0])} by segment" if len(known) else NO_FORECAST
    view = TableView(table, caption, columns=HEADS, formats=formats, total=TOTAL, most=len(table), stacks=True)
    return Together(Statement(segments_sentence(table, company=company)), view)


def _signed(company: Company) -> Any:
    return lambda amount: wording.money(amount, currency=company.currency, sign=True)


def linked(page: str, table: pd.DataFrame) -> str:
    """Return the HTML of the list whose segments lead to their pages; the rows are those of the table, in its order."""
    hrefs = iter(table["page"])

    def link(found: re.Match[str]) -> str:
        href = next(hrefs, "")
        inside = f'<a href="{html.escape(href)}">{found[2]}</a>' if href else found[2]
        return f'<th scope="row"{found[1]}>{inside}</th>'

    return _ROW.sub(link, page)
