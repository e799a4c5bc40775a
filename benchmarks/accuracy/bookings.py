"""How near the forecast is to what can be known, how honest its intervals are, and whether it beats every baseline.

    python -m benchmarks.accuracy.bookings --design                 seeds one may look at while changing a model
    python -m benchmarks.accuracy.bookings --report                 the figures of record; looking uses the seeds up
    python -m benchmarks.accuracy.bookings --sizes 20000 --seeds 2,3,4 --models pipeline,ets --tag trial

Errors are pooled over segments, origins and seeds before any ratio. The ends are fixed: statsmodels' ETS by AICc on log
bookings (the better of its median and mean) and the oracle, see `ends`. Standard errors are jackknifed over seeds.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from benchmarks.accuracy.tracks import MODELS, deals, track
from benchmarks.results import record
from benchmarks.seeds import REPORT
from forecast.data.schema import QUANTILE_COLUMNS, QUANTILES
from forecast.evaluation.scores.amounts import crps_from_quantiles, interval_score
from forecast.evaluation.scores.events import brier, calibration, log_score

H = range(1, 7)
BARS = {20_000: ((0.90, 0.80, 0.62), (0.95, 0.90, 0.75)), 60_000: ((0.93, 0.84, 0.71), (0.97, 0.90, 0.80))}
BARS[200_000] = ((0.70, 0.65, 0.36), (0.85, 0.75, 0.55))
Q = list(QUANTILE_COLUMNS)


def wape(rows: pd.DataFrame, column: str) -> np.ndarray:
    """Return pooled WAPE by horizon 1 to 6."""
    error = (rows[column] - rows["actual"]).abs().groupby(rows["horizon"]).sum()
    return (error / rows["actual"].groupby(rows["horizon"]).sum()).reindex(H).to_numpy()


def jackknife(rows: pd.DataFrame, measure: Callable[[pd.DataFrame], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return a measure of all rows and its standard error over seeds (nan with one seed)."""
    seeds = rows["seed"].unique()
    whole = measure(rows)
    if len(seeds) < 2:
        return whole, np.full_like(whole, np.nan)
    left = np.stack([measure(rows[rows["seed"] != seed]) for seed in seeds])
    return whole, np.sqrt((len(seeds) - 1) / len(seeds) * ((left - left.mean(axis=0)) ** 2).sum(axis=0))


def closed(rows: pd.DataFrame) -> np.ndarray:
    """Return the share of the gap from ETS to the oracle that the forecast closes, by horizon."""
    ends = np.minimum(wape(rows, "ets_median"), wape(rows, "ets_mean"))
    return (ends - wape(rows, "mean")) / (ends - wape(rows, "oracle"))


def bias(rows: pd.DataFrame, column: str) -> np.ndarray:
    """Return sum of errors over sum observed, by horizon."""
    error = (rows[column] - rows["actual"]).groupby(rows["horizon"]).sum()
    return (error / rows["actual"].groupby(rows["horizon"]).sum()).reindex(H).to_numpy()


def coverage(rows: pd.DataFrame, low: str, high: str) -> np.ndarray:
    """Return the share of actuals in the interval, by horizon."""
    inside = (rows["actual"] >= rows[low]) & (rows["actual"] <= rows[high])
    return inside.groupby(rows["horizon"]).mean().reindex(H).to_numpy()


def sharpness(rows: pd.DataFrame, low: str, high: str, nominal: float) -> np.ndarray:
    """Return the mean interval score (Gneiting & Raftery 2007) over the mean actual, by horizon."""
    score = pd.Series(interval_score(rows["actual"], rows[low], rows[high], nominal=nominal), index=rows.index)
    means = score.groupby(rows["horizon"]).mean() / rows["actual"].groupby(rows["horizon"]).mean()
    return means.reindex(H).to_numpy()


def crps(rows: pd.DataFrame) -> np.ndarray:
    """Return CRPS from the seven quantiles over the mean actual, by horizon."""
    score = pd.Series(crps_from_quantiles(rows["actual"], rows[Q].to_numpy(), levels=QUANTILES), index=rows.index)
    means = score.groupby(rows["horizon"]).mean() / rows["actual"].groupby(rows["horizon"]).mean()
    return means.reindex(H).to_numpy()


