"""The win model kept up to date along a ledger: a full fit once a year, one Newton step a month in between.

Simple case: a month whose closures have settled brings its rows, and they move the model by one Newton step. With beta
at the optimum of the rows before, the gradient of the penalised log likelihood over all rows is that of the new rows
alone, so one step

    H <- H + sum w p (1 - p) x x',    beta <- beta + H^-1 sum w x (y - p)

over the new rows is right to second order (recursive estimation: Fahrmeir & Kaufmann, *Metrika* 38, 1991; Ljung &
Söderström 1983). The complications: small errors add up and columns come and go, so the model is fitted in full once a
year, and whenever the closures known have grown by half. Both follow from the calendar and the closures known: from
whichever day a ledger begins, the model at a given origin is the same. And sellers come on top, as what is left of the
errors of the last origins once what all sellers share is taken off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import block_diag
from scipy.special import expit, logit

from forecast.data.known.coding import LOST, NONE, OPEN, WON
from forecast.data.known.enough import FEWEST_CLOSED
from forecast.data.known.ledger import KnownState
from forecast.models.win.base_rate import (
    AGES,
    by_season_alone,
    closing_pace,
    closings_by_age,
    split_by_share,
    win_shares,
)
from forecast.models.win.change.months import Expected, Months
from forecast.models.win.change.shifts import Shift
from forecast.models.win.encoding import Encoding, Vocabulary, encoding, vocabulary
from forecast.models.win.event_kinds import block_of, kinds_in_use, told_by_the_past
from forecast.models.win.hazards import (
    Fit,
    both_hazards,
    fit_in_full,
    newton_step,
    one_thread,
    shrunk_by_evidence,
)
from forecast.models.win.landmarks import AtRisk, Rows, States, at_risk, month_rows, open_states, stacked, steps_of

WINDOW = 60
"""Months of rows a full fit learns from."""

TRACKED = 36
"""Past origins whose errors tell the owners' effects."""

MOST_EVENTS, MOST_QUIET = 1500, 2500
"""Rows kept of a target month, with and without an event; the others are thinned out and weighted."""

OWNER_PRIOR = 10.0
"""Information (sum of p (1 - p)) an owner must bring for half of the effect seen to be believed."""

_PLENTY = 4000


