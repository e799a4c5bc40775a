"""What the leader's page cannot show yet: one line each, with the table that would bring it.

Simple case: a table is absent, and what it would bring is named beside it. Where the tables are there, it is the record
that is too short, or a column that is empty. A section of which nothing can be shown is not on the page; its line is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from forecast import sources, wording
from forecast.data.schema import TABLES, Log
from forecast.evaluation.judgement import Finding
from forecast.evaluation.questions import COMPANY_SKILL
from forecast.reporting.pages.planning.prepare import is_answerable
from forecast.reporting.pages.scorecard import plain_name
from forecast.reporting.pages.track.prepare import OURS

THEIR_FORECASTS, STARTS, HISTORY = "submitted_forecasts", "joint_planning", "opportunity_history"


def has_record(scores: pd.DataFrame) -> bool:
    """Return whether any past forecast of ours has settled; one not made has not. scores : the month's table."""
    return bool(((scores["model"] == OURS) & (scores["n"] > 0)).any()) if len(scores) else False


def is_short(judged: Mapping[str, Finding]) -> bool:
    """Return whether too few months have settled to judge the company's forecast; then a sentence says it all."""
    found = judged.get(COMPANY_SKILL)
    return found is None or found.estimate.n < found.estimate.fewest


# -- sentences ------------------------------------------------------------------------------------------

LEAD = "Each with what would bring it:"
MONTHS = "more months that have settled"
ENOUGH = "months that the model had enough deals to forecast"


def lacking(
    log: Log,
    *,
    row: Mapping[str, Any] | None,
    deals: pd.DataFrame,
    scores: pd.DataFrame,
    quarters: pd.DataFrame,
    planning: Mapping[str, Any],
    card: pd.DataFrame,
) -> list[str]:
    """Return what the page cannot show, a line each, with what would bring it; what one table brings is one line.

    row : of the headline. deals : the snapshot's opportunities. The others are tables of the month; planning is a row.
    """
    found: dict[str, list[str]] = {}
    for what, brings in (
        *_of_plan(log, row),
        *_of_changes(log),
        *_of_record(log, scores, quarters),
        *_of_planning(log, planning),
        *_of_deals(deals),
        *_of_scorecard(card),
    ):
        found.setdefault(brings, []).append(what)
    return [f"{sources.capitalised(wording.joined(what))}: {_named(brings)}." for brings, what in found.items()]


def _named(brings: str) -> str:
    """Return what would bring something; of a table, that it is one."""
    return f"the table {brings}" if brings in TABLES else brings


def _of_plan(log: Log, row: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    if row is not None and not wording.known(row.get("plan")):
        brings = f"plan of {wording.month(row['target_period'])}" if "plan" in log.tables else "plan"
        yield "the chance of reaching plan, and each segment against its plan", brings


def _of_changes(log: Log) -> Iterator[tuple[str, str]]:
    if HISTORY not in log.tables:
        yield "which deals moved since last month", HISTORY


def _of_record(log: Log, scores: pd.DataFrame, quarters: pd.DataFrame) -> Iterator[tuple[str, str]]:
    if not has_record(scores):
        was_asked = len(scores) and (scores["model"] == OURS).any()
        yield "the record of past forecasts", ENOUGH if was_asked else MONTHS
    elif quarters.empty:
        yield "how quarters ended against what was said before they began", MONTHS
    if THEIR_FORECASTS not in log.tables:
        yield "the record of what sales and marketing forecast", THEIR_FORECASTS


def _of_planning(log: Log, planning: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if is_answerable(planning):
        return
    absent = [name for name in (THEIR_FORECASTS, STARTS) if name not in log.tables]
    if absent:
        yield "the effect of planning together", wording.joined(absent)
    else:
        why = sources.plain(str(planning["sentence"])).partition(": ")[2].rstrip(".")
        yield f"the effect of planning together ({why})", f"mending {THEIR_FORECASTS}"


def _of_deals(deals: pd.DataFrame) -> Iterator[tuple[str, str]]:
    is_open = deals["outcome"] == "open"
    if is_open.any() and deals.loc[is_open, "expected_close_on"].isna().all():
        yield "which deals are past their date", "expected_close_on in opportunities"


def _of_scorecard(card: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield the measures that are not known; what they need stands at the end of their note."""
    for measure, note in card.loc[card["ours"].isna(), ["measure", "note"]].itertuples(index=False):
        needs = str(note).partition("; needs ")[2]
        if needs:
            yield plain_name(str(measure)).replace(": ", " "), needs.replace("`", "")
