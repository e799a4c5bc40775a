"""The sentences of the page on joint planning: the verdict, what would change it, and the captions of its charts.

A function for each, of the planning table's row or of a chart's record; numbers are written by `wording`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from forecast import sources, wording
from forecast.evaluation.planning.inference.randomisation import ALPHA
from forecast.evaluation.planning.verdict import (
    LEAST_END,
    dip_sentence,
    interval_ends,
    interval_words,
    placebo_contradicts,
    placebo_is_as_large,
    placebo_sentence,
    without_gross_misses,
)
from forecast.reporting.charts.canvas import Caption
from forecast.reporting.pages.planning.prepare import (
    EffectRows,
    Months,
    SegmentErrors,
    draws,
    is_answerable,
    is_claimed,
    is_scored,
    is_withheld,
    mark,
    mean_change,
    number,
    tested_change,
)

LABELS = {
    "smaller": "smaller errors",
    "larger": "larger",
    "larger errors": "larger errors",
    "change": "change",
    "chance": "chance alone",
    "none": "no change",
    "months": "months since the start",
    "start": "start",
    "set aside": "set aside",
    "before": "before",
    "after": "after",
    "waits": "not begun, earlier and later months",
    "waits in short": "not begun",
    "not yet": "not yet",
    "wanted": "four of five",
    "fall": "true fall of the errors",
}
"""What is written in the pictures."""

ROWS = {
    "effect": "Since the start",
    "interval": "Since the start",
    "tested": "Gross misses count less",
    "withheld": "Change, not claimed",
    "association": "Association",
    "dip": "Last six months before",
    "placebo": "Six months before those",
}
"""How the rows of the effect are called."""

EFFECT_HEADS = {"what": "what", "change": "change", "from": "from", "to": "to", "p_value": "chance alone"}
MONTHS_HEADS = {
    "event_time": "months since start",
    "relative_change": "change",
    "n_segments": "segments",
    "n_controls": "compared with",
}
SEGMENTS_HEADS = {
    "segment": "segment",
    "adopted": "adopted",
    "error_before": "error before",
    "error_after": "error after",
    "benchmark_before": "benchmark before",
    "benchmark_after": "benchmark after",
    "change": "change against segments still waiting",
    "error_early": "error, earlier months",
    "error_late": "error, later months",
}
"""What stands over the columns of each table."""

NO_MONTHS = "No month has both segments that plan together and segments that do not."
NOBODY_BEGAN = "No segment that is scored has begun, so there is no start before and after which to look."
NO_ERRORS = "No segment has errors to show."
"""What stands in place of a picture or table, and why."""


def finding(row: Mapping[str, Any]) -> str:
    """Return the verdict as a title: never louder than the verdict."""
    change, _, _ = mean_change(row)
    verdict = str(row.get("verdict", "not identified"))
    if is_claimed(row) and wording.known(change):
        return f"Mean errors {wording.change(change)} against segments not planning together"
    if verdict == "no detectable change":
        return "No detectable change in errors when planning together"
    return "Cannot tell whether planning together helped"


def parts(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return the verdict's own sentence, and those that qualify it with what would change it."""
    first, rest = (str(row.get(name, "")) for name in ("answer", "more"))
    # What speaks against a claim comes before anything else.
    middle = (rest, who_began(row)) if is_withheld(row) else (who_began(row), rest)
    return first, " ".join(part for part in (*middle, next_step(row)) if part)


