"""What the scorecard is made from, all as known on one day."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from forecast.calendar import Calendar, parse_periods
from forecast.data.known.settled import settled_actuals
from forecast.data.known.snapshot import Snapshot
from forecast.data.rates import at_rates_of
from forecast.data.schema import Log
from forecast.data.submissions import ABSENT, official_forecasts
from forecast.errors import DataError
from forecast.evaluation.scorecard.spans import year_of


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the measures are made from, all as known on one day.

    wins : opportunities known won, with `period` of closing. closed : won or lost, with `period`. official : the last
    official forecast of each segment and month submitted before that month began (segment, target, amount), None
    where there is none; `without_official` says why, empty where nothing was submitted. actuals : settled, rows
    periods, columns segments. issued : every official forecast known, `submissions.COLUMNS`, None where there is none.
    begins : the first month whose wins are in the log.
    """

    snap: Snapshot
    wins: pd.DataFrame
    closed: pd.DataFrame
    official: pd.DataFrame | None
    without_official: str
    actuals: pd.DataFrame
    issued: pd.DataFrame | None = None
    begins: int = 0


def known_of(log: Log, snap: Snapshot) -> Known:
    """Return what the scorecard is made from. snap : of the log, as of the day whose knowledge is used."""
    calendar = snap.calendar
    closed = snap.opportunities[snap.opportunities["outcome"].isin(["won", "lost"])].copy()
    closed["period"] = calendar.period_of(closed["closed_on"])
    settled = settled_actuals(at_rates_of(log, snap.as_of))
    actuals = settled.pivot_table(index="period", columns="segment", values="amount", aggfunc="sum")
    actuals.index = pd.Index(parse_periods(actuals.index))
    last = calendar.last_settled(snap.as_of, settle_days=snap.company.settle_days)
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
        actuals=actuals[actuals.index <= last],
        issued=issued,
        begins=year_of(snap).begins,
    )


def _before_their_month(official: pd.DataFrame, calendar: Calendar) -> pd.DataFrame:
    """Return the last official forecast of each segment and month that was submitted before the month began."""
    starts = {int(period): calendar.start(int(period)) for period in official["target"].unique()}
    early = official[official["submitted_on"] < official["target"].map(starts).astype("datetime64[us]")]
    last = early.sort_values(["segment", "target", "origin"]).drop_duplicates(["segment", "target"], keep="last")
    return last.reset_index(drop=True)