def _line(name: str, values: np.ndarray, errors: np.ndarray | None = None) -> None:
    shown = [
        f"{v:7.3f}" + ("" if errors is None or np.isnan(e) else f" ±{e:.3f}")
        for v, e in zip(values, values if errors is None else errors, strict=True)
    ]
    print(f"  {name:34s} " + " ".join(shown))


def report_size(rows: pd.DataFrame, size: int, *, giant: bool, more: pd.DataFrame) -> None:
    """Print the tables of one size; `more` are forecasts of `pipeline` for further companies, for coverage alone."""
    models = [name for name in MODELS if name in set(rows["model"])]
    regions = rows[rows["segment"] != "Total"]
    totals = rows[rows["segment"] == "Total"]
    first = regions[regions["model"] == models[0]]
    print(
        f"\n== {size:,} opportunities{', giant deals' if giant else ''}: {rows['seed'].nunique()} companies, "
        f"{first['origin'].nunique()} origins; horizon 1 to 6"
    )
    ours = {name: (regions[regions["model"] == name], totals[totals["model"] == name]) for name in models}
    own, total = ours["pipeline"]
    print(" region-month WAPE")
    for column in ("oracle", "ets_median", "ets_mean"):
        _line({"oracle": "oracle"}.get(column, f"statsmodels {column}"), wape(first, column))
    for name in models:
        _line(name, wape(ours[name][0], "mean"))
    if not giant and own["ets_median"].notna().all():
        _report_gap({name: ours[name][0] for name in models if name.startswith("pipeline")}, size)
    print(" bias of the Total")
    _line("pipeline", *jackknife(total, lambda r: bias(r, "mean")))
    _line("oracle", bias(total, "oracle"))
    covered = pd.concat([rows[rows["model"] == "pipeline"], more])
    print(f" coverage ({covered['seed'].nunique()} companies), and interval score over the mean actual")
    for where, table in (("segments", own), ("Total", total)):
        all_of_them = covered[(covered["segment"] == "Total") == (where == "Total")]
        for nominal, low, high in ((0.8, "q10", "q90"), (0.95, "q2.5", "q97.5")):
            _line(
                f"{where} {nominal:.0%} coverage", *jackknife(all_of_them, lambda r, a=low, b=high: coverage(r, a, b))
            )
            _line(f"{where} {nominal:.0%} score", sharpness(table, low, high, nominal))
            if "ets" in ours:
                _line("   the same of ets", sharpness(ours["ets"][0 if where == "segments" else 1], low, high, nominal))
    print(" CRPS over the mean actual; error of the median over the mean actual (segments)")
    for name in models:
        _line(f"{name} CRPS", crps(ours[name][0]))
        _line(f"{name} median", wape(ours[name][0], "q50"))
    others = [name for name in models if not name.startswith("pipeline")]
    for title, measure in (("WAPE", lambda r: wape(r, "mean")), ("CRPS", crps), ("median", lambda r: wape(r, "q50"))):
        worse = [(name, h) for name in others for h in H if measure(own)[h - 1] > measure(ours[name][0])[h - 1]]
        print(f"  pipeline's {title} is no worse than every baseline's at every horizon: {not worse} {worse or ''}")
    if "pipeline-sales-only" in ours and not giant:
        gain = wape(ours["pipeline-sales-only"][0], "mean") - wape(own, "mean")
        _line("WAPE sales-only less pipeline", gain)


def _report_gap(ours: dict[str, pd.DataFrame], size: int) -> None:
    """Print the share of the gap from ETS to the oracle that our models close, and whether that is what was asked."""
    print(" share of the gap from ETS to oracle closed")
    for name, rows in ours.items():
        _line(name, *jackknife(rows, closed))
    share = closed(ours["pipeline"])
    for label, bar in zip(("floor", "goal"), BARS.get(size, ()), strict=False):
        met = [
            "met" if share[h - 1] >= b else f"missed by {b - share[h - 1]:.2f}"
            for h, b in zip((1, 3, 6), bar, strict=False)
        ]
        print(f"   {label} at 1/3/6 {bar}: {', '.join(met)}")


