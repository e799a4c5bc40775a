"""What the finished months of a folder of reports say together: how the forecast of a quarter moved.

Only tables that the months left behind are read, and nothing of them is taken on trust: a month without them, with
tables of another version or with a damaged file is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.calendar import is_quarter
from forecast.data.schema import TOTAL, Company
from forecast.reporting.charts.figure import Chart, Statement
from forecast.reporting.pages import quarters
from forecast.reporting.pages.bookings.prepare import MODEL

_NEEDED = ("model", "segment", "target_period", "horizon", "mean", "q10", "q90")
_AMOUNTS = ("mean", "q2.5", "q10", "q90", "q97.5", "booked", "plan")


def forecasts(out: Path, days: Sequence[str]) -> pd.DataFrame:
    """Return the company's quarters as each month forecast them.

    days : names of the months' folders in `out`. Columns: as_of (date), target_period, horizon (quarters), mean,
    q2.5, q10, q90, q97.5, booked, plan (floats; missing where a month does not have them); rising by as_of.
    """
    parts = [_quarters(out / day / "tables" / "bookings.parquet", day) for day in sorted(days)]
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else _none()


def settled(out: Path, day: str, quarter: str) -> float | None:
    """Return what a quarter brought, as the backtest of a month has it, or None where it is not settled there."""
    table = _read(out / day / "tables" / "backtest.parquet")
    if table is None or not {"segment", "target_period", "observed"} <= set(table):
        return None
    rows = table[(table["segment"] == TOTAL) & (table["target_period"] == quarter)]
    values = pd.to_numeric(rows["observed"], errors="coerce").dropna()
    return float(values.iloc[-1]) if len(values) else None


def movements(out: Path, days: Sequence[str], *, company: Company) -> list[Chart | Statement]:
    """Return how the newest month's quarter moved from month to month, and the quarter before it where it was seen to.

    Nothing where no month can be read; a sentence where only one has forecast the quarter.
    """
    table = forecasts(out, days)
    if table.empty:
        return []
    newest = table["as_of"].max()
    now = table[table["as_of"] == newest].sort_values("horizon")["target_period"].iloc[0]
    shown: list[Chart | Statement] = []
    rows = table[table["target_period"] == now]
    if len(rows) == 1:
        shown.append(Statement(*quarters.one_month(rows), kind="note"))
    else:
        shown.append(quarters.movement(rows, company=company, as_of=newest))
    earlier = table[(table["target_period"] < now) & (table["horizon"] == 0)]
    if len(earlier):
        before = str(earlier["target_period"].max())
        rows = table[table["target_period"] == before]
        observed = settled(out, f"{newest:%Y-%m-%d}", before)
        if len(rows) > 1:
            shown.append(quarters.movement(rows, company=company, as_of=newest, observed=observed))
    return shown


def _quarters(file: Path, day: str) -> pd.DataFrame:
    table = _read(file)
    if table is None or not set(_NEEDED) <= set(table):
        return _none()
    rows = table[(table["model"] == MODEL) & (table["segment"] == TOTAL)]
    rows = rows[is_quarter(rows["target_period"])]
    table = pd.DataFrame({"as_of": pd.Timestamp(day), "target_period": rows["target_period"].astype(str)})
    for name in ("horizon", *_AMOUNTS):
        table[name] = pd.to_numeric(rows[name], errors="coerce") if name in rows else float("nan")
    table = table.astype(dict.fromkeys(("horizon", *_AMOUNTS), "float64"))
    table = table.replace([np.inf, -np.inf], np.nan)
    return table[table["mean"].notna()].drop_duplicates("target_period")


def _read(file: Path) -> pd.DataFrame | None:
    """Return a month's table, or None where it is not there or not readable as one."""
    try:
        return pd.read_parquet(file)
    except (OSError, ValueError, TypeError, KeyError, NotImplementedError):  # pyarrow's errors are among these
        return None


def _none() -> pd.DataFrame:
    columns: dict[str, Any] = {"as_of": "datetime64[us]", "target_period": "str", "horizon": "float64"}
    columns |= dict.fromkeys(_AMOUNTS, "float64")
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
