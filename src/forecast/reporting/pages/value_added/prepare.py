"""What the steps of forecasting may claim, and what the chart of them draws. Nothing here is a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from forecast import wording
from forecast.reporting.pages.track.prepare import LUCK


def verdict(row: Mapping[str, Any]) -> str:
    """Return `better`, `worse`, `unclear` (chance could have made the difference) or `untested` (too few months)."""
    if not wording.known(row["p_holm"]) or not wording.known(row["added"]):
        return "untested"
    if row["p_holm"] > LUCK or not row["added"] * row["statistic"] > 0:
        return "unclear"  # also where the pooled miss and the months' mean point in different ways
    return "better" if row["added"] > 0 else "worse"


def verdicts(table: pd.DataFrame) -> list[str]:
    """Return the verdict of each row."""
    return [verdict(row) for row in table.to_dict("records")]


def is_joint(row: Mapping[str, Any]) -> bool:
    """Return whether a step compares joint with sales' forecasts, which is no measure of planning together."""
    return bool(row["step"] == "submitted-joint" and row["before"] == "submitted-sales")


def joint_rows(table: pd.DataFrame) -> pd.Series:
    """Return which rows are such a step."""
    return (table["step"] == "submitted-joint") & (table["before"] == "submitted-sales")


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """Steps of forecasting, each with its miss and the miss of what it is compared with on the same months.

    table : all steps, as `value_added` gives them; rows : those of them with both misses.
    """

    table: pd.DataFrame
    rows: Sequence[Mapping[Any, Any]]

    @property
    def largest(self) -> float:
        """The largest miss drawn; 1 where all are nothing, so that an axis has a length."""
        return float(max((max(row["wape"], row["wape_before"]) for row in self.rows), default=0.0)) or 1.0


def prepare_ladder(table: pd.DataFrame) -> Ladder:
    """Return the steps that can be drawn."""
    known = table[table["wape"].notna() & table["wape_before"].notna()]
    return Ladder(table=table, rows=known.to_dict("records"))
