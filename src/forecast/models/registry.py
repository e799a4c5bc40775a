"""The forecasters and the names they go by."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

from forecast.errors import ParameterError, nearest

if TYPE_CHECKING:
    import pandas as pd

    from forecast.data.known.snapshot import Snapshot
    from forecast.data.schema import NotedTable

_FORECASTERS = {
    "pipeline": ("forecast.models.pipeline.bookings", "bookings_at_origins"),
    "pipeline-sales-only": ("forecast.models.pipeline.bookings", "bookings_at_origins"),
    "ets": ("forecast.models.baselines.series", "ets"),
    "ets-theta": ("forecast.models.baselines.series", "ets_theta"),
    "ets-statsmodels": ("forecast.models.baselines.statsmodels_series", "ets_statsmodels"),
    "theta-statsmodels": ("forecast.models.baselines.statsmodels_series", "theta_statsmodels"),
    "seasonal-naive": ("forecast.models.baselines.series", "seasonal_naive"),
    "stage-weighted": ("forecast.models.baselines.stages", "stage_weighted"),
    "stage-weighted-future": ("forecast.models.baselines.stages", "stage_weighted_future"),
    "stage-age": ("forecast.models.baselines.stages", "stage_age"),
    "combined": ("forecast.models.combined.combination", "combined_at_origins"),
}
_BY_STATE = ("ets", "ets-theta", "seasonal-naive")
MODELS = tuple(_FORECASTERS)
"""Names of the forecasters; `submitted-<submitter>` is one more for every submitter."""

SUBMITTED = "submitted"


class Forecaster(Protocol):
    """What makes a forecast from what was known."""

    def __call__(self, snap: Snapshot, *, months: int, seed: int) -> pd.DataFrame:
        """Return a forecast table of the months 1 to `months` ahead (and 0 mid-month) and the quarters they complete.

        Numbers are nan where the forecaster abstains; `attrs["notes"]` then says why.
        """
        ...


class ForecasterAtOrigins(Protocol):
    """The same forecaster at several origins in one walk through a snapshot's past."""

    def __call__(
        self, snap: Snapshot, *, origins: Sequence[pd.Timestamp], months: int, seed: int
    ) -> Iterator[NotedTable]:
        """Yield the table of each origin, with its notes: its forecast as of that day.

        origins : ascending, at the same position in their month, none after the snapshot's day.
        """
        ...


def forecaster(name: str) -> Forecaster:
    """Return the forecaster of a name; its module is loaded now, not before.

    Raises
    ------
    ParameterError : there is none of that name; the message names the nearest.
    """
    walk = at_origins(name)

    def at(snap: Snapshot, *, months: int, seed: int) -> pd.DataFrame:
        return next(iter(walk(snap, origins=[snap.as_of], months=months, seed=seed))).frame()

    return at


def at_origins(name: str) -> ForecasterAtOrigins:
    """Return the forecaster of a name for several origins at once. Raises as `forecaster` does."""
    submitter = name.removeprefix(f"{SUBMITTED}-")
    if name != submitter and submitter.strip():
        function = importlib.import_module("forecast.models.baselines.series").submitted
        return partial(_each, partial(function, submitter=submitter))
    if name not in _FORECASTERS:
        known = [*MODELS, f"{SUBMITTED}-sales"]
        raise ParameterError(f"model: there is no forecaster {name!r}; {nearest(name, known)}")
    module, attribute = _FORECASTERS[name]
    function = getattr(importlib.import_module(module), attribute)
    if name in _BY_STATE:
        return partial(_each, function)
    if name == "pipeline-sales-only":
        function = partial(function, marketing=False)
    return cast(ForecasterAtOrigins, function)


def _each(
    function: Callable[..., NotedTable],
    snap: Snapshot,
    *,
    origins: Sequence[pd.Timestamp],
    months: int,
    seed: int,
) -> Iterator[NotedTable]:
    """Yield the table of a forecaster that needs one known state alone."""
    for state in snap.ledger.walk(origins):
        yield function(state, months=months, seed=seed)
