"""The files and columns of an export, found by the names a mapping gives them.

Simple case: one file, whose columns are called as the mapping says. Names are compared as they stand, then without
case, accents, blanks and signs. A file that no name explains is known by its columns; where two fit, none is taken.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from forecast.data.sources.crm.deals import join_rows
from forecast.data.sources.crm.export import cleaned
from forecast.data.sources.crm.mapped.mapping import DEAL_COLUMNS, NEEDED, CrmMapping, Lookup
from forecast.data.sources.crm.values.layout import header_among, records
from forecast.data.sources.crm.values.names import stems_of
from forecast.data.sources.crm.values.reading import without_nulls
from forecast.data.sources.crm.values.stages import folded
from forecast.data.sources.tables.archive import files_of
from forecast.data.sources.tables.raw import RawTable, is_table
from forecast.data.sources.tables.read import read_tables
from forecast.errors import DataError, did_you_mean
from forecast.wording import plural

_SHOWN = 5
_COLUMNS_SHOWN = 20


def plain_key(name: str) -> str:
    """Return a column's name as it is compared: letters of any script and digits, without case and accents."""
    return "".join(sign for sign in folded(name) if sign.isalnum())


class ColumnNames:
    """The columns of one file or sheet, by their names."""

    def __init__(self, file: str, columns: Iterable[object]) -> None:
        self.file = file
        self.columns = [str(column) for column in columns]
        self._there = frozenset(self.columns)
        self._by_key: dict[str, str] = {}
        for column in self.columns:
            self._by_key.setdefault(plain_key(column), column)

    def called(self, name: str) -> str | None:
        """Return the column of that name as it is written there; None where there is none."""
        return name if name in self._there else self._by_key.get(plain_key(name))

    def has(self, names: Iterable[str]) -> bool:
        """Return whether one of the names is a column."""
        return any(self.called(name) is not None for name in names)

    def lacks(self, names: Iterable[str], *, ours: str, where: str) -> DataError:
        """Return the error of a column that is not there, for our column `ours` of a mapping."""
        names = list(names)
        meaning = f" ({DEAL_COLUMNS[ours]})" if ours in DEAL_COLUMNS else ""
        more = " …" if len(self.columns) > _COLUMNS_SHOWN else ""
        hint = did_you_mean(names[0], self.columns) or f"there: {', '.join(self.columns[:_COLUMNS_SHOWN])}{more}"
        return DataError(
            f"no column for it{meaning}: looked for {', '.join(names)}",
            table=self.file,
            column=ours,
            mend=f"export that column, or mend its name in {where}; {hint}",
        )


class Sheet(ColumnNames):
    """One file or sheet of an export: its rows as text, and its columns by their names.

    name : without endings. file : what messages call it. notes : how it was read. decimal : its decimal sign, or empty.
    """

    def __init__(self, table: RawTable) -> None:
        notes = list(table.notes)
        rows = records(cleaned(table.frame), table.file, notes)
        self.frame = without_nulls(rows, table.file, notes)
        super().__init__(table.file, self.frame.columns)
        self.name, self.notes, self.decimal = table.name, notes, table.decimal

    def find(self, names: Iterable[str]) -> str | None:
        """Return the first of the names that is a column with a value in it, else the first that is a column; or None.

        Raises DataError where two columns of that name hold different values.
        """
        there = [column for column in dict.fromkeys(map(self.called, names)) if column]
        if not there:
            return None
        chosen = next((column for column in there if self.frame[column].notna().any()), there[0])
        again = f"{chosen}.1"  # as `cleaned` calls the second of a name
        if again in self._there and not self.frame[chosen].equals(self.frame[again].rename(chosen)):
            mend = "export it once"
            raise DataError("this column stands twice, with other values", table=self.file, column=chosen, mend=mend)
        return chosen

    def get(self, names: Iterable[str], *, ours: str, where: str) -> str:
        """Return the column as `find`; raises DataError where none is there, for our column `ours` of a mapping."""
        chosen = self.find(names)
        if chosen is None:
            raise self.lacks(names, ours=ours, where=where)
        return chosen


