"""The forecasters and the names they go by."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

from forecast.data.submissions import name_key
from forecast.errors import ParameterError, nearest
from forecast.models.own.answer import table_of
from forecast.models.own.model import Function, OwnModel, own_model
from forecast.models.own.named import named, names_of_entry_points
from forecast.models.tables import month_targets
from forecast.seeds import check_seed

if TYPE_CHECKING:
    import pandas as pd

    from forecast.data.known.ledger import KnownState
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

Given = str | Function | tuple[str, Function] | OwnModel
"""How a forecaster is given: by a name, or a model of one's own by its function, or `(name, function)`."""


def own_among(names: Iterable[str]) -> list[str]:
    """Return which names of a table's models are of models of one's own, each once, in their order."""
    return [name for name in dict.fromkeys(names) if name not in _FORECASTERS and not name.startswith(f"{SUBMITTED}-")]


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


def forecaster(given: Given) -> Forecaster:
    """Return the forecaster of a name, or of one's own; its module is loaded now, not before.

    given : a name of ours, `package.module:mine`, an entry point of the group `forecast.models`, a function
        `mine(snap, *, months, seed)`, or `(name, function)`.

    Raises
    ------
    ParameterError : there is none of that name (the message names the nearest), or it is no such function.
    """
    walk = at_origins(given)

    def at(snap: Snapshot, *, months: int, seed: int) -> pd.DataFrame:
        return next(iter(walk(snap, origins=[snap.as_of], months=months, seed=seed))).frame()

    return at


def at_origins(given: Given) -> ForecasterAtOrigins:
    """Return a forecaster for several origins at once; one of one's own takes a snapshot's own day alone.

    Raises as `forecaster` does.
    """
    name = own_or_name(given)
    if isinstance(name, OwnModel):
        return partial(_own, name)
    submitter = name.removeprefix(f"{SUBMITTED}-")
    if name != submitter and submitter.strip():
        function = importlib.import_module("forecast.models.baselines.series").submitted
        return partial(_each, partial(function, submitter=submitter))
    if name not in _FORECASTERS:
        known = [*MODELS, f"{SUBMITTED}-sales", *names_of_entry_points()]
        raise ParameterError(
            f"model: there is no forecaster {name!r}; {nearest(name, known)}\n"
            "  mend: one of these, or package.module:function for one of your own"
        )
    module, attribute = _FORECASTERS[name]
    function = getattr(importlib.import_module(module), attribute)
    if name in _BY_STATE:
        return partial(_each, function)
    if name == "pipeline-sales-only":
        function = partial(function, marketing=False)
    return cast(ForecasterAtOrigins, function)


def own_or_name(given: Given) -> OwnModel | str:
    """Return the model of one's own that was given, as a function or by the name of one; a name of ours as it is.

    Raises ParameterError where it is no function that can be called so, or is called like a forecaster of ours.
    """
    if isinstance(given, str):
        is_ours = given in _FORECASTERS or given == SUBMITTED or given.startswith(f"{SUBMITTED}-")
        found = None if is_ours else named(given)
        if found is None:
            return given
    else:
        found = own_model(given)
    key = name_key(found.name)
    if key in _FORECASTERS or key == SUBMITTED or key.startswith(f"{SUBMITTED}-"):
        raise ParameterError(
            f"models: {found.name!r} is the name of a forecaster of ours\n  mend: rename it, or give (name, function)"
        )
    return found


def _own(
    model: OwnModel, snap: Snapshot, *, origins: Sequence[pd.Timestamp], months: int, seed: int
) -> Iterator[NotedTable]:
    """Yield the table of a model of one's own, as of the snapshot's day: of an earlier one it would need another."""
    if list(origins) != [snap.as_of]:
        raise ValueError(f"{model.name}: a snapshot of {snap.as_of:%Y-%m-%d} is none of {list(origins)}")
    yield own_table(model, snap, snap.state, months=months, seed=seed)


def own_table(model: OwnModel, snap: Snapshot, state: KnownState, *, months: int, seed: int) -> NotedTable:
    """Return the forecast table of a model of one's own.

    snap, state : the same knowledge. Raises ModelError: it raised, or what it returned is no forecast; and
    ParameterError where months or seed is out of range.
    """
    month_targets(state, months)
    answer = model.answer(snap, months=months, seed=check_seed(seed))
    return table_of(answer, model=model.name, state=state, months=months)


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
