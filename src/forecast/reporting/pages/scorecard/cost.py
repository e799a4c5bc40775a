"""What does selling cost, now and a year before, and what comes in with marketing money by channel?

All is read from the month's table `scorecard_definitions`; a figure that cannot be told says why in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from forecast import sources, wording
from forecast.data.schema import TOTAL, Company
from forecast.evaluation.scorecard.figures.channels import CREATED, WON
from forecast.evaluation.scorecard.figures.cost import COST, PAYBACK, PER_CUSTOMER, PER_WIN, VELOCITY
from forecast.evaluation.scorecard.figures.existing import YEAR_BEFORE
from forecast.evaluation.scorecard.measures import COST_OF_SALES
from forecast.reporting.charts.figure import Notes, Statement, TableView, Together
from forecast.reporting.pages.scorecard.card import value_in
from forecast.reporting.pages.scorecard.revenue import luck_sentence

# -- sentences --------------------------------------------------------------------------------------------

MAIN = "sales and marketing"
NAMES = {
    COST: "cost of sales, of what was booked",
    PER_WIN: "cost per won deal",
    PER_CUSTOMER: "cost per new customer",
    PAYBACK: "months until a new customer’s orders come to it",
    VELOCITY: "velocity, money a month",
}
HEADS = {
    "figure": "",
    "definition": "whose cost",
    "now": "last twelve months",
    "before": "the year before",
    "n": "months",
}
CHANNEL_HEADS = {
    "channel": "channel",
    "created": "created per {} spent",
    "created_before": "the year before",
    "won": "won per {} spent",
    "won_before": "the year before",
    "why": "",
}
CAPTION = "What selling costs, with 95 % ranges"
CHANNELS = "Pipeline that came with marketing money, by channel, with 95 % ranges"
UNKNOWN = "Not known of it:"
NOTHING = "What selling costs is not known"


def shown(definitions: pd.DataFrame, card: pd.DataFrame, *, company: Company) -> Together:
    """Show what selling costs: the answer, the figures, those by channel, and why others are not known.

    definitions, card : the month's tables `scorecard_definitions` and `scorecard`.
    """
    answer = cost_sentence(definitions, company=company)
    finding = Statement(answer, luck_sentence(card, measure=COST_OF_SALES, what="the cost of sales"))
    nothing = Statement(wording.sentence(NOTHING), kind="nothing")
    tables = [table for table in (figures(definitions, company), by_channel(definitions, company)) if len(table.frame)]
    return Together(finding if answer else nothing, *tables, Notes(missing(definitions), UNKNOWN))


def cost_sentence(definitions: pd.DataFrame, *, company: Company) -> str:
    """Return what selling cost of what was booked, now and a year before, per deal and per customer; else nothing."""
    now, before = (_row(definitions, COST, f"{MAIN}{ending}") for ending in ("", YEAR_BEFORE))
    if now is None:
        return ""
    text = f"Selling cost {_with_range(now, company)} of what was booked in the last twelve months"
    text += f", {_with_range(before, company)} in the year before" if before is not None else ""
    each = [
        f"{what} cost {_value(row, company)}"
        for figure, what in ((PER_WIN, "a deal won"), (PER_CUSTOMER, "a new customer"))
        if (row := _row(definitions, figure, MAIN)) is not None
    ]
    payback = _row(definitions, PAYBACK, "in revenue")
    back = (
        f"; the orders of those won a year earlier came to their cost in {_value(payback, company)}" if payback else ""
    )
    back += ", in revenue, not margin" if payback else ""
    return wording.sentence(f"{text}{f'; {wording.joined(each)}' if each else ''}{back}")


def figures(definitions: pd.DataFrame, company: Company) -> TableView:
    """Show the figures of all segments together, now and a year before."""
    rows = _known(definitions)
    rows = rows[rows["figure"].isin(NAMES) & ~rows["definition"].str.endswith(YEAR_BEFORE)]
    told = sources.records(rows)
    table = pd.DataFrame(
        {
            "figure": [NAMES[row["figure"]] for row in told],
            "definition": [row["definition"] if row["figure"] in (COST, PER_CUSTOMER) else "" for row in told],
            "now": [_with_range(row, company) for row in told],
            "before": [_before(definitions, row, company) for row in told],
            "n": [wording.number(row["n"]) for row in told],
        },
        index=rows.index,
    )
    formats = dict.fromkeys(HEADS, str)
    return TableView(table, CAPTION, columns=HEADS, formats=formats, right=["now", "before", "n"], stacks=True)


def by_channel(definitions: pd.DataFrame, company: Company) -> TableView:
    """Show what came with a unit of each channel's money, or why it cannot be told."""
    rows = definitions[(definitions["figure"] == CREATED) & ~definitions["definition"].str.endswith(YEAR_BEFORE)]
    rows = rows[rows["definition"] != "by channel"]
    table = pd.DataFrame(
        [
            {
                "channel": name,
                "created": _cell(definitions, CREATED, name, company),
                "created_before": _cell(definitions, CREATED, f"{name}{YEAR_BEFORE}", company),
                "won": _cell(definitions, WON, name, company),
                "won_before": _cell(definitions, WON, f"{name}{YEAR_BEFORE}", company),
                "why": sources.quoted(rows, at, "missing") if rows.at[at, "missing"] else "",
            }
            for at, name in rows["definition"].items()
        ],
        index=rows.index,
        columns=list(CHANNEL_HEADS),
    )
    unit = company.currency or "unit"
    some_not = bool((rows["missing"] != "").any())
    heads = {name: head.format(unit) for name, head in CHANNEL_HEADS.items() if name != "why" or some_not}
    right = ["created", "created_before", "won", "won_before"]
    return TableView(table, CHANNELS, columns=heads, formats=dict.fromkeys(heads, str), right=right, stacks=True)


