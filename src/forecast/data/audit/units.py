"""Amounts in another unit: a rate the wrong way round, a plan in thousands, quotas in millions.

Each of these can be read, and makes a number that is off by a factor of hundreds. Two things tell: what a currency is
roughly worth, which a small table knows to a factor of four, and what the deals of the other currencies bring; for
plans, quotas, submitted forecasts and capacity, what was booked in the same months, or in the last year.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

from forecast.calendar import period_labels
from forecast.data.known.ledger import KnownState
from forecast.data.rates import TABLE as RATES
from forecast.data.rates import are_dated, rates_on
from forecast.data.schema import Log
from forecast.errors import Problem
from forecast.wording import joined, money, number

FAR_RATE = 4.0
"""Factor by which a rate may be off what its currency is roughly worth: exchange rates of two decades lie within it."""
TURNED, AS_USUAL = 1.2, 1.1
"""Factors by which a rate is off, and its reciprocal is not, where the two are too near for `FAR_RATE`: 0.85 euro for a
pound, which is 1 / 1.18. Of two currencies of nearly the same worth (CHF, EUR) it cannot be told."""
FAR_AMOUNTS = 100.0
"""Factor between the median amounts of two currencies, both converted, beyond which a rate is asked about."""
FAR_UNIT = 30.0
"""Factor between a month's plan and its bookings beyond which the unit is asked about."""
FEWEST_DEALS = 5
FEWEST_MONTHS = 3
_YEAR = 12

PER_DOLLAR: Mapping[str, float] = MappingProxyType(
    {
        **{"USD": 1.0, "EUR": 0.9, "GBP": 0.75, "CHF": 0.9, "CAD": 1.3, "AUD": 1.4, "NZD": 1.5, "SGD": 1.35},
        **{"JPY": 125.0, "KRW": 1200.0, "CNY": 7.0, "HKD": 7.8, "TWD": 31.0, "INR": 75.0, "IDR": 14500.0},
        **{"THB": 33.0, "MYR": 4.2, "PHP": 52.0, "VND": 23500.0, "SEK": 9.5, "NOK": 9.5, "DKK": 6.8, "ISK": 130.0},
        **{"PLN": 4.0, "CZK": 23.0, "HUF": 320.0, "RON": 4.4, "BGN": 1.75, "ILS": 3.5, "AED": 3.67, "SAR": 3.75},
        **{"QAR": 3.64, "KWD": 0.3, "ZAR": 15.0, "MXN": 18.0, "BRL": 4.5, "CLP": 800.0, "COP": 3800.0, "PEN": 3.7},
    }
)
"""Roughly how many units of a currency a dollar bought in the last ten years; of others nothing is said."""


def unit_problems(log: Log, view: KnownState) -> list[Problem]:
    """Return what looks as if it were in another unit; view : what was known on the day looked at."""
    return [*_rates(log, view), *_other_unit(log, view)]


# -- rates ---------------------------------------------------------------------------------------------------


def _rates(log: Log, view: KnownState) -> list[Problem]:
    """Return rates that are not what their currency is worth, or make deals of one currency unlike all others."""
    rates = log.get(RATES)
    if rates is None or "currency" not in log.opportunities:
        return []
    now = rates_on(rates, log.extracted_on, log.company.periods)
    reporting = log.company.currency or next(iter(now.loc[now["plan_rate"] == 1, "currency"]), "")
    every = rates if are_dated(rates) else now
    found = []
    for row in every.itertuples():
        usual = _usual(str(row.currency), reporting)
        evidence = _off(float(row.plan_rate), usual) if usual else ""
        if not evidence and not are_dated(rates):
            evidence = _unlike(str(row.currency), float(row.plan_rate), log, view)
        if evidence:
            found.append(_rate_problem(str(row.currency), float(row.plan_rate), reporting, evidence))
    return found


def _usual(currency: str, reporting: str) -> float | None:
    """Return what a unit of a currency is roughly worth in the reporting one, None where the table does not know."""
    if currency == reporting or currency not in PER_DOLLAR or reporting not in PER_DOLLAR:
        return None
    return PER_DOLLAR[reporting] / PER_DOLLAR[currency]


def _off(rate: float, usual: float) -> str:
    """Return how far a rate is from what is usual, empty where it is near."""
    turned = _apart(rate, usual) >= TURNED and _apart(1 / rate, usual) <= AS_USUAL if rate > 0 else False
    if rate <= 0 or (_apart(rate, usual) <= FAR_RATE and not turned):
        return ""
    if _apart(1 / rate, usual) <= FAR_RATE:
        return f"usually about {number(usual)}, and 1 / {number(rate)} is {number(1 / rate)}"
    return f"usually about {number(usual)}"


def _apart(rate: float, usual: float) -> float:
    """Return the factor between two rates, at least 1."""
    return max(rate / usual, usual / rate)


def _unlike(currency: str, rate: float, log: Log, view: KnownState) -> str:
    """Return how the converted deals of a currency compare with all others', where turning the rate mends it."""
    names = view.ledger.opportunities["currency"].fillna(log.company.currency).to_numpy(dtype=object)
    amount = np.abs(view.amount)
    known = view.known & (amount > 0)
    mine, others = (amount[known & side] for side in (names == currency, names != currency))
    if min(len(mine), len(others)) < FEWEST_DEALS or rate <= 0 or rate == 1:
        return ""
    here, there = float(np.median(mine)), float(np.median(others))
    ratio, turned = here / there, here / rate**2 / there
    if max(ratio, 1 / ratio) < FAR_AMOUNTS or max(turned, 1 / turned) > math.sqrt(FAR_AMOUNTS):
        return ""
    return (
        f"a deal in {currency} is then {money(here)} in the middle, all others {money(there)}; "
        f"by 1 / {number(rate)} it would be {money(here / rate**2)}"
    )


