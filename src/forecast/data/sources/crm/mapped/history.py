"""What an export says of past days, in its three forms: states, changes of single fields, stages entered."""

from __future__ import annotations

import pandas as pd

from forecast.data.sources.crm.mapped.files import Found
from forecast.data.sources.crm.mapped.mapping import HISTORY_COLUMNS, HistoryMapping
from forecast.data.sources.crm.values.dates import days, moments
from forecast.data.sources.crm.values.numbers import numbers, shares
from forecast.data.sources.crm.values.reading import Reading
from forecast.data.sources.crm.values.stages import folded, outcomes
from forecast.data.sources.crm.values.states import states, with_unrecorded

_STATE = ("amount", "expected_close_on")


def read_history(found: Found, deals: pd.DataFrame, reading: Reading) -> pd.DataFrame | None:
    """Return the history of the deals: opportunity_id, recorded_at (UTC), stage, amount, expected_close_on, closed, …

    deals : opportunity_id, created_at, touched_at, outcome, stage and today's values; index as in the deals' file.
    reading : how the values of the deals' file are read; the history's are read alike.
    """
    mapping = found.mapping.history
    if mapping is None:
        return None
    notes = reading.notes
    if mapping.form == "entered":
        changes = _entered(found, mapping, deals, reading)
        history = None if changes is None else states(changes, deals)
    else:
        rows = _rows(found, mapping, notes)
        if rows is None:
            return None
        reading = Reading(
            table=found.tables["history"].file,
            timezone=reading.timezone,
            order=reading.order,
            decimal=found.mapping.decimal or found.tables["history"].decimal,
            decimal_said=found.mapping.decimal,
            frame=found.tables["history"].frame,
            notes=notes,
        )
        rows["recorded_at"] = moments(rows["recorded_at"], reading, column="recorded_at")
        history = rows if mapping.form == "states" else states(_changes(rows, mapping), deals)
    if history is None or "stage" not in history or not history["opportunity_id"].isin(deals["opportunity_id"]).any():
        notes.append("no history of these deals: stages, amounts and dates of past days are unknown")
        return None
    return _complete(_valued(found, history, reading), deals, found)


def _rows(found: Found, mapping: HistoryMapping, notes: list[str]) -> pd.DataFrame | None:
    """Return the history's file under our names, as text; None where there is none."""
    table = found.tables.get("history")
    if table is None:
        notes.append(f"no file of history ({', '.join(mapping.files)}): what stood on past days is unknown")
        return None
    taken = {}
    for ours in HISTORY_COLUMNS:
        names = mapping.columns.get(ours)
        if names is None:
            continue
        chosen = table.get(names, ours=ours, where=found.mapping.where)
        taken[ours] = table.frame[chosen]
    return pd.DataFrame(taken, index=table.frame.index)


def _changes(rows: pd.DataFrame, mapping: HistoryMapping) -> pd.DataFrame:
    ours = {folded(theirs).strip(): name for theirs, name in mapping.fields.items()}
    named = rows["field"].map(lambda name: ours.get(folded(str(name)).strip()))
    return rows.assign(field=named)[named.notna()]


def _entered(found: Found, mapping: HistoryMapping, deals: pd.DataFrame, reading: Reading) -> pd.DataFrame | None:
    """Return a row a stage entered: opportunity_id, recorded_at, field, value."""
    table = found.tables["opportunities"]
    parts = []
    for stage, name in mapping.entered.items():
        column = table.get([name], ours=f"history.entered.{stage}", where=found.mapping.where)
        at = moments(table.frame.loc[deals.index, column], reading, column=column)
        part = pd.DataFrame({"opportunity_id": deals["opportunity_id"], "recorded_at": at})
        parts.append(part[at.notna()].assign(field="stage", value=stage))
    changes = pd.concat(parts, ignore_index=True)
    return None if changes.empty else changes


def _valued(found: Found, history: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    """Return the history with its text read as numbers and dates."""
    out = history.copy()
    if "amount" in out:
        out["amount"] = numbers(out["amount"], reading, column="amount") * found.mapping.unit
    if "expected_close_on" in out:
        out["expected_close_on"] = days(out["expected_close_on"], reading, column="expected_close_on")
    if "probability" in out:
        out["probability"] = shares(out["probability"], reading, column="probability")
    return out


def _complete(history: pd.DataFrame, deals: pd.DataFrame, found: Found) -> pd.DataFrame:
    """Say which states are closed, and give the history what it does not record."""
    mapping = found.mapping
    if "outcome" in history:
        said = {value: kind for rule in mapping.outcome for value, kind in rule.values.items()}
        status = history["outcome"].map(lambda value: said.get(folded(str(value)).strip()))
        closed = status.isin(["won", "lost"])
    else:
        # Not by today's outcome of the deals in a stage: with a column of statuses, deals are won in any stage.
        by_stage = outcomes(history["stage"], declared=mapping.stages, mapped={})
        closed = by_stage != "open"
    history = history.assign(closed=closed.to_numpy())
    absent = [name for name in _STATE if name not in history]
    if not absent:
        return history
    latest = [deals["touched_at"].max(), history["recorded_at"].max(), deals["created_at"].max()]
    at = max(moment for moment in latest if pd.notna(moment))
    return with_unrecorded(history, deals, at, absent)
