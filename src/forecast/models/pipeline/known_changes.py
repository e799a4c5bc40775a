"""What is known to change, in deals to come: how many are created, and how often they are won, where planning is joint
or an event is on.

Simple case: three campaigns have run, and in the months of each twice as many deals were created as the months around
it led to expect. A fourth is announced: in its months creation is expected to double. The complications: creation
wanders by itself, so that what happened once tells nothing, and what happened more often counts as far as the times
agree; other segments tell what would have come anyway; and what all segments began in one month happened once. What a
change does to the wins of deals to come is learned alike, from the wins of each month beside those to be expected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from forecast.data.known.coding import NONE
from forecast.data.known.events import Events
from forecast.data.known.ledger import KnownState
from forecast.data.known.planned import NEVER
from forecast.models.pipeline.creation_counts import SeriesForecast, forecast_series, series_base
from forecast.models.win.event_kinds import block_of, kinds_in_use

PLANNED = "planned"
"""The name of joint planning among what is known to change; kinds of event are named as their columns are."""

SPAN = 12
"""Months of a change that are looked at, and months before and after it that it is held against."""

WANDER = 0.1
"""Standard deviation (log) that creation of some months is thought to wander by itself, at least."""

CERTAIN = 2.0
"""Standard errors below which a change weighs nothing."""

MOST = np.log(10.0)
"""Growth, log, beyond which nothing is believed."""

_ITERATIONS, _SETTLED = 5, 1e-3


# -- in which months -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class KnownChanges:
    """What is known to change: `on` (K, R, T + S) by segment and month, `usable` (T,) months to learn from."""

    on: np.ndarray
    usable: np.ndarray

    @classmethod
    def of(cls, view: KnownState, *, periods: np.ndarray, steps: int) -> KnownChanges:
        """Return what is known on the view's day of the months so far, `periods` (T,), and the `steps` after them."""
        on = months_on(view, changes_in_use(view), first=int(periods[0]), months=len(periods) + steps)
        return cls(on=on, usable=~np.isin(periods, list(view.ledger.half_seen)))

    def factor(self, counts: np.ndarray, month_of_year: np.ndarray) -> np.ndarray | None:
        """Return the factor that counts (R, T) themselves show, (R, T + S); None where they show none.

        month_of_year : (T + S,), 0 to 11.
        """
        months = counts.shape[1]
        growth = learned_growth(counts, self.on[:, :, :months], month_of_year=month_of_year, usable=self.usable)
        return grown(growth, self.on) if growth.any() else None

    def lift(self, won: np.ndarray, expected: np.ndarray) -> np.ndarray | None:
        """Return the factor on wins that those of past months show, (R, T + S); None where they show none.

        won, expected : (R, T), wins of each month and those to be expected of its deals; both 0 where none count.
        """
        growth = learned_lift(won, expected, self.on[:, :, : won.shape[1]])
        return grown(growth, self.on) if growth.any() else None


def without_products(events: Events) -> Events:
    """Return the events that are about all products: what one product gains another may lose."""
    use = events.product == NONE
    names = ("first", "last", "segment", "product", "kind", "known_on", "end_known_on")
    return replace(events, **{name: getattr(events, name)[use] for name in names})


def changes_in_use(view: KnownState) -> tuple[str, ...]:
    """Return the names of what is known to change: joint planning, if any start is known, and kinds of event."""
    planned = (PLANNED,) if (view.planned_from < NEVER).any() else ()
    return (*planned, *(block_of(kind) for kind in kinds_in_use(without_products(view.events))))


def months_on(view: KnownState, names: Sequence[str], *, first: int, months: int) -> np.ndarray:
    """Return in which months each change concerns each segment, as known on the view's day; (K, R, months) bool.

    Joint planning concerns a segment from its first month on; an event with a known end, in its months, all segments or
    the one that it is about. Events about a product are left out.

    names : (K,), as `changes_in_use` gives them. first : the period of month 0.
    """
    out = np.zeros((len(names), len(view.ledger.segments), months), dtype=bool)
    period = first + np.arange(months)
    events = without_products(view.events)
    for place, name in enumerate(names):
        if name == PLANNED:
            out[place] = view.planned_from[:, None] <= period
            continue
        for event in np.flatnonzero(events.has_end):
            if block_of(events.kinds[events.kind[event]]) == name:
                inside = (period >= events.first[event]) & (period <= events.last[event])
                where = slice(None) if events.segment[event] == NONE else events.segment[event]
                out[place, where] |= inside
    return out


