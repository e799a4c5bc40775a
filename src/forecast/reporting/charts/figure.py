"""What a page shows: a chart with its words and its data, a statement, a few cards, a table.

Each is HTML by `_repr_html_`, for a page and for JupyterLab. The HTML itself is in `templates/parts.html.j2`, which
escapes and cleans every value that is put into it, so that a name from a CRM is only ever text. The same chart gives
the same bytes on every run.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

import numpy as np
import pandas as pd

from forecast import sources, wording
from forecast.reporting.charts.save import save
from forecast.reporting.charts.svg import svg

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup
    from matplotlib.figure import Figure

_PERCENT = re.compile(r"(\d) %")
_AMOUNT = re.compile(r"([€£$¥₹]\d[\d.,–]*) (bn|m|k)\b|(\d) (bn|m|k) ([A-Z]{3})\b")
_TEXT = re.compile(r"(?<=>)[^<]+|^[^<]+")
_RANGE = re.compile(r"[^\s&;<>]*\d–\d[^\s&;<>]*")
_TEMPLATE = Path(__file__).parents[1] / "templates" / "parts.html.j2"
_LONGEST = 600
_LONG = 40
_MOST = 24  # rows of a chart's data on the page, where a file holds all of them
_DIGIT = re.compile(r"\d")
_FOLDED = 200
"""Most rows folded away under a table that no notebook wrote: a page must stay small."""

Format = Callable[[Any], str]


class TableColumns(TypedDict):
    """Columns of a `TableView`, by the names of its arguments: `TableView(frame, caption, **shown)`."""

    columns: Mapping[str, str]
    formats: Mapping[str, Format]


class Tooltip(NamedTuple):
    """What a mark means, shown when it is pointed at or stepped to; in pixels from the drawing's top left corner."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Plot:
    """One drawing of a chart for its template: `wide` or `narrow`, its tooltips as JSON, its picture as markup.

    cited : where the numbers of the tooltips come from, in order.
    """

    variant: str
    tooltips: str
    picture: str
    cited: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A picture with its words.

    figure : drawn for a page's column; `narrow`, where given, is the same redrawn for a phone.
    title : the finding, a sentence. subtitle : measure, unit, who, when. description : shape and key values, for those
    who cannot see it. table : the data shown; heads, formats : how its columns are called and worded, by default all
    under their own names. source : where they come from, and as of when.
    flags : (letter, what it stands for) of the events flagged in the picture; flagged : these events as a table.
    tooltips, tooltips_narrow : of either drawing; by : whether the nearest one is sought along `x`, along `y`, or in
    both.
    """

    figure: Figure
    title: str
    subtitle: str
    description: str
    table: pd.DataFrame
    source: str = ""
    narrow: Figure | None = None
    heads: Mapping[str, str] = field(default_factory=dict)
    formats: Mapping[str, Format] = field(default_factory=dict)
    tooltips: Sequence[Tooltip] = ()
    tooltips_narrow: Sequence[Tooltip] = ()
    by: str = ""
    flags: Sequence[tuple[str, str]] = ()
    flagged: TableView | None = None

    @property
    def data(self) -> TableView:
        """The data of the chart as a table for reading."""
        return TableView(
            self.table, caption=self.title, columns=self.heads, formats=self.formats, most=_MOST, brief=True
        )

    def plots(self) -> list[Plot]:
        """Return the drawings with their tooltips; without the page's script nothing of the tooltips shows."""
        pairs = [("wide", self.figure, self.tooltips), ("narrow", self.narrow, self.tooltips_narrow)]
        return [self._plot(variant, figure, tips) for variant, figure, tips in pairs if figure is not None]

    def _plot(self, variant: str, figure: Figure, tooltips: Sequence[Tooltip]) -> Plot:
        from markupsafe import Markup

        picture = svg(figure, title=self.title, description=self.description, variant=variant)
        rounded = [[round(tip.x), round(tip.y), wording.clean(tip.text)] for tip in tooltips]
        encoded = json.dumps(rounded, ensure_ascii=False, separators=(",", ":")) if rounded else ""
        cited = [source for tip in tooltips for source in sources.cited(tip.text)]
        quoted = _in_single_quotes(encoded)
        return Plot(variant=variant, tooltips=quoted, picture=Markup(picture), cited=" ".join(cited))

    def save(self, file: str | os.PathLike[str], *, dpi: int = 200) -> None:
        """Write the chart for a slide: .png, .svg or .pdf, with its title, measure and unit, and source.

        Raises ParameterError for another ending, MachineError where it cannot be written.
        """
        save(self.figure, Path(file), title=self.title, subtitle=self.subtitle, source=self.source, dpi=dpi)

    def _repr_html_(self) -> str:
        return render("chart", self)

    def __repr__(self) -> str:
        return sources.plain(f"Chart: {self.title} ({self.subtitle})")


