"""Where a number on a page comes from: the cells of tables that it was read from or worked out from.

Simple case: a cell. `cell(bookings, 17, "mean")` is a number like any other, and knows that it is `bookings:17:mean`;
worded by `forecast.wording` it becomes a text that carries this and how it was rounded, invisibly, through every
sentence it is put into. The HTML of a page shows it as `data-src`. Sums, counts and differences of such numbers know
what they were made from: `(bookings:17:mean-bookings:17:plan)`. A number that was read by other means knows nothing,
and a test finds it on the page.

A table has a name where it is one of a month's tables (`Results` gives it) or was given one (`named`). Rows are counted
from 0, as they stand in the file. On the index of months a table is of one of them: `2026-10-31/bookings:17:mean`.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import pandas as pd

VIEW = "page_"
"""How the name of a table begins that a page shows and no notebook wrote: it is written with the page."""

_START, _MIDDLE, _END = "\u2062", "\u2063", "\u2064"  # invisible operators: no name keeps them
MARK = re.compile(f"{_START}([^{_START}{_MIDDLE}{_END}]*){_MIDDLE}([^{_START}{_MIDDLE}{_END}]*){_END}")
_NAME = r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}/)?[a-z][a-z0-9_]*"
CELL = re.compile(rf"({_NAME}):([0-9]+):([A-Za-z0-9_.%]+)")
_CELLS = re.compile(rf"({_NAME}):([0-9,\-]*):([A-Za-z0-9_.%]+)")

_GATHERED = "gathered"
"""What stands for the name of a table whose rows are of several: each row's label says of which, and where."""

_AGGREGATES: Mapping[str, Callable[[np.ndarray], float]] = MappingProxyType(
    {"sum": np.nansum, "mean": np.nanmean, "min": np.nanmin, "max": np.nanmax, "median": np.nanmedian, "count": len}
)
_OPERATORS: Mapping[type, Callable[..., Any]] = MappingProxyType(
    {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Div: operator.truediv,
        ast.USub: operator.neg,
    }
)


# -- numbers that know their source ---------------------------------------------------------------------


