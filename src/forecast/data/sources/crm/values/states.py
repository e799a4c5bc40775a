"""Single changes of a deal's fields -> the state after each change, as a history needs it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from forecast.data.codes import (
    column_of,
    dictionary_of,
    key_order,
    one_below_another,
    places,
    repeats,
    row_codes,
    text_of,
)
from forecast.data.sources.crm.values.dates import local_days
from forecast.data.sources.crm.values.ids import are_among
from forecast.data.sources.crm.values.reading import Reading

_NEVER = pd.NaT.value
_LATE_AT_LEAST = 5
"""So many deals closed before the first record, and recording began late."""


def states(changes: pd.DataFrame, deals: pd.DataFrame, *, begins: pd.Timestamp | None = None) -> pd.DataFrame:
    """Turn single changes into the state after each.

    Parameters
    ----------
    changes : opportunity_id, recorded_at (UTC), field, value, [old]: one row a change of one field. With `old`, what
        stood before the first change is known from it, and a field that never changed has today's value throughout;
        without, it was empty before its first row.
    deals : opportunity_id, created_at, and today's value of each field.
    begins : when recording began (UTC), where that is known: of what was before, nothing is said.

    Returns opportunity_id, recorded_at, and a column per field of `changes`; values as text. The first row is the state
    at creation.

    Simple case: sorted by deal and time, each different time is a state, and a field has the value of its last change
    by then. A state at creation is put before the first change that came later.
    """
    if repeats(deals["opportunity_id"].astype("str")):
        deals = deals.drop_duplicates("opportunity_id")
    done = _in_order(changes, deals)
    created = _stamps(deals["created_at"])
    if begins is not None:
        created = np.where(created == _NEVER, _NEVER, np.maximum(created, _stamps(pd.Series([begins]))[0]))
    rows = _rows(done.deal, done.at, created)
    names = text_of(deals["opportunity_id"].astype("str")).cast(pa.large_string())
    columns: dict[str, pd.Series] = {
        "opportunity_id": column_of(pa.DictionaryArray.from_arrays(pa.array(rows.deal), names)),
        "recorded_at": pd.Series(rows.at.view("datetime64[us]"), copy=False).dt.tz_localize("UTC"),
    }
    there = np.flatnonzero(_among(done.field, len(done.fields)))
    fields = {str(done.fields[int(code)]): code for code in there}
    for name, code in sorted(fields.items()):
        columns[name] = _values(np.flatnonzero(done.field == code), done, deals.get(name), rows)
    return pd.DataFrame(columns, copy=False).rename_axis("state")


@dataclass(frozen=True, kw_only=True)
class _Texts:
    """A column of text by codes: code (n,) of each row, that behind the last one where it is empty or missing; levels,
    the different texts."""

    code: np.ndarray
    levels: pa.Array

    def at(self, rows: np.ndarray) -> _Texts:
        """Return some rows."""
        return _Texts(code=self.code[rows], levels=self.levels)


def _texts(values: pd.Series) -> _Texts:
    held = dictionary_of(values.astype("str"))
    code = row_codes(held).astype(np.int32, copy=False)
    filled = np.append(np.asarray(pc.not_equal(held.dictionary, "")), False)
    if held.null_count or not filled[:-1].all():
        code = np.where(filled[code], code, np.int32(len(held.dictionary)))
    return _Texts(code=code, levels=held.dictionary.cast(pa.large_string()))


@dataclass(frozen=True, kw_only=True)
class _Changes:
    """The m changes of deals that are there, by deal and time: deal (its place), at (microseconds), field (its place in
    `fields`), value, and what stood there before, where that is known."""

    deal: np.ndarray
    at: np.ndarray
    field: np.ndarray
    fields: pa.Array
    value: _Texts
    old: _Texts | None


def _in_order(changes: pd.DataFrame, deals: pd.DataFrame) -> _Changes:
    """Return changes by deal and time; those of deals that are not there left out."""
    deal = places(changes["opportunity_id"].astype("str"), deals["opportunity_id"].astype("str"))
    at = _stamps(changes["recorded_at"])
    named = dictionary_of(changes["field"])
    field = row_codes(named)
    value, old = _texts(changes["value"]), _texts(changes["old"]) if "old" in changes else None
    rows = None if (deal >= 0).all() else np.flatnonzero(deal >= 0)
    order = key_order([deal, at] if rows is None else [deal[rows], at[rows]])
    if order is not None:
        rows = order if rows is None else rows[order]
    if rows is not None:
        deal, at, field = deal[rows], at[rows], field[rows]
        value, old = value.at(rows), None if old is None else old.at(rows)
    return _Changes(deal=deal, at=at, field=field, fields=named.dictionary, value=value, old=old)


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """The states, by deal and time: deal (place among the deals), at (microseconds), and where the m changes lead.

    state : (m,) the state each change belongs to. started, start : the deals with a state at creation, and that state.
    """

    deal: np.ndarray
    at: np.ndarray
    state: np.ndarray
    started: np.ndarray
    start: np.ndarray


def _rows(deal: np.ndarray, at: np.ndarray, created: np.ndarray) -> _Rows:
    """Return the states that changes (m,), sorted by deal and time, lead to."""
    first = _begins(deal)
    new = first | _begins(at)
    early = created[deal[first]]
    started = deal[first][(early != _NEVER) & (early < at[first])]
    # A state at creation comes before all others of its deal, and both kinds are in the order of deals.
    changed = deal[new]
    place = np.arange(len(changed)) + np.cumsum(_among(started, len(created)))[changed]
    start = np.arange(len(started)) + np.searchsorted(changed, started, side="left")
    of_deal = np.empty(len(changed) + len(started), dtype=deal.dtype)
    when = np.empty(len(of_deal), dtype=at.dtype)
    of_deal[place], of_deal[start] = changed, started
    when[place], when[start] = at[new], created[started]
    return _Rows(deal=of_deal, at=when, state=place[np.cumsum(new) - 1], started=started, start=start)


def _among(some: np.ndarray, count: int) -> np.ndarray:
    """Return which of so many deals are among some; (count,) bool."""
    there = np.zeros(count, dtype=bool)
    there[some] = True
    return there


def _begins(values: np.ndarray) -> np.ndarray:
    """Return where a run of equal values begins."""
    return np.append(True, values[1:] != values[:-1])[: len(values)]


def _values(own: np.ndarray, changes: _Changes, today: pd.Series | None, rows: _Rows) -> pd.Series:
    """Return a field's value in each state: that of its last change by then, before it what stood there.

    own : the changes of this field. today : its value in each deal today, where that is known.

    Codes of up to three columns stand one behind the other: of values, of today's, of what stood there before.
    """
    parts = [changes.value]
    unknown = len(changes.value.levels)
    taken = np.full(len(rows.deal), -1, dtype=np.int32)
    taken[rows.state[own]] = changes.value.code[own]  # of several at one time the last
    if changes.old is not None:
        if today is not None:
            parts.append(_texts(today).at(rows.started))
            taken[rows.start] = parts[-1].code + _offset(parts)
        once = own[_begins(changes.deal[own])]
        count = int(rows.deal.max(initial=-1)) + 1
        changed = _among(changes.deal[once], count)[rows.started]
        once = once[_among(rows.started, count)[changes.deal[once]]]
        parts.append(changes.old.at(once))
        taken[rows.start[changed]] = parts[-1].code + _offset(parts)
    begins = _begins(rows.deal)
    taken[begins & (taken < 0)] = unknown
    known = np.flatnonzero(taken >= 0)
    return _column(np.repeat(taken[known], np.diff(np.append(known, len(taken)))), parts)


def _offset(parts: list[_Texts]) -> int:
    """Return by how much the codes of the last part are moved behind those of the others."""
    return sum(len(part.levels) + 1 for part in parts[:-1])


def _column(codes: np.ndarray, parts: list[_Texts]) -> pd.Series:
    """Return the texts of codes into several parts as one column."""
    there = _among(codes, sum(len(part.levels) + 1 for part in parts))
    texts, begin = [], 0
    for part in parts:
        end = begin + len(part.levels)
        kept = np.flatnonzero(there[begin : end + 1])
        texts.append(part.levels.take(pa.array(kept, mask=kept == len(part.levels))))
        begin = end + 1
    place = (np.cumsum(there, dtype=np.int32) - 1)[codes]
    if len(parts) == 1:  # no text is there twice
        unknown = codes == len(parts[0].levels)
        known = texts[0].drop_null()
        return column_of(pa.DictionaryArray.from_arrays(pa.array(place, mask=unknown), known))
    each = pa.concat_arrays(texts).dictionary_encode()
    return column_of(pa.DictionaryArray.from_arrays(each.indices.take(pa.array(place)), each.dictionary))


def _stamps(moments: pd.Series) -> np.ndarray:
    """Return microseconds since 1970, `_NEVER` where missing."""
    return pd.DatetimeIndex(pd.to_datetime(moments, utc=True)).as_unit("us").asi8


def with_unrecorded(history: pd.DataFrame, deals: pd.DataFrame, at: pd.Timestamp, names: list[str]) -> pd.DataFrame:
    """Give a history the fields it does not record, without letting today's values reach the past.

    A field in `names` is empty while a deal is open, has today's value from its closing row on, and an open deal gets
    one more row, at the time of the export, with today's state.
    """
    today = deals.set_index("opportunity_id")
    table = history.copy()
    closed = table["closed"].to_numpy()
    for name in names:
        now = table["opportunity_id"].map(today[name])
        table[name] = now.where(closed)
    still = deals[(deals["outcome"] == "open") & are_among(deals["opportunity_id"], table["opportunity_id"])]
    last = table.drop_duplicates("opportunity_id", keep="last").set_index("opportunity_id")
    extra = last.reindex(still["opportunity_id"]).reset_index()
    for name in names:
        extra[name] = still[name].to_numpy()
    extra["recorded_at"] = at
    extra = extra[extra["opportunity_id"].map(last["recorded_at"]) < at]
    return pd.concat([table, extra], ignore_index=True).sort_values(["opportunity_id", "recorded_at"], kind="stable")


def recording_began(rows: pd.DataFrame, frame: pd.DataFrame, reading: Reading) -> pd.Timestamp | None:
    """Return when fields began to be tracked, where deals that closed before are not in it; else None.

    A CRM keeps the changes of fields from the day this was switched on, and often for a few years only.

    rows : opportunity_id, recorded_at (UTC), all that was recorded. frame : the deals: opportunity_id, created_at,
    closed_on.
    """
    first = rows["recorded_at"].min()
    day = local_days(pd.Series([first]), reading.timezone).iloc[0]
    gone = (frame["closed_on"] < day) & ~are_among(frame["opportunity_id"], rows["opportunity_id"])
    if int(gone.sum()) < _LATE_AT_LEAST:
        older = int((frame["created_at"] < first).sum())
        if older:
            reading.say(
                "",
                f"begins on {day:%Y-%m-%d}; what stood in {older:,} older deals is taken to be so from their creation",
            )
        return None
    reading.say(
        "", f"begins on {day:%Y-%m-%d}, after {int(gone.sum()):,} deals closed: of the days before, no states are known"
    )
    return first


def with_unchanged(
    known: pd.DataFrame, today: pd.DataFrame, frame: pd.DataFrame, begins: pd.Timestamp | None
) -> pd.DataFrame:
    """Return the states with the open deals of which no field ever changed: they stand today as at their creation.

    today : opportunity_id, created_at and today's values, index as `frame`. begins : see `states`.
    """
    still = ((frame["outcome"] == "open") & ~are_among(frame["opportunity_id"], known["opportunity_id"])).to_numpy()
    still = still & today["created_at"].notna().to_numpy()
    rows = today[still]
    if rows.empty:
        return known
    at = rows["created_at"] if begins is None else rows["created_at"].clip(lower=begins)
    names = [name for name in known.columns if name in rows.columns]
    added = rows[names].assign(recorded_at=at).reindex(columns=known.columns)
    of_deals = text_of(today["opportunity_id"].astype("str"))
    if of_deals.equals(dictionary_of(known["opportunity_id"]).dictionary):
        place = pa.array(np.flatnonzero(still).astype(np.int32))
        added["opportunity_id"] = column_of(pa.DictionaryArray.from_arrays(place, of_deals), index=rows.index)
    columns = {
        name: one_below_another([known[name], added[name].astype("str")])
        if known[name].dtype == "str"
        else pd.concat([known[name], added[name]], ignore_index=True)
        for name in known.columns
    }
    return pd.DataFrame(columns, copy=False).rename_axis("state")
