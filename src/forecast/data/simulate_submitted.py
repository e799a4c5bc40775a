"""What the simulated company's people said they would book: the settled actual plus an error with a known law.

On the third working day of a month sales and marketing, and `joint` from adoption on, submit bookings for that month and
the three after it; now and then they submit again on the sixth, and the later one counts. The official error of a segment,
origin and horizon is one draw, whatever the effect: sales' before adoption, `joint`'s times (1 - effect) after it. Sales'
own error after adoption goes on as a mixture of that draw with another of the same law.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.calendar import period_labels
from forecast.data import simulate_parameters as par
from forecast.data.simulate_clock import Clock
from forecast.data.simulate_demand import Staff
from forecast.data.simulate_parameters import Settings, generator
from forecast.data.simulate_pipeline import WON, Deals
from forecast.data.simulate_tables import dates, texts

HORIZONS = 4
FIRST_ORIGIN = 6
"""Months of the log before the first submission."""
SUBMITTERS = ("sales", "marketing", "joint")
CATEGORIES = ("commit", "best case")
ERROR_OVER_ORACLE = 1.75
"""Standard scale of a person's error over the unavoidable error of a segment's month."""
SMALLEST_SCALE = 0.30
HORIZON_SCALE = np.array([1.0, 1.06, 1.12, 1.18])
AR, COMMON_SHARE, SHARED_BY_HORIZON = 0.35, 0.30, 0.30
REGIONAL_VOLATILITY, COMMON_VOLATILITY, VOLATILITY_AR = 0.22, 0.18, 0.9
QUARTER_END = 1.25
SALES_BIAS, MARKETING_BIAS = 0.05, 0.15
MARKETING_SCALE, OWN_SHARE = 1.2, 0.8
AGAIN = 0.25


def bookings(settings: Settings, deals: Deals) -> np.ndarray:
    """Return the settled actuals of every simulated month, reporting currency; shape (G, M).

    Closures are recorded at most LATE_DAYS after they happened, before a month settles: the settled are the true ones.
    """
    won = deals.outcome == WON
    shape = (settings.segments, settings.simulated_months)
    cell = np.ravel_multi_index((deals.segment[won], deals.closed_tick[won] // par.TICKS), shape)
    return np.bincount(cell, deals.closed_amount[won], minlength=shape[0] * shape[1]).reshape(shape)


def unavoidable(settings: Settings, deals: Deals) -> np.ndarray:
    """Return each segment's coefficient of variation of a month's bookings given the number expected; shape (G,).

    sqrt(mean monthly sum of squared won amounts) / mean monthly bookings: a compound Poisson month.
    """
    won = deals.outcome == WON
    squares = np.bincount(deals.segment[won], deals.closed_amount[won] ** 2, minlength=settings.segments)
    sums = np.bincount(deals.segment[won], deals.closed_amount[won], minlength=settings.segments)
    months = settings.simulated_months
    return np.sqrt(squares / months) / np.maximum(sums / months, 1e-9)


def error_draws(rng: np.random.Generator, settings: Settings, *, bias: float) -> np.ndarray:
    """Return relative errors of unit mean size at horizon 0 on an ordinary month; shape (G, origins, HORIZONS).

    AR(1) series driven by t5 innovations with a common factor, part of them shared by the horizons of an origin,
    times the common and the regional volatility.
    """
    count, origins = settings.segments, settings.months
    out = np.empty((count, origins, HORIZONS))
    shared = _series(rng, count, origins)
    for h in range(HORIZONS):
        own = _series(rng, count, origins)
        out[:, :, h] = np.sqrt(SHARED_BY_HORIZON) * shared + np.sqrt(1.0 - SHARED_BY_HORIZON) * own
    regional = _log_volatility(rng, count, origins, REGIONAL_VOLATILITY)
    common = _log_volatility(rng, 1, origins, COMMON_VOLATILITY)
    out *= np.exp(regional + common)[:, :, None]
    # The mean size of a unit-variance sum of t5 series is near .75; the scale is that of the mean size.
    return out / 0.75 + bias


def _series(rng: np.random.Generator, count: int, length: int) -> np.ndarray:
    common, own = rng.standard_t(5.0, (1, length)), rng.standard_t(5.0, (count, length))
    step = (np.sqrt(COMMON_SHARE) * common + np.sqrt(1.0 - COMMON_SHARE) * own) / np.sqrt(5.0 / 3.0)
    out = np.empty_like(step)
    out[:, 0] = step[:, 0]
    for t in range(1, length):
        out[:, t] = AR * out[:, t - 1] + np.sqrt(1.0 - AR**2) * step[:, t]
    return out


def _log_volatility(rng: np.random.Generator, count: int, length: int, sd: float) -> np.ndarray:
    out = rng.standard_normal((count, length))
    for t in range(1, length):
        out[:, t] = VOLATILITY_AR * out[:, t - 1] + np.sqrt(1.0 - VOLATILITY_AR**2) * out[:, t]
    return sd * out - sd**2


def bounded_error(error: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Return errors that leave actual + error at or above nought, unchanged where error >= -actual / 2.

    Below that they approach -actual smoothly, so that (1 - effect) times them scales exactly and nothing is cut.
    """
    half = 0.5 * actual
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        below = -actual + half * np.exp((error + half) / np.where(half > 0, half, 1.0))
    return np.where(error >= -half, error, below)


