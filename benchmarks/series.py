"""Exponential smoothing of many series from many origins in one pass, beside statsmodels' ETS refitted by AICc.

    python benchmarks/series.py [--series 200]

Accuracy: the last 36 points of M1's monthly series (Makridakis et al., J. Forecasting 1982), six months ahead, MASE
scaled by the seasonal naive's error within the 36 points. `ours` is the mixture of `models.ets`, its median; `theta`
the Theta method (Assimakopoulos & Nikolopoulos 2000, as simple exponential smoothing with half the drift: Hyndman &
Billah 2003) on the mixture's seasonally adjusted logs; `median of 3` the median of ours, theta and the same smoothing
without drift; `statsmodels` the ETS of lowest AICc of six, additive errors on logs, with or without trend and season.
Speed: 200 series (M1's, repeated where there are fewer) at their last 36 origins; ours in one pass, medians of three;
statsmodels, and statsforecast (compiled; in an environment of its own), on a stated number of refits, evenly spaced,
and scaled to the 7,200.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

from forecast.models.ets import PERIOD, ets_path
from peer_environments import run_peer
from results import record

POINTS, AHEAD, ORIGINS, SERIES = 36, 6, 36, 200
REFITS = 48


def m1(least: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the monthly series with `least` points or more: what is known, and the six months to come."""
    folder = Path(os.environ.get("FORECAST_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
    table = pd.read_csv(folder / "m1" / "M1_monthly.csv")
    out = []
    for _, one in table.groupby("series", sort=False):
        train, test = (one.loc[one["part"] == part, "value"].to_numpy() for part in ("train", "test"))
        varied = len(train) >= POINTS and np.abs(train[-24:] - train[-36:-12]).sum() > 0
        if len(train) >= least and len(test) >= AHEAD and varied and (train > 0).all():
            out.append((train, test[:AHEAD]))
    return out


def theta(z: np.ndarray, season: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the Theta forecast and the flat one; z (series, months), season (series, 12) by place; (series, AHEAD)."""
    months = np.arange(z.shape[1])
    x = z - season[:, months % PERIOD]
    centred = months - months.mean()
    slope = (x * centred).sum(axis=1) / (centred**2).sum()
    alphas = np.linspace(0.05, 0.95, 19)
    level = np.repeat(x[:, :1], len(alphas), axis=1)
    squares = np.zeros_like(level)
    for t in range(1, x.shape[1]):
        error = x[:, t, None] - level
        squares += error**2
        level = level + alphas * error
    best = squares.argmin(axis=1)
    alpha, last = alphas[best], level[np.arange(len(x)), best]
    back = season[:, (z.shape[1] + np.arange(AHEAD)) % PERIOD]
    drift = np.arange(AHEAD) + ((1 - (1 - alpha) ** z.shape[1]) / alpha)[:, None]
    return last[:, None] + 0.5 * slope[:, None] * drift + back, last[:, None] + back


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
        given, said = Path(place) / "series.parquet", Path(place) / "forecasts.parquet"
        longest = max(len(one) for one in series)
        padded = {str(k): np.r_[np.full(longest - len(one), np.nan), one] for k, one in enumerate(series)}
        pd.DataFrame(padded).to_parquet(given)
        seconds = run_peer("statsforecast", "statsforecast_series.py", str(given), str(said), str(AHEAD))
        table = pd.read_parquet(said).sort_values(["method", "series", "step"])
    found = {
        f"statsforecast {name}": part["value"].to_numpy().reshape(-1, AHEAD) for name, part in table.groupby("method")
    }
    return found, seconds


def accuracy(count: int) -> list[tuple[str, str, float, str]]:
    """Return MASE of each method on every n-th series of M1."""
    series = m1(POINTS)
    step = max(len(series) // count, 1)
    some = series[::step][:count]
    y, future = np.array([train[-POINTS:] for train, _ in some]), np.array([test for _, test in some])
    scale = np.abs(y[:, PERIOD:] - y[:, :-PERIOD]).mean(axis=1)[:, None]
    z = np.log(y)
    path = ets_path(z, origins=np.array([POINTS - 1]), ahead=AHEAD)
    ours = path.location[:, 0]
    with_drift, flat = theta(z, path.season[:, 0])
    forecasts = {
        "seasonal naive": np.log(y[:, -PERIOD:][:, :AHEAD]),
        "ours": ours,
        "theta": with_drift,
        "median of 3": np.median([ours, with_drift, flat], axis=0),
        "mean of ours and theta": (ours + with_drift) / 2,
        "statsmodels": np.stack([by_aicc(one) for one in z]),
        **peers(list(z))[0],
    }
    case = f"M1 monthly, {len(y)} series"
    return [
        (case, f"MASE {name}", float((np.abs(np.exp(f) - future) / scale).mean()), "") for name, f in forecasts.items()
    ]


def speed() -> list[tuple[str, str, float, str]]:
    """Return CPU seconds of ours and of statsmodels for 200 series x 36 origins."""
    longest = [train for train, _ in m1(POINTS + ORIGINS)]
    length = min(len(train) for train in longest)
    z = np.log(np.array([longest[k % len(longest)][-length:] for k in range(SERIES)]))
    origins = np.arange(length - ORIGINS, length)
    times = []
    for _ in range(3):
        start = time.process_time()
        ets_path(z, origins=origins, ahead=AHEAD)
        times.append(time.process_time() - start)
    ours = float(np.median(times))
    chosen = np.linspace(0, SERIES * ORIGINS - 1, REFITS).astype(int)
    start = time.process_time()
    for k in chosen:
        by_aicc(z[k // ORIGINS, : origins[k % ORIGINS] + 1])
    theirs = (time.process_time() - start) * SERIES * ORIGINS / REFITS
    case = f"{SERIES} series x {ORIGINS} origins"
    rows = [(case, "CPU ours", ours, "s"), (case, f"CPU statsmodels, {REFITS} refits scaled", theirs, "s")]
    compiled = peers([z[k // ORIGINS, : origins[k % ORIGINS] + 1] for k in chosen])[1]
    for name, seconds in compiled.items():
        whole = seconds * SERIES * ORIGINS / REFITS
        rows += [(case, f"CPU statsforecast {name}, {REFITS} refits scaled", whole, "s")]
        rows += [(case, f"ratio to statsforecast {name}", whole / ours, "x")]
    return [*rows, (case, "ratio", theirs / ours, "x")]


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
