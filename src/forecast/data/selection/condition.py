"""A condition on deals, as SQL writes it after WHERE: read and bound by DuckDB, never run as Python.

DuckDB says what the condition consists of; columns, constants, comparisons and a short list of functions may be in it.
So it can look at nothing but the deals it is given: at no file, no other table, no clock.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forecast.errors import ParameterError, nearest, shortened

if TYPE_CHECKING:
    import duckdb

_OF_TEXT = (
    *("concat", "contains", "ends_with", "left", "length", "lower", "ltrim", "prefix", "regexp_matches", "replace"),
    *("right", "rtrim", "starts_with", "strip_accents", "substring", "suffix", "trim", "upper", "||"),
    *("~~", "!~~", "~~*", "!~~*", "like_escape", "not_like_escape", "ilike_escape", "not_ilike_escape"),
)
_OF_NUMBERS = ("abs", "ceil", "floor", "greatest", "least", "round", "+", "-", "*", "/", "//", "%")
_OF_DATES = ("year", "quarter", "month", "day")
FUNCTIONS = frozenset((*_OF_TEXT, *_OF_NUMBERS, *_OF_DATES, "coalesce", "ifnull", "nullif"))
"""What a condition may call: functions of values alone, the same on every day and machine."""

TYPES = frozenset(
    {
        "date",
        "timestamp",
        "varchar",
        "text",
        "double",
        "float",
        "integer",
        "int",
        "bigint",
        "boolean",
        "bool",
        "decimal",
    }
)
"""What a value may be turned into; a time with its zone would be read by that of the machine."""

_PARTS = {"COLUMN_REF", "CONSTANT", "COMPARISON", "CONJUNCTION", "OPERATOR", "BETWEEN", "CASE", "CAST", "TYPE"}
_TABLE = "opportunities"
_LONGEST = 2_000
_EXAMPLE = "an SQL condition, such as product = 'GTX Plus' AND amount > 1000"


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Which rows a condition holds for, (n,) bool; of how many it cannot be told: a value is empty; its columns."""

    rows: np.ndarray
    unknown: int
    columns: tuple[str, ...]


def chosen(condition: str, deals: pd.DataFrame, *, refused: Mapping[str, str] | None = None) -> Chosen:
    """Return which deals a condition holds for.

    Parameters
    ----------
    condition : SQL, such as `product = 'GTX Plus' AND created_on >= '2025-01-01'`; text in single quotes, names of
        columns as they are or in double quotes.
    deals : the table it is about, n rows. refused : columns it may not use, and why.

    Raises
    ------
    ParameterError : it cannot be read, is no condition, uses a column that is not there or refused, or calls what a
        condition may not; the message names it and the mend. Also where no deal is left.
    """
    import duckdb

    text = condition.strip()
    if not text or len(text) > _LONGEST:
        raise ParameterError(f"where: {shortened(text)!r} is not {_EXAMPLE}")
    with duckdb.connect(config={"threads": 1}) as session:
        tree = _read(session, text)
        used = _columns(tree, deals, refused=refused or {}, text=text)
        held = _answers(session, text, deals[used] if used else deals[["opportunity_id"]])
    found = Chosen(
        rows=held.fillna(value=False).to_numpy(dtype=bool), unknown=int(held.isna().sum()), columns=tuple(used)
    )
    if not found.rows.any():
        raise ParameterError(f"where: no deal is left by {text}" + _hint(tree, deals))
    return found


def columns_of(condition: str) -> frozenset[str]:
    """Return the names of columns that a condition uses, as it writes them. Raises as `chosen` does for one unread."""
    import duckdb

    with duckdb.connect(config={"threads": 1}) as session:
        tree = _read(session, condition.strip())
    return frozenset(node["column_names"][-1] for node in _nodes(tree) if node.get("class") == "COLUMN_REF")


def _read(session: duckdb.DuckDBPyConnection, text: str) -> Mapping[str, Any]:
    """Return the parts of a condition. Raises ParameterError where it is none."""
    asked = f"SELECT 1 FROM {_TABLE} WHERE (\n{text}\n)"
    found = json.loads(session.execute("SELECT json_serialize_sql(?)", [asked]).fetchall()[0][0])
    if found["error"]:
        raise ParameterError(f"where: {text} cannot be read ({_first_line(found['error_message'])}); give {_EXAMPLE}")
    node = found["statements"][0]["node"] if len(found["statements"]) == 1 else {}
    more = any(node.get(part) for part in ("group_expressions", "having", "qualify", "modifiers", "sample"))
    if node.get("type") != "SELECT_NODE" or more or node["from_table"].get("table_name") != _TABLE:
        raise ParameterError(f"where: {text} is more than a condition; give {_EXAMPLE}")
    tree: Mapping[str, Any] = node["where_clause"]
    for part in _nodes(tree):
        _check(part, text)
    return tree


