"""From the lead to the next order: what passes each hand-over and after how long, and where it is lost.

All is read from the month's table `scorecard_funnel`, of the company over all its cohorts; segments and quarters stand
in the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from forecast import sources, wording
from forecast.data.schema import TOTAL, Company
from forecast.evaluation.judgement import Verdict
from forecast.evaluation.scorecard import one_level
from forecast.evaluation.scorecard.funnel.hand_overs import STEPS
from forecast.evaluation.scorecard.funnel.leaks import DIFFERENCE
from forecast.evaluation.scorecard.funnel.rows import AGAIN, ALL, CAPACITY, HAND_OVER, LEAK, PLAN, SOURCE
from forecast.reporting.charts.figure import Notes, Statement, Together
from forecast.reporting.pages.scorecard import funnel_chart
from forecast.reporting.pages.track.under_alarm import stands_against
from forecast.reporting.pages.words import NOT_PROVEN, PLANS_NEARER, word

# -- sentences ------------------------------------------------------------------------------------------

NOTHING = "No hand-over can be followed yet"
KINDS = (("leads", STEPS[:3]), ("deals", STEPS[3:5]))
"""What is lost at several hand-overs, which are compared with each other by number: leads; else deals."""

MOST_LOST, OF_KNOWN = "Most {} are lost{} between {}", "Of the hand-overs that are known, most {} are lost{} between {}"
LOST_BY = {"leads": ", rejected or left undecided,", "deals": ""}
"""How they are lost, said in the answer."""

PASSED_ON = "What passes each hand-over, and after how long"
PASS_ONE = "Of {}, {} passed from {}"
ORDERED_AGAIN = "Of {} with a first delivery on time in these months, {} ordered again within a year"
ESTIMATED_AGAIN = (
    "Of {} with a first delivery on time in these months, an estimated {} order again within a year: {} of them were "
    "followed for all of it, the others as long as they were seen"
)
FROM_NO_LEAD = "{} of {} come from no lead ({}), so that more opportunities are followed than leads became one"
PLANS = {"sales": "sales’ own forecast", "marketing": "marketing’s forecast", "joint": "the joint forecast"}
SO_FAR = "so far {} was, by {} of what was booked ({} to {})"
FEWER, MORE = "After a late first order fewer bought again", "After a late first order more bought again"
NOT_TOLD = "Whether a late first order changes that cannot be told"
BY_TEST = "by this page’s strict test"
NO_EFFECT = "orders are not late by lot, so that this is no effect of being late"
ALL_FIRST = (
    "These are all first orders since {}, late or not, followed from the day promised; the picture follows accounts "
    "from their first delivery on time in its own months, whether an order before that was late or not"
)
PROBABLE, IMPROBABLE = (
    "In {} bookings will probably exceed what can be delivered ({})",
    "In no month looked at will bookings probably exceed what can be delivered",
)
CHANCES, OTHERS = "The chance of it: {}", "The chance of it in the other months: {}"
IN_DOUBT = "An alarm stands against the forecast behind these chances, so do not plan with them: {}"
SEGMENTS = "These are chances of the company; a segment may exceed what it can deliver in other months (table capacity)"
BY_FORECAST = "By that forecast the chance that bookings exceed what can be delivered is: {}"
BEHIND, WHY = "What lies behind it:", "Not known:"
DELIVERY, NEARER = "Can it be delivered?", "Whose forecast was nearer?"


def company_rows(table: pd.DataFrame, part: str) -> pd.DataFrame:
    """Return the company's rows of a part of the funnel, over all cohorts; of the capacity those of the months."""
    here = (table["part"] == part) & (table["segment"] == TOTAL)
    return table[here & ((table["cohort"] == ALL) | (part == CAPACITY))]