@dataclass(frozen=True, kw_only=True)
class WinModel:
    """A model as of a day. `beta` (columns, 2) and `owner` (owners, 2): won, lost.

    `informed` says whether covariates are used or only the base rate by age; `reason` says why not; `idle` are columns
    that showed no more than chance would and so weigh next to nothing. Of the base rate, by age in months, (ages,): in
    `shares` the share won of deals that close, in `pace` factors on the chance to close, a column a step; None where
    covariates are used. `shift` is what the last months show beyond all of it (`shifts`), None = nothing.
    """

    code: Encoding
    beta: np.ndarray
    owner: np.ndarray
    informed: bool
    reason: str
    idle: tuple[str, ...] = ()
    shares: np.ndarray | None = None
    pace: np.ndarray | None = None
    shift: Shift | None = None

    @property
    def words(self) -> Vocabulary:
        """The levels behind the codes, and the covariates in use."""
        return self.code.words

    def base_logits(self, states: States, *, steps: int) -> np.ndarray:
        """Return the logits of won and lost without the owners' part, (n, steps, 2); beyond the last, the last."""
        return self.shifted(self.code.logits(states, self.beta, steps=steps), states)

    def shifted(self, logits: np.ndarray, states: States) -> np.ndarray:
        """Return logits of the columns alone with what the last months show beyond them; (n, steps, 2) both."""
        return logits if self.shift is None else self.shift.applied(logits, states, self.words.source_of(states))

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
        base = self.base_logits(states, steps=steps) if logits is None else logits
        eta = base + self.owner_part(states)[:, None, :]
        won, lost = both_hazards(eta[:, :, 0], eta[:, :, 1])
        if self.shares is None or self.pace is None:
            return won, lost
        return split_by_share(won, lost, states, shares=self.shares, pace=self.pace)


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What is there after one more day: its open deals, the model as of then and its `base_logits` for them.

    plain : the logits without the model's shift. model, logits, plain : None where too few deals have closed, or
    before the period from which a model is wanted.
    """

    states: States
    model: WinModel | None = None
    logits: np.ndarray | None = None
    plain: np.ndarray | None = None


@dataclass(kw_only=True)
class _Origin:
    """The forecast made at one origin, and how it fared by owner.

    logits : by step (n, 2), of its open deals without the owners' part; none without owners.
    errors : (owners, 2 causes, 2): sums of y - p and of p (1 - p), added to as months settle.
    expected : of step 0. offset : by step (n, 2), what the shift added to the logits; none where there was no shift.

    What belongs to a month is dropped once that has settled, since nobody will ask for it again.
    """

    logits: dict[int, np.ndarray]
    errors: np.ndarray
    expected: Expected | None
    offset: dict[int, np.ndarray]


class Learner:
    """Takes in what was known day by day; the days are one period apart, at the same position in their period.

    without : covariates that are not to be used. fit_from : the period of step 0 from which a model is wanted.
    refit : months between full fits (None: as described above).
    """

    def __init__(self, *, without: frozenset[str] = frozenset(), fit_from: int = 0, refit: int | None = None) -> None:
        self._without, self._fit_from, self._refit = without, fit_from, refit
        self._past: dict[int, States] = {}
        self._rows: dict[int, Rows] = {}
        self._origins: dict[int, _Origin] = {}
        self._months = Months()
        self._next: int | None = None
        self._closed = 0
        self._fit: Fit | None = None
        self._by_age = np.zeros(0)

    @property
    def months(self) -> Months:
        """What came of the settled months beside what was expected, as of the last day taken in; read only."""
        return self._months

    def step(self, view: KnownState) -> Learned:
        """Take in one more day; return the model as of then."""
        with one_thread():
            return self._step(view)

    def _step(self, view: KnownState) -> Learned:
        # Simple case: look at the open deals, learn from the month that has settled since, and forecast.
        target, settled = view.first_target, view.last_settled
        states = open_states(view)
        self._past[target] = states

        # None may have settled, or several.
        if self._next is None:
            self._next = target
        for month in range(self._next, settled + 1):
            self._learn_settled(view, month)  # what became of its deals is let go before a model is fitted
        self._next = max(self._next, settled + 1)
        self._forget(target, steps_of(view))

        # Fitted anew in some months only; before `fit_from`, and of too few closures, there is no model.
        due = self._due(view)
        if target < self._fit_from:
            return Learned(states=states)
        if due:
            self._fit = self._full(view, settled)
        if self._fit is None:
            return Learned(states=states)

        # A kind of event heard of for the first time has its columns before any row has learned of it.
        self._fit = with_events(self._fit, kinds_in_use(view.events, self._fit.code.events))
        told = told_by_the_past(view.events, settled=settled)
        shut = {block_of(kind) for kind in self._fit.code.events if kind not in told}

        # The forecast's errors will tell the owners' effects of later models, and whether a level has moved.
        beta, idle = shrunk_by_evidence(self._fit, shut=shut)
        model = self._with_owners(self._fit, beta=beta, idle=idle)
        if self._fit.informed:
            model = replace(model, shift=self._shift(view, model, anew=due))
        if not self._fit.informed:
            ageless, pace = by_season_alone(model.code, model.beta), closing_pace(self._by_age)
            model = replace(model, beta=ageless, shares=win_shares(view), pace=pace)
        plain = model.code.logits(states, model.beta, steps=steps_of(view))
        logits = model.shifted(plain, states)
        owners = len(model.words.factors.get("owner", ()))
        self._origins[target] = _Origin(
            logits=_by_step(_as_forecast(model, states, logits)) if owners else {},
            errors=np.zeros((owners, 2, 2)),
            expected=Expected(logits=plain[:, 0].astype(np.float32), shift=model.shift) if model.informed else None,
            offset={} if model.shift is None else _by_step(logits, plain),
        )
        return Learned(states=states, model=model, logits=logits, plain=plain)

    # -- rows ----------------------------------------------------------------------------------------

    def _learn_settled(self, view: KnownState, month: int) -> None:
        """Learn from what became, by the view's day, of the deals at risk in a month that has settled."""
        parts = [self._with_offset(part, month) for part in at_risk(view, self._past, month)]
        if parts:
            hashes = view.ledger.hashes
            rows = month_rows(parts, month, hashes=hashes, most_events=MOST_EVENTS, most_quiet=MOST_QUIET)
            self._learn_month(month, parts, rows)

    def _learn_month(self, month: int, parts: list[AtRisk], rows: Rows) -> None:
        """Learn from a target month that has settled: its rows move the fit, and past forecasts of it get their errors.

        parts : what became of its deals, seen from each origin. rows : the same, as rows of the fit.
        """
        self._rows[month] = rows
        if self._fit is not None:
            design = self._fit.code.matrix(rows)
            self._fit = newton_step(self._fit, design, rows)
            self._by_age = self._by_age + _closings(self._fit, design, rows)
        if parts[0].step == 0:
            origin = self._origins.get(month)
            expected = None if origin is None else origin.expected
            self._months.settle(month, parts[0], expected, code=None if self._fit is None else self._fit.code)
        for part in parts:
            origin = self._origins.get(month - part.step)
            logits = None if origin is None else origin.logits.pop(part.step, None)
            if origin is not None and logits is not None:
                origin.errors += _errors_by_owner(part, logits[part.deal], owners=len(origin.errors))

    def _forget(self, target: int, steps: int) -> None:
        """Drop what no later day will ask for: the next month to settle is seen from up to `steps` origins back."""
        assert self._next is not None
        self._past = {month: states for month, states in self._past.items() if month > self._next - steps}
        self._rows = {month: rows for month, rows in self._rows.items() if month >= target - WINDOW - 12}
        self._origins = {
            month: replace(origin, logits={}, expected=None, offset={}) if month + steps <= self._next else origin
            for month, origin in self._origins.items()
            if month >= target - TRACKED
        }

    # -- levels that move ----------------------------------------------------------------------------

    def _with_offset(self, part: AtRisk, month: int) -> AtRisk:
        """Return what became of an origin's deals in a month with what the shift had put into their logits."""
        origin = self._origins.get(month - part.step)
        offset = None if origin is None else origin.offset.pop(part.step, None)
        return part if offset is None else replace(part, offset=offset[part.deal])

    def _shift(self, view: KnownState, model: WinModel, *, anew: bool) -> Shift | None:
        """Return how far levels have moved from what the model expects; `anew` says that it was fitted in full."""
        if anew:
            self._months.count_again(model.code, model.beta)
        unsettled = {}
        for month in range(view.last_settled + 1, view.first_target):
            parts = at_risk(view, self._past, month, steps=1)
            if parts:
                unsettled[month] = parts[0]
        return self._months.shift(
            unsettled, code=model.code, beta=model.beta, first_target=view.first_target, steps=steps_of(view)
        )

    def _due(self, view: KnownState) -> bool:
        """Say whether the model is to be fitted in full: once a year, and whenever closures have grown by half."""
        target = view.first_target
        before, self._closed = self._closed, int(((view.outcome != OPEN) & view.known).sum())
        if self._refit is not None:
            return self._fit is None or (target - self._fit_from) % self._refit == 0
        if self._fit is not None and not self._fit.code.planned and (view.planned_from < target).any():
            return True  # joint planning has begun: what it changes needs columns of its own
        yearly = target % 12 == (view.company.fiscal_year_start - 1) % 12
        return self._fit is None or yearly or _times_grown_by_half(self._closed) > _times_grown_by_half(before)

    def _full(self, view: KnownState, settled: int) -> Fit | None:
        """Return the model fitted in full to the rows of the window, as known; None where too few deals have closed."""
        closed = view.outcome[view.known]
        won, lost = int((closed == WON).sum()), int((closed == LOST).sum())
        begin = max(view.first_target - WINDOW, view.closures_recorded_from)
        window = [rows for month, rows in sorted(self._rows.items()) if begin <= month <= settled and len(rows)]
        if won + lost < FEWEST_CLOSED or not window:
            return None
        rows = stacked(window)
        words = vocabulary(view).without(self._without)
        code = encoding(words, rows.states, steps=steps_of(view), events=kinds_in_use(view.events))
        design = code.matrix(rows)
        fit = fit_in_full(code, design, rows, won=won, lost=lost, start=self._fit)
        self._by_age = _closings(fit, design, rows)
        return fit

    # -- owners --------------------------------------------------------------------------------------

    def _with_owners(self, fit: Fit, *, beta: np.ndarray, idle: tuple[str, ...]) -> WinModel:
        """Return the model of a fit with the owners' effects, shrunk; `beta` and `idle` as its evidence shrank them."""
        owners = len(fit.code.words.factors.get("owner", ())) if fit.informed else 0
        owner = np.zeros((owners, 2))
        if owners and self._origins:
            errors = np.sum([_padded(self._origins[month].errors, owners) for month in sorted(self._origins)], axis=0)
            total = errors.sum(axis=0)
            # What all owners share is the model's affair, not theirs.
            excess = errors[:, :, 0] - errors[:, :, 1] * total[:, 0] / np.maximum(total[:, 1], 1e-12)
            owner = excess / (errors[:, :, 1] + OWNER_PRIOR * fit.code.steps)
        return WinModel(code=fit.code, beta=beta, owner=owner, informed=fit.informed, reason=fit.reason, idle=idle)


