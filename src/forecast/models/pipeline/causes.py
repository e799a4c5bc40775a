"""What moved the forecast between two days: every open, won, lost and new deal's part of the difference, and the rest.

Simple case: a deal is open on both days. Its part of the forecast is worked out five times with one thing changed each
time: as it was; a month older; at its new stage, close date, amount; by what the model has learned since. Each
difference is a piece, and since each evaluation begins where the one before ended, the pieces sum to what the deal's
part changed by, with nothing left over. Deals won or lost, created, or recorded late are one piece each. Deals not yet
created are one by segment.

Three complications. Of several changes of one deal none comes first: each gets its mean over all orders (`credit`).
A deal that changed its segment or owner leaves one and enters the other with what is expected of it. And where the two
days stand at different positions in their months, the model of the first cannot be asked on the second: what it had
learned is read off the walk of the second day, at the last position at which no later month had settled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from forecast.data.known.coding import LOST, NO_DAY, NONE, OPEN, WON
from forecast.data.known.ledger import KnownState
from forecast.models.pipeline.components import Components, Origin, priced
from forecast.models.pipeline.credit import shapley
from forecast.models.win.landmarks import UNDATED, States, joined, open_states, steps_of
from forecast.models.win.probabilities import chances_ahead

CAUSES = (
    "won",
    "lost",
    "stage",
    "close_date",
    "amount",
    "older",
    "created",
    "not_yet_created",
    "learned",
    "restated",
)
"""All causes, in the order in which they are listed."""

CHANGES = {
    "stage": ("stage", "stage_age", "factors", "numbers"),
    "close_date": ("due", "overdue", "slips"),
    "amount": ("amount",),
}
"""What of a deal's state is behind each change of an open deal. With its stage goes all else that the CRM records of
where it stands, such as a forecast category; a new segment or owner is `restated`."""


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What deals or segments bring in each of K target periods, (n, K) each.

    expected : in all. ahead : the part that is not booked yet. variance : of that part, by chance alone.
    """

    expected: np.ndarray
    ahead: np.ndarray
    variance: np.ndarray

    def __sub__(self, other: Worth) -> Worth:
        """Return the difference, in each of the three."""
        return Worth(
            expected=self.expected - other.expected,
            ahead=self.ahead - other.ahead,
            variance=self.variance - other.variance,
        )

    def take(self, rows: np.ndarray) -> Worth:
        """Return some rows."""
        return Worth(expected=self.expected[rows], ahead=self.ahead[rows], variance=self.variance[rows])

    def where(self, rows: np.ndarray) -> Worth:
        """Return the same with nought in all other rows; rows : (n,) bool."""
        keep = rows[:, None]
        return Worth(expected=self.expected * keep, ahead=self.ahead * keep, variance=self.variance * keep)

    @classmethod
    def stacked(cls, parts: Sequence[Worth]) -> Worth:
        """Return several one after the other."""
        return cls(
            expected=np.concatenate([part.expected for part in parts]),
            ahead=np.concatenate([part.ahead for part in parts]),
            variance=np.concatenate([part.variance for part in parts]),
        )


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """The pieces of a change, m rows.

    cause : (m,), places in CAUSES. deal : (m,), places in the ledger, NONE for what is no deal's. segment, owner :
    (m,), codes into the ledger's, NONE where there is none; what has no segment counts nowhere. worth : what each adds.
    """

    cause: np.ndarray
    deal: np.ndarray
    segment: np.ndarray
    owner: np.ndarray
    worth: Worth

    @classmethod
    def stacked(cls, parts: Sequence[Pieces]) -> Pieces:
        """Return several one after the other."""
        arrays = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("cause", "deal", "segment", "owner")
        }
        return cls(**arrays, worth=Worth.stacked([part.worth for part in parts]))

    def take(self, rows: np.ndarray) -> Pieces:
        """Return some rows."""
        return Pieces(
            cause=self.cause[rows],
            deal=self.deal[rows],
            segment=self.segment[rows],
            owner=self.owner[rows],
            worth=self.worth.take(rows),
        )


