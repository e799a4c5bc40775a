"""The forecast of bookings at every level: region, segment, team, owner, family, product, each from the same draws.

Simple case: a region is the sum of its segments, draw by draw. Below a segment its deals are parted: the same coins are
tossed and counted by owner (or product), booked deals count where they closed, and deals not yet created are shared out
by a rule (`shares`). What segments have in common or get wrong moves all parts of a segment alike. So every level adds
up, in the mean and in each draw, and each node's range is its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forecast.data.known.coding import NONE
from forecast.data.known.ledger import KnownState
from forecast.data.known.snapshot import expect_snapshot
from forecast.data.schema import ADDENDS, QUANTILE_COLUMNS, QUANTILES, TOTAL, NotedTable
from forecast.errors import DataError
from forecast.models.hierarchy.cells import Draws, Holders, Parted
from forecast.models.hierarchy.layout import Layout, Path, layouts, written
from forecast.models.hierarchy.targets import Targets
from forecast.models.pipeline.components import Origin, components_at_origins
from forecast.models.tables import quantiles_of
from forecast.seeds import check_seed

if TYPE_CHECKING:
    from forecast.data.known.snapshot import Snapshot

COLUMNS = (
    *("of", "level", "kind", "path", "node", "parent", "origin", "target_period", "horizon", "mean"),
    *QUANTILE_COLUMNS,
    *ADDENDS,
)
"""The columns of a forecast by level."""

NO_TABLE = "There is no table hierarchy, or none of its rows holds on the day: nothing is summed by it."


def forecast_by_level(snap: Snapshot, *, months: int = 6, seed: int = 0) -> pd.DataFrame:
    """Return the forecast of bookings of every node of the company's hierarchy, as it stood on the snapshot's day.

    Parameters
    ----------
    snap : a snapshot. months : months ahead, 1 to 24; the month in progress comes on top where there is one.
    seed : of the draws, an integer >= 0; with that of `forecast_bookings` segments and `Total` have its numbers.

    Returns
    -------
    A row a node and month, then a row a node and fiscal quarter whose months are all past or forecast. `of` names the
    tree (segment, owner or product), `level` is 0 for the whole (`Total`), 1 for what stands directly below it, and so
    on; `kind` says what a node is (total, group of segments, segment,
    team, owner, family, product), `path` where it stands, such as
    `Europe > North > Ada`; then node, parent, origin, target_period, horizon, mean, q2.5 … q97.5, booked,
    open_pipeline, not_yet_created, in the reporting currency. Sorted by tree, then path, then horizon, months first.
    In each tree the children of a node add up to it, to the cent; trees are other cuts of the same money, and nothing
    is to be added across them. Without rows where the company has no hierarchy; `attrs["notes"]` says so. On too thin
    data the numbers are nan.

    Raises
    ------
    ParameterError : months or seed out of range.

    Examples
    --------
    >>> import forecast
    >>> snap = forecast.snapshot(forecast.read("data/sample"), as_of="2026-10-31")
    >>> table = forecast.forecast_by_level(snap, months=3)
    >>> sorted(table["of"].unique()), table["target_period"].nunique()
    (['product', 'segment'], 4)
    """
    expect_snapshot(snap, call="forecast_by_level")
    return next(levels_at_origins(snap, origins=[snap.as_of], months=months, seed=seed)).frame()


def levels_at_origins(
    snap: Snapshot, *, origins: Sequence[pd.Timestamp], months: int = 6, seed: int = 0, ranges: bool = True
) -> Iterator[NotedTable]:
    """Yield the table of `forecast_by_level` at each of several origins, in one walk through the past.

    origins : ascending, at the same position in their month, none after the snapshot's day; places and owners are those
    of each origin's day. ranges : False leaves quantiles nan, and draws nothing.
    """
    check_seed(seed)
    for origin in components_at_origins(snap, origins=origins, steps=months, marketing=True):
        yield by_level(origin, months=months, seed=seed if ranges else None)


def by_level(origin: Origin, *, months: int, seed: int | None) -> NotedTable:
    """Return the table of `forecast_by_level` of one day of a walk; seed : None for expectations alone."""
    view, parts = origin.view, origin.forecast()
    trees = view.once(layouts)
    if not trees:
        return NotedTable(table=_typed(pd.DataFrame(columns=list(COLUMNS))), notes=(NO_TABLE,))
    targets = Targets.of(view, months)
    if isinstance(parts, DataError) or isinstance(origin.parts, DataError):
        frames = [_without_numbers(view, tree, targets) for tree in trees]
        why = parts.problem.what if isinstance(parts, DataError) else ""
        return NotedTable(table=pd.concat(frames, ignore_index=True), notes=(f"No forecast: {why}.",))
    drawn = None if seed is None else Draws.of(parts, seed=seed)
    frames = []
    for tree in trees:
        holders = Holders.of(view, tree)
        nodes = _Nodes(tree=tree, targets=targets)
        for place in range(len(view.segments)):
            nodes.add(
                place,
                holders.parted(parts, place, deals=origin.parts.ids, months=targets.all_months, drawn=drawn),
            )
        frames.append(nodes.frame(view.as_of))
    return NotedTable(table=pd.concat(frames, ignore_index=True), notes=parts.notes)


def _without_numbers(view: KnownState, tree: Layout, targets: Targets) -> pd.DataFrame:
    """Return the rows of a tree's nodes without numbers: where nothing can be forecast."""
    holders = Holders.of(view, tree)
    nodes = _Nodes(tree=tree, targets=targets)
    place_of = view.place_of_segment[view.segment]
    steps, months = len(targets.periods), len(targets.all_months)
    for place in range(len(view.segments)):
        codes = np.unique(holders.codes[view.known & (place_of == place)])
        nan = np.full((len(codes), steps), np.nan)
        booked = np.full((len(codes), months), np.nan)
        nodes.add(place, Parted(codes=codes, booked=booked, open_pipeline=nan, new=nan, draws=None, whole=None))
    return nodes.frame(view.as_of)


