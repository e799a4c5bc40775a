"""Smoothing of many series from many origins in one pass, alone and pooled, against statsmodels' ETS refitted by AICc.

    python -m benchmarks.accuracy.series [--series 200]

Accuracy: the last 36 points of M1's monthly series (Makridakis et al., J. Forecasting 1982), six months ahead, MASE
scaled by the seasonal naive's error within the 36 points. `ours` is the mixture of `models.ets` on logs, its median;
`theta` the Theta method averaged over smoothing constants and scales, with the season of `ets` on its own scale, and
`pool` their mean (the forecaster `ets-theta`); `statsmodels` the ETS of lowest AICc of six, additive errors on logs,
with or without trend and season.
Speed: 200 series (M1's, repeated where there are fewer) at their last 36 origins; ours, and the pool with ours in it,
in one pass each, medians of three; statsmodels, and statsforecast (compiled; in an environment of its own), on a stated
number of refits, evenly spaced, and scaled to the 7,200.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

from benchmarks.peers.environments import run_peer
from benchmarks.results import record
from forecast.models.baselines.series import transform
from forecast.models.baselines.smoothing import PERIOD, ets_path
from forecast.models.baselines.theta import pooled, theta_mixture

POINTS, AHEAD, ORIGINS, SERIES = 36, 6, 36, 200
REFITS = 48


def m1(least: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the monthly series with `least` points or more: what is known, and the six months to come."""
    folder = Path(os.environ.get("FORECAST_REAL_DATA", Path(__file__).parents[3] / "shared" / "data"))
    table = pd.read_csv(folder / "m1" / "M1_monthly.csv")
    out = []
    for _, one in table.groupby("series", sort=False):
        train, test = (one.loc[one["part"] == part, "value"].to_numpy() for part in ("train", "test"))
        varied = len(train) >= POINTS and np.abs(train[-24:] - train[-36:-12]).sum() > 0
        if len(train) >= least and len(test) >= AHEAD and varied and (train > 0).all():
            out.append((train, test[:AHEAD]))
    return out


def by_aicc(z: np.ndarray) -> np.ndarray:
    """Return statsmodels' forecast of one series of logs, the model of lowest AICc."""
    best, found = np.inf, np.full(AHEAD, z[-1])
    for trend, damped in ((None, False), ("add", False), ("add", True)):
        for seasonal in (None, "add"):
            model = ETSModel(
                pd.Series(z),
                error="add",
                trend=trend,
                damped_trend=damped,
                seasonal=seasonal,
                seasonal_periods=PERIOD if seasonal else None,
            )
            try:
                fitted = model.fit(disp=False)
            except (ValueError, np.linalg.LinAlgError):
                continue
            if np.isfinite(fitted.aicc) and fitted.aicc < best:
                best, found = fitted.aicc, np.asarray(fitted.forecast(AHEAD))
    return found


def peers(series: list[np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Return statsforecast's forecasts of logs, (series, AHEAD) by method, and CPU seconds by method."""
    with tempfile.TemporaryDirectory() as place:
        given, forecasts = Path(place) / "series.parquet", Path(place) / "forecasts.parquet"
        longest = max(len(one) for one in series)
        padded = {str(k): np.r_[np.full(longest - len(one), np.nan), one] for k, one in enumerate(series)}
        pd.DataFrame(padded).to_parquet(given)
        seconds = run_peer("statsforecast", "statsforecast_series.py", str(given), str(forecasts), str(AHEAD))
        table = pd.read_parquet(forecasts).sort_values(["method", "series", "step"])
    found = {
        f"statsforecast {name}": part["value"].to_numpy().reshape(-1, AHEAD) for name, part in table.groupby("method")
    }
    return found, seconds


def with_theta(y: np.ndarray, origins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Theta and the pool of `ets-theta`, (series, O, AHEAD) each, in the unit of y, from every origin."""
    z, shift = transform(y)
    path = ets_path(z, origins=origins, ahead=AHEAD)
    theta = theta_mixture(y, shift, origins=origins, ahead=AHEAD, season=path.season)
    return theta, np.exp(pooled(path.location, theta, shift=shift)) - shift[:, None, None]


def accuracy(count: int) -> list[tuple[str, str, float, str]]:
    """Return MASE of each method on every n-th series of M1."""
    series = m1(POINTS)
    step = max(len(series) // count, 1)
    some = series[::step][:count]
    y, future = np.array([train[-POINTS:] for train, _ in some]), np.array([test for _, test in some])
    scale = np.abs(y[:, PERIOD:] - y[:, :-PERIOD]).mean(axis=1)[:, None]
    z = np.log(y)
    origins = np.array([POINTS - 1])
    theta, pool = with_theta(y, origins)
    forecasts = {
        "seasonal naive": np.log(y[:, -PERIOD:][:, :AHEAD]),
        "ours": ets_path(z, origins=origins, ahead=AHEAD).location[:, 0],
        "theta": np.log(np.maximum(theta[:, 0], 1e-9)),
        "pool": np.log(np.maximum(pool[:, 0], 1e-9)),
        "statsmodels": np.stack([by_aicc(one) for one in z]),
        **peers(list(z))[0],
    }
    case = f"M1 monthly, {len(y)} series"
    return [
        (case, f"MASE {name}", float((np.abs(np.exp(f) - future) / scale).mean()), "") for name, f in forecasts.items()
    ]


def cpu(run: Callable[[], object]) -> float:
    """Return CPU seconds, the median of three runs."""
    times = []
    for _ in range(3):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return float(np.median(times))


def speed() -> list[tuple[str, str, float, str]]:
    """Return CPU seconds of ours, of the pool and of statsmodels for 200 series x 36 origins."""
    longest = [train for train, _ in m1(POINTS + ORIGINS)]
    length = min(len(train) for train in longest)
    y = np.array([longest[k % len(longest)][-length:] for k in range(SERIES)])
    z = np.log(y)
    origins = np.arange(length - ORIGINS, length)

    ours, both = cpu(lambda: ets_path(z, origins=origins, ahead=AHEAD)), cpu(lambda: with_theta(y, origins))
    chosen = np.linspace(0, SERIES * ORIGINS - 1, REFITS).astype(int)
    start = time.process_time()
    for k in chosen:
        by_aicc(z[k // ORIGINS, : origins[k % ORIGINS] + 1])
    theirs = (time.process_time() - start) * SERIES * ORIGINS / REFITS
    case = f"{SERIES} series x {ORIGINS} origins"
    rows = [(case, "CPU ours", ours, "s"), (case, "CPU pool", both, "s")]
    rows += [(case, f"CPU statsmodels, {REFITS} refits scaled", theirs, "s")]
    compiled = peers([z[k // ORIGINS, : origins[k % ORIGINS] + 1] for k in chosen])[1]
    for name, seconds in compiled.items():
        whole = seconds * SERIES * ORIGINS / REFITS
        rows += [(case, f"CPU statsforecast {name}, {REFITS} refits scaled", whole, "s")]
        rows += [(case, f"ratio to statsforecast {name}", whole / ours, "x")]
    return [*rows, (case, "ratio", theirs / ours, "x"), (case, "ratio of the pool", theirs / both, "x")]


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=200)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = [*accuracy(options.series), *speed()]
    for case, measure, value, unit in rows:
        print(f"{case}: {measure} {value:,.4g} {unit}")
    record("series", rows)


if __name__ == "__main__":
    main()
