"""The sentences on the track record: titles, findings, captions of its charts and their tooltips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from forecast import wording
from forecast.data.schema import TOTAL
from forecast.evaluation.judgement import Finding
from forecast.reporting.charts.canvas import Caption
from forecast.reporting.pages.track.prepare import (
    BENCHMARK,
    OURS,
    Accuracy,
    PastForecasts,
    monthly,
    order_of,
)
from forecast.reporting.pages.words import BIAS, RANGES, SKILL, evaluated

UNJUDGED: Mapping[str, Finding] = MappingProxyType({})
"""Where nothing was tested nothing is evaluated."""

_GENITIVE = ("’s", "’")

_MODELS = {
    "pipeline": "the model",
    "pipeline-sales-only": "the model without marketing",
    "ets": "benchmark",
    "ets-theta": "benchmark and Theta",
    "ets-statsmodels": "statsmodels’ ETS",
    "theta-statsmodels": "statsmodels’ Theta",
    "seasonal-naive": "same as last year",
    "stage-weighted": "stage-weighted",
    "stage-weighted-future": "stage-weighted + future",
    "stage-age": "stage and age",
}

LABELS = {
    "horizon": "months ahead",
    "booked": "booked",
    "outside": "booked, outside the 80 % range",
    "outside, narrow": "outside",
    "forecast": "forecast: range and median",
}
"""What is written in the pictures."""

ACCURACY_HEADS = {
    "model": "model",
    "horizon": "months ahead",
    "n": "n",
    "wape": "wape",
    "bias": "bias",
    "skill": "skill",
    "coverage80": "coverage80",
}
PAST_HEADS = {
    "target_period": "month",
    "origin": "forecast made on",
    "q10": "low (80 %)",
    "q50": "median",
    "q90": "high (80 %)",
    "observed": "booked",
}
"""What stands over the columns of each table."""

NOTHING_SETTLED = "No past forecast has settled yet."


def model_name(model: str) -> str:
    """Return how a forecaster is called on a page."""
    if model.startswith("submitted-"):
        name = wording.label(model.removeprefix("submitted-"))
        return "joint forecast" if name == "joint" else f"{name}{_GENITIVE[name.endswith('s')]} forecast"
    return _MODELS.get(model, wording.label(model))


def ahead(horizon: int) -> str:
    """Return `one month ahead`; 0 is the month in progress."""
    return (
        "in the month itself" if horizon == 0 else f"{wording.plural(horizon, 'month').replace('1 ', 'one ', 1)} ahead"
    )


def accuracy_finding(scores: pd.DataFrame, *, level: str = "segment") -> str:
    """Return the title of the track record: the model's miss and the benchmark's, at the shortest lead time."""
    rows = monthly(scores, level=level)
    table = rows.pivot_table(index="horizon", columns="model", values="wape")
    if OURS not in table or table[OURS].isna().all():
        return "There is no track record yet"
    horizon = int(table[OURS].dropna().index[0])
    ours = table[OURS].loc[horizon]
    what = "segments" if level == "segment" else "the company"
    finding = f"{ahead(horizon).capitalize()} the model misses {what} by {wording.percent(ours)}"
    other = table[BENCHMARK].get(horizon, np.nan) if BENCHMARK in table else np.nan
    return finding + (f", the benchmark {wording.percent(other)}" if wording.known(other) else "")


def relative_finding(scores: pd.DataFrame, *, level: str = "segment") -> str:
    """Return the title of misses relative to the benchmark's on the same targets, at the shortest lead time."""
    rows = monthly(scores, level=level)
    ours = rows[(rows["model"] == OURS) & rows["skill"].notna()]
    if ours.empty:
        return accuracy_finding(scores, level=level)
    first = ours.iloc[0]
    share = wording.percent(1 - first["skill"])
    return f"{ahead(int(first['horizon'])).capitalize()} the model’s miss is {share} of the benchmark’s"


def accuracy_sentences(
    scores: pd.DataFrame, judged: Mapping[str, Finding] = UNJUDGED, *, level: str = "segment"
) -> list[str]:
    """Return how the model compares with the benchmark, how people do, whether its ranges held, and its bias.

    scores : of `month.table("scores")`. judged : of `month.table("judgements")`; what is not in it is not evaluated.
    """
    rows = monthly(scores, level=level)
    ours = rows[rows["model"] == OURS]
    if ours.empty:
        return ["No past forecast has settled yet, so we cannot say how accurate forecasts are."]
    sentences = [_skill_sentence(ours, judged, level)] if ours["skill"].notna().any() else []
    bias = _bias_sentence(ours, judged) if level == "segment" else []
    return [*sentences, *_people_sentences(rows), *_range_sentences(ours, judged, level), *bias]


