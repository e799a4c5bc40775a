"""Quiet flags above an axis of time: what a company did or met in the months shown, as known on the day of the page.

    known = dated(snap)                                  # the events known, and the starts of joint planning
    flags = flags_of(known, periods, company=..., name="months")
    chart(..., flags=flags)                              # in the picture, under it, and beside its data

Simple case: an event has a letter at its first day, a thin line down from there, and a bar as long as it lasts; where
there is room its kind stands behind the letter. A chart of the whole company shows what is about no single segment; one
of a segment also what is about it, and when it began to plan jointly. Of more than `MOST` the latest have a letter, the
others stand in the table and are counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from forecast import sources, wording
from forecast.calendar import parse_periods
from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import TOTAL, Company
from forecast.reporting.charts.figure import TableView
from forecast.reporting.charts.style import EVENT, SMALL

MOST = 6
"""Events of a chart that have a letter."""

KINDS: Mapping[str, str] = MappingProxyType(
    {"from": "datetime64[us]", "to": "datetime64[us]"} | dict.fromkeys(("segment", "product", "kind", "text"), "str")
)
"""The columns of events as they are flagged, and their kinds."""

_ROW, _LANE, _GAP = 16.0, 5.0, 4.0
"""Pixels of the row of letters, of a row of bars, and between them and what else stands above the axes."""

_MONTH = re.compile(r"\d{4}-\d{2}")

_LANES = 3
"""Rows of bars at most; of more that overlap the last row holds several."""

_LETTER, _SPACE = 13.0, 8.0
"""Pixels from a letter to the next, or to its kind, and between the words of two flags."""

_KIND = 22
"""Characters of a kind in the picture."""


@dataclass(frozen=True, kw_only=True)
class Flag:
    """An event on an axis of time: its letter and kind, and where it begins and ends in the units of the axis.

    kind : carries where it stands, unless it is cut short.

    begins : -inf where that was before the axis begins. ends : inf after it ends, NaN without an end that is known.
    """

    letter: str
    kind: str
    begins: float
    ends: float


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What is flagged in a chart; nothing by default.

    marks : in the picture, by their first day. sentences : (letter, what it stands for); the letter is empty for what
    is said of the others. table : all events of the chart, also those without a letter.
    """

    marks: tuple[Flag, ...] = ()
    sentences: tuple[tuple[str, str], ...] = ()
    table: TableView | None = None

    @property
    def lanes(self) -> list[int]:
        """The row in which the bar of each mark lies, -1 without an end; bars that overlap lie in several rows."""
        lanes, free_from = [], [-np.inf] * _LANES
        for mark in self.marks:
            free = [i for i, place in enumerate(free_from) if place <= mark.begins]
            lane = -1 if np.isnan(mark.ends) else free[0] if free else _LANES - 1
            if lane >= 0:
                free_from[lane] = max(free_from[lane], mark.ends)
            lanes.append(lane)
        return lanes

    @property
    def height(self) -> float:
        """The pixels that the flags need above whatever else a picture holds."""
        return _ROW + _LANE * (max(self.lanes) + 1) + _GAP if self.marks else 0.0

    @property
    def description(self) -> str:
        """The flags for those who cannot see them; empty where there are none."""
        told = "; ".join(f"{letter}: {words}" if letter else words for letter, words in self.sentences)
        return f"{FLAGGED} {told}." if told else ""

    def titled(self, title: str) -> TableView | None:
        """Return the table named after its chart, which tells it from others of a page; None where there is none."""
        return None if self.table is None else replace(self.table, caption=f"{self.table.caption}: {title}")


NO_FLAGS = Flags()


def dated(snap: Snapshot) -> pd.DataFrame:
    """Return what is known to have a day on the day of a snapshot: events, and starts of joint planning by segment.

    One row each, by first day: from, to (empty without an end), segment and product (empty = all), kind, text.
    """
    parts = [] if snap.events is None else [snap.events]
    if snap.joint_planning is not None:
        begun = snap.joint_planning[snap.joint_planning["adopted_on"].notna()]
        starts = pd.DataFrame({"from": begun["adopted_on"], "segment": begun["segment"]})
        parts.append(starts.assign(kind=START, text=START_TEXT))
    typed = [part.reindex(columns=list(KINDS)).astype(dict(KINDS)) for part in parts if len(part)]
    if not typed:
        return pd.DataFrame(columns=list(KINDS)).astype(dict(KINDS))
    return pd.concat(typed).sort_values(["from", "segment", "text"], kind="stable", ignore_index=True)


# -- which events a chart shows -------------------------------------------------------------------------

_Axis = Callable[[pd.Timestamp], float]
"""Where a day is on an axis of time: -inf before it begins, inf after it ends."""


def flags_of(
    events: pd.DataFrame | None, periods: Sequence[str], *, company: Company, name: str, segment: str = TOTAL
) -> Flags:
    """Return the flags of a chart in which a month's place on the axis is its position in a list of months.

    events : as `dated` gives them; None for none. periods : months such as 2026-10, rising. name : of the chart's
    table, after which that of its events is called, where they are not those of a month's file. segment : whose chart
    it is.
    """
    return panel_flags(events, {segment: periods}, company=company, name=name)[segment]


