"""`forecast.what_if`: the forecast of bookings with a lever moved, or a deal taken as won or lost, beside the base."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from forecast.data.known.snapshot import Snapshot, expect_snapshot
from forecast.reporting.explorer.scenario import Levers, base, scenario

COLUMNS = (
    *("target_period", "segment", "base", "scenario", "change"),
    *("q10", "q50", "q90", "base_q10", "base_q50", "base_q90"),
)


def what_if(
    snap: Snapshot,
    *,
    months: int = 6,
    seed: int = 0,
    won: str | Sequence[str] = (),
    lost: str | Sequence[str] = (),
    leads: float = 0.0,
    win_rate: float = 0.0,
    cycle_time: float = 0.0,
    slippage: float = 0.0,
) -> pd.DataFrame:
    """Return the forecast with something otherwise, beside the forecast as it is: the explorer's what-if as a table.

    Parameters
    ----------
    snap : a snapshot. months, seed : as `forecast_bookings` takes them; both forecasts have the same random numbers.
    won, lost : opportunity_id of open deals that are taken as won in the first month, or as lost.
    leads : marketing's pipeline still to be created, relative change from -1 to 2. win_rate : chances to win, of open
        deals and deals to come, from -1 to 1. cycle_time : time to the win, from -0.5 to 1; 0.2 means that everything
        takes a fifth longer. slippage : months by which open deals are won later, from 0 to 6.

    Returns
    -------
    One row a month and segment, `Total` last in each month: target_period, segment, base and scenario (expected
    bookings), change = scenario - base, the scenario's q10, q50, q90, and base_q10, base_q50, base_q90; all in the
    reporting currency. Nothing moved: no change. The base is the mean of `forecast_bookings`. What is moved is all that
    moves: that one deal is lost says nothing here of the others.

    Raises
    ------
    ParameterError : a lever is out of its range, a deal is not open or taken as both, or snap is no snapshot.
    DataError : the data are too thin for a forecast.

    Examples
    --------
    What if the deal that counts most is lost?

    >>> import forecast
    >>> snap = forecast.snapshot(forecast.read("data/sample"), as_of="2026-10-31")
    >>> deals = forecast.win_probabilities(snap, months=3)
    >>> largest = deals.loc[deals["expected_amount"].idxmax()]
    >>> table = forecast.what_if(snap, months=3, lost=[largest["opportunity_id"]])
    >>> change = table.loc[table["segment"] == "Total", "change"].to_numpy()
    >>> bool(abs(change + largest[["expected_1", "expected_2", "expected_3"]]).max() < 0.01)
    True
    """
    expect_snapshot(snap, call="what_if")
    levers = Levers.given(leads=leads, win_rate=win_rate, cycle_time=cycle_time, slippage=slippage, won=won, lost=lost)
    table = scenario(base(snap, months=months, seed=seed), levers).table.rename(columns={"period": "target_period"})
    return table.assign(change=table["scenario"] - table["base"])[list(COLUMNS)]
