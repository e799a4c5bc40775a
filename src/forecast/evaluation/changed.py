"""Why the forecast moved since an earlier day, from the log: as it was given then, as it is given now.

Simple case: a snapshot of the later day holds all that the earlier one knew, and `models.pipeline.explained` compares
the two. Two complications: where the company does not say what its stages mean, that is read off the deals known, so
that a later day may read earlier rows in another way; then the earlier forecast is made again as it was given, and what
the new reading alone changed counts as restated. And where the two days lie in years of different plan rates, it is
made again at the new ones: what they alone changed is a cause of its own, and all else is told at one set of rates.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from forecast.data.known.broken import Breaks
from forecast.data.known.snapshot import Snapshot, snapshot
from forecast.data.rates import at_rates_of, by_rates
from forecast.data.schema import TOTAL, Log, NotedTable
from forecast.models.pipeline.bookings import forecast_bookings
from forecast.models.pipeline.explained import NO_OWNER, OWNER, ForecastChange, earlier_day, explain

RATES = "exchange_rates"
"""A cause more, before all others, where the two days lie in years of different plan rates."""


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
    - `exchange_rates`, a row more where plan rates differ between the two days: the earlier forecast at the later rates
      less the earlier forecast (of owners, all of it with `no owner`); every other cause is at the later rates;
    - `restated`: recorded since, but dated before; closed deals that changed or stand open again; and deals that went
      to another segment or owner, out of the one and into the other.

    Without rows where either day has no forecast; `attrs["notes"]` says why.

    Raises
    ------
    ParameterError : a day is no date, beyond the log, or not in order; months or seed is out of range.

    Examples
    --------
    >>> import forecast
    >>> table = forecast.changes_forecast(forecast.read("data/sample"), as_of="2026-10-31", months=3)
    >>> quarter = table[(table["level"] == "company") & (table["target_period"] == "FY26 Q4")]
    >>> len(quarter), "created" in set(quarter["cause"])
    (10, True)
    """
    change = explained(log, snapshot(log, as_of=as_of), since=since, months=months, seed=seed)
    return NotedTable(table=change.causes, notes=change.notes).frame()


def explained(log: Log, snap: Snapshot, *, since: str = "", months: int = 6, seed: int = 0) -> ForecastChange:
    """Return all tables of a change, as `changes_forecast` takes its arguments; snap : what was known on `as_of`."""
    day = earlier_day(snap, since)
    given = None
    read_anew = "stages" not in log and log.get("opportunity_history") is not None
    other_rates = len(by_rates(log, [day, snap.as_of])) > 1
    if snap.breaks != Breaks() and day >= snap.ledger.first_day:
        read_anew |= snapshot(log, as_of=day).breaks.key != snap.breaks.key
    if (read_anew or other_rates) and day >= snap.ledger.first_day:
        given = forecast_bookings(snapshot(log, as_of=day), months=months, seed=seed)
    if other_rates and given is not None:
        revalued = forecast_bookings(snapshot(at_rates_of(log, snap.as_of), as_of=day), months=months, seed=seed)
        change = explain(snap, since=since, months=months, seed=seed, given=revalued)
        return _from_other_rates(change, given, revalued) if len(change.causes) else change
    return explain(snap, since=since, months=months, seed=seed, given=given)


def _from_other_rates(change: ForecastChange, given: pd.DataFrame, revalued: pd.DataFrame) -> ForecastChange:
    """Return a change that begins with the forecast as it was given, the cause RATES before all others.

    Of owners all of it belongs to NO_OWNER: a forecast table tells no owners. Of the chance of plan, the cause has
    what the new rates alone changed; the others follow on it.
    """
    key = ["target_period", "segment"]
    then, anew = (table.set_index(key)[["mean", "p_at_least_plan"]] for table in (given, revalued))
    ends = change.ends.copy()
    node = ends["node"].where(ends["level"] != OWNER, TOTAL)
    rows = pd.MultiIndex.from_arrays([ends["target_period"], node])
    moved = (anew.reindex(rows) - then.reindex(rows)).reset_index(drop=True)
    mine = ((ends["level"] != OWNER) | (ends["node"] == NO_OWNER)).to_numpy()
    moved["mean"] = moved["mean"].fillna(0.0).where(mine, 0.0)
    ends["before"] -= moved["mean"].to_numpy()
    ends["chance_before"] -= moved["p_at_least_plan"].where(ends["level"] != OWNER).fillna(0.0).to_numpy()
    first = pd.DataFrame(
        {
            **{name: ends[name] for name in ("target_period", "level", "node")},
            "cause": pd.Series([RATES] * len(ends), dtype="str"),
            "amount": moved["mean"].to_numpy(),
            "points": moved["p_at_least_plan"].where(ends["level"] != OWNER).to_numpy(),
            "deals": np.zeros(len(ends), dtype=np.int64),
        }
    )
    causes = pd.concat([first, change.causes], ignore_index=True)
    place = causes.groupby(["target_period", "level", "node"], sort=False).ngroup()
    causes = causes.iloc[np.argsort(place, kind="stable")].reset_index(drop=True)
    return replace(change, causes=causes, ends=ends)
