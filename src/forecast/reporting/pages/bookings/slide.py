"""`forecast.bookings_chart`: the chart of the months ahead as the report draws it, from a forecast table."""

from __future__ import annotations

import pandas as pd

from forecast.data.known.settled import booked_by_month
from forecast.data.known.snapshot import Snapshot, expect_snapshot
from forecast.data.schema import TOTAL
from forecast.errors import ParameterError, nearest
from forecast.reporting.charts.figure import Chart, Statement
from forecast.reporting.charts.flags import dated
from forecast.reporting.pages.bookings.charts import bookings_fan


def bookings_chart(table: pd.DataFrame, *, snap: Snapshot, segment: str = TOTAL) -> Chart | Statement:
    """Return the chart of a forecast: past months as booked, the months ahead with their 50, 80 and 95 % ranges, plan.

    Parameters
    ----------
    table : what `forecast_bookings(snap)` gave. snap : the snapshot it is of.
    segment : whose months are drawn; `Total` for the company.

    Returns
    -------
    A chart: its title is the finding, under it stand measure and unit; in JupyterLab it shows itself, and
    `chart.save("slide.png")` (.svg, .pdf) writes it with title, unit and source. `chart.table` is what is drawn. Where
    the table has no range, a sentence that says so.

    Raises
    ------
    ParameterError : the table has no such segment, or snap is no snapshot.

    Examples
    --------
    >>> import forecast
    >>> snap = forecast.snapshot(forecast.read("data/sample"), as_of="2026-10-31")
    >>> chart = forecast.bookings_chart(forecast.forecast_bookings(snap, months=3), snap=snap)
    >>> len(chart.table) > 3
    True
    """
    expect_snapshot(snap, call="bookings_chart")
    known = sorted(set(table["segment"]))
    if segment not in known:
        raise ParameterError(f"segment: the table has no {segment!r}; {nearest(segment, known)}")
    return bookings_fan(
        table,
        company=snap.company,
        as_of=snap.as_of,
        actuals=booked_by_month(snap),
        segment=segment,
        events=dated(snap),
    )
