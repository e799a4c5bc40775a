"""What share comes to one end in the end, where some are still on their way: the cumulative incidence, on arrays.

Simple case: all were followed to the end. Then the share is a count over a count, and its interval Wilson's. The
complication is that many are not there yet. Leaving them out flatters what ends sooner, and counting them as failed
punishes the young. The estimate of Aalen and Johansen (*Scandinavian Journal of Statistics* 5, 1978; Kalbfleisch and
Prentice 2002, 8.2) lets each count for as long as it was seen:

    F_k(t) = sum over s <= t of S(s-) d_k(s) / Y(s),    S(t) = product over s <= t of 1 - d(s) / Y(s)

with Y(s) under way and d_k(s) coming to end k at time s. The variance is the sum of squares of what each one adds to
F_k (the infinitesimal jackknife: Jaeckel 1972; Therneau and Grambsch 2000, 7; without weights it is Greenwood's for
several ends), so that it holds with weights too, and for a ratio of two ends by the delta method.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammaincinv, stdtrit

from forecast import wording
from forecast.errors import ParameterError
from forecast.models.win.plateau import most_to_come

FEWEST_FOLLOWED, FOLLOWED_SHARE = 10, 0.05
"""How many, and which share of all, must have been followed to an age for it to be looked at."""

MOST_OPEN = 0.10
"""What may still come on top of a share, beyond the oldest age seen, before it cannot be told."""

PRIOR = 4.0
"""How many squared weights the variance of equal units counts for beside that which is seen."""

_NORMAL95 = 1.959963984540054
_TAIL = 0.975


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share with the ends of its 95 % interval, all NaN where there is none."""

    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True, kw_only=True)
class Incidence:
    """What became of n by time.

    times : (T,) at which somebody came to an end, up to `until`. reached : (K, T) share that had come to end 1 ... K.
    open : (T,) share still under way. added : (K, n) what each adds to the last value of `reached`. weighted : whether
    they counted by weights. effective : how many they amount to (Kish): n without weights. squares : how many their
    squared weights amount to, by the same rule, on which a variance with weights rests. exposure, late : time under
    way in the older half of the ages, and how many came to end 1 there. exposure_before, early : the same of the
    younger half.
    """

    times: np.ndarray
    reached: np.ndarray
    open: np.ndarray
    added: np.ndarray
    until: float
    weighted: bool
    effective: float
    squares: float
    exposure: float
    late: int
    exposure_before: float
    early: int

    @property
    def still_open(self) -> float:
        """The share that has come to no end at the oldest age."""
        return float(self.open[-1]) if len(self.open) else 1.0

    @property
    def to_come(self) -> float:
        """What at most may still come to end 1 beyond the oldest age seen, as a share of all.

        As many months again as were seen, at the largest rate that the older half of the ages leaves possible; the
        rule of `models.win.plateau`.
        """
        return self.still_open * most_to_come(self.late, self.exposure, ahead=self.until)

    @property
    def likely_to_come(self) -> float:
        """What at most may still come to end 1 where the rate goes on falling as it fell so far, as a share of all.

        The older half of the ages has a largest rate that it leaves possible, the younger one a least; where the first
        is below the second, the rate falls as much again in each of the two halves to come. So what ended long ago adds
        next to nothing: leads that are worked at all are worked in their first months.
        """
        least = float(gammaincinv(self.early, 1.0 - _TAIL)) if self.early else 0.0
        most = float(gammaincinv(self.late + 1.0, _TAIL))
        # (most / exposure) / (least / exposure_before), at most 1
        fall = min(most * self.exposure_before / max(least * self.exposure, 1e-300), 1.0)
        ahead = self.until / 2 * fall * (1.0 + fall)
        return self.still_open * most_to_come(self.late, self.exposure, ahead=ahead)

    def share(self, end: int = 1) -> Share:
        """Return the share that came to an end by the oldest age, with its interval.

        Wilson's interval at the number of units that would have this variance if all had been followed (Rothman,
        *Journal of Chronic Diseases* 31, 1978); with weights as `interval` says.
        """
        if not len(self.times):
            return interval(0.0, 0.0, units=self.effective, squares=self._squares)
        value, added = float(self.reached[end - 1, -1]), self.added[end - 1]
        return interval(value, float(added @ added), units=self.effective, squares=self._squares)

    @property
    def _squares(self) -> float | None:
        return self.squares if self.weighted else None

    def of_ended(self, end: int = 1, *, among: tuple[int, ...] = (1, 2)) -> Share:
        """Return the share that came to one end among those that came to some of the ends; NaN where none did."""
        parts = [each - 1 for each in among]
        whole = float(self.reached[parts, -1].sum()) if len(self.times) else 0.0
        if not whole > 0:
            return Share()
        value = float(self.reached[end - 1, -1]) / whole
        added = (self.added[end - 1] - value * self.added[parts].sum(axis=0)) / whole
        return interval(value, float(added @ added), units=self.effective * whole, squares=self._squares)

    def waited(self, q: float, *, end: int = 1) -> float:
        """Return the time by which a share q of those that come to an end had come to it; NaN where none did."""
        curve = self.reached[end - 1]
        if not len(curve) or not curve[-1] > 0:
            return float("nan")
        return float(self.times[np.searchsorted(curve, q * curve[-1] * (1 - 1e-12))])

    def ended_by(self, q: float) -> float:
        """Return the time by which a share q of those that come to any end had come to it; NaN where none did."""
        ended = 1.0 - self.open
        if not len(ended) or not ended[-1] > 0:
            return float("nan")
        return float(self.times[np.searchsorted(ended, q * ended[-1] * (1 - 1e-12))])


