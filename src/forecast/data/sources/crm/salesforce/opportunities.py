"""Which columns of Salesforce become ours: of Opportunity, OpportunityStage, User and Account.

`CRM` below is the mapping, our column -> what the API, a report on the screen or a connector calls it; `assemble` reads
what the columns mean.

In Salesforce one field, CloseDate, is the expected date while open and the date of closing afterwards; it holds no
time. What was known on past days is in `history`, exchange rates in `rates`.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from forecast.data.codes import from_codes
from forecast.data.sources.crm.base_currency import (
    Conversion,
    conversion,
    refuse_other_company_currency,
    refuse_unconverted,
)
from forecast.data.sources.crm.deals import Deals, choose_segment, one_row_a_deal, people, rows_of, without_deleted
from forecast.data.sources.crm.export import Crm, Export, File
from forecast.data.sources.crm.further.beside import Beside
from forecast.data.sources.crm.further.tables import further_tables
from forecast.data.sources.crm.salesforce import further, history, rates
from forecast.data.sources.crm.salesforce.labels import labels
from forecast.data.sources.crm.values.dates import days, local_days, moments
from forecast.data.sources.crm.values.ids import one_form
from forecast.data.sources.crm.values.names import plain
from forecast.data.sources.crm.values.numbers import amounts, numbers, shares
from forecast.data.sources.crm.values.reading import flags, found, refuse_unread_flags
from forecast.data.sources.crm.values.stages import decide, outcomes_of_names
from forecast.errors import DataError
from forecast.wording import plural

_NAMES = ("Opportunity Name", *labels("name"))
_OWNERS = ("Owner.Name", "Owner Name", "Opportunity Owner", *labels("owner"))

CRM = Crm(
    name="Salesforce",
    files=(
        File(
            role="opportunities",
            stems=(
                "Opportunity",
                "Opportunities",
                "All Opportunities",
                "opportunity_enhanced",
                "Opportunity Report",
                "Opportunity Export",
                "Opportunities Report",
            ),
            columns={
                "opportunity_id": (
                    "Id",
                    "OpportunityId",
                    "Opportunity ID",
                    "Opportunity ID 18",
                    "18 Digit Opportunity ID",
                    *labels("opportunity_id"),
                    *_NAMES,
                ),
                "name": _NAMES,
                "stage": ("StageName", "Stage", *labels("stage")),
                "amount": (*history.CONVERTED, "Amount", *labels("amount")),
                "entered": ("Amount", *labels("amount")),
                "close_date": ("CloseDate", "Close Date", *labels("close_date")),
                "created_at": ("CreatedDate", "Created Date", *labels("created_at")),
                "is_closed": ("IsClosed", "Closed", *labels("is_closed")),
                "is_won": ("IsWon", "Won", *labels("is_won")),
                "deleted": ("IsDeleted", "_fivetran_deleted", "Deleted"),
                "active": ("_fivetran_active",),
                "started_at": ("_fivetran_start",),
                "touched_at": (
                    "LastModifiedDate",
                    "Last Modified Date",
                    "Last Modified",
                    "SystemModstamp",
                    "_fivetran_synced",
                    "_airbyte_extracted_at",
                    "_sdc_batched_at",
                    *labels("touched_at"),
                ),
                "owner": ("OwnerId", "Owner ID", *_OWNERS, "Owner"),
                "owner_name": (*_OWNERS, "Opportunity Owner: Full Name"),
                "account_id": ("AccountId", "Account ID", "Account.Name", "Account Name", *labels("account_id")),
                "type": ("Type", "Opportunity Type", *labels("type")),
                "lead_source": ("LeadSource", "Lead Source", *labels("lead_source")),
                "currency": (
                    "CurrencyIsoCode",
                    "Amount Currency",
                    "Opportunity Currency",
                    "Currency",
                    *labels("currency"),
                ),
                "converted_currency": ("Amount (converted) Currency", "AmountConvertedCurrency"),
                "units": ("TotalOpportunityQuantity", "Quantity"),
                "lost_reason": ("Loss_Reason__c", "Closed_Lost_Reason__c", "Lost Reason", "Loss Reason"),
                "probability": ("Probability", "Probability (%)", *labels("probability")),
                "forecast_category": ("ForecastCategoryName", "ForecastCategory", "Forecast Category"),
            },
            needed=("opportunity_id", "stage", "amount", "close_date", "created_at"),
            required=True,
            kinds={
                **dict.fromkeys(("created_at", "started_at", "touched_at"), "moment"),
                **dict.fromkeys(("amount", "entered", "probability"), "number"),
                "close_date": "day",
            },
        ),
        *history.FILES,
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
                "owner": ("Id", "User ID"),
                "name": ("Name", "Full Name"),
                "manager": ("ManagerId", "Manager ID", "Manager.Name", "Manager: Full Name", "Manager"),
            },
            needed=("owner",),
        ),
        File(
            role="accounts",
            stems=("Account", "Accounts"),
            columns={
                "account_id": ("Id", "Account ID"),
            },
            needed=("account_id",),
        ),
        *rates.FILES,
        *further.FILES,
    ),
    segments=(
        ("opportunities", "Region__c"),
        ("opportunities", "Region"),
        ("opportunities", "Territory__c"),
        ("opportunities", "Territory"),
        ("opportunities", "Sales Region"),
        ("opportunities", "Owner.Region__c"),
        ("opportunities", "Owner Region"),
        ("opportunities", "Owner.Division"),
        ("opportunities", "Account.Region__c"),
        ("opportunities", "Account Region"),
        ("users", "Region__c"),
        ("users", "Region"),
        ("users", "Division"),
        ("accounts", "Region__c"),
        ("accounts", "Region"),
    ),
)

_FLAGS = ("is_closed", "is_won")
_IDENTIFIERS = ("opportunity_id", "owner", "account_id", "manager")
_CLOSING_COLUMNS = "IsClosed and IsWon (Closed and Won in a report), or OpportunityStage.csv"
_CONVERTED = {plain(name) for name in history.CONVERTED}
_PLAIN_NAMES = {plain(name) for name in _NAMES}


def assemble(export: Export, *, timezone: str, segment_column: str | None) -> Deals:
    """Return the export's deals; see `Deals`."""
    notes, reading = export.notes, export.reading("opportunities")
    called = export.columns["opportunities"]
    _same_identifiers(export)
    frame, versions = _current(export)
    frame["touched_at"] = moments(
        frame.get("touched_at", pd.Series(np.nan, index=frame.index, dtype="str")),
        reading,
        column=called.get("touched_at", "LastModifiedDate"),
    )
    frame = one_row_a_deal(frame, export)
    joined = rows_of(frame, export, {"users": "owner", "accounts": "account_id"})
    declared, reference = _declared(export)
    if "probability" in frame:
        frame["probability"] = shares(frame["probability"], reading, column=called["probability"])
    frame["outcome"] = _outcome(export, frame, declared)
    frame["segment"], where_from = choose_segment(export, joined, segment_column)
    notes.append(where_from)
    frame["created_at"] = moments(frame["created_at"], reading, column=called["created_at"])
    frame["created_on"] = local_days(frame["created_at"], timezone)
    frame["expected_close_on"] = days(frame["close_date"], reading, column=called["close_date"])
    frame["closed_on"] = frame["expected_close_on"].where(frame["outcome"] != "open")
    found_rates = rates.rates_of(export)
    frame, done = _money(export, frame, found_rates.corporate)
    if "owner" in frame:
        frame = frame.assign(owner_id=frame["owner"], owner=_owners(export, frame))
    past = history.past(export, frame, declared=declared, done=done, versions=versions)
    return Deals(
        opportunities=frame,
        history=past,
        reference=reference,
        currencies=None if done is not None else found_rates.table,
        reporting=found_rates.corporate,
        open_by_name=export.open_by_name,
        further=partial(further_tables, _beside(export, frame, found_rates, done)),
        notes=notes,
    )