@dataclass(frozen=True)
class Statement:
    """A sentence that answers, and what qualifies it.

    kind : finding, headline, note, abstain (cannot tell) or nothing (what would be here cannot be shown).
    """

    sentence: str
    more: str = ""
    _: KW_ONLY
    kind: str = "finding"

    def _repr_html_(self) -> str:
        if self.kind not in ("finding", "headline", "note", "abstain", "nothing"):
            raise ValueError(f"no finding of kind {self.kind!r}")
        return render("statement", self)

    def __repr__(self) -> str:
        return sources.plain(" ".join(part for part in (self.sentence, self.more) if part))


@dataclass(frozen=True)
class Notes:
    """A list of sentences under a line that says what they are; nothing at all where there are none."""

    sentences: Sequence[str]
    lead: str = ""
    _: KW_ONLY
    fold: bool = False

    def _repr_html_(self) -> str:
        return render("notes", self) if self.sentences else ""

    def __repr__(self) -> str:
        return sources.plain("\n".join([self.lead, *(f"- {sentence}" for sentence in self.sentences)]).strip())


@dataclass(frozen=True)
class Cards:
    """A row of few figures, each with what it is and what qualifies it: (label, value, note)."""

    cards: Sequence[tuple[str, str, str]]

    def _repr_html_(self) -> str:
        return render("cards", self) if self.cards else ""

    def __repr__(self) -> str:
        return sources.plain("; ".join(f"{label}: {value} {note}".strip() for label, value, note in self.cards))


class Together:
    """Several of these from one cell, one after the other."""

    def __init__(self, *parts: Chart | Statement | Notes | Cards | TableView | Folds | Tree | Together) -> None:
        self.parts = parts

    def _repr_html_(self) -> str:
        return "".join(part._repr_html_() for part in self.parts)

    def __repr__(self) -> str:
        return "\n".join(repr(part) for part in self.parts)


class Shown(Together):
    """Several of these, without those that only say that something cannot be shown; where none is left, nothing.

    A page whose heading has nothing beneath it drops the heading too, and says at its end what it cannot show.
    """

    def __init__(self, *parts: Chart | Statement | Notes | Cards | TableView | Folds | Tree | Together) -> None:
        super().__init__(*(part for part in parts if _says_something(part)))


def _says_something(part: object) -> bool:
    """Return whether a part shows more than that it cannot be shown."""
    if isinstance(part, Statement):
        return part.kind != "nothing"
    if isinstance(part, Together):
        return any(map(_says_something, part.parts))
    return not isinstance(part, TableView) or len(part.frame) > 0


@dataclass(frozen=True)
class Folds:
    """Things folded away one by one, each behind a line that says what it is: (line, what is behind it)."""

    parts: Sequence[tuple[str, TableView]]
    lead: str = ""

    def _repr_html_(self) -> str:
        return render("folds", self) if self.parts else ""

    def __repr__(self) -> str:
        return sources.plain("\n".join([self.lead, *(f"- {line}" for line, _ in self.parts)]).strip())


@dataclass(frozen=True)
class Branch:
    """A line of a tree, and what is folded away behind it."""

    line: str
    below: Sequence[Branch] = ()


