"""Can a company like the sample answer? Whether joint planning helped, and whether the model beats the benchmark.

    python -m benchmarks.sample_answers [--seeds 9001-9020] [--out FILE] [--write]

Each company is made as `data/sample` is (the first seed of the list is the sample), with the effect and without it
(its zero-effect twin). Both go through `planning_errors` and `planning_effect` as a user's would; the model and the
benchmark stand against each other over the 24 month ends of a report, and "beyond luck" counts only where it would be
said whatever else page 04 says: p at most the level times the share of this question in all questions of that page.
Companies found in FILE are not made again, so that a run can be stopped and go on.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd

import forecast
from benchmarks.accuracy.tracks import log_of
from benchmarks.results import record
from benchmarks.seeds import SAMPLE
from forecast.data.known.settled import settled_actuals
from forecast.data.schema import Log
from forecast.data.submissions import submitters
from forecast.evaluation import questions
from forecast.evaluation.judgement import LEVEL
from forecast.evaluation.planning.errors import errors_in_detail
from forecast.evaluation.scores.comparison import compare, paired_targets
from forecast.evaluation.scores.scoring import score
from forecast.evaluation.value_added import KINDS, LADDER
from forecast.reporting.month.tables import origins
from forecast.simulation.company import simulate
from forecast.simulation.records.submitted import make_submitted

COMPANY = {"opportunities": 20_000, "segments": 12, "steady": True}
EFFECT = 0.3
LEADS = (1, 2, 3)
MISS = (0.20, 0.35)
"""Official miss of most segments, as a share of their usual month."""
OUT = Path(__file__).parent / ".cache" / "sample_answers.csv"


def answers(seed: int) -> pd.DataFrame:
    """Return two rows, with the effect and without: what the verdict says, the misses, and the model's skill."""
    made = simulate(seed=seed, effect=EFFECT, **COMPANY)
    log, rows = log_of(made), []
    # Bookings, and so benchmark and model, are the same in both; the forecasts that people submit are not.
    ends = pd.date_range(end=log.extracted_on.normalize(), periods=48, freq="ME").strftime("%Y-%m-%d")
    benchmark = forecast.backtest(log, origins=list(ends), models=["ets"], months=4, seed=seed)
    skill = model_skill(log, seed)
    for effect in (EFFECT, 0.0):
        options = replace(made.settings, effect=effect)
        submitted = make_submitted(options, made.truth.clock, made.truth.staff, made.truth.pipeline.deals)
        log = replace(log, tables={**log.tables, "submitted_forecasts": submitted})
        found = forecast.planning_effect(
            forecast.planning_errors(log, benchmark), log.tables["joint_planning"], seed=seed
        )
        change = {"change": found.relative_change, "low": found.interval[0], "high": found.interval[1]}
        mean = {"mean_change": found.mean_change, "p": found.p_value, "verdict": found.verdict}
        rows.append({"seed": seed, "effect": effect, **change, **mean, **misses(log, benchmark), **skill})
    return pd.DataFrame(rows)


def misses(log: Log, benchmark: pd.DataFrame) -> dict[str, float]:
    """Return the official miss of the segments, LEADS months ahead, over their usual month: middle, extremes, how many
    are within MISS, and how many segments there are."""
    rows = errors_in_detail(log, benchmark).official
    rows = rows[rows["lead"].isin(LEADS)]
    sums = rows.assign(miss=(rows["forecast"] - rows["actual"]).abs()).groupby("segment")[["miss", "actual"]].sum()
    miss = sums["miss"] / sums["actual"]
    shares = {"median": miss.median(), "least": miss.min(), "most": miss.max()}
    return {f"miss_{name}": float(value) for name, value in shares.items()} | {
        "within": int(miss.between(*MISS).sum()),
        "segments": len(miss),
    }


