"""Breaks in the record: each as found (`data/known/breaks`, `segment_breaks`), in words, with its rows and the mend.

What they cost a forecast, and how each is found, is in docs/methods/data_audit.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from forecast.calendar import period_label
from forecast.data.audit.names import RENAMED
from forecast.data.known.broken import Breaks, Load, Renamed
from forecast.data.known.ledger import KnownState
from forecast.data.known.segment_breaks import closed_segments, new_segments
from forecast.errors import Problem, Severity, shortened
from forecast.wording import day, joined, month, plural

STAMPED = "deals whose creation date was stamped anew on one day"
BEGUN = "deals that begin on one day in the middle of the pipeline"
UNRECORDED = "months in which deals went on and no change was recorded"
CLOSED = "a segment that closed"
NEW = "a segment that begins in the middle of the log"

_LATELY = 730
"""Days for which a segment that closed bears on the forecast, since usual months still hold its deals."""


STAMPED_MEND = (
    "nothing is lost: their creation is taken to be their first row of history; bring the dates of the old system "
    "where these lie further back"
)
BEGUN_MEND = (
    "bring creation dates and history from the old system; until then the age of these deals counts as unknown, and a "
    "forecast learns nothing from the months before, from which deals are missing"
)


def breaks_in_the_record(view: KnownState, found: Breaks) -> list[Problem]:
    """Return the breaks in the record as known on a day; found : as `find_breaks` gives them for it."""
    return [
        *(_load(view, load, STAMPED, STAMPED_MEND) for load in found.stamped),
        *(_load(view, load, BEGUN, BEGUN_MEND) for load in found.begun),
        *(_renamed(view, each) for each in found.renamed),
        *_unrecorded(found),
        *_closed(view),
        *_new(view),
    ]


def _load(view: KnownState, load: Load, what: str, mend: str) -> Problem:
    is_open = view.open_deals
    still = np.intersect1d(load.deals, is_open, assume_unique=True)
    return Problem(
        severity="warning",
        table="opportunities",
        column="created_on",
        what=what,
        evidence=f"{plural(len(load.deals), 'deal')} of {_date(load.day)}; {len(still):,} of them still open, of "
        f"{plural(len(is_open), 'open deal')}",
        mend=mend,
    ).at(view.ledger.ids_of(load.deals))


def _renamed(view: KnownState, each: Renamed) -> Problem:
    old, new = repr(shortened(each.old)), repr(shortened(each.new))
    rows = int((view.ledger.history["stage"] == each.old).sum())
    return Problem(
        severity="warning",
        table="opportunity_history",
        column="stage",
        what=RENAMED,
        evidence=f"{old} ({plural(rows, 'row')}) is last seen on {_date(each.old_last)}, {new} first on "
        f"{_date(each.day)}, at the same position in stages",
        rows=(old,),
        count=rows,
        mend=f"nothing, if the stage was renamed: forecasts read the two as one from then on (to say so, add the row "
        f"{_iso(each.day)}, {old}, {new} to stage_changes); if they are two, give each a position of its own in stages",
    )


def _unrecorded(found: Breaks) -> Iterator[Problem]:
    months = [period_label(period) for period in found.unrecorded]
    if months:
        yield Problem(
            severity="warning",
            table="opportunity_history",
            column="recorded_at",
            what=UNRECORDED,
            evidence=f"{joined((month(name) for name in months), most=3)}, while deals were created and closed",
            mend="bring the rows of these months; until then a forecast learns nothing from how deals stood in them",
        ).at(months)


def _closed(view: KnownState) -> Iterator[Problem]:
    for each in closed_segments(view):
        severity: Severity = "warning" if view.day - each.last <= _LATELY else "info"
        yield Problem(
            severity=severity,
            table="opportunities",
            column="segment",
            what=CLOSED,
            evidence=f"{shortened(view.ledger.segments[each.segment])!r}: its last deal was created on "
            f"{_date(each.last)}, {len(each.lost):,} were lost in the month after, and none is created since",
            mend="nothing, if it closed: no deal to come is forecast for it; else export its deals",
        ).at(view.ledger.ids_of(each.lost))


def _new(view: KnownState) -> Iterator[Problem]:
    names = [shortened(name) for name in view.ledger.segments]
    for each in new_segments(view):
        evidence = (
            f"{names[each.segment]!r}: its first deal was created on {_date(each.day)}, {each.created:,.0f} a month"
        )
        severity: Severity = "info"
        mend = "nothing, if it is new; if it was split off another one or renamed, write its name in earlier deals too"
        if each.of is not None:
            evidence += f"; {names[each.of]!r} fell from {each.before:,.0f} to {each.after:,.0f} a month then"
            severity = "warning"
            mend = "if it was split off that one, write its name in earlier deals too, where it is known which they are"
        yield Problem(
            severity=severity,
            table="opportunities",
            column="segment",
            what=NEW,
            evidence=evidence,
            rows=(repr(names[each.segment]),),
            count=1,
            mend=mend,
        )


def _iso(days: int) -> str:
    return str(np.datetime64(int(days), "D"))


def _date(days: int) -> str:
    return day(pd.Timestamp(np.datetime64(int(days), "D")))
