"""Two hazards: the chance that a deal still open is won, or lost, in the n-th month ahead.

Simple case: `fit_in_full` fits one ridge logistic regression a cause to landmark rows by Newton's method (Tutz &
Schmid, *Modeling Discrete Time-to-Event Data*, 2016, ch. 8; Hastie, Tibshirani & Friedman, *The Elements of Statistical
Learning*, 4.4.1), and `incidence` turns hazards into chances. The complications:

- rows of a further month move the fit by one step, without the rows before (`newton_step`);
- covariates are used only where past data show that they tell who wins; otherwise everybody gets the base rate by age;
- what a company brings on top weighs as much as the rows say it should (`shrunk_by_evidence`), so that a column that
  tells nothing weighs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs
from scipy.special import expit
from threadpoolctl import ThreadpoolController

from forecast.models.logistic import blocks_of, fit_by_blocks, fit_logistic, gram_of, row_losses
from forecast.models.spread.spread import held
from forecast.models.win.encoding import Encoding
from forecast.models.win.landmarks import Rows
from forecast.wording import plural

FEWEST_EACH = 20
"""Deals won, and deals lost, below which only the base rate by age is given."""

NO_SKILL = "nothing recorded predicted past outcomes better than the base rate by age"

_NEEDED_GAIN = 0.002
_BEYOND_CHANCE = 2.5
"""Standard errors by which the covariates must set later wins apart from later losses."""
_DETERMINED = 0.2
"""Coefficients, of both causes, that the rows must determine of a column that is not idle."""

_OURS = ("season", "segment")
"""Blocks whose ridge is learned although no company brings them: months of the year, and segments."""

_DEPARTURES = ("planned", "due is ", "event ")
"""How blocks begin that depart from what holds of all deals: their ridge is learned, never below that set by hand."""

_COMPARED = 30_000
"""Rows on which base rate and covariates are compared."""

MOST_CLOSED = 0.97
"""Chance to close in one month that no deal exceeds."""

_ITERATIONS = 12
_LEAST_RIDGE, _MOST_RIDGE = 0.1, 1e7


@dataclass(frozen=True, kw_only=True)
class Divided:
    """How the rows of a fit are divided: into how many blocks at most, and who adds them up, as `spread` takes it."""

    blocks: int
    workers: int = 1
    dask: str = ""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Coefficients (columns, 2: won, lost), the Gram matrix of each cause with its ridge, and what is used.

    `informed` says whether covariates are used or only the base rate by age; `reason` says why not.
    """

    code: Encoding
    beta: np.ndarray
    gram: tuple[np.ndarray, np.ndarray]
    informed: bool = True
    reason: str = ""


# -- both causes, fitted to rows -----------------------------------------------------------------------


def fit_in_full(
    code: Encoding,
    design: np.ndarray,
    rows: Rows,
    *,
    won: int,
    lost: int,
    start: Fit | None = None,
    divided: Divided | None = None,
) -> Fit:
    """Return the hazards fitted to rows; `won` and `lost` are the deals known to have closed so.

    code, design : how the rows are encoded, and the matrix of it, whose first columns are those of the base rate.
    start : an earlier fit to begin from, in the blocks of columns that it has too; it changes the path, not the answer.
    divided : have the sums over all rows added up block by block, in processes or on a cluster; coefficients are
        the same to 1e-8, and to the bit whoever adds the same blocks. None adds them here. Raises as `spread`.
    """
    base_rate = code.base_rate
    if min(won, lost) < FEWEST_EACH:
        reason = f"only {plural(won, 'deal')} won and {lost} lost: the base rate by age is given to all"
    else:
        before = None if start is None else _carried_over(start, code)
        full = fitted(code, design, rows, start=before, divided=divided)
        if _covariates_help(base_rate, full, design, rows):
            return full
        reason = NO_SKILL
    plain = fitted(base_rate, design, rows, divided=divided)
    return replace(plain, informed=False, reason=reason)


def _carried_over(fit: Fit, code: Encoding) -> np.ndarray | None:
    """Return coefficients (columns, 2) of a fit at the columns of another encoding, 0 in blocks that it has not.

    None where the fit is of the base rate alone, which is no place to begin from.
    """
    if not fit.informed:
        return None
    out = np.zeros((code.width, fit.beta.shape[1]))
    for name, (at, width, *_) in code.layout.items():
        before = fit.code.layout.get(name)
        if before is not None and before[1] == width:
            out[at : at + width] = fit.beta[before[0] : before[0] + width]
    return out


