"""What deals not yet created bring: the share won at an age in months, and the mean amount of a win."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from forecast.data.known.ledger import KnownState
from forecast.models.pipeline.cohorts import COHORTS, Cohorts
from forecast.models.pipeline.creation_counts import season_of
from forecast.models.pipeline.known_changes import KnownChanges
from forecast.models.pipeline.segments_now import goes_on, inherited

_TURNS = 2
"""Times that conversion where planning is joint, and conversion beside it, are found in turns."""

SEASON_MONTHS = 60
"""Months of wins that tell the months of the year apart."""

YOUNG = 3
"""Months of creation that count as the youngest: their deals' first stages are seen, most of their wins are not."""

_WINS_PRIOR = 20.0
_YOUNG_PRIOR, _PART_PRIOR = 20.0, 100.0
"""Wins, of all young deals and of those of a segment or a source group, at which half of what they show is believed."""

_AMOUNT_SPREAD = 0.25
"""How much mean amounts of groups, segments and ages are thought to differ (log scale)."""


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """What becomes of deals by segment, source group and age in months.

    `rate` (R, G, A) share of deals created that are won at an age; `position` (3,) the factor of the month's place in
    its quarter, `month` (12,) that of the month of the year beyond it, January first; `known` (R, T + S) that of what
    is known to change, by segment and month from the first of the cohorts' on, None = nothing. The rate is that
    without. `planned` (A,) is the factor by age of deals created where planning is joint, not in the rate, None = 1;
    `young` (R, G) by how much the youngest deals do better or worse, and in the rate, None = not asked.
    """

    rate: np.ndarray
    position: np.ndarray
    month: np.ndarray
    known: np.ndarray | None = None
    planned: np.ndarray | None = None
    young: np.ndarray | None = None

    def rate_where(self, jointly: np.ndarray, *, age: int) -> np.ndarray:
        """Return the rate at an age (R, G) of deals created in a month; jointly : (R,) bool, who planned so then."""
        rate = self.rate[:, :, age]
        return rate if self.planned is None else rate * np.where(jointly, self.planned[age], 1.0)[:, None]


@dataclass(frozen=True, kw_only=True)
class YoungDeals:
    """Open deals created in the last `YOUNG` months: `deal` (n,), their places in the ledger, and what is said of them.

    `chance` (n, S) to be won in each step while levels stay what the model learned them to be; `moved` (R, S) the
    factor by which a win in a step is likelier, or less likely, since levels have moved.
    """

    deal: np.ndarray
    chance: np.ndarray
    moved: np.ndarray


def conversion(
    view: KnownState, seen: Cohorts, *, young: YoungDeals | None = None, changes: KnownChanges | None = None
) -> Conversion:
    """Learn conversion by age; each ratio is wins over wins expected from its parent, 20 wins of the parent added.

    Simple case: the cohorts of the last three years, as far as their months have settled. Four complications: wins
    follow the month of the year as far as past years agree on it; what is known to change in some months (`changes`) is
    learned apart, and past months are put beside it; where planning is joint, deals may be won at other ages, sooner as
    a rule; and the youngest cohorts, whose wins are still to come, count by what the win model expects of them
    (`young`), so that a change is seen before their cycle is over.
    """
    seen = _told(view, seen)
    learned = _learned(view, seen)
    known = None if changes is None else changes.lift(*wins_by_month(view, seen, learned))
    if known is not None:
        learned = _learned(view, seen, known=known)
    for _ in range(_TURNS):
        planned = _planned_ages(view, seen, learned)
        if planned is None:
            break
        learned = _learned(view, seen, known=known, planned=planned)
    if young is None:
        return learned
    factor = _youngest(view, seen, learned, young)
    return replace(learned, rate=learned.rate * factor[:, :, None], young=factor)


