"""What the last months show beyond the win model: levels that moved, by cause, segment, stage and source.

Simple case: a company stays as it is. Then the wins and losses of each month are what the model expected but for
chance, and there is no shift. The complication is what this module is for: fewer deals are won from one day on, or the
chance of a segment wanders. Counted are, by month, segment, stage and source, the wins and losses that came and those
that the model expected (`counts_of`). The log of one over the other is a series that hypotheses try to explain: nothing
moved; a level moves slowly (an autoregression of a given size and persistence); it jumped in one of the last months;
each with or without a scatter of single months beyond chance. A Kalman filter gives the evidence of each and where the
level is now (`local_level`); they are averaged by their posterior probabilities, with most of the prior on "nothing
moved", so that a still company hardly pays for the question (multi-process dynamic models: West & Harrison, *Bayesian
Forecasting and Dynamic Models*, 1997, ch. 12).

A level moves for all deals together, then for a segment beyond that, for a stage beyond both, and for a lead source
beyond all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.special import logit

from forecast.models.win.hazards import MOST_CLOSED, both_hazards
from forecast.models.win.landmarks import AtRisk, States

MONTHS = 24
"""Settled months that are looked at."""

STILL = 0.99
"""How likely it is thought, before looking, that a level has not moved."""

_JUMPS = 12
"""Months back in which a level may have jumped."""

_SIZES, _PERSISTENCE = (0.1, 0.2, 0.4), (0.9, 0.97)
"""Standard deviations of a level that wanders, on the log scale, and how much of it is left a month later."""

_JUMP = 0.5
_SCATTER = (0.0, 0.05, 0.1, 0.2)
FEWEST = 12
"""Settled months without which nothing is said of a level."""

KEEP = 0.9
"""What a month's evidence for a form of change weighs a month later."""

FORMS = ("rates", "shares")
"""How a change acts: on the rate of wins and that of losses, each by itself; or on the pace of closing, and on the
share of the closed deals that are won, the others being lost instead."""


@dataclass(frozen=True, kw_only=True)
class MonthCounts:
    """One settled month, in sums over its deals by segment, stage and source; the last of each are the unknown ones.

    seen, expected, information : (R + 1, K + 1, G + 1, 2), of won and lost: how many there were, how many the model
    expected without any shift, and the sum of p (1 - p). doubt : variance of the log of what was seen, beyond chance:
    0 of a month that has settled.
    """

    seen: np.ndarray
    expected: np.ndarray
    information: np.ndarray
    doubt: float = 0.0


def counts_of(part: AtRisk, logits: np.ndarray, source: np.ndarray, *, shape: tuple[int, int, int]) -> MonthCounts:
    """Return the counts of the deals at risk in a month, as seen from the origin just before it.

    logits : (k, 2), the model's of the deals at risk, without any shift. source : (k,), codes of their lead sources.
    shape : how many segments, stages and sources there are.
    """
    states, deal = part.states, part.deal
    cell = np.zeros(len(deal), dtype=np.int64)
    for code, known in zip((states.segment[deal], states.stage[deal], source), shape, strict=True):
        cell = cell * (known + 1) + np.where(code < 0, known, code)
    won, lost = both_hazards(logits[:, 0], logits[:, 1])
    full = tuple(known + 1 for known in shape)

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(cell, values, minlength=int(np.prod(full))).reshape(full)

    return MonthCounts(
        seen=np.stack([total(part.won.astype(float)), total(part.lost.astype(float))], axis=-1),
        expected=np.stack([total(won), total(lost)], axis=-1),
        information=np.stack([total(won * (1 - won)), total(lost * (1 - lost))], axis=-1),
    )


# -- one level, or several of a kind -------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Level:
    """Where levels were and are; n of them.

    path : (n, T), at each month looked at. ahead : (n, S), expected at each step ahead; variance : (n, S), of what it
    may be instead. moved : (n,), the probability that a level has moved at all; jumped : (n, J), that it jumped at one
    of the last J months, ascending.
    """

    path: np.ndarray
    ahead: np.ndarray
    variance: np.ndarray
    moved: np.ndarray
    jumped: np.ndarray


@dataclass(frozen=True, kw_only=True)
class _Hypotheses:
    """H hypotheses about a level: u' = phi u + N(0, noise of the month), observed with a scatter. (H,), noise (H, T).

    `wanders` says which let all levels of a kind wander alike; `jump` the month at which one jumps, -1 = none.
    """

    phi: np.ndarray
    noise: np.ndarray
    scatter: np.ndarray
    wanders: np.ndarray
    jump: np.ndarray
    log_prior: np.ndarray