def fitted(
    code: Encoding,
    design: np.ndarray,
    rows: Rows,
    *,
    start: np.ndarray | None = None,
    subset: np.ndarray | None = None,
    divided: Divided | None = None,
) -> Fit:
    """Return both causes fitted to rows, or to a subset of them; `design` begins with the columns of `code`."""
    x, weight, outcomes, offset = design[:, : code.width], rows.weight, (rows.won, rows.lost), rows.offset
    if subset is not None:
        x, weight, offset = x[subset], weight[subset], offset[subset]
        outcomes = (rows.won[subset], rows.lost[subset])
    few = slice(None, None, 6)
    fits = []
    for cause, y in enumerate(outcomes):
        beyond = offset[:, cause]
        if start is None:
            # A sixth of the rows brings Newton close; all of them then need a step or two.
            first = fit_logistic(
                x[few], y[few], ridge=code.ridge, weight=weight[few], offset=beyond[few], tolerance=1e-3
            ).beta
        else:
            first = start[:, cause]
        if divided is None:
            fits.append(fit_logistic(x, y, ridge=code.ridge, weight=weight, offset=beyond, start=first))
        else:
            blocks = blocks_of(x, y, weight=weight, offset=beyond, count=divided.blocks)
            with held(blocks, workers=divided.workers, dask=divided.dask) as each:
                fits.append(fit_by_blocks(each, rows=len(x), ridge=code.ridge, start=first))
    beta = np.column_stack([each.beta for each in fits])
    return Fit(code=code, beta=beta, gram=(fits[0].information, fits[1].information))


def newton_step(fit: Fit, design: np.ndarray, rows: Rows) -> Fit:
    """Return the fit moved by one Newton step on new rows; `design` is the matrix of `fit.code` for them."""
    weight = rows.weight
    beta, gram = fit.beta.copy(), []
    for cause, y in enumerate((rows.won, rows.lost)):
        p = expit(design @ fit.beta[:, cause].astype(design.dtype) + rows.offset[:, cause]).astype(float)
        information = fit.gram[cause] + gram_of(design, weight * p * (1.0 - p))
        gradient = ((weight * (y - p)).astype(design.dtype) @ design).astype(float)
        beta[:, cause] += cho_solve(cho_factor(information, check_finite=False), gradient, check_finite=False)
        gram.append(information)
    return replace(fit, beta=beta, gram=(gram[0], gram[1]))


# -- do the covariates help? ---------------------------------------------------------------------------


