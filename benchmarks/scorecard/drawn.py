"""A small company drawn out of a large one, so that the truth of any figure is known: what the large one says.

Simple case: of the large company's accounts some are drawn, each with all its deals and their history, its costs in
proportion, and likewise leads, and reps with their quotas. They are drawn with replacement, so that the draws are as
separate as interval formulas take them to be however large a part they are: who is drawn twice is two of them. What
the months did - their luck, their rhythm - is the same in both, so what is held is what a figure tells of these months.

The large company's log goes on for two years after the day that the figures are of: what became in the end of those who
were under way by then is read from the later log.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from benchmarks.accuracy.tracks import log_of
from forecast.data.known.snapshot import Snapshot, snapshot
from forecast.data.schema import Log
from forecast.simulation.company import simulate

LARGE, MONTHS, END = 48_000, 72, "2028-10"
"""Opportunities of the large company, months of its log, and the last of them."""

AS_OF, LATER = "2026-10-31", "2028-10-31"
"""The day that figures are of, and the day on which what became of all is known."""

SHARE = 1 / 5
"""Accounts, leads and reps of the small company, as a share of the large one's."""


STREAM = 101
"""Of the random numbers that draw: none that the simulation has."""


def share_held(part: pd.DataFrame, name: str) -> tuple[str, list[tuple[str, str, float, str]]]:
    """Return in words how often intervals held, with the standard error over companies, and the rows to record of it.

    part : seed, held, true, low, high. name : of the case.
    """
    by_company = part.groupby("seed")["held"].mean()
    held, error = float(part["held"].mean()), float(by_company.std() / np.sqrt(len(by_company)))
    above, below = (part["true"] < part["low"]).mean(), (part["true"] > part["high"]).mean()
    told = f"held {held:.3f} +- {error:.3f} of {len(part)} (too high {above:.3f}, too low {below:.3f})"
    case, measure = f"{name}, {len(by_company)} companies", "in the 95 % interval"
    return told, [(case, measure, held, "share"), (case, f"{measure}, standard error", error, "share")]


@dataclass(frozen=True, kw_only=True)
class Large:
    """A large company: its log, and what is known of it on AS_OF and LATER."""

    log: Log
    now: Snapshot
    later: Snapshot


def large_company(seed: int) -> Large:
    """Return the large company of a seed."""
    log = log_of(simulate(opportunities=LARGE, months=MONTHS, end=END, seed=seed))
    return Large(log=log, now=snapshot(log, as_of=AS_OF), later=snapshot(log, as_of=LATER))


def draw_accounts(log: Log, rng: np.random.Generator) -> Log:
    """Return a small company: SHARE of the accounts with all their deals and the history of these, and of the costs."""
    deals, history, costs = (log.tables[name] for name in ("opportunities", "opportunity_history", "costs"))
    kept = _copies(pd.unique(deals["account_id"].dropna()), rng)
    ours = kept.merge(deals, left_on="drawn", right_on="account_id").drop(columns="drawn")
    old = ours["opportunity_id"]
    ours["opportunity_id"], ours["account_id"] = _named(old, ours["copy"]), _named(ours["account_id"], ours["copy"])
    names = pd.DataFrame({"opportunity_id": old, "ours": ours["opportunity_id"]})
    rows = history.merge(names, on="opportunity_id").assign(opportunity_id=lambda frame: frame["ours"])
    rows = rows.drop(columns="ours").sort_values(["opportunity_id", "recorded_at"], kind="stable", ignore_index=True)
    ours = ours.drop(columns="copy").sort_values("opportunity_id", ignore_index=True)
    costs = costs.assign(amount=costs["amount"] * SHARE)
    tables = {**log.tables, "opportunities": ours[list(deals)], "opportunity_history": rows[list(history)]}
    return replace(log, tables={**tables, "costs": costs})


def draw_leads(snap: Snapshot, rng: np.random.Generator) -> pd.DataFrame:
    """Return SHARE of the leads that are known."""
    leads = snap.leads
    assert leads is not None
    place = np.sort(rng.integers(0, len(leads), round(SHARE * len(leads))))
    ours = leads.iloc[place].reset_index(drop=True)
    return ours.assign(lead_id=_named(ours["lead_id"], ours.groupby("lead_id").cumcount()))


def draw_reps(snap: Snapshot, rng: np.random.Generator) -> Snapshot:
    """Return what is known with SHARE of the reps who have a quota, and with their deals."""
    quotas, deals, history = snap.quotas, snap.opportunities, snap.history
    assert quotas is not None
    assert history is not None
    kept = _copies(pd.unique(quotas["owner"]), rng)

    def theirs(table: pd.DataFrame) -> pd.DataFrame:
        rows = kept.merge(table, left_on="drawn", right_on="owner")
        return rows.assign(owner=_named(rows["owner"], rows["copy"]))[list(table)]

    return replace(snap, quotas=theirs(quotas), opportunities=theirs(deals), history=theirs(history))


def _copies(names: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Return SHARE of some names drawn with replacement: drawn, and copy, 0 where it was not drawn before."""
    place = np.sort(rng.integers(0, len(names), round(SHARE * len(names))))
    table = pd.DataFrame({"drawn": pd.Series(np.asarray(names, dtype=object)[place], dtype="str")})
    return table.assign(copy=table.groupby("drawn").cumcount())


def _named(names: pd.Series, copy: pd.Series) -> pd.Series:
    """Return names, with the number of the copy where it is not the first."""
    return names.where(copy == 0, names + "." + copy.astype("str"))
