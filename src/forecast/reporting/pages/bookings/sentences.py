"""What a bookings forecast says, in sentences: the headline, months, addends, plan, segments, what changed.

Each sentence is computed from a table and is right at zero, one, many, negative and unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from forecast import sources, wording
from forecast.calendar import is_quarter, parse_periods
from forecast.data.schema import ADDENDS, TOTAL, Company
from forecast.evaluation.judgement import Finding
from forecast.evaluation.questions import COMBINED, COMPANY_RANGES
from forecast.reporting.charts.canvas import Caption
from forecast.reporting.pages.bookings.prepare import ABSTENTION, Addends, Fan, Outcomes
from forecast.reporting.pages.words import RANGES, word

ADDEND_WORDS = {"booked": "booked", "open_pipeline": "open pipeline", "not_yet_created": "not yet created"}

LABELS = {"booked": "booked", "median": "median", "range80": "80 % range", "range95": "95 % range", "plan": "plan"}
"""What is written in the picture of the months."""

MONTHS_HEADS = {
    "target_period": "month",
    "booked": "booked",
    "q10": "low (80 %)",
    "q50": "median",
    "mean": "mean",
    "q90": "high (80 %)",
    "plan": "plan",
    "p_at_least_plan": "p at least plan",
}
ADDENDS_HEADS = {"target_period": "month", **ADDEND_WORDS, "mean": "mean"}
OUTCOMES_HEADS = {"outcome": "outcome", "bookings": "bookings", "reached": "reaches plan"}
"""What stands over the columns of each table."""

ALARM = "an alarm speaks against it"
"""What is said of a range and a chance where the company's forecast or its ranges are under alarm."""

MEANS = "; the title gives means"
"""What is said beneath a title of means over a picture of medians."""

NO_QUARTER = "no past quarter to check it by"
"""What is said of a quarter's range where none of a quarter has been held against what came; months may have been."""

NOT_CHECKED = "not yet checked"
"""What is said of a range where no past one, or too few, has been held against what came."""

OF_COMBINATION = "the combination’s, as wide as its past misses ask for"
"""What is said of a range that is not the model's: those of the model have been counted, these have made it."""

NOT_RANKED = "too near to rank"
"""What is said of months of which any may bring the most."""

OVERLAP = "their ranges overlap"
"""The same where each has a range: why they are not ranked. Their means may lie apart."""

NO_MONTHS = "No range is known for any month ahead."
NO_ADDENDS = "No month ahead has a forecast."
NO_OUTCOMES = "No range is known."
"""Why there is no picture."""

NO_TABLE_NOTE = "There is no table "
"""How the notes begin that say which tables are absent: what they would bring stands elsewhere."""

TOO_LITTLE = "too little is known to forecast it"


def headline(row: Mapping[str, Any] | None, *, company: Company) -> str:
    """Return the sentence that answers: the number, its range, the plan, the chance."""
    if row is None:
        return "We cannot say what we will book: there is no forecast."
    period = wording.month(row["target_period"])
    if not wording.known(row["mean"]):
        return wording.sentence(f"we cannot say what we will book in {period}: {row.get('why') or TOO_LITTLE}")
    currency = company.currency
    sentence = f"We expect to book {wording.money(row['mean'], currency=currency)} in {period}"
    if wording.known(row["q10"]) and wording.known(row["q90"]):
        sentence += f", 80{wording.THIN}% range {wording.money_range(row['q10'], row['q90'], currency=currency)}"
    plan, chance = row.get("plan"), row.get("p_at_least_plan")
    if not wording.known(plan):
        return sentence + "; there is no plan to compare it with."
    sentence += f"; plan {wording.money(plan, currency=currency)}"
    return sentence + (f": {wording.chance(chance)} likely." if wording.known(chance) else ".")


def headline_facts(row: Mapping[str, Any] | None, *, company: Company) -> dict[str, Any]:
    """Return the headline and its numbers as named values: what the index of months shows."""
    facts: dict[str, Any] = {"headline": headline(row, company=company), "currency": company.currency}
    for name in ("target_period", "mean", "q10", "q50", "q90", "plan", "p_at_least_plan"):
        value = None if row is None else row.get(name)
        facts[name] = None if not wording.known(value) else value if isinstance(value, str) else float(value)  # type: ignore[arg-type]
    return facts