class Sourced:
    """A number that knows where it comes from: `source` is a cell or an expression over cells, without spaces."""

    source: str

    def __add__(self, other: Any) -> Any:
        return _combined(operator.add, "+", self, other)

    def __radd__(self, other: Any) -> Any:
        return _combined(operator.add, "+", other, self)

    def __sub__(self, other: Any) -> Any:
        return _combined(operator.sub, "-", self, other)

    def __rsub__(self, other: Any) -> Any:
        return _combined(operator.sub, "-", other, self)

    def __mul__(self, other: Any) -> Any:
        return _combined(operator.mul, "*", self, other)

    def __rmul__(self, other: Any) -> Any:
        return _combined(operator.mul, "*", other, self)

    def __truediv__(self, other: Any) -> Any:
        return _combined(operator.truediv, "/", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _combined(operator.truediv, "/", other, self)

    def __neg__(self) -> Any:
        return sourced(-bare(self), f"(-{self.source})")

    def __abs__(self) -> Any:
        return self if not bare(self) < 0 else -self

    def __reduce__(self) -> Any:
        return sourced, (bare(self), self.source)


class SourcedFloat(Sourced, float):
    """A measured number with its source."""


class SourcedInt(Sourced, int):
    """A count with its source."""


def sourced(value: Any, source: str) -> Any:
    """Return a number that knows its source; anything that is no number as it is.

    >>> half = sourced(3.0, "bookings:17:mean") / 2
    >>> half, half.source
    (1.5, '(bookings:17:mean/2)')
    """
    if isinstance(value, (bool, np.bool_)):
        return value
    number: Any
    if isinstance(value, (int, np.integer)):
        number = SourcedInt(value)
    elif isinstance(value, (float, np.floating)):
        number = SourcedFloat(value)
    else:
        return value
    number.source = source
    return number


def bare(value: Any) -> Any:
    """Return a number without its source; anything else as it is."""
    if isinstance(value, SourcedInt):
        return int.__int__(value)
    return float.__float__(value) if isinstance(value, SourcedFloat) else value


def _combined(operation: Callable[..., Any], sign: str, left: Any, right: Any) -> Any:
    """Return `left sign right` and what it was made from; a plain number in it stands for itself."""
    if not all(isinstance(side, (int, float, np.number)) for side in (left, right)):
        return NotImplemented
    value = operation(bare(left), bare(right))
    return sourced(value, f"({_term(left)}{sign}{_term(right)})")


def _term(value: Any) -> str:
    if isinstance(value, Sourced):
        return value.source
    return f"({value!r})" if value < 0 else repr(float(value) if isinstance(value, np.floating) else value)


# -- reading tables -------------------------------------------------------------------------------------


def named(frame: pd.DataFrame, name: str, *, texts: Iterable[str] = ()) -> pd.DataFrame:
    """Return a table that a page shows, with a name of its own and its rows counted anew; it is written with the page.

    texts : columns whose texts stand in the company's data or in a month's table as they are, digits and all.

    >>> named(pd.DataFrame({"wape": [0.2]}), "accuracy").attrs["table"]
    'page_accuracy'
    """
    out = frame.reset_index(drop=True)
    out.attrs = {**frame.attrs, "table": f"{VIEW}{name}", "texts": list(texts)}
    return out


def has_texts(frame: pd.DataFrame, name: str) -> bool:
    """Return whether a text of a column with a digit in it leads to its cell: in a month's table any does."""
    table = table_of(frame)
    return bool(table) and (not table.startswith(VIEW) or name in frame.attrs.get("texts", ()))


def of_file(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a table as it stands in the file of a month of that name; its index counts its rows."""
    out = frame.copy(deep=False)
    out.index = pd.RangeIndex(len(out))
    out.attrs = {**frame.attrs, "table": name}
    return out


def gathered(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return rows of several tables under each other, each with its own place: `2026-10-31/bookings:17`.

    frames : rows of tables with a name, and the same columns.
    """
    placed = []
    for frame in frames:
        rows = frame.set_axis([f"{table_of(frame)}:{label}" for label in frame.index])
        rows.attrs = {}
        placed.append(rows)
    out = pd.concat(placed)
    out.attrs["table"] = _GATHERED
    return out


def table_of(frame: pd.DataFrame | pd.Series) -> str:
    """Return the name of the table that rows are of, or an empty text."""
    return str(frame.attrs.get("table", ""))


def cell(frame: pd.DataFrame, label: Hashable, column: str) -> Any:
    """Return one value of a table by its row's label in the index; a number knows its source."""
    return _of(frame, label, column, frame.at[label, column])


def row(frame: pd.DataFrame, position: int = 0) -> dict[str, Any]:
    """Return the row at a position as column -> value; numbers know their source."""
    return records(frame.iloc[[position]])[0]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as `DataFrame.to_dict("records")` does; numbers know their source where the table has a name."""
    unsourced = [{str(name): value for name, value in values.items()} for values in frame.to_dict("records")]
    if not table_of(frame):
        return unsourced
    return [
        {name: _of(frame, label, name, value) for name, value in values.items()}
        for label, values in zip(frame.index, unsourced, strict=True)
    ]


def column(frame: pd.DataFrame, name: str) -> list[Any]:
    """Return the values of a column; numbers know their source."""
    return [_of(frame, label, name, value) for label, value in zip(frame.index, frame[name].tolist(), strict=True)]


def count(frame: pd.DataFrame) -> Any:
    """Return how many rows there are, with their source where the table has a name."""
    return sourced(len(frame), _aggregate("count", frame, str(frame.columns[0]))) if _is_one(frame) else len(frame)


def aggregate(frame: pd.DataFrame, name: str, how: str) -> Any:
    """Return the `sum`, `mean`, `min`, `max` or `median` of a column, missing values left out, with its source.

    The sum of nothing is 0, anything else of nothing is nan.
    """
    values = frame[name].to_numpy(dtype=np.float64)
    values = values[~np.isnan(values)]
    value = float(_AGGREGATES[how](values)) if len(values) or how == "sum" else float("nan")
    return sourced(value, _aggregate(how, frame, name)) if _is_one(frame) else value


def _is_one(frame: pd.DataFrame) -> bool:
    """Return whether rows are of one table with a name."""
    return table_of(frame) not in ("", _GATHERED)


def total(frame: pd.DataFrame, name: str) -> Any:
    """Return the sum of a column, with its source."""
    return aggregate(frame, name, "sum")


def _of(frame: pd.DataFrame, label: Hashable, name: str, value: Any) -> Any:
    return sourced(value, address(frame, label, name)) if table_of(frame) else value


def address(frame: pd.DataFrame | pd.Series, label: Hashable, name: str) -> str:
    """Return where a value stands: table, row and column. frame : with a name."""
    table = table_of(frame)
    return f"{label if table == _GATHERED else f'{table}:{label}'}:{_column(name)}"


def _column(name: str) -> str:
    """Return the name of a column without signs that mean something else in a source."""
    return quote(name, safe="").replace("-", "%2D").replace("~", "%7E")


def _aggregate(how: str, frame: pd.DataFrame, name: str) -> str:
    return f"{how}({table_of(frame)}:{spans_of(frame.index)}:{_column(name)})"


def spans_of(rows: Iterable[Any]) -> str:
    """Return row numbers as `0-3,7`.

    >>> spans_of([7, 0, 1, 2, 3])
    '0-3,7'
    """
    numbers = np.unique(np.asarray(list(rows), dtype=np.int64))
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1) if len(numbers) else []
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


# -- texts that carry their sources ---------------------------------------------------------------------


def marked(text: str, values: Iterable[Any], rounding: str) -> str:
    """Return a text that carries, invisibly, what it words and how: the sources of `values`, `|` and the rounding."""
    return f"{_START}{','.join(_term(value) for value in values)}|{rounding}{_MIDDLE}{text}{_END}"


def quoted(frame: pd.DataFrame, label: Hashable, name: str) -> str:
    """Return a text that stands in a table, which carries where."""
    text = str(frame.at[label, name])
    return f"{_START}{address(frame, label, name)}|text{_MIDDLE}{plain(text)}{_END}" if table_of(frame) else text


def texts(frame: pd.DataFrame, name: str) -> list[str]:
    """Return the texts of a column, each of which carries where it stands."""
    return [quoted(frame, label, name) for label in frame.index]


def plain(text: str) -> str:
    """Return a text without what it carries: for pictures, files and terminals."""
    if _START not in text and _END not in text and _MIDDLE not in text:
        return text
    return MARK.sub(r"\2", text).replace(_START, "").replace(_MIDDLE, "").replace(_END, "")


def cited(text: str) -> list[str]:
    """Return the sources that a text carries, in order, each with its rounding."""
    return [found[1] for found in MARK.finditer(text)]


def pieces(text: str) -> list[tuple[str, str]]:
    """Return a text in pieces with what each carries: (source and rounding, or nothing; the words)."""
    found, at = [], 0
    for mark in MARK.finditer(text):
        if mark.start() > at:
            found.append(("", plain(text[at : mark.start()])))
        found.append((mark[1], mark[2]))
        at = mark.end()
    if at < len(text):
        found.append(("", plain(text[at:])))
    return found


def shortened(text: str, most: int) -> str:
    """Return a text of at most `most` visible characters, the last an ellipsis; what is cut into carries nothing."""
    if len(plain(text)) <= most:
        return text
    out, left = "", most - 1
    for source, words in pieces(text):
        whole = f"{_START}{source}{_MIDDLE}{words}{_END}" if source else words
        out += whole if len(words) <= left else words[:left].rstrip()
        left -= len(words)
        if left <= 0:
            break
    return f"{out}…"


def capitalised(text: str) -> str:
    """Return a text with its first visible letter as a capital."""
    mark = MARK.match(text)
    if mark and mark[2]:
        return f"{_START}{mark[1]}{_MIDDLE}{mark[2][0].upper()}{text[mark.start(2) + 1 :]}"
    return text[:1].upper() + text[1:]


# -- from a source back to the number -------------------------------------------------------------------


def split(source: str) -> tuple[list[str], str]:
    """Return the expressions and the rounding that a text carries.

    >>> split("bookings:17:q10,bookings:17:q90|money_range;currency=EUR")
    (['bookings:17:q10', 'bookings:17:q90'], 'money_range;currency=EUR')
    """
    expressions, _, rounding = source.rpartition("|")
    parts, depth, begin = [], 0, 0
    for place, sign in enumerate(expressions):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and not depth:
            parts.append(expressions[begin:place])
            begin = place + 1
    return [*parts, expressions[begin:]], rounding


def evaluate(source: str, read: Callable[[str], pd.DataFrame]) -> Any:
    """Return the value of a source: of a cell whatever stands there, of an expression over cells a number.

    read : gives a table by its name. Raises KeyError, IndexError or ValueError where the source names what is not
    there or is none.
    """
    whole = CELL.fullmatch(source)
    if whole:
        return _cells(whole, read).iloc[0]
    found: list[pd.Series] = []

    def place(match: re.Match[str]) -> str:
        found.append(_cells(match, read))
        return f"c{len(found) - 1}"

    try:
        tree = ast.parse(_CELLS.sub(place, source), mode="eval")
    except SyntaxError:
        raise ValueError(f"{source!r} is no source of a number") from None
    return _value(tree.body, found)


def _cells(match: re.Match[str], read: Callable[[str], pd.DataFrame]) -> pd.Series:
    """Return the cells of a column in some rows."""
    rows: list[int] = []
    for span in match[2].split(",") if match[2] else []:
        first, _, last = span.partition("-")
        rows.extend(range(int(first), int(last or first) + 1))
    return read(match[1])[unquote(match[3])].iloc[rows]


def _value(node: ast.expr, found: list[pd.Series]) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return node.value
    if isinstance(node, ast.Name) and node.id in ("nan", "inf"):  # a number that is not known was put beside one
        return float(node.id)
    if isinstance(node, ast.Name):
        return float(found[int(node.id[1:])].iloc[0])
    if isinstance(node, ast.UnaryOp):
        return float(_OPERATORS[type(node.op)](_value(node.operand, found)))
    if isinstance(node, ast.BinOp):
        return float(_OPERATORS[type(node.op)](_value(node.left, found), _value(node.right, found)))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and isinstance(node.args[0], ast.Name):
        cells = found[int(node.args[0].id[1:])]
        if node.func.id == "count":
            return len(cells)
        values = cells.to_numpy(dtype=np.float64)
        return float(_AGGREGATES[node.func.id](values[~np.isnan(values)]))
    raise ValueError(f"{ast.dump(node)} is no part of a source")
