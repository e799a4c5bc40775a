"""What a deal's columns say of its outcome, by the rules of a mapping; what they leave open is asked of its stage.

Simple case: a column of statuses, each value with a meaning. A value that the mapping does not know is refused with its
count: taking it as open would leave bookings out.
"""

from __future__ import annotations

import pandas as pd

from forecast.data.sources.crm.mapped.files import Columns
from forecast.data.sources.crm.mapped.mapping import OutcomeRule
from forecast.data.sources.crm.values.stages import decide, folded
from forecast.errors import DataError, did_you_mean

_SHOWN = 5


def deal_outcomes(
    columns: Columns,
    stage: pd.Series,
    probability: pd.Series | None,
    *,
    notes: list[str],
    open_by_name: set[str],
) -> pd.Series:
    """Return won, lost or open for each deal.

    columns : the deals' columns, with the mapping's rules. stage : its name, a row a deal. probability : 0 to 1.
    open_by_name : gains the stages taken as open since nothing but their name speaks of them.

    Raises DataError for a value no rule knows, or a stage that looks closed and would be taken as open.
    """
    mapping = columns.found.mapping
    outcome = pd.Series(pd.NA, index=stage.index, dtype="str")
    rules = 0
    for rule in mapping.outcome:
        values = columns.get("outcome", rule.columns, needed=False)
        if values is None:
            continue
        rules += 1
        outcome = outcome.fillna(_said(rule, values, columns, undecided=outcome.isna()))
    if mapping.outcome and not rules:
        looked_for = ", ".join(name for rule in mapping.outcome for name in rule.columns)
        notes.append(f"{columns.file}: no column that says the outcome ({looked_for}); the stages say it")
    left = outcome.isna()
    if left.all() and stage.isna().all():
        raise DataError(
            "nothing says whether deals are won, lost or open: no column is named for the outcome, none for the stage",
            table=columns.file,
            column="outcome",
            mend="say under [outcome] of the mapping which column says it, with its values for won, lost and open; or "
            "name the column of stages under [columns]",
        )
    if left.any():
        by_stage = decide(
            stage[left],
            declared={},
            mapped=mapping.stages,
            table=columns.file,
            column=columns.taken.get("stage", "stage"),
            notes=notes,
            open_by_name=open_by_name,
            probability=None if probability is None else probability[left],
            closing_columns="the column that says whether a deal is won or lost",
        )
        outcome = outcome.where(~left, by_stage)
    return outcome.astype("str")


def _said(rule: OutcomeRule, values: pd.Series, columns: Columns, *, undecided: pd.Series) -> pd.Series:
    """Return what a rule says of each deal; missing where it leaves it to the next rule or to the stage."""
    if rule.filled is not None:
        return pd.Series(rule.filled, index=values.index, dtype="str").where(values.notna())
    meaning = {str(value): rule.values.get(folded(str(value)).strip()) for value in values.dropna().unique()}
    said = values.map({value: kind for value, kind in meaning.items() if kind is not None}).astype("str")
    unknown = values.notna() & said.isna()
    if rule.otherwise not in (None, "stage"):
        return said.where(~unknown, rule.otherwise)
    refused = unknown & undecided
    if rule.otherwise is None and refused.any():
        counts = values[refused].value_counts()
        hint = did_you_mean(str(counts.index[0]), rule.values)
        raise DataError(
            f"has values that {columns.found.mapping.where} does not know",
            table=columns.file,
            column=columns.taken["outcome"],
            rows=[f"{value!r} ({count:,} deals)" for value, count in counts.items()][:_SHOWN],
            count=len(counts),
            mend="say under [outcome] of a mapping (--mapping FILE) whether they are won, lost or open"
            + (f"; {hint}" if hint else ""),
        )
    return said
