"""The oracle: expected bookings of the simulated company given its hidden state at a month end.

Two addends, both by the same forward recursion over hidden levels. Deals open at the origin: exact, deal by deal.
Deals not yet created: expected creation given the hidden intensities and the undecided leads (exact) times the
conversion of a new deal by age, which is the recursion on a grid of quality and log size, weighted by the law of new
deals. The grid is the only approximation, good to 1 in 1,000 (a test holds it against Gaussian quadrature).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np
import pandas as pd
from scipy.special import ndtr

from forecast.calendar import Calendar, period_labels
from forecast.errors import ParameterError
from forecast.simulation import parameters as par
from forecast.simulation.changes.contracts import Contracts
from forecast.simulation.changes.outlook import Outlook, make_outlook, new_wins, open_wins, rungs_to_come, same_outlook
from forecast.simulation.changes.regime import Course, Regime
from forecast.simulation.demand import Demand, Leads, Staff, reorder_rate
from forecast.simulation.parameters import Clock, Kind, Settings
from forecast.simulation.pipeline import Pipeline, chances, rates

TOTAL = "Total"
"""The name of the sum, as data/README.md reserves it: a simulator writes files, and knows nothing of who reads them."""

GRID_STEP = 0.5
_QUALITY_RANGE, _SIZE_RANGE = (-4.0, 4.0), (-4.0, 10.0)


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The hidden state: clock, sellers, intensities, leads, deals with their paths, and `actual` bookings.

    `actual` (segments, simulated months) holds the bookings of every month in the reporting currency, also of the
    months beyond the log's end. `regime` is what changes in the process, `contracts` are
    those that are renewed; None = nothing, none.
    """

    clock: Clock
    staff: Staff
    demand: Demand
    leads: Leads
    pipeline: Pipeline
    actual: np.ndarray
    settings: Settings
    regime: Regime | None = None
    contracts: Contracts | None = None

    @cached_property
    def conversion(self) -> np.ndarray:
        """What a new deal is expected to bring by age; see `conversion`."""
        return conversion(self.settings, self.staff)

    @cached_property
    def value_weights(self) -> dict[float, np.ndarray]:
        """Expected amounts of new deals on the nodes of the two grids, by step; (segments, sources, nodes) each."""
        groups = [(g, s) for g in range(self.settings.segments) for s in range(par.N_SOURCES)]
        return {
            step: np.stack([_value_weights(self.settings, self.staff, g, s, step).ravel() for g, s in groups]).reshape(
                self.settings.segments, par.N_SOURCES, -1
            )
            for step in (GRID_STEP, GRID_STEP / 2)
        }


class HasTruth(Protocol):
    """What the oracle needs of a simulation."""

    @property
    def settings(self) -> Settings:
        """What the user chose."""

    @property
    def truth(self) -> Truth:
        """The hidden state."""


def expected_bookings(simulation: HasTruth, origin: str | pd.Timestamp, months: int = 6) -> pd.DataFrame:
    """Return the expected bookings of the months after `origin`, given everything hidden that had happened by then.

    Parameters
    ----------
    origin : a month of the log (or its last day), such as `2026-06`.
    months : horizons 1 to `months`, at most 12: within a year existing business is known but for its shocks.

    Returns target_period, horizon, segment, mean (reporting currency) for the segments and their Total. The
    expectation is of bookings by the day of the win; a win of the origin's month that was not yet recorded belongs to
    that month. Where the company changes, a change is known from the day on which it begins or is announced; until then
    all is expected to stay as it is.
    Raises ParameterError where origin is not a month end of the log, or months is not 1 to 12.
    """
    settings, truth = simulation.settings, simulation.truth
    month = _origin(settings, origin)
    if isinstance(months, bool) or not isinstance(months, (int, np.integer)) or not 1 <= months <= par.BEYOND:
        raise ParameterError(f"months: {months!r} is not a whole number from 1 to {par.BEYOND}")
    if truth.regime is None:
        mean = open_pipeline(settings, truth, month, months) + not_yet_created(settings, truth, month, months)
    else:
        day = int(truth.clock.month_start[month + 1]) - 1
        mean = _along(truth, make_outlook(settings, truth.regime, month=month, day=day), months)
    if truth.contracts is not None:
        mean = mean + truth.contracts.expected(settings, truth.clock, month, months)
    table = np.vstack([mean, mean.sum(axis=0)])
    names = [*settings.names, TOTAL]
    labels = period_labels(settings.start_period + month + 1 + np.arange(months))
    return pd.DataFrame(
        {
            "target_period": pd.Series(np.repeat(labels, len(names)), dtype="str"),
            "horizon": np.repeat(np.arange(1, months + 1), len(names)),
            "segment": pd.Series(np.tile(names, months), dtype="str"),
            "mean": table.T.ravel(),
        }
    )


