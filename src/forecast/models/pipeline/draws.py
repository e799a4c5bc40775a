"""Draws of what is still to be booked: each open deal as the coin toss it is, deals to come, errors in common."""

from __future__ import annotations

import numpy as np

from forecast.seeds import generator

DRAWS = 2000
SINGLE = 100
"""Open deals of a segment that are drawn one by one at most, the weightiest first; the rest is one gamma a step."""

_SMALL = 1 / 400
"""Share of the variance of a segment's open deals below which a deal is one of many: its spread is a twentieth of
theirs, far from being seen as the coin it is."""

_MANY_WINS = 30.0
_OPEN, _NEW, _SHARED = 1, 2, 3


def draw_open(
    chance: np.ndarray,
    value: np.ndarray,
    segment: np.ndarray,
    *,
    segments: int,
    ratios: np.ndarray,
    seed: int,
    draws: int = DRAWS,
) -> np.ndarray:
    """Return draws of the bookings from open deals, shape (draws, segments, steps).

    Parameters
    ----------
    chance : (n, steps), the chance that a deal is won in each step; rows sum to at most 1.
    value : (n, steps), its expected amount if won then. segment : (n,), codes; NONE (-1) belongs nowhere.
    ratios : what a won amount may be times its expectation, mean 1.
    """
    steps = chance.shape[1]
    out = np.zeros((draws, segments, steps))
    for r in range(segments):
        rng = generator(seed, _OPEN, r)
        here = np.flatnonzero(segment == r)
        weight = (chance[here] * value[here] ** 2).sum(axis=1)
        order = np.argsort(-weight, kind="stable") if len(here) > SINGLE else np.arange(len(here))
        count = min(int((weight > _SMALL * weight.sum()).sum()), SINGLE) if len(here) > SINGLE else len(here)
        single, rest = here[order[:count]], here[order[count:]]
        out[:, r] = _coins(chance[single], value[single], ratios, rng, draws)
        for part in _by_sign(rest, value):
            p, v = chance[part], value[part]
            mean = (p * v).sum(axis=0)
            variance = (p * (1.0 + ratios.var() - p) * v**2).sum(axis=0)
            out[:, r] += _gamma(mean, variance, rng, draws)
    return out


def _coins(
    chance: np.ndarray, value: np.ndarray, ratios: np.ndarray, rng: np.random.Generator, draws: int
) -> np.ndarray:
    n, steps = chance.shape
    if n == 0:
        return np.zeros((draws, steps))
    edges = np.ascontiguousarray(np.cumsum(chance, axis=1).T, dtype=np.float32)
    u = rng.random((n, draws), dtype=np.float32)
    won = u < edges[-1][:, None]
    at, wins = np.flatnonzero(won), np.count_nonzero(won, axis=1)
    drawn = u.ravel()[at]
    step = np.zeros(len(at), dtype=np.uint8)  # at most 24
    for edge in edges[:-1]:
        step += (drawn >= np.repeat(edge, wins)).view(np.uint8)
    when = step.astype(np.int64)
    paid = value.ravel()[np.repeat(np.arange(n) * steps, wins) + when]
    paid *= ratios[rng.integers(0, len(ratios), len(at), dtype=np.int32)]
    at -= np.repeat(np.arange(n) * draws, wins)
    return np.bincount(at * steps + when, paid, minlength=draws * steps).reshape(draws, steps)


def _by_sign(deals: np.ndarray, value: np.ndarray) -> list[np.ndarray]:
    """Return deals that bring money and credits apart, where there are any: the sum of both has no sign of its own."""
    credit = (value[deals] < 0).any(axis=1)
    return [part for part in (deals[~credit], deals[credit]) if len(part)]


def draw_new(wins: np.ndarray, value: np.ndarray, *, pool: np.ndarray, seed: int, draws: int = DRAWS) -> np.ndarray:
    """Return draws of the bookings from deals not yet created, shape (draws, segments, steps).

    wins, value : (segments, steps), expected number and amount; a Poisson number of wins, each an amount of `pool`
    (past won amounts) scaled to the expected mean. Where wins are many their sum is drawn as a gamma.
    """
    segments, steps = wins.shape
    out = np.zeros((draws, segments, steps))
    pool = pool[pool > 0]
    relative = pool / pool.mean() if len(pool) else np.ones(1)
    for r in range(segments):
        rng = generator(seed, _NEW, r)
        mean = np.divide(value[r], wins[r], out=np.zeros(steps), where=wins[r] > 0)
        few = np.where(wins[r] <= _MANY_WINS, wins[r], 0.0)
        number = rng.poisson(few, size=(draws, steps)).ravel()
        amounts = relative[rng.integers(0, len(relative), int(number.sum()), dtype=np.int32)]
        total = np.bincount(np.repeat(np.arange(len(number)), number), amounts, minlength=len(number))
        out[:, r] = total.reshape(draws, steps) * mean
        many = wins[r] > _MANY_WINS
        if many.any():
            variance = np.where(many, wins[r] * mean**2 * (1.0 + relative.var()), 0.0)
            out[:, r] += _gamma(np.where(many, value[r], 0.0), variance, rng, draws)
    return out


def draw_shared(common: np.ndarray, own: np.ndarray, *, segments: int, seed: int, draws: int = DRAWS) -> np.ndarray:
    """Return draws of the factor on a forecast, log-normal with mean 1, shape (draws, segments, steps).

    common (steps,), own (segments, steps) : variances of the log error of all segments and of one. An error persists
    over the steps.
    """
    everybody = generator(seed, _SHARED).standard_normal((draws, 1, 1))
    each = np.stack([generator(seed, _SHARED, r + 1).standard_normal(draws) for r in range(segments)], axis=1)
    each = each[:, :, None]
    return np.exp(np.sqrt(common) * everybody + np.sqrt(own) * each - 0.5 * (common + own))


def _gamma(mean: np.ndarray, variance: np.ndarray, rng: np.random.Generator, draws: int) -> np.ndarray:
    """Return gamma draws of given mean and variance, shape (draws, steps); 0 where the mean is, turned where below."""
    shape = np.divide(mean**2, variance, out=np.ones_like(mean), where=variance > 0)
    scale = np.divide(variance, mean, out=np.zeros_like(mean), where=mean != 0)  # below 0 where the mean is
    return rng.gamma(shape, size=(draws, len(mean))) * scale
