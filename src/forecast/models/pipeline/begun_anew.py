"""When deals were created that began anew in another CRM: spread over the months before, as far as deals stay open.

Simple case: there are none, and nothing is added. Else the deals of a load were open on its day D and created in the
months before, nobody knows in which: of those created k months before, the share S(k) that deals stay open as long as
that is among them. Where about as many are created each month, a deal of the load is of month D - k with weight S(k).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.known.coding import NONE
from forecast.data.known.ledger import KnownState


def created_before(view: KnownState, group: np.ndarray, *, groups: int, periods: np.ndarray) -> np.ndarray:
    """Return how many of the deals that began anew were created in each month, expected; (R, G, T).

    group : (n,) source group of each deal, of `groups`. periods : (T,) months, one after the other.
    """
    ledger = view.ledger
    out = np.zeros((len(ledger.segments), groups, len(periods)))
    for load in ledger.breaks.begun:
        deals = load.deals[view.known[load.deals] & (view.segment[load.deals] != NONE)]
        day = view.calendar.period(pd.Timestamp(np.datetime64(load.day, "D")))
        months = np.array(sorted(month for month in ledger.half_seen if month < day), dtype=np.int64)
        months = months[(months >= periods[0]) & (months <= periods[-1])]
        if not len(deals) or not len(months):
            continue
        weight = still_open(view, day - months, load=day)
        if weight.sum() <= 0:
            continue
        cell = view.segment[deals] * groups + group[deals]
        counts = np.bincount(cell, minlength=out[:, :, 0].size).reshape(out.shape[:2])
        out[:, :, months - periods[0]] += counts[:, :, None] * (weight / weight.sum())
    return out


def still_open(view: KnownState, ages: np.ndarray, *, load: int) -> np.ndarray:
    """Return the share of deals that stay open for some months or longer; (K,), 0 where no deal tells.

    It is learned from deals of which all is known for as long: created since the load, or so long before that they
    would have closed by then. ages : (K,) months. load : the period of the load.
    """
    ledger = view.ledger
    born = ledger.created_in
    deals = np.flatnonzero(view.known & (born > 0) & ~np.isin(born, list(ledger.half_seen)))
    born, closed = born[deals].astype(np.int64), view.closed_in[deals]
    out = np.zeros(len(ages))
    for place, age in enumerate(ages):
        told = (born + age <= view.last_complete) & ((born >= load) | (born + age < load))
        if told.any():
            out[place] = np.mean((closed[told] == 0) | (closed[told] - born[told] >= age))
    return out
