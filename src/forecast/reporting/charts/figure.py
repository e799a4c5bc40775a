"""What a page shows: a chart with its words and its data, a finding, a few cards, a table.

Each is HTML by `_repr_html_`, for a page and for JupyterLab. Text is escaped here and nowhere else, so that a name
from a CRM is only ever text. A chart is inline SVG whose text stays text: crisp, small, selectable, in the page's
fonts and colours. The same chart gives the same bytes on every run.
"""

from __future__ import annotations

import hashlib
import html
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from forecast import wording
from forecast.reporting.charts.style import FONT, css_colour, drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NUMBER = re.compile(r"-?\d+\.\d+")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_PERCENT = re.compile(r"(\d) %")
_RANGE = re.compile(r"[^\s&;<>]*\d–\d[^\s&;<>]*")
_URL = re.compile(r"url\(#([^)]+)\)")
_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}

Format = Callable[[Any], str]
_LONGEST = 600
_IN_LAB = (  # the page has its own looks; these are for JupyterLab alone
    "<style>.jp-OutputArea .cards{display:flex;flex-wrap:wrap;gap:1.5em}"
    ".jp-OutputArea .card dt,.jp-OutputArea .card dd{float:none!important;width:auto!important;margin:0!important}"
    ".jp-OutputArea .card .value,.jp-OutputArea .card .note{display:block}"
    ".jp-OutputArea .card .value{font-size:1.5em;font-weight:600}"
    ".jp-OutputArea .finding .answer{font-size:1.3em;line-height:1.4}</style>"
)
_LONG = 40


class Tooltip(NamedTuple):
    """What a mark means, shown when it is pointed at or stepped to; in pixels from the drawing's top left corner."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A picture with its words.

    figure : drawn for a page's column; `narrow`, where given, is the same redrawn for a phone.
    title : the finding, a sentence. subtitle : measure, unit, who, when. description : shape and key values, for those
    who cannot see it. table : the data shown. source : where they come from, and as of when.
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
    formats: Mapping[str, Format] = field(default_factory=dict)
    tooltips: Sequence[Tooltip] = ()
    tooltips_narrow: Sequence[Tooltip] = ()
    by: str = ""

    def _repr_html_(self) -> str:
        pictures = [self._plot(self.figure, self.tooltips, "wide")]
        if self.narrow is not None:
            pictures.append(self._plot(self.narrow, self.tooltips_narrow, "narrow"))
        shown = TableView(self.table, caption=self.title, formats=self.formats)._repr_html_()
        source = f'<p class="source">{text(self.source)}</p>' if self.source else ""
        return (
            f'<figure class="chart{" both" if self.narrow is not None else ""}"><figcaption><p class="title">'
            f'<strong>{text(self.title)}</strong></p><p class="subtitle">{text(self.subtitle)}</p></figcaption>'
            f"{''.join(pictures)}{source}"
            f'<details class="data"><summary>The data of this chart</summary>{shown}</details></figure>'
        )

    def _plot(self, figure: Figure, tooltips: Sequence[Tooltip], variant: str) -> str:
        """Return one drawing with its tooltips, for the page's script; without the script nothing of them shows."""
        picture = svg(figure, title=self.title, description=self.description, variant=variant)
        hidden = ' style="display:none"' if variant == "narrow" else ""
        rounded = [[round(tip.x), round(tip.y), wording.clean(tip.text)] for tip in tooltips]
        encoded = json.dumps(rounded, ensure_ascii=False, separators=(",", ":"))
        by = f' data-by="{text(self.by)}"' if self.by else ""
        data = f' data-say="{html.escape(encoded, quote=True)}"{by}' if rounded else ""
        return f'<div class="plot {variant}"{hidden}{data}>{picture}</div>'

    def __repr__(self) -> str:
        return f"Chart: {self.title} ({self.subtitle})"


@dataclass(frozen=True)
class Statement:
    """A sentence that answers, and what qualifies it. `kind`: finding, headline, note or abstain (cannot tell)."""

    sentence: str
    more: str = ""
    kind: str = "finding"

    def _repr_html_(self) -> str:
        if self.kind not in ("finding", "headline", "note", "abstain"):
            raise ValueError(f"no finding of kind {self.kind!r}")
        more = f'<p class="more">{text(self.more)}</p>' if self.more else ""
        return f'{_IN_LAB}<div class="finding {self.kind}"><p class="answer">{_tied(self.sentence)}</p>{more}</div>'

    def __repr__(self) -> str:
        return " ".join(part for part in (self.sentence, self.more) if part)