def make_submitted(settings: Settings, clock: Clock, staff: Staff, deals: Deals) -> pd.DataFrame:
    """Return the table submitted_forecasts."""
    rng = generator(settings, "submitted")
    months = settings.months
    actual = bookings(settings, deals)
    origin = np.arange(months)
    target = origin[:, None] + np.arange(HORIZONS)[None, :]
    seen = actual[:, target]
    level = _level(actual)[:, :months, None]
    scale = np.maximum(SMALLEST_SCALE, ERROR_OVER_ORACLE * 0.8 * unavoidable(settings, deals))[:, None, None]
    quarter_end = np.where((settings.start_period + target) % 3 == 2, QUARTER_END, 1.0)
    money = level * scale * HORIZON_SCALE[None, None, :] * quarter_end[None, :, :]

    official = error_draws(rng, settings, bias=SALES_BIAS)
    own = error_draws(rng, settings, bias=SALES_BIAS)
    after = (origin[None, :] >= staff.adopted[:, None]) & (staff.adopted[:, None] >= 0)
    mixed = OWN_SHARE * official + np.sqrt(1.0 - OWN_SHARE**2) * own
    sales = np.where(after[:, :, None], mixed, official)
    marketing = MARKETING_SCALE * error_draws(rng, settings, bias=MARKETING_BIAS)
    again = rng.random((settings.segments, months, len(SUBMITTERS))) < AGAIN
    first_try = 0.25 * rng.standard_normal((settings.segments, months, HORIZONS))
    upside = np.abs(rng.standard_normal((settings.segments, months, HORIZONS)))

    parts = []
    for number, draw in enumerate((sales, marketing, official)):
        factor = 1.0 - settings.effect if SUBMITTERS[number] == "joint" else 1.0
        submits = after if SUBMITTERS[number] == "joint" else np.ones_like(after)
        for kind in range(len(CATEGORIES)):
            draws = draw + (0.25 + 0.25 * upside if kind else 0.0)
            final = seen + factor * bounded_error(money * draws, seen)
            early = seen + factor * bounded_error(money * (1.15 * draws + first_try), seen)
            twice = again[:, :, number] & submits
            parts.append(_rows(number, kind, final, submits, np.where(again[:, :, number], 1, 0)))
            parts.append(_rows(number, kind, early, twice, np.zeros_like(again[:, :, number], dtype=int)))
    number, kind, g, m, h, later, amount = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    keep = m >= min(FIRST_ORIGIN, months // 4)
    number, kind, g, m, h, later, amount = (x[keep] for x in (number, kind, g, m, h, later, amount))
    days = submission_days(clock, months)
    on = days[m, later]
    order = np.lexsort((kind, number, h, g, on))
    labels = period_labels(settings.start_period + np.arange(settings.simulated_months))
    return pd.DataFrame(
        {
            "submitted_on": dates(on[order]),
            "target_period": texts(labels, (m + h)[order]),
            "segment": texts(settings.names, g[order]),
            "submitter": texts(SUBMITTERS, number[order]),
            "category": texts(CATEGORIES, kind[order]),
            "amount": np.round(amount[order], 2),
        }
    )


def _rows(number: int, kind: int, amount: np.ndarray, where: np.ndarray, later: np.ndarray) -> tuple[np.ndarray, ...]:
    g, m = np.nonzero(where)
    horizon = np.tile(np.arange(HORIZONS), len(g))
    g, m = np.repeat(g, HORIZONS), np.repeat(m, HORIZONS)
    return (
        np.full(len(g), number),
        np.full(len(g), kind),
        g,
        m,
        horizon,
        later[g, m],
        amount[g, m, horizon],
    )


def _level(actual: np.ndarray) -> np.ndarray:
    """Return the mean actual of the twelve months up to and including each month (fewer at the start)."""
    total = np.cumsum(actual, axis=1)
    total[:, 12:] = total[:, 12:] - total[:, :-12].copy()
    return total / np.minimum(np.arange(1, actual.shape[1] + 1), 12)


def submission_days(clock: Clock, months: int) -> np.ndarray:
    """Return the third and the sixth working day of each month; shape (months, 2)."""
    out = np.empty((months, 2), dtype=np.int64)
    for month in range(months):
        days = np.arange(clock.month_start[month], clock.month_start[month] + 14)
        out[month] = days[(days + 3) % 7 < 5][[2, 5]]
    return out
