"""What may change in a simulated company: the kinds of change, their sizes, and how one is written.

A company has none by default. What each kind does to it is in docs/methods/simulation.md; `changes/regime` lays
the changes of the process out over its months.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from forecast.calendar import parse_period
from forecast.errors import ParameterError, nearest


@dataclass(frozen=True, kw_only=True)
class Sort:
    """What one kind of change takes: its size, and whether it has a month, a segment or an announcement.

    size : the size where none is given; None where it has none. low, high : bounds of it. whole : it is a number of
    months. dated : it begins in a month that may be chosen. local : it may be for one segment. told : it may be
    announced, and is unless the change says otherwise.
    """

    meaning: str
    size: float | None = None
    low: float = 0.0
    high: float = 1.0
    whole: bool = False
    dated: bool = True
    local: bool = False
    told: bool = False


SORTS = {
    "adopt": Sort(
        meaning="joint planning changes the process where it begins: 1 as described, 2 twice as much in logs",
        size=1.0,
        low=0.0,
        high=3.0,
        dated=False,
        told=True,
    ),
    "break": Sort(meaning="share of the wins that is left from one day on, for good", size=0.55, low=0.05, local=True),
    "seasonal": Sort(
        meaning="winning, amounts and creation follow the month of the year: 1 as described, 2 twice as much in logs",
        size=1.0,
        low=0.0,
        high=2.0,
        dated=False,
    ),
    "drift": Sort(
        meaning="standard deviation of the log rate of winning of each segment, which wanders",
        size=0.35,
        low=0.0,
        high=1.0,
        dated=False,
    ),
    "junk": Sort(
        meaning="for six months one channel brings so many times its leads more, which come to nothing",
        size=4.0,
        low=0.5,
        high=20.0,
        local=True,
    ),
    "price": Sort(
        meaning="amounts of deals created from a month on change by this share, and fewer or more are won",
        size=0.15,
        low=-0.5,
        high=1.0,
        local=True,
        told=True,
    ),
    "closed": Sort(meaning="a segment closes: its open deals are lost and no others are created", local=True),
    "split": Sort(meaning="a segment begins that another one carried until then", local=True),
    "renewals": Sort(
        meaning="contracts that are renewed on a known day, as a share of the other bookings of a usual year",
        size=0.25,
        low=0.01,
        high=1.0,
        dated=False,
    ),
    "migration": Sort(meaning="share of the open deals whose day of creation becomes that of a migration", size=1.0),
    "newcrm": Sort(meaning="share of the open deals that begin anew, without their history, in another CRM", size=1.0),
    "rename": Sort(meaning="a stage has another name from a month on"),
    "unrecorded": Sort(meaning="so many months of history are not recorded", size=3.0, low=1.0, high=12.0, whole=True),
}
"""The kinds of change by name."""

_WRITTEN = re.compile(r"(?P<kind>[a-z]+)(?:=(?P<size>[^@/]+))?(?:@(?P<month>[^/]+))?(?:/(?P<segment>.+))?")


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change of a simulated company, such as `Change(kind="break", size=0.5, month="2024-03", segment="Alps")`.

    kind : a name in `SORTS`. size : what it means is said there; None = the size given there. month : the month with
    whose first day it begins; None = drawn, about the middle of the log. segment : the only one it concerns; None =
    all of them, or a drawn one where it can be only one. announced : False leaves the days of announcement out.
    Raises ParameterError where one of them is out of range, or is not for this kind.
    """

    kind: str
    size: float | None = None
    month: str | None = None
    segment: str | None = None
    announced: bool = True

    def __post_init__(self) -> None:
        if self.kind not in SORTS:
            raise ParameterError(f"change: {self.kind!r} is no kind of change; {nearest(str(self.kind), SORTS)}")
        sort, name = SORTS[self.kind], f"change {self.kind}"
        if self.size is not None:
            if sort.size is None:
                raise ParameterError(f"{name}: it has no size")
            real = isinstance(self.size, (int, float, np.integer, np.floating)) and not isinstance(self.size, bool)
            if not real or not sort.low <= self.size <= sort.high or (sort.whole and self.size != int(self.size)):
                number = "whole number" if sort.whole else "number"
                raise ParameterError(f"{name}: size {self.size!r} is not a {number} from {sort.low:g} to {sort.high:g}")
        if self.month is not None:
            if not sort.dated:
                raise ParameterError(f"{name}: it begins in no month that could be chosen")
            parse_period(self.month)
        if self.segment is not None and not sort.local:
            raise ParameterError(f"{name}: it is not of one segment")
        if not self.announced and not sort.told:
            raise ParameterError(f"{name}: it is never announced")

    @property
    def amount(self) -> float:
        """The size asked for, or the one of its kind; 0 where it has none."""
        size = self.size if self.size is not None else SORTS[self.kind].size
        return float(size or 0.0)


def parse_change(text: str) -> Change:
    """Read a change as written on the command line: `KIND[=SIZE][@MONTH][/SEGMENT]`, such as `break=0.5@2024-03/Alps`.

    Raises ParameterError where it is not written so, or its parts are not for its kind.
    """
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise ParameterError(f"change: {text!r} is not written KIND[=SIZE][@MONTH][/SEGMENT]")
    size = found["size"]
    try:
        number = None if size is None else float(size)
    except ValueError:
        raise ParameterError(f"change: the size {size!r} in {text!r} is not a number") from None
    return Change(kind=found["kind"], size=number, month=found["month"], segment=found["segment"])


def check_changes(changes: Iterable[Change], *, names: tuple[str, ...], first: int, months: int) -> None:
    """Raise ParameterError where the changes do not fit a company: its segments' names, first month and months."""
    kinds: set[str] = set()
    for change in changes:
        if not isinstance(change, Change):
            raise ParameterError(f"changes: {change!r} is not a Change")
        if change.kind in kinds:
            raise ParameterError(f"change {change.kind}: it is given twice")
        kinds.add(change.kind)
        if change.segment is not None and change.segment not in names:
            raise ParameterError(
                f"change {change.kind}: no segment {change.segment!r}; {nearest(change.segment, names)}"
            )
        if change.month is not None and not 1 <= parse_period(change.month) - first < months:
            raise ParameterError(f"change {change.kind}: {change.month} is not after the first month of the log")
    for other in kinds & {"closed", "split"} if "renewals" in kinds else ():
        raise ParameterError(f"change renewals: not together with {other}, which moves contracts that are known")