def _beside(export: Export, frame: pd.DataFrame, found_rates: rates.Rates, done: Conversion | None) -> Beside:
    """Return what the files beside the deals need to know of them."""
    single = frame["currency"].dropna().unique() if "currency" in frame else []
    reporting = found_rates.corporate or export.currency or (str(single[0]) if len(single) == 1 else "")
    columns = [name for name in ("opportunity_id", "segment", "owner", "owner_id") if name in frame]
    return Beside(
        export=export,
        calendar=export.calendar,
        deals=frame[columns],
        rates=found_rates.table,
        seen={} if done is None else done.by_currency.to_dict(),
        reporting=reporting,
    )


# -- one row a deal --------------------------------------------------------------------------------------


def _same_identifiers(export: Export) -> None:
    """Bring identifiers of 15 and of 18 characters to one form in all files, and names in place of them to theirs."""
    called = export.columns["opportunities"]
    if plain(called["opportunity_id"]) in _PLAIN_NAMES:
        _refuse_shared_names(export)
    else:
        _identified(export)
    for name in _IDENTIFIERS:
        columns = {role: frame[name] for role, frame in export.frames.items() if name in frame}
        same, note = one_form(columns)
        if note:
            export.notes.append(note)
            for role, values in same.items():
                export.frames[role] = export.frames[role].assign(**{name: values})


