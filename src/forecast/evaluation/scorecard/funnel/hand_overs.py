"""Who passes each hand-over, and after how long: from the lead to the next order.

Each hand-over is a set of journeys of its own: it sets out on the day the step before was reached, and ends by passing,
by dropping out, or not yet. So those still on their way count as long as they were seen (`incidence`), and a quarter
whose journeys are young says "cannot tell" rather than too little.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.data.codes import looked_up, places
from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import TOTAL
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
    OPEN,
    WON,
    Journeys,
    days_of,
    first_proposal,
    followed_until,
    months_named,
    record_begins,
    since_creation,
    starting_on,
)
from forecast.evaluation.scorecard.funnel.rows import ALL, HAND_OVER, SOURCE, FunnelRow

PASSED, DROPPED = 1, 2
YEAR_DAYS = 365
"""Days within which an account is to buy again."""

QUARTERS = 8
"""Quarters shown one by one; together they are ALL."""

STEPS = (
    "lead to worked",
    "worked to qualified",
    "qualified to opportunity",
    "opportunity to proposal",
    "proposal to won",
    "won to delivered on time",
    "delivered on time to bought again",
)
NO_LEAD = "opportunity without a lead"
_NAT = np.datetime64("NaT", "D")


@dataclass(frozen=True, kw_only=True)
class HandOver:
    """A hand-over. journeys : ended PASSED, DROPPED or OPEN; None where the tables do not hold it, and `missing` says
    which would. n_of : what sets out. dropped : by what it drops out, in words. within : days by which it must have
    passed; None = in the end."""

    step: str
    n_of: str
    dropped: str
    journeys: Journeys | None
    missing: str = ""
    within: float | None = None


def hand_overs(snap: Snapshot) -> list[HandOver]:
    """Return the seven hand-overs, in the order of STEPS."""
    leads = list(_of_leads(snap))
    return [*leads, *_of_deals(snap), _delivered(snap), _bought_again(snap)]


def hand_over_rows(snap: Snapshot) -> list[FunnelRow]:
    """Return a row a hand-over, segment (and Total) and cohort: the quarter of setting out, and ALL of them."""
    of_leads, of_deals, rows = _quarters(snap, leads_begin(snap)), _quarters(snap, record_begins(snap)), []
    for each in hand_overs(snap):
        quarters = of_leads if each.n_of == "lead" else of_deals
        for segment in (None, *snap.segments):
            part = None if each.journeys is None else each.journeys.of(segment)
            for name, first, last in quarters:
                rows.append(_row(snap, each, part, segment=segment, cohort=name, first=first, last=last))
    return rows


def _row(
    snap: Snapshot,
    each: HandOver,
    part: Journeys | None,
    *,
    segment: str | None,
    cohort: str,
    first: np.datetime64,
    last: np.datetime64,
) -> FunnelRow:
    nan, months = float("nan"), months_named(snap, first, last)
    found, median, q90, followed, n, missing = Share(), nan, nan, nan, 0, each.missing
    n_followed = 0
    if part is not None:
        here = part.setting_out(first, last)
        n, followed = len(here), followed_to(here.followed)
        n_followed = 0 if each.within is None else int((here.followed >= each.within).sum())
        seen, found, missing = conversion(here, within=each.within)
        if seen is not None and not missing:
            median, q90, followed = seen.waited(0.5), seen.waited(0.9), seen.until
    return FunnelRow(
        part=HAND_OVER,
        step=each.step,
        means=f"passed{_within(each)}, of those that set out in these months; else {each.dropped}",
        segment=TOTAL if segment is None else segment,
        cohort=cohort,
        value=found.value,
        low=found.low,
        high=found.high,
        median_days=median,
        q90_days=q90,
        followed_days=followed,
        n=n,
        n_of=each.n_of,
        first=months[0],
        last=months[1],
        missing=missing,
        n_followed=n_followed,
    )


def _within(each: HandOver) -> str:
    return "" if each.within is None else f" within {each.within:.0f} days"


def conversion(here: Journeys, *, within: float | None = None) -> tuple[Incidence | None, Share, str]:
    """Return what became of journeys, the share that passes with its interval, and why it is not known.

    within : days; None = in the end, with what may still come in the interval's upper end.
    """
    followed = followed_to(here.followed)
    if np.isnan(followed):
        return None, Share(), f"fewer than {FEWEST_FOLLOWED} set out in these months"
    if within is not None and followed < within:
        return None, Share(), f"too few were followed for {within:.0f} days yet, the longest {followed:.0f}"
    seen = cumulative_incidence(here.days, here.ended, until=followed if within is None else within)
    if within is not None:
        return seen, seen.share(), ""
    missing = cannot_tell(seen, what="pass")
    return seen, Share() if missing else with_to_come(seen), missing


def _quarters(snap: Snapshot, begins: int) -> list[tuple[str, np.datetime64, np.datetime64]]:
    """Return the name, first and last day of ALL and of each quarter in it, none before a month, the record's first."""
    calendar, until = snap.calendar, followed_until(snap)
    newest = int(calendar.quarter_of(calendar.period(pd.Timestamp(until))))
    record = np.datetime64(calendar.start(min(begins, calendar.period(pd.Timestamp(until)))), "D")
    out = []
    for quarter in range(newest - QUARTERS + 1, newest + 1):
        months = calendar.quarter_periods(quarter)
        first = max(np.datetime64(calendar.start(months[0]), "D"), record)
        last = min(np.datetime64(calendar.end(months[2]), "D"), until)
        if first <= last:
            out.append((calendar.quarter_label(quarter), first, last))
    return [(ALL, out[0][1], until), *out] if out else [(ALL, record, until)]


