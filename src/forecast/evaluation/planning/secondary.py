"""What else changed when segments began to plan jointly, and what marketing's information was worth to the model.

Each secondary outcome is a level, not a size, so it is taken as it is: no logarithm, no benchmark
(`estimate.estimate_levels`). The comparison, the months set aside and the random assignments are those of the error.
Four questions give four chances of a false yes; Holm's (1979, Scand. J. Statistics 6) correction keeps the chance of
any at 5 %.

`pipeline` and `pipeline-sales-only` forecast the same targets; the one knows leads and campaigns, the other does not.
The months of each segment are parted into before its start, from its start on, and not begun (segments that never
begin), and within each part the two are compared with a paired test (`comparison.diebold_mariano`). It tells what
the information is worth in each part; the parts have different months, so a difference between them is no effect of
planning jointly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from forecast.calendar import Calendar, is_quarter, parse_periods
from forecast.data.schema import TOTAL
from forecast.errors import DataError
from forecast.evaluation.planning.estimate import estimate_levels
from forecast.evaluation.planning.outcomes import OUTCOMES, WITH, WITHOUT
from forecast.evaluation.planning.panel import ErrorPanel, adoption_periods, value_panel
from forecast.evaluation.planning.randomisation import ALPHA, NEVER, Floats
from forecast.evaluation.planning.tables import before_and_after
from forecast.evaluation.planning.verdict import no_comparison, too_few_ways
from forecast.evaluation.scores.comparison import FIGURES, compare, holm

CHANGE_COLUMNS = (
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
PARTS = ("before", "after", "not begun")
WORTH_COLUMNS = (
    "when",
    "n",
    "months",
    "wape_without",
    "wape_with",
    "added",
    "statistic",
    "df",
    "p_value",
    "p_holm",
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
    CHANGE_COLUMNS, one row an outcome of OUTCOMES: before, after = means over the segments that have both, of the
    months before those set aside and of those from the start on; change = the effect, in the outcome's own unit (a
    share: .05 = 5 points), with its 95 % interval; p_value, and p_holm corrected over the outcomes that can be tested;
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
    table = pd.DataFrame(rows, columns=list(CHANGE_COLUMNS))
    table["p_holm"] = holm(table["p_value"].to_numpy(dtype=np.float64))
    tested = table["p_holm"].notna()
    table.loc[tested, "verdict"] = np.where(table.loc[tested, "p_holm"] <= ALPHA, "changed", "no detectable change")
    return table


def information(models: pd.DataFrame, adoption: pd.DataFrame, *, calendar: Calendar | None = None) -> pd.DataFrame:
    """Return what knowing marketing adds to the model's accuracy in each part.

    Parameters
    ----------
    models : forecast table with `observed`, both models; segment rows of months are used, where both gave a number.
    adoption : segment, adopted_on (empty = not yet).

    Returns
    -------
    WORTH_COLUMNS, one row for each of PARTS that has targets: n targets, months among them, WAPE without and with
    marketing, added = wape_without - wape_with (positive = it helps), the paired test on absolute errors averaged by
    target month (NaN with fewer than eight months), p_holm corrected over the parts.
    """
    when = adoption_periods(adoption, calendar=calendar or Calendar())
    keys = ["origin", "target_period", "segment"]
    rows = models[(models["segment"] != TOTAL) & ~is_quarter(models["target_period"])]
    rows = rows[rows["observed"].notna() & rows["mean"].notna()]
    rows = rows.assign(abs_error=(rows["mean"] - rows["observed"]).abs())
    first = rows.loc[rows["model"] == WITHOUT, [*keys, "abs_error"]]
    second = rows.loc[rows["model"] == WITH, [*keys, "observed", "abs_error"]]
    pair = second.merge(first, on=keys, suffixes=("", "_before"), validate="one_to_one")
    start = pair["segment"].map(when).fillna(NEVER).astype(np.int64).to_numpy()
    begun = parse_periods(pair["target_period"]) >= start
    pair["when"] = np.select([start == NEVER, ~begun], ["not begun", "before"], "after")
    parts = [(part, pair[pair["when"] == part]) for part in PARTS]
    found = [{"when": part, **compare(targets)} for part, targets in parts if len(targets)]
    table = pd.DataFrame(found, columns=["when", *FIGURES]).rename(columns={"wape_before": "wape_without"})
    return table.rename(columns={"wape": "wape_with"}).assign(p_holm=holm(table["p_value"]))[list(WORTH_COLUMNS)]


def _row(name: str, panel: ErrorPanel, reason: str, *, permutations: int, seed: int) -> dict[str, object]:
    """Return one outcome's row; p_holm is filled in once all are known."""
    before, after = before_and_after(panel)
    both = before.any(axis=1) & after.any(axis=1)
    row: dict[str, object] = {
        "outcome": name,
        "before": _mean(panel.error[both], before[both]),
        "after": _mean(panel.error[both], after[both]),
        "segments": len(panel.segments),
        "months": len(panel.months),
    }
    reasons = [reason] if reason else no_comparison(panel)
    if not reasons:
        found = estimate_levels(panel, permutations=permutations, seed=seed)
        reasons = too_few_ways(panel, found)
        if not reasons:
            ends = {"interval_low": found.low, "interval_high": found.high}
            return row | {"change": found.delta, **ends, "p_value": found.p, "verdict": "", "reason": ""}
    ends = {"interval_low": -math.inf, "interval_high": math.inf}
    return row | ends | {"verdict": "not identified", "reason": "; ".join(reasons)}


def _mean(values: Floats, where: np.ndarray) -> float:
    """Return the mean over segments of their means over the cells; NaN where there is no segment."""
    if not len(values):
        return float("nan")
    return float((np.where(where, np.nan_to_num(values), 0.0).sum(axis=1) / where.sum(axis=1)).mean())
