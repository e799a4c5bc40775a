"""What misleads about the opportunities as they stand: stale dates, look-alikes, gaps, thin segments."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from scipy.stats import poisson

from forecast.calendar import period_label
from forecast.data.known.snapshot import Snapshot, past_due
from forecast.errors import Problem, Severity, shortened
from forecast.wording import day, in_currency, joined, month, plural, share

WON_AT_LEAST = 30
"""Won deals below which a segment's win rate and mean amount rest on too little."""

_STALE_WARNS = 0.2
"""Share of open deals past their date from which the dates are not kept; the odds know a date that has passed."""
_ALIKE_WARNS = 0.01
_OWN_AMOUNTS = 0.9
"""Share of the deals with an amount of their own, from which amounts tell deals apart where no account does."""
_ONE_DAY_SHARE = 0.05
_ONE_DAY_DEALS = 20
_ONE_DAY_TIMES = 3
_LOST_AT_LEAST = 0.05
"""Losses for a win, below which they are taken as hardly recorded; the models take them so (`probabilities.HARDLY`)."""
_MANY_AROUND, _MANY_ON_A_SIDE = 10, 7
"""Records a month on both sides of an empty one that chance does not explain: where ten are usual, e^-10 have none."""
_USUAL_MONTHS, _FALLS_OFF, _DEALS_A_MONTH, _BY_CHANCE = 12, 0.5, 20, 1e-6

PAST_DUE = "open deals past their expected close date"
"""A deal due on the day itself is not past it."""

NO_LOSSES = "losses are hardly recorded"

FEWER_OF_LATE = "far fewer deals created lately"
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


