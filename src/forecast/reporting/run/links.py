"""What a page of a month leads to: its words to the glossary, its tables to their files.

Both are done on the finished HTML, so that no notebook needs to know of them. A word is marked where the page first
uses it in its text; its sentence shows when it is pointed at or stepped to, is read out with it, and stays off paper.
Only a table whose file is there becomes a link.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Sequence

from forecast.reporting.pages.glossary import BY_SPELLING, USES, spelling
from forecast.sources import VIEW

GLOSSARY = "glossary.html"
"""The glossary's page in the folder of a month."""

_TOKEN = re.compile(r"""<!--.*?-->|<(?:"[^"]*"|'[^']*'|[^'">])*>|[^<]+""", re.DOTALL)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_TABLE = re.compile(r'<span data-file="([a-z][a-z0-9_-]*)">[^<]*</span>')
_HIDDEN = re.compile(r'<p class="source file" hidden>(?=[^<]*<a )')
_NOT_PROSE = frozenset(
    "a button caption code dfn dl figcaption footer h1 h2 h3 h4 h5 h6 head header nav pre script style "  # noqa: SIM905
    "summary svg table".split()
)


def with_tables(page: str, tables: Collection[str], *, page_name: str, up: str) -> str:
    """Return a page on which every table of the month that it names is a link to its file.

    tables : names of the tables whose CSV is there. page_name : how the names of the page's own tables begin there.
    up : how the month's folder is reached from the page.
    """

    def link(found: re.Match[str]) -> str:
        name = found[1]
        if name.startswith(VIEW):
            name = f"{page_name}_{name.removeprefix(VIEW)}"
        return f'<a href="{up}tables/{name}.csv">{name}.csv</a>' if name in tables else f"{name}.csv"

    return _HIDDEN.sub('<p class="source file">', _TABLE.sub(link, page))


def with_terms(page: str, glossary: str) -> str:
    """Return a page on which the first use of each term is marked and explained; glossary : where its page is.

    What stands in the open comes first: within what is folded away only terms are marked that the rest does not use.
    """
    marked: set[str] = set()
    for skip in (_NOT_PROSE | {"details"}, _NOT_PROSE):
        tokens = _TOKEN.findall(page)
        for place in _prose(tokens, skip):
            tokens[place] = _explained(tokens[place], marked, glossary)
        page = "".join(tokens)
    return page


def _prose(tokens: Sequence[str], skip: Collection[str]) -> list[int]:
    """Return which tokens are text outside of the elements named in `skip`."""
    places, inside, depth = [], "", 0
    for place, token in enumerate(tokens):
        tag = _TAG.match(token)
        if tag is None:
            if not depth and not token.startswith("<"):
                places.append(place)
        elif tag[2].lower() == inside if depth else tag[2].lower() in skip:
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
        meaning = html.escape(term.sentence.replace("`", ""))
        return f'<dfn><a href="{glossary}#{term.anchor}" aria-description="{meaning}">{found[0]}</a></dfn>'

    return USES.sub(explain, text)
