"""Monthly counts of many short series: level, damped trend, shrunk seasonality, and how long a surprise lasts.

Simple case: a series goes on at its level, times a trend and a season that its whole family shares:
base[i, t] = level_i x trend_t x season_t. The complication is a surprise: what a series shows beyond its base is
smoothed (Brown, *Smoothing, Forecasting and Prediction*, 1963) and carried forward with a weight rho_j for each month
ahead that is learned from all series together: 1 would be a random walk, 0 a return to the base.
The forecasts of every past origin come out of the same pass, so that their errors can be learned from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WINDOW = 36
"""Months that set the level."""

SMOOTHING = (0.1, 0.2, 0.3, 0.45, 0.65, 1.0)
TREND_DAMPING = 0.92
_SEASON_YEARS = 1.0
_SLOPE_SD = 0.015
"""Growth a month (log) that is thought usual: some 20 % a year."""

_RHO_PRIOR = 0.1

_CENTRED_YEAR = np.array([0.5, *[1.0] * 11, 0.5]) / 12
"""Weights of the 13 months about a month in their mean over a year."""


@dataclass(frozen=True, kw_only=True)
class SeriesForecast:
    """Forecasts from every origin.

    mean : shape (series, origins, ahead); origin t has seen months 0..t, `mean[:, t, j]` is for month t + 1 + j.
    base : shape (series, months + ahead). rho : shape (ahead,). alpha : the smoothing chosen.
    """

    mean: np.ndarray
    base: np.ndarray
    rho: np.ndarray
    alpha: float


def forecast_series(counts: np.ndarray, *, ahead: int, month_of_year: np.ndarray) -> SeriesForecast:
    """Forecast a family of monthly series from every origin.

    Parameters
    ----------
    counts : shape (series, months), at least 0. ahead : months to forecast.
    month_of_year : of month 0 onwards, 0 to 11, shape (months + ahead,).

    The base and rho are fitted once to all months; only the smoothed surprise is as of each origin.
    """
    months = counts.shape[1]
    base = series_base(counts, ahead=ahead, month_of_year=month_of_year)
    if months < 2:
        flat = np.stack([base[:, months : months + ahead]] * months, axis=1) if months else base[:, None, :]
        return SeriesForecast(mean=flat, base=base, rho=np.zeros(ahead), alpha=1.0)
    past = base[:, :months]
    surprise = np.where(past > 0, counts / np.where(past > 0, past, 1.0) - 1.0, 0.0)
    smooth = _smoothed(surprise, past)
    rho, error = _carried(smooth, surprise, past, ahead)
    best = int(np.argmin(error))
    alpha, smooth, rho = SMOOTHING[best], smooth[best], rho[best]
    index = np.arange(months)[:, None] + 1 + np.arange(ahead)
    mean = base[:, index] * np.maximum(1.0 + rho * smooth[:, :, None], 0.05)
    return SeriesForecast(mean=mean, base=base, rho=rho, alpha=alpha)


def series_base(counts: np.ndarray, *, ahead: int, month_of_year: np.ndarray) -> np.ndarray:
    """Return level x trend x season of each series, shape (series, months + ahead).

    The level is that of the last 36 months in which the series existed (from its first count on).
    """
    months = counts.shape[1]
    total = counts.sum(axis=0)
    shape = np.exp(_common_trend(total, ahead) + _season(total, month_of_year, ahead))
    existing = np.cumsum(counts, axis=1) > 0
    existing[:, : max(0, months - WINDOW)] = False
    weight = existing * shape[:months]
    level = (counts * existing).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-12)
    return level[:, None] * shape[None, :]


def _common_trend(total: np.ndarray, ahead: int) -> np.ndarray:
    """Return the log trend of the family, shape (months + ahead,): a line as steep as the data insist, then damped.

    Below two years of data a growth looks like a season, or like a log that begins with an empty pipeline.
    """
    months = len(total)
    out = np.zeros(months + ahead)
    first = int(np.argmax(total > 0)) if (total > 0).any() else months
    span = months - max(first, months - 2 * WINDOW)
    if span < 24:
        return out
    y = np.log(np.maximum(total[-span:], 0.5))
    x = np.arange(span) - (span - 1) / 2
    # Least squares on a line and twelve months of the year; what the months explain is taken out first
    # (Frisch & Waugh, *Econometrica* 1, 1933).
    season = np.arange(span) % 12
    n = np.bincount(season)
    x_in, y_in = (each - (np.bincount(season, each) / n)[season] for each in (x, y))
    steepness = float(x_in @ y_in) / float(x_in @ x_in)
    left = y_in - steepness * x_in
    # Neighbouring months err alike, which makes the line look surer than it is.
    variance = float(left @ left) / max(span - 13, 1) / float(x @ x) * 4.0
    slope = steepness * _SLOPE_SD**2 / (_SLOPE_SD**2 + variance)
    out[:months] = slope * (np.arange(months) - (months - 1))
    out[months:] = slope * np.cumsum(TREND_DAMPING ** np.arange(1, ahead + 1))
    return out


def _season(total: np.ndarray, month_of_year: np.ndarray, ahead: int) -> np.ndarray:
    """Return log seasonal factors, shape (months + ahead,), shrunk as far as the months of a kind disagree."""
    months = len(total)
    return season_of(total, month_of_year[:months])[month_of_year[: months + ahead]]


def season_of(total: np.ndarray, month_of_year: np.ndarray) -> np.ndarray:
    """Return the log factor of each month of the year, (12,), mean 0; all 0 below two years of data.

    total, month_of_year : (months,). A centred mean over a year is level and trend; of what is left the mean of each
    month of the year is kept as far as years agree: spread / (spread + noise / years), both by the method of moments.
    """
    months = len(total)
    if months < 24:
        return np.zeros(12)
    y = np.log(np.maximum(total, 0.5))
    # A centred mean over a year (2 x 12) is level and trend; the rest is season and noise.
    padded = np.concatenate([np.full(6, y[:12].mean()), y, np.full(6, y[-12:].mean())])
    rest = y - np.convolve(padded, _CENTRED_YEAR, mode="valid")
    n = np.bincount(month_of_year, minlength=12)
    mean = np.bincount(month_of_year, weights=rest, minlength=12) / np.maximum(n, 1)
    noise = float(((rest - mean[month_of_year]) ** 2).sum()) / max(months - 12, 1)
    spread = max(float(mean.var()) - noise / max(n.mean(), 1), 0.0)
    factor = mean * spread / (spread + noise / np.maximum(n, _SEASON_YEARS)) if spread > 0 else np.zeros(12)
    return np.asarray(factor - factor.mean())


def _smoothed(surprise: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Return the exponentially weighted surprise up to each month, for each smoothing; (smoothings, series, months)."""
    alpha = np.array(SMOOTHING)[:, None]
    out = np.zeros((len(alpha), *surprise.shape))
    level, mass = np.zeros((len(alpha), len(surprise))), np.zeros((len(alpha), 1))
    for t in range(surprise.shape[1]):
        mass = (1 - alpha) * mass + alpha
        level = (1 - alpha) * level + alpha * surprise[:, t]
        out[:, :, t] = level / mass
    return np.where(base > 0, out, 0.0)


def _carried(smooth: np.ndarray, surprise: np.ndarray, base: np.ndarray, ahead: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rho for each smoothing and month ahead, and the squared error pooled; (smoothings, ahead), (smoothings,).

    rho is least squares through 0, shrunk towards 0.
    """
    months = surprise.shape[1]
    rho, error, count = np.zeros((len(smooth), ahead)), np.zeros(len(smooth)), 0
    for j in range(ahead):
        if months - 1 - j < 3:
            rho[:, j] = rho[:, j - 1] if j else 0.0
            continue
        # The first year only sets the smoothing going.
        skip = min(12, (months - 1 - j) // 3)
        then, now = smooth[:, :, skip : months - 1 - j], surprise[:, skip + 1 + j :]
        weight = base[:, skip + 1 + j :]
        xx = np.einsum("ast,ast,st->a", then, then, weight)
        xy = np.einsum("ast,st,st->a", then, now, weight)
        rho[:, j] = np.clip(xy / (xx * (1 + _RHO_PRIOR) + 1e-12), 0.0, 1.0)
        error += float((weight * now**2).sum()) - 2 * rho[:, j] * xy + rho[:, j] ** 2 * xx
        count += 1
    return rho, error / max(count, 1)
