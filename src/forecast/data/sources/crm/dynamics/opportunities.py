"""Which columns of Dynamics 365 Sales become ours: opportunity, audit, systemuser, account, currencies.

`CRM` below is the mapping, our column -> Dataverse's logical name, or the label of a view ("Est. Revenue (Base)",
"(Do Not Modify) Opportunity"); `assemble` reads what the columns mean.

statecode is 0 open, 1 won, 2 lost. The amount is estimatedvalue while open, actualvalue once won; each also in the base
currency (`_base`), which comes first: base = as entered / exchangerate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from forecast.data.codes import either, translated
from forecast.data.sources.crm.base_currency import (
    Conversion,
    conversion,
    in_company_currency,
    refuse_other_company_currency,
    refuse_unconverted,
)
from forecast.data.sources.crm.deals import (
    Deals,
    choose_segment,
    join_rows,
    one_row_a_deal,
    people,
    rows_of,
    without_deleted,
)
from forecast.data.sources.crm.dynamics.audit import FIELDS, audited_states, identifiers, stage_names
from forecast.data.sources.crm.dynamics.languages import in_other_languages, outcomes_of_states
from forecast.data.sources.crm.export import Crm, Export, File
from forecast.data.sources.crm.values.dates import days, local_days, moments
from forecast.data.sources.crm.values.ids import are_among
from forecast.data.sources.crm.values.numbers import amounts, numbers
from forecast.data.sources.crm.values.reading import Reading, flags
from forecast.data.sources.crm.values.versions import active, latest
from forecast.errors import DataError
from forecast.wording import money as money_of
from forecast.wording import plural

CRM = Crm(
    name="Dynamics 365",
    files=(
        File(
            role="opportunities",
            stems=("opportunity", "opportunities", "opportunityset"),
            columns=in_other_languages(
                {
                    "opportunity_id": (
                        "opportunityid",
                        "(Do Not Modify) Opportunity",
                        "Opportunity ID",
                        "Id",
                        "Opportunity",
                    ),
                    "state": ("statecode", "Status", "statecode_name", "statecodename"),
                    "estimated": ("estimatedvalue", "Est. Revenue", "Estimated Revenue", "Estimated Value"),
                    "estimated_base": ("estimatedvalue_base", "Est. Revenue (Base)", "Estimated Revenue (Base)"),
                    "actual": ("actualvalue", "Actual Revenue", "Actual Value"),
                    "actual_base": ("actualvalue_base", "Actual Revenue (Base)"),
                    "expected": ("estimatedclosedate", "Est. Close Date", "Estimated Close Date"),
                    "closed": ("actualclosedate", "Actual Close Date"),
                    "created_at": ("createdon", "Created On"),
                    "stage": (
                        "stepname",
                        "salesstage@FormattedValue",
                        "salesstage_name",
                        "Sales Stage",
                        "Pipeline Phase",
                        "salesstage",
                        "Active Stage",
                        "Process Stage",
                    ),
                    "touched_at": (
                        "modifiedon",
                        "(Do Not Modify) Modified On",
                        "Modified On",
                        "SinkModifiedOn",
                        "_fivetran_synced",
                    ),
                    "version": ("versionnumber", "Version Number"),
                    "active": ("_fivetran_active",),
                    "deleted": ("IsDelete", "_fivetran_deleted", "is_deleted"),
                    "owner": ("_ownerid_value", "ownerid", "Owner", "owneridname"),
                    "owner_name": ("_ownerid_value@FormattedValue", "ownerid_name", "owneridname"),
                    "account_id": (
                        "_parentaccountid_value",
                        "parentaccountid",
                        "_customerid_value",
                        "customerid",
                        "Account",
                        "Potential Customer",
                    ),
                    "type": ("opportunitytypecode_name", "msdyn_ordertype", "Opportunity Type"),
                    "lead_source": (
                        "_campaignid_value",
                        "campaignid",
                        "leadsourcecode_name",
                        "Source Campaign",
                        "Lead Source",
                    ),
                    "currency": (
                        "_transactioncurrencyid_value",
                        "transactioncurrencyid",
                        "Currency",
                        "transactioncurrencyidname",
                    ),
                    "currency_name": ("_transactioncurrencyid_value@FormattedValue", "transactioncurrencyidname"),
                    "exchange_rate": ("exchangerate", "Exchange Rate"),
                    "lost_reason": ("statuscode_name", "Status Reason"),
                    "probability": ("closeprobability", "Probability"),
                }
            ),
            needed=("opportunity_id", "state", "expected", "closed", "created_at"),
            required=True,
            # What the audit holds, too, stays text: the two are put together.
            kinds={"created_at": "moment", "touched_at": "moment", "closed": "day"},
        ),
        File(
            role="audit",
            stems=("audit", "audits", "opportunity_audit", "audit_history", "audit_summary"),
            columns={
                "opportunity_id": ("_objectid_value", "objectid", "Object ID", "Record ID"),
                "recorded_at": ("createdon", "Changed Date", "Changed On", "Created On"),
                "operation": ("operation", "operation_name", "operationname", "Event"),
                "attribute": ("attribute", "attributename", "logicalname", "Changed Field"),
                "old": ("oldvalue", "Old Value"),
                "new": ("newvalue", "New Value"),
                "changes": ("changedata",),
            },
            needed=("opportunity_id", "recorded_at"),
            kinds={"opportunity_id": "key", "recorded_at": "moment"},
        ),
        File(
            role="closes",
            stems=("opportunityclose", "opportunitycloses", "opportunity_close"),
            columns={
                "opportunity_id": ("_opportunityid_value", "opportunityid", "Opportunity"),
                "closed_at": ("actualend", "createdon", "Actual End", "Created On"),
            },
            needed=("opportunity_id", "closed_at"),
        ),
        File(
            role="users",
            stems=("systemuser", "systemusers", "user", "users"),
            columns={
                "owner": ("systemuserid", "(Do Not Modify) User", "Id"),
                "name": ("fullname", "Full Name"),
            },
            needed=("owner",),
        ),
        File(
            role="accounts",
            stems=("account", "accounts"),
            columns={
                "account_id": ("accountid", "(Do Not Modify) Account", "Id"),
                "name": ("name", "Account Name"),
            },
            needed=("account_id",),
        ),
        File(
            role="currencies",
            stems=("transactioncurrency", "transactioncurrencies", "currency", "currencies"),
            columns={
                "id": ("transactioncurrencyid", "(Do Not Modify) Currency", "Id"),
                "code": ("isocurrencycode", "Currency Code"),
                "name": ("currencyname", "Currency Name"),
                "rate": ("exchangerate", "Exchange Rate"),
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
        ("opportunities", "Region"),
        ("opportunities", "Territory"),
        ("opportunities", "Business Unit"),
    ),
)

_ALL_OF_AT_LEAST = 5
"""So many won deals, all of them with an actual amount of 0, show that the field is not kept."""
_MONEY = (("estimated", "estimated_base"), ("actual", "actual_base"))


def assemble(export: Export, *, timezone: str, segment_column: str | None) -> Deals:
    """Return the export's deals; see `Deals`."""
    notes, reading = export.notes, export.reading("opportunities")
    called = export.columns["opportunities"]
    frame, versions = _today(export, reading)
    joined = _joined(frame, export)
    frame["outcome"] = outcomes_of_states(frame["state"], reading, called["state"], said=export.stage_outcomes)
    frame["stage"] = stage_names(frame["stage"], called.get("stage", ""), export.raw["opportunities"])
    frame["created_on"] = local_days(frame["created_at"], timezone)
    frame["segment"], where_from = choose_segment(export, joined, segment_column)
    notes.append(where_from)
    frame["currency"] = _codes(export, frame["currency"], frame["currency_name"])
    frame["currency"] = _currencies_beside(frame, reading, called)
    money = _money(export, frame, reading)
    money["actual"] = _actual(money["actual"], money["estimated"].base, frame["outcome"], export)
    closed = days(frame["closed"], reading, column=called["closed"])
    frame["closed_on"] = _with_closes(export, frame, closed, timezone).where(frame["outcome"] != "open")
    history = _history(export, frame, versions, money)
    frame["amount"] = _amount(money["estimated"].base, money["actual"].base, frame["outcome"])
    frame["expected_close_on"] = days(frame["expected"], reading, column=called["expected"])
    frame["stage"] = _closing(frame["stage"], frame["outcome"])
    frame["owner"] = _people(export, frame)
    frame = frame.drop(columns="owner") if frame["owner"].isna().all() else frame
    if "lost_reason" in frame:
        frame["lost_reason"] = frame["lost_reason"].where(frame["outcome"] == "lost")
    frame, currencies = _currency(export, frame, money["estimated"])
    base = _base_currency(export, currencies)
    return Deals(opportunities=frame, history=history, currencies=currencies, reporting=base, notes=notes)