def _origin(settings: Settings, origin: str | pd.Timestamp) -> int:
    calendar = Calendar()
    day = calendar.parse_day(origin)
    period = calendar.period(day)
    month = period - settings.start_period
    if day != calendar.end(period) or not 0 <= month < settings.months:
        raise ParameterError(f"origin: {day:%Y-%m-%d} is not the last day of a month of the log")
    return month


def open_pipeline(settings: Settings, truth: Truth, month: int, months: int) -> np.ndarray:
    """Return expected bookings from the deals open at the end of a month; shape (segments, months)."""
    deals = truth.pipeline.deals
    path = truth.pipeline.paths[(month + 1) * par.TICKS - 1]
    factors = rates(deals.quality[path.deal], deals.size[path.deal])
    state = np.zeros((par.LEVELS, len(path.deal)))
    state[path.level, np.arange(len(path.deal))] = 1.0
    first = (settings.start_period + month + 1) % 12 * par.TICKS
    won = (
        win_chances(factors, state, first, months * par.TICKS, kind=settings.kind)
        .reshape(months, par.TICKS, -1)
        .sum(axis=1)
    )
    value = won * path.amount * par.MEAN_CLOSING
    segment = deals.segment[path.deal]
    return np.stack([np.bincount(segment, row, minlength=settings.segments) for row in value], axis=1)


def _along(truth: Truth, outlook: Outlook, months: int) -> np.ndarray:
    """Return expected bookings of a company that changes, as far as that is known; shape (segments, months)."""
    settings, month, course = truth.settings, outlook.month, outlook.course
    deals, path = truth.pipeline.deals, truth.pipeline.paths[(month + 1) * par.TICKS - 1]
    segment = deals.segment[path.deal]
    factors = rates(deals.quality[path.deal], deals.size[path.deal])
    value = open_wins(outlook, factors, path.level, segment, months=months) * path.amount
    out = np.stack([np.bincount(segment, row, minlength=settings.segments) for row in value], axis=1)
    created = expected_creation(settings, truth, month, months, course=course)
    junk = _from_leads(settings, truth, month, months, course=course, junk=True)
    scale = course.size[:, month + 1 : month + 1 + months]
    brought = _new_value(truth, outlook, np.arange(par.N_SOURCES), months)
    out += np.einsum("gsj,gj,gsjd->gd", created, scale, brought)
    if junk.any():
        worse = _new_value(truth, outlook, np.arange(par.N_CHANNELS), months, quality=par.JUNK_QUALITY)
        out += np.einsum("gsj,gj,gsjd->gd", junk, scale, worse)
    return out * par.MEAN_CLOSING * course.paid[:, month + 1 : month + 1 + months]


def _new_value(truth: Truth, outlook: Outlook, sources: np.ndarray, months: int, *, quality: float = 0.0) -> np.ndarray:
    """Return what a new deal is expected to bring, by segment, source, month of creation and of the win.

    Before discounts; extrapolated from two steps as in `conversion`. quality : how much better they are than usual.
    Shape (segments, len(sources), months, months).
    """
    head = par.SOURCE_HEAD_START[sources]
    start = np.stack([1.0 - head, head], axis=1)
    alike = same_outlook(outlook, months)
    out = np.zeros((truth.settings.segments, len(sources), months, months))
    for step, share in ((GRID_STEP, -1.0 / 3.0), (GRID_STEP / 2, 4.0 / 3.0)):
        factors = _nodes(step) * np.exp(quality * par.QUALITY_EFFECT)
        wins = {g: new_wins(outlook, factors, int(g), months=months) for g in np.unique(alike)}
        for g, weights in enumerate(truth.value_weights[step]):
            law = rungs_to_come(outlook, g, months=months)
            won = np.einsum("tjdkn,jk->tjdn", wins[alike[g]], law)
            out[g] += share * np.einsum("ct,tjdn,cn->cjd", start, won, weights[sources], optimize=True)
    return out


def win_chances(
    factors: np.ndarray, state: np.ndarray, first: int, ticks: int, *, kind: Kind = par.ORDINARY
) -> np.ndarray:
    """Return the chance of a win in each of the next ticks: the forward recursion over levels.

    `factors` (n, 3) from `rates`; `state` (LEVELS, n) or (LEVELS, k, n) chance of each level now (not altered);
    `first` the tick of the year that comes next. Shape (ticks, n) or (ticks, k, n).
    """
    state = state.copy()
    out = np.zeros((ticks, *state.shape[1:]))
    for step in range(ticks):
        arriving = np.zeros(state.shape[1:])
        for level in range(par.LEVELS):
            advance, won, lost = chances(factors, np.full(len(factors), level), (first + step) % 48, kind=kind)
            here = state[level].copy()
            out[step] += here * won
            state[level] = here * (1.0 - advance - won - lost) + arriving
            arriving = here * advance
    return out


