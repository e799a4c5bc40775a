"""A mapping over a CRM that is known already: its files' and columns' names come before the CRM's own.

Of a mapping file, [files], [columns], [stages], [dates] order and [company] are used here; what only `generic` does
(lookups, rules for the outcome, other forms of history) is refused rather than left out.
"""

from __future__ import annotations

from dataclasses import replace

from forecast.data.sources.crm.export import Crm, File
from forecast.data.sources.crm.mapped.mapping import CrmMapping
from forecast.errors import DataError, nearest

# What CRMs with one date for both, or with a moment of creation, call ours.
_ALSO = {
    "created_on": "created_at",
    "touched_on": "touched_at",
    "expected_close_on": "close_date",
    "closed_on": "close_date",
}
_ONLY_GENERIC = ("outcome", "lookups", "history", "marketing", "extra", "constants", "replace", "keep", "leave_out")
_PLAIN = {"decimal": "", "unit": 1.0, "rates": {}}


def with_mapping(crm: Crm, mapping: CrmMapping) -> Crm:
    """Return the CRM with the mapping's names of files and columns before its own.

    Raises DataError for a column the CRM's module does not take, or a section that only `generic` has.
    """
    for section in _ONLY_GENERIC:
        if getattr(mapping, section):
            raise DataError(
                f"[{section}] is for exports of other CRMs, and would have no effect on {crm.name}'s",
                table=mapping.where,
                mend="take it out, or import with `forecast import generic` and name all columns",
            )
    for section, plain in _PLAIN.items():
        if getattr(mapping, section) != plain:
            mend = "take it out, or import with `forecast import generic` and name all columns"
            raise DataError(f"{section} has no effect on {crm.name}'s export", table=mapping.where, mend=mend)
    return replace(crm, files=tuple(_with_names(file, crm, mapping) for file in crm.files))


def _with_names(file: File, crm: Crm, mapping: CrmMapping) -> File:
    stems = (*mapping.files.get(file.role, ()), *file.stems)
    if file.role != "opportunities":
        return replace(file, stems=stems)
    columns = dict(file.columns)
    known = [*columns, *(ours for ours, theirs in _ALSO.items() if theirs in columns and ours not in columns)]
    for ours, names in mapping.columns.items():
        name = ours if ours in columns else _ALSO.get(ours, "")
        if name not in columns:
            raise DataError(
                f"{crm.name}'s import takes no such column",
                table=mapping.where,
                column=f"columns.{ours}",
                mend=nearest(ours, known),
            )
        columns[name] = (*names, *columns[name])
    return replace(file, stems=stems, columns=columns)
