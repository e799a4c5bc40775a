"""Are fewer deals won than were expected, or more? The share won under watch, for the company and for each segment.

Simple case: the wins of a month are those that the model of its beginning expected, but for chance; a bet on fewer
(or more) pays the likelihood of the month were wins down (or up) by a given part, over its likelihood as it is. All
else is the one rule of `alarms`. Three complications:

- no model is exact: a lasting miss of its level and a scatter of months beyond chance are part of "nothing has
  changed", as likely as the months before the last twelve make them;
- wins alone also fall where all closing is slow, and the share won alone falls where old deals are cleared out. Both
  are bet on, and the worse of the two is what a month pays: an alarm says that fewer are won *and* a smaller share;
- one odd month is no change: no month pays more than `MOST`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import betaln, gammaln, xlogy

from forecast.calendar import period_labels
from forecast.data.schema import TOTAL
from forecast.errors import DataError, ParameterError
from forecast.evaluation.alarms import WINDOW, Floats, limit, watch
from forecast.evaluation.scores.amounts import as_floats
from forecast.evaluation.scores.events import share_interval
from forecast.models.win.levels import WON, Levels, levels_at_days

if TYPE_CHECKING:
    from forecast.data.known.snapshot import Snapshot

RECORD = 36
"""Settled months that are looked at; those before the last twelve say how exact the model has been."""

STRENGTHS = (0.15, 0.35, 0.7)
"""By how much the log of wins may have moved: a third of the money is bet on each."""

MOST = 50.0
"""What a month pays at most: two months at least make an alarm."""

_LEVELS = np.arange(-6, 7) * 0.05
_LEVEL_SD = 0.1
"""How far the log of a model's level may have been off all along, and how likely that is thought before looking."""

_SCATTERS = np.array([0.02, 0.05, 0.1, 0.2, 0.4])
_SCATTER_PRIOR = np.array([0.1, 0.25, 0.4, 0.2, 0.05])
"""Scatter of single months beyond chance, on the log scale, and how likely each is thought before looking."""

KINDS: Mapping[str, float] = MappingProxyType({"fewer": -1.0, "more": 1.0})

TABLES = ("levels", "levels_found")
"""The tables of a month: the record of the share won (`months_of`), and whether it has changed (`found`)."""

LEVEL_COLUMNS = (
    "period",
    "segment",
    "won",
    "closed",
    "share",
    "expected_won",
    "expected_closed",
    "expected_share",
    "low",
    "high",
)
"""What `months_of` gives."""

FOUND_COLUMNS = (
    "segment",
    "kind",
    "months",
    "evidence",
    "limit",
    "alarm",
    "first",
    "last",
    "n",
    "won",
    "closed",
    "share",
    "low",
    "high",
    "expected_won",
    "expected_share",
    "segments",
    "segments_side",
    "level",
    "moved",
    "jumped",
    "p_jumped",
)
"""What `found` gives."""


# -- bets -----------------------------------------------------------------------------------------------


def level_bets(seen: Any, expected: Any, *, fewer: bool, window: int = WINDOW) -> Floats:
    """Return the bets that fewer deals are won than were expected, and a smaller share of those that close; (T, K).

    seen, expected : (T, 2), deals won and lost of each month, and those expected before it. fewer : else that more are.
    A month of which nothing was expected pays 1.

    By hand: a model known to be exact (no lasting miss, no scatter) that expected 70 wins and got 35 pays
    exp(-.7 · 35 + 70 - 70 exp(-.7)) = 1.3e4 to who bet on exp(-.7) of them; here at most `MOST`.

    Raises ParameterError for another shape, DataError for a number that is missing or negative.
    """
    counts, due = as_floats(seen, "seen"), as_floats(expected, "expected")
    if counts.ndim != 2 or counts.shape[1:] != (2,) or due.shape != counts.shape:
        raise ParameterError(f"seen and expected have shapes {counts.shape} and {due.shape}; (months, 2) is wanted")
    for name, values in (("seen", counts), ("expected", due)):
        if not np.isfinite(values).all() or (values < 0).any():
            raise DataError("a number of deals is negative or missing", column=name, mend="leave the month out")
    known: NDArray[np.bool_] = np.all(due > 0, axis=1)
    earlier = known & (np.arange(len(due)) < len(due) - window)
    side = -1.0 if fewer else 1.0
    closed = counts.sum(axis=1)
    share = np.divide(due[:, WON], due.sum(axis=1), out=np.full(len(due), 0.5), where=known)
    pays = [
        _pays(_log_wins, counts[:, WON], np.where(known, due[:, WON], 1.0), closed, side=side, earlier=earlier),
        _pays(_log_share, counts[:, WON], share, closed, side=side, earlier=earlier),
    ]
    return np.where(known[:, None], np.minimum(np.minimum(*pays), MOST), 1.0)