def panel_flags(
    events: pd.DataFrame | None, panels: Mapping[str, Sequence[str]], *, company: Company, name: str
) -> dict[str, Flags]:
    """Return the flags of each panel of a chart; letters, sentences and table are those of the whole chart.

    Parameters as `flags_of` takes them; panels : segment -> the months on its axis.
    """
    return _flags(events, {segment: _of_months(periods, company) for segment, periods in panels.items()}, name=name)


def flags_of_days(events: pd.DataFrame | None, *, first: float, last: float, name: str) -> Flags:
    """Return the flags of a chart of the company whose axis counts days since 1970, from `first` to `last`."""

    def place(day: pd.Timestamp) -> float:
        at = float(day.to_datetime64().astype("datetime64[D]").astype(np.int64))
        return -np.inf if at < first else np.inf if at > last else at

    return _flags(events, {TOTAL: place}, name=name)[TOTAL]


def _of_months(periods: Sequence[str], company: Company) -> _Axis:
    """Return the axis of months: the i-th reaches from i - 0.5 to i + 0.5, a day lies in it as far as it is over.

    Bars that are no months (`overdue` before them, `later` after) keep their places and hold no day.
    """
    calendar, places = company.periods, [i for i, label in enumerate(periods) if _MONTH.fullmatch(label)]
    numbers = np.asarray(parse_periods([periods[i] for i in places]), dtype=np.int64)

    def place(day: pd.Timestamp) -> float:
        period = calendar.period(day)
        at = int(np.searchsorted(numbers, period))
        if at == len(numbers) or (at == 0 and period < numbers[0]):
            return np.inf if at == len(numbers) else -np.inf
        start = calendar.start(period)
        over = (day - start).days / (calendar.start(period + 1) - start).days if numbers[at] == period else 0.0
        return places[at] - 0.5 + over

    return place


def _flags(events: pd.DataFrame | None, axes: Mapping[str, _Axis], *, name: str) -> dict[str, Flags]:
    """Return the flags of each panel by its segment. Simple case: one panel, and no more events than letters."""
    if events is None:
        return dict.fromkeys(axes, NO_FLAGS)
    seen = {segment: _seen(events, segment, place) for segment, place in axes.items()}
    shown = sorted({row for found in seen.values() for row in found})
    if not shown:
        return dict.fromkeys(axes, NO_FLAGS)

    # All starts of joint planning share one letter.
    groups = {row: START if events.at[row, "kind"] == START else row for row in shown}
    latest = set(list(dict.fromkeys(reversed(groups.values())))[:MOST])
    lettered = [group for group in dict.fromkeys(groups.values()) if group in latest]
    letter = {group: chr(ord("a") + i) for i, group in enumerate(lettered)}
    of_row = {row: letter[group] for row, group in groups.items() if group in letter}

    table = events.loc[shown, list(KINDS)].assign(flag=pd.Series(of_row, dtype="str"))
    if sources.table_of(events):  # of a month's file: the rows keep their places there
        table.attrs = dict(events.attrs)
    else:
        table = sources.named(table, f"{name}_events", texts=[name for name in KINDS if KINDS[name] == "str"])
    heads = {column: head for column, head in HEADS.items() if table[column].notna().any()}
    words = tuple(_sentences(table))
    kind = dict(zip(shown, (sources.shortened(text, _KIND) for text in sources.texts(table, "kind")), strict=True))
    view = TableView(table, CAPTION, columns=heads, brief=True)
    return {
        segment: Flags(
            marks=tuple(
                Flag(letter=of_row[row], kind=kind[row], begins=begins, ends=ends)
                for row, (begins, ends) in found.items()
                if row in of_row
            ),
            sentences=words,
            table=view,
        )
        for segment, found in seen.items()
    }


def _seen(events: pd.DataFrame, segment: str, place: _Axis) -> dict[Any, tuple[float, float]]:
    """Return row -> (begins, ends) of the events about the company or a segment that are on an axis at any time."""
    found = {}
    for event in events[events["segment"].isna() | (events["segment"] == segment)].to_dict("index").items():
        row, values = event
        ends = place(values["to"] + pd.Timedelta(days=1)) if wording.known(values["to"]) else np.nan
        begins = place(values["from"])
        if begins < np.inf and (begins > -np.inf or ends > -np.inf):
            found[row] = (begins, ends)
    return found


# -- how they are drawn ---------------------------------------------------------------------------------


