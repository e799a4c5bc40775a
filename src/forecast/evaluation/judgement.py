"""Is a figure as promised? One test behind every evaluative word, and one level over all words of a page.

Simple case: a figure (odds, ranges that held, the miss less the benchmark's) is held against what was promised (the
share won, 80 %, nothing). It is an `Estimate`, with its 95 % interval, the p-value of "just as promised", and the
number of units that it rests on. `judge` turns the estimates of a page into findings:

- `above` or `below` where the p-value, corrected over all estimates of the page, is at most 5 %;
- `as promised` where it is not, and the whole interval lies within a margin of the promise;
- `unclear` where neither holds, and `too few` where the units do not even allow a test.

Three complications. Figures of one month or one day share their luck, so those are the units and not the cells or the
deals. Forecasts further ahead overlap, so their months are no separate ones. And of twenty words one would be wrong by
chance, so the correction (Holm 1979, Scand. J. Statistics 6) counts all of a page; a question that the page is about
may have a larger share of the 5 % (weights, fixed beforehand).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import numpy as np
from scipy.special import bdtr, bdtrc, expit, logit, ndtr, stdtr, stdtrit

from forecast.errors import DataError, ParameterError
from forecast.evaluation.scores.amounts import Floats, as_floats
from forecast.evaluation.scores.comparison import FEWEST, PairedTest, diebold_mariano
from forecast.evaluation.scores.events import SHARED_LUCK, share_interval

LEVEL = 0.05
"""How often a page may hold a misleading word though all is as promised."""

FEWEST_DAYS = 4
"""Fewest days for a test of the level of the odds: deals of one day share the months they close in."""

FEWEST_DEALS = 30
LEAST_SPREAD = 5.0
"""Fewest deals, and least sum of p (1 - p), for a test of odds: with less the normal approximation is none."""

LEVEL_MARGIN, SLOPE_MARGIN, SHARE_MARGIN = 0.05, 0.25, 0.10
"""How near to the promise the whole interval lies where a figure is called as promised: the level of the odds, their
slope, the share of ranges that held. The mean of amounts is never called so."""

EVER_MARGIN = 0.10
"""The same of wins in the end, as a share of those expected: where few deals are won, LEVEL_MARGIN would be most."""

_NORMAL95 = 1.959963984540054
_CLIP = 1e-6
_STEEPEST = 50.0
"""A slope beyond which the odds part what happened from what did not: there is no steepest one."""

Verdict = Literal["above", "below", "as promised", "unclear", "too few"]
Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure, its uncertainty and what was promised of it.

    value, promised : in one unit. low, high : ends of the 95 % interval of the value, NaN where none can be given.
    p_value : how often chance alone moves the figure as far from the promise, either way; NaN where n is too few for a
    test. n : the units that the test rests on, named by unit (`month`). fewest : of them, for a test. margin : how near
    to the promise the whole interval must lie for `as promised`; 0 where that is never claimed. weight : share of the
    page's level, above 0. Of two forecasts, else NaN: ours and theirs, the two misses that value is made of; agreeing,
    how many of the n units differ the way that value does.
    """

    value: float
    promised: float
    low: float
    high: float
    p_value: float
    n: int
    unit: str
    fewest: int
    margin: float = 0.0
    weight: float = 1.0
    ours: float = float("nan")
    theirs: float = float("nan")
    agreeing: float = float("nan")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What may be said of an estimate on its page. p_page : its p-value corrected over the page; NaN for too few."""

    estimate: Estimate
    p_page: float
    verdict: Verdict

    @property
    def is_apart(self) -> bool:
        """Whether the figure is above or below the promise by more than chance."""
        return self.verdict in ("above", "below")


def judge(estimates: Mapping[Name, Estimate], *, level: float = LEVEL) -> dict[Name, Finding]:
    """Return what may be said of each estimate of a page, all of them held to one level together.

    estimates : all of the page, by any name. level : the chance of any `above` or `below` where all is as promised.
    Raises ParameterError where a weight is not above 0 or the level not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ParameterError(f"level: {level} is not between 0 and 1")
    p_page = weighted_holm([e.p_value for e in estimates.values()], [e.weight for e in estimates.values()])
    return {
        name: found(estimate, p_page=float(p), level=level)
        for (name, estimate), p in zip(estimates.items(), p_page, strict=True)
    }


