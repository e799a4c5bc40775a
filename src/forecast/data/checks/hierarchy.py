"""Checks of the table `hierarchy`: what contradicts itself, and names that nothing else has.

Fatal is what would let money be counted twice or nowhere: two parents at once, a node above itself, the reserved name
of the whole. The rest can be lived with, and each finding says how it is read. A row without `to` holds until the next
row of its node begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from forecast.data.checks.table import problem_at
from forecast.data.codes import distinct
from forecast.data.schema import TOTAL, UNASSIGNED
from forecast.errors import Problem, nearest, shortened

HIERARCHY = "hierarchy"
KINDS = ("segment", "owner", "product")

Tables = Mapping[str, pd.DataFrame]


def check_hierarchy(tables: Tables) -> list[Problem]:
    """Return every problem of `hierarchy` between its rows and with the deals; tables : typed, with `opportunities`.

    What a single column tells (an empty parent, an `of` that is none) is told with the other tables' columns.
    """
    frame = tables.get(HIERARCHY)
    if frame is None:
        return []
    whole = frame[["of", "node", "from", "parent"]].notna().all(axis=1) & frame["of"].isin(KINDS)
    rows = frame[whole]
    return [*_reserved(rows), *_order(rows), *_itself(rows), *_twice(rows), *_circles(rows), *_names(tables, rows)]


def ends_of(rows: pd.DataFrame) -> pd.Series:
    """Return the last day of each row as it is read: its own, else the day before the next row of its node begins.

    rows : of, node, from, [to]; (n,) dates come back, empty where a row holds until further notice.
    """
    ordered = rows.sort_values("from", kind="stable")
    following = ordered.groupby(["of", "node"])["from"].shift(-1).reindex(rows.index)
    own = rows["to"] if "to" in rows else pd.Series(pd.NaT, index=rows.index, dtype="datetime64[us]")
    return own.where(own.notna(), following - pd.Timedelta(days=1))


def _reserved(rows: pd.DataFrame) -> list[Problem]:
    found = []
    for column in ("node", "parent"):
        found += problem_at(
            rows,
            np.asarray(rows[column].str.strip().str.casefold() == TOTAL.casefold()),
            table=HIERARCHY,
            column=column,
            what=f"{TOTAL!r} is reserved for the sum over everything",
            mend="take the row out: what belongs to nothing else stands directly below the whole",
            show="node",
        )
    return found


def _order(rows: pd.DataFrame) -> list[Problem]:
    if "to" not in rows:
        return []
    return problem_at(
        rows,
        np.asarray(rows["to"] < rows["from"]),
        table=HIERARCHY,
        column="to",
        what="ends before it begins",
        mend="correct from or to; leave to empty where it holds until further notice",
        show="node",
    )


def _itself(rows: pd.DataFrame) -> list[Problem]:
    return problem_at(
        rows,
        np.asarray(rows["node"] == rows["parent"]),
        table=HIERARCHY,
        column="parent",
        what="belongs to itself",
        mend="name what it belongs to, or take the row out",
        show="node",
    )


def _twice(rows: pd.DataFrame) -> list[Problem]:
    """Say which rows begin before the one before them ends, and between which nobody says where a node belongs."""
    ordered = rows.sort_values(["of", "node", "from"], kind="stable")
    same = (ordered[["of", "node"]] == ordered[["of", "node"]].shift()).all(axis=1)
    before = (ordered["to"] if "to" in ordered else ends_of(ordered)).shift().where(same)
    overlap = (ordered["from"] <= before) & (ordered["from"] > ordered["from"].shift())
    gap = ordered["from"] > before + pd.Timedelta(days=1)
    return [
        *problem_at(
            rows,
            np.asarray(overlap.reindex(rows.index)),
            table=HIERARCHY,
            column="from",
            what="two parents at once: it begins before the row before it, of the same node, has ended",
            mend="end the earlier row the day before (to), or leave its to empty: it then ends by itself",
            show="node",
        ),
        *problem_at(
            rows,
            np.asarray(gap.reindex(rows.index)),
            table=HIERARCHY,
            column="from",
            what="a gap: some days before it, nothing says where it belongs; it then stands directly below the whole",
            mend="let the row begin the day after the one before it ends, or leave that one's to empty",
            severity="warning",
            show="node",
        ),
    ]


def _circles(rows: pd.DataFrame) -> list[Problem]:
    """Say which rows put a node above itself, by way of others, on some day."""
    found = np.zeros(len(rows), dtype=bool)
    for kind in KINDS:
        mine = np.flatnonzero((rows["of"] == kind) & (rows["node"] != rows["parent"]))
        part = rows.iloc[mine]
        inside = set(_in_a_circle(part[["node", "parent"]].drop_duplicates()))
        if not inside:
            continue
        # They go in a circle when all rows count at once; does it on a day?
        part = part[part["node"].isin(inside)]
        places = mine[np.asarray(rows.iloc[mine]["node"].isin(inside))]
        ends = ends_of(part)
        for day in sorted(part["from"].unique()):
            on = np.asarray((part["from"] <= day) & (ends.isna() | (ends >= day)))
            closed = set(_in_a_circle(part.loc[on, ["node", "parent"]]))
            found[places[on & np.asarray(part["node"].isin(closed))]] = True
    return problem_at(
        rows,
        found,
        table=HIERARCHY,
        column="parent",
        what="a circle: by way of its parents it belongs to itself",
        mend="correct the parent of one of these rows",
        show="node",
    )


def _in_a_circle(pairs: pd.DataFrame) -> Iterator[str]:
    """Yield the nodes from which parents lead back to them: those left once all others are taken away.

    Simple case: what belongs to nothing, and what nothing belongs to, is in no circle; without it others are so too.

    pairs : node, parent.
    """
    left = pairs
    while len(left):
        stays = left["parent"].isin(left["node"]) & left["node"].isin(left["parent"])
        if stays.all():
            break
        left = left[stays]
    yield from left["node"].unique()


def _names(tables: Tables, rows: pd.DataFrame) -> list[Problem]:
    found = []
    segments = _named(tables, "segment")
    for kind in KINDS:
        mine = np.asarray(rows["of"] == kind)
        if not mine.any():
            continue
        known = _named(tables, kind)
        if known is None:
            found += problem_at(
                rows,
                mine,
                table=HIERARCHY,
                column="of",
                what=f"places every {kind}, and no opportunity has one",
                mend=f"add the column {kind} to opportunities, or take the rows out",
                severity="warning",
                show="node",
            )
            continue
        found += [*_unknown(rows, kind, mine, known), *_without_place(tables, rows, kind, known)]
    if segments:
        found += _misspelt_tops(rows, segments)
    return found


def _unknown(rows: pd.DataFrame, kind: str, mine: np.ndarray, known: set[str]) -> list[Problem]:
    """Say which nodes have no deal and are nobody's parent; of owners that is usual: some have not sold yet."""
    nodes, parents = rows.loc[mine, "node"], set(rows.loc[mine, "parent"])
    unknown = sorted(set(nodes) - known - parents)
    if not unknown:
        return []
    return problem_at(
        rows,
        mine & np.asarray(rows["node"].isin(unknown)),
        table=HIERARCHY,
        column="node",
        what=f"no opportunity has it as its {kind}, and nothing belongs to it",
        mend=f"correct the spelling if it is one; {shortened(unknown[0])!r}: {nearest(unknown[0], known)}",
        severity="info" if kind == "owner" else "warning",
        show="node",
    )