def _closings(fit: Fit, design: np.ndarray, rows: Rows) -> np.ndarray:
    """Return the closings by age, seen and expected of a base rate, as `closings_by_age`; 0 of any other model."""
    if fit.informed:
        return np.zeros((2, AGES, fit.code.steps))
    eta = design[:, : fit.code.width] @ by_season_alone(fit.code, fit.beta).astype(design.dtype)
    won, lost = both_hazards(eta[:, 0].astype(float), eta[:, 1].astype(float))
    return closings_by_age(rows, won + lost, steps=fit.code.steps)


def _as_forecast(model: WinModel, states: States, logits: np.ndarray) -> np.ndarray:
    """Return the logits of what the model says of its deals without the owners' part, (n, steps, 2).

    logits : its base logits. The base rate's are not yet shared out by age, and say next to nothing by themselves.
    """
    if model.informed:
        return logits
    return logit(np.stack(model.hazards(states, steps=logits.shape[1], logits=logits), axis=2))


def _by_step(logits: np.ndarray, less: np.ndarray | None = None) -> dict[int, np.ndarray]:
    """Return logits (n, steps, 2) apart by step, float32, so that each can be dropped alone; less : taken off first."""
    steps = range(logits.shape[1])
    return {s: (logits[:, s] if less is None else logits[:, s] - less[:, s]).astype(np.float32) for s in steps}


