"""Today's amounts against the last row of history: two exports in two units, or in two currencies, look like a change.

History is believed on any day, today's amounts on none but the last without it; so where the two differ, every forecast
is made from amounts that nobody sees in the CRM any more.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from forecast.data.checks.table import problem_at
from forecast.data.rates import TABLE as RATES
from forecast.data.rates import rates_on
from forecast.data.schema import Company
from forecast.errors import Problem, Severity
from forecast.wording import number, plural

OPPS, HISTORY = "opportunities", "opportunity_history"

OTHER_AMOUNT = "today's amount is not that of the last row of history; on any day history is believed"

_SAME = 1e-6
"""Relative difference that two ways of writing one amount may have."""
_SMALL = 0.001
"""Difference of the two sums, as a share of today's, from which a forecast becomes another."""
_FEWEST, _ALIKE = 3, 1.25
"""Opportunities whose ratio must be alike, within this factor, for one ratio to be told."""


def amounts_against_history(tables: Mapping[str, pd.DataFrame], last: np.ndarray, company: Company) -> list[Problem]:
    """Return the opportunities whose amount is not that of their last row of history.

    last : (n,) the last row of each opportunity, -1 where there is none.
    """
    frame, history = tables[OPPS], tables[HISTORY]
    at = np.maximum(last, 0)
    if not len(history):
        return []
    today = frame["amount"].to_numpy(dtype=np.float64)
    then = np.where(last >= 0, history["amount"].to_numpy(dtype=np.float64)[at], np.nan)
    if "currency" in history and "currency" in frame:
        theirs, ours = history["currency"].to_numpy(dtype=object)[at], frame["currency"].to_numpy(dtype=object)
        rates = _rates(tables, company)
        own = pd.isna(theirs)  # a row without a currency is in that of its opportunity
        factor = np.array([rates.get(b if o else a, np.nan) for a, b, o in zip(theirs, ours, own, strict=True)])
        then, today = then * factor, today * np.array([rates.get(name, np.nan) for name in ours])
    with np.errstate(invalid="ignore"):
        other = np.abs(then - today) > _SAME * np.maximum(np.abs(then), np.abs(today))
    if not other.any():
        return []
    sums = [float(np.abs(each[other]).sum()) for each in (then, today)]
    whole = float(np.nansum(np.abs(today)))
    severity: Severity = "warning" if np.abs(then - today)[other].sum() > _SMALL * whole else "info"
    evidence = (
        f"{plural(int(other.sum()), 'opportunity')} of {int((last >= 0).sum()):,} with history: "
        f"{number(sums[1])} today, {number(sums[0])} by their last rows{_ratio(then[other], today[other])}"
    )
    return problem_at(
        frame,
        other,
        table=OPPS,
        column="amount",
        what=OTHER_AMOUNT,
        mend="export both on the same day, in the same unit and currency; or add the row of history that is missing",
        severity=severity,
        evidence=evidence,
    )


def _rates(tables: Mapping[str, pd.DataFrame], company: Company) -> dict[object, float]:
    """Return what a unit of each currency is worth by the latest rates; all 1 where there are none."""
    rates = tables.get(RATES)
    used = pd.concat([tables[name]["currency"] for name in (OPPS, HISTORY)]).dropna().unique()
    if rates is None:
        return dict.fromkeys([*used, None, np.nan], 1.0)
    now = rates_on(rates, pd.Timestamp("2199-12-31"), company.periods)
    found: dict[object, float] = dict(zip(now["currency"], now["plan_rate"], strict=True))
    return {None: 1.0, np.nan: 1.0, company.currency: 1.0} | found


def _ratio(then: np.ndarray, today: np.ndarray) -> str:
    """Return by which factor the two differ, where it is one."""
    both = (then > 0) & (today > 0)
    if both.sum() < _FEWEST:
        return ""
    ratio = then[both] / today[both]
    middle = float(np.median(ratio))
    if np.mean((ratio > middle / _ALIKE) & (ratio < middle * _ALIKE)) < 0.5:
        return ""
    return f", {number(middle)} times" if middle >= 1 else f", 1 / {number(1 / middle)}"
