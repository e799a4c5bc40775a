"""An export's deals on their way to our tables: what is alike in every CRM.

Deals in the bin are left out, each deal gets a segment and its owner a name, and single changes of fields become the
state after each change. What CRMs allow and we cannot use is mended then: a deal won without an amount, closed before
it was entered, or closed with a date to come. Each such mend is a rule here, with a note that says how many rows it
touched (docs/importing.md lists them).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from forecast.data.sources.crm.export import Export
from forecast.data.sources.crm.names import plain
from forecast.errors import ParameterError, nearest

UNKNOWN_STAGE = "Unknown"
ONE_SEGMENT = "All"
NO_SEGMENT = "Unassigned"

_SEGMENTS_AT_MOST = 60
_FILLED_AT_LEAST = 0.5
_STATE = ("stage", "amount", "expected_close_on")


@dataclass(kw_only=True)
class Deals:
    """An export's deals on their way.

    opportunities : one row a deal: opportunity_id, stage (text), outcome, amount (float64), created_on, closed_on,
        expected_close_on (dates), created_at, touched_at (UTC), further columns; index as in the file.
    history : opportunity_id, recorded_at (UTC), stage, amount, expected_close_on, further columns; or None.
    reference : what the CRM says of each stage: stage, outcome, [position, probability 0 to 1]; or None.
    """

    opportunities: pd.DataFrame
    history: pd.DataFrame | None = None
    reference: pd.DataFrame | None = None
    currencies: pd.DataFrame | None = None
    notes: list[str] = field(default_factory=list)


def without_deleted(frame: pd.DataFrame, deleted: pd.Series, notes: list[str]) -> pd.DataFrame:
    """Return the rows that are not in the CRM's bin; all of them where nothing would be left."""
    count = int(deleted.sum())
    if not count:
        return frame
    if count == len(frame):
        notes.append(
            f"all {count:,} deals are marked as deleted and are kept, since nothing would be left: a test export?"
        )
        return frame
    notes.append(f"{count:,} deals marked as deleted are left out")
    return frame[~deleted]


def choose_segment(export: Export, joined: dict[str, pd.Series], segment_column: str | None) -> tuple[pd.Series, str]:
    """Return each deal's segment and a sentence that says where it comes from.

    Parameters
    ----------
    export : its raw frames hold the candidate columns.
    joined : role -> the row label of that role's raw frame for each deal (missing where it does not join).
    segment_column : `column`, looked for in each role, or `role.column`; None tries what the CRM declares, then one
        segment for everything.

    Raises ParameterError for a column that is not there.
    """
    if segment_column is not None:
        role, column = _find_column(export, joined, segment_column)
        values = _taken(export, joined, role, column)
        empty = int(values.isna().sum())
        more = f"; {empty:,} without one are {NO_SEGMENT!r}" if empty else ""
        return values.fillna(NO_SEGMENT), f"segment = {column} of {export.files[role]}, as asked{more}"
    for role, wanted in export.crm.segments:
        if role not in joined:
            continue
        for name in export.raw[role].columns:
            if plain(str(name)) != plain(wanted):
                continue
            values = _taken(export, joined, role, str(name))
            if values.notna().mean() >= _FILLED_AT_LEAST and 2 <= values.nunique() <= _SEGMENTS_AT_MOST:
                empty = int(values.isna().sum())
                more = f"; {empty:,} without one are {NO_SEGMENT!r}" if empty else ""
                where_from = f"segment = {name} of {export.files[role]}{more}; another column: --segment-from"
                return values.fillna(NO_SEGMENT), where_from
    one = pd.Series(ONE_SEGMENT, index=next(iter(joined.values())).index, dtype="str")
    return one, f"a CRM has no segment: every deal is in one, {ONE_SEGMENT!r}; name a column with --segment-from"


def _find_column(export: Export, joined: dict[str, pd.Series], asked: str) -> tuple[str, str]:
    role, dot, column = asked.partition(".")
    roles = [role] if dot and role in joined else list(joined)
    wanted = column if dot and role in joined else asked
    for where in roles:
        for name in export.raw[where].columns:
            if plain(str(name)) == plain(wanted):
                return where, str(name)
    known = [str(name) for where in roles for name in export.raw[where].columns]
    raise ParameterError(f"segment column: there is no column {asked!r} in the export; {nearest(wanted, known)}")