def misleading_deals(snap: Snapshot, *, unrecorded: Collection[int] = ()) -> list[Problem]:
    """Return what misleads about the opportunities known on a day.

    unrecorded : periods of which it is told elsewhere that no row of history was written in them.
    """
    return [
        *_stale(snap),
        *_thin(snap),
        *_alike(snap),
        *_gaps(snap, unrecorded),
        *_falls_off(snap),
        *_cleared(snap),
        *_no_losses(snap),
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
        f"{len(stale):,} of {plural(dated, 'open deal')} with a date ({share(len(stale), dated)}), "
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


def _thin(snap: Snapshot) -> list[Problem]:
    """Segments with few won deals."""
    frame = snap.opportunities
    won = frame[frame["outcome"] == "won"].groupby("segment").size().reindex(list(snap.segments), fill_value=0)
    thin = won[won < WON_AT_LEAST].sort_values(kind="stable")
    if thin.empty:
        return []
    shown = ", ".join(f"{shortened(str(name))} {count:,}" for name, count in thin.head(5).items())
    more = f" and {len(thin) - 5:,} more" if len(thin) > 5 else ""
    return [
        Problem(
            severity="info",
            table="opportunities",
            column="segment",
            what=f"segments with fewer than {WON_AT_LEAST} won deals",
            evidence=f"won deals: {shown}{more}, of {plural(len(snap.segments), 'segment')}",
            mend="their own rates are drawn to the company's; put small segments together, or bring more history",
        ).at(thin.index)
    ]


def _alike(snap: Snapshot) -> list[Problem]:
    """Opportunities that agree in everything that tells deals apart: entered twice?

    The account tells them apart, or the amount where nearly every deal has one of its own, to the cent.
    """
    frame = snap.opportunities
    who = [name for name in ("account_id", "owner", "product", "lead_source", "units") if name in frame]
    compared = ["created_on", "segment", "amount", *who]
    full = frame[frame["amount"].notna()]
    if "account_id" in who:
        full = full[full["account_id"].notna()]
    else:
        once = full.drop_duplicates(compared)
        if once["amount"].nunique() < _OWN_AMOUNTS * len(once):
            return []
    alike = full[full.duplicated(compared, keep=False)].sort_values([*compared, "opportunity_id"])
    if alike.empty:
        return []
    groups = len(alike.drop_duplicates(compared))
    evidence = (
        f"{plural(len(alike), 'opportunity')} in {groups:,} groups agree in {joined(map(column_words, compared))}; "
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


def _gaps(snap: Snapshot, unrecorded: Collection[int]) -> list[Problem]:
    """Months in which nothing was created, won or recorded, between months in which something was.

    Of a few wins a month one month may well have none; it changes the answer where the months around it have many.
    """
    frame = snap.opportunities
    found = []
    created = snap.calendar.period_of(frame["created_on"])
    won = snap.calendar.period_of(frame.loc[frame["outcome"] == "won", "closed_on"])
    seen_in = [(created, "opportunities", "created_on", "created"), (won, "opportunities", "closed_on", "won")]
    if snap.history is not None and len(snap.history):
        recorded = snap.calendar.period_of(snap.history["recorded_on"])
        seen_in.append((recorded, "opportunity_history", "recorded_at", "recorded"))
    last = snap.period if snap.at_month_end else snap.period - 1
    for periods, table, column, word in seen_in:
        periods = periods[periods >= 0]
        if not len(periods):
            continue
        first, until = int(periods.min()), max(last, int(periods.max()))
        counts = np.bincount(periods - first, minlength=until - first + 1)
        empty = np.flatnonzero(counts == 0)
        if table == "opportunity_history":
            empty = empty[~np.isin(first + empty, list(unrecorded))]
        if not len(empty):
            continue
        many = any(_many_around(counts, int(month)) for month in empty)
        severity: Severity = "warning" if many else "info"
        evidence = f"{len(empty):,} of {plural(len(counts), 'month')} from {month_of(first)}"
        found.append(
            Problem(
                severity=severity,
                table=table,
                column=column,
                what=f"months in which nothing was {word}",
                evidence=evidence,
                mend="check whether the export is whole; a month without records reads as a month without business",
            ).at([period_label(first + int(each)) for each in empty])
        )
    return found


def month_of(period: int) -> str:
    """Return a period in words: `March 2026`."""
    return month(period_label(period))


def _many_around(counts: np.ndarray, at: int) -> bool:
    """Return whether the three months with records before and after a month have so many that none is no chance."""
    sides = counts[:at][counts[:at] > 0][-3:], counts[at:][counts[at:] > 0][:3]
    if not all(map(len, sides)):
        return False
    return bool(np.median(np.concatenate(sides)) >= _MANY_AROUND and min(map(np.median, sides)) >= _MANY_ON_A_SIDE)


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
    fallen = int(counts[len(counts) - length :].sum())
    if not length or (usual < _DEALS_A_MONTH and poisson.cdf(fallen, usual * length) > _BY_CHANCE):
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
    # A company that closes its books once a month has many on every such day.
    usual = _ONE_DAY_TIMES * days.median() if len(days) >= _USUAL_MONTHS else 0
    big = days[(days >= max(_ONE_DAY_DEALS, usual)) & (days > _ONE_DAY_SHARE * len(lost))].sort_values(ascending=False)
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


def _no_losses(snap: Snapshot) -> list[Problem]:
    """Deals are won and hardly one is ever lost: those that came to nothing stand there as open."""
    frame = snap.opportunities
    won, lost = ((frame["outcome"] == outcome).to_numpy() for outcome in ("won", "lost"))
    if won.sum() < WON_AT_LEAST or lost.sum() >= _LOST_AT_LEAST * won.sum():
        return []
    took = (frame.loc[won, "closed_on"] - frame.loc[won, "created_on"]).dt.days.dropna()
    longest = float(took.max()) if len(took) else 0.0
    age = (snap.as_of - frame["created_on"]).dt.days
    is_open = np.asarray(frame["outcome"] == "open")
    old = is_open & np.asarray(age > longest)
    evidence = (
        f"{won.sum():,} won, {lost.sum():,} lost; {old.sum():,} of {is_open.sum():,} open deals are older than any was "
        f"when it was won ({longest:,.0f} days)"
    )
    return [
        Problem(
            severity="warning",
            table="opportunities",
            column="outcome",
            what=NO_LOSSES,
            evidence=evidence,
            mend="export lost deals too; where nobody closes them, write those that came to nothing as lost, on the "
            "day they did",
        ).at(frame["opportunity_id"].to_numpy()[old])
    ]
