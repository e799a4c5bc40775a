"""What each month had booked, as a snapshot knows it: also the months that have not settled yet."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.calendar import period_labels
from forecast.data.snapshots import Snapshot


def booked_by_month(snap: Snapshot) -> pd.DataFrame:
    """Return period (text), segment, amount (reporting currency), deals (int64) of the wins known on that day.

    Every segment in every month from the first win to the month of `as_of`, zeros included; no rows of `Total`. The
    last months may still grow: wins that are recorded late are not in it. `settled_actuals` holds what settled.
    """
    deals = snap.opportunities
    won = deals[(deals["outcome"] == "won") & deals["closed_on"].notna()]
    period = snap.calendar.period_of(won["closed_on"])
    first = int(period.min()) if len(period) else snap.period
    grid = pd.MultiIndex.from_product([range(first, snap.period + 1), snap.segments], names=["period", "segment"])
    frame = pd.DataFrame({"period": period, "segment": won["segment"].array, "amount": won["amount"].fillna(0.0).array})
    sums = frame.groupby(["period", "segment"])["amount"].agg(["sum", "size"]).reindex(grid, fill_value=0)
    return pd.DataFrame(
        {
            "period": pd.Series(period_labels(grid.get_level_values(0)), dtype="str"),
            "segment": pd.Series(grid.get_level_values(1), dtype="str"),
            "amount": sums["sum"].to_numpy(dtype=np.float64),
            "deals": sums["size"].to_numpy(dtype=np.int64),
        }
    )
