"""Salesforce: Opportunity, OpportunityHistory (or a connector's history of Opportunity), OpportunityStage, User, …

In Salesforce one field, CloseDate, is the expected date while open and the date of closing afterwards; each row of
OpportunityHistory holds stage, amount, close date, probability and forecast category as they then stood.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.sources.crm.export import Crm, Export, Field, File, days, flags, moments, numbers
from forecast.data.sources.crm.tables import Deals, choose_segment, people, rows_of, without_deleted

CRM = Crm(
    "Salesforce",
    (
        File(
            "opportunities",
            ("Opportunity", "Opportunities"),
            (
                Field("opportunity_id", ("Id", "OpportunityId", "Opportunity ID", "Opportunity ID 18"), required=True),
                Field("stage", ("StageName", "Stage"), required=True),
                Field("amount", ("Amount",), required=True),
                Field("close_date", ("CloseDate", "Close Date"), required=True),
                Field("created_at", ("CreatedDate", "Created Date"), required=True),
                Field("is_closed", ("IsClosed", "Closed")),
                Field("is_won", ("IsWon", "Won")),
                Field("deleted", ("IsDeleted",)),
                Field("touched_at", ("LastModifiedDate", "Last Modified Date", "SystemModstamp", "_fivetran_synced")),
                Field("owner", ("OwnerId", "Opportunity Owner", "Owner")),
                Field("account_id", ("AccountId", "Account ID", "Account Name")),
                Field("type", ("Type",)),
                Field("lead_source", ("LeadSource", "Lead Source")),
                Field("currency", ("CurrencyIsoCode", "Amount Currency", "Currency")),
                Field("units", ("TotalOpportunityQuantity", "Quantity")),
                Field("lost_reason", ("Loss_Reason__c", "Closed_Lost_Reason__c", "Lost Reason")),
                Field("probability", ("Probability", "Probability (%)")),
            ),
            required=True,
        ),
        File(
            "history",
            ("OpportunityHistory", "Opportunity History"),
            (
                # A connector's history of Opportunity has the deal in Id and the change in _fivetran_start;
                # Salesforce's own OpportunityHistory has OpportunityId and CreatedDate.
                Field("opportunity_id", ("OpportunityId", "Opportunity ID", "Id"), required=True),
                Field("recorded_at", ("_fivetran_start", "CreatedDate", "Created Date"), required=True),
                Field("stage", ("StageName", "Stage", "To Stage"), required=True),
                Field("amount", ("Amount",), required=True),
                Field("close_date", ("CloseDate", "Close Date"), required=True),
                Field("probability", ("Probability", "Probability (%)")),
                Field("forecast_category", ("ForecastCategory", "ForecastCategoryName")),
                Field("is_closed", ("IsClosed",)),
            ),
        ),
        File(
            "stages",
            ("OpportunityStage", "OpportunityStages"),
            (
                Field("stage", ("MasterLabel", "ApiName", "StageName"), required=True),
                Field("position", ("SortOrder",)),
                Field("probability", ("DefaultProbability",)),
                Field("is_closed", ("IsClosed",)),
                Field("is_won", ("IsWon",)),
            ),
        ),
        File("users", ("User", "Users"), (Field("owner", ("Id",), required=True), Field("name", ("Name",)))),
        File("accounts", ("Account", "Accounts"), (Field("account_id", ("Id",), required=True),)),
        File(
            "currencies",
            ("CurrencyType", "CurrencyTypes"),
            (
                Field("currency", ("IsoCode",), required=True),
                Field("rate", ("ConversionRate",), required=True),
            ),
        ),
    ),
    (
        ("opportunities", "Region__c"),
        ("opportunities", "Region"),
        ("opportunities", "Territory__c"),
        ("users", "Region__c"),
        ("users", "Region"),
        ("users", "Division"),
        ("accounts", "Region__c"),
        ("accounts", "Region"),
    ),
)


def assemble(export: Export, *, timezone: str, segment_column: str | None) -> Deals:
    """Return the export's deals; see `Deals`."""
    notes = export.notes
    table = export.files["opportunities"]
    deleted = flags(export.column("opportunities", "deleted"))
    frame = without_deleted(export.frames["opportunities"], deleted, notes).copy()
    joined = rows_of(frame, export, {"users": "owner", "accounts": "account_id"})
    reference = _reference(export)
    frame["outcome"] = _outcome(frame, reference)
    frame["segment"], told = choose_segment(export, joined, segment_column)
    notes.append(told)
    frame["amount"] = numbers(frame["amount"], table=table, column="amount")
    frame["created_on"] = days(frame["created_at"], timezone=timezone, table=table, column="created_on")
    frame["created_at"] = moments(frame["created_at"], table=table, column="created_on")
    touched = frame.get("touched_at", pd.Series(np.nan, index=frame.index, dtype="str"))
    frame["touched_at"] = moments(touched, table=table, column="LastModifiedDate")
    close = days(frame["close_date"], timezone=timezone, table=table, column="CloseDate")
    frame["expected_close_on"] = close
    frame["closed_on"] = close.where(frame["outcome"] != "open")
    if "owner" in frame:
        frame["owner"] = people(export, frame["owner"])
    return Deals(frame, _history(export, frame, reference, timezone), reference, _currencies(export), notes)