# -- leads -----------------------------------------------------------------------------------------------


def leads_begin(snap: Snapshot) -> int:
    """Return the month of the first lead; where there is none that in which the record begins."""
    first = None if snap.leads is None else snap.leads["created_on"].min()
    return record_begins(snap) if pd.isna(first) else snap.calendar.period(first)


def lead_journeys(snap: Snapshot, start: str | np.ndarray, passed: str | np.ndarray, dropped: str | None) -> Journeys:
    """Return the journeys of leads between two of their dates; columns of `snap.leads`, or days (n,).

    dropped : the column of the day on which they drop out, where they did not pass before.
    """
    leads, until = snap.leads, followed_until(snap)
    assert leads is not None
    begin = days_of(leads[start]) if isinstance(start, str) else start
    end = days_of(leads[passed]) if isinstance(passed, str) else passed
    out = days_of(leads[dropped]) if dropped in leads else np.full(len(leads), _NAT)
    return between(
        begin,
        end,
        out,
        amount=np.full(len(leads), np.nan),
        segment=pd.Index(snap.segments).get_indexer(pd.Index(leads["segment"])),
        segments=snap.segments,
        until=until,
    )


def between(
    start: np.ndarray,
    passed: np.ndarray,
    dropped: np.ndarray,
    *,
    amount: np.ndarray,
    segment: np.ndarray,
    segments: tuple[str, ...],
    until: np.datetime64,
) -> Journeys:
    """Return journeys from a day to the first of two ends, (n,) days each; those that never set out are left out.

    An end before the start counts as one on the day itself: steps recorded in another order.
    """
    use = ~np.isnat(start) & (start <= until)
    start, passed, dropped = start[use], passed[use], dropped[use]
    passed, dropped = (np.where(day > until, _NAT, np.maximum(day, start)) for day in (passed, dropped))
    has_passed = ~np.isnat(passed) & ~(dropped < passed)
    ended = np.where(has_passed, PASSED, np.where(np.isnat(dropped), OPEN, DROPPED))
    return Journeys(
        start=start,
        end=np.where(has_passed, passed, dropped),
        ended=ended,
        amount=amount[use],
        segment=segment[use],
        segments=segments,
        until=until,
    )


