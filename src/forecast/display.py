"""What a record shows of itself in a notebook or a terminal: ten lines at most, as text and as HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from textwrap import shorten, wrap

LINES, WIDTH = 10, 100
_STYLE = "border-collapse:collapse;text-align:left"
_CELL = "padding:2px 12px 2px 0;vertical-align:top;text-align:left"


class Told:
    """A record that shows itself by a few facts: `_told` gives its title and what there is to say, by subject."""

    def _told(self) -> tuple[str, Mapping[str, str]]:
        raise NotImplementedError

    def __repr__(self) -> str:
        return as_text(*self._told())

    def _repr_html_(self) -> str:
        return as_html(*self._told())


def as_text(title: str, facts: Mapping[str, str]) -> str:
    """Return a title and facts as text: at most ten lines of 100 characters; what is empty is left out.

    >>> print(as_text("Log of Tiny", {"opportunities": "8", "missing": "", "until": "2026-03-31"}))
    Log of Tiny
      opportunities  8
      until          2026-03-31
    """
    told = {name: " ".join(text.split()) for name, text in facts.items() if text}
    wide = max(map(len, told), default=0)
    lines = [shorten(title, WIDTH, placeholder="…")]
    for left, (name, text) in zip(range(len(told) - 1, -1, -1), told.items(), strict=True):
        room = max(LINES - len(lines) - left, 1)  # a line for each fact that follows
        lead = f"  {name.ljust(wide)}  "
        lines += wrap(
            text, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead), max_lines=room, placeholder=" …"
        )
    return "\n".join(lines[:LINES])


def as_html(title: str, facts: Mapping[str, str]) -> str:
    """Return the same as HTML, for a notebook; every value in it is text."""
    rows = "".join(
        f'<tr><th scope="row" style="{_CELL};font-weight:normal">{html.escape(name)}</th>'
        f'<td style="{_CELL}">{html.escape(text)}</td></tr>'
        for name, text in facts.items()
        if text
    )
    return f'<table style="{_STYLE}"><caption style="{_STYLE}">{html.escape(title)}</caption>{rows}</table>'


def counted(tables: Mapping[str, Sequence[object] | None]) -> str:
    """Return how many rows tables have, in words: `leads 39,244, plan 888`; what is not there is left out."""
    return ", ".join(f"{name} {len(rows):,}" for name, rows in tables.items() if rows is not None)


def named(names: Iterable[str], *, most: int = 6) -> str:
    """Return how many names there are, and the first of them: `12: Alps, Baltics, Benelux, …`."""
    found = list(names)
    more = ", …" if len(found) > most else ""
    return f"{len(found):,}: {', '.join(found[:most])}{more}" if found else "none"
