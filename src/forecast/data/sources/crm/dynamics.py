"""Which columns of Dynamics 365 Sales (Dataverse) become ours: opportunity, audit, systemuser, account, currencies.

`CRM` below is the mapping, our column -> Dataverse's; `assemble` reads what the columns mean.

statecode is 0 open, 1 won, 2 lost. The amount is estimatedvalue while open, actualvalue once won. The audit has either
one row a changed column (attribute, oldvalue, newvalue) or, as Dataverse stores it, `changedata` with the changed
attributes as JSON.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from forecast.data.sources.crm.deals import Deals, choose_segment, people, rows_of
from forecast.data.sources.crm.export import Crm, Export, File, days, found, moments, numbers
from forecast.data.sources.crm.states import states
from forecast.errors import DataError

CRM = Crm(
    name="Dynamics 365",
    files=(
        File(
            role="opportunities",
            stems=("opportunity", "opportunities", "opportunityset"),
            columns={
                "opportunity_id": ("opportunityid",),
                "state": ("statecode", "Status"),
                "estimated": ("estimatedvalue_base", "estimatedvalue", "Est. Revenue"),
                "actual": ("actualvalue_base", "actualvalue", "Actual Revenue"),
                "expected": ("estimatedclosedate", "Est. Close Date"),
                "closed": ("actualclosedate", "Actual Close Date"),
                "created_at": ("createdon", "Created On"),
                "stage": ("stepname", "salesstage@FormattedValue", "salesstage_name", "salesstage", "Pipeline Phase"),
                "touched_at": ("modifiedon", "Modified On"),
                "owner": ("_ownerid_value", "ownerid", "Owner"),
                "account_id": ("_parentaccountid_value", "parentaccountid", "_customerid_value", "Account"),
                "type": ("opportunitytypecode_name", "msdyn_ordertype"),
                "lead_source": ("_campaignid_value", "campaignid", "leadsourcecode_name"),
                "currency": ("_transactioncurrencyid_value", "transactioncurrencyid"),
                "lost_reason": ("statuscode_name", "Status Reason"),
                "probability": ("closeprobability",),
            },
            needed=("opportunity_id", "state", "estimated", "expected", "closed", "created_at"),
            required=True,
        ),
        File(
            role="audit",
            stems=("audit", "audits", "opportunity_audit"),
            columns={
                "opportunity_id": ("_objectid_value", "objectid"),
                "recorded_at": ("createdon",),
                "attribute": ("attribute", "attributename", "logicalname", "Changed Field"),
                "old": ("oldvalue", "Old Value"),
                "new": ("newvalue", "New Value"),
                "changes": ("changedata",),
            },
            needed=("opportunity_id", "recorded_at"),
        ),
        File(
            role="users",
            stems=("systemuser", "systemusers"),
            columns={
                "owner": ("systemuserid",),
                "name": ("fullname", "Full Name"),
            },
            needed=("owner",),
        ),
        File(
            role="accounts",
            stems=("account", "accounts"),
            columns={
                "account_id": ("accountid",),
            },
            needed=("account_id",),
        ),
        File(
            role="currencies",
            stems=("transactioncurrency", "transactioncurrencies"),
            columns={
                "id": ("transactioncurrencyid",),
                "code": ("isocurrencycode",),
                "rate": ("exchangerate",),
            },
            needed=("id", "code", "rate"),
        ),
    ),
    segments=(
        ("users", "_territoryid_value@FormattedValue"),
        ("users", "territoryid"),
        ("users", "_businessunitid_value@FormattedValue"),
        ("users", "businessunitid"),
        ("accounts", "_territoryid_value@FormattedValue"),
        ("accounts", "territoryid"),
        ("opportunities", "_owningbusinessunit_value@FormattedValue"),
        ("opportunities", "owningbusinessunit"),
    ),
)

_STATES = {"0": "open", "1": "won", "2": "lost", "open": "open", "won": "won", "lost": "lost"}
_ATTRIBUTES = {
    "stepname": "stage",
    "estimatedvalue": "estimated",
    "actualvalue": "actual",
    "estimatedclosedate": "expected",
    "statecode": "state",
    "ownerid": "owner",
}


def assemble(export: Export, *, timezone: str, segment_column: str | None) -> Deals:
    """Return the export's deals; see `Deals`."""
    notes = export.notes
    table = export.files["opportunities"]
    frame = export.frames["opportunities"].copy()
    joined = rows_of(frame, export, {"users": "owner", "accounts": "account_id"})
    for name in ("actual", "stage", "touched_at"):
        if name not in frame:
            frame[name] = pd.Series(np.nan, index=frame.index, dtype="str")
    frame["outcome"] = _outcome(frame["state"], table)
    frame["created_at"] = moments(frame["created_at"], table=table, column="createdon")
    history = _history(export, frame, timezone)
    frame["segment"], where_from = choose_segment(export, joined, segment_column)
    notes.append(where_from)
    frame["amount"] = _amount(frame["estimated"], frame["actual"], frame["outcome"], table)
    frame["created_on"] = frame["created_at"].dt.tz_convert(timezone).dt.tz_localize(None).dt.normalize()
    frame["touched_at"] = moments(frame["touched_at"], table=table, column="modifiedon")
    frame["expected_close_on"] = days(frame["expected"], timezone=timezone, table=table, column="estimatedclosedate")
    closed = days(frame["closed"], timezone=timezone, table=table, column="actualclosedate")
    frame["closed_on"] = closed.where(frame["outcome"] != "open")
    frame["stage"] = _closing(frame["stage"], frame["outcome"])
    if "owner" in frame:
        frame["owner"] = people(export, frame["owner"])
    if "lost_reason" in frame:
        frame["lost_reason"] = frame["lost_reason"].where(frame["outcome"] == "lost")
    frame, currencies = _currency(export, frame)
    return Deals(opportunities=frame, history=history, currencies=currencies, notes=notes)


