"""How often the scorecard's 95 % intervals hold the rates that a simulated company was made with.

    python -m benchmarks.accuracy.scorecard rates              seeds for designing
    python -m benchmarks.accuracy.scorecard rates --report     the 200 companies that figures come from

Known of a simulated company: the chance of each deal to be won in the end (the oracle's recursion, run until next to
none is open), the shares of leads that are worked and qualified, the share of orders delivered on time, and that a late
order changes nothing. Intervals are for a company and for each of its segments; figures of one company hang together,
so that the standard error of the share held is taken over companies. The chances of a company's deals are taken as they
were drawn: of how these differ from deal to deal an interval knows, too, so that it is a little wide for them.

The same with losses that nobody closes, a share of them or all: the deals stay open, as the last row before says.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

import forecast
from benchmarks.accuracy.tracks import log_of
from benchmarks.results import record
from benchmarks.seeds import SCORECARD
from forecast.calendar import parse_period
from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import TOTAL
from forecast.evaluation.scorecard.close_rates import ALL_ENDED, COHORT, DECIDED, NAIVE, close_rates, definition_of
from forecast.evaluation.scorecard.funnel.hand_overs import STEPS, hand_over_rows
from forecast.evaluation.scorecard.funnel.leaks import DIFFERENCE, again_rows
from forecast.evaluation.scorecard.funnel.rows import ALL
from forecast.simulation import parameters as par
from forecast.simulation.company import Simulation, simulate
from forecast.simulation.pipeline import rates
from forecast.simulation.truth import win_chances

FIRST_SEED, SEEDS = 601, 40
OPPORTUNITIES, MONTHS, END = 6_000, 48, "2026-10"
LEFT_OPEN = (0.6, 1.0)
YEARS = 4
"""After so many next to no deal is open."""

LEFT_UNDECIDED, NEVER_WORKED = 1 - par.REJECTION, 0.45
"""Share of the leads that become no opportunity and are not rejected, and of these that nobody works."""

ON_TIME = float(np.exp(-np.exp(-(0.5 + 6.0) / 9.0)))
"""Of delays in whole days from a Gumbel law at -6 with scale 9."""


def won_in_the_end(company: Simulation) -> np.ndarray:
    """Return the chance of each deal to be won in the end, as it is when it is created; (n,)."""
    deals, settings = company.truth.pipeline.deals, company.settings
    out = np.zeros(len(deals.tick))
    of_year = (settings.start_period % 12 * par.TICKS + deals.tick + 1) % 48
    for tick in np.unique(of_year):
        here = np.flatnonzero(of_year == tick)
        state = np.zeros((par.LEVELS, len(here)))
        state[deals.start[here], np.arange(len(here))] = 1.0
        factors = rates(deals.quality[here], deals.size[here])
        out[here] = win_chances(factors, state, int(tick), 48 * YEARS, kind=settings.kind).sum(axis=0)
    return out


def held(seed: int) -> pd.DataFrame:
    """Return a row a rate and segment: rate, segment, true, value, low, high, naive, of a company known by its seed."""
    company = simulate(opportunities=OPPORTUNITIES, months=MONTHS, end=END, seed=seed)
    snap = snapshot_of(company)
    rows = [*_of_deals(company, snap), *_of_leads(snap)]
    delivered = [row for row in hand_over_rows(snap) if row.step == STEPS[5] and row.cohort == ALL]
    again = [row for row in again_rows(snap) if row.step == DIFFERENCE]
    for true, those in ((ON_TIME, delivered), (0.0, again)):
        rows += [(row.step, row.segment, true, row.value, row.low, row.high, np.nan) for row in those]
    for share in LEFT_OPEN:
        rows += _of_deals(company, snapshot_of(left_open(company, share)), name=f"{share:.0%} of losses left open")
    table = pd.DataFrame(rows, columns=["rate", "segment", "true", "value", "low", "high", "naive"])
    return table.assign(seed=seed, held=(table["low"] <= table["true"]) & (table["true"] <= table["high"]))


def snapshot_of(company: Simulation) -> Snapshot:
    """Return what is known of a company at its end."""
    return forecast.snapshot(log_of(company), as_of=END)


def left_open(company: Simulation, share: float) -> Simulation:
    """Return the company with a share of its losses never closed: as their last row of history before says."""
    deals, history = company.tables["opportunities"].copy(), company.tables["opportunity_history"]
    lost = (deals["outcome"] == "lost").to_numpy()
    chosen = lost & (np.random.default_rng(company.settings.seed).random(len(deals)) < share)
    names = set(deals.loc[chosen, "opportunity_id"])
    drop = history["opportunity_id"].isin(names) & (history["stage"] == par.LOST_STAGE)
    history = history[~drop].reset_index(drop=True)
    last = history.drop_duplicates("opportunity_id", keep="last").set_index("opportunity_id")["stage"]
    deals.loc[chosen, "stage"] = deals.loc[chosen, "opportunity_id"].map(last).fillna(par.OPEN_STAGES[0])
    deals.loc[chosen, "outcome"] = "open"
    deals.loc[chosen, ["closed_on", "lost_reason"]] = None
    return replace(company, tables=company.tables | {"opportunities": deals, "opportunity_history": history})


def _of_deals(company: Simulation, snap: Snapshot, *, name: str = ALL_ENDED) -> list[tuple[object, ...]]:
    deals, chance = company.truth.pipeline.deals, won_in_the_end(company)
    names = np.array(company.settings.names, dtype=object)[deals.segment]
    day = deals.day.astype("datetime64[D]")
    found = {(row.definition, row.segment): row for row in close_rates(snap)}
    rows: list[tuple[object, ...]] = []
    for segment in (TOTAL, *snap.segments):
        row = found[definition_of(ALL_ENDED, COHORT, "count"), segment]
        naive = found[definition_of(DECIDED, NAIVE, "count"), segment].value
        first, end = (np.datetime64(snap.calendar.start(_period(text) + k), "D") for text, k in _ends(row))
        here = (day >= first) & (day < end) & ((names == segment) | (segment == TOTAL))
        rows.append((name, segment, float(chance[here].mean()), row.value, row.low, row.high, naive))
    return rows


def _ends(row: object) -> tuple[tuple[str, int], tuple[str, int]]:
    return (row.first, 0), (row.last, 1)  # type: ignore[attr-defined]


def _period(text: str) -> int:
    return parse_period(text)


def _of_leads(snap: Snapshot) -> list[tuple[object, ...]]:
    """Return the shares of leads worked, and of those worked that are qualified, by the mix of their channels."""
    leads = snap.leads
    assert leads is not None
    becomes = leads["channel"].map(dict(zip(par.CHANNELS, par.CONVERSION, strict=True))).to_numpy(dtype=float)
    worked = 1 - (1 - becomes) * LEFT_UNDECIDED * NEVER_WORKED
    rows: list[tuple[object, ...]] = []
    for row in hand_over_rows(snap):
        if row.cohort != ALL or row.step not in STEPS[:2]:
            continue
        here = (leads["segment"] == row.segment).to_numpy() | (row.segment == TOTAL)
        here &= (leads["created_on"] >= f"{row.first}-01").to_numpy()
        share = worked[here].mean() if row.step == STEPS[0] else becomes[here].sum() / worked[here].sum()
        rows.append((row.step, row.segment, float(share), row.value, row.low, row.high, np.nan))
    return rows


def report(seeds: Iterable[int], *, keep: bool) -> None:
    """Print the share held by rate and of all, with the standard error over companies."""
    table = pd.concat([held(seed) for seed in seeds], ignore_index=True)
    told, rows = table[table["value"].notna()], []
    as_recorded = told[~told["rate"].str.endswith("left open")]
    for name, part in [*told.groupby("rate", sort=False), ("all as recorded", as_recorded)]:
        by_company = part.groupby("seed")["held"].mean()
        error = float(by_company.std() / np.sqrt(len(by_company)))
        total = part[part["segment"] == TOTAL]
        print(
            f"{name:36s} held {part['held'].mean():.3f} +- {error:.3f} of {len(part)} "
            f"(true {total['true'].mean():.3f}, value {total['value'].mean():.3f}, naive {total['naive'].mean():.3f})"
        )
        case = f"{name}, {len(by_company)} companies"
        rows += [(case, "in the 95 % interval", float(part["held"].mean()), "share")]
        rows += [(case, "in the 95 % interval, standard error", error, "share")]
    if keep:
        record("scorecard rates", rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["rates"])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--report", action="store_true", help="take the seeds of the report, and record the figures")
    asked = parser.parse_args()
    design = range(FIRST_SEED, FIRST_SEED + asked.seeds)
    report(SCORECARD if asked.report else design, keep=asked.report)
