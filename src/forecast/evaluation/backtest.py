"""The forecasts of past origins as they would have been made then, with what happened.

A loop over explicit origins: what was known at each, every forecaster called by its protocol, the settled actual joined
to the result afterwards. Forecasters see what was known alone, so what happened later cannot reach them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from forecast.calendar import parse_periods
from forecast.data.known.ledger import Ledger, ledger_of
from forecast.data.known.mended import is_known_alike, one_knowledge_each
from forecast.data.known.settled import settled_actuals
from forecast.data.known.snapshot import Snapshot, snapshot
from forecast.data.rates import by_rates
from forecast.data.schema import ADDENDS, FORECAST_COLUMNS, TOTAL, Log, NotedTable
from forecast.data.submissions import name_key, submitters
from forecast.errors import ParameterError, nearest
from forecast.models.combined.combination import (
    COMPONENTS,
    MODEL,
    Made,
    combinations,
    component_names,
    components_made,
    origins_needed,
)
from forecast.models.own.model import OwnModel
from forecast.models.pipeline.bookings import MODEL as PIPELINE
from forecast.models.pipeline.bookings import MODEL_WITHOUT as WITHOUT
from forecast.models.registry import SUBMITTED, ForecasterAtOrigins, Given, at_origins, own_or_name, own_table
from forecast.models.spread.spread import are_several, spread
from forecast.models.tables import abstain

DEFAULT_MODELS = ("pipeline", "ets", "seasonal-naive", "stage-weighted", "stage-weighted-future", "stage-age")


def backtest(
    log: Log,
    *,
    origins: Iterable[str | pd.Timestamp],
    models: Sequence[Given] = DEFAULT_MODELS,
    months: int = 6,
    seed: int = 0,
    on_origin: Callable[[int, int], None] | None = None,
    through: Snapshot | None = None,
    workers: int = 1,
    dask: str = "",
) -> pd.DataFrame:
    """Return the forecasts of every origin and model, with what was booked in the end.

    Parameters
    ----------
    origins : days, or months such as 2025-06 (their last day); no duplicates, none after the log's last day.
    models : names of forecasters, `submitted` for one of every submitter; and models of one's own: a function
        `mine(snap, *, months, seed)`, handed a copy of what was known, which returns segment, target_period, mean and
        any quantiles (or draws), called by its `__name__`, or `(name, function)`: docs/your_own_model.md.
    months : months ahead, as for each forecaster. seed : of every forecaster's draws.
    on_origin : called after each origin with how many are done and how many there are.
    through : a snapshot of a later day with a walk that is kept (`keep_walks`): `pipeline` is read off that where it
        passes the origins and knows of the same breaks in the record. The forecasts are the same.
    workers, dask : let processes of this machine, or the workers of the Dask cluster with this address, make the
        forecasts; each makes those of a forecaster. The result is the same to the bit.

    Returns
    -------
    Forecast table, by origin, then model, with `observed`: settled bookings of the month, segment or `Total` (of all
    segments there are by then); of a quarter only where its three months have settled; nan where not settled yet.
    Rows of a forecaster that abstained are there with nan; `attrs["notes"]` say which, where and why.

    Raises
    ------
    ParameterError : an origin is no date, doubled or beyond the log; a model is unknown or doubled; months or seed is
    out of range; workers or dask cannot be. ModelError : a model of one's own raised, or returned what is no forecast.
    MachineError : as `spread` raises it.

    Examples
    --------
    >>> import forecast
    >>> log = forecast.read("data/sample")
    >>> track = forecast.backtest(log, origins=["2025-06"], models=["ets", "seasonal-naive"], months=3)
    >>> sorted(track["model"].unique()), len(track)
    (['ets', 'seasonal-naive'], 104)
    """
    return track_record(
        log,
        origins=origins,
        models=models,
        months=months,
        seed=seed,
        on_origin=on_origin,
        through=through,
        workers=workers,
        dask=dask,
    ).frame()


def track_record(
    log: Log,
    *,
    origins: Iterable[str | pd.Timestamp],
    models: Sequence[Given] = DEFAULT_MODELS,
    months: int = 6,
    seed: int = 0,
    on_origin: Callable[[int, int], None] | None = None,
    through: Snapshot | None = None,
    workers: int = 1,
    dask: str = "",
) -> NotedTable:
    """Return what `backtest` hands out, with its notes by name.

    Simple case: every origin is a month end, and each forecaster makes its forecasts of all of them in one walk through
    the past. Four complications: an origin inside a month is walked to alone, and so are those that know of other
    breaks in the record (`one_knowledge_each`); on a day before the log's first record nothing was known, so that every
    forecaster abstains; and origins of years with other plan rates are forecast, and what came is converted, at the
    rates of their own year.
    """
    several = are_several(workers=workers, dask=dask)
    days, forecasters = parse_origins(log, origins), _forecasters(log, models)
    by_year = by_rates(log, days)
    if len(by_year) > 1 or by_year[0][0] is not log:
        same: dict[str, Any] = {"models": models, "months": months, "seed": seed, "workers": workers, "dask": dask}
        parts = [track_record(at, origins=list(itertools.compress(days, mine)), **same) for at, mine in by_year]
        return NotedTable(
            table=pd.concat([part.table for part in parts], ignore_index=True),
            notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        )
    ledger = ledger_of(log)
    early = [day for day in days if day < ledger.first_day]
    results = _before_the_log(ledger, early, forecasters, months=months)
    ours = len(results)

    def take(made: Mapping[tuple[pd.Timestamp, str], NotedTable]) -> None:
        for key, result in made.items():
            results[key] = result
            done = len(results) - ours
            if on_origin is not None and done % len(forecasters) == 0:
                on_origin(done // len(forecasters), len(days))

    # On a ledger of its own: what is worked out there is let go before the forecasters work out their own.
    groups = one_knowledge_each(log, days[len(early) :], ledger=replace(ledger))
    if several:
        asked = {name: each.ready() if isinstance(each, OwnModel) else name for name, each in forecasters.items()}
        pieces = [(group, [asked[name] for name in names]) for group in groups for names in _apart(forecasters)]
        shared = (replace(log), months, seed)  # without what is kept of the log for others
        spread(_piece, pieces, workers=workers, dask=dask, shared=shared, on_result=lambda _, made: take(made))
    for group in () if several else groups:
        kept = _off_walk(log, through, group, forecasters, months=months, seed=seed, ledger=ledger)
        for key, result in _of_group(log, ledger, group, forecasters, kept, months=months, seed=seed):
            take({key: result})
    in_order = {key: results[key] for key in itertools.product(days, forecasters)}
    track = pd.concat([result.table for result in in_order.values()], ignore_index=True)
    extra = [name for name in (*ADDENDS, "plan", "p_at_least_plan") if name in track]
    track = track[[*FORECAST_COLUMNS, *extra]].assign(observed=observed(log, track, ledger=ledger))
    return NotedTable(table=track, notes=_notes({key: result.notes for key, result in in_order.items()}))


def _before_the_log(
    ledger: Ledger, days: Sequence[pd.Timestamp], names: Iterable[str], *, months: int
) -> dict[tuple[pd.Timestamp, str], NotedTable]:
    """Return the abstentions of days on which nothing was known yet, by day and forecaster."""
    found = {}
    for state, name in itertools.product(ledger.walk(days) if days else (), names):
        why = f"{name}: nothing was known before the log's first record on {ledger.first_day:%Y-%m-%d}."
        found[state.as_of, name] = abstain(state, model=name, months=months, notes=[why])
    return found


def _apart(names: Collection[str]) -> list[list[str]]:
    """Return forecasters in parts that share no work, the longest first: what is combined goes with its combination."""
    asked = list(names)
    parts_of_it = (
        {*COMPONENTS, *(name for name in asked if name.startswith(f"{SUBMITTED}-"))} if MODEL in asked else set()
    )
    together = [name for name in asked if name == MODEL or name in parts_of_it]
    alone = sorted((name for name in asked if name not in together), key=lambda name: name not in (PIPELINE, WITHOUT))
    return [part for part in (together, *([name] for name in alone)) if part]


def _piece(
    piece: tuple[Sequence[pd.Timestamp], Sequence[Given]], log: Log, months: int, seed: int
) -> dict[tuple[pd.Timestamp, str], NotedTable]:
    """Return the tables of some origins and forecasters, by both, in a process that has the log alone."""
    group, names = piece
    return dict(_of_group(log, None, group, _forecasters(log, names), {}, months=months, seed=seed))


def _of_group(
    log: Log,
    ledger: Ledger | None,
    group: Sequence[pd.Timestamp],
    forecasters: Mapping[str, ForecasterAtOrigins | OwnModel],
    kept: Mapping[str, Mapping[pd.Timestamp, NotedTable]],
    *,
    months: int,
    seed: int,
) -> Iterator[tuple[tuple[pd.Timestamp, str], NotedTable]]:
    """Yield the tables of origins that one walk can serve, by origin and forecaster; kept : those that are there.

    The snapshot, and what was worked out on it, is let go with the last table. ledger : the log's, where there is one.
    """
    snap = snapshot(log, as_of=group[-1], ledger=ledger)
    if group[-1] not in log.kept:  # what is worked out for people takes memory, and no forecaster reads it
        unread = ["stage_since", "slips", *([] if snap.own_columns is None else list(snap.own_columns)[1:])]
        snap = replace(snap, own_columns=None, opportunities=snap.opportunities.drop(columns=unread))
    made = {**kept, **_components(snap, group, forecasters, months=months, seed=seed, made=kept)}
    for name, forecast in forecasters.items():
        if isinstance(forecast, OwnModel):
            found = _own(log, snap, forecast, group, months=months, seed=seed)
        else:
            found = _each(snap, name, forecast, group, made, months=months, seed=seed)
        for day, result in found:
            yield (day, name), result


def _own(
    log: Log, snap: Snapshot, model: OwnModel, group: Sequence[pd.Timestamp], *, months: int, seed: int
) -> Iterator[tuple[pd.Timestamp, NotedTable]]:
    """Yield the days of a group and the tables of a model of one's own, which sees each day's snapshot alone."""
    ledger = ledger_of(log)
    for state in snap.ledger.walk(group):
        then = snapshot(log, as_of=state.as_of, ledger=ledger)
        yield state.as_of, own_table(model, then, state, months=months, seed=seed)


def month_ends(log: Log, *, first: str, last: str, step: int = 1) -> list[pd.Timestamp]:
    """Return the last days of the months from `first` to `last`, every `step` months, in the company's calendar.

    Raises
    ------
    ParameterError : a date cannot be read, first is after last, last ends beyond the log, or step is below 1.
    """
    calendar = log.company.periods
    start, stop = (calendar.period(calendar.parse_day(text)) for text in (first, last))
    if step < 1:
        raise ParameterError(f"step: {step} is not at least 1")
    if start > stop:
        raise ParameterError(f"origins: {first} is after {last}")
    ends = [calendar.end(period) for period in range(start, stop + 1, step)]
    return parse_origins(log, ends)


def parse_origins(log: Log, origins: Iterable[str | pd.Timestamp]) -> list[pd.Timestamp]:
    """Return origins as days, ascending; refuses none at all, duplicates and days after the log's last one."""
    if isinstance(origins, (str, pd.Timestamp)):
        raise ParameterError(f"origins: {origins!r} is one date; give a list of them, such as [{str(origins)!r}]")
    calendar = log.company.periods
    given = list(origins)
    if not given:
        raise ParameterError("origins: there is none")
    days = sorted(calendar.parse_day(origin) for origin in given)
    doubled = sorted({day for day, following in itertools.pairwise(days) if day == following})
    if doubled:
        raise ParameterError(f"origins: {_listed(doubled)} stands there more than once")
    beyond = [day for day in days if day > log.extracted_on]
    if beyond:
        raise ParameterError(f"origins: {_listed(beyond)} is after the log's last day, {log.extracted_on:%Y-%m-%d}")
    return days


