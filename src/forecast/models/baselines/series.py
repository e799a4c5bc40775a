"""The forecasts to compare ours with: last year's bookings, bookings smoothed, alone or pooled, and submitted ones.

Each takes what was known on a day and gives the forecast table; where it cannot be computed it abstains (numbers are
nan, and the notes say why). The stage-based ones are in `stages`. Bookings are read by month of the close date as
known; a month in progress is never fitted, but what it has booked bounds it from below. A month that is over is the
start of the next, settled or not, as it is for whoever computes such a forecast from the bookings of the day; errors
are learned from settled months alone.

A baseline is a rule for a number. How far off it may be is learned from its errors at past origins, where the same rule
is applied to what was known then (`draws_from_errors`). Simple case: draw one of these origins, with all its errors of
segments and months ahead together, so that what goes wrong together stays together, and add them to the forecast. The
complication: thirty past origins do not hold the worst there is, so each draw is roughened by a part of a second
origin's errors (the smoothed bootstrap, Silverman & Young, Biometrika 1987). Errors keep their mean: a rule that has
always missed on one side is expected to do so again, and its median then differs from its mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtr

from forecast.calendar import period_label
from forecast.data.schema import NotedTable
from forecast.data.submissions import commits, counted, name_key, why_none_counts
from forecast.models.baselines.smoothing import PERIOD, EtsPath, ets_path
from forecast.models.baselines.theta import pooled, theta_mixture
from forecast.models.tables import abstain, bookings_in, from_draws, from_means, known_bookings, month_targets
from forecast.seeds import generator
from forecast.wording import plural

if TYPE_CHECKING:
    from forecast.data.known.ledger import KnownState


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


SEASONAL_NAIVE, ETS, ETS_THETA, SUBMITTED = "seasonal-naive", "ets", "ets-theta", "submitted"
FEWEST_MONTHS = 6
"""Complete months below which bookings are not smoothed."""
WINDOW = 72
"""Complete months looked at."""
THETA_WINDOW = 120
"""Complete months that Theta looks at: a straight line is the better known the longer it is."""
_LEARN = 24
"""Past origins whose errors are looked at."""
_FEWEST_SEEN = 12
_SIGMA_PRIOR = 4.0
_WIDTH_PRIOR = 30.0
_MOST_CREDIT = 0.999
"""A forecast on the log scale cannot fall below the shift; credits may be booked beyond it."""


def seasonal_naive(view: KnownState, *, months: int, seed: int = 0) -> NotedTable:
    """Return the bookings of the same month a year before (two, three years before beyond 12 months ahead).

    Quantiles are from the errors the same rule made at past origins. Needs 12 complete months, and that
    every month a year before was recorded from its beginning: what one before that brought is not known, and not 0.
    """
    rng = generator(seed, 11)
    periods, _ = month_targets(view, months)
    past, y = known_bookings(view, complete=True)
    ahead = len(periods)
    if len(past) < PERIOD:
        known = f"{plural(len(past), 'complete month')} {'is' if len(past) == 1 else 'are'} known"
        why = f"seasonal-naive needs the same month a year before: {known}, not 12."
        return abstain(view, model=SEASONAL_NAIVE, months=months, notes=[why])
    # From the last complete month, target j lies j + 1 ahead.
    back = PERIOD * (np.arange(ahead) // PERIOD + 1) - 1 - np.arange(ahead)
    booked, begins = bookings_in(view, periods), view.bookings_complete_from
    y = np.where(past >= begins, y, np.nan)
    mean = np.maximum(y[:, len(past) - 1 - back], booked)
    if not np.isfinite(mean).all():
        since = f"bookings are recorded from {period_label(begins)} on"
        why = f"{SEASONAL_NAIVE} needs the same month a year before: {since}."
        return abstain(view, model=SEASONAL_NAIVE, months=months, notes=[why])
    origins = np.arange(max(back.max(), len(past) - 1 - view.months_settling - _LEARN - ahead), len(past) - 1)
    past_forecasts = y[:, origins[:, None] - back].transpose(1, 0, 2)
    actual = outcomes(settled_only(view, y), origins, ahead)
    draws = draws_from_errors(mean, past_forecasts, actual, floor=booked, rng=rng)
    return from_past_errors(view, model=SEASONAL_NAIVE, mean=mean, draws=draws, periods=periods)


def ets(view: KnownState, *, months: int, seed: int = 0) -> NotedTable:
    """Return exponential smoothing of each segment's bookings: one fixed specification, see `ets` and docs/methods.

    The scale is log(bookings + a segment's typical month), so that months without a booking are points like others.
    The season is expected to be the Total's and shrunk towards it. Mean and median are those of the transformed
    normal, cut at zero; widths are scaled, and segments correlated, as past one-pass forecasts erred. Needs 6 complete
    months; a season shows from 24 on.
    """
    return _smoothing(view, model=ETS, months=months, seed=seed)


def ets_theta(view: KnownState, *, months: int, seed: int = 0) -> NotedTable:
    """Return the mean of the medians of `ets` and of Theta averaged over scales (`theta`), by segment and month.

    The distribution is that of `ets`, moved on the transformed scale until its median is the pool's: the same joint
    draws, shifted, and `mean` is that of the shifted distribution. Needs what `ets` needs.
    """
    return _smoothing(view, model=ETS_THETA, months=months, seed=seed)


def submitted(view: KnownState, *, submitter: str, months: int, seed: int = 0) -> NotedTable:  # noqa: ARG001
    """Return what a submitter forecast: the last submission of the origin's month known by as_of.

    `submissions.counted` says which forecasts count. Totals and quarters are given only where every part was
    submitted; there are no quantiles.
    """
    model = f"{SUBMITTED}-{submitter}"
    recent = view.submitted(since=view.calendar.start(view.period))
    if recent is None:
        why = f"{model} needs the table submitted_forecasts."
        return abstain(view, model=model, months=months, notes=[why])
    periods, _ = month_targets(view, months)
    codes, names = pd.factorize(recent["submitter"])
    mine = np.array([name_key(name) == name_key(submitter) for name in names] + [False])
    rows = recent[mine[codes]]  # the last place is that of rows without a name
    why = ""
    if "category" in recent and not commits(rows):  # else it is among all that are known, too
        known = view.submitted()
        why = "" if known is None else why_none_counts(known) or why_none_counts(rows)
    if why:
        return abstain(view, model=model, months=months, notes=[f"no forecast of {submitter} counts: {why}."])
    rows = counted(rows, calendar=view.calendar)
    segment = pd.Index(view.segments).get_indexer(pd.Index(rows["segment"]))
    place = pd.Index(periods).get_indexer(pd.Index(rows["target"]))
    inside = (segment >= 0) & (place >= 0)
    if not inside.any():
        why = f"{submitter} submitted nothing for the months ahead in the month of the forecast."
        return abstain(view, model=model, months=months, notes=[why])
    mean = np.full((len(view.segments), len(periods)), np.nan)
    mean[segment[inside], place[inside]] = rows["amount"].to_numpy(dtype=np.float64)[inside]
    return NotedTable(table=from_means(view, model=model, mean=mean, periods=periods))


def transform(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return log(y + shift), nan before a series' first booking, and the shift (S,): a typical early month.

    The shift is the mean of the first 12 months from the first booking on that hold one, so that it stays as it is
    when months are added; 1 where nothing was ever booked. A month in which credits outweigh what was booked counts as
    one without a booking.
    """
    started = np.cumsum(y > 0, axis=1)
    early = (y > 0) & (np.cumsum(started > 0, axis=1) <= PERIOD)
    count = early.sum(axis=1)
    shift = np.where(count > 0, (y * early).sum(axis=1) / np.maximum(count, 1), 1.0)
    return np.where(started > 0, np.log(np.maximum(y, 0.0) + shift[:, None]), np.nan), shift


def _smoothing(view: KnownState, *, model: str, months: int, seed: int) -> NotedTable:
    """Return the table of `ets` or `ets-theta`: they differ in the median alone."""
    rng = generator(seed, 12)
    periods, _ = month_targets(view, months)
    past, y = known_bookings(view, complete=True)
    before, long = past[-THETA_WINDOW:], y[:, -THETA_WINDOW:]
    past, y = past[-WINDOW:], y[:, -WINDOW:]
    if len(past) < FEWEST_MONTHS:
        why = f"{model} needs {FEWEST_MONTHS} complete months of bookings: {len(past)} are known."
        return abstain(view, model=model, months=months, notes=[why])
    if not y.any():
        why = f"{model} needs bookings to smooth: nothing was won in any complete month."
        return abstain(view, model=model, months=months, notes=[why])
    ahead, last = len(periods), len(past) - 1
    origins = np.arange(min(max(_FEWEST_SEEN - 1, last - view.months_settling - _LEARN), last), last + 1)
    z, shift = transform(y)
    first_month = int(past[0] % PERIOD)
    path = _smoothed(y, z, origins=origins, ahead=ahead, first_month=first_month)
    covariance, correlation = _widths(path, settled_only(view, z), origins)
    location = path.location[:, -1]
    if model == ETS_THETA:
        theta = theta_mixture(
            np.where(np.isnan(transform(long)[0]), np.nan, np.maximum(long, 0.0)),
            shift,
            origins=np.array([len(before) - 1]),
            ahead=ahead,
            season=path.season[:, -1:],
            first_month=int(before[0] % PERIOD),
        )
        location = pooled(location[:, None], theta, shift=shift)[:, 0]
    alive = np.isfinite(location[:, 0])
    location = np.where(alive[:, None], location, 0.0)
    booked = bookings_in(view, periods)
    spread = np.sqrt(np.einsum("shh->sh", covariance))
    floor = np.maximum(booked, -_MOST_CREDIT * shift[:, None])
    mean = floor + _mean_above(location, spread, shift[:, None] + floor)
    noise = correlated_normals(correlation, covariance, rng=rng)
    draws = np.maximum(np.exp(location + noise) - shift[:, None], floor)
    mean = np.where(alive[:, None], mean, booked)
    draws = np.where(alive[:, None], draws, booked)
    return NotedTable(table=from_draws(view, model=model, draws=draws, periods=periods, mean=mean))


def _smoothed(y: np.ndarray, z: np.ndarray, *, origins: np.ndarray, ahead: int, first_month: int) -> EtsPath:
    """Smooth the Total for its season, then every series with that season as what is expected of its own."""
    season = None
    if len(y) > 1:
        total, _ = transform(y.sum(axis=0, keepdims=True))
        season = ets_path(total, origins=origins, ahead=1, first_month=first_month).season[0]
        # Each segment is part of the Total it is pulled towards.
        season = np.nan_to_num(season) * (1 - 1 / len(y))
    return ets_path(z, origins=origins, ahead=ahead, first_month=first_month, season=season)


def _widths(path: EtsPath, z: np.ndarray, origins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the covariance over months, (S, M, M), at the last origin, and the correlation over segments, (S, S)."""
    ahead = path.location.shape[2]
    target = origins[:, None] + 1 + np.arange(ahead)[None, :]
    came = np.where(target < z.shape[1], z[:, np.minimum(target, z.shape[1] - 1)], np.nan)
    seen = (path.length >= _FEWEST_SEEN)[:, :, None]
    spread = np.sqrt(np.maximum(np.einsum("sohh->soh", path.covariance), 1e-12))
    errors = np.where(seen, (came - path.location) / spread, np.nan)
    squares = np.minimum(errors[np.isfinite(errors)] ** 2, 16.0)
    width = (squares.sum() + _WIDTH_PRIOR) / (len(squares) + _WIDTH_PRIOR)
    # A short series borrows the others' scatter.
    sigma, length = path.sigma[:, -1], path.length[:, -1]
    long = (length >= _FEWEST_SEEN) & (sigma > 0)
    pooled = np.exp(np.log(sigma[long]).mean()) if long.any() else 0.5
    freedom = np.maximum(length - 1, 0)
    borrowed = (freedom * np.nan_to_num(sigma) ** 2 + _SIGMA_PRIOR * pooled**2) / (freedom + _SIGMA_PRIOR)
    ratio = np.where(sigma > 0, borrowed / np.where(sigma > 0, sigma, 1.0) ** 2, 1.0)
    covariance = np.nan_to_num(path.covariance[:, -1]) * (ratio * width)[:, None, None]
    return covariance, shared_correlation(errors[:, :-1, 0].T)


def _mean_above(location: np.ndarray, spread: np.ndarray, strike: np.ndarray) -> np.ndarray:
    """Return the mean of max(exp(Z) - strike, 0) for a normal Z (Black, J. Financial Economics 1976)."""
    spread = np.maximum(spread, 1e-9)
    d = (location - np.log(strike)) / spread
    return np.exp(location + spread**2 / 2) * ndtr(d + spread) - strike * ndtr(d)


def settled_only(view: KnownState, y: np.ndarray) -> np.ndarray:
    """Return a series (S, T) that ends with the last month that is over, nan in the months that have not settled."""
    out = y.copy()
    out[:, max(y.shape[1] - view.months_settling, 0) :] = np.nan
    return out


def outcomes(y: np.ndarray, origins: np.ndarray, ahead: int) -> np.ndarray:
    """Return what was booked in the months after each origin, nan where not known, (origins, segments, ahead)."""
    target = origins[:, None] + 1 + np.arange(ahead)[None, :]
    came = y[:, np.minimum(target, y.shape[1] - 1)]
    return np.where(target < y.shape[1], came, np.nan).transpose(1, 0, 2)


def from_past_errors(
    view: KnownState, *, model: str, mean: np.ndarray, draws: np.ndarray | None, periods: np.ndarray
) -> NotedTable:
    """Return the forecast table of a rule and the draws from its past errors; a note where these are too few (None).

    mean : (segments, M). draws : (n, segments, M), from `draws_from_errors`. periods : (M,), from `month_targets`.
    """
    if draws is not None:
        return NotedTable(table=from_draws(view, model=model, draws=draws, periods=periods, mean=mean))
    why = f"{model}: too few past origins to learn its errors from, so there are no quantiles."
    return NotedTable(table=from_means(view, model=model, mean=mean, periods=periods), notes=(why,))
