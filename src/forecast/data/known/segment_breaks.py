"""Segments that closed, or that began as part of another one, as known on a day.

Simple case: each segment creates deals month after month. A segment that *closed* creates none any more, and what was
open in it is lost within days. One that is *new* begins in the middle of the log; where another one creates fewer deals
from then on, by as much, the new one was split off it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from forecast.data.known.coding import LOST, NO_DAY, NONE, OPEN
from forecast.data.known.ledger import KnownState

_YEAR = 365
_DEALS, _SILENT, _EXPECTED = 20, 14, 10.0
_LOST_WITHIN, _LOST_SHARE = 31, 0.8
_LEFT_OPEN = 0.05
_BEGINS_AFTER, _FEW_MONTHS, _MOST_MONTHS, _SURE = 6, 2, 6, 0.9


@dataclass(frozen=True, kw_only=True, eq=False)
class ClosedSegment:
    """A segment that closed; segment : its code. last : the day of its last creation. lost : deals lost after it."""

    segment: int
    last: int
    lost: np.ndarray


def closed_segments(view: KnownState) -> list[ClosedSegment]:
    """Return the segments in which nothing is created any more and what was open was lost at once.

    Ten deals at least would have been created since the last one, at the rate of the year before (that none was has a
    chance of e^-10), and it is two weeks ago. Of the deals open on the day of the last creation four of five at least
    were lost within a month of it, and one of twenty at most is open.
    """
    return view.once(_closed_segments)


def _closed_segments(view: KnownState) -> list[ClosedSegment]:
    ledger, found = view.ledger, []
    dated = view.known & (ledger.created_on != NO_DAY) & (ledger.created_on <= view.day) & (view.segment != NONE)
    deals = np.flatnonzero(dated)
    newest = np.full(len(ledger.segments), view.day, dtype=np.int64)
    newest[view.segment[deals]] = np.iinfo(np.int32).min
    np.maximum.at(newest, view.segment[deals], ledger.created_on[deals].astype(np.int64))
    if (view.day - newest < _SILENT).all():
        return []
    deals = deals[np.argsort(view.segment[deals], kind="stable")]
    ends = np.cumsum(np.bincount(view.segment[deals], minlength=len(ledger.segments)))
    for segment, mine in enumerate(np.split(deals, ends[:-1])):
        if len(mine) < _DEALS:
            continue
        created, closed = ledger.created_on[mine].astype(np.int64), view.closed_on[mine].astype(np.int64)
        last = int(created.max())
        days = max(min(_YEAR, last - int(created.min())), 1)
        expected = np.count_nonzero(created > last - _YEAR) / days * (view.day - last)
        if view.day - last < _SILENT or expected < _EXPECTED:
            continue
        is_open, is_lost = (view.outcome[mine] == outcome for outcome in (OPEN, LOST))
        was_open = is_open | (closed > last)
        lost = was_open & is_lost & (closed <= last + _LOST_WITHIN)
        few_left = is_open.sum() <= _LEFT_OPEN * was_open.sum()
        if was_open.any() and few_left and lost.sum() >= _LOST_SHARE * was_open.sum():
            found.append(ClosedSegment(segment=segment, last=last, lost=mine[lost]))
    return found


def given_up_with_their_segment(view: KnownState) -> np.ndarray:
    """Return which deals were lost because their segment closed, as known on a day; (n,) bool."""
    out = np.zeros(view.ledger.size, dtype=bool)
    for each in closed_segments(view):
        out[each.lost] = True
    return out


@dataclass(frozen=True, kw_only=True)
class NewSegment:
    """A segment that begins in the middle of the log; segment : its code. day : of its first deal. created : a month.

    of : code of the one it was split off, None where none lost as much; before, after : what that one created a month.
    """

    segment: int
    day: int
    created: float
    of: int | None = None
    before: float = 0.0
    after: float = 0.0


def new_segments(view: KnownState) -> list[NewSegment]:
    """Return the segments that began half a year after the first one or later, with twenty deals and two whole months.

    Each is held against the others over as many months (at most six) before and since. Another one either went on, or
    lost as many deals as the new one has; how far its mean strays from one such span to the next it has shown in the
    past. Of these hypotheses, equally likely beforehand and normal, and that of no loss at all, one must have nine
    tenths of the weight.
    """
    return view.once(_new_segments)


def _new_segments(view: KnownState) -> list[NewSegment]:
    ledger = view.ledger
    dated = view.known & (ledger.created_on != NO_DAY) & (ledger.created_on <= view.day) & (view.segment != NONE)
    dated &= ledger.created_in <= view.last_complete
    if not dated.any():
        return []
    segment, month = view.segment[dated], ledger.created_in[dated].astype(np.int64)
    first, segments = int(month.min()), len(ledger.segments)
    months = view.last_complete - first + 1
    counts = np.bincount(segment * months + month - first, minlength=segments * months).reshape(segments, months)
    begins = np.where(counts.any(axis=1), np.argmax(counts > 0, axis=1), months)
    found = []
    for new in np.flatnonzero((begins >= _BEGINS_AFTER) & (counts.sum(axis=1) >= _DEALS)):
        begin = int(begins[new])
        span = min(months - begin, _MOST_MONTHS, begin)
        if span < _FEW_MONTHS:
            continue
        size = float(counts[new, begin : begin + span].mean())
        day = int(ledger.created_on[dated][segment == new].min())
        one = NewSegment(segment=int(new), day=day, created=size)
        found.append(_split_off(one, counts, begins, begin=begin, span=span))
    return found


def _split_off(new: NewSegment, counts: np.ndarray, begins: np.ndarray, *, begin: int, span: int) -> NewSegment:
    """Return a new segment with the one it was split off, where one lost as much.

    counts : (R, T) deals created. begins : (R,) month of the first. begin, span : months of the new one.
    """
    older = np.flatnonzero(begins <= begin - span)
    older = older[older != new.segment]
    if not len(older):
        return new
    before, after = counts[older, begin - span : begin].mean(axis=1), counts[older, begin : begin + span].mean(axis=1)
    stray = np.maximum([_strays(counts[each, begins[each] : begin], span) for each in older], 2.0 * before / span)
    went_on, lost = (after - before) ** 2, (after - before + new.created) ** 2
    weight = np.exp(np.clip((went_on - lost) / (2.0 * np.maximum(stray, 1e-9)), -50.0, 50.0))
    best = int(np.argmax(weight))
    if weight[best] < _SURE * (1.0 + weight.sum()):
        return new
    return replace(new, of=int(older[best]), before=float(before[best]), after=float(after[best]))


def _strays(counts: np.ndarray, span: int) -> float:
    """Return the mean square by which a mean of `span` months differs from that of the span before; 0 if unknown."""
    if len(counts) < 2 * span:
        return 0.0
    means = np.convolve(counts, np.ones(span) / span, mode="valid")
    return float(np.mean((means[span:] - means[:-span]) ** 2))