# -- how many are created ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Spells:
    """The n times that a change began: each in `rows` (n, R) bool, from month `begin` (n,) until before `end` (n,).

    Each is held against the months that `around` (n, T) bool names, in which it was on in none of its rows.
    """

    rows: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    around: np.ndarray

    def __len__(self) -> int:
        return len(self.begin)


def joined(parts: Sequence[Spells]) -> Spells:
    """Return spells one after the other."""
    names = ("rows", "begin", "end", "around")
    return Spells(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def spells(on: np.ndarray) -> Spells:
    """Return the times that a change began, one a month: what several segments began in one month happened once.

    Each is looked at for a year at most, and held against the months up to a year before and after it.

    on : (R, T) bool.
    """
    months = on.shape[1]
    index = np.arange(months)
    begins = on & ~np.concatenate([np.zeros((len(on), 1), dtype=bool), on[:, :-1]], axis=1)
    begin = np.flatnonzero(begins.any(axis=0))
    rows = begins[:, begin].T
    any_on = np.stack([on[each].any(axis=0) for each in rows]) if len(rows) else np.zeros((0, months), dtype=bool)
    end = np.where(~any_on & (index > begin[:, None]), index, months).min(axis=1, initial=months)
    around = ~any_on & (index >= begin[:, None] - SPAN) & (index < end[:, None] + SPAN)
    return Spells(rows=rows, begin=begin, end=np.minimum(end, begin + SPAN), around=around)


def growth_in(begun: Spells, counts: np.ndarray, expected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return by how much more was created in each spell than was to be expected, log, and the variance of that; (n,).

    Simple case: log(seen / expected) of its months, less the same of those around it. Where other segments are there,
    less the same of theirs: what all segments gained is not the spell's. The variance is what this difference shows
    where nothing began, the spell moved to every other place in time, and at least WANDER^2 beyond chance; inf where
    too little can be seen.

    counts, expected : (R, T), 0 in months that do not count.
    """
    months, spell = counts.shape[1], np.arange(len(begun))
    place = np.arange(months)
    length = (begun.end - begun.begin)[:, None]
    after = np.where((begun.around & (place >= begun.end[:, None])).any(axis=1), SPAN, 0)[:, None]
    fits = place + length <= months
    ends = np.minimum(place + length, months)
    begin_near, end_near = np.maximum(place - SPAN, 0)[None], np.minimum(ends + after, months)

    growth, chance = np.zeros(fits.shape), np.zeros(fits.shape)
    enough, weights = fits, begun.rows.astype(float)
    for sign, of in ((1.0, weights), (-1.0, 1.0 - weights)):
        # Sums over the months of every place, of what was seen, of what was expected and of months with any.
        due = of @ expected
        each = np.stack([of @ counts, due, due > 0])
        upto = np.concatenate([np.zeros((3, len(spell), 1)), np.cumsum(each, axis=2)], axis=2)
        inside = upto[:, spell[:, None], ends] - upto[:, :, :-1]
        near = upto[:, spell[:, None], end_near] - upto[:, spell[:, None], begin_near] - inside
        near[:, spell, begun.begin] = (each * begun.around).sum(axis=2)
        alone = ~(due > 0).any(axis=1)[:, None] if sign < 0 else np.zeros((len(spell), 1), dtype=bool)
        enough = enough & (alone | ((inside[2] > 0) & (near[2] >= (SPAN // 2 if sign > 0 else 1))))
        for way, part in ((sign, inside), (-sign, near)):
            total = np.where(part[2] > 0, part[1], 1.0)
            growth += np.where(alone, 0.0, way * np.log((part[0] + 0.5) / total))
            chance += np.where(alone, 0.0, 1.0 / total)

    elsewhere = enough & (place != begun.begin[:, None])
    count = elsewhere.sum(axis=1)
    scatter = np.where(elsewhere, growth**2, 0.0).sum(axis=1) / np.maximum(count, 1)
    variance = np.maximum(scatter, chance[spell, begun.begin] + WANDER**2)
    told = enough[spell, begun.begin] & (count >= SPAN)
    return np.where(told, growth[spell, begun.begin], 0.0), np.where(told, variance, np.inf)


def agreed(growth: np.ndarray, variance: np.ndarray) -> tuple[float, float]:
    """Return the mean of what several spells show, and its variance; (0, inf) of fewer than two.

    Spells count by 1 / (variance + tau^2), tau^2 being how much they scatter beyond their variance (method of moments:
    DerSimonian & Laird, *Controlled Clinical Trials* 7, 1986).

    growth, variance : (n,).
    """
    use = np.isfinite(variance)
    growth, variance = growth[use], variance[use]
    if len(growth) < 2:
        return 0.0, np.inf
    weight = 1.0 / variance
    scatter = float(weight @ (growth - weight @ growth / weight.sum()) ** 2) - (len(growth) - 1)
    tau2 = max(scatter / float(weight.sum() - weight @ weight / weight.sum()), 0.0)
    weight = 1.0 / (variance + tau2)
    return float(weight @ growth / weight.sum()), float(1.0 / weight.sum())


def believed(growth: float, variance: float) -> float:
    """Return the part of a growth that counts: none below two standard errors, nearly all far above.

    The non-negative garrote (Breiman, *Technometrics* 37, 1995): growth * max(1 - 4 variance / growth^2, 0).

    >>> believed(0.25, 0.0625), believed(1.0, 0.0625)
    (0.0, 0.75)
    """
    if growth**2 <= CERTAIN**2 * variance:
        return 0.0
    return growth * (1.0 - CERTAIN**2 * variance / growth**2)


def learned_growth(
    counts: np.ndarray, on: np.ndarray, *, month_of_year: np.ndarray, usable: np.ndarray | None = None
) -> np.ndarray:
    """Return by how much creation grows where each change is on, log, (K,); 0 where the past does not tell.

    What is to be expected without the changes is `series_base` of the counts as they would have been without them, so
    both are found in turns.

    counts : (R, T), deals created, at least 0. on : (K, R, T) bool. month_of_year : (T,) or longer, 0 to 11. usable :
    (T,) bool, months that count; all of them if left out.
    """
    months = on.shape[2]
    there: np.ndarray = np.cumsum(counts, axis=1) > 0
    if usable is not None:
        there = there & usable

    def base(without: np.ndarray) -> np.ndarray:
        return series_base(without, ahead=0, month_of_year=month_of_year[:months])

    return _learned(counts, on, base, there=there)


def learned_lift(won: np.ndarray, expected: np.ndarray, on: np.ndarray) -> np.ndarray:
    """Return by how much more often deals are won in months in which each change is on, log, (K,), as `learned_growth`.

    won, expected : (R, T), wins of each month and those to be expected of its deals; both 0 where none count. on : (K,
    R, T) bool.
    """
    return _learned(won, on, lambda _: expected, there=expected > 0)


def _learned(
    counts: np.ndarray, on: np.ndarray, base: Callable[[np.ndarray], np.ndarray], *, there: np.ndarray
) -> np.ndarray:
    """Return by how much counts grow where each change is on, log, (K,).

    base : what is to be expected of counts as they would have been without changes, (R, T) both. there : (R, T) bool.
    """
    kinds = len(on)
    found = np.tile([0.0, np.inf], (kinds, 1))
    by_kind = [spells(each) for each in on]
    told = [kind for kind in range(kinds) if len(by_kind[kind]) > 1]
    if not told:
        return found[:, 0]
    begun, kind = joined([by_kind[each] for each in told]), np.repeat(told, [len(by_kind[each]) for each in told])
    for _ in range(_ITERATIONS):
        without = counts / grown(found[:, 0], on)
        growth, variance = growth_in(begun, without * there, base(without) * there)
        before = found[:, 0].copy()
        for each in told:
            mean, of_mean = agreed(before[each] + growth[kind == each], variance[kind == each])
            found[each] = np.clip(mean, -MOST, MOST), of_mean
        # What is within one standard error before others are taken out is never beyond two after it.
        nothing = (found[:, 0] ** 2 < found[:, 1]).all()
        if nothing or np.abs(found[:, 0] - before).max() < _SETTLED:
            break
    return np.array([believed(*each) for each in found])


def grown(growth: np.ndarray, on: np.ndarray) -> np.ndarray:
    """Return the factor on what is created, (R, months); growth : (K,), log. on : (K, R, months)."""
    return np.asarray(np.exp(np.einsum("k,krt->rt", growth, on)))


def forecast_grown(
    counts: np.ndarray, factor: np.ndarray | None, *, ahead: int, month_of_year: np.ndarray
) -> SeriesForecast:
    """Return `forecast_series` of counts without what is known to change them, and that put on its months again.

    counts : (series, T). factor : (series, T + ahead), None = 1. The `base` is that without the changes.
    """
    if factor is None:
        return forecast_series(counts, ahead=ahead, month_of_year=month_of_year)
    months = counts.shape[1]
    series = forecast_series(counts / factor[:, :months], ahead=ahead, month_of_year=month_of_year)
    index = np.arange(months)[:, None] + 1 + np.arange(ahead)
    return replace(series, mean=series.mean * factor[:, index])
