"""PostgreSQL through ADBC: rows come as Arrow batches by COPY, in one read-only transaction that sees one moment."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import adbc_driver_postgresql.dbapi as driver
import pyarrow as pa

from forecast.data.sources.database.place import Place
from forecast.data.sources.database.session import Found, Wanted, as_ours, quoted, statement

_WAITS = {
    "application_name": "forecast",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
"""What libpq is told where the address does not say it (the first two: nor a service, nor the environment): a network
that is dead is noticed."""

_MOMENT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
_SETTINGS = (
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "SET LOCAL TimeZone = 'UTC'",
    "SET LOCAL DateStyle = 'ISO, YMD'",
    "SET LOCAL lock_timeout = '60s'",
    "SET LOCAL work_mem = '64MB'",
)
_TABLES = """
SELECT n.nspname::text AS schema, c.relname::text AS name, pg_catalog.pg_table_is_visible(c.oid) AS visible
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
ORDER BY 1, 2
"""


@contextmanager
def opened(place: Place) -> Iterator[Postgres]:
    """Connect, begin the transaction, and end both. Raises DataError, MachineError, Lost."""
    try:
        connection = driver.connect(_address(place.address), autocommit=False)
    except Exception as error:
        raise as_ours(error, doing="connecting") from None
    try:
        yield Postgres(connection)
    finally:
        with suppress(Exception):
            connection.rollback()
        with suppress(Exception):
            connection.close()


class Postgres:
    """A session of PostgreSQL."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        try:
            with connection.cursor() as cursor:
                for command in (_MOMENT, *_SETTINGS):
                    cursor.execute(command)
        except Exception as error:
            raise as_ours(error, doing="beginning to read") from None

    def tables(self) -> list[Found]:
        """Return every table and view outside the system's schemas."""
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(_TABLES)
                found = cursor.fetch_arrow_table().to_pylist()
        except Exception as error:
            raise as_ours(error, doing="listing the tables") from None
        return [Found(schema=row["schema"], name=row["name"], visible=row["visible"]) for row in found]

    def relation(self, schema: str, name: str) -> str:
        """Return a table as it stands after FROM."""
        return f"{quoted(schema)}.{quoted(name)}" if schema else quoted(name)

    def columns(self, relation: str) -> list[tuple[str, pa.DataType, bool]]:
        """Return the columns of a table or query; it is planned, not run."""
        with self._connection.cursor() as cursor:
            schema = cursor.adbc_execute_schema(f"SELECT * FROM {relation}")
        return [(one.name, one.type, (one.metadata or {}).get(b"POSTGRESQL:type") == b"money") for one in schema]

    def rows(self, relation: str, columns: Sequence[Wanted], order: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Return the rows as they come, some hundred thousand at once."""
        command = statement(
            relation, columns, order, text="{}::text", number="{}::float8", collate='COLLATE "C"', all_text=True
        )
        with self._connection.cursor() as cursor:
            cursor.execute(command)
            reader = cursor.fetch_record_batch()
            try:
                yield from reader
            finally:
                with suppress(Exception):
                    reader.close()


def _address(address: str) -> str:
    """Return the address with what makes a dead network noticed, where nobody has said it."""
    said = {name for name, _ in parse_qsl(urlsplit(address).query, keep_blank_values=True)}
    by_service = "service" in said or "PGSERVICE" in os.environ
    for name, variable in (("connect_timeout", "PGCONNECT_TIMEOUT"), ("application_name", "PGAPPNAME")):
        if by_service or variable in os.environ:
            said.add(name)
    added = "&".join(f"{name}={value}" for name, value in _WAITS.items() if name not in said)
    return f"{address}{'&' if '?' in address else '?'}{added}" if added else address
