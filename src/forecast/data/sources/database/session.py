"""What reading needs of any database: its tables, the columns of one, and the rows of one, at one moment.

`postgres`, `duck` and `anysql` each open a `Session`; `fetch` reads through it and knows nothing of drivers. A driver's
errors are turned here into ours, the same for all: what the user named wrongly (exit 1), what the database or the
network refused (exit 4), and what is gone and may come back (`Lost`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import pyarrow as pa

from forecast.data.schema import Kind
from forecast.data.sources.database.place import without_secrets
from forecast.errors import DataError, ForecastError, MachineError

_ENDING = re.compile(r";(?:\s|;|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*\Z", re.DOTALL)

RELATION = "q"
"""What a table or query is called inside the statement that reads it."""


class Lost(MachineError):
    """The connection is gone, or could not be made just now: worth another try."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """One table in the database; `visible` where its name alone finds it."""

    schema: str
    name: str
    visible: bool


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One column to read: its name, the kind it is declared as (None where it is not), its type in the database.

    `money` : the database counts it in hundredths and has to say what they are.
    """

    name: str
    kind: Kind | None
    type: pa.DataType
    money: bool = False


class Session(Protocol):
    """One connection and one moment: whatever is read through it belongs together."""

    def tables(self) -> list[Found]:
        """Return every table and view that can be named, those of the system left out."""

    def relation(self, schema: str, name: str) -> str:
        """Return a table as it stands after FROM, its names quoted; an empty schema leaves it to the database."""

    def columns(self, relation: str) -> list[tuple[str, pa.DataType, bool]]:
        """Return name, type and whether it is money of each column of a table or `(query) AS q`."""

    def rows(self, relation: str, columns: Sequence[Wanted], order: Sequence[str]) -> Iterable[pa.RecordBatch]:
        """Return the rows of a table or query, sorted by the columns of `order`."""


# -- one statement --------------------------------------------------------------------------------------


def quoted(name: str) -> str:
    """Return a name as SQL writes it, whatever signs are in it.

    >>> quoted('a "b"; drop table c')
    '"a ""b""; drop table c"'
    """
    return '"' + name.replace('"', '""') + '"'


def as_relation(query: str) -> str:
    """Return a query as it stands after FROM, without the semicolon that may end it."""
    return f"(\n{_ENDING.sub('', query).strip()}\n) AS {RELATION}"


def statement(
    relation: str,
    columns: Sequence[Wanted],
    order: Sequence[str],
    *,
    text: str,
    number: str,
    collate: str = "",
    all_text: bool = False,
) -> str:
    """Return the statement that reads these columns and no other, sorted.

    text, number : how a column is made text or a double, with `{}` for the column.
    collate : what makes texts sort by their bytes, where that is not how they sort.
    all_text : make text of what is text too (types that are padded, or that the driver does not tell from text).
    """
    made = {one.name: _expression(one, text=text, number=number, all_text=all_text) for one in columns}
    sorted_by = [
        made[one.name] + (f" {collate}" if collate and _form(one) == "text" else "")
        for name in order
        for one in columns
        if one.name == name
    ]
    listed = ", ".join(f"{expression} AS {quoted(name)}" for name, expression in made.items())
    by = f" ORDER BY {', '.join(sorted_by)}" if sorted_by else ""
    return f"SELECT {listed} FROM {relation}{by}"


def _expression(one: Wanted, *, text: str, number: str, all_text: bool) -> str:
    column = quoted(one.name)
    match _form(one):
        case "text" if all_text or not pa.types.is_string(one.type):
            return text.format(column)
        case "money":
            return number.format(f"{column}::numeric")
        case "number":
            return number.format(column)
    return column


def _form(one: Wanted) -> Literal["text", "number", "money", "as it is"]:
    """Return what a column is read as.

    Names that are numbers in the database are read as text, so that none loses a digit; numbers with decimal places as
    doubles; what is neither number, date, timestamp nor truth as the database writes it.
    """
    kind, named = one.type, one.kind in ("key", "text")
    if one.money:
        return "money"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "text"
    if pa.types.is_integer(kind) or is_decimal(kind):
        return "text" if named else "number" if is_decimal(kind) else "as it is"
    plain = pa.types.is_boolean(kind) or pa.types.is_floating(kind)
    if plain or pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return "as it is"
    return "text"


