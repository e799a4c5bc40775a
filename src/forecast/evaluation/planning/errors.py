"""What an error is: the official forecast of each segment and month less what was booked, and a frozen benchmark's.

One row a segment and target month. The official forecast is `joint` where it was submitted, else `sales`, else the
only submitter there is: that switch is the treatment. The benchmark is `ets` on bookings alone, issued when the people
issued theirs; never a model that sees marketing or the pipeline: joint planning changes what goes into those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.calendar import Calendar, is_quarter, parse_periods, period_label, period_labels
from forecast.data.audit.scope import MEASURES_OTHER, OtherScope, settled_by_month, submitters_of_other_scope
from forecast.data.rates import by_rates
from forecast.data.schema import ERROR_COLUMNS, Log
from forecast.data.submissions import HORIZONS, TABLE, official_forecasts
from forecast.errors import DataError, ParameterError
from forecast.evaluation.backtest import backtest
from forecast.wording import joined

THROUGHOUT = 0.9
"""A horizon belongs to the series where at least this share of the months that could have it does."""

DIVISOR_MONTHS = 12
BENCHMARK = "ets"
_RANGE = {"mean": "benchmark", "q10": "benchmark_low", "q90": "benchmark_high"}
_PERIODS = {"period": "target", "issued": "issued"}
_OFFICIAL_COLUMNS = ("segment", "period", "lead", "submitter", "forecast", "actual", *_RANGE.values(), "issued")


@dataclass(frozen=True, kw_only=True, eq=False)
class PlanningErrors:
    """The errors, and what was left out on the way.

    errors : ERROR_COLUMNS: segment, period (text), error, benchmark_error; both are shares of a month's usual
        bookings, [0, inf). Sorted by segment and period.
    signed : segment, period, value = mean over the series of (forecast - actual) over the same divisor, the same rows;
        positive = over-forecast.
    horizons : the series: the horizons, in months, that the company submits throughout.
    dropped : reason -> how many segment-months were left out for it.
    notes : which segments were left out whole, and why, in half sentences.
    submitters : submitter -> how many of the forecasts used are theirs.
    benchmark_origins : month ends for which the benchmark was computed here because the track had none.
    official : the forecasts used, with what they are compared with: segment, period, lead (months ahead), submitter,
        forecast, actual, benchmark, benchmark_low, benchmark_high (ends of its 80 % range), issued (the month at whose
        end the benchmark was issued).
    """

    errors: pd.DataFrame
    signed: pd.DataFrame
    horizons: tuple[int, ...]
    dropped: dict[str, int]
    notes: tuple[str, ...]
    submitters: dict[str, int]
    benchmark_origins: tuple[str, ...]
    official: pd.DataFrame


def planning_errors(
    log: Log, track: pd.DataFrame | None = None, *, as_of: str | pd.Timestamp | None = None
) -> pd.DataFrame:
    """Return one row a segment and month: segment, period, error, benchmark_error (see `errors_in_detail`).

    `attrs` of the frame carries `dropped` (reason -> segment-months left out), `notes` (segments left out whole, and
    why) and `horizons` (the series).

    Examples
    --------
    >>> import forecast
    >>> errors = forecast.planning_errors(forecast.read("data/sample"))
    >>> list(errors), errors.attrs["horizons"]
    (['segment', 'period', 'error', 'benchmark_error'], [0, 1, 2, 3])
    """
    detail = errors_in_detail(log, track, as_of=as_of)
    out = detail.errors.copy()
    out.attrs.update(dropped=dict(detail.dropped), notes=list(detail.notes), horizons=list(detail.horizons))
    return out


def errors_in_detail(
    log: Log, track: pd.DataFrame | None = None, *, as_of: str | pd.Timestamp | None = None
) -> PlanningErrors:
    """Return the errors of the official forecasts and of the benchmark on the same targets.

    error = mean over the series of |forecast - settled actual| / mean settled actual of that segment over the 12
    months ending in the month. Left out and counted: months whose divisor is not there (the first 11) or zero, months
    in which a series is missing, months without a benchmark; and, with its name, a segment whose official forecasts
    measure something else than what is booked (`data.audit.scope`).

    Parameters
    ----------
    log : with `submitted_forecasts`.
    track : a forecast table with `ets` rows at month ends; what it lacks is computed here.
    as_of : only what was submitted and settled by that day; default the log's last day.

    Raises DataError where no forecasts were submitted, or none is official.
    """
    day = _day(log, as_of)
    actuals = settled_by_month(log, day)
    official = official_forecasts(log, as_of=day)
    official = official[official["target"].isin(actuals.index) & official["segment"].isin(actuals.columns)]
    other_scope = submitters_of_other_scope(log, as_of=day, actuals=actuals)
    official, of_other_scope, notes = _in_scope(official, other_scope)
    first_origin = official.groupby("segment")["origin"].min()
    horizons = _throughout(official, first_origin, last=int(actuals.index.max()) if len(actuals) else 0)
    rows = official[official["horizon"].isin(horizons)].assign(actual=np.nan, divisor=np.nan)
    for at, mine in by_rates(log, rows["submitted_on"]):
        settled = actuals if at is log else settled_by_month(at, day)
        rows.loc[mine, "actual"] = _look_up(settled, rows[mine])
        rows.loc[mine, "divisor"] = _look_up(settled.rolling(DIVISOR_MONTHS).mean(), rows[mine])
    rows, dropped = _complete(rows, horizons, first_origin)
    rows, computed = _with_benchmark(log, track, rows, log.company.periods)
    rows, without_benchmark = _leave_out(rows, rows["benchmark"].isna())
    if without_benchmark:
        dropped["the benchmark gives no forecast"] = without_benchmark
    errors, signed = _means(rows)
    return PlanningErrors(
        errors=errors,
        signed=signed,
        horizons=horizons,
        dropped=of_other_scope | dropped,
        notes=tuple(notes),
        submitters={str(name): int(n) for name, n in rows["submitter"].value_counts().sort_index().items()},
        benchmark_origins=computed,
        official=_named(rows),
    )


def _day(log: Log, as_of: str | pd.Timestamp | None) -> pd.Timestamp:
    """Return the day up to which forecasts and bookings are known: `as_of`, by default the log's last day."""
    day = log.extracted_on if as_of is None else log.company.periods.parse_day(as_of)
    if day > log.extracted_on:
        raise ParameterError(f"as_of {day:%Y-%m-%d} is later than the log's last day, {log.extracted_on:%Y-%m-%d}")
    return day


