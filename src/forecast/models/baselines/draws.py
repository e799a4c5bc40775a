"""What a baseline's past errors say about its next ones: joint draws over segments and months.

A baseline is a rule for a number. How far off it may be is learned from its errors at past origins, where the same rule
is applied to what was known then. Simple case: draw one of these origins, with all its errors of segments and months
ahead together, so that what goes wrong together stays together, and add them to the forecast. The complication: thirty
past origins do not hold the worst there is, so each draw is roughened by a part of a second origin's errors (the
smoothed bootstrap, Silverman & Young, Biometrika 1987). Errors keep their mean: a rule that has always missed on one
side is expected to do so again, and its median then differs from its mean.
"""

from __future__ import annotations

import numpy as np

DRAWS = 2000
FEWEST_ORIGINS = 6
"""Past origins with every month ahead known, below which there are no quantiles."""
ROUGHNESS = 0.35
_LEAST_SHARE = 0.25


def draws_from_errors(
    mean: np.ndarray,
    past: np.ndarray,
    actual: np.ndarray,
    *,
    floor: np.ndarray,
    rng: np.random.Generator,
    n: int = DRAWS,
) -> np.ndarray | None:
    """Return draws of bookings, (n, segments, M), or None where too little is known of past errors.

    Parameters
    ----------
    mean : (segments, M), the forecast. floor : (segments, M), what is booked already, below which no draw falls.
    past, actual : (origins, segments, M), the rule's forecasts from past origins and what was booked; nan = not known.

    The error is scaled by the root of (forecast x segment's mean bookings), as sums of few deals scatter.
    """
    whole = np.isfinite(past).all(axis=(1, 2)) & np.isfinite(actual).all(axis=(1, 2))
    if whole.sum() < FEWEST_ORIGINS:
        return None
    past, actual = past[whole], actual[whole]
    size = actual.mean(axis=(0, 2))
    size = np.maximum(size, 0.01 * max(size.mean(), 1e-12))[:, None]
    errors = (actual - past) / _scale(past, size)
    first, second = rng.integers(0, len(errors), size=(2, n))
    drawn = errors[first] + ROUGHNESS * (errors - errors.mean(axis=0))[second]
    return np.maximum(mean + drawn * _scale(mean, size), floor)


def _scale(forecast: np.ndarray, size: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(forecast, _LEAST_SHARE * size) * size)


def shared_correlation(errors: np.ndarray) -> np.ndarray:
    """Return the correlation of segments, (S, S), from standardised errors, (origins, S), nan = not there.

    The sample's is pulled towards one common correlation (at least 0), the more the fewer origins there are.
    """
    filled = np.nan_to_num(errors)
    count, series = filled.shape
    norm = np.sqrt((filled**2).sum(axis=0))
    norm = np.where(norm > 0, norm, 1.0)
    found = (filled.T @ filled) / (norm[:, None] * norm[None, :])
    np.fill_diagonal(found, 1.0)
    if series == 1:
        return found
    common = max(float((found.sum() - series) / (series * (series - 1))), 0.0)
    target = np.full((series, series), common)
    np.fill_diagonal(target, 1.0)
    weight = count / (count + 20.0)
    return weight * found + (1 - weight) * target


def correlated_normals(
    correlation: np.ndarray, covariance: np.ndarray, *, rng: np.random.Generator, n: int = DRAWS
) -> np.ndarray:
    """Return normal draws, (n, S, M), of covariance (S, M, M) over months and a correlation (S, S) over segments."""
    series, ahead = covariance.shape[:2]
    across = _root(correlation)
    along = np.stack([_root(matrix) for matrix in covariance]) if series else covariance
    half = rng.standard_normal((n - n // 2, ahead, series)) @ across.T
    noise = np.concatenate([half, -half])[:n]  # each draw with its mirror image: means and medians are exact
    return np.einsum("nhs,sgh->nsg", noise, along)


def _root(matrix: np.ndarray) -> np.ndarray:
    """Return the symmetric square root of a covariance that may be singular: it moves little where the matrix does."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
