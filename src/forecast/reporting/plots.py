"""A finished table -> a chart with its words. Nothing is computed here; each picture says what it found in its title.

    from forecast.reporting import plots
    plots.bookings_fan(table, company=log.company, as_of=snap.as_of)

Every function returns a `Chart`, or, where there is nothing to draw, a `Finding` that says why.
"""

from __future__ import annotations

from forecast.reporting.figure import Cards, Chart, Finding, Folds, Notes, Table, Together
from forecast.reporting.plots_bookings import addends, bookings_fan, plan_dots
from forecast.reporting.plots_fva import ladder
from forecast.reporting.plots_months import movement
from forecast.reporting.plots_other import attention_deals, moved_deals, scorecard, timeline, waterfall
from forecast.reporting.plots_planning import effect, event_study, planning_segments
from forecast.reporting.plots_planning_limits import left_out, planning_information, planning_others, power
from forecast.reporting.plots_segments import segments, small_multiples
from forecast.reporting.plots_track import accuracy, calibration, deal_odds, track_record

__all__ = [
    "Cards",
    "Chart",
    "Finding",
    "Folds",
    "Notes",
    "Table",
    "Together",
    "accuracy",
    "addends",
    "attention_deals",
    "bookings_fan",
    "calibration",
    "deal_odds",
    "effect",
    "event_study",
    "ladder",
    "left_out",
    "moved_deals",
    "movement",
    "plan_dots",
    "planning_information",
    "planning_others",
    "planning_segments",
    "power",
    "scorecard",
    "segments",
    "small_multiples",
    "timeline",
    "track_record",
    "waterfall",
]
