"""A win in the end: whether the odds of it came true, and how many of the open deals should be won.

Every number is read from the table `odds_ever` of a month.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from forecast import wording
from forecast.evaluation.judgement import Finding
from forecast.reporting.pages.words import EVER, EVER_AT_ALL, evaluated, word

# -- sentences ------------------------------------------------------------------------------------------

NO_EVER = (
    "The chance of a win ever cannot be checked: no past day with odds of its open deals lies far enough back for a "
    "month after it to have settled."
)


def ever_sentences(ever: pd.DataFrame, judged: Mapping[str, Finding]) -> list[str]:
    """Return whether the chance of a win ever came true, a sentence each past day; ever as the table `odds_ever`.

    Held against what came are the wins expected by the last settled month: of deals still open nothing need be assumed.
    """
    rows = checked_days(ever).to_dict("records")
    return [_ever_sentence(row, judged[f"odds ever {i}"]) for i, row in enumerate(rows)] or [NO_EVER]


def checked_days(ever: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `odds_ever` that tell what came: those of past days."""
    return ever[ever["won"].notna()]


def _ever_sentence(row: Mapping[Any, Any], found: Finding) -> str:
    return (
        f"A win ever: of {wording.plural(row['deals'], 'deal')} open on {wording.day(row['origin'])}, "
        f"{_wins(row['expected'])} wins were expected in the end and {_wins(row['expected_by'])} of them by "
        f"{wording.day(row['until'])} (odds that are right give {_wins(row['chance_low'])} to "
        f"{_wins(row['chance_high'])} in 95{wording.THIN}% of cases); {_wins(row['won'])} were won by then and "
        f"{_wins(row['open'])} were still open: {evaluated(found, EVER)}."
    )


def wins_sentence(ever: pd.DataFrame) -> str:
    """Return how many of the deals open today are expected to be won, and in what range; nothing without odds."""
    today = ever[ever["won"].isna()]
    if today.empty:
        return ""
    row = today.iloc[0]
    by = "all" if round(row["expected"]) == round(row["expected_by"]) else _wins(row["expected_by"])
    return (
        f"Of {wording.plural(row['deals'], 'open deal')}, {_wins(row['expected'])} should be won in the end, "
        f"{by} of them by {wording.day(row['until'])}; past deals leave open "
        f"{_wins(row['expected_low'])} to {_wins(row['expected_high'])} (95{wording.THIN}% range of what lies beyond "
        "these months)."
    )


def _wins(number: float) -> str:
    """Return a number of wins, expected or not, as a whole number."""
    return wording.number(round(number))


def ever_title(judged: Mapping[str, Finding]) -> str:
    """Return that the chance of a win ever did not come true, by the latest day that shows it, or nothing."""
    apart = [found for name, found in judged.items() if name.startswith("odds ever") and found.is_apart]
    return word(apart[0].verdict, EVER_AT_ALL) if apart else ""
