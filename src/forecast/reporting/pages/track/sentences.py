"""The sentences on the track record: titles, findings, captions of its charts and their tooltips."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from forecast import sources, wording
from forecast.calendar import is_quarter
from forecast.data.schema import TOTAL
from forecast.evaluation.judgement import Finding
from forecast.reporting.charts.canvas import Caption
from forecast.reporting.pages.track.prepare import (
    BENCHMARK,
    OURS,
    Accuracy,
    PastForecasts,
    monthly,
)
from forecast.reporting.pages.words import BIAS, RANGES, SKILL, evaluated, word

UNJUDGED: Mapping[str, Finding] = MappingProxyType({})
"""Where nothing was tested nothing is evaluated."""

_GENITIVE = ("’s", "’")

_MODELS = {
    "pipeline": "the model",
    "pipeline-sales-only": "the model without marketing",
    "combined": "the combination",
    "ets": "benchmark",
    "ets-theta": "benchmark and Theta",
    "ets-statsmodels": "statsmodels’ ETS",
    "theta-statsmodels": "statsmodels’ Theta",
    "seasonal-naive": "same as last year",
    "stage-weighted": "stage-weighted",
    "stage-weighted-future": "stage-weighted + new deals",
    "stage-age": "stage and age",
}

LABELS = {
    "horizon": "months ahead",
    "booked": "booked",
    "outside": "booked, outside the 80 % range",
    "outside, narrow": "outside",
    "forecast": "forecast: range and median",
    "forecast, narrow": "forecast",
}
"""What is written in the pictures."""

ACCURACY_HEADS = {
    "model": "model",
    "horizon": "months ahead",
    "n": "forecasts",
    "wape": "miss (WAPE)",
    "bias": "bias",
    "skill": "skill",
    "coverage80": f"inside 80{wording.THIN}% range",
}
PAST_HEADS = {
    "target_period": "month",
    "origin": "as of",
    "q10": f"80{wording.THIN}% range from",
    "q50": "median",
    "q90": "to",
    "observed": "booked",
}
"""What stands over the columns of each table."""

NOTHING_SETTLED = "No past forecast has settled yet."
NOTHING_BOOKED = "Nothing was booked in the months that have settled: a miss cannot be given as a share of it."
NO_FORECAST = "The model made no forecast on the past days whose months have settled"
PEOPLE_EARLIER = "People’s forecasts were made up to a month earlier than the model’s and the benchmark’s beside them"
PEOPLE_OLDER = "; people’s forecasts are up to a month older"
BRINGS = (
    "It takes opportunities of over a year: twelve months before the first forecast, then months that have settled."
)


def model_name(model: str) -> str:
    """Return how a forecaster is called on a page."""
    if model.startswith("submitted-"):
        name = wording.label(model.removeprefix("submitted-"))
        return "joint forecast" if name == "joint" else f"{name}{_GENITIVE[name.endswith('s')]} forecast"
    return _MODELS.get(model, wording.label(model))


def accuracy_finding(scores: pd.DataFrame, *, level: str = "segment") -> str:
    """Return the title of the track record: the model's miss and the benchmark's, at the shortest lead time."""
    rows = monthly(scores, level=level)
    ours = rows[(rows["model"] == OURS) & rows["wape"].notna()]
    if ours.empty:
        return NO_FORECAST if _abstained(scores, level) is not None else "There is no track record yet"
    first, what = sources.row(ours), "segments" if level == "segment" else "the company"
    finding = f"{_when(first)} the model misses {what} by {wording.percent(first['wape'])}"
    return finding + _benchmark_miss(first, rows, by="")


def relative_finding(scores: pd.DataFrame, *, level: str = "segment") -> str:
    """Return the title of misses relative to the benchmark's on the same targets, at the shortest lead time."""
    rows = monthly(scores, level=level)
    ours = rows[(rows["model"] == OURS) & rows["skill"].notna()]
    if ours.empty:
        return accuracy_finding(scores, level=level)
    first = sources.row(ours)
    return f"{_when(first)} the model’s miss is {wording.percent(1 - first['skill'])} of the benchmark’s"


def nothing_scored(scores: pd.DataFrame, *, level: str = "segment") -> str:
    """Return why there is no miss of the model's to show: it abstained, nothing was booked, or nothing has settled.

    scores : of `month.table("scores")`.
    """
    row = _abstained(scores, level)
    if row is not None:
        why = sources.quoted(scores, row, "why") if "why" in scores else ""
        return f"{NO_FORECAST}: {why}." if why else f"{NO_FORECAST}."
    ours = monthly(scores, level=level)
    return NOTHING_BOOKED if (ours["model"] == OURS).any() else NOTHING_SETTLED


