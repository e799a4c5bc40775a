"""Which nodes there are, and which deals each holds: trees over segments, owners and products as they stood on a day.

Simple case: a company has a table of regions over segments, and one of families over products. Each is a tree of its
own, whose leaves part all deals; both have the same whole, and nothing is added across them. The complications: owners
whose teams belong to segments stand below the segments, each with the deals he or she holds in them, so that the owners
of a segment add up to it; a segment that has segments below it keeps deals of its own, which get a leaf; and deals
without an owner or product get one too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from forecast.data.known.coding import NONE, OPEN
from forecast.data.known.ledger import KnownState
from forecast.data.known.places import ancestors, parents_on
from forecast.data.schema import TOTAL
from forecast.models.pipeline.explained import NO_OWNER

SEGMENT, OWNER, PRODUCT = "segment", "owner", "product"
NOBODY: Mapping[str, str] = {OWNER: NO_OWNER, PRODUCT: "no product"}
"""What the leaf of deals is called that have no owner or product."""

WHOLE, GROUP, TEAM, FAMILY = "total", "group", "team", "family"
"""The kinds of nodes that are no segment, owner or product: the whole; what stands above segments, owners, products."""

ITSELF = "{} itself"
"""What the leaf is called that holds the own deals of a segment, owner or product to which others belong."""

SEPARATOR = " > "

Path = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A tree, and where the deals of each cell stand: a cell is a segment and, where `by` says so, an owner or product.

    of : the tree. by : the column that parts a segment's deals, empty where nothing does.
    segments : (R,) the names of the segments. of_segment : (R,) where each stands, () where the tree has none in it.
    levels : the names behind the codes of `by`, NONE's last. chains : what each name belongs to, from above; also
    of names that no deal has yet.
    """

    of: str
    by: str
    segments: tuple[str, ...]
    of_segment: tuple[Path, ...]
    levels: tuple[str, ...]
    chains: Mapping[str, Path]

    def path(self, segment: int, code: int) -> Path:
        """Return where a deal of a segment stands; code : of `by`, NONE for none."""
        return self._below(self.of_segment[segment], self.levels[code] if self.by else "")

    def path_of(self, segment: str, name: str) -> Path:
        """Return where a deal stands of a segment and an owner or product by name; either may be new since the day."""
        return self._below(self._above(segment), (name or self.levels[NONE]) if self.by else "")

    def _above(self, segment: str) -> Path:
        if segment in self.place:
            return self.of_segment[self.place[segment]]
        return (segment,) if any(self.of_segment) else ()

    def _below(self, above: Path, name: str) -> Path:
        if not self.by:
            return above
        own = (ITSELF.format(name),) if name in self.inner else ()
        return (*above, *self.chains.get(name, ()), name, *own)

    @cached_property
    def place(self) -> dict[str, int]:
        """The place of each segment by its name."""
        return {name: place for place, name in enumerate(self.segments)}

    @cached_property
    def inner(self) -> frozenset[str]:
        """The names that others belong to: one of them that has deals of its own keeps these in a leaf."""
        return frozenset(name for chain in self.chains.values() for name in chain)

    def nodes(self, segment: int, code: int) -> list[tuple[Path, str]]:
        """Return the nodes that hold a deal of a segment, the whole first, each with its kind."""
        return self._down_to(self.path(segment, code), above=self.of_segment[segment])

    def nodes_of(self, segment: str, name: str) -> list[tuple[Path, str]]:
        """Return the same by names, as `path_of` takes them."""
        return self._down_to(self.path_of(segment, name), above=self._above(segment))

    def _down_to(self, path: Path, *, above: Path) -> list[tuple[Path, str]]:
        lower = FAMILY if self.by == PRODUCT else TEAM
        found = [(path[:end], GROUP if end < len(above) else lower) for end in range(len(path) + 1)]
        found[0] = ((), WHOLE)
        if above:
            found[len(above)] = (above, SEGMENT)
        if self.by:
            found[-1] = (path, self.by)
        return found


def written(path: Path) -> str:
    """Return a path as text, `Europe > North > Ada`; of the whole its name."""
    return SEPARATOR.join(name.replace(SEPARATOR, " - ") for name in path) or TOTAL


