"""What if: the forecast of a snapshot with a lever moved, and which lever brought which part of the change.

A scenario changes what the forecast is made of (`Components`) and leaves everything else: same deals,
same random numbers. So base and scenario differ by the levers alone, and no lever moved gives the base to the cent.

The change is shared out among the levers by Shapley's value (Shapley 1953): a lever's share is its mean contribution
over all orders in which the levers could have been moved, so the shares add up to the change exactly.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from forecast.calendar import period_labels
from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import QUANTILE_COLUMNS, QUANTILES, TOTAL
from forecast.errors import ParameterError, did_you_mean
from forecast.models.pipeline.bookings import draw
from forecast.models.pipeline.components import Components, components
from forecast.models.tables import month_targets


@dataclass(frozen=True, kw_only=True)
class Levers:
    """What is moved; the defaults move nothing.

    leads : marketing's pipeline still to be created, relative change, -1 to 2.
    win_rate : chances to win, of open deals and of deals to come, relative change, -1 to 1.
    cycle_time : time to the win, relative change, -0.5 to 1: 0.2 means that everything takes a fifth longer.
    slippage : months by which open deals are won later, 0 to 6.
    won, lost : open deals taken as won in the first month, or as lost.
    joint_planning : whether segments that do not plan jointly yet begin to; it moves the width of the range and
        nothing else (`levers.joint_planning`).
    """

    leads: float = 0.0
    win_rate: float = 0.0
    cycle_time: float = 0.0
    slippage: float = 0.0
    won: tuple[str, ...] = field(default=())
    lost: tuple[str, ...] = field(default=())
    joint_planning: bool = False

    @classmethod
    def given(
        cls,
        *,
        leads: float = 0.0,
        win_rate: float = 0.0,
        cycle_time: float = 0.0,
        slippage: float = 0.0,
        won: str | Sequence[str] = (),
        lost: str | Sequence[str] = (),
        joint_planning: bool = False,
    ) -> Levers:
        """Return levers from a notebook's parameters: deals as a list, or as text with commas between."""
        return cls(
            leads=leads,
            win_rate=win_rate,
            cycle_time=cycle_time,
            slippage=slippage,
            won=_listed(won),
            lost=_listed(lost),
            joint_planning=joint_planning,
        )


def _listed(deals: str | Sequence[str]) -> tuple[str, ...]:
    parts = deals.split(",") if isinstance(deals, str) else deals
    return tuple(part.strip() for part in parts if part.strip())


LEVERS = ("leads", "win_rate", "cycle_time", "slippage", "deals")
RELATIVE = ("leads", "win_rate", "cycle_time")
RANGES = {"leads": (-1.0, 2.0), "win_rate": (-1.0, 1.0), "cycle_time": (-0.5, 1.0), "slippage": (0.0, 6.0)}


@dataclass(frozen=True, kw_only=True)
class Base:
    """A snapshot's forecast taken apart, computed once, so that each what-if is quick."""

    parts: Components
    periods: np.ndarray
    segments: tuple[str, ...]
    seed: int

    @property
    def has_marketing(self) -> bool:
        """Whether any pipeline to come is marketing's, so that `leads` moves anything."""
        return bool(self.parts.marketed.sum() > 0)

    @cached_property
    def ranges(self) -> tuple[np.ndarray, np.ndarray]:
        """The base's quantiles by month, (7, R + 1, S), and of all months together, (7, R + 1); drawn once."""
        return _ranges(_draws(self.parts, seed=self.seed), np.ones(len(self.segments)), self.parts.booked)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Base against scenario.

    table : period, segment (and Total), base, scenario (means), the scenario's quantiles, and base_q10, base_q50 and
    base_q90. by_lever : segment (and Total), lever, change; the shares of the segment's change over all months, which
    they add up to exactly. whole : segment (and Total), and of all months together base, scenario, q10, q50, q90 and
    base_q10, base_q50, base_q90: the range of the sum, not the sum of the ranges.
    """

    table: pd.DataFrame
    by_lever: pd.DataFrame
    whole: pd.DataFrame

    @property
    def shares(self) -> pd.DataFrame:
        """The shares of the total: lever, change."""
        return self.shares_of(TOTAL)

    def shares_of(self, segment: str) -> pd.DataFrame:
        """Return the shares of one segment: lever, change."""
        return self.by_lever.loc[self.by_lever["segment"] == segment, ["lever", "change"]].reset_index(drop=True)


RANGE = ("q10", "q50", "q90")
"""Quantiles that are also given of the base."""

CENT = 0.005
"""Amounts below this are nothing: base and scenario differ by rounding at most."""


def base(snap: Snapshot, *, months: int = 6, seed: int = 0) -> Base:
    """Take a snapshot's forecast apart. Raises DataError where the data are too thin for a forecast."""
    periods, _ = month_targets(snap, months)
    return Base(parts=components(snap, steps=months), periods=periods, segments=snap.segments, seed=seed)


