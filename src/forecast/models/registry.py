"""The forecasters and the names they go by."""

from __future__ import annotations

import importlib
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

from forecast.errors import ParameterError, nearest

if TYPE_CHECKING:
    import pandas as pd

    from forecast.data.snapshots import Snapshot

_HOME = {
    "pipeline": ("forecast.models.bookings", "forecast_bookings"),
    "pipeline-sales-only": ("forecast.models.bookings", "forecast_bookings"),
    "ets": ("forecast.models.baselines", "ets"),
    "seasonal-naive": ("forecast.models.baselines", "seasonal_naive"),
    "stage-weighted": ("forecast.models.baselines_stages", "stage_weighted"),
    "stage-weighted-future": ("forecast.models.baselines_stages", "stage_weighted_future"),
    "stage-age": ("forecast.models.baselines_stages", "stage_age"),
}
MODELS = tuple(_HOME)
"""Names of the forecasters; `submitted-<submitter>` is one more for every submitter."""

SUBMITTED = "submitted"


class Forecaster(Protocol):
    """What makes a forecast from what was known."""

    def __call__(self, snap: Snapshot, *, months: int, seed: int) -> pd.DataFrame:
        """Return a forecast table of the months 1 to `months` ahead (and 0 mid-month) and the quarters they complete.

        Numbers are nan where the forecaster abstains; `attrs["notes"]` then says why.
        """
        ...


def forecaster(name: str) -> Forecaster:
    """Return the forecaster of a name; its module is loaded now, not before.

    Raises
    ------
    ParameterError : there is none of that name; the message names the nearest.
    """
    submitter = name.removeprefix(f"{SUBMITTED}-")
    if name != submitter and submitter.strip():
        function = importlib.import_module("forecast.models.baselines").submitted
        return cast(Forecaster, partial(function, submitter=submitter))
    if name not in _HOME:
        known = [*MODELS, f"{SUBMITTED}-sales"]
        raise ParameterError(f"model: there is no forecaster {name!r}; {nearest(name, known)}")
    module, attribute = _HOME[name]
    function = getattr(importlib.import_module(module), attribute)
    if name == "pipeline-sales-only":
        function = partial(function, marketing=False)
    return cast(Forecaster, function)
