"""Where the simulated company's opportunities come from: regions, sellers, leads, and intensities of creation.

Creation is Poisson given log-intensities that follow stationary AR(1) processes; marketing's opportunities are
converted leads, one to three months after the lead; existing customers come back at a rate known a year ahead.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from forecast.simulation import parameters as par
from forecast.simulation.changes.regime import Course
from forecast.simulation.parameters import Kind, Settings, generator


@dataclass(frozen=True, kw_only=True)
class Staff:
    """The company's regions and sellers; arrays over segments (G,) or owners (W,)."""

    weight: np.ndarray
    quality: np.ndarray
    scale: np.ndarray
    owner_segment: np.ndarray
    owner_weight: np.ndarray
    owner_skill: np.ndarray
    owner_tidy: np.ndarray
    owner_diligence: np.ndarray
    owner_optimism: np.ndarray
    owner_spread: np.ndarray
    adopted: np.ndarray
    """Index of the month of adoption; -1 = never."""


@dataclass(frozen=True, kw_only=True)
class Leads:
    """One element a lead, in order of month; `lag` of conversion and `rejected` lag are -1 where it does not happen.

    junk : it came in a flood of leads that come to nothing.
    """

    month: np.ndarray
    segment: np.ndarray
    channel: np.ndarray
    quality: np.ndarray
    lag: np.ndarray
    rejected: np.ndarray
    junk: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Demand:
    """Intensities and their hidden states; months run from -MAX_LAG for leads, from 0 for the rest.

    `lead_rate` and `lead_state` (G, channels, MAX_LAG + M); `other_rate` (G, sources, M) of new business that is not
    marketing's, at unit shocks; `region` (G, M) and `common` (M,) log shocks; `reorder_factor` (M,) the calendar's
    factor on existing business; `base` (G,) customers at the start.
    """

    lead_base: np.ndarray
    lead_state: np.ndarray
    lead_rate: np.ndarray
    other_base: np.ndarray
    region: np.ndarray
    common: np.ndarray
    reorder_factor: np.ndarray
    base: np.ndarray
    kind: Kind

    def shock(self, month: int) -> np.ndarray:
        """Return the factor that the shocks put on a month's creation; shape (G,), mean 1."""
        _, region_sd = self.kind.region_shock
        _, common_sd = par.COMMON_SHOCK
        return np.exp(self.region[:, month] + self.common[month] - 0.5 * (region_sd**2 + common_sd**2))


def make_staff(settings: Settings) -> Staff:
    """Draw the regions and the sellers."""
    rng = generator(settings, "company")
    count = settings.segments
    weight = np.exp(settings.kind.segment_weight_sd * rng.standard_normal(count))
    weight /= weight.sum()
    quality = par.SEGMENT_QUALITY_SD * rng.standard_normal(count)
    scale = np.exp(settings.kind.segment_size_sd * rng.standard_normal(count) * (not settings.giant))
    team = np.maximum(4, np.round(weight * settings.opportunities / settings.months / 4.5)).astype(int)
    owner_segment = np.repeat(np.arange(count), team)
    owners = len(owner_segment)
    owner_weight = rng.gamma(4.0, size=owners)
    owner_weight /= np.bincount(owner_segment, owner_weight)[owner_segment]
    never = max(1, round(count / 4))
    adopters = count - never
    first, last = round(0.45 * settings.months), round(0.72 * settings.months)
    adopted = np.full(count, -1)
    adopted[rng.permutation(count)[:adopters]] = np.round(np.linspace(first, last, adopters)).astype(int)
    return Staff(
        weight=weight,
        quality=quality,
        scale=scale,
        owner_segment=owner_segment,
        owner_weight=owner_weight,
        owner_skill=par.OWNER_SD * rng.standard_normal(owners),
        owner_tidy=rng.uniform(0.35, 0.85, owners),
        owner_diligence=rng.uniform(0.20, 0.80, owners),
        owner_optimism=np.exp(rng.normal(-0.45, 0.25, owners)),
        owner_spread=np.full(owners, 0.35),
        adopted=adopted,
    )


def autoregression(rng: np.random.Generator, shape: tuple[int, ...], persistence: float, sd: float) -> np.ndarray:
    """Return stationary Gaussian AR(1) paths along the last axis, with standard deviation `sd`."""
    draws = rng.standard_normal(shape)
    out = np.empty(shape)
    out[..., 0] = draws[..., 0]
    step = np.sqrt(1.0 - persistence**2)
    for t in range(1, shape[-1]):
        out[..., t] = persistence * out[..., t - 1] + step * draws[..., t]
    return sd * out


def make_demand(settings: Settings, staff: Staff) -> Demand:
    """Draw the log-intensities."""
    rng, kind = generator(settings, "demand"), settings.kind
    months, lag, count = settings.simulated_months, par.MAX_LAG, settings.segments
    index = np.arange(-lag, months)
    trend = (1.0 + par.GROWTH) ** (index / 12.0)
    trend /= trend[lag : lag + settings.months].mean()
    season = par.CREATION_SEASON[(settings.start_period + index) % 12] / par.CREATION_SEASON.mean()
    level = kind.level * settings.opportunities / settings.months * trend * season
    per_segment = staff.weight[:, None] * level
    lead_base = (par.SOURCE_SHARE[: par.N_CHANNELS] / par.CONVERSION)[None, :, None] * per_segment[:, None, :]
    lead_state = autoregression(rng, lead_base.shape, *kind.lead_shock)
    noise = par.LEAD_NOISE * rng.standard_normal(lead_base.shape)
    half_variance = 0.5 * (kind.lead_shock[1] ** 2 + par.LEAD_NOISE**2)  # so that the shocks have mean 1
    others = par.SOURCE_SHARE[par.N_CHANNELS : par.EXISTING]
    return Demand(
        lead_base=lead_base,
        lead_state=lead_state,
        lead_rate=lead_base * np.exp(lead_state + noise - half_variance),
        other_base=others[None, :, None] * per_segment[:, None, lag:],
        region=autoregression(rng, (count, months), *kind.region_shock),
        common=autoregression(rng, (1, months), *par.COMMON_SHOCK)[0],
        reorder_factor=season[lag:],
        base=staff.weight * level[lag] / season[lag] * par.SOURCE_SHARE[par.EXISTING] / par.REORDER,
        kind=kind,
    )


