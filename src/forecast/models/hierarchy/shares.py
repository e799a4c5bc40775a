"""Whose the deals will be that are not yet created: the share of each owner, or product, in those of its segment.

The rule: as many as of the deals created in the segment in the last twelve months, recent ones counting more, times
what a deal of his or hers brought in the past compared with all others' (shrunk, since few deals tell little). An owner
whose place in the hierarchy has ended gets none. How sure that is follows from how many deals it rests on: the shares
of a draw are a Dirichlet around the rule's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.data.known.coding import NONE, OPEN, WON
from forecast.data.known.ledger import KnownState

WINDOW = 12
"""Months of creation that are counted."""
HALF_LIFE = 6.0
"""Months after which a deal counts half."""
LIKE_OTHERS = 100.0
"""Deals of an owner or product after which its own worth of a deal counts as much as everybody's."""
TURNOVER = 0.5
"""How much a deal counted tells of the shares to come: shares drift, so that a hundred tell as much as fifty would."""


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Of each segment the codes that deals to come may have, and how they are shared out.

    codes : R arrays (C_r,), at least one each. mean : R arrays (C_r,), sums to 1. weight : (R,), the Dirichlet's.
    """

    codes: tuple[np.ndarray, ...]
    mean: tuple[np.ndarray, ...]
    weight: tuple[float, ...]

    def draw(self, place: int, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Return shares of one segment, (draws, C_r); rows sum to 1."""
        mean = self.mean[place]
        if len(mean) == 1:
            return np.ones((draws, 1))
        drawn = rng.gamma(np.maximum(mean * self.weight[place], 0.0), size=(draws, len(mean)))
        summed = drawn.sum(axis=1, keepdims=True)
        return np.divide(drawn, summed, out=np.broadcast_to(mean, drawn.shape).copy(), where=summed > 0)


def shares_of(view: KnownState, codes: np.ndarray, *, levels: int, left: np.ndarray) -> Shares:
    """Return how deals to come are shared out in each segment of the day.

    Parameters
    ----------
    codes : (n,) of all deals of the ledger, NONE = unknown. levels : how many codes there are.
    left : codes that get none, such as owners who are gone; where nobody else is there, they keep theirs.
    """
    segment = view.place_of_segment[view.segment]
    known = np.flatnonzero(view.known & (segment >= 0))
    cell, place = np.where(codes[known] == NONE, levels, codes[known]), segment[known]
    born = view.ledger.created_in[known]
    ago = view.last_complete - born
    counted = np.where((born > 0) & (ago >= -1) & (ago < WINDOW), 0.5 ** (np.maximum(ago, 0) / HALF_LIFE), 0.0)
    worth = _worth(view, known, cell, levels + 1)
    gone = np.zeros(levels + 1, dtype=bool)
    gone[left] = True
    found: list[tuple[np.ndarray, np.ndarray, float]] = []
    for r in range(len(view.segments)):
        here = np.flatnonzero(place == r)
        each = np.bincount(cell[here], counted[here], minlength=levels + 1)
        squared = np.bincount(cell[here], counted[here] ** 2, minlength=levels + 1)
        stays = np.where(gone, 0.0, each)
        if not stays.sum() > 0:
            stays, squared = each, squared
        if not stays.sum() > 0:  # nothing was created lately: as all deals of the segment
            stays = squared = np.bincount(cell[here], minlength=levels + 1).astype(float)
        there = np.flatnonzero(stays > 0)
        mean = stays[there] * worth[there]
        mean = mean / mean.sum() if mean.sum() > 0 else np.full(len(there), 1.0 / max(len(there), 1))
        number = stays[there].sum() ** 2 / max(float(squared[there].sum()), 1e-9) if len(there) else 1.0
        found.append((there, mean, TURNOVER * float(number)))
    return Shares(
        codes=tuple(np.where(there == levels, NONE, there) for there, _, _ in found),
        mean=tuple(mean for _, mean, _ in found),
        weight=tuple(max(weight, 1.0) for _, _, weight in found),
    )


def _worth(view: KnownState, known: np.ndarray, cell: np.ndarray, cells: int) -> np.ndarray:
    """Return what a closed deal of each code brought compared with all others', shrunk towards 1; (cells,) above 0.

    A lost deal brought nothing; one amount counts no more than all but one in a hundred.
    """
    closed = known[view.outcome[known] != OPEN]
    mine = cell[view.outcome[known] != OPEN]
    won = view.outcome[closed] == WON
    amount = np.where(won, np.maximum(np.nan_to_num(view.amount[closed]), 0.0), 0.0)
    if not amount.sum() > 0:
        return np.ones(cells)
    amount = np.minimum(amount, np.quantile(amount[amount > 0], 0.99))
    number = np.bincount(mine, minlength=cells)
    relative = np.bincount(mine, amount, minlength=cells) / amount.mean()
    return np.asarray((relative + LIKE_OTHERS) / (number + LIKE_OTHERS))
