"""What misleads about the opportunities as they stand: stale dates, look-alikes, gaps, thin segments, giants."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from forecast.calendar import period_label
from forecast.data.known.ledger import KnownState
from forecast.data.known.snapshot import Snapshot, past_due
from forecast.errors import Problem, Severity
from forecast.wording import day, in_currency, joined, month, percent, plural, share

WON_AT_LEAST = 30
"""Won deals below which a segment's win rate and mean amount rest on too little."""

_STALE_WARNS = 0.05
_GIANT_SHARE, _GIANT_DEALS = 0.1, 20
_ALIKE_WARNS = 0.01
_ONE_DAY_SHARE = 0.05
_ONE_DAY_DEALS = 20
_USUAL_MONTHS, _FALLS_OFF, _DEALS_A_MONTH = 12, 0.5, 20
_TAIL_SHARE = 0.05
_TAIL_DEALS = 20

PAST_DUE = "open deals past their expected close date"
"""A deal due on the day itself is not past it."""

FEWER_OF_LATE = "far fewer deals created of late"
"""The problem that bears on the forecast itself: what is not there cannot be won."""


_IN_WORDS = {
    "created_on": "creation date",
    "closed_on": "close date",
    "expected_close_on": "expected close date",
    "promised_on": "promised date",
    "delivered_on": "delivery date",
    "account_id": "account",
    "opportunity_id": "name of the deal",
    "recorded_at": "time of recording",
}


def column_words(name: str) -> str:
    """Return a column as one would say it: `creation date` for `created_on`, `close value` for `close_value`."""
    return _IN_WORDS.get(name, name.replace("_", " "))


def misleading_deals(snap: Snapshot, view: KnownState) -> list[Problem]:
    """Return what misleads about the opportunities known on a day; view : the same knowledge as arrays."""
    return [
        *_stale(snap),
        *_giants(snap, view),
        *_thin(snap),
        *_alike(snap),
        *_gaps(snap),
        *_falls_off(snap),
        *_cleared(snap),
    ]


def _stale(snap: Snapshot) -> list[Problem]:
    """Open deals that ought to have closed already."""
    frame, money = snap.opportunities, in_currency(snap.company.currency)
    is_open = frame["outcome"] == "open"
    stale = frame[past_due(frame, as_of=snap.as_of)].sort_values("expected_close_on")
    if stale.empty:
        return []
    dated = int((is_open & frame["expected_close_on"].notna()).sum())
    days = (snap.as_of - stale["expected_close_on"]).dt.days
    evidence = (
        f"{len(stale):,} of {dated:,} open deals with a date ({share(len(stale), dated)}), "
        f"worth {money(stale['amount'].sum())}; overdue by {days.median():.0f} days (median), at most {days.max():,}"
    )
    severity: Severity = "warning" if len(stale) > _STALE_WARNS * dated else "info"
    return [
        Problem(
            severity=severity,
            table="opportunities",
            column="expected_close_on",
            what=PAST_DUE,
            evidence=evidence,
            mend="give them a new date",
        ).at(stale["opportunity_id"])
    ]


def _giants(snap: Snapshot, view: KnownState) -> list[Problem]:
    """A heavy tail: one deal that is a large part of what is booked, or of a month."""
    frame, money = snap.opportunities, in_currency(snap.company.currency)
    won = frame[(frame["outcome"] == "won") & (frame["amount"] > 0)].sort_values("amount", ascending=False)
    if won.empty:
        return []
    months = _months_of_bookings(snap, view)
    monthly = won["amount"].sum() / months
    giants = frame[(frame["outcome"] == "open") & (frame["amount"] > monthly)].sort_values("amount", ascending=False)
    found = _heavy_tail(won, money)
    if len(giants):
        top = giants["amount"].iloc[0]
        found.append(
            Problem(
                severity="warning",
                table="opportunities",
                column="amount",
                what="open deals larger than an average month's bookings",
                evidence=f"{plural(len(giants), 'open deal')}, the largest {money(top)} = {top / monthly:,.1f} average "
                f"months of {money(monthly)} ({plural(len(won), 'win')} in {plural(months, 'month')})",
                mend="check the amounts; such a deal comes whole or not at all, so read the range rather than the mean",
            ).at(giants["opportunity_id"])
        )
    return found