@dataclass(kw_only=True)
class Found:
    """The tables of an export by the part they play: `opportunities`, `history`, `marketing`, a lookup's name.

    rows : lookup -> for each deal, the row label of the lookup's table (missing where it does not join).
    It is filled step by step: the files first, then the lookups as their keys are known.
    """

    mapping: CrmMapping
    tables: dict[str, Sheet] = field(default_factory=dict)
    rows: dict[str, pd.Series] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)

    @property
    def deals(self) -> Sheet:
        """The table of deals."""
        return self.tables["opportunities"]


def tables_in(source: Path, *, names: Collection[str] = ()) -> list[Sheet]:
    """Return the tables of a file or of a folder's files, by name.

    names : what columns may be called: a report has titles above the row that holds them.

    Raises DataError where there is no such file or folder, or nothing in it that can be read.
    """
    if not source.exists():
        raise DataError(f"there is no file or folder {str(source)!r}", mend="name the export")
    with files_of(source) as paths:
        paths = [path for path in paths if is_table(path) or path == source]
        raw = [table for path in paths for table in read_tables(path, ragged=True, header=header_among(names))]
    if not raw:
        raise DataError(f"there is no table in {source}", mend="put the export's files there, as CSV or .xlsx")
    return [Sheet(table) for table in raw]


def find_files(mapping: CrmMapping, tables: list[Sheet]) -> Found:
    """Say which table plays which part.

    Raises DataError where the deals or a file that is needed cannot be told, with what was looked for.
    """
    found = Found(mapping=mapping)
    parts: dict[str, tuple[str, ...]] = {lookup.name: lookup.files for lookup in mapping.lookups}
    if mapping.history is not None and mapping.history.files:
        parts["history"] = mapping.history.files
    if mapping.marketing is not None:
        parts["marketing"] = mapping.marketing.files
    left = list(tables)
    for part, names in parts.items():
        table = _by_name(left, names)
        if table is not None:
            found.tables[part] = table
            left.remove(table)
    deals = _deals(mapping, left)
    found.tables["opportunities"] = deals
    left.remove(deals)
    found.unused = [table.file for table in left]
    for part, names in parts.items():
        called = "marketing" if part == "marketing" else f"lookups.{part}"
        if part not in found.tables and part != "history" and (not mapping.shipped or called in mapping.asked):
            raise DataError(
                f"there is no such file: looked for {', '.join(names)}",
                table=mapping.where,
                column=called,
                mend=f"put it beside {deals.file}; found: {', '.join(table.file for table in tables[:_SHOWN])}",
            )
    return found


def _by_name(tables: list[Sheet], names: Iterable[str]) -> Sheet | None:
    wanted = {text for name in names for text in stems_of(name if "." not in name else Path(name).stem)}
    fitting = [table for table in tables if wanted.intersection(stems_of(table.name))]
    if len(fitting) > 1:
        raise DataError(
            f"{' and '.join(table.file for table in fitting[:_SHOWN])} both have the name that is looked for",
            table=fitting[0].file,
            mend="keep the one that holds in the folder",
        )
    return fitting[0] if fitting else None


def _deals(mapping: CrmMapping, tables: list[Sheet]) -> Sheet:
    """Return the table of deals: by its name, else the one that has the columns that are needed."""
    if not tables:
        raise DataError("there is no file of deals", table=mapping.where, mend="put it into the folder")
    needed = _own_columns(mapping)
    named = _by_name(tables, mapping.files["opportunities"]) if "opportunities" in mapping.files else None
    candidates = tables if named is None else [named]
    fitting = [table for table in candidates if all(table.has(names) for names in needed.values())]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise DataError(
            f"{' and '.join(table.file for table in fitting[:_SHOWN])} all have the columns of deals",
            table=fitting[0].file,
            mend=f'say which under [files] of a mapping: opportunities = "{fitting[0].name}"',
        )
    closest = max(candidates, key=lambda table: sum(table.has(names) for names in mapping.columns.values()))
    ours = next(ours for ours, names in needed.items() if not closest.has(names))
    raise closest.lacks(needed[ours], ours=ours, where=mapping.where)


