"""What was known on past days, from whichever record of it the export has.

In this order: OpportunityHistory (each row holds the whole state), a connector's versions of Opportunity, the daily
history of a warehouse model; else the field history (Field, OldValue, NewValue), of which the states are put together.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pyarrow as pa

from forecast.data.sources.crm.base_currency import Conversion, in_company_currency
from forecast.data.sources.crm.deals import people
from forecast.data.sources.crm.export import Export, File
from forecast.data.sources.crm.salesforce.labels import labels
from forecast.data.sources.crm.values.dates import days, moments
from forecast.data.sources.crm.values.names import plain
from forecast.data.sources.crm.values.numbers import numbers, shares
from forecast.data.sources.crm.values.reading import Reading, flags
from forecast.data.sources.crm.values.stages import outcomes
from forecast.data.sources.crm.values.states import recording_began, states, with_unchanged, with_unrecorded

CONVERTED = (
    "convertCurrency(Amount)",
    "Amount (converted)",
    "AmountConverted",
    "Converted Amount",
    "To Amount (converted)",
    "Amount (corporate currency)",
    "Amount in corporate currency",
    *labels("converted"),
)
"""What Salesforce calls the amount in the company's currency."""

FILES = (
    File(
        role="history",
        stems=(
            "OpportunityHistory",
            "Opportunity History",
            "OpportunityHistories",
            "opportunity_daily_history",
            "opportunity_stage_history",
        ),
        columns={
            # A connector's history of Opportunity has the deal in Id and the change in _fivetran_start; Salesforce's
            # own has OpportunityId and CreatedDate; in its report the deal's own Created Date may stand beside.
            "opportunity_id": ("OpportunityId", "Opportunity ID", "Opportunity ID 18", "Id", "Opportunity Name"),
            "recorded_at": (
                "_fivetran_start",
                "date_day",
                "Last Modified",
                "CreatedDate",
                "Edit Date",
                "Created Date",
                "Last Modified Date",
            ),
            "stage": ("StageName", "To Stage", "Stage"),
            "amount": (*CONVERTED, "To Amount", "Amount"),
            "close_date": ("CloseDate", "To Close Date", "Close Date"),
            "probability": ("Probability", "To Probability (%)", "Probability (%)"),
            "forecast_category": ("ForecastCategory", "ForecastCategoryName", "To Forecast Category"),
            "is_closed": ("IsClosed",),
            "currency": ("CurrencyIsoCode", "Amount Currency", "Currency"),
        },
        needed=("opportunity_id", "recorded_at", "stage"),
        marks=("From Stage", "To Stage"),
        kinds={
            "opportunity_id": "key",
            "recorded_at": "moment",
            "amount": "number",
            "close_date": "day",
            "probability": "number",
        },
    ),
    File(
        role="field_history",
        stems=("OpportunityFieldHistory", "Opportunity Field History", "OpportunityFieldHistories"),
        columns={
            "opportunity_id": (
                "OpportunityId",
                "Opportunity ID",
                "Opportunity ID 18",
                *labels("opportunity_id"),
                "Opportunity Name",
                *labels("name"),
            ),
            "recorded_at": ("CreatedDate", "Edit Date", "Created Date", "Last Modified", *labels("edited_at")),
            "field": ("Field", "Field / Event", "FieldName", "Field Name", *labels("field")),
            "old": ("OldValue", "Old Value", *labels("old")),
            "value": ("NewValue", "New Value", *labels("value")),
        },
        needed=("opportunity_id", "recorded_at", "field"),
        marks=("Field / Event", "NewValue", *labels("field")),
        kinds={"opportunity_id": "key", "recorded_at": "moment"},
    ),
)

