"""Who wins, and how old, where no column tells: the share won of the deals that closed, and closings by age in months.

Simple case: nothing tells who wins, so every deal that closes is won with the share won of all deals that have closed,
and it closes by the hazards of its age group, step and season. The complications:

- where wins take longer than losses (or shorter), the age at which a deal closes does tell (`win_shares`). How far it
  may is asked within months of closure, since the mix of ages and the share won both differ from month to month, and in
  a short record the one passes for the other;
- deals close at the ages at which deals were seen to close, month by month of age (`closing_pace`): at an age at which
  none did of those that were open at it, next to none is expected to. The hazards' own groups of ages are too wide.
"""

from __future__ import annotations

import numpy as np

from forecast.data.known.coding import LOST, NO_DAY, WON
from forecast.data.known.ledger import KnownState
from forecast.models.win.encoding import Encoding
from forecast.models.win.hazards import MOST_CLOSED
from forecast.models.win.landmarks import MONTH, Rows, States

AGES = 36
"""Ages in months that are told apart; older deals are taken together."""

A_QUARTER = 3
"""Settled months of closures that are waited for. With fewer, one end of a quarter would stand for all its months, so
what is known counts, settled or not: of closures recorded late, wins and losses are missing alike."""

FEWEST_CLOSINGS = 3.0
"""Closings at an age, or as many expected, at which what was seen there counts as much as what the younger ages say."""

_TURNS = 20
_PLAIN = 0.001


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


def closings_by_age(rows: Rows, closing: np.ndarray, *, steps: int) -> np.ndarray:
    """Return the closings seen at each age in months and step, and those that hazards expected, (2, AGES, steps).

    A row is a deal at risk in a month: one that was created before the records begin, or is still open, counts in the
    months in which it was looked at. A month is looked at from up to `steps` origins and counts once.

    closing : hazards of the rows, (k,).
    """
    months = rows.states.age[rows.landmark] + rows.step + 0.5
    dated = ~np.isnan(months)
    age = age_in_months(months[dated])
    weight = rows.weight[dated] / np.minimum(steps, age + 1)
    cell = age * steps + np.minimum(rows.step[dated], steps - 1)
    parts = ((rows.won | rows.lost)[dated], closing[dated])
    return np.stack([np.bincount(cell, weight * part, minlength=AGES * steps).reshape(AGES, steps) for part in parts])


def closing_pace(counts: np.ndarray) -> np.ndarray:
    """Return factors on the chance to close in a month by age and step, (AGES + 1, steps); the last of unknown ages.

    counts : (2, AGES, steps), closings seen O and expected E, as `closings_by_age` gives them. A factor is one for all,
    times that of the age, times that of the step; the two are worked out given each other, by turns (iterative
    proportional fitting).
    """
    seen, expected = counts
    overall = _ratio(seen, expected)
    expected = expected * overall
    step = np.ones(seen.shape[1])
    for _ in range(_TURNS):
        by_age = pace_by_age(seen.sum(axis=1), expected @ step)
        step = (seen.sum(axis=0) + FEWEST_CLOSINGS) / (by_age @ expected + FEWEST_CLOSINGS)
    return overall * np.outer(np.append(by_age, _ratio(seen, expected @ step)), step)


def pace_by_age(seen: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return closings seen over expected at each age, an age at which little was expected like the younger ones; (A,).

    From the youngest age on, and at first from the ratio of all,

        pace_a = (O_a + k pace_(a-1)) / (E_a + k),    k = FEWEST_CLOSINGS / max(1, pace_(a-1)),

    the mean of a Poisson rate whose prior is the age before and counts as FEWEST_CLOSINGS there would, at most. That no
    deal closed is no proof that none will: the pace is never below half a closing (Jeffreys' prior) over all that were
    expected since the last age with one.

    >>> pace_by_age(np.array([20.0, 0.0, 0.0]), np.array([15.0, 5.0, 0.0])).round(3)
    array([1.278, 0.408, 0.408])
    """
    pace, before, since = np.empty(len(seen)), _ratio(seen, expected), 0.0
    for age, (o, e) in enumerate(zip(seen, expected, strict=True)):
        k = FEWEST_CLOSINGS / max(1.0, before)
        before = max((o + k * before) / (e + k), 0.5 / (since + e + FEWEST_CLOSINGS))
        since = 0.0 if o else since + e
        pace[age] = before
    return pace


def _ratio(seen: np.ndarray, expected: np.ndarray) -> float:
    """Return all closings seen over all expected, 1 where there is neither."""
    return float(seen.sum() / expected.sum()) if seen.sum() > 0 and expected.sum() > 0 else 1.0


def by_season_alone(code: Encoding, beta: np.ndarray) -> np.ndarray:
    """Return the coefficients with age groups and steps taken out: what is left is the affair of `closing_pace`.

    A month in which nothing is special then closes `_PLAIN` of the deals, in the proportion of won and lost that the
    first step has: small enough for effects to multiply, and the same whenever the model is moved on.
    """
    out = beta.copy()
    first, width, _ = code.layout["age"]
    out[first : first + width] = 0.0
    first, width, _ = code.layout["step"]
    out[first : first + width] = np.log(_PLAIN) + beta[first] - np.logaddexp.reduce(beta[first])
    return out


def split_by_share(
    won: np.ndarray, lost: np.ndarray, states: States, *, shares: np.ndarray, pace: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return hazards of won and lost, their sum times `pace`, shared out by `shares` at the deal's age in each step.

    won, lost : (n, S). shares, pace : as `win_shares` and `closing_pace` give them; beyond their steps the last holds.
    """
    step = np.arange(won.shape[1])
    age = states.age[:, None] + step + 0.5  # the middle of the step, counted from the day
    place = np.where(np.isnan(age), AGES, age_in_months(np.nan_to_num(age)))
    closing = np.minimum((won + lost) * pace[place, np.minimum(step, pace.shape[1] - 1)], MOST_CLOSED)
    share = shares[place]
    return share * closing, (1.0 - share) * closing


def age_in_months(months: np.ndarray) -> np.ndarray:
    """Return ages in whole months, those beyond the last taken together; int64."""
    return np.clip(np.floor(months), 0, AGES - 1).astype(np.int64)
