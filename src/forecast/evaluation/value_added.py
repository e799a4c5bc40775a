"""Forecast value added: what each step of the forecasting process adds to the step before, on the same targets.

The ladder goes from what costs nothing (last year's month) over the industry's default (stage-weighted pipeline, with
the deals to come: without them it lacks most of what months ahead bring, and anything beats it) and the models (without
and with marketing, and combined with all others) to what people submit; joint forecasts are held against sales' own as
well. Each step is held against the one before it on the targets that both have, with a paired test of equal accuracy;
over all steps together the tests are held to one level.

Two more questions about people: do they forecast too high or too low (`habits`), and what becomes of the changes they
make to the model's forecast (`adjustments`)? Fildes, Goodwin, Lawrence and Nikolopoulos (2009, Int. J. Forecasting 25)
looked at 60,000 forecasts of four companies: small adjustments and upward ones tended to do harm, large downward ones
to help. Here an adjustment is the submission less the model's forecast of the same target from the month end before,
which people could have had before them. Its direction and size are known on the day it was submitted: nothing of the
outcome decides where it is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from forecast.calendar import parse_periods
from forecast.data.schema import TOTAL
from forecast.errors import DataError, ParameterError
from forecast.evaluation.scores.amounts import ratio
from forecast.evaluation.scores.comparison import FIGURES, compare, diebold_mariano, holm, paired_targets
from forecast.evaluation.scores.scoring import TARGET
from forecast.models.registry import own_among

Steps = Sequence[tuple[str, str]]

LADDER: Steps = (
    ("stage-weighted-future", "seasonal-naive"),
    ("pipeline-sales-only", "stage-weighted-future"),
    ("pipeline", "pipeline-sales-only"),
    ("combined", "pipeline"),
    ("submitted-sales", "pipeline"),
    ("submitted-marketing", "pipeline"),
    ("submitted-joint", "pipeline"),
    ("submitted-joint", "submitted-sales"),
)
"""Each step, and the step before it."""

_PEOPLE = "submitted-"
_BARE, _WEIGHTED, _WITHOUT = "stage-weighted", "stage-weighted-future", "pipeline-sales-only"
COLUMNS = ("step", "before", "lag", *FIGURES, "p_holm")
"""What `value_added` gives."""

CHANGE_COLUMNS = ("submitter", "kind", *FIGURES[:2], "share_better", *FIGURES[2:], "p_holm")
"""What `adjustments` gives."""

SMALL = 0.25
"""Below this share of the model's forecast an adjustment is small."""

KINDS = ("up small", "up large", "down small", "down large")


def value_added(scored: pd.DataFrame, *, ladder: Steps = LADDER, lag: int = 0) -> pd.DataFrame:
    """Return one row a step that the track record has, with what it adds to the step before.

    Parameters
    ----------
    scored : what `score` gave; monthly rows of segments are used (their Total and quarters tell the same twice).
    ladder : each step and the step before it.
    lag : months by which the model's forecast is the older one where the step goes from a model to people. A submission
        counts under the end of the month it was made in. With 0 the model it is compared with knew up to that month
        end, up to a month more than the people. With 1 it is the forecast of the month end before, which they could
        have had before them: where they still lose, the model did not win by knowing more.

    Returns
    -------
    step, before, lag, n (targets both have), months (target months among them), wape_before and wape on those targets,
    added = wape_before - wape (positive = the step helps, in shares of what was booked), statistic, df and p_value of
    `diebold_mariano` on the absolute errors averaged by target month over the segments and horizons both have, and
    p_holm, the p-value corrected for the number of steps tested (`holm`); agreeing, how many of the months differ the
    way that `added` does. Rows are targets both have; a step without any is left out.

    Raises ParameterError where lag is negative.
    """
    if lag < 0:
        raise ParameterError(f"lag: {lag} is negative")
    rows = _months_of_segments(scored)
    out = []
    for step, before in ladder:
        behind = lag if step.startswith(_PEOPLE) and not before.startswith(_PEOPLE) else 0
        pair = paired_targets(rows, step, before, lag=behind)
        if not pair.empty:
            out.append({"step": step, "before": before, "lag": behind, **compare(pair)})
    table = pd.DataFrame(out, columns=list(COLUMNS[:-1]))
    return table.assign(p_holm=holm(table["p_value"]))


def _months_of_segments(scored: pd.DataFrame) -> pd.DataFrame:
    """Return the scored rows of months and segments that have an error."""
    return scored[(scored["span"] == "month") & (scored["segment"] != TOTAL) & scored["error"].notna()]


