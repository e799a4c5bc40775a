"""A folder of Parquet partitions -> the table that one file with all their rows would be, read through DuckDB.

Simple case: `opportunities/part-0.parquet`, `opportunities/part-1.parquet` where `opportunities.parquet` would be; the
partitions have the same columns of the same types, and their rows follow each other in the order of their names. They
may lie in folders below (`opportunities/2026/10/`, `opportunities/segment=North/`). A folder named after a column of
the table that no partition holds gives that column its value; any other name says only where the partition is.

What is asked of one file is asked of each partition and said with its name: half written, empty, without a column that
the others have, or with another type in it. DuckDB reads one column at a time in parts of a bounded size, so that no
partition stands in memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as papq

from forecast.data import memory
from forecast.data.checks.table import BEGINS
from forecast.data.codes import from_dictionary
from forecast.data.schema import TABLES
from forecast.data.sources.tables.delimited import check_names, first_line
from forecast.data.sources.tables.parquet import check_size
from forecast.data.sources.tables.raw import PARQUET, RawTable, stem
from forecast.errors import DataError

if TYPE_CHECKING:
    import duckdb

_NOT_READ = (".", "_")
"""How the names begin of what programs lay beside partitions: `_SUCCESS`, `.part-0.parquet.crc`."""

_UNFINISHED = "_temporary"
"""The folder in which Spark and Hadoop keep partitions until all are written."""

_MISSING = "__HIVE_DEFAULT_PARTITION__"
_ROWS_AT_ONCE = 500_000
_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Partition:
    """One file: its name as messages give it, its columns, its rows, and what the folders above it name."""

    path: Path
    name: str
    schema: pa.Schema
    rows: int
    named: tuple[tuple[str, str], ...]


def table_named(folder: Path) -> str:
    """Return the table that a folder's name promises, `opportunities` or `opportunities.parquet`; else nothing."""
    name = folder.name.removesuffix(PARQUET)
    return name if name in TABLES else ""


def is_partitioned(folder: Path) -> bool:
    """Return whether a folder is called like a table and holds Parquet files, or is called like a Parquet file."""
    if not table_named(folder) or not folder.is_dir():
        return False
    return folder.name.endswith(PARQUET) or any(path.suffix == PARQUET for path in _files(folder))