def _months_of_bookings(snap: Snapshot, view: KnownState) -> int:
    """Return over how many months bookings are spread: from the first with records, those without a win included.

    Months before the first closure do not count where closures were not recorded yet; the month in progress does only
    where it has a win.
    """
    frame = snap.opportunities
    first = max(int(snap.calendar.period_of(frame["created_on"]).min()), view.closures_recorded_from)
    won = snap.calendar.period_of(frame.loc[frame["outcome"] == "won", "closed_on"])
    return max(view.last_complete, int(won.max())) - min(first, int(won.min())) + 1


def _heavy_tail(won: pd.DataFrame, money: Callable[[float], str]) -> list[Problem]:
    """One won deal that dominates, or else a few; `won` has the largest first."""
    booked, largest = won["amount"].sum(), won["amount"].iloc[0]
    times = largest / won["amount"].median()
    index = tail_index(won["amount"].to_numpy())
    if largest > _GIANT_SHARE * booked and len(won) >= _GIANT_DEALS:
        also = f"; tail index {index:.1f}" if np.isfinite(index) else ""
        what, rows = "one deal dominates the bookings", won["opportunity_id"].head(1)
        evidence = (
            f"the largest of {len(won):,} won deals is {money(largest)}, {share(largest, booked)} of all that was won "
            f"and {times:,.0f} times the median{also}"
        )
        mend = "check the amount; if it holds, read ranges rather than the mean"
    elif np.isfinite(index) and index < 2:
        what, rows = "amounts have a heavy tail", won["opportunity_id"].head()
        evidence = (
            f"tail index {index:.1f} over the largest {percent(_TAIL_SHARE)} of {len(won):,} won deals: below 2 a few "
            f"deals decide a month; the largest is {money(largest)}, {times:,.0f} times the median"
        )
        mend = "check the largest amounts; if they hold, read ranges rather than the mean"
    else:
        return []
    problem = Problem(
        severity="warning", table="opportunities", column="amount", what=what, evidence=evidence, mend=mend
    )
    return [problem.at(rows)]


def tail_index(amounts: np.ndarray) -> float:
    """Return Hill's estimate of the tail index (1975, Annals of Statistics 3) from the largest 5 % of amounts.

    amounts : (n,) positive. NaN where 5 % are fewer than 20, or the tail is all one value. Below 2 the variance is
    infinite, below 1 the mean.
    """
    k = int(_TAIL_SHARE * len(amounts))
    if k < _TAIL_DEALS:
        return np.nan
    top = np.sort(amounts)[::-1][: k + 1]
    excess = float(np.log(top[:k] / top[k]).mean())
    return 1 / excess if excess > 0 else np.nan


def _thin(snap: Snapshot) -> list[Problem]:
    """Segments with few won deals."""
    frame = snap.opportunities
    won = frame[frame["outcome"] == "won"].groupby("segment").size().reindex(list(snap.segments), fill_value=0)
    thin = won[won < WON_AT_LEAST].sort_values(kind="stable")
    if thin.empty:
        return []
    shown = ", ".join(f"{name} {count:,}" for name, count in thin.head(5).items())
    more = f" and {len(thin) - 5:,} more" if len(thin) > 5 else ""
    return [
        Problem(
            severity="warning",
            table="opportunities",
            column="segment",
            what=f"segments with fewer than {WON_AT_LEAST} won deals",
            evidence=f"won deals: {shown}{more}, of {len(snap.segments):,} segments",
            mend="their own rates are drawn to the company's; put small segments together, or bring more history",
        ).at(thin.index)
    ]


