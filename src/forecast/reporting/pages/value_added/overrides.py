"""What overrides were worth, on page 04: by person, and by whether a reason is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from forecast import sources, wording
from forecast.evaluation.people.value import CLOSER, FURTHER, TOO_FEW, WRITTEN
from forecast.reporting.charts.figure import Notes, Statement, TableColumns, TableView, Together
from forecast.reporting.pages.value_added.ladder import luck, more
from forecast.reporting.pages.words import BEYOND_CHANCE, OVERRIDES


def what_overrides_brought(table: pd.DataFrame, *, pooled: str = "") -> Together:
    """Return what overrides were worth, or nothing at all where nobody wrote down what they changed or why.

    table : the month's table `overrides`. pooled : over what months the figures are, where that has to be said.
    """
    if table.empty:
        return Together()
    so = [_agreeing(row) for row in sources.records(table)]
    beyond = table["verdict"].isin((CLOSER, FURTHER))  # what luck may have brought promises nothing
    rows = table.assign(so=so, shrunk=table["shrunk"].where(beyond))
    shown = TableView(rows, f"{CAPTION}{pooled}", right=["so"], **OVERRIDE_COLUMNS)
    return Together(Statement(f"{overrides_finding(table)}."), Notes(NOTES), shown)


# -- sentences ------------------------------------------------------------------------------------------

CAPTION = "Overrides against the numbers they changed, all segments and lead times"
NOTES = (
    "An override is a forecast that differs from the number it began with: the base that its row names, else the "
    "model’s forecast of the month end before.",
    "A base that misses by much flatters any change. The steps before this hold people against the model.",
    "The miss before is that of the numbers they changed. Expected next, where luck alone does not explain it, is what "
    "was taken off, drawn towards the mean of all persons, or of both kinds of reasons, the more the less its months "
    "say; it supposes that the numbers they begin with stay as they were.",
    "With a reason and without are not held against each other: reasons are written for large changes, and by some "
    "people more often.",
)
NO_MODEL = ", which does not say that they missed by less than the model"
OVERRIDE_COLUMNS: TableColumns = {
    "columns": {"group": "overrides", "n": "how many", "wape_before": "miss before"}
    | {"wape": "miss after", "shrunk": "expected next", "so": "so in months", "p_holm": "could be luck?"},
    "formats": dict.fromkeys(("wape_before", "wape"), wording.whole)
    | {"group": wording.label, "shrunk": more, "so": str, "p_holm": luck},
}


def overrides_finding(table: pd.DataFrame) -> str:
    """Return whose overrides missed by less than what they changed, and whose by more, beyond chance.

    table : the month's table; its verdicts are corrected over all words of the page.
    """
    if (table["verdict"] == TOO_FEW).all():
        return "Too few months to tell what overrides brought"
    parts = [
        f"{subject} {missed}"
        for way, missed in ((FURTHER, OVERRIDES.below), (CLOSER, OVERRIDES.above))
        if (subject := _subject(table[table["verdict"] == way]))
    ]
    if not parts:
        return f"No overrides missed by less or by more than the numbers they changed {BEYOND_CHANCE}"
    doubt = NO_MODEL if (table["verdict"] == CLOSER).any() else ""
    return f"{sources.capitalised('; '.join(parts))}, {BEYOND_CHANCE}{doubt}"


def _subject(rows: pd.DataFrame) -> str:
    """Return `overrides by sales and those with a reason`; nothing of no rows."""
    people = rows[rows["by"] == "person"]
    kinds = [kind for kind in WRITTEN.values() if kind in set(rows.loc[rows["by"] == "reason", "group"])]
    parts = [f"by {wording.joined(map(wording.label, sources.texts(people, 'group')))}"] if len(people) else []
    parts += kinds
    return f"overrides {' and those '.join(parts)}" if parts else ""


def _agreeing(row: Mapping[Any, Any]) -> str:
    return f"{wording.in_full(row['agreeing'])} of {wording.in_full(row['months'])}"
