"""How hard the simulated company is: the oracle's error and that of exponential smoothing on bookings.

    python -m benchmarks.accuracy.hardness --opportunities 20000 --seeds 7001,7002,7003 --step 1

Pooled WAPE over segments, origins and seeds, at horizons 1, 3 and 6. The oracle knows the hidden state. `ets` is
statsmodels' ETS on log bookings, additive errors, with or without a damped trend and a season of twelve, by AICc;
its forecast is the median or the mean of the lognormal, whichever is the better in the table. `mean-12` is the mean of
the last twelve months; `stage-weighted` the CRM's probabilities at the CRM's dates, plus bookings from deals not yet
created at the share they had a year before.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

from benchmarks.seeds import REPORT
from forecast.calendar import period_label
from forecast.simulation import parameters as par
from forecast.simulation.company import Simulation, simulate
from forecast.simulation.pipeline import WON
from forecast.simulation.truth import expected_bookings

HORIZONS = (1, 3, 6)
FIRST = 24
SKIPPED = 6
"""Months at the start, when the first deals were still under way, that the smoothing does not see."""


def ets(bookings: np.ndarray, months: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the median and the mean of the forecast of the next months."""
    logs = pd.Series(np.log(np.maximum(bookings, 0.05 * bookings.mean())))
    best = None
    for season in (None, "add") if len(logs) >= 25 else (None,):
        for damped in (False, True):
            model = ETSModel(
                logs,
                error="add",
                trend="add" if damped else None,
                damped_trend=damped,
                seasonal=season,
                seasonal_periods=12 if season else None,
            )
            try:
                fitted = model.fit(disp=False)
            except (ValueError, np.linalg.LinAlgError):
                continue
            if np.isfinite(fitted.aicc) and (best is None or fitted.aicc < best.aicc):
                best = fitted
    assert best is not None
    median = np.exp(np.asarray(best.forecast(months)))
    return median, median * np.exp(0.5 * float(best.mse))


def stage_weighted(company: Simulation, month: int) -> np.ndarray:
    """Return open amounts times the CRM's probability in the month the CRM expects them; (segments, 6)."""
    history = company.tables["opportunity_history"]
    end = company.truth.clock.month_start[month + 1]
    local = history["recorded_at"].dt.tz_convert(par.TIMEZONE).dt.tz_localize(None)
    known = history[local < np.datetime64(int(end), "D")].drop_duplicates("opportunity_id", keep="last")
    known = known[known["stage"].isin(par.OPEN_STAGES)]
    table = company.tables["opportunities"].set_index("opportunity_id")["segment"]
    segment = known["opportunity_id"].map(table).map({n: g for g, n in enumerate(company.settings.names)}).to_numpy()
    due = known["expected_close_on"].to_numpy().astype("datetime64[M]").astype(int) + 1970 * 12
    ahead = due - company.settings.start_period - month - 1
    value = (known["amount"] * known["probability"]).to_numpy() * company.settings.rates[segment]
    out = np.zeros((company.settings.segments, 6))
    inside = (ahead >= 0) & (ahead < 6)
    np.add.at(out, (segment[inside], ahead[inside]), value[inside])
    return out


def future_bookings(company: Simulation, month: int) -> np.ndarray:
    """Return bookings 1 to 6 months after a year earlier's origin from deals created after it; (segments, 6)."""
    deals = company.truth.pipeline.deals
    won = deals.outcome == WON
    out = np.zeros((company.settings.segments, 6))
    for back in range(7, 19):
        origin = month - back
        ahead = deals.closed_tick // par.TICKS - origin - 1
        use = won & (deals.tick // par.TICKS > origin) & (ahead >= 0) & (ahead < 6)
        np.add.at(out, (deals.segment[use], ahead[use]), deals.closed_amount[use] / 12)
    return out


def track(company: Simulation, step: int, *, with_ets: bool = True) -> pd.DataFrame:
    """Return one row an origin, segment and horizon with the actual and every forecast."""
    settings, actual = company.settings, company.truth.actual
    parts = []
    for month in range(FIRST, settings.months - 6, step):
        oracle = expected_bookings(company, period_label(settings.start_period + month))
        weighted = stage_weighted(company, month) + future_bookings(company, month)
        mean = oracle[oracle["segment"] != "Total"]["mean"].to_numpy().reshape(6, -1).T
        for g in range(settings.segments):
            past = actual[g, SKIPPED : month + 1]
            median, average = ets(past, 6) if with_ets else (np.full(6, np.nan), np.full(6, np.nan))
            forecasts = {
                "oracle": mean[g],
                "ets median": median,
                "ets mean": average,
                "mean-12": np.full(6, past[-12:].mean()),
                "stage-weighted": weighted[g],
            }
            future = {"horizon": np.arange(1, 7), "actual": actual[g, month + 1 : month + 7]}
            parts.append(pd.DataFrame(future | forecasts))
    table = pd.concat(parts)
    return table[table["horizon"].isin(HORIZONS)]


def wape(rows: pd.DataFrame) -> pd.DataFrame:
    """Return pooled WAPE in per cent by horizon."""
    names = [name for name in rows.columns if name not in ("horizon", "actual", "seed")]
    errors = rows[names].sub(rows["actual"], axis=0).abs().groupby(rows["horizon"]).sum()
    return 100.0 * errors.div(rows["actual"].groupby(rows["horizon"]).sum(), axis=0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opportunities", type=int, default=20_000)
    parser.add_argument("--seeds", default=",".join(str(seed) for seed in REPORT[:6]))
    parser.add_argument("--step", type=int, default=1, help="months between origins")
    parser.add_argument("--no-ets", action="store_true", help="leave out the slow part")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    parts = []
    for seed in [int(text) for text in options.seeds.split(",")]:
        clock = time.process_time()
        company = simulate(opportunities=options.opportunities, seed=seed)
        made = time.process_time() - clock
        parts.append(track(company, options.step, with_ets=not options.no_ets).assign(seed=seed))
        one = wape(parts[-1]).loc[1]
        print(
            f"seed {seed}: simulated in {made:.1f} s; h=1 " + one.round(1).to_string().replace("\n", ", "), flush=True
        )
    pooled = wape(pd.concat(parts))
    print(pooled.round(1).to_string())
    best = pooled[["ets median", "ets mean"]].min(axis=1)
    print("ets / oracle: " + ", ".join(f"h={h} {best[h] / pooled.loc[h, 'oracle']:.2f}" for h in HORIZONS))


if __name__ == "__main__":
    main()