def draw_flags(axes: Axes, flags: Flags, *, inside: bool = False) -> None:
    """Draw the flags over an axis of time: letters in a row, under them bars, and a thin line down from each beginning.

    For after the limits of the axes are set. They stand at the top of the picture, in the pixels that `Flags.height`
    asked for; inside : at the top of the axes themselves, as in a panel.
    """
    low, high = (float(edge) for edge in axes.get_xlim())
    pairs = [
        (mark, lane)
        for mark, lane in zip(flags.marks, flags.lanes, strict=True)
        if mark.begins < high and (mark.begins >= low or mark.ends > low)
    ]
    box, across_of = axes.get_window_extent(), axes.transData.transform
    top = (box.y1 if inside else axes.figure.bbox.height) - box.y0
    look: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "clip_on": False}
    for mark, lane in pairs:
        begins = max(mark.begins, low)
        if mark.begins >= low:
            line = EVENT.line | {"linewidth": 0.9, "solid_capstyle": "butt"}
            axes.plot([begins] * 2, [0, (top - _ROW) / box.height], **line, **look, zorder=1.2)
        if lane >= 0:
            y = (top - _ROW - _LANE * lane - 1.5) / box.height
            axes.plot([begins, min(mark.ends, high)], [y, y], **EVENT.bar, **look, linewidth=3, zorder=1.3)
    lefts = [float(across_of((max(mark.begins, low), 0))[0]) - 3 for mark, _ in pairs]
    edge = axes.figure.bbox.width if not inside else box.x1
    for text, left in _labels([mark for mark, _ in pairs], lefts, end=edge):
        x = float(axes.transData.inverted().transform((left, 0))[0])
        place = (x, (top - _ROW / 2) / box.height)
        axes.text(*place, text, color=EVENT.name, fontsize=SMALL, va="center", ha="left", **look, zorder=5)


def _labels(marks: Sequence[Flag], lefts: Sequence[float], *, end: float) -> list[tuple[str, float]]:
    """Return (text, left edge in pixels) of what is written: letters, and behind them kinds where all have room.

    lefts : where each would begin, rising. end : where the picture does.
    """
    letters = [mark.letter for mark in marks]
    reach = [
        left + _LETTER + 0.6 * SMALL * len(sources.plain(mark.kind)) for mark, left in zip(marks, lefts, strict=True)
    ]
    following = [*lefts, end + _SPACE][1:]
    if any(right + _SPACE > left for right, left in zip(reach, following, strict=True)):
        return list(zip(letters, apart(lefts, gap=_LETTER, end=end - _LETTER), strict=True))
    kinds = [(mark.kind, left + _LETTER) for mark, left in zip(marks, lefts, strict=True)]
    return [*zip(letters, lefts, strict=True), *kinds]


def apart(wanted: Sequence[float], *, gap: float, end: float) -> list[float]:
    """Return places in the order of the wanted ones, which rise, at least `gap` apart: each as far right of its own as
    it must, and where the last would pass `end` all that must left of it.

    >>> apart([0, 1, 50], gap=10, end=40)
    [0, 10, 40]
    """
    placed: list[float] = []
    for place in wanted:
        placed.append(max(place, placed[-1] + gap) if placed else place)
    limit = end
    for i in range(len(placed) - 1, -1, -1):
        placed[i] = min(placed[i], limit)
        limit = placed[i] - gap
    return placed


# -- sentences ------------------------------------------------------------------------------------------

START, START_TEXT = "joint planning", "begins to plan jointly"
"""The kind and the text of a segment's first day of joint planning."""

FLAGGED = "Flags:"
CAPTION = "Events flagged"
HEADS = {
    "flag": "flag",
    "from": "from",
    "to": "to",
    "segment": "segment",
    "product": "product",
    "kind": "kind",
    "text": "what",
}
"""What is written beside the flags, and over the columns of their table."""

LONGEST = 200
"""Characters of an event's text under a chart; the table has all of it."""


def _sentences(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return (letter, what it stands for) of the events with a letter, and what is said of those without.

    table : `KINDS` and flag, with a name.
    """
    kinds, texts, segments = (sources.texts(table, name) for name in ("kind", "text", "segment"))
    found: dict[str, str] = {}
    for i, row in enumerate(table.to_dict("records")):
        letter = row["flag"]
        if not wording.known(letter):
            continue
        if row["kind"] == START:
            start = f"{segments[i]} {wording.day(row['from'])}"
            found[letter] = f"{found[letter]}, {start}" if letter in found else STARTS.format(start)
        else:
            found[letter] = EVENT_WORDS.format(sources.shortened(texts[i], LONGEST), kinds[i], _when(row))
    others = table[table["flag"].isna()]
    rest = wording.plural(sources.count(others), MORE) if len(others) else ""
    return [*found.items(), *([("", WITH_THE_DATA.format(rest))] if rest else [])]


STARTS = "joint planning begins: {}"
EVENT_WORDS = "{} ({}, {})"
MORE = "earlier event"
WITH_THE_DATA = "and {}, in the data of this chart"


def _when(event: Mapping[Any, Any]) -> str:
    """Return the days of an event: one day, from a day to another, or from a day on."""
    first, last = event["from"], event["to"]
    if not wording.known(last):
        return f"from {wording.day(first)}"
    return wording.day(first) if first == last else f"{wording.day(first)} to {wording.day(last)}"
