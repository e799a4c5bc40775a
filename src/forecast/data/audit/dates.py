"""Dates that are not what they say: re-stamped, filled with a placeholder, entered after the fact, or ending early.

Simple case: deals are created and closed day by day, and expected to close some weeks ahead. A migration gives hundreds
the day of the migration; a form that demands a date is given 2099; an export that was not renewed ends months before
the day it is read for. Each finding is far from what the same company does otherwise, not from a fixed number alone;
docs/methods/data_audit.md says how each bound was chosen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import pandas as pd

from forecast.calendar import period_label
from forecast.data.known.breaks import loads_of
from forecast.data.known.snapshot import Snapshot
from forecast.errors import Problem, Severity
from forecast.wording import day, joined, month, plural, share

ONE_DAY = "many deals created on one day"
LEVEL = "deals created at three times their level"
FAR_AHEAD = "open deals expected to close years ahead"
SAME_DUE_DAY = "many open deals expected to close on one day"
DUE_BEFORE = "deals expected to close before they were created"
CLOSED_AT_ONCE = "deals closed on the day they were created"
ENDS_EARLY = "records end before the day looked at"
LONG_BEFORE = "deals created long before all others"

_FEWEST = 20
_TIMES_LEVEL, _MONTHS, _DEALS_A_MONTH = 3, 12, 20
_YEARS_AHEAD, _TIMES_CYCLE, _FAR_SHARE = 3 * 365, 2, 0.05
_DUE_SHARE = 0.3
_DUE_BEFORE_SHARE = 0.05
_AT_ONCE_SHARE = 0.2
_BEFORE_DEALS, _BEFORE_DAYS, _BEFORE_OF_SPAN, _BEFORE_SHARE = 50, 365, 0.5, 0.01
_SILENT_DAYS, _TIMES_PAUSE, _RECORDED_DAYS = 14, 2, 20
_SUPPOSED_DAYS, _SUPPOSED_PAUSE = 7, 3
"""The first two where nobody said on which day the data end: the end of the month is then supposed, and an export made
in its middle is half a month short."""

_OPPS = "opportunities"


def misleading_dates(snap: Snapshot, *, explained: Collection[int] = ()) -> list[Problem]:
    """Return what misleads about the dates of the opportunities known on a day.

    explained : days (since 1970) with a load of deals of which history says what happened (`breaks.loaded_days`).
    """
    if snap.opportunities.empty:
        return []
    on_one_day, loaded = _on_one_day(snap, explained)
    return [
        *_ends_early(snap),
        *_long_before(snap),
        *on_one_day,
        *_level(snap, loaded),
        *_far_ahead(snap),
        *_same_due_day(snap),
        *_due_before(snap),
        *_closed_at_once(snap),
    ]


def days_of(dates: pd.Series) -> np.ndarray:
    """Return dates as days since 1970, (n,) int64; missing ones are the smallest number there is."""
    return dates.to_numpy().astype("datetime64[D]").astype("int64")


def _date(days: int) -> str:
    return day(pd.Timestamp(np.datetime64(int(days), "D")))


def _on_one_day(snap: Snapshot, explained: Collection[int]) -> tuple[list[Problem], np.ndarray]:
    """Return days on which far more deals were created than on any other, and which deals they are, (n,) bool.

    explained : days of which history says what happened; they are told elsewhere.
    """
    created = days_of(snap.opportunities["created_on"])
    usual = float(
        np.median(np.unique(snap.calendar.period_of(snap.opportunities["created_on"]), return_counts=True)[1])
    )
    loads = loads_of(created, usual=usual)
    unexplained = [(size, each) for size, each in zip(loads.sizes, loads.days, strict=True) if each not in explained]
    if not unexplained:
        return [], loads.deals
    shown = joined(f"{size:,} on {_date(each)}" for size, each in unexplained)
    evidence = f"deals created: {shown}, of {len(created):,}; on no other day more than {loads.most:,}"
    rows = np.isin(created, [each for _, each in unexplained])
    problem = Problem(
        severity="warning",
        table=_OPPS,
        column="created_on",
        what=ONE_DAY,
        evidence=evidence,
        mend="where a migration or a bulk import stamped them, bring the dates of the old system; the age of these "
        "deals, and how many are created a month, are otherwise not what they seem",
    )
    return [problem.at(snap.opportunities["opportunity_id"].to_numpy()[rows])], loads.deals


def _long_before(snap: Snapshot) -> list[Problem]:
    """A few first deals, then years without any: a wrong year, and the past that is learned from begins with it."""
    created = days_of(snap.opportunities["created_on"])
    if len(created) < _BEFORE_DEALS:
        return []
    days = np.sort(created)
    few = max(1, int(_BEFORE_SHARE * len(days)))
    pauses = np.diff(days[: few + 1])
    long = np.flatnonzero(pauses >= np.maximum(_BEFORE_DAYS, _BEFORE_OF_SPAN * (days[-1] - days[1 : few + 1])))
    if not len(long):
        return []
    first = days[long[-1]]
    evidence = (
        f"{plural(int(long[-1]) + 1, 'deal')} of {len(days):,}, the last of them on {_date(first)}; the next on "
        f"{_date(days[long[-1] + 1])}, after {plural(int(pauses[long[-1]]), 'day')} without any"
    )
    return [
        Problem(
            severity="warning",
            table=_OPPS,
            column="created_on",
            what=LONG_BEFORE,
            evidence=evidence,
            mend="correct created_on where its year is wrong; else leave these deals out: the past that the forecast "
            "learns from begins with the first deal",
        ).at(snap.opportunities["opportunity_id"].to_numpy()[created <= first])
    ]


def _level(snap: Snapshot, loaded: np.ndarray) -> list[Problem]:
    """Last months with three times the deals of the year before, and of the same month a year before."""
    created = snap.calendar.period_of(snap.opportunities["created_on"])[~loaded]
    last = snap.period if snap.at_month_end else snap.period - 1
    first = last - 2 * _MONTHS + 1
    if not len(created) or created.min() > first:
        return []
    counts = np.bincount(created[(created >= first) & (created <= last)] - first, minlength=2 * _MONTHS)
    high = []
    for at in range(_MONTHS, 2 * _MONTHS):
        level = float(np.median(counts[at - _MONTHS : at]))
        if level >= _DEALS_A_MONTH and counts[at] >= _TIMES_LEVEL * max(level, counts[at - _MONTHS]):
            high.append((at, level))
    if not high:
        return []
    shown = joined(
        (f"{counts[at]:,} in {month(period_label(first + at))} (before: {level:,.0f})" for at, level in high), most=3
    )
    return [
        Problem(
            severity="warning",
            table=_OPPS,
            column="created_on",
            what=LEVEL,
            evidence=f"deals created: {shown}, the median month of the twelve before",
            mend="check whether leads or renewals are entered as deals now, or deals twice; if so, take them out",
        ).at([period_label(first + at) for at, _ in high])
    ]


def _open_and_dated(snap: Snapshot) -> pd.DataFrame:
    frame = snap.opportunities[["opportunity_id", "outcome", "expected_close_on"]]
    return frame[(frame["outcome"] == "open") & frame["expected_close_on"].notna()]


def _far_ahead(snap: Snapshot) -> list[Problem]:
    """Open deals whose expected close date is further away than any deal of the company takes: placeholders."""
    frame = snap.opportunities
    dated = _open_and_dated(snap)
    cycle = (frame["closed_on"] - frame["created_on"]).dt.days.dropna()
    bound = max(_YEARS_AHEAD, _TIMES_CYCLE * float(cycle.quantile(0.99)) if len(cycle) else 0.0)
    ahead = (dated["expected_close_on"] - snap.as_of).dt.days
    far = dated[(ahead > bound).to_numpy()].sort_values("expected_close_on", ascending=False, kind="stable")
    if far.empty:
        return []
    severity: Severity = "warning" if len(far) > _FAR_SHARE * len(dated) else "info"
    commonest = far["expected_close_on"].value_counts()
    evidence = (
        f"{len(far):,} of {len(dated):,} open deals with a date ({share(len(far), len(dated))}) lie more than "
        f"{bound / 365:.0f} years ahead, {commonest.iloc[0]:,} of them on {day(commonest.index[0])}; of closed deals "
        f"99 % took at most {cycle.quantile(0.99) if len(cycle) else 0:,.0f} days"
    )
    mend = "a placeholder says nothing: leave the date empty until it is known"
    problem = Problem(
        severity=severity, table=_OPPS, column="expected_close_on", what=FAR_AHEAD, evidence=evidence, mend=mend
    )
    return [problem.at(far["opportunity_id"])]


def _same_due_day(snap: Snapshot) -> list[Problem]:
    """A day that very many open deals share; the first or last day of a month is everybody's habit, and is none."""
    dated = _open_and_dated(snap)
    if len(dated) < _FEWEST:
        return []
    counts = dated["expected_close_on"].value_counts()
    on, count = counts.index[0], int(counts.iloc[0])
    calendar = snap.calendar
    period = calendar.period(on)
    edges = {calendar.start(period), calendar.end(period)}
    if count <= _DUE_SHARE * len(dated) or on in edges or on.is_month_start or on.is_month_end:
        return []
    return [
        Problem(
            severity="warning",
            table=_OPPS,
            column="expected_close_on",
            what=SAME_DUE_DAY,
            evidence=f"{count:,} of {len(dated):,} open deals with a date ({share(count, len(dated))}) on {day(on)}",
            mend="a date that a form or a bulk edit filled in says nothing: leave it empty, or bring the former dates",
        ).at(dated.loc[dated["expected_close_on"] == on, "opportunity_id"])
    ]


