"""A database -> a folder of Parquet files and company.toml, all of one moment, whole or not there.

Read are the tables with our names (or what stands in their place): the columns we know, and the others where they have
a meaning, as in `opportunities`. Rows are sorted by key in the database, so that the same rows give the same files. A
connection that is lost is tried again from the start, in a transaction of its own.
"""

from __future__ import annotations

import re
import shutil
import time
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as papq

from forecast.data.schema import TABLES, Company, Table
from forecast.data.sources.company import company_from, write_company
from forecast.data.sources.database.place import Place, is_query, name_parts
from forecast.data.sources.database.session import Found, Lost, Session, Wanted, as_ours, as_relation
from forecast.data.sources.tables.header import in_our_spelling
from forecast.errors import DataError, ForecastError, MachineError, did_you_mean

PAUSES = (0.5, 2.0, 5.0)
"""Seconds between the tries to reach or to read a database."""

_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
"""1 January of year 1 and 31 December 9999, in days from 1970."""

_COMPANY = "company"


def fetch(place: Place, into: Path, *, pauses: Sequence[float] = PAUSES) -> None:
    """Copy the tables of a database into a folder that is not there yet.

    pauses : seconds between the tries; one try more is made than there are pauses.

    Raises MachineError where the database cannot be reached or read, or was lost in every try; DataError,
    ParameterError where what the user named is not there. After any of these the folder is not there.
    """
    for pause in (*pauses, None):
        try:
            into.mkdir(parents=True)
            with _opened(place, beside=into.parent) as session:
                _copy(place, session, into)
            return
        except Lost as error:
            shutil.rmtree(into, ignore_errors=True)
            if pause is None:
                tries = f"{len(pauses) + 1} tries" if pauses else "one try"
                message = f"{place.label}: {error}; given up after {tries}, nothing was kept"
                raise MachineError(message, transient="database") from None
            time.sleep(pause)
        except OSError as error:
            shutil.rmtree(into, ignore_errors=True)
            raise MachineError(f"the copy of the data cannot be written ({error.strerror or error})") from None
        except BaseException:
            shutil.rmtree(into, ignore_errors=True)
            raise


def _opened(place: Place, *, beside: Path) -> AbstractContextManager[Session]:
    """Return a session of the database; each driver is loaded where it is used."""
    if place.kind == "postgresql":
        from forecast.data.sources.database import postgres

        return postgres.opened(place)
    if place.kind == "duckdb":
        from forecast.data.sources.database import duck

        return duck.opened(place, beside=beside)
    from forecast.data.sources.database import anysql

    return anysql.opened(place)


def _copy(place: Place, session: Session, into: Path) -> None:
    """Write every table that is there, and company.toml."""
    listed = session.tables()
    relations = _relations(place, session, listed)
    company = dict(place.company)
    if (relation := _company_relation(place, session, listed)) is not None:
        company = _company_keys(session, relation) | company
    _write_company(company, place, into)
    for name, relation in relations.items():
        _copy_table(TABLES[name], relation, session, into)


# -- which tables ---------------------------------------------------------------------------------------


def _relations(place: Place, session: Session, listed: Sequence[Found]) -> dict[str, str]:
    """Return what is read for each table of ours. Raises DataError where a name is not there."""
    found = {}
    for name in TABLES:
        asked = place.tables.get(name)
        if asked is not None and is_query(asked):
            found[name] = as_relation(asked)
            continue
        schema, other = name_parts(asked) if asked is not None else ("", name)
        there = _there(listed, schema or place.schema, other)
        if there is not None:
            found[name] = session.relation(there.schema, there.name)
        elif asked is not None or name == "opportunities":
            raise _absent(place, name, schema or place.schema, other, listed)
    if misspelt := _misspelt(place, found, listed):
        raise misspelt
    return found


def _there(listed: Sequence[Found], schema: str, name: str) -> Found | None:
    return next(
        (one for one in listed if one.name == name and (one.schema == schema if schema else one.visible)),
        None,
    )


