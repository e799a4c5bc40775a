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
from forecast.evaluation.scorecard.figures.cost import (
    COST,
    NEW_CUSTOMERS,
    PAYBACK,
    PER_CUSTOMER,
    PER_WIN,
    SALES_FORMULA,
    VELOCITY,
)
from forecast.evaluation.scorecard.figures.existing import YEAR_BEFORE
from forecast.evaluation.scorecard.measures import BOOKINGS, COST_OF_SALES
from forecast.reporting.charts.figure import Notes, Statement, TableView, Together
from forecast.reporting.pages.scorecard.amounts import called, value_of, with_range
from forecast.reporting.pages.scorecard.revenue import luck_sentence

# -- sentences --------------------------------------------------------------------------------------------

MAIN = "sales and marketing"
MONTHS = 12
NAMES = {
    COST: "cost of selling, of what was booked",
    PER_WIN: "cost per won deal",
    NEW_CUSTOMERS: "new customers",
    PER_CUSTOMER: "cost per new customer",
    PAYBACK: "cost of a new customer, of what it bought in its first year",
    VELOCITY: "velocity of the open deals (their pace), money a month",
}
HEADS = {
    "figure": "",
    "definition": "of what",
    "now": "last twelve months",
    "before": "the year before",
    "n": "months",
}
CHANNEL_HEADS = {
    "channel": "channel",
    "created": "{0} of pipeline created per {0} of channel spend",
    "created_before": "pipeline, the year before",
    "won": "{0} won per {0} of channel spend",
    "won_before": "won, the year before",
    "why": "",
}
CAPTION = "What selling costs, with 95 % ranges"
CHANNELS = "Pipeline that came with marketing money, by channel, with 95 % ranges"
UNKNOWN = "Not known of it:"
NOTHING = "What selling costs is not known"
READ = "How to read it:"
FIRST_YEAR = (
    "What new customers bought in their first year is known of those {won}, for whom it has passed; their cost is that "
    "of the same months{before}. Orders are counted at what was booked, as the tables hold no margin: where half of it "
    "is left after delivery, the cost is twice that share of what is left."
)
FIRST_YEAR_BEFORE = ". Of those {} it was {}"
NOT_OVER = "not over yet"
NOT_BOOKINGS = (
    "Velocity{velocity} is not what was booked{booked}: it is open deals × share won × mean deal won / mean months to "
    "the win, the pace of the pipeline. It is less than bookings where lost deals leave the pipeline sooner than deals "
    "are won, and more where they stay open."
)

CAME_WITH = (
    "What came with a channel’s money need not have been brought by it: such deals may have come without it as well."
)


def shown(definitions: pd.DataFrame, card: pd.DataFrame, *, company: Company) -> Together:
    """Show what selling costs: the answer, the figures, those by channel, and why others are not known.

    definitions, card : the month's tables `scorecard_definitions` and `scorecard`.
    """
    answer = cost_sentence(definitions, company=company)
    finding = Statement(answer, luck_sentence(card, measure=COST_OF_SALES, what="the cost of selling"))
    nothing = Statement(wording.sentence(NOTHING), kind="nothing")
    tables = [table for table in (figures(definitions, company), by_channel(definitions, company)) if len(table.frame)]
    notes = Notes(remarks(definitions, card, company=company), READ)
    return Together(finding if answer else nothing, *tables, notes, Notes(missing(definitions), UNKNOWN))


def cost_sentence(definitions: pd.DataFrame, *, company: Company) -> str:
    """Return what selling cost of what was booked, now and a year before, per deal and per customer; else nothing."""
    now, before = (_row(definitions, COST, f"{MAIN}{ending}") for ending in ("", YEAR_BEFORE))
    if now is None:
        return ""
    told = {"currency": company.currency}
    text = f"Selling cost {with_range(now, **told)} of what was booked in the last twelve months"
    text += f", {with_range(before, **told)} in the year before" if before is not None else ""
    each = [
        f"{what} cost {value_of(row, **told)}{_of_whom(definitions) if figure == PER_CUSTOMER else ''}"
        for figure, what in ((PER_WIN, "a deal won"), (PER_CUSTOMER, "a new customer"))
        if (row := _row(definitions, figure, MAIN)) is not None
    ]
    payback = _row(definitions, PAYBACK, "in bookings")
    back = ""
    if payback is not None:
        back = f"; of customers {_won_in(payback)} the cost was {of_first_year(payback)} of what they bought in their "
        back += "first year"
    return wording.sentence(f"{text}{f'; {wording.joined(each)}' if each else ''}{back}")


def of_first_year(row: Mapping[str, Any]) -> str:
    """Return `22 % (19–26 %)`: what a new customer cost as a share of what it bought in its first year.

    The table has it in months, as twelve times that share; no time passed in it, so the page shows the share.
    """
    value, low, high = (row[name] / MONTHS for name in ("value", "low", "high"))
    ends = f" ({wording.percents(low, high)})" if wording.known(row["low"]) and wording.known(row["high"]) else ""
    return f"{wording.percent(value)}{ends}"