def skill_tests(scored: pd.DataFrame, *, baseline: str = "ets") -> pd.DataFrame:
    """Return, for every other model, level and lead time of months, whether its errors and the baseline's are apart.

    scored : what `score` gave. Returns model, level, horizon, statistic (positive = more accurate than the baseline),
    df and p_value of `diebold_mariano` on absolute errors averaged by target month, on the targets both have, and
    p_holm: corrected over the lead times of a model and level. NaN with fewer than eight months.
    """
    rows = scored.loc[(scored["span"] == "month") & scored["error"].notna()]
    rows = rows[["model", "level", "horizon", "target_period", "observed", "abs_error"]].assign(
        target=rows.groupby(list(TARGET), sort=False).ngroup()
    )
    parts = dict(iter(rows.groupby(["model", "level", "horizon"], sort=True)))
    out: list[dict[str, object]] = []
    for (model, level, horizon), part in parts.items():
        same = parts.get((baseline, level, horizon))
        if model == baseline or same is None:
            continue
        # as `paired_targets`, by the numbers of targets instead of their four columns
        place = pd.Index(same["target"]).get_indexer(pd.Index(part["target"]))
        both = part[place >= 0]
        pair = both.assign(abs_error_before=same["abs_error"].to_numpy()[place[place >= 0]])
        if not pair.empty:
            out.append({"model": model, "level": level, "horizon": horizon, **compare(pair)})
    table = pd.DataFrame(out, columns=["model", "level", "horizon", "statistic", "df", "p_value"])
    table["p_holm"] = table.groupby(["model", "level"])["p_value"].transform(holm)
    return table


def ladder_of(models: Iterable[str]) -> Steps:
    """Return `LADDER` for the models that made forecasts: whoever else submitted is compared with the model, and so is
    each model of one's own.

    The stage-weighted pipeline stands without the deals to come where there is none with them, and before the model
    where there is none without marketing.
    """
    names = set(models)
    weighted = _BARE if _BARE in names and _WEIGHTED not in names else _WEIGHTED
    instead = {_WEIGHTED: weighted}
    if _WITHOUT not in names:
        instead[_WITHOUT] = weighted
    steps = [(instead.get(step, step), instead.get(before, before)) for step, before in LADDER]
    known = {step for step, _ in LADDER}
    others = [(name, "pipeline") for name in sorted(names) if name.startswith(_PEOPLE) and name not in known]
    others += [(name, "pipeline") for name in sorted(own_among(names))]
    return (*((step, before) for step, before in steps if step != before), *others)


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


def adjustments(scored: pd.DataFrame, *, model: str = "pipeline", small: float = SMALL, lag: int = 1) -> pd.DataFrame:
    """Return how the errors changed where people went up or down from the model, a little or a lot.

    Parameters
    ----------
    scored : what `score` gave; monthly rows of segments are used. Only settled outcomes have an error there.
    model : whose forecast is the one that was changed.
    small : an adjustment |submitted - model| / |model| below this share is small; above 0.
    lag : months by which the model's forecast is older than the month end of the submission's month. With 1, the
        default, it was there before the submission; with 0 the model knew up to a month more than the people.

    Returns
    -------
    One row a submitter and kind (`KINDS`) that occurs, in their order: submitter, kind, n (adjustments), months (target
    months among them), share_better (share whose error is smaller than the model's; a tie counts half), wape_before
    (the model's), wape (the people's), added = wape_before - wape (positive = the adjustments helped), statistic, df
    and p_value of `diebold_mariano` on the absolute errors averaged by target month, NaN below 8 months; p_holm
    corrected for all tests of the table. Months without such an adjustment are passed over as if they were not there.
    Left out: submissions equal to the model's forecast, and those of a model's forecast of 0, which have no size.

    Raises
    ------
    ParameterError : small is not above 0, or lag is negative. DataError : a column of `score` is missing.
    """
    if not small > 0:
        raise ParameterError(f"small: {small} is not above 0")
    if lag < 0:
        raise ParameterError(f"lag: {lag} is negative")
    for name in ("model", "submitter", "segment", "span", "error", "mean"):
        if name not in scored.columns:
            raise DataError("the column is missing", table="scored", column=name, mend="pass what score() returned")
    rows = _months_of_segments(scored)
    out = []
    for submitter in sorted(set(rows["submitter"]) - {""}):
        pair = paired_targets(rows, f"{_PEOPLE}{submitter}", model, lag=lag)
        pair = pair[(pair["mean_before"] != 0) & (pair["mean"] != pair["mean_before"])]
        kinds = kinds_of(pair["mean"].to_numpy(), pair["mean_before"].to_numpy(), small=small)
        for kind in KINDS:
            some = pair[kinds == kind]
            if len(some):
                figures = {"share_better": _share_better(some), **compare(some)}
                out.append({"submitter": submitter, "kind": kind, **figures})
    table = pd.DataFrame(out, columns=list(CHANGE_COLUMNS[:-1]))
    return table.assign(p_holm=holm(table["p_value"]))


def kinds_of(submitted: np.ndarray, model: np.ndarray, *, small: float = SMALL) -> np.ndarray:
    """Return the kind of each adjustment, (n,) of text: its direction, and whether it is below `small` of the model."""
    change = submitted - model
    size = np.abs(change) / np.abs(model)
    return np.where(change > 0, np.where(size < small, KINDS[0], KINDS[1]), np.where(size < small, KINDS[2], KINDS[3]))


def _share_better(pair: pd.DataFrame) -> float:
    gain = (pair["abs_error_before"] - pair["abs_error"]).to_numpy()
    return float(np.mean((gain > 0) + 0.5 * (gain == 0)))
