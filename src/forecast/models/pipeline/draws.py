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
_OPEN, _NEW, _SHARED, _DIVIDED, _WHOSE = 1, 2, 3, 4, 5


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
    out = np.zeros((draws, segments, chance.shape[1]))
    for r in range(segments):
        here = np.flatnonzero(segment == r)
        out[:, r] = draw_open_of(r, chance[here], value[here], ratios=ratios, seed=seed, draws=draws)[:, 0]
    return out


def draw_open_of(
    place: int,
    chance: np.ndarray,
    value: np.ndarray,
    *,
    ratios: np.ndarray,
    seed: int,
    draws: int = DRAWS,
    cell: np.ndarray | None = None,
    cells: int = 1,
) -> np.ndarray:
    """Return draws of the bookings from the open deals of one segment, shape (draws, cells, steps).

    place : the segment's. chance, value, ratios : as `draw_open` takes them, of its deals. cell : (n,) codes that part
    the deals; the cells of a draw add up to what the segment has without them, since the same coins are tossed and what
    is drawn as one sum is divided.
    """
    rng = generator(seed, _OPEN, place)
    cell = np.zeros(len(chance), dtype=np.int64) if cell is None else cell
    weight = (chance * value**2).sum(axis=1)
    many = len(chance) > SINGLE
    order = np.argsort(-weight, kind="stable") if many else np.arange(len(chance))
    count = min(int((weight > _SMALL * weight.sum()).sum()), SINGLE) if many else len(chance)
    single, rest = order[:count], order[count:]
    out = _coins(chance[single], value[single], ratios, rng, draws, cell[single], cells)
    for number, part in enumerate(_by_sign(rest, value)):
        p, v = chance[part], value[part]
        mean, variance = p * v, p * (1.0 + ratios.var() - p) * v**2
        total = _gamma(mean.sum(axis=0), variance.sum(axis=0), rng, draws)
        if cells == 1:
            out[:, 0] += total
            continue
        by_cell = np.stack([np.bincount(cell[part], each, minlength=cells) for each in mean.T], axis=1)
        shape = _shape(mean.sum(axis=0), variance.sum(axis=0))
        out += divide(total, by_cell, shape, rng=generator(seed, _DIVIDED, place, number))
    return out


