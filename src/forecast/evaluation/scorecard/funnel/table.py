"""The table `scorecard_funnel`: hand-overs, leaks, whose plan was nearer, what can be delivered, and the next order."""

from __future__ import annotations

import pandas as pd

from forecast.data.known.snapshot import Snapshot
from forecast.evaluation.scorecard.funnel.hand_overs import hand_over_rows, without_lead_rows
from forecast.evaluation.scorecard.funnel.leaks import again_rows, leak_rows
from forecast.evaluation.scorecard.funnel.plans import capacity_rows, plan_rows
from forecast.evaluation.scorecard.funnel.rows import as_table


def scorecard_funnel(
    snap: Snapshot,
    *,
    scores: pd.DataFrame | None = None,
    months: int = 6,
    seed: int = 0,
    capacity: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the funnel from the lead to the next order, one row a figure, segment and cohort.

    snap : what was known on a day. scores : what `forecast.score` gave of a backtest in which the submitters stand.
    months, seed : as `forecast_bookings` takes them. capacity : the rows of `capacity_rows` as a table, where they are
    made already. Columns FUNNEL_COLUMNS, see `FunnelRow`.
    """
    if capacity is None:
        capacity = as_table(capacity_rows(snap, months=months, seed=seed))
    of_leads = [*hand_over_rows(snap), *without_lead_rows(snap), *leak_rows(snap)]
    before = as_table([*of_leads, *plan_rows(scores, segments=snap.segments)])
    return pd.concat([before, capacity, as_table(again_rows(snap))], ignore_index=True)