def _rate_problem(currency: str, rate: float, reporting: str, evidence: str) -> Problem:
    ours = reporting or "the reporting currency"
    return Problem(
        severity="warning",
        table=RATES,
        column="plan_rate",
        what=f"{number(rate)} is written as the worth of 1 {currency} in {ours}: it looks the wrong way round, or of "
        "another unit",
        evidence=evidence,
        rows=(currency,),
        count=1,
        mend=f"write what 1 {currency} is worth in {ours}",
    )


# -- plans, quotas, submitted forecasts, capacity --------------------------------------------------------------

_PLANNED = {
    "plan": ("period", "amount"),
    "quotas": ("period", "quota"),
    "submitted_forecasts": ("target_period", "amount"),
    "delivery": ("period", "capacity"),
}
"""Tables of amounts that are of the size of bookings: their month, their amount."""


def _other_unit(log: Log, view: KnownState) -> list[Problem]:
    """Return tables whose months are tens of times what was booked in them, or less than a thirtieth."""
    found = []
    for table, (period, column) in _PLANNED.items():
        frame = log.get(table)
        if frame is None or column not in frame:
            continue
        planned, booked = _per_month(frame, period, column), _booked(view, frame)
        planned, booked = planned[planned > 0], booked[booked > 0]
        if not len(planned) or len(booked) < FEWEST_MONTHS:
            continue
        shared = planned.index.intersection(booked.index)
        if len(shared) >= FEWEST_MONTHS:
            ours, theirs, when = booked[shared].median(), planned[shared].median(), "in the same months"
        else:
            ours, theirs, when = booked.iloc[-_YEAR:].median(), planned.median(), "in the last year"
        factor = float(theirs / ours)
        if 1 / FAR_UNIT <= factor <= FAR_UNIT:
            found += _segments_of_another_unit(view, frame, table, period, column)
            continue
        middle = f"a month of it is {money(theirs)} in the middle, bookings {when} are {money(ours)}"
        found.append(
            Problem(
                severity="warning",
                table=table,
                column=column,
                what=f"of another size than what is booked{_as_if(factor)}",
                evidence=f"{middle}: {_times(factor)}",
                count=len(frame),
                mend=f"write {table} in the unit of the deals' amounts",
            )
        )
    return found


def _segments_of_another_unit(
    view: KnownState, frame: pd.DataFrame, table: str, period: str, column: str
) -> list[Problem]:
    """Return the segments of a table whose months are a hundred times what was booked in them, or a hundredth."""
    if "segment" not in frame:
        return []
    odd = {}
    for segment, rows in frame.groupby("segment"):
        planned, booked = _per_month(rows, period, column), _booked(view, rows)
        shared = planned[planned > 0].index.intersection(booked[booked > 0].index)
        if len(shared) >= FEWEST_DEALS:
            factor = float(planned[shared].sum() / booked[shared].sum())
            if not 1 / FAR_AMOUNTS <= factor <= FAR_AMOUNTS:
                odd[str(segment)] = factor
    if not odd:
        return []
    shown = joined((f"{_times(factor)} in {name!r}" for name, factor in odd.items()), most=3)
    return [
        Problem(
            severity="warning",
            table=table,
            column=column,
            what=f"of another size than what is booked, in some segments{_as_if(next(iter(odd.values())))}",
            evidence=f"beside bookings of the same months: {shown}",
            mend=f"write {table} in the unit of the deals' amounts",
        ).at(list(odd))
    ]


def _booked(view: KnownState, frame: pd.DataFrame) -> pd.Series:
    """Return the bookings of each settled month, in the segments or of the owners that a table names, by its label."""
    won = view.won_deals[view.closed_in[view.won_deals] <= view.last_settled]
    if "segment" in frame:
        inside = np.isin(view.ledger.segments, frame["segment"].dropna().unique())
        won = won[np.append(inside, False)[view.segment[won]]]
    elif "owner" in frame and "owner" in view.ledger.opportunities:
        owner = view.ledger.opportunities["owner"]
        won = won[owner.isin(frame["owner"].dropna().unique()).to_numpy()[won]]
    sums = pd.Series(np.nan_to_num(view.amount[won])).groupby(view.closed_in[won]).sum()
    return sums.set_axis(period_labels(sums.index))


def _per_month(frame: pd.DataFrame, period: str, column: str) -> pd.Series:
    """Return the sum of each month; of what several submit, on several days, the mean of one submission's sum."""
    if "submitter" not in frame:
        return frame.groupby(period)[column].sum()
    keys = [name for name in ("submitter", "category", "submitted_on") if name in frame]
    each = frame.groupby([period, *keys], dropna=False)[column].sum()
    return each.groupby(level=0).median()


def _times(factor: float) -> str:
    return f"{number(factor)} times" if factor >= 1 else f"1 / {number(1 / factor)}"


def _as_if(factor: float) -> str:
    """Return `, as if in thousands` where a factor is near a power of a thousand."""
    power = round(math.log10(factor) / 3)
    near = abs(math.log10(factor) - 3 * power) < 0.75
    words = {-2: "in millions", -1: "in thousands", 1: "a thousandfold", 2: "a millionfold"}
    return f", as if {words[power]}" if near and power in words else ""