def _outcome(frame: pd.DataFrame, reference: pd.DataFrame | None) -> pd.Series:
    """Return won, lost or open: from IsClosed and IsWon, else from the stage."""
    if "is_closed" in frame and "is_won" in frame:
        closed, won = flags(frame["is_closed"]), flags(frame["is_won"])
        return pd.Series(np.where(won, "won", np.where(closed, "lost", "open")), index=frame.index, dtype="str")
    return meaning(frame["stage"], reference)


def meaning(stage: pd.Series, reference: pd.DataFrame | None) -> pd.Series:
    """Return what a stage means: as the CRM says, else by its name (`Closed Won`, `Closed Lost`)."""
    plain = stage.astype("str").str.lower().str.replace(r"[^a-z]", "", regex=True)
    by_name = plain.map({"closedwon": "won", "closedlost": "lost", "won": "won", "lost": "lost"}).fillna("open")
    if reference is None:
        return by_name.astype("str")
    return stage.map(reference.set_index("stage")["outcome"]).fillna(by_name).astype("str")


def _reference(export: Export) -> pd.DataFrame | None:
    stages = export.get("stages")
    if stages is None:
        return None
    table = export.files["stages"]
    out = pd.DataFrame({"stage": stages["stage"]})
    if "is_closed" in stages and "is_won" in stages:
        won, closed = flags(stages["is_won"]), flags(stages["is_closed"])
        out["outcome"] = np.where(won, "won", np.where(closed, "lost", "open"))
    else:
        out["outcome"] = meaning(stages["stage"], None)
    if "position" in stages:
        out["position"] = numbers(stages["position"], table=table, column="SortOrder")
    if "probability" in stages:
        out["probability"] = numbers(stages["probability"], table=table, column="DefaultProbability") / 100
    return out.drop_duplicates("stage")


def _history(export: Export, frame: pd.DataFrame, reference: pd.DataFrame | None, timezone: str) -> pd.DataFrame | None:
    rows = export.get("history")
    if rows is None:
        export.notes.append("no OpportunityHistory: stages, amounts and dates of past days are unknown")
        return None
    table = export.files["history"]
    history = pd.DataFrame({"opportunity_id": rows["opportunity_id"], "stage": rows["stage"]})
    history["recorded_at"] = moments(rows["recorded_at"], table=table, column="recorded_at")
    history["amount"] = numbers(rows["amount"], table=table, column="amount")
    history["expected_close_on"] = days(rows["close_date"], timezone=timezone, table=table, column="CloseDate")
    if "probability" in rows:
        history["probability"] = numbers(rows["probability"], table=table, column="Probability") / 100
    if "forecast_category" in rows:
        history["forecast_category"] = rows["forecast_category"]
    if "is_closed" in rows:
        history["closed"] = flags(rows["is_closed"])
    else:
        today = frame.drop_duplicates("stage").set_index("stage")["outcome"]
        meant = history["stage"].map(today).fillna(meaning(history["stage"], reference))
        history["closed"] = meant != "open"
    return history


def _currencies(export: Export) -> pd.DataFrame | None:
    rates = export.get("currencies")
    if rates is None:
        return None
    rate = numbers(rates["rate"], table=export.files["currencies"], column="ConversionRate")
    return pd.DataFrame({"currency": rates["currency"], "plan_rate": 1 / rate})