def divide(total: np.ndarray, mean: np.ndarray, shape: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """Return draws of a sum divided over its cells, shape (draws, cells, steps): they add up to the sum.

    A gamma is the sum of gammas of its scale, and their shares of it do not depend on how large it is (Lukacs, *A
    characterization of the gamma distribution*, 1955): so the shares are drawn by themselves.

    total : (draws, steps). mean : (cells, steps) or (draws, cells, steps), what each cell brings on average, of one
    sign in each step. shape : (steps,), that of the sum.
    """
    whole = mean.sum(axis=-2, keepdims=True)
    even = np.full(mean.shape, 1.0 / mean.shape[-2])
    share = np.divide(mean, whole, out=even, where=whole != 0)
    drawn = rng.gamma(share * shape, size=(len(total), *mean.shape[-2:]))
    summed = drawn.sum(axis=1, keepdims=True)
    # Of shapes near nought all may be drawn as 0: then the means say who gets what.
    part = np.divide(drawn, summed, out=np.broadcast_to(share, drawn.shape).copy(), where=summed > 0)
    return part * total[:, None, :]


def _coins(
    chance: np.ndarray,
    value: np.ndarray,
    ratios: np.ndarray,
    rng: np.random.Generator,
    draws: int,
    cell: np.ndarray,
    cells: int,
) -> np.ndarray:
    """Return what deals bring that are tossed one by one, (draws, cells, steps)."""
    n, steps = chance.shape
    if n == 0:
        return np.zeros((draws, cells, steps))
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
    if cells > 1:
        at *= cells
        at += np.repeat(cell, wins)
    return np.bincount(at * steps + when, paid, minlength=draws * cells * steps).reshape(draws, cells, steps)


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
    for r in range(segments):
        out[:, r] = draw_new_of(r, wins[r], value[r], pool=pool, seed=seed, draws=draws)[:, 0]
    return out


def draw_new_of(
    place: int,
    wins: np.ndarray,
    value: np.ndarray,
    *,
    pool: np.ndarray,
    seed: int,
    draws: int = DRAWS,
    shares: np.ndarray | None = None,
) -> np.ndarray:
    """Return draws of the bookings from deals of one segment not yet created, shape (draws, cells, steps).

    place : the segment's. wins, value : (steps,). pool : as `draw_new` takes it. shares : (draws, cells), the chance in
    each draw that a win falls to a cell; rows sum to 1. Without them there is one cell, and with them the cells of a
    draw add up to it: the same wins are drawn, and then whose each is.
    """
    steps = len(wins)
    pool = pool[pool > 0]
    relative = pool / pool.mean() if len(pool) else np.ones(1)
    rng = generator(seed, _NEW, place)
    mean = np.divide(value, wins, out=np.zeros(steps), where=wins > 0)
    few = np.where(wins <= _MANY_WINS, wins, 0.0)
    number = rng.poisson(few, size=(draws, steps)).ravel()
    amounts = relative[rng.integers(0, len(relative), int(number.sum()), dtype=np.int32)]
    whose = generator(seed, _WHOSE, place)
    cells = 1 if shares is None else shares.shape[1]
    place_of = np.repeat(np.arange(len(number)), number)
    if shares is not None and cells > 1:
        draw, step = place_of // steps, place_of % steps
        place_of = (draw * cells + _cell_of(shares, draw, whose.random(len(draw)))) * steps + step
    total = np.bincount(place_of, amounts, minlength=draws * cells * steps)
    out = total.reshape(draws, cells, steps) * mean
    many = wins > _MANY_WINS
    if many.any():
        variance = np.where(many, wins * mean**2 * (1.0 + relative.var()), 0.0)
        expected = np.where(many, value, 0.0)
        drawn = _gamma(expected, variance, rng, draws)
        if shares is None or cells == 1:
            out[:, 0] += drawn
        else:
            out += divide(drawn, shares[:, :, None] * np.ones(steps), _shape(expected, variance), rng=whose)
    return out


def _cell_of(shares: np.ndarray, draw: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Return the cell of each win by a uniform number of its own, (k,); draw : (k,), the row of `shares`."""
    edges = np.cumsum(shares, axis=1)
    found = np.zeros(len(draw), dtype=np.int64)
    for edge in edges[:, :-1].T:
        found += u >= edge[draw]
    return found


def draw_shared(common: np.ndarray, own: np.ndarray, *, segments: int, seed: int, draws: int = DRAWS) -> np.ndarray:
    """Return draws of the factor on a forecast, log-normal with mean 1, shape (draws, segments, steps).

    common (steps,), own (segments, steps) : variances of the log error of all segments and of one. An error persists
    over the steps.
    """
    everybody = generator(seed, _SHARED).standard_normal((draws, 1, 1))
    each = np.stack([generator(seed, _SHARED, r + 1).standard_normal(draws) for r in range(segments)], axis=1)
    each = each[:, :, None]
    return np.exp(np.sqrt(common) * everybody + np.sqrt(own) * each - 0.5 * (common + own))


def _shape(mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return the shape of gammas of given mean and variance, 1 where they have no variance."""
    return np.divide(mean**2, variance, out=np.ones_like(mean), where=variance > 0)


def _gamma(mean: np.ndarray, variance: np.ndarray, rng: np.random.Generator, draws: int) -> np.ndarray:
    """Return gamma draws of given mean and variance, shape (draws, steps); 0 where the mean is, turned where below."""
    scale = np.divide(variance, mean, out=np.zeros_like(mean), where=mean != 0)  # below 0 where the mean is
    return rng.gamma(_shape(mean, variance), size=(draws, len(mean))) * scale
