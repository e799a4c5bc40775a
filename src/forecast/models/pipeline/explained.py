"""Why the forecast moved between two days: tables of causes that sum to the difference, in money and in points.

Of each target period that both forecasts have: what each cause added for the company, each segment and each owner
(`causes`), what that did to the chance of reaching plan (`credit`), and the deals behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast.calendar import is_quarter, parse_period
from forecast.data.known.coding import NONE
from forecast.data.schema import TOTAL
from forecast.errors import DataError, ParameterError
from forecast.models.pipeline.bookings import Addends, drawn_at, table_of
from forecast.models.pipeline.causes import CAUSES, Day, Pieces, pieces
from forecast.models.pipeline.components import Components, Origin, components_at_origins
from forecast.models.pipeline.credit import Outlook, chances, shapley
from forecast.models.tables import bookings_in
from forecast.models.win.probabilities import days_to_walk
from forecast.seeds import check_seed

if TYPE_CHECKING:
    from forecast.data.known.snapshot import Snapshot

CHANGE_COLUMNS = ("target_period", "level", "node", "cause", "amount", "points", "deals")
DEAL_COLUMNS = ("target_period", "cause", "opportunity_id", "segment", "amount", "expected_before", "expected_after")
END_COLUMNS = (
    "target_period",
    "level",
    "node",
    "since",
    "as_of",
    "before",
    "after",
    "plan",
    "chance_before",
    "chance_after",
)

COMPANY, SEGMENT, OWNER = "company", "segment", "owner"
NO_OWNER = "no owner"
"""The node of what belongs to no owner: deals not yet created, and deals without one."""


@dataclass(frozen=True, kw_only=True)
class ForecastChange:
    """The tables of a change; `notes` say why they have no rows, where they have none.

    causes : CHANGE_COLUMNS. deals : DEAL_COLUMNS, of one period. ends : END_COLUMNS, the two forecasts themselves.
    """

    causes: pd.DataFrame
    deals: pd.DataFrame
    ends: pd.DataFrame
    notes: tuple[str, ...] = ()


def explain(
    snap: Snapshot, *, since: str = "", months: int = 6, seed: int = 0, given: pd.DataFrame | None = None
) -> ForecastChange:
    """Return why the forecast moved since an earlier day.

    Parameters
    ----------
    snap : what was known on the later day. since : the earlier day or month; by default the end of the month before.
    months, seed : as `forecast_bookings` takes them.
    given : the forecast table of the earlier day as it was given, where that is not what today's reading of the same
        rows gives (`changes_forecast`); the difference counts as restated.

    Raises
    ------
    ParameterError : since is no day, or not before the snapshot's; months or seed is out of range.
    """
    check_seed(seed)
    day = earlier_day(snap, since)
    before, after, taught = _origins(snap, day, months=months)
    drawn = [drawn_at(origin, seed=seed) for origin in (before, after)]
    for origin, each in zip((before, after), drawn, strict=True):
        if isinstance(each, DataError):
            return _nothing(f"There was no forecast on {origin.view.as_of:%Y-%m-%d}: {each.problem.what}.")
    tables = [table_of(origin, each, months=months).table for origin, each in zip((before, after), drawn, strict=True)]
    if given is not None and given["mean"].isna().all():
        return _nothing(f"There was no forecast on {day:%Y-%m-%d}.")
    labels = [label for label in tables[1]["target_period"].unique() if (tables[0]["target_period"] == label).any()]
    if not labels:
        return _nothing(f"The forecast of {day:%Y-%m-%d} reaches no period that is forecast today.")
    periods = tuple(_periods(snap, label) for label in labels)
    then = _Side.of(before, drawn[0], tables[0], periods, given=given)
    now = _Side.of(after, drawn[1], tables[1], periods)
    return _tables(then, now, pieces(then.day, now.day, taught=taught), labels)


def earlier_day(snap: Snapshot, since: str) -> pd.Timestamp:
    """Return the earlier day; by default the end of the month before. Raises ParameterError where it is not before."""
    calendar = snap.calendar
    day = calendar.parse_day(since) if since else calendar.end(snap.period - 1)
    if day >= snap.as_of:
        raise ParameterError(f"since: {day:%Y-%m-%d} is not before {snap.as_of:%Y-%m-%d}")
    return day


def _nothing(*notes: str) -> ForecastChange:
    frames = (
        pd.DataFrame({name: pd.Series(dtype=_TYPES.get(name, "float64")) for name in columns})
        for columns in (CHANGE_COLUMNS, DEAL_COLUMNS, END_COLUMNS)
    )
    causes, deals, ends = frames
    return ForecastChange(causes=causes, deals=deals, ends=ends, notes=notes)


_TYPES = {
    **dict.fromkeys(("target_period", "level", "node", "cause", "opportunity_id", "segment"), "str"),
    **dict.fromkeys(("since", "as_of"), "datetime64[us]"),
    "deals": "int64",
}


# -- the two days ----------------------------------------------------------------------------------------


def _origins(snap: Snapshot, day: pd.Timestamp, *, months: int) -> tuple[Origin, Origin, Origin]:
    """Return the origins of the earlier day, of today, and the one that had learned as much as the earlier day.

    Simple case: both days stand at the same position in their months; one walk passes both, and the third is the first.
    Else each has a walk of its own, and what had been learned by the earlier day is read off the later day's walk: at
    its last stop by which no later month had settled.
    """
    ledger, last = snap.ledger, snap.as_of
    calendar, settle_days = ledger.calendar, ledger.company.settle_days
    first = min(calendar.period(day), calendar.period(ledger.first_day)) - 1
    stops = ledger.days_like(last, first=first)
    own = ledger.days_like(day, first=first)
    if own == stops[: len(own)]:
        before, after = _walked(snap, [day, last], months=months)
        return before, after, before
    settled = calendar.last_settled(day, settle_days=settle_days)
    learned = [stop for stop in stops if calendar.last_settled(stop, settle_days=settle_days) <= settled]
    before = next(_walked(snap, [day], months=months))
    if not learned or learned[-1] == last:
        after = next(_walked(snap, [last], months=months))
        return before, after, after
    taught, after = _walked(snap, [learned[-1], last], months=months)
    return before, after, taught if isinstance(taught.parts, Components) else after


def _walked(snap: Snapshot, days: Sequence[pd.Timestamp], *, months: int) -> Iterator[Origin]:
    """Yield the origins of days at the same position in their months, each as a walk to it alone gives it.

    One walk does where its first model is that of the last day's own walk, which begins anew once a year.
    """
    fitted_from = {days_to_walk(snap.ledger, first=day, last=days[-1])[1] for day in days}
    groups = [days] if len(fitted_from) == 1 else [[day] for day in days]
    for group in groups:
        yield from components_at_origins(snap, origins=group, steps=months, marketing=True)


def _periods(snap: Snapshot, label: str) -> np.ndarray:
    """Return the months of a target period."""
    calendar = snap.calendar
    if not is_quarter([label])[0]:
        return np.array([parse_period(label)])
    near = range(int(calendar.quarter_of(snap.period)) - 1, int(calendar.quarter_of(snap.period)) + 40)
    return np.array(next(calendar.quarter_periods(each) for each in near if calendar.quarter_label(each) == label))


@dataclass(frozen=True, kw_only=True)
class _Side:
    """One of the two days as it is compared.

    table : its forecast as given, indexed by target period and segment; made : as today's reading of the same rows
    makes it, as a rule the same. draws : of each segment (and the Total last) in each
    target period, ascending, (R + 1, K, D); places : segment of the ledger -> place in it, NONE where there is none.
    """

    day: Day
    table: pd.DataFrame
    made: pd.DataFrame
    draws: np.ndarray
    places: np.ndarray

    @classmethod
    def of(
        cls,
        origin: Origin,
        drawn: Addends | DataError,
        table: pd.DataFrame,
        periods: tuple[np.ndarray, ...],
        *,
        given: pd.DataFrame | None = None,
    ) -> _Side:
        """Return a day with its forecast of some periods."""
        assert isinstance(drawn, Addends)
        assert isinstance(origin.parts, Components)
        view, day = origin.view, Day(origin=origin, parts=origin.parts, periods=periods)
        months = day.months[: drawn.booked.shape[1]]
        past = np.stack([bookings_in(view, each[each < view.first_target]).sum(axis=1) for each in periods], axis=1)
        by_segment = (drawn.draws + drawn.booked) @ months + past
        every = np.concatenate([by_segment, by_segment.sum(axis=1, keepdims=True)], axis=1)
        key = ["target_period", "segment"]
        return cls(
            day=day,
            table=(table if given is None else given).set_index(key),
            made=table.set_index(key),
            draws=np.sort(np.moveaxis(every, 0, 2), axis=2),
            places=view.place_of_segment[:-1],
        )

    def outlook(
        self, label: str, node: str, place: int, period: int, spreads: tuple[np.ndarray, np.ndarray]
    ) -> Outlook | None:
        """Return a node's bookings in a period as this day's forecast has them; None without a chance of plan.

        place : the segment's in the ledger, -1 for the company. spreads : as `spreads` gives them.
        """
        if (label, node) not in self.table.index or (place >= 0 and self.places[place] == NONE):
            return None
        row = self.table.loc[(label, node)]
        if np.isnan(row["p_at_least_plan"]):
            return None
        return Outlook(
            mean=float(row["mean"]),
            ahead=float(row["open_pipeline"] + row["not_yet_created"]),
            variance=float(spreads[0][place, period]),
            shared=float(spreads[1][place, period]),
            draws=self.draws[self.places[place] if place >= 0 else -1, period],
            chance=float(row["p_at_least_plan"]),
        )

    def spreads(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the variances of what is still to come by chance, and of common errors: (R + 1, K) each, Total last.

        R : segments of the ledger. Errors persist over the months of a period, so that their sizes add up.
        """
        parts, months = self.day.parts, self.day.months
        deals = self.day.view.open_deals
        of_deals = self.day.forecast_of(deals).variance
        chance = self.day.not_yet_created().variance
        inside = parts.segment >= 0
        np.add.at(chance, parts.segment[inside], of_deals[inside])
        to_come = (parts.open_pipeline + parts.new) * (self.places != NONE)[:, None]
        common, own = ((to_come * np.sqrt(each)) @ months for each in (parts.common, parts.own))
        shared = np.concatenate([common**2 + own**2, common.sum(axis=0)[None] ** 2 + (own**2).sum(axis=0)[None]])
        return np.concatenate([chance, chance.sum(axis=0, keepdims=True)]), shared


