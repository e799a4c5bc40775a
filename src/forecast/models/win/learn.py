"""The win model kept up to date along a ledger: a full fit once a year, one Newton step a month in between.

At an origin the rows of one more target month are complete. With beta at the optimum of the rows before, the gradient
of the penalised log likelihood over all rows is that of the new rows alone, so one Newton step

    H <- H + sum w p (1 - p) x x',    beta <- beta + H^-1 sum w x (y - p)

over the new rows is right to second order (recursive estimation: Fahrmeir & Kaufmann, *Metrika* 38, 1991; Ljung &
Söderström 1983). A row is learned from once the company's settle days have passed since its month ended, so that
closures recorded late are in. In which months the model is fitted in full follows from the calendar and the number of
closures known: from whichever day a ledger begins, the model at a given origin is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

from forecast.data.known.coding import LOST, NONE, OPEN, WON
from forecast.data.known.ledger import KnownState
from forecast.models.threads import one_thread
from forecast.models.win.fit import FEWEST_CLOSED, Fit, WinModel, fit_in_full, weighed
from forecast.models.win.hazards import OWNER_PRIOR, gram_of
from forecast.models.win.rows import (
    NO_EVENT,
    Rows,
    States,
    first_recorded,
    joined,
    month_rows,
    present,
    steps_of,
    vocabulary,
)

WINDOW = 60
"""Months of rows a full fit learns from."""

_PLENTY = 4000

TRACKED = 36
"""Past origins whose residuals tell the owners' effects."""

MOST_EVENTS, MOST_QUIET = 1500, 2500
"""Rows kept of a target month, with and without an event; the others are thinned out and weighted."""


@dataclass
class _Said:
    """What was said at one origin: logits (n, steps, 2) without the owners' part, and the owners' residuals since.

    `owner` (levels, 2 causes, 2): sums of residuals and of information. States and logits are None once all is known.
    """

    states: States | None
    logits: np.ndarray | None
    owner: np.ndarray


class Learner:
    """Walks along the views of a ledger, which must be one period apart at the same position in their period.

    without : covariates that are not to be used. fit_from : the period of step 0 from which a model is wanted.
    refit : months between full fits (None: as described above).
    """

    def __init__(self, *, without: frozenset[str] = frozenset(), fit_from: int = 0, refit: int | None = None) -> None:
        self._without, self._fit_from, self._refit = without, fit_from, refit
        self._past: dict[int, States] = {}
        self._rows: dict[int, Rows] = {}
        self._said: dict[int, _Said] = {}
        self._next = 0
        self._closed = 0
        self._fit: Fit | None = None
        self.states: States | None = None
        self.logits = np.zeros((0, 0, 2))

    def step(self, view: KnownState) -> WinModel | None:
        """Take in one more view; return the model as of then, None where too few deals have closed."""
        with one_thread():
            return self._step(view)

    def _step(self, view: KnownState) -> WinModel | None:
        target, steps = view.first_target, steps_of(view)
        states = present(view)
        self.states = states
        if not self._past:
            self._next = target
        self._past[target] = states
        settled = view.last_settled
        while self._next <= settled:
            self._take(view, self._next)
            self._next += 1
        # The next month to settle is seen from up to `steps` origins back.
        for old in [month for month in self._past if month <= self._next - steps]:
            del self._past[old]
        for old in [month for month in self._rows if month < target - WINDOW - 12]:
            del self._rows[old]
        for old in [month for month in self._said if month < target - TRACKED]:
            del self._said[old]
        for over in [month for month in self._said if month + steps <= self._next]:
            # All its months have settled: the sums are all that is still wanted.
            self._said[over] = _Said(None, None, self._said[over].owner)
        due = self._due(view)
        if target < self._fit_from:
            return None
        if due:
            self._fit = self._full(view, settled)
        if self._fit is None:
            return None
        model = self._finished(self._fit)
        logits = model.base_logits(states, steps=steps)
        self.logits = logits
        levels = len(model.words.factors.get("owner", ()))
        self._said[target] = _Said(states, logits.astype(np.float32), np.zeros((levels, 2, 2)))
        return model

    # -- rows ----------------------------------------------------------------------------------------

    def _take(self, view: KnownState, month: int) -> None:
        """Take in the rows of a target month that has settled."""
        rows = month_rows(view, self._past, month, most_events=MOST_EVENTS, most_quiet=MOST_QUIET)
        if rows is None:
            return
        self._rows[month] = rows
        if self._fit is not None:
            self._fit = _newton(self._fit, rows)
        for step in range(steps_of(view)):
            said = self._said.get(month - step)
            if said is not None:
                _residuals(said, view, step)

    def _due(self, view: KnownState) -> bool:
        """Say whether the model is to be fitted in full: once a year, and whenever closures have grown by half."""
        target = view.first_target
        before, self._closed = self._closed, int(((view.outcome != OPEN) & view.known).sum())
        if self._refit is not None:
            return self._fit is None or (target - self._fit_from) % self._refit == 0
        yearly = target % 12 == (view.company.fiscal_year_start - 1) % 12
        return self._fit is None or yearly or _halves(self._closed) > _halves(before)

    def _full(self, view: KnownState, settled: int) -> Fit | None:
        """Return the model fitted in full to the rows of the window, as known; None where too few deals have closed."""
        closed = view.outcome[view.known]
        won, lost = int((closed == WON).sum()), int((closed == LOST).sum())
        if won + lost < FEWEST_CLOSED:
            return None
        target = view.first_target
        begin = max(target - WINDOW, first_recorded(view))
        months = {month: rows for month, rows in self._rows.items() if begin <= month <= settled}
        parts = [months[month] for month in sorted(months) if len(months[month])]
        if not parts:
            return None
        rows = _stacked(parts)
        words = vocabulary(view).without(self._without)
        return fit_in_full(words, view.calendar, rows, steps=steps_of(view), won=won, lost=lost, start=self._fit)

    # -- what the residuals tell ---------------------------------------------------------------------

    def _finished(self, fit: Fit) -> WinModel:
        """Return the model with columns weighed by their evidence and the owners' effects, shrunk."""
        code = fit.code
        beta, idle = weighed(fit)
        levels = len(code.words.factors.get("owner", ())) if fit.informed else 0
        owner = np.zeros((levels, 2))
        months = sorted(self._said)
        if levels and months:
            sums = np.sum([_padded(self._said[month].owner, levels) for month in months], axis=0)
            total = sums.sum(axis=0)
            # What all owners share is the model's affair, not theirs.
            excess = sums[:, :, 0] - sums[:, :, 1] * total[:, 0] / np.maximum(total[:, 1], 1e-12)
            owner = excess / (sums[:, :, 1] + OWNER_PRIOR * code.steps)
        return WinModel(code.words, code, beta, owner, fit.informed, fit.reason, idle)


