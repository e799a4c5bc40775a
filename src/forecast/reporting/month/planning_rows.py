"""Joint planning in a month's tables: the study's figures and words in one row, and its other tables by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pandas as pd

from forecast.data.submissions import ABSENT
from forecast.errors import DataError
from forecast.evaluation.planning.inference.randomisation import ALPHA
from forecast.evaluation.planning.study import PlanningStudy
from forecast.evaluation.planning.verdict import NO_STARTS, STARTS, not_scored_sentence

_NOT_IDENTIFIED: Mapping[str, Any] = MappingProxyType(
    {
        "relative_change": float("nan"),
        "interval_low": -1.0,
        "interval_high": float("inf"),
        "mean_change": float("nan"),
        "mean_interval_low": -1.0,
        "mean_interval_high": float("inf"),
        "p_value": 1.0,
        "verdict": "not identified",
        "placebo_p_value": float("nan"),
        "dip_p_value": float("nan"),
        "earlier_spell_p_value": float("nan"),
        "trend_p_value": float("nan"),
        "controls_p_value": float("nan"),
        "benchmark_p_value": float("nan"),
        "missing_p_value": float("nan"),
    }
)
"""What the row holds where no forecast of people can be scored."""


def row_of(study: PlanningStudy) -> pd.DataFrame:
    """Return the figures and words of a study as one row.

    The effect's figures under their own names (each interval as its two ends, such as interval_low and interval_high;
    sentences joined by `; `), more (what follows the answer in the sentence), needs (the table without which nothing
    can be told; empty where it is there), and detectable_change, detectable_twice (with twice as many segments),
    left_out_low, left_out_high (the least and the greatest change of the mean error with any one segment left out),
    decided_by (segments without which the verdict would be another one, joined by `; `), others_changed (secondary
    outcomes that changed, likewise).
    """
    effect, facts = study.effect, {}
    for field in dataclasses.fields(effect):
        value = getattr(effect, field.name)
        if field.name in ("interval", "mean_interval"):
            facts[f"{field.name}_low"], facts[f"{field.name}_high"] = value
        elif isinstance(value, tuple):
            facts[field.name] = "; ".join(value)
        elif not isinstance(value, (pd.DataFrame, dict)):
            facts[field.name] = value
    nan = float("nan")
    facts["more"] = effect.sentence.removeprefix(effect.answer).strip()
    facts["needs"] = STARTS if NO_STARTS in effect.reasons else ""
    facts["detectable_change"] = study.detectable.get(effect.n_segments, nan)
    facts["detectable_twice"] = study.detectable.get(2 * effect.n_segments, nan)
    left = study.leave_one_out
    facts["left_out_low"], facts["left_out_high"] = left["mean_change"].min(), left["mean_change"].max()
    other = (left["p_value"] <= ALPHA) != (effect.p_value <= ALPHA)
    facts["decided_by"] = "; ".join(left.loc[other, "segment"])
    changed = study.secondary["verdict"] == "changed"
    facts["others_changed"] = "; ".join(study.secondary.loc[changed, "outcome"])
    return pd.DataFrame([facts])


def not_scored(error: DataError) -> pd.DataFrame:
    """Return the row where nothing can be scored: `not identified`, why, and the mend."""
    problem, said = error.problem, not_scored_sentence(error.problem)
    needs, mend = (problem.table, "") if problem.what == ABSENT else ("", problem.mend)
    told = {"sentence": said, "answer": said, "more": "", "reasons": str(error), "needs": needs, "mend": mend}
    return pd.DataFrame([{**_NOT_IDENTIFIED, **told}])


def tables_of(study: PlanningStudy) -> dict[str, pd.DataFrame]:
    """Return the study's other tables, by their names in a month."""
    effect = study.effect
    left = study.leave_one_out.set_index("segment").add_prefix("left_out_")
    return {
        "planning_reasons": pd.DataFrame({"reason": pd.Series(effect.reasons, dtype="str")}),
        "planning_levels": study.levels,
        "planning_segments": effect.by_segment.join(left, on="segment"),
        "planning_months": effect.event_study,
        "planning_outcomes": study.secondary,
        "planning_information": study.information,
        "planning_power": study.power,
    }