def _refuse_shared_names(export: Export) -> None:
    """Let the name stand for a deal where the report has no identifier and no name is there twice."""
    names = export.frames["opportunities"]["opportunity_id"]
    twice = names.index[names.duplicated(keep=False) & names.notna()]
    if len(twice):
        raise DataError(
            "the report has no Opportunity ID, and these names are there more than once",
            table=export.files["opportunities"],
            column=export.columns["opportunities"]["opportunity_id"],
            rows=found(names, twice),
            count=len(twice),
            mend="add the column Opportunity ID to the report",
        )
    export.notes.append(
        f"{export.files['opportunities']}: without Opportunity ID, a deal is known by its name: add the column, since "
        "names change"
    )


def _identified(export: Export) -> None:
    """Give histories that know a deal by its name its identifier."""
    deals = export.frames["opportunities"]
    for role in ("history", "field_history"):
        if role not in export.frames or plain(export.columns[role]["opportunity_id"]) not in _PLAIN_NAMES:
            continue
        if "name" not in deals:
            raise DataError(
                "knows deals by their name alone, which the opportunities lack",
                table=export.files[role],
                mend="add the column Opportunity ID to the report",
            )
        once = deals[~deals["name"].duplicated(keep=False) & deals["name"].notna()]
        rows = export.frames[role]
        ids = rows["opportunity_id"].map(once.set_index("name")["opportunity_id"]).astype("str")
        lost = int(ids.isna().sum())
        more = f"; {plural(lost, 'row has', 'rows have')} a name that is not there, or there twice" if lost else ""
        export.notes.append(f"{export.files[role]}: deals are found by their name{more}")
        export.frames[role] = rows.assign(opportunity_id=ids)[ids.notna()]