# -- not yet created -------------------------------------------------------------------------------------


def not_yet_created(settings: Settings, truth: Truth, month: int, months: int) -> np.ndarray:
    """Return expected bookings from deals created after a month; shape (segments, months)."""
    created = expected_creation(settings, truth, month, months)
    value = truth.conversion
    out = np.zeros((settings.segments, months))
    for j in range(months):
        of_year = (settings.start_period + month + 1 + j) % 12
        out[:, j:] += np.einsum("gs,gsd->gd", created[:, :, j], value[:, :, of_year, : months - j])
    return out


def expected_creation(
    settings: Settings, truth: Truth, month: int, months: int, *, course: Course | None = None
) -> np.ndarray:
    """Return the expected number of deals created in the months after `month`; shape (segments, sources, months).

    course : what is known to change; without the deals of a flood of junk.
    """
    demand, base = truth.demand, truth.pipeline.base
    out = np.zeros((settings.segments, par.N_SOURCES, months))
    for j in range(1, months + 1):
        shock = _expected_shock(demand.region[:, month], settings.kind.region_shock, j)
        shock = shock * _expected_shock(demand.common[month], par.COMMON_SHOCK, j)
        if course is not None:
            shock = shock * course.creation[:, par.MAX_LAG + month + j]
        out[:, par.N_CHANNELS : par.EXISTING, j - 1] = demand.other_base[:, :, month + j] * shock[:, None]
        out[:, par.EXISTING, j - 1] = reorder_rate(demand, base[:, month + j], month + j) * shock
    out[:, : par.N_CHANNELS] = _from_leads(settings, truth, month, months, course=course)
    return out


def _expected_shock(state: np.ndarray, law: tuple[float, float], ahead: int) -> np.ndarray:
    """Return E[exp(x - sd^2 / 2)] of a Gaussian AR(1) `ahead` steps after `state`."""
    persistence, sd = law
    carried = persistence**ahead
    return np.exp(carried * state - 0.5 * sd**2 * carried**2)


def _from_leads(
    settings: Settings, truth: Truth, month: int, months: int, *, course: Course | None = None, junk: bool = False
) -> np.ndarray:
    """Return the expected number of deals that come of leads; shape (segments, channels, months).

    junk : those of a flood of junk, otherwise the others.
    """
    demand, leads = truth.demand, truth.leads
    out = np.zeros((settings.segments, par.N_CHANNELS, months))
    chance = par.CONVERSION[:, None] * par.CONVERSION_LAG[None, :]
    decided = np.cumsum(chance + (1.0 - par.CONVERSION[:, None]) * par.REJECTION * par.REJECTION_LAG, axis=1)
    for age in range(par.MAX_LAG):
        of_month = (leads.month == month - age) & (leads.junk == junk)
        undecided = of_month & ((leads.lag < 0) | (leads.lag > age)) & ((leads.rejected < 0) | (leads.rejected > age))
        cell = leads.segment[undecided] * par.N_CHANNELS + leads.channel[undecided]
        count = np.bincount(cell, minlength=settings.segments * par.N_CHANNELS).reshape(-1, par.N_CHANNELS)
        for lag in range(age + 1, min(par.MAX_LAG, age + months) + 1):
            out[:, :, lag - age - 1] += count * chance[:, lag] / (1.0 - decided[:, age])
    state = demand.lead_state[:, :, month + par.MAX_LAG]
    for ahead in range(1, months):
        rate = demand.lead_base[:, :, month + par.MAX_LAG + ahead] * _expected_shock(
            state, settings.kind.lead_shock, ahead
        )
        if course is not None:
            rate = rate * course.creation[:, None, month + par.MAX_LAG + ahead]
            rate = rate * (course.junk[:, :, month + par.MAX_LAG + ahead] if junk else 1.0)
        for lag in range(1, min(par.MAX_LAG, months - ahead) + 1):
            out[:, :, ahead + lag - 1] += rate * chance[:, lag]
    if course is not None:  # where nothing is created any more, no lead becomes a deal
        out *= course.creation[:, None, month + par.MAX_LAG + 1 :][:, :, :months] > 0.0
    return out


def conversion(settings: Settings, staff: Staff) -> np.ndarray:
    """Return what a deal created in a month of the year is expected to bring, by month after creation.

    Shape (segments, sources, 12, BEYOND): the last axis counts months from the month of creation itself. The midpoint
    rule's error is of second order in the step, so two steps give an extrapolation of fourth order (Richardson 1911).
    """
    return (4.0 * _conversion(settings, staff, GRID_STEP / 2) - _conversion(settings, staff, GRID_STEP)) / 3.0


