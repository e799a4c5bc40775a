"""What share of deals is won: by what counts as a deal, by count and by value, among those closed and by cohort.

The naive rate looks at the deals closed in the last twelve months. It is too high where losses are closed late or
never: nobody closes a lost deal to be paid for it. The cohort rate follows the deals from the day they set out, each
for as long as it was seen, won or not (`incidence`): a deal left open for ever counts as one that was not won. Neither
can tell a deal left open from one that is slow; where that matters the row says so in place of a number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from forecast import wording
from forecast.calendar import period_label
from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import TOTAL
from forecast.evaluation.scorecard.definition import Definition
from forecast.evaluation.scorecard.funnel.incidence import (
    FEWEST_FOLLOWED,
    Incidence,
    Share,
    cannot_tell,
    cumulative_incidence,
    followed_to,
    share_of,
    with_to_come,
)
from forecast.evaluation.scorecard.funnel.journeys import (
    LOST,
    OPEN,
    UNDECIDED,
    WON,
    Journeys,
    commit_on_day_one,
    first_cohort,
    first_proposal,
    followed_until,
    has_reasons,
    months_named,
    record_begins,
    since_creation,
    starting_on,
)

FIGURE = "close rate"
DECIDED, ALL_ENDED, PROPOSALS, COMMITS = (
    "won/(won+lost)",
    "won/(won+lost+no decision)",
    "won/proposals",
    "won/commit on day 1",
)
RATES = (DECIDED, ALL_ENDED, PROPOSALS, COMMITS)
NAIVE, COHORT = "deals closed", "cohorts"
WAYS, BY = (NAIVE, COHORT), ("count", "value")

MONTHS = 12
"""Months of closings of the naive rate."""

COHORTS = (24, 60)
"""Months of cohorts: where those of two years cannot tell, those of five."""

STILL_CLOSE = 0.99
"""Share of the deals that close at all, by whose age deals still close; a deal open beyond it got no decision."""

MOST_LEFT = 0.05
"""Share of deals left open beyond which a rate among those closed cannot be told."""

OF = {
    (DECIDED, NAIVE): "deals closed by a decision",
    (DECIDED, COHORT): "deals decided",
    (ALL_ENDED, NAIVE): "deals that ended",
    (ALL_ENDED, COHORT): "deals created",
    (PROPOSALS, NAIVE): "deals closed after a proposal",
    (PROPOSALS, COHORT): "deals with a proposal",
    (COMMITS, NAIVE): "deals closed out of commit",
    (COMMITS, COHORT): "deals in commit",
}
"""What each is a share of."""

_NEEDS = {
    PROPOSALS: "needs opportunity_history, and is_proposal in stages",
    COMMITS: "needs forecast_category in opportunity_history",
}


@dataclass(frozen=True, kw_only=True)
class _Rate:
    """A rate: who set out (None where the tables do not say), and which of the deals count where only closed ones do.

    counts : (n,) of `deals`, those that count among the deals closed. setting_out : in words. begins : the month in
    which the record begins. still_close : age in days by which those that close had closed, NaN where it is not asked.
    """

    name: str
    deals: Journeys
    counts: np.ndarray | None
    started: Journeys | None
    setting_out: str
    begins: int
    still_close: float = float("nan")


def definition_of(rate: str, way: str, by: str) -> str:
    """Return the name of a definition, such as `won/proposals, cohorts, by value`."""
    return f"{rate}, {way}, by {by}"


def close_rates(snap: Snapshot) -> list[Definition]:
    """Return the close rate under every definition: RATES x WAYS x BY, for each segment and the Total.

    As known on the snapshot's day, followed to the end of its last settled month. `n` is the number of deals that the
    rate is a share of: of won/(won+lost) those won or lost so far, not all that were created. By value a deal counts by
    its amount as it is known now; one without an amount above 0 is left out. Rows that cannot be told say why in
    `missing`.
    """
    rows = []
    for rate in _rates(snap):
        for segment in (None, *snap.segments):
            for by in BY:
                rows.append(_naive(snap, rate, segment, by))
                rows.append(_cohort(snap, rate, segment, by))
    return rows


def _rates(snap: Snapshot) -> Iterator[_Rate]:
    deals, begins = since_creation(snap), record_begins(snap)
    known = deals.take(deals.ended >= 0)
    every = np.ones(len(deals), dtype=bool)
    created = _Rate(name=DECIDED, deals=deals, counts=every, started=known, setting_out="created", begins=begins)
    yield created
    yield replace(created, name=ALL_ENDED, still_close=_still_close(snap, known, begins))
    proposal, commit = first_proposal(snap), commit_on_day_one(snap)
    yield _Rate(
        name=PROPOSALS,
        deals=deals,
        counts=None if proposal is None else ~np.isnat(proposal),
        started=None if proposal is None else starting_on(deals, proposal),
        setting_out="with a first proposal",
        begins=begins,
    )
    yield _Rate(
        name=COMMITS,
        deals=deals,
        counts=None if commit is None else commit[1],
        started=None if commit is None else starting_on(deals, commit[0]),
        setting_out="first in commit on the first day of a month",
        begins=begins,
    )


# -- among the deals closed ------------------------------------------------------------------------------


def _naive(snap: Snapshot, rate: _Rate, segment: str | None, by: str) -> Definition:
    """Return the share won of the deals closed in the last months."""
    last = snap.calendar.period(followed_until(snap))
    begins = min(max(last - MONTHS + 1, rate.begins), last)
    if rate.counts is None:
        return _row(rate, segment, by, NAIVE, means="", missing=_NEEDS[rate.name])
    here = rate.deals.take(rate.counts & (rate.deals.ended >= 0)).of(segment)
    first_day = np.datetime64(snap.calendar.start(begins), "D")
    closed = here.take((here.ended > OPEN) & (here.end >= first_day))
    means = f"deals won, of those closed in these months{_which(rate)}"
    means += _YOUNG if last - rate.begins < MONTHS else ""
    if rate.name == DECIDED:
        closed = closed.take(closed.ended != UNDECIDED)
        means += ", without those lost for want of a decision" if has_reasons(snap) else _NO_REASONS
    won = closed.ended == WON
    if rate.name == ALL_ENDED:
        closed, means = _with_left_open(closed, here, rate.still_close, first_day), f"{means}{_beyond(rate)}"
        won = closed.ended == WON
    keep = np.nan_to_num(closed.amount) > 0 if by == "value" else np.ones(len(closed), dtype=bool)
    found = share_of(won[keep], weight=closed.amount[keep] if by == "value" else None)
    missing = "" if keep.any() else "no such deal closed in these months"
    months = period_label(begins), period_label(last)
    return _row(rate, segment, by, NAIVE, means=means, found=found, n=int(keep.sum()), months=months, missing=missing)


_YOUNG = " (the record is hardly older, so that what ends soonest counts for too much)"
_NO_REASONS = "; no lost_reason is recorded, so that deals that ended without a decision count as lost"


def _which(rate: _Rate) -> str:
    return {PROPOSALS: " that had a proposal out", COMMITS: " that stood in commit on the month’s first day"}.get(
        rate.name, ""
    )


def _still_close(snap: Snapshot, deals: Journeys, begins: int) -> float:
    """Return the age in days by which STILL_CLOSE of those that close at all had closed; NaN where none did."""
    seen = _seen(deals.setting_out(first_cohort(snap, COHORTS[-1], begins=begins)), by="count")
    return float("nan") if seen is None else seen.ended_by(STILL_CLOSE)


def _beyond(rate: _Rate) -> str:
    if np.isnan(rate.still_close):
        return "; too few deals were followed to tell which are left open without a decision"
    return (
        f", or left open beyond {rate.still_close:.0f} days: by that age 99 in 100 of the deals that close at all had "
        "closed"
    )


def _with_left_open(closed: Journeys, here: Journeys, age: float, first_day: np.datetime64) -> Journeys:
    """Return the deals closed, and those open that passed an age since a day."""
    if np.isnan(age):
        return closed
    passing = here.start + np.timedelta64(int(age) + 1, "D")
    return _joined(closed, here.take((here.ended == OPEN) & (passing >= first_day) & (passing <= here.until)))


def _joined(first: Journeys, second: Journeys) -> Journeys:
    names = ("start", "end", "ended", "amount", "segment")
    start, end, ended, amount, segment = (
        np.concatenate([getattr(first, name), getattr(second, name)]) for name in names
    )
    return replace(first, start=start, end=end, ended=ended, amount=amount, segment=segment)


# -- by cohort -------------------------------------------------------------------------------------------


def _cohort(snap: Snapshot, rate: _Rate, segment: str | None, by: str) -> Definition:
    """Return the share won of those that set out, from the youngest cohorts that can tell it."""
    if rate.started is None:
        return _row(rate, segment, by, COHORT, means="", missing=_NEEDS[rate.name])
    row = None
    for months in COHORTS:
        first = first_cohort(snap, months, begins=rate.begins)
        part = rate.started.of(segment).setting_out(first)
        if by == "value" and (why := _without_amount(part)):
            return _row(rate, segment, by, COHORT, means="", n=len(part), missing=why)
        part = part.valued() if by == "value" else part
        row = _cohort_row(snap, rate, part, first, segment=segment, by=by)
        if not row.missing:
            break
    assert row is not None
    return row


def _without_amount(part: Journeys) -> str:
    """Return why deals cannot be counted by value: leaving out open deals without an amount would raise the rate."""
    unknown = (part.ended == OPEN) & np.isnan(part.amount)
    if unknown.sum() <= MOST_LEFT * len(part):
        return ""
    return (
        f"of {wording.plural(int(unknown.sum()), 'open deal')} the amount is not known as of this day; "
        "opportunity_history would tell"
    )


def _cohort_row(
    snap: Snapshot, rate: _Rate, part: Journeys, first: np.datetime64, *, segment: str | None, by: str
) -> Definition:
    months = months_named(snap, first, part.until)
    seen = _seen(part, by=by)
    means = (
        f"deals won in the end, of all {rate.setting_out} in these months, those still open as long as they were seen"
    )
    if rate.name == DECIDED:
        means = f"the same as {ALL_ENDED}, but of those that were won or lost{_without(snap)}"
    if seen is None:
        why = f"fewer than {FEWEST_FOLLOWED} deals were {rate.setting_out} in these months"
        return _row(rate, segment, by, COHORT, means=means, n=len(part), months=months, missing=why)
    means += f"; followed to {seen.until:.0f} days, at which {wording.percent(seen.still_open)} are open"
    missing = cannot_tell(seen)
    n = len(part)
    if rate.name == DECIDED:
        found, missing = seen.of_ended(WON, among=(WON, LOST)), missing or _left_open(seen)
        n = int((np.isin(part.ended, (WON, LOST)) & (part.days <= seen.until)).sum())
    else:
        found = with_to_come(seen)
    if not missing and np.isnan(found.value):
        missing = "none of these deals was won or lost"
    found = Share() if missing else found
    return _row(rate, segment, by, COHORT, means=means, found=found, n=n, months=months, missing=missing)


def _left_open(seen: Incidence) -> str:
    """Return why a rate among the closed cannot be told: too many stay open, slow or lost without a record."""
    if seen.still_open <= MOST_LEFT:
        return ""
    least, most = seen.share(WON).value, seen.of_ended(WON, among=(WON, LOST)).value
    return (
        f"cannot tell: {wording.percent(seen.still_open)} are left open at an age at which hardly any closes, lost "
        f"without a record or never decided, so that the share lies between {wording.percent(least)} and "
        f"{wording.percent(most)}; closing what is lost would tell"
    )


def _without(snap: Snapshot) -> str:
    return " by a decision" if has_reasons(snap) else _NO_REASONS


def _seen(part: Journeys, *, by: str) -> Incidence | None:
    """Return what became of journeys by age in days; None where too few were followed."""
    until = followed_to(part.followed)
    if np.isnan(until):
        return None
    weight = part.amount if by == "value" else None
    return cumulative_incidence(part.days, part.ended, ends=UNDECIDED, until=until, weight=weight)


def _row(
    rate: _Rate,
    segment: str | None,
    by: str,
    way: str,
    *,
    means: str,
    found: Share | None = None,
    n: int = 0,
    months: tuple[str, str] = ("", ""),
    missing: str = "",
) -> Definition:
    found = Share() if found is None else found
    return Definition(
        figure=FIGURE,
        definition=definition_of(rate.name, way, by),
        means=(means or rate.name) + (", each by its amount" if by == "value" and means else ""),
        unit="share",
        of=OF[rate.name, way],
        segment=TOTAL if segment is None else segment,
        value=found.value,
        low=found.low,
        high=found.high,
        n=n,
        n_of="deal",
        first=months[0],
        last=months[1],
        missing=missing,
    )