def _outcome(state: pd.Series, table: str) -> pd.Series:
    outcome = state.astype("str").str.lower().map(_STATES)
    bad = outcome.index[outcome.isna()]
    if len(bad):
        raise DataError(
            "is none of 0 (open), 1 (won), 2 (lost)",
            table=table,
            column="statecode",
            rows=found(state, bad),
            count=len(bad),
            mend="export statecode as its number or its English label",
        )
    return outcome.astype("str")


def _closing(stage: pd.Series, outcome: pd.Series) -> pd.Series:
    """Return the stage, `Won` or `Lost` where it is closed: Dynamics leaves a deal in the phase it closed from."""
    return stage.where(outcome == "open", outcome.map({"won": "Won", "lost": "Lost"})).astype("str")


def _amount(estimated: pd.Series, actual: pd.Series, outcome: pd.Series, table: str) -> pd.Series:
    """Return actualvalue where won and given, else estimatedvalue."""
    value = numbers(estimated, table=table, column="estimatedvalue")
    booked = numbers(actual, table=table, column="actualvalue")
    return booked.where((outcome == "won") & booked.notna(), value)


def _history(export: Export, frame: pd.DataFrame, timezone: str) -> pd.DataFrame | None:
    changes = _changes(export)
    if changes is None or not changes["opportunity_id"].isin(frame["opportunity_id"]).any():
        export.notes.append("no audit of these opportunities: stages, amounts and dates of past days are unknown")
        return None
    if "estimated" in frame and export.raw["opportunities"].filter(like="estimatedvalue_base").size:
        export.notes.append("amounts are in the base currency; the audit has them as entered")
    today = frame[["opportunity_id", "created_at", "stage", "estimated", "actual", "expected", "state"]]
    history = states(changes, today.assign(owner=frame.get("owner")))
    whole = today.set_index("opportunity_id")
    for name in ("stage", "estimated", "actual", "expected", "state"):
        if name not in history:  # audited throughout, and never changed
            history[name] = history["opportunity_id"].map(whole[name])
    table = export.files["audit"]
    history["state"] = history["state"].where(history["state"].notna(), "0")
    outcome = _outcome(history["state"], table)
    history["closed"] = outcome != "open"
    history["amount"] = _amount(history["estimated"], history["actual"], outcome, table)
    expected = days(history["expected"], timezone=timezone, table=table, column="estimatedclosedate")
    history["expected_close_on"] = expected
    history["stage"] = _closing(history["stage"], outcome)
    if "owner" in history:
        history["owner"] = people(export, history["owner"])
    return history


def _changes(export: Export) -> pd.DataFrame | None:
    """Return opportunity_id, recorded_at, field, old, value: a row a changed attribute."""
    rows = export.get("audit")
    if rows is None:
        return None
    table = export.files["audit"]
    rows = rows.assign(recorded_at=moments(rows["recorded_at"], table=table, column="createdon"))
    if "attribute" in rows and "new" in rows:
        changes = rows.rename(columns={"new": "value"})
    elif "changes" in rows:
        changes = _unpacked(rows, table)
    else:
        raise DataError(
            "has neither attribute, oldvalue, newvalue nor changedata",
            table=table,
            mend="export the audit with changedata, or a row a changed column",
        )
    if "old" not in changes:
        changes = changes.assign(old=np.nan)
    changes = changes.assign(field=changes["attribute"].str.lower().map(_ATTRIBUTES))
    return changes.loc[changes["field"].notna(), ["opportunity_id", "recorded_at", "field", "old", "value"]]


def _unpacked(rows: pd.DataFrame, table: str) -> pd.DataFrame:
    """Return a row a changed attribute: {"changedAttributes": [{"logicalName": …, "oldValue": …, "newValue": …}]}."""
    recorded = rows[rows["changes"].notna()]
    try:
        lists = [json.loads(text).get("changedAttributes", []) for text in recorded["changes"]]
        unpacked = [
            (number, change["logicalName"], change.get("oldValue"), change.get("newValue"))
            for number, changed in zip(recorded.index, lists, strict=True)
            for change in changed
        ]
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise DataError(
            "cannot be read as the JSON of changed attributes",
            table=table,
            column="changedata",
            mend="export the audit as Dataverse stores it, or a row a changed column (attribute, oldvalue, newvalue)",
        ) from error
    flat = pd.DataFrame(unpacked, columns=["row", "attribute", "old", "value"])
    for name in ("old", "value"):
        flat[name] = flat[name].map(lambda value: None if pd.isna(value) else str(value)).astype("str")
    return flat.join(recorded[["opportunity_id", "recorded_at"]], on="row")


def _currency(export: Export, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return the currencies by their code, with plan rates; nothing where the amounts are in the base currency."""
    columns = [str(name) for name in export.raw["opportunities"].columns]
    if "estimatedvalue_base" in columns or "currency" not in frame:
        return frame.drop(columns="currency", errors="ignore"), None
    rates = export.get("currencies")
    if rates is None:
        return frame, None
    code = frame["currency"].map(rates.drop_duplicates("id").set_index("id")["code"]).fillna(frame["currency"])
    rate = numbers(rates["rate"], table=export.files["currencies"], column="exchangerate")
    table = pd.DataFrame({"currency": rates["code"], "plan_rate": 1 / rate}).drop_duplicates("currency")
    return frame.assign(currency=code), table
