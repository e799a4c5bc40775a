"""What else could look like an effect of joint planning, and whether it was found: a table under the effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from forecast import wording
from forecast.evaluation.planning.inference.checks import SOUGHT
from forecast.evaluation.planning.inference.randomisation import ALPHA
from forecast.reporting.charts.canvas import empty
from forecast.reporting.charts.figure import Notes, Statement, TableColumns, TableView, Together
from forecast.reporting.pages.planning import sentences
from forecast.reporting.pages.planning.prepare import draws, is_answerable, is_claimed, mark, number


def checks(row: Mapping[str, Any]) -> Together | Statement:
    """Show what else could look like an effect, and whether it was found. row : the planning table's row."""
    if not is_answerable(row):
        return Together()
    if not wording.known(row.get("n_assignments")) or not row["n_assignments"]:
        return empty(*NO_CHECKS)
    shown: TableColumns = {"columns": CHECKS_HEADS, "formats": {"chance": str, "limit": str}}
    table = TableView(checks_shown(row), CHECKS_CAPTION, **shown, right=["chance", "limit"], stacks=True)
    return Together(Notes([HOW]), table, Notes([SIDES, TEST]))


# -- sentences ----------------------------------------------------------------------------------------

CHECKS: Mapping[str, tuple[str, str]] = {
    "trend": (
        "Did segments that began drift away from the others already before?",
        "the change holds without it",
    ),
    "earlier spell": (
        "Were their errors unusual already more than six months before?",
        "the change holds with those months set aside",
    ),
    "controls": (
        "Did those that never began move apart from the others in the meantime?",
        "the change holds without it",
    ),
    "benchmark": ("Did the benchmark’s own error change at the starts?", "the change holds without the benchmark"),
    "missing": (
        "Are more months without a forecast after the starts, or before them?",
        "it holds whatever they hide",
    ),
    "mean": ("Does the plain mean, in which gross misses count in full, show the change too?", ""),
}
"""Check -> what it asks, and what follows where it finds something and the change is claimed all the same."""

LIMITS = {name: f"up to {100 * limit:g} of 100" for name, limit in SOUGHT.items()}
"""Check -> up to how often chance alone may give as much for it to have found something."""

CHECKS_CAPTION = "What else could look like an effect, and whether there is a sign of it"
CHECKS_HEADS = {
    "asked": "what is asked",
    "chance": "chance alone",
    "limit": "counts",
    "follows": "what follows",
}
TEST = "In the picture, the chance of the first row counts gross misses less, as the verdict does."
HOW = (
    "Each segment that began is compared with those that had not begun in the same month, in two ways: against what "
    "its own past led to expect, and with the six months before its start set aside. What was hard for everybody, or "
    "for the benchmark too, is taken out. Then start dates are assigned at random, many times: how often do both look "
    "as large?"
)
"""How the effect is estimated."""

SIDES = (
    "Chance alone: how often it gives as much, up or down. Where a change would be claimed, the second and the fourth "
    "question count only the direction that could bring the claim about. Each question has a limit of its own, set "
    "beforehand: up to it, the claim is asked once more without what was found."
)
NO_CHECKS = ("Nothing can be checked", "No change was estimated that a check could speak against.")


def checks_shown(row: Mapping[str, Any]) -> pd.DataFrame:
    """Return the checks of a claim: what is asked, how often chance alone gives as much, the limit, what follows."""
    p = {name: number(row, f"{name.replace(' ', '_')}_p_value") for name in CHECKS if name != "mean"}
    if "mean" in str(row.get("withheld") or "").split("; "):
        p["mean"] = np.nan  # asked of every claim, and shown where it withholds one
    return pd.DataFrame(
        {
            "asked": [CHECKS[name][0] for name in p],
            "chance": [sentences.chance_alone(value, draws=draws(row)) for value in p.values()],
            "limit": [LIMITS.get(name, "–") for name in p],
            "follows": [_follows(name, value, row) for name, value in p.items()],
        }
    )


def _follows(name: str, p: float, row: Mapping[str, Any]) -> str:
    """Return what follows from one check: no more than the verdict draws from it."""
    if name in str(row.get("withheld") or "").split("; "):
        sign = "a sign of it" if p <= ALPHA else "a hint of it"
        return f"{'it does not' if name == 'mean' else sign}; the claim is withheld"
    if not wording.known(p):
        return "nothing to look at"
    found = mark(name, p)
    if found in ("", "faint"):
        return "a hint of it, too faint to count" if found else "no sign found"
    return f"a {found} of it; {CHECKS[name][1] if is_claimed(row) else 'no claim is made'}"