def _covariates_help(base_rate: Encoding, full: Fit, design: np.ndarray, rows: Rows) -> bool:
    """Say whether the covariates predict better than the base rate by age, on past data only.

    Simple case: where stages are known, a gain in likelihood far beyond what the number of columns explains settles
    it (a deal's month appears at up to `steps` origins, so the gain is divided by that). Otherwise the months are
    halved, each half is predicted by a fit to the other, and the covariates must predict better and set wins apart
    from losses beyond chance.
    """
    sample = np.arange(0, len(rows), 1 + len(rows) // _COMPARED)
    base = fitted(base_rate, design, rows, subset=sample)
    share = rows.weight.sum() / rows.weight[sample].sum()
    gain = (_losses(base.beta, design, rows, sample) - _losses(full.beta, design, rows, sample)) * share
    if gain / full.code.steps > 2 * full.code.width and rows.states.stage.max(initial=-1) >= 0:
        return True
    start = rows.states.target[rows.landmark]
    cut = np.median(start)
    early, late = np.flatnonzero(start + rows.step < cut), np.flatnonzero(start >= cut)
    if not len(early) or not len(late):
        return False
    before = after = 0.0
    closures, shifts = [], []
    for learned, later in ((early, late), (late, early)):
        plain = fitted(base_rate, design, rows, subset=learned).beta
        rich = fitted(full.code, design, rows, subset=learned).beta
        before += _losses(plain, design, rows, later)
        after += _losses(rich, design, rows, later)
        closed = later[rows.won[later] | rows.lost[later]]
        closures.append(closed)
        shifts.append(_won_against_lost(rich, design[closed]) - _won_against_lost(plain, design[closed]))
    if before - after <= _NEEDED_GAIN * before:
        return False
    # Which deals close sooner may be foreseen where nothing tells who wins; that is no skill in telling wins.
    closed = np.concatenate(closures)
    cell = np.unique((start + rows.step)[closed] * 100 + rows.step[closed], return_inverse=True)[1]
    deal = rows.states.deal[rows.landmark[closed]]
    return _score_statistic(np.concatenate(shifts), rows.won[closed], cell, deal) > _BEYOND_CHANCE


def _losses(beta: np.ndarray, design: np.ndarray, rows: Rows, which: np.ndarray) -> float:
    """Return the weighted -log likelihood of some rows under coefficients of the first columns of the design."""
    eta = design[which, : len(beta)] @ beta.astype(design.dtype) + rows.offset[which]
    return float((rows.weight[which] * row_losses(eta, (rows.won[which], rows.lost[which]))).sum())


def _won_against_lost(beta: np.ndarray, design: np.ndarray) -> np.ndarray:
    """Return the log odds of a win less those of a loss, (rows,)."""
    return (design[:, : len(beta)] @ beta) @ np.array([1.0, -1.0])


def _score_statistic(shift: np.ndarray, won: np.ndarray, cell: np.ndarray, deal: np.ndarray) -> float:
    """Return by how many standard errors a shift of the log odds goes with winning within cells; (n,) each.

    The score statistic of the shift in a logistic regression with a level a cell; a deal's rows count as one.
    """
    n = np.bincount(cell)

    def within(x: np.ndarray) -> np.ndarray:
        return x - (np.bincount(cell, x) / n)[cell]

    by_deal = np.bincount(deal, within(shift) * within(won.astype(float)))
    return float(by_deal.sum() / max(np.sqrt((by_deal**2).sum()), 1e-12))


# -- how much does a column weigh? ---------------------------------------------------------------------
#
# Type-II maximum likelihood by MacKay's fixed point (D. MacKay, *Neural Computation* 4, 1992; Tipping, *JMLR* 1, 2001).
# A block of w columns with coefficients b is thought to be drawn from N(0, 1 / alpha). With gamma = w - alpha tr(V) the
# number of its coefficients that the rows determine, and V its posterior covariance,
#
#     alpha = gamma / sum b^2.
#
# A block that tells no more than chance would ends with b = 0: it has not earned its place. Nothing jumps: as the
# evidence fades the coefficients shrink to 0 (for one column the positive-part James-Stein estimate), so a column at
# the border does not come and go. All of it happens on the quadratic about a fit, without another look at the rows.


@dataclass(frozen=True, kw_only=True)
class LearnedRidge:
    """A fit with the ridge of some blocks learned.

    beta (columns, 2), exact to second order; by block its ridge, and in `determined` how many of its coefficients the
    rows determine, both causes together.
    """

    ridge: dict[str, float]
    beta: np.ndarray
    determined: dict[str, float]


def shrunk_by_evidence(fit: Fit, *, shut: Set[str] = frozenset()) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the coefficients with what a company brings on top shrunk by its evidence, and the columns left idle.

    So are the months of the year: a company may hardly know them, or do a third of its business in two. The other
    columns' ridge is set by hand.

    shut : blocks of columns that are to have no weight whatever the rows say.
    """
    ours = [name for name in fit.code.layout if name in _OURS or name.startswith(_DEPARTURES)]
    brought = [name for name in fit.code.layout if name.startswith(("is ", "x "))]
    if not fit.informed:
        return fit.beta, ()
    learned = learned_ridge(fit.code, fit.beta, fit.gram, blocks=[*ours, *brought], shut=shut)
    idle = (name for name in brought if learned.determined[name] < _DETERMINED)
    return learned.beta, tuple(name.split(" ", 1)[1] for name in idle)


def learned_ridge(
    code: Encoding,
    beta: np.ndarray,
    gram: tuple[np.ndarray, np.ndarray],
    *,
    blocks: Sequence[str],
    shut: Set[str] = frozenset(),
) -> LearnedRidge:
    """Return a fit with the ridge of some blocks learned; both causes share a block's ridge.

    Parameters
    ----------
    code : the encoding the model was fitted with. beta : (columns, 2), its optimum with the ridge of `code`.
    gram : penalised information of each cause, (columns, columns).
    blocks : names of blocks, as in `code.layout`, one at least; the others keep their ridge. shut : those of them that
    are to have no weight.
    """
    spans, at = {}, 0
    for name in blocks:
        spans[name] = slice(at, at + code.layout[name][1])
        at += code.layout[name][1]
    chosen = np.concatenate([np.arange(code.layout[name][0], sum(code.layout[name][:2])) for name in blocks])
    others = np.setdiff1d(np.arange(len(beta)), chosen)
    ridge = code.ridge[chosen].astype(float)
    quadratics = [_reduced(each, beta[:, cause], chosen, others, ridge) for cause, each in enumerate(gram)]
    # A deal's month is looked at from several origins, which are not independent: information counts that much less.
    repeats = code.steps / 2
    determined: dict[str, float] = {}
    for _ in range(_ITERATIONS):
        posterior = [_solved(each.information + np.diag(ridge), each.target) for each in quadratics]
        found = np.column_stack([mean for mean, _ in posterior])
        variance = np.sum([of_cause for _, of_cause in posterior], axis=0)
        for name, span in spans.items():
            determined[name] = float(2 * (span.stop - span.start) - ridge[span] @ variance[span])
            size = max(float((found[span] ** 2).sum()), 1e-12)
            least = code.layout[name][2] if name.startswith(_DEPARTURES) else _LEAST_RIDGE
            if name in shut:
                least = _MOST_RIDGE
            ridge[span] = np.clip(repeats * determined[name] / size, least, _MOST_RIDGE)
    out = beta.copy()
    for cause, each in enumerate(quadratics):
        out[chosen, cause] = _solved(each.information + np.diag(ridge), each.target)[0]
        out[others, cause] -= each.follow @ (out[chosen, cause] - beta[chosen, cause])
    return LearnedRidge(
        ridge={name: float(ridge[span.start]) for name, span in spans.items()}, beta=out, determined=determined
    )


@dataclass(frozen=True, kw_only=True)
class _Quadratic:
    """The log likelihood of one cause about a fit, as a function of the chosen coefficients alone.

    information (chosen, chosen), without their ridge; target (chosen,): with a ridge the optimum is at
    (information + ridge)^-1 target; follow (others, chosen): by how much the others give way.
    """

    information: np.ndarray
    target: np.ndarray
    follow: np.ndarray


def _reduced(
    gram: np.ndarray, beta: np.ndarray, chosen: np.ndarray, others: np.ndarray, ridge: np.ndarray
) -> _Quadratic:
    """Return the quadratic among the chosen coefficients: the others' follow from these (Schur's complement)."""
    factor = cho_factor(gram[np.ix_(others, others)], check_finite=False)
    follow = cho_solve(factor, gram[np.ix_(others, chosen)])
    inner = gram[np.ix_(chosen, chosen)] - gram[np.ix_(chosen, others)] @ follow
    return _Quadratic(information=inner - np.diag(ridge), target=inner @ beta[chosen], follow=follow)


def _solved(matrix: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return V target and the diagonal of V, the inverse of a symmetric positive definite matrix."""
    factor, failed = dpotrf(matrix, lower=0)
    if failed:
        inverse = np.linalg.pinv(matrix)
        return inverse @ target, inverse.diagonal()
    return dpotrs(factor, target, lower=0)[0], dpotri(factor, lower=0)[0].diagonal()