def layouts(view: KnownState) -> list[Layout]:
    """Return the trees that a company's hierarchy makes, as known on the day: of segments, owners and products.

    None where it has no such table, or none of whose rows holds that day. What has no place stands below the whole.
    """
    table = view.ledger.tables.get("hierarchy")
    if table is None or not len(table):
        return []
    parents = {of: parents_on(table, of=of, day=view.as_of) for of in (SEGMENT, OWNER, PRODUCT)}
    chains = {name: _chain(name, parents[OWNER]) for name in parents[OWNER]} if _levels(view, OWNER) else {}
    below = _is_below_segments(chains, view.segments)
    places = _segment_paths(view.segments, parents[SEGMENT])
    found = []
    if parents[SEGMENT] or below:
        cut = {name: _cut_at_segment(chain, view.segments) for name, chain in chains.items()} if below else {}
        found.append(_layout(view, SEGMENT, OWNER if below else "", places=places, chains=cut))
    nowhere = [()] * len(view.segments)
    if chains and not below:
        on = {name: _onwards(chain, parents[SEGMENT]) for name, chain in chains.items()}
        found.append(_layout(view, OWNER, OWNER, places=nowhere, chains=on))
    if parents[PRODUCT] and _levels(view, PRODUCT):
        chains = {name: _chain(name, parents[PRODUCT]) for name in parents[PRODUCT]}
        found.append(_layout(view, PRODUCT, PRODUCT, places=nowhere, chains=chains))
    return found


def _layout(view: KnownState, of: str, by: str, *, places: Sequence[Path], chains: Mapping[str, Path]) -> Layout:
    levels = (*_levels(view, by), NOBODY[by]) if by else ()
    return Layout(of=of, by=by, segments=view.segments, of_segment=tuple(places), levels=levels, chains=chains)


def _levels(view: KnownState, column: str) -> tuple[str, ...]:
    """Return the levels of a column of the deals; none where there is no such column, or it holds no text."""
    found = view.ledger.columns.get(column)
    return () if found is None or found.levels is None else found.levels


def _chain(name: str, parents: dict[str, str]) -> Path:
    """Return what a name belongs to, from above."""
    return ancestors(name, parents)[::-1]


def _is_below_segments(chains: Mapping[str, Path], segments: Sequence[str]) -> bool:
    """Return whether owners stand below segments: whether one of them belongs to a segment, by way of teams or not."""
    there = set(segments)
    return any(not there.isdisjoint(chain) for chain in chains.values())


def _cut_at_segment(chain: Path, segments: Sequence[str]) -> Path:
    """Return what of a chain lies below the segment it leads to; all of it where it leads to none."""
    there = set(segments)
    last = max((at for at, name in enumerate(chain) if name in there), default=-1)
    return chain[last + 1 :]


def _onwards(chain: Path, parents: dict[str, str]) -> Path:
    """Return a chain that ends in a region of the segments' tree with what that belongs to."""
    return (*_chain(chain[0], parents), *chain) if chain else chain


def _segment_paths(segments: Sequence[str], parents: dict[str, str]) -> list[Path]:
    """Return where each segment stands; one that has others below it is a leaf of its own there."""
    paths = [(*_chain(name, parents), name) for name in segments]
    above = {path[:end] for path in paths for end in range(1, len(path))}
    return [(*path, ITSELF.format(path[-1])) if path in above else path for path in paths]


def codes_on(view: KnownState, column: str, deals: np.ndarray) -> np.ndarray:
    """Return the owner or product of some deals as known on the day, as codes of the column's levels; (k,) int64.

    Simple case: as the deal's last row of history says, or as fixed at creation where history does not carry it. Of a
    deal without rows in a history that does, it is known once the deal is closed, or on the record's last day.
    """
    found = view.ledger.columns[column]
    fixed = found.fixed[deals].astype(np.int64)
    if found.recorded is None:
        return fixed
    row = view.last_row[deals]
    settled = (view.outcome[deals] != OPEN) | view.is_last
    out = np.where(settled, fixed, NONE)
    if len(found.recorded):
        out = np.where(row >= 0, found.recorded[np.maximum(row, 0)].astype(np.int64), out)
    return out
