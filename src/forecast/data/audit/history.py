"""What is changed after the fact: closures recorded late, amounts revised, deals reopened."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.codes import labels
from forecast.data.known.snapshot import Snapshot
from forecast.errors import Problem, Severity
from forecast.wording import day, joined, money, percent, plural, share

LATE_SHARE = 0.01
"""Share of bookings recorded after a month has settled from which on `settle_days` is too short."""

_REVISED_SHARE = 0.01
BEGINS_LATE = "history begins long after the deal was created"
_LATE_DAYS, _LATE_DEALS = 31, 0.05
OFF_BY_DAYS = "history begins the same number of days after created_on"
_SAME_DAYS_SHARE, _SAME_DAYS_DEALS, _SAME_DAYS = 0.5, 20, 3
JUMPS = "amounts that jump a hundredfold between two rows of history"
_JUMP, _JUMPS_SHARE, _EXACT = 50, 0.01, 1e-6
_SETTLED_FOR = pd.Timedelta(days=31)


def after_the_fact(snap: Snapshot) -> list[Problem]:
    """Return what was recorded or changed after the fact, as far as history tells."""
    history = snap.history
    if history is None or history.empty:
        return []
    closures, days = _closures(snap, history), _days_to_history(snap, history)
    return [
        *_late(snap, closures),
        *_revised(closures, currency=snap.company.currency),
        *_at_closing(closures, as_of=snap.as_of),
        *_reopened(history),
        *_jumps(snap, history),
        *_begins_late(snap, days),
        *_off_by_days(snap, days),
    ]


def _closures(snap: Snapshot, history: pd.DataFrame) -> pd.DataFrame:
    """Return one row a deal that stands closed: when that was recorded, and its amount before, then and now."""
    ids = history["opportunity_id"].to_numpy()
    new = np.append(True, ids[1:] != ids[:-1])
    outcome = history["outcome"].to_numpy()
    change = new | np.append(True, outcome[1:] != outcome[:-1])
    start = np.maximum.accumulate(np.where(change, np.arange(len(history)), 0))
    last = np.flatnonzero(np.append(new[1:], True))
    closed = last[outcome[last] != "open"]
    first = start[closed]
    amount = history["amount"].to_numpy()
    before = np.where(new[first], np.nan, amount[np.maximum(first - 1, 0)])
    table = pd.DataFrame(
        {
            "opportunity_id": ids[closed],
            "recorded_on": history["recorded_on"].to_numpy()[first],
            "before": before,
            "then": amount[first],
            "now": amount[closed],
        }
    )
    known = snap.opportunities[["opportunity_id", "outcome", "closed_on", "segment"]]
    return table.merge(known, on="opportunity_id", how="inner")


def _late(snap: Snapshot, closures: pd.DataFrame) -> list[Problem]:
    """How much of a month's bookings is recorded after the month, and is `settle_days` enough."""
    won = closures[(closures["outcome"] == "won") & closures["now"].notna()]
    ends = month_ends(snap, won["closed_on"])
    old = (ends <= snap.as_of - _SETTLED_FOR).to_numpy()  # a young month has not had the time to be late
    won, ends = won[old], ends[old]
    if won.empty:
        return []
    after_end = (won["recorded_on"] - ends).dt.days.to_numpy()
    amount = won["now"].to_numpy()
    settle = snap.company.settle_days
    late, unsettled = amount[after_end > 0].sum(), amount[after_end > settle].sum()
    if not late:
        return []
    too_late = unsettled > LATE_SHARE * amount.sum()
    enough = settles_after(after_end, amount, LATE_SHARE)
    rows = won.loc[after_end > (settle if too_late else 0), "opportunity_id"]
    verb, whose = ("was", "its") if len(rows) == 1 else ("were", "their")
    evidence = (
        f"{len(rows):,} of {plural(len(won), 'win')} ({share(len(rows), len(won))}) of months ended by "
        f"{day(ends.max())} {verb} "
        f"recorded {f'more than {settle} days ' if too_late else ''}after {whose} month had ended; "
        f"{share(late, amount.sum())} of a month's bookings arrives after it, {share(unsettled, amount.sum())} more "
        f"than {settle} days after, and {percent(1 - LATE_SHARE)} is in after {enough} days"
    )
    mend = f"nothing to mend: settle_days = {settle} covers it"
    if too_late:
        mend = f"set settle_days = {enough} in company.toml, or have wins recorded by the month's end"
    problem = Problem(
        severity="warning" if too_late else "info",
        table="opportunity_history",
        column="recorded_at",
        what="closures are recorded late",
        evidence=evidence,
        mend=mend,
    )
    return [problem.at(rows)]