def _conversion(settings: Settings, staff: Staff, step: float) -> np.ndarray:
    table = _grid_conversion(step, settings.kind)
    out = np.empty((settings.segments, par.N_SOURCES, 12, par.BEYOND))
    for g in range(settings.segments):
        for s in range(par.N_SOURCES):
            weight = _value_weights(settings, staff, g, s, step).ravel()
            head = par.SOURCE_HEAD_START[s]
            out[g, s] = np.tensordot((1.0 - head) * table[0] + head * table[1], weight, axes=(2, 0))
    return out * par.MEAN_CLOSING


def _edges(bounds: tuple[float, float], step: float) -> np.ndarray:
    return np.arange(bounds[0], bounds[1] + step / 2, step)


def _nodes(step: float) -> np.ndarray:
    """Return the factors of deals at the nodes of the grid of quality and log size; shape (nodes, 3)."""
    quality, size = _edges(_QUALITY_RANGE, step), _edges(_SIZE_RANGE, step)
    z, s = np.meshgrid((quality[1:] + quality[:-1]) / 2, (size[1:] + size[:-1]) / 2, indexing="ij")
    return rates(z.ravel(), s.ravel())


@lru_cache(maxsize=4)
def _grid_conversion(step: float, kind: Kind) -> np.ndarray:
    """Return the chance of a win by month of creation and months after it; shape (2 starts, 12, BEYOND, nodes)."""
    factors = _nodes(step)
    nodes = len(factors)
    out = np.zeros((2, 12, par.BEYOND, nodes))
    ticks = par.BEYOND * par.TICKS
    for of_year in range(48):
        month, within = divmod(of_year, par.TICKS)
        state = np.zeros((par.LEVELS, 2, nodes))
        state[0, 0], state[1, 1] = 1.0, 1.0
        won = np.zeros((ticks, 2, nodes))
        # A deal moves from the tick after its creation on.
        won[within + 1 :] = win_chances(factors, state, of_year + 1, ticks - within - 1, kind=kind)
        out[:, month] += won.reshape(par.BEYOND, par.TICKS, 2, nodes).sum(axis=1).swapaxes(0, 1) / par.TICKS
    return out


def _value_weights(settings: Settings, staff: Staff, segment: int, source: int, step: float) -> np.ndarray:
    """Return E[amount, quality in bin, size in bin] of a new deal; shape (quality bins, size bins)."""
    quality = _edges(_QUALITY_RANGE, step)
    team = staff.owner_segment == segment
    skill, share = staff.owner_skill[team], staff.owner_weight[team] / staff.owner_weight[team].sum()
    sd = np.hypot(par.FRAILTY_SD, par.SCORE_WEIGHT * par.SCORED[source])
    scale = par.MEDIAN_AMOUNT * staff.scale[segment]
    out = np.zeros((len(quality) - 1, len(_edges(_SIZE_RANGE, step)) - 1))
    for product, fraction in enumerate(par.PRODUCT_SHARE):
        mean = staff.quality[segment] + par.SOURCE_QUALITY[source] + par.PRODUCT_QUALITY[product] + skill
        of_quality = np.diff(share @ ndtr((quality[None, :] - mean[:, None]) / sd))
        out += fraction * np.outer(
            of_quality, scale * _value_by_size(settings.giant, settings.kind, product, source, step)
        )
    return out


@lru_cache(maxsize=256)
def _value_by_size(giant: bool, kind: Kind, product: int, source: int, step: float) -> np.ndarray:
    """Return E[exp(s), s in bin] of the log size s; shape (bins,).

    Weighting by exp(s) turns the exponential tail of rate a into one of rate a - 1 and moves the normal body up by its
    variance; the sum's law is averaged over 2,000 quantiles of the tail. The giant law is log-uniform so weighted.
    """
    size = _edges(_SIZE_RANGE, step)
    if giant:
        low, top = np.log(par.GIANT_LEAST), np.log(par.GIANT_CUT)
        density = par.GIANT_LEAST / (1.0 - par.GIANT_LEAST / par.GIANT_CUT)
        return density * np.diff(np.clip(size, low, top))
    a = kind.tail_index
    u = (np.arange(2000) + 0.5) / 2000
    tail = -np.log1p(-u) / (a - 1.0) - np.log(2.0) / a
    mean = kind.product_size[product] + par.SOURCE_SIZE[source]
    weighted_mean = mean + kind.body_sd**2 + tail
    total = np.exp(mean + 0.5 * kind.body_sd**2) * a / (a - 1.0) * 2.0 ** (-1.0 / a)
    law = ndtr((size[None, :] - weighted_mean[:, None]) / kind.body_sd).mean(axis=0)
    law[0], law[-1] = 0.0, 1.0
    return total * np.diff(law)