def missing(definitions: pd.DataFrame) -> list[str]:
    """Return a line for each reason why a figure of the last twelve months is not known; channels say it themselves."""
    every = definitions[(definitions["segment"] == TOTAL) & (definitions["missing"] != "")]
    rows = every[every["figure"].isin(NAMES) & ~every["definition"].str.endswith(YEAR_BEFORE)]
    rows = pd.concat([rows, every[(every["figure"] == CREATED) & (every["definition"] == "by channel")]])
    lines = []
    for _, same in rows.groupby("missing", sort=False):
        names = dict.fromkeys(same["figure"])
        lines.append(wording.sentence(f"{wording.joined(names)}: {sources.quoted(same, same.index[0], 'missing')}"))
    return lines


def _known(definitions: pd.DataFrame) -> pd.DataFrame:
    return definitions[(definitions["segment"] == TOTAL) & definitions["value"].notna()]


def _row(definitions: pd.DataFrame, figure: str, definition: str) -> dict[str, Any] | None:
    known = _known(definitions)
    rows = known[(known["figure"] == figure) & (known["definition"] == definition)]
    return sources.row(rows) if len(rows) else None


def _cell(definitions: pd.DataFrame, figure: str, definition: str, company: Company) -> str:
    row = _row(definitions, figure, definition)
    return _with_range(row, company) if row is not None else "–"


def _before(definitions: pd.DataFrame, row: Mapping[str, Any], company: Company) -> str:
    return _cell(definitions, row["figure"], f"{row['definition']}{YEAR_BEFORE}", company)


def _value(row: Mapping[str, Any], company: Company) -> str:
    """Return a figure in its unit; the cost of sales is a percentage, with a decimal, for it moves little in a year."""
    if row["figure"] == COST:
        return wording.percent(row["value"], places=1)
    return value_in(row["value"], row["unit"], currency=company.currency)


def _with_range(row: Mapping[str, Any], company: Company) -> str:
    """Return `18.7 % (16.7 % to 20.7 %)`: the figure in its unit, and its interval where there is one."""
    if not (wording.known(row["low"]) and wording.known(row["high"])):
        return _value(row, company)
    if row["figure"] == COST:
        ends = " to ".join(wording.percent(row[end], places=1) for end in ("low", "high"))
    elif row["unit"] == "money":
        ends = wording.money_range(row["low"], row["high"], currency=company.currency)
    else:
        ends = f"{wording.number(row['low'])} to {wording.number(row['high'])}"
    return f"{_value(row, company)} ({ends})"