@dataclass(frozen=True, kw_only=True)
class Day:
    """One of the two days: its forecast's components, and the target periods by their months.

    periods : for each of K target periods its months.
    """

    origin: Origin
    parts: Components
    periods: tuple[np.ndarray, ...]

    @property
    def view(self) -> KnownState:
        """What was known."""
        return self.origin.view

    @property
    def months(self) -> np.ndarray:
        """Which steps each target period takes in, (S, K) of 0 and 1."""
        step = self.view.first_target + np.arange(self.parts.chance.shape[1])
        return np.stack([np.isin(step, each) for each in self.periods], axis=1).astype(float)

    def deals(self) -> np.ndarray:
        """Return the deals that the forecast holds something for: open, or won in the periods; ascending places."""
        won = self.view.won_deals
        inside = np.isin(self.view.closed_in[won], np.concatenate(self.periods))
        return np.union1d(self.view.open_deals, won[inside])

    def owners(self, deals: np.ndarray) -> np.ndarray:
        """Return the owner of each deal as known, a code into the levels of the column; NONE where there is none."""
        view, column = self.view, self.view.ledger.columns.get("owner")
        if column is None or column.levels is None:
            return np.full(len(deals), NONE)
        fixed = column.fixed[deals].astype(np.int64)
        if column.recorded is None:
            return fixed
        row = view.last_row[deals]
        fixed = fixed if view.is_last else np.full(len(deals), NONE)
        return np.where(row >= 0, column.recorded[np.maximum(row, 0)], fixed) if len(column.recorded) else fixed

    def forecast_of(self, deals: np.ndarray) -> Worth:
        """Return what the forecast of this day holds for deals: booked, expected, or nothing; deals are places."""
        view, count = self.view, len(self.periods)
        expected, variance = (np.zeros((len(deals), count)) for _ in range(2))
        at = np.searchsorted(self.parts.ids, deals)
        open_now = (view.outcome[deals] == OPEN) & view.known[deals]
        mine = worth_of(self.parts.chance, self.parts.value, self.months, spread=float(self.parts.ratios.var()))
        rows = at[open_now]
        expected[open_now], variance[open_now] = mine.expected[rows], mine.variance[rows]
        ahead = expected.copy()
        won = view.outcome[deals] == WON
        paid = np.nan_to_num(view.amount[deals]) * won
        for k, each in enumerate(self.periods):
            expected[:, k] += paid * np.isin(view.closed_in[deals], each)
        return Worth(expected=expected, ahead=ahead, variance=variance)

    def not_yet_created(self) -> Worth:
        """Return what deals not yet created are expected to bring, by segment of the ledger, (R, K).

        The variance is of a Poisson number of wins with scattered amounts, as they are drawn.
        """
        parts, pool = self.parts, self.parts.pool[self.parts.pool > 0]
        there = (self.view.place_of_segment[:-1] != NONE)[:, None]
        spread = float(pool.var() / pool.mean() ** 2) if len(pool) else 0.0
        by_month = np.where(parts.wins > 0, parts.new**2 / np.maximum(parts.wins, 1e-12) * (1.0 + spread), 0.0)
        expected = (parts.new * there) @ self.months
        return Worth(expected=expected, ahead=expected, variance=(by_month * there) @ self.months)


def worth_of(chance: np.ndarray, value: np.ndarray, months: np.ndarray, *, spread: float) -> Worth:
    """Return what open deals are expected to bring, and its variance; chance, value (n, S), months (S, K).

    A deal is won in one month at most: with p_s its chance and v_s its value in month s, and a won amount that scatters
    about its expectation with the variance `spread`, it brings sum p_s v_s with variance
    (1 + spread) sum p_s v_s^2 - (sum p_s v_s)^2.
    """
    expected = (chance * value) @ months
    variance = (1.0 + spread) * (chance * value**2) @ months - expected**2
    return Worth(expected=expected, ahead=expected, variance=np.maximum(variance, 0.0))


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """What had been learned by a day, asked about deals as they stand on a later one.

    taught : the day whose model, corrections and mean amounts are used. day : on which the deals stand.
    """

    taught: Origin
    day: Day

    def __call__(self, states: States) -> Worth:
        """Return what deals are expected to bring; (n, K)."""
        model, corrections, parts = self.taught.learned.model, self.taught.corrections, self.taught.parts
        assert model is not None
        assert corrections is not None
        assert isinstance(parts, Components)
        steps = self.day.parts.chance.shape[1]
        asked = states
        if steps > steps_of(self.day.view):
            # Far ahead a deal's chance depends on the others open beside it: these stand as they do.
            beside = self.day.origin.learned.states
            asked = joined([states, beside.take(~np.isin(beside.deal, states.deal))])
        chance = chances_ahead(self.taught.view, model, asked, steps=steps)[: len(states)]
        amount = self.taught.like.amounts(states)
        return worth_of(*priced(chance, amount, corrections), self.day.months, spread=float(parts.ratios.var()))


