"""Whether the share of deals won has changed, in words: what, since when, where, how sure, and what follows.

All is read from the month's table `levels_found`. No sentence decides anything: whether there is an alarm is a column.
Without one nothing is claimed, whatever the last months look like.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from forecast import sources, wording
from forecast.data.schema import TOTAL
from forecast.evaluation.alarms import WINDOW

# -- sentences ------------------------------------------------------------------------------------------

HOW_SURE = "This is an alarm: all alarms of a company together are false at most once in two years."
FOLLOWED = "The forecast has followed; its ranges rest on the few months since."
NOT_FOLLOWED = "The forecast has not followed yet, so take its numbers with care."
NO_CHANGE = "No change of the share of deals won is found"
NOT_THE_COMPANY = "No change of the share of deals won is found in the company as a whole; there is one in"
CANNOT_TELL = "Whether the share of deals won has changed cannot be told yet"
NO_RECORD, TOO_SHORT = (
    "The share of deals won is not watched",
    "Less than a year of months that were expected has settled",
)
FEWEST = 12
"""Months without which there is no picture."""

SUBTITLE = (
    f"Won of the deals that closed, of those open when their month began; the band is the 80{wording.THIN}% range of "
    "what chance alone would give"
)
LABELS = {"won": "won", "expected": "expected", "changed": "won since the change"}
HEADS = {
    "period": "month",
    "won": "won",
    "closed": "closed",
    "share": "share won",
    "expected_share": "expected",
    "low": "chance from",
    "high": "chance to",
}
"""What is written in the picture, and over the columns of its table."""

LIKELY = 0.5
"""From which probability of a level that moved on the forecast is taken to have followed it."""


def changed_sentences(found: pd.DataFrame) -> list[str]:
    """Return what has changed of the share won, for a list of what has changed of late; none without an alarm.

    Simple case: an alarm on the company says what, since when, in how many segments, and from what to what, then how
    sure that is and what the forecast does about it. Where it shows in some segments only, those under an alarm of
    their own are named with it; without one on the company each is a sentence.

    found : the month's table `levels_found`.
    """
    rows = sources.records(found[found["alarm"]])
    company = [row for row in rows if row["segment"] == TOTAL]
    alone = [row for row in rows if row["segment"] != TOTAL]
    told = [what_changed(row, beside=_of_the_same(row, alone)) for row in company]
    if company:
        kinds = {row["kind"] for row in company}
        alone = [row for row in alone if row["kind"] not in kinds]
    told += [what_changed(row) for row in alone]
    if not told:
        return []
    followed = all(sources.bare(row["moved"]) >= LIKELY for row in company or alone)
    return [" ".join([*told, HOW_SURE, FOLLOWED if followed else NOT_FOLLOWED])]


def record_title(found: pd.DataFrame) -> str:
    """Return what the record of the share won says, without a full stop: what changed, that nothing did, or neither.

    Where the filter takes a move for likely and no alarm is on, it cannot be told yet; nothing is claimed.
    """
    rows = [row for row in sources.records(found) if row["segment"] == TOTAL]
    for row in rows:
        if row["alarm"]:
            came, due = (wording.percent(row[name], digits=0) for name in ("share", "expected_share"))
            return f"{_happened(row)}: {came}, where {due} had been expected"
    if any(wording.known(row["moved"]) and sources.bare(row["moved"]) > LIKELY for row in rows):
        return CANNOT_TELL
    names = sorted({wording.label(row["segment"]) for row in sources.records(found[found["alarm"]])})
    return f"{NOT_THE_COMPANY} {wording.joined(names)}" if names else NO_CHANGE


def description(rows: pd.DataFrame, title: str) -> str:
    """Return the picture for those who cannot see it. rows : of the month's table `levels`, of the company."""
    last = sources.row(rows.tail(1))
    shares = (wording.percent(last[name], digits=0) for name in ("share", "expected_share"))
    came, due = shares
    return f"{title}. In {wording.month(last['period'])} {came} were won, {due} had been expected."


def tooltips(rows: pd.DataFrame) -> list[str]:
    """Return what is said of each month."""
    return [
        wording.listed(
            wording.month(row["period"]),
            wording.named_share("won", row["share"]),
            wording.named_share("expected", row["expected_share"]),
            f"{wording.plural(row['closed'], 'deal')} closed",
        )
        for row in sources.records(rows)
    ]


def what_changed(row: Mapping[str, Any], *, beside: str = "") -> str:
    """Return the change of one row of `levels_found`, a sentence.

    beside : the segments in which it is an alarm by itself, named where it does not show in all of them.
    """
    came, low, high, due = (wording.percent(row[name], digits=0) for name in ("share", "low", "high", "expected_share"))
    return (
        f"{_happened(row, beside=beside)}: of the {wording.plural(row['closed'], 'deal')} that closed {came} were won "
        f"(95{wording.THIN}% interval {low} to {high}), where {due} had been expected."
    )


def _happened(row: Mapping[str, Any], *, beside: str = "") -> str:
    """Return `Since May 2026 fewer deals are won in all eight segments`."""
    return f"Since {since(row)} {row['kind']} deals are won {_where(row, beside=beside)}"


def since(row: Mapping[str, Any]) -> str:
    """Return the month since which it holds; where it fills all months that are looked at, it may be longer."""
    first = wording.month(row["first"])
    return f"{first} or before" if sources.bare(row["n"]) >= WINDOW else first


def _where(row: Mapping[str, Any], *, beside: str) -> str:
    """Return `in all eight segments`, `in five of eight segments, by itself in Alps`, or `in Alps` of a segment."""
    if row["segment"] != TOTAL:
        return f"in {wording.label(row['segment'])}"
    if sources.bare(row["segments"]) < 2:
        return "in the whole company"
    told = f"in {wording.of_all(row['segments_side'], row['segments'], 'segment')}"
    if beside and sources.bare(row["segments_side"]) < sources.bare(row["segments"]):
        return f"{told}, by an alarm of its own in {beside},"
    return told


def _of_the_same(row: Mapping[str, Any], alone: list[dict[Any, Any]]) -> str:
    """Return the names of the segments under an alarm of the same kind; empty where there are none."""
    names = [wording.label(other["segment"]) for other in alone if other["kind"] == row["kind"]]
    return wording.joined(names) if names else ""
