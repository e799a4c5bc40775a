"""The exceptions a user meets: each says what is wrong, where, and the mend.

Every one carries the exit code the command line ends with: 1 the data or a parameter is wrong,
3 a notebook failed, 4 the machine (disk, lock, database). Anything else that escapes is our defect.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

Severity = Literal["fatal", "warning", "info", "absent"]
SEVERITIES: tuple[Severity, ...] = ("fatal", "warning", "info", "absent")
"""The gravest first: nothing is forecast from the data; the forecast would be another; it would not; a table is
not there, which takes a page its subject and the forecast nothing."""

RANKS: Mapping[Severity, str] = MappingProxyType(
    {"fatal": "fatal", "warning": "changes the answer", "info": "cosmetic", "absent": "absent"}
)
"""What each is called wherever a reader meets it: in the text and the JSON of `forecast check`, and on page 01."""

ROWS_LISTED = 5
"""So many rows of a problem are named; the rest are counted."""
_PROBLEMS_LISTED = 3
_QUOTED, _ROW, _TEXT, _COMPARED, _NAMES_LISTED, _LETTERS_LISTED = 60, 300, 3000, 200, 20, 300


TRANSIENT: Mapping[str, str] = MappingProxyType(
    {
        "database": "a database that is gone",
        "kernel": "a kernel that died",
        "changed": "data or code that were replaced meanwhile",
    }
)
"""What may pass by itself, so that the same command may find it gone: the one list of what `--retries` tries again."""


class ForecastError(Exception):
    """Anything the user can mend; `str()` of it is the whole message, without a traceback.

    `transient` is a key of `TRANSIENT` where another try may help, else empty.
    """

    exit_code = 1
    transient: str = ""

    def __reduce__(self) -> tuple[object, ...]:
        """Let an error pass from one process to another as it is, whatever it was made from."""
        return _as_it_was, (type(self), self.args, dict(self.__dict__))


def _as_it_was(kind: type[ForecastError], args: tuple[object, ...], facts: Mapping[str, object]) -> ForecastError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(facts)
    return error


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing about the data that a user must know: what is wrong, where, and how to mend it.

    Reading finds problems, the audit finds problems, `forecast check` lists both, a log carries those that are not
    fatal as its notes, and a `DataError` is one that cannot be lived with. `str()` of it is the text a user reads.

    table, column : where; empty where it is not one table's or column's.
    rows : the first few of `count`, as a user finds them: the file's line, or the key.
    evidence : the numbers it rests on, where it was measured.
    """

    what: str
    table: str = ""
    column: str = ""
    rows: tuple[str, ...] = ()
    count: int = 0
    mend: str = ""
    severity: Severity = "fatal"
    evidence: str = ""

    def __post_init__(self) -> None:
        """Cut what quotes a cell of megabytes: a message is read, and the place tells the cell."""
        object.__setattr__(self, "rows", tuple(_cut(str(row), _ROW) for row in self.rows))
        for name in ("what", "table", "column", "mend", "evidence"):
            object.__setattr__(self, name, _cut(getattr(self, name), _TEXT))

    @property
    def rank(self) -> str:
        """The severity as a reader meets it: fatal, changes the answer, cosmetic, absent."""
        return RANKS[self.severity]

    def at(self, rows: Iterable[object]) -> Problem:
        """Return the problem with its rows: the first few are named, all are counted."""
        names = list(rows)
        return replace(self, rows=tuple(shortened(str(row)) for row in names[:ROWS_LISTED]), count=len(names))

    def __str__(self) -> str:
        where = ".".join(part for part in (self.table, self.column) if part)
        what = "; ".join(part for part in (self.what, self.evidence) if part)
        text = f"{where}: {what}" if where else what
        if self.rows:
            listed = self.rows[:ROWS_LISTED]
            more = self.count - len(listed)
            text += f"\n  rows: {', '.join(listed)}" + (f" and {more:,} more" if more > 0 else "")
        return f"{text}\n  mend: {self.mend}" if self.mend else text


