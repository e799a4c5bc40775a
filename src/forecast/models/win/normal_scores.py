"""A number column as normal scores: a monotone map under which what was seen looks like a standard normal sample.

A column that a company brings may be heavy-tailed, a count, or nearly a flag. Its ranks are not (van der Waerden,
*Indagationes Mathematicae* 14, 1952), so no choice of logs or cuts has to be made, and one giant value moves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

_KNOTS = 64


@dataclass(frozen=True)
class NormalScores:
    """Where the map bends: values and their scores, both ascending, shape (knots,). Beyond the ends it stays level."""

    values: np.ndarray
    scores: np.ndarray

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return the scores of values, shape as given; 0 where a value is not known."""
        known = np.isfinite(values)
        return np.where(known, np.interp(np.where(known, values, self.values[0]), self.values, self.scores), 0.0)


def normal_scores(values: np.ndarray) -> NormalScores | None:
    """Return the map learned from values, shape (n,), nan = not known; None where fewer than two values differ.

    A value ranks in the middle of those equal to it. The map is straight between at most 64 knots, evenly spread over
    the scores. The scores of the values learned from have mean 0 and variance 1.
    """
    known = np.sort(values[np.isfinite(values)])
    distinct, first, count = np.unique(known, return_index=True, return_counts=True)
    if len(distinct) < 2:
        return None
    raw = ndtri((first + count / 2) / len(known))
    if len(distinct) > _KNOTS:
        evenly = np.interp(np.linspace(raw[0], raw[-1], _KNOTS), raw, np.arange(len(distinct)))
        at = np.unique(np.rint(evenly).astype(np.int64))
        distinct, raw = distinct[at], raw[at]
    scores = np.interp(known, distinct, raw)
    return NormalScores(distinct, (raw - scores.mean()) / scores.std())
