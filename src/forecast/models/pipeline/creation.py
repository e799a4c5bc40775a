"""Pipeline that does not exist yet: how many deals will be created, and what they bring by age.

Simple case: as many deals as in past months are created in each month ahead, a share of them is won at each age in
months, and each win brings a mean amount. By segment r and source group g, month s ahead:

  sum over cohorts j <= s and source groups g of
  N[r, g, j] * K[g, s - j] * Q[position of the month in its quarter] * rho[r, g] * m[r, g, s - j]
with N the deals expected to be created, K the share won at an age in months, Q the calendar's factor, rho the
segment's own conversion and m the mean won amount by age. Two complications: numbers are small, so each ratio is
shrunk towards its parent (empirical Bayes: gamma-Poisson for counts, Bühlmann's credibility for amounts); and where a
marketing table is there, deals created from a channel follow its leads of this and the three earlier months
(non-negative least squares, Lawson & Hanson 1974).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from forecast.data.known.coding import NONE, WON
from forecast.data.known.ledger import KnownState
from forecast.models.pipeline.creation_counts import forecast_series, series_base

LAGS = 4
"""Months of leads a month's creation depends on: its own and the three before."""

COHORTS = 36
"""Months of creation that conversion is learned from."""

_WINS_PRIOR = 20.0
_AMOUNT_SPREAD = 0.25
"""How much mean amounts of groups, segments and ages are thought to differ (log scale)."""

_MOST_GROUPS = 12


@dataclass(frozen=True, kw_only=True)
class Cohorts:
    """Deals by segment, source group and month of creation.

    `periods` are the complete months (T,), ascending, and `settled` the last that has settled; `groups` the names of
    the source groups and `channels` the marketing channel each goes with ("" = none). `created` (R, G, T); `won` and
    `amount` (R, G, T, A) by age in months 0..A-1, counting settled months only; `late_created` and `late_won` the same
    of deals created after the position of `as_of` in their month (all of them at a month's end). `pool` are the single
    won amounts of the last three years that have settled.
    """

    periods: np.ndarray
    settled: int
    groups: tuple[str, ...]
    channels: tuple[str, ...]
    created: np.ndarray
    won: np.ndarray
    amount: np.ndarray
    late_created: np.ndarray
    late_won: np.ndarray
    pool: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Future:
    """Wins expected of deals not yet created. Arrays over segments R and steps S.

    `wins` (R, S) their number and `value` (R, S) their amount, `marketed` the part of `value` from groups that are
    marketing channels; `created` (R, G, S) deals created by month ahead; `spread` the squared coefficient of variation
    of one won amount.
    """

    wins: np.ndarray
    value: np.ndarray
    marketed: np.ndarray
    created: np.ndarray
    groups: tuple[str, ...]
    spread: float
    used_leads: bool


