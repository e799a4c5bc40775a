"""The audit of Dynamics 365: what was changed, when, from what to what; and the state of a deal after each change.

Two forms: a row a changed column (attribute, oldvalue, newvalue), as screens and reports show it; or, as Dataverse
stores it, `changedata` with the changed attributes of one save as JSON, whose dates have the month first and whose
lookups read `systemuser,<identifier>`. Amounts are audited as entered, in the deal's own currency.
"""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from forecast.data.codes import bytes_of, coded, distinct, looked_up, recoded, rewritten, translated
from forecast.data.sources.crm.export import Export
from forecast.data.sources.crm.values.dates import moments
from forecast.data.sources.crm.values.ids import are_among
from forecast.data.sources.crm.values.names import plain
from forecast.data.sources.crm.values.reading import Reading
from forecast.data.sources.crm.values.states import recording_began, states, with_unchanged
from forecast.errors import DataError

FIELDS = ("stage", "estimated", "actual", "estimated_base", "actual_base", "expected", "state", "owner", "currency")
"""What a state holds, as text."""

_STEP = ("stepname", "pipelinephase")
_SALES_STAGE = ("salesstage", "salesstagename")
_ATTRIBUTES = {
    "estimatedvalue": "estimated",
    "estrevenue": "estimated",
    "estimatedrevenue": "estimated",
    "estimatedvaluebase": "estimated_base",
    "estrevenuebase": "estimated_base",
    "actualvalue": "actual",
    "actualrevenue": "actual",
    "actualvaluebase": "actual_base",
    "actualrevenuebase": "actual_base",
    "estimatedclosedate": "expected",
    "estclosedate": "expected",
    "statecode": "state",
    "status": "state",
    "ownerid": "owner",
    "owner": "owner",
    "transactioncurrencyid": "currency",
    "currency": "currency",
}
_CREATED = ("1", "create", "created")
_SALES_STAGES = {"0": "Qualify", "1": "Develop", "2": "Propose", "3": "Close"}
"""What the field Sales Stage holds unless a company changed it."""

_GUID = r"\{?[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\}?"
_OTHERWISE_WRITTEN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ{},"
"""Signs without which a text is in the one form of identifiers already, or none."""
_LOOKUP = rf"^[a-z_0-9]+,({_GUID})$"
_MONTH_FIRST = r"^(\d{1,2})/(\d{1,2})/(\d{4})(?: (\d{1,2}:\d{2}:\d{2}))?$"


def identifiers(values: pd.Series) -> pd.Series:
    """Return identifiers in one form: `systemuser,{0F3A…}` and `0f3a…` are one; what is no identifier stays.

    >>> identifiers(pd.Series(["{0F3A0000-0000-0000-0000-00000000000A}", "P. Person"])).tolist()
    ['0f3a0000-0000-0000-0000-00000000000a', 'P. Person']
    """
    return rewritten(values.astype("str"), _in_one_form)


def _in_one_form(text: pa.Array) -> pa.Array:
    if not _has_any_sign(text, _OTHERWISE_WRITTEN):
        return text
    bare = pc.replace_substring_regex(text, _LOOKUP, r"\1")
    lower = pc.ascii_lower(pc.utf8_trim(bare, "{}"))
    return pc.if_else(pc.match_substring_regex(bare, f"^{_GUID}$"), lower, bare)


def _has_any_sign(text: pa.Array, signs: bytes) -> bool:
    """Return whether one of some signs of ASCII stands in a text; by their bytes, so that nothing is copied."""
    at, there = bytes_of(text)
    wanted = np.zeros(256, dtype=bool)
    wanted[list(signs)] = True
    return bool(wanted[there[at[0] : at[-1]]].any())


def stage_names(stage: pd.Series, column: str, raw: pd.DataFrame) -> pd.Series:
    """Return stages by name: a code of Sales Stage as the deals' own label of it, else as Dynamics delivers it.

    column : what the stage comes from. raw : the deals' file, which may hold code and label side by side.
    """
    if plain(column) not in _SALES_STAGE:
        return stage
    by_plain = {plain(str(name)): str(name) for name in raw.columns}
    labels = dict(_SALES_STAGES)
    if set(_SALES_STAGE) <= set(by_plain):
        pairs = raw[[by_plain[name] for name in _SALES_STAGE]].dropna().drop_duplicates()
        labels |= dict(zip(pairs.iloc[:, 0], pairs.iloc[:, 1], strict=True))
    return stage.map(labels).fillna(stage).astype("str")


