"""A finished table -> a chart with its words. Nothing is computed here; each picture says what it found in its title.

    from forecast.reporting.pages import plots
    plots.bookings_fan(table, company=log.company, as_of=snap.as_of)

Every function returns a `Chart`, or, where there is nothing to draw, a `Statement` that says why.
"""

from __future__ import annotations

from forecast.reporting.charts.figure import Cards, Chart, Folds, Notes, Statement, TableView, Together
from forecast.reporting.pages.audit import timeline
from forecast.reporting.pages.bookings.attention import attention_deals
from forecast.reporting.pages.bookings.changes import moved_deals, waterfall
from forecast.reporting.pages.bookings.charts import addends, bookings_fan, plan_dots
from forecast.reporting.pages.movement import movement
from forecast.reporting.pages.odds import calibration, deal_odds
from forecast.reporting.pages.scorecard import scorecard
from forecast.reporting.pages.segments import segments, small_multiples
from forecast.reporting.pages.track.charts import accuracy, track_record
from forecast.reporting.pages.value_added.ladder import ladder

__all__ = [
    "Cards",
    "Chart",
    "Folds",
    "Notes",
    "Statement",
    "TableView",
    "Together",
    "accuracy",
    "addends",
    "attention_deals",
    "bookings_fan",
    "calibration",
    "deal_odds",
    "ladder",
    "moved_deals",
    "movement",
    "plan_dots",
    "scorecard",
    "segments",
    "small_multiples",
    "timeline",
    "track_record",
    "waterfall",
]