@cache
def _hypotheses(months: int) -> _Hypotheses:
    """Return the hypotheses about a level over some months; a jump is at a month after the first."""
    phi, noise, wanders, jump = [1.0], [np.zeros(months)], [False], [-1]
    for size in _SIZES:
        for keep in _PERSISTENCE:
            each = np.full(months, size**2 * (1 - keep**2))
            each[0] = size**2
            phi, noise, wanders, jump = [*phi, keep], [*noise, each], [*wanders, True], [*jump, -1]
    for at in range(max(months - _JUMPS, 1), months):
        each = np.zeros(months)
        each[at] = _JUMP**2
        phi, noise, wanders, jump = [*phi, 1.0], [*noise, each], [*wanders, False], [*jump, at]
    jumps = np.array(jump)
    prior = np.where(jumps >= 0, 1 / max((jumps >= 0).sum(), 1), 1 / max(sum(wanders), 1)) * (1 - STILL) / 2
    prior[0] = STILL
    n, s = len(phi), len(_SCATTER)
    return _Hypotheses(
        phi=np.tile(phi, s),
        noise=np.tile(np.array(noise), (s, 1)),
        scatter=np.repeat(_SCATTER, n),
        wanders=np.tile(wanders, s),
        jump=np.tile(jumps, s),
        log_prior=np.tile(np.log(prior), s) - np.log(s),
    )


def local_level(observed: np.ndarray, variance: np.ndarray, *, ahead: np.ndarray, together: bool = True) -> Level:
    """Return where n levels are, from what was observed of each month.

    Simple case: one level and one hypothesis; a Kalman filter forward gives the evidence and the level now, and a
    smoother backward where it was (West & Harrison 1997, 4.2 and 4.8). Here all hypotheses and levels at once, then
    averaged. Levels of one kind share what they wander by; a jump is each one's own.

    Parameters
    ----------
    observed, variance : (n, T), log of seen over expected, and its variance by chance; inf = nothing seen.
    ahead : (S,), months from the last one observed to each step. together : whether levels share a hypothesis.
    """
    return local_levels(observed[None], variance[None], ahead=ahead, together=together)[0]


def local_levels(
    observed: np.ndarray, variance: np.ndarray, *, ahead: np.ndarray, together: bool = True, paths: bool = True
) -> list[Level]:
    """Return the levels of several kinds at once, each kind as `local_level` does; one pass is quicker than many.

    observed, variance : (kinds, n, T). paths : whether it is asked where they were; else `path` is empty.
    """
    kinds, n, months = observed.shape
    which = _hypotheses(months)
    flat = (kinds * n, months)
    mean, spread, evidence = _filtered(observed.reshape(flat), variance.reshape(flat), which)
    smooth = _smoothed(mean, spread, which) if paths else mean[:0]
    decay = which.phi[:, None, None] ** ahead
    each = mean[-1, :, :, None] * decay
    # What a hypothesis leaves unsure of its level, and what the level may still do.
    stationary = np.where(which.wanders, which.noise[:, 0], 0.0)[:, None, None]
    unsure = spread[-1, :, :, None] * decay**2 + stationary * (1 - decay**2)
    jumps = np.arange(max(months - _JUMPS, 1), months)
    still = (which.jump < 0) & ~which.wanders
    out = []
    for kind in range(kinds):
        here = slice(kind * n, (kind + 1) * n)
        weight = _posterior(evidence[:, here], which, together=together)
        expected = np.einsum("hn,hns->ns", weight, each[:, here])
        differ = unsure[:, here] + (each[:, here] - expected) ** 2  # and how much hypotheses differ
        jumped = [weight[which.jump == at].sum(axis=0) for at in jumps]
        level = Level(
            path=np.einsum("hn,thn->nt", weight, smooth[:, :, here]),
            ahead=expected,
            variance=np.einsum("hn,hns->ns", weight, differ),
            moved=1.0 - weight[still].sum(axis=0),
            jumped=np.stack(jumped, axis=1) if jumped else np.zeros((n, 0)),
        )
        out.append(level)
    return out


