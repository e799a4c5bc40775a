"""A set of tables -> `Log`, or every problem that stands in the way.

`problems` lists all of them, for whoever mends the data; `validate` raises the fatal ones, and otherwise returns the
log with what is not fatal as notes. Nothing that was given is altered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from forecast.data.checks.across import HAPPENED, check_across
from forecast.data.checks.credits import settle_credits
from forecast.data.checks.currencies import check_elsewhere
from forecast.data.checks.own_periods import TABLE as OWN_PERIODS
from forecast.data.checks.own_periods import with_own_periods
from forecast.data.checks.table import check_table, problem_at
from forecast.data.codes import by_key, places, recoded
from forecast.data.memory import give_back
from forecast.data.schema import TABLES, Company, Log
from forecast.errors import SEVERITIES, DataError, Problem, nearest
from forecast.wording import money, plural, share

UNDATED = "without a creation date"
"""In the finding about opportunities that are left out because of it."""

LEFT_OUT_OPEN = "of them open"
"""In the same finding where the forecast misses what open deals among them may bring."""

_NAMING = ("opportunity_history", "leads")
"""The tables whose rows name an opportunity."""


def validate(raw: Mapping[str, pd.DataFrame], company: Company, *, source: str = "", keep: bool = True) -> Log:
    """Return the validated log of a set of raw tables.

    Parameters
    ----------
    raw : table name -> frame, text as in a CSV file or typed. A frame whose index is named `line` came from a file;
        problems then name the file's lines, otherwise the key.
    company : what company.toml says.
    source : where the tables came from, recorded in the log.
    keep : False takes each table out of `raw`, a dict of the caller's own, as it is read, so that a log of millions
        of rows is never there twice.

    Raises
    ------
    DataError : the first fatal problem, with up to two more and how many there are in all.
    """
    log, found = examine(raw, company, source=source, keep=keep)
    if log is None:
        raise DataError.of([problem for problem in found if problem.severity == "fatal"])
    return log


def examine(
    raw: Mapping[str, pd.DataFrame], company: Company, *, source: str = "", keep: bool = True
) -> tuple[Log | None, list[Problem]]:
    """Return the log of a set of raw tables, None where a problem is fatal, and every problem; as `validate` reads."""
    typed, company, found = _examine(dict(raw) if keep or not isinstance(raw, dict) else raw, company)
    if any(problem.severity == "fatal" for problem in found):
        return None, found
    extracted_on = company.extracted_on or last_day(typed, company)
    tables = _in_order(typed)
    return Log(tables=tables, company=company, extracted_on=extracted_on, source=source, notes=tuple(found)), found


def problems(raw: Mapping[str, pd.DataFrame], company: Company) -> list[Problem]:
    """Return every problem of a set of raw tables, fatal ones first, in the order of the tables."""
    return _examine(dict(raw), company)[2]


def last_day(tables: Mapping[str, pd.DataFrame], company: Company) -> pd.Timestamp:
    """Return the last day of the month (of the company's calendar) of the last record of typed tables."""
    calendar = company.periods
    return calendar.end(calendar.period(last_record(tables, company)))


def last_record(tables: Mapping[str, pd.DataFrame], company: Company) -> pd.Timestamp:
    """Return the day of the last record of what happened, in any of the typed tables. Raises DataError for none."""
    latest = []
    for name, columns in HAPPENED.items():
        for column in columns:
            if name in tables and column in tables[name]:
                last = tables[name][column].max()
                if pd.notna(last):
                    latest.append(last.tz_convert(company.timezone).tz_localize(None) if last.tzinfo else last)
    if not latest:
        raise DataError("no date at all", table="opportunities", mend="fill in created_on")
    return max(latest).normalize()


def _examine(raw: dict[str, pd.DataFrame], company: Company) -> tuple[dict[str, pd.DataFrame], Company, list[Problem]]:
    """Return the typed tables, rows as they came, the company with its own periods, and every problem.

    The dict given is emptied.
    """
    found = [
        Problem(table=name, what="no table of this name is known", mend=nearest(name, TABLES))
        for name in raw
        if name not in TABLES
    ]
    if "opportunities" not in raw:
        mend = "add opportunities.csv or opportunities.parquet; it is the one table that is needed"
        found.append(Problem(table="opportunities", what="this table is missing", mend=mend))
    typed: dict[str, pd.DataFrame] = {}
    for name, table in TABLES.items():
        if name in raw:
            given = raw.pop(name)
            found += check_elsewhere(name, given, company)
            frame, wrong = check_table(name, given, company)
            del given
            found += wrong
            give_back()
            whole = all(column.name in frame for column in table.columns if column.required)
            if whole and (len(frame) or name == "opportunities"):
                typed[name] = frame
    if OWN_PERIODS in typed:
        company, wrong = with_own_periods(typed, company)
        found += wrong
    if "opportunities" in typed:
        found += _leave_out_undated(typed, company)
        found += settle_credits(typed, company)
        for name in _NAMING:
            if name in typed:
                typed[name] = _share_names(typed[name], typed["opportunities"]["opportunity_id"])
                give_back()
        found += check_across(typed, company)
    give_back()
    return typed, company, sorted(found, key=lambda problem: SEVERITIES.index(problem.severity))


def _leave_out_undated(typed: dict[str, pd.DataFrame], company: Company) -> list[Problem]:
    """Take opportunities without a creation date out of the typed tables, and their history with them."""
    frame = typed["opportunities"]
    undated = np.asarray(frame["created_on"].isna())
    if not undated.any():
        return []
    history = typed.get("opportunity_history")
    also = ""
    if history is not None:
        theirs = places(history["opportunity_id"], frame.loc[undated, "opportunity_id"]) >= 0
        typed["opportunity_history"] = history[~theirs]
        if theirs.any():
            also = f", with {plural(int(theirs.sum()), 'row')} of history"
    typed["opportunities"] = frame[~undated]
    count, still = int(undated.sum()), undated & np.asarray(frame["outcome"] == "open")
    if still.any():
        also += f", {'all' if still.sum() == count else f'{int(still.sum()):,}'} {LEFT_OUT_OPEN}"
    found = problem_at(
        frame,
        undated,
        table="opportunities",
        column="created_on",
        what=f"{plural(count, 'opportunity')} {UNDATED} {'is' if count == 1 else 'are'} left out{also}",
        mend="fill in created_on",
        severity="fatal" if undated.all() else "warning",
        show="opportunity_id",
    )
    return [replace(problem, evidence=_part_of_open(frame, still, company)) for problem in found]


def _part_of_open(frame: pd.DataFrame, left_out: np.ndarray, company: Company) -> str:
    """Return how much of the open deals is left out; their amounts only where all are in one currency."""
    if not left_out.any():
        return ""
    is_open = np.asarray(frame["outcome"] == "open")
    count, total = int(left_out.sum()), int(is_open.sum())
    evidence = f"{count:,} of {total:,} open deals ({share(count, total)})"
    amount, whole = frame["amount"][left_out].sum(), frame["amount"][is_open].sum()
    if "currency" in frame or not amount > 0:
        return evidence
    return f"{evidence}, {money(amount, currency=company.currency)} or {share(amount, whole)} of the open amount"


def _share_names(frame: pd.DataFrame, ids: pd.Series) -> pd.DataFrame:
    """Return a table whose `opportunity_id`, if it names opportunities, holds places in theirs instead of names."""
    if "opportunity_id" not in frame:
        return frame
    return frame.assign(opportunity_id=recoded(frame["opportunity_id"], ids))


def _in_order(typed: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the tables sorted by their keys, sharing the names of opportunities; the dict given is emptied."""
    tables: dict[str, pd.DataFrame] = {}
    for name in list(typed):  # opportunities are the first, so that the others can hold their new places
        frame = typed.pop(name)
        if name in _NAMING:
            frame = _share_names(frame, tables["opportunities"]["opportunity_id"])
        # Where rows may repeat there is no key: all columns then say the order, so that no source does.
        tables[name] = by_key(frame, TABLES[name].key or [str(column) for column in frame])
    return tables
