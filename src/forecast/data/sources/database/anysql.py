"""Any other database, through SQLAlchemy: the general way, a row at a time and so several times slower.

The driver has to be installed beside this suite. That nothing is written rests on the transaction, which is never
committed, on a read-only mode where the database has one (`_READ_ONLY`), and on the user's rights.
"""

from __future__ import annotations

import datetime as dt
import decimal
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy import exc

from forecast.data.sources.database.place import PASSWORD, Place, file_of
from forecast.data.sources.database.session import Found, Wanted, as_ours, first_words
from forecast.errors import DataError, ForecastError, MachineError, ParameterError

_ROWS = 50_000
_READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "oracle": "SET TRANSACTION READ ONLY",
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
}
_AT_ONE_MOMENT = {"mysql": "REPEATABLE READ", "mariadb": "REPEATABLE READ", "postgresql": "REPEATABLE READ"}
_SYSTEM = ("information_schema", "pg_catalog", "sys", "mysql", "performance_schema")


@contextmanager
def opened(place: Place) -> Iterator[AnySql]:
    """Connect, and roll back in the end. Raises ParameterError, DataError, MachineError, Lost."""
    engine = _engine(place)
    try:
        level = _AT_ONE_MOMENT.get(engine.dialect.name)
        connection = engine.connect()
        if level is not None:
            connection = connection.execution_options(isolation_level=level)
        command = _READ_ONLY.get(engine.dialect.name)
        if command is not None:
            connection.execute(sa.text(command))
    except exc.SQLAlchemyError as error:
        engine.dispose()
        raise _as_ours(error, doing="connecting") from None
    try:
        yield AnySql(connection)
    finally:
        connection.rollback()
        connection.close()
        engine.dispose()


class AnySql:
    """A session of any database that SQLAlchemy knows."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._quote = connection.dialect.identifier_preparer.quote_identifier

    def tables(self) -> list[Found]:
        """Return every table and view of the schemas that can be listed."""
        try:
            asked = sa.inspect(self._connection)
            usual = asked.default_schema_name
            found = []
            for schema in asked.get_schema_names():
                if schema.lower() not in _SYSTEM:
                    names = [*asked.get_table_names(schema=schema), *asked.get_view_names(schema=schema)]
                    found += [Found(schema=schema, name=name, visible=schema == usual) for name in names]
        except exc.SQLAlchemyError as error:
            raise _as_ours(error, doing="listing the tables") from None
        return found

    def relation(self, schema: str, name: str) -> str:
        """Return a table as it stands after FROM."""
        return f"{self._quote(schema)}.{self._quote(name)}" if schema else self._quote(name)

    def columns(self, relation: str) -> list[tuple[str, pa.DataType, bool]]:
        """Return the columns of a table or query; their types show when they are read."""
        try:
            result = self._connection.execute(self._text(f"SELECT * FROM {relation} WHERE 1 = 0"))
        except exc.SQLAlchemyError as error:
            raise _as_ours(error, doing="reading", named=True) from None
        return [(name, pa.null(), False) for name in list(result.keys())]

    def rows(self, relation: str, columns: Sequence[Wanted], order: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Return all rows, sorted here: databases differ in how they sort text."""
        listed = ", ".join(self._quote(one.name) for one in columns)
        parts = []
        try:
            command = self._text(f"SELECT {listed} FROM {relation}")
            result = self._connection.execution_options(stream_results=True).execute(command)
            for rows in result.partitions(_ROWS):
                values = zip(*rows, strict=True)
                parts.append([_array(list(column), one) for one, column in zip(columns, values, strict=True)])
        except exc.SQLAlchemyError as error:
            raise _as_ours(error, doing="reading", named=True) from None
        arrays = [_together([part[place] for part in parts]) for place in range(len(columns))]
        table = pa.table(arrays, names=[one.name for one in columns])
        if order:
            table = table.sort_by([(name, "ascending") for name in order])
        yield from table.combine_chunks().to_batches()

    def _text(self, command: str) -> sa.TextClause:
        """Return a statement in which a colon is a colon, as in a time of day, and never a parameter."""
        return sa.text(command.replace("\\", "\\\\").replace(":", "\\:")) if ":" in command else sa.text(command)


def _engine(place: Place) -> sa.Engine:
    try:
        url = sa.make_url(place.address)
        if url.get_backend_name() == "sqlite":
            file = file_of(urlsplit(place.address), beside=place.folder)
            url = url.set(database=f"file:{file}", query={"mode": "ro", "uri": "true"})
        elif os.environ.get(PASSWORD):
            url = url.set(password=os.environ[PASSWORD])
        return sa.create_engine(url, poolclass=sa.NullPool, hide_parameters=True)
    except exc.NoSuchModuleError:
        raise ParameterError(
            f"no driver is known for {place.address.split('://', 1)[0]}:// addresses; "
            "install the package that brings its SQLAlchemy dialect"
        ) from None
    except ModuleNotFoundError as error:
        raise ParameterError(f"the driver {error.name} is not installed; pip install {error.name}") from None
    except exc.ArgumentError:
        raise ParameterError("the address of the database cannot be read; write driver://host/database") from None


def _as_ours(error: exc.SQLAlchemyError, *, doing: str, named: bool = False) -> ForecastError:
    """Return our error; `named` where what the user named may be what is wrong."""
    cause = getattr(error, "orig", None) or error
    found = as_ours(cause, doing=doing)
    if type(found) is not MachineError:
        return found
    wrong = isinstance(error, exc.ProgrammingError) or str(cause).startswith(("no such", "near ", "incomplete input"))
    if named and (wrong or not isinstance(error, exc.DBAPIError)):
        return DataError(
            f"the database refuses to read it: {first_words(str(cause))}",
            mend="correct the table or the query that stands in its place",
        )
    if isinstance(error, exc.OperationalError) and "unable to open database file" in str(cause):
        return MachineError(f"the file cannot be opened ({first_words(str(cause))})")
    return found


# -- values ---------------------------------------------------------------------------------------------


def _array(values: list[Any], one: Wanted) -> pa.Array:
    """Return the values of a column as Arrow has them; text where they are of several kinds."""
    named = one.kind in ("key", "text")
    if any(isinstance(value, decimal.Decimal) for value in values):
        as_one = _plain if named else float
        values = [as_one(value) if isinstance(value, decimal.Decimal) else value for value in values]
    try:
        made = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        return pa.array([None if value is None else _plain(value) for value in values], pa.string())
    known = pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_string, pa.types.is_null
    dated = pa.types.is_date, pa.types.is_timestamp
    if any(is_kind(made.type) for is_kind in (*known, *dated)):
        return made
    return pa.array([None if value is None else _plain(value) for value in values], pa.string())


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    return format(value, "f") if isinstance(value, decimal.Decimal) else str(value)


def _together(parts: Sequence[pa.Array]) -> pa.ChunkedArray:
    """Return the parts of a column as one: of the kind they share, of text where they share none."""
    if not parts:
        return pa.chunked_array([], pa.string())
    kinds = {part.type for part in parts if not pa.types.is_null(part.type)}
    if not kinds:
        return pa.chunked_array([part.cast(pa.string()) for part in parts])
    if len(kinds) == 1:
        return pa.chunked_array([part.cast(next(iter(kinds))) for part in parts])
    if all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds):
        return pa.chunked_array([part.cast(pa.float64()) for part in parts])
    return pa.chunked_array(
        [pa.array([_none_or_text(value) for value in part.to_pylist()], pa.string()) for part in parts]
    )


def _none_or_text(value: Any) -> str | None:
    return None if value is None else _plain(value)