def _learned(
    view: KnownState, seen: Cohorts, *, known: np.ndarray | None = None, planned: np.ndarray | None = None
) -> Conversion:
    """Return conversion as the cohorts show it; known, planned : as in `Conversion`."""
    created, won = seen.created[:, :, -COHORTS:], seen.won[:, :, -COHORTS:]
    periods = seen.periods[-COHORTS:]
    ages = won.shape[3]
    target = periods[:, None] + np.arange(ages)
    complete = (target <= seen.settled) & (target >= view.closures_recorded_from)
    lifted = _lifted(view, periods, first=seen.periods[0], ages=ages, known=known, planned=planned)
    position = view.calendar.quarter_position(target)
    factor = np.ones(3)
    by_age = np.zeros(ages)
    for _ in range(3):
        exposure = _exposure(created, complete * factor[position], lifted, "a")
        by_age = won.sum(axis=(0, 1, 2)) / np.maximum(exposure, 1e-12)
        expected = _exposure(created, complete * by_age, lifted, "ta")
        factor = np.array(
            [
                (won.sum(axis=(0, 1))[position == q].sum() + _WINS_PRIOR)
                / (expected[position == q].sum() + _WINS_PRIOR)
                for q in range(3)
            ]
        )
        factor /= factor.mean()
    month = _months_of_year(view, seen, by_age, position=factor, known=known, planned=planned)
    exposed = _exposure(created, complete * factor[position] * month[target % 12], lifted, "rga")
    wins = won.sum(axis=2)
    by_age = by_age * _ratio(wins.sum(axis=(0, 1)).sum(), (exposed.sum(axis=(0, 1)) * by_age).sum())
    group = _shrunk(wins.sum(axis=(0, 2)), (exposed.sum(axis=0) * by_age).sum(axis=1))
    by_group = by_age * group[:, None]
    by_group = by_group * _shrunk(wins.sum(axis=0), exposed.sum(axis=0) * by_group)
    of_region, expected_of = wins.sum(axis=2), (exposed * by_group).sum(axis=2)
    region = _shrunk(of_region, expected_of)
    for new, of in inherited(view).items():
        region[new] = (of_region[new] + _WINS_PRIOR * region[of]) / (expected_of[new] + _WINS_PRIOR)
    return Conversion(
        rate=region[:, :, None] * by_group[None], position=factor, month=month, known=known, planned=planned
    )


def _jointly(view: KnownState, periods: np.ndarray) -> np.ndarray:
    """Return in which months each segment planned jointly, as known, (R, T) bool; periods : (T,)."""
    return np.asarray(view.planned_from[:, None] <= periods)


def _lifted(
    view: KnownState,
    periods: np.ndarray,
    *,
    first: int,
    ages: int,
    known: np.ndarray | None,
    planned: np.ndarray | None,
) -> np.ndarray | None:
    """Return the factor of what is known to change and of joint planning on cohorts (R, T, A); None = 1.

    periods : (T,), of their creation. first : the period that `known` begins with.
    """
    out = None if known is None else known[:, periods[:, None] + np.arange(ages) - first]
    if planned is None:
        return out
    by_planning = np.where(_jointly(view, periods)[:, :, None], planned, 1.0)
    return by_planning if out is None else out * by_planning


def _planned_ages(view: KnownState, seen: Cohorts, learned: Conversion) -> np.ndarray | None:
    """Return the factor on conversion at each age of deals created where planning was joint, (A,); None = none is seen.

    Simple case: such deals are won sooner, and at ages 0 to 2 there are more wins than conversion expects, later fewer.
    What all ages share is left out: it is as well that of other changes, and the youngest deals tell it. What is beyond
    is believed as far as ages differ by more than chance: tau^2 / (tau^2 + 1 / expected), with tau^2 by the method of
    moments; none of it where all together differ by less than two standard errors.
    """
    periods = seen.periods[-COHORTS:]
    jointly = _jointly(view, periods)
    if not jointly.any():
        return None
    created = seen.created[:, :, -COHORTS:] * jointly[:, None]
    ages = learned.rate.shape[2]
    target = periods[:, None] + np.arange(ages)
    weight = learned.position[view.calendar.quarter_position(target)] * learned.month[target % 12]
    weight = weight * ((target <= seen.settled) & (target >= view.closures_recorded_from))
    lifted = _lifted(view, periods, first=seen.periods[0], ages=ages, known=learned.known, planned=None)
    expected = (_exposure(created, weight, lifted, "rga") * learned.rate).sum(axis=(0, 1))
    won = (seen.won[:, :, -COHORTS:] * jointly[:, None, :, None]).sum(axis=(0, 1, 2))
    use = expected > 1.0
    if use.sum() < 2:
        return None
    expected = expected * won[use].sum() / expected[use].sum()
    growth = np.where(use, np.log((won + 0.5) / (expected + 0.5)), 0.0)
    precision = np.where(use, expected + 0.5, 0.0)
    free = int(use.sum()) - 1
    beyond = float((growth**2 * precision).sum()) - free
    if beyond <= 2.0 * np.sqrt(2.0 * free):
        return None
    tau2 = beyond / precision.sum()
    return np.asarray(np.exp(growth * tau2 * precision / (tau2 * precision + 1.0)))


