"""Forecast value added: what each step of the forecasting process adds to the step before, on the same targets.

The ladder goes from what costs nothing (last year's month) over the industry's default (stage-weighted pipeline) and
the models (without and with marketing) to what people submit. Each step is held against the one before it on the
targets that both have, with a paired test of equal accuracy; over all steps together the tests are held to one level.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from forecast.calendar import parse_periods
from forecast.data.schema import TOTAL
from forecast.errors import DataError, ParameterError
from forecast.evaluation.scores.points import as_floats, ratio
from forecast.evaluation.scores.scoring import TARGET

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

_PEOPLE = "submitted-"
FEWEST = 8
"""Fewest target months for a test: with fewer there are less than four degrees of freedom."""

COLUMNS = (
    "step", "before", "lag", "n", "months", "wape_before", "wape", "added", "statistic", "df", "p_value", "p_holm"
)  # fmt: skip


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


def holm(p_values: Any) -> np.ndarray:
    """Return p-values adjusted so that among all of them a false claim is made with the chance each states; (n,).

    p_(i) -> max over j <= i of min(1, (m - j + 1) p_(j)), m = number of tests made (Holm 1979, Scand. J. Statistics 6).
    NaN, a test that could not be made, stays NaN and is not counted. Raises DataError outside [0, 1].
    """
    p = as_floats(p_values, "p_values").ravel()
    made = np.flatnonzero(~np.isnan(p))
    if ((p[made] < 0) | (p[made] > 1)).any():
        raise DataError("a p-value is not between 0 and 1", column="p_values")
    order = made[np.argsort(p[made], kind="stable")]
    out = np.full(len(p), np.nan)
    out[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1.0)
    return out


def value_added(scored: pd.DataFrame, *, ladder: Mapping[str, str] = LADDER, lag: int = 0) -> pd.DataFrame:
    """Return one row a step that the track record has, with what it adds to the step before.

    Parameters
    ----------
    scored : what `score` gave; monthly rows of segments are used (their Total and quarters tell the same twice).
    ladder : step -> step before.
    lag : months by which the model's forecast is the older one where the step goes from a model to people. A submission
        counts under the end of the month it was made in. With 0 the model beside it knew up to that month end, up to
        a month more than the people. With 1 it is the forecast of the month end before, which they could have had
        before them: where they still lose, the model did not win by knowing more.

    Returns
    -------
    step, before, lag, n (targets both have), months (target months among them), wape_before and wape on those targets,
    added = wape_before - wape (positive = the step helps, in shares of what was booked), statistic, df and p_value of
    `diebold_mariano` on the absolute errors averaged by target month over the segments and horizons both have, and
    p_holm, the p-value corrected for the number of steps tested (`holm`). Rows are targets both have; a step without
    any is left out.

    Raises ParameterError where lag is negative.
    """
    if lag < 0:
        raise ParameterError(f"lag: {lag} is negative")
    rows = of_segments(scored)
    out = []
    for step, before in ladder.items():
        behind = lag if step.startswith(_PEOPLE) and not before.startswith(_PEOPLE) else 0
        pair = beside(rows, step, before, lag=behind)
        if not pair.empty:
            out.append((step, before, behind, *compared(pair)))
    table = pd.DataFrame(out, columns=list(COLUMNS[:-1]))
    return table.assign(p_holm=holm(table["p_value"]))


def of_segments(scored: pd.DataFrame) -> pd.DataFrame:
    """Return the scored rows of months and segments that have an error."""
    return scored[(scored["span"] == "month") & (scored["segment"] != TOTAL) & scored["error"].notna()]


def beside(rows: pd.DataFrame, step: str, before: str, *, lag: int = 0) -> pd.DataFrame:
    """Return the targets of `step` that `before` forecast too, `lag` months earlier: both means and absolute errors.

    rows : of months. Returns the key, observed, mean and abs_error of the step, mean_before and abs_error_before. With
    a lag the last origin in the month `lag` months before the step's stands for that month.
    """
    values = ["mean", "abs_error"]
    now, was = (rows.loc[rows["model"] == name, [*TARGET, "observed", *values]] for name in (step, before))
    if lag == 0:
        return now.merge(was[[*TARGET, *values]], on=list(TARGET), suffixes=("", "_before"), validate="one_to_one")
    keys = ["made_in", "target_period", "segment"]
    now = now.assign(made_in=parse_periods(now["target_period"]) - now["horizon"].to_numpy() - lag)
    was = was.assign(made_in=parse_periods(was["target_period"]) - was["horizon"].to_numpy())
    last = was.sort_values("origin").drop_duplicates(keys, keep="last")
    both = now.merge(last[[*keys, *values]], on=keys, suffixes=("", "_before"), validate="many_to_one")
    return both.drop(columns="made_in")


def compared(pair: pd.DataFrame) -> tuple[int, int, float, float, float, float, int, float]:
    """Return n, months, wape_before, wape, added, statistic, df, p_value of what `beside` gave; at least one row."""
    by_month = pair.assign(t=parse_periods(pair["target_period"])).groupby("t")[["abs_error_before", "abs_error"]]
    losses = by_month.mean()
    test = diebold_mariano(losses["abs_error_before"], losses["abs_error"])
    size = pair["observed"].abs().sum()
    was, now = ratio(pair["abs_error_before"].sum(), size), ratio(pair["abs_error"].sum(), size)
    return len(pair), len(losses), was, now, was - now, test.statistic, test.df, test.p_value


def skill_tests(scored: pd.DataFrame, *, baseline: str = "ets") -> pd.DataFrame:
    """Return, for every other model, level and lead time of months, whether its errors and the baseline's are apart.

    scored : what `score` gave. Returns model, level, horizon, statistic (positive = more accurate than the baseline),
    df and p_value of `diebold_mariano` on absolute errors averaged by target month, on the targets both have, and
    p_holm: corrected over the lead times of a model and level. NaN with fewer than eight months.
    """
    rows = scored[(scored["span"] == "month") & scored["error"].notna()]
    out = []
    for (model, level, horizon), part in rows.groupby(["model", "level", "horizon"], sort=True):
        if model == baseline:
            continue
        same = rows[(rows["model"] == baseline) & (rows["level"] == level) & (rows["horizon"] == horizon)]
        pair = beside(pd.concat([part, same]), str(model), baseline)
        if not pair.empty:
            *_, statistic, df, p_value = compared(pair)
            out.append((model, level, horizon, statistic, df, p_value))
    table = pd.DataFrame(out, columns=["model", "level", "horizon", "statistic", "df", "p_value"])
    table["p_holm"] = table.groupby(["model", "level"])["p_value"].transform(holm)
    return table


def ladder_of(models: Iterable[str]) -> dict[str, str]:
    """Return `LADDER` for the models there are: whoever else submitted stands beside the model.

    `joint` stands beside the model too where there is no `sales`.
    """
    names = sorted(set(models))
    others = {name: "pipeline" for name in names if name.startswith(_PEOPLE) and name not in LADDER}
    if "submitted-sales" not in names:
        others["submitted-joint"] = "pipeline"
    return {**LADDER, **others}


def habits(scored: pd.DataFrame, *, by: Sequence[str] = ("submitter", "horizon")) -> pd.DataFrame:
    """Return how people over- and under-forecast, one row a group.

    The `by` columns; n (segment-months); bias = sum e / sum observed, positive = too high; share_over = share of them
    forecast too high, .5 is no habit; wape; months (target months among them); statistic and p_value of a mean error
    of zero: `diebold_mariano` of the errors averaged by target month against none, NaN below 8 months; p_holm,
    corrected for the number of rows.

    Raises ParameterError for a name of `by` that is not a column of the scores.
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
    errors = rows[[*keys, "error"]].assign(t=parse_periods(rows["target_period"]))
    by_month = errors.groupby([*keys, "t"], sort=True)["error"].mean().groupby(keys, sort=True)
    tests = [diebold_mariano(series, np.zeros(len(series))) for _, series in by_month]
    out["months"] = np.array([test.n for test in tests], dtype=np.int64)
    out["statistic"] = np.array([test.statistic for test in tests], dtype=np.float64)
    out["p_value"] = np.array([test.p_value for test in tests], dtype=np.float64)
    return out.assign(p_holm=holm(out["p_value"]))
