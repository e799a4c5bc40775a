"""The constants of the simulated company, the settings a user may choose, and its clock.

The constants are the process described in docs/methods/simulation.md. They were set before any model was tuned
and are frozen: a change here changes every figure that was measured on simulated companies.
A tick is a quarter of a month (four a month, aligned to month ends); rates are per tick.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from forecast import seeds
from forecast.calendar import parse_period
from forecast.errors import ParameterError
from forecast.simulation.changes.kinds import Change, check_changes

TICKS = 4
BEYOND = 12
"""Months simulated after the log's end, so that nothing is special about the last months."""

SEGMENTS = (
    *("Alps", "Benelux", "Central", "East", "Iberia", "Isles", "Nordics", "South"),
    *("Baltics", "Coast", "Delta", "Highlands", "Islands", "Lakes", "Midlands", "North", "Plains", "Rivers"),
    *("Valleys", "West"),
)
CURRENCY = {"Isles": "GBP", "Nordics": "SEK"}
PLAN_RATE = {"EUR": 1.0, "GBP": 1.16, "SEK": 0.088}

# -- where opportunities come from -----------------------------------------------------------------------

CHANNELS = ("Advertising", "Content", "Events", "Webinars")
OTHER_SOURCES = ("Outbound", "Partner", "Referral")
EXISTING_SOURCE = "Customer team"
SOURCES = (*CHANNELS, *OTHER_SOURCES, EXISTING_SOURCE)
N_CHANNELS, N_SOURCES = len(CHANNELS), len(SOURCES)
EXISTING = N_SOURCES - 1
RENEWAL = "Renewal"
"""The source that the record gives a contract's renewal, which otherwise counts as existing business."""
SOURCE_SHARE = np.array([0.16, 0.12, 0.14, 0.11, 0.15, 0.08, 0.07, 0.17])
CONVERSION = np.array([0.21, 0.27, 0.37, 0.33])
"""Share of a channel's leads that become opportunities."""
CONVERSION_LAG = np.array([0.0, 0.55, 0.35, 0.10])
REJECTION = 0.55
"""Share of the other leads that are rejected; the rest is never decided."""
REJECTION_LAG = np.array([0.35, 0.45, 0.20, 0.0])
MAX_LAG = 3

GROWTH = 0.08
"""Growth of creation a year."""
CREATION_SEASON = np.array([1.02, 1.06, 1.12, 1.00, 1.03, 1.02, 0.90, 0.78, 1.12, 1.10, 1.05, 0.80])
LEAD_NOISE = 0.30
COMMON_SHOCK = (0.90, 0.10)
REORDER = 0.03
"""Opportunities a month that an active customer brings; a share ATTRITION of the customers leaves every month."""
ATTRITION = 0.03
REORDER_LAG = 12
"""Months after its first win before a new customer counts as active."""

# -- what a deal is ---------------------------------------------------------------------------------------

PRODUCTS = ("Core", "Extended", "Platform", "Service")
PRODUCT_SHARE = np.array([0.38, 0.24, 0.14, 0.24])
PRODUCT_QUALITY = np.array([0.10, 0.0, -0.25, 0.15])
UNIT_PRICE = np.array([900.0, 1400.0, 5200.0, 640.0])
SOURCE_QUALITY = np.array([-0.35, -0.15, 0.10, 0.0, -0.30, 0.15, 0.35, 0.55])
SOURCE_SIZE = np.array([-0.15, -0.05, 0.10, 0.0, 0.15, 0.20, 0.05, -0.10])
SOURCE_HEAD_START = np.array([0.15, 0.15, 0.25, 0.25, 0.10, 0.30, 0.45, 0.60])
"""Chance that a deal starts at level 1 rather than 0."""
SEGMENT_QUALITY_SD = 0.12
OWNER_SD = 0.40
SCORE_WEIGHT = 0.50
"""Weight of the lead's quality, for sources that have a lead score, in the quality of the deal."""
SCORE_RELIABILITY = 0.70
"""Correlation of the lead score with the lead's quality."""
FRAILTY_SD = 0.45
JUNK_LEAD, JUNK_DEAL = -2.5, -2.0
"""How much worse a lead of a flood of junk is than others, and its deal than the lead says."""
JUNK_QUALITY = JUNK_DEAL + SCORE_WEIGHT * JUNK_LEAD
"""How much worse such a deal is than another one of its source."""
SCORED = np.array([True, True, True, True, False, True, False, False])