def observed(log: Log, table: pd.DataFrame, *, ledger: Ledger | None = None) -> np.ndarray:
    """Return the settled bookings of each row of a forecast table, nan where not settled yet; (n,) float64."""
    calendar = log.company.periods
    actuals = settled_actuals(log, ledger=ledger)
    wide = actuals.pivot(index="period", columns="segment", values="amount")
    wide.index = pd.Index(parse_periods(wide.index), dtype="int64")
    wide[TOTAL] = wide.sum(axis=1)
    quarter = np.asarray(calendar.quarter_of(wide.index.to_numpy()))
    by_quarter = wide.groupby(quarter).sum().where(wide.groupby(quarter).size() == 3)
    by_quarter.index = pd.Index([calendar.quarter_label(int(number)) for number in by_quarter.index], dtype="str")
    by_month = wide.set_axis(pd.Index(sorted(actuals["period"].unique()), dtype="str"))
    settled = pd.concat([by_month, by_quarter])
    row = settled.index.get_indexer(pd.Index(table["target_period"]))
    column = settled.columns.get_indexer(pd.Index(table["segment"]))
    if settled.empty:
        return np.full(len(table), np.nan)
    values = settled.to_numpy(dtype=np.float64)[row, column]
    return np.where((row >= 0) & (column >= 0), values, np.nan)