def _in_scope(official: pd.DataFrame, found: Sequence[OtherScope]) -> tuple[pd.DataFrame, dict[str, int], list[str]]:
    """Return the official forecasts of the segments where none measures something else, and what was left out, why.

    The whole segment goes: before and after must measure the same.
    """
    used = official[["segment", "submitter"]].drop_duplicates()
    pairs = set(used.itertuples(index=False, name=None))
    out = [each for each in found if (each.segment, each.submitter) in pairs]
    dropped = {}
    for name in sorted({each.segment for each in out}):
        submitters = joined(each.submitter for each in out if each.segment == name)
        months = official.loc[official["segment"] == name, "target"].nunique()
        dropped[f"{name}: forecasts of {submitters} {MEASURES_OTHER}"] = int(months)
    rows = official[~official["segment"].isin({each.segment for each in out})]
    if out and rows.empty:
        raise DataError(
            f"{out[0].sentence}, and so it is in every segment",
            table=TABLE,
            column="amount",
            rows=[each.segment for each in out],
            mend="submit amounts of what is booked; `forecast check` lists the months",
        )
    return rows, dropped, [f"{each.sentence}: left out" for each in out]


def _throughout(official: pd.DataFrame, first_origin: pd.Series, *, last: int) -> tuple[int, ...]:
    """Return the horizons submitted throughout, from each segment's first origin to the last target.

    Raises DataError where none is.
    """
    horizons = []
    for horizon in HORIZONS:
        possible = int((last - horizon - first_origin + 1).clip(lower=0).sum())
        submitted = int((official["horizon"] == horizon).sum())
        if possible and submitted >= THROUGHOUT * possible:
            horizons.append(horizon)
    if not horizons:
        raise DataError(
            f"no horizon from {HORIZONS[0]} to {HORIZONS[-1]} months was submitted throughout",
            table=TABLE,
            column="target_period",
            mend="submit at least one horizon every month for every segment",
        )
    return tuple(horizons)