def _today(export: Export, reading: Reading) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the deals as they stand today, with every column that is used, and their versions where these are kept."""
    called = export.columns["opportunities"]
    frame = export.frames["opportunities"].copy(deep=False)
    wanted = ("estimated", "estimated_base", "actual", "actual_base", "stage", "touched_at", "owner", "owner_name")
    for name in (*wanted, "currency", "currency_name", "exchange_rate"):
        if name not in frame:
            frame[name] = pd.Series(np.nan, index=frame.index, dtype="str")
    if not frame[["estimated", "estimated_base"]].notna().any(axis=None):
        names = [name for ours, base in _MONEY[:1] for name in CRM.files[0].columns[ours] + CRM.files[0].columns[base]]
        raise DataError(
            f"no column with a value in it: looked for {', '.join(names)}",
            table=reading.table,
            column="estimated",
            mend="export that column",
        )
    for name in ("opportunity_id", "owner", "account_id", "currency"):
        if name in frame:
            frame[name] = identifiers(frame[name])
    frame["created_at"] = moments(frame["created_at"], reading, column=called["created_at"])
    frame["touched_at"] = moments(frame["touched_at"], reading, column=called.get("touched_at", "modifiedon"))
    frame, versions = active(frame, reading.table, export.notes)
    if versions.empty:
        by = frame["touched_at"]
        if "version" in frame:
            by = numbers(frame["version"], reading, column=called["version"])
        frame, versions = latest(frame, by, reading.table, export.notes)
    frame = one_row_a_deal(frame, export)
    deleted = frame["deleted"] if "deleted" in frame else pd.Series(np.nan, index=frame.index, dtype="str")
    return without_deleted(frame, flags(deleted), export.notes).copy(deep=False), versions


def _joined(frame: pd.DataFrame, export: Export) -> dict[str, pd.Series]:
    """Return the row of each file that belongs to each deal: by identifier, else by the name that a view has."""
    for role, key in (("users", "owner"), ("accounts", "account_id")):
        if role in export.frames:
            export.frames[role] = export.frames[role].assign(**{key: identifiers(export.frames[role][key])})
    joined = rows_of(frame, export, {"users": "owner", "accounts": "account_id"})
    for role, key in (("users", "owner"), ("accounts", "account_id")):
        if role in joined and "name" in export.frames[role]:
            names = export.frames[role]["name"]
            unique = names.where(~names.duplicated(keep=False))
            joined[role] = joined[role].where(joined[role].notna(), join_rows(frame[key], unique))
    return joined


# -- won, lost, stages, people -------------------------------------------------------------------------


def _closing(stage: pd.Series, outcome: pd.Series) -> pd.Series:
    """Return the stage, `Won` or `Lost` where it is closed: Dynamics leaves a deal in the phase it closed from."""
    return either(stage, (outcome == "open").to_numpy(), translated(outcome, {"won": "Won", "lost": "Lost"}))


def _people(export: Export, frame: pd.DataFrame) -> pd.Series:
    """Return owners by name: from the table of users, else from the label beside their identifier."""
    named = people(export, frame["owner"])
    if frame["owner_name"].isna().all():
        return named
    return named.where(named != frame["owner"], frame["owner_name"].fillna(frame["owner"])).astype("str")


def _with_closes(export: Export, frame: pd.DataFrame, closed: pd.Series, timezone: str) -> pd.Series:
    """Return the closing days; from the last closing activity where a closed deal has none."""
    rows = export.get("closes")
    undated = closed.isna() & (frame["outcome"] != "open")
    if rows is None or not undated.any():
        return closed
    reading = export.reading("closes")
    at = moments(rows["closed_at"], reading, column=export.columns["closes"]["closed_at"])
    last = at.groupby(identifiers(rows["opportunity_id"])).max()
    day = local_days(frame["opportunity_id"].map(last).astype("datetime64[us, UTC]"), timezone)
    taken = undated & day.notna()
    if taken.any():
        export.notes.append(f"{int(taken.sum()):,} deals closed without a date: that of their last closing activity")
    return closed.where(~taken, day)


# -- money ---------------------------------------------------------------------------------------------


def _codes(export: Export, currency: pd.Series, name: pd.Series) -> pd.Series:
    """Return currencies by their ISO code, as far as the table of currencies has them; else by name."""
    rates = export.get("currencies")
    known = currency
    if currency.isna().all() and name.isna().all():
        return currency
    if rates is not None:
        for key in ("id", "name"):
            if key in rates:
                codes = rates.assign(key=identifiers(rates[key])).dropna(subset=["key", "code"]).drop_duplicates("key")
                known = known.map(codes.set_index("key")["code"]).fillna(known)
    unnamed = known == currency
    return known.where(~unnamed, name.fillna(known)).astype("str")


def _currencies_beside(frame: pd.DataFrame, reading: Reading, called: Mapping[str, str]) -> pd.Series:
    """Return the currencies; where no column names them, those beside the amounts: $1,000.00 and €2,000.00."""
    if frame["currency"].notna().any():
        return frame["currency"]
    beside = frame["currency"]
    for entered, _ in _MONEY:
        written = amounts(frame[entered], reading, column=called.get(entered, entered)).currency
        beside = beside if written is None else beside.where(beside.notna(), written)
    return beside if beside.nunique() > 1 else frame["currency"]


def _money(export: Export, frame: pd.DataFrame, reading: Reading) -> dict[str, Conversion]:
    """Return how estimated and actual amounts become the base currency; as entered where nothing says how."""
    called = export.columns["opportunities"]
    read = {
        name: amounts(frame[name], reading, column=called.get(name, name)).numbers for pair in _MONEY for name in pair
    }
    per_base = numbers(frame["exchange_rate"], reading, column=called.get("exchange_rate", "exchangerate"))
    rate = 1 / per_base.where(per_base > 0)
    pairs = [(read[entered], read[base]) for entered, base in _MONEY]
    based = any(base.notna().any() for _, base in pairs)
    dated = bool((rate.notna() & (rate != 1)).any())
    if not based and not dated:
        plain = pd.Series(1.0, index=frame.index)
        return {
            name: Conversion(entered=own, base=own, rate=plain, currency=None, by_currency=plain.iloc[:0])
            for (name, _), (own, _) in zip(_MONEY, pairs, strict=True)
        }
    out = {}
    for (entered, base), pair, other in zip(_MONEY, pairs, reversed(pairs), strict=True):
        done = conversion([pair, other], currency=frame["currency"], per_row=rate)
        own = frame["currency"].isna() | (frame["currency"] == done.company_currency)
        done = replace(done, base=done.base.where(done.base.notna() | ~own, done.entered))
        counted = done.entered.where((frame["outcome"] == "won") | (entered == "estimated"))
        refuse_unconverted(
            replace(done, entered=counted),
            table=reading.table,
            base=called.get(base, base),
            own=called.get(entered, entered),
        )
        out[entered] = done
    how = "in the base currency" if based else "as entered / exchangerate of the deal: in the base currency"
    export.notes.append(f"{reading.table}: amounts are {how}")
    return out


def _actual(actual: Conversion, estimated: pd.Series, outcome: pd.Series, export: Export) -> Conversion:
    """Return the actual amounts; missing instead of 0 where no won deal has any, since the field is then not kept."""
    of_worth = (outcome == "won") & (estimated > 0)
    nothing = of_worth & (actual.base == 0)
    if not nothing.any():
        return actual
    name = export.columns["opportunities"].get("actual") or export.columns["opportunities"].get("actual_base")
    which = f"{export.files['opportunities']}: {plural(int(nothing.sum()), 'won deal has', 'won deals have')} {name} 0"
    sums = f"though {money_of(float(estimated[nothing].sum()))} was estimated"
    if nothing.sum() >= _ALL_OF_AT_LEAST and not (actual.base[of_worth] > 0).any():
        export.notes.append(f"{which}, {sums}, and none has more: the estimated amounts are taken")
        return replace(actual, base=actual.base.mask(actual.base == 0))
    export.notes.append(f"WARNING: {which}, {sums}: they count as won for nothing; correct them, if that is not so")
    return actual


def _amount(estimated: pd.Series, actual: pd.Series, outcome: pd.Series) -> pd.Series:
    """Return the actual amount where won and given, else the estimated one."""
    return actual.where((outcome == "won") & actual.notna(), estimated)


def _currency(export: Export, frame: pd.DataFrame, done: Conversion) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return the deals with their currency, and its plan rates; no currency where the amounts are in the base one."""
    if done.currency is not None:
        rest = frame.drop(columns="currency")
        own = done.company_currency if _is_code(done.company_currency) else ""
        refuse_other_company_currency(
            export.currency, own, table=export.files["opportunities"], column="_transactioncurrencyid_value"
        )
        return (rest.assign(currency=own) if own else rest), None
    if not frame["currency"].notna().any():
        return frame.drop(columns="currency"), None
    rates = export.get("currencies")
    names = frame["currency"].dropna().unique()
    if len(names) == 1 and not _is_code(names[0]):
        export.notes.append(f"all amounts are in {names[0]!r}; set currency in company.toml to show its code")
        return frame.drop(columns="currency"), None
    if rates is None:
        return frame, None
    rate = numbers(rates["rate"], export.reading("currencies"), column=export.columns["currencies"]["rate"])
    table = pd.DataFrame({"currency": rates["code"], "plan_rate": 1 / rate}).drop_duplicates("currency")
    return frame, table