def _taken(export: Export, joined: dict[str, pd.Series], role: str, column: str) -> pd.Series:
    return joined[role].map(export.raw[role][column]).astype("str")


def people(export: Export, ids: pd.Series) -> pd.Series:
    """Return the names of owners in place of their identifiers, as far as the export has them and they are distinct."""
    users = export.get("users")
    if users is None or "name" not in users:
        return ids
    named = users.dropna(subset=["owner", "name"]).drop_duplicates("owner")
    named = named[~named["name"].duplicated(keep=False)].set_index("owner")["name"]
    return ids.map(named).fillna(ids).astype("str")


def join_rows(keys: pd.Series, index_of: pd.Series | None) -> pd.Series:
    """Return, for each key, the row label whose value it is (the first of equals); missing where there is none."""
    if index_of is None:
        return pd.Series(np.nan, index=keys.index)
    there = index_of.dropna().drop_duplicates()
    return keys.map(pd.Series(there.index, index=there.to_numpy()))


def rows_of(frame: pd.DataFrame, export: Export, keys: Mapping[str, str]) -> dict[str, pd.Series]:
    """Return, for each file, the row label that belongs to each deal; the deals' own under `opportunities`.

    keys : file -> the column that names its rows, in that file and in the deals; what is absent is left out.
    """
    out = {"opportunities": pd.Series(frame.index, index=frame.index)}
    for role, key in keys.items():
        if role in export.frames and key in frame:
            out[role] = join_rows(frame[key], export.frames[role][key])
    return out