MEDIAN_AMOUNT = 18_000.0
GIANT_CUT = 1_000.0
"""Largest size at creation as a multiple of the median."""
GIANT_LEAST = 1.0 / (2.0 - 1.0 / GIANT_CUT)
"""Least size of the giant law whose median is 1: with F(x) = (1 - L/x) / (1 - L/H), F(1) = 1/2 gives 1 / (2 - 1/H)."""
REVISION_CHANCE, REVISION_SD = 0.06, 0.18
DISCOUNT_CHANCE, DISCOUNT_BETA = 0.55, (2.0, 10.0)
MEAN_CLOSING = 1.0 - DISCOUNT_CHANCE * DISCOUNT_BETA[0] / sum(DISCOUNT_BETA)
"""Expected amount at the win as a share of the amount before it."""

# -- how a deal moves -------------------------------------------------------------------------------------

LEVELS = 8
"""Hidden progress 0 to 7; the stage a diligent seller would show is half of it, rounded down."""
ADVANCE = np.array([0.48, 0.46, 0.44, 0.44, 0.42, 0.42, 0.40, 0.0])
QUALITY_EFFECT = np.array([0.25, 0.60, -0.40])
"""Log rate of advance, won, lost per unit of quality."""
SIZE_EFFECT = np.array([-0.15, -0.28, 0.05])
"""Log rate of advance, won, lost per unit of log size at creation."""

WON_MONTH = np.array([0.80, 0.90, 1.25, 0.85, 0.92, 1.25, 0.82, 0.78, 1.25, 0.88, 0.95, 1.35])
WON_TICK = np.array([0.72, 0.82, 1.00, 1.46])
QUARTER_END_RUSH = 1.5
ADVANCE_MONTH = np.array([1.0, 1.05, 1.05, 1.0, 1.0, 1.0, 0.92, 0.80, 1.05, 1.05, 1.05, 0.88])
LOST_MONTH = np.array([1.35, 0.95, 1.0, 1.15, 0.95, 1.0, 1.15, 0.90, 1.0, 1.15, 0.95, 1.05])

# -- how it is recorded -----------------------------------------------------------------------------------

OPEN_STAGES = ("Qualification", "Needs analysis", "Proposal", "Negotiation")
WON_STAGE, LOST_STAGE = "Closed won", "Closed lost"
STAGES = (*OPEN_STAGES, WON_STAGE, LOST_STAGE)
STAGE_PROBABILITY = (0.10, 0.25, 0.50, 0.75, 1.0, 0.0)
"""What the CRM shows: the usual defaults, higher than what happens."""
CATEGORIES = ("Pipeline", "Best case", "Commit", "Closed", "Omitted")
LOST_REASONS = ("Price", "Competitor", "No decision", "Timing", "Product fit")
LATE_CHANCE, LATE_DAYS = 0.10, 6
"""Share of closures recorded late, and by how many days at most; below the seven settle days."""
REASSIGNED = 0.004
SETTLE_DAYS = 7
TIMEZONE = "Europe/Berlin"