def headline_cards(
    row: Mapping[str, Any] | None,
    judged: Mapping[str, Finding],
    *,
    company: Company,
    alarm: bool = False,
    quarters: str = "",
) -> list[tuple[str, str, str]]:
    """Return the cards under the headline: expected, range, plan, chance, booked; none where unknown.

    judged : of the month's record. alarm : whether there is one on the company's forecast. quarters : how many past
    ranges of quarters held (`quarters.stage_note`).
    """
    if row is None or not wording.known(row["mean"]):
        return []
    currency, period = company.currency, wording.month(row["target_period"])
    low_high = wording.money_range(row["q10"], row["q90"], currency=currency)
    cards = [
        (f"Expected in {period}", wording.money(row["mean"], currency=currency), "the mean of what may happen"),
        (f"80{wording.THIN}% range", low_high, ALARM if alarm else range_note(row, judged, quarters)),
    ]
    plan = row.get("plan")
    if wording.known(plan):
        gap = row["mean"] - plan
        note = f"expected {wording.money(abs(gap), currency=currency)} {'above' if gap >= 0 else 'below'} it"
        cards.append(("Plan", wording.money(plan, currency=currency), note if wording.known(gap) else ""))
        cards.append(
            (
                "Chance of plan",
                wording.chance(row.get("p_at_least_plan")),
                ALARM if alarm else wording.rough_odds(row.get("p_at_least_plan")),
            )
        )
    # of a period that has not begun nothing can be booked
    if wording.known(row.get("booked")) and (row["booked"] or row["horizon"] == 0):
        some = row["booked"] > 0 and row["mean"] > 0
        of_all = f"{wording.share(row['booked'], row['mean'])} of what is expected" if some else ""
        cards.append(("Booked already", wording.money(row["booked"], currency=currency), of_all))
    return cards


def range_note(row: Mapping[str, Any], judged: Mapping[str, Finding], quarters: str = "") -> str:
    """Return how many past ranges of the same kind held what came: of a quarter those of quarters, else of months.

    row : of the headline. judged : of the month's record, whose `ranges total` is of the company's months. quarters :
    as `headline_cards` takes it. The promise of four in five stands only where past ranges of months kept it.
    """
    if row.get("model") == COMBINED:
        return OF_COMBINATION
    if is_quarter([row["target_period"]]).all():
        return quarters or NO_QUARTER
    found = judged.get(COMPANY_RANGES)
    if found is None or not wording.known(found.estimate.value):
        return NOT_CHECKED
    held = f"{wording.held(found.estimate.value, found.estimate.n)} past ones held"
    if found.verdict in ("too few", "unclear"):
        return held
    if found.verdict == "as promised":
        return "four of five such months should end inside"
    return f"{held}: {word(found.verdict, RANGES)}"


def other_notes(notes: pd.DataFrame) -> list[str]:
    """Return what else must be known of the forecast and the snapshot, without what the page says elsewhere.

    notes : the month's table.
    """
    told = notes[(notes["about"] != ABSTENTION) & ~notes["note"].str.startswith(NO_TABLE_NOTE)]
    return sources.texts(told, "note")


FAR_OFF, FEWEST_MONTHS = 2.0, 6
"""A month ahead that brings less than the least month on record by this factor, or more than the most, is told; of
fewer months on record nothing is."""


def beyond_the_record(fan: Fan, period: str) -> list[str]:
    """Return that a month of the headline's period is expected to bring far less, or more, than any month on record.

    No evaluation: both numbers. period : of the headline, a month or the quarter that holds it.
    """
    calendar, ahead = fan.company.periods, fan.ahead[fan.ahead["mean"].notna()]
    quarter = [calendar.quarter_label(calendar.quarter_of(int(p))) for p in parse_periods(ahead["target_period"])]
    ahead = ahead[(ahead["target_period"] == period).to_numpy() | (np.array(quarter, dtype=object) == period)]
    if ahead.empty or len(fan.past) < FEWEST_MONTHS:
        return []
    least, most = (sources.aggregate(booked_of(fan), "booked", how) for how in ("min", "max"))
    low, high = (sources.row(ahead.loc[[ahead["mean"].idxmin()]]), sources.row(ahead.loc[[ahead["mean"].idxmax()]]))
    since, currency = wording.month(fan.past["period"].iloc[0]), fan.company.currency
    told = []
    for row, end, is_far, side in (
        (low, least, low["mean"] * FAR_OFF < least, "less"),
        (high, most, high["mean"] > most * FAR_OFF, "more"),
    ):
        if is_far:
            expected, bound = (wording.money(value, currency=currency) for value in (row["mean"], end))
            name = wording.month(row["target_period"])
            told.append(f"{name} is expected to bring {expected}; no month since {since} brought {side} than {bound}.")
    return told