def month_ends(snap: Snapshot, dates: pd.Series) -> pd.Series:
    """Return the last day of the month (of the company's calendar) each date lies in."""
    periods = snap.calendar.period_of(dates)
    distinct, inverse = np.unique(periods, return_inverse=True)
    ends = [snap.calendar.end(int(period)).to_datetime64() for period in distinct]
    return pd.Series(np.array(ends, dtype="datetime64[us]")[inverse], index=dates.index)


def settles_after(days: np.ndarray, amount: np.ndarray, tolerated: float) -> int:
    """Return after how many days at most a share `tolerated` of the amount is still to come.

    days, amount : (n,) day each amount arrives on, counted from the month's end, and the amount.
    """
    order = np.argsort(days, kind="stable")
    arrived = np.cumsum(amount[order])
    enough = int(np.searchsorted(arrived, (1 - tolerated) * arrived[-1] - 1e-9))
    return max(0, int(days[order][min(enough, len(days) - 1)]))


def _revised(closures: pd.DataFrame, *, currency: str) -> list[Problem]:
    """Amounts that were changed after the deal had closed."""
    won = closures[(closures["outcome"] == "won") & closures["then"].notna() & closures["now"].notna()]
    changed = won[~np.isclose(won["then"], won["now"])]
    if changed.empty:
        return []
    difference = (changed["now"] - changed["then"]).sum()
    relative = difference / won["then"].sum() if won["then"].sum() else np.nan
    evidence = (
        f"{len(changed):,} of {plural(len(won), 'win')} ({share(len(changed), len(won))}) had their amount "
        f"changed after they closed; bookings changed by {money(difference, currency=currency)} "
        f"({percent(relative, sign=True)})"
    )
    severity: Severity = "warning" if len(changed) > _REVISED_SHARE * len(won) else "info"
    return [
        Problem(
            severity=severity,
            table="opportunity_history",
            column="amount",
            what="amounts revised after the fact",
            evidence=evidence,
            mend="record a later change as a deal of its own; past bookings otherwise move",
        ).at(changed["opportunity_id"])
    ]


def _at_closing(closures: pd.DataFrame, *, as_of: pd.Timestamp) -> list[Problem]:
    """How the amount of a win compares with what it stood at while open."""
    won = closures[(closures["outcome"] == "won") & (closures["before"] > 0) & closures["then"].notna()]
    changed = won[~np.isclose(won["before"], won["then"])]
    if changed.empty:
        return []
    ratio = (changed["then"] / changed["before"]).median()
    total = won["then"].sum() / won["before"].sum()
    evidence = (
        f"{len(changed):,} of {plural(len(won), 'win')} ({share(len(changed), len(won))}) known by {day(as_of)} closed "
        f"at another amount than the last one while open, {ratio:.2f} times it (median); all wins together at "
        f"{total:.2f} times"
    )
    return [
        Problem(
            severity="info",
            table="opportunity_history",
            column="amount",
            what="amounts change when a deal is won",
            evidence=evidence,
            mend="nothing to mend, but an open deal's amount is worth about that much of what it says",
        ).at(changed["opportunity_id"])
    ]


def _days_to_history(snap: Snapshot, history: pd.DataFrame) -> np.ndarray:
    """Return the days from each deal's creation to its first row of history, (n,) float64, NaN without one."""
    deal = labels(history["opportunity_id"])
    first = np.flatnonzero(np.append(True, deal[1:] != deal[:-1]))
    row = pd.Series(history["recorded_on"].to_numpy()[first], index=history["opportunity_id"].to_numpy()[first])
    begun = row.reindex(snap.opportunities["opportunity_id"].to_numpy()).to_numpy()
    return (begun - snap.opportunities["created_on"].to_numpy()) / np.timedelta64(1, "D")


