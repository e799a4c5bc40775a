"""The questions behind the words of each page, all estimates of one page together, so that they are held to one level.

Every evaluative word on the pages of the odds (02), the record (04, and the leader's page, which repeats some of it)
and the scorecard (06) stands for a finding from here; `judgement` says how each is tested. What a page is about weighs
more than its details; the weights were fixed before any of this was measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from forecast.calendar import parse_periods
from forecast.evaluation.judgement import (
    Estimate,
    Finding,
    coverage,
    judge,
    mean_of,
    odds_in_the_end,
    odds_level,
    odds_of_last_day,
    odds_slope,
    of_test,
)
from forecast.evaluation.scores.amounts import ratio
from forecast.evaluation.scores.comparison import (
    FEWEST,
    PairedTest,
    compare,
    degrees_of_freedom,
    diebold_mariano,
    paired_targets,
)
from forecast.evaluation.scores.scoring import BASELINE

MODEL, NOMINAL = "pipeline", 0.8
COMPANY_SKILL = "skill total"
"""The question whether the model beats the benchmark for the company."""

COMPANY_RANGES = "ranges total"
"""The question whether the ranges of the company's months held as often as promised."""

COMBINED = "combined"
COMBINED_SKILL = "combined total"
"""The question whether the combination of the forecasters beats the model for the company."""

LEVELS = ("segment", "total")
APART = 3
"""Months between the days on which odds are checked."""

WEIGHTS: Mapping[str, float] = {
    "odds slope": 4.0,
    "odds level": 3.0,
    "odds lately": 2.0,
    "skill segment": 6.0,
    "skill total": 3.0,
    "ranges segment": 3.0,
    "ranges total": 3.0,
    "bias": 1.0,
    "change": 0.25,
    "override": 0.25,
}
"""Question -> its share of a page's level; 1 for all others."""

_FIGURES = ("value", "promised", "low", "high", "p_value", "n", "unit", "fewest", "margin", "weight")
COLUMNS = ("question", *_FIGURES, "ours", "theirs", "agreeing")
"""What a table of findings holds of each estimate, before p_page and verdict."""


# -- the odds --------------------------------------------------------------------------------------------


