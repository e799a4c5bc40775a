"""How likely each open deal is won, by when, and why; the chances learned from what became of earlier deals.

Two hazards, won and lost, on landmark rows (`landmarks`), kept up to date month by month (`learn`); the chance to be
won in month h is the cumulative incidence. Beyond the months modelled a deal is won as often as deals of its age were
seen to be (`plateau`), and never at ages at which none was; the hazards say in which month, and which of the deals of
an age rather than others. Covariates are used only where past data show that they help; otherwise everybody gets the
base rate by age.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.data.known.coding import LOST, NO_DAY, OPEN, WON
from forecast.data.known.enough import FEWEST_CLOSED, NOTHING_TO_LEARN
from forecast.data.known.ledger import KnownState, Ledger
from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import FURTHEST_MONTH, HORIZONS, ODDS_COLUMNS, NotedTable
from forecast.models.win.factors import deal_factors
from forecast.models.win.hazards import incidence
from forecast.models.win.landmarks import MONTH, States, steps_of
from forecast.models.win.learn import TRACKED, WINDOW, Learned, Learner, WinModel
from forecast.models.win.plateau import ages_at, in_the_end, seen_ages
from forecast.wording import plural

_LOOK_BACK = 24 + 18 + 18 + TRACKED
"""Months whose models a forecast rests on: the width of its range on the forecasts of 24 months, the correction of the
first of these on 18 months before it, that of the first of those on 18 more, and the owners' effects there on TRACKED.
What is further back moves no number by more than a millionth of it."""

FAR = FURTHEST_MONTH + 1
"""Steps that can be forecast: so many months, and the one in progress."""

AGE_GROUPS = np.array([1.0, 2.0, 3.0, 6.0, 12.0, 24.0])
"""Months that part the groups of deals of about the same age, among which the hazards say who is won rather."""

HARDLY = 0.05
"""Losses for a win, below which losses are taken as hardly recorded; and the share of the open deals above which a page
says that they are older than any that closed."""


@dataclass(frozen=True, kw_only=True)
class Today:
    """What a snapshot knows, its open deals' states, and the win model as of its day.

    model : None where too few deals have closed.
    """

    view: KnownState
    states: States
    model: WinModel | None


def odds_table(view: KnownState, states: States, model: WinModel | None) -> NotedTable:
    """Return how likely each open deal is won, by when and why, and what a reader must know: no amounts of money.

    ODDS_COLUMNS, one row an open deal, sorted by opportunity_id, as `win_probabilities` describes them.

    model : None where there is nothing to learn from; the numbers are nan then, and the factors say why.
    """
    if model is None:
        closed = int(np.isin(view.outcome[view.known], (WON, LOST)).sum())
        why = f"too few closed deals to tell ({closed} where at least {FEWEST_CLOSED} are needed)"
        if closed >= FEWEST_CLOSED:
            why = NOTHING_TO_LEARN
        numbers, factors = np.full((len(states), 3 + HORIZONS), np.nan), [why] * len(states)
        notes = [f"No win probability: {why}."]
    else:
        ever = chance_ever(view, model, states)
        numbers = np.column_stack([ever.p, ever.low, ever.high, chances(view, model, states)])
        factors, notes = deal_factors(model, states, p=ever.p), [*_notes(model), *records_notes(view, states, ever.p)]
    frame = pd.DataFrame(np.clip(numbers, 0.0, 1.0), columns=list(ODDS_COLUMNS[1:-1]))
    frame.insert(0, "opportunity_id", pd.Series(view.ledger.ids_of(states.deal), dtype="str"))
    frame["factors"] = pd.Series(factors, index=frame.index, dtype="str")
    return NotedTable(table=frame, notes=tuple(notes))


def odds_ahead(today: Today, *, steps: int) -> pd.DataFrame:
    """Return the chance of every open deal to be won in the end and by the end of a step, to be held against what came.

    steps : 1 to FAR, the month in progress counted where there is one. Returns opportunity_id, p, low, high (in the
    end, with its range) and by (of the steps), each 0 to 1; no row where too few deals have closed.
    """
    if today.model is None:
        return pd.DataFrame(columns=["opportunity_id", "p", "low", "high", "by"])
    view, states = today.view, today.states
    ever = chance_ever(view, today.model, states)
    by = chances_ahead(view, today.model, states, steps=steps).sum(axis=1)
    ids = pd.Series(view.ledger.ids_of(states.deal), dtype="str")
    return pd.DataFrame({"opportunity_id": ids, "p": ever.p, "low": ever.low, "high": ever.high, "by": by})


def fit_win_model(snap: Snapshot, *, without: frozenset[str] = frozenset()) -> Today:
    """Return what a snapshot knows, with the win model as of its day; no random number is drawn.

    without : covariates that are not to be used.
    """
    return next(fit_at_days(snap, days=[snap.as_of], without=without))


def fit_at_days(
    snap: Snapshot, *, days: Sequence[pd.Timestamp], without: frozenset[str] = frozenset()
) -> Iterator[Today]:
    """Yield what `fit_win_model` returns of several past days, in one walk through a snapshot's past.

    days : ascending, at the same position in their period (`one_walk_each`), none after the snapshot's day.
    """
    walk, fit_from = days_to_walk(snap.ledger, first=days[0], last=days[-1])
    for view, learned in learned_along(snap.ledger, walk, days=days, fit_from=fit_from, without=without):
        yield Today(view=view, states=learned.states, model=learned.model)


def learned_along(
    ledger: Ledger,
    walk: Sequence[pd.Timestamp],
    *,
    days: Sequence[pd.Timestamp],
    fit_from: int,
    without: frozenset[str] = frozenset(),
) -> Iterator[tuple[KnownState, Learned]]:
    """Yield what was known and learned on some days of a walk; read off the one that is kept, where it passes them.

    walk, fit_from : as `days_to_walk` gives them. days : of the walk, ascending. without : as `Learner` takes it.
    """
    kept = ledger.kept.get(without)
    if kept is not None and kept.begins(walk, fit_from=fit_from) and kept.has(days):
        yield from ((kept.stops[day].view, kept.stops[day].learned) for day in days)
        return
    learner, wanted = Learner(without=without, fit_from=fit_from), set(days)
    for view in ledger.walk(walk):
        learned = learner.step(view)
        if view.as_of in wanted:
            yield view, learned


def days_to_walk(
    ledger: Ledger, *, first: pd.Timestamp | None = None, last: pd.Timestamp | None = None
) -> tuple[list[pd.Timestamp], int]:
    """Return the days to walk along for origins from `first` to `last`, and the period of step 0 to fit from.

    The days stand at the position of `last` in its period. They begin as early as the models at `first` need, and at
    a place that the calendar sets, so that two walks agree where they meet. Either is the ledger's own day if left out.
    """
    calendar = ledger.calendar
    last = ledger.last_day if last is None else last
    start = calendar.period(last if first is None else first)
    at_end = last == calendar.end(calendar.period(last))
    wanted = start + at_end - _LOOK_BACK
    year_start = (ledger.company.fiscal_year_start - 1) % 12
    fit_from = wanted - (wanted - year_start) % 12
    born = ledger.created_in[ledger.created_in > 0]
    earliest = int(born.min()) if len(born) else start
    begin = min(max(earliest, fit_from - WINDOW - 8), start)
    return ledger.days_like(last, first=begin), fit_from


def chances(view: KnownState, model: WinModel, states: States) -> np.ndarray:
    """Return the chances of open deals to be won by the end of each of six months, (n, 6)."""
    ahead = steps_of(view) - HORIZONS
    p = incidence(*model.hazards(states, steps=HORIZONS + ahead))[0]
    return np.asarray(np.cumsum(p, axis=1)[:, ahead:])


def chances_ahead(
    view: KnownState, model: WinModel, states: States, *, steps: int, logits: np.ndarray | None = None
) -> np.ndarray:
    """Return the chances of open deals to be won in each of the next steps, (n, steps); steps at most FAR.

    Beyond the steps modelled the hazards of the last go on, but together never beyond the chance to be won ever.

    logits : what `model.base_logits` gives for the steps modelled, where it is there already.
    """
    modelled = steps_of(view)
    if steps <= modelled:
        return incidence(*model.hazards(states, steps=steps, logits=logits))[0]
    far = incidence(*model.hazards(states, steps=FAR))[0]
    later = far[:, modelled:].sum(axis=1)
    most = chance_ever(view, model, states).p - far[:, :modelled].sum(axis=1)
    share = np.clip(most / np.maximum(later, 1e-12), 0.0, 1.0)
    return np.column_stack([far[:, :modelled], far[:, modelled:steps] * share[:, None]])


@dataclass(frozen=True, kw_only=True)
class Ever:
    """The chance of open deals to be won in the end, and the 95 % range of what past deals leave open of it, (n,) each.

    The range is that of what lies beyond the months modelled; the chances within these are taken as they are.
    """

    p: np.ndarray
    low: np.ndarray
    high: np.ndarray


def chance_ever(view: KnownState, model: WinModel, states: States) -> Ever:
    """Return the chances of open deals to be won in the end: within the steps modelled, or open after them and then.

    Simple case: a deal open after the steps is won as often as deals of its age then were seen to be. Complication:
    deals of an age are not alike. Those whose share of wins among closures is twice that of all open deals of about
    the same age get twice the chance, so that all of them together keep what was seen.
    """
    modelled = steps_of(view)
    won, lost = model.hazards(states, steps=FAR)
    p, still_open = incidence(won[:, :modelled], lost[:, :modelled])
    seen = in_the_end(seen_ages(view, months=WINDOW))
    then = seen.at(ages_at(view, states, month=states.target + modelled))
    leaning = _leaning(won[:, modelled - 1 :], lost[:, modelled - 1 :], states, weight=still_open)
    within = p.sum(axis=1)
    later = np.minimum(then.won * leaning, then.closed)
    low = np.minimum(then.low * leaning, later)
    high = np.clip(then.high * leaning, later, 1.0)
    return Ever(p=within + still_open * later, low=within + still_open * low, high=within + still_open * high)


def _leaning(won: np.ndarray, lost: np.ndarray, states: States, *, weight: np.ndarray) -> np.ndarray:
    """Return the share of wins among a deal's closures by its later hazards, over the weighted mean of deals as old.

    won, lost : (n, S). weight : (n,), of the mean. About 1, (n,).
    """
    share = won.mean(axis=1) / np.maximum((won + lost).mean(axis=1), 1e-12)
    group = np.searchsorted(AGE_GROUPS, states.age, side="right")  # an unknown age comes last
    weight = weight + 1e-12
    mean = np.bincount(group, share * weight) / np.maximum(np.bincount(group, weight), 1e-300)
    return np.asarray(share / np.maximum(mean[group], 1e-12))


# -- what a reader must know ---------------------------------------------------------------------------


def left_out_notes(model: WinModel) -> list[str]:
    """Return a sentence for each column that is kept out of the model because it knows the outcome."""
    return [
        f"{name} is kept out of the win model, because it is known only after the outcome: {evidence}."
        for name, evidence in sorted(model.words.left_out.items())
    ]


def _notes(model: WinModel) -> list[str]:
    notes = [f"No skill over the base rate: {model.reason}."] if model.reason else []
    notes += left_out_notes(model)
    if model.idle:
        idle = ", ".join(sorted(model.idle))
        notes.append(f"Told apart past wins from losses no better than chance, so left out of the odds: {idle}.")
    return notes


def records_notes(view: KnownState, states: States, p: np.ndarray) -> list[str]:
    """Return what the records do not hold, and so limits what can be said of a win in the end; p (n,), its chances."""
    closed = view.known & (view.outcome != OPEN)
    won, lost = (int((view.outcome[closed] == how).sum()) for how in (WON, LOST))
    notes = []
    if lost < HARDLY * won:
        few = f"Hardly any loss is recorded ({lost:,} beside {plural(won, 'win')})" if lost else "No loss is recorded"
        notes.append(
            f"{few}, so an open deal may be a lost one: a win in the end is as likely as deals of "
            "its age were seen to be won."
        )
    older, oldest = older_than_any_closed(view, states)
    if older.sum() > HARDLY * len(states):
        notes.append(older_note(int(older.sum()), len(states), oldest=oldest, wins=float(p[older].sum())))
    return notes


def older_note(older: int, deals: int, *, oldest: float, wins: float) -> str:
    """Return how many of the open deals are older than any was when it closed, and how many wins these should bring.

    oldest : the age of the oldest at its close, in months. wins : expected in the end.
    """
    count = round(wins)
    few = f"{count:,} wins are" if count > 1 else "1 win is" if count else "hardly a win is"
    return (
        f"{older:,} of {plural(deals, 'open deal')} {'is' if older == 1 else 'are'} older than any deal was when it "
        f"closed ({oldest:.1f} months): "
        f"{few} expected of them in the end."
    )


def older_than_any_closed(view: KnownState, states: States) -> tuple[np.ndarray, float]:
    """Return which open deals are older than any closed one was on its last day, (n,), and that age in months."""
    created = view.ledger.created_on
    dated = view.known & (view.outcome != OPEN) & (view.closed_on != NO_DAY) & (created != NO_DAY)
    if not dated.any():
        return np.zeros(len(states), dtype=bool), float("nan")
    oldest = int((view.closed_on[dated].astype(np.int64) - created[dated]).max())
    days = view.day - created[states.deal].astype(np.int64)
    return (created[states.deal] != NO_DAY) & (days > oldest), max(oldest, 0) / MONTH