def _of_leads(snap: Snapshot) -> Iterator[HandOver]:
    """Return the three hand-overs of leads."""
    leads = snap.leads
    wants = (("created_on", "worked_on"), ("worked_on", "qualified_on"), ("qualified_on", "opportunity_id"))
    for step, (start, passed) in zip(STEPS, wants, strict=False):
        missing, journeys = "", None
        if leads is None:
            missing = "needs leads"
        elif lacking := [name for name in (start, passed) if name not in leads or not leads[name].notna().any()]:
            missing = f"needs {lacking[0]} in leads"
        elif passed == "opportunity_id":
            journeys = lead_journeys(snap, start, _opportunity_created(snap), None)
        else:
            journeys = lead_journeys(snap, start, passed, "rejected_on")
        dropped = "no opportunity" if passed == "opportunity_id" else "rejected, or left as they were"
        yield HandOver(step=step, n_of="lead", dropped=dropped, journeys=journeys, missing=missing)


def _opportunity_created(snap: Snapshot) -> np.ndarray:
    assert snap.leads is not None
    deals = snap.opportunities
    return days_of(looked_up(snap.leads["opportunity_id"], deals["opportunity_id"], deals["created_on"]))


def without_lead_rows(snap: Snapshot) -> list[FunnelRow]:
    """Return the share of opportunities that no lead names, for each segment and the Total.

    It tells why more opportunities set out for a proposal than qualified leads became one. Of those created in the
    months of ALL, none before the first lead.
    """
    leads, named, missing = snap.leads, None, ""
    if leads is None:
        missing = "needs leads"
    elif "opportunity_id" not in leads or not leads["opportunity_id"].notna().any():
        missing = "needs opportunity_id in leads"
    else:
        named = np.zeros(len(snap.opportunities), dtype=bool)
        place = places(leads["opportunity_id"], snap.opportunities["opportunity_id"])
        named[place[place >= 0]] = True
    deals, (_, first, last) = since_creation(snap), _quarters(snap, max(leads_begin(snap), record_begins(snap)))[0]
    rows, months = [], months_named(snap, first, last)
    for segment in (None, *snap.segments):
        found, n, why = Share(), 0, missing
        if named is not None:
            split = deals.with_ends(np.where(named, DROPPED, PASSED)).take(deals.ended >= 0)
            here = split.of(segment).setting_out(first, last)
            found, n = share_of(here.ended == PASSED), len(here)
            why = "" if n else "no opportunity was created in these months"
        rows.append(
            FunnelRow(
                part=SOURCE,
                step=NO_LEAD,
                means="opportunities created in these months that no lead names",
                segment=TOTAL if segment is None else segment,
                value=found.value,
                low=found.low,
                high=found.high,
                n=n,
                n_of="opportunity",
                first=months[0],
                last=months[1],
                missing=why,
            )
        )
    return rows


# -- deals, deliveries, the next order -------------------------------------------------------------------


def _of_deals(snap: Snapshot) -> Iterator[HandOver]:
    deals, proposal = since_creation(snap), first_proposal(snap)
    missing = "needs opportunity_history, and is_proposal in stages" if proposal is None else ""
    journeys = None
    if proposal is not None:
        journeys = between(
            np.where(deals.ended >= 0, deals.start, _NAT),
            proposal,
            deals.end,
            amount=deals.amount,
            segment=deals.segment,
            segments=deals.segments,
            until=deals.until,
        )
    yield HandOver(step=STEPS[3], n_of="deal", dropped="closed without one", journeys=journeys, missing=missing)
    if proposal is not None:
        journeys = starting_on(deals, proposal)
        ended = np.select([journeys.ended == OPEN, journeys.ended == WON], [OPEN, PASSED], DROPPED)
        journeys = journeys.with_ends(ended)
    yield HandOver(step=STEPS[4], n_of="proposal", dropped="lost", journeys=journeys, missing=missing)


