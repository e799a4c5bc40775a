"""Forecast many series with AutoETS and the optimised Theta; print CPU seconds as JSON. Runs in the peer's environment.

    python statsforecast_series.py SERIES.parquet FORECASTS.parquet AHEAD

SERIES: one column a series, as long as the longest, empty places first. FORECASTS: columns series, method, step, value.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import numpy as np
import pandas as pd
from statsforecast.models import AutoETS, OptimizedTheta


def main() -> None:
    """Fit and forecast each series with both."""
    warnings.simplefilter("ignore")
    table, ahead = pd.read_parquet(sys.argv[1]), int(sys.argv[3])
    series = [column.dropna().to_numpy() for _, column in table.items()]
    methods = {"AutoETS": AutoETS(season_length=12), "optimised Theta": OptimizedTheta(season_length=12)}
    seconds, rows = {}, []
    for name, method in methods.items():
        for y in series[:3]:
            method.forecast(y=y, h=ahead)  # compiles
        start = time.process_time()
        forecasts = [method.forecast(y=y, h=ahead)["mean"] for y in series]
        seconds[name] = time.process_time() - start
        values = np.stack(forecasts)
        place = np.indices(values.shape)
        rows.append(
            pd.DataFrame(
                {"series": place[0].ravel(), "step": place[1].ravel(), "value": values.ravel(), "method": name}
            )
        )
    pd.concat(rows).to_parquet(sys.argv[2])
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
