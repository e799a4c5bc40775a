"""A win in the end: whether the odds of it came true, and how many of the open deals should be won.

Every number is read from the table `odds_ever` of a month.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from forecast import sources, wording
from forecast.evaluation.judgement import Finding
from forecast.reporting.pages.words import EVER, EVER_AT_ALL, evaluated, word

# -- sentences ------------------------------------------------------------------------------------------

NO_EVER = (
    "The chance of a win ever cannot be checked: no past day with odds of its open deals lies far enough back for a "
    "month after it to have settled."
)
NO_ODDS_EVER = "The chance of a win ever cannot be checked: no deal had one on a past day, and none has one today."


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


def _ever_sentence(row: Mapping[Any, Any], found: Finding) -> str:
    names = ("expected", "expected_by", "chance_low", "chance_high", "won", "open")
    expected, by, low, high, won, still_open = (wording.in_full(row[name]) for name in names)
    # How many deals it rests on stands in the sentence already, unless they are too few.
    verdict = evaluated(found, EVER) if found.verdict == "too few" else word(found.verdict, EVER)
    return (
        f"A win ever: of {wording.plural(row['deals'], 'deal')} open on {wording.day(row['origin'])}, {expected} wins "
        f"were expected in the end and {by} of them by {wording.day(row['until'])} (odds that are right give {low} to "
        f"{high} in 95{wording.THIN}% of cases); {won} were won by then and {still_open} were still open: {verdict}."
    )


def wins_sentence(ever: pd.DataFrame) -> str:
    """Return how many of the deals open today are expected to be won, and in what range; nothing without odds."""
    today = ever[ever["won"].isna()]
    if today.empty:
        return ""
    row = sources.row(today)
    names = ("expected", "expected_by", "expected_low", "expected_high")
    expected, by, low, high = (wording.in_full(row[name]) for name in names)
    if round(float(row["expected"])) == round(float(row["expected_by"])):
        by = "all"
    until = wording.day(row["until"])
    return (
        f"Of {wording.plural(row['deals'], 'open deal')}, {expected} should be won in the end, {by} of them by "
        f"{until}. How many are won after that day is less sure: with them it is {low} to {high} "
        f"(95{wording.THIN}% range)."
    )


def ever_title(judged: Mapping[str, Finding]) -> str:
    """Return that the chance of a win ever did not come true, by the latest day that shows it, or nothing."""
    apart = [found for name, found in judged.items() if name.startswith("odds ever") and found.is_apart]
    return word(apart[0].verdict, EVER_AT_ALL) if apart else ""
