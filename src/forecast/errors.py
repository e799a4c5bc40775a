"""The exceptions a user meets: each says what is wrong, where, and the mend.

Every one carries the exit code the command line ends with: 1 the data or a parameter is wrong,
3 a notebook failed, 4 the machine (disk, lock, database). Anything else that escapes is our defect.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

_ROWS_SHOWN = 5


class ForecastError(Exception):
    """Anything the user can mend; `str()` of it is the whole message, without a traceback."""

    exit_code = 1


class DataError(ForecastError):
    """The data is wrong: what, in which table and column, in which first rows, and how to mend it.

    `rows` are the numbers or keys by which a user finds the rows in the file (file line numbers where known).
    """

    def __init__(
        self,
        what: str,
        *,
        table: str | None = None,
        column: str | None = None,
        rows: Sequence[object] = (),
        count: int | None = None,
        mend: str | None = None,
    ) -> None:
        self.what, self.table, self.column, self.mend = what, table, column, mend
        self.rows = list(rows)
        self.count = len(self.rows) if count is None else count
        super().__init__(self._message())

    def _message(self) -> str:
        where = self.table or ""
        if self.column:
            where = f"{where}.{self.column}" if where else self.column
        text = f"{where}: {self.what}" if where else self.what
        if self.rows:
            shown = ", ".join(str(row) for row in self.rows[:_ROWS_SHOWN])
            more = self.count - min(len(self.rows), _ROWS_SHOWN)
            text += f"\n  rows: {shown}" + (f" and {more:,} more" if more > 0 else "")
        if self.mend:
            text += f"\n  mend: {self.mend}"
        return text


class ParameterError(ForecastError):
    """A parameter, option or name is unknown, ill-typed or out of range."""


class NotebookError(ForecastError):
    """A notebook failed while running; names it, its cell, and where the partial page was kept."""

    exit_code = 3

    def __init__(self, what: str, *, notebook: str, cell: int | None = None, partial: str | None = None) -> None:
        self.notebook, self.cell, self.partial = notebook, cell, partial
        where = f"{notebook}, cell {cell}" if cell is not None else notebook
        text = f"{where}: {what}"
        if partial:
            text += f"\n  the page as far as it came: {partial}"
        super().__init__(text)


class MachineError(ForecastError):
    """The machine would not: disk, lock, database, a missing program."""

    exit_code = 4


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a half-sentence naming the known name closest to `name`, or all of them where none is close."""
    names = sorted(known)
    match = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if match:
        return f"did you mean {match[0]!r}?"
    return "known: " + ", ".join(names) if names else "none is known"
