"""Logs for the audit whose deals are a day apart, and how to ask for one finding."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.checks.validation import validate
from forecast.data.schema import Company, Log


def finding(table: pd.DataFrame, what: str) -> pd.Series:
    """Return the one row of a finding."""
    rows = table[table["finding"] == what]
    assert len(rows) == 1, f"{what}: {table['finding'].tolist()}"
    return rows.iloc[0]


def many(deals: int, *, outcome: list[str] | None = None, **columns: object) -> Log:
    """Return a log of deals created a day apart, closed 30 days later; `columns` replace or add columns."""
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(deals), unit="D")
    result = np.array(outcome if outcome is not None else ["won", "lost"] * deals)[:deals]
    frame = pd.DataFrame(
        {
            "opportunity_id": [f"O{number:05d}" for number in range(deals)],
            "created_on": day,
            "segment": "North",
            "stage": pd.Series(result).map({"won": "Won", "lost": "Lost", "open": "Open"}).to_numpy(),
            "amount": 100.0,
            "expected_close_on": day + pd.Timedelta(days=30),
            "closed_on": pd.Series(day + pd.Timedelta(days=30)).where(pd.Series(result) != "open").to_numpy(),
            "outcome": result,
        }
    )
    return validate({"opportunities": frame.assign(**columns)}, Company())
