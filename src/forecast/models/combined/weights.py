"""What past errors say about the weight of each forecaster, by months ahead.

Simple case: a forecaster i differs from `pipeline` by d_i = f_i - f_p, and the combination f_p + sum w_i d_i has the
error e_p + sum w_i d_i. The weights that make its mean square least over the past (Bates and Granger 1969, Operational
Research Quarterly 20; as a regression, Granger and Ramanathan 1984, J. Forecasting 3), none below 0, together at most
1; what they leave is `pipeline`'s. Errors are shares of a segment's size, so that the weights serve all segments.

Five complications. Two years are few: the weights are shrunk towards 0, so towards `pipeline` alone, by a ridge as in
Diebold and Pauly (1990, Int. J. Forecasting 6), the less the more a forecaster explains. Things change: months count
less the older they are. A forecaster that is silent has no d there: its weight goes to the others, since weights are
worked out for those alone who speak. A forecaster that is always too high or low is first put at its usual level
(`habits`); `pipeline` at its own usual level is one more of those that may earn a weight. And whoever adds nothing gets
nothing: only those enter whose d explains `pipeline`'s errors beyond chance (`evidence`); people must explain what the
models leave.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls
from scipy.special import stdtrit

from forecast.models.combined.record import Record

FEWEST = 6
"""Settled target months below which a forecaster, or months ahead, cannot teach."""
DISCOUNT = 0.97
"""By which each month counts less than the one after it."""
LEVEL = 0.05
"""Chance that a forecaster that adds nothing enters; of people, that any of them does."""
MODEL_SPREAD, PEOPLE_SPREAD = 0.3, 1.0
"""How far weights are expected to lie from 0: of people we know less beforehand, some know their deals."""
ALIKE = 3.0
"""So many errors (segments of a month, neighbouring months) say as much as one of their own."""
NEXT = 0.3
"""What the record of a horizon counts for the horizon next to it."""
HABIT_PRIOR = 6.0
"""Months that say a forecaster has no habit, beside those seen."""
_MOST_HABIT = 1.1
_CLIP = 4.0
"""Errors beyond so many times their root mean square count as that: one giant deal must not rule."""
_LEAST_LEFT = 0.02


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """What a record teaches. F forecasters, the first two `pipeline` as it is and at its usual level; H months ahead.

    habit : (F,), what each forecast is multiplied by. statistic : (F,) of the evidence, nan where there is none.
    enters : (F,) bool. products : (H, F, F), covers (H, F) and squares (H, F): the discounted mean products of
    differences, of differences with `pipeline`'s errors, and of these errors squared where i spoke. counts : (H, F),
    discounted errors behind them. spoke : (H, F) bool, whether i has a settled forecast so far ahead.
    """

    habit: np.ndarray
    statistic: np.ndarray
    enters: np.ndarray
    products: np.ndarray
    covers: np.ndarray
    squares: np.ndarray
    counts: np.ndarray
    spoke: np.ndarray
    people: np.ndarray

    def weights(self, ahead: int, speaks: np.ndarray) -> np.ndarray:
        """Return the weights of one horizon where some speak, (F,), at least 0, summing to 1.

        speaks : (F,) bool; `pipeline` must.
        """
        out = np.zeros(len(speaks))
        knows = self.counts[ahead] > 1
        knows = knows & (self.spoke[ahead] | ~self.people)
        chosen = np.flatnonzero(speaks & self.enters & knows & (np.arange(len(speaks)) > 0))
        if len(chosen):
            products = self.products[ahead][np.ix_(chosen, chosen)]
            covers, squares, counts = (part[ahead, chosen] for part in (self.covers, self.squares, self.counts))
            spread = np.where(self.people[chosen], PEOPLE_SPREAD, MODEL_SPREAD)
            whose = self.people[chosen] if self.people[chosen].any() else np.ones(len(chosen), dtype=bool)
            total = float(squares[whose].mean())
            best = least_squares(products, covers, ridge=1e-6 * np.diag(products))
            freedom = float(counts.min()) / ALIKE
            left = (total + 2 * best @ covers + best @ products @ best) / max(total, 1e-300)
            left *= freedom / max(freedom - int((best > 0).sum()), 0.3 * freedom)
            ridge = np.clip(left, _LEAST_LEFT, 1.0) * squares * ALIKE / (counts * spread**2)
            out[chosen] = least_squares(products, covers, ridge=ridge)
        out[0] = 1.0 - out[1:].sum()
        return out


def least_squares(products: np.ndarray, covers: np.ndarray, *, ridge: np.ndarray) -> np.ndarray:
    """Return w >= 0 with sum w <= 1 that makes w'Aw + 2 c'w least, A = products + diag(ridge); (k,).

    Lawson and Hanson's non-negative least squares on a root of A; where the sum would exceed 1 it is held to 1.

    >>> least_squares(np.array([[1.0]]), np.array([-0.4]), ridge=np.zeros(1)).round(6).tolist()
    [0.4]
    """
    values, vectors = np.linalg.eigh(products + np.diag(ridge))
    largest = float(values.max(initial=0.0))
    if not largest > 0:
        return np.zeros(len(covers))
    values = np.maximum(values, 1e-9 * largest)
    root = (vectors * np.sqrt(values)) @ vectors.T
    wanted = -(vectors / np.sqrt(values)) @ (vectors.T @ covers)
    weights, _ = nnls(root, wanted)
    if weights.sum() > 1:
        heavy = 1e3 * np.sqrt(largest)
        weights, _ = nnls(np.vstack([root, np.full(len(covers), heavy)]), np.append(wanted, heavy))
        weights /= weights.sum()
    return np.asarray(weights)


def habits(record: Record) -> np.ndarray:
    """Return what puts each forecaster at its usual level, (F,): sum of what came / sum of what it forecast.

    Discounted, shrunk on the log scale towards 1 by HABIT_PRIOR months, within a factor of 3.
    """
    weight = _discounts(record)[None, :, None, :]
    known = np.isfinite(record.forecasts) & np.isfinite(record.actual)[None]
    came = np.where(known, weight * np.nan_to_num(record.actual)[None], 0.0).sum(axis=(1, 2, 3))
    said = np.where(known, weight * np.nan_to_num(record.forecasts), 0.0).sum(axis=(1, 2, 3))
    months = np.array([len(np.unique(record.target[each.any(axis=1)])) for each in known])
    possible = (came > 0) & (said > 0)
    log = np.log(np.where(possible, came, 1.0) / np.where(possible, said, 1.0))
    return np.exp(np.clip(log, -_MOST_HABIT, _MOST_HABIT) * months / (months + HABIT_PRIOR))


def learn(record: Record) -> Lessons | None:
    """Return what a record teaches; None where fewer than FEWEST target months one step ahead have settled."""
    enough = (record.settled & np.isfinite(record.forecasts[0]).any(axis=1)).sum(axis=0) >= FEWEST
    if not enough.any():
        return None
    # `pipeline` as it is comes first; at its usual level it is a forecaster like the others.
    habit = np.append(1.0, habits(record))
    people = np.append(False, record.people)
    forecasts = np.concatenate([record.forecasts[:1], record.forecasts]) * habit[:, None, None, None]
    error, differences, spoke = _standardised(record, forecasts)
    weight = _discounts(record)[:, None, :] * np.isfinite(record.actual) * np.isfinite(record.forecasts[0])
    sums = _sums(error, differences, spoke, weight)
    statistic, enters = _evidence(record, people, error, differences, spoke, weight, sums)
    near = NEXT ** np.abs(np.subtract.outer(np.arange(len(enough)), np.arange(len(enough)))) * enough[None, :]
    products, covers, squares, counts = (np.einsum("hk,k...->h...", near, part) for part in sums)
    number = np.einsum("hii->hi", counts)
    return Lessons(
        habit=habit,
        statistic=statistic,
        enters=enters,
        products=products / np.maximum(counts, 1e-9),
        covers=covers / np.maximum(number, 1e-9),
        squares=squares / np.maximum(number, 1e-9),
        counts=number / np.maximum(near.sum(axis=1), 1.0)[:, None],
        spoke=np.asarray(spoke.any(axis=(1, 2)).T),
        people=people,
    )


def _discounts(record: Record) -> np.ndarray:
    """Return what each target counts, (O, H): 0 where not settled."""
    age = np.maximum(record.last - record.target, 0)
    return np.where(record.settled, DISCOUNT**age, 0.0)


def _standardised(record: Record, forecasts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return `pipeline`'s errors (O, S, H), the differences from it (F, O, S, H), both as shares of the segment's size
    and 0 where not known, and where they are known (F, O, S, H)."""
    size = record.size[None, :, None]
    error = (forecasts[0] - record.actual) / size
    known = np.isfinite(error)
    count = known.sum(axis=(0, 1))
    square = np.where(known, np.nan_to_num(error) ** 2, 0.0).sum(axis=(0, 1))
    typical = np.sqrt(np.where(count > 0, square / np.maximum(count, 1), np.inf))
    most = _CLIP * np.maximum(typical, 1e-9)
    differences = (forecasts - forecasts[0]) / size
    spoke = np.isfinite(differences) & known
    return (
        np.clip(np.nan_to_num(error), -most, most),
        np.where(spoke, np.clip(np.nan_to_num(differences), -2 * most, 2 * most), 0.0),
        spoke,
    )