def _without_place(tables: Tables, rows: pd.DataFrame, kind: str, known: set[str]) -> list[Problem]:
    missing = sorted(known - set(rows.loc[rows["of"] == kind, "node"]) - {UNASSIGNED})
    if not missing:
        return []
    frame = tables["opportunities"]
    where = frame[kind].isin(missing) if kind in frame else pd.Series(data=False, index=frame.index)
    return problem_at(
        frame,
        np.asarray(where),
        table="opportunities",
        column=kind,
        what=f"{HIERARCHY} does not say where these belong: each stands directly below the whole",
        mend=f"add a row for each {kind} to {HIERARCHY}, or leave it so",
        severity="info",
        show=kind,
    )


def _misspelt_tops(rows: pd.DataFrame, segments: set[str]) -> list[Problem]:
    """Say which owners belong to what is no segment, where others' parents are segments: most often a spelling."""
    owners = rows["of"] == "owner"
    tops = owners & ~rows["parent"].isin(set(rows.loc[owners, "node"]))
    placed = set(rows.loc[rows["of"] == "segment", ["node", "parent"]].to_numpy().ravel()) | segments
    stray = tops & ~rows["parent"].isin(placed)
    if not (tops & rows["parent"].isin(segments)).any() or not stray.any():
        return []
    first = str(rows.loc[stray, "parent"].iloc[0])
    return problem_at(
        rows,
        np.asarray(stray),
        table=HIERARCHY,
        column="parent",
        what="is no segment, while other owners belong to segments",
        mend=f"correct the spelling if it is one; {shortened(first)!r}: {nearest(first, segments)}",
        severity="warning",
    )


def _named(tables: Tables, kind: str) -> set[str] | None:
    """Return all names that deals have, today or in the past, in a column; None where no table has the column."""
    frames = [tables[name] for name in ("opportunities", "opportunity_history") if kind in tables.get(name, ())]
    if not frames:
        return None
    return {name for frame in frames for name in distinct(frame[kind])}