def of_odds(
    past: pd.DataFrame, ended: pd.DataFrame, *, horizon: int, opinion: PairedTest | None = None
) -> dict[str, Finding]:
    """Return what may be said of the odds: level, also of late, slope, use, a win ever, and a second model's.

    past : origin, p, won, of `deal_track`. ended : of `ever_track`. horizon : months within which a win of `past`
    counts. opinion : the test of `second_opinion`, where there is one.

    `odds level`, `odds lately` (of the last day) and `odds slope` : see `judgement`; `odds use` : share of the Brier
    score of one probability for all that the odds take off, above 0 = they are nearer; `odds ever i` : of row i of
    `ended`; `second opinion` : above 0 = the other is nearer.
    """
    overlap = max(1, -(-horizon // APART))
    three = {"happened": past["won"], "probability": past["p"], "day": past["origin"], "overlap": overlap}
    estimates = {
        "odds level": odds_level(**three, weight=WEIGHTS["odds level"]),
        "odds lately": odds_of_last_day(**three, weight=WEIGHTS["odds lately"]),
        "odds slope": odds_slope(**three, weight=WEIGHTS["odds slope"]),
        "odds use": _use(past, alike=0.0 if overlap == 1 else None),
    }
    for i, row in enumerate(ended.to_dict("records")):
        estimates[f"odds ever {i}"] = odds_in_the_end(
            row["won"], row["expected_by"], row["spread"], deals=row["deals"], weight=1 / len(ended)
        )
    if opinion is not None:
        estimates["second opinion"] = of_test(opinion, value=opinion.mean_difference, unit="day")
    return judge(estimates)


def _use(past: pd.DataFrame, *, alike: float | None) -> Estimate:
    """Return what the odds take off the Brier score of one probability for all, by day; a day counts by its deals.

    alike : of the days, as `diebold_mariano` takes it.
    """
    if past.empty:
        return mean_of([])
    same = (past["won"].mean() - past["won"]) ** 2
    losses = pd.DataFrame({"same": same, "ours": (past["p"] - past["won"]) ** 2}).groupby(past["origin"]).sum()
    test = diebold_mariano(losses["same"], losses["ours"], alike=alike)
    return of_test(test, value=1 - ratio(losses["ours"].sum(), losses["same"].sum()), unit="day")


# -- the record ------------------------------------------------------------------------------------------


def of_record(
    scored: pd.DataFrame,
    steps: pd.DataFrame,
    habits: pd.DataFrame,
    changes: pd.DataFrame,
    overrides: pd.DataFrame | None = None,
) -> dict[str, Finding]:
    """Return what may be said of the track record, by question.

    scored : what `score` gave. steps, habits, changes : of `value_added`, `habits` by submitter and `adjustments`.
    overrides : of `values_by_cut`, where people wrote down what they changed or why.

    `skill segment`, `skill total` : share of the benchmark's miss that the model's is smaller by, all lead times
    together. `ranges …` : share of its 80 % ranges that held at the shortest lead time; further ahead months overlap,
    and two years of them tell next to nothing. `bias` : of segments' months at the shortest lead time. `step i`,
    `habit i`, `change i`, `override i` : of row i. `combined total` : share of the model's miss of the company's months
    that the combination's is smaller by, all lead times together; only where there is a combination.
    """
    months = scored[(scored["span"] == "month") & scored["error"].notna()]
    estimates: dict[str, Estimate] = {}
    for level in LEVELS:
        rows = months[months["level"] == level]
        estimates[f"skill {level}"] = _skill(rows, weight=WEIGHTS[f"skill {level}"])
        ours = rows[rows["model"] == MODEL]
        first = ours[ours["horizon"] == shortest_lead(ours)]
        target, overlap = parse_periods(first["target_period"]), max(shortest_lead(ours), 1)
        name = f"ranges {level}"
        estimates[name] = coverage(first["in80"], target, nominal=NOMINAL, overlap=overlap, weight=WEIGHTS[name])
    company = months[months["level"] == "total"]
    if (company["model"] == COMBINED).any():
        estimates[COMBINED_SKILL] = _skill(company, weight=1.0, ours=COMBINED, other=MODEL)
    estimates["bias"] = _bias(months[(months["model"] == MODEL) & (months["level"] == "segment")])
    estimates |= {f"step {i}": of_comparison(row) for i, row in enumerate(steps.to_dict("records"))}
    estimates |= {f"habit {i}": of_habit(row) for i, row in enumerate(habits.to_dict("records"))}
    weight = WEIGHTS["change"]
    estimates |= {f"change {i}": of_comparison(row, weight=weight) for i, row in enumerate(changes.to_dict("records"))}
    if overrides is not None:
        estimates |= {f"override {i}": of_override(row) for i, row in enumerate(overrides.to_dict("records"))}
    return judge(estimates)


def shortest_lead(rows: pd.DataFrame) -> int:
    """Return the shortest lead time of one month or more among scored rows, else that of the month in progress."""
    leads = rows.loc[rows["horizon"] >= 1, "horizon"]
    return int(leads.min()) if len(leads) else 0


def _skill(rows: pd.DataFrame, *, weight: float, ours: str = MODEL, other: str = BASELINE) -> Estimate:
    pair = paired_targets(rows, ours, other)
    if pair.empty:
        return mean_of([], weight=weight)
    figures = compare(pair)
    value = ratio(figures["added"], figures["wape_before"])
    return _of_two(of_test(_test(figures), value=value, weight=weight), figures)


def _bias(ours: pd.DataFrame) -> Estimate:
    rows = ours[ours["horizon"] == shortest_lead(ours)]
    by_month = rows.assign(t=parse_periods(rows["target_period"])).groupby("t")["error"].mean()
    test = diebold_mariano(by_month, np.zeros(len(by_month)))
    return of_test(test, value=ratio(rows["error"].sum(), rows["observed"].sum()), weight=WEIGHTS["bias"])


def of_comparison(row: Mapping[Any, Any], *, weight: float = 1.0) -> Estimate:
    """Return the estimate of a row of `value_added` or `adjustments`: what it takes off the miss, in shares of 1."""
    return _of_two(of_test(_test(row), value=float(row["added"]), weight=weight), row)


def of_override(row: Mapping[Any, Any]) -> Estimate:
    """Return the estimate of a row of `values_by_cut`: what overrides took off the miss of their base."""
    return Estimate(
        value=float(row["added"]),
        promised=0.0,
        low=float(row["low"]),
        high=float(row["high"]),
        p_value=float(row["p_value"]),
        n=int(row["months"]),
        unit="month",
        fewest=FEWEST,
        weight=WEIGHTS["override"],
        ours=float(row["wape"]),
        theirs=float(row["wape_before"]),
        agreeing=float(row["agreeing"]),
    )


def _of_two(estimate: Estimate, figures: Mapping[Any, Any]) -> Estimate:
    """Return the estimate with the misses of both forecasts and the months that agree; figures of `compare`."""
    ours, theirs, agreeing = (float(figures.get(name, np.nan)) for name in ("wape", "wape_before", "agreeing"))
    return replace(estimate, ours=ours, theirs=theirs, agreeing=agreeing)


def of_habit(row: Mapping[Any, Any]) -> Estimate:
    """Return the estimate of a row of `habits`: the bias, in shares of 1."""
    return of_test(_test(row), value=float(row["bias"]))


def _test(row: Mapping[Any, Any]) -> PairedTest:
    statistic = float(row["statistic"])
    return PairedTest(
        statistic=statistic,
        df=int(row.get("df", degrees_of_freedom(row["months"]))),
        p_value=float(row["p_value"]),
        mean_difference=statistic,
        n=int(row["months"]),
    )


def with_page(table: pd.DataFrame, findings: Mapping[str, Finding], kind: str) -> pd.DataFrame:
    """Return a table of steps, habits or changes with `p_holm` corrected over all words of the page."""
    p = [findings[f"{kind} {i}"].p_page for i in range(len(table))]
    return table.assign(p_holm=np.array(p, dtype=np.float64))


# -- tables of findings ------------------------------------------------------------------------------------


def as_table(findings: Mapping[str, Finding]) -> pd.DataFrame:
    """Return findings as a table, one row each: COLUMNS, p_page and verdict."""
    rows = []
    for name, found in findings.items():
        facts = {column: getattr(found.estimate, column) for column in COLUMNS[1:]}
        rows.append({"question": name, **facts, "p_page": found.p_page, "verdict": found.verdict})
    return pd.DataFrame(rows, columns=[*COLUMNS, "p_page", "verdict"])


def from_rows(rows: Iterable[Mapping[str, Any]]) -> dict[str, Finding]:
    """Return the findings of the rows of such a table by question; numbers that know their cells still know them."""
    found = {}
    for row in rows:
        estimate = Estimate(**{column: row[column] for column in COLUMNS[1:]})
        found[str(row["question"])] = Finding(estimate=estimate, p_page=row["p_page"], verdict=row["verdict"])
    return found