def found(estimate: Estimate, *, p_page: float, level: float = LEVEL) -> Finding:
    """Return what may be said of an estimate whose p-value is corrected already."""
    return Finding(estimate=estimate, p_page=p_page, verdict=_verdict(estimate, p_page, level))


def _verdict(estimate: Estimate, p: float, level: float) -> Verdict:
    if np.isnan(p) or estimate.n < estimate.fewest:
        return "too few"
    if p <= level and estimate.value != estimate.promised:
        return "above" if estimate.value > estimate.promised else "below"
    low, high = estimate.promised - estimate.margin, estimate.promised + estimate.margin
    if estimate.margin > 0 and low <= estimate.low and estimate.high <= high:
        return "as promised"
    return "unclear"


def weighted_holm(p_values: Any, weights: Any) -> Floats:
    """Return p-values corrected so that among all of them a false claim is made at most with the chance stated; (n,).

    Sorted by p / weight; p_(i) -> max over j <= i of min(1, (sum of the weights from j on) p_(j) / w_(j)). With equal
    weights it is `comparison.holm`. NaN, a test that could not be made, stays NaN and its weight is not counted (Holm
    1979, section 4). Raises ParameterError where a weight is not above 0, DataError for a p-value outside [0, 1].
    """
    p, w = as_floats(p_values, "p_values").ravel(), as_floats(weights, "weights").ravel()
    if p.shape != w.shape or not (w > 0).all():
        raise ParameterError("weights: one above 0 is wanted for each p-value")
    made = np.flatnonzero(~np.isnan(p))
    if ((p[made] < 0) | (p[made] > 1)).any():
        raise DataError("a p-value is not between 0 and 1", column="p_values")
    order = made[np.argsort(p[made] / w[made], kind="stable")]
    left = np.cumsum(w[order][::-1])[::-1]
    corrected = np.full(len(p), np.nan)
    corrected[order] = np.maximum.accumulate(np.minimum(1.0, left * p[order] / w[order]))
    return corrected


# -- odds -----------------------------------------------------------------------------------------------


def odds_level(happened: Any, probability: Any, day: Any, *, overlap: int = 1, weight: float = 1.0) -> Estimate:
    """Return the mean probability less the share that happened, held against 0: above 0 the odds are too high.

    Two tests, and the larger p-value counts. As if each deal had its own luck: sum(p - y) / sqrt(sum p (1 - p)) is
    about normal (Cox 1958, Biometrika 45; Spiegelhalter 1986, Statistics in Medicine 5). And with days as units, since
    deals of one day share the months they close in: the t test of the days' sums. The interval is the wider of both.

    happened, probability : (n,). day : (n,), the day of each probability. overlap : how many days one deal's months
    can count for, 1 where the days are as far apart as wins are counted. Too few below FEWEST_DEALS or FEWEST_DAYS.
    """
    y, p = _odds(happened, probability)
    days, code = np.unique(np.asarray(day), return_inverse=True)
    n, count = len(y), len(days)
    gap = float((p - y).mean()) if n else float("nan")
    deals, unit, fewest = (count, "day", FEWEST_DAYS) if n >= FEWEST_DEALS else (n, "deal", FEWEST_DEALS)
    facts: dict[str, Any] = {
        "value": gap,
        "promised": 0.0,
        "n": deals,
        "unit": unit,
        "fewest": fewest,
        "weight": weight,
    }
    spread = float((p * (1 - p)).sum())
    if n < FEWEST_DEALS or count < FEWEST_DAYS or spread < LEAST_SPREAD:
        return Estimate(**facts, low=float("nan"), high=float("nan"), p_value=float("nan"), margin=LEVEL_MARGIN)
    alone = float(np.sqrt(overlap * spread)) / n
    sums = np.bincount(code, p - y, count)
    sizes = np.bincount(code, minlength=count)
    rest = sums - gap * sizes
    by_day = float(np.sqrt(overlap * count / (count - 1) * np.sum(rest**2))) / n
    p_value = float(2 * ndtr(-abs(gap) / alone))
    if by_day > 0:
        p_value = max(p_value, float(2 * stdtr(count - 1, -abs(gap) / by_day)))
    half = max(_NORMAL95 * alone, float(stdtrit(count - 1, 0.975)) * by_day)
    return Estimate(**facts, low=gap - half, high=gap + half, p_value=p_value, margin=LEVEL_MARGIN)


