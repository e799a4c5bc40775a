"""Which row of a file names the columns of a table of ours, and which of our columns a name in another spelling is.

Simple case: the first row, in our spelling. Complications: titles above it ("Opportunities 2026", an empty row), and
names as people write them: `Opportunity ID`, `CREATED_ON`, ` created on `.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from forecast.data.schema import TABLES, Column, Table

_KNOWN_AT_LEAST = 3
_SHOWN = 4


def letters(name: str) -> str:
    """Return a name as it is compared: small letters and digits alone.

    >>> letters(" Created On ")
    'createdon'
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


class TitlesAbove:
    """Says which of the first rows names the columns of a table (a `Header`); `rows` is then how many stand above it.

    A later row than the first counts only where it knows more of the names than any before, and three at least.
    """

    def __init__(self, table: Table) -> None:
        self._known = {letters(column.name) for column in _columns(table)}
        self.rows = 0

    def __call__(self, rows: Sequence[Sequence[str]]) -> int:
        """Return the place of the row of names."""
        counts = [len({letters(cell or "") for cell in row} & self._known) for row in rows]
        best = counts.index(max(counts)) if counts else 0
        self.rows = best if counts and counts[best] >= _KNOWN_AT_LEAST else 0
        return self.rows

    def note(self, file: str) -> tuple[str, ...]:
        """Return what is said of rows that were left out."""
        if not self.rows:
            return ()
        return (f"{file}: {self.rows} row{'s' * (self.rows > 1)} above the names of the columns left out",)


def in_our_spelling(names: Sequence[str], table: Table) -> dict[str, str]:
    """Return the names that are ours in another spelling -> ours; a name of which there are two stays.

    >>> in_our_spelling(["Opportunity ID", "amount", "Amount "], TABLES["opportunities"])
    {'Opportunity ID': 'opportunity_id'}
    """
    there: dict[str, list[str]] = {}
    for name in names:
        there.setdefault(letters(name), []).append(name)
    found = {}
    for column in _columns(table):
        spelt = there.get(letters(column.name), [])
        if column.name not in names and len(spelt) == 1:
            found[spelt[0]] = column.name
    return found


def spelling_note(file: str, renamed: dict[str, str]) -> tuple[str, ...]:
    """Return what is said of columns that were taken by another spelling."""
    if not renamed:
        return ()
    shown = ", ".join(f"{theirs!r} is {ours}" for theirs, ours in list(renamed.items())[:_SHOWN])
    more = f" and {len(renamed) - _SHOWN:,} more" if len(renamed) > _SHOWN else ""
    return (f"{file}: names of columns are read without case, blanks and signs: {shown}{more}",)


def has_key(names: Sequence[str], table: Table) -> bool:
    """Return whether a sheet or file has what tells the rows of a table apart, in any spelling."""
    there = {letters(name) for name in names}
    return {letters(column.name) for column in table.columns if column.name in table.key and column.required} <= there


def _columns(table: Table) -> tuple[Column, ...]:
    if table.name == "opportunity_history":
        return (*table.columns, *TABLES["opportunities"].columns)
    return table.columns