def pieces(before: Day, after: Day, *, taught: Origin) -> Pieces:
    """Return the pieces into which the difference of two forecasts falls; they sum to it.

    taught : the day at whose knowledge the model stands still until all else has changed; at the position in its month
    of `after`. It is that of `before` where both stand at the same position.
    """
    deals = np.union1d(before.deals(), after.deals())
    owner = [day.owners(deals) for day in (before, after)]
    segment = [day.view.segment[deals].astype(np.int64) for day in (before, after)]
    then, now = before.forecast_of(deals), after.forecast_of(deals)
    known = _Rule(taught=taught, day=after)
    states = after.origin.learned.states

    # What the model learned: all deals open now, by what it knew then and by what it knows now.
    unlearned = _copy(now)
    rows = np.searchsorted(deals, states.deal)
    _put(unlearned, rows, known(states))
    found = [_by_deal("learned", deals, segment[1], owner[1], now - unlearned)]

    # A deal that left a segment or an owner goes with what was expected of it; the other pieces come at its new place.
    both_open = _open(before.view, deals) & _open(after.view, deals)
    aged = _copy(then)
    if both_open.any():
        old, new, recorded = _states(before, after, deals[both_open])
        _put(aged, np.flatnonzero(both_open), known(old))
        found.append(_by_deal("older", deals, segment[0], owner[0], aged - then))
    moved = (segment[0] != segment[1]) | (owner[0] != owner[1])
    going = aged.where(moved & before.view.known[deals])
    zero = going.where(np.zeros(len(deals), dtype=bool))
    found.append(_by_deal("restated", deals, segment[0], owner[0], zero - going))
    found.append(_by_deal("restated", deals, segment[1], owner[1], going))

    # One thing happened to a deal that is not open on both days; to one that is, perhaps several.
    names = _what_happened(before.view, after.view, deals)
    jump = (unlearned - aged).where(~both_open)
    found += [
        _by_deal(name, deals, segment[1], owner[1], jump.where(names == CAUSES.index(name)))
        for name in ("won", "lost", "created", "restated")
    ]
    if both_open.any():
        place = np.flatnonzero(both_open)
        for name, worth in _changes(old, new, recorded, known, start=aged.take(place), end=unlearned.take(place)):
            found.append(_by_deal(name, deals[place], segment[1][place], owner[1][place], worth))
    found.append(_still_to_create(before, after))
    return _not_nought(Pieces.stacked(found))


# -- which deals, and what happened to them --------------------------------------------------------------


def _open(view: KnownState, deals: np.ndarray) -> np.ndarray:
    return view.known[deals] & (view.outcome[deals] == OPEN)


def _what_happened(before: KnownState, after: KnownState, deals: np.ndarray) -> np.ndarray:
    """Return for each deal that is not open on both days what happened to it, as a place in CAUSES.

    Simple case: it was created since, or won or lost since. `restated` is all else: what is dated before the first day
    and was recorded later, a deal that closed and stands open again, and any change of what is booked.
    """
    created = after.ledger.created_on[deals]
    closed = after.closed_on[deals]
    new = ~before.known[deals] & ((created == NO_DAY) | (created > before.day))
    since = _open(before, deals) & ((closed == NO_DAY) | (closed > before.day))
    out = np.full(len(deals), CAUSES.index("restated"))
    out[since & (after.outcome[deals] == WON)] = CAUSES.index("won")
    out[since & (after.outcome[deals] == LOST)] = CAUSES.index("lost")
    out[new] = CAUSES.index("created")
    return out


# -- deals open on both days -----------------------------------------------------------------------------


def _states(before: Day, after: Day, deals: np.ndarray) -> tuple[States, States, np.ndarray]:
    """Return deals open on both days as they would stand if nothing had been recorded since, and as they stand.

    And which of them had a row of history on the first day: of the others it was not known how they stood.
    """
    then, now = before.origin.learned.states, after.origin.learned.states
    first, last = then.take(np.searchsorted(then.deal, deals)), now.take(np.searchsorted(now.deal, deals))
    only = np.zeros(after.view.ledger.size, dtype=bool)
    only[deals] = True
    earlier = before.view
    unchanged = replace(
        after.view, known=only, last_row=earlier.last_row, amount=earlier.amount, segment=earlier.segment
    )
    old = open_states(unchanged)
    recorded = earlier.last_row[deals] >= 0
    if recorded.all():
        return old, last, recorded
    kept = {name: np.where(recorded, getattr(old, name), getattr(first, name)) for name in ("stage", "slips")}
    kept["due"] = np.where(recorded, old.due, UNDATED)
    kept["overdue"] = old.overdue & recorded
    factors = {name: np.where(recorded, codes, first.factors[name]) for name, codes in old.factors.items()}
    numbers = {name: np.where(recorded, values, first.numbers[name]) for name, values in old.numbers.items()}
    return replace(old, **kept, factors=factors, numbers=numbers), last, recorded


