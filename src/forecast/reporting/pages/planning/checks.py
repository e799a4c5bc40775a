"""What else could look like an effect of joint planning, and whether it was found: a table under the effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from forecast import wording
from forecast.evaluation.planning.inference.checks import SOUGHT
from forecast.reporting.charts.canvas import empty
from forecast.reporting.charts.figure import Statement, TableView
from forecast.reporting.pages.planning import sentences


def checks(row: Mapping[str, Any]) -> TableView | Statement:
    """Show what else could look like an effect, and whether it was found. row : the planning table's row."""
    if not wording.known(row.get("n_assignments")) or not row["n_assignments"]:
        return empty(*NO_CHECKS)
    shown = checks_shown(row)
    return TableView(shown, CHECKS_CAPTION, columns=CHECKS_HEADS, right=["chance"])


# -- sentences ----------------------------------------------------------------------------------------

CHECKS: Mapping[str, tuple[str, str]] = {
    "trend": (
        "Did segments that began drift away from the others already before?",
        "a sign of it; the change holds without it",
    ),
    "earlier spell": (
        "Were their errors unusual already more than six months before?",
        "a sign of it; the change holds with those months set aside",
    ),
    "controls": ("Did those that never began change in the meantime?", "a sign of it; the change holds without it"),
    "benchmark": (
        "Did the benchmark’s own error change at the starts?",
        "a sign of it; the change holds without the benchmark",
    ),
    "missing": (
        "Are more months without a forecast after the starts, or before them?",
        "a sign of it; it holds whatever they hide",
    ),
}
"""Check -> what it asks, and what follows where it finds something and the change is claimed all the same."""


CHECKS_CAPTION = "What else could look like an effect, and whether there is a sign of it"
CHECKS_HEADS = {"asked": "what is asked", "chance": "chance alone", "follows": "what follows"}
NO_CHECKS = ("Nothing can be checked", "No change was estimated that a check could speak against.")


def checks_shown(row: Mapping[str, Any]) -> pd.DataFrame:
    """Return the checks of a claim: what is asked, how often chance alone gives as much, and what follows."""
    p = {name: float(row.get(f"{name.replace(' ', '_')}_p_value", np.nan)) for name in CHECKS}
    return pd.DataFrame(
        {
            "asked": [asked for asked, _ in CHECKS.values()],
            "chance": [sentences.chance_alone(value) for value in p.values()],
            "follows": [_follows(name, value, row) for name, value in p.items()],
        }
    )


def _follows(name: str, p: float, row: Mapping[str, Any]) -> str:
    """Return what follows from one check: no more than the verdict draws from it."""
    if name in str(row.get("withheld") or "").split("; "):
        return "a sign of it; the claim is withheld"
    if not wording.known(p):
        return "nothing to look at"
    if p > SOUGHT[name]:
        return "no sign"
    return CHECKS[name][1] if row.get("verdict") in ("improved", "worsened") else "a sign of it; no claim is made"