def _complete(
    rows: pd.DataFrame, horizons: tuple[int, ...], first_origin: pd.Series
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the rows of segment-months with a divisor and every horizon, and reason -> segment-months left out."""
    starting = rows["target"] - max(horizons) < rows["segment"].map(first_origin).astype(np.float64)
    reasons = {
        "no divisor: fewer than 12 months of bookings": lambda rows: rows["divisor"].isna(),
        "divisor is zero: nothing booked in 12 months": lambda rows: rows["divisor"] <= 0,
        "before every horizon had begun": lambda rows: _lacks_a_horizon(rows, horizons) & starting[rows.index],
        "a horizon was not submitted": lambda rows: _lacks_a_horizon(rows, horizons),
    }
    dropped = {}
    for reason, applies in reasons.items():
        rows, count = _leave_out(rows, applies(rows))
        if count:
            dropped[reason] = count
    return rows, dropped


def _lacks_a_horizon(rows: pd.DataFrame, horizons: tuple[int, ...]) -> pd.Series:
    return rows.groupby(["segment", "target"])["horizon"].transform("nunique") < len(horizons)


def _leave_out(rows: pd.DataFrame, where: pd.Series) -> tuple[pd.DataFrame, int]:
    """Leave out every row of a segment-month that has one to leave out; return the others and how many months went."""
    months = rows.loc[where, ["segment", "target"]].drop_duplicates()
    if not len(months):
        return rows, 0
    key = pd.MultiIndex.from_frame(rows[["segment", "target"]])
    return rows[~key.isin(pd.MultiIndex.from_frame(months))].copy(), len(months)


def _means(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the errors (ERROR_COLUMNS) and the signed errors (segment, period, value), means over the horizons."""
    signed = (rows["amount"] - rows["actual"]) / rows["divisor"]
    benchmark = (rows["benchmark"] - rows["actual"]).abs() / rows["divisor"]
    sizes = rows.assign(signed=signed, error=signed.abs(), benchmark_error=benchmark)
    means = sizes.groupby(["segment", "target"], sort=True)[["error", "benchmark_error", "signed"]].mean().reset_index()
    errors = pd.DataFrame(
        {
            "segment": means["segment"].astype("str"),
            "period": pd.Series(period_labels(means["target"]), dtype="str"),
            "error": means["error"].astype(np.float64),
            "benchmark_error": means["benchmark_error"].astype(np.float64),
        }
    )[list(ERROR_COLUMNS)]
    return errors, errors[["segment", "period"]].assign(value=means["signed"].astype(np.float64))


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the forecasts used as `PlanningErrors.official` has them."""
    named = rows.rename(columns={"horizon": "lead", "amount": "forecast"})
    periods = {name: pd.Series(period_labels(rows[of]), index=rows.index) for name, of in _PERIODS.items()}
    return named.assign(**periods)[list(_OFFICIAL_COLUMNS)].reset_index(drop=True)


def _look_up(table: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    row, column = table.index.get_indexer(rows["target"]), table.columns.get_indexer(rows["segment"])
    return table.to_numpy(dtype=np.float64)[row, column]


def _with_benchmark(
    log: Log, track: pd.DataFrame | None, rows: pd.DataFrame, calendar: Calendar
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the rows with the forecast of `ets` for each as of the last month end on or before submitted_on.

    And the month ends for which it was computed here, because the track had none.
    """
    in_month = calendar.period_of(rows["submitted_on"])
    ends = {int(period): calendar.end(int(period)) for period in np.unique(in_month)}
    at_end = rows["submitted_on"].to_numpy() == np.array([ends[int(p)].to_datetime64() for p in in_month])
    # A forecast of the month in progress made on its very last day is still compared with one made before it began.
    issued = np.minimum(np.where(at_end, in_month, in_month - 1), rows["target"] - 1)
    wanted = pd.MultiIndex.from_arrays([issued, rows["target"], rows["segment"]])
    known = _track_forecasts(track, calendar)
    missing = np.unique(issued[~wanted.isin(known.index)])
    parts, computed = [known], []
    if len(missing):
        days = {calendar.end(int(period)): int(period) for period in missing}
        months = int((rows["target"].to_numpy() - issued).max())
        table = backtest(log, origins=list(days), models=[BENCHMARK], months=months, seed=0)
        table = table[~is_quarter(table["target_period"]) & table["mean"].notna()]
        parts.append(_by_target(table, table["origin"].map(days).to_numpy(dtype=np.int64)))
        computed = [period_label(days[day]) for day in sorted(set(table["origin"]))]
    forecasts = pd.concat([part for part in parts if len(part)] or parts[:1])
    forecasts = forecasts[~forecasts.index.duplicated()].reindex(wanted)
    found = {name: forecasts[name].to_numpy(dtype=np.float64) for name in _RANGE.values()}
    return rows.assign(issued=issued, **found), tuple(computed)


def _track_forecasts(track: pd.DataFrame | None, calendar: Calendar) -> pd.DataFrame:
    if track is None or track.empty:
        return _by_target(pd.DataFrame(columns=["model", "origin", "target_period", "segment", "mean"]), [])
    for name in ("model", "origin", "target_period", "segment", "mean"):
        if name not in track.columns:
            raise DataError("the column is missing", table="track", column=name, mend="give a forecast table")
    rows = track[(track["model"] == BENCHMARK) & ~is_quarter(track["target_period"])]
    rows = rows[rows["mean"].notna()]
    origin = pd.to_datetime(rows["origin"])
    period = calendar.period_of(origin)
    ends = {int(p): calendar.end(int(p)) for p in np.unique(period)}
    at_end = np.array([day == ends[int(p)] for day, p in zip(origin, period, strict=True)], dtype=bool)
    return _by_target(rows[at_end], period[at_end])


def _by_target(rows: pd.DataFrame, period: Sequence[int] | np.ndarray) -> pd.DataFrame:
    """Return the mean and the 80 % range of a forecast table, NaN where it has none, by origin, target and segment."""
    keys = [np.asarray(period, dtype=np.int64), parse_periods(rows["target_period"]), rows["segment"].astype("str")]
    columns = {new: rows[name].to_numpy(dtype=np.float64) if name in rows else np.nan for name, new in _RANGE.items()}
    return pd.DataFrame(columns, index=pd.MultiIndex.from_arrays(keys))