def _begins_late(snap: Snapshot, days: np.ndarray) -> list[Problem]:
    """Deals whose first row of history is more than a month after their creation: what they were before is not known.

    History was switched on late, or creation dates are wrong.
    """
    frame, late = snap.opportunities, days > _LATE_DAYS
    if late.sum() <= _LATE_DEALS * len(frame):
        return []
    return [
        Problem(
            severity="warning",
            table="opportunity_history",
            column="recorded_at",
            what=BEGINS_LATE,
            evidence=f"more than {_LATE_DAYS} days after it in {late.sum():,} of {plural(len(frame), 'deal')} "
            f"({share(late.sum(), len(frame))})",
            mend="bring the rows from creation on; if created_on is wrong, correct it",
        ).at(frame["opportunity_id"].to_numpy()[late])
    ]


def _off_by_days(snap: Snapshot, days: np.ndarray) -> list[Problem]:
    """Segments whose creation dates were shifted as a whole: history begins the same number of days later.

    Simple case: one office's deals were moved from another system, with created_on a month early. A CRM that is
    read once a day or a week begins within as many days, by no fixed number.
    """
    frame = pd.DataFrame({"segment": snap.opportunities["segment"].to_numpy(), "days": days}).dropna()
    counts = frame.groupby(["segment", "days"], observed=True).size()
    usual = counts.groupby("segment", observed=True).agg(["idxmax", "max", "sum"])
    found = [
        f"{name}: {plural(int(at[1]), 'day')} in {share(most, known)} of {plural(known, 'deal')}"
        for name, (at, most, known) in usual.iterrows()
        if known >= _SAME_DAYS_DEALS and at[1] >= _SAME_DAYS and most >= _SAME_DAYS_SHARE * known
    ]
    if not found:
        return []
    return [
        Problem(
            severity="warning",
            table="opportunities",
            column="created_on",
            what=OFF_BY_DAYS,
            evidence=joined(found),
            mend="correct created_on, or bring the rows of history from creation on",
        )
    ]


def _jumps(snap: Snapshot, history: pd.DataFrame) -> list[Problem]:
    """Deals whose amount becomes fifty times as large, or that part, in one step: a decimal point lost and found.

    It changes the answer where 1 % of the deals do, or a step is a hundred or a thousand times to the last digit: an
    amount that is put right from a placeholder moves by no round factor.
    """
    ids, amount = history["opportunity_id"], history["amount"].to_numpy()
    deal = labels(ids)
    positive = (amount[1:] > 0) & (amount[:-1] > 0) & (deal[1:] == deal[:-1])
    step = np.ones(len(positive))
    step[positive] = amount[1:][positive] / amount[:-1][positive]
    size = np.maximum(step, 1 / step)
    jumps = np.flatnonzero(size >= _JUMP)
    if not len(jumps):
        return []
    exact = np.isclose(size[jumps, None], [100.0, 1000.0], rtol=_EXACT, atol=0).any(axis=1)
    odd_cents = ~np.isclose(np.minimum(amount[jumps], amount[jumps + 1]) % 10, 0)
    names = pd.unique(ids.iloc[jumps])
    many = len(names) > _JUMPS_SHARE * len(snap.opportunities)
    severity: Severity = "warning" if many or (exact & odd_cents).any() else "info"
    largest = jumps[np.argmax(size[jumps])]
    evidence = (
        f"{plural(len(jumps), 'step')} in {plural(len(names), 'deal')} of {len(snap.opportunities):,}, the largest "
        f"from {amount[largest]:,.2f} to {amount[largest + 1]:,.2f}"
    )
    return [
        Problem(
            severity=severity,
            table="opportunity_history",
            column="amount",
            what=JUMPS,
            evidence=evidence,
            mend="check these rows: a decimal point or a separator may be lost in one of them",
        ).at(names)
    ]


def _reopened(history: pd.DataFrame) -> list[Problem]:
    """Deals that were open again after they had closed."""
    ids, outcome = history["opportunity_id"].to_numpy(), history["outcome"].to_numpy()
    again = (ids[1:] == ids[:-1]) & (outcome[:-1] != "open") & (outcome[1:] == "open")
    if not again.any():
        return []
    rows = pd.unique(ids[1:][again])
    closed = pd.unique(ids[outcome != "open"])
    evidence = (
        f"{len(rows):,} of {plural(len(closed), 'deal')} that ever closed ({share(len(rows), len(closed))}) "
        f"{'was' if len(rows) == 1 else 'were'} opened again"
    )
    return [
        Problem(
            severity="info",
            table="opportunity_history",
            column="stage",
            what="deals reopened",
            evidence=evidence,
            mend="nothing to mend: a month's bookings count what stood when it settled",
        ).at(rows)
    ]
