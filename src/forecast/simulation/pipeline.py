"""What happens to the simulated company's deals: they are created, advance unseen, change in amount, are won or lost.

A loop over ticks; every step works on all open deals at once. What the CRM shows of it is made in `simulate_desk`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.simulation import parameters as par
from forecast.simulation.clock import Clock, chances, rates
from forecast.simulation.demand import Demand, Leads, Staff, reorder_rate
from forecast.simulation.parameters import Settings, generator

OPEN, WON, LOST = 0, 1, 2


@dataclass(frozen=True)
class Deals:
    """One element a deal (n,), in order of the day of creation within each month.

    `tick` and `day` of creation; `lead` the index of the lead or -1; `score` NaN where the source has none; `quality`
    and `size` (log size relative to the segment's median) move the rates; `amount` at creation in the reporting
    currency; `start` the first level; `outcome`, `closed_tick` (-1 while open) and `closed_amount` (reporting
    currency, rounded to a whole unit of the segment's currency) where won.
    """

    segment: np.ndarray
    source: np.ndarray
    product: np.ndarray
    owner: np.ndarray
    account: np.ndarray
    lead: np.ndarray
    score: np.ndarray
    quality: np.ndarray
    size: np.ndarray
    amount: np.ndarray
    start: np.ndarray
    tick: np.ndarray
    day: np.ndarray
    outcome: np.ndarray
    closed_tick: np.ndarray
    closed_amount: np.ndarray


@dataclass(frozen=True)
class Path:
    """The open deals after one tick: their index, hidden level and amount; then those that closed in it."""

    deal: np.ndarray
    level: np.ndarray
    amount: np.ndarray


@dataclass(frozen=True)
class Pipeline:
    """Deals, their paths (one a tick), and the customers known at the start of each month (G, M)."""

    deals: Deals
    paths: list[Path]
    base: np.ndarray
    accounts: int


def draw_size(rng: np.random.Generator, settings: Settings, product: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Return log sizes relative to the segment's median: normal body plus exponential = a Pareto tail; shape (n,).

    With `giant` the whole is a Pareto of index 1 cut at 1,000 times the median, without regard to product or source.
    """
    n = len(product)
    if settings.giant:
        return np.log(giant_quantile(rng.random(n)))
    mean = par.PRODUCT_SIZE[product] + par.SOURCE_SIZE[source]
    tail = rng.exponential(1.0 / par.TAIL_INDEX, n) - np.log(2.0) / par.TAIL_INDEX
    return mean + par.BODY_SD * rng.standard_normal(n) + tail


def giant_quantile(u: np.ndarray) -> np.ndarray:
    """Return quantiles of a Pareto of index 1 with median 1 and nothing above GIANT_CUT."""
    return par.GIANT_LEAST / (1.0 - u * (1.0 - par.GIANT_LEAST / par.GIANT_CUT))


def run_pipeline(settings: Settings, clock: Clock, staff: Staff, demand: Demand, leads: Leads) -> Pipeline:
    """Run the company from its first month to a few months beyond the log's end."""
    return _Run(settings, clock, staff, demand, leads).run()


class _Run:
    """The state that the loop carries along."""

    def __init__(self, settings: Settings, clock: Clock, staff: Staff, demand: Demand, leads: Leads) -> None:
        self.settings, self.clock, self.staff, self.demand, self.leads = settings, clock, staff, demand, leads
        self.traits = generator(settings, "deals")
        self.moves = generator(settings, "moves")
        self.months = settings.simulated_months
        due = np.where(leads.lag >= 0, leads.month + leads.lag, -1)
        due = np.where(due < self.months, due, -1)
        order = np.argsort(due, kind="stable")
        self.due_order = order[np.searchsorted(due[order], 0) :]
        self.due_bounds = np.searchsorted(due[self.due_order], np.arange(self.months + 1))
        owners = [np.flatnonzero(staff.owner_segment == g) for g in range(settings.segments)]
        self.owner_first = np.array([team[0] for team in owners])
        self.owner_cumulative = [np.cumsum(staff.owner_weight[team]) for team in owners]
        self.n = 0
        self.columns: dict[str, list[np.ndarray]] = {}
        customers = np.maximum(1, np.round(demand.base)).astype(int)
        bounds = np.concatenate([[0], np.cumsum(customers)])
        self.pools = [[np.arange(bounds[g], bounds[g + 1])] for g in range(settings.segments)]
        self.accounts = int(bounds[-1])
        self.base = np.empty((settings.segments, self.months))
        self.new_wins = np.zeros((settings.segments, self.months))
        self.new_accounts: list[tuple[np.ndarray, np.ndarray]] = []
        self.segment = np.empty(0, dtype=np.int64)
        self.closed: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def run(self) -> Pipeline:
        empty = np.empty(0, dtype=np.int64)
        path, factors = Path(empty, empty.astype(np.int8), empty.astype(float)), np.empty((0, 3))
        paths: list[Path] = []
        for month in range(self.months):
            first = self.n
            fresh = self._create(month)
            fresh_factors = rates(fresh["quality"], fresh["size"])
            self.segment = np.concatenate([self.segment, fresh["segment"]])
            for tick in range(month * par.TICKS, (month + 1) * par.TICKS):
                path, stays = self._move(tick, path, factors)
                born = np.flatnonzero(fresh["tick"] == tick)
                path = Path(
                    np.concatenate([path.deal, first + born]),
                    np.concatenate([path.level, fresh["start"][born].astype(np.int8)]),
                    np.concatenate([path.amount, fresh["amount"][born]]),
                )
                factors = np.concatenate([factors[stays], fresh_factors[born]])
                paths.append(path)
            self._count_customers(month)
        columns = {name: np.concatenate(parts) for name, parts in self.columns.items()}
        outcome, closed_tick = np.full(self.n, OPEN, dtype=np.int8), np.full(self.n, -1)
        closed_amount = np.full(self.n, np.nan)
        for tick, (won, paid, lost) in enumerate(self.closed):
            outcome[won], outcome[lost] = WON, LOST
            closed_tick[won], closed_tick[lost] = tick, tick
            closed_amount[won] = paid
        deals = Deals(**columns, outcome=outcome, closed_tick=closed_tick, closed_amount=closed_amount)
        return Pipeline(deals, paths, self.base, self.accounts)

    def _move(self, tick: int, path: Path, factors: np.ndarray) -> tuple[Path, np.ndarray]:
        """Let the open deals win, lose, advance and change in amount; return those still open, and which they are."""
        rng = self.moves
        month, within = divmod(tick, par.TICKS)
        of_year = (self.settings.start_period + month) % 12 * par.TICKS + within
        advance, won, lost = chances(factors, path.level, of_year)
        u = rng.random(len(path.deal))
        is_won = u < won
        is_lost = ~is_won & (u < won + lost)
        stays = ~(is_won | is_lost)
        level = path.level + (stays & (u < won + lost + advance)).astype(np.int8)
        revised = rng.random(len(path.deal)) < par.REVISION_CHANCE
        step = par.REVISION_SD * rng.standard_normal(int(revised.sum()))
        amount = path.amount.copy()
        amount[revised] *= np.exp(step - 0.5 * par.REVISION_SD**2)
        winners = path.deal[is_won]
        cut = rng.random(len(winners)) < par.DISCOUNT_CHANCE
        share = 1.0 - np.where(cut, rng.beta(*par.DISCOUNT_BETA, size=len(winners)), 0.0)
        unit = self.settings.rates[self.segment[winners]]
        paid = np.maximum(1.0, np.round(amount[is_won] * share / unit)) * unit
        self.closed.append((winners, paid, path.deal[is_lost]))
        return Path(path.deal[stays], level[stays], amount[stays]), stays

    def _count_customers(self, month: int) -> None:
        """Note the accounts that first bought in a month: they come back from a year later on."""
        winners = np.concatenate([won for won, _, _ in self.closed[-par.TICKS :]])
        first = min(winners.min(initial=self.n), self.n)
        source = self._since(first, "source")[winners - first]
        account = self._since(first, "account")[winners - first]
        new = source != par.EXISTING
        segment = self.segment[winners[new]]
        self.new_accounts.append((segment, account[new]))
        self.new_wins[:, month] = np.bincount(segment, minlength=self.settings.segments)

    def _since(self, first: int, name: str) -> np.ndarray:
        """Return a column's values from the deal `first` on, without joining the whole past."""
        parts, reached = [], self.n
        for part in reversed(self.columns[name]):
            if reached <= first:
                break
            parts.append(part)
            reached -= len(part)
        return np.concatenate(parts[::-1])[first - reached :] if parts else np.empty(0, dtype=np.int64)

    def _create(self, month: int) -> dict[str, np.ndarray]:
        """Create the deals of one month."""
        settings, rng, demand = self.settings, self.traits, self.demand
        shock = demand.shock(month)
        lead = self.due_order[self.due_bounds[month] : self.due_bounds[month + 1]]
        others = rng.poisson(demand.other_base[:, :, month] * shock[:, None])
        self._grow_base(month)
        again = rng.poisson(reorder_rate(demand, self.base[:, month], month) * shock)
        g_other, s_other = np.unravel_index(np.repeat(np.arange(others.size), others.ravel()), others.shape)
        g_again = np.repeat(np.arange(settings.segments), again)
        segment = np.concatenate([self.leads.segment[lead], g_other, g_again])
        source = np.concatenate(
            [self.leads.channel[lead], par.N_CHANNELS + s_other, np.full(len(g_again), par.EXISTING)]
        )
        n = len(segment)
        lead = np.concatenate([lead, np.full(n - len(lead), -1)])
        lead_quality = np.where(lead >= 0, self.leads.quality[lead] if len(self.leads.quality) else 0.0, 0.0)
        lead_quality = np.where(lead >= 0, lead_quality, rng.standard_normal(n))
        tick = month * par.TICKS + rng.integers(0, par.TICKS, n)
        day = self.clock.draw_day(rng, tick)
        order = np.argsort(day, kind="stable")
        segment, source, lead, lead_quality = segment[order], source[order], lead[order], lead_quality[order]
        tick, day = tick[order], day[order]
        product = rng.choice(len(par.PRODUCTS), size=n, p=par.PRODUCT_SHARE)
        u = rng.random(n)
        owner = np.empty(n, dtype=np.int64)
        for g, cumulative in enumerate(self.owner_cumulative):
            here = segment == g
            pick = np.searchsorted(cumulative, u[here] * cumulative[-1], side="right")
            owner[here] = self.owner_first[g] + np.minimum(pick, len(cumulative) - 1)
        scored = par.SCORED[source]
        noise = rng.standard_normal(n)
        seen = par.SCORE_RELIABILITY * lead_quality + np.sqrt(1 - par.SCORE_RELIABILITY**2) * noise
        quality = (
            self.staff.quality[segment]
            + par.SOURCE_QUALITY[source]
            + par.PRODUCT_QUALITY[product]
            + self.staff.owner_skill[owner]
            + np.where(scored, par.SCORE_WEIGHT * lead_quality, 0.0)
            + par.FRAILTY_SD * rng.standard_normal(n)
        )
        size = draw_size(rng, settings, product, source)
        fresh = {
            "segment": segment,
            "source": source,
            "product": product,
            "owner": owner,
            "account": self._accounts(rng, segment, source),
            "lead": lead,
            "score": np.where(scored, np.clip(np.round(50.0 + 17.0 * seen), 0.0, 100.0), np.nan),
            "quality": quality,
            "size": size,
            "amount": par.MEDIAN_AMOUNT * self.staff.scale[segment] * np.exp(size),
            "start": (rng.random(n) < par.SOURCE_HEAD_START[source]).astype(np.int64),
            "tick": tick,
            "day": day,
        }
        for name, values in fresh.items():
            self.columns.setdefault(name, []).append(values)
        self.n += n
        return fresh

    def _grow_base(self, month: int) -> None:
        """Count the active customers: some leave, those who first bought a year ago join."""
        demand = self.demand
        if month == 0:
            self.base[:, 0] = demand.base
            return
        known = month - par.REORDER_LAG
        joining = self.new_wins[:, known] if known >= 0 else par.ATTRITION * demand.base
        self.base[:, month] = (1.0 - par.ATTRITION) * self.base[:, month - 1] + joining
        if known >= 0:
            segments, accounts = self.new_accounts[known]
            for g in range(self.settings.segments):
                self.pools[g].append(accounts[segments == g])

    def _accounts(self, rng: np.random.Generator, segment: np.ndarray, source: np.ndarray) -> np.ndarray:
        """Give new business a new account and existing business one of the segment's customers."""
        account = np.empty(len(segment), dtype=np.int64)
        new = source != par.EXISTING
        account[new] = self.accounts + np.arange(int(new.sum()))
        self.accounts += int(new.sum())
        for g in range(self.settings.segments):
            here = np.flatnonzero(~new & (segment == g))
            pool = np.concatenate(self.pools[g])
            self.pools[g] = [pool]
            # Younger customers are the more active ones.
            pick = (len(pool) * (1.0 - rng.random(len(here)) ** 2)).astype(np.int64)
            account[here] = pool[np.minimum(pick, len(pool) - 1)]
        return account