def cumulative_incidence(
    time: Any, cause: Any, *, ends: int = 2, until: float | None = None, weight: Any = None
) -> Incidence:
    """Return what became of n by time, those still under way counting as long as they were seen.

    Parameters
    ----------
    time : (n,) how long each was seen, 0 or more, in any unit: until its end, or until today.
    cause : (n,) 0 = still under way, 1 ... ends = the end it came to.
    until : the oldest time looked at; by default the longest there is. weight : (n,) above 0; 1 by default.

    Raises ParameterError where shapes differ, a time or weight is not a number or below 0, or a cause is unknown.

    By hand: four deals, won at 1, lost at 2, open since 2, won at 3. F_1 = 1/4 + (1/2) (1/1) = 3/4, F_2 = 1/4:

    >>> seen = cumulative_incidence([1, 2, 2, 3], [1, 2, 0, 1])
    >>> seen.reached[:, -1].tolist()
    [0.75, 0.25]
    """
    time, cause, weight = _checked(time, cause, weight, ends)
    weighted = weight is not None
    weight = np.ones(len(time)) if weight is None else weight
    until = float(time.max(initial=0.0)) if until is None else float(until)
    cause = np.where(time <= until, cause, 0)
    time = np.minimum(time, until)

    times = np.unique(time[cause > 0])
    first = np.searchsorted(times, time, side="right")  # the times at which each was under way
    at_risk = np.bincount(first, weight, minlength=len(times) + 1)[::-1].cumsum()[::-1][1:]
    ended = np.zeros((ends, len(times)))
    for end in range(ends):
        mine = cause == end + 1
        ended[end] = np.bincount(first[mine] - 1, weight[mine], minlength=len(times))[: len(times)]
    hazard = ended / at_risk if len(times) else ended
    stay = np.cumprod(np.clip(1.0 - hazard.sum(axis=0), 0.0, 1.0))
    before = np.concatenate([[1.0], stay[:-1]]) if len(times) else stay
    reached = np.cumsum(before * hazard, axis=1)

    older = until / 2
    return Incidence(
        times=times,
        reached=reached,
        open=stay,
        added=_added(reached, hazard, before, stay, at_risk, first=first, cause=cause, weight=weight),
        until=until,
        weighted=weighted,
        effective=_amount_to(weight),
        squares=_amount_to(weight**2),
        exposure=float(np.maximum(time - older, 0.0).sum()),
        late=int(((cause == 1) & (time > older)).sum()),
        exposure_before=float(np.minimum(time, older).sum()),
        early=int(((cause == 1) & (time <= older)).sum()),
    )


def _amount_to(weight: np.ndarray) -> float:
    """Return how many equal ones the weights, (n,), amount to (Kish 1965); 0 where there are none."""
    return float(weight.sum() ** 2 / (weight @ weight)) if len(weight) else 0.0


def _added(
    reached: np.ndarray,
    hazard: np.ndarray,
    before: np.ndarray,
    stay: np.ndarray,
    at_risk: np.ndarray,
    *,
    first: np.ndarray,
    cause: np.ndarray,
    weight: np.ndarray,
) -> np.ndarray:
    """Return what each adds to the last value of `reached`, (K, n).

    One under way at time s adds 1 - later if it comes to end k, -later if to another, 0 if to none, less what was to be
    expected of it; later = chance to come to end k after s of those still under way then.
    """
    out = np.zeros((len(reached), len(cause)))
    if not hazard.shape[1]:
        return out
    place, any_end = np.maximum(first - 1, 0), cause > 0
    for k, curve in enumerate(reached):
        later = np.divide(curve[-1] - curve, stay, out=np.zeros_like(stay), where=stay > 1e-12)
        per_unit = before / at_risk
        expected = np.cumsum(per_unit * (hazard[k] - later * hazard.sum(axis=0)))
        each = np.where(any_end, per_unit[place] * ((cause == k + 1) - later[place]), 0.0)
        out[k] = weight * (each - np.where(first > 0, expected[place], 0.0))
    return out