def _errors_by_owner(part: AtRisk, logits: np.ndarray, *, owners: int) -> np.ndarray:
    """Return how the forecasts of deals at risk fared, as `_Origin.errors`; `logits` (k, 2), of won and lost."""
    out = np.zeros((owners, 2, 2))
    who = part.states.factors["owner"][part.deal]
    known = who != NONE
    for cause, y in enumerate((part.won, part.lost)):
        p = expit(logits[:, cause].astype(float))
        for k, errors in enumerate((y - p, p * (1.0 - p))):
            out[:, cause, k] = np.bincount(who[known], errors[known], minlength=owners)
    return out


def _padded(errors: np.ndarray, owners: int) -> np.ndarray:
    out = np.zeros((owners, *errors.shape[1:]))
    out[: min(owners, len(errors))] = errors[:owners]
    return out


def _times_grown_by_half(closed: int) -> int:
    """Return how often a number has grown by half from 1 on; beyond some thousands a year's step is small enough."""
    return int(np.log(np.clip(closed, 1, _PLENTY)) / np.log(1.5))


# -- kinds of event that are new --------------------------------------------------------------------------


def with_events(fit: Fit, events: Mapping[str, int]) -> Fit:
    """Return the fit with columns for further kinds of event; itself where there are none.

    Simple case: nobody knew of such an event before, so the new columns are 0 in every row learned from. The fit with
    them is the fit without, and their information is their ridge.

    events : as in `Encoding`, those of the fit first.
    """
    if not fit.code.rich or len(events) == len(fit.code.events):
        return fit
    code = replace(fit.code, events=events)
    more = code.ridge[len(fit.beta) :]
    won, lost = (block_diag(gram, np.diag(more)) for gram in fit.gram)
    return replace(fit, code=code, beta=np.vstack([fit.beta, np.zeros((len(more), 2))]), gram=(won, lost))
