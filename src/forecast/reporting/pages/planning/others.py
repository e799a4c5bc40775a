"""What else changed with joint planning, and what knowing marketing was worth to the model: two tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from forecast import sources, wording
from forecast.reporting.charts.canvas import empty
from forecast.reporting.charts.figure import Format, Notes, Statement, TableView, Together
from forecast.reporting.pages.planning.prepare import is_answerable
from forecast.reporting.pages.track.prepare import LUCK


def planning_others(table: pd.DataFrame | None, row: Mapping[str, Any]) -> Together:
    """Show whether anything else changed: the finding and the secondary outcomes, before and after.

    row : the planning table's row; nothing is shown where no forecast or no start is recorded at all.
    """
    if table is None or not is_answerable(row):
        return Together()
    shown = _compared(others_shown(table), OTHERS_CAPTION, heads=OTHERS_HEADS)
    explained = Notes(others_explained(table), MEASURES, fold=True)
    twice = table.loc[table["outcome"].isin(ABOVE), "before"].notna().any()
    notes = Notes([AGAINST_OTHERS, *([AT_THE_TOP] if twice else [])])
    return Together(Statement(*others(table)), shown, notes, explained)


def planning_information(table: pd.DataFrame | None) -> Together | Statement:
    """Show what knowing marketing was worth to the model, before and after the starts."""
    if table is None:
        return Together()
    if table.empty:
        return empty(*NO_INFORMATION)
    shown = _compared(information_shown(table), INFORMATION_CAPTION, heads=INFORMATION_HEADS)
    return Together(Statement(*information(table)), shown, Notes([TWICE]))


def _compared(shown: pd.DataFrame, caption: str, *, heads: Mapping[str, str]) -> TableView:
    """Return a table of two shares, their difference and whether luck could have made it; all but its names right."""
    formats: dict[str, Format] = dict.fromkeys(list(heads)[1:], str)  # as they are worded: they stay on a line
    return TableView(shown, caption, columns=heads, formats=formats, right=list(heads)[1:])


# -- sentences ----------------------------------------------------------------------------------------

OUTCOMES: Mapping[str, tuple[str, str]] = {
    "bias": ("Bias", "forecast less booked, as a share of a usual month; above zero, too much was promised"),
    "interval coverage": (
        "Ranges that held",
        "share of the model’s 80 % ranges that held, made at the last three month ends before a month; four in five "
        "are promised",
    ),
    "win-probability calibration": (
        "Odds less wins",
        "wins expected at a month’s start less wins, per open deal; above zero, the odds were too high",
    ),
    "slippage": ("Slipped deals", "open deals whose expected close moved later during the month"),
}
"""Secondary outcome -> how it is called on a page, what it measures and how to read it."""

ABOVE = ("bias", "interval coverage")
"""Secondary outcomes that stand in the table that opens the page too, with other levels."""

OTHERS_HEADS = {
    "outcome": "",
    "before": "before",
    "after": "after",
    "change": "change against others, points",
    "interval": "95 % interval",
    "chance": "could be luck?",
}
INFORMATION_HEADS = {
    "when": "",
    "forecasts": "forecasts",
    "without": "miss without",
    "with": "miss with",
    "added": "taken off, points",
    "chance": "could be luck?",
}
"""What stands over the columns of each table."""

OTHERS_CAPTION = "What else may have changed with planning together"
INFORMATION_CAPTION = "How far the model misses, without and with marketing"
MEASURES = "What these measure"

AGAINST_OTHERS = (
    "The change is not after less before: what happened meanwhile where segments had not begun is taken off."
)
AT_THE_TOP = (
    "Each segment counts alike here, and segments that began are also compared with one another; the table at the top "
    "adds up money."
)
"""Why levels and changes of ABOVE are others there."""

LEADS = "one to three months ahead"
TWICE = "The same model forecasts the same months twice: with what marketing knows (leads, campaigns), and without."
NO_INFORMATION = (
    "Cannot tell what knowing marketing is worth",
    "The months compared are those for which forecasts that people submitted are scored, and there are none.",
)
"""What stands in place of a table, and why."""

ONE_LEVEL = (
    "Of many comparisons one may show a change by luck. The last column allows for all on this page: where the verdict "
    "claims no change, or too many are asked, it says “not claimed”."
)
"""How the page as a whole is held to one level."""

_PARTS = {"before": "before the start", "after": "since the start", "not begun": "where it has not begun"}


def others(table: pd.DataFrame) -> tuple[str, str]:
    """Return what the secondary outcomes say: the finding, and how many were looked at and how they were corrected."""
    tested = table[table["verdict"] != "not identified"]
    changed = tested[tested["verdict"] == "changed"]
    if tested.empty:
        first = "Cannot tell whether anything else changed"
    elif changed.empty:
        first = "Nothing else shows a change beyond luck"
    else:
        first = " ".join(_changed(row) for row in sources.records(changed)).rstrip(".")
    why = {at: sources.quoted(table, at, "reason") for at in table.index[table["reason"] != ""]}
    missing = [f"{table.at[at, 'outcome']} is not known ({reason})" for at, reason in why.items()]
    more = ""
    if len(tested):
        count = f"{wording.spelt(len(tested))} {'outcome' if len(tested) == 1 else 'outcomes'}"
        more = f"{count.capitalize()} named in advance {'was' if len(tested) == 1 else 'were'} looked at."
        more += f" {ONE_LEVEL}"
    if missing:
        more += f" {wording.sentence('; '.join(missing))}"
    return f"{first}.", more.strip()


def _changed(row: Mapping[Any, Any]) -> str:
    """Return the sentence of an outcome that changed; the bias is part of the errors, and no second finding."""
    name, points = OUTCOMES[row["outcome"]][0], wording.points(row["change"], digits=1)
    rest = "; it is part of the errors, not a second change" if row["outcome"] == "bias" else ""
    return f"{name} changed by {points}{rest}."


def others_shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return the secondary outcomes as a reader wants them: outcome, before, after, change, interval, chance."""
    rows = [
        {
            "outcome": OUTCOMES[row["outcome"]][0],
            **{when: wording.percent(row[when], places=1) for when in ("before", "after")},
            "change": wording.in_points(row["change"], digits=1),
            "interval": " to ".join(wording.in_points(row[f"interval_{end}"], digits=1) for end in ("low", "high"))
            if wording.known(row["change"])
            else "cannot tell",
            "chance": luck(row["p_value"], row["p_holm"]),
        }
        for row in sources.records(table)
    ]
    return pd.DataFrame(rows, columns=list(OTHERS_HEADS))


