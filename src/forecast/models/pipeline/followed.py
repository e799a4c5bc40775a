"""What the forecast of a day reckons with: what it takes for changed, for special, or for kept, and by how much.

Simple case: a company stays as it is, and the table is empty but for its months of the year. Else there is a row for
each thing that moves the forecast: joint planning, levels that have moved, months of the year, close dates that are
kept, dated events. Each is worked out from the open deals themselves, with the thing and without it. This says
what is in the forecast, and claims nothing of the company: whether a change is more than chance is asked elsewhere
(`evaluation.levels`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast.calendar import period_labels
from forecast.data.known.coding import NONE
from forecast.data.known.events import MONTHS
from forecast.data.known.planned import NEVER
from forecast.data.schema import TOTAL
from forecast.models.pipeline.components import Origin, components_at_origins
from forecast.models.win.encoding import KEPT_DATES, LEAD_SOURCE
from forecast.models.win.event_kinds import block_of
from forecast.models.win.hazards import both_hazards, incidence
from forecast.models.win.landmarks import UNDATED
from forecast.models.win.learn import WinModel

if TYPE_CHECKING:
    from forecast.data.known.snapshot import Snapshot

FOLLOWED_COLUMNS = ("kind", "name", "period", "of", "change", "share", "rest", "deals")
"""What `followed` gives."""

PLANNED, LEVEL, SOURCE, SEASON, KEPT, EVENT, TO_COME, CREATED = (
    "joint planning",
    "level",
    "lead source",
    "month of the year",
    "close dates",
    "event",
    "deals to come",
    "deals created",
)
"""The kinds of rows."""

WINS, LOSSES, DEALS = "wins", "losses", "deals"

FEWEST = 20
"""Deals below which nothing is said of a segment, a source or a type."""

_LATELY, _BEFORE = 3, 12
"""Months whose creation is held against that of the months before."""


@dataclass(frozen=True, kw_only=True)
class _Row:
    """One row: as `FOLLOWED_COLUMNS`, the period as a number, None = none."""

    kind: str
    name: str
    of: str
    deals: int
    change: float = float("nan")
    share: float = float("nan")
    rest: float = float("nan")
    period: int | None = None


def followed(snap: Snapshot, *, months: int = 6) -> pd.DataFrame:
    """Return what the forecast of a snapshot's day reckons with.

    Parameters
    ----------
    snap : a snapshot. months : months ahead that are looked at, 1 to 24.

    Returns
    -------
    FOLLOWED_COLUMNS. kind, name: joint planning of a segment (period: from when on); the level of all deals (`Total`),
    of a segment or of a lead source, as the last months have moved it; a month of the year (period); whether the close
    dates of a type or source are kept (name: `type: Renewal`); a kind of event in a month ahead (period);
    deals to come of a segment or a source (name: `segment: Alps`), as far as the youngest do better or worse than those
    of three years; deals created of a source, in the last three months beside the twelve before.
    of : wins, losses, or the deals created. change : how many more of them a month there are, or are expected of the
    open deals, than there would be without it, or of months of the year in an average one; -.3 = 30 % fewer; NaN of
    close dates. share, rest : of close dates, of the open deals due in the months ahead, that which is expected to be
    won in just that month, and the same of all other deals that are due; rest of a month of the year : the change
    beyond its place in a quarter; NaN else. deals : those it rests on, `FEWEST` at least. Empty where there is no model
    with covariates.

    Raises ParameterError for months out of range.
    """
    origin = next(components_at_origins(snap, origins=[snap.as_of], steps=months, marketing=True))
    model = origin.learned.model
    rows: list[_Row] = []
    if model is not None and model.informed and len(origin.learned.states):
        for part in (_planned, _levels, _seasons, _kept, _events, _to_come, _created):
            rows += part(origin, model)
    table = pd.DataFrame([vars(row) for row in rows], columns=list(FOLLOWED_COLUMNS))
    known = table["period"].notna()
    labels = pd.Series("", index=table.index, dtype="str")
    labels[known] = period_labels(table.loc[known, "period"].to_numpy(dtype=np.int64))
    return table.assign(period=labels, deals=table["deals"].astype("int64"))


def _ratios(now: np.ndarray, without: np.ndarray, group: np.ndarray, names: tuple[str, ...]) -> Iterator[_Row]:
    """Yield a row a group and cause with enough deals: the sum of hazards with something over that without it.

    now, without : (n, 2) logits of won and lost. group : (n,) codes, NONE = none. The rows' kind is left open.
    """
    with_it, before = (np.stack(both_hazards(each[:, 0], each[:, 1]), axis=1) for each in (now, without))
    for code, name in enumerate(names):
        here = group == code
        if here.sum() >= FEWEST:
            for cause, of in enumerate((WINS, LOSSES)):
                change = float(with_it[here, cause].sum() / max(before[here, cause].sum(), 1e-12)) - 1.0
                yield _Row(kind="", name=name, of=of, change=change, deals=int(here.sum()))


def _planned(origin: Origin, model: WinModel) -> list[_Row]:
    """Return what joint planning changes in the first month ahead that it concerns, by segment."""
    states, view = origin.learned.states, origin.view
    if not model.code.planned:
        return []
    rows = []
    for code in np.flatnonzero(view.planned_from < NEVER):
        period = int(view.planned_from[code])
        step = max(period - view.first_target, 0)
        if step >= origin.asked:
            continue
        here = states.take(np.flatnonzero(states.segment == code))
        alone = replace(here, planned_from=np.full(len(here), NEVER))
        now, without = (model.code.logits(each, model.beta, steps=step + 1)[:, step] for each in (here, alone))
        group = np.zeros(len(here), dtype=np.int64)
        found = _ratios(now, without, group, (view.ledger.segments[code],))
        rows += [replace(row, kind=PLANNED, period=period) for row in found]
    return rows


def _levels(origin: Origin, model: WinModel) -> list[_Row]:
    """Return how far levels have moved in the first month ahead: of all deals, by segment, and by lead source."""
    learned, view = origin.learned, origin.view
    if model.shift is None or learned.logits is None or learned.plain is None:
        return []
    now, without, states = learned.logits[:, 0], learned.plain[:, 0], learned.states
    everyone = np.zeros(len(states), dtype=np.int64)
    rows = [replace(row, kind=LEVEL) for row in _ratios(now, without, everyone, (TOTAL,))]
    rows += [replace(row, kind=LEVEL) for row in _ratios(now, without, states.segment, view.ledger.segments)]
    names = model.words.factors.get(LEAD_SOURCE)
    if names is not None:
        rows += [replace(row, kind=SOURCE) for row in _ratios(now, without, states.factors[LEAD_SOURCE], names)]
    return rows


def _seasons(origin: Origin, model: WinModel) -> list[_Row]:
    """Return how the months ahead differ in wins from an average month, and how beyond their place in a quarter."""
    layout, year = model.code.layout, np.arange(12)
    alone = model.beta[layout["season"][0] + year, 0]
    # Of the second month ahead on; the first has a place in its quarter of its own.
    whole = alone + model.beta[layout["quarter"][0] + 3 + origin.view.calendar.quarter_position(year), 0]
    change, rest = (np.exp(each) / np.exp(each).mean() - 1.0 for each in (whole, alone))
    deals = len(origin.learned.states)
    return [
        _Row(
            kind=SEASON,
            name=TOTAL,
            of=WINS,
            change=float(change[month % 12]),
            rest=float(rest[month % 12]),
            deals=deals,
            period=int(month),
        )
        for month in origin.view.first_target + np.arange(origin.asked)
    ]


def _kept(origin: Origin, model: WinModel) -> list[_Row]:
    """Return which share of the open deals due in the months ahead is expected to be won in the month they are due.

    By each level of the columns whose close dates may be kept, beside all other deals that are due.
    """
    states, steps = origin.learned.states, origin.asked
    due = np.where(states.due == UNDATED, NONE, states.due)
    here = np.flatnonzero((due >= 0) & (due < steps))
    if len(here) < FEWEST:
        return []
    chance = incidence(*model.hazards(states.take(here), steps=steps))[0]
    hit = chance[np.arange(len(here)), due[here]]
    rows = []
    for column in KEPT_DATES:
        for place, name in enumerate(model.words.factors.get(column, ())):
            part = states.factors[column][here] == place
            if part.sum() >= FEWEST:
                share, rest = float(hit[part].mean()), float(hit[~part].mean()) if not part.all() else float("nan")
                rows.append(
                    _Row(kind=KEPT, name=f"{column}: {name}", of=WINS, share=share, rest=rest, deals=int(part.sum()))
                )
    return rows


def _events(origin: Origin, model: WinModel) -> list[_Row]:
    """Return what each kind of event changes in wins and losses in the months ahead in which it is on."""
    states, rows = origin.learned.states, []
    for kind, place in model.code.events.items():
        beta = model.beta[model.code.layout[block_of(kind)][0]]
        for step in range(min(origin.asked, MONTHS)):
            on = np.flatnonzero((states.events[:, place] >> np.uint32(step)) & np.uint32(1))
            if len(on) >= FEWEST:
                now = model.code.logits(states.take(on), model.beta, steps=step + 1)[:, step]
                found = _ratios(now, now - beta, np.zeros(len(on), dtype=np.int64), (kind,))
                rows += [replace(row, kind=EVENT, period=origin.view.first_target + step) for row in found]
    return rows


def _to_come(origin: Origin, model: WinModel) -> list[_Row]:  # noqa: ARG001
    """Return by how much deals to come are taken to do better or worse than those of the last three years.

    By segment and by source group, of the deals expected to be created in the months ahead.
    """
    future = origin.future
    if future is None:
        return []
    created = future.created[:, :, : origin.asked].sum(axis=2)
    better = created * future.young
    rows = []
    for column, names, axis in (("segment", origin.view.ledger.segments, 1), ("source", future.groups, 0)):
        count, change = created.sum(axis=axis), better.sum(axis=axis)
        for at in np.flatnonzero(count >= FEWEST):
            name, deals = f"{column}: {names[at]}", int(count[at])
            rows.append(_Row(kind=TO_COME, name=name, of=WINS, change=float(change[at] / count[at]) - 1, deals=deals))
    return rows


def _created(origin: Origin, model: WinModel) -> list[_Row]:  # noqa: ARG001
    """Return how many more deals a month were created in the last three months than in the twelve before, by source."""
    future = origin.future
    if future is None or future.past.shape[1] < _LATELY + _BEFORE:
        return []
    lately, before = future.past[:, -_LATELY:], future.past[:, -_LATELY - _BEFORE : -_LATELY]
    return [
        _Row(
            kind=CREATED,
            name=f"source: {name}",
            of=DEALS,
            change=float(new.mean() / old.mean()) - 1,
            deals=int(new.sum()),
        )
        for name, new, old in zip(future.groups, lately, before, strict=True)
        if old.sum() >= FEWEST and new.sum() >= FEWEST
    ]