def _absent(place: Place, table: str, schema: str, name: str, listed: Sequence[Found]) -> DataError:
    """Return the error for a table that is not there, with where it may be."""
    elsewhere = sorted({one.schema for one in listed if one.name == name})
    beside = [one.name for one in listed if (one.schema == schema if schema else one.visible)]
    spelt = [other for other in beside if other.casefold() == name.casefold()]
    where = f" in schema {schema!r}" if schema else ""
    if spelt:
        mend = f'it is {spelt[0]!r} there: write {table} = "{spelt[0]}" under [tables] in a file (docs/databases.md)'
    elif elsewhere:
        mend = f"it is in schema {elsewhere[0]!r}: add ?schema={elsewhere[0]} to the address"
    elif schema and not any(one.schema == schema for one in listed):
        hint = did_you_mean(schema, {one.schema for one in listed})
        mend = f"there is nothing in that schema that this user may see; {hint or 'correct its name'}"
    else:
        hint = did_you_mean(name, set(beside))
        say = "say where it is under [tables] in a file (docs/databases.md)"
        mend = f"{hint} Then {say}" if hint else f"correct the schema, or {say}"
    return DataError(f"{place.label}: there is no table {name!r}{where}", table=table, mend=mend)


def _misspelt(place: Place, found: Mapping[str, str], listed: Sequence[Found]) -> DataError | None:
    """Return an error where a table we know is absent and one is there that is written only a little otherwise."""
    for name in TABLES:
        if name in found:
            continue
        for one in listed:
            beside = one.schema == place.schema if place.schema else one.visible
            if beside and _letters(one.name) == _letters(name):
                return DataError(
                    f"{place.label}: the table {one.name!r} looks like a misspelt {name!r}",
                    table=name,
                    mend=f'rename it, or write {name} = "{one.name}" under [tables] in a file (docs/databases.md)',
                )
    return None


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower()).removesuffix("s")


# -- one table ------------------------------------------------------------------------------------------


def _copy_table(table: Table, relation: str, session: Session, into: Path) -> None:
    """Write one table. Raises DataError that names it."""
    try:
        columns = _wanted(table, session.columns(relation))
        order = table.key or tuple(column.name for column in table.columns)
        read = [one for one in columns if _is_read(table, one)]
        called = {ours: theirs for theirs, ours in in_our_spelling([one.name for one in columns], table).items()}
        ordered = [called.get(name, name) for name in order]
        batches = session.rows(relation, read, [name for name in ordered if name in {one.name for one in read}])
        _write(batches, [one.name for one in columns], into / f"{table.name}.parquet")
    except DataError as error:
        if error.problem.table:
            raise
        raise DataError(error.problem.what, table=table.name, mend=error.problem.mend) from None
    except ForecastError:
        raise
    except MemoryError:
        raise
    except OSError as error:
        if error.errno is not None:  # the disk's; drivers raise OSError without a number
            raise
        raise as_ours(error, doing=f"reading {table.name}", table=table.name) from None
    except Exception as error:
        raise as_ours(error, doing=f"reading {table.name}", table=table.name) from None


def _wanted(table: Table, there: Iterable[tuple[str, pa.DataType, bool]]) -> list[Wanted]:
    """Return the columns of a table as they are there. Raises DataError where one is there twice."""
    kinds = {column.name: column.kind for column in table.columns}
    if table.name == "opportunity_history":
        kinds = {column.name: column.kind for column in TABLES["opportunities"].columns} | kinds
    there = list(there)
    ours = in_our_spelling([name for name, *_ in there], table)
    found = [
        Wanted(name=name, kind=kinds.get(ours.get(name, name)), type=kind, money=money) for name, kind, money in there
    ]
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise DataError("this column is there twice", table=table.name, column=name, mend="keep one of them")
    return found


def _is_read(table: Table, one: Wanted) -> bool:
    """Return whether a column's values are read; one that nothing reads is left out, and named as such."""
    return table.extra_columns or one.kind is not None