@dataclass(frozen=True)
class Notes:
    """A list of sentences under a line that says what they are; nothing at all where there are none."""

    sentences: Sequence[str]
    lead: str = ""
    fold: bool = False

    def _repr_html_(self) -> str:
        if not self.sentences:
            return ""
        items = "".join(f"<li>{text(sentence.replace('`', ''))}</li>" for sentence in self.sentences)
        if self.fold:
            return f'<details class="notes"><summary>{text(self.lead)}</summary><ul>{items}</ul></details>'
        lead = f"<p>{text(self.lead)}</p>" if self.lead else ""
        return f'<div class="notes">{lead}<ul>{items}</ul></div>'

    def __repr__(self) -> str:
        return "\n".join([self.lead, *(f"- {sentence}" for sentence in self.sentences)]).strip()


@dataclass(frozen=True)
class Cards:
    """A row of few figures, each with what it is and what qualifies it: (label, value, note)."""

    cards: Sequence[tuple[str, str, str]]

    def _repr_html_(self) -> str:
        items = "".join(
            f'<div class="card"><dt>{text(label)}</dt><dd><span class="value">{text(value)}</span>'
            f"{f'<span class=note>{text(note)}</span>' if note else ''}</dd></div>"
            for label, value, note in self.cards
        )
        return f'{_IN_LAB}<dl class="cards">{items}</dl>' if items else ""

    def __repr__(self) -> str:
        return "; ".join(f"{label}: {value} {note}".strip() for label, value, note in self.cards)


class Together:
    """Several of these from one cell, one after the other."""

    def __init__(self, *parts: Chart | Statement | Notes | Cards | TableView | Folds) -> None:
        self.parts = parts

    def _repr_html_(self) -> str:
        return "".join(part._repr_html_() for part in self.parts)

    def __repr__(self) -> str:
        return "\n".join(repr(part) for part in self.parts)


@dataclass(frozen=True)
class Folds:
    """Things folded away one by one, each behind a line that says what it is: (line, what is behind it)."""

    parts: Sequence[tuple[str, TableView]]
    lead: str = ""

    def _repr_html_(self) -> str:
        if not self.parts:
            return ""
        lead = f"<p>{text(self.lead)}</p>" if self.lead else ""
        folds = "".join(
            f'<details class="notes"><summary>{text(line)}</summary>{inside._repr_html_()}</details>'
            for line, inside in self.parts
        )
        return f'<div class="folds">{lead}{folds}</div>'

    def __repr__(self) -> str:
        return "\n".join([self.lead, *(f"- {line}" for line, _ in self.parts)]).strip()


@dataclass(frozen=True)
class TableView:
    """A table for reading: caption, headers with scope, right-aligned figures, the first column as row headers.

    columns : column -> header, in order; all columns under their own names by default.
    formats : column -> function that words a value; by default numbers get three significant figures.
    total : value of the first column whose row is set apart. right : columns of worded figures, to be set right.
    most : rows shown; the rest is counted beneath. fold : the line behind which the table is folded away, if any.
    """

    frame: pd.DataFrame
    caption: str
    columns: Mapping[str, str] = field(default_factory=dict)
    formats: Mapping[str, Format] = field(default_factory=dict)
    total: str = ""
    right: Sequence[str] = ()
    most: int = 60
    fold: str = ""

    def _repr_html_(self) -> str:
        names = [name for name in self.columns if name in self.frame] or list(map(str, self.frame.columns))
        heads = {name: self.columns.get(name, name.replace("_", " ")) for name in names}
        numeric = {name: name in self.right or _is_figure(self.frame[name].dtype) for name in names}
        rows = []
        shown = self.frame.iloc[: self.most]
        cells = {name: [self._cell(name, value) for value in shown[name]] for name in names}
        long = {name: max(map(len, cells[name]), default=0) > _LONG for name in names}
        side = {name: ' class="n"' if numeric[name] else ' class="t"' if long[name] else "" for name in names}
        side[names[0]] = ""
        head = "".join(
            f'<th scope="col"{side[name]}>{text(heads[name])}</th>' if heads[name] else "<td></td>" for name in names
        )
        for i in range(len(shown)):
            last = ' class="total"' if self.total and cells[names[0]][i] == self.total else ""
            row = f'<th scope="row">{text(cells[names[0]][i])}</th>'
            row += "".join(f"<td{side[name]}>{text(cells[name][i])}</td>" for name in names[1:])
            rows.append(f"<tr{last}>{row}</tr>")
        more = len(self.frame) - len(shown)
        foot = f'<p class="source">{text(wording.plural(more, "more row"))} in the file of tables.</p>' if more else ""
        if not rows:
            rows.append(f'<tr><td colspan="{len(names)}">Nothing to show.</td></tr>')
        table = (
            f'<div class="scroll" role="region" tabindex="0" aria-label="{text(self.caption)}"><table>'
            f"<caption><span>{text(self.caption)}</span></caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>{foot}"
        )
        return f'<details class="notes"><summary>{text(self.fold)}</summary>{table}</details>' if self.fold else table

    def _cell(self, name: str, value: Any) -> str:
        if not wording.known(value):
            return "–"
        if name in self.formats:
            return self.formats[name](value)
        if isinstance(value, (bool, np.bool_)):
            return "yes" if value else "no"
        if isinstance(value, (int, float, np.number)):
            return wording.number(float(value))
        if isinstance(value, pd.Timestamp):
            return f"{value:%Y-%m-%d}"
        return wording.label(value, most=_LONGEST)

    def __repr__(self) -> str:
        return f"{self.caption}\n{self.frame}"