def _sums(
    error: np.ndarray, differences: np.ndarray, spoke: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return weighted sums by horizon: products (H, F, F), covers (H, F), squares (H, F), counts (H, F, F)."""
    weighted = differences * weight
    there = spoke.astype(np.float64)
    return (
        np.einsum("iosh,josh->hij", weighted, differences, optimize=True),
        np.einsum("iosh,osh->hi", weighted, error),
        np.einsum("iosh,osh->hi", there, weight * error**2),
        np.einsum("iosh,josh->hij", there * weight, there, optimize=True),
    )


def _evidence(
    record: Record,
    people: np.ndarray,
    error: np.ndarray,
    differences: np.ndarray,
    spoke: np.ndarray,
    weight: np.ndarray,
    sums: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Return the statistic of each forecaster, (F,), and whether it enters, (F,) bool; `pipeline` always does."""
    statistic, enters = np.full(len(people), np.nan), np.zeros(len(people), dtype=bool)
    enters[0] = True
    for i in np.flatnonzero(~people)[1:]:
        statistic[i], freedom = encompassing(error, differences[i], spoke[i], weight, record.target)
        enters[i] = statistic[i] > _limit(freedom, among=1)
    # People are held against the models together: who only says what one of them says adds nothing.
    models = np.flatnonzero(enters & ~people)[1:]
    rest, moved = error.copy(), np.zeros_like(error)
    for h in range(error.shape[2] if len(models) else 0):
        products = sums[0][h][np.ix_(models, models)]
        w = least_squares(products, sums[1][h, models], ridge=0.05 * np.diag(products))
        moved[:, :, h] = np.einsum("i,ios->os", w, differences[models][:, :, :, h])
    rest += moved
    heard = [i for i in np.flatnonzero(people) if len(np.unique(record.target[spoke[i].any(axis=1)])) >= FEWEST]
    for i in heard:
        own = np.where(spoke[i], differences[i] - moved, 0.0)
        statistic[i], freedom = encompassing(rest, own, spoke[i], weight, record.target)
        enters[i] = statistic[i] > _limit(freedom, among=len(heard))
    return statistic, enters


def _limit(freedom: int, *, among: int) -> float:
    return float(stdtrit(freedom, 1 - LEVEL / among)) if freedom > 0 else float("inf")


def encompassing(
    error: np.ndarray, difference: np.ndarray, spoke: np.ndarray, weight: np.ndarray, target: np.ndarray
) -> tuple[float, int]:
    """Return the t statistic of b in -error = b difference + u, and its degrees of freedom.

    Positive = moving towards the forecaster makes the errors smaller. The forecast encompassing test (Harvey, Leybourne
    and Newbold 1998, J. Business & Economic Statistics 16) over all segments and months ahead at once: errors of one
    target month count as one, and neighbouring months as alike as their products are, over the longest horizon
    (Bartlett's weights, never less than months of their own). nan and 0 below FEWEST months.

    error, difference : (O, S, H), 0 where not known. spoke : (O, S, H) bool. weight : (O, S, H). target : (O, H).
    """
    months = np.unique(target[spoke.any(axis=1) & (weight > 0).any(axis=1)])
    power = float((weight * difference**2).sum())
    if len(months) < FEWEST or not power > 0:
        return float("nan"), 0
    slope = -float((weight * difference * error).sum()) / power
    by_target = -(weight * difference * (error + slope * difference)).sum(axis=1)
    scores = np.array([by_target[target == month].sum() for month in months])
    n = len(scores)
    lags = min(int(np.flatnonzero(spoke.any(axis=(0, 1)))[-1]) + 1, n // 3)
    own = variance = float(scores @ scores)
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * float(scores[lag:] @ scores[:-lag])
    variance = max(variance, own) * n / (n - 1)
    if not variance > 1e-24 * power**2:
        return (float("inf") if slope > 1e-9 else 0.0), n - 1
    return slope * power / float(np.sqrt(variance)), n - 1