def _due_before(snap: Snapshot) -> list[Problem]:
    frame = snap.opportunities
    before = np.asarray(frame["expected_close_on"] < frame["created_on"])
    dated = int(frame["expected_close_on"].notna().sum())
    if not before.any():
        return []
    many = before.sum() > _DUE_BEFORE_SHARE * dated and before.sum() >= _FEWEST
    severity: Severity = "warning" if many else "info"
    return [
        Problem(
            severity=severity,
            table=_OPPS,
            column="expected_close_on",
            what=DUE_BEFORE,
            evidence=f"{before.sum():,} of {dated:,} deals with a date ({share(before.sum(), dated)})",
            mend="correct expected_close_on, or created_on where a migration stamped it",
        ).at(frame["opportunity_id"].to_numpy()[before])
    ]


def _closed_at_once(snap: Snapshot) -> list[Problem]:
    """Deals entered when they were decided: nobody knows of those still open, and the pipeline looks small."""
    frame = snap.opportunities
    closed = np.asarray(frame["closed_on"].notna())
    at_once = closed & np.asarray(frame["closed_on"] == frame["created_on"])
    won = np.asarray(frame["outcome"] == "won")
    of, which = (closed, "closed") if at_once.sum() > _AT_ONCE_SHARE * closed.sum() else (won, "won")
    count = (at_once & of).sum()
    if count < _FEWEST or count <= _AT_ONCE_SHARE * of.sum():
        return []
    return [
        Problem(
            severity="warning",
            table=_OPPS,
            column="closed_on",
            what=CLOSED_AT_ONCE,
            evidence=f"{count:,} of {of.sum():,} {which} deals ({share(count, of.sum())})",
            mend="if deals are entered once they are decided, have them entered when they begin; if a migration "
            "stamped created_on, bring the dates of the old system",
        ).at(frame["opportunity_id"].to_numpy()[at_once & of])
    ]


