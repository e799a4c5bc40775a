"""A CRM's export -> a data folder that `forecast.read` accepts.

`import_crm` reads the files Salesforce, HubSpot or Dynamics 365 export, brings their columns to our names (their own
modules declare which; any other CRM's by a mapping, `generic`), mends what CRMs allow (`canonical`), validates and
only then writes it. docs/importing.md lists files, columns and mends. Nothing is fetched from a network.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.data.checks.validation import problems
from forecast.data.schema import Company
from forecast.data.sources.company import FILE, company_from, read_company, text_ending_on
from forecast.data.sources.crm.canonical import canonical
from forecast.data.sources.crm.deals import Deals
from forecast.data.sources.crm.dynamics import opportunities as dynamics
from forecast.data.sources.crm.export import Choices, load
from forecast.data.sources.crm.hubspot import deals as hubspot
from forecast.data.sources.crm.mapped.assemble import assemble
from forecast.data.sources.crm.mapped.draft import draft, essentials_left, report
from forecast.data.sources.crm.mapped.files import ColumnNames, tables_in
from forecast.data.sources.crm.mapped.guess import guess
from forecast.data.sources.crm.mapped.mapping import NEEDED, CrmMapping, read_mapping, shipped
from forecast.data.sources.crm.mapped.overlay import over_shipped, said_of_outcomes, with_mapping
from forecast.data.sources.crm.mapped.recognise import other_crm, recognised, shipped_for
from forecast.data.sources.crm.mapped.vocabulary import NAMES
from forecast.data.sources.crm.notes import gathered
from forecast.data.sources.crm.salesforce import opportunities as salesforce
from forecast.data.sources.crm.values.numbers import currency_codes
from forecast.data.sources.crm.values.reading import Order
from forecast.data.sources.into_folder import Imported, into, write_folder
from forecast.errors import DataError, ParameterError, nearest
from forecast.wording import joined

_KINDS = {"salesforce": salesforce, "hubspot": hubspot, "dynamics": dynamics}
GENERIC = "generic"
KINDS = (*_KINDS, GENERIC)

_SHOWN = 12
_ASSUMED = {"timezone": "UTC", "fiscal_year_start": 1}
"""What a new company.toml says where the export does not."""


@dataclass(frozen=True, kw_only=True)
class _Read:
    """An export's deals, whose export it is, and what a mapping says for company.toml."""

    deals: Deals
    name: str
    company: Mapping[str, Any] = field(default_factory=dict)


def import_crm(
    kind: str,
    source: Path,
    out: Path,
    *,
    segment_column: str | None = None,
    choices: Choices | None = None,
    mapping: Path | None = None,
) -> list[Path]:
    """Write the data folder of a CRM's export; return the files written.

    Written are the tables, company.toml and import_notes.txt (what was mended, what was not brought over). Tables of
    your own in `out` (a plan, marketing, submitted forecasts) stay, see `into_folder`. A company.toml in `source`,
    or else in `out`, stays as it is; only its extracted_on is set anew.

    Parameters
    ----------
    kind : one of `KINDS`.
    source : folder of the export's files, or its one file or workbook.
    out : the data folder; made where it is not there.
    mapping : a mapping file (docs/mapping.md): what the export calls things. `generic` needs one, or a CRM it knows.
    choices : what the export leaves open; see `Choices`.
    segment_column : the CRM's column that becomes the segment, `Region__c` or `users.Division`; by default the owner's,
        account's or deal's region where there is one, else one segment.

    Raises
    ------
    DataError : a file or column that is needed is not there, or a value cannot be used; nothing is written then.
    ParameterError : an unknown kind or segment column.
    """
    result = read_export(kind, source, segment_column=segment_column, company_in=out, choices=choices, mapping=mapping)
    return write_folder(into(result, out), out)


