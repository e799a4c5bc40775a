"""What a page of a month leads to: its words to the glossary, its tables to their files.

Both are done on the finished HTML, so that no notebook needs to know of them. A word is marked where the page first
uses it in its text; its sentence shows when it is pointed at or stepped to, is read out with it, and stays off paper.
Only a table whose file is there becomes a link.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from forecast.reporting.charts.figure import render
from forecast.reporting.pages.glossary import BY_SPELLING, USES, spelling
from forecast.sources import VIEW

GLOSSARY = "glossary.html"
"""The glossary's page in the folder of a month."""

_TOKEN = re.compile(r"""<!--.*?-->|<(?:"[^"]*"|'[^']*'|[^'">])*>|[^<]+""", re.DOTALL)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_TABLE = re.compile(r'<span data-file="([a-z][a-z0-9_-]*)">[^<]*</span>')
_HIDDEN = re.compile(r'<p class="source file" hidden>(?=[^<]*<a )')
_NO_PROSE = "a|button|caption|code|dfn|dl|figcaption|footer|h[1-6]|head|header|nav|pre|script|style|summary|svg|table"
_SKIPPED = re.compile(_NO_PROSE), re.compile(f"details|{_NO_PROSE}")
"""Elements whose text is no prose; and these with what is folded away."""


def with_tables(page: str, tables: Collection[str], *, page_name: str, up: str) -> str:
    """Return a page on which every table of the month that it names is a link to its file.

    tables : names of the tables whose CSV is there. page_name : how the names of the page's own tables begin there.
    up : how the month's folder is reached from the page.
    """

    def link(found: re.Match[str]) -> str:
        name = found[1]
        if name.startswith(VIEW):
            name = f"{page_name}_{name.removeprefix(VIEW)}"
        return render("file_link", f"{up}tables/{name}.csv", name) if name in tables else f"{name}.csv"

    return _HIDDEN.sub('<p class="source file">', _TABLE.sub(link, page))


def with_terms(page: str, glossary: str) -> str:
    """Return a page on which the first use of each term is marked and explained; glossary : where its page is.

    What stands in the open comes first: within what is folded away only terms are marked that the rest does not use.
    """
    marked: set[str] = set()
    for skip in reversed(_SKIPPED):
        tokens = _TOKEN.findall(page)
        for place in _prose(tokens, skip):
            tokens[place] = _explained(tokens[place], marked, glossary)
        page = "".join(tokens)
    return page


def _prose(tokens: Sequence[str], skip: re.Pattern[str]) -> list[int]:
    """Return which tokens are text outside of the elements whose names match `skip`."""
    places, inside, depth = [], "", 0
    for place, token in enumerate(tokens):
        tag = _TAG.match(token)
        if tag is None:
            if not depth and not token.startswith("<"):
                places.append(place)
        elif tag[2].lower() == inside if depth else skip.fullmatch(tag[2].lower()):
            inside = tag[2].lower()
            depth += -1 if tag[1] else 1
    return places


def _explained(text: str, marked: set[str], glossary: str) -> str:
    """Return a text with the terms in it explained that are not `marked` yet; adds them to it."""

    def explain(found: re.Match[str]) -> str:
        term = BY_SPELLING[spelling(found[0])]
        if term.word in marked:
            return found[0]
        marked.add(term.word)
        return render("term", f"{glossary}#{term.anchor}", term.sentence.replace("`", ""), found[0])

    return USES.sub(explain, text)