# -- kinds of company ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, eq=False)
class People:
    """How people err; sizes are shares of a segment's usual month.

    over_oracle, smallest : mean size of an error over about what the oracle's would be, and the least it is.
    persistence, freedom : of the AR(1) series of errors and of their t innovations. shared_by_horizon : share of the
    variance common to the horizons of an origin. regional, common : sd of the log volatilities. habit, habit_sd : mean
    over segments of the usual error in mean sizes, by submitter, and how far segments are apart. habit_later : factor
    on sales' own habit where a segment plans jointly. whole_months : joint planning begins with a month whose forecasts
    were all made jointly, the first of them three months ahead; otherwise with the forecasts made from that month on.
    """

    over_oracle: float
    smallest: float
    persistence: float
    freedom: float
    shared_by_horizon: float
    regional: float
    common: float
    habit: Mapping[str, float]
    habit_sd: float
    habit_later: float
    whole_months: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Kind:
    """What sets one kind of company apart from another; everything else is the same.

    level : makes the expected number of opportunities the one asked for over 60 months, as existing business starts
    below its share. lead_shock, region_shock : persistence and standard deviation of the log intensity of a segment's
    channel, and of a segment. segment_size_sd, segment_weight_sd : how far segments are apart, in logs. product_size,
    body_sd, tail_index : log sizes by product, sd of their normal body, index of the Pareto tail. won, lost : rates by
    hidden level.
    """

    level: float
    lead_shock: tuple[float, float]
    region_shock: tuple[float, float]
    segment_size_sd: float
    segment_weight_sd: float
    product_size: np.ndarray
    body_sd: float
    tail_index: float
    won: np.ndarray
    lost: np.ndarray
    people: People


ORDINARY = Kind(
    level=1.026,
    lead_shock=(0.80, 0.90),
    region_shock=(0.90, 0.36),
    segment_size_sd=0.25,
    segment_weight_sd=0.25,
    product_size=np.array([0.0, 0.35, 0.80, -0.45]),
    body_sd=0.65,
    tail_index=2.5,
    won=np.array([0.0, 0.0, 0.0, 0.002, 0.008, 0.03, 0.08, 0.16]),
    lost=np.array([0.085, 0.080, 0.070, 0.070, 0.068, 0.075, 0.082, 0.088]),
    people=People(
        over_oracle=1.65,
        smallest=0.25,
        persistence=0.35,
        freedom=5.0,
        shared_by_horizon=0.30,
        regional=0.20,
        common=0.12,
        habit={"sales": -0.30, "marketing": 0.0},
        habit_sd=0.0,
        habit_later=1.4,
        whole_months=False,
    ),
)
"""The company of the figures of record: amounts with a long tail, late stages of which many are lost after all."""