def read_export(
    kind: str,
    source: Path,
    *,
    segment_column: str | None = None,
    company_in: Path | None = None,
    choices: Choices | None = None,
    mapping: Path | None = None,
) -> Imported:
    """Return what an export becomes, validated, without writing it; see `import_crm`.

    company_in : a folder whose company.toml holds where `source` has none.
    """
    if kind not in KINDS:
        raise ParameterError(f"import: {kind!r} is no CRM known here; {nearest(kind, KINDS)}")
    said = None if mapping is None else read_mapping(Path(mapping))
    beside = Path(source).parent if Path(source).is_file() else source
    where = next((folder for folder in (beside, company_in) if folder and (Path(folder) / FILE).is_file()), None)
    if where is not None:
        company = read_company(Path(where))
    else:
        company = Company() if said is None else company_from(said.company)
    choices = choices or Choices()
    if company.one_currency:
        choices = replace(choices, one_currency=True)
    read = _read(kind, Path(source), said, company=company, segment_column=segment_column, choices=choices)
    deals = read.deals
    tables, end = canonical(deals, timezone=company.timezone, choices=choices, calendar=company.periods)
    if tables["opportunities"].empty:
        raise DataError("no deal in it: a header and no rows", table=str(source), mend="export it again, with its rows")
    if pd.isna(end):
        raise DataError("no date at all", table=str(source), mend="export the creation dates")
    notes = gathered(deals.notes)
    currencies = tables["opportunities"].get("currency")
    single = "" if currencies is None or currencies.nunique() != 1 else str(currencies.dropna().iloc[0])
    if single and "currencies" not in tables:
        tables["opportunities"] = tables["opportunities"].drop(columns="currency")
        _refuse_other_currency(company, single)
    currency = _code(deals.reporting or single, company, notes)
    text = _company_text(where, read.name, currency, end, read.company)
    if where is None:
        notes += _assumed(read.company, currency)
    company = replace(company, extracted_on=end.as_unit("us"), currency=company.currency or currency)
    fatal = [problem for problem in problems(tables, company) if problem.severity == "fatal"]
    if fatal:
        raise DataError(f"the {read.name} export, brought to our names, cannot be used:\n{DataError.of(fatal)}")
    return Imported(tables=tables, company=text, notes=tuple(notes))


def _read(
    kind: str,
    source: Path,
    mapping: CrmMapping | None,
    *,
    company: Company,
    segment_column: str | None,
    choices: Choices,
) -> _Read:
    """Return the deals of an export: by a CRM's own module, or by a mapping."""
    if kind == GENERIC:
        return _read_mapped(source, mapping, timezone=company.timezone, segment_column=segment_column, choices=choices)
    crm = _KINDS[kind]
    declared = crm.CRM if mapping is None else with_mapping(crm.CRM, mapping)
    if mapping is not None:
        choices = replace(choices, dates=choices.dates or mapping.order, decimal=mapping.decimal)
    try:
        export = load(declared, source, timezone=company.timezone, currency=company.currency, choices=choices)
    except DataError as error:
        with contextlib.suppress(DataError):
            _refuse_foreign(kind, source, tables_in(source), error)
        raise
    _refuse_foreign(kind, source, [ColumnNames(export.files[role], export.names(role)) for role in export.raw])
    if mapping is not None:
        export.stage_outcomes = said_of_outcomes(mapping)
    export.calendar = company.periods
    deals = crm.assemble(export, timezone=company.timezone, segment_column=segment_column)
    deals.exported_on = export.days.get(export.files["opportunities"])
    return _Read(deals=deals, name=declared.name, company={} if mapping is None else mapping.company)


def _read_mapped(
    source: Path, mapping: CrmMapping | None, *, timezone: str, segment_column: str | None, choices: Choices
) -> _Read:
    """Return the deals of an export by a mapping: the one that is given, else a shipped one that its columns name."""
    mappings = shipped() if mapping is None else [mapping, *shipped()]
    tables = tables_in(source, names={name for one in mappings for name in one.names()})
    whole = mapping is not None and all(ours in {**mapping.columns, **mapping.constants} for ours in NEEDED)
    known = None if whole else shipped_for(tables)
    if known is not None and known.mapping is not None:
        mapping = known.mapping if mapping is None else over_shipped(mapping, known.mapping)
    if mapping is None:
        other = other_crm(GENERIC, tables)
        columns = ", ".join(tables[0].columns[:_SHOWN])
        raise DataError(
            other.sentence() if other else f"whose export it is cannot be told by its columns: {columns} …",
            table=str(source),
            mend=f"forecast import {other.kind} {source} --out DIR"
            if other
            else f"draft a mapping with: forecast import generic {source} --out DIR --guess",
        )
    deals = assemble(mapping, tables, timezone=timezone, order=choices.dates, segment_column=segment_column)
    if known is not None:
        deals.notes.insert(0, f"{known.sentence()}: the mapping that comes with the program is used")
    return _Read(deals=deals, name=mapping.name, company=mapping.company)


