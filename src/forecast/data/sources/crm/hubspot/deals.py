"""Which columns of HubSpot become ours: deals, pipeline stages, the history of properties (or of stages alone).

`CRM` below is the mapping, our column -> HubSpot's: by its internal names (API and connectors), by the labels of a
screen export, by the names that connectors' models give. `assemble` reads what the columns mean.

A deal's stage is an identifier, on the screen a label; the pipeline's stages say its name, its order and whether it
closes. closedate is the expected date while open and the date of closing afterwards. The property history has one row a
change of one property. Where a portal has several currencies, each deal has a second amount in the company's.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from forecast.data.codes import looked_up, translated
from forecast.data.sources.crm.base_currency import (
    Conversion,
    conversion,
    in_company_currency,
    refuse_other_company_currency,
    refuse_unconverted,
)
from forecast.data.sources.crm.deals import Deals, choose_segment, one_row_a_deal, people, rows_of, without_deleted
from forecast.data.sources.crm.export import Crm, Export, File
from forecast.data.sources.crm.hubspot import history as past
from forecast.data.sources.crm.hubspot.labels import labels
from forecast.data.sources.crm.hubspot.outcomes import outcome_of
from forecast.data.sources.crm.hubspot.stages import located, stage_table
from forecast.data.sources.crm.values.dates import days, local_days, moments
from forecast.data.sources.crm.values.ids import are_among, whole
from forecast.data.sources.crm.values.names import plain
from forecast.data.sources.crm.values.numbers import amounts, numbers
from forecast.data.sources.crm.values.reading import Reading, flags
from forecast.data.sources.crm.values.stages import outcomes
from forecast.data.sources.crm.values.versions import active
from forecast.errors import DataError
from forecast.wording import plural

CRM = Crm(
    name="HubSpot",
    files=(
        File(
            role="opportunities",
            stems=("deal", "deals", "all-deals", "hubspot-crm-exports-all-deals"),
            columns={
                "opportunity_id": ("deal_id", "hs_object_id", "Record ID", "id", "Deal ID", *labels("opportunity_id")),
                "stage_id": (
                    "dealstage",
                    "deal_pipeline_stage_id",
                    "Deal Stage",
                    "pipeline_stage_id",
                    "Stage",
                    *labels("stage_id"),
                ),
                "stage_label": ("pipeline_stage_label", "dealstage_label", "deal_stage_label", "dealstage_name"),
                "amount": ("amount", *labels("amount")),
                "amount_home": ("amount_in_home_currency", "Amount in company currency", *labels("amount_home")),
                "currency": ("deal_currency_code", "Currency", "Deal currency", "Currency code", *labels("currency")),
                "close_date": (
                    "closedate",
                    "Close Date",
                    "close_date",
                    "closed_date",
                    "closed_at",
                    *labels("close_date"),
                ),
                "created_at": (
                    "createdate",
                    "hs_createdate",
                    "Create Date",
                    "created_date",
                    "created_at",
                    *labels("created_at"),
                ),
                "is_closed": ("hs_is_closed", "Is Deal Closed?", "Is Closed", "is_deal_closed", *labels("is_closed")),
                "is_won": (
                    "hs_is_closed_won",
                    "Is Closed Won",
                    "Closed Won",
                    "is_won",
                    "is_deal_won",
                    *labels("is_won"),
                ),
                "is_lost": (
                    "hs_is_closed_lost",
                    "Is closed lost",
                    "Closed Lost",
                    "is_lost",
                    "is_deal_lost",
                    *labels("is_lost"),
                ),
                "probability": (
                    "hs_deal_stage_probability",
                    "Deal probability",
                    "Deal Stage Probability",
                    *labels("probability"),
                ),
                "deleted": ("is_deleted", "archived", "_fivetran_deleted", "is_deal_deleted"),
                "active": ("_fivetran_active",),
                "version_from": ("_fivetran_start",),
                "merged_ids": ("hs_merged_object_ids", "merged_deal_ids", "Merged object IDs", "Merged Deal IDs"),
                "touched_at": (
                    "hs_lastmodifieddate",
                    "Last Modified Date",
                    "lastmodifieddate",
                    "updatedAt",
                    "_fivetran_synced",
                    *labels("touched_at"),
                ),
                "owner": (
                    "hubspot_owner_id",
                    "owner_id",
                    "Deal owner",
                    "owner_full_name",
                    "owner_email_address",
                    *labels("owner"),
                ),
                "account_id": (
                    "hs_primary_associated_company",
                    "Associated Company IDs",
                    "Associated Company",
                    "Primary Associated Company ID",
                    "Associated Company (Primary)",
                ),
                "type": ("dealtype", "Deal Type", *labels("type")),
                "lead_source": (
                    "hs_analytics_source",
                    "Original Traffic Source",
                    "Original Source Type",
                    "Original Source",
                ),
                "lost_reason": ("closed_lost_reason", "Closed Lost Reason"),
                "pipeline": ("pipeline", "deal_pipeline_id", "Pipeline", "pipeline_id"),
                "pipeline_label": ("pipeline_label", "deal_pipeline_label"),
            },
            needed=("opportunity_id", "stage_id", "close_date", "created_at"),
            required=True,
            kinds={
                **dict.fromkeys(("created_at", "version_from", "touched_at", "close_date"), "moment"),
                **dict.fromkeys(("amount", "amount_home", "probability"), "number"),
            },
        ),
        File(
            role="stages",
            stems=("deal_pipeline_stage", "deal_pipeline_stages", "pipeline_stages", "pipeline_stage"),
            columns={
                "stage_id": ("stage_id", "id", "deal_pipeline_stage_id", "pipeline_stage_id"),
                "stage": ("label", "stage_name", "pipeline_stage_label"),
                "pipeline": ("pipeline_id", "deal_pipeline_id"),
                "pipeline_label": ("pipeline_label",),
                "position": ("display_order",),
                "probability": ("probability", "metadata_probability"),
                "is_closed": ("is_closed", "metadata_is_closed"),
                "is_won": ("closed_won", "is_closed_won", "is_won"),
            },
            needed=("stage_id", "stage"),
        ),
        File(
            role="properties",
            stems=("deal_property_history", "deal_properties_history", "deals_property_history", "deal_history"),
            columns={
                "opportunity_id": ("deal_id", "objectId", "Record ID"),
                "recorded_at": ("timestamp", "change_timestamp", "valid_from", "Change date", "Date changed"),
                "property": ("name", "property", "field_name", "property_name"),
                "value": ("value", "new_value", "property_value"),
            },
            needed=("opportunity_id", "recorded_at", "property", "value"),
            kinds={"opportunity_id": "key", "recorded_at": "moment"},
        ),
        File(
            role="daily",
            stems=("daily_deal_history", "deal_daily_history"),
            columns={
                "opportunity_id": ("deal_id",),
                "day": ("date_day",),
                "stage_id": ("pipeline_stage_id", "dealstage", "deal_pipeline_stage_id", "pipeline_stage_label"),
                "pipeline": ("deal_pipeline_id", "pipeline"),
                "amount": ("amount",),
                "amount_home": ("amount_in_home_currency",),
                "currency": ("deal_currency_code",),
                "close_date": ("closedate", "closed_date", "close_date", "closed_at"),
                "owner": ("owner_id", "hubspot_owner_id"),
            },
            needed=("opportunity_id", "day", "stage_id"),
        ),
        File(
            role="stage_history",
            stems=("deal_stage", "deal_stages"),
            columns={
                "opportunity_id": ("deal_id",),
                "recorded_at": ("date_entered", "date_stage_entered", "_fivetran_start"),
                "value": ("value", "pipeline_stage_id", "deal_stage_name", "pipeline_stage_label"),
                "stage": ("pipeline_stage_label",),
                "pipeline": ("pipeline_id",),
                "pipeline_label": ("pipeline_label",),
                "position": ("pipeline_stage_display_order",),
                "probability": ("pipeline_stage_probability",),
                "is_closed": ("is_pipeline_stage_closed",),
                "is_won": ("is_pipeline_stage_closed_won",),
            },
            needed=("opportunity_id", "recorded_at", "value"),
        ),
        File(
            role="merged",
            stems=("merged_deal", "merged_deals"),
            columns={
                "opportunity_id": ("deal_id",),
                "merged_id": ("merged_deal_id",),
            },
            needed=("opportunity_id", "merged_id"),
        ),
        File(
            role="pipelines",
            stems=("deal_pipeline", "deal_pipelines", "pipelines", "pipeline"),
            columns={
                "pipeline": ("pipeline_id", "id"),
                "label": ("label", "pipeline_label"),
                "stages": ("stages",),
            },
            needed=("pipeline",),
        ),
        File(
            role="users",
            stems=("owner", "owners"),
            columns={
                "owner": ("owner_id", "id"),
                "name": ("full_name", "name", "email"),
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
        ("opportunities", "pipeline_label"),
        ("opportunities", "pipeline"),
        ("opportunities", "deal_pipeline_id"),
    ),
)


def assemble(export: Export, *, timezone: str, segment_column: str | None) -> Deals:
    """Return the export's deals; see `Deals`."""
    notes, table = export.notes, export.files["opportunities"]
    readings = {role: export.reading(role) for role in export.frames}
    reading, called = readings["opportunities"], export.columns["opportunities"]
    _whole_identifiers(export)
    frame, versions = active(export.frames["opportunities"], table, notes)
    frame = without_deleted(frame, flags(export.column("opportunities", "deleted"))[frame.index], notes)
    frame = _without_merged(export, frame).copy(deep=False)
    touched = frame.get("touched_at", pd.Series(np.nan, index=frame.index, dtype="str"))
    frame["touched_at"] = moments(touched, reading, column=called.get("touched_at", "hs_lastmodifieddate"))
    frame = one_row_a_deal(frame, export)
    joined = rows_of(frame, export, {"users": "owner", "accounts": "account_id", "pipelines": "pipeline"})
    frame["created_at"] = moments(frame["created_at"], reading, column=called["created_at"])
    frame["created_on"] = local_days(frame["created_at"], timezone)
    states = past.known_states(export, frame, versions, readings)
    stages = stage_table(export, readings)
    pipeline = frame["pipeline_label"] if stages is None and "pipeline_label" in frame else frame.get("pipeline")
    shared = past.shared_labels(frame["stage_id"], pipeline) if stages is None else set()
    frame["stage"], declared = _staged(frame["stage_id"], pipeline, stages, shared, table)
    frame["outcome"] = outcome_of(export, frame, declared, reading)
    frame["segment"], where_from = choose_segment(export, joined, segment_column)
    notes.append(where_from)
    frame, done = _money(export, frame, reading)
    close = days(frame["close_date"], reading, column=called["close_date"], timed=True)
    frame["expected_close_on"] = close
    frame["closed_on"] = close.where(frame["outcome"] != "open")
    if "owner" in frame:
        frame["owner"] = people(export, frame["owner"])
    history = None
    if len(states):
        history = _history(export, states, frame, done, readings)
        of_deal = None if pipeline is None else _by_deal(history["opportunity_id"], frame, pipeline)
        history["stage"], said = _staged(history["stage_id"], of_deal, stages, shared, _source(export))
        if stages is None:
            history["stage"] = _as_labelled(history["stage"], frame["stage"])
        history["closed"] = _closed(history["stage"], said, frame, export.stage_outcomes)
        history = past.completed(history, frame)
    return Deals(
        opportunities=frame,
        history=history,
        reference=_reference(stages, export.stage_outcomes),
        open_by_name=export.open_by_name,
        notes=notes,
    )


