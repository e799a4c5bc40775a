"""How likely each open deal is won, by when, and why; the chances learned from what became of earlier deals.

Two hazards, won and lost, on landmark rows (`hazards`), kept up to date month by month (`winprob_learn`); the chance to
be won in month h is the cumulative incidence. Beyond the months modelled the hazards of the last three go on, which
gives the chance to be won ever. Covariates are used only where past data show that they help; otherwise everybody gets
the base rate by age.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast.data.known.coding import LOST, NONE, WON
from forecast.data.known.ledger import KnownState, Ledger
from forecast.data.schema import DEAL_COLUMNS, HORIZONS, NotedTable
from forecast.models.win.factors import describe
from forecast.models.win.fit import FEWEST_CLOSED, WinModel
from forecast.models.win.hazards import incidence
from forecast.models.win.learn import TRACKED, WINDOW, Learner
from forecast.models.win.rows import States, past_days, steps_of
from forecast.seeds import check_seed

if TYPE_CHECKING:
    from forecast.data.known.snapshot import Snapshot

__all__ = [
    "FEWEST_CLOSED",
    "NOTHING_TO_LEARN",
    "WinModel",
    "chances",
    "days_to_walk",
    "filled_amounts",
    "fit_win_model",
    "left_out_notes",
    "win_probabilities",
]


NOTHING_TO_LEARN = "no deal was open at a past month's end, so nothing can be learned; a month more is needed"


def days_to_walk(ledger: Ledger, first: pd.Timestamp, last: pd.Timestamp) -> tuple[list[pd.Timestamp], int]:
    """Return the days to walk along for origins from `first` to `last`, and the period of step 0 to fit from.

    The days stand at the position of `last` in its period. They begin as early as the models at `first` need, and at
    a place that the calendar sets, so that two walks agree where they meet.
    """
    calendar = ledger.calendar
    at_end = last == calendar.end(calendar.period(last))
    # What is learned from errors looks back TRACKED months, and the owners' effects in them as many again.
    wanted = calendar.period(first) + at_end - 2 * TRACKED
    year_start = (ledger.company.fiscal_year_start - 1) % 12
    fit_from = wanted - (wanted - year_start) % 12
    born = ledger.created_in[ledger.created_in > 0]
    earliest = int(born.min()) if len(born) else calendar.period(first)
    begin = min(max(earliest, fit_from - WINDOW - 8), calendar.period(first))
    return past_days(ledger, last, first=begin), fit_from


def fit_win_model(
    snap: Snapshot, *, without: frozenset[str] = frozenset()
) -> tuple[KnownState, WinModel | None, States]:
    """Return what a snapshot knows, the model as of its day, and its open deals' states.

    The model is None where too few deals have closed. `without` names covariates that are not to be used.
    Deterministic: no random number is drawn.
    """
    ledger = snap.ledger
    days, fit_from = days_to_walk(ledger, snap.as_of, snap.as_of)
    learner = Learner(without=without, fit_from=fit_from)
    view, model = None, None
    for view in ledger.walk(days):
        model = learner.step(view)
    assert view is not None
    assert learner.states is not None
    return view, model, learner.states


def win_probabilities(snap: Snapshot, *, seed: int = 0) -> pd.DataFrame:
    """Return the win probability of every open deal.

    Parameters
    ----------
    snap : a snapshot. seed : taken for the sake of a common signature; the fit draws no random number.

    Returns
    -------
    DEAL_COLUMNS, one row an open deal, sorted by opportunity_id: `p_win` (ever), `p_win_1` … `p_win_6` (by the end of
    that horizon, cumulative), each from 0 to 1; `expected_amount` = p_win x amount in the reporting currency;
    `factors`, at most five, strongest first. `attrs["notes"]` lists what a reader must know. Where too few deals have
    closed the numbers are nan and the factors say why.

    Raises
    ------
    ParameterError : seed is not an integer >= 0.
    """
    return deal_probabilities(snap, seed=seed).frame()


def deal_probabilities(snap: Snapshot, *, seed: int = 0) -> NotedTable:
    """Return what `win_probabilities` hands out, with its notes by name."""
    check_seed(seed)
    view, model, states = fit_win_model(snap)
    ids = snap.opportunities["opportunity_id"].iloc[states.deal].reset_index(drop=True)
    notes: list[str] = []
    if model is None:
        done = int(np.isin(view.outcome[view.known], (WON, LOST)).sum())
        why = f"too few closed deals to tell ({done}; at least {FEWEST_CLOSED} are needed)"
        if done >= FEWEST_CLOSED:
            why = NOTHING_TO_LEARN
        numbers = np.full((len(ids), 2 + HORIZONS), np.nan)
        return _table(ids, numbers, [why] * len(ids), [f"No win probability: {why}."])
    amount, unknown = filled_amounts(view, states)
    if model.reason:
        notes.append(f"No skill over the base rate: {model.reason}.")
    notes += left_out_notes(model)
    if model.idle:
        idle = ", ".join(sorted(model.idle))
        notes.append(f"Past deals showed no more than chance would of these columns, so they weigh nothing: {idle}.")
    if unknown:
        notes.append(f"{unknown:,} open deals have no amount; the mean won amount of their segment stands in.")
    by_month, ever = chances(view, model, states)
    numbers = np.column_stack([ever, by_month, ever * amount])
    return _table(ids, numbers, _reasons(model, states), notes)


def chances(view: KnownState, model: WinModel, states: States) -> tuple[np.ndarray, np.ndarray]:
    """Return the chances of open deals to be won by the end of each of six months (n, 6), and ever (n,)."""
    ahead = steps_of(view) - HORIZONS
    won, lost = model.hazards(states, steps=HORIZONS + ahead)
    p, still_open = incidence(won, lost)
    by_month: np.ndarray = np.cumsum(p, axis=1)[:, ahead:]
    ever = by_month[:, -1] + still_open * _in_the_end(won, lost)
    if not model.informed:
        # Nothing tells who wins: the share of all closed deals that were won is as good as any split of it by age.
        counts = np.bincount(view.outcome[view.known], minlength=3)
        rate = (counts[WON] + 0.5) / (counts[WON] + counts[LOST] + 1.0)
        by_month = by_month * (rate / np.maximum(ever, 1e-12))[:, None]
        ever = np.full(len(ever), rate)
    return by_month, ever


def left_out_notes(model: WinModel) -> list[str]:
    """Return a sentence for each column that is kept out of the model because it knows the outcome."""
    return [
        f"{name} is kept out of the win model, because it is known only after the outcome: {evidence}."
        for name, evidence in sorted(model.words.left_out.items())
    ]


def filled_amounts(view: KnownState, states: States) -> tuple[np.ndarray, int]:
    """Return the amounts of open deals, the mean won amount of their segment (or of all) where empty, and how many."""
    amount = states.amount.copy()
    empty = np.isnan(amount)
    if empty.any():
        won = view.won_deals[np.isfinite(view.amount[view.won_deals])]
        value, segment = view.amount[won], view.segment[won]
        overall = value.mean() if len(value) else 0.0
        count = len(view.ledger.segments)
        here = segment != NONE
        n = np.bincount(segment[here], minlength=count)
        total = np.bincount(segment[here], value[here], minlength=count)
        means = np.append(np.where(n > 0, total / np.maximum(n, 1), overall), overall)
        amount[empty] = means[states.segment[empty]]
    return amount, int(empty.sum())


# -- what comes out ------------------------------------------------------------------------------------


def _in_the_end(won: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Return the chance that a deal open after the last step is won: the mean hazards of a quarter go on for ever."""
    in_won, in_lost = won[:, -3:].mean(axis=1), lost[:, -3:].mean(axis=1)
    return in_won / np.maximum(in_won + in_lost, 1e-12)


