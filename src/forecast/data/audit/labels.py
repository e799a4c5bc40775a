"""Names written in more than one way, and columns that are empty."""

from __future__ import annotations

import pandas as pd

from forecast.data.audit.finding import Finding
from forecast.data.schema import TABLES, Log
from forecast.wording import share

_IDENTIFIERS = ("opportunity_id", "lead_id")

# Columns whose gaps among open deals cost the forecast something.
_WANTED_WHILE_OPEN = {
    "amount": "an open deal without an amount adds nothing to the forecast",
    "expected_close_on": "the month in which it closes then rests on its age alone",
}
_TOO_EMPTY = 0.05

# A letter case, a blank or a sign between letters makes no other name; a sign between two digits may.
_SIGNS = r"(?<![0-9])[\W_]+|[\W_]+(?![0-9])"


def label_findings(log: Log) -> list[Finding]:
    """Return names that differ only by blanks, case or signs, within a column and between tables."""
    found = []
    for column, tables in _text_columns(log).items():
        counts = pd.concat([log.tables[table][column].value_counts() for table in tables])
        counts = counts.groupby(level=0, sort=True).sum()
        for variants in near_duplicates(counts):
            most = max(variants, key=lambda name: (variants[name], name))
            where = [table for table in tables if log.tables[table][column].isin(list(variants)).any()]
            told = ", ".join(f"{name!r} ({count:,} rows)" for name, count in variants.items())
            found.append(
                Finding("warning", ", ".join(where), column, "one name written in several ways", told)
                .of([repr(name) for name in variants], sum(variants.values()) - variants[most])
                .mended(f"write {most!r} throughout; as it is, they do not join and are counted apart")
            )
    return sorted(found, key=lambda finding: -finding.count)


def near_duplicates(counts: pd.Series) -> list[dict[str, int]]:
    """Return groups of names that differ only by blanks, case or signs; each name with its count.

    Parameters: counts, indexed by distinct names. `A-12` and `A12` are one name, `1-2` and `12` are not.
    """
    names = pd.Series(counts.index, dtype="str")
    plain = names.str.normalize("NFKC").str.casefold().str.replace(_SIGNS, "", regex=True)
    twice = plain.duplicated(keep=False) & (plain != "")
    groups = names[twice].groupby(plain[twice], sort=True)
    return [{name: int(counts[name]) for name in sorted(group)} for _, group in groups]


def _text_columns(log: Log) -> dict[str, list[str]]:
    """Return each text column and the tables that have it; the same name means the same thing."""
    columns: dict[str, list[str]] = {}
    for table in TABLES:
        frame = log.get(table)
        if frame is None:
            continue
        for name in frame.columns:
            if frame[name].dtype == "str" and name not in _IDENTIFIERS and not name.endswith("period"):
                columns.setdefault(str(name), []).append(table)
    return columns


def column_findings(log: Log) -> list[Finding]:
    """Return columns that are empty altogether, and gaps where an open deal needs a value."""
    found = []
    for table, frame in log.tables.items():
        for name in frame.columns:
            if len(frame) and frame[name].isna().all():
                declared = TABLES[table].column(str(name))
                severity = "warning" if name in _WANTED_WHILE_OPEN else "info"
                mend = f"fill in {declared.meaning}" if declared else "fill it in, or leave the column out"
                found.append(
                    Finding(severity, table, str(name), "this column is empty", f"in all {len(frame):,} rows")
                    .of((), len(frame))
                    .mended(mend)
                )
    frame = log.opportunities
    is_open = frame["outcome"] == "open"
    for name, cost in _WANTED_WHILE_OPEN.items():
        gaps = frame.loc[is_open & frame[name].isna(), "opportunity_id"]
        if frame[name].isna().all() or len(gaps) <= _TOO_EMPTY * is_open.sum():
            continue
        told = (
            f"empty for {len(gaps):,} of {int(is_open.sum()):,} open deals ({share(len(gaps), is_open.sum())}); {cost}"
        )
        found.append(
            Finding("warning", "opportunities", name, "open deals without it", told)
            .of(gaps)
            .mended(f"fill in {name} while the deal is open")
        )
    return found
