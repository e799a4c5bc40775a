"""Do the intervals of the scorecard's figures hold: attainment of quota, the sales process, new and existing business?

    python -m benchmarks.accuracy.scorecard_figures [--seeds 601-640]

Simple case: a large simulated company is the truth. A small company is drawn out of it - some of its accounts with all
their deals, or some of its reps - and its intervals should hold the large one's figure 95 times of 100. Months, their
luck and their rhythm are the same in both, so what is held is what the figure tells of these months.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from benchmarks.accuracy.tracks import log_of
from forecast.data.known.snapshot import snapshot
from forecast.data.schema import TOTAL, Log
from forecast.evaluation.scorecard.definition import Definition
from forecast.evaluation.scorecard.figures import attainment, existing, process
from forecast.evaluation.scorecard.known import Known, known_of
from forecast.evaluation.scorecard.spans import Span, year_of
from forecast.simulation.company import simulate

END = "2026-10"
AS_OF = "2026-10-31"
LARGE = 60_000
"""Opportunities of the company that is the truth."""

ACCOUNTS, REPS = 40, 10
"""One in so many accounts, and one in so many reps, make a small company."""

COLUMNS = ("seed", "figure", "definition", "value", "low", "high", "n", "truth", "held")


def drawn(log: Log, rng: np.random.Generator) -> Log:
    """Return a small company: one in ACCOUNTS of the accounts with all their deals and the history of these."""
    deals = log.tables["opportunities"]
    accounts = pd.unique(deals["account_id"].dropna())
    kept = rng.choice(accounts, len(accounts) // ACCOUNTS, replace=False)
    ours = deals[deals["account_id"].isin(kept)].reset_index(drop=True)
    history = log.tables["opportunity_history"]
    rows = history[history["opportunity_id"].isin(ours["opportunity_id"])].reset_index(drop=True)
    return replace(log, tables={**log.tables, "opportunities": ours, "opportunity_history": rows})


def _known(log: Log) -> tuple[Known, Span]:
    snap = snapshot(log, as_of=AS_OF)
    return known_of(log, snap), year_of(snap).now


def _some_reps(known: Known, rng: np.random.Generator) -> Known:
    """Return what is known with the quotas of one in REPS of the reps alone."""
    quotas = known.snap.quotas
    assert quotas is not None
    names = pd.unique(quotas["owner"])
    kept = rng.choice(names, len(names) // REPS, replace=False)
    return replace(known, snap=replace(known.snap, quotas=quotas[quotas["owner"].isin(kept)]))


def _total(rows: Iterable[Definition]) -> dict[tuple[str, str], Definition]:
    """Return the rows of all segments by name, without new business, the rest beside existing business."""
    told = (row for row in rows if row.segment == TOTAL and not row.missing and row.figure != existing.NEW)
    return {(row.figure, row.definition): row for row in told}


def held_in(seed: int) -> Iterator[dict[str, object]]:
    """Yield COLUMNS: the figures of a small company beside those of the large one it was drawn out of."""
    rng = np.random.default_rng(seed)
    log = log_of(simulate(opportunities=LARGE, end=END, seed=seed))
    known, span = _known(log)
    small, same = _known(drawn(log, rng))
    pairs = [
        (attainment.attainment(known, span), attainment.attainment(_some_reps(known, rng), span)),
        (existing.existing_business(known, span), existing.existing_business(small, same)),
        (process.process(known, span), process.process(small, same)),
    ]
    for true_rows, rows in pairs:
        truth = _total(true_rows)
        for name, row in _total(rows).items():
            if name in truth and row.unit != "count" and not np.isnan(row.low) and row.of != "segments":
                true = truth[name].value
                facts = {"value": row.value, "low": row.low, "high": row.high, "n": row.n}
                yield {"seed": seed, "figure": name[0], "definition": name[1], **facts, "truth": true} | {
                    "held": not (true < row.low or true > row.high)  # an end that is not known bounds nothing
                }


def coverage(seeds: Iterable[int]) -> pd.DataFrame:
    """Return COLUMNS, one row a seed and figure."""
    return pd.DataFrame([row for seed in seeds for row in held_in(seed)], columns=list(COLUMNS))


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="601-640", help="first and last seed; 601 to 999 are free for designing")
    seeds = _seeds(parser.parse_args().seeds)
    table = coverage(seeds)
    by = table.groupby(["figure", "definition"], sort=False)["held"].agg(["mean", "size"])
    print(by.to_string(float_format="{:.3f}".format))
    by_seed = table.groupby("seed")["held"].mean()
    error = float(by_seed.std(ddof=1) / np.sqrt(len(by_seed)))
    print(f"pooled: {table['held'].mean():.3f} of {len(table)}, s.e. over companies {error:.3f}")


if __name__ == "__main__":
    main()
