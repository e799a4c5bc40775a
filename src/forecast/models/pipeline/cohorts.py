"""Deals by segment, source group and month of creation, and what came of them at each age.

Simple case: a deal belongs to the month it was created in, and its win to an age in months. Two complications: a month
in progress, of which the deals to come are those created late in a month; and wins recorded late, which wait until the
month they lie in has settled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from forecast.data.known.coding import NONE, PART, WON
from forecast.data.known.ledger import KnownState
from forecast.models.pipeline.begun_anew import created_before

COHORTS = 36
"""Months of creation that conversion is learned from."""

_MOST_GROUPS = 12


@dataclass(frozen=True, kw_only=True)
class Cohorts:
    """Deals by segment, source group and month of creation.

    `periods` are the complete months (T,), ascending, and `settled` the last that has settled; `groups` the names of
    the source groups and `channels` the marketing channel each goes with ("" = none). `created` (R, G, T); `won` and
    `amount` (R, G, T, A) by age in months 0..A-1, counting settled months only; `late_created` and `late_won` the same
    of deals created after the position of `as_of` in their month (all of them at a month's end). `won_young` (R, G, T)
    are the deals known as won by now, settled or not. `pool` are the single won amounts of the last three years that
    have settled. `group` (n,) is the source group of each deal of the ledger.
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
    won_young: np.ndarray
    pool: np.ndarray
    group: np.ndarray


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
    cells = int(np.prod(shape))
    won = known & (view.outcome == WON) & (view.segment != NONE)
    age = np.maximum(view.closed_in - born, 0)
    counted = won & (view.closed_in <= settled) & (age < steps)
    late = known & _late_in_month(view, periods) if part > 0 else known
    known = known & (view.segment != NONE)

    def cell(here: np.ndarray) -> np.ndarray:
        return (view.segment[here].astype(np.int64) * len(names) + group[here]) * len(periods) + born[here] - first

    def count(which: np.ndarray) -> np.ndarray:
        return sums_by(cell, which, cells).reshape(shape)

    def by_age(which: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        flat = sums_by(lambda here: cell(here) * steps + age[here], which, cells * steps, weights)
        return flat.reshape(*shape, steps)

    created, wins = count(known), by_age(counted)
    if ledger.breaks.begun:
        created = created + created_before(view, group, groups=len(names), periods=periods)
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
        amount=by_age(counted, view.amount),
        late_created=late_created,
        late_won=late_wins,
        won_young=count(won & (view.closed_in < view.first_target) & (age < steps)),
        pool=pool,
        group=group,
    )


def sums_by(
    cell: Callable[[np.ndarray], np.ndarray], which: np.ndarray, cells: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """Return how many deals lie in each cell, or the sum of their weights (nan counts as 0), (cells,) float64.

    The same as `np.bincount` of all deals to the bit, but part by part: each weight is added in the order of the deals.

    cell : of some deals (k,) -> (k,). which : (n,) bool, the deals that count. weights : (n,).
    """
    out = np.zeros(cells)
    size = max(PART, cells)
    for at in range(0, len(which), size):
        here = np.flatnonzero(which[at : at + size]) + at
        if weights is None:
            out += np.bincount(cell(here), minlength=cells)
        else:
            np.add.at(out, cell(here), np.nan_to_num(weights[here]))
    return out


def _late_in_month(view: KnownState, periods: np.ndarray) -> np.ndarray:
    """Return which deals were created later in their month than the month in progress has come; (n,) bool.

    periods : (T,) of the months that count, one after the other.
    """
    start, ledger = view.calendar.start, view.ledger
    lengths = np.array([(start(int(p) + 1) - start(int(p))).days for p in periods])
    begins = np.array([start(int(p)) for p in periods], dtype="datetime64[D]").astype(np.int64)
    where = np.clip(ledger.created_in - periods[0], 0, len(periods) - 1)
    return np.asarray(ledger.created_on - begins[where] + 1 > np.rint(view.elapsed * lengths[where]))


def _groups(view: KnownState, *, marketing: bool) -> tuple[tuple[str, ...], tuple[str, ...], np.ndarray]:
    """Return the source groups, the channel of each ("" = none), and the group of each deal.

    A lead source that is a channel of the marketing table is a group of its own; the others are taken together by
    type (new, existing) where there is one.
    """
    columns, known = view.ledger.columns, view.known
    n = view.ledger.size
    label, names = np.zeros(n, dtype=np.int8), ["all"]
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
            [*(len(names) + k if level in channels else NONE for k, level in enumerate(source.levels)), NONE],
            dtype=np.int32,
        )
        matched = place[source.fixed]
        label = np.where(matched != NONE, matched, label)
        names = [*names, *source.levels]
    present = np.flatnonzero(np.bincount(label[known], minlength=len(names)))
    # By name, so that the groups of a day do not depend on what is coded later; a name may be both type and channel.
    labels = sorted({names[code] for code in present})
    if len(labels) > _MOST_GROUPS or not labels:
        return ("all",), ("",), np.zeros(n, dtype=np.int8)
    lookup = np.zeros(len(names), dtype=np.int8)  # of at most `_MOST_GROUPS`
    for code in present:
        lookup[code] = labels.index(names[code])
    return tuple(labels), tuple(name if name in channels else "" for name in labels), lookup[label]
