"""Which database, and where our tables are in it: an address, or a TOML file that names one.

Simple case: `postgresql://host/sales?schema=crm`. The address says where the database is, `schema` where the tables
are, which have the names of the data dictionary. Where they have not, or the company's settings are to stand in a file,
that file is the location: company.toml with `database`, `schema` and a section `[tables]` in it.

An address with a password in it is refused: it would stand in the list of processes and in the shell's history.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from forecast.data.schema import TABLES
from forecast.errors import DataError, ParameterError, nearest

Kind = Literal["postgresql", "duckdb", "sqlalchemy"]

PASSWORD = "FORECAST_DATABASE_PASSWORD"
"""The environment variable with the password of a database that is neither PostgreSQL (PGPASSWORD) nor a file."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
_BARE_PASSWORD = re.compile(r"://[^/?#:@\[\]]*:(?!\d+(?:[/?#,]|$))[^@]*@")
"""A password that holds a character which ends the part of the address where a password is looked for."""

_SECRET = re.compile(r"pass(word|wd|phrase|code)?$|pwd$|secret|token|credential|api_?key", re.IGNORECASE)
_INSIDE = re.compile(r"(pwd|password)\s*=", re.IGNORECASE)
_QUERY = re.compile(r"\s*(select|with|values|table|from)\b", re.IGNORECASE)
_COMMENTS = re.compile(r"\A(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.DOTALL)
_NAME = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([^".]+))\s*(?:\.|$)')


@dataclass(frozen=True, kw_only=True)
class Place:
    """A database and where our tables are in it.

    address : what the driver gets; it holds no password. For a file's database, the file's path.
    label : how messages, pages and the manifest call it: no host, user or path.
    schema : where tables without a schema of their own are; empty = where the database looks by itself.
    tables : table of ours -> what stands in its place: a name, `schema.name`, or a query.
    company : keys of company.toml; they win over those of a table `company` in the database.
    folder : where the file lies that named all this, and its logo; None without one.
    """

    kind: Kind
    address: str
    label: str
    schema: str = ""
    tables: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    company: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    folder: Path | None = None


def is_address(location: str | os.PathLike[str]) -> bool:
    """Return whether a location is the address of a database, such as `duckdb:///sales.duckdb`."""
    return isinstance(location, str) and _SCHEME.match(location) is not None


def place_of(location: str, *, beside: Path | None = None) -> Place:
    """Return the database of an address. beside : the folder of the file that names it, where a file is tried first.

    Raises ParameterError where it is none, or holds a password.
    """
    scheme = location.split("://", 1)[0].lower()
    parts = _parts(location)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    _refuse_secrets(parts, query, location)
    schema = query.pop("schema", "")
    if "\0" in unquote(location):
        raise ParameterError("the address of the database holds a character that no name can")
    if scheme in ("postgres", "postgresql"):
        name = unquote(parts.path.lstrip("/")) or query.get("dbname", "")
        known = f"database {name!r}" if name else f"service {query['service']!r}" if "service" in query else "database"
        address = _joined(parts._replace(scheme="postgresql"), query)
        return Place(kind="postgresql", address=address, label=_label("PostgreSQL", known, schema), schema=schema)
    if scheme == "duckdb":
        file = file_of(parts, beside=beside)
        return Place(
            kind="duckdb", address=str(file), label=_label("DuckDB", f"file {file.name!r}", schema), schema=schema
        )
    name = unquote(parts.path.rsplit("/", 1)[-1])
    known = f"database {name!r}" if name else "database"
    return Place(
        kind="sqlalchemy",
        address=_joined(parts, query),
        label=_label(scheme.split("+")[0], known, schema),
        schema=schema,
    )


def place_in(file: Path) -> Place:
    """Return the database that a TOML file names: company.toml with `database`, perhaps `schema` and `[tables]`.

    Raises DataError, ParameterError for a file that cannot be read or names what cannot be.
    """
    try:
        values = tomllib.loads(file.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError("not UTF-8", table=file.name, mend="save the file as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise DataError(
            f"cannot be read: {error}", table=file.name, mend='write lines such as name = "Acme"'
        ) from error
    address, schema, tables = values.pop("database", None), values.pop("schema", ""), values.pop("tables", {})
    if not isinstance(address, str) or not is_address(address):
        raise DataError(
            "it names no database",
            table=file.name,
            column="database",
            mend='write a line such as database = "postgresql:///sales?service=crm"; to read a folder, name the folder',
        )
    if not isinstance(schema, str):
        raise DataError("this is not text", table=file.name, column="schema", mend='write schema = "crm"')
    if not isinstance(tables, dict):
        raise DataError(
            "this is not a section", table=file.name, column="tables", mend="write [tables] above its lines"
        )
    for name, where in tables.items():
        if name not in TABLES:
            raise DataError("no table of this name is known", table=file.name, column=name, mend=nearest(name, TABLES))
        if not isinstance(where, str) or not where.strip():
            mend = f'write {name} = "schema.name", or a query in quotes'
            raise DataError("this is neither a name nor a query", table=file.name, column=name, mend=mend)
    found = place_of(address, beside=file.parent)
    return Place(
        kind=found.kind,
        address=found.address,
        label=found.label if not schema else _label(found.label.split(", schema ")[0], "", schema),
        schema=schema or found.schema,
        tables=MappingProxyType(tables),
        company=MappingProxyType(values),
        folder=file.parent,
    )


def is_query(text: str) -> bool:
    """Return whether what stands in a table's place is a query rather than a name."""
    return _QUERY.match(text, _COMMENTS.match(text).end()) is not None  # type: ignore[union-attr]


def name_parts(text: str) -> tuple[str, str]:
    """Return schema and name of `name`, `schema.name` or `"a schema"."a name"`; an empty schema where none is said.

    Raises ParameterError where there are more parts, or a name is empty.
    """
    parts, at = [], 0
    while at < len(text):
        match = _NAME.match(text, at)
        if match is None:
            break
        parts.append(match[1].replace('""', '"') if match[1] else match[2].strip())
        at = match.end()
    if at < len(text) or not 1 <= len(parts) <= 2 or not all(parts) or text.rstrip().endswith("."):
        raise ParameterError(
            f"{text!r} is no name of a table; write name, schema.name or a query that begins with select"
        )
    return ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1])


def secrets() -> tuple[str, ...]:
    """Return the passwords in the environment, so that no message repeats them."""
    names = ("PGPASSWORD", "PGSSLPASSWORD", PASSWORD)
    return tuple(sorted({os.environ[name] for name in names if os.environ.get(name)}, key=len, reverse=True))


def without_secrets(text: str) -> str:
    """Return a driver's message with every password of the environment taken out."""
    for secret in secrets():
        text = text.replace(secret, "…")
    return text


def file_of(parts: SplitResult, *, beside: Path | None = None) -> Path:
    """Return the file of `duckdb:///FILE` or `sqlite:///FILE`; a relative one is tried beside the file that names it,
    if one does, here, and in each folder above.

    Raises ParameterError where there is none: a database that is only read is never made.
    """
    text = unquote(parts.netloc + parts.path)
    name = text[1:] if text.startswith("/") else text
    if not name or name == ":memory:":
        raise ParameterError(f"{parts.scheme}:// names no file; write {parts.scheme}:///sales.{parts.scheme}")
    here = Path.cwd()
    tried = [base / Path(name).expanduser() for base in (beside or here, here, *here.parents)]
    for file in tried:
        if file.is_file():
            return file
    raise ParameterError(
        f"there is no file {name!r}; name the database's file, with four strokes before an absolute path: "
        f"{parts.scheme}:////folder/file"
    )


# -- how ------------------------------------------------------------------------------------------------


def _parts(location: str) -> SplitResult:
    try:
        parts = urlsplit(location)
        parts.username, parts.password  # noqa: B018  (asked for what may be wrong with them)
    except ValueError:
        raise ParameterError("the address of the database cannot be read; write postgresql://host/database") from None
    return parts


def _refuse_secrets(parts: SplitResult, query: Mapping[str, str], location: str) -> None:
    """Raise ParameterError where an address holds a password; the message does not repeat it."""
    inside = [name for name, value in query.items() if _SECRET.search(name) or _INSIDE.search(value)]
    if parts.password is None and not inside and not _BARE_PASSWORD.search(location):
        return
    if parts.scheme.lower() in ("postgres", "postgresql"):
        ways = (
            "give it as PGPASSWORD in the environment, in ~/.pgpass, or in a service file (postgresql:///?service=crm)"
        )
    else:
        ways = f"give it as {PASSWORD} in the environment"
    raise ParameterError(
        "the address of the database holds a password, which every user of this machine can see in the list of "
        f"processes; take it out (and change it, where others may have seen it) and {ways}"
    )


def _joined(parts: SplitResult, query: Mapping[str, str]) -> str:
    """Return an address with other options; `urlunsplit` would drop the strokes of an empty host."""
    options = f"?{urlencode(query, quote_via=quote)}" if query else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}{options}"


def _label(kind: str, known: str, schema: str) -> str:
    return ", ".join(part for part in (f"{kind} {known}".strip(), f"schema {schema!r}" if schema else "") if part)