def text(value: object) -> str:
    """Return a value as HTML text, safe in elements and in quoted attributes."""
    return html.escape(wording.clean(_PERCENT.sub(rf"\1{wording.THIN}%", str(value))), quote=True)


def _tied(value: str) -> str:
    """Return a sentence as HTML in which no line ends within a range such as `€3.7–4.6 m`."""
    return _RANGE.sub(r'<span class="tied">\g<0></span>', text(value))


def _is_figure(dtype: Any) -> bool:
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)


def svg(figure: Figure, *, title: str, description: str, variant: str = "wide") -> str:
    """Return a figure as inline SVG: named and described, its colours variables of the page, its ids its own."""
    buffer = io.StringIO()
    with drawing():
        figure.savefig(buffer, format="svg", metadata=_METADATA)
    root = ET.fromstring(wording.clean(buffer.getvalue()))
    stem = "c" + hashlib.sha256((title + variant + buffer.getvalue()).encode()).hexdigest()[:10]
    for parent in root.iter():
        for child in list(parent):
            if child.tag.endswith("}style") or child.tag.endswith("}metadata"):
                parent.remove(child)
    used = set()
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
        used.update(_URL.findall(element.get("clip-path", "")))
        if element.get("href", "").startswith("#"):
            used.add(element.attrib["href"][1:])
    for element in root.iter():
        _tidy(element, stem, used)
    _prune(root)
    box = root.get("viewBox", "0 0 1 1").split()
    root.attrib = {
        "xmlns": "http://www.w3.org/2000/svg",
        "class": variant,
        "viewBox": " ".join(box),
        "width": box[2],
        "height": box[3],
        "role": "img",
        "aria-labelledby": f"{stem}-t {stem}-d",
        "font-family": FONT,
        "stroke-linejoin": "round",
        "style": "max-width:100%;height:auto",
    }
    for position, (tag, said) in enumerate((("title", title), ("desc", description))):
        element = ET.Element(tag, {"id": f"{stem}-{tag[0]}"})
        element.text = wording.clean(said)
        root.insert(position, element)
    return ET.tostring(root, encoding="unicode")


def _tidy(element: ET.Element, stem: str, used: set[str]) -> None:
    """Shorten one element in place: no fonts or ids that nothing refers to, few decimals, colours as variables."""
    attributes = element.attrib
    name = attributes.pop("id", None)
    if name in used:
        attributes["id"] = f"{stem}-{name}"
    if "href" in attributes:
        attributes["href"] = f"#{stem}-{attributes['href'][1:]}"
    if "clip-path" in attributes:
        attributes["clip-path"] = _URL.sub(rf"url(#{stem}-\1)", attributes["clip-path"])
    if attributes.get("transform", "").startswith("rotate(-0"):
        del attributes["transform"]
    for key in ("d", "x", "y", "width", "height", "transform"):
        if key in attributes:
            attributes[key] = _NUMBER.sub(lambda match: f"{float(match[0]):.1f}", attributes[key])
    if "d" in attributes:
        attributes["d"] = re.sub(r"\s+", " ", attributes["d"]).strip()
    if "style" in attributes:
        parts = [part.strip() for part in attributes["style"].split(";")]
        kept = [re.sub(r":\s+", ":", part) for part in parts if part and not part.startswith("font-family")]
        attributes["style"] = _COLOUR.sub(lambda match: css_colour(match[0]), ";".join(kept))
    element.tail = None
    if element.tag == "text" and element.text:
        element.text = element.text.replace("  ", "\u00a0\u00a0")  # elsewhere than in print, spaces collapse
    if element.tag != "text":
        element.text = None


def _prune(root: ET.Element) -> None:
    """Replace groups that say nothing by what is in them, and drop what is empty."""
    for child in list(root):
        _prune(child)
    content: list[ET.Element] = []
    for child in list(root):
        root.remove(child)
        if child.tag in ("g", "defs") and not child.attrib and (child.tag == "g" or not len(child)):
            content.extend(child)
        else:
            content.append(child)
    root.extend(content)