# -- the tables ------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Sums:
    """What each cause added to each of n nodes in K periods; (n, 10, K) each. deals : how many moved there."""

    expected: np.ndarray
    ahead: np.ndarray
    variance: np.ndarray
    deals: np.ndarray


def _summed(found: Pieces, node: np.ndarray, nodes: int) -> _Sums:
    """Return sums over the pieces of each node; node : (m,), 0 … nodes - 1."""
    cell = node * len(CAUSES) + found.cause
    size, periods = nodes * len(CAUSES), found.worth.expected.shape[1]

    def total(values: np.ndarray) -> np.ndarray:
        columns = [np.bincount(cell, values[:, k], minlength=size) for k in range(periods)]
        return np.stack(columns, axis=1).reshape(nodes, len(CAUSES), periods)

    counted = np.zeros((size, periods))
    for k in range(periods):
        moves = (found.deal != NONE) & (found.worth.expected[:, k] != 0)
        each = np.unique(np.stack([cell[moves], found.deal[moves]]), axis=1)[0]
        counted[:, k] = np.bincount(each, minlength=size)
    return _Sums(
        expected=total(found.worth.expected),
        ahead=total(found.worth.ahead),
        variance=total(found.worth.variance),
        deals=counted.reshape(nodes, len(CAUSES), periods).astype(np.int64),
    )


