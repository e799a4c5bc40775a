"""Joint planning on the leader's page: never more than the verdict says, and one line where nothing can be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from forecast import sources, wording
from forecast.data.schema import Company
from forecast.evaluation.judgement import found
from forecast.evaluation.questions import of_comparison
from forecast.models.registry import SUBMITTED
from forecast.reporting.charts.figure import Notes, Shown, Statement
from forecast.reporting.pages.planning import charts, levels, sentences
from forecast.reporting.pages.planning.prepare import is_answerable
from forecast.reporting.pages.track.under_alarm import within
from forecast.reporting.pages.words import JOINT, evaluated


def brief(
    row: Mapping[str, Any],
    before_and_after: pd.DataFrame,
    steps: pd.DataFrame,
    alarms: pd.DataFrame,
    *,
    company: Company,
    as_of: Any,
) -> Shown:
    """Show what a leader must know of joint planning.

    Simple case: accuracy before and after, the verdict, the effect. Where it cannot be told whether planning together
    helped, no change is shown that could be taken for a finding; and where forecasts of people or start dates are not
    recorded at all, nothing: the page says elsewhere what would bring them.

    row : of `prepare.planning_row`. before_and_after, steps, alarms : `planning_levels`, `value_added` and
    `alarms` of the month.
    """
    if not is_answerable(row):
        return Shown(Statement(row["answer"], kind="nothing"))
    if row["verdict"] == "not identified":
        return Shown(Statement(*sentences.brief(row), kind="abstain"))
    verdict, both = Statement(*sentences.brief(row)), Notes(joint_and_sales(steps))
    alarm = Notes(within(alarms, "After") if len(before_and_after) else [])
    picture = charts.effect(row, company=company, as_of=as_of)
    return Shown(levels.levels(before_and_after, row), alarm, verdict, both, picture)


def conclusion(row: Mapping[str, Any], reasons: pd.DataFrame | None) -> Shown:
    """Show the verdict once more, what would change it, and why; nothing where it could not even be asked.

    reasons : the table `planning_reasons`.
    """
    if not is_answerable(row):
        return Shown()
    tells = row["verdict"] != "not identified"
    said = Statement(f"{sentences.finding(row)}.", sentences.closing(row), kind="finding" if tells else "abstain")
    return Shown(said, Notes(_quoted(reasons), ELSE if tells else WHY))


def _quoted(table: pd.DataFrame | None) -> list[str]:
    return [] if table is None else sources.texts(table, "reason")


# -- sentences ----------------------------------------------------------------------------------------


WHY, ELSE = "Why, and what else must be known:", "What else must be known:"


def joint_and_sales(steps: pd.DataFrame) -> list[str]:
    """Return how far the joint forecast missed and sales' own of the same months; nothing where both never met.

    steps : `value_added`, whose p-values are corrected over the page on the track record.
    """
    pair = (steps["step"] == f"{SUBMITTED}-joint") & (steps["before"] == f"{SUBMITTED}-sales")
    return [_joint_and_sales(step) for step in sources.records(steps[pair])]


def _joint_and_sales(step: Mapping[str, Any]) -> str:
    plain = {name: sources.bare(value) for name, value in step.items()}
    finding = found(of_comparison(plain), p_page=plain["p_holm"])
    counts = {"n": step["months"], "agreeing": step.get("agreeing", float("nan"))}
    finding = replace(finding, estimate=replace(finding.estimate, **counts))
    return (
        f"Of the same months and segments, the joint forecast missed {wording.percent(step['wape'])} and sales’ own "
        f"{wording.percent(step['wape_before'])}: {evaluated(finding, JOINT)}. That is no test "
        "of planning together: sales’ own may get less care where the joint one counts."
    )
