"""Why the forecast moved since an earlier day, from the log: as it was given then, as it is given now.

Simple case: a snapshot of the later day holds all that the earlier one knew, and `models.pipeline.explained` compares
the two. The complication: where the company does not say what its stages mean, that is read off the deals known, so
that a later day may read earlier rows in another way; then the earlier forecast is made again as it was given, and what
the new reading alone changed counts as restated.
"""

from __future__ import annotations

import pandas as pd

from forecast.data.known.snapshot import Snapshot, snapshot
from forecast.data.schema import Log, NotedTable
from forecast.models.pipeline.bookings import forecast_bookings
from forecast.models.pipeline.explained import ForecastChange, earlier_day, explain


def changes_forecast(
    log: Log, *, as_of: str | pd.Timestamp, since: str = "", months: int = 6, seed: int = 0
) -> pd.DataFrame:
    """Return how much each cause moved the forecast between two days.

    Parameters
    ----------
    log : a validated log. as_of : the later day or month. since : the earlier one; by default the end of the month
    before `as_of`. months, seed : as `forecast_bookings` takes them.

    Returns
    -------
    target_period (each that both forecasts have), level (`company`, `segment`, `owner`), node (`Total`, a segment, an
    owner or `no owner`), cause, amount, points, deals; ten rows a period and node. The amounts of a node and period sum
    to its forecast on `as_of` less that on `since`, in the reporting currency, with nothing left over; an owner's
    forecast is that of the owner's deals, and deals not yet created belong to `no owner`. `points` (from -1 to 1) sum
    to the change of its chance to reach plan; nan without a plan, and for owners. `deals` counts those that moved it.
    Causes:

    - `won`, `lost`: since then, against what was expected of them; `created`: since then, whatever became of them;
    - `stage`, `close_date`, `amount`: changes of deals open on both days; `older`: that time passed over them;
    - `not_yet_created`: deals to come; `learned`: what the model learned of open deals in between;
    - `restated`: recorded since, but dated before; closed deals that changed or stand open again; and deals that went
      to another segment or owner, out of the one and into the other.

    Without rows where either day has no forecast; `attrs["notes"]` says why.

    Raises
    ------
    ParameterError : a day is no date, beyond the log, or not in order; months or seed is out of range.

    Example
    -------
    >>> table = changes_forecast(log, as_of="2026-10-31")  # doctest: +SKIP
    >>> table[(table.level == "company") & (table.target_period == "FY26 Q4")].set_index("cause").amount.sum()
    -257901.66
    """
    change = explained(log, snapshot(log, as_of=as_of), since=since, months=months, seed=seed)
    return NotedTable(table=change.causes, notes=change.notes).frame()


def explained(log: Log, snap: Snapshot, *, since: str = "", months: int = 6, seed: int = 0) -> ForecastChange:
    """Return all tables of a change, as `changes_forecast` takes its arguments; snap : what was known on `as_of`."""
    day = earlier_day(snap, since)
    given = None
    read_anew = "stages" not in log and log.get("opportunity_history") is not None
    if read_anew and day >= snap.ledger.first_day:
        given = forecast_bookings(snapshot(log, as_of=day), months=months, seed=seed)
    return explain(snap, since=since, months=months, seed=seed, given=given)
