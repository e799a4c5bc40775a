"""What each month had booked, as a snapshot knows it: also the months that have not settled yet."""

from __future__ import annotations

import pandas as pd

from forecast.data.known.settled import by_month
from forecast.data.known.snapshot import Snapshot


def booked_by_month(snap: Snapshot) -> pd.DataFrame:
    """Return period (text), segment, amount (reporting currency), deals (int64) of the wins known on that day.

    Every segment in every month from the first win to the month of `as_of`, zeros included; no rows of `Total`. The
    last months may still grow: wins that are recorded late are not in it. `settled_actuals` holds what settled.
    """
    deals = snap.opportunities
    won = deals[(deals["outcome"] == "won") & deals["closed_on"].notna()]
    period = snap.calendar.period_of(won["closed_on"])
    first = int(period.min()) if len(period) else snap.period
    frame = pd.DataFrame({"period": period, "segment": won["segment"].array, "amount": won["amount"].fillna(0.0).array})
    return by_month(frame, periods=range(first, snap.period + 1), segments=snap.segments)