def _halves(closed: int) -> int:
    """Return how often a number has grown by half from 1 on; beyond some thousands a year's step is small enough."""
    return int(np.log(np.clip(closed, 1, _PLENTY)) / np.log(1.5))


def _stacked(parts: list[Rows]) -> Rows:
    if len(parts) == 1:
        return parts[0]
    offsets = np.cumsum([0, *(len(part.states) for part in parts)])
    landmark = np.concatenate([part.landmark + offset for part, offset in zip(parts, offsets, strict=False)])
    rest = [np.concatenate([getattr(part, name) for part in parts]) for name in ("step", "won", "lost", "weight")]
    return Rows(joined([part.states for part in parts]), landmark, *rest)


def _padded(sums: np.ndarray, levels: int) -> np.ndarray:
    out = np.zeros((levels, *sums.shape[1:]))
    out[: min(levels, len(sums))] = sums[:levels]
    return out


def _newton(fit: Fit, rows: Rows) -> Fit:
    """Return the fit moved by one Newton step on new rows."""
    design = fit.code.matrix(rows.states, rows.landmark, rows.step)
    weight = rows.weight
    beta, gram = fit.beta.copy(), []
    for cause, y in enumerate((rows.won, rows.lost)):
        p = expit(design @ fit.beta[:, cause].astype(design.dtype)).astype(float)
        total = fit.gram[cause] + gram_of(design, weight * p * (1.0 - p))
        gradient = (weight * (y - p)).astype(design.dtype) @ design
        beta[:, cause] += cho_solve(cho_factor(total, check_finite=False), gradient.astype(float), check_finite=False)
        gram.append(total)
    return replace(fit, beta=beta, gram=(gram[0], gram[1]))


def _residuals(said: _Said, view: KnownState, step: int) -> None:
    """Add what became of the deals of one origin in the month `step` ahead of it to its sums."""
    states = said.states
    assert states is not None
    assert said.logits is not None
    closed = view.closed_in[states.deal]
    event = np.where(closed > 0, np.maximum(closed - states.target, 0), NO_EVENT)
    rows = np.flatnonzero(event >= step)
    happened = event[rows] == step
    won = happened & (view.outcome[states.deal[rows]] == WON)
    levels = len(said.owner)
    if not levels:
        return
    who = states.factors["owner"][rows]
    known = who != NONE
    for cause, y in enumerate((won, happened & ~won)):
        p = expit(said.logits[rows, step, cause].astype(float))
        for k, part in enumerate((y - p, p * (1.0 - p))):
            said.owner[:, cause, k] += np.bincount(who[known], part[known], minlength=levels)
