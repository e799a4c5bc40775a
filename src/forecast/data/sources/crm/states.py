"""Single changes of a deal's fields -> the state after each change, as a history needs it."""

from __future__ import annotations

import numpy as np
import pandas as pd


def states(changes: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    """Turn single changes into the state after each.

    Parameters
    ----------
    changes : opportunity_id, recorded_at (UTC), field, value, [old]: one row a change of one field. With `old`, what
        stood before the first change is known from it, and a field that never changed has today's value throughout;
        without, it was empty before its first row.
    deals : opportunity_id, created_at, and today's value of each field.

    Returns opportunity_id, recorded_at, and a column per field of `changes`; values as text. The first row is the state
    at creation.
    """
    changes = changes[changes["opportunity_id"].isin(deals["opportunity_id"])]
    changes = changes.sort_values(["opportunity_id", "recorded_at"], kind="stable")
    fields = sorted(changes["field"].unique())
    key = ["opportunity_id", "recorded_at"]
    # A change to nothing is distinguished from "not changed here" until the states have been carried forward.
    value = changes["value"].astype(object).where(changes["value"].notna(), "")
    wide = (
        changes.assign(value=value)
        .pivot_table(index=key, columns="field", values="value", aggfunc="last")
        .reset_index()
    )
    today = deals.drop_duplicates("opportunity_id").set_index("opportunity_id")
    touched = wide["opportunity_id"].unique()
    start = pd.DataFrame({"opportunity_id": touched, "recorded_at": today["created_at"].reindex(touched).to_numpy()})
    start["recorded_at"] = pd.to_datetime(start["recorded_at"], utc=True).astype("datetime64[us, UTC]")
    first = wide.drop_duplicates("opportunity_id").set_index("opportunity_id")["recorded_at"]
    start = start[start["recorded_at"].notna() & (start["recorded_at"] < first.reindex(start["opportunity_id"]).array)]
    if "old" in changes:
        before = changes.drop_duplicates(["opportunity_id", "field"]).set_index(["opportunity_id", "field"])["old"]
        for name in fields:
            pairs = pd.MultiIndex.from_product([start["opportunity_id"], [name]])
            known = pairs.isin(before.index)
            then = before.reindex(pairs).to_numpy(dtype=object)
            now = today[name].reindex(start["opportunity_id"]).to_numpy(dtype=object) if name in today else then
            start[name] = np.where(known, then, now)
            start[name] = start[name].where(start[name].notna(), "")
    table = pd.concat([start, wide], ignore_index=True).sort_values(key, kind="stable")
    table[fields] = table.groupby("opportunity_id")[fields].ffill()
    table = table.drop_duplicates(key, keep="last", ignore_index=True)
    for name in fields:
        table[name] = table[name].where(table[name] != "").astype("str")
    return table.rename_axis("state")


def with_unrecorded(history: pd.DataFrame, deals: pd.DataFrame, at: pd.Timestamp, names: list[str]) -> pd.DataFrame:
    """Give a history the fields it does not record, without letting today's values reach the past.

    A field in `names` is empty while a deal is open, has today's value from its closing row on, and an open deal gets
    one more row, at the time of the export, with today's state.
    """
    today = deals.set_index("opportunity_id")
    table = history.copy()
    closed = table["closed"].to_numpy()
    for name in names:
        now = table["opportunity_id"].map(today[name])
        table[name] = now.where(closed)
    still = deals[(deals["outcome"] == "open") & deals["opportunity_id"].isin(table["opportunity_id"])]
    last = table.drop_duplicates("opportunity_id", keep="last").set_index("opportunity_id")
    extra = last.reindex(still["opportunity_id"]).reset_index()
    for name in names:
        extra[name] = still[name].to_numpy()
    extra["recorded_at"] = at
    extra = extra[extra["opportunity_id"].map(last["recorded_at"]) < at]
    return pd.concat([table, extra], ignore_index=True).sort_values(["opportunity_id", "recorded_at"], kind="stable")
