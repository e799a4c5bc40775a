"""What happens to the simulated company's deals: they are created, advance unseen, change in amount, are won or lost.

A loop over ticks; every step works on all open deals at once. What the CRM shows of it is made in `records/crm`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from forecast.simulation import parameters as par
from forecast.simulation.changes.regime import Course
from forecast.simulation.demand import Customers, Demand, Leads, Staff, reorder_rate
from forecast.simulation.parameters import Clock, Kind, Settings, generator

OPEN, WON, LOST = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class Deals:
    """One element a deal (n,), in order of the day of creation within each month.

    `tick` and `day` of creation; `lead` the index of the lead or -1; `score` NaN where the source has none; `quality`
    and `size` (log size relative to the segment's median) move the rates; `amount` at creation in the reporting
    currency; `start` the first level; `outcome`, `closed_tick` (-1 while open) and `closed_amount` (reporting
    currency, rounded to a whole unit of the segment's currency) where won; `due` the day on which a contract is
    renewed, -1 for all other deals.
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
    due: np.ndarray


@dataclass(frozen=True, kw_only=True)
class OpenDeals:
    """The open deals after one tick: their index, hidden level and amount; (n,) each."""

    deal: np.ndarray
    level: np.ndarray
    amount: np.ndarray

    @classmethod
    def nobody(cls) -> OpenDeals:
        """Return what is open before the first deal."""
        return cls(deal=np.empty(0, dtype=np.int64), level=np.empty(0, dtype=np.int8), amount=np.empty(0))

    def chosen(self, which: np.ndarray) -> OpenDeals:
        """Return some of the deals."""
        return OpenDeals(deal=self.deal[which], level=self.level[which], amount=self.amount[which])

    def joined(self, deal: np.ndarray, *, level: np.ndarray, amount: np.ndarray) -> OpenDeals:
        """Return these deals with more behind them."""
        return OpenDeals(
            deal=np.concatenate([self.deal, deal]),
            level=np.concatenate([self.level, level.astype(np.int8)]),
            amount=np.concatenate([self.amount, amount]),
        )


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Deals, their paths (one a tick), and the active customers at the start of each month, `base` (G, M)."""

    deals: Deals
    paths: list[OpenDeals]
    base: np.ndarray


# -- how a deal moves ---------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def calendar_factors() -> np.ndarray:
    """Return the factors on advance, won and lost by tick of the year; shape (48, 3).

    The won factors average 1 over the year, so that the calendar moves wins in time and does not add any.
    """
    month = np.repeat(np.arange(12), par.TICKS)
    tick = np.tile(np.arange(par.TICKS), 12)
    won = par.WON_MONTH[month] * par.WON_TICK[tick]
    won = won * np.where((month % 3 == 2) & (tick == par.TICKS - 1), par.QUARTER_END_RUSH, 1.0)
    advance = par.ADVANCE_MONTH[month]
    lost = par.LOST_MONTH[month]
    factors = np.column_stack([advance, won, lost])
    return factors / factors.mean(axis=0)


def rates(quality: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return the factors that a deal's quality and log size put on advance, won and lost; shape (n, 3)."""
    return np.exp(np.multiply.outer(quality, par.QUALITY_EFFECT) + np.multiply.outer(size, par.SIZE_EFFECT))


def chances(
    factors: np.ndarray,
    level: np.ndarray,
    tick_of_year: int,
    *,
    kind: Kind = par.ORDINARY,
    turned: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the chances of advance, won and lost in one tick: competing exponential risks; each of shape (n,).

    `factors` (n, 3) from `rates`, `level` (n,) of hidden progress, `turned` (n,) share of wins that are lost instead.
    """
    calendar = calendar_factors()[tick_of_year]
    advance = par.ADVANCE[level] * factors[:, 0] * calendar[0]
    won = kind.won[level] * factors[:, 1] * calendar[1]
    lost = kind.lost[level] * factors[:, 2] * calendar[2]
    total = advance + won + lost
    share = -np.expm1(-total) / np.maximum(total, 1e-300)
    if turned is not None:
        won, lost = won * (1.0 - turned), lost + won * turned
    return advance * share, won * share, lost * share


# -- the run ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _World:
    """What does not change during the run."""

    settings: Settings
    clock: Clock
    staff: Staff
    demand: Demand
    leads: Leads
    course: Course | None


@dataclass(frozen=True, kw_only=True)
class _Moved:
    """What one tick did to the open deals: those still open, which of the former they are, and those that closed.

    won, lost : indices of deals. paid : amounts of the won, in the reporting currency.
    """

    path: OpenDeals
    stays: np.ndarray
    won: np.ndarray
    paid: np.ndarray
    lost: np.ndarray


def run_pipeline(
    settings: Settings, clock: Clock, staff: Staff, demand: Demand, leads: Leads, course: Course | None = None
) -> Pipeline:
    """Run the company from its first month to a few months beyond the log's end.

    A month's deals are drawn at its start, each with the tick in which it appears. Then, tick by tick, the open deals
    win, lose, advance or change in amount, and those that appear join them: a deal moves from the tick after its
    creation on. At a month's end its first-time buyers are noted, who come back a year later.

    course : what changes; None = nothing.
    """
    world = _World(settings=settings, clock=clock, staff=staff, demand=demand, leads=leads, course=course)
    traits, moves = generator(settings, "deals"), generator(settings, "moves")
    customers, due = Customers(settings, demand), _due_leads(settings, leads)
    columns: list[dict[str, np.ndarray]] = []
    segment, source, account = (np.empty(0, dtype=np.int64) for _ in range(3))
    path, factors = OpenDeals.nobody(), np.empty((0, 3))
    paths: list[OpenDeals] = []
    closed: list[_Moved] = []
    for month in range(settings.simulated_months):
        first = len(segment)
        new = _create(traits, world, month=month, lead=due[month], customers=customers)
        columns.append(new)
        segment, source, account = (
            np.concatenate([before, new[name]])
            for before, name in ((segment, "segment"), (source, "source"), (account, "account"))
        )
        new_factors = rates(new["quality"], new["size"])
        for tick in range(month * par.TICKS, (month + 1) * par.TICKS):
            moved = _move(moves, world, path, factors, tick=tick, segment=segment)
            appears = np.flatnonzero(new["tick"] == tick)
            path = moved.path.joined(first + appears, level=new["start"][appears], amount=new["amount"][appears])
            factors = np.concatenate([factors[moved.stays], new_factors[appears]])
            paths.append(path)
            closed.append(moved)
        won = np.concatenate([moved.won for moved in closed[-par.TICKS :]])
        first_time = won[source[won] != par.EXISTING]
        customers.end_month(segment[first_time], account[first_time])
    deals = {name: np.concatenate([new[name] for new in columns]) for name in columns[0]}
    return Pipeline(deals=Deals(**deals, **_outcomes(closed, len(segment))), paths=paths, base=customers.active)


def _outcomes(closed: list[_Moved], count: int) -> dict[str, np.ndarray]:
    """Return outcome, tick of closure and amount won of every deal, (count,) each, from what each tick closed."""
    outcome, closed_tick = np.full(count, OPEN, dtype=np.int8), np.full(count, -1)
    closed_amount = np.full(count, np.nan)
    for tick, moved in enumerate(closed):
        outcome[moved.won], outcome[moved.lost] = WON, LOST
        closed_tick[moved.won], closed_tick[moved.lost] = tick, tick
        closed_amount[moved.won] = moved.paid
    never_due = np.full(count, -1)
    return {"outcome": outcome, "closed_tick": closed_tick, "closed_amount": closed_amount, "due": never_due}


def _move(
    rng: np.random.Generator,
    world: _World,
    path: OpenDeals,
    factors: np.ndarray,
    *,
    tick: int,
    segment: np.ndarray,
) -> _Moved:
    """Let the open deals win, lose, advance and change in amount.

    factors : (n, 3) from `rates`, of the deals of the path. segment : of every deal created so far.
    """
    settings, course, turned = world.settings, world.course, None
    if course is not None:
        changed, turned = course.moves(segment[path.deal], tick)
        factors = factors * changed
    of_year = settings.tick_of_year(tick)
    advance, won, lost = chances(factors, path.level, of_year, kind=settings.kind, turned=turned)
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
    discounted = rng.random(len(winners)) < par.DISCOUNT_CHANCE
    share = 1.0 - np.where(discounted, rng.beta(*par.DISCOUNT_BETA, size=len(winners)), 0.0)
    if course is not None:
        share *= course.paid[segment[winners], tick // par.TICKS]
    unit = settings.rates[segment[winners]]
    paid = np.maximum(1.0, np.round(amount[is_won] * share / unit)) * unit
    still_open = OpenDeals(deal=path.deal[stays], level=level[stays], amount=amount[stays])
    return _Moved(path=still_open, stays=stays, won=winners, paid=paid, lost=path.deal[is_lost])


# -- creation -----------------------------------------------------------------------------------------------


def _due_leads(settings: Settings, leads: Leads) -> list[np.ndarray]:
    """Return, for every simulated month, the leads that convert in it."""
    months = settings.simulated_months
    due = np.where(leads.lag >= 0, leads.month + leads.lag, -1)
    due = np.where(due < months, due, -1)
    order = np.argsort(due, kind="stable")
    return np.split(order, np.searchsorted(due[order], np.arange(months + 1)))[1:-1]


def _create(
    rng: np.random.Generator, world: _World, *, month: int, lead: np.ndarray, customers: Customers
) -> dict[str, np.ndarray]:
    """Create the deals of one month; return the columns of `Deals` that are known then, in order of the day.

    lead : the leads that convert in the month.
    """
    settings, staff = world.settings, world.staff
    segment, source, lead = _origins(rng, world, month=month, lead=lead, active=customers.start_month(month))
    n = len(segment)
    lead_quality = np.where(lead >= 0, world.leads.quality[lead] if len(world.leads.quality) else 0.0, 0.0)
    lead_quality = np.where(lead >= 0, lead_quality, rng.standard_normal(n))
    tick = month * par.TICKS + rng.integers(0, par.TICKS, n)
    day = world.clock.draw_day(rng, tick)
    order = np.argsort(day, kind="stable")
    segment, source, lead, lead_quality = segment[order], source[order], lead[order], lead_quality[order]
    product = rng.choice(len(par.PRODUCTS), size=n, p=par.PRODUCT_SHARE)
    owner = _owners(rng, staff, segment)
    score = _scores(rng, lead_quality, source)
    quality = (
        staff.quality[segment]
        + par.SOURCE_QUALITY[source]
        + par.PRODUCT_QUALITY[product]
        + staff.owner_skill[owner]
        + np.where(par.SCORED[source], par.SCORE_WEIGHT * lead_quality, 0.0)
        + par.FRAILTY_SD * rng.standard_normal(n)
    )
    changed = 1.0
    if world.course is not None:
        quality += par.JUNK_DEAL * ((lead >= 0) & world.leads.junk[lead])
        changed = world.course.size[segment, month]
    size = draw_size(rng, settings, product, source)
    return {
        "segment": segment,
        "source": source,
        "product": product,
        "owner": owner,
        "account": customers.accounts_of(rng, segment, source),
        "lead": lead,
        "score": score,
        "quality": quality,
        "size": size,
        "amount": par.MEDIAN_AMOUNT * staff.scale[segment] * np.exp(size) * changed,
        "start": (rng.random(n) < par.SOURCE_HEAD_START[source]).astype(np.int64),
        "tick": tick[order],
        "day": day[order],
    }


def _origins(
    rng: np.random.Generator, world: _World, *, month: int, lead: np.ndarray, active: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return segment, source and lead (-1 = none) of a month's deals: from leads, other sources, and customers."""
    demand, leads = world.demand, world.leads
    shock = demand.shock(month)
    if world.course is not None:
        shock = shock * world.course.creation[:, par.MAX_LAG + month]
    others = rng.poisson(demand.other_base[:, :, month] * shock[:, None])
    again = rng.poisson(reorder_rate(demand, active, month) * shock)
    other_segment, other_source = np.unravel_index(np.repeat(np.arange(others.size), others.ravel()), others.shape)
    again_segment = np.repeat(np.arange(len(again)), again)
    segment = np.concatenate([leads.segment[lead], other_segment, again_segment])
    existing = np.full(len(again_segment), par.EXISTING)
    source = np.concatenate([leads.channel[lead], par.N_CHANNELS + other_source, existing])
    return segment, source, np.concatenate([lead, np.full(len(segment) - len(lead), -1)])


def _owners(rng: np.random.Generator, staff: Staff, segment: np.ndarray) -> np.ndarray:
    """Return a seller of each deal's segment, drawn by the sellers' weights."""
    u = rng.random(len(segment))
    owner = np.empty(len(segment), dtype=np.int64)
    for g in range(len(staff.weight)):
        team = np.flatnonzero(staff.owner_segment == g)
        cumulative = np.cumsum(staff.owner_weight[team])
        here = segment == g
        pick = np.searchsorted(cumulative, u[here] * cumulative[-1], side="right")
        owner[here] = team[0] + np.minimum(pick, len(team) - 1)
    return owner


def _scores(rng: np.random.Generator, lead_quality: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Return lead scores, 0 to 100: the lead's quality seen through noise; NaN where a source has none."""
    noise = rng.standard_normal(len(lead_quality))
    seen = par.SCORE_RELIABILITY * lead_quality + np.sqrt(1 - par.SCORE_RELIABILITY**2) * noise
    return np.where(par.SCORED[source], np.clip(np.round(50.0 + 17.0 * seen), 0.0, 100.0), np.nan)


def draw_size(rng: np.random.Generator, settings: Settings, product: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Return log sizes relative to the segment's median: normal body plus exponential = a Pareto tail; shape (n,).

    With `giant` the whole is a Pareto of index 1 cut at 1,000 times the median, without regard to product or source.
    """
    n = len(product)
    if settings.giant:
        return np.log(giant_quantile(rng.random(n)))
    kind = settings.kind
    mean = kind.product_size[product] + par.SOURCE_SIZE[source]
    tail = rng.exponential(1.0 / kind.tail_index, n) - np.log(2.0) / kind.tail_index
    return mean + kind.body_sd * rng.standard_normal(n) + tail


def giant_quantile(u: np.ndarray) -> np.ndarray:
    """Return quantiles of a Pareto of index 1 with median 1 and nothing above GIANT_CUT."""
    return par.GIANT_LEAST / (1.0 - u * (1.0 - par.GIANT_LEAST / par.GIANT_CUT))
