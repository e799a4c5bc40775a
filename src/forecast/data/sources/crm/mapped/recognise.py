"""Whose export a folder holds, by the columns of its files.

Used where a mapping is not given (a shipped one is taken if its columns are there) and where an export is given to
another CRM's importer, which must not make deals of it: HubSpot's rules would call every deal of Pipedrive open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from forecast.data.sources.crm.mapped.files import ColumnNames
from forecast.data.sources.crm.mapped.mapping import CrmMapping, shipped

# Columns that only this CRM's deals have together, one list a form of export.
_SIGNATURES: dict[str, tuple[tuple[str, ...], ...]] = {
    "salesforce": (
        ("StageName", "CloseDate"),
        ("stage_name", "close_date", "created_date"),
        ("Opportunity ID", "Stage", "Close Date"),
        ("Opportunity Name", "Stage", "Close Date"),
        ("Opportunity Name", "Stage", "Created Date"),
    ),
    "hubspot": (
        ("dealstage", "closedate", "pipeline"),
        ("dealstage", "createdate"),
        ("property_dealstage",),
        ("deal_pipeline_stage_id",),
        ("Record ID", "Deal Stage", "Close Date"),
        ("Record ID", "Deal Stage", "Create Date"),
        ("Record ID", "Deal Stage", "Amount"),
        ("Record ID", "Deal Stage", "Pipeline"),
        ("Deal Stage", "Close Date", "Create Date"),
    ),
    "dynamics": (
        ("opportunityid", "statecode"),
        ("opportunityid", "estimatedvalue"),
        ("(Do Not Modify) Opportunity",),
        ("Est. Close Date", "Est. Revenue"),
        ("Est. close date", "Est. revenue"),
    ),
}
_CALLED = {"salesforce": "Salesforce", "hubspot": "HubSpot", "dynamics": "Dynamics 365"}


@dataclass(frozen=True, kw_only=True)
class Recognised:
    """Whose export a table is: what to import it as, its name, the columns that say so, its file; [the mapping]."""

    kind: str
    name: str
    columns: tuple[str, ...]
    file: str
    mapping: CrmMapping | None = None

    def sentence(self) -> str:
        """Return how a user is told, with the columns that say it."""
        quoted = ", ".join(map(repr, self.columns))
        return f"{self.file} is an export of {self.name}, by its columns {quoted}"


def recognised(tables: Sequence[ColumnNames]) -> list[Recognised]:
    """Return whose exports the tables may be, those with the most telling columns first; empty where none is known."""
    found = []
    for table in tables:
        for kind, forms in _SIGNATURES.items():
            columns = _fitting(table, forms)
            if columns:
                found.append(Recognised(kind=kind, name=_CALLED[kind], columns=columns, file=table.file))
        for mapping in shipped():
            columns = _fitting(table, mapping.recognised_by)
            if columns:
                one = Recognised(kind="generic", name=mapping.name, columns=columns, file=table.file, mapping=mapping)
                found.append(one)
    return sorted(found, key=lambda one: -len(one.columns))


def shipped_for(tables: Sequence[ColumnNames]) -> Recognised | None:
    """Return the shipped mapping whose columns the export has; None where none has, or two have as many of theirs."""
    found = [one for one in recognised(tables) if one.mapping is not None]
    names = {one.name for one in found if len(one.columns) == len(found[0].columns)}
    return found[0] if len(names) == 1 else None


def other_crm(kind: str, tables: Sequence[ColumnNames]) -> Recognised | None:
    """Return whose export it is where it is another CRM's than `kind`; None where it is its own, or nobody's known."""
    if any(_fitting(table, _SIGNATURES.get(kind, ())) for table in tables):
        return None  # without reading the mappings that come with the program
    found = recognised(tables)
    if not found or any(one.kind == kind for one in found):
        return None
    return found[0]


def _fitting(table: ColumnNames, forms: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """Return the longest of the forms all of whose columns the table has; empty where none fits."""
    there = [form for form in forms if all(table.has([name]) for name in form)]
    return tuple(table.called(name) or name for name in max(there, key=len)) if there else ()
