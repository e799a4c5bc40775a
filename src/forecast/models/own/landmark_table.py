"""Open deals as they stood on past days, and whether they were won in time: a plain table to learn from.

What `landmarks` holds as arrays for the win model, in the words of the data, for any classifier: a row a deal and day,
text as text. The same rules: of a deal without a row of history only what is fixed at creation is known, and a row is
told won or not only once all its months have settled.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.codes import places
from forecast.data.known.coding import WON
from forecast.data.known.ledger import KnownState
from forecast.data.known.snapshot import Snapshot, opportunities_of
from forecast.models.win.landmarks import MONTH

FIRST = ("origin", "opportunity_id", "segment", "stage", "amount", "age", "stage_age", "months_to_close", "slips")
DATES = ("created_on", "expected_close_on")
NEVER_OPEN = ("outcome", "closed_on", "stage_since", "lost_reason", "promised_on", "delivered_on")
"""Columns of a snapshot's deals that say nothing of an open one, or say it in other words here."""


def open_deals(view: KnownState) -> pd.DataFrame:
    """Return the open deals of a day as they stood, one row each, sorted by opportunity_id.

    FIRST, DATES, then every other column known of a deal: origin (the day); amount in the reporting currency; age and
    stage_age in months since creation and since the stage was entered (nan where unknown); months_to_close from the day
    to the expected close date, negative where it has passed; slips, the times that date had moved later.
    """
    known = opportunities_of(view)
    rows = np.flatnonzero((known["outcome"] == "open").to_numpy())
    frame = known.iloc[rows].reset_index(drop=True)
    silent = view.last_row[np.flatnonzero(view.known)[rows]] < 0
    if silent.any():
        fixed = {"segment", *view.company.fixed_at_creation}
        recorded = {"stage", "amount", "expected_close_on", *view.ledger.recorded_columns} - fixed
        frame = frame.assign(**{name: frame[name].mask(silent) for name in recorded & set(frame.columns)})
    day = view.as_of
    frame = frame.assign(
        origin=np.full(len(frame), day.to_datetime64().astype("datetime64[us]")),
        age=_months(day - frame["created_on"]).clip(lower=0),
        stage_age=_months(day - frame["stage_since"]).clip(lower=0),
        months_to_close=_months(frame["expected_close_on"] - day),
    )
    others = [name for name in frame.columns if name not in (*FIRST, *DATES, *NEVER_OPEN)]
    return frame[[*FIRST, *DATES, *others]].sort_values("opportunity_id", ignore_index=True)


def with_outcome(deals: pd.DataFrame, then: KnownState, now: KnownState, *, horizon: int) -> pd.DataFrame:
    """Return open deals of a day with `won`: 1.0 where won by the end of the month `horizon` months on, else 0.0.

    deals : of `open_deals`. then, now : the day they are of, and the later day whose knowledge tells; nan where the
    months have not all settled by then.
    """
    end = then.period + horizon
    if end > now.last_settled:
        return deals.assign(won=np.nan)
    at = places(deals["opportunity_id"], now.ledger.opportunities["opportunity_id"])
    won = (at >= 0) & (now.outcome[at] == WON) & (now.closed_in[at] <= end)
    return deals.assign(won=won.astype(np.float64))


def past_landmarks(snap: Snapshot, *, horizon: int, months: int) -> pd.DataFrame:
    """Return the landmarks that a snapshot knows: the deals open at the last `months` origins that have settled.

    Origins stand at the position of the snapshot's day in its month. Columns of `open_deals`, and won.
    """
    ledger, now = snap.ledger, snap.state
    born = ledger.created_in[ledger.created_in > 0]
    first = max(snap.period - months - horizon, int(born.min()) if len(born) else snap.period)
    days = [day for day in ledger.days_like(snap.as_of, first=first) if day < snap.as_of]
    parts = [
        with_outcome(open_deals(view), view, now, horizon=horizon)
        for view in ledger.walk(days)
        if view.period + horizon <= now.last_settled
    ]
    parts = [part for part in parts if len(part)][-months:]
    return pd.concat(parts, ignore_index=True) if parts else open_deals(now).iloc[:0].assign(won=np.nan)


def _months(span: pd.Series) -> pd.Series:
    return span.dt.days / MONTH
