"""How often the scorecard's 95 % intervals of rates hold what is so: close rates, and the hand-overs of the funnel.

    python -m benchmarks.scorecard.rates              seeds for designing
    python -m benchmarks.scorecard.rates --report     the 200 companies that figures come from

The truth is what became in the end of all deals, leads and orders of a large company that set out in the same months; a
small one is drawn out of it (`drawn`). (Of a company as it was drawn one could take the chances of its own deals. Then
the intervals would be too wide, since they know that these differ from deal to deal.) The truth of rates among deals
closed, and of what a late order changes, is that of the large company on the same day. Intervals are for a company and
for each of its segments; figures of one company hang together, so that the standard error of the share held is taken
over companies.

The same with losses that nobody closes, a share of them or all: the deals stay open, as the last row before says.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from benchmarks.results import record
from benchmarks.scorecard.drawn import AS_OF, STREAM, draw_accounts, draw_leads, large_company, share_held
from benchmarks.seeds import SCORECARD_AGAIN
from forecast import seeds
from forecast.calendar import parse_period
from forecast.data.known.snapshot import Snapshot, snapshot
from forecast.data.schema import TOTAL, Log
from forecast.evaluation.scorecard.close_rates import (
    ALL_ENDED,
    BY,
    COHORT,
    COMMITS,
    DECIDED,
    NAIVE,
    PROPOSALS,
    RATES,
    close_rates,
    definition_of,
)
from forecast.evaluation.scorecard.definition import Definition
from forecast.evaluation.scorecard.funnel.hand_overs import PASSED, STEPS, hand_over_rows, hand_overs
from forecast.evaluation.scorecard.funnel.journeys import (
    LOST,
    WON,
    Journeys,
    commit_on_day_one,
    first_proposal,
    since_creation,
    starting_on,
)
from forecast.evaluation.scorecard.funnel.leaks import DIFFERENCE, LATE, ON_TIME, again_rows
from forecast.evaluation.scorecard.funnel.rows import ALL, FunnelRow
from forecast.simulation import parameters as par

FIRST_SEED, SEEDS = 601, 40
LEFT_OPEN = (0.6, 1.0)
HAND_OVERS = (*STEPS[:2], *STEPS[3:6])
FEW = 10

COLUMNS = ("rate", "segment", "true", "value", "low", "high", "n")

Row = tuple[str, str, float, float, float, float, int]


def held(seed: int) -> pd.DataFrame:
    """Return COLUMNS and whether it held, a row a rate and segment, of the companies that a seed makes."""
    rng = seeds.generator(seed, STREAM)
    large = large_company(seed)
    small = draw_accounts(large.log, rng)
    now = replace(snapshot(small, as_of=AS_OF), leads=draw_leads(large.now, rng))
    rows = [*_of_deals(now, large.later), *_naive(now, large.now)]
    rows += [*_of_hand_overs(now, large.later), *_after_late(now, large.now)]
    for share in LEFT_OPEN:
        rows += _left_open(small, large.later, share, rng)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    # An end that is not known bounds nothing.
    return table.assign(seed=seed, held=~((table["true"] < table["low"]) | (table["true"] > table["high"])))


def _row(rate: str, true: float, row: Definition | FunnelRow) -> Row:
    return rate, row.segment, true, row.value, row.low, row.high, row.n


# -- close rates -----------------------------------------------------------------------------------------


def _of_deals(now: Snapshot, later: Snapshot) -> Iterator[Row]:
    """Yield the close rates of the small company by cohort, with what became of those of the large one."""
    deals = since_creation(later)
    proposal, commit = first_proposal(later), commit_on_day_one(later)
    assert proposal is not None
    assert commit is not None
    known = deals.take(deals.ended >= 0)
    started = {DECIDED: known, ALL_ENDED: known}
    started |= {PROPOSALS: starting_on(deals, proposal), COMMITS: starting_on(deals, commit[0])}
    names = {definition_of(rate, COHORT, by): (rate, by) for rate in RATES for by in BY}
    for row in close_rates(now):
        if row.definition in names and not row.missing:
            rate, by = names[row.definition]
            yield _row(row.definition, _won(_in_months(started[rate], row), rate, by), row)


def _naive(now: Snapshot, large: Snapshot) -> Iterator[Row]:
    """Yield the rates among the deals closed in the last months, beside those of the large company."""
    names = {definition_of(rate, NAIVE, by) for rate in RATES for by in BY}
    found = {(row.definition, row.segment): row.value for row in close_rates(large)}
    for row in close_rates(now):
        if row.definition in names and not row.missing:
            yield _row(row.definition, found[row.definition, row.segment], row)


def _in_months(journeys: Journeys, row: Definition | FunnelRow) -> Journeys:
    """Return those that set out in the months of a row, and in its segment."""
    first, end = (np.datetime64(parse_period(text) + k - 1970 * 12, "M") for text, k in ((row.first, 0), (row.last, 1)))
    here = journeys.setting_out(first.astype("datetime64[D]"), end.astype("datetime64[D]") - 1)
    return here.of(None if row.segment == TOTAL else row.segment)


def _won(here: Journeys, rate: str, by: str) -> float:
    weight = np.ones(len(here)) if by == "count" else np.maximum(np.nan_to_num(here.amount), 0.0)
    counts = np.isin(here.ended, (WON, LOST)) if rate == DECIDED else np.ones(len(here), dtype=bool)
    return float(weight[here.ended == WON].sum() / weight[counts].sum())


def _left_open(small: Log, later: Snapshot, share: float, rng: np.random.Generator) -> Iterator[Row]:
    """Yield the share won of all created where some losses stay open, and the naive rate, which takes no part."""
    now = snapshot(left_open(small, share, rng), as_of=AS_OF)
    known = since_creation(later)
    known = known.take(known.ended >= 0)
    found = {(row.definition, row.segment): row for row in close_rates(now)}
    for segment in (TOTAL, *now.segments):
        row = found[definition_of(ALL_ENDED, COHORT, "count"), segment]
        true = _won(_in_months(known, row), ALL_ENDED, "count")
        yield _row(f"{share:.0%} of losses left open", true, row)
        naive = found[definition_of(DECIDED, NAIVE, "count"), segment]
        yield _row(f"{share:.0%} of losses left open, naive", true, naive)


def left_open(log: Log, share: float, rng: np.random.Generator) -> Log:
    """Return the company with a share of its losses never closed: as their last row of history before says."""
    deals, history = log.tables["opportunities"].copy(), log.tables["opportunity_history"]
    lost = (deals["outcome"] == "lost").to_numpy()
    chosen = lost & (rng.random(len(deals)) < share)
    names = set(deals.loc[chosen, "opportunity_id"])
    drop = history["opportunity_id"].isin(names) & (history["stage"] == par.LOST_STAGE)
    history = history[~drop].reset_index(drop=True)
    last = history.drop_duplicates("opportunity_id", keep="last").set_index("opportunity_id")["stage"]
    deals.loc[chosen, "stage"] = deals.loc[chosen, "opportunity_id"].map(last).fillna(par.OPEN_STAGES[0])
    deals.loc[chosen, "outcome"] = "open"
    deals.loc[chosen, ["closed_on", "lost_reason"]] = None
    return replace(log, tables={**log.tables, "opportunities": deals, "opportunity_history": history})


# -- hand-overs ------------------------------------------------------------------------------------------


def _of_hand_overs(now: Snapshot, later: Snapshot) -> Iterator[Row]:
    """Yield hand-overs, all quarters together, with what became of those of the large company."""
    journeys = {each.step: each.journeys for each in hand_overs(later) if each.step in HAND_OVERS}
    for row in hand_over_rows(now):
        if row.step in journeys and row.cohort == ALL and not row.missing:
            every = journeys[row.step]
            assert every is not None
            yield _row(row.step, float((_in_months(every, row).ended == PASSED).mean()), row)


def _after_late(now: Snapshot, large: Snapshot) -> Iterator[Row]:
    """Yield how much less often accounts buy again after a late order, by how many bought again at all."""
    true = {row.segment: row.value for row in again_rows(large) if row.step == DIFFERENCE}
    rows = {(row.step, row.segment): row for row in again_rows(now) if not row.missing}
    for (step, segment), row in rows.items():
        if step == DIFFERENCE:
            again = sum(rows[name, segment].value * rows[name, segment].n for name in (ON_TIME, LATE))
            size = "and more" if again >= FEW else "or fewer"
            yield _row(f"{step}, {FEW if again >= FEW else FEW - 1} {size} bought again", true[segment], row)


# -- the report ------------------------------------------------------------------------------------------


def report(companies: Iterable[int], *, keep: bool) -> None:
    """Print the share held by rate and of all, with the standard error over companies."""
    table = pd.concat([held(seed) for seed in companies], ignore_index=True)
    told = table[table["value"].notna()]
    as_recorded = told[~told["rate"].str.contains("left open")]
    rows = []
    for name, part in [*told.groupby("rate", sort=False), ("all as recorded", as_recorded)]:
        told, of_part = share_held(part, name)
        total = part[part["segment"] == TOTAL]
        print(
            f"{name:45s} {told}; Total {total['held'].mean():.3f}, true {total['true'].mean():.3f}, "
            f"value {total['value'].mean():.3f}"
        )
        rows += of_part
    if keep:
        record("scorecard rates", rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--report", action="store_true", help="take the seeds of the report, and record the figures")
    asked = parser.parse_args()
    design = range(FIRST_SEED, FIRST_SEED + asked.seeds)
    report(SCORECARD_AGAIN if asked.report else design, keep=asked.report)
