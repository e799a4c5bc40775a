"""Any statsmodels time-series model as a forecaster: fitted to each segment's monthly bookings as they were known.

    from statsmodels.tsa.exponential_smoothing.ets import ETSModel
    from forecast.adapters.statsmodels import forecaster

    ets = forecaster(lambda y: ETSModel(y, error="add", trend="add", damped_trend=True), name="damped")
    forecast.backtest(log, origins=origins, models=["ets", ets])

Simple case: the factory makes a model of a segment's series, it is fitted, its forecast is the mean, and paths
simulated from its end give the quantiles. The complications: a month in progress is the first step, and never below
what is booked in it; results that cannot simulate (STLForecast) give means alone; a segment whose fit fails is left
out, with a note; and the width of the Total comes from the same model of the Total's own series, about the sum of the
segments' means.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import QUANTILE_COLUMNS, QUANTILES, TOTAL
from forecast.models.own.model import OwnModel, own_model
from forecast.models.own.series import ahead, monthly_bookings, monthly_leads
from forecast.models.tables import bookings_in, month_targets

FEWEST_MONTHS = 24
"""Months of bookings below which nothing is fitted: a year's pattern shows in two of them."""

DRAWS = 1000


def forecaster(
    factory: Callable[..., Any], *, name: str, leads: int | None = None, window: int = 72, draws: int = DRAWS
) -> OwnModel:
    """Return a forecaster of monthly bookings that fits a statsmodels model to each segment.

    Parameters
    ----------
    factory : makes the model of a series, `factory(y)`; with leads, `factory(y, exog)`. y : a Series of monthly
        bookings with the months' first days as its index; exog : a DataFrame with the column leads on the same index.
        ETSModel, SARIMAX, UnobservedComponents, STLForecast, and whatever else has `fit` and gives `forecast`.
        The series is monthly and stays so: a model of y by quarters is refused, and the quarters of a forecast table
        are the sums of its months, without a range.
    name : what it is called. leads : None, or so many months by which leads come before the bookings they explain; what
        is not known yet of the months ahead is the mean of the last twelve.
    window : the last so many months are fitted. draws : paths simulated, where the results can.

    Returns
    -------
    A model for `models=[…]` of `backtest`, and for `--models` by the name of the module that holds it.

    Raises ParameterError where the name is none.
    """

    def fitted(snap: Snapshot, *, months: int, seed: int) -> pd.DataFrame:
        periods, _ = month_targets(snap, months)
        past = monthly_bookings(snap).iloc[-window:]
        floor = bookings_in(snap.state, periods)
        before, coming = ahead(monthly_leads(snap).iloc[-window:], len(periods), lag=leads or 0)
        targets, rows, failed = snap.targets(months), [], []
        for number, segment in enumerate([*past.columns, TOTAL]):
            whole = segment == TOTAL
            y = past.sum(axis=1) if whole else past[segment]
            least = floor.sum(axis=0) if whole else floor[number]
            columns = [frame.sum(axis=1) if whole else frame[segment] for frame in (before, coming)]
            exog = [column.to_frame("leads") for column in columns] if leads is not None else [None, None]
            try:
                if len(y) < FEWEST_MONTHS:
                    raise ValueError(f"{len(y)} months of bookings, where {FEWEST_MONTHS} are needed")
                rows.append(_rows(factory, y, exog, floor=least, draws=draws, seed=seed).assign(segment=segment))
                rows[-1]["target_period"] = targets
            except Exception as error:
                failed.append(f"{name}: {segment} could not be fitted ({type(error).__name__}: {error}).")
        if not rows and len(past) >= FEWEST_MONTHS:
            raise ValueError(f"no segment could be fitted: {failed[0]}")
        table = _with_total(rows, segments=list(past.columns))
        table.attrs["notes"] = failed
        return table

    return own_model((name, fitted))


def _rows(
    factory: Callable[..., Any], y: pd.Series, exog: list[Any], *, floor: np.ndarray, draws: int, seed: int
) -> pd.DataFrame:
    """Return mean and quantiles of the steps ahead of a series; nothing is below what is booked already."""
    steps, past, coming = len(floor), *exog
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of convergence: the backtest tells what such a fit is worth
        model = factory(y) if past is None else factory(y, past)
        results = model.fit(**({"disp": False} if "disp" in inspect.signature(model.fit).parameters else {}))
        more = {} if coming is None else {"exog": coming}
        forecast = results.forecast(steps, **more)
        _expect_months(forecast, last=y.index[-1])
        mean = np.asarray(forecast, dtype=np.float64)
        paths = _simulated(results, steps, draws=draws, seed=seed, more=more)
    if not np.isfinite(mean).all():
        raise ValueError("its forecast is not finite")
    columns = {"mean": np.maximum(mean, floor)}
    if paths is not None:
        paths = np.maximum(paths, floor[:, None])
        columns |= dict(zip(QUANTILE_COLUMNS, np.quantile(paths, QUANTILES, axis=1), strict=True))
    return pd.DataFrame(columns)


def _expect_months(forecast: Any, *, last: pd.Timestamp) -> None:
    """Raise ValueError where a forecast is of other steps than the months after the last one, such as quarters."""
    index = getattr(forecast, "index", None)
    if not isinstance(index, pd.DatetimeIndex):
        return
    wanted = pd.period_range(last, periods=len(index) + 1, freq="M")[1:]
    if index.freqstr not in (None, "MS", "ME") or list(index.to_period("M")) != list(wanted):
        raise ValueError(
            f"its steps are not the months after {last:%Y-%m} (the first is {index[0]:%Y-%m}, {index.freqstr}); this "
            "adapter takes months only: give the model y as it is, or its last months; quarters are summed from months"
        )


def _simulated(results: Any, steps: int, *, draws: int, seed: int, more: dict[str, Any]) -> np.ndarray | None:
    """Return paths from the end of a series, (steps, draws); None where the results cannot simulate them."""
    if not hasattr(results, "simulate"):
        return None
    rng, known = np.random.default_rng(seed), inspect.signature(results.simulate).parameters
    drawn = {"rng" if "rng" in known else "random_state": rng}
    paths = results.simulate(steps, anchor="end", repetitions=draws, **drawn, **more)
    return np.asarray(paths, dtype=np.float64).reshape(steps, draws)


def _with_total(rows: list[pd.DataFrame], *, segments: list[str]) -> pd.DataFrame:
    """Return the rows of all segments, and the Total's about the sum of their means; not where one is missing."""
    parts = [part for part in rows if part["segment"].iloc[0] != TOTAL]
    own = next((part for part in rows if part["segment"].iloc[0] == TOTAL), None)
    if not parts:
        return pd.DataFrame(columns=["segment", "target_period", "mean"])
    table = pd.concat(parts, ignore_index=True)
    if own is None or len(parts) < len(segments) or QUANTILE_COLUMNS[0] not in own:
        return table
    mean = table.groupby("target_period")["mean"].sum().reindex(own["target_period"]).to_numpy()
    names = ["mean", *QUANTILE_COLUMNS]
    moved = own.assign(**{name: np.maximum(own[name] + mean - own["mean"], 0.0) for name in names})
    return pd.concat([table, moved], ignore_index=True)
