"""What the scorecard is made from, all as known on one day."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from forecast.calendar import Calendar
from forecast.data.audit.scope import settled_by_month, submitters_of_other_scope
from forecast.data.codes import places
from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import Log
from forecast.data.submissions import ABSENT, official_forecasts
from forecast.errors import DataError
from forecast.evaluation.scorecard.funnel.journeys import proposal_stages
from forecast.evaluation.scorecard.spans import year_of


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the measures are made from, all as known on one day.

    wins : opportunities known won, with `period` of closing. closed : won or lost, with `period`. official : the last
    official forecast of each segment and month submitted before that month began (segment, target, amount), None
    where there is none; `without_official` says why, empty where nothing was submitted. actuals : settled, rows
    periods, columns segments. issued : every official forecast known, `submissions.COLUMNS`, None where there is none.
    begins : the first month whose wins are in the log. other_scope : segment and submitter of forecasts that measure
    something else than what is booked (`data.audit.scope`).
    """

    snap: Snapshot
    wins: pd.DataFrame
    closed: pd.DataFrame
    official: pd.DataFrame | None
    without_official: str
    actuals: pd.DataFrame
    issued: pd.DataFrame | None = None
    begins: int = 0
    other_scope: frozenset[tuple[str, str]] = frozenset()

    @cached_property
    def closed_with_proposal(self) -> pd.DataFrame | None:
        """Those of `closed` that had a proposal out; None where the tables do not say."""
        names, history = proposal_stages(self.snap), self.snap.history
        if history is None or not names:
            return None
        had = history.loc[history["stage"].isin(names), "opportunity_id"].drop_duplicates()
        return self.closed[places(self.closed["opportunity_id"], had) >= 0]

    def of_bookings(self, forecasts: pd.DataFrame) -> pd.DataFrame:
        """Return those of some forecasts (segment, submitter) that are of bookings, as an accuracy can be told of."""
        if not self.other_scope or forecasts.empty:
            return forecasts
        keys = pd.MultiIndex.from_frame(forecasts[["segment", "submitter"]])
        return forecasts[~keys.isin(list(self.other_scope))]


def known_of(log: Log, snap: Snapshot) -> Known:
    """Return what the scorecard is made from. snap : of the log, as of the day whose knowledge is used."""
    calendar = snap.calendar
    closed = snap.opportunities[snap.opportunities["outcome"].isin(["won", "lost"])].copy()
    closed["period"] = calendar.period_of(closed["closed_on"])
    actuals = settled_by_month(log, snap.as_of)
    other = submitters_of_other_scope(log, as_of=snap.as_of, actuals=actuals)
    issued, official, why_none = None, None, ""
    try:
        issued = official_forecasts(log, as_of=snap.as_of)
        official = _before_their_month(issued, calendar)
    except DataError as error:
        why_none = "" if error.problem.what == ABSENT else error.problem.what
    return Known(
        snap=snap,
        wins=closed[closed["outcome"] == "won"],
        closed=closed,
        official=official,
        without_official=why_none,
        actuals=actuals,
        issued=issued,
        begins=year_of(snap).begins,
        other_scope=frozenset((each.segment, each.submitter) for each in other),
    )


def _before_their_month(official: pd.DataFrame, calendar: Calendar) -> pd.DataFrame:
    """Return the last official forecast of each segment and month that was submitted before the month began."""
    starts = {int(period): calendar.start(int(period)) for period in official["target"].unique()}
    early = official[official["submitted_on"] < official["target"].map(starts).astype("datetime64[us]")]
    last = early.sort_values(["segment", "target", "origin"]).drop_duplicates(["segment", "target"], keep="last")
    return last.reset_index(drop=True)
