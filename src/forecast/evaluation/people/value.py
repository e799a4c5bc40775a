"""What people's overrides were worth: by person, reason, direction or size, with how much of it luck alone would bring.

Simple case: of each month the errors that an override took off are added up; their mean over the months, as a share of
what was booked, is what the overrides added, and the paired test of months says whether luck alone would bring as much.

Three complications. Overrides of one month share its luck, so months are the units, not overrides. Of several people
the best looks good by luck, so the table's tests are held to one level (Holm) and each figure is drawn towards the mean
of all (`partial_pooling`). And with few months nothing can be told, which is an answer too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from forecast.calendar import parse_periods
from forecast.data.schema import Log, NotedTable
from forecast.errors import DataError, ParameterError, nearest
from forecast.evaluation.judgement import LEVEL, mean_of
from forecast.evaluation.people.overrides import BASE, NO_REASON, Against, noted_overrides
from forecast.evaluation.people.shrinkage import partial_pooling
from forecast.evaluation.scores.amounts import Floats, ratio
from forecast.evaluation.scores.comparison import FEWEST, diebold_mariano, holm
from forecast.evaluation.value_added import SMALL

GROUPS = ("submitter", "reason", "written", "direction", "size", "segment", "horizon", "against")
"""What overrides can be grouped by: known on the day they were submitted, each of them."""

FIGURES = (
    *("n", "months", "share_better", "wape_before", "wape", "added", "low", "high", "shrunk"),
    *("p_value", "p_holm", "luck", "agreeing", "verdict"),
)
"""What `value_of_judgement` gives of each group."""

BY_CHANGE = ("direction", "size", "reason")
"""Groups that depend on how the amount lies to its base: of two equally good numbers the higher is more often too high,
so in these the one can seem nearer though neither is."""

OTHERS = "other reasons"
ALIKE = 10
"""Fewest overrides with one reason for a row of its own."""

CUTS = {"person": "submitter", "reason": "written"}
"""What a page asks of overrides: of each person, and of those with a written reason and those without one."""

WRITTEN = {"yes": "with a reason", "no": "without a reason"}

CLOSER, FURTHER, UNCLEAR, TOO_FEW = "closer", "further off", "cannot tell", "too few to tell"


def value_of_judgement(
    log: Log,
    *,
    as_of: str | pd.Timestamp | None = None,
    by: Sequence[str] = ("submitter",),
    against: Against = BASE,
    track: pd.DataFrame | None = None,
    small: float = SMALL,
) -> pd.DataFrame:
    """Return what people's overrides took off the errors, one row a group: a person, a reason, a direction, a size.

    Parameters
    ----------
    log, as_of, against, track, small : as `overrides` takes them, which says what is held against what.
    by : columns to group by: submitter, reason (as written; those with fewer than ten overrides together), written (is
        there a reason: yes, no), direction (up, down), size (small, large), segment, horizon, against.

    Returns
    -------
    The `by` columns, then: n (overrides), months (target months); share_better (share that came closer, a tie half);
    wape_before (error of what was changed) and wape (of what was submitted), as shares of what was booked;
    added = wape_before - wape, above 0 where the overrides came closer; low, high: its 95 % interval; shrunk: `added`
    drawn to the mean of the rows (`partial_pooling`); p_value of no difference, by `diebold_mariano` on the months'
    sums, by direction, size and reason not below that of all of them together; p_holm, corrected for all rows; luck: of
    people whose overrides add nothing, the share that would look at least as good with such months; agreeing: months
    that differ the way `added` does; verdict: `closer` or `further off` where p_holm is at most .05, else
    `cannot tell`; `too few to tell`, with figures of NaN, below 8 months.
    `attrs["notes"]` say what was left out.

    Raises
    ------
    ParameterError : by names no column, or one that overrides have not. And what `overrides` raises.

    Source: Fildes, Goodwin, Lawrence and Nikolopoulos 2009, Int. J. Forecasting 25; docs/methods/judgement.md.

    Examples
    --------
    What are my overrides worth, and those with a reason?

    >>> import forecast
    >>> log = forecast.read("data/sample")
    >>> mine = forecast.value_of_judgement(log, as_of="2026-10-31", by=["submitter", "written"])
    >>> mine[mine["submitter"] == "sales"][["written", "n", "added", "shrunk", "verdict"]].round(2)
      written     n  added  shrunk verdict
    4      no  1699   0.15    0.16  closer
    5     yes   773   0.24    0.23  closer
    """
    keys = _keys(by)
    found = noted_overrides(log, as_of=as_of, against=against, track=track, small=small)
    return NotedTable(table=value_of(found.table, by=keys), notes=found.notes).frame()


def value_of(rows: pd.DataFrame, *, by: Sequence[str] = ("submitter",)) -> pd.DataFrame:
    """Return what `value_of_judgement` does of overrides that are there already.

    rows : as `overrides` gives them. Raises DataError where a column is missing, ParameterError for a name of `by`.
    """
    keys = _keys(by)
    for name in (*keys, "target_period", "observed", "abs_error_before", "abs_error"):
        if name not in rows.columns:
            raise DataError("the column is missing", table="overrides", column=name, mend="pass what overrides() gave")
    if "reason" in keys:
        rows = rows.assign(reason=_alike(rows["reason"]))
    groups = rows.groupby(keys, sort=True, observed=True)
    figures = [
        {**dict(zip(keys, name if isinstance(name, tuple) else (name,), strict=True)), **_figures(group)}
        for name, group in groups
    ]
    table = _together(pd.DataFrame(figures, columns=[*keys, *FIGURES, "_error"]), rows, keys)
    p, added = table["p_value"].astype(np.float64), table["added"]
    table["luck"] = np.where(added > 0, p / 2, 1 - p / 2)
    pooled = partial_pooling(table["added"], table["_error"])
    table = table.assign(shrunk=pooled.shrunk, p_holm=holm(p))
    table = with_verdicts(table)
    whole = dict.fromkeys(("n", "months", "agreeing"), "int64")
    floats = {name: "float64" for name in FIGURES if name not in (*whole, "verdict")}
    return table.drop(columns="_error").astype({**whole, **floats})


def _together(table: pd.DataFrame, rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Return the table with the larger of two p-values: a group's own, and that of all its directions and sizes.

    Simple case: persons, and nothing is changed. By direction the higher of two equally good numbers stands apart from
    the lower, and tables of worthless overrides claimed something more often than not; all directions together neither
    is higher. So a part is said to differ from its base only where the whole does: of a reason all that have one, since
    a reason goes with a direction.
    """
    others = [name for name in keys if name not in BY_CHANGE]
    if len(others) == len(keys) or rows.empty:
        return table
    asked = table
    if "reason" in keys:
        rows, asked = (each.assign(_written=each["reason"] != NO_REASON) for each in (rows, table))
        others.append("_written")
    parts = rows.groupby(others, observed=True) if others else [((), rows)]
    whole = {name: _figures(part)["p_value"] for name, part in parts}
    p = [whole[tuple(row)] for row in asked[others].to_numpy(dtype=object)]
    return table.assign(p_value=np.maximum(table["p_value"].astype(np.float64), np.array(p, dtype=np.float64)))


