"""Does the scorecard claim that figures changed since joint planning began, where planning changes nothing?

    python -m benchmarks.planning.scorecard [--report]

Companies of the simulator without an effect of planning (the zero-effect twin: what is submitted is as good before a
start as after it): any figure said to have changed is a false claim. Their twins in which the official forecast errs
less since the start show how often that is found in the share of forecasts within a bound. One claim or more on a page
counts once. `any claim` counts claims of a change on the year before as well, of shares and ratios: a company grows, so
that its bookings and customers may truly be more.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from benchmarks.accuracy.tracks import log_of
from benchmarks.results import record
from benchmarks.seeds import SCORECARD
from forecast.evaluation.planning.verdict import NOT_IDENTIFIED
from forecast.evaluation.scorecard.card import scorecard
from forecast.evaluation.scorecard.definitions import scorecard_definitions
from forecast.evaluation.scorecard.figures.since_joint import CHANGED
from forecast.simulation.company import simulate

EFFECTS = (0.0, 0.3)


def asked(seed: int, *, effect: float, opportunities: int) -> pd.DataFrame:
    """Return the figures of one company that were asked about: figure, definition, change, change_p, verdict."""
    made = simulate(opportunities=opportunities, seed=seed, effect=effect)
    log = log_of(made)
    as_of = log.company.extracted_on or made.settings.end
    table = scorecard_definitions(log, as_of=as_of)
    rows = table[table["verdict"] != ""]
    card = scorecard(log, as_of=as_of)
    card = card[card["unit"].isin(["share", "ratio"])]
    year = card[["against_year", "against_late"]].isin(["above", "below"]).any(axis=None)
    rows = rows[["figure", "definition", "change", "change_p", "verdict"]]
    return rows.assign(seed=seed, effect=effect, on_the_year=bool(year))


def summary(rows: pd.DataFrame) -> dict[str, float]:
    """Return the share of pages with a claim, its standard error, and how many figures a page asks about."""
    pages = rows.groupby("seed")["verdict"].agg(claims=lambda v: (v == CHANGED).any(), asked="size")
    identified = rows.groupby("seed")["verdict"].agg(lambda v: (v != NOT_IDENTIFIED).any())
    share = float(pages["claims"].mean())
    any_claim = float((pages["claims"] | rows.groupby("seed")["on_the_year"].any()).mean())
    return {
        "pages with a claim": share,
        "pages with a claim, standard error": float(np.sqrt(share * (1 - share) / len(pages))),
        "any claim": any_claim,
        "figures asked about": float(pages["asked"].mean()),
        "pages on which anything can be told": float(identified.mean()),
    }


def main() -> None:
    """Run, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="601,602,603,604", help="of design; --report takes those of the report")
    parser.add_argument("--opportunities", type=int, default=20_000)
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    seeds = SCORECARD if options.report else tuple(map(int, options.seeds.split(",")))
    for effect in EFFECTS:
        rows = pd.concat([asked(seed, effect=effect, opportunities=options.opportunities) for seed in seeds])
        found = summary(rows)
        name = f"effect {effect:.0%}, {len(seeds)} companies of {options.opportunities} opportunities"
        print(name, {key: round(value, 3) for key, value in found.items()}, flush=True)
        claimed = rows[rows["verdict"] == CHANGED].groupby(["figure", "definition"]).size()
        print(claimed.to_string() if len(claimed) else "no claim", flush=True)
        if options.report:
            record("scorecard", [(name, key, value, "") for key, value in found.items()])


if __name__ == "__main__":
    main()
