"""Another future: a log in which all that was known by a day stands, and what came later came otherwise.

Simple case: the deals open on the day get what became of others: their rows of later days, their outcome and today's
values, at another amount; a quarter of them stay as they are. The rest: of deals that came later a third is gone, and
the others have another segment and amount; leads, marketing, submissions, costs and delivery of later days have other
numbers; starts and events not known yet are gone or elsewhere; the company's own columns without a history, of which
nobody knows what they held on the day, hold those of other rows. The plan and quotas stand: they are made in advance.

Whether what was known stands is not believed but looked at: the snapshots of the day are compared, frame by frame, and
a table whose change would show in one keeps its future, which is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from forecast.calendar import period_label
from forecast.data.known.snapshot import Snapshot, snapshot
from forecast.data.schema import TABLES, Log
from forecast.seeds import generator

Tables = dict[str, pd.DataFrame]

_STREAM = 4711
_STAY, _GONE = 0.25, 0.33
"""Shares of open deals without a future, and of later deals that never were."""

_OF_THE_END = ("stage", "outcome", "closed_on", "lost_reason", "promised_on", "delivered_on")
"""What `opportunities` says of a deal's end; beside it every column that history carries."""

_OWNED = ("segment", "type", "lead_source", "product", "account_id", "currency", "created_on", "opportunity_id")


@dataclass(frozen=True, kw_only=True)
class Otherwise:
    """A log with another future from a day on. left : tables whose future is as it was, though there is one."""

    log: Log
    left: tuple[str, ...]


def another_future(log: Log, day: pd.Timestamp, *, seed: int) -> Otherwise:
    """Return a log that knows the same by the end of a day, and has another future; see the module.

    day : not after the log's last day. The same seed gives the same future.
    """
    then = snapshot(log, as_of=day)
    rng = generator(seed, _STREAM)
    made = _deals(log, then, rng)
    for name, change in _CHANGES.items():
        frame = log.get(name)
        if frame is not None:
            made[name] = change(frame, then, rng)
    left: set[str] = set()
    for _ in range(3):
        kept = {name: frame for name, frame in made.items() if name not in left}
        other = replace(log, tables={**log.tables, **kept})
        shown = _differing(then, snapshot(other, as_of=day))
        if not shown:
            return Otherwise(log=other, left=tuple(sorted(left)))
        left |= shown
    return Otherwise(log=replace(log), left=tuple(sorted(made)))


_FROM = {"opportunities": "opportunities", "history": "opportunity_history"}


def _differing(one: Snapshot, other: Snapshot) -> set[str]:
    """Return the tables of which two snapshots hold something else."""
    found = set()
    for field in fields(one):
        if field.name == "own_columns":  # of the extraction, not of the day: another future has others
            continue
        a, b = getattr(one, field.name), getattr(other, field.name)
        same = a.equals(b) if isinstance(a, pd.DataFrame) and isinstance(b, pd.DataFrame) else a is b or a == b
        if not same:
            found |= {_FROM.get(field.name, field.name)}
    deals = {"opportunities", "opportunity_history", "segments", "stages", "notes", "has_history"}
    return found - deals | (set(_FROM.values()) if found & deals else set())


# -- deals ---------------------------------------------------------------------------------------------------


