"""What the explorer knows of a day, each thing worked out once: snapshot, forecast taken apart, deals, events."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import pandas as pd

from forecast.data.known.snapshot import Snapshot, snapshot
from forecast.data.schema import Log
from forecast.errors import DataError
from forecast.models.pipeline.deals import win_probabilities
from forecast.reporting.charts.flags import dated
from forecast.reporting.explorer.deal_table import open_deals
from forecast.reporting.explorer.levers import JointPlanning, joint_planning
from forecast.reporting.explorer.scenario import Base, Levers, Scenario, base, scenario

_DAYS_BACK = 24
_KEPT = 16
"""Scenarios of a day that are kept."""


class Day:
    """One day of a log.

    Parameters
    ----------
    log : the company's tables. day : the ISO day. months : months ahead. seed : of the draws.
    deals : its win probabilities, where they are there already. planning : its row of the table `planning`, likewise.
    """

    def __init__(
        self,
        log: Log,
        day: str,
        *,
        months: int,
        seed: int,
        deals: pd.DataFrame | None = None,
        planning: pd.DataFrame | None = None,
    ) -> None:
        self.day, self.planning = day, planning
        self._log, self._months, self._seed, self._deals = log, months, seed, deals
        self._scenarios: dict[tuple[Levers, bool], Scenario] = {}

    @cached_property
    def snap(self) -> Snapshot:
        """What was known on the day."""
        return snapshot(self._log, as_of=self.day)

    @cached_property
    def _base(self) -> Base | DataError:
        try:
            return base(self.snap, months=self._months, seed=self._seed)
        except DataError as error:
            return error

    @property
    def base(self) -> Base:
        """Its forecast taken apart. Raises DataError where the data are too thin, saying what is needed."""
        if isinstance(self._base, DataError):
            raise self._base
        return self._base

    @property
    def is_thin(self) -> bool:
        """Whether the data are too thin for a forecast."""
        return isinstance(self._base, DataError)

    @cached_property
    def deals(self) -> pd.DataFrame:
        """Its open deals with their chances."""
        ready = self._deals
        found = win_probabilities(self.snap, months=self._months, seed=self._seed) if ready is None else ready
        return open_deals(self.snap, found)

    @cached_property
    def open_ids(self) -> set[str]:
        """The opportunity_id of its open deals."""
        known = self.snap.opportunities
        return set(known.loc[known["outcome"] == "open", "opportunity_id"])

    @cached_property
    def products(self) -> list[str]:
        """The products of its open deals, sorted."""
        known = self.snap.opportunities
        if "product" not in known:
            return []
        return sorted({str(value) for value in known.loc[known["outcome"] == "open", "product"].dropna()})

    @cached_property
    def events(self) -> pd.DataFrame | None:
        """Its events, as charts flag them."""
        return dated(self.snap)

    def joint_planning(self) -> JointPlanning:
        """Return the lever of joint planning as it stands. Raises DataError as `base` does."""
        return joint_planning(self.planning, self.snap, self.base.segments)

    def scenario(self, levers: Levers) -> Scenario:
        """Return the forecast with the levers moved; the last few asked for are kept. Raises as `scenario` does."""
        joint = self.joint_planning()
        asked = (levers, levers.joint_planning and joint.offered)
        if asked not in self._scenarios:
            self._scenarios[asked] = scenario(self.base, levers, width=joint.width if asked[1] else None)
            for oldest in list(self._scenarios)[:-_KEPT]:
                del self._scenarios[oldest]
        return self._scenarios[asked]


def days_back(log: Log, first: str) -> list[str]:
    """Return the days to choose from: the first, and month ends before it while the company had any deal."""
    calendar, day = log.company.periods, pd.Timestamp(first)
    ends = [calendar.end(calendar.period(day) - back) for back in range(1, _DAYS_BACK)]
    begin = log.opportunities["created_on"].min()
    return [first, *(str(end.date()) for end in ends if begin <= end < day)]


class Days:
    """The days of a log that were looked at; `make` : a day that was not yet."""

    def __init__(self, make: Callable[[str], Day]) -> None:
        self._make, self._known = make, dict[str, Day]()

    def __getitem__(self, day: str) -> Day:
        if day not in self._known:
            self._known[day] = self._make(day)
        return self._known[day]
