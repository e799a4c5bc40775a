"""The simulated submitted forecasts: what people forecast is the settled actual plus an error with a known law.

On the third working day of a month sales and marketing, and `joint` from adoption on, submit bookings for that month
and the three after it, with the number they changed (the usual month) and sometimes a reason; now and then they submit
again on the sixth, and the later one counts. The official error of a segment, origin and horizon is one draw, whatever
the effect: sales' before adoption, `joint`'s times (1 - effect) after it. Sales' own error after adoption goes on as a
mixture of that draw with another of the same law.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.calendar import period_labels
from forecast.simulation import parameters as par
from forecast.simulation.demand import Staff
from forecast.simulation.parameters import Clock, People, Settings, generator
from forecast.simulation.pipeline import WON, Deals
from forecast.simulation.records.tables import dates, texts

HORIZONS = 4
FIRST_ORIGIN = 6
"""Months of the log before the first submission."""
SUBMITTERS = ("sales", "marketing", "joint")
CATEGORIES = ("commit", "best case")
HORIZON_SCALE = np.array([1.0, 1.08, 1.13, 1.18])
LEAST_SHARE = 0.2
COMMON_SHARE, VOLATILITY_AR = 0.30, 0.9
QUARTER_END = 1.25
MARKETING_SCALE, OFFICIAL_SHARE = 1.2, 0.8
AGAIN = 0.25
REASONS = (
    *("A large deal is expected", "A campaign is under way", "Renewals are due", "The new seller is up to speed"),
    *("A customer postponed", "Budgets are frozen", "A large deal slipped", "Fewer leads came in"),
)
"""Why a forecast is above the usual month, then why it is below."""
WRITTEN, NEAR, SMALL_CHANGE = (0.55, 0.25), 0.20, 0.10


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


def error_draws(rng: np.random.Generator, settings: Settings) -> np.ndarray:
    """Return relative errors of mean size 1 over the company's life; shape (G, origins, HORIZONS).

    AR(1) series driven by t innovations with a common factor, part of them shared by the horizons of an origin,
    times the common and the regional volatility.
    """
    people, count, origins = settings.kind.people, settings.segments, settings.months
    out = np.empty((count, origins, HORIZONS))
    shared = _series(rng, people, count, origins)
    for h in range(HORIZONS):
        own = _series(rng, people, count, origins)
        out[:, :, h] = np.sqrt(people.shared_by_horizon) * shared + np.sqrt(1.0 - people.shared_by_horizon) * own
    regional = _log_volatility(rng, count, origins, people.regional)
    common = _log_volatility(rng, 1, origins, people.common)
    out *= np.exp(regional + common)[:, :, None]
    return out / np.abs(out).mean()


def _habit(rng: np.random.Generator, settings: Settings, submitter: str) -> np.ndarray:
    """Return what a submitter's forecasts of each segment are off by as a rule, in mean sizes; (G, 1, 1)."""
    people = settings.kind.people
    apart = rng.standard_normal(settings.segments) if people.habit_sd else np.zeros(settings.segments)
    return (people.habit[submitter] + people.habit_sd * apart)[:, None, None]


