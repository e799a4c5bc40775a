"""One palette, one typographic scale, for every chart and page.

Each colour has a role and a value for light and for dark. Charts are drawn in the light values; on the page each
becomes a CSS variable of that role, so that one picture serves both. The four hues are those of Okabe and Ito (2008),
darkened where they fall short of a contrast of 3:1 for marks and 4.5:1 for text on white.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

LIGHT: Mapping[str, str] = MappingProxyType(
    {
        "ink": "#1b2430",
        "soft": "#55606d",
        "paper": "#ffffff",
        "grid": "#e3e7eb",
        "axis": "#86909b",
        "mist": "#c9d1d9",
        "grey": "#7a8591",
        "blue": "#0069a6",
        "red": "#bd4b00",
        "green": "#00775a",
        "purple": "#96508c",
    }
)
DARK: Mapping[str, str] = MappingProxyType(
    {
        "ink": "#e9edf2",
        "soft": "#aeb8c4",
        "paper": "#12171e",
        "grid": "#2b333d",
        "axis": "#74808d",
        "mist": "#4a5562",
        "grey": "#8e99a6",
        "blue": "#62b5e8",
        "red": "#ff9b5c",
        "green": "#45c79f",
        "purple": "#d79ccd",
    }
)

INK, SOFT, PAPER, GRID, AXIS = (LIGHT[name] for name in ("ink", "soft", "paper", "grid", "axis"))
MIST, GREY, BLUE, RED, GREEN, PURPLE = (LIGHT[name] for name in ("mist", "grey", "blue", "red", "green", "purple"))

MARKERS = ("o", "s", "^", "D")
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (7, 2, 1.5, 2)))
"""Shape and dash of the same series, so that colour is never alone."""

BANDS = ((95, "q2.5", "q97.5", 0.14), (80, "q10", "q90", 0.22), (50, "q25", "q75", 0.34))
"""Nominal, lower and upper quantile, opacity; drawn over one another they fade outwards."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """How one thing looks on every chart.

    colour : of its lines and points. dash, marker : of these, so that colour is never alone; hollow : whether its
    points are. fill, opacity : of its areas; without a fill they have its colour.
    """

    colour: str
    dash: Any = DASHES[0]
    marker: str = MARKERS[0]
    hollow: bool = False
    fill: str = ""
    opacity: float = 1.0

    @property
    def name(self) -> str:
        """The colour in which it is named: some marks are too light for text."""
        return SOFT if self.colour in (GREY, AXIS, MIST) else self.colour

    @property
    def line(self) -> dict[str, Any]:
        """The looks of a line, as matplotlib takes them."""
        return {"color": self.colour, "linestyle": self.dash}

    @property
    def series(self) -> dict[str, Any]:
        """The looks of a line with its points."""
        return {**self.line, "marker": self.marker}

    @property
    def points(self) -> dict[str, Any]:
        """The looks of points."""
        look = {"facecolor": PAPER, "edgecolor": self.colour} if self.hollow else {"color": self.colour}
        return {"marker": self.marker, **look}

    @property
    def area(self) -> dict[str, Any]:
        """The looks of a bar or a band."""
        return {"color": self.fill or self.colour, "alpha": self.opacity, "linewidth": 0}

    @property
    def outlined(self) -> dict[str, Any]:
        """The looks of a bar on another bar."""
        return {**self.area, "edgecolor": self.colour, "linewidth": 1.2}

    @property
    def bar(self) -> dict[str, Any]:
        """The looks of a thick line that stands for a range."""
        return {"color": self.colour, "alpha": self.opacity}


BOOKED = Mark(colour=INK, dash=DASHES[3], fill=MIST)
OUTSIDE = Mark(colour=RED, marker="D", hollow=True)
"""What was booked; where it is outside of the range that was given."""

FORECAST = Mark(colour=BLUE)
RANGE80, RANGE95 = Mark(colour=BLUE, opacity=0.45), Mark(colour=BLUE, opacity=0.3)
OPEN_PIPELINE, NOT_CREATED = Mark(colour=BLUE, opacity=0.45), Mark(colour=BLUE, fill=PAPER)
PLAN = Mark(colour=INK)
SHORT_OF_PLAN = Mark(colour=GREY, hollow=True)
"""The model's forecast, its ranges where they are bars (bands: `BANDS`), its addends besides what is booked; the plan,
and an outcome that does not reach it."""

BENCHMARK = Mark(colour=GREY, dash=DASHES[2], marker="v")
JOINT, SALES, MARKETING = (
    Mark(colour=colour, marker=marker) for colour, marker in zip((RED, GREEN, PURPLE), MARKERS[1:], strict=True)
)
OTHER_PEOPLE = tuple(
    Mark(colour=colour, dash=DASHES[3], marker=marker)
    for colour, marker in zip((GREEN, PURPLE, RED), MARKERS[1:], strict=True)
)
OTHER_MODELS = tuple(
    Mark(colour=GREY, dash=dash, marker=marker) for dash in (DASHES[1], DASHES[3]) for marker in MARKERS
)
"""Forecasts that are compared: the benchmark, who submits, further submitters and models in order."""

RISE, FALL, LEVEL = (Mark(colour=colour, opacity=0.9) for colour in (BLUE, RED, GREY))
FULL_VALUE = Mark(colour=GREY, opacity=0.55)
NOT_MOVED = Mark(colour=GREY, marker="s")
"""What adds to an amount, what takes from it, what does neither; deals at full value, or the base that a
what-if starts from; that base as a point."""

CHANGED, UNPROVEN = (Mark(colour=colour, opacity=0.55) for colour in (BLUE, GREY))
BEFORE_START = Mark(colour=GREY, marker="D", hollow=True)
NOT_BEGUN = Mark(colour=GREY, dash=DASHES[2])
"""An effect that is claimed and one that is not; the same measured before a segment's start; segments without one."""

