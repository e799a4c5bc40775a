"""Tables in which a connector keeps every version of a row: today's count as deals, the former ones are history.

Two forms: a flag says which version holds (`_fivetran_active`), or rows are only ever added (Synapse Link), and the
highest version number, else the last change, holds.
"""

from __future__ import annotations

import pandas as pd

from forecast.data.codes import repeats
from forecast.data.sources.crm.values.reading import flags
from forecast.wording import plural


def active(frame: pd.DataFrame, table: str, notes: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the deals as they are today, and all their versions; an empty frame where the table keeps none.

    frame : opportunity_id, [active]. A deal without an active version is gone from the CRM.
    """
    if "active" not in frame or not frame["active"].notna().any():
        return frame, frame.iloc[:0]
    holds = flags(frame["active"])
    gone = frame.loc[~frame["opportunity_id"].isin(frame.loc[holds, "opportunity_id"]), "opportunity_id"].nunique()
    if not holds.all():
        notes.append(
            f"{table}: {int((~holds).sum()):,} former versions of deals are not counted as deals"
            + (f"; {plural(gone, 'deal has', 'deals have')} no active version: left out" if gone else "")
        )
    several = frame["opportunity_id"].duplicated().any()
    return frame[holds], frame if several else frame.iloc[:0]


def latest(frame: pd.DataFrame, version: pd.Series, table: str, notes: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the last version of each deal, and all versions; an empty frame where each deal stands once.

    version : what grows from version to version (a number, a moment), of the same index. Where it does not tell two
    rows of a deal apart nothing is chosen: the table is returned as it is, and its check finds the double key.
    """
    key = frame["opportunity_id"]
    if not repeats(key.astype("str")):
        return frame, frame.iloc[:0]
    double = key.duplicated(keep=False)
    if not double.any() or version[double].isna().any():
        return frame, frame.iloc[:0]
    if pd.DataFrame({"key": key, "version": version}).duplicated().any():
        return frame, frame.iloc[:0]
    ordered = frame.loc[version.sort_values(kind="stable").index]
    kept = ordered.drop_duplicates("opportunity_id", keep="last").sort_index()
    notes.append(f"{table}: {len(frame) - len(kept):,} former versions of deals are not counted as deals")
    return kept, ordered
