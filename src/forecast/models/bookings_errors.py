"""What past origins teach about the forecast: how amounts change until the win, its bias, and its common errors.

Every past origin inside the snapshot is forecast again with the fitted parts and held against what came. Ratios of
sums correct the value (shrunk as far as chance alone could explain them); what scatter is left beyond chance is
split into an error common to all segments and one of each segment's own (method of moments).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecast.models.features import origin_days
from forecast.models.hazards import incidence
from forecast.models.winprob import filled_amounts

if TYPE_CHECKING:
    from forecast.data.snapshots import Snapshot
    from forecast.models.creation import Future
    from forecast.models.winprob import WinModel

ORIGINS = 24
"""Past origins that are forecast again."""

_RECENT = 18
_TRUST = 0.01
"""Squared relative error of a past sum at which half of the correction is applied."""

_SMALLEST, _LARGEST = 0.0004, 0.25
_RATIO_PRIOR = 50.0
_OPTIMISM_COMMON, _OPTIMISM_OWN = 2.0, 1.2
_PRIOR_ORIGINS, _PRIOR_COMMON, _PRIOR_OWN = 4.0, 0.04, 0.02


@dataclass(frozen=True)
class Lessons:
    """What was learned. Arrays over steps (S,).

    `growth` the won amount over the amount now; `ratios` single won deals' ratios, mean 1; `open_bias`, `future_bias`
    factors on the value of the open pipeline and of what is not yet created; `common`, `own` variances of the log of
    the error shared by all segments, and of each segment's.
    """

    growth: np.ndarray
    ratios: np.ndarray
    open_bias: np.ndarray
    future_bias: np.ndarray
    common: np.ndarray
    own: np.ndarray


def learn(snap: Snapshot, model: WinModel, future: Future, *, first_period: int) -> Lessons:
    """Forecast past origins again and compare. `first_period` is the month of `future`'s first origin."""
    panel, deals = model.panel, snap.opportunities
    steps = min(panel.steps, future.value.shape[2])
    keep = panel.origin >= len(panel.origins) - ORIGINS
    states, origin = panel.states.take(keep), panel.origin[keep]
    offset = max(0, len(panel.origins) - ORIGINS)
    count, segments = len(panel.origins) - offset, len(snap.segments)
    origin = origin - offset
    closed = snap.calendar.period_of(deals["closed_on"])
    is_won = (deals["outcome"] == "won").to_numpy()
    paid = np.nan_to_num(deals["amount"].to_numpy(float))
    event = np.where(is_won[states.deal], closed[states.deal] - states.target, -1)
    last = snap.period if snap.at_month_end else snap.period - 1
    amount = filled_amounts(snap, states)[0] if model.panel.states.stage_age.size else states.amount

    growth, ratios = _growth(amount, np.where(event >= 0, paid[states.deal], np.nan), event, steps)
    chance, _ = incidence(*model.hazards(states, steps=steps))
    value = amount[:, None] * growth
    cell = states.segment * count + origin
    inside = states.segment >= 0

    def total(per_deal: np.ndarray) -> np.ndarray:
        flat = [np.bincount(cell[inside], column[inside], minlength=segments * count) for column in per_deal.T]
        return np.stack(flat, axis=-1).reshape(segments, count, steps)

    expected_open = total(chance * value)
    noise = 1.0 + float(ratios.var())
    variance_open = total(chance * (noise - chance) * value**2)
    hit = event[:, None] == np.arange(steps)
    actual_open = total(np.where(hit, paid[states.deal][:, None], 0.0))

    _, days = origin_days(snap, months=len(panel.origins))
    targets = panel.origins[offset:] + int(bool(snap.at_month_end))
    actual_future = _from_new(snap, paid, closed, is_won, targets, days[-count:], steps)
    when = targets - 1 - first_period
    usable = (when >= 0)[:, None] & (targets[:, None] + np.arange(steps) <= last)
    past = np.maximum(when, 0)
    wins, new = future.wins[:, past, :steps], future.value[:, past, :steps]
    variance_new = np.where(wins > 0, new**2 / np.maximum(wins, 1e-12) * (1.0 + future.spread), 0.0)

    recent = usable & (np.arange(count) >= count - _RECENT)[:, None]
    open_bias = _bias(expected_open, actual_open, variance_open, recent)
    future_bias = _bias(new, actual_future, variance_new, recent)
    forecast = expected_open * open_bias + new * future_bias
    variance = variance_open * open_bias**2 + variance_new * future_bias**2
    common, own = shared_errors(forecast, actual_open + actual_future, variance, usable)
    # The parts were fitted to the same months, which makes these errors look smaller than those to come; where few
    # origins are known they are taken to be large.
    origins = usable.sum(axis=0)
    common = (origins * _OPTIMISM_COMMON * common + _PRIOR_ORIGINS * _PRIOR_COMMON) / (origins + _PRIOR_ORIGINS)
    own = (origins * _OPTIMISM_OWN * own + _PRIOR_ORIGINS * _PRIOR_OWN) / (origins + _PRIOR_ORIGINS)
    return Lessons(growth, ratios, open_bias, future_bias, common, own)


