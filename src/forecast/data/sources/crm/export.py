"""A folder of files as a CRM exports them -> tables whose columns have our names, still as text.

What a CRM calls its files and columns is declared (`Crm`, `File`) in its own module; names are compared without case,
blanks and signs, so that `StageName`, `stage_name` and `Stage Name` are one. What is not brought over is noted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from forecast.calendar import Calendar
from forecast.data.sources.crm.values.layout import Kept, are_sparse, header_among, is_grouped, records
from forecast.data.sources.crm.values.names import day_in, has_columns, plain, stems_of, values_among
from forecast.data.sources.crm.values.parts import in_one
from forecast.data.sources.crm.values.reading import Order, Reading, trimmed, without_nulls
from forecast.data.sources.tables.archive import files_of
from forecast.data.sources.tables.delimited import Header
from forecast.data.sources.tables.plain import Plain, read_plain
from forecast.data.sources.tables.raw import WORKBOOK, RawTable, ending, is_table, stem
from forecast.data.sources.tables.read import read_file, read_tables
from forecast.errors import DataError, did_you_mean

_SHOWN = 5
_NAMES_SHOWN = 8
_TYPED: tuple[Plain, ...] = ("moment", "day")
_OTHER_FORMS = (".json", ".jsonl", ".xml", ".xls", ".xlsb", ".ods", ".pdf", ".html", ".numbers")
"""Endings of files that a person may take for an export; none of them is read."""


@dataclass(frozen=True, kw_only=True)
class File:
    """One file of an export.

    role : the part it plays. stems : what it may be called, without .csv.
    columns : our column -> what the CRM may call it; the first name that is there, with a value in it, counts.
    needed : those of our columns without which the file cannot be used. required : whether the export needs it.
    marks : names that no other file has; with one of them and the needed columns a file of any name is this one.
    kinds : our column -> what it holds, of a file that may have millions of rows. One in the plainest form is read into
    these at once (`read_plain`), and but for the deals' own without the columns that are not mapped.
    """

    role: str
    stems: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]
    needed: tuple[str, ...]
    required: bool = False
    marks: tuple[str, ...] = ()
    kinds: Mapping[str, Plain] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Crm:
    """What a CRM calls things. `segments`: (role, column) tried in order where no segment column is asked for."""

    name: str
    files: tuple[File, ...]
    segments: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What whoever imports says where the data leave it open.

    dates : the order of day and month in numbers. extracted_on : the day of the export. one_currency : that all amounts
    are in one currency, whatever the export says. negative : whether negative amounts (credits, downsells) come over.
    decimal : the sign before the decimals in every file, `.` or `,`, where a mapping says it.
    """

    dates: Order | None = None
    extracted_on: pd.Timestamp | None = None
    one_currency: bool = False
    negative: Literal["keep", "leave-out"] = "keep"
    decimal: str = ""


