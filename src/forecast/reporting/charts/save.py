"""A chart as a file for a slide: the drawing with its title, measure and unit, and where the numbers come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from forecast import sources, wording
from forecast.errors import MachineError, ParameterError
from forecast.reporting.charts.style import INK, PAPER, SOFT, drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

KINDS = (".png", ".svg", ".pdf")
_TITLE, _SUBTITLE, _SOURCE = 13.0, 10.0, 8.0
_LINE, _POINTS, _GAP, _EDGE = 1.3, 72.0, 6.0, 0.2
"""Height of a line in sizes of its letters, points an inch, points between parts, inches around all."""
_WIDE = 0.5
"""Width of a letter on average, in sizes."""


def save(figure: Figure, file: Path, *, title: str, subtitle: str, source: str, dpi: int) -> None:
    """Write a drawing with its words above and below it; what is written is the same on every run.

    Raises ParameterError for another ending than .png, .svg or .pdf, MachineError where it cannot be written.
    """
    kind = file.suffix.lower()
    if kind not in KINDS:
        raise ParameterError(f"{file.name!r} must end in {', '.join(KINDS)}")
    if not file.parent.is_dir():
        raise MachineError(f"{file}: the folder {file.parent} is not there; make it first")
    above = [(text, _TITLE, "bold", INK) for text in _lines(title, _TITLE, figure)]
    above += [(text, _SUBTITLE, "normal", SOFT) for text in _lines(subtitle, _SUBTITLE, figure)]
    below = [(text, _SOURCE, "normal", SOFT) for text in _lines(source, _SOURCE, figure)]
    date = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}[kind]
    with drawing():
        words = [*_write_lines(figure, above, upwards=True), *_write_lines(figure, below, upwards=False)]
        try:
            figure.savefig(file, dpi=dpi, bbox_inches="tight", pad_inches=_EDGE, metadata=date, facecolor=PAPER)
        except OSError as error:
            raise MachineError(f"{file}: cannot be written ({error.strerror or error})") from None
        finally:
            for each in words:  # the drawing is as it was: a page has its words as text
                each.remove()


def _lines(text: str, size: float, figure: Figure) -> list[str]:
    """Return a text in lines as wide as the drawing."""
    plain = wording.clean(sources.plain(text))
    letters = int(figure.get_figwidth() * _POINTS / (size * _WIDE))
    return wrap(plain, letters) if plain else []


def _write_lines(figure: Figure, lines: Sequence[tuple[str, float, str, str]], *, upwards: bool) -> list[Text]:
    """Write lines above or below the drawing, outside of it, so that nothing in it moves; return them."""
    inch = 1.0 / figure.get_figheight()
    at, written = (1.0 if upwards else 0.0), []
    for text, size, weight, colour in reversed(lines) if upwards else lines:
        height = (size * _LINE + _GAP) / _POINTS * inch
        at += height if upwards else -height
        looks: dict[str, Any] = {
            "size": size,
            "weight": weight,
            "color": colour,
            "ha": "left",
            "va": "top" if upwards else "bottom",
        }
        written.append(figure.text(0.01, at, text, **looks))
    return written
