"""How the values of one file are read: what is known of the file, and where the reader is told what was decided.

A value is never guessed in silence. What the data decide is said in a note; what they do not is refused, with the first
rows and the option that says it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from forecast.data.checks.table import LINE
from forecast.data.codes import by_text, distinct, held_texts, rewritten
from forecast.errors import ROWS_LISTED, DataError

Order = Literal["dmy", "mdy", "iso"]
ORDERS: tuple[Order, ...] = ("dmy", "mdy", "iso")
"""Day first, month first, year first: what the option --dates takes."""

EMPTY = (
    "null",
    "nan",
    "none",
    "nil",
    "undefined",
    "n/a",
    "#n/a",
    "na",
    "(null)",
    "(blank)",
    "\\n",
    "-",
    "--",
    "—",
    "–",
)
"""Words, in small letters, that tools write into a number or a date for "nothing here"."""

_NULLS = ("null", "NULL", "Null", "NaN", "nan", "#N/A", "\\N", "(null)", "undefined")
"""Those that are no name of anything, so that they mean the same in a column of text."""

_CONNECTORS = ("_fivetran", "_airbyte", "_sdc_", "_dlt_")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One file, as far as it matters to what its values mean.

    table : the file's name. timezone : the company's. order : what --dates says, None where it was not given.
    decimal : the file's decimal sign where that is known, `.` or `,`. decimal_said : the one that a mapping says.
    frame : the file's columns as text, by which one column can bear witness for another. notes : what was decided is
    added here.
    """

    table: str
    timezone: str = "UTC"
    order: Order | None = None
    decimal: str = ""
    decimal_said: str = ""
    frame: pd.DataFrame | None = None
    notes: list[str] = field(default_factory=list)

    @cached_property
    def from_connector(self) -> bool:
        """Whether a connector wrote the file: these bring all times to UTC, and some leave the offset away."""
        names = [] if self.frame is None else [str(name).lower() for name in self.frame.columns]
        return any(name.startswith(_CONNECTORS) for name in names)

    @property
    def naive_zone(self) -> str:
        """The zone of times without an offset: the company's, or UTC in a connector's table."""
        return "UTC" if self.from_connector else self.timezone

    def say(self, column: str, text: str) -> None:
        """Add a note about a column, once."""
        note = f"{self.table}.{column}: {text}" if column else f"{self.table}: {text}"
        if note not in self.notes:
            self.notes.append(note)


def found(values: pd.Series, labels: Sequence[object] | pd.Index) -> list[str]:
    """Return how a user finds the first of the rows: the line of a text file or sheet, the row of another (from 1), and
    the value; the value alone where the rows are states put together from changes (their index has another name)."""
    first = list(labels[:ROWS_LISTED])
    if values.index.name == LINE:
        return [f"line {label} ({values[label]!r})" for label in first]
    if values.index.name is not None:
        return [repr(values[label]) for label in first]
    return [f"row {int(label) + 1} ({values[label]!r})" for label in first]


@dataclass(frozen=True, kw_only=True)
class Cells:
    """A column of text by its n distinct values, so that each is read once.

    texts : (n,) stripped. codes : for each row of `values` the place of its text, -1 where empty. empty : (n,) which
    texts are a word for "nothing here". A mask below is over the distinct values.
    """

    values: pd.Series
    column: str
    reading: Reading
    texts: pd.Series
    codes: np.ndarray
    empty: np.ndarray

    def spread(self, read: np.ndarray, missing: object) -> pd.Series:
        """Return what was read of the distinct values, for each row."""
        out = np.empty(len(read) + 1, dtype=read.dtype)
        out[:-1], out[-1] = read, missing
        return pd.Series(out[self.codes], index=self.values.index)

    def rows(self, mask: np.ndarray) -> list[str]:
        """Return how a user finds the first rows of a mask."""
        return found(self.values, self.values.index[self.spread(mask, False).to_numpy()])

    def count(self, mask: np.ndarray) -> int:
        """Return how many rows a mask has."""
        return int(self.spread(mask, False).sum())

    def say(self, text: str) -> None:
        """Add a note about the column, once."""
        self.reading.say(self.column, text)

    def refusal(self, what: str, mask: np.ndarray, *, mend: str, rows: Sequence[str] | None = None) -> DataError:
        """Return the error for the values of a mask."""
        return DataError(
            what,
            table=self.reading.table,
            column=self.column,
            rows=self.rows(mask) if rows is None else rows,
            count=self.count(mask),
            mend=mend,
        )


