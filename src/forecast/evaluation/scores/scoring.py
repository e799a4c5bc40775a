"""Keeping score: `score` gives one row a forecast, `summarise` ratios of sums over any grouping of them.

The scores themselves are functions of arrays, in `amounts` and `events`. Two rules: a figure of many
forecasts is a ratio of sums, never a mean of ratios; and two models are compared on the same targets only, with their
number stated.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from forecast.calendar import Calendar, is_quarter, parse_periods
from forecast.data.schema import FORECAST_KEY, QUANTILE_COLUMNS, TOTAL
from forecast.errors import DataError, ParameterError, nearest
from forecast.evaluation.scores.amounts import (
    crps_from_quantiles,
    interval_coverage,
    interval_score,
    mean_pinball,
    pit_from_quantiles,
    ratio,
)

TARGET = ("origin", "target_period", "horizon", "segment")
"""What two forecasts must share to be forecasts of the same thing at the same time."""

INTERVALS = ((50, "q25", "q75"), (80, "q10", "q90"), (95, "q2.5", "q97.5"))
LEAST_STEPS = 6
"""Fewest seasonal-naive errors from which the scale of MASE is taken."""

GROUPS = (*FORECAST_KEY, "level", "span", "submitter")
"""What `summarise` can group by."""

BASELINE = "ets"
_PEOPLE = "submitted-"


def score(
    track: pd.DataFrame,
    *,
    actuals: pd.DataFrame | None = None,
    season: int = 12,
    calendar: Calendar | None = None,
) -> pd.DataFrame:
    """Return one row a forecast whose outcome is known, with its error and every score it can have.

    Parameters
    ----------
    track : a forecast table with `observed` (money); rows whose observed is empty are left out.
    actuals : settled actuals (`period`, `segment`, `amount`) for the scale of MASE; without them the scale comes from
        the `observed` of the track itself, where it reaches back far enough.
    season : months of the seasonal-naive forecast in that scale.
    calendar : the company's, to tell which months had ended at an origin; without it, see `months_ended`.

    Returns
    -------
    The key (model, origin, target_period, horizon, segment), `level` (segment or total), `span` (month or quarter),
    `submitter` (of `submitted-<submitter>`, else empty), `observed`, `mean`, `error` = mean - observed, `abs_error`,
    `scale` (mean absolute seasonal-naive error up to the origin; NaN for quarters and short histories), `pinball`
    (mean over the seven levels), `crps`, `interval50/80/95` (Winkler), `in50/80/95` (0 or 1), `pit`, all in money but
    the last four, and `abstained` (the model gave no number: counted, never scored). NaN where a forecast has no
    quantiles.

    Raises DataError where a column is missing or holds text for a number.

    Examples
    --------
    >>> import forecast
    >>> log = forecast.read("data/sample")
    >>> scored = forecast.score(forecast.backtest(log, origins=["2025-06"], models=["ets"], months=3))
    >>> bool((scored["error"] == scored["mean"] - scored["observed"]).all())
    True
    """
    if season < 1:
        raise ParameterError(f"season: {season} is not 1 or more")
    rows = _with_outcome(track)
    out = rows[list(FORECAST_KEY)].copy()
    out["level"] = np.where(rows["segment"] == TOTAL, "total", "segment")
    out["span"] = np.where(is_quarter(rows["target_period"]), "quarter", "month")
    out["submitter"] = rows["model"].str.removeprefix(_PEOPLE).where(rows["model"].str.startswith(_PEOPLE), "")
    observed, mean = _numbers(rows, "observed").to_numpy(), _numbers(rows, "mean").to_numpy()
    out["observed"], out["mean"] = observed, mean
    out["error"], out["abs_error"] = mean - observed, np.abs(mean - observed)
    out["scale"] = _scale(out, track if actuals is None else actuals, season=season, calendar=calendar)
    return out.assign(**_quantile_scores(rows, observed), abstained=np.isnan(mean))


def common_targets(scored: pd.DataFrame, *, models: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the rows of `models` (default: all there are) on the targets that every one of them has scored."""
    names = sorted(scored["model"].unique()) if models is None else list(models)
    for name in names:
        _check_model(scored, name)
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
    targets that the baseline has too. A ratio to zero is NaN, and so are skill and coverage where nothing was booked at
    all: no miss is a share of nothing, and a range that begins at 0 holds nothing by itself. Rows of different models
    with different `n` were scored on different targets: compare their skill, or take `common_targets` first.

    A quarter is the sum of its months. Where a row sums up both, each sale counts twice and errors that cancel out
    weigh less; `attrs["notes"]` say so. Take `scored[scored["span"] == "month"]`, or group by `span`.

    Raises ParameterError for an unknown column or baseline, naming the nearest, and for a track that is not scored yet.

    Examples
    --------
    >>> import forecast
    >>> log = forecast.read("data/sample")
    >>> track = forecast.backtest(log, origins=["2025-06", "2025-09"], models=["ets", "seasonal-naive"], months=3)
    >>> scored = forecast.score(track)
    >>> months = scored[(scored["span"] == "month") & (scored["level"] == "segment")]
    >>> forecast.summarise(months, by=["model"])[["model", "n", "wape", "skill"]].round(2)
                model   n  wape  skill
    0             ets  72  0.39   0.00
    1  seasonal-naive  72  0.44  -0.12
    """
    if "abs_error" not in scored:
        raise ParameterError("scored: these forecasts are not scored yet; give forecast.score(track)")
    keys = _checked_keys(scored, by)
    if baseline is not None:
        _check_model(scored, baseline)
    total = _summed(_with_baseline(scored, BASELINE if baseline is None else baseline), keys)
    out = total[[*keys, "n", "abstained"]].copy()
    out["observed"] = total["_observed"]
    out["wape"] = ratio(total["_abs_error"], total["_size"])
    out["bias"] = ratio(total["_error"], total["_observed"])
    out["mase"] = ratio(total["_scaled"], total["_scale"])
    for nominal, *_ in INTERVALS:
        inside, size = ratio(total[f"_in{nominal}"], total[f"_n_{nominal}"]), total[f"_size_{nominal}"]
        out[f"coverage{nominal}"] = np.where(size > 0, inside, np.nan)
    for column, ranged in (("pinball", "q"), ("crps", "q"), ("interval80", "80")):
        share = ratio(total[f"_{column}"], total[f"_size_{ranged}"])
        out[column] = np.where(total[f"_n_{ranged}"] > 0, share, np.nan)
    out["n_common"] = total["_n_common"].astype(np.int64)
    anything = total["_size"] > 0
    out["skill"] = np.where(anything, 1 - ratio(total["_abs_error_common"], total["_abs_error_baseline"]), np.nan)
    out["skill_crps"] = np.where(anything, 1 - ratio(total["_crps_common"], total["_crps_baseline"]), np.nan)
    if not {"span", "target_period"} & set(keys) and scored["span"].nunique() > 1:
        out.attrs["notes"] = [MIXED]
    return out


MIXED = (
    "Months and the quarters made of them are summed up together, so that sales count twice: take rows of one span, "
    "scored[scored['span'] == 'month'], or group by span."
)
"""The note of a summary that counts what was booked more than once."""


# -- one row a forecast ----------------------------------------------------------------------------------


def _with_outcome(track: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose outcome is known; a missing column or a forecast that is there twice is refused."""
    missing = [name for name in (*FORECAST_KEY, "mean", "observed") if name not in track.columns]
    if missing:
        mend = nearest(missing[0], [str(name) for name in track.columns])
        raise DataError("the column is missing", table="track", column=missing[0], mend=mend)
    rows = track.loc[_numbers(track, "observed").notna()].reset_index(drop=True)
    doubled = rows.duplicated(["model", *TARGET])
    if doubled.any():
        where = rows.loc[doubled, ["model", *TARGET]].astype(str).agg(" ".join, axis=1).tolist()
        raise DataError("the same forecast stands there twice", table="track", rows=where, mend="keep one of each")
    return rows


