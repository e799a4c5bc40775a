"""A CRM's export -> a data folder that `forecast.read` accepts.

`import_crm` reads the CSV files Salesforce, HubSpot or Dynamics 365 export, brings their columns to our names
(`salesforce`, `hubspot`, `dynamics` declare which), mends what CRMs allow (`canonical`), validates the result and only
then writes it. docs/importing.md lists files, columns and mends. Nothing is fetched from a network.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from forecast.data.checks.validation import validate
from forecast.data.schema import Company
from forecast.data.sources.company import FILE, read_company
from forecast.data.sources.crm.canonical import canonical
from forecast.data.sources.crm.dynamics import opportunities as dynamics
from forecast.data.sources.crm.export import Choices, load
from forecast.data.sources.crm.hubspot import deals as hubspot
from forecast.data.sources.crm.salesforce import opportunities as salesforce
from forecast.errors import DataError, ParameterError, nearest

_KINDS = {"salesforce": salesforce, "hubspot": hubspot, "dynamics": dynamics}
KINDS = tuple(_KINDS)

_WRITTEN = ("opportunities", "opportunity_history", "stages", "currencies")
_NOTES = "import_notes.txt"


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What an export became: our tables, the text of company.toml, and what a reader must know."""

    tables: dict[str, pd.DataFrame]
    company: str
    notes: tuple[str, ...]


def import_crm(
    kind: str, source: Path, out: Path, *, segment_column: str | None = None, choices: Choices | None = None
) -> list[Path]:
    """Write the data folder of a CRM's export; return the files written.

    Written are the tables, company.toml and import_notes.txt (what was mended, what was not brought over). Other
    tables in `out` (a plan, marketing, submitted forecasts) stay. A company.toml in `source`, or else in `out`,
    stays as it is; only its extracted_on is set anew.

    Parameters
    ----------
    kind : one of `KINDS`.
    source : folder of the export's CSV files.
    out : the data folder; made where it is not there.
    choices : what the export leaves open; see `Choices`.
    segment_column : the CRM's column that becomes the segment, `Region__c` or `users.Division`; by default the owner's,
        account's or deal's region where there is one, else one segment.

    Raises
    ------
    DataError : a file or column that is needed is not there, or a value cannot be used; nothing is written then.
    ParameterError : an unknown kind or segment column.
    """
    result = read_export(kind, source, segment_column=segment_column, company_in=out, choices=choices)
    return write_folder(result, out)


def read_export(
    kind: str,
    source: Path,
    *,
    segment_column: str | None = None,
    company_in: Path | None = None,
    choices: Choices | None = None,
) -> Imported:
    """Return what an export becomes, validated, without writing it; see `import_crm`.

    company_in : a folder whose company.toml holds where `source` has none.
    """
    if kind not in _KINDS:
        raise ParameterError(f"import: {kind!r} is no CRM known here; {nearest(kind, KINDS)}")
    crm = _KINDS[kind]
    where = next((folder for folder in (source, company_in) if folder and (Path(folder) / FILE).is_file()), None)
    company = Company() if where is None else read_company(Path(where))
    export = load(crm.CRM, Path(source), timezone=company.timezone, choices=choices)
    deals = crm.assemble(export, timezone=company.timezone, segment_column=segment_column)
    tables, end = canonical(deals, timezone=company.timezone)
    if pd.isna(end):
        raise DataError("no date at all", table=export.files["opportunities"], mend="export the creation dates")
    notes = list(deals.notes)
    currencies = tables["opportunities"].get("currency")
    single = "" if currencies is None or currencies.nunique() != 1 else str(currencies.dropna().iloc[0])
    if single and "currencies" not in tables:
        tables["opportunities"] = tables["opportunities"].drop(columns="currency")
    notes.append(f"the export knows of nothing after {end:%Y-%m-%d}: extracted_on = {end:%Y-%m-%d}")
    text = _company_text(where, crm.CRM.name, single, end)
    try:
        validate(tables, _dated(company, end), source=str(source))
    except DataError as error:
        raise DataError(f"the {crm.CRM.name} export, brought to our names, cannot be used:\n{error}") from error
    return Imported(tables=tables, company=text, notes=tuple(notes))


def write_folder(result: Imported, out: Path) -> list[Path]:
    """Write tables, company.toml and notes into a folder: to a temporary one first, moved in when whole."""
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        for name, frame in result.tables.items():
            _text(frame).to_csv(temporary / f"{name}.csv", index=False)
        (temporary / FILE).write_text(result.company, encoding="utf-8")
        (temporary / _NOTES).write_text("".join(f"- {note}\n" for note in result.notes), encoding="utf-8")
        out.mkdir(exist_ok=True)
        written = [file.replace(out / file.name) for file in sorted(temporary.iterdir())]
        for name in _WRITTEN:
            (out / f"{name}.parquet").unlink(missing_ok=True)
            if name not in result.tables:
                (out / f"{name}.csv").unlink(missing_ok=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return written


def _text(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table as it is written: dates and UTC timestamps in ISO form."""
    out = frame.copy()
    for name in out:
        if isinstance(out[name].dtype, pd.DatetimeTZDtype):
            out[name] = out[name].dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        elif pd.api.types.is_datetime64_dtype(out[name].dtype):
            out[name] = out[name].dt.strftime("%Y-%m-%d")
    return out


def _dated(company: Company, end: pd.Timestamp) -> Company:
    return replace(company, extracted_on=end.as_unit("us"))


def _company_text(where: Path | None, crm: str, currency: str, end: pd.Timestamp) -> str:
    """Return the company.toml: the one that is there with extracted_on set anew, or a new one."""
    dated = f"extracted_on = {end:%Y-%m-%d}\n"
    if where is None:
        name = f'name = "Imported from {crm}"\n'
        money = f'currency = "{currency}"\n' if currency else ""
        return f'{name}{money}timezone = "UTC"\n{dated}'
    lines = (Path(where) / FILE).read_text(encoding="utf-8-sig").splitlines(keepends=True)
    others = [line for line in lines if not line.lstrip().startswith("extracted_on")]
    if others and not others[-1].endswith("\n"):
        others[-1] += "\n"
    return "".join([*others, dated])
