"""What a company did or met, as known on a day: the rows of `events` whose day has come.

Simple case: an event is known from its first day on, and its end once that has come. One that was announced is known
from the day of the announcement on, with its end; announced only after it had begun, it is not known before that.
"""

from __future__ import annotations

import pandas as pd

from forecast.data.codes import by_key


def known_from(events: pd.DataFrame) -> pd.Series:
    """Return the day from which each event is known: its announcement, else its first day.

    events : `from` and, where the table has it, announced_on; (n,) dates come back.
    """
    if "announced_on" not in events:
        return events["from"]
    return events["announced_on"].fillna(events["from"])


def known_events(events: pd.DataFrame | None, *, day: pd.Timestamp) -> pd.DataFrame | None:
    """Return the events known at the end of a day, sorted by all columns; None where the company has no such table.

    events : the table as it was read. A row that stands there twice comes once. A `to` that lies ahead is empty where
    nothing was announced: nobody knew it that day.

    Example: a campaign from 1 March to 30 June without announcement is known on 31 March, and ends some day.
    """
    if events is None:
        return None
    known = events[(known_from(events) <= day).to_numpy()]
    if "to" in known:
        told = known["to"] <= day
        if "announced_on" in known:
            told |= known["announced_on"].notna()
        known = known.assign(to=known["to"].where(told))
    # In an order of its own: that of the table as it was read goes by ends that are not known yet.
    return by_key(known.drop_duplicates(), [str(column) for column in known])