def followed_to(followed: Any) -> float:
    """Return the oldest age to which enough were followed; NaN where fewer than FEWEST_FOLLOWED there are.

    followed : (n,) how long each could have been seen by today, whether it came to an end before or not.
    """
    longest = np.sort(np.asarray(followed, dtype=np.float64))[::-1]
    fewest = max(FEWEST_FOLLOWED, int(np.ceil(FOLLOWED_SHARE * len(longest))))
    return float(longest[fewest - 1]) if len(longest) >= fewest else float("nan")


def with_to_come(seen: Incidence) -> Share:
    """Return the share that came to the first end, its upper end raised by what may still come as the rate falls."""
    found = seen.share()
    return Share(value=found.value, low=found.low, high=min(found.high + seen.likely_to_come, 1.0))


def cannot_tell(seen: Incidence, *, what: str = "be won") -> str:
    """Return why the share that comes to the first end cannot be told, empty where it can."""
    if seen.to_come <= MOST_OPEN:
        return ""
    return (
        f"cannot tell: {wording.percent(seen.still_open)} are still open after {seen.until:.0f} days, the longest that "
        f"enough were followed, and up to {wording.percent(seen.to_come)} of all may yet {what}; a longer record "
        "would tell"
    )


def share_of(yes: Any, *, weight: Any = None) -> Share:
    """Return the share of those for which something is so, all being known; Wilson's interval without weights.

    With weights that of a ratio of two sums (Cochran 1977, 6.3). yes : (n,) bool. weight : (n,) above 0.

    >>> round(share_of([True, False, True, True]).value, 2)
    0.75
    """
    yes = np.asarray(yes, dtype=bool)
    if not len(yes):
        return Share()
    return cumulative_incidence(np.ones(len(yes)), np.where(yes, 1, 2), weight=weight).share()


def steadied(variance: float, share: float, *, seen_in: float, equal: float) -> float:
    """Return the variance of a share by weight, averaged with that of as many equal units, as if this had been seen in
    PRIOR more (Smyth 2004, *Statistical Applications in Genetics and Molecular Biology* 3).

    seen_in : on how many it rests. equal : how many equal units the weights amount to (Kish); above 0.
    """
    return (seen_in * variance + PRIOR * share * (1.0 - share) / equal) / (seen_in + PRIOR)


def interval(value: float, variance: float, *, units: float, squares: float | None = None) -> Share:
    """Return a share with its 95 % interval: Wilson's, at the number of units that would have this variance.

    Simple case: without weights, and all is said. With weights the few largest make the variance that is seen, which is
    too small wherever none of them came to the rarer end. So it is averaged with the one of as many equal units, as if
    it had been seen in PRIOR squares more (Smyth 2004, *Statistical Applications in Genetics and Molecular Biology* 3),
    and the quantile is Student's.

    units : how many there are, by weight as many equal ones as they amount to; of a share of 0 or 1, of which no
    variance can be seen, the interval is that of so many. squares : with weights, how many the squared weights amount
    to; None = without.
    """
    value = min(max(value, 0.0), 1.0)
    if squares is not None and units > 0:
        variance = steadied(variance, value, seen_in=squares, equal=units)
    n = value * (1.0 - value) / variance if variance > 1e-300 and 1e-12 < value < 1 - 1e-12 else units
    if not n > 0:
        return Share(value=value, low=0.0, high=1.0)
    z = _NORMAL95 if squares is None else float(stdtrit(max(units - 1.0, 1.0), _TAIL))
    centre, half = value + z**2 / (2 * n), z * np.sqrt(value * (1 - value) / n + z**2 / (4 * n**2))
    low, high = (centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)
    return Share(value=value, low=float(min(max(low, 0.0), value)), high=float(max(min(high, 1.0), value)))


def _checked(time: Any, cause: Any, weight: Any, ends: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    time, cause = np.asarray(time, dtype=np.float64), np.asarray(cause, dtype=np.int64)
    if time.shape != cause.shape or time.ndim != 1:
        raise ParameterError(f"time {time.shape} and cause {cause.shape} are not two rows of the same length")
    if len(time) and not (time >= 0).all():
        raise ParameterError("time: each is 0 or more; leave out those of which it is not known")
    if len(cause) and not ((cause >= 0) & (cause <= ends)).all():
        raise ParameterError(f"cause: each is 0 (still under way) or an end from 1 to {ends}")
    if weight is None:
        return time, cause, None
    weight = np.asarray(weight, dtype=np.float64)
    if weight.shape != time.shape or not (np.isfinite(weight) & (weight > 0)).all():
        raise ParameterError("weight: one a unit, each above 0; leave out those without")
    return time, cause, weight
