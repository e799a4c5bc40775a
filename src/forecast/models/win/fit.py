"""A full fit of the two hazards, and whether its covariates earn their place on past data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.calendar import Calendar
from forecast.models.win.evidence import learned_ridge
from forecast.models.win.hazards import Encoding, both_hazards, encoding, fit_logistic, newton, row_losses
from forecast.models.win.rows import Rows, States, Vocabulary

FEWEST_CLOSED = 10
"""Closed deals below which no probability is given."""

FEWEST_EACH = 20
"""Deals won, and deals lost, below which only the base rate by age is given."""

_NEEDED_GAIN = 0.002
_BEYOND_CHANCE = 2.5
"""Standard errors by which later wins must be told from later losses."""
_TELLS = 0.2
"""Coefficients, of both causes, that the rows must determine of a column that is not idle."""

_JUDGED = 30_000
"""Rows on which base rate and covariates are compared."""


@dataclass(frozen=True)
class Fit:
    """Coefficients (columns, 2: won, lost), the Gram matrix of each cause with its ridge, and what is used.

    `informed` says whether covariates are used or only the base rate by age; `reason` says why not.
    """

    code: Encoding
    beta: np.ndarray
    gram: tuple[np.ndarray, np.ndarray]
    informed: bool
    reason: str


@dataclass(frozen=True)
class WinModel:
    """A model as of a day. `beta` (columns, 2) and `owner` (owners, 2): won, lost.

    `informed` and `reason` are as in `Fit`; `idle` are columns that told no more than chance would and so weigh next
    to nothing.
    """

    words: Vocabulary
    code: Encoding
    beta: np.ndarray
    owner: np.ndarray
    informed: bool
    reason: str
    idle: tuple[str, ...] = ()

    def base_logits(self, states: States, *, steps: int) -> np.ndarray:
        """Return the logits of won and lost without the owners' part, (n, steps, 2); beyond the last, the last."""
        return self.code.logits(states, self.beta, steps=steps)

    def owner_part(self, states: States) -> np.ndarray:
        """Return what the owners add to the logits, (n, 2)."""
        if not len(self.owner):
            return np.zeros((len(states), 2))
        known = np.vstack([self.owner, np.zeros(2)])
        who = states.factors["owner"]
        return known[np.where(who < len(self.owner), who, -1)]

    def hazards(self, states: States, *, steps: int, logits: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return the hazards of won and lost in each step, shape (n, steps) each; beyond the last, the last goes on.

        logits : what `base_logits` gives for them, where it is there already.
        """
        eta = (self.base_logits(states, steps=steps) if logits is None else logits) + self.owner_part(states)[
            :, None, :
        ]
        return both_hazards(eta[:, :, 0], eta[:, :, 1])


def fit_in_full(
    words: Vocabulary, calendar: Calendar, rows: Rows, *, steps: int, won: int, lost: int, start: Fit | None = None
) -> Fit:
    """Return the hazards fitted to rows; `won` and `lost` are the deals known to have closed so.

    start : an earlier fit to begin from, where it has the same columns; it changes the path, not the answer.
    """
    rich = encoding(words, calendar, rows.states, steps=steps)
    plain = encoding(words, calendar, rows.states, steps=steps, rich=False)
    design = rich.matrix(rows.states, rows.landmark, rows.step)
    # The columns of the base rate come first in both. To judge by, some of the rows are enough.
    some = np.arange(0, len(rows), 1 + len(rows) // _JUDGED)
    base = _fitted(plain, design[:, : plain.width], rows, some=some)
    if min(won, lost) < FEWEST_EACH:
        reason = f"only {won} deals won and {lost} lost: the base rate by age is given to all"
        return Fit(plain, *_fitted(plain, design[:, : plain.width], rows), informed=False, reason=reason)
    first = start.beta if start is not None and start.code.layout == rich.layout else None
    full = _fitted(rich, design, rows, first)
    if not _earns_its_place(plain, rich, base[0], full[0], design, rows, some):
        reason = "nothing recorded predicted past outcomes better than the base rate by age"
        return Fit(plain, *_fitted(plain, design[:, : plain.width], rows), informed=False, reason=reason)
    return Fit(rich, *full, informed=True, reason="")


def weighed(fit: Fit) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the coefficients with what a company brings on top weighed by its evidence, and the columns left idle.

    The other columns' ridge is set by hand.
    """
    brought = [name for name in fit.code.layout if name == "segment" or name.startswith(("is ", "x "))]
    if not fit.informed or not brought:
        return fit.beta, ()
    learned = learned_ridge(fit.code, fit.beta, fit.gram, blocks=brought)
    idle = (name for name, told in learned.told.items() if told < _TELLS and name != "segment")
    return learned.beta, tuple(name.split(" ", 1)[1] for name in idle)


def _fitted(
    code: Encoding, design: np.ndarray, rows: Rows, start: np.ndarray | None = None, some: np.ndarray | None = None
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Return the coefficients of both causes, (columns, 2), and their Gram matrices, ridge included."""
    weight, outcomes = rows.weight, (rows.won, rows.lost)
    if some is not None:
        design, weight, outcomes = design[some], weight[some], (rows.won[some], rows.lost[some])
    few = slice(None, None, 6)
    betas, grams = [], []
    for cause, y in enumerate(outcomes):
        # A sixth of the rows brings Newton close; all of them then need a step or two.
        first = (
            fit_logistic(design[few], y[few], ridge=code.ridge, weight=weight[few], tolerance=1e-3)
            if start is None
            else start[:, cause]
        )
        beta, gram = newton(design, y, ridge=code.ridge, weight=weight, start=first)
        betas.append(beta)
        grams.append(gram)
    return np.column_stack(betas), (grams[0], grams[1])


def _earns_its_place(
    plain: Encoding,
    rich: Encoding,
    base: np.ndarray,
    beta: np.ndarray,
    design: np.ndarray,
    rows: Rows,
    some: np.ndarray,
) -> bool:
    """Say whether the covariates predict better than the base rate by age, on past data only; `some` rows are judged.

    A gain in likelihood far beyond what the number of columns explains settles it where stages are known (a deal's
    month appears at up to `steps` origins, so the gain is divided by that). Otherwise the months are halved, each half
    is judged by a fit to the other, and the covariates must predict better and tell wins from losses beyond chance.
    """

    def losses(coefficients: np.ndarray, which: np.ndarray) -> np.ndarray:
        eta = design[which, : len(coefficients)] @ coefficients.astype(design.dtype)
        return rows.weight[which] * row_losses(eta, (rows.won[which], rows.lost[which]))

    share = rows.weight.sum() / rows.weight[some].sum()
    gain = (losses(base, some).sum() - losses(beta, some).sum()) * share / rich.steps
    if gain > 2 * rich.width and rows.states.stage.max(initial=-1) >= 0:
        return True
    start = rows.states.target[rows.landmark]
    cut = np.median(start)
    halves = np.flatnonzero(start + rows.step < cut), np.flatnonzero(start >= cut)
    if not all(len(half) for half in halves):
        return False
    before = after = 0.0
    which, leaning = [], []
    for known, judged in (halves, halves[::-1]):
        then = [_fitted(code, design[:, : code.width], rows, some=known)[0] for code in (plain, rich)]
        before += losses(then[0], judged).sum()
        after += losses(then[1], judged).sum()
        closed = judged[rows.won[judged] | rows.lost[judged]]
        which.append(closed)
        said = [(design[closed, : len(beta)] @ beta) @ np.array([1.0, -1.0]) for beta in then]
        leaning.append(said[1] - said[0])
    if before - after <= _NEEDED_GAIN * before:
        return False
    # Which deals close sooner may be foreseen where nothing tells who wins; that is no skill in telling wins.
    closed = np.concatenate(which)
    cell = np.unique((start + rows.step)[closed] * 100 + rows.step[closed], return_inverse=True)[1]
    deal = rows.states.deal[rows.landmark[closed]]
    return _beyond_chance(np.concatenate(leaning), rows.won[closed], cell, deal) > _BEYOND_CHANCE


def _beyond_chance(leaning: np.ndarray, won: np.ndarray, cell: np.ndarray, deal: np.ndarray) -> float:
    """Return by how many standard errors a leaning goes with winning within cells; a deal's rows count as one.

    leaning, won, cell, deal : (n,). The score statistic of leaning in a logistic regression with a level a cell.
    """
    n = np.bincount(cell)

    def within(x: np.ndarray) -> np.ndarray:
        return x - (np.bincount(cell, x) / n)[cell]

    by_deal = np.bincount(deal, within(leaning) * within(won.astype(float)))
    return float(by_deal.sum() / max(np.sqrt((by_deal**2).sum()), 1e-12))
