"""How likely each open deal is won, by when, and why; the chances learned from what became of earlier deals.

Two hazards, won and lost, on landmark rows (`hazards`); the chance to be won in month h is the cumulative incidence.
Beyond the months modelled the hazards of the last three go on, which gives the chance to be won ever.
Covariates are used only where past data show that they help; otherwise everybody gets the base rate by age.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import expit

from forecast.data.schema import DEAL_COLUMNS, HORIZONS
from forecast.errors import ParameterError
from forecast.models.factors import describe
from forecast.models.features import Landmarks, States, Vocabulary, landmarks, present, vocabulary
from forecast.models.hazards import (
    OWNER_PRIOR,
    Encoding,
    both_hazards,
    encoding,
    fit_logistic,
    incidence,
    log_loss,
    shrunk_effects,
)

if TYPE_CHECKING:
    from forecast.data.snapshots import Snapshot

FEWEST_CLOSED = 10
"""Closed deals below which no probability is given."""

FEWEST_EACH = 20
"""Deals won, and deals lost, below which only the base rate by age is given."""

MOST_ROWS = 60_000
"""Landmark rows beyond which months without an event are thinned out and weighted."""

LEARN_MONTHS = 36
_RECENT = 12
_DRIFT_PRIOR = 30.0
_NEEDED_GAIN = 0.002


@dataclass(frozen=True)
class WinModel:
    """A fitted model. `beta` has shape (columns, 2) and `owner` (owners, 2): won, lost. `drift` shifts both logits.

    `informed` says whether covariates are used or only the base rate by age; `reason` says why not.
    """

    words: Vocabulary
    panel: Landmarks
    encoding: Encoding
    beta: np.ndarray
    owner: np.ndarray
    drift: np.ndarray
    informed: bool
    reason: str

    def logits(self, states: States, rows: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Return the logits of won and lost, shape (rows, 2)."""
        eta = self.encoding.logits(states, rows, step, self.beta) + self.drift
        if len(self.owner):
            eta += np.vstack([self.owner, np.zeros(2)])[states.factors["owner"][rows]]
        return eta

    def hazards(self, states: States, *, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the hazards of won and lost in each step, shape (n, steps) each; beyond the last, the last goes on."""
        n = len(states)
        rows = np.tile(np.arange(n), steps)
        eta = self.logits(states, rows, np.repeat(np.arange(steps), n)).reshape(steps, n, 2)
        return both_hazards(eta[:, :, 0].T, eta[:, :, 1].T)


def fit_win_model(snap: Snapshot, *, months: int = LEARN_MONTHS) -> WinModel | None:
    """Fit the hazards on the last `months` past origins of a snapshot; None where too few deals have closed.

    Deterministic: no random number is drawn.
    """
    closed = snap.opportunities["outcome"].value_counts()
    won_deals, lost_deals = int(closed.get("won", 0)), int(closed.get("lost", 0))
    if won_deals + lost_deals < FEWEST_CLOSED:
        return None
    words = vocabulary(snap)
    panel = landmarks(snap, words, months=months)
    rows = panel.rows()
    if not len(rows[0]):
        return None
    calendar = snap.calendar
    plain = encoding(words, calendar, panel.states, steps=panel.steps, rich=False)
    base = _fit(plain, panel.states, rows)
    if min(won_deals, lost_deals) < FEWEST_EACH:
        reason = f"only {won_deals} deals won and {lost_deals} lost: the base rate by age is given to all"
        return _finish(words, panel, plain, base, rows, informed=False, reason=reason)
    rich = encoding(words, calendar, panel.states, steps=panel.steps)
    beta = _fit(rich, panel.states, rows)
    if not _earns_its_place(plain, rich, base, beta, panel, rows):
        reason = "nothing recorded predicted past outcomes better than the base rate by age"
        return _finish(words, panel, plain, base, rows, informed=False, reason=reason)
    return _finish(words, panel, rich, beta, rows, informed=True, reason="")


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
    check_seed(seed)
    deals = snap.opportunities
    is_open = (deals["outcome"] == "open").to_numpy()
    ids = deals.loc[is_open, "opportunity_id"].reset_index(drop=True)
    model = fit_win_model(snap)
    notes: list[str] = []
    if model is None:
        done = int((~is_open).sum())
        why = f"too few closed deals to tell ({done}; at least {FEWEST_CLOSED} are needed)"
        numbers = np.full((len(ids), 2 + HORIZONS), np.nan)
        return _table(ids, numbers, [why] * len(ids), [f"No win probability: {why}."])
    states = present(snap, model.words)
    amount, unknown = filled_amounts(snap, states)
    if model.reason:
        notes.append(f"No skill over the base rate: {model.reason}.")
    if unknown:
        notes.append(f"{unknown:,} open deals have no amount; the mean won amount of their segment stands in.")
    ahead = 0 if snap.at_month_end else 1
    won, lost = model.hazards(states, steps=HORIZONS + ahead)
    p, still_open = incidence(won, lost)
    by_month = np.cumsum(p, axis=1)[:, ahead:]
    ever = by_month[:, -1] + still_open * _in_the_end(won, lost)
    numbers = np.column_stack([ever, by_month, ever * amount])
    return _table(ids, numbers, _reasons(model, states), notes)


def filled_amounts(snap: Snapshot, states: States) -> tuple[np.ndarray, int]:
    """Return the amounts of open deals, the mean won amount of their segment (or of all) where empty, and how many."""
    amount = states.amount.copy()
    empty = np.isnan(amount)
    if empty.any():
        deals = snap.opportunities
        won = (deals["outcome"] == "won").to_numpy() & deals["amount"].notna().to_numpy()
        value, segment = deals["amount"].to_numpy(float)[won], deals["segment"].to_numpy()[won]
        overall = value.mean() if len(value) else 0.0
        means = np.array(
            [value[segment == name].mean() if (segment == name).any() else overall for name in snap.segments]
        )
        amount[empty] = means[states.segment[empty]]
    return amount, int(empty.sum())


def check_seed(seed: int) -> None:
    """Raise ParameterError unless `seed` is an integer >= 0."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ParameterError(f"seed: {seed!r} is not an integer >= 0")


# -- fitting -------------------------------------------------------------------------------------------

Rows = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _fit(code: Encoding, states: States, rows: Rows) -> np.ndarray:
    """Return the coefficients of both causes, shape (columns, 2)."""
    kept, weight = _thinned(rows)
    landmark, step, won, lost = (part[kept] for part in rows)
    design = code.matrix(states, landmark, step)
    some = slice(None, None, 6)
    out = []
    for y in (won, lost):
        # A sixth of the rows brings Newton close; the full rows then need a step or two.
        start = fit_logistic(design[some], y[some], ridge=code.ridge, weight=weight[some], tolerance=1e-3)
        out.append(fit_logistic(design, y, ridge=code.ridge, weight=weight, start=start))
    return np.column_stack(out)


def _thinned(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to fit on and their weights: every event, and as many of the others as there is room for."""
    _, _, won, lost = rows
    events = won | lost
    n, room = len(events), MOST_ROWS - int(events.sum())
    others = n - int(events.sum())
    every = max(1, -(-others // max(room, MOST_ROWS // 4)))
    if every == 1:
        return np.arange(n), np.ones(n)
    quiet = np.flatnonzero(~events)
    # Every k-th quiet row: landmark and step advance together, so an odd stride meets every step alike.
    every += 1 - every % 2
    kept = np.sort(np.concatenate([np.flatnonzero(events), quiet[::every]]))
    return kept, np.where(events[kept], 1.0, len(quiet) / max(len(quiet[::every]), 1))


def _earns_its_place(
    plain: Encoding, rich: Encoding, base: np.ndarray, beta: np.ndarray, panel: Landmarks, rows: Rows
) -> bool:
    """Say whether the covariates predict better than the base rate by age, on past data only.

    A gain in likelihood that the number of columns explains (a deal's month appears at up to `steps` origins, so the
    gain is divided by that) settles it, and so does one far beyond that where stages are known; otherwise a fit to the
    earlier two thirds is held against the rest.
    """
    landmark, step, won, lost = rows

    def loss(code: Encoding, coefficients: np.ndarray, some: np.ndarray) -> float:
        eta = code.logits(panel.states, landmark[some], step[some], coefficients)
        return log_loss(*both_hazards(eta[:, 0], eta[:, 1]), won[some], lost[some])

    some = np.arange(0, len(landmark), 1 + len(landmark) // 20_000)
    gain = (loss(plain, base, some) - loss(rich, beta, some)) * len(landmark) / panel.steps
    if gain < rich.width / 2:
        return False
    if gain > 2 * rich.width and panel.states.stage.max(initial=-1) >= 0:
        return True
    month = panel.states.target[landmark] + step
    cut = np.quantile(panel.states.target, 2 / 3)
    early, late = np.flatnonzero(month < cut), np.flatnonzero(panel.states.target[landmark] >= cut)
    if not len(early) or not len(late):
        return False
    then = tuple(part[early] for part in rows)
    losses = [loss(code, _fit(code, panel.states, then), late) for code in (plain, rich)]  # type: ignore[arg-type]
    return losses[0] - losses[1] > _NEEDED_GAIN * losses[0]


def _finish(
    words: Vocabulary, panel: Landmarks, code: Encoding, beta: np.ndarray, rows: Rows, *, informed: bool, reason: str
) -> WinModel:
    """Add the owners' effects, and the drift of the last year, both shrunk."""
    landmark, step, won, lost = rows
    states = panel.states
    eta = code.logits(states, landmark, step, beta)
    owner = np.zeros((0, 2))
    overlap = float(panel.steps)
    if informed and "owner" in words.factors:
        who = states.factors["owner"][landmark]
        owner = np.column_stack(
            [
                shrunk_effects(
                    who, y, expit(eta[:, k]), levels=len(words.factors["owner"]), prior=OWNER_PRIOR * overlap
                )
                for k, y in enumerate((won, lost))
            ]
        )
        eta += np.vstack([owner, np.zeros(2)])[who]
    recent = panel.origins[panel.origin[landmark]] + step >= panel.origins[-1] - _RECENT
    one = np.zeros(int(recent.sum()), dtype=np.int64)
    drift = [
        shrunk_effects(one, y[recent], expit(eta[recent, k]), levels=1, prior=_DRIFT_PRIOR * overlap)[0]
        for k, y in enumerate((won, lost))
    ]
    return WinModel(words, panel, code, beta, owner, np.array(drift), informed, reason)


# -- what comes out ------------------------------------------------------------------------------------


def _in_the_end(won: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Return the chance that a deal open after the last step is won: the mean hazards of a quarter go on for ever."""
    in_won, in_lost = won[:, -3:].mean(axis=1), lost[:, -3:].mean(axis=1)
    return in_won / np.maximum(in_won + in_lost, 1e-12)


def _reasons(model: WinModel, states: States) -> list[str]:
    """Return the factors of each deal: what moves the odds of a win against a loss, beside the mean over the deals."""
    n = len(states)
    steps = model.panel.steps
    rows, step = np.tile(np.arange(n), steps), np.repeat(np.arange(steps), n)
    parts: dict[str, np.ndarray] = {}
    won = model.encoding.by_term(states, rows, step, model.beta[:, 0])
    lost = model.encoding.by_term(states, rows, step, model.beta[:, 1])
    for term in won:
        if term not in ("step", "quarter"):
            effect = (won[term] - lost[term]).reshape(steps, n).mean(axis=0)
            parts[term] = effect - effect.mean()
    if len(model.owner):
        effect = np.append(model.owner[:, 0] - model.owner[:, 1], 0.0)[states.factors["owner"]]
        parts["owner"] = effect - effect.mean()
    high = {name: model.encoding.standard(name, states.numbers[name]) > 0 for name in model.words.numbers}
    high["amount"] = model.encoding.standard("amount", np.log1p(states.amount)) > 0
    said = describe(parts, states, model.words, high=high)
    return said if model.informed else [f"base rate by age: {text}" for text in said]


def _table(ids: pd.Series, numbers: np.ndarray, factors: list[str], notes: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(numbers, columns=list(DEAL_COLUMNS[1:-1]))
    chances = frame.columns[:-1]
    frame[chances] = frame[chances].clip(0.0, 1.0)
    frame.insert(0, "opportunity_id", ids)
    frame["factors"] = pd.Series(factors, index=frame.index, dtype="str")
    frame.attrs["notes"] = notes
    return frame[list(DEAL_COLUMNS)]