@dataclass(kw_only=True)
class Export:
    """What was read: a frame per role with our column names, the files as they came, and notes for the reader.

    `raw` holds the columns as the CRM calls them, `tables` how each file was read (its encoding, its decimal sign).
    Those of a file in the plainest form are in their kinds, and of such a history only those that are ours (`File`).

    columns : role -> our column -> what it is called in the file. days : file -> the day in its name, where it has one.
    stage_outcomes : what a mapping file says of the stages (open, won, lost), for `stages.decide`.
    timezone, currency, calendar : the company's, the second empty where not known.
    choices : what the user said of the export.
    segment_from : the role and column that the deals' segment was taken from; None where all are in one.
    unused : the deals' columns that become none of ours, as the file calls them.
    open_by_name : stages that are taken as open since nothing but their name speaks of them.
    It is filled file by file, and every later step adds its notes.
    """

    crm: Crm
    folder: Path
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    raw: dict[str, pd.DataFrame] = field(default_factory=dict)
    tables: dict[str, RawTable] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    days: dict[str, pd.Timestamp] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    stage_outcomes: Mapping[str, str] = field(default_factory=dict)
    timezone: str = "UTC"
    currency: str = ""
    calendar: Calendar = field(default_factory=Calendar)
    choices: Choices = field(default_factory=Choices)
    segment_from: tuple[str, str] | None = None
    unused: list[str] = field(default_factory=list)
    open_by_name: set[str] = field(default_factory=set)

    def get(self, role: str) -> pd.DataFrame | None:
        """Return the frame of a role, or None where the export has no such file or no rows in it."""
        frame = self.frames.get(role)
        return None if frame is None or frame.empty else frame

    def reading(self, role: str) -> Reading:
        """Return how the values of a role's file are read."""
        table = self.tables.get(role)
        # A file parted by commas writes its decimals with a point; any other shows in its numbers what it does.
        decimal = "" if table is None else "." if table.separator == "," else table.decimal
        return Reading(
            table=self.files.get(role, ""),
            timezone=self.timezone,
            order=self.choices.dates,
            decimal=decimal,
            decimal_said=self.choices.decimal,
            frame=self.raw.get(role),
            notes=self.notes,
        )

    def names(self, role: str) -> Sequence[str]:
        """Return the columns of a role's file, as it calls them."""
        return self.tables[role].names or [str(name) for name in self.raw[role].columns]

    def column(self, role: str, name: str) -> pd.Series:
        """Return a column of a role, all missing where it is not there."""
        frame = self.frames[role]
        return frame[name] if name in frame else pd.Series(np.nan, index=frame.index, dtype="str")


def load(
    crm: Crm, folder: Path, *, timezone: str = "UTC", currency: str = "", choices: Choices | None = None
) -> Export:
    """Read the files of an export: of a folder, or the one file or workbook that it is.

    timezone, currency : the company's.

    Raises
    ------
    DataError : the folder or a file that is needed is not there, a file cannot be read, or a column that is needed has
        none of the names the CRM gives it.
    """
    if not folder.exists():
        raise DataError(f"there is no {str(folder)!r}", mend=f"name the folder, or the file, of the {crm.name} export")
    export = Export(crm=crm, folder=folder, timezone=timezone, currency=currency, choices=choices or Choices())
    with files_of(folder) as paths:
        _fill(export, _parts(crm, paths))
    return export


def _fill(export: Export, parts: Sequence[_Part]) -> None:
    """Read the parts of an export, each as what its name or else its columns say it is."""
    crm = export.crm
    roles = {plain(stem): file for file in crm.files for stem in file.stems}
    unnamed: list[_Part] = []
    named: dict[str, list[_Part]] = {}
    for part in parts:
        file = next((roles[name] for name in stems_of(part.name) if name in roles), None)
        if file is None:
            unnamed.append(part)
        else:
            named.setdefault(file.role, []).append(part)
    for file in crm.files:
        if file.role in named and not _taken_plain(export, file, named[file.role]):
            _take(export, file, [(part, part.read(file)) for part in named[file.role]])
    for file in crm.files:
        if file.required and file.role not in export.frames:
            _recognise(export, file, unnamed)
    _recognise_marked(export, unnamed)
    _refuse_deals_left_behind(export, unnamed)
    if unnamed:
        export.notes.append(f"files not brought over: {', '.join(part.label for part in unnamed)}")
        export.notes += _by_hand(unnamed)


_BY_HAND = {
    **dict.fromkeys(("goal", "goals", "goaltarget", "goaltargets", "quota", "quotas"), "quotas.csv"),
    **dict.fromkeys(("forecast", "forecasts", "msdynforecastinstance", "forecasting"), "submitted_forecasts.csv"),
    **dict.fromkeys(("lead", "leads", "campaign", "campaigns", "campaignactivity", "marketingemail"), "marketing.csv"),
}
"""Files that hold what one of our tables could, by their plain name, of CRMs whose importer does not read them yet."""