def _own_columns(mapping: CrmMapping) -> dict[str, tuple[str, ...]]:
    """Return the columns that are needed and do not come from a lookup."""
    prefixes = tuple(f"{lookup.name}." for lookup in mapping.lookups)
    own = {
        ours: tuple(name for name in names if not name.startswith(prefixes)) for ours, names in mapping.columns.items()
    }
    return {ours: own[ours] for ours in NEEDED if own.get(ours)}


class Columns:
    """The deals' columns and those of the lookups, under the names a mapping gives them.

    frame : the deals' rows that are kept. used : columns of the deals' file that were taken. taken : ours -> theirs.
    """

    def __init__(self, found: Found, frame: pd.DataFrame) -> None:
        self.found, self.frame, self.file = found, frame, found.deals.file
        self.used: set[str] = set()
        self.taken: dict[str, str] = {}

    def get(self, ours: str, names: Iterable[str], *, needed: bool) -> pd.Series | None:
        """Return a column of text, a row a deal: the first of the names with a value in it.

        None where no name is there and it is not needed; DataError where it is.
        """
        first: tuple[str, pd.Series] | None = None
        names = list(names)
        for name in names:
            values = self._column(name, ours)
            if values is None:
                continue
            first = first or (name, values)
            if values.notna().any():
                first = (name, values)
                break
        if first is None:
            if needed:
                raise self.found.deals.lacks(names, ours=ours, where=self.found.mapping.where)
            return None
        self.taken[ours] = self.found.deals.find([first[0]]) or first[0]
        self.used.add(self.taken[ours])
        return first[1]

    def _column(self, name: str, ours: str) -> pd.Series | None:
        lookup, dot, column = name.partition(".")
        if dot and lookup in {one.name for one in self.found.mapping.lookups}:
            if lookup not in self.found.rows:
                return None
            table = self.found.tables[lookup]
            theirs = table.get([column], ours=ours, where=self.found.mapping.where)
            return self.found.rows[lookup].map(table.frame[theirs]).astype("str")
        theirs_here = self.found.deals.find([name])
        return None if theirs_here is None else self.frame[theirs_here]


def join_lookup(found: Found, lookup: Lookup, keys: pd.Series, notes: list[str]) -> None:
    """Join a lookup's table to the deals by their keys; a note says how many do not join, and which keys.

    Raises DataError where the column of keys is not there, or a key stands there twice.
    """
    table = found.tables[lookup.name]
    column = table.get(lookup.key, ours=f"lookups.{lookup.name}", where=found.mapping.where)
    index_of = table.frame[column]
    twice = index_of[index_of.duplicated() & index_of.notna()]
    if len(twice):
        raise DataError(
            "a key stands there twice, so that a deal would have two rows",
            table=table.file,
            column=column,
            rows=[repr(key) for key in twice.unique()[:_SHOWN]],
            count=len(twice),
            mend="keep one row a key",
        )
    rows = join_rows(keys, index_of)
    found.rows[lookup.name] = rows
    lost = keys[keys.notna() & rows.isna()]
    if len(lost):
        names = lost.value_counts()
        shown = ", ".join(f"{key!r} ({count:,})" for key, count in names.head(_SHOWN).items())
        near = did_you_mean(str(names.index[0]), [str(key) for key in index_of.dropna().unique()])
        mend = f"; {near} Write it under [replace.{lookup.by}]" if near else ""
        notes.append(
            f"{table.file}: {plural(len(lost), 'deal has', 'deals have')} no row there by {lookup.by}: {shown}{mend}"
        )
