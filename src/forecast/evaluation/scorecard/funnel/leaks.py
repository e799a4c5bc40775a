"""Where the hand-overs leak: leads that nobody works, answers that come late, rejected leads that buy all the same; and
whether accounts whose first order came late buy again less often.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import ndtr

from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import TOTAL
from forecast.evaluation.scorecard.funnel.hand_overs import (
    YEAR_DAYS,
    between,
    conversion,
    lead_journeys,
    leads_begin,
    promised_orders,
    to_next_order,
)
from forecast.evaluation.scorecard.funnel.incidence import Share
from forecast.evaluation.scorecard.funnel.journeys import (
    OPEN,
    Journeys,
    days_of,
    first_cohort,
    followed_until,
    months_named,
)
from forecast.evaluation.scorecard.funnel.rows import AGAIN, LEAK, FunnelRow

MONTHS = 24
"""Months of leads that are looked at."""

UNTOUCHED_DAYS = 90
"""Days after which a lead that was neither worked nor rejected counts as never worked."""

ANSWERED = {1: "a day", 7: "a week"}
"""Days within which a lead is worked."""

NEVER, ELSEWHERE = "never worked", "rejected, then won elsewhere"
ON_TIME, LATE, DIFFERENCE = "bought again after on time", "bought again after late", "late less on time"

_NAT = np.datetime64("NaT", "D")
_NORMAL95 = 1.959963984540054
_NOT_BY_LOT = "orders are not late by lot, so that this is no effect of being late"


def leak_rows(snap: Snapshot) -> list[FunnelRow]:
    """Return where leads are lost, for each segment and the Total: never worked, worked soon, rejected and won."""
    return [row for segment in (None, *snap.segments) for row in _leaks(snap, segment)]


def _leaks(snap: Snapshot, segment: str | None) -> Iterator[FunnelRow]:
    first, until = first_cohort(snap, MONTHS, begins=leads_begin(snap)), followed_until(snap)
    months = months_named(snap, first, until)

    def row(step: str, means: str, found: Share, n: int, missing: str) -> FunnelRow:
        return _row(LEAK, step, means, found, n=n, n_of="lead", segment=segment, months=months, missing=missing)

    leads, worked = snap.leads, None
    why = "needs leads" if leads is None else "needs worked_on in leads"
    if leads is not None and "worked_on" in leads and leads["worked_on"].notna().any():
        worked, why = lead_journeys(snap, "created_on", "worked_on", "rejected_on").of(segment).setting_out(first), ""
    for days in (*ANSWERED, UNTOUCHED_DAYS):
        found, missing, n = Share(), why, 0
        if worked is not None:
            ended = worked.with_ends((worked.ended != OPEN).astype(np.int64)) if days == UNTOUCHED_DAYS else worked
            (_, found, missing), n = conversion(ended, within=float(days)), len(worked)
        if days == UNTOUCHED_DAYS:
            never = Share(value=1 - found.value, low=1 - found.high, high=1 - found.low)
            means = f"leads neither worked nor rejected within {days} days"
            yield row(NEVER, means, never, n, missing)
        else:
            within = ANSWERED[days]
            yield row(f"worked within {within}", f"leads worked within {within} of coming in", found, n, missing)
    elsewhere, why = won_elsewhere(snap)
    found, n = Share(), 0
    if elsewhere is not None:
        part = elsewhere.of(segment).setting_out(first)
        (_, found, why), n = conversion(part, within=float(YEAR_DAYS)), len(part)
    means = f"rejected leads whose account or opportunity was won within {YEAR_DAYS} days of the rejection"
    yield row(ELSEWHERE, means, found, n, why)


def won_elsewhere(snap: Snapshot) -> tuple[Journeys | None, str]:
    """Return from the rejection of leads to the next win of their account, or of the opportunity they name."""
    leads = snap.leads
    if leads is None or "rejected_on" not in leads or not leads["rejected_on"].notna().any():
        return None, "needs leads" if leads is None else "needs rejected_on in leads"
    named = [name for name in ("account_id", "opportunity_id") if name in leads and name in snap.opportunities]
    rejected = leads[leads["rejected_on"].notna()]
    named = [name for name in named if rejected[name].notna().any()]
    if not named:
        return None, "needs account_id in leads"
    wins = snap.opportunities[snap.opportunities["outcome"] == "won"]
    rejected_on, won = days_of(rejected["rejected_on"]), np.full(len(rejected), _NAT)
    known = np.zeros(len(rejected), dtype=bool)
    for name in named:
        has = rejected[name].notna().to_numpy()
        later = _next_win(wins, name, rejected[name], rejected_on)
        won, known = np.where(np.isnat(won) | (later < won), later, won), known | has
    journeys = between(
        np.where(known, rejected_on, _NAT),
        won,
        np.full(len(rejected), _NAT),
        amount=np.full(len(rejected), np.nan),
        segment=pd.Index(snap.segments).get_indexer(pd.Index(rejected["segment"])),
        segments=snap.segments,
        until=followed_until(snap),
    )
    return journeys, ""


def _next_win(wins: pd.DataFrame, name: str, keys: pd.Series, since: np.ndarray) -> np.ndarray:
    """Return the day of the first win with each key on or after a day, NaT where there is none; (n,)."""
    asked = pd.DataFrame({"key": keys.astype("str").to_numpy(), "since": since.astype("datetime64[us]")})
    asked["place"] = np.arange(len(asked))
    there = pd.DataFrame({"key": wins[name].astype("str"), "won_on": wins["closed_on"].astype("datetime64[us]")})
    there = there[wins[name].notna() & there["won_on"].notna()].sort_values("won_on")
    found = pd.merge_asof(
        asked[keys.notna().to_numpy()].sort_values("since"),
        there,
        left_on="since",
        right_on="won_on",
        by="key",
        direction="forward",
    )
    out = np.full(len(asked), _NAT)
    out[found["place"].to_numpy()] = days_of(found["won_on"])
    return out


# -- what late delivery does to the next order -----------------------------------------------------------


def again_rows(snap: Snapshot) -> list[FunnelRow]:
    """Return how many accounts buy again after a first order on time and after a late one, and the difference.

    An account's first order in the log that was promised for a day is on time if it was delivered by that day. Followed
    from the day promised, on which both are known, for a year, so that neither has more time than the other.
    """
    orders = promised_orders(snap)
    if orders is None or "account_id" not in orders or not orders["account_id"].notna().any():
        missing, groups = "needs account_id, promised_on and delivered_on in opportunities", {ON_TIME: None, LATE: None}
        return [row for segment in (None, *snap.segments) for row in _again(snap, groups, segment, missing)]
    first = orders[orders["account_id"].notna()].sort_values(["promised_on", "opportunity_id"])
    first = first.drop_duplicates("account_id")
    on_time = (first["delivered_on"] <= first["promised_on"]).to_numpy()
    split = {ON_TIME: first[on_time], LATE: first[~on_time]}
    found = {name: to_next_order(snap, rows, days_of(rows["promised_on"])) for name, rows in split.items()}
    return [row for segment in (None, *snap.segments) for row in _again(snap, found, segment, "")]


def _again(
    snap: Snapshot, groups: Mapping[str, Journeys | None], segment: str | None, missing: str
) -> Iterator[FunnelRow]:
    found, counts, reasons = {}, {}, {}
    months = ("", "")
    for name, group in groups.items():
        part = None if group is None else group.of(segment)
        found[name], counts[name], reasons[name] = Share(), 0, missing
        if part is not None:
            _, found[name], reasons[name] = conversion(part, within=float(YEAR_DAYS))
            counts[name] = len(part)
            months = months_named(snap, part.start.min(), part.until) if len(part) else months
        after = "came on time" if name == ON_TIME else "came late"
        means = f"accounts with another order within {YEAR_DAYS} days of the day promised, of those whose first {after}"
        yield _row(
            AGAIN,
            name,
            means,
            found[name],
            n=counts[name],
            n_of="account",
            segment=segment,
            months=months,
            missing=reasons[name],
        )
    apart = difference(found[LATE], found[ON_TIME])
    row = _row(
        AGAIN,
        DIFFERENCE,
        _meaning(apart),
        apart,
        n=sum(counts.values()),
        n_of="account",
        segment=segment,
        months=months,
        missing=missing or next((f"{name}: {why}" for name, why in reasons.items() if why), ""),
    )
    yield row if row.missing else replace(row, p_value=chance_of_none(apart))


def _meaning(apart: Share) -> str:
    means = f"share that bought again after a late first order, less that after one on time; {_NOT_BY_LOT}"
    if apart.low <= 0 <= apart.high:
        return f"{means}; cannot tell whether they differ: the interval holds 0"
    return means


def difference(first: Share, second: Share) -> Share:
    """Return the difference of two independent shares, with its 95 % interval from theirs (Newcombe 1998, method 10).

    By hand: .30 (.20 to .42) less .50 (.40 to .60) is -.20, from -.20 - root(.10^2 + .10^2) = -.34 to
    -.20 + root(.12^2 + .10^2) = -.04.
    """
    apart = first.value - second.value
    down = np.hypot(first.value - first.low, second.high - second.value)
    up = np.hypot(first.high - first.value, second.value - second.low)
    return Share(value=apart, low=float(apart - down), high=float(apart + up))


def chance_of_none(apart: Share) -> float:
    """Return the p-value of no difference: how far 0 lies out, by the half of the 95 % interval that reaches for it.

    Below .05 just where the interval does not hold 0. By hand: -.20 (-.34 to -.04) is 1.96 x .20 / .16 = 2.45 standard
    errors from 0, p = .014:

    >>> round(chance_of_none(Share(value=-0.20, low=-0.34, high=-0.04)), 3)
    0.014
    """
    half = apart.value - apart.low if apart.value > 0 else apart.high - apart.value
    return float(2 * ndtr(-_NORMAL95 * abs(apart.value) / half)) if half > 0 else float("nan")


def _row(
    part: str,
    step: str,
    means: str,
    found: Share,
    *,
    n: int,
    n_of: str,
    segment: str | None,
    months: tuple[str, str],
    missing: str,
) -> FunnelRow:
    found = Share() if missing else found
    return FunnelRow(
        part=part,
        step=step,
        means=means,
        segment=TOTAL if segment is None else segment,
        value=found.value,
        low=found.low,
        high=found.high,
        n=n,
        n_of=n_of,
        first=months[0],
        last=months[1],
        missing=missing,
    )