def _check(part: Mapping[str, Any], text: str) -> None:
    """Raise ParameterError for a part that a condition may not have."""
    kind = part.get("class")
    if kind == "FUNCTION":
        name = part["function_name"].lower()
        if name not in FUNCTIONS:
            known = [each for each in FUNCTIONS if each.isalpha()]
            raise ParameterError(f"where: {name} is not for conditions in {text}; {nearest(name, known)}")
    elif kind == "TYPE" and part["type_name"].lower() not in TYPES:
        raise ParameterError(f"where: {part['type_name']} is no type for conditions in {text}; {nearest('', TYPES)}")
    elif kind is not None and kind not in _PARTS:
        what = {"SUBQUERY": "query", "STAR": "*", "WINDOW": "window"}.get(kind, kind.lower())
        raise ParameterError(f"where: a condition may hold no {what}, as {text} does; give {_EXAMPLE}")


def _nodes(tree: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every part of a condition that says of what kind it is."""
    if isinstance(tree, dict):
        if "class" in tree:
            yield tree
        for value in tree.values():
            yield from _nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _nodes(value)


def _columns(tree: Mapping[str, Any], deals: pd.DataFrame, *, refused: Mapping[str, str], text: str) -> list[str]:
    """Return the columns that a condition uses, as the table spells them."""
    spelled = {str(name).lower(): str(name) for name in deals}
    closed = {name.lower(): why for name, why in refused.items()}
    used = []
    for node in _nodes(tree):
        if node["class"] != "COLUMN_REF":
            continue
        *before, name = node["column_names"]
        if name.lower() in closed and name.lower() not in spelled:
            raise ParameterError(f"where: {name} may not be used: {closed[name.lower()]}")
        if name.lower() not in spelled or before not in ([], [_TABLE]):
            quoted = _has_value(deals, name)
            mend = f"text stands in single quotes: '{name}'" if quoted else nearest(name, spelled.values())
            raise ParameterError(f"where: the deals have no column {name!r}, asked for by {text}; {mend}")
        used.append(spelled[name.lower()])
    return list(dict.fromkeys(used))


def _has_value(deals: pd.DataFrame, text: str) -> bool:
    columns = [deals[name] for name in deals if deals[name].dtype == "str" and name != "opportunity_id"]
    return any((column == text).any() for column in columns)


def _answers(session: duckdb.DuckDBPyConnection, text: str, deals: pd.DataFrame) -> pd.Series:
    """Return what the condition is for each deal: true, false, or empty; (n,)."""
    import duckdb

    plain = {name: _plain(deals[name]) for name in deals}
    session.register(_TABLE, pd.DataFrame({**plain, "row of the table": np.arange(len(deals))}))
    session.execute("SET enable_external_access = false; SET lock_configuration = true")
    asked = f'SELECT (\n{text}\n) AS held FROM {_TABLE} ORDER BY "row of the table"'
    try:
        if [str(kind) for kind in session.sql(asked).types] != ["BOOLEAN"]:
            raise ParameterError(f"where: {text} is neither true nor false; give {_EXAMPLE}")
        found = session.execute(asked).df()["held"]
    except duckdb.Error as error:
        raise ParameterError(f"where: {text} cannot be held against the deals ({_first_line(str(error))})") from None
    return found.astype("boolean")


def _plain(values: pd.Series) -> pd.Series:
    """Return a column as DuckDB takes it: text as objects, None where it is empty."""
    if values.dtype != "str":
        return values.reset_index(drop=True)
    held = values.to_numpy(dtype=object, na_value=None)
    return pd.Series(held, dtype=object)


def _hint(tree: Mapping[str, Any], deals: pd.DataFrame) -> str:
    """Return what may have been meant, where a text that a column is compared with is none of its values."""
    spelled = {str(name).lower(): str(name) for name in deals}
    for node in _nodes(tree):
        parts = [part for part in _nodes(node) if part is not node]
        named = [part["column_names"][-1].lower() for part in parts if part["class"] == "COLUMN_REF"]
        texts = [
            part["literal"]["text"]
            for part in parts
            if part["class"] == "CONSTANT" and (part.get("literal") or {}).get("kind") == "STRING"
        ]
        if node["class"] not in ("COMPARISON", "OPERATOR") or len(set(named)) != 1 or not texts:
            continue
        column = deals[spelled[named[0]]]
        if column.dtype == "str" and (hint := not_among(texts, column, named[0])):
            return f"; {hint}"
    return ""


def not_among(names: Collection[str], column: pd.Series, what: str) -> str:
    """Return a sentence on the first name that is no value of a column, with the nearest; empty where all are."""
    known = set(column.dropna().unique())
    lacking = next((name for name in names if name not in known), None)
    return "" if lacking is None else f"there is no {what} {lacking!r}: {nearest(lacking, known)}"


def _first_line(message: str) -> str:
    return message.strip().splitlines()[0] if message.strip() else ""
