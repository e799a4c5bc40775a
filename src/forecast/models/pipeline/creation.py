"""Pipeline that does not exist yet: how many deals will be created, and what they bring by age.

Simple case: as many deals as in past months are created in each month ahead, a share of them is won at each age in
months, and each win brings a mean amount. By segment r and source group g, month s ahead:

  sum over cohorts j <= s and source groups g of
  N[r, g, j] * K[g, s - j] * Q[position of the month in its quarter] * rho[r, g] * m[r, g, s - j]
with N the deals expected to be created, K the share won at an age in months, Q the calendar's factor, rho the
segment's own conversion and m the mean won amount by age. Two complications: numbers are small, so each ratio is
shrunk towards its parent (empirical Bayes: gamma-Poisson for counts, Bühlmann's credibility for amounts); and where a
marketing table is there, deals created from a channel follow its leads of this and the three earlier months
(non-negative least squares, Lawson & Hanson 1974). What is known to change in a month, joint planning or an event,
moves N and K as far as it did before (`known_changes`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import nnls

from forecast.data.known.ledger import KnownState
from forecast.models.pipeline.cohorts import Cohorts, cohorts
from forecast.models.pipeline.conversion import YoungDeals, conversion, lateness, mean_amounts
from forecast.models.pipeline.creation_counts import series_base
from forecast.models.pipeline.known_changes import KnownChanges, forecast_grown
from forecast.models.pipeline.segments_now import as_if_split_before, goes_on

LAGS = 4
"""Months of leads a month's creation depends on: its own and the three before."""


@dataclass(frozen=True, kw_only=True)
class Future:
    """Wins expected of deals not yet created. Arrays over segments R and steps S.

    `wins` (R, S) their number and `value` (R, S) their amount, `marketed` the part of `value` from groups that are
    marketing channels; `created` (R, G, S) deals created by month ahead; `young` (R, G) by how much deals to come are
    taken to do better or worse than those of the last three years, since the youngest do; `past` (G, T) deals created
    of each source in the complete months so far; `spread` the squared
    coefficient of variation of one won amount.
    """

    wins: np.ndarray
    value: np.ndarray
    marketed: np.ndarray
    created: np.ndarray
    young: np.ndarray
    past: np.ndarray
    groups: tuple[str, ...]
    spread: float
    used_leads: bool


def expected_wins(view: KnownState, *, steps: int, marketing: bool = True, young: YoungDeals | None = None) -> Future:
    """Return what deals not yet created are expected to bring in each of the `steps` months ahead.

    Step 0 is the next month at a month's end, else the rest of the month in progress.

    young : what the win model says of the youngest open deals, which tells of those to come.
    """
    part = view.elapsed
    seen = cohorts(view, steps=steps, marketing=marketing)
    going_on = goes_on(view)[:, None, None]
    as_split = replace(seen, created=as_if_split_before(view, seen.created, seen.periods) * going_on)
    changes = KnownChanges.of(view, periods=seen.periods, steps=steps)
    created, used = _creation(view, as_split, changes, steps=steps, marketing=marketing)
    created = created * going_on
    convert, amounts = conversion(view, seen, young=young, changes=changes), mean_amounts(seen)
    late_share, late_won = lateness(seen)
    target = view.first_target + np.arange(steps)
    calendar_factor = convert.position[view.calendar.quarter_position(target)] * convert.month[target % 12]
    wins, value, marketed = (np.zeros((len(view.ledger.segments), steps)) for _ in range(3))
    channel = np.array([bool(name) for name in seen.channels])
    moved = _moved(young, steps=steps)
    if convert.known is not None:
        moved = moved * convert.known[:, len(seen.periods) :].T[:, :, None]
    for s in range(steps):
        for j in range(s + 1):
            rate = convert.rate_where(view.planned_from <= target[j], age=s - j)
            rate = rate * (late_won[s - j] * late_share if j == 0 and part > 0 else 1.0)
            expected = created[:, :, j] * rate * calendar_factor[s] * moved[s]
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
        young=np.ones(created.shape[:2]) if convert.young is None else convert.young,
        past=seen.created.sum(axis=0),
        groups=seen.groups,
        spread=spread,
        used_leads=used,
    )


def _moved(young: YoungDeals | None, *, steps: int) -> np.ndarray:
    """Return the factor on wins since levels have moved, (S, R, 1); steps beyond those modelled repeat the last."""
    if young is None:
        return np.ones((steps, 1, 1))
    return young.moved.T[np.minimum(np.arange(steps), young.moved.shape[1] - 1), :, None]