def _whole_identifiers(export: Export) -> None:
    """Bring identifiers that a spreadsheet took for numbers to one form; refuse those whose digits it has lost."""
    for role, frame in export.frames.items():
        for ours in (each for each in ("opportunity_id", "merged_id") if each in frame):
            ids = whole(frame[ours], table=export.files[role], column=export.columns[role][ours])
            export.frames[role] = export.frames[role].assign(**{ours: ids})


def _without_merged(export: Export, frame: pd.DataFrame) -> pd.DataFrame:
    gone = past.merged_away(export, frame)
    if gone.any():
        export.notes.append(
            f"{plural(int(gone.sum()), 'deal was', 'deals were')} merged into others that are there: left out, with "
            "their history"
        )
    return frame[~gone]


def _source(export: Export) -> str:
    """Return the name of the file that the history came from."""
    roles = ("properties", "daily", "stage_history", "opportunities")
    return next(export.files[role] for role in roles if role in export.files)


def _by_deal(ids: pd.Series, frame: pd.DataFrame, values: pd.Series) -> pd.Series:
    """Return a deal's value for each row of its history."""
    return looked_up(ids, frame["opportunity_id"], values.astype("str"))


# -- stages --------------------------------------------------------------------------------------------


def _staged(
    ids: pd.Series, pipeline: pd.Series | None, stages: pd.DataFrame | None, shared: set[str], table: str
) -> tuple[pd.Series, pd.Series]:
    """Return each row's stage in our tables, and its outcome as the table of stages says; missing where it does not."""
    if stages is None:
        return past.apart(ids, pipeline, shared), pd.Series(np.nan, index=ids.index, dtype="str")
    place = located(ids, pipeline, stages, table=table)
    return place.map(stages["stage"]).fillna(ids).astype("str"), place.map(stages["outcome"]).astype("str")


