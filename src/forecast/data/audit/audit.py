"""Every problem of the data that misleads, ranked, and which stretch of time each table covers.

Reading refuses what is wrong (`checks`). The audit looks at data that could be read and says what in it misleads a
forecast, each problem with its evidence in numbers and the mend: deals as they stand (`pipeline`), their dates
(`dates`) and amounts (`amounts`), how they move (`moves`), what is changed after the fact (`history`), columns that
know the outcome (`leaks`), amounts in another unit (`units`), forecasts of another scope (`scope`), names (`names`),
breaks in the record (`breaks`), and, here, too little to forecast from, rows left out, and columns and tables that are
empty or absent.
docs/methods/data_audit.md lists the checks and their thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from forecast.data.audit.amounts import misleading_amounts
from forecast.data.audit.breaks import breaks_in_the_record
from forecast.data.audit.dates import ENDS_EARLY, misleading_dates
from forecast.data.audit.history import after_the_fact
from forecast.data.audit.leaks import leaks
from forecast.data.audit.moves import misleading_moves
from forecast.data.audit.names import misleading_names
from forecast.data.audit.pipeline import FEWER_OF_LATE, misleading_deals
from forecast.data.audit.scope import scope_problems
from forecast.data.audit.units import unit_problems
from forecast.data.checks.validation import LEFT_OUT_OPEN
from forecast.data.known.breaks import find_breaks
from forecast.data.known.enough import MORE_RECORD, why_no_forecast
from forecast.data.known.ledger import KnownState, ledger_of
from forecast.data.known.snapshot import snapshot
from forecast.data.schema import TABLES, Column, Log, Table
from forecast.errors import SEVERITIES, Problem, Severity, shortened
from forecast.wording import plural, share

AUDIT_COLUMNS = ("rank", "table", "column", "finding", "evidence", "rows", "count", "mend")

NO_TABLE = "there is no such table"

OWN_COLUMN = "a column of your own: the odds of open deals may rest on it"
"""The finding that history carries a column that no one declared."""

TOO_THIN = "too little is known to forecast from"
"""The finding by which the data cannot carry a forecast; its evidence is the forecast's own reason to give none."""

