"""Breaks in the record alone: what happens in the company, and its oracle, are as without them.

A migration that re-stamps days of creation, another CRM that begins without the history, a stage that gets another
name, months of history that nobody recorded; and the months in which a segment is not there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from forecast.calendar import parse_period, parse_periods
from forecast.simulation import parameters as par
from forecast.simulation.changes.kinds import Change
from forecast.simulation.changes.regime import ABOUT, NEVER, Regime
from forecast.simulation.parameters import Clock, Settings, generator

Tables = dict[str, pd.DataFrame]
STAGE, NEW_NAME = "Proposal", "Offer"
AT = 6 * 3600
"""Second of the day of a migration at which its rows are written, before anybody works."""
BY_MONTH = ("marketing", "plan", "costs", "delivery")


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What is asked of an edit: its size, the day it begins, and random numbers of its own."""

    size: float
    day: pd.Timestamp
    rng: np.random.Generator


class Told(Protocol):
    """What the edits need of the truth."""

    @property
    def settings(self) -> Settings:
        """What the user chose."""

    @property
    def clock(self) -> Clock:
        """The days of the months."""

    @property
    def regime(self) -> Regime | None:
        """What changes in the process."""


def edit(tables: Tables, truth: Told) -> pd.DataFrame:
    """Put the breaks in the record that are asked for into the tables, in place; return their kind, size and begin."""
    settings, clock = truth.settings, truth.clock
    kinds = list(_EDITS)
    streams = generator(settings, "edits").spawn(len(kinds))
    rows = []
    for kind in kinds:
        change = settings.change(kind)
        if change is not None:
            rng = streams[kinds.index(kind)]
            day = _begins_on(settings, clock, change, rng)
            _EDITS[kind](tables, _Asked(size=change.amount, day=day, rng=rng))
            rows.append({"kind": kind, "size": change.amount, "begins": day})
    if truth.regime is not None:
        _leave_out_absent(tables, truth.regime, clock)
    return pd.DataFrame(rows, columns=["kind", "size", "begins"])


def _begins_on(settings: Settings, clock: Clock, change: Change, rng: np.random.Generator) -> pd.Timestamp:
    """Return the first day of the month with which a break in the record begins: the one given, or a drawn one."""
    low, high = (round(share * settings.months) for share in ABOUT)
    drawn = int(rng.integers(low, high + 1))
    month = drawn if change.month is None else parse_period(change.month) - settings.start_period
    return pd.Timestamp(np.datetime64(int(clock.month_start[month]), "D"))


def _moment(day: pd.Timestamp) -> pd.Timestamp:
    """Return when the rows of a migration on a day are written, UTC."""
    return (day + pd.Timedelta(seconds=AT)).tz_localize(par.TIMEZONE).tz_convert("UTC")


def _migrated(tables: Tables, asked: _Asked) -> pd.Series:
    """Re-stamp the creation of deals that were open on a day; return which they are, one a row of opportunities."""
    table = tables["opportunities"]
    was_open = (table["created_on"] < asked.day) & (table["closed_on"].isna() | (table["closed_on"] > asked.day))
    moved = was_open & (asked.rng.random(len(table)) < asked.size)
    tables["opportunities"] = table.assign(created_on=table["created_on"].mask(moved, asked.day))
    return moved


def _migration(tables: Tables, asked: _Asked) -> None:
    """Days of creation become the day of a migration; the history stays, so that it begins before them."""
    _migrated(tables, asked)


def _new_crm(tables: Tables, asked: _Asked) -> None:
    """Open deals begin anew on a day with the state they are in, and what was before is left behind."""
    moved = tables["opportunities"]["opportunity_id"][_migrated(tables, asked)]
    history, moment = tables["opportunity_history"], _moment(asked.day)
    before = history["opportunity_id"].isin(set(moved)) & (history["recorded_at"] < moment)
    last = before & ~history["opportunity_id"].where(before).duplicated(keep="last")
    history = history.assign(recorded_at=history["recorded_at"].mask(last, moment))
    tables["opportunity_history"] = history[~before | last].reset_index(drop=True)


def _rename(tables: Tables, asked: _Asked) -> None:
    """A stage gets another name in what is recorded from a day on; the table of stages knows both."""
    history, table, stages = tables["opportunity_history"], tables["opportunities"], tables["stages"]
    late = (history["stage"] == STAGE) & (history["recorded_at"] >= _moment(asked.day))
    tables["opportunity_history"] = history.assign(stage=history["stage"].mask(late, NEW_NAME))
    last = history["recorded_at"].groupby(history["opportunity_id"]).max()
    touched = table["opportunity_id"].map(last) >= _moment(asked.day)
    tables["opportunities"] = table.assign(stage=table["stage"].mask((table["stage"] == STAGE) & touched, NEW_NAME))
    renamed = stages[stages["stage"] == STAGE].assign(stage=NEW_NAME)
    tables["stages"] = pd.concat([stages, renamed]).sort_values("position", kind="stable", ignore_index=True)


def _unrecorded(tables: Tables, asked: _Asked) -> None:
    """Nothing is written into the history for some months; deals show what happened in them all the same."""
    history = tables["opportunity_history"]
    gap = (history["recorded_at"] >= _moment(asked.day)) & (
        history["recorded_at"] < _moment(asked.day + pd.DateOffset(months=int(asked.size)))
    )
    tables["opportunity_history"] = history[~gap].reset_index(drop=True)


_EDITS: dict[str, Callable[[Tables, _Asked], None]] = {
    "migration": _migration,
    "newcrm": _new_crm,
    "rename": _rename,
    "unrecorded": _unrecorded,
}


def _leave_out_absent(tables: Tables, regime: Regime, clock: Clock) -> None:
    """Leave out the months in which a segment is not there: before it begins, or after it closed."""
    settings = regime.settings
    for kind in ("split", "closed"):
        shift = regime.shift(kind)
        if shift is None:
            continue
        created = shift.course.creation[:, par.MAX_LAG :] == 0.0
        g = int(np.argmax(created.any(axis=1)))
        day = int(shift.begins[shift.begins < NEVER].min())
        first = int(np.searchsorted(clock.month_start, day)) + settings.start_period
        for name in (*BY_MONTH, "submitted_forecasts"):
            table = tables[name]
            period = parse_periods(table["target_period" if name == "submitted_forecasts" else "period"])
            absent = period < first if kind == "split" else period >= first
            absent = np.asarray(absent) & (table["segment"] == settings.names[g]).to_numpy()
            tables[name] = table[~absent].reset_index(drop=True)