def _deals(log: Log, then: Snapshot, rng: np.random.Generator) -> Tables:
    """Return opportunities and their history with another future."""
    deals = log.opportunities
    ids = deals["opportunity_id"]
    known = then.opportunities.set_index("opportunity_id")["outcome"]
    outcome = ids.map(known)
    is_open, unborn = (outcome == "open").to_numpy(), outcome.isna().to_numpy()
    rows = log.get("opportunity_history")
    told = np.zeros(len(deals), dtype=bool) if rows is None else ids.isin(rows["opportunity_id"]).to_numpy()
    gone = unborn & (rng.random(len(deals)) < _GONE)
    source = np.arange(len(deals))
    for group in (is_open & told, is_open & ~told):
        source[group] = rng.permutation(np.flatnonzero(group))
    stays = is_open & (rng.random(len(deals)) < _STAY)
    factor = np.where(is_open | unborn, np.round(rng.lognormal(0.0, 1.0, len(deals)), 3), 1.0)
    recorded = () if rows is None else tuple(name for name in rows.columns if name in deals)
    fixed = set(log.company.fixed_at_creation)
    out = deals.copy()
    moving = [name for name in deals if name not in _OWNED and (name in (*_OF_THE_END, *recorded) or name == "amount")]
    for name in dict.fromkeys(name for name in moving if name not in fixed):
        out[name] = deals[name].take(source).set_axis(deals.index)
    for name in _unowned(deals, recorded):
        if name not in fixed:
            out[name] = _drawn_again(deals[name], rng)
    if "amount" not in fixed:
        out["amount"] = np.round(out["amount"] * factor, 2)
    for name in ("segment", "product", "owner", "lead_source"):
        if name in out and unborn.any():
            out.loc[unborn, name] = deals.loc[unborn, name].sample(frac=1, random_state=rng).to_numpy()
    _stand(out, then, stays)
    late = out["closed_on"] < out["created_on"]
    out.loc[late, "closed_on"] = out.loc[late, "created_on"]
    tables = {"opportunities": out[~gone].reset_index(drop=True)}
    if rows is not None:
        tables["opportunity_history"] = _history(rows, then, ids, source, stays, gone, factor)
    return tables


def _unowned(deals: pd.DataFrame, recorded: tuple[str, ...]) -> list[str]:
    """Return the company's own columns without a history: today's values, which may know a deal's end."""
    ours = {column.name for column in TABLES["opportunities"].columns}
    return [name for name in deals if name not in ours and name not in recorded]


def _drawn_again(values: pd.Series, rng: np.random.Generator) -> pd.Series:
    """Return a column in which each row has the value of any row, so that no sum of it stays as it was."""
    return values.take(rng.integers(0, len(values), len(values))).set_axis(values.index)


def _stand(out: pd.DataFrame, then: Snapshot, stays: np.ndarray) -> None:
    """Let some open deals stay as they stood on the day."""
    stood = then.opportunities.set_index("opportunity_id")
    ids = out.loc[stays, "opportunity_id"]
    for name in ("stage", "amount", "expected_close_on"):
        values = ids.map(stood[name])
        use = values.notna()
        out.loc[values[use].index, name] = values[use]
    out.loc[stays, "outcome"] = "open"
    for name in ("closed_on", "lost_reason", "promised_on", "delivered_on"):
        if name in out:
            out.loc[stays, name] = None if out[name].dtype == "str" else pd.NaT


def _history(
    rows: pd.DataFrame,
    then: Snapshot,
    ids: pd.Series,
    source: np.ndarray,
    stays: np.ndarray,
    gone: np.ndarray,
    factor: np.ndarray,
) -> pd.DataFrame:
    """Return history in which the rows after the day belong to other deals, at other amounts."""
    day = pd.to_datetime(rows["recorded_at"], utc=True).dt.tz_convert(then.company.timezone).dt.tz_localize(None)
    later = (day.dt.normalize() > then.as_of).to_numpy()
    owner = np.empty(len(ids), dtype=np.int64)
    owner[source] = np.arange(len(ids))  # who gets the future of each deal
    place = pd.Index(ids).get_indexer(pd.Index(rows["opportunity_id"]))
    to = np.where(later & (place >= 0), owner[place], place)
    drop = (later & stays[to]) | gone[to]
    out = rows.assign(
        opportunity_id=ids.to_numpy()[to],
        amount=np.where(later, np.round(rows["amount"] * factor[to], 2), rows["amount"]),
    )
    if "closed_on" in out:
        born = pd.Series(ids.to_numpy()[to]).map(dict(zip(ids, _created(then, ids), strict=True)))
        out["closed_on"] = out["closed_on"].where(~(out["closed_on"] < born.to_numpy()), born.to_numpy())
    return out[~drop].sort_values(["opportunity_id", "recorded_at"], kind="stable", ignore_index=True)


def _created(then: Snapshot, ids: pd.Series) -> pd.Series:
    """Return the day each deal was created, where it was known."""
    return ids.map(then.opportunities.set_index("opportunity_id")["created_on"])


# -- the other tables ----------------------------------------------------------------------------------------