def is_decimal(kind: pa.DataType) -> bool:
    """Return whether a type is a number of decimal places, as Arrow or as PostgreSQL's driver has it."""
    return pa.types.is_decimal(kind) or getattr(kind, "type_name", "") == "numeric"


# -- errors ---------------------------------------------------------------------------------------------

_GONE = (
    "connection refused",
    "server closed the connection",
    "connection reset",
    "connection timed out",
    "timeout expired",
    "connection not open",
    "no connection to the server",
    "lost connection",
    "terminating connection",
    "ssl connection has been closed",
    "ssl syscall error",
    "temporary failure in name resolution",
    "the database system is",
    "too many clients",
    "remaining connection slots",
    "could not serialize access",
    "could not receive data",
    "database is locked",
    "could not set lock",
    "broken pipe",
)
_REFUSED = ("authentication failed", "no password supplied", "no pg_hba.conf entry", "role ", "access denied")
_RIGHTS = ("permission denied", "not authorized", "command denied", "insufficient privilege")
_NO_DATABASE = (
    "definition of service",
    "service file",
    "invalid uri",
    "unknown database",
    "could not translate host name",
)
_CANNOT = ("canceling statement", "no space left", "out of memory", "out of shared memory", "disk full", "i/o error")
_READS_ONLY = ("read-only", "readonly", "query_only")


def as_ours(error: BaseException, *, doing: str, table: str = "", sqlstate: str = "") -> ForecastError:
    """Return our error for a driver's: its words without its ornaments, and the mend.

    doing : what was being done, as `reading opportunities`.
    sqlstate : the code of the SQL standard, where the driver tells it.
    """
    said = first_words(str(error))
    low = str(error).lower()
    state = sqlstate or getattr(error, "sqlstate", None) or ""
    if state[:2] == "08" or state in ("57P01", "57P02", "57P03", "53300", "40001") or any(w in low for w in _GONE):
        return Lost(f"the database was lost while {doing} ({said})")
    if state in ("25006", "25001") or any(words in low for words in _READS_ONLY):
        return DataError(
            f"what stands in its place writes, and a database is only read ({said})",
            table=table,
            mend="write a query that selects and changes nothing",
        )
    if state == "42501" or any(words in low for words in _RIGHTS):
        mend = "let whoever runs the database grant SELECT on the table and USAGE on its schema"
        return MachineError(f"{table or 'the database'}: this user may not read it ({said})\n  mend: {mend}")
    if state[:2] == "28" or (not state and any(words in low for words in _REFUSED)):
        mend = "check the user, and the password in PGPASSWORD, ~/.pgpass or the service file"
        return MachineError(f"the database does not let this user in ({said})\n  mend: {mend}")
    if state == "3D000" or ('database "' in low and "does not exist" in low) or any(w in low for w in _NO_DATABASE):
        return DataError(f"there is no such database ({said})", mend="correct the address after --data")
    if state == "55P03" or "lock timeout" in low:
        return MachineError(f"{table or 'a table'} is held by another session ({said}); run again when that has ended")
    machine = state[:2] in ("53", "54", "55", "57", "58", "XX") or any(words in low for words in _CANNOT)
    if not machine and (state[:2] in ("42", "22") or table):
        return DataError(f"the database refuses to read it: {said}", table=table, mend=_mend(said))
    return MachineError(f"the database would not while {doing} ({said})")


def _mend(said: str) -> str:
    if "syntax" in said.lower():
        return "correct the query under [tables]"
    return "correct the table or the query that stands in its place, or give this user the right to what it needs"


def first_words(message: str) -> str:
    """Return a driver's message without its ornaments: no prefix, one line, no password."""
    text = without_secrets(message)
    for mark in ("ERROR:", "FATAL:", "failed: "):
        if mark in text:
            text = text.split(mark, 1)[1]
            break
    line = next((line.strip() for line in text.splitlines() if line.strip()), type(message).__name__)
    return line[:300].rstrip(". ")
