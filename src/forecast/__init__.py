"""forecast: sales forecasts in notebooks, and whether planning together made them better.

The names below load on first use, so that `import forecast` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forecast.data.schema import Company, Log
    from forecast.data.snapshots import Snapshot, settled_actuals, snapshot
    from forecast.data.sources.files import read
    from forecast.evaluation.backtest import backtest
    from forecast.evaluation.planning import planning_effect, planning_errors
    from forecast.evaluation.scores import score, summarise
    from forecast.models.bookings import forecast_bookings
    from forecast.models.winprob import win_probabilities

__version__ = "0.1.0"

_HOME = {
    "Company": "forecast.data.schema",
    "Log": "forecast.data.schema",
    "Snapshot": "forecast.data.snapshots",
    "backtest": "forecast.evaluation.backtest",
    "forecast_bookings": "forecast.models.bookings",
    "planning_effect": "forecast.evaluation.planning",
    "planning_errors": "forecast.evaluation.planning",
    "read": "forecast.data.sources.files",
    "score": "forecast.evaluation.scores",
    "settled_actuals": "forecast.data.snapshots",
    "snapshot": "forecast.data.snapshots",
    "summarise": "forecast.evaluation.scores",
    "win_probabilities": "forecast.models.winprob",
}

__all__ = [
    "Company",
    "Log",
    "Snapshot",
    "backtest",
    "forecast_bookings",
    "planning_effect",
    "planning_errors",
    "read",
    "score",
    "settled_actuals",
    "snapshot",
    "summarise",
    "win_probabilities",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'forecast' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