def _alike(snap: Snapshot) -> list[Problem]:
    """Opportunities that agree in everything that tells deals apart: entered twice?"""
    frame = snap.opportunities
    who = [name for name in ("account_id", "owner", "product", "lead_source", "units") if name in frame]
    if "account_id" not in who:
        return []
    compared = ["created_on", "segment", "amount", *who]
    full = frame[frame["account_id"].notna() & frame["amount"].notna()]
    alike = full[full.duplicated(compared, keep=False)].sort_values([*compared, "opportunity_id"])
    if alike.empty:
        return []
    groups = len(alike.drop_duplicates(compared))
    evidence = (
        f"{len(alike):,} opportunities in {groups:,} groups agree in {joined(map(column_words, compared))}; "
        f"were each counted once, there would be {len(alike) - groups:,} fewer"
    )
    severity: Severity = "warning" if len(alike) - groups > _ALIKE_WARNS * len(frame) else "info"
    return [
        Problem(
            severity=severity,
            table="opportunities",
            column="opportunity_id",
            what="deals that look alike",
            evidence=evidence,
            mend="merge what was entered twice",
        ).at(alike["opportunity_id"])
    ]


def _gaps(snap: Snapshot) -> list[Problem]:
    """Months in which nothing was created, or nothing was won, between months in which something was."""
    frame = snap.opportunities
    found = []
    created = snap.calendar.period_of(frame["created_on"])
    won = snap.calendar.period_of(frame.loc[frame["outcome"] == "won", "closed_on"])
    last = snap.period if snap.at_month_end else snap.period - 1
    for periods, column, word in ((created, "created_on", "created"), (won, "closed_on", "won")):
        seen = np.unique(periods[periods >= 0])
        if not len(seen):
            continue
        empty = np.setdiff1d(np.arange(seen[0], max(last, seen[-1]) + 1), seen)
        if not len(empty):
            continue
        span = max(last, seen[-1]) - seen[0] + 1
        evidence = f"{len(empty):,} of {span:,} months from {month(period_label(int(seen[0])))}"
        found.append(
            Problem(
                severity="warning",
                table="opportunities",
                column=column,
                what=f"months in which nothing was {word}",
                evidence=evidence,
                mend="check whether the export is whole; a month without records reads as a month without business",
            ).at([period_label(int(period)) for period in empty])
        )
    return found


def _falls_off(snap: Snapshot) -> list[Problem]:
    """Last months with far fewer new deals than usual: the export may lack the youngest."""
    created = snap.calendar.period_of(snap.opportunities["created_on"])
    last = snap.period if snap.at_month_end else snap.period - 1
    first = last - _USUAL_MONTHS
    if not (created <= first).any():
        return []
    counts = np.bincount(created[(created >= first) & (created <= last)] - first, minlength=_USUAL_MONTHS + 1)
    usual = float(np.median(counts))
    few = counts < _FALLS_OFF * usual
    length = int(np.argmin(few[::-1])) if not few.all() else 0
    if not length or usual < _DEALS_A_MONTH:
        return []
    months = [period_label(last - back) for back in range(length)][::-1]
    shown = joined(f"{counts[len(counts) - length + i]:,} in {month(name)}" for i, name in enumerate(months))
    return [
        Problem(
            severity="warning",
            table="opportunities",
            column="created_on",
            what=FEWER_OF_LATE,
            evidence=f"deals created: {shown}; the median month of the last {_USUAL_MONTHS + 1} has {usual:,.0f}",
            mend="check whether the export holds the youngest deals; if it does not, the forecast is too low",
        ).at(months)
    ]


def _cleared(snap: Snapshot) -> list[Problem]:
    """Many losses on one day: the day the pipeline was cleared, not the day the customers decided."""
    frame = snap.opportunities
    lost = frame[frame["outcome"] == "lost"]
    if lost.empty:
        return []
    days = lost.groupby("closed_on").size()
    big = days[(days >= _ONE_DAY_DEALS) & (days > _ONE_DAY_SHARE * len(lost))].sort_values(ascending=False)
    if big.empty:
        return []
    shown = joined(f"{count:,} on {day(on)}" for on, count in big.head(3).items())
    rows = lost.loc[lost["closed_on"].isin(big.index), "opportunity_id"]
    return [
        Problem(
            severity="warning",
            table="opportunities",
            column="closed_on",
            what="many deals lost on one day",
            evidence=f"{shown}, of {len(lost):,} losses",
            mend="if that was a clean-up, date them to when they were lost",
        ).at(rows)
    ]