def scenario(given: Base, levers: Levers, *, width: np.ndarray | None = None) -> Scenario:
    """Return the forecast with the levers moved, that without, and each lever's share of the change.

    width : (R,), what each segment's range is multiplied by around its median, at least 0; 1 for all by default. The
    means do not move, and the Total's range follows from the same draws around its own median.

    Raises
    ------
    ParameterError : a lever is out of its range, or a deal is not open.
    """
    check_levers(given, levers)
    moved = _moved(given.parts, levers)
    before, after = _means(given.parts), _means(moved)
    stretch = np.ones(len(given.segments)) if width is None else width
    quantiles, of_all = _ranges(_draws(moved, seed=given.seed), stretch, moved.booked)
    names = [*given.segments, TOTAL]
    table = pd.DataFrame(
        {
            "period": np.repeat(period_labels(given.periods), len(names)),
            "segment": names * len(given.periods),
            "base": _with_total(before).T.ravel(),
            "scenario": _with_total(after).T.ravel(),
        }
    )
    for column, values in zip(QUANTILE_COLUMNS, quantiles, strict=True):
        table[column] = values.T.ravel()
    sums = {"base": _with_total(before).sum(axis=1), "scenario": _with_total(after).sum(axis=1)}
    whole = pd.DataFrame({"segment": names, **sums})
    base_quantiles, base_of_all = given.ranges
    for column in RANGE:
        place = QUANTILE_COLUMNS.index(column)
        table[f"base_{column}"] = base_quantiles[place].T.ravel()
        whole[column], whole[f"base_{column}"] = of_all[place], base_of_all[place]
    changes = _with_total(shapley_by_segment(given.parts, levers).T)
    by_lever = pd.DataFrame(
        {"segment": np.repeat(names, len(LEVERS)), "lever": [*LEVERS] * len(names), "change": changes.ravel()}
    )
    return Scenario(table=table, by_lever=by_lever, whole=whole)


def shapley_by_segment(parts: Components, levers: Levers) -> np.ndarray:
    """Return Shapley's shares of the change of each segment, (5, R); they add up over levers to its change."""
    moved = [lever for lever in LEVERS if _only(levers, (lever,)) != Levers()]  # the others bring nothing in any order
    worth = {}
    for size in range(len(moved) + 1):
        for picked in itertools.combinations(moved, size):
            worth[frozenset(picked)] = _means(_moved(parts, _only(levers, picked))).sum(axis=1)
    shares = np.zeros((len(LEVERS), len(parts.booked)))
    for lever in moved:
        others = [name for name in moved if name != lever]
        for size in range(len(moved)):
            weight = math.factorial(size) * math.factorial(len(others) - size) / math.factorial(len(moved))
            for picked in itertools.combinations(others, size):
                without = frozenset(picked)
                shares[LEVERS.index(lever)] += weight * (worth[without | {lever}] - worth[without])
    return shares


def by_deal(given: Base, levers: Levers) -> tuple[np.ndarray, np.ndarray]:
    """Return what each open deal is expected to bring in each step, in the base and with the levers moved; (n, S).

    In the order of `given.parts.ids`. Raises ParameterError as `scenario` does.
    """
    check_levers(given, levers)
    return given.parts.open_by_deal, _moved(given.parts, levers).open_by_deal


# -- the range -----------------------------------------------------------------------------------------


def _draws(parts: Components, *, seed: int) -> np.ndarray:
    return draw(parts, seed=seed).draws + parts.booked