def odds_of_last_day(happened: Any, probability: Any, day: Any, *, overlap: int = 1, weight: float = 1.0) -> Estimate:
    """Return the mean probability less the share that happened of the last day alone, held against 0.

    Pooled over years, a day on which half of the wins are missing looks like scatter, so it is asked for itself. Two
    tests, and the larger p-value counts. As if each deal had its own luck: z = sum(p - y) / sqrt(sum p (1 - p)) is
    about normal. And since deals of one day share theirs, the days before tell how far a day moves: z over the root of
    their mean z^2 is t, with as many degrees of freedom as there are; what was always so is no change. The interval is
    the wider of both. Arguments as in `odds_level`. Too few below FEWEST_DEALS on that day, or FEWEST_DAYS.
    """
    y, p = _odds(happened, probability)
    days, code = np.unique(np.asarray(day), return_inverse=True)
    count, last = len(days), code == len(days) - 1
    n, spread = int(last.sum()), float((p * (1 - p))[last].sum())
    unit, fewest = ("deal", FEWEST_DEALS) if n < FEWEST_DEALS else ("day", FEWEST_DAYS)
    value, nan = (float((p - y)[last].mean()) if n else float("nan")), float("nan")
    facts: dict[str, Any] = {"value": value, "promised": 0.0, "unit": unit, "fewest": fewest, "weight": weight}
    facts["n"] = n if unit == "deal" else count
    if n < FEWEST_DEALS or count < FEWEST_DAYS or spread < LEAST_SPREAD:
        return Estimate(**facts, low=nan, high=nan, p_value=nan)
    sums, spreads = np.bincount(code, p - y), np.bincount(code, p * (1 - p))
    z = sums / np.sqrt(np.maximum(spreads, _CLIP))
    usual, df = float(np.sqrt(np.mean(z[:-1] ** 2))), max(1, (count - 1) // overlap)
    p_value = float(2 * ndtr(-abs(z[-1])))
    if usual > 0:
        p_value = max(p_value, float(2 * stdtr(df, -abs(z[-1]) / usual)))
    half = max(_NORMAL95, float(stdtrit(df, 0.975)) * usual) * float(np.sqrt(spread)) / n
    return Estimate(**facts, low=value - half, high=value + half, p_value=p_value)


def odds_slope(happened: Any, probability: Any, day: Any, *, overlap: int = 1, weight: float = 1.0) -> Estimate:
    """Return the slope of the calibration line within days, held against 1: below 1 the odds are too extreme.

    logit P(happened) = a_day + slope x logit(probability). Each day has its own level, so that what a day's months
    brought to all deals does not count; the test is the score test of slope 1, the interval that of the maximum of the
    likelihood (Cox 1958, Biometrika 45). Days on which all or none happened say nothing of the slope.

    Arguments as in `odds_level`. Too few below FEWEST_DEALS, or where the deals' odds are all alike.
    """
    y, p = _odds(happened, probability)
    code = np.unique(np.asarray(day), return_inverse=True)[1]
    size, happened_on = np.bincount(code), np.bincount(code, y)
    used = ((happened_on > 0) & (happened_on < size))[code]
    y, x, code = y[used], logit(np.clip(p[used], _CLIP, 1 - _CLIP)), np.unique(code[used], return_inverse=True)[1]
    n, nan = len(y), float("nan")
    facts: dict[str, Any] = {
        "promised": 1.0,
        "n": n,
        "unit": "deal",
        "fewest": FEWEST_DEALS,
        "margin": SLOPE_MARGIN,
        "weight": weight,
    }
    few = Estimate(**facts, value=nan, low=nan, high=nan, p_value=nan)
    if n < FEWEST_DEALS or np.ptp(x) == 0:
        return few
    x = x - x.mean()
    level = _levels(y, x, code, start=np.zeros(code.max() + 1), slope=1.0)
    score, information, spread = _slope_score(y, x, code, level, slope=1.0)
    if spread < LEAST_SPREAD or information <= 1e-9:
        return few
    p_value = float(2 * ndtr(-abs(score) / np.sqrt(overlap * information)))
    slope, information = _best_slope(y, x, code, level)
    half = _NORMAL95 * float(np.sqrt(overlap / information)) if information > 0 else nan
    return Estimate(**facts, value=slope, low=slope - half, high=slope + half, p_value=p_value)


def _odds(happened: Any, probability: Any) -> tuple[Floats, Floats]:
    y, p = as_floats(happened, "happened").ravel(), as_floats(probability, "probability").ravel()
    if y.shape != p.shape:
        raise ParameterError(f"happened has shape {y.shape} and probability {p.shape}; they must be the same")
    if not np.isin(y, (0, 1)).all():
        raise DataError("is neither 0 nor 1", column="happened")
    if not ((p >= 0) & (p <= 1)).all():
        raise DataError("is outside 0 to 1", column="probability")
    return y, p


def _levels(y: Floats, x: Floats, code: np.ndarray, *, start: Floats, slope: float) -> Floats:
    """Return the level of each day under which as many are expected as happened, by Newton's steps; (days,)."""
    level, count = start, len(start)
    won = np.bincount(code, y, count)
    for _ in range(50):
        q = expit(level[code] + slope * x)
        gap = won - np.bincount(code, q, count)
        step = np.clip(gap / np.maximum(np.bincount(code, q * (1 - q), count), 1e-9), -2.0, 2.0)
        level = level + step
        if np.abs(step).max() < 1e-9:
            break
    return level


def _slope_score(y: Floats, x: Floats, code: np.ndarray, level: Floats, *, slope: float) -> tuple[float, float, float]:
    """Return score and information of the slope with the days' levels taken out, and the sum of q (1 - q)."""
    count = len(level)
    q = expit(level[code] + slope * x)
    w = q * (1 - q)
    within = np.bincount(code, w, count)
    information = float(np.sum(w * x**2) - np.sum(np.bincount(code, w * x, count) ** 2 / np.maximum(within, 1e-300)))
    return float(np.sum((y - q) * x)), information, float(w.sum())


def _best_slope(y: Floats, x: Floats, code: np.ndarray, level: Floats) -> tuple[float, float]:
    """Return the slope at which the score is nothing, by Newton's steps from 1, and its information there."""
    slope = 1.0
    for _ in range(50):
        score, information, _ = _slope_score(y, x, code, level, slope=slope)
        step = float(np.clip(score / max(information, 1e-9), -1.0, 1.0))
        slope += step
        level = _levels(y, x, code, start=level, slope=slope)
        if abs(step) < 1e-8 or abs(slope) > _STEEPEST:
            break
    return slope, _slope_score(y, x, code, level, slope=slope)[1]


def odds_in_the_end(
    won: float, expected: float, spread: float, *, deals: int, apart: float = SHARED_LUCK, weight: float = 1.0
) -> Estimate:
    """Return the mean chance of a win ever less the share won, of deals open on one past day, held against 0.

    Both by a later day, so that deals still open then count as not won yet, and nothing need be assumed of them.

    won, expected : wins by then. spread : sum of p (1 - p) of their chances. deals : how many. apart : how much larger
    the variance is than that. As promised within EVER_MARGIN of the wins expected. Too few below FEWEST_DEALS deals or
    a spread of LEAST_SPREAD. Raises DataError where a figure cannot be what it is called.
    """
    if not (0 <= won <= deals and 0 <= expected <= deals and spread >= 0):
        raise DataError(
            f"{won} won and {expected} expected of {deals} deals, with a spread of {spread}: that cannot be"
        )
    n, nan = int(deals), float("nan")
    facts: dict[str, Any] = {"promised": 0.0, "n": n, "unit": "deal", "fewest": FEWEST_DEALS, "weight": weight}
    if n < FEWEST_DEALS or spread < LEAST_SPREAD:
        return Estimate(**facts, value=nan, low=nan, high=nan, p_value=nan)
    value, error = float(expected - won) / n, float(np.sqrt(apart * spread)) / n
    low, high = value - _NORMAL95 * error, value + _NORMAL95 * error
    p_value = float(2 * ndtr(-abs(value) / error))
    margin = EVER_MARGIN * float(expected) / n
    return Estimate(**facts, value=value, low=low, high=high, p_value=p_value, margin=margin)


# -- shares of ranges that held ---------------------------------------------------------------------------


def coverage(held: Any, month: Any, *, nominal: float, overlap: int = 1, weight: float = 1.0) -> Estimate:
    """Return the share of ranges that held, held against the nominal share.

    Simple case: one range a month, one month ahead; the test is the exact binomial one. Complications: several ranges
    a month (segments) share its luck, so the t test of the months' shares must agree, and the larger p-value counts;
    where the months do not differ at all, months are counted and not ranges. Ranges further ahead overlap
    (`overlap` = months ahead), so their months' shares are tested by `diebold_mariano`, which allows for months that
    resemble their neighbours, and by the binomial test of as many months as do not overlap; the larger p-value counts.

    held : (n,) 0 or 1. month : (n,) whole numbers, in which the ranges end. Too few below FEWEST months.
    """
    h, t = as_floats(held, "held").ravel(), np.asarray(month).ravel()
    if h.shape != t.shape:
        raise ParameterError(f"held has shape {h.shape} and month {t.shape}; they must be the same")
    if not 0 < nominal < 1:
        raise ParameterError(f"nominal: {nominal} is not between 0 and 1")
    known = ~np.isnan(h)
    h, t = h[known], t[known]
    months, code = np.unique(t, return_inverse=True)
    n, count, nan = len(h), len(months), float("nan")
    facts: dict[str, Any] = {"promised": nominal, "unit": "month", "n": count, "fewest": FEWEST, "margin": SHARE_MARGIN}
    share = float(h.mean()) if n else nan
    if count < FEWEST:
        return Estimate(**facts, value=share, low=nan, high=nan, p_value=nan, weight=weight)
    by_month = np.bincount(code, h, count) / np.bincount(code, minlength=count)
    own = -(-count // overlap)  # months that do not overlap
    cells = own if overlap > 1 or by_month.std() == 0 else n
    held_cells = _towards(by_month.mean() * cells, nominal * cells)
    p_values, ends = [binomial_p(held_cells, cells, nominal)], [share_interval(held_cells, cells)]
    if overlap > 1:
        test = diebold_mariano(by_month, np.full(count, nominal))
        p_values, ends = [*p_values, test.p_value], [*ends, interval_of(test, value=share, promised=nominal)]
    elif n > count and by_month.std() > 0:
        half = float(stdtrit(count - 1, 0.975) * by_month.std(ddof=1) / np.sqrt(count))
        p_values, ends = [*p_values, mean_test(by_month - nominal).p_value], [*ends, (share - half, share + half)]
    low, high = np.nanmin([low for low, _ in ends]), np.nanmax([high for _, high in ends])
    low, high = max(float(low), 0.0), min(float(high), 1.0)
    return Estimate(**facts, value=share, low=low, high=high, p_value=float(np.nanmax(p_values)), weight=weight)


def _towards(held: float, promised: float) -> int:
    """Return a count that need not be whole, rounded towards what was promised."""
    return int(np.ceil(held - 1e-9) if held < promised else np.floor(held + 1e-9))


def binomial_p(happened: int, n: int, share: float) -> float:
    """Return the exact two-sided p-value of `happened` of n where each happens with the chance `share`: twice the less
    likely side, at most 1."""
    below, above = float(bdtr(happened, n, share)), float(bdtrc(happened - 1, n, share)) if happened else 1.0
    return min(1.0, 2 * min(below, above))


# -- means ------------------------------------------------------------------------------------------------


def mean_test(differences: Any) -> PairedTest:
    """Return the t test of a mean of nothing, of units that do not resemble their neighbours; (n,), n of 2 or more."""
    d = as_floats(differences, "differences").ravel()
    mean, error = float(d.mean()), float(d.std(ddof=1) / np.sqrt(len(d)))
    statistic = mean / error if error > 0 else float("nan")
    p_value = float(2 * stdtr(len(d) - 1, -abs(statistic))) if error > 0 else float(mean == 0)
    return PairedTest(statistic=statistic, df=len(d) - 1, p_value=p_value, mean_difference=mean, n=len(d))


def interval_of(test: PairedTest, *, value: float, promised: float = 0.0) -> tuple[float, float]:
    """Return the 95 % interval of a figure that a test holds against a promise: as many of its errors wide as the
    test's own interval is of its mean; NaN where the test has none."""
    if not (np.isfinite(test.statistic) and test.statistic and test.df):
        return float("nan"), float("nan")
    half = float(stdtrit(test.df, 0.975)) * abs((value - promised) / test.statistic)
    return value - half, value + half


def mean_of(
    values: Any, *, promised: Any = 0.0, value: float | None = None, target: float | None = None, weight: float = 1.0
) -> Estimate:
    """Return a mean over months, held against what was promised of it, by `diebold_mariano`.

    Where every month is as far from the promise as every other, the test has no variance; then the signs are counted:
    of T months all on one side, 2 / 2^T. Where it has none for another reason (a rhythm) nothing is said.

    values : (T,) one a month in time order; NaN months are left out. promised : a number, or (T,) another figure of
    the same months, of which the mean counts. value, target : what is shown of both, where that is no mean of months.
    """
    first = as_floats(values, "values").ravel()
    second = np.broadcast_to(as_floats(promised, "promised"), first.shape)
    known = ~(np.isnan(first) | np.isnan(second))
    first, second = first[known], second[known]
    test = diebold_mariano(first, second)
    if test.n >= FEWEST and np.isnan(test.p_value):
        one_side = np.ptp(first - second) <= 1e-9 * np.abs(first - second).max()
        test = replace(test, p_value=2.0 ** (1 - test.n) if one_side else 1.0)
    against = float(second.mean()) if len(second) else float("nan")
    return of_test(
        test,
        value=test.mean_difference + against if value is None else value,
        promised=against if target is None else target,
        weight=weight,
    )


def of_test(
    test: PairedTest, *, value: float, promised: float = 0.0, unit: str = "month", weight: float = 1.0
) -> Estimate:
    """Return the estimate of a paired test by months, or by other units in time order.

    value, promised : as they are shown, value the higher where the test's mean difference is positive. Where the two
    point in different ways (sums and means of months can) nothing can be said, and the p-value is 1.
    """
    low, high = interval_of(test, value=value, promised=promised)
    contradicts = (value - promised) * test.statistic < 0
    return Estimate(
        value=value,
        promised=promised,
        low=low,
        high=high,
        p_value=1.0 if contradicts else test.p_value,
        n=test.n,
        unit=unit,
        fewest=FEWEST,
        weight=weight,
    )