def one_thread() -> AbstractContextManager[object]:
    """Return a context in which BLAS computes on one thread; what was set before comes back after it.

    The matrices of a fit are some hundred columns wide. On them the threads of a BLAS mostly wait for each other: a
    walk on two threads was measured to take three times the CPU and half as long again. The sums also differ in the
    last digit with the number of threads, so that one thread is also what makes two machines agree.
    """
    return _threads().limit(limits=1, user_api="blas")


@cache
def _threads() -> ThreadpoolController:
    # Looks up the libraries loaded; numpy's and scipy's are by the time this is called.
    return ThreadpoolController()


# -- from hazards to chances ---------------------------------------------------------------------------


def incidence(won: np.ndarray, lost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the chance to be won in each step and to be still open after the last.

    won, lost : hazards, shape (n, steps). Returns shapes (n, steps) and (n,):
    P_h = w_h * prod_{k<h} (1 - w_k - l_k)  (cumulative incidence, Kalbfleisch & Prentice 2002, 8.2).
    """
    stay = np.clip(1.0 - won - lost, 0.0, 1.0)
    before = np.ones_like(won)
    before[:, 1:] = np.cumprod(stay, axis=1)[:, :-1]
    return won * before, before[:, -1] * stay[:, -1] if won.shape[1] else np.ones(len(won))


def both_hazards(eta_won: np.ndarray, eta_lost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return hazards from logits; where the two together would leave next to nothing open they share what there is."""
    won, lost = expit(eta_won), expit(eta_lost)
    excess = np.maximum((won + lost) / MOST_CLOSED, 1.0)
    return won / excess, lost / excess
