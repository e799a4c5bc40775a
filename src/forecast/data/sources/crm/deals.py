"""An export's deals on their way to our tables: what is alike in every CRM.

Deals in the bin are left out, and each deal gets a segment and its owner a name. `states` makes a history of changes,
`canonical` makes our tables.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from forecast.data.codes import repeats
from forecast.data.schema import UNASSIGNED
from forecast.data.sources.crm.export import Export
from forecast.data.sources.crm.values.ids import without_repeats
from forecast.data.sources.crm.values.names import plain
from forecast.errors import ParameterError, nearest
from forecast.wording import plural

ONE_SEGMENT = "All"

_SEGMENTS_AT_MOST = 60
_FILLED_AT_LEAST = 0.5


@dataclass(kw_only=True)
class Deals:
    """An export's deals on their way.

    opportunities : one row a deal: opportunity_id, stage (text), outcome, amount (float64), created_on, closed_on,
        expected_close_on (dates), created_at, touched_at (UTC), further columns; index as in the file.
    history : opportunity_id, recorded_at (UTC), stage, amount, expected_close_on, further columns; or None.
    reference : what the CRM says of each stage: stage, outcome, [position, probability 0 to 1]; or None.
    currencies : currency, plan_rate, [from], where amounts are in several; or None.
    reporting : the company's currency, where the export says it. exported_on : the day in the file's name, if any.
    marketing : the table of that name, where the export has it. extra : further columns of the deals to keep.
    open_by_name : stages taken as open since nothing but their name speaks of them.
    further : makes the tables of what else the export holds (quotas, leads, ...), given the day of the export.
    """

    opportunities: pd.DataFrame
    history: pd.DataFrame | None = None
    reference: pd.DataFrame | None = None
    currencies: pd.DataFrame | None = None
    reporting: str = ""
    exported_on: pd.Timestamp | None = None
    marketing: pd.DataFrame | None = None
    extra: tuple[str, ...] = ()
    open_by_name: Collection[str] = ()
    further: Callable[[pd.Timestamp], dict[str, pd.DataFrame]] | None = None
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
    notes.append(f"{plural(count, 'deal marked as deleted is', 'deals marked as deleted are')} left out")
    return frame[~deleted]


def one_row_a_deal(frame: pd.DataFrame, export: Export) -> pd.DataFrame:
    """Return one row a deal; a row that a page of the export repeats is the same in every column of the file."""
    if not repeats(frame["opportunity_id"].astype("str")):
        return frame
    raw = export.raw["opportunities"].reindex(frame.index)
    key = export.columns["opportunities"]["opportunity_id"]
    raw[key] = frame["opportunity_id"]
    touched = None if "touched_at" not in export.columns["opportunities"] else frame["touched_at"]
    table = export.files["opportunities"]
    kept = without_repeats(raw, key, changed_at=touched, table=table, notes=export.notes)
    return frame.loc[kept.index].copy()


def choose_segment(export: Export, joined: dict[str, pd.Series], segment_column: str | None) -> tuple[pd.Series, str]:
    """Return each deal's segment and a sentence that says where it comes from; note the columns that nothing needs.

    Parameters
    ----------
    export : its raw frames hold the candidate columns.
    joined : role -> the row label of that role's raw frame for each deal (missing where it does not join).
    segment_column : `column`, looked for in each role, or `role.column`; None tries what the CRM declares, then one
        segment for everything.

    Raises ParameterError for a column that is not there.
    """
    chosen = _chosen_segment(export, joined, segment_column)
    rest = [name for name in export.unused if ("opportunities", name) != export.segment_from]
    if rest:
        export.notes.append(f"{export.files['opportunities']}: columns not brought over: {', '.join(rest)}")
    return chosen


def _chosen_segment(export: Export, joined: dict[str, pd.Series], segment_column: str | None) -> tuple[pd.Series, str]:
    if segment_column is not None:
        role, column = export.segment_from = _find_column(export, joined, segment_column)
        values = _taken(export, joined, role, column)
        empty = int(values.isna().sum())
        more = f"; {empty:,} without one are {UNASSIGNED!r}" if empty else ""
        return values.fillna(UNASSIGNED), f"segment = {column} of {export.files[role]}, as asked{more}"
    for role, wanted in export.crm.segments:
        if role not in joined:
            continue
        for name in export.raw[role].columns:
            if plain(str(name)) != plain(wanted):
                continue
            values = _taken(export, joined, role, str(name))
            if values.notna().mean() >= _FILLED_AT_LEAST and 2 <= values.nunique() <= _SEGMENTS_AT_MOST:
                export.segment_from = role, str(name)
                empty = int(values.isna().sum())
                more = f"; {empty:,} without one are {UNASSIGNED!r}" if empty else ""
                where_from = f"segment = {name} of {export.files[role]}{more}; another column: --segment-from"
                return values.fillna(UNASSIGNED), where_from
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