TREND, WITH_SEASON = Mark(colour=BLUE), Mark(colour=BLUE, dash=DASHES[1])
OURS, THEIRS = Mark(colour=BLUE, opacity=0.3), Mark(colour=GREY, marker="|")
OWN_SIZE, OTHER_SIZES = Mark(colour=BLUE), (Mark(colour=GREY, dash=DASHES[1]), Mark(colour=GREY, dash=DASHES[3]))
COUNT = Mark(colour=GREY)
REFERENCE = Mark(colour=AXIS, dash=DASHES[1])
EVENT = Mark(colour=AXIS, dash=DASHES[2], opacity=0.6)
SHADE, CHANCE_BAND = Mark(colour=MIST, opacity=0.25), Mark(colour=MIST, opacity=0.55)
"""Months taken apart; a figure of ours and of the survey; companies of other sizes; how many; what would be exact; a
dated event of the company; a region, what chance would show."""

TEXT = 13.0
SMALL = 12.0
"""Sizes of text in charts, in pixels at the size a chart is drawn for."""

WIDE, NARROW = 720, 350
"""Widths in pixels for which a chart is drawn: a page's column, and a phone's."""

# JupyterLab has a palette of its own; there, neutral colours follow its theme.
_LAB = {
    "ink": "--jp-ui-font-color1",
    "soft": "--jp-ui-font-color2",
    "paper": "--jp-layout-color0",
    "grid": "--jp-border-color2",
}

FONT = "-apple-system,'Segoe UI','Helvetica Neue',Arial,'Liberation Sans',sans-serif"


def css_colour(value: str) -> str:
    """Return the CSS of a colour: its role's variable with the light value to fall back on; others as they are."""
    for role, light in LIGHT.items():
        if value.lower() == light:
            fallback = f"var({_LAB[role]},{light})" if role in _LAB else light
            return f"var(--{role},{fallback})"
    return value


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2, relative luminance)."""
    bright, dim = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


_SETTINGS: Any = MappingProxyType(
    {
        "axes.axisbelow": True,
        "axes.edgecolor": AXIS,
        "axes.facecolor": "none",
        "axes.grid": False,
        "axes.labelcolor": SOFT,
        "axes.linewidth": 1.0,
        "axes.spines.left": False,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.unicode_minus": True,
        "figure.dpi": 72.0,
        "figure.facecolor": "none",
        "font.family": ["DejaVu Sans"],  # ships with matplotlib: the layout is the same everywhere
        "font.size": SMALL,
        "grid.color": GRID,
        "grid.linewidth": 1.0,
        "lines.linewidth": 2.0,
        "lines.solid_capstyle": "round",
        "path.simplify": True,
        "svg.fonttype": "none",
        "svg.hashsalt": "forecast",
        "text.color": INK,
        "text.parse_math": False,  # a dollar in a name is a dollar
        "xtick.color": AXIS,
        "xtick.labelcolor": SOFT,
        "xtick.major.size": 0.0,
        "xtick.minor.size": 0.0,
        "ytick.color": AXIS,
        "ytick.labelcolor": SOFT,
        "ytick.major.size": 0.0,
        "ytick.minor.size": 0.0,
    }
)


@contextmanager
def drawing() -> Iterator[None]:
    """Draw with the suite's settings, whatever a user's are, and leave the user's as they were."""
    import warnings

    import matplotlib as mpl

    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # the page's own fonts have them
        yield
