"""Fit Cox models with time-varying covariates, one a cause; print CPU seconds as JSON. Runs in the peer's environment.

    python lifelines_cox.py ROWS.parquet

ROWS: deal, start and stop (age in months), won and lost, one column a covariate. Ridge as the logistic models have it.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import pandas as pd
from lifelines import CoxTimeVaryingFitter


def main() -> None:
    """Fit both causes."""
    warnings.simplefilter("ignore")
    rows = pd.read_parquet(sys.argv[1])
    out: dict[str, float] = {"rows": len(rows), "columns": rows.shape[1] - 5}
    for cause, other in (("won", "lost"), ("lost", "won")):
        start = time.process_time()
        fitter = CoxTimeVaryingFitter(penalizer=1.0 / len(rows))
        fitter.fit(rows.drop(columns=other), id_col="deal", event_col=cause, start_col="start", stop_col="stop")
        out[cause] = time.process_time() - start
    print(json.dumps(out))


if __name__ == "__main__":
    main()