def _as_labelled(stage: pd.Series, today: pd.Series) -> pd.Series:
    """Return the stages of a history as the deals call them: `contractsent` is the identifier of "Contract Sent"."""
    labels = pd.Series(today.dropna().unique(), dtype="str")
    by_identifier = labels.groupby(labels.str.replace(r"\s*\([^)]*\)$", "", regex=True).map(plain))
    one = by_identifier.first()[by_identifier.size() == 1]
    known = {name: one.get(plain(name), name) for name in stage.dropna().unique() if name not in set(labels)}
    return translated(stage, {**dict(zip(labels, labels, strict=True)), **known})


def _closed(stage: pd.Series, declared: pd.Series, frame: pd.DataFrame, mapped: Mapping[str, str]) -> pd.Series:
    """Return whether each row of history stands in a closing stage: by the table, by deals in it today, by its name."""
    outcome_of = frame.groupby("stage")["outcome"].agg(lambda values: values.iloc[0] if values.nunique() == 1 else "")
    known = outcome_of[outcome_of != ""]
    by_name = outcomes(stage, declared=known.to_dict(), mapped=mapped)
    return (by_name if declared.isna().all() else declared.fillna(by_name)) != "open"


def _reference(stages: pd.DataFrame | None, mapped: Mapping[str, str]) -> pd.DataFrame | None:
    if stages is None:
        return None
    known = stages.drop_duplicates("stage")
    return known.assign(outcome=known["outcome"].fillna(outcomes(known["stage"], declared={}, mapped=mapped)))