def values_by_cut(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what overrides were worth by CUTS, one table below the other: by (person, reason), group, FIGURES.

    rows : as `overrides` gives them. Each cut is shrunk to its own mean; p_holm counts all rows.
    """
    parts = []
    for cut, column in CUTS.items():
        part = value_of(rows, by=[column])
        group = part[column].map(WRITTEN) if column == "written" else part[column]
        parts.append(part.drop(columns=column).assign(by=cut, group=group))
    table = pd.concat(parts, ignore_index=True)[["by", "group", *FIGURES]].astype({"by": "str", "group": "str"})
    return with_verdicts(table.assign(p_holm=holm(table["p_value"])))


def with_verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with `verdict` by its `added` and `p_holm`."""
    return table.assign(verdict=pd.array([_verdict(row) for row in table.to_dict("records")], dtype="str"))


def _keys(by: Sequence[str]) -> list[str]:
    keys = [by] if isinstance(by, str) else list(by)
    if not keys:
        raise ParameterError("by: name at least one column, for instance ['submitter']")
    for name in keys:
        if name not in GROUPS:
            raise ParameterError(f"by: overrides are not grouped by {name!r}; {nearest(str(name), GROUPS)}")
    if len(set(keys)) < len(keys):
        raise ParameterError(f"by: {keys} names a column twice")
    return keys


def _alike(reason: pd.Series) -> pd.Series:
    """Return reasons, those written fewer than ALIKE times as one."""
    often = reason.map(reason.value_counts()) >= ALIKE
    return reason.where(often | (reason == NO_REASON), OTHERS)


def _figures(rows: pd.DataFrame) -> dict[str, Any]:
    """Return the figures of one group of overrides, and `_error`, the standard error of `added`."""
    gain = (rows["abs_error_before"] - rows["abs_error"]).to_numpy()
    size = float(rows["observed"].abs().sum())
    month, code = np.unique(parse_periods(rows["target_period"]), return_inverse=True)
    count = len(month)
    # a mean over the months is then the sum over all, as a share of what was booked: figure and test cannot disagree
    scale = count / size if size > 0 else float("nan")
    by_month: Floats = np.bincount(code, gain, count).astype(np.float64) * scale
    added = float(by_month.mean())
    facts = {
        "n": len(rows),
        "months": count,
        "share_better": float(np.mean((gain > 0) + 0.5 * (gain == 0))),
        "wape_before": ratio(rows["abs_error_before"].sum(), size),
        "wape": ratio(rows["abs_error"].sum(), size),
        "added": added,
        "agreeing": int((np.sign(by_month) == np.sign(added)).sum()) if np.isfinite(added) else 0,
        **dict.fromkeys(("low", "high", "p_value", "luck", "_error"), float("nan")),
    }
    if count < FEWEST or not np.isfinite(added):
        return facts
    p = mean_of(by_month).p_value
    error, df = _standard_error(by_month)
    half = float(stdtrit(df, 0.975)) * error
    return facts | {"p_value": p, "_error": error, "low": added - half, "high": added + half}


def _standard_error(by_month: Floats) -> tuple[float, int]:
    """Return the standard error of the mean that the paired test uses, and its degrees of freedom; NaN without one.

    The test gives the mean over its error. Moved off 0 by a known amount, the mean of a figure that is 0 tells too.
    """
    moved = by_month - by_month.mean() + (np.abs(by_month).max() or 1.0)
    test = diebold_mariano(moved, np.zeros(len(moved)))
    return test.mean_difference / test.statistic, test.df


def _verdict(row: dict[str, Any]) -> str:
    if np.isnan(row["p_holm"]):
        return TOO_FEW
    if row["p_holm"] > LEVEL or row["added"] == 0:
        return UNCLEAR
    return CLOSER if row["added"] > 0 else FURTHER
