"""An import meets a data folder that is there: what it replaces, what stays, what it adds to.

Simple case: the folder is new. Else: the deals are always the new export's. A plan, marketing, quotas and the like that
an import wrote are replaced, those that somebody put there stay; which is which, the notes of the earlier import say.
Forecasts that people submitted add up, since each export only knows those of its day. A table that is there in another
form (opportunities.xlsx) is set aside under a name that nothing reads, so that it is neither lost nor read twice.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from forecast.data.schema import TABLES
from forecast.data.sources.company import FILE
from forecast.data.sources.tables.raw import is_table, stem
from forecast.data.sources.writing import write_csv
from forecast.wording import joined, plural

OF_THE_DEALS = ("opportunities", "opportunity_history", "stages", "currencies")
"""Tables that are always the last import's."""
NOTES = "import_notes.txt"
ASIDE = ".before-import"

_RECORD = "tables of this import: "
_GATHERED = "submitted_forecasts"


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
    aside = [path.name for name in _written(tables) for path in _forms(out, name) if path.name != f"{name}.csv"]
    if aside:
        notes.append(f"set aside in {out}, as {ASIDE}: {joined(aside)}")
    return replace(result, tables=tables, notes=tuple(notes))


def write_folder(result: Imported, out: Path) -> list[Path]:
    """Write tables, company.toml and notes into a folder: to a temporary one first, moved in when whole.

    result : as `into` returns it. Returns the files written.
    """
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    record = sorted({*_of_earlier_import(out), *result.tables} - set(OF_THE_DEALS))
    notes = [*result.notes, *([_RECORD + ", ".join(record)] if record else [])]
    temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        for name, frame in result.tables.items():
            write_csv(frame, temporary / f"{name}.csv")
        (temporary / FILE).write_text(result.company, encoding="utf-8")
        (temporary / NOTES).write_text("".join(f"- {note}\n" for note in notes), encoding="utf-8")
        out.mkdir(exist_ok=True)
        for name in _written(result.tables):
            for path in _forms(out, name):
                if path.name != f"{name}.csv":
                    path.replace(path.with_name(path.name + ASIDE))
        written = [file.replace(out / file.name) for file in sorted(temporary.iterdir())]
        for name in OF_THE_DEALS:
            if name not in result.tables:
                (out / f"{name}.csv").unlink(missing_ok=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return written


def _written(tables: Mapping[str, pd.DataFrame]) -> Sequence[str]:
    return list(dict.fromkeys([*OF_THE_DEALS, *tables]))


def _forms(out: Path, name: str) -> list[Path]:
    """Return the files of a folder that hold a table, in whatever form."""
    if not Path(out).is_dir():
        return []
    return [path for path in sorted(Path(out).iterdir()) if path.is_file() and is_table(path) and stem(path) == name]


def _of_earlier_import(out: Path) -> set[str]:
    """Return the further tables that an earlier import wrote into the folder, as its notes say."""
    file = Path(out) / NOTES
    if not file.is_file():
        return set()
    found = re.search(rf"^- {_RECORD}(.+)$", file.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    return {name.strip() for name in found[1].split(",")} & set(TABLES) if found else set()


def _gathered(path: Path, new: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return the forecasts of earlier imports with the new ones, and how many stay: those of other days."""
    there = pd.read_csv(path, dtype="str", keep_default_na=False, na_values=[""])
    there["submitted_on"] = pd.to_datetime(there["submitted_on"], format="%Y-%m-%d").astype("datetime64[us]")
    there["amount"] = there["amount"].astype("float64")
    others = there.loc[~there["submitted_on"].isin(new["submitted_on"]), list(new.columns)]
    both = pd.concat([others, new], ignore_index=True)
    ordered = both.sort_values(["submitted_on", "target_period", "segment"], kind="stable", ignore_index=True)
    return ordered, len(others)