@dataclass(frozen=True)
class Tree:
    """Lines that open on those below them, all folded away behind one that says what they are; nothing without any."""

    lead: str
    branches: Sequence[Branch]
    notes: Sequence[str] = ()

    def _repr_html_(self) -> str:
        return render("tree", self) if self.branches else ""

    def __repr__(self) -> str:
        def lines(branches: Sequence[Branch], depth: int) -> list[str]:
            return [
                line
                for branch in branches
                for line in (f"{'  ' * depth}- {branch.line}", *lines(branch.below, depth + 1))
            ]

        return sources.plain("\n".join([self.lead, *lines(self.branches, 0)]))


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table for its template: its header, and `n` (figures), `t` (long text) or nothing."""

    head: str
    side: str


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table for its template: columns, rows of worded cells, and what becomes of the rows after them.

    more : how many there are, in words, empty for none. file : name of the table that holds all, if any; `written`
    where a notebook wrote it. Rows that are in no written file stand in `folded`, but for those counted in `unseen`.
    """

    columns: list[Column]
    rows: list[tuple[str, ...]]
    folded: list[tuple[str, ...]]
    more: str
    unseen: str
    file: str
    written: bool


@dataclass(frozen=True)
class TableView:
    """A table for reading: caption, headers with scope, right-aligned figures, the first column as row headers.

    columns : column -> header, in order; all columns under their own names by default.
    formats : column -> function that words a value; by default numbers get three significant figures.
    total : value of the first column whose row is set apart. right : columns of worded figures, to be set right.
    most : rows shown. The rest is counted beneath, with the file that holds it where a notebook wrote one, else folded
    away there. fold : the line behind which the table is folded away, if any.
    brief : whether the rest of a table that is written with the page is left to its file, instead of folded away.
    stacks : whether a row becomes a block where there is little room, as on a phone; a last figure stands by its name,
    a last text below all.
    """

    frame: pd.DataFrame
    caption: str
    _: KW_ONLY
    columns: Mapping[str, str] = field(default_factory=dict)
    formats: Mapping[str, Format] = field(default_factory=dict)
    total: str = ""
    right: Sequence[str] = ()
    most: int = 60
    fold: str = ""
    stacks: bool = False
    brief: bool = False

    def _repr_html_(self) -> str:
        return render("table", self, self.grid())

    def grid(self) -> Grid:
        """Return what is shown of the frame, in words."""
        names = [name for name in self.columns if name in self.frame] or list(map(str, self.frame.columns))
        table = sources.table_of(self.frame)
        written = bool(table) and (self.brief or not table.startswith(sources.VIEW))
        shown = self.frame.iloc[: self.most if written else self.most + _FOLDED]
        cells = [self._cells(shown, name) for name in names]
        columns = [
            Column(head=self.columns.get(name, name.replace("_", " ")), side=self._side(name, worded) if place else "")
            for place, (name, worded) in enumerate(zip(names, cells, strict=True))
        ]
        rows = list(zip(*cells, strict=True))
        after, unseen = (sources.count(self.frame.iloc[end:]) for end in (self.most, len(shown)))
        return Grid(
            columns=columns,
            rows=rows[: self.most],
            folded=rows[self.most :],
            more=wording.plural(after, MORE) if after else "",
            unseen=wording.plural(unseen, MORE) if unseen and not written else "",
            file=table,
            written=written,
        )

    def _side(self, name: str, cells: Sequence[str]) -> str:
        if name in self.right or _is_figure(self.frame[name].dtype):
            return "n"
        return "t" if max((len(sources.plain(cell)) for cell in cells), default=0) > _LONG else ""

    def _cells(self, shown: pd.DataFrame, name: str) -> list[str]:
        """Return the words of a column; a number carries its cell, and so does a text with a digit from a file."""
        values = sources.column(shown, name)
        cells = [self._cell(name, value) for value in values]
        if not sources.has_texts(shown, name):
            return cells
        return [
            sources.marked(cell, [sources.sourced(0, sources.address(shown, label, name))], "text")
            if _is_text(value, cell) and _DIGIT.search(cell) and not sources.cited(cell)
            else cell
            for label, cell, value in zip(shown.index, cells, values, strict=True)
        ]

    def published(self) -> str:
        """Return the whole table as JSON where it has no file but is written with the page; else nothing."""
        if not sources.table_of(self.frame).startswith(sources.VIEW):
            return ""
        return str(self.frame.to_json(orient="split", index=False, date_format="iso", double_precision=15))

    def _cell(self, name: str, value: Any) -> str:
        if not wording.known(sources.bare(value)):
            return "–"
        if name in self.formats:
            return self.formats[name](value)
        if isinstance(value, (bool, np.bool_)):
            return YES_NO[bool(value)]
        if isinstance(value, (int, float, np.number)):
            return wording.number(value)  # type: ignore[arg-type]
        if isinstance(value, pd.Timestamp):
            return f"{value:%Y-%m-%d}"
        return wording.label(value, most=_LONGEST)

    def __repr__(self) -> str:
        return sources.plain(f"{self.caption}\n{self.frame}")


