"""Amounts that are not what they seem: far from all others, of another size for a while, all alike, giants.

Simple case: amounts scatter over two or three powers of ten, and the largest few follow one another closely. A slip of
the decimal point stands alone at the top; an export in thousands makes all amounts of some months a thousand times as
large; what the CRM holds today is what its history said last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from forecast.calendar import period_label
from forecast.data.codes import places
from forecast.data.known.ledger import KnownState
from forecast.data.known.snapshot import Snapshot
from forecast.data.schema import TABLES, Log
from forecast.errors import Problem, Severity, shortened
from forecast.wording import in_currency, joined, money, percent, plural, share

STANDS_ALONE = "amounts far above all others"
ANOTHER_SIZE = "amounts of some months are of another size"
SEGMENT_SIZE = "amounts of a segment are of another size"
ALL_EQUAL = "all amounts are the same"
NOTHING = "deals worth nothing"
SECOND_AMOUNT = "another amount than what is booked"
NOT_AS_RECORDED = "today's values are not those of the last row of history"

_GIANT_SHARE, _GIANT_DEALS = 0.1, 20
_TAIL_SHARE = 0.05
_TAIL_DEALS = 20
_UNHEARD_OF = 3
"""An open deal so many times the largest that ever closed is beyond what the company has seen."""

_ALONE_AT_MOST, _TIMES_NEXT, _BY_CHANCE, _SIMILAR = 5, 5, 0.01, 50
_OTHER_SIZE, _OTHER_SEGMENT, _DEALS_EACH = 8, 100, 10
_EQUAL_DEALS = 20
_NOTHING_SHARE = 0.02
_CHANGED_SHARE = 0.01
_SECOND_DEALS, _SECOND_SHARE, _SECOND_TIMES, _SECOND_MONTH = 30, 0.9, 1.5, 10

_OPPS = "opportunities"


def misleading_amounts(log: Log, snap: Snapshot, view: KnownState) -> list[Problem]:
    """Return what misleads about amounts known on a day; log and view : the same knowledge, raw and as arrays."""
    return [
        *_not_as_recorded(log, snap),
        *_stands_alone(snap),
        *_another_size(snap),
        *_all_equal(snap),
        *_nothing(snap),
        *_second_amounts(log),
        *_giants(snap, view),
    ]


def _not_as_recorded(log: Log, snap: Snapshot) -> list[Problem]:
    """Deals whose stage or date today is not what history said last: one of the two is wrong.

    Amounts are compared where currencies are known apart, on reading (`checks.amounts`).
    """
    history = log.get("opportunity_history")
    if history is None or snap.as_of != log.extracted_on:
        return []
    frame = log.opportunities
    deal = places(history["opportunity_id"], frame["opportunity_id"])
    last = np.full(len(frame), -1, dtype=np.int64)
    last[deal[deal >= 0]] = np.flatnonzero(deal >= 0)  # rows are in order of time, so that the last one stays
    found = []
    for column in ("stage", "expected_close_on"):
        then = pd.Series(history[column].array.take(last, allow_fill=True), index=frame.index)
        both = np.asarray(then.notna() & frame[column].notna())
        differs = both & ~_same(frame[column], then)
        if not differs.any():
            continue
        part = differs.sum() / max(both.sum(), 1)
        count, total = int(differs.sum()), int(both.sum())
        evidence = f"{column} of {count:,} of {plural(total, 'deal')} ({share(count, total)})"
        severity: Severity = "warning" if part > _CHANGED_SHARE else "info"
        found.append(
            Problem(
                severity=severity,
                table=_OPPS,
                column=column,
                what=NOT_AS_RECORDED,
                evidence=evidence,
                mend="export both on the same day, or correct the one that is wrong; past days are read from history",
            ).at(frame["opportunity_id"].to_numpy()[differs])
        )
    return found


def _same(now: pd.Series, then: pd.Series) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(now.dtype):
        return np.isclose(now.to_numpy(), then.to_numpy(), rtol=1e-6, atol=0.01)
    return np.asarray(now == then)


def _stands_alone(snap: Snapshot) -> list[Problem]:
    """Amounts at the top that the rest of the tail does not lead up to: a decimal point or a separator lost.

    Where the tail falls with index a, the largest is r times the next with probability r to the -a.
    """
    frame = snap.opportunities
    positive = frame.loc[frame["amount"] > 0, ["opportunity_id", "amount"]]
    if len(positive) < _SIMILAR:
        return []
    amounts = np.sort(positive["amount"].to_numpy())[::-1]
    most = int(max(_TAIL_DEALS, _TAIL_SHARE * len(amounts)))
    alone = 0
    for count in range(1, _ALONE_AT_MOST + 1):
        tail = amounts[count : count + most + 1]
        ratio = amounts[count - 1] / amounts[count]
        excess = float(np.log(tail[:-1] / tail[-1]).mean())
        if ratio >= _TIMES_NEXT and (excess <= 0 or ratio ** (-1 / excess) < _BY_CHANCE):
            alone = count
    if not alone:
        return []
    money = in_currency(snap.company.currency)
    evidence = (
        f"{plural(alone, 'deal')} of {money(amounts[alone - 1])} and more, the next {money(amounts[alone])}, "
        f"the median {money(float(np.median(amounts)))}; together {share(amounts[:alone].sum(), amounts.sum())} "
        "of all amounts"
    )
    return [
        Problem(
            severity="warning",
            table=_OPPS,
            column="amount",
            what=STANDS_ALONE,
            evidence=evidence,
            mend="check these amounts: a decimal point or a separator may be lost",
        ).at(positive.loc[positive["amount"] >= amounts[alone - 1], "opportunity_id"])
    ]


def _another_size(snap: Snapshot) -> list[Problem]:
    """Months of creation, and segments, whose median amount is many times that of all others, or a small part of it."""
    frame = snap.opportunities
    positive = frame.loc[frame["amount"] > 0, ["opportunity_id", "created_on", "segment", "amount"]]
    if len(positive) < 2 * _DEALS_EACH:
        return []
    found = []
    log_amount = np.log(positive["amount"].to_numpy())
    period = np.asarray(snap.calendar.period_of(positive["created_on"]))
    odd = _odd_groups(period, log_amount, _OTHER_SIZE)
    if odd:
        names = {each: period_label(each) for each, _ in odd}
        found.append(
            Problem(
                severity="warning",
                table=_OPPS,
                column="amount",
                what=ANOTHER_SIZE,
                evidence="median amount of deals created, beside all other months: "
                + joined((f"{_factor(factor)} in {names[each]}" for each, factor in odd), most=5),
                mend="check whether these months were exported in another unit or currency",
            ).at(names.values())
        )
    code, segments = pd.factorize(positive["segment"])
    odd = _odd_groups(code, log_amount, _OTHER_SEGMENT)
    if odd:
        found.append(
            Problem(
                severity="warning",
                table=_OPPS,
                column="amount",
                what=SEGMENT_SIZE,
                evidence="median amount, beside all other segments: "
                + joined((f"{_factor(factor)} in {shortened(str(segments[each]))!r}" for each, factor in odd), most=5),
                mend="check whether these segments are in another unit or currency",
            ).at(segments[[each for each, _ in odd]])
        )
    return found


def _odd_groups(group: np.ndarray, values: np.ndarray, factor: float) -> list[tuple[int, float]]:
    """Return groups of ten values at least whose median differs by a factor from that of the groups' medians.

    values : (n,) logarithms. The largest difference comes first; each with its factor.
    """
    medians = pd.Series(values).groupby(group).agg(["median", "size"])
    medians = medians.loc[medians["size"] >= _DEALS_EACH, "median"]
    if len(medians) < 2:
        return []
    difference = medians - medians.median() if len(medians) > 2 else medians - medians.min()
    odd = difference[difference.abs() >= np.log(factor)]
    odd = odd.iloc[np.argsort(-odd.abs().to_numpy(), kind="stable")]
    return [(int(name), float(np.exp(each))) for name, each in odd.items()]


def _factor(factor: float) -> str:
    return f"{factor:,.3g} times" if factor >= 1 else f"1/{1 / factor:,.3g}"


def _nothing(snap: Snapshot) -> list[Problem]:
    """Deals with an amount of 0: an amount that is not known must be empty, or it is believed."""
    frame = snap.opportunities
    zero = np.asarray(frame["amount"] == 0)
    known = int(frame["amount"].notna().sum())
    if not zero.any() or frame["amount"].max() == 0:
        return []
    open_ones = int((zero & np.asarray(frame["outcome"] == "open")).sum())
    severity: Severity = "warning" if zero.sum() > _NOTHING_SHARE * known else "info"
    return [
        Problem(
            severity=severity,
            table=_OPPS,
            column="amount",
            what=NOTHING,
            evidence=f"0 for {zero.sum():,} of {plural(known, 'deal')} with an amount ({share(zero.sum(), known)}), "
            f"{open_ones:,} of them open",
            mend="leave the amount empty where it is not known; 0 stands for a deal that brings nothing",
        ).at(frame["opportunity_id"].to_numpy()[zero])
    ]


def _all_equal(snap: Snapshot) -> list[Problem]:
    frame = snap.opportunities
    amounts = frame["amount"].dropna()
    if len(amounts) < _EQUAL_DEALS or amounts.min() != amounts.max():
        return []
    money = in_currency(snap.company.currency)
    return [
        Problem(
            severity="warning",
            table=_OPPS,
            column="amount",
            what=ALL_EQUAL,
            evidence=f"{money(float(amounts.iloc[0]))} in all {len(amounts):,} deals that have one: bookings are "
            "then a number of deals",
            mend="bring the amounts that were agreed, if this one is a placeholder",
            count=len(amounts),
        )
    ]


def _second_amounts(log: Log) -> list[Problem]:
    """Columns that hold, of won deals, nearly the same sums as `amount`: what was paid beside a list price, say.

    Booked is `amount`, so that a reader who adds up the other one finds another sum. Of several currencies, none.
    """
    frame = log.opportunities
    won = frame[(frame["outcome"] == "won") & (frame["amount"] > 0)]
    if "currency" in frame or len(won) < _SECOND_DEALS:
        return []
    found = []
    for name in won.columns:
        values = won[name]
        if TABLES[_OPPS].column(str(name)) or not pd.api.types.is_float_dtype(values.dtype):
            continue
        times = (values / won["amount"]).to_numpy(float)
        near = np.abs(np.log(np.where(times > 0, times, np.nan))) <= np.log(_SECOND_TIMES)
        if near.mean() >= _SECOND_SHARE and not np.allclose(times[near], 1.0):
            evidence = _apart(won, values, log)
            mend = "nothing, or let it be the amount of deals that are won"
            problem = Problem(severity="info", table=_OPPS, column=str(name), what=SECOND_AMOUNT, mend=mend)
            found.append(replace(problem, evidence=evidence, count=int((times != 1.0).sum())))
    return found


def _apart(won: pd.DataFrame, values: pd.Series, log: Log) -> str:
    """Return how far a column's sum lies from that of the amounts of won deals, in all and month by month."""
    currency, calendar = log.company.currency, log.company.periods
    sums = pd.DataFrame({"amount": won["amount"], "other": values.fillna(0.0), "deals": 1})
    months = sums.groupby(calendar.period_of(won["closed_on"])).sum()
    months = months[months["deals"] >= _SECOND_MONTH]
    total, other = sums["amount"].sum(), sums["other"].sum()
    told = (
        f"over {plural(len(won), 'won deal')} it adds up to {money(other, currency=currency)}, amount to "
        f"{money(total, currency=currency)} ({percent(other / total - 1, sign=True)})"
    )
    if len(months) < 2:
        return told
    apart = months["other"] / months["amount"] - 1
    return f"{told}; by month {percent(apart.min(), sign=True)} to {percent(apart.max(), sign=True)}"


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
        unheard_of = top > _UNHEARD_OF * frame.loc[frame["outcome"] != "open", "amount"].max()
        severity: Severity = "warning" if unheard_of else "info"
        found.append(
            Problem(
                severity=severity,
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
    severity: Severity
    index = tail_index(won["amount"].to_numpy())
    if largest > _GIANT_SHARE * booked and len(won) >= _GIANT_DEALS:
        also = f"; tail index {index:.1f}" if np.isfinite(index) else ""
        what, rows = "one deal dominates the bookings", won["opportunity_id"].head(1)
        evidence = (
            f"the largest of {len(won):,} won deals is {money(largest)}, {share(largest, booked)} of all that was won "
            f"and {times:,.0f} times the median{also}"
        )
        mend, severity = "check the amount; if it holds, read ranges rather than the mean", "warning"
    elif np.isfinite(index) and index < 2:
        what, rows = "amounts have a heavy tail", won["opportunity_id"].head()
        evidence = (
            f"tail index {index:.1f} over the largest {percent(_TAIL_SHARE)} of {len(won):,} won deals: below 2 a few "
            f"deals decide a month; the largest is {money(largest)}, {times:,.0f} times the median"
        )
        mend, severity = "check the largest amounts; if they hold, read ranges rather than the mean", "info"
    else:
        return []
    problem = Problem(
        severity=severity, table="opportunities", column="amount", what=what, evidence=evidence, mend=mend
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
