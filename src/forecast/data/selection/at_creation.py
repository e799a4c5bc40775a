"""Each deal as it was known when it was created: what a selection may go by.

Whoever picks deals by what became of them (outcome, today's stage) forecasts the past with its own future: a log of won
deals alone wins them all. So a selection sees of each deal what was known at its first record, and nothing else.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.codes import places
from forecast.data.known.recorded import FIXED, STATE, recorded_history
from forecast.data.rates import converted
from forecast.data.schema import TABLES, Log

_NOT_OF_A_DEAL = ("opportunity_id", "recorded_at", "recorded_on", "outcome", "closed_on")

LATER = "it is known only later, and a forecast of deals that are picked by it has seen the future"
CHANGES = (
    "it is today's value, and without a history nobody knows what it was when the deal was created; list it in "
    "fixed_at_creation of company.toml if it never changes"
)


def at_creation(log: Log) -> pd.DataFrame:
    """Return each deal as at its first record, in the order of `log.opportunities`.

    Columns: opportunity_id, created_on, segment; what history carries, from the deal's first row (`stage`, `amount` in
    the reporting currency, `expected_close_on`, ...); the columns that count as fixed at creation. A value is empty
    where a deal has no row that says it.

    Example: `at_creation(log)["amount"]` is what each deal was worth when it came in.
    """
    deals = log.opportunities.reset_index(drop=True)
    history = recorded_history(log, deals)
    columns: dict[str, pd.Series] = {name: deals[name] for name in ("opportunity_id", "created_on", "segment")}
    if history is not None:
        first = _first_rows(history, deals)
        for name in [name for name in history if name not in _NOT_OF_A_DEAL]:
            told = pd.Series(history[name].array.take(first, allow_fill=True))
            fixed = name == "segment" or name in log.company.fixed_at_creation
            columns[name] = told.where(first >= 0, deals[name]) if fixed and name in deals else told
    for name in (*FIXED, *log.company.fixed_at_creation):
        if name in deals and name not in columns:
            is_amount = name == "amount"
            columns[name] = converted(log, deals[name], deals.get("currency")) if is_amount else deals[name]
    return pd.DataFrame(columns, copy=False)


def not_known_then(log: Log) -> dict[str, str]:
    """Return the columns of `opportunities` that a selection may not go by, and why."""
    history = log.get("opportunity_history")
    known = {"opportunity_id", "created_on", "segment", *FIXED, *log.company.fixed_at_creation}
    known |= set() if history is None else set(history)
    later = [name for name in log.opportunities if name not in known or name in ("outcome", "closed_on")]
    ends = {column.name for column in TABLES["opportunities"].columns} - set(STATE)
    return {name: LATER if name in ends else CHANGES for name in later}


def moved(log: Log, column: str, then: pd.Series) -> int:
    """Return of how many deals a column is another today than it was at creation, where history carries it."""
    history = log.get("opportunity_history")
    if history is None or column not in history or column not in log.opportunities:
        return 0
    now = log.opportunities[column].reset_index(drop=True)
    return int((then.notna() & now.notna() & (then != now)).sum())


def _first_rows(history: pd.DataFrame, deals: pd.DataFrame) -> np.ndarray:
    """Return the place of each deal's first row of history, -1 where it has none; (n,)."""
    deal = places(history["opportunity_id"], deals["opportunity_id"])
    order = np.lexsort((history["recorded_at"].to_numpy("datetime64[us]"), deal))
    order = order[deal[order] >= 0]
    first = np.full(len(deals), -1, dtype=np.int64)
    begins = np.append(True, deal[order][1:] != deal[order][:-1])[: len(order)]
    first[deal[order[begins]]] = order[begins]
    return first