def months_finding(ahead: pd.DataFrame, *, company: Company) -> str:
    """Return the title of the months ahead: which should bring the most, or that they are too near to rank.

    ahead : target_period, mean, q10, q90. A month is ranked before another where the 80 % range of their difference is
    above nothing, see `leaders`.
    """
    known = ahead[ahead["mean"].notna()] if len(ahead) else ahead
    if known.empty:
        return "The months ahead cannot be forecast"
    first = leaders(known)
    best, least = (sources.row(first.loc[[end]]) for end in (first["mean"].idxmax(), first["mean"].idxmin()))
    amount = wording.money(best["mean"], currency=company.currency)
    if len(known) == 1:
        return f"{wording.month(best['target_period'])} should bring {amount}"
    if len(first) == 1:
        return f"{wording.month(best['target_period'])} should bring the most, {amount}"
    why = OVERLAP if first[["q10", "q90"]].notna().all(axis=None) else NOT_RANKED
    between = wording.money_range(least["mean"], best["mean"], currency=company.currency)
    if sources.plain(wording.money(least["mean"], currency=company.currency)) == sources.plain(amount):
        between = amount
    if len(first) <= 3:
        names = wording.joined(wording.short_month(period, year=len(known) > 12) for period in first["target_period"])
        return f"{names} should bring most, {between} each; {why}"
    months = sources.capitalised(wording.of_all(sources.count(first), sources.count(known), "month"))
    if len(first) == len(known):
        return f"{months} should bring {between} each; {why}"
    most = "" if 2 * len(first) > len(known) else "the most, "  # most of the months cannot all bring the most
    return f"{months} should bring {most}{between} each; {why}"


def leaders(months: pd.DataFrame) -> pd.DataFrame:
    """Return the months that may bring the most: the largest, and those it is not ahead of by more than the ranges.

    months : mean, q10, q90; the means known. The 80 % range of a difference has its low end at
    d - sqrt((mean - q10 of the larger)^2 + (q90 - mean of the smaller)^2), as of months that move apart from each
    other (Zou and Donner 2008, Statistics in Medicine 27). Where no range is known, no month is ranked.

    >>> leaders(pd.DataFrame({"mean": [9.0, 5.0, 1.0], "q10": [6.0, 3.0, 0.0], "q90": [12.0, 8.0, 2.0]})).index.tolist()
    [0, 1]
    """
    best = months.loc[months["mean"].idxmax()]
    below = np.maximum(best["mean"] - best["q10"], 0.0)
    above = np.maximum(months["q90"] - months["mean"], 0.0)
    ahead = (best["mean"] - months["mean"]) > np.hypot(below, above)
    return months[~ahead]


def describe_fan(fan: Fan) -> Caption:
    """Return the words of the months: past as booked, ahead as a fan of ranges."""
    return Caption(
        title=months_finding(fan.ahead, company=fan.company),
        subtitle=f"Bookings by month, {fan.unit}, {who(fan.segment)}; bars: booked, line: median{MEANS}",
        description=_fan_description(fan),
        tooltips=_fan_tooltips(fan),
    )


def _fan_description(fan: Fan) -> str:
    currency, parts = fan.company.currency, []
    if len(fan.past):
        first, last = fan.past["period"].iloc[0], fan.past["period"].iloc[-1]
        least, most = (sources.aggregate(booked_of(fan), "booked", how) for how in ("min", "max"))
        span = wording.money_range(least, most, currency=currency)
        parts.append(f"Bars for what was booked from {wording.month(first)} to {wording.month(last)}, {span} a month.")
    for row in sources.records(fan.ahead):
        median = wording.money(row["q50"], currency=currency)
        span = wording.money_range(row["q10"], row["q90"], currency=currency)
        plan = row.get("plan")
        target = f", plan {wording.money(plan, currency=currency)}" if wording.known(plan) else ""
        parts.append(f"{wording.month(row['target_period'])}: median {median}, 80 % range {span}{target}.")
    return " ".join(parts)


def _fan_tooltips(fan: Fan) -> list[str]:
    currency = fan.company.currency
    booked = [
        wording.listed(wording.month(row["target_period"]), booked_amount(row, currency=currency))
        for row in sources.records(booked_of(fan))
    ]
    ahead = sources.records(fan.ahead)
    return [*booked, *(forecast_tooltip(wording.month(row["target_period"]), row, currency=currency) for row in ahead)]


def booked_of(fan: Fan) -> pd.DataFrame:
    """Return the past months as rows of the table that is shown."""
    return fan.table.iloc[: len(fan.past)]


def booked_amount(row: Mapping[str, Any], *, currency: str) -> str:
    """Return `booked €1.2 m`."""
    return wording.named_amount("booked", row["booked"], currency=currency)


def forecast_tooltip(name: str, row: Mapping[Any, Any], *, currency: str) -> str:
    """Return what a row of the forecast table holds: median, 80 % range, what is booked of it, plan and its chance."""
    booked, chance = row.get("booked"), row.get("p_at_least_plan")
    plan = wording.named_amount("plan", row.get("plan"), currency=currency)
    return wording.listed(
        name,
        wording.named_amount("median", row.get("q50"), currency=currency),
        wording.named_range(row.get("q10"), row.get("q90"), currency=currency),
        wording.named_amount("booked already", booked, currency=currency) if booked else "",
        f"{plan} ({wording.chance(chance)} likely)" if plan and wording.known(chance) else plan,
    )