def audited_states(export: Export, frame: pd.DataFrame, today: pd.DataFrame, reading: Reading) -> pd.DataFrame | None:
    """Return the state of each deal after each of its changes; None where the audit has none of these deals.

    frame : the deals: opportunity_id, created_at, closed_on, outcome. today : opportunity_id, created_at, and today's
    value of each of `FIELDS`, as text, of the same index: a field that the audit never mentions has had today's value
    throughout, and so has an open deal; but nothing is said of days before auditing began.
    """
    changes = _changes(export, reading)
    if changes is not None:  # by their place among the deals, which is looked up once
        changes = changes.assign(opportunity_id=recoded(changes["opportunity_id"], today["opportunity_id"]))
    if changes is None or not are_among(changes["opportunity_id"], today["opportunity_id"]).any():
        return None
    begins = recording_began(changes, frame, reading)
    history = states(_from_creation(changes, today), today, begins=begins)
    for name in FIELDS:
        if name not in history and name in today:
            history[name] = looked_up(history["opportunity_id"], today["opportunity_id"], coded(today[name]))
    return with_unchanged(history, today, frame, begins)


def _from_creation(changes: pd.DataFrame, today: pd.DataFrame) -> pd.DataFrame:
    """Date what was entered when the deal was created on its creation: the audit writes it a moment later."""
    created = looked_up(changes["opportunity_id"], today["opportunity_id"], today["created_at"])
    gap = changes["recorded_at"] - created
    same = changes["creating"] & (gap >= pd.Timedelta(0)) & (gap < pd.Timedelta(days=1))
    return changes.assign(recorded_at=changes["recorded_at"].where(~same, created)).drop(columns="creating")


def _changes(export: Export, reading: Reading) -> pd.DataFrame | None:
    """Return opportunity_id, recorded_at, field, old, value, creating: a row a changed attribute."""
    rows = export.get("audit")
    if rows is None:
        return None
    called = export.columns["audit"]
    rows = rows.assign(
        opportunity_id=identifiers(rows["opportunity_id"]),
        recorded_at=moments(rows["recorded_at"], reading, column=called["recorded_at"]),
    )
    operation = rows["operation"] if "operation" in rows else pd.Series(np.nan, index=rows.index, dtype="str")
    rows["creating"] = operation.str.lower().isin(_CREATED)
    if "attribute" in rows and "new" in rows:
        changes = rows.rename(columns={"new": "value"})
    elif "changes" in rows:
        changes = _unpacked(rows, reading.table)
    else:
        raise DataError(
            "has neither attribute, oldvalue, newvalue nor changedata",
            table=reading.table,
            mend="export the audit with changedata, or a row a changed column",
        )
    if "old" not in changes:
        changes = changes.assign(old=pd.Series(np.nan, index=changes.index, dtype="str"))
    changes = changes.assign(field=_fields(export, changes["attribute"]))
    if changes["field"].hasnans:
        changes = changes[changes["field"].notna()]
    for name in ("old", "value"):
        changes[name] = identifiers(changes[name])
    return changes[["opportunity_id", "recorded_at", "field", "old", "value", "creating"]]


def _fields(export: Export, attribute: pd.Series) -> pd.Series:
    """Return which of `FIELDS` each attribute is; the stage is the attribute that the deals' stage comes from."""
    column = export.columns["opportunities"].get("stage", "stepname")
    stage = _SALES_STAGE if plain(column) in _SALES_STAGE else _STEP
    known = _ATTRIBUTES | dict.fromkeys(stage, "stage")
    names = {name: known.get(plain(name)) for name in distinct(attribute)}
    return translated(attribute, names)


def _unpacked(rows: pd.DataFrame, table: str) -> pd.DataFrame:
    """Return a row a changed attribute: {"changedAttributes": [{"logicalName": …, "oldValue": …, "newValue": …}]}."""
    recorded = rows[rows["changes"].notna()]
    flat: list[tuple[object, str, object, object]] = []
    try:
        for number, text in recorded["changes"].items():
            changed = json.loads(text).get("changedAttributes") or []
            flat += [(number, each["logicalName"], each.get("oldValue"), each.get("newValue")) for each in changed]
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise DataError(
            "cannot be read as the JSON of changed attributes",
            table=table,
            column="changedata",
            rows=[f"line {number}"],
            mend="export the audit as Dataverse stores it, or a row a changed column (attribute, oldvalue, newvalue)",
        ) from error
    out = pd.DataFrame(flat, columns=["row", "attribute", "old", "value"])
    for name in ("old", "value"):
        text = out[name].map(lambda value: None if pd.isna(value) else str(value)).astype("str")
        out[name] = text.str.replace(_MONTH_FIRST, _iso, regex=True).replace("", None).astype("str")
    return out.join(recorded[["opportunity_id", "recorded_at", "creating"]], on="row")


def _iso(parts: re.Match[str]) -> str:
    """Return a date of `changedata`, which has the month first whatever language its user speaks, in ISO form."""
    month, day, year, time = parts.groups()
    return f"{year}-{int(month):02d}-{int(day):02d}" + (f" {time}" if time else "")