def _range_sentences(ours: pd.DataFrame, judged: Mapping[str, Finding], level: str) -> list[str]:
    """Return how often the model's 80 % ranges held at the shortest lead time; further ahead without a word on it."""
    found = judged.get(f"ranges {level}")
    if found is None or not wording.known(found.estimate.value):
        return []
    known = ours[(ours["horizon"] >= 1) & ours["coverage80"].notna()].sort_values("horizon")
    ranges, share = (
        f"the model’s 80{wording.THIN}% ranges of {_OF_MONTHS[level]}",
        wording.percent(found.estimate.value),
    )
    when = ahead(int(known["horizon"].iloc[0])).capitalize()
    first = f"{when}, {ranges} held {share} of the time: {evaluated(found, RANGES)}."
    further = known.iloc[1:]
    if further.empty:
        return [first]
    held = wording.percent(float(np.average(further["coverage80"], weights=further["n"])))
    leads = _leads_of([int(horizon) for horizon in further["horizon"]])
    return [first, f"{leads[0].upper()}{leads[1:]} they held {held} of the time; such months overlap and tell less."]


_OF_MONTHS = {"segment": "segments’ months", "total": "the company’s months"}


def _bias_sentence(ours: pd.DataFrame, judged: Mapping[str, Finding]) -> list[str]:
    """Return whether the model forecast too much or too little at the shortest lead time, or that it is not clear."""
    found = judged.get("bias")
    if found is None or not wording.known(found.estimate.value):
        return []
    when = ahead(int(ours.loc[ours["horizon"] >= 1, "horizon"].min())).capitalize()
    size = wording.percent(abs(found.estimate.value))
    if found.is_apart:
        return [f"{when} it forecast {size} {evaluated(found, BIAS)}."]
    side = "above" if found.estimate.value > 0 else "below"
    return [f"{when} the sum of its forecasts was {size} {side} what was booked, {evaluated(found, BIAS)}."]


def company_sentence(scores: pd.DataFrame, judged: Mapping[str, Finding] = UNJUDGED) -> str:
    """Return how the model compares with the benchmark for the company as a whole; empty where nothing is known."""
    rows = monthly(scores, level="total")
    ours = rows[(rows["model"] == OURS) & rows["skill"].notna()]
    return _skill_sentence(ours, judged, "total") if len(ours) else ""


def _skill_sentence(ours: pd.DataFrame, judged: Mapping[str, Finding], level: str) -> str:
    """Return whether the model beats the benchmark or loses to it over all lead times; rows of one model.

    Where luck could have made the difference, the misses at the shortest lead time stand without a claim.
    """
    known, found = ours[ours["skill"].notna()].sort_values("horizon"), judged.get(f"skill {level}")
    what = "a segment’s month" if level == "segment" else "the company’s month"
    if found is not None and found.is_apart:
        over = "Over all lead times" if len(known) > 1 else ahead(int(known["horizon"].iloc[0])).capitalize()
        size = wording.percent(abs(found.estimate.value))
        return f"{over} the model misses {what} by {evaluated(found, SKILL, size)}."
    first = known.iloc[0]
    when, miss = ahead(int(first["horizon"])).capitalize(), wording.percent(first["wape"])
    doubt = f"; {evaluated(found, SKILL)}" if found is not None else ""
    also = ", also further ahead" if len(known) > 1 and doubt else ""
    return f"{when} the model misses {what} by {miss}{_benchmark_miss(first)}{doubt}{also}."


def _benchmark_miss(row: pd.Series) -> str:
    """Return `, the benchmark by 51 %`: its miss on the same targets, since skill = 1 - miss / that miss."""
    same = row["wape"] / (1 - row["skill"]) if row["skill"] < 1 else np.nan
    return f", the benchmark by {wording.percent(same)}" if wording.known(same) else ""


def _leads_of(horizons: Sequence[int]) -> str:
    """Return `one month ahead`, `1, 2 and 4 months ahead`, `2 to 6 months ahead`."""
    if len(horizons) == 1:
        return ahead(horizons[0])
    if list(horizons) == list(range(horizons[0], horizons[-1] + 1)) and len(horizons) > 2:
        return f"{horizons[0]} to {horizons[-1]} months ahead"
    return f"{wording.joined(horizons)} months ahead"


