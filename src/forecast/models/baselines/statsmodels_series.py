"""A second opinion on our smoothing: exponential smoothing and Theta as statsmodels fits them, one series at a time.

Simple case: a segment's monthly bookings, in logs, go into statsmodels, and what it forecasts comes back out of the
logs. The scale is that of `ets`: log(bookings + a typical early month), so that a month without a booking is a point
like others. Three complications:

- Out of logs a forecast is a median. The mean is larger by exp(s^2 / 2), s^2 being the mean squared error in logs of
  the forecasts from past origins, all segments and months ahead together.
- Quantiles come from the errors of the same rule at past origins, as those of the other baselines do. Each past origin
  is a fit of its own; in a walk over many origins a series that was fitted before is not fitted again.
- A series too short to fit (below 12 months, or all months the same) goes on at its mean.

A fit costs some 40 ms of CPU, where our one pass costs some 40 microseconds: these are for comparison, by name.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from forecast.data.schema import NotedTable
from forecast.models.baselines.series import WINDOW, draws_from_errors, from_past_errors, outcomes, transform
from forecast.models.tables import abstain, bookings_in, known_bookings, month_targets
from forecast.seeds import check_seed, generator

if TYPE_CHECKING:
    import pandas as pd

    from forecast.data.known.ledger import KnownState
    from forecast.data.known.snapshot import Snapshot

ETS, THETA = "ets-statsmodels", "theta-statsmodels"
YEAR = 12
FEWEST_MONTHS = 12
"""Complete months below which a series is not fitted."""
FEWEST_SEASON = 24
PAST_ORIGINS = 12
"""Past origins whose errors are looked at; each costs a fit of every segment."""
SEASONS = (None, "add")
"""The pool of `ets_by_aicc`: additive errors and a level, without a season and with one."""
_FLAT = 1e-9

Fit = Callable[[np.ndarray, int], np.ndarray]
"""What forecasts one series: (months,) and the number of months ahead -> (ahead,)."""


def ets_statsmodels(
    snap: Snapshot, *, origins: Sequence[pd.Timestamp], months: int, seed: int = 0
) -> Iterator[NotedTable]:
    """Yield exponential smoothing by statsmodels: the model of lowest AICc of a level without and with a season.

    Needs 12 complete months with a booking among them; a season can show from 24 on. Quantiles need six past origins
    with every month ahead known.
    origins : ascending, at the same position in their month, none after the snapshot's day.
    """
    return _along(snap, model=ETS, fit=ets_by_aicc, origins=origins, months=months, seed=seed)


def theta_statsmodels(
    snap: Snapshot, *, origins: Sequence[pd.Timestamp], months: int, seed: int = 0
) -> Iterator[NotedTable]:
    """Yield statsmodels' Theta, with a season where its test finds one; needs and origins as `ets_statsmodels`."""
    return _along(snap, model=THETA, fit=theta, origins=origins, months=months, seed=seed)


def ets_by_aicc(z: np.ndarray, ahead: int) -> np.ndarray:
    """Forecast one series by statsmodels' `ETSModel`: of the pool, the model of lowest AICc.

    Initial states are statsmodels' heuristic ones, because estimating them too takes ten times as long. Its AICc does
    not count them, which favours a season: on bookings that is right more often than it is wrong (docs/methods).
    z : (months,), at least 12, not all the same. Returns (ahead,).
    """
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    found, lowest = np.full(ahead, z.mean()), np.inf
    for season in SEASONS if len(z) >= FEWEST_SEASON else SEASONS[:1]:
        model = ETSModel(
            z,
            error="add",
            seasonal=season,
            seasonal_periods=YEAR if season else None,
            initialization_method="heuristic",
        )
        fitted = model.fit(disp=False)
        if fitted.aicc < lowest:
            found, lowest = np.asarray(fitted.forecast(ahead)), fitted.aicc
    return found


