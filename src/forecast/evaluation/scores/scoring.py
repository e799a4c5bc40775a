"""Keeping score: `score` gives one row a forecast, `summarise` ratios of sums over any grouping of them.

The scores themselves are functions of arrays (`scores_points`, `scores_quantiles`, `scores_events`) and can be called
from here. Two rules: a figure of many forecasts is a ratio of sums, never a mean of ratios; and two models are
compared on the same targets only, with their number stated.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from forecast.calendar import parse_periods
from forecast.data.schema import FORECAST_KEY, QUANTILE_COLUMNS, TOTAL
from forecast.errors import DataError, ParameterError, nearest
from forecast.evaluation.scores.events import auc, brier, brier_decomposition, calibration, log_score
from forecast.evaluation.scores.points import (
    bias,
    mae,
    mase,
    naive_scale,
    ratio,
    relative_error,
    rmsse,
    skill,
    smape,
    wape,
)
from forecast.evaluation.scores.quantiles import (
    crps_from_quantiles,
    interval_coverage,
    interval_score,
    mean_pinball,
    pinball,
    pit_from_quantiles,
)

__all__ = [
    "auc",
    "bias",
    "brier",
    "brier_decomposition",
    "calibration",
    "common_targets",
    "crps_from_quantiles",
    "interval_coverage",
    "interval_score",
    "log_score",
    "mae",
    "mase",
    "mean_pinball",
    "naive_scale",
    "pinball",
    "pit_from_quantiles",
    "relative_error",
    "rmsse",
    "score",
    "skill",
    "smape",
    "summarise",
    "wape",
]

TARGET = ("origin", "target_period", "horizon", "segment")
"""What two forecasts must share to be forecasts of the same thing at the same time."""

INTERVALS = ((50, "q25", "q75"), (80, "q10", "q90"), (95, "q2.5", "q97.5"))
LEAST_STEPS = 6
"""Fewest seasonal-naive errors from which the scale of MASE is taken."""

GROUPS = (*FORECAST_KEY, "level", "span", "submitter")
"""What `summarise` can group by."""

BASELINE = "ets"


def score(track: pd.DataFrame, *, actuals: pd.DataFrame | None = None, season: int = 12) -> pd.DataFrame:
    """Return one row a forecast whose outcome is known, with its error and every score it can have.

    Parameters
    ----------
    track : a forecast table with `observed` (money); rows whose observed is empty are left out.
    actuals : settled actuals (`period`, `segment`, `amount`) for the scale of MASE; without them the scale comes from
        the `observed` of the track itself, where it reaches back far enough.
    season : months of the seasonal-naive forecast in that scale.

    Returns
    -------
    The key (model, origin, target_period, horizon, segment), `level` (segment or total), `span` (month or quarter),
    `submitter` (of `submitted-<submitter>`, else empty), `observed`, `mean`, `error` = mean - observed, `abs_error`,
    `scale` (mean absolute seasonal-naive error up to the origin; NaN for quarters and short histories), `pinball`
    (mean over the seven levels), `crps`, `interval50/80/95` (Winkler), `in50/80/95` (0 or 1), `pit`, all in money but
    the last four, and `abstained` (the model gave no number: counted, never scored). NaN where a forecast has no
    quantiles.

    Raises DataError where a column is missing or holds text for a number.
    """
    if season < 1:
        raise ParameterError(f"season: {season} is not 1 or more")
    missing = [name for name in (*FORECAST_KEY, "mean", "observed") if name not in track.columns]
    if missing:
        raise DataError(
            "the column is missing",
            table="track",
            column=missing[0],
            mend=nearest(missing[0], [str(name) for name in track.columns]),
        )
    rows = track.loc[_numbers(track, "observed").notna()].reset_index(drop=True)
    duplicated = rows.duplicated(["model", *TARGET])
    if duplicated.any():
        where = rows.loc[duplicated, ["model", *TARGET]].astype(str).agg(" ".join, axis=1).tolist()
        raise DataError("the same forecast stands there twice", table="track", rows=where, mend="keep one of each")
    out = rows[list(FORECAST_KEY)].copy()
    out["level"] = np.where(rows["segment"] == TOTAL, "total", "segment")
    out["span"] = np.where(rows["target_period"].str.startswith("FY"), "quarter", "month")
    submitted = rows["model"].str.startswith("submitted-")
    out["submitter"] = rows["model"].str.removeprefix("submitted-").where(submitted, "")
    y, mean = _numbers(rows, "observed").to_numpy(), _numbers(rows, "mean").to_numpy()
    out["observed"], out["mean"] = y, mean
    out["error"], out["abs_error"] = mean - y, np.abs(mean - y)
    out["scale"] = _scale(out, track if actuals is None else actuals, season)
    q = np.full((len(rows), len(QUANTILE_COLUMNS)), np.nan)
    for k, name in enumerate(QUANTILE_COLUMNS):
        if name in rows.columns:
            q[:, k] = _numbers(rows, name)
    out["pinball"], out["crps"] = mean_pinball(y, q), crps_from_quantiles(y, q)
    at = {name: q[:, k] for k, name in enumerate(QUANTILE_COLUMNS)}
    for nominal, low, high in INTERVALS:
        out[f"interval{nominal}"] = interval_score(y, at[low], at[high], nominal=nominal / 100)
        out[f"in{nominal}"] = interval_coverage(y, at[low], at[high])
    out["pit"] = pit_from_quantiles(y, q)
    out["abstained"] = np.isnan(mean)
    return out


def common_targets(scored: pd.DataFrame, *, models: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the rows of `models` (default: all there are) on the targets that every one of them has scored."""
    names = sorted(scored["model"].unique()) if models is None else list(models)
    for name in names:
        _known_model(scored, name)
    rows = scored[scored["model"].isin(names) & scored["error"].notna()]
    count = rows.groupby(list(TARGET), observed=True)["model"].transform("nunique")
    return rows[count == len(set(names))].reset_index(drop=True)