def _abstained(scores: pd.DataFrame, level: str) -> Hashable | None:
    """Return the label of a row of forecasts of months that the model was to make; None where it made any, or none was
    to be made."""
    if scores.empty or "abstained" not in scores:
        return None
    rows = scores[(scores["model"] == OURS) & (scores["span"] == "month") & (scores["level"] == level)]
    silent = rows[(rows["n"] == 0) & (rows["abstained"] > 0)]
    return None if (rows["n"] > 0).any() or silent.empty else silent.index[0]


def scored_sentence(track: pd.DataFrame, scores: pd.DataFrame) -> str:
    """Return which forecasts are scored: as of which days, of which months; empty where none has settled.

    Where the model made none of them they are called the others', and where nothing was booked that is said.
    track, scores : of `month.table("backtest")` and `month.table("scores")`.
    """
    rows = track[track["observed"].notna() & track["mean"].notna() & ~is_quarter(track["target_period"])]
    if rows.empty:
        return ""
    first, last = rows["origin"].min(), rows["origin"].max()
    ends = f"the month ends {wording.day(first)} to {wording.day(last)}"
    when = wording.day(first) if first == last else ends
    whose = "forecasts" if (rows["model"] == OURS).any() else "other forecasts"
    nothing = "" if (rows["observed"] != 0).any() else " Nothing was booked in these months."
    return f"Scored are the {whose} as of {when}, of {_last_settled(rows, scores)}.{nothing}"


def _last_settled(rows: pd.DataFrame, scores: pd.DataFrame) -> str:
    """Return `the last 23 settled months, November 2024 to September 2026`: those scored, and no earlier ones.

    rows : of the backtest that are scored. Their months are counted by a row of `scores` that rests on as many
    forecasts of the company; where there is none they are not counted.
    """
    months = rows["target_period"].nunique()
    of_company = scores[(scores["span"] == "month") & (scores["level"] == "total") & (scores["n"] == months)]
    if months == 1:
        return f"the last settled month, {months_of(rows)}"
    count = f"{wording.in_full(sources.row(of_company)['n'])} " if len(of_company) else ""
    return f"the last {count}settled months, {months_of(rows)}"


def months_of(rows: pd.DataFrame) -> str:
    """Return the months that rows are of, `November 2024 to September 2026`; one by itself."""
    return span(rows["target_period"].min(), rows["target_period"].max())


def span(first: str, last: str) -> str:
    """Return `April 2026 to September 2026`, or `April 2026` where both are one."""
    return wording.month(first) if first == last else f"{wording.month(first)} to {wording.month(last)}"


def segment_caption(rows: pd.DataFrame) -> str:
    """Return the caption of the misses by segment; rows of a backtest, of one lead time and of months."""
    known = rows[rows["observed"].notna()]
    if known.empty:
        return "Miss (WAPE) by segment"
    several = known["target_period"].nunique() > 1
    each = ", each forecast in those of them that it was made for" if several else ""
    return f"Miss (WAPE) {wording.ahead(sources.row(known)['horizon'])}, by segment, {months_of(known)}{each}"


def accuracy_sentences(
    scores: pd.DataFrame, judged: Mapping[str, Finding] = UNJUDGED, *, level: str = "segment", people: bool = True
) -> list[str]:
    """Return how the model compares with the benchmark, how people do, whether its ranges held, and its bias.

    scores : of `month.table("scores")`. judged : of `month.table("judgements")`; what is not in it is not evaluated.
    people : whether theirs are told.
    """
    rows = monthly(scores, level=level)
    ours = rows[rows["model"] == OURS]
    if ours.empty and _abstained(scores, level) is not None:
        return [nothing_scored(scores, level=level)]
    if ours.empty:
        return [f"No past forecast has settled yet, so we cannot say how accurate forecasts are. {BRINGS}"]
    if not ours["wape"].notna().any():
        return [NOTHING_BOOKED]
    skilled = ours["skill"].notna().any()
    sentences = [_skill_sentence(rows, judged, level) if skilled else f"{accuracy_finding(scores, level=level)}."]
    bias = _bias_sentence(ours, judged) if level == "segment" else []
    theirs = _people_sentences(rows, level) if people else []
    return [*sentences, *theirs, *_range_sentences(ours, judged, level), *bias]


def _range_sentences(ours: pd.DataFrame, judged: Mapping[str, Finding], level: str) -> list[str]:
    """Return how often the model's 80 % ranges held at the shortest lead time."""
    found = judged.get(f"ranges {level}")
    if found is None or not wording.known(found.estimate.value):
        return []
    known = sources.records(ours[(ours["horizon"] >= 1) & ours["coverage80"].notna()].sort_values("horizon"))
    if not known:
        return []
    ranges = f"the model’s 80{wording.THIN}% ranges of {_OF_MONTHS[level]}"
    if level == "total" and found.verdict == "unclear" and known[0]["n"] == found.estimate.n:
        held = f"{wording.held(known[0]['coverage80'], known[0]['n'])} months"
        return [f"{_when(known[0])}, {ranges} held in {held}; {word(found.verdict, RANGES)}."]
    share = wording.percent(found.estimate.value)
    return [f"{_when(known[0])}, {ranges} held {share} of the time: {evaluated(found, RANGES)}."]


