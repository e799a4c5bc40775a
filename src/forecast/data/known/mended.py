"""A ledger read with its breaks in mind, and origins that know of the same ones.

What becomes of each break: creation dates stamped anew are those of the first row (`Archive.created_on`, known or not);
deals that began anew have none; from months at whose ends the open deals cannot be told nothing is learned
(`Archive.unsound`); of a renamed stage all rows bear the name of now.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from forecast.calendar import period_label
from forecast.data.codes import dictionary_of, from_codes, row_codes
from forecast.data.known.breaks import find_breaks
from forecast.data.known.broken import Breaks
from forecast.data.known.coding import days_of
from forecast.data.known.ledger import Ledger, ledger_of, one_walk_each
from forecast.data.rates import by_rates
from forecast.data.schema import Log
from forecast.errors import shortened
from forecast.wording import day, joined, month, plural


def mended(ledger: Ledger, breaks: Breaks, *, names: Mapping[str, str]) -> Ledger:
    """Return a ledger that knows of its breaks; itself where there are none.

    names : of stages with another name since, the new one, as `names_since` gives them.
    """
    as_read = [each for each in breaks.renamed if names.get(each.old) == names.get(each.new, each.new)]
    breaks = replace(breaks, renamed=tuple(as_read))
    if breaks != Breaks():
        ledger = replace(ledger, breaks=breaks)
    if not names:
        return ledger
    stages = tuple(dict.fromkeys(names.get(stage, stage) for stage in ledger.stages))
    deals, history = (_renamed(frame, names) for frame in (ledger.opportunities, ledger.history))
    return replace(ledger, opportunities=deals, history=history, stages=stages)


def names_since(changes: pd.DataFrame | None, breaks: Breaks) -> dict[str, str]:
    """Return the name that each renamed stage has now: as the company says, else as the record shows.

    changes : the rows of `stage_changes` whose day has come. A stage renamed twice has its last name.
    """
    rows = [(each.day, each.old, each.new) for each in breaks.renamed]
    if changes is not None:
        told = set(changes["old"]) | set(changes["new"])
        rows = [row for row in rows if row[1] not in told]
        days = days_of(changes["from"]).tolist()
        rows += list(zip(days, changes["old"].tolist(), changes["new"].tolist(), strict=True))
    names: dict[str, str] = {}
    for _, old, new in sorted(rows):
        names = {name: new if now == old else now for name, now in names.items()} | {old: new}
    return {name: now for name, now in names.items() if name != now}


def _renamed(frame: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return a table with the stages' names of now; as it is where it has no other."""
    held = dictionary_of(frame["stage"])
    old = held.dictionary.to_pylist()
    if not names.keys() & set(old):
        return frame
    new = [names.get(name, name) for name in old]
    levels = tuple(dict.fromkeys(new))
    place = np.array([*(levels.index(name) for name in new), -1])
    return frame.assign(stage=from_codes(place[row_codes(held)], levels).set_axis(frame.index))


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
    renamed = [
        f"The stage {shortened(each.old)!r} is recorded as {shortened(each.new)!r} since {_date(each.day)}: the two "
        "are read as one."
        for each in ledger.breaks.renamed
    ]
    unrecorded = []
    if ledger.breaks.unrecorded:
        months = joined((month(period_label(each)) for each in ledger.breaks.unrecorded), most=4)
        unrecorded = [
            f"No change of any deal was recorded in {months}: nothing is learned from how deals stood at the ends of "
            "these months, and a deal without a row since stands as it did before."
        ]
    return [*stamped, *begun, *renamed, *unrecorded]


def _date(days: int) -> str:
    return day(pd.Timestamp(np.datetime64(days, "D")))


def is_known_alike(log: Log, day: pd.Timestamp, later: pd.Timestamp, *, ledger: Ledger | None = None) -> bool:
    """Say whether a walk that ends on a later day reads the record up to a day as one that ends on the day itself.

    Simple case: both are month ends, no break in the record came between them, and plan rates are the same in all
    years. ledger : the log's, where there is one already.
    """
    if day >= later:
        return day == later
    by_year = by_rates(log, [day, later])
    return len(by_year) == 1 and by_year[0][0] is log and len(one_knowledge_each(log, [day, later], ledger=ledger)) == 1


def one_knowledge_each(log: Log, days: list[pd.Timestamp], *, ledger: Ledger | None = None) -> list[list[pd.Timestamp]]:
    """Return days, ascending, in groups that one walk can serve, each of which knows of the same breaks.

    A walk reads the record as its last day knows it: a day that did not yet know of a break must not share it.
    ledger : the log's, where there is one already.
    """
    ledger = ledger_of(log) if ledger is None else ledger
    groups = one_walk_each(log, days)
    changes = log.get("stage_changes")
    found: dict[pd.Timestamp, tuple[object, ...]] = {}
    for group in groups:
        if len(group) > 1:
            for view in ledger.walk(group):
                told = 0 if changes is None else int((changes["from"] <= view.as_of).sum())
                found[view.as_of] = (*find_breaks(view, log.get("stages")).key, told)
    return [
        list(alike) for group in groups for _, alike in itertools.groupby(group, key=lambda each: found.get(each, ()))
    ]
