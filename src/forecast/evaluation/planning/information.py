"""What marketing's information was worth to the model, before and after segments began to plan jointly.

`pipeline` and `pipeline-sales-only` forecast the same targets; the one knows leads and campaigns, the other does not.
The months of each segment are parted into before its start, from its start on, and not begun (segments that never
begin), and within each part the two are held against each other with a paired test (`fva.diebold_mariano`).
It says what the information is worth in each part; the parts have different months, so a difference between them is
no effect of planning jointly.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.calendar import Calendar, parse_periods
from forecast.data.schema import TOTAL
from forecast.evaluation.planning.outcomes import WITH, WITHOUT
from forecast.evaluation.planning.panel import adoption_periods
from forecast.evaluation.planning.randomisation import NEVER
from forecast.evaluation.value_added import compared, holm

PARTS = ("before", "after", "not begun")
COLUMNS = ("when", "n", "months", "wape_without", "wape_with", "added", "statistic", "df", "p_value", "p_holm")


def information(models: pd.DataFrame, adoption: pd.DataFrame, *, calendar: Calendar | None = None) -> pd.DataFrame:
    """Return what knowing marketing adds to the model's accuracy in each part.

    Parameters
    ----------
    models : forecast table with `observed`, both models; segment rows of months are used, where both gave a number.
    adoption : segment, adopted_on (empty = not yet).

    Returns
    -------
    COLUMNS, one row for each of PARTS that has targets: n targets, months among them, WAPE without and with marketing,
    added = wape_without - wape_with (positive = it helps), the paired test on absolute errors averaged by target month
    (NaN with fewer than eight months), p_holm corrected over the parts.
    """
    when = adoption_periods(adoption, calendar=calendar or Calendar())
    keys = ["origin", "target_period", "segment"]
    rows = models[(models["segment"] != TOTAL) & models["target_period"].str.fullmatch(r"\d{4}-\d{2}")]
    rows = rows[rows["observed"].notna() & rows["mean"].notna()]
    rows = rows.assign(abs_error=(rows["mean"] - rows["observed"]).abs())
    first = rows.loc[rows["model"] == WITHOUT, [*keys, "abs_error"]]
    second = rows.loc[rows["model"] == WITH, [*keys, "observed", "abs_error"]]
    pair = second.merge(first, on=keys, suffixes=("", "_before"), validate="one_to_one")
    start = pair["segment"].map(when).fillna(NEVER).astype(np.int64).to_numpy()
    begun = parse_periods(pair["target_period"]) >= start
    pair["when"] = np.select([start == NEVER, ~begun], ["not begun", "before"], "after")
    parts = [(part, pair[pair["when"] == part]) for part in PARTS]
    table = pd.DataFrame([(part, *compared(here)) for part, here in parts if len(here)], columns=list(COLUMNS[:-1]))
    return table.assign(p_holm=holm(table["p_value"]))
