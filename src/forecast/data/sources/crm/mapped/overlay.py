"""A mapping over a CRM that is known already, or over a shipped one: its names come before theirs.

Of a mapping file, [files], [columns], [stages], [dates] order, [numbers] decimal and [company] are used here; what only
`generic` does (lookups, rules for the outcome, other forms of history) is refused rather than left out.
"""

from __future__ import annotations

from dataclasses import replace

from forecast.data.sources.crm.export import Crm, File
from forecast.data.sources.crm.mapped.mapping import CrmMapping, OutcomeRule
from forecast.errors import DataError, nearest

# What CRMs with one date for both, a moment of creation, or an estimated and an actual amount, call ours.
_ALSO = {
    "created_on": ("created_at",),
    "touched_on": ("touched_at",),
    "expected_close_on": ("close_date", "expected"),
    "closed_on": ("close_date", "closed"),
    "amount": ("estimated",),
}
_STATE = "state"
"""The column that says the outcome, of a CRM that has one and no flags: the mapping's [outcome] names it."""
_ONLY_GENERIC = ("lookups", "history", "marketing", "extra", "constants", "replace", "keep", "leave_out")
_PLAIN = {"unit": 1.0, "rates": {}}


def with_mapping(crm: Crm, mapping: CrmMapping) -> Crm:
    """Return the CRM with the mapping's names of files and columns before its own.

    Raises DataError for a column the CRM's module does not take, or a section that only `generic` has.
    """
    has_state = any(_STATE in file.columns for file in crm.files if file.role == "opportunities")
    for section in ("outcome", *_ONLY_GENERIC):
        if getattr(mapping, section) and not (section == "outcome" and has_state and _is_plain(mapping.outcome)):
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
    known = [*columns, *(ours for ours, theirs in _ALSO.items() if set(theirs) & set(columns) and ours not in columns)]
    for rule in mapping.outcome:
        columns[_STATE] = (*rule.columns, *columns[_STATE])
    for ours, names in mapping.columns.items():
        name = next((one for one in (ours, *_ALSO.get(ours, ())) if one in columns), "")
        if name not in columns:
            raise DataError(
                f"{crm.name}'s import takes no such column",
                table=mapping.where,
                column=f"columns.{ours}",
                mend=nearest(ours, known),
            )
        columns[name] = (*names, *columns[name])
    return replace(file, stems=stems, columns=columns)


def _is_plain(rules: tuple[OutcomeRule, ...]) -> bool:
    """Return whether the outcome is said by the values of one column alone."""
    return len(rules) == 1 and rules[0].filled is None and rules[0].otherwise is None


def said_of_outcomes(mapping: CrmMapping) -> dict[str, str]:
    """Return what a mapping says of stages and of states: the value -> outcome; states in small letters."""
    return {**mapping.stages, **{value: outcome for rule in mapping.outcome for value, outcome in rule.values.items()}}


def over_shipped(own: CrmMapping, shipped: CrmMapping) -> CrmMapping:
    """Return a shipped mapping with a user's own lines before its own.

    Columns are put before the shipped names, a rule for a column the shipped one reads gains its values, and everything
    else is the user's where it is said. So three lines mend a stage, a status or a rate of a CRM that is known.
    """
    columns = dict(shipped.columns)
    for ours, names in own.columns.items():
        columns[ours] = names if ours in own.asked else (*names, *columns.get(ours, ()))
    return replace(
        shipped,
        where=own.where,
        files={**shipped.files, **own.files},
        columns=columns,
        asked=own.asked | _own_parts(own),
        extra=own.extra,
        stages=own.stages,
        positions=own.positions,
        outcome=_rules(own.outcome, shipped.outcome),
        constants=own.constants,
        replace=own.replace,
        leave_out={**shipped.leave_out, **own.leave_out},
        keep=own.keep,
        lookups=(*own.lookups, *shipped.lookups),
        history=own.history,
        marketing=own.marketing,
        order=own.order,
        empty=own.empty,
        decimal=own.decimal,
        unit=own.unit,
        rates=own.rates,
        company=own.company,
    )


def _own_parts(own: CrmMapping) -> frozenset[str]:
    """Return the user's own filters and files, as errors call them: these must be there, unlike the shipped ones."""
    parts = [f"leave_out.{name}" for name in own.leave_out] + [f"keep.{name}" for name in own.keep]
    parts += [f"lookups.{lookup.name}" for lookup in own.lookups]
    return frozenset([*parts, "marketing"] if own.marketing else parts)


def _rules(own: tuple[OutcomeRule, ...], shipped: tuple[OutcomeRule, ...]) -> tuple[OutcomeRule, ...]:
    """Return the user's rules, each with the values of the shipped rule for the same column, then the other shipped."""
    rules, left = [], list(shipped)
    for rule in own:
        names = {name.casefold() for name in rule.columns}
        same = next((one for one in left if names & {name.casefold() for name in one.columns}), None)
        if same is not None and not rule.filled:
            left.remove(same)
            rule = replace(rule, values={**same.values, **rule.values}, otherwise=rule.otherwise or same.otherwise)
        rules.append(rule)
    return (*rules, *left)
