"""The axes of every chart: months, money, shares, rows with names; round numbers and few ticks."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MaxNLocator

from forecast import wording
from forecast.calendar import Calendar, parse_period
from forecast.data.schema import Company
from forecast.reporting.charts.figure import Format
from forecast.reporting.charts.style import AXIS, GRID, INK


def money_axis(axes: Axes, largest: float, *, currency: str, axis: str = "y", ticks: int = 5) -> str:
    """Put round amounts on an axis, without units, and return the unit for the subtitle."""
    scale, unit = wording.axis_unit(largest, currency=currency)
    target = axes.yaxis if axis == "y" else axes.xaxis
    target.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 2.5, 5, 10]))
    target.set_major_formatter(FuncFormatter(lambda value, _: wording.number(round(value / scale, 6))))
    axes.grid(True, axis=axis, color=GRID)  # type: ignore[arg-type]
    return unit


def money_formats(table: pd.DataFrame, company: Company, *, p: str = "") -> dict[str, Format]:
    """Return how the amounts of a table are worded, and its column `p` of probabilities."""
    numbers = [name for name in table.columns if pd.api.types.is_float_dtype(table[name].dtype)]
    formats: dict[str, Format] = {
        name: lambda v: wording.money(v, currency=company.currency) for name in numbers if name != p
    }
    if p in table:
        formats[p] = wording.chance
    return formats


def share_axis(axes: Axes, *, axis: str = "y", ticks: int = 5, sign: bool = False) -> None:
    """Put round percentages on an axis."""
    target = axes.yaxis if axis == "y" else axes.xaxis
    target.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 2.5, 5, 10]))
    target.set_major_formatter(FuncFormatter(lambda value, _: wording.percent(round(value, 6), sign=sign)))
    axes.grid(True, axis=axis, color=GRID)  # type: ignore[arg-type]


def month_axis(axes: Axes, periods: Sequence[str], *, calendar: Calendar | None = None, most: int = 12) -> None:
    """Name months under an axis whose values are positions in `periods`; the year where it begins; quarters marked."""
    every = next(step for step in (1, 2, 3, 6, 12, 24, 48) if len(periods) / step <= most)
    offset = next((i for i, period in enumerate(periods) if (parse_period(period) % 12) % every == 0), 0)
    shown = list(range(offset % every, len(periods), every))
    labels, year = [], ""
    for i in shown:
        year_before, year = year, periods[i][:4]
        labels.append(wording.short_month(periods[i]) + (f"\n{year}" if year != year_before else ""))
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_major_formatter(FixedFormatter(labels))
    axes.set_xlim(-0.6, len(periods) - 0.4)
    if calendar is not None and every == 1:
        for i, period in enumerate(periods):
            if i and calendar.quarter_position(parse_period(period)) == 0:
                axes.axvline(i - 0.5, color=GRID, linewidth=1, zorder=0)


def zero_line(axes: Axes, *, vertical: bool = False, at: float = 0.0) -> None:
    """Draw the line of zero, stronger than the grid."""
    (axes.axvline if vertical else axes.axhline)(at, color=AXIS, linewidth=1.2, zorder=1.5)


def row_axis(axes: Axes, names: Sequence[str], *, most: int = 24) -> None:
    """Name rows from the top down; the axis's values are positions in `names`."""
    axes.yaxis.set_major_locator(FixedLocator(range(len(names))))
    axes.yaxis.set_major_formatter(FixedFormatter([wording.label(name, most=most) for name in names]))
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.spines["bottom"].set_visible(False)


def width_of(names: Sequence[str], *, most: int = 24, pixel: float = 7.0) -> float:
    """Return about how many pixels the longest of some names needs."""
    return 14 + pixel * max((len(wording.label(name, most=most)) for name in names), default=0)