def ranges_ahead(scores: pd.DataFrame) -> list[str]:
    """Return how many past 80 % ranges of the company's months held, at the shortest lead time and further ahead.

    One sentence of counts, to stand beside the company's months ahead; none where none is known.
    """
    ours = monthly(scores, level="total")
    ours = ours[(ours["model"] == OURS) & (ours["horizon"] >= 1) & ours["coverage80"].notna()]
    if ours.empty:
        return []
    first, *further = sources.records(ours.sort_values("horizon"))
    count = wording.held(first["coverage80"], first["n"])
    sentence = f"{_when(first)}, {count} past 80{wording.THIN}% ranges of {_OF_MONTHS['total']} held"
    if further:
        of = sum(row["n"] for row in further)
        count = wording.held(sum(row["coverage80"] * row["n"] for row in further) / of, of)
        sentence += f"; {_leads_of(further)}, where forecasts overlap, {count}"
    return [f"{sentence}."]


A_MONTH = {"segment": "a segment’s month", "total": "the company’s month"}
_OF_MONTHS = {"segment": "segments’ months", "total": "the company’s months"}


def _bias_sentence(ours: pd.DataFrame, judged: Mapping[str, Finding]) -> list[str]:
    """Return whether the model forecast too much or too little at the shortest lead time, or that it is not clear."""
    found = judged.get("bias")
    if found is None or not wording.known(found.estimate.value):
        return []
    when = _when(sources.row(ours[ours["horizon"] >= 1].sort_values("horizon")))
    size = wording.percent(abs(found.estimate.value))
    if found.is_apart:
        return [f"{when} the model forecast {size} {evaluated(found, BIAS)}."]
    side = "above" if found.estimate.value > 0 else "below"
    return [f"{when} the sum of the model’s forecasts was {size} {side} what was booked, {evaluated(found, BIAS)}."]


def company_sentence(scores: pd.DataFrame, judged: Mapping[str, Finding] = UNJUDGED) -> str:
    """Return how the model compares with the benchmark for the company as a whole; empty where nothing is known."""
    rows = monthly(scores, level="total")
    known = (rows["model"] == OURS) & rows["skill"].notna()
    return _skill_sentence(rows, judged, "total") if known.any() else ""


def _skill_sentence(rows: pd.DataFrame, judged: Mapping[str, Finding], level: str) -> str:
    """Return whether the model beats the benchmark or loses to it over all lead times; rows of one level.

    Simple case: it was tested, and what was tested is what is told. Both misses are of all lead times together, as the
    test is; where nothing was tested those at the shortest lead time stand without a claim.
    """
    ours, found = rows[(rows["model"] == OURS) & rows["skill"].notna()], judged.get(f"skill {level}")
    known = sources.records(ours.sort_values("horizon"))
    what = A_MONTH[level]
    over = f"over {_leads_of(known)} together" if len(known) > 1 else ""
    if found is not None and found.is_apart:
        size = wording.percent(abs(found.estimate.value))
        pooled = sources.capitalised(over) or _when(known[0])
        return f"{pooled} the model misses {what} by {evaluated(found, SKILL, size)}."
    if found is not None and wording.known(found.estimate.ours):
        pooled, estimate = sources.capitalised(over) or _when(known[0]), found.estimate
        both = f"by {wording.percent(estimate.ours)}, the benchmark by {wording.percent(estimate.theirs)}"
        return f"{pooled} the model misses {what} {both}: {evaluated(found, SKILL)}."
    miss = f"{_when(known[0])} the model misses {what} by {wording.percent(known[0]['wape'])}"
    return f"{miss}{_benchmark_miss(known[0], rows)}."


def _benchmark_miss(row: Mapping[str, Any], rows: pd.DataFrame, *, by: str = "by ") -> str:
    """Return `, the benchmark by 51 %`: its miss on the same targets.

    Simple case: it forecast all that the row is of, and has a row of its own. Else the miss follows from the skill,
    which is 1 - miss / that miss.
    """
    if not (wording.known(row["skill"]) and row["skill"] < 1):
        return ""
    same = row["wape"] / (1 - row["skill"])
    own = rows[(rows["model"] == BENCHMARK) & (rows["horizon"] == row["horizon"])]
    if len(own) == 1 and np.isclose(own["wape"].iloc[0], same, rtol=1e-9):
        same = sources.row(own)["wape"]
    return f", the benchmark {by}{wording.percent(same)}" if wording.known(same) else ""


