"""Models of one's own beside the forecasts of a month's track record: their rows, scores and steps.

Simple case: none is asked for, and the tables are the month's. Else they make the same past forecasts, are scored on
the same settled outcomes, and each is a step after `pipeline` on the targets both have. What the month says of its own
forecasts stays as it is, on every page: their tests are theirs. The tests of models of one's own are corrected for
everything that is tested on page 04 and for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from forecast.data.known.snapshot import snapshot
from forecast.data.schema import Log
from forecast.evaluation import questions
from forecast.evaluation.backtest import backtest
from forecast.evaluation.scores.scoring import BASELINE
from forecast.evaluation.value_added import ladder_of, value_added
from forecast.models.registry import own_among
from forecast.reporting.month import tables
from forecast.reporting.month.results import Results

FIRST = "pipeline"
"""What each model of one's own is a step after."""


def record_with(
    models: Sequence[str],
    log: Log,
    *,
    as_of: str | pd.Timestamp,
    months: int = 6,
    seed: int = 0,
    results: Results | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the tables `backtest`, `scores` and `value_added` of a month, those of models of one's own below.

    Parameters
    ----------
    models : their names, as `forecaster` takes them (`package.module:function`, or an entry point); none is the
        month's own record.
    log, as_of, months, seed, results : as `tables.table` takes them. The tables with models of one's own are written
        as `backtest_with_own`, `scores_with_own` and `value_added_with_own`.

    Raises
    ------
    ParameterError : a name is none, is one of ours, or is there twice. ModelError : a model failed.
    """
    results = Results("") if results is None else results
    month: dict[str, Any] = {"as_of": as_of, "months": months, "seed": seed, "results": results}
    ours = {name: tables.table(name, log, **month) for name in ("backtest", "scores", "value_added")}
    if not models:
        return ours["backtest"], ours["scores"], ours["value_added"]
    snap = snapshot(log, as_of=as_of)
    days = tables.origins(log, as_of=snap.as_of)
    own = backtest(log, origins=days, models=list(models), months=months, seed=seed)
    own = own.assign(observed=own["observed"].where(tables.settled_by(log, snap.as_of, own["target_period"])))
    names = own_among(own["model"])
    track = _below(ours["backtest"], own)
    scored = tables.scored_by(log, snap.as_of, track)
    beside = scored[scored["model"].isin([*names, BASELINE])]
    scores = tables.scores_of(beside, own.attrs.get("notes", []))
    scores = scores[scores["model"].isin(names)]
    if "by_rep" in ours["scores"]:
        scores = scores.assign(by_rep=False)
    ladder = [step for step in ladder_of([*names, FIRST]) if step[0] in names]
    made = _steps(scored, value_added(scored, ladder=ladder, lag=1), log, ours["value_added"], month)
    return (
        results.write("backtest_with_own", track),
        results.write("scores_with_own", _below(ours["scores"], scores)),
        results.write("value_added_with_own", _below(ours["value_added"], made)),
    )


def _steps(
    scored: pd.DataFrame, own: pd.DataFrame, log: Log, steps: pd.DataFrame, month: dict[str, Any]
) -> pd.DataFrame:
    """Return the steps of models of one's own, with p-values corrected over all that is tested on the page."""
    people, changes, worth = (tables.table(name, log, **month) for name in ("habits", "adjustments", "overrides"))
    every = _below(steps, own)
    found = questions.of_record(scored, every, people, changes, worth)
    return questions.with_page(every, found, "step").iloc[len(steps) :]


def _below(ours: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """Return two tables one below the other, with the columns of the first."""
    parts = [part for part in (ours, own.reindex(columns=ours.columns)) if len(part)]
    return pd.concat([part.astype(ours.dtypes.to_dict()) for part in parts], ignore_index=True) if parts else ours
