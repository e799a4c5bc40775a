"""Checks of what is dated ahead of the deals: events of the company, and the starts of joint planning.

Fatal is what contradicts itself, so that nobody can say what was meant: an end before the beginning. The rest can be
lived with, and each finding says how it is read.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from forecast.data.checks.table import problem_at
from forecast.data.codes import distinct
from forecast.data.schema import TABLES
from forecast.errors import Problem, nearest, shortened

EVENTS, STARTS = "events", "joint_planning"

FAR = 10
"""Years from the deals at which a date is taken for a slip of the pen: an event as far away moves none of them."""

Tables = Mapping[str, pd.DataFrame]


def check_events(tables: Tables) -> list[Problem]:
    """Return every problem of `events` and `joint_planning` between their columns and with the deals.

    tables : typed, with `opportunities`. What a single column tells (an empty kind, a date that is none, a segment
    without deals, a segment that starts twice) is told with the other tables' columns.
    """
    found = []
    if EVENTS in tables:
        found += [*_order(tables[EVENTS]), *_about(tables), *_twice(tables[EVENTS])]
    if STARTS in tables:
        found += _starts(tables[STARTS])
    return found + _far_away(tables)


def _order(events: pd.DataFrame) -> list[Problem]:
    found = []
    if "to" in events:
        found += problem_at(
            events,
            np.asarray(events["to"] < events["from"]),
            table=EVENTS,
            column="to",
            what="ends before it begins",
            mend="correct from or to; leave to empty where it has no end",
        )
    if "announced_on" in events:
        found += problem_at(
            events,
            np.asarray(events["announced_on"] > events["from"]),
            table=EVENTS,
            column="announced_on",
            what="announced after it began: no forecast of a day before the announcement knows of it",
            mend="correct announced_on if it is not meant so; leave it empty where it was known on its first day",
            severity="info",
        )
    return found


def _about(tables: Tables) -> list[Problem]:
    """Say which events are about a product that no deal has, and which about a segment and a product at once."""
    events = tables[EVENTS]
    if "product" not in events or events["product"].isna().all():
        return []
    named = {name for frame in _with_products(tables) for name in distinct(frame["product"])}
    unknown = sorted(set(events["product"].dropna().unique()) - named)
    found = []
    if unknown:
        if named:
            mend = f"correct the spelling if it is one; {shortened(unknown[0])!r}: {nearest(unknown[0], named)}"
        else:
            mend = "add the column product to opportunities, or leave it empty here where all are meant"
        found += problem_at(
            events,
            np.asarray(events["product"].isin(unknown)),
            table=EVENTS,
            column="product",
            what="products without any opportunity: " + ", ".join(repr(shortened(name)) for name in unknown[:3]),
            mend=mend,
            severity="warning",
        )
    if "segment" in events:
        found += problem_at(
            events,
            np.asarray(events["product"].notna() & events["segment"].notna()),
            table=EVENTS,
            column="product",
            what="about a segment and a product: read as that product in that segment alone",
            mend="leave one of them empty where the whole segment, or the product everywhere, is meant",
            severity="info",
        )
    return found


def _with_products(tables: Tables) -> list[pd.DataFrame]:
    names = ("opportunities", "opportunity_history")
    return [tables[name] for name in names if name in tables and "product" in tables[name]]


def _twice(events: pd.DataFrame) -> list[Problem]:
    return problem_at(
        events,
        np.asarray(events.duplicated()),
        table=EVENTS,
        column="from",
        what="the same event once more: it counts once",
        mend="take the row out",
        severity="info",
    )


def _starts(starts: pd.DataFrame) -> list[Problem]:
    if "announced_on" not in starts:
        return []
    announced, adopted = starts["announced_on"], starts["adopted_on"]
    return [
        *problem_at(
            starts,
            np.asarray(announced > adopted),
            table=STARTS,
            column="announced_on",
            what="announced after it began: counts as known on its first day",
            mend="correct adopted_on or announced_on; leave announced_on empty where the start was known on its day",
            severity="warning",
        ),
        *problem_at(
            starts,
            np.asarray(announced.notna() & adopted.isna()),
            table=STARTS,
            column="announced_on",
            what="announced, but without the day it begins: counts as not yet",
            mend="fill in adopted_on, or leave both empty until the day is set",
            severity="warning",
        ),
    ]


def _far_away(tables: Tables) -> list[Problem]:
    """Say which dates lie many years before the first deal, or after the last: most often a wrong year."""
    created = tables["opportunities"]["created_on"]
    years = pd.DateOffset(years=FAR)
    found = []
    if created.notna().any():
        first, last = created.min() - years, created.max() + years
        for table in (EVENTS, STARTS):
            for column in (column.name for column in TABLES[table].columns if column.kind == "date"):
                if table in tables and column in tables[table]:
                    days = tables[table][column]
                    found += problem_at(
                        tables[table],
                        np.asarray((days < first) | (days > last)),
                        table=table,
                        column=column,
                        what=f"more than {FAR} years away from every deal",
                        mend="correct the year",
                        severity="warning",
                    )
    return found
