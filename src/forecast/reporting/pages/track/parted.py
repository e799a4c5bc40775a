"""The record in two parts, where there is an alarm on the company's forecast: before it began, and since.

Over all months the two are averaged: a record that was good for 18 months and far off for five is neither. So a page
that has said the alarm tells what held before and what has held since, each with its figures, and a title that counts
months counts them in both parts. All is read from the month's table `parted`, which has no rows without an alarm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from forecast import sources, wording
from forecast.evaluation.judgement import Finding
from forecast.reporting.charts.canvas import Caption
from forecast.reporting.pages.track.prepare import BENCHMARK, OURS, order_of, reps_of
from forecast.reporting.pages.track.sentences import A_MONTH, UNJUDGED, model_name
from forecast.reporting.pages.words import SKILL, evaluated

# -- sentences ------------------------------------------------------------------------------------------

PARTS = ("before", "since")


def since_of(parts: pd.DataFrame) -> str:
    """Return the month since which the record is another one, `2026-05`; empty without an alarm."""
    return "" if parts.empty else str(parts["first"].iloc[0])


def together(parts: pd.DataFrame) -> str:
    """Return `, before and since May 2026 together`, for what is pooled over both; empty without an alarm."""
    since = since_of(parts)
    return f", before and since {wording.month(since)} together" if since else ""


def parted_sentences(parts: pd.DataFrame, *, level: str) -> list[str]:
    """Return what the model's record at the shortest lead time was before the alarm began and what it is since.

    parts : the month's table. level : `segment` or `total`. One sentence a part; none of a part without forecasts.
    """
    rows = parts[(parts["level"] == level) & (parts["horizon"] == parts["horizon"].min())]
    ours, other = (rows[rows["model"] == model] for model in (OURS, BENCHMARK))
    if ours.empty:
        return []
    row, benchmark = sources.row(ours), sources.row(other) if len(other) else {}
    return [_part_sentence(row, benchmark, part, level) for part in PARTS if row[f"n_{part}"] > 0]


def _part_sentence(row: Mapping[str, Any], benchmark: Mapping[str, Any], part: str, level: str) -> str:
    """Return one part of the record: miss beside the benchmark's where it forecast as much, sum, ranges."""
    months = wording.plural(row[f"months_{part}"], "month")
    when = f"{part.capitalize()} {wording.month(row['first'])} ({months}), {wording.ahead(row['horizon'])},"
    miss = f"missed {A_MONTH[level]} by {wording.percent(row[f'wape_{part}'])}"
    if benchmark and benchmark[f"n_{part}"] == row[f"n_{part}"] and wording.known(benchmark[f"wape_{part}"]):
        miss += f" (the benchmark by {wording.percent(benchmark[f'wape_{part}'])})"
    bias, what = row[f"bias_{part}"], [miss]
    if level == "total" and wording.known(bias):  # in sum segments are the company
        what.append(f"forecast {in_sum(bias)} in sum")
    if wording.known(row[f"coverage80_{part}"]):
        held = wording.held(row[f"coverage80_{part}"], row[f"n_{part}"])
        what.append(f"its 80{wording.THIN}% ranges held {held}")
    return f"{when} the model {wording.joined(what)}."


def in_sum(bias: float) -> str:
    """Return `45 % more than was booked`, or `what was booked`."""
    if abs(bias) < 0.005:
        return "what was booked"
    return f"{wording.percent(abs(bias))} {'more' if bias > 0 else 'less'} than was booked"


def people_parted(parts: pd.DataFrame) -> str:
    """Return by how much people's forecasts of segments' months missed before and since; empty where nobody's did."""
    rows = parts[(parts["level"] == "segment") & (parts["horizon"] == parts["horizon"].min())]
    rows = rows[rows["model"].str.startswith("submitted-") & ~rows["model"].isin(reps_of(rows))]
    both = rows[rows["wape_before"].notna() & rows["wape_since"].notna()]
    if both.empty:
        return ""
    order = {name: place for place, name in enumerate(order_of(both["model"]))}
    both = both.sort_values("model", key=lambda names: names.map(order))
    each = [
        f"{_the(str(row['model']))} by {wording.moved(row['wape_before'], row['wape_since'])}"
        for row in sources.records(both)
    ]
    since = wording.month(since_of(parts))
    return f"Before {since} → since, people missed {A_MONTH['segment']}: {wording.joined(each)}."


def _the(model: str) -> str:
    name = model_name(model)
    return f"the {name}" if name == "joint forecast" else name


def over_all_sentence(judged: Mapping[str, Finding] = UNJUDGED, *, levels: Sequence[str] = ("total", "segment")) -> str:
    """Return whether model or benchmark was nearer over both parts together, all lead times; empty where not judged.

    Where the same holds of the company's and of segments' months it is said once.
    """
    said: dict[str, str] = {}
    for level in levels:
        found = judged.get(f"skill {level}")
        if found is not None and wording.known(found.estimate.value):
            words = evaluated(found, SKILL, wording.percent(abs(found.estimate.value)))
            verb = {"unclear": f"the model misses {A_MONTH[level]} "}.get(found.verdict, "")
            clause = f"the model misses {A_MONTH[level]} by {words}" if found.is_apart else f"{verb}{words}"
            said.setdefault(sources.plain(clause), clause)
    over = "Model against benchmark, over both parts and all lead times together"
    return f"{over}: {'; '.join(said.values())}." if said else ""


# -- sentences: titles ----------------------------------------------------------------------------------


def in_two_parts(caption: Caption, parts: pd.DataFrame, *, level: str, relative: bool) -> Caption:
    """Return the words of the misses by months ahead, of the record before the alarm began and since.

    Without an alarm, and where one part has no forecast, the caption as it is. parts : the month's table.
    """
    title = parted_miss(parts, level=level, relative=relative)
    if not title:
        return caption
    description = " ".join([f"{title}.", *parted_sentences(parts, level=level)])
    return replace(caption, title=title, subtitle=f"{caption.subtitle}; {LINES}", description=description)


LINES = "the lines are over all months"


def parted_miss(parts: pd.DataFrame, *, level: str, relative: bool) -> str:
    """Return the title of the misses: ours before the alarm began and since, or as shares of the benchmark's.

    Empty without an alarm, and where one part has no forecast.
    """
    rows = parts[(parts["level"] == level) & (parts["model"] == OURS)]
    rows = rows[(rows["horizon"] == parts["horizon"].min()) & rows["wape_before"].notna() & rows["wape_since"].notna()]
    if rows.empty or (relative and rows[["skill_before", "skill_since"]].isna().any(axis=None)):
        return ""
    row, what = sources.row(rows), "segments" if level == "segment" else "the company"
    since, when = wording.month(row["first"]), sources.capitalised(wording.ahead(row["horizon"]))
    if relative:
        before, now = (wording.percent(1 - row[f"skill_{part}"]) for part in PARTS)
        return f"{when} the model’s miss was {before} of the benchmark’s before {since}, {now} since"
    before, now = (wording.percent(row[f"wape_{part}"]) for part in PARTS)
    return f"{when} the model missed {what} by {before} before {since}, by {now} since"