_FIELDS = {
    "stagename": "stage",
    "stage": "stage",
    "amount": "amount",
    "closedate": "close_date",
    "probability": "probability",
    "forecastcategoryname": "forecast_category",
    "forecastcategory": "forecast_category",
    "owner": "owner",
    "ownerid": "owner",
    "opportunityowner": "owner",
    "currencyisocode": "currency",
    "opportunitycurrency": "currency",
    **{
        plain(name): ours for ours in ("stage", "amount", "close_date", "probability", "owner") for name in labels(ours)
    },
}
_CONVERTED = {plain(name) for name in CONVERTED}
_USER_ID = r"005[A-Za-z0-9]{12}(?:[A-Z0-5]{3})?"
_NO_HISTORY = "stages, amounts and dates of past days are unknown"


def past(
    export: Export,
    frame: pd.DataFrame,
    *,
    declared: Mapping[str, str],
    done: Conversion | None,
    versions: pd.DataFrame | None,
) -> pd.DataFrame | None:
    """Return the history of the deals; None where the export has none that can be used.

    Parameters
    ----------
    frame : the deals: opportunity_id, stage, outcome, amount, entered (in the deal's own currency), expected_close_on,
        closed_on, created_at, touched_at, [owner, own_currency].
    declared : stage -> outcome as the CRM says.
    done : how amounts became the company's currency; None where they are in the deals' own.
    versions : the rows of the deals' own file, where a connector keeps each version.
    """
    role = (
        "history" if export.get("history") is not None else "opportunities" if versions is not None else "field_history"
    )
    table = export.files.get(role, "")
    if role == "history":
        known = _of_rows(export, role, export.frames[role])
        if "field_history" in export.files:
            export.notes.append(f"{export.files['field_history']} is not needed: {table} holds the whole states")
    elif versions is not None:
        known = _of_rows(export, role, versions)
        export.notes.append(f"{table}: {len(versions):,} versions of deals are their history")
    else:
        known = _of_fields(export, frame)
    if known is None or known.empty:
        export.notes.append(f"no OpportunityHistory: {_NO_HISTORY}")
        return None
    if done is not None and plain(export.columns[role].get("amount", "")) not in _CONVERTED:
        known = in_company_currency(known, frame, done, export.notes, table)
    if "closed" not in known:
        today = frame.drop_duplicates("stage").set_index("stage")["outcome"].to_dict()
        meant = outcomes(known["stage"], declared={**declared, **today}, mapped=export.stage_outcomes)
        known["closed"] = meant != "open"
    absent = [name for name in ("amount", "expected_close_on") if name not in known]
    if absent:
        export.notes.append(
            f"{table}: {' and '.join(absent)} of past days are not in it, so they are not known while a deal is open"
        )
        latest = [frame["touched_at"].max(), known["recorded_at"].max(), frame["created_at"].max()]
        known = with_unrecorded(known, frame, max(moment for moment in latest if pd.notna(moment)), absent)
    return known


