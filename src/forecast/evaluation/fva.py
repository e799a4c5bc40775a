"""Forecast value added: what each step of the forecasting process adds to the step before, on the same targets.

The ladder goes from what costs nothing (last year's month) over the industry's default (stage-weighted pipeline) and
the models (without and with marketing) to what people submit. Each step is held against the one before it on the
targets that both have, with a paired test of equal accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from forecast.calendar import parse_periods
from forecast.data.schema import TOTAL
from forecast.errors import DataError, ParameterError
from forecast.evaluation.scores import TARGET
from forecast.evaluation.scores_points import as_floats, ratio

LADDER: Mapping[str, str] = MappingProxyType(
    {
        "stage-weighted": "seasonal-naive",
        "pipeline-sales-only": "stage-weighted",
        "pipeline": "pipeline-sales-only",
        "submitted-sales": "pipeline",
        "submitted-marketing": "pipeline",
        "submitted-joint": "submitted-sales",
    }
)
"""Step -> the step before it."""

FEWEST = 8
"""Fewest target months for a test: with fewer there are less than four degrees of freedom."""

COLUMNS = ("step", "before", "n", "months", "wape_before", "wape", "added", "statistic", "df", "p_value")


@dataclass(frozen=True)
class PairedTest:
    """statistic ~ t(df) if both are equally accurate; positive = the second is more accurate. p_value two-sided."""

    statistic: float
    df: int
    p_value: float
    mean_difference: float
    n: int


def diebold_mariano(first_loss: Any, second_loss: Any) -> PairedTest:
    """Test whether two forecasts of the same targets are equally accurate; losses in time order, shape (T,).

    The long-run variance of d = first - second is the mean of the first m = floor(T^(1/3)) periodogram ordinates
    (Daniell), and m does not grow in the asymptotics, so that sqrt(T) mean(d) / sigma ~ t(2m): size 4-5 % where the
    usual normal version has 7-23 % (Diebold and Mariano 1995; Coroneo and Iacone 2020, J. Appl. Econometrics 35).

    NaN where T < 8; where the losses never differ the statistic is NaN and the p-value 1.
    """
    first, second = as_floats(first_loss, "first_loss").ravel(), as_floats(second_loss, "second_loss").ravel()
    if first.shape != second.shape:
        raise ParameterError(f"{len(first)} losses beside {len(second)}: a paired test needs the same targets")
    if np.isnan(first).any() or np.isnan(second).any():
        raise DataError("a loss is empty; leave the target out of both", column="first_loss, second_loss")
    d = first - second
    size, nan = len(d), float("nan")
    if size < FEWEST:
        return PairedTest(nan, 0, nan, float(d.mean()) if size else nan, size)
    ordinates = int(np.floor(size ** (1 / 3) + 1e-9))
    spectrum = np.abs(np.fft.rfft(d - d.mean())[1 : ordinates + 1]) ** 2 / size
    variance = float(spectrum.mean())
    if variance <= 1e-24 * max(1.0, float(np.mean(d**2))):
        same = bool(np.allclose(d, 0))
        return PairedTest(nan, 2 * ordinates, 1.0 if same else nan, float(d.mean()), size)
    statistic = float(np.sqrt(size) * d.mean() / np.sqrt(variance))
    p_value = float(2 * stats.t.sf(abs(statistic), 2 * ordinates))
    return PairedTest(statistic, 2 * ordinates, p_value, float(d.mean()), size)


def value_added(scored: pd.DataFrame, *, ladder: Mapping[str, str] = LADDER) -> pd.DataFrame:
    """Return one row a step that the track record has, with what it adds to the step before.

    Parameters
    ----------
    scored : what `score` gave; monthly rows of segments are used (their Total and quarters tell the same twice).
    ladder : step -> step before.

    Returns
    -------
    step, before, n (targets both have), months (target months among them), wape_before and wape on those targets,
    added = wape_before - wape (positive = the step helps, in points of WAPE), statistic, df and p_value of
    `diebold_mariano` on the absolute errors averaged by target month over the segments and horizons both have.

    A submission counts under the month end of the month it was made in, as in the backtest: the models it stands
    beside knew up to that month end, which is up to four weeks more.
    """
    rows = scored[(scored["span"] == "month") & (scored["segment"] != TOTAL) & scored["error"].notna()]
    out = []
    for step, before in ladder.items():
        pair = _pair(rows, step, before)
        if pair.empty:
            continue
        by_month = pair.assign(t=parse_periods(pair["target_period"])).groupby("t")[["abs_error_before", "abs_error"]]
        losses = by_month.mean()
        test = diebold_mariano(losses["abs_error_before"], losses["abs_error"])
        size = pair["observed"].abs().sum()
        was, now = ratio(pair["abs_error_before"].sum(), size), ratio(pair["abs_error"].sum(), size)
        out.append((step, before, len(pair), len(losses), was, now, was - now, test.statistic, test.df, test.p_value))
    return pd.DataFrame(out, columns=list(COLUMNS))


def habits(scored: pd.DataFrame, *, by: Sequence[str] = ("submitter", "horizon")) -> pd.DataFrame:
    """Return how people over- and under-forecast: n, bias (sum e / sum observed), share_over, wape.

    share_over = share of segment-months forecast too high; .5 is no habit.
    """
    of_people = (scored["submitter"] != "") & (scored["segment"] != TOTAL) & (scored["span"] == "month")
    rows = scored[of_people & scored["error"].notna()]
    keys = list(by)
    for name in keys:
        if name not in rows.columns:
            raise ParameterError(f"by: {name!r} is not a column of the scores")
    work = rows[keys].copy()
    work["n"], work["over"] = 1, (rows["error"] > 0).astype(np.int64)
    work["e"], work["a"], work["y"] = rows["error"], rows["abs_error"], rows["observed"]
    total = work.groupby(keys, sort=True).sum().reset_index()
    out = total[[*keys, "n"]].copy()
    out["bias"], out["share_over"] = ratio(total["e"], total["y"]), ratio(total["over"], total["n"])
    out["wape"] = ratio(total["a"], total["y"].abs())
    return out


def _pair(rows: pd.DataFrame, step: str, before: str) -> pd.DataFrame:
    keys = list(TARGET)
    now = rows.loc[rows["model"] == step, [*keys, "observed", "abs_error"]]
    was = rows.loc[rows["model"] == before, [*keys, "abs_error"]]
    return now.merge(was, on=keys, suffixes=("", "_before"), validate="one_to_one")