def summarise(scored: pd.DataFrame, *, by: Sequence[str], baseline: str | None = None) -> pd.DataFrame:
    """Return one row a group of scored forecasts, every figure a ratio of sums.

    Parameters
    ----------
    scored : what `score` returned.
    by : columns to group by, of `GROUPS` or any other column of `scored` that is no figure.
    baseline : the model that skill is measured against; default `ets` where it is there.

    Returns
    -------
    The `by` columns; `n` forecasts scored; `abstained` forecasts that gave no number; `observed` (money, summed);
    `wape`, `bias`; `mase` = sum|e| / sum of scales; `coverage50/80/95`; `pinball`, `crps`, `interval80` as shares of
    sum|observed|; `n_common`, `skill` and `skill_crps` = 1 - score / score of the baseline, both on the `n_common`
    targets that the baseline has too. A ratio to zero is NaN. Rows of different models with different `n` were scored
    on different targets: compare their skill, or take `common_targets` first.

    Raises ParameterError for an unknown column or baseline, naming the nearest.
    """
    keys = [by] if isinstance(by, str) else list(by)
    if not keys:
        raise ParameterError("by: name at least one column, for instance ['model', 'horizon']")
    known = [name for name in scored.columns if name in GROUPS or not pd.api.types.is_float_dtype(scored[name])]
    for name in keys:
        if name not in known:
            raise ParameterError(f"by: {name!r} is not a column to group by; {nearest(str(name), known)}")
    name = BASELINE if baseline is None else baseline
    if baseline is not None:
        _known_model(scored, baseline)
    rows = _beside_baseline(scored, name)
    known_error = rows["error"].notna()
    work = rows[keys].copy()
    work["n"], work["abstained"] = known_error.astype(np.int64), rows["abstained"].astype(np.int64)
    size = rows["observed"].abs()
    has_q, has_scale = rows["crps"].notna(), rows["scale"].notna() & known_error
    sums = {
        "observed": rows["observed"].where(known_error),
        "size": size.where(known_error),
        "error": rows["error"],
        "abs_error": rows["abs_error"],
        "scaled": rows["abs_error"].where(has_scale),
        "scale": rows["scale"].where(has_scale),
        "size_q": size.where(has_q),
        "n_q": has_q.astype(np.int64),
        **{name: rows[name] for name in ("pinball", "crps", "interval80", "in50", "in80", "in95")},
        **{name: rows[name] for name in ("n_common", "e", "e0", "c", "c0")},
    }
    for column, values in sums.items():
        work[f"_{column}"] = values.to_numpy()
    total = work.groupby(keys, observed=True, dropna=False, sort=True).sum().reset_index()
    out = total[[*keys, "n", "abstained"]].copy()
    out["observed"] = total["_observed"]
    out["wape"] = ratio(total["_abs_error"], total["_size"])
    out["bias"] = ratio(total["_error"], total["_observed"])
    out["mase"] = ratio(total["_scaled"], total["_scale"])
    for nominal, *_ in INTERVALS:
        out[f"coverage{nominal}"] = ratio(total[f"_in{nominal}"], total["_n_q"])
    for column in ("pinball", "crps", "interval80"):
        out[column] = np.where(total["_n_q"] > 0, ratio(total[f"_{column}"], total["_size_q"]), np.nan)
    out["n_common"] = total["_n_common"].astype(np.int64)
    out["skill"] = 1 - ratio(total["_e"], total["_e0"])
    out["skill_crps"] = 1 - ratio(total["_c"], total["_c0"])
    return out