def _quantile_scores(rows: pd.DataFrame, observed: np.ndarray) -> dict[str, np.ndarray]:
    """Return the scores of the quantiles by name, each (n,); NaN where a forecast has none."""
    quantiles = np.full((len(rows), len(QUANTILE_COLUMNS)), np.nan)
    for k, name in enumerate(QUANTILE_COLUMNS):
        if name in rows.columns:
            quantiles[:, k] = _numbers(rows, name)
    at = {name: quantiles[:, k] for k, name in enumerate(QUANTILE_COLUMNS)}
    out = {"pinball": mean_pinball(observed, quantiles), "crps": crps_from_quantiles(observed, quantiles)}
    for nominal, low, high in INTERVALS:
        out[f"interval{nominal}"] = interval_score(observed, at[low], at[high], nominal=nominal / 100)
        out[f"in{nominal}"] = interval_coverage(observed, at[low], at[high])
    return {**out, "pit": pit_from_quantiles(observed, quantiles)}


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


# -- the scale of MASE -----------------------------------------------------------------------------------


def _scale(scored: pd.DataFrame, source: pd.DataFrame, *, season: int, calendar: Calendar | None) -> np.ndarray:
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
    row = months_ended(rows, calendar=calendar) - first
    column = history.columns.get_indexer(rows["segment"])
    inside = (row >= 0) & (column >= 0)
    out[months[inside]] = mean[np.minimum(row[inside], span - 1), column[inside]]
    return np.where(out > 0, out, np.nan)