def _the(name: str) -> str:
    return f"The {name}" if name == "joint forecast" else name[0].upper() + name[1:]


def _people_sentences(rows: pd.DataFrame) -> list[str]:
    """Return a sentence for each who submits forecasts: their miss at the shortest lead time, and the benchmark's."""
    people = rows[rows["model"].str.startswith("submitted-") & rows["skill"].notna()]
    sentences = []
    for model, group in people.groupby("model"):
        first = group.sort_values("horizon").iloc[0]
        miss = f"misses by {wording.percent(first['wape'])} {ahead(int(first['horizon']))}"
        count = wording.plural(first["n"], "forecast")
        sentences.append(f"{_the(model_name(str(model)))} {miss}{_benchmark_miss(first)} ({count}).")
    return sentences


def coverage_finding(rows: pd.DataFrame) -> str:
    """Return how many of past months ended inside the range given for them; rows have q10, q90 and observed."""
    known = rows.dropna(subset=["q10", "q90", "observed"])
    if known.empty:
        return "No past range can be checked yet"
    inside = int(known["observed"].between(known["q10"], known["q90"]).sum())
    return f"{inside} of {len(known)} months ended inside their 80{wording.THIN}% range"


def by_segment(summary: pd.DataFrame, *, models: int = 5) -> pd.DataFrame:
    """Return the miss of each forecast by segment, one column a forecast, Total last; summary by model and segment."""
    known = summary[summary["wape"].notna()]
    order = order_of(known["model"].unique())
    wide = known.pivot_table(index="segment", columns="model", values="wape")
    wide = wide[[model for model in order if model in wide][:models]].rename(columns=model_name)
    names = [*sorted(set(wide.index) - {TOTAL}), *([TOTAL] if TOTAL in wide.index else [])]
    return wide.reindex(names).rename_axis(None, axis=1).reset_index()


# -- charts of the track record -------------------------------------------------------------------------


def describe_accuracy(misses: Accuracy) -> Caption:
    """Return the words of the misses by months ahead."""
    finding = relative_finding if misses.relative else accuracy_finding
    title = finding(misses.scores, level=misses.level)
    miss = (
        "Miss as a share of the benchmark’s on the same forecasts"
        if misses.relative
        else "Miss as a share of what was booked (WAPE)"
    )
    who = "each segment’s months" if misses.level == "segment" else "the company’s months"
    rows = [(model, row) for model, part in misses.series.items() for row in part.to_dict("records")]
    return Caption(
        title=title,
        subtitle=f"{miss}, {who}, by months ahead; lower is better",
        description=f"{title}. " + " ".join(accuracy_sentences(misses.scores, misses.judged, level=misses.level)),
        tooltips=[_miss_tooltip(model, row) for model, row in rows],
    )


def _miss_tooltip(model: str, row: Mapping[Any, Any]) -> str:
    """Return what a model missed at one lead time."""
    name, bias = model_name(model), row.get("bias", np.nan)
    return wording.listed(
        f"{name[:1].upper()}{name[1:]}, {ahead(int(row['horizon']))}",
        wording.named_share("misses by", row["wape"]),
        wording.named_share("in sum above what was booked by" if bias > 0 else "in sum below it by", abs(bias)),
    )


def describe_past_forecasts(past: PastForecasts) -> Caption:
    """Return the words of past months as they were forecast and as they were booked."""
    rows, title = past.rows, coverage_finding(past.rows)
    months = [wording.month(period) for period in rows["target_period"]]
    who = "all segments" if past.segment == TOTAL else wording.label(past.segment)
    return Caption(
        title=title,
        subtitle=f"Forecast {ahead(past.horizon)}, and what was booked, {past.unit}, {who}",
        description=f"{title}, from {months[0]} to {months[-1]}." if months else title,
        tooltips=_past_tooltips(past, months),
    )


def _past_tooltips(past: PastForecasts, months: list[str]) -> list[str]:
    currency = past.company.currency
    return [
        wording.listed(
            month,
            wording.named_amount("booked", row["observed"], currency=currency),
            wording.named_amount("forecast: median", row["q50"], currency=currency),
            wording.named_range(row["q10"], row["q90"], currency=currency),
            "" if inside else "outside it",
        )
        for month, row, inside in zip(months, past.rows.to_dict("records"), past.inside, strict=True)
    ]
