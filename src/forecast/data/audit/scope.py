"""Forecasts that measure something else than what is booked: another unit, another currency, net against gross.

Simple case: a submitter's forecasts of a segment are now above what is booked and now below it; the ratio of the two
scatters about 1, and however badly the person forecasts, both are amounts of the same thing. Three patterns are not:

- `far`: nearly every month is far off on the same side (amounts in thousands, twice counted, half of the customers);
- `steady`: less far off, but by the same factor every month; whoever guesses wrong does not hit the same factor again;
- `jump`: the ratio moves from one month to the next and stays on its new level (a segment was cut differently).

What must not be taken for another scope: a person's optimism (a factor with the scatter of a guess), small segments
with one large deal a year (nearly every month is far below the forecast, the year is not), and a change of the ratio
when a segment begins to plan jointly: that is what the verdict is about, so no jump is looked for across a start.

A check of totals sees only what the totals show: a forecast of other customers of the same size stays unseen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from forecast.calendar import parse_periods, period_label
from forecast.data.known.settled import settled_actuals
from forecast.data.rates import at_rates_of
from forecast.data.schema import Log
from forecast.data.submissions import HORIZONS, TABLE, counted
from forecast.errors import Problem
from forecast.wording import month

Kind = Literal["far", "steady", "jump"]

FEWEST_MONTHS = 18
"""Months of record below which nothing is found: of fewer, a segment with a few large deals is often far off in all."""

FEWEST_OF_A_PART = 24
"""The same for the months before a start, or after it, alone: two more looks at one record."""

FAR = math.log(1.4)
"""Log ratio that is far off: beyond what optimism or caution of 20 to 30 % makes usual."""

NEARLY_ALL = 0.9
"""Share of the months that must be far off on the same side."""

FAR_SPREADS = 2.5
"""How many spreads the median must be from 1 to be far: amounts of lumpy segments vary by more than their median."""

STEADY = math.log(1.15)
"""Smallest log ratio that counts as a steady offset: smaller ones change no comparison."""

STEADY_SPREADS = 10.0
"""How many spreads a steady offset is from 1. Who is off by 25 % would have to know each month to 2.5 %."""

JUMP = math.log(1.4)
"""Smallest jump of the log ratio."""

AT_ONCE = 0.75
"""Share of a jump that comes from one month to the next; a bias that drifts takes longer."""

STAYS_MONTHS = 12
"""Months on each side of a jump to a level that stays: a whole year, so that no season looks like one."""
STAYS_SPREADS = 3.0
"""How many spreads such a jump spans."""

SPELL_MONTHS = 6
"""Months that a spell on another level lasts at least: bad spells of real forecasters are over by then."""
SPELL_RECORD = 12
"""Months of the usual level, at least, that a spell is held against."""
SPELL_SPREADS = 6.0
"""How many spreads from month to month a spell is away: it is shorter, so it must be clearer."""

_LIMIT = 14.0
"""Log ratio at which ratios are cut off, a factor of a million: a forecast of zero has no logarithm."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Why forecasts are taken to measure something else.

    ratio : forecast over actual, median of the months; of a jump from the old level to the new, new over old.
    months : which months show it, positions (n,): those that are off, or those from the jump on. of : months looked at.
    """

    kind: Kind
    ratio: float
    months: np.ndarray
    of: int


def other_scope(forecast: np.ndarray, actual: np.ndarray, *, start: int | None = None) -> Scope | None:
    """Return why forecasts measure something else than the actuals, or None where nothing shows that they do.

    forecast, actual : (T,) months in order, >= 0; NaN where there is none. A month in which nothing was booked has no
        ratio, and counts as one that is not far off.
    start : position of the first month in which joint planning could have changed the forecasts; the months before it
        and from it on are then looked at apart as well, and no jump is looked for between them.
    """
    parts = [slice(0, None)] if start is None else [slice(0, None), slice(0, start), slice(start, None)]
    whole = len(_Record.of(forecast, actual).ratio)
    for number, part in enumerate(parts):
        record = _Record.of(forecast[part], actual[part])
        if len(record.ratio) < (FEWEST_MONTHS if len(record.ratio) == whole else FEWEST_OF_A_PART):
            continue
        found = _far(record) or _steady(record)
        if not found and (start is None or number):
            found = _spell(record) or _stays(record)
        if found:
            return replace(found, months=found.months + (part.start or 0))
    return None


@dataclass(frozen=True, kw_only=True)
class _Record:
    """Log ratios of the months that have one, (n,), where they stand, (n,), months in all, and of the totals."""

    ratio: np.ndarray
    at: np.ndarray
    months: int
    total: float

    @classmethod
    def of(cls, forecast: np.ndarray, actual: np.ndarray) -> _Record:
        known = np.isfinite(forecast) & np.isfinite(actual) & ((forecast > 0) | (actual > 0))
        at = np.flatnonzero(known & (actual > 0))
        return cls(
            ratio=_log_ratio(forecast[at], actual[at]),
            at=at,
            months=int(known.sum()),
            total=float(_log_ratio(forecast[known].sum(), actual[known].sum())),
        )


def _log_ratio(forecast: np.ndarray | float, actual: np.ndarray | float) -> np.ndarray:
    smallest = np.finfo(np.float64).tiny
    logs = np.log(np.maximum(forecast, smallest)) - np.log(np.maximum(actual, smallest))
    return np.clip(logs, -_LIMIT, _LIMIT)


def _spread(ratio: np.ndarray) -> float:
    """Return the standard deviation that the middle 80 % of the log ratios would have if they were normal."""
    low, high = np.quantile(ratio, [0.1, 0.9])
    return max(float(high - low) / 2.563, 1e-9)


def _far(record: _Record) -> Scope | None:
    median = float(np.median(record.ratio))
    side = math.copysign(1.0, median)
    off = side * record.ratio > FAR
    if off.sum() < NEARLY_ALL * record.months or side * record.total <= FAR:
        return None
    if abs(median) < FAR_SPREADS * _spread(record.ratio):
        return None
    return Scope(kind="far", ratio=math.exp(median), months=record.at[off], of=record.months)


def _steady(record: _Record) -> Scope | None:
    median = float(np.median(record.ratio))
    if abs(median) <= STEADY or abs(median) < STEADY_SPREADS * _spread(record.ratio):
        return None
    if math.copysign(1.0, median) * record.total <= STEADY:
        return None
    return Scope(kind="steady", ratio=math.exp(median), months=record.at, of=record.months)


def _spell(record: _Record) -> Scope | None:
    """Return a jump after which at least six months lie outside all the months before it, or before which they do."""
    ratio, best = record.ratio, None
    shift_of = 0.0
    steps = np.diff(ratio)
    # Scatter from month to month: a difference of two has twice the variance of one.
    scatter = max(1.4826 * float(np.median(np.abs(steps - np.median(steps)))) / math.sqrt(2), 1e-9)
    for first in range(SPELL_MONTHS, len(ratio) - SPELL_MONTHS + 1):
        before, after = ratio[first - SPELL_MONTHS : first], ratio[first : first + SPELL_MONTHS]
        shift = float(np.median(after) - np.median(before))
        up = math.copysign(1.0, shift)
        if abs(shift) <= max(JUMP, shift_of, SPELL_SPREADS * scatter) or up * steps[first - 1] < AT_ONCE * abs(shift):
            continue
        new = first >= SPELL_RECORD and (up * after).min() > (up * ratio[:first]).max()
        old = len(ratio) - first >= SPELL_RECORD and (up * before).max() < (up * ratio[first:]).min()
        if new or old:
            best, shift_of = _jump(record, first, shift), abs(shift)
    return best


def _stays(record: _Record) -> Scope | None:
    """Return the clearest jump between two levels that both last at least a year."""
    ratio, best, clearest = record.ratio, None, STAYS_SPREADS
    for first in range(STAYS_MONTHS, len(ratio) - STAYS_MONTHS + 1):
        before, after = ratio[:first], ratio[first:]
        shift = float(np.median(after) - np.median(before))
        if abs(shift) <= JUMP:
            continue
        at_once = float(np.median(after[:3]) - np.median(before[-3:]))  # a single month may be an outlier
        spreads = abs(shift) / max(_spread(before), _spread(after))
        if spreads >= clearest and math.copysign(1.0, shift) * at_once >= AT_ONCE * abs(shift):
            best, clearest = _jump(record, first, shift), spreads
    return best


def _jump(record: _Record, first: int, shift: float) -> Scope:
    return Scope(kind="jump", ratio=math.exp(shift), months=record.at[first:], of=record.months)


# -- of a company ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class OtherScope:
    """Forecasts of one submitter for one segment that measure something else.

    periods : the months that show it, labels such as 2026-10. of : months looked at. Others as in `Scope`.
    """

    segment: str
    submitter: str
    kind: Kind
    ratio: float
    periods: tuple[str, ...]
    of: int

    @property
    def evidence(self) -> str:
        """The numbers it rests on, in half a sentence."""
        times = f"{self.ratio:.2g} times"
        if self.kind == "far":
            return (
                f"{times} what was booked (median), and off by a factor of more than {math.exp(FAR):.2g} on the same"
                f" side in {len(self.periods)} of {self.of} months"
            )
        if self.kind == "steady":
            return f"{times} what was booked (median of {self.of} months), by nearly the same factor every month"
        return f"the ratio of forecast to booked went to {times} its level in {month(self.periods[0])}"

    @property
    def sentence(self) -> str:
        """What is wrong, with its numbers."""
        return f"forecasts of {self.submitter} for {self.segment} {MEASURES_OTHER} ({self.evidence})"


MEASURES_OTHER = "measure something else than what is booked"


def settled_by_month(log: Log, day: pd.Timestamp) -> pd.DataFrame:
    """Return settled actuals, rows periods (int), columns segments, of the months that had settled by `day`."""
    settled = settled_actuals(at_rates_of(log, day))
    wide = settled.pivot_table(index="period", columns="segment", values="amount", aggfunc="sum")
    wide.index = pd.Index(parse_periods(wide.index))
    return wide[wide.index <= log.company.periods.last_settled(day, settle_days=log.company.settle_days)]


def submitters_of_other_scope(log: Log, *, as_of: pd.Timestamp, actuals: pd.DataFrame) -> list[OtherScope]:
    """Return every submitter and segment whose forecasts measure something else, as known on `as_of`.

    actuals : see `settled_by_month`. A month's forecast is the mean over the horizons at which it was submitted.
    """
    table = log.get(TABLE)
    if table is None or not len(actuals):
        return []
    rows = counted(table[(table["submitted_on"] <= as_of).to_numpy()], calendar=log.company.periods)
    rows = rows[rows["horizon"].isin(HORIZONS) & rows["target"].isin(actuals.index)]
    forecasts = rows.groupby(["segment", "submitter", "target"])["amount"].mean()
    starts = _starts(log, as_of)
    found = []
    for (segment, submitter), amounts in forecasts.groupby(level=["segment", "submitter"], sort=True):
        if segment not in actuals.columns:
            continue
        months = amounts.index.get_level_values("target").to_numpy(dtype=np.int64)
        start = None if segment not in starts else int(np.searchsorted(months, starts[segment]))
        actual = actuals[segment].reindex(months).to_numpy(dtype=np.float64)
        scope = other_scope(amounts.to_numpy(dtype=np.float64), actual, start=start)
        if scope:
            found.append(
                OtherScope(
                    segment=str(segment),
                    submitter=str(submitter),
                    kind=scope.kind,
                    ratio=scope.ratio,
                    periods=tuple(period_label(int(month)) for month in months[scope.months]),
                    of=scope.of,
                )
            )
    return found


def _starts(log: Log, as_of: pd.Timestamp) -> dict[str, int]:
    """Return segment -> period in which it began to plan jointly, of those that had by `as_of`."""
    table = log.get("joint_planning")
    if table is None:
        return {}
    begun = table[(table["adopted_on"] <= as_of).to_numpy()]
    return dict(zip(begun["segment"], log.company.periods.period_of(begun["adopted_on"]).tolist(), strict=True))


def scope_problems(log: Log, *, as_of: pd.Timestamp) -> list[Problem]:
    """Return a warning for each submitter and segment whose forecasts measure something else."""
    found = submitters_of_other_scope(log, as_of=as_of, actuals=settled_by_month(log, as_of))
    return [
        Problem(
            severity="warning",
            table=TABLE,
            column="amount",
            what=f"forecasts of {each.submitter!r} for {each.segment!r} {MEASURES_OTHER}",
            evidence=each.evidence,
            mend="submit amounts of what is booked: the same unit and currency, net or gross, the same customers and"
            " months; until then the segment is left out of the question whether joint planning helped",
        ).at(each.periods)
        for each in found
    ]
