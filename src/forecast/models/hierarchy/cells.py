"""What a segment brings by owner or product: its deals parted, its deals to come shared out; they add up to it.

A cell is what one owner (or product) holds in one segment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.data.known.coding import NONE
from forecast.data.known.ledger import KnownState
from forecast.data.known.places import parents_on
from forecast.models.hierarchy.layout import OWNER, PRODUCT, Layout, codes_on
from forecast.models.hierarchy.shares import Shares, shares_of
from forecast.models.pipeline.bookings import draw
from forecast.models.pipeline.components import Components
from forecast.models.pipeline.draws import DRAWS, draw_new_of, draw_open_of, draw_shared
from forecast.seeds import generator

_SHARED_OUT = 6


@dataclass(frozen=True, kw_only=True)
class Draws:
    """Draws of what is still to come. seed : theirs. whole : (D, R, S), of segments; shared : the same, the factor of
    errors in common that is in them."""

    seed: int
    whole: np.ndarray
    shared: np.ndarray

    @classmethod
    def of(cls, parts: Components, *, seed: int) -> Draws:
        """Return those of a forecast: the draws that its own quantiles come from."""
        return cls(
            seed=seed,
            whole=draw(parts, seed=seed).draws,
            shared=draw_shared(parts.common, parts.own, segments=len(parts.booked), seed=seed),
        )


@dataclass(frozen=True, kw_only=True)
class Parted:
    """What one segment brings by cell. codes : (C,) of owners or products. open_pipeline, new : (C, S) expected.

    booked : (C, B + S), in past months of the quarters and those forecast. draws : (D, C, S) of what is to come, None
    without ranges; whole : (D, S), of the segment.
    """

    codes: np.ndarray
    booked: np.ndarray
    open_pipeline: np.ndarray
    new: np.ndarray
    draws: np.ndarray | None
    whole: np.ndarray | None


@dataclass(frozen=True, kw_only=True)
class Holders:
    """Whose each deal is in a tree, on a day. codes : (n,) of all deals, NONE = nobody's. shares : of deals to come."""

    view: KnownState
    tree: Layout
    codes: np.ndarray
    shares: Shares

    @classmethod
    def of(cls, view: KnownState, tree: Layout) -> Holders:
        """Return them; without a column that parts a segment's deals all are nobody's."""
        every = np.arange(len(view.known))
        codes = codes_on(view, tree.by, every) if tree.by else np.full(len(every), NONE)
        shares = shares_of(view, codes, levels=max(len(tree.levels) - 1, 0), left=_gone(view, tree))
        return cls(view=view, tree=tree, codes=codes, shares=shares)

    def parted(
        self, parts: Components, place: int, *, deals: np.ndarray, months: np.ndarray, drawn: Draws | None
    ) -> Parted:
        """Return what one segment brings by cell.

        parts : of the day's forecast. deals : (n,) its open deals, places in the ledger. months : (B + S,), those of
        bookings. drawn : None for expectations alone.
        """
        here = np.flatnonzero(parts.segment == place)
        sharing, share = self.shares.codes[place], self.shares.mean[place]
        won, paid, month = self._won(place, months)
        codes = np.unique(np.concatenate([self.codes[deals[here]], won, sharing])).astype(np.int64)
        codes = codes if len(codes) else np.array([NONE])
        count = len(codes)
        of_open, of_new = (np.searchsorted(codes, each) for each in (self.codes[deals[here]], sharing))
        expected = [np.bincount(of_open, each, minlength=count) for each in parts.open_by_deal[here].T]
        mean = np.full(count, 1.0 / count)
        if len(sharing):
            mean[:] = 0.0
            mean[of_new] = share
        cell = np.searchsorted(codes, won) * len(months) + month
        booked = np.bincount(cell, paid, minlength=count * len(months)).reshape(count, len(months))
        draws, whole = None, None
        if drawn is not None:
            whole = drawn.whole[:, place]
            draws = whole[:, None]
            if count > 1:
                draws = self._drawn(parts, place, here, of_open, of_new, count=count, drawn=drawn)
        return Parted(
            codes=codes,
            booked=booked,
            open_pipeline=np.stack(expected, axis=1),
            new=mean[:, None] * parts.new[place],
            draws=draws,
            whole=whole,
        )

    def _won(self, place: int, months: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return codes and amounts of the segment's deals won in some months, and which month each is of; (k,) each."""
        view = self.view
        won = view.won_deals[view.place_of_segment[view.segment[view.won_deals]] == place]
        order = np.searchsorted(months, view.closed_in[won])
        inside = order < len(months)
        inside[inside] = months[order[inside]] == view.closed_in[won[inside]]
        return self.codes[won[inside]], np.nan_to_num(view.amount[won[inside]]), order[inside]

    def _drawn(
        self,
        parts: Components,
        place: int,
        here: np.ndarray,
        of_open: np.ndarray,
        of_new: np.ndarray,
        *,
        count: int,
        drawn: Draws,
    ) -> np.ndarray:
        """Return draws of what is to come by cell, (D, C, S): the segment's own draws, parted."""
        seed = drawn.seed
        out = draw_open_of(
            place, parts.chance[here], parts.value[here], ratios=parts.ratios, seed=seed, cell=of_open, cells=count
        )
        shares = np.full((DRAWS, count), 1.0 / count)
        if len(of_new):
            rng = generator(seed, _SHARED_OUT, place, (OWNER, PRODUCT).index(self.tree.by))
            shares[:] = 0.0
            shares[:, of_new] = self.shares.draw(place, DRAWS, rng)
        out += draw_new_of(place, parts.wins[place], parts.new[place], pool=parts.pool, seed=seed, shares=shares)
        out *= drawn.shared[:, place][:, None, :]
        return out


def _gone(view: KnownState, tree: Layout) -> np.ndarray:
    """Return the codes of owners or products that had a place in the hierarchy once and have none on the day."""
    table = view.ledger.tables.get("hierarchy")
    if table is None or not tree.by:
        return np.zeros(0, dtype=np.int64)
    had = set(table.loc[((table["of"] == tree.by) & (table["from"] <= view.as_of)).to_numpy(), "node"])
    left = had - set(parents_on(table, of=tree.by, day=view.as_of))
    return np.array([code for code, name in enumerate(tree.levels[:-1]) if name in left], dtype=np.int64)