def _ends_early(snap: Snapshot) -> list[Problem]:
    """A table whose last record lies further back than the company ever pauses: an export that was not renewed."""
    found = []
    for table, column, days in _recorded_days(snap):
        days = days[days <= int(np.datetime64(snap.as_of, "D").astype("int64"))]
        if len(days) < _RECORDED_DAYS:
            continue
        last = int(days[-1])
        silent = int(np.datetime64(snap.as_of, "D").astype("int64")) - last
        year = days[days > last - 365]
        pause = int(np.diff(year).max()) if len(year) > 1 else 0
        bound = max(_SILENT_DAYS, _TIMES_PAUSE * pause)
        if snap.company.extracted_on is None:
            bound = min(bound, max(_SUPPOSED_DAYS, _SUPPOSED_PAUSE * pause))
        if silent <= bound:
            continue
        found.append(
            Problem(
                severity="warning",
                table=table,
                column=column,
                what=ENDS_EARLY,
                evidence=f"the last is of {_date(last)}, {plural(silent, 'day')} before {day(snap.as_of)}; in the year "
                f"before it no two were more than {plural(pause, 'day')} apart",
                mend="bring the export of that day, or write the day of the export as extracted_on in company.toml and "
                "ask as of it: what is missing reads as no business",
            )
        )
    return found


def _recorded_days(snap: Snapshot) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield table, column and the distinct days of its records, sorted."""
    frame = snap.opportunities
    happened = [days_of(frame[column].dropna()) for column in ("created_on", "closed_on")]
    yield _OPPS, "created_on", np.unique(np.concatenate(happened))
    if snap.history is not None and len(snap.history):
        yield "opportunity_history", "recorded_at", np.unique(days_of(snap.history["recorded_on"].dropna()))
