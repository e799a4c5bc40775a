"""Reads the pages of a month as a reader does, and finds numbers that lead nowhere or differ from their cell.

    faults = number_faults(folder)          # of `<out>/<as_of>`; empty where all is right

A number is any text with a digit. It leads to a cell where the element it stands in has `data-src`; then the cell,
worded as `data-src` says, is the text. What needs no cell is listed in `ALLOWED` with the reason.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd

import forecast
from forecast import sources, wording
from forecast.reporting.pages import differences  # noqa: F401  (adds to `wording.rounded`)

MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
SHORT = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
ALLOWED = {
    "a date": rf"\b\d{{1,2}} {MONTH}(?: \d{{4}})?|\b{MONTH} \d{{4}}|\b\d{{4}}-\d\d(?:-\d\d)?\b|\b{SHORT} \d\d\b",
    "a quarter or a fiscal year": r"\bFY ?\d\d(?:\d\d)?(?: ?Q[1-4])?\b|\bQ[1-4]\b",
    "the level that a range or an interval is made for": r"\b(?:80|95) ?% (?=range|interval)|\((?:80|95) ?%\)",
    "the page of a month, or a file of its tables, by its name": r"\b(?:page)?[01][0-9]_[a-z_]+",
    "a name of a redacted copy": r"\b(?:deal|account|owner|team|lead|reason|text)-[0-9a-f]{8,}\b",
    "the months within which a win counts, a parameter": r"\bwithin \d+ months?\b",
    "how often chance may give as much for a check of planning to count, a constant": r"^up to [\d.]+ of 100$",
    "what is so by definition": r"50 % is chance|in 95 % of cases|5 of 100 or fewer",
}
"""What is written with digits and is no figure, by the reason; read after thin spaces have become spaces."""

CUT_TO = (16, 22, 28, 60)
"""To how many characters, the ellipsis with them, pages cut a name that is too long for its place."""

_ALLOWED = re.compile("|".join(f"(?:{pattern})" for pattern in ALLOWED.values()), re.IGNORECASE)
_DIGIT = re.compile(r"\d")
_SKIPPED = {"script", "style", "code", "pre", "head", "time"}
_EMPTY = {"br", "img", "meta", "link", "input", "hr", "path", "use", "rect", "circle", "line", "col"}


@dataclass
class Element:
    """An element of a page: its tag, attributes, and what is in it in order."""

    tag: str
    attributes: dict[str, str]
    inside: list[Element | str] = field(default_factory=list)

    def text(self) -> str:
        """Return all text in it."""
        return "".join(part if isinstance(part, str) else part.text() for part in self.inside)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.top = Element(tag="top", attributes={})
        self.path = [self.top]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag=tag, attributes={name: value or "" for name, value in attrs})
        self.path[-1].inside.append(element)
        if tag not in _EMPTY:
            self.path.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.path[-1].inside.append(Element(tag=tag, attributes={name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if any(element.tag == tag for element in self.path):
            while self.path.pop().tag != tag:
                pass

    def handle_data(self, data: str) -> None:
        self.path[-1].inside.append(data)


def number_faults(month: Path, *, names: frozenset[str] = frozenset()) -> list[str]:
    """Return every number of a month's pages that leads nowhere or differs from its cell: page, where, what.

    month : a folder with index.html, analysis/, notebooks/ and tables/. names : of the company, its segments,
    owners and deals, which may hold digits.
    """
    faults = []
    for file in sorted([*month.glob("index.html"), *(month / "analysis").glob("*.html")]):
        static = _static(month / "notebooks" / f"{_notebook(file)}.ipynb")
        faults += [f"{file.name}: {fault}" for fault in page_faults(file, month / "tables", names=names, static=static)]
    return faults


def page_faults(file: Path, tables: Path, *, names: frozenset[str] = frozenset(), static: str = "") -> list[str]:
    """Return the faults of one page; static : text of the notebook that is the same in every month."""

    @cache
    def read(name: str) -> pd.DataFrame:
        return pd.read_parquet(tables / f"{name}.parquet")

    return _faults(file, read, names=names, static=static)


def _faults(file: Path, read: Callable[[str], pd.DataFrame], *, names: frozenset[str], static: str = "") -> list[str]:
    reader = _Reader()
    reader.feed(file.read_text(encoding="utf-8"))
    name = _any_of(names)
    found = []
    for element, text in _texts(reader.top):
        cited = element.attributes.get("data-src", "")
        rest, wrong = _without_cited(_even(text), cited, read)
        found += wrong
        if _DIGIT.search(_ALLOWED.sub("", name.sub("", rest))) and _even(text) not in static:
            found.append(
                f"no source: <{element.tag} {element.attributes.get('class', '')}> {_even(text)[:110]!r}: {rest[:60]!r}"
            )
    return found


@cache
def _any_of(names: frozenset[str]) -> re.Pattern[str]:
    """Return what finds a name with a digit as pages show it: whole, or its beginning with an ellipsis; longest first.

    A cut name is what `wording.label` makes of a whole one: no other figure, and none that stands beside it, is in it.
    """
    shown = {_even(wording.clean(name)) for name in names}
    shown |= {_even(wording.label(name, most=most)) for name in names if len(name) > CUT_TO[0] for most in CUT_TO}
    longest_first = sorted(filter(_DIGIT.search, shown), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def index_faults(out: Path, *, names: frozenset[str] = frozenset()) -> list[str]:
    """Return the faults of the index of months: its numbers lead to the tables of the months it lists.

    out : the folder of reports. A table there is `2026-10-31/bookings`, the sentence of a month that of its headline.
    """

    @cache
    def read(name: str) -> pd.DataFrame:
        day, _, table = name.partition("/")
        file = out / day / "tables" / table
        if table == "headline":
            return pd.DataFrame([json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))])
        return pd.read_parquet(file.with_suffix(".parquet"))

    return _faults(out / "index.html", read, names=names)


def _texts(element: Element, *, axis: bool = False) -> Iterator[tuple[Element, str]]:
    """Yield each text of a page with the element that says where it comes from: the nearest that does, or its own."""
    if element.tag in _SKIPPED or "parameters" in element.attributes.get("class", "").split():
        return
    axis = axis or "axis" in element.attributes.get("class", "").split()
    if "data-say" in element.attributes:
        tips = json.loads(element.attributes["data-say"])
        if "narrow" not in element.attributes.get("class", ""):
            yield element, " ".join(tip[2] for tip in tips)
    elif "data-src" in element.attributes:
        yield element, element.text()
        return
    for part in element.inside:
        if isinstance(part, Element):
            yield from _texts(part, axis=axis)
        elif _DIGIT.search(part) and not axis:
            yield element, part


def _without_cited(text: str, cited: str, read) -> tuple[str, list[str]]:
    """Return what is left of a text without its numbers that have a cell, and what differs from its cell."""
    rest, wrong, at = "", [], 0
    for source in cited.split(" ") if cited else []:
        expressions, rounding = sources.split(source)
        try:
            values = [sources.evaluate(expression, read) for expression in expressions]
            words = _even(wording.rounded([_number(value) for value in values], rounding))
        except (KeyError, IndexError, ValueError, OSError) as error:
            wrong.append(f"leads nowhere: {source} ({type(error).__name__}: {error}): {text[:80]!r}")
            continue
        place = _place(text.lower(), words.lower(), at)
        if rounding == "text" and place < 0 and text in words:
            return rest, wrong
        if place < 0:
            wrong.append(f"differs: {source} is {words!r}, the page says {text[at : at + 80]!r}")
            continue
        rest += text[at:place] + " "
        at = place + len(words)
    return rest + text[at:], wrong


def _place(text: str, words: str, at: int) -> int:
    """Return where words stand first from a place on; rather by themselves than in what needs no cell."""
    allowed = [found.span() for found in _ALLOWED.finditer(text)]
    first = place = text.find(words, at)
    while place >= 0 and any(start <= place and place + len(words) <= end for start, end in allowed):
        place = text.find(words, place + 1)
    return first if place < 0 else place


def _number(value: object) -> object:
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return value.item() if hasattr(value, "item") else value


def _even(text: str) -> str:
    return re.sub(r"[\s\u202f\u00a0]+", " ", html.unescape(text)).strip()


def _notebook(file: Path) -> str:
    return "07_leadership_brief" if file.name == "index.html" else file.stem


def _static(notebook: Path) -> str:
    """Return the text of a notebook's own paragraphs."""
    if not notebook.is_file():
        return ""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    text = " ".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return _even(re.sub(r"[*_`#]", "", text))


def names_in(data: Path) -> frozenset[str]:
    """Return every name of a company's data: its own, of segments, owners, deals, stages, which may hold digits."""
    log = forecast.read(data)
    found: set[str] = {log.company.name}
    for frame in log.tables.values():
        for column in frame.columns:
            if pd.api.types.is_string_dtype(frame[column].dtype):
                found.update(map(str, frame[column].dropna().unique()))
    return frozenset(name for name in found if re.search("[A-Za-z]", name))
