"""The record of the share won: what came of each settled month beside what had been expected of it, as of a day.

Simple case: a company stays as it is, and the wins of a month are those that the model of its beginning expected of the
deals open then, but for chance. The record keeps both by month and segment, so that somebody else can ask whether that
still holds (`evaluation.levels`). Each month's expectation is the one made before it, without the shift that a model
may have found (`shifts`): a change goes on being seen after the forecast has followed it. Beside it stands what the
filter makes of the same months: where the level of wins is now, how likely it has moved at all, and in which month it
would have jumped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast.models.win.change.shifts import FEWEST, MonthCounts, wins_levels
from forecast.models.win.hazards import one_thread
from forecast.models.win.learn import Learner
from forecast.models.win.probabilities import days_to_walk

if TYPE_CHECKING:
    from forecast.data.known.snapshot import Snapshot

WON, LOST = 0, 1
"""Places of the causes in the last axis of a record."""


@dataclass(frozen=True, kw_only=True)
class Levels:
    """What came of the settled months as known on a day; R segments, T months, J months of a jump.

    as_of : the day. segments : (R,), names; deals of no segment count in the company only.
    periods : (T,), ascending. seen, expected : (T, 1 + R, 2), won and lost of the deals open at the month's beginning,
    the company first, then each segment: how many there were, and how many the model of that day had expected.
    level : (1 + R,), log of the wins that come over those that the newest model expects, now. moved : (1 + R,), the
    probability that it has moved at all; jumped : (1 + R, J), that it did so at once in each of `jump_periods` (J,).
    Of a segment all three are of what lies beyond the company's. NaN where less than a year is known.
    """

    as_of: pd.Timestamp
    segments: tuple[str, ...]
    periods: np.ndarray
    seen: np.ndarray
    expected: np.ndarray
    level: np.ndarray
    moved: np.ndarray
    jumped: np.ndarray
    jump_periods: np.ndarray


def levels_at_days(snap: Snapshot, *, days: Sequence[pd.Timestamp]) -> Iterator[Levels]:
    """Yield the record of the share won as of each of some days, in one walk through a snapshot's past.

    days : ascending, at the same position in their month, none after the snapshot's day. Without months where no model
    with covariates has been learned: a base rate expects nothing of a month that it was not made from.

    >>> record = next(levels_at_days(forecast.snapshot(log, as_of="2026-10-31"), days=[snap.as_of]))  # doctest: +SKIP
    """
    wanted = set(days)
    walk, fit_from = days_to_walk(snap.ledger, first=days[0], last=days[-1])
    segments = tuple(snap.ledger.segments)
    kept = snap.ledger.kept.get(frozenset())
    if kept is not None and kept.begins(walk, fit_from=fit_from) and [*days] == [kept.days[-1]]:
        yield levels_of(kept.months.as_forecast, kept.months.counts, as_of=days[0], segments=segments)
        return
    learner = Learner(fit_from=fit_from)
    for view in snap.ledger.walk(walk):
        with one_thread():
            learner.step(view)
            if view.as_of in wanted:
                months = learner.months
                yield levels_of(months.as_forecast, months.counts, as_of=view.as_of, segments=segments)


def levels_of(
    as_forecast: Mapping[int, MonthCounts],
    counts: Mapping[int, MonthCounts],
    *,
    as_of: pd.Timestamp,
    segments: tuple[str, ...],
) -> Levels:
    """Return the record of some months.

    as_forecast : each month beside the model of its beginning. counts : beside the newest model, for the filter; both
    as `Months` keeps them. By hand: 3 won and 9 lost in one segment, 4 and 8 expected: seen[0] is [[3, 9], [3, 9]].
    """
    size = len(segments)
    periods = np.array(sorted(as_forecast), dtype=np.int64)
    seen, expected = np.zeros((2, len(periods), 1 + size, 2))
    for place, period in enumerate(periods):
        month = as_forecast[int(period)]
        for out, values in ((seen, month.seen), (expected, month.expected)):
            by_segment = values.sum(axis=(1, 2))
            out[place, 0] = by_segment.sum(axis=0)
            known = min(len(by_segment) - 1, size)
            out[place, 1 : 1 + known] = by_segment[:known]
    unknown = np.full(1 + size, np.nan)
    level, moved = unknown, unknown
    jumped, jump_periods = np.zeros((1 + size, 0)), np.zeros(0, dtype=np.int64)
    if len(counts) >= FEWEST:
        months = np.array(sorted(counts), dtype=np.int64)
        common, beyond = wins_levels([counts[int(month)] for month in months])
        level = np.concatenate([common.ahead[:, 0], beyond.ahead[:size, 0]])
        moved = np.concatenate([common.moved, beyond.moved[:size]])
        jumped = np.concatenate([common.jumped, beyond.jumped[:size]])
        jump_periods = months[len(months) - jumped.shape[1] :]
    return Levels(
        as_of=as_of,
        segments=segments,
        periods=periods,
        seen=seen,
        expected=expected,
        level=level,
        moved=moved,
        jumped=jumped,
        jump_periods=jump_periods,
    )