def months_ended(rows: pd.DataFrame, *, calendar: Calendar | None = None) -> np.ndarray:
    """Return the last month that had ended at the origin of each forecast of a month; (n,) periods.

    rows : origin, target_period, horizon. The origin lies in the month `horizon` before the target; that month had
    ended where the origin is its last day. The calendar tells; without one, calendar months do where every origin lies
    in its own, and else (fiscal months of whole weeks) a month counts as ended where none of its forecasts is of the
    month in progress, horizon 0.
    """
    origin, horizon = pd.to_datetime(rows["origin"]), rows["horizon"].to_numpy(dtype=np.int64)
    month = parse_periods(rows["target_period"]) - horizon
    if calendar is None and (Calendar().period_of(origin) == month).all():
        calendar = Calendar()
    if calendar is None:
        ended = ~origin.isin(origin[horizon == 0]).to_numpy()
    else:
        ends = {int(period): calendar.end(int(period)) for period in np.unique(month)}
        ended = (origin == pd.Series(month, index=rows.index).map(ends)).to_numpy()
    return month - np.where(ended, 0, 1)


def _monthly(source: pd.DataFrame) -> pd.DataFrame:
    """Return what was booked: rows periods (int), columns segments and, summed where it is not there, Total."""
    if "amount" in source.columns:
        frame = source[["period", "segment", "amount"]]
    else:
        frame = source[["target_period", "segment", "observed"]].set_axis(["period", "segment", "amount"], axis=1)
        frame = frame[~is_quarter(frame["period"])].dropna(subset=["amount"])
        frame = frame.drop_duplicates(["period", "segment"])
    if frame.empty:
        return pd.DataFrame()
    wide = frame.pivot_table(index="period", columns="segment", values="amount", aggfunc="sum")
    wide.index = pd.Index(parse_periods(wide.index))
    if TOTAL not in wide.columns:
        wide[TOTAL] = wide.sum(axis=1, min_count=wide.shape[1])
    return wide


# -- sums over groups ------------------------------------------------------------------------------------


def _checked_keys(scored: pd.DataFrame, by: Sequence[str]) -> list[str]:
    """Return the columns to group by; what is no column, or is a figure, is refused."""
    keys = [by] if isinstance(by, str) else list(by)
    if not keys:
        raise ParameterError("by: name at least one column, for instance ['model', 'horizon']")
    known = [name for name in scored.columns if name in GROUPS or not pd.api.types.is_float_dtype(scored[name])]
    for name in keys:
        if name not in known:
            raise ParameterError(f"by: {name!r} is not a column to group by; {nearest(str(name), known)}")
    return keys


def _check_model(scored: pd.DataFrame, name: str) -> None:
    models = set(scored["model"])
    if name not in models:
        raise ParameterError(f"no scored forecast of model {name!r}; {nearest(name, models)}")


def _with_baseline(scored: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Add what skill needs: the scores of model and baseline where both are known, NaN elsewhere."""
    base = scored.loc[scored["model"] == baseline, [*TARGET, "abs_error", "crps"]]
    rows = scored.merge(base, on=list(TARGET), how="left", validate="many_to_one", suffixes=("", "_baseline"))
    for name in ("abs_error", "crps"):
        both = rows[name].notna() & rows[f"{name}_baseline"].notna()
        rows[f"{name}_common"], rows[f"{name}_baseline"] = (
            rows[column].where(both) for column in (name, f"{name}_baseline")
        )
    return rows


def _summed(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the sums of what `summarise` divides, by group: n, abstained, and the others with `_` before the name."""
    known_error = rows["error"].notna()
    has_scale = rows["scale"].notna() & known_error
    # A forecaster may have given some quantiles and not others: a range is judged where its two ends are there.
    ranged = {"q": rows["crps"].notna()} | {str(nominal): rows[f"in{nominal}"].notna() for nominal, *_ in INTERVALS}
    size = rows["observed"].abs()
    as_they_are = ("error", "abs_error", "pinball", "crps", "interval80", "in50", "in80", "in95")
    of_both = ("abs_error_common", "abs_error_baseline", "crps_common", "crps_baseline")
    sums = {
        "observed": rows["observed"].where(known_error),
        "size": size.where(known_error),
        "scaled": rows["abs_error"].where(has_scale),
        "scale": rows["scale"].where(has_scale),
        **{f"size_{name}": size.where(there) for name, there in ranged.items()},
        **{f"n_{name}": there.astype(np.int64) for name, there in ranged.items()},
        "n_common": rows["abs_error_common"].notna().astype(np.int64),
        **{name: rows[name] for name in (*as_they_are, *of_both)},
    }
    work = rows[keys].assign(n=known_error.astype(np.int64), abstained=rows["abstained"].astype(np.int64))
    work = work.assign(**{f"_{name}": values.to_numpy() for name, values in sums.items()})
    return work.groupby(keys, observed=True, dropna=False, sort=True).sum().reset_index()
