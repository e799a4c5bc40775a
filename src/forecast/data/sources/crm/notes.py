"""An import's notes as they are printed: what is true of several columns is said once."""

from __future__ import annotations

import re

_SAME_FOR_MANY = re.compile(r"(?P<column>.+?): (?P<what>times without an offset .+)")


def gathered(notes: list[str]) -> list[str]:
    """Return the notes, those that differ in the column alone as one, at the place of the first.

    Example: gathered(["a.csv.Opened: times without an offset are read in UTC", "a.csv.Closed: times without an offset
    are read in UTC"]) == ["a.csv.Opened, Closed: times without an offset are read in UTC"]
    """
    columns: dict[str, list[str]] = {}
    for note in notes:
        found = _SAME_FOR_MANY.fullmatch(note)
        columns.setdefault(found["what"] if found else note, []).append(found["column"] if found else "")
    return [f"{_listed(names)}: {what}" if any(names) else what for what, names in columns.items()]


def _listed(columns: list[str]) -> str:
    """Return the names of columns, that of their file once."""
    columns = list(dict.fromkeys(columns))
    file = columns[0].rpartition(".")[0] + "."
    return ", ".join([columns[0], *(name.removeprefix(file) for name in columns[1:])])