def _delivered(snap: Snapshot) -> HandOver:
    """Return the orders won with a day promised: delivered by then, or late from the day after it.

    A promise is known from its day on. So orders won so lately that their day may lie ahead (as 99 in 100 promises are
    as far from the win) count as under way.
    """
    if promised_orders(snap) is None:
        missing = "needs promised_on and delivered_on in opportunities"
        return HandOver(step=STEPS[5], n_of="order", dropped="late", journeys=None, missing=missing)
    wins = snap.opportunities[(snap.opportunities["outcome"] == "won") & snap.opportunities["closed_on"].notna()]
    closed, promised, delivered = (days_of(wins[name]) for name in ("closed_on", "promised_on", "delivered_on"))
    until = followed_until(snap)
    ahead = (promised - closed)[~np.isnat(promised)].astype(np.float64)
    recent = (until - closed).astype(np.float64) <= np.quantile(ahead, 0.99)
    journeys = between(
        np.where(~np.isnat(promised) | recent, closed, _NAT),
        np.where(delivered <= promised, delivered, _NAT),
        promised + 1,
        amount=wins["amount"].to_numpy(dtype=np.float64),
        segment=pd.Index(snap.segments).get_indexer(pd.Index(wins["segment"])),
        segments=snap.segments,
        until=until,
    )
    return HandOver(step=STEPS[5], n_of="order", dropped="late", journeys=journeys)


def promised_orders(snap: Snapshot) -> pd.DataFrame | None:
    """Return the wins with a day on which they were promised; None where that or the delivery is not recorded.

    A promise is known from its day on: orders promised for later are not there.
    """
    deals = snap.opportunities
    wins = deals[(deals["outcome"] == "won") & deals["closed_on"].notna()]
    for name in ("promised_on", "delivered_on"):
        if name not in wins or not wins[name].notna().any():
            return None
    return wins[wins["promised_on"].notna()]


def _bought_again(snap: Snapshot) -> HandOver:
    """Return from the first delivery on time of each account in the log to its next order."""
    orders = promised_orders(snap)
    journeys, missing = None, "needs account_id, promised_on and delivered_on in opportunities"
    if orders is not None and "account_id" in orders and orders["account_id"].notna().any():
        on_time = orders[orders["account_id"].notna() & (orders["delivered_on"] <= orders["promised_on"])]
        first = on_time.sort_values(["delivered_on", "opportunity_id"]).drop_duplicates("account_id")
        journeys, missing = to_next_order(snap, first, days_of(first["delivered_on"])), ""
    return HandOver(
        step=STEPS[6],
        n_of="account",
        dropped="no further order",
        journeys=journeys,
        missing=missing,
        within=float(YEAR_DAYS),
    )


def to_next_order(snap: Snapshot, orders: pd.DataFrame, since: np.ndarray) -> Journeys:
    """Return from a day after each order, (n,), to the next win of its account after that day.

    orders : rows of `snap.opportunities` with an account_id.
    """
    deals = snap.opportunities
    wins = deals.loc[(deals["outcome"] == "won") & deals["account_id"].notna(), ["account_id", "closed_on"]]
    wins = wins.dropna().sort_values("closed_on")
    asked = pd.DataFrame({"account_id": orders["account_id"].to_numpy(), "since": since.astype("datetime64[us]")})
    asked["place"] = np.arange(len(asked))
    wins = wins.assign(closed_on=wins["closed_on"].astype("datetime64[us]"))
    wins["account_id"], asked["account_id"] = wins["account_id"].astype("str"), asked["account_id"].astype("str")
    found = pd.merge_asof(
        asked.dropna(subset="since").sort_values("since"),
        wins,
        left_on="since",
        right_on="closed_on",
        by="account_id",
        direction="forward",
        allow_exact_matches=False,
    )
    following = np.full(len(asked), _NAT)
    following[found["place"].to_numpy()] = days_of(found["closed_on"])
    return between(
        since,
        following,
        np.full(len(asked), _NAT),
        amount=orders["amount"].to_numpy(dtype=np.float64),
        segment=pd.Index(snap.segments).get_indexer(pd.Index(orders["segment"])),
        segments=snap.segments,
        until=followed_until(snap),
    )