def _growth(amount: np.ndarray, paid: np.ndarray, event: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return won amount over amount before, by step (S,), and the ratios of single deals scaled to mean 1."""
    both = np.isfinite(paid) & (amount > 0) & (paid > 0)
    if not both.any():
        return np.ones(steps), np.ones(1)
    overall = paid[both].sum() / amount[both].sum()
    out = np.full(steps, overall)
    for s in range(steps):
        here = both & (event == s)
        if here.any():
            n = int(here.sum())
            out[s] += (paid[here].sum() / amount[here].sum() - overall) * n / (n + _RATIO_PRIOR)
    ratios = np.sort(np.clip(paid[both] / amount[both] / overall, 0.05, 20.0))
    # A thousand quantiles say as much as all of them.
    if len(ratios) > 1000:
        ratios = np.quantile(ratios, (np.arange(1000) + 0.5) / 1000)
    return out, ratios / ratios.mean()


def _from_new(
    snap: Snapshot,
    paid: np.ndarray,
    closed: np.ndarray,
    is_won: np.ndarray,
    targets: np.ndarray,
    days: np.ndarray,
    steps: int,
) -> np.ndarray:
    """Return the bookings (R, K, S) of deals created after each origin."""
    deals = snap.opportunities
    created = deals["created_on"].to_numpy().astype("datetime64[D]").astype(np.int64)
    code = np.searchsorted(np.array(snap.segments, dtype=object), deals["segment"].to_numpy(dtype=object))
    out = np.zeros((len(snap.segments), len(targets), steps))
    for k, (target, day) in enumerate(zip(targets, days, strict=True)):
        step = closed - target
        which = np.flatnonzero(is_won & (created > day) & (step >= 0) & (step < steps))
        np.add.at(out, (code[which], k, step[which]), paid[which])
    return out


def _bias(expected: np.ndarray, actual: np.ndarray, variance: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Return exp(s log(sum actual / sum expected)) by step, s = trust / (trust + variance / expected^2); shape (S,)."""
    mask = np.broadcast_to(usable, expected.shape)
    sums = [np.where(mask, part, 0.0).sum(axis=(0, 1)) for part in (expected, actual, variance)]
    out = np.ones(len(sums[0]))
    for s, (e, a, v) in enumerate(zip(*sums, strict=True)):
        if e > 0 and a > 0:
            # A deal appears at several origins, so chance is as large as that of one of them at a time.
            out[s] = np.exp(_TRUST / (_TRUST + v * (s + 1) / e**2) * np.log(np.clip(a / e, 0.25, 4.0)))
    return out


def shared_errors(
    forecast: np.ndarray, actual: np.ndarray, variance: np.ndarray, usable: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Split squared errors beyond chance into what all segments share and what is a segment's own.

    forecast, actual, variance : (R, K, S). usable : (K, S). Returns two (S,), variances of the log error.
    With e = actual - forecast: sum(e^2 - V) over segments estimates (common + own) sum F^2, and the same of the
    totals estimates common (sum F)^2 + own sum F^2. Steps are smoothed with their neighbours.
    """
    segments, _, steps = forecast.shape
    weight = np.convolve(np.ones(steps), [1, 1, 1], mode="same")
    mask = usable[None]
    squares = np.where(mask, forecast**2, 0.0).sum(axis=(0, 1))
    excess = np.where(mask, (actual - forecast) ** 2 - variance, 0.0).sum(axis=(0, 1))
    total_f = np.where(usable, forecast.sum(axis=0) ** 2, 0.0).sum(axis=0)
    total_e = np.where(usable, (actual - forecast).sum(axis=0) ** 2 - variance.sum(axis=0), 0.0).sum(axis=0)
    both = np.convolve(excess / np.maximum(squares, 1e-12), [1, 1, 1], mode="same") / weight
    total = np.convolve(total_e, [1, 1, 1], mode="same") / weight
    f2, t2 = (np.convolve(x, [1, 1, 1], mode="same") / weight for x in (squares, total_f))
    both = np.clip(both, _SMALLEST, _LARGEST)
    if segments == 1:
        return both, np.zeros(steps)
    common = (total - both * f2) / np.maximum(t2 - f2, 1e-12)
    common = np.clip(common, 0.0, both)
    return common, both - common
