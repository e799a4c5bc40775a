"""Accuracy before and after, plainly: what a reader can add up by hand, next to the verdict that says what is luck.

Miss (WAPE), bias and the share of ranges that held, of the segments that began to plan jointly and of those that have
not, before and after; of what people submitted and of the benchmark on the same targets. Simple case: `before` are the
months before a segment's start, `after` those from it on. The complications:

- the six months before a start are left out of `before`, as in the verdict: segments often begin after a bad spell;
- a segment that has not begun has no start: the median start of those that began parts its months in the same way;
- a segment that lacks either part is left out of both, so that both are of the same segments.

Errors are added up in money, so large segments count for more. Nothing here is tested.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from forecast.calendar import Calendar, parse_periods, period_label
from forecast.evaluation.planning.inference.randomisation import NEVER, SET_ASIDE
from forecast.evaluation.planning.panel import adoption_periods

FORECAST_COLUMNS = (
    "segment",
    "period",
    "lead",
    "submitter",
    "official",
    "forecast",
    "actual",
    "benchmark",
    "benchmark_low",
    "benchmark_high",
    "low",
    "high",
)
"""A forecast of people, what was booked, and the benchmark's and the model's forecast of the same: amounts.

low, high : ends of the 80 % range of `pipeline`, issued when the benchmark was; NaN where there is none."""

LEVEL_COLUMNS = ("by", "part", "measure", "of", "group", "when", "value", "forecasts", "segments", "parted_at")
ALL, LEAD_TIME, SUBMITTER = "all", "lead time", "submitter"
MISS, BIAS, HELD = "miss", "bias", "ranges held"
PEOPLE, BENCHMARK, MODEL = "people", "benchmark", "model"
BEGAN, NOT_BEGUN = "began", "not begun"
BEFORE, AFTER = "before", "after"


def before_and_after(
    forecasts: pd.DataFrame, adoption: pd.DataFrame, *, calendar: Calendar | None = None
) -> pd.DataFrame:
    """Return how far forecasts missed before and after the starts.

    Parameters
    ----------
    forecasts : FORECAST_COLUMNS, one row a segment, month, lead time and submitter; `official` marks the forecast that
        is scored. Of one segment, month and lead time, `actual`, `benchmark` and the ranges are the same in every row.
    adoption : segment, adopted_on (empty = not yet); a start after the last month counts as not yet.
    calendar : the company's; calendar months by default.

    Returns
    -------
    LEVEL_COLUMNS, one row for each:

    by, part : `all`; `lead time` with the months ahead, 0 = the month itself; `submitter` with the name, whose own
        forecasts of the same targets count, official or not.
    measure, of : `miss` = sum of |forecast - actual| / sum of actual and `bias` = sum of (forecast - actual) / sum of
        actual, of `people` and `benchmark`; `ranges held` = share of the 80 % ranges that hold the actual, of `model`
        and `benchmark`, [0, 1]. NaN where there is nothing to divide by.
    group, when : `began` or `not begun`; `before` or `after`.
    forecasts, segments : how many of them are in the figure. parted_at : the month from which on it is `after` where
        segments have not begun; empty where they have, each at its own start.

    No rows where no segment has forecasts on both sides.
    """
    cells = _cells(forecasts, adoption_periods(adoption, calendar=calendar or Calendar()))
    official = cells[cells["official"]]
    parts = [(ALL, "", official)]
    parts += [(LEAD_TIME, str(lead), rows) for lead, rows in official.groupby("lead", sort=True)]
    if cells["submitter"].nunique() > 1:
        parts += [(SUBMITTER, str(name), rows) for name, rows in cells.groupby("submitter", sort=True)]
    found = [
        {"by": by, "part": part, **figure, "group": group, "when": when, "parted_at": parted_at}
        for by, part, rows in parts
        for (group, when, parted_at), inside in rows.groupby(["group", "when", "parted_at"], sort=False)
        for figure in _figures(inside, ranges=by != SUBMITTER)
    ]
    return pd.DataFrame(found, columns=list(LEVEL_COLUMNS)).astype({"value": np.float64})


def _cells(forecasts: pd.DataFrame, when: Mapping[str, int]) -> pd.DataFrame:
    """Return the forecasts that belong to a group and to one side of a start, with `group`, `when` and `parted_at`."""
    month = parse_periods(forecasts["period"])
    last = month.max() if len(month) else 0
    start = np.array([when.get(name, NEVER) for name in forecasts["segment"]], dtype=np.int64)
    began = start <= last
    starts = pd.Series(start[began], index=forecasts["segment"][began]).groupby(level=0).first()
    middle = math.ceil(starts.median()) if len(starts) else NEVER  # with no start there is no after either
    since = month - np.where(began, start, middle)
    cells = forecasts.assign(
        group=np.where(began, BEGAN, NOT_BEGUN),
        when=np.select([since >= 0, since < -SET_ASIDE], [AFTER, BEFORE], ""),
        parted_at=np.where(began, "", period_label(middle) if len(starts) else ""),
    )
    cells = cells[cells["when"] != ""]
    sides = cells[cells["official"]].groupby("segment")["when"].nunique()
    return cells[cells["segment"].isin(sides.index[sides == 2])]


def _figures(rows: pd.DataFrame, *, ranges: bool) -> list[dict[str, object]]:
    """Return the figures of some forecasts: measure, of, value, forecasts, segments."""
    actual = rows["actual"]
    booked = float(actual.sum())
    out = []
    for of, column in ((PEOPLE, "forecast"), (BENCHMARK, "benchmark")):
        error = rows[column] - actual
        for measure, total in ((MISS, error.abs().sum()), (BIAS, error.sum())):
            out.append(_figure(rows, measure, of, total / booked if booked else np.nan))
    if ranges:
        for of, low, high in ((MODEL, "low", "high"), (BENCHMARK, "benchmark_low", "benchmark_high")):
            known = rows[rows[low].notna() & rows[high].notna()]
            out.append(_figure(known, HELD, of, known["actual"].between(known[low], known[high]).mean()))
    return out


def _figure(rows: pd.DataFrame, measure: str, of: str, value: float) -> dict[str, object]:
    counts = {"forecasts": len(rows), "segments": rows["segment"].nunique()}
    return {"measure": measure, "of": of, "value": value, **counts}