def _exposure(created: np.ndarray, weight: np.ndarray, lifted: np.ndarray | None, over: str) -> np.ndarray:
    """Return sums of created (R, G, T) x weight (T, A) x lifted (R, T, A; None = 1) over all axes but those named."""
    if lifted is None:
        return np.asarray(np.einsum(f"rgt,ta->{over}", created, weight))
    return np.asarray(np.einsum(f"rgt,rta->{over}", created, lifted * weight))


def wins_by_month(view: KnownState, seen: Cohorts, learned: Conversion) -> tuple[np.ndarray, np.ndarray]:
    """Return the wins of each month by segment, and those to be expected of its deals, (R, T); 0 in months that do not
    count: not settled, not recorded, or of which older cohorts are missing."""
    segments, _, count, ages = seen.won.shape
    won, expected = np.zeros((segments, count)), np.zeros((segments, count))
    for age in range(min(ages, count)):
        won[:, age:] += seen.won[:, :, : count - age, age].sum(axis=1)
        expected[:, age:] += np.einsum("rgt,rg->rt", seen.created[:, :, : count - age], learned.rate[:, :, age])
    months = seen.periods
    expected *= learned.position[view.calendar.quarter_position(months)] * learned.month[months % 12]
    counts = (months <= seen.settled) & (months >= max(months[0] + ages - 1, view.closures_recorded_from))
    return won * counts, expected * counts


def _told(view: KnownState, seen: Cohorts) -> Cohorts:
    """Return the cohorts without those that tell nothing: of segments that closed, and of months seen by half."""
    told = goes_on(view)[:, None, None] & ~np.isin(seen.periods, list(view.ledger.half_seen))
    if told.all():
        return seen
    won, won_young = seen.won * told[..., None], seen.won_young * told
    return replace(seen, created=seen.created * told, won=won, won_young=won_young)


def _ratio(seen: float, expected: float) -> float:
    return seen / expected if expected > 0 else 1.0


def _months_of_year(
    view: KnownState,
    seen: Cohorts,
    by_age: np.ndarray,
    *,
    position: np.ndarray,
    known: np.ndarray | None,
    planned: np.ndarray | None,
) -> np.ndarray:
    """Return the factor of each month of the year on wins, beyond its place in the quarter, (12,), mean 1.

    What came over what was to be expected of its cohorts, month by month; shrunk as far as the same months of different
    years disagree (`season_of`).
    """
    ages = len(by_age)
    count = len(seen.periods)
    # By segment only where what is known to change sets them apart.
    alike = known is None and planned is None
    created = seen.created.sum(axis=(0, 1))[None] if alike else seen.created.sum(axis=1)
    jointly = _jointly(view, seen.periods)
    won = np.zeros(count + ages)
    by_row = np.zeros((len(created), count + ages))
    for age in range(ages):
        won[age : age + count] += seen.won[:, :, :, age].sum(axis=(0, 1))
        factor = 1.0 if planned is None else np.where(jointly, planned[age], 1.0)
        by_row[:, age : age + count] += created * by_age[age] * factor
    expected = (by_row if known is None else by_row * known[:, : count + ages]).sum(axis=0)
    months = seen.periods[0] + np.arange(len(won))
    expected *= position[view.calendar.quarter_position(months)]
    begin = max(seen.periods[0] + ages - 1, view.closures_recorded_from, seen.settled - SEASON_MONTHS + 1)
    use = (months >= begin) & (months <= seen.settled) & (expected > 0)
    ratio = won[use] / expected[use] * expected[use].mean() if use.any() else np.zeros(0)
    logs = season_of(ratio, months[use] % 12)
    return np.asarray(np.exp(logs) / np.exp(logs).mean())