# -- how many are created ------------------------------------------------------------------------------


def _creation(
    view: KnownState, seen: Cohorts, changes: KnownChanges, *, steps: int, marketing: bool
) -> tuple[np.ndarray, bool]:
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
            factor = changes.factor(flat.sum(axis=1), moy)
            if matched[family].any():
                factor = None if factor is None else np.repeat(factor, flat.shape[1], axis=0)
                series = forecast_grown(flat.reshape(-1, months), factor, ahead=steps, month_of_year=moy)
                out[:, family] = series.mean.reshape(segments, int(family.sum()), months, steps)
            else:
                total = forecast_grown(flat.sum(axis=1), factor, ahead=steps, month_of_year=moy).mean
                recent = flat[:, :, -24:].sum(axis=2) + 0.5
                share = recent / recent.sum(axis=1, keepdims=True)
                out[:, family] = share[:, :, None, None] * total[:, None]
    used = False
    if leads is not None and months > 3 * LAGS:
        # Leads that have come tell of what changed them. Of those to come it is known as it is of deals, but learned of
        # all channels together: one alone wanders too much.
        of_leads = changes.factor(leads[""], moy)
        for g, channel in enumerate(seen.channels):
            of_group = leads[channel] if channel else leads.get("") if not matched.any() else None
            if of_group is not None:
                ahead = forecast_grown(of_group, of_leads, ahead=steps, month_of_year=moy).mean
                out[:, g], helped = _from_leads(seen.created[:, g], of_group, ahead, out[:, g], moy)
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
    created: np.ndarray, leads: np.ndarray, ahead: np.ndarray, otherwise: np.ndarray, moy: np.ndarray
) -> tuple[np.ndarray, bool]:
    """Return creation (R, T, S) as it follows from leads at lags 0..3, where that explained the past better.

    created, leads : (R, T). ahead : (R, T, S), of leads. otherwise : (R, T, S), of deals without leads. moy : (T + S,).
    """
    months, steps = otherwise.shape[1:]
    base = series_base(created, ahead=steps, month_of_year=moy)
    start, weights = _weights_of_leads(created, leads, base)
    if weights is None:
        return otherwise, False
    out = np.empty_like(otherwise)
    for j in range(steps):
        month = np.arange(months) + 1 + j
        total = weights[LAGS] * base[:, month]
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


def _weights_of_leads(created: np.ndarray, leads: np.ndarray, base: np.ndarray) -> tuple[int, np.ndarray | None]:
    """Return the first month that is learned from, and how many deals a lead brings at each lag, last what a deal of
    the base does; (LAGS + 1,), None where there are too few months.

    created, leads : (R, T). base : (R, T or more), deals as without leads.
    """
    months = created.shape[1]
    start = LAGS - 1 + int(np.argmax(leads.sum(axis=0) > 0))
    if months - start < 2 * LAGS:
        return start, None
    lagged = np.stack([leads[:, start - lag : months - lag] for lag in range(LAGS)], axis=-1)
    design = np.concatenate([lagged, base[:, start:months, None]], axis=-1).reshape(-1, LAGS + 1)
    y = created[:, start:].ravel()
    scale = 1.0 / np.sqrt(np.maximum(base[:, start:months].ravel(), 0.25))
    return start, nnls(design * scale[:, None], y * scale)[0]


def lags_of_leads(view: KnownState) -> dict[str, np.ndarray]:
    """Return by marketing channel how many deals its leads bring in the month they come in and in the three after.

    As the forecast of creation learns it, at the first step: of each channel that is a lead source too, (LAGS,) deals a
    lead; zeros where its deals do not follow its leads. Without such channels, or with too few months, nothing.
    """
    seen = cohorts(view, steps=1)
    leads = _leads(view, seen)
    if leads is None or len(seen.periods) <= 3 * LAGS:
        return {}
    moy, found = _months_of_year(seen.periods, 1), {}
    for g, channel in enumerate(seen.channels):
        if channel:
            created = seen.created[:, g]
            base = series_base(created, ahead=1, month_of_year=moy)
            _, weights = _weights_of_leads(created, leads[channel], base)
            if weights is not None:
                found[channel] = weights[:LAGS]
    return found


def _months_of_year(periods: np.ndarray, ahead: int) -> np.ndarray:
    return np.arange(periods[0], periods[0] + len(periods) + ahead) % 12