def _forecasters(log: Log, models: Sequence[Given]) -> dict[str, ForecasterAtOrigins | OwnModel]:
    """Return the forecasters by name, in the order given; each unknown, doubled or misspelt name is refused."""
    if isinstance(models, str) or callable(models):
        raise ParameterError(f"models: {models!r} is one model; give a list of them, such as [{models!r}]")
    known = [f"{SUBMITTED}-{submitter}" for submitter in submitters(log.get("submitted_forecasts"))]
    spelled = {name_key(name): name for name in known}
    forecasters: dict[str, ForecasterAtOrigins | OwnModel] = {}
    for given in models:
        name = own_or_name(given)
        if isinstance(name, OwnModel):
            if name_key(name.name) in map(name_key, forecasters):
                mend = "give another (name, function)"
                raise ParameterError(f"models: {name.name!r} stands there more than once\n  mend: {mend}")
            forecasters[name.name] = name
            continue
        if name == SUBMITTED and not known:
            raise ParameterError(f"models: {SUBMITTED!r} needs the table submitted_forecasts")
        for each in known if name == SUBMITTED else [spelled.get(name_key(name), name)]:
            if each in forecasters:
                raise ParameterError(f"models: {each!r} stands there more than once")
            if each.startswith(f"{SUBMITTED}-") and each not in known:
                raise ParameterError(f"models: nobody submitted forecasts as {each!r}; {nearest(each, known)}")
            forecasters[each] = at_origins(each)
    if not forecasters:
        raise ParameterError("models: there is none")
    return forecasters


