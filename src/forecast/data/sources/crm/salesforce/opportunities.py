"""Which columns of Salesforce become ours: of Opportunity, OpportunityHistory, OpportunityStage, User and some more.

`CRM` below is the mapping, our column -> Salesforce's; `assemble` reads what the columns mean.

In Salesforce one field, CloseDate, is the expected date while open and the date of closing afterwards; each row of
OpportunityHistory holds stage, amount, close date, probability and forecast category as they then stood.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.sources.crm.deals import Deals, choose_segment, people, rows_of, without_deleted
from forecast.data.sources.crm.export import Crm, Export, File, days, flags, moments, numbers

CRM = Crm(
    name="Salesforce",
    files=(
        File(
            role="opportunities",
            stems=("Opportunity", "Opportunities"),
            columns={
                "opportunity_id": ("Id", "OpportunityId", "Opportunity ID", "Opportunity ID 18"),
                "stage": ("StageName", "Stage"),
                "amount": ("Amount",),
                "close_date": ("CloseDate", "Close Date"),
                "created_at": ("CreatedDate", "Created Date"),
                "is_closed": ("IsClosed", "Closed"),
                "is_won": ("IsWon", "Won"),
                "deleted": ("IsDeleted",),
                "touched_at": ("LastModifiedDate", "Last Modified Date", "SystemModstamp", "_fivetran_synced"),
                "owner": ("OwnerId", "Opportunity Owner", "Owner"),
                "account_id": ("AccountId", "Account ID", "Account Name"),
                "type": ("Type",),
                "lead_source": ("LeadSource", "Lead Source"),
                "currency": ("CurrencyIsoCode", "Amount Currency", "Currency"),
                "units": ("TotalOpportunityQuantity", "Quantity"),
                "lost_reason": ("Loss_Reason__c", "Closed_Lost_Reason__c", "Lost Reason"),
                "probability": ("Probability", "Probability (%)"),
            },
            needed=("opportunity_id", "stage", "amount", "close_date", "created_at"),
            required=True,
        ),
        File(
            role="history",
            stems=("OpportunityHistory", "Opportunity History"),
            columns={
                # A connector's history of Opportunity has the deal in Id and the change in _fivetran_start;
                # Salesforce's own OpportunityHistory has OpportunityId and CreatedDate.
                "opportunity_id": ("OpportunityId", "Opportunity ID", "Id"),
                "recorded_at": ("_fivetran_start", "CreatedDate", "Created Date"),
                "stage": ("StageName", "Stage", "To Stage"),
                "amount": ("Amount",),
                "close_date": ("CloseDate", "Close Date"),
                "probability": ("Probability", "Probability (%)"),
                "forecast_category": ("ForecastCategory", "ForecastCategoryName"),
                "is_closed": ("IsClosed",),
            },
            needed=("opportunity_id", "recorded_at", "stage", "amount", "close_date"),
        ),
        File(
            role="stages",
            stems=("OpportunityStage", "OpportunityStages"),
            columns={
                "stage": ("MasterLabel", "ApiName", "StageName"),
                "position": ("SortOrder",),
                "probability": ("DefaultProbability",),
                "is_closed": ("IsClosed",),
                "is_won": ("IsWon",),
            },
            needed=("stage",),
        ),
        File(
            role="users",
            stems=("User", "Users"),
            columns={
                "owner": ("Id",),
                "name": ("Name",),
            },
            needed=("owner",),
        ),
        File(
            role="accounts",
            stems=("Account", "Accounts"),
            columns={
                "account_id": ("Id",),
            },
            needed=("account_id",),
        ),
        File(
            role="currencies",
            stems=("CurrencyType", "CurrencyTypes"),
            columns={
                "currency": ("IsoCode",),
                "rate": ("ConversionRate",),
            },
            needed=("currency", "rate"),
        ),
    ),
    segments=(
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
    frame["segment"], where_from = choose_segment(export, joined, segment_column)
    notes.append(where_from)
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
    return Deals(
        opportunities=frame,
        history=_history(export, frame, reference, timezone),
        reference=reference,
        currencies=_currencies(export),
        notes=notes,
    )


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