def _of_rows(export: Export, role: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the states of a file that holds whole ones."""
    reading, called = export.reading(role), export.columns[role]
    known = rows[["opportunity_id", "stage"]].copy(deep=False)
    recorded = "started_at" if role == "opportunities" else "recorded_at"
    known["recorded_at"] = moments(rows[recorded], reading, column=called[recorded])
    if "amount" in rows:
        known["amount"] = numbers(rows["amount"], reading, column=called["amount"])
    if "close_date" in rows:
        known["expected_close_on"] = days(rows["close_date"], reading, column=called["close_date"])
    if "probability" in rows:
        known["probability"] = shares(rows["probability"], reading, column=called["probability"])
    for name in ("forecast_category", "currency"):
        if name in rows and rows[name].notna().any():
            known[name] = rows[name]
    if "is_closed" in rows and rows["is_closed"].notna().all():
        known["closed"] = flags(rows["is_closed"])
    return _without_repeats(known, reading) if plain(called[recorded]) == "dateday" else known


def _without_repeats(known: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    """Return the rows of a daily history on which something changed."""
    known = known.sort_values(["opportunity_id", "recorded_at"], kind="stable")
    before = known.shift()
    same = pd.Series(True, index=known.index)
    for name in known.columns.drop("recorded_at"):
        same &= (known[name] == before[name]) | (known[name].isna() & before[name].isna())
    reading.say("", f"a daily history: {int((~same).sum()):,} of {len(known):,} rows change something")
    return known[~same]


# -- the field history -----------------------------------------------------------------------------------


def _of_fields(export: Export, frame: pd.DataFrame) -> pd.DataFrame | None:
    """Return the states that single changes of fields leave."""
    rows, reading = export.get("field_history"), export.reading("field_history")
    if rows is None:
        return None
    if "value" not in rows or "old" not in rows or not (rows["value"].notna() | rows["old"].notna()).any():
        reading.say("", "holds no old and new values, so that no state can be rebuilt: export OldValue and NewValue")
        return None
    rows = rows.assign(
        recorded_at=moments(rows["recorded_at"], reading, column=export.columns["field_history"]["recorded_at"])
    )
    names = {str(name): _FIELDS.get(plain(str(name).rstrip("."))) for name in rows["field"].dropna().unique()}
    changes = rows.assign(field=rows["field"].map(names).astype("str"))
    changes = changes[changes["field"].notna()]
    changes = _typed(_one_kind_of_owner(changes, export), reading)
    if "stage" not in set(changes["field"]):
        reading.say("", "no row of the field StageName, so that no state can be rebuilt: track its history")
        return None
    changes = changes[changes["opportunity_id"].isin(frame["opportunity_id"])]
    if "stage" not in set(changes["field"]):
        reading.say("", "no change of a stage belongs to a deal of the export")
        return None
    today = _today(frame)
    begins = recording_began(rows, frame, reading)
    known = states(changes, today, begins=begins)
    known = with_unchanged(known, today, frame, begins)
    for name, ours in (("amount", "amount"), ("probability", "probability")):
        if name in known:
            known[ours] = pd.to_numeric(known[name]).astype("float64")
    if "close_date" in known:
        known["expected_close_on"] = pd.to_datetime(known["close_date"], format="%Y-%m-%d").astype("datetime64[us]")
    if "owner" in known:
        known["owner"] = people(export, known["owner"])
    return known


def _today(frame: pd.DataFrame) -> pd.DataFrame:
    """Return today's value of each field that a field history may have, as text of one form."""
    today = frame[["opportunity_id", "created_at", "stage"]].copy()
    today["amount"] = _as_text(frame["entered"])
    today["close_date"] = frame["expected_close_on"].dt.strftime("%Y-%m-%d").astype("str")
    for name in ("probability", "forecast_category", "owner", "own_currency"):
        if name in frame:
            values = frame[name]
            column = "currency" if name == "own_currency" else name
            today[column] = _as_text(values) if values.dtype == "float64" else values
    return today


def _as_text(values: pd.Series) -> pd.Series:
    return pd.Series(pa.array(values, from_pandas=True).cast(pa.large_string()), index=values.index, dtype="str")


def _typed(changes: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    """Return the changes with amounts, shares and dates as text of one form."""
    changes = changes[["opportunity_id", "recorded_at", "field", "old", "value"]].copy()
    for name in ("old", "value"):
        out = changes[name].astype("str")
        for field in ("amount", "probability", "close_date"):
            mask = (changes["field"] == field).to_numpy()
            given = out[mask]
            if not given.notna().any():
                continue
            column = f"{name} of {field}"
            if field == "close_date":
                out[mask] = days(given, reading, column=column).dt.strftime("%Y-%m-%d").astype("str")
            else:
                read = numbers(given, reading, column=column)
                out[mask] = _as_text(read / 100 if field == "probability" else read)
        changes[name] = out
    return changes


def _one_kind_of_owner(changes: pd.DataFrame, export: Export) -> pd.DataFrame:
    """Leave one of the two rows that a change of owner has: with identifiers where users are known, else with names."""
    of_owner = changes["field"] == "owner"
    if not of_owner.any():
        return changes
    by_id = changes["value"].str.fullmatch(_USER_ID).fillna(False).astype(bool)
    wanted = by_id if export.get("users") is not None or not (of_owner & ~by_id).any() else ~by_id
    return changes[~of_owner | wanted]
