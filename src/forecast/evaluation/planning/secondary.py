"""Did anything else change: the secondary outcomes, by the verdict's own comparison, corrected for there being several.

Each outcome is a level, not a size, so it is taken as it is: no logarithm, no benchmark. The comparison, the months set
aside and the dealing out of dates are those of the error (`planning_estimate`). Four questions give four chances of a
false yes; Holm's (1979, Scand. J. Statistics 6) correction keeps the chance of any at 5 %.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from forecast.calendar import Calendar
from forecast.errors import DataError
from forecast.evaluation.planning.logs import estimate
from forecast.evaluation.planning.outcomes import OUTCOMES
from forecast.evaluation.planning.panel import ErrorPanel, value_panel
from forecast.evaluation.planning.randomisation import ALPHA, Floats
from forecast.evaluation.planning.tables import before_and_after
from forecast.evaluation.planning.verdict import no_comparison, too_few_ways
from forecast.evaluation.value_added import holm

COLUMNS = (
    "outcome",
    "before",
    "after",
    "change",
    "interval_low",
    "interval_high",
    "p_value",
    "p_holm",
    "verdict",
    "reason",
    "segments",
    "months",
)


def secondary(
    outcomes: pd.DataFrame,
    adoption: pd.DataFrame,
    *,
    permutations: int,
    seed: int,
    calendar: Calendar | None = None,
    absent: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Return whether each secondary outcome changed when segments began to plan jointly.

    Parameters
    ----------
    outcomes : outcome, segment, period, value (any finite number); of `secondary_outcomes`.
    adoption, permutations, seed, calendar : as `planning_effect` takes them.
    absent : outcome -> why it could not be measured.

    Returns
    -------
    COLUMNS, one row an outcome of OUTCOMES: before, after = means over the segments that have both, of the months
    before those set aside and of those from the start on; change = the effect, in the outcome's own unit (a share:
    .05 = 5 points), with its 95 % interval; p_value, and p_holm corrected over the outcomes that can be tested;
    verdict = `changed` where p_holm <= .05, `no detectable change`, or `not identified` with the reason (change NaN).

    Raises DataError where a column is missing or a value is infinite.
    """
    for name in ("outcome", "segment", "period", "value"):
        if name not in outcomes.columns:
            raise DataError("the column is missing", table="outcomes", column=name, mend="as secondary_outcomes gives")
    if np.isinf(outcomes["value"].to_numpy(dtype=np.float64)).any():
        raise DataError("is infinite", table="outcomes", column="value", mend="leave the month out")
    rows = []
    for name in OUTCOMES:
        values = outcomes[outcomes["outcome"] == name]
        panel = value_panel(values, adoption, calendar=calendar or Calendar())
        reason = (absent or {}).get(name, "") if values.empty else ""
        rows.append(_row(name, panel, reason, permutations=permutations, seed=seed))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table["p_holm"] = holm(table["p_value"].to_numpy(dtype=np.float64))
    tested = table["p_holm"].notna()
    table.loc[tested, "verdict"] = np.where(table.loc[tested, "p_holm"] <= ALPHA, "changed", "no detectable change")
    return table


def _row(name: str, panel: ErrorPanel, reason: str, *, permutations: int, seed: int) -> tuple[object, ...]:
    nan = float("nan")
    where = before_and_after(panel)
    both = where[0].any(axis=1) & where[1].any(axis=1)
    before, after = (_mean(panel.error[both], cells[both]) for cells in where)
    size = (len(panel.segments), len(panel.months))
    reasons = [reason] if reason else no_comparison(panel)
    if not reasons:
        y = np.nan_to_num(panel.error)
        found = estimate(
            y, np.zeros_like(y), panel.observed, panel.dates, panel.months, permutations=permutations, seed=seed
        )
        reasons = too_few_ways(panel, found)
        if not reasons:
            return (name, before, after, found.delta, found.low, found.high, found.p, nan, "", "", *size)
    return (name, before, after, nan, -math.inf, math.inf, nan, nan, "not identified", "; ".join(reasons), *size)


def _mean(values: Floats, where: np.ndarray) -> float:
    """Return the mean over segments of their means over the cells; NaN where there is no segment."""
    if not len(values):
        return float("nan")
    return float((np.where(where, np.nan_to_num(values), 0.0).sum(axis=1) / where.sum(axis=1)).mean())
