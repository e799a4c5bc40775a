"""Does the scorecard claim that figures changed since joint planning began, where planning changes nothing?

    python -m benchmarks.planning.scorecard [--report]

Companies of the simulator without an effect of planning (the zero-effect twin: what is submitted is as good before a
start as after it): any figure said to have changed is a false claim. Their twins in which the official forecast errs
less since the start show how often that is found in the share of forecasts within a bound. One claim or more on a page
counts once. `any claim` counts claims of a change on the year before (or of its last months) as well, of shares and
ratios: a market moves, so that bookings and customers may truly be more; `with amounts` counts those, too.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from benchmarks.accuracy.tracks import log_of
from benchmarks.results import record
from benchmarks.seeds import SCORECARD_CLAIMS
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
    card = scorecard(log, as_of=as_of).set_index("measure")
    told = card[["against_year", "against_late"]].isin(["above", "below"]).any(axis=1)
    of_share = card["unit"].isin(["share", "ratio"])
    rows = rows[["figure", "definition", "change", "change_p", "verdict"]]
    facts = {"on_the_year": bool((told & of_share).any()), "with_amounts": bool(told.any())}
    return rows.assign(seed=seed, effect=effect, measures=", ".join(told.index[told]), **facts)


def summary(rows: pd.DataFrame) -> dict[str, float]:
    """Return the share of pages with a claim, its standard error, and how many figures a page asks about."""
    pages = rows.groupby("seed")["verdict"].agg(claims=lambda v: (v == CHANGED).any(), asked="size")
    identified = rows.groupby("seed")["verdict"].agg(lambda v: (v != NOT_IDENTIFIED).any())
    share = float(pages["claims"].mean())
    by_seed = rows.groupby("seed")[["on_the_year", "with_amounts"]].any()
    any_claim = float((pages["claims"] | by_seed["on_the_year"]).mean())
    return {
        "pages with a claim": share,
        "pages with a claim, standard error": float(np.sqrt(share * (1 - share) / len(pages))),
        "any claim": any_claim,
        "any claim, standard error": float(np.sqrt(any_claim * (1 - any_claim) / len(pages))),
        "any claim, with amounts": float((pages["claims"] | by_seed["with_amounts"]).mean()),
        "figures asked about": float(pages["asked"].mean()),
        "pages on which anything can be told": float(identified.mean()),
    }


def main() -> None:
    """Run, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="601,602,603,604", help="of design; --report takes those of the report")
    parser.add_argument("--opportunities", type=int, default=20_000)
    parser.add_argument("--effects", default=",".join(map(str, EFFECTS)), help="share of the error that is taken away")
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    seeds = SCORECARD_CLAIMS if options.report else tuple(map(int, options.seeds.split(",")))
    for effect in map(float, options.effects.split(",")):
        rows = pd.concat([asked(seed, effect=effect, opportunities=options.opportunities) for seed in seeds])
        found = summary(rows)
        name = f"effect {effect:.0%}, {len(seeds)} companies of {options.opportunities} opportunities"
        print(name, {key: round(value, 3) for key, value in found.items()}, flush=True)
        claimed = rows[rows["verdict"] == CHANGED].groupby(["figure", "definition"]).size()
        print(claimed.to_string() if len(claimed) else "no claim", flush=True)
        years = rows.drop_duplicates("seed")["measures"].value_counts()
        print("on the year before:", years[years.index != ""].to_dict(), flush=True)
        if options.report:
            record("scorecard", [(name, key, value, "") for key, value in found.items()])


if __name__ == "__main__":
    main()
