"""An import meets a data folder that is there: what it replaces, what stays, what it adds to.

Simple case: the folder is new. Else: the deals are always the new export's. A plan, marketing, quotas and the like that
an import wrote are replaced, those that somebody put there stay; which is which, the notes of the earlier import say.
Forecasts that people submitted add up, since each export only knows those of its day. A table that is there in another
form (opportunities.xlsx) is set aside under a name that nothing reads, so that it is neither lost nor read twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from forecast.data.schema import TABLES
from forecast.data.sources.company import FILE
from forecast.data.sources.filling import being_filled
from forecast.data.sources.private import OWNED, make_private
from forecast.data.sources.tables.raw import PARQUET, is_table, stem
from forecast.data.sources.writing import write_csv, write_parquet
from forecast.wording import joined, plural

OF_THE_DEALS = ("opportunities", "opportunity_history", "stages", "currencies")
"""Tables that are always the last import's."""
NOTES = "import_notes.txt"
ASIDE = ".before-import"

_RECORD = "tables of this import: "
_IN_PARQUET = "too long for a spreadsheet, written as Parquet: "
_GATHERED = "submitted_forecasts"

MANY_ROWS = 100_000
"""A table of the deals with so many rows is written as Parquet (docs/decisions/import_in_kinds.md)."""


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What an export became: our tables, the text of company.toml, and what a reader must know."""

    tables: Mapping[str, pd.DataFrame]
    company: str
    notes: tuple[str, ...]


def into(result: Imported, out: Path) -> Imported:
    """Return what is to be written into a folder: without tables that are somebody's own there, with what it adds to.

    Nothing is written. The notes say which tables stay, and what is set aside.
    """
    tables, notes = dict(result.tables), list(result.notes)
    earlier = _of_earlier_import(out)
    for name in [name for name in tables if name not in OF_THE_DEALS]:
        there = _forms(out, name)
        if there and name not in earlier:
            rows = plural(len(tables.pop(name)), "row")
            notes.append(
                f"{there[0].name} in {out} is your own and stays: the export's {rows} of {name} are not written; take "
                "the file away to have them"
            )
        elif name == _GATHERED and there:
            tables[name], added = _gathered(there[0], tables[name])
            notes.append(f"{name}: {plural(added, 'forecast')} of earlier imports stay")
    aside = [path.name for path in _others(out, tables)]
    if aside:
        notes.append(f"set aside in {out}, as {ASIDE}: {joined(aside)}")
    parquet = [name for name, frame in tables.items() if _file(name, frame).endswith(PARQUET)]
    if parquet:
        notes.append(_IN_PARQUET + ", ".join(parquet))
    return replace(result, tables=tables, notes=tuple(notes))


def write_folder(result: Imported, out: Path) -> list[Path]:
    """Write tables, company.toml and notes into a folder: to a temporary one first, moved in when whole.

    result : as `into` returns it. Returns the files written.
    """
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    record = sorted({*_of_earlier_import(out), *result.tables} - set(OF_THE_DEALS))
    notes = [*result.notes, *([_RECORD + ", ".join(record)] if record else [])]
    private = make_private(f".{out.name}-", within=out.parent)
    temporary = private.path
    try:
        for name, frame in result.tables.items():
            file = temporary / _file(name, frame)
            (write_parquet if file.suffix == PARQUET else write_csv)(frame, file)
        (temporary / FILE).write_text(result.company, encoding="utf-8")
        (temporary / NOTES).write_text("".join(f"- {note}\n" for note in notes), encoding="utf-8")
        with being_filled(out):
            for path in _others(out, result.tables):
                path.replace(path.with_name(path.name + ASIDE))
            own = [path for name in OF_THE_DEALS for path in _own(out, name)]
            written = [file.replace(out / file.name) for file in sorted(temporary.iterdir()) if file.name != OWNED]
            for path in own:
                if path not in written:
                    path.unlink()
    finally:
        private.remove()
    return written


def _written(tables: Mapping[str, pd.DataFrame]) -> Sequence[str]:
    return list(dict.fromkeys([*OF_THE_DEALS, *tables]))


def _file(name: str, frame: pd.DataFrame) -> str:
    """Return the file a table is written into: CSV that any spreadsheet opens, but for what is too long for one."""
    return f"{name}{PARQUET if name in OF_THE_DEALS and len(frame) >= MANY_ROWS else '.csv'}"


def _own(out: Path, name: str) -> list[Path]:
    """Return the files of a table that an import may replace: its CSV, and the Parquet that an earlier one wrote."""
    found = [out / f"{name}.csv"]
    if name in _noted(out, _IN_PARQUET):
        found.append(out / f"{name}{PARQUET}")
    return [path for path in found if path.is_file()]


def _others(out: Path, tables: Mapping[str, pd.DataFrame]) -> list[Path]:
    """Return the files of a folder that would be read beside what is written, and that no import has written."""
    return [path for name in _written(tables) for path in _forms(out, name) if path not in _own(out, name)]


def _forms(out: Path, name: str) -> list[Path]:
    """Return the files of a folder that hold a table, in whatever form."""
    if not Path(out).is_dir():
        return []
    return [path for path in sorted(Path(out).iterdir()) if path.is_file() and is_table(path) and stem(path) == name]


def _of_earlier_import(out: Path) -> set[str]:
    """Return the further tables that an earlier import wrote into the folder, as its notes say."""
    return _noted(out, _RECORD) & set(TABLES)


def _noted(out: Path, record: str) -> set[str]:
    """Return what the notes of an earlier import list behind some words; nothing where there are none."""
    file = Path(out) / NOTES
    if not file.is_file():
        return set()
    found = re.search(rf"^- {re.escape(record)}(.+)$", file.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    return {name.strip() for name in found[1].split(",")} if found else set()


def _gathered(path: Path, new: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return the forecasts of earlier imports with the new ones, and how many stay: those of other days."""
    there = pd.read_csv(path, dtype="str", keep_default_na=False, na_values=[""])
    there["submitted_on"] = pd.to_datetime(there["submitted_on"], format="%Y-%m-%d").astype("datetime64[us]")
    there["amount"] = there["amount"].astype("float64")
    others = there.loc[~there["submitted_on"].isin(new["submitted_on"]), list(new.columns)]
    both = pd.concat([others, new], ignore_index=True)
    ordered = both.sort_values(["submitted_on", "target_period", "segment"], kind="stable", ignore_index=True)
    return ordered, len(others)
