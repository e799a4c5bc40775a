"""Sequential alarms: has what is looked at every month changed lately? One rule and one budget for all of them.

A test of five per cent that is made anew every month cries wolf before long. An alarm here is a bet instead: each month
pays out `bet`, a number that is at least 0 and at most 1 on average while all is as it should be, whatever came before
(an e-value; Shafer 2021; Ramdas, Grünwald, Vovk and Shafer 2023). Somebody who begins to bet in any one month, and lets
the winnings ride, then owns the product of the bets since; the evidence of a month is the sum over all months in which
they could have begun (the Shiryaev-Roberts statistic, an e-detector: Shin, Ramdas and Rinaldo 2024). It grows by at
most 1 a look on average, so that with the limit c there is at most one false alarm in c looks, with no word on how the
months depend on each other.

Simple case: bets in, `watch` says whether the evidence has passed its limit and which months it speaks of. The limit
comes from `limit`: all alarms of a company share one false alarm in two years, each family its part of it (`SHARES`),
and those of one family divide their part among them.

Three kinds of bets are at hand: on which side of the forecast the outcome fell (`side_bets`), on whether it fell inside
its range (`range_bets`), both for those who gave a range; and on whether errors are larger than they used to be
(`habit_bets`), for those who gave a number alone. docs/methods/alarms.md has the measured figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from forecast.errors import DataError, ParameterError
from forecast.evaluation.scores.amounts import as_floats

Floats = NDArray[np.float64]

LOOKS = 24
"""Looks, one a month, in which all alarms of a company together may be false once."""

SHARES: Mapping[str, float] = MappingProxyType(
    {
        "company too high": 0.20,
        "company too low": 0.08,
        "company ranges": 0.08,
        "people too high": 0.28,
        "people too low": 0.12,
        "segments too high": 0.10,
        "segments too low": 0.04,
        "company wins fewer": 0.05,
        "company wins more": 0.01,
        "segments wins fewer": 0.02,
        "segments wins more": 0.01,
        "later": 0.01,
    }
)
"""Each family's part of the one false alarm; `later` is kept for alarms still to come."""

WINDOW = 12
"""Months in which a change may have begun to count as one of late."""

SHIFTS = (1.0, 2.0)
"""By how many standard deviations a series may have moved: half of the money is bet on either."""

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
"""Quantiles between which an outcome's place is bet on. The outermost of a forecast are not: a bet on them pays twenty
times and rests on how exact the range of 95 % is."""

OUTSIDE = (0.5, 0.8)
"""How often outcomes may now fall outside a range that promised fewer: half of the money is bet on either."""

PRIOR = 10.0
"""Outcomes that a promise counts for against the record before the last months."""

MOST_PERSISTENCE = 0.7
"""No series of errors is taken to carry over more than this from one month to the next: a change looks the same."""

FEWEST = 6
"""Fewest months from which a habit can be known."""


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """What the evidence says at the last look.

    evidence : (T,), after each look. limit : what it must reach. start : index of the first of the months the alarm
    speaks of: the last from which the bets won more than half of what they won from the best one, so that months before
    it that added little are not among them.
    """

    evidence: Floats
    limit: float
    start: int

    @property
    def is_on(self) -> bool:
        """Whether the evidence has reached its limit at the last look."""
        return bool(len(self.evidence)) and bool(self.evidence[-1] >= self.limit)


def limit(family: str, *, watched: int = 1) -> float:
    """Return the evidence at which an alarm is raised: looks per false alarm of one of `watched` alarms of a family.

    By hand: people have .30 of one false alarm in 24 looks; one of six alarms has .05 of it, so the limit is 480.
    """
    if family not in SHARES:
        raise ParameterError(f"family: {family!r} has no share of the budget; there are {', '.join(SHARES)}")
    if watched < 1:
        raise ParameterError(f"watched: {watched} is not 1 or more")
    return LOOKS * watched / SHARES[family]


def watch(bets: Any, *, limit: float, window: int = WINDOW) -> Alarm:
    """Return the alarm of a series of bets.

    bets : (T, K), what each look paid to K strategies among which the money is divided evenly at every beginning; at
    least 0, and 1 on average at most while nothing has changed. Only beginnings in the last `window` looks count.

    Raises ParameterError for another shape, and DataError where a bet is negative or missing.
    """
    paid = as_floats(bets, "bets")
    if paid.ndim != 2 or paid.shape[1] < 1:
        raise ParameterError(f"bets have shape {paid.shape}; (looks, strategies) is wanted")
    if window < 1:
        raise ParameterError(f"window: {window} is not 1 or more")
    if np.isnan(paid).any() or (paid < 0).any():
        raise DataError("a bet is negative or missing", column="bets", mend="leave the look out, or let it pay 1")
    capital = _capital(paid)
    looks = len(paid)
    evidence = np.array([capital[max(0, t - window + 1) : t + 1, t].sum() for t in range(looks)])
    recent = capital[max(0, looks - window) :, -1] if looks else np.zeros(0)
    won_most = (recent > recent.max(initial=0.0) / 2) | (recent == recent.max(initial=0.0))
    start = looks - len(recent) + int(np.flatnonzero(won_most)[-1]) if looks else 0
    return Alarm(evidence=evidence, limit=limit, start=start)


def _capital(bets: Floats) -> Floats:
    """Return what one who began at look i owns after look t, mean over strategies; (T, T), 0 where t < i."""
    looks = len(bets)
    owned = np.zeros((looks, looks))
    running = np.ones((looks, bets.shape[1]))
    for t in range(looks):
        running[: t + 1] *= bets[t]
        owned[: t + 1, t] = running[: t + 1].mean(axis=1)
    return owned


# -- bets on a forecast that promised a range ------------------------------------------------------------