class DataError(ForecastError):
    """The data is wrong: what, in which table and column, in which first rows, and how to mend it.

    `rows` are the numbers or keys by which a user finds the rows in the file (file line numbers where known), `count`
    how many there are in all. `problem` holds the same as a record.
    """

    def __init__(
        self,
        what: str,
        *,
        table: str = "",
        column: str = "",
        rows: Sequence[object] = (),
        count: int | None = None,
        mend: str = "",
    ) -> None:
        names = tuple(str(row) for row in rows)
        count = len(names) if count is None else count
        self.problem = Problem(what=what, table=table, column=column, rows=names, count=count, mend=mend)
        super().__init__(str(self.problem))

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> DataError:
        """Return the error of several problems: three are listed in full, the rest as a number."""
        first = problems[0]
        error = cls(
            first.what, table=first.table, column=first.column, rows=first.rows, count=first.count, mend=first.mend
        )
        text = "\n".join(str(problem) for problem in problems[:_PROBLEMS_LISTED])
        left = len(problems) - _PROBLEMS_LISTED
        error.args = (f"{text}\nand {left:,} more; `forecast check` lists them all" if left > 0 else text,)
        return error


class ParameterError(ForecastError):
    """A parameter, option or name is unknown, ill-typed or out of range."""


class ModelError(ForecastError):
    """A model of the user's own failed, or what it returned is no forecast: which model, as of which day, the mend."""

    def __init__(self, what: str, *, model: str, origin: str = "", mend: str = "") -> None:
        self.model, self.origin = model, origin
        text = f"{model} at {origin}: {what}" if origin else f"{model}: {what}"
        super().__init__(f"{text}\n  mend: {mend}" if mend else text)


class NotebookError(ForecastError):
    """A notebook failed while running; names it, its cell, and where the page as far as it came was written."""

    exit_code = 3

    def __init__(
        self,
        what: str,
        *,
        notebook: str,
        cell: int | None = None,
        partial: str | None = None,
        transient: str = "",
    ) -> None:
        self.transient = transient
        self.notebook, self.cell, self.partial = notebook, cell, partial
        where = f"{notebook}, cell {cell}" if cell is not None else notebook
        text = f"{where}: {what}"
        if partial:
            text += f"\n  the page as far as it came: {partial}"
        super().__init__(text)


class MachineError(ForecastError):
    """The machine would not: disk, lock, database, a missing program."""

    exit_code = 4

    def __init__(self, what: str = "", *, transient: str = "") -> None:
        self.transient = transient
        super().__init__(what)


def expect(given: object, kind: type, *, call: str, mend: str) -> None:
    """Raise ParameterError where a function was given something else than what it works on, with the call to make.

    >>> expect("data/sample", dict, call="snapshot", mend="forecast.read(...)")
    Traceback (most recent call last):
    forecast.errors.ParameterError: snapshot takes a dict, not a str; give forecast.read(...)
    """
    if not isinstance(given, kind):
        raise ParameterError(f"{call} takes a {kind.__name__}, not a {type(given).__name__}; give {mend}")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def shortened(text: str) -> str:
    """Return a text from the data as a message quotes it: of one longer than 60 characters the beginning.

    A cell may hold megabytes; its beginning is enough to find it by.
    """
    return _cut(text, _QUOTED)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `did you mean 'x'?` with the known name closest to `name`; empty where none is close."""
    if len(name) > _COMPARED:  # comparing takes time with the square of the length
        return ""
    known = [each for each in known if len(each) <= _COMPARED]
    match = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return f"did you mean {match[0]!r}?" if match else ""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a half-sentence naming the known name closest to `name`, or all of them where none is close."""
    names = sorted(known)
    return did_you_mean(name, names) or (_listed(names) if names else "none is known")


def _listed(names: Sequence[str]) -> str:
    """Return the first names, as many as a reader takes in: 20, or fewer where they are long."""
    shown: list[str] = []
    for name in map(shortened, names[:_NAMES_LISTED]):
        if shown and sum(map(len, shown)) + len(name) > _LETTERS_LISTED:
            break
        shown.append(name)
    more = f" and {len(names) - len(shown):,} more" if len(names) > len(shown) else ""
    return "known: " + ", ".join(shown) + more