def cells(values: pd.Series, reading: Reading, column: str) -> Cells:
    """Return a column by its distinct values, and note how many are a word for "nothing here"."""
    if values.dtype != "str":
        values = values.where(values.isna(), values.astype("str")).astype("str")
    codes, distinct = pd.factorize(values)
    texts = pd.Series(distinct, dtype="str").str.strip()
    empty = np.asarray(texts.str.lower().isin(EMPTY) | (texts == ""))
    out = Cells(values=values, column=column, reading=reading, texts=texts, codes=codes, empty=empty)
    named = empty & np.asarray(texts != "")
    if named.any():
        shown = ", ".join(repr(text) for text in texts[named].head(ROWS_LISTED))
        out.say(f"{out.count(named):,} values are {shown}: read as empty")
    return out


def trimmed(values: pd.Series) -> pd.Series:
    """Return a column of text without blanks around its values, empty ones missing; of codes each text is looked at."""
    return rewritten(values.astype("str"), _trim)


def _trim(text: pa.Array) -> pa.Array:
    if _is_trimmed(text):
        return text
    text = pc.utf8_trim_whitespace(text)
    return pc.if_else(pc.equal(text, ""), None, text)


def _is_trimmed(text: pa.Array) -> bool:
    """Return whether no text begins or ends with a sign that may be a blank, and none is empty; by their first and last
    bytes, so that nothing is copied."""
    text = text.cast(pa.large_string())
    _, begins, signs = text.buffers()
    at = np.frombuffer(begins, dtype=np.int64)[text.offset : text.offset + len(text) + 1]
    filled = at[1:] > at[:-1]
    if np.count_nonzero(~filled) > text.null_count:
        return False
    data = np.frombuffer(signs or b"", dtype=np.uint8)
    ends = (data[at[:-1][filled]], data[at[1:][filled] - 1])
    return not any(((sign <= ord(" ")) | (sign >= 128)).any() for sign in ends)  # beyond ASCII: perhaps another blank


def without_nulls(frame: pd.DataFrame, table: str, notes: list[str]) -> pd.DataFrame:
    """Return a file's text columns with `null`, `NaN` and the like as empty: no tool means a name by them."""
    words = pa.array(_NULLS, type=pa.large_string())
    told: dict[str, int] = {}
    columns: dict[str, pd.Series] = {}
    for place, name in enumerate(frame.columns):
        values = frame.iloc[:, place]
        if values.dtype == "str" and _has_any(values, words):
            hit = np.asarray(pc.fill_null(by_text(values, lambda text: pc.is_in(text, value_set=words)), False))
            if hit.any():
                columns[str(name)] = values.mask(hit)
                told[str(name)] = int(hit.sum())
    if not told:
        return frame
    listed = ", ".join(f"{name} ({count:,})" for name, count in list(told.items())[:ROWS_LISTED])
    notes.append(f"{table}: the word null (or NaN) is read as empty in {listed}")
    return frame.assign(**columns)


def _has_any(values: pd.Series, words: pa.Array) -> bool:
    """Return whether a column may have one of some words; of codes each text is looked at, also one no row has."""
    texts = held_texts(values)
    return bool(pc.any(pc.is_in(texts, value_set=words.cast(texts.type))).as_py())


_YES = (
    *(
        "true",
        "yes",
        "y",
        "1",
        "1.0",
        "t",
        "x",
        "✓",
        "wahr",
        "ja",
        "vrai",
        "oui",
        "verdadero",
        "sí",
        "si",
        "vero",
        "sì",
    ),
    *("verdadeiro", "sim", "waar", "sant", "sann", "sandt", "prawda", "tak", "pravda", "ano", "истина", "да"),
)
_NO = (
    *("false", "no", "n", "0", "0.0", "f", "falsch", "nein", "faux", "non", "falso", "não", "nao", "onwaar", "nee"),
    *("falskt", "falsk", "usann", "usandt", "nej", "nei", "fałsz", "nie", "nepravda", "ne", "ложь", "нет", "-", "☐"),
)


def flags(values: pd.Series) -> pd.Series:
    """Return truth values: true, yes, 1 and their like are True, everything else (also missing) False."""
    codes, texts = pd.factorize(values)
    small = pd.Series(texts, dtype="str").str.strip().str.lower()
    yes = np.asarray(small.isin(_YES))
    return pd.Series(np.append(yes, False)[codes], index=values.index)


def refuse_unread_flags(frame: pd.DataFrame, names: Sequence[str], *, called: Mapping[str, str], table: str) -> None:
    """Raise DataError for flags that are neither yes nor no: every such deal would be taken as open.

    names : the columns of flags, ours. called : ours -> the file's. table : the file.
    """
    for name in (each for each in names if each in frame):
        small = pd.Series(distinct(frame[name]), dtype="str").str.strip().str.lower()
        if small.isin((*_YES, *_NO)).all():
            continue
        bad = frame.index[frame[name].notna() & ~flags(frame[name]) & ~frame[name].str.strip().str.lower().isin(_NO)]
        if len(bad):
            raise DataError(
                "is neither true nor false",
                table=table,
                column=called[name],
                rows=found(frame[name], bad),
                count=len(bad),
                mend="export it as true and false",
            )
