"""The months that tell whether a level has moved, kept along the walk: what came of each beside what was expected.

Simple case: a month settles, and its wins and losses are counted beside those that the model expected at its beginning
(`shifts.counts_of`). Two complications: a model fitted anew expects something else, so all months are counted again;
and the month that is over but has not settled counts, too, since it is the newest there is: it is held against what is
expected, times the share of closures that earlier months showed at the same point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from forecast.models.win.change.shifts import FORMS, KEEP, MONTHS, MonthCounts, Shift, counts_of, evidence_of, shift_of
from forecast.models.win.encoding import Encoding
from forecast.models.win.landmarks import AtRisk

_LATE_MONTHS = 12
"""Settled months that tell which share of closures is recorded by the end of a month."""

_FEWEST = 3


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What was expected at an origin of its open deals in step 0: logits (n, 2) by the columns alone, and the shift."""

    logits: np.ndarray
    shift: Shift | None


@dataclass(kw_only=True)
class Months:
    """The settled months looked at; mutable, because the walk adds to it month by month."""

    _parts: dict[int, AtRisk] = field(default_factory=dict)
    _counts: dict[int, MonthCounts] = field(default_factory=dict)
    _as_forecast: dict[int, MonthCounts] = field(default_factory=dict)
    _by_its_end: dict[int, np.ndarray] = field(default_factory=dict)
    _evidence: np.ndarray = field(default_factory=lambda: np.zeros(len(FORMS)))

    def settle(self, month: int, part: AtRisk, expected: Expected | None, *, code: Encoding | None) -> None:
        """Take in a month that has settled.

        part : what became of the deals that were open before it. expected : by the model of then, whose encoding is
        `code`; None where there was none.
        """
        self._parts[month] = part
        for record in (self._parts, self._counts, self._by_its_end):
            _forget(record, up_to=month - MONTHS)
        if expected is None or code is None:
            return
        counts = _counted(part, expected.logits[part.deal].astype(float), code)
        self._counts[month] = self._as_forecast[month] = counts
        shift = expected.shift
        # A model fitted anew in between may know other sources; then the month says nothing of the forms.
        if shift is not None and shift.rates.shape[:3] == counts.expected.shape[:3]:
            fresh = evidence_of(counts, shift.rates[..., 0, :], shift.shares[..., 0, :])
            self._evidence = KEEP * self._evidence + fresh - fresh.max()

    @property
    def counts(self) -> Mapping[int, MonthCounts]:
        """The settled months looked at, beside what the last model fitted in full expects of them."""
        return MappingProxyType(self._counts)

    @property
    def as_forecast(self) -> Mapping[int, MonthCounts]:
        """All settled months of the walk, each beside what was expected at its beginning by the model of that day."""
        return MappingProxyType(self._as_forecast)

    def count_again(self, code: Encoding, beta: np.ndarray) -> None:
        """Count all months beside what a model fitted anew expects of them."""
        self._counts = {}
        for month, part in sorted(self._parts.items()):
            logits = code.logits(part.states.take(part.deal), beta, steps=1)[:, 0]
            self._counts[month] = _counted(part, logits, code)

    def shift(
        self, unsettled: dict[int, AtRisk], *, code: Encoding, beta: np.ndarray, first_target: int, steps: int
    ) -> Shift | None:
        """Return the shift as of a day; unsettled : by month, what is known of those that are over by then."""
        counts = dict(self._counts)
        for month, part in sorted(unsettled.items()):
            self._by_its_end.setdefault(month, _closed(part))
            by_then = self._recorded_by_the_end() if month == first_target - 1 else None
            if by_then is not None:
                logits = code.logits(part.states.take(part.deal), beta, steps=1)[:, 0]
                full, (share, doubt) = _counted(part, logits, code), by_then
                counts[month] = replace(
                    full, expected=full.expected * share, information=full.information * share, doubt=doubt
                )
        return shift_of(counts, first_target=first_target, steps=steps, evidence=self._evidence)

    def _recorded_by_the_end(self) -> tuple[np.ndarray, float] | None:
        """Return the share of wins and losses recorded at the end of their month, (2,), and how much its log varies.

        None where fewer than three months tell. The variance is that from month to month, chance included.
        """
        both = sorted(set(self._by_its_end) & set(self._parts))[-_LATE_MONTHS:]
        if len(both) < _FEWEST:
            return None
        early = np.array([self._by_its_end[month] for month in both])
        late = np.array([_closed(self._parts[month]) for month in both])
        share = (early.sum(axis=0) + 0.5) / (late.sum(axis=0) + 0.5)
        months = np.log((early.sum(axis=1) + 0.5) / (late.sum(axis=1) + 0.5))
        return np.minimum(share, 1.0), float(months.var(ddof=1))


def _closed(part: AtRisk) -> np.ndarray:
    """Return how many deals were won and lost, (2,)."""
    return np.array([part.won.sum(), part.lost.sum()], dtype=float)


def _counted(part: AtRisk, logits: np.ndarray, code: Encoding) -> MonthCounts:
    words = code.words
    shape = (len(words.segments), len(words.stages), words.sources)
    return counts_of(part, logits, words.source_of(part.states)[part.deal], shape=shape)


def _forget(record: dict[int, Any], *, up_to: int) -> None:
    """Delete the months up to one."""
    for month in [month for month in record if month <= up_to]:
        del record[month]