# -- money and history ---------------------------------------------------------------------------------


def _money(export: Export, frame: pd.DataFrame, reading: Reading) -> tuple[pd.DataFrame, Conversion | None]:
    """Return the deals with their amounts, in the company's currency where the export has it, and how it was had.

    Without a column in the company's currency the deal's own amount and currency stand.
    """
    called = export.columns["opportunities"]
    none = pd.Series(np.nan, index=frame.index, dtype="float64")
    if "amount" not in frame and "amount_home" not in frame:
        names = "amount, amount_in_home_currency, Amount in company currency"
        raise DataError(
            f"no column for it: looked for {names}", table=reading.table, column="amount", mend="export that column"
        )
    entered = none
    if "amount" in frame:
        read = amounts(frame["amount"], reading, column=called["amount"])
        entered = read.numbers
        if read.currency is not None and "currency" not in frame:
            frame = frame.assign(currency=read.currency)
    if "amount_home" not in frame or not frame["amount_home"].notna().any():
        return frame.assign(amount=entered), None
    home = numbers(frame["amount_home"], reading, column=called["amount_home"])
    currency = frame.get("currency")
    done = conversion([(entered, home)], currency=currency)
    if currency is not None:
        companys = currency.isna() | (currency == done.company_currency)
        home = home.where(home.notna() | ~companys, entered)
        done = conversion([(entered, home)], currency=currency)
    refuse_unconverted(done, table=reading.table, base=called["amount_home"], own=called.get("amount", ""))
    export.notes.append(f"{reading.table}: amount = {called['amount_home']}, the company's currency")
    company = done.company_currency
    refuse_other_company_currency(export.currency, company, table=reading.table, column=called["amount_home"])
    frame = frame.drop(columns="currency", errors="ignore").assign(amount=done.base)
    return frame.assign(currency=company) if company else frame, done


def _history(
    export: Export, states: pd.DataFrame, frame: pd.DataFrame, done: Conversion | None, readings: dict[str, Reading]
) -> pd.DataFrame:
    """Return the states with amounts (in the deals' money) and dates as such."""
    history = states[are_among(states["opportunity_id"], frame["opportunity_id"])].copy(deep=False)
    table = _source(export)
    reading = next(each for each in readings.values() if each.table == table)
    for name in ("amount", "amount_home"):
        if name in history:
            history[name] = numbers(history[name], reading, column=name)
    if done is not None and "amount" in history:
        history = in_company_currency(history, frame, done, export.notes, table)
        if "amount_home" in history:
            history["amount"] = history["amount_home"].fillna(history["amount"])
    elif done is not None and "amount_home" in history:
        history["amount"] = history["amount_home"]
    if "close_date" in history:
        history["expected_close_on"] = days(history["close_date"], reading, column="closedate", timed=True)
    if "owner" in history:
        history["owner"] = people(export, history["owner"])
    return history
