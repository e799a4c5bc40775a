"""Checks between columns and between tables: dates in order, outcomes that agree, names that join.

Every function takes the typed tables and returns problems; a check whose columns are not there is left out, since
that has been said already.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from forecast.data.checks import Problem, problem_at
from forecast.data.schema import Company
from forecast.errors import nearest

Tables = Mapping[str, pd.DataFrame]


def check_across(tables: Tables, company: Company, raw: Tables) -> list[Problem]:
    """Return every problem between columns and tables; `tables` are typed and hold `opportunities`."""
    found: list[Problem] = []
    found += _closure(tables)
    return found


def _closure(tables: Tables) -> list[Problem]:
    frame = tables["opportunities"]
    closed = np.asarray(frame["outcome"].isin(["won", "lost"]))
    dated = np.asarray(frame["closed_on"].notna())
    found = problem_at(
        frame,
        closed & ~dated,
        table="opportunities",
        column="closed_on",
        what="won or lost, but without the day it closed",
        mend="fill in closed_on, or set outcome to open",
        show="outcome",
    )
    found += problem_at(
        frame,
        np.asarray(frame["closed_on"] < frame["created_on"]),
        table="opportunities",
        column="closed_on",
        what="closed before it was created",
        mend="correct created_on or closed_on",
    )
    return found