def _is_text(value: Any, cell: str) -> bool:
    """Return whether a cell is a text or a date as it stands in its file, not one that a format has worded."""
    if isinstance(value, pd.Timestamp):
        return cell == f"{value:%Y-%m-%d}"
    as_it_stands = wording.label(value, most=_LONGEST)
    return isinstance(value, str) and " ".join(cell.split()) == as_it_stands


def _is_figure(dtype: Any) -> bool:
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)


# -- sentences ------------------------------------------------------------------------------------------

MORE = "more row"
YES_NO = {True: "yes", False: "no"}
"""What a table writes of its own."""


# -- markup ---------------------------------------------------------------------------------------------


def render(macro: str, *values: Any) -> str:
    """Return the HTML of one macro of the template; every value in it is text unless it is markup already."""
    return str(getattr(_templates().get_template(_TEMPLATE.name).module, macro)(*values))


@lru_cache(maxsize=1)
def _templates() -> Environment:
    """Return the environment of the template: every value is cleaned, and escaped by default."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FunctionLoader(_source), autoescape=True, finalize=_worded, undefined=StrictUndefined
    )
    environment.filters["tied"] = _tied
    environment.filters["plain"] = sources.plain
    environment.filters["source"] = _source_of
    environment.filters["all_sources"] = _all_sources_of
    environment.filters["inside"] = _inside
    environment.filters["html"] = lambda part: Markup(part._repr_html_())
    return environment


def _source(name: str) -> str:
    """Return a template with its lines joined, without what is between them: a page holds thousands of cells."""
    lines = (_TEMPLATE.parent / name).read_text(encoding="utf-8").splitlines()
    return "".join(line.strip() for line in lines)


def _worded(value: object) -> object:
    """Return a value as text that a page may show, its numbers tied to their units; markup as it is."""
    from markupsafe import Markup

    if hasattr(value, "__html__"):
        return value
    text = str(value)
    if not sources.cited(text):
        return _clean(text)
    return Markup("").join(_piece(source, words) for source, words in sources.pieces(text))


def _clean(text: str) -> str:
    tied = _AMOUNT.sub(lambda found: found[0].replace(" ", wording.THIN), text)
    return wording.clean(_PERCENT.sub(rf"\1{wording.THIN}%", tied))


def _piece(source: str, words: str) -> Markup:
    """Return a piece of a text as markup: what carries a source as an element with it."""
    from markupsafe import Markup, escape

    return Markup(render("cited", source, words)) if source else escape(_clean(words))


def _tied(sentence: str) -> Markup:
    """Return a sentence as markup in which no line ends within a range such as `€3.7–4.6 m`."""
    from markupsafe import Markup

    pieces = "".join(str(_piece(source, words)) for source, words in sources.pieces(sentence))
    return Markup(_TEXT.sub(lambda found: _RANGE.sub(r'<span class="tied">\g<0></span>', found[0]), pieces))


def _source_of(cell: str) -> Markup | str:
    """Return the attribute of a cell all of which carries one source; else nothing."""
    from markupsafe import Markup

    found = sources.pieces(cell)
    whole = len(found) == 1 and found[0][0]
    return Markup(' data-src="{}"').format(wording.clean(found[0][0])) if whole else ""


def _all_sources_of(line: str) -> Markup | str:
    """Return the attribute of an element that holds a line: all sources that it carries, in order; else nothing."""
    from markupsafe import Markup

    cited = sources.cited(line)
    return Markup(' data-src="{}"').format(" ".join(map(wording.clean, cited))) if cited else ""


def _inside(cell: str) -> object:
    """Return what stands in a cell; where all of it carries one source, the cell itself shows that."""
    found = sources.pieces(cell)
    return _worded(found[0][1]) if len(found) == 1 else _worded(cell)


def _in_single_quotes(text: str) -> Any:
    """Return text as the value of an attribute in single quotes: JSON keeps its own quotes, which are many."""
    from markupsafe import Markup

    marks = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;"}
    return Markup("".join(marks.get(one, one) for one in text))
