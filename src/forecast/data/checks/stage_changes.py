"""Checks of the table `stage_changes`: a stage that becomes itself, or one that the company does not have."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from forecast.data.checks.table import problem_at
from forecast.errors import Problem

CHANGES = "stage_changes"


def check_stage_changes(tables: Mapping[str, pd.DataFrame]) -> list[Problem]:
    """Return every problem of `stage_changes` between its columns and with `stages`; tables : typed."""
    changes = tables.get(CHANGES)
    if changes is None:
        return []
    found = problem_at(
        changes,
        np.asarray(changes["old"] == changes["new"]),
        table=CHANGES,
        column="new",
        what="is the old name: nothing changes",
        mend="write the name that the stage has since, or leave the row out",
    )
    stages = tables.get("stages")
    if stages is not None:
        found += problem_at(
            changes,
            np.asarray(~changes["new"].isin(stages["stage"]) & ~changes["new"].isin(changes["old"])),
            table=CHANGES,
            column="new",
            what="is no stage of the table stages",
            mend="write the name as stages has it, or add the stage there",
        )
    return found
