"""What every forecaster would have said at past origins, beside what happened.

A loop over explicit origins: one snapshot each, every forecaster called by its protocol, the settled actual joined to
the result afterwards. Forecasters see the snapshot alone, so what happened later cannot reach them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from forecast.calendar import parse_periods
from forecast.data.known.ledger import Ledger, ledger_of
from forecast.data.known.settled import settled_actuals
from forecast.data.known.snapshot import snapshot
from forecast.data.schema import ADDENDS, FORECAST_COLUMNS, TOTAL, Log, NotedTable
from forecast.data.submissions import same_name, submitters
from forecast.errors import ParameterError, nearest
from forecast.models.registry import SUBMITTED, Along, along
from forecast.models.tables import abstain

DEFAULT_MODELS = ("pipeline", "ets", "seasonal-naive", "stage-weighted", "stage-weighted-future", "stage-age")


def backtest(
    log: Log,
    *,
    origins: Iterable[str | pd.Timestamp],
    models: Sequence[str] = DEFAULT_MODELS,
    months: int = 6,
    seed: int = 0,
    on_origin: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Return the forecasts of every origin and model, with what was booked in the end.

    Parameters
    ----------
    origins : days, or months such as 2025-06 (their last day); no duplicates, none after the log's last day.
    models : names of forecasters; `submitted` stands for one of every submitter.
    months : months ahead, as for each forecaster. seed : of every forecaster's draws.
    on_origin : called after each origin with how many are done and how many there are.

    Returns
    -------
    Forecast table, by origin, then model, with `observed`: settled bookings of the month, segment or `Total` (of all
    segments there are by then); of a quarter only where its three months have settled; nan where not settled yet.
    Rows of a forecaster that abstained are there with nan; `attrs["notes"]` say which, where and why.

    Raises
    ------
    ParameterError : an origin is no date, doubled or beyond the log; a model is unknown or doubled; months or seed is
    out of range.
    """
    return track_record(log, origins=origins, models=models, months=months, seed=seed, on_origin=on_origin).frame()


def track_record(
    log: Log,
    *,
    origins: Iterable[str | pd.Timestamp],
    models: Sequence[str] = DEFAULT_MODELS,
    months: int = 6,
    seed: int = 0,
    on_origin: Callable[[int, int], None] | None = None,
) -> NotedTable:
    """Return what `backtest` hands out, with its notes by name."""
    days = parse_origins(log, origins)
    calls = _forecasters(log, models)
    ledger = ledger_of(log)
    first = ledger.first_day
    reasons: dict[tuple[str, str], list[pd.Timestamp]] = {}
    results: dict[tuple[pd.Timestamp, str], NotedTable] = {}
    for day in [day for day in days if day < first]:
        # Nothing was known: no segment, so that only the empty Total is left.
        nothing = replace(snapshot(log, as_of=first, ledger=ledger), plan=None).state.emptied(day)
        for name in calls:
            why = f"{name}: nothing was known before the log's first record on {first:%Y-%m-%d}."
            results[day, name] = abstain(nothing, model=name, months=months, notes=[why])
    done, each = 0, len(days) * len(calls)
    for group in _groups(log, [day for day in days if day >= first]):
        snap = snapshot(log, as_of=group[-1], ledger=ledger)
        for name, call in calls.items():
            for day, result in zip(group, call(snap, origins=group, months=months, seed=seed), strict=True):
                results[day, name] = result
                done += 1
                if on_origin is not None and done % len(calls) == 0:
                    on_origin(done * len(days) // each, len(days))
    for day, name in itertools.product(days, calls):
        for note in results[day, name].notes:
            reasons.setdefault((name, note), []).append(day)
    track = pd.concat([results[key].table for key in itertools.product(days, calls)], ignore_index=True)
    extra = [name for name in (*ADDENDS, "plan", "p_at_least_plan") if name in track]
    track = track[[*FORECAST_COLUMNS, *extra]]
    track["observed"] = observed(log, track, ledger=ledger)
    notes = tuple(_sentence(name, note, when) for (name, note), when in reasons.items())
    return NotedTable(table=track, notes=notes)


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


def _forecasters(log: Log, models: Sequence[str]) -> dict[str, Along]:
    """Return the forecasters by name, in the order given; each unknown, doubled or misspelt name is refused."""
    if isinstance(models, str):
        raise ParameterError(f"models: {models!r} is one name; give a list of names, such as [{models!r}]")
    known = [f"{SUBMITTED}-{submitter}" for submitter in submitters(log.get("submitted_forecasts"))]
    spelled = {same_name(name): name for name in known}
    calls: dict[str, Along] = {}
    for name in models:
        if name == SUBMITTED and not known:
            raise ParameterError(f"models: {SUBMITTED!r} needs the table submitted_forecasts")
        for each in known if name == SUBMITTED else [spelled.get(same_name(name), name)]:
            if each in calls:
                raise ParameterError(f"models: {each!r} stands there more than once")
            if each.startswith(f"{SUBMITTED}-") and each not in known:
                raise ParameterError(f"models: nobody submitted forecasts as {each!r}; {nearest(each, known)}")
            calls[each] = along(each)
    if not calls:
        raise ParameterError("models: there is none")
    return calls


def _groups(log: Log, days: list[pd.Timestamp]) -> list[list[pd.Timestamp]]:
    """Return origins, ascending, that one walk can serve: all month ends together, each other day alone.

    Where the company does not say what its stages mean, that is read off each day's deals: every day goes alone.
    """
    calendar = log.company.periods
    if "stages" not in log and "opportunity_history" in log:
        return [[day] for day in days]
    ends = [day for day in days if day == calendar.end(calendar.period(day))]
    return ([ends] if ends else []) + [[day] for day in days if day not in set(ends)]


def _listed(days: Sequence[pd.Timestamp]) -> str:
    more = f" and {len(days) - 3} more" if len(days) > 3 else ""
    return ", ".join(f"{day:%Y-%m-%d}" for day in days[:3]) + more


def _sentence(model: str, note: str, days: Sequence[pd.Timestamp]) -> str:
    when = (
        f"{days[0]:%Y-%m-%d}" if len(days) == 1 else f"{days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d}, {len(days)} origins"
    )
    return f"{note} ({when})" if note.startswith(model) else f"{model}: {note} ({when})"
