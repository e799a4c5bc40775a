"""What lies beyond the months modelled: of deals as old as this one, how many were seen to be won in the end.

Simple case: deals are followed from the month they were created in. Of those open at the start of the k-th month after
it, a share is won in that month and a share is lost (`seen_ages`). Going back from the oldest age,

    T_k = w_k + (1 - w_k - l_k) T_(k+1)

is the chance that a deal open at age k is won at any age that was seen (`in_the_end`): the Aalen-Johansen estimate of
two competing risks (Aalen & Johansen, *Scandinavian Journal of Statistics* 5, 1978; Kalbfleisch & Prentice 2002, 8.2),
and where losses are not recorded one less the plateau of Kaplan and Meier: the share that is won, the others never.
The complications:

- a deal still open is followed to the last settled month, one that is older than the records from where these begin;
- beyond the oldest age at which enough deals were seen nothing is claimed. What may come then is in the range alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, gammaincinv, logit

from forecast.data.known.coding import LOST, OPEN, WON
from forecast.data.known.ledger import KnownState
from forecast.models.win.landmarks import States

FEWEST_SEEN = 3
"""Deals seen open at an age, below which nothing is concluded from it: of one or two, the next closure would be all.
To ask for more would leave out what short records hold of the oldest ages (docs/methods/win_probability.md)."""

_TAIL = 0.025
_NORMAL95 = 1.959963984540054


@dataclass(frozen=True, kw_only=True)
class SeenAges:
    """Deals by age, (A,) each: seen open at the start of the k-th month after that of creation, and won or lost in it.

    A is one more than the oldest age at which FEWEST_SEEN deals were seen.
    """

    at_risk: np.ndarray
    won: np.ndarray
    lost: np.ndarray


@dataclass(frozen=True, kw_only=True)
class InTheEnd:
    """What becomes of a deal open at the start of age 0, 1, …, A, (A + 1,) each; the last stands for all older ones.

    won, closed : chances, up to the oldest age seen. low, high : 95 % range of `won` at any age, seen or not.
    """

    won: np.ndarray
    closed: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def at(self, age: np.ndarray) -> InTheEnd:
        """Return the same for deals of some ages, (n,) each; age : whole months, below 0 where it is not known."""
        place = np.where(age < 0, len(self.won) - 1, np.minimum(age, len(self.won) - 1))
        return InTheEnd(won=self.won[place], closed=self.closed[place], low=self.low[place], high=self.high[place])


def ages_at(view: KnownState, states: States, *, month: int | np.ndarray) -> np.ndarray:
    """Return the age of open deals in a month, in months from that of creation; -1 where it is not known, (n,).

    month : one for all, or (n,).
    """
    created = view.ledger.created_in[states.deal]
    return np.where(created > 0, np.maximum(month - created, 0), -1)


def seen_ages(view: KnownState, *, months: int) -> SeenAges:
    """Return how many deals were seen at each age, and what became of them, in the last settled months.

    months : how many, at most; they begin where closures are recorded. A deal counts at the ages that it was open at
    in these months. A deal whose creation or closing month is not known does not count.
    """
    ledger, last = view.ledger, view.last_settled
    first = max(last + 1 - months, view.closures_recorded_from)
    created, closed = ledger.created_in, view.outcome != OPEN
    until = np.where(closed, view.closed_in, last + 1)
    entry = np.maximum(created, first)
    use = view.known & (created > 0) & (~closed | (view.closed_in > 0)) & (entry <= np.minimum(until, last))
    entry, until, created, outcome = entry[use], until[use], created[use], view.outcome[use]

    ages = int((last - created).max(initial=-1)) + 1
    came = np.bincount(entry - created, minlength=ages + 1)
    left = np.bincount(np.minimum(until, last) - created + 1, minlength=ages + 1)
    at_risk = came[:ages].cumsum() - left[:ages].cumsum()
    ended, age = until <= last, until - created
    won, lost = (np.bincount(age[ended & (outcome == how)], minlength=ages) for how in (WON, LOST))
    enough = np.flatnonzero(at_risk >= FEWEST_SEEN)
    oldest = int(enough[-1]) + 1 if len(enough) else 0
    return SeenAges(at_risk=at_risk[:oldest], won=won[:oldest], lost=lost[:oldest])


def in_the_end(seen: SeenAges) -> InTheEnd:
    """Return the chances that a deal open at an age is won, and closed, at any age seen, with a range.

    The variance goes back with the chance: that of a share among the deals at risk, by the delta method (Greenwood's,
    for two risks); the ends are taken on the logit. Deals still open at the oldest age may be won later: the range
    allows for as many months again as were seen, each with the largest chance that the older half of the ages leaves
    possible: the upper 97.5 % bound of a Poisson rate, 3.7 by the deal-months where no win was seen (Garwood 1936).
    """
    ages, n = len(seen.at_risk), np.maximum(seen.at_risk, 1)
    w, out = seen.won / n, np.minimum((seen.won + seen.lost) / n, 1.0)
    won, closed, stays, variance = np.zeros(ages + 1), np.zeros(ages + 1), np.ones(ages + 1), np.zeros(ages + 1)
    for k in range(ages - 1, -1, -1):
        later, stay = won[k + 1], 1.0 - out[k]
        won[k] = w[k] + stay * later
        closed[k] = out[k] + stay * closed[k + 1]
        stays[k] = stay * stays[k + 1]
        # A deal at risk adds (1 - later) if won, -later if lost, 0 if it stays.
        mean = w[k] - out[k] * later
        second = w[k] * (1.0 - later) ** 2 + (out[k] - w[k]) * later**2
        variance[k] = stay**2 * variance[k + 1] + max(second - mean**2, 0.0) / n[k]
    low, high = _logit_range(won, variance)
    return InTheEnd(won=won, closed=closed, low=low, high=np.minimum(high + stays * _unseen(seen), 1.0))


def _logit_range(p: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of a 95 % interval of shares, taken on the logit; 0 and 1 stay as they are, (n,)."""
    inside = np.clip(p, 1e-12, 1.0 - 1e-12)
    half = _NORMAL95 * np.sqrt(variance) / (inside * (1.0 - inside))
    low, high = expit(logit(inside) - half), expit(logit(inside) + half)
    return np.minimum(np.where(p > 0, low, 0.0), p), np.maximum(np.where((p > 0) & (p < 1), high, p), p)


def most_to_come(won: float, exposure: float, *, ahead: float) -> float:
    """Return the largest chance that one still open is won in a time ahead, by how many were won in a time of exposure.

    The upper 97.5 % bound of a Poisson rate (Garwood 1936) goes on; 1 where nothing was seen. By hand: no win in 37
    months leaves a rate of 3.7 / 37 possible, so in 10 months 1 - exp(-1) = 0.63.
    """
    if not exposure > 0:
        return 1.0
    rate = float(gammaincinv(won + 1.0, 1.0 - _TAIL)) / exposure
    return float(-np.expm1(-rate * ahead))


def _unseen(seen: SeenAges) -> float:
    """Return the largest chance that a deal open at the oldest age seen is won in as many months again."""
    ages = len(seen.at_risk)
    older = slice(ages // 2, ages)
    return most_to_come(seen.won[older].sum(), float(seen.at_risk[older].sum()), ahead=ages)
