"""Which columns of HubSpot become ours: deals, pipeline stages, the history of properties (or of stages alone).

`CRM` below is the mapping, our column -> HubSpot's; `assemble` reads what the columns mean.

A deal's stage is an identifier; the pipeline's stages say its name, its order and whether it closes. closedate is the
expected date while open and the date of closing afterwards. The property history has one row a change of one property.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.sources.crm.deals import (
    Deals,
    choose_segment,
    people,
    rows_of,
    without_deleted,
)
from forecast.data.sources.crm.export import Crm, Export, File, days, flags, moments, numbers
from forecast.data.sources.crm.states import states, with_unrecorded

CRM = Crm(
    name="HubSpot",
    files=(
        File(
            role="opportunities",
            stems=("deal", "deals", "all-deals", "hubspot-crm-exports-all-deals"),
            columns={
                "opportunity_id": ("deal_id", "hs_object_id", "Record ID", "id"),
                "stage_id": ("dealstage", "deal_pipeline_stage_id", "Deal Stage"),
                # The amount in the home currency, where the account has several: then no currency is needed.
                "amount": ("amount_in_home_currency", "amount", "Amount in company currency"),
                "close_date": ("closedate", "Close Date"),
                "created_at": ("createdate", "hs_createdate", "Create Date"),
                "is_closed": ("hs_is_closed",),
                "is_won": ("hs_is_closed_won",),
                "deleted": ("is_deleted", "archived", "_fivetran_deleted"),
                "touched_at": ("hs_lastmodifieddate", "Last Modified Date", "_fivetran_synced"),
                "owner": ("hubspot_owner_id", "owner_id", "Deal owner"),
                "account_id": ("hs_primary_associated_company", "Associated Company IDs", "Associated Company"),
                "type": ("dealtype", "Deal Type"),
                "lead_source": ("hs_analytics_source", "Original Traffic Source", "Original Source Type"),
                "lost_reason": ("closed_lost_reason", "Closed Lost Reason"),
                "pipeline": ("pipeline", "deal_pipeline_id", "Pipeline"),
            },
            needed=("opportunity_id", "stage_id", "amount", "close_date", "created_at"),
            required=True,
        ),
        File(
            role="stages",
            stems=("deal_pipeline_stage", "deal_pipeline_stages", "pipeline_stages"),
            columns={
                "stage_id": ("stage_id", "id"),
                "stage": ("label", "stage_name"),
                "pipeline": ("pipeline_id",),
                "position": ("display_order",),
                "probability": ("probability",),
                "is_closed": ("is_closed",),
                "is_won": ("closed_won",),
            },
            needed=("stage_id", "stage"),
        ),
        File(
            role="properties",
            stems=("deal_property_history", "deal_properties_history"),
            columns={
                "opportunity_id": ("deal_id", "objectId", "Record ID"),
                "recorded_at": ("timestamp",),
                "property": ("name", "property"),
                "value": ("value",),
            },
            needed=("opportunity_id", "recorded_at", "property", "value"),
        ),
        File(
            role="stage_history",
            stems=("deal_stage", "deal_stages"),
            columns={
                "opportunity_id": ("deal_id",),
                "recorded_at": ("date_entered", "_fivetran_start"),
                "value": ("value",),
            },
            needed=("opportunity_id", "recorded_at", "value"),
        ),
        File(
            role="pipelines",
            stems=("deal_pipeline", "deal_pipelines"),
            columns={
                "pipeline": ("pipeline_id", "id"),
                "label": ("label",),
            },
            needed=("pipeline",),
        ),
        File(
            role="users",
            stems=("owner", "owners"),
            columns={
                "owner": ("owner_id", "id"),
                "name": ("name", "email"),
            },
            needed=("owner",),
        ),
        File(
            role="accounts",
            stems=("company", "companies"),
            columns={
                "account_id": ("company_id", "id", "Record ID"),
            },
            needed=("account_id",),
        ),
    ),
    segments=(
        ("opportunities", "region"),
        ("opportunities", "territory"),
        ("users", "region"),
        ("users", "team"),
        ("accounts", "region"),
        ("pipelines", "label"),
        ("opportunities", "pipeline"),
        ("opportunities", "deal_pipeline_id"),
    ),
)

# Properties of the history that a forecast needs, and what we call them.
_PROPERTIES = {
    "dealstage": "stage_id",
    "amount": "amount",
    "closedate": "close_date",
    "hubspot_owner_id": "owner",
    "hs_manual_forecast_category": "forecast_category",
}
_CLOSING = {"closedwon": "won", "closedlost": "lost"}


def assemble(export: Export, *, timezone: str, segment_column: str | None) -> Deals:
    """Return the export's deals; see `Deals`."""
    notes = export.notes
    table = export.files["opportunities"]
    deleted = flags(export.column("opportunities", "deleted"))
    frame = without_deleted(export.frames["opportunities"], deleted, notes).copy()
    joined = rows_of(frame, export, {"users": "owner", "accounts": "account_id", "pipelines": "pipeline"})
    names = _stage_names(export)
    reference = None if names is None else names.drop_duplicates("stage")
    frame["created_at"] = moments(frame["created_at"], table=table, column="createdate")
    history = _history(export, frame, names, timezone)
    frame["stage"] = _named(frame["stage_id"], names)
    frame["outcome"] = _outcome(frame, names)
    frame["segment"], where_from = choose_segment(export, joined, segment_column)
    notes.append(where_from)
    frame["amount"] = numbers(frame["amount"], table=table, column="amount")
    frame["created_on"] = frame["created_at"].dt.tz_convert(timezone).dt.tz_localize(None).dt.normalize()
    touched = frame.get("touched_at", pd.Series(np.nan, index=frame.index, dtype="str"))
    frame["touched_at"] = moments(touched, table=table, column="hs_lastmodifieddate")
    close = days(frame["close_date"], timezone=timezone, table=table, column="closedate")
    frame["expected_close_on"] = close
    frame["closed_on"] = close.where(frame["outcome"] != "open")
    if "owner" in frame:
        frame["owner"] = people(export, frame["owner"])
    if history is not None and "owner" in history:
        history["owner"] = people(export, history["owner"])
    if history is not None:
        history = _completed(history, frame)
    return Deals(opportunities=frame, history=history, reference=reference, notes=notes)