def side_bets(pit: Any, *, too_high: bool, window: int = WINDOW) -> Floats:
    """Return the bets that forecasts have become too high (or too low), from where outcomes fell; (T, K).

    pit : (T,), where each outcome fell in its forecast's distribution, 0 to 1; a missing one pays 1.

    Simple case: the place is known between quantiles only, and a bin of probability p0 pays p1 / p0, p1 its probability
    were the outcome's normal score lower by each of `SHIFTS`. By hand: below the 10 % quantile a shift of 1 pays
    Phi(-1.2816 + 1) / .1 = 3.89. One complication: where more outcomes fell into a bin before the last `window` looks
    than was promised, that share is its price (`_price`), so that what was always so is no change.
    """
    place = as_floats(pit, "pit").ravel()
    _check_unit(place, "pit")
    edges = np.array([0.0, *LEVELS, 1.0])
    where = place if too_high else 1 - place
    bin_of = np.clip(np.searchsorted(edges, where, side="left") - 1, 0, len(edges) - 2)
    known = ~np.isnan(place)
    hits = (bin_of[:, None] == np.arange(len(edges) - 1)) & known[:, None]
    price = _price(np.diff(edges), hits[known][: _earlier(known, window)])
    pays = np.diff(ndtr(ndtri(edges)[:, None] + np.array(SHIFTS)), axis=0) / price[:, None]
    return np.where(known[:, None], pays[bin_of], 1.0)


def range_bets(inside: Any, *, nominal: float = 0.8, window: int = WINDOW) -> Floats:
    """Return the bets that ranges fail more often than they did and than was promised, whatever the side; (T, K).

    inside : (T,), 1 where the outcome fell inside its range, 0 where not; a missing one pays 1. By hand: of ranges that
    promised .8, one that fails pays .5 / .2 = 2.5 to who bet on half of them failing, one that holds .5 / .8 = .625.
    A record worse than promised before the last `window` looks is the price instead, as in `side_bets`.
    """
    held = as_floats(inside, "inside").ravel()
    if not 0 < nominal < 1:
        raise ParameterError(f"nominal: {nominal} is not between 0 and 1")
    known = ~np.isnan(held)
    if (known & (held != 0) & (held != 1)).any():
        raise DataError("holds something else than 0 and 1", column="inside", mend="1 inside the range, 0 outside")
    hits = np.stack([held == 0, held == 1], axis=1)
    price = _price(np.array([1 - nominal, nominal]), hits[known][: _earlier(known, window)])
    outside = np.array(OUTSIDE)
    pays = np.where(held[:, None] == 0, outside / price[0], (1 - outside) / price[1])
    return np.where(known[:, None], pays, 1.0)


def _earlier(known: NDArray[np.bool_], window: int) -> int:
    """Return how many known looks lie before the last `window` looks."""
    return int(known[: max(0, len(known) - window)].sum())


def _price(promised: Floats, hits: NDArray[np.bool_]) -> Floats:
    """Return what one pays for a unit on each bin: its promised probability, or its share so far where that is larger.

    promised : (B,). hits : (n, B), which bin each earlier outcome fell into. The share is drawn towards the promise as
    by `PRIOR` more outcomes that kept it. Never less than promised, so that a bet stays fair to an honest forecast.
    """
    share = (PRIOR * promised + hits.sum(axis=0)) / (PRIOR + len(hits))
    return np.maximum(promised, share)


def _check_unit(values: Floats, name: str) -> None:
    if ((values < 0) | (values > 1)).any():
        raise DataError("is not between 0 and 1", column=name, mend="give probabilities")


# -- bets on a number that stands alone ------------------------------------------------------------------


def habit_bets(errors: Any) -> Floats:
    """Return the bets that errors have become larger than they used to be, by their own past; (T, K).

    errors : (T,), signed; give their negatives to ask whether they have become smaller. A missing one pays 1.

    Simple case: errors of before and of now are alike, so that the newest is equally likely to be the largest, the
    second largest and so on among all so far (Vovk's conformal martingale); a high rank pays. Nothing else is asked of
    them: a habit of forecasting too high is no change, and one gross miss is one rank. One complication: errors carry
    over from month to month, so that high ranks come in runs by themselves. What the error before foretells is taken
    out first (`persistence`).
    """
    values = as_floats(errors, "errors").ravel()
    out = np.ones((len(values), len(SHIFTS)))
    known = np.flatnonzero(~np.isnan(values))
    if len(known) < FEWEST:
        return out
    fresh = values[known] - np.median(values[known])
    fresh[1:] -= persistence(fresh) * fresh[:-1]
    for t in range(1, len(fresh)):
        out[known[t]] = _rank_pays(fresh[: t + 1])
    return out


def _rank_pays(values: Floats) -> Floats:
    """Return what the rank of the last of n values pays, (K,); over the n ranks it could have had, 1 on average."""
    n = len(values)
    share = (np.arange(n) + 0.5) / n
    pays = np.exp(-ndtri(share)[:, None] * np.array(SHIFTS) - np.square(SHIFTS) / 2)
    pays /= pays.mean(axis=0)
    larger, equal = int((values > values[-1]).sum()), int((values == values[-1]).sum())
    return pays[larger : larger + equal].mean(axis=0)


def persistence(errors: Any) -> float:
    """Return how much of an error carries over to the next month: the rank correlation of neighbours, 0 to .7."""
    ranks = rankdata(as_floats(errors, "errors").ravel())
    ranks -= ranks.mean() if len(ranks) else 0.0
    total = float((ranks**2).sum())
    return float(np.clip((ranks[1:] * ranks[:-1]).sum() / total, 0.0, MOST_PERSISTENCE)) if total else 0.0