def files_of(place: Path) -> list[Path]:
    """Return every file that a data folder consists of, sorted: those in it, and its partitions. Nothing hidden."""
    found = []
    for path in sorted(place.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_file():
            found.append(path)
        elif is_partitioned(path):
            found += _files(path)
    return found


def table_of_file(file: Path, place: Path) -> str:
    """Return the table that a file of a data folder belongs to: by its own name, or of the folder of partitions."""
    inside = file.relative_to(place).parts
    return stem(file) if len(inside) == 1 else table_named(place / inside[0])


def read_partitions(folder: Path, *, table: str) -> RawTable:
    """Return the table of all partitions in a folder, in their own types, rows counted from 0 over all of them.

    Raises DataError, with the partition's name, where one cannot be read, lacks a column, or has it in another type;
    where a file among them is no Parquet; and where none is there.
    """
    parts = _partitions(folder, table=table)
    _check_columns(parts, table=table)
    names = parts[0].schema.names
    columns: dict[str, pd.Series] = {}
    with _connected() as connection:
        for name in names:
            columns[name] = _column(connection, parts, name, table=table)
            pa.default_memory_pool().release_unused()
    notes, from_folders = _from_folders(parts, names, table=table)
    frame = pd.DataFrame({**columns, **from_folders}, index=pd.RangeIndex(sum(part.rows for part in parts)), copy=False)
    frame.attrs[BEGINS] = {part.name: begin for part, begin in zip(parts, _begins(parts), strict=True)}
    return RawTable(name=table, file=folder.name, frame=frame, notes=notes)


def _begins(parts: Sequence[Partition]) -> list[int]:
    return [0, *itertools.accumulate(part.rows for part in parts[:-1])]


# -- which ------------------------------------------------------------------------------------------------


def _files(folder: Path) -> list[Path]:
    """Return the files below a folder that are not hidden, sorted."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(_NOT_READ) for part in path.relative_to(folder).parts)
    )


def _partitions(folder: Path, *, table: str) -> list[Partition]:
    """Return the partitions with what their footers say. Raises DataError."""
    files = _files(folder)
    if (folder / _UNFINISHED).exists():
        raise DataError(
            f"{folder.name}/{_UNFINISHED} is there: the partitions are being written, or that broke off",
            table=table,
            mend="wait for it to end, or write them again",
        )
    if not files:
        raise DataError(f"{folder.name} holds no Parquet file", table=table, mend="write the partitions, or one file")
    found = []
    for path in files:
        name = path.relative_to(folder.parent).as_posix()
        if path.suffix.lower() != PARQUET:
            raise DataError(f"{name} is no Parquet", table=table, mend="take it out of the folder of the partitions")
        found.append(_partition(path, name, folder, table=table))
    return found


def _partition(path: Path, name: str, folder: Path, *, table: str) -> Partition:
    if path.stat().st_size == 0:
        raise DataError(f"{name} is empty", table=table, mend="write the partition again, or take the file away")
    try:
        check_size(path, table=table, name=name)
        known = papq.read_metadata(path)
        schema = papq.read_schema(path)
    except (pa.ArrowException, OSError, ValueError, KeyError, OverflowError) as error:
        raise _unreadable(name, error, table=table) from error
    check_names(schema.names, separator="", file=name, table=table)
    pairs = [part.partition("=") for part in path.parent.relative_to(folder).parts]
    named = tuple((unquote(key), unquote(value)) for key, sign, value in pairs if sign)
    return Partition(path=path, name=name, schema=schema, rows=known.num_rows, named=named)


def _unreadable(name: str, error: BaseException, *, table: str) -> DataError:
    return DataError(
        f"{name} cannot be read as Parquet ({first_line(error)})", table=table, mend="write the partition again"
    )


# -- do they agree? ---------------------------------------------------------------------------------------


def _check_columns(parts: Sequence[Partition], *, table: str) -> None:
    """Raise DataError where a partition lacks a column that another has, or holds it in another kind of type."""
    first: dict[str, Partition] = {}
    for part in parts:
        for name in part.schema.names:
            first.setdefault(name, part)
    for name, having in first.items():
        lacking = [part.name for part in parts if name not in part.schema.names]
        if lacking:
            raise DataError(
                f"{_listed(lacking)} {'has' if len(lacking) == 1 else 'have'} no such column, {having.name} has",
                table=table,
                column=name,
                mend="write the column into every partition, empty where nothing is known",
            )
        _check_types(parts, name, table=table)


def _check_types(parts: Sequence[Partition], name: str, *, table: str) -> None:
    known: tuple[str, Partition] | None = None
    for part in parts:
        kind = _kind(part.schema.field(name).type)
        if kind == "nothing":
            continue
        if known is None:
            known = kind, part
        elif kind != known[0]:
            raise DataError(
                f"{part.name} holds {kind}, {known[1].name} {known[0]}",
                table=table,
                column=name,
                mend="write the column in one type into every partition",
            )


def _kind(kind: pa.DataType) -> str:
    """Return what a type holds, in words: types of the same words can stand in one column."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_null(kind):
        return "nothing"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "text"
    if pa.types.is_integer(kind):
        return "whole numbers"
    if pa.types.is_floating(kind):
        return "numbers with decimals"
    if pa.types.is_date(kind):
        return "dates"
    if pa.types.is_timestamp(kind):
        return "moments" if kind.tz else "moments without a zone"
    return str(kind)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


# -- a column ---------------------------------------------------------------------------------------------


def _connected() -> duckdb.DuckDBPyConnection:
    import duckdb  # loads where it is used

    connection = duckdb.connect(config={"threads": 1, **memory.for_duckdb()})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _column(connection: Any, parts: Sequence[Partition], name: str, *, table: str) -> pd.Series:
    """Return one column of all partitions; text as codes where that is worth it, as of one file."""
    types = [part.schema.field(name).type for part in parts]
    kind = reduce(_wider, types)
    is_text = kind in (pa.string(), pa.large_string())
    as_read = (values.cast(kind) for values in _read(connection, parts, name, table=table))
    chunks = [values.dictionary_encode() for values in as_read] if is_text else list(as_read)
    if is_text:
        whole = pa.chunked_array(chunks, pa.dictionary(pa.int32(), kind)).unify_dictionaries().combine_chunks()
        del chunks
        return from_dictionary(whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole)
    found = pa.table({name: pa.chunked_array(chunks, kind)}).combine_chunks()
    return found.to_pandas(date_as_object=False, ignore_metadata=True)[name]


def _wider(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """Return a type that holds the values of two of the same kind."""
    schemas = [pa.schema([pa.field("x", kind)]) for kind in (one, other)]
    return pa.unify_schemas(schemas, promote_options="permissive").field("x").type


def _read(connection: Any, parts: Sequence[Partition], name: str, *, table: str) -> Iterator[pa.Array]:
    """Yield the values of a column, partition after partition; those of one type are one question."""
    for kind, run in itertools.groupby(parts, key=lambda part: part.schema.field(name).type):
        group = [part for part in run if part.rows]
        if pa.types.is_null(kind):
            yield from (pa.nulls(part.rows) for part in group)
        elif group:
            try:
                yield from _values(connection, group, name)
            except Exception as error:
                raise _unreadable(_broken(connection, group, name), error, table=table) from error


def _values(connection: Any, parts: Sequence[Partition], name: str) -> Iterator[pa.Array]:
    quoted = '"' + name.replace('"', '""') + '"'
    query = f"SELECT {quoted} FROM read_parquet(?, hive_partitioning = false)"
    answer = connection.sql(query, params=[[str(part.path) for part in parts]])
    for batch in answer.to_arrow_reader(_ROWS_AT_ONCE):
        yield batch.column(0)


def _broken(connection: Any, parts: Sequence[Partition], name: str) -> str:
    """Return the name of the first partition whose column DuckDB cannot read; of all where each alone can be."""
    for part in parts:
        try:
            for _ in _values(connection, [part], name):
                pass
        except Exception:
            return part.name
    return _listed([part.name for part in parts])


# -- what the names of folders say ------------------------------------------------------------------------


def _from_folders(
    parts: Sequence[Partition], names: Sequence[str], *, table: str
) -> tuple[tuple[str, ...], dict[str, pd.Series]]:
    """Return notes, and the columns of the table that the names of folders give: text, `__HIVE_…__` is missing."""
    keys = list(dict.fromkeys(key for part in parts for key, _ in part.named))
    declared = {column.name for column in TABLES[table].columns}
    taken = [key for key in keys if key in declared]
    columns = {}
    for key in taken:
        values = [dict(part.named).get(key) for part in parts]
        lacking = [part.name for part, value in zip(parts, values, strict=True) if value is None]
        if key in names or lacking:
            other = "its partitions hold it too" if key in names else f"{_listed(lacking)} lies in none of that name"
            raise DataError(
                f"folders are named {key}=…, and {other}",
                table=table,
                column=key,
                mend="write the column into the partitions, or name all their folders, not both",
            )
        levels = list(dict.fromkeys(value for value in values if value not in (None, _MISSING)))
        codes = [levels.index(value) if value in levels else None for value in values]
        repeated = np.repeat(np.array([-1 if code is None else code for code in codes]), [part.rows for part in parts])
        indices = pa.array(repeated.astype(np.int32), mask=repeated < 0)
        columns[key] = from_dictionary(pa.DictionaryArray.from_arrays(indices, pa.array(levels, pa.string())))
    places = [key for key in keys if key not in declared]
    notes = () if not places else (f"{', '.join(places)} in the names of folders: read as places, not as columns",)
    return notes, columns