_LEAK_WORDS = {
    "value": "known only after the outcome",
    "separates": "known only after the outcome",
    "missing": "filled in or not according to the outcome",
    "closing": "filled in only when a deal closes",
}
_DATED = ("date", "timestamp", "period")
_HAPPENED = ("closed_on", "delivered_on", "worked_on", "qualified_on", "rejected_on")


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What an open deal should have: in words, and what the forecast does without it."""

    words: str
    cost: str


# Columns whose gaps among open deals cost the forecast something.
_WANTED_WHILE_OPEN = {
    "amount": _Wanted(words="an amount", cost="the mean won amount of its segment stands in for it"),
    "expected_close_on": _Wanted(
        words="an expected close date", cost="no date of its own then says in which month a deal closes"
    ),
}
_TOO_EMPTY = 0.05


def audit(log: Log, *, as_of: str | pd.Timestamp | None = None) -> pd.DataFrame:
    """Return every problem of a log that misleads, the gravest first, as a table; see `misleading`.

    Returns
    -------
    DataFrame with rank (changes the answer, cosmetic, absent; what is fatal never becomes a log), table, column,
    finding, evidence (numbers), rows (the first few, comma-separated text), count (int64), mend. Ordered by rank, then
    as listed in docs/methods/data_audit.md, then by count.

    Raises
    ------
    ParameterError : as_of is no date, or outside the log.
    """
    rows = [
        (
            problem.rank,
            problem.table,
            problem.column,
            problem.what,
            problem.evidence,
            ", ".join(problem.rows),
            problem.count,
            problem.mend,
        )
        for problem in misleading(log, as_of=as_of)
    ]
    table = pd.DataFrame(rows, columns=list(AUDIT_COLUMNS))
    return table.astype({**dict.fromkeys(AUDIT_COLUMNS, "str"), "count": "int64"})


def misleading(log: Log, *, as_of: str | pd.Timestamp | None = None) -> list[Problem]:
    """Return every problem of a log that misleads a forecast, the gravest first; each a warning, an info
    or, of a table that is not there and that no forecast reads, absent.

    log : a validated log.
    as_of : the day whose knowledge is looked at (pipeline, history); the log's last day by default. Labels, empty
        columns and leaks are looked for in the log as it was read.

    Raises ParameterError where as_of is no date, or outside the log.
    """
    ledger = ledger_of(log)
    snap = snapshot(log, as_of=log.extracted_on if as_of is None else as_of, ledger=ledger)
    view = ledger.as_of(snap.as_of)
    breaks = find_breaks(view, log.get("stages"))
    loaded = {load.day for load in (*breaks.stamped, *breaks.begun)}
    if snap.stage_changes is not None:  # what the company says itself is no finding
        told = set(snap.stage_changes["old"])
        breaks = replace(breaks, renamed=tuple(each for each in breaks.renamed if each.old not in told))
    else:
        told = set()
    renamed = {repr(shortened(old)) for old in (*told, *(each.old for each in breaks.renamed))}
    found = [*breaks_in_the_record(view, breaks), *_leaks(log), *_left_out(log)]
    found += [*misleading_dates(snap, explained=loaded), *misleading_amounts(log, snap, view)]
    found += [
        *misleading_deals(snap, unrecorded=breaks.unrecorded),
        *after_the_fact(snap),
        *misleading_moves(snap, ordered=log.get("stages") is not None),
    ]
    found += [
        *unit_problems(log, view),
        *scope_problems(log, as_of=snap.as_of),
        *misleading_names(log, snap, told=renamed),
    ]
    found += [*_own_columns(log), *_empty_columns(log), *_missing_tables(log)]
    found = [*_too_thin(view), *sorted(found, key=_bears_on_the_forecast, reverse=True)]
    return sorted(found, key=lambda problem: SEVERITIES.index(problem.severity))


def _bears_on_the_forecast(problem: Problem) -> bool:
    """Say whether open deals are missing from the data: no model can make up for it, and the forecast is too low."""
    return LEFT_OUT_OPEN in problem.what or problem.what in (FEWER_OF_LATE, ENDS_EARLY)


def _too_thin(view: KnownState) -> list[Problem]:
    """Return that nothing can be forecast, as the forecast itself will find."""
    why = why_no_forecast(view)
    if why is None:
        return []
    return [Problem(severity="warning", table="opportunities", what=TOO_THIN, evidence=why, mend=MORE_RECORD)]


def coverage(log: Log) -> pd.DataFrame:
    """Return one row a canonical table: table, first, last (dates), rows (int64), without (what its absence means).

    first and last are of the table's first column of dates, timestamps or periods (a period counts from its first day
    to its last), and last of every further date of what has happened, such as a close; what is only expected or
    announced is none. Both are empty for a table that is absent, empty or has no dates. Without as in `Log.missing`.
    """
    calendar = log.company.periods
    rows = []
    for name, table in TABLES.items():
        frame = log.get(name)
        first, last = pd.NaT, pd.NaT
        column = next((c for c in table.columns if c.kind in _DATED and frame is not None and c.name in frame), None)
        if frame is not None and column is not None:
            values = frame[column.name].dropna()
            if len(values) and column.kind == "period":
                first, last = calendar.parse_day(values.min()), calendar.parse_day(values.max())
                first = calendar.start(calendar.period(first))
            elif len(values):
                first, last = values.min(), values.max()
                if column.kind == "timestamp":
                    first, last = first.tz_localize(None).normalize(), last.tz_localize(None).normalize()
                last = max([last, *(day for c in _later(table, frame) if pd.notna(day := frame[c].max()))])
        rows.append((name, first, last, 0 if frame is None else len(frame), log.missing.get(name, "")))
    out = pd.DataFrame(rows, columns=["table", "first", "last", "rows", "without"])
    return out.astype({"table": "str", "without": "str", "rows": "int64"}).astype(
        {"first": "datetime64[us]", "last": "datetime64[us]"}
    )


def _later(table: Table, frame: pd.DataFrame) -> list[str]:
    """Return the columns of a table that date what has happened to its rows since they began."""
    return [c.name for c in table.columns if c.name in _HAPPENED and c.name in frame]


def _leaks(log: Log) -> list[Problem]:
    table = leaks(log)
    return [
        Problem(
            severity="warning"
            if leak.column == "amount"
            else "info",  # an amount is forecast from; others are left out
            table="opportunities",
            column=leak.column,
            what=_LEAK_WORDS[leak.kind],
            evidence=leak.evidence,
            count=leak.count,
            mend="record the amount while the deal is open" if leak.column == "amount" else leak.mend,
        )
        for leak in table.itertuples()
    ]


def _left_out(log: Log) -> list[Problem]:
    """Return what reading noted: rows left out, values read with a doubt."""
    found = []
    for note in log.notes:
        total = len(log.tables[note.table]) if note.table in log.tables else 0
        read = f"{plural(total, 'row')} {'was' if total == 1 else 'were'} read" if note.count and total else ""
        evidence = "; ".join(part for part in (note.evidence, read) if part)
        found.append(replace(note, evidence=evidence))
    return found


def _missing_tables(log: Log) -> list[Problem]:
    found = []
    for name, without in log.missing.items():
        columns = ", ".join(column.name for column in TABLES[name].columns if column.required)
        severity: Severity = "warning" if name == "opportunity_history" else "absent"
        found.append(
            Problem(
                severity=severity,
                table=name,
                what=NO_TABLE,
                evidence=without,
                mend=f"add {name}.csv with {columns}",
            )
        )
    return found


def _own_columns(log: Log) -> list[Problem]:
    """Return the columns of history that the data dictionary does not know: each is taken for something that is known
    of a deal from day to day. What was left there by mistake (a row's number, a hash) is then learned from."""
    history = log.get("opportunity_history")
    if history is None:
        return []
    known = {column.name for name in ("opportunities", "opportunity_history") for column in TABLES[name].columns}
    own = history.drop(columns=[name for name in history if name in known]).select_dtypes(
        exclude=["datetime", "datetimetz"]
    )
    return [
        Problem(
            severity="info",
            table="opportunity_history",
            column=str(name),
            what=OWN_COLUMN,
            evidence=f"{plural(values.nunique(), 'different value')} in {plural(len(values), 'row')}",
            count=len(values),
            mend="keep it if it was known on the day of each row and says something of the deal; else leave it out",
        )
        for name, values in own.items()
        if values.nunique() > 1
    ]


def _may_be_empty(declared: Column | None) -> bool:
    """Say whether a column means something where it is empty throughout, such as `to`: until further notice."""
    return declared is not None and "empty =" in declared.meaning


def _empty_columns(log: Log) -> list[Problem]:
    """Return columns that are empty altogether, and gaps where an open deal needs a value."""
    found = []
    for table, frame in log.tables.items():
        for name in frame.columns:
            declared = TABLES[table].column(str(name))
            if len(frame) and frame[name].isna().all() and not _may_be_empty(declared):
                wanted = table == "opportunities" and name in _WANTED_WHILE_OPEN
                severity: Severity = "warning" if wanted else "info"
                needed = declared is not None and declared.required
                cost = f"; {_WANTED_WHILE_OPEN[str(name)].cost}" if wanted else ""
                mend = "fill it in" if needed else "fill it in, or leave the column out"
                mend += " while the deal is open" if wanted else ""
                found.append(
                    Problem(
                        severity=severity,
                        table=table,
                        column=str(name),
                        what="this column is empty",
                        evidence=f"in all {plural(len(frame), 'row')}{cost}",
                        count=len(frame),
                        mend=mend,
                    )
                )
    frame = log.opportunities
    is_open = frame["outcome"] == "open"
    for name, wanted_now in _WANTED_WHILE_OPEN.items():
        gaps = frame.loc[is_open & frame[name].isna(), "opportunity_id"]
        if frame[name].isna().all() or len(gaps) <= _TOO_EMPTY * is_open.sum():
            continue
        evidence = (
            f"empty for {len(gaps):,} of {plural(int(is_open.sum()), 'open deal')} "
            f"({share(len(gaps), is_open.sum())}); {wanted_now.cost}"
        )
        found.append(
            Problem(
                severity="warning",
                table="opportunities",
                column=name,
                what=f"open deals without {wanted_now.words}",
                evidence=evidence,
                mend="fill it in while the deal is open",
            ).at(gaps)
        )
    return found