def cohorts(view: KnownState, *, steps: int, marketing: bool = True) -> Cohorts:
    """Count deals created and won by segment, source group and month, as known.

    A deal is known once it is created, so months count as they end; wins may be recorded late, so these wait until the
    month they lie in has settled.
    """
    ledger, part = view.ledger, view.elapsed
    last, settled = view.last_complete, view.last_settled
    born = ledger.created_in
    known = view.known & (born > 0) & (born <= last)
    first = int(born[known].min()) if known.any() else last
    periods = np.arange(first, last + 1)
    names, channels, group = _groups(view, marketing=marketing)
    shape = (len(ledger.segments), len(names), len(periods))
    won = known & (view.outcome == WON) & (view.segment != NONE)
    age = np.maximum(view.closed_in - born, 0)
    counted = won & (view.closed_in <= settled) & (age < steps)
    late = known & _late_in_month(view, periods) if part > 0 else known
    known = known & (view.segment != NONE)

    def count(which: np.ndarray) -> np.ndarray:
        here = np.flatnonzero(which)
        cell = (view.segment[here] * len(names) + group[here]) * len(periods) + born[here] - first
        return np.bincount(cell, minlength=int(np.prod(shape))).reshape(shape).astype(float)

    def by_age(which: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        here = np.flatnonzero(which)
        cell = (view.segment[here] * len(names) + group[here]) * len(periods) + born[here] - first
        flat = np.bincount(
            cell * steps + age[here], None if weights is None else weights[here], minlength=int(np.prod(shape)) * steps
        )
        return flat.reshape(*shape, steps).astype(float)

    created, wins = count(known), by_age(counted)
    lately = (view.closed_in > settled - COHORTS) & (view.closed_in <= settled)
    pool = np.nan_to_num(view.amount[(view.outcome == WON) & lately])
    late_created, late_wins = (count(known & late), by_age(counted & late)) if part > 0 else (created, wins)
    return Cohorts(
        periods=periods,
        settled=settled,
        groups=names,
        channels=channels,
        created=created,
        won=wins,
        amount=by_age(counted, np.nan_to_num(view.amount)),
        late_created=late_created,
        late_won=late_wins,
        pool=pool,
    )


def _late_in_month(view: KnownState, periods: np.ndarray) -> np.ndarray:
    """Return which deals were created later in their month than the month in progress has come; (n,) bool.

    periods : (T,) of the months that count, one after the other.
    """
    start, ledger = view.calendar.start, view.ledger
    lengths = np.array([(start(int(p) + 1) - start(int(p))).days for p in periods])
    begins = np.array([start(int(p)) for p in periods], dtype="datetime64[D]").astype(np.int64)
    where = np.clip(ledger.created_in - periods[0], 0, len(periods) - 1)
    return np.asarray(ledger.created_on - begins[where] + 1 > np.rint(view.elapsed * lengths[where]))


def expected_wins(view: KnownState, *, steps: int, marketing: bool = True) -> Future:
    """Return what deals not yet created are expected to bring in each of the `steps` months ahead.

    Step 0 is the next month at a month's end, else the rest of the month in progress.
    """
    part = view.elapsed
    seen = cohorts(view, steps=steps, marketing=marketing)
    created, used = _creation(view, seen, steps=steps, marketing=marketing)
    convert, amounts = _conversion(view, seen), _mean_amounts(seen)
    late_share, late_won = _lateness(seen)
    position = view.calendar.quarter_position(view.first_target + np.arange(steps))
    calendar_factor = convert.position[position]
    wins, value, marketed = (np.zeros((len(view.ledger.segments), steps)) for _ in range(3))
    channel = np.array([bool(name) for name in seen.channels])
    for s in range(steps):
        for j in range(s + 1):
            rate = convert.rate[:, :, s - j] * (late_won[s - j] * late_share if j == 0 and part > 0 else 1.0)
            expected = created[:, :, j] * rate * calendar_factor[s]
            wins[:, s] += expected.sum(axis=1)
            worth = expected * amounts[:, :, s - j]
            value[:, s] += worth.sum(axis=1)
            marketed[:, s] += worth[:, channel].sum(axis=1)
    mean = seen.pool.mean() if len(seen.pool) else 0.0
    spread = float(seen.pool.var() / mean**2) if mean > 0 else 0.0
    return Future(
        wins=wins,
        value=value,
        marketed=marketed,
        created=created,
        groups=seen.groups,
        spread=spread,
        used_leads=used,
    )


# -- how many are created ------------------------------------------------------------------------------


def _groups(view: KnownState, *, marketing: bool) -> tuple[tuple[str, ...], tuple[str, ...], np.ndarray]:
    """Return the source groups, the channel of each ("" = none), and the group of each deal.

    A lead source that is a channel of the marketing table is a group of its own; the others are taken together by
    type (new, existing) where there is one.
    """
    columns, known = view.ledger.columns, view.known
    n = view.ledger.size
    label, names = np.zeros(n, dtype=np.int64), ["all"]
    kind, source = columns.get("type"), columns.get("lead_source")
    if kind is not None and kind.levels is not None:
        label, names = np.where(kind.fixed == NONE, len(kind.levels), kind.fixed), [*kind.levels, "other"]
    channels: set[str] = set()
    table = view.ledger.marketing
    listed = table.channels if marketing else ()
    if listed and source is not None and source.levels is not None:
        now = table.channel[(table.period <= view.last_complete) & (table.channel != NONE)]
        channels = {listed[code] for code in np.unique(now)} & set(source.levels)
        place = np.array(
            [*(len(names) + k if level in channels else NONE for k, level in enumerate(source.levels)), NONE]
        )
        matched = place[source.fixed]
        label = np.where(matched != NONE, matched, label)
        names = [*names, *source.levels]
    present = np.flatnonzero(np.bincount(label[known], minlength=len(names)))
    # By name, so that the groups of a day do not depend on what is coded later; a name may be both type and channel.
    labels = sorted({names[code] for code in present})
    if len(labels) > _MOST_GROUPS or not labels:
        return ("all",), ("",), np.zeros(n, dtype=np.int64)
    lookup = np.zeros(len(names), dtype=np.int64)
    for code in present:
        lookup[code] = labels.index(names[code])
    return tuple(labels), tuple(name if name in channels else "" for name in labels), lookup[label]


def _creation(view: KnownState, seen: Cohorts, *, steps: int, marketing: bool) -> tuple[np.ndarray, bool]:
    """Return deals expected to be created by month ahead (R, G, S), and whether leads helped."""
    segments, groups, months = seen.created.shape
    moy = _months_of_year(seen.periods, steps)
    leads = _leads(view, seen) if marketing else None
    matched = np.array([bool(name) for name in seen.channels])
    out = np.zeros((segments, groups, months, steps))
    for family in (matched, ~matched):
        if family.any():
            # Groups of a family are forecast one by one: leads rise and fall by channel, the rest by segment.
            flat = seen.created[:, family]
            if matched[family].any():
                series = forecast_series(flat.reshape(-1, months), ahead=steps, month_of_year=moy)
                out[:, family] = series.mean.reshape(segments, int(family.sum()), months, steps)
            else:
                total = forecast_series(flat.sum(axis=1), ahead=steps, month_of_year=moy).mean
                recent = flat[:, :, -24:].sum(axis=2) + 0.5
                share = recent / recent.sum(axis=1, keepdims=True)
                out[:, family] = share[:, :, None, None] * total[:, None]
    used = False
    if leads is not None and months > 3 * LAGS:
        for g, channel in enumerate(seen.channels):
            of_group = leads[channel] if channel else leads.get("") if not matched.any() else None
            if of_group is not None:
                out[:, g], helped = _from_leads(seen.created[:, g], of_group, out[:, g], moy)
                used = used or helped
    return out[:, :, -1], used


def _leads(view: KnownState, seen: Cohorts) -> dict[str, np.ndarray] | None:
    """Return leads by segment and month (R, T) of each channel that is a group, and of all channels under ""."""
    table = view.ledger.marketing
    if not len(table.period):
        return None
    # The rows of months that were not over at the view's day lie beyond the last of `seen`.
    period = table.period - seen.periods[0]
    inside = (period >= 0) & (period < len(seen.periods)) & (table.segment >= 0)
    # Leads that stop short of the last month announce nothing.
    if not (period == len(seen.periods) - 1).any():
        return None
    amount = np.nan_to_num(table.leads)
    size = (len(view.ledger.segments), len(seen.periods))
    cell = np.where(inside, table.segment * size[1] + period, 0)

    def total(which: np.ndarray) -> np.ndarray:
        return np.bincount(cell[which], amount[which], minlength=size[0] * size[1]).reshape(size)

    out = {"": total(inside)}
    for channel in seen.channels:
        if channel:
            out[channel] = total(inside & (table.channel == table.channels.index(channel)))
    return out


def _from_leads(
    created: np.ndarray, leads: np.ndarray, otherwise: np.ndarray, moy: np.ndarray
) -> tuple[np.ndarray, bool]:
    """Return creation (R, T, S) as it follows from leads at lags 0..3, where that explained the past better.

    created, leads : (R, T). otherwise : (R, T, S), the forecast without leads; moy : (T + S,).
    """
    months, steps = otherwise.shape[1:]
    ahead = forecast_series(leads, ahead=steps, month_of_year=moy).mean
    base = series_base(created, ahead=0, month_of_year=moy[:months])
    start = LAGS - 1 + int(np.argmax(leads.sum(axis=0) > 0))
    if months - start < 2 * LAGS:
        return otherwise, False
    lagged = np.stack([leads[:, start - lag : months - lag] for lag in range(LAGS)], axis=-1)
    design = np.concatenate([lagged, base[:, start:, None]], axis=-1).reshape(-1, LAGS + 1)
    y = created[:, start:].ravel()
    scale = 1.0 / np.sqrt(np.maximum(base[:, start:].ravel(), 0.25))
    weights = nnls(design * scale[:, None], y * scale)[0]
    out = np.empty_like(otherwise)
    own_base = series_base(created, ahead=steps, month_of_year=moy)
    for j in range(steps):
        month = np.arange(months) + 1 + j
        total = weights[LAGS] * own_base[:, month]
        for lag in range(LAGS):
            # At origin t the leads up to month t are known; later ones are forecast from t.
            ahead_by = j + 1 - lag
            if ahead_by >= 1:
                total = total + weights[lag] * ahead[:, :, ahead_by - 1]
            else:
                source = np.arange(months) + ahead_by
                total = total + weights[lag] * np.where(source >= 0, leads[:, np.maximum(source, 0)], 0.0)
        out[:, :, j] = total
    # Leads that only blur are left out: the errors of the next month are compared.
    then = slice(start, months - 1)
    actual = created[:, start + 1 :]
    with_leads = float(((out[:, then, 0] - actual) ** 2).sum())
    without = float(((otherwise[:, then, 0] - actual) ** 2).sum())
    return (out, True) if with_leads < without else (otherwise, False)


def _months_of_year(periods: np.ndarray, ahead: int) -> np.ndarray:
    return np.arange(periods[0], periods[0] + len(periods) + ahead) % 12


# -- what they bring -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """`rate` (R, G, A) share of deals created that are won at an age; `position` (3,) the quarter's factor."""

    rate: np.ndarray
    position: np.ndarray


def _conversion(view: KnownState, seen: Cohorts) -> Conversion:
    """Learn conversion by age; each ratio is wins over wins expected from its parent, 20 wins of the parent added."""
    created, won = seen.created[:, :, -COHORTS:], seen.won[:, :, -COHORTS:]
    periods = seen.periods[-COHORTS:]
    ages = won.shape[3]
    target = periods[:, None] + np.arange(ages)
    complete = (target <= seen.settled) & (target >= view.closures_recorded_from)
    position = view.calendar.quarter_position(target)
    factor = np.ones(3)
    by_age = np.zeros(ages)
    for _ in range(3):
        exposure = np.einsum("rgt,ta->a", created, complete * factor[position])
        by_age = won.sum(axis=(0, 1, 2)) / np.maximum(exposure, 1e-12)
        expected = np.einsum("rgt,ta->ta", created, complete * by_age)
        factor = np.array(
            [
                (won.sum(axis=(0, 1))[position == q].sum() + _WINS_PRIOR)
                / (expected[position == q].sum() + _WINS_PRIOR)
                for q in range(3)
            ]
        )
        factor /= factor.mean()
    exposed = np.einsum("rgt,ta->rga", created, complete * factor[position])
    wins = won.sum(axis=2)
    group = _shrunk(wins.sum(axis=(0, 2)), (exposed.sum(axis=0) * by_age).sum(axis=1))
    by_group = by_age * group[:, None]
    by_group = by_group * _shrunk(wins.sum(axis=0), exposed.sum(axis=0) * by_group)
    region = _shrunk(wins.sum(axis=2), (exposed * by_group).sum(axis=2))
    return Conversion(rate=region[:, :, None] * by_group[None], position=factor)


def _shrunk(seen: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return seen over expected, shrunk towards 1."""
    return (seen + _WINS_PRIOR) / (expected + _WINS_PRIOR)


def _mean_amounts(seen: Cohorts) -> np.ndarray:
    """Return the mean won amount (R, G, A): the overall mean times shrunk factors of age, group and segment."""
    won, amount = seen.won[:, :, -COHORTS:].sum(axis=2), seen.amount[:, :, -COHORTS:].sum(axis=2)
    if won.sum() == 0:
        return np.zeros(won.shape)
    mean = amount.sum() / won.sum()
    spread = seen.pool.var() / max(seen.pool.mean(), 1e-12) ** 2 if len(seen.pool) > 1 else 1.0
    prior = spread / _AMOUNT_SPREAD**2
    out = np.full(won.shape, mean)
    for keep in ((2,), (1,), (0,)):
        rest = tuple(axis for axis in range(3) if axis not in keep)
        expected = (won * out).sum(axis=rest, keepdims=True)
        n = won.sum(axis=rest, keepdims=True)
        ratio = np.where(expected > 0, amount.sum(axis=rest, keepdims=True) / np.maximum(expected, 1e-12), 1.0)
        out = out * (1.0 + n / (n + prior + 1e-12) * (ratio - 1.0))
    return out


def _lateness(seen: Cohorts) -> tuple[float, np.ndarray]:
    """Return the share of a month's deals created late in it, and how their conversion at each age compares (A,)."""
    share = seen.late_created.sum() / max(seen.created.sum(), 1.0)
    expected = seen.won.sum(axis=(0, 1, 2)) * share
    return float(share), _shrunk(seen.late_won.sum(axis=(0, 1, 2)), expected)
