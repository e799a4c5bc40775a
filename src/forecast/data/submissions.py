"""Who submitted which forecast, when, which of them count: one rule for track record, verdict and pages.

Simple case: sales submits one amount for each segment and month, and it counts. The complications:

- a name is the same in capitals or small letters and with blanks around it: `Sales` and ` sales` are one submitter;
- where forecasts have a category, `commit` counts, and so do rows without one; where categories exist and none is
  `commit`, nothing counts, and whoever asks says so (`why_none_counts`);
- of several forecasts that one submitter makes in a month for the same target, the last counts;
- of several submitters, `joint` is official where it was submitted, else `sales`, else the only one there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from forecast.calendar import Calendar, parse_periods
from forecast.data.schema import TOTAL, Log
from forecast.errors import DataError

TABLE = "submitted_forecasts"
ABSENT = "is missing or empty"
COMMIT = "commit"
"""The category that counts."""

OFFICIAL = ("joint", "sales")
"""Whose forecast is official, first come first."""

USUAL = (*OFFICIAL, "marketing")
"""Submitters with a place of their own in tables and charts: always written in small letters."""

HORIZONS = (0, 1, 2, 3)
"""Months ahead at which a forecast can be official."""

COLUMNS = ("segment", "origin", "target", "horizon", "submitter", "submitted_on", "amount")


def name_key(name: str) -> str:
    """Return what two spellings of one submitter or category have in common."""
    return name.strip().lower()


def spelled(names: Iterable[str]) -> dict[str, str]:
    """Return how each submitter is written everywhere, by `name_key`: as it first was, `USUAL` in small letters."""
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(name_key(name), name.strip())
    return {same: same if same in USUAL else name for same, name in first.items()}


def submitters(table: pd.DataFrame | None) -> list[str]:
    """Return everybody who submitted a forecast, sorted; `table` is `submitted_forecasts` or None."""
    return [] if table is None else sorted(spelled(table["submitter"].dropna().unique()).values())


def commits(table: pd.DataFrame) -> bool:
    """Return whether a forecast of the category that counts is among these; they have categories."""
    return any(name_key(str(name)) == COMMIT for name in table["category"].dropna().unique())


def why_none_counts(table: pd.DataFrame) -> str:
    """Return why none of these forecasts counts, in half a sentence; empty where one can."""
    if "category" not in table.columns:
        return ""
    categories = sorted({str(name).strip() for name in table["category"].dropna().unique()}, key=name_key)
    if not categories or any(name_key(name) == COMMIT for name in categories):
        return ""
    listed = ", ".join(map(repr, categories[:3])) + (", …" if len(categories) > 3 else "")
    return f"categories exist ({listed}) but none is {COMMIT!r}, the one that counts"


def counted(table: pd.DataFrame, *, calendar: Calendar, beside: Sequence[str] = ()) -> pd.DataFrame:
    """Return the forecasts that count, one row a submitter, segment, target and month submitted in.

    Parameters
    ----------
    table : rows of `submitted_forecasts` as known; where `why_none_counts` says why, none of them counts.
    beside : more of its columns that are wanted.

    Returns
    -------
    segment, origin (period submitted in), target (period), horizon = target - origin (int64, may be negative),
    submitter, submitted_on, amount, and those beside, by submitted_on. Of the same day `commit` goes before no
    category, and the row further down before one further up.
    """
    counts = (table["segment"] != TOTAL).to_numpy(dtype=bool)
    explicit = np.zeros(len(table), dtype=bool)
    if "category" in table.columns:
        category = table["category"].str.strip().str.lower()
        explicit = (category == COMMIT).to_numpy(dtype=bool)
        counts = counts & (explicit | category.isna().to_numpy())
    order = np.lexsort([explicit, table["submitted_on"].to_numpy()])
    rows = table.iloc[order[counts[order]] if not why_none_counts(table) else []]
    origin, target = calendar.period_of(rows["submitted_on"]), parse_periods(rows["target_period"])
    names = spelled(table["submitter"].dropna().unique())
    out = pd.DataFrame(
        {
            "segment": rows["segment"].array,
            "origin": origin,
            "target": target,
            "horizon": target - origin,
            "submitter": pd.array([names[name_key(name)] for name in rows["submitter"]], dtype="str"),
            "submitted_on": rows["submitted_on"].array,
            "amount": rows["amount"].array,
            **{name: rows[name].array for name in beside},
        }
    )
    return out.drop_duplicates(["segment", "origin", "target", "submitter"], keep="last", ignore_index=True)


def submitted_by(log: Log, day: pd.Timestamp | None, *, counts: str) -> pd.DataFrame:
    """Return what segments submitted by a day, or ever; rows of the total are none.

    counts : what the category that counts is called in the mend.

    Raises DataError where the table is missing or empty, or categories exist but none is `commit`.
    """
    table = log.get(TABLE)
    if table is None or table.empty:
        raise DataError(ABSENT, table=TABLE, mend="add the amounts that people forecast")
    known = table[(table["segment"] != TOTAL).to_numpy()]
    known = known if day is None else known[(known["submitted_on"] <= day).to_numpy()]
    why = why_none_counts(known)
    if why:
        mend = f"call the {counts} {COMMIT!r}, or leave the column out"
        raise DataError(why, table=TABLE, column="category", mend=mend)
    return known


def official_forecasts(log: Log, *, as_of: pd.Timestamp | None = None) -> pd.DataFrame:
    """Return the official forecast of each segment, origin month and target month, `COLUMNS`, sorted by these three.

    Only what was submitted by `as_of`, and horizons of HORIZONS.

    Raises DataError where the table is missing, categories exist but none is `commit`, or several submit and none is
    `joint` or `sales`.
    """
    known = submitted_by(log, as_of, counts="official forecast's category")
    rows = counted(known, calendar=log.company.periods)
    rows = rows[rows["horizon"].isin(HORIZONS)]
    names = sorted(rows["submitter"].unique())
    if len(names) > 1 and not set(names) & set(OFFICIAL):
        raise DataError(
            f"several submit and none is {' or '.join(OFFICIAL)}, so none is official",
            table=TABLE,
            column="submitter",
            rows=names,
            mend=f"name the official submitter {OFFICIAL[-1]!r} or {OFFICIAL[0]!r}",
        )
    ranked = [name for name in OFFICIAL if name in names] or names
    key = ["segment", "target", "origin"]
    rows = rows.assign(rank=rows["submitter"].map({name: rank for rank, name in enumerate(ranked)}))
    rows = rows.dropna(subset=["rank"])
    rows = rows.sort_values([*key, "rank"], kind="stable").drop_duplicates(key)
    return rows[list(COLUMNS)].reset_index(drop=True)
