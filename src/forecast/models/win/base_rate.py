"""Who wins where no column tells: the share won of the deals that closed, by their age as far as age tells.

Simple case: nothing tells who wins, so every deal that closes is won with the share won of all deals that have closed;
when it closes is the hazards' affair. The complication: where wins take longer than losses (or shorter), the age at
which a deal closes does tell. How far it may is asked within months of closure, since the mix of ages and the share
won both differ from month to month, and in a short record the one passes for the other.
"""

from __future__ import annotations

import numpy as np

from forecast.data.known.coding import LOST, NO_DAY, WON
from forecast.data.known.ledger import KnownState
from forecast.models.win.landmarks import MONTH, States

AGES = 36
"""Ages in months that are told apart; older deals are taken together."""

A_QUARTER = 3
"""Settled months of closures that are waited for. With fewer, one end of a quarter would stand for all its months, so
what is known counts, settled or not: of closures recorded late, wins and losses are missing alike."""


def win_shares(view: KnownState) -> np.ndarray:
    """Return the share won of deals that close at an age of 0, 1, … months, by what has settled; (AGES + 1,).

    The last is that of all deals, for those whose age is not known.
    """
    ledger = view.ledger
    known = view.known & (view.closed_in > 0) & ((view.outcome == WON) | (view.outcome == LOST))
    settled = known & (view.closed_in <= view.last_settled)
    closed = np.flatnonzero(settled if len(np.unique(view.closed_in[settled])) >= A_QUARTER else known)
    won = view.outcome[closed] == WON
    overall = (won.sum() + 0.5) / (len(closed) + 1.0)
    dated = ledger.created_on[closed] != NO_DAY
    deals, won = closed[dated], won[dated]
    if not len(deals):
        return np.full(AGES + 1, overall)

    age = age_in_months((view.closed_on[deals] - ledger.created_on[deals].astype(np.int64)) / MONTH)
    month = view.closed_in[deals] - view.closed_in[deals].min()
    months = int(month.max()) + 1
    cell = age * months + month
    by_age = np.bincount(cell, minlength=AGES * months).reshape(AGES, months)
    wins = np.bincount(cell[won], minlength=AGES * months).reshape(AGES, months)
    return np.append(shrunk_shares(wins, by_age, overall=float(overall)), overall)


def shrunk_shares(won: np.ndarray, closed: np.ndarray, *, overall: float) -> np.ndarray:
    """Return the share won at each age, shrunk to `overall` as far as chance could explain how ages differ; (A,).

    won, closed : (A, M), deals by age and month of closure.

    With O = wins at an age, E = what the months' own shares would give and V the variance of O - E by chance (were a
    month's wins dealt out to its closures at random: hypergeometric, as in a log-rank test), ages differ by a variance
    of max(0, sum (O - E)^2 / n - sum V / n) / (N - sum n^2 / N), by moments (DerSimonian & Laird, *Controlled Clinical
    Trials* 7, 1986). A share counts with that variance over that variance plus V / n^2.
    """
    by_age, by_month = closed.sum(axis=1), closed.sum(axis=0)
    n, total = np.maximum(by_age, 1), max(int(by_age.sum()), 1)
    share_of_month = won.sum(axis=0) / np.maximum(by_month, 1)
    excess = won.sum(axis=1) - closed @ share_of_month
    others = (by_month - closed) / np.maximum(by_month - 1, 1)
    variance = (share_of_month * (1.0 - share_of_month) * closed * others).sum(axis=1)

    apart = float((excess**2 / n).sum() - (variance / n).sum())
    between = max(apart, 0.0) / max(total - float((by_age**2).sum()) / total, 1e-12)
    if between <= 0:
        return np.full(len(by_age), overall)
    weight = np.where(by_age > 0, between / (between + variance / n**2), 0.0)
    return np.asarray(overall + weight * (won.sum(axis=1) / n - overall))


def split_by_share(
    won: np.ndarray, lost: np.ndarray, states: States, *, shares: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return hazards of won and lost with the same sum, shared out by `shares` at the deal's age in each step.

    won, lost : (n, S). shares : as `win_shares` gives them.
    """
    closing = won + lost
    age = states.age[:, None] + np.arange(won.shape[1]) + 0.5  # the middle of the step, counted from the day
    share = shares[np.where(np.isnan(age), AGES, age_in_months(np.nan_to_num(age)))]
    return share * closing, (1.0 - share) * closing


def age_in_months(months: np.ndarray) -> np.ndarray:
    """Return ages in whole months, those beyond the last taken together; int64."""
    return np.clip(np.floor(months), 0, AGES - 1).astype(np.int64)
