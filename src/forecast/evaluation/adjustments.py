"""What people changed against the model's forecast, and whether it helped: by direction, size and submitter.

Fildes, Goodwin, Lawrence and Nikolopoulos (2009, Int. J. Forecasting 25) looked at 60,000 forecasts of four companies:
small adjustments and upward ones tended to do harm, large downward ones to help. Here an adjustment is the submission
less the model's forecast of the same target from the month end before, which people could have had before them. Its
direction and size are known on the day it was submitted: nothing of the outcome decides where it is counted.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.errors import DataError, ParameterError
from forecast.evaluation.value_added import beside, compared, holm, of_segments

SMALL = 0.25
"""Below this share of the model's forecast an adjustment is small."""

KINDS = ("up small", "up large", "down small", "down large")

COLUMNS = (
    "submitter", "kind", "n", "months", "share_better", "wape_before", "wape", "added", "statistic", "df", "p_value",
    "p_holm",
)  # fmt: skip


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
    rows = of_segments(scored)
    out = []
    for submitter in sorted(set(rows["submitter"]) - {""}):
        pair = beside(rows, f"submitted-{submitter}", model, lag=lag)
        pair = pair[(pair["mean_before"] != 0) & (pair["mean"] != pair["mean_before"])]
        kind = kind_of(pair["mean"].to_numpy(), pair["mean_before"].to_numpy(), small=small)
        for name in KINDS:
            some = pair[kind == name]
            if len(some):
                n, months, *figures = compared(some)
                out.append((submitter, name, n, months, _share_better(some), *figures))
    table = pd.DataFrame(out, columns=list(COLUMNS[:-1]))
    return table.assign(p_holm=holm(table["p_value"]))


def kind_of(submitted: np.ndarray, model: np.ndarray, *, small: float = SMALL) -> np.ndarray:
    """Return the kind of each adjustment, (n,) of text: its direction, and whether it is below `small` of the model."""
    change = submitted - model
    size = np.abs(change) / np.abs(model)
    return np.where(change > 0, np.where(size < small, KINDS[0], KINDS[1]), np.where(size < small, KINDS[2], KINDS[3]))


def _share_better(pair: pd.DataFrame) -> float:
    gain = (pair["abs_error_before"] - pair["abs_error"]).to_numpy()
    return float(np.mean((gain > 0) + 0.5 * (gain == 0)))