def _when(row: Mapping[str, Any]) -> str:
    """Return the lead time of a row of scores, with a capital."""
    return sources.capitalised(wording.ahead(row["horizon"]))


def _leads_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return `one month ahead`, `1, 2 and 4 months ahead`, `2 to 6 months ahead`; rows in order of their horizon."""
    horizons = [row["horizon"] for row in rows]
    if horizons == list(range(horizons[0], horizons[-1] + 1)):
        return wording.leads(horizons[0], horizons[-1])
    return f"{wording.joined(wording.in_full(horizon) for horizon in horizons)} months ahead"


def _the(name: str) -> str:
    return f"The {name}" if name == "joint forecast" else name[0].upper() + name[1:]


def people_sentences(scores: pd.DataFrame, *, level: str = "segment") -> list[str]:
    """Return a sentence for each who submits forecasts, as among those of `accuracy_sentences`."""
    return _people_sentences(monthly(scores, level=level), level)


def _people_sentences(rows: pd.DataFrame, level: str) -> list[str]:
    """Return a sentence for each who submits forecasts: their miss at the shortest lead time, and the benchmark's.

    Then that theirs are the older ones: a submission counts under the end of the month it was made in.
    """
    people = rows[rows["model"].str.startswith("submitted-") & rows["skill"].notna()]
    sentences = []
    for model, group in people.groupby("model"):
        first = sources.row(group.sort_values("horizon"))
        miss = f"misses {A_MONTH[level]} by {wording.percent(first['wape'])} {wording.ahead(first['horizon'])}"
        count, benchmark = wording.plural(first["n"], "forecast"), _benchmark_miss(first, rows)
        same = f"{benchmark} on the same" if benchmark else ""
        sentences.append(f"{_the(model_name(str(model)))} {miss}{same} ({count}).")
    return [*sentences, f"{PEOPLE_EARLIER}."] if sentences else []


def coverage_finding(rows: pd.DataFrame, *, since: str = "") -> str:
    """Return how many of past months ended inside the range given for them; rows have q10, q90 and observed.

    since : the first month of an alarm on the forecast, from which on the months are counted for themselves.
    """
    known = rows.dropna(subset=["q10", "q90", "observed"])
    if known.empty:
        return "No past range can be checked yet"
    held = known["observed"].between(known["q10"], known["q90"])
    late = known["target_period"] >= since if since else pd.Series(data=False, index=known.index)
    if late.any() and not late.all():
        before, now = known[~late], known[late]
        first, second = (sources.count(part[held.loc[part.index]]) for part in (before, now))
        count = f"{wording.plural(sources.count(before), 'month')} before {wording.month(since)}"
        rest = f"{wording.in_full(second)} of {wording.in_full(sources.count(now))} since"
        return f"{wording.in_full(first)} of {count} ended inside the 80{wording.THIN}% range, {rest}"
    inside = sources.count(known[held])
    of = f"{wording.in_full(inside)} of {wording.plural(sources.count(known), 'month')}"
    return f"{of} ended inside {'its' if len(known) == 1 else 'their'} 80{wording.THIN}% range"


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
    people = any(model.startswith("submitted-") for model in misses.models)
    earlier = PEOPLE_OLDER if people else ""
    rows = [(model, row) for model, part in misses.series.items() for row in sources.records(part)]
    return Caption(
        title=title,
        subtitle=f"{miss}, {who}, by months ahead; lower is better{earlier}",
        description=f"{title}. " + " ".join(accuracy_sentences(misses.scores, misses.judged, level=misses.level)),
        tooltips=[_miss_tooltip(model, row) for model, row in rows],
    )


def _miss_tooltip(model: str, row: Mapping[Any, Any]) -> str:
    """Return what a model missed at one lead time."""
    name, bias = model_name(model), row.get("bias", np.nan)
    return wording.listed(
        f"{name[:1].upper()}{name[1:]}",
        wording.ahead(row["horizon"]),
        wording.named_share("misses by", row["wape"]),
        wording.named_share("in sum above what was booked by" if bias > 0 else "in sum below it by", abs(bias)),
    )


def describe_past_forecasts(past: PastForecasts) -> Caption:
    """Return the words of past months as they were forecast and as they were booked."""
    rows, title = past.rows, coverage_finding(past.rows, since=past.since)
    months = [wording.month(period) for period in rows["target_period"]]
    who = "all segments" if past.segment == TOTAL else wording.label(past.segment)
    return Caption(
        title=title,
        subtitle=f"Forecast {past.lead}, and what was booked, {past.unit}, {who}",
        description=f"{title}, {months_of(rows)}." if months else title,
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
        for month, row, inside in zip(months, sources.records(past.rows), past.inside, strict=True)
    ]