def _tables(before: _Side, after: _Side, found: Pieces, labels: Sequence[str]) -> ForecastChange:
    """Return the tables of the pieces."""
    ledger = after.day.view.ledger
    there = (before.places != NONE) | (after.places != NONE)
    segments = [name for name, exists in zip(ledger.segments, there, strict=True) if exists]
    place = np.cumsum(there) - 1
    company = _summed(found, np.zeros(len(found.cause), dtype=np.int64), 1)
    by_segment = _summed(found, place[found.segment], len(segments))
    reread = _reread(before, labels, segments)
    for sums, extra in ((company, reread.sum(axis=0, keepdims=True)), (by_segment, reread)):
        sums.expected[:, CAUSES.index("restated")] += extra
    nodes = [(COMPANY, TOTAL, company, 0), *((SEGMENT, name, by_segment, r) for r, name in enumerate(segments))]
    points = _points(before, after, nodes, labels, place_of=np.flatnonzero(there))
    frames = [_frame(level, name, sums, r, labels, points[name]) for level, name, sums, r in nodes]
    ends = [_end(before, after, level, name, labels) for level, name, _, _ in nodes]
    if "owner" in ledger.columns:
        mine, theirs = _of_owners(before, after, found, labels, reread.sum(axis=0))
        frames, ends = [*frames, *mine], [*ends, theirs]
    causes, table = (pd.concat(each, ignore_index=True) for each in (frames, ends))
    order = causes["target_period"].map({label: k for k, label in enumerate(labels)})
    causes = causes.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)
    return ForecastChange(causes=causes, deals=_deals(before, after, found, labels), ends=table)


