"""What deals not yet created bring: the share won at an age in months, and the mean amount of a win."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.data.known.ledger import KnownState
from forecast.models.pipeline.cohorts import COHORTS, Cohorts

_WINS_PRIOR = 20.0
_AMOUNT_SPREAD = 0.25
"""How much mean amounts of groups, segments and ages are thought to differ (log scale)."""


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """`rate` (R, G, A) share of deals created that are won at an age; `position` (3,) the quarter's factor."""

    rate: np.ndarray
    position: np.ndarray


def conversion(view: KnownState, seen: Cohorts) -> Conversion:
    """Learn conversion by age; each ratio is wins over wins expected from its parent, 20 wins of the parent added."""
    created, won = seen.created[:, :, -COHORTS:], seen.won[:, :, -COHORTS:]
    periods = seen.periods[-COHORTS:]
    ages = won.shape[3]
    target = periods[:, None] + np.arange(ages)
    complete = (target <= seen.settled) & (target >= view.closures_recorded_from)
    complete &= ~np.isin(periods, list(view.ledger.half_seen))[:, None]
    won = won * complete
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


def mean_amounts(seen: Cohorts) -> np.ndarray:
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


def lateness(seen: Cohorts) -> tuple[float, np.ndarray]:
    """Return the share of a month's deals created late in it, and how their conversion at each age compares (A,)."""
    share = seen.late_created.sum() / max(seen.created.sum(), 1.0)
    expected = seen.won.sum(axis=(0, 1, 2)) * share
    return float(share), _shrunk(seen.late_won.sum(axis=(0, 1, 2)), expected)