def _by_hand(unnamed: Sequence[_Part]) -> list[str]:
    """Return a note for each file that would bring one of our tables, with what to do."""
    found = [(part.label, _BY_HAND[name]) for part in unnamed for name in stems_of(part.name) if name in _BY_HAND]
    return [
        f"{label}: what it holds can be used: write it as {table} into the data folder (data/README.md), where imports "
        "leave it"
        for label, table in dict.fromkeys(found)
    ]


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A file, or a sheet of a workbook: its name, what a user finds it by, and its rows where they are read already."""

    path: Path
    name: str
    label: str
    table: RawTable | None = None

    def read(self, file: File) -> RawTable:
        """Return its rows, below the header that a file of this role has."""
        return self.table or read_file(self.path, ragged=True, header=_header(file))


def _parts(crm: Crm, paths: Sequence[Path]) -> list[_Part]:
    """Return the tables of files: a file each, but a workbook's sheets each."""
    parts = []
    for path in paths:
        if not is_table(path):
            continue
        if ending(path) not in WORKBOOK:
            parts.append(_Part(path=path, name=stem(path), label=path.name))
            continue
        names = [name for file in crm.files for aliases in file.columns.values() for name in aliases]
        sheets = read_tables(path, ragged=True, header=header_among(names))
        for table in sheets:
            label = path.name if len(sheets) == 1 else table.file
            parts.append(_Part(path=path, name=table.name, label=label, table=table))
    return parts


def _taken_plain(export: Export, file: File, parts: Sequence[_Part]) -> bool:
    """Take a file that is in the plainest form, and return whether it was; else nothing is changed.

    The careful road is for what may be more than records: rows that lack what records have, and groups.
    """
    part = parts[0]
    if len(parts) > 1 or part.table is not None or not file.kinds or export.choices.decimal == ",":
        return False
    table = read_plain(part.path, columns=partial(_kinds, file), header=_header(file))
    if table is None or not _are_records(table, file):
        return False
    _keep(export, file, part.label, table, without_nulls(cleaned(table.frame), part.label, export.notes))
    day = day_in(stem(part.path))
    if day is not None:
        export.days[part.label] = day
    return True


def _kinds(file: File, names: Sequence[str]) -> dict[str, Plain]:
    """Return which columns of a file are read, as what: all of the deals', of any other the one that is ours first."""
    by_plain: dict[str, str] = {}
    for name in names:
        by_plain.setdefault(plain(name), name)
    kinds: dict[str, set[Plain]] = {name: set() for name in names} if file.required else {}
    for ours, aliases in file.columns.items():
        there = [by_plain[plain(alias)] for alias in aliases if plain(alias) in by_plain]
        for name in there if file.required else there[:1]:
            kinds.setdefault(name, set()).add(file.kinds.get(ours, "text"))
    return {name: found.pop() if len(found) == 1 else "text" for name, found in kinds.items()}


def _are_records(table: RawTable, file: File) -> bool:
    """Return whether all rows of a plain table are records of a file, by what stands in the columns that were read."""
    frame = table.frame
    if is_grouped(table.names) or not has_columns(table.names, file.columns, file.needed):
        return False
    if file.required:
        return not are_sparse(frame).any()
    # Some columns are not read. So a row must have all that is needed to be a record for certain, an empty column
    # might be another one's place, and a date in any other form would be read by what the others show.
    needed = {plain(name) for ours in file.needed for name in file.columns[ours]}
    for name, kind in _kinds(file, table.names).items():
        values = frame[name]
        if kind in _TYPED and values.dtype == "str":
            return False
        if values.hasnans and (plain(name) in needed or values.isna().all()):
            return False
    return True


def _take(export: Export, file: File, parts: Sequence[tuple[_Part, RawTable]]) -> None:
    """Take a file as that of its role; several are parts of it, see `in_one`."""
    frames: dict[str, pd.DataFrame] = {}
    for part, table in parts:
        export.notes += table.notes
        rows = records(cleaned(table.frame), part.label, export.notes, kept=_kept(file))
        frames[part.label] = without_nulls(rows, part.label, export.notes)
    labels, (first, table) = list(frames), parts[0]
    label, rows = labels[0], frames[labels[0]]
    days = {day_in(stem(part.path)) for part, _ in parts} - {None}
    if len(parts) > 1:
        label = " and ".join(labels if len(labels) <= _SHOWN else [labels[0], f"{len(labels) - 1} more"])
        table = _one_form([table for _, table in parts], label)
        key = map(plain, file.columns.get("opportunity_id", ())) if file.required else ()
        rows = in_one(frames, key=list(key), kind=file.role, notes=export.notes)
        if file.required and len(days) > 1:
            raise DataError(
                f"{label} are both taken for the {file.role} file, and their names have different days",
                table=first.label,
                mend="keep the one that holds in the folder",
            )
    _keep(export, file, label, table, rows)
    if len(days) == 1:
        export.days[label] = next(day for day in days if day is not None)


