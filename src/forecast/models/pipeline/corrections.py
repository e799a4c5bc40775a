"""What past forecasts teach the next one: how amounts change until the win, its bias, and how large its errors are.

Simple case: at every past origin the forecast that the model of that day gave is recorded, and when its months have
settled it is compared with what came. So these are errors of forecasts as they were given, not of a fit to months it
has seen. The sum of what came over the sum of what was forecast corrects the value; the squared errors give the width.

Three complications. Chance alone makes sums differ: a correction is shrunk as far as chance could explain it, and only
squared errors beyond those of chance count as errors of the forecast. Segments miss together: what is left is split
into an error common to all and one of each segment's own (method of moments). Early origins knew little, and erred
several times as much: an origin counts by the share of today's closed deals that it knew; and by how near the level of
wins then was to today's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from forecast.data.known.coding import WON
from forecast.data.known.enough import closed_deals
from forecast.data.known.ledger import KnownState, Ledger
from forecast.models.pipeline.creation import Future
from forecast.models.pipeline.segments_now import goes_on
from forecast.models.win.change.shifts import Shift
from forecast.models.win.landmarks import STEPS

ORIGINS = 24
"""Past origins whose errors are looked at, as far as their months have settled."""

_RECENT = 18
_TRUST = 0.01
"""Squared relative error of a past sum at which half of the correction is applied."""

_ALIKE = 0.15
"""Difference of two shifts (log) at which an origin of the one has .6 of its weight for the other: what was wrong
before a level moved is put right by following it, and must not be put right twice."""

_SMALLEST, _LARGEST = 0.0004, 0.25
_RESPONSE = 0.75
"""Variance of the log of bookings over that of the level of wins: who is not won in one month may be in the next."""

_KEPT = 0.5
"""Share of the variance of levels, as the filter gives it, that a range has at least, whatever past errors say."""

_RATIO_PRIOR = 50.0
_MOST_RATIOS = 1000
_PRIOR_ORIGINS, _PRIOR, _MOST_PRIOR = 4.0, 120.0, 0.04
"""Where n origins are known, 4^2 / (4^2 + n^2) of each variance is taken to be what fitting some 120 coefficients to
the closed deals leaves unsure, 120 over their number, and what nobody can see coming, together at most .04."""
_UNSEEN, _LATER = 0.0005, 12.0
"""What nobody can see coming: 2 % in the first month, and as pipeline not yet created takes over 8 % in the sixth."""


@dataclass(frozen=True, kw_only=True)
class Corrections:
    """What was learned. Arrays over steps (S,), `own` over segments of the ledger and steps (R, S).

    `growth` the won amount over the amount now; `late` the share of the wins that the model expects in step 0 that lie
    before it, because they were recorded late; `ratios` single won deals' ratios, mean 1; `open_bias`, `future_bias`
    factors on the value of the open pipeline and of what is not yet created; `common`, `own` variances of the log of
    the error shared by all segments, and of each segment's, with what is unsure of the levels of wins in them.
    """

    growth: np.ndarray
    late: float
    ratios: np.ndarray
    open_bias: np.ndarray
    future_bias: np.ndarray
    common: np.ndarray
    own: np.ndarray


@dataclass(frozen=True, kw_only=True)
class IssuedForecast:
    """One origin's forecast by segment and step (R, S), for the comparison with what came.

    `booked` already then; `open_pipeline` and `new` (not yet created) before correction, with the variance of chance in
    each; `issued` the mean of what was still to come as it was given out; `closed` how many closed deals were known;
    `shift` how far the level of wins had moved from the win model's, on the log scale; `level` what was unsure of it.
    """

    closed: int
    shift: float
    booked: np.ndarray
    open_pipeline: np.ndarray
    chance_open: np.ndarray
    new: np.ndarray
    chance_new: np.ndarray
    issued: np.ndarray
    level: Unsure


@dataclass(frozen=True, kw_only=True)
class Unsure:
    """Variances of the log of bookings as nobody knows just where levels are: of all (S,), of segments (R, S)."""

    common: np.ndarray
    own: np.ndarray

    @classmethod
    def of(cls, shift: Shift | None, *, segments: int, steps: int) -> Unsure:
        """Return what is unsure of a shift, 0 where there is none."""
        if shift is None:
            return cls(common=np.zeros(steps), own=np.zeros((segments, steps)))
        step = np.minimum(np.arange(steps), len(shift.common) - 1)
        return cls(common=_RESPONSE * shift.common[step], own=_RESPONSE * shift.own[:, step])


@dataclass(frozen=True, kw_only=True)
class _Errors:
    """What past errors say before any prior; arrays over steps (S,).

    `both` the variance of the log error, `common` the part that all segments share; below 0 where chance explains more
    than was seen. `origins` how many origins that rests on, in full ones.
    """

    open_bias: np.ndarray
    future_bias: np.ndarray
    both: np.ndarray
    common: np.ndarray
    origins: np.ndarray


class PastForecasts:
    """Records, along the walk of a ledger, what was forecast and what came of it; `steps` months ahead are looked at.

    Mutable, because the walk adds to it day by day.
    """

    def __init__(self, ledger: Ledger, *, steps: int) -> None:
        self._steps = steps
        self._segments = len(ledger.segments)
        self._first_seen = np.zeros(ledger.size, dtype=np.int32)
        self._open: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._growth: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._late: dict[int, tuple[float, float]] = {}
        self._issued: dict[int, IssuedForecast] = {}
        self._next = 0

    def observe(self, view: KnownState, deals: np.ndarray, amount: np.ndarray) -> None:
        """Take in one more day: the open deals, ascending, and their amounts; learn from the months now settled."""
        target = view.first_target
        if not self._open:
            self._next = target
        self._first_seen[view.known & (self._first_seen == 0)] = target
        self._open[target] = (deals, amount)
        while self._next <= view.last_settled:
            self._growth[self._next] = self._grown(view, self._next)
            self._late[self._next] = self._recorded_late(view, self._next)
            self._next += 1
        _forget(self._open, before=self._next - self._steps)
        _forget(self._growth, before=target - ORIGINS)
        _forget(self._late, before=target - ORIGINS)

    def record(self, view: KnownState, issued: IssuedForecast) -> None:
        """Record the forecast of a day."""
        self._issued[view.first_target] = issued
        _forget(self._issued, before=view.first_target - ORIGINS)

    def corrections(self, view: KnownState, *, segments: int, shift: float, level: Unsure) -> Corrections:
        """Return what the origins before a day teach; `segments` : how many there are. shift, level : as recorded."""
        growth, ratios = self.growth()
        before, within = np.sum([*self._late.values(), (0.0, 1e-12)], axis=0)
        errors = self._errors(view, segments=segments, shift=shift)
        common, own = _with_prior(errors, closed=closed_deals(view), level=level)
        return Corrections(
            growth=growth,
            late=float(before / (before + within)),
            ratios=ratios,
            open_bias=errors.open_bias,
            future_bias=errors.future_bias,
            common=common,
            own=own,
        )

    def growth(self) -> tuple[np.ndarray, np.ndarray]:
        """Return won amount over amount before, by step (S,), and the ratios of single deals scaled to mean 1."""
        if not self._growth:
            return np.ones(self._steps), np.ones(1)
        sums = np.sum([sums for sums, _ in self._growth.values()], axis=0)
        if sums[:, 1].sum() <= 0:
            return np.ones(self._steps), np.ones(1)
        overall = sums[:, 0].sum() / sums[:, 1].sum()
        n = sums[:, 2]
        own = np.where(n > 0, sums[:, 0] / np.where(sums[:, 1] > 0, sums[:, 1], 1.0), overall)
        growth = overall + (own - overall) * n / (n + _RATIO_PRIOR)
        ratios = np.sort(np.clip(np.concatenate([each for _, each in self._growth.values()]) / overall, 0.05, 20.0))
        if not len(ratios):
            return growth, np.ones(1)
        # A thousand quantiles say as much as all of them.
        if len(ratios) > _MOST_RATIOS:
            place = (np.arange(_MOST_RATIOS) + 0.5) / _MOST_RATIOS * (len(ratios) - 1)
            ratios = np.interp(place, np.arange(len(ratios)), ratios)
        return growth, ratios / ratios.mean()

    def _grown(self, view: KnownState, month: int) -> tuple[np.ndarray, np.ndarray]:
        """Return sums of paid, of the amount before, and their number by step (S, 3), and single deals' ratios."""
        wins = view.won_deals[view.closed_in[view.won_deals] == month]
        paid = np.nan_to_num(view.amount[wins])
        sums, ratios = np.zeros((self._steps, 3)), np.zeros(0)
        for step in range(self._steps):
            deals, amount = self._open.get(month - step, (wins[:0], paid[:0]))
            if not len(deals) or not len(wins):
                continue
            at = np.minimum(np.searchsorted(deals, wins), len(deals) - 1)
            both = (deals[at] == wins) & (amount[at] > 0) & (paid > 0)
            sums[step] = paid[both].sum(), amount[at][both].sum(), both.sum()
            if step == 0:
                ratios = paid[both] / amount[at][both]
        return sums, ratios

    def _recorded_late(self, view: KnownState, month: int) -> tuple[float, float]:
        """Return what was won before a month of the deals that were open at its start as known then, and in it.

        By size: credits that are recorded late are late, too.
        """
        deals, amount = self._open.get(month, (np.zeros(0, dtype=np.int64), np.zeros(0)))
        won = view.outcome[deals] == WON
        closed = view.closed_in[deals]
        size = np.abs(amount)
        return float(size[won & (closed < month)].sum()), float(size[won & (closed == month)].sum())

    def _errors(self, view: KnownState, *, segments: int, shift: float) -> _Errors:
        """Compare the forecasts of the origins before a day with what came of them in the months that have settled."""
        steps = self._steps
        months = np.array(sorted(month for month in self._issued if month < view.first_target), dtype=np.int64)
        if not len(months):
            nothing, one = np.zeros(steps), np.ones(steps)
            return _Errors(open_bias=one, future_bias=one, both=nothing, common=nothing, origins=nothing)
        issued = [self._issued[int(month)] for month in months]
        parts = {
            name: np.stack([getattr(each, name) for each in issued], axis=1)
            for name in ("booked", "open_pipeline", "chance_open", "new", "chance_new", "issued")
        }
        actual_open, actual_new = self._actual(view, months)
        actual_open = actual_open - parts["booked"]
        if not (going_on := goes_on(view)).all():  # deals that were given up with their segment were not misjudged
            parts = {name: part * going_on[:, None, None] for name, part in parts.items()}
            actual_open, actual_new = (part * going_on[:, None, None] for part in (actual_open, actual_new))
        known = np.minimum(np.array([each.closed for each in issued]) / max(closed_deals(view), 1), 1.0)
        sound = ~np.isin(months - int(view.at_month_end), list(view.ledger.unsound))
        weight = known**2 * _alike(np.array([each.shift for each in issued]), shift) * sound
        usable = weight[:, None] * (months[:, None] + np.arange(steps) <= view.last_settled)
        recent = usable * (months >= view.first_target - _RECENT)[:, None]
        chance = parts["chance_open"] + parts["chance_new"]
        twice = usable * weight[:, None]
        level_common, level_own = (
            np.stack([getattr(each.level, name) for each in issued], axis=-2) for name in ("common", "own")
        )
        both, common = shared_errors(
            parts["issued"],
            actual_open + actual_new,
            chance + level_own * parts["issued"] ** 2,
            twice,
            common=level_common,
            segments=segments,
        )
        return _Errors(
            open_bias=_bias(parts["open_pipeline"], actual_open, parts["chance_open"], recent),
            future_bias=_bias(parts["new"], actual_new, parts["chance_new"], recent),
            both=both,
            common=common,
            origins=twice.sum(axis=0),
        )

    def _actual(self, view: KnownState, months: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what each origin's open deals, and the deals it did not know, brought by step; (R, K, S) both.

        A month that has not settled is 0.
        """
        first, steps = int(months[0]), self._steps
        count = int(months[-1]) - first + steps
        wins = view.won_deals
        closed = view.closed_in[wins]
        wins = wins[(closed >= first) & (closed <= view.last_settled) & (view.segment[wins] >= 0)]
        closed = view.closed_in[wins]
        # How many origins before its month a deal was known: -1 where it was learned of only after it had closed.
        lag = np.clip(closed - self._first_seen[wins], -1, steps) + 1
        cell = (view.segment[wins] * count + closed - first) * (steps + 2) + lag
        size = self._segments * count * (steps + 2)
        paid = np.bincount(cell, np.nan_to_num(view.amount[wins]), minlength=size)
        cube = paid.reshape(self._segments, count, steps + 2)
        upto = np.cumsum(cube, axis=2)
        step = np.arange(steps)
        target = (months - first)[:, None] + step
        new = upto[:, target, step]  # lag below the step: not known at the origin
        return upto[:, target, -1] - new, new


def _alike(shifts: np.ndarray, shift: float) -> np.ndarray:
    """Return how much past origins have to say of one whose level of wins has another shift, (K,), 0 to 1."""
    return np.asarray(np.exp(-0.5 * ((shifts - shift) / _ALIKE) ** 2))


def _forget(by_month: dict[int, Any], *, before: int) -> None:
    """Delete the months before one."""
    for month in [month for month in by_month if month < before]:
        del by_month[month]


def _with_prior(errors: _Errors, *, closed: int, level: Unsure) -> tuple[np.ndarray, np.ndarray]:
    """Return the variances common to all segments (S,) and of each one's own (R, S).

    Past errors and a prior, weighted, and what is unsure of today's levels: it was left out of past errors, so that
    ranges are wide while levels are unsure, and only then. closed : deals known to be closed; the fewer there are, the
    less sure the coefficients, and the larger the prior.
    """
    steps = len(errors.both)
    doubt = _PRIOR_ORIGINS**2 / (_PRIOR_ORIGINS**2 + errors.origins**2)
    unseen = _UNSEEN * (1.0 + _LATER * (np.maximum(np.arange(steps) - (steps - STEPS), 0) / (STEPS - 1)) ** 3)
    prior = np.minimum(_PRIOR / max(closed, 1) + unseen, _MOST_PRIOR)
    both = doubt * (2.0 * prior) + (1.0 - doubt) * errors.both
    common = doubt * prior + (1.0 - doubt) * errors.common
    # Cut to what a variance can be only now: cut one by one, estimates that chance made too small could not make up
    # for those it made too large. Where past errors were smaller than was thought of levels, most of it is kept.
    unsure = level.common + level.own
    both = np.clip(both + unsure, np.maximum(_SMALLEST, _KEPT * unsure), _LARGEST)
    common = np.clip(common + level.common, _KEPT * level.common, both.min(axis=0))
    return common, both - common


def chance_of_new(future: Future, steps: int) -> np.ndarray:
    """Return the variance of what deals not yet created bring, from Poisson wins of scattered amounts; (R, S)."""
    wins, value = future.wins[:, :steps], future.value[:, :steps]
    return np.where(wins > 0, value**2 / np.maximum(wins, 1e-12) * (1.0 + future.spread), 0.0)


def _bias(expected: np.ndarray, actual: np.ndarray, variance: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return exp(s log(sum actual / sum expected)) by step, s = trust / (trust + variance / expected^2); shape (S,).

    expected, actual, variance : (R, K, S). weight : (K, S), of the origins; 0 where what came is not known.
    """
    out = np.ones(expected.shape[2])
    e, a = ((weight * part).sum(axis=(0, 1)) for part in (expected, actual))
    v = (weight**2 * variance).sum(axis=(0, 1))
    for s in np.flatnonzero((e > 0) & (a > 0)):
        # A deal appears at several origins, so chance is as large as that of one of them at a time.
        out[s] = np.exp(_TRUST / (_TRUST + v[s] * (s + 1) / e[s] ** 2) * np.log(np.clip(a[s] / e[s], 0.25, 4.0)))
    return out


def shared_errors(
    forecast: np.ndarray,
    actual: np.ndarray,
    variance: np.ndarray,
    weight: np.ndarray,
    *,
    common: np.ndarray | float = 0.0,
    segments: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Split squared errors beyond what is known of them into what all segments share and what is a segment's own.

    forecast, actual, variance : (R, K, S). weight : (K, S), of the origins; 0 where what came is not known.
    common : (K, S), variance of the log error that all segments are known to share.
    Returns two (S,), variances of the log error: of all of it, and of what all segments share. Where chance explains
    more than the errors seen, they are below 0.
    With e = actual - forecast: sum(e^2 - V) over segments estimates (common + own) sum F^2, and the same of the
    totals estimates common (sum F)^2 + own sum F^2. The steps are smoothed by local lines (Fan & Gijbels, *Local
    Polynomial Modelling*, 1996), which follow a growth with the horizon to its ends.
    """
    segments = len(forecast) if segments is None else segments
    error = actual - forecast
    f2 = (weight * forecast**2).sum(axis=(0, 1))
    t2 = (weight * forecast.sum(axis=0) ** 2).sum(axis=0)
    known = f2 > 0
    if not known.any():
        return np.zeros(len(f2)), np.zeros(len(f2))
    excess = (weight * (error**2 - variance - common * forecast**2)).sum(axis=(0, 1))[known]
    total = error.sum(axis=0) ** 2 - variance.sum(axis=0) - common * forecast.sum(axis=0) ** 2
    total = (weight * total).sum(axis=0)[known]
    both = excess / f2[known]
    shared = (total - both * f2[known]) / np.maximum((t2 - f2)[known], 1e-12)
    # A step without a past month takes after the one before it.
    last = np.maximum(np.cumsum(known) - 1, 0)
    whole = _along_lines(both[last])
    return (whole, np.zeros(len(f2))) if segments == 1 else (whole, _along_lines(shared[last]))


def _along_lines(by_step: np.ndarray) -> np.ndarray:
    """Return the values of lines through each step and its two neighbours, at the ends through the next two; (S,)."""
    out = np.convolve(by_step, np.ones(3) / 3, mode="same")
    out[0], out[-1] = (float(np.dot(np.array([5.0, 2.0, -1.0]) / 6, end)) for end in (by_step[:3], by_step[:-4:-1]))
    return out