def _ranges(draws: np.ndarray, width: np.ndarray, booked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return quantiles of draws by segment and in total, (7, R + 1, S), and of all steps together, (7, R + 1).

    draws : (D, R, S). width : (R,), what the range of each segment is multiplied by.
    """
    total = draws.sum(axis=1, keepdims=True)
    if not (width == 1.0).all():
        median, median_of_total = np.median(draws, axis=0), np.median(total, axis=0)
        draws = median + width[:, None] * (draws - median)
        total = draws.sum(axis=1, keepdims=True)
        total += median_of_total - np.median(total, axis=0)
    both = np.maximum(np.concatenate([draws, total], axis=1), _with_total(booked))
    return np.asarray(np.quantile(both, QUANTILES, axis=0)), np.asarray(
        np.quantile(both.sum(axis=2), QUANTILES, axis=0)
    )


def ranges_differ(rows: pd.DataFrame) -> bool:
    """Return whether the 80 % range of base and scenario differ; rows : of `Scenario.table`."""
    return bool((rows["q90"] - rows["q10"] - rows["base_q90"] + rows["base_q10"]).abs().gt(CENT).any())


# -- moving the levers ---------------------------------------------------------------------------------


def _only(levers: Levers, chosen: tuple[str, ...]) -> Levers:
    moved = {name: getattr(levers, name) for name in chosen if name != "deals"}
    if "deals" in chosen:
        moved.update(won=levers.won, lost=levers.lost)
    return Levers(**moved)


def _moved(parts: Components, levers: Levers) -> Components:
    """Return what the forecast is made of with the levers moved; pure."""
    chance = parts.chance
    if levers.cycle_time or levers.slippage:
        chance = _later(chance, stretch=1.0 + levers.cycle_time, shift=levers.slippage)
    chance = _more(chance, 1.0 + levers.win_rate)
    chance = _settle(chance, np.isin(parts.ids, levers.won), np.isin(parts.ids, levers.lost))
    leads = levers.leads * _share(parts.marketed, parts.new)
    factor = (1.0 + leads) * (1.0 + levers.win_rate)
    new, wins = parts.new * factor, parts.wins * factor
    if levers.cycle_time:
        new = _later(new, stretch=1.0 + levers.cycle_time, shift=0.0)
        wins = _later(wins, stretch=1.0 + levers.cycle_time, shift=0.0)
    return dataclasses.replace(parts, chance=chance, new=new, wins=wins)


def _more(chance: np.ndarray, factor: float) -> np.ndarray:
    """Multiply chances by a factor; a deal's chances over all steps still add up to at most 1."""
    raised = chance * factor
    total = raised.sum(axis=1, keepdims=True)
    return np.where(total > 1.0, raised / np.maximum(total, 1e-300), raised)


def _settle(chance: np.ndarray, won: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Take deals as won in the first step, or as lost."""
    out = np.where((won | lost)[:, None], 0.0, chance)
    out[won, 0] = 1.0
    return out


def _later(by_step: np.ndarray, *, stretch: float, shift: float) -> np.ndarray:
    """Return what comes in each step when time runs slower by `stretch` and everything `shift` steps later.

    The sum up to step t becomes the sum up to (t - shift) / stretch, between steps in proportion; where that lies
    beyond the last step known, the last step goes on.
    """
    steps = by_step.shape[-1]
    then = np.clip((np.arange(steps + 1) - shift) / stretch, 0.0, None)
    up_to = np.concatenate([np.zeros((*by_step.shape[:-1], 1)), np.cumsum(by_step, axis=-1)], axis=-1)
    low = np.minimum(np.floor(then).astype(int), steps - 1)
    summed = up_to[..., low] + (then - low) * by_step[..., low]
    return np.diff(summed, axis=-1)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)


def _means(parts: Components) -> np.ndarray:
    """Return expected bookings by segment and step, (R, S)."""
    return np.asarray(parts.booked + parts.new + parts.open_pipeline)


def _with_total(values: np.ndarray) -> np.ndarray:
    return np.concatenate([values, values.sum(axis=0, keepdims=True)])


def check_levers(given: Base, levers: Levers) -> None:
    """Raise ParameterError where a lever is out of its range or a deal is not open."""
    check_ranges(levers)
    check_deals(levers, given.parts.ids.tolist())


def check_ranges(levers: Levers) -> None:
    """Raise ParameterError where a lever is out of its range."""
    for name, (low, high) in RANGES.items():
        value = getattr(levers, name)
        if not low <= value <= high:
            raise ParameterError(f"{name}: {value} is not from {low:g} to {high:g}")


def check_deals(levers: Levers, open_deals: Iterable[str]) -> None:
    """Raise ParameterError where a deal taken as won or lost is not open, or is taken as both."""
    known = set(open_deals)
    for deal in (*levers.won, *levers.lost):
        if deal not in known:
            hint = did_you_mean(deal, known)
            raise ParameterError(f"{deal!r} is not an open deal; {hint or 'the table deals lists those that are'}")
    if both := set(levers.won) & set(levers.lost):
        raise ParameterError(f"taken as won and as lost: {', '.join(sorted(both))}")