def _series(rng: np.random.Generator, people: People, count: int, length: int) -> np.ndarray:
    n, ar = people.freedom, people.persistence
    common, own = rng.standard_t(n, (1, length)), rng.standard_t(n, (count, length))
    step = (np.sqrt(COMMON_SHARE) * common + np.sqrt(1.0 - COMMON_SHARE) * own) / np.sqrt(n / (n - 2.0))
    out = np.empty_like(step)
    out[:, 0] = step[:, 0]
    for t in range(1, length):
        out[:, t] = ar * out[:, t - 1] + np.sqrt(1.0 - ar**2) * step[:, t]
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
    together = made_jointly(settings, staff)
    errors = _errors(rng, settings, together)
    again = rng.random((settings.segments, months, len(SUBMITTERS))) < AGAIN
    first_try = 0.25 * rng.standard_normal((settings.segments, months, HORIZONS))
    upside = np.abs(rng.standard_normal((settings.segments, months, HORIZONS)))
    parts = []
    for submitter, draw in enumerate(errors):
        joint = SUBMITTERS[submitter] == "joint"
        factor = 1.0 - settings.effect if joint else 1.0
        submits = together if joint else np.ones_like(together)
        later = again[:, :, submitter]
        for category in range(len(CATEGORIES)):
            draws = draw + (0.25 + 0.25 * upside if category else 0.0)
            final = settled + factor * possible_error(money * draws, settled)
            early = settled + factor * possible_error(money * (1.15 * draws + first_try), settled)
            parts.append(_rows(submitter, category, final, submits, later.astype(int)))
            second = submits & later[:, :, None]
            parts.append(_rows(submitter, category, early, second, np.zeros(later.shape, dtype=int)))
    rows = np.concatenate(parts, axis=1)
    rows = rows[:, rows[3] >= min(FIRST_ORIGIN, months // 4)]
    usual = np.round(_level(actual), -2)
    return _table(settings, clock, rows, base=usual, reason=_reasons(settings, rows, usual, actual))


def made_jointly(settings: Settings, staff: Staff) -> np.ndarray:
    """Return which forecasts sales and marketing make together; (G, origins, HORIZONS).

    Those made from the month of adoption on; where planning begins with whole months, those for the months from it on,
    the first of which are made up to three months ahead.
    """
    origin = np.arange(settings.months)[None, :, None]
    horizon = np.arange(HORIZONS)[None, None, :]
    month = origin + horizon if settings.kind.people.whole_months else origin + 0 * horizon
    begins = staff.adopted[:, None, None]
    return (month >= begins) & (begins >= 0)


def _money(settings: Settings, deals: Deals, actual: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return what an error of size 1 is in money: level x scale x horizon x quarter's end; (G, origins, HORIZONS)."""
    level = _level(actual)[:, : settings.months, None]
    people = settings.kind.people
    scale = np.maximum(people.smallest, people.over_oracle * unavoidable(settings, deals))[:, None, None]
    quarter_end = np.where((settings.start_period + target) % 3 == 2, QUARTER_END, 1.0)
    return level * scale * HORIZON_SCALE[None, None, :] * quarter_end[None, :, :]


def _errors(rng: np.random.Generator, settings: Settings, together: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the errors of `SUBMITTERS` before the effect, (G, origins, HORIZONS) each; together : `made_jointly`."""
    habit, own_share = _habit(rng, settings, "sales"), np.sqrt(1.0 - OFFICIAL_SHARE**2)
    official = error_draws(rng, settings)
    mixed = OFFICIAL_SHARE * official + own_share * error_draws(rng, settings)
    sales = np.where(together, mixed + settings.kind.people.habit_later * habit, official + habit)
    marketing = MARKETING_SCALE * (error_draws(rng, settings) + _habit(rng, settings, "marketing"))
    return sales, marketing, official + habit


def _reasons(settings: Settings, rows: np.ndarray, usual: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Return why a forecast is not the usual month, a place in REASONS or -1; one a row of `_rows`.

    Nobody explains what is hardly changed. Whoever knows something writes it down more often than who does not: a
    forecast that will be NEAR (of the usual month) has a reason in WRITTEN[0] of cases, one further off in WRITTEN[1].
    """
    rng = generator(settings, "reasons")
    segment, month, horizon = rows[2:5].astype(np.int64)
    base, settled = usual[segment, _known(month)], actual[segment, month + horizon]
    off = np.abs(rows[6] - settled) / np.maximum(base, 1.0)
    changed = np.abs(rows[6] - base) > SMALL_CHANGE * base
    written = rng.random(rows.shape[1]) < np.where(off < NEAR, *WRITTEN)
    pick = rng.integers(0, len(REASONS) // 2, rows.shape[1]) + np.where(rows[6] < base, len(REASONS) // 2, 0)
    return np.where(changed & written & (rows[1] == 0), pick, -1)


def _known(month: np.ndarray) -> np.ndarray:
    """Return the last month that had settled early in a month: the one before the last."""
    return np.maximum(month - 2, 0)


def _table(settings: Settings, clock: Clock, rows: np.ndarray, *, base: np.ndarray, reason: np.ndarray) -> pd.DataFrame:
    """Return the rows of `_rows` as the table, in order of day, segment, horizon, submitter and category.

    base : (G, M), the usual month as known from each month on. reason : places in REASONS, one a row.
    """
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
            "reason": texts(REASONS, reason[order]),
            "base": base[segment, _known(month)][order],
        }
    )


def _rows(submitter: int, category: int, amount: np.ndarray, where: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Return submitter, category, segment, origin, horizon, day, amount as rows of one array; shape (7, n).

    amount, where : (G, origins, HORIZONS). day : (G, origins).
    """
    g, m, horizon = np.nonzero(where)
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