def _current(export: Export) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return the deals that are there today, and all versions of them where a connector keeps these."""
    frame, notes = export.frames["opportunities"], export.notes
    deleted = flags(export.column("opportunities", "deleted"))
    versions = None
    if "active" in frame and frame["active"].notna().any():
        active = flags(frame["active"])
        if frame["opportunity_id"].duplicated().any() and "started_at" in frame:
            versions = frame[~deleted]
            frame, deleted = frame[active], deleted[active]
            notes.append(
                f"{export.files['opportunities']}: {len(frame):,} active versions of {len(active):,} rows are the deals"
            )
        else:
            deleted = deleted | ~active
    return without_deleted(frame, deleted, notes).copy(deep=False), versions


# -- stages and outcomes ---------------------------------------------------------------------------------


def _declared(export: Export) -> tuple[dict[str, str], pd.DataFrame | None]:
    """Return what the table of stages says each means, and that table: stage, outcome, [position, probability]."""
    stages = export.get("stages")
    if stages is None:
        return {}, None
    reading, called = export.reading("stages"), export.columns["stages"]
    out = pd.DataFrame({"stage": stages["stage"]})
    if "is_closed" in stages and "is_won" in stages:
        won, closed = flags(stages["is_won"]), flags(stages["is_closed"])
        out["outcome"] = np.where(won, "won", np.where(closed, "lost", "open"))
    else:
        said = outcomes_of_names(stages["stage"])
        out["outcome"] = stages["stage"].map(dict(export.stage_outcomes)).astype("str").fillna(said).fillna("open")
    if "position" in stages:
        out["position"] = numbers(stages["position"], reading, column=called["position"])
    if "probability" in stages:
        out["probability"] = numbers(stages["probability"], reading, column=called["probability"]) / 100
    out = out[out["stage"].notna()].drop_duplicates("stage")
    declared = out if "is_closed" in stages and "is_won" in stages else out[:0]
    return dict(zip(declared["stage"], declared["outcome"], strict=True)), out


def _outcome(export: Export, frame: pd.DataFrame, declared: dict[str, str]) -> pd.Series:
    """Return won, lost or open: from IsClosed and IsWon, else from the stage."""
    refuse_unread_flags(frame, _FLAGS, called=export.columns["opportunities"], table=export.files["opportunities"])
    there = [name for name in _FLAGS if name in frame and frame[name].notna().any()]
    won = flags(export.column("opportunities", "is_won")[frame.index])
    closed = flags(export.column("opportunities", "is_closed")[frame.index]) | won
    if len(there) == 2:
        ending = np.where(won, 2, np.where(closed, 1, 0)).astype(np.int8)
        return from_codes(ending, ("open", "lost", "won")).set_axis(frame.index)
    by_stage = decide(
        frame["stage"] if not there else frame["stage"].where(~won),
        declared=declared,
        mapped=export.stage_outcomes,
        table=export.files["opportunities"],
        column=export.columns["opportunities"]["stage"],
        notes=export.notes,
        open_by_name=export.open_by_name,
        probability=frame.get("probability"),
        closing_columns=_CLOSING_COLUMNS,
    )
    return by_stage.where(~won, "won") if there == ["is_won"] else by_stage


def _owners(export: Export, frame: pd.DataFrame) -> pd.Series:
    """Return owners by their name, where the users or the deals themselves give it."""
    if export.get("users") is None and "owner_name" in frame:
        pairs = frame[["owner", "owner_name"]].dropna().drop_duplicates()
        if not pairs["owner"].duplicated().any() and not pairs["owner_name"].duplicated().any():
            return frame["owner_name"].fillna(frame["owner"])
    return people(export, frame["owner"])


# -- money -----------------------------------------------------------------------------------------------


def _money(export: Export, frame: pd.DataFrame, corporate: str) -> tuple[pd.DataFrame, Conversion | None]:
    """Return the deals with their amounts, and how these were converted (None: not). corporate : their currency.

    Simple case: one currency. Where the export has converted amounts, these count and no rates are needed; else each
    amount stays in its own currency, and CurrencyType says what that is worth.
    """
    reading, called, notes = export.reading("opportunities"), export.columns["opportunities"], export.notes
    read = amounts(frame["amount"], reading, column=called["amount"])
    if plain(called["amount"]) not in _CONVERTED:
        if "currency" not in frame and read.currency is not None:
            notes.append(f"{reading.table}.{called['amount']}: the currency is taken from beside the amounts")
            frame = frame.assign(currency=read.currency.fillna(corporate or np.nan))
        if "currency" in frame and corporate:
            frame = frame.assign(currency=frame["currency"].fillna(corporate))
        return frame.assign(amount=read.numbers, entered=read.numbers), None
    entered = pd.Series(np.nan, index=frame.index, dtype="float64")
    if "entered" in frame:
        entered = numbers(frame["entered"], reading, column=called["entered"])
    done = conversion([(entered, read.numbers)], currency=frame.get("currency"))
    refuse_unconverted(done, table=reading.table, base=called["amount"], own=called.get("entered", "Amount"))
    company = _company_currency(export, frame, done, corporate, read.currency)
    notes.append(f"{reading.table}: amount = {called['amount']}, {company or 'the company’s currency'}")
    frame = frame.rename(columns={"currency": "own_currency"}).assign(amount=done.base, entered=entered)
    return (frame.assign(currency=company) if company else frame), done


def _company_currency(
    export: Export, frame: pd.DataFrame, done: Conversion, corporate: str, written: pd.Series | None
) -> str:
    """Return the currency that converted amounts are in, empty where nothing says it.

    Raises DataError where there are several, or another than company.toml's.
    """
    named: set[str] = set()
    for values in (frame.get("converted_currency"), written):
        if values is not None and not named:
            named = {str(name) for name in values.dropna().unique()}
    table, column = export.files["opportunities"], export.columns["opportunities"]["amount"]
    if len(named) > 1:
        raise DataError(
            f"converted amounts are in {', '.join(sorted(named)[:5])}: they cannot be added",
            table=table,
            column=column,
            mend="export them all as one user, whose currency is then that of all",
        )
    company = next(iter(named), "") or corporate or done.company_currency
    refuse_other_company_currency(export.currency, company, table=table, column=column)
    return company
