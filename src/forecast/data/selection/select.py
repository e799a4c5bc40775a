"""A part of a log as a log of its own, whose tables agree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from forecast.data.known.snapshot import snapshot
from forecast.data.schema import Company, Log
from forecast.data.selection.at_creation import at_creation, moved, not_known_then
from forecast.data.selection.beside import Cut, of_deals, since_day
from forecast.data.selection.condition import chosen, not_among
from forecast.errors import ParameterError, Problem
from forecast.wording import joined, plural

Where: TypeAlias = str | pd.Series | np.ndarray | Callable[[pd.DataFrame], Any]
"""A condition in SQL; a mask over `log.opportunities`; or what makes a mask of the deals as they were created."""

_WORKED_OUT = ("stage_since", "slips")
_OF_A_MASK = (
    "the deals were chosen by a mask: if that rests on what became of them (outcome, stage of today), every forecast "
    "of these deals has seen the future"
)


def select(
    log: Log,
    *,
    segment: str | Sequence[str] | None = None,
    product: str | Sequence[str] | None = None,
    owner: str | Sequence[str] | None = None,
    since: str | pd.Timestamp | None = None,
    until: str | pd.Timestamp | None = None,
    where: Where | None = None,
) -> Log:
    """Return the log of some deals: one product, two segments, the last two years, whatever a condition says.

    Simple case: deals are chosen by what was known of them when they were created; with them go their history, and the
    plan, quotas, marketing, leads and submissions of the segments and owners that are chosen as a whole. Of a segment
    of which some deals are chosen these are left out, and the log's `notes` say so. Several arguments hold together.

    Parameters
    ----------
    segment, product, owner : a name or several, as at creation: of a deal whose first owner gave it away later, the
        first one.
    since : a day, or a month for its first day: deals that were still open then or created later, and what the other
        tables say of the time from then on. Deals that closed before are as if never recorded.
    until : a day, or a month for its last day: the log as it would have been extracted on that day.
    where : an SQL condition on the columns of `at_creation`, such as `"product = 'GTX Plus' AND amount > 1000"`; a mask
        over `log.opportunities`; or a function that makes a mask of the deals as created.

    Raises
    ------
    ParameterError : a name, column or day is unknown, a column is known only later, the condition cannot be read, the
    mask does not fit, or no deal is left.

    Examples
    --------
    >>> import forecast
    >>> log = forecast.read("data/sample")
    >>> part = forecast.select(log, product="Core", since="2024-11")
    >>> part.company.name
    'Sample Company (since 2024-11-01; product Core)'
    >>> len(part.opportunities) < len(log.opportunities), "plan" in part
    (True, False)
    """
    parts = []
    if until is not None:
        log = _extracted_on(log, until)
        parts.append(f"until {log.extracted_on:%Y-%m-%d}")
    if since is not None:
        log, day = _since(log, since)
        parts.append(f"since {day:%Y-%m-%d}")
    named = {"segment": segment, "product": product, "owner": owner}
    asked = {name: _names(name, value) for name, value in named.items() if value is not None}
    if asked or where is not None:
        log, told = _chosen(log, asked, where)
        parts += told
    if not parts:
        return log
    return replace(log, company=called(log.company, "; ".join(parts)))


def called(company: Company, part: str) -> Company:
    """Return the company under a name that says which part of it is meant: every page shows it."""
    return replace(company, name=f"{company.name} ({part.strip()})")


# -- by time --------------------------------------------------------------------------------------------


def _extracted_on(log: Log, until: str | pd.Timestamp) -> Log:
    """Return the log as it would have been extracted on a day: what was known then, and nothing that came later."""
    snap = snapshot(log, as_of=until)
    if snap.as_of == log.extracted_on:
        return log
    deals = snap.opportunities.drop(columns=[*_WORKED_OUT, "currency"], errors="ignore")
    known: dict[str, pd.DataFrame | None] = {name: getattr(snap, name, log.get(name)) for name in log.tables}
    known |= {"opportunities": deals, "stages": log.get("stages")}
    if snap.history is not None:  # amounts of deals and history are in the reporting currency by now
        worked_out = ["recorded_on", "outcome", "currency"]
        known["opportunity_history"] = snap.history.drop(columns=worked_out, errors="ignore")
    tables = {name: frame for name, frame in known.items() if frame is not None}
    company = replace(log.company, extracted_on=snap.as_of)
    return replace(log, tables=tables, company=company, extracted_on=snap.as_of)


def _since(log: Log, since: str | pd.Timestamp) -> tuple[Log, pd.Timestamp]:
    """Return the log of the time from a day on, and that day."""
    calendar = log.company.periods
    day = calendar.parse_day(since)
    if isinstance(since, str) and len(since.strip()) == len("2026-10"):
        day = calendar.start(calendar.period(day))
    if day > log.extracted_on:
        raise ParameterError(f"since {day:%Y-%m-%d} is after the log's last day, {log.extracted_on:%Y-%m-%d}")
    closed = log.opportunities["closed_on"]
    stays = ~(closed < day).to_numpy(dtype=bool)
    if not stays.any():
        raise ParameterError(f"since {day:%Y-%m-%d}: no deal was open then or created later")
    deals = log.opportunities[stays].reset_index(drop=True)
    tables: dict[str, pd.DataFrame] = {}
    for name, frame in log.tables.items():
        left = of_deals(name, since_day(name, frame, day=day, calendar=calendar), deals["opportunity_id"])
        if len(left) or name == "opportunity_history":
            tables[name] = left.reset_index(drop=True)
    return replace(log, tables={**tables, "opportunities": deals}), day


# -- by what a deal is ----------------------------------------------------------------------------------


def _names(what: str, given: str | Sequence[str]) -> list[str]:
    names = [given] if isinstance(given, str) else list(given)
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise ParameterError(f"{what}: {given!r} is not a name or a list of names")
    return names


def _chosen(log: Log, asked: Mapping[str, Sequence[str]], where: Where | None) -> tuple[Log, list[str]]:
    """Return the log of the deals that all conditions hold for, and what these are called."""
    deals = at_creation(log)
    stays, notes, parts = np.ones(len(deals), dtype=bool), [], []
    for name, values in asked.items():
        if name not in deals:
            raise ParameterError(f"{name}: the deals have no such column")
        if hint := not_among(values, deals[name], name):
            raise ParameterError(f"{name}: {hint}")
        stays &= deals[name].isin(values).to_numpy(dtype=bool)
        parts.append(f"{name} {joined(values)}")
        notes += _moved(log, deals, [name])
    if where is not None:
        held, told, more = _where(log, deals, where)
        stays &= held
        parts.append(told)
        notes += more
    if not stays.any():
        raise ParameterError(f"no deal is left by {' and '.join(parts)}")
    return _cut(log, deals, stays, notes), parts


def _moved(log: Log, deals: pd.DataFrame, columns: Iterable[str]) -> list[Problem]:
    """Return what is to be noted of columns that change as a deal goes on."""
    counts = {name: moved(log, name, deals[name]) for name in columns}
    return [
        Problem(
            what=f"{plural(count, 'deal')} had another {name} later; each is chosen by the one it was created with",
            table="opportunities",
            column=name,
            severity="info",
        )
        for name, count in counts.items()
        if count
    ]


def _where(log: Log, deals: pd.DataFrame, where: Where) -> tuple[np.ndarray, str, list[Problem]]:
    """Return which deals a condition or mask holds for, how it is called, and what is to be noted."""
    if isinstance(where, str):
        found = chosen(where, deals, refused=not_known_then(log))
        what = f"{plural(found.unknown, 'deal')} left out: a value that the condition needs is empty"
        notes = [Problem(what=what, table="opportunities", severity="info")] if found.unknown else []
        return found.rows, where.strip(), [*notes, *_moved(log, deals, found.columns)]
    if callable(where):
        try:
            mask = where(deals.copy(deep=False))
        except KeyError as error:
            name = str(error.args[0])
            why = not_known_then(log).get(name, "the deals have no such column when they are created")
            raise ParameterError(f"where: {name} may not be used: {why}") from None
        return _mask(mask, deals.index), "a part of the deals", []
    note = Problem(what=_OF_A_MASK, table="opportunities", severity="info")
    return _mask(where, log.opportunities.index), "a part of the deals", [note]


def _mask(mask: Any, index: pd.Index) -> np.ndarray:
    """Return a mask as an array, (n,) bool; what is empty does not hold."""
    if isinstance(mask, pd.Series):
        if not mask.index.equals(index):
            raise ParameterError(f"where: a mask of {len(mask):,} rows is not over the {len(index):,} deals")
        mask = mask.astype("boolean").fillna(value=False) if str(mask.dtype) in ("bool", "boolean") else mask
    values = np.asarray(mask)
    if values.dtype != np.dtype(bool) or values.shape != (len(index),):
        raise ParameterError(
            f"where: a mask says true or false of {len(index):,} deals, not {values.shape} of {values.dtype}"
        )
    return values


def _cut(log: Log, deals: pd.DataFrame, stays: np.ndarray, notes: Sequence[Problem]) -> Log:
    """Return the log of the deals that stay, with tables that agree."""
    kept = log.opportunities[stays].reset_index(drop=True)
    some, whole = _how_much(deals["segment"], stays)
    owners = _how_much(deals["owner"], stays)[1] if "owner" in deals else None
    if owners and "owner" in log.opportunities:  # nor may any deal be theirs today that is not chosen
        owners -= frozenset(log.opportunities["owner"][~stays].dropna().unique())
    products = frozenset(deals["product"][stays].dropna().unique()) if "product" in deals else None
    cut = Cut(
        deals=kept["opportunity_id"],
        whole=whole,
        parts=some - whole,
        owners=owners,
        products=products,
        everything=bool(stays.all()),
    )
    tables = {name: cut.rows(name, frame) for name, frame in log.tables.items() if name != "opportunities"}
    left = {name: frame for name, frame in tables.items() if frame is not None}
    return replace(log, tables={"opportunities": kept, **left}, notes=(*log.notes, *notes, *cut.notes()))


def _how_much(names: pd.Series, stays: np.ndarray) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of which some deals stay, and those of which all do."""
    some = frozenset(names[stays].dropna().unique())
    return some, some - frozenset(names[~stays].dropna().unique())
