"""Single changes of a deal's fields -> the state after each change, as a history needs it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from forecast.data.codes import column_of, dictionary_of, distinct, is_coded, key_order, places, text_of
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
    deals = deals.drop_duplicates("opportunity_id")
    changes = changes.assign(deal=places(changes["opportunity_id"], deals["opportunity_id"]))
    changes = changes[(changes["deal"] >= 0).to_numpy()]
    moment = _stamps(changes["recorded_at"])
    order = key_order([changes["deal"].to_numpy(), moment])
    if order is not None:
        changes, moment = changes.iloc[order], moment[order]
    created = _stamps(deals["created_at"])
    if begins is not None:
        created = np.where(created == _NEVER, _NEVER, np.maximum(created, _stamps(pd.Series([begins]))[0]))
    rows = _rows(changes["deal"].to_numpy(), moment, created)
    names = text_of(deals["opportunity_id"].astype("str")).cast(pa.large_string())
    columns: dict[str, pd.Series] = {
        "opportunity_id": column_of(pa.DictionaryArray.from_arrays(pa.array(rows.deal), names)),
        "recorded_at": pd.Series(pd.DatetimeIndex(rows.at.view("datetime64[us]")).tz_localize("UTC")),
    }
    for name in sorted(distinct(changes["field"])):
        columns[str(name)] = _values(str(name), changes, deals, rows)
    return pd.DataFrame(columns).rename_axis("state")


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
    place = np.arange(len(changed)) + np.searchsorted(started, changed, side="right")
    start = np.arange(len(started)) + np.searchsorted(changed, started, side="left")
    of_deal = np.empty(len(changed) + len(started), dtype=deal.dtype)
    when = np.empty(len(of_deal), dtype=at.dtype)
    of_deal[place], of_deal[start] = changed, started
    when[place], when[start] = at[new], created[started]
    return _Rows(deal=of_deal, at=when, state=place[np.cumsum(new) - 1], started=started, start=start)


def _begins(values: np.ndarray) -> np.ndarray:
    """Return where a run of equal values begins."""
    return np.append(True, values[1:] != values[:-1])[: len(values)]


def _values(name: str, changes: pd.DataFrame, deals: pd.DataFrame, rows: _Rows) -> pd.Series:
    """Return a field's value in each state: that of its last change by then, before it what stood there."""
    deal = changes["deal"].to_numpy()
    own = np.flatnonzero((changes["field"] == name).to_numpy())
    parts = [_texts(changes["value"], own)]
    taken = np.full(len(rows.deal), -1)
    taken[rows.state[own]] = np.arange(len(own))  # of several at one time the last
    if "old" in changes:
        if name in deals:
            taken[rows.start] = len(own) + np.arange(len(rows.started))
            parts.append(_texts(deals[name], rows.started))
        once = own[_begins(deal[own])]
        changed = np.isin(rows.started, deal[once])
        once = once[np.isin(deal[once], rows.started)]
        taken[rows.start[changed]] = sum(map(len, parts)) + np.arange(len(once))
        parts.append(_texts(changes["old"], once))
    begin = np.flatnonzero(_begins(rows.deal))
    run = np.repeat(begin, np.diff(np.append(begin, len(rows.deal))))
    last = np.maximum.accumulate(np.where(taken >= 0, np.arange(len(taken)), -1))
    held = np.where(last >= run, taken[last], -1)
    texts = pa.concat_arrays(parts)
    known = pc.if_else(pc.equal(texts, ""), None, texts).dictionary_encode()
    return column_of(known.take(pa.array(held, mask=held < 0)))


def _texts(values: pd.Series, rows: np.ndarray) -> pa.Array:
    """Return some rows of a column as text, written out."""
    values = values.astype("str")
    text = dictionary_of(values) if is_coded(values) else text_of(values)
    return text.take(pa.array(rows)).cast(pa.large_string())


def _stamps(moments: pd.Series) -> np.ndarray:
    """Return microseconds since 1970, `_NEVER` where missing."""
    return pd.DatetimeIndex(pd.to_datetime(moments, utc=True)).as_unit("us").tz_localize(None).to_numpy().view(np.int64)


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
    rows = today[still & today["created_at"].notna().to_numpy()]
    if rows.empty:
        return known
    at = rows["created_at"] if begins is None else rows["created_at"].clip(lower=begins)
    names = [name for name in known.columns if name in rows.columns]
    added = rows[names].assign(recorded_at=at)
    return pd.concat([known, added], ignore_index=True).rename_axis("state")
