"""What the audit of the data says, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from forecast import wording
from forecast.data.audit.pipeline import FEWER_OF_LATE

if TYPE_CHECKING:
    from forecast.data.known.snapshot import Snapshot


def finding(table: pd.DataFrame) -> str:
    """Return whether the data can carry a forecast."""
    number = table["severity"].value_counts() if len(table) else {}
    fatal, warnings = int(number.get("fatal", 0)), int(number.get("warning", 0))
    if fatal:
        return f"The data cannot carry a forecast: {wording.plural(fatal, 'fatal problem')}"
    if warnings:
        return f"The data can carry a forecast, with {wording.plural(warnings, 'warning')}"
    return "The data can carry a forecast"


def counts(table: pd.DataFrame, snap: Snapshot) -> str:
    """Return what was looked at, and how many findings there are."""
    deals = snap.opportunities
    still_open = int((deals["outcome"] == "open").sum())
    counted = f"{wording.plural(len(deals), 'opportunity')}, {wording.plural(still_open, 'open deal')}"
    severities = [(name, int((table["severity"] == name).sum())) for name in ("fatal", "warning", "info")]
    said = wording.joined([f"{count} {name}" for name, count in severities if count], none="none")
    return f"Looked at: {counted}. Findings: {said}."


def revised(table: pd.DataFrame) -> str:
    """Return the line over what is revised after the fact."""
    if (table["finding"] == "there is no such table").any():
        return "There is no history of changes, so what is revised after the fact cannot be seen:"
    return "What the history of changes shows:" if len(table) else "The history of changes shows no revisions."


def conclusion(table: pd.DataFrame, *, without: int) -> str:
    """Return the finding of the audit with the first thing to mend."""
    said = f"{finding(table)}."
    grave = table[table["severity"] != "info"]
    if len(grave):
        first = grave.iloc[0]
        where = ".".join(part for part in (first["table"], first["column"]) if part)
        said += f" Mend first: {wording.label(where, most=60)}, {first['finding']}."
    if without:
        said += f" {wording.plural(without, 'table').capitalize()} {'is' if without == 1 else 'are'} absent."
    return said


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return the findings for reading: table and column in one."""
    where = [": ".join(part for part in pair if part) for pair in zip(table["table"], table["column"], strict=True)]
    return table.assign(where=pd.Series(where, index=table.index, dtype="str"))


def caveats(table: pd.DataFrame) -> list[str]:
    """Return what bears on the headline number itself: deals missing from the data make it too low."""
    late = table[table["finding"] == FEWER_OF_LATE]
    return [
        f"Far fewer deals were created of late ({row.evidence}). If young deals are missing from the data, "
        "the forecast is too low and its range too narrow."
        for row in late.itertuples()
    ]


def warnings(table: pd.DataFrame) -> list[str]:
    """Return the audit's fatal findings and warnings about columns, a sentence each; no names from the data."""
    grave = table[table["severity"].isin(["fatal", "warning"]) & (table["column"].fillna("") != "")]
    where = [f"{name}.{column}" for name, column in zip(grave["table"], grave["column"], strict=True)]
    return [f"{place}: {said}." for place, said in zip(where, grave["finding"], strict=True)]
