"""Whether the odds hold: over all days checked, on the last of them, and for a win in the end.

Simple case: past odds came true, on the last day too, and what open deals should bring is said with its range. Where
something speaks against them (a test of this page, or an alarm on the forecast that is made of them) no range is
given, and every sentence says what it is. Numbers come from the tables `odds_bins`, `odds_days` and `odds_ever`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from forecast import sources, wording
from forecast.evaluation.judgement import Finding, Verdict
from forecast.evaluation.lately import LAST
from forecast.reporting.pages.track.lately_sentences import what_happened
from forecast.reporting.pages.words import (
    EVER,
    EVER_AT_ALL,
    LATELY,
    LEVEL,
    ODDS_THEN,
    ODDS_TOO_FEW,
    SLOPE,
    evaluated,
    rests_on,
    word,
)

# -- sentences ------------------------------------------------------------------------------------------

NO_EVER = (
    "The chance of a win ever cannot be checked: no past day with odds of its open deals lies far enough back for a "
    "month after it to have settled."
)
NO_ODDS_EVER = "The chance of a win ever cannot be checked: no deal had one on a past day, and none has one today."
UNDER_ALARM = "An alarm stands against the forecast made of such odds"

Row = Mapping[Any, Any]


def is_in_doubt(judged: Mapping[str, Finding], alarm: Row | None = None) -> bool:
    """Return whether something speaks against the odds of today: a test of their level, or an alarm.

    alarm : the row of the one on the company's forecast, which is made of these odds; None where there is none.
    """
    names = [name for name in judged if name.startswith(("odds level", "odds lately", "odds ever"))]
    return alarm is not None or any(judged[name].is_apart for name in names)


def calibration_title(table: pd.DataFrame, judged: Mapping[str, Finding], *, alarm: Row | None = None) -> str:
    """Return whether the odds are honest, no louder than the tests; table as `reliability`, judged as `of_odds` gives.

    The level first, then the slope: odds right on the whole may be too far apart, or too close together. Where all
    days together show nothing, the last of them may.
    """
    if table.empty or not table["n"].sum():
        return "The odds cannot be checked yet"
    level, late, slope = (judged[f"odds {name}"] for name in ("level", "lately", "slope"))
    if level.is_apart or late.is_apart:
        more = f"; {word(slope.verdict, SLOPE)}" if slope.is_apart else ""
        title = word(level.verdict, LEVEL) if level.is_apart else word(late.verdict, LATELY)
        return f"{title}{more}"
    if slope.is_apart:
        return f"Of the odds, {word(slope.verdict, SLOPE)}"
    if {level.verdict, slope.verdict} == {"too few"}:
        return f"{ODDS_TOO_FEW} ({rests_on(level)})"
    if alarm is not None:
        return ODDS_THEN
    both: Verdict = "as promised" if level.verdict == slope.verdict == "as promised" else "unclear"
    return word(both, LEVEL)


def calibration_finding(
    table: pd.DataFrame,
    judged: Mapping[str, Finding],
    *,
    days: pd.DataFrame,
    within: str,
    ever: pd.DataFrame,
    alarm: Row | None = None,
) -> str:
    """Return the title with what it rests on: the mean probability, the share won, and how many of both; sentences.

    And where the last day, or the chance of a win ever, did not come true, that; and an alarm on the forecast that is
    made of these odds. A page's headline is silent about none of it. days : the table `odds_days`, in order. ever : the
    table `odds_ever`. within : names the event.
    """
    known, title = table[table["n"] > 0] if len(table) else table, calibration_title(table, judged, alarm=alarm)
    in_the_end, off = ever_title(ever, judged), alarm_sentence(alarm)
    if known.empty and in_the_end:
        first = f"{in_the_end}. Those of being {within} cannot be checked yet"
    elif known.empty or title.startswith(ODDS_TOO_FEW):
        first = "; ".join(filter(None, (title, in_the_end)))
    else:
        forecast, won = (wording.percent(_weighted(known, name)) for name in ("probability", "happened"))
        level, pooled = judged["odds level"], f"forecast {forecast}, won {won}"
        pooled = f"{pooled}, {deals_and_days(known, level)}"
        if judged["odds lately"].is_apart:
            last = _last_day(days, within)
            pooled = f"{pooled}; {last}" if level.is_apart else f"{last}. All days together: {pooled}"
        first = "; ".join(filter(None, (f"{title}: {pooled}", in_the_end)))
    return " ".join(filter(None, (wording.sentence(first), off)))


def short_finding(
    table: pd.DataFrame, judged: Mapping[str, Finding], *, ever: pd.DataFrame, alarm: Row | None = None
) -> str:
    """Return the same without its numbers, for the end of a page; the alarm where no test says as much already."""
    title = calibration_title(table, judged, alarm=alarm)
    first = "; ".join(filter(None, (title, ever_title(ever, judged))))
    off = "" if is_in_doubt(judged) else alarm_sentence(alarm)
    return " ".join(filter(None, (wording.sentence(first), off)))


def alarm_sentence(alarm: Row | None) -> str:
    """Return what the alarm on the company's forecast says of the odds of today; empty without one."""
    return "" if alarm is None else wording.sentence(f"{UNDER_ALARM}: {what_happened(alarm)}")


def last_day_sentences(days: pd.DataFrame, judged: Mapping[str, Finding], *, within: str) -> list[str]:
    """Return what became of the deals of the last day, which all days together hide; nothing without a day.

    Nothing either where the headline says it, since it is too high or too low.
    """
    late = judged["odds lately"]
    if days.empty or late.is_apart:
        return []
    verdict = evaluated(late, LATELY) if late.verdict == "too few" else word(late.verdict, LATELY)
    return [wording.sentence(f"{_last_day(days, within)}: {verdict}")]