def figures(rows: pd.DataFrame, size: int, *, giant: bool, more: pd.DataFrame) -> list[tuple[str, str, float, str]]:
    """Return what is recorded of one size: share of the gap closed, bias, coverage, CRPS of each model.

    more : forecasts of `pipeline` for further companies, which the coverage is of too.
    """
    case = f"{size} opportunities{', giant deals' if giant else ''}, {rows['seed'].nunique()} companies"
    segments, total = rows[rows["segment"] != "Total"], rows[rows["segment"] == "Total"]
    own, own_total = segments[segments["model"] == "pipeline"], total[total["model"] == "pipeline"]
    values: dict[str, np.ndarray] = {}
    if not giant:
        values["gap closed"] = closed(own)
    values["bias of the Total"] = bias(own_total, "mean")
    covered = pd.concat([rows[rows["model"] == "pipeline"], more])
    companies = covered["seed"].nunique()
    for nominal, low, high in ((80, "q10", "q90"), (95, "q2.5", "q97.5")):
        for where in ("segments", "Total"):
            part = covered[(covered["segment"] == "Total") == (where == "Total")]
            values[f"{nominal} % coverage of {companies} companies, {where}"] = coverage(part, low, high)
    for name in segments["model"].unique():
        values[f"WAPE of {name}"] = wape(segments[segments["model"] == name], "mean")
        values[f"CRPS of {name}"] = crps(segments[segments["model"] == name])
    return [
        (case, f"{name}, h {h}", float(each[h - 1]), "")
        for name, each in values.items()
        for h in H
        if np.isfinite(each[h - 1])
    ]


def report_deals(rows: pd.DataFrame, size: int) -> None:
    """Print the deal-level figures."""
    print(f"\n== deals of {size:,} opportunities: {rows['seed'].nunique()} companies, {len(rows):,} chances")
    for horizon, part in rows.groupby("horizon"):
        found = calibration(part["won"], part["p"])
        print(f"  within {horizon}: slope {found.slope:.3f} intercept {found.intercept:+.3f};", end=" ")
        for name, score in (("Brier", brier), ("log loss", log_score)):
            values = [
                score(part["won"], part[column].clip(1e-6, 1 - 1e-6)) for column in ("p", "stage_rate", "finer_rate")
            ]
            print(f"{name} {values[0]:.4f} (stage {values[1]:.4f}, stage x age x month {values[2]:.4f})", end="; ")
        print()


def main() -> None:
    """Run, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--design", action="store_true")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--sizes", default="20000")
    parser.add_argument("--seeds", default="")
    parser.add_argument("--giant", action="store_true")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--deals", action="store_true", help="deal level too")
    parser.add_argument("--no-ets", action="store_true", help="leave out statsmodels, for more companies")
    parser.add_argument("--tag", default="now", help="name under which forecasts are cached")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for size in [int(text) for text in options.sizes.split(",")]:
        seeds = [int(text) for text in options.seeds.split(",") if text] or list(range(2, 8))
        further: tuple[int, ...] = ()
        if options.report:
            seeds, further = list(REPORT[:20]), REPORT[20:40] if size < 200_000 else ()

        def tracks(chosen: Sequence[int], models: str, *, with_ets: bool, size: int = size) -> pd.DataFrame:
            parts = [
                track(
                    size, seed, giant=options.giant, tag=options.tag, models=tuple(models.split(",")), with_ets=with_ets
                )
                for seed in chosen
            ]
            return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

        every = tracks(seeds, options.models, with_ets=not (options.no_ets or options.giant))
        more = tracks(further, "pipeline", with_ets=False)
        more = more if len(more) else every.iloc[:0]
        report_size(every, size, giant=options.giant, more=more)
        if options.report:
            record("accuracy", figures(every, size, giant=options.giant, more=more))
        if options.deals:
            report_deals(pd.concat([deals(size, seed, tag=options.tag) for seed in seeds]), size)


if __name__ == "__main__":
    main()
