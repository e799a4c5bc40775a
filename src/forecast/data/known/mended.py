"""A ledger read with its breaks in mind, and origins that know of the same ones.

What becomes of each break: creation dates stamped anew are those of the first row (`Archive.created_on`, known or not);
deals that began anew have none; from months at whose ends the open deals cannot be told nothing is learned
(`Archive.unsound`).
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd

from forecast.calendar import period_label
from forecast.data.known.breaks import find_breaks
from forecast.data.known.broken import Breaks
from forecast.data.known.ledger import Ledger, ledger_of, one_walk_each
from forecast.data.schema import Log
from forecast.wording import day, joined, month, plural


def mended(ledger: Ledger, breaks: Breaks) -> Ledger:
    """Return a ledger that knows of its breaks; itself where there are none."""
    return replace(ledger, breaks=breaks) if breaks != Breaks() else ledger


def what_was_done(ledger: Ledger) -> list[str]:
    """Return what a reader of a forecast must know of the breaks in the record: what was found, and what was done."""
    stamped = [
        f"The creation dates of {plural(len(load.deals), 'deal')} were stamped anew on {_date(load.day)}: each counts "
        "as created on the day of its first row of history."
        for load in ledger.breaks.stamped
    ]
    begun = [
        f"{plural(len(load.deals), 'deal')} of {_date(load.day)} began on that day in the middle of the pipeline, as "
        "in another CRM: their age is taken as unknown, and nothing is learned from the "
        f"{plural(len(ledger.half_seen), 'month')} before, from which deals are missing."
        for load in ledger.breaks.begun
    ]
    unrecorded = []
    if ledger.breaks.unrecorded:
        months = joined((month(period_label(each)) for each in ledger.breaks.unrecorded), most=4)
        unrecorded = [
            f"No change of any deal was recorded in {months}: nothing is learned from how deals stood at the ends of "
            "these months, and a deal without a row since stands as it did before."
        ]
    return [*stamped, *begun, *unrecorded]


def _date(days: int) -> str:
    return day(pd.Timestamp(np.datetime64(days, "D")))


def one_knowledge_each(log: Log, days: list[pd.Timestamp], *, ledger: Ledger | None = None) -> list[list[pd.Timestamp]]:
    """Return days, ascending, in groups that one walk can serve, each of which knows of the same breaks.

    A walk reads the record as its last day knows it: a day that did not yet know of a break must not share it.
    ledger : the log's, where there is one already.
    """
    ledger = ledger_of(log) if ledger is None else ledger
    groups = one_walk_each(log, days)
    found: dict[pd.Timestamp, tuple[object, ...]] = {}
    for group in groups:
        if len(group) > 1:
            for view in ledger.walk(group):
                found[view.as_of] = find_breaks(view, log.get("stages")).key
    return [
        list(alike) for group in groups for _, alike in itertools.groupby(group, key=lambda each: found.get(each, ()))
    ]
