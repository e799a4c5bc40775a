"""Joint planning in a month's tables: the study's figures in one row, and its other tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pandas as pd

from forecast.data.submissions import ABSENT, TABLE
from forecast.errors import DataError
from forecast.evaluation.planning.randomisation import ALPHA
from forecast.evaluation.planning.study import PlanningStudy

NOTHING: Mapping[str, Any] = MappingProxyType(
    {
        "relative_change": float("nan"),
        "interval_low": -1.0,
        "interval_high": float("inf"),
        "p_value": 1.0,
        "verdict": "not identified",
        "placebo_p_value": float("nan"),
        "dip_p_value": float("nan"),
    }
)
"""What the row holds where no forecast of people can be scored."""


def row_of(study: PlanningStudy) -> pd.DataFrame:
    """Return the figures and words of a study as one row.

    The effect's figures under their own names (the interval as interval_low and interval_high, sentences joined by
    `; `), and detectable_change, detectable_twice (with twice as many segments), left_out_low, left_out_high (the
    least and the greatest change with any one segment left out), decided_by (segments without which the verdict would
    be another one, joined by `, `), others_changed (secondary outcomes that changed, likewise).
    """
    effect, facts = study.effect, {}
    for field in dataclasses.fields(effect):
        value = getattr(effect, field.name)
        if field.name == "interval":
            facts["interval_low"], facts["interval_high"] = value
        elif isinstance(value, tuple):
            facts[field.name] = "; ".join(value)
        elif not isinstance(value, (pd.DataFrame, dict)):
            facts[field.name] = value
    nan = float("nan")
    facts["detectable_change"] = study.detectable.get(effect.n_segments, nan)
    facts["detectable_twice"] = study.detectable.get(2 * effect.n_segments, nan)
    left = study.leave_one_out
    facts["left_out_low"], facts["left_out_high"] = left["relative_change"].min(), left["relative_change"].max()
    other = (left["p_value"] <= ALPHA) != (effect.p_value <= ALPHA)
    facts["decided_by"] = ", ".join(left.loc[other, "segment"])
    changed = study.secondary["verdict"] == "changed"
    facts["others_changed"] = ", ".join(study.secondary.loc[changed, "outcome"])
    return pd.DataFrame([facts])


def nothing(error: DataError) -> pd.DataFrame:
    """Return the row where nothing can be scored: `not identified`, and why."""
    problem = error.problem
    why = f"{problem.table}: {problem.what}" if problem.table else problem.what
    if problem.table == TABLE:
        why = f"the forecasts that people submitted cannot be scored: {problem.what}"
        if problem.what == ABSENT:
            why = f"no forecasts that people submitted are recorded; {TABLE} brings them"
    sentence = f"Cannot tell whether planning together helped: {why}."
    return pd.DataFrame([{**NOTHING, "sentence": sentence, "reasons": str(error)}])


def tables_of(study: PlanningStudy) -> dict[str, pd.DataFrame]:
    """Return the study's other tables, by their names in a month."""
    effect = study.effect
    left = study.leave_one_out.set_index("segment").add_prefix("left_out_")
    return {
        "planning_segments": effect.by_segment.join(left, on="segment"),
        "planning_months": effect.event_study,
        "planning_outcomes": study.secondary,
        "planning_information": study.information,
        "planning_power": study.power,
    }
