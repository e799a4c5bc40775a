"""One palette, one typographic scale, for every chart and page.

Each colour has a role and a value for light and for dark. Charts are drawn in the light values; on the page each
becomes a CSS variable of that role, so that one picture serves both. The four hues are those of Okabe and Ito (2008),
darkened where they fall short of a contrast of 3:1 for marks and 4.5:1 for text on white.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