def _youngest(view: KnownState, seen: Cohorts, learned: Conversion, deals: YoungDeals) -> np.ndarray:
    """Return by how much the youngest cohorts do better or worse than earlier ones, by segment and group, (R, G).

    Of the deals created in the last three months: those won, and those that the win model expects to be won at the ages
    looked at, over what conversion by age expects of them. Levels that have moved are left out of both: they fade, or
    stay, by the month in which a win falls (`YoungDeals.moved`). What is known to change is in both.
    """
    first = view.first_target - YOUNG
    segments, groups, ages = learned.rate.shape
    young = np.flatnonzero(seen.periods >= first)
    due = np.zeros((segments, groups))
    for place in young:
        month = seen.periods[place] + np.arange(ages)
        factor = learned.position[view.calendar.quarter_position(month)] * learned.month[month % 12]
        here = seen.periods[place : place + 1]
        lifted = _lifted(view, here, first=seen.periods[0], ages=ages, known=learned.known, planned=learned.planned)
        if lifted is None:
            due += np.einsum("rg,rga,a->rg", seen.created[:, :, place], learned.rate, factor)
        else:
            due += np.einsum("rg,rga,ra->rg", seen.created[:, :, place], learned.rate, lifted[:, 0] * factor)
    won = seen.won_young[:, :, young].sum(axis=2) / deals.moved[:, :1]
    born = view.ledger.created_in[deals.deal]
    here = (view.segment[deals.deal] >= 0) & ~np.isin(born, list(view.ledger.half_seen))
    # At the end of step s a deal is first_target + s - born months old.
    age = view.first_target - born[here, None] + np.arange(deals.chance.shape[1])
    expected = (deals.chance[here] * (age < ages)).sum(axis=1)
    cell = view.segment[deals.deal[here]] * groups + seen.group[deals.deal[here]]
    won = won + np.bincount(cell, expected, minlength=segments * groups).reshape(segments, groups)
    overall = (won.sum() + _YOUNG_PRIOR) / (due.sum() + _YOUNG_PRIOR)
    due *= _ratio(won.sum(), due.sum())
    group = (won.sum(axis=0) + _PART_PRIOR) / (due.sum(axis=0) + _PART_PRIOR)
    segment = (won.sum(axis=1) + _PART_PRIOR) / ((due * group).sum(axis=1) + _PART_PRIOR)
    return np.asarray(overall * segment[:, None] * group)


def _shrunk(seen: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return seen over expected, shrunk towards 1."""
    return (seen + _WINS_PRIOR) / (expected + _WINS_PRIOR)


def mean_amounts(seen: Cohorts) -> np.ndarray:
    """Return the mean won amount (R, G, A): the overall mean times shrunk factors of age, group and segment."""
    won, amount = seen.won[:, :, -COHORTS:].sum(axis=2), seen.amount[:, :, -COHORTS:].sum(axis=2)
    if won.sum() == 0:
        return np.zeros(won.shape)
    mean = amount.sum() / won.sum()
    spread = seen.pool.var() / max(seen.pool.mean(), 1e-12) ** 2 if len(seen.pool) > 1 else 1.0
    prior = spread / _AMOUNT_SPREAD**2
    out = np.full(won.shape, mean)
    for keep in ((2,), (1,), (0,)):
        rest = tuple(axis for axis in range(3) if axis not in keep)
        expected = (won * out).sum(axis=rest, keepdims=True)
        n = won.sum(axis=rest, keepdims=True)
        ratio = np.where(expected > 0, amount.sum(axis=rest, keepdims=True) / np.maximum(expected, 1e-12), 1.0)
        out = out * (1.0 + n / (n + prior + 1e-12) * (ratio - 1.0))
    return out


def lateness(seen: Cohorts) -> tuple[float, np.ndarray]:
    """Return the share of a month's deals created late in it, and how their conversion at each age compares (A,)."""
    share = seen.late_created.sum() / max(seen.created.sum(), 1.0)
    expected = seen.won.sum(axis=(0, 1, 2)) * share
    return float(share), _shrunk(seen.late_won.sum(axis=(0, 1, 2)), expected)