def _other_numbers(frame: pd.DataFrame, later: np.ndarray, names: tuple[str, ...], rng: np.random.Generator) -> None:
    for name in names:
        if name in frame and later.any():
            moved = frame[name].to_numpy(dtype=np.float64) * rng.lognormal(0.0, 1.0, len(frame))
            frame[name] = np.where(later, np.round(moved, 2), frame[name].to_numpy(dtype=np.float64))


def _by_period(*names: str) -> Callable[[pd.DataFrame, Snapshot, np.random.Generator], pd.DataFrame]:
    """Return what changes the numbers of periods that had not ended."""

    def change(frame: pd.DataFrame, then: Snapshot, rng: np.random.Generator) -> pd.DataFrame:
        last = then.period if then.at_month_end else then.period - 1
        out = frame.copy()
        _other_numbers(out, (frame["period"] > period_label(last)).to_numpy(), names, rng)
        return out

    return change


def _leads(frame: pd.DataFrame, then: Snapshot, rng: np.random.Generator) -> pd.DataFrame:
    out = frame.copy()
    for name in ("worked_on", "qualified_on", "rejected_on"):
        if name in out:
            later = (out[name] > then.as_of).to_numpy()
            out[name] = out[name].mask(later & (rng.random(len(out)) < 0.5))
    later = (out["created_on"] > then.as_of).to_numpy()
    if later.any():
        out.loc[later, "segment"] = out.loc[later, "segment"].sample(frac=1, random_state=rng).to_numpy()
    for name in (name for name in out if TABLES["leads"].column(name) is None):
        out[name] = _drawn_again(out[name], rng)
    if "opportunity_id" in out:
        unknown = ~out["opportunity_id"].isin(then.opportunities["opportunity_id"])
        out["opportunity_id"] = out["opportunity_id"].mask(unknown)
    return out[~(later & (rng.random(len(out)) < _GONE))].reset_index(drop=True)


def _submitted(frame: pd.DataFrame, then: Snapshot, rng: np.random.Generator) -> pd.DataFrame:
    out, later = frame.copy(), (frame["submitted_on"] > then.as_of).to_numpy()
    _other_numbers(out, later, ("amount",), rng)
    return out[~(later & (rng.random(len(out)) < _GONE))].reset_index(drop=True)


def _starts(frame: pd.DataFrame, then: Snapshot, rng: np.random.Generator) -> pd.DataFrame:
    known = then.joint_planning
    if known is None or "adopted_on" not in frame:
        return frame
    days = pd.to_timedelta(rng.integers(1, 90, len(frame)), unit="D")
    hidden = frame["adopted_on"].notna().to_numpy() & known["adopted_on"].isna().to_numpy()
    return frame.assign(adopted_on=frame["adopted_on"].mask(hidden, then.as_of + days))


def _events(frame: pd.DataFrame, then: Snapshot, _: np.random.Generator) -> pd.DataFrame:
    announced = frame["announced_on"] if "announced_on" in frame else pd.Series(pd.NaT, index=frame.index)
    known = (announced.fillna(frame["from"]) <= then.as_of).to_numpy()
    out = frame[known].reset_index(drop=True)
    if "to" in out:
        unknown = (out["to"] > then.as_of).to_numpy() & ~(announced[known] <= then.as_of).to_numpy()
        out["to"] = out["to"].mask(unknown)
    return out


def _begun(column: str) -> Callable[[pd.DataFrame, Snapshot, np.random.Generator], pd.DataFrame]:
    def change(frame: pd.DataFrame, then: Snapshot, _: np.random.Generator) -> pd.DataFrame:
        return frame[frame[column] <= then.as_of].reset_index(drop=True)

    return change


_CHANGES: Mapping[str, Callable[[pd.DataFrame, Snapshot, np.random.Generator], pd.DataFrame]] = {
    "leads": _leads,
    "marketing": _by_period("leads", "lead_score", "spend"),
    "submitted_forecasts": _submitted,
    "costs": _by_period("amount"),
    "delivery": _by_period("satisfaction"),
    "joint_planning": _starts,
    "events": _events,
    "stage_changes": _begun("from"),
    "hierarchy": _begun("from"),
}