def _write(batches: Iterable[pa.RecordBatch], names: Sequence[str], file: Path) -> None:
    """Write batches as they come; columns that were not read stand there empty, for the check to name them."""
    writer = None
    try:
        for batch in batches:
            whole = _with_absent(_in_years(batch), names)
            if writer is None:
                writer = papq.ParquetWriter(file, whole.schema)
            writer.write_batch(whole)
        if writer is None:
            papq.write_table(pa.table({name: pa.array([], pa.string()) for name in names}), file)
    finally:
        if writer is not None:
            writer.close()


def _with_absent(batch: pa.RecordBatch, names: Sequence[str]) -> pa.RecordBatch:
    columns = {
        name: batch.column(name) if name in batch.schema.names else pa.nulls(batch.num_rows, pa.string())
        for name in names
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _in_years(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch in which `infinity`, and every other day that no calendar has, is 9999-12-31.

    Drivers tell it as a number that turns into a day in the past. The check refuses 9999-12-31 and names the rows.
    """
    columns = [_known_days(batch.column(place)) for place in range(batch.num_columns)]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _known_days(values: pa.Array) -> pa.Array:
    kind = values.type
    if pa.types.is_date32(kind):
        numbers, a_day = values.view(pa.int32()), 1
    elif pa.types.is_timestamp(kind):
        a_day = 86_400 * {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[kind.unit]
        numbers = values.view(pa.int64())
        if kind.unit == "ns":  # has no year outside
            return values
    else:
        return values
    first, last = (pa.scalar(day * a_day, numbers.type) for day in (_FIRST_DAY, _LAST_DAY))
    known = pc.and_(pc.greater_equal(numbers, first), pc.less_equal(numbers, last))
    if pc.all(known).as_py() is not False:
        return values
    return pc.if_else(known, numbers, last).view(kind)


# -- company.toml ---------------------------------------------------------------------------------------


def _company_relation(place: Place, session: Session, listed: Sequence[Found]) -> str | None:
    """Return the table `company` with the columns key and value; None where there is none, or it is another's.

    A CRM may have a table of that name, of the companies it sells to. One with two columns is taken for ours.
    """
    there = _there(listed, place.schema, _COMPANY)
    if there is None:
        return None
    relation = session.relation(there.schema, there.name)
    try:
        names = {name for name, *_ in session.columns(relation)}
    except ForecastError:
        raise
    except Exception as error:
        raise as_ours(error, doing="reading company", table=_COMPANY) from None
    if names == {"key", "value"}:
        return relation
    if len(names) == 2:
        mend = "rename its columns to key and value, or the table if it is another's"
        raise DataError(f"it has the columns {', '.join(sorted(names))}, not key and value", table=_COMPANY, mend=mend)
    return None


def _company_keys(session: Session, relation: str) -> dict[str, Any]:
    """Return the keys and values of the table `company`, as company.toml would have them."""
    wanted = [Wanted(name=name, kind="text", type=kind) for name, kind, _ in session.columns(relation)]
    try:
        rows = [row for batch in session.rows(relation, wanted, ["key"]) for row in batch.to_pylist()]
    except ForecastError:
        raise
    except Exception as error:
        raise as_ours(error, doing="reading company", table=_COMPANY) from None
    keys = [row["key"] for row in rows]
    for key in keys:
        if keys.count(key) > 1:
            raise DataError("this key is there twice", table=_COMPANY, column=str(key), mend="keep one of them")
    return {str(row["key"]): _value(str(row["key"]), str(row["value"])) for row in rows if row["value"] is not None}


def _value(key: str, text: str) -> Any:
    """Return a value as TOML reads it, unless the key holds text; a list may be written with commas alone."""
    usual = {field.name: field.default for field in fields(Company)}.get(key, "")
    if isinstance(usual, str):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return [part.strip() for part in text.split(",") if part.strip()] if isinstance(usual, tuple) else text


def _write_company(keys: Mapping[str, Any], place: Place, into: Path) -> None:
    """Write company.toml, with the logo where there is one."""
    if not keys:
        return
    company = company_from(keys, folder=place.folder if place.folder is not None else into)
    write_company(company, into, beside=place.folder)
