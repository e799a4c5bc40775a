"""How likely each open deal is won, by when, and why; the chances learned from what became of earlier deals.

Two hazards, won and lost, on landmark rows (`landmarks`), kept up to date month by month (`learn`); the chance to be
won in month h is the cumulative incidence. Beyond the months modelled the hazards go on as in a forecast of later
months, and from the third year on as in the last twelve, which gives the chance to be won ever. Covariates are used
only where past data show that they help; otherwise everybody gets the base rate by age.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.data.known.coding import LOST, NONE, WON
from forecast.data.known.ledger import KnownState, Ledger
from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import FURTHEST_MONTH, HORIZONS, ODDS_COLUMNS, NotedTable
from forecast.models.win.factors import deal_factors
from forecast.models.win.hazards import FEWEST_CLOSED, incidence
from forecast.models.win.landmarks import States, steps_of
from forecast.models.win.learn import TRACKED, WINDOW, Learner, WinModel

_LOOK_BACK = 24 + 18 + 18 + TRACKED
"""Months whose models a forecast rests on: the width of its range on the forecasts of 24 months, the correction of the
first of these on 18 months before it, that of the first of those on 18 more, and the owners' effects there on TRACKED.
What is further back moves no number by more than a millionth of it."""

FAR = FURTHEST_MONTH + 1
"""Steps after which hazards are the same for ever: the months that can be forecast, and the one in progress."""

NOTHING_TO_LEARN = "no deal was open at a past month's end, so nothing can be learned; a month more is needed"


@dataclass(frozen=True, kw_only=True)
class Today:
    """What a snapshot knows, its open deals' states, and the win model as of its day.

    model : None where too few deals have closed.
    """

    view: KnownState
    states: States
    model: WinModel | None


def deal_odds(snap: Snapshot) -> NotedTable:
    """Return how likely each open deal is won, by when and why: the table of the deals without amounts of money.

    ODDS_COLUMNS, one row an open deal, sorted by opportunity_id, as `win_probabilities` describes them.
    """
    today = fit_win_model(snap)
    return odds_table(today.view, today.states, today.model)


def odds_table(view: KnownState, states: States, model: WinModel | None) -> NotedTable:
    """Return ODDS_COLUMNS of the open deals of a day, and what a reader must know of them.

    model : None where there is nothing to learn from; the numbers are nan then, and the factors say why.
    """
    if model is None:
        closed = int(np.isin(view.outcome[view.known], (WON, LOST)).sum())
        why = f"too few closed deals to tell ({closed}; at least {FEWEST_CLOSED} are needed)"
        if closed >= FEWEST_CLOSED:
            why = NOTHING_TO_LEARN
        numbers, factors = np.full((len(states), 1 + HORIZONS), np.nan), [why] * len(states)
        notes = [f"No win probability: {why}."]
    else:
        numbers = np.column_stack([chance_ever(model, states), chances(view, model, states)])
        factors, notes = deal_factors(model, states), _notes(model)
    frame = pd.DataFrame(np.clip(numbers, 0.0, 1.0), columns=list(ODDS_COLUMNS[1:-1]))
    frame.insert(0, "opportunity_id", pd.Series(view.ledger.ids_of(states.deal), dtype="str"))
    frame["factors"] = pd.Series(factors, index=frame.index, dtype="str")
    return NotedTable(table=frame, notes=tuple(notes))


def fit_win_model(snap: Snapshot, *, without: frozenset[str] = frozenset()) -> Today:
    """Return what a snapshot knows, with the win model as of its day; no random number is drawn.

    without : covariates that are not to be used.
    """
    ledger = snap.ledger
    days, fit_from = days_to_walk(ledger)
    learner = Learner(without=without, fit_from=fit_from)
    for view in ledger.walk(days):
        learned = learner.step(view)
    return Today(view=view, states=learned.states, model=learned.model)


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


def chance_ever(model: WinModel, states: States) -> np.ndarray:
    """Return the chances of open deals to be won in the end, (n,).

    Never less than the chance to be won in the months that can be forecast, as it goes on from these.
    """
    won, lost = model.hazards(states, steps=FAR)
    p, still_open = incidence(won, lost)
    return np.asarray(p.sum(axis=1) + still_open * _in_the_end(won, lost))


def _in_the_end(won: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Return the chance that a deal open after the last step is won: the mean hazards of a year go on for ever."""
    in_won, in_lost = won[:, -12:].mean(axis=1), lost[:, -12:].mean(axis=1)
    return in_won / np.maximum(in_won + in_lost, 1e-12)


def filled_amounts(view: KnownState, states: States) -> tuple[np.ndarray, int]:
    """Return the amounts of open deals, the mean won amount of their segment (or of all) where empty, and how many.

    The mean is that of the wins in months that have settled.
    """
    amount = states.amount.copy()
    empty = np.isnan(amount)
    if empty.any():
        won = view.won_deals[view.closed_in[view.won_deals] <= view.last_settled]
        won = won[np.isfinite(view.amount[won])]
        value, segment = view.amount[won], view.segment[won]
        overall = value.mean() if len(value) else 0.0
        count = len(view.ledger.segments)
        inside = segment != NONE
        n = np.bincount(segment[inside], minlength=count)
        total = np.bincount(segment[inside], value[inside], minlength=count)
        means = np.append(np.where(n > 0, total / np.maximum(n, 1), overall), overall)
        amount[empty] = means[states.segment[empty]]
    return amount, int(empty.sum())


# -- what a reader must know ---------------------------------------------------------------------------


def left_out_notes(model: WinModel) -> list[str]:
    """Return a sentence for each column that is kept out of the model because it knows the outcome."""
    return [
        f"{name} is kept out of the win model, because it is known only after the outcome: {evidence}."
        for name, evidence in sorted(model.words.left_out.items())
    ]


def stands_in(without_amount: int) -> str:
    """Return that a mean stands in for the amounts that are missing; without_amount : open deals."""
    return f"{without_amount:,} open deals have no amount; the mean won amount of their segment stands in."


def _notes(model: WinModel) -> list[str]:
    notes = [f"No skill over the base rate: {model.reason}."] if model.reason else []
    notes += left_out_notes(model)
    if model.idle:
        idle = ", ".join(sorted(model.idle))
        notes.append(f"Past deals showed no more than chance would of these columns, so they weigh nothing: {idle}.")
    return notes