def _keep(export: Export, file: File, label: str, table: RawTable, rows: pd.DataFrame) -> None:
    export.files[file.role], export.tables[file.role], export.raw[file.role] = label, table, rows
    export.frames[file.role] = _renamed(export, file)


def _one_form(tables: Sequence[RawTable], label: str) -> RawTable:
    """Return a part that says how the values of all are written; refused where two are written in different ways."""
    signs = {table.decimal for table in tables if table.decimal}
    if len({table.separator for table in tables}) > 1 or len(signs) > 1:
        raise DataError(
            f"{label} are parts of one table, and they are not written alike (separator, decimal sign)",
            table=label,
            mend="export them in one form",
        )
    return next((table for table in tables if table.decimal), tables[0])


def _recognise(export: Export, file: File, unnamed: list[_Part]) -> None:
    """Take, among those whose names say nothing, the file that has the columns of a required one; several as parts."""
    tables: list[tuple[_Part, RawTable]] = []
    unreadable: list[DataError] = []
    for part in unnamed:
        try:
            tables.append((part, part.read(file)))
        except DataError as error:
            unreadable.append(error)
    fitting = [each for each in tables if has_columns(each[1].frame.columns, file.columns, file.needed)]
    if fitting:
        _take(export, file, fitting)
        for part, _ in fitting:
            unnamed.remove(part)
            export.notes.append(f"{part.label}: taken as the {file.role}, by its columns")
        return
    if unreadable:
        raise unreadable[0]
    wanted = ", ".join(" or ".join(file.columns[ours][:3]) for ours in file.needed)
    there = [f"{part.label} ({', '.join(map(str, table.frame.columns[:_SHOWN]))}, …)" for part, table in tables]
    there += [f"{name}, which is no table that can be read" for name in _no_tables(export.folder)]
    raise DataError(
        f"there is no file of {file.role} in {export.folder}: looked for "
        + ", ".join(f"{stem}.csv" for stem in file.stems[:4])
        + f", or any with the columns {wanted}",
        mend=f"export it there{_or_map_it(file) if tables else ''}; found: {'; '.join(there[:_SHOWN]) or 'nothing'}",
    )


def _no_tables(folder: Path) -> list[str]:
    """Return the first files of a folder that are neither CSV nor Excel nor Parquet, such as an export as JSON."""
    if not folder.is_dir():
        return []
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in _OTHER_FORMS)
    return [path.name for path in files[:_SHOWN]]


def _or_map_it(file: File) -> str:
    return (
        ", or, if a file that was found is it by other names, say these under [columns] of a mapping (--mapping FILE, "
        f'docs/mapping.md): {file.needed[0]} = "its name"'
    )


def _recognise_marked(export: Export, unnamed: list[_Part]) -> None:
    """Take files whose names say nothing by the columns that only they have: a report is called report1699999999999."""
    for file in export.crm.files:
        if not file.marks or file.role in export.files:
            continue
        for part in list(unnamed):
            try:
                table = part.read(file)
            except DataError:
                continue
            columns = table.frame.columns
            marked = any(has_columns(columns, {name: (name,)}, [name]) for name in file.marks)
            if marked and has_columns(columns, file.columns, file.needed):
                _take(export, file, [(part, table)])
                unnamed.remove(part)
                export.notes.append(f"{part.label}: taken as the {file.role}, by its columns")
                break