def others_explained(table: pd.DataFrame) -> list[str]:
    """Return what each secondary outcome measures."""
    named = [OUTCOMES[str(name)] for name in table["outcome"]]
    return [f"{name}: {meaning}." for name, meaning in named]


def information(table: pd.DataFrame) -> tuple[str, str]:
    """Return what knowing marketing was worth to the model: the finding, and what it was before and after."""
    if table.empty:
        return f"{NO_INFORMATION[0]}.", NO_INFORMATION[1]
    apart = table[(table["p_holm"] <= LUCK) & table["added"].notna()]
    if apart.empty:
        first = f"Knowing marketing shows no difference to the model beyond luck, {LEADS}"
    else:
        each = [
            f"{wording.points(abs(row['added']), sign=False, digits=1)} {'off' if row['added'] > 0 else 'more'} "
            f"{_PARTS[row['when']]}"
            for row in sources.records(apart)
        ]
        first = f"Knowing marketing changed the model’s miss, {LEADS}: {wording.joined(each)}"
    return f"{first}.", "The parts have different months: a difference between them is no effect."


def information_shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return the comparison as a reader wants it: when, n, wape_without, wape_with, added, p_holm."""
    return pd.DataFrame(
        [
            {
                "when": wording.sentence(_PARTS[row["when"]]).rstrip("."),
                "forecasts": wording.number(row["n"]),
                "without": wording.percent(row["wape_without"], places=1),
                "with": wording.percent(row["wape_with"], places=1),
                "added": wording.in_points(row["added"], digits=1),
                "chance": luck(row["p_value"], row["p_holm"]),
            }
            for row in sources.records(table)
        ],
        columns=list(INFORMATION_HEADS),
    )


def luck(p_value: Any, p_holm: Any) -> str:
    """Return whether luck could have made a change: `yes`, `no`, or `not claimed` where only all together forbid it."""
    if not (wording.known(p_value) and wording.known(p_holm)):
        return "–"
    return "no" if p_holm <= LUCK else "yes" if p_value > LUCK else "not claimed"
