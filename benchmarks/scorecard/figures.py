"""Do the intervals of the scorecard's figures hold: quota attainment, sales process, existing business, cost of sales?

    python -m benchmarks.scorecard.figures              seeds for designing
    python -m benchmarks.scorecard.figures --report     the companies that figures come from

A small company is drawn out of a large one (`drawn`), and its intervals should hold the large one's figure 95 times of
100. In `these months` both are of the same twelve months, with their luck and their rhythm. An interval that takes
months for its units knows that months differ, too, and is wider than that needs. What it says is asked with `months
drawn`: twelve of the last 36 months are drawn, in each of them some of the deals, and the truth is that of all 36.

Of forecast accuracy the deals are no sample: it is people who err. So a company's people forecast anew, again and
again, and the truth is the share within so much of what was booked over all these times (`forecasts made anew`).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from benchmarks.accuracy.tracks import log_of
from benchmarks.results import record
from benchmarks.scorecard.drawn import AS_OF, SHARE, STREAM, Large, draw_accounts, draw_reps, large_company, share_held
from benchmarks.seeds import SCORECARD
from forecast import seeds
from forecast.data.known.snapshot import snapshot
from forecast.data.schema import TOTAL, Log
from forecast.data.submissions import official_forecasts
from forecast.evaluation.scorecard.definition import Definition
from forecast.evaluation.scorecard.figures import accuracy, attainment, cost, existing, intervals, process
from forecast.evaluation.scorecard.known import Known, known_of
from forecast.evaluation.scorecard.measures import typed_existing
from forecast.evaluation.scorecard.spans import Span, year_of
from forecast.simulation.company import simulate
from forecast.simulation.records.submitted import make_submitted

FIRST_SEED, SEEDS = 601, 40

OPPORTUNITIES, AGAIN, EVERY = 6_000, 40, 10
"""Of forecasts: opportunities of a company, how often its people forecast anew, and of which seeds (one in so many)."""

YEARS, YEAR = 36, 12
"""Months drawn from, and how many are drawn."""

COLUMNS = ("seed", "way", "figure", "definition", "segment", "true", "value", "low", "high")
THESE, DRAWN, ANEW = "these months", "months drawn", "forecasts made anew"


def rows_of(seed: int) -> Iterator[dict[str, object]]:
    """Yield COLUMNS: the figures of small companies beside those of the large one they were drawn out of."""
    rng, large = seeds.generator(seed, STREAM), large_company(seed)
    known = known_of(large.log, large.now)
    yield from drawn_rows(seed, large, known, rng)
    yield from month_rows(seed, known, rng)


def drawn_rows(seed: int, large: Large, known: Known, rng: np.random.Generator) -> Iterator[dict[str, object]]:
    """Yield COLUMNS of the same twelve months."""
    span = year_of(large.now).now
    log = draw_accounts(large.log, rng)
    now = snapshot(log, as_of=AS_OF)
    small, same = known_of(log, now), year_of(now).now
    pairs = [
        (attainment.attainment(known, span), attainment.attainment(_some_reps(known, rng), span)),
        (existing.existing_business(known, span), existing.existing_business(small, same)),
        (process.process(known, span), process.process(small, same)),
        (cost.cost_of_sales(known, span), cost.cost_of_sales(small, same)),
    ]
    for true_rows, rows in pairs:
        truth = {(row.figure, row.definition, row.segment): row.value for row in true_rows if not row.missing}
        for row in rows:
            name = (row.figure, row.definition, row.segment)
            if name in truth and _asked(row):
                scale = SHARE if row.figure == cost.VELOCITY else 1.0
                yield _row(seed, THESE, row, truth[name] * scale)


def _some_reps(known: Known, rng: np.random.Generator) -> Known:
    snap = draw_reps(known.snap, rng)
    wins = snap.opportunities[snap.opportunities["outcome"] == "won"]
    return replace(known, snap=snap, wins=wins.assign(period=snap.calendar.period_of(wins["closed_on"])))


def _asked(row: Definition) -> bool:
    """Return whether a row is a figure with an interval of its own: new business is the rest beside existing."""
    return not row.missing and row.unit != "count" and row.figure != existing.NEW and row.of != "segments"


def _row(seed: int, way: str, row: Definition, true: float) -> dict[str, object]:
    names = ("figure", "definition", "segment", "value", "low", "high")
    return {"seed": seed, "way": way, "true": true} | {name: getattr(row, name) for name in names}


# -- months drawn ----------------------------------------------------------------------------------------


def month_rows(seed: int, known: Known, rng: np.random.Generator) -> Iterator[dict[str, object]]:
    """Yield COLUMNS of twelve months drawn out of YEARS, by the intervals that the figures have."""
    last = year_of(known.snap).now.last
    months = Span(first=last - YEARS + 1, last=last)
    drawn = rng.integers(months.first, months.last + 1, YEAR)
    deals = process.followed_by_deal(known)
    assert deals is not None
    wins = known.wins[known.wins["amount"].notna()]
    wins = wins.assign(existing=typed_existing(wins))
    both = cost.FUNCTIONS["sales and marketing"]
    for segment in (TOTAL, *known.snap.segments):
        ours, won = (rows if segment == TOTAL else rows[rows["segment"] == segment] for rows in (deals, wins))
        spent = cost.cost_by_month(known, months, functions=both, segment=segment)
        unit, closed, closed_all = _some_of(ours, months, drawn, rng)
        sold_in, sold, sold_all = _some_of(won, months, drawn, rng)
        money = spent[drawn - months.first] * SHARE
        found = {
            (process.FIGURE, name): (
                closed[name].mean(),
                intervals.share_by(closed[name], unit),
                closed_all[name].mean(),
            )
            for name in ("in_order", "none_skipped", "dates_kept", "not_stalled")
        }
        old, old_all = sold["existing"] * sold["amount"], sold_all["existing"] * sold_all["amount"]
        over, under, wins_by = (np.bincount(sold_in, w, YEAR) for w in (old, sold["amount"], np.ones(len(sold))))
        found |= {
            (existing.FIGURE, "by type, by value"): (
                over.sum() / under.sum(),
                intervals.share_of_amounts(sold["existing"], sold["amount"], sold_in),
                old_all.sum() / sold_all["amount"].sum(),
            ),
            (existing.FIGURE, "by type, by count"): (
                sold["existing"].mean(),
                intervals.share_by(sold["existing"], sold_in),
                sold_all["existing"].mean(),
            ),
            (cost.COST, "sales and marketing"): (
                money.sum() / under.sum(),
                intervals.ratio(money, under),
                spent.sum() / sold_all["amount"].sum(),
            ),
            (cost.PER_WIN, "sales and marketing"): (
                money.sum() / wins_by.sum(),
                intervals.ratio(money, wins_by),
                spent.sum() / len(sold_all),
            ),
        }
        for (figure, definition), (value, (low, high), true) in found.items():
            facts = {"true": true, "value": value, "low": low, "high": high}
            yield {"seed": seed, "way": DRAWN, "figure": figure, "definition": definition, "segment": segment} | facts


def _some_of(
    rows: pd.DataFrame, months: Span, drawn: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
    """Return some rows of each month drawn, in which of the draws each is, and the rows of all months.

    drawn : (m,) periods, of which one may come again; SHARE of its rows are drawn each time, with replacement.
    """
    every = rows[months.has(rows["period"])].reset_index(drop=True)
    places = [np.flatnonzero(every["period"] == period) for period in drawn]
    picks = [rng.choice(place, rng.poisson(SHARE * len(place))) for place in places if len(place)]
    unit = np.repeat(np.arange(len(picks)), [len(pick) for pick in picks])
    return unit, every.iloc[np.concatenate(picks)], every


# -- forecasts made anew ---------------------------------------------------------------------------------


def forecast_rows(seed: int) -> Iterator[dict[str, object]]:
    """Yield COLUMNS: the accuracy of each time that the people of a company forecast, beside that of all times."""
    company = simulate(opportunities=OPPORTUNITIES, end=AS_OF[:7], seed=seed)
    log = log_of(company)
    known, truth = known_of(log, snapshot(log, as_of=AS_OF)), company.truth
    span, found = year_of(known.snap).now, []
    for k in range(AGAIN):
        settings = replace(company.settings, seed=1_000_000 + seed * AGAIN + k)
        table = make_submitted(settings, truth.clock, truth.staff, truth.pipeline.deals)
        found.append(accuracy.accuracy(_with_forecasts(known, log, table), span))
    every = pd.DataFrame([_row(seed, ANEW, row, np.nan) for rows in found for row in rows if not row.missing])
    yield from every.assign(true=every.groupby("definition")["value"].transform("mean")).to_dict("records")


def _with_forecasts(known: Known, log: Log, table: pd.DataFrame) -> Known:
    """Return what is known with other forecasts."""
    log = replace(log, tables={**log.tables, "submitted_forecasts": table})
    issued = official_forecasts(log, as_of=AS_OF)
    starts = {int(period): known.snap.calendar.start(int(period)) for period in issued["target"].unique()}
    early = issued[issued["submitted_on"] < issued["target"].map(starts).astype("datetime64[us]")]
    last = early.sort_values(["segment", "target", "origin"]).drop_duplicates(["segment", "target"], keep="last")
    snap = replace(known.snap, submitted_forecasts=table[table["submitted_on"] <= AS_OF].reset_index(drop=True))
    return replace(known, snap=snap, issued=issued, official=last.reset_index(drop=True))


# -- the report ------------------------------------------------------------------------------------------


def held(companies: Iterable[int]) -> pd.DataFrame:
    """Return COLUMNS and whether it held, one row a seed, figure and segment (of forecasts one a time)."""
    rows = [row for seed in companies for row in rows_of(seed)]
    rows += [row for seed in list(companies)[::EVERY] for row in forecast_rows(seed)]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    # An end that is not known bounds nothing; with neither there is no interval.
    table = table[table["low"].notna() | table["high"].notna()]
    return table.assign(held=~((table["true"] < table["low"]) | (table["true"] > table["high"])))


def report(companies: Iterable[int], *, keep: bool) -> None:
    """Print the share held by figure and definition, with its standard error over companies; record it by figure."""
    table, rows = held(companies), []
    by_figure, where = table["way"] + ": " + table["figure"], np.where(table["segment"] == TOTAL, "", ", by segment")
    # Of forecasts whoever submits and whenever: their number is beside the point.
    definition = table["definition"].where(table["way"] != ANEW, table["definition"].str.split(",").str[0])
    for names, recorded in ((by_figure + ", " + definition + where, False), (by_figure, True), (table["way"], True)):
        for name, part in table.groupby(names, sort=False):
            told, of_part = share_held(part, name)
            print(f"{name:90s} {told}, true {part['true'].mean():.4g}")
            rows += of_part if recorded else []
    if keep:
        record("scorecard figures", rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--report", action="store_true", help="take the seeds of the report, and record the figures")
    asked = parser.parse_args()
    design = range(FIRST_SEED, FIRST_SEED + asked.seeds)
    report(SCORECARD[:30] if asked.report else design, keep=asked.report)
