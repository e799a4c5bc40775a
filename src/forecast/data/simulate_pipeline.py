"""What happens to the simulated company's deals: they are created, advance unseen, change in amount, are won or lost.

A loop over ticks; every step works on all open deals at once. What the CRM shows of it is made in `simulate_desk`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.data import simulate_parameters as par
from forecast.data.simulate_clock import Clock, chances, rates
from forecast.data.simulate_demand import Demand, Leads, Staff
from forecast.data.simulate_parameters import Settings, generator

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
    """Return quantiles of a Pareto of index 1 with median 1 and nothing above GIANT_CUT.

    With lower end L and upper end H, F(x) = (1 - L/x) / (1 - L/H); F(1) = 1/2 gives L = 1 / (2 - 1/H).
    """
    low = 1.0 / (2.0 - 1.0 / par.GIANT_CUT)
    return low / (1.0 - u * (1.0 - low / par.GIANT_CUT))


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
        self.won_accounts: list[list[np.ndarray]] = [[] for _ in range(self.months)]
        self.won_segments: list[list[np.ndarray]] = [[] for _ in range(self.months)]

    def run(self) -> Pipeline:
        settings = self.settings
        empty = np.empty(0, dtype=np.int64)
        deal, level, amount, factors = empty, empty.astype(np.int8), empty.astype(float), np.empty((0, 3))
        outcome, closed_tick, closed_amount = [], [], []
        outcomes = np.empty(0, dtype=np.int8)
        paths: list[Path] = []
        rate = settings.rates
        for month in range(self.months):
            fresh = self._create(month)
            outcomes = np.concatenate([outcomes, np.zeros(len(fresh["segment"]), dtype=np.int8)])
            segment = np.concatenate(self.columns["segment"])
            source, account = np.concatenate(self.columns["source"]), np.concatenate(self.columns["account"])
            first = self.n - len(fresh["segment"])
            fresh_factors = rates(fresh["quality"], fresh["size"])
            for i in range(par.TICKS):
                tick = month * par.TICKS + i
                of_year = (settings.start_period + month) % 12 * par.TICKS + i
                advance, won, lost = chances(factors, level, of_year)
                u = self.moves.random(len(deal))
                is_won = u < won
                is_lost = ~is_won & (u < won + lost)
                moves = ~is_won & ~is_lost & (u < won + lost + advance)
                revise = self.moves.random(len(deal)) < par.REVISION_CHANCE
                step = par.REVISION_SD * self.moves.standard_normal(int(revise.sum()))
                amount = amount.copy()
                amount[revise] *= np.exp(step - 0.5 * par.REVISION_SD**2)
                level = level + moves.astype(np.int8)
                who = deal[is_won]
                cut = self.moves.random(len(who)) < par.DISCOUNT_CHANCE
                discount = np.where(cut, self.moves.beta(*par.DISCOUNT_BETA, size=len(who)), 0.0)
                local = rate[segment[who]]
                outcome.append(np.concatenate([who, deal[is_lost]]))
                outcomes[who], outcomes[deal[is_lost]] = WON, LOST
                closed_tick.append(np.full(len(who) + int(is_lost.sum()), tick))
                paid = np.maximum(1.0, np.round(amount[is_won] * (1.0 - discount) / local)) * local
                closed_amount.append(np.concatenate([paid, np.zeros(int(is_lost.sum()))]))
                new = who[source[who] != par.EXISTING]
                np.add.at(self.new_wins, (segment[new], month), 1.0)
                self.won_accounts[month].append(account[new])
                self.won_segments[month].append(segment[new])
                stays = ~(is_won | is_lost)
                born = np.flatnonzero(fresh["tick"] == tick)
                deal = np.concatenate([deal[stays], first + born])
                level = np.concatenate([level[stays], fresh["start"][born].astype(np.int8)])
                amount = np.concatenate([amount[stays], fresh["amount"][born]])
                factors = np.concatenate([factors[stays], fresh_factors[born]])
                paths.append(Path(deal, level, amount))
        columns = {name: np.concatenate(parts) for name, parts in self.columns.items()}
        ended = np.concatenate(outcome)
        tick_of, amount_of = np.full(self.n, -1), np.full(self.n, np.nan)
        tick_of[ended] = np.concatenate(closed_tick)
        amount_of[ended] = np.concatenate(closed_amount)
        deals = Deals(**columns, outcome=outcomes, closed_tick=tick_of, closed_amount=amount_of)
        return Pipeline(deals, paths, self.base, self.accounts)

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
            accounts, segments = np.concatenate(self.won_accounts[known]), np.concatenate(self.won_segments[known])
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


def reorder_rate(demand: Demand, base: np.ndarray, month: int) -> np.ndarray:
    """Return the expected number of opportunities of existing customers at unit shocks; shape (G,)."""
    return par.REORDER * base * demand.reorder_factor[month]
