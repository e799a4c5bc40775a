"""A DuckDB file, opened read-only; rows come as Arrow batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from forecast.data import memory
from forecast.data.sources.database.place import Place
from forecast.data.sources.database.session import (
    RELATION,
    Found,
    Lost,
    Wanted,
    as_ours,
    first_words,
    quoted,
    statement,
)
from forecast.errors import DataError

_BATCH = 200_000
_TABLES = """
SELECT table_schema AS schema, table_name AS name, table_schema = current_schema() AS visible
FROM information_schema.tables WHERE table_catalog = current_catalog() ORDER BY 1, 2
"""


@contextmanager
def opened(place: Place, *, beside: Path) -> Iterator[Duck]:
    """Open the file and close it. Raises DataError where it is none, Lost where another process writes it.

    beside : a folder of the run's own, in which what sorting cannot hold within the limit of memory is put down.
    """
    settings: dict[str, Any] = {"temp_directory": str(beside / "sorting"), **memory.for_duckdb()}
    try:
        connection = duckdb.connect(place.address, read_only=True, config=settings)
    except duckdb.Error as error:
        if "lock" in str(error).lower():
            raise Lost(f"{place.label}: another process has it open to write ({first_words(str(error))})") from None
        raise DataError(
            f"{place.label}: it cannot be opened ({first_words(str(error))})",
            mend="name a file of DuckDB, of a version this one can read",
        ) from None
    try:
        connection.execute("BEGIN TRANSACTION READ ONLY")
        connection.execute("SET TimeZone = 'UTC'")
        yield Duck(connection)
    finally:
        connection.close()


class Duck:
    """A session of DuckDB."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def tables(self) -> list[Found]:
        """Return every table and view of the file."""
        try:
            found = self._connection.sql(_TABLES).fetchall()
        except duckdb.Error as error:
            raise as_ours(error, doing="listing the tables") from None
        return [Found(schema=schema, name=name, visible=visible) for schema, name, visible in found]

    def relation(self, schema: str, name: str) -> str:
        """Return a table as it stands after FROM."""
        return f"{quoted(schema)}.{quoted(name)}" if schema else quoted(name)

    def columns(self, relation: str) -> list[tuple[str, pa.DataType, bool]]:
        """Return the columns of a table or query."""
        schema = self._reader(f"SELECT * FROM {relation} LIMIT 0").schema
        return [(one.name, one.type, False) for one in schema]

    def rows(self, relation: str, columns: Sequence[Wanted], order: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Return the rows as they come."""
        command = statement(relation, columns, order, text="CAST({} AS VARCHAR)", number="CAST({} AS DOUBLE)")
        yield from self._reader(command)

    def _reader(self, command: str) -> pa.RecordBatchReader:
        """Return the answer to one statement that selects; there is no other way in for a query.

        What DuckDB refuses in a file opened read-only leaves out copies into other files, so that is refused here.
        """
        statements = duckdb.extract_statements(command)
        if [one.type for one in statements] != [duckdb.StatementType.SELECT]:
            raise DataError(
                "what stands in its place is more than a query that selects",
                mend="write one query that begins with select, and nothing after it",
            )
        return self._connection.sql(command, alias=RELATION).to_arrow_reader(_BATCH)