def _base_currency(export: Export, rates: pd.DataFrame | None) -> str:
    """Return the currency whose rate is 1, which the others' rates are to; empty where the rates do not say one."""
    if rates is None:
        return ""
    ones = rates.loc[rates["plan_rate"] == 1, "currency"]
    base = str(ones.iloc[0]) if len(ones) == 1 else ""
    refuse_other_company_currency(export.currency, base, table=export.files["currencies"], column="exchangerate")
    return base


def _is_code(name: str) -> bool:
    return len(name) == 3 and name.isascii() and name.isupper()


# -- history -------------------------------------------------------------------------------------------


def _history(
    export: Export, frame: pd.DataFrame, versions: pd.DataFrame, money: dict[str, Conversion]
) -> pd.DataFrame | None:
    """Return the state of deals after each change: from the audit, else from the versions of their rows."""
    reading = export.reading("audit" if export.get("audit") is not None else "opportunities")
    today = frame[["opportunity_id", "created_at", *FIELDS]]
    history = audited_states(export, frame, today, reading)
    if history is None and len(versions):
        kept = versions[are_among(versions["opportunity_id"], frame["opportunity_id"]) & versions["touched_at"].notna()]
        history = kept.assign(recorded_at=kept["touched_at"])[["opportunity_id", "recorded_at", *FIELDS]]
        history = history.sort_values(["opportunity_id", "recorded_at"], kind="stable").rename_axis("state")
        reading = export.reading("opportunities")
        export.notes.append(f"{reading.table}: {len(history):,} versions of deals are taken as their history")
    if history is None:
        export.notes.append("no audit of these opportunities: stages, amounts and dates of past days are unknown")
        return None
    history["stage"] = stage_names(
        history["stage"], export.columns["opportunities"].get("stage", ""), export.raw["opportunities"]
    )
    history["currency"] = _codes(export, history["currency"], pd.Series(np.nan, index=history.index, dtype="str"))
    state = history["state"].fillna("0")
    outcome = outcomes_of_states(state, reading, "statecode", said=export.stage_outcomes)
    history["closed"] = outcome != "open"
    worth = {name: _worth(export, history, frame, name, base, money[name], reading) for name, base in _MONEY}
    if not (money["actual"].base > 0).any():  # no actual amount is kept
        worth["actual"] = worth["actual"].mask(worth["actual"] == 0)
    history["amount"] = _amount(worth["estimated"], worth["actual"], outcome)
    history["expected_close_on"] = days(history["expected"], reading, column="estimatedclosedate")
    history["stage"] = _closing(history["stage"], outcome)
    history["owner"] = people(export, history["owner"])
    return history.drop(columns="owner") if history["owner"].isna().all() else history


def _worth(
    export: Export,
    history: pd.DataFrame,
    frame: pd.DataFrame,
    entered: str,
    base: str,
    done: Conversion,
    reading: Reading,
) -> pd.Series:
    """Return one kind of amount after each change, in the money of the deals."""
    own = numbers(history[entered], reading, column=entered)
    if done.currency is None:
        return own
    audited = numbers(history[base], reading, column=base) if base in history else own * np.nan
    changed = history.groupby("opportunity_id")[base].transform("nunique") > 1 if base in history else False
    audited_own = history[["opportunity_id", "recorded_at", "currency"]].assign(amount=own)
    converted = in_company_currency(audited_own, frame, done, export.notes, f"{reading.table}, {entered}")["amount"]
    return audited.where(pd.Series(changed, index=history.index) & audited.notna(), converted)
