"""Late wins: deals won in a quarter that were not in the pipeline three weeks into it, as the CRM had it then.

They are the part of a quarter that no look at the open pipeline can see: a forecast that only weighs open deals
misses all of them.
"""

from __future__ import annotations

import pandas as pd

from forecast.data.known.history import Archive, archive
from forecast.data.known.snapshot import Snapshot, snapshot
from forecast.data.schema import Log
from forecast.errors import ParameterError

DAYS = 21
LONGEST = 90
QUARTERS = 8
"""How many quarters are looked back over."""

COLUMNS = (
    "quarter", "day", "settled_on", "won", "late", "late_share", "won_amount", "late_amount", "late_amount_share",
    "backdated",
)  # fmt: skip
_SHARES = ("late_share", "won_amount", "late_amount", "late_amount_share")
_TYPES = dict.fromkeys(("won", "late", "backdated"), "int64") | dict.fromkeys(_SHARES, "float64")


def late_wins(
    log: Log, *, as_of: str | pd.Timestamp, days: int = DAYS, quarters: int = QUARTERS, kept: Archive | None = None
) -> pd.DataFrame:
    """Return, for each of the last fiscal quarters, what was won of deals that the CRM did not know `days` into it.

    Parameters
    ----------
    log : a validated log.
    as_of : the day whose knowledge is used; later rows are never read.
    days : days of the quarter after which the pipeline is looked at, to the day's end; 1 to 90.
    quarters : how many of the last settled quarters; 1 or more.
    kept : the log's archive, where there is one already.

    Returns
    -------
    One row a quarter, oldest first: quarter (label), day (the pipeline is looked at), settled_on (`settle_days` after
    the quarter's end, when its wins are read), won and late (deals, int64), late_share = late / won, won_amount and
    late_amount (reporting currency), late_amount_share, and backdated: how many of the late ones bear a creation date
    of that day or before, entered afterwards or standing as lost then. A deal is late where on `day` it was recorded
    neither as open nor as won. Shares are NaN where nothing was won. Quarters that had not settled on as_of, or began
    before the log's first record, are left out: nothing could be known of their pipeline.

    Raises
    ------
    ParameterError : days or quarters is out of range, or as_of is not in the log.
    """
    if quarters < 1:
        raise ParameterError(f"quarters: {quarters} is not 1 or more")
    if not 1 <= days <= LONGEST:
        raise ParameterError(f"days: {days} is not from 1 to {LONGEST}, the days of a quarter")
    kept = archive(log) if kept is None else kept
    now = snapshot(log, as_of=as_of, kept=kept)
    calendar, wait = now.calendar, log.company.settle_days
    settled = calendar.last_settled(now.as_of, settle_days=wait)
    first = _first_record(now)
    last = int(calendar.quarter_of(now.period))
    out: list[tuple[object, ...]] = []
    for quarter in range(last, last - quarters - 5, -1):
        periods = calendar.quarter_periods(quarter)
        if periods[-1] > settled:
            continue
        start, settled_on = calendar.start(periods[0]), calendar.settles_on(periods[-1], settle_days=wait)
        if start < first or len(out) == quarters:
            break
        day = start + pd.Timedelta(days=days - 1)
        then, after = (snapshot(log, as_of=when, kept=kept) for when in (day, settled_on))
        out.append((calendar.quarter_label(quarter), day, settled_on, *_counted(then, after, periods)))
    table = pd.DataFrame(out[::-1], columns=list(COLUMNS)).astype(_TYPES)
    return table.astype({"quarter": "str", "day": "datetime64[us]", "settled_on": "datetime64[us]"})


def _counted(then: Snapshot, after: Snapshot, periods: tuple[int, ...]) -> tuple[float, ...]:
    deals = after.opportunities
    inside = pd.Series(after.calendar.period_of(deals["closed_on"]), index=deals.index).isin(periods)
    won = deals[(deals["outcome"] == "won") & inside]
    known = then.opportunities
    seen = known.loc[known["outcome"] != "lost", "opportunity_id"]
    late = won[~won["opportunity_id"].isin(seen)]
    amount, amount_late = (float(frame["amount"].fillna(0.0).sum()) for frame in (won, late))
    backdated = int((late["created_on"] <= then.as_of).sum())
    none = float("nan")
    share = len(late) / len(won) if len(won) else none
    return len(won), len(late), share, amount, amount_late, amount_late / amount if amount else none, backdated


def _first_record(snap: Snapshot) -> pd.Timestamp:
    """Return the first day on which the log recorded anything, by what is known on the snapshot's day."""
    first = snap.opportunities["created_on"].min()
    return first if snap.history is None or snap.history.empty else max(first, snap.history["recorded_on"].min())