def states(changes: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    """Turn single changes into the state after each.

    Parameters
    ----------
    changes : opportunity_id, recorded_at (UTC), field, value, [old]: one row a change of one field. With `old`, what
        stood before the first change is known from it, and a field that never changed has today's value throughout;
        without, it was empty before its first row.
    deals : opportunity_id, created_at, and today's value of each field.

    Returns opportunity_id, recorded_at, and a column per field of `changes`; values as text. The first row is the state
    at creation.
    """
    changes = changes[changes["opportunity_id"].isin(deals["opportunity_id"])]
    changes = changes.sort_values(["opportunity_id", "recorded_at"], kind="stable")
    fields = sorted(changes["field"].unique())
    key = ["opportunity_id", "recorded_at"]
    # A change to nothing is distinguished from "not changed here" until the states have been carried forward.
    value = changes["value"].astype(object).where(changes["value"].notna(), "")
    wide = (
        changes.assign(value=value)
        .pivot_table(index=key, columns="field", values="value", aggfunc="last")
        .reset_index()
    )
    today = deals.drop_duplicates("opportunity_id").set_index("opportunity_id")
    touched = wide["opportunity_id"].unique()
    start = pd.DataFrame({"opportunity_id": touched, "recorded_at": today["created_at"].reindex(touched).to_numpy()})
    start["recorded_at"] = pd.to_datetime(start["recorded_at"], utc=True).astype("datetime64[us, UTC]")
    first = wide.drop_duplicates("opportunity_id").set_index("opportunity_id")["recorded_at"]
    start = start[start["recorded_at"].notna() & (start["recorded_at"] < first.reindex(start["opportunity_id"]).array)]
    if "old" in changes:
        before = changes.drop_duplicates(["opportunity_id", "field"]).set_index(["opportunity_id", "field"])["old"]
        for name in fields:
            pairs = pd.MultiIndex.from_product([start["opportunity_id"], [name]])
            known = pairs.isin(before.index)
            then = before.reindex(pairs).to_numpy(dtype=object)
            now = today[name].reindex(start["opportunity_id"]).to_numpy(dtype=object) if name in today else then
            start[name] = np.where(known, then, now)
            start[name] = start[name].where(start[name].notna(), "")
    table = pd.concat([start, wide], ignore_index=True).sort_values(key, kind="stable")
    table[fields] = table.groupby("opportunity_id")[fields].ffill()
    table = table.drop_duplicates(key, keep="last", ignore_index=True)
    for name in fields:
        table[name] = table[name].where(table[name] != "").astype("str")
    return table.rename_axis("state")


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
    still = deals[(deals["outcome"] == "open") & deals["opportunity_id"].isin(table["opportunity_id"])]
    last = table.drop_duplicates("opportunity_id", keep="last").set_index("opportunity_id")
    extra = last.reindex(still["opportunity_id"]).reset_index()
    for name in names:
        extra[name] = still[name].to_numpy()
    extra["recorded_at"] = at
    extra = extra[extra["opportunity_id"].map(last["recorded_at"]) < at]
    return pd.concat([table, extra], ignore_index=True).sort_values(["opportunity_id", "recorded_at"], kind="stable")


_OPPORTUNITY_COLUMNS = (
    "opportunity_id",
    "created_on",
    "segment",
    "stage",
    "amount",
    "expected_close_on",
    "closed_on",
    "outcome",
    "type",
    "lead_source",
    "product",
    "owner",
    "account_id",
    "lead_score",
    "currency",
    "units",
    "lost_reason",
)
_HISTORY_COLUMNS = (
    "opportunity_id",
    "recorded_at",
    "stage",
    "amount",
    "expected_close_on",
    "probability",
    "forecast_category",
    "owner",
)


def canonical(deals: Deals, *, timezone: str) -> tuple[dict[str, pd.DataFrame], pd.Timestamp]:
    """Return our tables and the day the export was made on.

    The day is that of the last change the export knows of: the CRM does not write when it was exported.
    """
    frame = deals.opportunities.copy()
    history = None if deals.history is None or deals.history.empty else deals.history.copy()
    end = _last_day(frame, history, timezone)
    frame = _mended(frame, end, deals.notes)
    if history is not None:
        history = _mended_history(history, frame, deals.notes)
    frame, history = _closing_stages(frame, history, deals)
    tables = {"opportunities": frame[[name for name in _OPPORTUNITY_COLUMNS if name in frame]]}
    if history is not None:
        tables["opportunity_history"] = history[[name for name in _HISTORY_COLUMNS if name in history]]
    stages = _stages(frame, history, deals.reference)
    if stages is not None:
        tables["stages"] = stages
    if deals.currencies is not None and "currency" in frame:
        tables["currencies"] = deals.currencies
    return tables, end


def _last_day(frame: pd.DataFrame, history: pd.DataFrame | None, timezone: str) -> pd.Timestamp:
    """Return the day of the last change; where nothing is time-stamped, of the last creation or closure."""
    seen = [frame["created_at"].max(), frame["touched_at"].max()]
    if history is not None:
        seen.append(history["recorded_at"].max())
    latest = max((moment for moment in seen if pd.notna(moment)), default=pd.NaT)
    day = latest.tz_convert(timezone).tz_localize(None).normalize() if pd.notna(latest) else pd.NaT
    if frame["touched_at"].isna().all() and history is None:
        days = [day, frame["closed_on"].max(), frame["created_on"].max()]
        day = max((one for one in days if pd.notna(one)), default=pd.NaT)
    return day


def _mended(frame: pd.DataFrame, end: pd.Timestamp, notes: list[str]) -> pd.DataFrame:
    def note(mask: pd.Series, text: str) -> None:
        if mask.any():
            notes.append(f"{int(mask.sum()):,} deals {text}")

    nameless = frame["stage"].isna()
    note(nameless, f"without a stage: stage = {UNKNOWN_STAGE!r}")
    frame["stage"] = frame["stage"].where(~nameless, UNKNOWN_STAGE)

    unpriced = (frame["outcome"] == "won") & frame["amount"].isna()
    note(unpriced, "won without an amount: amount = 0")
    frame["amount"] = frame["amount"].where(~unpriced, 0.0)

    closed = frame["outcome"] != "open"
    if not closed.any():
        notes.append("no deal is won or lost: export the columns or the file of stages that say which stages close")
    touched = frame["touched_at"].dt.tz_localize(None).dt.normalize()
    undated = closed & frame["closed_on"].isna()
    note(undated & touched.notna(), "closed without a date: closed_on = the day of their last change")
    frame["closed_on"] = frame["closed_on"].where(~undated, touched).where(closed)

    ahead = closed & (frame["closed_on"] > end)
    note(ahead, "closed with a date still to come: closed_on = the day of their last change")
    frame["closed_on"] = frame["closed_on"].where(~ahead, touched.fillna(end).clip(upper=end))

    late = closed & (frame["closed_on"] < frame["created_on"])
    note(late, "closed before they were entered: created_on = the day they closed")
    frame["created_on"] = frame["created_on"].where(~late, frame["closed_on"])
    return frame


def _mended_history(history: pd.DataFrame, frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame | None:
    total = len(history)
    history = history[history["opportunity_id"].isin(frame["opportunity_id"])]
    if len(history) < total:
        notes.append(f"{total - len(history):,} rows of history belong to deals that are not in the export: left out")
    if history.empty:
        return None
    history = history.sort_values(["opportunity_id", "recorded_at"], kind="stable")
    history = history.drop_duplicates(["opportunity_id", "recorded_at"], keep="last")
    history = history.assign(stage=history["stage"].fillna(UNKNOWN_STAGE))
    # Where the record of a deal begins after it closed, its history would only say when the CRM began to keep one.
    first = history.drop_duplicates("opportunity_id").set_index("opportunity_id")
    closed_on = frame.set_index("opportunity_id")["closed_on"].reindex(first.index)
    began = first["recorded_at"].dt.tz_localize(None).dt.normalize()
    after = first.index[first["closed"].to_numpy(dtype=bool) & (began > closed_on).to_numpy()]
    if len(after):
        notes.append(
            f"the history of {len(after):,} deals begins after they closed and is left out: of these only creation and "
            "closure are known"
        )
        history = history[~history["opportunity_id"].isin(after)]
    return None if history.empty else history


def _closing_stages(
    frame: pd.DataFrame, history: pd.DataFrame | None, deals: Deals
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Give closed deals a stage of their own where the CRM leaves them in an open one."""
    outcomes = frame.groupby("stage")["outcome"].agg(lambda values: set(values))
    open_too = set(outcomes.index[[("open" in values and len(values) > 1) for values in outcomes]])
    both = set(outcomes.index[[values == {"won", "lost"} for values in outcomes]])
    if deals.reference is not None:
        known = deals.reference.set_index("stage")["outcome"]
        meant = frame["stage"].map(known)
        open_too |= set(frame.loc[meant.notna() & (meant != frame["outcome"]), "stage"])
    mixed = open_too | both
    if not mixed:
        return frame, history
    names = {"won": "Won", "lost": "Lost"}
    moved = frame["stage"].isin(mixed) & (frame["outcome"] != "open")
    if moved.any():
        deals.notes.append(f"{int(moved.sum()):,} closed deals stand in a stage of open ones: stage = 'Won' or 'Lost'")
    frame = frame.assign(stage=frame["stage"].where(~moved, frame["outcome"].map(names)))
    if history is not None and moved.any():
        ending = history["opportunity_id"].map(frame[moved].set_index("opportunity_id")["outcome"]).map(names)
        closing = history["closed"].to_numpy(dtype=bool) & ending.notna().to_numpy()
        history = history.assign(stage=history["stage"].where(~closing, ending))
    return frame, history


def _stages(frame: pd.DataFrame, history: pd.DataFrame | None, reference: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the stages that are in use, in the CRM's order; None where the CRM gives no order."""
    if reference is None or "position" not in reference:
        return None
    names = list(frame["stage"].unique()) + ([] if history is None else list(history["stage"].unique()))
    table = pd.DataFrame({"stage": sorted(set(names))})
    known = reference.drop_duplicates("stage").set_index("stage")
    today = frame.drop_duplicates("stage").set_index("stage")["outcome"]
    table["outcome"] = table["stage"].map(today).fillna(table["stage"].map(known["outcome"])).fillna("open")
    position = table["stage"].map(known["position"]).astype("float64")
    rank = table["outcome"].map({"open": 0, "won": 1, "lost": 2})
    order = np.lexsort((table["stage"], position.fillna(-1), rank))
    table["position"] = np.empty(len(table), dtype=np.int64)
    table.loc[table.index[order], "position"] = np.arange(1, len(table) + 1)
    if "probability" in known:
        table["probability"] = table["stage"].map(known["probability"])
    return table.sort_values("position", ignore_index=True)