def _kept(file: File) -> Kept:
    """Return what no record of a file can lack: the columns that are needed, but for its amount."""
    names = {ours: frozenset(map(plain, file.columns[ours])) for ours in file.needed}
    key = names.pop("opportunity_id", frozenset())
    names.pop("amount", None)
    return Kept(always=frozenset().union(*names.values()), key=key) if file.required else Kept()


def _refuse_deals_left_behind(export: Export, unnamed: list[_Part]) -> None:
    """Raise DataError where a file that is not taken holds deals which the one that is taken has not.

    Open and closed deals are often two views, each exported into a file of its own.
    """
    for file in export.crm.files:
        key = "opportunity_id"
        if file.role != "opportunities" or key not in file.needed or file.role not in export.frames or not unnamed:
            continue
        taken = set(export.frames[file.role][key].dropna())
        for part in unnamed:
            try:
                frame = part.read(file).frame
            except DataError:
                continue
            if not has_columns(frame.columns, file.columns, file.needed):
                continue
            names = {plain(name) for name in file.columns[key]}
            ids = cleaned(frame[[column for column in frame.columns if plain(str(column)) in names][:1]]).iloc[:, 0]
            more = set(ids.dropna()) - taken
            if more:
                raise DataError(
                    f"{part.label} has the columns of {file.role} too, and {len(more):,} deals that "
                    f"{export.files[file.role]} has not",
                    table=part.label,
                    rows=[repr(one) for one in sorted(more)[:_SHOWN]],
                    count=len(more),
                    mend="put all deals into one file, or take the one that does not count out of the folder",
                )


def _header(file: File) -> Header:
    return header_among([name for names in file.columns.values() for name in names])


def cleaned(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table of text without blanks around its values; empty values are missing.

    A column without a name goes where it is empty; columns of one name become `Amount`, `Amount.1`.
    """
    names: list[str] = []
    columns: list[pd.Series] = []
    for position, name in enumerate(map(str, frame.columns)):
        values = frame.iloc[:, position]
        values = trimmed(values) if values.dtype == "str" else values
        if name or values.notna().any():
            names.append(name or f"Unnamed: {position}")
            columns.append(values)
    count: dict[str, int] = {}
    for position, name in enumerate(names):
        count[name] = count.get(name, -1) + 1
        names[position] = f"{name}.{count[name]}" if count[name] else name
    return pd.DataFrame(dict(zip(names, columns, strict=True)), index=frame.index, copy=False)


def _renamed(export: Export, file: File) -> pd.DataFrame:
    """Return the columns that are mapped, under our names; of the deals, keep the names of those that are not."""
    raw, name = export.raw[file.role], export.files[file.role]
    by_plain: dict[str, str] = {}
    for column in raw.columns:
        by_plain.setdefault(plain(column), str(column))
    taken: dict[str, pd.Series] = {}
    used = set()
    for ours, names in file.columns.items():
        there = [by_plain[plain(alias)] for alias in names if plain(alias) in by_plain]
        there = [column for column in there if raw[column].notna().any()] or there
        if there:
            taken[ours] = raw[there[0]]
            export.columns.setdefault(file.role, {})[ours] = there[0]
            used.add(there[0])
        elif ours in file.needed:
            _refuse_headless(raw, name)
            hint = did_you_mean(names[0], [str(column) for column in raw.columns])
            raise DataError(
                f"no column for it: looked for {', '.join(names[:_NAMES_SHOWN])}{' …' if names[_NAMES_SHOWN:] else ''}",
                table=name,
                column=ours,
                mend=f"export that column; {hint}" if hint else "export that column",
            )
    if file.role == "opportunities":
        export.unused = [str(column) for column in raw.columns if column not in used]
    return pd.DataFrame(taken, index=raw.index, copy=False)


def _refuse_headless(raw: pd.DataFrame, table: str) -> None:
    values = values_among(raw.columns)
    if values:
        raise DataError(
            f"has no header: its first line holds values ({', '.join(map(repr, values))})",
            table=table,
            mend="export it with the names of its columns in the first line (Synapse Link has them in model.json "
            "beside the table)",
        )