def brief(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return the verdict's own sentence, and what would change it.

    A second number that reads otherwise and a check that speaks against the verdict are never left out; where several
    withhold a claim, the first is told and the others are counted.
    """
    first, _ = parts(row)
    warning = _warning(row)
    step = _brief_remedy(row) if is_withheld(row) else next_step(row)
    if row.get("verdict") == "no detectable change":
        step = " ".join(part for part in (interval_sentence(row), power_sentence(row)) if part)
        if decided := decided_by(row):
            step += f" Leaving out one segment, {decided}, could change the answer: there are too few to rely on it."
    both = ""
    if row.get("verdict") != "not identified":
        both = without_gross_misses(mean_change(row), tested_change(row), claimed=is_claimed(row))
    return first, " ".join(part for part in (both, who_began(row), warning, step) if part)


def _brief_remedy(row: Mapping[str, Any]) -> str:
    """Return how many more checks withhold a claim, and what would let it stand for the one that is told."""
    first, *others = str(row["withheld"]).split("; ")
    more = f"{wording.spelt(len(others))} more {'check speaks' if len(others) == 1 else 'checks speak'} against it"
    return " ".join([*([wording.sentence(more)] if others else []), _REMEDIES[first]])


def _warning(row: Mapping[str, Any]) -> str:
    """Return what the months before the starts say against the verdict; empty where they say nothing."""
    return " ".join(part for part in (_placebo_warning(row), _dip_warning(row)) if part)


def closing(row: Mapping[str, Any]) -> str:
    """Return what stands under the verdict where it is said once more: each warning, and what would change it."""
    return " ".join(part for part in (_warning(row), next_step(row)) if part)


def _sign_warning(row: Mapping[str, Any]) -> str:
    """Return the sentence of checks that found a sign or a hint of something else, where a change is claimed."""
    found = {name: mark(name, number(row, f"{name.replace(' ', '_')}_p_value")) for name in _SIGNS}
    signs, hints = ([_SIGNS[name] for name, what in found.items() if what == kind] for kind in ("sign", "hint"))
    if not is_claimed(row) or not (signs or hints):
        return ""
    told = [
        f"{f'a {kind}' if len(named) == 1 else f'{kind}s'}{' of something else too' * first} ({wording.joined(named)})"
        for kind, named, first in (("sign", signs, True), ("hint", hints, not signs))
        if named
    ]
    is_or_are = "is" if len(signs or hints) == 1 else "are"
    which = "it" if len(signs + hints) == 1 else "any one of them"
    less = ", but rely on the number less" if signs else ""
    return f"There {is_or_are} {' and '.join(told)}; the change holds without {which}{less}."


_SIGNS = {
    "trend": "a trend of those that began",
    "earlier spell": "unusual errors more than six months before",
    "controls": "a drift of those that never began",
    "benchmark": "a benchmark whose own error moved",
    "missing": "months without a forecast",
}
"""Check -> what it found, where a change is claimed all the same."""


def _dip_warning(row: Mapping[str, Any]) -> str:
    """Return the sentence of the six months before the starts where they were unusual; a spell may have lasted."""
    dip, p = (number(row, name) for name in ("dip", "dip_p_value"))
    return dip_sentence(dip, p) if p <= ALPHA and row.get("verdict") != "not identified" else ""


def _placebo_warning(row: Mapping[str, Any]) -> str:
    """Return the sentence of a placebo that speaks against the verdict; empty where none does."""
    change, _, _ = mean_change(row)
    placebo, p = (number(row, name) for name in ("placebo", "placebo_p_value"))
    if row.get("verdict") == "not identified":
        return ""
    if placebo_contradicts(p):
        return placebo_sentence(change, placebo, p, claimed=is_claimed(row), draws=draws(row))
    if row.get("verdict") == "no detectable change" or not placebo_is_as_large(change, placebo):
        return ""
    same = "Much the same difference was" if placebo * change > 0 else "A difference the other way was"
    return f"{same} there seven to twelve months before each segment's own start, when it could show no effect."


def interval(row: Mapping[str, Any]) -> str:
    """Return the 95 % interval of the change of the mean error in words."""
    _, low, high = mean_change(row)
    return interval_ends(low, high)


def interval_sentence(row: Mapping[str, Any]) -> str:
    """Return what the interval says where no change is claimed: what fits the data; its middle is no finding."""
    _, low, high = mean_change(row)
    if not (low < 0 < high):
        return ""
    if low <= -1 and not wording.known(high):
        return "Any change at all fits the data."
    fall = f"a fall of {wording.percent(-low, least=LEAST_END)}" if low > -1 else "no errors at all"
    rise = f"a rise of {wording.percent(high, least=LEAST_END)}" if wording.known(high) else "any rise"
    return f"Anything from {fall} to {rise} fits the data; its middle depends on how months are weighed: no finding."


def next_step(row: Mapping[str, Any]) -> str:
    """Return what would change the verdict, or how far to rely on it."""
    verdict = str(row.get("verdict", ""))
    if not is_answerable(row):
        return _what_is_missing(row)
    if verdict == "not identified":
        return _what_would_identify(row)
    decided = decided_by(row)
    if verdict == "no detectable change":
        step = detectable_sentence(row)
        if decided:
            step += f" Leaving out {decided} could change the answer: with so few segments, rely on it neither way."
        return step
    if decided:
        depends = f"The verdict depends on single segments: without {decided} the data would show no detectable change."
        return f"{_sign_warning(row)} {depends}".strip()
    steps = [_sign_warning(row)]
    if wording.known(row.get("left_out_low")):
        low, high = (wording.percent(row[name], sign=True) for name in ("left_out_low", "left_out_high"))
        steps.append(f"No single segment decides it: without any one of them it lies between {low} and {high}.")
    return " ".join(step for step in steps if step)


def _what_is_missing(row: Mapping[str, Any]) -> str:
    """Return which tables would let the data answer, or what is to be mended in those that are there."""
    needs = str(row.get("needs") or "")
    if is_scored(row):
        return f"The table {needs}, with the day each segment began, would let the data answer."
    if needs:
        return f"The tables {needs} and joint_planning would let the data answer."
    return wording.sentence(str(row.get("mend") or ""))


_REMEDIES = {
    "trend": "More months after the starts would show whether the errors still follow that trend.",
    "controls": "Other segments that have not begun, and did not change, might let the data answer.",
    "earlier spell": "More months after the starts would show whether the change outlasts that spell.",
    "benchmark": "A benchmark that did not change with the starts might let the data answer.",
    "missing": "The missing forecasts, entered as they were made, might let the data answer.",
    "mean": "More months after the starts would show whether the gross misses were chance.",
}
"""What would let a claim stand that is withheld, by the check that speaks against it."""


def _what_would_identify(row: Mapping[str, Any]) -> str:
    if is_withheld(row):
        return " ".join(_REMEDIES[name] for name in str(row["withheld"]).split("; "))
    step = "More segments that begin in different months, or some that have not begun, might let the data answer."
    twice = row.get("detectable_twice")
    if wording.known(twice):
        step += (
            f" With {doubled(row)} segments like these, {_had_improved(twice)}, it would show in four of five cases."
        )
    return step


def detectable_sentence(row: Mapping[str, Any]) -> str:
    """Return what the interval says, how large a fall of all segments would have shown, and with twice as many."""
    return " ".join(part for part in (interval_sentence(row), power_sentence(row), _wider(row)) if part)


def power_sentence(row: Mapping[str, Any]) -> str:
    """Return in how many cases a fall would have been seen, had every segment improved by it; empty for none."""
    here = row.get("detectable_change")
    if not wording.known(here):
        return ""
    had = wording.sentence(_had_improved(here)).rstrip(".")
    return (
        f"{had}, these data would have shown it in four of five cases; of those the checks withhold up to one in five."
    )


def _wider(row: Mapping[str, Any]) -> str:
    here, twice = row.get("detectable_change"), row.get("detectable_twice")
    if not wording.known(twice):
        return "More months after the starts, and segments that begin later, would narrow the interval."
    if wording.known(here):
        return f"With {doubled(row)} segments {sized(twice)} would be enough."
    return f"With {doubled(row)} segments, {_had_improved(twice)}, it would show in four of five cases."


def _had_improved(change: Any) -> str:
    return f"had every segment that began improved by {sized(change)}"


def no_months(row: Mapping[str, Any]) -> str:
    """Return why there is no picture of the months: nobody began, or nobody is left to compare."""
    return NO_MONTHS if row.get("n_adopting") else NOBODY_BEGAN


def who_began(row: Mapping[str, Any]) -> str:
    """Return how many segments began and how many serve for comparison only; empty where none began.

    The verdict says why then: those that began may be among the segments left out. Where some are left out, it is said
    that the others are counted.
    """
    if not wording.known(row.get("n_segments")) or not wording.known(row.get("n_adopting")):
        return ""
    began, count = row["n_adopting"], row["n_segments"]
    if not began:
        return ""
    still = count - began
    rest = f"{wording.spelt(still)} {'has not and serves' if still == 1 else 'have not and serve'} for comparison"
    noun = "compared segment" if ": left out" in str(row.get("reasons") or "") else "segment"
    begun = f"{wording.of_all(began, count, noun)} {'has' if began == 1 else 'have'} begun"
    said = wording.sentence(f"{begun}; {rest}" if still else begun)
    scored = number(row, "n_months")
    return f"{said} Their errors cover {wording.plural(scored, 'month')}." if wording.known(scored) else said


def chance_alone(p: float, *, draws: int = 0) -> str:
    """Return how often chance alone gives as much, for a column: `25 of 100`; a dash where it is not known.

    draws : of how many assignments it was counted, see `wording.cases`.
    """
    return wording.cases(p, draws=draws) if wording.known(p) else "–"


def effect_names(shown: EffectRows) -> list[str]:
    """Return what each row of the effect is called."""
    return [ROWS[row.what] for row in shown.rows]


def describe_effect(shown: EffectRows, row: Mapping[str, Any]) -> Caption:
    """Return the words of the effect with its checks. row : the planning table's row."""
    first = shown.rows[0]
    inside = "not identified" if first.what == "association" else interval_words(first.low, first.high)
    if first.what == "withheld":
        inside += "; a check speaks against it, so no change is claimed"
    tooltips = []
    for each in shown.rows:
        change = wording.named_share("errors", each.change, sign=True) if wording.known(each.change) else ""
        ends = interval_words(each.low, each.high) if wording.known(each.low) else ""
        chance = f"by chance in {wording.cases(each.p, draws=shown.draws)} cases" if wording.known(each.p) else ""
        tooltips.append(wording.listed(ROWS[each.what], change, ends, chance))
    return Caption(
        title=finding(row),
        subtitle=f"Change of the mean forecast error against segments not planning together then; {inside}; "
        "diamonds: before each segment’s own start",
        description=str(row.get("sentence", finding(row))),
        tooltips=tooltips,
    )


def describe_months(months: Months, row: Mapping[str, Any]) -> Caption:
    """Return the words of the effect month by month. row : the planning table's row."""
    before, after = (wording.plural(sources.count(rows), "month") for rows in (months.before, months.after))
    below = wording.spelt(sources.count(months.after[months.after["relative_change"] < 0]))
    low, high = (wording.percent(end, sign=True) for end in months.ends)
    reach = wording.plural(months.reach, "month")
    return Caption(
        title=f"Single months swing from {low} to {high}: read them together",
        subtitle=f"Change of the error against segments not planning together then, up to {reach} from a start; gross "
        "misses count less, so their mean is not the verdict’s number; larger marks: more segments",
        description=f"{before} before the start and {after} after it; {below} of those after it lie below zero. "
        f"{finding(row)}.",
        tooltips=[_month_tooltip(month) for month in sources.records(months.rows)],
    )


def _month_tooltip(month: Mapping[Any, Any]) -> str:
    when = month["event_time"]
    side = "before" if when < 0 else "after"
    name = f"{wording.plural(abs(when), 'month')} {side} the start" if when else "The first month"
    many = wording.plural(month["n_segments"], "segment")
    compared = f"{many} compared with {wording.number(month['n_controls'])} not planning together then"
    return f"{name}: {wording.named_share('errors', month['relative_change'], sign=True)}; {compared}"


def segments_finding(table: pd.DataFrame) -> str:
    """Return the title of the errors by segment: never more than that they fell. table : `by_segment`."""
    both = table.dropna(subset=["error_before", "error_after"]) if len(table) else table
    both = both[both["adopted"] != ""] if len(both) else both
    if both.empty:
        return "No segment has errors before and after its start"
    fell = sources.count(both[both["error_after"] < both["error_before"]])
    fell_in = wording.of_all(fell, sources.count(both), "segment")
    return f"Relative to bookings, errors fell in {fell_in}, which alone proves nothing"


def describe_segments(errors: SegmentErrors) -> Caption:
    """Return the words of the errors by segment."""
    title, rows = segments_finding(errors.rows), sources.records(errors.rows)
    return Caption(
        title=title,
        subtitle="Mean of the monthly errors, each a share of usual bookings; where bookings grow, errors in money may "
        "grow too. Dotted: not begun, before and from the median start of the others",
        description=f"{title}. {' '.join(map(_segment_sentence, rows, errors.pairs))}",
        tooltips=[_segment_tooltip(row, pair) for row, pair in zip(rows, errors.pairs, strict=True)],
    )


def _segment_sentence(row: Mapping[Any, Any], pair: tuple[Any, Any]) -> str:
    name = wording.label(row["segment"])
    before, after = map(wording.percent, pair)
    if not row["adopted"]:
        return f"{name}: {before} in the earlier and {after} in the later months, has not begun."
    return f"{name}: {before} before, {after} after it began in {wording.month(row['adopted'])}."


def _segment_tooltip(row: Mapping[Any, Any], pair: tuple[Any, Any]) -> str:
    began = f"began {wording.month(row['adopted'])}" if row["adopted"] else "has not begun"
    before, after = (wording.named_share(when, value) for when, value in zip(("before", "after"), pair, strict=True))
    return wording.listed(row["segment"], before, after, began)


def decided_by(row: Mapping[str, Any]) -> str:
    """Return the segments without any of which the verdict would be another; empty where there is none."""
    names = str(row.get("decided_by") or "")
    return wording.joined([wording.label(name) for name in names.split("; ")], last="or", most=3) if names else ""


def doubled(row: Mapping[str, Any]) -> str:
    """Return twice the number of segments."""
    return wording.number(2 * row["n_segments"])


def sized(value: Any) -> str:
    """Return the size of a change, without its sign."""
    return wording.percent(abs(value))
