"""Which kinds of dated events have a column in the win model, and which of them the past tells something about.

Simple case: every kind of which an event with an end is known has a column, from the day on which the first is. Three
complications: of many kinds the most frequent count; a kind that has happened once, and briefly, has a column but no
weight: what its months showed may as well have been something else; and what happens for good is left to the levels
that move (`shifts`), since a column for it learns again what these have found.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from forecast.data.known.events import MOST_KINDS, Events

MOST = 8
"""Kinds with a column."""

LONG = 3
"""Settled months of one event after which its kind has a weight."""

_PREFIX = "event "


def block_of(kind: str) -> str:
    """Return the name of a kind's block of columns."""
    return _PREFIX + kind


def is_event(block: str) -> bool:
    """Say whether a block of columns is that of a kind of event."""
    return block.startswith(_PREFIX)


def kinds_in_use(events: Events, before: Mapping[str, int] | None = None) -> dict[str, int]:
    """Return the kinds with a column, in the order in which they became known, and their places in `States.events`.

    events : as known on a day. before : those in use so far, which stay, so that only new ones come behind them;
    without it the most frequent kinds are chosen, of two as frequent the one known first.
    """
    count = np.bincount(events.kind[events.has_end], minlength=len(events.kinds))
    known = enumerate(events.by_first_known[:MOST_KINDS])
    places = {kind: place for place, kind in known if count[events.kinds.index(kind)]}
    if before is not None:
        new = [kind for kind in places if kind not in before][: max(MOST - len(before), 0)]
        return {**before, **{kind: places[kind] for kind in new}}
    frequent = sorted(places, key=lambda kind: (-count[events.kinds.index(kind)], places[kind]))[:MOST]
    return {kind: place for kind, place in places.items() if kind in frequent}


def told_by_the_past(events: Events, *, settled: int) -> frozenset[str]:
    """Return the kinds with at least two events that have begun, or one that has lasted for three months.

    Months count once they have settled, and events once their end is known. Events that begin in the same month count
    as one: a reorganisation of five segments happened once.

    events : as known on a day. settled : the last period that has settled.
    """
    months = np.where(events.has_end, np.minimum(events.last, settled) - events.first + 1, 0)
    told = set()
    for code in np.unique(events.kind[months > 0]):
        of_kind = (events.kind == code) & (months > 0)
        if len(np.unique(events.first[of_kind])) > 1 or months[of_kind].max() >= LONG:
            told.add(events.kinds[code])
    return frozenset(told)
