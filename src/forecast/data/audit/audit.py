"""Every problem of the data, ranked: what stands in the way of a forecast, with numbers and the mend.

`validation` refuses what is wrong; the audit looks at data that could be read and says what in it misleads. Each
finding has its evidence in numbers. `leaks` finds the columns that know the outcome. docs/methods/data_audit.md lists
the checks and their thresholds.
"""

from __future__ import annotations

import pandas as pd

from forecast.data.audit.finding import Finding
from forecast.data.audit.history import history_findings
from forecast.data.audit.labels import column_findings, label_findings
from forecast.data.audit.leaks import leaks, outcome_leaks
from forecast.data.audit.pipeline import pipeline_findings
from forecast.data.known.snapshot import snapshot
from forecast.data.schema import TABLES, Log

__all__ = ["AUDIT_COLUMNS", "audit", "leaks", "outcome_leaks"]

AUDIT_COLUMNS = ("severity", "table", "column", "finding", "evidence", "rows", "count", "mend")

_SEVERITIES = ("fatal", "warning", "info")

_LEAK_WORDS = {
    "value": "known only after the outcome",
    "separates": "known only after the outcome",
    "missing": "filled in or not according to the outcome",
    "closing": "filled in only when a deal closes",
}


def audit(log: Log, *, as_of: str | pd.Timestamp | None = None) -> pd.DataFrame:
    """Return every finding about a log, the gravest first.

    Parameters
    ----------
    log : a validated log.
    as_of : the day whose knowledge is judged (pipeline, history); the log's last day by default. Labels, empty columns
        and leaks are judged on the log as it was read.

    Returns
    -------
    DataFrame with severity (warning or info; what is fatal never becomes a log), table, column, finding (what),
    evidence (numbers), rows (the first few, comma-separated text), count (int64), mend. Ordered by severity, then as
    listed in docs/methods/data_audit.md, then by count.

    Raises
    ------
    ParameterError : as_of is no date, or outside the log.
    """
    snap = snapshot(log, as_of=log.extracted_on if as_of is None else as_of)
    found = [*_leaks(log), *_left_out(log), *pipeline_findings(snap), *history_findings(snap)]
    found += [*label_findings(log), *column_findings(log), *_missing_tables(log)]
    order = sorted(range(len(found)), key=lambda i: (_SEVERITIES.index(found[i].severity), i))
    table = pd.DataFrame([found[i].row() for i in order], columns=list(AUDIT_COLUMNS))
    return table.astype({**dict.fromkeys(AUDIT_COLUMNS, "str"), "count": "int64"})


def _leaks(log: Log) -> list[Finding]:
    table = leaks(log)
    return [
        Finding("warning", "opportunities", leak.column, _LEAK_WORDS[leak.kind], leak.evidence)
        .of((), leak.count)
        .mended(leak.mend)
        for leak in table.itertuples()
    ]


def _left_out(log: Log) -> list[Finding]:
    """Return what reading had to say: rows left out, values read with a doubt."""
    found = []
    for note in log.notes:
        total = len(log.tables[note.table]) if note.table in log.tables else 0
        evidence = f"{note.count:,} beside {total:,} rows that were read" if note.count and total else ""
        found.append(
            Finding("warning", note.table, note.column, note.what, evidence).of(note.rows, note.count).mended(note.mend)
        )
    return found


def _missing_tables(log: Log) -> list[Finding]:
    found = []
    for name, without in log.missing.items():
        if name == "currencies" and "currency" not in log.opportunities:
            continue
        columns = ", ".join(column.name for column in TABLES[name].columns if column.required)
        severity = "warning" if name == "opportunity_history" else "info"
        found.append(
            Finding(severity, name, "", "there is no such table", without).mended(f"add {name}.csv with {columns}")
        )
    return found