class _LogChance(Protocol):
    """The log chance of a month's wins at a level and a scatter; won, due, closed (T, 1), the others (G,)."""

    def __call__(self, won: Floats, due: Floats, closed: Floats, level: Floats, scatter: Floats) -> Floats: ...


def _pays(
    log_of: _LogChance, won: Floats, due: Floats, closed: Floats, *, side: float, earlier: NDArray[np.bool_]
) -> Floats:
    """Return what a month pays to each strength, (T, K): its likelihood were the level moved over that as it is.

    Both are averaged over lasting misses and scatters, as likely as the months of `earlier` make them.
    """
    levels, scatters = (each.ravel() for each in np.meshgrid(_LEVELS, _SCATTERS, indexing="ij"))
    prior = -0.5 * (levels / _LEVEL_SD) ** 2 + np.log(np.repeat(_SCATTER_PRIOR[None], len(_LEVELS), axis=0).ravel())

    def likelihood(moved: float) -> Floats:
        return np.asarray(log_of(won[:, None], due[:, None], closed[:, None], levels + moved, scatters))

    still = likelihood(0.0)
    weight = prior + still[earlier].sum(axis=0)
    weight = np.exp(weight - weight.max())
    weight /= weight.sum()
    top = still.max(axis=1, keepdims=True)
    price = np.exp(still - top) @ weight
    with np.errstate(over="ignore"):
        return np.stack([np.exp(likelihood(side * by) - top) @ weight / price for by in STRENGTHS], axis=1)


def _log_wins(won: Floats, due: Floats, closed: Floats, level: Floats, scatter: Floats) -> Floats:
    """Return the log chance of the wins of a month: Poisson, its mean scattered by a Gamma (negative binomial).

    However many closed: that is what the share is asked for.
    """
    del closed
    mean, size = due * np.exp(level), 1.0 / scatter**2
    return (
        gammaln(won + size)
        - gammaln(size)
        - gammaln(won + 1)
        + xlogy(won, mean / (mean + size))
        + size * np.log(size / (mean + size))
    )


def _log_share(won: Floats, due: Floats, closed: Floats, level: Floats, scatter: Floats) -> Floats:
    """Return the log chance of the wins among those that closed: binomial, its share scattered by a Beta."""
    share = np.clip(due * np.exp(level), 1e-6, 1 - 0.5 * (1 - due))
    total = np.maximum(1.0 / (scatter**2 * share * (1 - share)) - 1.0, 1.0)
    a, b = share * total, (1 - share) * total
    return betaln(won + a, closed - won + b) - betaln(a, b) - betaln(won + 1, closed - won + 1) - np.log(closed + 1)


# -- tables ---------------------------------------------------------------------------------------------


def levels_on(snap: Snapshot) -> dict[str, pd.DataFrame]:
    """Return `TABLES` as known at the last month end: of whole months, also on a day in the middle of one."""
    calendar, day = snap.company.periods, snap.as_of
    period = calendar.period(day)
    is_end = day.normalize() == calendar.end(period).normalize()
    record = next(levels_at_days(snap, days=[day if is_end else calendar.end(period - 1)]))
    return dict(zip(TABLES, (months_of(record), found(record)), strict=True))


def months_of(levels: Levels, *, record: int = RECORD) -> pd.DataFrame:
    """Return the record of the share won, one row a month and segment, the company (`Total`) first.

    won, closed : of the deals open at the month's beginning. expected_won, expected_closed : by the model of that day,
    without what it took for a change. share, expected_share : won of closed; NaN where none. low, high : between which
    the share would lie in 80 of 100 months by the chance of so many deals alone.
    """
    rows = []
    for place, period in list(enumerate(levels.periods))[-record:]:
        for segment, name in enumerate((TOTAL, *levels.segments)):
            (won, lost), (due, due_lost) = levels.seen[place, segment], levels.expected[place, segment]
            closed, share = won + lost, due / (due + due_lost) if due + due_lost > 0 else np.nan
            low, high = _by_chance(closed, share)
            values = (won, closed, won / closed if closed else np.nan, due, due + due_lost, share, low, high)
            rows.append((str(period_labels([int(period)])[0]), name, *values))
    table = pd.DataFrame(rows, columns=list(LEVEL_COLUMNS))
    return table.astype({"period": "str", "segment": "str", "won": np.int64, "closed": np.int64})


