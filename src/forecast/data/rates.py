"""Plan rates: at which rate an amount in another currency counts.

A forecast and what it is compared with are converted at the same rates, those of the fiscal year of the day it was made
on; so a record of forecasts does not move because exchange rates do. The simple case is a table `currencies` without
dates: one rate a currency, for all days. With dates, a rate holds from its day, and a fiscal year has the rates that
held on its first day; one that begins within a year waits for the next. A currency whose first rate begins within the
year has that one from its day. No rate reaches a day before it began.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from forecast.calendar import Calendar
from forecast.data.codes import places
from forecast.data.schema import Log

TABLE = "currencies"
EVER = pd.Timestamp("1700-01-01").as_unit("us")
"""Stands for the day of a rate that holds from the beginning."""


def are_dated(rates: pd.DataFrame | None) -> bool:
    """Return whether rates change from a day on, so that there may be several of one currency."""
    return rates is not None and "from" in rates and bool(rates["from"].notna().any())


def rates_on(rates: pd.DataFrame, day: pd.Timestamp, calendar: Calendar) -> pd.DataFrame:
    """Return the plan rates of the fiscal year that a day lies in, as known on the day.

    Parameters
    ----------
    rates : currency, plan_rate, [from], in any order; empty `from` = from the beginning.
    day : whose fiscal year. calendar : the company's.

    Returns
    -------
    currency, plan_rate, one row a currency that has a rate by the day, sorted by currency.

    >>> rates = pd.DataFrame({"currency": "USD", "plan_rate": [0.9, 0.8], "from": pd.to_datetime([None, "2026-07-01"])})
    >>> rates_on(rates, pd.Timestamp("2026-12-31"), Calendar())["plan_rate"].item()
    0.9
    >>> rates_on(rates, pd.Timestamp("2027-01-01"), Calendar())["plan_rate"].item()
    0.8
    """
    columns = ["currency", "plan_rate"]
    if not are_dated(rates):
        return rates[columns].sort_values("currency", ignore_index=True)
    begins = rates["from"].fillna(EVER)
    begun = rates.assign(_from=begins)[(begins <= day).to_numpy()].sort_values(["currency", "_from"], kind="stable")
    held = begun[(begun["_from"] <= calendar.first_day_of_year(day)).to_numpy()].drop_duplicates(
        "currency", keep="last"
    )
    first = begun.drop_duplicates("currency", keep="first")
    late = first[~first["currency"].isin(held["currency"])]
    return pd.concat([held, late])[columns].sort_values("currency", ignore_index=True)


def at_rates_of(log: Log, day: pd.Timestamp) -> Log:
    """Return the log with the plan rates of the fiscal year of a day alone; itself where rates are not dated.

    A currency whose first rate begins later has that one: no deal in it is known on the day, and what it brings later
    is worth that.
    """
    rates = log.get(TABLE)
    if rates is None or not are_dated(rates):
        return log
    now = rates_on(rates, day, log.company.periods)
    later = rates[~rates["currency"].isin(now["currency"])].sort_values("from").drop_duplicates("currency")
    both = pd.concat([now, later[list(now.columns)]]).sort_values("currency", ignore_index=True)
    return replace(log, tables={**log.tables, TABLE: both})


def by_rates(log: Log, days: Any) -> list[tuple[Log, np.ndarray]]:
    """Return the log at each set of rates that some days have, and which of them have it, (n,) bool, in order of time.

    Simple case: rates are not dated, and it is the log as it is, for all days.
    """
    index = pd.DatetimeIndex(days)
    if not are_dated(log.get(TABLE)):
        return [(log, np.ones(len(index), dtype=bool))]
    found: dict[tuple[float, ...], tuple[Log, np.ndarray]] = {}
    for day in sorted(index.unique()):
        at = at_rates_of(log, day)
        key = tuple(at.tables[TABLE]["plan_rate"])
        if key not in found:
            found[key] = at, np.zeros(len(index), dtype=bool)
        found[key][1][index == day] = True
    return list(found.values())


def converted(log: Log, amount: pd.Series, currency: pd.Series | None) -> pd.Series:
    """Return amounts times the plan rate of their currency on the log's last day, float64.

    Simple case: there is no other currency, and it is the column as it is. An empty currency is the reporting one. A
    currency that has no rate by then makes nan: no deal in it is known yet.
    """
    rates = log.get(TABLE)
    if currency is None or rates is None:
        return amount.astype(np.float64)
    values = amount.to_numpy(dtype=np.float64)
    now = rates_on(rates, log.extracted_on, log.company.periods)
    names = [*now["currency"], log.company.currency]
    # The last is for what `places` gives as -1: none at all, or one without a rate.
    by_place = np.array([*now["plan_rate"], 1.0, 1.0])
    rate = by_place[places(currency, pd.Series(names, dtype="str"))]
    without = set(currency.dropna().unique()) - set(names)
    if without:
        rate[np.asarray(currency.isin(without))] = np.nan
    rate *= values
    return pd.Series(rate, index=amount.index, copy=False)
