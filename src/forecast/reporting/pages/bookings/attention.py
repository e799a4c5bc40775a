"""What needs attention: segments far from plan, deals past their date, deals that slip again and again."""

from __future__ import annotations

from typing import Any

import pandas as pd

from forecast import wording
from forecast.data.schema import Company
from forecast.reporting.charts.figure import Folds, Format, TableView

SLIPS = 3
"""Times a close date has moved later from which a deal needs attention."""


def attention(rows: pd.DataFrame, deals: pd.DataFrame, *, company: Company, as_of: Any) -> list[str]:
    """Return what needs attention: segments far from plan, deals past their date, deals that keep slipping.

    rows : segments of a period (`segment_rows`). deals : the snapshot's opportunities. No owner is named.
    """
    sentences = []
    if len(rows) and "p_at_least_plan" in rows:
        for _, row in rows[rows["p_at_least_plan"] < 0.25].iterrows():
            short = wording.money(-row["gap"], currency=company.currency)
            chance = wording.odds(row["p_at_least_plan"])
            sentences.append(
                f"{wording.label(row['segment'])} is expected {short} below plan in {row['target_period']}; "
                f"reaching it is {chance}."
            )
    is_open = deals[deals["outcome"] == "open"]
    stale = deals[is_stale(deals, as_of)]
    if len(stale):
        verb = "is" if len(stale) == 1 else "are"
        sentences.append(f"{_deals(stale, company)} {verb} past the expected close date: give a new date or close.")
    if (slipped := deals[has_slipped(deals)]).size:
        verb, share = "has" if len(slipped) == 1 else "have", wording.percent(len(slipped) / len(is_open))
        sentences.append(f"{_deals(slipped, company)}, {share} of all, {verb} slipped {SLIPS} times or more.")
    undated = int(is_open["expected_close_on"].isna().sum())
    if undated:
        sentences.append(
            f"{wording.plural(undated, 'open deal')} {'has' if undated == 1 else 'have'} no expected close date."
        )
    return sentences


def attention_deals(deals: pd.DataFrame, *, company: Company, as_of: Any, most: int = 20) -> Folds:
    """List the open deals that need attention, the largest first, folded away; no owner is named.

    deals : the snapshot's opportunities. most : deals shown a list; the rest is counted.
    """
    columns = {"opportunity_id": "deal", "segment": "segment", "stage": "stage", "amount": "amount"}
    columns |= {"expected_close_on": "expected close"}
    formats: dict[str, Format] = {"amount": wording.in_currency(company.currency)}
    parts = []
    for title, which in (
        ("Past the expected close date", is_stale(deals, as_of)),
        (f"Slipped {SLIPS} times or more", has_slipped(deals)),
    ):
        rows = deals[which].sort_values(["amount", "opportunity_id"], ascending=[False, True])
        if len(rows):
            line = f"{title}: {wording.plural(len(rows), 'open deal')}"
            parts.append((line, TableView(rows, title, columns=columns, formats=formats, most=most)))
    return Folds(parts)


def is_stale(deals: pd.DataFrame, as_of: Any) -> pd.Series:
    """Return which deals are open and past their expected close date."""
    return (deals["outcome"] == "open") & (deals["expected_close_on"] <= pd.Timestamp(as_of))


def has_slipped(deals: pd.DataFrame) -> pd.Series:
    """Return which deals are open and have slipped SLIPS times or more."""
    slips = deals["slips"] if "slips" in deals else pd.Series(0, index=deals.index)
    return (deals["outcome"] == "open") & (slips >= SLIPS)


def _deals(deals: pd.DataFrame, company: Company) -> str:
    return (
        f"{wording.plural(len(deals), 'open deal')} ({wording.money(deals['amount'].sum(), currency=company.currency)})"
    )
