"""Every time an expected close date was moved later: whose deal it was, in which stage, by how many days.

Simple case: two rows of a deal follow one another, and the later one has a later date. Rows without a date are passed
over: of 31 March, nothing, 30 June the last is a slip of 91 days. `slips` of a snapshot counts these rows of a deal.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.codes import labels, places
from forecast.data.known.snapshot import Snapshot, expect_snapshot

COLUMNS = (
    *("opportunity_id", "moved_on", "owner", "segment", "stage", "outcome", "amount"),
    *("due_before", "expected_close_on", "days"),
)
_OF_THE_DEAL = ("owner", "segment")
_NO_HISTORY = "There is no table opportunity_history: nobody knows when an expected close date was moved."


def slips(snap: Snapshot) -> pd.DataFrame:
    """Return every time that the expected close date of a deal was moved later, as known on the snapshot's day.

    Parameters
    ----------
    snap : a snapshot.

    Returns
    -------
    One row a move, by deal and time: opportunity_id; moved_on (the day it was recorded); owner and segment (who had the
    deal from that row on; where history does not say, the deal's); stage, outcome and amount (reporting currency) from
    that row on, so that `outcome == "open"` are the moves of open deals; due_before and expected_close_on (the date
    before and since); days (whole, above 0). Moves to an earlier date are none. The rows of a deal are as many as its
    `slips` in `snap.opportunities`. Without a history there are no rows, and `attrs["notes"]` says why.

    Raises
    ------
    ParameterError : snap is no snapshot.

    Examples
    --------
    Which owners slip most, per deal they had? (The row that closes a deal sets the date as well: open deals alone.)

    >>> import forecast
    >>> snap = forecast.snapshot(forecast.read("data/sample"), as_of="2026-10-31")
    >>> moves = forecast.slips(snap).query("outcome == 'open'")
    >>> held = snap.history.groupby("owner")["opportunity_id"].nunique()
    >>> (moves.groupby("owner").size() / held)[held >= 100].nlargest(3).round(2).to_dict()
    {'Rep 047': 1.37, 'Rep 095': 1.33, 'Rep 096': 1.31}
    """
    expect_snapshot(snap, call="slips")
    history = snap.history
    if history is None:
        none = pd.DataFrame({name: pd.Series(dtype="float64") for name in COLUMNS})
        none.attrs["notes"] = [_NO_HISTORY]
        return none
    dated = np.flatnonzero(history["expected_close_on"].notna())
    due, deal = history["expected_close_on"].to_numpy()[dated], labels(history["opportunity_id"])[dated]
    later = np.flatnonzero((deal[1:] == deal[:-1]) & (due[1:] > due[:-1])) + 1
    rows = history.iloc[dated[later]].reset_index(drop=True)
    frame = rows.reindex(columns=["opportunity_id", "stage", "outcome", "amount", "expected_close_on"])
    frame["moved_on"], frame["due_before"] = rows["recorded_on"], due[later - 1]
    frame["days"] = (frame["expected_close_on"] - frame["due_before"]).dt.days
    at = places(rows["opportunity_id"], snap.opportunities["opportunity_id"])
    for name in _OF_THE_DEAL:
        if name in rows:
            frame[name] = rows[name]
        elif name in snap.opportunities:
            frame[name] = pd.Series(snap.opportunities[name].array.take(at, allow_fill=True))
    return frame[[name for name in COLUMNS if name in frame]]