def make_leads(settings: Settings, demand: Demand, course: Course | None) -> Leads:
    """Draw the leads, and what becomes of each; those of a flood of junk are drawn apart from the others.

    course : what changes; None = nothing.
    """
    if course is None:
        return _draw_leads(generator(settings, "leads"), demand.lead_rate, junk=False)
    creation = course.creation[:, None, :]
    usual = _draw_leads(generator(settings, "leads"), demand.lead_rate * creation, junk=False)
    flood = _draw_leads(generator(settings, "junk"), demand.lead_rate * creation * course.junk, junk=True)
    both = {each.name: np.concatenate([getattr(usual, each.name), getattr(flood, each.name)]) for each in fields(Leads)}
    order = np.argsort(both["month"], kind="stable")
    leads = Leads(**{name: values[order] for name, values in both.items()})
    # Where nothing is created any more, no lead becomes a deal.
    due = np.minimum(leads.month + np.maximum(leads.lag, 0), settings.simulated_months - 1)
    closed = course.creation[leads.segment, par.MAX_LAG + due] == 0.0
    return replace(leads, lag=np.where(closed, -1, leads.lag))


def _draw_leads(rng: np.random.Generator, rate: np.ndarray, *, junk: bool) -> Leads:
    """Draw leads, rate (G, channels, MAX_LAG + M), in order of month, and what becomes of each."""
    counts = rng.poisson(rate)
    by_month = np.moveaxis(counts, -1, 0)
    cell = np.repeat(np.arange(by_month.size), by_month.ravel())
    month, segment, channel = np.unravel_index(cell, by_month.shape)
    n = len(cell)
    converts = rng.random(n) < par.CONVERSION[channel]
    lag = rng.choice(par.MAX_LAG + 1, size=n, p=par.CONVERSION_LAG)
    rejected = rng.choice(par.MAX_LAG + 1, size=n, p=par.REJECTION_LAG)
    turned_down = ~converts & (rng.random(n) < par.REJECTION)
    return Leads(
        month=month - par.MAX_LAG,
        segment=segment,
        channel=channel,
        quality=rng.standard_normal(n) + (par.JUNK_LEAD if junk else 0.0),
        lag=np.where(converts, lag, -1),
        rejected=np.where(turned_down, rejected, -1),
        junk=np.full(n, junk),
    )


def reorder_rate(demand: Demand, base: np.ndarray, month: int) -> np.ndarray:
    """Return the expected number of opportunities of existing customers at unit shocks; shape (G,)."""
    return par.REORDER * base * demand.reorder_factor[month]


class Customers:
    """The accounts of each segment that come back, counted along the months of a run.

    Simple case: a share of the active customers leaves every month, and those who first bought a year before join.
    In the first year nobody's first purchase is a year old: as many join then as leave at the start.
    Mutable, because the run asks it month by month; months must come in order.

    active : (G, M), customers at the start of each month, filled up to the month last started.
    """

    def __init__(self, settings: Settings, demand: Demand) -> None:
        count = np.maximum(1, np.round(demand.base)).astype(int)
        bounds = np.concatenate([[0], np.cumsum(count)])
        self.active = np.empty((settings.segments, settings.simulated_months))
        self._base = demand.base
        self._accounts = int(bounds[-1])
        self._pools = [np.arange(bounds[g], bounds[g + 1]) for g in range(settings.segments)]
        self._first_wins: list[tuple[np.ndarray, np.ndarray]] = []

    def start_month(self, month: int) -> np.ndarray:
        """Let customers leave and join; return how many are active in each segment, (G,)."""
        if month == 0:
            self.active[:, 0] = self._base
            return self.active[:, 0]
        joining = par.ATTRITION * self._base
        if month >= par.REORDER_LAG:
            segment, account = self._first_wins[month - par.REORDER_LAG]
            joining = np.bincount(segment, minlength=len(self._pools)).astype(float)
            for g, pool in enumerate(self._pools):
                self._pools[g] = np.concatenate([pool, account[segment == g]])
        self.active[:, month] = (1.0 - par.ATTRITION) * self.active[:, month - 1] + joining
        return self.active[:, month]

    def end_month(self, segment: np.ndarray, account: np.ndarray) -> None:
        """Note the new accounts that were won in a month, (n,) each: they come back from a year later on."""
        self._first_wins.append((segment, account))

    def accounts_of(self, rng: np.random.Generator, segment: np.ndarray, source: np.ndarray) -> np.ndarray:
        """Give new business a new account and existing business one of its segment's customers; (n,)."""
        account = np.empty(len(segment), dtype=np.int64)
        new = source != par.EXISTING
        account[new] = self._accounts + np.arange(int(new.sum()))
        self._accounts += int(new.sum())
        for g, pool in enumerate(self._pools):
            here = np.flatnonzero(~new & (segment == g))
            # Younger customers are the more active ones.
            pick = (len(pool) * (1.0 - rng.random(len(here)) ** 2)).astype(np.int64)
            account[here] = pool[np.minimum(pick, len(pool) - 1)]
        return account
