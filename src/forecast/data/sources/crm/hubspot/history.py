"""What HubSpot knew of its deals on past days: from whichever history the export has.

The best is the history of properties, a row a change of one property. Without it: the daily history that connectors'
models make of it, a row a deal and day; the versions a connector keeps of each deal; the history of stages alone. Each
becomes the same frame: the state of a deal after each change, as text.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.codes import distinct, translated
from forecast.data.sources.crm.export import Export
from forecast.data.sources.crm.values.dates import days, moments
from forecast.data.sources.crm.values.ids import are_among
from forecast.data.sources.crm.values.names import plain
from forecast.data.sources.crm.values.reading import Reading
from forecast.data.sources.crm.values.states import states, with_unrecorded

# Properties of the history that a forecast needs, by their internal name or label, and what we call them.
_PROPERTIES = {
    "dealstage": "stage_id",
    "pipeline": "pipeline",
    "amount": "amount",
    "amountinhomecurrency": "amount_home",
    "amountincompanycurrency": "amount_home",
    "dealcurrencycode": "currency",
    "currency": "currency",
    "closedate": "close_date",
    "hubspotownerid": "owner",
    "dealowner": "owner",
    "hsmanualforecastcategory": "forecast_category",
    "forecastcategory": "forecast_category",
}
_TRACKED = ("stage_id", "pipeline", "amount", "amount_home", "currency", "close_date", "owner", "forecast_category")


def known_states(
    export: Export, deals: pd.DataFrame, versions: pd.DataFrame, readings: dict[str, Reading]
) -> pd.DataFrame:
    """Return opportunity_id, recorded_at (UTC) and the fields of the best history there is; empty where there is none.

    deals : the export's deals. versions : all rows of their file where a connector keeps versions of a deal, else none.
    readings : role -> how its file is read.
    """
    for found in (
        _of_properties(export, deals, readings.get("properties")),
        _of_days(export, readings.get("daily")),
        _of_versions(versions, readings["opportunities"], export.notes),
        _of_stages(export, readings.get("stage_history")),
    ):
        if found is not None and are_among(found["opportunity_id"], deals["opportunity_id"]).any():
            history = found[found["stage_id"].notna()] if "stage_id" in found else found.iloc[:0]
            if len(history):
                return history
    export.notes.append("no history of dealstage for these deals: stages, amounts and dates of past days are unknown")
    return pd.DataFrame({"opportunity_id": pd.Series(dtype="str")})


def _of_properties(export: Export, deals: pd.DataFrame, reading: Reading | None) -> pd.DataFrame | None:
    rows = export.get("properties")
    if rows is None or reading is None:
        return None
    field = translated(rows["property"], {name: _PROPERTIES.get(plain(name)) for name in distinct(rows["property"])})
    if not (field == "stage_id").any():
        export.notes.append(f"{reading.table}: no row of the property dealstage, not brought over")
        return None
    taken = rows[field.notna()]
    column = export.columns["properties"]["recorded_at"]
    changes = taken[["opportunity_id", "value"]].assign(
        field=field[field.notna()], recorded_at=moments(taken["recorded_at"], reading, column=column)
    )
    return states(changes, deals)


def _of_days(export: Export, reading: Reading | None) -> pd.DataFrame | None:
    """Return the days on which something changed; what a day's row holds is known by the end of that day."""
    rows = export.get("daily")
    if rows is None or reading is None:
        return None
    day = days(rows["day"], reading, column=export.columns["daily"]["day"])
    rows = rows.assign(day=day).sort_values(["opportunity_id", "day"], kind="stable")
    tracked = [name for name in _TRACKED if name in rows]
    previous = rows.groupby("opportunity_id", sort=False)[tracked].shift()
    same = ((rows[tracked] == previous) | (rows[tracked].isna() & previous.isna())).all(axis=1)
    first = ~rows["opportunity_id"].duplicated()
    kept = rows[first | ~same]
    evening = kept["day"] + pd.Timedelta(days=1) - pd.Timedelta(seconds=1)
    local = evening.dt.tz_localize(reading.timezone, ambiguous=False, nonexistent="shift_forward")
    export.notes.append(f"{reading.table}: a row a deal and day; what it holds is known by the end of that day")
    at = local.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
    return kept[["opportunity_id", *tracked]].assign(recorded_at=at).rename_axis("state")


def _of_versions(versions: pd.DataFrame, reading: Reading, notes: list[str]) -> pd.DataFrame | None:
    if versions.empty or "version_from" not in versions:
        return None
    tracked = [name for name in _TRACKED if name in versions]
    at = moments(versions["version_from"], reading, column="_fivetran_start")
    known = versions[["opportunity_id", *tracked]].assign(recorded_at=at)
    notes.append(f"{reading.table}: {len(versions):,} versions of deals are taken as their history")
    return known.sort_values(["opportunity_id", "recorded_at"], kind="stable").rename_axis("state")


def _of_stages(export: Export, reading: Reading | None) -> pd.DataFrame | None:
    rows = export.get("stage_history")
    if rows is None or reading is None:
        return None
    at = moments(rows["recorded_at"], reading, column=export.columns["stage_history"]["recorded_at"])
    known = rows[["opportunity_id"]].assign(stage_id=rows["value"], recorded_at=at)
    return known.sort_values(["opportunity_id", "recorded_at"], kind="stable").rename_axis("state")


def merged_away(export: Export, deals: pd.DataFrame) -> pd.Series:
    """Return which deals were merged into another one that is there: with both, their amounts would count twice."""
    into: dict[str, set[str]] = {}
    rows = export.get("merged")
    if rows is not None:
        for survivor, gone in zip(rows["opportunity_id"], rows["merged_id"], strict=True):
            into.setdefault(str(gone), set()).add(str(survivor))
    if "merged_ids" in deals:
        listed = deals["merged_ids"].dropna().str.findall(r"\d+")
        for survivor, ids in zip(deals.loc[listed.index, "opportunity_id"], listed, strict=True):
            for gone in ids:
                into.setdefault(gone, set()).add(str(survivor))
    if not into:
        return pd.Series(False, index=deals.index)
    there = set(deals["opportunity_id"])
    gone = {deal for deal, survivors in into.items() if survivors & there - {deal}}
    return deals["opportunity_id"].isin(gone)


def completed(history: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Give the history of stages the amounts and dates it does not record."""
    absent = [name for name in ("amount", "expected_close_on") if name not in history]
    if not absent:
        return history
    latest = [frame["touched_at"].max(), history["recorded_at"].max(), frame["created_at"].max()]
    at = max(moment for moment in latest if pd.notna(moment))
    return with_unrecorded(history, frame, at, absent)


def shared_labels(stage: pd.Series, pipeline: pd.Series | None) -> set[str]:
    """Return the stages that deals of several pipelines stand in, where no bracket says the pipeline already."""
    if pipeline is None:
        return set()
    pairs = pd.DataFrame({"stage": stage, "pipeline": pipeline}).dropna().drop_duplicates()
    pairs = pairs[~pairs["stage"].str.endswith(")")]
    return set(pairs.loc[pairs["stage"].duplicated(keep=False), "stage"])


def apart(stage: pd.Series, pipeline: pd.Series | None, shared: set[str]) -> pd.Series:
    """Return the stages with the pipeline in brackets behind those that several pipelines share."""
    if not shared or pipeline is None:
        return stage
    mixed = stage.isin(shared) & pipeline.notna()
    return pd.Series(np.where(mixed, stage + " (" + pipeline.fillna("") + ")", stage), index=stage.index, dtype="str")