def _reasons(model: WinModel, states: States) -> list[str]:
    """Return the factors of each deal: what moves the odds of a win against a loss, beside the mean over the deals."""
    n = len(states)
    if not n:
        return []
    steps = model.code.steps
    rows, step = np.tile(np.arange(n), steps), np.repeat(np.arange(steps), n)
    parts: dict[str, np.ndarray] = {}
    won = model.code.by_term(states, rows, step, model.beta[:, 0])
    lost = model.code.by_term(states, rows, step, model.beta[:, 1])
    for term in won:
        if term not in ("step", "quarter"):
            effect = (won[term] - lost[term]).reshape(steps, n).mean(axis=0)
            parts[term] = effect - effect.mean()
    if len(model.owner):
        part = model.owner_part(states)
        effect = part[:, 0] - part[:, 1]
        parts["owner"] = effect - effect.mean()
    high = {name: score(states.numbers[name]) > 0 for name, score in model.code.scores.items()}
    high["amount"] = model.code.size(states) > 0
    said = describe(parts, states, model.words, high=high)
    return said if model.informed else [f"base rate by age: {text}" for text in said]


def _table(ids: pd.Series, numbers: np.ndarray, factors: list[str], notes: list[str]) -> NotedTable:
    frame = pd.DataFrame(numbers, columns=list(DEAL_COLUMNS[1:-1]))
    chances = frame.columns[:-1]
    frame[chances] = frame[chances].clip(0.0, 1.0)
    frame.insert(0, "opportunity_id", ids)
    frame["factors"] = pd.Series(factors, index=frame.index, dtype="str")
    return NotedTable(table=frame[list(DEAL_COLUMNS)], notes=tuple(notes))