STEADY = Kind(
    level=0.99,
    lead_shock=(0.65, 1.40),
    region_shock=(0.80, 0.25),
    segment_size_sd=0.15,
    segment_weight_sd=0.10,
    product_size=np.array([0.0, 0.12, 0.30, -0.15]),
    body_sd=0.30,
    tail_index=6.0,
    won=np.array([0.0, 0.0, 0.0, 0.002, 0.004, 0.02, 0.12, 0.32]),
    lost=np.array([0.11, 0.09, 0.07, 0.05, 0.04, 0.03, 0.025, 0.02]),
    people=People(
        over_oracle=1.05,
        smallest=0.15,
        persistence=0.05,
        freedom=30.0,
        shared_by_horizon=0.05,
        regional=0.05,
        common=0.05,
        habit={"sales": 0.80, "marketing": 0.80},
        habit_sd=0.20,
        habit_later=1.0,
        whole_months=True,
    ),
)
"""The company of `data/sample`: many middling deals, late stages that mostly win, people who know their business."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a user may choose; see `forecast.simulation.company.simulate`."""

    opportunities: int
    months: int
    end: str
    seed: int
    effect: float
    giant: bool
    segments: int
    steady: bool = False
    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        _whole("opportunities", self.opportunities, 100, 5_000_000)
        _whole("months", self.months, 24, 240)
        seeds.check_seed(self.seed, most=2**32 - 1)
        _whole("segments", self.segments, 2, len(SEGMENTS))
        real = isinstance(self.effect, (int, float, np.floating, np.integer)) and not isinstance(self.effect, bool)
        if not real or not 0.0 <= self.effect <= 1.0:
            raise ParameterError(f"effect: {self.effect!r} is not a number from 0 to 1")
        for name in ("giant", "steady"):
            if not isinstance(getattr(self, name), (bool, np.bool_)):
                raise ParameterError(f"{name}: {getattr(self, name)!r} is not true or false")
        parse_period(self.end)
        check_changes(self.changes, names=self.names, first=self.start_period, months=self.months)

    @property
    def kind(self) -> Kind:
        """What kind of company it is."""
        return STEADY if self.steady else ORDINARY

    @property
    def start_period(self) -> int:
        """The first month of the log."""
        return parse_period(self.end) - self.months + 1

    @property
    def simulated_months(self) -> int:
        """Months simulated: the log's and those beyond."""
        return self.months + BEYOND

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the segments, sorted."""
        return tuple(sorted(SEGMENTS[: self.segments]))

    @property
    def rates(self) -> np.ndarray:
        """Plan rate of each segment's currency; shape (segments,)."""
        return np.array([PLAN_RATE[CURRENCY.get(name, "EUR")] for name in self.names])

    def change(self, kind: str) -> Change | None:
        """Return the change of a kind; None where the company has none."""
        return next((each for each in self.changes if each.kind == kind), None)

    def tick_of_year(self, tick: int) -> int:
        """Return the place, 0 to 47, of a simulated tick in its year."""
        month, within = divmod(tick, TICKS)
        return (self.start_period + month) % 12 * TICKS + within


def _whole(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or not low <= value <= high:
        raise ParameterError(f"{name}: {value!r} is not a whole number from {low:,} to {high:,}")


STREAMS = (
    *("company", "demand", "leads", "deals", "moves", "desk", "submitted", "business", "labels"),
    *("organisation", "reasons", "changes", "junk", "contracts", "edits"),
)


def generator(settings: Settings, stream: str) -> np.random.Generator:
    """Return the random stream of one part of the company, independent of every other part."""
    return seeds.generator(settings.seed, STREAMS.index(stream))


# -- the clock --------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Clock:
    """The days of the simulated months, counted from 1970-01-01; a tick is a quarter of a month.

    working : (ticks, 8), the days of each tick, its working days first. count : (ticks,), how many working days.
    month_start : (months + 1,), the first day of each simulated month. log_months : how many of them the log has.
    """

    working: np.ndarray
    count: np.ndarray
    month_start: np.ndarray
    log_months: int

    @property
    def last_day(self) -> int:
        """The last day of the log."""
        return int(self.month_start[self.log_months]) - 1

    def draw_day(self, rng: np.random.Generator, tick: np.ndarray) -> np.ndarray:
        """Return a working day of each tick, drawn evenly; shape like `tick`."""
        pick = (rng.random(np.shape(tick)) * self.count[tick]).astype(np.int64)
        return self.working[tick, pick]


def make_clock(settings: Settings) -> Clock:
    """Lay out the ticks of the simulated months."""
    months = settings.simulated_months
    since_1970 = settings.start_period + np.arange(months + 1) - 1970 * 12
    month_start = since_1970.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    length = np.diff(month_start)
    cuts = (np.arange(TICKS + 1)[None, :] * length[:, None]) // TICKS
    first = (month_start[:-1, None] + cuts[:, :-1]).ravel()
    size = np.diff(cuts, axis=1).ravel()
    days = first[:, None] + np.arange(8)[None, :]
    is_work = ((days + 3) % 7 < 5) & (np.arange(8)[None, :] < size[:, None])
    count = is_work.sum(axis=1)
    order = np.argsort(~is_work, axis=1, kind="stable")
    working = np.take_along_axis(days, order, axis=1)
    return Clock(working=working, count=count, month_start=month_start, log_months=settings.months)