def _by_chance(closed: float, share: float) -> tuple[float, float]:
    """Return the 80 % range of a share of so many deals, by the binomial; NaN where there is none."""
    if not closed or not np.isfinite(share):
        return float("nan"), float("nan")
    from scipy.stats import binom

    low, high = binom.ppf([0.1, 0.9], int(closed), share) / closed
    return float(low), float(high)


def found(levels: Levels, *, record: int = RECORD) -> pd.DataFrame:
    """Return what is watched of the share won, one row a segment (`Total` first) and kind (`fewer`, `more`).

    Returns
    -------
    months watched; evidence, limit and alarm as `alarms.watch` has them; first, last and n of the months that the
    evidence speaks of. Of these: won, closed and share of it, low and high (its 95 % interval, Wilson), expected_won
    and expected_share: of the same months, so that the end of a quarter among them misleads nobody. segments : those in
    which anything was expected; segments_side : those of them with fewer (more) wins than expected; 0 of one segment.
    level, moved : what the filter makes of it (`Levels`); jumped, p_jumped : the month in which a jump would be
    likeliest, and how likely it is. It is an alarm only where the wins of these months are fewer (more) than expected.
    """
    first = max(0, len(levels.periods) - record)
    seen, expected = levels.seen[first:], levels.expected[first:]
    labels = [str(each) for each in period_labels(levels.periods[first:])]
    watched = [0, *(1 + place for place in range(len(levels.segments)) if expected[:, 1 + place, WON].sum() > 0)]
    rows = [
        _row(levels, seen, expected, labels, segment=segment, kind=kind, watched=len(watched) - 1)
        for segment in watched
        for kind in KINDS
        if len(labels)
    ]
    return pd.DataFrame(rows, columns=list(FOUND_COLUMNS)).astype({"alarm": bool})


def _row(
    levels: Levels, seen: Floats, expected: Floats, labels: list[str], *, segment: int, kind: str, watched: int
) -> dict[str, object]:
    whole = segment == 0
    bets = level_bets(seen[:, segment], expected[:, segment], fewer=kind == "fewer")
    family = f"{'company' if whole else 'segments'} wins {kind}"
    alarm = watch(bets, limit=limit(family, watched=1 if whole else watched))
    start = alarm.start
    (won, lost), (due, due_lost) = (each[start:, segment].sum(axis=0) for each in (seen, expected))
    low, high = share_interval(int(won), int(won + lost))
    beyond = KINDS[kind] * (seen[start:, 1:, WON].sum(axis=0) - expected[start:, 1:, WON].sum(axis=0))
    there = expected[start:, 1:, WON].sum(axis=0) > 0
    jumped = levels.jumped[segment] if levels.jumped.shape[1] else np.zeros(0)
    return {
        "segment": (TOTAL, *levels.segments)[segment],
        "kind": kind,
        "months": len(labels),
        "evidence": float(alarm.evidence[-1]),
        "limit": alarm.limit,
        "alarm": alarm.is_on and bool(KINDS[kind] * (won - due) > 0),
        "first": labels[start],
        "last": labels[-1],
        "n": len(labels) - start,
        "won": int(won),
        "closed": int(won + lost),
        "share": won / (won + lost) if won + lost else np.nan,
        "low": low,
        "high": high,
        "expected_won": float(due),
        "expected_share": due / (due + due_lost) if due + due_lost > 0 else np.nan,
        "segments": int(there.sum()) if whole else 0,
        "segments_side": int((there & (beyond > 0)).sum()) if whole else 0,
        "level": float(levels.level[segment]),
        "moved": float(levels.moved[segment]),
        "jumped": str(period_labels([int(levels.jump_periods[jumped.argmax()])])[0]) if len(jumped) else "",
        "p_jumped": float(jumped.max()) if len(jumped) else np.nan,
    }