def _changes(
    old: States, new: States, recorded: np.ndarray, known: _Rule, *, start: Worth, end: Worth
) -> list[tuple[str, Worth]]:
    """Return what changes of deals open on both days added, by cause, each (n, K); they sum to end - start.

    Simple case: one thing changed. The complications: another segment or owner comes first, as `restated`, and where it
    was not known how the deal had stood all of it is; of the other changes each gets its mean over all orders in which
    they may have come.
    """
    owner = {name: new.factors[name] for name in ("owner",) if name in old.factors}
    factors = {**old.factors, **owner}
    base = replace(old, segment=new.segment, planned_from=new.planned_from, age=new.age, factors=factors)
    other = _differs(old, base, ("segment", "planned_from", "age", "factors"))
    begun, nothing = _copy(start), start.where(np.zeros(len(old), dtype=bool))
    if other.any():
        _put(begun, np.flatnonzero(other), known(base.take(other)))
    if (~recorded).any():
        _put(begun, np.flatnonzero(~recorded), end.take(~recorded))
    # Far ahead a deal's chance depends on the others: what their changes did to one that did not change.
    changed = [_differs(base, new, columns) & recorded for columns in CHANGES.values()]
    untouched = ~np.any(changed, axis=0) & recorded
    found = [("restated", begun - start), ("learned", (end - begun).where(untouched))]
    rows = np.flatnonzero(np.any(changed, axis=0))
    if not len(rows):
        return found
    happened = np.stack(changed)[:, rows].T @ (1 << np.arange(len(CHANGES)))
    credit = _by_change(base.take(rows), new.take(rows), happened, known, start=begun.take(rows), end=end.take(rows))
    for name, worth in zip(CHANGES, credit, strict=True):
        found.append((name, _copy(nothing)))
        _put(found[-1][1], rows, worth)
    return found


def _by_change(
    old: States, new: States, happened: np.ndarray, known: _Rule, *, start: Worth, end: Worth
) -> list[Worth]:
    """Return what each of CHANGES added to deals, (n, K) each: its mean over all orders; they sum to end - start.

    happened : (n,), which of CHANGES each deal had, as a sum of 1, 2, 4.
    """
    values = [start]
    for members in range(1, 2 ** len(CHANGES)):
        columns = [name for k, names in enumerate(CHANGES.values()) if members >> k & 1 for name in names]
        values.append(known(replace(old, **{name: getattr(new, name) for name in columns})))
    deal = np.arange(len(old))
    subset = np.arange(2 ** len(CHANGES))[:, None] & happened  # what did not happen to a deal changes nothing of it
    parts = {}
    for field in ("expected", "ahead", "variance"):
        stacked = np.stack([getattr(value, field) for value in values])
        stacked[happened, deal] = getattr(end, field)
        parts[field] = shapley(stacked[subset, deal])
    return [Worth(**{field: part[k] for field, part in parts.items()}) for k in range(len(CHANGES))]


def _differs(one: States, other: States, columns: Sequence[str]) -> np.ndarray:
    """Return which deals differ in any of some columns, (n,) bool; not known is equal to not known."""
    out = np.zeros(len(one), dtype=bool)
    for name in columns:
        mine, theirs = getattr(one, name), getattr(other, name)
        pairs = [(mine[key], theirs[key]) for key in mine] if isinstance(mine, Mapping) else [(mine, theirs)]
        for a, b in pairs:
            out |= (a != b) & ~((a != a) & (b != b))
    return out


# -- putting pieces together -----------------------------------------------------------------------------


def _still_to_create(before: Day, after: Day) -> Pieces:
    """Return the pieces of deals not yet created, one a segment of the ledger."""
    worth = after.not_yet_created() - before.not_yet_created()
    segments = np.arange(len(worth.expected))
    nobody = np.full(len(segments), NONE)
    return Pieces(
        cause=np.full(len(segments), CAUSES.index("not_yet_created")),
        deal=nobody,
        segment=segments,
        owner=nobody,
        worth=worth,
    )


def _by_deal(cause: str, deals: np.ndarray, segment: np.ndarray, owner: np.ndarray, worth: Worth) -> Pieces:
    return Pieces(cause=np.full(len(deals), CAUSES.index(cause)), deal=deals, segment=segment, owner=owner, worth=worth)


def _not_nought(found: Pieces) -> Pieces:
    """Return the pieces that add anything to a segment; of a deal without one nothing is forecast."""
    worth = found.worth
    moves = (worth.expected != 0).any(axis=1) | (worth.ahead != 0).any(axis=1) | (worth.variance != 0).any(axis=1)
    return found.take(np.flatnonzero(moves & (found.segment != NONE)))


def _copy(worth: Worth) -> Worth:
    return Worth(expected=worth.expected.copy(), ahead=worth.ahead.copy(), variance=worth.variance.copy())


def _put(worth: Worth, rows: np.ndarray, values: Worth) -> None:
    """Write values into some rows."""
    for name in ("expected", "ahead", "variance"):
        getattr(worth, name)[rows] = getattr(values, name)
