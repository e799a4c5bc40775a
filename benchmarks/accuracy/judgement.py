"""How often overrides that are worth nothing are called worth something, and how often help is found.

    python -m benchmarks.accuracy.judgement [--seed N] [--companies N]

Simple case: a company of eight segments and two years, in which six people change a number before them (`base`) and
write a reason for two in five of their changes. What is booked is the same for all; errors follow the law of the
simulator (neighbouring months alike, thick tails, half shared between people). Worth nothing: base and amount are two
draws of one law, so neither is nearer. Where reasons help, an amount with a reason is REASON_HELPS nearer.

Everything goes through the public function, from the tables of a company to the verdicts.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from benchmarks.results import record
from benchmarks.seeds import JUDGEMENT
from forecast.calendar import period_labels
from forecast.data.checks.validation import validate
from forecast.data.schema import Company, Log
from forecast.evaluation.people.overrides import noted_overrides
from forecast.evaluation.people.value import CLOSER, FURTHER, value_of
from forecast.simulation.parameters import Settings
from forecast.simulation.records.submitted import error_draws

COMPANIES = 200
SEGMENTS, PEOPLE, AHEAD = 8, 6, 4
CHANGES, SHARED, NOISE = 0.6, 0.5, 0.3
"""Chance that a person changes a number; share of the errors' variance that people and base have in common; mean error
as a share of what is booked."""

HARDLY, LARGE, WRITES = 0.1, 0.25, (0.35, 0.55)
"""Changes below the first have no reason; below the second, and above it, with these chances."""

REASON_HELPS = 0.4
FIRST_PERIOD = 12 * 2024
BYS = (("submitter",), ("written",), ("submitter", "written"), ("direction", "size"), ("reason",))
REASONS = ("a large deal", "a campaign", "budgets are frozen", "a customer postponed")


def company(rng: np.random.Generator, *, months: int, helps: float) -> Log:
    """Return a company in which people change numbers; helps : what a written reason takes off the error."""
    longer = {"months": max(months, 24), "segments": SEGMENTS}
    settings = Settings(opportunities=1_000, end="2025-12", seed=0, effect=0.0, giant=False, **longer)
    level = 100.0 * np.exp(0.5 * rng.standard_normal(SEGMENTS))
    booked = level[:, None] * np.exp(0.15 * rng.standard_normal((SEGMENTS, months + AHEAD)))
    target = np.arange(months)[:, None] + np.arange(AHEAD)[None, :]
    actual = booked[:, target]
    common, *own = (error_draws(rng, settings)[:, :months] for _ in range(PEOPLE + 2))
    draws = [np.sqrt(SHARED) * common + np.sqrt(1 - SHARED) * each for each in own]
    base = np.maximum(actual + NOISE * level[:, None, None] * draws[0], 0.0)
    rows = []
    for person in range(PEOPLE):
        amount = np.maximum(actual + NOISE * level[:, None, None] * draws[1 + person], 0.0)
        # nobody explains what is hardly changed, and the more is changed the likelier is a reason
        change = np.abs(amount - base) / np.maximum(base, 1.0)
        written = rng.random(actual.shape) < np.where(change < HARDLY, 0.0, np.where(change < LARGE, *WRITES))
        amount = np.where(written, actual + (1 - helps) * (amount - actual), amount)
        g, t, h = np.nonzero(rng.random(actual.shape) < CHANGES)
        why = np.array(REASONS)[rng.integers(0, 2, len(g)) + 2 * (amount < base)[g, t, h]]
        rows.append(
            pd.DataFrame(
                {
                    "submitted_on": [f"{label}-05" for label in period_labels(FIRST_PERIOD + t)],
                    "target_period": period_labels(FIRST_PERIOD + t + h),
                    "segment": [f"S{i}" for i in g],
                    "submitter": f"P{person}",
                    "amount": amount[g, t, h].astype(str),
                    "base": base[g, t, h].astype(str),
                    "reason": np.where(written[g, t, h], why, None),
                }
            )
        )
    return validate({"opportunities": _deals(booked), "submitted_forecasts": pd.concat(rows)}, Company())


def _deals(booked: np.ndarray) -> pd.DataFrame:
    """Return one deal a segment and month, won in it."""
    g, t = np.indices(booked.shape).reshape(2, -1)
    days = [f"{label}-10" for label in period_labels(FIRST_PERIOD + t)]
    facts = {"segment": [f"S{i}" for i in g], "stage": "Won", "outcome": "won", "amount": booked.ravel().astype(str)}
    facts |= dict.fromkeys(("created_on", "closed_on", "expected_close_on"), days)
    return pd.DataFrame({"opportunity_id": [f"O{i}" for i in range(len(g))]} | facts)


def measure(*, months: int, helps: float, count: int, seed: int) -> dict[str, float]:
    """Return shares of companies, by what is counted: a claim in a table, and help that was found."""
    rng = np.random.default_rng([seed, months, round(100 * helps)])
    found: dict[str, list[float]] = {}
    for _ in range(count):
        each = noted_overrides(company(rng, months=months, helps=helps)).table
        lot = each.assign(submitter=rng.permutation(each["submitter"].to_numpy()))
        for name, rows, by in [*((" and ".join(by), each, by) for by in BYS), ("person by lot", lot, ("submitter",))]:
            table = value_of(rows, by=by)
            found.setdefault(f"claim: {name}", []).append(table["verdict"].isin([CLOSER, FURTHER]).any())
            found.setdefault(f"single p up to .05: {name}", []).append((table["p_value"] <= 0.05).mean())
            if name == "written":
                verdict = dict(zip(table["written"], table["verdict"], strict=True))
                found.setdefault("written closer", []).append(verdict["yes"] == CLOSER)
                found.setdefault("not written claimed", []).append(verdict["no"] in (CLOSER, FURTHER))
            if name == "submitter and written":
                yes = table[table["written"] == "yes"]
                found.setdefault("written closer, of persons", []).append((yes["verdict"] == CLOSER).mean())
            if name == "submitter":
                found.setdefault("error of added", []).append(float(np.abs(table["added"]).mean()))
                found.setdefault("error of shrunk", []).append(float(np.abs(table["shrunk"]).mean()))
    return {name: float(np.mean(values)) for name, values in found.items()}


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="of the companies, instead of the reported one")
    parser.add_argument("--companies", type=int, default=COMPANIES, help="how many")
    given = parser.parse_args()
    seed = JUDGEMENT if given.seed is None else given.seed
    for months in (12, 24):
        for helps in (0.0, REASON_HELPS):
            case = f"{months} months, a reason takes {helps:.0%} off"
            shares = measure(months=months, helps=helps, count=given.companies, seed=seed)
            for what, value in shares.items():
                print(f"{case:40s} {what:40s} {value:7.3f}", flush=True)
            if given.seed is None:
                record("judgement", [(case, what, value, "share") for what, value in shares.items()])


if __name__ == "__main__":
    main()