def answer(table: pd.DataFrame, *, brief: bool = False) -> str:
    """Return between which steps most leads are lost, by number, and what may be it as well; without leads of deals.

    brief : without how they are lost.

    Where a hand-over of theirs is not known the sentence speaks of those that are; of a single one it says who passed.
    """
    rows = company_rows(table, HAND_OVER)
    known = rows[rows["value"].notna() & rows["step"].isin(STEPS[:-1])]
    for noun, steps in KINDS:
        here = known[known["step"].isin(steps)]
        if len(here) > 1:
            most = MOST_LOST if len(here) == len(steps) else OF_KNOWN
            return wording.sentence(most.format(noun, "" if brief else LOST_BY[noun], _where_lost(here)))
    if known.empty:
        return wording.sentence(NOTHING) if rows["value"].isna().all() else ordered_again(table)
    (first, *_) = sources.records(known)
    setting_out = wording.plural(first["n"], first["n_of"])
    return wording.sentence(PASS_ONE.format(setting_out, wording.percent(first["value"]), first["step"]))


def _where_lost(rows: pd.DataFrame) -> str:
    """Return the hand-over at which most are lost, with those whose interval reaches as many."""
    return ", or between ".join(map(_lost_at, sources.records(_may_be_most(rows))))


def _may_be_most(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the hand-over at which most are lost and of those whose interval reaches as many, the most
    first."""
    most = rows["n"] * (1 - rows["low"])
    least = rows["n"] * (1 - rows["high"])
    may_be = rows[most >= least.max()]
    by_number = (may_be["n"] * (1 - may_be["value"])).sort_values(ascending=False, kind="stable")
    return may_be.loc[by_number.index]


def _between(step: str) -> str:
    start, _, end = step.partition(" to ")
    return f"{start} and {end}"


def _lost_at(row: Mapping[str, Any]) -> str:
    lost, of = wording.number(row["n"] * (1 - row["value"])), wording.in_full(row["n"])
    return f"{_between(row['step'])}: an estimated {lost} of {of} ({wording.percent(row['value'])} pass)"


def ordered_again(table: pd.DataFrame) -> str:
    """Return how many of the accounts delivered to on time ordered again; empty where it is not known."""
    rows = company_rows(table, HAND_OVER)
    rows = rows[(rows["step"] == STEPS[-1]) & rows["value"].notna()]
    if rows.empty:
        return ""
    (row,) = sources.records(rows)
    accounts, share = wording.plural(row["n"], row["n_of"]), wording.percent(row["value"])
    if row["n_followed"] < row["n"]:
        return wording.sentence(ESTIMATED_AGAIN.format(accounts, share, wording.in_full(row["n_followed"])))
    return wording.sentence(ORDERED_AGAIN.format(accounts, share))


def brief(table: pd.DataFrame, *, chances: bool = True) -> list[str]:
    """Return where most is lost, and in which months bookings will probably exceed what can be delivered.

    For a page on other things: nothing where neither is known. chances : whether the forecast may be told as chances.
    """
    lost = answer(table, brief=True)
    probable = _probable(table) if chances else ""
    return [text for text in ("" if sources.plain(lost) == wording.sentence(NOTHING) else lost, probable) if text]


def title_of(table: pd.DataFrame) -> str:
    """Return the finding without its numbers: between which steps most leads are lost, or what may be it as well."""
    rows = company_rows(table, HAND_OVER)
    known = rows[rows["value"].notna()]
    for noun, steps in KINDS:
        here = known[known["step"].isin(steps)]
        if len(here) > 1:
            most = MOST_LOST if len(here) == len(steps) else OF_KNOWN
            return most.format(noun, "", ", or between ".join(map(_between, _may_be_most(here)["step"])))
    return PASSED_ON


def shown(table: pd.DataFrame, *, company: Company, as_of: Any) -> Together:
    """Show the answer, who passes each hand-over as a picture, and quarter by quarter folded away.

    table : the month's table `scorecard_funnel`.
    """
    rows, told = company_rows(table, HAND_OVER), answer(table)
    known = rows[rows["value"].notna()]
    if known.empty:
        return Together(Statement(told, kind="nothing"))
    again = ordered_again(table)
    answered = Statement(told, "" if again == told else again)
    picture = funnel_chart.funnel(rows, title_of(table), company=company, as_of=as_of)
    quarters = table[(table["part"] == HAND_OVER) & (table["segment"] == TOTAL) & (table["cohort"] != ALL)]
    return Together(answered, picture, funnel_chart.by_cohort(quarters))


def behind(table: pd.DataFrame, alarms: pd.DataFrame) -> Together:
    """Show what lies behind it, what can be delivered, whose forecast was nearer, what is not known, each under a line.

    A line without anything to stand under it is left out. alarms : the month's table.
    """
    plans = [_plan(row) for _, row in _each(company_rows(table, PLAN))]
    parts = {BEHIND: remarks(table), DELIVERY: capacity_sentences(table, alarms), NEARER: plans, WHY: reasons(table)}
    return Together(*(Notes(sentences, line) for line, sentences in parts.items() if sentences))


def remarks(table: pd.DataFrame) -> list[str]:
    """Return how many opportunities come from no lead, where leads are lost, and what a late order did."""
    sourced = [_from_no_lead(row) for _, row in _each(company_rows(table, SOURCE)) if row["value"] > 0]
    leaks = [_leak(row, rows) for rows, row in _each(company_rows(table, LEAK))]
    return list(filter(None, [*sourced, *leaks, again_sentence(table)]))


def _from_no_lead(row: Mapping[str, Any]) -> str:
    """By hand: half of 9,831 opportunities are 4,916."""
    of = wording.plural(row["n"], row["n_of"])
    alone = wording.in_full(row["value"] * row["n"])
    return wording.sentence(FROM_NO_LEAD.format(alone, of, wording.percent(row["value"])))


def reasons(table: pd.DataFrame) -> list[str]:
    """Return a line for each reason why figures of the company are not known, and what would bring them."""
    rows = pd.concat([company_rows(table, part) for part in (HAND_OVER, SOURCE, LEAK, PLAN, CAPACITY, AGAIN)])
    out = []
    for _, same in rows[rows["missing"] != ""].groupby("missing", sort=False):
        names = wording.joined(dict.fromkeys(same["step"]))
        why = sources.quoted(table, same.index[0], "missing")
        out.append(wording.sentence(f"{names}: {why}"))
    return out


def capacity_sentences(table: pd.DataFrame, alarms: pd.DataFrame) -> list[str]:
    """Return in which months bookings will probably exceed what can be delivered, then the chances of the others.

    Under an alarm against the company's forecast that comes first, and no month is said to be probable.
    """
    rows = _capacity(table)
    if not rows:
        return []
    against = stands_against(alarms)
    if against:
        return [wording.sentence(IN_DOUBT.format(against)), wording.sentence(BY_FORECAST.format(_chances(rows)))]
    others = [row for row in rows if not row["value"] > 0.5]
    first = _probable(table) or wording.sentence(IMPROBABLE)
    told = (CHANCES if len(others) == len(rows) else OTHERS).format(_chances(others))
    return [first, *([wording.sentence(told)] if others else []), wording.sentence(SEGMENTS)]


def _chances(rows: list[dict[str, Any]]) -> str:
    return wording.joined(f"{wording.month(row['cohort'])} {wording.chance(row['value'])}" for row in rows)


def _probable(table: pd.DataFrame) -> str:
    """Return the months in which bookings will probably exceed what can be delivered; empty where there is none."""
    rows = [row for row in _capacity(table) if row["value"] > 0.5]
    months = wording.joined(wording.month(row["cohort"]) for row in rows)
    chances = ", ".join(wording.chance(row["value"]) for row in rows)
    return wording.sentence(PROBABLE.format(months, chances)) if rows else ""


def _capacity(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [row for _, row in _each(company_rows(table, CAPACITY))]


def again_sentence(table: pd.DataFrame) -> str:
    """Return how many accounts bought again after a late first order and after one on time; empty where not known."""
    rows = company_rows(table, AGAIN)
    rows = rows[rows["value"].notna()]
    if len(rows[rows["step"] == DIFFERENCE]) == 0:
        return ""
    told = []
    for at, row in zip(rows.index, sources.records(rows), strict=True):
        if row["step"] == DIFFERENCE:
            told.append(_difference(row))
        else:
            means = sources.capitalised(sources.quoted(table, at, "means"))
            told.append(wording.sentence(f"{means}: {_figure(row, places=1)}"))
    since = min(filter(None, rows["first"].astype("str")), default="")
    return " ".join([*told, wording.sentence(ALL_FIRST.format(wording.month(since)))] if since else told)


def _each(rows: pd.DataFrame) -> list[tuple[pd.DataFrame, dict[str, Any]]]:
    """Return the known rows one by one, each as a frame and as a record."""
    known = rows[rows["value"].notna()]
    return [(known.loc[[at]], row) for at, row in zip(known.index, sources.records(known), strict=True)]


def _leak(row: Mapping[str, Any], frame: pd.DataFrame) -> str:
    means = sources.capitalised(sources.quoted(frame, frame.index[0], "means"))
    return wording.sentence(f"{means}: {_figure(row)}")


def _figure(row: Mapping[str, Any], *, places: int = 0) -> str:
    """Return a share with its interval and of how many; places : as many decimals as its difference has."""
    count = wording.plural(row["n"], row["n_of"])
    return f"{wording.percent(row['value'], places=places)} ({wording.percents(row['low'], row['high'])}, {count})"


def _difference(row: Mapping[str, Any]) -> str:
    """Return whether more or fewer bought again after a late order, and by how much; or that it cannot be told."""
    ends = (wording.points(row[end], short=True, digits=1) for end in ("low", "high"))
    figure = f"{wording.points(row['value'], digits=1)} ({' to '.join(ends)})"
    if row["low"] <= 0 <= row["high"]:
        return wording.sentence(f"{NOT_TOLD}: {figure}")
    if not row["p_value"] < one_level.LATE:
        return wording.sentence(f"{NOT_TOLD} {BY_TEST}: {figure}")
    return wording.sentence(f"{FEWER if row['value'] < 0 else MORE}: {figure}; {NO_EFFECT}")


def _plan(row: Mapping[str, Any]) -> str:
    """Return whose forecast was nearer, and by how much; in doubt which missed less so far, with its range."""
    first, second = (PLANS[name] for name in row["step"].split(" against "))
    verdict: Verdict = "unclear"
    if sources.bare(row["p_value"]) < one_level.PLANS:
        verdict = "above" if row["value"] > 0 else "below"
    months = wording.plural(row["n"], row["n_of"])
    if verdict == "unclear":
        nearer, ends = (
            (second, (row["low"], row["high"])) if row["value"] >= 0 else (first, (-row["high"], -row["low"]))
        )
        low, high = (wording.percent(end, sign=True, places=1) for end in ends)
        size = wording.percent(abs(row["value"]), places=1)
        told = word(verdict, PLANS_NEARER).format(first, second, months)
        strictly = f" {BY_TEST}" if row["low"] > 0 or row["high"] < 0 else ""
        so_far = f"{SO_FAR.format(nearer, size, low, high)}, {NOT_PROVEN}{strictly}"
        return wording.sentence(sources.capitalised(f"{told}: {so_far}"))
    low, high = sorted((row["low"], row["high"]), key=lambda end: abs(sources.bare(end)))
    sizes = (wording.percent(abs(value)) for value in (row["value"], low, high))
    return wording.sentence(sources.capitalised(word(verdict, PLANS_NEARER).format(first, second, months, *sizes)))