def who(segment: str) -> str:
    """Return whose bookings a chart shows: `all segments`, or the segment's name."""
    return "all segments" if segment == TOTAL else wording.label(segment)


def addends_finding(ahead: pd.DataFrame) -> str:
    """Return the title of the three addends: how much of the last month comes from deals nobody has entered."""
    known = ahead[ahead["mean"] > 0] if len(ahead) else ahead
    if len(ahead) == 0 or ahead["mean"].isna().all():
        return "What the months ahead will consist of cannot be said"
    if known.empty or "not_yet_created" not in known:
        return "The parts of the forecast"
    last = sources.row(known, -1)
    if not wording.known(last["not_yet_created"]):
        return "The parts of the forecast"
    share = wording.share(last["not_yet_created"], last["mean"])
    return f"{share} of {wording.month(last['target_period'])} is expected to come from deals not yet created"


def describe_addends(addends: Addends) -> Caption:
    """Return the words of the three parts of the months ahead."""
    currency, ahead = addends.company.currency, sources.records(addends.ahead)
    title = addends_finding(addends.ahead)
    ends = [_addends_of(row, addends) for row in ([ahead[0], ahead[-1]] if len(ahead) > 1 else ahead)]
    tooltips = []
    for row in ahead:
        parts = [
            f"{ADDEND_WORDS[name]} {wording.money(row[name], currency=currency, least=addends.least)}"
            for name in addends.parts
            if row[name] and wording.known(row[name])
        ]
        expected = wording.named_amount("expected", row["mean"], currency=currency)
        tooltips.append(wording.listed(wording.month(row["target_period"]), expected, *parts))
    unit = wording.axis_unit(addends.largest, currency=currency)[1]
    return Caption(
        title=title,
        subtitle=f"Expected bookings by month, {unit}, {who(addends.segment)}",
        description=f"{title}. {' '.join(ends)}",
        tooltips=tooltips,
    )


def _addends_of(row: Mapping[Any, Any], addends: Addends) -> str:
    """Return `October 2026: €1 m booked, €2 m open pipeline and €3 m not yet created.`"""
    named = [name for name in ADDENDS if name in row and (name != "booked" or row[name])]
    worded = part_of_month(addends)
    parts = [f"{worded(row[name])} {ADDEND_WORDS[name]}" for name in named]
    return f"{wording.month(row['target_period'])}: {wording.joined(parts)}."


def part_of_month(addends: Addends) -> Callable[[Any], str]:
    """Return the function that words what a part brings in a month: `under €100` where it is next to nothing."""
    return lambda amount: wording.money(amount, currency=addends.company.currency, least=addends.least)


def booked_so_far(company: Company) -> Callable[[Any], str]:
    """Return the function that words what is booked of months ahead; a dash where nothing is, or can be yet."""
    return lambda amount: wording.money(amount, currency=company.currency) if amount else "–"


def plan_finding(row: Mapping[str, Any] | None) -> str:
    """Return the title of the dot plot."""
    if row is None or not wording.known(row["mean"]):
        return "The chance of reaching plan is not known"
    if not wording.known(row.get("plan")):
        return f"What {wording.month(row['target_period'])} may bring; there is no plan for it"
    chance = row.get("p_at_least_plan")
    if not wording.known(chance):
        return "The chance of reaching plan is not known"
    return f"{wording.dots(chance)} equally likely outcomes reach plan"


def plan_label(outcomes: Outcomes) -> str:
    """Return what is written at the line of plan: `plan €2.3 m`."""
    return f"{LABELS['plan']} {wording.money(outcomes.plan, currency=outcomes.company.currency)}"


def describe_outcomes(outcomes: Outcomes, *, title: str) -> Caption:
    """Return the words of the dot plot: 20 equally likely outcomes, those that reach plan filled."""
    currency = outcomes.company.currency
    unit = wording.axis_unit(float(outcomes.amounts.max()), currency=currency)[1]
    filled = "; filled: plan is reached" if outcomes.has_chance else ""
    count, rows, tooltips = wording.number(sources.count(outcomes.table)), sources.records(outcomes.table), []
    for row in rows:
        reach = ("reaches plan" if row["reached"] else "short of plan") if outcomes.has_chance else ""
        worth = wording.named_amount("", row["bookings"], currency=currency)
        tooltips.append(wording.listed(f"Outcome {wording.number(row['outcome'])} of {count}", worth, reach))
    span = wording.money_range(rows[0]["bookings"], rows[-1]["bookings"], currency=currency)
    return Caption(
        title=title,
        subtitle=f"{count} equally likely outcomes of {wording.month(outcomes.period)}, {unit}{filled}",
        description=f"{title}. The outcomes: {span}.",
        tooltips=tooltips,
    )