def _stage_names(export: Export) -> pd.DataFrame | None:
    """Return stage_id, stage, outcome, [position, probability]; a name that two pipelines share gets the pipeline's."""
    rows = export.get("stages")
    if rows is None:
        return None
    table = export.files["stages"]
    out = pd.DataFrame({"stage_id": rows["stage_id"], "stage": rows["stage"].fillna(rows["stage_id"])})
    if "pipeline" in rows:
        shared = out["stage"].duplicated(keep=False)
        out["stage"] = out["stage"].where(~shared, out["stage"] + " (" + rows["pipeline"].fillna("") + ")")
    if "is_won" in rows:
        won = flags(rows["is_won"])
        closed = flags(rows["is_closed"]) if "is_closed" in rows else won
        if "probability" in rows:  # HubSpot's older exports have no is_closed: a stage at 0 % is a lost one
            closed |= rows["stage"].astype("str").str.lower().str.contains("lost") & (rows["probability"] == "0.0")
        out["outcome"] = np.where(won, "won", np.where(closed, "lost", "open"))
    else:
        out["outcome"] = out["stage_id"].map(_CLOSING).fillna("open")
    if "position" in rows:
        out["position"] = numbers(rows["position"], table=table, column="display_order")
    if "probability" in rows:
        out["probability"] = numbers(rows["probability"], table=table, column="probability")
    return out.drop_duplicates("stage_id")


def _named(ids: pd.Series, names: pd.DataFrame | None) -> pd.Series:
    """Return the stages' names, the identifier where the export has none."""
    if names is None:
        return ids.astype("str")
    return ids.map(names.set_index("stage_id")["stage"]).fillna(ids).astype("str")


def _meaning(ids: pd.Series, names: pd.DataFrame | None) -> pd.Series:
    plain = ids.astype("str").str.lower().str.replace(r"[^a-z]", "", regex=True)
    by_name = plain.map(_CLOSING).fillna("open")
    if names is None:
        return by_name.astype("str")
    by_id, by_label = (
        names.set_index("stage_id")["outcome"],
        names.drop_duplicates("stage").set_index("stage")["outcome"],
    )
    return ids.map(by_id).fillna(ids.map(by_label)).fillna(by_name).astype("str")


def _outcome(frame: pd.DataFrame, names: pd.DataFrame | None) -> pd.Series:
    if "is_closed" in frame and "is_won" in frame:
        closed, won = flags(frame["is_closed"]), flags(frame["is_won"])
        return pd.Series(np.where(won, "won", np.where(closed, "lost", "open")), index=frame.index, dtype="str")
    return _meaning(frame["stage_id"], names)


def _history(export: Export, frame: pd.DataFrame, names: pd.DataFrame | None, timezone: str) -> pd.DataFrame | None:
    changes = _changes(export)
    if changes is None or not changes["opportunity_id"].isin(frame["opportunity_id"]).any():
        export.notes.append(
            "no history of dealstage for these deals: stages, amounts and dates of past days are unknown"
        )
        return None
    history = states(changes, frame)
    if "stage_id" not in history:
        return None
    history = history[history["stage_id"].notna()]
    history["closed"] = _meaning(history["stage_id"], names) != "open"
    history["stage"] = _named(history["stage_id"], names)
    table = export.files.get("properties", "")
    if "amount" in history:
        history["amount"] = numbers(history["amount"], table=table, column="amount")
    if "close_date" in history:
        close = days(history["close_date"], timezone=timezone, table=table, column="closedate")
        history["expected_close_on"] = close
    return history


def _changes(export: Export) -> pd.DataFrame | None:
    """Return the changes of single fields: from the property history, else from the history of stages."""
    rows = export.get("properties")
    if rows is not None:
        known = rows["property"].isin(list(_PROPERTIES))
        if (rows["property"] == "dealstage").any():
            taken = rows[known]
            changes = taken[["opportunity_id", "value"]].assign(field=taken["property"].map(_PROPERTIES))
            at = moments(taken["recorded_at"], table=export.files["properties"], column="timestamp")
            return changes.assign(recorded_at=at)
        export.notes.append(f"{export.files['properties']}: no row of the property dealstage, not brought over")
    rows = export.get("stage_history")
    if rows is None:
        return None
    at = moments(rows["recorded_at"], table=export.files["stage_history"], column="date_entered")
    return rows[["opportunity_id", "value"]].assign(field="stage_id", recorded_at=at)


def _completed(history: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Give the history of stages the amounts and dates it does not record."""
    absent = [name for name in ("amount", "expected_close_on") if name not in history]
    if not absent:
        return history
    latest = [frame["touched_at"].max(), history["recorded_at"].max(), frame["created_at"].max()]
    at = max(moment for moment in latest if pd.notna(moment))
    return with_unrecorded(history, frame, at, absent)