def theta(z: np.ndarray, ahead: int) -> np.ndarray:
    """Forecast one series by statsmodels' `ThetaModel`, seasonally adjusted by addition where its test says so.

    z : (months,), at least 12, not all the same. Returns (ahead,).
    """
    from statsmodels.tsa.forecasting.theta import ThetaModel

    model = ThetaModel(z, period=YEAR, deseasonalize=len(z) >= FEWEST_SEASON, method="additive")
    return np.asarray(model.fit().forecast(ahead))


def _along(
    snap: Snapshot, *, model: str, fit: Fit, origins: Sequence[pd.Timestamp], months: int, seed: int
) -> Iterator[NotedTable]:
    check_seed(seed)
    fitted: dict[bytes, np.ndarray] = {}

    def fit_once(z: np.ndarray, ahead: int) -> np.ndarray:
        key = z.tobytes()
        if key not in fitted:
            fitted[key] = fit(z, ahead)
        return fitted[key]

    for view in snap.ledger.walk(origins):
        yield _forecast(view, model=model, fit=fit_once, months=months, seed=seed)


def _forecast(view: KnownState, *, model: str, fit: Fit, months: int, seed: int) -> NotedTable:
    rng = generator(seed, {ETS: 17, THETA: 18}[model])
    periods, _ = month_targets(view, months)
    past, bookings = known_bookings(view, complete=True)
    if len(past) < FEWEST_MONTHS:
        why = f"{model} needs {FEWEST_MONTHS} complete months of bookings: {len(past)} are known."
        return abstain(view, model=model, months=months, notes=[why])
    if not bookings.any():
        why = f"{model} needs bookings to smooth: nothing was won in any complete month."
        return abstain(view, model=model, months=months, notes=[why])
    ahead, last = len(periods), len(past) - 1
    # The past origins whose months ahead have all settled, and now.
    newest = last - view.months_settling - ahead
    origins = np.arange(max(FEWEST_MONTHS - 1, newest - PAST_ORIGINS + 1), newest + 1)
    z, shift = transform(bookings)
    with warnings.catch_warnings():
        # A search for alpha that stops at its bound says so; the forecast is as good as any.
        warnings.simplefilter("ignore")
        location = np.stack([_locations(z, origin=int(origin), ahead=ahead, fit=fit) for origin in [*origins, last]])
    actual = outcomes(bookings, origins, ahead)
    factor = _mean_over_median(location[:-1], actual, shift)
    booked = bookings_in(view, periods)
    # A segment that had booked nothing by an origin is expected to book nothing.
    forecast = np.nan_to_num(np.maximum(np.exp(location) * factor - shift[:, None], 0.0))
    mean = np.maximum(forecast[-1], booked)
    draws = draws_from_errors(mean, forecast[:-1], actual, floor=booked, rng=rng)
    return from_past_errors(view, model=model, mean=mean, draws=draws, periods=periods)


def _locations(z: np.ndarray, *, origin: int, ahead: int, fit: Fit) -> np.ndarray:
    """Return the forecasts of every series from one origin, (series, ahead), on the scale of z; nan before its start.

    z : (series, months), leading nan = the series did not exist yet. origin : position of the last month seen.
    """
    out = np.full((len(z), ahead), np.nan)
    for row, series in enumerate(z):
        seen = series[max(0, origin + 1 - WINDOW) : origin + 1]
        seen = seen[np.isfinite(seen)]
        if not len(seen):
            continue
        fits = len(seen) >= FEWEST_MONTHS and seen.std() > _FLAT
        out[row] = fit(seen, ahead) if fits else seen.mean()
    return out


def _mean_over_median(location: np.ndarray, actual: np.ndarray, shift: np.ndarray) -> float:
    """Return exp(s^2 / 2), the mean over the median of a log-normal, s^2 being the mean squared past error in logs.

    location, actual : (origins, series, ahead), in logs and in money; nan = not there. shift : (series,). 1 where
    there is no past error.
    """
    error = np.log(np.maximum(actual, 0.0) + shift[:, None]) - location
    error = error[np.isfinite(error)]
    return float(np.exp(0.5 * (error**2).mean())) if len(error) else 1.0