def _beside_baseline(scored: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Add what skill needs: the errors of model and baseline where both are known, NaN elsewhere."""
    base = scored.loc[scored["model"] == baseline, [*TARGET, "abs_error", "crps"]]
    base = base.rename(columns={"abs_error": "_e0", "crps": "_c0"})
    rows = scored.merge(base, on=list(TARGET), how="left", validate="many_to_one")
    both, both_q = rows["abs_error"].notna() & rows["_e0"].notna(), rows["crps"].notna() & rows["_c0"].notna()
    rows["n_common"] = both.astype(np.int64)
    rows["e"], rows["e0"] = rows["abs_error"].where(both), rows["_e0"].where(both)
    rows["c"], rows["c0"] = rows["crps"].where(both_q), rows["_c0"].where(both_q)
    return rows


def _known_model(scored: pd.DataFrame, name: str) -> None:
    models = set(scored["model"])
    if name not in models:
        raise ParameterError(f"no scored forecast of model {name!r}; {nearest(name, models)}")


def _numbers(frame: pd.DataFrame, column: str) -> pd.Series:
    try:
        return pd.to_numeric(frame[column], errors="raise").astype(np.float64)
    except (TypeError, ValueError) as error:
        text = pd.to_numeric(frame[column], errors="coerce").isna() & frame[column].notna()
        raise DataError(
            "holds text where a number is wanted",
            table="track",
            column=column,
            rows=np.flatnonzero(text).tolist(),
            mend="give numbers, or leave it empty",
        ) from error


def _scale(scored: pd.DataFrame, source: pd.DataFrame, season: int) -> np.ndarray:
    """Return the mean absolute seasonal-naive error of each row's segment over the months ended by its origin."""
    out = np.full(len(scored), np.nan)
    history = _monthly(source)
    months = np.flatnonzero(scored["span"] == "month")
    if not len(months) or history.empty:
        return out
    first = int(history.index.min())
    span = int(history.index.max()) - first + 1
    table = history.reindex(range(first, first + span)).to_numpy()
    steps = np.full(table.shape, np.nan)
    steps[season:] = np.abs(table[season:] - table[:-season])
    count = np.cumsum(np.isfinite(steps), axis=0)
    mean = np.where(count >= LEAST_STEPS, np.nancumsum(steps, axis=0) / np.maximum(count, 1), np.nan)
    rows = scored.iloc[months]
    # The last month that had ended: the origin's own month only when the origin is its last day.
    ended = pd.to_datetime(rows["origin"]).dt.is_month_end.to_numpy()
    last = parse_periods(rows["target_period"]) - rows["horizon"].to_numpy() - np.where(ended, 0, 1)
    column = history.columns.get_indexer(rows["segment"])
    at = last - first
    inside = (at >= 0) & (column >= 0)
    out[months[inside]] = mean[np.minimum(at[inside], span - 1), column[inside]]
    return np.where(out > 0, out, np.nan)


def _monthly(source: pd.DataFrame) -> pd.DataFrame:
    """Return what was booked: rows periods (int), columns segments and, summed where it is not there, Total."""
    if "amount" in source.columns:
        frame = source[["period", "segment", "amount"]]
    else:
        frame = source[["target_period", "segment", "observed"]].set_axis(["period", "segment", "amount"], axis=1)
        frame = frame[~frame["period"].str.startswith("FY")].dropna(subset=["amount"])
        frame = frame.drop_duplicates(["period", "segment"])
    if frame.empty:
        return pd.DataFrame()
    wide = frame.pivot_table(index="period", columns="segment", values="amount", aggfunc="sum")
    wide.index = pd.Index(parse_periods(wide.index))
    if TOTAL not in wide.columns:
        wide[TOTAL] = wide.sum(axis=1, min_count=wide.shape[1])
    return wide
