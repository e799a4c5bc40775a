"""The month's table of what overrides were worth, made of the past forecasts that the month has already.

Simple case: people wrote beside their forecasts what they changed or why, and the table says what that was worth by
person and by whether a reason is written. Where nobody wrote either, it is empty: what people forecast is then held
against the model alone, which the table `adjustments` does.
"""

from __future__ import annotations

import pandas as pd

from forecast.calendar import is_quarter
from forecast.data.schema import Log
from forecast.data.submissions import TABLE
from forecast.errors import DataError
from forecast.evaluation.people.overrides import COLUMNS, overrides
from forecast.evaluation.people.value import values_by_cut


def override_values(log: Log, day: pd.Timestamp, track: pd.DataFrame) -> pd.DataFrame:
    """Return what `values_by_cut` gives, as known on a day, of the months that a track record holds.

    track : the month's backtest, with the model's forecasts of past month ends and what had settled by the day.
    """
    table = log.get(TABLE)
    wrote = table is not None and any(name in table and table[name].notna().any() for name in ("base", "reason"))
    months = track.loc[track["observed"].notna() & ~is_quarter(track["target_period"]), "target_period"]
    if not wrote or months.empty:
        return values_by_cut(pd.DataFrame(columns=list(COLUMNS)))
    try:
        rows = overrides(log, as_of=day, track=track)
    except DataError:  # none of the forecasts counts: pages say so where they tell of submissions
        rows = pd.DataFrame(columns=list(COLUMNS))
    return values_by_cut(rows[rows["target_period"] >= months.min()])