def _filtered(
    observed: np.ndarray, variance: np.ndarray, which: _Hypotheses
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean and variance of the levels after each month (T, H, n), and the log evidence (H, n)."""
    (n, months), count = observed.shape, len(which.phi)
    seen = np.isfinite(variance).T[:, None]
    observed = np.where(seen, observed.T[:, None], 0.0)
    # Of a month in which nothing was seen the variance is infinite, and its gain 0.
    beyond = variance.T[:, None] + which.scatter[:, None] ** 2
    phi, square = which.phi[:, None], which.phi[:, None] ** 2
    means, spreads, totals, errors = (np.empty((months, count, n)) for _ in range(4))
    m, p = np.zeros((count, n)), np.zeros((count, n))
    for t in range(months):
        m, p = phi * m, square * p + which.noise[:, t, None]
        total = np.add(p, beyond[t], out=totals[t])
        error = np.subtract(observed[t], m, out=errors[t])
        gain = p / total
        m = np.add(m, gain * error, out=means[t])
        p = np.subtract(p, gain * p, out=spreads[t])
    total = np.where(seen, totals, 1.0)
    evidence = -0.5 * np.where(seen, np.log(total) + errors**2 / total, 0.0).sum(axis=0)
    return means, spreads, evidence


def _smoothed(mean: np.ndarray, spread: np.ndarray, which: _Hypotheses) -> np.ndarray:
    """Return the levels at each month given all months, (T, H, n) (Rauch, Tung & Striebel 1965)."""
    out = mean.copy()
    phi = which.phi[:, None]
    for t in range(len(mean) - 2, -1, -1):
        ahead = phi**2 * spread[t] + which.noise[:, t + 1, None]
        gain = np.divide(phi * spread[t], ahead, out=np.zeros_like(ahead), where=ahead > 0)
        out[t] += gain * (out[t + 1] - phi * mean[t])
    return out


def _posterior(evidence: np.ndarray, which: _Hypotheses, *, together: bool) -> np.ndarray:
    """Return the posterior probability of each hypothesis for each level, (H, n).

    Levels that wander do so alike, with one scatter: the evidence of all of them is taken together. Against that stands
    that each of them is still, or has jumped, by itself.
    """
    n = evidence.shape[1]
    log = evidence + which.log_prior[:, None]
    if not together or n == 1:
        return _normalised(log)[0]
    # By scatter; of each, what every level is by itself (still, or jumped), and each way in which all of them wander.
    by_scatter = (len(_SCATTER), -1, n)
    alone, prior = log.reshape(by_scatter), which.log_prior.reshape(*by_scatter[:2])
    wanders = which.wanders.reshape(*by_scatter[:2])[0]
    weight, total = _normalised(alone[:, ~wanders].swapaxes(0, 1))
    prior_alone = _normalised(prior[:, ~wanders].T)[1]
    worth = np.column_stack(
        [
            (total - prior_alone[:, None]).sum(axis=1) + prior_alone,
            evidence.reshape(by_scatter)[:, wanders].sum(axis=2) + prior[:, wanders],
        ]
    )
    share = np.exp(worth - worth.max())
    share /= share.sum()
    out = np.zeros_like(alone)
    out[:, ~wanders] = weight.swapaxes(0, 1) * share[:, :1, None]
    out[:, wanders] = share[:, 1:, None]
    return out.reshape(len(evidence), n)


def _normalised(log: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return weights proportional to exp(log) that sum to 1 along the first axis, and the log of the sum."""
    top = log.max(axis=0)
    raw = np.exp(log - top)
    total = raw.sum(axis=0)
    return raw / total, top + np.log(total)


# -- all levels of a day -------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Shift:
    """What is added to the win model as of a day, by segment, stage and source; `FORMS` says what a number means.

    rates, shares : (R + 1, K + 1, G + 1, S, 2), on the log scale, of each form; weight : (2,), how far each is
    believed. won : the shift of all wins together in the first step, on the log scale; moved : the probability that it
    moved. common (S,), own (R, S) : variances of the log of wins, as long as nobody knows just where the level of all
    deals is, and that of a segment beyond it.
    """

    rates: np.ndarray
    shares: np.ndarray
    weight: np.ndarray
    won: float
    moved: float
    common: np.ndarray
    own: np.ndarray

    def applied(self, logits: np.ndarray, states: States, source: np.ndarray) -> np.ndarray:
        """Return logits (n, steps, 2) with the shift in them; steps beyond the last repeat it.

        source : (n,), the codes of their lead sources; below 0 = none that is known.
        """
        codes = (states.segment, states.stage, source)
        cell = tuple(np.where(code < 0, size - 1, code) for code, size in zip(codes, self.rates.shape, strict=False))
        step = np.minimum(np.arange(logits.shape[1]), self.rates.shape[3] - 1)
        return by_form(logits, self.rates[cell][:, step], self.shares[cell][:, step], self.weight)


def by_form(logits: np.ndarray, rates: np.ndarray, shares: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return logits with a change of each form in them, averaged by their weights; all (..., 2), weight (2,)."""
    plain = both_hazards(logits[..., 0], logits[..., 1])
    by_rate = both_hazards(logits[..., 0] + rates[..., 0], logits[..., 1] + rates[..., 1])
    by_share = _by_share(*plain, shares)
    # What is added, so that a chance at its bound stays where it was.
    added = [
        _logit(weight[0] * each + weight[1] * other) - _logit(before)
        for each, other, before in zip(by_rate, by_share, plain, strict=True)
    ]
    return logits + np.stack(added, axis=-1)


def _logit(p: np.ndarray) -> np.ndarray:
    return np.asarray(logit(np.clip(p, 1e-9, 1 - 1e-9)))


def _by_share(won: np.ndarray, lost: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return hazards of which the pace, shares[..., 0], and the share that is won, shares[..., 1], are changed."""
    closed = np.clip((won + lost) * np.exp(shares[..., 0]), 0.0, MOST_CLOSED)
    share = won / np.maximum(won + lost, 1e-12)
    share = np.clip(share * np.exp(shares[..., 1]), 0.0, 1 - 0.5 * (1 - share))
    return closed * share, closed * (1 - share)


def expected_under(counts: MonthCounts, rates: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return what each form expects of a month, (2 forms, R + 1, K + 1, G + 1, 2 causes)."""
    slope = _slope(counts.information, counts.expected)
    by_rate = counts.expected * np.exp(slope * rates)
    won, lost = counts.expected[..., 0], counts.expected[..., 1]
    closed = (won + lost) * np.exp(shares[..., 0])
    share = won / np.maximum(won + lost, 1e-12)
    share = np.clip(share * np.exp(shares[..., 1]), 0.0, 1 - 0.5 * (1 - share))
    return np.stack([by_rate, np.stack([closed * share, closed * (1 - share)], axis=-1)])


def evidence_of(counts: MonthCounts, rates: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the Poisson log likelihood of a month under each form, (2,)."""
    mean = np.maximum(expected_under(counts, rates, shares), 1e-9)
    return np.asarray((counts.seen * np.log(mean) - mean).sum(axis=(1, 2, 3, 4)))


def _slope(information: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return by how much the log of what is expected grows with the logits: 1 of rare events, less of frequent ones."""
    return np.divide(information, expected, out=np.ones_like(expected), where=expected > 0)


def shift_of(
    by_month: Mapping[int, MonthCounts], *, first_target: int, steps: int, evidence: np.ndarray
) -> Shift | None:
    """Return the shift as of a day; None where less than a year is known.

    by_month : of the last settled months, ascending. first_target : the period of step 0. evidence : (2,), the log
    evidence of each form so far.
    """
    months = np.array(sorted(by_month))
    if len(months) < FEWEST:
        return None
    counts = [by_month[int(month)] for month in months]
    seen, expected, information = (
        np.stack([getattr(each, name) for each in counts], axis=-1) for name in ("seen", "expected", "information")
    )
    doubt = np.array([each.doubt for each in counts])
    ahead = first_target + np.arange(steps) - months[-1]
    closed, due = seen.sum(axis=3), expected.sum(axis=3)
    won = np.divide(expected[..., 0, :] * closed, due, out=np.zeros_like(due), where=due > 0)
    even = np.ones_like(due)
    # Four series of counts: wins, losses, the pace of closing, and the share of the closed deals that are won.
    win, loss, pace, share = _levels(
        np.stack([seen[..., 0, :], seen[..., 1, :], closed, seen[..., 0, :]]),
        np.stack([expected[..., 0, :], expected[..., 1, :], due, won]),
        np.stack([*(_slope(information[..., cause, :], expected[..., cause, :]) for cause in range(2)), even, even]),
        of=np.stack([*(np.full_like(closed, np.inf) for _ in range(3)), closed]),
        ahead=ahead,
        doubt=doubt,
    )
    weight = _normalised(evidence)[0]
    return Shift(
        rates=np.stack([win.ahead, loss.ahead], axis=-1),
        shares=np.stack([pace.ahead, share.ahead], axis=-1),
        weight=weight,
        won=float(win.common.ahead[0, 0]),
        moved=float(win.common.moved[0]),
        common=_variance(win.common, pace.common, share.common, weight)[0],
        own=_variance(win.segment, pace.segment, share.segment, weight)[:-1],
    )


def _variance(rate: Level, pace: Level, share: Level, weight: np.ndarray) -> np.ndarray:
    """Return the variance of the log of wins, (n, S): of the rate, or of pace and share, as each is believed."""
    return np.asarray(weight[0] * rate.variance + weight[1] * (pace.variance + share.variance))


def wins_levels(counts: Sequence[MonthCounts]) -> tuple[Level, Level]:
    """Return where the level of wins is, of all deals and of each segment beyond that, as `Shift` has it of rates.

    counts : of settled months one after the other, `FEWEST` at least. `ahead` is as of the last of them.
    """
    seen, expected, information = (
        np.stack([getattr(each, name)[..., 0].sum(axis=2) for each in counts], axis=-1)
        for name in ("seen", "expected", "information")
    )
    slope, ahead = _slope(information, expected), np.zeros(1)
    doubt = np.array([each.doubt for each in counts])
    seen, expected, slope = seen[None], expected[None], slope[None]
    (common,) = _level_of(seen, expected, slope, ahead=ahead, doubt=doubt, axes=(1, 2))
    beyond = expected * np.exp(slope * common.path[0])
    (segment,) = _level_of(seen, beyond, slope, ahead=ahead, doubt=doubt, axes=(2,))
    return common, segment


@dataclass(frozen=True, kw_only=True)
class _Levels:
    """The level of all deals, those of segments beyond it, and `ahead`, (R + 1, K + 1, G + 1, S), with all in it."""

    common: Level
    segment: Level
    ahead: np.ndarray


def _levels(
    seen: np.ndarray,
    expected: np.ndarray,
    slope: np.ndarray,
    *,
    of: np.ndarray,
    ahead: np.ndarray,
    doubt: np.ndarray,
) -> list[_Levels]:
    """Return the level of all deals, plus what segments, stages and sources show beyond it, one after the other.

    Of several series at once, which have nothing in common.

    seen, expected, slope : (series, R + 1, K + 1, G + 1, T). of : the same, how many closed where what is seen is a
    share of these, else inf. doubt : (T,).
    """
    told: dict[str, Any] = {"ahead": ahead, "doubt": doubt}
    common = _level_of(seen, expected, slope, axes=(1, 2, 3), of=of, **told)
    beyond = expected * np.exp(slope * _paths(common)[:, :, None, None])
    segment = _level_of(seen, beyond, slope, axes=(2, 3), of=of, **told)
    beyond = beyond * np.exp(slope * _paths(segment)[:, :, None, None])
    more = seen.shape[3] > 1
    stage = _level_of(seen, beyond, slope, axes=(1, 3), of=of, paths=more, **told)
    source = None
    if more:
        beyond = beyond * np.exp(slope * _paths(stage)[:, None, :, None])
        source = _level_of(seen, beyond, slope, axes=(1, 2), of=of, paths=False, **told)
    out = []
    for at in range(len(seen)):
        total = common[at].ahead[0] + segment[at].ahead[:, None, None] + stage[at].ahead[None, :, None]
        total = total if source is None else total + source[at].ahead
        out.append(_Levels(common=common[at], segment=segment[at], ahead=total))
    return out


def _paths(levels: list[Level]) -> np.ndarray:
    """Return where the levels of each series were, (series, n, T)."""
    return np.stack([level.path for level in levels])


def _level_of(
    seen: np.ndarray,
    expected: np.ndarray,
    slope: np.ndarray,
    *,
    ahead: np.ndarray,
    doubt: np.ndarray,
    axes: tuple[int, ...],
    of: np.ndarray | None = None,
    paths: bool = True,
) -> list[Level]:
    """Return the levels of sums over some axes, of each series: log of seen over expected, with its variance by chance.

    seen, expected, slope : (series, ..., T). of : as in `_levels`, None = inf.
    """
    shape = (len(seen), -1, seen.shape[-1])
    s, e, steep = (each.sum(axis=axes).reshape(shape) for each in (seen, expected, slope * expected))
    gain = np.maximum(steep / np.maximum(e, 1e-12), 0.2)
    observed = np.log((s + 0.5) / (e + 0.5)) / gain
    variance = 1.0 / (0.5 * (s + e) + 0.5)
    if of is not None:
        closed = of.sum(axis=axes).reshape(shape)
        variance = np.maximum(variance - 1.0 / np.maximum(closed, 1.0), 0.1 * variance)
    variance = np.where(e > 0.5, (variance + doubt) / gain**2, np.inf)
    return local_levels(observed, variance, ahead=ahead, paths=paths)