def _off_walk(
    log: Log,
    through: Snapshot | None,
    group: Sequence[pd.Timestamp],
    names: Collection[str],
    *,
    months: int,
    seed: int,
    ledger: Ledger,
) -> dict[str, Mapping[pd.Timestamp, NotedTable]]:
    """Return the forecasts of `pipeline` that a later snapshot's walk has passed, by name and day; as `_components`."""
    if through is None or not through.ledger.kept or not is_known_alike(log, group[-1], through.as_of, ledger=ledger):
        return {}
    days = origins_needed(through.ledger, group) if MODEL in names else list(group)
    asked = {PIPELINE: days, WITHOUT: list(group)}
    return {
        name: dict(zip(each, at_origins(name)(through, origins=each, months=months, seed=seed), strict=True))
        for name, each in asked.items()
        if name in names or (name == PIPELINE and MODEL in names)
    }


def _components(
    snap: Snapshot, group: Sequence[pd.Timestamp], names: Iterable[str], *, months: int, seed: int, made: Made
) -> Mapping[str, Mapping[pd.Timestamp, NotedTable]]:
    """Return what `combined` is made of, by forecaster and day, where it is asked for: it needs the forecasts of past
    origins too, and those asked for anyway are among them, so that every forecaster walks once."""
    if MODEL not in names:
        return {}
    days = origins_needed(snap.ledger, group)
    return components_made(snap, days, names=component_names(snap), months=months, seed=seed, made=made)


def _each(
    snap: Snapshot,
    name: str,
    forecast: ForecasterAtOrigins,
    group: Sequence[pd.Timestamp],
    made: Mapping[str, Mapping[pd.Timestamp, NotedTable]],
    *,
    months: int,
    seed: int,
) -> Iterator[tuple[pd.Timestamp, NotedTable]]:
    """Yield the days of a group and a forecaster's tables of them, those that are made already as they are."""
    if name == MODEL:
        found = combinations(snap, origins=group, months=months, seed=seed, made=made)
        yield from zip(group, (each.forecast for each in found), strict=True)
    elif name in made:
        yield from ((day, made[name][day]) for day in group)
    else:
        yield from zip(group, forecast(snap, origins=group, months=months, seed=seed), strict=True)


def _listed(days: Sequence[pd.Timestamp]) -> str:
    more = f" and {len(days) - 3} more" if len(days) > 3 else ""
    return ", ".join(f"{day:%Y-%m-%d}" for day in days[:3]) + more


def _notes(by_forecast: Mapping[tuple[pd.Timestamp, str], Sequence[str]]) -> tuple[str, ...]:
    """Return each note of a forecaster once, with the origins it holds for; by_forecast : (origin, model) -> notes."""
    origins: dict[tuple[str, str], list[pd.Timestamp]] = {}
    for (day, model), notes in by_forecast.items():
        for note in notes:
            origins.setdefault((model, note), []).append(day)
    sentences = []
    for (model, note), days in origins.items():
        first, last = f"{days[0]:%Y-%m-%d}", f"{days[-1]:%Y-%m-%d}"
        when = first if len(days) == 1 else f"{first} to {last}, {len(days)} origins"
        sentences.append(f"{note} ({when})" if note.startswith(model) else f"{model}: {note} ({when})")
    return tuple(sentences)
