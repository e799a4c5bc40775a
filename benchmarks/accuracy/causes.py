"""Whether one cause put in alone gets the credit for what it did to the forecast.

    python -m benchmarks.accuracy.causes [--seeds 41,42] [--write]

Simple case: a simulated company in which nothing is recorded after a month's end is forecast a month later; then one
kind of thing is written into that month (amounts raised, dates moved, deals lost, …) and it is forecast again. The
earlier forecast is the same in both, so what the table of causes says in the one and not in the other is what was put
in. Its share is that of its own cause in the sum of the absolute differences of all ten.

A deal that closed has no clock any more: all of what was expected of it is `won` or `lost`. So what the quiet month's
clock did to these very deals is left out of the comparison; otherwise its absence would count against the cause.

What was put in is also seen by another model a month later, so that a part of it shows as `learned`. Both shares are
printed: as the table is, and with the model held still, which leaves `learned` out and all other pieces as they are.

Two things cannot be put in alone. Time always passes: for it the quiet month itself is looked at, and the clock moves
deals that are there (`older`), those to come (`not_yet_created`) and lets a month settle, from which the model learns.
And deals created in a month that is over also tell how many will come: they are put into a month still in progress,
which creation is not learned from.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

import forecast
from benchmarks.results import record
from benchmarks.seeds import CAUSES
from forecast.calendar import is_quarter
from forecast.data.checks.validation import validate
from forecast.data.schema import Log
from forecast.evaluation.changed import explained
from forecast.simulation.company import simulate, write

MONTHS, DEALS, SEGMENTS = 48, 5000, 4
Tables = dict[str, pd.DataFrame]
Edit = Callable[["Quiet"], Tables]


class Quiet:
    """A company in which nothing is recorded after a month's end; what is put in is recorded ten days later."""

    def __init__(self, log: Log, *, seed: int) -> None:
        """Cut the log at the end of its third month from the last."""
        calendar = log.company.periods
        self.period = calendar.period(log.extracted_on) - 3
        self.company = log.company
        self.before = calendar.end(self.period)
        self.at = (self.before + pd.Timedelta(days=10, hours=9)).tz_localize("UTC")
        snap = forecast.snapshot(log, as_of=self.before)
        history = snap.history
        assert history is not None
        deals = snap.opportunities.copy()
        keep = [name for name in log.opportunities if name in deals]
        self.deals = deals[keep]
        self.history = history[[name for name in log.get("opportunity_history") if name in history]]  # type: ignore[union-attr]
        self.stages = log.get("stages")
        self.last = self.history.groupby("opportunity_id").tail(1).set_index("opportunity_id")
        old = deals["created_on"] <= self.before - pd.Timedelta(days=10)
        is_open = deals[(deals["outcome"] == "open") & old]["opportunity_id"]
        rng = np.random.default_rng([seed, 5])
        self.picked = sorted(rng.choice(is_open, size=len(is_open) // 3, replace=False))
        self.side = {name: log.get(name) for name in ("plan", "marketing") if log.get(name) is not None}

    def named(self, outcome: str) -> str:
        """Return the stage of an outcome."""
        return str(self.stages.set_index("outcome")["stage"][outcome])

    def tables(self, rows: pd.DataFrame | None = None, deals: pd.DataFrame | None = None) -> Tables:
        """Return the tables with some rows of history put in; the deals end as these say, or as given."""
        history = self.history if rows is None else pd.concat([self.history, rows], ignore_index=True)
        return {
            "opportunities": self.deals if deals is None else deals,
            "opportunity_history": history,
            "stages": self.stages,
            **self.side,  # type: ignore[dict-item]
        }

    def rows(self, **changed: object) -> pd.DataFrame:
        """Return a new row of each picked deal, as the last but for what changed."""
        return self.last.loc[self.picked].reset_index().assign(recorded_at=self.at, **changed)

    def with_deals(self, rows: pd.DataFrame, **changed: object) -> Tables:
        """Return the tables with rows put in, and the same of the deals themselves."""
        deals = self.deals.copy()
        mine = deals["opportunity_id"].isin(self.picked)
        for name, value in changed.items():
            deals.loc[mine, name] = value
        return self.tables(rows, deals)


def amounts(quiet: Quiet) -> Tables:
    """Return the company with amounts raised by half."""
    return quiet.tables(quiet.rows(amount=quiet.last.loc[quiet.picked, "amount"].to_numpy() * 1.5))


def dates(quiet: Quiet) -> Tables:
    """Return the company with close dates moved two months later."""
    later = quiet.last.loc[quiet.picked, "expected_close_on"] + pd.Timedelta(days=61)
    return quiet.tables(quiet.rows(expected_close_on=later.to_numpy()))


def stages(quiet: Quiet) -> Tables:
    """Return the company with deals moved on to the next open stage."""
    names = list(quiet.stages.sort_values("position").query("outcome == 'open'")["stage"])
    ahead = dict(zip(names, [*names[1:], names[-1]], strict=True))
    return quiet.tables(quiet.rows(stage=quiet.last.loc[quiet.picked, "stage"].map(ahead).to_numpy()))


def closed(outcome: str, *, days: int) -> Edit:
    """Return what closes deals, dated so many days after the earlier day."""

    def edit(quiet: Quiet) -> Tables:
        stage, day = quiet.named(outcome), quiet.before + pd.Timedelta(days=days)
        return quiet.with_deals(quiet.rows(stage=stage), stage=stage, outcome=outcome, closed_on=day)

    return edit


def created(quiet: Quiet) -> Tables:
    """Return the company with as many deals created as were picked, each like one of them."""
    new = {name: f"new-{name}" for name in quiet.picked}
    like = quiet.deals[quiet.deals["opportunity_id"].isin(quiet.picked)].copy()
    like = like.assign(created_on=quiet.before + pd.Timedelta(days=10), opportunity_id=like["opportunity_id"].map(new))
    rows = quiet.rows()
    rows["opportunity_id"] = rows["opportunity_id"].map(new)
    return quiet.tables(rows, pd.concat([quiet.deals, like], ignore_index=True))


def moved(quiet: Quiet) -> Tables:
    """Return the company with deals passed to another segment."""
    where = quiet.deals.set_index("opportunity_id")["segment"]
    names = sorted(where.unique())
    following = dict(zip(names, [*names[1:], names[0]], strict=True))
    history = quiet.history.assign(segment=quiet.history["opportunity_id"].map(where))
    other = where[quiet.picked].map(following).to_numpy()
    rows = quiet.rows(segment=other)
    return quiet.with_deals(rows, segment=other) | {
        "opportunity_history": pd.concat([history, rows], ignore_index=True)
    }


PUT_IN: dict[str, tuple[str, Edit]] = {
    "amounts raised by half": ("amount", amounts),
    "close dates moved by two months": ("close_date", dates),
    "moved on a stage": ("stage", stages),
    "lost": ("lost", closed("lost", days=8)),
    "won": ("won", closed("won", days=8)),
    "won before, recorded late": ("restated", closed("won", days=-3)),
    "passed to another segment": ("restated", moved),
    "created": ("created", created),
}
"""What is put into a third of the open deals, the cause it belongs to, and how."""

CLOSED = ("lost", "won", "won before, recorded late")
"""Of what is put in, what closes deals."""


def by_cause(
    tables: Tables, quiet: Quiet, *, level: str = "company", in_progress: bool = False, without: bool = False
) -> pd.Series:
    """Return the amounts of the quarter by node and cause between the earlier day and a month (or 20 days) later.

    without : leave out what befell the picked deals.
    """
    days = pd.Timedelta(days=20)
    as_of = quiet.before + days if in_progress else quiet.company.periods.end(quiet.period + 1)
    log = validate(tables, replace(quiet.company, extracted_on=as_of))
    change = explained(log, forecast.snapshot(log, as_of=as_of), since=str(quiet.before.date()))
    table = change.causes[is_quarter(change.causes["target_period"]) & (change.causes["level"] == level)]
    table = table[table["target_period"] == table["target_period"].iloc[0]]
    sums = table.groupby(["node", "cause"])["amount"].sum()
    if without:
        mine = change.deals[change.deals["opportunity_id"].isin(quiet.picked)].groupby("cause")["amount"].sum()
        sums -= mine.reindex(sums.index.get_level_values("cause"), fill_value=0.0).to_numpy()
    return sums


def shares(seed: int) -> dict[str, tuple[float, float]]:
    """Return the shares of the credit that each thing put in gets, of one company; see `_shares`."""
    with tempfile.TemporaryDirectory() as folder:
        write(simulate(opportunities=DEALS, months=MONTHS, seed=seed, segments=SEGMENTS), folder)
        quiet = Quiet(forecast.read(folder), seed=seed)
    cases = (("company", False, False), ("company", False, True), ("segment", False, False), ("company", True, False))
    base = {
        (level, part, without): by_cause(quiet.tables(), quiet, level=level, in_progress=part, without=without)
        for level, part, without in cases
    }
    clock = base["company", False, False].groupby("cause").sum().abs()
    found = {}
    passed = clock["older"] + clock["not_yet_created"]
    found["time passing: deals there and to come"] = _shares(clock, float(passed))
    found["of it deals that are there"] = _shares(clock, float(clock["older"]))
    for name, (cause, edit) in PUT_IN.items():
        # Another segment takes from one and gives to the other: seen by segment.
        at = ("segment" if edit is moved else "company", edit is created, name in CLOSED)
        put_in = by_cause(edit(quiet), quiet, level=at[0], in_progress=at[1])
        added = put_in.sub(base[at], fill_value=0.0).abs().groupby("cause").sum()
        found[name] = _shares(added, float(added[cause]))
    return found


def _shares(added: pd.Series, credit: float) -> tuple[float, float]:
    """Return the share that a credit is of all that was added: as it is, and with the model held still."""
    return credit / float(added.sum()), credit / float(added.drop("learned").sum())


def main() -> None:
    """Print the shares of each thing put in: the mean over the companies and the least."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default=",".join(map(str, CAUSES)))
    parser.add_argument("--write", action="store_true", help="add the figures to results.csv")
    options = parser.parse_args()
    table = pd.DataFrame([shares(int(seed)) for seed in options.seeds.split(",")])
    as_it_is, still = (table.map(lambda pair, k=k: pair[k]).agg(["mean", "min"]).T for k in (0, 1))
    print(pd.concat({"as it is": as_it_is, "model still": still}, axis=1).round(4).to_string())
    if options.write:
        least = {"least share": as_it_is["min"], "least share, model still": still["min"]}
        case = f"{len(table)} companies"
        record(
            "causes", [(f"{n}, {case}", what, float(v), "share") for what, of in least.items() for n, v in of.items()]
        )


if __name__ == "__main__":
    main()
