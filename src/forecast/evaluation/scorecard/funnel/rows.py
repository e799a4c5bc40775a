"""A row of the funnel: one figure of a hand-over, in one segment and of one cohort, with what it rests on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

import pandas as pd

from forecast.data.schema import TOTAL

HAND_OVER, SOURCE, LEAK, PLAN, CAPACITY, AGAIN = "hand-over", "source", "leak", "plan", "capacity", "repeat"
PARTS = (HAND_OVER, SOURCE, LEAK, PLAN, CAPACITY, AGAIN)
ALL = "all"
"""The cohort that stands for all months a row covers."""


@dataclass(frozen=True, kw_only=True)
class FunnelRow:
    """A figure of the funnel.

    part : one of PARTS. step : which hand-over, leak or comparison. means : what is counted. cohort : the fiscal
    quarter in which they set out, ALL, or of a capacity the month. unit : `share`, or `ratio` for a difference of
    errors. value, low, high : the figure and its 95 % interval, NaN where it cannot be known. median_days, q90_days :
    days by which half and nine in ten of those that pass had passed. followed_days : the oldest age looked at. p_value
    : of a comparison of plans, or of a late first order with one on time. n, n_of : how many it rests on, and of what.
    first, last : the months it covers. missing : why the value is not known and which table would bring it; empty where
    it is known. n_followed : of what passes within so many days, how many set out so long ago; the share is an estimate
    where they are fewer than n. 0 elsewhere.
    """

    part: str
    step: str
    means: str
    segment: str = TOTAL
    cohort: str = ALL
    unit: str = "share"
    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    median_days: float = float("nan")
    q90_days: float = float("nan")
    followed_days: float = float("nan")
    p_value: float = float("nan")
    n: int = 0
    n_of: str = ""
    first: str = ""
    last: str = ""
    missing: str = ""
    n_followed: int = 0


FUNNEL_COLUMNS = tuple(field.name for field in fields(FunnelRow))


def as_table(rows: Iterable[FunnelRow]) -> pd.DataFrame:
    """Return rows as a table, columns FUNNEL_COLUMNS.

    >>> as_table([FunnelRow(part=LEAK, step="never worked", means="leads", value=0.1)])["value"].tolist()
    [0.1]
    """
    return pd.DataFrame([asdict(row) for row in rows], columns=list(FUNNEL_COLUMNS))