def remarks(definitions: pd.DataFrame, card: pd.DataFrame, *, company: Company) -> list[str]:
    """Return of which customers a first year is told, why velocity is not what was booked, and that money that deals
    came with need not have brought them; of what is known alone."""
    told = []
    payback, before = (_row(definitions, PAYBACK, f"in bookings{ending}") for ending in ("", YEAR_BEFORE))
    if payback is not None:
        then = FIRST_YEAR_BEFORE.format(_won_in(before), of_first_year(before)) if before is not None else ""
        told.append(FIRST_YEAR.format(won=_won_in(payback), before=then))
    velocity = _row(definitions, VELOCITY, SALES_FORMULA)
    if velocity is not None:
        booked = card[(card["measure"] == BOOKINGS) & card["ours"].notna()] if len(card) else card
        amounts = ["", ""]
        if len(booked):
            row = sources.row(booked)
            both = velocity["value"], row["ours"] / row["months"]
            amounts = [f", {wording.money(value, currency=company.currency)} a month," for value in both]
            amounts[1] = amounts[1].removesuffix(",")
        told.append(NOT_BOOKINGS.format(velocity=amounts[0], booked=amounts[1]))
    channels = _known(definitions)
    return [*told, CAME_WITH] if (channels["figure"] == CREATED).any() else told


def _of_whom(definitions: pd.DataFrame) -> str:
    """Return ` (1,902 customers with no order in the 24 months before)`: how many count as new, and by what."""
    rows = _known(definitions)
    rows = rows[(rows["figure"] == NEW_CUSTOMERS) & ~rows["definition"].str.endswith(YEAR_BEFORE)]
    if rows.empty:
        return ""
    many = wording.plural(sources.row(rows)["value"], "customer")
    return f" ({many} with {sources.quoted(rows, rows.index[0], 'definition')})"


def _won_in(row: Mapping[str, Any]) -> str:
    return f"won {wording.month(row['first'])} to {wording.month(row['last'])}"


def figures(definitions: pd.DataFrame, company: Company) -> TableView:
    """Show the figures of all segments together, now and a year before."""
    rows = _known(definitions)
    rows = rows[rows["figure"].isin(NAMES) & ~rows["definition"].str.endswith(YEAR_BEFORE)]
    told = sources.records(rows)
    # The first year of customers won in the last twelve months is not over: theirs stands under the year before.
    is_year_before = rows["figure"].eq(PAYBACK).tolist()
    table = pd.DataFrame(
        {
            "figure": [NAMES[row["figure"]] for row in told],
            "definition": [_of_what(rows, at, row) for at, row in zip(rows.index, told, strict=True)],
            "now": [
                NOT_OVER if earlier else with_range(row, currency=company.currency)
                for row, earlier in zip(told, is_year_before, strict=True)
            ],
            "before": [
                of_first_year(row) if earlier else _before(definitions, row, company)
                for row, earlier in zip(told, is_year_before, strict=True)
            ],
            "n": [wording.number(row["n"]) for row in told],
        },
        index=rows.index,
    )
    formats = dict.fromkeys(HEADS, str)
    return TableView(table, CAPTION, columns=HEADS, formats=formats, right=["now", "before", "n"], stacks=True)


def _of_what(rows: pd.DataFrame, at: Any, row: Mapping[str, Any]) -> str:
    """Return whose cost a figure is, or of which customers; what it is of a first year has months of its own."""
    if row["figure"] == PAYBACK:
        return f"customers {_won_in(row)}"
    return sources.quoted(rows, at, "definition") if row["figure"] in (COST, NEW_CUSTOMERS, PER_CUSTOMER) else ""


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
        lines.append(
            wording.sentence(f"{wording.joined(map(called, names))}: {sources.quoted(same, same.index[0], 'missing')}")
        )
    return lines


def _known(definitions: pd.DataFrame) -> pd.DataFrame:
    return definitions[(definitions["segment"] == TOTAL) & definitions["value"].notna()]


def _row(definitions: pd.DataFrame, figure: str, definition: str) -> dict[str, Any] | None:
    known = _known(definitions)
    rows = known[(known["figure"] == figure) & (known["definition"] == definition)]
    return sources.row(rows) if len(rows) else None


def _cell(definitions: pd.DataFrame, figure: str, definition: str, company: Company) -> str:
    row = _row(definitions, figure, definition)
    return with_range(row, currency=company.currency) if row is not None else "–"


def _before(definitions: pd.DataFrame, row: Mapping[str, Any], company: Company) -> str:
    return _cell(definitions, row["figure"], f"{row['definition']}{YEAR_BEFORE}", company)