def model_skill(log: Log, seed: int) -> dict[str, float]:
    """Return WAPE of the model and the benchmark over segments' months, the test's p, and if that is beyond luck."""
    days = origins(log, as_of=log.extracted_on)
    track = forecast.backtest(log, origins=days, models=[questions.MODEL, "ets"], months=6, seed=seed)
    scored = score(track, actuals=settled_actuals(log), calendar=log.company.periods)
    rows = scored[(scored["span"] == "month") & (scored["level"] == "segment") & scored["error"].notna()]
    figures = compare(paired_targets(rows, questions.MODEL, "ets"))
    beyond = figures["added"] > 0 and figures["p_value"] <= LEVEL * share_of_page(log)
    wape = {"wape": figures["wape"], "wape_benchmark": figures["wape_before"]}
    return {**wape, "p_skill": figures["p_value"], "beyond_luck": float(beyond)}


def share_of_page(log: Log) -> float:
    """Return the weight of the model's skill among all questions that page 04 can ask of a company with this log."""
    people = len(submitters(log.get("submitted_forecasts")))
    weights = [questions.WEIGHTS[f"{name} {level}"] for name in ("skill", "ranges") for level in questions.LEVELS]
    of_people = people * (1.0 + questions.WEIGHTS["change"] * len(KINDS))
    return questions.WEIGHTS["skill segment"] / (sum(weights) + questions.WEIGHTS["bias"] + len(LADDER) + of_people)


def figures(table: pd.DataFrame) -> dict[str, float]:
    """Return what is asked of the sample, and what stands beside it."""
    treated, twin = table[table["effect"] > 0], table[table["effect"] == 0]
    return {
        "effect found": float((treated["verdict"] == "improved").mean()),
        "effect called worse": float((treated["verdict"] == "worsened").mean()),
        "not identified": float((treated["verdict"] == "not identified").mean()),
        "model beats the benchmark beyond luck": float(treated["beyond_luck"].mean()),
        "claims of the zero-effect twin": float(twin["verdict"].isin(["improved", "worsened"]).mean()),
        "segments with an official miss of 20 to 35 %": float(treated["within"].sum() / treated["segments"].sum()),
        "companies where most segments have one": float((treated["within"] > treated["segments"] / 2).mean()),
        "official miss, median segment": float(treated["miss_median"].median()),
        "official miss, least segment, median": float(treated["miss_least"].median()),
        "official miss, worst segment, median": float(treated["miss_most"].median()),
        "median change": float(treated["change"].median()),
        "interval covers the effect": float((treated["low"] <= -EFFECT).mul(treated["high"] >= -EFFECT).mean()),
        "WAPE of the model": float(treated["wape"].mean()),
        "WAPE of the benchmark": float(treated["wape_benchmark"].mean()),
    }


def seeds_of(text: str) -> list[int]:
    """Return the seeds of `9001-9020` or `9001,9005`."""
    first, dash, last = text.partition("-")
    return list(range(int(first), int(last) + 1)) if dash else [int(seed) for seed in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default=f"{SAMPLE[0]}-{SAMPLE[-1]}")
    parser.add_argument("--out", type=Path, default=OUT, help="CSV of every company's answers, read and added to")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop making companies after this long")
    parser.add_argument("--write", action="store_true", help="put the figures into results.csv")
    options = parser.parse_args()
    seeds, began = seeds_of(options.seeds), time.monotonic()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    there = set(pd.read_csv(options.out)["seed"]) if options.out.exists() else set()
    for seed in seeds:
        if seed not in there and time.monotonic() - began < options.seconds:
            answers(seed).to_csv(options.out, mode="a", header=not options.out.exists(), index=False)
    table = pd.read_csv(options.out)
    table = table[table["seed"].isin(seeds)]
    found = figures(table)
    print(f"{table['seed'].nunique()} companies of {len(seeds)}, each with the effect and without")
    for name, value in found.items():
        print(f"| {name} | {100 * value:.1f} % |")
    if options.write:
        record("sample_answers", [(f"{len(seeds)} companies", name, value, "") for name, value in found.items()])


if __name__ == "__main__":
    main()
