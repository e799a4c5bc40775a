"""A matplotlib figure -> inline SVG: its text stays text, its colours are variables of the page, its ids its own."""

from __future__ import annotations

import hashlib
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import TYPE_CHECKING

from forecast import sources, wording
from forecast.reporting.charts.style import FONT, css_colour, drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NUMBER = re.compile(r"-?\d+\.\d+")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_URL = re.compile(r"url\(#([^)]+)\)")
_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def svg(figure: Figure, *, title: str, description: str, variant: str = "wide") -> str:
    """Return a figure as inline SVG: named and described, its colours variables of the page, its ids its own."""
    buffer = io.StringIO()
    with drawing():
        figure.savefig(buffer, format="svg", metadata=_METADATA)
    drawn = buffer.getvalue()
    root = ET.fromstring(wording.seen(drawn))
    stem = "c" + hashlib.sha256((title + variant + drawn).encode()).hexdigest()[:7]
    _strip(root)
    used = {name: f"{stem}-{number}" for number, name in enumerate(sorted(_ids_in_use(root)))}
    for element in root.iter():
        _tidy(element, used)
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
    for position, (tag, words) in enumerate((("title", title), ("desc", description))):
        cited = {"data-src": " ".join(sources.cited(words))} if sources.cited(words) else {}
        element = ET.Element(tag, {"id": f"{stem}-{tag[0]}", **cited})
        element.text = wording.clean(words)
        root.insert(position, element)
    return ET.tostring(root, encoding="unicode")


def _strip(root: ET.Element) -> None:
    """Take out style sheets and metadata, and the namespaces of names, in place."""
    for parent in root.iter():
        for child in list(parent):
            if child.tag.endswith(("}style", "}metadata")):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}


def _ids_in_use(root: ET.Element) -> set[str]:
    """Return the ids that some element refers to."""
    used: set[str] = set()
    for element in root.iter():
        used.update(_URL.findall(element.get("clip-path", "")))
        if element.get("href", "").startswith("#"):
            used.add(element.attrib["href"][1:])
    return used


def _tidy(element: ET.Element, used: Mapping[str, str]) -> None:
    """Shorten one element in place: no fonts or ids that nothing refers to, few decimals, colours as variables.

    used : ids that some element refers to, and how each is called.
    """
    attributes = element.attrib
    name = attributes.pop("id", None)
    if name and name.startswith("matplotlib.axis"):
        attributes["class"] = "axis"
    if name is not None and name in used:
        attributes["id"] = used[name]
    if "href" in attributes:
        attributes["href"] = f"#{used[attributes['href'][1:]]}"
    if "clip-path" in attributes:
        attributes["clip-path"] = _URL.sub(lambda match: f"url(#{used[match[1]]})", attributes["clip-path"])
    if attributes.get("transform", "").startswith("rotate(-0"):
        del attributes["transform"]
    for key in ("d", "x", "y", "width", "height", "transform"):
        if key in attributes:
            attributes[key] = _NUMBER.sub(lambda match: f"{float(match[0]):.1f}".removesuffix(".0"), attributes[key])
    if "d" in attributes:
        attributes["d"] = re.sub(r"\s*([A-Za-z])\s*", r"\1", re.sub(r"\s+", " ", attributes["d"])).strip()
    if "style" in attributes:
        parts = [part.strip() for part in attributes["style"].split(";")]
        looks = [re.sub(r":\s+", ":", part) for part in parts if part and not part.startswith("font-family")]
        attributes["style"] = _COLOUR.sub(lambda match: css_colour(match[0]), ";".join(looks))
    element.tail = None
    if element.tag == "text" and element.text:
        if sources.cited(element.text):
            attributes["data-src"] = " ".join(sources.cited(element.text))
            element.text = sources.plain(element.text)
        element.text = element.text.replace("  ", "\u00a0\u00a0")  # elsewhere than in print, spaces collapse
    if element.tag != "text":
        element.text = None


def _prune(root: ET.Element) -> None:
    """Replace groups without attributes by what is in them, drop what is empty, and join paths that look alike."""
    for child in list(root):
        _prune(child)
    content: list[ET.Element] = []
    for child in list(root):
        root.remove(child)
        if child.tag in ("g", "defs") and not child.attrib and (child.tag == "g" or not len(child)):
            content.extend(child)
        elif child.tag != "path" or ("d" in child.attrib and not _is_unseen(child)):
            content.append(child)  # a line between unknown points has no shape
    for child in content:
        if len(root) and _look_alike(root[-1], child):
            root[-1].attrib["d"] += child.attrib["d"]
        else:
            root.append(child)


def _is_unseen(path: ET.Element) -> bool:
    """Return whether a path is neither filled nor drawn, nor referred to."""
    return path.get("style") == "fill:none" and "id" not in path.attrib


def _look_alike(one: ET.Element, other: ET.Element) -> bool:
    """Return whether two paths differ in their shape alone and cover what is beneath, so that they may be one."""
    if one.tag != "path" or other.tag != "path" or "opacity" in one.get("style", ""):
        return False
    looks = ({name: value for name, value in path.attrib.items() if name != "d"} for path in (one, other))
    return "id" not in one.attrib and next(looks) == next(looks)
