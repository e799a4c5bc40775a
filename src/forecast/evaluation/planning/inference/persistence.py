"""How the errors of one segment hang together from month to month, learned from all segments at once.

The simple case: errors of different months have nothing to do with each other. Then every month counts the same, and a
segment's usual level is its mean. Real errors last: a bad month is followed by another. What a month says that the
months before it had not said already is its *innovation*: the part that a linear forecast from the segment's own past
does not explain. Innovations are uncorrelated, so that sums over them are honest, and a start that was chosen because
of past errors knows next to nothing of the innovations that follow it. (Not quite: a segment's level must be learned
from its record. Where all levels are alike and the worst begins, that moves the estimate by a sixth of its spread.)

A *structure* is one way of hanging together: a correlation for each distance in months, mixed from nothing shared,
spells that fade within months, spells that last years, and the same month of the year. Which mixture fits best is
decided by the restricted likelihood (Patterson and Thompson 1971, Biometrika 58) of all segments together, without
knowledge of who began when: so the choice favours no assignment of the dates. A segment's own level is unknown
throughout (a diffuse prior: de Jong 1991, Annals of Statistics 19), and is learned from its past as the months go by.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from forecast.evaluation.planning.inference.randomisation import Floats, Ints

FADING = (0.4, 0.8, 0.96)
"""Correlation with the month before of the spells that are mixed."""

SEASON = 0.8
"""Correlation with the same month of the year before."""

_STEPS = 4
_LEVEL = 100.0
"""Variance of a segment's level before anything is known of it, as a multiple of that of its errors."""

_NOTHING = 1e-20


@dataclass(frozen=True, kw_only=True, eq=False)
class Structures:
    """All structures over the same months.

    shares : (M, 5) of each component in the variance: none, the three that fade, the season. whiten : (M, T, T) lower
    triangles that turn a history into innovations of variance 1. precision : (M, T * T) whiten' whiten, in a row.
    log_determinant : (M,) of the variance.
    """

    shares: Floats
    whiten: Floats
    precision: Floats
    log_determinant: Floats


def structures(months: Ints) -> Structures:
    """Return the structures over months (T,), increasing; distances are in months, also where some are missing."""
    first = int(months[0]) if len(months) else 0
    return _structures(tuple(int(month) - first for month in months))


@lru_cache(maxsize=8)
def _structures(months: tuple[int, ...]) -> Structures:
    distance = np.abs(np.subtract.outer(np.array(months), np.array(months)))
    season = np.where(distance % 12 == 0, SEASON ** (distance / 12), 0.0)
    components = np.stack([np.eye(len(months)), *(phi**distance for phi in FADING), season])
    shares = np.array(
        [
            parts
            for parts in itertools.product(range(_STEPS + 1), repeat=len(components))
            # Some of every error is its own or fades at once, and the season is at most half of it.
            if sum(parts) == _STEPS and parts[0] + parts[1] > 0 and parts[-1] <= _STEPS // 2
        ]
    )
    variance = np.einsum("mc,ctu->mtu", shares / _STEPS, components) + _LEVEL
    root = np.linalg.cholesky(variance)
    whiten = np.linalg.inv(root)
    precision = np.einsum("mut,mus->mts", whiten, whiten)
    return Structures(
        shares=shares / _STEPS,
        whiten=whiten,
        precision=precision.reshape(len(shares), -1),
        log_determinant=2 * np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """The structure that fits best, of each panel stacked.

    structure : (K,) its number. slopes : (K, C) on the covariates. variance : (K,) of what is left, of innovations.
    """

    structure: Ints
    slopes: Floats
    variance: Floats


def best_structure(of: Structures, outcome: Floats, covariates: Floats) -> Fit:
    """Return the structure with the highest restricted likelihood, and what the covariates explain under it.

    Parameters
    ----------
    outcome : (K, S, T), covariates : (K, C, S, T), both without the mean over segments of each month, nothing missing.
    """
    panels, segments, months = outcome.shape
    both = np.concatenate([outcome[:, None], covariates], axis=1)
    size = both.shape[1]
    # Sums over segments of z' P z for every structure: a product of tables months x months, each made once.
    crossed = np.einsum("kist,kjsu->kijtu", both, both, optimize=True).reshape(panels * size * size, -1)
    gram = (crossed @ of.precision.T).reshape(panels, size, size, -1)
    gram = np.moveaxis(gram, -1, 1)
    slopes, left = _regress(gram)
    freedom = (segments - 1) * (months - 1)
    variance = np.maximum(left, _NOTHING) / max(freedom, 1)
    likelihood = -0.5 * ((segments - 1) * of.log_determinant + freedom * np.log(variance))
    best = likelihood.argmax(axis=1)
    row = np.arange(panels)
    return Fit(structure=best, slopes=slopes[row, best], variance=variance[row, best])


def slopes_under(outcome: Floats, covariates: Floats) -> tuple[Floats, Floats]:
    """Return slopes (K, C) and the variance left (K,) of innovations (K, S, T) on those of covariates (K, C, S, T)."""
    both = np.concatenate([outcome[:, None], covariates], axis=1).reshape(len(outcome), 1 + covariates.shape[1], -1)
    slopes, left = _regress(both @ both.swapaxes(-1, -2))
    return slopes, np.maximum(left, _NOTHING) / max((outcome.shape[1] - 1) * (outcome.shape[2] - 1), 1)


def _regress(gram: Floats) -> tuple[Floats, Floats]:
    """Return slopes (..., C) of the first on the others and the squares left, from gram (..., 1 + C, 1 + C)."""
    inner, moments = gram[..., 1:, 1:], gram[..., 1:, 0]
    if not inner.shape[-1]:
        return moments, gram[..., 0, 0]
    # A tiny ridge lets a covariate that never moves drop out by itself.
    scale = np.trace(inner, axis1=-2, axis2=-1)[..., None, None] + _NOTHING
    slopes = np.linalg.solve(inner + 1e-9 * scale * np.eye(inner.shape[-1]), moments[..., None])[..., 0]
    return slopes, gram[..., 0, 0] - np.einsum("...c,...c->...", slopes, moments)