def _reread(before: _Side, labels: Sequence[str], segments: Sequence[str]) -> np.ndarray:
    """Return by how much the earlier forecast, made with today's reading, lies above the one given; (segments, K)."""
    keys = pd.MultiIndex.from_product([segments, labels]).swaplevel()
    made, given = (frame["mean"].reindex(keys).fillna(0.0).to_numpy() for frame in (before.made, before.table))
    return np.asarray(made - given).reshape(len(segments), len(labels))


def _frame(level: str, node: str, sums: _Sums, r: int, labels: Sequence[str], points: np.ndarray) -> pd.DataFrame:
    """Return the rows of a node; points : (10, K)."""
    return pd.DataFrame(
        {
            "target_period": pd.Series(np.repeat(list(labels), len(CAUSES)), dtype="str"),
            "level": pd.Series([level] * len(labels) * len(CAUSES), dtype="str"),
            "node": pd.Series([node] * len(labels) * len(CAUSES), dtype="str"),
            "cause": pd.Series(list(CAUSES) * len(labels), dtype="str"),
            "amount": sums.expected[r].T.ravel(),
            "points": points.T.ravel(),
            "deals": sums.deals[r].T.ravel(),
        }
    )


def _end(before: _Side, after: _Side, level: str, node: str, labels: Sequence[str]) -> pd.DataFrame:
    """Return the two forecasts of a node; 0 where a segment was not there."""
    keys = pd.MultiIndex.from_product([labels, [node]])
    then, now = (side.table.reindex(keys) for side in (before, after))
    frame = _ends(before, after, level, list(labels), [node] * len(labels))
    return frame.assign(
        before=then["mean"].fillna(0.0).to_numpy(),
        after=now["mean"].fillna(0.0).to_numpy(),
        plan=now["plan"].to_numpy(),
        chance_before=then["p_at_least_plan"].to_numpy(),
        chance_after=now["p_at_least_plan"].to_numpy(),
    )


def _ends(before: _Side, after: _Side, level: str, labels: Sequence[str], nodes: Sequence[str]) -> pd.DataFrame:
    """Return END_COLUMNS of some nodes, with the numbers still to come."""
    count = len(labels)
    return pd.DataFrame(
        {
            "target_period": pd.Series(list(labels), dtype="str"),
            "level": pd.Series([level] * count, dtype="str"),
            "node": pd.Series(list(nodes), dtype="str"),
            "since": pd.Series([before.day.view.as_of] * count, dtype="datetime64[us]"),
            "as_of": pd.Series([after.day.view.as_of] * count, dtype="datetime64[us]"),
            **{name: np.full(count, np.nan) for name in END_COLUMNS[5:]},
        }
    )


# -- points of the chance of plan ------------------------------------------------------------------------


