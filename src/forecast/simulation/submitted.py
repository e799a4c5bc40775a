"""The simulated submitted forecasts: what people forecast is the settled actual plus an error with a known law.

On the third working day of a month sales and marketing, and `joint` from adoption on, submit bookings for that month
and the three after it; now and then they submit again on the sixth, and the later one counts. The official error of
a segment, origin and horizon is one draw, whatever the effect: sales' before adoption, `joint`'s times (1 - effect)
after it. Sales' own error after adoption goes on as a mixture of that draw with another of the same law.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.calendar import period_labels
from forecast.simulation import parameters as par
from forecast.simulation.demand import Staff
from forecast.simulation.parameters import Clock, Settings, generator
from forecast.simulation.pipeline import WON, Deals
from forecast.simulation.tables import dates, texts

HORIZONS = 4
FIRST_ORIGIN = 6
"""Months of the log before the first submission."""
SUBMITTERS = ("sales", "marketing", "joint")
CATEGORIES = ("commit", "best case")
ERROR_OVER_ORACLE = 1.65
"""Mean size of a person's error over what the oracle's would be: above 1 even at an effect of .3."""
SMALLEST_SCALE = 0.25
"""Mean size of a person's error relative to a month's bookings in a company of any number of deals."""
HORIZON_SCALE = np.array([1.0, 1.08, 1.13, 1.18])
LEAST_SHARE = 0.2
AR, COMMON_SHARE, SHARED_BY_HORIZON = 0.35, 0.30, 0.30
REGIONAL_VOLATILITY, COMMON_VOLATILITY, VOLATILITY_AR = 0.20, 0.12, 0.9
QUARTER_END = 1.25
SALES_BIAS, MARKETING_BIAS = -0.30, 0.0
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
    """Return about the relative error of the oracle for a month of each segment; shape (G,).

    From u = sqrt(mean monthly sum of squared won amounts) / mean monthly bookings, the coefficient of variation of a
    compound Poisson month; the two constants were fitted to the oracle's WAPE at 5,000 to 200,000 deals.
    """
    won = deals.outcome == WON
    squares = np.bincount(deals.segment[won], deals.closed_amount[won] ** 2, minlength=settings.segments)
    sums = np.bincount(deals.segment[won], deals.closed_amount[won], minlength=settings.segments)
    months = settings.simulated_months
    u = np.sqrt(squares / months) / np.maximum(sums / months, 1e-9)
    return 0.63 * u / np.sqrt(1.0 + 0.3 * u**2)


def error_draws(rng: np.random.Generator, settings: Settings, *, bias: float) -> np.ndarray:
    """Return relative errors of mean size 1 over the company's life, plus `bias`; shape (G, origins, HORIZONS).

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
    return out / np.abs(out).mean() + bias


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
    return sd * out - 0.5 * sd**2


def possible_error(error: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Return the errors, turned into over-forecasts where they would leave less than a fifth of the actual.

    No forecast is negative, every error keeps its size, and (1 - effect) times an error is possible again: so the
    effect scales errors exactly. (In a poor month people cannot be far too low; they are too high.)
    """
    return np.where(actual + error >= LEAST_SHARE * actual, error, np.abs(error))


def make_submitted(settings: Settings, clock: Clock, staff: Staff, deals: Deals) -> pd.DataFrame:
    """Return the table submitted_forecasts.

    Simple case: a submission is the settled actual plus that submitter's error in money. Two complications: some
    submit twice a month, first an early guess that is further off; and `best case` stands beyond `commit`.
    """
    rng = generator(settings, "submitted")
    months = settings.months
    actual = bookings(settings, deals)
    target = np.arange(months)[:, None] + np.arange(HORIZONS)[None, :]
    settled = actual[:, target]
    money = _money(settings, deals, actual, target)
    after = (np.arange(months)[None, :] >= staff.adopted[:, None]) & (staff.adopted[:, None] >= 0)
    errors = _errors(rng, settings, after)
    again = rng.random((settings.segments, months, len(SUBMITTERS))) < AGAIN
    first_try = 0.25 * rng.standard_normal((settings.segments, months, HORIZONS))
    upside = np.abs(rng.standard_normal((settings.segments, months, HORIZONS)))
    parts = []
    for submitter, draw in enumerate(errors):
        joint = SUBMITTERS[submitter] == "joint"
        factor = 1.0 - settings.effect if joint else 1.0
        submits = after if joint else np.ones_like(after)
        later = again[:, :, submitter]
        for category in range(len(CATEGORIES)):
            draws = draw + (0.25 + 0.25 * upside if category else 0.0)
            final = settled + factor * possible_error(money * draws, settled)
            early = settled + factor * possible_error(money * (1.15 * draws + first_try), settled)
            parts.append(_rows(submitter, category, final, submits, later.astype(int)))
            parts.append(_rows(submitter, category, early, submits & later, np.zeros(later.shape, dtype=int)))
    rows = np.concatenate(parts, axis=1)
    return _table(settings, clock, rows[:, rows[3] >= min(FIRST_ORIGIN, months // 4)])


def _money(settings: Settings, deals: Deals, actual: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return what an error of size 1 is in money: level x scale x horizon x quarter's end; (G, origins, HORIZONS)."""
    level = _level(actual)[:, : settings.months, None]
    scale = np.maximum(SMALLEST_SCALE, ERROR_OVER_ORACLE * unavoidable(settings, deals))[:, None, None]
    quarter_end = np.where((settings.start_period + target) % 3 == 2, QUARTER_END, 1.0)
    return level * scale * HORIZON_SCALE[None, None, :] * quarter_end[None, :, :]


def _errors(rng: np.random.Generator, settings: Settings, after: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the errors of `SUBMITTERS` before the effect, (G, origins, HORIZONS) each.

    after : (G, origins), whether the segment plans jointly.
    """
    official = error_draws(rng, settings, bias=SALES_BIAS)
    own = error_draws(rng, settings, bias=SALES_BIAS)
    mixed = OWN_SHARE * official + np.sqrt(1.0 - OWN_SHARE**2) * own
    sales = np.where(after[:, :, None], mixed, official)
    marketing = MARKETING_SCALE * error_draws(rng, settings, bias=MARKETING_BIAS)
    return sales, marketing, official


def _table(settings: Settings, clock: Clock, rows: np.ndarray) -> pd.DataFrame:
    """Return the rows of `_rows` as the table, in order of day, segment, horizon, submitter and category."""
    submitter, category, segment, month, horizon, day = rows[:6].astype(np.int64)
    on = submission_days(clock, settings.months)[month, day]
    order = np.lexsort((category, submitter, horizon, segment, on))
    labels = period_labels(settings.start_period + np.arange(settings.simulated_months))
    return pd.DataFrame(
        {
            "submitted_on": dates(on[order]),
            "target_period": texts(labels, (month + horizon)[order]),
            "segment": texts(settings.names, segment[order]),
            "submitter": texts(SUBMITTERS, submitter[order]),
            "category": texts(CATEGORIES, category[order]),
            "amount": np.round(rows[6][order], 2),
        }
    )


def _rows(submitter: int, category: int, amount: np.ndarray, where: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Return submitter, category, segment, origin, horizon, day, amount as rows of one array; shape (7, n)."""
    g, m = np.nonzero(where)
    horizon = np.tile(np.arange(HORIZONS), len(g))
    g, m = np.repeat(g, HORIZONS), np.repeat(m, HORIZONS)
    codes = [np.full(len(g), submitter), np.full(len(g), category), g, m, horizon, day[g, m]]
    return np.vstack([*codes, amount[g, m, horizon]])


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