def _last_day(days: pd.DataFrame, within: str) -> str:
    """Return `on 31 May 2026, the last day checked, 172 of 679 deals were expected to be won …, and 75 were`."""
    row = sources.row(days, len(days) - 1)
    expected, won = (wording.in_full(row[name] * row["deals"]) for name in ("p", "won"))
    return (
        f"on {wording.day(row['origin'])}, the last day checked, {expected} of {wording.plural(row['deals'], 'deal')} "
        f"were expected to be {within}, and {won} were"
    )


def _weighted(known: pd.DataFrame, name: str) -> float:
    """Return the mean of a column of the bins, each counted by its deals."""
    parts = [row[name] * row["n"] for row in sources.records(known)]
    whole: float = sum(parts[1:], parts[0]) / sources.total(known, "n")
    return whole


def deals_and_days(known: pd.DataFrame, level: Finding) -> str:
    """Return what the check rests on: `2,485 probabilities of 8 days`; a deal counts on each day it is open."""
    count = wording.plural(sources.total(known, "n"), "probability")
    return f"{count} of {wording.plural(level.estimate.n, 'day')}" if level.estimate.unit == "day" else count


def ever_sentences(ever: pd.DataFrame, judged: Mapping[str, Finding]) -> list[str]:
    """Return whether the chance of a win ever came true, a sentence each past day; ever as the table `odds_ever`.

    Held against what came are the wins expected by the last settled month: of deals still open nothing need be assumed.
    """
    if ever.empty:
        return [NO_ODDS_EVER]
    rows = sources.records(checked_days(ever))
    return [_ever_sentence(row, judged[f"odds ever {i}"]) for i, row in enumerate(rows)] or [NO_EVER]


def checked_days(ever: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `odds_ever` that tell what came: those of past days."""
    return ever[ever["won"].notna()]


def _ever_sentence(row: Row, found: Finding) -> str:
    names = ("expected", "expected_by", "chance_low", "chance_high", "won", "open")
    expected, by, low, high, won, still_open = (wording.in_full(row[name]) for name in names)
    # How many deals it rests on stands in the sentence already, unless they are too few.
    verdict = evaluated(found, EVER) if found.verdict == "too few" else word(found.verdict, EVER)
    return (
        f"A win ever: of {wording.plural(row['deals'], 'deal')} open on {wording.day(row['origin'])}, {expected} wins "
        f"were expected in the end and {by} of them by {wording.day(row['until'])} (odds that are right give {low} to "
        f"{high} in 95{wording.THIN}% of cases); {won} {_were(row['won'])} won by then and {still_open} "
        f"{_were(row['open'])} still open: {verdict}."
        f"{_closed_late(row)}"
    )


def _were(count: float) -> str:
    return "was" if round(float(count)) == 1 else "were"


def _closed_late(row: Row) -> str:
    """Return how many of the deals closed of late, since in others no change of late can show; empty if all did."""
    closed = row["deals"] - row["open"]
    if row["late"] == closed:
        return ""
    months = f"in the last {wording.spelt(LAST)} of these months"
    if not row["late"]:
        return f" None of them closed {months}: a change of late cannot show here."
    late = wording.in_full(row["late"])
    return (
        f" {late} of the {wording.in_full(closed)} that closed did so {months}: only these can show a change of late."
    )


def wins_sentence(
    ever: pd.DataFrame,
    judged: Mapping[str, Finding],
    *,
    days: pd.DataFrame,
    alarm: Row | None = None,
) -> str:
    """Return how many of the deals open today are expected to be won, and in what range; nothing without odds.

    The range holds all that odds which are right leave open: the luck of the deals, and what lies beyond the months
    modelled. Odds in doubt have none; where the last day shows by how much they were off, that is said instead.
    """
    today = ever[ever["won"].isna()]
    if today.empty:
        return ""
    row = sources.row(today)
    expected, by, low, high = (
        wording.in_full(row[name]) for name in ("expected", "expected_by", "expected_low", "expected_high")
    )
    by = "all" if round(float(row["expected"])) == round(float(row["expected_by"])) else by
    deals, until = wording.plural(row["deals"], "open deal"), wording.day(row["until"])
    if not is_in_doubt(judged, alarm):
        return (
            f"Of {deals}, {expected} should be won in the end (odds that are right give {low} to {high} in "
            f"95{wording.THIN}% of cases), {by} of them by {until}."
        )
    sentence = f"Of {deals}, {expected} would be won in the end by these odds, {by} of them by {until}"
    if judged["odds lately"].is_apart:
        last = sources.row(days, len(days) - 1)
        came = wording.in_full(row["expected"] * last["won"] / last["p"])
        how = "few" if judged["odds lately"].verdict == "above" else "many"
        day = wording.day(last["origin"])
        sentence += f"; if as {how} of those expected are won as on {day}, it would be about {came}"
    return f"{sentence}."


def ever_title(ever: pd.DataFrame, judged: Mapping[str, Finding]) -> str:
    """Return that the chance of a win ever did not come true, on the first day of the table that shows it, or nothing.

    A day's deals share their luck, so the day is named, and of how many it is one: `of deals open on 31 October 2025,
    one of two days checked, the odds of a win by 30 September 2026 were too high (80 deals)`.
    """
    rows = sources.records(checked_days(ever))
    for i, row in enumerate(rows):
        found = judged.get(f"odds ever {i}")
        if found is not None and found.is_apart:
            which = "the one day checked" if len(rows) == 1 else f"one of {wording.spelt(len(rows))} days checked"
            return evaluated(found, EVER_AT_ALL, wording.day(row["origin"]), which, wording.day(row["until"]))
    return ""