def _refuse_foreign(kind: str, source: Path, tables: Sequence[ColumnNames], error: DataError | None = None) -> None:
    """Refuse the export of another CRM, by its columns, with the command that takes it."""
    other = other_crm(kind, tables)
    if other is not None:
        mend = f"forecast import {other.kind} {source} --out DIR"
        raise ParameterError(f"{other.sentence()}, not of {_KINDS[kind].CRM.name}\n  mend: {mend}") from error


@dataclass(frozen=True, kw_only=True)
class Drafted:
    """A drafted mapping file: its text, what is said of it, and what must be said in it before it can be used."""

    text: str
    report: tuple[str, ...]
    left: tuple[str, ...]


def draft_mapping(source: Path, *, dates: Order | None = None) -> Drafted:
    """Return a draft of a mapping file for an export nobody has described; nothing is written.

    dates : the order of day and month in numbers, where it is known.

    Raises DataError where nothing can be read, ParameterError where it is the export of a CRM that needs no mapping.
    """
    names = {name for mapping in shipped() for name in mapping.names()}
    tables = tables_in(Path(source), names={*names, *(name for known in NAMES.values() for name in known)})
    other = next((one for one in recognised(tables) if one.kind != GENERIC), None)
    known = shipped_for(tables)
    if other is not None and known is None:
        mend = f"forecast import {other.kind} {source} --out DIR"
        raise ParameterError(f"{other.sentence()}, and needs no mapping\n  mend: {mend}")
    found = guess(tables, known=None if known is None else known.mapping, order=dates)
    lines = report(found)
    if known is not None:
        lines.insert(0, f"{known.sentence()}: it can be imported without a mapping of your own")
    return Drafted(text=draft(found), report=tuple(lines), left=tuple(essentials_left(found)))


def _refuse_other_currency(company: Company, currency: str) -> None:
    """Refuse an export in one currency where company.toml names another: its amounts would be taken as they stand."""
    codes = currency_codes(currency)
    if company.currency and company.currency not in (currency, *codes):
        way = f'write currency = "{codes[0]}" in company.toml' if len(codes) == 1 else "say --one-currency if they are"
        raise DataError(
            f"amounts are in {currency}, company.toml says {company.currency}, and the export has no rates",
            table="opportunities",
            column="currency",
            mend=f"{way}, or export the file of exchange rates",
        )


def _code(written: str, company: Company, notes: list[str]) -> str:
    """Return the code of the currency that an export writes; empty, with a note, where it writes a sign or a name that
    may be several currencies."""
    codes = currency_codes(written) if written else ()
    if written and len(codes) != 1 and not company.currency:
        which = f", which may be {joined(codes, last='or')}" if codes else ""
        notes.append(
            f"amounts are in {written!r}{which}: no currency is taken; write its code in company.toml (currency)"
        )
    return codes[0] if len(codes) == 1 else ""


def _assumed(said: Mapping[str, Any], currency: str) -> list[str]:
    """Return a note of what a new company.toml says that nobody said."""
    unsaid = [f"{key} = {json.dumps(value)}" for key, value in _ASSUMED.items() if key not in said]
    unsaid += [] if currency or "currency" in said else ["no currency"]
    if not unsaid:
        return []
    return [
        f"company.toml is new and assumes {', '.join(unsaid)}: the day of a change, the quarter of a month and the "
        "sign of amounts rest on it; where it is not so, write it there and import again"
    ]


def _company_text(
    where: Path | None, crm: str, currency: str, end: pd.Timestamp, said: Mapping[str, Any] | None = None
) -> str:
    """Return the company.toml: the one that is there with extracted_on set anew, or a new one."""
    if where is None:
        keys: dict[str, Any] = {"name": f"Imported from {crm}", **_ASSUMED, **(said or {})}
        if currency:
            keys.setdefault("currency", currency)
        keys.pop("extracted_on", None)
        # The values are texts, whole numbers, truth values and lists of texts: JSON writes them as TOML does.
        text = "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in keys.items())
    else:
        text = (Path(where) / FILE).read_text(encoding="utf-8-sig")
    return text_ending_on(text, end)