def _points(
    before: _Side,
    after: _Side,
    nodes: Sequence[tuple[str, str, _Sums, int]],
    labels: Sequence[str],
    *,
    place_of: np.ndarray,
) -> Mapping[str, np.ndarray]:
    """Return what each cause added to each node's chance of plan, (10, K); nan without a plan or a forecast.

    place_of : the ledger's segment of each node that is one.
    """
    spreads = [side.spreads() for side in (before, after)]
    out = {}
    for level, name, sums, r in nodes:
        out[name] = np.full((len(CAUSES), len(labels)), np.nan)
        place = -1 if level == COMPANY else int(place_of[r])
        for k, label in enumerate(labels):
            then = before.outlook(label, name, place, k, spreads[0])
            now = after.outlook(label, name, place, k, spreads[1])
            if then is None or now is None:
                continue
            plan = float(after.table.loc[(label, name), "plan"])
            added = {each: getattr(sums, each)[r, :, k] for each in ("ahead", "variance")}
            out[name][:, k] = shapley(chances(then, now, plan=plan, mean=sums.expected[r, :, k], **added))
    return out


# -- owners and deals ------------------------------------------------------------------------------------


def _of_owners(
    before: _Side, after: _Side, found: Pieces, labels: Sequence[str], reread: np.ndarray
) -> tuple[list[pd.DataFrame], pd.DataFrame]:
    """Return the rows of owners, and their two forecasts; what has no owner is a node of its own, the last.

    reread : (K,), as `_reread` gives it, over all segments.
    """
    sides = [_owned(side.day) for side in (before, after)]
    codes = [found.owner, *(owner for owner, _ in sides)]
    present = np.unique(np.concatenate(codes))
    present = present[present != NONE]
    levels = after.day.view.ledger.columns["owner"].levels or ()
    names = [*(levels[code] for code in present), NO_OWNER]

    def node(owner: np.ndarray) -> np.ndarray:
        return np.where(owner == NONE, len(present), np.searchsorted(present, owner))

    sums = _summed(found, node(found.owner), len(names))
    sums.expected[-1, CAUSES.index("restated")] += reread
    nowhere = np.full((len(CAUSES), len(labels)), np.nan)
    frames = [_frame(OWNER, name, sums, r, labels, nowhere) for r, name in enumerate(names)]
    totals = []
    for owner, expected in sides:
        totals.append(np.zeros((len(names), len(labels))))
        np.add.at(totals[-1], node(owner), expected)
    totals[0][-1] -= reread
    ends = _ends(before, after, OWNER, list(labels) * len(names), list(np.repeat(names, len(labels))))
    ends = ends.assign(before=totals[0].ravel(), after=totals[1].ravel())
    return frames, ends


def _owned(day: Day) -> tuple[np.ndarray, np.ndarray]:
    """Return the owner of each deal that a forecast holds something for, NONE for what is still to be created.

    And what it holds, (n, K).
    """
    deals = day.deals()
    deals = deals[day.view.segment[deals] != NONE]
    future = day.not_yet_created().expected
    owner = np.concatenate([day.owners(deals), np.full(len(future), NONE)])
    return owner, np.concatenate([day.forecast_of(deals).expected, future])


def _deals(before: _Side, after: _Side, found: Pieces, labels: Sequence[str]) -> pd.DataFrame:
    """Return the deals behind each cause, of the first quarter (else the first period); a row a deal and segment."""
    nearest = [k for k, quarter in enumerate(is_quarter(labels)) if quarter] or [0]
    k = nearest[0]
    mine = found.take(np.flatnonzero((found.deal != NONE) & (found.worth.expected[:, k] != 0)))
    keys = np.stack([mine.cause, mine.deal, mine.segment], axis=1)
    unique, place = np.unique(keys, axis=0, return_inverse=True)
    amount = np.bincount(place.ravel(), mine.worth.expected[:, k], minlength=len(unique))
    order = np.lexsort([unique[:, 1], -np.abs(amount), unique[:, 0]])
    cause, deal, segment = unique[order].T
    ledger = after.day.view.ledger
    names = np.array(ledger.segments, dtype=object)
    return pd.DataFrame(
        {
            "target_period": pd.Series([labels[k]] * len(deal), dtype="str"),
            "cause": pd.Series(np.array(CAUSES, dtype=object)[cause], dtype="str"),
            "opportunity_id": pd.Series(ledger.ids_of(deal), dtype="str"),
            "segment": pd.Series(names[segment], dtype="str"),
            "amount": amount[order],
            "expected_before": before.day.forecast_of(deal).expected[:, k],
            "expected_after": after.day.forecast_of(deal).expected[:, k],
        }
    )
