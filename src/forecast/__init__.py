"""forecast: sales forecasts in notebooks, and whether planning together made them better.

The names below load on first use, so that `import forecast` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forecast.data.audit.slips import slips
    from forecast.data.known.settled import settled_actuals
    from forecast.data.known.snapshot import Snapshot, snapshot
    from forecast.data.schema import Company, Log
    from forecast.data.selection.reading import read
    from forecast.data.selection.select import select
    from forecast.evaluation.backtest import backtest
    from forecast.evaluation.by_level import backtest_by_level
    from forecast.evaluation.changed import changes_forecast
    from forecast.evaluation.own.landmarks import landmarks
    from forecast.evaluation.people.overrides import overrides
    from forecast.evaluation.people.value import value_of_judgement
    from forecast.evaluation.planning.effect import planning_effect, planning_errors
    from forecast.evaluation.scores.deals import deal_track, second_opinion
    from forecast.evaluation.scores.scoring import score, summarise
    from forecast.models.hierarchy.forecast import forecast_by_level
    from forecast.models.pipeline.bookings import forecast_bookings
    from forecast.models.pipeline.deals import win_probabilities
    from forecast.reporting.explorer.override_file import write_override
    from forecast.reporting.explorer.what_if import what_if
    from forecast.reporting.pages.bookings.slide import bookings_chart

__version__ = "0.2.0"

_HOME = {
    "Company": "forecast.data.schema",
    "Log": "forecast.data.schema",
    "Snapshot": "forecast.data.known.snapshot",
    "backtest": "forecast.evaluation.backtest",
    "backtest_by_level": "forecast.evaluation.by_level",
    "bookings_chart": "forecast.reporting.pages.bookings.slide",
    "changes_forecast": "forecast.evaluation.changed",
    "deal_track": "forecast.evaluation.scores.deals",
    "forecast_bookings": "forecast.models.pipeline.bookings",
    "forecast_by_level": "forecast.models.hierarchy.forecast",
    "landmarks": "forecast.evaluation.own.landmarks",
    "overrides": "forecast.evaluation.people.overrides",
    "planning_effect": "forecast.evaluation.planning.effect",
    "planning_errors": "forecast.evaluation.planning.effect",
    "read": "forecast.data.selection.reading",
    "score": "forecast.evaluation.scores.scoring",
    "second_opinion": "forecast.evaluation.scores.deals",
    "select": "forecast.data.selection.select",
    "settled_actuals": "forecast.data.known.settled",
    "slips": "forecast.data.audit.slips",
    "snapshot": "forecast.data.known.snapshot",
    "summarise": "forecast.evaluation.scores.scoring",
    "value_of_judgement": "forecast.evaluation.people.value",
    "what_if": "forecast.reporting.explorer.what_if",
    "win_probabilities": "forecast.models.pipeline.deals",
    "write_override": "forecast.reporting.explorer.override_file",
}

__all__ = [
    "Company",
    "Log",
    "Snapshot",
    "backtest",
    "backtest_by_level",
    "bookings_chart",
    "changes_forecast",
    "deal_track",
    "forecast_bookings",
    "forecast_by_level",
    "landmarks",
    "overrides",
    "planning_effect",
    "planning_errors",
    "read",
    "score",
    "second_opinion",
    "select",
    "settled_actuals",
    "slips",
    "snapshot",
    "summarise",
    "value_of_judgement",
    "what_if",
    "win_probabilities",
    "write_override",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'forecast' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
