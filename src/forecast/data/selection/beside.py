"""The tables beside the deals, cut so that they agree with a selection of these.

Simple case: a segment is chosen as a whole, or not at all; its plan, marketing, leads, submissions, costs and capacity
stay or go with it. The complication: of a segment of which some deals are chosen, nothing says which part of its plan
belongs to these. Such rows are left out, and a note says so: a plan of the whole beside the bookings of a part would
look like a miss.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from forecast.calendar import Calendar, parse_periods
from forecast.data.codes import places
from forecast.data.schema import TOTAL
from forecast.errors import Problem
from forecast.wording import joined, plural

BY_SEGMENT = ("plan", "marketing", "leads", "submitted_forecasts", "costs", "delivery", "joint_planning")
"""Tables whose rows speak of a segment."""

_ALSO_OF_A_PART = ("joint_planning",)
"""When a segment began to plan jointly is as true of a part of it."""

_PERIOD = dict.fromkeys(("plan", "marketing", "costs", "delivery", "quotas"), "period")
_PERIOD |= {"submitted_forecasts": "target_period"}
"""Which period a row of a table is about."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """What is chosen: deals by opportunity_id; names of segments and owners by how much of them is.

    whole, parts : segments of which all deals are chosen, or some. owners : those of whom all deals are, None where
        the deals name none. products : of the chosen deals, None where they name none. everything : whether all deals.
    """

    deals: pd.Series
    whole: frozenset[str]
    parts: frozenset[str]
    owners: frozenset[str] | None
    products: frozenset[str] | None
    everything: bool
    _halved: dict[str, list[str]] = field(default_factory=dict)
    _other: list[Problem] = field(default_factory=list)

    def notes(self) -> list[Problem]:
        """Return what went of the tables that `rows` was asked for, and why."""
        segments = sorted({segment for names in self._halved.values() for segment in names})
        if not segments:
            return self._other
        what = (
            f"{joined(self._halved)} of {joined(segments, most=3)} left out: they are of the whole segment, and only "
            "some of its deals are chosen"
        )
        mend = "bring tables of the chosen part, or choose whole segments"
        return [Problem(what=what, severity="info", mend=mend), *self._other]

    def rows(self, name: str, frame: pd.DataFrame) -> pd.DataFrame | None:
        """Return what stays of a table, None where nothing does."""
        if self.everything:
            return frame
        if name in BY_SEGMENT:
            frame = self._by_segment(name, frame)
        elif name == "quotas":
            frame = self._quotas(frame)
        elif name == "events":
            frame = self._events(frame)
        frame = of_deals(name, frame, self.deals)
        return frame.reset_index(drop=True) if len(frame) else None

    def _by_segment(self, name: str, frame: pd.DataFrame) -> pd.DataFrame:
        kept = self.whole | self.parts if name in _ALSO_OF_A_PART else self.whole
        segment = frame["segment"]
        halved = sorted(set(segment.dropna().unique()) & (self.parts - kept))
        if halved:
            self._halved[name] = halved
        return frame[segment.isin(kept)]

    def _quotas(self, frame: pd.DataFrame) -> pd.DataFrame:
        kept = frame[frame["owner"].isin(self.owners or ())]
        gone = frame["owner"].nunique() - kept["owner"].nunique()
        if gone:
            what = f"left out for {plural(gone, 'owner')}: a quota is about all deals of an owner, not some"
            self._other.append(Problem(what=what, table="quotas", severity="info"))
        return kept

    def _events(self, frame: pd.DataFrame) -> pd.DataFrame:
        stays = np.ones(len(frame), dtype=bool)
        if "segment" in frame:
            stays &= (frame["segment"].isna() | frame["segment"].isin({*self.whole, *self.parts, TOTAL})).to_numpy()
        if "product" in frame and self.products is not None:
            stays &= (frame["product"].isna() | frame["product"].isin(self.products)).to_numpy()
        return frame[stays]


def of_deals(name: str, frame: pd.DataFrame, deals: pd.Series) -> pd.DataFrame:
    """Return the rows of history of some deals, and the leads that became one of these or none; others as they are."""
    if name == "opportunity_history":
        return frame[places(frame["opportunity_id"], deals) >= 0]
    if name == "leads" and "opportunity_id" in frame:
        return frame[frame["opportunity_id"].isna() | (places(frame["opportunity_id"], deals) >= 0)]
    return frame


def since_day(name: str, frame: pd.DataFrame, *, day: pd.Timestamp, calendar: Calendar) -> pd.DataFrame:
    """Return what of a table is about the time from a day on.

    Of tables by period, the periods that begin on the day or later; leads that came in since; events that last.
    """
    if name in _PERIOD:
        return frame[_begins_since(frame[_PERIOD[name]], day, calendar)]
    if name == "leads":
        return frame[frame["created_on"] >= day]
    if name == "events":
        return frame[(frame["from"] >= day) | (frame["to"] >= day if "to" in frame else False)]
    return frame


def _begins_since(labels: pd.Series, day: pd.Timestamp, calendar: Calendar) -> np.ndarray:
    """Return which periods begin on a day or later."""
    names = labels.unique()
    later = {name: calendar.start(int(period)) >= day for name, period in zip(names, parse_periods(names), strict=True)}
    return labels.map(later).to_numpy(dtype=bool)