# -- the nodes -----------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class _Sum:
    """What the deals of a node bring, summed so far: as `Parted`, without cells."""

    kind: str
    booked: np.ndarray
    open_pipeline: np.ndarray
    new: np.ndarray
    draws: np.ndarray | None

    def add(self, parted: Parted, cell: int | slice, draws: np.ndarray | None) -> None:
        """Add a cell of a segment, or all of it. draws : (D, S), of this part."""
        for name in ("booked", "open_pipeline", "new"):
            value = getattr(parted, name)[cell]
            getattr(self, name)[:] += value if isinstance(cell, int) else value.sum(axis=0)
        if draws is not None:
            self.draws = draws.copy() if self.draws is None else self.draws + draws


@dataclass(kw_only=True)
class _Nodes:
    """The nodes of a tree, filled segment by segment; one below a segment is written down when that is through."""

    tree: Layout
    targets: Targets
    sums: dict[Path, _Sum] = field(default_factory=dict)
    written: dict[Path, dict[str, Any]] = field(default_factory=dict)

    def add(self, place: int, parted: Parted) -> None:
        """Add what a segment brings to every node that holds some of it."""
        above = self.tree.of_segment[place]
        below: set[Path] = set()
        for cell, code in enumerate(parted.codes):
            for path, kind in self.tree.nodes(place, int(code))[len(above) + 1 :]:
                draws = None if parted.draws is None else parted.draws[:, cell]
                self._node(path, kind).add(parted, cell, draws)
                below.add(path)
        code = int(parted.codes[0]) if len(parted.codes) else NONE
        for path, kind in self.tree.nodes(place, code)[: len(above) + 1]:
            self._node(path, kind).add(parted, slice(None), parted.whole)
        if above:
            for path in below:
                self.written[path] = self._row(path, self.sums.pop(path))

    def _node(self, path: Path, kind: str) -> _Sum:
        if path not in self.sums:
            steps, months = len(self.targets.periods), len(self.targets.all_months)
            self.sums[path] = _Sum(
                kind=kind, booked=np.zeros(months), open_pipeline=np.zeros(steps), new=np.zeros(steps), draws=None
            )
        return self.sums[path]

    def _row(self, path: Path, found: _Sum) -> dict[str, Any]:
        """Return the columns of a node, each (S + Q,) or one value."""
        booked, ahead = self.targets.whole(found.booked), self.targets.ahead
        open_pipeline, new = ahead(found.open_pipeline), ahead(found.new)
        quantiles = np.full((len(booked), len(QUANTILES)), np.nan)
        if found.draws is not None:
            quantiles = quantiles_of(np.sort(np.ascontiguousarray((ahead(found.draws) + booked).T), axis=1))
        return {
            "level": len(path),
            "kind": found.kind,
            "path": written(path),
            "node": path[-1] if path else TOTAL,
            "parent": (TOTAL, *path)[-2] if path else "",
            "mean": booked + open_pipeline + new,
            **dict(zip(QUANTILE_COLUMNS, quantiles.T, strict=True)),
            **dict(zip(ADDENDS, (booked, open_pipeline, new), strict=True)),
        }

    def frame(self, as_of: pd.Timestamp) -> pd.DataFrame:
        """Return the rows of all nodes, by path, then target."""
        rows = self.written | {path: self._row(path, found) for path, found in self.sums.items()}
        ordered = [rows[path] for path in sorted(rows)]
        targets = len(self.targets.labels)
        columns: dict[str, Any] = {}
        for name in COLUMNS:
            if name == "of":
                columns[name] = np.repeat(self.tree.of, len(ordered) * targets)
            elif name == "origin":
                columns[name] = np.repeat(as_of.to_datetime64(), len(ordered) * targets)
            elif name in ("target_period", "horizon"):
                each = self.targets.labels if name == "target_period" else self.targets.horizons
                columns[name] = np.tile(np.asarray(each), len(ordered))
            elif ordered:
                columns[name] = np.concatenate([np.broadcast_to(row[name], targets) for row in ordered])
            else:
                columns[name] = np.zeros(0)
        return _typed(pd.DataFrame(columns))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns in their kinds."""
    text = ("of", "kind", "path", "node", "parent", "target_period")
    kinds = {name: "str" if name in text else "float64" for name in COLUMNS}
    return frame.astype(kinds | {"level": "int64", "horizon": "int64", "origin": "datetime64[us]"})
